"""Reviews in made-up words: read first without labels, then with a few, and what is forgotten.

Chapter: book/finetuning.md
"""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lmcourse.applications.classification import NaiveBayes
from lmcourse.corpora import made_up_word
from lmcourse.data import pad_batch
from lmcourse.devices import default_device
from lmcourse.finetuning import Classifier, add_lora, train_head_alone
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.metrics import LanguageModel
from lmcourse.modes import mode
from lmcourse.neurons import cross_entropy

ASPECTS = (
    *("plot", "film", "cast", "music", "story"),
    *("ending", "script", "humor", "camera", "acting"),
)
N_WORDS, P_NOT, P_VERY = 20, 0.1, 0.2
WORDS = tuple(made_up_word(71 + 37 * i) for i in range(2 * N_WORDS))
TOKENS = ("[PAD]", "not", "very", "all", *ASPECTS, *WORDS)
_IDS = {token: index for index, token in enumerate(TOKENS)}

Token = TypeVar("Token")  # a word or its id

Words = list[str]
Question = Literal["mood", "denied"]
Text = Literal["as written", "words shuffled", "all shuffled"]
Examples = Sequence[tuple[Words, int]]


@dataclass(frozen=True)
class Language:
    """Which of the 40 made-up words praise and which pan: dealt out by the seed.

    A review has one mood. In each clause stands a word of this mood, or "not" and one of the other.
    """

    seed: int
    camps: tuple[Words, Words] = field(init=False, compare=False)  # those that pan, and praise

    def __post_init__(self):
        dealt = random.Random(f"camps {self.seed}").sample(WORDS, len(WORDS))
        object.__setattr__(self, "camps", (dealt[:N_WORDS], dealt[N_WORDS:]))

    def review(self, dice: random.Random, n_clauses: int) -> tuple[Words, int]:
        """Clauses about as many aspects and the word "all", and 1 if it praises.

        Example:
            >>> words, praises = Language(0).review(random.Random(1), 2)
            >>> " ".join(words), praises
            ('acting foga film fapa all', 0)
        """
        praises = dice.randrange(2)
        words: Words = []
        for aspect in dice.sample(ASPECTS, n_clauses):
            words += [aspect, *self._opinion(dice, praises)]
        return [*words, "all"], praises

    def text(self, dice: random.Random, n_clauses: int = 8) -> Words:
        """A review, and what is said of all of it: what a model reads before there are labels."""
        words, praises = self.review(dice, n_clauses)
        return [*words, *self._opinion(dice, praises)]

    def _opinion(self, dice: random.Random, praises: int) -> Words:
        if dice.random() < P_NOT:
            return ["not", dice.choice(self.camps[1 - praises])]
        degree = ["very"] if dice.random() < P_VERY else []
        return [*degree, dice.choice(self.camps[praises])]


def ask(question: Question, review: tuple[Words, int]) -> int:
    """What is to be said of a review: does it praise? or: is there a "not" in it?"""
    return review[1] if question == "mood" else int("not" in review[0])


def labeled(
    language: Language, n: int, seed: int, question: Question = "mood", part: str = "training"
) -> list[tuple[Words, int]]:
    """n reviews of three clauses with labels, half of them with each; other parts have others."""
    if n < 2 or n % 2:
        raise ValueError(f"n must be even and at least 2, for half of each label, got n={n}")
    dice = random.Random(f"{part} {seed}")

    def drawn(label: int) -> Iterator[tuple[Words, int]]:
        while True:
            review = language.review(dice, 3)
            if ask(question, review) == label:
                yield review[0], label

    return [*islice(drawn(0), n // 2), *islice(drawn(1), n // 2)]


def batch_of(texts: Sequence[Words]) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """Ids, padded on the right, and where they are real, on the fastest device."""
    ids, mask = pad_batch([[_IDS[word] for word in words] for words in texts])
    return ids.to(device := default_device()), mask.to(device)


# ---------------------------------------------------------------- reading without labels


def new_gpt(seed: int) -> GPT:
    """A small GPT that has read nothing, for these words."""
    return small_gpt(len(TOKENS), 32, seed)


def small_gpt(vocab_size: int, context_length: int, seed: int) -> GPT:
    """A GPT of one block that has read nothing, on the fastest device."""
    torch.manual_seed(seed)
    config = GPTConfig(
        vocab_size=vocab_size, context_length=context_length, d_model=64, n_heads=4, n_layers=1
    )
    model = GPT(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:  # wider than N(0, 0.02²), which is made for widths near 768
                parameter.normal_(std=0.06)
    return model.to(default_device())


def pretrain(
    model: GPT,
    language: Language,
    n_steps: int,
    seed: int,
    text: Text = "as written",
    watch: Callable[[int, GPT], None] = lambda step, model: None,
) -> list[float]:
    """Trains it to say what comes next, on new texts at each step; the losses.

    Args:
        text: the control that has the words of a text in random order keeps their company; the one
            that shuffles the words of a whole batch keeps only how often each occurs.
        watch: is called after each step.
    """
    dice = random.Random(f"text {seed}")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    # Up in 30 steps, down in the last fifth.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 30, 5 * (1 - step / n_steps))
    )
    losses = []
    with mode(model, training=True):
        for step in range(n_steps):
            ids, mask = batch_of(_shuffled([language.text(dice) for _ in range(32)], text, dice))
            loss = next_word_loss(model, ids, mask)
            take_step(optimizer, schedule, loss)
            losses.append(loss.item())
            watch(step + 1, model)
    return losses


def _shuffled(texts: list[Words], how: Text, dice: random.Random) -> list[Words]:
    if how == "as written":
        return texts
    if how == "words shuffled":
        return [dice.sample(words, len(words)) for words in texts]
    return dealt_anew(texts, dice)


def dealt_anew(texts: Sequence[list[Token]], dice: random.Random) -> list[list[Token]]:
    """Texts of the same lengths and the same words in all, each word in any of them."""
    pool = [word for words in texts for word in words]
    dice.shuffle(pool)
    words = iter(pool)
    return [list(islice(words, len(each))) for each in texts]


def next_word_loss(
    model: GPT, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """The mean surprise about each word that follows another, in nats."""
    real = mask[:, 1:]
    return cross_entropy(model(ids[:, :-1])[real], ids[:, 1:][real])


def old_loss(model: GPT, language: Language) -> float:
    """The loss on 256 texts of the language that nothing was trained on."""
    dice = random.Random(f"held out {language.seed}")
    with mode(model, training=False), torch.no_grad():
        return next_word_loss(model, *batch_of([language.text(dice) for _ in range(256)])).item()


def take_step(
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    loss: Float[Tensor, ""],
) -> None:
    """One step of a training, and the rate of the next."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()


# ---------------------------------------------------------------- with a few labels

Prepare = Callable[[Classifier], object]
WAYS: dict[str, Prepare] = {
    "full": lambda model: None,
    "head": train_head_alone,
    **{
        f"LoRA {rank}": lambda model, rank=rank: add_lora(model.body, rank)
        for rank in (1, 2, 4, 8, 16)
    },
}


def classifier_on(body: GPT, way: str, seed: int) -> Classifier:
    """A classifier on a copy of the body, of which what the way says is to be trained.

    Args:
        way: one of `WAYS`.
    """
    torch.manual_seed(seed)
    device = default_device()
    model = Classifier(copy.deepcopy(body), n_classes=2).to(device)
    WAYS[way](model)
    return model.to(device)


def fit(
    model: Classifier,
    examples: Examples,
    rate: float,
    seed: int,
    n_steps: int = 80,
    old_texts: Language | None = None,
) -> torch.optim.Optimizer:
    """Trains what is not frozen on the examples, with a rate that falls to zero; the optimizer.

    Args:
        old_texts: at each step, the loss on 16 new texts of this language is added.
    """
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / n_steps)
    dice = random.Random(f"order {seed}")
    with mode(model, training=True):
        for _ in range(n_steps):
            chosen = dice.sample(list(examples), min(16, len(examples)))
            labels = torch.tensor([label for _, label in chosen], device=default_device())
            loss = cross_entropy(model(*batch_of([words for words, _ in chosen])), labels)
            if old_texts is not None:
                old = batch_of([old_texts.text(dice) for _ in range(16)])
                loss = loss + next_word_loss(model.body, *old)
            take_step(optimizer, schedule, loss)
    return optimizer


def share_right(
    model: Classifier, language: Language, question: Question = "mood", seed: int = 0
) -> float:
    """The share of 600 other reviews that it gets right, half of which have each label."""
    exam = labeled(language, 600, seed, question, part="exam")
    labels = torch.tensor([label for _, label in exam], device=default_device())
    with mode(model, training=False), torch.no_grad():
        said = model(*batch_of([words for words, _ in exam])).argmax(1)
    return (said == labels).double().mean().item()


def counted(
    examples: Examples, language: Language, question: Question = "mood", seed: int = 0
) -> float:
    """The share that naive Bayes gets right, with words and pairs, from the same labels."""
    model = NaiveBayes(2).fit([words for words, _ in examples], [label for _, label in examples])
    exam = labeled(language, 600, seed, question, part="exam")
    said = model.predict([words for words, _ in exam])
    return sum(a == label for a, (_, label) in zip(said, exam, strict=True)) / len(exam)


def asked(body: LanguageModel, language: Language, n_known: int, seed: int = 0) -> float:
    """The share that the body gets right with nothing trained, from the word it would write next.

    It praises if, after "all", the words that are known to praise are likelier than those that are
    known to pan.

    Args:
        n_known: how many words of each camp are known, which takes so many labels of words.
    """
    exam = labeled(language, 600, seed, part="exam")
    ids, mask = batch_of([words for words, _ in exam])
    rows = torch.arange(len(ids), device=ids.device)
    with mode(body, training=False), torch.no_grad():
        probs = body(ids)[rows, mask.sum(1) - 1].softmax(-1)
    pans, praises = (
        probs[:, [_IDS[word] for word in camp[:n_known]]].sum(1) for camp in language.camps
    )
    labels = torch.tensor([label for _, label in exam], device=ids.device)
    return ((praises > pans).long() == labels).double().mean().item()
