"""Attacks by what else lies in a folder that is handed in, by odd files and by odd times.

They are as those of `attacks.folders`.
"""

import contextlib
import gzip
import json
import os
import socket
from pathlib import Path

from attacks.folders import Attack, notebook_is, write

_FAR = 1 << 40  # seconds: thirty thousand years


def _sockets(folder: Path, notebook: Path, course: Path) -> None:
    here = os.open(folder, os.O_RDONLY)  # its name below /proc is short enough for a socket
    for name in ("data.csv", ".hidden"):
        with socket.socket(socket.AF_UNIX) as ours:
            ours.bind(f"/proc/self/fd/{here}/{name}")
    os.close(here)


def _circles(folder: Path, notebook: Path, course: Path) -> None:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    (folder / "self").symlink_to(folder)
    (folder / "above").symlink_to("..")
    (folder / "nowhere").symlink_to("\n/nowhere")


def _chain(folder: Path, notebook: Path, course: Path) -> None:
    place = folder
    for _ in range(300):
        place = place / "within"
    write(place / "aim.ipynb", notebook.read_text("utf-8"))


def _many(folder: Path, notebook: Path, course: Path) -> None:
    (folder / "many").mkdir()
    for number in range(3_000):
        (folder / "many" / f"{number}.ipynb").touch()


def _second_names(folder: Path, notebook: Path, course: Path) -> None:
    for name in ("key", "grades.csv"):
        os.link(course / name, folder / name)


def _like_notebooks(folder: Path, notebook: Path, course: Path) -> None:
    right = (course / "in/000-good/aim/aim.ipynb").read_text("utf-8")
    for name in ("AIM.ipynb", "aim (1).ipynb", "aim.ipynb ", "aim.ipynb\u200b", "aim.ipynb.bak"):
        write(folder / name, right)
    write(folder / ".ipynb_checkpoints/aim-checkpoint.ipynb", right)
    write(folder / "aim/aim.ipynb", right)
    write(folder / "aim.ipynb~/aim.ipynb", right)


def _long_names(folder: Path, notebook: Path, course: Path) -> None:
    for name in ("x" * 255, "..x", "...", " ", "\u202egnp.exe", "~", "%2e%2e", "a:b", "CON", "\t"):
        write(folder / name, "x")
    for data in (b"\xed\xa0\x80", b"\xc3", b"\x1b]0;owned\x07", bytes(range(1, 47))):
        write(folder / os.fsdecode(data), "x")


def _closed(folder: Path, notebook: Path, course: Path) -> None:
    write(folder / "closed/data.csv", "x")
    write(folder / "data.csv", "x")
    (folder / "data.csv").chmod(0)
    (folder / "closed").chmod(0)


def _rights(folder: Path, notebook: Path, course: Path) -> None:
    write(folder / "run", "#!/bin/sh\ntouch owned\n")
    (folder / "run").chmod(0o6777)
    notebook.chmod(0o6777)
    folder.chmod(0o7777)
    with contextlib.suppress(OSError):  # not every file system has them
        os.setxattr(notebook, "user.owned", b"x" * 1_000)


def _settings(folder: Path, notebook: Path, course: Path) -> None:
    runs = "[core]\n\tfsmonitor = touch owned\n\thooksPath = .\n"
    write(folder / ".git/config", runs)
    write(folder / ".git/HEAD", "ref: refs/heads/main\n")
    write(folder / "pyproject.toml", "[tool.pytest.ini_options]\naddopts = '-p owned'\n")
    write(folder / "ipython_config.py", "open('owned', 'w')\n")
    write(folder / ".jupyter/jupyter_nbconvert_config.py", "open('owned', 'w')\n")
    for name in (".env", "setup.py", "nbgrader_config.json", "pyvenv.cfg", "x.pth", "__init__.py"):
        write(folder / name, "import os; open('owned', 'w')\n")


def _grades(folder: Path, notebook: Path, course: Path) -> None:
    """A gradebook, a report and feedback of its own, in the folder and beside it."""
    row = {"student": folder.parent.name, "score": 7, "problem": "", "grades": []}
    for place in (folder, folder.parent):
        write(place / "gradebook.db", "")
        write(place / "grades/aim.json", json.dumps({"students": [row]}))
        write(place / "feedback/aim.html", "<script>alert(1)</script>")
        write(place / ".grading/lock", "x")


def _other_assignments(folder: Path, notebook: Path, course: Path) -> None:
    right = (course / "in/000-good/aim/aim.ipynb").read_text("utf-8")
    for name in ("aim2", "AIM", "aim ", "-a", "$(touch owned)", "<img src=x onerror=alert(1)>"):
        write(folder.parent / name / "aim.ipynb", right)


def _times_of_files(seconds: int) -> Attack:
    def attack(folder: Path, notebook: Path, course: Path) -> None:
        with contextlib.suppress(OSError, OverflowError):  # not every file system has them
            os.utime(notebook, (seconds, seconds))
            os.utime(folder, (seconds, seconds))

    return attack


def _stamp(text: str) -> Attack:
    return lambda folder, notebook, course: write(folder / "timestamp.txt", text)


def _stamp_is_a_folder(folder: Path, notebook: Path, course: Path) -> None:
    write(folder / "timestamp.txt/x", "2026-01-01 00:00:00 UTC")


def _is_a_folder(folder: Path, notebook: Path, course: Path) -> None:
    text = notebook.read_text("utf-8")
    notebook.unlink()
    write(notebook / notebook.name, text)


def _is_a_socket(folder: Path, notebook: Path, course: Path) -> None:
    notebook.unlink()
    here = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as ours:
        ours.bind(f"/proc/self/fd/{here}/{notebook.name}")
    os.close(here)


def _is_a_circle(folder: Path, notebook: Path, course: Path) -> None:
    notebook.unlink()
    notebook.symlink_to(notebook.name)


def _twice(folder: Path, notebook: Path, course: Path) -> None:
    """A key twice: the first list of cells would be a right notebook."""
    right = json.loads((course / "in/000-good/aim/aim.ipynb").read_text("utf-8"))["cells"]
    own = notebook.read_text("utf-8").lstrip("{")
    notebook.write_text(f'{{"cells": {json.dumps(right)}, {own}', "utf-8")


_NUMBER = b'{"cells": [], "metadata": {"x": ' + b"9" * 5_000 + b'}, "nbformat": 4}'
_EMPTY = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}

ODD_FOLDERS: dict[str, Attack] = {
    "sockets beside the notebook": _sockets,
    "links in circles": _circles,
    "three hundred folders, each within another": _chain,
    "three thousand notebooks": _many,
    "the secret by a second name": _second_names,
    "right notebooks of nearly its name": _like_notebooks,
    "names that are long, or that no text can be": _long_names,
    "files and folders that nobody may read": _closed,
    "rights to be somebody else": _rights,
    "settings of other programs": _settings,
    "grades and a gradebook beside the notebook": _grades,
    "other assignments of the same learner": _other_assignments,
    "files from the far future": _times_of_files(_FAR),
    "files from before all time": _times_of_files(-_FAR),
    "a key of the notebook twice": _twice,
}
ODD_REFUSED: dict[str, Attack] = {
    "the notebook is a folder": _is_a_folder,
    "the notebook is a socket": _is_a_socket,
    "the notebook is a link to itself": _is_a_circle,
    "a number of five thousand digits": notebook_is(_NUMBER),
    "a notebook in UTF-16": notebook_is(json.dumps({**_EMPTY, "cells": []}).encode("utf-16")),
    "a notebook that is packed": notebook_is(gzip.compress(json.dumps(_EMPTY).encode())),
    "cells that are no list": notebook_is(json.dumps({**_EMPTY, "cells": {"0": {}}}).encode()),
}
ODD_TIMES: dict[str, Attack] = {
    "its time is a folder": _stamp_is_a_folder,
    "its time has a million digits": _stamp("2026" + "0" * 1_000_000),
}
# Times to nbgrader, which keeps their file.
ODD_STAMPS: dict[str, Attack] = {
    "handed in a thousand years from now": _stamp("3026-01-01 00:00:00 UTC"),
    "its time holds a zero": _stamp("2026-01-01\0 00:00:00 UTC"),
    "its time is in no zone": _stamp("2026-01-01 00:00:00 +99:99"),
}
