"""From a run to an outcome, and from an exception to words."""

import pytest

from lmcourse.grading import messages
from lmcourse.grading.limits import Limits
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED, decide
from lmcourse.grading.session import Ran

SOURCE = "assert a\n### BEGIN HIDDEN TESTS\nassert b\n### END HIDDEN TESTS"


def failed_at(line: int) -> Ran:
    trace = [f"Cell In[3], line {line}\n---> assert", "AssertionError: no"]
    return Ran(status="error", name="AssertionError", message="no", trace=trace)


@pytest.mark.parametrize(
    ("ran", "verdict", "hidden"),
    [
        (Ran(status="ok"), PASSED, False),
        (failed_at(1), FAILED, False),
        (failed_at(3), FAILED, True),
        (Ran(status="timeout"), FAILED, False),
        (Ran(status="died"), FAILED, False),
        (Ran(status="unrun", message="no Python"), UNGRADED, False),
    ],
)
def test_the_three_outcomes(ran, verdict, hidden):
    outcome = decide(ran, SOURCE, Limits())
    assert (outcome.verdict, outcome.hidden) == (verdict, hidden)
    assert bool(outcome.message) == (verdict != PASSED)


@pytest.mark.parametrize("ran", [Ran(status="ok"), failed_at(1)])
def test_doubt_leaves_it_to_a_person_and_tells_what_the_run_said(ran):
    outcome = decide(ran, SOURCE, Limits(), doubt="it is there 2 times")
    assert outcome.verdict == UNGRADED
    assert "2 times; run once, it" in outcome.message


@pytest.mark.parametrize(
    ("name", "message", "words"),
    [
        ("AssertionError", "did you divide?", "did you divide?"),
        ("AssertionError", "", "A check failed"),
        ("NotImplementedError", "", "Not written yet"),
        ("NameError", "name 'f' is not defined", "the cell that defines it"),
        ("SyntaxError", "'(' was never closed (12.py, line 3)", "in line 3: '(' was never closed."),
        ("ValueError", "", "ValueError"),
    ],
)
def test_an_exception_in_words(name, message, words):
    assert words in messages.explain(name, message)


def test_the_function_in_which_it_happened_is_named():
    trace = ["Cell In[9], line 2\n", "Cell In[4], line 7, in attention(q, k)\n", "RuntimeError"]
    assert "in attention, line 7" in messages.explain("RuntimeError", "shapes", trace)
    assert "in attention, line 7" in messages.timeout(20.0, trace)
    assert "(in" not in messages.explain("RuntimeError", "shapes", trace[:1])


def test_terminal_codes_and_controls_are_removed():
    text = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x00\x08 \u202egnp \ud800"
    assert messages.plain(text) == "red   gnp \\ud800"
    assert messages.plain("x" * 3000) == "x" * 2000 + " …"


def test_the_gist_is_the_first_lines():
    assert messages.gist("a\n\nb\nc\nd\ne") == "a\nb\nc\nd\n…"
    assert messages.gist("a") == "a"
