"""What a number about a model means: entropy, accuracy, perplexity, BLEU, calibration.

Chapter: book/evaluation.md
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmcourse.modes import mode
from lmcourse.neurons import cross_entropy
from lmcourse.text_windows import Windows
from lmcourse.tokenizers import UNKNOWN, Tokenizer


@runtime_checkable
class LanguageModel(Protocol):
    """Anything that maps ids to the logits of the id that follows each of them."""

    def __call__(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Logits at t may depend on the ids up to t, and on no later one."""


def entropy(probs: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "..."]:
    """−Σ p log p along `dim`, in nats: 0 for one certain choice, log n for n equal ones.

    Example:
        >>> entropy(torch.tensor([0.5, 0.5, 0.0]))
        tensor(0.6931)
    """
    return -torch.xlogy(probs, probs).sum(dim)  # xlogy: 0 log 0 is 0


def accuracy(predictions: Int[Tensor, "*shape"], targets: Int[Tensor, "*shape"]) -> float:
    """The share of predictions that are right, between 0 and 1.

    Example:
        >>> accuracy(torch.tensor([3, 1, 4, 1]), torch.tensor([3, 1, 4, 2]))
        0.75
    """
    if predictions.shape != targets.shape or not targets.numel():
        raise ValueError(
            "predictions and targets must have one shape, and not be empty, got"
            f" {tuple(predictions.shape)} and {tuple(targets.shape)}"
        )
    return int((predictions == targets).sum()) / targets.numel()


def confusion_matrix(
    predictions: Int[Tensor, "N"], targets: Int[Tensor, "N"], n_classes: int = 2
) -> Int[Tensor, "C C"]:
    """How many of each true class (row) were said to be of each class (column).

    Example:
        >>> confusion_matrix(torch.tensor([1, 0, 1, 0]), torch.tensor([1, 1, 0, 0]))
        tensor([[1, 1],
                [1, 1]])
    """
    _check_classes(predictions, targets, n_classes)
    pairs = n_classes * targets.long() + predictions.long()
    return pairs.bincount(minlength=n_classes**2).view(n_classes, n_classes)


def precision_recall_f1(
    predictions: Int[Tensor, "N"], targets: Int[Tensor, "N"], positive: int = 1
) -> tuple[float, float, float]:
    """Of what was found, the share that is right; of what there is, the share found; F1 of both.

    F1 = 2 · precision · recall / (precision + recall). Where a share is one of nothing, it is 0.

    Args:
        positive: the class that is looked for.

    Example:
        >>> precision_recall_f1(torch.tensor([1, 1, 1, 0]), torch.tensor([1, 0, 0, 0]))
        (0.3333333333333333, 1.0, 0.5)

    Reference: van Rijsbergen (1979), Information Retrieval, chapter 7
    """
    if predictions.shape != targets.shape or not targets.numel():
        raise ValueError(
            "predictions and targets must have one shape, and not be empty, got"
            f" {tuple(predictions.shape)} and {tuple(targets.shape)}"
        )
    said, true = predictions == positive, targets == positive
    hits = int((said & true).sum())
    precision, recall = hits / max(1, int(said.sum())), hits / max(1, int(true.sum()))
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0


def precision_recall_curve(
    scores: Float[Tensor, "N"], targets: Int[Tensor, "N"]
) -> tuple[Float[Tensor, "K"], Float[Tensor, "K"], Float[Tensor, "K"]]:
    """Precision, recall and threshold, for each threshold that makes a difference, highest first.

    Positive is said of each example whose score is at least the threshold.

    Args:
        scores: how sure a model is that an example is positive.
        targets: 1 where it is.
    """
    if scores.shape != targets.shape or not (targets == 1).any():
        raise ValueError(
            "scores must be as many as targets, and one of these be 1, got"
            f" {tuple(scores.shape)} and {tuple(targets.shape)}, {int((targets == 1).sum())} of"
            " them 1"
        )
    order = scores.argsort(descending=True, stable=True)
    ranked, hits = scores[order], (targets[order] == 1).double().cumsum(0)
    last = torch.ones_like(ranked, dtype=torch.bool)  # of equal scores, only the last: all or none
    last[:-1] = ranked[1:] != ranked[:-1]
    n_said = torch.arange(1, len(ranked) + 1, dtype=torch.double)
    return (hits / n_said)[last], (hits / hits[-1])[last], ranked[last]


def average_precision(scores: Float[Tensor, "N"], targets: Int[Tensor, "N"]) -> float:
    """The mean precision over the curve, each threshold weighted by the recall that it adds.

    A guess has the share of positive examples, a perfect order has 1.

    Example:
        >>> average_precision(torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([1, 0, 1, 0]))
        0.8333333333333333
    """
    precision, recall, _ = precision_recall_curve(scores, targets)
    added = recall.diff(prepend=torch.zeros(1, dtype=torch.double))
    return (precision * added).sum().item()


def _check_classes(predictions: Tensor, targets: Tensor, n_classes: int) -> None:
    both = torch.cat([predictions, targets])
    if len(predictions) != len(targets) or not len(targets):
        raise ValueError(
            "predictions and targets must be as many, and at least one, got"
            f" {len(predictions)} and {len(targets)}"
        )
    if both.min() < 0 or both.max() >= n_classes:
        raise ValueError(
            f"classes must be from 0 to n_classes - 1, got {int(both.min())} to {int(both.max())}"
            f" with n_classes={n_classes}"
        )


def perplexity(
    model: LanguageModel, ids: Int[Tensor, "N"], context_length: int, batch_size: int = 32
) -> float:
    """exp of the mean cross-entropy of all ids but the first: how many choices the model sees.

    The text is read in windows that do not overlap, so the first ids of a window are predicted
    from few: a model's perplexity depends on `context_length`.

    Raises:
        ValueError: there is nothing to predict.

    Reference: Jelinek, Mercer, Bahl and Baker (1977), https://doi.org/10.1121/1.2016299
    """
    nats = negative_log_likelihood(model, ids, context_length, batch_size) / (len(ids) - 1)
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf  # a model that is very sure, and very wrong


def negative_log_likelihood(
    model: LanguageModel, ids: Int[Tensor, "N"], context_length: int, batch_size: int = 32
) -> float:
    """−Σ log p of all ids but the first, in nats, read in windows that do not overlap."""
    windows, total = Windows(ids, context_length), 0.0
    # With dropout it would be the perplexity of another model.
    with mode(model, training=False), torch.no_grad():
        for (inputs, targets), _ in windows.one_pass(batch_size):
            # Weighted by its size: the last window is shorter, and counts for less.
            total += cross_entropy(model(inputs), targets).item() * targets.numel()
    return total


def bits_per_byte(
    model: LanguageModel,
    tokenizer: Tokenizer,
    text: str,
    context_length: int,
    batch_size: int = 32,
    device: torch.device | str | None = None,
) -> float:
    """−Σ log₂ p of all tokens but the first, over the UTF-8 bytes that these tokens stand for.

    Perplexities of models with different tokens cannot be compared, since each token of one may
    be several of the other. The bytes of the text are the same for all.
    """
    ids = tokenizer.encode(text)
    nats = negative_log_likelihood(
        model, torch.tensor(ids, device=device), context_length, batch_size
    )
    return nats / math.log(2) / (len(text.encode()) - _n_bytes_of_first(tokenizer, text, ids))


def _n_bytes_of_first(tokenizer: Tokenizer, text: str, ids: list[int]) -> int:
    """How many bytes of the text its first token stands for."""
    token = tokenizer.tokens[ids[0]]
    if isinstance(token, bytes):
        return len(token)
    if token != UNKNOWN and text.startswith(token):
        return len(token.encode())
    # `<unk>` is a name, not what stands in the text: that is what the other ids leave over.
    for end in range(1, len(text)):
        if tokenizer.encode(text[end:]) == ids[1:]:
            return len(text[:end].encode())
    return 0  # a sign for the start of a text


def bleu(
    candidates: Sequence[Sequence[str]], references: Sequence[Sequence[str]], max_n: int = 4
) -> float:
    """100 · brevity · (Π pₙ)^(1/4): the precision of n-grams of whole translations, 0 to 100.

    pₙ is the share of the candidates' n-grams that stand in their reference, none counted more
    often than there; brevity = exp(1 − r/c) if the candidates' length c is below the references'
    r. Where no n-gram of a length matches, its count is taken as 1/2, then 1/4, and so on, as
    sacrebleu does.

    Args:
        candidates: what a model wrote, a list of tokens for each sentence.
        references: what a person wrote, one for each.

    Example:
        >>> round(bleu(["the cat sat on the mat".split()], ["the cat sat on a mat".split()]), 2)
        53.73

    Reference: Papineni, Roukos, Ward and Zhu (2002), https://aclanthology.org/P02-1040
    """
    counts = bleu_counts(candidates, references, max_n)
    return bleu_of_counts([sum(column) for column in zip(*counts, strict=True)])


def bleu_counts(
    candidates: Sequence[Sequence[str]], references: Sequence[Sequence[str]], max_n: int = 4
) -> list[list[int]]:
    """For each sentence what BLEU adds up: c, r, and for each n the n-grams found and all of them.

    Example:
        >>> bleu_counts(["the cat sat on the mat".split()], ["the cat sat on a mat".split()])
        [[6, 6, 5, 6, 3, 5, 2, 4, 1, 3]]
    """
    _check_as_many(candidates, references)
    _check_tokens("candidates", candidates)
    _check_tokens("references", references)
    rows = []
    for candidate, reference in zip(candidates, references, strict=True):
        row = [len(candidate), len(reference)]
        for n in range(1, max_n + 1):
            hits = (_counted(candidate, n) & _counted(reference, n)).total()
            row += [hits, max(len(candidate) - n + 1, 0)]
        rows.append(row)
    return rows


def bleu_of_counts(counts: Sequence[int]) -> float:
    """BLEU of a test set, from the sums of the `bleu_counts` of its sentences."""
    c, r, *counts = counts
    log_precisions, n_misses = [], 0
    for hits, total in zip(counts[::2], counts[1::2], strict=True):
        if total == 0 or (not log_precisions and hits == 0):
            return 0.0
        n_misses += hits == 0
        log_precisions.append(math.log((hits or 0.5**n_misses) / total))
    brevity = min(0.0, 1 - r / c)
    return 100 * math.exp(brevity + sum(log_precisions) / len(log_precisions))


def chrf(
    candidates: Sequence[str], references: Sequence[str], max_n: int = 6, beta: float | int = 2
) -> float:
    """100 · (1 + β²) · P · R / (β² · P + R): precision and recall of runs of characters, 0 to 100.

    P is the mean over n of the share of the candidates' runs of n characters that stand in their
    reference, R that of the references' runs that stand in their candidate. Spaces do not count,
    so it does not matter how a text is cut into words, or whether it is at all.

    Args:
        candidates: what a model wrote, as texts.
        references: what a person wrote, one for each.
        beta: how much more R counts than P.

    Example:
        >>> round(chrf(["the cat sat on the mat"], ["the cat sat on a mat"]), 2)
        72.08

    Reference: Popović (2015), https://aclanthology.org/W15-3049
    """
    _check_as_many(candidates, references)
    pairs = [
        ("".join(candidate.split()), "".join(reference.split()))
        for candidate, reference in zip(candidates, references, strict=True)
    ]
    precisions, recalls = [], []
    for n in range(1, max_n + 1):
        hits = sum((_counted(one, n) & _counted(other, n)).total() for one, other in pairs)
        # As sacrebleu: where the reference is too short for such runs, none is asked for.
        said = sum(max(len(one) - n + 1, 0) for one, other in pairs if len(other) >= n)
        wanted = sum(max(len(other) - n + 1, 0) for _, other in pairs)
        if said and wanted:
            precisions.append(hits / said)
            recalls.append(hits / wanted)
    if not any(precisions):
        return 0.0
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return 100 * (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def _check_as_many(candidates: Sequence[Any], references: Sequence[Any]) -> None:
    if len(candidates) != len(references) or not candidates:
        raise ValueError(
            "candidates and references must be as many, and at least one, got"
            f" {len(candidates)} and {len(references)}"
        )


def _check_tokens(what: str, texts: Sequence[Any]) -> None:
    for place, text in enumerate(texts):
        # A str would be read letter by letter, and tensors are never equal as keys.
        if not isinstance(text, list | tuple) or any(isinstance(token, Tensor) for token in text):
            raise ValueError(
                f"{what} must be lists of tokens, got {what}[{place}]={text!r}: split a text into"
                " its tokens first, and make a list of a tensor"
            )


def _counted(tokens: Sequence[Hashable], n: int) -> Counter[tuple[Hashable, ...]]:
    return Counter(ngrams(tokens, n))


def ngrams(tokens: Sequence[Hashable] | Tensor, n: int) -> Iterator[tuple[Hashable, ...]]:
    """Each n tokens that stand side by side, in their order.

    Example:
        >>> list(ngrams("to be or not".split(), 2))
        [('to', 'be'), ('be', 'or'), ('or', 'not')]
    """
    # Tensors are equal to themselves alone where a set or a counter compares them.
    tokens = tokens.tolist() if isinstance(tokens, Tensor) else tokens
    return zip(*(tokens[i:] for i in range(n)), strict=False)


def calibration_error(
    probs: Float[Tensor, "N"], right: Bool[Tensor, "N"], n_bins: int = 10
) -> float:
    """How far the share of right answers is from how sure the model was, on average: 0 to 1.

    Answers are put into bins by their probability. Of each bin counts the gap between the share
    that is right and the mean probability, weighted by the share of answers in it.

    A model is calibrated if, of the answers that it gives 70 %, 70 % are right.

    Args:
        probs: what the model gave the answer that it chose.
        right: whether the answer was right.
        n_bins: of equal width, from 0 to 1.

    Reference: Naeini, Cooper and Hauskrecht (2015), Obtaining Well Calibrated Probabilities Using
        Bayesian Binning, AAAI 2015
    """
    probs, right = probs.cpu(), right.cpu()  # Apple's GPUs know no float64
    bins = calibration_bins(probs, n_bins)
    gaps = torch.zeros(n_bins, dtype=torch.double)
    gaps.index_add_(0, bins, right.double() - probs.double())
    return gaps.abs().sum().item() / len(probs)


def calibration_bins(probs: Float[Tensor, "N"], n_bins: int = 10) -> Int[Tensor, "N"]:
    """The bin of each probability, of `n_bins` of equal width from 0 to 1; 1 is in the last."""
    if not len(probs) or not ((probs >= 0) & (probs <= 1)).all():
        raise ValueError(f"probs must be from 0 to 1, and not empty, got {_extent(probs)}")
    # In float64, so on the CPU: 10 times a float32 a hair below 0.7 would be rounded up to 7.
    bins = (probs.cpu().double() * n_bins).long().clamp_max(n_bins - 1)
    return bins.to(probs.device)


def _extent(values: Tensor) -> str:
    return f"{values.min():.3g} to {values.max():.3g}" if values.numel() else "none"
