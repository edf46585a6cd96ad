"""A test that misses a name says what became of the cell that should define it."""

import pytest

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.execution.undefined_names import explained
from lmcourse.grading.outcomes import TestOutcome
from lmcourse.grading.repair.under_plan import MISSING

MISSED = "`f` is not defined: its cell is missing or raised an error"
DEF = "def f(x):\n    return x"


def said(*cells, message=MISSED, verdict="failed"):
    before = [(CodeCell(kind="learner", source=s, name=n), ran) for s, n, ran in cells]
    return explained(TestOutcome(verdict=verdict, message=message), before).message


def ran(status="ok", **more):
    return CellResult(status=status, **more)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([], "no cell above the test defines it. Was it renamed, or deleted?"),
        ([("def g(x): return x  # f = g", "f", ran())], "no cell above the test defines it."),
        ([(f"# {MISSING}", "f", ran())], "its cell was missing from the notebook that was"),
        (
            [("# This cell was left empty: it has 200,001 characters.", "f", ran())],
            "its cell was left empty: it has 200,001 characters.",
        ),
        (
            [(f"1 / 0\n{DEF}", "f", ran("error", name="ZeroDivisionError", message="by zero"))],
            "its cell raised an error.\nZeroDivisionError: by zero",
        ),
        ([(f"while True: pass\n{DEF}", "", ran("timeout"))], "its cell was stopped before it came"),
        ([(f"exit()\n{DEF}", "", ran("died"))], "its cell ended the Python process before"),
        ([(f"{DEF}\ndel f", "", ran())], "its cell runs without an error, but leaves no such"),
        *[
            (
                [(f"{sign}{source}", "", ran("error", name="SyntaxError", message="bad sign"))],
                "its cell raised an error.\nSyntaxError: bad sign",
            )
            for sign in ("\ufeff", "\u200b")
            for source in (DEF, "f = 3")
        ],
        ([("f = 3", "", ran("unrun", message="no time"))], "its cell did not run: no time"),
        ([(DEF, "", ran()), ("class f: pass", "", ran("died"))], "its cell ended the Python"),
    ],
)
def test_the_cause_is_that_of_the_cell(cells, words):
    assert said(*cells).startswith(f"`f` is not defined: {words}")


def test_a_name_that_only_a_test_has_is_called_so():
    before = [(CodeCell(kind="learner", source="def g(x): return f", name="g"), ran())]
    outcome = TestOutcome(verdict="failed", message=MISSED)
    tests = ["assert (", "import f\nassert g(1)"]
    assert "only a test cell has it" in explained(outcome, before, tests).message
    assert "only a test" not in explained(outcome, before, ["import re\nf(1)"]).message


def test_other_messages_stay():
    for message in ("f(2) must be 4", "Name `f` is not defined: x", ""):
        assert said(message=message) == message
    assert said(verdict="ungraded") == MISSED
