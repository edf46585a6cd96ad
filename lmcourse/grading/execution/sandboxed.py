"""One submission in the sandbox: its learner's process, its judge, what becomes of each cell.

Chapter: book/instructors/sandbox.md

Threat: a cell or a call that ends its process, never returns, or eats the time of all others. It
costs the cell or test that did it: the process is replaced, earlier cells run again except those
that end a process, and no limit adds to another. Whatever goes wrong on the grader's own side is
"could not be graded", which asks for a person and is never a 0.
"""

import secrets
import socket
import time
from collections.abc import Callable, Mapping

from lmcourse.grading.execution.cell_results import CellResult, Reader
from lmcourse.grading.execution.outcomes import Verdict
from lmcourse.grading.safe_text import scrub
from lmcourse.grading.sandbox.bubblewrap import SandboxError
from lmcourse.grading.sandbox.budgets import MIB, OUT_OF_TIME, Budgets, Deadline
from lmcourse.grading.sandbox.frames import ClosedError, WireError
from lmcourse.grading.sandbox.processes import ForkServer, Process

_GRACE_SECONDS = 2.0
_ANSWER_SECONDS = 60.0
_SETUP_SECONDS = 40.0
_LOST = (ClosedError, TimeoutError, WireError)
_TIMED_OUT = "it was stopped after {:g} seconds: an endless loop, or far too slow"
_DIED = "it ended the Python process: exit, a crash, or too much memory at once"
_BROKEN = "the author's own answer does not pass this test here; it said: "
_MEMORY = "it ended the Python process: it took more than {:g} MiB of memory"


class SubmissionRun:
    """Runs the cells of one submission in the order in which they come.

    Args:
        wanted: the names that the release asks the learner to define.
        seed: the seed of a test's inputs, from the test's name; None draws one.
        files: what the code finds in its folder.
        proven: the tests that the reference solution passes here. Only for these does a test that
            stumbles over the learner's data count as failed.
        broken: those that it does not pass here. Nobody fails them, whatever they say.
    """

    def __init__(
        self,
        learners: ForkServer,
        judges: ForkServer,
        budgets: Budgets,
        *,
        wanted: frozenset[str],
        seed: Callable[[str], int] | None = None,
        files: Mapping[str, bytes] | None = None,
        proven: frozenset[str] = frozenset(),
        broken: frozenset[str] = frozenset(),
    ):
        self._learners, self._judges, self._budgets = learners, judges, budgets
        self._wanted, self._proven, self._broken = wanted, proven, broken
        self._seed = seed or (lambda name: secrets.randbits(63))
        self._files = dict(files or {})
        self._worked = 0.0  # by processes that have been replaced
        self._learner: Process | None = None
        self._judge: Process | None = None
        self._deadline = Deadline(budgets.submission_seconds, processor=self._work)
        self._reader = Reader(budgets.output_bytes)
        self._link: socket.socket | None = None  # made with the learner's process, for the judge
        self._cells: list[str] = []
        self._setups: list[str] = []
        self._harmful: set[int] = set()  # cells that ended the process: never run again

    def __enter__(self) -> "SubmissionRun":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End both processes, with all that they started."""
        for process in (self._learner, self._judge):
            if process is not None:
                process.end()
        self._learner = self._judge = None
        self._drop_link()

    def _work(self) -> float:
        """The seconds that the processor has worked for this submission."""
        running = [p.worked() for p in (self._learner, self._judge) if p is not None]
        return self._worked + sum(running)

    def run(self, kind: str, source: str, name: str = "") -> CellResult | Verdict:
        """Run a cell of any kind: `test`, `setup` (locked, but no test) or `learner`."""
        if kind == "test":
            return self.run_test(name, source)
        return self.run_setup(source) if kind == "setup" else self.run_cell(source)

    def run_cell(self, source: str) -> CellResult:
        """Run a cell of the learner's."""
        started = time.monotonic()
        try:
            ran = self._execute(source) if self._ready() else _unrun(self._used_up())
        except SandboxError as error:
            ran = _unrun(str(error))
        if ran.status in ("died", "timeout"):
            self._harmful.add(len(self._cells))
        self._cells.append(source)
        ran.seconds = time.monotonic() - started
        return ran

    def run_setup(self, source: str) -> CellResult:
        """Run a locked cell that is no test, on both sides."""
        ran = self.run_cell(source)
        self._setups.append(source)
        if self._judge is not None:
            try:
                self._setup_judge(source)
            except SandboxError:  # the next test starts another judge, and says if that fails
                self._end_judge()
        return ran

    def run_test(self, name: str, source: str) -> Verdict:
        """The verdict on one test cell."""
        verdict = self._attempt(name, source)
        if verdict.died not in ("", OUT_OF_TIME):
            # An earlier cell may have left something behind that ended the process just now.
            verdict = self._attempt(name, source)
        return verdict

    def _attempt(self, name: str, source: str) -> Verdict:
        started, seed = time.monotonic(), self._seed(name)
        try:
            if self._ready():
                self._link_up()
                verdict = self._verdict(name, self._ask_judge(source, seed))
            else:
                verdict = Verdict(outcome="ungraded", message=self._used_up())
        except (SandboxError, *_LOST) as error:
            verdict = self._stopped(error)
        if verdict.died:
            self._end_learner()
        if verdict.outcome == "ungraded":  # whatever was wrong, the next test has another judge
            self._end_judge()
        verdict.seed, verdict.seconds = seed, time.monotonic() - started
        return verdict

    def _stopped(self, error: Exception) -> Verdict:
        """Of a test that was cut short; if by the submission's own limit, nobody failed it."""
        if isinstance(error, TimeoutError) and self._deadline.used_up:
            return Verdict(outcome="ungraded", message=self._used_up())
        why = f"the judge stopped: {type(error).__name__} {error}".strip()
        return Verdict(outcome="ungraded", kind="judge", message=why)

    def _ask_judge(self, source: str, seed: int) -> dict:
        seconds = self._budgets.test_seconds
        head = {"op": "test", "source": source, "seed": seed, "seconds": seconds}
        limit = seconds + _GRACE_SECONDS
        return self._judge.ask(head, Deadline(limit, within=self._deadline, processor=self._work))

    def _verdict(self, name: str, said: dict) -> Verdict:
        """The judge's answer, in which no more is believed than can be checked."""
        outcome, line, fraction = (said.get(key) for key in ("outcome", "line", "fraction"))
        if outcome == "stumbled":
            outcome = "failed" if name in self._proven else "ungraded"
        message = scrub(said.get("message"), 4000)
        if outcome == "failed" and name in self._broken:
            outcome, message = "ungraded", _BROKEN + message
        passed = outcome == "passed" and type(fraction) is float and 0 <= fraction <= 1
        return Verdict(
            outcome="passed" if passed else "failed" if outcome == "failed" else "ungraded",
            fraction=fraction if passed else 0.0,
            kind=scrub(said.get("kind"), 100),
            message=message,
            line=line if type(line) is int else None,
            trace=scrub(said.get("trace"), 6000),
            died=scrub(said.get("died"), 200),
        )

    def _used_up(self) -> str:
        return f"the notebook used up its {self._budgets.submission_seconds:g} seconds"

    def _ready(self) -> bool:
        """A learner's process in which the cells so far have run; False if time is up."""
        if self._judge is not None and not self._judge.alive:
            self._end_judge()
        while not self._deadline.passed:
            if self._learner is not None and self._learner.alive:
                return True
            self._start_learner()
            for index, source in enumerate(self._cells):
                if index in self._harmful:
                    continue
                if self._execute(source, again=True).status in ("died", "timeout"):
                    self._harmful.add(index)
                    self._end_learner()
                    break
        return False

    def _start_learner(self) -> None:
        self._end_learner()
        ours, theirs = socket.socketpair()
        with theirs:
            self._link = ours
            seed = self._seed("the learner's own")
            self._learner = self._learners.process(self._budgets, seed, [theirs])
        try:
            for name, contents in self._files.items():
                deadline = Deadline(_ANSWER_SECONDS)
                self._learner.ask({"op": "file", "name": name}, deadline, contents)
        except _LOST as error:
            raise SandboxError(f"the files could not be placed: {type(error).__name__}") from None

    def _link_up(self) -> None:
        """Have a judge that is connected to the learner's process."""
        if self._judge is None:
            self._judge = self._judges.process(self._budgets, secrets.randbits(63))
            self._connect()
            for source in self._setups:
                self._setup_judge(source)
        elif self._link is not None:
            self._connect()

    def _connect(self) -> None:
        """Give the judge its end of the connection to the learner's process."""
        head = {
            "op": "link",
            "wanted": sorted(self._wanted),
            "call_seconds": self._budgets.call_seconds,
            "frames": self._budgets.frames,
        }
        self._judge.hand_over(head, self._link, self._learner, Deadline(_ANSWER_SECONDS))
        self._drop_link()

    def _setup_judge(self, source: str) -> None:
        head = {"op": "setup", "source": source, "seed": self._seed("setup")}
        try:
            said = self._judge.ask(head, Deadline(_SETUP_SECONDS, processor=self._judge.worked))
        except _LOST as error:
            said = {"message": type(error).__name__}
        if said.get("outcome") != "passed":
            raise SandboxError(f"a locked cell does not run in the judge: {said.get('message')}")

    def _drop_link(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None

    def _end_learner(self) -> None:
        if self._learner is not None:
            self._learner.end()
            self._worked += self._learner.worked()
        self._learner = None
        self._drop_link()

    def _end_judge(self) -> None:
        if self._judge is None:
            return
        self._judge.end()
        self._worked += self._judge.worked()
        self._judge = None
        if self._link is None:
            # The judge held the other end: without it the learner's process ends too, and the cell
            # that happens to run then would be blamed.
            self._end_learner()

    def _execute(self, source: str, *, again: bool = False) -> CellResult:
        reader = Reader(self._reader.room) if again else self._reader
        head = {"op": "cell", "source": source, "limit": reader.room, "store": True}
        seconds, worked = self._budgets.cell_seconds, self._learner.worked
        try:
            limit = Deadline(seconds, within=self._deadline, processor=worked)
            said = self._learner.ask(head, limit)
        except TimeoutError:
            return self._stop(reader)
        except (ClosedError, WireError):
            said = {"status": "died"}
        if said.get("status") not in ("died", "memory"):
            return reader.ran(said)
        self._end_learner()
        memory = _MEMORY.format(self._budgets.memory_bytes / MIB)
        return CellResult(status="died", message=memory if said["status"] == "memory" else _DIED)

    def _stop(self, reader: Reader) -> CellResult:
        """Interrupt a cell, and end the process if it does not listen."""
        why = _TIMED_OUT.format(self._budgets.cell_seconds)
        ran = CellResult(
            status="timeout", message=self._used_up() if self._deadline.used_up else why
        )
        self._learner.interrupt()
        try:
            grace = Deadline(_GRACE_SECONDS, processor=self._learner.worked)
            ran.outputs = reader.ran(self._learner.answer(grace)).outputs
        except _LOST:
            self._end_learner()
        return ran


def _unrun(why: str) -> CellResult:
    return CellResult(status="unrun", message=why)
