"""Sphinx extension: docstrings as the page of the package shows them.

A reference is one paragraph, however many lines it has: lines after the first are indented, which
reStructuredText takes for a term and its definition. The chapter of a module is a link. And what
PyTorch says of every `forward` is left out.
"""

import re
from collections.abc import Container

from sphinx.application import Sphinx

MARK = "Reference: "
CHAPTER = re.compile(r"^Chapter: book/([\w/]+)\.md$")
OF_EVERY_MODULE = "Define the computation performed at every call."


def join_reference(lines: list[str]) -> list[str]:
    """The lines of a docstring with those of a reference at the depth of its first.

    Example:
        >>> join_reference(["Reference: Vaswani et al.", "    (2017)", "", "    kept"])
        ['Reference: Vaswani et al.', '(2017)', '', '    kept']
    """
    joined, depth = [], None
    for line in lines:
        inner = len(line) - len(line.lstrip())
        if line.lstrip().startswith(MARK):
            depth = inner
        elif not line.strip():
            depth = None
        elif depth is not None and inner > depth:
            line = " " * depth + line.lstrip()
        joined.append(line)
    return joined


def link_chapter(lines: list[str], pages: Container[str]) -> list[str]:
    """The lines with a link in place of a page's file; without the line if there is no such page.

    Example:
        >>> link_chapter(["Gates.", "", "Chapter: book/lstm.md"], {"book/lstm"})
        ['Gates.', '', 'Chapter: :doc:`/book/lstm`']
        >>> link_chapter(["Gates.", "", "Chapter: book/cost.md"], {"book/lstm"})
        ['Gates.', '']
    """
    linked = []
    for line in lines:
        if found := CHAPTER.match(line):
            if f"book/{found[1]}" not in pages:
                continue
            line = f"Chapter: :doc:`/book/{found[1]}`"
        linked.append(line)
    return linked


def process(app: Sphinx, what, name, obj, options, lines: list[str]) -> None:
    if lines and lines[0] == OF_EVERY_MODULE:
        lines.clear()
    lines[:] = link_chapter(join_reference(lines), app.env.found_docs)


def setup(app: Sphinx) -> dict:
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
