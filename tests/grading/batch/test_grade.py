"""What a run reads it reads while the gradebook is its own, and what it fails at it says."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from graded_notebooks import graded
from tiny_course import make_course

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.assignment.course import find_course
    from lmcourse.grading.batch.grade import prepare
    from lmcourse.grading.batch.graded_class import class_from_gradebook
    from lmcourse.grading.errors import FailureError, MisuseError
    from lmcourse.grading.gradebook import lock
    from lmcourse.grading.gradebook.recorder import Recorder
    from lmcourse.grading.gradebook.results import GradingRun, Options, Result
    from lmcourse.grading.reports import lms_files
    from lmcourse.grading.reports.class_report import as_dict, write_reports

HOLDER = """
import pathlib, sys
from lmcourse.grading.gradebook import lock
with lock.hold(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
UNPROTECTED = Options(sandbox=False)


@pytest.fixture
def root(tmp_path, empty_gradebook) -> Path:
    root = make_course(tmp_path / "course")
    (root / "gradebook.db").write_bytes(empty_gradebook)
    hand_in(root, "ada")
    return root


def hand_in(root: Path, student: str) -> None:
    path = root / "in" / student / "tiny.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text('{"cells": []}')


def test_who_hands_in_while_we_wait_is_graded(root):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", HOLDER, str(root / ".grading/lock")]
    with subprocess.Popen(command, **pipes) as holder:
        assert holder.stdout.readline() == b"held\n"

        def on_wait(_):
            hand_in(root, "ben")
            (root / "in" / "cleo.txt").touch()
            holder.stdin.close()

        options = Options(sandbox=False, wait=True)
        with prepare(find_course(root), "tiny", root / "in", None, options, on_wait) as grader:
            assert [entry.student for entry in grader.entries] == ["ada", "ben"]
            assert [line.partition(":")[0] for line in grader.ignored] == ["cleo.txt"]


def test_the_report_reads_and_writes_while_the_gradebook_is_its_own(root):
    course = find_course(root)
    with prepare(course, "tiny", root / "in", None, UNPROTECTED):
        pass
    report = root / "grades/tiny.json"
    report.parent.mkdir(exist_ok=True)
    report.write_text(json.dumps({"students": [], "ignored": ["x.txt: move it"]}))
    with class_from_gradebook(course, "tiny", None) as graded:
        assert graded.ignored == ["x.txt: move it"]
        assert not graded.complete
        with pytest.raises(FailureError, match=f"in use by process {os.getpid()}"):
            lock.hold(root / ".grading/lock").__enter__()


def test_days_that_are_damaged_are_told_before_anybody_is_graded(root, empty_gradebook):
    path = root / "grades/tiny.late.json"
    path.parent.mkdir()
    path.write_text("{")
    with (
        pytest.raises(MisuseError, match="is damaged: run lmcourse late again"),
        prepare(find_course(root), "tiny", root / "in", None, UNPROTECTED),
    ):
        raise AssertionError("it went on")
    assert (root / "gradebook.db").read_bytes() == empty_gradebook


def test_the_page_of_before_goes_only_when_the_hand_in_is_no_notebook(root):
    page = root / "feedback/ada/tiny/tiny.html"
    with prepare(find_course(root), "tiny", root / "in", None, UNPROTECTED) as grader:
        (entry,) = grader.entries
        for problem, stays in (
            (grader._unwritten("ada", "the grade", OSError(28, "")), True),
            (Result(student="ada", problem="JSON is broken"), False),
        ):
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text("before")
            grader._finish(entry, problem, lambda result: None)
            assert page.exists() == stays
        assert "the disk is full" in grader._unwritten("a", "the grade", OSError(28, "")).problem


def test_a_file_where_a_learner_s_folder_should_be_is_that_learner_s_row(root):
    with prepare(find_course(root), "tiny", root / "in", None, UNPROTECTED) as grader:
        (entry,) = grader.entries
        (root / "feedback").mkdir()
        (root / "feedback/ada").touch()
        for result in (Result(student="ada"), Result(student="ada", problem="JSON is broken")):
            grader._finish(entry, result, lambda result: None)
            assert grader.done[entry].problem


def record(run: GradingRun, *students: str) -> None:
    """They were graded by an earlier run: 5 points for their tests."""
    with Recorder(run) as recorder:
        for student in students:
            recorder.record(*graded(run, student))


def waiting(run: GradingRun, student: str) -> list[str]:
    with Recorder(run) as recorder:
        return [grade.name for grade in recorder.read_back(student).grades if grade.waiting]


def test_points_of_an_earlier_notebook_are_marked_in_report_gradebook_and_export(root):
    """ada hands in a broken notebook, ben is gone, cleo has never been graded."""
    hand_in(root, "cleo")
    for student in ("ada", "cleo"):
        (root / "in" / student / "tiny.ipynb").write_text("{")
    with prepare(find_course(root), "tiny", root / "in", None, UNPROTECTED) as grader:
        record(grader.grading_run, "ada", "ben")
        assert waiting(grader.grading_run, "ben") == ["why"]
        done = grader.grade()
        write_reports(done)
        for student in ("ada", "ben"):
            assert waiting(grader.grading_run, student) == ["test_double", "test_square", "why"]
    says = "the 5 points in the gradebook are of an earlier notebook, and wait for a person there"
    with class_from_gradebook(find_course(root), "tiny", None) as again:
        for one in (done, again):
            rows = {row["student"]: row for row in as_dict(one)["students"]}
            assert [*rows] == ["ada", "ben", "cleo"]
            assert [row["score"] for row in rows.values()] == [None] * 3
            assert [row["status"] for row in rows.values()] == [
                *("could not be graded", "gone", "could not be graded")
            ]
            assert "JSON is broken" in rows["ada"]["problem"]
            assert [says in row["problem"] for row in rows.values()] == [True, True, False]
            assert not one.complete
    exported, left_out = lms_files.table(
        "plain", "tiny", 6.0, [{**row, "open": False} for row in rows.values()], None
    )
    assert exported == "student,tiny,maximum\n"
    assert [says in line for line in left_out] == [True, True, False]


def test_points_of_who_only_lacks_a_page_of_feedback_are_not_marked(root):
    with prepare(find_course(root), "tiny", root / "in", None, UNPROTECTED) as grader:
        (entry,) = grader.entries
        submission, notebook = graded(grader.grading_run)
        with Recorder(grader.grading_run) as recorder:
            result = grader._recorded(submission, notebook, recorder)
            (root / "feedback").mkdir()
            (root / "feedback/ada").touch()  # no place for her page
            grader._finish(entry, result, lambda result: None)
            grader._mark_outdated(recorder)
        (row,) = grader.so_far().results
        assert row.problem.startswith("the feedback could not be written")
        assert "earlier notebook" not in row.problem
        assert waiting(grader.grading_run, "ada") == ["why"]


def test_a_mark_that_cannot_be_made_is_said_and_stops_nobody(root, monkeypatch):
    with prepare(find_course(root), "tiny", root / "in", None, UNPROTECTED) as grader:
        record(grader.grading_run, "ben", "cleo")
        (root / "in/ada/tiny.ipynb").write_text("{")

        def refuse(recorder, student):
            raise OSError(28, "")

        monkeypatch.setattr(Recorder, "mark_outdated", refuse)
        problems = {result.student: result.problem for result in grader.grade().results}
    assert [*problems] == ["ada", "ben", "cleo"]
    for student in ("ben", "cleo"):
        assert "(that mark could not be written: the disk is full" in problems[student]


def test_one_learner_s_damaged_notebook_is_one_row_of_the_report(root):
    """Missing, no JSON, no notebook, no place for the page: each is said, the others are there."""
    broken = {"ben": None, "cleo": "{", "dan": "[1]", "eve": "page"}
    course = find_course(root)
    with prepare(course, "tiny", root / "in", None, UNPROTECTED) as grader:
        record(grader.grading_run, "ada", *broken)
    for student, text in broken.items():
        path = root / "autograded" / student / "tiny/tiny.ipynb"
        if text is None:
            path.unlink()
        elif text == "page":
            (root / "feedback").mkdir(exist_ok=True)
            (root / "feedback/eve").touch()
        else:
            path.write_text(text)
    rows = [{"student": student, "problem": ""} for student in ("ada", *broken)]
    (root / "grades/tiny.json").write_text(json.dumps({"students": rows}))
    with class_from_gradebook(course, "tiny", None) as graded_class:
        found = {result.student: result for result in graded_class.results}
        assert found["ada"].score == 5.0
        assert "is missing: grade again" in found["ben"].problem
        assert "cannot be read (NotJSONError): grade again" in found["cleo"].problem
        assert "cannot be read (" in found["dan"].problem
        assert "the feedback could not be written" in found["eve"].problem
        write_reports(graded_class)


INTERRUPTED = """
import os, signal, sys
from joblib.externals.loky.backend.popen_loky_posix import Popen

launch, launched = Popen._launch, []

def interrupted(self, process):
    launch(self, process)
    launched.append(self)
    if len(launched) == 1:
        os.killpg(0, signal.SIGINT)  # as a terminal does: all of them hear it

Popen._launch = interrupted
from lmcourse.__main__ import main
main()
"""


@pytest.mark.slow
def test_ctrl_c_while_the_first_worker_starts_is_no_other_than_later(root):
    hand_in(root, "ben")
    call = ["grade", "in", "-a", "tiny", "-n", "2", "--unsafe-no-sandbox"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", INTERRUPTED, *call],
        cwd=root,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "stopped: 0 of 2 are graded and in the gradebook" in done.stderr
    rows = json.loads((root / "grades/tiny.json").read_text("utf-8"))["students"]
    assert [row["status"] for row in rows] == ["not yet"] * 2
