"""Positions: attention takes its input as a set, and these four ways give it back the order.

Chapter: book/positions.md
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lmcourse.neurons import check_counts


def sinusoidal_positions(
    n: int, d_model: int, device: torch.device | str | None = None
) -> Float[Tensor, "n d_model"]:
    """Row p holds sin(p ωᵢ) and cos(p ωᵢ) side by side, with ωᵢ = 10000^(−2i / d_model).

    The row of p + k is a rotation of the row of p, the same for every p.

    Reference: Vaswani et al. (2017), section 3.5, https://arxiv.org/abs/1706.03762

    Example:
        >>> sinusoidal_positions(2, 4)
        tensor([[0.0000, 1.0000, 0.0000, 1.0000],
                [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    check_counts(n=n)
    if d_model < 2 or d_model % 2:
        raise ValueError(f"d_model must be even and positive, got d_model={d_model}")
    cosines, sines = rotary_angles(torch.arange(n, device=device), d_model)
    return torch.stack([sines, cosines], -1).flatten(-2)


class LearnedPositions(nn.Module):
    """One learned vector for each of the first `context_length` positions.

    The rows have no batch axis, so they are the same for each item of a batch, whatever its size.

    Reference: Vaswani et al. (2017), section 3.5, compare them with the sinusoids and find nearly
        the same results, https://arxiv.org/abs/1706.03762
    """

    def __init__(self, context_length: int, d_model: int):
        super().__init__()
        check_counts(context_length=context_length, d_model=d_model)
        self.context_length = context_length
        self.weight = nn.Parameter(torch.empty(context_length, d_model))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, n: int) -> Float[Tensor, "n C"]:
        """The vectors of the positions 0 … n − 1."""
        check_counts(n=n)
        if n > self.context_length:
            raise ValueError(
                f"n must be at most context_length, got n={n}, "
                f"context_length={self.context_length}: keep the last {self.context_length} ids"
            )
        return self.weight[:n]


def rotary_angles(
    positions: Int[Tensor, "*shape"], d_head: int, base: float = 10_000.0
) -> tuple[Float[Tensor, "*shape half"], Float[Tensor, "*shape half"]]:
    """The cosines and sines of the angles p · base^(−2i / d_head), i = 0 … d_head / 2 − 1.

    Every layer of a model rotates by the same angles, so they are computed once and handed to each.
    """
    if d_head < 2 or d_head % 2:
        raise ValueError(f"d_head must be even and positive, got d_head={d_head}")
    # In float32 whatever the model's type: bfloat16 cannot tell position 256 from 257.
    exponents = torch.arange(0, d_head, 2, device=positions.device, dtype=torch.float32) / d_head
    angles = positions[..., None].float() / base**exponents
    return angles.cos(), angles.sin()


def apply_rotary(
    x: Float[Tensor, "*batch T D"], cosines: Float[Tensor, "..."], sines: Float[Tensor, "..."]
) -> Float[Tensor, "*batch T D"]:
    """x with each pair of components (xᵢ, xᵢ₊D/₂) rotated by its angle."""
    first, second = x.chunk(2, -1)
    cosines, sines = cosines.to(x.dtype), sines.to(x.dtype)
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines], -1)


def rotary_embedding(
    x: Float[Tensor, "*batch T D"],
    positions: Int[Tensor, "..."] | None = None,
    base: float = 10_000.0,
) -> Float[Tensor, "*batch T D"]:
    """x, a query or a key, rotated by angles that grow with its position.

    The score of a rotated query and a rotated key depends on their places only through the offset,
    whose sign counts.

    Args:
        positions: of a shape that broadcasts to that of x without D; 0 … T − 1 if None.
        base: the larger, the slower the slowest pair rotates.

    Reference: Su et al. (2021), section 3.4, https://arxiv.org/abs/2104.09864. They pair the
        components 2i and 2i + 1; we pair i and i + D/2, as Llama does in transformers. The two
        differ by a fixed order of the components, which the projections learn either way.
    """
    if positions is None:
        positions = torch.arange(x.shape[-2], device=x.device)
    return apply_rotary(x, *rotary_angles(positions, x.shape[-1], base))


def alibi_bias(
    n_heads: int, n: int, device: torch.device | str | None = None
) -> Float[Tensor, "n_heads n n"]:
    """What to add to the scores: −slope · distance, a penalty that is steeper in some heads.

    Reference: Press, Smith and Lewis (2022), section 3, https://arxiv.org/abs/2108.12409

    Example:
        >>> alibi_bias(n_heads=8, n=3)[0]
        tensor([[-0.0000, -0.5000, -1.0000],
                [-0.5000, -0.0000, -0.5000],
                [-1.0000, -0.5000, -0.0000]])
    """
    check_counts(n=n)
    positions = torch.arange(n, device=device)
    distances = (positions[:, None] - positions).abs()
    return -torch.tensor(_slopes(n_heads), device=device)[:, None, None] * distances


def _slopes(n_heads: int) -> list[float]:
    """2^(−8/H), 2^(−16/H), …, 2^(−8); between the powers of two the odd ones of twice as many."""
    if n_heads < 1:
        raise ValueError(f"n_heads must be at least 1, got n_heads={n_heads}")
    power = 2 ** math.floor(math.log2(n_heads))
    slopes = [2 ** (-8 * (h + 1) / power) for h in range(power)]
    return slopes + [2 ** (-4 * (2 * h + 1) / power) for h in range(n_heads - power)]
