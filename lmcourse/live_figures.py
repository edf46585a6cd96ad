"""The live figures of the book: what each shows, as Python computes it, and its picture.

Chapter: book/conventions.md

A function here makes the figure of its name, for the module of its name in `book/_static/live/`.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lmcourse import attention as attention_module
from lmcourse import neurons, plots
from lmcourse.plots import LivePicture
from lmcourse.pretrained import shipped

_N_LIKELIEST = 10


def softmax(
    words: Sequence[str], logits: Float[Tensor, "V"] | Sequence[float], caption: str = ""
) -> LivePicture:
    """The odds of a few words, for temperature, top-k and top-p to play with.

    Args:
        words: as many as there are logits.
    """
    logits = torch.as_tensor(logits, dtype=torch.float64)
    probs = neurons.softmax(logits)
    picture = plots.bar_plot(words, {"probability": probs}, "probability", caption=caption)
    return plots.live("softmax", {"words": words, "logits": logits, "probs": probs}, picture)


def attention_row(
    query: Float[Tensor, "T D"],
    key: Float[Tensor, "S D"],
    value: Float[Tensor, "S E"],
    queries: Sequence[str],
    keys: Sequence[str] | None = None,
    mask: Bool[Tensor, "T S"] | None = None,
    caption: str = "",
) -> LivePicture:
    """One query at a time: its scores, scaled, masked, as weights, and what they mix.

    Args:
        queries: a name for each query.
        keys: a name for each key; those of the queries if None.
        mask: True where a query may look; every query may look at every key if None.
    """
    keys = queries if keys is None else keys
    n_queries, n_keys, d_head = len(query), len(key), query.shape[-1]
    everywhere = torch.ones(n_queries, n_keys, dtype=torch.bool)
    mask = everywhere if mask is None else mask
    results = {}
    for name, factor, allowed in (
        ("plain", math.sqrt(d_head), everywhere),  # takes the scale back
        ("scaled", 1.0, everywhere),
        ("masked", math.sqrt(d_head), mask),
        ("scaled_masked", 1.0, mask),
    ):
        mixed, weights = attention_module.attention(factor * query, key, value, allowed)
        results[name] = {"weights": weights, "mixed": mixed}
    picture = plots.attention_map(
        results["scaled_masked"]["weights"], queries, keys, caption=caption
    )
    scores = query @ key.mT
    data = {
        "queries": queries,
        "keys": keys,
        "d_head": d_head,
        "scores": scores,
        "scaled": scores / math.sqrt(d_head),
        "mask": mask,
        "values": value,
        "results": results,
    }
    return plots.live("attention_row", data, picture)


def gpt(prompt: str = "ROMEO:\n", name: str = "shakespeare", caption: str = "") -> LivePicture:
    """A GPT that reads and writes in the reader's browser; as a picture, what may come next.

    Args:
        prompt: what the page proposes; the reader may write another one.
        name: a model of `pretrained.shipped`.
    """
    model, tokenizer = shipped(name)
    with torch.inference_mode():
        logits = model(torch.tensor([tokenizer.encode(prompt)]))[0, -1]
    probs, ids = neurons.softmax(logits).topk(_N_LIKELIEST)
    tokens = [tokenizer.decode([index]) for index in ids.tolist()]
    words = [plots.visible(token) for token in tokens]
    picture = plots.bar_plot(words, {"probability": probs}, "probability", caption=caption)
    data = {
        "model": name,
        "megabytes": sum(2 * each.numel() for each in model.parameters()) / 1e6,
        "prompt": prompt,
        "likeliest": {"tokens": tokens, "probs": probs},
    }
    return plots.live("gpt", data, picture)


def heads(
    weights: Float[Tensor, "H T T"],
    words: Sequence[str],
    names: Sequence[str] | None = None,
    caption: str = "",
) -> LivePicture:
    """The heads of a layer: where a word looks, in one head or in all of them.

    Args:
        names: what each head is called; head 1, head 2, … if None.
    """
    names = [f"head {number + 1}" for number in range(len(weights))] if names is None else names
    if len(names) != len(weights):
        raise ValueError(f"names must name each head, got {len(names)} for {len(weights)} heads")
    picture = plots.attention_map(weights, words, caption=caption)
    return plots.live("heads", {"words": words, "names": names, "weights": weights}, picture)
