"""The next id from counts: what came after the last ids, each time they were there.

Chapter: book/ngrams.md
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmcourse.text_windows import are_ids

_USUAL_DISCOUNT = 0.5  # where a text has too few grams to estimate one from


class NGramModel:
    """p(w | the n - 1 ids before it), read off a table of counts and never zero.

    With k added to each count, p(w | h) = (c(hw) + k) / (c(h) + k V): all that was not seen after h
    is equally likely. With Kneser and Ney,

        p(w | h) = max(c(hw) - D, 0) / c(h) + left(h) p(w | h without its first id),

    where left(h) is what the discount D has taken off the counts after h. The shorter contexts do
    not count how often hw was there, but how many different ids were seen before it; the empty one
    goes on with 1/V. A text that begins with fewer than n - 1 ids is predicted from those it has.

    Args:
        n: how many ids a gram has; the last n - 1 ids are looked at. 1 looks at none.
        vocab_size: V; ids are 0 to V - 1.
        smoothing: "kneser-ney", or the k that is added; with 0, what was never seen is impossible.
        discount: D, from 0 to 1, for Kneser and Ney. If None, each length of context has its own,
            n₁ / (n₁ + 2 n₂), where n₁ grams were counted once and n₂ twice.

    Example:
        >>> model = NGramModel(2, vocab_size=3, smoothing=1).fit([0, 1, 0, 1, 0, 2])
        >>> model(torch.tensor([[0]])).exp()
        tensor([[[0.1667, 0.5000, 0.3333]]])

    Reference: Chen and Goodman (1999), sections 2.1 and 2.7, https://doi.org/10.1006/csla.1999.0128;
        Kneser and Ney (1995), https://doi.org/10.1109/ICASSP.1995.479394
    """

    def __init__(
        self,
        n: int,
        vocab_size: int,
        smoothing: Literal["kneser-ney"] | float | int = "kneser-ney",
        discount: float | int | None = None,
    ):
        if n < 1 or vocab_size < 1:
            raise ValueError(
                f"n and vocab_size must be at least 1, got n={n}, vocab_size={vocab_size}"
            )
        adds = isinstance(smoothing, float | int)
        if smoothing != "kneser-ney" and not (adds and 0 <= smoothing < math.inf):
            raise ValueError(
                "smoothing must be 'kneser-ney', or a number of at least 0 to add to each count,"
                f" got smoothing={smoothing!r}"
            )
        if discount is not None and (adds or not 0 <= discount <= 1):
            raise ValueError(
                "discount must be from 0 to 1, and smoothing 'kneser-ney', got"
                f" discount={discount}, smoothing={smoothing!r}"
            )
        self.n, self.vocab_size = n, vocab_size
        self.smoothing, self.discount = smoothing, discount
        self.context_length = max(1, n - 1)
        self.discounts: list[float] = []  # of the grams of 1, 2, … n ids
        self._levels: list[_Level] = []

    def fit(self, ids: Int[Tensor, "N"] | Sequence[int]) -> "NGramModel":
        """Counts all grams of one text, in place of what was counted before.

        Several texts are one, with an id of its own between them.
        """
        return self.fit_counts(count_grams(ids, self.n, self.vocab_size))

    def fit_counts(self, grams: "list[Grams]") -> "NGramModel":
        """As `fit`, from what `count_grams` has counted.

        One count serves every smoothing, and every n up to its own.
        """
        if len(grams) < self.n or grams[0].vocab_size != self.vocab_size:
            raise ValueError(
                f"grams must have up to n={self.n} ids of vocab_size={self.vocab_size}, got up to"
                f" {len(grams)} of {grams[0].vocab_size if grams else 'none'}: see count_grams"
            )
        grams = grams[: self.n]
        if self.smoothing == "kneser-ney":
            counts = [*(_different_before(*pair) for pair in pairwise(grams)), grams[-1].counts]
            self.discounts = [
                _discount(each) if self.discount is None else float(self.discount)
                for each in counts
            ]
            self._levels = list(map(_discounted, grams, counts, self.discounts))
        else:
            self._levels = [_added(gram, float(self.smoothing)) for gram in grams]
        return self

    @property
    def n_grams(self) -> list[int]:
        """How many different grams of 1, 2, … n ids the table holds."""
        return [len(level.keys) for level in self._levels]

    @property
    def n_bytes(self) -> int:
        """The memory that the table takes."""
        return sum(level.n_bytes for level in self._levels)

    def __call__(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """log p of the id after each of `ids`, given it and the up to n - 2 before it."""
        if not self._levels:
            raise ValueError("model must have counted a text first, got none: call fit(ids)")
        _check_range(ids, self.vocab_size)
        read = ids.long().cpu()  # looking things up in sorted tables is no work for a GPU
        probs = torch.full((*ids.shape, self.vocab_size), 1 / self.vocab_size)
        contexts = torch.zeros_like(read)  # the empty one; -1 is one that was never seen
        for length, level in enumerate(self._levels):
            if length > 1:  # the one that ends an id earlier, which the first id does not have
                contexts = contexts.roll(1, 1)
                contexts[:, :1] = -1
            if length:
                contexts = self._levels[length - 1].find(contexts, read)
            if self.smoothing != "kneser-ney":
                # Each length of context for itself, at the places with so many ids.
                probs[:, max(0, length - 1) :] = 1 / self.vocab_size
            level.mix_into(probs, contexts)
        return probs.log().to(ids.device)


@dataclass
class Grams:
    """The different grams of one length, as one level of a tree.

    A gram is a child of the gram without its last id. Children stand side by side, in their order.

    Args:
        keys: parent · V + last id, ascending.
        n_parents: how many grams the level above has.
        counts: how often it was there.
        at: for each place of the text where a gram ends, which one it is.
    """

    vocab_size: int
    n_parents: int
    keys: Int[Tensor, "N"]
    counts: Int[Tensor, "N"]
    at: Int[Tensor, "T"]

    @property
    def parents(self) -> Int[Tensor, "N"]:
        """For each gram, the place of its parent in the level above."""
        return self.keys // self.vocab_size

    def totals(self, values: Tensor) -> Float[Tensor, "P"]:
        """The sum over the children of each parent."""
        return torch.bincount(self.parents, values.double(), minlength=self.n_parents)


def count_grams(ids: Int[Tensor, "N"] | Sequence[int], n: int, vocab_size: int) -> list[Grams]:
    """The grams of 1, 2, … n ids of one text, for `NGramModel.fit_counts`.

    Raises:
        ValueError: ids that are no whole numbers of the vocabulary, or fewer than n of them.
    """
    ids = torch.as_tensor(ids)
    if not are_ids(ids) or len(ids) < n:
        raise ValueError(
            f"ids must be whole numbers in one row, at least n={n} of them, got the shape"
            f" {tuple(ids.shape)} and {ids.dtype}"
        )
    ids = ids.long().cpu()
    _check_range(ids, vocab_size)
    # A gram is its parent and one id, so no key outgrows 64 bits.
    grams, parents, n_parents = [], torch.zeros_like(ids), 1
    for length in range(1, n + 1):
        keys, at, counts = torch.unique(
            parents * vocab_size + ids[length - 1 :], return_inverse=True, return_counts=True
        )
        grams.append(Grams(vocab_size, n_parents, keys, counts, at))
        parents, n_parents = at[:-1], len(keys)
    return grams


def _different_before(shorter: Grams, longer: Grams) -> Int[Tensor, "N"]:
    """For each gram, how many different ids were seen before it: its longer grams."""
    place = torch.empty(len(longer.keys), dtype=torch.long)
    place[longer.at] = torch.arange(len(longer.at))  # any place where the longer gram ends …
    ends = shorter.at[1:][place]  # … and the gram without its first id, which ends there, too
    return torch.bincount(ends, minlength=len(shorter.keys))


def _discount(counts: Int[Tensor, "N"]) -> float:
    """n₁ / (n₁ + 2 n₂), which leaves the counts of one as much as they are worth in new text."""
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / (once + 2 * twice) if once and twice else _USUAL_DISCOUNT


def _discounted(grams: Grams, counts: Int[Tensor, "N"], discount: float) -> "_Level":
    totals = grams.totals(counts)
    # A context may have a count of nothing: it stood at the start of the text alone.
    shares = (counts - discount).clamp_min(0) / totals.clamp_min(1)[grams.parents]
    return _Level(grams, shares, 1 - grams.totals(shares))


def _added(grams: Grams, k: float) -> "_Level":
    """k for each id of the vocabulary: together, a share for the uniform distribution."""
    totals = grams.totals(grams.counts) + k * grams.vocab_size
    left = torch.where(totals > 0, k * grams.vocab_size / totals, 1.0)  # 0: only at the text's end
    return _Level(grams, grams.counts / totals[grams.parents], left)


class _Level:
    """What each context of one length says: a share for each of its children, and what is left."""

    def __init__(self, grams: Grams, shares: Float[Tensor, "N"], left: Float[Tensor, "P"]):
        self.vocab_size, self.keys = grams.vocab_size, grams.keys
        self.shares, self.left = shares.float(), left.clamp_min(0).float()
        self.starts = torch.searchsorted(grams.parents, torch.arange(grams.n_parents + 1))

    @property
    def n_bytes(self) -> int:
        return sum(each.nbytes for each in (self.keys, self.shares, self.left, self.starts))

    def find(self, contexts: Int[Tensor, "B T"], ids: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
        """The place of each context with one id more; -1 where it was never seen."""
        keys = contexts * self.vocab_size + ids
        places = torch.searchsorted(self.keys, keys).clamp_max(len(self.keys) - 1)
        return torch.where((contexts >= 0) & (self.keys[places] == keys), places, -1)

    def mix_into(self, probs: Float[Tensor, "B T V"], contexts: Int[Tensor, "B T"]) -> None:
        """Turns probs into shares + left · probs, in place; unknown contexts change nothing."""
        contexts = contexts.flatten()
        rows = (contexts >= 0).nonzero()[:, 0]
        known = contexts[rows]
        left = torch.ones(len(contexts)).index_copy(0, rows, self.left[known])
        probs *= left.view(*probs.shape[:2], 1)
        # The children of all known contexts, one context after the other.
        starts = self.starts[known]
        n_children = self.starts[known + 1] - starts
        before = n_children.cumsum(0) - n_children
        children = torch.arange(int(n_children.sum()))
        children += (starts - before).repeat_interleave(n_children)
        # A key is context · V + id, and a place in probs is row · V + id.
        places = self.keys[children]
        places += ((rows - known) * self.vocab_size).repeat_interleave(n_children)
        # A context names each of its children once, so that no two of these meet.
        probs.view(-1).index_add_(0, places, self.shares[children])


def bag_of_words(
    ids: Int[Tensor, "B T"], vocab_size: int, mask: Bool[Tensor, "B T"] | None = None
) -> Int[Tensor, "B V"]:
    """How often each id occurs in each row: the text without its order.

    Args:
        mask: True where an id is real; all are if None.

    Example:
        >>> bag_of_words(torch.tensor([[2, 0, 2], [0, 2, 2]]), vocab_size=4)
        tensor([[1, 0, 2, 0],
                [1, 0, 2, 0]])
    """
    _check_range(ids if mask is None else ids[mask], vocab_size)
    real = torch.ones_like(ids) if mask is None else mask.to(ids)
    counts = torch.zeros(len(ids), vocab_size, dtype=ids.dtype, device=ids.device)
    return counts.scatter_add_(1, (ids * real).long(), real)


def _check_range(ids: Tensor, vocab_size: int) -> None:
    if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < vocab_size:
        worst = int(ids.max()) if int(ids.min()) >= 0 else int(ids.min())
        raise ValueError(
            f"ids must lie in 0…{vocab_size - 1}, got {worst}: were they made by another tokenizer?"
        )
