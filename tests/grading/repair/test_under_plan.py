"""The learner's cells under the author's plan: all cases by example, and random damage."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_course import answered, solution

from lmcourse.grading.assignment.notebooks import Cell, parse_cells, read_cells
from lmcourse.grading.assignment.plan import Planned, stated_plan, visible
from lmcourse.grading.repair.cell_names import with_labels
from lmcourse.grading.repair.under_plan import FOREIGN, MISSING, repair

ROOT = Path(__file__).parents[3]
ASSIGNMENTS = sorted(path.name for path in (ROOT / "solutions").iterdir() if path.is_dir())


def author_plan() -> list[Planned]:
    return stated_plan(parse_cells(json.dumps(solution()).encode()))


PLAN = author_plan()
BY_NAME = {planned.name: planned for planned in PLAN}


def learners() -> list[Cell]:
    """A right notebook as it comes back: hidden tests are not in it."""
    cells = parse_cells(json.dumps(answered(solution())).encode())
    return [Cell(kind=c.kind, source=visible(c.source), claims=c.claims) for c in cells]


def at(cells: list[Cell], name: str) -> int:
    return [cell.label for cell in cells].index(name)


def names(repaired) -> list[str | None]:
    return [placed.planned.name if placed.planned else None for placed in repaired.cells]


def placed(repaired, name: str):
    return next(p for p in repaired.cells if p.planned and p.planned.name == name)


def code(source: str, label: str | None = None) -> Cell:
    return Cell(kind="code", source=source, claims={"grade_id": label} if label else {})


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


def words(source: str, kind: str = "markdown", label: str | None = None) -> Cell:
    return Cell(kind=kind, source=source, claims={"grade_id": label} if label else {})


def unanswered() -> list[Cell]:
    """A right notebook whose written answer, the last cell but one, is as it was handed out."""
    cells = learners()
    cells[at(cells, "why")] = words(BY_NAME["why"].source, label="why")
    return [*cells, words("# The end", label="tiny-end")]


ENDED = [*PLAN, Planned(name="tiny-end", kind="markdown", source="# The end", locked=True)]
ANSWER = "Because it is so."


def beside(cells: list[Cell], plan: list[Planned] = ENDED) -> list[str]:
    """What a person sees beside the untouched answer."""
    repaired = repair(cells, plan)
    noted = [note for note in repaired.notes if "text beside it" in note]
    found = [placed.source for placed in repaired.cells if placed.beside == ["why"]]
    assert all(placed.planned is None for placed in repaired.cells if placed.beside)
    assert noted == [
        "why: the answer cell was left as it was, but there is text beside it: a person decides"
    ] * bool(found)
    return found


@pytest.mark.parametrize(
    "extra",
    [
        words(ANSWER),
        words(ANSWER, "raw"),
        words(f"# {ANSWER}", "code"),
        words(f"answer = '{ANSWER}'", "code"),
        words(ANSWER, "code"),
        words("因为", "code"),
        words(ANSWER, label="why2"),
    ],
    ids=lambda cell: f"{cell.kind} {cell.source}",
)
@pytest.mark.parametrize("place", [-2, -1, 11])
def test_an_answer_in_a_cell_of_its_own_is_seen_by_a_person(extra, place):
    """Above the answer cell, below it, and below all that was handed out."""
    cells = unanswered()
    cells.insert(len(cells) + place if place < 0 else place, extra)
    assert beside(cells) == [extra.source]


@pytest.mark.parametrize("name", ["tiny-task-3", "tiny-end"])
def test_an_answer_in_a_locked_text_is_seen_by_a_person(name):
    cells = unanswered()
    i = at(cells, name)
    cells[i] = words(f"{cells[i].source}\n\n{ANSWER}", label=name)
    [shown] = beside(cells)
    assert shown.startswith("*This is what the locked cell above was changed to:*")
    assert shown.endswith(ANSWER)
    assert placed(repair(cells, ENDED), name).source == BY_NAME.get(name, ENDED[-1]).source


def test_an_answer_that_was_too_long_to_read_is_seen_too():
    cells = unanswered()
    long = Cell(kind="markdown", source="", too_long=300_000)
    [shown] = beside([*cells[:-1], long, cells[-1]])
    assert "it has 300,000 characters" in shown


def test_an_untouched_answer_with_nothing_beside_it_waits_for_nobody():
    cells = unanswered()
    assert beside(cells) == []
    copies = [words(BY_NAME["why"].source), words(BY_NAME["tiny-task-3"].source)]
    for quiet in (words(" \n"), code("x = 3\nx + 1"), code(""), *copies):
        assert beside([*cells[:-1], quiet, cells[-1]]) == []
    above = at(cells, "tiny-task-3")
    checks = code("# my own check\nassert square(2) == 4")
    assert beside([*cells[:above], checks, *cells[above:]]) == []  # of the task before
    first = at(cells, "tiny-task-1")
    note = [*cells[: first + 1], words("A note on doubling."), *cells[first + 1 :]]
    assert beside([words("My name is Ada."), *note]) == []
    emptied = [*cells[:-1], words("", label="tiny-end")]
    assert beside(emptied) == []


def test_beside_an_answer_that_was_written_nothing_is_asked():
    cells = unanswered()
    cells[at(cells, "why")] = words(ANSWER, label="why")
    assert beside([*cells[:-1], words("And more."), cells[-1]]) == []


def test_beside_an_untouched_answer_in_code_code_is_enough():
    plan = [replace(p, kind="code", source="# YOUR CODE") if p.name == "why" else p for p in ENDED]
    cells = unanswered()
    cells[at(cells, "why")] = code("# YOUR CODE", "why")
    assert beside([*cells[:-1], code("x = 3"), cells[-1]], plan) == ["x = 3"]
    assert beside(cells, plan) == []


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


def unnamed(cells: list[Cell]) -> list[Cell]:
    """As Colab and jupytext give a notebook back: each cell has its text, and none its name."""
    return [replace(cell, claims={}, source=f"{cell.source}\n") for cell in cells]


def test_a_notebook_that_lost_its_names_keeps_its_words_and_its_answers():
    repaired = repair(unnamed(learners()), PLAN)
    assert names(repaired) == [planned.name for planned in PLAN]
    assert placed(repaired, "why").source == "Because it is so.\n"
    assert "return 2 * x" in placed(repaired, "double").source
    assert len(repaired.notes) == 1
    assert "the names of the cells were lost" in repaired.notes[0]


def test_without_names_cells_of_the_learner_s_own_stay_and_words_are_joined():
    cells = learners()
    cells.insert(at(cells, "double"), code("helper = 1"))
    cells.insert(at(cells, "double") + 1, code("double(3)"))
    cells.insert(0, Cell(kind="markdown", source="My name is Ada."))
    cells.append(Cell(kind="markdown", source="And because of that."))
    repaired = repair(unnamed(cells), PLAN)
    order = names(repaired)
    assert [name for name in order if name] == [planned.name for planned in PLAN]
    i = order.index("double")
    assert [repaired.cells[j].source for j in (i - 1, i + 1)] == ["helper = 1\n", "double(3)\n"]
    words = "Because it is so. And because of that."
    assert " ".join(placed(repaired, "why").source.split()) == words
    assert repaired.cells[0].source == "My name is Ada.\n"


def test_without_names_an_edited_test_a_moved_one_and_a_deleted_answer_are_made_good():
    cells = learners()
    cells[at(cells, "test_double")] = code("print('passed')", "test_double")
    cells.insert(0, cells.pop(at(cells, "test_square")))
    del cells[at(cells, "square")]
    repaired = repair(unnamed(cells), PLAN)
    order = [name for name in names(repaired) if name]
    assert sorted(order) == sorted(BY_NAME)
    assert order.index("square") < order.index("test_square")
    assert "return 2 * x" in placed(repaired, "double").source
    assert placed(repaired, "square").source == f"# {MISSING}"
    assert "print('passed')\n" in [p.source for p in repaired.cells if not p.planned]
    assert [note for note in repaired.notes if "missing" in note] == [
        *("the cell test_double was missing", "the cell square was missing")
    ]


def test_where_one_name_is_left_the_others_are_missing():
    """Somebody who renames a cell says something; who lost all names does not."""
    cells = unnamed(learners())
    cells[1] = replace(cells[1], claims={"grade_id": "setup"})
    assert "the cell double was missing" in repair(cells, PLAN).notes


@pytest.mark.parametrize("which", ["solutions", "exercises"])
@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_each_assignment_of_the_course_is_found_again_without_names(name, which):
    """Answered in full, and as it was handed out."""
    plan = stated_plan(read_cells(ROOT / f"solutions/{name}/{name}.ipynb"))
    cells = read_cells(ROOT / f"{which}/{name}/{name}.ipynb")
    handed_in = [replace(cell, source=visible(cell.source)) for cell in cells]
    repaired = repair(unnamed(handed_in), plan)
    assert names(repaired) == [planned.name for planned in plan]
    assert len(repaired.notes) == 1
    for planned, cell in zip(plan, handed_in, strict=True):
        if planned.solution:
            assert placed(repaired, planned.name).source.rstrip() == cell.source.rstrip()


def text(source: str, kind: str = "markdown") -> Cell:
    return Cell(kind=kind, source=source)


def part(name: str, source: str, kind: str = "markdown", **roles) -> Planned:
    return Planned(name=name, kind=kind, source=source, **roles)


def test_each_cell_gets_its_name():
    assert [cell.label for cell in with_labels(unnamed(learners()), PLAN)] == [p.name for p in PLAN]


@pytest.mark.parametrize("kept", range(3))
def test_where_a_name_is_left_nothing_is_guessed(kept):
    cells = unnamed(learners())
    cells[kept] = replace(cells[kept], claims={"grade_id": PLAN[kept].name})
    assert with_labels(cells, PLAN) is None


@pytest.mark.parametrize("cells", [[], [text("# Notes")], [text("x = 1", "code"), text("")]])
def test_a_notebook_of_something_else_gets_no_names(cells):
    assert with_labels(cells, PLAN) is None


def test_of_several_cells_the_last_that_defines_what_is_asked_for_is_the_answer():
    cells = unnamed(learners())
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
        part("task", "## Task", locked=True),
        part("first", "*Your answer*", solution=True, graded=True),
        part("second", "*Your answer*", solution=True, graded=True),
        part("end", "The end", locked=True),
    ]
    cells = [text("## Task"), text("One"), text("Two"), text("Three"), text("The end")]
    named = {cell.label: cell.source for cell in with_labels(cells, plan)}
    assert (named["first"], named["second"]) == ("One", "Two\n\nThree")
    cells = [text("## Task"), text("*Your answer*"), text("Below it"), text("The end")]
    named = {cell.label: cell.source for cell in with_labels(cells, [*plan[:2], plan[3]])}
    assert named["first"] == "Below it"


def test_words_are_joined_as_far_as_a_cell_is_read_and_without_copies_of_what_was_handed_out():
    plan = [part("task", "## Task", locked=True), part("why", "*Your answer*", solution=True)]
    task, long = text("## Task"), text("y" * 150_000)
    cells = [task, text("One"), task, Cell(kind="markdown", source="", too_long=300_000)]
    named = with_labels(cells, plan)
    assert [cell.label for cell in named] == ["task", "why", None, None]
    assert named[1].source == "One"
    named = with_labels([task, long, long], plan)
    assert [cell.label for cell in named] == ["task", None, "why"]
    (answer,) = (cell for cell in with_labels(cells[2:], plan) if cell.label == "why")
    assert answer.too_long == 300_000


def test_what_stands_before_the_first_and_behind_the_last_is_found_too():
    plan = [part("answer", "pass", "code", solution=True), part("end", "#", locked=True)]
    named = [cell.label for cell in with_labels([text("y = 1", "code"), text("#")], plan)]
    assert named == ["answer", "end"]
    named = [cell.label for cell in with_labels([text("#"), text("y = 1", "code")], plan[::-1])]
    assert named == ["end", "answer"]


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
