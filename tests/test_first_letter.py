"""lmcourse.first_letter: the task, its floor and its ceiling, and a comparison that can go on."""

import math

import pytest
import torch
from seeds import rng, start
from torch import nn

from lmcourse import first_letter as module
from lmcourse.first_letter import (
    LAYERS,
    N_KINDS,
    N_SEEDS,
    RATES,
    TorchReader,
    late_shares,
    learning_curve,
    letters,
    measure,
    measure_longer,
    reader_of,
    shares_of,
)
from lmcourse.recurrent import RNN


class Oracle(nn.Module):
    """Answers with the letter at one place: the first is right, another is right by chance."""

    def __init__(self, place):
        super().__init__()
        self.place, self.nothing = place, nn.Parameter(torch.zeros(1))

    def forward(self, ids):
        return nn.functional.one_hot(ids[:, self.place], N_KINDS) + self.nothing


def test_letters_are_of_all_kinds_and_each_comes_equally_often():
    ids = letters(10, 1600, rng())
    assert ids.shape == (1600, 10)
    counts = torch.bincount(ids.flatten(), minlength=N_KINDS)
    # 2000 ± 42 of 16000 each; five standard deviations: a chance of 5e-6.
    assert (counts - 2000).abs().max() < 210


def test_the_ceiling_is_1_and_who_knows_another_letter_is_right_once_in_eight():
    assert learning_curve(Oracle(0), 6, (1, 2), seed=0) == pytest.approx([1.0, 1.0])
    (share,) = learning_curve(Oracle(-1), 6, (1,), seed=0)
    # 250 ± 15 of 2000; five standard deviations: a chance of 6e-7.
    assert abs(share - 1 / N_KINDS) < 0.037


def test_a_plain_network_learns_the_first_of_three_letters():
    start()
    (share,) = learning_curve(reader_of("plain", 3), 3, (150,), seed=0)
    assert share > 0.95


@pytest.mark.parametrize("name", LAYERS)
def test_all_layers_are_of_one_width_and_start_as_their_name_says(name):
    start()
    layer = LAYERS[name](50)
    width = module.D_HIDDEN * (2 if name == "plain, wide" else 1)
    assert (layer.d_input, layer.d_output) == (module.D_INPUT, width)
    cell = layer.layers[0][0]
    total = cell.input_projection.bias + cell.hidden_projection.bias
    blocks = total.split(width)
    if name == "LSTM, drawn":
        written, kept = blocks[:2]
        torch.testing.assert_close(written, -kept)
        assert 0 <= kept.min() < kept.max() <= math.log(49), "from one letter to all but one"
        assert kept.exp().std() > 5, "each unit has a time of its own"
        blocks = blocks[2:]
    opened = {"LSTM, forget": [1], "LSTM, both": [0, 1], "LSTM, input": [0], "GRU, open": [1]}
    for gate, block in enumerate(blocks):
        if gate in opened.get(name, []):
            sign = -1 if name.startswith("LSTM") and gate == 0 else 1
            torch.testing.assert_close(block, torch.full_like(block, sign * math.log(50)))
        else:
            assert block.abs().max() < 0.5
    if name == "plain, orthogonal":
        u = cell.hidden_projection.weight
        torch.testing.assert_close(u @ u.T, torch.eye(len(u)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", LAYERS)
def test_torchs_layer_gives_the_same_logits(name):
    start()
    reader, ids = reader_of(name, 9), letters(9, 5, rng())
    torch.testing.assert_close(TorchReader(reader)(ids), reader(ids), atol=1e-5, rtol=1e-5)


def test_the_comparison_takes_finished_runs_from_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LAYERS", {"plain": lambda n: RNN(4, 5)})
    monkeypatch.setattr(module, "LENGTHS", {"plain": (3,)})
    monkeypatch.setattr(module, "STEPS", (1, 2))
    numbers = measure(tmp_path, seed=3)
    assert set(numbers) == {
        *(f"plain, 3 letters, rate {rate}" for rate in RATES),
        *(f"plain, 3 letters, {n} steps, seed {k}" for n in (1, 2) for k in range(N_SEEDS)),
    }
    assert len(shares_of(numbers, "plain", 3, 2)) == N_SEEDS
    monkeypatch.setattr(module, "learning_curve", None)
    assert measure(tmp_path, seed=3) == numbers
    (tmp_path / "runs.json").unlink()
    with pytest.raises(TypeError):
        measure(tmp_path, seed=3)


def test_those_who_wait_have_the_larger_rate_and_go_on_where_they_stopped(tmp_path, monkeypatch):
    asked = []

    def curve(reader, n_letters, checkpoints, seed, rate):
        asked.append((type(reader.recurrent).__name__, n_letters, seed))
        return [rate * step + seed for step in checkpoints]

    monkeypatch.setattr(module, "learning_curve", curve)
    numbers = measure_longer(tmp_path, seed=7)
    assert len(numbers) == module.N_PATIENT * (3 + 3 + 1)
    assert {n for _, n, _ in asked} == {50}
    assert {seed for _, _, seed in asked} == set(range(7, 7 + module.N_PATIENT))
    expected = [max(RATES) * 3000 + s for s in range(7, 7 + module.N_PATIENT)]
    assert late_shares(numbers, "GRU", 3000) == expected
    monkeypatch.setattr(module, "learning_curve", None)
    assert measure_longer(tmp_path, seed=7) == numbers
