"""Which answers build on which others: where an error in one may show in another.

Chapter: book/instructors/writing_tests.md

Names decide, as they stand in the text: what a cell mentions, and what the code mentions that it
so reaches. Rather one name too many than one too few: it costs a second look, and no point.
"""

import ast
import re
import symtable
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
            definitions, every = _names(cell.source, test=cell.kind == "test")
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


def _names(source: str, test: bool) -> tuple[Mapping[str, set[str]], set[str]]:
    """For each name that a cell defines, those that the definition mentions; and all mentioned.

    What a test has assigned before is a variable of its own. Of an answer it counts all the same:
    a second copy of an earlier answer has the errors of the first.
    """
    try:
        tree = ast.parse(_MAGIC.sub("", source))
    except UNREADABLE:
        return {}, set(_WORD.findall(source))
    definitions: dict[str, set[str]] = {}
    every: set[str] = set()
    bound: set[str] = set()  # by the cell itself so far: a variable of its own
    for statement in tree.body:
        made, used = _made_and_used(statement)
        every |= used - bound if test else used
        bound |= made
        for name in made:
            definitions.setdefault(name, set()).update(used)
    return definitions, every


def _made_and_used(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """What a statement at the top of a cell defines there, and what it takes from there."""
    top = symtable.symtable(ast.unparse(statement), "cell", "exec")
    made = {each.get_name() for each in top.get_symbols() if each.is_assigned()}
    used = {each.get_name() for each in top.get_symbols() if each.is_referenced()}
    inner = top.get_children()
    while inner:
        scope = inner.pop()
        inner += scope.get_children()
        names = [each for each in scope.get_symbols() if each.is_global()]
        used |= {each.get_name() for each in names}
        made |= {each.get_name() for each in names if each.is_assigned()}
    return made, used
