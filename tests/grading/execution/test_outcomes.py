"""From a run to an outcome, and from an exception to words."""

import pytest

from lmcourse.grading.execution import explanations
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.execution.outcomes import FAILED, PASSED, UNGRADED, decide
from lmcourse.grading.sandbox.budgets import Limits

SOURCE = "assert a\n### BEGIN HIDDEN TESTS\nassert b\n### END HIDDEN TESTS"


def failed_at(line: int) -> CellResult:
    trace = [f"Cell In[3], line {line}\n---> assert", "AssertionError: no"]
    return CellResult(status="error", name="AssertionError", message="no", trace=trace)


@pytest.mark.parametrize(
    ("ran", "verdict", "hidden"),
    [
        (CellResult(status="ok"), PASSED, False),
        (failed_at(1), FAILED, False),
        (failed_at(3), FAILED, True),
        (CellResult(status="timeout"), FAILED, False),
        (CellResult(status="died"), FAILED, False),
        (CellResult(status="unrun", message="no Python"), UNGRADED, False),
    ],
)
def test_the_three_outcomes(ran, verdict, hidden):
    outcome = decide(ran, SOURCE, Limits())
    assert (outcome.verdict, outcome.hidden) == (verdict, hidden)
    assert bool(outcome.message) == (verdict != PASSED)


@pytest.mark.parametrize("ran", [CellResult(status="ok"), failed_at(1)])
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
    assert explanations.judged("NotImplementedError", "", places[0]).startswith("Not written yet")
    assert "calls `g`" in explanations.judged("NotImplementedError", "", "".join(places))


def test_none_where_an_answer_should_be_reminds_of_return():
    said = explanations.explain("AttributeError", "'NoneType' object has no attribute 'shape'")
    assert said.endswith("Is a `return` missing?")
    assert "return" not in explanations.explain(
        "AttributeError", "'Tensor' object has no attribute 'x'"
    )


def test_the_judge_quotes_the_line_too():
    place = '  File "<ipython-input-3-a>", line 4, in f\n'
    trace = f"Traceback:\n{place}    return x + 'a'\n           ^\n"
    said = explanations.judged("TypeError", "no", trace)
    assert said == "TypeError: no\n(in f, line 4 of its cell: `return x + 'a'`)"
    trace = f'{place}  File "/lib/a.py", line 1, in g\n    b\n'
    assert (
        explanations.judged("TypeError", "no", trace) == "TypeError: no\n(in f, line 4 of its cell)"
    )
