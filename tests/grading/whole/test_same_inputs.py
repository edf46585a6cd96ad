"""What a test asks of an answer comes again with its seed, input by input, in every assignment."""

from itertools import chain, zip_longest

import pytest

from lmcourse.grading.assignment.author import reference_cells
from lmcourse.grading.assignment.course import find_course
from lmcourse.grading.assignment.notebooks import read_cells
from lmcourse.grading.assignment.plan import names_to_define, stated_plan
from lmcourse.grading.bridge import JUDGE, LEARNER
from lmcourse.grading.execution.sandboxed import SubmissionRun
from lmcourse.grading.outcomes import TestOutcome
from lmcourse.grading.sandbox.budgets import MIB, Budgets
from lmcourse.grading.sandbox.processes import ForkServer
from lmcourse.grading.sandbox.seeds import hash_seed, seed_for

COURSE = find_course()
SECRET = b"a secret of this test"
# Beside the answers: a digest of each message of the judge's, its question and its bytes.
NOTE = """
def _note():
    import hashlib, json
    from lmcourse.grading.bridge import learner_side
    receive, seen = learner_side.frames.Inbox.receive, []

    def noted(inbox, *more):
        head, block = receive(inbox, *more)
        if head.get("op") != "cell":
            digest = hashlib.sha256(json.dumps(head).encode() + bytes(block)).hexdigest()[:16]
            seen.append(f"{head.get('op', 'reply')}:{digest}")
        return head, block

    learner_side.frames.Inbox.receive = noted
    return seen
_seen = _note()
"""
SHOW = "print(*_seen); _seen.clear()"


@pytest.fixture(scope="module")
def servers():
    """Two pairs, as two runs of the grader have them, on different days say."""
    seeds = {side: hash_seed(SECRET, side) for side in (LEARNER, JUDGE)}
    pairs = [[ForkServer(side, hash_seed=seeds[side]) for side in seeds] for _ in range(2)]
    yield pairs
    for server in chain(*pairs):
        server.close()


def asked(pair: list[ForkServer], slug: str) -> dict[str, list[str]]:
    """All that each test asked of the author's answers, in order."""
    plan = stated_plan(read_cells(COURSE.solution(slug)))
    budgets, found = Budgets(output_bytes=16 * MIB), {}
    with SubmissionRun(
        *pair,
        budgets,
        wanted=names_to_define(plan),
        seed=lambda name: seed_for(SECRET, "ada", name),
    ) as submission_run:
        submission_run.run_cell(NOTE)
        for cell in reference_cells(COURSE.solution(slug), plan):
            ran = submission_run.run(cell)
            if isinstance(ran, TestOutcome):
                assert ran.verdict == "passed", f"{cell.name}: {ran.said}"
                [printed] = submission_run.run_cell(SHOW).outputs
                found[cell.name] = printed["text"].split()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("slug", COURSE.assignments())
def test_the_same_seed_asks_the_same_of_an_answer(servers, slug):
    first, again = (asked(pair, slug) for pair in servers)
    assert first.keys() == again.keys()
    assert all(len(inputs) > 1 for inputs in first.values())
    different = {
        name: next(
            (n, *pair)
            for n, pair in enumerate(zip_longest(inputs, again[name]))
            if pair[0] != pair[1]
        )
        for name, inputs in first.items()
        if inputs != again[name]
    }
    assert not different, "the first input that differs, by test"
