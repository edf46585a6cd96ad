"""The page that a learner gets back: what was lost and why, and nothing that runs."""

import dataclasses
import json
import warnings
from html import escape

import pytest
from attacks import pages
from graded_results import EVIL, TASKS, answer_cell, result
from tiny_course import split_solution

from lmcourse.grading.assignment.notebooks import parse_cells
from lmcourse.grading.assignment.plan import stated_plan, tasks

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.gradebook.results import Grade
    from lmcourse.grading.reports.feedback import feedback


def test_feedback_holds_nothing_that_could_run():
    page = feedback("tiny", result(student=f"{EVIL}"), TASKS)
    assert "<script" not in page
    assert "<img" not in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert page.count("&lt;script&gt;") >= 4  # it is shown, as text


def test_feedback_says_what_was_lost_and_what_waits():
    page = feedback("tiny", result(), TASKS)
    assert "2 of 6 points</strong> so far; 1 more wait for a person" in page
    assert "Read again: <em>On Square</em>" in page
    assert "Read again: <em>On Double</em>" not in page
    assert "– of 1" in page  # not yet graded is not 0


def test_feedback_names_the_test_cells_of_a_task_that_has_several():
    split = tasks(stated_plan(parse_cells(json.dumps(split_solution()).encode())))
    graded = result()
    _, square, why = graded.grades
    square = dataclasses.replace(square, points=2.0, of=2.0, verdict="passed", message="")
    edges = Grade(name="test_square_edges", of=1.0, points=0.0, verdict="failed", message="zero")
    both = dataclasses.replace(graded, grades=[graded.grades[0], square, edges, why])
    page = feedback("tiny", both, split)
    assert "Core: All tests passed: 2 of 2 points." in page
    assert "Edges: A test failed: 0 of 1 points.</p><pre>zero</pre>" in page
    assert '<p class="passed">All tests passed: 2 of 2 points.' in page  # the only one of Task 1
    assert "<td>2 of 3</td>" in page


def test_feedback_shows_no_hidden_test():
    page = feedback("tiny", result(verdict="failed", points=0.0, message="m", hidden=True), TASKS)
    assert "A hidden test failed: 0 of 2 points" in page
    assert "SECRET" not in page


@pytest.mark.parametrize("verdict", ["passed", "failed"])
def test_feedback_says_when_the_authors_version_was_used(verdict):
    said = "Graded with the author's `f` & no other"
    page = feedback("tiny", result(verdict=verdict, message="m", carried=said), TASKS)
    assert "<p>Graded with the author&#x27;s `f` &amp; no other</p>" in page
    assert "author" not in feedback("tiny", result(verdict=verdict, message="m"), TASKS)


def test_after_grading_by_hand_the_person_s_points_are_shown():
    page = feedback("tiny", result(why_waits=False, by_person=True), TASKS)
    assert "Graded by a person: 0 of 1 points" in page
    assert "Comment" not in page


def test_a_person_s_comment_reaches_the_learner_as_it_was_meant():
    comment = f"**See** {EVIL}, and `list<int>`."
    page = feedback("tiny", result(why_waits=False, by_person=True, comment=comment), TASKS)
    assert "<p>Comment:</p><blockquote><p><strong>See</strong> &lt;script&gt;" in page
    assert "<code>list&lt;int&gt;</code>" in page


def test_a_comment_on_a_tested_answer_stands_under_it():
    commented = dataclasses.replace(result(), comments={"double": "**Shorter** so."})
    _, found, after = feedback("tiny", commented, TASKS).partition("<strong>Shorter</strong> so.")
    assert found
    assert "All tests passed" in after  # the answer's tests come below it


@pytest.mark.parametrize("verdict", ["passed", "failed", "ungraded"])
def test_points_by_hand_on_a_test_are_a_person_s(verdict):
    given = {"verdict": verdict, "points": 1.5, "message": "m & m", "by_person": True}
    page = feedback("tiny", graded_by_hand(**given), TASKS)
    assert "Graded by a person: 1.5 of 2 points." in page
    assert "in part" not in page
    assert ("A test had failed:</p><pre>m &amp; m</pre>" in page) == (verdict == "failed")
    assert ("The tests had passed." in page) == (verdict == "passed")


@pytest.mark.parametrize("verdict", ["passed", "failed", "ungraded", ""])
def test_points_of_an_earlier_notebook_are_not_counted_twice(verdict):
    given = {"verdict": verdict, "points": 2.0, "by_person": True, "waiting": True}
    page = feedback("tiny", graded_by_hand(**given), TASKS)
    said = "so far; 1 more wait for a person; at 2 of these a person looks again"
    assert f"2 of 6 points</strong> {said}" in page
    assert "who gave 2 before, which count until then: at most 2 points." in page
    assert "<td>2 of 2</td>" in page
    assert "<td>– of 1</td>" in page


def graded_by_hand(**test_double):
    """A learner whose first test a person has decided."""
    graded = result()
    first = Grade(name="test_double", of=2.0, **test_double)
    return dataclasses.replace(graded, grades=[first, *graded.grades[1:]])


def test_a_written_answer_is_shown_with_its_markdown():
    own = {"grade_id": "why", "solution": True, "grade": True}
    source = f"# So\n\n*Because* $a<b$. {EVIL}"
    cell = {"cell_type": "markdown", "source": source, "metadata": {"nbgrader": own}}
    page = feedback("tiny", dataclasses.replace(result(), cells=[cell]), TASKS)
    assert "<blockquote><h1>So</h1>\n<p><em>Because</em> $a&lt;b$." in page
    assert "onerror=" not in page.replace(escape(EVIL), "")
    assert "<script" not in page


def test_what_an_answer_printed_and_drew_is_shown():
    cell = answer_cell("print(1)")
    cell["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": f"\x1b[1mone {EVIL}"},
        {"output_type": "display_data", "data": {"image/png": pages.PNG}, "metadata": {}},
        {"output_type": "display_data", "data": {"text/html": EVIL}, "metadata": {}},
    ]
    page = feedback("tiny", dataclasses.replace(result(), cells=[cell]), TASKS)
    assert "<p>When it ran:</p><pre>one &lt;script&gt;" in page
    assert f'src="data:image/png;base64,{pages.PNG}"' in page
    assert "[an output that is not shown here: text/html]" in page
    assert "<script" not in page


def test_what_an_answer_showed_is_bounded_as_on_the_screen():
    drawn = {"image/png": pages.png(16_000, 16_000), "text/plain": "<Figure>"}
    cell = answer_cell("print(1)")
    cell["outputs"] = [
        {"output_type": "display_data", "data": drawn, "metadata": {}},
        *[{"output_type": "stream", "name": "stdout", "text": "x"}] * 500,
        {"output_type": "error", "ename": "E", "evalue": "y" * 50_000, "traceback": ["z"]},
    ]
    page = feedback("tiny", dataclasses.replace(result(), cells=[cell]), TASKS)
    assert "<img" not in page
    assert "[a picture of 256,000,000 pixels is not shown here" in page
    assert page.count("<pre>x</pre>") < 100
    assert "[402 more outputs are not shown here]" in page
    cell["outputs"] = cell["outputs"][-1:]
    page = feedback("tiny", dataclasses.replace(result(), cells=[cell]), TASKS)
    assert 0 < page.count("y") < 10_100
    assert "z" not in page.partition("When it ran:")[2].partition("</pre>")[0]


@pytest.mark.parametrize("name", pages.DEEP_FORMULAS)
def test_a_written_answer_is_bounded_as_on_the_screen(name):
    own = {"grade_id": "why", "solution": True, "grade": True}
    source = pages.DEEP_FORMULAS[name]
    cell = {"cell_type": "markdown", "source": source, "metadata": {"nbgrader": own}}
    page = feedback("tiny", dataclasses.replace(result(), cells=[cell]), TASKS)
    assert f"<blockquote><pre>{escape(source)}</pre></blockquote>" in page


def test_what_nobody_answered_nobody_graded():
    page = feedback("tiny", result(why_waits=False), TASKS)
    assert "Not answered: 0 of 1 points" in page
    assert "Graded by a person" not in page
