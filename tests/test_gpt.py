"""lmcourse.gpt against GPT-2 and Llama in transformers, and what a language model promises."""

import math
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcourse.gpt import GPT, GPT_TINY, GPTConfig, RMSNorm, count_parameters, forward_flops
from lmcourse.metrics import LanguageModel
from lmcourse.neurons import cross_entropy

FLOAT32 = {"rtol": 2e-5, "atol": 2e-5}
FEW = settings(max_examples=6)

GPT2 = GPTConfig(vocab_size=11, context_length=13, d_model=12, n_heads=3, n_layers=2)
LLAMA = replace(
    GPT2,
    d_model=24,
    n_heads=6,
    n_kv_heads=2,
    d_ff=17,
    norm="rms",
    feed_forward="swiglu",
    positions="rotary",
    tied_head=False,
)
KINDS = pytest.mark.parametrize("config", [GPT2, LLAMA], ids=["gpt2", "llama"])

seeds = st.integers(0, 2**31)


def random_ids(*shape, seed=0, vocab_size=11):
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))


def make(config, seed=0):
    """Weights as after training: norms and biases no longer at one and zero."""
    torch.manual_seed(seed)
    model = GPT(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


# ---------------------------------------------------------------- the models of the field


def as_gpt2(model):
    """Its Conv1D layers store the transposed weights."""
    from transformers import GPT2Config, GPT2LMHeadModel

    c = model.config
    activation = {"gelu": "gelu", "gelu_tanh": "gelu_new"}[c.feed_forward]
    sizes = {"n_embd": c.d_model, "n_head": c.n_heads, "n_layer": c.n_layers, "n_inner": c.d_ff}
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=c.vocab_size,
            n_positions=c.context_length,
            activation_function=activation,
            layer_norm_epsilon=c.norm_eps,
            bos_token_id=0,
            eos_token_id=0,
            **sizes,
        )
    ).eval()
    names = {
        "embedding": "transformer.wte.weight",
        "positions.weight": "transformer.wpe.weight",
        "norm.": "transformer.ln_f.",
        "blocks.": "transformer.h.",
        "attention_norm": "ln_1",
        "attention.input_projection": "attn.c_attn",
        "attention.output_projection": "attn.c_proj",
        "feed_forward_norm": "ln_2",
        "feed_forward.up_projection": "mlp.c_fc",
        "feed_forward.down_projection": "mlp.c_proj",
    }
    targets = theirs.state_dict()
    for name, weight in model.state_dict().items():
        if name == "head.weight":
            continue  # tied
        linear = name.endswith("projection.weight")
        copy_to(targets, name, names, weight.T if linear else weight)
    return theirs


def copy_to(targets, name, names, weight):
    """`names` maps the start of a name, then each of its parts inside a block."""
    for ours, theirs in names.items():
        if name.startswith(ours) or f".{ours}." in name:
            name = name.replace(ours, theirs, 1)
    targets[name].copy_(weight)


def as_llama(model):
    from transformers import LlamaConfig, LlamaForCausalLM

    c = model.config
    theirs = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=c.vocab_size,
            hidden_size=c.d_model,
            intermediate_size=c.d_ff,
            num_hidden_layers=c.n_layers,
            num_attention_heads=c.n_heads,
            num_key_value_heads=c.n_kv_heads,
            max_position_embeddings=c.context_length,
            rms_norm_eps=c.norm_eps,
            rope_parameters={"rope_type": "default", "rope_theta": c.rope_theta},
        )
    ).eval()
    theirs.model.embed_tokens.weight.data.copy_(model.embedding)
    theirs.model.norm.weight.data.copy_(model.norm.weight)
    theirs.lm_head.weight.data.copy_(model.head.weight)
    for ours, layer in zip(model.blocks, theirs.model.layers, strict=True):
        parts = ours.attention.input_projection.weight.split(ours.attention.widths)
        attention, mlp = layer.self_attn, layer.mlp
        gate, value = ours.feed_forward.up_projection.weight.chunk(2)
        copies = {
            layer.input_layernorm: ours.attention_norm.weight,
            layer.post_attention_layernorm: ours.feed_forward_norm.weight,
            attention.o_proj: ours.attention.output_projection.weight,
            mlp.gate_proj: gate,
            mlp.up_proj: value,
            mlp.down_proj: ours.feed_forward.down_projection.weight,
        } | dict(zip((attention.q_proj, attention.k_proj, attention.v_proj), parts, strict=True))
        for target, weight in copies.items():
            target.weight.data.copy_(weight)
    return theirs


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh"])
@pytest.mark.parametrize("d_ff", [None, 19])
def test_logits_are_those_of_gpt2_in_transformers(activation, d_ff):
    model = make(replace(GPT2, feed_forward=activation, d_ff=d_ff))
    theirs, ids = as_gpt2(model), random_ids(3, 13)
    torch.testing.assert_close(model(ids), theirs(ids).logits, rtol=0, atol=1e-4)


@pytest.mark.parametrize("n_kv_heads", [6, 2, 1])
def test_logits_are_those_of_llama_in_transformers(n_kv_heads):
    model = make(replace(LLAMA, n_kv_heads=n_kv_heads))
    theirs, ids = as_llama(model), random_ids(3, 13)
    torch.testing.assert_close(model(ids), theirs(ids).logits, rtol=0, atol=1e-4)


# Both so far from what is usual that leaving one out moves the logits.
UNUSUAL = {"rope_theta": 30.0, "norm_eps": 0.03}


@pytest.mark.parametrize(("config", "convert"), [(GPT2, as_gpt2), (LLAMA, as_llama)])
@pytest.mark.parametrize("padded", [False, True])
def test_the_base_of_rotations_and_the_eps_of_norms_are_those_of_transformers(
    config, convert, padded
):
    model = make(replace(config, **UNUSUAL))
    theirs, ids = convert(model), random_ids(2, 9)
    mask = torch.tensor([[not padded] * 3 + [True] * 6, [True] * 9])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    expected = theirs(ids, attention_mask=mask.long(), position_ids=positions).logits
    logits = model(ids, mask=mask) if padded else model(ids)
    torch.testing.assert_close(logits[mask], expected[mask], rtol=0, atol=1e-4)
    for name in UNUSUAL if config is LLAMA else ["norm_eps"]:
        other = GPT(replace(model.config, **{name: getattr(config, name)})).eval()
        other.load_state_dict(model.state_dict())
        assert (other(ids) - model(ids)).abs().max() > 1e-3, name


@pytest.mark.parametrize(("config", "convert"), [(GPT2, as_gpt2), (LLAMA, as_llama)])
def test_padding_on_the_left_is_that_of_transformers(config, convert):
    model = make(config)
    theirs, ids = convert(model), random_ids(2, 7)
    mask = torch.tensor([[False] * 3 + [True] * 4, [True] * 7])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    expected = theirs(ids, attention_mask=mask.long(), position_ids=positions).logits
    torch.testing.assert_close(model(ids, mask=mask)[mask], expected[mask], rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(d_model=st.integers(1, 9), seed=seeds)
def test_rms_norm_is_its_formula(dtype, d_model, seed):
    norm = RMSNorm(d_model).to(dtype)
    with torch.no_grad():
        norm.weight.uniform_(-2, 2)
    x = torch.randn(3, d_model, generator=torch.Generator().manual_seed(seed)).to(dtype)
    expected = norm.weight * x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(norm(x), expected)


# ---------------------------------------------------------------- what may be seen


@KINDS
def test_no_position_sees_its_future(config):
    model, ids = make(config), random_ids(2, 9)
    logits = model(ids)
    for t in range(9):
        changed = ids.clone()
        changed[:, t] = (ids[:, t] + 1) % 11
        difference = (model(changed) - logits).abs().amax((0, 2))
        assert difference[:t].sum() < 1e-5
        assert difference[t:].min() > 1e-3


@KINDS
def test_items_of_a_batch_do_not_meet(config):
    model, ids = make(config), random_ids(4, 9)
    for b in range(4):
        torch.testing.assert_close(model(ids)[b], model(ids[b : b + 1])[0], **FLOAT32)


@KINDS
@FEW
@given(n_padding=st.integers(0, 6), seed=seeds)
def test_padding_on_the_left_changes_nothing(config, n_padding, seed):
    model, ids = make(config), random_ids(2, 6, seed=seed)
    padded = torch.cat([random_ids(2, n_padding, seed=seed + 1), ids], 1)
    mask = torch.arange(6 + n_padding).expand(2, -1) >= n_padding
    torch.testing.assert_close(model(padded, mask=mask)[:, n_padding:], model(ids), **FLOAT32)


@KINDS
def test_the_order_of_the_past_matters(config):
    model, ids = make(config), torch.tensor([[1, 2, 3, 4]])
    swapped = ids[:, [1, 0, 2, 3]]
    assert (model(ids)[:, -1] - model(swapped)[:, -1]).abs().max() > 1e-3


@KINDS
@pytest.mark.parametrize("padded", [False, True])
@FEW
@given(pieces=st.lists(st.integers(1, 4), min_size=1, max_size=3), seed=seeds)
def test_read_in_pieces_the_logits_are_the_same(config, padded, pieces, seed):
    model, n = make(config), sum(pieces)
    ids, mask = random_ids(2, n, seed=seed), None
    if padded:
        mask = torch.arange(n).expand(2, -1) >= torch.tensor([[0], [n // 2]])
    whole, cache, outputs = model(ids, mask=mask), model.new_cache(2), []
    for piece in ids.split(pieces, 1):
        seen = cache[0].length + piece.shape[1]
        outputs.append(model(piece, cache, None if mask is None else mask[:, :seen]))
    outputs = torch.cat(outputs, 1)
    real = slice(None) if mask is None else mask
    torch.testing.assert_close(outputs[real], whole[real], **FLOAT32)


# ---------------------------------------------------------------- sizes and numbers


@KINDS
@pytest.mark.parametrize("tied_head", [False, True])
def test_parameters_and_operations_are_counted(config, tied_head):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    config = replace(config, tied_head=tied_head)
    model = GPT(config)
    assert count_parameters(config) == sum(p.numel() for p in model.parameters())
    for n in (1, 5, 13):
        # Torch's counter knows matrix products, but not the kernel that hides two of them.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            model(random_ids(1, n))
        assert counter.get_total_flops() == forward_flops(config, n)


@pytest.mark.parametrize("n_layers", [1, 3])
def test_parameters_are_counted_as_on_paper(n_layers):
    """Twelve matrices C × C and 13 vectors in each block of GPT-2's kind, then the rest."""
    config = replace(GPT2, n_layers=n_layers)
    c, t, v = config.d_model, config.context_length, config.vocab_size
    expected = n_layers * (12 * c**2 + 13 * c) + (v + t) * c + 2 * c
    assert count_parameters(config) == expected


def test_gpt2_small_has_124_million_parameters():
    config = GPTConfig(vocab_size=50257, context_length=1024, d_model=768, n_heads=12, n_layers=12)
    assert count_parameters(config) == 124_439_808


@KINDS
def test_at_the_start_all_tokens_are_equally_likely(config):
    config = replace(config, vocab_size=64)
    ids = random_ids(8, 14, vocab_size=64)
    loss = cross_entropy(GPT(config)(ids[:, :-1]), ids[:, 1:])
    assert abs(loss.item() - math.log(64)) < 0.05


@KINDS
def test_every_parameter_takes_part(config, device):
    model = GPT(config).to(device)
    ids = random_ids(2, 14).to(device)
    cross_entropy(model(ids[:, :-1]), ids[:, 1:]).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert ("head.weight" in dict(model.named_parameters())) != config.tied_head


def test_initial_weights_shrink_with_depth_where_the_stream_is_written():
    config = replace(GPT_TINY, n_layers=8)
    block = GPT(config).blocks[3]
    assert block.attention.input_projection.weight.std().item() == pytest.approx(0.02, rel=0.05)
    for writer in (block.attention.output_projection, block.feed_forward.down_projection):
        assert writer.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)
        # exact: set, not computed
        assert (writer.bias == 0).all()


@KINDS
def test_it_learns_a_batch_by_heart(config):
    model, ids = GPT(config), random_ids(2, 10)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(60):
        loss = cross_entropy(model(ids[:, :-1]), ids[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1  # it starts at ln 11 = 2.4


@KINDS
def test_bfloat16_gives_nearly_the_same(config):
    model, ids = make(config), random_ids(2, 13)
    expected = model(ids)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(ids)
    assert logits.dtype == torch.bfloat16
    # 2⁻⁸ is lost at each rounding; logits are sums over 24 of them.
    assert (logits - expected).abs().max() < 0.05 * expected.abs().max()


def test_dropout_acts_in_training_alone():
    model, ids = GPT(replace(GPT2, dropout=0.5)), random_ids(1, 9)
    assert (model(ids) - model(ids)).abs().max() > 1e-3
    model.eval()
    torch.testing.assert_close(model(ids), model(ids))


# ---------------------------------------------------------------- refusals


def test_a_config_has_at_most_sixteen_fields_and_never_changes():
    assert len(fields(GPTConfig)) <= 16
    with pytest.raises(AttributeError):
        GPT_TINY.d_model = 3
    assert isinstance(GPT(GPT_TINY), LanguageModel)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"n_layers": 0}, "n_layers must be at least 1, got n_layers=0"),
        ({"dropout": 1.0}, r"dropout must be at least 0 and below 1, got dropout=1.0"),
        ({"rope_theta": 0.0}, "rope_theta must be above 0, got rope_theta=0.0"),
        ({"norm_eps": -1e-5}, "norm_eps must be above 0, got norm_eps=-1e-05"),
        ({"norm_eps": math.nan}, "norm_eps must be above 0, got norm_eps=nan"),
        ({"norm": "batch"}, "norm must be 'layer' or 'rms', got norm='batch'"),
        ({"positions": "none"}, "positions must be 'learned' or 'rotary', got positions='none'"),
        ({"n_heads": 5}, "multiple of n_heads, got d_model=12, n_heads=5"),
        ({"n_kv_heads": 2}, "multiple of n_kv_heads, got n_heads=3, n_kv_heads=2"),
    ],
)
def test_sizes_are_checked(unchecked, changes, expected):
    with pytest.raises(ValueError, match=expected):
        GPT(replace(GPT2, **changes))


@KINDS
def test_more_than_the_context_is_refused(config):
    model = make(config)
    with pytest.raises(ValueError, match="at most context_length positions, got 14, context_le"):
        model(random_ids(1, 14))
    cache = model.new_cache(1)
    model(random_ids(1, 10), cache)
    with pytest.raises(ValueError, match="got 14, context_length=13"):
        model(random_ids(1, 4), cache)
    mask = torch.ones(1, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"each of the 12 ids so far, got mask.shape=\(1, 2\)"):
        model(random_ids(1, 2), cache, mask)
    with pytest.raises(ValueError, match=r"ids must lie in 0…10, got 11"):
        model(torch.tensor([[11]]))
