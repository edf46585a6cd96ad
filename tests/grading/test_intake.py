"""One notebook for each learner, or the reason why there is none."""

import json

import pytest

from lmcourse.grading.errors import MisuseError
from lmcourse.grading.intake import collect

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
    assert problems(tmp_path) == {"ada": ""}


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
    ],
)
def test_a_folder_without_submissions_is_misuse(tmp_path, make, words):
    make(tmp_path / "in")
    with pytest.raises(MisuseError, match=words):
        collect(tmp_path / "in", "tiny")
