"""A learner's cells put back under the author's plan; what was done to locked ones is undone.

Chapter: book/instructors/index.md

Colab and jupytext lose the names of cells. Then what was handed out locked is found by its text,
word for word, and what lies between two such cells is what the learner wrote there. A name that is
found so decides where an answer is shown; nothing that is locked is ever taken from the notebook.

Who leaves the cell of a written answer as it was, and writes beside it, has answered all the same:
then a person decides, and sees what stands there.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from itertools import pairwise

from lmcourse.grading.assignment.handed_in import shown
from lmcourse.grading.assignment.notebooks import Cell, essential
from lmcourse.grading.assignment.plan import Planned, as_released, tasks
from lmcourse.grading.sandbox.budgets import CELL_CHARS

_NAME = 80  # characters of a name that the learner's notebook gives to a cell
FOREIGN = "the notebook holds none of the assignment's tasks: is it another one's, or empty?"
MISSING = "This cell was missing from the notebook that was handed in."

BESIDE = "the answer cell was left as it was, but there is text beside it"
EDITED = "This is what the locked cell above was changed to"
# Words in a cell of code: a comment, a string, another script than Latin, or three in a row.
_WORDS = re.compile(r"""[#'"]|[^\x00-\x7f]|[a-z]+(?:[ ,]+[a-z]+){2}""", re.IGNORECASE)

_DEFINED = re.compile(
    r"^(?:async[ \t]+def|def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE
)
FOUND_BY_TEXT = (
    "the names of the cells were lost, as Colab and jupytext lose them; the cells were found again"
    " by the text that was handed out"
)


@dataclass(kw_only=True, eq=False)
class Placed:
    """A cell of the repaired notebook; without `planned` it is an extra cell of the learner's.

    Args:
        edited: what the learner made of a locked cell's text; None if nothing.
        beside: the untouched answers beside which it stands; a person reads it with them.
        pictures: pasted into its text, or into the learner's version of it.
    """

    kind: str
    source: str
    planned: Planned | None = None
    edited: str | None = None
    beside: list[str] = field(default_factory=list)
    pictures: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Repaired:
    """The notebook as it will be run, what was mended, and the tests that a person must see."""

    cells: list[Placed]
    notes: list[str] = field(default_factory=list)
    doubtful: dict[str, str] = field(default_factory=dict)


def repair(cells: Sequence[Cell], plan: Sequence[Planned]) -> Repaired:
    """The learner's cells in order, each planned cell exactly once, each locked text restored.

    Args:
        plan: in the order of the release.
    """
    repaired = Repaired(cells=[])
    if (found := with_labels(cells, plan)) is not None:
        cells = found
        repaired.notes.append(FOUND_BY_TEXT)
    chosen = {p.name: _choose(p, cells, repaired) for p in plan}
    foreign = not _is_of(plan, cells, chosen)
    place_of = {index: name for name, index in chosen.items() if index is not None}
    planned = {p.name: p for p in plan}
    for index, cell in enumerate(cells):
        for said in filter(None, (cell.problem, cell.left_out)):
            which = shown(cell.label)[:_NAME] if cell.label else f"number {index + 1}"
            repaired.notes.append(f"the cell {which} {shown(said)}")
        if index in place_of:
            repaired.cells.append(_restore(cell, planned[place_of[index]], repaired))
        elif cell.label not in planned or not _verbatim(cell, planned[cell.label]):
            unread = _comment(cell.kind, f"This cell {cell.problem}.")
            source = unread if cell.problem else cell.source
            repaired.cells.append(Placed(kind=cell.kind, source=source, pictures=cell.pictures))
    for p in plan:
        if chosen[p.name] is None:
            _insert(p, plan, repaired)
    _order(plan, repaired)
    if foreign:
        missed = {f"the cell {p.name} was missing" for p in plan}
        repaired.notes[:] = [note for note in repaired.notes if note not in missed]
        repaired.notes.insert(0, FOREIGN)
        repaired.doubtful = {p.name: FOREIGN for p in plan if p.is_test}
    _note_text_beside(plan, repaired)
    return repaired


def _is_of(
    plan: Sequence[Planned], cells: Sequence[Cell], chosen: Mapping[str, int | None]
) -> bool:
    """Whether the cells are the assignment's: a text or a test to the letter, or half its answers.

    A name alone says little: other assignments, too, have a `setup` and perhaps a `loop`.
    """
    there = {essential(cell.source) for cell in cells}
    told = [_text(p) for p in plan if p.is_test or (p.locked and p.kind == "markdown")]
    if any(text and text in there for text in told):
        return True
    answers = [p.name for p in plan if p.solution or p.task]
    found = [name for name in answers if chosen[name] is not None]
    return bool(found) and 2 * len(found) >= len(answers)


def _verbatim(cell: Cell, planned: Planned) -> bool:
    return essential(cell.source) == _text(planned)


def _choose(planned: Planned, cells: Sequence[Cell], repaired: Repaired) -> int | None:
    """Which of the cells that claim this name is the one; the others are extra cells, or dropped
    where they are only the text that was handed out."""
    copies = [index for index, cell in enumerate(cells) if cell.label == planned.name]
    if len(copies) < 2:
        return copies[0] if copies else None
    times = f"{len(copies)} times"
    repaired.notes.append(f"the cell {planned.name} was there {times}")
    if planned.is_test:
        repaired.doubtful[planned.name] = f"the notebook holds this test cell {times}"
        return copies[-1]
    if planned.locked:
        return copies[0]
    written = [index for index in copies if not _verbatim(cells[index], planned)]
    return (written or copies)[-1]


def _restore(cell: Cell, planned: Planned, repaired: Repaired) -> Placed:
    if cell.kind != planned.kind:
        repaired.notes.append(f"the cell {planned.name} was of kind {cell.kind}")
    if not planned.locked:
        # To the letter, where nothing was written: nbgrader knows a blank answer by its checksum.
        source = planned.source if _verbatim(cell, planned) else cell.source
        if cell.problem:
            source = _comment(planned.kind, f"This cell {cell.problem}.")
        return Placed(kind=planned.kind, source=source, planned=planned, pictures=cell.pictures)
    own = Placed(kind=planned.kind, source=planned.source, planned=planned)
    if not _verbatim(cell, planned):
        repaired.notes.append(f"the locked cell {planned.name} was edited; its own text was used")
        own.edited = f"This cell {cell.problem}." if cell.problem else cell.source
        own.pictures = cell.pictures
    return own


def _insert(planned: Planned, plan: Sequence[Planned], repaired: Repaired) -> None:
    """Put a missing cell in front of the next cell of the release that is there.

    A missing answer comes back without code: it may stand in a cell of another name.
    """
    repaired.notes.append(f"the cell {planned.name} was missing")
    source = planned.source
    if not planned.locked:
        source = _comment(planned.kind, MISSING)
    rank = [p.name for p in plan].index(planned.name)
    where = _positions(repaired)
    after = max((where[p.name] for p in plan[:rank] if p.name in where), default=-1)
    later = [where[p.name] for p in plan[rank + 1 :] if where.get(p.name, -1) > after]
    index = min(later, default=len(repaired.cells))
    repaired.cells.insert(index, Placed(kind=planned.kind, source=source, planned=planned))


def _comment(kind: str, text: str) -> str:
    """What stands in a cell that holds no answer."""
    return f"# {text}" if kind == "code" else f"*{text}*"


def _order(plan: Sequence[Planned], repaired: Repaired) -> None:
    """A test runs after every answer that stands above it in the release, the setup before all."""
    for rank, planned in enumerate(plan):
        if not planned.locked or planned.kind != "code":
            continue
        where = _positions(repaired)
        at = where[planned.name]
        if planned.is_test:
            answers = [where[p.name] for p in plan[:rank] if p.solution and p.kind == "code"]
            goal = max(answers, default=at)
            wrong = at < goal
        else:
            goal = min((where[p.name] for p in plan[rank + 1 :] if p.kind == "code"), default=at)
            wrong = at > goal
        if wrong:
            repaired.notes.append(f"the locked cell {planned.name} had been moved")
            repaired.cells.insert(goal, repaired.cells.pop(at))


def _note_text_beside(plan: Sequence[Planned], repaired: Repaired) -> None:
    """Mark what stands beside untouched answers, and show what was written into locked cells."""
    untouched = {
        placed.planned.name
        for placed in repaired.cells
        if placed.planned
        and placed.planned.by_hand
        and placed.planned.solution
        and placed.source == placed.planned.source
    }
    found = text_beside(repaired.cells, plan, untouched)
    for name, cells in found.items():
        repaired.notes.append(f"{name}: {BESIDE}: a person decides")
        for placed in cells:
            placed.beside.append(name)
    for placed in [placed for placed in repaired.cells if placed.planned and placed.beside]:
        # Words, whatever kind it was: what is not the learner's own cell does not run.
        kind = "markdown" if placed.kind == "markdown" else "raw"
        source = f"*{EDITED}:*\n\n{placed.edited}"
        own = Placed(kind=kind, source=source, beside=placed.beside, pictures=placed.pictures)
        placed.beside, placed.pictures = [], {}
        repaired.cells.insert(repaired.cells.index(placed) + 1, own)


def text_beside(
    cells: Sequence[Placed], plan: Sequence[Planned], answers: Collection[str]
) -> dict[str, list[Placed]]:
    """The learner's text around each of these answers, if there is any, in the answers' order.

    That is the text in extra and in edited locked cells, up to the next answer or test of another
    and up to the next task; and at the end of the notebook, where some collect what they write.
    """
    first = {task.cells[0].name for task in tasks(plan)}
    own_text = {_text(planned) for planned in plan}
    bounds = [
        index
        for index, one in enumerate(cells)
        if one.planned and (one.planned.solution or one.planned.graded or one.planned.task)
    ]
    last = max((index for index, one in enumerate(cells) if one.planned), default=-1)
    heads = [i for i, one in enumerate(cells) if one.planned and one.planned.name in first]
    found = {}
    for at, answer in enumerate(cells):
        if not answer.planned or answer.planned.name not in answers:
            continue
        begin = max((index for index in bounds if index < at), default=-1)
        heading = max((index for index in heads if begin < index < at), default=begin)
        end = min((index for index in [*bounds, *heads] if index > at), default=len(cells))
        near = {*range(begin + 1, end), *range(last + 1, len(cells))}
        if end < len(cells) and cells[end].kind == "markdown":
            near.add(end)
        said = [
            one
            for index, one in enumerate(cells)
            if index in near
            and _says(one, own_text, code=answer.kind == "code", after_heading=index > heading)
        ]
        if said:
            found[answer.planned.name] = said
    return found


def _says(placed: Placed, own_text: Collection[str], *, code: bool, after_heading: bool) -> bool:
    """Whether a learner wrote something there that may be an answer.

    Args:
        own_text: what was handed out, of which a copy says nothing.
        code: the answer is code, so that code without words may be one.
        after_heading: it stands below the question; above it, code belongs to the task before.
    """
    if placed.planned:
        return bool(placed.edited and placed.edited.strip())
    text = essential(placed.source)
    if not text.strip() or text in own_text:
        return False
    return placed.kind != "code" or (after_heading and (code or bool(_WORDS.search(text))))


def _positions(repaired: Repaired) -> dict[str, int]:
    return {cell.planned.name: i for i, cell in enumerate(repaired.cells) if cell.planned}


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
    handed_out = {_text(planned) for planned in plan if planned.locked}
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
    written = [index for index in own if not _verbatim(cells[index], planned)]
    return "\n\n".join(cells[index].source for index in written or own[:1])


def _text(planned: Planned) -> str:
    return essential(as_released(planned))


def _names(source: str) -> set[str]:
    """What a cell defines at its top level, as far as lines tell: nothing of it is parsed here."""
    return {name for found in _DEFINED.findall(source) for name in found if name}
