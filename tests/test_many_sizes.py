"""lmcourse.many_sizes: the source has the entropy that is said; a small run of the comparison."""

import json
import math

import pytest
import torch
from seeds import SEED

from lmcourse import many_sizes
from lmcourse.many_sizes import (
    BATCH_SIZE,
    CONTEXT,
    Dice,
    cram,
    fresh_batches,
    learn,
    make_model,
    measure,
    of_seeds,
    of_small_text,
    same_batches,
    size_of,
)


class Knows(torch.nn.Module):
    """Says what somebody says who owns the dice, and looks at the last two tokens."""

    def __init__(self, probs):
        super().__init__()
        self.log_probs = probs.log()

    def forward(self, ids):
        before = ids.roll(1, dims=1)  # of the first token of a text it knows nothing true
        return self.log_probs[before, ids]


@pytest.fixture(scope="module")
def dice():
    return Dice(SEED)


def counted_losses(dice, n=400):
    """Of tables that know all, on what the source has written: three means of −log p."""
    text = dice.write(500, n, torch.Generator().manual_seed(SEED))
    a, b, c = text[:, :-2], text[:, 1:-1], text[:, 2:]
    both = torch.zeros(dice.vocab_size, dice.vocab_size, dtype=torch.float64)
    ones = torch.ones(c.numel(), dtype=torch.float64)
    both.index_put_((b.flatten(), c.flatten()), ones, accumulate=True)
    alone = both.sum(0) / both.sum()
    following = both / both.sum(1, keepdim=True)
    of = {"unigram": alone[c], "bigram": following[b, c], "entropy": dice.p[a, b, c]}
    return {name: -probs.log().mean().item() for name, probs in of.items()}


def test_levels_are_those_of_what_the_source_writes(dice):
    levels, counted = dice.levels(), counted_losses(dice)
    assert counted == pytest.approx(levels, abs=0.02)
    assert levels["entropy"] < levels["bigram"] - 0.5
    assert levels["bigram"] < levels["unigram"] - 0.5 < math.log(dice.vocab_size)


def test_with_nothing_to_see_in_pairs_the_bigram_is_the_entropy():
    levels = Dice(SEED, pair=0.0).levels()
    assert levels["bigram"] == pytest.approx(levels["entropy"], abs=1e-6)


def test_who_owns_the_dice_pays_nothing_above_and_nobody_pays_less(dice):
    assert dice.above(Knows(dice.p)) == pytest.approx(0, abs=1e-9)
    uniform = Knows(torch.full_like(dice.p, 1 / dice.vocab_size))
    levels = dice.levels()
    # On its own texts, whose entropy is near that of all.
    expected = math.log(dice.vocab_size) - levels["entropy"]
    assert dice.above(uniform) == pytest.approx(expected, abs=0.05)
    assert dice.above(make_model(8, SEED)) > 0


def test_fresh_text_is_never_the_same_and_the_small_one_always(dice):
    batches = list(fresh_batches(dice, 300, SEED))
    assert len(batches) == 300  # across the end of a piece that is written at once
    assert all(batch.shape == (BATCH_SIZE, CONTEXT + 1) for batch in batches)
    rows = torch.cat(batches)
    assert len(rows.unique(dim=0)) > 0.99 * len(rows)
    text = torch.arange(100)
    for batch in same_batches(text, 5, SEED):
        assert (batch.diff(dim=1) == 1).all()  # exact: ids
        assert batch.max() < 100


def test_more_text_and_more_parameters_help_and_the_same_again(dice):
    little, much = (learn(dice, 8, n_steps, 0.3, SEED) for n_steps in (10, 120))
    wider = learn(dice, 24, 120, 0.3, SEED)
    assert wider < much - 0.05
    assert much < little - 0.3
    assert learn(dice, 8, 10, 0.3, SEED) == pytest.approx(little, rel=1e-3)
    assert size_of(8) < size_of(24)


def test_a_small_text_is_known_by_heart_and_costs_elsewhere(dice, monkeypatch):
    monkeypatch.setattr(many_sizes, "SMALL_TEXT", 400)
    monkeypatch.setattr(many_sizes, "SMALL_TEXT_STEPS", 160)
    found = cram(dice, 32, 0.3, SEED)
    levels = dice.levels()
    assert found["known"] < levels["entropy"]
    assert found["end"] > levels["bigram"] - levels["entropy"]
    assert found["best"] < found["end"]


def test_a_comparison_is_measured_once_and_told_of_by_seed(tmp_path, monkeypatch):
    small = {
        "WIDTHS": (4, 8), "STEPS": (2, 4), "N_SEEDS": 2, "SMALL_TEXT": 100, "SMALL_TEXT_STEPS": 4,
        "SMALL_TEXT_WIDTHS": (4, 8), "_CHECK_EVERY": 2,
    }  # fmt: skip
    for name, value in small.items():
        monkeypatch.setattr(many_sizes, name, value)
    numbers = measure(tmp_path, SEED)
    for source, pair in many_sizes.SOURCES.items():
        for width, n_steps in ((4, 2), (8, 4)):
            losses = of_seeds(numbers, width, n_steps, source)
            assert len(set(losses)) == 2
            assert min(losses) > 0
        for level, value in Dice(SEED, pair=pair).levels().items():
            assert numbers[f"{source}, {level}"] == pytest.approx(value)
        assert {numbers[f"{source}, {n} steps, rate"] for n in (2, 4)} <= {*many_sizes.RATES}
    for width in (4, 8):
        ends, bests = (of_small_text(numbers, width, what) for what in ("end", "best"))
        assert all(best <= end for best, end in zip(bests, ends, strict=True))
    kept = json.loads((tmp_path / "runs.json").read_text("utf-8"))
    # Rates were searched with one size and a seed of its own.
    searched = [key for key in kept if "seed 100" in key]
    assert len(searched) == 2 * 2 * 2
    assert all(f"{many_sizes.SEARCHED} wide" in key for key in searched)
    monkeypatch.setattr(many_sizes, "learn", None)  # nothing is trained a second time
    monkeypatch.setattr(many_sizes, "cram", None)
    assert measure(tmp_path, SEED) == numbers  # exact: what was kept
