"""In one process with the tests: an answer may not call what is withheld, a test may."""

import pytest

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.execution.shared_process import source
from lmcourse.grading.execution.unprotected import execute
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.withholding.withheld import Withheld

WITHHELD = Withheld(
    names=("lmcourse.attention", "lmcourse.tokenizers.BPETokenizer", "lmcourse.gone"),
    operators=("_?scaled_dot_product.*", "lstm", "softmax", "logsumexp", "nothing_of_torch"),
    attributes=(
        *("torch.nn.MultiheadAttention", "torch.nn.utils.rnn.pad_sequence", "torch.gone"),
        "torch.optim.Adam",
    ),
)
SETUP = """import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
q = torch.ones(2, 3, 4)"""
ANSWERS = {
    "the package": "from lmcourse.attention import attention; attention(q, q, q)",
    "a class of the package": "from lmcourse import attention as a; a.MultiHeadAttention(4, 2)",
    "one class": "from lmcourse.tokenizers import BPETokenizer; BPETokenizer([])",
    "the operator": "F.scaled_dot_product_attention(q, q, q)",
    "the C function": "torch._C._nn.scaled_dot_product_attention(q, q, q)",
    "a tensor's method": "q.softmax(-1)",
    "another method": "q.logsumexp(-1)",
    "what goes with it": "q.logcumsumexp(-1)",
    "of a part of torch": "torch.special.softmax(q, -1)",
    "another part": "torch.sparse.softmax(q.to_sparse(), -1)",
    "a function that setup imported": "pad_sequence([q])",
    "the layer": "nn.MultiheadAttention(4, 2)",
    "a layer that uses it": "nn.TransformerEncoderLayer(4, 2)",
    "a class of its own": "type('Own', (nn.MultiheadAttention,), {})(4, 2)",
    "a private form": "from torch.optim import adam; adam._single_tensor_adam()",
    "another name": (
        "from torch.nn.attention.flex_attention import flex_attention\n"
        "    flex_attention(q[None], q[None], q[None])"
    ),
    "another form": "torch.optim.SparseAdam([q])",
    "by a lambda that the library calls": "torch.vmap(lambda x: pad_sequence([x]))(q)",
}
ORACLES = [
    "assert F.scaled_dot_product_attention(q, q, q).shape == (2, 3, 4)",
    "from lmcourse.attention import attention\nassert attention(q, q, q)[0].shape == (2, 3, 4)",
    "assert isinstance(nn.MultiheadAttention(4, 2), nn.Module)",
    "assert (q.softmax(-1).sum() - 6).abs() < 1e-5",
    "assert use(lambda: pad_sequence([q])).shape == (2, 1, 3, 4)",
]


def ran(*cells: tuple[str, str]) -> list:
    return execute(
        [CodeCell(kind=kind, source=text) for kind, text in cells], Budgets(), withheld=WITHHELD
    )


@pytest.fixture(scope="module")
def results() -> dict:
    """All of it in one process: cells do not stop one another."""
    answers = [("learner", f"def answer_{n}():\n    {text}") for n, text in
               enumerate(ANSWERS.values())]  # fmt: skip
    calls = [("test", f"answer_{n}()") for n in range(len(ANSWERS))]
    use = [("learner", "def use(function):\n    return function()")]
    oracles = [("test", text) for text in ORACLES]
    done = ran(("setup", SETUP), *answers, *use, *calls, *oracles)
    n = len(ANSWERS)
    return {
        "answers": dict(zip(ANSWERS, done[2 + n : 2 + 2 * n], strict=True)),
        "oracles": done[2 + 2 * n :],
    }


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_refused(results, name):
    result = results["answers"][name]
    assert result.status == "error"
    assert result.message.endswith("is withheld in this assignment: writing it is the task")


@pytest.mark.parametrize("n", range(len(ORACLES)))
def test_a_test_is_not_refused(results, n):
    """Not by name, not through the package, and not in a function that an answer calls back."""
    assert results["oracles"][n].status == "ok", results["oracles"][n].message


def test_it_holds_in_the_process_after_one_that_died():
    died, after = ran(
        ("setup", SETUP),
        ("learner", "import os; os._exit(1)"),
        ("test", "F.scaled_dot_product_attention(q, q, q)"),
    )[1:]
    assert (died.status, after.status) == ("died", "ok")
    again = ran(
        ("setup", SETUP), ("learner", "import os; os._exit(1)"), ("learner", "pad_sequence([q])")
    )
    assert again[2].status == "error"


def test_where_nothing_is_withheld_nothing_is_imported():
    empty = source(Withheld(), [])
    [first] = execute(
        [CodeCell(kind="test", source=f"{empty}\nimport sys\nassert 'torch' not in sys.modules")],
        Budgets(),
    )
    assert first.status == "ok", first.message


# Defined beside the test: a function that catches what a function of the test asserts.
HUSH = """
def hush(function, *values):
    try:
        return function(*values)
    except AssertionError:
        return 0
"""
OWN = "def own(n):\n    assert n < 3"
SMALL = "def small(n):\n    assert n < 3, 'too large'\n"
# Each test, and what it says; empty where it holds.
CALLED_BACK = {
    "a function": (f"{SMALL}hush(small, 4)", "too large"),
    "a function that holds": (f"{SMALL}hush(small, 2)", ""),
    "a method": (
        'class Model:\n    def read(self, n):\n        """Read."""\n'
        "        assert n < 3, 'too large'\nhush(Model().read, 4)",
        "too large",
    ),
    "a lambda": (f"{SMALL}hush(lambda n: small(n), 4)", "too large"),
    "one in another": (
        "def outer(n):\n    def inner(m):\n        assert m < 3, 'too large'\n    inner(n)\n"
        "hush(outer, 4)",
        "too large",
    ),
    "of two errors the first": (
        "def small(n):\n    assert n < 3, f'{n} is too large'\n"
        "hush(small, 4)\nhush(small, 5)\nassert False, 'later'",
        "4 is too large",
    ),
    "the test catches it": (
        f"{SMALL}try:\n    hush(small, 4)\nexcept AssertionError:\n    pass",
        "too large",
    ),
    "the function catches it": (
        f"{SMALL}def safe(n):\n    try:\n        small(n)\n"
        "    except AssertionError:\n        pass\nhush(safe, 4)",
        "",
    ),
    "the test's own, caught by itself": (
        f"{SMALL}try:\n    small(4)\nexcept AssertionError:\n    pass",
        "",
    ),
    "what an answer asserts": ("hush(own, 4)", ""),
    "an error of another kind": ("def small(n):\n    raise ValueError(n)\nhush(small, 4)", "4"),
    "by left_alone": (
        f"from lmcourse.grading.testing import left_alone\n{SMALL}left_alone(hush, small, 4)",
        "too large",
    ),
    "by verdicts": (
        f"from lmcourse.grading.testing import verdicts\n{SMALL}"
        "verdicts(lambda one: hush(one, 4) == 0, [small])",
        "too large",
    ),
}


@pytest.fixture(scope="module")
def in_one_process() -> dict:
    tests = [("test", test) for test, _ in CALLED_BACK.values()]
    done = ran(("learner", HUSH), ("learner", OWN), *tests)
    return dict(zip(CALLED_BACK, done[2:], strict=True))


@pytest.mark.parametrize("name", CALLED_BACK)
def test_an_assertion_in_a_callback_ends_the_test_as_in_the_sandbox(in_one_process, make_run, name):
    test, said = CALLED_BACK[name]
    result = in_one_process[name]
    assert (result.status, said in result.message) == ("error" if said else "ok", True), result
    run = make_run(wanted=frozenset({"hush", "own"}))
    run.run_cell(HUSH)
    run.run_cell(OWN)
    outcome = run.run_test("t", test)
    assert outcome.verdict == ("failed" if said else "passed"), outcome
    assert said in outcome.message
