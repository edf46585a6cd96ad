"""A gradebook that cannot be used is found before anything is graded, and nothing is lost."""

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from tiny_course import make_course

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from nbgrader.api import Gradebook

    from lmcourse.grading.assignment.course import find_course
    from lmcourse.grading.batch.grade import prepare
    from lmcourse.grading.batch.graded_class import class_from_gradebook
    from lmcourse.grading.errors import FailureError
    from lmcourse.grading.formgrader.launch import open_formgrader
    from lmcourse.grading.gradebook import database
    from lmcourse.grading.gradebook.database import (
        copy_of,
        keep_copy,
        make_gradebook,
        require_usable,
        sqlite_url,
    )
    from lmcourse.grading.gradebook.results import Options

ODD = ["a?b", "a%20b", "a#b", "a%3Fb", "a?mode=ro&b", "a b;c'd", "语言"]


@pytest.fixture
def path(tmp_path, empty_gradebook) -> Path:
    path = tmp_path / "gradebook.db"
    path.write_bytes(empty_gradebook)
    return path


def refused(path: Path) -> str:
    """What is said of it; it is left as it was."""
    before = path.read_bytes()
    with pytest.raises(FailureError) as caught:
        require_usable(sqlite_url(path), path)
    assert path.read_bytes() == before
    assert str(path) in str(caught.value)
    return str(caught.value)


def age(path: Path) -> None:
    """Make it one of nbgrader before it knew of courses."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        (table,) = db.execute("select sql from sqlite_master where name = 'assignment'").fetchone()
        for part in (r"\s*course_id [^,]*,", r",\s*FOREIGN KEY\(course_id\)[^)]*\)"):
            table, n_found = re.subn(part, "", table)
            assert n_found == 1
        for statement in ("drop table assignment", "drop table course", table):
            db.execute(statement)
        db.execute("update alembic_version set version_num = '282d30a0218e'")
        db.commit()


@pytest.mark.parametrize("folder", ODD)
def test_a_gradebook_lies_in_a_folder_of_any_name(tmp_path, empty_gradebook, folder):
    path = tmp_path / folder / "gradebook.db"
    path.parent.mkdir()
    path.write_bytes(empty_gradebook)
    require_usable(sqlite_url(path), path)
    keep_copy(path)
    with Gradebook(sqlite_url(path)) as gradebook:
        gradebook.add_student("ada")
    assert path.read_bytes() != empty_gradebook
    assert sorted(place.name for place in path.parent.iterdir()) == [
        "gradebook.backup.db",
        "gradebook.db",
    ]
    assert [place.name for place in tmp_path.iterdir()] == [folder]  # and nothing strayed


def test_a_gradebook_is_made_in_a_folder_of_any_name(tmp_path):
    path = tmp_path / "a?b%20c#d" / "gradebook.db"
    path.parent.mkdir()
    make_gradebook(path)
    require_usable(sqlite_url(path), path)
    assert [place.name for place in path.parent.iterdir()] == ["gradebook.db"]
    assert len(list(tmp_path.iterdir())) == 1


def test_one_that_is_new_or_empty_is_usable(tmp_path, path):
    require_usable(sqlite_url(path), path)
    nowhere = tmp_path / "nowhere.db"
    require_usable(sqlite_url(nowhere), nowhere)
    assert not nowhere.exists()
    nowhere.touch()
    require_usable(sqlite_url(nowhere), nowhere)


def test_an_older_one_is_named_with_the_command_that_helps(path):
    age(path)
    said = refused(path)
    assert "made by an older nbgrader (it has no table course, assignment.course_id)" in said
    assert f"`nbgrader db upgrade --db=sqlite:///{path}`" in said


@pytest.mark.slow
def test_the_command_helps(path):
    age(path)
    (command,) = [part for part in refused(path).split("`") if part.startswith("nbgrader")]
    bin_folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(command, shell=True, check=True, cwd=path.parent, env=environment)
    require_usable(sqlite_url(path), path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: os.urandom(5000),
        lambda data: data[: len(data) // 2],
        lambda data: data[:-100],
        lambda data: b"no database at all",
        lambda data: data[:4096] + bytes(4096) + data[8192:],
    ],
)
def test_a_damaged_one_is_named_with_what_to_do(path, damage):
    path.write_bytes(damage(path.read_bytes()))
    said = refused(path)
    assert "is damaged (" in said
    assert "put a copy of yours in its place, or move it away" in said
    copy_of(path).touch()
    assert "gradebook.backup.db beside it is a copy from before the last run" in refused(path)


@pytest.mark.parametrize("how", ["immediate", "exclusive"])
def test_a_locked_one_is_named(path, monkeypatch, how):
    monkeypatch.setattr(database, "_PATIENCE", 0.01)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"begin {how}")
        assert "is locked by another program that writes to it" in refused(path)
    require_usable(sqlite_url(path), path)


def test_a_copy_has_all_and_the_next_takes_its_place(path):
    keep_copy(path.with_name("nowhere.db"))
    with contextlib.closing(sqlite3.connect(path)) as db:
        for name in ("ada", "ben"):
            db.execute("insert into student (id) values (?)", [name])
            db.commit()
            keep_copy(path)
            with contextlib.closing(sqlite3.connect(copy_of(path))) as copy:
                rows = copy.execute("select id from student").fetchall()
            assert rows == db.execute("select id from student").fetchall()
    assert sorted(p.name for p in path.parent.iterdir()) == ["gradebook.backup.db", "gradebook.db"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (age, "nbgrader db upgrade"),
        (lambda path: path.write_bytes(os.urandom(5000)), "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:50_000]), "is damaged"),
    ],
)
def test_no_command_touches_what_an_earlier_run_left_beside_a_gradebook_of_no_use(
    tmp_path, empty_gradebook, spoil, words
):
    """Feedback and reports of before stay to the byte, and one line says what to do."""
    root = make_course(tmp_path / "course")
    gradebook = root / "gradebook.db"
    gradebook.write_bytes(empty_gradebook)
    spoil(gradebook)
    row = '{"student": "ada", "problem": "", "score": 5, "grades": []}'
    left = {
        "in/ada/tiny.ipynb": '{"cells": []}',
        "feedback/ada/tiny/tiny.html": "the page of before",
        "grades/tiny.csv": "the table of before",
        "grades/tiny.json": f'{{"students": [{row}], "points": 6}}',
        "autograded/ada/tiny/tiny.ipynb": '{"cells": [], "metadata": {}, "nbformat": 4}',
    }
    for name, text in left.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    before = gradebook.read_bytes()
    course, unprotected = find_course(root), Options(sandbox=False)
    for command in (
        lambda: prepare(course, "tiny", root / "in", None, unprotected),
        lambda: class_from_gradebook(course, "tiny", None),
        lambda: contextlib.nullcontext(open_formgrader(course, None, 0, [])),
    ):
        with pytest.raises(FailureError, match=words) as caught, command():
            pass
        assert str(gradebook) in str(caught.value)
    assert gradebook.read_bytes() == before
    assert {name: (root / name).read_text() for name in left} == left
    assert not copy_of(gradebook).exists()
