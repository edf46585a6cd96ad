"""A language model in a folder: what it is, its tokenizer, its weights.

Chapter: book/training.md
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lmcourse.checkpoints import load, save
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.tokenizers import BPETokenizer, CharTokenizer, Tokenizer

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
# As `lmcourse train --tokenizer` calls them.
TOKENIZERS: dict[str, type] = {"chars": CharTokenizer, "bpe": BPETokenizer}


def save_pretrained(
    model: GPT, tokenizer: Tokenizer, folder: str | Path, notes: Mapping[str, Any] | None = None
) -> None:
    """Writes `config.json`, `tokenizer.json` and `model.safetensors`, for `from_pretrained`.

    Args:
        notes: what else `config.json` shall hold, such as what the model was trained on.
    """
    folder = Path(folder)
    describe(model, tokenizer, folder, notes)
    save(model, folder / WEIGHTS)


def describe(
    model: GPT, tokenizer: Tokenizer, folder: Path, notes: Mapping[str, Any] | None = None
) -> None:
    """Writes what `save_pretrained` writes, but for the weights."""
    kinds = [name for name, kind in TOKENIZERS.items() if type(tokenizer) is kind]
    if not kinds:
        known = ", ".join(kind.__name__ for kind in TOKENIZERS.values())
        raise ValueError(f"tokenizer must be one of {known}, got {type(tokenizer).__name__}")
    folder.mkdir(parents=True, exist_ok=True)
    content = {"model": "GPT", "config": asdict(model.config), "tokenizer": kinds[0]}
    text = json.dumps(content | dict(notes or {}), indent=2)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    tokenizer.save(folder / TOKENIZER)


def from_pretrained(folder: str | Path) -> tuple[GPT, Tokenizer]:
    """The model and the tokenizer that `save_pretrained` or `lmcourse train` left in a folder.

    Raises:
        FileNotFoundError: a file is missing, and which.
        ValueError: a file is not what it should be.
    """
    model, tokenizer = untrained(folder)
    load(model, Path(folder) / WEIGHTS)
    return model.eval(), tokenizer


def untrained(folder: str | Path) -> tuple[GPT, Tokenizer]:
    """The same, but the weights as they were drawn."""
    content = read_config(folder)
    try:
        kind = TOKENIZERS[content["tokenizer"]]
        model = GPT(GPTConfig(**content["config"]))
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{Path(folder) / CONFIG} must describe a GPT and its tokenizer, got"
            f" {type(error).__name__}: {error}"
        ) from error
    return model, kind.load(Path(folder) / TOKENIZER)


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
