"""Keys and values made of one short vector a position, the only thing that has to be kept.

Chapter: book/efficient_attention.md
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lmcourse.attention import merge_heads
from lmcourse.efficient_attention.caches import LatentCache
from lmcourse.efficient_attention.kernels import causal_rule, fused_attention
from lmcourse.positions import apply_rotary


class LatentAttention(nn.Module):
    """Causal self-attention whose keys and values are projections of a latent of width `d_latent`.

    A key has two parts: d_head numbers made of the latent, each head its own, and d_rotary numbers
    that carry the position, the same for all heads. Latent and rotary part are all that a cache
    keeps.

    Args:
        d_latent: the width of the latent, L.
        d_head: the part of a head's query and key without a position.
        d_rotary: the part that is rotated, R; even.
        d_value: the width of a head's values; d_head if None.
        d_query_latent: the width of a latent for the queries, which saves parameters; none if None.

    Reference: DeepSeek-AI (2024), section 2.1, https://arxiv.org/abs/2405.04434. Our
        down_projection is their W^DKV above W^KR, up_projection W^UK above W^UV head by head,
        query_projection W^UQ above W^QR head by head. The norms of latents are those of the
        published weights.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_latent: int,
        d_head: int,
        d_rotary: int,
        d_value: int | None = None,
        d_query_latent: int | None = None,
    ):
        super().__init__()
        if d_rotary < 2 or d_rotary % 2:
            raise ValueError(f"d_rotary must be even and positive, got d_rotary={d_rotary}")
        d_value = d_head if d_value is None else d_value
        self.n_heads, self.d_latent = n_heads, d_latent
        self.d_head, self.d_rotary, self.d_value = d_head, d_rotary, d_value
        self.query_latent = nn.Identity()
        if d_query_latent is not None:
            down = nn.Linear(d_model, d_query_latent, bias=False)
            self.query_latent = nn.Sequential(down, nn.RMSNorm(d_query_latent, eps=1e-6))
        d_query = d_model if d_query_latent is None else d_query_latent
        self.query_projection = nn.Linear(d_query, n_heads * (d_head + d_rotary), bias=False)
        self.down_projection = nn.Linear(d_model, d_latent + d_rotary, bias=False)
        self.latent_norm = nn.RMSNorm(d_latent, eps=1e-6)
        self.up_projection = nn.Linear(d_latent, n_heads * (d_head + d_value), bias=False)
        self.output_projection = nn.Linear(n_heads * d_value, d_model, bias=False)

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        rotary: tuple[Tensor, Tensor],
        mask: Bool[Tensor, "..."] | None = None,
        cache: LatentCache | None = None,
        absorbed: bool = False,
    ) -> Float[Tensor, "B T C"]:
        """The new x.

        Args:
            rotary: cosines and sines of `positions.rotary_angles` for width d_rotary.
            mask: True where a key may be looked at, (T, S), (B, T, S) or (B, 1, S).
            cache: latents and rotated keys of the positions before x; those of x are added to it.
            absorbed: the same numbers by another way: queries are taken to the space of the
                latents, instead of making keys and values of each latent. That is fewer products
                where queries are few and latents many, as in writing token by token.
        """
        queries = self.query_projection(self.query_latent(x))
        queries = queries.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        query, rotary_query = queries.split([self.d_head, self.d_rotary], -1)
        rotary_query = apply_rotary(rotary_query, *rotary)
        latent, rotary_key = self.down_projection(x).split([self.d_latent, self.d_rotary], -1)
        latent, rotary_key = self.latent_norm(latent), apply_rotary(rotary_key, *rotary)
        if cache is not None:
            latent, rotary_key = cache.append(latent, rotary_key)
        rule = causal_rule(mask, x.shape[1], latent.shape[1], x.device)
        attend = self._absorbed if absorbed else self._expanded
        values = attend(query, rotary_query, latent, rotary_key, rule)
        return self.output_projection(merge_heads(values))

    def _expanded(
        self,
        query: Float[Tensor, "B H T D"],
        rotary_query: Float[Tensor, "B H T R"],
        latent: Float[Tensor, "B S L"],
        rotary_key: Float[Tensor, "B S R"],
        rule: tuple[Tensor | None, bool],
    ) -> Float[Tensor, "B H T E"]:
        """Keys and values of every head are made of the latents."""
        made = self.up_projection(latent).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        key, value = made.split([self.d_head, self.d_value], -1)
        shared = rotary_key[:, None].expand(-1, self.n_heads, -1, -1)
        query, key = torch.cat([query, rotary_query], -1), torch.cat([key, shared], -1)
        return fused_attention(query, key, value, *rule)

    def _absorbed(
        self,
        query: Float[Tensor, "B H T D"],
        rotary_query: Float[Tensor, "B H T R"],
        latent: Float[Tensor, "B S L"],
        rotary_key: Float[Tensor, "B S R"],
        rule: tuple[Tensor | None, bool],
    ) -> Float[Tensor, "B H T E"]:
        """All heads share one key and one value: the latent. query · (W latent) = (Wᵀ query) · …"""
        weights = self.up_projection.weight.view(self.n_heads, -1, self.d_latent)
        key_weights, value_weights = weights.split([self.d_head, self.d_value], 1)  # (H, D, L)
        query = torch.cat([query @ key_weights, rotary_query], -1)
        # The kernel divides by the root of this width, and should by that of the width before.
        query = query * math.sqrt(query.shape[-1] / (self.d_head + self.d_rotary))
        key, value = torch.cat([latent, rotary_key], -1)[:, None], latent[:, None]
        return fused_attention(query, key, value, *rule) @ value_weights.mT
