"""Live figures of optimizers: ways down a valley, and across the landscape of a tiny network.

Chapter: book/conventions.md
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from lmcourse import plots
from lmcourse.optimization import SGD, Adam
from lmcourse.plots import LivePicture


def descent(
    curvatures: tuple[float, float],
    start: tuple[float, float],
    n_steps: int,
    ways: Mapping[str, tuple[float, float] | float],
    caption: str = "",
) -> LivePicture:
    """Down a valley with the course's own optimizers; the loss is ½ Σ curvature · place².

    Args:
        ways: for each, learning rate and momentum of SGD; or one number, the rate of Adam.
    """
    told, lines = [], {}
    for name, way in ways.items():
        path = _path(curvatures, start, n_steps, way)
        lines[name] = (path.square() @ torch.tensor(curvatures, dtype=path.dtype)) / 2
        rate, momentum, adam = (*way, False) if isinstance(way, tuple) else (way, 0.0, True)
        told.append({"name": name, "rate": rate, "momentum": momentum, "adam": adam, "path": path})
    picture = plots.line_plot(
        range(n_steps + 1), lines, "step", "loss", log_y=True, caption=caption
    )
    data = {"curvatures": curvatures, "start": start, "n_steps": n_steps, "ways": told}
    return plots.live("descent", data, picture)


def _path(
    curvatures: tuple[float, float],
    start: tuple[float, float],
    n_steps: int,
    way: tuple[float, float] | float,
) -> Float[Tensor, "n_places 2"]:
    """Where the optimizer was before its first step and after each."""
    at = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    is_sgd = isinstance(way, tuple)
    optimizer = SGD([at], way[0], momentum=way[1]) if is_sgd else Adam([at], way)
    slopes = torch.tensor(curvatures, dtype=at.dtype)
    return _walk(at, optimizer, lambda: (at.square() * slopes).sum() / 2, n_steps)


def _walk(
    at: Tensor, optimizer: SGD | Adam, loss_of: Callable[[], Tensor], n_steps: int
) -> Float[Tensor, "n_places 2"]:
    places = [at.detach().clone()]
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss_of().backward()
        optimizer.step()
        places.append(at.detach().clone())
    return torch.stack(places)


# Shades of the map end where the loss is one of these.
_EDGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def landscape(
    inputs: Sequence[float],
    targets: Sequence[float],
    n_steps: int,
    ways: Mapping[str, tuple[float, float, tuple[float, float]]],
    span: float = 4.0,
    caption: str = "",
) -> LivePicture:
    """All of the loss of a network with two weights, w₂ tanh(w₁ x), and a ball that rolls in it.

    The loss is the mean squared error; the ball takes steps of SGD.

    Args:
        ways: for each, learning rate, momentum, and the two weights to start from.
        span: the map reaches from -span to span.
    """
    x, y = (torch.tensor(numbers, dtype=torch.float64) for numbers in (inputs, targets))

    def loss_at(w: Float[Tensor, "*places 2"]) -> Float[Tensor, "*places"]:
        return (w[..., 1:] * torch.tanh(w[..., :1] * x) - y).square().mean(-1)

    n = 80
    middles = (torch.arange(n, dtype=torch.float64) + 0.5) * 2 * span / n - span
    heights = loss_at(torch.stack(torch.meshgrid(middles, middles, indexing="xy"), -1))
    told = []
    for name, (rate, momentum, start) in ways.items():
        at = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        path = _walk(at, SGD([at], rate, momentum), lambda at=at: loss_at(at), n_steps)
        told.append(
            {"name": name, "rate": rate, "momentum": momentum, "start": start, "path": path}
        )
    paths = {each["name"]: each["path"] for each in told}
    picture = plots.landscape(
        heights, _EDGES, paths, ("first weight", "second weight"), span, caption=caption
    )
    levels = torch.bucketize(heights, torch.tensor(_EDGES, dtype=torch.float64), right=True)
    data = {
        "inputs": inputs,
        "targets": targets,
        "span": span,
        "edges": _EDGES,
        "levels": levels,
        "n_steps": n_steps,
        "ways": told,
    }
    return plots.live("landscape", data, picture)
