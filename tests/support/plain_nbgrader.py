"""nbgrader's own commands, as an instructor without ours would give them."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

_SCORES = """
select student_id, total(auto_score) from grade
join submitted_notebook on submitted_notebook.id = grade.notebook_id
join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id
group by student_id
"""


def nbgrader(*arguments, cwd: Path) -> str:
    """What the command printed; it must have succeeded."""
    done = run([str(Path(sys.executable).with_name("nbgrader"))], *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def run(program, *arguments, cwd: Path) -> subprocess.CompletedProcess:
    """The program, which finds this environment's commands."""
    path = str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", "")
    return subprocess.run(
        [*program, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PATH": path, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )


def autograde(course: Path, assignment: str, *options: str) -> dict[str, float]:
    """Releases and grades what lies in `submitted`; each student's points from tests."""
    nbgrader("generate_assignment", assignment, "--force", cwd=course)
    nbgrader("autograde", assignment, *options, cwd=course)
    with sqlite3.connect(course / "gradebook.db") as db:
        return dict(db.execute(_SCORES))
