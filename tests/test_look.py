"""tools/look.py: what is counted of a page, and the sheets."""

import json
import subprocess
import sys
from pathlib import Path

import look
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
LINE = "height: 100px; margin: 0; overflow: hidden"
# A page of 1,000 px: 200 of code, 100 of output, 300 of pictures, 300 of text, 100 of nothing.
PAGE = f"""<!DOCTYPE html><html lang="en"><head><title>A page</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body, h1, figure {{margin: 0}} article {{height: 1000px; font: 16px monospace}}
</style></head><body><main><article>
<h1 style="{LINE}">Three words here</h1>
<div class="cell"><div class="cell_input" style="{LINE}"><div class="highlight"><pre>a = 1

assert a</pre></div></div>
<div class="cell_output"><div class="output" style="{LINE}"><pre>printed words</pre><button><svg
width="9" height="9"></svg></button></div></div>
</div>
<div class="cell"><details class="hide" style="{LINE}"><summary><p>The imports</p></summary>
<div class="cell_input"><pre>import math
import torch</pre></div></details></div>
<p style="{LINE}">About 60 minutes: it takes about 7 minutes, <span class="math">x^2</span>.</p>
<figure class="lm-picture" style="height: 200px"><svg role="img" aria-label="a" width="90"
height="100"></svg><figcaption>Four words of caption</figcaption></figure>
<div class="cell_output"><div class="output" style="{LINE}"><figure style="{LINE}"><svg role="img"
aria-label="b" width="9" height="9"></svg></figure></div></div>
<table style="{LINE}; display: block"><tr><td>One</td></tr></table>
<details style="position: absolute; top: 0"><summary></summary><p>Folded words do not count</p>
</details>
</article></main></body></html>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "book").mkdir()
    (folder / "book/tiny.html").write_text(PAGE, encoding="utf-8")
    wide = PAGE.replace("About 60", '<b style="white-space: nowrap">' + "wide " * 99 + "</b>")
    wide = wide.replace(
        'class="math"', 'class="math" data-more="right" style="display: inline-flex"'
    )
    (folder / "book/wide.html").write_text(wide, encoding="utf-8")
    (folder / "index.html").write_text(
        '<meta http-equiv="refresh" content="0; url=book/tiny.html">', encoding="utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def seen(site, tmp_path_factory):
    """The folder in which everything is, and what was printed."""
    out = tmp_path_factory.mktemp("look")
    command = [sys.executable, ROOT / "tools/look.py", site, "--out", out]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


@pytest.mark.slow
def test_a_page_is_measured_as_it_opens(seen):
    rows = {row["page"]: row for row in json.loads((seen[0] / "look.json").read_text("utf-8"))}
    tiny = rows["book/tiny.html"]
    for width in ("1280", "390"):
        assert tiny["heights"][width] == 1000
        assert tiny["shares"][width] == pytest.approx(
            {"code": 0.2, "output": 0.1, "pictures": 0.3, "text": 0.3}, abs=0.011
        )
    assert tiny["lines"] == 2, "visible lines that are not empty"
    assert tiny["asserts"] == 1
    assert tiny["folded"] == 1
    assert tiny["pictures"] == 2
    assert tiny["says"] == 60
    # Title 3, fold 2, paragraph 8, formula 1, caption 4, table 1.
    assert tiny["words"] == 19
    assert tiny["minutes"] == pytest.approx(19 / 200 + 3 * 5 / 60, abs=0.06)
    assert tiny["cut"] == {"1280": [], "390": []}


@pytest.mark.slow
def test_what_is_cut_off_is_told(seen):
    rows = {row["page"]: row for row in json.loads((seen[0] / "look.json").read_text("utf-8"))}
    assert len(rows["book/wide.html"]["cut"]["390"]) == 2
    told = (seen[0] / "look.txt").read_text("utf-8")
    assert "nothing may be cut off" in told
    assert "a box that holds all of it must not fade, got span.math “x^2”" in told


def size(path):
    with Image.open(path) as image:
        return image.size


@pytest.mark.slow
def test_there_is_a_sheet_of_each_kind_with_every_page(seen):
    out, printed = seen
    for sheet in look.SHEETS:
        whole, strip = (
            size(out / name) for name in (f"{sheet}.png", f"pages/book-tiny-{sheet}.png")
        )
        assert whole[0] >= 2 * strip[0]
        assert whole[1] >= strip[1]
    assert "2 pages" in printed


def test_pages_are_found_by_their_slugs(site):
    assert look.choose(site, []) == ["book/tiny.html", "book/wide.html"]
    assert look.choose(site, ["wide", "book/tiny.html"]) == ["book/wide.html", "book/tiny.html"]
    with pytest.raises(LookupError, match="must name pages of the site, got gone"):
        look.choose(site, ["tiny", "gone"])


def test_a_folder_without_a_site_is_told(tmp_path):
    command = [sys.executable, ROOT / "tools/look.py", tmp_path, "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "must hold a built site, got no page: make book" in done.stderr
    assert "Traceback" not in done.stderr


def test_chapters_are_those_of_the_numbered_parts():
    pages = look.chapters(ROOT / "_toc.yml")
    assert "book/attention.html" in pages
    assert not pages & {"book/index.html", "book/setup.html", "book/sources.html"}


def test_a_long_page_has_honest_minutes():
    long = look.Look("a", words=3000, lines=118, folded=2)
    assert long.minutes == pytest.approx(15 + 10)
