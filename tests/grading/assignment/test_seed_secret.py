"""The course secret: made once, its owner's, and long enough."""

import os
import secrets
import threading

import pytest

from lmcourse.grading.assignment.seed_secret import VARIABLE, course_secret


def test_a_secret_is_made_once_and_is_its_owner_s(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    secret = course_secret(tmp_path)
    (path,) = tmp_path.iterdir()
    assert len(secret) == 64
    assert course_secret(tmp_path) == secret
    assert os.name == "nt" or path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "left", [b"", b"\n", b"0123abc", b"f" * 15, bytes(65), b"0123" + bytes(61)]
)
def test_what_a_stopped_run_left_counts_as_none(tmp_path, monkeypatch, left):
    """A run that was killed, found the disk full or lost its power while it made the secret."""
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / ".course_secret").write_bytes(left)
    secret = course_secret(tmp_path)
    assert len(secret) == 64
    assert course_secret(tmp_path) == secret
    assert [path.name for path in tmp_path.iterdir()] == [".course_secret"]


@pytest.mark.parametrize("left", [b"too short\n", b"0123abc\n"])
def test_what_a_person_wrote_is_never_replaced(tmp_path, monkeypatch, left):
    monkeypatch.delenv(VARIABLE, raising=False)
    path = tmp_path / ".course_secret"
    path.write_bytes(left)
    with pytest.raises(ValueError, match=f"in {path} must have at least 16 characters"):
        course_secret(tmp_path)
    assert path.read_bytes() == left


def test_a_file_that_is_named_is_never_made(tmp_path):
    (tmp_path / "key").touch()
    with pytest.raises(ValueError, match=f"in {tmp_path / 'key'} must have .* got 0"):
        course_secret(tmp_path, tmp_path / "key")


def test_two_runs_that_find_half_a_secret_have_one(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / ".course_secret").write_bytes(b"")
    replace, others = os.replace, []
    other = threading.Thread(target=lambda: others.append(course_secret(tmp_path)))

    def second(*names):
        monkeypatch.setattr(os, "replace", replace)
        other.start()
        other.join(1.0)  # it would be faster, if it did not wait for the first
        return replace(*names)

    monkeypatch.setattr(os, "replace", second)
    first = course_secret(tmp_path)
    other.join()
    assert [first] == others == [course_secret(tmp_path)]


def test_two_runs_that_begin_at_once_have_one_secret(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    link, others = os.link, []

    def second(*names):
        monkeypatch.setattr(os, "link", link)
        others.append(course_secret(tmp_path))  # the other run is faster by a moment
        return link(*names)

    monkeypatch.setattr(os, "link", second)
    assert [course_secret(tmp_path)] == others


def test_a_stop_while_the_secret_is_made_leaves_none(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(secrets, "token_hex", stop)
        with pytest.raises(KeyboardInterrupt):
            course_secret(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(course_secret(tmp_path)) == 64


def test_a_secret_may_come_from_a_file_or_a_variable(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "a secret of the course")
    assert course_secret(tmp_path) == b"a secret of the course"
    file = tmp_path / "key"
    file.write_text("another secret of it\n")
    assert course_secret(tmp_path, file) == b"another secret of it"
    file.write_text("short")
    with pytest.raises(ValueError, match=f"{file} must have at least 16 characters, got 5"):
        course_secret(tmp_path, file)
    monkeypatch.setenv(VARIABLE, "few")
    with pytest.raises(ValueError, match=f"variable {VARIABLE} must have at least 16 .* got 3"):
        course_secret(tmp_path)
    with pytest.raises(ValueError, match="cannot be read"):
        course_secret(tmp_path, tmp_path / "none")
