"""Which sentence is nearer to another: one that agrees with it, or one that denies it?

Chapter: book/bert.md
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from lmcourse.bert import BERT, mean_vector, sentence_vectors
from lmcourse.kept_runs import KeptRuns
from lmcourse.missing_verb import N_SEEDS, N_STEPS, Sentence, encode, fit_bert, new_bert, sentences

Triple = tuple[Sentence, Sentence, Sentence]
Vectors = Float[Tensor, "N C"]

HELD_OUT = {"teacher", "teachers"}  # the subjects on which a map is measured and not trained
_OPPOSITE = {"often": "never", "never": "often"}


def triples(held_out: bool = False) -> list[Triple]:
    """A sentence; the same of a little thing; and the same with `often` for `never` or back.

    Who often bakes a little cake often bakes a cake. So the second agrees with the first and the
    third denies it, and each differs from the first in one word.

    Args:
        held_out: those about teachers; otherwise those about all others.

    Example:
        >>> for sentence in triples()[0]:
        ...     print(sentence)
        the child often reads the book .
        the child often reads the little book .
        the child never reads the book .
    """
    return [
        (
            each,
            replace(each, right=("the", "little", *each.right[1:])),
            replace(each, left=(*each.left[:-1], _OPPOSITE[each.left[-1]])),
        )
        for each in sentences()
        if each.left[-1] in _OPPOSITE
        and "little" not in each.right
        and bool(HELD_OUT & {*each.left}) == held_out
    ]


def vectors(
    model: BERT, chosen: Sequence[Sentence], kind: Literal["mean", "first", "words"]
) -> Vectors:
    """A vector for each sentence.

    Args:
        kind: the mean of what the model makes of it, or the first vector, that of [CLS], or the
            mean of the words' rows in the model's table, where no word has seen another.
    """
    ids, mask, _ = (part.to(next(model.parameters()).device) for part in encode(chosen))
    if kind == "words":
        return mean_vector(model.embedding.detach()[ids], mask)
    return sentence_vectors(model, ids, mask, kind)


def agreeing_is_nearer(first: Vectors, agreeing: Vectors, denying: Vectors) -> float:
    """The share of triples in which the agreeing sentence has the larger cosine with the first."""
    nearer = F.cosine_similarity(first, agreeing) > F.cosine_similarity(first, denying)
    return nearer.float().mean().item()


def learn_nearness(
    first: Vectors, agreeing: Vectors, denying: Vectors, seed: int, n_steps: int = 100
) -> nn.Linear:
    """A map of vectors after which, in these triples, the agreeing sentence is the nearer one.

    Reference: triples are an objective of Reimers and Gurevych (2019), section 3, who train the
        encoder as well and take distances, https://arxiv.org/abs/1908.10084
    """
    torch.manual_seed(seed)
    new = nn.Linear(first.shape[1], first.shape[1], bias=False).to(first.device)
    optimizer = torch.optim.AdamW(new.parameters(), lr=1e-2)
    for _ in range(n_steps):
        a, b, c = new(first), new(agreeing), new(denying)
        gap = F.cosine_similarity(a, b) - F.cosine_similarity(a, c)
        loss = F.softplus(-10 * gap).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return new


def measure(folder: Path, seed: int) -> dict[str, float]:
    """How often the agreeing sentence is nearer, for four kinds of vectors and five seeds.

    As they are, over the triples about teachers, and after a map that learned from the others.
    """
    kept, numbers = KeptRuns(folder / "runs.json"), {}
    for each in tqdm(range(N_SEEDS), desc="seeds"):
        found = kept.get(f"nearness, seed {seed + each}", lambda s=seed + each: _measure_seed(s))
        numbers |= {f"{name}, seed {each}": value for name, value in found.items()}
    return numbers


def _measure_seed(seed: int) -> dict[str, float]:
    model, untrained, found = new_bert(seed), new_bert(seed), {}
    fit_bert(model, N_STEPS, seed)
    ways = {
        "mean": (model, "mean"),
        "first": (model, "first"),
        "words": (model, "words"),
        "untrained": (untrained, "mean"),
    }
    for name, (who, kind) in ways.items():
        known, new = (
            [vectors(who, column, kind) for column in zip(*triples(held_out), strict=True)]
            for held_out in (False, True)
        )
        found[name] = agreeing_is_nearer(*new)
        learned = learn_nearness(*known, seed)
        with torch.no_grad():
            found[f"{name}, learned"] = agreeing_is_nearer(*map(learned, new))
    return found
