"""An encoder and a GPT of its size, side by side: blanks, words that are no mask, writing.

Chapter: book/bert.md
"""

import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from lmcourse.bert import BERT
from lmcourse.gpt import GPT
from lmcourse.kept_runs import KeptRuns
from lmcourse.missing_verb import (
    END,
    MASK,
    PADDING,
    START,
    TOKENS,
    accuracy,
    accuracy_by_trying,
    draw,
    encode,
    fit_bert,
    fit_gpt,
    new_bert,
    new_gpt,
    repetition,
    sentences,
)
from lmcourse.modes import mode

Numbers = dict[str, float]
_STOP = TOKENS.index(".")

# ---------------------------------------------------------------- how sure one can be


def entropies() -> tuple[float, float]:
    """Nats of a sentence: its entropy, and the sum of what each word leaves to guess.

    The first is the mean of −log p(sentence). For the second each word is guessed by who knows all
    the others, before and after it. That is less, and no probability of the sentence.

    Reference: Salazar et al. (2020), https://aclanthology.org/2020.acl-main.240/, call the second,
        as a model has it, the pseudo-log-likelihood.
    """
    chances = {tuple(str(each).split()): float(p) for each, p in sentences().items()}
    around: dict[tuple, float] = defaultdict(float)
    for words, p in chances.items():
        for place in range(len(words)):
            around[words[:place], words[place + 1 :]] += p
    entropy = -sum(p * math.log(p) for p in chances.values())
    guesses = sum(
        p * math.log(around[words[:place], words[place + 1 :]] / p)
        for words, p in chances.items()
        for place in range(len(words))
    )
    return entropy, guesses


def words_in_a_sentence() -> float:
    """The mean number of words, the period among them."""
    return float(sum(p * len(str(each).split()) for each, p in sentences().items()))


@torch.no_grad()
def surprise(model: BERT | GPT) -> float:
    """The same in nats as a model has it: of GPT the first, of BERT the second.

    Over all sentences of the grammar, so exactly. BERT reads a sentence as often as it has words,
    each time with another one masked.
    """
    ids, mask, _ = encode(sentences())
    chances = torch.tensor([float(p) for p in sentences().values()])
    device, total = next(model.parameters()).device, torch.zeros(len(ids))
    ids, mask = ids.to(device), mask.to(device)
    with mode(model, training=False):
        for place in range(1, ids.shape[1]):
            is_word = mask[:, place] & (ids[:, place] != END)
            if isinstance(model, GPT):
                logits = model(ids[:, :place])[:, -1]
            else:
                read = ids.index_fill(1, torch.tensor([place], device=device), MASK)
                logits = model(read, mask)[:, place]
            nats = F.cross_entropy(logits, ids[:, place], reduction="none")
            total += nats.masked_fill(~is_word, 0.0).cpu()
    return float(chances @ total)


# ---------------------------------------------------------------- who can write

Way = Literal["append", "in turn", "at once"]


@torch.no_grad()
def write(model: BERT | GPT, n: int, seed: int, way: Way = "append") -> list[str]:
    """Texts that the model draws, word by word or all of them together.

    Args:
        way: "append", what GPT does: draw the word that comes next, until there is a period. BERT
            is given a mask at the end of what there is. "in turn" and "at once" are for BERT, which
            is told how many words there will be, drawn as the grammar has them: it starts with
            masks alone and fills one after the other, or all of them in one reading.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(logits: Tensor) -> Tensor:
        return torch.multinomial(logits.cpu().softmax(-1), 1, generator=generator)[:, 0]

    with mode(model, training=False):
        if way == "append":
            ids = _append(model, n, drawn)
        else:
            ids = _fill(model, n, seed, drawn, way == "at once")
    return [_text(row) for row in ids.tolist()]


def _append(model: BERT | GPT, n: int, drawn: Callable[[Tensor], Tensor]) -> Int[Tensor, "n T"]:
    device = next(model.parameters()).device
    ids = torch.full((n, 1), START, device=device)
    for _ in range(model.context_length - 2):
        at_the_end = ids if isinstance(model, GPT) else F.pad(ids, (0, 1), value=MASK)
        ids = torch.cat([ids, drawn(model(at_the_end)[:, -1]).to(device)[:, None]], 1)
    return ids


def _fill(
    model: BERT, n: int, seed: int, drawn: Callable[[Tensor], Tensor], at_once: bool
) -> Int[Tensor, "n T"]:
    device = next(model.parameters()).device
    known, mask, _ = (part.to(device) for part in encode(draw(n, seed)))
    is_sign = (known == PADDING) | (known == START) | (known == END)
    ids = known.masked_fill(~is_sign, MASK)
    if at_once:
        words = drawn(model(ids, mask).flatten(0, 1)).to(device).view_as(ids)
        return torch.where(is_sign, ids, words)
    for place in range(1, ids.shape[1]):
        words = drawn(model(ids, mask)[:, place]).to(device)
        ids[:, place] = torch.where(is_sign[:, place], ids[:, place], words)
    return ids


def _text(row: list[int]) -> str:
    """The words up to the first period, or to the end."""
    row = row[1:]
    ends = [place for place, index in enumerate(row) if index in (_STOP, END)]
    stop = ends[0] + (row[ends[0]] == _STOP) if ends else len(row)
    return " ".join(TOKENS[index] for index in row[:stop])


def share_of_sentences(texts: list[str]) -> float:
    """How many of the texts are sentences of the grammar."""
    known = {str(each) for each in sentences()}
    return sum(text in known for text in texts) / len(texts)


# ---------------------------------------------------------------- what is left of a word


def readable(model: BERT, seed: int, n_known: int = 400) -> float:
    """How often a linear map tells the verb from the vector at its place, with no mask there.

    The map is fitted to some of the sentences and asked about the others; the model stays as it is.
    """
    ids, mask, blank = (part.to(next(model.parameters()).device) for part in encode(sentences()))
    rows = torch.arange(len(ids), device=ids.device)
    with mode(model, training=False), torch.no_grad():
        x = F.pad(model.encode(ids, mask)[rows, blank], (0, 1), value=1.0)
    verbs = ids[rows, blank]
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(seed)).to(ids.device)
    known, new = order[:n_known], order[n_known:]
    targets = F.one_hot(verbs[known], len(TOKENS)).float()
    gram = x[known].T @ x[known] + 1e-2 * torch.eye(x.shape[1], device=x.device)
    weight = torch.linalg.solve(gram, x[known].T @ targets)
    return ((x[new] @ weight).argmax(-1) == verbs[new]).float().mean().item()


# ---------------------------------------------------------------- stored results

N_STEPS, N_SEEDS = 500, 4
RATES = (3e-3, 1e-2)
SEARCH_SEED = 100  # rates are chosen on sentences that are used for nothing else
N_TEXTS = 1000
SHARES = {
    "80/10/10": (0.8, 0.1),
    "all masked": (1.0, 0.0),
    "none replaced": (0.8, 0.0),
    "none kept": (0.8, 0.2),
}
NAMES = (*SHARES, "left", "GPT")
SEARCHED = ("80/10/10", "left", "GPT")  # other shares of masks learn at the rate of the first


def trained(name: str, seed: int, rate: float, n_steps: int) -> BERT | GPT:
    """A model of `NAMES`: BERT with these shares of the chosen words, kept from the right, or GPT.

    "left" is BERT with 80/10/10 and a causal mask.
    """
    if name == "GPT":
        model = new_gpt(seed)
        fit_gpt(model, n_steps, seed, rate)
        return model
    masked, replaced = SHARES.get(name, SHARES["80/10/10"])
    model = new_bert(seed)
    fit_bert(
        model, n_steps, seed, causal=name == "left", masked=masked, replaced=replaced, rate=rate
    )
    return model


def _found(name: str, model: BERT | GPT, seed: int) -> Numbers:
    if name == "left":
        return {"mask": accuracy(model, causal=True)}
    if isinstance(model, GPT):
        return {
            "mask": accuracy(model),
            "trying": accuracy_by_trying(model),
            "append": share_of_sentences(write(model, N_TEXTS, seed)),
            "nats": surprise(model),
        }
    found = {shown: accuracy(model, shown=shown) for shown in ("mask", "verb", "wrong")}
    found |= {"repeated": repetition(model), "readable": readable(model, seed)}
    if name == "80/10/10":
        found |= {
            way: share_of_sentences(write(model, N_TEXTS, seed, way))
            for way in ("append", "in turn", "at once")
        }
        found["nats"] = surprise(model)
    return found


def measure(folder: Path, seed: int) -> Numbers:
    """What each of `NAMES` can do after as many steps, four seeds, at the better of two rates.

    The rate is the one with which it fills more blanks after half as many steps. Other ways to mask
    learn at the rate of 80/10/10, so that nothing but the masks differs.
    """
    kept, numbers, rates = KeptRuns(folder / "both_sides.json"), {}, {}
    for name in tqdm(NAMES, desc="models"):

        def filled(rate: float, name: str = name) -> float:
            key = f"{name}, rate {rate}, search"
            other = seed + SEARCH_SEED
            return kept.get(
                key,
                lambda: accuracy(trained(name, other, rate, N_STEPS // 2), causal=name == "left"),
            )

        rates[name] = max(RATES, key=filled) if name in SEARCHED else rates[SEARCHED[0]]
        numbers[f"{name}, rate"] = best = rates[name]
        for each in range(N_SEEDS):
            found = kept.get(
                f"{name}, seed {seed + each}",
                lambda n=name, s=seed + each, r=best: _found(n, trained(n, s, r, N_STEPS), s),
            )
            numbers |= {f"{name}, {what}, seed {each}": value for what, value in found.items()}
    return numbers | {"untrained, readable": readable(new_bert(seed), seed)}


def of_seeds(numbers: Numbers, name: str) -> list[float]:
    """What each seed gave, in a result of `measure`."""
    return [numbers[f"{name}, seed {seed}"] for seed in range(N_SEEDS)]
