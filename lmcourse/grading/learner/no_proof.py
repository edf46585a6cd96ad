"""Tests that hold and prove nothing, since the grader runs the answers without what helped them.

Chapter: book/setup.md
"""

import re

from lmcourse.grading.assignment.global_names import of_tests_alone
from lmcourse.grading.assignment.notebooks import Cell
from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.learner.task_report import State, TaskReport

_IN_LOCKED = (
    "The answer cell of this task is missing or as it was handed out, and there is code of yours in"
    " the locked cell {cell}: the grader replaces that by its own text, and an answer there does"
    " not count. Move it into the answer cell, or into a cell of its own."
)
_OF_TESTS = (
    "The {cell} uses {names}, which only a test cell has: in the grader an answer does not see what"
    " tests import or define. Import or define it in a cell of your own."
)
_DEFINES = re.compile(r"^(?:async def|def|class)\s", re.M)


def answers_in_locked(
    verdicts: list[TaskReport], cells: list[Cell], edited: set[str], untouched: set[str | None]
) -> None:
    """Tests that hold prove nothing where the answer seems to stand in a locked cell.

    That is where the task's own cell holds none, nor any extra cell, and a locked cell was edited
    and defines something.

    Args:
        edited: the locked cells whose text is not the one that was handed out.
        untouched: the cells whose text is.
    """
    found = [c.label for c in cells if c.label in edited and _DEFINES.search(c.source)]
    if not found or any(not c.label and _DEFINES.search(c.source) for c in cells):
        return
    for verdict in verdicts:
        own = [cell.name for cell in verdict.task.cells if cell.solution and cell.kind == "code"]
        if verdict.state == State.HOLDS and all(name in untouched for name in own):
            verdict.state, verdict.awarded, verdict.partly = State.FAILS, {}, False
            verdict.causes.append(_IN_LOCKED.format(cell=found[0]))


def names_of_tests(
    verdicts: list[TaskReport], cells: list[CodeCell], titles: list[str]
) -> list[str]:
    """Answers that hold by names of the tests do not hold; for other cells the warnings.

    Args:
        titles: how to find each cell.
    """
    told = []
    for cell, title, names in zip(cells, titles, of_tests_alone(cells), strict=True):
        if names:
            used = ", ".join(f"`{name}`" for name in sorted(names))
            said = _OF_TESTS.format(cell=title, names=used)
            owners = [v for v in verdicts if cell.name in {one.name for one in v.task.cells}]
            told += [] if cell.name and owners else [said]
            for verdict in owners if cell.name else ():
                if verdict.state == State.HOLDS:
                    verdict.state, verdict.awarded, verdict.partly = State.FAILS, {}, False
                verdict.causes.append(said)
    return told
