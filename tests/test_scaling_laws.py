"""lmcourse.scaling_laws: laws that are known are found again, and the best size is the best."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcourse.scaling_laws import (
    BESIROGLU,
    HOFFMANN,
    ScalingLaw,
    bootstrap,
    fit_scaling_law,
    fit_scaling_laws,
    interval,
    isoflop,
)

SIZES = np.array([2e3, 4e3, 8e3, 16e3, 32e3])
LENGTHS = np.array([6e4, 12e4, 24e4, 48e4])
N, D = (grid.ravel() for grid in np.meshgrid(SIZES, LENGTHS, indexing="ij"))
LAW = ScalingLaw(e=1.6, a=30.0, alpha=0.45, b=200.0, beta=0.5)


@settings(max_examples=20, deadline=None)
@given(
    e=st.floats(0.1, 5),
    alpha=st.integers(10, 120),
    beta=st.integers(10, 120),
    lost=st.tuples(st.floats(0.1, 3), st.floats(0.1, 3)),
)
def test_a_law_without_noise_is_found_again(e, alpha, beta, lost):
    """`lost` is what the smallest model and the shortest text lose."""
    alpha, beta = alpha / 100, beta / 100
    law = ScalingLaw(
        e=e, a=lost[0] * SIZES[0] ** alpha, alpha=alpha, b=lost[1] * LENGTHS[0] ** beta, beta=beta
    )
    found = fit_scaling_law(N, D, law.loss(N, D))
    for name in ("e", "a", "alpha", "b", "beta"):
        assert getattr(found, name) == pytest.approx(getattr(law, name), rel=1e-4), name


def test_many_laws_are_each_its_own():
    laws = [LAW, ScalingLaw(e=0.5, a=50.0, alpha=0.3, b=90.0, beta=0.4)]
    rows = np.stack([law.loss(N, D) for law in laws * 20])
    found = fit_scaling_laws(N, D, rows)
    assert [each.alpha for each in found] == pytest.approx([0.45, 0.3] * 20)
    assert [each.e for each in found] == pytest.approx([1.6, 0.5] * 20)


def test_a_loss_that_grows_with_size_has_no_law():
    growing = LAW.loss(N, D) + 0.5 * np.log(N / N.min())
    with pytest.raises(ValueError, match="must fall with size and with text"):
        fit_scaling_law(N, D, growing)


@pytest.mark.parametrize("law", [HOFFMANN, BESIROGLU, LAW])
@pytest.mark.parametrize("flops", [1e12, 5.76e23])
def test_no_other_size_of_the_same_budget_has_a_lower_loss(law, flops):
    n, d = law.compute_optimal(flops)
    assert 6 * n * d == pytest.approx(flops)
    others = n * np.array([0.5, 0.9, 1.1, 2.0])
    assert (law.loss(others, flops / (6 * others)) > law.loss(n, d)).all()


def test_the_published_laws_give_the_published_ratios():
    """Besiroglu et al., figure 5 and section 4: about 20 tokens a parameter at Chinchilla's budget,
    where the printed law of Hoffmann et al. asks for a multiple of that."""
    n, d = BESIROGLU.compute_optimal(5.76e23)
    assert 17 < d / n < 23
    n, d = HOFFMANN.compute_optimal(5.76e23)
    assert d / n > 60


def test_intervals_hold_the_truth_and_shrink_with_the_noise():
    widths = {}
    for noise in (0.003, 0.03):
        noisy = LAW.loss(N, D) + noise * np.random.default_rng(0).normal(size=(8, len(N)))
        laws = bootstrap(N, D, noisy, n_draws=60)
        assert len(laws) == 60
        for of, true in ((lambda law: law.e, 1.6), (lambda law: law.loss(64e3, 1e6), None)):
            low, high = interval([of(law) for law in laws], share=0.98)
            assert low <= (LAW.loss(64e3, 1e6) if true is None else true) <= high
            widths.setdefault(true, []).append(high - low)
    for small, large in widths.values():
        assert small < large / 3


def test_a_bootstrap_draws_seeds_of_each_run_apart():
    """Two seeds, 0 and 1 for every run: drawn together, all means would be alike."""
    losses = np.stack([LAW.loss(N, D), LAW.loss(N, D) + 1])
    laws = bootstrap(N, D, losses, n_draws=40, seed=1)
    means = np.array([law.loss(N, D).mean() for law in laws]) - LAW.loss(N, D).mean()
    assert 0.02 < means.std() < 0.2  # 0.35 / √20 = 0.08; together it would be 0.35
    again = bootstrap(N, D, losses, n_draws=40, seed=1)
    assert again == laws  # exact: the same draws


def test_an_interval_leaves_as_many_out_on_either_side():
    assert interval(list(range(101)), share=0.9) == pytest.approx((5, 95))
    with pytest.raises(ValueError, match="share must be between 0 and 1, got share=90"):
        interval([1.0, 2.0], share=90)


def test_a_curve_of_equal_operations_is_read_off_the_runs():
    losses = LAW.loss(SIZES[:, None], LENGTHS)
    flops = 6 * SIZES[2] * LENGTHS[1]
    found = isoflop(SIZES, LENGTHS, losses, flops)
    # Sizes and lengths double, so each budget meets runs: what is half as large reads twice as far.
    assert found[1:4] == pytest.approx([losses[1, 2], losses[2, 1], losses[3, 0]])
    assert found[0] == pytest.approx(losses[0, 3])
    assert np.isnan(found[4])
    between = isoflop(SIZES, LENGTHS, losses, flops * 2**0.5)
    assert between[2] == pytest.approx((losses[2, 1] + losses[2, 2]) / 2)
    with pytest.raises(ValueError, match=r"n_tokens must rise, got .*120000.*60000"):
        isoflop(SIZES, LENGTHS[[1, 0]], losses[:, :2], flops)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match=r"got \(20,\), \(20,\) and \(1, 19\)"):
        fit_scaling_law(N, D, LAW.loss(N, D)[1:])
    with pytest.raises(ValueError, match="at least, got 5 and 1"):
        fit_scaling_law(SIZES, [1e5] * 5, SIZES)
    with pytest.raises(ValueError, match="losses must be finite, got nan"):
        fit_scaling_law(N, D, np.where(N < 3e3, np.nan, 1.0))
    with pytest.raises(ValueError, match=r"two seeds at least, got shape \(1, 20\)"):
        bootstrap(N, D, LAW.loss(N, D)[None])
    with pytest.raises(ValueError, match=r"must be above 0, got flops=-1, a=30\.0"):
        LAW.compute_optimal(-1)
