"""Attacks by what lies in the folder that is handed in, or by a file that is no notebook.

Each gets the folder with a notebook whose `f` is wrong, the notebook's path, and the course's
folder. REFUSED are those of which nothing can be graded: a row must say why.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

Attack = Callable[[Path, Path, Path], None]


def _links(folder: Path, notebook: Path, course: Path) -> None:
    for name in ("key", "grades.csv"):
        (folder / f"{name}.txt").symlink_to(course / name)
    (folder / "solutions").symlink_to(course / "solutions")
    (folder / "everything").symlink_to("/")


def _pipes(folder: Path, notebook: Path, course: Path) -> None:
    odd = folder / "[x]"
    odd.mkdir()
    for place in (folder / "data.csv", folder / ".hidden", odd / "data.csv"):
        os.mkfifo(place)


def _holes(folder: Path, notebook: Path, course: Path) -> None:
    for name in ("data.bin", "[x].bin"):
        with (folder / name).open("wb") as file:
            file.truncate(1 << 40)


def _time_is_a_pipe(folder: Path, notebook: Path, course: Path) -> None:
    os.mkfifo(folder / "timestamp.txt")


def _time_is_a_link(folder: Path, notebook: Path, course: Path) -> None:
    (folder / "timestamp.txt").symlink_to(course / "key")


def _time_is(text: str) -> Attack:
    return lambda folder, notebook, course: write(folder / "timestamp.txt", text)


def _modules(folder: Path, notebook: Path, course: Path) -> None:
    lie = "close = assert_close = equal = print\n"
    for name in ("torch.py", "sitecustomize.py", "usercustomize.py", "math.py", "conftest.py"):
        write(folder / name, lie)
    write(folder / "lmcourse/grading/testing.py", lie)
    write(folder / ".ipython/profile_default/startup/00.py", lie)
    write(folder / "nbgrader_config.py", "open('owned', 'w')\nraise SystemExit\n")


def _page(folder: Path, notebook: Path, course: Path) -> None:
    write(folder / "index.html", "<script>alert(1)</script>")
    write(folder / "aim.html", "<script>alert(1)</script>")


def _names(folder: Path, notebook: Path, course: Path) -> None:
    text = notebook.read_text("utf-8")
    for name in ("-rf.ipynb", "$(touch owned).ipynb", "a\nb.ipynb", "<img src=x>.ipynb", "*.ipynb"):
        write(folder / name, text)
    for data in (b"L\x94sung.ipynb", b"\x1b[2J.ipynb", b"\xff\xfe.zip"):
        write(folder / os.fsdecode(data), text)


def _notebook_is_a_pipe(folder: Path, notebook: Path, course: Path) -> None:
    notebook.unlink()
    os.mkfifo(notebook)


def _notebook_is_a_link(folder: Path, notebook: Path, course: Path) -> None:
    notebook.unlink()
    notebook.symlink_to(course / "in/000-good/aim/aim.ipynb")


def _notebook_is_the_solution(folder: Path, notebook: Path, course: Path) -> None:
    notebook.unlink()
    os.link(course / f"solutions/{notebook.stem}/{notebook.name}", notebook)


def _folder_is_a_link(folder: Path, notebook: Path, course: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(course / "in/000-good/aim")


def _learner_is_a_link(folder: Path, notebook: Path, course: Path) -> None:
    shutil.rmtree(folder.parent)
    folder.parent.symlink_to(course / "in/000-good")


def _notebook_is_full_of_holes(folder: Path, notebook: Path, course: Path) -> None:
    with notebook.open("wb") as file:
        file.truncate(1 << 40)


def notebook_is(data: bytes) -> Attack:
    """Something else stands where the notebook should."""
    return lambda folder, notebook, course: _put(notebook, data)


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def write(path: Path, text: str) -> None:
    """A file with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


_DEEP = b'{"cells": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
_CELLS = [{"cell_type": "code", "metadata": {}, "source": "1", "outputs": []}] * 2_000
_MANY = {"cells": _CELLS, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}

FOLDERS: dict[str, Attack] = {
    "links to what is not its own": _links,
    "pipes beside the notebook": _pipes,
    "files of a terabyte, all holes": _holes,
    "modules and settings of its own": _modules,
    "pages beside the notebook": _page,
    "names that act": _names,
}
REFUSED: dict[str, Attack] = {
    "the notebook is a pipe": _notebook_is_a_pipe,
    "the notebook is a link to a good one": _notebook_is_a_link,
    "the notebook is the solution by a second name": _notebook_is_the_solution,
    "the folder is a link to a good one": _folder_is_a_link,
    "the learner is a link to a good one": _learner_is_a_link,
    "a notebook of a terabyte, all holes": _notebook_is_full_of_holes,
    "an empty file": notebook_is(b""),
    "broken JSON": notebook_is(b'{"cells": ['),
    "JSON nested without end": notebook_is(_DEEP),
    "JSON that is no notebook": notebook_is(b"[1, 2]"),
    "worksheets without lists of cells": notebook_is(b'{"worksheets": [{"cells": 5}]}'),
    "bytes that are no text": notebook_is(b"\xff\xfe\x00{" * 100),
    "cells without end": notebook_is(json.dumps(_MANY).encode()),
}
# `lmcourse grade` does not look at the time; nbgrader reads it from this file.
TIMES: dict[str, Attack] = {
    "its time is a pipe": _time_is_a_pipe,
    "its time is a link to the secret": _time_is_a_link,
    "its time is no time": _time_is("yesterday, honestly"),
    "its time is beyond all years": _time_is("99999999-01-01 00:00:00 99999999999999"),
}
