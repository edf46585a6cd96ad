"""Attention that costs less: block by block, in a window, with keys and values shared and kept.

Chapter: book/efficient_attention.md

All of it can be imported from here. A module imports only from those that stand before it in this
list:

    costs     operations, bytes, the size of a cache, how fast they grow
    memory    how much a computation takes, counted tensor by tensor
    patterns  causal, a window, some global positions: a rule instead of a table
    kernels   torch's own kernels, which never store the weights
    blocks    the softmax of scores that come in pieces; attention in blocks
    caches    keys and values of the positions so far: all, a window of them, or latents
    grouped   several heads of the query that share one of the keys
    latent    keys and values made of one short vector a position
    curves    time and memory over the length of the text, measured
"""

from lmcourse.efficient_attention.blocks import (
    OnlineSoftmax,
    flash_attention,
    sliding_window_attention,
)
from lmcourse.efficient_attention.caches import KVCache, LatentCache, RollingCache
from lmcourse.efficient_attention.costs import (
    PUBLISHED,
    PublishedModel,
    arithmetic_intensity,
    attention_bytes,
    attention_flops,
    growth_exponent,
    measure_seconds,
)
from lmcourse.efficient_attention.grouped import GroupedQueryAttention
from lmcourse.efficient_attention.kernels import (
    causal_rule,
    fused_attention,
    working_backends,
)
from lmcourse.efficient_attention.latent import LatentAttention
from lmcourse.efficient_attention.memory import Memory, measure_memory
from lmcourse.efficient_attention.patterns import Block, Pattern

__all__ = [
    "PUBLISHED", "Block", "GroupedQueryAttention", "KVCache", "LatentAttention", "LatentCache",
    "Memory", "OnlineSoftmax", "Pattern", "PublishedModel", "RollingCache", "arithmetic_intensity",
    "attention_bytes", "attention_flops", "causal_rule", "flash_attention",
    "fused_attention", "growth_exponent", "measure_memory", "measure_seconds",
    "sliding_window_attention", "working_backends",
]  # fmt: skip
