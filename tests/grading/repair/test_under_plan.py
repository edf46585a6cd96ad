"""The learner's cells under the author's plan: all cases by example, and random damage."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_cells import BY_NAME, PLAN, at, code, learners, names, placed, unnamed, words
from tiny_course import answered, solution

from lmcourse.grading.assignment.notebooks import Cell, parse_cells
from lmcourse.grading.assignment.plan import visible
from lmcourse.grading.repair.under_plan import FOREIGN, MISSING, repair


def test_an_untouched_notebook_needs_no_repair():
    repaired = repair(learners(), PLAN)
    assert names(repaired) == [planned.name for planned in PLAN]
    assert (repaired.notes, repaired.doubtful) == ([], {})


def test_a_name_of_the_learners_own_is_one_line_that_moves_nothing():
    """Notes are read on a terminal, by plain nbgrader as it logs them."""
    name = "\x1b[2Jx\r\nall is well\u202e" + "y" * 1_000
    extra = Cell(kind="code", source="", claims={"grade_id": name}, too_long=300_000)
    [note] = repair([*learners(), extra], PLAN).notes
    assert note.startswith(r"the cell \x1b[2Jx\r\nall is well\u202eyyy")
    assert note.isprintable()
    assert len(note) < 300


def test_a_cell_that_was_too_long_to_read_is_named_and_says_so_itself():
    raw = answered(solution())["cells"]
    long = "x = '" + "y" * 200_000 + "'"
    for cell in raw:
        if cell["metadata"]["nbgrader"]["grade_id"] in ("double", "why"):
            cell["source"] = long
    raw.insert(0, {"cell_type": "code", "metadata": {}, "source": long})
    cells = parse_cells(json.dumps({"cells": raw}).encode())
    repaired = repair([replace(c, source=visible(c.source)) for c in cells], PLAN)
    said = (
        "was left empty: it has 200,006 characters, and a cell is read up to 200,000."
        " Shorten what was pasted into it"
    )
    assert repaired.notes == [f"the cell {which} {said}" for which in ("number 1", "double", "why")]
    assert placed(repaired, "double").source == f"# This cell {said}."
    assert placed(repaired, "why").source == f"*This cell {said}.*"


def test_hidden_tests_come_back_and_edited_locked_cells_too():
    cells = learners()
    cells[at(cells, "test_double")] = code("pass", "test_double")
    cells[at(cells, "setup")] = code("import nothing", "setup")
    repaired = repair(cells, PLAN)
    assert "SECRET" in placed(repaired, "test_double").source
    assert "SECRET" not in visible(BY_NAME["test_double"].source)
    assert placed(repaired, "setup").source == "import math"
    assert [note for note in repaired.notes if "edited" in note] == repaired.notes
    assert len(repaired.notes) == 2


def test_answers_are_never_touched():
    cells = learners()
    cells[at(cells, "double")] = code("def double(x): return 'mine'", "double")
    assert placed(repair(cells, PLAN), "double").source == "def double(x): return 'mine'"


def test_a_missing_test_comes_back_before_the_next_task_behind_helpers():
    cells = learners()
    del cells[at(cells, "test_double")]
    cells.insert(at(cells, "tiny-task-2"), code("helper = 1"))
    repaired = repair(cells, PLAN)
    i = names(repaired).index("test_double")
    assert repaired.cells[i - 1].source == "helper = 1"
    assert names(repaired)[i + 1] == "tiny-task-2"


def test_a_missing_answer_comes_back_without_code():
    cells = learners()
    cells[at(cells, "double")] = code("def double(x): return 2 * x", "renamed")
    repaired = repair(cells, PLAN)
    assert placed(repaired, "double").source == f"# {MISSING}"
    assert "def double(x): return 2 * x" in [p.source for p in repaired.cells if not p.planned]


def test_of_two_answers_the_written_one_counts_and_the_blank_copy_goes():
    cells = learners()
    blank = code(BY_NAME["double"].source, "double")
    cells.insert(at(cells, "double") + 1, blank)
    repaired = repair(cells, PLAN)
    assert placed(repaired, "double").source == learners()[at(learners(), "double")].source
    assert blank.source not in [p.source for p in repaired.cells]


def test_two_different_answers_both_run_in_their_order():
    cells = learners()
    cells.insert(at(cells, "double"), code("x = 1", "double"))
    repaired = repair(cells, PLAN)
    i = names(repaired).index("double")
    assert (repaired.cells[i - 1].source, repaired.cells[i - 1].planned) == ("x = 1", None)


def test_a_doubled_test_runs_once_and_asks_for_a_person():
    cells = learners()
    cells.insert(0, cells[at(cells, "test_double")])
    repaired = repair(cells, PLAN)
    assert names(repaired).count("test_double") == 1
    assert len(repaired.cells) == len(PLAN)
    assert repaired.doubtful == {"test_double": "the notebook holds this test cell 2 times"}


def test_a_doubled_text_or_setup_asks_for_nobody():
    cells = learners()
    cells += [cells[at(cells, "setup")], cells[at(cells, "tiny-task-1")]]
    repaired = repair(cells, PLAN)
    assert repaired.doubtful == {}
    assert names(repaired) == [planned.name for planned in PLAN]


def test_kinds_are_restored():
    cells = learners()
    for name, kind in (("double", "markdown"), ("test_double", "raw"), ("why", "code")):
        i = at(cells, name)
        cells[i] = Cell(kind=kind, source=cells[i].source, claims=cells[i].claims)
    repaired = repair(cells, PLAN)
    kinds = {p.planned.name: p.kind for p in repaired.cells if p.planned}
    assert kinds == {planned.name: planned.kind for planned in PLAN}


SHARED = [code("import math", "setup"), code("def double(x): return 3", "double")]


@pytest.mark.parametrize(
    "cells",
    [[], [code("x = 1")], [code("x = 1", "other"), words("# Another one")], SHARED],
    ids=["empty", "garbage", "another one", "another one with a name in common"],
)
def test_a_notebook_with_none_of_the_tasks_waits_for_a_person(cells):
    repaired = repair(cells, PLAN)
    assert repaired.notes[0] == FOREIGN
    assert not [note for note in repaired.notes if "was missing" in note]
    assert repaired.doubtful == {p.name: FOREIGN for p in PLAN if p.is_test}
    assert {p.planned.name for p in repaired.cells if p.planned} == set(BY_NAME)


def test_a_notebook_with_one_task_or_with_the_answers_alone_is_the_assignments():
    cells = learners()
    for kept in (["tiny-task-2"], ["test_square"], ["double", "square"]):
        repaired = repair([cell for cell in cells if cell.label in kept], PLAN)
        assert (FOREIGN in repaired.notes, repaired.doubtful) == (False, {})
        assert "the cell why was missing" in repaired.notes


def test_a_test_above_its_answer_moves_below_and_a_late_setup_to_the_top():
    cells = learners()
    cells.insert(0, cells.pop(at(cells, "test_square")))
    cells.append(cells.pop(at(cells, "setup")))
    order = names(repair(cells, PLAN))
    assert order.index("setup") < order.index("double")
    assert order.index("test_square") > order.index("square")


def test_points_and_roles_are_the_plans_whatever_is_claimed():
    cells = learners()
    i = at(cells, "test_double")
    cells[i].claims.update(points=400, grade=False, solution=True, locked=False)
    own = placed(repair(cells, PLAN), "test_double").planned
    assert (own.points, own.is_test, own.locked) == (2.0, True, True)


DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(["delete", "double", "move", "relabel", "edit", "extra"]),
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(DAMAGE, st.booleans())
def test_after_any_damage_the_plan_holds(damage, names_lost):
    """Every planned cell once, locked texts the author's, tests behind the answers above them."""
    cells = learners()
    for kind, i, j in damage:
        if not cells:
            break
        i, j = i % len(cells), j % len(cells)
        if kind == "delete":
            del cells[i]
        elif kind == "double":
            cells.insert(j, cells[i])
        elif kind == "move":
            cells.insert(j, cells.pop(i))
        elif kind == "relabel":
            cells[i] = code(cells[i].source, cells[j].label)
        elif kind == "edit":
            cells[i] = Cell(kind="code", source=f"edited = {j}", claims=cells[i].claims)
        else:
            cells.insert(i, code(f"extra = {j}"))
    if names_lost:
        cells = unnamed(cells)
    repaired = repair(cells, PLAN)
    order = names(repaired)
    for planned in PLAN:
        assert order.count(planned.name) == 1
        own = placed(repaired, planned.name)
        assert own.kind == planned.kind
        if planned.locked:
            assert own.source == planned.source
    for test, answers in (("test_double", ["double"]), ("test_square", ["double", "square"])):
        assert all(order.index(test) > order.index(answer) for answer in answers)
    assert order.index("setup") < min(order.index("double"), order.index("square"))
    for cell in cells:  # no line of the learner's own is lost
        if cell.source.startswith(("extra", "edited")) and cell.label not in BY_NAME:
            assert any(cell.source in p.source for p in repaired.cells)


@pytest.mark.parametrize("name", [planned.name for planned in PLAN if planned.solution])
def test_a_deleted_answer_is_noted(name):
    cells = learners()
    del cells[at(cells, name)]
    assert repair(cells, PLAN).notes == [f"the cell {name} was missing"]
