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
          "by", ".")  # fmt: skip
_IDS = {token: index for index, token in enumerate(TOKENS)}
_N_WORDS = 9  # in either form

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
    """Trains it to fill in two sentences that say the same in both ways; the losses.

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
            pairs = []
            for each in source.choices(known, k=64):
                forms = [each.active(), each.passive()]
                source.shuffle(forms)
                pairs.append(tuple(forms))
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

    An event is told in its active form. `told` is how often, of two passive sentences with the
    same words, the one that says the same is nearer; half a point for a tie, as 0.5 is chance.
    `nearer` is how often that one is nearer than the active sentence with the people exchanged.
    `same` and `turned` are the mean cosines with these two.
    """
    new = events(held_out=True)
    first = vectorize(each.active() for each in new)

    def cosines(rows: Iterable[Words]) -> Tensor:
        return F.cosine_similarity(first, vectorize(rows))

    same = cosines(each.passive() for each in new)
    gap = same - cosines(each.turned().passive() for each in new)
    turned = cosines(each.turned().active() for each in new)
    # Rounding decides no tie.
    told = torch.where(gap.abs() < 1e-5, 0.5, (gap > 0).float())
    return {
        "told": told.mean().item(),
        "nearer": (same - turned > 1e-5).float().mean().item(),
        "same": same.mean().item(),
        "turned": turned.mean().item(),
    }


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
    mixed: bool = False,
) -> list[float]:
    """Trains the model so that the vectors of an event's two forms are near; the losses.

    Args:
        vectorize: makes the vectors with the model.
        mixed: the control: the partner is as often the turned event's form, so that who helped
            whom does not matter for the loss.
    """
    source, known, losses = random.Random(seed), events(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    with mode(model, training=True):
        for _ in range(n_steps):
            batch = source.choices(known, k=64)
            partners = [
                each.turned() if mixed and source.random() < 0.5 else each for each in batch
            ]
            loss = contrastive_loss(
                vectorize(each.active() for each in batch),
                vectorize(each.passive() for each in partners),
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def trainable_mean(model: BERT) -> Vectorize:
    """The mean of what the model makes of a sentence, with a gradient."""
    return lambda rows: mean_vector(model.encode(encode(rows)))


# ---------------------------------------------------------------- stored results

N_STEPS, N_NEAR_STEPS, N_SEEDS = 400, 80, 4


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
    found = {}
    for name, start, mixed in (
        ("near", model, False),
        ("near, from untrained", untrained, False),
        ("near, mixed", model, True),
    ):
        near = copy.deepcopy(start)
        fit_near(near, trainable_mean(near), N_NEAR_STEPS, seed, mixed=mixed)
        ways[name] = vectors(near, "mean")
    for name, vectorize in ways.items():
        found |= {f"{name}, {what}": value for what, value in telling(vectorize).items()}
    return found | {"names found": names_found(model)}
