"""What learners wrote, as HTML that shows and does nothing else.

Chapter: book/instructors/hand_grading.md

Threat: Markdown may hold any HTML: scripts and handlers, pictures and styles that tell another host
who reads, forms, links with a side effect, and names or classes that pass for parts of the screen.
Only what is listed here comes through; nothing is searched for and taken out.
"""

import base64
import binascii
from html import escape

import nh3
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.token import STANDARD_TYPES

from lmcourse.grading.safe_text import plain
from lmcourse.grading.sandbox.budgets import CELL_CHARS

_BLOCKS = "p div pre blockquote details summary hr br h1 h2 h3 h4 h5 h6 ul ol li dl dt dd"
_TABLES = "table caption thead tbody tfoot tr th td"
_INLINE = "a img span em strong b i u s del ins sub sup small mark code kbd var samp q abbr"
_PICTURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_WORDS = {name for name in STANDARD_TYPES.values() if name}  # classes of colored code
# Nested markup makes a Markdown reader slow; nobody writes an answer of this length.
_RENDERED = 12_000


def _attribute(tag: str, name: str, value: str) -> str | None:
    """The value, if the attribute may stay: links that lead out, pictures that are in the page."""
    if tag == "img" and name == "src":
        head, _, data = value.partition(";base64,")
        return value if is_picture(data, head.removeprefix("data:")) else None
    if tag == "a" and name == "href" and value.lstrip().lower().startswith("data:"):
        return None
    return value


_CLEANER = nh3.Cleaner(
    tags=set(f"{_BLOCKS} {_TABLES} {_INLINE}".split()),
    clean_content_tags={"script", "style", "template", "title", "textarea", "noscript", "iframe"},
    attributes={
        "a": {"href", "title"},
        "img": {"src", "alt", "title"},
        "ol": {"start"},
        "th": {"style", "colspan", "rowspan"},
        "td": {"style", "colspan", "rowspan"},
    },
    attribute_filter=_attribute,
    allowed_classes={"span": _WORDS, "div": {"highlight"}},
    filter_style_properties={"text-align"},
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto", "data"},  # `data` for pictures only: `_attribute`
    url_relative="deny",
)


def clean(html: str) -> str:
    """The part of some HTML that only shows."""
    return _CLEANER.clean(html)


def markdown(source: str, *, html: bool = True) -> str:
    """Markdown as safe HTML; formulas stay in their dollars, for MathJax.

    Args:
        html: False shows HTML in it as text.
    """
    source = plain(source, CELL_CHARS)
    if len(source) > _RENDERED:
        return _as_written(source)
    try:
        return clean(MarkdownWithMath(renderer=_Renderer(escape=not html)).render(source))
    except Exception:  # odd markup makes its reader fail in many ways; none may cost the page
        return _as_written(source)


def is_picture(data: str, kind: str) -> bool:
    """Whether base64 `data` begins as a picture of this kind does; SVG, a program, is none."""
    try:
        start = base64.b64decode(data, validate=True)[:8]
    except (binascii.Error, ValueError):
        return False
    return kind in _PICTURES and start.startswith(_PICTURES[kind])


class _Renderer(IPythonRenderer):
    """nbconvert's, without anchors, and without the exception for a picture that is not there."""

    def __init__(self, **options):
        super().__init__(exclude_anchor_links=True, **options)

    def _embed_image_or_attachment(self, src: str) -> str:
        return src


def _as_written(source: str) -> str:
    return f"<pre>{escape(source)}</pre>"
