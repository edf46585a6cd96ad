"""Hostile submissions, each between two good ones, through `lmcourse grade`.

Every one of them deserves 0 points. None may get a point, see or change what is not its own, reach
the network, or cost a neighbor anything; see tests/attacks for what each one tries.

    python tools/hostile.py [WORD]...     only the attacks whose names hold a WORD
"""

import argparse
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/grading")]

from attacks import ATTACKS, FALSE, RIGHT, SETUP, TESTS, source  # noqa: E402
from attacks.notebooks import NOTEBOOKS  # noqa: E402
from notebook_edits import answer  # noqa: E402
from tiny_course import CONFIG, cell  # noqa: E402

AIM = "aim"  # the assignment
HIDDEN = "mark of a hidden test, 7f3a"
NEIGHBOR = "mark of a neighbor, 91cc"
HOST = "mark of a file on this machine, 5be0"
KEY = "mark of the course secret, 2d4e"
NAMES = [f"test_{number}" for number in range(len(TESTS))]
GOOD = len(TESTS) - 0.5  # the test "award" gives a half, whoever passes it
SECONDS = 2  # for a cell or a test: whatever loops should not loop for long
ACTIVE = ("<script", "<img src=x", "onerror=alert", "text/html", "application/javascript")


@dataclass(kw_only=True)
class Case:
    """One attack, and all that is wrong with how it was graded."""

    name: str
    student: str
    wrong: list[str] = field(default_factory=list)
    points: float = 0.0
    ungraded: int = 0


def author_notebook() -> dict:
    """The assignment with its answer and hidden tests."""
    signature = "def f(x):\n    ### BEGIN SOLUTION\n"
    body = RIGHT.strip().split("\n", 1)[1]
    cells = [
        cell("code", "setup", SETUP, locked=True),
        cell("code", "f", f"{signature}{body}\n    ### END SOLUTION", solution=True),
    ]
    for name, test in zip(NAMES, TESTS.values(), strict=True):
        hidden = f"### BEGIN HIDDEN TESTS\nmark = {HIDDEN!r}\nassert f(7) == 14, 'f(7) is 14'\n"
        text = f"{source(test).strip()}\n{hidden}### END HIDDEN TESTS"
        cells.append(cell("code", name, text, grade=True, locked=True, points=1))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def make_course(root: Path) -> dict:
    """The course in `root`; returns the notebook that is handed out."""
    path = root / f"solutions/{AIM}/{AIM}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(author_notebook()), "utf-8")
    (root / CONFIG.name).write_text(CONFIG.read_text("utf-8"), "utf-8")
    (root / "key").write_text(KEY, "utf-8")
    (root / "grades.csv").write_text(HOST, "utf-8")
    lmcourse("release", cwd=root)
    return json.loads((root / f"exercises/{AIM}/{AIM}.ipynb").read_text("utf-8"))


def lmcourse(*arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    """The real command, in a process of its own; 1 is its exit code where a person is needed."""
    command = [sys.executable, "-m", "lmcourse", *map(str, arguments)]
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode > 1 or "Traceback" in done.stderr:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done


def hand_in(root: Path, blank: dict, words: list[str], port: int) -> list[Case]:
    """All submissions: a good one, then an attack and another good one in turns."""
    chosen = [
        name for name in [*ATTACKS, *NOTEBOOKS] if not words or any(word in name for word in words)
    ]
    cases = []
    good = f"{RIGHT}\n# {NEIGHBOR}"
    _write(root, "000-good", blank, good)
    for number, name in enumerate(chosen, start=1):
        case = Case(name=name, student=f"{number:03}-attack")
        cases.append(case)
        text = source(ATTACKS[name]) if name in ATTACKS else FALSE
        text = text.replace("COURSE", repr(str(root))).replace("PORT", str(port))
        _write(root, case.student, blank, text, NOTEBOOKS.get(name))
        _write(root, f"{number:03}-good", blank, good)
    return cases


def _write(root: Path, student: str, blank: dict, text: str, change=None) -> None:
    nb = json.loads(json.dumps(blank))
    answer(nb, "f", text)
    if change is not None:
        change(nb, NAMES)
    path = root / "in" / student / f"{AIM}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(nb), "utf-8")


def contents(root: Path) -> dict[str, str]:
    """What nobody may change, file by file."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def judge(cases: list[Case], out: Path) -> list[str]:
    """Note on each case what is wrong with it; returns what is wrong with the good ones."""
    rows = json.loads((out / f"grades/{AIM}.json").read_text("utf-8"))["students"]
    rows = {row["student"]: row for row in rows}
    for case in cases:
        row = rows[case.student]
        case.points = row["score"] or 0.0
        case.ungraded = sum(grade["verdict"] == "ungraded" for grade in row["grades"])
        if case.points:
            case.wrong.append(f"{case.points:g} points")
        if row["problem"]:
            case.wrong.append(f"no grade: {row['problem']}")
        case.wrong += leaks(case.student, row, out)
    return [
        f"{name} has {row['score']} points of {GOOD}: {row['reason'] or row['problem']}"
        for name, row in rows.items()
        if name.endswith("good") and row["score"] != GOOD
    ]


def leaks(student: str, row: dict, out: Path) -> list[str]:
    """What the learner could see that is not theirs, or what would act in a browser."""
    page = out / f"feedback/{student}/{AIM}/{AIM}.html"
    feedback = page.read_text("utf-8") if page.exists() else ""
    graded = out / f"autograded/{student}/{AIM}/{AIM}.ipynb"
    cells = json.loads(graded.read_text("utf-8"))["cells"] if graded.exists() else []
    outputs = json.dumps([cell.get("outputs", []) for cell in cells])
    seen = feedback + json.dumps(row) + outputs
    found = [f"leak: {mark}" for mark in (HIDDEN, NEIGHBOR, HOST, KEY) if mark in seen]
    return (
        found
        + [f"acts: {word}" for word in ACTIVE[:2] if word in feedback]
        + [f"acts: {word}" for word in ACTIVE[3:] if f'"{word}"' in outputs]
    )


def show(cases: list[Case]) -> None:
    table = Table("what it tried", "points", "for a person", "wrong")
    for case in cases:
        style = "bold red" if case.wrong else ""
        cells = (case.name, f"{case.points:g}", str(case.ungraded or ""), "; ".join(case.wrong))
        table.add_row(*cells, style=style)
    Console(width=None if sys.stdout.isatty() else 110).print(table)


def run(root: Path, words: list[str]) -> tuple[list[Case], list[str]]:
    """The cases, and what is wrong beside them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        cases = hand_in(root, make_course(root), words, server.getsockname()[1])
        before, out = contents(root), root.with_name("out")
        if not cases:
            raise SystemExit(f"no attack has a name with {' or '.join(words)} in it")
        options = ("--output", out, "--seconds", SECONDS, "--secret", root / "key")
        done = lmcourse("grade", root / "in", "-a", AIM, *options, cwd=root)
        wrong = judge(cases, out)
        try:
            server.accept()
            wrong.append("somebody reached the network")
        except BlockingIOError:
            pass
    after = contents(root)
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    wrong += [f"{name} was changed" for name in changed]
    wrong += ["something ran unprotected"] if "NO SANDBOX" in done.stdout else []
    marks = {HIDDEN, NEIGHBOR, HOST, KEY}
    wrong += [f"the report shows: {m}" for m in marks if m in re.sub(r"\s+", " ", done.stdout)]
    return cases, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("words", metavar="WORD", nargs="*", help="only attacks with it in the name")
    words = parser.parse_args().words
    with tempfile.TemporaryDirectory(prefix="lmcourse-hostile-") as folder:
        root = Path(folder).resolve() / "course"
        root.mkdir()
        cases, wrong = run(root, words)
    show(cases)
    for line in wrong:
        print(f"wrong: {line}")
    failed = sum(bool(case.wrong) for case in cases) + len(wrong)
    print(f"{sum(not case.wrong for case in cases)} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
