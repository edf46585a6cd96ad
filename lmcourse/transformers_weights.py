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

Settings = Mapping[str, Any]  # what their config.json holds
_HEADS = ("cls.", "lm_head.")
_ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}

# Ours → theirs; a star is the number of the block, and `.weight` or `.bias` follows where a name
# ends with a layer.
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


@dataclass(frozen=True)
class _Family:
    """How the models of one kind are read.

    Args:
        build: our model, from their settings, their weights and the dropout.
        names: of our weights and theirs.
        prefix: what all names but those of the heads begin with; some files leave it out.
        copies: names that only repeat the weight of another name.
        left_out: names of what our model has not and does not need for its logits.
    """

    build: Callable[[Settings, Mapping[str, Tensor], float], nn.Module]
    names: Mapping[str, str]
    prefix: str
    copies: Mapping[str, str]
    left_out: str


def from_transformers(
    settings: Settings, weights: Mapping[str, Tensor], dropout: float = 0.0
) -> BERT:
    """The model whose weights transformers has, with the same logits, in evaluation mode.

    It serves BertForMaskedLM, BertForPreTraining and RobertaForMaskedLM. Weights keep their types.

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
    found = _usual_names(weights, family)
    model = family.build(settings, found, dropout)
    ours = _translated(model, found, family)
    take_types(model, ours)
    copy_weights(model, ours, "weights")
    return model.eval()


def _usual_names(weights: Mapping[str, Tensor], family: _Family) -> dict[str, Tensor]:
    """The weights under the names of today; without copies and what is left out."""
    found = {}
    bare = not any(name.startswith(family.prefix) for name in weights)
    for name, weight in weights.items():
        # As BERT's first program called them, and as its files on the web still do.
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
        name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
        added = family.prefix if bare and not name.startswith(_HEADS) else ""
        found[added + name] = weight
    for copy, original in family.copies.items():
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
        theirs = _their_name(name, family.names)
        if theirs not in found:
            raise ValueError(f"weights must hold {theirs}, which is missing: for our {name}")
        used.add(theirs)
        ours[name] = found[theirs]
    if left := sorted(found.keys() - used):
        raise ValueError(f"weights must hold nothing that our model lacks, got {left[0]}")
    return ours


def _their_name(name: str, names: Mapping[str, str]) -> str:
    number = re.search(r"\.(\d+)\.", name)
    general = name if number is None else name.replace(number[0], ".*.", 1)
    layer, _, part = general.rpartition(".")
    theirs = names[general] if general in names else f"{names[layer]}.{part}"
    return theirs if number is None else theirs.replace("*", number[1])


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
}
