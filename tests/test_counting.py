"""lmcourse.counting: everybody is asked the same; a small run of the comparison."""

import math

import pytest
import torch
from seeds import SEED, rng

from lmcourse import counting
from lmcourse.counting import CONTEXT, MODELS, count, learn, loss, measure, of_seeds
from lmcourse.ngrams import NGramModel

HALF = CONTEXT // 2


class Watcher(torch.nn.Module):
    """Says of every id that it is as likely as the others; keeps what it was shown."""

    def __init__(self, vocab_size):
        super().__init__()
        self.vocab_size, self.shown = vocab_size, []

    def forward(self, ids):
        self.shown.append(ids)
        return torch.zeros(*ids.shape, self.vocab_size)


def drawn(n, vocab_size, k=0):
    return torch.randint(vocab_size, (n,), generator=rng(k))


def test_windows_overlap_by_a_half_and_cover_the_text():
    watcher, ids = Watcher(9), torch.arange(10 * HALF + 1)
    assert loss(watcher, ids % 9) == pytest.approx(math.log(9))
    shown = torch.cat(watcher.shown)
    assert shown.shape == (9, CONTEXT)
    assert shown[1:, :HALF].tolist() == shown[:-1, HALF:].tolist()  # exact: ids


def test_the_loss_of_a_table_is_that_of_its_own_probabilities():
    """A table looks back less than half a context: windows or the whole text are one to it."""
    ids = drawn(20 * HALF + 1, 5)
    model = NGramModel(3, 5).fit(drawn(500, 5, k=1))
    log_probs = model(ids[None, :-1])[0].gather(-1, ids[1:, None])[:, 0]
    assert loss(model, ids) == pytest.approx(-log_probs[HALF:].mean().item(), rel=1e-4)


def test_a_table_is_told_of_with_its_time_and_memory():
    parts = drawn(3000, 4), drawn(300, 4, k=1), drawn(400, 4, k=2)
    found = count(parts, 4, 2)
    model = NGramModel(2, 4).fit(parts[0])
    assert found["test"] == pytest.approx(loss(model, parts[2]))
    assert found["validation"] == pytest.approx(loss(model, parts[1]))
    assert found["bytes"] == model.n_bytes
    assert found["seconds"] >= 0


@pytest.mark.parametrize("name", MODELS)
def test_a_network_learns_what_repeats_and_the_same_again(name):
    parts = (torch.arange(7).repeat(200),) * 3
    first, again = (learn(name, parts, 7, 60, 1e-2, SEED) for _ in range(2))
    assert first["test"] < 0.5 * math.log(7)
    assert first["test"] == pytest.approx(again["test"], rel=1e-3)


def test_the_networks_have_about_as_many_parameters():
    sizes = [sum(p.numel() for p in make(65).parameters()) for make in MODELS.values()]
    assert max(sizes) < 1.2 * min(sizes)


def test_a_comparison_is_measured_once(tmp_path, monkeypatch):
    text = "".join("abcdefg"[i] for i in drawn(3000, 7).tolist())
    monkeypatch.setattr(counting, "load_dataset", lambda name: {"all": text})
    monkeypatch.setattr(counting, "STEPS", {1: 2, 2: 2, 3: 1})
    monkeypatch.setattr(counting, "SEARCHED", (1, 2))
    numbers = measure(tmp_path, SEED)
    for name in MODELS:
        for steps, n_seeds in counting.STEPS.items():
            assert numbers[f"{name}, {steps} steps, rate"] in counting.RATES
            assert len(of_seeds(numbers, name, steps)) == n_seeds
        assert numbers[f"{name}, 3 steps, rate"] == numbers[f"{name}, 2 steps, rate"]
    # Letters at random: a longer window brings nothing, and a table is at the entropy at once.
    assert numbers["order 1, test"] == pytest.approx(math.log(7), abs=0.05)
    assert numbers["order 8, test"] > numbers["order 1, test"]
    monkeypatch.setattr(counting, "learn", None)  # nothing is trained a second time
    assert measure(tmp_path, SEED) == numbers  # exact: what was kept


def test_eight_tenths_up_to_the_last_hold_what_it_goes_on_with(tmp_path, monkeypatch):
    text = "".join("abcdefg"[i] for i in drawn(2400, 7).tolist()) + "gfedcba" * 90
    monkeypatch.setattr(counting, "load_dataset", lambda name: {"all": text})
    nothing = {"validation": 0.0, "test": 0.0, "seconds": 0.0}
    monkeypatch.setattr(counting, "learn", lambda *_: nothing)
    numbers = measure(tmp_path, SEED)
    first, before = (numbers[f"{name}, test"] for name in ("order 6", counting.EIGHT_BEFORE))
    assert before < 0.5 * first
    assert before == pytest.approx(numbers[f"{counting.NINE_TENTHS}, test"], abs=0.1)
