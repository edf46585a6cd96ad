"""Workers that grade, die and are replaced: every submission gets its row, and nobody else's."""

import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lmcourse.grading.assignment.handed_in import Entry, Submission
    from lmcourse.grading.batch import workers
    from lmcourse.grading.batch.workers import WORKER_ENDED, Workers
    from lmcourse.grading.errors import FailureError
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


def test_there_is_at_least_one_core():
    assert workers.cores() >= 1


def test_a_scheduler_that_is_not_there_is_one_line(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "_CONNECT_SECONDS", 1)
    with pytest.raises(FailureError, match=r"no Dask scheduler at tcp://127.* `dask worker"):
        next(Workers(scheduler="tcp://127.0.0.1:1").grade(SPEC, []))
