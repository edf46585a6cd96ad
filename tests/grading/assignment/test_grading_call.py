"""A wrong call of a teacher's command is told at once: before anything large is imported."""

import json
import os
import subprocess
import sys

import pytest
from tiny_course import make_course

from lmcourse.grading.assignment.course import find_course
from lmcourse.grading.assignment.grading_call import require_call
from lmcourse.grading.errors import MisuseError

LARGE = ["torch", "nbgrader", "nbconvert", "sqlalchemy", "jupyter_server", "numpy", "dask"]
TELL = f"""
import json, sys
from lmcourse.__main__ import main
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(set(sys.modules) & set({LARGE}))]))
"""


@pytest.fixture
def course(tmp_path):
    """Of one assignment, `tiny`; ada has handed in, and there is a short secret."""
    root = make_course(tmp_path / "course")
    handed_in = root / "in/ada/tiny.ipynb"
    handed_in.parent.mkdir(parents=True)
    handed_in.write_text("{}", "utf-8")
    (root / "empty").mkdir()
    (root / "short").write_text("abc", "utf-8")
    return root


WRONG = {
    "grade in -a nope": "assignment must be one of this course's (tiny), got 'nope'",
    "grade nowhere -a tiny": "FOLDER must be a folder of submissions, but nowhere does not exist",
    "grade empty -a tiny": "empty holds no submission",
    "grade solutions -a tiny": "FOLDER must hold what learners handed in, but solutions is the",
    "grade in -a tiny --secret lost": "the course secret lost cannot be read: No such file",
    "grade in -a tiny --secret short": "must have at least 16 characters, got 3",
    "grade in -a tiny --course empty": "empty holds no nbgrader_config.py",
    "report -a nope": "got 'nope'",
    "release nope": "got 'nope'",
    "late in -a nope": "got 'nope'",
    "similar in -a nope": "got 'nope'",
    "export -a nope": "got 'nope'",
    "export -a tiny --to word": "--to must be one of plain, moodle, canvas, got 'word'",
    "items -a nope": "got 'nope'",
    "items -a tiny": "run lmcourse grade first",
    "formgrader --course empty": "empty holds no nbgrader_config.py",
    "check lost.ipynb": "lost.ipynb: there is no such file",
}


@pytest.mark.parametrize("call", WRONG)
def test_a_wrong_call_is_told_before_anything_large_is_imported(course, call):
    done = subprocess.run(
        [sys.executable, "-c", TELL, *call.split()],
        cwd=course, env={**os.environ, "COLUMNS": "300"}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert WRONG[call] in done.stderr.replace(f"{course}/", "")
    assert json.loads(done.stdout.splitlines()[-1]) == [2, []]
    assert not (course / "gradebook.db").exists()


def test_a_good_call_is_none_of_these(course):
    (course / "long").write_text("a secret of the course", "utf-8")
    assert require_call(find_course(course), "tiny", course / "in", course / "long") is None


def test_the_folder_of_what_was_handed_in_is_not_the_course(course):
    found = find_course(course)
    for folder in (course, found.solutions, found.exercises):
        with pytest.raises(MisuseError, match="FOLDER must hold what learners handed in"):
            require_call(found, "tiny", folder)
