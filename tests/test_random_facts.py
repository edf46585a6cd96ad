"""lmcourse.random_facts: nothing can be guessed, and the ways differ in what they say."""

import math

import pytest
import torch
from torch.nn import functional as F

from lmcourse import random_facts
from lmcourse.experts import MixtureOfExperts, parameters_used
from lmcourse.random_facts import (
    N_EXPERTS,
    N_OBJECTS,
    RATES,
    TIMES,
    WAYS,
    FactModel,
    Way,
    facts,
    known,
    learn,
    measure,
    of_seeds,
)

SEED = 3


def size(way):
    return sum(each.numel() for each in way.make().parameters())


def test_facts_are_drawn_alike_and_told_by_no_linear_map():
    x, objects = facts(4000, seed=SEED)
    counts = torch.bincount(objects, minlength=N_OBJECTS)
    assert ((counts - 1000).abs() < 5 * math.sqrt(1000)).all()
    # The best linear guess on half of them knows no more of the other half than chance does.
    half = len(x) // 2
    weight = torch.linalg.lstsq(x[:half], F.one_hot(objects[:half], N_OBJECTS).float()).solution
    right = ((x[half:] @ weight).argmax(-1) == objects[half:]).float().mean().item()
    assert right == pytest.approx(1 / N_OBJECTS, abs=5 * math.sqrt(1 / N_OBJECTS / half))


def test_what_vectors_have_in_common_is_what_was_asked_for():
    for common in (0.0, 1.0):
        x, _ = facts(common=common, seed=SEED)
        mean = x.mean(0).square().mean().item()
        assert mean == pytest.approx(common / (1 + common), abs=0.15)


def test_as_many_experts_have_the_parameters_of_as_wide_a_network_and_multiply_by_one():
    for times in TIMES:
        wide, mixture = WAYS[f"dense {times}"], WAYS[f"experts {times}"]
        layer = mixture.make()
        # One router and the further second biases are what is more.
        assert size(mixture) == size(wide) + 32 * times + 32 * (times - 1)
        assert parameters_used(layer)[0] == size(WAYS["dense 1"]) + 32 * times


def test_controls_have_all_weights_and_not_all_the_use():
    assert size(WAYS["one always"]) == size(WAYS["drawn"]) == size(WAYS["experts 8"])
    x, _ = facts(seed=SEED)
    assert WAYS["one always"].make().route(x).load[0] == 1
    used, kept = parameters_used(WAYS["halves"].make())
    assert used < 1.5 * parameters_used(WAYS["experts 8"].make())[0]
    assert kept < 1.1 * size(WAYS["experts 8"])


def test_a_drawn_router_stays_and_a_bias_evens_its_use_out():
    model, loads = learn(WAYS["drawn"], 0.03, SEED, n_steps=80)
    torch.manual_seed(SEED)
    drawn = FactModel(WAYS["drawn"].make()).network.router.weight
    torch.testing.assert_close(model.network.router.weight, drawn)
    assert len(loads) == 80
    assert loads[-1].max() < 0.7 * loads[0].max()


def test_more_experts_know_more_by_heart():
    few, _ = learn(WAYS["experts 1"], 0.03, SEED, n_steps=150)
    many, _ = learn(WAYS["experts 8"], 0.03, SEED, n_steps=150)
    assert known(many, SEED) > 1.5 * known(few, SEED)
    assert known(many, SEED + 1) < 0.1  # other facts


def test_a_comparison_is_measured_once(tmp_path, monkeypatch):
    monkeypatch.setattr(random_facts, "N_STEPS", 2)
    monkeypatch.setattr(random_facts, "N_SEEDS", 2)
    monkeypatch.setattr(random_facts, "TOKENS", (1,))
    quick = {
        "one": Way(make=lambda: MixtureOfExperts(32, N_EXPERTS, 1, 4), by_loss=0.1),
        "dense 1": WAYS["dense 1"],
    }
    monkeypatch.setattr(random_facts, "WAYS", quick)
    numbers = measure(tmp_path, SEED)
    for name in quick:
        assert numbers[f"{name}, rate"] in RATES
        assert all(0 <= share < 0.5 for share in of_seeds(numbers, name))
    assert (
        max(of_seeds(numbers, "one", "busiest")) < 1 == of_seeds(numbers, "dense 1", "busiest")[0]
    )
    assert numbers["dense / experts, 1 tokens"] > 0
    monkeypatch.setattr(random_facts, "learn", None)  # nothing is trained a second time
    assert measure(tmp_path, SEED) == numbers  # exact: what was kept
