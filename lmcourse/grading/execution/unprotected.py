"""A whole notebook, cell by cell: what a cell does to its process costs that cell and no other.

Chapter: book/instructors/index.md
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmcourse.grading.assignment.plan import hidden_from
from lmcourse.grading.execution import explanations
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.execution.kernel import Session, SessionError
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED, TestOutcome
from lmcourse.grading.sandbox.budgets import Limits


@dataclass(frozen=True, kw_only=True)
class Step:
    """A code cell to run.

    Args:
        test: its source stays out of the history, and it is not run again after a restart.
        setup: the author's own imports, which may take longer.
    """

    source: str
    test: bool = False
    setup: bool = False

    def seconds(self, limits: Limits) -> float:
        """How long it may take."""
        if self.setup:
            return limits.setup_seconds
        return limits.test_seconds if self.test else limits.cell_seconds


def execute(
    steps: Sequence[Step],
    limits: Limits,
    files: Path | None = None,
    on_step: Callable[[int], None] = lambda index: None,
) -> list[CellResult]:
    """What became of each step, run in order in one clean process in a folder of its own.

    Args:
        files: a folder whose files (no notebooks) the code finds beside it.
    """
    with tempfile.TemporaryDirectory(prefix="lmcourse-", ignore_cleanup_errors=True) as folder:
        if files is not None:
            ignore = shutil.ignore_patterns("*.ipynb", ".*", "__pycache__")
            shutil.copytree(files, folder, ignore=ignore, dirs_exist_ok=True)
        run = _Run(list(steps), limits, Path(folder))
        try:
            results = []
            for index in range(len(steps)):
                on_step(index)
                results.append(run.step(index))
            return results
        finally:
            run.close()


def outcome_of(ran: CellResult, source: str, limits: Limits) -> TestOutcome:
    """The outcome of the test cell `source` that ran so; warnings and prints change nothing."""
    if ran.status == "ok":
        return TestOutcome(verdict=PASSED, fraction=1.0 if ran.award is None else ran.award)
    if ran.status == "unrun":
        return TestOutcome(verdict=UNGRADED, message=ran.message)
    if ran.status == "timeout":
        why = explanations.timeout(limits.test_seconds, ran.trace)
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
    """The steps so far, and the process that remembers them."""

    def __init__(self, steps: list[Step], limits: Limits, folder: Path):
        self._steps, self._limits, self._folder = steps, limits, folder
        self._session: Session | None = None
        self._harmful: set[int] = set()  # steps that ended the process: never run again
        self._started = time.monotonic()

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None

    def step(self, index: int) -> CellResult:
        try:
            ran = self._attempt(index)
            if ran.status == "died" and self._steps[index].test:
                # An earlier cell may have left something behind that ended the process just now.
                ran = self._attempt(index)
        except SessionError as error:
            self.close()
            return CellResult(status="unrun", message=str(error))
        if ran.status in ("died", "timeout"):
            self._harmful.add(index)
        return ran

    def _attempt(self, index: int) -> CellResult:
        if self._left() <= 0 or not self._ready(index):
            return CellResult(status="unrun", message=self._used_up())
        return self._run(index)

    def _ready(self, index: int) -> bool:
        """A process in which the steps before `index` have run; False if no time was left."""
        while self._session is None and self._left() > 0:
            self._session = Session(self._folder, self._limits)
            for earlier in range(index):
                if self._session is None or self._left() <= 0:
                    break
                if earlier in self._harmful or self._steps[earlier].test:
                    continue
                if self._run(earlier).status in ("died", "timeout"):
                    self._harmful.add(earlier)
        return self._session is not None and self._left() > 0

    def _run(self, index: int) -> CellResult:
        step = self._steps[index]
        own, left = step.seconds(self._limits), self._left()
        ran = self._session.run(step.source, min(own, left), remember=not step.test)
        if ran.status == "timeout" and left < own:  # not its own limit: nobody's failure
            ran = CellResult(status="unrun", message=self._used_up())
        if ran.status == "died" or not self._session.alive:
            self.close()
        return ran

    def _used_up(self) -> str:
        return explanations.used_up(self._limits.total_seconds)

    def _left(self) -> float:
        return self._started + self._limits.total_seconds - time.monotonic()
