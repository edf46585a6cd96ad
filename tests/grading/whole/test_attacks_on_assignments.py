"""A task of the course's own assignments gives no point to whoever has not done it."""

import pytest
from attacked_assignments import graded, of_the_author, servers_for
from attacks.assignments import ASSIGNMENTS

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
