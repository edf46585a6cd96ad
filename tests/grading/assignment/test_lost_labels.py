"""Cells that lost their names get them back by the text that was handed out around them."""

import json
from dataclasses import replace

import pytest
from tiny_course import answered, solution

from lmcourse.grading.assignment.lost_labels import with_labels
from lmcourse.grading.assignment.notebooks import Cell, parse_cells
from lmcourse.grading.assignment.plan import Planned, as_released, stated_plan

PLAN = stated_plan(parse_cells(json.dumps(solution()).encode()))


def unnamed() -> list[Cell]:
    cells = parse_cells(json.dumps(answered(solution())).encode())
    tests = {planned.name: as_released(planned) for planned in PLAN if planned.is_test}
    return [replace(c, claims={}, source=tests.get(c.label, c.source)) for c in cells]


def text(source: str, kind: str = "markdown") -> Cell:
    return Cell(kind=kind, source=source)


def planned(name: str, source: str, kind: str = "markdown", **roles) -> Planned:
    return Planned(name=name, kind=kind, source=source, **roles)


def test_each_cell_gets_its_name():
    assert [cell.label for cell in with_labels(unnamed(), PLAN)] == [p.name for p in PLAN]


@pytest.mark.parametrize("kept", range(3))
def test_where_a_name_is_left_nothing_is_guessed(kept):
    cells = unnamed()
    cells[kept] = replace(cells[kept], claims={"grade_id": PLAN[kept].name})
    assert with_labels(cells, PLAN) is None


@pytest.mark.parametrize("cells", [[], [text("# Notes")], [text("x = 1", "code"), text("")]])
def test_a_notebook_of_something_else_gets_no_names(cells):
    assert with_labels(cells, PLAN) is None


def test_of_several_cells_the_last_that_defines_what_is_asked_for_is_the_answer():
    cells = unnamed()
    at = [p.name for p in PLAN].index("double")
    cells[at : at + 1] = [
        text("def double(x): return x", "code"),
        text("def double(x): return 2 * x", "code"),
        text("double(", "code"),
        text("assert double(1) == 2", "code"),
    ]
    named = {cell.label: cell.source for cell in with_labels(cells, PLAN)}
    assert named["double"] == "def double(x): return 2 * x"


def test_each_of_several_written_answers_in_a_row_has_its_own_words():
    plan = [
        planned("task", "## Task", locked=True),
        planned("first", "*Your answer*", solution=True, graded=True),
        planned("second", "*Your answer*", solution=True, graded=True),
        planned("end", "The end", locked=True),
    ]
    cells = [text("## Task"), text("One"), text("Two"), text("Three"), text("The end")]
    named = {cell.label: cell.source for cell in with_labels(cells, plan)}
    assert (named["first"], named["second"]) == ("One", "Two\n\nThree")
    cells = [text("## Task"), text("*Your answer*"), text("Below it"), text("The end")]
    named = {cell.label: cell.source for cell in with_labels(cells, [*plan[:2], plan[3]])}
    assert named["first"] == "Below it"


def test_what_stands_before_the_first_and_behind_the_last_is_found_too():
    plan = [planned("answer", "pass", "code", solution=True), planned("end", "#", locked=True)]
    named = [cell.label for cell in with_labels([text("y = 1", "code"), text("#")], plan)]
    assert named == ["answer", "end"]
    named = [cell.label for cell in with_labels([text("#"), text("y = 1", "code")], plan[::-1])]
    assert named == ["end", "answer"]
