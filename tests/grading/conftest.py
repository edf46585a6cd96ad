"""One pair of warm fork servers for all tests of the sandbox."""

import pytest
from sandbox_processes import SETUP, SMALL, WANTED, descendants
from waiting import wait_until

from lmcourse.grading.bridge import JUDGE, LEARNER
from lmcourse.grading.execution.sandboxed import SubmissionRun
from lmcourse.grading.sandbox import bubblewrap
from lmcourse.grading.sandbox.processes import ForkServer


@pytest.fixture(scope="session")
def learners():
    bubblewrap.require()  # where there is no sandbox these tests fail: they are never skipped
    with ForkServer(LEARNER) as server:
        yield server


@pytest.fixture(scope="session")
def judges():
    bubblewrap.require()
    with ForkServer(JUDGE) as server:
        yield server


@pytest.fixture
def make_run(learners, judges):
    """Benches of the small budgets; after each test nothing that they started is left."""
    made = []

    def make(budgets=SMALL, **options):
        submission_run = SubmissionRun(learners, judges, budgets, **{"wanted": WANTED, **options})
        made.append(submission_run)
        return submission_run

    learners.wait_until_warm()
    judges.wait_until_warm()
    before = {*descendants(learners), *descendants(judges)}

    def left():
        return {*descendants(learners), *descendants(judges)} - before

    yield make
    for submission_run in made:
        submission_run.close()
    wait_until(lambda: not left())
    assert not left()


@pytest.fixture
def submission_run(make_run):
    submission_run = make_run()
    submission_run.run_setup(SETUP)
    return submission_run


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory) -> bytes:
    """The file of a gradebook that knows nothing yet: nbgrader takes seconds to make one."""
    from lmcourse.grading.gradebook.database import make_gradebook

    path = tmp_path_factory.mktemp("empty") / "gradebook.db"
    make_gradebook(path)
    return path.read_bytes()
