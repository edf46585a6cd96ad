"""Workers that grade, die and are replaced: every submission gets its row, and nobody else's."""

import os
import signal
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lmcourse.grading.assignment.handed_in import Entry, Submission
    from lmcourse.grading.batch import workers
    from lmcourse.grading.batch.workers import WORKER_ENDED, Workers
    from lmcourse.grading.errors import FailureError
    from lmcourse.grading.execution import warm_servers
    from lmcourse.grading.execution.submission import GradedNotebook

from small_assignment import SPEC

NAMES = [f"s{number}" for number in range(9)]


class FakeEntry(Entry):
    """Reads as a submission without cells; there is no file."""

    def read(self):
        return Submission(student=self.student)


def entries():
    return [FakeEntry(student=name, path=Path(name), assignment="tiny") for name in NAMES]


class FakePool:
    """Workers that die over some submissions, at any time."""

    def __init__(self, deadly=(), always=False):
        self.deadly, self.always, self.graded = deadly, always, []

    def work(self, spec, entries, number=None):
        flying = []
        for entry in entries:
            flying.append(entry)
            if len(flying) < (number or 6):
                continue
            yield from self._finish(flying)
        while flying:
            yield from self._finish(flying)

    def _finish(self, flying):
        entry = flying.pop()  # the last first: nobody promises an order
        if self.always or entry.student in self.deadly:
            raise RuntimeError("a worker was killed")
        self.graded.append(entry.student)
        yield entry.read(), GradedNotebook(notebook=entry.student)


def answers(pool):
    return {s.student: a for s, a in workers._persist(pool, SPEC, entries())}


def test_each_is_graded_once():
    pool = FakePool()
    assert {name: a.notebook for name, a in answers(pool).items()} == {n: n for n in NAMES}
    assert sorted(pool.graded) == NAMES


@pytest.mark.parametrize("deadly", [["s0"], ["s8"], ["s2", "s3"], ["s1", "s4", "s6"]])
def test_who_ends_a_worker_is_found_and_the_others_lose_nothing(deadly):
    pool = FakePool(deadly)
    found = answers(pool)
    assert sorted(found) == NAMES
    assert [name for name in NAMES if found[name].problem == WORKER_ENDED] == deadly
    assert sorted(pool.graded) == [name for name in NAMES if name not in deadly]


def test_workers_that_always_end_stop_the_run():
    with pytest.raises(
        FailureError, match=r"before they have graded anything \(RuntimeError: a wor"
    ):
        answers(FakePool(always=True))


class Refused(FakeEntry):
    """Nothing of it runs: there is no sandbox in these tests."""

    def read(self):
        return Submission(student=self.student, problem="JSON is broken")


def refused():
    return [Refused(student=name, path=Path(name), assignment="tiny") for name in NAMES]


class Ended(BaseException):
    """What a signal does in this test, whichever it is."""


@pytest.mark.parametrize("when", ["as the first worker starts", "as the workers are ended"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_while_workers_start_and_end(monkeypatch, when, number):
    """It stops the run, as soon as nothing is left half-way; and it is not kept for ever."""

    def end(*_):
        raise Ended

    signal.signal(number, end)
    from joblib.externals.loky.backend.popen_loky_posix import Popen
    from joblib.externals.loky.process_executor import _ExecutorManagerThread as Manager

    give = Manager.add_call_item_to_queue

    def given_late(self):
        """The thread of loky that gives out work comes to it only after the signal."""
        if when == "as the workers are ended" or self.executor_flags.shutdown:
            give(self)

    monkeypatch.setattr(Manager, "add_call_item_to_queue", given_late)
    begin, finish, order = Popen._launch, workers._dismiss, []

    def launch(self, process):
        if when == "as the first worker starts" and "start" not in order:
            os.kill(os.getpid(), number)
        order.append("start")
        return begin(self, process)

    def dismiss():
        if when == "as the workers are ended":
            os.kill(os.getpid(), number)
        finish()
        order.append("ended")

    monkeypatch.setattr(Popen, "_launch", launch)
    monkeypatch.setattr(workers, "_dismiss", dismiss)
    answers = Workers(workers=2).grade(SPEC, refused())
    graded = []
    with pytest.raises(Ended):
        graded += answers
    assert len(graded) == (0 if when == "as the first worker starts" else len(NAMES))
    assert order == ["start", "start", "ended"]
    assert signal.getsignal(number) is end
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_workers_leave_ctrl_c_to_their_parent_and_what_they_start_can_be_stopped():
    from joblib import Parallel, delayed

    with Workers(workers=2)._pool() as pool, workers._signals_wait():
        ask = [
            delayed(signal.getsignal)(signal.SIGINT),
            delayed(signal.pthread_sigmask)(signal.SIG_BLOCK, []),
        ]
        handler, blocked = Parallel(n_jobs=2, **pool.options)(ask)
    assert handler == signal.SIG_IGN
    assert signal.SIGINT not in blocked


def test_what_a_run_ends_on_a_cluster_is_its_own(monkeypatch):
    """The other's run has begun there and has not ended: its servers are in use."""
    distributed = pytest.importorskip("distributed")
    ended = []

    class Servers(warm_servers.WarmServers):
        def __init__(self, spec):
            self.spec = spec

        def close(self):
            ended.append(self)

    class Client:
        """One worker, which is this process: a thread of it grades, another ends what is kept."""

        def __init__(self, *_, **__):
            pass

        def ncores(self):
            return {"tcp://one": 1}

        def run(self, function, *args):
            if function is warm_servers.close:
                function(*args)
            return {"tcp://one": []}

        def close(self):
            pass

    def job(pool):
        workers._task(SPEC, 0, Submission(student="ada"), pool.run)
        return warm_servers.kept_for(SPEC)

    monkeypatch.setattr(distributed, "Client", Client)
    monkeypatch.setattr(workers, "_inspect", lambda *_: None)
    monkeypatch.setattr(workers, "grade", lambda *_: GradedNotebook(notebook="{}"))
    monkeypatch.setattr(workers, "parallel_config", lambda **_: warnings.catch_warnings())
    monkeypatch.setattr(warm_servers, "WarmServers", Servers)
    monkeypatch.setattr(warm_servers, "_kept", {})
    monkeypatch.setattr(warm_servers, "_runs", {}, raising=False)
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        with workers._cluster("tcp://one") as one:
            with workers._cluster("tcp://one") as other:
                mine, theirs = first.submit(job, one).result(), second.submit(job, other).result()
                assert mine is not theirs
            assert ended == [theirs]
        assert ended == [theirs, mine]


def test_there_is_at_least_one_core():
    assert workers.cores() >= 1


def test_a_scheduler_that_is_not_there_is_one_line(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "_CONNECT_SECONDS", 1)
    with pytest.raises(FailureError, match=r"no Dask scheduler at tcp://127.* `dask worker"):
        next(Workers(scheduler="tcp://127.0.0.1:1").grade(SPEC, []))
