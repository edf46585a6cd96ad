"""A course with one small assignment that needs no torch, for tests of the grader's own parts."""

import json
from pathlib import Path

CONFIG = Path(__file__).parents[2] / "nbgrader_config.py"

TASK = """## Task {number} · {title} ({points} points)

*Chapter section: On {title}* · difficulty ●○○ · about 1 minute · you learn little

Write it.
"""
DOUBLE = '''def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION'''
TEST_DOUBLE = """assert double(2) == 4, "double(2) must be 4. Did you multiply?"
### BEGIN HIDDEN TESTS
SECRET = -3
assert double(SECRET) == -6, "double must work for negative numbers too."
### END HIDDEN TESTS"""
SQUARE = '''def square(x):
    """x times x."""
    ### BEGIN SOLUTION
    return x * x
    ### END SOLUTION'''
TEST_SQUARE = """assert square(3) == 9, "square(3) must be 9."
### BEGIN HIDDEN TESTS
assert square(math.pi) == math.pi**2, "square must work for floats."
### END HIDDEN TESTS"""
# A second test cell of the task `square`, for courses that split one.
TEST_SQUARE_EDGES = """assert square(0) == 0, "square(0) must be 0."
### BEGIN HIDDEN TESTS
assert square(-2) == 4, "square must work for negative numbers."
### END HIDDEN TESTS"""
RUBRIC = "**Model answer.** Because."

POINTS = {"test_double": 2, "test_square": 3, "why": 1}


def cell(kind: str, name: str, source: str, **nbgrader) -> dict:
    """A cell as an author writes it."""
    roles = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    own = {
        "cell_type": kind,
        "id": name.replace("_", "-"),
        "metadata": {"nbgrader": {**roles, "grade_id": name, **nbgrader}},
        "source": source,
    }
    return {**own, "outputs": [], "execution_count": None} if kind == "code" else own


def solution() -> dict:
    """The author's notebook."""
    tested = {"grade": True, "locked": True}
    cells = [
        cell("markdown", "tiny-intro", "# Tiny", locked=True),
        cell("code", "setup", "import math", locked=True),
        cell("markdown", "tiny-task-1", _task(1, "Double", 2), locked=True),
        cell("code", "double", DOUBLE, solution=True),
        cell("code", "test_double", TEST_DOUBLE, points=2, **tested),
        cell("markdown", "tiny-task-2", _task(2, "Square", 3), locked=True),
        cell("code", "square", SQUARE, solution=True),
        cell("code", "test_square", TEST_SQUARE, points=3, **tested),
        cell("markdown", "tiny-task-3", _task(3, "Why", 1), locked=True),
        cell("markdown", "why", RUBRIC, solution=True, grade=True, points=1),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def split_solution() -> dict:
    """The author's notebook with two test cells for the second task: 2 points, and 1 for edges."""
    nb = solution()
    cells = nb["cells"]
    at = next(i for i, one in enumerate(cells) if one["id"] == "test-square")
    cells[at]["metadata"]["nbgrader"]["points"] = 2
    edges = {"grade": True, "locked": True, "points": 1}
    cells.insert(at + 1, cell("code", "test_square_edges", TEST_SQUARE_EDGES, **edges))
    return nb


def _task(number: int, title: str, points: int) -> str:
    return TASK.format(number=number, title=title, points=points)


def make_course(root: Path) -> Path:
    """A course's folder with the assignment `tiny`, and the project's own settings for nbgrader."""
    path = root / "solutions" / "tiny" / "tiny.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(solution(), indent=1), "utf-8")
    (root / CONFIG.name).write_text(CONFIG.read_text("utf-8"), "utf-8")
    return root


def answered(nb: dict) -> dict:
    """The released notebook with every answer right."""
    answers = {"double": DOUBLE, "square": SQUARE, "why": "Because it is so."}
    for one in nb["cells"]:
        name = one["metadata"]["nbgrader"]["grade_id"]
        if name in answers:
            lines = [line for line in answers[name].split("\n") if "###" not in line]
            one["source"] = "\n".join(lines)
    return nb
