"""How hard a task was, and whether it told learners apart."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.grading.reports import item_analysis

POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), min_size=5, max_size=40)


@pytest.mark.parametrize(
    ("points", "share"), [([4, 4], 1.0), ([0, 0, 0], 0.0), ([4, 2, 0], 0.5), ([], None)]
)
def test_difficulty_is_the_mean_share(points, share):
    assert item_analysis.difficulty(points, 4) == share


@given(POINTS)
def test_discrimination_is_the_correlation_with_the_rest(table):
    points, rest = (list(map(float, column)) for column in zip(*table, strict=True))
    got = item_analysis.discrimination(points, rest)
    if len(set(points)) == 1 or len(set(rest)) == 1:
        assert got is None
    else:
        assert got == pytest.approx(statistics.correlation(points, rest), abs=1e-9)


def test_a_few_learners_say_nothing():
    assert item_analysis.discrimination([1, 2, 3, 4], [1, 2, 3, 4]) is None


def test_a_task_that_the_strong_lose_stands_out():
    strong, weak = [3.0, 5.0, 0.0], [0.0, 1.0, 4.0]
    table = [strong, weak, strong, weak, [3.0, 4.0, 1.0], [None, 5.0, 4.0]]
    first, _, odd = item_analysis.of_tasks(table, [3, 5, 4])
    assert first["difficulty"] == pytest.approx(9 / 5 / 3)  # who waits is not counted
    assert odd["discrimination"] < -0.9


def test_the_commonest_messages_ignore_their_numbers():
    said = ["got 3, want 4\nfigures", "got 7, want 9", "NaN?", "", "got 1, want 2", "NaN?", "x"]
    assert item_analysis.commonest(said, most=2) == [("got 3, want 4", 3), ("NaN?", 2)]


def test_of_a_task_that_a_person_has_still_to_read_nothing_is_said():
    """The blank answers are decided first."""
    table = [[1, 0], [2, None], [1, None], [2, 0], [3, 0], [1, 0], [2, 0]]
    known, unread = item_analysis.of_tasks(table, [3, 1], [False, True])
    assert unread == {"difficulty": None, "discrimination": None}
    assert known["difficulty"] == pytest.approx(12 / 21)
