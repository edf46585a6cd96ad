"""Building and checking: what fails is told in full, and a tiny book goes through every gate."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import build_book
import check
import forked_kernels
import pytest
from jupyter_client.manager import start_new_kernel
from page_numbering import count_anew
from waiting import has_ended, wait_until

ROOT = Path(__file__).resolve().parent.parent

# ---------------------------------------------------------------- building and checking


def test_figures_and_exercises_are_counted_anew_on_each_page():
    env = SimpleNamespace(
        toc_fignumbers={
            "book/a": {"exercise": {"one": (1,), "two": (2,)}},
            "book/b": {"exercise": {"x": (4,), "y": (3,), "z": (11,)}, "figure": {"f": (2,)}},
        }
    )
    count_anew(None, env)
    assert env.toc_fignumbers["book/a"] == {"exercise": {"one": (1,), "two": (2,)}}
    assert env.toc_fignumbers["book/b"]["exercise"] == {"y": (1,), "x": (2,), "z": (3,)}
    assert env.toc_fignumbers["book/b"]["figure"] == {"f": (1,)}


def test_each_warning_is_kept_with_its_lines_and_noise_is_not(capsys):
    stream = io.StringIO(
        f"{build_book.NOISE} more\n\x1b[91m{ROOT}/book/a.md:3: WARNING: odd [myst]\x1b[39m\n"
        "  of two lines\nbook/b.md: WARNING: worse\nTraceback (most recent call last):\n"
        '  File "<string>", line 1, in <module>\nRuntimeError: there were warnings\n'
    )
    kept = []
    build_book._follow_errors(stream, kept)
    assert kept == ["book/a.md:3: WARNING: odd [myst]\n  of two lines", "book/b.md: WARNING: worse"]


@pytest.fixture
def step(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "LOGS", tmp_path)
    monkeypatch.setattr(check, "ROOT", tmp_path)
    return lambda name, code, **more: check.Step(name, [sys.executable, "-c", code], **more)


def test_a_failing_step_is_shown_in_full_and_the_others_go_on(step, capsys):
    bad = step("bad", "print('the reason'); raise SystemExit(3)")
    after, other = step("after", "", needs="bad"), step("other", "print('quiet')")
    last = step("last", "", needs="after")
    steps = [last, after, bad, other]
    check.run(steps)
    assert [each.state for each in steps] == ["skipped", "skipped", "failed", "passed"]
    assert check.report(steps, 1.0) == 1
    out = capsys.readouterr().out
    assert "the reason" in out
    assert "quiet" not in out
    assert out.endswith("1 passed, 1 failed, 2 skipped\n")


def test_what_failed_is_told_once_more_in_the_last_lines(step, capsys):
    found = ["FAILED tests/test_a.py::test_b - assert 2 == 3"]
    suite = step("suite", f"print('.' * 99, *{found}, '1 failed', sep='\\n'); raise SystemExit(1)")
    said = ["book/a.html (light): too wide", "12.34s page     book/a.html", "1 problem"]
    site = step("site", f"print(*{said}, sep='\\n'); raise SystemExit(1)")
    check.run([suite, site])
    assert check.report([suite, site], 1.0) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-7:-2] == [
        "suite failed:", f"  {found[0]}", "site failed:", f"  {said[0]}", f"  {said[2]}",
    ]  # fmt: skip


def test_all_passed_is_exit_status_0(step, capsys):
    good = step("good", "")
    check.run([good])
    assert check.report([good], 1.0) == 0
    assert capsys.readouterr().out.endswith("1 passed, 0 failed\n")


def test_some_steps_run_at_a_time_and_a_free_place_is_taken(step):
    # The first waits for a file that the last of the others writes: two of them, one after the
    # other, must run beside it.
    path = str(check.LOGS / "a")
    wait = (
        f"import pathlib, time\nend = time.time() + 60\n"
        f"while not pathlib.Path({path!r}).exists():\n    assert time.time() < end"
    )
    touch = f"import pathlib; pathlib.Path({path!r}).touch()"
    steps = [step("waits", wait), step("one", ""), step("touches", touch, needs="one")]
    check.run(steps, at_once=2)
    assert [each.state for each in steps] == ["passed"] * 3


def test_never_more_steps_run_than_have_a_place(step, monkeypatch):
    running, most = set(), []
    start, is_over = check.Step.start, check.Step.is_over

    def note_start(self):
        running.add(self.name)
        most.append(len(running))
        start(self)

    def note_end(self):
        over = is_over(self)
        running.difference_update({self.name} if over else ())
        return over

    monkeypatch.setattr(check.Step, "start", note_start)
    monkeypatch.setattr(check.Step, "is_over", note_end)
    check.run([step(str(n), "") for n in range(5)], at_once=2)
    assert max(most) == 2


def test_what_most_hangs_on_is_started_first(step, monkeypatch):
    monkeypatch.setattr(check, "BUDGETS", {"long": 9, "book": 5, "pages": 6, "short": 1})
    steps = [step("short", ""), step("long", ""), step("pages", "", needs="book"), step("book", "")]
    assert [each.name for each in check.in_order(steps)] == ["book", "long", "pages", "short"]


def test_every_step_has_a_budget_and_all_of_them_half_of_what_they_took():
    steps = [*check.first_steps(), *check.other_steps()]
    assert {each.name for each in steps} == check.BUDGETS.keys()
    took = 1493 + 523 + 318 + 274 + 224 + 141 + 73 + 17  # seconds, on the machine of the budgets
    assert sum(check.BUDGETS.values()) <= took / 2


def test_the_three_parts_of_the_suite_leave_no_test_out():
    suites = [each.command for each in check.other_steps() if each.name.startswith("test ")]
    whole, grading, course = (each[each.index("--durations=30") + 1 :] for each in suites)
    assert len({tuple(each[: each.index("--durations=30")]) for each in suites}) == 1
    (inner,), (outer, *_) = whole, grading
    assert inner.startswith(f"{outer}/")
    assert (ROOT / inner).is_dir()
    assert grading == [outer, f"--ignore={inner}"]
    assert course == [f"--ignore={outer}"]


def test_the_end_tells_what_took_longest_and_who_is_over_the_budget(step, capsys, monkeypatch):
    monkeypatch.setattr(check, "BUDGETS", {"slow": 1e-6, "quick": 1e6})
    slow = step(
        "slow", "print('12.34s call     tests/test_a.py::test_b[x y]\\n0.2s page     book/c')"
    )
    quick = step("quick", "print('7.5s row      S01')")
    check.run([slow, quick])
    assert check.report([slow, quick], 1.0) == 0  # a budget is no gate
    out = capsys.readouterr().out
    lines = [line.strip() for line in out.splitlines() if re.search(r"\ds \w+ ", line)]
    assert lines == [
        "12.34s call     tests/test_a.py::test_b[x y]  (slow)",
        "7.50s row      S01  (quick)",
        "0.20s page     book/c  (slow)",
    ]
    assert "warning: slow took" in out
    assert "warning: quick" not in out


def test_a_step_is_chosen_with_what_it_needs():
    steps = check.other_steps()
    assert {each.name for each in check.chosen(steps, ["site-check"])} == {"site-check", "book"}
    assert check.chosen(steps, []) == steps


def test_how_long_pages_ran_is_read_from_what_the_build_says():
    lines = ["reading sources... [ 4%] book/api", "book/a.md: Executed notebook in 21.12 seconds"]
    assert build_book._seconds(lines) == {"book/a": 21.12}


def test_processor_time_is_that_of_all_processes_of_a_step(step):
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    parent = step(
        "parent", f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])"
    )
    check.run([parent])
    assert parent.processor >= 0.3


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
def test_ending_a_step_ends_its_children(step, tmp_path):
    child = tmp_path / "child"
    code = (
        "import subprocess, sys, pathlib, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(child)!r}).write_text(str(p.pid))\ntime.sleep(600)"
    )
    long = step("long", code)
    long.start()
    wait_until(lambda: child.exists() and child.read_text())
    long.end()
    assert long.state == "stopped"
    wait_until(lambda: has_ended(int(child.read_text())), 40)  # by itself it ends later


# ---------------------------------------------------------------- kernels that are forks


@pytest.fixture
def start_kernel(monkeypatch, tmp_path):
    """Starts a forked kernel; gives its manager and what runs a cell: its text, kinds of data."""
    started = []

    def start():
        manager, client = start_new_kernel(
            kernel_name=forked_kernels.NAME, startup_timeout=300, cwd=str(tmp_path)
        )
        started.append((manager, client))

        def run(cell):
            texts, kinds = [], set()

            def hear(message):
                content = message["content"]
                texts.append(content.get("text") or content.get("ename") or "")
                kinds.update(content.get("data", {}))

            client.execute_interactive(cell, timeout=300, output_hook=hear)
            return "".join(texts), kinds

        return manager, run

    ahead = ("ipykernel.ipkernel", "matplotlib.pyplot", "colorsys", "a_module_that_is_nowhere")
    with forked_kernels.kernels(ahead) as found:
        monkeypatch.setenv("JUPYTER_PATH", found["JUPYTER_PATH"])
        yield start
        for _, client in started:
            client.stop_channels()
    for manager, _ in started:
        manager.shutdown_kernel(now=True)


@pytest.mark.skipif(os.name != "posix", reason="kernels are forked")
def test_a_forked_kernel_works_as_one_that_was_started(start_kernel, tmp_path):
    (_, run), (_, run_other) = start_kernel(), start_kernel()
    known = "import os, sys; print(*(name in sys.modules for name in ('colorsys', 'lmcourse')))"
    assert run(known)[0] == "True False\n"  # the package is imported as it is when a page asks
    assert run("print(os.getcwd(), sys.path[0])")[0] == f"{tmp_path} \n"
    draw = "import random; print(random.random())"
    assert run(draw)[0] != run_other(draw)[0]
    plot = "import matplotlib.pyplot as plt; plt.plot([1, 2]); None"
    assert "image/png" in run(plot)[1]


@pytest.mark.skipif(os.name != "posix", reason="kernels are forked")
def test_a_forked_kernel_is_interrupted_and_ends_as_one_that_was_started(start_kernel, tmp_path):
    (manager, run), (other, run_other), (_, run_last) = (start_kernel() for _ in range(3))
    pids = [int(each("import os; print(os.getpid())")[0]) for each in (run, run_other, run_last)]
    loop = "open('begun', 'w').close()\nwhile True: pass"
    begun = tmp_path / "begun"
    stands = manager.provisioner.pid  # the manager interrupts it so, but not from a second thread
    interrupter = threading.Thread(
        target=lambda: (wait_until(begun.exists), os.killpg(os.getpgid(stands), signal.SIGINT))
    )
    interrupter.start()
    assert run(loop)[0] == "KeyboardInterrupt"
    interrupter.join()
    assert run("print(1)")[0] == "1\n"
    manager.shutdown_kernel(now=True)
    wait_until(lambda: has_ended(pids[0]))
    os.kill(pids[1], signal.SIGKILL)
    wait_until(lambda: not other.is_alive())
    assert not has_ended(pids[2])


@pytest.mark.skipif(os.name != "posix", reason="kernels are forked")
def test_forked_kernels_end_with_what_started_them(monkeypatch):
    with forked_kernels.kernels(["ipykernel.ipkernel"]) as found:
        monkeypatch.setenv("JUPYTER_PATH", found["JUPYTER_PATH"])
        manager, client = start_new_kernel(kernel_name=forked_kernels.NAME, startup_timeout=300)
        client.stop_channels()
    wait_until(lambda: not manager.is_alive())
    manager.shutdown_kernel(now=True)


# ---------------------------------------------------------------- a tiny book, for real

PAGE = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# Tiny

See {footcite:t}`one2020`, [the zip](assignments/tiny.zip), {glue:text}`tiny-number:.1f`.

```{code-cell} ipython3
from pathlib import Path
from myst_nb import glue
number = float(Path("THE FILE").read_text())
glue("tiny-number", number, display=False)
print("shown:", number)
```

```{footbibliography}
```
"""
BIB = "@misc{one2020, author = {One, A.}, title = {T}, year = {2020}, howpublished = {P}}\n"


@pytest.fixture(scope="module")
def tiny_book(tmp_path_factory):
    """A course of one page that shows a number of a file; with the real tools and settings."""
    root = tmp_path_factory.mktemp("course")
    ignored = shutil.ignore_patterns("__pycache__", "axe-core")
    for folder in ("tools", "book/_static"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    for name in ("_config.yml", "constraints.txt"):
        shutil.copy(ROOT / name, root)
    for folder in ("tests", "exercises/tiny", "lmcourse/models"):
        (root / folder).mkdir(parents=True)
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (root / "exercises/tiny/tiny.ipynb").write_text(json.dumps(empty))
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/tiny\n")
    (root / "number").write_text("2.0")
    (root / "book/references.bib").write_text(BIB)
    (root / "book/tiny.md").write_text(PAGE.replace("THE FILE", (root / "number").as_posix()))
    return root


def build_tiny(root, bands):
    (root / "tests/bands.csv").write_text("page,name,low,high,seeds\n" + bands)
    return run_tool(root, "build_book")


def run_tool(root, name):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LMCOURSE_DATA": "/nowhere"}
    command = [sys.executable, str(root / f"tools/{name}.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_a_tiny_book_is_built_and_its_numbers_are_checked_twice(tiny_book):
    ran = run_tool(tiny_book, "run_notebooks")
    assert ran.returncode == 1
    assert "run make book" in ran.stderr

    ran = build_tiny(tiny_book, "tiny,tiny-number,3,4,1\n")
    assert ran.returncode == 1
    assert "tiny-number must lie between 3 and 4, got 2" in ran.stdout  # repeated at the end
    # Executed ahead, and yet in the notebook that is published.
    assert "shown: 2.0" in (tiny_book / "_build/jupyter_execute/book/tiny.ipynb").read_text()

    ran = build_tiny(tiny_book, "tiny,tiny-number,1,3,1\n")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"1 pages in \d+ s", ran.stdout.splitlines()[-1])
    html = (tiny_book / "_build/html/book/tiny.html").read_text()
    assert "2.0" in html
    assert "/blob/notebooks/book/tiny.ipynb" in html
    assert "/notebooks?urlpath=lab/tree/book/tiny.ipynb" in html
    assert 'href="../assignments/tiny.zip"' in html
    assert (tiny_book / "_build/html/assignments/tiny.zip").is_file()
    assert "thebe" not in html
    assert "fontawesome.js" not in html

    assert run_tool(tiny_book, "run_notebooks").returncode == 0
    (tiny_book / "number").write_text("2.25")  # as if the package computed something else
    ran = run_tool(tiny_book, "run_notebooks")
    assert ran.returncode == 1
    assert "2.25" in ran.stdout
