"""The command line: help with examples, one-line refusals, exit codes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from tiny_course import make_course
from typer.testing import CliRunner

from lmcourse.__main__ import app
from lmcourse.grading.errors import FailureError, MisuseError

LEARNING = ["doctor", "check", "data", "train", "sample", "reproduce", "export-web"]
TEACHING = ["release", "grade", "report", "formgrader", "late", "similar", "export", "items"]
COMMANDS = [*LEARNING, *TEACHING]


def lmcourse(*arguments, cwd: Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "lmcourse", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_help_lists_every_command_and_is_shown_without_one():
    shown = invoke("--help")
    assert shown.exit_code == 0
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", shown.output)
    assert set(typer.main.get_command(app).commands) == {*COMMANDS}
    assert "Usage" in invoke().output


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_s_help_has_an_example(command):
    shown = invoke(command, "--help")
    assert shown.exit_code == 0
    assert "Example" in shown.output
    assert f"lmcourse {command}" in " ".join(shown.output.split())


def test_help_does_not_wait_for_torch_or_nbgrader():
    code = "import sys\nimport lmcourse.__main__\n"
    code += "print([m for m in ('torch', 'nbgrader', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["check"],
        ["grade"],
        ["grade", "somewhere"],
        ["check", "a.ipynb", "--seconds", "0"],
        ["release", "--nonsense"],
    ],
)
def test_a_wrong_call_is_exit_code_2(arguments):
    assert invoke(*arguments).exit_code == 2


def test_check_refuses_in_one_line(tmp_path):
    (tmp_path / "bad.ipynb").write_text("{")
    (tmp_path / "none.ipynb").write_text('{"cells": []}')
    for name, words in (
        ("missing.ipynb", "there is no such file"),
        ("bad.ipynb", "its JSON is broken"),
        ("none.ipynb", "it is no assignment"),
        (".", "it is a folder, not a file: name a file in it"),
    ):
        shown = invoke("check", tmp_path / name)
        assert shown.exit_code == 2
        assert words in shown.stderr
        assert shown.stderr.startswith("lmcourse: ")
        assert shown.stderr.count("\n") == 1


@pytest.mark.parametrize(("kind", "code"), [(MisuseError, 2), (FailureError, 1)])
def test_errors_of_ours_are_lines(monkeypatch, tmp_path, kind, code):
    def refuse(*args):
        raise kind("do \x1b[31mthis[/b]")

    monkeypatch.setattr("lmcourse.grading.learner.check.check", refuse)
    shown = invoke("check", tmp_path / "a.ipynb")
    assert (shown.exit_code, shown.stderr) == (code, "lmcourse: do this[/b]\n")


def test_ctrl_c_is_a_line_too(monkeypatch, tmp_path):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("lmcourse.grading.learner.check.check", interrupted)
    shown = invoke("check", tmp_path / "a.ipynb")
    assert (shown.exit_code, shown.stderr) == (130, "lmcourse: stopped\n")


def test_a_missing_package_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lmcourse.grading.learner.check", None)
    shown = invoke("check", tmp_path / "a.ipynb")
    assert shown.exit_code == 1
    assert 'pip install -c constraints.txt -e ".[' in shown.stderr


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_what_every_command_needs_is_named_too(package):
    code = (
        f"import runpy, sys\nsys.modules[{package!r}] = None\nsys.argv = ['lmcourse', 'doctor']\n"
    )
    code += "runpy.run_module('lmcourse', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"lmcourse: {package}")
    assert "missing" in done.stderr
    assert 'pip install -c constraints.txt -e ".[learn]"' in done.stderr


def test_a_broken_package_is_no_defect_of_ours(monkeypatch, tmp_path):
    def broken(*args):
        raise ImportError("libzmq.so: cannot open shared object file", name="zmq")

    monkeypatch.setattr("lmcourse.grading.learner.check.check", broken)
    shown = invoke("check", tmp_path / "a.ipynb")
    assert shown.exit_code == 1
    assert "zmq is broken (libzmq.so: cannot open shared object file)" in shown.stderr
    assert "lmcourse doctor looks at all; in the course's folder: python -m pip" in shown.stderr


def test_a_name_that_a_module_of_ours_has_not_is_a_defect(monkeypatch, tmp_path):
    monkeypatch.delattr("lmcourse.grading.learner.check.check")
    assert isinstance(invoke("check", tmp_path / "a.ipynb").exception, ImportError)


def test_even_a_defect_of_ours_shows_no_traceback(tmp_path):
    """The whole program, with a broken part: what a person at the keyboard sees."""
    code = "import sys\nfrom lmcourse.__main__ import main\n"
    code += "from lmcourse.grading.learner import check\n"
    code += "def broken(*args): raise RuntimeError('oops')\ncheck.check = broken\n"
    code += f"sys.argv = ['lmcourse', 'check', {str(tmp_path / 'a.ipynb')!r}]\nmain()"
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "unexpected RuntimeError: oops" in done.stderr
    assert "Traceback" not in done.stderr
    debug = {**os.environ, "LMCOURSE_DEBUG": "1"}
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=debug)
    assert "Traceback" in done.stderr


def test_doctor_reports_and_its_exit_code_says_whether_all_is_well(monkeypatch):
    from lmcourse.commands.doctor import Row

    rows = [Row("Python", "3.12"), Row("PyTorch", "[missing]", False, "install [it]")]
    monkeypatch.setattr("lmcourse.commands.doctor.report", lambda: rows)
    shown = invoke("doctor")
    assert shown.exit_code == 1
    assert "[missing]" in shown.output
    assert "install [it]" in shown.output
    monkeypatch.setattr("lmcourse.commands.doctor.report", lambda: rows[:1])
    shown = invoke("doctor")
    assert (shown.exit_code, "Ready." in shown.output) == (0, True)


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    return make_course(tmp_path_factory.mktemp("main") / "course")


def test_what_release_and_grade_refuse(course, tmp_path):
    """Each is one line, exit code 2, and leaves nothing behind."""
    empty = tmp_path / "empty"
    empty.mkdir()
    handed = tmp_path / "in" / "ada"
    handed.mkdir(parents=True)
    (handed / "tiny.ipynb").write_text("{}")
    blocked = tmp_path / "file"
    blocked.write_text("")
    here = ["--course", course]
    cases = [
        (["release", "nonsense", *here], "must be one of this course's (tiny), got 'nonsense'"),
        (["release"], "above it holds a nbgrader_config.py"),
        (["grade", handed.parent, "-a", "nonsense", *here], "must be one of this course's"),
        (["grade", tmp_path / "missing", "-a", "tiny", *here], "does not exist"),
        (["grade", blocked, "-a", "tiny", *here], "is a file"),
        (["grade", empty, "-a", "tiny", *here], "holds no submission"),
        (["grade", handed.parent, "-a", "tiny", *here, "--output", blocked / "x"], "cannot make"),
        (["grade", handed.parent, "-a", "tiny", "--course", empty], "holds no nbgrader_config.py"),
        (["report", "-a", "tiny", *here], "run lmcourse grade first"),
        (["formgrader", *here], "holds no gradebook"),
    ]
    code = "import io, sys, contextlib\nfrom lmcourse.__main__ import app\n"
    code += "for call in eval(sys.argv[1]):\n    error = io.StringIO()\n"
    code += "    with contextlib.redirect_stderr(error):\n        try: app(call)\n"
    code += "        except SystemExit as end: code = end.code\n"
    code += "    print([code, error.getvalue()])\n"
    calls = repr([[str(part) for part in call] for call, _ in cases])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, calls],
        cwd=empty,
        capture_output=True,
        text=True,
        check=True,
    )
    said = [eval(line) for line in done.stdout.splitlines()]
    for (call, words), (exit_code, text) in zip(cases, said, strict=True):
        assert exit_code == 2, (call, text)
        assert words in text
        assert text.count("\n") == 1
    assert sorted(path.name for path in course.iterdir()) == ["nbgrader_config.py", "solutions"]
    assert list(empty.iterdir()) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_cannot_be_written(course, tmp_path):
    handed = tmp_path / "in"
    handed.mkdir()
    (handed / "ada.ipynb").write_text("{}")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    done = lmcourse("grade", handed, "-a", "tiny", "--course", course, "--output", closed)
    assert done.returncode == 2
    assert "choose another with --output" in done.stderr


def test_a_config_that_does_not_load_is_a_line(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text("1 / 0")
    done = lmcourse("release", cwd=tmp_path)
    assert done.returncode == 2
    assert "does not load: ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr
