"""How far a number can be trusted: intervals beside each other, and how sure against how right.

Chapter: book/evaluation.md
"""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from lmcourse.plots.picture import COLORS, INK, MARKERS, STYLE, WIDTH, Picture, finish


@matplotlib.rc_context(STYLE)
def interval_plot(
    intervals: Mapping[str, tuple[float, float, float]],
    x_label: str,
    title: str = "",
    caption: str = "",
    levels: Mapping[str, float | int] | None = None,
) -> Picture:
    """Each interval as a line with a dot in it; one that does not hold the first level is orange.

    Args:
        intervals: (low, value, high) of each. Names that begin with a space are not written.
        levels: vertical lines, such as the truth.
    """
    for name, (low, value, high) in intervals.items():
        if not low <= value <= high:
            raise ValueError(
                f"intervals[{name!r}] must be (low, value, high), got {(low, value, high)}"
            )
    n = len(intervals)
    row = 0.42 if n <= 12 else 0.08
    figure = Figure(figsize=(WIDTH, max(1.4, n * row) + 0.9), layout="constrained")
    axes = figure.subplots()
    truth = next(iter((levels or {}).values()), None)
    missed = []
    for place, (name, (low, value, high)) in enumerate(intervals.items()):
        misses = truth is not None and not low <= truth <= high
        missed += [name] if misses else []
        color = COLORS[1] if misses else COLORS[0]
        axes.plot([low, high], [place, place], color=color, linewidth=4 if n <= 12 else 1.6)
        axes.plot(
            [value],
            [place],
            MARKERS[1 if misses else 0],
            color=color,
            markersize=7 if n <= 12 else 2.5,
        )
    for index, (name, value) in enumerate((levels or {}).items()):
        axes.axvline(
            value,
            color=INK,
            alpha=0.65,
            linewidth=1.2,
            linestyle=(0, (2 + 4 * index, 2)),
            label=name,
        )
    if levels:
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside upper center", ncols=len(levels)
        )
    shown = [(place, name) for place, name in enumerate(intervals) if not name.startswith(" ")]
    axes.set_yticks([place for place, _ in shown], [name for _, name in shown])
    axes.set(xlabel=x_label, ylim=(n - 0.4, -0.6))
    axes.grid(True, axis="x")
    return finish(
        figure, title, _describe_intervals(intervals, x_label, levels or {}, missed), caption
    )


@matplotlib.rc_context(STYLE)
def reliability_plot(
    rows: Mapping[str, Sequence[tuple[float, float, int]]], title: str = "", caption: str = ""
) -> Picture:
    """Of each model, how often it is right where it is so sure: on the diagonal it is calibrated.

    Args:
        rows: (mean probability, share right, number of answers) of each bin, as
            `evaluation.reliability` gives them; the more answers, the larger the dot.
    """
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        [0, 1],
        [0, 1],
        color=INK,
        alpha=0.65,
        linewidth=1.2,
        linestyle=(0, (2, 2)),
        label="calibrated",
    )
    about = []
    for index, (name, bins) in enumerate(rows.items()):
        sure, right, n = (np.array(column, dtype=float) for column in zip(*bins, strict=True))
        color, marker = COLORS[index], MARKERS[index]
        axes.plot(sure, right, color=color, marker=marker, markersize=5, label=name)
        axes.scatter(
            sure, right, 30 + 400 * n / n.sum(), color=color, marker=marker, alpha=0.4, linewidths=0
        )
        told = [
            f"sure {s:.2f}, right {r:.2f} ({c:.0f} answers)"
            for s, r, c in zip(sure, right, n, strict=True)
        ]
        about.append(f"{name}: {'; '.join(told)}.")
    least = min(0.5, *(min(s, r) for bins in rows.values() for s, r, _ in bins))
    axes.set(xlim=(least - 0.04, 1.04), ylim=(least - 0.04, 1.04), aspect="equal")
    for axis, label in ((axes.xaxis, "how sure"), (axes.yaxis, "how often right")):
        axis.set_major_formatter(lambda value, place: f"{100 * value:.0f}%")
        axis.set_label_text(label)
    axes.grid(True)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper center", ncols=len(rows) + 1
    )
    return finish(figure, title, " ".join(["Reliability diagram.", *about]), caption)


def _describe_intervals(
    intervals: Mapping[str, tuple[float, float, float]],
    x_label: str,
    levels: Mapping[str, float | int],
    missed: Sequence[str],
) -> str:
    told = [f"{len(intervals)} intervals of {x_label}."]
    if len(intervals) <= 12:
        told += [
            f"{name}: {v:.3g}, from {low:.3g} to {high:.3g}."
            for name, (low, v, high) in intervals.items()
        ]
    told += [f"Level, {name}: {value:.3g}." for name, value in levels.items()]
    if levels:
        told.append(f"{len(missed)} of them do not hold {next(iter(levels))}.")
    return " ".join(told)
