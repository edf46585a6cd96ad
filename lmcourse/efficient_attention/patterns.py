"""Which positions may look at which, told by a rule: no table of T × S answers is made.

Chapter: book/efficient_attention.md
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from lmcourse.neurons import check_counts


class Block(NamedTuple):
    """A rectangle of the matrix of queries and keys.

    Args:
        whole: every query in it may look at every key in it, so that nothing is to be masked.
    """

    queries: slice
    keys: slice
    whole: bool


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A rule for who may look at whom. As it stands, everybody at everybody.

    Positions are counted from the first key; the queries are the last of the positions, as they are
    where a cache has the keys before them.

    Args:
        causal: nobody may look at a position after their own.
        window: nobody may look at a position that is `window` or more away; with `causal`, this
            leaves each position itself and the window − 1 before it.
        n_global: the first positions, which the window does not bind: they look at all, and all
            look at them, as far as `causal` lets them. With `causal` they are called *sinks*.

    Reference: Beltagy, Peters and Cohan (2020), section 3.1, https://arxiv.org/abs/2004.05150; Xiao
        et al. (2024), https://arxiv.org/abs/2309.17453, for sinks. The window of Longformer is the
        sum of both sides; ours, and that of Mistral, one side with the position itself.

    Example:
        >>> Pattern(causal=True, window=2, n_global=1).table(4).int()
        tensor([[1, 0, 0, 0],
                [1, 1, 0, 0],
                [1, 1, 1, 0],
                [1, 0, 1, 1]], dtype=torch.int32)
    """

    causal: bool = False
    window: int | None = None
    n_global: int = 0

    def __post_init__(self):
        if self.window is not None and self.window < 1:
            raise ValueError(f"window must be at least 1, got window={self.window}")
        if self.n_global < 0:
            raise ValueError(f"n_global must be at least 0, got n_global={self.n_global}")

    @property
    def binds(self) -> bool:
        """Whether there is anybody who may not look at somebody."""
        return self.causal or self.window is not None

    def allows(self, query: Int[Tensor, "..."], key: Int[Tensor, "..."]) -> Bool[Tensor, "..."]:
        """Whether the query at a position may look at the key at a position; shapes broadcast."""
        distance = query - key
        allowed = torch.ones_like(distance, dtype=torch.bool)
        if self.window is not None:
            bound = (query >= self.n_global) & (key >= self.n_global)
            allowed = ~bound | (distance.abs() < self.window)
        return allowed & (distance >= 0) if self.causal else allowed

    def table(
        self, n_queries: int, n_keys: int | None = None, device: torch.device | str | None = None
    ) -> Bool[Tensor, "n_queries n_keys"]:
        """The whole mask, as `attention` takes it; n_keys is n_queries if None."""
        n_keys = n_queries if n_keys is None else n_keys
        block = Block(slice(0, n_queries), slice(0, n_keys), whole=False)
        return self.part(block, n_queries, n_keys, device)

    def part(
        self,
        block: Block,
        n_queries: int,
        n_keys: int,
        device: torch.device | str | None = None,
    ) -> Bool[Tensor, "t s"]:
        """The block's part of the table."""
        first = self._first_query(n_queries, n_keys)
        query = torch.arange(block.queries.start, block.queries.stop, device=device) + first
        key = torch.arange(block.keys.start, block.keys.stop, device=device)
        return self.allows(query[:, None], key)

    def blocks(self, n_queries: int, n_keys: int, block_size: int) -> list[Block]:
        """The blocks in which anybody may look at anybody, row after row: the others cost nothing.

        Args:
            block_size: the queries, and the keys, of a block; the last may be smaller.
        """
        check_counts(n_queries=n_queries, n_keys=n_keys)
        if block_size < 1:
            raise ValueError(f"block_size must be at least 1, got block_size={block_size}")
        first = self._first_query(n_queries, n_keys)
        found = []
        for top in range(0, n_queries, block_size):
            queries = slice(top, min(top + block_size, n_queries))
            for left in range(0, n_keys, block_size):
                keys = slice(left, min(left + block_size, n_keys))
                shifted = slice(queries.start + first, queries.stop + first)
                some, whole = self._some_and_all(shifted, keys)
                if some:
                    found.append(Block(queries, keys, whole))
        return found

    def _some_and_all(self, queries: slice, keys: slice) -> tuple[bool, bool]:
        """Whether there is a pair that may look, and whether all may: from the corners alone."""
        nearest_past = queries.start - (keys.stop - 1)  # the least of query − key
        farthest_past = queries.stop - 1 - keys.start  # the greatest
        some = whole = True
        if self.window is not None:
            some = nearest_past < self.window and farthest_past > -self.window
            whole = farthest_past < self.window and nearest_past > -self.window
            some |= queries.start < self.n_global or keys.start < self.n_global
            whole |= queries.stop <= self.n_global or keys.stop <= self.n_global
        if self.causal:
            some &= farthest_past >= 0
            whole &= nearest_past >= 0
        return some, whole

    def _first_query(self, n_queries: int, n_keys: int) -> int:
        """The position of the first query."""
        if self.binds and n_queries > n_keys:
            raise ValueError(
                f"n_keys must be at least n_queries, got n_queries={n_queries}, n_keys={n_keys}: "
                "the queries are the last of the positions that have keys"
            )
        return n_keys - n_queries
