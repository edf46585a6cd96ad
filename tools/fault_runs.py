"""Runs answers to an assignment, each in a forked process with only the cells that it needs.

Seconds are the processor's, as in grading, so that a busy machine changes no verdict.
"""

import contextlib
import importlib
import linecache
import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing.connection import wait
from typing import Any

import psutil

from lmcourse.grading.sandbox.budgets import Deadline, starved_seconds

WORKERS = 2
# What torch imports when an optimizer or `assert_close` is first called, and what tests import:
# once here, and not by each of two thousand forks for a second.
AHEAD = ("torch._dynamo", "torch.distributed.tensor", "numpy.random", "jaxtyping")
OUT_OF_TIME, ENDED = "ran out of time", "its process ended"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Cells to run, and then tests: name → (visible part, all of it). `times` draws new inputs.

    All of it begins with the visible part.
    """

    cells: list[str]
    tests: dict[str, tuple[str, str]]
    times: int = 1


@dataclass(kw_only=True)
class Outcome:
    """What the test cells said, by name; an empty text where they passed.

    `seconds` are the processor's, for one time.
    """

    visible: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def failed(self, test: str) -> str:
        return self.visible[test] or self.hidden[test]

    @property
    def first(self) -> str:
        """What the first test cell that failed said: what a learner reads first."""
        return next(filter(None, map(self.failed, self.visible)), "")


def run(jobs: list[Job], limit: float) -> Iterator[tuple[int, Outcome]]:
    """The outcome of each job, as it comes; one that takes more than `limit` seconds has failed."""
    calls = [(partial(_work, job), limit * job.times) for job in jobs]
    for number, said in forked(calls):
        yield number, _lost(jobs[number], said) if isinstance(said, str) else said


def forked(calls: Sequence[tuple[Callable[[], Any], float]]) -> Iterator[tuple[int, Any]]:
    """What each call returns, as it comes; a text that says why nothing came.

    Each runs in a fork of this process, some at a time.

    Args:
        calls: with the processor's seconds that each may take; one that sleeps has twice as many
            by the clock.
    """
    _load_ahead()
    waiting, running = list(enumerate(calls))[::-1], {}
    while waiting or running:
        while waiting and len(running) < WORKERS:
            number, (call, limit) = waiting.pop()
            pipe, process = _start(call)
            clock = partial(_processor, psutil.Process(process.pid))
            running[pipe] = (
                number,
                process,
                Deadline(
                    float(limit), processor=clock, starved=partial(starved_seconds, process.pid)
                ),
            )
        pause = min(deadline.look() for _, _, deadline in running.values())
        ready = wait(list(running), timeout=max(0.0, pause))
        late = [pipe for pipe, (_, _, deadline) in running.items() if deadline.used_up]
        for pipe in {*ready, *late}:
            number, process, _ = running.pop(pipe)
            try:
                said = pipe.recv() if pipe in ready else OUT_OF_TIME
            except EOFError:
                said = ENDED
            process.kill()
            process.join()
            pipe.close()
            yield number, said


@cache
def _load_ahead() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        for name in AHEAD:
            importlib.import_module(name)


def _processor(process: psutil.Process) -> float:
    """The processor's seconds for a process and those of its children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.Error:  # it has ended
        return 0.0
    return times.user + times.system + times.children_user + times.children_system


def _start(call: Callable[[], Any]):
    context = multiprocessing.get_context("fork")  # with torch imported already
    pipe, far_end = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(call, far_end), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads: none of ours holds a lock
        process.start()
    far_end.close()
    return pipe, process


def _send(call: Callable[[], Any], pipe) -> None:
    warnings.simplefilter("ignore")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        said = call()
    pipe.send(said)


def _lost(job: Job, reason: str) -> Outcome:
    return Outcome(visible=dict.fromkeys(job.tests, reason), hidden=dict.fromkeys(job.tests, ""))


def _work(job: Job) -> Outcome:
    start = time.process_time()
    outcome, names = Outcome(), {"__name__": "__main__"}
    broken = first_error(job.cells, names)
    for test, (visible, everything) in job.tests.items():
        outcome.visible[test], outcome.hidden[test] = broken, ""
        for _ in range(0 if broken else job.times):
            seen, hidden = dict(names), everything.removeprefix(visible.rstrip("\n"))
            outcome.visible[test] = execute(visible, seen)
            if not outcome.visible[test]:  # each line once, as in grading
                outcome.hidden[test] = execute(hidden, seen)
            if outcome.failed(test):
                break
    outcome.seconds = (time.process_time() - start) / job.times
    return outcome


def first_error(cells: Iterable[str], names: dict) -> str:
    """Run cells up to the first that raises, and what it said; an empty text if none does."""
    return next(filter(None, (execute(cell, names) for cell in cells)), "")


def execute(cell: str, names: dict) -> str:
    """Run a cell; what its error says before any figures, in one line, or an empty text.

    `close` and others put their hint first and, after an empty line, the figures.
    """
    try:
        # As in Jupyter: a probe is sent as source, which is looked up by the name of its file.
        file = f"<cell {len(linecache.cache)}>"
        linecache.cache[file] = (len(cell), None, [f"{line}\n" for line in cell.split("\n")], file)
        exec(compile(cell, file, "exec"), names)
    except BaseException as error:
        said, _, _ = str(error).strip().partition("\n\n")
        return " ".join(f"{type(error).__name__}: {said}".split())
    return ""
