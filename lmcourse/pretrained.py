"""A language model in a folder: what it is, its tokenizer, its weights.

Chapter: book/training.md
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from torch import Tensor

import lmcourse
from lmcourse.bert import BERT
from lmcourse.checkpoints import copy_weights, load_tensors, restored, save, take_types
from lmcourse.files import replacing, write_file
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.tokenizers import BPETokenizer, CharTokenizer, Tokenizer, WordTokenizer
from lmcourse.transformers_weights import from_transformers

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"  # where the weights are too many for one file
MODELS = resources.files("lmcourse") / "models"  # those that come with the course
# As config.json and `lmcourse train --tokenizer` call them.
TOKENIZERS: dict[str, type] = {"chars": CharTokenizer, "bpe": BPETokenizer, "words": WordTokenizer}


def save_pretrained(
    model: GPT, tokenizer: Tokenizer, folder: str | Path, metadata: Mapping[str, Any] | None = None
) -> None:
    """Writes `config.json`, `tokenizer.json` and `model.safetensors`, for `from_pretrained`.

    Weights come back in the types that they have, also in bfloat16.

    Args:
        metadata: what else `config.json` shall hold, such as what the model was trained on.
    """
    folder, text = Path(folder), _description(model, tokenizer, metadata)
    folder.mkdir(parents=True, exist_ok=True)
    save(model, folder / WEIGHTS)
    _describe(text, tokenizer, folder)


def describe(
    model: GPT, tokenizer: Tokenizer, folder: Path, metadata: Mapping[str, Any] | None = None
) -> None:
    """Writes what `save_pretrained` writes, but for the weights."""
    _describe(_description(model, tokenizer, metadata), tokenizer, folder)


def _describe(text: str, tokenizer: Tokenizer, folder: Path) -> None:
    """Each file is whole or not there, and `config.json` comes last: where it is, all is."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / TOKENIZER) as part:
        tokenizer.save(part)
    write_file(folder / CONFIG, text)


def _description(model: GPT, tokenizer: Tokenizer, metadata: Mapping[str, Any] | None) -> str:
    """What `config.json` will hold; refuses what could not be read again."""
    kinds = [name for name, kind in TOKENIZERS.items() if type(tokenizer) is kind]
    if not kinds:
        known = ", ".join(kind.__name__ for kind in TOKENIZERS.values())
        raise ValueError(f"tokenizer must be one of {known}, got {type(tokenizer).__name__}")
    _check_sizes(model.config, tokenizer)
    content = {"model": "GPT", "config": asdict(model.config), "tokenizer": kinds[0]}
    return (
        json.dumps(content | {"lmcourse": lmcourse.__version__} | dict(metadata or {}), indent=2)
        + "\n"
    )


def from_pretrained(folder: str | Path) -> tuple[GPT, Tokenizer]:
    """The model and the tokenizer that `save_pretrained` or `lmcourse train` left in a folder.

    Raises:
        FileNotFoundError: a file is missing, and which.
        ValueError: a file is not what it should be.
    """
    model, tokenizer = untrained(folder)
    path = Path(folder) / WEIGHTS
    weights = load_tensors(path)
    take_types(model, weights)
    copy_weights(model, weights, path)
    return model.eval(), tokenizer


def shipped(name: str) -> tuple[GPT, Tokenizer]:
    """A model that came with this version of the course, its weights in float32.

    It is the one that runs in the book's pages: `lmcourse reproduce` trained it, and
    `lmcourse export-web` rounded its weights to half precision.

    Args:
        name: "shakespeare".
    """
    known = sorted(folder.name for folder in MODELS.iterdir())
    if name not in known:
        raise ValueError(f"name must be one of {', '.join(known)}, got name={name!r}")
    with resources.as_file(MODELS / name) as folder:
        model, tokenizer = from_pretrained(folder)
    return model.float(), tokenizer


def untrained(folder: str | Path) -> tuple[GPT, Tokenizer]:
    """The same, but the weights as they were drawn."""
    content, path = read_config(folder), Path(folder) / CONFIG
    name = content.get("tokenizer")
    if name not in TOKENIZERS:
        known = ", ".join(TOKENIZERS)
        raise ValueError(
            f"{path} must name a tokenizer, one of {known}, got tokenizer={name!r}: another version"
            " of lmcourse wrote it; use that version"
        )
    config = restored(GPTConfig, content.get("config"), f"{path}, config,")
    try:
        model = GPT(config)
    except ValueError as error:
        raise ValueError(f"{path} must describe a GPT, got {error}") from error
    tokenizer = TOKENIZERS[name].load(Path(folder) / TOKENIZER)
    try:
        _check_sizes(config, tokenizer)
    except ValueError as error:
        raise ValueError(
            f"{CONFIG} and {TOKENIZER} in {folder} must belong together: {error}"
        ) from error
    return model, tokenizer


def _check_sizes(config: GPTConfig, tokenizer: Tokenizer) -> None:
    """Ids that the model lacks end in an error, and ids that the tokenizer lacks are no text."""
    if tokenizer.vocab_size != config.vocab_size:
        raise ValueError(
            "tokenizer must have as many ids as the model, got"
            f" tokenizer.vocab_size={tokenizer.vocab_size}, vocab_size={config.vocab_size}: give"
            " the tokenizer that the model was trained with"
        )


def read_config(folder: str | Path) -> dict[str, Any]:
    """What `config.json` holds."""
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"folder must hold a trained model, got folder={str(folder)!r}: no {CONFIG} in it"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must be JSON, got {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must be a JSON object, got {type(content).__name__}")
    return content


# ---------------------------------------------------------------- folders of transformers


def load_transformers_weights(folder: str | Path, dropout: float = 0.0) -> BERT:
    """The model that transformers' `save_pretrained` left in a folder, with the same logits.

    Nothing but the folder is read, and nothing in it is run: weights must be safetensors.

    Args:
        dropout: for training, in which a model without any would be another than theirs.

    Raises:
        FileNotFoundError: a file is missing, and which.
        ValueError: the folder holds a kind of model that we have not, see `from_transformers`.
    """
    settings, weights = read_config(folder), _foreign_weights(Path(folder))
    try:
        return from_transformers(settings, weights, dropout)
    except ValueError as error:
        raise ValueError(f"{folder} must hold a model that ours can be: {error}") from error


def _foreign_weights(folder: Path) -> dict[str, Tensor]:
    """All weights of a folder, from one file or from several with an index."""
    if (folder / WEIGHTS).is_file():
        return load_tensors(folder / WEIGHTS)
    if not (folder / INDEX).is_file():
        pickles = sorted(path.name for path in folder.glob("*.bin"))
        hint = (
            f": {pickles[0]} is a pickle, which can run any code when it is read" if pickles else ""
        )
        raise FileNotFoundError(f"{folder} must hold {WEIGHTS} or {INDEX}, got neither{hint}")
    content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    names = sorted(set(content["weight_map"].values()))
    weights: dict[str, Tensor] = {}
    for name in names:
        if Path(name).name != name:
            raise ValueError(f"{INDEX} must name files beside it, got {name!r}")
        weights |= load_tensors(folder / name)
    return weights
