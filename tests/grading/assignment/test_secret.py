"""The course secret: made once, its owner's, and long enough."""

import os

import pytest

from lmcourse.grading.assignment.secret import VARIABLE, course_secret


def test_a_secret_is_made_once_and_is_its_owner_s(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    secret = course_secret(tmp_path)
    (path,) = tmp_path.iterdir()
    assert len(secret) == 64
    assert course_secret(tmp_path) == secret
    assert os.name == "nt" or path.stat().st_mode & 0o077 == 0


def test_a_secret_may_come_from_a_file_or_a_variable(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "a secret of the course")
    assert course_secret(tmp_path) == b"a secret of the course"
    file = tmp_path / "key"
    file.write_text("another secret of it\n")
    assert course_secret(tmp_path, file) == b"another secret of it"
    file.write_text("short")
    with pytest.raises(ValueError, match="at least 16 characters, got 5"):
        course_secret(tmp_path, file)
    with pytest.raises(ValueError, match="cannot be read"):
        course_secret(tmp_path, tmp_path / "none")
