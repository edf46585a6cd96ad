"""What learners wrote, as HTML that shows and does nothing else.

Chapter: book/instructors/hand_grading.md

Threat: Markdown may hold any HTML: scripts and handlers, pictures and styles that tell another host
who reads, forms, links with a side effect, and names or classes that pass for parts of the screen.
Only what is listed here comes through; nothing is searched for and taken out.
"""

import re
from collections.abc import Mapping
from html import escape

import nh3
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.token import STANDARD_TYPES

from lmcourse.grading.reports.page_limits import Allowance
from lmcourse.grading.reports.pictures import pixels
from lmcourse.grading.safe_text import plain
from lmcourse.grading.sandbox.budgets import CELL_CHARS

_BLOCKS = "p div pre blockquote details summary hr br h1 h2 h3 h4 h5 h6 ul ol li dl dt dd"
_TABLES = "table caption thead tbody tfoot tr th td"
_INLINE = "a img span em strong b i u s del ins sub sup small mark code kbd var samp q abbr"
_WORDS = {name for name in STANDARD_TYPES.values() if name}  # classes of colored code
# Fenced code in another language is not colored: some languages' patterns never end.
_COLORED = {"python", "python3", "py", "py3", "ipython", "ipython3", "pycon"}
_ATTACHED = "attachment:"
_NONE: Mapping[str, Mapping[str, str]] = {}
_QUOTED = re.compile(r"(?:%[0-9a-fA-F]{2})+")

_CLEANER = {
    "tags": set(f"{_BLOCKS} {_TABLES} {_INLINE}".split()),
    "clean_content_tags": {
        *("script", "style", "template", "title", "textarea", "noscript", "iframe"),
    },
    "attributes": {
        "a": {"href", "title"},
        "img": {"src", "alt", "title"},
        "ol": {"start"},
        "th": {"style", "colspan", "rowspan"},
        "td": {"style", "colspan", "rowspan"},
    },
    "allowed_classes": {"span": _WORDS, "div": {"highlight"}},
    "filter_style_properties": {"text-align"},
    "set_tag_attribute_values": {"a": {"target": "_blank"}},
    "link_rel": "noopener noreferrer nofollow",
    # `data` and `attachment` for pictures only, see below
    "url_schemes": {"http", "https", "mailto", "data", "attachment"},
    "url_relative": "deny",
}


def clean(
    html: str, allowance: Allowance | None = None, pictures: Mapping[str, Mapping[str, str]] = _NONE
) -> str:
    """The part of some HTML that only shows.

    Args:
        allowance: of the page; without one, that of a page of its own.
        pictures: that `attachment:NAME` names, each with its kind and contents in base64.
    """
    allowance = allowance or Allowance()
    missing: dict[str, None] = {}

    def kept(tag: str, name: str, value: str) -> str | None:
        """The value, if the attribute may stay: links that lead out, pictures in the page."""
        if tag == "img" and name == "src" and value.startswith(_ATTACHED):
            said = value.removeprefix(_ATTACHED)
            for kind, data in (pictures.get(said) or pictures.get(_unquoted(said)) or {}).items():
                if allowance.may_paste(data, pixels(data, kind)):
                    return f"data:{kind};base64,{data}"
            missing[_unquoted(said)] = None
            return None
        if tag == "img" and name == "src":
            head, _, data = value.partition(";base64,")
            return value if allowance.may_draw(pixels(data, head.removeprefix("data:"))) else None
        if name == "href" and value.lstrip().lower().startswith(("data:", _ATTACHED)):
            return None
        return None if name == "src" and value.lstrip().lower().startswith(_ATTACHED) else value

    shown = nh3.Cleaner(**_CLEANER, attribute_filter=kept).clean(html)
    if not missing:
        return shown
    names = escape(plain(", ".join(missing), 200))
    return (
        f"{shown}<p>[not shown here, for it is missing, too large, or neither PNG nor JPEG:"
        f" {names}]</p>"
    )


def markdown(
    source: str,
    *,
    html: bool = True,
    allowance: Allowance | None = None,
    pictures: Mapping[str, Mapping[str, str]] = _NONE,
) -> str:
    """Markdown as safe HTML; formulas stay in their dollars, for MathJax.

    What would take more than its page may spend is shown as it was typed.

    Args:
        html: False shows HTML in it as text.
        allowance: of the page; without one, that of a page of its own.
        pictures: see `clean`.
    """
    allowance = allowance or Allowance()
    source = plain(source, CELL_CHARS)
    if not allowance.may_render(source):
        return as_written(source)
    try:
        renderer = _Renderer(allowance, escape=not html)
        shown = clean(MarkdownWithMath(renderer=renderer).render(source), allowance, pictures)
    except Exception:  # odd markup makes its reader fail in many ways; none may cost the page
        return as_written(source)
    return shown if allowance.may_set(shown) else as_written(source)


def _unquoted(name: str) -> str:
    """A name as it was before it became a part of an address."""
    return _QUOTED.sub(
        lambda m: bytes.fromhex(m[0].replace("%", "")).decode("utf-8", "replace"), name
    )


def as_written(source: str) -> str:
    """Text as it was typed."""
    return f"<pre>{escape(source)}</pre>"


class _Renderer(IPythonRenderer):
    """nbconvert's, without anchors, and without the exception for a picture that is not there."""

    def __init__(self, allowance: Allowance, **options):
        super().__init__(exclude_anchor_links=True, **options)
        self._allowance = allowance

    def block_code(self, code: str, info: str | None = None) -> str:
        """Fenced code, in color if it is Python and short."""
        language = (info or "").split(maxsplit=1)[:1]
        colored = language and language[0] in _COLORED and self._allowance.may_highlight(code)
        return super().block_code(code, info if colored else None)

    def _embed_image_or_attachment(self, src: str) -> str:
        return src
