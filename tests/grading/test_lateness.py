"""Days are counted from the due time, points are taken off in words only."""

import datetime as dt
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.grading import lateness
from lmcourse.grading.errors import MisuseError
from lmcourse.grading.lateness import Amount, Late, Policy

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
    assert times["ada"] == dt.datetime(2026, 3, 3, 10, tzinfo=dt.UTC)
    assert times["ben"] == dt.datetime(2026, 3, 2, 1, tzinfo=dt.UTC)
    path.write_text("student,time\nada,tomorrow\n")
    with pytest.raises(MisuseError, match=r"times\.csv, line 2: time must be a time"):
        lateness.times_from_csv(path)
    path.write_text("name,when\nada,tomorrow\n")
    with pytest.raises(MisuseError, match="student, time is missing: its first line says name"):
        lateness.times_from_csv(path)


def test_times_come_from_files_or_from_what_nbgrader_noted(tmp_path):
    for name in ("ada/tiny/tiny.ipynb", "ben/tiny.ipynb", "cleo.ipynb", "dan/tiny/tiny.ipynb"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        os.utime(path, (DUE.timestamp(), DUE.timestamp()))
    (tmp_path / "dan/tiny/timestamp.txt").write_text("2026-03-05 10:00:00.000000 UTC\n")
    (tmp_path / "ada/tiny/timestamp.txt").write_text("no time")
    (tmp_path / "eve").symlink_to(tmp_path / "ada")
    (tmp_path / "nobody").mkdir()
    times = lateness.times_from_files(tmp_path, "tiny")
    assert times == {
        "ada": DUE,
        "ben": DUE,
        "cleo": DUE,
        "dan": dt.datetime(2026, 3, 5, 10, tzinfo=dt.UTC),
    }


def test_what_is_kept_is_read_back(tmp_path):
    rule = Policy(due=DUE, per_day=TEN_PER_CENT, grace_minutes=5.0)
    late = lateness.judge(rule, {"ada": after(days=2), "ben": after(days=-1)})
    assert [one.days for one in late.values()] == [2, 0]
    path = lateness.file_of(tmp_path, "tiny")
    assert lateness.recall(path) is None
    lateness.save(path, rule, late)
    again, kept = lateness.recall(path)
    assert (again.due, again.per_day, again.grace_minutes, kept) == (DUE, TEN_PER_CENT, 5.0, late)
    path.write_text('{"due": 1}')
    with pytest.raises(MisuseError, match="is damaged: run lmcourse late again"):
        lateness.recall(path)


def test_the_words_for_the_learner():
    rule = Policy(due=DUE, per_day=TEN_PER_CENT)
    late = Late(handed_in="2026-03-03 12:00+00:00", days=2)
    said = lateness.note(rule, late, 20.0, complete=True)
    assert "handed in 2 days late" in said
    assert "10 % a day, 4 points off, 16 remain;" in said
    assert "remain so far" in lateness.note(rule, late, 20.0, complete=False)
    assert lateness.note(rule, Late(handed_in="x", days=0), 20.0, complete=True) == ""
