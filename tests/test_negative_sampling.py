"""lmcourse.negative_sampling against plain loops and against autograd."""

import math
from collections import Counter, defaultdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import rng

from lmcourse.co_occurrence import BREAK
from lmcourse.negative_sampling import (
    keep_probs,
    negative_sampling_gradients,
    negative_sampling_loss,
    neighbor_weights,
    noise_probs,
    subsample,
    text_blocks,
)

texts = st.lists(st.lists(st.integers(0, 5), max_size=9), min_size=1, max_size=5).filter(any)


def in_a_row(rows):
    return torch.tensor([id_ for row in rows for id_ in (*row, BREAK)])


def counts_of(ids, vocab_size=6):
    return torch.bincount(ids[ids >= 0], minlength=vocab_size).clamp(min=1)


# ---------------------------------------------------------------- the loss


def scored(device, dtype=torch.double):
    """Scores of some size, and weights of which some are 0."""
    draw = {"dtype": dtype}
    near = torch.rand(2, 3, 7, generator=rng(), **draw)
    near = (near * (near > 0.4)).to(device)
    of_neighbors = 3 * torch.randn(2, 3, 7, generator=rng(1), **draw)
    of_noise = 3 * torch.randn(2, 3, 5, generator=rng(2), **draw)
    return (of_neighbors.to(device), of_noise.to(device)), near


def test_the_loss_is_the_formula_of_the_paper_in_a_loop(device):
    (of_neighbors, of_noise), near = scored(device)
    total = 0.0
    for b, t, s in near.nonzero().tolist():
        together = -math.log(1 / (1 + math.exp(-of_neighbors[b, t, s])))
        apart = sum(-math.log(1 / (1 + math.exp(x))) for x in of_noise[b, t].tolist())
        # Four negatives, for which all five of the noise stand.
        total += near[b, t, s].item() * (together + 4 / 5 * apart)
    loss = negative_sampling_loss((of_neighbors, of_noise), near, n_negatives=4)
    assert loss.item() == pytest.approx(total / near.sum().item())


def test_the_gradients_are_those_of_autograd(device):
    scores, near = scored(device)
    scores = tuple(each.requires_grad_() for each in scores)
    expected = torch.autograd.grad(negative_sampling_loss(scores, near, 3), scores)
    for found, each in zip(negative_sampling_gradients(scores, near, 3), expected, strict=True):
        torch.testing.assert_close(found, each)


def test_no_score_is_too_large_for_the_loss():
    scores = torch.tensor([[300.0, -300.0]]), torch.tensor([[300.0, -300.0]])
    loss = negative_sampling_loss(scores, torch.ones(1, 2), n_negatives=2)
    assert loss.item() == pytest.approx((300 + 2 * 300) / 2)


def test_words_that_are_all_alone_have_no_loss_and_no_gradient():
    scores, near = scored("cpu")
    assert negative_sampling_loss(scores, near * 0).item() == 0
    assert all(not each.any() for each in negative_sampling_gradients(scores, near * 0))


# ---------------------------------------------------------------- which words, how often


def test_frequent_words_are_kept_as_often_as_the_root_says():
    counts = torch.tensor([900, 90, 9, 1])
    expected = [math.sqrt(0.01 / 0.9), math.sqrt(0.01 / 0.09), 1, 1]
    assert keep_probs(counts, 0.01).tolist() == pytest.approx(expected)
    ids = torch.arange(4).repeat_interleave(counts * 20)
    kept = torch.bincount(subsample(ids, counts, rng(), 0.01), minlength=4)
    for n, of, prob in zip(kept.tolist(), (counts * 20).tolist(), expected, strict=True):
        # Six standard deviations: a false alarm in 500 million.
        assert abs(n - of * prob) <= 6 * math.sqrt(of * prob * (1 - prob))


@given(texts)
def test_thinning_out_keeps_the_order_and_every_break(rows):
    ids = in_a_row(rows)
    kept = subsample(ids, counts_of(ids), rng(), threshold=0.1)
    rest = iter(ids.tolist())
    assert all(id_ in rest for id_ in kept.tolist())
    assert (kept == BREAK).sum() == (ids == BREAK).sum() == len(rows)
    torch.testing.assert_close(subsample(ids, counts_of(ids), rng(), threshold=1), ids)


def test_noise_is_drawn_by_count_to_the_power_of_three_quarters():
    assert noise_probs(torch.tensor([16, 1, 81])).tolist() == pytest.approx([8 / 36, 1 / 36, 0.75])
    assert noise_probs(torch.tensor([3, 1]), power=1).tolist() == pytest.approx([0.75, 0.25])


# ---------------------------------------------------------------- blocks of text


@given(texts, st.integers(1, 4), st.integers(1, 7), st.integers(1, 3))
def test_blocks_hold_every_pair_of_a_loop_with_its_weight(rows, window, length, batch_size):
    expected = defaultdict(float)
    for row in rows:
        for i, center in enumerate(row):
            for j, context in enumerate(row):
                if 0 < abs(i - j) <= window:
                    expected[center, context] += (window + 1 - abs(i - j)) / window
    found = defaultdict(float)
    ids = in_a_row(rows)
    sizes = {"length": length, "batch_size": batch_size, "n_shared": 4}
    for block, near in text_blocks(ids, counts_of(ids), rng(), window, threshold=1, **sizes):
        for b, t, s in near.nonzero().tolist():
            pair = block.centers[b, t].item(), block.contexts[b, s].item()
            found[pair] += near[b, t, s].item()
    assert found == pytest.approx(expected)


@given(st.lists(st.integers(0, 2), min_size=5, max_size=9).map(sorted), st.integers(1, 2))
def test_who_counts_as_a_neighbor_and_how_much_is_what_a_random_reach_gives(sentences, window):
    """The word2vec program draws how far a center looks, 1…window: the mean over all of them."""
    found = neighbor_weights(torch.tensor([sentences]), window)
    for t in range(len(sentences) - 2 * window):
        for s in range(len(sentences)):
            seen = [
                0 < abs(s - t - window) <= reach and sentences[s] == sentences[t + window]
                for reach in range(1, window + 1)
            ]
            assert found[0, t, s].item() == pytest.approx(sum(seen) / window)


def test_each_epoch_has_another_order_other_words_and_other_noise(device):
    ids = torch.randint(6, (400,), generator=rng()).to(device)
    options = {"threshold": 0.05, "length": 8, "batch_size": 9, "n_shared": 50}
    epochs = list(text_blocks(ids, counts_of(ids), rng(1), n_epochs=2, **options))
    assert {each.device.type for block, near in epochs for each in (*block, near)} == {device.type}
    first, second = epochs[0][0], epochs[len(epochs) // 2][0]
    assert first.centers.tolist() != second.centers.tolist()
    assert first.negatives.tolist() != second.negatives.tolist()
    again = next(text_blocks(ids, counts_of(ids), rng(1), **options))[0]
    # exact: ids
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_the_noise_of_the_blocks_is_that_of_the_probabilities():
    counts = torch.tensor([100, 10, 1, 0, 50, 5])
    ids = torch.arange(6).repeat_interleave(counts)
    drawn = Counter()
    for block, _ in text_blocks(ids, counts, rng(), n_epochs=20, length=2, batch_size=1):
        drawn.update(block.negatives.tolist())
    n = sum(drawn.values())
    for id_, prob in enumerate(noise_probs(counts).tolist()):
        assert abs(drawn[id_] - n * prob) <= 6 * math.sqrt(n * prob * (1 - prob))


def test_what_cannot_be_cut_or_thinned_is_refused():
    ids, counts = torch.tensor([1, 2, 0]), torch.tensor([1, 1, 1])
    with pytest.raises(ValueError, match="threshold must be positive, got threshold=0"):
        keep_probs(counts, 0.0)
    with pytest.raises(ValueError, match=r"ids must lie in 0…2, or be -1 .* got 3"):
        subsample(torch.tensor([3]), counts, rng())
    with pytest.raises(ValueError, match="ids must hold words, got none"):
        next(text_blocks(torch.tensor([BREAK]), counts, rng()))
    with pytest.raises(ValueError, match="window must be at least 1, got window=0"):
        next(text_blocks(ids, counts, rng(), window=0))
    with pytest.raises(ValueError, match="window must be at least 1, got window=0"):
        neighbor_weights(ids[None], 0)
    for name in ("length", "batch_size", "n_shared"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got {name}=0"):
            next(text_blocks(ids, counts, rng(), **{name: 0}))
