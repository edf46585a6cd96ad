"""A class of eight that hands in `tiny`, graded by the real command; and what came of it."""

import json
import subprocess
import sys
import time
from pathlib import Path

from notebook_edits import answer, double
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from tiny_course import answered, make_course

CLASS = [f"s{number:02}" for number in range(8)]


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "lmcourse", *map(str, arguments)]


def lmcourse(*arguments, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=600, check=False
    )


def grade(course: Path, out: Path, *options) -> subprocess.CompletedProcess:
    # One secret for all: scores must not depend on who grades.
    secret = ("--secret", course / "secret")
    return lmcourse(
        "grade", course / "in", "-a", "tiny", "--output", out, *secret, *options, cwd=course
    )


def start(course: Path, out: Path, **options) -> subprocess.Popen:
    """The same with two workers, in the background.

    Args:
        options: for Popen.
    """
    given = ("-a", "tiny", "--output", out, "--secret", course / "secret", "-n", 2)
    return subprocess.Popen(command("grade", course / "in", *given), cwd=course, **options)


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


def wait_for(holds, seconds=300):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


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
        if number == 5:
            double(nb, "test_square")
        path = root / "in" / student / "tiny.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(nb), "utf-8")
    (root / "in" / "s99").mkdir()
    return root
