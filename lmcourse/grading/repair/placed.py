"""Cells of a repaired notebook, and how a cell is known for what was handed out.

Chapter: book/instructors/index.md
"""

from dataclasses import dataclass, field

from lmcourse.grading.assignment.notebooks import Cell, essential
from lmcourse.grading.assignment.plan import Planned, as_released


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
    """The notebook as it will be run, what was mended, and the tests that a person must see.

    Args:
        missing: names of answers that were not there.
    """

    cells: list[Placed]
    notes: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    doubtful: dict[str, str] = field(default_factory=dict)


def verbatim(cell: Cell, planned: Planned) -> bool:
    """Whether a cell is as it was handed out, but for white space at the ends of lines."""
    return essential(cell.source) == released_text(planned)


def released_text(planned: Planned) -> str:
    """What was handed out there, as it is compared."""
    return essential(as_released(planned))
