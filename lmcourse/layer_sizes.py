"""How large activations and gradients are, layer by layer: is a network ready to be trained?

Chapter: book/optimization.md
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class LayerSize:
    """The root of the mean square of what a layer puts out, and of the loss's gradient there."""

    name: str
    activation: float
    gradient: float


def layer_sizes(
    model: nn.Module,
    loss_of: Callable[[], Tensor],
    layers: Iterable[str] | None = None,
) -> list[LayerSize]:
    """One forward and one backward pass, watched: a size for each layer, in the order of the pass.

    Parameters keep the gradients that they had.

    Args:
        loss_of: reads a batch with the model and gives the loss, one number.
        layers: names as in `model.named_modules()`; all that have no parts of their own if None.

    Raises:
        ValueError: a layer is not there, or the pass does not come to it.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Tanh())
        >>> _ = nn.init.zeros_(model[0].weight)
        >>> [s.activation for s in layer_sizes(model, lambda: model(torch.ones(1, 2)).sum())]
        [0.0, 0.0]
    """
    modules = dict(model.named_modules())
    names = [n for n, m in modules.items() if not [*m.children()]] if layers is None else [*layers]
    if missing := [name for name in names if name not in modules]:
        raise ValueError(f"layers must be among {', '.join(filter(None, modules))}, got {missing}")
    seen: list[tuple[str, Tensor]] = []
    hooks = [
        modules[name].register_forward_hook(lambda _, __, out, name=name: seen.append((name, out)))
        for name in names
    ]
    try:
        loss = loss_of()
    finally:
        for hook in hooks:
            hook.remove()
    if layers is not None and (missing := sorted({*names} - {name for name, _ in seen})):
        raise ValueError(f"layers must be used by the pass, got {missing}")
    gradients = torch.autograd.grad(loss, [out for _, out in seen], allow_unused=True)
    return [
        LayerSize(name=name, activation=_size(out), gradient=_size(gradient))
        for (name, out), gradient in zip(seen, gradients, strict=True)
    ]


def _size(numbers: Tensor | None) -> float:
    return 0.0 if numbers is None else numbers.detach().double().square().mean().sqrt().item()


def complaints(sizes: Iterable[LayerSize], most: float = 10.0) -> list[str]:
    """What is wrong with the sizes of layers of one kind: each that changes by a factor too large.

    Args:
        sizes: of layers that should be alike, such as the outputs of a model's blocks.
        most: by how much the first and the last of them may differ; zero and NaN always differ.
    """
    sizes = list(sizes)
    if len(sizes) < 2:
        raise ValueError(f"sizes must be of two layers at least, got {len(sizes)}")
    found = []
    # Activations change on the way forward, gradients on the way back.
    for what, way in (("activation", sizes), ("gradient", sizes[::-1])):
        first, last = getattr(way[0], what), getattr(way[-1], what)
        if not (first > 0 and last > 0 and math.isfinite(first + last)):
            found.append(f"{what}s are {first:.1g} at {way[0].name}, {last:.1g} at {way[-1].name}")
        elif not 1 / most <= last / first <= most:
            verb = "grow" if last > first else "shrink"
            factor = float(f"{max(last / first, first / last):.1g}")
            places = f"from {way[0].name} to {way[-1].name}"
            found.append(f"{what}s {verb} by a factor of {factor:,.0f} {places}")
    return found


def initialize(
    model: nn.Module, gain: float, generator: torch.Generator | None = None
) -> Mapping[str, float]:
    """Draws each matrix with a standard deviation of gain / √(numbers that come in); biases zero.

    Gives the standard deviations by the names of the matrices. A gain of 1 keeps sizes through
    layers without a bend, √2 through those with ReLU.

    Reference: Glorot and Bengio (2010), section 4.2.1, https://proceedings.mlr.press/v9/glorot10a;
        He et al. (2015), section 2.2, https://arxiv.org/abs/1502.01852
    """
    if not 0 <= gain < math.inf:
        raise ValueError(f"gain must be at least 0, got gain={gain}")
    drawn = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            drawn[f"{name}.weight"] = gain / math.sqrt(module.in_features)
            nn.init.normal_(module.weight, std=drawn[f"{name}.weight"], generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return drawn
