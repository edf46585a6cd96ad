"""Sphinx extension: what the theme's HTML lacks for readers who listen to it.

Each repair names the rule of axe-core that finds the defect; the browser gate runs those rules.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

REPAIRS = (
    # label-content-name-mismatch: the name must hold the visible text, "Search" and the keys.
    (r'(<button class="btn search-button-field[^>]*?) aria-label="Search"', r"\1"),
    # region: the sidebar's logo belongs to no landmark.
    (
        r'<div id="pst-primary-sidebar"(?! role)',
        '<div id="pst-primary-sidebar" role="complementary" aria-label="Book"',
    ),
    # aria-required-children, aria-allowed-role: a list without items, entries that are footnotes.
    (r'<div role="list" class="citation-list">', '<div class="citation-list">'),
    (r' role="doc-biblioentry"', ""),
    # The same rule: a folded cell's visible text says what it does.
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    # A link begins with a word, not with the space before it, which would be underlined.
    (r'(<p class="admonition-title">Solution to)(<a [^>]*>) ', r"\1 \2"),
    # empty-table-header: a corner that heads nothing is a plain cell.
    (r"<th([^>]*)><p></p></th>", r"<td\1></td>"),
    # No rule of axe: a measured number below 0 has a minus, which is read aloud, and no hyphen.
    (r'(<span class="pasted-(?:text|inline)">)-(?=\d)', r"\1−"),
)


EXERCISE = re.compile(
    r'<div class="exercise[^"]*" id="([^"]+)">\s*<p class="admonition-title">.*?</p>\s*'
    r"<section[^>]*>\s*<p><strong>(.*?)</strong>",
    re.DOTALL,
)
SOLUTION = re.compile(
    r'(<p class="admonition-title">Solution to <a [^>]*href="#([^"]+)">[^<]*</a>)(</p>)'
)


def named_solutions(page: str) -> str:
    """The title of each solution with the name of its exercise, the bold words it begins with."""
    names = dict(EXERCISE.findall(page))

    def named(title: re.Match) -> str:
        name = names.get(title[2])
        return f"{title[1]}: {name}{title[3]}" if name else title[0]

    return SOLUTION.sub(named, page)


def arrows_back(page: str) -> str:
    """Where a reference is cited, as arrows: "[1] (1, 2, 3)" reads like three more citations."""

    def arrows(places: re.Match) -> str:
        links = re.findall(r'<a role="doc-backlink" href="([^"]+)">(\d+)</a>', places[1])
        label = 'role="doc-backlink" aria-label="Back to citation'
        arrows = " ".join(f'<a {label} {n}" href="{place}">↑</a>' for place, n in links)
        return f'<span class="backrefs">{arrows}</span>'

    return re.sub(r'<span class="backrefs">\((.*?)\)</span>', arrows, page)


def repaired(page: str) -> str:
    page = re.sub(r' id="(exercise|solution)-content"', "", page)  # each box has the same id
    for pattern, replacement in REPAIRS:
        page = re.sub(pattern, replacement, page)
    return arrows_back(named_solutions(page))


def repair_pages(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        better = repaired(page)
        if better != page:
            path.write_text(better, encoding="utf-8")


def setup(app: Sphinx) -> dict:
    app.connect("build-finished", repair_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
