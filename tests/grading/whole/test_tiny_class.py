"""Release and grading of a small class by the real commands: files, exit codes, second runs."""

import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from class_small import held
from forks import lmcourse
from notebook_edits import answer, double
from plain_nbgrader import autograde
from sandbox_processes import HOLD
from tiny_course import POINTS, answered, make_course, solution
from waiting import wait_until


def hand_in(course: Path, folder: Path, student: str, change=lambda nb: None) -> None:
    nb = answered(json.loads((course / "exercises/tiny/tiny.ipynb").read_text("utf-8")))
    change(nb)
    path = folder / student / "tiny.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(nb), "utf-8")


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    root = make_course(tmp_path_factory.mktemp("course"))
    done = lmcourse("release", "--zip", root / "zips", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "tiny: 3 tasks, 6 points, written" in done.stdout
    return root


@pytest.fixture(scope="module")
def graded(course) -> tuple[Path, subprocess.CompletedProcess]:
    """Four submissions graded in the course's own folder."""
    folder = course.parent / "in"
    hand_in(course, folder, "ada")
    hand_in(
        course, folder, "ben", lambda nb: answer(nb, "double", "def double(x): return abs(2*x)")
    )
    hand_in(course, folder, "cleo", lambda nb: double(nb, "test_double"))
    (folder / "dan").mkdir()
    return folder, lmcourse("grade", folder, "-a", "tiny", "--seconds", "5", cwd=course)


def rows(course: Path) -> dict[str, dict]:
    with (course / "grades" / "tiny.csv").open(encoding="utf-8-sig") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_the_release_holds_no_answer_and_is_the_same_from_run_to_run(course):
    path = course / "exercises" / "tiny" / "tiny.ipynb"
    text = path.read_text("utf-8")
    for secret in ("SECRET", "return 2 * x", "math.pi", "Model answer", "BEGIN", "END"):
        assert secret not in text
    assert "NotImplementedError" in text
    assert not (course / "gradebook.db").exists() or (course / "grades").exists()
    archive = course / "zips" / "tiny.zip"
    before = path.read_bytes(), archive.read_bytes()
    shutil.rmtree(course / "exercises")
    done = lmcourse("release", "tiny", "--zip", course / "zips", cwd=course)
    assert done.returncode == 0
    assert (path.read_bytes(), archive.read_bytes()) == before
    with zipfile.ZipFile(archive) as opened:
        names = ["tiny/README.md", "tiny/requirements.txt", "tiny/tiny.ipynb"]
        assert opened.namelist() == names
        assert opened.read("tiny/tiny.ipynb") == before[0]


def test_tests_are_folded_and_nothing_else_is(course):
    nb = json.loads((course / "exercises" / "tiny" / "tiny.ipynb").read_text("utf-8"))
    folded = [each for each in nb["cells"] if each["metadata"].get("jupyter")]
    assert folded == [
        each
        for each in nb["cells"]
        if each["cell_type"] == "code"
        and each["metadata"].get("nbgrader", {}).get("locked")
        and each["metadata"]["nbgrader"]["grade"]
    ]
    assert folded
    assert {str(each["metadata"]["jupyter"]) for each in folded} == {"{'source_hidden': True}"}


def test_a_stale_release_is_found(course, tmp_path):
    copy = tmp_path / "course"
    shutil.copytree(course, copy, ignore=shutil.ignore_patterns("*.db", "grades", "autograded"))
    assert lmcourse("release", "--check", cwd=copy).returncode == 0
    nb = solution()
    answer(nb, "tiny-intro", "# Tiny, a second edition")
    (copy / "solutions/tiny/tiny.ipynb").write_text(json.dumps(nb), "utf-8")
    done = lmcourse("release", "--check", cwd=copy)
    assert done.returncode == 1
    assert "run lmcourse release" in done.stderr
    assert "second edition" not in (copy / "exercises/tiny/tiny.ipynb").read_text("utf-8")


def test_two_assignments_are_released_by_one_command(tmp_path):
    root = make_course(tmp_path / "course")
    (root / "solutions/other").mkdir()
    (root / "solutions/other/other.ipynb").write_text(json.dumps(solution()), "utf-8")
    assert lmcourse("release", cwd=root).returncode == 0
    assert sorted(path.name for path in (root / "exercises").glob("*/*.ipynb")) == [
        "other.ipynb",
        "tiny.ipynb",
    ]
    assert lmcourse("release", "--check", cwd=root).returncode == 0


def test_an_answer_that_would_be_given_away_stops_the_release(tmp_path):
    root = make_course(tmp_path / "course")
    nb = solution()
    answer(nb, "tiny-task-1", "The answer is\n    return 2 * x\n    ")
    (root / "solutions/tiny/tiny.ipynb").write_text(json.dumps(nb), "utf-8")
    done = lmcourse("release", cwd=root)
    assert done.returncode == 1
    assert "the release still holds a part of double" in done.stderr
    assert not (root / "exercises").exists()


def test_a_source_that_nbgrader_refuses_is_one_line(tmp_path):
    root = make_course(tmp_path / "course")
    nb = solution()
    answer(nb, "double", "### BEGIN SOLUTION\npass")
    (root / "solutions/tiny/tiny.ipynb").write_text(json.dumps(nb), "utf-8")
    done = lmcourse("release", cwd=root)
    assert done.returncode == 1
    assert re.fullmatch(r"lmcourse: tiny was not released: .*solution.*\n", done.stderr)


def test_the_class_gets_what_it_deserves(course, graded):
    _, done = graded
    assert done.returncode == 1, done.stderr  # dan handed in nothing, cleo needs a person
    assert "Traceback" not in done.stdout + done.stderr
    scores = {student: row["total"] for student, row in rows(course).items()}
    full = POINTS["test_double"] + POINTS["test_square"]
    assert scores == {
        "ada": f"{full}",
        "ben": f"{POINTS['test_square']}",
        "cleo": f"{POINTS['test_square']}",
        "dan": "",
    }
    statuses = [row["status"] for row in rows(course).values()]
    assert statuses == ["hand grading", "hand grading", "partly graded", "could not be graded"]
    assert "4 submissions: 2 graded, 1 partly, 1 could not be graded." in done.stdout
    assert "lmcourse formgrader" in done.stdout


def test_without_a_sandbox_nothing_is_graded_unless_one_insists(course, graded, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copytree(graded[0] / "ada", tmp_path / "in" / "ada")
    call = ("grade", tmp_path / "in", "-a", "tiny", "--output", tmp_path / "out")
    (tmp_path / "bin").mkdir()  # no bubblewrap on the way
    environment = {**os.environ, "PATH": str(tmp_path / "bin")}
    done = lmcourse(*call, cwd=course, env=environment)
    assert done.returncode == 1
    assert "install the package bubblewrap" in done.stderr
    assert "--unsafe-no-sandbox" in done.stderr
    assert not (tmp_path / "out" / "gradebook.db").exists()
    done = lmcourse(*call, "--unsafe-no-sandbox", cwd=course, env=environment)
    assert done.returncode == 0, done.stderr
    assert "NO SANDBOX: 1 of them ran unprotected" in done.stdout
    report = json.loads((tmp_path / "out/grades/tiny.json").read_text("utf-8"))
    assert (report["unprotected"], report["students"][0]["score"]) == (1, 5.0)


def test_the_inputs_of_each_test_can_be_drawn_again(course, graded):
    report = json.loads((course / "grades/tiny.json").read_text("utf-8"))
    assert report["unprotected"] == 0
    seeds = [g["seed"] for row in report["students"] for g in row["grades"] if g["verdict"]]
    assert len({*seeds, ""}) == len(seeds) + 1 == 7
    assert (course / ".course_secret").is_file()


def test_the_feedback_tells_of_a_hidden_test_without_showing_it(course, graded):
    page = (course / "feedback/ben/tiny/tiny.html").read_text("utf-8")
    assert "A hidden test failed" in page
    assert "negative numbers" in page
    assert "SECRET" not in page
    assert not (course / "feedback" / "dan").exists()


@pytest.mark.slow
def test_a_report_without_its_gradebook_says_what_to_do(course, graded, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(course, copy)
    (copy / "gradebook.db").unlink()
    done = lmcourse("report", "-a", "tiny", cwd=copy)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "holds no gradebook: run lmcourse grade again" in done.stderr
    assert not (copy / "gradebook.db").exists()
    shutil.copy(course / "gradebook.db", copy)
    (copy / "grades/tiny.json").write_text("{", "utf-8")
    done = lmcourse("report", "-a", "tiny", cwd=copy)
    assert done.returncode == 2
    assert "tiny.json is damaged: run lmcourse grade again" in done.stderr


@pytest.mark.slow
def test_a_person_s_points_survive_a_second_run_of_the_same_notebook(course, graded):
    folder, _ = graded
    with sqlite3.connect(course / "gradebook.db") as db:
        changed = db.execute(
            "update grade set manual_score = 1, needs_manual_grade = 0 where id in ("
            "select grade.id from grade join base_cell on base_cell.id = grade.cell_id"
            " join submitted_notebook on submitted_notebook.id = grade.notebook_id"
            " join submitted_assignment on"
            " submitted_assignment.id = submitted_notebook.assignment_id"
            " where base_cell.name = 'why' and submitted_assignment.student_id = 'ada')"
        ).rowcount
    assert changed == 1
    done = lmcourse("report", "-a", "tiny", cwd=course)
    assert done.returncode == 1
    assert rows(course)["ada"]["total"] == "6"
    assert rows(course)["dan"]["status"] == "could not be graded"
    assert "Graded by a person: 1 of 1" in (course / "feedback/ada/tiny/tiny.html").read_text()

    only_ada = folder.parent / "again"
    hand_in(course, only_ada, "ada")
    done = lmcourse("grade", only_ada, "-a", "tiny", cwd=course)
    assert done.returncode == 1  # the others' points are of notebooks that are not there
    assert "1 submissions: 1 graded, 0 partly, 0 could not be graded. 2 in the gr" in done.stdout
    assert (rows(course)["ada"]["total"], rows(course)["ada"]["status"]) == ("6", "graded")
    assert [rows(course)[name]["status"] for name in ("ben", "cleo")] == ["gone"] * 2
    hand_in(course, only_ada, "ada", lambda nb: answer(nb, "why", "I changed my mind."))
    assert lmcourse("grade", only_ada, "-a", "tiny", cwd=course).returncode == 1
    assert rows(course)["ada"]["status"] == "hand grading"

    # The page of an earlier hand-in must not pass for that of a broken one.
    (only_ada / "ada" / "tiny.ipynb").write_text("{", "utf-8")
    assert lmcourse("grade", only_ada, "-a", "tiny", cwd=course).returncode == 1
    assert not (course / "feedback/ada/tiny/tiny.html").exists()
    assert "points in the gradebook are of an earlier notebook" in rows(course)["ada"]["reason"]
    done = lmcourse("export", "-a", "tiny", cwd=course)
    assert "left out: ada: not graded (it is not a notebook" in done.stdout
    assert "0 of 3 exported" in done.stdout
    assert lmcourse("grade", folder, "-a", "tiny", cwd=course).returncode == 1
    assert [rows(course)[name]["status"] for name in ("ben", "cleo")] == [
        *("hand grading", "partly graded")
    ]


def test_the_course_itself_is_no_class(course):
    for folder in (course, course / "solutions"):
        done = lmcourse("grade", folder, "-a", "tiny", cwd=course)
        assert done.returncode == 2
        assert "FOLDER must hold what learners handed in" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is another thing there")
def test_ctrl_c_leaves_a_gradebook_that_a_second_run_completes(course, tmp_path):
    def waits(nb):
        answer(nb, "double", HOLD)

    folder, out = tmp_path / "in", tmp_path / "out"
    hand_in(course, folder, "ada")
    hand_in(course, folder, "ben", waits)
    command = [sys.executable, "-m", "lmcourse", "grade", folder, "-a", "tiny", "--output", out]
    running = subprocess.Popen(
        [*map(str, command), "--seconds", "600"],
        cwd=course,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    ada = out / "feedback/ada/tiny/tiny.html"
    wait_until(lambda: (ada.exists() and held(running)) or running.poll() is not None)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=600)
    assert running.returncode == 130, said
    assert "stopped: 1 of 2 are graded" in said
    assert "Traceback" not in said
    assert not [path for path in out.iterdir() if path.name.startswith(".lmcourse")]
    assert not (out / "autograded" / "ben").exists()
    hand_in(course, folder, "ben")
    done = lmcourse("grade", folder, "-a", "tiny", "--output", out, cwd=course)
    assert done.returncode == 0, done.stderr
    assert [row["total"] for row in rows(out).values()] == ["5", "5"]


@pytest.mark.slow
def test_other_cells_with_submissions_graded_is_one_line(course, graded, tmp_path):
    folder, _ = graded
    copy = tmp_path / "course"
    shutil.copytree(course, copy)
    nb = solution()
    answer(nb, "tiny-task-3", "## Task 3 · Why (1 points)")
    del nb["cells"][5]
    (copy / "solutions/tiny/tiny.ipynb").write_text(json.dumps(nb), "utf-8")
    done = lmcourse("grade", folder, "-a", "tiny", cwd=copy)
    assert done.returncode == 1
    assert "the cells of tiny changed since submissions were graded" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_plain_nbgrader_gives_the_same_points(course, tmp_path):
    """`nbgrader autograde` with the course's nbgrader_config.py, and nothing else of ours."""
    root = make_course(tmp_path / "course")
    shutil.copytree(course / "exercises", root / "exercises")
    submitted = root / "submitted"

    def hand(student, change=lambda nb: None):
        hand_in(course, submitted / student, "tiny", change)

    def old(nb):
        for cell in nb["cells"]:
            cell["metadata"]["nbgrader"]["schema_version"] = 1

    loop = "def double(x):\n    while True: pass"
    warns = "import sys\ndef double(x):\n    print('careful', file=sys.stderr)\n    return 2 * x"
    hand("ada")
    hand("ben", lambda nb: answer(nb, "double", loop))
    hand("cleo", lambda nb: double(nb, "double"))
    hand("dan", lambda nb: answer(nb, "double", warns))
    hand("eva", old)
    hand("finn", lambda nb: double(nb, "test_double"))
    hand("gil", lambda nb: answer(nb, "square", "import os; os._exit(1)"))
    hand("hal", lambda nb: answer(nb, "double", "x = '" + "y" * 200_000 + "'"))
    scores = autograde(root, "tiny", "--Execute.test_seconds=3")
    full, square, twice = 5.0, 3.0, 2.0
    assert scores == {
        "ada": full,
        "ben": square,
        "cleo": full,
        "dan": full,
        "eva": full,
        "finn": square,
        "gil": twice,
        "hal": square,
    }
    nb = json.loads((root / "autograded/hal/tiny/tiny.ipynb").read_text("utf-8"))
    [note] = nb["metadata"]["lmcourse"]["notes"]
    assert note.startswith("the cell double was left empty: it has 200,006 characters")
