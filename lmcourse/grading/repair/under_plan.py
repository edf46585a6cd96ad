"""A learner's cells put back under the author's plan; what was done to locked ones is undone.

Chapter: book/instructors/index.md
"""

from collections.abc import Mapping, Sequence

from lmcourse.grading.assignment.handed_in import shown
from lmcourse.grading.assignment.notebooks import Cell, essential
from lmcourse.grading.assignment.plan import Planned
from lmcourse.grading.repair.cell_names import FOUND_BY_TEXT, with_labels
from lmcourse.grading.repair.placed import Placed, Repaired, released_text, verbatim
from lmcourse.grading.repair.text_beside import note_text_beside

_NAME = 80  # characters of a name that the learner's notebook gives to a cell
FOREIGN = "the notebook holds none of the assignment's tasks: is it another one's, or empty?"
MISSING = "This cell was missing from the notebook that was handed in."


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
        elif cell.label not in planned or not verbatim(cell, planned[cell.label]):
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
    note_text_beside(plan, repaired)
    return repaired


def _is_of(
    plan: Sequence[Planned], cells: Sequence[Cell], chosen: Mapping[str, int | None]
) -> bool:
    """Whether the cells are the assignment's: a text or a test to the letter, or half its answers.

    A name alone says little: other assignments, too, have a `setup` and perhaps a `loop`.
    """
    there = {essential(cell.source) for cell in cells}
    told = [released_text(p) for p in plan if p.is_test or (p.locked and p.kind == "markdown")]
    if any(text and text in there for text in told):
        return True
    answers = [p.name for p in plan if p.solution or p.task]
    found = [name for name in answers if chosen[name] is not None]
    return bool(found) and 2 * len(found) >= len(answers)


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
    written = [index for index in copies if not verbatim(cells[index], planned)]
    return (written or copies)[-1]


def _restore(cell: Cell, planned: Planned, repaired: Repaired) -> Placed:
    if cell.kind != planned.kind:
        repaired.notes.append(f"the cell {planned.name} was of kind {cell.kind}")
    if not planned.locked:
        # To the letter, where nothing was written: nbgrader knows a blank answer by its checksum.
        source = planned.source if verbatim(cell, planned) else cell.source
        if cell.problem:
            source = _comment(planned.kind, f"This cell {cell.problem}.")
        return Placed(kind=planned.kind, source=source, planned=planned, pictures=cell.pictures)
    own = Placed(kind=planned.kind, source=planned.source, planned=planned)
    if not verbatim(cell, planned):
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
        repaired.missing.add(planned.name)
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


def _positions(repaired: Repaired) -> dict[str, int]:
    return {cell.planned.name: i for i, cell in enumerate(repaired.cells) if cell.planned}
