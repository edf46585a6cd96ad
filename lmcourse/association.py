"""What words are associated with in a text: the word embedding association test.

Chapter: book/embeddings.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lmcourse.co_occurrence import Vocabulary


@dataclass(frozen=True)
class AssociationTest:
    """How much more one list of words is associated with something than another list.

    Args:
        effect: the difference of the lists' means, in standard deviations of all their words; it
            lies between −2 and 2.
        p_value: the share of all ways to cut the words into two such lists that give at least
            this difference, this one among them.
    """

    effect: float
    p_value: float


def associations(
    vectors: Float[Tensor, "V C"],
    vocabulary: Vocabulary,
    words: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
) -> Float[Tensor, "N"]:
    """For each word its mean cosine with the first words, minus that with the second."""
    unit = F.normalize(vectors, dim=-1)
    of_words, of_first, of_second = (
        unit[[vocabulary.index(word) for word in row]] for row in (words, first, second)
    )
    return (of_words @ of_first.T).mean(-1) - (of_words @ of_second.T).mean(-1)


def association_test(
    vectors: Float[Tensor, "V C"],
    vocabulary: Vocabulary,
    lists: tuple[Sequence[str], Sequence[str]],
    attributes: tuple[Sequence[str], Sequence[str]],
    generator: torch.Generator | None = None,
    n_draws: int = 10_000,
) -> AssociationTest:
    """Is the first list nearer to the first attributes than the second list is, and is it chance?

    Args:
        lists: two lists of equally many words, none of them twice.
        attributes: words that stand for one thing, and words that stand for the other.
        generator: draws cuts of the words where there are more than `n_draws`; on the CPU.

    Reference: Caliskan, Bryson and Narayanan (2017), https://doi.org/10.1126/science.aal4230
    """
    n, words = len(lists[0]), [*lists[0], *lists[1]]
    if not n == len(lists[1]) >= 2 or len(set(words)) < 2 * n:
        raise ValueError(
            "lists must have equally many words, at least 2, and no word twice, got"
            f" {len(lists[0])} and {len(lists[1])}, {len(set(words))} different"
        )
    values = associations(vectors, vocabulary, words, *attributes).double().cpu()
    if comb(2 * n, n) <= n_draws:
        sums = torch.tensor([sum(x) for x in combinations(values.tolist(), n)], dtype=torch.double)
    elif generator is None:
        raise ValueError(
            f"generator must be given where there are more than n_draws={n_draws} ways to cut"
            f" {2 * n} words in two"
        )
    else:
        # The cut that was found counts as one of those drawn, so that p is never 0.
        keys = torch.rand(n_draws - 1, 2 * n, generator=generator)
        drawn = values[keys.argsort(-1)[:, :n]].sum(-1)
        sums = torch.cat([values[:n].sum()[None], drawn])
    # The sum of one list tells the difference: that of all words is always the same.
    at_least = sums >= values[:n].sum() - 1e-9  # as much, added in another order
    spread = values.std().item()
    difference = (values[:n].mean() - values[n:].mean()).item()
    return AssociationTest(difference / spread if spread else 0.0, at_least.double().mean().item())
