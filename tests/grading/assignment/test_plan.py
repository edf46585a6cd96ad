"""What a notebook states of itself: tasks, points, sections, roles."""

import json

import pytest
from jaxtyping import TypeCheckError
from tiny_course import POINTS, TEST_DOUBLE, cell, solution, split_solution

from lmcourse.grading.assignment.notebooks import parse_cells
from lmcourse.grading.assignment.plan import (
    CodeCell,
    Planned,
    hidden_from,
    names_to_define,
    stated_plan,
    tasks,
)


def plan_of(*cells):
    return stated_plan(parse_cells(json.dumps({"cells": cells}).encode()))


def test_tasks_are_read_from_their_headings():
    found = tasks(plan_of(*solution()["cells"]))
    assert [task.label for task in found] == [
        "Task 1 · Double",
        "Task 2 · Square",
        "Task 3 · Why",
    ]
    assert [task.section for task in found] == ["On Double", "On Square", "On Why"]
    assert [task.points for task in found] == [task.promised for task in found] == [2, 3, 1]
    assert sum(POINTS.values()) == 6


def test_the_test_cells_of_one_task_have_names():
    one, two, _ = tasks(plan_of(*split_solution()["cells"]))
    assert [two.part(cell.name) for cell in two.graded] == ["Core", "Edges"]
    assert one.part("test_double") == ""
    assert (two.points, two.promised) == (3, 3)


@pytest.mark.parametrize(
    ("name", "part"),
    [("test_top_k", "Core"), ("test_top_k_more_ties", "More ties"), ("test_top_p", "P"),
     ("other", "Other")],
)  # fmt: skip
def test_a_part_is_named_by_what_follows_the_longest_answer(name, part):
    named = {"grade": True, "points": 1}
    answers = [cell("code", each, "", solution=True) for each in ("top", "top_k")]
    tests = [cell("code", each, "", **named) for each in ("test_top_k", "other")]
    heading = cell("markdown", "t", "## Task 1 · Top (2 points)", locked=True)
    (task,) = tasks(plan_of(heading, *answers, *tests))
    assert task.part(name) == part


def test_roles():
    plan = {planned.name: planned for planned in plan_of(*solution()["cells"])}
    assert [name for name, planned in plan.items() if planned.is_test] == [
        "test_double",
        "test_square",
    ]
    assert [name for name, planned in plan.items() if planned.by_hand] == ["why"]
    assert not plan["why"].locked
    assert plan["setup"].locked


def test_graded_cells_without_a_heading_are_tasks_of_their_own():
    (task,) = tasks(plan_of(cell("code", "test_a", "assert 1", grade=True, points=2)))
    assert (task.label, task.points) == ("test_a", 2.0)


def test_claims_of_an_odd_kind_do_no_harm():
    (planned,) = plan_of(cell("code", "a", "", points="many", grade=[], solution="yes"))
    assert (planned.points, planned.graded, planned.solution) == (0.0, False, True)


def test_where_the_hidden_tests_begin():
    assert hidden_from(TEST_DOUBLE) == 2
    assert hidden_from("assert 1") is None


def asked(*released):
    return names_to_define(
        [Planned(name="f", kind="code", source=source, solution=True) for source in released]
    )


def test_the_names_of_a_release():
    released = [
        "def attention(q: Tensor) -> Tensor:\n    inner = 1\n    raise NotImplementedError",
        "class Layer(nn.Module):\n    size = 3\nimport math\nfrom torch import nn",
        "answer: int = 3\na, (b, *c) = x\nfor i in y: z = 1\nasync def later(): pass\nw += 1",
    ]
    names = {"attention", "Layer", "answer", "a", "b", "c", "later", "w"}
    assert asked(*released) == names
    assert asked() == frozenset()


def test_a_release_that_is_no_python_is_refused():
    with pytest.raises(
        ValueError, match=r"a released cell must parse, got .* in line 2 of:\ndef f"
    ):
        asked("def f():\nreturn 1")


def test_a_kind_of_cell_that_the_sandbox_does_not_know_is_a_mistake_of_ours():
    with pytest.raises(TypeCheckError):
        CodeCell(kind="tests", source="")
