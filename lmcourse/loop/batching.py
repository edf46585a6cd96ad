"""Batches for training: which examples a step sees depends on the seed and the step alone.

Chapter: book/training.md
"""

import random
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, Protocol, SupportsIndex, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int, Integer
from torch import Tensor, nn
from torch.utils.data import default_collate

Batch = Any  # tensors, or tuples, lists and dicts of them
Collate = Callable[[list[Any]], Batch]


@runtime_checkable
class Source(Protocol):
    """Something that batches are drawn from."""

    def sample_indices(self, n: int, step: int, seed: int) -> list[int]:
        """The indices of the n examples of a step, the same whenever they are asked for."""

    def batch(self, indices: Sequence[int]) -> Batch:
        """The examples at these indices."""

    def one_pass(self, batch_size: int) -> Iterator[tuple[Batch, int]]:
        """All there is, once, in order: batches and the number of their examples."""


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
        n_starts = len(self.ids) - self.context_length
        if n_starts < 1:
            raise ValueError(
                f"ids must be more than context_length, got {len(self.ids)} ids, context_length="
                f"{self.context_length}: give a longer text or a smaller context_length"
            )
        generator = random.Random(f"windows {seed} {step}")
        return [generator.randrange(n_starts) for _ in range(n)]

    def batch(self, indices: Sequence[int]) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
        """The windows that start there."""
        steps = torch.arange(self.context_length + 1)
        windows = self._at(torch.as_tensor(indices)[:, None] + steps)
        return windows[:, :-1], windows[:, 1:]

    def _at(self, indices: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """The ids at these indices, as the type that models take."""
        if isinstance(self.ids, Tensor):
            return self.ids[indices].long()
        return torch.from_numpy(self.ids[indices.numpy()].astype(np.int64))

    def one_pass(self, batch_size: int) -> Iterator[tuple[Batch, int]]:
        """Each id but the first as a target exactly once; the last window may be shorter."""
        length = self.context_length
        n_whole = (len(self.ids) - 1) // length
        for start in range(0, n_whole, batch_size):
            end = min(start + batch_size, n_whole)
            yield self.batch([length * index for index in range(start, end)]), end - start
        rest = self._at(torch.arange(n_whole * length, len(self.ids)))
        if len(rest) > 1:
            yield (rest[None, :-1], rest[None, 1:]), 1


class Examples:
    """Anything with a length and an index; all of it is seen before an example comes again.

    Args:
        collate: makes a batch of a list of examples; torch's, which stacks tensors, if None.
    """

    def __init__(self, examples: Any, collate: Collate | None = None):
        self.examples, self.collate = examples, collate or default_collate
        self._order: tuple[tuple[int, int], list[int]] = ((0, -1), [])
        if not len(examples):
            raise ValueError("data must hold at least one example, got none")

    def sample_indices(self, n: int, step: int, seed: int) -> list[int]:
        """The next n of an endless row of passes, each in an order of its own."""
        indices = (divmod(step * n + k, len(self.examples)) for k in range(n))
        return [self._pass(number, seed)[index] for number, index in indices]

    def _pass(self, number: int, seed: int) -> list[int]:
        if self._order[0] != (seed, number):
            order = list(range(len(self.examples)))
            random.Random(f"pass {seed} {number}").shuffle(order)
            self._order = (seed, number), order
        return self._order[1]

    def batch(self, indices: Sequence[int]) -> Batch:
        """The examples at these indices, collated."""
        return self.collate([self.examples[index] for index in indices])

    def one_pass(self, batch_size: int) -> Iterator[tuple[Batch, int]]:
        """All examples in order; the last batch may hold fewer."""
        for start in range(0, len(self.examples), batch_size):
            indices = range(start, min(start + batch_size, len(self.examples)))
            yield self.batch(indices), len(indices)


def source_of(
    model: nn.Module, data: Any, collate: Collate | None = None, context_length: int | None = None
) -> Source:
    """`Windows` if the data are the ids of a text and there is nothing to collate, or `Examples`.

    Ids are whole numbers in one row: a list, a range, bytes, an array of NumPy, also in a file
    (`numpy.memmap`), or a tensor.

    Args:
        context_length: of the windows; the model's own if None.

    Raises:
        ValueError: the data are neither, and what would be.
    """
    _check_data(data)
    if collate is not None or not are_ids(data):
        return Examples(data, collate)
    length = context_length or getattr(model, "context_length", None)
    if length is None:
        raise ValueError(
            f"context_length must be given for a text and a {type(model).__name__}, which has none"
            " of its own, got context_length=None"
        )
    return Windows(data, length)


def _check_data(data: Any) -> None:
    """Refuses what has no length and no index by whole numbers, and text that is no ids yet."""
    if isinstance(data, str):
        raise ValueError(
            f"data must be ids, got text that begins with {data[:20]!r}: make ids of it with"
            " tokenizer.encode(text)"
        )
    if isinstance(data, torch.utils.data.DataLoader):
        raise ValueError(
            "data must be examples or ids, got a DataLoader: give its dataset, and its collate_fn"
            " as collate; train makes the batches itself"
        )
    indexed = hasattr(data, "__len__") and hasattr(data, "__getitem__")
    if not indexed or isinstance(data, Mapping) or getattr(data, "ndim", 1) == 0:
        raise ValueError(
            "data must be ids or examples, with a length and an index from 0, got"
            f" {type(data).__name__}: list(data) may be one"
        )


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


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The same batch, its tensors on the device."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {name: to_device(part, device) for name, part in batch.items()}
    if isinstance(batch, tuple | list):
        parts = [to_device(part, device) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    return batch
