"""A class of five that hands in `tiny`, graded by the real command; and what came of it."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
from forks import lmcourse
from notebook_edits import answer, double
from sandbox_processes import HOLD
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from tiny_course import answered, make_course

CLASS = [f"s{number:02}" for number in range(5)]


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "lmcourse", *map(str, arguments)]


def grade(course: Path, out: Path, *options) -> subprocess.CompletedProcess:
    # One secret for all: scores must not depend on who grades.
    given = ("-a", "tiny", "--output", out, "--secret", course / "secret")
    return lmcourse("grade", course / "in", *given, *options, cwd=course)


def start(course: Path, out: Path, **options) -> subprocess.Popen:
    """The same with two workers, in the background.

    Args:
        options: for Popen.
    """
    given = ("-a", "tiny", "--output", out, "--secret", course / "secret", "-n", 2, *PATIENT)
    return subprocess.Popen(command("grade", course / "in", *given), cwd=course, **options)


PATIENT = ("--seconds", 600)  # nobody who waits at a `HOLD` runs out of time


def held_class(course: Path, folder: Path, *students: str, only=CLASS) -> Path:
    """A copy in which these students' cells wait until they are let go: no run can have ended."""
    root = folder / "course"
    shutil.copytree(course, root)
    for path in (root / "in").iterdir():
        if path.name not in only:
            shutil.rmtree(path)
        elif path.name in students:
            nb = json.loads((path / "tiny.ipynb").read_text("utf-8"))
            cell = next(cell for cell in nb["cells"] if cell["id"] == "double")
            answer(nb, "double", f"{HOLD}\n{''.join(cell['source'])}")
            (path / "tiny.ipynb").write_text(json.dumps(nb), "utf-8")
    return root


def let_in(course: Path, root: Path) -> None:
    """From now on what was handed in waits for nobody."""
    shutil.copytree(course / "in", root / "in", dirs_exist_ok=True)


def held(running: subprocess.Popen) -> list[psutil.Process]:
    """The processes below a command that wait at a `HOLD`."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(running.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                found += [process] if process.name() == "held" else []
    return found


def let_go(running: subprocess.Popen) -> None:
    for process in held(running):
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGUSR1)


def gradebook(out: Path, db_url: str = "") -> list[tuple]:
    """All that matters in it."""
    query = (
        "select student_id, base_cell.name, auto_score, manual_score, needs_manual_grade"
        " from grade join base_cell on base_cell.id = grade.cell_id"
        " join submitted_notebook on submitted_notebook.id = grade.notebook_id"
        " join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id"
    )
    engine = create_engine(db_url or f"sqlite:///{out / 'gradebook.db'}", poolclass=NullPool)
    with engine.connect() as connection:
        return sorted(map(tuple, connection.execute(text(query))))


def report(out: Path) -> dict[str, dict]:
    rows = json.loads((out / "grades/tiny.json").read_text("utf-8"))["students"]
    return {row["student"]: row for row in rows}


def graded_by(out: Path) -> list[str]:
    """Whom the last run graded itself."""
    log = out / "grades/tiny.log"
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    return sorted(line.split()[-1] for line in lines if " was graded: " in line)


def pages(out: Path) -> int:
    return len(list((out / "feedback").glob("*/tiny/tiny.html")))


def make_class(folder: Path) -> Path:
    """A course in `folder`, with what was handed in; s99 handed in nothing."""
    root = make_course(folder)
    assert lmcourse("release", cwd=root).returncode == 0
    (root / "secret").write_text("the secret of this course")
    released = (root / "exercises/tiny/tiny.ipynb").read_text("utf-8")
    for number, student in enumerate(CLASS):
        nb = answered(json.loads(released))
        if number % 3 == 1:
            answer(nb, "double", "def double(x): return x + 2")
        if number == 3:
            double(nb, "test_square")
        path = root / "in" / student / "tiny.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(nb), "utf-8")
    (root / "in" / "s99").mkdir()
    return root
