"""One notebook for each learner, or the reason why there is none."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.grading.assignment import handed_in
from lmcourse.grading.assignment.handed_in import collect, entries, ignored, shown
from lmcourse.grading.assignment.notebooks import read_cells
from lmcourse.grading.errors import MisuseError

NOTEBOOK = json.dumps({"cells": [{"cell_type": "code", "source": "x"}], "nbformat": 4})


def put(path, text=NOTEBOOK):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def problems(folder):
    return {one.student: one.problem for one in collect(folder, "tiny")}


def test_the_three_places_sorted_by_name(tmp_path):
    put(tmp_path / "cleo" / "tiny.ipynb")
    put(tmp_path / "ada" / "tiny" / "tiny.ipynb")
    put(tmp_path / "ben.ipynb")
    found = collect(tmp_path, "tiny")
    assert [(one.student, one.problem, len(one.cells)) for one in found] == [
        ("ada", "", 1),
        ("ben", "", 1),
        ("cleo", "", 1),
    ]


def test_only_the_expected_notebook_counts_and_only_submissions_are_rows(tmp_path):
    put(tmp_path / "ada" / "tiny.ipynb")
    put(tmp_path / "ada" / "old.ipynb", "broken")
    put(tmp_path / "ada" / "torch.py", "raise SystemExit")
    put(tmp_path / "roster.csv", "name")
    for name in (".DS_Store", "__MACOSX", ".ipynb_checkpoints"):
        (tmp_path / name).mkdir()
    for name in ("Thumbs.db", "DESKTOP.INI", "~$list.docx", "roster.csv~"):
        put(tmp_path / name)
    assert problems(tmp_path) == {"ada": ""}
    assert ignored(tmp_path) == ["roster.csv: it is no submission: move it elsewhere"]


def test_what_is_hidden_may_be_a_submission_and_is_named(tmp_path):
    put(tmp_path / "ada.ipynb")
    for name in (".hidden.ipynb", ".dot/tiny.ipynb", "ben.ipynb~"):
        put(tmp_path / name)
    for name in ("._ada.ipynb", "__pycache__/x.pyc", ".git/config", ".gitignore"):
        put(tmp_path / name)
    assert problems(tmp_path) == {"ada": ""}
    hidden = "it is hidden: if it is a submission, give it a name without the dot in front"
    assert ignored(tmp_path) == [
        f".dot: {hidden}",
        f".hidden.ipynb: {hidden}",
        "ben.ipynb~: it is no submission: move it elsewhere",
    ]


@pytest.mark.parametrize("name", ["zoé", "林", "דנה"])
def test_the_rule_for_ids_says_which_letters(tmp_path, name):
    put(tmp_path / f"{name}.ipynb")
    assert "(letters a to z and A to Z, digits, . _ -, at most 64)" in problems(tmp_path)[name]


@pytest.mark.parametrize(
    ("name", "student", "words"),
    [
        ("ida.IPYNB", "ida", "if it is the notebook, rename it to ida.ipynb"),
        ("ida.ipynb.txt", "ida", "if it is the notebook, rename it to ida.ipynb"),
        ("ida.ipynb.json", "ida", "if it is the notebook, rename it to ida.ipynb"),
        ("ida.json", "ida", "if it is the notebook, rename it to ida.ipynb"),
        ("ida.zip", "ida", "unpack it into a folder ida"),
        ("ida.tar.gz", "ida", "unpack it into a folder ida"),
        ("ida.py", "ida", "it is no notebook: ask for the file that ends in .ipynb"),
        ("ida.HTML", "ida", "it is no notebook: ask for"),
        ("Lo\udc94sung.zip", r"Lo\udc94sung", "unpack it into a folder"),
    ],
)
def test_a_notebook_in_another_form_is_a_row_that_says_what_to_do(tmp_path, name, student, words):
    put(tmp_path / "ada.ipynb")
    put(tmp_path / name)
    found = problems(tmp_path)
    assert list(found) == sorted(["ada", student])
    assert found[student].startswith(f"it is {shown(name)}: {words}")
    assert ignored(tmp_path) == []


def test_another_form_beside_the_notebook_is_ignored_with_a_word(tmp_path):
    put(tmp_path / "ada" / "tiny.ipynb")
    put(tmp_path / "ada.zip")
    put(tmp_path / "ben.zip")
    put(tmp_path / "ben.html")
    put(tmp_path / "cleo")  # a file without an ending
    os.mkfifo(tmp_path / "pipe")
    found = problems(tmp_path)
    assert found == {"ada": "", "ben": found["ben"]}
    assert "ask for the file" in found["ben"]
    assert [line.partition(":")[0] for line in ignored(tmp_path)] == [
        *("ada.zip", "ben.zip", "cleo", "pipe")
    ]


def test_a_folder_without_the_notebook_says_what_is_there(tmp_path):
    put(tmp_path / "case" / "tiny.IPYNB")
    put(tmp_path / "text" / "tiny.ipynb.txt")
    put(tmp_path / "zip" / "tiny.zip")
    put(tmp_path / "deeper" / "sub" / "tiny.ipynb")
    put(tmp_path / "class" / "ada" / "tiny" / "tiny.ipynb")
    put(tmp_path / "note" / "L\udc94sung.docx")
    put(tmp_path / "rubbish" / ".DS_Store")
    words = {
        "case": "but tiny.IPYNB: if it is the notebook, rename it to tiny.ipynb",
        "text": "but tiny.ipynb.txt: if it is the notebook, rename it",
        "zip": "but tiny.zip: unpack it into a folder tiny",
        "deeper": "but sub/tiny.ipynb: move it up to deeper/tiny.ipynb",
        "class": "but ada/tiny/tiny.ipynb: move it up to class/tiny.ipynb",
        "note": r"but L\udc94sung.docx: it is no notebook",
        "rubbish": "there is no tiny.ipynb",
    }
    found = problems(tmp_path)
    assert set(found) == set(words)
    for student, expected in words.items():
        assert expected in found[student], student


NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: not {*name} & {*b"/\0"} and name not in (b".", b"..", b"ada")
)


@given(names=st.lists(st.tuples(NAMES, st.sampled_from(["", ".ipynb", ".zip", ".txt"]))), data=...)
def test_whatever_a_file_is_called_its_name_becomes_plain_text(tmp_path_factory, names, data: bool):
    folder = Path(tmp_path_factory.mktemp("in"))
    put(folder / "ada.ipynb")
    for name, ending in names:
        path = folder / os.fsdecode(name + ending.encode())
        if data and not path.exists():
            put(path / path.name)
        elif not path.exists():
            put(path)
    said = [f"{one.student}: {one.problem}" for one in collect(folder, "tiny")]
    assert "ada: " in said
    for line in [*said, *ignored(folder)]:
        assert line.isprintable(), line
        assert line.encode("utf-8").decode() == line


def test_what_nobody_thought_of_is_one_learner_s_row(tmp_path, monkeypatch):
    put(tmp_path / "ada.ipynb")
    put(tmp_path / "ben.ipynb")
    monkeypatch.setattr(handed_in, "read_cells", lambda path, **_: {"ada.ipynb": []}[path.name])
    assert problems(tmp_path) == {"ada": "", "ben": "it cannot be read (KeyError)"}


def test_an_entry_that_cannot_be_looked_at_is_not_the_end(tmp_path, monkeypatch):
    put(tmp_path / "ada.ipynb")
    put(tmp_path / "stale.zip")
    is_dir = Path.is_dir

    def failing(path):
        if path.name == "stale.zip":
            raise OSError(116, "Stale file handle")
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", failing)
    assert [*problems(tmp_path)] == ["ada", "stale"]


def test_two_names_never_become_one_learner(tmp_path):
    """A name with a control character in it must not pass for the name without."""
    put(tmp_path / "ada" / "tiny.ipynb")
    put(tmp_path / "ada\x07" / "tiny.ipynb")
    found = problems(tmp_path)
    assert found["ada"] == ""
    assert "no student id" in found[r"ada\x07"]
    assert len(entries(tmp_path, "tiny")) == 2


def test_what_is_odd_becomes_a_row(tmp_path):
    put(tmp_path / "no-notebook" / "readme.txt", "hello")
    put(tmp_path / "other-name" / "tiny (1).ipynb")
    put(tmp_path / "two" / "tiny.ipynb")
    put(tmp_path / "two" / "tiny" / "tiny.ipynb")
    put(tmp_path / "both.ipynb")
    put(tmp_path / "both" / "tiny.ipynb")
    put(tmp_path / "tiny.ipynb")
    put(tmp_path / "a[b" / "tiny.ipynb")
    put(tmp_path / "-dash" / "tiny.ipynb")
    put(tmp_path / ("x" * 65) / "tiny.ipynb")
    put(tmp_path / "bad" / "tiny.ipynb", "{")
    (tmp_path / "link").symlink_to(tmp_path / "two")
    (tmp_path / "folder" / "tiny.ipynb").mkdir(parents=True)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "tiny").symlink_to(tmp_path / "two" / "tiny")
    found = problems(tmp_path)
    words = {
        "no-notebook": "there is no tiny.ipynb",
        "other-name": "but tiny (1).ipynb: rename",
        "two": "it holds two",
        "both": "a folder and a file",
        "tiny": "move it to <student>/tiny.ipynb",
        "a[b": "no student id",
        "-dash": "no student id",
        "x" * 65: "no student id",
        "bad": "JSON is broken",
        "link": "a link",
        "folder": "a folder",
        "inner": "tiny/ in it is a link",
    }
    assert set(found) == set(words)
    for student, expected in words.items():
        assert expected in found[student], student
    assert len(collect(tmp_path, "tiny")) == len(words) + 1  # `both` is there twice


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text(""), "is a file"),
        (lambda path: path.mkdir(), "holds no submission: it must hold <student>/tiny.ipynb"),
        (lambda path: put(path / "roster.csv"), r"or <student>\.ipynb; there is roster\.csv"),
    ],
)
def test_a_folder_without_submissions_is_misuse(tmp_path, make, words):
    make(tmp_path / "in")
    with pytest.raises(MisuseError, match=words):
        collect(tmp_path / "in", "tiny")


def test_a_file_of_a_second_name_may_be_somebody_else_s(tmp_path):
    """Whose it is nobody can tell, so that a person must look; the author's own may have two."""
    solution = tmp_path / "solutions/tiny/tiny.ipynb"
    folder = tmp_path / "in"
    for path in (solution, folder / "ada/tiny.ipynb", folder / "cleo/tiny.ipynb"):
        put(path)
    (folder / "eve").mkdir()
    os.link(folder / "ada/tiny.ipynb", folder / "eve/tiny.ipynb")
    os.link(solution, folder / "finn.ipynb")
    said = problems(folder)
    assert (said.pop("cleo"), sorted(said)) == ("", ["ada", "eve", "finn"])
    for problem in said.values():
        assert problem == (
            "its file has 2 names (hard links), so that it may be somebody else's: if it is not,"
            " grade a copy of the folder, made with `cp -r`"
        )
    assert len(read_cells(solution)) == 1
    shutil.copytree(folder, tmp_path / "copy")
    assert set(problems(tmp_path / "copy").values()) == {""}
