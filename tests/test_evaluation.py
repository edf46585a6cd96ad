"""lmcourse.evaluation: intervals that cover, text that was seen before, answers in bins."""

import math

import pytest
import torch
from apple_gpu import on_apple

from lmcourse.evaluation import bootstrap_interval, ngram_overlap, reliability
from lmcourse.metrics import accuracy, calibration_bins, calibration_error
from lmcourse.plots import line_plot

# ---------------------------------------------------------------- bootstrap


def test_intervals_cover_the_true_mean_as_often_as_they_say():
    """Each covers with a chance of 0.8; of 300, 240 ± 7: further off than 34 with one of 1e-6.

    With tails of 0.2 each, instead of 0.1, it would be 180.
    """
    covered = 0
    for seed in range(300):
        scores = torch.rand(60, generator=torch.Generator().manual_seed(seed))
        low, high = bootstrap_interval(scores, confidence=0.8, n_resamples=200, seed=seed)
        covered += low <= 0.5 <= high
    assert 206 <= covered <= 274


def test_four_times_the_examples_halve_the_interval():
    scores = torch.randn(4000).double()
    few, many = (bootstrap_interval(scores[:n]) for n in (1000, 4000))
    assert math.isclose((few[1] - few[0]) / (many[1] - many[0]), 2, rel_tol=0.15)


def test_the_interval_is_that_of_a_normal_mean():
    scores = torch.randn(1000, generator=torch.Generator().manual_seed(1)).double()
    low, high = bootstrap_interval(scores)
    half = 1.96 * scores.std().item() / math.sqrt(1000)
    assert math.isclose(low, scores.mean().item() - half, abs_tol=0.01)
    assert math.isclose(high, scores.mean().item() + half, abs_tol=0.01)
    assert bootstrap_interval(scores) == (low, high), "the same seed, the same interval"
    assert bootstrap_interval(scores, seed=1) != (low, high)


def test_a_long_example_counts_for_more():
    scores = torch.tensor([1.0, 0.0] * 100)
    weights = torch.tensor([9.0, 1.0] * 100)
    low, high = bootstrap_interval(scores, weights)
    # 0.9 ± 0.013, and two standard deviations to each side of it
    assert 0.86 < low < 0.89
    assert 0.91 < high < 0.94


def test_differences_on_the_same_examples_tell_more_than_two_intervals():
    difficulty = torch.randn(500)
    first, second = difficulty + 0.1 * torch.randn(500), difficulty + 0.05
    apart = bootstrap_interval(first)[1] > bootstrap_interval(second)[0]
    assert apart, "the intervals overlap"
    assert bootstrap_interval(second - first)[0] > 0, "and still one is better"


def test_bootstrap_refusals(unchecked):
    scores = torch.rand(5)
    with pytest.raises(ValueError, match="two examples at least, got 1"):
        bootstrap_interval(scores[:1])
    with pytest.raises(ValueError, match=r"for each of 5 scores, got weights of shape \(3,\)"):
        bootstrap_interval(scores, torch.ones(3))
    with pytest.raises(ValueError, match=r"must be positive, .* from 0 on"):
        bootstrap_interval(scores, torch.zeros(5))
    with pytest.raises(ValueError, match=r"between 0 and 1, got confidence=95"):
        bootstrap_interval(scores, confidence=95)


# ---------------------------------------------------------------- seen before


def test_a_copy_was_seen_and_new_text_was_not():
    train = torch.randint(50, (2000,)).tolist()
    assert ngram_overlap(train[100:300], train) == 1
    assert ngram_overlap(torch.randint(50, (200,)).tolist(), train, n=8) == 0
    # 100 ids from the training text, then 100 new ones: 93 n-grams of each, and 7 in between.
    mixed = train[:100] + torch.randint(50, 100, (100,)).tolist()
    assert math.isclose(ngram_overlap(mixed, train), 93 / 193)


def test_order_counts():
    assert ngram_overlap([1, 2, 3, 4], [4, 3, 2, 1], n=2) == 0
    assert ngram_overlap([1, 2, 3, 4], [4, 3, 2, 1], n=1) == 1


def test_a_test_shorter_than_n_is_refused():
    with pytest.raises(ValueError, match="must hold n tokens at least, got 3 with n=8"):
        ngram_overlap([1, 2, 3], [1, 2, 3])


# ---------------------------------------------------------------- reliability


def test_bins_hold_every_answer_once():
    probs = torch.tensor([0.05, 0.15, 0.18, 0.95, 1.0])
    right = torch.tensor([False, True, False, True, True])
    rows = reliability(probs, right)
    assert [n for *_, n in rows] == [1, 2, 2]
    assert [share for _, share, _ in rows] == pytest.approx([0, 0.5, 1])
    assert math.isclose(rows[1][0], 0.165, abs_tol=1e-6)


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    probs = torch.rand(500)
    right = torch.rand(500) < probs**2
    gaps = sum(n * abs(share - mean) for mean, share, n in reliability(probs, right)) / 500
    assert math.isclose(gaps, calibration_error(probs, right), abs_tol=1e-6)


def test_chart_and_number_put_every_answer_into_the_same_bin():
    """0.7 and 0.9 in float32 are a hair below; ten times them in float32 would be 7 and 9."""
    probs = torch.tensor([0.7, 0.69, 0.9, 0.89, 0.3, 0.6])
    right = torch.tensor([True, False, True, False, True, False])
    rows = reliability(probs, right)
    assert [n for *_, n in rows] == [1, 3, 2]
    gaps = sum(n * abs(share - mean) for mean, share, n in rows) / len(probs)
    assert calibration_error(probs, right) == pytest.approx(gaps, abs=1e-9)
    with pytest.raises(ValueError, match=r"probs must be from 0 to 1, and not empty, got 1\.5"):
        reliability(torch.tensor([1.5]), right[:1])


def test_the_share_seen_is_the_same_for_tensors():
    test, train = torch.tensor([1, 2, 3, 4]), torch.tensor([9, 2, 3, 4])
    assert ngram_overlap(test, train, n=2) == pytest.approx(2 / 3)


# ---------------------------------------------------------------- without float64

PROBS = torch.tensor([0.05, 0.31, 0.36, 0.699999988079071, 0.95, 1.0])
RIGHT = torch.tensor([False, True, False, True, True, True])
MEASURED = {
    "accuracy": lambda probs, right: accuracy(right.long(), (probs > 0.5).long()),
    "calibration_bins": lambda probs, right: calibration_bins(probs).tolist(),
    "calibration_error": calibration_error,
    "reliability": reliability,
    "bootstrap_interval": lambda probs, right: bootstrap_interval(probs, probs, n_resamples=50),
    "line_plot": lambda probs, right: line_plot(range(6), {"p": probs}, "n", "p").svg,
}


@pytest.mark.parametrize("name", MEASURED)
def test_a_gpu_that_knows_no_float64_measures_the_same(name):
    measure = MEASURED[name]
    # exact: the same kernels on the same processor
    assert measure(on_apple(PROBS), on_apple(RIGHT)) == measure(PROBS, RIGHT)


def test_the_stand_in_refuses_float64():
    with pytest.raises(TypeError, match="float64"):
        on_apple(PROBS).double()
    assert on_apple(PROBS).cpu().double().dtype == torch.float64
