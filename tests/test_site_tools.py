"""The gates of the book find what they are for: each is shown something wrong in one way."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import site_check
from accessible_pages import repaired
from folded_cells import title_of
from notebook_links import notebook_address
from number_bands import Band, complaints, glued_numbers, read_bands
from offline_assets import clean_pages, foreign_assets
from page_numbering import link_figures, number_figures
from sealed_execution import inputs_digest, seal
from site_links import check_html

ROOT = Path(__file__).resolve().parent.parent

# ---------------------------------------------------------------- bands

BAND = Band("attention", "attention-ratio", 1.5, 2.5)


def test_a_number_inside_of_its_band_is_no_complaint():
    for text in ("1.5", "2", "2.5"):
        assert complaints({"attention": {"attention-ratio": text}}, [BAND]) == []


@pytest.mark.parametrize(
    ("glued", "words"),
    [
        ({"attention-ratio": "1.49"}, "between 1.5 and 2.5, got 1.49"),
        ({"attention-ratio": "2.51"}, "between 1.5 and 2.5, got 2.51"),
        ({"attention-ratio": "nan"}, "got nan"),
        ({"attention-ratio": "inf"}, "got inf"),
        ({"attention-ratio": "tensor(2.)"}, "plain number, got tensor"),
        ({"attention-ratio": "2", "attention-other": "7"}, "attention-other must have a row"),
        ({}, "attention-ratio must be glued by page attention"),
    ],
)
def test_a_number_outside_without_band_or_not_glued_is_found(glued, words):
    found = complaints({"attention": glued}, [BAND])
    assert [page for page, _ in found] == ["attention"]
    assert words in found[0][1]


def test_a_band_of_another_page_does_not_count():
    found = complaints({"positions": {"attention-ratio": "2"}}, [BAND])
    assert {page for page, _ in found} == {"attention", "positions"}


def test_a_doubled_row_is_found():
    found = complaints({"attention": {"attention-ratio": "2"}}, [BAND, BAND])
    assert "2 rows for 1 names" in found[0][1]


def test_pictures_that_are_glued_need_no_band():
    outputs = {
        "a": {"data": {"text/plain": "0.5"}},
        "b": {"data": {"text/plain": "Picture: …", "text/html": "<figure></figure>"}},
    }
    assert glued_numbers(outputs) == {"a": "0.5"}


def test_the_table_is_read(tmp_path):
    path = tmp_path / "bands.csv"
    path.write_text("page,name,low,high,seeds\nattention,attention-ratio,1.5,2.5,8\n")
    assert read_bands(path) == [BAND]
    assert read_bands(tmp_path / "none.csv") == []


# ---------------------------------------------------------------- small repairs and addresses


def test_what_a_browser_would_fetch_elsewhere_is_found():
    page = (
        '<script src="https://cdn.example.org/a.js"></script><img src="//example.org/b.png">'
        '<link rel="stylesheet" href="http://example.org/c.css"><script src="d.js"></script>'
        '<a href="https://example.org/">a link</a><link rel="canonical" href="https://e.org/">'
    )
    assert len(foreign_assets(page)) == 3


def test_launch_buttons_lead_to_the_executed_notebook():
    name = "book/attention"
    colab = "https://colab.research.google.com/github/main/main/blob/{}/book/attention.{}"
    binder = "https://mybinder.org/v2/gh/o/r/{}?urlpath=lab/tree/book/attention.{}"
    assert notebook_address(binder.format("main", "md"), name, "main") == binder.format(
        "notebooks", "ipynb"
    )
    address = colab.replace("main/main", "o/r")
    assert notebook_address(address.format("main", "md"), name, "main") == address.format(
        "notebooks", "ipynb"
    )
    with pytest.raises(ValueError, match="must hold /main"):
        notebook_address("https://host/other/book/attention.md", name, "main")


def test_repairs_are_made_once():
    page = '<div id="pst-primary-sidebar" class="x"><p id="exercise-content">a</p></div>'
    once = repaired(page)
    assert 'role="complementary"' in once
    assert "exercise-content" not in once
    assert repaired(once) == once


def test_a_folded_cell_says_what_is_inside():
    assert title_of("# The imports.\n\nimport math\n") == ("The imports", "import math\n")
    assert title_of("# One\n# two\nx = 1") == ("One", "# two\nx = 1")
    for bare in ("x = 1  # one\ny = 2", "#!shell\nx = 1", "# a comment alone"):
        assert title_of(bare) == ("The code", bare)


FIGURES = """<figcaption>of the frame</figcaption><article><div class="cell" id="plot"><figure>
<svg></svg><figcaption>A <em>plot</em>.</figcaption></figure></div><figure><img></figure>
<figure id="drawing"><img><figcaption><p><span class="caption-number">Fig. 7 </span>
<span>A drawing.</span></p></figcaption></figure></article>"""
LINKS = """<a class="reference internal" href="#plot">Figure</a>
<a class="reference internal" href="b.html#drawing"><span class="std std-numref">Fig. 7</span></a>
<a class="reference internal" href="#plot">figure</a> <a class="reference internal"
href="#plot">Figure</a> <a class="reference internal" href="#plot">the figure</a>
<a class="reference internal" href="#nowhere">Figure</a>"""


def test_figures_of_cells_and_of_the_page_are_counted_together():
    page, numbers = number_figures(FIGURES)
    assert numbers == {"plot": 1, "drawing": 2}
    assert page.startswith("<figcaption>of the frame</figcaption>")
    assert '<figcaption><span class="caption-number">Figure 1. </span>A <em>plot</em>.<' in page
    assert '<figcaption><p><span class="caption-number">Figure 2. </span>' in page
    assert "Fig. 7" not in page
    assert number_figures("<article><p>Words.</p></article>")[1] == {}


def test_links_to_figures_get_their_numbers():
    numbers = {"book/a.html": {"plot": 1}, "book/b.html": {"drawing": 2}}
    linked = link_figures(LINKS, numbers, "book/a.html")
    words = [" ".join(text.split()) for text in re.findall(r">([^<>]*[Ff]igure[^<>]*)<", linked)]
    assert words == ["Figure 1", "Figure 2", "figure 1", "Figure", "the figure", "Figure"]


def test_a_solution_has_the_name_of_its_exercise():
    page = """<div class="exercise admonition" id="a-ex">
<p class="admonition-title"><span class="caption-number">Exercise 1 </span></p>
<section id="x">
<p><strong>The wrong order</strong> (●○○). Why?</p></section></div>
<p class="admonition-title">Solution to<a href="#a-ex"> Exercise 1</a></p>
<p class="admonition-title">Solution to<a href="#b"> Exercise 2</a></p>"""
    once = repaired(page)
    assert 'Solution to <a href="#a-ex">Exercise 1</a>: The wrong order</p>' in once
    assert 'Solution to <a href="#b">Exercise 2</a></p>' in once
    assert repaired(once) == once


def test_a_reference_leads_back_by_arrows():
    page = """<span class="backrefs">(<a role="doc-backlink" href="#id2">1</a>,<a
role="doc-backlink" href="#id9">2</a>)</span>""".replace("<a\n", "<a ")
    once = repaired(page)
    assert re.sub(r"<[^>]*>", "", once) == "↑ ↑"
    assert re.findall(r'aria-label="([^"]+)" href="([^"]+)"', once) == [
        ("Back to citation 1", "#id2"),
        ("Back to citation 2", "#id9"),
    ]
    assert repaired(once) == once


def test_cells_see_no_data_of_a_person_and_one_thread(tmp_path):
    environment = {"LMCOURSE_DATA": "/data", "OMP_NUM_THREADS": "8", "HOME": "/home/x"}
    seal(environment, tmp_path)
    assert "LMCOURSE_DATA" not in environment
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["HOME"] == "/home/x"


def test_the_cache_changes_with_the_package_and_not_with_a_test(tmp_path):
    (tmp_path / "lmcourse").mkdir()
    (tmp_path / "tests").mkdir()
    module = tmp_path / "lmcourse/attention.py"
    module.write_text("a = 1\n")
    before = inputs_digest(tmp_path)
    (tmp_path / "tests/test_attention.py").write_text("b = 1\n")
    assert inputs_digest(tmp_path) == before
    module.write_text("a = 2\n")
    assert inputs_digest(tmp_path) != before


# ---------------------------------------------------------------- the HTML of a site

GOOD = """<!DOCTYPE html><html lang="en"><head><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main>
<article><h1 id="top">A page</h1><p>Words. <a href="other.html#here">Another page</a></p>
{body}</article></main></body></html>"""


def write_site(folder, **bodies):
    pages = {"index": "", "other": '<p id="here">Here.</p>', **bodies}
    for name, body in pages.items():
        (folder / f"{name}.html").write_text(GOOD.format(title=name, body=body), encoding="utf-8")
    return folder


def test_a_good_site_has_no_problem_in_its_html(tmp_path):
    body = """<img src="a.png" alt="a curve that falls"><svg aria-hidden="true"></svg>
    <svg role="img" aria-label="a matrix"><rect/></svg><a href="#top">up</a>
    <a href="https://arxiv.org/abs/1706.03762">a paper</a><a href="mailto:a@b.org">mail</a>"""
    site = write_site(tmp_path, good=body)
    (site / "a.png").touch()
    assert set(check_html(site)) == {"good.html", "index.html", "other.html"}
    assert not any(check_html(site).values())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('<img src="other.html">', "must have an alt text"),
        ('<img src="other.html" alt="">', "must have an alt text"),
        ('<img src="other.html" alt="other.html">', "must have an alt text"),
        ('<svg viewBox="0 0 1 1"><rect/></svg>', "an svg must have"),
        ('<p id="top">', "an id must be unique"),
        ('<a href="gone.html">x</a>', "lead to a file"),
        ('<a href="other.html#gone">x</a>', "other.html has no such id"),
        ('<a href="#gone">x</a>', "bad.html has no such id"),
        ('<a href="https://arxiv/abs">x</a>', "must name a host"),
        ('<a href="https://arxiv.org/a b">x</a>', "no space"),
        ('<a href="htps://arxiv.org/">x</a>', "begin with one of"),
    ],
)
def test_what_is_wrong_in_html_is_found(tmp_path, body, words):
    found = check_html(write_site(tmp_path, bad=body))
    assert len(found["bad.html"]) == 1
    assert words in found["bad.html"][0]
    assert not found["index.html"]


def test_a_missing_browser_and_a_missing_site_say_what_to_do(tmp_path, monkeypatch):
    command = [sys.executable, "tools/site_check.py", str(write_site(tmp_path))]
    environment = {**os.environ, "CHROMIUM": str(tmp_path / "none")}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "apt-get install chromium" in ran.stderr
    assert "Traceback" not in ran.stderr
    command[-1] = str(tmp_path / "empty")
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "run make book" in ran.stderr


BAD_PAGES = {
    "foreign": ('<script src="https://cdn.example.org/a.js"></script>', "from another host"),
    "console": ('<script>console.error("odd")</script>', "console must be empty, got odd"),
    "throws": ("<script>undefined.x</script>", "scripts must not fail"),
    "gone": ('<img src="gone.png" alt="a picture">', "got 404"),
    "wide": ('<div style="width: 1500px">wide</div>', "wider than the screen"),
    "formula": ('<span class="math">\\(x\\)</span>', "1 formulas must be rendered, got 0"),
    "pale": ('<p style="color: #bbb; background: #fff">pale</p>', "axe color-contrast"),
    "nameless": ("<button></button>", "axe button-name"),
    "cut": ('<p style="width: 9em; overflow: hidden"><b>' + "x" * 99 + "</b></p>", "be cut off"),
    "scrolls": (
        '<p style="width: 9em; overflow: auto" tabindex="0"><b>' + "x" * 99 + "</b></p>",
        "must fade where it goes on",
    ),
    "big drawing": (
        """<figure style="width: 90px"><svg role="img" aria-label="a" width="99" height="9"></svg>
        </figure>""",
        "must fit its figure",
    ),
    "big words": (
        """<svg role="img" aria-label="a" width="50" height="20"><text x="30" y="15">words</text>
        </svg>""",
        "words of a drawing must lie inside",
    ),
    "pipes": ("<p>| a | b |<br>| --- | --- |<br>| 1 | 2 |</p>", "printed as pipes"),
    "long": ('<div class="cell_output"><pre>' + "1\n" * 41 + "</pre></div>", "got 41"),
    "bullet": (
        '<div style="border-left: 3px solid"><ul style="padding: 0 0 0 9px"><li>a</li></ul></div>',
        "on a border",
    ),
    "number": (
        '<div style="border-left: 3px solid"><ol style="padding: 0 0 0 9px"><li>a</li></ol></div>',
        "on a border",
    ),
    "button": (
        """<div style="position: relative; width: 9em"><p class="admonition-title">A title that is
        long<button style="position: absolute; right: 0">Show</button></p></div>""",
        "must end before its button",
    ),
    "pale code": (
        """<style>.b {color: #bbb}</style><div class="c"><pre><span class="a">one</span> <span
        class="a">two</span> <span class="a"><span class="b">pale</span></span></pre></div>""",
        "axe color-contrast",
    ),
    "pale signature": (
        """<style>em .b {color: #bbb}</style><dl class="py"><dt class="sig"><span
        class="b">one</span> <span class="b">two</span>
        <em><span class="b">pale</span></em></dt><dd>says</dd></dl>""",
        "axe color-contrast",
    ),
}


def test_a_measured_number_below_zero_has_a_minus():
    page = 'from <span class="pasted-text">-2.9</span> to <span class="pasted-text">1.2</span>, a-1'
    assert repaired(page) == page.replace(">-2.9", ">−2.9")


def test_the_index_of_the_search_loads_on_the_page_of_the_search_alone(tmp_path):
    page = '<script src="_static/searchtools.js"></script>\n<script src="searchindex.js"></script>'
    for name in ("a", "search"):
        (tmp_path / f"{name}.html").write_text(f"<p>{page}<p>", "utf-8")
    clean_pages(SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=tmp_path), None)
    assert (tmp_path / "a.html").read_text("utf-8") == "<p><p>"
    assert (tmp_path / "search.html").read_text("utf-8") == f"<p>{page}<p>"


def test_a_page_is_weighed_with_all_that_it_loads_as_it_is_sent(tmp_path):
    (tmp_path / "a.html").write_text("<p>", "utf-8")
    (tmp_path / "light.js").write_text("// again\n" * 300_000, "utf-8")
    (tmp_path / "font.woff").write_bytes(bytes(590_000))  # sent as it is
    site, loaded = "http://127.0.0.1:1/", ["a.html", "light.js?v=1", "font.woff#x", "gone.js"]
    assert site_check.weigh(tmp_path, site, [site + name for name in loaded]) == []
    (tmp_path / "more.png").write_bytes(bytes(20_000))
    (said,) = site_check.weigh(tmp_path, site, [site + name for name in [*loaded, "more.png"]])
    assert said.startswith("a page must weigh at most 600 kB, got 6")
    assert "font.woff 590, more.png 20" in said


# What one page leaves in its tab, its fonts for example, must not count for the next.
LEAVES_A_MARK = '<script>sessionStorage.seen = "marked"</script>'
FINDS_A_MARK = '<script>if (sessionStorage.seen) console.error("of another page")</script>'
GOOD_PAGES = ("index", "other", "boxes", "marked", "unmarked")


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    bodies = {name: body for name, (body, _) in BAD_PAGES.items()}
    bodies |= {"boxes": GOOD_BOXES, "marked": LEAVES_A_MARK, "unmarked": FINDS_A_MARK}
    site = write_site(tmp_path_factory.mktemp("site"), **bodies)
    names = [f"{name}.html" for name in (*GOOD_PAGES, *BAD_PAGES)]
    return site_check.visit_all(site, names)


@pytest.mark.slow
def test_the_browser_finds_nothing_wrong_with_a_good_page(visits):
    pages = [f"{name}.html" for name in GOOD_PAGES]
    good = [visit for visit in visits if visit.page in pages]
    assert len(good) == len(pages) * len(site_check.MODES)
    assert [visit.problems for visit in good] == [[]] * len(good)


GOOD_BOXES = """<div style="border-left: 3px solid"><ul style="padding-left: 24px"><li>a</li></ul>
</div><p style="width: 9em; overflow: auto" data-more="right" tabindex="0"><b>xxxxxxxxxxxxxxxxxxxxx
</b></p><p>The set {x | x > 0} and a | b | c in words</p><pre>| a | b |\n| --- | --- |</pre><figure>
<svg role="img" aria-label="a" viewBox="0 0 90 20" style="max-width: 100%"><text x="9"
y="15">a</text></svg></figure><details><summary>More</summary><div
style="overflow: hidden; width: 9em"><b>
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</b></div></details>"""


def test_axe_judges_each_theme_at_one_width_and_both_ends_in_one_theme():
    judged = [mode for mode in site_check.MODES if mode.axe]
    assert {mode.scheme for mode in judged} == {mode.scheme for mode in site_check.MODES}
    widths = {mode.width for mode in site_check.MODES}
    assert {mode.width for mode in judged} == {min(widths), max(widths)}
    looks = {(mode.width, mode.scheme) for mode in site_check.MODES}
    assert {(width, scheme) for width, _ in looks if width != 768 for _, scheme in looks} <= looks
    assert 768 in widths


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD_PAGES)
def test_the_browser_finds_what_is_wrong(visits, name):
    mine = [visit for visit in visits if visit.page == f"{name}.html"]
    assert [visit.mode for visit in mine] == ["light", "dark", "tablet", "phone, dark", "phone"]
    words = BAD_PAGES[name][1]
    # A page is loaded once per width.
    for modes in (("light", "dark"), ("tablet",), ("phone, dark", "phone")):
        if words.startswith("axe") and modes == ("tablet",):
            continue
        problems = [problem for visit in mine if visit.mode in modes for problem in visit.problems]
        assert any(words in problem for problem in problems), modes
    if words.startswith("axe"):
        judged = {visit.mode for visit in mine if any(words in one for one in visit.problems)}
        assert judged == {mode.name for mode in site_check.MODES if mode.axe}
