"""One submission in the sandbox: its learner's process, its judge, what becomes of each cell.

Chapter: book/instructors/sandbox.md

Threat: a cell or a call that ends its process, never returns, or eats the time of all others. It
costs the cell or test that did it: the process is replaced, earlier cells run again without what
ended a process (`replay`), and no limit adds to another. Whatever goes wrong on the grader's own
side is "could not be graded", which asks for a person and is never a 0.
"""

import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.assignment.replay import harmless
from lmcourse.grading.execution import explanations
from lmcourse.grading.execution.cell_results import CellResult, ResultReader
from lmcourse.grading.outcomes import FAILED, PASSED, STUMBLED, UNGRADED, TestOutcome
from lmcourse.grading.safe_text import scrub
from lmcourse.grading.sandbox.bubblewrap import SandboxError
from lmcourse.grading.sandbox.budgets import MIB, OUT_OF_TIME, Budgets, Deadline
from lmcourse.grading.sandbox.frames import ClosedError, WireError
from lmcourse.grading.sandbox.processes import ForkServer, Process

_GRACE_SECONDS = 2.0
_ANSWER_SECONDS = 60.0
SETUP_SECONDS = 40.0
LOST = (ClosedError, TimeoutError, WireError)
_BUSY = f"what your code returned keeps the test busy: {OUT_OF_TIME}"
_BROKEN = "the author's own answer does not pass this test here; it said: "


class SubmissionRun:
    """Runs the cells of one submission in the order in which they come.

    Args:
        wanted: the names that the release asks the learner to define.
        seed: the seed of a test's inputs, from the test's name; None draws one.
        files: what the code finds in its folder.
        proven: the tests that the reference solution passes here. Only for these does a test that
            stumbles over the learner's data count as failed.
        quick: those of them for which it needs far less than their time. Where one of these takes
            all its time, it is the learner's data that keeps the judge busy.
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
        quick: frozenset[str] = frozenset(),
        broken: frozenset[str] = frozenset(),
    ):
        self._learners, self._judges, self._budgets = learners, judges, budgets
        self._wanted, self._proven, self._broken, self._quick = wanted, proven, broken, quick
        self._seed = seed or (lambda name: secrets.randbits(63))
        self._files = dict(files or {})
        self._worked = self._starved = 0.0  # by processes that have been replaced
        self._learner: Process | None = None
        self._judge: Process | None = None
        self._deadline = self._shared_limit(budgets.total_seconds)
        self._reader = ResultReader(budgets.output_bytes)
        self._link: socket.socket | None = None  # made with the learner's process, for the judge
        self._cells: list[str] = []
        self._locked: set[int] = set()  # which of them are the author's
        self._setups: list[str] = []
        self._instead: dict[int, str] = {}  # of cells that ended the process, what may run again
        self._tried_again: set[int] = set()  # cells in which a process ended for the first time

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

    @property
    def left(self) -> float:
        """The seconds that the submission may still use."""
        return self._budgets.total_seconds - self._work()

    def _work(self) -> float:
        """The seconds that the processor has worked for this submission."""
        running = [p.worked() for p in (self._learner, self._judge) if p is not None]
        return self._worked + sum(running)

    def _hunger(self) -> float:
        """The seconds in which one of its processes wanted a processor and had none."""
        running = [p.starved() for p in (self._learner, self._judge) if p is not None]
        return self._starved + sum(running)

    def _shared_limit(self, seconds: float, within: Deadline | None = None) -> Deadline:
        """For the learner's process and the judge together."""
        return Deadline(seconds, within, processor=self._work, starved=self._hunger)

    def run(self, cell: CodeCell) -> CellResult | TestOutcome:
        """Run a cell of any kind."""
        if cell.kind == "test":
            return self.run_test(cell.name, cell.source)
        return self.run_setup(cell.source) if cell.kind == "setup" else self.run_cell(cell.source)

    def run_cell(self, source: str) -> CellResult:
        """Run a cell of the learner's."""
        place = len(self._cells)
        try:
            ran = self._run_here(source, place)
            if self._second_chance(place, ran):
                ran = self._run_here(source, place)
        except SandboxError as error:
            ran = _unrun(str(error))
        self._cells.append(source)
        self._spare(place, ran)
        return ran

    def _run_here(self, source: str, place: int) -> CellResult:
        return self._execute(source, place) if self._ready() else _unrun(self._used_up())

    def _second_chance(self, index: int, ran: CellResult) -> bool:
        """Whether to run a cell again before it is blamed that the process ended in it.

        It may have been an earlier cell that left something behind, or the judge that ended.
        """
        if ran.status != "died" or ran.message or index in self._tried_again:
            return False
        self._tried_again.add(index)
        return True

    def run_setup(self, source: str) -> CellResult:
        """Run a locked cell that is no test, on both sides."""
        self._locked.add(len(self._cells))
        ran = self.run_cell(source)
        self._setups.append(source)
        if self._judge is not None:
            try:
                self._setup_judge(source)
            except SandboxError:  # the next test starts another judge, and says if that fails
                self._end_judge()
        return ran

    def run_test(self, name: str, source: str) -> TestOutcome:
        """What became of one test cell."""
        outcome = self._attempt(name, source)
        if outcome.died not in ("", OUT_OF_TIME):
            # An earlier cell may have left something behind that ended the process just now.
            outcome = self._attempt(name, source)
        return outcome

    def _attempt(self, name: str, source: str) -> TestOutcome:
        seed, before = self._seed(name), self._work()
        try:
            if self._ready():
                self._link_up()
                outcome = self._believed(name, self._ask_judge(source, seed))
                if outcome.kind == "Overdue" and self._keeps_busy(name, self._work() - before):
                    outcome = replace(outcome, verdict=FAILED, said=_BUSY)
            else:
                outcome = TestOutcome(verdict=UNGRADED, said=self._used_up())
        except (SandboxError, *LOST) as error:
            outcome = self._stopped(name, error, self._work() - before)
            self._end_judge()
        outcome = replace(outcome, seed=f"{seed:x}", worked=self._work() - before)
        if outcome.died:
            self._end_learner()
        if outcome.verdict == UNGRADED:  # whatever was wrong, the next test has another judge
            self._end_judge()
        return explanations.explained(outcome, source)

    def _stopped(self, name: str, error: Exception, worked: float) -> TestOutcome:
        """Of a test that was cut short; if by the submission's own limit, nobody failed it."""
        if isinstance(error, TimeoutError) and self._deadline.used_up:
            return TestOutcome(verdict=UNGRADED, said=self._used_up())
        if isinstance(error, TimeoutError) and self._keeps_busy(name, worked):
            return TestOutcome(verdict=FAILED, kind="Gone", said=_BUSY, died=OUT_OF_TIME)
        why = f"the judge stopped: {type(error).__name__} {error}".strip()
        return TestOutcome(verdict=UNGRADED, kind="judge", said=why)

    def _keeps_busy(self, name: str, worked: float) -> bool:
        """Whether it is the learner's data that takes all the time of a test: work, no waiting."""
        return name in self._quick and worked >= self._budgets.test_seconds

    def _ask_judge(self, source: str, seed: int) -> dict:
        seconds = self._budgets.test_seconds
        head = {"op": "test", "source": source, "seed": seed, "seconds": seconds}
        limit = seconds + _GRACE_SECONDS
        return self._judge.ask(head, self._shared_limit(limit, self._deadline))

    def _believed(self, name: str, reply: dict) -> TestOutcome:
        """The judge's reply, in which no more is believed than can be checked."""
        verdict, line, fraction = (reply.get(key) for key in ("verdict", "line", "fraction"))
        if verdict == STUMBLED:
            verdict = FAILED if name in self._proven else UNGRADED
        said = scrub(reply.get("said"), 4000)
        if verdict == FAILED and reply.get("kind") == "Unsendable":
            said += (
                ". With the author's answer it does not: your code returned too much, or no data"
            )
        if verdict == FAILED and name in self._broken:
            verdict, said = UNGRADED, _BROKEN + said
        passed = verdict == PASSED and type(fraction) is float and 0 <= fraction <= 1
        return TestOutcome(
            verdict=PASSED if passed else FAILED if verdict == FAILED else UNGRADED,
            fraction=fraction if passed else 0.0,
            kind=scrub(reply.get("kind"), 100),
            said=said,
            line=line if type(line) is int else None,
            trace=scrub(reply.get("trace"), 6000),
            died=scrub(reply.get("died"), 200),
        )

    def _used_up(self) -> str:
        return explanations.used_up(self._budgets.total_seconds)

    def _ready(self) -> bool:
        """A learner's process in which the cells so far have run; False if time is up."""
        if self._judge is not None and not self._judge.alive:
            self._end_judge()
        while not self._deadline.passed:
            if self._learner is not None and self._learner.alive:
                return True
            self._start_learner()
            for index, source in enumerate(self._cells):
                source = self._instead.get(index, source)
                if not source:
                    continue
                ran = self._execute(source, index, again=True)
                if self._second_chance(index, ran) or self._spare(index, ran):
                    self._end_learner()
                    break
        return False

    def _spare(self, index: int, ran: CellResult) -> bool:
        """Whether a cell ended its process or would have; then only a part of it runs again."""
        harmed = ran.status in ("died", "timeout")
        if harmed:
            line = explanations.failing_line(ran.trace)
            once = index not in self._instead
            self._instead[index] = harmless(self._cells[index], line) if once else ""
        return harmed

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
        except LOST as error:
            self._end_learner()  # half of what the cells expect is no place to run them
            raise SandboxError(f"the files could not be placed: {type(error).__name__}") from None

    def _link_up(self) -> None:
        """Have a judge that is connected to the learner's process."""
        if self._judge is None:
            self._judge = self._judges.process(self._budgets, self._seed("the judge's own"))
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
            reply = self._judge.ask(head, self._judge.deadline(SETUP_SECONDS))
        except LOST as error:
            reply = {"said": type(error).__name__}
        if reply.get("verdict") != PASSED:
            raise SandboxError(f"a locked cell does not run in the judge: {reply.get('said')}")

    def _drop_link(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None

    def _end_learner(self) -> None:
        if self._learner is not None:
            self._learner.end()
            self._worked += self._learner.worked()
            self._starved += self._learner.starved()
        self._learner = None
        self._drop_link()

    def _end_judge(self) -> None:
        if self._judge is None:
            return
        self._judge.end()
        self._worked += self._judge.worked()
        self._starved += self._judge.starved()
        self._judge = None
        if self._link is None:
            # The judge held the other end: without it the learner's process ends too, and the cell
            # that happens to run then would be blamed.
            self._end_learner()

    def _execute(self, source: str, place: int, *, again: bool = False) -> CellResult:
        reader = ResultReader(self._reader.room) if again else self._reader
        head = {"op": "cell", "source": source, "limit": reader.room, "store": True}
        head["locked"] = place in self._locked
        try:
            limit = self._learner.deadline(self._budgets.cell_seconds, within=self._deadline)
            said = self._learner.ask(head, limit)
        except TimeoutError:
            return self._stop(reader)
        except (ClosedError, WireError):
            said = {"status": "died"}
        if said.get("status") not in ("died", "memory"):
            return reader.read(said)
        self._end_learner()
        memory = explanations.too_much_memory(self._budgets.memory_bytes / MIB)
        return CellResult(status="died", message=memory if said["status"] == "memory" else "")

    def _stop(self, reader: ResultReader) -> CellResult:
        """Interrupt a cell, and end the process if it does not listen."""
        ran = CellResult(
            status="timeout", message=self._used_up() if self._deadline.used_up else ""
        )
        self._learner.interrupt()
        try:
            after = reader.read(self._learner.answer(self._learner.deadline(_GRACE_SECONDS)))
            ran.outputs, ran.changed, ran.trace = after.outputs, after.changed, after.trace
        except LOST:
            self._end_learner()
        return ran


def _unrun(why: str) -> CellResult:
    return CellResult(status="unrun", message=why)
