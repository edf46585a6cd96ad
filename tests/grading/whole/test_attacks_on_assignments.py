"""A task of the course's own assignments gives no point to whoever has not done it."""

import pytest
from attacked_assignments import graded, of_the_author, servers_for
from attacks.assignments import ASSIGNMENTS
from attacks.verdicts import GUESSES

TESTS = sorted({(attack.slug, attack.test) for attack in ASSIGNMENTS.values()})


@pytest.fixture(scope="module", params=TESTS, ids=lambda pair: "/".join(pair))
def servers(request):
    with servers_for(*request.param) as warm:
        yield request.param, warm


def test_they_get_no_point_where_the_author_gets_all(servers):
    target, warm = servers
    mine = {n: a for n, a in ASSIGNMENTS.items() if (a.slug, a.test) == target}
    [attack, *_] = mine.values()
    own = of_the_author(warm, attack)
    assert (own.verdict, own.fraction) == ("passed", 1.0), own
    for name, attack in mine.items():
        outcome = graded(warm, attack)
        assert (outcome.verdict, outcome.fraction) == ("failed", 0.0), (name, outcome)


@pytest.mark.parametrize("name", GUESSES)
def test_whoever_remembers_all_answers_has_one_guess(name):
    """Of eight functions that a learner is shown one is right, so one in eight guesses is."""
    attack, students = GUESSES[name], 24
    with servers_for(attack.slug, attack.test) as warm:
        outcomes = [graded(warm, attack, f"student {k}") for k in range(students)]
    right = sum(outcome.fraction for outcome in outcomes)
    assert right <= 7, f"{right} of {students}"  # 3 on average; one in a hundred seeds gives more
