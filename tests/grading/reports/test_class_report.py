"""What people read afterwards: feedback that runs nothing, a table, CSV and JSON."""

import csv
import dataclasses
import io
import json
import warnings
from html import escape

import pytest
from attacks import pages
from tiny_course import solution

from lmcourse.grading.assignment.notebooks import parse_cells
from lmcourse.grading.assignment.plan import stated_plan, tasks

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.gradebook.results import Class, Grade, Result
    from lmcourse.grading.reports import class_report
    from lmcourse.grading.reports.feedback import feedback

TASKS = tasks(stated_plan(parse_cells(json.dumps(solution()).encode())))
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def answer_cell(source: str) -> dict:
    own = {"grade_id": "double", "solution": True}
    error = {"output_type": "error", "ename": "ValueError", "evalue": EVIL, "traceback": []}
    return {"source": source, "metadata": {"nbgrader": own}, "outputs": [error]}


def locked_cell(source: str) -> dict:
    own = {"grade_id": "test_double", "grade": True, "locked": True}
    return {"source": source, "metadata": {"nbgrader": own}, "outputs": []}


def result(student="ada", *, why_waits=True, by_person=False, comment="", **test_double) -> Result:
    first = {"points": 2.0, "verdict": "passed", **test_double}
    return Result(
        student=student,
        grades=[
            Grade(name="test_double", of=2.0, **first),
            Grade(name="test_square", points=0.0, of=3.0, verdict="failed", message=EVIL),
            Grade(
                name="why",
                points=0.0,
                of=1.0,
                waiting=why_waits,
                by_person=by_person,
                comment=comment,
            ),
        ],
        notes=[f"the cell {EVIL} was missing"],
        cells=[answer_cell(f"def double(x): return '{EVIL}'"), locked_cell("SECRET = 7")],
    )


def graded(tmp_path, *results) -> Class:
    (tmp_path / "grades").mkdir(exist_ok=True)
    return Class(assignment="tiny", output=tmp_path, tasks=TASKS, results=list(results))


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


def test_feedback_shows_no_hidden_test():
    page = feedback("tiny", result(verdict="failed", points=0.0, message="m", hidden=True), TASKS)
    assert "A hidden test failed: 0 of 2 points" in page
    assert "SECRET" not in page


def test_after_grading_by_hand_the_person_s_points_are_shown():
    page = feedback("tiny", result(why_waits=False, by_person=True), TASKS)
    assert "Graded by a person: 0 of 1 points" in page
    assert "Comment" not in page


def test_a_person_s_comment_reaches_the_learner_as_it_was_meant():
    comment = f"**See** {EVIL}, and `list<int>`."
    page = feedback("tiny", result(why_waits=False, by_person=True, comment=comment), TASKS)
    assert "<p>Comment:</p><blockquote><p><strong>See</strong> &lt;script&gt;" in page
    assert "<code>list&lt;int&gt;</code>" in page


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


def test_what_nobody_answered_nobody_graded():
    page = feedback("tiny", result(why_waits=False), TASKS)
    assert "Not answered: 0 of 1 points" in page
    assert "Graded by a person" not in page


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (Result(student="a", problem="the file is empty"), class_report.NOT),
        (
            result(verdict="ungraded", points=0.0, waiting=True, message="twice"),
            class_report.PARTLY,
        ),
        (result(), class_report.BY_HAND),
        (result(why_waits=False), class_report.GRADED),
        (result(why_waits=False, verdict="ungraded", points=1.0), class_report.GRADED),
    ],
)
def test_the_status_of_a_row(one, status):
    assert class_report.status(one) == status
    assert one.complete == (status in (class_report.BY_HAND, class_report.GRADED))


def test_csv_has_points_per_task_and_no_formulas(tmp_path):
    bad = Result(student="=cmd()", problem="@SUM(1)")
    text = class_report.as_csv(graded(tmp_path, result(), bad))
    rows = list(csv.DictReader(io.StringIO(text)))
    first = rows[0]
    assert first["student"] == "ada"
    assert [first[task.label] for task in TASKS] == ["2", "0", ""]
    assert (first["total"], first["maximum"], first["status"]) == ("2", "6", class_report.BY_HAND)
    assert (rows[1]["student"], rows[1]["total"], rows[1]["reason"]) == ("'=cmd()", "", "'@SUM(1)")


def test_statistics_count_only_what_was_graded(tmp_path):
    waits = result("ben", verdict="ungraded", points=0.0, waiting=True)
    bad = Result(student="cleo", problem="x")
    rows = class_report.statistics(graded(tmp_path, result(), waits, bad))
    assert [(row["graded"], row["mean"], row["full"], row["none"]) for row in rows] == [
        (1, 2.0, 1, 0),
        (2, 0.0, 0, 2),
        (0, None, 0, 0),
    ]


def test_reports_are_written_whole(tmp_path):
    paths = class_report.write_reports(graded(tmp_path, result()))
    assert sorted(path.name for path in (tmp_path / "grades").iterdir()) == [
        "tiny.csv",
        "tiny.json",
    ]
    data = json.loads(paths[1].read_text("utf-8"))
    assert data["students"][0]["score"] == 2.0
    assert data["points"] == 6.0


def test_the_table_shows_names_as_text(tmp_path):
    from rich.console import Console

    out = Console(width=120, file=io.StringIO())
    out.print(
        class_report.class_table(graded(tmp_path, Result(student="[red]\x1b[2J", problem="[b]x")))
    )
    text = out.file.getvalue()
    assert "[red]" in text
    assert "\x1b" not in text
