"""Texts that a model in a folder writes: what the command `lmcourse sample` does.

Chapter: book/generation.md
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lmcourse.devices import default_device
from lmcourse.generation import generate
from lmcourse.gpt import GPT
from lmcourse.pretrained import AnyTokenizer, from_pretrained

Put = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What is to be written, and how.

    Args:
        prompt: what a text begins with; a new line, or the first token there is, if None.
        n_tokens: how many tokens follow.
        n_samples: how many texts; the first has `seed`, the next seed + 1, and so on.
        temperature, top_k, top_p, repetition_penalty: as for `lmcourse.generation.generate`.
    """

    prompt: str | None = None
    n_tokens: int = 300
    n_samples: int = 1
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got n_samples={self.n_samples}")


def sample(folder: str | Path, request: Request) -> str:
    """The prompt, and what a model in a folder writes after it: the first sample, whole."""
    parts: list[str] = []
    _put_text(*_loaded(folder), request, request.seed, parts.append)
    return "".join(parts)


def show_samples(folder: str | Path, request: Request, put: Put, log_probs: bool = False) -> None:
    """Writes the samples, each token as soon as it is there. What is refused puts nothing.

    Args:
        put: is given the text piece by piece, with the line ends that are to be shown.
        log_probs: put a row for each token instead: its log-probability as the model has it, before
            temperature and every other rule, the probability, and the token.
    """
    model, encoder = _loaded(folder)
    for seed in range(request.seed, request.seed + request.n_samples):
        title = f"--- seed {seed} ---\n" if request.n_samples > 1 else ""
        if log_probs:
            _put_rows(model, encoder, request, seed, _titled(title, put))
        else:
            _put_text(model, encoder, request, seed, _titled(title, put))
            put("\n")


def _loaded(folder: str | Path) -> tuple[GPT, AnyTokenizer]:
    model, encoder = from_pretrained(folder)
    return model.to(default_device()), encoder


def _titled(title: str, put: Put) -> Put:
    """The same, but with the title before the first piece."""

    def titled(piece: str) -> None:
        nonlocal title
        put(title + piece)
        title = ""

    return titled


def _put_text(model: GPT, encoder: AnyTokenizer, request: Request, seed: int, put: Put) -> None:
    ids, n_shown = prompt_ids(encoder, request.prompt), 0

    def show(ready: str) -> None:
        nonlocal n_shown
        if len(ready) > n_shown:
            put(ready[n_shown:])
            n_shown = len(ready)

    def add(new: Tensor, _: Tensor) -> None:
        ids.append(int(new))
        show(encoder.decode(ids).rstrip("\ufffd"))  # a character in bytes waits for the last one

    _generate(model, list(ids), request, seed, add)
    show(encoder.decode(ids))


def _put_rows(model: GPT, encoder: AnyTokenizer, request: Request, seed: int, put: Put) -> None:
    found: list[float] = []

    def add(new: Tensor, log_prob: Tensor) -> None:
        if not found:
            put(f"{'log p':>9}  {'p':>6}  token\n")
        found.append(log_prob.item())
        put(f"{found[-1]:9.4f}  {math.exp(found[-1]):6.1%}  {encoder.decode([int(new)])!r}\n")

    _generate(model, prompt_ids(encoder, request.prompt), request, seed, add)
    if found:
        put(f"{sum(found) / len(found):9.4f}  a token, the mean of {len(found)}\n")


def _generate(
    model: GPT,
    ids: list[int],
    request: Request,
    seed: int,
    on_token: Callable[[Tensor, Tensor], None],
) -> None:
    device = default_device()
    generate(
        model,
        torch.tensor([ids], device=device),
        request.n_tokens,
        temperature=request.temperature,
        top_k=request.top_k,
        top_p=request.top_p,
        repetition_penalty=request.repetition_penalty,
        generator=torch.Generator(device).manual_seed(seed),
        on_token=on_token,
    )


def prompt_ids(encoder: AnyTokenizer, prompt: str | None) -> list[int]:
    """The ids that a text begins with; a new line, or the first token there is, if None."""
    if prompt is not None and not prompt:
        raise ValueError("prompt must have at least one character, got prompt=''")
    try:
        return encoder.encode("\n" if prompt is None else prompt)
    except ValueError:
        if prompt is not None:
            raise
    return [0]
