"""lmcourse.applications.spells: what is measured of a GPT that copies, on models of a few steps."""

import math
from dataclasses import replace

import pytest
import torch

from lmcourse.applications import spells as module
from lmcourse.applications.spells import (
    CHANGES,
    ENTROPY,
    PARTS,
    SHAKESPEARE,
    SPELLS,
    certainty,
    changed_head,
    copying_weights,
    fit,
    heads,
    loss_of,
    parts,
    spells,
)
from lmcourse.gpt import GPT, count_parameters

IDS = spells(seed=3, n_examples=40)


def make(seed=0):
    """Weights as after training: large enough that each head matters."""
    torch.manual_seed(seed)
    model = GPT(SPELLS)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def test_a_spell_is_a_newline_eight_letters_a_bar_and_the_letters_again():
    assert IDS.shape == (40, SPELLS.context_length + 1)
    assert IDS.max() < SPELLS.vocab_size
    assert torch.equal(IDS[:, 1:9], IDS[:, 10:18])  # exact: ids
    for place in (0, 9):
        assert len(set(IDS[:, place].tolist())) == 1
    assert len(set(IDS[:, 1].tolist())) == 8
    assert math.isclose(ENTROPY, 8 * 2.0794 / 17, abs_tol=1e-4)


def test_each_variant_has_as_many_parameters_but_for_four_in_a_hundred():
    for config in (SPELLS, SHAKESPEARE):
        usual = count_parameters(config)
        for changes in PARTS.values():
            assert count_parameters(replace(config, **changes)) == pytest.approx(usual, rel=0.04)


def test_each_variant_exchanges_one_part_and_the_last_all_but_the_head():
    parts_of = {name: {key for key in changes if key != "d_ff"} for name, changes in PARTS.items()}
    single = [parts_of[name] for name in ("RMSNorm", "SwiGLU", "rotary", "grouped", "untied")]
    assert [len(changed) for changed in single] == [1] * 5
    assert parts_of["all four"] == set.union(*single) - {"tied_head"}


def test_training_ends_when_it_is_done():
    model, asked = make(), []
    taken = fit(model, lambda step: IDS, 10, is_done=lambda n: asked.append(n) or n == 3)
    assert (taken, asked) == (3, [1, 2, 3])
    before = loss_of(model, IDS)
    assert fit(model, lambda step: IDS, 4) == 4
    assert loss_of(model, IDS) < before


def test_a_head_set_to_zero_is_one_whose_output_weights_are_zero():
    model = make()
    with changed_head(model, 1, 2, CHANGES["zero"]):
        found = loss_of(model, IDS)
    d_head = model.blocks[1].attention.d_head
    with torch.no_grad():
        model.blocks[1].attention.output_projection.weight[:, 2 * d_head : 3 * d_head] = 0
    assert found == pytest.approx(loss_of(model, IDS), rel=1e-5)


def test_a_head_is_as_before_when_the_change_is_over_and_if_nothing_is_changed():
    model = make()
    loss = loss_of(model, IDS)
    with changed_head(model, 0, 1, lambda values: values):
        assert loss_of(model, IDS) == pytest.approx(loss, rel=1e-6)
    with changed_head(model, 0, 1, CHANGES["zero"]):
        assert loss_of(model, IDS) != pytest.approx(loss, rel=1e-4)
    with pytest.raises(IndexError), changed_head(model, 0, 1, lambda values: values[99]):
        loss_of(model, IDS)
    assert loss_of(model, IDS) == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize(("name", "is_of_others"), [("mean", True), ("other", True)])
def test_what_stands_in_for_a_head_comes_from_the_other_spells(name, is_of_others):
    values = torch.randn(5, 3, 2)
    changed = CHANGES[name](values)
    assert changed.shape == values.shape
    assert torch.allclose(changed.mean(0), values.mean(0), atol=1e-6)
    assert torch.allclose(changed, values) != is_of_others


def test_the_weight_on_the_place_to_copy_from_where_all_keys_are_equal():
    model = make()
    for block in model.blocks:
        for parameter in block.attention.input_projection.parameters():
            torch.nn.init.zeros_(parameter)
    expected = sum(1 / (t + 1) for t in range(9, 17)) / 8  # of t + 1 keys each gets as much
    assert torch.allclose(copying_weights(model, IDS), torch.full((2, 4), expected))


def test_a_head_that_looks_eight_places_back_has_all_the_weight():
    model = make()
    with torch.no_grad():
        # Only positions can point at a distance: queries of t meet keys of t − 8.
        model.embedding.zero_()
        model.positions.weight.copy_(50 * torch.eye(17, 64))
        projection = model.blocks[0].attention.input_projection
        torch.nn.init.zeros_(projection.bias)
        torch.nn.init.zeros_(projection.weight)
        for t in range(8, 16):  # head 0 has sixteen numbers, one for each place of a query
            projection.weight[t - 8, t + 1] = 10.0
            projection.weight[64 + t - 8, t + 1 - 8] = 10.0
    assert copying_weights(model, IDS)[0, 0] > 0.99


def test_how_sure_a_model_is_of_the_second_half_and_how_often_right():
    class Says(GPT):
        """Nine tenths for one id, whatever it reads."""

        def forward(self, ids):
            probs = torch.full((*ids.shape, 10), 0.1 / 9)
            probs[..., said] = 0.9
            return probs.log()

    said = IDS[0, 10].item()
    sure, right = certainty(Says(SPELLS), IDS)
    assert sure == pytest.approx(0.9, rel=1e-5)
    assert right == pytest.approx((IDS[:, 10:] == said).float().mean().item(), rel=1e-5)
    assert 0 < right < 0.5


def test_who_never_had_a_head_has_it_silenced_from_the_first_step(tmp_path, monkeypatch):
    seen = []

    def fit_(model, batch, n_steps, *rest):
        layers = [block.attention.output_projection for block in model.blocks]
        hooks = [len(layer._forward_pre_hooks) for layer in layers]
        seen.append((n_steps, sum(hooks), batch(0), model.embedding.detach().clone()))
        return n_steps

    monkeypatch.setattr(module, "fit", fit_)
    heads(tmp_path, seed=4, n_seeds=1, n_steps=4)
    (whole, more, never) = seen
    assert [(n, hooks) for n, hooks, *_ in seen] == [(4, 0), (2, 1), (4, 1)]
    assert torch.equal(whole[2], never[2])  # exact: ids
    assert torch.equal(whole[3], never[3])  # exact: the same start
    assert not torch.equal(whole[2], more[2])


def test_heads_tells_for_each_seed_what_each_change_costs(tmp_path):
    numbers = heads(tmp_path, seed=4, n_seeds=2, n_steps=2)
    names = ["loss", "weight", "second", *CHANGES, "sure", "right", "retrained", "heir", "never"]
    names += ["never_sure", "never_right"]
    assert set(numbers) == {f"{seed}/{name}" for seed in (4, 5) for name in names}
    for seed in (4, 5):
        assert 0 < numbers[f"{seed}/second"] <= numbers[f"{seed}/weight"] < 1
        assert 0 < numbers[f"{seed}/heir"] < 1
    assert heads(tmp_path, seed=4, n_seeds=2, n_steps=2) == numbers


def test_each_part_is_shown_at_the_rate_that_is_best_for_it(tmp_path, monkeypatch):
    tried = []

    def steps(changes, seed, rate):
        tried.append(seed)
        return 100 * rate + seed if "norm" in changes else seed - 100 * rate

    monkeypatch.setattr(module, "_steps_to_copy", steps)
    monkeypatch.setattr(module, "_loss_on_shakespeare", lambda ids, *rest: steps(*rest) / 2)
    monkeypatch.setattr(module, "load_dataset", lambda name: {"all": "to be or not to be"})
    numbers = parts(tmp_path, seed=7, n_seeds=2)
    assert numbers["spells/RMSNorm/rate"] == pytest.approx(1e-3)
    assert numbers["spells/rotary/rate"] == pytest.approx(2e-3)
    assert numbers["spells/rotary/0.002/8"] == pytest.approx(7.8)
    assert numbers["shakespeare/all four/0.002/7"] == pytest.approx(3.6)
    assert numbers["shakespeare/untied/0.004/7"] == pytest.approx(3.3)
    assert "shakespeare/rotary/0.002/7" not in numbers, "only tried with other seeds"
    assert set(tried) == {7, 8, 9, 10, 107, 108}
