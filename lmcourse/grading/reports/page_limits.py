"""How much of a page may be more than plain text: what a screen can bear, whoever wrote it.

Chapter: book/instructors/hand_grading.md

Threat: a cell that takes minutes to color, a formula that crashes the tab, a small file that is a
picture of gigabytes, output without end. All of it is still there, as text.
"""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

HIGHLIGHTED = 10_000  # characters of one cell that are colored
LINE = 1_000  # and of one line of it: Python's patterns for code take time of the second order
RENDERED = 12_000  # characters of one cell that are read as Markdown
NESTED = 30  # braces, fences and environments of a formula in each other
SWITCHES = 60  # of size and style in the formulas of one cell: each holds all that follows
PICTURE, PAGE = 20_000_000, 60_000_000  # pixels of one picture, and of all on a page
TRACEBACK = 10_000  # characters
OUTPUTS = 100  # of one cell
TEXT = 50_000  # characters of one cell or output that are shown, while the page has room
_LEAST = 2_000  # and when it has none

_TEX = re.compile(r"\\(?:[a-zA-Z]+|.)|[{}%\n]", re.DOTALL)
_OPENERS = {"{", r"\left", r"\begin"}
_CLOSERS = {"}", r"\right", r"\end"}
_SIZES = {
    *(r"\displaystyle", r"\textstyle", r"\scriptstyle", r"\scriptscriptstyle"),
    *(r"\tiny", r"\Tiny", r"\scriptsize", r"\small", r"\normalsize", r"\large", r"\Large"),
    *(r"\LARGE", r"\huge", r"\Huge"),
}
# Ten short lines of them can stand for a billion symbols.
_DEFINITIONS = re.compile(
    r"\\(?:[gex]?def|let|(?:re)?new(?:command|environment)|DeclareMathOperator)(?![a-zA-Z])"
)
_FORMULA = re.compile(
    r"\$.*?\$|\\\(.*?\\\)|\\\[.*?\\\]|\\begin\b.*?\\end\b|(?:\$|\\[(\[]|\\begin\b).*", re.DOTALL
)
_NOT_SET = ("pre", "code")  # MathJax does not look into them


@dataclass(kw_only=True)
class Allowance:
    """What one page may still spend.

    Args:
        highlighted, rendered, formulas, text: characters.
        pixels: of all pictures together.
        pasted: characters of the pictures that were pasted into texts, once for each time that one
            is shown.
    """

    highlighted: int = 100_000
    rendered: int = 100_000
    formulas: int = 30_000
    pixels: int = PAGE
    pasted: int = 20_000_000
    text: int = 2_000_000

    @classmethod
    def plain(cls) -> "Allowance":
        """For a page of text alone."""
        return cls(highlighted=0, rendered=0, formulas=0, pixels=0, pasted=0)

    def may_highlight(self, source: str) -> bool:
        """Whether this code is colored; if so, it is paid for."""
        if len(source) > HIGHLIGHTED or max(map(len, source.split("\n"))) > LINE:
            return False
        return self._pay("highlighted", len(source))

    def may_render(self, source: str) -> bool:
        """Whether this text is read as Markdown; if so, it is paid for."""
        return len(source) <= RENDERED and self._pay("rendered", len(source))

    def may_set(self, html: str) -> bool:
        """Whether the formulas in some clean HTML are set; if so, they are paid for."""
        text = text_of(html)
        if too_deep(text) or _DEFINITIONS.search(text):
            return False
        return self._pay("formulas", sum(len(found) for found in _FORMULA.findall(text)))

    def may_draw(self, pixels: int) -> bool:
        """Whether a picture of this size is shown; if so, it is paid for."""
        return 0 < pixels <= PICTURE and self._pay("pixels", pixels)

    def may_paste(self, data: str, pixels: int) -> bool:
        """Whether a picture in base64 is shown in a text; if so, both are paid for."""
        return len(data) <= self.pasted and self.may_draw(pixels) and self._pay("pasted", len(data))

    def cut(self, text: str, most: int = TEXT) -> str:
        """The part of a text that is shown, with a line about the rest."""
        wanted = min(len(text), most)
        shown = wanted if wanted <= self.text else min(wanted, _LEAST)
        self.text = max(0, self.text - shown)
        rest = len(text) - shown
        return f"{text[:shown]}\n[{rest:,} more characters are not shown here]" if rest else text

    def _pay(self, what: str, amount: int) -> bool:
        left = getattr(self, what) - amount
        if left < 0:
            return False
        setattr(self, what, left)
        return True


def cut_middle(text: str, most: int = TRACEBACK) -> str:
    """A long traceback's beginning and its end, where the error is named."""
    if len(text) <= most:
        return text
    return f"{text[: most // 3]}\n[…]\n{text[-(most * 2 // 3) :]}"


def text_of(html: str) -> str:
    """The text of some clean HTML in which MathJax looks for formulas."""
    reader = _Text()
    reader.feed(html)
    reader.close()
    return "".join(reader.parts)


def too_deep(text: str) -> bool:
    """Whether more is nested in the formulas of a text than a browser can lay out.

    What closes nothing is passed over, what is closed in a comment counts as open: so the count is
    never below that of a formula in it.
    """
    depth = switches = 0
    comment = False
    for token in _TEX.findall(text):
        if token in ("%", "\n"):
            comment = token == "%"
        elif token in _OPENERS:
            depth += 1
        elif token in _CLOSERS and not comment:
            depth = max(0, depth - 1)
        switches += token in _SIZES
        if depth > NESTED or switches > SWITCHES:
            return True
    return False


class _Text(HTMLParser):
    """Collects the text outside of code."""

    def __init__(self):
        super().__init__()
        self.parts: list[str] = []
        self._inside = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside += tag in _NOT_SET
        if tag == "br":
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._inside -= tag in _NOT_SET

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.parts.append(data)
