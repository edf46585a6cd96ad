"""lmcourse.applications.negation: twins that a bag of words cannot tell apart, and who can."""

import pytest
import torch

from lmcourse.applications import negation


def test_each_negated_review_has_a_twin_with_the_same_words_and_the_other_verdict():
    """So whatever a bag of words says, it is right about one of the two."""
    training, exam = negation.reviews(seed=0)
    assert len(training) == negation.N_TRAIN
    assert len(exam) > 0.8 * negation.N_TEST  # half of twice as many
    for text, _ in exam[:100]:
        first, second = text.split(" and ")
        word = (negation.NEGATIONS & set(text.split())).pop()
        clauses = [clause.replace(f"{word} ", "") for clause in (first, second)]
        where = 0 if word in first.split() else 1
        twin = clauses[1 - where].replace(" is ", f" is {word} ")
        other = f"{clauses[0]} and {twin}" if where == 0 else f"{twin} and {clauses[1]}"
        assert sorted(other.split()) == sorted(text.split())
        assert other != text


def test_shuffled_reviews_have_the_same_words_and_verdicts():
    ordered, _ = negation.reviews(seed=1)
    mixed, _ = negation.reviews(seed=1, shuffled=True)
    assert [label for _, label in mixed] == [label for _, label in ordered]
    assert [sorted(t.split()) for t, _ in mixed] == [sorted(t.split()) for t, _ in ordered]
    assert sum(a != b for a, b in zip(mixed, ordered, strict=True)) > 0.95 * len(mixed)


def test_counting_is_a_coin_on_negated_reviews():
    assert negation.counting(seed=0) == pytest.approx(0.5, abs=0.1)


def test_a_curve_follows_its_seed_and_needs_the_order(monkeypatch):
    monkeypatch.setattr(negation, "N_TEST", 100)
    steps = (20, 100)
    ordered = negation.learning_curve("LSTM", 0, 1e-2, steps)
    mixed = negation.learning_curve("LSTM", 0, 1e-2, steps, shuffled=True)
    assert ordered[1] > 0.8 > 0.7 > mixed[1]
    torch.manual_seed(99)  # what happened before does not matter
    assert negation.learning_curve("mean", 3, 1e-2, (5,)) == pytest.approx(
        negation.learning_curve("mean", 3, 1e-2, (5,)), abs=0.02
    )


def test_a_comparison_keeps_its_runs_and_chooses_a_rate_for_each(tmp_path, monkeypatch):
    calls = []

    def curve(name, seed, rate, steps=negation.STEPS, shuffled=False):
        calls.append((name, seed, rate, shuffled))
        return [rate] * len(steps)

    monkeypatch.setattr(negation, "learning_curve", curve)
    monkeypatch.setattr(negation, "counting", lambda seed: 0.5)
    numbers = negation.measure(tmp_path, 0)
    assert {name for name, *_ in calls} == set(negation.READERS)
    assert all(numbers[f"{name}, rate"] == max(negation.RATES) for name in negation.READERS)
    assert len([call for call in calls if call[3]]) == 3 * negation.N_SEEDS
    n_calls = len(calls)
    assert negation.measure(tmp_path, 0) == numbers
    assert len(calls) == n_calls
