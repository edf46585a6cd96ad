"""A whole notebook, cell by cell: what a cell does to its process costs that cell and no other.

Chapter: book/instructors/index.md
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from lmcourse.grading.assignment.plan import CellKind, CodeCell, hidden_from
from lmcourse.grading.assignment.replay import harmless
from lmcourse.grading.execution import explanations, shared_process
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.execution.kernel import SETUP_SECONDS, Session, SessionError
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED, TestOutcome
from lmcourse.grading.sandbox.budgets import Budgets, Deadline
from lmcourse.grading.withholding.withheld import Withheld

_CLOCK = 5  # times the seconds for the whole notebook, by the clock, restarts included


def execute(
    cells: Sequence[CodeCell],
    budgets: Budgets,
    files: Path | None = None,
    on_cell: Callable[[int], None] = lambda index: None,
    withheld: Withheld | None = None,
) -> list[CellResult]:
    """What became of each cell, run in order in one clean process in a folder of its own.

    Args:
        files: a folder whose files (no notebooks) the code finds beside it.
        withheld: what cells other than tests may not call.
    """
    with tempfile.TemporaryDirectory(prefix="lmcourse-", ignore_cleanup_errors=True) as folder:
        if files is not None:
            ignore = shutil.ignore_patterns("*.ipynb", ".*", "__pycache__")
            shutil.copytree(files, folder, ignore=ignore, dirs_exist_ok=True)
        tests, setups = ([c.source for c in cells if c.kind == k] for k in ("test", "setup"))
        first = shared_process.source(withheld, tests, setups)
        run = _Run(cells, budgets, Path(folder), first)
        try:
            results = []
            for index in range(len(cells)):
                on_cell(index)
                results.append(run.cell(index))
            return results
        finally:
            run.close()


def outcome_of(ran: CellResult, source: str, budgets: Budgets) -> TestOutcome:
    """The outcome of the test cell `source` that ran so; warnings and prints change nothing."""
    if ran.status == "ok":
        return TestOutcome(verdict=PASSED, fraction=1.0 if ran.award is None else ran.award)
    if ran.status == "unrun":
        return TestOutcome(verdict=UNGRADED, message=ran.message)
    if ran.status == "timeout":
        why = explanations.timeout(budgets.test_seconds, ran.trace)
        return TestOutcome(verdict=FAILED, message=why)
    if ran.status == "died":
        return TestOutcome(verdict=FAILED, message=explanations.DIED)
    begin, line = hidden_from(source), explanations.failing_line(ran.trace)
    return TestOutcome(
        verdict=FAILED,
        message=explanations.explain(ran.name, ran.message, ran.trace),
        hidden=begin is not None and line is not None and line > begin,
    )


class _Run:
    """The cells so far, and the process that remembers them."""

    def __init__(self, cells: Sequence[CodeCell], budgets: Budgets, folder: Path, first: str):
        self._cells, self._budgets, self._folder = cells, budgets, folder
        self._first = first  # what each process runs before its cells
        self._total = _CLOCK * budgets.total_seconds
        self._session: Session | None = None
        self._instead: dict[int, str] = {}  # of cells that ended the process, what may run again
        self._deadline = Deadline(self._total)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None

    def cell(self, index: int) -> CellResult:
        try:
            ran = self._attempt(index)
            if ran.status == "died":
                # An earlier cell may have left something behind that ended the process just now.
                ran = self._attempt(index)
        except SessionError as error:
            self.close()
            return CellResult(status="unrun", message=str(error))
        self._spare(index, ran)
        return ran

    def _attempt(self, index: int) -> CellResult:
        if self._deadline.passed or not self._ready(index):
            return CellResult(status="unrun", message=self._used_up())
        return self._run(index)

    def _ready(self, index: int) -> bool:
        """A process in which the cells before `index` have run; False if no time was left."""
        while self._session is None and self._deadline.look(SETUP_SECONDS) > 0:
            self._session = Session(self._folder)
            self._session.run(self._first, SETUP_SECONDS, remember=False)
            for earlier in range(index):
                if self._session is None or self._deadline.passed:
                    break
                source = self._instead.get(earlier, self._cells[earlier].source)
                if source and self._cells[earlier].kind != "test":
                    self._spare(earlier, self._run(earlier, source))
        return self._session is not None and not self._deadline.passed

    def _spare(self, index: int, ran: CellResult) -> None:
        """Of a cell that ended its process, or would have, only a part runs again."""
        if ran.status in ("died", "timeout"):
            source, line = self._cells[index].source, explanations.failing_line(ran.trace)
            once = index not in self._instead
            self._instead[index] = harmless(source, line) if once else ""

    def _run(self, index: int, source: str | None = None) -> CellResult:
        """Run a cell, or what stands for it."""
        cell = self._cells[index]
        ran = self._session.run(
            cell.source if source is None else source,
            self._seconds(cell.kind),
            remember=cell.kind != "test",  # a test's source stays out of the history
            within=self._deadline,
        )
        if ran.status == "timeout" and self._deadline.passed:  # not its own: nobody's failure
            ran = CellResult(status="unrun", message=self._used_up())
        if ran.status == "died" or not self._session.alive:
            self.close()
        return ran

    def _seconds(self, kind: CellKind) -> float:
        """How long a cell may take."""
        if kind == "setup":
            return SETUP_SECONDS
        return self._budgets.test_seconds if kind == "test" else self._budgets.cell_seconds

    def _used_up(self) -> str:
        return explanations.used_up(self._total)
