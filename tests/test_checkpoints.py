"""lmcourse.checkpoints: what was saved comes back to the bit, and what is wrong is named."""

import os
import pickle
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lmcourse import checkpoints
from lmcourse.checkpoints import load, read_notes, save
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
    return all(
        torch.equal(both[0][name], both[1][name]) for name in both[0].keys() | both[1].keys()
    )


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_what_was_saved_comes_back_to_the_bit(make, tmp_path):
    torch.manual_seed(0)
    model, other = make(), make()
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.add_(1)
    assert not same_weights(model, other)
    save(model, tmp_path / "model.safetensors")
    load(other, tmp_path / "model.safetensors")
    assert same_weights(model, other)


def test_logits_are_the_same_and_a_tied_head_stays_tied(tmp_path):
    model, other = GPT(TINY), GPT(TINY)
    save(model, tmp_path / "model.safetensors")
    load(other, tmp_path / "model.safetensors")
    ids = torch.tensor([[3, 1, 4]])
    assert torch.equal(model(ids), other(ids))
    assert other.head.weight is other.embedding
    shares = 4 * sum(parameter.numel() for parameter in model.parameters())
    # The header names each weight; the numbers themselves stand there once.
    assert shares <= (tmp_path / "model.safetensors").stat().st_size < shares + 4000


@settings(max_examples=8)
@given(notes=st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=9), max_size=4))
def test_notes_come_back(notes, tmp_path_factory):
    path = tmp_path_factory.mktemp("notes") / "model.safetensors"
    save(nn.Linear(2, 2), path, notes)
    assert read_notes(path) == notes


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
