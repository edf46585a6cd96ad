"""Cells of an assignment's source: which test cells belong to which task."""

from pathlib import Path

import pytest
from fault_course import edges, source_cell, write_source
from task_cells import load, task_of

from lmcourse.grading.assignment import plan
from lmcourse.grading.assignment.notebooks import read_cells

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(ROOT.glob("solutions/*/*.ipynb"))


@pytest.fixture
def assignment(tmp_path):
    return load(write_source(tmp_path / "arithmetic.ipynb"))


@pytest.fixture
def split(tmp_path):
    return load(write_source(tmp_path / "split.ipynb", edges()))


def test_the_notebook_is_read_as_nbgrader_would_release_it(assignment):
    assert assignment.points == {"add": 1, "double": 2}
    assert assignment.by_hand == 4
    assert assignment.setup == ["import math"]
    assert "raise NotImplementedError()" in assignment.blanks["double"]
    assert "-3" in assignment.tests["double"]
    assert "-3" not in assignment.visible["double"]


def test_an_answer_runs_with_only_the_cells_that_it_needs(assignment):
    whole = assignment.needed("double", assignment.solutions["double"])
    assert whole == ["import math", assignment.solutions["add"], assignment.solutions["double"]]
    alone = assignment.needed("double", "def double(x):\n    return x + x")
    assert alone == ["import math", "def double(x):\n    return x + x"]


def test_a_task_may_have_several_test_cells(split):
    assert split.tasks == ["add", "double"]
    assert split.points == {"add": 1, "double": 2, "double_edges": 1}
    assert list(split.tests_of("double")) == ["double", "double_edges"]
    assert list(split.tests_of("add")) == ["add"]
    seen, whole = split.tests_of("double")["double_edges"]
    assert "double(7)" in whole
    assert "double(7)" not in seen


def test_an_answer_runs_with_what_any_of_its_test_cells_needs(tmp_path):
    other = source_cell("assert add(1, double(1)) == 3", "test_double_sum", grade=True, points=1)
    found = load(write_source(tmp_path / "sum.ipynb", other))
    alone = found.needed("double", "def double(x):\n    return x + x")
    assert alone == ["import math", found.solutions["add"], "def double(x):\n    return x + x"]


def test_the_longest_name_owns_a_test_cell():
    tasks = ["top", "top_k", "loop"]
    found = [task_of(name, tasks) for name in ("test_top", "test_top_p", "test_top_k_ties")]
    assert found == ["top", "top", "top_k"]


@pytest.mark.parametrize("name", ["test_tops", "top", "test_", "test_doubles_edges"])
def test_a_test_cell_of_no_task_is_refused(name):
    with pytest.raises(ValueError, match=f"above it .double, top., got grade_id='{name}'"):
        task_of(name, ["double", "top"])


def test_one_task_alone_keeps_its_test_cells(split):
    alone = split.only("double")
    assert alone.points == {"double": 2, "double_edges": 1}
    assert alone.tasks == ["double"]
    assert alone.solutions == split.solutions


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_names_and_headings_give_a_test_cell_to_the_same_task(path):
    assignment = load(path)
    for task in plan.tasks(plan.stated_plan(read_cells(path))):
        answers = [cell.name for cell in task.cells if cell.solution and cell.kind == "code"]
        owners = {
            assignment.task_of[cell.name.removeprefix("test_")]
            for cell in task.cells
            if cell.is_test
        }
        assert owners <= set(answers), task.label
        assert task.points == task.promised, task.label


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_first_line_of_a_test_cell_says_what_it_tests(path):
    """In a notebook it is folded, and this line is all that is seen of it."""
    for task in plan.tasks(plan.stated_plan(read_cells(path))):
        tests = [cell for cell in task.cells if cell.is_test and cell.kind == "code"]
        lines = [cell.source.splitlines()[0] for cell in tests]
        begin = f"# Tests of Task {task.number}"
        assert all(line == begin or line.startswith(f"{begin}: ") for line in lines), lines
        assert len({*lines}) == len(lines), lines
