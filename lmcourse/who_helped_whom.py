"""Who helped whom? The same words in another order, and vectors that can or cannot tell.

Chapter: book/bert.md
"""

import copy
import random
from collections.abc import Callable, Iterable
from itertools import permutations, product
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from lmcourse.bert import BERT, BERTConfig, mask_tokens, masked_loss, mean_vector, sentence_vectors
from lmcourse.devices import default_device
from lmcourse.kept_runs import KeptRuns
from lmcourse.modes import mode

PEOPLE = ("baker", "cook", "dancer", "doctor", "farmer", "judge", "king", "nurse", "pilot",
          "sailor", "singer", "teacher")  # fmt: skip
DEEDS = ("called", "followed", "greeted", "helped", "thanked", "trusted", "visited", "watched")
PADDING, MASK, START, END = range(4)
TOKENS = ("[PAD]", "[MASK]", "[CLS]", "[SEP]", *PEOPLE, *DEEDS, "it", "was", "the", "who", "then",
          "by", "that", "day", ".")  # fmt: skip
_IDS = {token: index for index, token in enumerate(TOKENS)}
_N_WORDS = 9  # in each form

Words = tuple[str, ...]
Vectors = Float[Tensor, "N C"]
Numbers = dict[str, float]


class Event(NamedTuple):
    """Somebody did something to somebody else."""

    who: str
    did: str
    whom: str

    def turned(self) -> "Event":
        """The same with the two people exchanged."""
        return Event(self.whom, self.did, self.who)

    def active(self) -> Words:
        """As a sentence that names who did it first."""
        return ("it", "was", "the", self.who, "who", self.did, "the", self.whom, ".")

    def passive(self) -> Words:
        """The same said the other way round, in as many words."""
        return ("the", self.whom, "was", "then", self.did, "by", "the", self.who, ".")

    def plain(self) -> Words:
        """The same with the people in the order of `active`, in as many words."""
        return ("then", "the", self.who, self.did, "the", self.whom, "that", "day", ".")

    def forms(self) -> list[Words]:
        """All that say it."""
        return [self.active(), self.passive(), self.plain()]


def events(held_out: bool = False) -> list[Event]:
    """Everything that can happen between two people; a quarter of it is held out.

    An event and its turned one are on the same side, so that no sentence of those that are held
    out has the words of one that is not.

    Example:
        >>> len(events()), len(events(held_out=True))
        (792, 264)
    """
    return [
        Event(who, did, whom)
        for (who, whom), did in product(permutations(PEOPLE, 2), DEEDS)
        if _is_held_out(who, did, whom) == held_out
    ]


def _is_held_out(who: str, did: str, whom: str) -> bool:
    return (PEOPLE.index(who) + DEEDS.index(did) + PEOPLE.index(whom)) % 4 == 0


def encode(rows: Iterable[Words]) -> Int[Tensor, "N T"]:
    """The ids of sentences as long as each other, between [CLS] and [SEP]."""
    words = [["[CLS]", *row, "[SEP]"] for row in rows]
    return torch.tensor([[_IDS[word] for word in row] for row in words], device=default_device())


def encode_pairs(pairs: Iterable[tuple[Words, Words]]) -> tuple[Tensor, Tensor]:
    """The ids of two sentences each, with a [SEP] between them, and their segments, both (N, T)."""
    ids = encode((*first, "[SEP]", *second) for first, second in pairs)
    segments = torch.zeros_like(ids)
    segments[:, _N_WORDS + 2 :] = 1
    return ids, segments


def new_bert(seed: int) -> BERT:
    """An encoder of two blocks, its matrices wide enough to start with, see `missing_verb`."""
    torch.manual_seed(seed)
    width = 64
    model = BERT(
        BERTConfig(vocab_size=len(TOKENS), context_length=24, d_model=width, n_heads=4, n_layers=2)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.normal_(std=width**-0.5)
    return model.to(default_device())


def fit_pairs(model: BERT, n_steps: int, seed: int, rate: float = 3e-3) -> list[float]:
    """Trains it to fill in two sentences that say the same in two of the forms; the losses.

    Who is masked in one can be found in the other, by who has understood who did it.
    """
    source, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    known, losses = events(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 100, 5 * (1 - step / n_steps))
    )
    with mode(model, training=True):
        for _ in range(n_steps):
            pairs = [
                tuple(source.sample(each.forms(), k=2)) for each in source.choices(known, k=64)
            ]
            ids, segments = encode_pairs(pairs)
            read, chosen = mask_tokens(
                ids, MASK, len(TOKENS), (PADDING, START, END), share=0.3, generator=generator
            )
            loss = masked_loss(model, read, chosen, ids, segments=segments)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    return losses


@torch.no_grad()
def names_found(model: BERT) -> float:
    """How often it fills in both people of a sentence when it reads the other form before it.

    Of events that are held out. Who takes the two people and not their parts is right half the
    time at most.
    """
    new = events(held_out=True)
    ids, segments = encode_pairs((each.active(), each.passive()) for each in new)
    at = [_N_WORDS + 2 + place for place, word in enumerate(new[0].passive()) if word in PEOPLE]
    read = ids.clone()
    read[:, at] = MASK
    with mode(model, training=False):
        said = model(read, segments=segments)[:, at].argmax(-1)
    return (said == ids[:, at]).all(-1).float().mean().item()


# ---------------------------------------------------------------- vectors, and what they tell

Vectorize = Callable[[Iterable[Words]], Vectors]


def vectors(model: BERT, kind: Literal["mean", "first", "words"]) -> Vectorize:
    """A function that makes a vector of each sentence.

    Args:
        kind: the mean of what the model makes of it, or the first vector, that of [CLS], or the
            mean of the words' rows in the model's table, where no word has seen another.
    """
    if kind == "words":
        return lambda rows: mean_vector(model.embedding.detach()[encode(rows)])
    return lambda rows: sentence_vectors(model, encode(rows), pooling=kind)


@torch.no_grad()
def telling(vectorize: Vectorize) -> Numbers:
    """What the cosines of vectors tell about events that are held out.

    An event is told in its active form. `other order` is how often, of two passive sentences with
    the same words, the one that says the same is nearer: its people come in the other order.
    `same order` asks it of two plain sentences, where the right one has the people in the same
    order. `told` is the mean of the two: one half for whoever goes by the order of the names, for a
    guess and for a tie. `same` and `turned` are the mean cosines with the passive sentence and with
    the active one that has the people exchanged.
    """
    new = events(held_out=True)
    first = vectorize(each.active() for each in new)

    def cosines(rows: Iterable[Words]) -> Tensor:
        return F.cosine_similarity(first, vectorize(rows))

    def wins(right: Tensor, wrong: Tensor) -> float:
        gap = right - wrong
        # Rounding decides no tie.
        return torch.where(gap.abs() < 1e-5, 0.5, (gap > 0).float()).mean().item()

    same = cosines(each.passive() for each in new)
    other_order = wins(same, cosines(each.turned().passive() for each in new))
    same_order = wins(
        cosines(each.plain() for each in new), cosines(each.turned().plain() for each in new)
    )
    return {
        "told": (other_order + same_order) / 2,
        "other order": other_order,
        "same order": same_order,
        "same": same.mean().item(),
        "turned": cosines(each.turned().active() for each in new).mean().item(),
    }


@torch.no_grad()
def readable(vectorize: Vectorize) -> float:
    """How often a linear map tells from the vector of one sentence which of its people did it.

    The map is fitted by least squares to the known events and asked about those that are held out.
    A vector that knows the words and not their parts gives one half.
    """

    def inputs(which: list[Event]) -> tuple[Tensor, Tensor, Tensor]:
        x = vectorize(row for each in which for row in each.forms())
        people = [(PEOPLE.index(each.who), PEOPLE.index(each.whom)) for each in which]
        who, whom = torch.tensor(people, device=x.device).repeat_interleave(3, 0).T
        return F.pad(x, (0, 1), value=1.0).double(), who, whom

    x, who, _ = inputs(events())
    gram = x.T @ x + 1e-3 * torch.eye(x.shape[1], device=x.device).double()
    weight = torch.linalg.solve(gram, x.T @ F.one_hot(who, len(PEOPLE)).double())
    x, who, whom = inputs(events(held_out=True))
    scores = x @ weight
    right, wrong = (scores.gather(1, each[:, None])[:, 0] for each in (who, whom))
    return torch.where((right - wrong).abs() < 1e-5, 0.5, (right > wrong).double()).mean().item()


def contrastive_loss(first: Vectors, second: Vectors, temperature: float = 0.1) -> Tensor:
    """−log of the share that a sentence's own partner has among all partners of the batch.

    Shares are the softmax of cosines, divided by the temperature.

    Reference: van den Oord et al. (2018), https://arxiv.org/abs/1807.03748, for other vectors; Gao
        et al. (2021), https://aclanthology.org/2021.emnlp-main.552/, for sentences.
    """
    cosines = F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T
    own = torch.arange(len(first), device=first.device)
    return F.cross_entropy(cosines / temperature, own)


def fit_near(
    model: nn.Module,
    vectorize: Vectorize,
    n_steps: int,
    seed: int,
    rate: float = 1e-3,
    turned: float = 0.0,
) -> list[float]:
    """Trains the model so that the vectors of two of an event's forms are near; the losses.

    Args:
        vectorize: makes the vectors with the model.
        turned: the control: the share of partners that are forms of the turned event. With a half,
            who helped whom does not matter for the loss; with one, the wrong ones are near.
    """
    source, known, losses = random.Random(seed), events(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    with mode(model, training=True):
        for _ in range(n_steps):
            batch = source.choices(known, k=64)
            pairs = []
            for each in batch:
                other = each.turned() if source.random() < turned else each
                one, two = source.sample(range(3), k=2)
                pairs.append((each.forms()[one], other.forms()[two]))
            first, second = zip(*pairs, strict=True)
            loss = contrastive_loss(vectorize(first), vectorize(second))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def trainable_mean(model: BERT) -> Vectorize:
    """The mean of what the model makes of a sentence, with a gradient."""
    return lambda rows: mean_vector(model.encode(encode(rows)))


# ---------------------------------------------------------------- stored results

N_STEPS, N_NEAR_STEPS, N_SEEDS = 400, 160, 4


def measure(folder: Path, seed: int) -> Numbers:
    """Who can tell who helped whom, by the cosine of two vectors; four seeds."""
    kept, numbers = KeptRuns(folder / "who_helped_whom.json"), {}
    for each in tqdm(range(N_SEEDS), desc="seeds"):
        found = kept.get(f"seed {seed + each}", lambda s=seed + each: _measure_seed(s))
        numbers |= {f"{name}, seed {each}": value for name, value in found.items()}
    return numbers


def _measure_seed(seed: int) -> Numbers:
    untrained, model = new_bert(seed), new_bert(seed)
    fit_pairs(model, N_STEPS, seed)
    ways = {
        "words": vectors(model, "words"),
        "untrained, mean": vectors(untrained, "mean"),
        "mean": vectors(model, "mean"),
        "first": vectors(model, "first"),
    }
    for name, start, n_steps, turned in (
        ("near", model, N_NEAR_STEPS, 0.0),
        ("near, soon", model, N_NEAR_STEPS // 2, 0.0),
        ("near, from untrained", untrained, N_NEAR_STEPS, 0.0),
        ("near, from untrained, soon", untrained, N_NEAR_STEPS // 2, 0.0),
        ("near, mixed", model, N_NEAR_STEPS, 0.5),
        ("near, turned", model, N_NEAR_STEPS, 1.0),
    ):
        near = copy.deepcopy(start)
        fit_near(near, trainable_mean(near), n_steps, seed, turned=turned)
        ways[name] = vectors(near, "mean")
    found = {"names found": names_found(model)}
    for name, vectorize in ways.items():
        found |= {f"{name}, {what}": value for what, value in telling(vectorize).items()}
        found[f"{name}, readable"] = readable(vectorize)
    return found
