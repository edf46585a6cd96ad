"""A learner's cells put back under the author's plan; what was done to locked ones is undone.

Chapter: book/instructors/index.md
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lmcourse.grading.assignment import lost_labels
from lmcourse.grading.assignment.notebooks import Cell, essential
from lmcourse.grading.assignment.plan import Planned, as_released

MISSING = "This cell was missing from the notebook that was handed in."


@dataclass(kw_only=True, eq=False)
class Placed:
    """A cell of the repaired notebook; without `planned` it is an extra cell of the learner's."""

    kind: str
    source: str
    planned: Planned | None = None


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
    if (found := lost_labels.with_labels(cells, plan)) is not None:
        cells = found
        repaired.notes.append(lost_labels.FOUND)
    chosen = {p.name: _choose(p, cells, repaired) for p in plan}
    place_of = {index: name for name, index in chosen.items() if index is not None}
    planned = {p.name: p for p in plan}
    for index, cell in enumerate(cells):
        if cell.problem:
            which = cell.label or f"number {index + 1}"
            repaired.notes.append(f"the cell {which} {cell.problem}")
        if index in place_of:
            repaired.cells.append(_restore(cell, planned[place_of[index]], repaired))
        elif cell.label not in planned or not _verbatim(cell, planned[cell.label]):
            repaired.cells.append(Placed(kind=cell.kind, source=cell.source))
    for p in plan:
        if chosen[p.name] is None:
            _insert(p, plan, repaired)
    _order(plan, repaired)
    return repaired


def _verbatim(cell: Cell, planned: Planned) -> bool:
    return essential(cell.source) == essential(as_released(planned))


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
            source = _remark(planned, f"This cell {cell.problem}.")
        return Placed(kind=planned.kind, source=source, planned=planned)
    if not _verbatim(cell, planned):
        repaired.notes.append(f"the locked cell {planned.name} was edited; its own text was used")
    return Placed(kind=planned.kind, source=planned.source, planned=planned)


def _insert(planned: Planned, plan: Sequence[Planned], repaired: Repaired) -> None:
    """Put a missing cell in front of the next cell of the release that is there.

    A missing answer comes back without code: it may stand in a cell of another name.
    """
    repaired.notes.append(f"the cell {planned.name} was missing")
    source = planned.source
    if not planned.locked:
        source = _remark(planned, MISSING)
    rank = [p.name for p in plan].index(planned.name)
    where = _positions(repaired)
    after = max((where[p.name] for p in plan[:rank] if p.name in where), default=-1)
    later = [where[p.name] for p in plan[rank + 1 :] if where.get(p.name, -1) > after]
    index = min(later, default=len(repaired.cells))
    repaired.cells.insert(index, Placed(kind=planned.kind, source=source, planned=planned))


def _remark(planned: Planned, text: str) -> str:
    """What stands in a cell that holds no answer."""
    return f"# {text}" if planned.kind == "code" else f"*{text}*"


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
