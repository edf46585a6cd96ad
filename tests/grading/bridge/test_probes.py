"""A probe fetches and does nothing else; it does the same in place and in the judge."""

import pytest
import torch

from lmcourse.grading.bridge import probes
from lmcourse.grading.testing import close

ELSEWHERE = torch.float64


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("assert f(1)", "assert nothing"),
        ("return torch.allclose(f(1), 2)", "not compare"),
        ("torch.testing.assert_close(f(1), 2)", "not compare"),
        ("close(f(1), 2)", "not compare"),
        ("return f(torch.randn(3))", "not draw random numbers"),
        ("return f(torch.ones(3).normal_())", "not draw random numbers"),
        ("import time; start = time.perf_counter()", "not read a clock"),
    ],
)
def test_a_probe_that_does_more_than_fetch_is_refused(submission_run, body, rule):
    cell = f"@probe\ndef p(f):\n    {body}\n"
    got = submission_run.run_test("t", cell)
    assert (got.verdict, got.kind) == ("ungraded", "ValueError")
    assert f"a probe must {rule}" in got.said


GRADIENT = """
import math
from torch import nn
from torch.nn import functional as F
from math import sqrt
scale = 3.0
@probe
def gradients(function, x, weight):
    x = x.requires_grad_()
    module = nn.Identity()
    (F.relu(module(function(x))) * weight * scale * sqrt(math.pi)).sum().backward()
    return x.grad
x, weight = torch.rand(5), torch.randn(5)
close(gradients(f, x, weight), 2 * weight * 3 * math.sqrt(math.pi))
"""


def test_gradients_are_taken_where_the_graph_is(submission_run):
    submission_run.run_cell("def f(x): return 2 * x")
    assert submission_run.run_test("t", GRADIENT).verdict == "passed"
    submission_run.run_cell("def f(x): return 2 * x.detach() + 0 * x")
    assert submission_run.run_test("t", GRADIENT).verdict == "failed"


def test_changes_in_place_are_seen_and_do_not_come_back(submission_run):
    submission_run.run_cell("def f(x):\n    x.mul_(2)\nclass Thing:\n    pass")
    test = (
        "@probe\ndef after(function, x):\n    function(x)\n    return x\n"
        "x = torch.ones(3)\nclose(after(f, x), 2 * torch.ones(3))\nclose(x, torch.ones(3))\n"
        "f(x)\nclose(x, torch.ones(3))"
    )
    assert submission_run.run_test("t", test).verdict == "passed"


def test_a_probe_may_name_the_learners_function_itself(submission_run):
    submission_run.run_cell("def f(x): return 2 * x")
    test = "@probe\ndef p(x):\n    return [f(x + i) for i in range(2)]\nassert p(1) == [2, 4]"
    assert submission_run.run_test("t", test).verdict == "passed"
    assert (
        submission_run.run_test("t", test.replace("f(x", "g(x")).verdict == "failed"
    )  # g is not defined


def test_the_stack_does_not_tell_one_probe_from_another(submission_run):
    submission_run.run_cell(
        "import sys\ndef f():\n    code = sys._getframe(1).f_code\n"
        "    return code.co_name, code.co_qualname, code.co_filename"
    )
    test = (
        "@probe\ndef operations():\n    return f()\n@probe\ndef values():\n    return f()\n"
        "assert operations() == values()"
    )
    assert submission_run.run_test("t", test).verdict == "passed"


def test_a_probe_that_calls_itself_is_refused():
    def again(n):
        return again(n - 1)

    with pytest.raises(ValueError, match="a probe must not call itself, got probe='again'"):
        probes.prepare(again)


def test_an_object_from_a_probe_is_no_data(submission_run):
    submission_run.run_cell("class Thing: pass\ndef f(x): return Thing()")
    got = submission_run.run_test("t", "@probe\ndef p(x):\n    return f(x)\np(1)")
    assert (got.verdict, got.said) == (
        "failed",
        "your code returned an object where plain data must stand",
    )


def test_what_a_probe_takes_from_outside_is_known():
    def sample(x, y=ELSEWHERE):
        def inner(z):
            return torch.ones(z) + len(x)

        return [inner(i) for i in x], y

    assert probes.prepare(sample).uses == {"ELSEWHERE", "torch"}


@pytest.mark.parametrize(
    ("thing", "path"),
    [
        (torch, "torch"),
        (torch.nn.functional, "torch.nn.functional"),
        (torch.nn.Linear, "torch.nn.modules.linear:Linear"),
        (close, "lmcourse.grading.bridge.assertions:close"),
        (lambda x: x, None),
        (3, None),
    ],
)
def test_importable_things_travel_by_name(thing, path):
    assert probes.import_path(thing) == path
    assert path is None or probes.imported(path) is thing
