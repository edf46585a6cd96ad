"""What went wrong, in words: from a kernel's report to a line that helps.

Chapter: book/instructors/index.md
"""

import re
from collections.abc import Sequence

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PLACE = re.compile(r"Cell In\s?\[(\d*)\], line (\d+)(?:, in ([\w.]+))?")
_SYNTAX_PLACE = re.compile(r"\s*\([^()]*, line (\d+)\)$")
_PLAIN_PLACE = re.compile(r'File "<ipython-input[^"]*>", line (\d+), in (\w+)')
# The line itself, where a trace shows it: behind an arrow, or below its place.
_ARROW = re.compile(r"^-+>\s*\d+ (.*)$", re.M)
_PLAIN_LINE = re.compile(r'File "<ipython-input[^"]*>", line \d+, in \w+(?:\n {4}(.*))?')
_QUOTED = 80  # characters
# These say all themselves: what they are called is of no use to a learner.
_SPEAKING = ("BridgeFault", "Gone", "StudentError", "judge", "")
SYNTAX = ("SyntaxError", "IndentationError", "TabError")


def plain(text: str, limit: int = 2000) -> str:
    """Text without colors and control characters, at most `limit` characters long."""
    text = _CONTROL.sub("", _ANSI.sub("", text.replace("\r\n", "\n")))
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else text[:limit] + " …"


def explain(name: str, message: str, trace: Sequence[str] = ()) -> str:
    """An exception as a learner can use it: what it says, where, and the likely cause if known."""
    message = message.strip()
    if name == "AssertionError":
        return message or "A check failed (it says no more than that)."
    if name == "NotImplementedError":
        return "Not written yet: the cell still raises NotImplementedError."
    if name in SYNTAX:
        place = syntax_line(message)
        where = f" in line {place}" if place else ""
        return f"{name}{where}: {_SYNTAX_PLACE.sub('', message)}."
    if name == "NameError":
        return f"{name}: {message}. Does the cell that defines it stand above, and does it run?"
    place = innermost(trace)
    said = f"{name}: {message}" if message else name
    if not place:
        return said
    own = _PLACE.split("\n".join(trace))[-1]  # what the trace shows of the innermost cell
    return f"{said}\n(in {place}{_quoted(_ARROW.search(own))})"


def judged(kind: str, message: str, trace: str) -> str:
    """What ended a test in the judge, as a learner can use it.

    Args:
        trace: of the learner's own code, where that raised.
    """
    message = message.strip()
    if kind in _SPEAKING or (kind == "NameError" and message.startswith("`")):
        return message[:1].upper() + message[1:]
    places = _PLAIN_PLACE.findall(trace)
    where = ""
    if places:
        line = _quoted([*_PLAIN_LINE.finditer(trace)][-1])
        where = f"\n(in {places[-1][1]}, line {places[-1][0]} of its cell{line})"
    said = explain(kind, message)
    return said if kind in ("AssertionError", "NotImplementedError", *SYNTAX) else said + where


def timeout(seconds: float, trace: Sequence[str] = ()) -> str:
    """What to say of a cell that did not end."""
    place = innermost(trace)
    where = f" It was in {place} at that moment." if place else ""
    return f"It was stopped after {seconds:g} seconds: an endless loop, or far too slow.{where}"


def _quoted(line: re.Match | None) -> str:
    """A line of the learner's own code, behind its place."""
    text = (line[1] or "").strip() if line else ""
    return f": `{text[:_QUOTED]}`" if text else ""


DIED = "It ended the Python process (exit, os._exit, or a crash)."


def failing_line(trace: Sequence[str]) -> int | None:
    """The line of the cell that was run at which the exception came out, from 1."""
    place = _PLACE.search("\n".join(trace))
    return int(place[2]) if place else None


def innermost(trace: Sequence[str]) -> str:
    """The function of another cell, and its line, in which it happened; nothing if in none."""
    places = _PLACE.findall("\n".join(trace))
    if not places or places[-1][0] == places[0][0] or not places[-1][2]:
        return ""
    return f"{places[-1][2]}, line {places[-1][1]} of its cell"


def syntax_line(message: str) -> int | None:
    """The line that a SyntaxError's message names."""
    place = _SYNTAX_PLACE.search(message)
    return int(place[1]) if place else None


def gist(text: str, lines: int = 4) -> str:
    """The first lines of a message: in ours they name the likely cause, the figures come after."""
    kept = [line.rstrip() for line in text.strip().splitlines() if line.strip()]
    return "\n".join([*kept[:lines], *(["…"] if len(kept) > lines else [])])
