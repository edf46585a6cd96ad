"""Times in any zone are read as they were meant, or not at all."""

import datetime as dt
import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.grading.lateness import time_formats

BERLIN, UTC = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


def at(hour, minute=0, day=5, month=3):
    return dt.datetime(2026, month, day, hour, minute, tzinfo=dt.UTC)


READ = [
    ("2026-03-05 10:00:00.000000 UTC", at(10)),
    ("2026-03-05 10:00:00.000000 GMT", at(10)),
    ("2026-03-05 10:00:00.000000 CET", at(9)),
    ("2026-07-05 10:00:00.000000 CEST", at(8, month=7)),
    ("2026-03-05 10:00:00.000000 EST", at(15)),
    ("2026-07-05 10:00:00.000000 EDT", at(14, month=7)),
    ("2026-03-05 10:00:00.000000 JST", at(1)),
    ("2026-03-05 10:00:00.000000 +0530", at(4, 30)),
    ("2026-03-05 10:00:00.000000 -05", at(15)),
    ("2026-07-05 10:00 Europe/Berlin", at(8, month=7)),
    ("2026-03-05 10:00", at(10)),
    ("2026-03-05T10:00:00Z", at(10)),
    ("5 March 2026 10:00 am", at(10)),
    ("Thu Mar 5 10:00:00 2026", at(10)),
    ("\ufeff2026-03-05 10:00:00 UTC\r\n", at(10)),
]
UNKNOWN = [
    ("", "is empty"),
    (" \n", "is empty"),
    ("\ufeff", "is empty"),
    ("soon", "must be a time such as"),
    ("10", "must be a time such as"),  # the tenth of which month?
    ("10:00", "must be a time such as"),
    ("Monday", "must be a time such as"),
    ("03/04/2026 10:00", "must be a time such as"),  # of March or April
    ("99999-01-01 10:00 UTC", "must be a time such as"),
    ("0001-01-01 00:00 +14:00", "must be a time such as"),
    ("9999-12-31 23:59 -14:00", "must be a time such as"),
    ("2026-02-30 10:00 UTC", "must be a time such as"),
    ("2026-03-05 10:00 CST", "must name one zone, got CST, which is used in several"),
    ("2026-03-05 10:00 XYZ", "must name a zone that is known, got XYZ"),
    ("2026-03-05 10:00 ../../etc/passwd", "must be a time such as"),
    ("Thu Mar 5 10:00:00 CEST 2026", "must be a time such as"),
    ("9" * 201, "too large"),
    ("\udc94", "must be a time such as"),
]


@pytest.mark.parametrize(("text", "wanted"), READ)
def test_what_nbgrader_can_be_set_to_write_is_read(tmp_path, text, wanted):
    path = tmp_path / "timestamp.txt"
    path.write_text(text, "utf-8")
    assert time_formats.stated_in(path, UTC) == wanted


@pytest.mark.parametrize(("text", "words"), UNKNOWN)
def test_what_is_no_time_is_refused_with_its_reason(tmp_path, text, words):
    path = tmp_path / "timestamp.txt"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=words):
        time_formats.stated_in(path, UTC)


def test_an_abbreviation_is_first_of_all_that_of_the_course():
    said = "2026-03-05 10:00 CST"
    assert time_formats.moment(said, ZoneInfo("Asia/Shanghai")) == at(2)
    assert time_formats.moment(said, ZoneInfo("America/Chicago")) == at(16)
    assert time_formats.moment(said, UTC, [ZoneInfo("America/Chicago")]) == at(16)


def test_an_abbreviation_is_known_where_the_machine_uses_it(monkeypatch):
    monkeypatch.setenv("TZ", "America/Chicago")
    time.tzset()
    try:
        assert time_formats.moment("2026-03-05 10:00 CST") == at(16)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_hour_that_comes_twice_is_told_by_its_name():
    first = time_formats.moment("2026-10-25 02:30 CEST", BERLIN)
    assert time_formats.moment("2026-10-25 02:30 CET", BERLIN) - first == dt.timedelta(hours=1)


def test_a_date_alone_is_its_last_minute_where_something_is_due():
    assert time_formats.due_moment("2026-03-05", UTC) == at(23, 59) + dt.timedelta(seconds=59)
    assert time_formats.due_moment(dt.date(2026, 3, 5), BERLIN).hour == 23
    assert time_formats.due_moment("2026-03-05 00:00", UTC) == at(0)
    assert time_formats.moment("2026-03-05", UTC) == at(0)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_reason(text):
    reason = "must be"
    try:
        time_formats.moment(text, UTC)
    except ValueError as error:
        reason = str(error)
    assert reason.startswith("must ")
