"""What the instructor sees while a class is graded, and afterwards.

Chapter: book/instructors/index.md
"""

import os
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lmcourse.grading.grade import Class, Grader
from lmcourse.grading.jobs import Result
from lmcourse.grading.report import BY_HAND, GRADED, NOT, PARTLY, class_table, status, task_table


class StoppedError(Exception):
    """Ctrl-C: the message says what stands."""


def console(*, stderr: bool = False) -> Console:
    """A console of the terminal's width, or of a fixed one where the output goes to a file."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 110, highlight=False)


def grade_with_progress(grader: Grader) -> Class:
    """Grade the class under a progress bar.

    Raises:
        StoppedError: somebody pressed Ctrl-C.
    """
    columns = (
        TextColumn("grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    done = 0
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(grader.submissions))

        def on_done(result: Result) -> None:
            nonlocal done
            done += 1
            progress.update(bar, advance=1)

        try:
            return grader.grade(on_done)
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped: {done} of {len(grader.submissions)} are graded and in the gradebook,"
                " the others are as they were; give the same command again to grade all"
            ) from None


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
        f"{len(graded.results)} submissions: {words[GRADED] + words[BY_HAND]} graded,"
        f" {words[PARTLY]} partly, {words[NOT]} could not be graded.",
        f"scores    {paths[0]}",
        f"          {paths[1]}",
        f"feedback  {graded.output / 'feedback'}{os.sep}<student>{os.sep}{graded.assignment}",
    ]
    if waiting:
        extra = "" if graded.output == root else f" --output {graded.output}"
        lines += [
            f"by hand   {waiting} wait for you: lmcourse formgrader{extra}",
            f"          then: lmcourse report --assignment {graded.assignment}{extra}",
        ]
    for line in lines:
        out.print(line, soft_wrap=True, markup=False)
