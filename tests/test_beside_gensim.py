"""lmcourse.beside_gensim: both are asked the same, and a small run of the comparison."""

import math

import pytest
import torch
from seeds import SEED, rng
from torch.nn import functional as F

from lmcourse import beside_gensim
from lmcourse.beside_gensim import (
    Text,
    by_adam,
    gensims,
    gloves,
    held_out_loss,
    measure,
    of_seeds,
    ours,
    search,
)
from lmcourse.kept_runs import KeptRuns
from lmcourse.negative_sampling import keep_probs, noise_probs


@pytest.fixture(autouse=True)
def no_word_is_thinned_out(monkeypatch):
    """Of ten words every one is frequent."""
    monkeypatch.setattr(beside_gensim, "THRESHOLD", 1.0)


def pairs_of_words(n=400, k=0):
    """Sentences of four words, either all of one half of the letters or all of the other."""
    drawn = torch.randint(10, (n, 5), generator=rng(k))
    return [["abcdefghij"[:5][i % 5] if row[0] < 5 else "fghij"[i % 5] for i in row[1:]]
            for row in drawn.tolist()]  # fmt: skip


def small_text(n=400):
    triples = (("a", "b", "f"), ("g", "j", "c"), ("a", "stranger", "f"))
    return Text.make(pairs_of_words(n), pairs_of_words(60, 1), pairs_of_words(60, 2), triples)


def test_the_held_out_loss_is_the_formula_in_a_loop():
    text = small_text(50)
    words, contexts = (torch.randn(10, 4, generator=rng(k)) for k in range(2))
    counts = text.vocabulary.counts
    kept, noise = keep_probs(counts, beside_gensim.THRESHOLD), noise_probs(counts)
    total = weights = 0.0
    for row in pairs_of_words(60, 1):
        ids = [text.vocabulary.index(word) for word in row]
        for i, center in enumerate(ids):
            for j, context in enumerate(ids):
                if i == j:
                    continue
                weight = (6 - abs(i - j)) / 5 * (kept[center] * kept[context]).item()
                apart = sum(
                    noise[n] * F.softplus(words[center] @ contexts[n]) for n in range(len(counts))
                )
                together = F.softplus(-words[center] @ contexts[context])
                total += weight * (together + 5 * apart).item()
                weights += weight
    found = held_out_loss((words, contexts), text, text.validation)
    assert found == pytest.approx(total / weights, rel=1e-4)


def test_whoever_knows_nothing_pays_a_coin_for_each_question():
    text = small_text(50)
    nothing = torch.zeros(10, 3), torch.zeros(10, 3)
    assert held_out_loss(nothing, text, text.test) == pytest.approx(6 * math.log(2), rel=1e-5)


def test_a_split_has_every_sentence_once():
    raw = " ".join(f"{word} {word}." for word in "abcdefghij" * 10)
    text = Text.split(raw)
    parts = [(part >= 0).sum().item() for part in (text.learned, text.validation, text.test)]
    assert parts == [160, 20, 20]
    counted = torch.bincount(torch.cat([text.learned, text.validation, text.test]) + 1)
    assert counted[1:].tolist() == [20] * 10  # exact: counts


@pytest.mark.parametrize("train", [ours, by_adam], ids=["ours", "Adam"])
def test_who_learns_is_better_than_coins_on_what_was_held_out(train):
    text = small_text()
    tables = train(text, 40, 0.005, SEED)
    assert held_out_loss(tables, text, text.test) < 6 * math.log(2) - 0.3


def test_gensim_learns_the_same_task_with_the_same_words():
    pytest.importorskip("gensim", reason="a peer of the benchmarks, not of the course")
    text = small_text()
    tables = gensims(text, 15, 0.05, SEED)
    assert [table.shape for table in tables] == [(10, beside_gensim.WIDTH)] * 2
    mine = held_out_loss(ours(text, 40, 0.005, SEED), text, text.test)
    theirs = held_out_loss(tables, text, text.test)
    assert max(mine, theirs) < 6 * math.log(2) - 0.3
    # Words in another order would be strangers to each other.
    assert held_out_loss((tables[0].flip(0), tables[1]), text, text.test) > theirs + 0.1


def test_the_search_takes_the_fewest_epochs_that_are_near_enough(monkeypatch, tmp_path):
    losses = {
        ("gensim", 5, 0.025): 3.0, ("gensim", 5, 0.05): 2.5, ("gensim", 4, 0.05): 2.504,
        ("gensim", 3, 0.05): 2.6, ("ours", 3, 0.06): 2.503, ("ours", 3, 0.08): 2.502,
        ("ours", 4, 0.06): 2.49,
    }  # fmt: skip

    def trainer(name):
        return lambda text, n_epochs, rate, seed: losses.get((name, n_epochs, rate), 9.0)

    monkeypatch.setattr(beside_gensim, "TRAINERS", {n: trainer(n) for n in ("gensim", "ours")})
    monkeypatch.setattr(beside_gensim, "held_out_loss", lambda loss, text, ids: loss)
    monkeypatch.setattr(beside_gensim, "RATES", {
        "gensim": (0.025, 0.05, 0.1), "ours": (0.06, 0.08, 0.1)
    })  # fmt: skip
    found = search(small_text(50), "small", KeptRuns(tmp_path / "runs.json"))
    expected = {"gensim": (4, 0.05), "ours": (3, 0.08)}
    assert found == expected  # exact: rates of a list


def test_a_small_run_tells_of_every_seed(monkeypatch, tmp_path):
    monkeypatch.setattr(beside_gensim, "TEXTS", {"small": lambda: small_text(100)})
    monkeypatch.setattr(beside_gensim, "TRAINERS", {"gensim": ours, "ours": ours})
    monkeypatch.setattr(beside_gensim, "RATES", {"gensim": (0.002,), "ours": (0.002, 0.005)})
    monkeypatch.setattr(beside_gensim, "SEEDS", range(2))
    numbers = measure(tmp_path, SEED)
    assert numbers["small, words"] == 400
    assert numbers["small, questions"] == 2
    for name in ("gensim", "ours", "Adam", "GloVe"):
        for what in ("seconds", "triples") + ("test",) * (name != "GloVe"):
            assert len(of_seeds(numbers, "small", name, what)) == 2
    assert of_seeds(numbers, "small", "GloVe", "triples") == pytest.approx([
        beside_gensim.triple_accuracy(
            gloves(small_text(100), 15, 0.01, SEED + k)[0],
            small_text(100).vocabulary,
            small_text(100).triples,
        )
        for k in range(2)
    ])  # fmt: skip
