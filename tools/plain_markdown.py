"""The book's Markdown, as a notebook shows it where no book is built: in Jupyter, on Colab.

Roles and directives of MyST would stand there as they are written. A measured number becomes the
number, a citation its authors and year, a box a quotation, a fold a fold, a drawing a picture.
"""

import ast
import base64
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from myst_nb.core.variables import format_plain_text
from pybtex.database import BibliographyData, Entry, parse_file

FENCE = re.compile(r"^(?P<mark>:{3,}|`{3,})\{(?P<name>[\w:-]+)\} *(?P<argument>.*)$")
OPTION = re.compile(r"^:(?P<name>[\w-]+): *(?P<value>.*)$")
ROLE = re.compile(r"\{(?P<name>[\w:-]+)\}`(?P<text>[^`]+)`")
LABEL = re.compile(r"^\([\w-]+\)=(?:\n|\Z)", re.MULTILINE)
SPAN = re.compile(r"\[(?P<text>[^\[\]]+)\]\{\.lm-[\w-]+\}")
CLASS = re.compile(r"\\class\{[\w-]+\}")
PAGE_LINK = re.compile(r"\]\((?P<page>[\w./-]+)\.md(?:#[\w-]*)?\)")
OWN_LINK = re.compile(r"\[(?P<text>[^\[\]]+)\]\(#[\w-]+\)")
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
WIDTH = re.compile(r'style="max-width: ([\d.]+)rem; width: 100%; height: auto"')
TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
CAPTION = re.compile(r"<figcaption[^>]*>(.*?)</figcaption>", re.DOTALL)
# The light colors of book/_static/lmcourse.css, of which a picture by itself knows nothing.
COLOR = re.compile(r"^  --lm-(?P<name>\w+): (?P<value>#\w+);", re.MULTILINE)
ROLE_COLOR = re.compile(r"^  --lm-(?P<name>\w+): var\(--lm-(?P<color>\w+)\);", re.MULTILINE)
FOLDS = {"dropdown": "More", "solution": "Solution"}


@dataclass(kw_only=True)
class Plain:
    """Turns the cells of one page into plain Markdown.

    Args:
        folder: of the page; files that it includes are found from here.
        numbers: what the page's cells measured, printed, by name.
        references: the course's bibliography.
        style: colors of drawings, as `drawing_style` gives them.
    """

    folder: Path
    numbers: Mapping[str, str]
    references: BibliographyData
    style: str = ""
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)
    _cited: list[str] = field(default_factory=list)

    def cell(self, source: str) -> tuple[str, dict[str, dict[str, str]]]:
        """The text of a cell, and the pictures that it shows, as attachments of the cell."""
        self.attachments = {}
        text = self._blocks(LABEL.sub("", source).splitlines())
        return text.strip("\n"), self.attachments

    def _blocks(self, lines: list[str]) -> str:
        written, i = [], 0
        while i < len(lines):
            start = FENCE.match(lines[i])
            if start is None and lines[i].startswith("```"):  # a listing: as it is
                end = _end(lines, i, "`" * (len(lines[i]) - len(lines[i].lstrip("`"))))
                written += lines[i : end + 1]
                i = end + 1
            elif start is None:
                text = []
                while i < len(lines) and not lines[i].startswith(("```", ":::")):
                    text.append(lines[i])
                    i += 1
                if not text:  # a mark without a beginning
                    text.append(lines[i])
                    i += 1
                written.append(self._inline("\n".join(text)))
            else:
                end = _end(lines, i, start["mark"])
                written.append(self._directive(start, lines[i + 1 : end]))
                i = end + 1
        return "\n".join(written)

    def _directive(self, start: re.Match, body: list[str]) -> str:
        options = {}
        while body and (option := OPTION.match(body[0])):
            options[option["name"]] = option["value"]
            body = body[1:]
        name, title = start["name"], self._inline(start["argument"].strip())
        if name == "raw":
            return self._raw(options, body)
        if name == "literalinclude":
            return self._listing(start["argument"].strip(), options)
        if name in ("footbibliography", "bibliography"):
            return self._bibliography()
        if name == "solution-end":
            return ""
        if name == "solution-start":
            return "**Solution**"
        if name == "math":
            return "\n".join(["$$", *body, "$$"])
        inside = self._blocks(body).strip("\n")
        if name in FOLDS or "dropdown" in options.get("class", ""):
            heading = FOLDS["solution"] if name == "solution" else title or "More"
            return _fold(heading, inside)
        if name == "exercise":
            title = f"Exercise: {title}" if title else "Exercise"
        elif not title and name not in ("grid", "grid-item", "tab-set", "card-footer"):
            title = name.capitalize()
        return _quotation(title, inside)

    def _inline(self, text: str) -> str:
        text = ROLE.sub(self._role, text)
        text = SPAN.sub(lambda found: found["text"], text)
        text = OWN_LINK.sub(lambda found: found["text"], text)
        text = PAGE_LINK.sub(lambda found: f"]({found['page']}.ipynb)", text)
        return CLASS.sub("", text)

    def _role(self, found: re.Match) -> str:
        name, text = found["name"], found["text"]
        if name == "glue:text":
            key, _, form = text.partition(":")
            if key not in self.numbers:
                raise KeyError(f"the page must glue {key}, got no such number")
            return format_plain_text(self.numbers[key], form) if form else self.numbers[key]
        if name in ("footcite:p", "footcite:t"):
            keys = [key.strip() for key in text.split(",")]
            self._cited += [key for key in keys if key not in self._cited]
            entries = [self.references.entries[key] for key in keys]
            if name == "footcite:t":
                return "; ".join(f"{_authors(e)}{_year(e, ' (', ')')}" for e in entries)
            return "(" + "; ".join(f"{_authors(e)}{_year(e, ', ', '')}" for e in entries) + ")"
        if name == "eq":
            return "the equation above"
        return re.sub(r"\s*<[^>]+>$", "", text)  # a term, a page: its words

    def _raw(self, options: Mapping[str, str], body: list[str]) -> str:
        if "file" in options:
            body = (self.folder / options["file"]).read_text(encoding="utf-8").splitlines()
        html = "\n".join(body)
        pictures = [self._picture(svg) for svg in SVG.findall(html)]
        captions = [TAG.sub("", found).strip() for found in CAPTION.findall(html)]
        return "\n\n".join([*pictures, *captions])

    def _picture(self, svg: str) -> str:
        title = TITLE.search(svg)
        words = TAG.sub("", title[1]) if title else "drawing"
        alone = svg.replace('font-family="inherit"', 'font-family="sans-serif"')
        if width := WIDTH.search(alone):  # by itself it is as wide as it says, not as its place
            alone = alone.replace(width[0], f'width="{16 * float(width[1]):g}"')
        alone = re.sub(r"(<svg[^>]*>)", rf"\1<style>{self.style}</style>", alone, count=1)
        name = f"drawing-{len(self.attachments) + 1}.svg"
        data = base64.b64encode(alone.encode()).decode()
        self.attachments[name] = {"image/svg+xml": data}
        return f"![{words}](attachment:{name})"

    def _listing(self, path: str, options: Mapping[str, str]) -> str:
        source = (self.folder / path).read_text(encoding="utf-8")
        if "pyobject" in options:
            source = python_object(source, options["pyobject"])
        return f"```python\n{textwrap.dedent(source).rstrip()}\n```"

    def _bibliography(self) -> str:
        rows = []
        for key in self._cited:
            entry = self.references.entries[key]
            title = re.sub(r"[{}]", "", entry.fields["title"])
            link = entry.fields.get("url") or (
                f"https://doi.org/{entry.fields['doi']}" if "doi" in entry.fields else ""
            )
            said = f"[{title}]({link})" if link else title
            rows.append(f"* {_authors(entry)}{_year(entry, ' (', ')')}. {said}")
        return "\n".join(rows)


def _end(lines: list[str], start: int, mark: str) -> int:
    """The line that ends what begins at `start`; the last one if none does."""
    for i in range(start + 1, len(lines)):
        if lines[i].rstrip() == mark:
            return i
    return len(lines) - 1


def _quotation(title: str, text: str) -> str:
    body = (f"**{title}**\n\n" if title else "") + text
    return "\n".join(f"> {line}".rstrip() for line in body.splitlines()) + "\n"


def _fold(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>\n"


def _authors(entry: Entry) -> str:
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [re.sub(r"[{}]", "", " ".join(p.prelast_names + p.last_names)) for p in people]
    if not names:
        return re.sub(r"[{}]", "", entry.fields.get("organization", entry.fields["title"]))
    if len(names) > 2:
        return f"{names[0]} et al."
    return " and ".join(names)


def _year(entry: Entry, before: str, after: str) -> str:
    """Programs have none."""
    return f"{before}{entry.fields['year']}{after}" if "year" in entry.fields else ""


def python_object(source: str, name: str) -> str:
    """The text of a function, class or method (`Class.method`) of a module, with decorators."""
    found: ast.AST = ast.parse(source)
    for part in name.split("."):
        found = next(node for node in found.body if getattr(node, "name", None) == part)
    first = min([found.lineno, *(node.lineno for node in found.decorator_list)])
    return "\n".join(source.splitlines()[first - 1 : found.end_lineno])


def drawing_style(css: str) -> str:
    """The style that gives a drawing the light colors of the book's style sheet."""
    colors = {}
    for found in COLOR.finditer(css):
        colors.setdefault(found["name"], found["value"])  # the first is the light one
    roles = {found["name"]: colors[found["color"]] for found in ROLE_COLOR.finditer(css)}
    variables = "".join(f"--lm-{name}:{value};" for name, value in (colors | roles).items())
    classes = "".join(f".lm-{name}{{color:{value}}}" for name, value in roles.items())
    return f"svg{{{variables}color:#1f2328;background:#fff}}{classes}"


def read_references(path: Path) -> BibliographyData:
    return parse_file(str(path), bib_format="bibtex")


def calm_asserts(source: str, message: str) -> str:
    """The same code, in which an assertion that fails prints `message` and goes on."""
    lines = source.splitlines()
    asserts = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]
    for node in sorted(asserts, key=lambda node: node.lineno, reverse=True):
        indent = " " * node.col_offset
        if lines[node.lineno - 1][: node.col_offset].strip():
            continue  # behind something else in its line: stays
        replaced = [
            f"{indent}if not ({ast.unparse(node.test)}):",
            f"{indent}    print({message!r})",
        ]
        lines[node.lineno - 1 : node.end_lineno] = replaced
    return "\n".join(lines)
