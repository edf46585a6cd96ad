"""The live figures of the book: what each shows, as Python computes it, and its picture.

Chapter: book/conventions.md

A function here makes the figure of its name, for the module of its name in `book/_static/live/`.
All of them are imported from here. A module imports only from those that stand before it in this
list:

    mechanisms  one thing at a time: neurons, odds, attention, rotary positions, merges, bands
    descents    the steps of optimizers, down a valley and across a landscape
    models      a whole model at work: what it holds and answers while it reads and writes
"""

from lmcourse.live_figures.descents import descent, landscape
from lmcourse.live_figures.mechanisms import (
    attention_row,
    bands,
    block_walk,
    clocks,
    heads,
    merges,
    softmax,
    spell,
    two_neurons,
)
from lmcourse.live_figures.models import (
    block,
    decoder,
    gates,
    gpt,
    nucleus,
    replies,
    state,
    surprise,
    threshold,
    word_map,
)

__all__ = [
    "attention_row", "bands", "block", "block_walk", "clocks", "decoder", "descent", "gates",
    "gpt", "heads", "landscape", "merges", "nucleus", "replies", "softmax", "spell", "state",
    "surprise", "threshold", "two_neurons", "word_map",
]  # fmt: skip
