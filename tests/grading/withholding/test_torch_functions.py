"""What is withheld of torch raises and says so; everything else works as before."""

import importlib
import json
import subprocess
import sys

import pytest
import torch

from lmcourse.grading.assignment.course import find_course
from lmcourse.grading.assignment.notebooks import withheld_from
from lmcourse.grading.withholding import torch_functions

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


def test_the_judge_may_call_it(withheld_run):
    withheld_run.run_cell("def f(q): return (q @ q.mT / 2).softmax(-1) @ q")
    oracle = "torch.nn.functional.scaled_dot_product_attention(q, q, q)"
    test = f"q = torch.randn(2, 3, 4)\nclose(f(q), {oracle})"
    assert withheld_run.run_test("t", test).verdict == "passed"


def test_the_private_forms_of_what_is_withheld_go_with_it():
    forms = torch_functions.other_forms(torch.optim.Adam)
    assert "torch.optim.adam._single_tensor_adam" in forms
    functional = importlib.import_module("torch.optim.adam").adam
    assert forms == torch_functions.other_forms(functional)
    # A public name of a private function is that function: both go at once.
    assert torch_functions.other_forms(torch.nn.utils.clip_grads_with_norm_) == {}
    assert torch_functions.other_forms(torch.nn.LSTM) == {}


# What else PyTorch has in Python of an operator, to trace and to compile it.
PYTHON_FORMS = """
import torch
from torch._decomp import decomposition_table, decompositions
from torch._refs.nn import functional as refs
from lmcourse.grading.withholding.torch_functions import apply
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
try: print("it ran", before())
except RuntimeError as error: print(error)
one, zero = torch.ones(1), torch.zeros(1)
print(refs.softplus(zero).item() > 0, torch.nn.functional.l1_loss(one, zero).item())
"""


def test_what_pytorch_compiles_of_an_operator_goes_with_it():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PYTHON_FORMS], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *refused, rest = done.stdout.splitlines()
    assert len(refused) == 8  # the last one: whoever has kept a function has kept a refusal
    assert [line for line in refused if not line.endswith("in this assignment: write it")] == []
    assert rest == "True 1.0"


# Ways to an operator or function that its name does not tell; each runs until then.
WAYS = """
import threading, types, gc
import torch
import torch._refs as refs
from torch import nn
from torch._decomp import decompositions
from torch.ao.nn import quantizable
from torch.onnx import ops as onnx
from torch.utils._python_dispatch import _disable_current_modes
from lmcourse.grading.withholding.torch_functions import apply
aten, Key = torch.ops.aten, torch._C.DispatchKey
x, h, ids = torch.rand(2, 3), torch.rand(2, 1), torch.tensor([0, 1])
cell = x, [h, h], torch.rand(4, 3), torch.rand(4, 1)
whole = x[None], [h[None], h[None]], cell[2:], False, 1, 0.0, False, False, True
composite, q = Key.CompositeImplicitAutograd, torch.rand(1, 2, 3, 4)
layers = {layer.__name__: layer for layer in nn.Module.__subclasses__()}
lstm = nn.RNNBase.__subclasses__()[1]
impl = aten.lstm.input.py_kernels[composite]
jitted = torch.jit.script(torch.nn.functional.softmax)
packed = [torch.fbgemm_linear_quantize_weight(weights) for weights in cell[2:4]]
quantized = (
    *(one[0] for one in packed), torch.zeros(4), torch.zeros(4),
    *(torch.fbgemm_pack_quantized_matrix(one[0]) for one in packed),
    *(one[n] for n in (1, 2, 3) for one in packed),
)
layer = onnx.aten_decompositions()[torch.ops.onnx.Attention.opset23]


def in_a_thread():
    found = []
    def work():
        try: found.append(torch.softmax(x, -1))
        except RuntimeError as error: found.append(error)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception): raise found[0]


def without_modes():
    with _disable_current_modes(): torch.softmax(x, -1)


class Inside(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return torch.ops.aten._softmax(x, -1, False)


calls = (
    lambda: aten.lstm_cell.default.decompose(*cell),
    lambda: aten.lstm_cell.default._op(*cell),
    lambda: aten.lstm.input.decompose(*whole),
    lambda: aten.lstm.input._op_dk(composite, *whole),
    lambda: impl(*whole),
    lambda: torch._VF.lstm_cell(*cell),
    lambda: torch._C._VariableFunctions.lstm_cell(*cell),
    lambda: lstm(3, 1)(x),
    lambda: lstm.forward(types.SimpleNamespace(), x),
    lambda: decompositions.one_layer_rnn(
        x[None], h[None], [cell[2][:1], cell[3][:1]], False, decompositions.rnn_cell(torch.tanh)
    ),
    lambda: aten.scaled_dot_product_attention.default.decompose(q, q, q),
    lambda: aten._scaled_dot_product_attention_math.default.decompose(q, q, q),
    lambda: quantizable.MultiheadAttention(4, 2)(q[0], q[0], q[0]),
    lambda: layers["MultiheadAttention"](4, 2),
    lambda: torch.softmax(x.to_mkldnn(), -1),
    lambda: torch.sparse.softmax(x.to_sparse(), -1),
    lambda: torch.masked.softmax(x, -1),
    lambda: torch.softmax(torch.nested.nested_tensor([x]), -1),
    lambda: aten._softmax.default._op_dk(Key.CompositeExplicitAutogradNonFunctional, x, -1, False),
    lambda: torch.library.get_kernel("aten::_softmax", "CPU").call_boxed(
        torch._C.DispatchKeySet(Key.CPU), x, -1, False
    ),
    lambda: aten._softmax_backward_data(x, x, -1, x.dtype),
    lambda: jitted(x, -1),
    lambda: refs.softmax(x, -1),
    lambda: refs.softmax.__wrapped__(x, -1),
    lambda: torch.func.vmap(lambda row: torch.softmax(row, -1))(x),
    lambda: torch.logcumsumexp(x, -1),
    in_a_thread,
    without_modes,
    lambda: Inside.apply(x),
    lambda: aten.cross_entropy_loss.default.decompose(x, ids),
    lambda: aten.pad_sequence.default.decompose([x, x[:1]]),
    lambda: torch.nested.nested_tensor([x, x[:1]]).to_padded_tensor(0.0),
    lambda: aten._jagged_to_padded_dense_forward(x, [ids], [1], 0.0),
    lambda: torch._VF._pad_packed_sequence(x, torch.tensor([2]), True, 0.0, 1),
    lambda: torch.quantized_lstm_cell(x, [h, h], *quantized),
    lambda: torch.ao.nn.quantized.dynamic.LSTMCell(3, 1)(x, (h, h)),
    lambda: onnx.attention(q, q, q, softmax_precision=1),
    lambda: onnx.rotary_embedding(q, x[:, :2], x[:, :2], torch.zeros(1, 3, dtype=int)),
    lambda: torch.ops.onnx.Attention.opset23(q, q, q, softmax_precision=1),
    lambda: layer(q, q, q, softmax_precision=1),
)
for call in calls: call() if call is not calls[8] else None
withheld = {
    "operators": [
        "lstm", "lstm_cell", "rnn_tanh", "_?scaled_dot_product.*", "_?(log_)?softmax", "logsumexp",
        "cross_entropy_loss", "pad_sequence",
    ],
    "attributes": ["torch.nn.LSTM", "torch.nn.MultiheadAttention"],
    "say": "write it",
}
apply(withheld)
for number, call in enumerate(calls):
    try: print("it ran", number, call())
    except RuntimeError as error:
        print("refused" if "withheld in this assignment: write it" in str(error) else error)
print(torch.func.jvp(torch.sin, (x,), (x,))[1].shape, nn.Linear(3, 1)(x).shape)
print(torch.nn.functional.poisson_nll_loss(x, x).shape, nn.GRU(3, 1)(x)[1].shape)
"""


def test_no_way_to_what_is_withheld_is_open_whatever_its_name():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WAYS], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *said, first, second = done.stdout.splitlines()
    assert said == ["refused"] * 40  # as many as there are calls
    assert (first, second) == (
        "torch.Size([2, 3]) torch.Size([2, 1])",
        "torch.Size([]) torch.Size([1, 1])",
    )


# For each operator that an assignment of the course withholds, every kernel that torch has of it.
KERNELS = """
import json, sys, torch
from lmcourse.grading.withholding import torch_functions as functions
patterns = [functions.compiled(text) for text in json.loads(sys.argv[1])]
functions.apply({"operators": json.loads(sys.argv[1]), "say": "write it"})
chosen = {full for pattern in patterns for full in functions.operators_of(pattern)}
for full in sorted(chosen):
    for line in torch._C._dispatch_dump(full).splitlines():
        key, _, place = line.partition(": registered at ")
        # Ours have no file. Keys that Python does not know, of tracing say, call what lies below.
        computes = key.removesuffix("[alias]") in torch._C.DispatchKey.__members__
        if computes and "Meta" not in key and not place.startswith(":0 "): print(full, line)
print(len(chosen))
"""


def test_every_kernel_of_what_the_course_withholds_is_a_refusal():
    course = find_course()
    stated = [withheld_from(course.solution(slug)).operators for slug in course.assignments()]
    operators = json.dumps(sorted({pattern for some in stated for pattern in some}))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KERNELS, operators], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *left, count = done.stdout.splitlines()
    assert left == []
    assert int(count) > 100


# Only within: before and after everything runs.
MEANWHILE = """
import threading, torch
import torch._refs as refs
from torch.nn import functional as F
from torch.utils._python_dispatch import _disable_current_modes
from lmcourse.grading.withholding.torch_functions import without
x = torch.rand(2, 3)
def in_a_thread():
    found = []
    def work():
        try: found.append(F.layer_norm(x, (3,)))
        except RuntimeError as error: found.append(error)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception): raise found[0]
def without_modes():
    with _disable_current_modes(): F.layer_norm(x, (3,))
calls = (
    lambda: F.layer_norm(x, (3,)), in_a_thread, without_modes, lambda: F.group_norm(x, 1),
    lambda: refs.native_layer_norm(x, (3,), None, None, 1e-5),
    lambda: torch.ops.aten.layer_norm.default.decompose(x, (3,)),
    lambda: torch.native_layer_norm(x, (3,), None, None, 1e-5), lambda: F.rms_norm(x, (3,)),
    lambda: refs._normalize(x, [1], 1e-5),  # of which the Python form is made
)
def all_run():
    return sum(call() is not Exception for call in calls)
print(all_run())
for _ in range(2):
    try:
        with without("(native_)?(layer|group)_norm|_?(fused_)?rms_norm"):
            for call in calls:
                try: print("it ran", call())
                except RuntimeError as error: print(error)
            x.mean(-1), x.var(-1), F.normalize(x)
            raise KeyError
    except KeyError: pass
    print(all_run())
"""


def test_within_a_probe_operators_raise_and_afterwards_they_run_again():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEANWHILE], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == 21
    assert said[0] == said[10] == said[20] == "9"
    refused = [*said[1:10], *said[11:20]]
    wrong = [
        line
        for line in refused
        if not line.endswith("is withheld in this assignment: writing it is the task")
    ]
    assert wrong == []


TWICE = """
import torch._refs as refs
from lmcourse.grading.withholding import torch_functions as functions
code = refs.native_layer_norm.__code__
with functions.without("native_layer_norm"):
    functions._restore(refs.native_layer_norm, code)
assert refs.native_layer_norm.__code__ is code
"""


def test_who_gives_back_too_early_does_not_end_the_block_with_an_error():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TWICE], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# Other names for what is withheld; each runs until then.
OTHER_NAMES = """
import torch
from torch import nn, optim
from torch.ao.nn.quantizable import LSTM, LSTMCell
from torch.nn import functional as F
from torch.nn.attention.flex_attention import flex_attention
from lmcourse.grading.withholding.torch_functions import apply
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
