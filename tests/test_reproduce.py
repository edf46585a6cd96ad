"""lmcourse.commands.reproduce: results that are stored whole, and small runs of the same code."""

import json

import pytest

from lmcourse.commands.reproduce import EXPERIMENTS, Experiment, missed, reproduce, stored
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
