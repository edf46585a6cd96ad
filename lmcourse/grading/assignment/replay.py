"""What of a cell runs again in a new process, where the cell as a whole must not.

Chapter: book/instructors/sandbox.md

A right answer with an endless example below it was defined, and its tests passed, until anything
else ended the process: in the next one the cell did not run, and the answer was gone. So what the
cell did before it was stopped is done again; where that is not known, what only defines something.
"""

import ast
from collections.abc import Iterator

from lmcourse.grading.safe_text import UNREADABLE

_DEFINES = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def harmless(source: str, line: int | None = None) -> str:
    """The cell without what must not run again; its lines keep their numbers.

    Args:
        line: at which it was stopped, from 1; None if nobody knows.
    """
    lines = source.split("\n")
    if lines[0].startswith(("%%time", "%%capture")) and "timeit" not in lines[0]:
        source, line = "\n".join(["", *lines[1:]]), None  # where it was counted otherwise
        lines[0] = ""
    elif lines[0].startswith("%%"):
        return ""
    try:
        statements = ast.parse(_python(source)).body
    except UNREADABLE:
        return ""
    if line is None:
        dropped = [one for one in statements if not _only_defines(one)]
    else:
        dropped = [one for one in statements if (one.end_lineno or 0) >= line]
    for number in {number for one in dropped for number in _lines(one)}:
        lines[number - 1] = ""
    kept = "\n".join(lines)
    return kept if kept.strip() else ""


def _lines(statement: ast.stmt) -> Iterator[int]:
    """With its decorators."""
    first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", []))])
    yield from range(first, (statement.end_lineno or first) + 1)


def _only_defines(statement: ast.stmt) -> bool:
    """Whether it gives names to functions, classes and data, and calls nothing for that."""
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        nodes = list(ast.walk(statement))
        return not any(isinstance(node, (ast.Call, ast.comprehension)) for node in nodes)
    return isinstance(statement, _DEFINES)


def _python(source: str) -> str:
    """With IPython's own lines (`%timeit f()`, `!ls`) as Python, each in its place."""
    if not any(line.lstrip().startswith(("%", "!")) for line in source.split("\n")):
        return source
    from lmcourse.grading.bridge.shell import CellTransformer  # costs, and few cells need it

    text = CellTransformer().transform_cell(source)
    if text.count("\n") - source.count("\n") not in (0, 1):
        raise ValueError("its lines are others")
    return text
