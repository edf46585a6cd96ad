"""Landscapes: how high a loss is over two parameters, from above, and ways across it.

Chapter: book/conventions.md
"""

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from lmcourse.plots.picture import (
    CELL,
    COLORS,
    DASHES,
    INK,
    MARKERS,
    STYLE,
    Numbers,
    Picture,
    Seeds,
    as_array,
    finish,
)


@matplotlib.rc_context(STYLE)
def landscape(
    heights: Seeds,
    edges: Numbers,
    paths: Mapping[str, Seeds],
    axes: tuple[str, str],
    span: float,
    title: str = "",
    caption: str = "",
) -> Picture:
    """A map of heights, darker where it is higher, with each path from its ring to its cross.

    Args:
        heights: (N, N); rows go up, columns to the right.
        edges: the N - 1 heights that part one shade from the next, rising.
        paths: places (n, 2) by name, n at least 2.
        axes: what the two numbers of a place are.
        span: the map reaches from -span to span on either axis.
    """
    grid, steps = as_array(heights), as_array(edges)
    if grid.ndim != 2 or grid.shape[0] != grid.shape[1]:
        raise ValueError(f"heights must be a square, got the shape {grid.shape}")
    if len(steps) < 1 or (np.diff(steps) <= 0).any():
        raise ValueError(f"edges must rise, got {steps.tolist()}")
    figure = Figure(figsize=(4.4, 4.4), layout="constrained")
    square = figure.subplots()
    shades = [(*to_rgb(CELL), 0.75 * level / len(steps)) for level in range(len(steps) + 1)]
    sides = np.linspace(-span, span, len(grid) + 1)
    # Areas and no cells: thousands of those would weigh more than the rest of a page.
    places = np.concatenate([sides[:1], (sides[1:] + sides[:-1]) / 2, sides[-1:]])
    bounds = [min(grid.min(), steps[0]) - 1, *steps, max(grid.max(), steps[-1]) + 1]
    square.contourf(places, places, np.pad(grid, 1, mode="edge"), levels=bounds, colors=shades)
    for i, (name, path) in enumerate(paths.items()):
        x, y = as_array(path).T
        look = {"color": COLORS[(i + 1) % len(COLORS)], "linestyle": DASHES[i % len(DASHES)]}
        square.plot(x, y, label=name, marker=MARKERS[i % len(MARKERS)], markersize=3, **look)
        square.plot(x[:1], y[:1], marker="o", markersize=9, color=INK, fillstyle="none")
        square.plot(x[-1:], y[-1:], marker="x", markersize=9, color=INK)
    square.set(aspect="equal", xlim=(-span, span), ylim=(-span, span))
    square.set(xlabel=axes[0], ylabel=axes[1])
    if paths:
        figure.legend(loc="outside lower center", ncols=2)
    lowest = np.unravel_index(grid.argmin(), grid.shape)
    at = tuple(sides[place] + span / len(grid) for place in lowest[::-1])
    told = [f"lowest, {grid.min():.2g}, near {at[0]:.1f}, {at[1]:.1f}"]
    for name, path in paths.items():
        begin, *_, end = (f"{x:.1f}, {y:.1f}" for x, y in as_array(path))
        told.append(f"{name} goes from {begin} to {end}")
    return finish(figure, title, f"A map over {axes[0]} and {axes[1]}: {'; '.join(told)}.", caption)
