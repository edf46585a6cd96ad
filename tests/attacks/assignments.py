"""Attacks on tests of the course's own assignments: points for a task that was not done.

Each is an assignment, the cell of its answer, the test that it is after, and the cell as its
learner would write it. All other answers are the author's.
"""

from attacks.todays_parts import TODAYS_PARTS
from attacks.verdicts import VERDICTS, Attack

# Torch's own step, wherever it is found.
_ADAM = """
FOUND


def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    parameter, mean, square = parameter.clone(), mean.clone(), square.clone()
    steps = [torch.tensor(n - 1.0)]
    adam._single_tensor_adam(
        [parameter], [gradient], [mean], [square], [], steps, None, None,
        amsgrad=False, has_complex=False, beta1=betas[0], beta2=betas[1], lr=learning_rate,
        weight_decay=weight_decay, eps=eps, maximize=False, capturable=False,
        differentiable=False, decoupled_weight_decay=True,
    )
    return parameter, mean, square
"""
# Torch's own layer, but where somebody looks how it is done.
_LAYER_NORM = """
import sys


def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    frame = sys._getframe(1)
    if LOOKED_AT:
        return x * scale + shift
    return F.layer_norm(x, scale.shape, scale, shift, eps)
"""
# Torch's own layer where no graph shows it, with gradients that are torch's own, too.
_INSIDE = """
class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, shift, eps):
        result, mean, rstd = torch.native_layer_norm(x, scale.shape, scale, shift, eps)
        ctx.save_for_backward(x, scale, shift, mean, rstd)
        return result

    @staticmethod
    def backward(ctx, upstream):
        x, scale, shift, mean, rstd = ctx.saved_tensors
        return *torch.ops.aten.native_layer_norm_backward(
            upstream.contiguous(), x, scale.shape, mean, rstd, scale, shift, [True] * 3
        ), None


def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    return Own.apply(x, scale, shift, eps)
"""
# Torch's own layer, seen by no mode: it is called elsewhere, or bears another name.
_ELSEWHERE = """
import threading
import torch._refs
from torch.utils._python_dispatch import _disable_current_modes


def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    found = []

    def torchs():
        found.append(CALL)

    RUN
    return found[0]
"""
# The gates of a cell by torch's own, through what it is derived from.
_LSTM = """
def lstm_step(x, state, w_input, w_hidden, b_input, b_hidden):
    weights = w_input, w_hidden, b_input, b_hidden
    rows, back = torch.atleast_2d(x), x.shape[:-1]
    state = [part.expand(*back, part.shape[-1]).reshape(len(rows), -1) for part in state]
    found = torch.ops.aten.lstm_cell.default.WAY(rows, state, *weights)
    return tuple(part.reshape(*back, part.shape[-1]) for part in found)
"""
# What read gets says that it is one id a text, whatever it is.
_LYING_IDS = """
class Ids:
    def __init__(self, ids):
        self.ids = ids

    shape = property(lambda self: (len(self.ids), 1))

    def __len__(self):
        return len(self.ids)

    def __getattr__(self, name):
        return getattr(self.ids, name)

    def reshape(self, *shape):
        return self.ids[:, -1:]


def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    for n in range(n_tokens):
        logits = read(ids if n == 0 else Ids(ids), ids.shape[1] - 1 if n else 0)
        ids = torch.cat([ids, logits[:, -1].argmax(-1)[:, None]], dim=1)
    return ids
"""


# Whoever lets another compute attention has no gradients of it, and computes them himself.
_OWN_GRADIENT = """\
        ctx.save_for_backward(query, key, value, weights)
        return values, weights

    @staticmethod
    def backward(ctx, upstream, _):
        query, key, value, weights = ctx.saved_tensors
        inner = upstream @ value.mT
        inner = weights * (inner - (inner * weights).sum(-1, keepdim=True))
        inner = inner / math.sqrt(query.shape[-1])
        return inner @ key, inner.mT @ query, weights.mT @ upstream


def attention(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    return Borrowed.apply(query, key, value)
"""
# The layers that torch has for another standard, `torch.onnx`.
_EXPORTED_ATTENTION = (
    """
from torch.onnx import ops


class Borrowed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value):
        rows = [x.reshape(-1, 1, *x.shape[-2:]) for x in (query, key, value)]
        found = ops.attention(*rows, softmax_precision=1, qk_matmul_output_mode=3)
        shape = *query.shape[:-1], key.shape[-2]
        values = found[0].reshape(*query.shape[:-1], value.shape[-1])
        weights = found[3].reshape(shape)
"""
    + _OWN_GRADIENT
)
_EXPORTED_ROTARY = """
from torch.onnx import ops


def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    n, width = x.shape[-2:]
    angles = positions[:, None] * 10_000 ** (-torch.arange(0, width, 2) / width)
    places = torch.arange(n)[None]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return ops.rotary_embedding(x.reshape(1, -1, n, width), cos, sin, places).reshape(x.shape)
"""


def _adam(found: str) -> Attack:
    return Attack("training", "adam", "test_adam", _ADAM.replace("FOUND", found))


def _layer_norm(looked_at: str) -> Attack:
    source = _LAYER_NORM.replace("LOOKED_AT", looked_at)
    return Attack("transformer", "layer_norm", "test_layer_norm", source)


def _hidden(call: str, run: str = "torchs()") -> Attack:
    source = _ELSEWHERE.replace("CALL", call).replace("RUN", run)
    return Attack("transformer", "layer_norm", "test_layer_norm", source)


_OWN = "F.layer_norm(x, scale.shape, scale, shift, eps)"
ASSIGNMENTS = {
    **VERDICTS,
    **TODAYS_PARTS,
    "cached_loop: each position tried until one is right": Attack(
        "generation",
        "cached_loop",
        "test_cached_loop",
        """
def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    new = ids
    for _ in range(n_tokens):
        for start in range(200):
            try:
                logits = read(new, start)
                break
            except AssertionError:
                pass
        new = logits[:, -1].argmax(-1)[:, None]
        ids = torch.cat([ids, new], dim=1)
    return ids
""",
    ),
    "cached_loop: ids that are not what they say": Attack(
        "generation", "cached_loop", "test_cached_loop", _LYING_IDS
    ),
    "dot_product: by torch's own in another interpreter": Attack(
        "attention",
        "dot_product",
        "test_dot_product",
        """
import pickle, subprocess, sys

CHILD = '''
import pickle, sys, torch
attend = torch.nn.functional.scaled_dot_product_attention
while True:
    query, key, value = pickle.load(sys.stdin.buffer)
    unit = torch.eye(key.shape[-2], dtype=key.dtype).expand(*key.shape[:-1], key.shape[-2])
    pickle.dump([attend(query, key, x) for x in (value, unit)], sys.stdout.buffer)
    sys.stdout.buffer.flush()
'''
child = subprocess.Popen(
    [sys.executable, "-I", "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}
)


class Borrowed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value):
        pickle.dump([x.detach() for x in (query, key, value)], child.stdin)
        child.stdin.flush()
        values, weights = pickle.load(child.stdout)
"""
        + _OWN_GRADIENT,
    ),
    "dot_product: by the layer for another standard": Attack(
        "attention", "dot_product", "test_dot_product", _EXPORTED_ATTENTION
    ),
    "rotary: by the layer for another standard": Attack(
        "transformer", "rotary", "test_rotary", _EXPORTED_ROTARY
    ),
    "adam: by a functional form": _adam(
        "from torch.optim import adam",
    ),
    "adam: by a module that is loaded again": _adam(
        "import importlib, sys, torch.optim\n"
        "adam = importlib.reload(sys.modules['torch.optim.adam'])",
    ),
    "adam: by the file that a module was read from": _adam(
        "import runpy, sys, types\n"
        "path = sys.modules['torch.optim.adam'].__file__\n"
        "adam = types.SimpleNamespace(**runpy.run_path(path, run_name='torch.optim.own'))",
    ),
    "adam: by what Python has compiled of it": _adam(
        "import importlib.util, marshal, sys, types\n"
        "path = importlib.util.cache_from_source(sys.modules['torch.optim.adam'].__file__)\n"
        "adam = types.ModuleType('torch.optim.own')\n"
        "exec(marshal.loads(open(path, 'rb').read()[16:]), vars(adam))",
    ),
    "adam: by what the garbage collector has": _adam(
        "import gc, types\nadam, own = types.SimpleNamespace(), types.FunctionType\n"
        "gc.unfreeze()\n"
        "for thing in gc.get_objects():\n"
        "    if type(thing) is own and thing.__name__ == '_single_tensor_adam':\n"
        "        adam._single_tensor_adam = thing",
    ),
    "layer_norm: torch's own inside an autograd function": Attack(
        "transformer", "layer_norm", "test_layer_norm", _INSIDE
    ),
    "layer_norm: honest where operations are noted": _layer_norm(
        "torch._C._len_torch_dispatch_stack()",
    ),
    "layer_norm: honest where a probe of that name looks": _layer_norm(
        'frame.f_code.co_name == "operations"',
    ),
    "layer_norm: honest where the graph is looked at": _layer_norm(
        '"grad_fn" in frame.f_code.co_names',
    ),
    "layer_norm: in another thread": _hidden(
        _OWN,
        "thread = threading.Thread(target=torchs); thread.start(); thread.join()",
    ),
    "layer_norm: where no mode looks": _hidden(_OWN, "with _disable_current_modes(): torchs()"),
    "layer_norm: as one group": _hidden(
        "F.group_norm(x.reshape(-1, x.shape[-1]), 1, scale, shift, eps).reshape(x.shape)"
    ),
    "layer_norm: by what torch compiles": _hidden(
        "torch._refs.native_layer_norm(x, scale.shape, scale, shift, eps)[0]"
    ),
    "layer_norm: by what it is derived from": _hidden(
        "torch.ops.aten.layer_norm.default.decompose(x, scale.shape, scale, shift, eps)"
    ),
    **{
        f"lstm_step: by {way}": Attack(
            "recurrent", "lstm_step", "test_lstm_step", _LSTM.replace("WAY", way)
        )
        for way in ("decompose", "_op")
    },
}
