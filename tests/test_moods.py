"""lmcourse.applications.moods: a world whose odds are known, who writes it, a stored comparison."""

import math
import random
from collections import Counter
from functools import cache

import pytest
import torch
from seeds import start

from lmcourse.applications import moods
from lmcourse.applications.moods import (
    ANIMALS,
    CONTEXT,
    LENGTH,
    MODELS,
    MOODS,
    N_SEEDS,
    RATES,
    SEARCH_SEEDS,
    VERBS,
    WORDS,
    all_sentences,
    decode,
    encode,
    expected_share,
    learn,
    least_perplexity,
    measure,
    of_seeds,
    quality,
    sentence,
    text,
)
from lmcourse.metrics import entropy, perplexity


@cache
def after(begun):
    """The logits of the next word, from all sentences that begin so."""
    odds = torch.zeros(len(WORDS))
    for said, prob in all_sentences().items():
        words = said.split()
        if words[: len(begun)] == list(begun):
            odds[WORDS.index(words[len(begun)])] += prob
    return (odds / odds.sum()).log()


class Oracle(torch.nn.Module):
    """Knows the odds of this world."""

    def forward(self, ids):
        rows = [[WORDS[i] for i in row] for row in ids.tolist()]
        return torch.stack([
            torch.stack([after(tuple(row[t + 1 - (t + 1) % LENGTH : t + 1]))
                         for t in range(len(row))])
            for row in rows
        ])  # fmt: skip


class Uniform(torch.nn.Module):
    """Knows nothing."""

    def forward(self, ids):
        return torch.zeros(*ids.shape, len(WORDS))


def test_the_world_is_as_large_as_a_pencil_says_and_its_odds_sum_to_1():
    odds = all_sentences()
    assert len(odds) == len(ANIMALS) * sum(map(len, MOODS.values())) == 88
    assert sum(odds.values()) == pytest.approx(1)
    assert odds["the cat sat because it was tired ."] == pytest.approx(8 / 27 * 4 / 14 * 3 / 4)
    assert set(VERBS) == set(MOODS)


def test_sentences_come_as_often_as_their_odds_say():
    source = random.Random(0)
    drawn = Counter(" ".join(sentence(source)) for _ in range(20_000))
    odds = all_sentences()
    assert set(drawn) <= set(odds)
    chi_square = sum((drawn[s] - 20_000 * p) ** 2 / (20_000 * p) for s, p in odds.items())
    assert chi_square < 87 + 5 * math.sqrt(2 * 87)  # five standard deviations


def test_words_become_ids_and_words_again():
    said = "the owl sang because it was happy ."
    assert decode(encode(said)) == decode(encode(said.split())) == said
    assert encode(WORDS).tolist() == list(range(len(WORDS)))


def test_the_least_perplexity_is_that_of_who_knows_the_odds():
    words = text(3, 30)
    expected = perplexity(Oracle(), encode(words), CONTEXT)
    assert least_perplexity(words) == pytest.approx(expected, rel=1e-5)
    # Over a long text it comes near the entropy of a sentence, over its words.
    sentences = entropy(torch.tensor(list(all_sentences().values()), dtype=torch.float64)).item()
    assert least_perplexity(text(4, 20_000)) == pytest.approx(math.exp(sentences / 8), rel=0.01)


def test_different_sentences_are_as_many_as_chance_brings():
    shares = [len({" ".join(sentence(source)) for _ in range(300)}) / 300
              for source in map(random.Random, range(40))]  # fmt: skip
    assert sum(shares) / 40 == pytest.approx(expected_share(300), abs=0.01)
    assert expected_share(10**6) == pytest.approx(88 / 10**6)


class SameMood(Oracle):
    """Writes sentences that begin as they should, and then says *tired*, whatever was done."""

    def forward(self, ids):
        logits = super().forward(ids)
        for word, follower in {"was": "tired", "tired": "."}.items():
            certain = torch.where(encode(WORDS) == encode(follower), 9.0, -9.0)
            logits[ids == WORDS.index(word)] = certain
        return logits


def test_quality_counts_possible_different_and_well_formed_ones():
    good, different, formed = quality(Oracle(), n=40)
    assert (good, formed) == pytest.approx((1, 1))
    assert 0.3 < different < 0.9
    assert quality(Oracle(), n=40, temperature=0) == pytest.approx((1, 1 / 40, 1))
    assert quality(Uniform(), n=40) == pytest.approx((0, 0, 0))


def test_a_mood_that_does_not_follow_is_well_formed_and_impossible():
    good, _, formed = quality(SameMood(), n=200)
    assert formed == pytest.approx(1)
    # Of those who do something, 7 in 14 sit or sleep, which may come of being tired.
    assert good == pytest.approx(7 / 14, abs=0.15)


def test_both_models_have_equally_many_parameters_and_learn():
    sizes = {}
    for name, new in MODELS.items():
        start()
        sizes[name] = sum(p.numel() for p in new().parameters())
    assert max(sizes.values()) < 1.03 * min(sizes.values())
    seen = []
    model = learn("GPT", 0, (2, 12), 3e-3, lambda step, model: seen.append(step))
    assert seen == [2, 12]
    assert not model.training
    assert perplexity(model, encode(text(1, 20)), CONTEXT) < 0.8 * len(WORDS)


def test_a_study_is_measured_once_and_read_again(tmp_path, monkeypatch):
    calls = []

    def quick(name, seed, checkpoints, rate, look):
        calls.append((name, seed, rate))
        for step in checkpoints:
            look(step, Bigram(rate))

    class Bigram(torch.nn.Module):
        def __init__(self, rate):
            super().__init__()
            self.rate = rate

        def forward(self, ids):
            return torch.nn.functional.one_hot(ids, len(WORDS)).float() * self.rate

    monkeypatch.setattr(moods, "learn", quick)
    monkeypatch.setattr(moods, "CLOCKED", (4,))
    monkeypatch.setattr(moods, "SAMPLED", (300,))
    monkeypatch.setattr(moods, "RULES", {"p = 0.9": {"top_p": 0.9}})
    monkeypatch.setattr(moods, "text", lambda seed, n: text(seed, 20))
    numbers = measure(tmp_path, seed=7)
    n_runs = len(calls)
    assert n_runs == len(MODELS) * (len(RATES) * len(SEARCH_SEEDS) + N_SEEDS)
    assert measure(tmp_path, seed=7) == numbers
    assert len(calls) == n_runs, "each run is kept"
    # Whoever expects the same word again is the worse the surer it is.
    assert {rate for _, seed, rate in calls if seed < 100} == {min(RATES)}
    assert numbers["GPT, best rate"] == numbers["GRU, best rate"] == min(RATES)
    assert len(of_seeds(numbers, "GPT, 300 steps, p = 0.9, good")) == N_SEEDS
    assert numbers["4 words, without over with"] > 0
    assert all(math.isfinite(value) for value in numbers.values())
