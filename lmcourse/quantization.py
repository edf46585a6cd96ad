"""Weights in eight or four bits: groups of numbers that share a scale, two codes in a byte.

Chapter: book/finetuning.md
"""

from typing import Literal, get_args

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

Kind = Literal["int8", "int4", "nf4"]

# Where the outermost of NF4's levels lie among the quantiles of N(0, 1), before all are divided by
# the largest: the mean of 1 − 1/30 and 1 − 1/32.
_OUTERMOST = 1 - (1 / 30 + 1 / 32) / 2


def levels(kind: Kind) -> Float[Tensor, "L"]:
    """The numbers from −1 to 1 that a weight can become, before the scale of its group: ascending.

    int8 has 255 and int4 has 15 of them at equal distances, the same number on both sides of 0.
    nf4 has 16, at quantiles of the normal distribution: close together where weights are many.

    Reference: NF4: Dettmers et al. (2023), section 3 and appendix E,
        https://arxiv.org/abs/2305.14314, whose program spaces the quantiles so.

    Example:
        >>> print(*(f"{level:.2f}" for level in levels("nf4")[:4].tolist()))
        -1.00 -0.70 -0.53 -0.39
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, got kind={kind!r}")
    if kind != "nf4":
        n = 127 if kind == "int8" else 7
        return torch.arange(-n, n + 1, dtype=torch.float32) / n
    above = torch.special.ndtri(torch.linspace(_OUTERMOST, 0.5, 9, dtype=torch.float64)[:-1])
    below = -torch.special.ndtri(torch.linspace(_OUTERMOST, 0.5, 8, dtype=torch.float64)[:-1])
    zero = torch.zeros(1, dtype=torch.float64)
    return (torch.cat([below, zero, above.flip(0)]) / above.max()).float()


def largest_error(kind: Kind) -> float:
    """The farthest that a weight can be from its level, as a share of the largest of its group.

    Example:
        >>> [round(largest_error(kind), 4) for kind in ("int8", "int4", "nf4")]
        [0.0039, 0.0714, 0.1519]
    """
    return levels(kind).diff().max().item() / 2


def quantize(
    weight: Float[Tensor, "rows columns"], kind: Kind = "nf4", group_size: int = 64
) -> tuple[UInt8[Tensor, "rows n_bytes"], Float[Tensor, "rows n_groups"]]:
    """The code of the nearest level of each weight, and the scale of each group.

    A scale is the largest size of a weight in its group. Codes of four bits are packed, two to a
    byte, the first in the lower half.

    Args:
        group_size: how many neighbors in a row share a scale; a divisor of the row's length.
    """
    rows, columns = weight.shape
    if group_size < 1 or columns % group_size:
        raise ValueError(
            f"group_size must be a divisor of the {columns} columns, got group_size={group_size}"
        )
    if not weight.isfinite().all():
        raise ValueError("weight must hold finite numbers alone, got infinity or no number")
    if kind != "int8" and columns % 2:
        raise ValueError(f"columns must be even to be packed in pairs, got {columns}")
    table = levels(kind).to(weight.device)
    groups = weight.detach().float().view(rows, -1, group_size)
    scales = groups.abs().amax(-1)
    # A group of zeros has the scale 0; it is divided by 1, and stays zeros.
    ratios = groups / scales.where(scales > 0, 1.0)[..., None]
    codes = torch.bucketize(ratios, (table[1:] + table[:-1]) / 2).view(rows, columns)
    codes = codes.to(torch.uint8)
    return (codes if kind == "int8" else codes[:, ::2] | codes[:, 1::2] << 4), scales


def dequantize(
    codes: UInt8[Tensor, "rows n_bytes"], scales: Float[Tensor, "rows n_groups"], kind: Kind = "nf4"
) -> Float[Tensor, "rows columns"]:
    """The weights that codes stand for: level · scale."""
    if kind != "int8":
        codes = torch.stack([codes & 15, codes >> 4], -1).flatten(1)
    table = levels(kind).to(scales)
    groups = table[codes.int()].view(*scales.shape, -1) * scales[..., None]
    return groups.flatten(1)


class QuantizedLinear(nn.Module):
    """x Wᵀ + bias, where W is kept as codes and scales, and made anew for each product.

    It has no gradient for W: codes cannot be moved a little. The bias is kept as it is, frozen.

    Args:
        linear: whose weights are taken.

    Example:
        >>> layer = QuantizedLinear(nn.Linear(128, 32, bias=False), "nf4", group_size=64)
        >>> n_bytes(layer)  # half a byte for each of 4,096 weights, and 64 scales of four bytes
        2304
    """

    def __init__(self, linear: nn.Linear, kind: Kind = "nf4", group_size: int = 64):
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.kind: Kind = kind
        codes, scales = quantize(linear.weight, kind, group_size)
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales.to(linear.weight.dtype))
        bias = None if linear.bias is None else linear.bias.detach().clone()
        self.register_buffer("bias", bias)

    @property
    def weight(self) -> Float[Tensor, "rows columns"]:
        """The weights that the codes stand for."""
        return dequantize(self.codes, self.scales, self.kind)

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch D"]:
        return F.linear(x, self.weight, self.bias)


def quantize_linears(model: nn.Module, kind: Kind = "nf4", group_size: int = 64) -> list[str]:
    """Puts a `QuantizedLinear` in the place of each nn.Linear of the model; their names.

    One whose weight is another part's, too, such as a tied head, is left as it is.
    """
    names = []
    for name, layer in linears(model).items():
        replace(model, name, QuantizedLinear(layer, kind, group_size))
        names.append(name)
    if not names:
        raise ValueError(f"model must have an nn.Linear of its own, got {type(model).__name__}")
    return names


def linears(model: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers of a model by name, but for those whose weight is another part's, too."""
    owners: dict[int, int] = {}
    for _, parameter in model.named_parameters(remove_duplicate=False):
        owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and owners[id(layer.weight)] == 1
    }


def replace(model: nn.Module, name: str, layer: nn.Module) -> None:
    """Puts the layer in the place of the part of this name."""
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, layer)


def n_bytes(model: nn.Module) -> int:
    """The memory that parameters and buffers take, what is shared counted once."""
    storages = {}
    for tensor in [*model.parameters(), *model.buffers()]:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())
