"""lmcourse.clusters against a plain search of all groupings, and what a grouping promises."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.clusters import k_means, purity, spread

seeds = st.integers(0, 2**31)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def islands(seed, n=20, device="cpu"):
    """Three islands far apart, and which of them each point lies on."""
    centers = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    classes = torch.arange(3).repeat(n)
    noise = torch.randn(3 * n, 2, generator=dice(seed))
    return (centers[classes] + noise).to(device), classes.to(device)


@given(seed=seeds)
def test_islands_are_found_whatever_their_order(device, seed):
    points, classes = islands(seed, device=device)
    groups = k_means(points, 3, dice(seed))
    assert groups.device == points.device
    # exact: a share of whole points
    assert purity(groups, classes) == 1
    order = torch.randperm(60, generator=dice(seed))
    assert purity(k_means(points[order], 3, dice(seed)), classes[order]) == 1


@given(seed=seeds)
def test_of_many_starts_the_best_is_hardly_behind_all_groupings_that_there_are(seed):
    points = torch.randn(7, 2, generator=dice(seed), dtype=torch.float64)
    found = spread(points, k_means(points, 2, dice(seed), n_starts=50))
    every = (torch.tensor(groups) for groups in itertools.product((0, 1), repeat=7))
    best = min(spread(points, groups) for groups in every if groups.any() and not groups.all())
    # Starts are points, and from none of them the very best grouping need be reached.
    assert best * (1 - 1e-9) <= found <= 1.02 * best


@given(seed=seeds, k=st.integers(1, 6))
def test_each_point_is_nearest_to_the_mean_of_its_own_group(seed, k):
    points = torch.randn(23, 3, generator=dice(seed), dtype=torch.float64)
    groups = k_means(points, k, dice(seed))
    assert set(groups.tolist()) <= set(range(k))
    means = torch.stack([points[groups == group].mean(0) for group in groups.unique()])
    nearest = groups.unique()[torch.cdist(points, means).argmin(1)]
    # exact: the numbers of groups
    assert torch.equal(nearest, groups)


def test_the_same_generator_finds_the_same_groups_and_leaves_points_alone():
    points, _ = islands(0)
    copy = points.clone()
    # exact: the numbers of groups
    assert torch.equal(k_means(points, 4, dice(7)), k_means(points, 4, dice(7)))
    assert torch.equal(points, copy)  # exact: nothing is computed


def test_points_that_are_all_alike_are_grouped_too():
    assert len(k_means(torch.ones(5, 2), 3, dice())) == 5


def test_purity_counts_the_most_frequent_class_of_each_group():
    groups = torch.tensor([2, 2, 2, 0, 0, 7])
    classes = torch.tensor([9, 9, 1, 1, 9, -3])
    assert purity(groups, classes) == pytest.approx(4 / 6)
    renamed = torch.tensor([0, 0, 0, 5, 5, 1])
    assert purity(renamed, classes) == pytest.approx(4 / 6)
    assert purity(torch.zeros(6, dtype=torch.long), classes) == pytest.approx(3 / 6)


@pytest.mark.parametrize("k", [0, 6])
def test_more_groups_than_points_are_refused(k):
    with pytest.raises(ValueError, match=rf"k must be between 1 and .* got k={k} for 5 points"):
        k_means(torch.randn(5, 2), k, dice())


def test_other_refusals(unchecked):
    with pytest.raises(ValueError, match="n_starts must be at least 1, got n_starts=0"):
        k_means(torch.randn(5, 2), 2, dice(), n_starts=0)
    with pytest.raises(ValueError, match=r"must have one shape.*got \(3,\) and \(2,\)"):
        purity(torch.tensor([0, 1, 1]), torch.tensor([0, 1]))
