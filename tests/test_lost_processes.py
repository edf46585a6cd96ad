"""`lmcourse train --max-restarts`: processes are killed, and the losses stay the same."""

import contextlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

import lmcourse
from lmcourse.__main__ import app
from lmcourse.loop.run_folder import read_metrics
from lmcourse.loop.shards import SHARDS, whole_saves

N_STEPS = 240
TINY = ["--n-layers", "2", "--n-heads", "2", "--d-model", "8", "--context-length", "8"]
SETTINGS = [*TINY, "--n-steps", str(N_STEPS), "--validate-every", "20", "--device", "cpu"]
TEXT = "the cat sat on the mat and the dog sat on the cat.\n" * 40
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def losses(text, tmp_path_factory):
    """Of the training that nobody disturbs, in one process."""
    out = tmp_path_factory.mktemp("whole") / "out"
    before = os.environ.get("LMCOURSE_DEVICE")
    done = CliRunner().invoke(app, ["train", str(text), "--out", str(out), *SETTINGS])
    os.environ.pop("LMCOURSE_DEVICE")
    if before is not None:
        os.environ["LMCOURSE_DEVICE"] = before
    assert done.exit_code == 0, done.output
    return [row.loss for row in read_metrics(out)]


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(lmcourse.__file__).parents[1])}


@pytest.fixture
def started():
    """Starts a training as `start` does, and ends what a test that failed has left."""
    begun = []

    def begin(*arguments):
        begun.append(start(*arguments))
        return begun[-1]

    yield begin
    for process in begun:
        if process.poll() is None:
            for each in psutil.Process(process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            process.kill()
            process.wait()


def start(text, out, *more):
    """Two processes under one torchrun; what they say is written to files beside `out`."""
    command = [sys.executable, "-m", "lmcourse", "train", str(text), "--out", str(out), *SETTINGS]
    with out.with_suffix(".out").open("w") as said, out.with_suffix(".err").open("w") as errors:
        return subprocess.Popen(
            [*command, "--processes", "2", *more], stdout=said, stderr=errors, env=environment()
        )


def wait_for(process, there):
    """Waits until `there()` is true; the training must not end before."""
    deadline = time.monotonic() + 120
    while not there():
        assert process.poll() is None, "it ended"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def workers(process):
    """The two processes that train, in the order of their start."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended, well or not
        for each in psutil.Process(process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [each] if "lmcourse" in each.cmdline() else []
    return sorted(found, key=lambda each: each.pid)


def n_rows(out):
    path = out / "metrics.csv"
    return path.read_text().count("\n") if path.exists() else 0


def ended(process, out, losses):
    """It ended well, with the losses of a whole run; what it said."""
    assert process.wait(timeout=300) == 0, out.with_suffix(".err").read_text()
    rows = read_metrics(out)
    assert [row.step for row in rows] == list(range(1, N_STEPS + 1))
    assert [row.loss for row in rows] == pytest.approx(losses, abs=1e-5)
    return out.with_suffix(".out").read_text()


# Who is killed matters: torchrun keeps the addresses of before, and a process that begins again
# must not look for the others there.
@pytest.mark.parametrize(("kind", "rank"), [([], 0), (["--sharded"], 1)], ids=["whole", "shards"])
def test_one_of_two_processes_is_killed_and_the_losses_are_the_same(
    kind, rank, started, text, losses, tmp_path
):
    out = tmp_path / "out"
    process = started(text, out, "--max-restarts", "1", *kind)
    wait_for(process, lambda: n_rows(out) > 30)
    workers(process)[rank].kill()
    said = ended(process, out, losses)
    assert said.count("this training was begun before: it goes on from its last save") == 1
    assert said.count("lowest validation loss") == 1
    assert "defect" not in out.with_suffix(".err").read_text()
    if kind:
        assert [path.name for path in whole_saves(out / SHARDS)] == [f"step-{N_STEPS:08}"]
        assert len(list((out / SHARDS).iterdir())) == 1


@pytest.mark.large
def test_processes_are_killed_at_any_moment(started, text, losses, tmp_path):
    """Also before the first step, and while a save is written."""
    rng, out, gone = random.Random(0), tmp_path / "out", set()
    process = started(text, out, "--max-restarts", "3", "--sharded")

    def alive():
        return [each for each in workers(process) if each.pid not in gone]

    for _ in range(3):
        while process.poll() is None and len(found := alive()) < 2:
            time.sleep(0.02)
        if process.poll() is not None:
            break
        gone |= {each.pid for each in found}
        # Half of them while Python starts or before the first step, half among the steps.
        before, deadline = n_rows(out), time.monotonic() + 30
        while rng.random() < 0.99 and n_rows(out) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(rng.random() / 2)
        with contextlib.suppress(psutil.NoSuchProcess):
            found[rng.randrange(2)].kill()
    ended(process, out, losses)


@pytest.mark.large
def test_a_restart_does_not_go_on_with_a_training_of_somebody_else(started, text, tmp_path):
    """The folder holds one already: that is refused at each start, and nothing there changes."""
    out = tmp_path / "out"
    assert started(text, out).wait(timeout=300) == 0
    before = (out / "metrics.csv").read_bytes()
    assert started(text, out, "--max-restarts", "1", "--seed", "1").wait(timeout=300) == 2
    assert "folder must hold no training yet" in out.with_suffix(".err").read_text()
    assert (out / "metrics.csv").read_bytes() == before


def test_a_job_that_is_queued_again_goes_on_if_it_is_the_same(text, tmp_path, monkeypatch):
    """torchrun has the name that the job gives it; with other settings it is another training."""
    monkeypatch.setenv("LMCOURSE_DEVICE", "cpu")
    out = tmp_path / "out"

    def again(*more):
        arguments = ["train", str(text), "--out", str(out), *SETTINGS, "--n-steps", "40", *more]
        done = CliRunner().invoke(app, arguments)
        return done.exit_code, "begun before" in done.output, "no training yet" in done.output

    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job 7")
    assert again() == (0, False, False)
    assert again("--prompt", "the") == (0, True, False)
    assert again("--seed", "1") == (2, False, True)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job 8")
    assert again() == (2, False, True)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert again() == (2, False, True)


@pytest.mark.large
def test_what_two_processes_began_in_parts_one_goes_on_with_and_two_again(
    started, text, losses, tmp_path
):
    out = tmp_path / "out"
    process = started(text, out, "--sharded")
    wait_for(process, lambda: n_rows(out) > 30)
    process.terminate()
    assert process.wait(timeout=60) != 0
    assert len(whole_saves(out / SHARDS)) == 1
    resume = [sys.executable, "-m", "lmcourse", "train", "--resume", "--out", str(out)]
    alone = subprocess.Popen(resume, stdout=subprocess.DEVNULL, env=environment())
    deadline = time.monotonic() + 120
    while n_rows(out) < 60 and alone.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    alone.terminate()
    alone.wait(timeout=60)
    again = [*resume, "--processes", "2", "--sharded"]
    assert subprocess.run(again, capture_output=True, env=environment()).returncode == 0
    assert [row.loss for row in read_metrics(out)] == pytest.approx(losses, abs=1e-5)
