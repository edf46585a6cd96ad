"""Ids in files that are read as if they were in memory: written piece by piece, whole or not there.

Chapter: book/data.md
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt

from lmcourse.tokenizers import TOKENIZERS, Tokenizer

PARTS = ("train", "validation")
DESCRIPTION, TOKENIZER, DOCUMENTS = "data.json", "tokenizer.json", "documents.jsonl"
PROGRESS = "progress.json"  # is there while a preparation has not come to its end
_HEADER_BYTES = 128


def type_of_ids(vocab_size: int) -> np.dtype:
    """The smallest type that holds all ids, the low byte first on every machine."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")


def header(n_ids: int, dtype: np.dtype) -> bytes:
    """What a file of n ids begins with: 128 bytes, so that the number can be put in at the end.

    Reference: the format of NumPy's files, version 1.0,
        https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    told = {"descr": dtype.str, "fortran_order": False, "shape": (n_ids,)}
    start = b"\x93NUMPY\x01\x00" + (_HEADER_BYTES - 10).to_bytes(2, "little")
    return start + str(told).encode().ljust(_HEADER_BYTES - 11) + b"\n"


class IdFile:
    """A file of NumPy that grows: ids go to a `.part`, which takes its name when it is whole.

    Args:
        path: the name that it will have.
        n_ids: how many are good of those that an earlier process left; the others are cut off.
    """

    def __init__(self, path: str | Path, dtype: np.dtype, n_ids: int = 0):
        self.path, self.dtype, self.n_ids = Path(path), dtype, n_ids
        self._part = self.path.with_name(f"{self.path.name}.part")
        size = _HEADER_BYTES + n_ids * dtype.itemsize
        if n_ids and (not self._part.exists() or self._part.stat().st_size < size):
            raise ValueError(
                f"{self._part} must hold {n_ids} ids, which were written before, and has lost some:"
                " remove the folder and begin again"
            )
        self._file = self._part.open("r+b" if n_ids else "wb")
        self._file.truncate(size)
        self._file.seek(size)

    def add(self, ids: UInt[np.ndarray, "n"]) -> None:
        """Puts ids at the end."""
        self._file.write(np.ascontiguousarray(ids, self.dtype).tobytes())
        self.n_ids += len(ids)

    def sync(self) -> None:
        """What was added is on the disk, whatever happens to the machine."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Writes how many there are, and gives the file its name."""
        self._file.seek(0)
        self._file.write(header(self.n_ids, self.dtype))
        self.sync()
        self._file.close()
        os.replace(self._part, self.path)

    def close(self) -> None:
        """Leaves the `.part` as it is."""
        self._file.close()


@dataclass(frozen=True)
class Prepared:
    """What `lmcourse data prepare` left in a folder, nothing of it in memory but the tokenizer.

    Args:
        train, validation: the ids, in the files: `numpy.memmap`.
        tokenizer: whose ids they are.
        end_id: stands after each document; None if the tokenizer has no such sign.
        description: all that data.json says.
        digest: the SHA-256 of data.json, which holds those of the ids.
    """

    train: np.ndarray
    validation: np.ndarray
    tokenizer: Tokenizer
    end_id: int | None
    description: Mapping[str, Any]
    digest: str


def is_prepared(path: str | Path) -> bool:
    """Whether the folder holds prepared data, or the beginning of it."""
    return any((Path(path) / name).is_file() for name in (DESCRIPTION, PROGRESS))


def open_prepared(folder: str | Path) -> Prepared:
    """The ids of a folder, for `train`, which reads of them only what a batch needs.

    Raises:
        ValueError: the folder holds none, half of them, or not what data.json says.
    """
    folder = Path(folder)
    path = folder / DESCRIPTION
    if not path.is_file():
        if (folder / PROGRESS).is_file():
            raise ValueError(
                f"folder must hold prepared data, got {folder}, where lmcourse data prepare has not"
                " come to its end: give that command again, and it goes on"
            )
        raise ValueError(
            f"folder must hold what lmcourse data prepare leaves, got {folder}, which has no"
            f" {DESCRIPTION}"
        )
    content = path.read_bytes()
    try:
        told = json.loads(content)
        kind = TOKENIZERS[told["tokenizer"]]
        n_ids = {part: int(told["parts"][part]["n_ids"]) for part in PARTS}
        dtype, end_id = np.dtype(told["dtype"]), told["end_id"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} must be a file that lmcourse data prepare wrote, got"
            f" {type(error).__name__}: {error}"
        ) from error
    ids = {part: _mapped(folder / f"{part}.npy", n_ids[part], dtype) for part in PARTS}
    tokenizer = kind.load(folder / TOKENIZER)
    digest = hashlib.sha256(content).hexdigest()
    return Prepared(ids["train"], ids["validation"], tokenizer, end_id, told, digest)


def _mapped(path: Path, n_ids: int, dtype: np.dtype) -> np.ndarray:
    if not n_ids:  # no file of no length can be mapped
        return np.zeros(0, dtype)
    try:
        ids = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} must be a file of ids, got {error}") from error
    if ids.shape != (n_ids,) or ids.dtype != dtype:
        raise ValueError(
            f"{path} must hold {n_ids} ids of type {dtype}, got {ids.dtype} of shape {ids.shape}:"
            " it belongs to another preparation"
        )
    return ids
