"""Skip-gram beside gensim's: how long each takes to the same loss, and what their words know.

Chapter: book/embeddings.md
"""

import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from lmcourse.co_occurrence import Vocabulary, count_neighbors, window_pairs, words_of
from lmcourse.data import load_dataset, pydoc_text
from lmcourse.embeddings import (
    GloVe,
    SkipGram,
    counted_pairs,
    glove_loss,
    train_skip_gram,
    triple_accuracy,
)
from lmcourse.kept_runs import KeptRuns
from lmcourse.negative_sampling import (
    keep_probs,
    negative_sampling_loss,
    noise_probs,
    text_blocks,
)
from lmcourse.neurons import fit
from lmcourse.word_lists import DOC_TRIPLES

Numbers = dict[str, float]
Sentences = list[list[str]]
Tables = tuple[Float[Tensor, "V C"], Float[Tensor, "V C"]]
Trainer = Callable[["Text", int, float, int], Tables]

WIDTH, WINDOW, THRESHOLD, N_NEGATIVES = 64, 5, 1e-3, 5
SEEDS = range(5)
SEARCH_SEED = 100  # used for nothing else
USUAL_EPOCHS = 5  # gensim's own default
EPOCHS = {"gensim": (2, 3, 4, USUAL_EPOCHS), "ours": (3, 4, 5, 6, 7)}
# With 0.14 our tables grow without end on the documentation, with some seeds.
RATES = {"gensim": (0.025, 0.05, 0.1, 0.2), "ours": (0.08, 0.1, 0.12)}
NEAR_ENOUGH = 0.005  # nats: what counts as the same loss while rates and epochs are searched
_END = re.compile(r"\n\s*\n|(?<=[.!?:])\s")  # where a sentence ends


# ---------------------------------------------------------------- the texts


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text to learn from, one to choose by, one to tell of; questions to its words, if any."""

    vocabulary: Vocabulary
    learned: Int[Tensor, "N"]
    validation: Int[Tensor, "M"]
    test: Int[Tensor, "K"]
    triples: Collection[Sequence[str]] = ()

    @classmethod
    def make(
        cls, learned: Sentences, validation: Sentences, test: Sentences, triples: Collection = ()
    ) -> "Text":
        """Encoded by the words that come at least five times where it learns."""
        vocabulary = Vocabulary.count(learned, min_count=5)
        ids = [vocabulary.encode(part) for part in (learned, validation, test)]
        triples = [each for each in triples if all(word in vocabulary for word in each)]
        return cls(
            vocabulary=vocabulary, learned=ids[0], validation=ids[1], test=ids[2], triples=triples
        )

    @classmethod
    def split(cls, raw: str, triples: Collection = ()) -> "Text":
        """Of ten sentences in random order the first eight are learned from.

        Args:
            triples: those with a word that the eight tenths have too seldom are left out.
        """
        cut = [words for part in _END.split(raw) if (words := words_of(part))]
        order = torch.randperm(len(cut), generator=torch.Generator().manual_seed(0)).tolist()
        mixed, n = [cut[index] for index in order], len(cut)
        first, second = n * 8 // 10, n * 9 // 10
        return cls.make(mixed[:first], mixed[first:second], mixed[second:], triples)


def docs() -> Text:
    """The documentation of Python: 37,000 words to learn from."""
    return Text.split(pydoc_text(), DOC_TRIPLES)


def shakespeare() -> Text:
    """Plays: 154,000 words to learn from."""
    return Text.split(load_dataset("tinyshakespeare")["all"])


TEXTS = {"docs": docs, "shakespeare": shakespeare}


# ---------------------------------------------------------------- the loss of both


def held_out_loss(tables: Tables, text: Text, ids: Int[Tensor, "M"]) -> float:
    """The mean loss of a pair of neighbors of the text, without any draw, in nats.

    Pairs count as they come in training: near ones more, frequent words less. For noise the
    expectation stands, over all words.
    """
    words, contexts = tables
    counts = text.vocabulary.counts
    center, context, distance = window_pairs(ids, WINDOW)
    kept = keep_probs(counts, THRESHOLD)
    weights = (WINDOW + 1 - distance) / WINDOW * kept[center] * kept[context]
    noise = noise_probs(counts)
    apart = torch.cat([F.softplus(some @ contexts.T) @ noise for some in words.split(512)])
    together = F.softplus(-(words[center] * contexts[context]).sum(-1))
    return (weights @ (together + N_NEGATIVES * apart[center]) / weights.sum()).item()


# ---------------------------------------------------------------- who learns


def ours(text: Text, n_epochs: int, rate: float, seed: int) -> Tables:
    """By hand-written steps."""
    torch.manual_seed(seed)
    model = SkipGram(len(text.vocabulary), WIDTH)
    rng = torch.Generator().manual_seed(seed)
    train_skip_gram(
        model, text.learned, text.vocabulary.counts, rng, n_epochs, rate, THRESHOLD, WINDOW
    )
    return model.vectors, model.contexts.table.detach()


def by_adam(text: Text, n_epochs: int, rate: float, seed: int) -> Tables:
    """By autograd and Adam, as the chapter does it first."""
    torch.manual_seed(seed)
    model = SkipGram(len(text.vocabulary), WIDTH)
    rng = torch.Generator().manual_seed(seed)
    blocks = text_blocks(
        text.learned, text.vocabulary.counts, rng, WINDOW, n_epochs, THRESHOLD, n_shared=64
    )
    fit(model, torch.optim.Adam(model.parameters(), lr=rate), blocks, negative_sampling_loss)
    return model.vectors, model.contexts.table.detach()


def gensims(text: Text, n_epochs: int, rate: float, seed: int) -> Tables:
    """By gensim, with one worker, its linear rate and its tables.

    Raises:
        ModuleNotFoundError: gensim is no part of the course: `pip install gensim`.
    """
    from gensim.models import Word2Vec

    vocabulary = text.vocabulary
    # Its seed 0 would do; words are drawn from the seed and their own letters.
    model = Word2Vec(
        vector_size=WIDTH, window=WINDOW, min_count=1, sample=THRESHOLD, seed=seed + 1, workers=1,
        sg=1, hs=0, negative=N_NEGATIVES, ns_exponent=0.75, alpha=rate, min_alpha=rate / 100,
        epochs=n_epochs,
    )  # fmt: skip
    known = [[vocabulary.words[index] for index in row] for row in _sentences(text.learned)]
    model.build_vocab(known)
    # The paper's rule for thinning out; gensim has that of the program, which keeps some more.
    kept = keep_probs(vocabulary.counts, THRESHOLD).double().numpy() * (2**32 - 1)
    for word, share in zip(vocabulary.words, kept.astype(np.uint32), strict=True):
        model.wv.set_vecattr(word, "sample_int", share)
    model.train(known, total_examples=len(known), epochs=n_epochs)
    order = [model.wv.key_to_index[word] for word in vocabulary.words]
    return torch.from_numpy(model.wv.vectors[order]), torch.from_numpy(model.syn1neg[order])


def _sentences(ids: Int[Tensor, "N"]) -> list[list[int]]:
    rows: list[list[int]] = [[]]
    for index in ids.tolist():
        if index < 0:
            rows.append([])
        else:
            rows[-1].append(index)
    return [row for row in rows if row]


def gloves(text: Text, n_epochs: int, rate: float, seed: int) -> Tables:
    """By counts and their logarithms; the second table is the first, since a sum is kept."""
    torch.manual_seed(seed)
    model = GloVe(len(text.vocabulary), WIDTH)
    counts = count_neighbors(text.learned, len(text.vocabulary), WINDOW)
    pairs = counted_pairs(counts, torch.Generator().manual_seed(seed), 8192, n_epochs)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    fit(model, optimizer, pairs, lambda guess, seen: glove_loss(guess, seen, x_max=10))
    return model.vectors, model.vectors


TRAINERS: dict[str, Trainer] = {"gensim": gensims, "ours": ours}


# ---------------------------------------------------------------- the comparison


def search(text: Text, name: str, kept: KeptRuns) -> dict[str, tuple[int, float]]:
    """For each of the trainers, with how many epochs and which rate it is soonest at the goal.

    The goal is what gensim reaches on the validation part in its usual five epochs, with the best
    rate.

    Args:
        name: of the text, among the runs that are kept.
    """
    found = {
        (who, n_epochs, rate): kept.get(
            f"{name}, {who}, {n_epochs} epochs, rate {rate}",
            lambda train=train, settings=(n_epochs, rate, SEARCH_SEED): held_out_loss(
                train(text, *settings), text, text.validation
            ),
        )
        for who, train in TRAINERS.items()
        for rate in RATES[who]
        for n_epochs in EPOCHS[who]
    }
    goal = NEAR_ENOUGH + min(found["gensim", USUAL_EPOCHS, rate] for rate in RATES["gensim"])
    # Fewer epochs are less time; of two rates for as many, the better.
    return {
        who: min(
            (n_epochs, loss, rate)
            for (other, n_epochs, rate), loss in found.items()
            if other == who and loss <= goal
        )[::2]
        for who in TRAINERS
    }


def run(text: Text, who: str, runner: tuple[Trainer, int, float], seed: int) -> Numbers:
    """What a trainer reaches on the test part, in how many seconds of the processor."""
    train, n_epochs, rate = runner
    start = time.process_time()
    tables = train(text, n_epochs, rate, seed)
    numbers = {"seconds": time.process_time() - start}
    if who != "GloVe":
        numbers["test"] = held_out_loss(tables, text, text.test)
    if text.triples:
        numbers["triples"] = triple_accuracy(tables[0], text.vocabulary, text.triples)
    return numbers


def measure(folder: Path, seed: int) -> Numbers:
    """Both on two texts: loss of the test part, seconds of the processor, right triples."""
    kept, numbers = KeptRuns(folder / "runs.json"), {}
    for text_name, make in tqdm(TEXTS.items(), desc="texts"):
        text = make()
        runners: dict[str, tuple[Trainer, int, float]] = {
            who: (TRAINERS[who], *settings)
            for who, settings in search(text, text_name, kept).items()
        }
        if text.triples:  # as the chapter trains on this text
            runners |= {"Adam": (by_adam, 15, 0.01), "GloVe": (gloves, 15, 0.01)}
            numbers[f"{text_name}, questions"] = float(len(text.triples))
        numbers[f"{text_name}, words"] = float((text.learned >= 0).sum())
        numbers[f"{text_name}, vocabulary"] = float(len(text.vocabulary))
        for who, (_, n_epochs, rate) in runners.items():
            numbers[f"{text_name}, {who}, epochs"] = float(n_epochs)
            numbers[f"{text_name}, {who}, rate"] = rate
        for each in SEEDS:
            # All in turn, so that what disturbs the machine disturbs all of them.
            for who, runner in runners.items():
                key = f"{text_name}, {who}, seed {seed + each}"
                found = kept.get(
                    key,
                    lambda text=text, who=who, runner=runner, seed=seed + each: run(
                        text, who, runner, seed
                    ),
                )
                numbers |= {f"{key}, {what}": value for what, value in found.items()}
    return numbers


def of_seeds(numbers: Numbers, text: str, name: str, what: str) -> list[float]:
    """What each seed gave, in a result of `measure`."""
    return [numbers[f"{text}, {name}, seed {seed}, {what}"] for seed in SEEDS]
