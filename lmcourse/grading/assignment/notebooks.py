"""Reading a notebook that anyone may have written: its cells' text, whatever else it claims.

Chapter: book/instructors/index.md
"""

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmcourse.grading.safe_text import clean_text
from lmcourse.grading.sandbox.budgets import (
    CELL_CHARS,
    NOTEBOOK_BYTES,
    NOTEBOOK_CELLS,
    NOTEBOOK_FILE_BYTES,
)
from lmcourse.grading.withholding.withheld import Withheld, stated

KINDS = ("code", "markdown", "raw")
PICTURES = ("image/png", "image/jpeg")  # nothing that a browser would run
_PICTURES = 50  # kept of one cell
_CLEAR = (
    "outputs (plots, long prints) are not needed: clear them in Jupyter by Kernel > Restart Kernel"
    " and Clear Outputs of All Cells, and save"
)
_AGAIN = "open the notebook in Jupyter, save it, and hand in that file"
# A string to its end, if it has one (possessive, so that no text takes time of the second order),
# or a bracket.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
_VALUE_OF_KEY = re.compile(rb"\s*:\s*(?=\[)")
_TOKENS = 2_000_000  # looked at, in a file above the limit
_CONFLICT = b"<<<<<<< "


class NotebookError(ValueError):
    """The file cannot be read as a notebook; the message says why, in words for its owner."""


class TooLargeError(NotebookError):
    """The file has more bytes than are read."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell: its kind and text, and what its metadata *claims* (never to be believed).

    Args:
        too_long: how many characters it had, if so many that none of them were read.
        pictures: pasted into a text: for each name the kind and the contents in base64.
        left_out: which attachments are not kept, and why; it goes on after the name of the cell.
    """

    kind: str
    source: str
    claims: dict = field(default_factory=dict)
    too_long: int = 0
    pictures: dict[str, dict[str, str]] = field(default_factory=dict)
    left_out: str = ""

    @property
    def label(self) -> str | None:
        """The grade id that the cell claims to have."""
        label = self.claims.get("grade_id")
        return label if isinstance(label, str) and label else None

    @property
    def problem(self) -> str:
        """Why nothing of it was read, if so; it goes on after the name of the cell."""
        if not self.too_long:
            return ""
        return (
            f"was left empty: it has {self.too_long:,} characters, and a cell is read up to"
            f" {CELL_CHARS:,}. Shorten what was pasted into it"
        )


def read_cells(path: Path, *, handed_in: bool = False) -> list[Cell]:
    """The cells of the notebook at `path`.

    Args:
        handed_in: by a learner, so that it must not be another's file under a second name.

    Raises:
        NotebookError: it is missing, no plain file, too large, or no notebook.
    """
    try:
        data = read_plain_file(path, NOTEBOOK_FILE_BYTES, one_name=handed_in)
    except TooLargeError as error:
        raise NotebookError(f"{error}; {_CLEAR}") from None
    if len(data) > NOTEBOOK_BYTES:
        data = without_outputs(data)
    if len(data) > NOTEBOOK_BYTES:
        raise NotebookError(
            f"it is too large: {len(data):,} bytes, at most {NOTEBOOK_BYTES:,} are read beside its"
            f" outputs; {_CLEAR}"
        )
    return parse_cells(data)


def without_outputs(data: bytes) -> bytes:
    """A notebook's JSON with an empty list in the place of all `outputs`, which nobody reads.

    What is no JSON, or has brackets without end, comes back as far as it was understood.
    """
    kept: list[bytes] = []
    copied, depth, key_ended = 0, 0, -1
    for number, token in enumerate(_TOKEN.finditer(data)):
        if number > _TOKENS:
            break
        if depth:  # in a list of outputs
            depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
            copied = copied if depth else token.end()
        elif token[0] == b'"outputs"' and (colon := _VALUE_OF_KEY.match(data, token.end())):
            key_ended = colon.end()
        elif token.start() == key_ended:
            kept += [data[copied:key_ended], b"[]"]
            copied, depth = key_ended, 1
    if depth:  # it never ended
        kept.pop()
    return b"".join([*kept, data[copied:]])


def read_plain_file(path: Path, limit: int = NOTEBOOK_BYTES, *, one_name: bool = False) -> bytes:
    """The bytes of a plain file; links, pipes and files above `limit` bytes are refused.

    Args:
        one_name: refuse also a file that has a second name (a hard link), which may stand in
            another learner's folder, or in the author's.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if path.is_symlink():
            raise NotebookError("it is a link, not a file: put the notebook itself there")
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise NotebookError("there is no such file: look at its name and folder") from None
    except OSError as error:
        if (mode := _mode(path)) and not stat.S_ISREG(mode):  # a socket cannot even be opened
            raise NotebookError(_no_file(mode)) from None
        raise NotebookError(
            f"it cannot be opened ({error.strerror}): make it a file that you may read"
        ) from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise NotebookError(_no_file(facts.st_mode))
        if one_name and facts.st_nlink > 1:
            raise NotebookError(
                f"its file has {facts.st_nlink} names (hard links), so that it may be somebody"
                " else's: if it is not, grade a copy of the folder, made with `cp -r`"
            )
        if facts.st_size > limit:
            raise TooLargeError(
                f"it is too large: {facts.st_size:,} bytes, at most {limit:,} are read"
            )
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(handle)


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def _no_file(mode: int) -> str:
    """What stands where a plain file should be, and what to do."""
    if stat.S_ISDIR(mode):
        return "it is a folder, not a file: name a file in it, or put one in its place"
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    what = next((name for is_one, name in kinds if is_one(mode)), "a device")
    return f"it is {what}, not a file: put a plain file in its place"


def parse_cells(data: bytes) -> list[Cell]:
    """The cells of a notebook's JSON, of format 3 or 4."""
    notebook = _parse_json(data)
    cells = notebook.get("cells")
    if cells is None and isinstance(notebook.get("worksheets"), list):  # nbformat 3
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        on_each = [sheet.get("cells") or [] for sheet in sheets]
        whole = all(isinstance(some, list) for some in on_each)
        cells = [cell for some in on_each for cell in some] if whole else None
    if not isinstance(cells, list):
        raise NotebookError(f"it is JSON, but not a notebook: it has no list of cells; {_AGAIN}")
    if len(cells) > NOTEBOOK_CELLS:
        raise NotebookError(
            f"it has {len(cells):,} cells, at most {NOTEBOOK_CELLS:,} are read: delete those that"
            " are empty or copies"
        )
    cells = [cell for cell in cells if isinstance(cell, dict)]
    if any("code" in cell and "source" not in cell for cell in cells):
        raise NotebookError("it has nbformat 1, of 2011: open it in Jupyter, and save it")
    return [_parse_cell(cell) for cell in cells]


def _parse_json(data: bytes) -> dict:
    if not data.strip():
        raise NotebookError(f"the file is empty: {_AGAIN}")
    try:
        notebook = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise NotebookError(f"it is not a notebook: its text is not UTF-8; {_AGAIN}") from None
    except RecursionError:
        raise NotebookError(
            f"it is not a notebook: its JSON is nested too deeply; {_AGAIN}"
        ) from None
    except ValueError as error:
        lines = data.splitlines()
        if found := [n for n, line in enumerate(lines, 1) if line.startswith(_CONFLICT)]:
            raise NotebookError(
                "it holds two versions of a text that git could not merge (`<<<<<<<` in line"
                f" {found[0]}): keep one of them"
            ) from None
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise NotebookError(f"it is not a notebook: its JSON is broken{place}; {_AGAIN}") from None
    if not isinstance(notebook, dict):
        raise NotebookError(f"it is JSON, but not a notebook; {_AGAIN}")
    return notebook


def _parse_cell(cell: dict) -> Cell:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    source = clean_text(source) if isinstance(source, str) else ""
    too_long = len(source) if len(source) > CELL_CHARS else 0
    metadata = cell.get("metadata")
    claims = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    kind = cell["cell_type"] if cell.get("cell_type") in KINDS else "raw"
    pictures, left_out = _pictures(cell) if kind == "markdown" else ({}, "")
    return Cell(
        kind=kind,
        source="" if too_long else source,
        claims=_clean(claims) if isinstance(claims, dict) else {},
        too_long=too_long,
        pictures=pictures,
        left_out=left_out,
    )


def _pictures(cell: dict) -> tuple[dict[str, dict[str, str]], str]:
    """The pictures that were pasted into a cell, and what is said of those that are not kept."""
    said = cell.get("attachments")
    said = said if isinstance(said, dict) else {}
    kept, left_out = {}, []
    for name, forms in said.items():
        forms = forms if isinstance(forms, dict) else {}
        kind = next((kind for kind in PICTURES if forms.get(kind)), None)
        data = forms[kind] if kind else ""
        data = "".join(map(str, data)) if isinstance(data, list) else data
        data = "".join(data.split()) if isinstance(data, str) else ""
        if not (kind and data.isascii() and data) or len(kept) == _PICTURES:
            left_out.append(clean_text(name)[:80])
        else:
            kept[clean_text(name)] = {kind: data}
    if not left_out:
        return kept, ""
    names = ", ".join([*left_out[:3], *(["…"] if len(left_out) > 3 else [])])
    return kept, (
        f"has attachments that are not shown ({names}): pictures of a cell are kept if they are PNG"
        f" or JPEG, up to {_PICTURES}"
    )


def _clean(value: Any, depth: int = 10) -> Any:
    """What JSON can hold, with every text in it cleaned; what is nested deeper is left out."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict | list) and not depth:
        return None
    if isinstance(value, dict):
        return {clean_text(key): _clean(one, depth - 1) for key, one in value.items()}
    return [_clean(one, depth - 1) for one in value] if isinstance(value, list) else value


def essential(text: str) -> str:
    """The text of a cell as it is compared: white space at the ends of its lines and its own end
    does not count, for editors and converters strip it."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


def digest(cells: list[Cell]) -> str:
    """A short name for exactly these cells: another one if anything that counts has changed."""
    parts = [
        [cell.kind, cell.source, cell.label, *([cell.pictures] if cell.pictures else [])]
        for cell in cells
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def withheld_from(notebook: Path | None) -> Withheld:
    """What a notebook says that its assignment withholds: `metadata.lmcourse.withheld` in its file.

    Raises:
        ValueError: it is not written as `Withheld` wants it.
    """
    try:
        metadata = json.loads(read_plain_file(notebook))["metadata"] if notebook else {}
    except (NotebookError, KeyError, TypeError):
        return Withheld()
    ours = metadata.get("lmcourse", {}) if isinstance(metadata, dict) else {}
    return stated(ours.get("withheld", {}) if isinstance(ours, dict) else ours)
