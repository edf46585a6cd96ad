"""Line plots and bar plots, with the seeds as dots, and floors and ceilings as levels.

Chapter: book/conventions.md
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from matplotlib.transforms import Bbox

from lmcourse.plots.picture import (
    DASHES,
    HEIGHT,
    INK,
    MARKERS,
    STYLE,
    WIDTH,
    Numbers,
    Picture,
    Seeds,
    any_script,
    as_array,
    finish,
    pick_color,
)

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@matplotlib.rc_context(STYLE)
def line_plot(
    x: Numbers,
    lines: Mapping[str, Seeds],
    x_label: str,
    y_label: str,
    title: str = "",
    log_x: bool = False,
    log_y: bool = False,
    caption: str = "",
    levels: Mapping[str, float | int] | None = None,
    percent: bool = False,
    colors: Mapping[str, str] | None = None,
) -> Picture:
    """One line for each name, all over the same x.

    Args:
        lines: a value for each x; or a row of them for each seed, which are drawn as dots around
            their mean.
        levels: floors and ceilings, such as chance, drawn as horizontal lines.
        percent: values are shares, 0.5 is written as 50%.
        colors: the role of a line in `ROLES`, for lines that have one.
    """
    x = as_array(x)
    curves = _series("lines", lines, "x", x.size)
    axes = (figure := Figure(figsize=(WIDTH, HEIGHT), layout="constrained")).subplots()
    for index, (name, seeds) in enumerate(curves.items()):
        color = pick_color(name, index, colors or {})
        line = axes.plot(x, seeds.mean(0), label=name, color=color)[0]
        line.set_linestyle(DASHES[index % len(DASHES)])
        line.set_marker(MARKERS[index % len(MARKERS)] if x.size <= 20 else "")
        if len(seeds) > 1:
            dots = {"color": color, "alpha": 0.55, "linestyle": "", "markersize": 3.5}
            axes.plot(np.tile(x, len(seeds)), seeds.ravel(), marker="o", **dots)
    _draw_levels(axes, levels or {})
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.grid(True)
    if log_x:
        axes.set_xscale("log")
        _label_log(axes.xaxis, x if x.size <= 6 else None)
    elif x.size <= 6 and np.diff(x).min(initial=np.inf) >= 0.08 * np.ptp(x):
        axes.set_xticks(x, [_plain(value) for value in x])
    if log_y:
        axes.set_yscale("log")
        _label_log(axes.yaxis)
    _show_names(figure, axes, len(curves) + len(levels or {}))
    _as_percent(axes, percent)
    about = [f"Line plot of {y_label} over {x_label}, {_short(x.min())} to {_short(x.max())}."]
    about += [_describe_curve(name, x, seeds, percent) for name, seeds in curves.items()]
    about += _describe_levels(levels or {}, percent)
    return finish(figure, title, " ".join(about), caption)


@matplotlib.rc_context(STYLE)
def bar_plot(
    labels: Sequence[str],
    bars: Mapping[str, Seeds],
    y_label: str,
    title: str = "",
    caption: str = "",
    levels: Mapping[str, float | int] | None = None,
    percent: bool = False,
    colors: Mapping[str, str] | None = None,
) -> Picture:
    """A group of bars for each label, in it one bar for each name.

    Args:
        bars: a value for each label; or a row of them for each seed, which are drawn as dots over
            the bar of their mean.
        levels: floors and ceilings, such as chance, drawn as horizontal lines.
        percent: values are shares, 0.5 is written as 50%.
        colors: the role of a name in `ROLES`, for names that have one.
    """
    groups = _series("bars", bars, "label", len(labels))
    axes = (figure := Figure(figsize=(WIDTH, HEIGHT), layout="constrained")).subplots()
    width = 0.8 / max(1, len(groups))
    write = _writer([seeds.mean(0) for seeds in groups.values()], percent)
    for index, (name, seeds) in enumerate(groups.items()):
        left = np.arange(len(labels)) - 0.4 + (index + 0.5) * width
        color = pick_color(name, index, colors or {})
        _draw_bars(axes, left, 0.94 * width, seeds, label=name, color=color)
        if len(labels) * len(groups) <= 12:
            _write_values(axes, left, seeds, write)
    _draw_levels(axes, levels or {})
    axes.margins(y=0.12)
    axes.set(ylabel=y_label)
    axes.set_xticks(range(len(labels)), labels)
    _show_names(figure, axes, len(groups) + len(levels or {}))
    _as_percent(axes, percent)
    _keep_apart(figure, axes)
    about = [f"Bar plot of {y_label}."]
    for name, seeds in groups.items():
        pairs = zip(labels, seeds.T, strict=True)
        told = ", ".join(f"{label} {_tell(values, percent)}" for label, values in pairs)
        about.append(f"{name}: {told}.")
    about += _describe_levels(levels or {}, percent)
    return finish(figure, title, " ".join(about), caption)


def _draw_bars(axes: Axes, left: np.ndarray, width: float, seeds: np.ndarray, **look) -> None:
    has_dots = len(seeds) > 1
    axes.bar(left, seeds.mean(0), width, alpha=0.5 if has_dots else 1, **look)
    if has_dots:
        places = left + np.linspace(-0.25, 0.25, len(seeds))[:, None] * width
        axes.plot(places.ravel(), seeds.ravel(), "o", color=look["color"], markersize=4)


def _write_values(axes: Axes, left: np.ndarray, seeds: np.ndarray, write: Callable) -> None:
    """The mean of each bar, beyond its farthest dot."""
    for place, values in zip(left, seeds.T, strict=True):
        mean = float(values.mean())
        end, offset, side = (values.max(), 3, "bottom") if mean >= 0 else (values.min(), -3, "top")
        where = {"xytext": (0, offset), "textcoords": "offset points", "ha": "center", "va": side}
        axes.annotate(write(mean), (place, end), **where)


def _keep_apart(figure: Figure, axes: Axes) -> None:
    """Moves what would be written over its neighbor: every other label down, a value from its bar.

    Only when the figure has been drawn are the width of a text and its place known.
    """
    with any_script():
        figure.draw_without_rendering()
        labels = axes.get_xticklabels()
        boxes = [label.get_window_extent().expanded(1.04, 1.0) for label in labels]
        if any(one.overlaps(two) for one, two in itertools.pairwise(boxes)):
            texts = [label.get_text() for label in labels]
            lower = "\n" * (1 + max(text.count("\n") for text in texts[::2]))
            axes.set_xticks(
                axes.get_xticks(),
                [lower * (place % 2) + text for place, text in enumerate(texts)],
            )
            figure.draw_without_rendering()
    placed: list[Bbox] = []
    for text in sorted(axes.texts, key=lambda text: text.xy[0]):
        x, offset = text.get_position()
        while any(text.get_window_extent().overlaps(other) for other in placed):
            offset += 4 if offset > 0 else -4
            text.set_position((x, offset))
        placed.append(text.get_window_extent().expanded(1.04, 1.0))


def _draw_levels(axes: Axes, levels: Mapping[str, float | int]) -> None:
    for index, (name, value) in enumerate(levels.items()):
        dashes = (0, (2 + 4 * index, 2))
        axes.axhline(value, color=INK, alpha=0.65, linewidth=1.2, linestyle=dashes, label=name)


def _show_names(figure: Figure, axes: Axes, n_names: int) -> None:
    """The legend above the axes, where it lies on nothing; a single line has its name in y."""
    if n_names < 2:
        return
    handles, names = axes.get_legend_handles_labels()
    room = 62 - 3  # characters of a line
    n_columns = max(1, min(len(names), room // (max(map(len, names)) + 8)))
    figure.legend(
        handles,
        names,
        loc="outside upper center",
        ncols=n_columns,
        columnspacing=1.2,
        handlelength=2.4,
    )


def _as_percent(axes: Axes, percent: bool) -> None:
    if percent:
        axes.yaxis.set_major_formatter(lambda value, place: f"{_plain(100 * value)}%")


def _label_log(axis: Axis, at: np.ndarray | None = None) -> None:
    """Numbers as people write them, 20 and not 2×10¹, and as many as can be read."""
    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    if at is None:
        steps = (1,) if decades > 3 else (1, 3) if decades > 1.5 else (1, 2, 5)
        steps = steps if decades > 0.6 else (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8)
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        every = max(1, math.ceil(len(powers) / 7)) if steps == (1,) else 1
        ticks = [step * 10.0**power for power in powers if power % every == 0 for step in steps]
        at = np.array([tick for tick in ticks if low <= tick <= high])
    axis.set_ticks(at, [_plain(value) for value in at])
    axis.set_minor_locator(NullLocator())


def _plain(value: float) -> str:
    """A number on an axis: 0.05, 20, 5,000, 10⁻¹²."""
    if value and not 1e-4 < abs(value) < 1e6:
        mantissa, exponent = f"{value:.1e}".split("e")
        power = f"10{str(int(exponent)).translate(SUPERSCRIPTS)}"
        factor = mantissa.removesuffix(".0")
        return power if factor == "1" else f"{factor}·{power}"
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _writer(means: list[np.ndarray], percent: bool) -> Callable[[float], str]:
    """How the numbers at the bars are written: all with the same decimals, at most two."""
    values = np.concatenate([np.abs(mean[np.isfinite(mean)]) for mean in means])
    values = 100 * values if percent else values
    largest = values.max(initial=0.0)
    decimals = 0 if (values == values.round()).all() or percent or largest >= 100 else 2
    sign = "%" if percent else ""

    def write(value: float) -> str:
        value = 100 * value if percent else value
        is_tiny = 0 < abs(value) < 0.5 * 10.0**-decimals
        text = f"{value:.1g}" if is_tiny else f"{value:,.{decimals}f}"
        if is_tiny and abs(value) < 1e-3 * largest:  # nobody reads −8e−05
            text = "≈ 0"
        return text.replace("-", "−") + sign

    return write


def _describe_curve(name: str, x: np.ndarray, seeds: np.ndarray, percent: bool) -> str:
    y = seeds.mean(0)
    finite = np.isfinite(y)
    if not finite.any():
        return f"{name}: no values."
    x, y = x[finite], y[finite]
    number = _percent if percent else _short
    parts = [f"{name}: from {number(y[0])} to {number(y[-1])}"]
    for word, best in (("lowest", int(y.argmin())), ("highest", int(y.argmax()))):
        if 0 < best < y.size - 1:
            parts.append(f"{word} {number(y[best])} at {_short(x[best])}")
    if len(seeds) > 1:
        last = seeds[:, finite][:, -1]
        parts.append(
            f"{len(seeds)} seeds end between {number(last.min())} and {number(last.max())}"
        )
    return ", ".join(parts) + "."


def _tell(values: np.ndarray, percent: bool) -> str:
    """A bar in words: its height, and where its seeds lie."""
    number = _percent if percent else _short
    if len(values) == 1:
        return number(values[0])
    spread = f"{number(values.min())} to {number(values.max())}"
    return f"{number(values.mean())} ({len(values)} seeds, {spread})"


def _describe_levels(levels: Mapping[str, float | int], percent: bool) -> list[str]:
    number = _percent if percent else _short
    return [f"Level, {name}: {number(float(value))}." for name, value in levels.items()]


def _series(what: str, named: Mapping[str, Seeds], each: str, n: int) -> dict[str, np.ndarray]:
    """Each as (seeds, n), one seed where no others are given."""
    series = {name: np.atleast_2d(as_array(values)) for name, values in named.items()}
    for name, values in series.items():
        if values.ndim != 2 or values.shape[1] != n or not len(values):
            raise ValueError(
                f"{what}[{name!r}] must have a value for each {each}, got {values.shape[-1]} for"
                f" {n}: give one row, or one row for each seed"
            )
    return series


def _short(value: float) -> str:
    return f"{value:.4g}"


def _percent(value: float) -> str:
    return f"{100 * value:.3g}%"
