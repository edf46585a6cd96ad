"""lmcourse.learning_to_write: all networks are treated alike; a small run of the comparison."""

import math

import pytest
import torch
from seeds import SEED, rng

from lmcourse import learning_to_write as module
from lmcourse.counting import CONTEXT
from lmcourse.kept_runs import kept_story
from lmcourse.learning_to_write import (
    MODELS,
    N_SEEDS,
    PROMPT,
    RATES,
    learn,
    losses_of,
    measure,
    write,
)
from lmcourse.tokenizers import CharTokenizer

TEXT = PROMPT * 200
TOKENIZER = CharTokenizer.train(TEXT)
PARTS = (torch.tensor(TOKENIZER.encode(TEXT)),) * 3


@pytest.mark.parametrize("name", MODELS)
def test_a_network_is_looked_at_on_its_way_and_learns_what_repeats(name):
    found = learn(name, PARTS, TOKENIZER, 1e-2, SEED, steps=(0, 20, 60))
    before, between, after = found["test"]
    assert before == pytest.approx(math.log(TOKENIZER.vocab_size), abs=0.5)
    assert before > between > after
    assert after < 0.5 * math.log(TOKENIZER.vocab_size)
    assert found["validation"] == pytest.approx(after, rel=1e-3)
    assert len(found["text"]) == 3
    assert all(text.startswith(PROMPT) for text in found["text"])


def test_looking_changes_nothing_of_the_training():
    seldom, often = (
        learn("LSTM", PARTS, TOKENIZER, 1e-2, SEED, steps=steps)["test"][-1]
        for steps in ((0, 30), (0, 5, 10, 20, 30))
    )
    assert seldom == pytest.approx(often, rel=1e-4)


def test_what_is_written_comes_from_the_model_and_not_from_luck():
    torch.manual_seed(SEED)
    first, other = (MODELS["plain"](TOKENIZER.vocab_size) for _ in range(2))
    written = write(first, TOKENIZER, 60)
    assert len(written) == len(PROMPT) + 60
    torch.manual_seed(SEED + 1)
    assert write(first, TOKENIZER, 60) == written
    with torch.no_grad():
        other.head.bias[0] += 100
    assert set(write(other, TOKENIZER, 60)[len(PROMPT) :]) == {TOKENIZER.decode([0])}


def test_the_networks_are_equally_wide():
    widths = {make(65).recurrent.d_output for make in MODELS.values()}
    assert len(widths) == 1


def test_a_table_is_asked_the_same_characters():
    ids = torch.randint(4, (3000,), generator=rng())
    nats = module.table_loss((ids, ids[:9], ids[: 9 * CONTEXT]), 4, 1)
    assert nats == pytest.approx(math.log(4), abs=0.05)


def test_parts_are_apart_and_in_order():
    ids = torch.arange(1000)
    learned, chosen_by, told = module.three_parts(ids)
    assert [len(part) for part in (learned, chosen_by, told)] == [800, 100, 100]
    assert torch.cat([learned, chosen_by, told]).tolist() == ids.tolist()  # exact: ids


def test_a_comparison_is_measured_once_with_the_rate_that_was_chosen(tmp_path, monkeypatch):
    calls = []

    def quick(name, parts, tokenizer, rate, seed, steps):
        calls.append((rate, seed))
        nats = [1.0 + rate + seed / 1000 for _ in steps]
        return {
            "validation": abs(rate - RATES[1]), "test": nats, "text": [f"{name} {seed}"] * 4,
        }  # fmt: skip

    monkeypatch.setattr(module, "load_dataset", lambda name: {"all": TEXT})
    monkeypatch.setattr(module, "learn", quick)
    numbers = measure(tmp_path, seed=7)
    assert len(calls) == len(MODELS) * (len(RATES) + N_SEEDS)
    assert {rate for rate, seed in calls if seed < 100} == {RATES[1]}
    assert numbers["LSTM, rate"] == RATES[1]
    rows = losses_of(numbers, "plain")
    assert [row[0] for row in rows] == pytest.approx(
        [1.0 + RATES[1] + (7 + each) / 1000 for each in range(N_SEEDS)]
    )
    told = kept_story(tmp_path)
    assert told["texts"]["plain"] == ["plain 7"] * 4, "the first seed writes"
    n_calls = len(calls)
    assert measure(tmp_path, seed=7) == numbers  # exact: what was kept
    assert len(calls) == n_calls
    # a table reads what repeats: a longer context is no worse here
    assert numbers["order 5"] < numbers["order 1"]


def test_a_run_that_was_stopped_goes_on_with_what_it_had(tmp_path, monkeypatch):
    done = []

    def stopped(name, parts, tokenizer, rate, seed, steps):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(name)
        return {"validation": rate, "test": [1.0] * len(steps), "text": [""] * len(steps)}

    monkeypatch.setattr(module, "load_dataset", lambda name: {"all": TEXT})
    monkeypatch.setattr(module, "learn", stopped)
    with pytest.raises(KeyboardInterrupt):
        measure(tmp_path, seed=0)
    again = []

    def rest(name, parts, tokenizer, rate, seed, steps):
        again.append(name)
        return {"validation": rate, "test": [1.0] * len(steps), "text": [""] * len(steps)}

    monkeypatch.setattr(module, "learn", rest)
    measure(tmp_path, seed=0)
    assert len(again) == len(MODELS) * (len(RATES) + N_SEEDS) - 5
