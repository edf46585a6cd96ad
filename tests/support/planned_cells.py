"""The cells of the tiny course: as its author planned them, and as a learner hands them in."""

import json
from dataclasses import replace

from tiny_course import answered, solution

from lmcourse.grading.assignment.notebooks import Cell, parse_cells
from lmcourse.grading.assignment.plan import Planned, stated_plan, visible


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


def words(source: str, kind: str = "markdown", label: str | None = None) -> Cell:
    return Cell(kind=kind, source=source, claims={"grade_id": label} if label else {})


def unnamed(cells: list[Cell]) -> list[Cell]:
    """As Colab and jupytext give a notebook back: each cell has its text, and none its name."""
    return [replace(cell, claims={}, source=f"{cell.source}\n") for cell in cells]
