"""lmcourse.alignment_runs: the comparison, small, and what is kept of it."""

import pytest

from lmcourse import alignment_runs
from lmcourse.carried_sums import is_right, new_gpt

SMALL = {
    "READ_STEPS": 2, "ANSWER_STEPS": 2, "REWARD_STEPS": 2, "DPO_STEPS": 2, "REINFORCE_STEPS": 1,
    "LOOKS": (0, 1), "N_PAIRS": (8,), "BETAS": (0.5,), "CONTRASTS": (0,), "N_SEEDS": 1,
    "N_SHOWN": 1,
}  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    """A step or two of everything; a small exam, and few pairs."""
    for name, value in SMALL.items():
        monkeypatch.setattr(alignment_runs, name, value)
    real = alignment_runs.preferences
    monkeypatch.setattr(alignment_runs, "preferences", lambda n, *rest: real(min(n, 20), *rest))
    monkeypatch.setattr(alignment_runs, "score", lambda model, reward, **options: 0.25)


def test_every_part_is_measured_once_and_a_story_told(small, tmp_path, monkeypatch):
    found = alignment_runs.measure(tmp_path, 3)
    assert found["right, step 1, right, seed 0"] == 0.25
    assert found["hole 0.04, step 0, distance, seed 0"] == pytest.approx(0, abs=1e-5)
    assert {"reward, 8, agreed, seed 0", "winners, chosen, seed 0"} <= found.keys()
    assert 0.5 < found["best possible, seed 0"] < 1
    assert {path.name for path in tmp_path.iterdir()} == {
        "answers-3.safetensors", "read-3.safetensors", "runs.json", "story.json"
    }  # fmt: skip

    def fail(*args, **options):
        raise AssertionError("measured again")

    monkeypatch.setattr(alignment_runs, "answering", fail)
    assert alignment_runs.measure(tmp_path, 3) == found


def test_seeds_have_models_of_their_own(tmp_path, monkeypatch):
    calls = []

    def part(model, seed):
        calls.append((model, seed))
        return {"right": 0.1 * seed}

    monkeypatch.setattr(alignment_runs, "N_SEEDS", 2)
    monkeypatch.setattr(alignment_runs, "PARTS", {"one": part})
    monkeypatch.setattr(alignment_runs, "answering", lambda folder, seed: f"model {seed}")
    monkeypatch.setattr(alignment_runs, "told", lambda folder, seed: {})
    numbers = alignment_runs.measure(tmp_path, 5)
    assert calls == [("model 5", 5), ("model 6", 6)]
    assert numbers == {"right, seed 0": pytest.approx(0.5), "right, seed 1": pytest.approx(0.6)}


def test_the_coin_knows_nothing():
    toss = alignment_runs.coin(0)
    tossed = [toss(["8", "2"], (37, 45)) for _ in range(2000)]
    assert set(tossed) == {0.0, 1.0}
    assert sum(tossed) / 2000 == pytest.approx(0.2, abs=0.03)


def test_replies_come_with_their_probabilities():
    found = alignment_runs.likeliest_replies(new_gpt(0), (37, 45), n=3)
    assert len(found) == 3
    probs = list(found.values())
    assert probs == sorted(probs, reverse=True)
    assert 0 < sum(probs) <= 1 + 1e-6
    assert all(is_right(text.split(), (37, 45)) in (0, 1) for text in found)


def test_a_model_that_never_ends_has_no_replies(monkeypatch):
    monkeypatch.setattr(alignment_runs, "MOST_TOKENS", 0)  # as if each reply had been cut
    assert alignment_runs.likeliest_replies(new_gpt(0), (37, 45)) == {}
