"""What people read afterwards: feedback that runs nothing, a table, CSV and JSON."""

import csv
import dataclasses
import io
import json
import warnings

import pytest
from graded_results import TASKS, result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.gradebook.results import Class, Grade, Result
    from lmcourse.grading.reports import class_report


def graded(tmp_path, *results) -> Class:
    (tmp_path / "grades").mkdir(exist_ok=True)
    return Class(assignment="tiny", output=tmp_path, tasks=TASKS, results=list(results))


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


def test_blank_answers_alone_are_no_mean_of_a_task_that_waits(tmp_path):
    blank = result("ben", why_waits=False)
    why = class_report.statistics(graded(tmp_path, result(), blank))[2]
    assert (why["graded"], why["mean"]) == (1, None)
    read = result(why_waits=False, by_person=True)
    assert class_report.statistics(graded(tmp_path, read, blank))[2]["mean"] == 0.0


def test_tasks_that_wait_for_one_reason_have_it_said_once():
    waits = {"points": 0.0, "of": 1.0, "verdict": "ungraded", "waiting": True, "message": "why"}
    grades = [Grade(name=name, **waits) for name in ("test_double", "test_square")]
    row = Result(student="ada", grades=grades, notes=["note"])
    assert class_report.reason(row, TASKS) == "Task 1 · Double, Task 2 · Square: why; note"


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
    out = Console(width=120, file=io.StringIO())
    out.print(
        class_report.class_table(graded(tmp_path, Result(student="[red]\x1b[2J", problem="[b]x")))
    )
    text = out.file.getvalue()
    assert "[red]" in text
    assert "\x1b" not in text


ANY = st.text(
    st.characters() | st.sampled_from("\x00\x1b\n\r\udc94\ud800\u202e=+@<&\"',"), max_size=9
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY, ANY, ANY, st.booleans())
def test_reports_are_written_whatever_the_texts_of_a_row_are(tmp_path, one, two, three, broken):
    """Names, reasons and messages of any characters, also of those that UTF-8 cannot hold."""
    odd = result(f"x{one}", verdict="ungraded", waiting=True, message=two, comment=three)
    odd = dataclasses.replace(odd, notes=[two, three], problem=f"no {three}" if broken else "")
    made = graded(tmp_path, result("ada"), odd)
    paths = class_report.write_reports(made)
    data = json.loads(paths[1].read_bytes().decode("utf-8"))
    assert data["students"][0]["score"] == 2.0
    assert len(data["students"]) == 2
    table = list(csv.reader(io.StringIO(paths[0].read_bytes().decode("utf-8-sig"))))
    assert [len(row) for row in table] == [len(table[0])] * 3
    out = Console(width=400, file=io.StringIO())
    out.print(class_report.class_table(made))
    assert not {*out.file.getvalue()} & {"\x00", "\x1b", "\u202e"}


@pytest.mark.parametrize(("name", "value"), [("notes", [1]), ("grades", [None]), ("problem", 3)])
def test_a_row_that_cannot_be_told_says_so_and_costs_nobody_else_theirs(tmp_path, name, value):
    odd = result("ben")
    object.__setattr__(odd, name, value)  # as a defect of ours, or a damaged file, would have it
    made = graded(tmp_path, result("ada"), odd)
    paths = class_report.write_reports(made)
    ada, ben = json.loads(paths[1].read_text("utf-8"))["students"]
    assert (ada["score"], ben["score"]) == (2.0, None)
    assert ben["problem"].startswith("the row could not be written (")
    assert [row["graded"] for row in class_report.statistics(made)] == [1, 1, 0]
    assert class_report.class_table(made).row_count == 2


def test_the_tasks_sum_to_the_total_while_a_person_looks_again(tmp_path):
    """Points that were given by hand stay in both until then."""
    again = result(why_waits=True, by_person=True)
    grades = [*again.grades[:2], dataclasses.replace(again.grades[2], points=1.0)]
    text = class_report.as_csv(graded(tmp_path, dataclasses.replace(again, grades=grades)))
    assert list(csv.reader(io.StringIO(text)))[1][1:5] == ["2", "0", "1", "3"]
