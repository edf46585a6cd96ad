"""From scores to probabilities, and from probabilities to a loss.

Chapter: book/neurons.md
"""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def softmax(logits: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "*shape"]:
    """Probabilities: exp(logits) / Σ exp(logits) along `dim`.

    Example:
        >>> import torch
        >>> softmax(torch.tensor([1000.0, 1000.0]))
        tensor([0.5000, 0.5000])
    """
    if not logits.shape[dim]:
        return logits.exp()  # nothing to choose from, as where attention has no keys
    # Subtracting the largest logit changes nothing in the ratio and keeps exp() from overflowing.
    # It is a constant of the computation, so no gradient needs to flow through it.
    shifted = logits - logits.amax(dim, keepdim=True).detach()
    exponentials = shifted.exp()
    return exponentials / exponentials.sum(dim, keepdim=True)


def cross_entropy(
    logits: Float[Tensor, "*batch V"],
    targets: Int[Tensor, "*batch"] | Float[Tensor, "*batch V"],
) -> Float[Tensor, ""]:
    """The mean of −Σ p log q in nats, p being `targets` and q = softmax(logits).

    Args:
        targets: class ids, or one distribution for each row of `logits`.

    Example:
        >>> import math, torch
        >>> loss = cross_entropy(torch.zeros(3, 8), torch.tensor([0, 5, 7]))
        >>> math.isclose(loss.item(), math.log(8), rel_tol=1e-6)
        True
    """
    # Broadcasting would accept other shapes, and average what was never asked.
    expected = logits.shape if targets.is_floating_point() else logits.shape[:-1]
    if targets.shape != expected:
        raise ValueError(
            f"targets must have the shape {tuple(expected)} for logits {tuple(logits.shape)},"
            f" got {tuple(targets.shape)}"
        )
    log_probs = logits - logits.logsumexp(-1, keepdim=True)
    if targets.is_floating_point():
        return -(targets * log_probs).sum(-1).mean()
    vocab_size = logits.shape[-1]
    if targets.numel() and not 0 <= int(targets.min()) <= int(targets.max()) < vocab_size:
        worst = int(targets.max()) if int(targets.min()) >= 0 else int(targets.min())
        raise ValueError(
            f"targets must lie in 0…{vocab_size - 1}, got {worst}: logits have {vocab_size} classes"
        )
    return -log_probs.gather(-1, targets[..., None].long()).mean()


def check_counts(**counts: int) -> None:
    """Refuses counts below zero: a slice would take them from the end, torch names none of them."""
    for name, count in counts.items():
        if count < 0:
            raise ValueError(f"{name} must be at least 0, got {name}={count}")


def embed(table: Float[Tensor, "V C"], ids: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch C"]:
    """The rows of `table` that `ids` name: one_hot(ids) @ table, without the product.

    Example:
        >>> import torch
        >>> embed(torch.tensor([[0.0, 0.5], [1.0, 1.5]]), torch.tensor([1, 1, 0]))
        tensor([[1.0000, 1.5000],
                [1.0000, 1.5000],
                [0.0000, 0.5000]])
    """
    try:
        return F.embedding(ids, table)
    except IndexError:
        n_rows = table.shape[0]
        worst = int(ids.max()) if int(ids.max()) >= n_rows else int(ids.min())
        raise ValueError(
            f"ids must lie in 0…{n_rows - 1}, got {worst}: were they made by another tokenizer?"
        ) from None
