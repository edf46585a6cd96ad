"""The pages of the book, as the tests read them: blocks, cells, sections, and prose alone."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"

FENCE = re.compile(r"^\s*(`{3,}|~{3,}|:{3,})\s*(?:\{([\w:-]+)\})?\s*(.*)$")
# Directives whose body is not prose. A fence of backticks without a directive is code as well.
VERBATIM = {"code-cell", "code-block", "code", "literalinclude", "math", "raw", "bibliography"}


@dataclass(frozen=True)
class Block:
    kind: str  # the directive, or "" for plain code
    argument: str
    options: dict[str, str]
    body: str
    lines: range  # with its fences
    is_verbatim: bool


@dataclass(frozen=True)
class Page:
    slug: str
    text: str

    @cached_property
    def body(self) -> str:
        """The text without its header."""
        return re.sub(r"\A---\n.*?\n---\n", "", self.text, flags=re.DOTALL)

    @cached_property
    def blocks(self) -> list[Block]:
        return list(_blocks(self.body))

    @cached_property
    def cells(self) -> list[str]:
        return [block.body for block in self.blocks if block.kind == "code-cell"]

    @cached_property
    def without_code(self) -> str:
        return "\n".join("" if inside else line for line, inside in self._lines())

    @cached_property
    def prose(self) -> str:
        return _prose(self.without_code)

    @cached_property
    def visible_prose(self) -> str:
        """The prose outside of folds and of the answers to exercises."""
        hidden = {i for block in self.blocks if block.kind == "dropdown" for i in block.lines}
        kept, is_answer = [], False
        for number, (line, inside) in enumerate(self._lines()):
            is_answer |= "{solution-start}" in line
            if not (inside or is_answer or number in hidden):
                kept.append(line)
            is_answer &= "{solution-end}" not in line
        return _prose("\n".join(kept))

    @cached_property
    def sections(self) -> dict[str, str]:
        """The text under each `##` heading, in order; "" is what stands before the first."""
        found: dict[str, list[str]] = {"": []}
        for line, inside in self._lines():
            if not inside and (heading := re.match(r"## +(.+)$", line)):
                found[heading[1]] = []
            else:
                found[next(reversed(found))].append(line)
        return {name: "\n".join(lines) for name, lines in found.items()}

    def section(self, pattern: str) -> str:
        """The text of the first section whose heading has the pattern, or "" if there is none."""
        return next((text for name, text in self.sections.items() if re.search(pattern, name)), "")

    def _lines(self) -> Iterator[tuple[str, bool]]:
        """Each line, and whether it belongs to code."""
        code = {number for block in self.blocks if block.is_verbatim for number in block.lines}
        for number, line in enumerate(self.body.splitlines()):
            yield line, number in code


def _blocks(text: str) -> Iterator[Block]:
    """Every fenced block; an inner one before the one that holds it."""
    lines = text.splitlines()
    unclosed: list[tuple[int, re.Match]] = []
    for number, line in enumerate(lines):
        match = FENCE.match(line)
        if not match:
            continue
        fence, kind, rest = match.groups()
        if unclosed:
            start, opening = unclosed[-1]
            if not kind and not rest and fence.startswith(opening[1]):
                unclosed.pop()
                yield _block(opening, lines[start + 1 : number], range(start, number + 1))
                continue
            if _is_verbatim(opening):
                continue
        unclosed.append((number, match))


def _is_verbatim(opening: re.Match) -> bool:
    fence, kind, _ = opening.groups()
    return kind in VERBATIM if kind else fence[0] != ":"


def _block(opening: re.Match, body: list[str], lines: range) -> Block:
    options = {}
    while body and (option := re.match(r"\s*:([\w-]+):\s*(.*)$", body[0])):
        options[option[1]] = option[2]
        body = body[1:]
    _, kind, argument = opening.groups()
    return Block(kind or "", argument, options, "\n".join(body), lines, _is_verbatim(opening))


def _prose(text: str) -> str:
    """What a person wrote as words: no math, code, roles, links, options."""
    text = re.sub(r"<!--.*?-->|^\$\$.*?\$\$", " ", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^\s*:[\w-]+:.*$|^\([\w-]+\)=$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\{[\w:.-]+\}`[^`]*`", " ROLE ", text)
    text = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", " CODE ", text)
    text = re.sub(r"(?<!\\)\$(?!\s).*?(?<![\\\s])\$", " MATH ", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)|<[^>\n]*>|https?://\S+", " ", text)


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of a table in tests/."""
    with (ROOT / "tests" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def parts() -> dict[str, list[str]]:
    """The slugs of each part of the book, by its caption in _toc.yml."""
    found = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    return {
        part["caption"]: [each["file"].removeprefix("book/") for each in part["chapters"]]
        for part in found
    }


def chapters() -> list[str]:
    """The slugs of parts I to VII, in the order of the course."""
    numbered = re.compile(r"(I|II|III|IV|V|VI|VII)\. ")
    return [slug for caption, part in parts().items() if numbered.match(caption) for slug in part]


def all_pages() -> list[str]:
    return ["index", *(slug for part in parts().values() for slug in part)]


def read_page(slug: str) -> Page:
    return Page(slug, (BOOK / f"{slug}.md").read_text(encoding="utf-8"))
