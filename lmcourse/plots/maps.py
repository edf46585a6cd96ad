"""Maps: who looks at whom, and any table of numbers in color.

Chapter: book/conventions.md
"""

import math
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import ListedColormap, PowerNorm, to_rgb
from matplotlib.figure import Figure

from lmcourse.plots.picture import (
    CELL,
    COLORS,
    INK,
    ROLES,
    STYLE,
    Numbers,
    Picture,
    Seeds,
    as_array,
    finish,
)


@matplotlib.rc_context(STYLE)
def attention_map(
    weights: Numbers,
    queries: Sequence[str],
    keys: Sequence[str] | None = None,
    title: str = "",
    caption: str = "",
    names: Sequence[str] | None = None,
) -> Picture:
    """Who looks at whom: a row for each query, a column for each key, the stronger the more.

    Args:
        weights: between 0 and 1, (T, S), or (H, T, S) for one map a head.
        keys: the labels of the columns; those of the rows if None.
        names: what stands over each of several maps; head 1, head 2, … if None.
    """
    maps = as_array(weights)
    maps = maps[None] if maps.ndim == 2 else maps
    names = [f"head {index + 1}" for index in range(len(maps))] if names is None else list(names)
    queries, keys = list(queries), list(queries if keys is None else keys)
    _check_map(maps, queries, keys, names)
    n_heads, n_queries, n_keys = maps.shape
    n_columns = _columns(n_heads, n_keys)
    n_rows = -(-n_heads // n_columns)
    with_numbers = n_columns * n_keys <= (8 if n_queries > 3 else 10) and n_queries <= 10
    cell = 0.46 if with_numbers else max(0.1, min(0.3, 3.6 / (n_columns * n_keys)))
    width = n_columns * (n_keys * cell + 0.2) + 0.09 * max(map(len, queries)) + 0.7
    is_beside = n_rows == 1 and n_queries * cell > 1.2
    # A scale beside the maps takes its room from their width, and they become lower.
    drawn = cell - (0.8 / (n_columns * n_keys) if is_beside and not with_numbers else 0)
    height = n_rows * (n_queries * drawn + 0.09 * max(map(len, keys)) + 0.6) + 0.3
    height += 0 if with_numbers or is_beside else 0.5
    figure = Figure(figsize=(width, height), layout="compressed")
    grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for index, axes in enumerate(grid):
        if index >= n_heads:
            axes.set_axis_off()
            continue
        mesh = _draw_map(axes, maps[index], with_numbers)
        is_last_row = index + n_columns >= n_heads
        _label_map(axes, queries, keys, cell, index % n_columns == 0, is_last_row)
        if n_heads > 1:
            axes.set_title(names[index])
    if not with_numbers:
        _draw_scale(figure, mesh, list(grid), is_beside)
    return finish(figure, title, _describe_maps(maps, queries, keys, names), caption)


@matplotlib.rc_context(STYLE)
def heat_map(
    values: Seeds,
    x_label: str,
    y_label: str,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    title: str = "",
    caption: str = "",
) -> Picture:
    """A table of numbers in color: blue above zero, orange below, the stronger the farther.

    The scale goes below zero only if a number does.

    Args:
        values: (rows, columns).
        rows: their labels; their numbers, counted from 0, if None.
        columns: likewise.
    """
    table = as_array(values)
    if table.ndim != 2 or 0 in table.shape or not np.isfinite(table).all():
        rule = "values must be a table of finite numbers"
        raise ValueError(f"{rule}, got the shape {table.shape}: give (rows, columns)")
    for name, labels, n in (("rows", rows, len(table)), ("columns", columns, table.shape[1])):
        if labels is not None and len(labels) != n:
            raise ValueError(f"{name} must name each of {n}, got {len(labels)} labels")
    cell = min(0.3, 3.9 / table.shape[1], 4.5 / len(table))
    size = (max(2.4, table.shape[1] * cell) + 1.3, max(1.0, len(table) * cell) + 0.9)
    axes = (figure := Figure(figsize=size, layout="constrained")).subplots()
    most = float(np.abs(table).max()) or 1.0
    steps = np.linspace(-1, 1, 65)
    shades = [(*to_rgb(CELL if step > 0 else COLORS[1]), 0.9 * abs(step)) for step in steps]
    mesh = axes.pcolormesh(table, cmap=ListedColormap(shades), vmin=-most, vmax=most)
    axes.invert_yaxis()
    axes.set(xlabel=x_label, ylabel=y_label)
    for axis, labels, n in ((axes.xaxis, columns, table.shape[1]), (axes.yaxis, rows, len(table))):
        step = next(step for step in (1, 2, 5, 10, 20, 50, n) if step >= n / 10)
        step = step if labels is None else math.ceil(0.22 / cell)
        places = np.arange(0, n, step)
        axis.set_ticks(places + 0.5, [str(i) if labels is None else labels[i] for i in places])
    axes.tick_params(length=0)
    scale = figure.colorbar(mesh, ax=axes, ticks=[-most, 0, most], shrink=0.8, aspect=15)
    scale.ax.set_yticklabels([f"−{most:.3g}", "0", f"{most:.3g}"])
    scale.ax.set_ylim(-most if table.min() < 0 else 0, most)
    scale.outline.set_alpha(0.25)
    about = f"Heat map of {len(table)} rows ({y_label}) by {table.shape[1]} columns ({x_label}),"
    return finish(figure, title, f"{about} {table.min():.3g} to {table.max():.3g}.", caption)


def _columns(n_heads: int, n_keys: int) -> int:
    """How many maps stand side by side: no more than a phone can show, and rows of equal length."""
    most = max(1, min(n_heads, 4, 42 // n_keys if n_heads > 2 else 30 // n_keys))
    even = [n for n in range(1, most + 1) if n_heads % n == 0]
    return even[-1] if even[-1] > most // 2 else most


def _draw_scale(figure: Figure, mesh: QuadMesh, grid: list[Axes], beside: bool) -> None:
    """Beside one map; below several, for which it is too tall, or a row, for which too low."""
    place, room = ("right", 0.05) if beside else ("bottom", 0.14 / figure.get_figheight())
    scale = figure.colorbar(
        mesh, ax=grid, ticks=[0, 0.1, 0.5, 1], location=place, fraction=room, shrink=0.8, aspect=16
    )
    scale.set_label("weight")
    scale.outline.set_alpha(0.25)


def _check_map(
    maps: np.ndarray, queries: Sequence[str], keys: Sequence[str], names: Sequence[str]
) -> None:
    if maps.ndim != 3 or 0 in maps.shape:
        rule = "weights must have the shape (T, S) or (H, T, S), none of them 0"
        raise ValueError(f"{rule}, got {maps.shape}: choose one item of the batch, weights[0]")
    if maps.shape[1:] != (len(queries), len(keys)):
        rule = "queries and keys must name the rows and columns of weights"
        found = f"{len(queries)} queries and {len(keys)} keys"
        raise ValueError(f"{rule}, got {found} for weights of shape {maps.shape[1:]}")
    if len(names) != len(maps):
        raise ValueError(f"names must name each map, got {len(names)} for {len(maps)} maps")
    # The sum of a row of bfloat16 weights can miss 1 by as much.
    if not -1e-6 <= maps.min() <= maps.max() <= 1.01:
        found = f"{maps.min():.3g} to {maps.max():.3g}"
        raise ValueError(f"weights must lie between 0 and 1, got {found}: show a softmax's output")


def _draw_map(axes: Axes, weights: np.ndarray, with_numbers: bool) -> QuadMesh:
    # Zero is the page itself, in light and in dark; the exponent keeps small weights visible.
    levels = ListedColormap([(*to_rgb(CELL), 0.85 * level / 32) for level in range(33)])
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    edges = {"edgecolor": (*to_rgb(INK), 0.25), "linewidth": 0.4, "clip_on": False}
    mesh = axes.pcolormesh(weights, cmap=levels, norm=norm, **edges)
    axes.set(aspect="equal")
    axes.invert_yaxis()
    axes.tick_params(length=0)
    if with_numbers:
        for (row, column), weight in np.ndenumerate(weights):
            number = f"{weight:.2f}" if weight else "0"  # a bare 0 is exact: masked
            axes.text(column + 0.5, row + 0.5, number, ha="center", va="center", fontsize=10.5)
    return mesh


def _label_map(
    axes: Axes,
    queries: Sequence[str],
    keys: Sequence[str],
    cell: float,
    is_first: bool,
    is_last_row: bool,
) -> None:
    points = 72 * cell
    size = min(11, max(9, 0.8 * points))
    step = math.ceil(1.15 * size / points)  # where labels would touch, every second one, or third
    is_narrow = max(map(len, keys)) * 0.7 * size <= points * step
    axes.set_xticks(np.arange(0, len(keys), step) + 0.5, keys[::step], size=size)
    axes.tick_params(axis="x", length=0, rotation=0 if is_narrow else 90)
    rows = queries[::step] if is_first else []
    axes.set_yticks(np.arange(0, len(queries), step) + 0.5, rows, size=size)
    axes.set_xlabel("keys" if is_last_row else "", color=ROLES["key"])
    axes.set_ylabel("queries" if is_first else "", color=ROLES["query"])


def _describe_maps(
    maps: np.ndarray, queries: Sequence[str], keys: Sequence[str], names: Sequence[str]
) -> str:
    n_heads, n_queries, n_keys = maps.shape
    heads = f"{n_heads} heads, " if n_heads > 1 else ""
    parts = [f"Attention map, {heads}{n_queries} queries by {n_keys} keys."]
    for index, weights in enumerate(maps):
        head = f"{names[index][:1].upper()}{names[index][1:]}: " if n_heads > 1 else ""
        # A long list helps nobody: of many rows, those that look the hardest.
        rows = np.argsort(-weights.max(1), kind="stable")[: max(2, 12 // n_heads)]
        sentences = [_describe_row(queries[row], weights[row], keys) for row in sorted(rows)]
        more = "the strongest rows: " if len(rows) < n_queries else ""
        parts.append(f"{head}{more}{'; '.join(sentences)}.")
    return " ".join(parts)


def _describe_row(query: str, weights: np.ndarray, keys: Sequence[str]) -> str:
    if weights.max() == 0:
        return f"“{query}” looks at nothing"
    best = int(weights.argmax())
    seen = weights[weights > 0]
    if seen.size > 1 and np.ptp(seen) < 0.005:  # a maximum that only rounding decides is none
        return f"“{query}” looks equally at {seen.size} keys ({weights[best]:.2f} each)"
    return f"“{query}” looks most at “{keys[best]}” ({weights[best]:.2f})"
