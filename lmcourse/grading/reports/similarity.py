"""Which submissions share more than what was handed out: fingerprints of answers, in pairs.

Chapter: book/instructors/collecting.md

Shared text is a reason to look and to ask, never a proof: short tasks have few right answers.

Reference: Schleimer, Wilkerson and Aiken (2003), Winnowing: Local Algorithms for Document
Fingerprinting, section 3. Ours hashes tokens instead of letters.
"""

import hashlib
import io
import keyword
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lmcourse.grading.assignment.notebooks import Cell
from lmcourse.grading.assignment.plan import is_test

GRAM = 12  # tokens in a fingerprint: what is shorter is never counted as shared
WINDOW = 6  # of so many fingerprints in a row the smallest is kept
_LAYOUT = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token, as it is compared, and the line that it stands on."""

    text: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Prints:
    """The fingerprints of one submission, each with the lines that it covers."""

    student: str
    places: Mapping[int, tuple[int, int]]
    lines: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two submissions: the share of each one's fingerprints that the other has, and the passages.

    Args:
        passages: of the first, the lines that the second has too.
    """

    first: str
    second: str
    of_first: float
    of_second: float
    passages: tuple[str, ...]

    @property
    def least(self) -> float:
        """The smaller share: a few lines in a long notebook do not make it large."""
        return min(self.of_first, self.of_second)


def answers(cells: Iterable[Cell]) -> list[Cell]:
    """What a learner may have written: all cells but locked ones and tests."""
    return [cell for cell in cells if not cell.claims.get("locked") and not is_test(cell)]


def tokens(cell: Cell) -> list[Token]:
    """A cell without layout, comments and docstrings; names of the learner's choice are one."""
    if cell.kind != "code":
        lines = enumerate(cell.source.splitlines(), start=1)
        return [Token(text=w.lower(), line=n) for n, line in lines for w in _WORD.findall(line)]
    found: list[Token] = []
    last, fresh = "", True  # `fresh`: a statement begins, where a string would be a docstring
    try:
        for part in tokenize.generate_tokens(io.StringIO(cell.source).readline):
            if part.type in _LAYOUT:
                fresh = fresh or part.type == tokenize.NEWLINE
            elif not (fresh and part.type == tokenize.STRING):
                if part.string in (")", "]", "}") and last == ",":
                    found.pop()
                found.append(Token(text=_normal(part, last), line=part.start[0]))
                last, fresh = part.string, False
    except (tokenize.TokenError, SyntaxError):  # what came before it still counts
        pass
    return found


def _normal(part: tokenize.TokenInfo, last: str) -> str:
    if part.type == tokenize.STRING:
        return "'text'"
    # What follows a dot is the library's name, not the learner's.
    if part.type == tokenize.NAME and last != "." and not keyword.iskeyword(part.string):
        return "name"
    return part.string


def prints(student: str, cells: Iterable[Cell]) -> Prints:
    """The fingerprints of a submission's answers."""
    places: dict[int, tuple[int, int]] = {}
    lines: list[str] = []
    for cell in answers(cells):
        offset = len(lines)
        for value, start, end in _winnowed(tokens(cell)):
            places.setdefault(value, (offset + start, offset + end))
        lines += cell.source.splitlines()
    return Prints(student=student, places=places, lines=lines)


def _winnowed(sequence: Sequence[Token]) -> Iterator[tuple[int, int, int]]:
    """Of each window of hashes the smallest, the rightmost of equals: hash, first and last line."""
    hashes = [_hash(sequence[i : i + GRAM]) for i in range(len(sequence) - GRAM + 1)]
    kept: set[int] = set()
    for start in range(max(1, len(hashes) - WINDOW + 1)):
        window = hashes[start : start + WINDOW]
        if window:
            kept.add(start + max(i for i, value in enumerate(window) if value == min(window)))
    for i in sorted(kept):
        yield hashes[i], sequence[i].line, sequence[i + GRAM - 1].line


def _hash(gram: Sequence[Token]) -> int:
    text = " ".join(token.text for token in gram)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def pairs(
    submissions: Mapping[str, Sequence[Cell]],
    handed_out: Sequence[Cell],
    *,
    least: float = 0.5,
    common: float = 0.5,
) -> list[Pair]:
    """The pairs whose smaller share is at least `least`, the most alike first.

    Args:
        handed_out: the release; its own text counts for nobody, wherever it stands.
        common: what more than this part of a class of ten or more has is no one's own.

    Raises:
        ValueError: a share is not from 0 to 1.
    """
    for name, value in (("least", least), ("common", common)):
        if not 0 < value <= 1:
            raise ValueError(f"{name} must lie above 0 and at most at 1, got {name}={value}")
    given = {value for cell in handed_out for value, _, _ in _all(tokens(cell))}
    made = [prints(student, cells) for student, cells in sorted(submissions.items())]
    count = Counter(value for one in made for value in one.places)
    if len(made) >= 10:
        given |= {value for value, times in count.items() if times > common * len(made)}
    own = [(one, one.places.keys() - given) for one in made]
    found = [
        _pair(first, mine, second, theirs)
        for i, (first, mine) in enumerate(own)
        for second, theirs in own[i + 1 :]
        if mine & theirs
    ]
    return sorted((p for p in found if p.least >= least), key=lambda p: (-p.least, p.first))


def _all(sequence: Sequence[Token]) -> Iterator[tuple[int, int, int]]:
    for i in range(len(sequence) - GRAM + 1):
        yield _hash(sequence[i : i + GRAM]), sequence[i].line, sequence[i + GRAM - 1].line


def _pair(first: Prints, mine: set[int], second: Prints, theirs: set[int]) -> Pair:
    shared = mine & theirs
    return Pair(
        first=first.student,
        second=second.student,
        of_first=len(shared) / len(mine),
        of_second=len(shared) / len(theirs),
        passages=_passages(first, shared),
    )


def _passages(one: Prints, shared: set[int]) -> tuple[str, ...]:
    """The lines that the shared fingerprints cover, neighbors joined."""
    spans: list[list[int]] = []
    for start, end in sorted(one.places[value] for value in shared):
        if spans and start <= spans[-1][1] + 1:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([start, end])
    return tuple("\n".join(one.lines[start - 1 : end]) for start, end in spans)
