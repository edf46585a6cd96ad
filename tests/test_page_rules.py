"""Every rule about pages can fail: a good page passes, with one thing wrong it does not."""

import page_rules as rules
import pytest
from book_pages import Page

HEADER = """---
jupytext:
  text_representation:
    format_name: myst
kernelspec:
  name: python3
---

"""

GOOD = (
    HEADER
    + """# Tiny

```{raw} html
:file: images/attention-idea.svg
```

:::{admonition} After this page
You can

* read,
* write.

About 20 minutes.
:::

## The problem

```{code-cell} ipython3
print(1)
```

## By hand, one word by hand

It is {glue:text}`tiny-ratio:.2f`, see section 3.2 of {footcite:t}`vaswani2017` and Python 3.11.

## The equation

$$
x = 0.5
$$

## The code

```{code-cell} ipython3
:tags: [hide-input]

# The measurement
from myst_nb import glue

# ## no heading
glue("tiny-ratio", 0.5, display=False)
for name in ("a", "b"):
    glue(f"tiny-{name}", 1, display=False)
line_plot([1], {"a": [2]}, "x", "y")
```

## Agreement with PyTorch

```{code-cell} ipython3
assert True
```

## Myth and measurement

### More is more

:::{admonition} Myth
:class: myth
Scores are additive. ([In print](#source-b).)
:::

```{code-cell} ipython3
print(2)
```

:::{admonition} Measurement
:class: measurement
{glue:text}`tiny-a`
:::

## Summary

* One.
* Two.
* Three.

## Exercises

:::{exercise}
:label: tiny-first
Why $3.5$ and `2.5 times`?
:::

:::{solution} tiny-first
:class: dropdown
So.
:::

```{figure} images/tiny.svg
:alt: A picture of something tiny
```

[Assignment](assignments/tiny.zip)

## Where the articles say this

**Mirrors:** [B §3.1](#source-b), [D](#source-d)

## References

```{footbibliography}
```
"""
)
MYTH = {"id": "M09", "file": "001_ccd53d408589323c.txt", "word": "additive"}
BANDS = {("tiny", "tiny-ratio"), ("tiny", "tiny-a")}

RULES = {
    "header": rules.header_is_whole,
    "mirrors": lambda page: rules.mirrors_line(page, {"B": {"3.1"}, "D": set()}),
    "shape": rules.chapter_shape,
    "drawing": rules.opens_with_a_drawing,
    "files": rules.names_no_file,
    "letters": rules.articles_are_linked,
    "answers": rules.exercises_have_answers,
    "myths": lambda page: rules.myth_boxes(page, [MYTH]),
    "pictures": rules.pictures_have_words,
    "lines": rules.code_lines_fit,
    "folds": rules.folds_say_what_is_inside,
    "length": rules.is_not_too_long,
    "names": rules.shown_code_has_its_names,
    "numbers": rules.no_typed_numbers,
    "glue": lambda page: rules.glue_resolves(page, BANDS),
    "citations": lambda page: rules.citations_resolve(page, {"vaswani2017"}),
    "machine": rules.speaks_for_everyone,
    "word": rules.right_word_for_rnn,
}

HIDDEN = "```{code-cell} ipython3\n:tags: [remove-cell]\n\n"
BROKEN = [
    ("header", "    format_name: myst", "    format_name: percent"),
    ("header", "  name: python3", "  language: python"),
    ("mirrors", "**Mirrors:**", "Mirrors:"),
    ("length", "## The problem\n", "## The problem\n\n" + "word " * rules.MOST_WORDS + "\n"),
    ("mirrors", "**Mirrors:** [B §3.1](#source-b)", "**Mirrors:** [B §3.1](#source-c)"),
    ("mirrors", "## Where the articles say this", "## Elsewhere"),
    ("mirrors", "# Tiny", "# Tiny\n\n**Mirrors:** [B](#source-b)"),
    ("mirrors", "§3.1](", "§3.9]("),
    ("shape", "About 20 minutes.", ""),
    ("shape", "* read,\n* write.", "read and write"),
    ("shape", "print(1)\n```", "print(1)\n```\n\n## One word by hand\n\n## The equation too"),
    ("shape", "```{code-cell} ipython3\nprint(1)\n```", "No cell."),
    ("shape", "## By hand, one word by hand", "## One word"),
    ("shape", "$$\nx = 0.5\n$$", "x is a half"),
    ("shape", "## The code", "## The rest"),
    ("shape", "assert True", "print(True)"),
    ("shape", "line_plot(", "lineplot("),
    ("shape", "* Three.", ""),
    ("shape", "## Exercises", "## Questions"),
    ("shape", "assignments/tiny.zip", "assignments/other.zip"),
    ("shape", "```{footbibliography}\n```", ""),
    (
        "shape",
        "## Agreement with PyTorch",
        "## Summary\n\n* 1\n* 2\n* 3\n\n## Agreement with PyTorch",
    ),
    ("shape", "## Summary", "## Where the articles say this\n\n## Summary"),
    ("drawing", ":file: images/attention-idea.svg", "words"),
    ("drawing", "```{raw} html", "```{code-cell} ipython3\nprint(0)\n```\n\n```{raw} html"),
    ("files", "* One.", "* See `001_ccd53d408589323c.txt`."),
    ("letters", "* One.", "* As article B says."),
    ("answers", ":class: dropdown\nSo", "So"),
    ("answers", "{solution} tiny-first", "{solution} tiny-second"),
    ("myths", "[In print](#source-b)", "[In print](#source-c)"),
    ("myths", "[In print](#source-b)", "In print: [B](#source-b)"),
    ("myths", "[In print](#source-b)", "[B §2.1](#source-b)"),
    ("myths", "additive", "adding"),
    ("myths", ":class: measurement", ":class: tip"),
    ("myths", "```{code-cell} ipython3\nprint(2)\n```", ""),
    ("myths", "{glue:text}`tiny-a`", "one"),
    ("pictures", ":alt: A picture of something tiny", ""),
    ("pictures", "[Assignment](", "![](images/a.png) [Assignment]("),
    ("pictures", "print(1)", "import matplotlib.pyplot as plt"),
    ("pictures", "* One.", "```{raw} html\n<svg viewBox='0 0 1 1'></svg>\n```"),
    ("lines", "print(1)", "print(" + "1 + " * 20 + "1)"),
    ("folds", "# The measurement\n", ""),
    ("folds", "# The measurement", "# x"),
    *[
        ("names", "```{code-cell} ipython3\nprint(1)\n```", f"{HIDDEN}{bound}\n```\n\n{shown}")
        for bound, shown in (
            ("x = 1", "```{code-cell} ipython3\nprint(x)\n```"),
            ("def f():\n    pass", "```{code-cell} ipython3\n:tags: [hide-input]\n\nf()\n```"),
            ("import math as m", "```{code-cell} ipython3\nm.pi\n```"),
            ("x = 1", "```{code-cell} ipython3\ndef f(x):\n    pass\n\n\nprint(x)\n```"),
            ("", "```{code-cell} ipython3\nfrom math import *\n```"),
        )
    ],
    ("numbers", "It is", "It is 0.53,"),
    ("numbers", "It is", "It is 12 %,"),
    ("numbers", "It is", "It is 12 percent,"),
    ("numbers", "It is", "It is 12 times,"),
    ("numbers", "It is", "It is 8×,"),
    ("numbers", "It is", "It is ten times faster,"),
    ("numbers", "It is", "It is 3e-8,"),
    ("numbers", "It is", "It took 36 ms,"),
    ("numbers", "So.", "So, 0.4."),
    ("numbers", "* One.", "* 3.4 is one."),
    ("glue", "`tiny-ratio:.2f`", "`tiny-rate:.2f`"),
    ("glue", "`tiny-a`", "`tiny-b`"),
    ("glue", "`tiny-a`", "`small-a`"),
    ("citations", "`vaswani2017`", "`vaswani2018`"),
    ("citations", "```{footbibliography}\n```", ""),
    ("machine", "* One.", "* See `/home/me/x`."),
    ("machine", "* One.", "* `pip install --index-url https://here`"),
    ("word", "* One.", "* 递归神经网络"),
]


@pytest.mark.parametrize("rule", RULES)
def test_a_good_page_passes(rule):
    assert RULES[rule](Page("tiny", GOOD)) == []


@pytest.mark.parametrize(("rule", "old", "new"), BROKEN)
def test_a_bad_page_is_found(rule, old, new):
    assert GOOD.count(old) >= 1
    assert RULES[rule](Page("tiny", GOOD.replace(old, new, 1))) != []


def test_what_a_shown_cell_binds_first_may_be_used_by_all():
    shown = "```{code-cell} ipython3\nx = 1\n```\n\n"
    hidden = f"{HIDDEN}x = 2\nassert x\n```\n\n"
    used = "```{code-cell} ipython3\nprint(x)\n```\n"
    assert rules.shown_code_has_its_names(Page("tiny", shown + hidden + used)) == []
    assert rules.shown_code_has_its_names(Page("tiny", hidden + shown + used)) == []
    assert len(rules.shown_code_has_its_names(Page("tiny", hidden + used))) == 1


def test_what_is_folded_is_not_counted(monkeypatch):
    many = "word " * (rules.MOST_WORDS + 1) + "\n"
    fold = "````{dropdown} More\n" + many + "````\n"
    answer = "````{solution-start} tiny-ex\n````\n" + many + "````{solution-end}\n````\n"
    assert rules.is_not_too_long(Page("tiny", fold + answer)) == []
    assert len(rules.is_not_too_long(Page("tiny", fold + answer + many))) == 1
    monkeypatch.setitem(rules.LONGER, "tiny", "a reason")
    assert rules.is_not_too_long(Page("tiny", fold + answer + many)) == []
    assert len(rules.is_not_too_long(Page("tiny", fold))) == 1


def test_a_comment_in_a_cell_is_no_heading_and_a_nested_fence_is_closed():
    page = Page(
        "tiny", "## One\n\n````{grid} 2\n```{grid-item}\n1.5\n```\n````\n```\n## two\n```\n"
    )
    assert list(page.sections) == ["", "One"]
    assert [block.kind for block in page.blocks] == ["grid-item", "grid", ""]
    assert rules.no_typed_numbers(page) != []
