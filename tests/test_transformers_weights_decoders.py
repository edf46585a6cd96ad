"""GPT-2s and Llamas that transformers made at random and saved are ours with the same numbers."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models_of_transformers import check_gradients, check_saved, converted, perturbed
from safetensors.torch import load_file, save_file

from lmcourse.generation import generate
from lmcourse.gpt import GPTConfig
from lmcourse.neurons import cross_entropy
from lmcourse.pretrained import load_transformers_weights
from lmcourse.transformers_weights import from_transformers

FLOAT32 = {"rtol": 0, "atol": 1e-4}
# Their rotations are made in float32 whatever the weights are.
FLOAT64 = {"gpt2": {"rtol": 0, "atol": 1e-10}, "llama": {"rtol": 0, "atol": 1e-5}}
FEW = settings(max_examples=8)
seeds = st.integers(0, 2**31)
DECODERS = pytest.mark.parametrize("kind", ["gpt2", "llama"])
LENGTH, V = 13, 23


def their_decoder(kind, seed=0, n_heads=3, **changes):
    """A small model with the weights of no beginning: no norm at one, no bias at zero."""
    import transformers

    shared = {
        "vocab_size": V, "bos_token_id": 0, "eos_token_id": None,
        # A padding id, a row without a gradient, is not what ours have.
        "pad_token_id": None,
        "attn_implementation": "eager",
    }  # fmt: skip
    sizes = {
        "gpt2": {
            "n_embd": 4 * n_heads, "n_head": n_heads, "n_layer": 2, "n_positions": LENGTH,
            "layer_norm_epsilon": 1e-3, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
        },
        "llama": {
            "hidden_size": 4 * n_heads, "num_attention_heads": n_heads, "num_hidden_layers": 2,
            "intermediate_size": 17, "max_position_embeddings": LENGTH, "rms_norm_eps": 1e-3,
        },
    }  # fmt: skip
    name = {"gpt2": ("GPT2Config", "GPT2LMHeadModel"), "llama": ("LlamaConfig", "LlamaForCausalLM")}
    config, model = (getattr(transformers, each) for each in name[kind])
    torch.manual_seed(seed)
    return perturbed(model(config(**shared | sizes[kind] | changes)), seed)


def random_ids(batch_size, n, seed=1):
    return torch.randint(V, (batch_size, n), generator=torch.Generator().manual_seed(seed))


def same_logits(kind, theirs, ids):
    for double in (False, True):
        theirs = theirs.double() if double else theirs
        ours, expected = converted(theirs), theirs(ids).logits
        assert ours.embedding.dtype == expected.dtype
        torch.testing.assert_close(ours(ids), expected, **FLOAT64[kind] if double else FLOAT32)


@FEW
@given(
    n_heads=st.integers(1, 4),
    n_layers=st.integers(1, 3),
    d_ff=st.none() | st.integers(1, 19),
    activation=st.sampled_from(["gelu", "gelu_new", "gelu_pytorch_tanh"]),
    tied=st.booleans(),
    seed=seeds,
)
def test_logits_are_those_of_gpt2(n_heads, n_layers, d_ff, activation, tied, seed):
    theirs = their_decoder("gpt2", seed, n_heads, n_layer=n_layers, n_inner=d_ff,
                           activation_function=activation, tie_word_embeddings=tied)  # fmt: skip
    same_logits("gpt2", theirs, random_ids(2, 9, seed))


@FEW
@given(
    heads=st.sampled_from([(1, 1), (3, 1), (4, 2), (4, 4)]),
    n_layers=st.integers(1, 3),
    d_ff=st.integers(1, 19),
    theta=st.sampled_from([30.0, 10_000.0, 500_000.0]),
    tied=st.booleans(),
    seed=seeds,
)
def test_logits_are_those_of_llama(heads, n_layers, d_ff, theta, tied, seed):
    n_heads, n_kv_heads = heads
    theirs = their_decoder(
        "llama", seed, n_heads, num_key_value_heads=n_kv_heads, num_hidden_layers=n_layers,
        intermediate_size=d_ff, tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
    )  # fmt: skip
    assert converted(theirs).config.rope_theta == theta
    same_logits("llama", theirs, random_ids(2, 9, seed))


@DECODERS
@FEW
@given(seed=seeds)
def test_gradients_of_the_loss_are_theirs(kind, seed):
    """Of every weight, a tied one as the sum of both its uses."""
    theirs = their_decoder(kind, seed).double()
    ours, ids = converted(theirs), random_ids(2, 9, seed)
    # Not with their loss, which is made in float32.
    expected = cross_entropy(theirs(ids).logits[:, :-1], ids[:, 1:])
    loss = cross_entropy(ours(ids)[:, :-1], ids[:, 1:])
    torch.testing.assert_close(loss, expected, **FLOAT64[kind])
    expected.backward()
    loss.backward()
    share = 1e-9 if kind == "gpt2" else 1e-5
    check_gradients(ours, theirs, lambda gradient: share * gradient.abs().max())


@DECODERS
def test_a_folder_is_read_and_writes_on_as_in_transformers(kind, tmp_path):
    """The same ids from the same ids: greedily, with our cache and theirs."""
    theirs = their_decoder(kind, seed=4)
    theirs.save_pretrained(tmp_path)
    model, prompt = load_transformers_weights(tmp_path), random_ids(1, 3)
    expected = theirs.generate(
        prompt, max_new_tokens=LENGTH - 3, do_sample=False,
        attention_mask=torch.ones_like(prompt),
    )  # fmt: skip
    assert len(set(expected[0, 3:].tolist())) > 2  # or any model would write it
    found = generate(model, prompt, LENGTH - 3, temperature=0)
    assert found.tolist() == expected.tolist()  # exact: ids


@pytest.mark.parametrize("base", [False, True])
def test_files_of_old_are_read(base, tmp_path):
    """GPT-2's own on the web: without the first part of each name, with its causal masks."""
    theirs = their_decoder("gpt2")
    theirs.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    if base:
        weights = {name.removeprefix("transformer."): each for name, each in weights.items()}
    prefix = "" if base else "transformer."
    weights[f"{prefix}h.0.attn.bias"] = torch.ones(LENGTH, LENGTH).tril()[None, None]
    weights[f"{prefix}h.1.attn.masked_bias"] = torch.tensor(-1e4)
    weights["lm_head.weight"] = weights[f"{prefix}wte.weight"].clone()
    save_file(weights, tmp_path / "model.safetensors")
    ids = random_ids(2, 9)
    found = load_transformers_weights(tmp_path)(ids)
    torch.testing.assert_close(found, theirs(ids).logits, **FLOAT32)
    weights["lm_head.weight"] += 1
    with pytest.raises(ValueError, match=r"lm_head.weight must be the same as transformer.wte"):
        from_transformers(theirs.config.to_dict(), weights)


def test_what_the_settings_say_is_in_the_config():
    assert converted(their_decoder("gpt2")).config == GPTConfig(
        vocab_size=V, context_length=LENGTH, d_model=12, n_heads=3, n_layers=2,
        feed_forward="gelu_tanh", norm_eps=1e-3,
    )  # fmt: skip
    theirs = their_decoder("llama", num_key_value_heads=1)
    expected = GPTConfig(
        vocab_size=V, context_length=LENGTH, d_model=12, n_heads=3, n_layers=2, n_kv_heads=1,
        d_ff=17, norm="rms", feed_forward="swiglu", positions="rotary", tied_head=False,
        norm_eps=1e-3,
    )  # fmt: skip
    assert converted(theirs).config == expected
    weights, old = theirs.state_dict(), theirs.config.to_dict()
    old.pop("rope_parameters")
    old |= {"rope_theta": 20.0, "rope_scaling": None}  # as before version 5
    model = from_transformers(old, weights, dropout=0.25)
    assert model.config == replace(expected, rope_theta=20.0, dropout=0.25)
    assert not model.training


@DECODERS
def test_what_was_loaded_can_be_saved_and_loaded_as_ours(kind, tmp_path):
    check_saved(converted(their_decoder(kind)), tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("gpt2", {"scale_attn_weights": False}, "scale_attn_weights must be True .*got .*False"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "inverse_layer_idx must be False"),
        ("gpt2", {"add_cross_attention": True}, "add_cross_attention must be False"),
        ("gpt2", {"activation_function": "relu"}, "activation_function must be .*, got .*'relu'"),
        ("gpt2", {"n_layer": 3}, "must hold transformer.h.2.* is missing: for our blocks.2"),
        ("llama", {"attention_bias": True}, "attention_bias must be False"),
        ("llama", {"mlp_bias": True}, "mlp_bias must be False"),
        ("llama", {"head_dim": 8}, "head_dim must be 4 for our models, got head_dim=8"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act must be one of silu, got .*'gelu'"),
        ("llama", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "'llama3'"),
        ("llama", {"rope_scaling": {"type": "linear"}, "rope_parameters": None}, "got.*'linear'"),
        ("llama", {"num_hidden_layers": 1}, "nothing that our model lacks, got model.layers.1"),
        ("llama", {"tie_word_embeddings": True}, "lm_head.weight must be the same as model.embed"),
    ],
)
def test_settings_that_ours_cannot_have_are_refused(kind, changes, expected):
    theirs = their_decoder(kind)
    with pytest.raises(ValueError, match=expected):
        from_transformers(theirs.config.to_dict() | changes, theirs.state_dict())
