"""Why a name that a test asks for is not there: what became of the cell that should define it.

Chapter: book/instructors/index.md
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from lmcourse.grading.assignment.global_names import global_names
from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.execution.explanations import explain
from lmcourse.grading.outcomes import FAILED, TestOutcome

_SAYS = re.compile(r"`(\w+)` is not defined: ")
# Signs without a width that come along when text is pasted; to Python they are an error.
_UNSEEN = r"\ufeff\u200b-\u200f\u2060"
_OURS = "# This cell was "  # what `repair` writes into a cell that holds no answer
_BECAUSE = {
    "timeout": "its cell was stopped before it came to that, because something above never ends or"
    " is far too slow",
    "died": "its cell ended the Python process before it came to that",
    "ok": "its cell runs without an error, but leaves no such name: is the definition below an"
    " `if`, or deleted again?",
}


def explained(
    outcome: TestOutcome,
    before: Sequence[tuple[CodeCell, CellResult | None]],
    tests: Sequence[str] = (),
) -> TestOutcome:
    """The outcome; where a name is not defined, with what became of its cell.

    Args:
        before: the learner's cells above the test, and what they showed.
        tests: the text of all test cells, as far as learners see it.
    """
    found = _SAYS.match(outcome.message) if outcome.verdict == FAILED else None
    if found is None:
        return outcome
    name = found[1]
    return replace(outcome, message=f"{found[0]}{_why(name, before, tests)}")


def _why(
    name: str, before: Sequence[tuple[CodeCell, CellResult | None]], tests: Sequence[str]
) -> str:
    function = rf"^(?:[^\S\n]|[{_UNSEEN}])*(?:(?:async )?def|class) +{name}\b"
    defines = re.compile(rf"{function}|^[{_UNSEEN}]*{name} *[=:]", re.M)
    cells = [(cell, ran) for cell, ran in before if ran and defines.search(cell.source)]
    if not cells:
        emptied = [c.source for c, _ in before if c.name == name and c.source.startswith(_OURS)]
        if emptied:
            return emptied[-1].removeprefix("# ").replace("This cell", "its cell", 1)
        if any(name in names.bound for names in map(global_names, tests) if names):
            return (
                "only a test cell has it, and answers do not see what tests import or define."
                " Import or define it in a cell of your own."
            )
        return "no cell above the test defines it. Was it renamed, or deleted?"
    _, ran = cells[-1]
    if ran.status == "error":
        return f"its cell raised an error.\n{explain(ran.name, ran.message, ran.trace)}"
    return _BECAUSE.get(ran.status) or f"its cell did not run: {ran.message}"
