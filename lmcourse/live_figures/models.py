"""Live figures of whole models: what they hold and answer while they read and write.

Chapter: book/conventions.md
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from lmcourse import metrics, neurons, plots
from lmcourse.co_occurrence import Vocabulary
from lmcourse.embeddings import nearest
from lmcourse.generation import keep_top_p
from lmcourse.plots import LivePicture
from lmcourse.pretrained import shipped
from lmcourse.tokenizers import Tokenizer
from lmcourse.transformer import EncoderBlock

_N_LIKELIEST = 10
_N_NEAREST = 10
_STEPS = 200  # from 0 to 1, of the numbers of a vector: cosines keep two digits


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


@torch.no_grad()
def block(
    block: EncoderBlock,
    x: Float[Tensor, "T C"],
    words: Sequence[str],
    mask: Bool[Tensor, "T T"] | None = None,
    caption: str = "",
) -> LivePicture:
    """One forward pass through an encoder block, step by step, with shapes and numbers.

    Args:
        block: pre-norm, as `EncoderBlock` is by default, without a gate and without dropout.
        x: the stream that enters, a row for each word.
    """
    norm_first = block.attention_residual.norm_first
    if not norm_first or block.feed_forward.gated:
        raise ValueError(
            f"block must be pre-norm and without a gate, got norm_first={norm_first}, "
            f"gated={block.feed_forward.gated}: make it with EncoderBlock(d_model, n_heads)"
        )
    layer, network = block.attention, block.feed_forward
    n, width = x.shape
    heard = block.attention_residual.norm(x)
    projections = (layer.query_projection, layer.key_projection, layer.value_projection)
    query, key, value = (each(heard) for each in projections)
    added, weights = layer(heard[None], mask=mask)
    between = x + added[0]
    given = block.feed_forward_residual.norm(between)
    hidden = network.activation(network.up_projection(given))
    thought = network.down_projection(hidden)
    after = between + thought
    stream, made, inner = f"{n} × {width}", f"{n} × {width}", f"{n} × {hidden.shape[-1]}"
    heads = [(f"head {i + 1}", each) for i, each in enumerate(weights[0])]
    steps = [
        ("stream", stream, "x enters the block.", "stream", [("x", x)]),
        ("norm", stream, "Each row gets mean 0 and variance 1.", "", [("LN(x)", heard)]),
        ("query", made, "What each word looks for.", "query", [("Q", query)]),
        ("key", made, "What it can be found by.", "key", [("K", key)]),
        ("value", made, "What it hands over.", "value", [("V", value)]),
        ("weights", f"{len(heads)} × {n} × {n}", "Who looks at whom; rows sum to 1.", "", heads),
        ("attention", stream, "The values, mixed and projected.", "", [("attention", added[0])]),
        ("add", stream, "x + attention: the stream again.", "stream", [("x + attention", between)]),
        ("norm again", stream, "A norm of its own.", "", [("LN(x)", given)]),
        ("hidden", inner, "Wider, and nothing below zero.", "", [("activation", hidden)]),
        ("feed-forward", stream, "Narrow again; any sign.", "", [("feed-forward", thought)]),
        ("out", stream, "x + feed-forward leaves the block.", "stream", [("x", after)]),
    ]
    picture = plots.heat_map(
        torch.cat([x, between, after]),
        "numbers of the stream",
        "words: before, between, after",
        rows=[*words, *words, *words],
        caption=caption,
    )
    names = ("name", "shape", "says", "role", "tables")
    data = {"words": words, "steps": [dict(zip(names, step, strict=True)) for step in steps]}
    return plots.live("block", data, picture)


def nucleus(
    text: str,
    top_p: float | int = 0.9,
    name: str = "shakespeare",
    caption: str = "",
    reader: tuple[metrics.LanguageModel, Tokenizer] | None = None,
) -> LivePicture:
    """What may be drawn at each place of a text, for temperature, top-k and top-p to change it.

    Args:
        text: what the model reads; after each of its tokens it gives the odds of the next.
        top_p: where the slider stands at first; temperature 1 and no top-k.
        name: a model of `pretrained.shipped`.
        reader: another model, and its tokenizer, instead.
    """
    model, tokenizer = shipped(name) if reader is None else reader
    ids = tokenizer.encode(text)
    with torch.inference_mode():
        logits = model(torch.tensor([ids]))[0].double()
    logits = logits - logits.amax(-1, keepdim=True)
    kept = keep_top_p(logits, top_p).isfinite().sum(-1)
    tokens = [tokenizer.decode([index]) for index in ids]
    # Every second one lower, so that neighbors do not touch.
    words = [("\n" if i % 2 else "") + plots.visible(token) for i, token in enumerate(tokens)]
    picture = plots.bar_plot(words, {"tokens": kept}, "tokens that may come next", caption=caption)
    vocabulary = [tokenizer.decode([index]) for index in range(logits.shape[-1])]
    data = {
        "tokens": tokens,
        "vocabulary": vocabulary,
        "logits": logits,
        "top_p": float(top_p),
        "kept": kept,
    }
    return plots.live("nucleus", data, picture)


def word_map(
    vectors: Float[Tensor, "V C"],
    vocabulary: Vocabulary,
    chosen: str,
    n_words: int = 300,
    caption: str = "",
) -> LivePicture:
    """The most frequent words as dots, to search: the nearest of each, and of sums of words.

    The map has the two directions in which the vectors, each of length 1, differ most (principal
    component analysis). What is near is told by the cosine, in all directions.

    Args:
        chosen: the word that is searched at first, one of the `n_words` most frequent.
    """
    words = vocabulary.words[:n_words]
    few = Vocabulary(words, vocabulary.counts[: len(words)].tolist())
    few.index(chosen)
    # In steps, to be short in the page; Python, too, counts with what the page gets.
    rounded = (_STEPS * F.normalize(vectors[: len(words)], dim=-1)).round()
    unit = F.normalize(rounded.double(), dim=-1)
    apart = unit - unit.mean(0)
    _, spread, directions = torch.linalg.svd(apart, full_matrices=False)
    # A direction and its opposite are as good: the longest place points to the right, and up.
    places = apart @ directions[:2].T
    places = places * places.gather(0, places.abs().argmax(0, keepdim=True)).sign()
    found = nearest(unit, few, chosen, n=_N_NEAREST)
    picture = plots.word_places(places, words, [chosen, *(word for word, _ in found)], "", caption)
    data = {
        "words": words,
        "vectors": rounded.int(),
        "places": places,
        "kept": spread[:2].square().sum() / spread.square().sum(),
        "chosen": chosen,
        "nearest": [{"word": word, "cosine": cosine} for word, cosine in found],
    }
    return plots.live("word_map", data, picture)


def replies(
    found: Mapping[str, Mapping[str, Mapping[str, float]]],
    checks: Mapping[str, Callable[[str, str], float]],
    size: int = 8,
    caption: str = "",
) -> LivePicture:
    """What models reply to the same problems, under checks; groups of replies and advantages.

    The picture shows the first problem: the reward of each check that the replies bring.

    Args:
        found: by model and problem, the probability of each of its likeliest replies; all models
            with the same problems.
        checks: by name, the reward of a reply to a problem.
        size: how many replies a group has.
    """
    problems = list(next(iter(found.values())))
    lists = [
        [
            [
                {"text": text, "prob": prob, "rewards": [c(text, problem) for c in checks.values()]}
                for text, prob in answers[problem].items()
            ]
            for problem in problems
        ]
        for answers in found.values()
    ]
    means = {
        name: [sum(each["prob"] * each["rewards"][i] for each in rows[0]) for rows in lists]
        for i, name in enumerate(checks)
    }
    picture = plots.bar_plot(list(found), means, "reward", caption=caption, percent=True)
    data = {"problems": problems, "models": list(found), "checks": list(checks)}
    return plots.live("replies", data | {"replies": lists, "size": size, "eps": 1e-4}, picture)
