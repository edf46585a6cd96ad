"""Sphinx extension: a page loads nothing from another host, and nothing that it does not need."""

import re
from html.parser import HTMLParser
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)

# The theme draws its icons with a web font; the 1.5 MB of drawings beside it are for custom icons.
UNUSED_SCRIPT = re.compile(r"\s*<script[^>]*\bscripts/fontawesome\.js[^>]*></script>")
# For results while one types, which is switched off: the page of the search alone needs them.
SEARCH_SCRIPT = re.compile(
    r"\s*<script[^>]*\b(searchtools|language_data|searchindex)\.js[^>]*></script>"
)

# What a browser fetches on its own, by the attribute that names it. A plain link is not among them.
LOADED = {"img": "src", "script": "src", "iframe": "src", "source": "src", "object": "data"}
LOADING_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch"}


class _Assets(HTMLParser):
    def __init__(self):
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        if tag in LOADED:
            self.addresses.append(values.get(LOADED[tag], ""))
        if tag == "link" and LOADING_RELATIONS & set(values.get("rel", "").split()):
            self.addresses.append(values.get("href", ""))


def foreign_assets(page: str) -> list[str]:
    """The addresses on other hosts that a browser would fetch to show this HTML."""
    parser = _Assets()
    parser.feed(page)
    return [address for address in parser.addresses if re.match(r"(https?:)?//", address)]


def unhook_thebe(app: Sphinx, config) -> None:
    """jupyter-book always loads sphinx_thebe, whose script fails on each page and fetches a CDN."""
    for listeners in app.events.listeners.values():
        listeners[:] = [
            each for each in listeners if not each.handler.__module__.startswith("sphinx_thebe")
        ]


def drop_thebe_style(app: Sphinx, pagename, templatename, context, doctree) -> None:
    context["css_files"] = [
        each for each in context["css_files"] if "sphinx-thebe" not in str(each.filename)
    ]


def clean_pages(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        slim = UNUSED_SCRIPT.sub("", page)
        if path.name != "search.html":
            slim = SEARCH_SCRIPT.sub("", slim)
        if slim != page:
            path.write_text(slim, encoding="utf-8")
        for address in foreign_assets(slim):
            name = path.relative_to(app.outdir)
            log.warning("%s must load nothing from other hosts, got %s", name, address)
    Path(app.outdir, "_static/scripts/fontawesome.js").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", unhook_thebe, priority=900)
    app.connect("html-page-context", drop_thebe_style)
    app.connect("build-finished", clean_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
