"""lmcourse.loop.batching: all is seen, nothing twice, and a step's examples depend on it alone."""

from array import array
from collections import Counter, namedtuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader

from lmcourse.loop.batching import Examples, source_of, to_device
from lmcourse.text_windows import Windows

small = st.integers(1, 13)


# ---------------------------------------------------------------- examples


@given(n=small, batch_size=small, seed=small)
def test_all_examples_are_seen_before_one_comes_again(n, batch_size, seed):
    source = Examples(list(range(n)))
    n_steps = 3 * n
    seen = [
        index for step in range(n_steps) for index in source.sample_indices(batch_size, step, seed)
    ]
    assert len(seen) == n_steps * batch_size
    for start in range(0, len(seen), n):
        assert Counter(seen[start : start + n]) == Counter(range(n))


def test_each_pass_has_its_own_order_and_the_seed_decides():
    source = Examples(list(range(20)))
    first, second = source.sample_indices(20, 0, seed=0), source.sample_indices(20, 1, seed=0)
    assert sorted(first) == sorted(second)
    assert first != second
    assert source.sample_indices(20, 0, seed=0) == first
    assert source.sample_indices(20, 0, seed=1) != first


@given(n=small, batch_size=small)
def test_once_keeps_the_order_and_the_last_few(n, batch_size):
    batches = list(Examples([torch.tensor(k) for k in range(n)]).one_pass(batch_size))
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


KINDS_OF_IDS = {
    "list": list(range(9)),
    "tuple": tuple(range(9)),
    "range": range(9),
    "numbers of NumPy": list(np.arange(9, dtype=np.uint16)),
    "bytes": bytes(range(9)),
    "bytearray": bytearray(range(9)),
    "array": array("H", range(9)),
    **{
        f"NumPy {kind}": np.arange(9).astype(kind)
        for kind in ("uint8", "uint16", ">u2", "int32", "uint32", "int64", "uint64")
    },
    "NumPy backwards": np.arange(8, -1, -1)[::-1],
    **{f"{kind}": torch.arange(9).to(kind) for kind in (torch.uint8, torch.uint16, torch.int32)},
}


@pytest.mark.parametrize("ids", KINDS_OF_IDS.values(), ids=KINDS_OF_IDS)
def test_every_row_of_whole_numbers_is_ids(ids):
    source = source_of(WithContext(), ids)
    assert isinstance(source, Windows)
    expected = Windows(torch.arange(9), 3)
    for (ours, n), (theirs, m) in zip(source.one_pass(2), expected.one_pass(2), strict=True):
        assert n == m
        for one, two in zip(ours, theirs, strict=True):
            assert one.dtype == torch.int64
            # exact: ids
            assert torch.equal(one, two)


def test_ids_in_a_file_stay_there(tmp_path):
    """As nanoGPT writes them; opened to be read only, they give no warning either."""
    np.arange(5000, dtype=np.uint16).tofile(tmp_path / "train.bin")
    ids = np.memmap(tmp_path / "train.bin", dtype=np.uint16, mode="r")
    source = source_of(WithContext(), ids)
    assert source.ids is ids
    windows, targets = source.batch([0, 4990])
    assert windows.tolist() == [[0, 1, 2], [4990, 4991, 4992]]
    # exact: ids
    assert torch.equal(targets, windows + 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("a text", "data must be ids, got text that begins with 'a text': make ids of it with tok"),
        (DataLoader([1, 2]), "got a DataLoader: give its dataset, and its collate_fn as collate"),
        (iter([1, 2]), "with a length and an index from 0, got list_iterator"),
        ({1, 2}, "with a length and an index from 0, got set"),
        ({"train": [1, 2]}, "with a length and an index from 0, got dict"),
        (np.array(3), "with a length and an index from 0, got ndarray"),
        (torch.tensor(3), "with a length and an index from 0, got Tensor"),
        (17, "with a length and an index from 0, got int"),
        ([1, 2.5], "ids must be whole numbers, got float64"),
    ],
)
def test_what_is_no_data_is_refused_by_name(data, words, unchecked):
    with pytest.raises(ValueError, match=words):
        source_of(WithContext(), data)


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
