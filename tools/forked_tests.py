"""Runs tests of a copy of the project, one or a few in each process forked from this one.

This process imports nothing of the project, so that a test meets no module, import hook or bytecode
of an earlier one. But what a test has imported of other libraries (torch, transformers …) is
imported here, too, before the next one starts: the test then costs its own seconds, not theirs.
"""

import contextlib
import gc
import importlib
import os
import pickle
import select
import signal
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SETTINGS = {
    "LMCOURSE_EXAMPLES": "first",  # a profile of tests/conftest.py: a failing test ends at once
    "OMP_NUM_THREADS": "1",  # a forked process must not meet the threads of its parent
    "PYTHONDONTWRITEBYTECODE": "1",  # an edit within a second must not meet the old bytecode
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # loading all plugins takes longer than a test
}
COULD_NOT_RUN = -1


@dataclass(frozen=True)
class Ran:
    """How a run of pytest ended: its exit code, and the tests that ran and passed."""

    code: int
    passed: dict[str, float] = field(default_factory=dict)  # and the seconds of each, as below
    seconds: float = 0.0  # of processor time, without that of processes which it started
    libraries: list[str] = field(default_factory=list, repr=False)  # the modules it imported


def run_all(
    runs: Iterable[tuple[Path, Sequence[str]]], seconds: float, processes: int = 2
) -> Iterator[tuple[int, Ran]]:
    """(number of the run, how it ended) as they end, for each (folder, tests).

    Args:
        seconds: after these, a run is ended with all that it started.
        processes: how many run at a time.
    """
    if strangers := [name for name in sys.modules if name.partition(".")[0] == "lmcourse"]:
        raise RuntimeError(f"a process that has imported lmcourse must not be forked: {strangers}")
    os.environ.update(SETTINGS)
    sys.dont_write_bytecode = True
    waiting, running = iter(enumerate(runs)), {}
    try:
        while True:
            while len(running) < processes and (following := next(waiting, None)):
                number, (folder, tests) = following
                process = _Forked(folder, tests)
                running[process.pipe] = number, process, time.monotonic() + seconds
            if not running:
                return
            rest = min(end for _, _, end in running.values()) - time.monotonic()
            ready, _, _ = select.select([*running], [], [], max(rest, 0.0))
            late = [p for p, (_, _, end) in running.items() if end <= time.monotonic()]
            for pipe in sorted({*ready, *late}):
                number, process, _ = running.pop(pipe)
                ran = process.end(in_time=pipe in ready)
                _import(ran.libraries)
                yield number, ran
    finally:
        for _, process, _ in running.values():
            process.end(in_time=False)


def _import(modules: list[str]) -> None:
    """Imports modules of libraries; one that cannot be imported alone is left to the tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            if name not in sys.modules:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
    gc.freeze()  # pytest collects garbage at its end: not among the objects of libraries, too


class _Forked:
    """A running process that runs tests and tells over a pipe how it went."""

    def __init__(self, folder: Path, tests: Sequence[str]):
        self.pipe, far_end = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads: none holds a lock
            self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            _work(folder, tests, far_end)
        os.close(far_end)

    def end(self, *, in_time: bool) -> Ran:
        """How it went; ends whatever is left of it."""
        ran = Ran(code=COULD_NOT_RUN)
        with os.fdopen(self.pipe, "rb") as pipe, contextlib.suppress(EOFError):
            if in_time:
                ran = pickle.load(pipe)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # with what the test has left behind
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)  # it may not have got its group yet
        os.waitpid(self.pid, 0)
        return ran


class _Passed:
    """A plugin of pytest that notes the tests which pass, all parameters of one as one."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._last = 0.0

    def pytest_runtest_logreport(self, report) -> None:
        if report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
            name, now = report.nodeid.partition("[")[0], time.process_time()
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = time.process_time()


def _work(folder: Path, tests: Sequence[str], pipe: int) -> None:
    """Runs the tests and ends this process; says nothing if they could not run."""
    status = 1
    try:
        os.setsid()
        with open(os.devnull, "r+b") as nowhere:
            for stream in range(3):
                os.dup2(nowhere.fileno(), stream)
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(folder)  # for the processes that the test starts
        sys.path[:] = [str(folder), *sys.path[1:]]  # not the folder of the tool
        passed = _Passed()
        code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", *tests], plugins=[passed])
        libraries = _libraries(folder)
        if any(name.partition(".")[0] == "lmcourse" for name in libraries):
            code, libraries = COULD_NOT_RUN, []  # what it has tested is not the copy
        ran = Ran(int(code), passed.seconds, time.process_time(), libraries)
        with os.fdopen(pipe, "wb") as end:
            pickle.dump(ran, end)
        status = 0
    finally:
        os._exit(status)


def _libraries(folder: Path) -> list[str]:
    """The modules that were imported from files outside of the folder."""
    return [
        name
        for name, module in list(sys.modules.items())
        if (file := getattr(module, "__file__", None)) and not Path(file).is_relative_to(folder)
    ]
