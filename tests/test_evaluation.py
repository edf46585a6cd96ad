"""lmcourse.evaluation: intervals, text seen before, answers in bins, exams and who grades them."""

import itertools
import math
import random
from dataclasses import replace

import pytest
import torch
from apple_gpu import on_apple
from torch import nn

from lmcourse.evaluation import (
    bleu_interval,
    bootstrap_interval,
    exact_match,
    judge_twice,
    ngram_overlap,
    pass_at_k,
    reliability,
    score_choices,
)
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.metrics import accuracy, bleu, calibration_bins, calibration_error
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


# ---------------------------------------------------------------- BLEU's interval


def sentences(n, seed, noise):
    """What is written for references of eight letters, each of them wrong with a chance."""
    dice = torch.Generator().manual_seed(seed)
    letters = torch.randint(5, (n, 8), generator=dice)
    wrong = torch.rand(n, 8, generator=dice) < noise
    written = torch.where(wrong, letters + 5, letters)
    return [["abcdefghij"[i] for i in row] for row in written.tolist()], [
        ["abcdefghij"[i] for i in row] for row in letters.tolist()
    ]


def test_intervals_of_bleu_cover_the_bleu_of_a_huge_test():
    """Of 100 with a confidence of 0.8, 80 ± 4: further off than 20 with a chance of one in 10⁶."""
    truth = bleu(*sentences(20_000, 0, 0.2))
    covered = 0
    for seed in range(1, 101):
        low, high = bleu_interval(*sentences(80, seed, 0.2), confidence=0.8, n_resamples=150)
        covered += low <= truth <= high
    assert 60 <= covered <= 99


def test_the_difference_of_two_models_is_taken_on_the_same_draws():
    better, references = sentences(60, 0, 0.1)
    noisy, clean = sentences(60, 1, 0.2)
    worse = [
        [letter if a == b else "k" for letter, a, b in zip(*rows, strict=True)]
        for rows in zip(better, noisy, clean, strict=True)
    ]
    low, high = bleu_interval(better, references, better, n_resamples=50)
    assert low == high == 0  # exact: each difference is of a number with itself
    gain = bleu(better, references) - bleu(worse, references)
    low, high = bleu_interval(better, references, worse)
    assert low <= gain <= high
    ends = [bleu_interval(each, references) for each in (better, worse)]
    assert high - low < math.hypot(*(end - start for start, end in ends)), "what is hard for both"


def test_a_confidence_is_between_0_and_1():
    with pytest.raises(ValueError, match=r"between 0 and 1, got confidence=95\.0"):
        bleu_interval([["a"]], [["a"]], confidence=95.0)


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


# ---------------------------------------------------------------- multiple choice


class Dice(nn.Module):
    """A language model that gives id i the same odds everywhere, whatever came before."""

    def __init__(self, probs):
        super().__init__()
        self.log_probs = torch.tensor(probs).log()

    def forward(self, ids):
        return self.log_probs.expand(*ids.shape, -1)


PROMPT = torch.tensor([0, 1])
CHOICES = [torch.tensor([2]), torch.tensor([2, 2]), torch.tensor([0, 1, 2])]


def small_gpt():
    config = GPTConfig(vocab_size=7, context_length=12, d_model=16, n_heads=2, n_layers=2)
    return GPT(replace(config, dropout=0.3))


def test_a_choice_is_scored_by_the_odds_of_its_tokens():
    model = Dice([0.5, 0.25, 0.25])
    by_sum = [math.log(0.25), 2 * math.log(0.25), math.log(0.5) + 2 * math.log(0.25)]
    assert score_choices(model, PROMPT, CHOICES).tolist() == pytest.approx(by_sum)
    by_mean = [score / n for score, n in zip(by_sum, (1, 2, 3), strict=True)]
    assert score_choices(model, PROMPT, CHOICES, "mean").tolist() == pytest.approx(by_mean)
    # The prompt says nothing to this model, so it adds nothing to any choice.
    gain = score_choices(model, PROMPT, CHOICES, "gain", neutral=torch.tensor([1]))
    assert gain.tolist() == pytest.approx([0, 0, 0], abs=1e-5)


def test_scores_are_those_of_a_loop_that_asks_for_one_token_after_the_other():
    model = small_gpt().eval()
    expected = []
    with torch.no_grad():
        for choice in CHOICES:
            ids, score = PROMPT, 0.0
            for token in choice:
                score += model(ids[None])[0, -1].log_softmax(-1)[token].item()
                ids = torch.cat([ids, token[None]])
            expected.append(score)
    assert score_choices(model, PROMPT, CHOICES).tolist() == pytest.approx(expected, abs=1e-5)


def test_scores_are_made_without_dropout_and_leave_the_model_in_training():
    model = small_gpt().train()
    scores = score_choices(model, PROMPT, CHOICES)
    torch.testing.assert_close(scores, score_choices(model, PROMPT, CHOICES))
    assert model.training
    assert not scores.requires_grad


def test_each_choice_is_scored_as_if_it_were_alone():
    model = small_gpt()
    alone = [score_choices(model, PROMPT, [choice]).item() for choice in CHOICES]
    assert score_choices(model, PROMPT, CHOICES).tolist() == pytest.approx(alone, abs=1e-5)


def test_choices_refusals():
    model = Dice([0.5, 0.25, 0.25])
    with pytest.raises(ValueError, match="one of sum, mean, gain, got rule='best'"):
        score_choices(model, PROMPT, CHOICES, "best")
    with pytest.raises(ValueError, match="neutral must be given for gain"):
        score_choices(model, PROMPT, CHOICES, "gain")
    with pytest.raises(ValueError, match="for no other rule, got rule='sum'"):
        score_choices(model, PROMPT, CHOICES, neutral=PROMPT)
    with pytest.raises(ValueError, match=r"a prompt of 2 and choices of \[1, 0\]"):
        score_choices(model, PROMPT, [CHOICES[0], PROMPT[:0]])
    with pytest.raises(ValueError, match=r"a prompt of 2 and choices of \[\]"):
        score_choices(model, PROMPT, [])


# ---------------------------------------------------------------- free answers


def test_an_answer_matches_but_for_what_does_not_matter():
    answers = ["New York!", "the new  york", "york new", "New York City", ""]
    found = exact_match(answers, ["new york"] * 5)
    assert found.tolist() == [True, True, False, False, False]
    with pytest.raises(ValueError, match="as many as references, got 1 and 2"):
        exact_match(["a"], ["a", "b"])


@pytest.mark.parametrize("n", [1, 4, 7])
def test_pass_at_k_is_the_mean_over_all_sets_of_k_samples(n):
    for n_right in range(n + 1):
        samples = [True] * n_right + [False] * (n - n_right)
        for k in range(1, n + 1):
            sets = [any(chosen) for chosen in itertools.combinations(samples, k)]
            assert pass_at_k(n, n_right, k) == pytest.approx(sum(sets) / len(sets), abs=1e-12)


def test_pass_at_k_is_right_on_average_where_the_plain_formula_is_too_low():
    """A model that is right with p = 0.2 passes 5 tries with 1 - 0.8⁵; the mean over all c."""
    p, n, k = 0.2, 8, 5
    odds = [math.comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    truth = 1 - (1 - p) ** k
    unbiased = sum(odd * pass_at_k(n, c, k) for c, odd in enumerate(odds))
    plain = sum(odd * (1 - (1 - c / n) ** k) for c, odd in enumerate(odds))
    assert unbiased == pytest.approx(truth, abs=1e-12)
    assert plain < truth - 0.03


def test_pass_at_k_refusals():
    for n, c, k in [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)]:
        with pytest.raises(ValueError, match=f"got k={k}, n_right={c}, n_samples={n}"):
            pass_at_k(n, c, k)


# ---------------------------------------------------------------- judges


def longer(first, second):
    return torch.tensor([float(len(a) > len(b)) for a, b in zip(first, second, strict=True)])


def test_a_judge_that_reads_is_consistent_and_has_no_place():
    found = judge_twice(longer, ["aa", "b", "ccc"], ["a", "bb", "cc"])
    # exact: counts
    assert (found.first, found.consistent) == (0.5, 1.0)
    # exact: counts
    assert found.wins.tolist() == [1.0, 0.0, 1.0]


def test_a_judge_that_takes_the_first_is_found_out_and_cancels():
    found = judge_twice(lambda first, second: torch.ones(len(first)), ["a"] * 4, ["b"] * 4)
    # exact: counts
    assert (found.first, found.consistent) == (1.0, 0.0)
    # exact: halves
    assert found.wins.tolist() == [0.5] * 4


def test_a_lean_is_measured_and_the_verdict_hides_how_strong_it_is():
    """Whether a judge leans to the first by 0.7 or by 0.51, its verdict is always: first."""
    for lean in (0.7, 0.51):
        odds = torch.tensor(lean)
        found = judge_twice(lambda first, second, odds=odds: odds.expand(len(first)), ["a"], ["b"])
        assert found.first == pytest.approx(lean)
        assert found.consistent == 0  # exact: a count
        assert found.wins.tolist() == pytest.approx([0.5])


def test_a_judge_that_tosses_coins_is_half_consistent():
    dice = random.Random(0)

    def toss(first, second):
        return torch.tensor([float(dice.random() < 0.5) for _ in first])

    found = judge_twice(toss, ["a"] * 4000, ["b"] * 4000)
    # Standard deviations: 0.0056, 0.0079 and 0.0056; five of them.
    assert abs(found.first - 0.5) < 0.028
    assert abs(found.consistent - 0.5) < 0.04
    assert abs(found.wins.mean().item() - 0.5) < 0.028


def test_pairs_that_are_none_are_refused():
    with pytest.raises(ValueError, match="at least one, got 2 and 1"):
        judge_twice(longer, ["a", "b"], ["a"])
    with pytest.raises(ValueError, match="at least one, got 0 and 0"):
        judge_twice(longer, [], [])


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
