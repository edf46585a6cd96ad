"""Live figures of mechanisms: neurons, odds, attention, rotary positions, merges, bands.

Chapter: book/conventions.md
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from string import ascii_lowercase

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from lmcourse import attention as attention_module
from lmcourse import neurons, plots, positions
from lmcourse.duplicates import chance_of_candidate
from lmcourse.efficient_attention import OnlineSoftmax, Pattern
from lmcourse.plots import LivePicture
from lmcourse.tokenizers import BPETokenizer


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


def two_neurons(
    networks: Mapping[str, neurons.MLP],
    points: Float[Tensor, "P 2"],
    classes: Int[Tensor, "P"],
    labels: Sequence[str],
    names: tuple[str, str],
    axes: tuple[str, str],
    caption: str = "",
) -> LivePicture:
    """Two neurons that a third one reads: each weight to be moved, and the boundary that bends.

    Args:
        networks: MLPs of the widths 2, 2, 1, bent by relu or not at all; the number that they put
            out is the logit of class 1.
        labels: a word for each point.
        names: of class 0 and class 1.
        axes: what the two numbers of a point are.
    """
    n, low, high = 24, -0.5, 1.5
    middles = low + (torch.arange(n) + 0.5) * (high - low) / n
    grid = torch.stack(torch.meshgrid(middles, middles, indexing="xy"), -1)  # rows go up
    told, squares = [], {}
    for name, network in networks.items():
        shapes = [tuple(weights.shape) for weights in network.weights]
        if shapes != [(2, 2), (2, 1)] or network.bend not in (torch.relu, None):
            raise ValueError(
                f"networks[{name!r}] must be an MLP of widths 2, 2, 1 with relu or no bend, got"
                f" weights of shapes {shapes}"
            )
        with torch.no_grad():
            logits = network(points)[:, 0]
            squares[name] = network(grid)[..., 0].sigmoid()
        (first, last), (shift, end) = network.weights, network.biases
        numbers = [*torch.cat([first, shift[None]]).T.flatten(), *last[:, 0], *end]
        loss = binary_cross_entropy_with_logits(logits, classes.to(logits))
        told.append(
            {
                "name": name,
                "numbers": [each.item() for each in numbers],
                "bend": network.bend is not None,
                "probs": logits.sigmoid(),
                "grid": squares[name],
                "loss": loss,
            }
        )
    picture = plots.planes(
        squares, points, classes, names, labels, axes, span=(low, high), caption=caption
    )
    data = {
        "points": points,
        "classes": classes,
        "labels": labels,
        "names": names,
        "axes": axes,
        "span": (low, high),
        "networks": told,
    }
    return plots.live("two_neurons", data, picture)


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


def block_walk(
    query: Float[Tensor, "T D"],
    key: Float[Tensor, "T D"],
    value: Float[Tensor, "T E"],
    words: Sequence[str],
    patterns: Mapping[str, Pattern],
    block_size: int = 2,
    caption: str = "",
) -> LivePicture:
    """Attention block by block: what each row knows after each block, and which blocks are skipped.

    Args:
        words: a name for each position.
        patterns: by name, who may look at whom; the first is shown at first.
    """
    n, scores = len(words), query @ key.mT / math.sqrt(query.shape[-1])
    told = []
    for name, pattern in patterns.items():
        rows: dict[int, OnlineSoftmax] = {}
        steps = []
        for block in pattern.blocks(n, n, block_size):
            row = rows.setdefault(block.queries.start, OnlineSoftmax())
            part = scores[block.queries, block.keys]
            row.add(part, value[block.keys], pattern.part(block, n, n))
            known = zip(row.maximum[:, 0].tolist(), row.total[:, 0].tolist(), strict=True)
            steps.append(
                {
                    "queries": [block.queries.start, block.queries.stop],
                    "keys": [block.keys.start, block.keys.stop],
                    "maximum": [most if total else None for most, total in known],
                    "total": row.total[:, 0],
                    "values": row.result(),
                }
            )
        table = pattern.table(n)
        values, _ = attention_module.attention(query, key, value, table)
        told.append({"name": name, "steps": steps, "mask": table, "values": values})
    first = next(iter(patterns.values())).table(n)
    weights = attention_module.attention_weights(query, key, first)
    picture = plots.attention_map(weights, words, caption=caption)
    data = {"words": words, "block_size": block_size, "scores": scores, "patterns": told}
    return plots.live("block_walk", data, picture)


def heads(
    weights: Float[Tensor, "H T T"],
    words: Sequence[str],
    names: Sequence[str] | None = None,
    caption: str = "",
    label: str = "head",
    word: int | None = None,
) -> LivePicture:
    """The heads of a layer: where a word looks, in one head or in all of them.

    Args:
        names: what each head is called; head 1, head 2, … if None.
        label: what one of them is, if it is no head of one layer.
        word: the number of the word that looks at first; the last if None.
    """
    names = [f"head {number + 1}" for number in range(len(weights))] if names is None else names
    if len(names) != len(weights):
        raise ValueError(f"names must name each head, got {len(names)} for {len(weights)} heads")
    picture = plots.attention_map(weights, words, caption=caption, names=names)
    word = len(words) - 1 if word is None else range(len(words))[word]
    data = {"words": words, "names": names, "weights": weights, "label": label, "word": word}
    return plots.live("heads", data, picture)


def spell(word: str, sureness: float = 4.0, caption: str = "") -> LivePicture:
    """A word that completes itself: the last letter looks for its like, and takes what followed.

    Args:
        word: two letters or more, from a to z.
        sureness: the score of an equal letter; that of any other is 0.
    """
    if len(word) < 2 or not set(word) <= set(ascii_lowercase):
        raise ValueError(f"word must be two letters or more, from a to z, got {word!r}")
    letters = one_hot(torch.tensor([ord(c) - ord("a") for c in word]), 26).double()
    # `attention` divides by the root of the width.
    question = math.sqrt(26) * sureness * letters[-1:]
    answer, weights = attention_module.attention(question, letters[:-1], letters[1:])
    pairs = [f"{c}→{d}" for c, d in itertools.pairwise(word)]
    picture = plots.attention_map(weights, [word[-1]], pairs, caption=caption)
    odds = {c: share for c, share in zip(ascii_lowercase, answer[0], strict=True) if c in word[1:]}
    data = {"word": word, "sureness": sureness, "weights": weights[0], "odds": odds}
    return plots.live("spell", data, picture)


def clocks(
    query: Float[Tensor, "D"], key: Float[Tensor, "D"], t: int, offset: int, caption: str = ""
) -> LivePicture:
    """The hands of a position, and a query and a key that rotary positions turn like hands.

    Args:
        query: before it is turned.
        t: where the query stands at first; as a picture, there and a hundred positions later.
        offset: how far back the key is.
    """
    half, reach, n = len(query) // 2, 20, 161
    if not reach <= t < n - 100 - reach or abs(offset) > reach:
        raise ValueError(
            f"t must lie in {reach} … {n - 101 - reach} and offset in ±{reach}, got t={t}, "
            f"offset={offset}: every key that can be chosen needs a position"
        )
    cosines, sines = positions.rotary_angles(torch.arange(n), 2 * half)
    speeds = [f"{10_000 ** (-hand / half):.3g}" for hand in range(half)]

    def turned(vector: Tensor, place: int) -> Tensor:
        after = positions.apply_rotary(vector[None], cosines[[place]], sines[[place]])
        return torch.stack(after[0].chunk(2), -1)

    rows = {
        f"query {place}\nkey {place - offset}": {
            "query": turned(query, place),
            "key": turned(key, place - offset),
        }
        for place in (t, t + 100)
    }
    colors = {"query": "query", "key": "key"}
    picture = plots.dials(rows, speeds, caption=caption, colors=colors)
    data = {
        "speeds": speeds,
        "cosines": cosines,
        "sines": sines,
        "query": query,
        "key": key,
        "t": t,
        "offset": offset,
        "reach": reach,
    }
    return plots.live("clocks", data, picture)


def merges(tokenizer: BPETokenizer, text: str, caption: str = "") -> LivePicture:
    """A text as tokens, and the merges that make them of bytes, one by one, for any other text.

    Args:
        text: what the page proposes; the reader may write another one.
    """
    ids = tokenizer.encode(text)
    pieces = [tokenizer.tokens[index] for index in ids]
    picture = plots.tokens(pieces, ids, caption=caption)
    tokens = {"pieces": list(map(plots.visible, pieces)), "ids": ids}
    data = {"merges": tokenizer.merges, "text": text, "tokens": tokens}
    return plots.live("merges", data, picture)


_BANDS = {"bands": 40, "rows": 12}  # as far as the sliders reach
_PARTS_OF_CURVE = 100


def bands(
    n_bands: int, n_rows: int, similarity: float | int = 0.7, caption: str = ""
) -> LivePicture:
    """How likely two texts are compared, over their similarity; bands and rows can be moved.

    Args:
        n_bands, n_rows: those to begin with.
        similarity: of the pair whose chance is told.
    """
    if not (1 <= n_bands <= _BANDS["bands"] and 1 <= n_rows <= _BANDS["rows"]):
        raise ValueError(
            f"n_bands and n_rows must be 1 to {_BANDS['bands']} and 1 to {_BANDS['rows']}, got"
            f" n_bands={n_bands}, n_rows={n_rows}"
        )
    along = [i / _PARTS_OF_CURVE for i in range(_PARTS_OF_CURVE + 1)]
    chances = [chance_of_candidate(s, n_bands, n_rows) for s in along]
    name = f"{n_bands} bands of {n_rows}"
    picture = plots.line_plot(
        along, {name: chances}, "similarity", "compared", percent=True, caption=caption
    )
    data = {
        "bands": n_bands,
        "rows": n_rows,
        "most": _BANDS,
        "similarity": similarity,
        "chances": chances,
    }
    return plots.live("bands", data, picture)
