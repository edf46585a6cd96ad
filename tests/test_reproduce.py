"""lmcourse.commands.reproduce: results that are stored whole, and small runs of the same code."""

import json

import pytest
import torch

from lmcourse.commands import reproduce as module
from lmcourse.commands.reproduce import EXPERIMENTS, Experiment, missed, part_of, reproduce, stored
from lmcourse.data import SUMS


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_what_the_book_shows_is_stored_with_how_it_came_about(name):
    result = stored(name)
    assert missed(result) == []
    assert result["floors"] == EXPERIMENTS[name].floors
    assert result["command"] == f"lmcourse reproduce {name} --seed {result['seed']}"
    assert result["sha256"] == {file: SUMS[file] for file in EXPERIMENTS[name].files}
    assert {"python", "lmcourse", "torch"} == set(result["versions"])
    assert not any("+" in version for version in result["versions"].values())


def test_equal_keys_land_in_one_part_and_parts_are_80_10_10():
    parts = [part_of(f"sentence {i}") for i in range(5000)]
    assert parts == [part_of(f"sentence {i}") for i in range(5000)]
    # 500 ± 21 of 5000 each; five standard deviations: a chance of 1e-6.
    for name in ("validation", "test"):
        assert 394 < parts.count(name) < 606
    assert set(parts) == {"train", "validation", "test"}


def test_a_result_is_written_and_compared_with_its_floors(tmp_path, monkeypatch):
    monkeypatch.setitem(
        EXPERIMENTS,
        "tiny",
        Experiment(
            run=lambda folder, seed: {"score": seed + 0.123456, "bad": float("nan")},
            minutes=1,
            files=("rt-polarity.pos",),
            floors={"score": 3.0, "bad": 0.0},
        ),
    )
    result = reproduce("tiny", tmp_path / "new" / "folder", seed=2)
    assert result["numbers"]["score"] == pytest.approx(2.1235, abs=1e-12)
    written = (tmp_path / "new" / "folder" / "tiny.json").read_text(encoding="utf-8")
    assert json.loads(written)["command"] == "lmcourse reproduce tiny --seed 2"
    assert missed(result) == ["score is 2.12, below 3.00", "bad is nan, below 0.00"]
    assert missed(reproduce("tiny", tmp_path, seed=4)) == ["bad is nan, below 0.00"]


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(
        ValueError,
        match=f"one of {', '.join(sorted(EXPERIMENTS))}, got name='imdb'",
    ):
        reproduce("imdb", tmp_path)
    with pytest.raises(ValueError, match="that of a stored result, got name='imdb'"):
        stored("imdb")


def test_the_gain_over_counting_has_an_interval():
    truth = torch.arange(400) % 10 < 8
    numbers = module._shares({"naive_bayes": truth, "mean": truth, "lstm": ~truth})
    assert numbers["naive_bayes"] == pytest.approx(80)
    assert numbers["mean_gain_low"] == numbers["mean_gain_high"] == 0
    assert numbers["lstm_gain_low"] < -60 < numbers["lstm_gain_high"] < -50
