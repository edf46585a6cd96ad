"""A notebook whose cells lost their names, as Colab and jupytext lose them: named by their places.

Chapter: book/instructors/collecting.md

What was handed out locked is found again by its text, word for word; what lies between two such
cells is what the learner wrote there. A name found here decides where an answer is shown, to its
learner and to who grades it by hand. Nothing that is locked is ever taken from the notebook.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise

from lmcourse.grading.assignment.notebooks import Cell, essential
from lmcourse.grading.assignment.plan import Planned, as_released, names_defined

FOUND = (
    "the names of the cells were lost, as Colab and jupytext lose them; the cells were found again"
    " by the text that was handed out"
)


@dataclass(frozen=True, kw_only=True)
class _Gap:
    """Answers that stand between two cells of the plan, and the learner's cells at that place."""

    answers: list[Planned]
    cells: range


def with_labels(cells: Sequence[Cell], plan: Sequence[Planned]) -> list[Cell] | None:
    """The cells with the names that they had; None where one has its name still, or none is known.

    Several cells of words in the place of one written answer become one cell.
    """
    names = {planned.name for planned in plan}
    if any(cell.label in names for cell in cells):
        return None
    anchors = _anchors(cells, plan)
    if not anchors:
        return None
    said = {index: plan[place].name for place, index in anchors}
    _label_moved(said, cells, plan)
    found = list(cells)
    joined: set[int] = set()
    for gap in _gaps(anchors, len(cells), plan):
        free = [index for index in gap.cells if index not in said]
        said |= _code_answers(gap.answers, cells, free)
        for planned, own in _written_answers(gap.answers, cells, free):
            said[own[-1]] = planned.name
            found[own[-1]] = replace(cells[own[-1]], source=_joined(cells, own, planned))
            joined.update(own[:-1])
    return [
        replace(cell, claims={"grade_id": said[index]}) if index in said else cell
        for index, cell in enumerate(found)
        if index not in joined
    ]


def _anchors(cells: Sequence[Cell], plan: Sequence[Planned]) -> list[tuple[int, int]]:
    """Locked cells that are there word for word, as places in plan and notebook, in both orders."""
    locked = [place for place, one in enumerate(plan) if one.locked and _text(one)]
    there = [essential(cell.source) for cell in cells]
    matcher = SequenceMatcher(None, [_text(plan[i]) for i in locked], there, autojunk=False)
    return [
        (locked[block.a + step], block.b + step)
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
    ]


def _label_moved(said: dict[int, str], cells: Sequence[Cell], plan: Sequence[Planned]) -> None:
    """Name the locked cells that stand elsewhere than in the release; others are put in order."""
    free = {essential(cell.source): i for i, cell in enumerate(cells) if i not in said}
    for planned in plan:
        if planned.locked and planned.name not in said.values() and _text(planned) in free:
            said[free.pop(_text(planned))] = planned.name


def _gaps(anchors: list[tuple[int, int]], end: int, plan: Sequence[Planned]) -> list[_Gap]:
    bounds = [(-1, -1), *anchors, (len(plan), end)]
    return [
        _Gap(
            answers=[planned for planned in plan[place + 1 : next_place] if not planned.locked],
            cells=range(index + 1, next_index),
        )
        for (place, index), (next_place, next_index) in pairwise(bounds)
    ]


def _code_answers(
    answers: list[Planned], cells: Sequence[Cell], free: Sequence[int]
) -> dict[int, str]:
    """For each answer in code the last cell that defines what it is asked for, or just the last."""
    left = [index for index in free if cells[index].kind == "code"]
    wanted = [planned for planned in answers if planned.kind == "code"]
    found = {}
    for planned in wanted:
        names = _names(planned.source)
        fits = [index for index in left if names & _names(cells[index].source)]
        if fits or (left and len(wanted) == 1):
            index = (fits or left)[-1]
            found[index] = planned.name
            left.remove(index)
    return found


def _written_answers(
    answers: list[Planned], cells: Sequence[Cell], free: Sequence[int]
) -> list[tuple[Planned, list[int]]]:
    """For each written answer its cells, in order; the last one has all that are left."""
    left = [index for index in free if cells[index].kind == "markdown"]
    wanted = [planned for planned in answers if planned.kind == "markdown"]
    found = [(planned, [index]) for planned, index in zip(wanted, left, strict=False)]
    if found:
        found[-1][1].extend(left[len(found) :])
    return found


def _joined(cells: Sequence[Cell], own: Sequence[int], planned: Planned) -> str:
    """The words of several cells, without the text that was there before."""
    written = [index for index in own if essential(cells[index].source) != _text(planned)]
    return "\n\n".join(cells[index].source for index in written or own[:1])


def _text(planned: Planned) -> str:
    return essential(as_released(planned))


def _names(source: str) -> set[str]:
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return names_defined(body)
