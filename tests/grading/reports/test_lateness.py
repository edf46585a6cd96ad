"""Days are counted from the due time, points are taken off in words only."""

import datetime as dt
import json
import os
import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.grading.errors import MisuseError
from lmcourse.grading.gradebook.results import Grade, Result
from lmcourse.grading.reports import lateness
from lmcourse.grading.reports.lateness import Amount, HandedIn, Late, Policy

DUE = dt.datetime(2026, 3, 1, 23, 59, tzinfo=dt.UTC)
TEN_PER_CENT = Amount(number=10.0, per_cent=True)


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
    rule = lateness.policy({"due": {"a": due}, "timezone": zone}, "a")
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
    rule = lateness.policy({"due": {"a": "2026-03-28"}, "timezone": "Europe/Berlin"}, "a")
    berlin = ZoneInfo("Europe/Berlin")
    assert rule.days_late(dt.datetime(2026, 3, 28, 23, 59, 30, tzinfo=berlin)) == 0
    assert rule.days_late(dt.datetime(2026, 3, 29, 0, 0, 1, tzinfo=berlin)) == 1
    midnight = lateness.policy({"due": {"a": "2026-03-28 00:00"}, "timezone": "Europe/Berlin"}, "a")
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
    assert lateness.policy(settings, "a").deduction(days, score) == pytest.approx(off)


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
        lateness.policy(settings, "a")


def test_times_come_from_a_table_and_the_last_one_counts(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text(
        "\ufeffstudent, time\nada,2026-03-01 10:00Z\nben,2026-03-02T10:00+09:00\n"
        "ada,2026-03-03 10:00:00.000000 UTC\n"
    )
    times = lateness.times_from_csv(path)
    assert times["ada"].at == dt.datetime(2026, 3, 3, 10, tzinfo=dt.UTC)
    assert times["ben"].at == dt.datetime(2026, 3, 2, 1, tzinfo=dt.UTC)
    assert times["ben"].source == "times.csv, line 3"
    path.write_text("student,time\nada,tomorrow\n")
    with pytest.raises(MisuseError, match=r"times\.csv, line 2: time must be a time"):
        lateness.times_from_csv(path)
    path.write_text("name,when\nada,tomorrow\n")
    with pytest.raises(MisuseError, match="student, time is missing: its first line says name"):
        lateness.times_from_csv(path)


def test_one_learner_without_a_time_is_left_out_and_one_that_is_none_is_unknown(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text(
        "student,time\nada,2026-03-01 10:00Z\nben,\ncleo,31.2.2026\n"
        "dan,9999-12-31 23:59-12:00\nada,soon\neve,soon\neve,2026-03-01 10:00Z\n"
        "ada,\nfinn,2026-03-01 10:00\n"
    )
    found = lateness.times_from_csv(path, ZoneInfo("UTC"))
    assert [(name, one.at is None) for name, one in found.items()] == [
        *[("ada", True), ("cleo", True), ("dan", True), ("eve", True), ("finn", False)]
    ]
    assert found["cleo"].problem.startswith("times.csv, line 4: time must be a time such as")
    assert "line 6: time must be" in found["ada"].problem  # nobody knows which was the last


def hand_in(path, text="{}"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (DUE.timestamp(), DUE.timestamp()))
    return path


def test_times_come_from_files_or_from_what_nbgrader_noted(tmp_path):
    for name in ("ada/tiny/tiny.ipynb", "ben/tiny.ipynb", "cleo.ipynb", "dan/tiny/tiny.ipynb"):
        hand_in(tmp_path / name)
    (tmp_path / "dan/tiny/timestamp.txt").write_text("2026-03-05 10:00:00.000000 UTC\n")
    (tmp_path / "ada/tiny/timestamp.txt").write_text("no time")
    (tmp_path / "timestamp.txt").write_text("1999-01-01 UTC")  # nobody's
    (tmp_path / "eve").symlink_to(tmp_path / "ada")
    (tmp_path / "nobody").mkdir()
    found = lateness.times_from_files(tmp_path, "tiny")
    assert {name: one.at for name, one in found.items()} == {
        "ada": None,
        "ben": DUE,
        "cleo": DUE,
        "dan": dt.datetime(2026, 3, 5, 10, tzinfo=dt.UTC),
    }
    assert found["ada"].problem.startswith("nbgrader's timestamp.txt must be a time")
    assert [found[name].source for name in ("ben", "dan")] == [
        *("the file's own time", "nbgrader's timestamp.txt")
    ]


@pytest.mark.parametrize("seconds", [10**12, -(10**12)])
def test_a_file_of_a_year_that_is_none_is_one_learner_s_row(tmp_path, monkeypatch, seconds):
    hand_in(tmp_path / "ada/tiny.ipynb")
    odd = hand_in(tmp_path / "ben/tiny.ipynb")
    stat = type(odd).stat

    def told(path, **options):
        facts = stat(path, **options)
        # Not every file system keeps such a time, but archives carry it.
        return os.stat_result((*facts[:7], seconds, seconds, seconds)) if path == odd else facts

    monkeypatch.setattr(type(odd), "stat", told)
    late = lateness.judge(Policy(due=DUE), lateness.times_from_files(tmp_path, "tiny"))
    assert (late["ada"].problem, late["ada"].days) == ("", 0)
    assert "time must be in the years 1 to 9999" in late["ben"].problem
    assert lateness.note(Policy(due=DUE), late["ben"], 20.0, True).startswith("time unknown: ")


def test_times_are_of_exactly_what_is_graded(tmp_path):
    """Where the intake refuses a learner, two notebooks say, there is no time either."""
    from lmcourse.grading.assignment.submissions import collect

    notebook = json.dumps({"cells": [], "nbformat": 4})
    for name in ("ada/tiny.ipynb", "two/tiny.ipynb", "two/tiny/tiny.ipynb", "ben.ipynb"):
        hand_in(tmp_path / name, notebook)
    for name in ("both.ipynb", "both/tiny.ipynb", "tiny.ipynb", "old/tiny.IPYNB", "odd name.ipynb"):
        hand_in(tmp_path / name, notebook)
    gradable = [one.student for one in collect(tmp_path, "tiny") if not one.problem]
    assert gradable == ["ada", "ben"]
    assert sorted(lateness.times_from_files(tmp_path, "tiny")) == gradable


def test_what_is_kept_is_read_back(tmp_path):
    rule = Policy(
        due=DUE, per_day=TEN_PER_CENT, grace_minutes=5.0, zone=ZoneInfo("America/New_York")
    )
    handed_in = {
        "ada": HandedIn(source="times.csv", at=after(days=2), digest="d1"),
        "ben": HandedIn(source="times.csv", at=after(days=-1)),
        "cleo": HandedIn(source="the file's own time", problem="why"),
    }
    late = lateness.judge(rule, handed_in)
    assert [one.days for one in late.values()] == [2, 0, 0]
    path = lateness.file_of(tmp_path, "tiny")
    assert lateness.read_days(path) is None
    lateness.save(path, rule, late)
    assert lateness.read_days(path) == (rule, late)
    path.write_text('{"due": 1}')
    with pytest.raises(MisuseError, match="is damaged: run lmcourse late again"):
        lateness.read_days(path)


def test_the_words_for_the_learner():
    rule = Policy(due=DUE, per_day=TEN_PER_CENT)
    late = Late(handed_in="2026-03-03 12:00+00:00", days=2)
    said = lateness.note(rule, late, 20.0, complete=True)
    assert "handed in 2 days late" in said
    assert "10 % a day, 4 points off, 16 remain;" in said
    assert "remain so far" in lateness.note(rule, late, 20.0, complete=False)
    assert lateness.note(rule, Late(handed_in="x", days=0), 20.0, complete=True) == ""


@pytest.mark.parametrize("days", [0, 2])
def test_days_of_another_notebook_are_no_days(tmp_path, days):
    """In time first, then another notebook months later: nobody knows when that one came."""
    rule = Policy(due=DUE, per_day=TEN_PER_CENT)
    found = {"ada": HandedIn(source="a table", at=after(days=days), digest="first")}
    late = lateness.judge(rule, found)
    lateness.save(lateness.file_of(tmp_path, "tiny"), rule, late)
    grades = [Grade(name="test", points=20.0, of=20.0)]
    notes = {
        digest: lateness.noted(
            Result(student="ada", grades=grades, digest=digest), tmp_path, "tiny"
        ).notes
        for digest in ("first", "second")
    }
    assert ["2 days late" in note for note in notes["first"]] == [True] * bool(days)
    (said,) = notes["second"]
    assert "unknown since the notebook changed" in said
    assert said.endswith("no points off")
    ((_, _, *row),) = lateness.rows(rule, late, {"ada": (20.0, "second")})
    assert row[:4] == [None, 20.0, 0.0, 20.0]
