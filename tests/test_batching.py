"""lmcourse.batching: all is seen, nothing twice, and a step's examples depend on it alone."""

from collections import Counter, namedtuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lmcourse.batching import Examples, Windows, source_of, to_device

small = st.integers(1, 13)


# ---------------------------------------------------------------- windows of a text


@given(n=st.integers(2, 60), length=small, batch_size=small)
def test_each_id_but_the_first_is_a_target_once(n, length, batch_size):
    batches = list(Windows(list(range(n)), length).once(batch_size))
    targets = torch.cat([batch[1].flatten() for batch, _ in batches])
    assert targets.tolist() == list(range(1, n))
    for (ids, following), n_windows in batches:
        assert len(ids) == n_windows <= batch_size
        assert torch.equal(following, ids + 1)


@given(n=st.integers(2, 60), length=small, step=small, seed=small)
def test_windows_start_anywhere_and_the_target_comes_next(n, length, step, seed):
    source = Windows(torch.arange(100, 100 + n), length)
    if n <= length:
        with pytest.raises(ValueError, match=f"got {n} ids, context_length={length}"):
            source.draw(3, step, seed)
        return
    ids, targets = source.batch(source.draw(50, step, seed))
    assert ids.shape == (50, length)
    assert torch.equal(targets, ids + 1)
    assert ids.min() >= 100
    assert targets.max() < 100 + n
    starts = set(ids[:, 0].tolist())
    # 50 draws of at most 5 places: the chance that one is left out is below 1e-4.
    assert n - length > 5 or starts == set(range(100, 100 + n - length))


def test_a_step_sees_the_same_whenever_it_is_asked():
    source = Windows(torch.arange(1000), 8)
    again = Windows(torch.arange(1000), 8)
    for step in (7, 3, 5):
        again.draw(4, step, 0)
    assert source.draw(4, 5, 0) == again.draw(4, 5, 0)
    assert source.draw(4, 5, 0) != source.draw(4, 6, 0)
    assert source.draw(4, 5, 0) != source.draw(4, 5, 1)


def test_a_text_needs_two_ids_and_a_window_one():
    with pytest.raises(ValueError, match="ids must be at least two, one to start from, got 1"):
        Windows([5], 3)
    with pytest.raises(ValueError, match="context_length must be at least 1, got context_length=0"):
        Windows([5, 6], 0)


# ---------------------------------------------------------------- examples


@given(n=small, batch_size=small, seed=small)
def test_all_examples_are_seen_before_one_comes_again(n, batch_size, seed):
    source = Examples(list(range(n)))
    n_steps = 3 * n
    seen = [place for step in range(n_steps) for place in source.draw(batch_size, step, seed)]
    assert len(seen) == n_steps * batch_size
    for start in range(0, len(seen), n):
        assert Counter(seen[start : start + n]) == Counter(range(n))


def test_each_pass_has_its_own_order_and_the_seed_decides():
    source = Examples(list(range(20)))
    first, second = source.draw(20, 0, seed=0), source.draw(20, 1, seed=0)
    assert sorted(first) == sorted(second)
    assert first != second
    assert source.draw(20, 0, seed=0) == first
    assert source.draw(20, 0, seed=1) != first


@given(n=small, batch_size=small)
def test_once_keeps_the_order_and_the_last_few(n, batch_size):
    batches = list(Examples([torch.tensor(k) for k in range(n)]).once(batch_size))
    assert torch.cat([batch for batch, _ in batches]).tolist() == list(range(n))
    assert [len(batch) for batch, _ in batches] == [size for _, size in batches]


def test_collate_makes_the_batch_and_torch_stacks_without_it():
    pairs = [(torch.tensor([1, 2]), 0), (torch.tensor([3, 4]), 1)]
    inputs, targets = Examples(pairs).batch([1, 0])
    assert inputs.tolist() == [[3, 4], [1, 2]]
    assert targets.tolist() == [1, 0]
    assert Examples(pairs, collate=len).batch([1, 0, 1]) == 3
    with pytest.raises(ValueError, match="data must hold at least one example, got none"):
        Examples([])


# ---------------------------------------------------------------- which of both


class WithContext(nn.Module):
    context_length = 3


@pytest.mark.parametrize("ids", [torch.arange(9), list(range(9)), range(9)])
def test_ids_become_windows_of_the_models_length(ids):
    source = source_of(WithContext(), ids)
    assert isinstance(source, Windows)
    assert source.context_length == 3
    assert source_of(nn.Linear(2, 2), ids, context_length=5).context_length == 5
    with pytest.raises(ValueError, match=r"must be given for a text and a Linear.*=None"):
        source_of(nn.Linear(2, 2), ids)


@pytest.mark.parametrize("data", [[(1, 2)], torch.zeros(4, 2), torch.zeros(4), ["text"]])
def test_everything_else_is_examples(data):
    assert isinstance(source_of(WithContext(), data), Examples)
    assert isinstance(source_of(WithContext(), [1, 2], collate=torch.tensor), Examples)


def test_a_batch_moves_with_all_its_parts(device):
    pair = namedtuple("pair", "ids names")
    batch = {"a": [torch.zeros(1), (torch.ones(2), 5)], "b": pair(torch.ones(1), "x")}
    moved = to_device(batch, device)
    assert moved["a"][0].device.type == moved["a"][1][0].device.type == device.type
    assert moved["a"][1][1] == 5
    assert moved["b"].ids.device.type == device.type
    assert moved["b"].names == "x"
