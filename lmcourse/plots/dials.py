"""Dials: circles with hands, for whatever turns.

Chapter: book/positions.md
"""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from lmcourse.plots.picture import INK, STYLE, Picture, Seeds, as_array, finish, pick_color

SIDE = 0.82  # inches: five dials and the names of their rows fit a phone
LETTER = 0.09
WIDEST = 5.4


@matplotlib.rc_context(STYLE)
def dials(
    hands: Mapping[str, Mapping[str, Seeds]],
    columns: Sequence[str],
    title: str = "",
    caption: str = "",
    colors: Mapping[str, str] | None = None,
) -> Picture:
    """Rows of dials, on each a hand or several, drawn from the middle.

    Args:
        hands: for each row its hands by name, as (columns, 2): how far to the right and up.
        columns: what stands over each dial.
        colors: the role of a hand in `ROLES`, for hands that have one.
    """
    rows = {row: _check(row, by_name, len(columns)) for row, by_name in hands.items()}
    longest = max(np.hypot(*xy.T).max() for row in rows.values() for xy in row.values()) or 1.0
    margin = 0.15 + LETTER * max(len(line) for row in rows for line in row.split("\n"))
    width = margin + SIDE * len(columns)
    if width > WIDEST:
        rule = "columns must fit beside each other on a phone"
        raise ValueError(f"{rule}, got {len(columns)} and rows {margin:.1f} inches wide: say less")
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    top = 0.3 + (0.3 if title else 0) + (0.26 if len(names) > 1 else 0)
    height = SIDE * len(rows) + top + 0.04
    figure = Figure(figsize=(width, height))
    for place, (row, by_name) in enumerate(rows.items()):
        bottom = 0.04 + SIDE * (len(rows) - 1 - place)
        figure.text(0.05 / width, (bottom + SIDE / 2) / height, row, va="center", fontsize=11)
        for index, column in enumerate(columns):
            box = (margin + SIDE * index, bottom, SIDE, SIDE)
            axes = figure.add_axes([x / y for x, y in zip(box, [width, height] * 2, strict=True)])
            _draw_dial(axes, {name: xy[index] / longest for name, xy in by_name.items()}, colors)
            if place == 0:
                axes.set_title(column, fontsize=11, pad=3)
    if len(names) > 1:
        _show_names(figure, names, colors, (margin, height - (0.3 if title else 0), width, height))
    return finish(figure, title, _describe(rows, columns), caption)


def _check(row: str, by_name: Mapping[str, Seeds], n: int) -> dict[str, np.ndarray]:
    found = {name: as_array(xy) for name, xy in by_name.items()}
    for name, xy in found.items():
        if xy.shape != (n, 2) or not np.isfinite(xy).all():
            raise ValueError(
                f"hands[{row!r}][{name!r}] must be finite numbers (columns, 2), got {xy.shape} for"
                f" {n} columns: give each hand's way to the right and up"
            )
    return found


def _draw_dial(
    axes: Axes, hands: Mapping[str, np.ndarray], colors: Mapping[str, str] | None
) -> None:
    axes.set(xlim=(-1.18, 1.18), ylim=(-1.18, 1.18), aspect="equal")
    axes.set_axis_off()
    axes.add_patch(Circle((0, 0), 1, facecolor="none", edgecolor=INK, alpha=0.3, linewidth=1))
    for index, (name, (x, y)) in enumerate(hands.items()):
        alone = len(hands) == 1 and name not in (colors or {})
        color = INK if alone else pick_color(name, index, colors or {})
        look = {"arrowstyle": "-|>,head_width=0.22,head_length=0.4", "color": color}
        look |= {"linewidth": 2.2, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=(x, y), xytext=(0, 0), arrowprops=look)


def _show_names(
    figure: Figure,
    names: Sequence[str],
    colors: Mapping[str, str] | None,
    place: tuple[float, float, float, float],
) -> None:
    left, top, width, height = place
    for index, name in enumerate(names):
        color = pick_color(name, index, colors or {})
        figure.text(left / width, (top - 0.16) / height, f"→ {name}", color=color, weight="bold")
        left += LETTER * (len(name) + 5)


def _describe(rows: Mapping[str, Mapping[str, np.ndarray]], columns: Sequence[str]) -> str:
    """Directions as on a clock: 12 is up, 3 is to the right."""
    parts = [f"Dials, {len(rows)} rows by {len(columns)} columns; hands point as on a clock."]
    for row, by_name in rows.items():
        for name, xy in by_name.items():
            hours = np.degrees(np.arctan2(xy[:, 0], xy[:, 1])) / 30 % 12
            pairs = zip(columns, hours, strict=True)
            told = ", ".join(f"{column}: {round(hour) % 12 or 12}" for column, hour in pairs)
            parts.append(f"{' '.join(row.split())}, {name}: {told} o'clock.")
    return " ".join(parts)
