"""Markdown of learners, made to show and do nothing else; notebooks rebuilt from what is needed."""

import pytest
from attacks import pages
from bs4 import BeautifulSoup

from lmcourse.grading.reports.sanitize import clean, is_picture, markdown


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


def test_cleaning_twice_changes_nothing():
    for source in pages.MARKDOWN.values():
        once = markdown(source)
        assert BeautifulSoup(clean(once), "html.parser") == BeautifulSoup(once, "html.parser")


def test_markdown_that_its_reader_cannot_bear_is_shown_as_text():
    for source in ("\\begin{a}" * 20_000, "[" * 100_000, "<b>" * 50_000):
        assert markdown(source).startswith("<pre>")


def test_a_picture_is_what_begins_as_one():
    assert is_picture(pages.PNG, "image/png")
    assert not is_picture(pages.PNG, "image/jpeg")
    assert not is_picture(pages.PNG, "image/svg+xml")
    assert not is_picture(pages.PNG + '"', "image/png")
    assert not is_picture("", "image/png")
