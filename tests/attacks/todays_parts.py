"""Attacks on the assignment `gpt`: torch has its parts, too, some of them under other names."""

from attacks.verdicts import Attack

# Torch's own norm where no graph shows it; the gradients follow from what came out.
_FUSED = """
class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, eps):
        wide = x if x.dtype == torch.float64 else x.float()
        found = CALL
        ctx.save_for_backward(x, weight)
        ctx.eps = eps
        return (found * weight).to(x.dtype)

    @staticmethod
    def backward(ctx, upstream):
        x, weight = ctx.saved_tensors
        root = torch.sqrt((x * x).mean(-1, keepdim=True) + ctx.eps)
        scaled = upstream * weight
        inner = (scaled * x).mean(-1, keepdim=True)
        to_weight = (upstream * x / root).reshape(-1, x.shape[-1]).sum(0)
        return scaled / root - x * inner / root**3, to_weight, None


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    return Own.apply(x, weight, eps)
"""
# The layers that torch has for another standard, `torch.onnx`.
_ROTATE = """
from torch.onnx import ops


def places(mask: Tensor) -> Tensor:
    return torch.where(mask, mask.cumsum(-1) - 1, 0)


def rotate(x: Tensor, positions: Tensor, base: float = 10_000.0) -> Tensor:
    width = x.shape[-1]
    speeds = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = positions.expand(len(x), x.shape[2])[..., None] * speeds
    return ops.rotary_embedding(x, angles.cos().to(x.dtype), angles.sin().to(x.dtype))
"""
# It looks nowhere by zeros: such rows look everywhere, and are set to 0 behind it.
_GROUPED = """
from torch.onnx import ops


def grouped_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> Tensor:
    n_heads, n_new, _ = query.shape[1:]
    n_kv_heads, n_places = key.shape[1:3]
    if n_heads % n_kv_heads:
        raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")
    may = torch.ones(n_new, n_places, dtype=torch.bool).tril(n_places - n_new)
    may = may[None, None] if mask is None else may & mask[:, None, None]
    nowhere = ~may.any(-1, keepdim=True)
    found = ops.attention(query, key, value, may | nowhere, qk_matmul_output_mode=3)[0]
    return found.masked_fill(nowhere, 0.0)
"""


def _norm(call: str) -> Attack:
    return Attack("gpt", "rms", "test_rms", _FUSED.replace("CALL", call))


TODAYS_PARTS = {
    "rms_norm: torch's own kernel inside an autograd function": _norm(
        "torch.ops.aten._fused_rms_norm(wide, wide.shape[-1:], None, eps)[0]"
    ),
    "rms_norm: by what it is derived from": _norm(
        "torch.ops.aten.rms_norm.default.decompose(wide, wide.shape[-1:], None, eps)"
    ),
    "rotate: by the layer for another standard": Attack("gpt", "rotary", "test_rotary", _ROTATE),
    "grouped_attention: by the layer for another standard": Attack(
        "gpt", "grouped", "test_grouped", _GROUPED
    ),
}
