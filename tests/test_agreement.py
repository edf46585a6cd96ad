"""check and grade, on the visible tests of an answer: where they differ is told."""

import os

import agreement
import pytest
import torch
from agreement import Tried

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.execution.assignment_spec import AssignmentSpec
from lmcourse.grading.withholding.withheld import Withheld

SETUP = "import torch\nfrom lmcourse.grading.testing import close, probe, raises\n"
PROBE = """
@probe
def after(function, x):
    function(x)
    return x


assert after(double, [1]) == [1], "the list was changed"
"""
TESTS = {
    "double": "close(double(torch.ones(2)), 2 * torch.ones(2))",
    "double_state": PROBE,
}
ANSWERS = {
    "right": "def double(x): return 2 * x",
    "wrong": "def double(x): return 3 * x",
    "changes": "def double(x):\n    y = 2 * x\n    x *= 2\n    return y",
    "raises": "def double(x): return y",
    "is missing": "pass",
    "calls what is withheld": "def double(x): return torch.mul(x, 2)",
}
WITHHELD = Withheld(operators=("mul",))
posix = pytest.mark.skipif(os.name != "posix", reason="processes are forked")


def tried(names=tuple(ANSWERS)):
    return [
        Tried(name=name, task="double", kind="wrong", cells=[SETUP, ANSWERS[name]], tests=TESTS)
        for name in names
    ]


def fails(said):
    return [{name: bool(text) for name, text in one.items()} for one in said]


@posix
def test_one_process_says_of_each_visible_test_what_it_says():
    said = agreement.check_all(tried(), Withheld(), lambda: None)
    assert fails(said)[:3] == [
        {"double": False, "double_state": False},
        {"double": True, "double_state": False},
        {"double": False, "double_state": True},
    ]
    assert said[0] == {"double": "", "double_state": ""}
    assert said[3]["double"] == "NameError: name 'y' is not defined"
    assert said[4]["double_state"] == "NameError: name 'double' is not defined"


@posix
def test_what_is_withheld_is_refused_to_answers_and_not_to_tests():
    last = Tried(
        name="x", task="double", kind="wrong", cells=[SETUP, ANSWERS["calls what is withheld"]],
        tests={"double": "close(double(torch.ones(2)), torch.mul(torch.ones(2), 2))"},
    )  # fmt: skip
    own = Tried(**{**vars(last), "cells": [SETUP, ANSWERS["right"].replace("2 *", "x +")]})
    refused, passed = agreement.check_all([last, own], WITHHELD, lambda: None)
    assert refused["double"].startswith("RuntimeError: ")
    assert "mul" in refused["double"]
    assert passed == {"double": ""}
    # In forks: this process withholds nothing.
    assert torch.mul(torch.ones(1), 2).item() == pytest.approx(2)


@pytest.mark.slow
def test_the_sandbox_says_the_same():
    names = ["right", "wrong", "changes", "raises", "is missing"]
    every, counted = tried(names), []
    spec = AssignmentSpec(
        reference=[
            CodeCell(kind="setup", source=SETUP),
            CodeCell(kind="learner", source=ANSWERS["right"]),
            *[CodeCell(kind="test", source=t, name=f"test_{n}") for n, t in TESTS.items()],
        ],
        wanted=frozenset({"double"}),
        secret=b"x",
    )
    grade = list(agreement.grade_all(every, spec))
    check = agreement.check_all(every, Withheld(), lambda: counted.append(1))
    assert [agreement.differences(*three) for three in zip(every, check, grade, strict=True)] == [
        []
    ] * len(names)
    assert fails(grade) == fails(check)
    assert len(counted) == len(names)


def test_each_difference_is_a_line_and_so_is_what_could_not_be_graded():
    (one,) = tried(["right"])
    holds, fails = {"double": "", "double_state": ""}, {"double": "no", "double_state": ""}
    assert agreement.differences(one, holds, holds) == []
    assert agreement.differences(one, fails, {**fails, "double": "failed: other"}) == []
    assert agreement.differences(one, fails, holds) == [
        "double: right (wrong), test_double: check says 'no', grade says 'it holds'"
    ]
    assert agreement.differences(one, holds, fails) == [
        "double: right (wrong), test_double: check says 'it holds', grade says 'no'"
    ]
    unknown = {**fails, "double": "ungraded: the judge stopped"}
    assert len(agreement.differences(one, fails, unknown)) == 1


@posix
def test_all_answers_to_a_task_are_tried_with_its_visible_tests():
    path = agreement.ROOT / "solutions/attention/attention.ipynb"
    assignment = agreement.load(path)
    every = agreement.tried(assignment, "heads")
    assert every[0].name == "the solution"
    assert {one.task for one in every} == {"heads"}
    assert {one.kind for one in every} == {"wrong", "right"}
    assert all("HIDDEN" not in test for one in every for test in one.tests.values())
    assert len(agreement.tried(assignment)) > len(every)
    spec = agreement.spec_of(path, assignment)
    assert {"split_heads", "merge_heads"} <= spec.wanted
    assert not any("HIDDEN" in cell.source for cell in spec.reference)
