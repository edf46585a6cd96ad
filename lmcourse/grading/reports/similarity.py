"""Which submissions share more than what was handed out: fingerprints of answers, in pairs.

Chapter: book/instructors/collecting.md

Shared text is a reason to look and to ask, never a proof: short tasks have few right answers.

Threat: a copy that claims to be locked, a test or a text, stands in a string, or beside so much
else that its share is small. What is compared is the notebook once it was put under the author's
plan.

Reference: Schleimer, Wilkerson and Aiken (2003), Winnowing: Local Algorithms for Document
Fingerprinting, section 3. Ours hashes tokens instead of letters.
"""

import ast
import hashlib
import io
import keyword
import re
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from lmcourse.grading.assignment.notebooks import Cell
from lmcourse.grading.repair.placed import Placed
from lmcourse.grading.safe_text import UNREADABLE, lines_of

GRAM = 12  # tokens in a fingerprint: what is shorter is never counted as shared
WINDOW = 6  # of so many fingerprints in a row the smallest is kept
# Fingerprints (about 140 tokens, some twenty lines) that are much, whatever stands beside them.
LONG = 40
CELL_TOKENS, TOKENS = 20_000, 100_000  # read of one cell, and of one learner
CHARS = 1_000_000  # of one learner: a string is one token, whatever stands in it
_IN_STRINGS = 3  # as deep as code in strings in code is looked for
_LAYOUT = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}
_WORD = re.compile(r"[^\W_]+")
_PREFIX = re.compile(r"[A-Za-z]*")
_NO_FORMAT = str.maketrans("", "", "fF")


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token, as it is compared, and the line that it stands on."""

    text: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Prints:
    """The fingerprints of one submission, each with the lines that it covers.

    Args:
        left_out: how many cells were not read to their end.
    """

    student: str
    places: Mapping[int, tuple[int, int]]
    lines: Sequence[str]
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two submissions: the share of each one's fingerprints that the other has, and the passages.

    Args:
        shared: how many fingerprints both have.
        passages: of the first, the lines that the second has too.
    """

    first: str
    second: str
    of_first: float
    of_second: float
    shared: int
    passages: tuple[str, ...]

    @property
    def least(self) -> float:
        """The smaller share: a few lines in a long notebook do not make it large."""
        return min(self.of_first, self.of_second)

    @property
    def counted(self) -> float:
        """The share that ranks the pair: the smaller, unless much is shared; then what stands
        beside it makes nobody's copy small.
        """
        return max(self.of_first, self.of_second) if self.shared >= LONG else self.least


def answers(cells: Iterable[Placed]) -> list[Placed]:
    """What a learner may have written: the author's cells for answers first, then their own."""
    open_cells = [cell for cell in cells if not (cell.planned and cell.planned.locked)]
    return sorted(open_cells, key=lambda cell: cell.planned is None)


def tokens(cell: Cell | Placed) -> Iterator[Token]:
    """A cell without layout, comments and docstrings; names of the learner's choice are one.

    Code in a string is code, since it may be run from there.
    """
    if cell.kind == "code":
        yield from _of_code(cell.source, _IN_STRINGS)
        return
    for number, line in enumerate(lines_of(cell.source), start=1):
        for word in _WORD.findall(line):
            yield Token(text=word.lower(), line=number)


def _of_code(source: str, depth: int) -> Iterator[Token]:
    """Whether a comma stands before a closing bracket does not count."""
    last, fresh = "", True  # `fresh`: a statement begins, where a string would be a docstring
    comma: Token | None = None
    try:
        for part in tokenize.generate_tokens(io.StringIO(source).readline):
            if part.type in _LAYOUT:
                fresh = fresh or part.type == tokenize.NEWLINE
                continue
            inside = _code_in(part.string) if part.type == tokenize.STRING and depth else ""
            if fresh and part.type == tokenize.STRING and not inside:
                continue
            if comma and part.string not in (")", "]", "}"):
                yield comma
            comma = None
            if inside:
                first, end = part.start[0], part.end[0]
                for token in _of_code(inside, depth - 1):
                    yield Token(text=token.text, line=min(first + token.line - 1, end))
            elif part.string == ",":
                comma = Token(text=",", line=part.start[0])
            else:
                yield Token(text=_normal(part, last), line=part.start[0])
            last, fresh = part.string, False
    except (tokenize.TokenError, SyntaxError):  # what came before it still counts
        pass
    if comma:
        yield comma


def _code_in(literal: str) -> str:
    """The text of a string that is Python and does something; else nothing."""
    prefix = _PREFIX.match(literal)[0]
    try:
        with warnings.catch_warnings(action="ignore"):  # of code that is not ours
            text = ast.literal_eval(prefix.translate(_NO_FORMAT) + literal[len(prefix) :])
            text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
            body = ast.parse(text).body
    except UNREADABLE:
        return ""
    return text if any(map(_does_something, body)) else ""


def _does_something(statement: ast.stmt) -> bool:
    """Many a sentence is Python by chance (`d_model is odd`, `note: x`): those do nothing."""
    if isinstance(statement, ast.Expr):
        return any(isinstance(node, ast.Call | ast.Lambda) for node in ast.walk(statement))
    return not isinstance(statement, ast.AnnAssign) or statement.value is not None


def _normal(part: tokenize.TokenInfo, last: str) -> str:
    if part.type == tokenize.STRING:
        return "'text'"
    # What follows a dot is the library's name, not the learner's.
    if part.type == tokenize.NAME and last != "." and not keyword.iskeyword(part.string):
        return "name"
    return part.string


def prints(student: str, cells: Iterable[Placed]) -> Prints:
    """The fingerprints of a submission's answers, once it was put under the author's plan."""
    places: dict[int, tuple[int, int]] = {}
    lines: list[str] = []
    room, chars, left_out = TOKENS, CHARS, 0
    for cell in answers(cells):
        chars -= len(cell.source)
        offset, most = len(lines), min(CELL_TOKENS, room) if chars >= 0 else 0
        read = list(islice(tokens(cell), most + 1))
        left_out += len(read) > most
        room -= min(len(read), most)
        for value, start, end in _winnowed(read[:most]):
            places.setdefault(value, (offset + start, offset + end))
        lines += lines_of(cell.source)
    return Prints(student=student, places=places, lines=lines, left_out=left_out)


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
    made: Sequence[Prints],
    handed_out: Sequence[Cell],
    *,
    least: float = 0.5,
    common: float = 0.5,
) -> list[Pair]:
    """The pairs whose smaller share is at least `least`, the most alike first.

    Where much is shared the larger share decides: who copies little else but copies, and who hides
    a copy in a long notebook, is found by it.

    Args:
        handed_out: the release; its own text counts for nobody, wherever it stands.
        common: what more than this part of a class of ten or more has is no one's own.

    Raises:
        ValueError: a share is not from 0 to 1.
    """
    for name, value in (("least", least), ("common", common)):
        if not 0 < value <= 1:
            raise ValueError(f"{name} must lie above 0 and at most at 1, got {name}={value}")
    given = {value for cell in handed_out for value, _, _ in _all(list(tokens(cell)))}
    made = sorted(made, key=lambda one: one.student)
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
    return sorted((p for p in found if p.counted >= least), key=lambda p: (-p.counted, p.first))


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
        shared=len(shared),
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
