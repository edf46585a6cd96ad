"""lmcourse.applications.polarity: the comparison, small, with networks of a few steps."""

import pytest
import torch

from lmcourse.applications import polarity
from lmcourse.corpora import generate_corpus
from lmcourse.kept_runs import kept_story
from lmcourse.metrics import precision_recall_f1


def small_parts():
    rows = list(dict.fromkeys(generate_corpus("reviews", seed=0, n_examples=500)))
    return {"train": rows[:250], "validation": rows[250:350], "test": rows[350:]}


def test_the_gain_over_counting_has_an_interval():
    truth = torch.arange(400) % 10 < 8
    right = {"naive_bayes": truth[None], "same": truth[None], "other": torch.stack([~truth] * 3)}
    negation = torch.arange(400) < 100
    numbers = polarity.compare(right, negation)
    assert numbers["naive_bayes"] == pytest.approx(80)
    assert numbers["same, low"] == pytest.approx(0)
    assert numbers["same, high"] == pytest.approx(0)
    assert numbers["other, low"] < -60 < numbers["other, high"] < -50
    assert numbers["other, negated"] == pytest.approx(20)
    assert numbers["n_negated"] == pytest.approx(100)


def test_seeds_that_disagree_count_by_their_share():
    right = {
        "naive_bayes": torch.tensor([[True, False, True, False]]),
        "net": torch.tensor([[True, True, False, False], [True, False, True, True]]),
    }
    numbers = polarity.compare(right, torch.tensor([True, True, False, False]))
    assert numbers["net"] == pytest.approx(62.5)
    assert numbers["net, negated"] == pytest.approx(75)


def test_one_sentence_in_ten_pans():
    rows = [(f"good {i}", 1) for i in range(90)] + [(f"bad {i}", 0) for i in range(90)]
    drawn = polarity.rare_pans(rows, seed=0)
    assert len(drawn) == 100
    assert sum(label for _, label in drawn) == 10
    assert all(text.startswith("bad") == bool(label) for text, label in drawn)
    assert drawn == polarity.rare_pans(rows, seed=0)
    assert drawn != polarity.rare_pans(rows, seed=1)


def test_no_threshold_has_a_better_f1_than_the_best():
    dice = torch.Generator().manual_seed(0)
    scores, targets = torch.rand(50, generator=dice), torch.arange(50) % 5 == 0

    def f1(limit):
        return precision_recall_f1((scores >= limit).long(), targets.long())[2]

    best = f1(polarity.best_threshold(scores, targets.long()))
    assert best == pytest.approx(max(f1(limit) for limit in scores.tolist()))


def test_a_sentence_is_negated_by_a_word_of_its_own():
    rows = [("it isn't good", 0), ("nothing new", 0), ("a notion of good", 1)]
    assert polarity.negated(rows).tolist() == [True, True, False]


def test_a_small_comparison_is_whole_and_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(polarity, "load_parts", small_parts)
    monkeypatch.setattr(polarity, "N_STEPS", 4)
    monkeypatch.setattr(polarity, "N_WARMUP", 1)
    monkeypatch.setattr(polarity, "N_SEEDS", 2)
    monkeypatch.setattr(polarity, "RATES", (1e-3,))
    monkeypatch.setattr(polarity, "PENALTIES", (1.0, 10.0))
    numbers = polarity.measure(tmp_path, 0)
    assert numbers["naive_bayes"] > 60
    assert numbers["n_test"] == len(small_parts()["test"])
    for name in polarity.NETWORKS:
        assert {f"{name}, seed 0", f"{name}, seed 1", f"{name}, low"} <= set(numbers)
    assert 0 <= numbers["weighted, seed 1, chosen, f1"] <= 1

    story = kept_story(tmp_path)
    assert len(story["rare"]["scores"]) == len(story["rare"]["pans"])
    assert len(story["errors"]) == 10
    for error in story["errors"]:
        assert (error["probability"] > 0.5) != error["praises"]
        assert len(error["weights"]) == len(error["text"].split())
        assert all(0 <= count <= 2 for count in error["right"].values())

    monkeypatch.setattr(polarity, "train", lambda *args, **kwargs: pytest.fail("trained again"))
    assert polarity.measure(tmp_path, 0) == pytest.approx(numbers)
