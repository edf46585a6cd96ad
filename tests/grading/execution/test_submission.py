"""One submission: its cells under the author's plan, and what is noted of each."""

import json

import pytest
from small_assignment import CELLS, SPEC

from lmcourse.grading.assignment.notebooks import Cell
from lmcourse.grading.execution import submission
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED, TestOutcome
from lmcourse.grading.sandbox.bubblewrap import SandboxError

WHY = TestOutcome(verdict=FAILED, message="too small", hidden=True, seed="f", trace="a secret line")
TEST = Cell(kind="code", source="assert f() == 1", claims={"grade_id": "test_f"})


@pytest.fixture
def graded(monkeypatch):
    """What becomes of cells that ran so, without a sandbox."""

    def grade(outcome=WHY, ran=None, cells=(*CELLS, TEST)):
        class Servers:
            def grade(self, who, cells):
                if isinstance(outcome, Exception):
                    raise outcome
                results = {"test": outcome, "learner": ran or CellResult(status="ok")}
                return [results[cell.kind] for cell in cells]

        monkeypatch.setattr(submission.warm_servers, "kept_for", lambda spec: Servers())
        done = submission.grade(SPEC, "ada", cells)
        return done, json.loads(done.notebook or "{}")

    return grade


def test_the_notebook_keeps_of_an_outcome_what_may_be_shown(graded):
    done, nb = graded()
    assert (done.problem, done.lasting) == ("", True)
    assert nb["metadata"]["lmcourse"]["outcomes"] == {"test_f": WHY.kept()}
    assert "a secret line" not in done.notebook
    (test,) = [cell for cell in nb["cells"] if "nbgrader" in cell["metadata"]]
    assert [(o["ename"], o["evalue"]) for o in test["outputs"]] == [(FAILED, "too small")]


def test_a_cell_that_changes_what_later_ones_find_is_named(graded):
    ran = CellResult(status="ok", changed={"torch.is_grad_enabled()": "False"})
    _, nb = graded(ran=ran, cells=[Cell(kind="code", source="\n torch.set_grad_enabled(False)")])
    assert nb["metadata"]["lmcourse"]["notes"][1:] == [
        "the cell that begins with `torch.set_grad_enabled(False)` leaves"
        " `torch.is_grad_enabled()` at False for all that follows. Tests call answers with the"
        " defaults: write `with torch.no_grad():` where it is needed"
    ]


def test_a_name_that_is_missing_is_explained_by_its_cell(graded):
    missed = TestOutcome(verdict=FAILED, message="`f` is not defined: its cell is missing or so")
    _, nb = graded(missed, ran=CellResult(status="died"))
    message = nb["metadata"]["lmcourse"]["outcomes"]["test_f"]["message"]
    assert message.startswith("`f` is not defined: its cell ended the Python process before")


def test_whoever_opens_the_notebook_reads_of_the_authors_version(graded):
    passed = TestOutcome(verdict=PASSED, fraction=1.0, carried="Graded with the author's `g`.")
    _, nb = graded(passed)
    (test,) = [cell for cell in nb["cells"] if "nbgrader" in cell["metadata"]]
    assert [o["text"] for o in test["outputs"]] == ["Graded with the author's `g`.\n"]
    assert nb["metadata"]["lmcourse"]["outcomes"]["test_f"]["carried"] == passed.carried


def test_doubt_leaves_it_to_a_person_and_tells_what_the_run_said(graded):
    twice = [*CELLS, TEST, TEST]
    for outcome in (WHY, TestOutcome(verdict=PASSED, fraction=1.0, seed="f")):
        done, nb = graded(outcome, cells=twice)
        kept = nb["metadata"]["lmcourse"]["outcomes"]["test_f"]
        assert (kept["verdict"], kept["fraction"], kept["seed"]) == (UNGRADED, 0.0, "f")
        assert kept["message"].endswith(f"2 times; run once, it {outcome.verdict}")
        assert done.lasting  # the same notebook would come to the same


def test_what_could_not_be_graded_here_is_worth_another_try(graded):
    done, _ = graded(TestOutcome(verdict=UNGRADED, message="The judge stopped"))
    assert done.notebook
    assert not done.lasting


@pytest.mark.parametrize(
    ("ran", "words"),
    [
        (CellResult(status="timeout"), "It was stopped after 20 seconds: an endless loop"),
        (CellResult(status="timeout", message="no time is left"), "no time is left"),
        (CellResult(status="died"), "It ended the Python process"),
        (CellResult(status="error", name="KeyError", message="'x'"), "'x'"),
    ],
)
def test_a_cell_that_did_not_end_well_says_why(graded, ran, words):
    _, nb = graded(ran=ran)
    (output,) = nb["cells"][0]["outputs"]
    assert output["evalue"].startswith(words)


def test_without_a_sandbox_there_is_a_problem_and_no_notebook(graded):
    done, _ = graded(SandboxError("no bubblewrap"))
    assert done.problem.startswith("no bubblewrap. Nothing is graded without it, unless you say")
    assert (done.notebook, done.lasting) == ("", False)


@pytest.mark.parametrize("cells", [[], CELLS])
def test_a_notebook_of_another_assignment_is_no_silent_0(graded, cells):
    done, nb = graded(cells=cells)
    kept = nb["metadata"]["lmcourse"]["outcomes"]["test_f"]
    assert (kept["verdict"], kept["fraction"]) == (UNGRADED, 0.0)
    assert kept["message"].startswith("the notebook holds none of the assignment's tasks")
    assert done.lasting
