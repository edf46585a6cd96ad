"""The live figures of the book: what each shows, as Python computes it, and its picture.

Chapter: book/conventions.md

A function here makes the figure of its name, for the module of its name in `book/_static/live/`.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from lmcourse import attention as attention_module
from lmcourse import metrics, neurons, plots, positions
from lmcourse.optimization import SGD, Adam
from lmcourse.plots import LivePicture
from lmcourse.pretrained import shipped
from lmcourse.tokenizers import BPETokenizer

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


def gates(
    letters: Sequence[str],
    gates: Float[Tensor, "4 T N"],
    probs: Float[Tensor, "T K"],
    answers: Sequence[str],
    caption: str = "",
) -> LivePicture:
    """The gates of an LSTM over a text, and what is left in its cell state of each letter.

    Args:
        gates: input gate, forget gate, candidate and output gate, as `watch` gives them.
        probs: what the network answers after each letter.
    """
    letters, answers = list(letters), list(answers)
    input_gate, forget, _, output = gates.double()
    left = torch.zeros(len(letters), len(letters), dtype=torch.float64)
    for now in range(len(letters)):
        for then in range(now + 1):
            left[now, then] = forget[then + 1 : now + 1].prod(0).mean()
    means = {"forget gate": forget.mean(-1), "input gate": input_gate.mean(-1)}
    picture = plots.bar_plot(letters, means, "open", caption=caption, percent=True)
    data = {
        "letters": letters,
        "forget": forget.mean(-1),
        "input": input_gate.mean(-1),
        "output": output.mean(-1),
        "left": left,
        "answers": answers,
        "probs": probs,
    }
    return plots.live("gates", data, picture)


def state(
    sentences: Mapping[str, tuple[Float[Tensor, "T N"], Float[Tensor, "T K"]]],
    unit: int,
    answers: Sequence[str],
    caption: str = "",
) -> LivePicture:
    """The state of a recurrent network over sentences, and what it expects after each word.

    Args:
        sentences: for each, its words divided by spaces: the states, and the probabilities.
        unit: the place of the number of the state that is drawn as a line and framed.
    """
    lines = {name: states[:, unit] for name, (states, _) in sentences.items()}
    n_words = len(next(iter(lines.values())))
    picture = plots.line_plot(
        range(1, n_words + 1), lines, "words read", f"unit {unit + 1} of the state", caption=caption
    )
    data = {
        "unit": unit,
        "answers": list(answers),
        "sentences": [
            {"words": name.split(), "states": states, "probs": probs}
            for name, (states, probs) in sentences.items()
        ],
    }
    return plots.live("state", data, picture)


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


def surprise(text: str, name: str = "shakespeare", caption: str = "") -> LivePicture:
    """A text in the color of its surprise; in the browser also one that the reader writes.

    A new line comes before the text, so that its first token is predicted as well.

    Args:
        name: a model of `pretrained.shipped`.
    """
    model, tokenizer = shipped(name)
    ids = torch.tensor(tokenizer.encode("\n") + (own := tokenizer.encode(text)))
    with torch.inference_mode():
        log_probs = model(ids[None, :-1])[0, -len(own) :].log_softmax(-1)
    nats = -log_probs.gather(-1, ids[-len(own) :, None])[:, 0]
    tokens = [tokenizer.decode([index]) for index in own]
    data = {
        "model": name,
        "megabytes": sum(2 * each.numel() for each in model.parameters()) / 1e6,
        "text": text,
        "tokens": tokens,
        "nats": nats,
    }
    return plots.live("surprise", data, plots.surprise(tokens, nats, caption=caption))


def decoder(watched: Sequence[Mapping[str, Any]], caption: str = "") -> LivePicture:
    """Translations step by step: what was read, where the decoder looks, what it may say next.

    The picture shows the first map of the first sentence.

    Args:
        watched: what `Translator.watch` returns, one for each sentence; all with the same maps.
    """
    sentences = []
    for each in watched:
        depths, rows = plots.tree_layout(each["branches"])
        places = zip(each["branches"], depths, rows, strict=True)
        tree = [{**branch, "depth": depth, "row": row} for branch, depth, row in places]
        maps = {"names": list(each["weights"]), "weights": list(each["weights"].values())}
        likeliest = [
            {"tokens": list(odds), "probs": list(odds.values())} for odds in each["likeliest"]
        ]
        texts = {"source": each["source"], "written": each["written"]}
        sentences.append({**texts, **maps, "likeliest": likeliest, "branches": tree})
    first = sentences[0]
    picture = plots.attention_map(
        torch.tensor(first["weights"][0]), first["written"], first["source"], caption=caption
    )
    return plots.live("decoder", {"sentences": sentences}, picture)


def threshold(
    scores: Float[Tensor, "N"],
    targets: Int[Tensor, "N"],
    names: tuple[str, str],
    start: float = 0.5,
    caption: str = "",
) -> LivePicture:
    """What a classifier finds, misses and flags in vain, for a threshold to move.

    Args:
        scores: how sure the classifier is that a text is what is looked for.
        targets: 1 where it is.
        names: what a 0 is called, and a 1.
        start: the threshold at first.
    """
    steps = torch.arange(1, 100, dtype=torch.float64) / 100
    shares = [_measures(scores, targets, step.item()) for step in steps]
    lines = {name: [each[name] for each in shares] for name in shares[0]}
    picture = plots.line_plot(steps, lines, "threshold", "share", caption=caption, percent=True)
    data = {
        "scores": scores,
        "targets": targets,
        "names": names,
        "threshold": start,
        "counts": metrics.confusion_matrix((scores >= start).long(), targets),
        "measures": _measures(scores, targets, start),
    }
    return plots.live("threshold", data, picture)


def _measures(
    scores: Float[Tensor, "N"], targets: Int[Tensor, "N"], limit: float
) -> dict[str, float]:
    said = (scores >= limit).long()
    precision, recall, f1 = metrics.precision_recall_f1(said, targets)
    shares = {"precision": precision, "recall": recall, "F1": f1}
    return {"accuracy": metrics.accuracy(said, targets)} | shares


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


def descent(
    curvatures: tuple[float, float],
    start: tuple[float, float],
    n_steps: int,
    ways: Mapping[str, tuple[float, float] | float],
    caption: str = "",
) -> LivePicture:
    """Down a valley with the course's own optimizers; the loss is ½ Σ curvature · place².

    Args:
        ways: for each, learning rate and momentum of SGD; or one number, the rate of Adam.
    """
    told, lines = [], {}
    for name, way in ways.items():
        path = _path(curvatures, start, n_steps, way)
        lines[name] = (path.square() @ torch.tensor(curvatures, dtype=path.dtype)) / 2
        rate, momentum, adam = (*way, False) if isinstance(way, tuple) else (way, 0.0, True)
        told.append({"name": name, "rate": rate, "momentum": momentum, "adam": adam, "path": path})
    picture = plots.line_plot(
        range(n_steps + 1), lines, "step", "loss", log_y=True, caption=caption
    )
    data = {"curvatures": curvatures, "start": start, "n_steps": n_steps, "ways": told}
    return plots.live("descent", data, picture)


def _path(
    curvatures: tuple[float, float],
    start: tuple[float, float],
    n_steps: int,
    way: tuple[float, float] | float,
) -> Float[Tensor, "n_places 2"]:
    """Where the optimizer was before its first step and after each."""
    at = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    is_sgd = isinstance(way, tuple)
    optimizer = SGD([at], way[0], momentum=way[1]) if is_sgd else Adam([at], way)
    places = [at.detach().clone()]
    for _ in range(n_steps):
        optimizer.zero_grad()
        (at.square() * torch.tensor(curvatures, dtype=at.dtype)).sum().div(2).backward()
        optimizer.step()
        places.append(at.detach().clone())
    return torch.stack(places)
