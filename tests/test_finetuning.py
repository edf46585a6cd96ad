"""lmcourse.finetuning: low-rank changes against their formula, what is trained, files, heads."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lmcourse import optimization
from lmcourse.bert import BERT, BERTConfig
from lmcourse.checkpoints import load_tensors
from lmcourse.finetuning import (
    Classifier,
    LoRALinear,
    add_lora,
    load_trained,
    merge_lora,
    n_trained,
    optimizer_bytes,
    save_trained,
    train_head_alone,
)
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.neurons import cross_entropy
from lmcourse.quantization import QuantizedLinear, quantize_linears

GPT2 = GPTConfig(vocab_size=17, context_length=11, d_model=12, n_heads=3, n_layers=2)
LLAMA = GPTConfig(
    vocab_size=17, context_length=11, d_model=12, n_heads=3, n_layers=2, norm="rms",
    feed_forward="swiglu", positions="rotary", tied_head=False,
)  # fmt: skip
SMALL_BERT = BERTConfig(vocab_size=17, context_length=11, d_model=12, n_heads=3, n_layers=2)
BODIES = {"gpt": GPT2, "llama": LLAMA, "bert": SMALL_BERT}
each_body = pytest.mark.parametrize("name", BODIES)
some_layers = {
    "rows": st.integers(1, 9),
    "half_columns": st.integers(1, 5),
    "share": st.floats(0, 1),
    "alpha": st.floats(0.01, 64),
    "bias": st.booleans(),
    "kind": st.sampled_from([None, "int8", "int4", "nf4"]),
    "seed": st.integers(0, 2**31),
}


def make(name, seed=0):
    torch.manual_seed(seed)
    config = BODIES[name]
    return BERT(config) if name == "bert" else GPT(config)


def some_ids(seed=0, n_texts=5, length=9):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(17, (n_texts, length), generator=generator)


def stir(model, seed=1):
    """B as after training: no longer zero."""
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, LoRALinear):
            layer.B.data.copy_(torch.randn(layer.B.shape, generator=generator))


def lora(rows, half_columns, share, alpha, bias, kind, seed):
    """A layer in float64 whose B is not zero, and an input."""
    torch.manual_seed(seed)
    columns = 2 * half_columns
    base = nn.Linear(columns, rows, bias=bias, dtype=torch.float64)
    base = QuantizedLinear(base, kind, columns) if kind else base
    rank = 1 + round(share * (min(rows, columns) - 1))
    layer = LoRALinear(base, rank, alpha)
    nn.init.normal_(layer.B)
    return layer, torch.randn(3, 4, columns, dtype=torch.float64)


# ---------------------------------------------------------------- one layer


@given(**some_layers)
def test_a_layer_is_its_formula(**drawn):
    layer, x = lora(**drawn)
    weight = layer.base.weight + layer.alpha / layer.rank * (layer.B @ layer.A)
    expected = torch.einsum("btc,dc->btd", x, weight)
    expected = expected if layer.base.bias is None else expected + layer.base.bias
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-6)


@given(**some_layers)
def test_merged_equals_unmerged(**drawn):
    layer, x = lora(**drawn)
    merged = layer.merged()
    assert type(merged) is nn.Linear
    torch.testing.assert_close(merged(x), layer(x), rtol=0, atol=1e-6)


@given(**some_layers)
def test_the_change_has_at_most_the_rank(**drawn):
    layer, _ = lora(**drawn)
    singular = torch.linalg.svdvals(layer.change())
    assert (singular[layer.rank :] < 1e-9 * singular[0]).all()
    assert (singular[: layer.rank] > 0).all()


@given(**some_layers)
def test_a_fresh_layer_changes_nothing_and_learns(**drawn):
    layer, x = lora(**drawn)
    fresh = LoRALinear(layer.base, layer.rank, layer.alpha)
    assert torch.equal(fresh(x), layer.base(x))  # exact: zeros are added
    fresh(x).sum().backward()
    assert fresh.B.grad.abs().max() > 0
    assert fresh.A.grad.abs().max() == 0  # B is zero, so at first A makes no difference
    assert all(each.grad is None for each in layer.base.parameters())


def test_gradients_are_those_of_the_formula():
    """By torch, from the weight written out."""
    layer, x = lora(5, 3, 0.5, 3.0, True, None, 7)
    layer(x).square().sum().backward()
    one, two = (each.detach().clone().requires_grad_() for each in (layer.A, layer.B))
    weight = layer.base.weight + layer.scale * two @ one
    nn.functional.linear(x, weight, layer.base.bias).square().sum().backward()
    torch.testing.assert_close(layer.A.grad, one.grad)
    torch.testing.assert_close(layer.B.grad, two.grad)


def test_dropout_takes_what_a_reads_and_only_in_training():
    torch.manual_seed(0)
    layer = LoRALinear(nn.Linear(400, 3), rank=2, alpha=2, dropout=0.5)
    nn.init.normal_(layer.B)
    x = torch.randn(1, 400)
    assert not torch.allclose(layer(x), layer(x))
    layer.eval()
    torch.testing.assert_close(layer(x), layer.merged()(x), rtol=1e-4, atol=1e-4)
    layer.train()
    nn.init.zeros_(layer.B)
    torch.testing.assert_close(layer(x), layer.base(x))  # the base has none


# ---------------------------------------------------------------- a whole model


@each_body
@pytest.mark.parametrize("kind", [None, "int8", "nf4"])
def test_a_model_with_lora_begins_as_it_was_and_merges_into_what_it_became(name, kind):
    model = make(name).double().eval()
    if kind:
        quantize_linears(model, kind, 12)
    ids = some_ids()
    before = model(ids)
    names = add_lora(model, rank=2)
    assert torch.equal(model(ids), before)  # exact: zeros are added
    stir(model)
    after = model(ids)
    assert (after - before).abs().max() > 0.01
    assert merge_lora(model) == names
    torch.testing.assert_close(model(ids), after, rtol=0, atol=1e-6)
    assert not any(isinstance(layer, LoRALinear) for layer in model.modules())


@each_body
def test_only_a_and_b_get_gradients_and_all_of_them_do(name):
    model = make(name)
    add_lora(model, rank=2)
    stir(model)
    model(some_ids()).square().sum().backward()
    trained = {n for n, each in model.named_parameters() if each.grad is not None}
    assert trained == {n for n, _ in model.named_parameters() if n.endswith((".A", ".B"))}
    assert all(model.get_parameter(n).grad.abs().max() > 0 for n in trained)


@settings(max_examples=10)
@given(rank=st.integers(1, 12), name=st.sampled_from(list(BODIES)))
def test_trained_parameters_are_counted(rank, name):
    model = make(name)
    linear = dict(model.named_modules())
    names = add_lora(model, rank)
    assert all(each.endswith("projection") for each in names)
    sides = [linear[each].in_features + linear[each].out_features for each in names]
    assert n_trained(model) == rank * sum(sides)


def test_queries_keys_and_values_alone_can_be_named():
    model = make("gpt")
    assert add_lora(model, 1, where=("input_projection",)) == [
        f"blocks.{i}.attention.input_projection" for i in range(2)
    ]
    assert n_trained(model) == 2 * (12 + 36)


def test_alpha_is_twice_the_rank_where_none_is_given():
    model = make("gpt")
    add_lora(model, 3)
    found = [each for each in model.modules() if isinstance(each, LoRALinear)]
    assert [each.scale for each in found] == pytest.approx([2.0] * 8)


def test_lora_learns_a_batch_and_the_base_stays():
    model = Classifier(make("gpt"), n_classes=3)
    add_lora(model.body, rank=4)
    before = {n: each.clone() for n, each in model.named_parameters() if not each.requires_grad}
    ids, labels = some_ids(), torch.tensor([0, 1, 2, 0, 1])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02)
    for _ in range(60):
        loss = cross_entropy(model(ids), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    for name, weight in before.items():
        assert torch.equal(weight, model.get_parameter(name)), name  # exact: never touched


# ---------------------------------------------------------------- files


@each_body
def test_what_was_trained_is_saved_alone_and_comes_back(name, tmp_path):
    model, path = Classifier(make(name), 2), tmp_path / "adapter.safetensors"
    fresh = copy.deepcopy(model)
    add_lora(model.body, rank=2)
    stir(model)
    save_trained(model, path)
    saved = load_tensors(path)
    assert sum(each.numel() for each in saved.values()) == n_trained(model)
    assert {n.rpartition(".")[2] for n in saved} == {"A", "B", "weight", "bias"}
    assert {n for n in saved if not n.endswith((".A", ".B"))} == {"head.weight", "head.bias"}
    add_lora(fresh.body, rank=2)
    load_trained(fresh, path)
    torch.testing.assert_close(fresh(some_ids()), model(some_ids()))


def test_a_file_of_another_preparation_is_refused_and_nothing_is_changed(tmp_path):
    path, model = tmp_path / "adapter.safetensors", make("gpt")
    add_lora(model, rank=2)
    stir(model)
    save_trained(model, path)
    others = {
        r"A must have the shape \(3, 12\) of the model, got \(2, 12\)": {"rank": 3},
        r"alpha of blocks.0.attention.input_projection must be .* 9.0, got 4.0": {
            "rank": 2,
            "alpha": 9,
        },
        r"output_projection.A, which the file has and the model does not": {
            "rank": 2,
            "where": ("input_projection",),
        },
    }
    for message, options in others.items():
        other = make("gpt")
        add_lora(other, **options)
        before = copy.deepcopy(other.state_dict())
        with pytest.raises(ValueError, match=message):
            load_trained(other, path)
        after = other.state_dict()
        assert all(torch.equal(before[n], after[n]) for n in before)  # exact: untouched
    few, more = make("gpt"), make("gpt")
    add_lora(few, 2, where=("input_projection",))
    save_trained(few, path)
    add_lora(more, 2)
    with pytest.raises(
        ValueError, match=r"projection\.A, which the model has and the file does not"
    ):
        load_trained(more, path)
    frozen = make("gpt").requires_grad_(False)
    with pytest.raises(ValueError, match="parameters that get a gradient, got none"):
        save_trained(frozen, path)


# ---------------------------------------------------------------- heads


@each_body
@given(seed=st.integers(0, 2**31))
@settings(max_examples=8)
def test_padding_changes_no_verdict(name, seed):
    model = Classifier(make(name), 3).double()
    lengths = torch.randint(1, 10, (4,), generator=torch.Generator().manual_seed(seed))
    ids = some_ids(seed, 4, 11)
    mask = torch.arange(11) < lengths[:, None]
    found = model(ids, mask)
    for row, length in enumerate(lengths.tolist()):
        alone = model(ids[row : row + 1, :length])
        torch.testing.assert_close(found[row], alone[0], rtol=0, atol=1e-10)


def test_gpt_may_be_padded_on_the_left_too():
    model, ids = Classifier(make("gpt"), 2).double(), some_ids(1, 1, 6)
    padded = torch.cat([torch.zeros(1, 3, dtype=torch.long), ids], 1)
    found = model(padded, (torch.arange(9) >= 3)[None])
    torch.testing.assert_close(found, model(ids), rtol=0, atol=1e-10)


@each_body
def test_every_id_of_a_text_has_a_say(name):
    model, ids = Classifier(make(name), 2).double(), some_ids(1, 1, 6)
    stir_all = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        parameter.data.add_(0.3 * torch.randn(parameter.shape, generator=stir_all))
    before = model(ids)
    for t in range(6):
        changed = ids.clone()
        changed[0, t] = (ids[0, t] + 1) % 17
        assert (model(changed) - before).abs().max() > 1e-9


def test_at_first_all_classes_are_about_as_likely():
    model = Classifier(make("gpt"), 4)
    assert (model(some_ids()).softmax(-1) - 0.25).abs().max() < 0.1


def test_the_head_alone_is_trained():
    model = Classifier(make("bert"), 2)
    train_head_alone(model)
    assert n_trained(model) == 2 * 12 + 2
    cross_entropy(model(some_ids()), torch.tensor([0, 1, 0, 1, 0])).backward()
    assert {n for n, each in model.named_parameters() if each.grad is not None} == {
        "head.weight",
        "head.bias",
    }


@pytest.mark.parametrize("kind", [torch.optim.AdamW, optimization.AdamW])
def test_adam_remembers_two_numbers_for_each_trained_parameter(kind):
    model = Classifier(make("gpt"), 2)
    add_lora(model.body, 2)
    optimizer = kind([p for p in model.parameters() if p.requires_grad], 1e-3)
    model(some_ids()).square().sum().backward()
    optimizer.step()
    assert optimizer_bytes(optimizer) == 2 * 4 * n_trained(model)


# ---------------------------------------------------------------- refusals


def test_impossible_layers_are_refused():
    base = nn.Linear(6, 4)
    for rank in (0, 5):
        with pytest.raises(ValueError, match=f"rank must be 1 to 4, .* got rank={rank}"):
            LoRALinear(base, rank, 1)
    for alpha in (0, -1, float("inf")):
        with pytest.raises(ValueError, match=f"alpha must be above 0, got alpha={alpha}"):
            LoRALinear(base, 1, alpha)
    with pytest.raises(ValueError, match="dropout must be at least 0 and below 1, got dropout=1"):
        LoRALinear(base, 1, 1, dropout=1.0)


def test_impossible_calls_are_refused_and_leave_the_model_as_it_was():
    model = make("gpt")
    refusals = {
        r"where must name linear layers .* got where=\('query',\): it has down_projection": {
            "where": ("query",)
        },
        "where must leave out head, whose weight is another part's": {"where": ("head",)},
        "rank must be 1 to 12": {"rank": 13},
    }
    for message, options in refusals.items():
        with pytest.raises(ValueError, match=message):
            add_lora(model, **{"rank": 2} | options)
        assert not any(isinstance(each, LoRALinear) for each in model.modules())
    with pytest.raises(ValueError, match="model must have a LoRALinear, got GPT without"):
        merge_lora(model)
    add_lora(model, 2)
    with pytest.raises(ValueError, match="no LoRALinear yet: merge_lora first"):
        add_lora(model, 2)
    merge_lora(model)
    add_lora(model, 2)


def test_an_untied_head_can_have_one():
    model = make("llama")
    assert "head" in add_lora(model, 2, where=("projection", "head"))


def test_impossible_classifiers_are_refused():
    with pytest.raises(ValueError, match="n_classes must be at least 2, got n_classes=1"):
        Classifier(make("gpt"), 1)
    model = Classifier(make("gpt"), 2)
    with pytest.raises(ValueError, match="a text without"):
        model(some_ids(0, 2, 4), torch.tensor([[True] * 4, [False] * 4]))
