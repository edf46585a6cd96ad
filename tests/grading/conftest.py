"""One pair of warm fork servers for all tests of the sandbox."""

import pytest
from sandboxed import SETUP, SMALL, WANTED, descendants, wait_until

from lmcourse.grading import sandbox
from lmcourse.grading.bench import Bench
from lmcourse.grading.provisioner import ForkServer


@pytest.fixture(scope="session")
def students():
    sandbox.require()  # where there is no sandbox these tests fail: they are never skipped
    with ForkServer("student") as server:
        yield server


@pytest.fixture(scope="session")
def judges():
    sandbox.require()
    with ForkServer("judge") as server:
        yield server


@pytest.fixture
def make_bench(students, judges):
    """Benches of the small budgets; after each test nothing that they started is left."""
    made = []

    def make(budgets=SMALL, **options):
        bench = Bench(students, judges, budgets, **{"wanted": WANTED, **options})
        made.append(bench)
        return bench

    students.wait_until_warm()
    judges.wait_until_warm()
    before = {*descendants(students), *descendants(judges)}

    def left():
        return {*descendants(students), *descendants(judges)} - before

    yield make
    for bench in made:
        bench.close()
    wait_until(lambda: not left())
    assert not left()


@pytest.fixture
def bench(make_bench):
    bench = make_bench()
    bench.run_setup(SETUP)
    return bench
