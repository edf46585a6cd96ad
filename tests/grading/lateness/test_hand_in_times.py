"""Times come from a table, from files, or from what nbgrader noted."""

import datetime as dt
import json
import os
from zoneinfo import ZoneInfo

import pytest

from lmcourse.grading.errors import MisuseError
from lmcourse.grading.lateness import hand_in_times

DUE = dt.datetime(2026, 3, 1, 23, 59, tzinfo=dt.UTC)


def test_times_come_from_a_table_and_the_last_one_counts(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text(
        "\ufeffstudent, time\nada,2026-03-01 10:00Z\nben,2026-03-02T10:00+09:00\n"
        "ada,2026-03-03 10:00:00.000000 UTC\n"
    )
    times = hand_in_times.times_from_csv(path)
    assert times["ada"].at == dt.datetime(2026, 3, 3, 10, tzinfo=dt.UTC)
    assert times["ben"].at == dt.datetime(2026, 3, 2, 1, tzinfo=dt.UTC)
    assert times["ben"].source == "times.csv, line 3"
    path.write_text("student,time\nada,tomorrow\n")
    with pytest.raises(MisuseError, match=r"times\.csv, line 2: time must be a time"):
        hand_in_times.times_from_csv(path)
    path.write_text("name,when\nada,tomorrow\n")
    with pytest.raises(MisuseError, match="student, time is missing: its first line says name"):
        hand_in_times.times_from_csv(path)


def test_one_learner_without_a_time_is_left_out_and_one_that_is_none_is_unknown(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text(
        "student,time\nada,2026-03-01 10:00Z\nben,\ncleo,31.2.2026\n"
        "dan,9999-12-31 23:59-12:00\nada,soon\neve,soon\neve,2026-03-01 10:00Z\n"
        "ada,\nfinn,2026-03-01 10:00\n"
    )
    found = hand_in_times.times_from_csv(path, ZoneInfo("UTC"))
    assert [(name, one.at is None) for name, one in found.items()] == [
        *[("ada", True), ("cleo", True), ("dan", True), ("eve", True), ("finn", False)]
    ]
    assert found["cleo"].problem.startswith("times.csv, line 4: time must be a time such as")
    assert "line 6: time must be" in found["ada"].problem  # nobody knows which was the last


def hand_in(path, text='{"cells": []}'):
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
    found = hand_in_times.times_from_files(tmp_path, "tiny")
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


def test_a_time_that_fails_in_a_way_of_its_own_is_one_learner_s(tmp_path, monkeypatch):
    for name in ("ada", "ben"):
        hand_in(tmp_path / f"{name}/tiny.ipynb", '{"cells": []}')
    (tmp_path / "ben/timestamp.txt").write_text("2026-03-01 10:00 UTC")

    def fails(*_):
        raise KeyError("x")

    monkeypatch.setattr(hand_in_times.time_formats, "stated_in", fails)
    found = hand_in_times.times_from_files(tmp_path, "tiny")
    assert (found["ada"].at, found["ben"].at) == (DUE, None)
    assert found["ben"].problem == "nbgrader's timestamp.txt cannot be read (KeyError)"
    assert found["ben"].digest == found["ada"].digest != ""


def test_times_are_of_exactly_what_is_graded(tmp_path):
    """Where the intake refuses a learner, two notebooks say, there is no time either."""
    from lmcourse.grading.assignment.handed_in import collect

    notebook = json.dumps({"cells": [], "nbformat": 4})
    for name in ("ada/tiny.ipynb", "two/tiny.ipynb", "two/tiny/tiny.ipynb", "ben.ipynb"):
        hand_in(tmp_path / name, notebook)
    for name in ("both.ipynb", "both/tiny.ipynb", "tiny.ipynb", "old/tiny.IPYNB", "odd name.ipynb"):
        hand_in(tmp_path / name, notebook)
    gradable = [one.student for one in collect(tmp_path, "tiny") if not one.problem]
    assert gradable == ["ada", "ben"]
    assert sorted(hand_in_times.times_from_files(tmp_path, "tiny")) == gradable


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_cannot_be_graded_was_not_handed_in_late(tmp_path):
    hand_in(tmp_path / "ada.ipynb")
    hand_in(tmp_path / "broken.ipynb", '{"cells": [')
    (tmp_path / "link").mkdir()
    (tmp_path / "link/tiny.ipynb").symlink_to(tmp_path / "ada.ipynb")
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe/tiny.ipynb")
    hand_in(tmp_path / "ben/tiny.ipynb")
    os.mkfifo(tmp_path / "ben/timestamp.txt")
    found = hand_in_times.times_from_files(tmp_path, "tiny")
    assert sorted(found) == ["ada", "ben"]
    assert found["ben"].problem == (
        "nbgrader's timestamp.txt: it is a pipe, not a file: put a plain file in its place"
    )
