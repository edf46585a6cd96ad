"""Those who grade: processes of this machine, or of a cluster, each with its warm fork servers.

Chapter: book/instructors/scale.md

Threat: a worker that dies – the machine ran out of memory, say – with a submission in its pool.
joblib then gives up all that runs. Whatever was not finished is tried once more, one at a time, so
that the one that ends its worker is known: it could not be graded, and the others lose nothing.

Threat: the workers of a cluster serve several runs. What a run keeps warm there ends with that run,
and nothing else does (`warm_servers.claim`).
"""

import contextlib
import ctypes
import os
import signal
import sys
import tempfile
import threading
import uuid
import warnings
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty
from typing import Protocol, runtime_checkable

from joblib import Parallel, delayed, parallel_config

from lmcourse.grading.assignment.handed_in import Entry, Submission
from lmcourse.grading.errors import FailureError
from lmcourse.grading.execution import warm_servers
from lmcourse.grading.execution.assignment_spec import AssignmentSpec
from lmcourse.grading.execution.submission import GradedNotebook, grade
from lmcourse.grading.gradebook import environment
from lmcourse.grading.sandbox import bubblewrap

_MASKS = hasattr(signal, "pthread_sigmask")  # not on Windows
_DIE_WITH_PARENT = 1
_LOST = 5  # so many workers lost in a row, each with one submission: it is not the submissions
_CONNECT_SECONDS = 20
WORKER_ENDED = (
    "the worker that graded it ended (out of memory?), twice; the same command tries again"
)


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Workers:
    """How many grade at a time, and where.

    Args:
        workers: on this machine.
        scheduler: the address of a Dask scheduler, whose workers then do all of it.
    """

    workers: int = 1
    scheduler: str = ""

    def grade(
        self, spec: AssignmentSpec, entries: Iterable[Entry]
    ) -> Iterator[tuple[Submission, GradedNotebook]]:
        """Each submission with its answer, as they come.

        Raises:
            FailureError: the cluster cannot be used, or workers end whatever they are given.
        """
        with self._pool() as pool:
            yield from _persist(pool, spec, entries)

    @contextlib.contextmanager
    def _pool(self) -> Iterator["_Pool"]:
        if self.scheduler:
            with _cluster(self.scheduler) as pool:
                yield pool
            return
        try:
            with tempfile.TemporaryDirectory(prefix="lmcourse-") as scratch:
                hello = {"initializer": _begin, "initargs": (os.getpid(), scratch)}
                try:
                    yield _Pool(number=self.workers, options={"max_nbytes": None, **hello})
                finally:
                    with _signals_wait():  # a second one: the first has been heard
                        _dismiss()
        finally:
            warm_servers.close()


@dataclass(frozen=True, kw_only=True)
class _Pool:
    """What joblib is told of the workers.

    Args:
        run: whose processes those are that the workers keep warm, where others use them, too.
    """

    number: int
    options: dict
    run: str = ""

    def work(self, spec: AssignmentSpec, entries: Iterable[Entry], number: int | None = None):
        """(submission, answer) for each entry; ends by raising if a worker does."""
        flying: dict[int, Submission] = {}

        def tasks():
            for index, entry in enumerate(entries):
                submission = entry.read()
                flying[index] = submission
                yield delayed(_task)(spec, index, submission, self.run)

        number = number or self.number
        # Read ahead by one for each worker: more would be lost with a worker that dies.
        parallel = Parallel(
            n_jobs=number,
            batch_size=1,
            pre_dispatch=2 * number,
            return_as="generator_unordered",
            **self.options,
        )
        with contextlib.ExitStack() as ended:
            with _signals_wait():
                answers = parallel(tasks())
                ended.callback(_close, answers)
            for index, answer in answers:
                yield flying.pop(index), answer


@runtime_checkable
class Pool(Protocol):
    """Who grades at a time; may end, whatever it is given, by raising."""

    def work(
        self, spec: AssignmentSpec, entries: Iterable[Entry], number: int | None = None
    ) -> Iterator[tuple[Submission, GradedNotebook]]:
        """Each submission with its answer, by `number` workers."""


def _persist(
    pool: Pool, spec: AssignmentSpec, entries: Iterable[Entry]
) -> Iterator[tuple[Submission, GradedNotebook]]:
    """All answers, whatever workers die on the way.

    First all together. What was under way when a worker died is suspected, and tried alone; who
    ends a worker even so could not be graded. Then the rest goes on together.
    """
    waiting, suspects, lost = iter(entries), [], 0
    while True:
        alone = bool(suspects)
        taken = _Taken([suspects.pop(0)] if alone else waiting)
        try:
            # joblib would grade a single one in this process; it is kept for two.
            for submission, answer in pool.work(spec, taken, 2 if alone else None):
                taken.unfinished.pop(submission.student)
                lost = 0
                yield submission, answer
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except Exception as error:  # no job raises: it is the workers
            lost += alone
            if lost >= _LOST:
                raise FailureError(
                    f"workers end before they have graded anything ({type(error).__name__}:"
                    f" {str(error).splitlines()[0][:200] if str(error) else 'no reason given'})."
                    " What is graded so far is kept; mend that, and give the same command again"
                ) from error
            _dismiss()
            if alone:
                for entry in taken.unfinished.values():
                    yield entry.read(), GradedNotebook(problem=WORKER_ENDED, log=repr(error))
            else:
                suspects += taken.unfinished.values()
        else:
            if not alone:
                return


class _Taken:
    """Entries that remember which of them were taken and are not finished."""

    def __init__(self, source: Iterable[Entry]):
        self._source = source
        self.unfinished: dict[str, Entry] = {}

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._source:
            self.unfinished[entry.student] = entry
            yield entry


def _close(answers: Generator) -> None:
    _drop_waiting()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers.close()


def _task(
    spec: AssignmentSpec, index: int, submission: Submission, run: str
) -> tuple[int, GradedNotebook]:
    if submission.problem:  # since the run began
        return index, GradedNotebook(problem=submission.problem)
    warm_servers.claim(run)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return index, grade(spec, submission.student, submission.cells)


def _begin(parent: int, scratch: str) -> None:
    """What a worker does first: leave Ctrl-C to its parent, end with it, and keep no files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if _MASKS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # a cell, say, is stopped by it
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    tempfile.tempdir = scratch


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Until the block ends nothing is stopped half-way; then a signal to end does what it does.

    Workers that start meanwhile inherit that Ctrl-C is blocked, until `_begin` has them ignore it.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone hears signals
        yield
        return
    heard: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: heard.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if _MASKS else set()
    try:
        yield
    finally:
        if _MASKS:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        for number, handler in before.items():
            signal.signal(number, handler)
        if heard:
            signal.raise_signal(heard[0])


def _dismiss() -> None:
    """End the workers of this machine, with all that they have started."""
    from joblib.externals.loky import reusable_executor

    _drop_waiting()
    executor = reusable_executor._executor
    if executor is not None:
        executor.shutdown(wait=True, kill_workers=True)


def _drop_waiting() -> None:
    """Take back what no worker has been given yet.

    A thread of loky's would look for it after it has been forgotten, and show the error.
    """
    from joblib.externals.loky import reusable_executor

    waiting = getattr(reusable_executor._executor, "_work_ids", None)
    with contextlib.suppress(Empty):
        while waiting is not None:
            waiting.get_nowait()


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[_Pool]:
    """The threads of all workers of a Dask cluster."""
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise FailureError(
            'distributed is missing: python -m pip install -c constraints.txt -e ".[cluster]"'
        ) from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise FailureError(
            f"there is no Dask scheduler at {address} ({type(error).__name__}):"
            " start one with `dask scheduler`, and workers with `dask worker ADDRESS`"
        ) from error
    run = uuid.uuid4().hex
    try:
        _inspect(client, address)
        with parallel_config(backend="dask", client=client):
            yield _Pool(number=sum(client.ncores().values()), options={}, run=run)
    finally:
        with contextlib.suppress(Exception):
            client.run(warm_servers.close, run)
        client.close()


def _inspect(client, address: str) -> None:
    """Every worker has this environment and can hold strangers' code, or nothing begins."""
    if not client.ncores():
        raise FailureError(f"the scheduler at {address} has no worker: dask worker {address}")
    try:
        theirs = client.run(environment.facts)
        problems = client.run(bubblewrap.problems)
    except Exception as error:
        raise FailureError(
            f"a worker does not answer ({type(error).__name__}: {error}):"
            " is lmcourse installed there, in the same version?"
        ) from error
    for address in sorted(theirs):
        if found := environment.differences(theirs[address]):
            raise FailureError(
                f"the worker {address} has another environment, so that grades would depend on"
                f" who gives them: {'; '.join(found[:3])}{' …' if len(found) > 3 else ''}"
            )
        if problems[address]:
            raise FailureError(f"on the worker {address}: {'; '.join(problems[address])}")
