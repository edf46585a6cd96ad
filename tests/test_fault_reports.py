"""What is told of the faults: scores by origin, and messages that name the cause."""

import fault_reports
import fault_runs
import pytest
from fault_reports import Row, counts, names
from faults import edit


def _row(said, **others):
    usual = {"name": "x", "task": "t", "kind": "wrong", "visible": said, "hidden": ""}
    return Row(**{**usual, **others}, said=said)


@pytest.mark.parametrize(
    ("message", "cause", "whether"),
    [
        ("Did you divide by √D?", "√D", True),
        ("Did you divide by √D?", "scale|divide", True),
        ("It has DTYPE float64, and should have float32", "dtype", True),
        ("float64 came back", "float", True),
        ("unmasked positions are looked at", "mask", False),
        ("Is the softmax over the keys?", "dtype", False),
        ("Is the softmax over the keys?", "the  softmax", True),
        ("seed (3) is wrong", "(3)", True),
        ("seed .3. is wrong", "(3)", False),
    ],
)
def test_a_cause_is_named_by_one_of_its_words(message, cause, whether):
    assert names(message, cause) is whether


def test_only_a_caught_fault_with_a_stated_cause_is_judged():
    assert _row("says dtype", cause="dtype").named is True
    assert _row("says shape", cause="dtype").named is False
    assert _row("says shape").named is None
    assert _row("", cause="dtype").named is None
    assert _row("says shape", cause="dtype", kind="right").named is None


def test_scores_are_counted_by_origin_and_causes_among_the_caught():
    rows = [
        _row("says dtype", cause="dtype"),
        _row("says shape", cause="dtype"),
        _row("says shape"),
        _row("", cause="dtype"),
        _row("says dtype", cause="dtype", origin="blind"),
        _row("", origin="blind"),
    ]
    assert counts(rows) == {
        "own": {"caught": 3, "wrong": 4},
        "blind": {"caught": 1, "wrong": 2},
        "causes": {"named": 2, "stated": 3, "unstated": 1},
    }


def test_the_message_is_that_of_the_first_test_cell_that_failed():
    outcome = fault_runs.Outcome(
        visible={"core": "", "edges": "edges, visible"}, hidden={"core": "core", "edges": ""}
    )
    answer = edit("x", "t", "", cause="core", origin="blind")
    row = fault_reports.row(answer, "wrong", outcome)
    assert (row.said, row.visible, row.hidden) == ("core", "edges, visible", "core")
    assert (row.origin, row.named) == ("blind", True)


def test_a_cause_is_looked_for_before_the_figures():
    hint = "raise AssertionError('Is the scale\\nright?\\n\\nThe dtype is float64')"
    assert fault_runs.execute(hint, {}) == "AssertionError: Is the scale right?"
    assert fault_runs.execute("raise KeyError('a  b')", {}) == "KeyError: 'a b'"
    assert fault_runs.execute("1", {}) == ""


def test_shares_of_nothing_have_no_percentage():
    assert fault_reports.summary([]) == [
        "own faults: 0 of 0 caught",
        "blind faults: 0 of 0 caught",
        "causes: 0 of 0 messages name the cause stated; 0 caught faults state none",
        "mutation score: 0 of 0",
    ]
