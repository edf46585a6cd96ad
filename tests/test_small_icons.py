"""tools/ext/small_icons.py: fonts with the icons in use, and style sheets that know no others."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pydata_sphinx_theme
import pytest
from fontTools.ttLib import TTFont
from small_icons import FOLDER, NAMED, cut_fonts, wanted, without_unused

STATIC = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
STYLE = (
    '.fa-sun:before{content:"\\f185"}.fa-moon:before,.fa-night:before{content:"\\f186"}'
    '.fa-x:before{content:"\\f00d"}:root{--tip:"\\f0eb"}'
    '@font-face{src:url(../w/fa-solid-900.woff2) format("woff2"),'
    'url(../w/fa-solid-900.ttf) format("truetype")}'
)


@pytest.mark.parametrize(
    ("page", "points"),
    [
        ("", {0xF0EB}),
        ('<i class="fa-solid fa-sun">', {0xF0EB, 0xF185}),
        ('icon.className = "fa-night"', {0xF0EB, 0xF186}),
        ("content: '\\f107'", {0xF0EB, 0xF107}),
        ('<i class="fa-sunny">', {0xF0EB}),
    ],
)
def test_icons_count_as_used_by_their_name_or_their_number(page, points):
    assert wanted(STYLE, page) == points


def test_a_style_sheet_forgets_what_the_font_lacks():
    slim = without_unused(STYLE, {0xF0EB, 0xF186})
    assert slim == (
        '.fa-moon:before,.fa-night:before{content:"\\f186"}:root{--tip:"\\f0eb"}'
        '@font-face{src:url(../w/fa-solid-900.woff) format("woff")}'
    )


def test_the_fonts_of_the_theme_are_cut_down(tmp_path):
    shutil.copytree(STATIC / "vendor/fontawesome/webfonts", tmp_path / FOLDER)
    sheet = tmp_path / "_static/styles/theme.css"
    sheet.parent.mkdir()
    shutil.copy(STATIC / "styles/pydata-sphinx-theme.css", sheet)
    (tmp_path / "page.html").write_text('<i class="fa-solid fa-moon"></i>', "utf-8")
    app = SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=str(tmp_path))
    cut_fonts(app, None)
    fonts = {path.name: path.stat().st_size for path in (tmp_path / FOLDER).iterdir()}
    assert set(fonts) == {f"fa-{name}.woff" for name in ("solid-900", "regular-400", "brands-400")}
    assert sum(fonts.values()) < 20_000
    with TTFont(tmp_path / FOLDER / "fa-solid-900.woff") as font:
        points = set(font.getBestCmap())
    assert 0xF186 in points, "the moon"
    assert 0xF185 not in points, "the sun"
    style = sheet.read_text("utf-8")
    assert ".woff2" not in style
    assert ".ttf" not in style
    assert 0 < len(NAMED.findall(style)) < 60
    before = (STATIC / "styles/pydata-sphinx-theme.css").read_text("utf-8")
    assert ".woff2" in before, "else nothing was shown"


def test_a_build_that_failed_is_left_alone(tmp_path):
    font = tmp_path / FOLDER / "fa-solid-900.ttf"
    font.parent.mkdir(parents=True)
    font.write_bytes(b"no font")
    app = SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=str(tmp_path))
    cut_fonts(app, ValueError("a page"))
    assert font.read_bytes() == b"no font"
