"""Names that cells bind for all others, and names that they look up there.

Chapter: book/instructors/writing_tests.md
"""

import ast
import builtins
import re
import symtable
from collections.abc import Iterable
from typing import NamedTuple

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.safe_text import UNREADABLE

_MAGIC = re.compile(r"^[ \t]*[%!?].*$", re.M)
_ALWAYS = {*dir(builtins), "In", "Out", "display", "exit", "get_ipython", "quit"}


class GlobalNames(NamedTuple):
    """What a cell does with names that outlive it."""

    bound: set[str]
    read: set[str]


def global_names(source: str) -> GlobalNames | None:
    """The names of one cell; None if they cannot be known: it is no Python, or imports a star."""
    source = _MAGIC.sub("", source)
    try:
        tree = ast.parse(source)
        table = symtable.symtable(source, "cell", "exec")
    except UNREADABLE:
        return None
    stars = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    if any(alias.name == "*" for node in stars for alias in node.names):
        return None
    names = GlobalNames(set(), set())
    _collect(table, names)
    return names


def _collect(table: symtable.SymbolTable, names: GlobalNames) -> None:
    outermost = table.get_type() == "module"
    for symbol in table.get_symbols():
        if outermost or symbol.is_global():
            if symbol.is_referenced():
                names.read.add(symbol.get_name())
            if symbol.is_assigned() or symbol.is_imported():
                names.bound.add(symbol.get_name())
    for inner in table.get_children():
        _collect(inner, names)


def of_tests_alone(cells: Iterable[CodeCell]) -> list[set[str]]:
    """For each cell of a learner's the names that it looks up and only test cells bind.

    The grader's answers do not see what tests have. Nothing is found where a name may come from
    a cell that cannot be read.
    """
    cells = list(cells)
    found = [global_names(cell.source) for cell in cells]
    others = [names for cell, names in zip(cells, found, strict=True) if cell.kind != "test"]
    if None in others:
        return [set() for _ in cells]
    tests = [names for cell, names in zip(cells, found, strict=True) if cell.kind == "test"]
    bound = {name for names in tests if names for name in names.bound}
    bound -= _ALWAYS.union(*(names.bound for names in others))
    return [
        names.read & bound if cell.kind == "learner" else set()
        for cell, names in zip(cells, found, strict=True)
    ]
