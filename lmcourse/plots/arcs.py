"""Attention as lines between words: whom one word looks at.

Chapter: book/conventions.md
"""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from lmcourse.plots.picture import INK, ROLES, STYLE, Numbers, Picture, as_array, finish

LETTER = 0.105  # inches, at 11.5 points
GAP = 0.16
WIDEST = 5.4
FAINTEST = 0.03  # a weight that is drawn at all


@matplotlib.rc_context(STYLE)
def attention_arcs(
    weights: Numbers, words: Sequence[str], query: int, title: str = "", caption: str = ""
) -> Picture:
    """Whom one word looks at, as arcs from it to the others, the wider the more.

    Args:
        weights: of this one query, between 0 and 1, one for each word.
        words: of the sentence; they stand in one line.
        query: the place of the word that looks.
    """
    row, words = as_array(weights), list(words)
    _check(row, words, query)
    places = _places(words)
    width = places[-1] + LETTER * len(words[-1]) / 2 + GAP
    reach = np.abs(places - places[query]).max()
    height = 0.45 + 0.3 * max(reach, 1.0)
    figure = Figure(figsize=(max(width, 2.0), height + (0.3 if title else 0)))
    axes = figure.add_axes((0, 0, 1, height / (height + (0.3 if title else 0))))
    axes.set(xlim=(0, max(width, 2.0)), ylim=(-0.32, height - 0.32))
    axes.set_axis_off()
    for place, weight in zip(places, row, strict=True):
        if weight >= FAINTEST and place != places[query]:
            _draw_arc(axes, places[query], place, float(weight))
    for index, (word, place, weight) in enumerate(zip(words, places, row, strict=True)):
        color = ROLES["query"] if index == query else ROLES["key"] if weight >= 0.1 else INK
        bold = "bold" if index == query else "normal"
        axes.text(place, -0.1, word, ha="center", va="center", color=color, weight=bold)
        if weight >= 0.1:
            axes.text(place, -0.26, f"{weight:.2f}", ha="center", va="center", fontsize=9)
    return finish(figure, title, _describe(row, words, query), caption)


def _check(row: np.ndarray, words: Sequence[str], query: int) -> None:
    if row.shape != (len(words),) or not len(words):
        rule = "weights must be one row, a number for each word"
        raise ValueError(f"{rule}, got {row.shape} for {len(words)} words: take weights[query]")
    if not 0 <= query < len(words):
        raise ValueError(f"query must be the place of a word, got {query} for {len(words)} words")
    if not -1e-6 <= row.min() <= row.max() <= 1.01:
        found = f"{row.min():.3g} to {row.max():.3g}"
        raise ValueError(f"weights must lie between 0 and 1, got {found}: show a softmax's output")
    width = sum(LETTER * len(word) + GAP for word in words) + GAP
    if width > WIDEST:
        n_letters = sum(map(len, words))
        rule = "words must fit into one line of a phone"
        raise ValueError(f"{rule}, got {len(words)} words of {n_letters} letters: draw a map")


def _places(words: Sequence[str]) -> np.ndarray:
    """The middle of each word."""
    widths = np.array([max(LETTER * len(word), 0.3) for word in words])
    ends = np.cumsum(widths + GAP)
    return ends - widths / 2


def _draw_arc(axes: Axes, start: float, end: float, weight: float) -> None:
    top = 0.55 * abs(end - start)
    points = [(start, 0.02), (start, top), (end, top), (end, 0.02)]
    curve = Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    look = {"edgecolor": ROLES["query"], "facecolor": "none", "capstyle": "round"}
    axes.add_patch(PathPatch(curve, linewidth=0.6 + 8 * weight, alpha=0.75, **look))


def _describe(row: np.ndarray, words: Sequence[str], query: int) -> str:
    order = [i for i in np.argsort(-row, kind="stable") if row[i] >= FAINTEST][:5]
    told = ", ".join(f"“{words[i]}” {row[i]:.2f}" for i in order)
    sentence = " ".join(words)
    return f"Arcs from “{words[query]}” in “{sentence}” to the words it looks at: {told}."
