"""Of a cell that was stopped, what came before is done again, line by line where it stood."""

import pytest

from lmcourse.grading.assignment.replay import harmless

CELL = """import math
@cached
def f(x):
    return x
sizes = [1, 2]
table = make(3)
print(f(2))
class A:
    size: int = 3
while True:
    f(1)
def later(): pass"""


def test_what_came_before_the_line_runs_again_and_nothing_else():
    kept = harmless(CELL, 11)  # inside the loop
    assert kept.rstrip("\n").split("\n") == CELL.split("\n")[:9]


def test_where_the_line_is_not_known_only_definitions_run_again():
    kept = harmless(CELL).split("\n")
    lines = CELL.split("\n")
    assert len(kept) == len(lines)
    assert [n for n, line in enumerate(kept) if line] == [0, 1, 2, 3, 4, 7, 8, 11]
    assert all(line in ("", lines[n]) for n, line in enumerate(kept))


@pytest.mark.parametrize(
    ("source", "line", "kept"),
    [
        ("while True: pass", 1, ""),
        ("import os; os._exit(1)", None, ""),  # one line is done whole or not at all
        ("x = [f(i) for i in range(3)]", None, ""),
        ("%matplotlib inline\nx = 1\n%timeit f()", 3, "%matplotlib inline\nx = 1\n"),
        ("x = 1\n!sleep 9", None, "x = 1\n"),
        ("%%time\nx = 1\nf()", 2, "\nx = 1\n"),  # its lines have other numbers
        ("%%bash\nx=1", None, ""),
        ("def f():\n    '\u2028 a'\n!true", None, "def f():\n    '\u2028 a'\n"),
        ("def f(:", None, ""),
        ("", None, ""),
        ("x = '\0'", None, ""),
        ("-" * 100_000 + "1", None, ""),
    ],
)
def test_odd_cells(source, line, kept):
    assert harmless(source, line) == kept
