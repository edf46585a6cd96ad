"""Several heads of the query that share one head of keys and values.

Chapter: book/efficient_attention.md
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lmcourse.attention import head_width, merge_heads, split_heads
from lmcourse.efficient_attention.caches import KVCache, RollingCache
from lmcourse.efficient_attention.kernels import causal_rule, fused_attention
from lmcourse.efficient_attention.patterns import Pattern
from lmcourse.positions import apply_rotary


class GroupedQueryAttention(nn.Module):
    """Self-attention of `n_heads` queries, where groups of them share one of `n_kv_heads` keys.

    With n_kv_heads = n_heads it is `MultiHeadAttention`, with 1 multi-query attention. It gives no
    weights back: the fused kernel never has them all.

    Args:
        n_kv_heads: a divisor of n_heads; n_heads if None.
        causal: no position may look at one after it.
        window: and n_sinks: nor, as in `Pattern`, at one that is `window` or more away, but for the
            first n_sinks. Then a `RollingCache` of the same sizes is enough. Its mask has T × S
            entries: `sliding_window_attention` is for texts where this is too much.

    Reference: Ainslie et al. (2023), https://arxiv.org/abs/2305.13245. Our input_projection is
        their query, key and value projections side by side, one product instead of three.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        n_kv_heads: int | None = None,
        dropout: float = 0.0,
        bias: bool = True,
        causal: bool = True,
        window: int | None = None,
        n_sinks: int = 0,
    ):
        super().__init__()
        n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
        d_head = head_width(d_model, n_heads)
        if n_kv_heads < 1 or n_heads % n_kv_heads:
            raise ValueError(
                "n_heads must be a multiple of n_kv_heads, "
                f"got n_heads={n_heads}, n_kv_heads={n_kv_heads}"
            )
        self.n_heads, self.n_kv_heads, self.d_head = n_heads, n_kv_heads, d_head
        self.dropout = dropout
        self.pattern = Pattern(causal=causal, window=window, n_global=n_sinks)
        self.widths = [d_model, n_kv_heads * self.d_head, n_kv_heads * self.d_head]
        self.input_projection = nn.Linear(d_model, sum(self.widths), bias=bias)
        self.output_projection = nn.Linear(d_model, d_model, bias=bias)

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        mask: Bool[Tensor, "..."] | None = None,
        rotary: tuple[Tensor, Tensor] | None = None,
        cache: KVCache | RollingCache | None = None,
    ) -> Float[Tensor, "B T C"]:
        """The new x.

        Args:
            mask: True where a key may be looked at, (T, S), (B, T, S) or (B, 1, S); `causal` and
                `window` hold as well.
            rotary: cosines and sines of `positions.rotary_angles`, to rotate queries and keys by.
            cache: keys and values of the positions before x; those of x are added to it.
        """
        query, key, value = self.input_projection(x).split(self.widths, -1)
        query = split_heads(query, self.n_heads)
        key, value = split_heads(key, self.n_kv_heads), split_heads(value, self.n_kv_heads)
        if rotary is not None:
            query, key = apply_rotary(query, *rotary), apply_rotary(key, *rotary)
        if cache is not None:
            key, value = cache.append(key, value)
        if self.pattern.window is not None:
            mask, causal = self._window_rule(mask, query.shape[2], key, cache), False
        elif self.pattern.causal:
            mask, causal = causal_rule(mask, query.shape[2], key.shape[2], x.device)
        else:
            mask, causal = (mask[:, None] if mask is not None and mask.dim() == 3 else mask), False
        dropout = self.dropout if self.training else 0.0
        values = fused_attention(query, key, value, mask, causal, dropout)
        return self.output_projection(merge_heads(values))

    def _window_rule(
        self, mask: Tensor | None, n_queries: int, key: Tensor, cache: KVCache | RollingCache | None
    ) -> Tensor:
        """The mask of the pattern, and of the caller, for keys that need not lie in order."""
        rolls = isinstance(cache, RollingCache)
        n_positions = cache.length if rolls else key.shape[2]
        keys = cache.positions if rolls else torch.arange(n_positions, device=key.device)
        queries = torch.arange(n_positions - n_queries, n_positions, device=key.device)
        allowed = self.pattern.allows(queries[:, None], keys)
        if mask is None:
            return allowed
        return allowed & (mask[:, None] if mask.dim() == 3 else mask)[..., keys]
