"""A text of any length in pieces that can be made into ids one by one, from any place on.

Chapter: book/data.md
"""

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lmcourse.byte_pairs import safe_cut

PIECE_BYTES = 1 << 20
MOST_BYTES = 1 << 26  # of a document, or of a text without any place to cut it
_MORE = 1 << 16


class Place(NamedTuple):
    """Where to read on: the file, the byte, and how many lines of the file were read."""

    file: int = 0
    byte: int = 0
    line: int = 0


class Piece(NamedTuple):
    """Some text of a file, and where the next piece begins.

    Args:
        source: the file's name.
        part: of a plain text; the documents of a file of lines choose their own.
        text: plain text; or lines of JSON, each a document.
        is_lines: which of the two.
        begins, ends: whether a document begins or ends with it.
        first_line: the number of the first line, for messages.
        following: where the next piece begins.
    """

    source: str
    part: str
    text: str
    is_lines: bool
    begins: bool
    ends: bool
    first_line: int
    following: Place


def is_lines(path: Path) -> bool:
    """Whether each line of the file is a document, in JSON."""
    return path.suffix.lower() == ".jsonl"


def pieces(
    paths: Sequence[Path], held_out: float, start: Place | None = None, size: int = PIECE_BYTES
) -> Iterator[Piece]:
    """The files in pieces of about `size` bytes, from a place on.

    They are the same whatever place one starts from, and hold no more than `size` and a bit, so
    memory does not grow with the files.

    Args:
        held_out: the share of each plain text, its end, that is for validation.

    Raises:
        ValueError: a file is no UTF-8, or has no place to cut; the message names file and byte.
    """
    place = start or Place()
    while place.file < len(paths):
        path = paths[place.file]
        n_bytes = path.stat().st_size
        with path.open("rb") as file:
            while place.byte < n_bytes:
                if is_lines(path):
                    piece = _lines_from(file, path, place, size)
                else:
                    piece = _text_from(file, path, place, size, n_bytes, held_out)
                yield piece
                place = piece.following
        place = Place(place.file + 1)


def _lines_from(file: BinaryIO, path: Path, place: Place, size: int) -> Piece:
    """Whole lines, at least one and until `size` is reached."""
    file.seek(place.byte)
    lines, n_bytes = [], 0
    while n_bytes < size and (line := file.readline(MOST_BYTES + 1)):
        if len(line) > MOST_BYTES:
            raise ValueError(
                f"line {place.line + len(lines) + 1} of {path} must be at most {MOST_BYTES} bytes,"
                " one document, got a longer one: cut it into several"
            )
        lines.append(line)
        n_bytes += len(line)
    following = Place(place.file, place.byte + n_bytes, place.line + len(lines))
    text = _decoded(b"".join(lines), path, place.byte)
    text = text.removeprefix("\ufeff") if place.byte == 0 else text
    return Piece(path.name, "", text, True, False, False, place.line + 1, following)


def _text_from(
    file: BinaryIO, path: Path, place: Place, size: int, n_bytes: int, held_out: float
) -> Piece:
    """Text to the first place after `size` bytes, or after the part's end, where no word is cut."""
    border = n_bytes - int(held_out * n_bytes)
    part, end = ("train", border) if place.byte < border else ("validation", n_bytes)
    target = min(place.byte + size, end)
    file.seek(place.byte)
    raw = file.read(target - place.byte)
    decoder = codecs.getincrementaldecoder("utf-8")()
    head = _decoded(raw, path, place.byte, decoder)
    text, is_end = head, target == n_bytes
    while not is_end:
        more = file.read(_MORE)
        raw += more
        is_end = file.tell() >= n_bytes
        text += _decoded(more, path, place.byte + len(raw) - len(more), decoder)
        if cut := safe_cut(text, len(head)):
            text, is_end = text[:cut], False
            break
        if len(raw) > MOST_BYTES and not is_end:
            raise ValueError(
                f"{path} must have a place to cut it in each {MOST_BYTES} bytes, such as a space"
                f" after a word, got none from byte {place.byte} on"
            )
    if is_end:
        _decoded(b"", path, n_bytes, decoder, final=True)
    byte = n_bytes if is_end else place.byte + len(text.encode())
    text = text.removeprefix("\ufeff") if place.byte == 0 else text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return Piece(
        source=path.name,
        part=part,
        text=text,
        is_lines=False,
        begins=place.line == 0,
        ends=byte >= end,
        first_line=0,
        # `line` is 1 within a document, and 0 where the next one begins.
        following=Place(place.file, byte, 0 if byte >= end else 1),
    )


def _decoded(
    raw: bytes,
    path: Path,
    byte: int,
    decoder: codecs.IncrementalDecoder | None = None,
    final: bool = False,
) -> str:
    try:
        return raw.decode() if decoder is None else decoder.decode(raw, final)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} must be text in UTF-8, got {error.reason} near byte {byte + error.start}"
        ) from None
