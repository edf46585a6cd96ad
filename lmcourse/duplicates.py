"""Texts that stand in a collection twice: exactly, or nearly, found without comparing all pairs.

Chapter: book/data.md
"""

import hashlib
import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt64

_PRIME = (1 << 31) - 1  # so that the product of two smaller numbers fits into 64 bits


def normalize(text: str) -> str:
    """The text as it is compared: one kind of letter and of space, no capitals.

    Example:
        >>> normalize("  The  CAT\\nsat")
        'the cat sat'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def first_copies(texts: Iterable[str]) -> list[int]:
    """For each text the place of the first one that is the same, apart from capitals and spaces.

    Only a checksum of each text is kept, 16 bytes.

    Example:
        >>> first_copies(["A cat", "a dog", "a  cat"])
        [0, 1, 0]
    """
    seen: dict[bytes, int] = {}
    found = []
    for index, text in enumerate(texts):
        digest = hashlib.blake2b(normalize(text).encode("utf-8", "surrogatepass"), digest_size=16)
        found.append(seen.setdefault(digest.digest(), index))
    return found


def shingles(text: str, n_words: int = 3) -> set[str]:
    """All runs of n words in a text, capitals and signs left aside; of a short text all its words.

    Example:
        >>> sorted(shingles("The cat sat, the cat ran."))
        ['cat sat the', 'sat the cat', 'the cat ran', 'the cat sat']
    """
    if n_words < 1:
        raise ValueError(f"n_words must be at least 1, got n_words={n_words}")
    words = re.findall(r"\w+", normalize(text))
    if len(words) <= n_words:
        return {" ".join(words)} if words else set()
    return {" ".join(words[i : i + n_words]) for i in range(len(words) - n_words + 1)}


def jaccard(first: Collection[str], second: Collection[str]) -> float:
    """The share of what either has that both have, #(A ∩ B) / #(A ∪ B); of two empty sets 1.

    Example:
        >>> jaccard({"a", "b", "c"}, {"b", "c", "d"})
        0.5
    """
    first, second = set(first), set(second)
    union = len(first | second)
    return len(first & second) / union if union else 1.0


class MinHash:
    """Signatures of sets: the share of equal numbers in two estimates the sets' Jaccard similarity.

    Each of the numbers is the least value that one random order gives to a member of the set. Two
    sets have the same least one exactly if it lies in both, whose chance is the similarity. So the
    estimate has the standard error √(s (1 − s) / n_hashes).

    Args:
        n_hashes: the length of a signature.
        seed: another one draws other orders.

    Reference: Broder (1997), section 3, https://doi.org/10.1109/SEQUEN.1997.666900.
    """

    def __init__(self, n_hashes: int = 128, seed: int = 0):
        if n_hashes < 1:
            raise ValueError(f"n_hashes must be at least 1, got n_hashes={n_hashes}")
        rng = np.random.default_rng(seed)
        self.n_hashes = n_hashes
        self._factors = rng.integers(1, _PRIME, (n_hashes, 1), dtype=np.uint64)
        self._terms = rng.integers(0, _PRIME, (n_hashes, 1), dtype=np.uint64)

    def signature(self, members: Collection[str]) -> UInt64[np.ndarray, "H"]:
        """For each order the least value of a member; that of an empty set is above all others."""
        if not members:
            return np.full(self.n_hashes, _PRIME, np.uint64)
        # Not hash(): that of a text differs from one process to the next.
        digests = (hashlib.blake2b(x.encode("utf-8", "surrogatepass")) for x in members)
        numbers = [int.from_bytes(digest.digest()[:8], "little") % _PRIME for digest in digests]
        # (a x + b) mod p is an order of 0 … p − 1, drawn from a family that is random enough.
        values = (self._factors * np.array(numbers, np.uint64) + self._terms) % np.uint64(_PRIME)
        return values.min(axis=1)

    def signatures(self, sets: Iterable[Collection[str]]) -> UInt64[np.ndarray, "N H"]:
        """A row for each set."""
        rows = [self.signature(members) for members in sets]
        return np.stack(rows) if rows else np.zeros((0, self.n_hashes), np.uint64)


def estimated_jaccard(first: UInt64[np.ndarray, "H"], second: UInt64[np.ndarray, "H"]) -> float:
    """The share of the numbers in which two signatures agree."""
    return float((first == second).mean())


def chance_of_candidate(similarity: float | int, n_bands: int, n_rows: int) -> float:
    """How likely two sets share a band, and so are compared: 1 − (1 − s^r)^b, an S over s.

    Reference: Leskovec, Rajaraman and Ullman (2020), section 3.4.2, http://www.mmds.org.

    Example:
        >>> [round(chance_of_candidate(s, 20, 5), 2) for s in (0.2, 0.5, 0.8)]
        [0.01, 0.47, 1.0]
    """
    return 1.0 - (1 - similarity**n_rows) ** n_bands


def candidate_pairs(
    signatures: UInt64[np.ndarray, "N H"], n_bands: int, max_bucket: int | None = None
) -> set[tuple[int, int]]:
    """The pairs that agree in all numbers of at least one band.

    Signatures are cut into bands; those that are equal in a band fall into one bucket. No pair is
    ever looked at that shares no bucket.

    Args:
        n_bands: must divide the length of the signatures.
        max_bucket: in a bucket with more members than this each is paired with the first alone,
            so that a thousand copies make a thousand pairs and not half a million.
    """
    n_hashes = signatures.shape[1]
    if n_bands < 1 or n_hashes % n_bands:
        raise ValueError(f"n_bands must divide n_hashes={n_hashes}, got n_bands={n_bands}")
    found: set[tuple[int, int]] = set()
    for band in np.split(signatures, n_bands, axis=1):
        buckets: defaultdict[bytes, list[int]] = defaultdict(list)
        for index, row in enumerate(band):
            buckets[row.tobytes()].append(index)
        for members in buckets.values():
            if max_bucket is not None and len(members) > max_bucket:
                found.update((members[0], other) for other in members[1:])
            else:
                found.update(combinations(members, 2))
    return found


class Copy(NamedTuple):
    """Two texts, by their places, and how similar they are."""

    first: int
    second: int
    similarity: float


def near_copies(
    texts: Sequence[str],
    threshold: float | int = 0.7,
    n_words: int = 3,
    n_bands: int = 20,
    n_rows: int = 5,
    seed: int = 0,
) -> list[Copy]:
    """The pairs of texts whose shingles have at least this Jaccard similarity.

    Signatures find candidates, and the exact similarity decides: so none is found wrongly, and
    one is missed with the chance that `chance_of_candidate` says.

    Args:
        threshold: the least similarity of a copy, above 0 and at most 1.
        n_words: of a shingle.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must lie above 0, up to 1, got threshold={threshold}")
    sets = [shingles(text, n_words) for text in texts]
    signatures = MinHash(n_bands * n_rows, seed).signatures(sets)
    pairs = sorted(candidate_pairs(signatures, n_bands))
    copies = (Copy(i, j, jaccard(sets[i], sets[j])) for i, j in pairs)
    return [copy for copy in copies if copy.similarity >= threshold]


def changed(text: str, n_changes: int, words: Sequence[str], seed: int = 0) -> str:
    """A near copy: so many of its words, drawn at random, are replaced by some of `words`."""
    parts = text.split(" ")
    if not 0 <= n_changes <= len(parts):
        raise ValueError(f"n_changes must lie in 0…{len(parts)}, the words, got {n_changes}")
    generator = random.Random(f"changed {seed}")
    for index in generator.sample(range(len(parts)), n_changes):
        parts[index] = generator.choice(words)
    return " ".join(parts)


def all_near_copies(
    texts: Sequence[str], threshold: float | int = 0.7, n_words: int = 3
) -> list[Copy]:
    """The same by comparing all pairs: none is missed, and the time grows with the square."""
    sets = [shingles(text, n_words) for text in texts]
    pairs = combinations(range(len(sets)), 2)
    copies = (Copy(i, j, jaccard(sets[i], sets[j])) for i, j in pairs)
    return [copy for copy in copies if copy.similarity >= threshold]


def groups_of_copies(n_texts: int, copies: Iterable[tuple[int, int, float]]) -> list[int]:
    """For each text the first one of its group: copies, their copies, and so on.

    Example:
        >>> groups_of_copies(5, [(0, 3, 0.9), (3, 4, 0.8)])
        [0, 1, 2, 0, 0]
    """
    leads = list(range(n_texts))

    def lead(index: int) -> int:
        while leads[index] != index:
            leads[index] = leads[leads[index]]
            index = leads[index]
        return index

    for first, second, _ in copies:
        one, two = sorted((lead(first), lead(second)))
        leads[two] = one
    return [lead(index) for index in range(n_texts)]


def keep_first(groups: Sequence[int]) -> list[int]:
    """The places of the texts that stay when each group keeps its first.

    Example:
        >>> keep_first([0, 1, 2, 0, 0])
        [0, 1, 2]
    """
    return [index for index, group in enumerate(groups) if index == group]
