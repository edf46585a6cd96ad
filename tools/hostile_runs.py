"""The class of tools/hostile.py, and the two ways in which it is graded."""

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from attacks import ATTACKS as ANSWERS
from attacks import FALSE, ONCE, RIGHT, SETUP, TESTS, folders, notebooks, source
from attacks.odd_folders import ODD_FOLDERS, ODD_REFUSED, ODD_STAMPS, ODD_TIMES
from attacks.odd_notebooks import ODD_NOTEBOOKS
from notebook_edits import answer
from tiny_course import CONFIG, cell

ROOT = Path(__file__).resolve().parents[1]

AIM = "aim"  # the assignment
HIDDEN = "mark of a hidden test, 7f3a"
NEIGHBOR = "mark of a neighbor, 91cc"
HOST = "mark of a file on this machine, 5be0"
KEY = "mark of the course secret, 2d4e"
NAMES = [f"test_{number}" for number in range(len(TESTS))]
GOOD = len(TESTS) - 0.5  # the test "award" gives a half, whoever passes it
SECONDS = 2  # for a cell or a test: whatever loops should not loop for long
ATTACKS = {**ANSWERS, **ONCE}
NOTEBOOKS = {**notebooks.NOTEBOOKS, **ODD_NOTEBOOKS}
FOLDERS = {**folders.FOLDERS, **ODD_FOLDERS, **ODD_STAMPS}
REFUSED = {**folders.REFUSED, **ODD_REFUSED}
TIMES = {**folders.TIMES, **ODD_TIMES}
ALL = [*ATTACKS, *NOTEBOOKS, *FOLDERS, *REFUSED, *TIMES]
_POINTS = """
select submitted_assignment.student_id, total(grade.auto_score), sum(grade.auto_score is null)
from grade join submitted_notebook on submitted_notebook.id = grade.notebook_id
join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id group by 1
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One attack, and who hands it in."""

    name: str
    student: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one way of grading made of one submission, and all that its learner may see of it."""

    score: float | None
    ungraded: int = 0
    problem: str = ""
    page: str = ""
    outputs: str = ""
    files: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Graded:
    """All rows of one way, what it said, and how it ended."""

    rows: dict[str, Row]
    said: str
    wrong: list[str] = field(default_factory=list)


def author_notebook() -> dict:
    """The assignment with its answer and hidden tests."""
    signature = "def f(x):\n    ### BEGIN SOLUTION\n"
    body = RIGHT.strip().split("\n", 1)[1]
    cells = [
        cell("code", "setup", SETUP, locked=True),
        cell("code", "f", f"{signature}{body}\n    ### END SOLUTION", solution=True),
    ]
    for name, test in zip(NAMES, TESTS.values(), strict=True):
        hidden = f"### BEGIN HIDDEN TESTS\nmark = {HIDDEN!r}\nassert f(7) == 14, 'f(7) is 14'\n"
        text = f"{source(test).strip()}\n{hidden}### END HIDDEN TESTS"
        cells.append(cell("code", name, text, grade=True, locked=True, points=1))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def make_course(root: Path) -> dict:
    """The course in `root`; returns the notebook that is handed out."""
    path = root / f"solutions/{AIM}/{AIM}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(author_notebook()), "utf-8")
    (root / CONFIG.name).write_text(CONFIG.read_text("utf-8"), "utf-8")
    (root / "key").write_text(KEY, "utf-8")
    (root / "grades.csv").write_text(HOST, "utf-8")
    done = _run([sys.executable, "-m", "lmcourse", "release"], root)
    if done.returncode:
        raise SystemExit(f"the release failed:\n{done.stderr}")
    return json.loads((root / f"exercises/{AIM}/{AIM}.ipynb").read_text("utf-8"))


def hand_in(root: Path, blank: dict, names: list[str], port: int, each: int) -> list[Case]:
    """All submissions: a good one, then `each` attacks and another good one in turns."""
    cases = []
    good = f"{RIGHT}\n# {NEIGHBOR}"
    _write(root, "000-good", blank, good)
    for number, name in enumerate(names, start=1):
        case = Case(name=name, student=f"{number:03}-attack")
        cases.append(case)
        text = source(ATTACKS[name]) if name in ATTACKS else FALSE
        text = text.replace("COURSE", repr(str(root))).replace("PORT", str(port))
        path = _write(root, case.student, blank, text, NOTEBOOKS.get(name))
        folder = {**FOLDERS, **REFUSED, **TIMES}.get(name)
        if folder is not None:
            folder(path.parent, path, root)
        if number % each == 0 or number == len(names):
            _write(root, f"{number:03}-good", blank, good)
    return cases


def _write(root: Path, student: str, blank: dict, text: str, change=None) -> Path:
    nb = json.loads(json.dumps(blank))
    answer(nb, "f", text)
    if change is not None:
        change(nb, NAMES)
    path = root / "in" / student / AIM / f"{AIM}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(nb), "utf-8")
    return path


def by_lmcourse(root: Path, out: Path) -> Graded:
    """`lmcourse grade`."""
    options = ("--output", out, "--seconds", SECONDS, "--secret", root / "key")
    command = [sys.executable, "-m", "lmcourse", "grade", root / "in", "-a", AIM, *options]
    done = _run(command, root)
    wrong = _ended(done)
    wrong += ["something ran unprotected"] if "NO SANDBOX" in done.stdout else []
    rows = {}
    for row in json.loads((out / f"grades/{AIM}.json").read_text("utf-8"))["students"]:
        rows[row["student"]] = Row(
            score=row["score"],
            ungraded=sum(grade["verdict"] == "ungraded" for grade in row["grades"]),
            problem=row["problem"],
            **_seen(out, row["student"]),
        )
    return Graded(rows=rows, said=done.stdout + done.stderr, wrong=wrong)


def by_nbgrader(root: Path, out: Path) -> Graded:
    """`nbgrader autograde` and `generate_feedback`, with the course's nbgrader_config.py alone."""
    nbgrader = str(Path(sys.executable).with_name("nbgrader"))
    settings = [
        f"--CourseDirectory.db_url=sqlite:///{out}/gradebook.db",
        f"--CourseDirectory.submitted_directory={root / 'in'}",
        f"--Execute.secret_file={root / 'key'}",
        f"--Execute.cell_seconds={SECONDS}",
        f"--Execute.test_seconds={SECONDS}",
        *(f"--CourseDirectory.{s}_directory={out / s}" for s in ("autograded", "feedback")),
        f"--CourseDirectory.release_directory={out / 'release'}",
    ]
    out.mkdir()
    said, wrong = "", []
    for step in ("generate_assignment", "autograde", "generate_feedback"):
        done = _run([nbgrader, step, AIM, *settings], root)
        said += f"{step}:\n{done.stdout}{done.stderr}"
        if done.returncode and step != "autograde":
            wrong.append(f"{step} ended with {done.returncode}: {done.stderr[-500:]}")
        elif done.returncode > 1:
            wrong += _ended(done)
    with sqlite3.connect(out / "gradebook.db") as db:
        points = {student: (score, left) for student, score, left in db.execute(_POINTS)}
    rows = {}
    for student in sorted(path.name for path in (root / "in").iterdir()):
        seen = _seen(out, student)
        score, left = points.get(student, (None, 0))
        problem = "" if seen["outputs"] else "there is no graded notebook"
        rows[student] = Row(
            score=None if problem else score, ungraded=left or 0, problem=problem, **seen
        )
    return Graded(rows=rows, said=said, wrong=wrong)


def _ended(done: subprocess.CompletedProcess) -> list[str]:
    """1 is the exit code where a person is needed."""
    if done.returncode in (0, 1) and "Traceback" not in done.stderr:
        return []
    return [f"the command ended with {done.returncode}: {done.stderr[-500:]}"]


def _run(command: list, cwd: Path) -> subprocess.CompletedProcess:
    """The real command, in a process of its own."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    path = str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", "")
    environment = {**os.environ, "PYTHONPATH": paths, "PATH": path, "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _seen(out: Path, student: str) -> dict:
    page = out / f"feedback/{student}/{AIM}/{AIM}.html"
    folder = out / f"autograded/{student}/{AIM}"
    graded = folder / f"{AIM}.ipynb"
    cells = json.loads(graded.read_text("utf-8"))["cells"] if graded.exists() else []
    return {
        "page": page.read_text("utf-8") if page.exists() else "",
        "outputs": json.dumps([c.get("outputs", []) for c in cells]) if cells else "",
        "files": tuple(sorted(path.name for path in folder.rglob("*"))),
    }
