"""A notebook whose cells have lost their names gets them back, by the text that was handed out."""

from dataclasses import replace
from pathlib import Path

import pytest
from planned_cells import BY_NAME, PLAN, at, code, learners, names, placed, unnamed

from lmcourse.grading.assignment.notebooks import Cell, read_cells
from lmcourse.grading.assignment.plan import Planned, stated_plan, visible
from lmcourse.grading.repair.cell_names import with_labels
from lmcourse.grading.repair.under_plan import MISSING, repair

ROOT = Path(__file__).parents[3]
ASSIGNMENTS = sorted(path.name for path in (ROOT / "solutions").iterdir() if path.is_dir())


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
