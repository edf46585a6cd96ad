"""Texts of any length made into files of ids: in constant memory, by several processes, resumed.

Chapter: book/data.md
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

import lmcourse
from lmcourse.byte_pairs import N_BYTES, count_words, learn_merges
from lmcourse.files import missing_folders, remove_folders, replacing, write_file
from lmcourse.prepared.encoding import Encoder, Settings, encoding, part_of_document
from lmcourse.prepared.id_files import DESCRIPTION, PARTS, PROGRESS, TOKENIZER
from lmcourse.prepared.output import Output, State, begun
from lmcourse.prepared.pieces import Piece, Place, pieces
from lmcourse.tokenizers import TOKENIZERS, BPETokenizer, Tokenizer

END = "<|endoftext|>"
BYTE_PAIRS = 4096  # the ids, if no other number is given
SAVE_EVERY = 8  # pieces, from one note of where we are to the next


def prepare(
    paths: Sequence[str | Path],
    folder: str | Path,
    settings: Settings | None = None,
    tokenizer: Tokenizer | None = None,
    n_workers: int = 1,
    progress: bool | None = None,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Makes texts into ids, in files that `open_prepared` maps and `train` reads.

    Memory does not depend on the texts' length. What a process that was killed has left is gone on
    with, by the same call, and the files come out the same, byte for byte, whatever the number of
    workers.

    Args:
        paths: texts in UTF-8; a file `….jsonl` has a document in each line, with `text` and, if
            known, source, license, language and group.
        tokenizer: byte pairs are learned if None.
        n_workers: processes that encode.
        progress: show a bar; only in a terminal if None.
        tell: is given lines about what happens.

    Returns:
        What data.json says.
    """
    folder, settings = Path(folder), settings or Settings()
    paths = _checked([Path(path) for path in paths])
    if n_workers < 1:
        raise ValueError(f"n_workers must be at least 1, got n_workers={n_workers}")
    if (folder / DESCRIPTION).exists():
        if (folder / PROGRESS).exists():  # killed between its last two steps
            _remove_halves(folder)
            (folder / PROGRESS).unlink()
            return json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        raise ValueError(
            f"folder must hold no prepared data yet, got {folder}: choose another one, or remove it"
        )
    call = _call(paths, settings, tokenizer)
    made = missing_folders(folder)
    _remove_halves(folder)
    state = begun(folder, call)
    is_new = state is None
    if state is None:
        if folder.is_dir() and any(folder.iterdir()):
            raise ValueError(
                f"folder must be new or empty, got {folder}, which has"
                f" {min(path.name for path in folder.iterdir())}: choose another one"
            )
        state = State(call=call)
        state.save(folder)
    try:
        known = _tokenizer(paths, folder, settings, tokenizer, tell)
    except Exception:
        if is_new:
            (folder / PROGRESS).unlink(missing_ok=True)
            remove_folders(made)
        raise
    encode = Encoder(known, _end_id(known), settings)
    with Output(folder, encode.dtype, state) as output:
        if state.place.file < len(paths):
            _encode_all(paths, encode, output, n_workers, progress, tell)
        output.finish()
    return _describe(folder, encode, state)


def _remove_halves(folder: Path) -> None:
    """What a process that was killed has left beside the files that it was writing."""
    for name in (PROGRESS, TOKENIZER, DESCRIPTION):
        for path in folder.glob(f".{name}.*.part"):
            path.unlink()


def _checked(paths: list[Path]) -> list[Path]:
    if not paths:
        raise ValueError("files must be at least one, got none")
    for path in paths:
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "nothing"
            raise ValueError(f"files must be files, got {path}, which is {kind}")
        if not path.stat().st_size:
            raise ValueError(f"files must have text, got {path}, which is empty")
    return paths


def _call(paths: list[Path], settings: Settings, tokenizer: Tokenizer | None) -> dict[str, Any]:
    files = [{"name": path.name, "bytes": path.stat().st_size} for path in paths]
    known = None
    if tokenizer is not None:
        told = [token if isinstance(token, str) else token.hex() for token in tokenizer.tokens]
        known = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    return {"files": files, "settings": asdict(settings), "tokenizer_sha256": known}


def _tokenizer(
    paths: list[Path],
    folder: Path,
    settings: Settings,
    given: Tokenizer | None,
    tell: Callable[[str], None],
) -> Tokenizer:
    """The one that was given or, of an earlier call, written; or a new one."""
    path = folder / TOKENIZER
    if path.is_file():
        return (BPETokenizer if given is None else type(given)).load(path)
    tokenizer = given or _learned(paths, settings)
    with replacing(path) as part:
        tokenizer.save(part)
    if given is None:
        tell(f"learned {tokenizer.vocab_size:,} kinds of tokens: {path}")
    return tokenizer


def _learned(paths: list[Path], settings: Settings) -> BPETokenizer:
    """Byte pairs of the beginnings of all files, without what is held out."""
    n_merges = (settings.vocab_size or BYTE_PAIRS) - N_BYTES - 1
    if n_merges < 0:
        raise ValueError(
            f"vocab_size must be at least {N_BYTES + 1}, the bytes and the end of a document, got"
            f" vocab_size={settings.vocab_size}"
        )
    words: Counter[str] = Counter()
    parse = Encoder(BPETokenizer([]), None, settings)
    for path in paths:
        left = settings.learn_from // len(paths)
        size = max(1, min(settings.piece_bytes, left))
        for piece in pieces([path], settings.held_out, size=size):
            for text in _to_learn_from(piece, parse, settings.held_out):
                words.update(count_words(text))
            left -= len(piece.text.encode())
            if left <= 0 or piece.part == "validation":
                break
    merges = learn_merges({word.encode(): count for word, count in words.items()}, n_merges)
    if settings.vocab_size and len(merges) < n_merges:
        raise ValueError(
            f"files must have enough text for {n_merges} merges, got {len(merges)}: give more text"
            " or a smaller vocab_size"
        )
    return BPETokenizer(merges, [END])


def _to_learn_from(piece: Piece, parse: Encoder, held_out: float) -> Iterator[str]:
    if not piece.is_lines:
        if piece.part == "train":
            yield piece.text
        return
    for document in parse.documents(piece):
        if part_of_document(document, held_out) == "train":
            yield document.text


def _end_id(tokenizer: Tokenizer) -> int | None:
    names = getattr(tokenizer, "special_tokens", [])
    return tokenizer.tokens.index(END.encode()) if END in names else None


def _encode_all(
    paths: list[Path],
    encode: Encoder,
    output: Output,
    n_workers: int,
    progress: bool | None,
    tell: Callable[[str], None],
) -> None:
    state = output.state
    sizes = [path.stat().st_size for path in paths]
    done = sum(sizes[: state.place.file]) + state.place.byte
    if done:
        tell(f"goes on after {done:,} of {sum(sizes):,} bytes")
    todo = pieces(paths, encode.settings.held_out, state.place, encode.settings.piece_bytes)
    bar = tqdm(
        desc="preparing",
        total=sum(sizes),
        initial=done,
        unit="B",
        unit_scale=True,
        disable=None if progress is None else not progress,
    )
    with bar, encoding(encode, todo, n_workers) as found:
        for number, (piece, encoded) in enumerate(found, 1):
            output.add(piece, encoded)
            if number % SAVE_EVERY == 0:
                output.save()
            now = sum(sizes[: state.place.file]) + state.place.byte
            bar.update(now - bar.n)
    state.place = Place(len(paths))
    output.save()


def _describe(folder: Path, encode: Encoder, state: State) -> dict[str, Any]:
    """Writes data.json: where it is, all is."""
    kinds = {kind: name for name, kind in TOKENIZERS.items()}
    told = {
        "tokenizer": kinds[type(encode.tokenizer)],
        "vocab_size": encode.tokenizer.vocab_size,
        "end_id": encode.end[0] if encode.end else None,
        "dtype": encode.dtype.str,
        "parts": {
            part: {
                "n_ids": state.n_ids[part],
                "n_documents": state.n_documents[part],
                "sha256": _sha256(folder / f"{part}.npy"),
            }
            for part in PARTS
        },
        "ids_by_license": dict(sorted(state.licenses.items())),
        **state.call,
        "lmcourse": lmcourse.__version__,
    }
    write_file(folder / DESCRIPTION, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    (folder / PROGRESS).unlink(missing_ok=True)
    return told


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
