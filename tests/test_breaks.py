"""tests/systems.csv and tools/breaks.py: each row can be tried, and what goes unnoticed is told."""

import ast
import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import breaks
import pytest
from waiting import has_ended, wait_until

ROOT = Path(__file__).resolve().parent.parent

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


CHANGES = {
    "noticed": ({}, ""),
    "of no consequence": (
        {"edit": "lmcourse/sums.py: 2 * a => 3 * a"},
        "must fail when the system is broken: it passes",
    ),
    "no module": ({"edit": "lmcourse/sums.py: def add => def plus"}, "must fail, not break: exit"),
    "the process ends": (
        {"edit": "lmcourse/sums.py: return a + b => __import__('os')._exit(1)"},
        "must fail, not break: exit code -1",
    ),
    "not unique": ({"edit": "lmcourse/sums.py: return => yield"}, "exactly once .*got 2 times"),
    "not there": ({"edit": "lmcourse/sums.py: a * b => a"}, "exactly once .*got 0 times"),
    "no colon": ({"edit": "lmcourse/sums.py a + b"}, "break must read `file: old => new`"),
    "no file": ({"edit": "lmcourse/lost.py: a => b"}, "No such file"),
    "no test": ({"test": "tests/test_sums.py::test_lost"}, "must pass before anything is broken"),
    "skipped": ({"test": "tests/test_skipped.py::test_sums"}, "must pass before anything"),
    "elsewhere": ({"test": "tests/test_elsewhere.py::test_sums"}, "must pass before anything"),
    "leaves a mark": ({"test": "tests/test_marks.py::test_first"}, ""),
    "finds no mark": ({"test": "tests/test_marks.py::test_second"}, ""),
}
SUMS = "from lmcourse.sums import add\n\ndef test_sums():\n    assert add(2, 2) == 4\n"
TESTS = {
    "sums": SUMS,
    "skipped": f"import pytest\npytestmark = pytest.mark.skip\n{SUMS}",
    # Imports a package of the same name that is not the copy.
    "elsewhere": f"import sys\nsys.path.insert(0, {{elsewhere!r}})\n{SUMS}",
    "marks": """
import builtins, os, sys, pytest
from lmcourse.sums import add

def leave_and_find_no_mark():
    assert not hasattr(builtins, "mark") and "MARK" not in os.environ and "mark" not in sys.path
    assert sys.modules["lmcourse.sums"].__file__.startswith(os.getcwd())
    builtins.mark, os.environ["MARK"] = 1, "1"
    sys.path.append("mark")
    assert add(2, 2) == 4

def test_first():
    leave_and_find_no_mark()

def test_second():
    leave_and_find_no_mark()
""",
}


def write_project(folder: Path) -> Path:
    """A course of two functions and a few tests."""
    elsewhere = folder / "elsewhere"
    for package in (folder / "lmcourse", elsewhere / "lmcourse"):
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        code = "def add(a, b):\n    return a + b\n\n\ndef double(a):\n    return 2 * a\n"
        (package / "sums.py").write_text(code)
    (folder / "tests").mkdir()
    for name, text in TESTS.items():
        text = text.replace("{elsewhere!r}", repr(str(elsewhere)))
        (folder / f"tests/test_{name}.py").write_text(text)
    return folder


def run_tool(code: str, *arguments) -> str:
    """What a process prints that has imported nothing of the course, as the tool demands."""
    start = f"import json, sys\nsys.path.insert(0, {str(ROOT / 'tools')!r})\n"
    command = [sys.executable, "-c", start + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """What is said of each changed row, all of them judged by one process."""
    project = write_project(tmp_path_factory.mktemp("project"))
    rows = [dataclasses.replace(GOOD, id=name, **change) for name, (change, _) in CHANGES.items()]
    code = (
        "from pathlib import Path\nimport breaks\nroot, rows = sys.argv[1:]\n"
        "systems = [breaks.System(*row) for row in json.loads(rows)]\n"
        "told = breaks.judge(Path(root), systems)\n"
        "print(json.dumps({one.system.id: one.problem for one in told}))"
    )
    before = sorted(project.rglob("*"))
    told = run_tool(code, project, json.dumps([dataclasses.astuple(row) for row in rows]))
    assert sorted(project.rglob("*")) == before
    assert "a + b" in (project / "lmcourse/sums.py").read_text()
    return json.loads(told)


@pytest.mark.parametrize("row", CHANGES)
def test_a_break_that_is_noticed_is_well_and_one_that_shows_nothing_is_told(verdicts, row):
    problem = CHANGES[row][1]
    assert re.search(problem, verdicts[row]) if problem else verdicts[row] == ""


def test_the_command_counts(tmp_path):
    project = write_project(tmp_path)
    rows = "id,chapter,test,break\n" + ",".join(dataclasses.astuple(GOOD))
    code = (
        "from pathlib import Path\nimport breaks\n"
        "print(breaks.main(sys.argv[2:], Path(sys.argv[1])))"
    )
    (project / "tests/systems.csv").write_text(rows)
    assert run_tool(code, project).endswith("breaks noticed: 1 of 1\n0\n")
    (project / "tests/systems.csv").write_text(rows.replace("a + b =>", "a * b =>"))
    assert run_tool(code, project, "S01").endswith("breaks noticed: 0 of 1\n1\n")
    with pytest.raises(SystemExit):
        breaks.main(["S99"], project)


# ---------------------------------------------------------------- a test in a forked process

ENDLESS = """
import subprocess, sys, pathlib
def test_endless():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path("child").write_text(str(child.pid))
    while True: pass
"""


@pytest.mark.skipif(os.name != "posix", reason="processes are forked")
def test_a_test_that_never_ends_is_ended_with_what_it_started(tmp_path):
    (tmp_path / "test_endless.py").write_text(ENDLESS)
    code = (
        "from pathlib import Path\nimport forked_tests\nfolder = Path(sys.argv[1])\n"
        "runs = [(folder, ['test_endless.py'])]\nseconds = 0.5\n"
        "while not (folder / 'child').exists():\n"  # it may not have started it yet
        "    ((_, ran),) = forked_tests.run_all(runs, seconds)\n"
        "    seconds *= 2\n"
        "print(ran.code)"
    )
    assert run_tool(code, tmp_path) == "-1\n"
    # By itself it would end later than this gives up.
    wait_until(lambda: has_ended(int((tmp_path / "child").read_text())))


def test_libraries_are_imported_once_and_the_project_never(tmp_path):
    write_project(tmp_path)
    test = "import colorsys\n" + SUMS
    (tmp_path / "tests/test_colors.py").write_text(test)
    code = (
        "from pathlib import Path\nimport forked_tests\n"
        "runs = [(Path(sys.argv[1]), ['tests/test_colors.py'])]\n"
        "assert 'colorsys' not in sys.modules\n"
        "((_, ran),) = forked_tests.run_all(runs, 300)\n"
        "print(ran.code, [*ran.passed], 'colorsys' in sys.modules, 'lmcourse' in sys.modules)"
    )
    assert run_tool(code, tmp_path) == "0 ['tests/test_colors.py::test_sums'] True False\n"


def test_a_process_that_knows_the_project_is_not_forked():
    code = (
        "import forked_tests, pathlib\nsys.modules['lmcourse'] = forked_tests\n"
        "try:\n    list(forked_tests.run_all([(pathlib.Path(), ['test'])], 1))\n"
        "except RuntimeError as error:\n    print(error)"
    )
    assert "must not be forked" in run_tool(code)
