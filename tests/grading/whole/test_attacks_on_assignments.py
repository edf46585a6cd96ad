"""A task of the course's own assignments gives few points to whoever guesses.

Attacks that must get none are tried by `tools/hostile.py`, a step of `make check`.
"""

import pytest
from attacked_assignments import graded, of_the_author, servers_for
from attacks.verdicts import GUESSES

from lmcourse.grading.outcomes import UNGRADED


@pytest.mark.parametrize("name", GUESSES)
def test_whoever_remembers_all_answers_has_one_guess(name):
    """Of eight functions that a learner is shown one is right, so one in eight guesses is."""
    attack, students = GUESSES[name], 24
    with servers_for(attack.slug, attack.test) as warm:
        assert of_the_author(warm, attack).verdict == "passed"
        outcomes = [graded(warm, attack, f"student {k}") for k in range(students)]
    assert UNGRADED not in {outcome.verdict for outcome in outcomes}
    right = sum(outcome.fraction for outcome in outcomes)
    assert right <= 7, f"{right} of {students}"  # 3 on average; one in a hundred seeds gives more
