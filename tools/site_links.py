"""What the HTML of a built site alone can tell: dead links, missing descriptions, doubled ids."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

# A tag and the attributes of it that hold an address.
ADDRESSES = {"a": ("href",), "link": ("href",), "img": ("src",), "script": ("src",),
             "source": ("src",), "iframe": ("src",), "form": ("action",)}  # fmt: skip
SCHEMES = {"http", "https", "mailto", "data"}


@dataclass
class Page(HTMLParser):
    """One page, read for what other pages can point at and what it points at itself."""

    html: str
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()
        self._open_svgs: list[dict] = []
        self._articles = 0
        self.feed(self.html)
        self.html = ""

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        self._note_id(values)
        self.links += [values[name] for name in ADDRESSES.get(tag, ()) if name in values]
        self._articles += tag == "article"
        if tag == "img" and not self._is_image_described(values):
            self.problems.append(f"an img must have an alt text, got none for {values.get('src')}")
        if tag == "svg":
            self._open_svgs.append(values)
        # A title inside an svg is its name. HTMLParser sees it while the svg is open.
        if tag == "title" and self._open_svgs:
            self._open_svgs[-1]["aria-label"] = self._open_svgs[-1].get("aria-label") or "title"

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        self._articles -= tag == "article"
        if tag == "svg" and self._open_svgs:
            svg = self._open_svgs.pop()
            if not self._open_svgs and not _is_described(svg):
                name = svg.get("id") or svg.get("class") or svg.get("viewbox") or "without a name"
                self.problems.append(
                    f"an svg must have an aria-label or a title, or be hidden, got none: {name}"
                )

    def _is_image_described(self, values: dict) -> bool:
        """Beside the article an image may be mere decoration (alt=""); in it, it says something."""
        if _is_described(values):
            return True
        alt = values.get("alt")
        if not self._articles:
            return alt is not None
        # Sphinx falls back to the file's name, which describes nothing.
        return bool(alt) and alt != values.get("src")

    def _note_id(self, values: dict):
        name = values.get("id")
        if name is None:
            return
        if name in self.ids:
            self.problems.append(f"an id must be unique, got a second one: {name}")
        self.ids.add(name)


def _is_described(values: dict) -> bool:
    return bool(
        values.get("aria-label")
        or values.get("aria-labelledby")
        or values.get("aria-hidden") == "true"
        or values.get("role") in ("presentation", "none")
    )


def check_html(root: Path, names: list[str] | None = None) -> dict[str, list[str]]:
    """For each page of the site, what is wrong with its HTML.

    Args:
        names: the pages to look at, all of them if None; links may lead to any page.
    """
    paths = {path.relative_to(root).as_posix(): path for path in site_pages(root)}
    pages = {name: Page(path.read_text(encoding="utf-8")) for name, path in paths.items()}
    found = {}
    for name in names or sorted(pages):
        page = pages[name]
        dead = [_problem_of(link, name, pages, root) for link in page.links]
        found[name] = page.problems + [problem for problem in dict.fromkeys(dead) if problem]
    return found


def site_pages(root: Path) -> list[Path]:
    """The pages that a reader sees: not the HTML inside of assets and sources."""
    return sorted(
        path
        for path in root.rglob("*.html")
        if not any(part.startswith("_") for part in path.relative_to(root).parts[:-1])
    )


def _problem_of(link: str, page: str, pages: dict[str, Page], root: Path) -> str:
    try:
        parts = urlsplit(link)
    except ValueError as error:
        return f"a link must be a well-formed address, got {link}: {error}"
    if parts.scheme or parts.netloc:
        return _problem_outside(link, parts)
    target = unquote(urljoin("/" + page, parts.path)).lstrip("/") if parts.path else page
    if target.endswith("/") or not target:
        target += "index.html"
    if not (root / target).is_file():
        return f"a link must lead to a file of the site, got {link}"
    fragment = unquote(parts.fragment)
    if fragment and target in pages and fragment not in pages[target].ids:
        return f"a link must lead to an id of the page, got {link}: {target} has no such id"
    return ""


def _problem_outside(link: str, parts) -> str:
    if parts.scheme and parts.scheme not in SCHEMES:
        return f"a link must begin with one of {', '.join(sorted(SCHEMES))}, got {link}"
    if parts.scheme in ("http", "https", ""):
        host = parts.hostname or ""
        if not re.fullmatch(r"([a-z0-9_-]+\.)+[a-z]{2,}|localhost|127\.0\.0\.1", host):
            return f"a link must name a host, got {link}"
        if re.search(r"[\s<>{}\"]", link):
            return f"a link must hold no space, brace or quote, got {link}"
    return ""
