"""Text of others, made harmless."""

from lmcourse.grading import safe_text as texts


def test_terminal_codes_and_controls_are_removed():
    text = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x00\x08 \u202egnp \ud800"
    assert texts.plain(text) == "red   gnp \\ud800"
    assert texts.plain("x" * 3000) == "x" * 2000 + " …"


def test_lines_end_where_python_ends_them():
    assert texts.lines_of("a\n\x0cb\u2028c\x85\n\n") == ["a", "\x0cb\u2028c\x85", ""]
    assert texts.lines_of("") == []
    assert texts.lines_of("a") == ["a"]


def test_the_gist_is_the_first_lines():
    assert texts.gist("a\n\nb\nc\nd\ne") == "a\nb\nc\nd\n…"
    assert texts.gist("a") == "a"
