"""Batches for training: which examples a step sees depends on the seed and the step alone.

Chapter: book/training.md
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from lmcourse.text_windows import Windows, are_ids

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
