"""What an assignment consists of, as its author released it: all that grading believes.

Chapter: book/instructors/writing_tests.md
"""

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lmcourse.grading.assignment.notebooks import Cell
from lmcourse.grading.safe_text import UNREADABLE, lines_of

TEST = "test_"  # how the grade id of a test cell begins
HIDDEN, HIDDEN_END = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"
_HEADER = re.compile(r"^##\s+Task\s+(\d+)\s*·\s*(.+?)\s*\((\d+(?:\.\d+)?) points?\)\s*$", re.M)
_SECTION = re.compile(r"^\*Chapter section:\s*(.+?)\*", re.M)


# What a code cell is to the sandbox: an answer, code of the author's that is no test, or a test.
CellKind = Literal["learner", "setup", "test"]


@dataclass(frozen=True, kw_only=True)
class CodeCell:
    """A code cell and what it is."""

    kind: CellKind
    source: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A cell with a grade id, as released."""

    name: str
    kind: str
    source: str
    locked: bool = False
    graded: bool = False
    solution: bool = False
    task: bool = False
    points: float = 0.0
    checksum: str | None = None

    @property
    def is_test(self) -> bool:
        """Whether running the cell decides its points."""
        return self.graded and not self.solution and self.kind == "code"

    @property
    def by_hand(self) -> bool:
        """Whether a person decides its points."""
        return (self.graded and not self.is_test) or self.task


@dataclass(kw_only=True)
class Task:
    """The cells between one task's heading and the next."""

    number: int
    title: str
    section: str = ""
    promised: float = 0.0  # the points in the heading
    cells: list[Planned] = field(default_factory=list)

    @property
    def graded(self) -> list[Planned]:
        """The cells that have points."""
        return [cell for cell in self.cells if cell.graded or cell.task]

    @property
    def points(self) -> float:
        """What its tests and written answers give together."""
        return sum((cell.points for cell in self.graded), 0.0)

    def part(self, name: str) -> str:
        """What a test cell is called where its task has several: its grade id behind the task's.

        `Core` for `test_split` and `Edges` for `test_split_edges`; empty where it is the only one.
        """
        tests = [cell.name for cell in self.cells if cell.is_test]
        if len(tests) < 2:
            return ""
        answer = answer_of(name, [cell.name for cell in self.cells if cell.solution])
        rest = name.removeprefix(f"{TEST}{answer}" if answer else "")
        return rest.replace("_", " ").strip().capitalize() or "Core"

    @property
    def label(self) -> str:
        """How a reader finds the task in the notebook."""
        return f"Task {self.number} · {self.title}" if self.number else self.title


def answer_of(grade_id: str, answers: Iterable[str]) -> str | None:
    """The answer that a test cell tests: the longest that its grade id names behind `test_`."""
    fits = [a for a in answers if grade_id == TEST + a or grade_id.startswith(f"{TEST}{a}_")]
    return max(fits, key=len, default=None)


def is_test(cell: Cell) -> bool:
    """Whether a cell claims to be a test: graded, code, and no answer."""
    claims = cell.claims
    return cell.kind == "code" and bool(claims.get("grade")) and not claims.get("solution")


def stated_plan(cells: Sequence[Cell]) -> list[Planned]:
    """The plan that a notebook states of itself: an author's is true, a learner's a claim."""
    return [
        Planned(
            name=cell.label,
            kind=cell.kind,
            source=cell.source,
            locked=_locked(cell.claims),
            graded=bool(cell.claims.get("grade")),
            solution=bool(cell.claims.get("solution")),
            task=bool(cell.claims.get("task")),
            points=_number(cell.claims.get("points")),
            checksum=cell.claims.get("checksum"),
        )
        for cell in cells
        if cell.label
    ]


def _locked(claims: dict) -> bool:
    """As nbgrader has it: an answer never is, a test always."""
    return not claims.get("solution") and bool(claims.get("grade") or claims.get("locked"))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def tasks(plan: Sequence[Planned]) -> list[Task]:
    """The tasks of a plan, in its order; a graded cell under no heading is a task of its own."""
    found: list[Task] = []
    current: Task | None = None
    for cell in plan:
        heading = _HEADER.search(cell.source) if cell.kind == "markdown" else None
        if heading:
            section = _SECTION.search(cell.source)
            current = Task(
                number=int(heading[1]),
                title=heading[2],
                section=section[1] if section else "",
                promised=float(heading[3]),
            )
            found.append(current)
        if current is not None:
            current.cells.append(cell)
        elif cell.graded:
            found.append(Task(number=0, title=cell.name, promised=cell.points, cells=[cell]))
    return found


def names_to_define(plan: Sequence[Planned]) -> frozenset[str]:
    """The names that the released solution cells define at their top level.

    Raises:
        ValueError: one of them is no Python, so that what it asks for cannot be known.
    """
    found: set[str] = set()
    for cell in plan:
        if not cell.solution or cell.kind != "code":
            continue
        try:
            body = ast.parse(cell.source).body
        except UNREADABLE as error:
            said = type(error).__name__
            if isinstance(error, SyntaxError):
                said = f"{error.msg} in line {error.lineno}"
            raise ValueError(f"a released cell must parse, got {said} of:\n{cell.source}") from None
        found.update(*map(_defined, body))
    return frozenset(found)


def _defined(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        nodes = ast.walk(statement)
        return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return set()


def hidden_from(source: str) -> int | None:
    """The number of the line where the hidden tests of a test cell begin, from 1."""
    for number, line in enumerate(lines_of(source), start=1):
        if HIDDEN in line:
            return number
    return None


def visible(source: str) -> str:
    """A test cell's text without its hidden tests, as the learner has it."""
    kept, hidden = [], False
    for line in source.split("\n"):
        if HIDDEN in line:
            hidden = True
        elif HIDDEN_END in line:
            hidden = False
        elif not hidden:
            kept.append(line)
    return "\n".join(kept)


def as_released(planned: Planned) -> str:
    """The text of a cell as it was handed out."""
    return planned.source if hidden_from(planned.source) is None else visible(planned.source)
