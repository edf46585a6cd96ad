"""The rule of a course: what is due when, which days count, and what they cost."""

import datetime as dt
import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.grading.errors import MisuseError
from lmcourse.grading.lateness import policy
from lmcourse.grading.lateness.policy import Amount, Policy

DUE = dt.datetime(2026, 3, 1, 23, 59, tzinfo=dt.UTC)


def after(**time) -> dt.datetime:
    return DUE + dt.timedelta(**time)


@pytest.mark.parametrize(
    ("time", "days"),
    [
        ({"days": -3}, 0),
        ({}, 0),
        ({"minutes": 15}, 0),
        ({"minutes": 15, "seconds": 1}, 1),
        ({"days": 1}, 1),
        ({"days": 1, "seconds": 1}, 2),
        ({"days": 9, "hours": 23}, 10),
    ],
)
def test_a_day_counts_when_it_has_begun_and_the_grace_is_over(time, days):
    assert Policy(due=DUE, grace_minutes=15.0).days_late(after(**time)) == days


def test_a_time_in_another_zone_is_the_same_time():
    east = dt.timezone(dt.timedelta(hours=9))
    assert Policy(due=DUE).days_late(after(minutes=1).astimezone(east)) == 1
    assert Policy(due=DUE).days_late(DUE.astimezone(east)) == 0


CHANGES = [
    # (zone, due, handed in, days); the clocks go forward in March and back in October or November
    ("Europe/Berlin", "2026-03-28 23:59", "2026-03-29 23:30", 1),
    ("Europe/Berlin", "2026-03-28 23:59", "2026-03-29 23:59", 1),
    ("Europe/Berlin", "2026-03-28 23:59", "2026-03-30 00:01", 2),
    ("Europe/Berlin", "2026-10-24 23:59", "2026-10-25 23:30", 1),
    ("Europe/Berlin", "2026-10-24 23:59", "2026-10-25 23:59", 1),
    ("Europe/Berlin", "2026-10-24 23:59", "2026-10-26 00:01", 2),
    ("Europe/Berlin", "2026-10-20 12:00", "2026-11-03 12:00", 14),
    ("America/New_York", "2026-03-07 23:59", "2026-03-08 23:59", 1),
    ("America/New_York", "2026-03-07 23:59", "2026-03-09 00:01", 2),
    ("America/New_York", "2026-10-31 23:59", "2026-11-01 23:59", 1),
    ("America/New_York", "2026-10-31 23:59", "2026-11-02 00:01", 2),
    ("UTC", "2026-03-28 23:59", "2026-03-29 23:59", 1),
    ("UTC", "2026-10-24 23:59", "2026-10-25 23:59", 1),
    ("UTC", "2026-10-24 23:59", "2026-10-26 00:00", 2),
]


@pytest.fixture
def machine_in(monkeypatch):
    """Set this machine's own time zone."""

    def settle(zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield settle
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("zone", "due", "handed_in", "days"), CHANGES)
def test_a_change_of_the_clock_is_no_day(machine_in, zone, due, handed_in, days):
    machine_in(zone)
    rule = Policy(due=dt.datetime.fromisoformat(due).astimezone())
    assert rule.days_late(dt.datetime.fromisoformat(handed_in).astimezone()) == days


@pytest.mark.parametrize(("zone", "due", "handed_in", "days"), CHANGES)
def test_the_zone_of_the_course_counts_before_that_of_the_machine(
    machine_in, zone, due, handed_in, days
):
    machine_in("Asia/Tokyo")
    rule = policy.policy_for({"due": {"a": due}, "timezone": zone}, "a")
    there = dt.datetime.fromisoformat(handed_in).replace(tzinfo=ZoneInfo(zone))
    assert rule.days_late(there) == days


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
@given(due=st.integers(0, 400 * 24), first=st.integers(-9, 800), more=st.integers(0, 800))
def test_later_is_never_fewer_days_and_a_day_has_23_to_25_hours(zone, due, first, more):
    start = dt.datetime(2026, 1, 1, 0, 30, tzinfo=dt.UTC) + dt.timedelta(hours=due)
    rule = Policy(due=start, zone=ZoneInfo(zone))
    days = [rule.days_late(start + dt.timedelta(hours=h)) for h in (first, first + more)]
    assert days[0] <= days[1]
    for hours, n in zip((first, first + more), days, strict=True):
        assert (hours - 1) / 24 <= n < max(1, (hours + 1) / 24 + 1)


def test_the_repeated_hour_is_late_and_no_day_more():
    berlin = ZoneInfo("Europe/Berlin")
    rule = Policy(due=dt.datetime(2026, 10, 25, 2, 30, tzinfo=berlin), zone=berlin)
    assert rule.days_late(dt.datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=1)) == 1
    assert rule.days_late(dt.datetime(2026, 10, 26, 2, 30, tzinfo=berlin)) == 1


def test_a_due_date_means_its_last_minute():
    rule = policy.policy_for({"due": {"a": "2026-03-28"}, "timezone": "Europe/Berlin"}, "a")
    berlin = ZoneInfo("Europe/Berlin")
    assert rule.days_late(dt.datetime(2026, 3, 28, 23, 59, 30, tzinfo=berlin)) == 0
    assert rule.days_late(dt.datetime(2026, 3, 29, 0, 0, 1, tzinfo=berlin)) == 1
    midnight = policy.policy_for(
        {"due": {"a": "2026-03-28 00:00"}, "timezone": "Europe/Berlin"}, "a"
    )
    assert midnight.days_late(dt.datetime(2026, 3, 28, 0, 1, tzinfo=berlin)) == 1


@pytest.mark.parametrize(
    ("per_day", "at_most", "days", "score", "off"),
    [
        ("10%", "100%", 2, 20.0, 4.0),
        ("2", "100%", 3, 20.0, 6.0),
        ("10%", "50%", 9, 20.0, 10.0),
        ("2.5", "5", 9, 20.0, 5.0),
        ("30", "100%", 1, 20.0, 20.0),
        ("10%", "50%", 0, 20.0, 0.0),
        ("0", "100%", 9, 20.0, 0.0),
    ],
)
def test_the_rule(per_day, at_most, days, score, off):
    settings = {"due": {"a": DUE.isoformat()}, "per_day": per_day, "at_most": at_most}
    assert policy.policy_for(settings, "a").deduction(days, score) == pytest.approx(off)


@given(
    number=st.floats(0, 200),
    per_cent=st.booleans(),
    days=st.integers(0, 400),
    score=st.floats(0, 1000),
)
def test_nobody_falls_below_zero_and_later_is_never_better(number, per_cent, days, score):
    rule = Policy(due=DUE, per_day=Amount(number=number, per_cent=per_cent))
    off = rule.deduction(days, score)
    assert 0 <= off <= score
    assert off <= rule.deduction(days + 1, score)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"c\.Lateness\.due must name a time for a: add"),
        ({"due": {"b": "2026-01-01"}}, "must name a time for a"),
        ({"due": {"a": "soon"}}, r"due\['a'\] must be a time such as .*, got 'soon'"),
        ({"due": {"a": "2026-01-01"}, "per_day": "ten"}, r"per_day must be points .*got 'ten'"),
        ({"due": {"a": "2026-01-01"}, "per_day": "-1"}, "per_day must be points"),
        ({"due": {"a": "2026-01-01"}, "grace_minutes": "5"}, "grace_minutes must be a number"),
        ({"due": {"a": "2026-01-01"}, "grace": 5}, "must hold nothing but .*, got grace"),
        ({"due": {"a": "2026-01-01"}, "timezone": "Berlin"}, "timezone must be a name such as"),
    ],
)
def test_a_setting_that_is_wrong_is_said(settings, message):
    with pytest.raises(MisuseError, match=message):
        policy.policy_for(settings, "a")
