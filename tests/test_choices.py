"""lmcourse.applications.choices: repetition and surprise by hand, and a comparison that is kept."""

import math

import pytest
import torch

from lmcourse.applications import choices
from lmcourse.applications.choices import (
    BEAM,
    HUMAN,
    N_SEEDS,
    RULES,
    measure,
    of_seeds,
    repeated,
    surprise,
)
from lmcourse.pretrained import shipped


def test_repetition_by_hand():
    assert repeated([1, 2, 3, 4, 5, 6]) == pytest.approx(0)
    assert repeated([7] * 8) == pytest.approx(4 / 5)  # five runs of four, all the same
    assert repeated([1, 2, 1, 2, 1], n=2) == pytest.approx(2 / 4)


def test_surprise_is_the_mean_of_the_last_tokens_alone():
    table = torch.tensor([[0.5, 0.5], [0.1, 0.9]]).log()
    found = surprise(lambda ids: table[ids], torch.tensor([[0, 1, 1, 0], [1, 0, 0, 0]]), 2)
    expected = [-(math.log(0.9) + math.log(0.1)) / 2, math.log(2)]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_a_beam_finds_what_is_less_surprising_and_a_study_is_kept(tmp_path, monkeypatch):
    text = (
        "ROMEO:\nI will not go, my lord.\n\nJULIET:\nGood night, sweet love, good night.\n\n" * 60
    )
    monkeypatch.setattr(choices, "load_dataset", lambda name: {"all": text})
    for name, value in {"PROMPT": 6, "WRITTEN": 6, "N_PROMPTS": 2, "HELD_OUT": 0.9}.items():
        monkeypatch.setattr(choices, name, value)
    numbers = measure(tmp_path, 0)
    beams, greedy = (torch.tensor(of_seeds(numbers, each, "surprise")) for each in (BEAM, "greedy"))
    assert beams.mean() < greedy.mean() + 1e-4
    wild = torch.tensor(of_seeds(numbers, "temperature 1.5", "surprise"))
    assert (wild > greedy).all()
    assert len(numbers) == 2 * N_SEEDS * (len(RULES) + 2)
    monkeypatch.setattr(choices, "_tell", None)
    assert measure(tmp_path, 0) == numbers
    assert of_seeds(numbers, HUMAN, "repeated")


def test_the_model_and_its_prompts_fit_into_one_context():
    model, _ = shipped("shakespeare")
    assert model.config.context_length >= choices.PROMPT + choices.WRITTEN
