"""tests/systems.csv and tools/breaks.py: each row can be tried, and what goes unnoticed is told."""

import ast
import dataclasses
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import breaks  # noqa: E402

SYSTEMS = breaks.read_systems(ROOT)
each_system = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.id)


def test_every_system_has_one_row():
    ids = [system.id for system in SYSTEMS]
    assert ids == sorted(set(ids))
    assert all(re.fullmatch(r"S\d\d", id_) for id_ in ids)


@each_system
def test_a_row_names_a_chapter_a_test_and_an_edit_that_can_be_made(system):
    assert (ROOT / "book" / f"{system.chapter}.md").is_file()
    file, _, function = system.test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    text = (ROOT / system.parts()[0]).read_text(encoding="utf-8")
    ast.parse(breaks.broken(system, text))


# ---------------------------------------------------------------- the tool itself

GOOD = breaks.System(
    "S01", "sums", "tests/test_sums.py::test_sums", "lmcourse/sums.py: a + b => a - b"
)


@pytest.fixture
def project(tmp_path):
    """A course of one function and one test."""
    (tmp_path / "lmcourse").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "lmcourse/__init__.py").touch()
    code = "def add(a, b):\n    return a + b\n\n\ndef double(a):\n    return 2 * a\n"
    (tmp_path / "lmcourse/sums.py").write_text(code)
    test = "from lmcourse.sums import add\n\ndef test_sums():\n    assert add(2, 2) == 4\n"
    (tmp_path / "tests/test_sums.py").write_text(test)
    return tmp_path


def test_a_break_that_is_noticed_is_well(project):
    before = (project / "lmcourse/sums.py").read_text()
    assert breaks.judge(project, GOOD) == ""
    assert (project / "lmcourse/sums.py").read_text() == before


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"edit": "lmcourse/sums.py: 2 * a => 3 * a"}, "must fail when the system is broken"),
        ({"edit": "lmcourse/sums.py: def add => def plus"}, "must fail, not break: exit code"),
        ({"edit": "lmcourse/sums.py: return => yield"}, "must stand exactly once .*got 2 times"),
        ({"edit": "lmcourse/sums.py: a * b => a"}, "must stand exactly once .*got 0 times"),
        ({"edit": "lmcourse/sums.py a + b"}, "break must read `file: old => new`"),
        ({"edit": "lmcourse/lost.py: a => b"}, "No such file"),
        ({"test": "tests/test_sums.py::test_lost"}, "must pass before anything is broken"),
    ],
)
def test_a_break_that_shows_nothing_is_told(project, change, problem):
    assert re.search(problem, breaks.judge(project, dataclasses.replace(GOOD, **change)))


def test_a_test_that_was_skipped_shows_nothing(project):
    path = project / "tests/test_sums.py"
    path.write_text(f"import pytest\npytestmark = pytest.mark.skip\n{path.read_text()}")
    assert "must pass before anything is broken" in breaks.judge(project, GOOD)


def test_the_command_counts(project, capsys):
    rows = "id,chapter,test,break\n" + ",".join(dataclasses.astuple(GOOD))
    (project / "tests/systems.csv").write_text(rows)
    assert breaks.main([], project) == 0
    assert capsys.readouterr().out.endswith("breaks noticed: 1 of 1\n")
    (project / "tests/systems.csv").write_text(rows.replace("a + b =>", "a * b =>"))
    assert breaks.main(["S01"], project) == 1
    assert capsys.readouterr().out.endswith("breaks noticed: 0 of 1\n")
    with pytest.raises(SystemExit):
        breaks.main(["S99"], project)
