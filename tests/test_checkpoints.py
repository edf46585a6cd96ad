"""lmcourse.checkpoints: what was saved comes back to the bit, and what is wrong is named."""

import os
import pickle
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lmcourse import checkpoints
from lmcourse.checkpoints import (
    load,
    load_or_train,
    load_tensors,
    named_weights,
    read_metadata,
    restored,
    save,
    save_tensors,
)
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.recurrent import LSTM, RecurrentLM
from lmcourse.transformer import Transformer, TransformerConfig

TINY = GPTConfig(vocab_size=11, context_length=13, d_model=12, n_heads=3, n_layers=2)
PAIR = TransformerConfig(
    source_vocab_size=5,
    target_vocab_size=6,
    context_length=7,
    d_model=8,
    n_heads=2,
    n_layers=1,
)
MAKERS = {
    "gpt": lambda: GPT(TINY),
    "untied": lambda: GPT(replace(TINY, tied_head=False, norm="rms")),
    "lstm": lambda: RecurrentLM(11, LSTM(5, 7, n_layers=2)),
    "pair": lambda: Transformer(PAIR),
    "buffers": lambda: nn.BatchNorm1d(3),
    "not contiguous": lambda: transposed(nn.Linear(3, 4)),
}


def transposed(layer):
    layer.weight = nn.Parameter(layer.weight.detach().T)
    return layer


def same_weights(one, two):
    both = one.state_dict(), two.state_dict()
    # exact: what was written and read
    return all(
        torch.equal(both[0][name], both[1][name]) for name in both[0].keys() | both[1].keys()
    )


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_what_was_saved_comes_back_to_the_bit(make, tmp_path):
    model, other = make(), make()
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.add_(1)
    assert not same_weights(model, other)
    save(model, tmp_path / "model.safetensors")
    load(other, tmp_path / "model.safetensors")
    assert same_weights(model, other)


def test_what_was_trained_once_is_read_the_next_time(tmp_path):
    trained = []

    def train(model):
        trained.append(model)
        torch.nn.init.ones_(model.weight)

    first, second = (nn.Linear(2, 3) for _ in range(2))
    path = tmp_path / "model.safetensors"
    assert load_or_train(first, path, train) is first
    assert load_or_train(second, path, train) is second
    assert trained == [first]
    # exact: what was saved comes back
    assert torch.equal(second.bias, first.bias)
    torch.testing.assert_close(second.weight, torch.ones(3, 2))


def test_logits_are_the_same_and_a_tied_head_stays_tied(tmp_path):
    model, other = GPT(TINY), GPT(TINY)
    save(model, tmp_path / "model.safetensors")
    load(other, tmp_path / "model.safetensors")
    ids = torch.tensor([[3, 1, 4]])
    torch.testing.assert_close(model(ids), other(ids))
    assert other.head.weight is other.embedding
    shares = 4 * sum(parameter.numel() for parameter in model.parameters())
    # The header names each weight; the numbers themselves stand there once.
    assert shares <= (tmp_path / "model.safetensors").stat().st_size < shares + 4000


class Tied(nn.Module):
    """Two names for numbers that are there once; how they came to be shared is told by `tie`."""

    def __init__(self, tie):
        super().__init__()
        self.body = nn.Linear(4, 6, bias=False)
        self.head = nn.Linear(4, 6, bias=False)
        self.extra = nn.Linear(2, 2)
        TIES[tie](self)


def tie_transposed(model):
    model.head = nn.Linear(6, 4, bias=False)
    model.head.weight.data = model.body.weight.data.T


def tie_a_part(model):
    """The part has the first name."""
    whole = torch.zeros(10, 4)
    model.body.weight.data, model.head = whole[2:8], nn.Linear(4, 10, bias=False)
    model.head.weight.data = whole


def tie_twins(model):
    """Neighbors in one buffer share no number, and each must be written."""
    whole = torch.zeros(12, 4)
    model.body.weight.data, model.head.weight.data = whole[:6], whole[6:]


def tie_overlapping(model):
    whole = torch.zeros(9, 4)
    model.body.weight.data, model.head.weight.data = whole[:6], whole[3:]


def tie_columns(model):
    """No stretch of memory: every second number."""
    whole = torch.zeros(6, 8)
    model.body.weight.data = model.head.weight.data = whole[:, ::2]


TIES = {
    "one object": lambda model: setattr(model.head, "weight", model.body.weight),
    "by data": lambda model: setattr(model.head.weight, "data", model.body.weight.data),
    "transposed": tie_transposed,
    "a part": tie_a_part,
    "twins": tie_twins,
    "overlapping": tie_overlapping,
    "columns": tie_columns,
}
N_NUMBERS = {"a part": 40, "twins": 48, "overlapping": 48}


@pytest.mark.parametrize("tie", TIES)
def test_numbers_that_share_their_memory_are_written_once_and_stay_shared(tie, tmp_path):
    model, other = Tied(tie), Tied(tie)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    save(model, tmp_path / "model.safetensors")
    load(other, tmp_path / "model.safetensors")
    assert same_weights(model, other)
    written = load_tensors(tmp_path / "model.safetensors")
    assert sum(x.numel() for x in written.values()) == N_NUMBERS.get(tie, 24) + 6
    memory = {x.untyped_storage().data_ptr() for x in (other.body.weight, other.head.weight)}
    assert len(memory) == 1


def compiled_inside():
    model = GPT(TINY)
    model.blocks[1] = torch.compile(model.blocks[1], backend="eager")
    return model


COMPILED = {
    "plain": lambda: GPT(TINY),
    "whole": lambda: torch.compile(GPT(TINY), backend="eager"),
    "a part": compiled_inside,
}


@pytest.mark.parametrize("make", COMPILED.values(), ids=COMPILED)
@pytest.mark.parametrize("make_other", COMPILED.values(), ids=COMPILED)
def test_a_compiled_model_has_the_names_of_the_plain_one(make, make_other, tmp_path):
    model, other = make(), make_other()
    save(model, tmp_path / "model.safetensors")
    assert load_tensors(tmp_path / "model.safetensors").keys() == named_weights(GPT(TINY)).keys()
    load(other, tmp_path / "model.safetensors")
    for name, weight in named_weights(model).items():
        # exact: what was written and read
        assert torch.equal(weight, named_weights(other)[name])


def test_a_file_of_a_compiled_model_with_its_own_names_is_read_too(tmp_path):
    model, other = GPT(TINY), GPT(TINY)
    weights = {f"_orig_mod.{name}": x for name, x in named_weights(model).items()}
    save_tensors(weights, tmp_path / "model.safetensors")
    load(other, tmp_path / "model.safetensors")
    assert same_weights(model, other)


def test_what_is_no_tensor_is_named(tmp_path):
    class Odd(nn.Linear):
        def get_extra_state(self):
            return {"count": 3}

    with pytest.raises(ValueError, match="nothing but tensors in its state_dict, got _extra_state"):
        save(Odd(2, 2), tmp_path / "model.safetensors")
    assert os.listdir(tmp_path) == []


@settings(max_examples=8)
@given(metadata=st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=9), max_size=4))
def test_metadata_comes_back(metadata, tmp_path_factory):
    path = tmp_path_factory.mktemp("metadata") / "model.safetensors"
    save(nn.Linear(2, 2), path, metadata)
    assert read_metadata(path) == metadata


def test_a_checkpoint_moves_between_types(tmp_path, device):
    model = nn.Linear(2, 3).to(device)
    save(model, tmp_path / "model.safetensors")
    other = nn.Linear(2, 3).double()
    load(other, tmp_path / "model.safetensors")
    assert other.weight.dtype == torch.float64
    torch.testing.assert_close(other.weight, model.weight.double().cpu())


@pytest.mark.parametrize(
    ("saved", "expected"),
    [
        (
            replace(TINY, d_model=15),
            r"blocks.0.attention.input_projection.bias must.*\(36,\).*\(45,",
        ),
        (replace(TINY, vocab_size=9), r"embedding must have the shape \(11, 12\).*got \(9, 12\)"),
        (replace(TINY, n_layers=1), "every weight of the model, blocks.1.attention.input_projec"),
        (replace(TINY, n_layers=3), "of the model alone, it has no .*blocks.2.attention"),
        (replace(TINY, tied_head=False), "of the model alone, it has no .*head.weight"),
    ],
)
def test_a_weight_that_does_not_fit_is_named_and_nothing_is_changed(saved, expected, tmp_path):
    save(GPT(saved), tmp_path / "model.safetensors")
    model = GPT(TINY)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=expected):
        load(model, tmp_path / "model.safetensors")
    # exact: copies
    assert all(torch.equal(before[name], x) for name, x in model.state_dict().items())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.safetensors'.*no such file"):
        load(nn.Linear(2, 2), tmp_path / "nowhere.safetensors")


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps(Bomb())])
def test_no_other_file_is_read_and_no_code_runs(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="path must be a safetensors file"):
        load(nn.Linear(2, 2), "model.safetensors")
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_a_write_that_fails_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path, model = tmp_path / "model.safetensors", nn.Linear(2, 2)
    save(model, path)
    last = path.read_bytes()

    def half_written(weights, target, metadata):
        target.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoints, "save_file", half_written)
    with pytest.raises(OSError, match="no space left"):
        save(nn.Linear(2, 2), path)
    assert path.read_bytes() == last
    assert os.listdir(tmp_path) == ["model.safetensors"]


# ---------------------------------------------------------------- fields in a file


@dataclass
class Point:
    x: int
    y: int = 2

    def __post_init__(self):
        if self.x < 0:
            raise ValueError(f"x must be at least 0, got x={self.x}")


def test_fields_come_back_and_those_with_a_default_may_be_missing():
    assert restored(Point, {"x": 3}, "here") == Point(3, 2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            [1],
            r"here must hold the fields of Point, got \[1\]: another version of lmcourse wrote it",
        ),
        ({"x": 1, "z": 5}, "here must hold no field that Point lacks, got z=5: another version"),
        ({"y": 1}, "here must hold every field of Point, x is missing: another version"),
        ({"x": -1}, "here must describe a Point, got x must be at least 0, got x=-1: another"),
        ({"x": "1"}, "here must describe a Point, got '<' not supported .*: another version"),
    ],
)
def test_fields_of_another_version_are_named(content, words, unchecked):
    with pytest.raises(ValueError, match=words):
        restored(Point, content, "here")
