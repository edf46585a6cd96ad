"""Attention that costs less: a fused kernel, keys and values kept, and shared by groups of heads.

Chapter: book/efficient_attention.md
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from lmcourse.attention import causal_mask, head_width, merge_heads, split_heads
from lmcourse.neurons import check_counts
from lmcourse.positions import apply_rotary


class KVCache:
    """The keys and values of all positions so far, in memory that is reserved once.

    Without it each new token would project all tokens before it again: n tokens would cost n²
    projections instead of n.

    Args:
        capacity: how many positions there is room for.
    """

    def __init__(
        self,
        batch_size: int,
        n_heads: int,
        capacity: int,
        d_head: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        check_counts(batch_size=batch_size, n_heads=n_heads, capacity=capacity, d_head=d_head)
        self.length, self.capacity = 0, capacity
        shape = (batch_size, n_heads, capacity, d_head)
        self._keys = torch.empty(shape, device=device, dtype=dtype)
        self._values = torch.empty(shape, device=device, dtype=dtype)

    def append(
        self, key: Float[Tensor, "B G T D"], value: Float[Tensor, "B G T D"]
    ) -> tuple[Float[Tensor, "B G S D"], Float[Tensor, "B G S D"]]:
        """All keys and values, the new ones at the end."""
        start, end = self.length, self.length + key.shape[2]
        if end > self.capacity:
            raise ValueError(
                f"the cache must hold at most capacity={self.capacity} positions, got {end}: "
                "start a new cache with the last of them"
            )
        self._keys[:, :, start:end] = key
        self._values[:, :, start:end] = value
        self.length = end
        return self._keys[:, :, :end], self._values[:, :, :end]


def fused_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S D"],
    mask: Bool[Tensor, "..."] | None = None,
    causal: bool = False,
    dropout: float = 0.0,
) -> Float[Tensor, "B H T D"]:
    """The values of `attention`, by torch's kernel, which never stores the T × S weights.

    Args:
        key: of G heads, each shared by H / G heads of the query.
        causal: as the mask `causal_mask(T)`, without making it; then T = S, and no mask is given.
    """
    if mask is not None and mask.dtype != torch.bool:  # the kernel would add it to the scores
        raise ValueError(f"mask must be boolean, True = may look, got mask.dtype={mask.dtype}")
    options = {"attn_mask": mask, "is_causal": causal, "dropout_p": dropout}
    options["enable_gqa"] = key.shape[1] != query.shape[1]
    if not (query.dtype == torch.bfloat16 and query.requires_grad and query.device.type == "cpu"):
        return F.scaled_dot_product_attention(query, key, value, **options)
    # On a CPU the kernel's backward pass in bfloat16 is several times slower than in float32 as
    # long as heads and contexts are small.
    with torch.autocast("cpu", enabled=False):
        query, key, value = query.float(), key.float(), value.float()
        return F.scaled_dot_product_attention(query, key, value, **options).bfloat16()


class GroupedQueryAttention(nn.Module):
    """Self-attention of `n_heads` queries, where groups of them share one of `n_kv_heads` keys.

    With n_kv_heads = n_heads it is `MultiHeadAttention`, with 1 multi-query attention. It gives no
    weights back: the fused kernel never has them all.

    Args:
        n_kv_heads: a divisor of n_heads; n_heads if None.
        causal: no position may look at one after it.

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
        self.dropout, self.causal = dropout, causal
        self.widths = [d_model, n_kv_heads * self.d_head, n_kv_heads * self.d_head]
        self.input_projection = nn.Linear(d_model, sum(self.widths), bias=bias)
        self.output_projection = nn.Linear(d_model, d_model, bias=bias)

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        mask: Bool[Tensor, "..."] | None = None,
        rotary: tuple[Tensor, Tensor] | None = None,
        cache: KVCache | None = None,
    ) -> Float[Tensor, "B T C"]:
        """The new x.

        Args:
            mask: True where a key may be looked at, (T, S), (B, T, S) or (B, 1, S); `causal` holds
                as well.
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
        mask, causal = self._rule(mask, query.shape[2], key.shape[2], x.device)
        dropout = self.dropout if self.training else 0.0
        values = fused_attention(query, key, value, mask, causal, dropout)
        return self.output_projection(merge_heads(values))

    def _rule(
        self, mask: Tensor | None, n_queries: int, n_keys: int, device: torch.device
    ) -> tuple[Tensor | None, bool]:
        """The mask for the kernel, and whether its own causal rule will do."""
        if mask is not None and mask.dim() == 3:
            mask = mask[:, None]  # the same mask for every head
        if not self.causal or n_queries == 1:  # the last position may look at every key
            return mask, False
        if mask is None and n_queries == n_keys:
            return None, True
        # The queries are the last of the positions, but the kernel would take them for the first.
        late = causal_mask(n_keys, device)[-n_queries:]
        return (late if mask is None else late & mask), False
