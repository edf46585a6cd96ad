"""A busy machine costs nobody points: the same class beside none to five hogs, one to four workers.

The honest take much of what they may, each in another way; what sits among them tries to take the
rest. All twenty runs: `pytest -m large`; otherwise one. The hogs come when the first has been
graded: until then workers load PyTorch, which nobody's points hang on.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from forks import lmcourse
from notebook_edits import answer, write
from tiny_course import answered, make_course
from vary import hogs

SECONDS = 3  # for a test; of these a test of the honest takes more than a half
_HEAD = "import os, subprocess, sys, threading, time\ndef double(x):\n"
HONEST = {
    "plain": "    return 2 * x",
    "works": """
    end = time.process_time() + 0.8
    while time.process_time() < end: pass
    return 2 * x""",
    "works in a child": """
    line = f'import time\\nwhile time.process_time() < 0.8: pass\\nprint(2 * {x})'
    call = [sys.executable, '-S', '-c', line]
    return int(subprocess.run(call, capture_output=True, text=True).stdout)""",
    "works in threads": """
    def work(end=time.process_time() + 0.8):
        while time.process_time() < end: pass
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return 2 * x""",
    "waits": """
    time.sleep(0.8)
    return 2 * x""",
    "waits and works by turns": """
    end = time.process_time() + 0.5
    while time.process_time() < end: time.sleep(0.01); sum(range(500_000))
    return 2 * x""",
}
FIRST = "comes first"  # and is honest, too
OTHERS = {
    "a fork bomb": "    while True: os.fork()",
    "hogs of its own": """
    for _ in range(20):
        if os.fork() == 0:
            os.setsid()
            while True: pass""",
    "an endless loop": "    while True: pass",
}
# Twenty of the twenty-four.
RUNS = [(n, workers) for n in range(6) for workers in range(1, 5) if (n + workers) % 6]


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """With everybody's notebook, the honest and the others in turns."""
    root = make_course(tmp_path_factory.mktemp("course"))
    assert lmcourse("release", cwd=root).returncode == 0
    blank = (root / "exercises/tiny/tiny.ipynb").read_text("utf-8")
    bodies = {**HONEST, **OTHERS}
    order = sorted(bodies, key=lambda name: (list(bodies).index(name) % len(OTHERS), name))
    for number, name in enumerate([FIRST, *order]):
        nb = answered(json.loads(blank))
        answer(nb, "double", _HEAD + bodies.get(name, HONEST["plain"]).removeprefix("\n"))
        write(root / "in" / student(number, name) / "tiny.ipynb", json.dumps(nb))
    return root


def student(number: int, name: str) -> str:
    return f"{number}-{name.replace(' ', '_')}"


@contextmanager
def hogs_from(path: Path, n_hogs: int) -> Iterator[threading.Event]:
    """Hogs from the moment when there is such a file; sets an event when they come."""
    come, over = threading.Event(), threading.Event()

    def work():
        while not over.wait(0.05):
            if path.exists():
                come.set()
                with hogs(n_hogs):
                    over.wait()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield come
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("n_hogs", "workers"),
    [run if run == (2, 2) else pytest.param(*run, marks=pytest.mark.large) for run in RUNS],
)
def test_a_busy_machine_costs_nobody_points(course, n_hogs, workers, tmp_path):
    options = ("--output", tmp_path / "out", "--seconds", SECONDS, "--workers", workers)
    out = tmp_path / "out"
    with hogs_from(out / f".grading/tiny/{student(0, FIRST)}.json", n_hogs) as come:
        done = lmcourse("grade", course / "in", "-a", "tiny", *options, cwd=course)
    assert done.returncode == 0, done.stdout + done.stderr
    assert come.is_set()
    report = json.loads((out / "grades/tiny.json").read_text("utf-8"))
    got = {
        row["student"].partition("-")[2].replace("_", " "): {
            grade["name"]: (grade["verdict"], grade["message"]) for grade in row["grades"]
        }
        for row in report["students"]
    }
    assert {*got} == {FIRST, *HONEST, *OTHERS}
    wrong = {name: got[name] for name in (FIRST, *HONEST) if not passed_all(got[name])}
    assert wrong == {}
    assert [name for name in OTHERS if got[name]["test_double"][0] == "passed"] == []


def passed_all(grades: dict[str, tuple[str, str]]) -> bool:
    return [grades[name][0] for name in ("test_double", "test_square")] == ["passed"] * 2


def test_the_runs_are_twenty_over_all_numbers_of_hogs_and_workers():
    assert len(RUNS) == len({*RUNS}) == 20
    assert {n for n, _ in RUNS} == {*range(6)}
    assert {workers for _, workers in RUNS} == {1, 2, 3, 4}
