"""From a piece of text to the ids of its documents, in this process or in several.

Chapter: book/data.md
"""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import connection
from typing import Any, NamedTuple

import numpy as np

from lmcourse.documents import Document, document_of
from lmcourse.duplicates import normalize
from lmcourse.prepared.id_files import PARTS, type_of_ids
from lmcourse.prepared.pieces import Piece
from lmcourse.tokenizers import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the ids depend on; a preparation goes on only with the same.

    Args:
        vocab_size: the byte pairs to learn, with bytes and end; 4,096 or what the text has, if
            None. Ignored with a tokenizer.
        held_out: the share for validation: of the documents, by a checksum, in files of lines; the
            end of each plain text.
        license: of plain texts, and of documents that name none.
        learn_from: the bytes of the beginnings of the files that byte pairs are learned from.
        piece_bytes: what is made into ids at a time.
    """

    vocab_size: int | None = None
    held_out: float = 0.05
    license: str = "unknown"
    learn_from: int = 4_000_000
    piece_bytes: int = 1 << 20

    def __post_init__(self):
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out must lie in 0…1, below 1, got held_out={self.held_out}")
        if self.piece_bytes < 1:
            raise ValueError(f"piece_bytes must be at least 1, got {self.piece_bytes}")


class Encoded(NamedTuple):
    """The ids of a document, or of a piece of one.

    Args:
        document: what is told of it beside the ids; None where a document goes on.
    """

    part: str
    ids: np.ndarray
    document: dict[str, Any] | None


def part_of_document(document: Document, held_out: float) -> str:
    """train or validation by a checksum of its group, or of its text: copies land together."""
    key = normalize(document.text) if document.group is None else f"group {document.group}"
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return PARTS[int.from_bytes(digest[:7], "big") < held_out * 256**7]


class Encoder:
    """Makes pieces into ids; the same in every process.

    Args:
        end_id: put after each document, if there is one.
    """

    def __init__(self, tokenizer: Tokenizer, end_id: int | None, settings: Settings):
        self.tokenizer, self.settings = tokenizer, settings
        self.end = [] if end_id is None else [end_id]
        self.dtype = type_of_ids(tokenizer.vocab_size)

    def __call__(self, piece: Piece) -> list[Encoded]:
        """The documents of a piece, or the piece of a document."""
        if not piece.is_lines:
            ids = self._ids(piece.text, piece.ends)
            told = {"source": piece.source, "license": self.settings.license}
            return [Encoded(piece.part, ids, told if piece.begins else None)]
        return [self._document(document) for document in self.documents(piece)]

    def documents(self, piece: Piece) -> Iterator[Document]:
        """Those of a piece that is lines."""
        for number, line in enumerate(piece.text.split("\n"), piece.first_line):
            if line.strip():
                where = f"line {number} of {piece.source}"
                yield document_of(line, where, self.settings.license)

    def _document(self, document: Document) -> Encoded:
        told = {k: v for k, v in asdict(document).items() if k != "text" and v not in (None, ())}
        part = part_of_document(document, self.settings.held_out)
        return Encoded(part, self._ids(document.text, True), told)

    def _ids(self, text: str, ends: bool) -> np.ndarray:
        return np.array(self.tokenizer.encode(text) + self.end * ends, self.dtype)


@contextmanager
def encoding(
    encode: Encoder, todo: Iterator[Piece], n_workers: int
) -> Iterator[Iterator[tuple[Piece, list[Encoded]]]]:
    """The pieces, and what came of each, in their order."""
    if n_workers == 1:
        yield ((piece, encode(piece)) for piece in todo)
        return
    # A forked process would inherit the threads of torch, or what is left of them.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_workers, context, _start_worker, (encode,))
    try:
        yield _in_order(pool, todo, 2 * n_workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, todo: Iterator[Piece], n_ahead: int
) -> Iterator[tuple[Piece, list[Encoded]]]:
    """No more pieces wait than `n_ahead`, or a fast reader would fill the memory."""
    waiting: deque[tuple[Piece, Future]] = deque()
    for piece in todo:
        waiting.append((piece, pool.submit(_work, piece)))
        if len(waiting) >= n_ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    for first, future in waiting:
        yield first, future.result()


_encode: Encoder | None = None  # of a worker


def _start_worker(encode: Encoder) -> None:
    global _encode
    _encode = encode
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears Ctrl-C, and ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed tells nobody; without this its workers would wait for ever."""
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _work(piece: Piece) -> list[Encoded]:
    return _encode(piece)
