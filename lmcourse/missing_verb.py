"""Which verb is missing? Its ending stands to the left of the blank, its meaning to the right.

Chapter: book/bert.md
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal, TypeVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from lmcourse.attention import causal_mask
from lmcourse.bert import BERT, BERTConfig, mask_tokens, masked_loss
from lmcourse.data import pad_batch
from lmcourse.devices import default_device
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.modes import mode
from lmcourse.neurons import cross_entropy

PADDING, MASK, START, END = range(4)
SPECIAL = ("[PAD]", "[MASK]", "[CLS]", "[SEP]")

SUBJECTS = {"child": "children", "cook": "cooks", "singer": "singers", "teacher": "teachers"}
AGES, TIMES, SIZES = ("", "old", "young"), ("", "often", "never"), ("", "little")
# What is done with each thing, and how often of four times.
OBJECTS = {
    "book": {"read": 3, "write": 1},
    "letter": {"write": 3, "read": 1},
    "song": {"sing": 3, "write": 1},
    "bread": {"eat": 3, "bake": 1},
    "cake": {"bake": 3, "eat": 1},
    "ball": {"throw": 3, "catch": 1},
    "fish": {"catch": 3, "eat": 1},
}
VERBS = {"bake": "bakes", "catch": "catches", "eat": "eats", "read": "reads", "sing": "sings",
         "throw": "throws", "write": "writes"}  # fmt: skip
WORDS = [*SUBJECTS, *SUBJECTS.values(), *AGES[1:], *TIMES[1:], *SIZES[1:], *OBJECTS,
         *VERBS, *VERBS.values(), "the", "."]  # fmt: skip
TOKENS = [*SPECIAL, *WORDS]
FORMS = [*VERBS, *VERBS.values()]
_IDS = {token: index for index, token in enumerate(TOKENS)}


@dataclass(frozen=True)
class Sentence:
    """A sentence with its verb apart, such as (the old cook often, bakes, the cake .)."""

    left: tuple[str, ...]
    verb: str
    right: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join([*self.left, self.verb, *self.right])


def sentences() -> dict[Sentence, Fraction]:
    """Every sentence of the grammar and its probability.

    Example:
        >>> len(sentences()), sum(sentences().values())
        (2016, Fraction(1, 1))
    """
    subjects = list(SUBJECTS.items())
    choices = list(product(subjects, (0, 1), AGES, TIMES, SIZES, OBJECTS))
    return {
        _sentence(*choice, verb): Fraction(times, 4 * len(choices))
        for choice in choices
        for verb, times in OBJECTS[choice[-1]].items()
    }


def draw(n: int, seed: int) -> list[Sentence]:
    """Sentences at random, each as often as its probability says."""
    source = random.Random(seed)
    subjects = list(SUBJECTS.items())
    drawn = []
    for _ in range(n):
        thing = source.choice(list(OBJECTS))
        verbs = OBJECTS[thing]
        verb = source.choices(list(verbs), list(verbs.values()))[0]
        parts = map(source.choice, (subjects, (0, 1), AGES, TIMES, SIZES))
        drawn.append(_sentence(*parts, thing, verb))
    return drawn


def _sentence(
    subject: tuple[str, str], plural: int, age: str, time: str, size: str, thing: str, verb: str
) -> Sentence:
    left = ("the", age, subject[plural], time)
    right = ("the", size, thing, ".")
    form = verb if plural else VERBS[verb]
    return Sentence(tuple(filter(None, left)), form, tuple(filter(None, right)))


def best_accuracy(sees: Literal["left", "right", "both"]) -> Fraction:
    """How often the likeliest verb is the right one, for whoever sees this side of the blank.

    No model that sees no more can be right more often, however large.

    Example:
        >>> [str(best_accuracy(sees)) for sees in ("left", "right", "both")]
        ['5/28', '3/8', '3/4']
    """
    if sees not in ("left", "right", "both"):
        raise ValueError(f"sees must be 'left', 'right' or 'both', got sees={sees!r}")
    chances: dict[object, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for each, chance in sentences().items():
        seen = {"left": each.left, "right": each.right, "both": (each.left, each.right)}[sees]
        chances[seen][each.verb] += chance
    return sum((max(verbs.values()) for verbs in chances.values()), Fraction(0))


Model = TypeVar("Model", BERT, GPT)
Encoded = tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"], Int[Tensor, "B"]]


def encode(chosen: Iterable[Sentence]) -> Encoded:
    """The ids between [CLS] and [SEP], where they are real, and the places of the verbs."""
    chosen = list(chosen)
    words = [["[CLS]", *each.left, each.verb, *each.right, "[SEP]"] for each in chosen]
    ids, mask = pad_batch([[_IDS[word] for word in row] for row in words], PADDING)
    return ids, mask, torch.tensor([1 + len(each.left) for each in chosen])


# ---------------------------------------------------------------- who sees what

_SIZES = {"vocab_size": len(TOKENS), "context_length": 12, "d_model": 64, "n_heads": 4}


def new_bert(seed: int) -> BERT:
    """An encoder of one block, on the fastest device."""
    torch.manual_seed(seed)
    return _widened(BERT(BERTConfig(**_SIZES, n_layers=1, n_segments=0)))


def new_gpt(seed: int) -> GPT:
    """A GPT of the same sizes."""
    torch.manual_seed(seed)
    return _widened(GPT(GPTConfig(**_SIZES, n_layers=1)))


def _widened(model: Model) -> Model:
    """With matrices drawn from N(0, 1 / d_model).

    N(0, 0.02²) is made for widths near 768; with 64 numbers attention starts so weak that the
    first hundreds of steps teach it next to nothing.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.normal_(std=_SIZES["d_model"] ** -0.5)
    return model.to(default_device())


def _who_may_look(mask: Tensor, causal: bool) -> Tensor:
    seen = mask[:, None]
    return seen & causal_mask(mask.shape[1], mask.device) if causal else seen


def fit_bert(
    model: BERT,
    n_steps: int,
    seed: int,
    causal: bool = False,
    share: float = 0.3,
    masked: float = 0.8,
    replaced: float = 0.1,
    rate: float = 5e-3,
) -> list[float]:
    """Trains it to say what is masked, on new sentences at each step; the losses.

    Args:
        causal: no position may look at one after it, the control of what the right side is worth.
        share: of the ids that are masked; twice BERT's, for short sentences say enough without.
            Wettig et al. (2023), https://arxiv.org/abs/2202.08005, measure what it does.
        masked, replaced: of the chosen ones, see `mask_tokens`.
        rate: the learning rate at its highest.
    """
    generator = torch.Generator().manual_seed(seed)
    options = {"share": share, "masked": masked, "replaced": replaced, "generator": generator}

    def loss_of(ids: Tensor, mask: Tensor) -> Tensor:
        read, chosen = mask_tokens(ids, MASK, len(TOKENS), (PADDING, START, END), **options)
        return masked_loss(model, read, chosen, ids, _who_may_look(mask, causal))

    return _fit(model, n_steps, seed, rate, loss_of)


def fit_gpt(model: GPT, n_steps: int, seed: int, rate: float = 5e-3) -> list[float]:
    """Trains it to say what comes next, on the same sentences; the losses."""

    def loss_of(ids: Tensor, mask: Tensor) -> Tensor:
        real = mask[:, 1:]
        return cross_entropy(model(ids[:, :-1])[real], ids[:, 1:][real])

    return _fit(model, n_steps, seed, rate, loss_of)


def _fit(
    model: BERT | GPT,
    n_steps: int,
    seed: int,
    rate: float,
    loss_of: Callable[[Tensor, Tensor], Tensor],
) -> list[float]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    # Up in 50 steps, which norms after the sums need, and down in the last fifth.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 50, 5 * (1 - step / n_steps))
    )
    losses = []
    with mode(model, training=True):
        for ids, mask in _batches(n_steps, seed):
            loss = loss_of(ids, mask)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    return losses


def _batches(n_steps: int, seed: int, batch_size: int = 128) -> Iterator[tuple[Tensor, Tensor]]:
    drawn, device = draw(n_steps * batch_size, seed), default_device()
    for start in range(0, len(drawn), batch_size):
        ids, mask, _ = encode(drawn[start : start + batch_size])
        yield ids.to(device), mask.to(device)


Shown = Literal["mask", "verb", "wrong"]


def accuracy(model: BERT | GPT, causal: bool = False, shown: Shown = "mask") -> float:
    """How often its likeliest verb for the blank is right: over all sentences, so exactly.

    BERT reads the sentence with a mask in the place of the verb, GPT what is before it. Both are
    asked for a verb: from the left alone nobody can tell whether an adverb is yet to come.

    Args:
        shown: what BERT reads there: a mask, the verb itself, or one with the right ending that
            nobody does with this thing.
    """
    said, _, verb = _answers(model, causal, shown)
    return _share(said == verb)


def repetition(model: BERT) -> float:
    """How often its likeliest verb is the wrong one that it reads there."""
    said, read, _ = _answers(model, False, "wrong")
    return _share(said == read)


def _share(hits: Bool[Tensor, "B"]) -> float:
    chances = sentences().values()
    return float(sum(chance for chance, hit in zip(chances, hits.tolist(), strict=True) if hit))


@torch.no_grad()
def _answers(model: BERT | GPT, causal: bool, shown: Shown) -> tuple[Tensor, Tensor, Tensor]:
    """For each sentence the id of the likeliest verb, of what is read there, and of its verb."""
    known, device = sentences(), next(model.parameters()).device
    ids, mask, blank = (part.to(device) for part in encode(known))
    rows, read = torch.arange(len(ids), device=device), ids.clone()
    if shown == "mask":
        read[rows, blank] = MASK
    elif shown == "wrong":
        wrong = [_IDS[_misfit(each, i)] for i, each in enumerate(known)]
        read[rows, blank] = torch.tensor(wrong, device=device)
    with mode(model, training=False):
        if isinstance(model, GPT):
            logits = model(ids)[rows, blank - 1]
        else:
            logits = model(read, _who_may_look(mask, causal))[rows, blank]
    forms = torch.tensor([_IDS[form] for form in FORMS], device=device)
    return forms[logits[:, forms].argmax(-1)], read[rows, blank], ids[rows, blank]


def _misfit(sentence: Sentence, number: int) -> str:
    verbs = [verb for verb in VERBS if verb not in OBJECTS[sentence.right[-2]]]
    verb = verbs[number % len(verbs)]
    return verb if sentence.verb in VERBS else VERBS[verb]


@torch.no_grad()
def accuracy_by_trying(model: GPT) -> float:
    """How often the verb is right with which GPT finds the whole sentence likeliest.

    So both sides have a say, at the price of one reading for each of the 14 forms.
    """
    known, device = sentences(), next(model.parameters()).device
    gaps = list({(each.left, each.right): None for each in known})
    tried = [Sentence(left, form, right) for left, right in gaps for form in FORMS]
    ids, mask, _ = (part.to(device) for part in encode(tried))
    with mode(model, training=False):
        log_probs = model(ids[:, :-1]).log_softmax(-1)
    found = log_probs.gather(-1, ids[:, 1:, None])[..., 0].masked_fill(~mask[:, 1:], 0.0).sum(1)
    best = found.view(len(gaps), len(FORMS)).argmax(1).tolist()
    likeliest = [
        Sentence(left, FORMS[i], right) for (left, right), i in zip(gaps, best, strict=True)
    ]
    return float(sum(known.get(each, 0) for each in likeliest))
