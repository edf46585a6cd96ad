"""What the instructor sees while a class is graded, and afterwards.

Chapter: book/instructors/index.md
"""

import os
import time
from collections import Counter
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from lmcourse.grading.batch.grade import Grader
from lmcourse.grading.cli.terminal import console, stop_once
from lmcourse.grading.gradebook.results import Class, Result
from lmcourse.grading.reports.class_report import (
    BY_HAND,
    GONE,
    GRADED,
    NOT,
    PARTLY,
    PENDING,
    class_table,
    status,
    task_table,
)

_SAY_EVERY = 30.0  # seconds, where there is no terminal for a bar


class Pace:
    """How fast a run goes, and how long it will take; what was kept from before costs nothing.

    Args:
        total: the submissions.
    """

    def __init__(self, total: int):
        self.total, self.done, self._counted, self._started = total, 0, 0, time.monotonic()

    def count(self, result: Result) -> None:
        """One more is done."""
        self.done += 1
        if not (result.kept or result.problem):
            self._counted += 1
        elif not self._counted:
            self._started = time.monotonic()

    def __str__(self) -> str:
        passed = time.monotonic() - self._started
        if self._counted < 3 or passed <= 0:
            return ""
        rate = self._counted / passed
        return f"{60 * rate:.3g} a minute, {_words((self.total - self.done) / rate)} to go"


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class _PaceColumn(TextColumn):
    def __init__(self, pace: Pace):
        super().__init__("")
        self._pace = pace

    def render(self, task: Task) -> Text:
        return Text(str(self._pace))


def grade_with_progress(grader: Grader) -> tuple[Class, str]:
    """Grade the class under a progress bar, or with a line now and then where there is no terminal.

    After Ctrl-C that is the class as far as it was graded, and a text that says so.
    """
    pace, err = Pace(len(grader.entries)), console(stderr=True)
    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, _PaceColumn(pace), console=err, transient=True, disable=not err.is_terminal
    ) as progress:
        bar, said = progress.add_task("", total=pace.total), time.monotonic()

        def on_done(result: Result) -> None:
            nonlocal said
            pace.count(result)
            progress.update(bar, advance=1)
            if not err.is_terminal and time.monotonic() - said > _SAY_EVERY:
                said = time.monotonic()
                err.print(f"{pace.done} of {pace.total} graded; {pace}".removesuffix("; "))

        try:
            return grader.grade(on_done), ""
        except KeyboardInterrupt:
            stop_once()
            return grader.so_far(), (
                f"stopped: {pace.done} of {pace.total} are graded and in the gradebook; the others"
                " are as they were. Give the same command again: it goes on where this one stopped"
            )


def show(graded: Class, paths: tuple[Path, Path], root: Path) -> None:
    """Two tables, and where everything is."""
    out = console()
    out.print(class_table(graded))
    out.print(task_table(graded))
    words = Counter(status(result) for result in graded.results)
    waiting = words[BY_HAND] + words[PARTLY]
    if graded.unprotected:
        out.print(
            f"NO SANDBOX: {graded.unprotected} of them ran unprotected, with your rights, their"
            " tests in their own process. Such points can be forged.",
            style="bold red",
        )
    lines = [
        f"{len(graded.results) - words[GONE]} submissions: {words[GRADED] + words[BY_HAND]} graded,"
        f" {words[PARTLY]} partly, {words[NOT]} could not be graded.",
        f"scores    {paths[0]}",
        f"          {paths[1]}",
        f"feedback  {graded.output / 'feedback'}{os.sep}<student>{os.sep}{graded.assignment}",
    ]
    if words[PENDING]:
        lines[0] += f" {words[PENDING]} not yet."
    if words[GONE]:
        lines[0] += f" {words[GONE]} in the gradebook are not in the folder now."
    if graded.kept:
        lines[0] += (
            f"\n{graded.kept} of them were graded by an earlier run and kept;"
            " --regrade grades them anew."
        )
    if waiting:
        extra = "" if graded.output == root else f" --output {graded.output}"
        lines += [
            f"by hand   {waiting} wait for you: lmcourse formgrader{extra}",
            f"          then: lmcourse report --assignment {graded.assignment}{extra}",
        ]
    lines += [f"ignored: {line}" for line in graded.ignored]
    for line in lines:
        out.print(line, soft_wrap=True, markup=False)
