"""Whole files or none, whatever happens while they are written."""

import errno
import os
import subprocess
import sys

import pytest

from lmcourse import files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("contents", ["Ein Satz: 语言\r\n", b"\x00\xff"])
def test_what_was_written_comes_back_and_nothing_else_is_left(tmp_path, contents):
    path = files.write_file(tmp_path / "new" / "file", contents)
    wanted = contents.encode() if isinstance(contents, str) else contents
    assert path.read_bytes() == wanted
    assert names(path.parent) == ["file"]


def test_text_that_is_no_unicode_is_written_as_an_escape(tmp_path):
    assert files.write_file(tmp_path / "file", "L\udc94sung").read_text("utf-8") == r"L\udc94sung"


def test_a_block_that_raises_leaves_the_last_file(tmp_path):
    path = files.write_file(tmp_path / "file", "old")

    def write_half():
        with files.replacing(path) as part:
            part.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_last_file(tmp_path, monkeypatch, step):
    path = files.write_file(tmp_path / "file", "old")
    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left"):
        files.write_file(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_the_contents_are_on_the_disk_before_they_take_the_name(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(os, "fsync", lambda _: order.append("contents"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *a: (order.append("name"), replace(*a)))
    files.write_file(tmp_path / "file", "new")
    assert order[:2] == ["contents", "name"]


def folder(path, text):
    files.write_file(path / "inner" / "file", text)
    return path


def test_a_folder_is_replaced_with_all_that_is_in_it(tmp_path):
    target, fresh = folder(tmp_path / "target", "old"), folder(tmp_path / "fresh", "new")
    (target / "gone").touch()
    files.replace_folder(target, fresh)
    assert names(target) == ["inner"]
    assert (target / "inner" / "file").read_text() == "new"
    assert names(tmp_path) == ["fresh", "target"]


def test_a_folder_that_cannot_be_copied_leaves_the_last_one(tmp_path, monkeypatch):
    target, fresh = folder(tmp_path / "target", "old"), folder(tmp_path / "fresh", "new")
    monkeypatch.setattr(files.shutil, "copytree", full)
    with pytest.raises(OSError, match="No space left"):
        files.replace_folder(target, fresh)
    assert (target / "inner" / "file").read_text() == "old"
    assert names(tmp_path) == ["fresh", "target"]


KILLED_BETWEEN = """
import os, sys
from pathlib import Path
from lmcourse import files
rename, target, fresh = Path.rename, Path(sys.argv[1]), Path(sys.argv[2])
def stop(self, other):
    if other == target:
        os._exit(9)
    return rename(self, other)
Path.rename = stop
files.replace_folder(target, fresh)
"""


def test_a_process_that_is_killed_between_the_renames_loses_no_folder(tmp_path):
    target, fresh = folder(tmp_path / "target", "old"), folder(tmp_path / "fresh", "new")
    command = [sys.executable, "-c", KILLED_BETWEEN, str(target), str(fresh)]
    assert subprocess.run(command, check=False).returncode == 9
    assert not target.exists()
    files.restore_folder(target)
    assert (target / "inner" / "file").read_text() == "old"
    files.replace_folder(target, fresh)
    assert names(tmp_path) == ["fresh", "target"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_what_to_do(code):
    assert files.is_full(OSError(code, os.strerror(code)))
    assert files.is_full(RuntimeError(f"I/O error: {os.strerror(code)} (os error {code})"))
    assert files.reason(OSError(code, os.strerror(code))) == files.FULL


def test_other_reasons_are_the_systems_own_words():
    assert not files.is_full(OSError(errno.EACCES, "Permission denied"))
    assert files.reason(OSError(errno.EACCES, "Permission denied", "a")) == "Permission denied"
    assert files.reason(ValueError("odd")) == "odd"
    assert files.reason(ValueError()) == "ValueError"
