"""The tree of a search: which ways to go on were tried, and which of them were dropped.

Chapter: book/translation.md
"""

import math
from collections.abc import Sequence
from typing import TypedDict

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lmcourse.plots.picture import CELL, INK, STYLE, Picture, finish

STEP, ROW = 0.52, 0.25  # inches
WIDEST = 5.0


class Branch(TypedDict):
    """A token of a search tree.

    Args:
        parent: the place of the branch that it goes on from; -1 for the start.
        token: the text that it adds.
        log_prob: of the whole text so far.
        kept: False if the search did not go on from here.
    """

    parent: int
    token: str
    log_prob: float
    kept: bool


@matplotlib.rc_context(STYLE)
def search_tree(branches: Sequence[Branch], title: str = "", caption: str = "") -> Picture:
    """What a search kept, step by step from left to right, and, pale, what it dropped.

    The best text that it found is drawn bold; where a text ends stands its probability.

    Args:
        branches: each after the one that it goes on from.
    """
    branches = list(branches)
    depths, rows = tree_layout(branches)
    ends = _ends(branches)
    best = _best(branches, ends)
    width = min(WIDEST, (max(depths) + 1) * STEP + 0.9)
    figure = Figure(figsize=(width, (len(ends) + 1) * ROW + 0.2), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(-0.3, max(depths) + 1.6), ylim=(max(rows) + 0.7, min(rows) - 0.7))
    middle = rows[best[0]]
    axes.plot(-0.05, middle, "o", color=INK, markersize=4)
    for place, branch in enumerate(branches):
        parent = branch["parent"]
        start = (-0.05, middle) if parent < 0 else (depths[parent] + 1.0, rows[parent])
        look = _look(branch, place in best)
        room = [0.1 if parent < 0 else _half(branches[parent]["token"]), _half(branch["token"])]
        _edge(axes, start, (depths[place] + 1.0, rows[place]), room, look)
        weight = "bold" if place in best else "normal"
        here = {"ha": "center", "va": "center", "color": INK, "alpha": look["text"]}
        axes.text(depths[place] + 1, rows[place], branch["token"], fontweight=weight, **here)
        if place in ends and branch["kept"]:
            share = _share(math.exp(branch["log_prob"]))
            x = depths[place] + 1.05 + _half(branch["token"])
            axes.text(x, rows[place], share, va="center", color=INK, fontsize=10)
    return finish(figure, title, _describe(branches, ends, best), caption)


def tree_layout(branches: Sequence[Branch]) -> tuple[list[int], list[float]]:
    """The depth and the row of each branch: rows of ends are whole numbers, from the top down."""
    _check(branches)
    return _depths(branches), _rows(branches, _ends(branches))


def _ends(branches: Sequence[Branch]) -> set[int]:
    """The branches from which nothing goes on."""
    return set(range(len(branches))) - {each["parent"] for each in branches}


def _check(branches: Sequence[Branch]) -> None:
    if not branches:
        raise ValueError("branches must be at least one, got none")
    for place, branch in enumerate(branches):
        if not -1 <= branch["parent"] < place:
            raise ValueError(
                "branches must come after what they go on from, got"
                f" branches[{place}]['parent']={branch['parent']}: -1 is the start"
            )


def _depths(branches: Sequence[Branch]) -> list[int]:
    depths: list[int] = []
    for branch in branches:
        depths.append(0 if branch["parent"] < 0 else depths[branch["parent"]] + 1)
    return depths


def _rows(branches: Sequence[Branch], ends: set[int]) -> list[float]:
    """The height of each branch: ends one below the other, others between those that follow."""
    following: dict[int, list[int]] = {}
    for place, branch in enumerate(branches):
        following.setdefault(branch["parent"], []).append(place)
    rows, free = [0.0] * len(branches), iter(range(len(branches)))

    def put(place: int) -> float:
        if place in ends:
            rows[place] = float(next(free))
        else:
            below = [put(each) for each in following[place]]
            kept = [row for row, each in zip(below, following[place], strict=True)
                    if branches[each]["kept"]]  # fmt: skip
            rows[place] = sum(kept or below) / len(kept or below)
        return rows[place]

    for place in following[-1]:
        put(place)
    return rows


def _best(branches: Sequence[Branch], ends: set[int]) -> list[int]:
    """The way to the likeliest end that was kept, from its first branch on."""
    kept = [place for place in sorted(ends) if branches[place]["kept"]] or sorted(ends)
    place, way = max(kept, key=lambda each: branches[each]["log_prob"]), []
    while place >= 0:
        way.insert(0, place)
        place = branches[place]["parent"]
    return way


def _look(branch: Branch, is_best: bool) -> dict[str, float]:
    if is_best:
        return {"linewidth": 2.4, "alpha": 1.0, "text": 1.0}
    if branch["kept"]:
        return {"linewidth": 1.3, "alpha": 0.9, "text": 1.0}
    return {"linewidth": 1.0, "alpha": 0.45, "text": 0.62}


def _half(token: str) -> float:
    """Half the room that a token takes, in steps."""
    return min(0.45, 0.2 + 0.08 * len(token))


def _edge(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    room: Sequence[float],
    look: dict[str, float],
) -> None:
    (x, y), (to_x, to_y) = start, end
    x, to_x = x + room[0], to_x - room[1]
    steps = [index / 12 for index in range(13)]
    curve = [y + (to_y - y) * (3 * s**2 - 2 * s**3) for s in steps]
    style = "-" if look["text"] == 1.0 else (0, (2, 2))
    axes.plot([x + (to_x - x) * s for s in steps], curve, color=CELL, linestyle=style,
              linewidth=look["linewidth"], alpha=look["alpha"])  # fmt: skip


def _share(prob: float) -> str:
    return f"{100 * prob:.0f}%" if prob >= 0.0095 else f"{100 * prob:.1g}%"


def _describe(branches: Sequence[Branch], ends: set[int], best: Sequence[int]) -> str:
    def text(place: int) -> str:
        parts = []
        while place >= 0:
            parts.insert(0, branches[place]["token"])
            place = branches[place]["parent"]
        return "".join(parts)

    kept = [place for place in sorted(ends) if branches[place]["kept"]]
    told = [f"“{text(place)}” {_share(math.exp(branches[place]['log_prob']))}" for place in kept]
    dropped = len(ends) - len(kept)
    return (
        f"Search tree of {len(branches)} branches. Kept to the end: {', '.join(told)}."
        f" Dropped on the way: {dropped}. The best: “{text(best[-1])}”."
    )
