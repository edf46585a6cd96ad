"""tools/band_seeds.py: a band must have room for what many seeds measure."""

import json

import band_seeds
import pytest
from band_seeds import measured, without_room

ROW = {"page": "tiny", "name": "tiny-share", "low": "0.4", "high": "0.6", "seeds": "3"}


def lines(values, name="tiny-share"):
    return [
        json.dumps({"page": "tiny", "seed": seed, "numbers": {name: value}})
        for seed, value in enumerate(values)
    ]


def spread_over(low, high):
    return [low + (high - low) * i / 9 for i in range(10)]


@pytest.mark.parametrize(
    ("values", "wider"),
    [
        (spread_over(0.48, 0.52), None),
        (spread_over(0.42, 0.5), ("0.38", "0.6")),  # comes close below, has room above
        (spread_over(0.5, 0.7), ("0.4", "0.8")),  # leaves it above
        (spread_over(0.52, 0.9), ("0.4", "1")),  # a share has an end
        (spread_over(0.1, 0.9)[:9], None),  # too few
        ([0.7] * 10, None),  # stored, so another seed says nothing
    ],
)
def test_a_band_without_room_is_widened_on_that_side_alone(values, wider):
    found = list(without_room([ROW], measured(lines(values))))
    assert [(each.low, each.high) for each in found] == ([wider] if wider else [])


def test_what_is_no_share_may_pass_one_and_zero():
    row = ROW | {"low": "-0.5", "high": "1.5"}
    (found,) = without_room([row], measured(lines(spread_over(-0.5, 1.5))))
    assert (found.low, found.high) == ("-1.5", "2.5")
    assert "comes close to -0.5 to 1.5 with 10 seeds: -0.5 to 1.5" in str(found)


def test_a_seed_counts_once_and_a_page_without_a_seed_not_at_all():
    twice = lines([0.5]) + lines([0.6]) + [json.dumps({"page": "a", "seed": None, "numbers": {}})]
    assert measured(twice) == {("tiny", "tiny-share"): [0.6]}


def test_the_table_is_written_only_when_asked(tmp_path, monkeypatch, capsys):
    table, numbers = tmp_path / "bands.csv", tmp_path / "numbers.jsonl"
    before = "page,name,low,high,seeds\ntiny,tiny-share,0.4,0.6,3\n"
    table.write_text(before)
    numbers.write_text("\n".join(lines(spread_over(0.5, 0.7))))
    monkeypatch.setattr(band_seeds, "TABLE", table)
    monkeypatch.setattr("sys.argv", ["band_seeds.py", str(numbers)])
    assert band_seeds.main() == 1
    assert table.read_text() == before
    monkeypatch.setattr("sys.argv", ["band_seeds.py", str(numbers), "--widen"])
    assert band_seeds.main() == 0
    assert table.read_text() == "page,name,low,high,seeds\ntiny,tiny-share,0.4,0.8,10\n"
    assert "tiny-share leaves 0.4 to 0.6 with 10 seeds" in capsys.readouterr().out
