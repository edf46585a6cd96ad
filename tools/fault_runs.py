"""Runs answers to an assignment, each in a forked process with only the cells that it needs."""

import ast
import contextlib
import copy
import linecache
import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

import nbformat
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

WORKERS = 2


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """The cells of an assignment's source; the dictionaries have the tasks' grade ids as keys."""

    slug: str
    setup: list[str]
    solutions: dict[str, str]
    blanks: dict[str, str]
    tests: dict[str, str]
    visible: dict[str, str]
    points: dict[str, float]
    by_hand: float

    def needed(self, task: str, answer: str) -> list[str]:
        """Setup, the solutions of other tasks that the answer or its test calls, and the answer."""
        try:
            names = {self._owner(name) for name in _used(answer) | _used(self.tests[task])}
        except SyntaxError as error:
            raise ValueError(f"the answer to {task} must be Python, got {error}") from None
        wanted, queue = set(), list(names - {None, task})
        while queue:
            other = queue.pop()
            wanted.add(other)
            owners = {self._owner(name) for name in _used(self.solutions[other])}
            queue += owners - wanted - {None, task}
        return self.setup + [self.solutions[t] for t in self.solutions if t in wanted] + [answer]

    def _owner(self, name: str) -> str | None:
        return next((t for t, source in self.solutions.items() if name in _defined(source)), None)


def load(path: Path) -> Assignment:
    """The assignment whose source notebook is at `path`."""
    source = nbformat.read(path, as_version=4)
    release = copy.deepcopy(source)
    for preprocessor in (ClearSolutions(), ClearHiddenTests()):
        release, _ = preprocessor.preprocess(release, {})
    found = Assignment(
        slug=path.stem, setup=[], solutions={}, blanks={}, tests={}, visible={}, points={},
        by_hand=sum(
            cell.metadata.nbgrader.points
            for cell in source.cells
            if _flags(cell).get("grade") and _flags(cell).get("solution")
        ),
    )  # fmt: skip
    for cell, released in zip(source.cells, release.cells, strict=True):
        flags = _flags(cell)
        if cell.cell_type != "code" or not flags:
            continue
        if flags["grade"]:
            task = flags["grade_id"].removeprefix("test_")
            found.tests[task], found.visible[task] = cell.source, released.source
            found.points[task] = flags["points"]
        elif flags["solution"]:
            found.solutions[flags["grade_id"]] = cell.source
            found.blanks[flags["grade_id"]] = released.source
        else:
            found.setup.append(cell.source)
    return found


def _flags(cell: nbformat.NotebookNode) -> dict:
    return cell.metadata.get("nbgrader", {})


def _used(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _defined(source: str) -> set[str]:
    body = ast.parse(source).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@dataclass(frozen=True, kw_only=True)
class Job:
    """Cells to run, and then tests: task → (visible part, all of it). `times` draws new inputs."""

    cells: list[str]
    tests: dict[str, tuple[str, str]]
    times: int = 1


@dataclass(kw_only=True)
class Outcome:
    """What the tests said, task by task; an empty text where they passed."""

    visible: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def failed(self, task: str) -> str:
        return self.visible[task] or self.hidden[task]

    def messages(self, task: str) -> dict[str, str]:
        return {"visible": self.visible[task], "hidden": self.hidden[task]}


def run(jobs: list[Job], limit: float) -> Iterator[tuple[int, Outcome]]:
    """The outcome of each job, as it comes; one that takes more than `limit` seconds has failed."""
    waiting, running = list(enumerate(jobs))[::-1], {}
    while waiting or running:
        while waiting and len(running) < WORKERS:
            number, job = waiting.pop()
            pipe, process = _start(job)
            running[pipe] = number, process, time.monotonic() + limit * job.times
        first = min(deadline for _, _, deadline in running.values())
        ready = wait(list(running), timeout=max(0.0, first - time.monotonic()))
        late = [p for p, (_, _, deadline) in running.items() if deadline < time.monotonic()]
        for pipe in {*ready, *late}:
            number, process, _ = running.pop(pipe)
            try:
                outcome = pipe.recv() if pipe in ready else _lost(jobs[number], "ran out of time")
            except EOFError:
                outcome = _lost(jobs[number], "its process ended")
            process.kill()
            process.join()
            pipe.close()
            yield number, outcome


def _start(job: Job):
    context = multiprocessing.get_context("fork")  # with torch imported already
    pipe, far_end = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, far_end), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads: none of ours holds a lock
        process.start()
    far_end.close()
    return pipe, process


def _lost(job: Job, reason: str) -> Outcome:
    return Outcome(visible=dict.fromkeys(job.tests, reason), hidden=dict.fromkeys(job.tests, ""))


def _work(job: Job, pipe) -> None:
    warnings.simplefilter("ignore")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        start = time.perf_counter()
        outcome, names = Outcome(), {"__name__": "__main__"}
        broken = next(filter(None, (_execute(cell, names) for cell in job.cells)), "")
        for task, (visible, everything) in job.tests.items():
            outcome.visible[task], outcome.hidden[task] = broken, ""
            for _ in range(0 if broken else job.times):
                outcome.visible[task] = _execute(visible, dict(names))
                if not outcome.visible[task]:
                    outcome.hidden[task] = _execute(everything, dict(names))
                if outcome.failed(task):
                    break
        outcome.seconds = (time.perf_counter() - start) / job.times
    pipe.send(outcome)


def _execute(cell: str, names: dict) -> str:
    """Run a cell; the first line of its error, or an empty text."""
    try:
        # As in Jupyter: a probe is sent as source, which is looked up by the name of its file.
        file = f"<cell {len(linecache.cache)}>"
        linecache.cache[file] = (len(cell), None, cell.splitlines(keepends=True), file)
        exec(compile(cell, file, "exec"), names)
    except BaseException as error:
        return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]
    return ""
