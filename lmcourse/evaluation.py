"""How a model is examined, and how far the number that comes out can be trusted.

Chapter: book/evaluation.md
"""

import math
import string
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lmcourse.metrics import (
    LanguageModel,
    bleu_counts,
    bleu_of_counts,
    calibration_bins,
    ngrams,
)
from lmcourse.modes import mode


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
    return _middle(means, confidence)


def _middle(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """The ends of the middle share of the values."""
    tail = (1 - confidence) / 2
    limits = torch.tensor([tail, 1 - tail], dtype=torch.double)
    low, high = torch.tensor(values, dtype=torch.double).quantile(limits).tolist()
    return low, high


def bleu_interval(
    candidates: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    others: Sequence[Sequence[str]] | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """(low, high): where BLEU, or the gain over other candidates, would lie on most other tests.

    BLEU is no mean of its sentences' scores, so `bootstrap_interval` cannot be used: sentences are
    drawn with replacement, their counts added up, and BLEU computed from the sums.

    Args:
        candidates, references: lists of tokens, as for `bleu`.
        others: what another model wrote for the same sentences; then the interval is that of the
            difference, on the same draws.
        confidence: between 0 and 1.

    Reference: Koehn (2004), https://aclanthology.org/W04-3250
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got confidence={confidence}")
    systems = [candidates] if others is None else [candidates, others]
    counts = [torch.tensor(bleu_counts(system, references)) for system in systems]
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(n_resamples):
        drawn = torch.randint(len(candidates), (len(candidates),), generator=generator)
        scores = [bleu_of_counts(each[drawn].sum(0).tolist()) for each in counts]
        found.append(scores[0] - scores[1] if others is not None else scores[0])
    return _middle(found, confidence)


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


# ---------------------------------------------------------------- questions and answers

RULES = ("sum", "mean", "gain")
_ARTICLES = {"a", "an", "the"}


@torch.no_grad()
def score_choices(
    model: LanguageModel,
    prompt: Int[Tensor, "T"],
    choices: Sequence[Int[Tensor, "..."]],
    rule: str = "sum",
    neutral: Int[Tensor, "..."] | None = None,
) -> Float[Tensor, "N"]:
    """How well each choice continues the prompt; a multiple-choice test takes the highest score.

    Args:
        choices: the ids of each, on the device of the prompt.
        rule: sum: log p(choice | prompt). mean: that, for each token of the choice. gain: what the
            prompt adds, log p(choice | prompt) − log p(choice | neutral).
        neutral: for `gain`, a prompt that asks for nothing.

    Reference: Brown et al. (2020), section 2.4, https://arxiv.org/abs/2005.14165
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got rule={rule!r}")
    if (rule == "gain") != (neutral is not None):
        raise ValueError(f"neutral must be given for gain, and for no other rule, got {rule=}")
    lengths = [len(choice) for choice in choices]
    if not lengths or min(lengths) == 0 or len(prompt) == 0:
        raise ValueError(
            f"prompt and choices must hold ids, got a prompt of {len(prompt)} and choices of"
            f" {lengths}"
        )
    with mode(model, training=False):
        scores = _log_likelihoods(model, prompt, choices)
        if neutral is not None:
            scores = scores - _log_likelihoods(model, neutral, choices)
    return scores / torch.tensor(lengths) if rule == "mean" else scores


def _log_likelihoods(model: LanguageModel, prompt: Tensor, choices: Sequence[Tensor]) -> Tensor:
    """log p(choice | prompt) of each. What fills a row up comes after all that is counted."""
    texts = [torch.cat([prompt, choice]) for choice in choices]
    ids = nn.utils.rnn.pad_sequence(texts, batch_first=True)
    log_probs = model(ids[:, :-1]).log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    ends = [len(text) - 1 for text in texts]
    rows = zip(log_probs, ends, strict=True)
    return torch.stack([row[len(prompt) - 1 : end].sum() for row, end in rows]).cpu()


def exact_match(answers: Sequence[str], references: Sequence[str]) -> Bool[Tensor, "N"]:
    """Whether each answer is its reference, but for case, punctuation, articles and spaces.

    Example:
        >>> exact_match(["The Beagle.", "a beagle, perhaps"], ["beagle", "beagle"])
        tensor([ True, False])

    Reference: Rajpurkar, Zhang, Lopyrev and Liang (2016),
        https://aclanthology.org/D16-1264
    """
    if len(answers) != len(references):
        raise ValueError(
            f"answers must be as many as references, got {len(answers)} and {len(references)}"
        )
    pairs = zip(answers, references, strict=True)
    return torch.tensor([_plain(answer) == _plain(right) for answer, right in pairs])


def _plain(text: str) -> list[str]:
    letters = "".join(sign for sign in text.lower() if sign not in string.punctuation)
    return [word for word in letters.split() if word not in _ARTICLES]


def pass_at_k(n_samples: int, n_right: int, k: int) -> float:
    """1 − C(n − c, k) / C(n, k): the chance that one of k samples is right, from n that were drawn.

    That is the mean over all sets of k among the n. 1 − (1 − c/n)ᵏ would be too low on average.

    Example:
        >>> pass_at_k(n_samples=4, n_right=1, k=2)
        0.5

    Reference: Chen et al. (2021), section 2.1, https://arxiv.org/abs/2107.03374
    """
    if not 0 <= n_right <= n_samples or not 1 <= k <= n_samples:
        raise ValueError(
            "k must be from 1 to n_samples, and n_right from 0 to n_samples, got"
            f" k={k}, n_right={n_right}, n_samples={n_samples}"
        )
    return 1 - math.comb(n_samples - n_right, k) / math.comb(n_samples, k)


@dataclass(frozen=True)
class Verdicts:
    """What a judge says of the same pairs in both orders.

    Args:
        first: how likely it finds the answer that it reads first to be the better one, on average;
            a judge without a liking for a place has a half.
        consistent: the share of pairs of which the same answer wins in both orders.
        wins: for each pair the probability of the answer of `ours`, the mean of both orders.
    """

    first: float
    consistent: float
    wins: Float[Tensor, "N"]


def judge_twice(
    judge: Callable[[Sequence[str], Sequence[str]], Float[Tensor, "N"]],
    ours: Sequence[str],
    theirs: Sequence[str],
) -> Verdicts:
    """Each pair judged in both orders, so that a liking for one place shows, and cancels.

    Args:
        judge: is given the answers that come first and those that come second, and says of each
            pair how likely the first is the better one; 0 or 1 if it gives verdicts alone.

    Reference: Zheng et al. (2023), https://arxiv.org/abs/2306.05685
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(
            f"ours and theirs must be as many, and at least one, got {len(ours)} and {len(theirs)}"
        )
    in_order, swapped = (judge(*pair).cpu().double() for pair in ((ours, theirs), (theirs, ours)))
    first = torch.cat([in_order, swapped]).mean().item()
    consistent = ((in_order > 0.5) != (swapped > 0.5)).double().mean().item()
    return Verdicts(first, consistent, (in_order + 1 - swapped) / 2)
