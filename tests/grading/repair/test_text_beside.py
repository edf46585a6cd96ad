"""Who writes beside the cell of a written answer has answered it: a person sees what is there."""

from dataclasses import replace

import pytest
from planned_cells import BY_NAME, PLAN, at, code, learners, placed, words

from lmcourse.grading.assignment.notebooks import Cell
from lmcourse.grading.assignment.plan import Planned
from lmcourse.grading.repair.text_beside import why_a_person
from lmcourse.grading.repair.under_plan import repair


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


@pytest.mark.parametrize("name", ["tiny-task-3", "tiny-end"])
def test_an_answer_that_was_merged_with_a_locked_cell_is_seen_by_a_person(name):
    cells = unanswered()
    i = at(cells, name)
    cells[i] = words(f"{cells[i].source}\n\n{ANSWER}", label=name)
    del cells[at(cells, "why")]
    repaired = repair(cells, ENDED)
    assert "why: the answer cell was missing, but there is text where it was: a person decides" in (
        repaired.notes
    )
    [shown] = [each.source for each in repaired.cells if each.beside == ["why"]]
    assert shown.endswith(ANSWER)
    assert "was missing" in why_a_person("why", repaired.notes)
    assert "as it was" in why_a_person("other", repaired.notes)


def test_where_a_written_answer_was_deleted_nobody_is_asked():
    cells = unanswered()
    del cells[at(cells, "why")]
    assert [note for note in repair(cells, ENDED).notes if "why" in note] == [
        "the cell why was missing"
    ]


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
