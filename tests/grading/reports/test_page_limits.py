"""What one page may spend: on colors, Markdown, formulas, pictures and text."""

from attacks import pages

from lmcourse.grading.reports.page_limits import (
    HIGHLIGHTED,
    LINE,
    NESTED,
    RENDERED,
    SWITCHES,
    Allowance,
    cut_middle,
    text_of,
    too_deep,
)


def test_code_is_colored_up_to_its_length_and_that_of_its_lines():
    lines = "x" * (LINE - 1) + "\n"
    assert Allowance().may_highlight(lines * (HIGHLIGHTED // LINE))
    assert not Allowance().may_highlight(lines * (HIGHLIGHTED // LINE) + "x")
    assert not Allowance().may_highlight("x" * (LINE + 1))


def test_the_worst_notebook_has_a_bounded_part_in_color():
    allowance = Allowance()
    cells = [code[: HIGHLIGHTED // 2] for code in pages.SLOW_CODE.values()] * 200
    colored = sum(len(cell) for cell in cells if allowance.may_highlight(cell))
    assert 0 < colored <= 100_000


def test_a_page_has_a_bounded_part_in_markdown():
    allowance = Allowance()
    read = sum(RENDERED for _ in range(1_000) if allowance.may_render("x" * RENDERED))
    assert 0 < read <= 100_000
    assert not Allowance().may_render("x" * (RENDERED + 1))


def test_a_plain_page_is_text_alone():
    allowance = Allowance.plain()
    assert not allowance.may_highlight("x")
    assert not allowance.may_render("x")
    assert not allowance.may_draw(1)
    assert allowance.cut("x") == "x"


def test_depth_is_counted_to_the_bound():
    for opened, closed in (("{", "}"), (r"\left(", r"\right)"), (r"\begin a", r"\end a")):
        assert not too_deep(opened * NESTED + closed * NESTED)
        assert too_deep(opened * (NESTED + 1))
        assert not too_deep((opened + closed) * 1_000)
    assert not too_deep(r"\displaystyle" * SWITCHES)
    assert too_deep(r"\displaystyle " * (SWITCHES + 1))
    assert not too_deep(r"\{" * 100 + r"\leftarrow" * 100)
    assert too_deep("}" * 100 + "{" * (NESTED + 1))  # what closes nothing buys nothing


def test_mathjax_is_given_what_is_not_code():
    html = "<p>a <code>b</code><b>c</b>&amp;</p><pre>d<code>e</code>f</pre>g<br>h"
    assert text_of(html) == "a c&g\nh"
    assert "$x$" in text_of('<a title="<pre>">$x$</a><pre></pre>')


def test_a_long_text_keeps_its_beginning_a_long_traceback_both_ends():
    assert Allowance().cut("abc", 3) == "abc"
    assert Allowance().cut("abcdef", 4) == "abcd\n[2 more characters are not shown here]"
    assert cut_middle("abc", 3) == "abc"
    assert cut_middle("abcdefghi", 6) == "ab\n[…]\nfghi"
