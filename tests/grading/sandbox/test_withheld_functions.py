"""What is withheld raises and says so; everything else works as before."""

import ast
import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import forks
import pytest
import torch
from sandbox_processes import SETUP, SMALL, shown
from tiny_course import make_course, solution

import lmcourse
from lmcourse.grading.bridge import LEARNER
from lmcourse.grading.execution.sandboxed import SubmissionRun
from lmcourse.grading.sandbox import bubblewrap, withheld_functions
from lmcourse.grading.sandbox.bubblewrap import PACKAGE
from lmcourse.grading.sandbox.budgets import MIB
from lmcourse.grading.sandbox.processes import ForkServer
from lmcourse.grading.sandbox.withheld_functions import Withheld, require, stated, stub_tree

ATTENTION = Withheld(
    names=("lmcourse.attention.attention", "lmcourse.attention.MultiHeadAttention.forward"),
    operators=("_?scaled_dot_product_.*", "_native_multi_head_attention"),
    attributes=("torch.nn.MultiheadAttention",),
    say="writing it is the task",
)


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "pkg"
    (folder / "sub").mkdir(parents=True)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_bytes(b"secret")
    (folder / "__init__.py").write_text("VALUE = 1\n")
    (folder / "sub" / "__init__.py").write_text("")
    (folder / "sub" / "a.py").write_text(
        "import functools\nSECRET = 'kept'\n@functools.cache\ndef answer(x):\n"
        "    return x + 41  # by magic\ndef helper():\n    return answer(1)\n"
        "class Layer:\n    def build(self):\n        return 'built'\n"
        "    def forward(self):\n        return 'forward'\nclass Whole:\n    size = 3\n"
    )
    (folder / "b.py").write_text("def one(): return 1  # stays\ndef two(): return 2\n")
    return folder


def read(folder, name):
    return (folder / name).read_text()


def test_bodies_are_cut_out_and_the_rest_stays(package, tmp_path):
    withheld = Withheld(names=("pkg.sub.a.answer", "pkg.sub.a.Layer.forward", "pkg.sub.a.Whole"))
    target = stub_tree(package, tmp_path / "stub", withheld)
    text = read(target, "sub/a.py")
    assert not [word for word in ("41", "magic", "size") if word in text]
    scope = {}
    exec(text, scope)
    assert scope["SECRET"] == "kept"
    assert scope["Layer"]().build() == "built"
    for use in (lambda: scope["helper"](), scope["Layer"]().forward, scope["Whole"]):
        with pytest.raises(RuntimeError, match="is withheld in this assignment: writing it is"):
            use()
    assert read(target, "b.py") == read(package, "b.py")
    assert not (target / "__pycache__").exists()


def test_a_whole_module_can_be_withheld(package, tmp_path):
    target = stub_tree(package, tmp_path / "stub", Withheld(names=("pkg.b",)))
    scope = {}
    exec(read(target, "b.py"), scope)
    with pytest.raises(RuntimeError, match=r"pkg\.b\.two is withheld"):
        scope["two"]()


def test_a_name_that_is_not_there_is_refused(package, tmp_path):
    with pytest.raises(ValueError, match=r"withheld names must exist, got pkg\.b\.three"):
        stub_tree(package, tmp_path / "stub", Withheld(names=("pkg.b.one", "pkg.b.three")))


@pytest.fixture(scope="module")
def withheld_learners(tmp_path_factory):
    stub = stub_tree(PACKAGE, tmp_path_factory.mktemp("stub") / "lmcourse", ATTENTION)
    with ForkServer(LEARNER, package=stub, withheld=ATTENTION) as learners:
        yield learners


@pytest.fixture(scope="module")
def withheld_run(withheld_learners, judges):
    with SubmissionRun(withheld_learners, judges, SMALL, wanted=frozenset({"f"})) as submission_run:
        submission_run.run_setup(SETUP)
        yield submission_run


CALLS = {
    "the package": "from lmcourse.attention import attention; attention(q, q, q)",
    "a method of the package": "import lmcourse.attention as a; a.MultiHeadAttention(4, 2)(q)",
    "the function": "F.scaled_dot_product_attention(q, q, q)",
    "with gradients": "F.scaled_dot_product_attention(q.requires_grad_(), q, q)",
    "the operator": "torch.ops.aten.scaled_dot_product_attention(q, q, q)",
    "what lies below": "torch.ops.aten._scaled_dot_product_attention_math(q, q, q)",
    "the C function": "torch._C._nn.scaled_dot_product_attention(q, q, q)",
    "the version that is compiled": (
        "torch._decomp.decompositions.scaled_dot_product_flash_attention_for_cpu(q, q, q)"
    ),
    "under vmap": "torch.vmap(F.scaled_dot_product_attention)(q, q, q)",
    "without autograd": "with torch.inference_mode(): F.scaled_dot_product_attention(q, q, q)",
    "one of another name": (
        "from torch.nn.attention.flex_attention import flex_attention\n"
        "flex_attention(q[None], q[None], q[None])"
    ),
    "what that calls": (
        "import sys; flex = sys.modules['torch._higher_order_ops.flex_attention']\n"
        "flex.math_attention(q)"
    ),
    "the layer": "torch.nn.MultiheadAttention(4, 2)",
    "the layer where it is defined": "torch.nn.modules.activation.MultiheadAttention(4, 2)",
    "a layer that uses it": "torch.nn.TransformerEncoderLayer(4, 2)",
    "the layer, its module loaded again": (
        "import importlib as i; i.reload(torch.nn.modules.activation).MultiheadAttention(4, 2)"
    ),
    "the layer, its file run": (
        "import runpy; path = torch.nn.modules.activation.__file__\n"
        "runpy.run_path(path, run_name='torch.nn.modules.own')['MultiheadAttention'](4, 2)"
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_learners_side_may_not_call_it(withheld_run, name):
    start = "import torch\nfrom torch.nn import functional as F\nq = torch.ones(2, 3, 4)\n"
    cell = start + CALLS[name]
    ran = withheld_run.run_cell(cell)
    assert ran.status == "error"
    assert "withheld in this assignment: writing it is the task" in ran.message


# Interpreters that the learner's code starts; each imports PyTorch, which takes seconds.
PATIENT = replace(SMALL, cell_seconds=100.0, total_seconds=400.0, memory_bytes=1024 * MIB)
CHILD = """
import torch
from torch.nn import functional as F
q = torch.ones(2, 3, 4)
attend, layer = F.scaled_dot_product_attention, torch.nn.MultiheadAttention
for call in (lambda: attend(q, q, q), lambda: layer(4, 2)):
    try: call()
    except RuntimeError as error: print(error)
    else: print("it ran")
print(F.softmax(q, -1).sum().item())
"""
CHILDREN = {
    "subprocess": "subprocess.run([sys.executable, '-c', CHILD])",
    "one that is told nothing": "subprocess.run([sys.executable, '-I', '-c', CHILD], env={})",
    "multiprocessing": """
process = multiprocessing.get_context('spawn').Process(target=exec, args=(CHILD, {}))
process.start()
process.join()
""",
    # What a fork prints into the cell's own output is lost with it.
    "a fork": """
back, there = os.pipe()
if os.fork() == 0:
    try:
        with open(there, 'w') as sys.stdout: exec(CHILD, {})
    finally:
        os._exit(0)
os.close(there)
print(open(back).read(), end='')
""",
}


@pytest.mark.parametrize("way", CHILDREN)
def test_nor_may_an_interpreter_that_it_starts(withheld_learners, judges, way):
    with SubmissionRun(withheld_learners, judges, PATIENT, wanted=frozenset()) as submission_run:
        cell = f"import multiprocessing, os, subprocess, sys\nCHILD = {CHILD!r}\n{CHILDREN[way]}"
        ran = submission_run.run_cell(cell)
    lines = shown(ran).splitlines()
    assert len(lines) == 3, (ran, lines)
    assert "torch's scaled_dot_product_attention is withheld in this assignment" in lines[0]
    assert "torch.nn.MultiheadAttention is withheld in this assignment" in lines[1]
    assert lines[2] == "6.0"  # all else is PyTorch as ever


def test_where_the_sandbox_has_the_functions_that_withhold():
    below = f"{bubblewrap._COURSE}/{PACKAGE.name}"
    assert withheld_functions.IN_SANDBOX.startswith(f"{below}/")
    path = PACKAGE / withheld_functions.IN_SANDBOX.removeprefix(f"{below}/")
    assert path.samefile(withheld_functions.__file__)


def test_the_private_forms_of_what_is_withheld_go_with_it():
    forms = withheld_functions.other_forms(torch.optim.Adam)
    assert "torch.optim.adam._single_tensor_adam" in forms
    functional = importlib.import_module("torch.optim.adam").adam
    assert forms == withheld_functions.other_forms(functional)
    # A public name of a private function is that function: both go at once.
    assert withheld_functions.other_forms(torch.nn.utils.clip_grads_with_norm_) == {}
    assert withheld_functions.other_forms(torch.nn.LSTM) == {}


# What else PyTorch has in Python of an operator, to trace and to compile it.
PYTHON_FORMS = """
import torch
from torch._decomp import decomposition_table, decompositions
from torch._refs.nn import functional as refs
from lmcourse.grading.sandbox.withheld_functions import apply
before = decompositions.nll_loss_forward
apply({"operators": ["nll_loss.*", "lstm", "binary_cross_entropy.*"], "say": "write it"})
for function in (
    decompositions.nll_loss_forward, refs.nll_loss, decompositions.lstm_impl,
    decompositions.one_layer_lstm, decompositions.binary_cross_entropy,
    decomposition_table[torch.ops.aten.nll_loss_forward.default],
    decomposition_table[torch.ops.aten.lstm.input],
):
    try: print("it ran", function())
    except RuntimeError as error: print(error)
tables = vars(decompositions), decomposition_table
print(any(before is one for table in tables for one in table.values()))
one, zero = torch.ones(1), torch.zeros(1)
print(refs.softplus(zero).item() > 0, torch.nn.functional.l1_loss(one, zero).item())
"""


def test_what_pytorch_compiles_of_an_operator_goes_with_it():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PYTHON_FORMS], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *refused, left, rest = done.stdout.splitlines()
    assert len(refused) == 7
    assert [line for line in refused if not line.endswith("in this assignment: write it")] == []
    assert (left, rest) == ("False", "True 1.0")


# Other names for what is withheld; each runs until then.
OTHER_NAMES = """
import torch
from torch import nn, optim
from torch.ao.nn.quantizable import LSTM, LSTMCell
from torch.nn import functional as F
from torch.nn.attention.flex_attention import flex_attention
from lmcourse.grading.sandbox.withheld_functions import apply
x, ids = torch.rand(2, 3), torch.tensor([0, 1])
parameter = nn.Parameter(x)
calls = (
    lambda: flex_attention(x[None, None], x[None, None], x[None, None]),
    lambda: LSTMCell(3, 4)(x),
    lambda: LSTM(3, 4)(x[None]),
    lambda: F.linear_cross_entropy(x, torch.eye(3), ids),
    lambda: F.multilabel_soft_margin_loss(x, x),
    lambda: nn.MultiLabelSoftMarginLoss()(x, x),
    lambda: optim.SparseAdam([parameter]),
)
for call in calls: call()
attributes = ["torch.optim.Adam", "torch.nn.LSTM"]
operators = [".*dot_product_attention", "lstm.*", "(binary_)?cross_entropy.*"]
apply({"operators": operators, "attributes": attributes, "say": "write it"})
for call in calls:
    try: print("it ran", call())
    except RuntimeError as error: print(error)
for free in (lambda: optim.NAdam([parameter]), lambda: F.soft_margin_loss(x, x)): free()
"""


def test_what_has_another_name_goes_with_it():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OTHER_NAMES], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.split("\n")[:-1]
    assert len(said) == 7
    assert [line for line in said if not line.endswith("in this assignment: write it")] == []


@pytest.mark.parametrize("key", withheld_functions._ELSEWHERE)
def test_each_other_name_is_there_and_is_cut_in_its_file(key, tmp_path):
    names = withheld_functions._ELSEWHERE[key]
    kind = "attributes" if key.startswith("torch.") else "operators"
    withheld = Withheld(**{kind: (key,)})
    assert set(names) <= {*withheld_functions.elsewhere(withheld.as_json())}
    assert require(withheld, PACKAGE) is None
    target = stub_tree(PACKAGE, tmp_path / "lmcourse", withheld)
    texts = [Path(new).read_text("utf-8") for new, old in withheld_functions.covers(target)]
    assert all(ast.parse(text).body for text in texts)
    for full in names:
        assert any(f"{full} is withheld in this assignment" in text for text in texts), full


def test_a_file_of_pytorchs_without_what_is_withheld_has_all_else_in_its_place(tmp_path):
    attributes = ("torch.optim.Adam", "torch.nn.utils.clip_grad_norm_", "torch.nn.LSTM")
    target = stub_tree(PACKAGE, tmp_path / "lmcourse", Withheld(attributes=attributes))
    pairs = withheld_functions.covers(target)
    own = Path(torch.__file__).parent
    sources = {Path(old).relative_to(own).as_posix(): new for new, old in pairs if old[-1] == "y"}
    cut = {}
    for name, new in sources.items():
        theirs, ours = (ast.parse(Path(path).read_text("utf-8")) for path in (own / name, new))
        kept = {node.lineno: ast.unparse(node) for node in theirs.body}
        changed = [node for node in ours.body if kept.get(node.lineno) != ast.unparse(node)]
        cut[name] = {getattr(node, "name", "") for node in changed}
        assert name == "__init__.py" or all("is withheld" in ast.unparse(node) for node in changed)
    assert "_withhold" in cut.pop("__init__.py")
    assert cut == {
        "optim/adam.py": {"Adam", "_single_tensor_adam", "_multi_tensor_adam", "_fused_adam"},
        "optim/sparse_adam.py": {"SparseAdam"},
        "optim/_functional.py": {"sparse_adam"},
        "nn/utils/clip_grad.py": {"clip_grad_norm_"},
        "nn/modules/rnn.py": {"LSTM"},
    }
    # What is compiled of them is covered, too, if it is there.
    assert {new for new, old in pairs if old.endswith(".pyc")} <= {*sources.values()}


def test_the_source_of_the_answer_is_not_there(withheld_run):
    ran = withheld_run.run_cell(
        "import lmcourse.attention, inspect, pathlib\n"
        "print(inspect.getsource(lmcourse.attention.attention).count('@'))\n"
        f"print(pathlib.Path({str(PACKAGE)!r}).exists())"
    )
    assert shown(ran) == "0\nFalse\n", (shown(ran), lmcourse.__file__)


def test_the_judge_may_call_it(withheld_run):
    withheld_run.run_cell("def f(q): return (q @ q.mT / 2).softmax(-1) @ q")
    oracle = "torch.nn.functional.scaled_dot_product_attention(q, q, q)"
    test = f"q = torch.randn(2, 3, 4)\nclose(f(q), {oracle})"
    assert withheld_run.run_test("t", test).verdict == "passed"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["attention"], "withheld must hold nothing but"),
        ({"name": []}, r"withheld must hold nothing but .*got \{'name': \[\]\}"),
        ({"names": "lmcourse.attention"}, "withheld names must be a list of texts, got 'lmcourse"),
        ({"operators": [1]}, r"withheld operators must be a list of texts, got \[1\]"),
        ({"say": ["x"]}, r"withheld say must be a text, got \['x'\]"),
    ],
)
def test_what_a_notebook_states_badly_is_said(said, message):
    with pytest.raises(ValueError, match=message):
        stated(said)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"names": ["lmcourse.attention.attend"]}, r"names must exist, got lmcourse\..*attend"),
        ({"operators": ["_?scaled_dot.*", "sofmax"]}, "operators must exist, got 'sofmax'"),
        ({"operators": ["("]}, r"must be regular expressions, got '\('"),
        ({"attributes": ["torch.nn.Multihead"]}, "attributes must exist, got 'torch.nn.Multihead'"),
        ({"attributes": ["softmax"]}, "attributes must exist, got 'softmax'"),
    ],
)
def test_what_is_not_there_to_withhold_is_said_before_anybody_is_graded(said, message):
    with pytest.raises(ValueError, match=message):
        require(stated(said), PACKAGE)


def test_what_the_course_withholds_is_there():
    assert require(ATTENTION, PACKAGE) is None
    assert require(Withheld(), PACKAGE) is None


@pytest.mark.slow
def test_a_wrong_name_stops_release_and_grading_at_once_with_one_line(tmp_path):
    root = make_course(tmp_path / "course")
    nb = solution()
    assert forks.lmcourse("release", cwd=root).returncode == 0
    for student in ("ada", "ben"):
        (root / "in" / student).mkdir(parents=True)
        (root / "in" / student / "tiny.ipynb").write_text(json.dumps(nb))
    nb["metadata"]["lmcourse"] = {"withheld": {"names": ["lmcourse.nowhere"]}}
    (root / "solutions/tiny/tiny.ipynb").write_text(json.dumps(nb))
    for call in (["release"], ["grade", "in", "-a", "tiny"]):
        done = forks.lmcourse(*call, cwd=root)
        said = "tiny: metadata.lmcourse.withheld: withheld names must exist, got lmcourse.nowhere"
        assert (done.returncode, done.stderr) == (1, f"lmcourse: {said}\n")
    assert not (root / "grades/tiny.json").exists()
