"""Text that stands beside a written answer whose own cell was left as it was, or is gone.

Chapter: book/instructors/index.md

Who leaves the cell of a written answer as it was, and writes beside it, has answered all the same,
and so has who merged it with the cell above: then a person decides, and sees what stands there.
"""

import re
from collections.abc import Collection, Sequence

from lmcourse.grading.assignment.notebooks import essential
from lmcourse.grading.assignment.plan import Planned, tasks
from lmcourse.grading.repair.placed import Placed, Repaired, released_text

BESIDE = "the answer cell was left as it was, but there is text beside it"
MERGED = "the answer cell was missing, but there is text where it was"
EDITED = "This is what the locked cell above was changed to"
# Words in a cell of code: a comment, a string, another script than Latin, or three in a row.
_WORDS = re.compile(r"""[#'"]|[^\x00-\x7f]|[a-z]+(?:[ ,]+[a-z]+){2}""", re.IGNORECASE)


def note_text_beside(plan: Sequence[Planned], repaired: Repaired) -> None:
    """Mark what stands beside untouched answers, and show what was written into locked cells."""
    untouched = {
        placed.planned.name
        for placed in repaired.cells
        if placed.planned
        and placed.planned.by_hand
        and placed.planned.solution
        and (placed.source == placed.planned.source or placed.planned.name in repaired.missing)
    }
    found = text_beside(repaired.cells, plan, untouched)
    for name, cells in found.items():
        what = MERGED if name in repaired.missing else BESIDE
        repaired.notes.append(_note(name, what))
        for placed in cells:
            placed.beside.append(name)
    for placed in [placed for placed in repaired.cells if placed.planned and placed.beside]:
        # Words, whatever kind it was: what is not the learner's own cell does not run.
        kind = "markdown" if placed.kind == "markdown" else "raw"
        source = f"*{EDITED}:*\n\n{placed.edited}"
        own = Placed(kind=kind, source=source, beside=placed.beside, pictures=placed.pictures)
        placed.beside, placed.pictures = [], {}
        repaired.cells.insert(repaired.cells.index(placed) + 1, own)


def why_a_person(name: str, notes: Collection[str]) -> str:
    """What the notes of a repaired notebook say of an answer with text beside it."""
    return MERGED if _note(name, MERGED) in notes else BESIDE


def _note(name: str, what: str) -> str:
    return f"{name}: {what}: a person decides"


def text_beside(
    cells: Sequence[Placed], plan: Sequence[Planned], answers: Collection[str]
) -> dict[str, list[Placed]]:
    """The learner's text around each of these answers, if there is any, in the answers' order.

    That is the text in extra and in edited locked cells, up to the next answer or test of another
    and up to the next task; and at the end of the notebook, where some collect what they write.
    """
    first = {task.cells[0].name for task in tasks(plan)}
    own_text = {released_text(planned) for planned in plan}
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
