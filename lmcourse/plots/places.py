"""Places: many words as dots on a map, a few of them by name.

Chapter: book/embeddings.md
"""

from collections.abc import Collection, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from lmcourse.plots.picture import COLORS, INK, STYLE, Picture, Seeds, as_array, finish

SIDE = 4.4  # inches
LETTER, LINE = 0.095, 0.17  # of a name, in inches, a little more than it takes


@matplotlib.rc_context(STYLE)
def word_places(
    places: Seeds,
    words: Sequence[str],
    shown: Collection[str],
    title: str = "",
    caption: str = "",
) -> Picture:
    """Words as dots on a map without axes. Names that would lie on one another are left out.

    Args:
        places: (V, 2).
        shown: the words that have their names beside them, the most important one first.
    """
    dots, named = as_array(places), list(shown)
    if dots.shape != (len(words), 2) or not np.isfinite(dots).all():
        raise ValueError(
            f"places must be two finite numbers for each word, got {dots.shape} for"
            f" {len(words)} words"
        )
    if strangers := set(named) - set(words):
        raise ValueError(f"shown must be among the words, got {sorted(strangers)}")
    figure = Figure(figsize=(SIDE, SIDE), layout="constrained")
    axes = figure.subplots()
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.scatter(*dots.T, s=7, color=INK, alpha=0.35, linewidths=0)
    at = {word: dots[index] for index, word in enumerate(words)}
    span = max(np.ptp(dots, axis=0).max(), 1e-9)
    taken: list[tuple[float, float, float]] = []
    for rank, word in enumerate(named):
        x, y = at[word]
        axes.plot(x, y, "o", color=COLORS[1] if rank == 0 else COLORS[0])
        left, up = (at[word] - dots.min(0)) / span * SIDE
        if all(
            abs(up - other_up) > LINE or not -width < left - other < other_width
            for other, other_up, other_width in taken
            for width in (LETTER * len(word),)
        ):
            weight = "bold" if rank == 0 else "normal"
            axes.annotate(
                word, (x, y), (5, 3), textcoords="offset points", color=INK, weight=weight
            )
            taken.append((left, up, LETTER * len(word)))
    alt = f"{len(words)} words as dots on a map"
    return finish(figure, title, f"{alt}; marked: {', '.join(named)}." if named else alt, caption)
