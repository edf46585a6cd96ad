"""Markdown of learners, made to show and do nothing else; notebooks rebuilt from what is needed."""

from html import escape

import pytest
from attacks import pages
from bs4 import BeautifulSoup

from lmcourse.grading.reports.page_limits import HIGHLIGHTED, PAGE, RENDERED, Allowance
from lmcourse.grading.reports.pictures import pixels
from lmcourse.grading.reports.sanitize import clean, markdown


def test_what_markdown_is_for_stays():
    html = markdown(
        "## Why\n\nBecause **$a<b$** and `x`:\n\n| a |\n|:-:|\n| 1 |\n\n* [it](https://e.org 't')\n"
        f"\n![p](data:image/png;base64,{pages.PNG})\n\n```python\ndef f(): pass\n```\n"
    )
    for part in (
        "<h2>Why</h2>",
        "<strong>$a&lt;b$</strong>",
        "<code>x</code>",
        '<td style="text-align:center">1</td>',
        'href="https://e.org"',
        'rel="noopener noreferrer nofollow"',
        f'<img src="data:image/png;base64,{pages.PNG}" alt="p">',
        '<span class="k">def</span>',
    ):
        assert part in html


@pytest.mark.parametrize("name", pages.MARKDOWN)
def test_what_markdown_is_not_for_goes(name):
    html = markdown(pages.MARKDOWN[name]).lower()
    for word in ("<script", "<svg", "<style", "<iframe", "<form", "<input", "<math", "<meta"):
        assert word not in html
    for attribute in (" on", " id=", " name=", "srcdoc", 'href="java', 'href="data', 'href="/'):
        tags = [part.partition(">")[0] for part in html.split("<")[1:]]
        assert not any(attribute in tag for tag in tags), attribute


PASTED = {"a b.png": {"image/png": pages.PNG}, "evil": {"image/svg+xml": "PHN2Zz4="}}


@pytest.mark.parametrize(
    "source",
    [
        "![p](attachment:a%20b.png)",
        '<img src="attachment:a b.png" width="300">',
        "![p][1]\n\n[1]: attachment:a%20b.png",
    ],
)
def test_a_picture_that_was_pasted_is_shown(source):
    html = markdown(source, pictures=PASTED)
    assert f'src="data:image/png;base64,{pages.PNG}"' in html
    assert "not shown" not in html


@pytest.mark.parametrize("name", ["evil", "gone.png", "<b>"])
def test_a_picture_that_is_none_or_is_not_there_is_named(name):
    html = markdown(f'<img src="attachment:{escape(name)}">', pictures=PASTED)
    assert "src=" not in html
    why = "[not shown here, for it is missing, too large, or neither PNG nor JPEG:"
    assert f"{why} {escape(name)}]" in html


def test_nothing_but_a_picture_takes_an_attachment():
    html = markdown("[x](attachment:a%20b.png) <a href='ATTACHMENT:x'>y</a>", pictures=PASTED)
    assert "href" not in html
    assert "data:" not in html


def test_pasted_pictures_are_bounded_in_pixels_and_in_the_page_s_length():
    large = {"x": {"image/png": pages.png(16_000, 16_000)}}
    assert "src=" not in markdown("![](attachment:x)", pictures=large)
    allowance = Allowance(pasted=3 * len(pages.PNG))
    html = markdown("![](attachment:a%20b.png) " * 9, pictures=PASTED, allowance=allowance)
    assert html.count("src=") == 3
    assert html.count("not shown here") == 1


def test_cleaning_twice_changes_nothing():
    for source in pages.MARKDOWN.values():
        once = markdown(source)
        assert BeautifulSoup(clean(once), "html.parser") == BeautifulSoup(once, "html.parser")


def test_markdown_that_its_reader_cannot_bear_is_shown_as_text():
    for source in ("\\begin{a}" * 20_000, "[" * 100_000, "<b>" * 50_000):
        assert markdown(source).startswith("<pre>")


@pytest.mark.parametrize("name", pages.DEEP_FORMULAS)
def test_a_formula_that_is_too_deep_is_shown_as_it_was_typed(name):
    source = pages.DEEP_FORMULAS[name]
    html = markdown(f"Because {source}.")
    assert BeautifulSoup(html, "html.parser").pre.string == f"Because {source}."
    assert html.startswith("<pre>")  # into which MathJax does not look
    assert html.endswith("</pre>")


def test_formulas_that_a_person_writes_are_set():
    fraction = r"\frac{1}{1+\frac{1}{1+\frac{1}{1+\left(\sqrt{x^{2^{y}}}\right)}}}"
    matrix = r"\begin{pmatrix} \{1\} & {2} \\ 3 & \displaystyle 4 \end{pmatrix}"
    several = " ".join([f"$${fraction}$$ and $${matrix}$$"] * 20)
    assert "<pre>" not in markdown(several)
    code = "`" + "{" * 60 + "` and\n\n```\n" + "{" * 60 + "\n```\n"
    assert markdown(code).count("<code>") == 2  # no formula: it stays what it is


def test_a_page_sets_so_many_formulas_and_no_more():
    allowance = Allowance(formulas=100)
    assert not markdown("$" + "x" * 60 + "$", allowance=allowance).startswith("<pre>")
    assert markdown("$" + "x" * 60 + "$", allowance=allowance).startswith("<pre>")
    assert markdown("no formula", allowance=allowance).startswith("<p>")


def colored(html):
    return sum(len(part.get_text()) for part in BeautifulSoup(html, "html.parser").select("span"))


def test_fenced_code_is_colored_if_it_is_python_and_short():
    code = "x = a.b\n"
    assert colored(markdown(f"```python\n{code}```"))
    for language in ("", "c++", "perl", "sql", "console", "mermaid"):
        assert not colored(markdown(f"```{language}\n{code}```"))
    allowance = Allowance(highlighted=0)
    html = markdown(f"```python\n{code}```", allowance=allowance)
    assert (colored(html), "x = a.b" in html) == (0, True)


@pytest.mark.parametrize("name", pages.SLOW_CODE)
def test_code_in_a_text_is_colored_no_further_than_a_cell(name):
    html = markdown(f"```python\n{pages.SLOW_CODE[name][: RENDERED - 50]}\n```")
    assert colored(html) <= HIGHLIGHTED


def test_pictures_in_a_text_count_with_those_of_the_page():
    large = f"![x](data:image/png;base64,{pages.png(16_000, 16_000)})"
    assert "src" not in markdown(large)
    allowance = Allowance()
    each = f"![x](data:image/png;base64,{pages.png(5_000, 4_000)})"
    shown = [markdown(each, allowance=allowance).count(" src=") for _ in range(10)]
    assert sum(shown) == PAGE // 20_000_000
    assert pixels(pages.png(5_000, 4_000), "image/png") == 20_000_000
