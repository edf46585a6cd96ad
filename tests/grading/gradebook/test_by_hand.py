"""Which points that a person gave stay decided, and what is said of the others."""

import json
import warnings
from types import SimpleNamespace

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from nbformat import NotebookNode, from_dict

    from lmcourse.grading.gradebook.by_hand import Seen, decided, doubtful, notes, seen_in


def notebook(test: str = "assert x", digest: str = "d") -> NotebookNode:
    claims = {"grade_id": "test_x", "grade": True, "solution": False}
    cell = {"cell_type": "code", "source": test, "metadata": {"nbgrader": claims}}
    ours = {"digest": digest, "asked_again": {"why": "because"}}
    return from_dict({"cells": [cell], "metadata": {"lmcourse": ours}})


def row(name: str, manual: float | None, of: float = 2.0, *, waits: bool = False):
    return SimpleNamespace(name=name, manual_score=manual, max_score=of, needs_manual_grade=waits)


def test_what_was_seen_is_read_back(tmp_path):
    path = tmp_path / "tiny.ipynb"
    path.write_text(json.dumps(notebook()))
    assert seen_in(path) == Seen(digest="d", tests={"test_x": "assert x"}, asked={"why": "because"})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"metadata": 1}', '{"metadata": {"lmcourse": {"digest": 1}}}', "\udc94"],
)
def test_of_a_damaged_notebook_nothing_was_seen(tmp_path, text):
    path = tmp_path / "tiny.ipynb"
    assert seen_in(path) == Seen()
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert seen_in(path) == Seen()


def test_decided_is_what_a_person_saw_as_it_is_now():
    seen = Seen(digest="d")
    rows = [
        *(row("given", 1.0), row("none", None), row("waits", 1.0, waits=True)),
        *(row("too many", 3.0), row("why", 1.0)),
    ]
    assert decided(rows, seen, notebook()) == {"given"}
    assert decided(rows, seen, notebook(digest="other")) == set()
    assert decided(rows, Seen(), notebook(digest="")) == set()


def test_a_changed_test_is_doubtful_until_a_person_has_looked():
    seen = Seen(digest="d", tests={"test_x": "assert x"}, asked={"why": "because"})
    rows = [row("test_x", 1.0), row("why", 1.0), row("why", 1.0, waits=True)]
    assert doubtful(rows, seen, notebook()) == {"why": "because"}
    assert doubtful(rows[:2], seen, notebook("assert x  \n")) == {}
    changed = doubtful(rows[:2], seen, notebook("assert x > 1"))
    assert changed == {"test_x": "its test has changed since"}
    assert doubtful([row("test_x", None)], seen, notebook("assert x > 1")) == {}


@pytest.mark.parametrize(
    ("before", "why"),
    [("other", "another notebook is graded now"), ("", "which notebook that was is not known any")],
)
def test_with_another_notebook_the_row_says_so_until_a_person_has_looked(before, why):
    given = row("why", 1.0)
    found = doubtful([given], Seen(digest=before), notebook())
    assert found["why"].startswith(why)
    waits = row("why", 1.0, waits=True)
    again = doubtful([waits], Seen(digest="d", asked=found), notebook())
    assert again == found
    assert why in notes([waits], again)[0]
    assert doubtful([given], Seen(digest="d", asked=found), notebook()) == {}


def test_notes_name_the_points_and_the_reason():
    rows = [
        *(row("a", 1.0, 0.5), row("b", 2.0, waits=True), row("c", 2.0), row("d", None)),
        row("e", 0.5, waits=True),
    ]
    assert notes(rows, {"b": "its test has changed since", "c": "x", "d": "x"}) == [
        "a: a person gave 1 point, but it gives at most 0.5 now: look at it again",
        "b: a person gave 2 points, but its test has changed since: look at it again",
    ]
