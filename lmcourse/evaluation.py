"""How far a measured number can be trusted: intervals, comparisons, text seen before, calibration.

Chapter: book/evaluation.md
"""

from collections.abc import Hashable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmcourse.metrics import calibration_bins, ngrams


def bootstrap_interval(
    scores: Float[Tensor, "N"],
    weights: Float[Tensor, "N"] | None = None,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """(low, high): where the mean of the scores would lie for most other sets of examples.

    Examples are drawn from those at hand, with replacement and as many, and the means of such
    sets are taken; the interval holds the middle `confidence` of them. For two models on the same
    examples, give the differences of their scores: 0 outside of the interval speaks for one.

    Args:
        scores: one for each example. Examples must be independent: sentences, say, or documents,
            not the tokens of one text.
        weights: what an example counts, such as its number of tokens; all alike if not given.
        confidence: between 0 and 1.

    Reference: Efron (1979), https://doi.org/10.1214/aos/1176344552
    """
    _check_scores(scores, weights, confidence)
    generator = torch.Generator().manual_seed(seed)
    weights = torch.ones_like(scores) if weights is None else weights
    # First to the CPU: Apple's GPUs know no float64.
    scores, weights = scores.cpu().double(), weights.cpu().double()
    n, means = len(scores), []
    while len(means) < n_resamples:  # in parts: all at once would need n · n_resamples numbers
        n_rows = min(n_resamples - len(means), 1 + 1_000_000 // n)
        drawn = torch.randint(n, (n_rows, n), generator=generator)
        means += ((scores * weights)[drawn].sum(1) / weights[drawn].sum(1)).tolist()
    tail = (1 - confidence) / 2
    limits = torch.tensor([tail, 1 - tail], dtype=torch.double)
    low, high = torch.tensor(means, dtype=torch.double).quantile(limits).tolist()
    return low, high


def _check_scores(scores: Tensor, weights: Tensor | None, confidence: float) -> None:
    if len(scores) < 2:
        raise ValueError(f"scores must be those of two examples at least, got {len(scores)}")
    if weights is not None and (weights.shape != scores.shape or not (weights > 0).all()):
        raise ValueError(
            f"weights must be positive, one for each of {len(scores)} scores, got weights of shape"
            f" {tuple(weights.shape)} from {weights.min():.3g} on"
        )
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got confidence={confidence}")


def ngram_overlap(
    test: Sequence[Hashable] | Int[Tensor, "N"],
    train: Sequence[Hashable] | Int[Tensor, "M"],
    n: int = 8,
) -> float:
    """The share of the n-grams of `test` that stand in `train`: 0 for new text, 1 for a copy.

    A model that has read its test can recite it, and then the test says nothing about other text.

    Args:
        test, train: ids, or tokens.
        n: short ones recur in any text; 8 words or 50 characters in a row seldom do by chance.

    Example:
        >>> ngram_overlap("to be or not to be".split(), "or not to have".split(), n=3)
        0.25
    """
    if len(test) < n:
        raise ValueError(f"test must hold n tokens at least, got {len(test)} with n={n}")
    known = set(ngrams(train, n))
    found = [gram in known for gram in ngrams(test, n)]
    return sum(found) / len(found)


def reliability(
    probs: Float[Tensor, "N"], right: Bool[Tensor, "N"], n_bins: int = 10
) -> list[tuple[float, float, int]]:
    """(mean probability, share right, number of answers) of each bin that holds answers.

    Drawn against each other, the first two lie on the diagonal if the model is calibrated.
    """
    probs, right = probs.cpu(), right.cpu()
    bins = calibration_bins(probs, n_bins)
    rows = []
    for i in range(n_bins):
        here = bins == i
        if here.any():
            share = right[here].double().mean().item()
            rows.append((probs[here].double().mean().item(), share, int(here.sum())))
    return rows
