"""Generation: a language model gives the odds of the next token, and a rule of choice draws it.

Chapter: book/generation.md
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmcourse.metrics import LanguageModel
from lmcourse.modes import mode


def generate(
    model: LanguageModel,
    ids: Int[Tensor, "..."],
    n_tokens: int,
    *,
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | int | None = None,
    repetition_penalty: float | int = 1.0,
    use_cache: bool = True,
    generator: torch.Generator | None = None,
    mask: Bool[Tensor, "B T"] | None = None,
    stop_ids: Collection[int] = (),
    on_token: Callable[[Tensor, Tensor], object] | None = None,
) -> Int[Tensor, "B N"]:
    """The ids, and after them up to `n_tokens` new ones, each drawn after all before it.

    A model with a `context_length` is shown no more than the last so many ids. A model with
    `new_cache` reads each id once, until its context is full; then every step reads it anew.

    Args:
        ids: the prompts, of shape (B, T).
        temperature: divides the logits; above 1 the odds even out, at 0 the likeliest id is taken.
        top_k: only the k likeliest ids may be drawn.
        top_p: only the likeliest ids that together have this probability may be drawn.
        repetition_penalty: above 1, ids that are there already become less likely, the prompt's,
            too; see `penalize_repetition`.
        use_cache: False reads all ids at every step: the same text, more slowly.
        generator: where the random numbers come from; the same seed gives the same text.
        mask: True where an id is real, for prompts of different lengths, padded on the left.
        stop_ids: a text ends with the first of these; what follows repeats it, until all have
            ended, and then fewer than n_tokens may have been added.
        on_token: is called after each step with the new ids, of shape (B,), and their
            log-probabilities as the model has them, before any rule: to show a text as it grows.

    Raises:
        ValueError: a rule that excludes every id, no ids to start from, or padding on the right.
    """
    _check_rules(temperature, top_k, top_p)
    _check_penalty(repetition_penalty)
    _check_prompts(ids, n_tokens, mask)
    stops = torch.tensor(sorted(stop_ids), dtype=ids.dtype, device=ids.device)
    ended = torch.zeros(len(ids), 1, dtype=torch.bool, device=ids.device)
    with mode(model, training=False), torch.inference_mode():
        reader = _Reader(model, len(ids), use_cache)
        for _ in range(n_tokens):
            logits = reader.read(ids, mask)
            penalized = logits
            if repetition_penalty != 1:
                penalized = penalize_repetition(logits, ids, repetition_penalty, mask)
            new = sample(penalized, temperature, top_k, top_p, generator)[:, None]
            if mask is not None:
                mask = torch.cat([mask, mask[:, -1:]], 1)
            if stop_ids:
                new = torch.where(ended, ids[:, -1:], new)
                ended = ended | torch.isin(new, stops)
            ids = torch.cat([ids, new], 1)
            if on_token is not None:
                on_token(new[:, 0], logits.float().log_softmax(-1).gather(1, new)[:, 0])
            if stop_ids and ended.all():
                break
    return ids.clone()  # what inference mode makes may not be trained on; a copy may


def sample(
    logits: Float[Tensor, "B V"],
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | int | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "B"]:
    """One id for each row, drawn from softmax(logits / temperature) among those that are kept.

    Raises:
        ValueError: a rule that excludes every id, or a model that gave no odds.
    """
    _check_rules(temperature, top_k, top_p)
    highest = _highest(logits)
    if temperature == 0:
        return logits.argmax(-1)
    # Less the largest one, and not divided by what is 0 in float32: near 0 it is greedy.
    temperature = max(temperature, torch.finfo(torch.float32).tiny)
    logits = (logits.float() - highest.float()) / temperature
    if top_k is not None:
        logits = keep_top_k(logits, top_k)
    if top_p is not None:
        logits = keep_top_p(logits, top_p)
    return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]


def penalize_repetition(
    logits: Float[Tensor, "B V"],
    ids: Int[Tensor, "B T"],
    penalty: float | int,
    mask: Bool[Tensor, "B T"] | None = None,
) -> Float[Tensor, "B V"]:
    """The logits, but those of ids that were there before made smaller.

    A positive logit is divided by the penalty, a negative one multiplied, so that either falls.

    Args:
        penalty: 1 changes nothing, below 1 repetition is favored.
        mask: True where an id is real.

    Raises:
        ValueError: a penalty that is not a positive number.

    Reference: Keskar et al. (2019), https://arxiv.org/abs/1909.05858; signs as in transformers.

    Example:
        >>> penalize_repetition(torch.tensor([[2.0, -2.0, 2.0]]), torch.tensor([[0, 1, 1]]), 2)
        tensor([[ 1., -4.,  2.]])
    """
    _check_penalty(penalty)
    real = torch.ones_like(ids) if mask is None else mask.to(ids.dtype)
    n_seen = torch.zeros(logits.shape, dtype=ids.dtype, device=ids.device).scatter_add(1, ids, real)
    smaller = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(n_seen > 0, smaller, logits)


def keep_top_k(logits: Float[Tensor, "*batch V"], k: int) -> Float[Tensor, "*batch V"]:
    """The logits, but −∞ for all except the k largest; softmax shares their mass among these.

    Reference: Fan, Lewis and Dauphin (2018), https://arxiv.org/abs/1805.04833

    Example:
        >>> keep_top_k(torch.tensor([2.0, 0.0, 3.0, 1.0]), 2)
        tensor([2., -inf, 3., -inf])
    """
    if k >= logits.shape[-1]:
        return logits
    # By place, not by value: of equal logits at the border no more than k in all may stay.
    kept = logits.topk(k, -1).indices
    return torch.full_like(logits, -torch.inf).scatter(-1, kept, logits.gather(-1, kept))


def keep_top_p(logits: Float[Tensor, "*batch V"], p: float | int) -> Float[Tensor, "*batch V"]:
    """The logits, but −∞ outside the nucleus: the fewest likeliest ids with probability p or more.

    Reference: Holtzman et al. (2020), section 3.1, https://arxiv.org/abs/1904.09751

    Example:
        >>> keep_top_p(torch.tensor([0.1, 0.6, 0.3]).log(), 0.8).exp()
        tensor([0.0000, 0.6000, 0.3000])
    """
    if p >= 1:
        return logits
    descending, order = logits.sort(dim=-1, descending=True, stable=True)
    # An id stays if those before it have less than p, so if it and those after it have more than
    # 1 - p: summed from the smallest on, rounding loses none. The likeliest one always stays.
    rest = descending.softmax(-1).flip(-1).cumsum(-1).flip(-1)
    outside = rest <= 1 - p
    outside[..., 0] = False
    return logits.masked_fill(torch.empty_like(outside).scatter(-1, order, outside), -torch.inf)


@dataclass(frozen=True)
class BeamNode:
    """An id that beam search looked at: a node of its tree.

    Args:
        id: the new id.
        parent: the place of the node before it in the step before, `tree[step - 1][parent]`; -1 in
            the first step, where the prompt is before all nodes.
        log_prob: log p of this id after those before it.
        total: the sum of the log_probs from the first new id to this one.
        score: total / length**length_penalty, by which texts are compared.
        kept: whether it was among the best and went on.
        ended: whether the id is one of stop_ids, so that nothing follows it.
    """

    id: int
    parent: int
    log_prob: float
    total: float
    score: float
    kept: bool
    ended: bool


@dataclass(frozen=True)
class Beams:
    """What beam search found, and all that it looked at on the way.

    Args:
        texts: the new ids of each text, without the prompt, the best text first; a text that has
            ended has its stop id at the end.
        scores: the score of each text.
        tree: for each step the nodes that it compared, the best first: up to n_beams that were kept
            and as many of those that were not. Fewer are kept where a text that ended earlier
            holds a place.
    """

    texts: list[list[int]]
    scores: list[float]
    tree: list[list[BeamNode]]


def beam_search(
    model: LanguageModel,
    ids: Int[Tensor, "..."],
    n_tokens: int,
    *,
    n_beams: int = 4,
    length_penalty: float | int = 0.0,
    stop_ids: Collection[int] = (),
) -> Beams:
    """The most probable texts of up to `n_tokens` new ids that `n_beams` texts at once come upon.

    Each step puts every id after every text of the beam and keeps the best n_beams. A text that
    has ended keeps its place until better ones take it. A beam of 1 is greedy; one as wide as all
    texts finds the best of all.

    Args:
        model: is shown up to n_beams rows at once, all of them beginning with `ids`.
        ids: one prompt, of shape (T,).
        length_penalty: a text's score is its log-probability divided by its length to this power:
            0 compares probabilities, which favors short texts, and 1 the mean over the ids.
        stop_ids: a text ends with the first of these.

    Raises:
        ValueError: no beam, no ids to start from, or a model that gave no odds.

    Reference: Wu et al. (2016), section 7, https://arxiv.org/abs/1609.08144, who add 5 to lengths.

    Example:
        >>> after = torch.tensor([[0.0, 0.6, 0.4], [0.4, 0.3, 0.3], [0.0, 0.1, 0.9]])
        >>> beam_search(lambda ids: after.log()[ids], torch.tensor([0]), 2, n_beams=2).texts
        [[2, 2], [1, 0]]
    """
    _check_beam(ids, n_tokens, n_beams, length_penalty)
    reader, stops = _Reader(model, n_beams, use_cache=False), set(stop_ids)
    beam, tree = [_Text([], 0.0, 0.0, -1, False)], []
    with mode(model, training=False), torch.inference_mode():
        for length in range(1, n_tokens + 1):
            live = [text for text in beam if not text.ended]
            if not live:
                break
            new = torch.tensor([text.ids for text in live], dtype=ids.dtype, device=ids.device)
            logits = reader.read(torch.cat([ids.expand(len(live), -1), new], 1), None)
            _highest(logits)
            log_probs = logits.float().log_softmax(-1).cpu().double()
            grown = _grow(live, log_probs, 2 * n_beams, length**length_penalty, stops)
            pool = [text for text in beam if text.ended] + [text for text, _ in grown]
            beam = sorted(pool, key=lambda text: -text.score)[:n_beams]  # stable: first come first
            # By identity: two texts may have the same score, and only one of them a place.
            staying = {id(text) for text in beam}
            tree.append([
                BeamNode(text.ids[-1], text.parent, log_prob, text.total, text.score,
                         id(text) in staying, text.ended)
                for text, log_prob in grown
            ])  # fmt: skip
            for place, (text, _) in enumerate(grown):
                text.parent = place
    return Beams([text.ids for text in beam], [text.score for text in beam], tree)


@dataclass
class _Text:
    """A text of the beam; `parent` is the place of its last node, for the nodes to come."""

    ids: list[int]
    total: float
    score: float
    parent: int
    ended: bool


def _grow(
    live: list[_Text], log_probs: Tensor, n_best: int, divisor: float | int, stops: set[int]
) -> list[tuple[_Text, float]]:
    """The best texts that are one id longer, each with the log-probability of that id."""
    totals = torch.tensor([[text.total] for text in live], dtype=torch.double) + log_probs
    best, order = totals.flatten().sort(descending=True, stable=True)
    grown = []
    for total, place in zip(best[:n_best].tolist(), order[:n_best].tolist(), strict=True):
        row, new = divmod(place, log_probs.shape[1])
        if total > -math.inf:  # what is impossible is no candidate
            text = _Text(
                [*live[row].ids, new], total, total / divisor, live[row].parent, new in stops
            )
            grown.append((text, log_probs[row, new].item()))
    return grown


class _Reader:
    """Gives the model the ids that it needs to see next: with a cache, those not yet read."""

    def __init__(self, model: LanguageModel, batch_size: int, use_cache: bool):
        self.model = model
        self.window = getattr(model, "context_length", None)
        cached = use_cache and hasattr(model, "new_cache")
        self.cache = model.new_cache(batch_size) if cached else None
        self.n_read = 0

    def read(self, ids: Tensor, mask: Tensor | None) -> Float[Tensor, "B V"]:
        """The logits of the id after the last.

        With a cache the first call reads the whole prompt (prefill), each later one a new id alone
        (decode).
        """
        more: dict[str, Any] = {}
        if self.window is not None and ids.shape[1] > self.window:
            # Every id moves to another position in the window, so nothing cached would hold.
            ids, self.cache = ids[:, -self.window :], None
            mask = None if mask is None else mask[:, -self.window :]
        if mask is not None:
            more["mask"] = mask
        if self.cache is not None:
            more["cache"] = self.cache
            ids, self.n_read = ids[:, self.n_read :], ids.shape[1]
        return self.model(ids, **more)[:, -1]


def _highest(logits: Float[Tensor, "B V"]) -> Float[Tensor, "B 1"]:
    """The largest logit of each row, which must be a number for the row to be odds."""
    highest = logits.amax(-1, keepdim=True)
    if not highest.isfinite().all():
        row = int(highest.isfinite().logical_not().int().argmax())
        raise ValueError(
            "logits must be numbers, and one of a row above -inf, got"
            f" {highest.flatten()[row].item()} as the highest of row {row}: the model gives no"
            " odds, so look for NaN and inf in its weights and for a mask that hides all"
        )
    return highest


def _check_rules(temperature: float | int, top_k: int | None, top_p: float | int | None) -> None:
    if not 0 <= temperature < math.inf:
        raise ValueError(
            f"temperature must be at least 0 and finite, got temperature={temperature}"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, got top_k={top_k}: None keeps all ids")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(
            f"top_p must be above 0 and at most 1, got top_p={top_p}: None keeps all ids"
        )


def _check_penalty(penalty: float | int) -> None:
    if not 0 < penalty < math.inf:
        raise ValueError(
            "repetition_penalty must be above 0 and finite, got"
            f" repetition_penalty={penalty}: 1 changes nothing"
        )


def _check_prompts(ids: Tensor, n_tokens: int, mask: Tensor | None) -> None:
    if n_tokens < 0:
        raise ValueError(f"n_tokens must be at least 0, got n_tokens={n_tokens}")
    if ids.dim() != 2 or ids.shape[1] == 0:
        raise ValueError(
            f"ids must have the shape (B, T) with T at least 1, got {tuple(ids.shape)}: "
            "a single prompt is ids[None], an empty one starts with an id of its own"
        )
    if mask is not None and not bool(mask[:, -1].all()):
        raise ValueError(
            "mask must be True in its last column: pad prompts on the left, "
            "so that each new token stands right after its prompt"
        )


def _check_beam(ids: Tensor, n_tokens: int, n_beams: int, length_penalty: float | int) -> None:
    if ids.dim() != 1:
        raise ValueError(
            f"ids must have the shape (T,), got {tuple(ids.shape)}: beam_search continues one"
            " prompt, so call it for each row"
        )
    _check_prompts(ids[None], n_tokens, None)
    if n_beams < 1:
        raise ValueError(f"n_beams must be at least 1, got n_beams={n_beams}: 1 is greedy")
    if not math.isfinite(length_penalty):
        raise ValueError(f"length_penalty must be finite, got length_penalty={length_penalty}")
