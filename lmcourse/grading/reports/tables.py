"""Tables that other programs read and people open: CSV in, CSV out, nothing in them acts.

Chapter: book/instructors/collecting.md

Threat: a spreadsheet takes a cell that begins with a sign for a formula, and runs it.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from lmcourse.grading.errors import MisuseError
from lmcourse.grading.safe_text import plain

_SIGNS = ("=", "+", "-", "@", "|", "%")
# A spreadsheet of a country that writes 1,5 takes a semicolon for the end of a cell.
_INNER = re.compile(r"([;\t\n]\s*)(?=\S)")


def spreadsheet_safe(value: object, limit: int = 500) -> str:
    """A cell's text that no spreadsheet takes for a formula; numbers stay what they are."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return f"{value:g}"
    first, *more = _INNER.split(plain(str(value), limit))
    pairs = zip(more[::2], more[1::2], strict=True)
    text = _quoted(first) + "".join(gap + _quoted(part) for gap, part in pairs)
    return f"'{text}" if text[:1] in ("\t", "\n") and text.strip() else text


def _quoted(text: str) -> str:
    """Behind an apostrophe, if a formula could begin here.

    Blanks and what cannot be seen count for nothing, and East Asian spreadsheets take a sign of
    full width for the narrow one.
    """
    seen = (c for c in unicodedata.normalize("NFKC", text) if c.isprintable() and not c.isspace())
    return f"'{text}" if next(seen, "") in _SIGNS else text


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The table as text; every cell is inert."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([[spreadsheet_safe(cell) for cell in row] for row in (header, *rows)])
    return file.getvalue()


def for_people(text: str) -> bytes:
    """The table as a file for spreadsheets, which take it for UTF-8 only by a mark at its start."""
    return codecs.BOM_UTF8 + text.encode("utf-8", "backslashreplace")


def read_csv(path: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file, by the names in its first line; a mark of its encoding is no harm.

    Raises:
        MisuseError: it cannot be read, or a wanted column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [{k.strip(): (v or "").strip() for k, v in row.items() if k} for row in reader]
            names = [(name or "").strip() for name in reader.fieldnames or []]
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise MisuseError(f"{path} cannot be read as CSV: {error}") from None
    missing = [name for name in wanted if name not in names]
    if missing:
        raise MisuseError(
            f"{path} must have the columns {', '.join(wanted)}, but {', '.join(missing)} is"
            f" missing: its first line says {', '.join(names) or 'nothing'}"
        )
    return rows
