"""A neuron, layers of neurons, and what turns their numbers into probabilities and a loss.

Chapter: book/neurons.md
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

Bend = Callable[[Tensor], Tensor]


# ---------------------------------------------------------------- one neuron


def neuron(
    x: Float[Tensor, "*batch C"], weights: Float[Tensor, "C"], bias: Float[Tensor, ""]
) -> Float[Tensor, "*batch"]:
    """tanh(x · weights + bias): a weighted sum, and a bend.

    Example:
        >>> two = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 0.5])
        >>> print(f"{neuron(*two, torch.tensor(-0.5)):.3f}")
        0.762
    """
    return (x @ weights + bias).tanh()


def neuron_gradients(
    x: Float[Tensor, "*batch C"],
    weights: Float[Tensor, "C"],
    bias: Float[Tensor, ""],
    gradient: Float[Tensor, "*batch"],
) -> tuple[Float[Tensor, "*batch C"], Float[Tensor, "C"], Float[Tensor, ""]]:
    """The gradients for x, weights and bias, by the chain rule written out.

    Args:
        gradient: how fast the loss rises with what the neuron puts out.
    """
    output = neuron(x, weights, bias)
    at_sum = gradient * (1 - output.square())  # tanh' is 1 − tanh²
    each = at_sum[..., None] * x
    # Weights and bias serve every item of the batch: what each of them says is added up.
    return at_sum[..., None] * weights, each.reshape(-1, x.shape[-1]).sum(0), at_sum.sum()


# ---------------------------------------------------------------- layers


class MLP(nn.Module):
    """Layer upon layer, h ← bend(h W + b), with no bend after the last: a multilayer perceptron.

    Every number starts between ±1/√n at random, n being what its layer reads, as in nn.Linear.

    Args:
        widths: numbers in, neurons in each hidden layer, numbers out.
        bend: the activation function; None leaves it out, and then all layers together are linear.

    Example:
        >>> MLP([2, 8, 3])(torch.zeros(5, 2)).shape
        torch.Size([5, 3])

    Reference: Rumelhart, Hinton and Williams (1986), https://doi.org/10.1038/323533a0
    """

    def __init__(self, widths: Sequence[int], bend: Bend | None = torch.relu):
        super().__init__()
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(
                f"widths must be two or more counts of at least 1, got widths={list(widths)}:"
                " give numbers in, neurons in each hidden layer, numbers out"
            )
        self.bend = bend
        pairs = list(itertools.pairwise(widths))
        self.weights = nn.ParameterList(_start(n_in, n_in, n_out) for n_in, n_out in pairs)
        self.biases = nn.ParameterList(_start(n_in, n_out) for n_in, n_out in pairs)

    def features(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch F"]:
        """What the last hidden layer has made of x; x itself if there is none."""
        # A slice of a ParameterList would be a new module, made at each call.
        for weights, bias in list(zip(self.weights, self.biases, strict=True))[:-1]:
            x = x @ weights + bias
            x = x if self.bend is None else self.bend(x)
        return x

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch D"]:
        return self.features(x) @ self.weights[-1] + self.biases[-1]


class MultiTaskMLP(nn.Module):
    """One network for several questions: hidden layers that all share, and a linear head for each.

    Args:
        widths: numbers in, neurons in each shared layer.
        heads: how many numbers the head of this name puts out.

    Reference: Caruana (1997), Multitask Learning, https://doi.org/10.1023/A:1007379606734
    """

    def __init__(self, widths: Sequence[int], heads: Mapping[str, int], bend: Bend = torch.relu):
        super().__init__()
        if not heads:
            raise ValueError('heads must name one question or more, got {}: give {"class": 2}')
        self.body, self.bend = MLP(widths, bend), bend
        self.heads = nn.ModuleDict({name: MLP([widths[-1], n]) for name, n in heads.items()})

    def features(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch F"]:
        """What all heads read."""
        return self.bend(self.body(x))

    def forward(self, x: Float[Tensor, "*batch C"]) -> dict[str, Tensor]:
        features = self.features(x)
        return {name: head(features) for name, head in self.heads.items()}


def _start(n_read: int, *shape: int) -> nn.Parameter:
    most = 1 / math.sqrt(n_read)
    return nn.Parameter(torch.empty(shape).uniform_(-most, most))


# ---------------------------------------------------------------- probabilities and loss


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


# ---------------------------------------------------------------- the loop


@runtime_checkable
class Optimizer(Protocol):
    """What changes parameters by their gradients: one of ours, or of torch.optim."""

    def zero_grad(self) -> None:
        """Forgets the gradients."""

    def step(self) -> Any:
        """Changes each parameter a little."""


def fit(
    model: Callable[[Any], Any],
    optimizer: Optimizer,
    batches: Iterable[tuple[Any, Any]],
    loss_of: Callable[[Any, Any], Tensor] = cross_entropy,
) -> list[float]:
    """The training loop. Trains on one batch after the other; the loss of each, before its step.

    For a long training of a language model, with validation, a schedule and files, there is
    lmcourse.training.train.

    Args:
        batches: pairs of what the model is given and what it should have said.
        loss_of: a loss, of what the model said and what it should have said.
    """
    losses = []
    for inputs, targets in batches:
        loss = loss_of(model(inputs), targets)  # how wrong is the guess?
        optimizer.zero_grad()  # forget the last batch
        loss.backward()  # which way is worse?
        optimizer.step()  # a little the other way
        losses.append(loss.item())
    return losses


# ---------------------------------------------------------------- look-up, and a check


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
