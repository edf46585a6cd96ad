"""How fast it goes and how long it takes, told while a class is graded."""

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lmcourse.grading.cli import progress
    from lmcourse.grading.gradebook.results import Result

FRESH = Result(student="ada")


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def count(pace, clock, results, seconds):
    for result in results:
        clock.now += seconds
        pace.count(result)


def test_the_pace_is_that_of_what_is_graded_now(clock):
    pace = progress.Pace(300)
    count(pace, clock, [Result(student="kept", kept=True)] * 100, 0.01)
    assert str(pace) == ""
    count(pace, clock, [FRESH] * 2, 0.5)
    assert str(pace) == ""  # two are no rate
    count(pace, clock, [FRESH] * 98, 0.5)
    assert str(pace) == "120 a minute, 50 s to go"


@pytest.mark.parametrize(
    ("seconds", "said"), [(1.0, "60 a minute, 97 s"), (60.0, "1 a minute, 1.6 h")]
)
def test_long_times_are_told_in_minutes_and_hours(clock, seconds, said):
    pace = progress.Pace(100)
    count(pace, clock, [FRESH] * 3, seconds)
    assert str(pace) == f"{said} to go".replace("97 s", "2 min")
