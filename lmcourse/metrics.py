"""What a number about a model means: entropy, accuracy, perplexity.

Chapter: book/evaluation.md
"""

import math
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmcourse.neurons import cross_entropy


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
    return (predictions == targets).double().mean().item()


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
    if len(ids) < 2:
        raise ValueError(f"ids must be at least two, one to start from, got {len(ids)}")
    total = 0.0
    was_training = getattr(model, "training", False)
    if was_training:
        model.eval()  # with dropout it would be the perplexity of another model
    try:
        with torch.no_grad():
            for inputs, targets in _windows(ids, context_length, batch_size):
                # Weighted by its size: the last window is shorter, and counts for less.
                total += cross_entropy(model(inputs), targets).item() * targets.numel()
    finally:
        if was_training:
            model.train()
    return math.exp(total / (len(ids) - 1))


def _windows(ids: Tensor, context_length: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Each id but the first as a target exactly once, in windows, the last perhaps shorter."""
    inputs, targets = ids[:-1], ids[1:]
    end = len(inputs) // context_length * context_length
    if end:
        rows = (x[:end].view(-1, context_length).split(batch_size) for x in (inputs, targets))
        yield from zip(*rows, strict=True)
    if end < len(inputs):
        yield inputs[None, end:], targets[None, end:]
