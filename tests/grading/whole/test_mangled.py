"""Whatever happened to a right notebook on its way, its points are kept, or a row says what to do.

All are read and repaired here, without running them; some are graded by the real command, all of
them by `pytest -m large`.
"""

import json
from pathlib import Path

import mangled_cells
import mangled_files
import pytest
from forks import lmcourse
from notebook_edits import write
from tiny_course import POINTS, answered, make_course

from lmcourse.grading.assignment.notebooks import NotebookError, essential, parse_cells
from lmcourse.grading.assignment.plan import stated_plan
from lmcourse.grading.repair.under_plan import repair

TESTS = mangled_cells.TESTS
SAME = {**mangled_files.TOOLS, **mangled_files.FORMATS}
FULL = {**mangled_cells.FULL, **SAME}
SAID = {**mangled_cells.PARTLY, **mangled_cells.LOST}
BROKEN = mangled_files.BROKEN
ALL = [*FULL, *SAID, *BROKEN]


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    root = make_course(tmp_path_factory.mktemp("course"))
    assert lmcourse("release", cwd=root).returncode == 0
    return root


@pytest.fixture(scope="module")
def blank(course) -> str:
    return (course / "exercises/tiny/tiny.ipynb").read_text("utf-8")


def file_of(name: str, blank: str) -> bytes:
    """What is handed in."""
    nb = answered(json.loads(blank))
    change = BROKEN[name][0] if name in BROKEN else SAID[name][0] if name in SAID else FULL[name]
    data = change(nb)
    if isinstance(data, bytes):
        return data
    return (data if isinstance(data, str) else json.dumps(nb)).encode("utf-8")


def repaired(name: str, blank: str) -> list[tuple]:
    """The cells as they will run: what each is called, its kind and its text."""
    plan = stated_plan(parse_cells(blank.encode("utf-8")))
    cells = repair(parse_cells(file_of(name, blank)), plan).cells
    return [(c.planned.name if c.planned else "", c.kind, essential(c.source)) for c in cells]


def test_they_are_many_and_differ(blank):
    assert len(ALL) == len({*ALL})
    assert len({file_of(name, blank) for name in ALL}) >= 180


@pytest.mark.parametrize("name", SAME)
def test_a_tool_or_a_format_changes_nothing_that_counts(blank, name):
    # Format 3 has headings as cells of their own.
    cells = [cell for cell in repaired(name, blank) if cell != ("", "raw", "Mine")]
    assert cells == repaired("nothing", blank)


@pytest.mark.parametrize("name", [*mangled_cells.FULL, *SAID])
def test_each_cell_of_the_plan_is_there_once_and_what_is_locked_is_the_authors(blank, name):
    plan = stated_plan(parse_cells(blank.encode("utf-8")))
    found = [(cell, kind, text) for cell, kind, text in repaired(name, blank) if cell]
    assert sorted(cell for cell, _, _ in found) == sorted(one.name for one in plan)
    texts = {cell: (kind, text) for cell, kind, text in found}
    for one in plan:
        if one.locked:
            assert texts[one.name] == (one.kind, essential(one.source))


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_says_what_to_do(blank, name):
    with pytest.raises(NotebookError, match=BROKEN[name][1]):
        parse_cells(file_of(name, blank))


@pytest.mark.parametrize("each", [10, pytest.param(1, marks=pytest.mark.large)])
def test_they_keep_their_points_or_are_told(course, blank, each, tmp_path):
    students = {f"m{number:03}": name for number, name in enumerate(ALL[::each])}
    for student, name in students.items():
        path = tmp_path / "in" / student / "tiny.ipynb"
        write(path, "")
        path.write_bytes(file_of(name, blank))
    options = ("--output", tmp_path / "out", "--seconds", 5)
    done = lmcourse("grade", tmp_path / "in", "-a", "tiny", *options, cwd=course)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    report = json.loads((tmp_path / "out/grades/tiny.json").read_text("utf-8"))
    rows = {students[row["student"]]: row for row in report["students"]}
    wrong = {name: wrong_with(name, row) for name, row in rows.items()}
    assert {name: why for name, why in wrong.items() if why} == {}
    assert len(rows) == len(students)


def wrong_with(name: str, row: dict) -> str:
    """What is wrong with a row; nothing if it is as it should be."""
    said = " ".join([row["reason"], row["problem"], *(g["message"] for g in row["grades"])])
    if name in BROKEN:
        return "" if BROKEN[name][1] in row["problem"] else said or "it was graded"
    passed = tuple(g["name"] for g in row["grades"] if g["verdict"] == "passed")
    wanted = SAID[name].passed if name in SAID else TESTS
    points = sum(POINTS[test] for test in wanted)
    if passed != wanted or row["score"] != points:
        return f"{passed} passed, {row['score']} points: {said}"
    if name in SAID and SAID[name].words not in said:
        return f"it is not told: {said}"
    return ""
