"""Days are counted from the due time, points are taken off in words only."""

import datetime as dt
import os
from zoneinfo import ZoneInfo

import pytest

from lmcourse.grading.errors import MisuseError
from lmcourse.grading.gradebook.results import Grade, Result
from lmcourse.grading.lateness import days_late, hand_in_times
from lmcourse.grading.lateness.days_late import Late
from lmcourse.grading.lateness.hand_in_times import HandInTime
from lmcourse.grading.lateness.policy import Amount, Policy

DUE = dt.datetime(2026, 3, 1, 23, 59, tzinfo=dt.UTC)
TEN_PER_CENT = Amount(number=10.0, per_cent=True)


def after(**time) -> dt.datetime:
    return DUE + dt.timedelta(**time)


def hand_in(path, text='{"cells": []}'):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (DUE.timestamp(), DUE.timestamp()))
    return path


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
    late = days_late.count_days(Policy(due=DUE), hand_in_times.times_from_files(tmp_path, "tiny"))
    assert (late["ada"].problem, late["ada"].days) == ("", 0)
    assert "time must be in the years 1 to 9999" in late["ben"].problem
    assert days_late.note(Policy(due=DUE), late["ben"], 20.0, True).startswith("time unknown: ")


def test_what_is_kept_is_read_back(tmp_path):
    rule = Policy(
        due=DUE, per_day=TEN_PER_CENT, grace_minutes=5.0, zone=ZoneInfo("America/New_York")
    )
    handed_in = {
        "ada": HandInTime(source="times.csv", at=after(days=2), digest="d1"),
        "ben": HandInTime(source="times.csv", at=after(days=-1)),
        "cleo": HandInTime(source="the file's own time", problem="why"),
    }
    late = days_late.count_days(rule, handed_in)
    assert [one.days for one in late.values()] == [2, 0, 0]
    path = days_late.file_of(tmp_path, "tiny")
    assert days_late.read_days(path) is None
    days_late.save(path, rule, late)
    assert days_late.read_days(path) == (rule, late)
    path.write_text('{"due": 1}')
    with pytest.raises(MisuseError, match="is damaged: run lmcourse late again"):
        days_late.read_days(path)


def test_the_words_for_the_learner():
    rule = Policy(due=DUE, per_day=TEN_PER_CENT)
    late = Late(handed_in="2026-03-03 12:00+00:00", days=2)
    said = days_late.note(rule, late, 20.0, complete=True)
    assert "handed in 2 days late" in said
    assert "10 % a day, 4 points off, 16 remain;" in said
    assert "remain so far" in days_late.note(rule, late, 20.0, complete=False)
    assert days_late.note(rule, Late(handed_in="x", days=0), 20.0, complete=True) == ""


@pytest.mark.parametrize(
    ("due", "late", "said"),
    [
        ("23:59", {"seconds": 30}, "23:59:30+00:00; due 2026-03-01 23:59+00:00"),
        ("23:59", {"milliseconds": 2}, "23:59:00.002+00:00; due 2026-03-01 23:59+00:00"),
        ("23:59:20", {"seconds": 10}, "23:59:30+00:00; due 2026-03-01 23:59:20+00:00"),
        ("23:50", {"minutes": 2, "seconds": 5}, "23:52+00:00; due 2026-03-01 23:50+00:00"),
    ],
)
def test_two_times_of_which_one_is_late_do_not_look_alike(due, late, said):
    at = dt.datetime.fromisoformat(f"2026-03-01 {due}+00:00")
    east = dt.timezone(dt.timedelta(hours=9))
    for zone in (dt.UTC, east):
        rule = Policy(due=at, per_day=TEN_PER_CENT)
        found = {"ada": HandInTime(source="x", at=(at + dt.timedelta(**late)).astimezone(zone))}
        judged = days_late.count_days(rule, found)["ada"]
        note = days_late.note(rule, judged, 20.0, complete=True)
        assert "handed in 1 day late (" in note
        if zone is dt.UTC:
            assert said in note
        else:
            assert judged.handed_in.split(" ")[1][5:-6] == said.split("+")[0][5:]


@pytest.mark.parametrize("days", [0, 2])
def test_days_of_another_notebook_are_no_days(tmp_path, days):
    """In time first, then another notebook months later: nobody knows when that one came."""
    rule = Policy(due=DUE, per_day=TEN_PER_CENT)
    found = {"ada": HandInTime(source="a table", at=after(days=days), digest="first")}
    late = days_late.count_days(rule, found)
    days_late.save(days_late.file_of(tmp_path, "tiny"), rule, late)
    grades = [Grade(name="test", points=20.0, of=20.0)]
    notes = {
        digest: days_late.noted(
            Result(student="ada", grades=grades, digest=digest), tmp_path, "tiny"
        ).notes
        for digest in ("first", "second")
    }
    assert ["2 days late" in note for note in notes["first"]] == [True] * bool(days)
    (said,) = notes["second"]
    assert "unknown since the notebook changed" in said
    assert said.endswith("no points off")
    ((_, _, *row),) = days_late.rows(rule, late, {"ada": (20.0, "second")})
    assert row[:4] == [None, 20.0, 0.0, 20.0]
