"""lmcourse.text_windows: each target once in order, any start at random, one cut for all."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.data import batches
from lmcourse.metrics import negative_log_likelihood
from lmcourse.text_windows import Windows

small = st.integers(1, 13)


@given(n=st.integers(2, 60), length=small, batch_size=small)
def test_each_id_but_the_first_is_a_target_once(n, length, batch_size):
    batches = list(Windows(list(range(n)), length).one_pass(batch_size))
    targets = torch.cat([batch[1].flatten() for batch, _ in batches])
    assert targets.tolist() == list(range(1, n))
    for (ids, following), n_windows in batches:
        assert len(ids) == n_windows <= batch_size
        # exact: ids
        assert torch.equal(following, ids + 1)


@given(n=st.integers(2, 60), length=small, step=small, seed=small)
def test_windows_start_anywhere_and_the_target_comes_next(n, length, step, seed):
    source = Windows(torch.arange(100, 100 + n), length)
    if n <= length:
        with pytest.raises(ValueError, match=f"got {n} ids, context_length={length}"):
            source.sample_indices(3, step, seed)
        return
    ids, targets = source.batch(source.sample_indices(50, step, seed))
    assert ids.shape == (50, length)
    # exact: ids
    assert torch.equal(targets, ids + 1)
    assert ids.min() >= 100
    assert targets.max() < 100 + n
    starts = set(ids[:, 0].tolist())
    # 50 draws of at most 5 starts: the chance that one is left out is below 1e-4.
    assert n - length > 5 or starts == set(range(100, 100 + n - length))


def test_a_step_sees_the_same_whenever_it_is_asked():
    source = Windows(torch.arange(1000), 8)
    again = Windows(torch.arange(1000), 8)
    for step in (7, 3, 5):
        again.sample_indices(4, step, 0)
    assert source.sample_indices(4, 5, 0) == again.sample_indices(4, 5, 0)
    assert source.sample_indices(4, 5, 0) != source.sample_indices(4, 6, 0)
    assert source.sample_indices(4, 5, 0) != source.sample_indices(4, 5, 1)


def test_a_text_needs_two_ids_and_a_window_one():
    with pytest.raises(ValueError, match="ids must be at least two, one to start from, got 1"):
        Windows([5], 3)
    with pytest.raises(ValueError, match="context_length must be at least 1, got context_length=0"):
        Windows([5, 6], 0)


@given(n=st.integers(2, 60), length=small, batch_size=small, seed=small)
def test_shuffled_batches_are_the_same_windows_in_another_order(n, length, batch_size, seed):
    windows = Windows(torch.arange(n), length)
    expected = [windows.batch([start])[0].tolist()[0] for start in windows.starts()]
    if not expected:
        return
    shuffled = [
        row for ids, _ in batches(range(n), batch_size, length, seed) for row in ids.tolist()
    ]
    assert sorted(shuffled) == expected


@given(n=st.integers(2, 60), length=small, batch_size=small)
def test_what_is_measured_was_read_in_the_same_windows(n, length, batch_size):
    read = []

    def model(ids):
        read.extend(ids.tolist())
        return torch.zeros(*ids.shape, 60)

    negative_log_likelihood(model, torch.arange(n), length, batch_size)
    passed = Windows(torch.arange(n), length).one_pass(batch_size)
    assert read == [row for (ids, _), _ in passed for row in ids.tolist()]
