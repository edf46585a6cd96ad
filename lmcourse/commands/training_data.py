"""What `lmcourse train` learns from: a text that it makes into ids, or ids that are prepared.

Chapter: book/data.md
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lmcourse.data import load_dataset, pydoc_text
from lmcourse.prepared.id_files import Prepared, is_prepared, open_prepared
from lmcourse.pretrained import CONFIG
from lmcourse.tokenizers import TOKENIZERS, BPETokenizer, Tokenizer

VALIDATION_FRACTION = 0.1  # the last tenth of the text is for validation
VALIDATION_IDS = 200_000  # of prepared ids: more would take longer than what they validate
BYTE_PAIRS = 512  # the ids of --tokenizer bpe, if no other number is given
LEARNED_FROM_TEXT = ("chars", "bpe")  # words would make one id of all that is rare

Ids = Tensor | np.ndarray


@dataclass(frozen=True)
class TrainingData:
    """A tokenizer, the ids to learn from and those held out, and how to know them again."""

    tokenizer: Tokenizer
    train: Ids
    validation: Ids
    digest: str


def load_data(
    source: str | Path,
    tokenizer: str | None,
    vocab_size: int | None,
    context_length: int,
    known: Tokenizer | None = None,
) -> TrainingData:
    """The data that a name stands for; a tokenizer is learned if it brings none.

    Args:
        source: a folder of `lmcourse data prepare`, or as for `read_text`.
        tokenizer: "chars" or "bpe"; chars if None.
        vocab_size: of the tokenizer; all characters, or 512 byte pairs, if None.
        known: a tokenizer that there is already, with which no other is learned.
    """
    if is_prepared(source):
        asked = {"tokenizer": tokenizer, "vocab_size": vocab_size}
        for name, value in asked.items():
            if value is not None:
                raise ValueError(
                    f"{name} must be left out with prepared data, which has its own, got"
                    f" {name}={value!r} and {source}"
                )
        prepared = open_prepared(source)
        if known is not None and not _are_alike(known, prepared.tokenizer):
            raise ValueError(
                f"prepared data must have the tokenizer of the model to begin from, got {source}"
                " with another one: prepare them with --tokenizer and the folder of the model"
            )
        return _of_prepared(prepared, context_length)
    text = read_text(source)
    encoder = known or _train_tokenizer(tokenizer or "chars", text, vocab_size)
    return _of_text(encoder, text, context_length)


def _are_alike(one: Tokenizer, other: Tokenizer) -> bool:
    """Whether they give the same ids."""
    return type(one) is type(other) and one.tokens == other.tokens


def _of_prepared(data: Prepared, context_length: int) -> TrainingData:
    validation = data.validation[:VALIDATION_IDS]
    if len(data.train) <= context_length or len(validation) < 2:
        raise ValueError(
            f"prepared data must have more than context_length={context_length} tokens to learn"
            f" from and 2 to hold out, got {len(data.train)} and {len(validation)}: prepare more"
            " text, with a larger --held-out"
        )
    return TrainingData(data.tokenizer, data.train, validation, data.digest)


def read_text(source: str | Path) -> str:
    """The text that a name stands for: pydoc, a data set that is one text, or a file.

    A byte order mark, with which some editors begin a file, is no part of the text.

    Raises:
        ValueError: it is none of them, or the file is no text.
    """
    if source == "pydoc":
        return pydoc_text()
    path = Path(source)
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{source} must be text in UTF-8, got {error}") from error
    if path.exists():
        kind = "a folder" if path.is_dir() else "a device or a pipe"
        raise ValueError(f"text must be a file, 'pydoc' or a data set, got {kind}: {source}")
    try:
        found = load_dataset(str(source)).get("all")
    except ValueError as error:
        raise ValueError(
            f"text must be a file, 'pydoc' or a data set, got {str(source)!r}: there is no such"
            f" file, and {error}"
        ) from error
    if not isinstance(found, str):
        raise ValueError(
            f"text must be a data set of running text, got {str(source)!r}: try a file"
        )
    return found


def _of_text(encoder: Tokenizer, text: str, context_length: int) -> TrainingData:
    """The ids to learn from and those held out; a text that is too short for both is refused."""
    ids, validation = (torch.tensor(encoder.encode(x), dtype=torch.long) for x in _parts(text))
    if len(ids) <= context_length or len(validation) < 2:
        raise ValueError(
            f"text must give more than context_length={context_length} tokens to learn from and 2"
            f" to hold out, got {len(ids)} and {len(validation)} of {len(text)} characters: give a"
            " longer text or a smaller context_length"
        )
    return TrainingData(encoder, ids, validation, _digest(text))


def origin(source: str | Path, data: TrainingData, folder: Path) -> dict[str, str]:
    """What the folder remembers of its data: where they were, and how to know them again."""
    told = {"source": str(source), "sha256": data.digest}
    if _is_there(source):
        # From the folder to the data, so that both can move together.
        try:
            path = os.path.relpath(Path(source).resolve(), folder.resolve())
        except ValueError:  # on another drive
            path = str(Path(source).resolve())
        told["path"] = Path(path).as_posix()
    return told


def found_again(
    origin: Mapping[str, str],
    folder: Path,
    source: str | Path | None,
    encoder: Tokenizer,
    context_length: int,
) -> TrainingData:
    """The data of a training; what they were read from may have moved, but not changed."""
    candidates = _candidates(origin, folder) if source is None else [source]
    found = [path for path in candidates if _is_there(path)]
    if not found and "path" in origin and source is None:
        raise ValueError(
            f"text must be there to go on, got no file {origin['source']!r}, as seen from {folder}"
            f" or from here: say where it is, lmcourse train TEXT --resume --out {folder}"
        )
    for path in found or candidates:  # what is no file is pydoc or a data set
        if is_prepared(path):
            data = open_prepared(path)
            if data.digest == origin["sha256"]:
                return _of_prepared(data, context_length)
            continue
        text = read_text(path)
        if _digest(text) == origin["sha256"]:
            return _of_text(encoder, text, context_length)
    raise ValueError(
        "text must be the one that the training began with, got another one from"
        f" {str((found or candidates)[0])!r}: its SHA-256 is not that in {folder / CONFIG}"
    )


def _is_there(source: str | Path) -> bool:
    return Path(source).is_file() or is_prepared(source)


def _candidates(origin: Mapping[str, str], folder: Path) -> list[str | Path]:
    """Where the text may be: as seen from the folder, as it was typed, beside the folder, here."""
    if "path" not in origin:
        return [origin["source"]]
    name = Path(origin["path"]).name
    beside = [folder / name, folder.parent / name, Path(name)]
    return [folder / origin["path"], origin["source"], *beside]


def _train_tokenizer(name: str, text: str, vocab_size: int | None) -> Tokenizer:
    if name not in LEARNED_FROM_TEXT:
        known = ", ".join(LEARNED_FROM_TEXT)
        raise ValueError(f"tokenizer must be one of {known}, got tokenizer={name!r}")
    if name == "bpe":  # byte pairs know every text, so nothing held out need be seen
        n_ids = BYTE_PAIRS if vocab_size is None else vocab_size
        return BPETokenizer.train(_parts(text)[0], n_ids)
    return TOKENIZERS[name].train(text, vocab_size)


def _parts(text: str) -> tuple[str, str]:
    """What to learn from, and what is held out: split first, then made into tokens."""
    cut = round((1 - VALIDATION_FRACTION) * len(text))
    return text[:cut], text[cut:]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
