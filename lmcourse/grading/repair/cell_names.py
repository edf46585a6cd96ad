"""Names of cells that were lost on the way are found again by the text that was handed out.

Chapter: book/instructors/index.md

Colab and jupytext lose the names of cells. Then what was handed out locked is found by its text,
word for word, and what lies between two such cells is what the learner wrote there. A name that is
found so decides where an answer is shown; nothing that is locked is ever taken from the notebook.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise

from lmcourse.grading.assignment.notebooks import Cell, essential
from lmcourse.grading.assignment.plan import Planned
from lmcourse.grading.repair.placed import released_text, verbatim
from lmcourse.grading.sandbox.budgets import CELL_CHARS

_DEFINED = re.compile(
    r"^(?:async[ \t]+def|def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE
)
FOUND_BY_TEXT = (
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
    handed_out = {released_text(planned) for planned in plan if planned.locked}
    copies = {i for i, cell in enumerate(cells) if essential(cell.source) in handed_out}
    found, joined = list(cells), set[int]()
    for gap in _gaps(anchors, len(cells), plan):
        free = [index for index in gap.cells if index not in said and index not in copies]
        said |= _code_answers(gap.answers, cells, free)
        for planned, own in _written_answers(gap.answers, cells, free):
            said[own[-1]] = planned.name
            words = _joined(cells, own, planned)
            named = [name for index in own for name in cells[index].pictures]
            if len(words) <= CELL_CHARS and len(named) == len({*named}):  # as one cell has them
                pictures = {name: p for index in own for name, p in cells[index].pictures.items()}
                found[own[-1]] = replace(cells[own[-1]], source=words, pictures=pictures)
                joined.update(own[:-1])
    return [
        replace(cell, claims={"grade_id": said[index]}) if index in said else cell
        for index, cell in enumerate(found)
        if index not in joined
    ]


def _anchors(cells: Sequence[Cell], plan: Sequence[Planned]) -> list[tuple[int, int]]:
    """Locked cells that are there word for word, as places in plan and notebook, in both orders."""
    locked = [place for place, one in enumerate(plan) if one.locked and released_text(one)]
    there = [essential(cell.source) for cell in cells]
    matcher = SequenceMatcher(None, [released_text(plan[i]) for i in locked], there, autojunk=False)
    return [
        (locked[block.a + step], block.b + step)
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
    ]


def _label_moved(said: dict[int, str], cells: Sequence[Cell], plan: Sequence[Planned]) -> None:
    """Name the locked cells that stand elsewhere than in the release; others are put in order."""
    free = {essential(cell.source): i for i, cell in enumerate(cells) if i not in said}
    for planned in plan:
        if planned.locked and planned.name not in said.values() and released_text(planned) in free:
            said[free.pop(released_text(planned))] = planned.name


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
    defined = {index: _names(cells[index].source) for index in left if wanted}
    found = {}
    for planned in wanted:
        names = _names(planned.source)
        fits = [index for index in left if names & defined[index]]
        if fits or (left and len(wanted) == 1):
            index = (fits or left)[-1]
            found[index] = planned.name
            left.remove(index)
    return found


def _written_answers(
    answers: list[Planned], cells: Sequence[Cell], free: Sequence[int]
) -> list[tuple[Planned, list[int]]]:
    """For each written answer its cells, in order; the last one has all that are left."""
    words = [index for index in free if cells[index].kind == "markdown"]
    left = [index for index in words if not cells[index].problem] or words
    wanted = [planned for planned in answers if planned.kind == "markdown"]
    found = [(planned, [index]) for planned, index in zip(wanted, left, strict=False)]
    if found:
        found[-1][1].extend(left[len(found) :])
    return found


def _joined(cells: Sequence[Cell], own: Sequence[int], planned: Planned) -> str:
    """The words of several cells, without the text that was there before."""
    written = [index for index in own if not verbatim(cells[index], planned)]
    return "\n\n".join(cells[index].source for index in written or own[:1])


def _names(source: str) -> set[str]:
    """What a cell defines at its top level, as far as lines tell: nothing of it is parsed here."""
    return {name for found in _DEFINED.findall(source) for name in found if name}
