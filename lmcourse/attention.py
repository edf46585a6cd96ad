"""Attention: every position asks a question, and takes the average answer of those it may look at.

Chapter: book/attention.md
"""

import math

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from lmcourse.neurons import check_counts, softmax


def attention(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch S D"],
    value: Float[Tensor, "*batch S E"],
    mask: Bool[Tensor, "..."] | None = None,
) -> tuple[Float[Tensor, "*batch T E"], Float[Tensor, "*batch T S"]]:
    """The values softmax(query keyᵀ / √D) value, and the weights that mix them.

    Args:
        mask: True where a query may look at a key; its shape broadcasts to that of the weights.
            A query that may look at nothing gets weights and values of zero.

    Raises:
        ValueError: query and key differ in width, or the mask is not boolean.

    Reference: Vaswani et al. (2017), section 3.2.1, https://arxiv.org/abs/1706.03762
    """
    weights = attention_weights(query, key, mask)
    return weights @ value, weights


def attention_weights(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch S D"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch T S"]:
    """How much each query takes from each key: softmax(query keyᵀ / √D)."""
    check_widths(query, key)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return _masked_softmax(scores, mask)


def _masked_softmax(
    scores: Float[Tensor, "*shape"], mask: Bool[Tensor, "..."] | None
) -> Float[Tensor, "*shape"]:
    if mask is None:
        return softmax(scores)
    check_mask(mask)
    # The lowest finite number, not -inf: a row without any True
    # would become NaN, and its gradient too, whatever comes after.
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return softmax(scores).masked_fill(~mask, 0.0)


def check_widths(query: Float[Tensor, "*batch T D"], key: Float[Tensor, "*batch S K"]) -> None:
    """Refuses queries and keys that have no dot product."""
    d_query, d_key = query.shape[-1], key.shape[-1]
    if d_query != d_key:
        rule = "query and key must have the same width"
        raise ValueError(f"{rule}, got {d_query} and {d_key}")


def check_mask(mask: Shaped[Tensor, "..."]) -> None:
    """Refuses a mask that is not boolean: added to scores, or taken for numbers, it would lie."""
    if mask.dtype != torch.bool:
        rule = "mask must be boolean, True = may look"
        raise ValueError(f"{rule}, got mask.dtype={mask.dtype}")


def causal_mask(n: int, device: torch.device | str | None = None) -> Bool[Tensor, "n n"]:
    """True where position t (row) may look at position s (column): s ≤ t.

    Example:
        >>> causal_mask(3).int()
        tensor([[1, 0, 0],
                [1, 1, 0],
                [1, 1, 1]], dtype=torch.int32)
    """
    check_counts(n=n)
    return torch.ones(n, n, dtype=torch.bool, device=device).tril()


def padding_mask(lengths: Int[Tensor, "B"], n: int) -> Bool[Tensor, "B 1 S"]:
    """True where a key is one of the first `lengths[b]`, the same for each query.

    `causal_mask(n) & padding_mask(lengths, n)` is the mask of both, (B, T, S).

    Args:
        n: the number of keys S in the padded batch.

    Example:
        >>> padding_mask(torch.tensor([1, 3]), 3).int()
        tensor([[[1, 0, 0]],
                [[1, 1, 1]]], dtype=torch.int32)
    """
    check_counts(n=n)
    for length in lengths.tolist():
        if not 0 <= length <= n:
            raise ValueError(f"lengths must lie in 0…{n}, got {length}: the batch has {n} keys")
    return (torch.arange(n, device=lengths.device) < lengths[:, None])[:, None, :]


def split_heads(x: Float[Tensor, "B T C"], n_heads: int) -> Float[Tensor, "B H T D"]:
    """Each vector of width C as H vectors of width D = C / H, heads before positions."""
    batch_size, n_positions, d_model = x.shape
    d_head = head_width(d_model, n_heads)
    return x.view(batch_size, n_positions, n_heads, d_head).transpose(1, 2)


def head_width(d_model: int, n_heads: int) -> int:
    """D = d_model / n_heads, if it is a whole number."""
    if n_heads < 1 or d_model % n_heads:
        raise ValueError(
            f"d_model must be a multiple of n_heads, got d_model={d_model}, n_heads={n_heads}"
        )
    return d_model // n_heads


def merge_heads(x: Float[Tensor, "B H T D"]) -> Float[Tensor, "B T C"]:
    """The inverse of `split_heads`: the heads of a position side by side again."""
    batch_size, n_heads, n_positions, d_head = x.shape
    return x.transpose(1, 2).reshape(batch_size, n_positions, n_heads * d_head)


class MultiHeadAttention(nn.Module):
    """Attention in `n_heads` subspaces of width d_model / n_heads, joined by a last projection.

    Reference: Vaswani et al. (2017), section 3.2.2. Our query_projection, key_projection and
        value_projection are the thirds of torch's `in_proj_weight`, and output_projection is its
        `out_proj`.
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0):
        super().__init__()
        head_width(d_model, n_heads)
        self.n_heads = n_heads
        self.query_projection = nn.Linear(d_model, d_model)
        self.key_projection = nn.Linear(d_model, d_model)
        self.value_projection = nn.Linear(d_model, d_model)
        self.output_projection = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        memory: Float[Tensor, "B S C"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
    ) -> tuple[Float[Tensor, "B T C"], Float[Tensor, "B H T S"]]:
        """The new x, and the weights of each head.

        Args:
            memory: what keys and values are made of; None means x.
            mask: (T, S) for the whole batch, (B, T, S) or (B, 1, S).
        """
        memory = x if memory is None else memory
        query = split_heads(self.query_projection(x), self.n_heads)
        key = split_heads(self.key_projection(memory), self.n_heads)
        value = split_heads(self.value_projection(memory), self.n_heads)
        if mask is not None and mask.dim() == 3:
            mask = mask[:, None]  # the same mask for every head
        weights = self.dropout(attention_weights(query, key, mask))
        values = merge_heads(weights @ value)
        return self.output_projection(values), weights


class AdditiveAttention(nn.Module):
    """Attention whose score is a small network: vᵀ tanh(W query + U key).

    Reference: Bahdanau, Cho and Bengio (2015), appendix A.1.2, https://arxiv.org/abs/1409.0473;
        their s is our query, their h our key and value.
    """

    def __init__(self, d_query: int, d_key: int, d_hidden: int):
        super().__init__()
        self.query_projection = nn.Linear(d_query, d_hidden, bias=False)
        self.key_projection = nn.Linear(d_key, d_hidden, bias=False)
        self.score = nn.Linear(d_hidden, 1, bias=False)

    def forward(
        self,
        query: Float[Tensor, "*batch T Q"],
        key: Float[Tensor, "*batch S K"],
        value: Float[Tensor, "*batch S E"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> tuple[Float[Tensor, "*batch T E"], Float[Tensor, "*batch T S"]]:
        """The values and the weights, as `attention` returns them."""
        weights = self.weigh(query, self.key_projection(key), mask)
        return weights @ value, weights

    def weigh(
        self,
        query: Float[Tensor, "*batch T Q"],
        projected_key: Float[Tensor, "*batch S d_hidden"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*batch T S"]:
        """The weights alone.

        Args:
            projected_key: what `key_projection` makes of the keys; once is enough for a decoder,
                whose query is another at each step while its keys stay.
        """
        query = self.query_projection(query)[..., :, None, :]
        scores = self.score(torch.tanh(query + projected_key[..., None, :, :])).squeeze(-1)
        return _masked_softmax(scores, mask)
