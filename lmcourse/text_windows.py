"""A text as windows of ids, each with the ids that follow: at random, or all of them in order.

Chapter: book/data.md
"""

import random
from array import array
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any, SupportsIndex

import numpy as np
import torch
from jaxtyping import Int, Integer
from torch import Tensor

Pair = tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]  # windows, and the id after each of theirs


class Windows:
    """A text as ids; a batch is ids (B, T) and, one position further, the targets (B, T).

    Arrays stay where they are and in the type that they have: of ids in a file, such as a
    `numpy.memmap`, only the windows of a batch are read.

    Args:
        context_length: T, the length of each window.
    """

    def __init__(
        self, ids: Integer[Tensor | np.ndarray, "N"] | Sequence[SupportsIndex], context_length: int
    ):
        self.ids = ids if isinstance(ids, Tensor | np.ndarray) else _as_array(ids)
        self.context_length = context_length
        if context_length < 1:
            raise ValueError(
                f"context_length must be at least 1, got context_length={context_length}"
            )
        if len(self.ids) < 2:
            raise ValueError(f"ids must be at least two, one to start from, got {len(self.ids)}")
        if not are_ids(self.ids):
            raise ValueError(f"ids must be whole numbers, got {self.ids.dtype}")

    def sample_indices(self, n: int, step: int, seed: int) -> list[int]:
        """Where n windows start: anywhere, and independent of each other."""
        self.check_length()
        n_starts = len(self.ids) - self.context_length
        generator = random.Random(f"windows {seed} {step}")
        return [generator.randrange(n_starts) for _ in range(n)]

    def starts(self) -> range:
        """Where whole windows start that do not overlap; fewer ids than a window are left over."""
        return range(0, len(self.ids) - self.context_length, self.context_length)

    def check_length(self) -> None:
        """Refuses a text that is shorter than one window and the id after it."""
        if len(self.ids) <= self.context_length:
            raise ValueError(
                f"ids must be more than context_length, got {len(self.ids)} ids, context_length="
                f"{self.context_length}: give a longer text or a smaller context_length"
            )

    def batch(self, indices: Sequence[int]) -> Pair:
        """The windows that start there."""
        steps = torch.arange(self.context_length + 1)
        windows = self._at(torch.as_tensor(indices)[:, None] + steps)
        return windows[:, :-1], windows[:, 1:]

    def _at(self, indices: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """The ids at these indices, as the type that models take."""
        if isinstance(self.ids, Tensor):
            return self.ids[indices].long()
        return torch.from_numpy(self.ids[indices.numpy()].astype(np.int64))

    def one_pass(self, batch_size: int) -> Iterator[tuple[Pair, int]]:
        """Each id but the first as a target exactly once; the last window may be shorter."""
        starts = self.starts()
        for first in range(0, len(starts), batch_size):
            some = starts[first : first + batch_size]
            yield self.batch(some), len(some)
        rest = self._at(torch.arange(len(starts) * self.context_length, len(self.ids)))
        if len(rest) > 1:
            yield (rest[None, :-1], rest[None, 1:]), 1


def are_ids(data: Any) -> bool:
    """Whether the data are whole numbers in one row, and not examples of another kind."""
    if isinstance(data, Tensor):
        kinds = data.is_floating_point() or data.is_complex() or data.dtype == torch.bool
        return data.dim() == 1 and not kinds
    if isinstance(data, np.ndarray):
        return data.ndim == 1 and np.issubdtype(data.dtype, np.integer)
    if isinstance(data, bytes | bytearray | memoryview | array):
        return are_ids(_as_array(data))
    return isinstance(data, Sequence) and len(data) > 0 and isinstance(data[0], Integral)


def _as_array(ids: Sequence[SupportsIndex] | bytes | bytearray | memoryview | array) -> np.ndarray:
    """Ids as an array; what lies in memory as numbers is not copied."""
    if isinstance(ids, bytes | bytearray):
        return np.frombuffer(ids, np.uint8)
    return np.asarray(ids)
