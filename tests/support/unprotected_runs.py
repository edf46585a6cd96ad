"""Cells run one after the other without the sandbox, each with a second."""

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.execution.unprotected import execute
from lmcourse.grading.sandbox.budgets import Budgets

SHORT = Budgets(cell_seconds=1.0, test_seconds=1.0)


def run(*cells, budgets=SHORT, files=None):
    cells = [
        cell if isinstance(cell, CodeCell) else CodeCell(kind="learner", source=cell)
        for cell in cells
    ]
    return execute(cells, budgets, files)


def checked(source):
    """A test cell."""
    return CodeCell(kind="test", source=source)
