"""A small assignment's source, and planted answers to it, for the tests of the faults' tools."""

import nbformat
from faults import edit, fill, write
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SOLUTION = '''
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return add(x, x)
    ### END SOLUTION
'''
HELPER = """
def add(x, y):
    ### BEGIN SOLUTION
    return x + y
    ### END SOLUTION
"""
TEST = """
assert double(2) == 4, "twice 2 is 4"
### BEGIN HIDDEN TESTS
assert double(-3) == -6, "twice -3 is -6"
### END HIDDEN TESTS
"""
EDGES = """
assert double(0) == 0, "zero: twice 0 is 0"
### BEGIN HIDDEN TESTS
assert double(7) == 14, "seven: twice 7 is 14"
### END HIDDEN TESTS
"""
SQUARE = edit("square", "double", "right for 2", ("add(x, x)", "x * x"))
TRIPLE = edit("triple", "double", "wrong for all", ("add(x, x)", "3 * x"))
PLANTED = edit("planted", "double", "wrong for 5 only", ("add(x, x)", "11 if x == 5 else 2 * x"))
AT_SEVEN = edit("at seven", "double", "wrong for 7 only", ("add(x, x)", "13 if x == 7 else 2 * x"))
SHIFT = fill("shift", "double", "another style", "return x << 1")
ENDLESS = fill("endless", "double", "never returns", "while True: pass")
EXITS = fill("exits", "double", "ends its process", "import os\nos._exit(0)")
ADDITIONS = [edit(name, "add", "", ("x + y", name)) for name in ("x - y", "x")]
HALF = write("half a cell", "double", "a syntax error", "def double(x: return")


def source_cell(source, grade_id, make=new_code_cell, **flags):
    """A cell of an assignment's source."""
    flags = {"grade": False, "solution": False, "locked": True, "task": False} | flags
    nbgrader = {"schema_version": 3, "grade_id": grade_id, **flags}
    return make(source.strip("\n"), metadata={"nbgrader": nbgrader})


def write_source(path, *more):
    """Write the assignment to `path`; `more` cells stand behind its tests."""
    cells = [
        source_cell("import math", "setup"),
        source_cell(HELPER, "add", solution=True, locked=False),
        source_cell("assert add(1, 2) == 3", "test_add", grade=True, points=1),
        source_cell(SOLUTION, "double", solution=True, locked=False),
        source_cell(TEST, "test_double", grade=True, points=2),
        *more,
        source_cell("why?", "why", new_markdown_cell, grade=True, solution=True, points=4),
    ]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def edges():
    """A second test cell of the task `double`."""
    return source_cell(EDGES, "test_double_edges", grade=True, points=1)
