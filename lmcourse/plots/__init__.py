"""Figures that carry their own description, legible on a light and on a dark page.

Chapter: book/conventions.md

`line_plot`, `bar_plot`, `interval_plot`, `reliability_plot`, `attention_map`, `attention_arcs`,
`heat_map`, `dials`, `planes`, `landscape`, `word_places` and `search_tree` draw; `tokens`,
`surprise`, `shade` and `shades` show text as chips and in color, `samples` several texts side by
side. All take a `caption`, which the book numbers. `ROLES` has the colors that mean something:
query, key, value, state, stream and gradient look the same in each figure of the book. `live` gives
a picture its numbers, for the book's pages to bring to life.

A module imports only from those that stand before it in this list:

    picture     a drawing, and the words that say the same
    charts      lines and bars
    maps        who looks at whom; a table of numbers in color
    arcs        whom one word looks at, as lines
    dials       circles with hands, for what turns
    planes      what a network answers everywhere on a square
    landscapes  a loss over two parameters, and ways across it
    places      words as dots on a map
    trust       intervals; how sure against how right
    trees       what a search tried, kept and dropped
    text        tokens as chips, in the color of their surprise, texts side by side
    live        a picture and its numbers, to be moved in the browser
"""

from lmcourse.plots.arcs import attention_arcs
from lmcourse.plots.charts import bar_plot, line_plot
from lmcourse.plots.dials import dials
from lmcourse.plots.landscapes import landscape
from lmcourse.plots.live import LivePicture, live
from lmcourse.plots.maps import attention_map, heat_map
from lmcourse.plots.picture import COLORS, INK, ROLES, Picture
from lmcourse.plots.places import word_places
from lmcourse.plots.planes import planes
from lmcourse.plots.text import Chips, samples, shade, shades, surprise, tokens, visible
from lmcourse.plots.trees import Branch, search_tree, tree_layout
from lmcourse.plots.trust import interval_plot, reliability_plot

__all__ = [
    "COLORS", "INK", "ROLES", "Branch", "Chips", "LivePicture", "Picture", "attention_arcs",
    "attention_map", "bar_plot", "dials", "heat_map", "interval_plot", "landscape", "line_plot",
    "live", "planes", "reliability_plot", "samples", "search_tree", "shade", "shades", "surprise",
    "tokens", "tree_layout", "visible", "word_places",
]  # fmt: skip
