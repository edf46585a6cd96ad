"""A save in parts: each process writes its own, while the training goes on.

Chapter: book/pretraining.md

    training-shards/step-00000120/part-0-of-2.safetensors
                                  part-1-of-2.safetensors
                                  index.json

The folder has a name that begins with a dot until all parts and the index are on the disk. So what
has a plain name is whole, whenever a process was killed.
"""

import json
import os
import re
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmcourse.checkpoints import check_same, opened, save_tensors
from lmcourse.files import name_folder, write_file
from lmcourse.loop import distributed
from lmcourse.loop.sharding import Part, part

SHARDS, INDEX, FORMAT = "training-shards", "index.json", "lmcourse shards 1"
PICKLE = ".metadata"  # the name under which torch.distributed.checkpoint writes one
_POLL, _PATIENCE = 0.01, 600.0  # seconds


class ShardWriter:
    """Writes saves into a folder, of which the last whole one stays.

    A save begins with a copy of the tensors in the memory of the CPU; a thread does the rest. The
    first process waits for the parts of the others, which are files too: all must see one disk.

    Args:
        folder: of the saves.
        start: the same number in all processes, and another one at each start of them, so that
            nobody takes for a part of today what a process that was killed has left.
    """

    def __init__(self, folder: Path, rank: int, n_processes: int, start: int):
        self.folder, self.rank, self.n_processes, self.start = folder, rank, n_processes, start
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._abandoned = threading.Event()
        self._begun: int | None = None

    def begin(self, tensors: Mapping[str, Tensor], step: int, metadata: Mapping[str, str]) -> None:
        """Begins a save of the tensors as they are now; waits for the one before to be written.

        Args:
            tensors: in parts, or whole and the same in all processes.

        Raises:
            OSError: the save before could not be written, and why.
        """
        self.settle()
        if step == self._begun:  # at the end of a training, and when it is stopped
            return
        self._begun, mine = step, {}
        for name, tensor in tensors.items():
            piece = part(tensor)
            if self.rank == 0 or (hasattr(tensor, "to_local") and piece.rows.numel()):
                mine[name] = piece._replace(rows=piece.rows.to("cpu", copy=True))
        arguments = (mine, step, dict(metadata))
        self._thread = threading.Thread(target=self._run, args=arguments, daemon=True)
        self._thread.start()

    def settle(self) -> None:
        """Goes on when what was begun is written.

        Raises:
            OSError: it could not be written, and why.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def abandon(self) -> None:
        """Ends without waiting for others, who may be gone; what was not whole is nothing."""
        self._abandoned.set()

    def _run(self, mine: Mapping[str, Part], step: int, metadata: Mapping[str, str]) -> None:
        try:
            self._write(mine, step, metadata)
        except BaseException as error:  # told by the thread that asked for it
            self._error = error

    def _write(self, mine: Mapping[str, Part], step: int, metadata: Mapping[str, str]) -> None:
        target = self.folder / f"step-{step:08}"
        new = self.folder / f".step-{step:08}-{self.start:08x}"
        new.mkdir(parents=True, exist_ok=True)
        names = [f"part-{i}-of-{self.n_processes}.safetensors" for i in range(self.n_processes)]
        places = {name: [piece.start, list(piece.shape)] for name, piece in mine.items()}
        rows = {name: piece.rows for name, piece in mine.items()}
        save_tensors(rows, new / names[self.rank], {"places": json.dumps(places)})
        if self.rank > 0:
            return
        if not self._wait_for(new, names):
            return
        index = {"format": FORMAT, "metadata": metadata, "tensors": _places(new, names)}
        write_file(new / INDEX, json.dumps(index))
        name_folder(new, target)
        for path in whole_saves(self.folder):
            if path != target:
                shutil.rmtree(path, ignore_errors=True)

    def _wait_for(self, folder: Path, names: list[str]) -> bool:
        """Whether all parts have come; not if the training ends before."""
        deadline = time.monotonic() + _PATIENCE
        while missing := [name for name in names if not (folder / name).is_file()]:
            if self._abandoned.wait(_POLL):
                return False
            if time.monotonic() > deadline:
                raise OSError(
                    f"{folder / missing[0]} must come within {_PATIENCE:.0f} s, and did not: all"
                    " processes must see the same folder; the last save is still whole"
                )
        return True


def shard_writer(folder: Path) -> ShardWriter:
    """The writer of this process; all processes call it."""
    rank, n_processes = distributed.rank(), distributed.n_processes()
    start = int.from_bytes(os.urandom(4)) if rank == 0 else 0
    for path in folder.glob(".step-*") if rank == 0 else ():
        shutil.rmtree(path, ignore_errors=True)  # what processes that were killed had begun
    start = int(distributed.all_reduce_sum([float(start)])[0])
    return ShardWriter(folder, rank, n_processes, start)


def _places(folder: Path, names: list[str]) -> dict[str, Any]:
    """Of each tensor its shape, and which file has how many rows from which on."""
    found: dict[str, Any] = {}
    for name in names:
        with opened(folder / name) as file:
            for tensor, (start, shape) in json.loads(file.metadata()["places"]).items():
                size = file.get_slice(tensor).get_shape()
                entry = found.setdefault(tensor, {"shape": shape, "parts": []})
                entry["parts"].append([name, start, size[0] if size else 1])
    return found


def whole_saves(folder: Path) -> list[Path]:
    """The saves in the folder, the last one first.

    Raises:
        ValueError: another program has left a pickle here.
    """
    found = [path for path in folder.glob("step-*") if re.fullmatch(r"step-\d{8,}", path.name)]
    for path in (folder, *found):
        refuse_pickle(path)
    whole = [path for path in found if (path / INDEX).is_file()]
    return sorted(whole, key=lambda path: int(path.name[5:]), reverse=True)


def refuse_pickle(folder: Path) -> None:
    """Refuses a folder that torch.distributed.checkpoint wrote.

    Raises:
        ValueError: its file is named.
    """
    if (folder / PICKLE).exists():
        raise ValueError(
            f"{folder} must hold safetensors alone, got {folder / PICKLE}, a pickle of"
            " torch.distributed.checkpoint, which can run any code when it is read: let the program"
            " that wrote it write safetensors, or choose another folder"
        )


class SavedTensors:
    """The tensors of a save, of which one reads the rows that one needs.

    Args:
        path: a file of `save_tensors`, or a folder of `ShardWriter`, by however many processes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no save, or not whole.
    """

    def __init__(self, path: Path):
        self.path, self.shapes, self._parts = path, {}, {}
        if path.is_dir():
            refuse_pickle(path)
            self._read_index(path / INDEX)
        else:
            with opened(path) as file:
                self.metadata = dict(file.metadata() or {})
                for name in file.keys():  # noqa: SIM118
                    shape = self.shapes[name] = tuple(file.get_slice(name).get_shape())
                    self._parts[name] = [(path, 0, shape[0] if shape else 1)]

    def _read_index(self, path: Path) -> None:
        try:
            index = json.loads(path.read_text(encoding="utf-8"))
            if index["format"] != FORMAT:
                raise ValueError(f"the format {index['format']!r}")
            self.metadata = {str(name): str(text) for name, text in index["metadata"].items()}
            for name, entry in index["tensors"].items():
                self.shapes[name] = tuple(int(n) for n in entry["shape"])
                self._parts[name] = _checked_parts(name, entry, path.parent)
        except (KeyError, TypeError, AttributeError, ValueError, UnicodeError) as error:
            raise ValueError(
                f"{path} must be the index of a save in parts, got {error}: go on from another save"
            ) from error

    def rows(self, name: str, start: int, n: int) -> Tensor:
        """The n rows of a tensor from `start` on; all of a tensor that has no rows."""
        pieces = []
        for path, first, size in self._parts[name]:
            low, high = max(start, first), min(start + n, first + size)
            if low < high:
                with opened(path) as file:
                    if not self.shapes[name]:
                        return file.get_tensor(name)
                    pieces.append(file.get_slice(name)[low - first : high - first])
        return torch.cat(pieces) if pieces else torch.empty(0, *self.shapes[name][1:])

    def fill(self, own: Mapping[str, Tensor], prefix: str = "") -> None:
        """Copies into each tensor what is saved under its name, its own rows if it is in parts.

        Raises:
            ValueError: a tensor is missing, unknown or of another shape; nothing was copied.
        """
        mine = {name: tensor.shape for name, tensor in own.items()}
        saved = {
            name.removeprefix(prefix): shape
            for name, shape in self.shapes.items()
            if name.startswith(prefix)
        }
        check_same(mine, saved, self.path)
        for name, tensor in own.items():
            self.copy_into(tensor, prefix + name)

    @torch.no_grad()
    def copy_into(self, tensor: Tensor, name: str) -> None:
        """Copies what is saved under the name into the tensor, its own rows if it is in parts."""
        piece = part(tensor)
        piece.rows.copy_(self.rows(name, piece.start, len(piece.rows) if piece.shape else 1))


def _checked_parts(name: str, entry: Mapping[str, Any], folder: Path) -> list[tuple]:
    """The parts in order, which are all rows of the tensor, each once."""
    parts = sorted((int(start), int(n), str(file)) for file, start, n in entry["parts"])
    expected = 0
    for start, n, file in parts:
        if Path(file).name != file:
            raise ValueError(f"a file outside of the folder, {file!r}")
        if start != expected:
            raise ValueError(f"row {start} of {name} after row {expected - 1}")
        expected += n
    shape = entry["shape"]
    if expected != (shape[0] if shape else 1):
        raise ValueError(f"{expected} rows of {name}, whose shape is {tuple(shape)}")
    return [(folder / file, start, n) for start, n, file in parts]
