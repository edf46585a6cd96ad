"""What a cell far away sets costs no answer a point, is named, and is there again afterwards."""

import pytest

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.bridge import torch_defaults
from lmcourse.grading.execution import explanations
from lmcourse.grading.execution.unprotected import execute
from lmcourse.grading.sandbox.budgets import Budgets

# What learners write into a cell, and how they can read what it has done.
CHANGES = {
    "torch.set_grad_enabled(False)": ("torch.is_grad_enabled()", "False"),
    "torch.set_default_dtype(torch.float64)": ("torch.get_default_dtype()", "torch.float64"),
    "torch.set_default_device('meta')": ("torch.get_default_device()", "meta"),
    "torch.set_autocast_enabled('cpu', True)": ('torch.is_autocast_enabled("cpu")', "True"),
    "torch.set_num_threads(3)": ("torch.get_num_threads()", "3"),
    "torch.use_deterministic_algorithms(True)": (
        "torch.are_deterministic_algorithms_enabled()",
        "True",
    ),
    "torch.autograd.set_detect_anomaly(True)": ("torch.is_anomaly_enabled()", "True"),
    "torch.set_float32_matmul_precision('medium')": (
        "torch.get_float32_matmul_precision()",
        "medium",
    ),
    "numpy.seterr(all='raise')['over']": (
        "numpy.geterr()",
        "{'divide': 'raise', 'over': 'raise', 'under': 'raise', 'invalid': 'raise'}",
    ),
    "torch.set_flush_denormal(True)": ("torch.set_flush_denormal()", "True"),
    "mode = torch.inference_mode(); mode.__enter__()": (
        "torch.is_inference_mode_enabled()",
        "True",
    ),
}
SETUP = "import torch, numpy"
READS = [read for read, _ in CHANGES.values() if "flush" not in read]
READ = f"[str(value) for value in [{', '.join(READS)}, 5e-324 * one]]"
ANSWER = f"one = 1.0\nstart = {READ}\ndef f():\n    return {READ}\ndef g():\n    return start"
TEST = "assert f() == g() and f()[:2] == ['True', 'torch.float32'], f()"
SHOW = f"print({READ} == start, f() == {READ})"


def kind(name: str, source: str) -> CodeCell:
    return CodeCell(kind=name, source=source)


NOTEBOOK = [
    kind("setup", SETUP),
    kind("learner", ANSWER),
    kind("test", TEST),
    *(kind("learner", change) for change in CHANGES),
    kind("test", TEST),
    kind("learner", SHOW),
]


def in_the_sandbox(make_run, cells):
    submission_run = make_run()
    return [submission_run.run(cell) for cell in cells]


def in_one_process(make_run, cells):
    return execute(cells, Budgets())


ENGINES = pytest.mark.parametrize("engine", [in_the_sandbox, in_one_process])


def test_each_setting_is_changed_here_and_has_its_advice():
    read = {name for name, _ in CHANGES.values()}
    assert read == set(torch_defaults._SETTINGS) == set(explanations.INSTEAD)


@ENGINES
def test_a_change_is_named_costs_nothing_and_is_there_again(engine, make_run):
    ran = engine(lambda: make_run(wanted=frozenset({"f", "g"})), NOTEBOOK)
    changed, tests, last = ran[3:-2], [ran[2], ran[-2]], ran[-1]
    assert [one.changed for one in changed] == [{name: now} for name, now in CHANGES.values()]
    for test in tests:
        assert getattr(test, "verdict", test) == "passed" or test.status == "ok", test
    # What the cell sees, an answer that it calls sees too; neither is what it was at first.
    assert last.outputs[0]["text"] == "False True\n"


@ENGINES
def test_what_the_author_sets_is_a_default(engine, make_run):
    dtype = "import torch\ntorch.set_default_dtype(torch.float64)"
    cells = [
        kind("setup", dtype),
        kind("learner", "def f(): return torch.ones(1)\ntorch.set_default_dtype(torch.float32)"),
        kind("test", "assert f().dtype is torch.ones(1).dtype is torch.float64"),
    ]
    ran = engine(make_run, cells)
    assert [one.changed for one in ran[:2]] == [{}, {"torch.get_default_dtype()": "torch.float32"}]
    assert getattr(ran[2], "verdict", ran[2]) == "passed" or ran[2].status == "ok", ran[2]


@ENGINES
def test_a_cell_that_fails_or_does_not_end_is_named_too(engine, make_run):
    change = "import torch\ntorch.set_grad_enabled(False)\n"
    for rest in ("1 / 0", "while True: pass"):
        [ran] = engine(make_run, [kind("learner", change + rest)])
        assert ran.changed == {"torch.is_grad_enabled()": "False"}, rest


def test_what_an_answer_leaves_behind_ends_with_its_call(make_run):
    submission_run = make_run()
    submission_run.run_setup(SETUP)
    submission_run.run_cell("def f(): torch.set_grad_enabled(False)\ndef g(): return 1")
    assert submission_run.run_test("t", "f()").verdict == "passed"
    shown = submission_run.run_cell("print(torch.is_grad_enabled())")
    assert (shown.outputs[0]["text"], shown.changed) == ("True\n", {})


def test_without_torch_there_is_nothing_to_look_at():
    test = "import sys\nassert 'torch' not in sys.modules"
    [ran] = execute([kind("test", test)], Budgets())
    assert (ran.status, ran.changed) == ("ok", {}), ran.message
