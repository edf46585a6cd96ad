"""From an exception, or the end of a process, to words that help."""

import pytest

from lmcourse.grading.execution import explanations
from lmcourse.grading.execution.explanations import explained
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED, TestOutcome

SOURCE = "assert a\n### BEGIN HIDDEN TESTS\nassert b\n### END HIDDEN TESTS"


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
    assert words in explanations.explain(name, message)


def test_the_function_in_which_it_happened_is_named():
    trace = ["Cell In[9], line 2\n", "Cell In[4], line 7, in attention(q, k)\n", "RuntimeError"]
    assert "in attention, line 7" in explanations.explain("RuntimeError", "shapes", trace)
    assert "in attention, line 7" in explanations.timeout(20.0, trace)
    assert "(in" not in explanations.explain("RuntimeError", "shapes", trace[:1])


def test_the_learners_line_is_quoted_where_the_trace_shows_it():
    trace = [
        "Cell In[9], line 2\n      1 import torch\n----> 2 f(x)\n",
        "Cell In[4], line 7, in f(x)\n      6 y = x\n----> 7 return   y @ z\n",
        "File /lib/torch/x.py:9, in g(a)\n      8 b\n----> 9 c\n",
    ]
    said = explanations.explain("RuntimeError", "shapes", trace)
    assert said == "RuntimeError: shapes\n(in f, line 7 of its cell: `return   y @ z`)"
    bare = ["Cell In[9], line 2", "Cell In[4], line 7, in f"]
    said = explanations.explain("RuntimeError", "shapes", bare)
    assert said == "RuntimeError: shapes\n(in f, line 7 of its cell)"


def test_the_line_in_a_generator_is_that_of_its_function():
    trace = [
        "Cell In[9], line 2\n----> 2 f(x)\n",
        "Cell In[4], line 7, in f(x)\n----> 7 return tuple(a.b for a in x)\n",
        "Cell In[4], line 7, in f.<locals>.<genexpr>(.0)\n----> 7 def f(x):\n",
    ]
    said = explanations.explain("AttributeError", "no b", trace)
    assert (
        said == "AttributeError: no b\n(in f, line 7 of its cell: `return tuple(a.b for a in x)`)"
    )


def test_an_answer_that_calls_what_is_not_written_is_told_apart_from_one_that_is_not():
    helper = "Cell In[9], line 1, in helper(x)\n"  # of the test
    trace = ["Cell In[9], line 2\n", helper, "Cell In[4], line 3, in f(x)\n"]
    assert explanations.explain("NotImplementedError", "", trace).startswith("Not written yet")
    trace.append("Cell In[2], line 5, in Other.forward(x)\n")
    said = "This answer calls `Other`, whose own cell still raises NotImplementedError."
    assert explanations.explain("NotImplementedError", "", trace) == said
    places = [
        f'  File "<ipython-input-{n}>", line 4, in {name}\n' for n, name in ((3, "f"), (2, "g"))
    ]
    assert told("NotImplementedError", "", places[0]).startswith("Not written yet")
    assert "calls `g`" in told("NotImplementedError", "", "".join(places))


def test_none_where_an_answer_should_be_reminds_of_return():
    said = explanations.explain("AttributeError", "'NoneType' object has no attribute 'shape'")
    assert said.endswith("Is a `return` missing?")
    assert "return" not in explanations.explain(
        "AttributeError", "'Tensor' object has no attribute 'x'"
    )


def test_the_judge_quotes_the_line_too():
    place = '  File "<ipython-input-3-a>", line 4, in f\n'
    trace = f"Traceback:\n{place}    return x + 'a'\n           ^\n"
    said = told("TypeError", "no", trace)
    assert said == "TypeError: no\n(in f, line 4 of its cell: `return x + 'a'`)"
    trace = f'{place}  File "/lib/a.py", line 1, in g\n    b\n'
    assert told("TypeError", "no", trace) == "TypeError: no\n(in f, line 4 of its cell)"


def told(kind, said, trace=""):
    """What a learner reads of a test that the judge ended so."""
    return explained(TestOutcome(verdict=FAILED, kind=kind, said=said, trace=trace), SOURCE).message


def test_what_the_judge_found_gets_its_words_and_is_hidden_where_the_test_is():
    passed = explained(TestOutcome(verdict=PASSED, fraction=0.5, seed="ff"), SOURCE)
    assert passed == TestOutcome(verdict=PASSED, fraction=0.5, seed="ff")
    for line, hidden in ((1, False), (3, True), (None, False)):
        raw = TestOutcome(verdict=FAILED, kind="AssertionError", said="no", line=line)
        outcome = explained(raw, SOURCE)
        assert (outcome.verdict, outcome.hidden, outcome.message) == (FAILED, hidden, "no")
    raw = TestOutcome(verdict=UNGRADED, kind="judge", said="the judge stopped")
    assert explained(raw, SOURCE).message == "The judge stopped"


@pytest.mark.parametrize(
    ("kind", "said", "words"),
    [
        ("NameError", "`f` is not defined: its cell is missing", "`f` is not defined: its cell"),
        ("Gone", "your code did not answer", "Your code did not answer"),
        ("ValueError", "shapes", "ValueError: shapes\n(in f, line 3 of its cell)"),
        ("NotImplementedError", "", "Not written yet"),
    ],
)
def test_what_a_judge_says_in_a_learner_s_words(kind, said, words):
    trace = 'Traceback\n  File "<ipython-input-4-ab12>", line 3, in f\nValueError: shapes\n'
    assert told(kind, said, trace).startswith(words)


@pytest.mark.parametrize("caught", ["got NotImplementedError: .", "got NotImplementedError: "])
def test_a_test_that_caught_a_stub_says_that_nothing_is_written(caught):
    said = f"merge_heads must work for one head, {caught}"
    assert explanations.explain("AssertionError", said).startswith("Not written yet")
    assert told("AssertionError", said).startswith("Not written yet")


def test_an_answer_that_refuses_on_purpose_is_quoted():
    said = "f must work for -1, got NotImplementedError: only for positive numbers."
    assert explanations.explain("AssertionError", said) == said
    wanted = "f must raise NotImplementedError."
    assert explanations.explain("AssertionError", wanted) == wanted
