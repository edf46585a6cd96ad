"""Text of others made harmless: no colors, no control characters, never without end.

Chapter: book/instructors/index.md
"""

import re
from typing import Any

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


# What Python's parser raises over code that anybody may have written: `-` a hundred thousand times
# is too much for its memory.
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


def plain(text: str, limit: int = 2000) -> str:
    """Text without colors and control characters, at most `limit` characters long."""
    text = _CONTROL.sub("", _ANSI.sub("", text.replace("\r\n", "\n")))
    text = _writable(text)
    return text if len(text) <= limit else text[:limit] + " …"


def scrub(text: Any, limit: int = 2000) -> str:
    """The other side's text as UTF-8 can hold it, at most about `limit` characters long."""
    if type(text) is not str:
        return ""
    if len(text) > limit:
        text = f"{text[: limit * 2 // 3]} […] {text[-limit // 3 :]}"
    return _writable(text)


def clean_text(text: str) -> str:
    """Text of any length that can be written as UTF-8, with the line ends that Python knows."""
    return _writable(text.replace("\r\n", "\n").replace("\r", "\n"))


def lines_of(text: str) -> list[str]:
    """The lines of code as Python counts them: `str.splitlines` also ends one at U+2028, say."""
    return text.removesuffix("\n").split("\n") if text else []


def _writable(text: str) -> str:
    """With what UTF-8 cannot hold as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def gist(text: str, lines: int = 4) -> str:
    """The first lines of a message: in ours they name the likely cause, the figures come after."""
    kept = [line.rstrip() for line in text.strip().splitlines() if line.strip()]
    return "\n".join([*kept[:lines], *(["…"] if len(kept) > lines else [])])
