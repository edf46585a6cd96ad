"""Which answers build on which others: where an error in one may show in another.

Chapter: book/instructors/writing_tests.md

Names decide, as they stand in the text: what a cell mentions, and what the code mentions that it
so reaches. Rather one name too many than one too few: it costs a second look, and no point.
"""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence

from lmcourse.grading.assignment.plan import CodeCell, Planned, Task, names_to_define
from lmcourse.grading.safe_text import UNREADABLE

_DEFINED = re.compile(r"^(?:async +def|def|class) +([^\W\d]\w*)", re.M)
_WORD = re.compile(r"\b[^\W\d]\w*\b")
_MAGIC = re.compile(r"^[ \t]*[%!?].*$", re.M)


class Dependencies:
    """The names that each task is to define, and who uses them.

    Args:
        found: the tasks, in their order.
        cells: all that may use names or define helpers: a learner's, or the author's as well.
    """

    def __init__(self, found: Sequence[Task], cells: Iterable[CodeCell]):
        self._owners = {
            name: place
            for place, task in enumerate(found)
            for cell in task.cells
            for name in _to_define(cell)
        }
        places = {cell.name: place for place, task in enumerate(found) for cell in task.cells}
        self._mentioned: list[set[str]] = [set() for _ in found]
        self._helpers: dict[str, set[str]] = {}
        for cell in cells:
            definitions, every = _names(cell.source)
            if cell.kind != "test":
                for name, used in definitions.items():
                    self._helpers.setdefault(name, set()).update(used)
            if cell.name in places:
                self._mentioned[places[cell.name]] |= every

    def earlier(self, place: int) -> dict[int, set[str]]:
        """The tasks before that at `place` on which it builds, and the names of theirs it uses."""
        found: dict[int, set[str]] = {}
        seen, queue = set(), list(self._mentioned[place])
        while queue:
            name = queue.pop()
            if name in seen:
                continue
            seen.add(name)
            queue += self._helpers.get(name, ())
            if self._owners.get(name, place) < place:
                found.setdefault(self._owners[name], set()).add(name)
        return found


def _to_define(cell: Planned) -> Iterable[str]:
    try:
        return names_to_define([cell])
    except ValueError:  # a learner's cell, in the plan that their notebook states of itself
        return _DEFINED.findall(cell.source)


def _names(source: str) -> tuple[Mapping[str, set[str]], set[str]]:
    """For each name that a cell defines, those that the definition mentions; and all mentioned."""
    try:
        tree = ast.parse(_MAGIC.sub("", source))
    except UNREADABLE:
        return {}, set(_WORD.findall(source))
    definitions: dict[str, set[str]] = {}
    every: set[str] = set()
    for statement in tree.body:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        used = {node.id for node in names}
        every |= used
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            made = {statement.name}
        else:
            made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        for name in made:
            definitions.setdefault(name, set()).update(used)
    return definitions, every
