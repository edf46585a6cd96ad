"""Time and memory of attention over the length of the text: `lmcourse reproduce attention-costs`.

Chapter: book/efficient_attention.md
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from lmcourse.attention import attention, causal_mask
from lmcourse.efficient_attention.blocks import flash_attention, sliding_window_attention
from lmcourse.efficient_attention.costs import measure_seconds
from lmcourse.efficient_attention.kernels import fused_attention
from lmcourse.efficient_attention.memory import measure_memory
from lmcourse.kept_runs import KeptRuns

LENGTHS = (512, 1024, 2048, 4096, 8192, 16_384)
WINDOW, D_HEAD, N_ROUNDS = 256, 64, 5
MOST_STORED = 8192  # longer, and the weights of the plain way take gigabytes


def plain(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention as in the chapter `attention`, which stores the T × T weights."""
    return attention(query, key, value, causal_mask(query.shape[-2], query.device))[0]


def _layer(into: nn.Linear, out: nn.Linear, x: Tensor) -> Tensor:
    query, key, value = into(x).chunk(3, -1)
    return out(fused_attention(query, key, value, causal=True))


def ways(n: int, device: torch.device | str = "cpu") -> dict[str, Callable[[], Tensor]]:
    """One head of width 64 over n positions, causal, without gradients: by name, what to call.

    For comparison of whole layers: "layer" is the fused one with its four projections, "recurrent"
    a GRU of the same width over the same text.
    """
    into = nn.Linear(D_HEAD, 3 * D_HEAD, device=device)
    out = nn.Linear(D_HEAD, D_HEAD, device=device)
    gru = nn.GRU(D_HEAD, D_HEAD, batch_first=True, device=device)
    query, key, value = torch.randn(3, 1, 1, n, D_HEAD, device=device)
    found = {
        "blocks": partial(flash_attention, query, key, value, causal=True, block_size=256),
        "fused": partial(fused_attention, query, key, value, causal=True),
        "window": partial(sliding_window_attention, query, key, value, WINDOW),
        "layer": partial(_layer, into, out, query),
        "recurrent": lambda: gru(query[:, 0])[0],
    }
    if n <= MOST_STORED:
        found["plain"] = partial(plain, query, key, value)
    return found


@torch.no_grad()
def measure(
    folder: Path,
    seed: int = 0,
    lengths: tuple[int, ...] = LENGTHS,
    n_rounds: int = N_ROUNDS,
    device: torch.device | str = "cpu",
) -> dict[str, float]:
    """Milliseconds of each round and megabytes of each way at each length; goes on if stopped.

    On a CPU it is processor time of one thread. The ways take turns, so that a machine that gets
    slower slows all of them.
    """
    runs, n_threads = KeptRuns(folder / "attention-costs-runs.json"), torch.get_num_threads()
    torch.set_num_threads(1)
    numbers = {}
    try:
        for n in lengths:
            torch.manual_seed(seed)
            for name, call in ways(n, device).items():
                key = f"{name}, {n}, megabytes"
                numbers[key] = runs.get(key, lambda call=call: measure_memory(call).peak / 2**20)
            for turn in range(n_rounds):
                for name, call in ways(n, device).items():
                    key = f"{name}, {n}, milliseconds, round {turn}"
                    numbers[key] = runs.get(
                        key, lambda call=call: 1000 * measure_seconds(call, 1, device)
                    )
    finally:
        torch.set_num_threads(n_threads)
    return numbers


def curve(
    numbers: dict[str, float], name: str, unit: str = "milliseconds"
) -> tuple[list[int], list[list[float]]]:
    """The lengths at which a way was measured, and at each what its rounds measured.

    Args:
        unit: milliseconds or megabytes.
    """
    found: dict[int, list[float]] = {}
    for key, value in numbers.items():
        way, n, told, *_ = key.split(", ")
        if (way, told) == (name, unit):
            found.setdefault(int(n), []).append(value)
    return list(found), list(found.values())
