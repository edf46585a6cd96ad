"""The trusted side: runs the tests of one submission, hidden ones too, on the learner's proxies.

Chapter: book/instructors/sandbox.md

Threat: undeserved points. No line of the learner's runs here; the learner's names, and only those
that the release asks the learner to define, stand for proxies (`proxies`), and a test that ends in
any other way than by its last line is not passed. It is a process of its own, in a sandbox of its
own: an answer made to break what reads it breaks only this process, and the grader then says
"could not be graded". Inputs are drawn from a seed that the learner's side never sees.
"""

import ast
import builtins
import contextlib
import linecache
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from lmcourse.grading.bridge import assertions, probes
from lmcourse.grading.bridge.assertions import LearnerError
from lmcourse.grading.bridge.authors_answers import AuthorsAnswers
from lmcourse.grading.bridge.proxies import BridgeFault, Gone, Link, Unsendable
from lmcourse.grading.outcomes import FAILED, PASSED, STUMBLED, UNGRADED, TestOutcome
from lmcourse.grading.safe_text import lines_of, scrub
from lmcourse.grading.sandbox import frames
from lmcourse.grading.sandbox.budgets import Meter, starved_seconds
from lmcourse.grading.sandbox.seeds import replace_system_randomness, reseed

_GRACE_SECONDS = 0.5
_FILE = "<test>"


class Judge:
    """Runs setup cells and tests, in one namespace.

    Args:
        wanted: the names that the learner was asked to define.
    """

    def __init__(self, link: Link, wanted: Iterable[str]):
        self._wanted = frozenset(wanted)
        self._author: AuthorsAnswers | None = None
        self.connect(link)
        self._names: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
        self._bound: dict[str, Any] = {}
        self._mentioned: set[str] = set()
        assertions.carry_probes_with(self._carry)

    def connect(self, link: Link) -> None:
        """Run tests on the learner's process behind this link from now on."""
        self.link = link
        link.author = self._author.answer if self._author else None

    def allow_author(self, sources: Sequence[str], names: Sequence[str]) -> list[dict[str, Any]]:
        """Let the learner's process call the author's version of these names, and no others."""
        if self._author is None:
            self._author = AuthorsAnswers(sources)
            self.connect(self.link)
        return self._author.allow(names)

    @property
    def called(self) -> list[str]:
        """The names of the author's version that the last test has called."""
        return sorted(self._author.called) if self._author else []

    def setup(self, source: str) -> TestOutcome:
        """Run a locked cell that is no test; the learner's names are not bound for it."""
        return self._run(source, 30.0, bind=False)

    def test(self, source: str, seconds: float) -> TestOutcome:
        """What became of one test cell."""
        return self._run(source, seconds, bind=True)

    def _run(self, source: str, seconds: float, *, bind: bool) -> TestOutcome:
        lines = [f"{line}\n" for line in lines_of(source)]
        linecache.cache[_FILE] = (len(source), None, lines, _FILE)
        self.link.open_test(seconds)
        if self._author is not None:
            self._author.open_test()
        assertions.take_award()
        signal.signal(signal.SIGALRM, self._out_of_time)
        signal.setitimer(signal.ITIMER_REAL, self.link.deadline.look() + _GRACE_SECONDS)
        try:
            tree = ast.parse(source, _FILE)
            self._mentioned |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            if bind:
                self._bind()
            exec(compile(tree, _FILE, "exec"), self._names)
            if self.link.assertion is not None:
                raise self.link.assertion
            award = assertions.take_award()
            return TestOutcome(verdict=PASSED, fraction=1.0 if award is None else award)
        except BaseException as error:
            # A failed assertion in a callback is the cause, whatever the learner's code did next.
            cause = self.link.assertion or error
            return replace(_outcome(cause, self._wanted), died=self.link.dead)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _out_of_time(self, *_: Any) -> None:
        """The alarm; it may come at any moment, while an answer is awaited as well."""
        wait = self.link.deadline.look()
        if wait > 0:  # the clock was faster than the processor
            signal.setitimer(signal.ITIMER_REAL, wait + _GRACE_SECONDS)
            return
        raise self.link.out_of_time()

    def _bind(self) -> None:
        """Fetch the learner's names anew, as they are now."""
        for name in self._bound:
            self._names.pop(name, None)
        self._bound.clear()
        wanted = sorted(self._wanted & self._mentioned)
        there = self.link.ask("names", names=wanted) if wanted else []
        for name in there if type(there) is list else ():
            if type(name) is str and name in wanted:
                self._bound[name] = self._names[name] = self.link.ask("get", name=name)

    def _carry(self, function: Callable[..., Any], probe: probes.Probe, args: tuple, kwargs: dict):
        """Send a probe to the learner's process; what comes back is data."""
        theirs, paths, values = [], {}, {}
        for name in sorted(probe.uses):
            if name not in function.__globals__:
                if name not in self._wanted:
                    raise BridgeFault(f"the probe {probe.name} uses {name}, which is not defined")
                raise NameError(f"name {name!r} is not defined", name=name)
            value = function.__globals__[name]
            if name in self._bound and value is self._bound[name]:
                theirs.append(name)
            elif path := probes.import_path(value):
                paths[name] = path
            elif callable(value):
                raise BridgeFault(f"the probe {probe.name} uses {name}: define it inside the probe")
            else:
                values[name] = value
        packed = {"args": list(args), "kwargs": kwargs, "values": values}
        head = {"source": probe.source, "names": theirs, "imports": paths}
        return self.link.ask("probe", packed, data_only=True, **head)


def _outcome(error: BaseException, wanted: frozenset[str]) -> TestOutcome:
    """What an exception that ended a test says of the learner, of the test, or of us."""
    outcome = TestOutcome(
        verdict=FAILED,
        kind=type(error).__name__,
        said=scrub(str(error)),
        line=_line(error),
        trace=getattr(error, "trace", ""),
    )
    if isinstance(error, (LearnerError, AssertionError)):
        return outcome
    if isinstance(error, Gone):
        return replace(outcome, said=f"your code did not answer: {error}")
    if isinstance(error, NameError) and error.name in wanted:
        why = f"`{error.name}` is not defined: its cell is missing or raised an error"
        return replace(outcome, said=why)
    # The test stumbled: over odd data of the learner's, or over its own mistake? Whether the
    # reference solution passes this test tells the two apart, and the grader knows that.
    stumbled = isinstance(error, (Exception, Unsendable))
    return replace(outcome, verdict=STUMBLED if stumbled else UNGRADED)


def _line(error: BaseException) -> int | None:
    """The line of the test cell at which it ended, from 1."""
    if isinstance(error, SyntaxError) and error.filename == _FILE:
        return error.lineno
    places = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == _FILE]
    return places[0] if places else None


def prepare(withheld: dict) -> Callable[[list[socket.socket], dict], None]:
    """What a fork of the judge's side does; called once, before the first fork."""

    def body(sockets: list[socket.socket], request: dict) -> None:
        serve(*sockets, request)

    return body


def serve(channel: socket.socket, request: dict) -> None:
    """Run what the grader sends, until it has gone."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode) for n, mode in enumerate("rww"))
    restart_system = replace_system_randomness()
    judge: Judge | None = None
    before = contextlib.ExitStack()  # what belongs to the learner's process that was replaced
    while True:
        try:
            head, _ = frames.receive(channel)
        except frames.ClosedError:
            return
        outcome = TestOutcome(verdict=PASSED)
        if head["op"] == "link":
            _, [fd, *meters], *_ = socket.recv_fds(channel, 1, 3)
            if judge is not None:
                judge.link.dead = judge.link.dead or "the process with your code ended"
            before.close()
            sock = before.enter_context(socket.socket(fileno=fd))
            meter = before.enter_context(contextlib.closing(Meter(*meters))) if meters else None
            clocks = _clocks(meter) if meter else ()
            link = Link(sock, head["call_seconds"], head["frames"], *clocks)
            if judge is None:
                judge = Judge(link, head["wanted"])
            judge.connect(link)
        elif head["op"] == "author":
            frames.send(channel, {**_allowed(judge, head), "number": head["number"]})
            continue
        else:
            reseed(head["seed"])
            restart_system(head["seed"])
            run = judge.test if head["op"] == "test" else judge.setup
            outcome = run(head["source"], *([head["seconds"]] if head["op"] == "test" else []))
        called = judge.called if judge else []
        frames.send(channel, {**asdict(outcome), "called": called, "number": head["number"]})


def _clocks(learners: Meter) -> tuple[Callable[[], float], Callable[[], float]]:
    """How long the learner's process has worked, and how long it or this one was starved."""
    return learners.seconds, lambda: learners.starved() + starved_seconds()


def _allowed(judge: Judge, head: dict) -> dict:
    """What substitutes must know of the author's version, or why there is none."""
    try:
        return {"described": judge.allow_author(head["sources"], head["names"])}
    except Exception as error:
        return {"described": [], "said": scrub(f"{type(error).__name__}: {error}")}
