"""lmcourse.label_runs: the comparison, whole and small, and what is stored of it."""

import pytest
import torch

from lmcourse import label_runs
from lmcourse.few_labels import Language, new_gpt


@pytest.fixture
def small(monkeypatch):
    """Two steps of reading and two of fine-tuning."""
    fit = label_runs.fit
    monkeypatch.setattr(label_runs, "N_STEPS", 2)
    monkeypatch.setattr(label_runs, "DOSES", (0, 2))
    monkeypatch.setattr(label_runs, "SIZES", (4,))
    monkeypatch.setattr(label_runs, "RANKS", (1,))
    monkeypatch.setattr(
        label_runs, "fit", lambda *args, n_steps=2, **options: fit(*args, n_steps=2, **options)
    )


def test_every_part_is_measured_once_and_for_each_language(small, tmp_path, monkeypatch):
    monkeypatch.setattr(label_runs, "N_SEEDS", 1)
    found = label_runs.measure(tmp_path, 3)
    shares = [value for name, value in found.items() if ", right" in name or "control" in name]
    assert len(shares) > 20
    assert all(0 <= value <= 1 for value in shares)
    assert {"pre-trained, 4, seed 0", "scratch, 4, seed 0", "counted, 4, seed 0"} <= found.keys()
    assert found["mood, head, old loss, seed 0"] == pytest.approx(found["old, before, seed 0"])
    assert found["denied, head, optimizer, seed 0"] == 8 * found["denied, head, trained, seed 0"]
    assert found["denied, LoRA 1, trained, seed 0"] < found["denied, full, trained, seed 0"] / 40
    sizes = [found[f"{kind}, bytes, seed 0"] for kind in ("nf4", "int8", "float32")]
    assert sizes == sorted(sizes)
    assert found["int8, off, seed 0"] < found["nf4, off, seed 0"] < 0.2

    def fail(*args, **options):
        raise AssertionError("measured again")

    monkeypatch.setattr(label_runs, "tuned", fail)
    monkeypatch.setattr(label_runs, "pretrain", fail)
    assert label_runs.measure(tmp_path, 3) == found


def test_languages_have_seeds_of_their_own(tmp_path, monkeypatch):
    calls = []

    def part(body, language, seed, rates):
        calls.append((language.seed, seed, rates))
        return {"right": 0.1 * seed}

    monkeypatch.setattr(label_runs, "N_SEEDS", 3)
    monkeypatch.setattr(label_runs, "PARTS", {"one": part})
    monkeypatch.setattr(label_runs, "kept_body", lambda folder, seed: new_gpt(seed))
    monkeypatch.setattr(label_runs, "chosen_rates", lambda way, folder, seed: {way: seed / 1000})
    numbers = label_runs.measure(tmp_path, 5)
    rates = {way: pytest.approx(0.105) for way in label_runs.RATES}
    assert calls == [(5, 5, rates), (6, 6, rates), (7, 7, rates)]
    assert numbers["right, seed 2"] == pytest.approx(0.7)
    assert numbers["rate, full"] == pytest.approx(0.105)


def test_a_body_is_read_once_and_kept(small, tmp_path):
    body = label_runs.kept_body(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["body-1.safetensors"]
    again = label_runs.kept_body(tmp_path, 1)
    for one, two in zip(body.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)  # exact: copies


@pytest.mark.parametrize("way", label_runs.RATES)
def test_the_rate_that_is_right_more_often_is_chosen(way, tmp_path, monkeypatch):
    shares = dict(zip(label_runs.RATES[way], (0.6, 0.9, 0.7, 0.5), strict=True))
    monkeypatch.setattr(label_runs, "kept_body", lambda folder, seed: new_gpt(seed))
    monkeypatch.setattr(
        label_runs, "tuned", lambda body, language, kind, rate, *rest: (shares[rate], {})
    )
    best = label_runs.RATES[way][1]
    found = label_runs.chosen_rates(way, tmp_path, 0)
    assert found == {f"{way}, mood": best, f"{way}, denied": best}


def test_other_company_is_another_language_of_the_same_words():
    one, other = Language(4), Language(504)
    assert set(one.camps[0]) | set(one.camps[1]) == set(other.camps[0]) | set(other.camps[1])
    kept = len(set(one.camps[0]) & set(other.camps[0]))
    assert 3 <= kept <= 17  # of 20, where 10 are expected
