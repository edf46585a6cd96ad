"""The cells of an assignment's source, task by task, as nbgrader would release them.

A task is an answer cell and one or several test cells. The answer's grade id names the task, say
`split`; its test cells are `test_split` and, with points of their own, `test_split_<part>`.
"""

import ast
import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import nbformat
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

from lmcourse.grading.assignment.plan import TEST, answer_of


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """The cells of an assignment's source.

    `solutions` and `blanks` have the tasks as keys; `tests`, `visible`, `points` and `task_of` the
    names of test cells, which are their grade ids without `test_`.
    """

    slug: str
    setup: list[str]
    solutions: dict[str, str]
    blanks: dict[str, str]
    tests: dict[str, str]
    visible: dict[str, str]
    points: dict[str, float]
    task_of: dict[str, str]
    by_hand: float

    @property
    def tasks(self) -> list[str]:
        """The tasks that have tests, in the order of the notebook."""
        return list(dict.fromkeys(self.task_of.values()))

    def tests_of(self, task: str) -> dict[str, tuple[str, str]]:
        """By name, the test cells of a task: what learners see of them, and all."""
        return {
            name: (self.visible[name], self.tests[name])
            for name, owner in self.task_of.items()
            if owner == task
        }

    def only(self, task: str) -> "Assignment":
        """The same with the tests of one task alone."""
        own = [name for name, owner in self.task_of.items() if owner == task]
        return replace(
            self,
            **{
                part: {name: getattr(self, part)[name] for name in own}
                for part in ("tests", "visible", "points", "task_of")
            },
        )

    def needed(self, task: str, answer: str) -> list[str]:
        """Setup, the solutions of other tasks that the answer or its tests call, and the answer."""
        sources = [answer, *(whole for _, whole in self.tests_of(task).values())]
        try:
            names = {self._owner(name) for source in sources for name in _used(source)}
        except SyntaxError as error:
            raise ValueError(f"the answer to {task} must be Python, got {error}") from None
        wanted, queue = set(), list(names - {None, task})
        while queue:
            other = queue.pop()
            wanted.add(other)
            owners = {self._owner(name) for name in _used(self.solutions[other])}
            queue += owners - wanted - {None, task}
        return self.setup + [self.solutions[t] for t in self.solutions if t in wanted] + [answer]

    def _owner(self, name: str) -> str | None:
        return next((t for t, source in self.solutions.items() if name in _defined(source)), None)


def load(path: Path) -> Assignment:
    """The assignment whose source notebook is at `path`.

    Raises:
        ValueError: a test cell's grade id does not say to which task it belongs.
    """
    source = nbformat.read(path, as_version=4)
    release = copy.deepcopy(source)
    for preprocessor in (ClearSolutions(), ClearHiddenTests()):
        release, _ = preprocessor.preprocess(release, {})
    found = Assignment(
        slug=path.stem, setup=[], solutions={}, blanks={}, tests={}, visible={}, points={},
        task_of={},
        by_hand=sum(
            cell.metadata.nbgrader.points
            for cell in source.cells
            if _flags(cell).get("grade") and _flags(cell).get("solution")
        ),
    )  # fmt: skip
    for cell, released in zip(source.cells, release.cells, strict=True):
        flags = _flags(cell)
        if cell.cell_type != "code" or not flags:
            continue
        if flags["grade"]:
            name = flags["grade_id"].removeprefix(TEST)
            found.task_of[name] = task_of(flags["grade_id"], found.solutions)
            found.tests[name], found.visible[name] = cell.source, released.source
            found.points[name] = flags["points"]
        elif flags["solution"]:
            found.solutions[flags["grade_id"]] = cell.source
            found.blanks[flags["grade_id"]] = released.source
        else:
            found.setup.append(cell.source)
    return found


def task_of(grade_id: str, tasks: Iterable[str]) -> str:
    """The task that a test cell belongs to: the longest whose name its grade id begins with.

    Args:
        tasks: the grade ids of the answers above the test cell.

    Raises:
        ValueError: it begins with none.
    """
    tasks = list(tasks)
    found = answer_of(grade_id, tasks)
    if found is None:
        raise ValueError(
            "a test cell's grade_id must be test_<task> or test_<task>_<part>, with a task that "
            f"stands above it ({', '.join(tasks) or 'there is none'}), got grade_id={grade_id!r}"
        )
    return found


def _flags(cell: nbformat.NotebookNode) -> dict:
    return cell.metadata.get("nbgrader", {})


@cache  # the same cells are asked about for each of hundreds of answers
def _used(source: str) -> frozenset[str]:
    found = ast.walk(ast.parse(source))
    return frozenset(node.id for node in found if isinstance(node, ast.Name))


@cache
def _defined(source: str) -> frozenset[str]:
    body = ast.parse(source).body
    kinds = ast.FunctionDef | ast.ClassDef
    return frozenset(node.name for node in body if isinstance(node, kinds))
