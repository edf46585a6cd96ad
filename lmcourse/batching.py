"""Batches for training: which examples a step sees depends on the seed and the step alone.

Chapter: book/training.md
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.utils.data import default_collate

Batch = Any  # tensors, or tuples, lists and dicts of them
Collate = Callable[[list[Any]], Batch]


@runtime_checkable
class Source(Protocol):
    """Something that batches are drawn from."""

    def draw(self, n: int, step: int, seed: int) -> list[int]:
        """The places of the n examples of a step, the same whenever they are asked for."""

    def batch(self, places: Sequence[int]) -> Batch:
        """The examples at these places."""

    def once(self, batch_size: int) -> Iterator[tuple[Batch, int]]:
        """All there is, once, in order: batches and the number of their examples."""


class Windows:
    """A text as ids; a batch is ids (B, T) and, one place further, the targets (B, T).

    Args:
        context_length: T, the length of each window.
    """

    def __init__(self, ids: Int[Tensor, "N"] | Sequence[int], context_length: int):
        self.ids, self.context_length = torch.as_tensor(ids), context_length
        if context_length < 1:
            raise ValueError(
                f"context_length must be at least 1, got context_length={context_length}"
            )
        if len(self.ids) < 2:
            raise ValueError(f"ids must be at least two, one to start from, got {len(self.ids)}")

    def draw(self, n: int, step: int, seed: int) -> list[int]:
        """Where n windows start: anywhere, and independent of each other."""
        n_starts = len(self.ids) - self.context_length
        if n_starts < 1:
            raise ValueError(
                f"ids must be more than context_length, got {len(self.ids)} ids, context_length="
                f"{self.context_length}: give a longer text or a smaller context_length"
            )
        generator = random.Random(f"windows {seed} {step}")
        return [generator.randrange(n_starts) for _ in range(n)]

    def batch(self, places: Sequence[int]) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
        """The windows that start there."""
        steps = torch.arange(self.context_length + 1)
        windows = self.ids[torch.as_tensor(places)[:, None] + steps].long()
        return windows[:, :-1], windows[:, 1:]

    def once(self, batch_size: int) -> Iterator[tuple[Batch, int]]:
        """Each id but the first as a target exactly once; the last window may be shorter."""
        length = self.context_length
        n_whole = (len(self.ids) - 1) // length
        for start in range(0, n_whole, batch_size):
            end = min(start + batch_size, n_whole)
            yield self.batch([length * place for place in range(start, end)]), end - start
        if (rest := self.ids[n_whole * length :].long()).numel() > 1:
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

    def draw(self, n: int, step: int, seed: int) -> list[int]:
        """The next n of an endless row of passes, each in an order of its own."""
        places = (divmod(step * n + k, len(self.examples)) for k in range(n))
        return [self._pass(number, seed)[place] for number, place in places]

    def _pass(self, number: int, seed: int) -> list[int]:
        if self._order[0] != (seed, number):
            order = list(range(len(self.examples)))
            random.Random(f"pass {seed} {number}").shuffle(order)
            self._order = (seed, number), order
        return self._order[1]

    def batch(self, places: Sequence[int]) -> Batch:
        """The examples at these places, collated."""
        return self.collate([self.examples[place] for place in places])

    def once(self, batch_size: int) -> Iterator[tuple[Batch, int]]:
        """All examples in order; the last batch may hold fewer."""
        for start in range(0, len(self.examples), batch_size):
            places = range(start, min(start + batch_size, len(self.examples)))
            yield self.batch(places), len(places)


def source_of(
    model: nn.Module, data: Any, collate: Collate | None = None, context_length: int | None = None
) -> Source:
    """`Windows` if the data are the ids of a text and there is nothing to collate, or `Examples`.

    Args:
        context_length: of the windows; the model's own if None.
    """
    if collate is not None or not _are_ids(data):
        return Examples(data, collate)
    length = context_length or getattr(model, "context_length", None)
    if length is None:
        raise ValueError(
            f"context_length must be given for a text and a {type(model).__name__}, which has none"
            " of its own, got context_length=None"
        )
    return Windows(data, length)


def _are_ids(data: Any) -> bool:
    if isinstance(data, Tensor):
        return data.dim() == 1 and not data.is_floating_point()
    return isinstance(data, list | tuple | range) and len(data) > 0 and isinstance(data[0], int)


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
