"""Planes: what a network answers everywhere on a square, and the points that it should tell apart.

Chapter: book/conventions.md
"""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure

from lmcourse.plots.picture import COLORS, INK, STYLE, Numbers, Picture, Seeds, as_array, finish

HUES = (COLORS[1], COLORS[0])  # of class 0 and of class 1
SHAPES = ("s", "o")


@matplotlib.rc_context(STYLE)
def planes(
    probs: Mapping[str, Numbers],
    points: Seeds,
    classes: Numbers,
    names: Sequence[str],
    labels: Sequence[str],
    axes: tuple[str, str],
    span: tuple[float, float] = (-0.5, 1.5),
    title: str = "",
    caption: str = "",
) -> Picture:
    """A square for each network, in the color of the class that it would say, with the points.

    Args:
        probs: the probability of class 1 on a square grid (N, N); rows go up, columns to the right.
        points: (P, 2).
        classes: of each point, 0 or 1.
        names: of the two classes.
        labels: a word for each point.
        axes: what the two numbers of a point are.
        span: the lowest and highest number on either axis.
    """
    grids = {name: as_array(grid) for name, grid in probs.items()}
    places, kinds = as_array(points), as_array(classes).astype(int)
    _check(grids, places, kinds, labels)
    n = len(grids)
    figure = Figure(figsize=(min(5.0, 2.5 * n + 0.5), 3.5 if n < 3 else 2.4), layout="constrained")
    row = figure.subplots(1, n, squeeze=False)[0]
    shades = [(*to_rgb(HUES[0]), 0.5 * (1 - step / 16)) for step in range(17)]
    shades += [(*to_rgb(HUES[1]), 0.5 * step / 16) for step in range(1, 17)]
    edges = np.linspace(*span, len(next(iter(grids.values()))) + 1)
    for square, (name, grid) in zip(row, grids.items(), strict=True):
        square.pcolormesh(edges, edges, grid, cmap=ListedColormap(shades), vmin=0, vmax=1)
        middle = (edges[1:] + edges[:-1]) / 2
        if grid.min() < 0.5 < grid.max():
            square.contour(middle, middle, grid, levels=[0.5], colors=[INK], linewidths=1.6)
        for kind, shape in enumerate(SHAPES):
            own = places[kinds == kind].T
            look = {"color": HUES[kind], "markeredgecolor": INK, "markersize": 9, "linestyle": ""}
            square.plot(*own, marker=shape, label=names[kind], **look)
        for (x, y), word in zip(places, labels, strict=True):
            square.annotate(word, (x, y), (0, 8), textcoords="offset points", ha="center")
        square.set(aspect="equal", xlim=span, ylim=span, xticks=[0, 1], yticks=[0, 1])
        square.set_title(name)
        square.set_xlabel(axes[0])
        square.set_ylabel(axes[1] if square is row[0] else "")
    handles, words = row[0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower center", ncols=2)
    about = [
        f"{name}: {_n_right(grid, places, kinds, span)} of {len(kinds)} points on their side."
        for name, grid in grids.items()
    ]
    told = ", ".join(
        f"{word} {names[kind]}" for word, kind in zip(labels, kinds, strict=True) if word
    )
    opening = f"Squares over {axes[0]} and {axes[1]}, in the color of the class said"
    opening += f": {told}." if told else "."
    return finish(figure, title, " ".join([opening, *about]), caption)


def _check(
    grids: Mapping[str, np.ndarray], places: np.ndarray, kinds: np.ndarray, labels: Sequence[str]
) -> None:
    for name, grid in grids.items():
        if (
            grid.ndim != 2
            or grid.shape[0] != grid.shape[1]
            or not 0 <= grid.min() <= grid.max() <= 1
        ):
            raise ValueError(
                f"probs[{name!r}] must be a square of numbers between 0 and 1, got the shape"
                f" {grid.shape}: give probabilities, not logits"
            )
    if places.shape != (len(kinds), 2) or len(labels) != len(kinds) or set(kinds) - {0, 1}:
        raise ValueError(
            "points, classes and labels must be as many, classes 0 or 1, got"
            f" {places.shape}, {sorted(set(kinds.tolist()))} and {len(labels)} labels"
        )


def _n_right(
    grid: np.ndarray, places: np.ndarray, kinds: np.ndarray, span: tuple[float, float]
) -> int:
    """How many points lie where their class is said."""
    cell = ((places - span[0]) / (span[1] - span[0]) * len(grid)).astype(int).clip(0, len(grid) - 1)
    return int(((grid[cell[:, 1], cell[:, 0]] > 0.5) == (kinds == 1)).sum())
