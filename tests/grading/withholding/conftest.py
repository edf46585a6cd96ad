"""A learner's side without attention."""

import pytest
from sandbox_processes import SETUP, SMALL
from withheld_attention import ATTENTION

from lmcourse.grading.bridge import LEARNER
from lmcourse.grading.execution.sandboxed import SubmissionRun
from lmcourse.grading.sandbox.bubblewrap import PACKAGE
from lmcourse.grading.sandbox.processes import ForkServer
from lmcourse.grading.withholding.course_package import stub_tree


@pytest.fixture(scope="package")
def withheld_learners(tmp_path_factory):
    stub = stub_tree(PACKAGE, tmp_path_factory.mktemp("stub") / "lmcourse", ATTENTION)
    with ForkServer(LEARNER, package=stub, withheld=ATTENTION) as learners:
        yield learners


@pytest.fixture(scope="package")
def withheld_run(withheld_learners, judges):
    with SubmissionRun(withheld_learners, judges, SMALL, wanted=frozenset({"f"})) as submission_run:
        submission_run.run_setup(SETUP)
        yield submission_run
