"""A drawing by Matplotlib as a figure of the page: in its colors, with a caption and in words.

Chapter: book/conventions.md
"""

import hashlib
import html
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

Numbers = Tensor | np.ndarray | Sequence[float] | Sequence[int]
Seeds = Numbers | Sequence[Numbers]  # one row of numbers, or one for each seed

# Matplotlib knows no `currentColor`: everything drawn in this color takes the page's text color.
INK = "#010203"
# Each has a contrast of at least 3 with white and with #121212; markers and dashes differ too.
# Words in them take the book's own, a darker or a lighter one: `--lm-blue` and so on.
_HUES = {
    "blue": "#2f80d8",
    "orange": "#d2641e",
    "green": "#2b9360",
    "purple": "#a862cf",
    "red": "#d1495b",
    "olive": "#8a7a2e",
}
COLORS = tuple(_HUES.values())
# What a color means, in every drawing, formula and figure of the book: `--lm-query` and so on.
ROLES = dict(zip(("query", "key", "value", "state", "gradient", "stream"), COLORS, strict=True))
CELL = COLORS[0]  # of a map, whatever its meaning: the stronger the more
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))

# Five inches are 480 px, which a phone shrinks to 358: text of 11.5 points is then 11 px high.
WIDTH, HEIGHT = 5.0, 3.2
STYLE = {
    "svg.hashsalt": "lmcourse",  # ids are made from it; the default is a random number
    "svg.fonttype": "none",  # text stays text: sharp, searchable, and Chinese needs no font of ours
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 11.5,
    "axes.titlesize": 11.5,
    "figure.titlesize": 12.0,
    "figure.titleweight": "bold",
    "xtick.labelsize": 11.0,
    "ytick.labelsize": 11.0,
    "legend.fontsize": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.markersize": 5.0,
    "grid.alpha": 0.15,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color", "grid.color"), INK),
}


@dataclass(frozen=True, repr=False)
class Picture:
    """A figure and the words that say the same; a notebook shows it as inline SVG.

    Args:
        caption: what the reader should see in it; words between asterisks are emphasized.
    """

    figure: Figure
    alt: str
    caption: str = ""

    def __repr__(self) -> str:
        return f"Picture: {self.alt}"

    def _repr_html_(self) -> str:
        return f'<figure class="lm-picture">{self.svg}{caption_html(self.caption)}</figure>'

    @cached_property  # matplotlib's layout moves a little each time that it draws
    def svg(self) -> str:
        """The drawing alone, the same characters each time, with ids that no other picture has."""
        buffer = io.StringIO()
        with matplotlib.rc_context(STYLE), any_script():
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


@contextmanager
def any_script() -> Iterator[None]:
    """No warning of a sign that our font lacks: the browser draws the text, with its own fonts."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def caption_html(caption: str) -> str:
    """The caption as a part of a figure, empty if there is none; the book puts a number in it."""
    if not caption:
        return ""
    text = re.sub(r"\*(.+?)\*", r"<em>\1</em>", html.escape(caption, quote=False))
    return f"<figcaption>{text}</figcaption>"


def finish(figure: Figure, title: str, alt: str, caption: str) -> Picture:
    """The picture of a figure that is drawn."""
    if title:
        figure.suptitle(title)
    return Picture(figure, f"{title}. {alt}" if title else alt, caption)


def as_array(values: Seeds) -> np.ndarray:
    """Numbers in double precision, wherever they are."""
    if isinstance(values, list | tuple):
        values = np.array([as_array(row) if isinstance(row, Tensor) else row for row in values])
    return torch.as_tensor(values).detach().cpu().double().numpy()


def pick_color(name: str, index: int, colors: Mapping[str, str]) -> str:
    """The color of what has this name: that of its role, or the next one in the row."""
    role = colors.get(name)
    if role is None:
        return COLORS[index % len(COLORS)]
    if role not in ROLES:
        known = ", ".join(ROLES)
        raise ValueError(f"colors[{name!r}] must be a role, got {role!r}: choose one of {known}")
    return ROLES[role]


def _tidy(tag: str) -> str:
    """A hundredth of a point is enough, and the same on every machine."""
    tag = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", tag)
    tag = re.sub(r"\s+", " ", tag).replace(INK, "currentColor")
    if tag.startswith(("<text", "<tspan")):  # small signs need more contrast than lines and bars
        for hue, color in _HUES.items():
            tag = tag.replace(color, f"var(--lm-{hue}, {color})")
    return tag


def _unique_ids(drawing: str) -> str:
    """Drops the ids that nothing refers to, and marks the others with a digest of the drawing."""
    mark = "lm-" + hashlib.sha256(drawing.encode()).hexdigest()[:10]
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', drawing))
    for name in set(re.findall(r' id="([^"]+)"', drawing)):
        new = f' id="{mark}-{name}"' if name in used else ""
        drawing = drawing.replace(f' id="{name}"', new)
    return re.sub(r'(url\(|href=")#', rf"\g<1>#{mark}-", drawing)
