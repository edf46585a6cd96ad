"""Figures that carry their own description: drawn as SVG, legible on a light and on a dark page.

Chapter: book/conventions.md
"""

import hashlib
import html
import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, PowerNorm, to_rgb
from matplotlib.figure import Figure
from torch import Tensor

Numbers = Tensor | np.ndarray | Sequence[float] | Sequence[int]

# Matplotlib knows no `currentColor`: everything drawn in this color takes the page's text color.
INK = "#010203"
# Each has a contrast of at least 3 with white and with #121212; markers and dashes differ too.
COLORS = ("#2f80d8", "#d2641e", "#2b9360", "#a862cf", "#d1495b", "#8a7a2e")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))

_STYLE = {
    "svg.hashsalt": "lmcourse",  # ids are made from it; the default is a random number
    "svg.fonttype": "none",  # text stays text: sharp, searchable, and Chinese needs no font of ours
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 10.0,
    "axes.titlesize": 10.0,
    "figure.titlesize": 11.0,
    "figure.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "grid.alpha": 0.15,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color", "grid.color"), INK),
}


@dataclass(frozen=True, repr=False)
class Picture:
    """A figure and the words that say the same; a notebook shows it as inline SVG."""

    figure: Figure
    alt: str

    def __repr__(self) -> str:
        return f"Picture: {self.alt}"

    def _repr_html_(self) -> str:
        return f'<figure class="lm-picture">{self.svg}</figure>'

    @cached_property  # matplotlib's layout moves a little each time that it draws
    def svg(self) -> str:
        """The drawing alone, the same characters each time, with ids that no other picture has."""
        buffer = io.StringIO()
        with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
            # The browser draws the text, with its own fonts: what ours lacks does not matter.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            self.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        drawing = buffer.getvalue()
        drawing = drawing[drawing.index("<svg") :]
        # A <style> would hold for the whole page, not for this drawing alone.
        drawing = re.sub(r"<(metadata|style).*?</\1>", "", drawing, flags=re.DOTALL)
        drawing = re.sub(r">\s+<", "><", drawing).strip()
        drawing = re.sub(r"<[^>]*>", lambda tag: _tidy(tag[0]), drawing)
        look = "max-width: 100%; height: auto; stroke-linejoin: round"
        opening = f'<svg role="img" aria-label="{html.escape(self.alt)}" style="{look}"'
        return _unique_ids(drawing).replace("<svg", opening, 1)


def _tidy(tag: str) -> str:
    """A hundredth of a point is enough, and the same on every machine."""
    tag = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", tag)
    return re.sub(r"\s+", " ", tag).replace(INK, "currentColor")


def _unique_ids(drawing: str) -> str:
    """Drops the ids that nothing refers to, and marks the others with a digest of the drawing."""
    mark = "lm-" + hashlib.sha256(drawing.encode()).hexdigest()[:10]
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', drawing))
    for name in set(re.findall(r' id="([^"]+)"', drawing)):
        new = f' id="{mark}-{name}"' if name in used else ""
        drawing = drawing.replace(f' id="{name}"', new)
    return re.sub(r'(url\(|href=")#', rf"\g<1>#{mark}-", drawing)


@matplotlib.rc_context(_STYLE)
def attention_map(
    weights: Numbers,
    queries: Sequence[str],
    keys: Sequence[str] | None = None,
    title: str = "",
) -> Picture:
    """Who looks at whom: a row for each query, a column for each key, the stronger the more.

    Args:
        weights: between 0 and 1, (T, S), or (H, T, S) for one map a head.
        keys: the labels of the columns; those of the rows if None.
    """
    maps = _numbers(weights)
    maps = maps[None] if maps.ndim == 2 else maps
    queries, keys = list(queries), list(queries if keys is None else keys)
    _check_map(maps, queries, keys)
    n_heads, n_queries, n_keys = maps.shape
    n_columns = max(1, min(n_heads, 4, 16 // n_keys))  # no wider than a phone can show
    n_rows = -(-n_heads // n_columns)
    with_numbers = n_columns * n_keys <= 10 and n_queries <= 10
    cell = 0.44 if with_numbers else max(0.12, min(0.3, 4.6 / (n_columns * n_keys)))
    width = n_columns * (n_keys * cell + 0.2) + 0.08 * max(map(len, queries)) + 0.9
    height = n_rows * (n_queries * cell + 0.08 * max(map(len, keys)) + 0.6) + 0.3
    figure = Figure(figsize=(width, height), layout="compressed")
    grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for index, axes in enumerate(grid):
        if index >= n_heads:
            axes.set_axis_off()
            continue
        mesh = _draw_map(axes, maps[index], with_numbers)
        _label_map(axes, queries, keys, cell, is_first=index % n_columns == 0)
        if n_heads > 1:
            axes.set_title(f"head {index + 1}")
    if not with_numbers:
        scale = figure.colorbar(mesh, ax=list(grid), ticks=[0, 0.1, 0.5, 1], fraction=0.05)
        scale.set_label("weight")
        scale.outline.set_alpha(0.25)
    return _finish(figure, title, _describe_maps(maps, queries, keys))


def _check_map(maps: np.ndarray, queries: Sequence[str], keys: Sequence[str]) -> None:
    if maps.ndim != 3 or 0 in maps.shape:
        rule = "weights must have the shape (T, S) or (H, T, S), none of them 0"
        raise ValueError(f"{rule}, got {maps.shape}: choose one item of the batch, weights[0]")
    if maps.shape[1:] != (len(queries), len(keys)):
        rule = "queries and keys must name the rows and columns of weights"
        found = f"{len(queries)} queries and {len(keys)} keys"
        raise ValueError(f"{rule}, got {found} for weights of shape {maps.shape[1:]}")
    # The sum of a row of bfloat16 weights can miss 1 by as much.
    if not -1e-6 <= maps.min() <= maps.max() <= 1.01:
        found = f"{maps.min():.3g} to {maps.max():.3g}"
        raise ValueError(f"weights must lie between 0 and 1, got {found}: show a softmax's output")


def _draw_map(axes: Axes, weights: np.ndarray, with_numbers: bool):
    # Zero is the page itself, in light and in dark; the exponent keeps small weights visible.
    levels = ListedColormap([(*to_rgb(COLORS[0]), 0.85 * level / 32) for level in range(33)])
    norm = PowerNorm(0.6, vmin=0, vmax=1)
    edges = {"edgecolor": (*to_rgb(INK), 0.25), "linewidth": 0.4, "clip_on": False}
    mesh = axes.pcolormesh(weights, cmap=levels, norm=norm, **edges)
    axes.set(aspect="equal")
    axes.invert_yaxis()
    axes.tick_params(length=0)
    if with_numbers:
        for (row, column), weight in np.ndenumerate(weights):
            number = f"{weight:.2f}" if weight else "0"  # a bare 0 is exact: masked
            axes.text(column + 0.5, row + 0.5, number, ha="center", va="center", fontsize=9)
    return mesh


def _label_map(
    axes: Axes, queries: Sequence[str], keys: Sequence[str], cell: float, is_first: bool
) -> None:
    points = 72 * cell
    size = min(10, max(8, 0.8 * points))
    step = math.ceil(1.15 * size / points)  # where labels would touch, every second one, or third
    is_narrow = max(map(len, keys)) * 0.7 * size <= points * step
    axes.set_xticks(np.arange(0, len(keys), step) + 0.5, keys[::step], size=size)
    axes.tick_params(axis="x", length=0, rotation=0 if is_narrow else 90)
    rows = queries[::step] if is_first else []
    axes.set_yticks(np.arange(0, len(queries), step) + 0.5, rows, size=size)
    axes.set(xlabel="keys", ylabel="queries" if is_first else "")


def _describe_maps(maps: np.ndarray, queries: Sequence[str], keys: Sequence[str]) -> str:
    n_heads, n_queries, n_keys = maps.shape
    heads = f"{n_heads} heads, " if n_heads > 1 else ""
    parts = [f"Attention map, {heads}{n_queries} queries by {n_keys} keys."]
    for index, weights in enumerate(maps):
        head = f"Head {index + 1}: " if n_heads > 1 else ""
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


@matplotlib.rc_context(_STYLE)
def line_plot(
    x: Numbers,
    lines: Mapping[str, Numbers],
    x_label: str,
    y_label: str,
    title: str = "",
    log_x: bool = False,
    log_y: bool = False,
) -> Picture:
    """One line for each name, all over the same x."""
    x = _numbers(x)
    curves = _series("lines", lines, "x", x.size)
    figure = Figure(figsize=(5.4, 3.4), layout="constrained")
    axes = figure.subplots()
    for index, (name, values) in enumerate(curves.items()):
        line = axes.plot(x, values, label=name, color=COLORS[index % len(COLORS)])[0]
        line.set_linestyle(DASHES[index % len(DASHES)])
        line.set_marker(MARKERS[index % len(MARKERS)] if x.size <= 20 else "")
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.set_xscale("log" if log_x else "linear")
    if log_x and x.size <= 10:
        axes.set_xticks(x, [_short(value) for value in x], minor=False)
        axes.minorticks_off()
    axes.set_yscale("log" if log_y else "linear")
    axes.grid(True)
    if len(curves) > 1:
        axes.legend()
    about = [f"Line plot of {y_label} over {x_label}, {_short(x.min())} to {_short(x.max())}."]
    about += [_describe_curve(name, x, values) for name, values in curves.items()]
    return _finish(figure, title, " ".join(about))


@matplotlib.rc_context(_STYLE)
def bar_plot(
    labels: Sequence[str], bars: Mapping[str, Numbers], y_label: str, title: str = ""
) -> Picture:
    """A group of bars for each label, in it one bar for each name."""
    groups = _series("bars", bars, "label", len(labels))
    axes = (figure := Figure(figsize=(5.4, 3.2), layout="constrained")).subplots()
    width = 0.8 / max(1, len(groups))
    for index, (name, values) in enumerate(groups.items()):
        left = np.arange(len(labels)) - 0.4 + (index + 0.5) * width
        drawn = axes.bar(left, values, width, label=name, color=COLORS[index % len(COLORS)])
        if len(labels) * len(groups) <= 12:
            axes.bar_label(drawn, labels=[_short(value) for value in values], fontsize=9)
    axes.set(ylabel=y_label)
    axes.set_xticks(range(len(labels)), labels)
    if len(groups) > 1:
        axes.legend()
    about = [f"Bar plot of {y_label}."]
    for name, values in groups.items():
        pairs = zip(labels, map(_short, values), strict=True)
        about.append(f"{name}: {', '.join(f'{label} {value}' for label, value in pairs)}.")
    return _finish(figure, title, " ".join(about))


def _describe_curve(name: str, x: np.ndarray, y: np.ndarray) -> str:
    finite = np.isfinite(y)
    if not finite.any():
        return f"{name}: no values."
    x, y = x[finite], y[finite]
    parts = [f"{name}: from {_short(y[0])} to {_short(y[-1])}"]
    for word, best in (("lowest", int(y.argmin())), ("highest", int(y.argmax()))):
        if 0 < best < y.size - 1:
            parts.append(f"{word} {_short(y[best])} at {_short(x[best])}")
    return ", ".join(parts) + "."


def _finish(figure: Figure, title: str, alt: str) -> Picture:
    if title:
        figure.suptitle(title)
    return Picture(figure, f"{title}. {alt}" if title else alt)


def _series(what: str, named: Mapping[str, Numbers], each: str, n: int) -> dict[str, np.ndarray]:
    series = {name: _numbers(values) for name, values in named.items()}
    for name, values in series.items():
        if values.shape != (n,):
            raise ValueError(
                f"{what}[{name!r}] must have a value for each {each}, got {values.size} for {n}"
            )
    return series


def _numbers(values: Numbers) -> np.ndarray:
    return torch.as_tensor(values).detach().double().cpu().numpy()


def _short(value: float) -> str:
    return f"{value:.4g}"
