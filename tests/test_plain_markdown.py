"""tools/plain_markdown.py: the book's Markdown, as a notebook shows it without the book."""

import base64
import re
from pathlib import Path

import jupytext
import pytest
from page_runs import pages
from plain_markdown import (
    Plain,
    calm_asserts,
    drawing_style,
    python_object,
    read_references,
)

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
REFERENCES = read_references(BOOK / "references.bib")
# What only the book understands: roles, directives, labels, classes of text and of formulas.
OF_THE_BOOK = re.compile(
    r"^.*(?:\{[\w:-]+\}`|^:::|^```\{|\]\{\.lm-|^\([\w-]+\)=$|\\class\{).*$", re.M
)


class AnyNumber(dict):
    """A page that was not run has glued whatever it is asked for."""

    def __contains__(self, name):
        return True

    def __missing__(self, name):
        return "0.5"


def plain(folder=BOOK, **numbers):
    return Plain(folder=folder, numbers=numbers, references=REFERENCES, style="text{fill:red}")


def text_of(source, **numbers):
    return plain(**numbers).cell(source)[0]


@pytest.mark.parametrize("path", pages(ROOT), ids=lambda path: path.stem)
def test_nothing_that_only_the_book_understands_is_left_on_a_page(path):
    page = jupytext.read(path, fmt="md:myst")
    reader = Plain(folder=path.parent, numbers=AnyNumber(), references=REFERENCES, style="")
    texts = [reader.cell(c.source)[0] for c in page.cells if c.cell_type == "markdown"]
    outside = [re.sub(r"^```.*?^```", "", text, flags=re.M | re.S) for text in texts]
    assert [found[0] for text in outside for found in OF_THE_BOOK.finditer(text)] == []


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("(a-label)=\n## A heading", "## A heading"),
        ("(a-label)=", ""),
        ("its [query]{.lm-query} and $\\class{lm-query}{Q}$", "its query and ${Q}$"),
        ("see [there](lstm.md#lstm-gates), [here](#above)", "see [there](lstm.ipynb), here"),
        ("a {term}`token`, {term}`tokens <token>`", "a token, tokens"),
        (
            ":::{admonition} A *title*\n:class: tip\none\n\n* two\n:::",
            "> **A *title***\n>\n> one\n>\n> * two",
        ),
        (
            "::::{dropdown} More of it\n:::{tip}\ninside\n:::\n::::",
            "<details><summary>More of it</summary>\n\n> **Tip**\n>\n> inside\n\n</details>",
        ),
        ("```{exercise}\n:label: one\nDo it.\n```", "> **Exercise**\n>\n> Do it."),
        ("```{solution-start} one\n```\ntext", "**Solution**\ntext"),
        ("```python\n# {term}`token`\n```", "```python\n# {term}`token`\n```"),
    ],
)  # fmt: skip
def test_marks_of_the_book_become_plain(source, wanted):
    assert text_of(source) == wanted


def test_a_number_is_written_as_the_page_writes_it():
    assert text_of("{glue:text}`x:.1f` nats, {glue:text}`x`", x="2.345") == "2.3 nats, 2.345"
    with pytest.raises(KeyError, match="glue y"):
        text_of("{glue:text}`y`", x="1")


def test_a_citation_has_names_and_year_and_its_list_the_title():
    reader = plain()
    text = reader.cell("so {footcite:t}`vaswani2017`, or not {footcite:p}`vaswani2017`")[0]
    assert text == "so Vaswani et al. (2017), or not (Vaswani et al., 2017)"
    listed = reader.cell("```{footbibliography}\n```")[0]
    assert listed.startswith("* Vaswani et al. (2017). [Attention")


def test_a_drawing_is_a_picture_with_its_colors_title_and_caption(tmp_path):
    (tmp_path / "a.svg").write_text(
        '<figure><svg viewBox="0 0 9 9" style="max-width: 30rem; width: 100%; height: auto">'
        "<title>A cell</title></svg><figcaption>What <b>flows</b></figcaption></figure>",
        encoding="utf-8",
    )
    text, pictures = plain(tmp_path).cell("```{raw} html\n:file: a.svg\n```")
    assert text == "![A cell](attachment:drawing-1.svg)\n\nWhat flows"
    drawn = base64.b64decode(pictures["drawing-1.svg"]["image/svg+xml"]).decode()
    assert 'width="480"' in drawn
    assert "<style>text{fill:red}</style>" in drawn
    assert plain(tmp_path).cell("words")[1] == {}


def test_each_role_has_a_color_of_its_own_in_a_drawing():
    style = drawing_style((BOOK / "_static/lmcourse.css").read_text(encoding="utf-8"))
    colors = dict(re.findall(r"\.lm-(\w+)\{color:(#\w+)\}", style))
    assert set(colors) == {"query", "key", "value", "state", "gradient", "stream"}
    assert len(set(colors.values())) == 6


def test_included_code_is_there(tmp_path):
    (tmp_path / "a.py").write_text(
        "import x\n\nclass A:\n    @x\n    def f(self):\n        return 1\n\n    y = 2\n",
        encoding="utf-8",
    )
    text = plain(tmp_path).cell("```{literalinclude} a.py\n:language: python\n:pyobject: A.f\n```")[
        0
    ]
    assert text == "```python\n@x\ndef f(self):\n    return 1\n```"
    assert python_object("def f():\n    pass\nx = 1", "f") == "def f():\n    pass"


def test_calm_assertions_say_so_and_go_on(capsys):
    source = "for x in (1, 2):\n    assert (\n        x == 1\n    ), 'one'\n    y = x\nassert y"
    calm = calm_asserts(source, "otherwise")
    names = {}
    exec(calm, names)
    assert names["y"] == 2
    assert capsys.readouterr().out == "otherwise\n"
