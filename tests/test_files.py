"""Whole files or none, whatever happens while they are written."""

import ast
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lmcourse import files

PACKAGE = Path(files.__file__).parent


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


def test_a_folder_is_written_with_what_it_is_to_hold_and_nothing_else(tmp_path):
    target = folder(tmp_path / "target", "old")
    files.write_folder(target, {"a": b"1", "inner/deeper/b": b"2"})
    assert names(target) == ["a", "inner"]
    assert names(target / "inner") == ["deeper"]
    assert (target / "inner/deeper/b").read_bytes() == b"2"
    assert names(tmp_path) == ["target"]


def test_a_folder_that_cannot_be_written_leaves_the_last_one(tmp_path, monkeypatch):
    target = folder(tmp_path / "target", "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_folder(target, {"a": b"1"})
    assert (target / "inner" / "file").read_text() == "old"
    assert names(tmp_path) == ["target"]


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


def test_the_first_to_create_a_file_wins_and_an_empty_one_counts_as_none(tmp_path):
    path = tmp_path / "secret"
    path.touch()
    for text in ("first", "second"):
        files.create_file(path, text)
    assert path.read_text() == "first"
    assert path.stat().st_mode & 0o077 == 0
    assert names(tmp_path) == ["secret"]


def test_a_file_that_cannot_be_created_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.create_file(tmp_path / "secret", "text")
    assert names(tmp_path) == []


def test_a_file_is_created_where_the_disk_knows_no_links(tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", unknown)
    for text in ("first", "second"):
        files.create_file(tmp_path / "secret", text)
    assert (tmp_path / "secret").read_text() == "first"


# Who else opens a file to write, and why that is no whole file with a name of its own.
WRITERS = {
    "files.py": "it is the one",
    "cgroups.py": "settings of the kernel, in files of its own",
    "lock.py": "the lock itself, which others read while it is held",
    "namespaces.py": "settings of the kernel in /proc",
    "run_folder.py": "a table that grows line by line, and its repair",
    "id_files.py": "a file that grows for hours, under another name until it is whole",
    "output.py": "the notes beside it, which grow in the same way",
    "learner_side.py": "in the sandbox, whose folders end with it",
    "submission.py": "in a folder for one submission that nobody else sees",
    "torch_files.py": "in the same copy",
    "course_package.py": "in a copy of the package that nobody else sees",
}
RENAMES = {"os.replace", "os.rename", "os.link", "shutil.move"}
OPENS = ("open", "os.fdopen", "fdopen")


def writes(tree):
    """The lines that write or rename a file, in the ways that Python offers."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        method = name.rpartition(".")[2] if isinstance(node.func, ast.Attribute) else ""
        words = [
            *(arg.value for arg in node.args if isinstance(arg, ast.Constant)),
            *(key.value.value for key in node.keywords if isinstance(key.value, ast.Constant)),
        ]
        to_write = any(isinstance(word, str) and word[:1] in ("w", "x", "a") for word in words)
        renames = name in RENAMES or (
            # Of strings `replace` takes two.
            method in ("rename", "replace") and len(node.args) == 1 and not node.keywords
        )
        if (
            renames
            or method in ("write_text", "write_bytes")
            or ((name in OPENS or method == "open") and to_write)
        ):
            yield node.lineno


def test_nobody_else_writes_whole_files():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        lines = list(writes(ast.parse(path.read_text("utf-8"))))
        if lines and path.name not in WRITERS:
            found[str(path.relative_to(PACKAGE))] = lines
    assert found == {}, "use lmcourse.files"


def test_whoever_may_write_does():
    writing = {
        p.name for p in PACKAGE.rglob("*.py") if list(writes(ast.parse(p.read_text("utf-8"))))
    }
    assert set(WRITERS) - writing == set(), "no longer needed in WRITERS"


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("os.replace(a, b)", True),
        ("path.rename(other)", True),
        ("path.replace(other)", True),
        ("text.replace('a', 'b')", False),
        ("path.write_text(text, encoding='utf-8')", True),
        ("path.write_bytes(data)", True),
        ("open(path, 'w')", True),
        ("path.open('wb')", True),
        ("path.open(mode='x')", True),
        ("open(path)", False),
        ("path.open('rb')", False),
        ("path.open(encoding='utf-8')", False),
    ],
)
def test_the_rule_sees_who_writes(line, seen):
    assert bool([*writes(ast.parse(line))]) == seen
