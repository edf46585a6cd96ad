"""What people read afterwards: feedback that runs nothing, a table, CSV and JSON."""

import csv
import io
import json
import warnings

import pytest
from graded_results import TASKS, result

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.gradebook.results import Class, Result
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
