"""Weights that the library transformers saved, renamed and laid out for our models.

Chapter: book/pretrained.md
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lmcourse.bert import BERT, BERTConfig
from lmcourse.checkpoints import copy_weights, named_weights, take_types
from lmcourse.gpt import GPT, GPTConfig

Settings = Mapping[str, Any]  # what their config.json holds
_HEADS = ("cls.", "lm_head.")
_ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}

# Ours → theirs; a star is the number of the block, and `.weight` or `.bias` follows where a name
# ends with a layer. Several of theirs are put below each other in one of ours.
_Names = Mapping[str, str | tuple[str, ...]]
_ENCODER = {
    "embedding": "embeddings.word_embeddings.weight",
    "positions.weight": "embeddings.position_embeddings.weight",
    "segments": "embeddings.token_type_embeddings.weight",
    "embedding_norm": "embeddings.LayerNorm",
    "blocks.*.attention.query_projection": "encoder.layer.*.attention.self.query",
    "blocks.*.attention.key_projection": "encoder.layer.*.attention.self.key",
    "blocks.*.attention.value_projection": "encoder.layer.*.attention.self.value",
    "blocks.*.attention.output_projection": "encoder.layer.*.attention.output.dense",
    "blocks.*.attention_residual.norm": "encoder.layer.*.attention.output.LayerNorm",
    "blocks.*.feed_forward.up_projection": "encoder.layer.*.intermediate.dense",
    "blocks.*.feed_forward.down_projection": "encoder.layer.*.output.dense",
    "blocks.*.feed_forward_residual.norm": "encoder.layer.*.output.LayerNorm",
}
_BERT = {ours: f"bert.{theirs}" for ours, theirs in _ENCODER.items()} | {
    "transform": "cls.predictions.transform.dense",
    "transform_norm": "cls.predictions.transform.LayerNorm",
    "head_bias": "cls.predictions.bias",
    "pooler": "bert.pooler.dense",
    "next_sentence": "cls.seq_relationship",
}
_ROBERTA = {ours: f"roberta.{theirs}" for ours, theirs in _ENCODER.items()} | {
    "transform": "lm_head.dense",
    "transform_norm": "lm_head.layer_norm",
    "head_bias": "lm_head.bias",
}
_GPT2 = {
    "embedding": "transformer.wte.weight",
    "positions.weight": "transformer.wpe.weight",
    "blocks.*.attention_norm": "transformer.h.*.ln_1",
    "blocks.*.attention.input_projection": "transformer.h.*.attn.c_attn",
    "blocks.*.attention.output_projection": "transformer.h.*.attn.c_proj",
    "blocks.*.feed_forward_norm": "transformer.h.*.ln_2",
    "blocks.*.feed_forward.up_projection": "transformer.h.*.mlp.c_fc",
    "blocks.*.feed_forward.down_projection": "transformer.h.*.mlp.c_proj",
    "norm": "transformer.ln_f",
    "head": "lm_head",
}
_LLAMA = {
    "embedding": "model.embed_tokens.weight",
    "blocks.*.attention_norm": "model.layers.*.input_layernorm",
    "blocks.*.attention.input_projection": tuple(
        f"model.layers.*.self_attn.{one}_proj" for one in "qkv"
    ),
    "blocks.*.attention.output_projection": "model.layers.*.self_attn.o_proj",
    "blocks.*.feed_forward_norm": "model.layers.*.post_attention_layernorm",
    "blocks.*.feed_forward.up_projection": (
        "model.layers.*.mlp.gate_proj", "model.layers.*.mlp.up_proj",
    ),
    "blocks.*.feed_forward.down_projection": "model.layers.*.mlp.down_proj",
    "norm": "model.norm",
    "head": "lm_head",
}  # fmt: skip


@dataclass(frozen=True)
class _Family:
    """How the models of one kind are read.

    Args:
        build: our model, from their settings, their weights and the dropout.
        names: of our weights and theirs.
        prefix: what all names but those of the heads begin with; some files leave it out.
        copies: names that only repeat the weight of another name, where the head is tied.
        left_out: names of what our model has not and does not need for its logits.
        tied: whether the head is tied where the settings do not say it.
        transposed: names of matrices that map rows to columns, as ours do not.
    """

    build: Callable[[Settings, Mapping[str, Tensor], float], nn.Module]
    names: _Names
    prefix: str
    copies: Mapping[str, str]
    left_out: str
    tied: bool = True
    transposed: str = "(?!)"  # none

    def is_tied(self, settings: Settings) -> bool:
        return bool(settings.get("tie_word_embeddings", self.tied))


def from_transformers(
    settings: Settings, weights: Mapping[str, Tensor], dropout: float = 0.0
) -> BERT | GPT:
    """The model whose weights transformers has, with the same logits, in evaluation mode.

    It serves GPT2LMHeadModel and LlamaForCausalLM, which become a `GPT`; BertForMaskedLM,
    BertForPreTraining and RobertaForMaskedLM, which become a `BERT`. Weights keep their types.

    Args:
        settings: `model.config.to_dict()`, or what `config.json` holds.
        weights: `model.state_dict()`.
        dropout: for training; what the settings say of it is not used.

    Raises:
        ValueError: a kind of model or a setting that ours cannot have, a weight that is missing,
            not used or of another shape; it is named.

    Reference: Wolf et al. (2020), https://arxiv.org/abs/1910.03771
    """
    kind = settings.get("model_type")
    if kind not in _FAMILIES:
        raise ValueError(f"model_type must be one of {', '.join(_FAMILIES)}, got {kind!r}")
    family = _FAMILIES[kind]
    found = _usual_names(settings, weights, family)
    model = family.build(settings, found, dropout)
    ours = _translated(model, found, family)
    take_types(model, ours)
    copy_weights(model, ours, "weights")
    return model.eval()


def _usual_names(
    settings: Settings, weights: Mapping[str, Tensor], family: _Family
) -> dict[str, Tensor]:
    """The weights under the names of today; without copies and what is left out."""
    found = {}
    bare = not any(name.startswith(family.prefix) for name in weights)
    for name, weight in weights.items():
        # As BERT's first program called them, and as its files on the web still do.
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
        name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
        added = family.prefix if bare and not name.startswith(_HEADS) else ""
        found[added + name] = weight
    for copy, original in family.copies.items() if family.is_tied(settings) else ():
        if copy in found and original in found and not torch.equal(found[copy], found[original]):
            raise ValueError(f"{copy} must be the same as {original}, got other numbers")
        found.pop(copy, None)
    return {name: each for name, each in found.items() if not re.search(family.left_out, name)}


def _translated(
    model: nn.Module, found: Mapping[str, Tensor], family: _Family
) -> dict[str, Tensor]:
    """Our weights by our names, each made of theirs."""
    ours, used = {}, set()
    for name in named_weights(model):
        theirs = _their_names(name, family.names)
        for each in theirs:
            if each not in found:
                raise ValueError(f"weights must hold {each}, which is missing: for our {name}")
        used.update(theirs)
        parts = [
            found[each].T if re.search(family.transposed, each) else found[each] for each in theirs
        ]
        ours[name] = parts[0] if len(parts) == 1 else torch.cat(parts)
    if left := sorted(found.keys() - used):
        raise ValueError(f"weights must hold nothing that our model lacks, got {left[0]}")
    return ours


def _their_names(name: str, names: _Names) -> list[str]:
    number = re.search(r"\.(\d+)\.", name)
    general = name if number is None else name.replace(number[0], ".*.", 1)
    layer, _, part = general.rpartition(".")
    found, end = (names[general], "") if general in names else (names[layer], f".{part}")
    several = (found,) if isinstance(found, str) else found
    return [(each if number is None else each.replace("*", number[1])) + end for each in several]


def _setting(settings: Settings, name: str) -> Any:
    if name not in settings:
        raise ValueError(f"settings must say {name}, got none: is config.json whole?")
    return settings[name]


def _only(settings: Settings, **expected: Any) -> None:
    """Refuses a setting that our models do not have; one that is not there is as usual."""
    for name, value in expected.items():
        if settings.get(name, value) != value:
            raise ValueError(
                f"{name} must be {value} for our models, got {name}={settings[name]!r}"
            )


def _activation(settings: Settings, name: str, known: Mapping[str, str]) -> str:
    found = settings.get(name)
    if found not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {name}={found!r}")
    return known[found]


# ---------------------------------------------------------------- BERT and RoBERTa


def _encoder_options(settings: Settings) -> dict[str, Any]:
    _only(settings, tie_word_embeddings=True, is_decoder=False, add_cross_attention=False,
          position_embedding_type="absolute")  # fmt: skip
    names = {
        "vocab_size": "vocab_size",
        "d_model": "hidden_size",
        "n_heads": "num_attention_heads",
        "n_layers": "num_hidden_layers",
        "d_ff": "intermediate_size",
        "n_segments": "type_vocab_size",
        "norm_eps": "layer_norm_eps",
    }
    return {ours: _setting(settings, theirs) for ours, theirs in names.items()}


def _bert(settings: Settings, weights: Mapping[str, Tensor], dropout: float) -> BERT:
    return BERT(
        BERTConfig(
            **_encoder_options(settings),
            context_length=_setting(settings, "max_position_embeddings"),
            activation=_activation(settings, "hidden_act", _ACTIVATIONS | {"relu": "relu"}),
            next_sentence="cls.seq_relationship.weight" in weights,
            dropout=dropout,
        )
    )


def _roberta(settings: Settings, weights: Mapping[str, Tensor], dropout: float) -> BERT:
    padding_id = _setting(settings, "pad_token_id")
    n_rows = _setting(settings, "max_position_embeddings")
    return BERT(
        BERTConfig(
            **_encoder_options(settings),
            context_length=n_rows - padding_id - 1,
            padding_id=padding_id,
            # Its head has the exact one, whatever its blocks have: ours has one for both.
            activation=_activation(settings, "hidden_act", {"gelu": "gelu"}),
            dropout=dropout,
        )
    )


# ---------------------------------------------------------------- GPT-2 and Llama


def _gpt2(settings: Settings, weights: Mapping[str, Tensor], dropout: float) -> GPT:
    _only(settings, scale_attn_weights=True, scale_attn_by_inverse_layer_idx=False,
          add_cross_attention=False)  # fmt: skip
    return GPT(
        GPTConfig(
            vocab_size=_setting(settings, "vocab_size"),
            context_length=_setting(settings, "n_positions"),
            d_model=_setting(settings, "n_embd"),
            n_heads=_setting(settings, "n_head"),
            n_layers=_setting(settings, "n_layer"),
            d_ff=settings.get("n_inner"),
            feed_forward=_activation(settings, "activation_function", _ACTIVATIONS),
            norm_eps=_setting(settings, "layer_norm_epsilon"),
            tied_head=_FAMILIES["gpt2"].is_tied(settings),
            dropout=dropout,
        )
    )


def _llama(settings: Settings, weights: Mapping[str, Tensor], dropout: float) -> GPT:
    d_model, n_heads = (_setting(settings, n) for n in ("hidden_size", "num_attention_heads"))
    _only(settings, attention_bias=False, mlp_bias=False, pretraining_tp=1)
    if settings.get("head_dim") is not None:
        _only(settings, head_dim=d_model // n_heads)
    _activation(settings, "hidden_act", {"silu": "swiglu"})
    return GPT(
        GPTConfig(
            vocab_size=_setting(settings, "vocab_size"),
            context_length=_setting(settings, "max_position_embeddings"),
            d_model=d_model,
            n_heads=n_heads,
            n_layers=_setting(settings, "num_hidden_layers"),
            n_kv_heads=settings.get("num_key_value_heads"),
            d_ff=_setting(settings, "intermediate_size"),
            norm="rms",
            feed_forward="swiglu",
            positions="rotary",
            norm_eps=_setting(settings, "rms_norm_eps"),
            rope_theta=_rope_theta(settings),
            tied_head=_FAMILIES["llama"].is_tied(settings),
            dropout=dropout,
        )
    )


def _rope_theta(settings: Settings) -> float:
    """The base of the rotations, as files say it since transformers 5 or before."""
    rope = {"rope_theta": 10_000.0} | {n: settings[n] for n in ("rope_theta",) if n in settings}
    rope |= settings.get("rope_scaling") or {}
    rope |= settings.get("rope_parameters") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise ValueError(f"rope_type must be default for our models, got rope_type={kind!r}")
    return float(rope["rope_theta"])


_FAMILIES = {
    "bert": _Family(
        _bert,
        _BERT,
        prefix="bert.",
        copies={
            "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
            "cls.predictions.decoder.bias": "cls.predictions.bias",
        },
        left_out=r"\.position_ids$",
    ),
    "roberta": _Family(
        _roberta,
        _ROBERTA,
        prefix="roberta.",
        copies={
            "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
            "lm_head.decoder.bias": "lm_head.bias",
        },
        left_out=r"\.position_ids$|^roberta\.pooler\.",
    ),
    "gpt2": _Family(
        _gpt2,
        _GPT2,
        prefix="transformer.",
        copies={"lm_head.weight": "transformer.wte.weight"},
        left_out=r"\.attn\.(bias|masked_bias)$",  # their causal masks
        transposed=r"\.c_(attn|proj|fc)\.weight$",
    ),
    "llama": _Family(
        _llama,
        _LLAMA,
        prefix="model.",
        copies={"lm_head.weight": "model.embed_tokens.weight"},
        left_out=r"\.rotary_emb\.inv_freq$",
        tied=False,
    ),
}
