"""Figures that one can touch: a picture that carries its numbers to the page.

Chapter: book/conventions.md
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from lmcourse.plots.picture import Picture
from lmcourse.plots.text import Chips


@dataclass(frozen=True, repr=False)
class LivePicture:
    """A picture with the numbers it was drawn from, so that the book's pages can bring it to life.

    A notebook shows the picture. A page of the book finds `data-live` and mounts the module
    `book/_static/live/KIND.js`, which shows the same numbers and reacts to its reader.

    Args:
        data: JSON.
    """

    kind: str
    data: str
    picture: Picture | Chips

    def __repr__(self) -> str:
        return repr(self.picture)

    def _repr_html_(self) -> str:
        opening, end = f'lm-live" data-live="{self.kind}">', "</figure>"
        figure = self.picture._repr_html_().replace('">', f" {opening}", 1).removesuffix(end)
        return f'{figure}<script type="application/json">{self.data}</script>{end}'


def live(kind: str, data: Mapping[str, Any], picture: Picture | Chips) -> LivePicture:
    """The picture, with data that the module `book/_static/live/KIND.js` brings to life.

    Args:
        kind: the name of the module.
        data: what the module is given: numbers, texts, tensors, arrays and lists and mappings of
            them. Numbers keep five digits: the rest differs from one machine to the next.
        picture: what notebooks, printers and browsers without JavaScript show.

    Example:
        >>> from lmcourse.plots import bar_plot
        >>> picture = bar_plot(["yes", "no"], {"share": [0.75, 0.25]}, "share")
        >>> live("softmax", {"probs": np.array([2 / 3, 0.5])}, picture).data
        '{"probs":[0.66667,0.5]}'
    """
    if not re.fullmatch(r"[a-z][a-z_]*", kind):
        raise ValueError(
            f"kind must be the name of a module in book/_static/live/, got kind={kind!r}"
        )
    text = json.dumps(_plain("data", data), ensure_ascii=False, separators=(",", ":"))
    # A `<` in a text could end the script that holds it; JSON reads the escape as the same sign.
    return LivePicture(kind, text.replace("<", "\\u003c"), picture)


def _plain(name: str, value: Any) -> Any:
    """What JSON can hold, with numbers rounded to five digits."""
    if isinstance(value, Tensor | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(f"{name}[{key!r}]", each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(f"{name}[{index}]", each) for index, each in enumerate(value)]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.5g}")
    rule = "must be a text, a finite number or a list or mapping of them"
    raise ValueError(f"{name} {rule}, got {value!r}")
