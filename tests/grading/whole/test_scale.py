"""Several workers, interrupted runs, kept results: by the real command on a small class."""

import json
import os
import shutil
import signal
import subprocess
import time

import psutil
import pytest
from class_small import (
    CLASS,
    PATIENT,
    command,
    grade,
    gradebook,
    graded_by,
    held,
    held_class,
    let_go,
    let_in,
    pages,
    report,
    start,
)
from notebook_edits import answer
from sandbox_processes import HOLD
from waiting import has_ended, wait_until

from lmcourse.grading.gradebook import lock


@pytest.mark.slow
def test_one_worker_grades_all(small_class, whole):
    out, done = whole
    assert done.returncode == 1, done.stderr  # s03 needs a person, s99 handed in nothing
    assert {n: row["score"] for n, row in report(out).items()} == {
        **{name: 3.0 if n % 3 == 1 else 5.0 for n, name in enumerate(CLASS)},
        "s03": 2.0,
        "s99": None,
    }
    assert graded_by(out) == CLASS
    assert "kept" not in done.stdout


@pytest.mark.slow
def test_a_second_run_keeps_all_and_says_so(small_class, whole, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(whole[0], out)
    before = gradebook(out)
    (out / "gradebook.db").unlink()  # what is kept is enough to write it anew
    done = grade(small_class, out)
    assert f"{len(CLASS)} of them were graded by an earlier run and kept" in done.stdout
    assert (graded_by(out), gradebook(out)) == ([], before)
    assert [row["kept"] for row in report(out).values()] == [True] * len(CLASS) + [False]

    kept = out / ".grading/tiny"
    damaged = kept / "s02.json"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    (kept / "s04.json").unlink()
    done = grade(small_class, out)
    assert f"{len(CLASS) - 2} of them were graded by an earlier run and kept" in done.stdout
    assert (graded_by(out), gradebook(out)) == (["s02", "s04"], before)
    assert grade(small_class, out, "--regrade").returncode == 1
    assert (graded_by(out), gradebook(out)) == (CLASS, before)


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_and_grades_nobody_twice(small_class, whole, tmp_path):
    root, out = held_class(small_class, tmp_path, "s04"), tmp_path / "out"
    with (tmp_path / "said").open("wb") as said:
        running = start(root, out, stdout=said, stderr=said)
        wait_until(lambda: (pages(out) >= 2 and held(running)) or running.poll() is not None)
        below = psutil.Process(running.pid).children(recursive=True)
        running.kill()
        running.wait()
    wait_until(lambda: all(has_ended(process.pid) for process in below))
    first = graded_by(out)
    assert 2 <= len(first) < len(CLASS)
    let_in(small_class, root)
    done = grade(root, out, *PATIENT)
    assert done.returncode == 1, done.stderr
    second = graded_by(out)
    # What was killed between being kept and being logged counts as kept.
    assert not {*first} & {*second}
    assert report(out)["s00"]["status"] == "hand grading"
    kept = [name for name, row in report(out).items() if row["kept"]]
    assert sorted([*kept, *second]) == CLASS
    assert {*first} <= {*kept}
    assert gradebook(out) == gradebook(whole[0])
    assert pages(out) == len(CLASS)
    assert sorted(p.name for p in (out / ".grading").iterdir()) == ["lock", "tiny"]


@pytest.mark.slow
def test_ctrl_c_shows_what_is_graded_and_the_next_run_goes_on(small_class, whole, tmp_path):
    root, out = held_class(small_class, tmp_path, "s04"), tmp_path / "out"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = start(root, out, **pipes, start_new_session=True)
    wait_until(lambda: (pages(out) >= 2 and held(running)) or running.poll() is not None)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: all of them hear it
    shown, said = running.communicate(timeout=600)
    assert running.returncode == 130, said
    assert "Traceback" not in shown + said
    assert "Give the same command again: it goes on" in said
    assert "hand grading" in shown
    assert "not yet." in shown
    statuses = [row["status"] for row in report(out).values()]
    assert 0 < statuses.count("not yet") <= len(CLASS) - 2
    first = graded_by(out)
    let_in(small_class, root)
    assert grade(root, out, *PATIENT).returncode == 1
    assert not {*first} & {*graded_by(out)}
    assert gradebook(out) == gradebook(whole[0])


@pytest.mark.slow
def test_a_pause_costs_nobody_a_point_and_is_nobodys_result(small_class, tmp_path):
    """Ctrl-Z in the middle of a cell, for longer than it may wait; its answer comes meanwhile."""
    few, out, seconds = ("s00", "s01"), tmp_path / "out", 10
    root, log = held_class(small_class, tmp_path, only=few), tmp_path / "said"
    path = root / "in/s00/tiny.ipynb"
    nb = json.loads(path.read_text("utf-8"))
    # No plain definition: those are saved from a cell that was stopped.
    answer(nb, "double", f"{HOLD}\ndouble = [lambda x: 2 * x].pop()")
    path.write_text(json.dumps(nb), "utf-8")
    given = ("-a", "tiny", "--output", out, "--secret", root / "secret", "-n", 1)
    call = command("grade", root / "in", *given, "--seconds", seconds)
    with log.open("w") as said:
        running = subprocess.Popen(
            call, cwd=root, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
        )
        wait_until(lambda: held(running) or running.poll() is not None)
        os.killpg(running.pid, signal.SIGSTOP)
        let_go(running)
        time.sleep(2.5 * seconds)
        os.killpg(running.pid, signal.SIGCONT)
        running.wait()
    assert "Traceback" not in log.read_text()
    deserved = {"s00": 5.0, "s01": 3.0}
    assert {name: row["score"] for name, row in report(out).items()} == deserved
    grade(root, out, "--seconds", seconds)
    assert graded_by(out) == []  # that is what was kept
    assert {name: row["score"] for name, row in report(out).items()} == deserved


def test_a_second_run_at_once_says_who_is_at_work(small_class, tmp_path):
    with lock.hold(tmp_path / "out/.grading/lock"):
        done = grade(small_class, tmp_path / "out")
    assert done.returncode == 1
    assert f"the gradebook is in use by process {os.getpid()} on " in done.stderr
    assert "--wait" in done.stderr
    assert not (tmp_path / "out/gradebook.db").exists()


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nobody_anything(small_class, whole, tmp_path):
    few, out = ("s00", "s01", "s02"), tmp_path / "out"
    root, log = held_class(small_class, tmp_path, "s00", only=few), tmp_path / "said"
    with log.open("w") as said:
        running = start(root, out, stdout=subprocess.DEVNULL, stderr=said)
        wait_until(lambda: held(running) or running.poll() is not None)
        above = {process.pid for process in held(running)[0].parents()}
        (worker,) = [p for p in psutil.Process(running.pid).children() if p.pid in above]
        worker.kill()  # with a submission in its hands

        def over():
            let_go(running)
            return running.poll() is not None

        wait_until(over)
    assert running.returncode == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    assert gradebook(out) == [row for row in gradebook(whole[0]) if row[0] in few]


@pytest.mark.slow
def test_what_the_machine_could_not_grade_is_tried_again(small_class, tmp_path):
    """A test that is broken here, by another library say, is nobody's result for ever."""
    root = tmp_path / "course"
    shutil.copytree(small_class, root)
    for path in (root / "in").glob("*"):
        if path.name not in ("s00", "s03"):
            shutil.rmtree(path)
    source = root / "solutions/tiny/tiny.ipynb"
    text = source.read_text("utf-8")
    source.write_text(text.replace("assert square(3) == 9", "assert no_such_name == 9"), "utf-8")
    for _ in range(2):
        assert grade(root, tmp_path / "out").returncode == 1
        assert report(tmp_path / "out")["s00"]["status"] == "partly graded"
        assert graded_by(tmp_path / "out") == ["s00", "s03"]


def test_a_cluster_needs_an_address(small_class, tmp_path):
    for call in (("--backend", "dask"), ("--scheduler", "tcp://127.0.0.1:8786")):
        done = grade(small_class, tmp_path / "out", *call)
        assert done.returncode == 2
        assert "--backend dask and --scheduler ADDRESS must be given together" in done.stderr
