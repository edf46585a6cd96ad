"""The teacher's commands on a small class, from handing in by nbgrader's exchange to the LMS."""

import csv
import json
import os
import random
import stat
import sys
from pathlib import Path

import pytest
from forks import lmcourse
from late_course import late_course, rows
from notebook_edits import answer
from plain_nbgrader import nbgrader, run
from seeds import SEED
from tiny_course import answered, make_course, solution

from lmcourse.grading.cli import analysis_commands
from lmcourse.grading.gradebook import lock


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """Graded: ada right, ben wrong, cleo wrote as ben did, dan handed in no notebook."""
    root = late_course(tmp_path_factory.mktemp("course"))
    assert lmcourse("release", cwd=root).returncode == 0
    blank = json.loads((root / "exercises/tiny/tiny.ipynb").read_text("utf-8"))
    long = "def square(x):\n    total = 0\n    for step in range(int(x)):\n        total += x + 1\n"
    long += "    return total"
    for student, source in (("ada", ""), ("ben", long), ("cleo", long.replace("total", "t"))):
        nb = answered(json.loads(json.dumps(blank)))
        answer(nb, "why", blank["cells"][-1]["source"])
        if source:
            answer(nb, "square", source)
        path = root / "in" / student / "tiny.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(nb), "utf-8")
    (root / "in" / "dan").mkdir()
    times = "student,time\nada,2026-03-01 23:59Z\nben,2026-03-03 23:58Z\ncleo,2026-03-02 00:10Z\n"
    (root / "times.csv").write_text(times)
    done = lmcourse("grade", "in", "-a", "tiny", "--seconds", 5, cwd=root)
    assert done.returncode == 1, done.stdout + done.stderr
    return root


def test_who_was_late_is_told_without_any_grades_and_whose_time_is_unknown(tmp_path):
    """One command on a folder of every kind: nobody's time is replaced, nobody stops the others."""
    root = late_course(tmp_path, 'c.Lateness.timezone = "Europe/Berlin"\n')
    stamps = {
        "ada": "2026-03-02 00:10:00.000000 CET",
        "ben": "2026-03-03 10:00:00.000000 CET",
        "cleo": "some time",
        "dan": "\ufeff2026-03-01 10:00 UTC",
    }
    for student, stamp in stamps.items():
        folder = root / "in" / student
        folder.mkdir(parents=True)
        (folder / "tiny.ipynb").write_text('{"cells": []}')
        (folder / "timestamp.txt").write_text(stamp, "utf-8")
    (root / "in/eve").mkdir()
    (root / "in/finn.zip").touch()
    (root / "in/roster.csv").touch()
    done = lmcourse("late", "in", "-a", "tiny", cwd=root)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "ben: 2 days late (2026-03-03 10:00+01:00)"
    assert lines[1].startswith("cleo: time unknown: nbgrader's timestamp.txt must be a time")
    assert lines[2] == "from nbgrader's timestamp.txt: ada, ben, dan"
    assert lines[3] == "no time is known of eve, finn"
    assert lines[4].startswith("ignored: roster.csv: ")
    assert lines[5] == "1 of 4 are late"
    table = {row["student"]: row for row in rows(root / "grades/tiny.late.csv")}
    assert (table["ada"]["days late"], table["cleo"]["days late"]) == ("0", "")
    assert table["cleo"]["time from"].startswith("time unknown: ")


def test_the_days_change_only_while_no_run_reads_them(tmp_path):
    """A run looks them up for each page that it writes: half of a class would have the old ones."""
    root = late_course(tmp_path)
    (root / "in/ada").mkdir(parents=True)
    (root / "in/ada/tiny.ipynb").write_text('{"cells": []}')
    with lock.hold(root / ".grading/lock"):
        done = lmcourse("late", "in", "-a", "tiny", cwd=root)
    assert done.returncode == 1
    assert f"in use by process {os.getpid()} on " in done.stderr
    assert "--wait" not in done.stderr  # the command has no such option
    assert not (root / "grades").exists()
    assert lmcourse("late", "in", "-a", "tiny", cwd=root).returncode == 0


def test_an_export_is_of_one_report(tmp_path, monkeypatch):
    """A run that ends meanwhile puts another report in its place."""
    root = make_course(tmp_path.resolve())
    path = root / "grades/tiny.json"
    path.parent.mkdir()
    ada = {"student": "ada", "score": 5.0, "grades": [], "problem": ""}
    path.write_text(json.dumps({"students": [ada], "points": 6.0}))
    read = Path.read_text

    def replaced(self, *args, **options):
        text = read(self, *args, **options)
        if self == path:
            path.write_text(json.dumps({"students": [], "points": 60.0}))
        return text

    monkeypatch.setattr(Path, "read_text", replaced)
    analysis_commands.export("tiny", course=root)
    (row,) = rows(root / "grades/tiny.plain.csv")
    assert (row["student"], float(row["maximum"])) == ("ada", pytest.approx(6.0))


BYTES = (b"L\x94sung", b"\xff\xfe", b"a\x1b[31mb", b"a\nb", "语\u202e言".encode(), b"=1+1", b"[b]x")


def odd_names() -> list[str]:
    """Those above, and some of random bytes; none that a system or an editor leaves behind."""
    draw = random.Random(SEED)
    letters = sorted({*range(1, 256)} - {*b"/.~$"})
    drawn = [bytes(draw.choices(letters, k=draw.randint(6, 40))) for _ in range(15)]
    return [os.fsdecode(name) for name in (*BYTES, *drawn)]


@pytest.mark.slow
def test_names_of_any_bytes_go_through_every_command(course, tmp_path):
    """A file, a folder and a file in a learner's folder of each name, beside one good notebook."""
    handed_in, out, names = tmp_path / "in", tmp_path / "out", odd_names()
    (handed_in / "ada").mkdir(parents=True)
    (handed_in / "ada/tiny.ipynb").write_bytes((course / "in/ada/tiny.ipynb").read_bytes())
    for number, name in enumerate(names):
        (handed_in / name).mkdir()
        (handed_in / f"{name}.zip").touch()
        (handed_in / f"{name}.txt").touch()
        (handed_in / f"s{number}").mkdir()
        (handed_in / f"s{number}" / f"{name}.ipynb").touch()
    where = ("-a", "tiny", "--output", out)
    for call in (
        ("grade", handed_in, *where, "--seconds", 5),
        ("report", *where),
        ("late", handed_in, *where),
        ("similar", handed_in, *where),
        ("items", *where),
        ("export", *where),
    ):
        done = lmcourse(*call, cwd=course)
        assert done.returncode in (0, 1), done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert "defect" not in done.stderr
        assert not {*done.stdout + done.stderr} & {"\x1b", "\u202e"}
    report = json.loads((out / "grades/tiny.json").read_text("utf-8"))
    scores = {row["student"]: row["score"] for row in report["students"]}
    assert scores.pop("ada") == 5.0
    assert len(scores) == 2 * len(names)
    assert set(scores.values()) == {None}
    assert len(report["ignored"]) == 2 * len(names)
    assert len(rows(out / "grades/tiny.csv")) == 1 + 2 * len(names)


@pytest.mark.slow
def test_names_of_any_bytes_stop_nobody_in_plain_nbgrader(course, tmp_path):
    """A learner's folder of each name, and a notebook of it beside the one that counts."""
    root = make_course(tmp_path / "course")
    right, names = (course / "in/ada/tiny.ipynb").read_bytes(), odd_names()[:-12]
    for number, name in enumerate(names):
        for folder in (root / "submitted" / name / "tiny", root / f"submitted/s{number}/tiny"):
            folder.mkdir(parents=True)
            (folder / "tiny.ipynb").write_bytes(right)
        (folder / f"{name}.ipynb").touch()
    nbgrader("generate_assignment", "tiny", cwd=root)
    program = [str(Path(sys.executable).with_name("nbgrader"))]
    done = run(program, "autograde", "tiny", "--Execute.test_seconds=5", cwd=root)
    assert done.returncode == 1  # as after any submission that could not be graded
    assert done.stderr.count("was not graded: the name is no student id") == len(names)
    nbgrader("export", "--to", "out.csv", cwd=root)
    with (root / "out.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["student_id"] for row in table] == sorted(f"s{n}" for n in range(len(names)))
    assert {(row["score"], row["needs_manual_grade"]) for row in table} == {("5.0", "False")}


@pytest.mark.slow
def test_late_work_is_told_everywhere_and_changes_no_grade(course):
    before = (course / "gradebook.db").read_bytes()
    done = lmcourse("late", "in", "-a", "tiny", "--times", "times.csv", cwd=course)
    assert done.returncode == 0, done.stderr
    assert "ben: 2 days late" in done.stdout
    assert "no time is known of dan" in done.stdout
    assert "1 of 3 are late" in done.stdout
    table = {row["student"]: row for row in rows(course / "grades/tiny.late.csv")}
    assert [table["ben"][k] for k in ("days late", "points", "points off")] == ["2", "2", "0.4"]
    assert table["cleo"]["points off"] == "0"
    assert lmcourse("report", "-a", "tiny", cwd=course).returncode == 1
    assert (course / "gradebook.db").read_bytes() == before
    report = {row["student"]: row for row in rows(course / "grades/tiny.csv")}
    assert report["ben"]["total"] == "2"
    assert "0.4 points off, 1.6 remain;" in report["ben"]["reason"]
    page = (course / "feedback/ben/tiny/tiny.html").read_text("utf-8")
    assert "handed in 2 days late" in page
    assert "days late" not in (course / "feedback/ada/tiny/tiny.html").read_text("utf-8")
    done = lmcourse("grade", "in", "-a", "tiny", "--seconds", 5, cwd=course)
    assert "2 days late" in (course / "feedback/ben/tiny/tiny.html").read_text("utf-8")

    done = lmcourse("export", "-a", "tiny", "--late", cwd=course)
    exported = {row["student"]: row["tiny"] for row in rows(course / "grades/tiny.plain.csv")}
    assert exported == {"ada": "5", "ben": "1.6", "cleo": "2"}

    # Another notebook, months later: nobody knows when it came.
    path = course / "in/ben/tiny.ipynb"
    before = path.read_bytes()
    nb = json.loads(before)
    answer(nb, "double", "def double(x): return x + x")
    path.write_text(json.dumps(nb), "utf-8")
    assert lmcourse("grade", "in", "-a", "tiny", "--seconds", 5, cwd=course).returncode == 1
    report = {row["student"]: row for row in rows(course / "grades/tiny.csv")}
    assert "days late unknown since the notebook changed" in report["ben"]["reason"]
    done = lmcourse("export", "-a", "tiny", "--late", cwd=course)
    assert "nothing taken off: ben: days late unknown" in done.stdout
    exported = {row["student"]: row["tiny"] for row in rows(course / "grades/tiny.plain.csv")}
    assert exported["ben"] == "2"
    path.write_bytes(before)
    lmcourse("grade", "in", "-a", "tiny", "--seconds", 5, cwd=course)


@pytest.mark.slow
def test_similar_answers_are_shown_with_what_they_share(course):
    done = lmcourse("similar", "in", "-a", "tiny", cwd=course)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == "not compared: dan: there is no tiny.ipynb"
    assert "of ben" in done.stdout
    assert "of cleo" in done.stdout
    assert "it proves nothing" in done.stdout
    text = (course / "grades/tiny.similar.txt").read_text("utf-8")
    assert "total += x + 1" in text


def test_a_copy_in_a_string_is_shown_and_what_was_not_read_is_named(tmp_path):
    root = make_course(tmp_path)
    released = root / "exercises/tiny/tiny.ipynb"
    released.parent.mkdir(parents=True)
    blank = solution()
    answer(blank, "double", "def double(x):\n    raise NotImplementedError")
    released.write_text(json.dumps(blank), "utf-8")
    own = (
        "def double(x):\n    for k in range(x.size(3)):\n        x += x.b(k, 2) * x.c[k:, 1] - 7\n"
    )
    for student, source in (("ada", own), ("ben", f"exec({own!r})"), ("cleo", "a.b\n" * 40_000)):
        nb = json.loads(json.dumps(blank))
        answer(nb, "double", source)
        path = root / "in" / student / "tiny.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(nb), "utf-8")
    done = lmcourse("similar", "in", "-a", "tiny", cwd=root)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("100% of ada · ")
    assert lines[0].endswith("% of ben")
    assert lines[1].startswith("1 of 3 pairs share")
    said = "compared in part: cleo: cells that were not read to their end: 1"
    assert lines[-1].startswith(said)
    assert said in (root / "grades/tiny.similar.txt").read_text("utf-8")


@pytest.mark.slow
def test_export_leaves_out_who_is_not_decided_and_refuses_what_it_cannot(course):
    done = lmcourse("export", "-a", "tiny", cwd=course)
    assert done.returncode == 0, done.stderr
    assert "left out: dan: not graded" in done.stdout
    assert "3 of 4 exported" in done.stdout
    (course / "ids.csv").write_text("student,email\nada,ada@x.org\n")
    done = lmcourse("export", "-a", "tiny", "--to", "moodle", "--ids", "ids.csv", cwd=course)
    assert rows(course / "grades/tiny.moodle.csv") == [{"Email address": "ada@x.org", "tiny": "5"}]
    done = lmcourse("export", "-a", "tiny", "--to", "canvas", cwd=course)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "canvas knows nobody by your names: give --ids" in done.stderr
    assert lmcourse("export", "-a", "tiny", "--to", "word", cwd=course).returncode == 2


@pytest.mark.slow
def test_a_notebook_of_another_assignment_is_in_no_export_as_a_0(tmp_path):
    root = make_course(tmp_path)
    assert lmcourse("release", cwd=root).returncode == 0
    nb = answered(json.loads((root / "exercises/tiny/tiny.ipynb").read_text("utf-8")))
    foreign = {"cells": [{"cell_type": "code", "source": "x = 1", "metadata": {}}], "nbformat": 4}
    for student, handed_in in (("ada", nb), ("emil", foreign)):
        (root / "in" / student).mkdir(parents=True)
        (root / "in" / student / "tiny.ipynb").write_text(json.dumps(handed_in), "utf-8")
    lmcourse("grade", "in", "-a", "tiny", "--seconds", 5, cwd=root)
    done = lmcourse("export", "-a", "tiny", cwd=root)
    assert "left out: emil: waits for a person" in done.stdout
    assert "emil" not in {row["student"] for row in rows(root / "grades/tiny.plain.csv")}
    nbgrader("export", "--to", "out.csv", cwd=root)
    waits = {row["student_id"]: row["needs_manual_grade"] for row in rows(root / "out.csv")}
    assert waits["emil"] == "True"


@pytest.mark.slow
def test_items_tell_where_most_failed(course):
    done = lmcourse("items", "-a", "tiny", cwd=course)
    assert done.returncode == 0, done.stderr
    assert "Task 1 · Double: difficulty 1.00, discrimination –" in done.stdout
    assert "Task 2 · Square: difficulty 0.33" in done.stdout
    assert "2 × square(3) must be 9." in done.stdout


@pytest.mark.slow
def test_what_comes_by_nbgraders_exchange_is_graded(course, tmp_path):
    exchange, home = tmp_path / "exchange", tmp_path / "home"
    exchange.mkdir()
    exchange.chmod(exchange.stat().st_mode | stat.S_IRWXO)
    home.mkdir()
    options = ["tiny", f"--Exchange.root={exchange}", "--course=lmcourse"]
    root = make_course(tmp_path / "course")
    nbgrader("generate_assignment", "tiny", cwd=root)
    nbgrader("release_assignment", *options, cwd=root)
    nbgrader("fetch_assignment", *options, cwd=home)
    path = home / "tiny/tiny.ipynb"
    path.write_text(json.dumps(answered(json.loads(path.read_text("utf-8")))), "utf-8")
    nbgrader("submit", *options, cwd=home)
    nbgrader("collect", *options, cwd=root)
    (handed_in,) = (root / "submitted").glob("*/tiny/tiny.ipynb")
    assert (handed_in.parent / "timestamp.txt").is_file()
    done = lmcourse("grade", "submitted", "-a", "tiny", "--seconds", 5, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["total"] for row in rows(root / "grades/tiny.csv")] == ["5"]
