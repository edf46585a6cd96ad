"""What attention costs: operations, bytes, the size of a cache, and how fast they grow.

Chapter: book/efficient_attention.md
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch


def attention_flops(n_queries: int, n_keys: int, d_head: int, n_heads: int = 1) -> int:
    """4 T S D H: two products of T × D × S, each a multiplication and an addition a step.

    The softmax, some operations for each of the T S weights, is left out.

    Example:
        >>> [attention_flops(n, n, d_head=64) for n in (128, 256, 512, 1024)]
        [4194304, 16777216, 67108864, 268435456]
    """
    return 4 * n_queries * n_keys * d_head * n_heads


def attention_bytes(
    n_queries: int,
    n_keys: int,
    d_head: int,
    n_heads: int = 1,
    n_kv_heads: int | None = None,
    bytes_per_number: int = 2,
    stored_weights: bool = False,
) -> int:
    """The least that goes between memory and processor: queries, keys, values and results once.

    Args:
        n_kv_heads: n_heads if None.
        stored_weights: scores and weights go to memory and come back, as without a fused kernel.
    """
    n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
    numbers = 2 * n_queries * d_head * n_heads + 2 * n_keys * d_head * n_kv_heads
    if stored_weights:
        numbers += 4 * n_queries * n_keys * n_heads
    return numbers * bytes_per_number


def arithmetic_intensity(
    n_queries: int, n_keys: int, d_head: int, group_size: int = 1, bytes_per_number: int = 2
) -> float:
    """Operations for each byte that is moved: below the ratio of a processor, memory is its limit.

    Reading a prompt has many queries for the same keys, writing a token has one.

    Args:
        group_size: the heads of the query that share a head of keys and values.

    Reference: Williams, Waterman and Patterson (2009), https://doi.org/10.1145/1498765.1498785

    Example:
        >>> arithmetic_intensity(4096, 4096, 128)  # a prompt of 4,096 tokens
        2048.0
        >>> round(arithmetic_intensity(1, 4096, 128), 2)  # the token after it
        1.0
        >>> round(arithmetic_intensity(1, 4096, 128, group_size=8), 2)
        7.98
    """
    flops = attention_flops(n_queries, n_keys, d_head, group_size)
    return flops / attention_bytes(n_queries, n_keys, d_head, group_size, 1, bytes_per_number)


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """What a model's published configuration says about its cache.

    Args:
        n_kv_heads: 0 where a latent is kept instead.
        d_latent: and d_rotary: the widths of what `LatentAttention` keeps.
        window: that of the n_window_layers layers that have one.
        context_length: how many tokens it was made for.
        source: where the numbers were read.
    """

    name: str
    n_layers: int
    n_kv_heads: int = 0
    d_head: int = 0
    d_latent: int = 0
    d_rotary: int = 0
    window: int = 0
    n_window_layers: int = 0
    context_length: int
    source: str

    @property
    def numbers_per_layer(self) -> int:
        """How many numbers a layer keeps of a token."""
        return 2 * self.n_kv_heads * self.d_head + self.d_latent + self.d_rotary

    def cache_bytes(self, n_tokens: int, bytes_per_number: int = 2) -> int:
        """The size of the cache of one text of so many tokens."""
        n_full = self.n_layers - self.n_window_layers
        tokens = n_full * n_tokens + self.n_window_layers * min(n_tokens, self.window)
        return tokens * self.numbers_per_layer * bytes_per_number


_HUB = "https://huggingface.co/"

PUBLISHED = (
    PublishedModel(
        name="GPT-2", n_layers=12, n_kv_heads=12, d_head=64, context_length=1024,
        source=_HUB + "openai-community/gpt2",
    ),
    PublishedModel(
        name="Llama 2 7B", n_layers=32, n_kv_heads=32, d_head=128, context_length=4096,
        source="https://arxiv.org/abs/2307.09288",
    ),
    PublishedModel(
        name="Llama 3 8B", n_layers=32, n_kv_heads=8, d_head=128, context_length=8192,
        source=_HUB + "meta-llama/Meta-Llama-3-8B",
    ),
    PublishedModel(
        name="Llama 3.1 70B", n_layers=80, n_kv_heads=8, d_head=128, context_length=131_072,
        source=_HUB + "meta-llama/Llama-3.1-70B",
    ),
    PublishedModel(
        name="Mistral 7B", n_layers=32, n_kv_heads=8, d_head=128, window=4096, n_window_layers=32,
        context_length=8192, source="https://arxiv.org/abs/2310.06825",
    ),
    PublishedModel(
        name="Gemma 2 2B", n_layers=26, n_kv_heads=4, d_head=256, window=4096, n_window_layers=13,
        context_length=8192, source="https://arxiv.org/abs/2408.00118",
    ),
    PublishedModel(
        name="DeepSeek-V3", n_layers=61, d_latent=512, d_rotary=64, context_length=131_072,
        source="https://arxiv.org/abs/2412.19437",
    ),
)  # fmt: skip


def growth_exponent(sizes: Sequence[float | int], costs: Sequence[float | int]) -> float:
    """The p of cost ≈ c · sizeᵖ: the slope of the line through the logarithms, by least squares.

    1 is linear, 2 quadratic. A cost that is c + sizeᵖ has a smaller slope where c still counts:
    take sizes that are large enough.

    Example:
        >>> round(growth_exponent([1, 2, 4, 8], [5, 20, 80, 320]), 6)
        2.0
    """
    if len(sizes) != len(costs) or len(set(sizes)) < 2:
        raise ValueError(
            "sizes must be at least two different ones with a cost each, "
            f"got {len(sizes)} sizes and {len(costs)} costs"
        )
    if min(*sizes, *costs) <= 0:
        least = min(*sizes, *costs)
        raise ValueError(f"sizes and costs must be above 0, got {least}: it has no logarithm")
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def measure_seconds(
    function: Callable[[], Any], n_repeats: int = 3, device: torch.device | str = "cpu"
) -> float:
    """How long a call takes at best: processor time on a CPU, time until it is done on a GPU.

    Args:
        n_repeats: the calls that count; one before them warms up.
    """
    if n_repeats < 1:
        raise ValueError(f"n_repeats must be at least 1, got n_repeats={n_repeats}")
    on_cpu = torch.device(device).type == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    spent = []
    for _ in range(n_repeats + 1):
        start = clock()
        function()
        if not on_cpu:
            torch.accelerator.synchronize(device)
        spent.append(clock() - start)
    return min(spent[1:])
