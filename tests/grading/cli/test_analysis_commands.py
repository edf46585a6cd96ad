"""What `late`, `export` and `items` say of whom nobody knows, and of what a person decided."""

import json

from forks import lmcourse
from late_course import late_course, rows
from tiny_course import make_course


def test_a_table_of_times_judges_only_those_who_handed_in(tmp_path):
    root = late_course(tmp_path)
    (root / "in/ada").mkdir(parents=True)
    (root / "in/ada/tiny.ipynb").write_text('{"cells": []}')
    table = "student,time\nada,2026-03-02 00:20Z\nAda,2026-03-09 00:10Z\n"
    (root / "times.csv").write_text(table)
    done = lmcourse("late", "in", "-a", "tiny", "--times", "times.csv", cwd=root)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ada: 1 day late (2026-03-02 00:20")
    assert lines[1] == "from times.csv: ada"
    assert lines[2] == "nobody who handed in is called so, not counted: Ada"
    assert lines[3] == "1 of 1 are late"
    assert [row["student"] for row in rows(root / "grades/tiny.late.csv")] == ["ada"]


def test_export_and_items_say_what_a_person_decided(tmp_path):
    """One address for two is no place for points; an overruled failure is no common mistake."""
    root = make_course(tmp_path)
    grade = {
        **{"name": "test_double", "of": 2.0, "points": 2.0, "waiting": False},
        **{"verdict": "failed", "message": "too strict", "by_person": True},
    }
    students = [
        {"student": name, "score": 2.0, "grades": [{**grade, "by_person": name != "cleo"}]}
        for name in ("ada", "ben", "cleo")
    ]
    (root / "grades").mkdir()
    report = {"points": 6, "students": students}
    (root / "grades/tiny.json").write_text(json.dumps(report))
    (root / "ids.csv").write_text("student,email\nada,x@x.org\nben,X@x.org\ncleo,c@x.org\n")
    call = ("export", "-a", "tiny", "--to", "moodle", "--ids", "ids.csv")
    done = lmcourse(*call, cwd=root)
    assert done.returncode == 1, done.stderr
    assert "left out: ben: email in the table of ids is another student's too" in done.stdout
    assert rows(root / "grades/tiny.moodle.csv") == [{"Email address": "c@x.org", "tiny": "2"}]
    (root / "ids.csv").write_text("student,email\nada,x@x.org\nben,y@x.org\n")
    assert lmcourse(*call, cwd=root).returncode == 0  # who is not in the table is named, no more
    assert "1 × too strict" in lmcourse("items", "-a", "tiny", cwd=root).stdout
