"""How much memory a computation takes: counted, not read off a clock or the system.

Chapter: book/efficient_attention.md
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Memory:
    """What a computation took beside what it was given, in bytes.

    Args:
        peak: of all tensors that were there at the same time.
        largest: of the largest single tensor.
    """

    peak: int
    largest: int


def measure_memory(function: Callable[[], Any]) -> Memory:
    """The memory of the tensors that `function` makes, its backward pass included.

    Every operation of torch is watched, on any device; what a kernel takes for itself and gives
    back before it ends is not seen. The same call takes the same each time.

    Example:
        >>> import torch
        >>> x = torch.zeros(1000)  # 4,000 bytes, and not counted: it was there before
        >>> measure_memory(lambda: (x + 1).relu().sum())
        Memory(peak=8000, largest=4000)
    """
    with _Ledger() as ledger:
        result = function()
    del result
    return Memory(ledger.peak, ledger.largest)


class _Ledger(TorchDispatchMode):
    """Notes each storage when an operation gives it out, and when nobody holds it any more."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = self.largest = 0
        self.known: weakref.WeakSet[UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        for storage in _storages((args, kwargs)):  # what an operation gives back may be a view
            self.known.add(storage)
        result = function(*args, **kwargs)
        for storage in _storages(result):
            if storage not in self.known:
                self._note(storage)
        return result

    def _note(self, storage: UntypedStorage) -> None:
        self.known.add(storage)
        size = storage.nbytes()
        weakref.finalize(storage, self._forget, size)
        self.live += size
        self.peak = max(self.peak, self.live)
        self.largest = max(self.largest, size)

    def _forget(self, size: int) -> None:
        self.live -= size


def _storages(tree: Any) -> list[UntypedStorage]:
    return [x.untyped_storage() for x in tree_leaves(tree) if isinstance(x, Tensor)]
