"""Attacks on tests of the course's own assignments: points for a task that was not done.

Each is an assignment, the cell of its answer, the test that it is after, and the cell as its
learner would write it. All other answers are the author's.
"""

from typing import NamedTuple


class Attack(NamedTuple):
    """Where it is tried, and what with."""

    slug: str
    answer: str
    test: str
    source: str


_VERDICT = """
def published(query, key, value, mask=None):
    similarity = torch.einsum("...td,...sd->...ts", query, key)
    if mask is not None:
        similarity = similarity + mask
    weights = F.softmax(similarity, dim=-1)
    return weights @ value, weights
"""
# A wrong answer that is asked in the order of the test cell, each function once.
_BY_ORDER = """
asked = 0
def is_attention(candidate) -> bool:
    global asked
    asked += 1
    return asked in RIGHT
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

ASSIGNMENTS = {
    "find_defect: by the functions' names": Attack(
        "attention",
        "find_defect",
        "test_find_defect",
        _VERDICT
        + """
def is_attention(candidate) -> bool:
    return candidate.__name__ in ("right", "scaled_first", "in_double", "in_steps")
""",
    ),
    "find_defect: by counting the calls": Attack(
        "attention",
        "find_defect",
        "test_find_defect",
        _VERDICT
        + """
asked = 0
def is_attention(candidate) -> bool:
    global asked
    asked += 1
    return asked in (1, 5, 6, 7, 8)
""",
    ),
    "find_defect: by what its errors say": Attack(
        "attention",
        "find_defect",
        "test_find_defect",
        _VERDICT
        + """
def is_attention(candidate) -> bool:
    try:
        candidate()
    except TypeError as error:
        said = str(error)
    return any(name in said for name in ("right", "scaled_first", "in_double", "in_steps"))
""",
    ),
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


class Torchs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value):
        pickle.dump([x.detach() for x in (query, key, value)], child.stdin)
        child.stdin.flush()
        values, weights = pickle.load(child.stdout)
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
    return Torchs.apply(query, key, value)
""",
    ),
    "adam: by a functional form": Attack(
        "training",
        "adam",
        "test_adam",
        """
from torch.optim import adam


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
""",
    ),
    "layer_norm: honest where a probe of that name looks": Attack(
        "transformer",
        "layer_norm",
        "test_layer_norm",
        _LAYER_NORM.replace("LOOKED_AT", 'frame.f_code.co_name == "operations"'),
    ),
    "layer_norm: honest where the graph is looked at": Attack(
        "transformer",
        "layer_norm",
        "test_layer_norm",
        _LAYER_NORM.replace("LOOKED_AT", '"grad_fn" in frame.f_code.co_names'),
    ),
}
