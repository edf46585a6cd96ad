"""A release is there, the old one or the new one, wherever its making was stopped."""

import json
import os
import warnings
from pathlib import Path

import pytest
from tiny_course import cell, make_course

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.assignment import release
    from lmcourse.grading.assignment.course import find_course
    from lmcourse.grading.errors import FailureError


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course whose release holds one file with the text in `edition`; nbgrader is not asked."""
    course = find_course(make_course(tmp_path / "course"))

    def convert(course, slug, scratch, *, database):
        (scratch / slug).mkdir()
        (scratch / slug / "data.txt").write_text((course.root / "edition").read_text())
        return scratch

    monkeypatch.setattr(release, "convert", convert)
    monkeypatch.setattr(release, "_check", lambda *_: None)
    (course.root / "edition").write_text("first")
    assert release.release(course, "tiny").changed
    (course.root / "edition").write_text("second")
    return course


def text(course) -> str:
    return (course.exercises / "tiny/data.txt").read_text()


def test_a_release_takes_the_place_of_the_last_one(course):
    assert release.release(course, "tiny", write=False).changed
    assert text(course) == "first"
    assert release.release(course, "tiny").changed
    assert text(course) == "second"
    assert not release.release(course, "tiny").changed
    assert [path.name for path in course.exercises.iterdir()] == ["tiny"]


@pytest.mark.parametrize("at", ["the first", "the second"])
def test_no_stop_between_two_renames_loses_the_release(course, monkeypatch, at):
    target, rename = course.exercises / "tiny", Path.rename

    def stopping(source, goal):
        if target in ((source, Path(goal))[at == "the second"],):
            raise KeyboardInterrupt
        return rename(source, goal)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", stopping)
        patched.setattr(os, "replace", stopping)
        with pytest.raises(KeyboardInterrupt):
            release.release(course, "tiny")
    # It is there, or beside its place until the next release finds it.
    kept = [path.read_text() for path in course.exercises.rglob("data.txt")]
    assert "first" in kept
    (course.root / "edition").write_text("first")
    release.release(course, "tiny")
    assert text(course) == "first"
    assert [path.name for path in course.exercises.iterdir()] == ["tiny"]


def test_a_zip_is_whole_or_the_last_one(course, monkeypatch):
    done = release.release(course, "tiny")
    path = release.write_zip(done, course.root)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(release.zipfile.ZipFile, "writestr", full)
    with pytest.raises(OSError, match="No space left"):
        release.write_zip(done, course.root)
    assert path.read_bytes() == before


def test_a_test_that_counting_its_calls_would_pass_is_refused(tmp_path):
    cells = [
        cell("code", "even", "def even(n):\n    raise NotImplementedError()", solution=True),
        cell("code", "test_even", "assert even(2)\nassert not even(3)", grade=True, points=1),
    ]
    path = tmp_path / "tiny.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nb = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(nb), "utf-8")
    said = r"tiny: test_even expects the same True and False .* \(line 1, 2\), .* `verdicts`"
    with pytest.raises(FailureError, match=said):
        release._refuse_fixed_verdicts(path, path)
    cells[1]["source"] = "a, b = verdicts(even, [2, 3])\nassert a and not b"
    path.write_text(json.dumps(nb), "utf-8")
    release._refuse_fixed_verdicts(path, path)


def test_a_folder_that_nbgrader_takes_for_a_pattern_is_named(tmp_path):
    course = find_course(make_course(tmp_path / "class [a]"))
    with pytest.raises(FailureError) as refused:
        release.release(course, "tiny")
    assert str(refused.value) == (
        f"tiny was not released: nbgrader takes the [ and ] in {course.root} for a pattern. Give"
        " the folder a name without"
    )
