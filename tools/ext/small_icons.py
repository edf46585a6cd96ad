"""Sphinx extension: the icon fonts hold the icons that the site shows, and no others.

The theme brings two thousand icons, 300 kB for each new reader; the book uses two dozen.
"""

import logging
import re
from pathlib import Path

from fontTools import subset
from sphinx.application import Sphinx
from sphinx.util.logging import getLogger

log = getLogger(__name__)
logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells every step

# How the theme's style names an icon: .fa-moon:before{content:"\f186"}, with one name or several.
NAMED = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]{1,4})"\}')
NAME = re.compile(r"\bfa-[\w-]+")
ESCAPE = re.compile(r"\\([ef][0-9a-f]{3})\b")  # where fonts keep what is no letter
FONT = re.compile(
    r'url\(([^()]*/(fa-[\w-]+))\.woff2\) *format\("woff2"\)(, *url\([^()]*\)[^,;}]*)*'
)
FOLDER = "_static/vendor/fontawesome/webfonts"


def wanted(styles: str, pages: str) -> set[int]:
    """The code points of the icons in use.

    Args:
        styles: all style sheets.
        pages: all pages and scripts.
    """
    used = set(NAME.findall(pages))
    points = {int(escape, 16) for escape in ESCAPE.findall(NAMED.sub("", styles) + pages)}
    for names, escape in NAMED.findall(styles):
        if used & set(NAME.findall(names)):
            points.add(int(escape, 16))
    return points


def without_unused(style: str, points: set[int]) -> str:
    """The style sheet with the small fonts, and without the names of icons that they lack."""
    style = NAMED.sub(lambda rule: rule[0] if int(rule[2], 16) in points else "", style)
    return FONT.sub(r'url(\1.woff) format("woff")', style)


def cut(source: Path, points: set[int], target: Path) -> None:
    """Writes a font with these icons alone."""
    options = subset.Options(flavor="woff", notdef_outline=True, layout_features=[])
    with subset.load_font(str(source), options) as font:
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=points)
        subsetter.subset(font)
        subset.save_font(font, str(target), options)


def cut_fonts(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    root = Path(app.outdir)
    sheets = {path: path.read_text("utf-8") for path in sorted(root.rglob("*.css"))}
    texts = [*root.rglob("*.html"), *root.rglob("_static/**/*.js")]
    pages = "\n".join(path.read_text("utf-8", errors="replace") for path in texts)
    points = wanted("\n".join(sheets.values()), pages)
    for source in sorted(Path(root, FOLDER).glob("*.ttf")):
        cut(source, points, source.with_suffix(".woff"))
        for heavy in (source, source.with_suffix(".woff2")):
            heavy.unlink(missing_ok=True)
    for path, style in sheets.items():
        slim = without_unused(style, points)
        if slim != style:
            path.write_text(slim, "utf-8")
            log.info("%s: the icon fonts have %d icons", path.name, len(points))


def setup(app: Sphinx) -> dict:
    app.connect("build-finished", cut_fonts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
