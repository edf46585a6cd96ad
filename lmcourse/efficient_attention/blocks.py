"""Attention block by block: the same values, and never more than a block of weights in memory.

Chapter: book/efficient_attention.md
"""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from lmcourse.attention import check_mask, check_widths
from lmcourse.efficient_attention.patterns import Block, Pattern


class OnlineSoftmax:
    """softmax(scores) @ value, of scores and values that come in pieces and are not kept.

    Three things are known of what has come so far: the `maximum` of the scores of each query, the
    `total` of exp(score − maximum), and the sum of exp(score − maximum) · value. A higher maximum
    shrinks both sums by the same factor, which is all that has to be mended.

    Reference: Milakov and Gimelshein (2018), section 3, https://arxiv.org/abs/1805.02867

    Example:
        >>> softmax = OnlineSoftmax()
        >>> softmax.add(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0], [0.0]]))
        >>> softmax.add(torch.tensor([[2.0]]), torch.tensor([[0.0]]))
        >>> softmax.result(), torch.tensor([0.0, 1.0, 2.0]).softmax(0)[0]
        (tensor([[0.0900]]), tensor(0.0900))
    """

    def __init__(self) -> None:
        self.maximum: Tensor | None = None  # of each query, (*batch, T, 1)
        self.total: Tensor | None = None
        self.sum: Tensor | None = None

    def add(
        self,
        scores: Float[Tensor, "*batch T S"],
        value: Float[Tensor, "*batch S E"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> None:
        """Take in some more keys: their scores and their values.

        Args:
            mask: True where a query may look at a key.
        """
        if mask is not None:
            # As in `attention` the lowest finite number: −inf − (−inf) would be NaN.
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        maximum = scores.amax(-1, keepdim=True)
        if self.maximum is not None:
            maximum = torch.maximum(maximum, self.maximum)
        weights = (scores - maximum).exp()
        if mask is not None:
            weights = weights.masked_fill(~mask, 0.0)
        total, values = weights.sum(-1, keepdim=True), weights @ value
        if self.maximum is not None:
            shrink = (self.maximum - maximum).exp()
            total, values = total + self.total * shrink, values + self.sum * shrink
        self.maximum, self.total, self.sum = maximum, total, values

    def result(self) -> Float[Tensor, "*batch T E"]:
        """The values; zeros for a query that may look at nothing."""
        # The maximum alone adds exp(0) = 1 to its total: where that is less, there was nothing.
        return self.sum / self.total.clamp(min=1.0)

    def log_total(self) -> Float[Tensor, "*batch T 1"]:
        """log Σ exp(score): with it exp(score − log_total) is the weight of any key."""
        return self.maximum + self.total.log()


def flash_attention(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch S D"],
    value: Float[Tensor, "*batch S E"],
    mask: Bool[Tensor, "..."] | None = None,
    causal: bool = False,
    window: int | None = None,
    n_global: int = 0,
    block_size: int = 128,
) -> Float[Tensor, "*batch T E"]:
    """The values of `attention`, made block by block: memory grows with T + S, not with T · S.

    Blocks in which nobody may look at anybody are skipped, so that a window costs T · window. The
    backward pass makes the weights of each block again instead of keeping them. Sums are in float32
    at least, whatever the type of the inputs.

    Args:
        mask: True where a query may look at a key; its shape broadcasts to that of the weights. A
            query that may look at nothing gets values of zero.
        causal: and window and n_global: as in `Pattern`, which holds beside the mask.
        block_size: the queries, and the keys, of a block.

    Raises:
        ValueError: query and key differ in width, the mask is not boolean, or there are more
            queries than keys and a pattern that compares their positions.

    Reference: Dao et al. (2022), algorithms 1 and 4, https://arxiv.org/abs/2205.14135; queries in
        the outer loop as in Dao (2023), https://arxiv.org/abs/2307.08691
    """
    check_widths(query, key)
    if mask is not None:
        check_mask(mask)
        mask = mask.expand(*query.shape[:-1], key.shape[-2])  # a view: nothing is copied
    pattern = Pattern(causal=causal, window=window, n_global=n_global)
    return _BlockAttention.apply(query, key, value, mask, pattern, block_size)


def sliding_window_attention(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch T D"],
    value: Float[Tensor, "*batch T E"],
    window: int,
    mask: Bool[Tensor, "..."] | None = None,
    causal: bool = True,
    n_global: int = 0,
) -> Float[Tensor, "*batch T E"]:
    """Attention to what is less than `window` away: time and memory grow with T · window.

    Args:
        mask, causal, n_global: as in `flash_attention`.
    """
    # About as large as the window: of smaller blocks there are many, larger ones are mostly masked.
    block_size = min(max(window, 32), 256)
    return flash_attention(query, key, value, mask, causal, window, n_global, block_size)


class _Walk:
    """The scores and masks of all blocks, one block after the other."""

    def __init__(
        self, query: Tensor, key: Tensor, mask: Tensor | None, pattern: Pattern, block_size: int
    ):
        self.key, self.mask, self.pattern = key, mask, pattern
        self.n_queries, self.n_keys = query.shape[-2], key.shape[-2]
        self.blocks = pattern.blocks(self.n_queries, self.n_keys, block_size)
        self.scale = 1 / math.sqrt(query.shape[-1])
        self.dtype = torch.promote_types(query.dtype, torch.float32)

    def rows(self) -> list[tuple[slice, list[Block]]]:
        """The queries of each row of blocks, and its blocks."""
        found: dict[int, tuple[slice, list[Block]]] = {}
        for block in self.blocks:
            found.setdefault(block.queries.start, (block.queries, []))[1].append(block)
        return list(found.values())

    def part(self, x: Tensor, positions: slice) -> Tensor:
        """These positions of x, in the type of the sums."""
        return x[..., positions, :].to(self.dtype)

    def scores(self, query: Tensor, block: Block) -> tuple[Tensor, Tensor | None]:
        """query keyᵀ / √D of the block, and its mask; None if there is nothing to mask."""
        scores = query @ self.part(self.key, block.keys).mT * self.scale
        mask = None
        if not block.whole:
            device = scores.device
            mask = self.pattern.part(block, self.n_queries, self.n_keys, device)
        if self.mask is not None:
            given = self.mask[..., block.queries, block.keys]
            mask = given if mask is None else given & mask
        return scores, mask


class _BlockAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        pattern: Pattern,
        block_size: int,
    ) -> Tensor:
        walk = _Walk(query, key, mask, pattern, block_size)
        values = query.new_zeros(*query.shape[:-1], value.shape[-1])
        log_totals = query.new_empty(*query.shape[:-1], 1, dtype=walk.dtype)
        for queries, blocks in walk.rows():
            softmax, part = OnlineSoftmax(), walk.part(query, queries)
            for block in blocks:
                scores, allowed = walk.scores(part, block)
                softmax.add(scores, walk.part(value, block.keys), allowed)
            values[..., queries, :] = softmax.result().to(values.dtype)
            log_totals[..., queries, :] = softmax.log_total()
        ctx.save_for_backward(query, key, value, mask, values, log_totals)
        ctx.pattern, ctx.block_size = pattern, block_size
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, mask, values, log_totals = ctx.saved_tensors
        walk = _Walk(query, key, mask, ctx.pattern, ctx.block_size)
        grads = [torch.zeros_like(x, dtype=walk.dtype) for x in (query, key, value)]
        grad_query, grad_key, grad_value = grads
        for queries, blocks in walk.rows():
            part, part_grad = walk.part(query, queries), walk.part(grad, queries)
            # Σ over all keys of weight · its gradient: a row's sum that no block has alone.
            shared = (part_grad * walk.part(values, queries)).sum(-1, keepdim=True)
            for block in blocks:
                scores, allowed = walk.scores(part, block)
                weights = (scores - log_totals[..., queries, :]).exp()
                if allowed is not None:
                    weights = weights.masked_fill(~allowed, 0.0)
                grad_value[..., block.keys, :] += weights.mT @ part_grad
                grad_weights = part_grad @ walk.part(value, block.keys).mT
                grad_scores = weights * (grad_weights - shared) * walk.scale
                grad_query[..., queries, :] += grad_scores @ walk.part(key, block.keys)
                grad_key[..., block.keys, :] += grad_scores.mT @ part
        inputs = (query, key, value)
        found = [grad.to(x.dtype) for grad, x in zip(grads, inputs, strict=True)]
        return *found, None, None, None
