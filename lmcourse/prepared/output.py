"""How far a preparation has come, and the files that are in step with it.

Chapter: book/data.md
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lmcourse.files import write_file
from lmcourse.prepared.encoding import Encoded
from lmcourse.prepared.id_files import DOCUMENTS, PARTS, PROGRESS, IdFile
from lmcourse.prepared.pieces import Piece, Place


class State:
    """Where a preparation stands: all that an uninterrupted one would know, too."""

    def __init__(self, call: Mapping[str, Any], **known: Any):
        self.call = call
        self.place = Place(*known.get("place", Place()))
        self.n_ids = dict(known.get("n_ids", dict.fromkeys(PARTS, 0)))
        self.document_bytes = known.get("document_bytes", 0)
        self.n_documents = dict(known.get("n_documents", dict.fromkeys(PARTS, 0)))
        self.licenses = Counter(known.get("licenses", {}))
        self.open = known.get("open")  # the document whose end is still to come

    def save(self, folder: Path) -> None:
        """Writes it down, in the place of what was known before."""
        write_file(folder / PROGRESS, json.dumps(vars(self), indent=1) + "\n")


def begun(folder: Path, call: Mapping[str, Any]) -> State | None:
    """What an earlier call has left, if it was the same one."""
    path = folder / PROGRESS
    if not path.is_file():
        return None
    try:
        state = State(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} must be a note of lmcourse data prepare, got {error}") from error
    if state.call != call:
        changed = [name for name in call if state.call.get(name) != call[name]]
        raise ValueError(
            f"folder must hold the beginning of the same preparation, got {folder}, which was begun"
            f" with other {' and '.join(changed)}: give those, or choose another folder"
        )
    return state


class Output:
    """The files of ids and the list of documents; what is in them is in step with the state."""

    def __init__(self, folder: Path, dtype: np.dtype, state: State):
        self.folder, self.state = folder, state
        # Killed between two names: those that are there are whole.
        self.files = {
            part: IdFile(folder / f"{part}.npy", dtype, state.n_ids[part])
            for part in PARTS
            if not (folder / f"{part}.npy").exists()
        }
        self._part = folder / f"{DOCUMENTS}.part"
        self._documents = None
        if not (folder / DOCUMENTS).exists():
            self._documents = self._part.open("r+b" if state.document_bytes else "wb")
            self._documents.truncate(state.document_bytes)
            self._documents.seek(state.document_bytes)

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *error: object) -> None:
        for file in self.files.values():
            file.close()
        if self._documents is not None:
            self._documents.close()

    def add(self, piece: Piece, encoded: list[Encoded]) -> None:
        """What came of a piece."""
        state = self.state
        for each in encoded:
            if each.document is not None:
                start = state.n_ids[each.part]
                state.open = {"part": each.part, "start": start} | each.document
            self.files[each.part].add(each.ids)
            state.n_ids[each.part] += len(each.ids)
            if piece.is_lines or piece.ends:
                self._close_document()
        state.place = piece.following

    def _close_document(self) -> None:
        state, told = self.state, self.state.open
        told["n_ids"] = state.n_ids[told["part"]] - told["start"]
        line = (json.dumps(told, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")
        self._documents.write(line)
        state.document_bytes += len(line)
        state.n_documents[told["part"]] += 1
        state.licenses[told["license"]] += told["n_ids"]
        state.open = None

    def save(self) -> None:
        """First the ids are on the disk, then the note that counts them."""
        for file in self.files.values():
            file.sync()
        self._documents.flush()
        os.fsync(self._documents.fileno())
        self.state.save(self.folder)

    def finish(self) -> None:
        """Gives all files their names."""
        for file in self.files.values():
            file.finish()
        if self._documents is not None:
            self._documents.close()
            os.replace(self._part, self.folder / DOCUMENTS)
