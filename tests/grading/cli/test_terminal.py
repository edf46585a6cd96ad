"""What a command prints: readable in every encoding, whole in a file, one line for an error."""

import ast
import io
import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notebook_edits import answer, write
from rich.table import Table
from tiny_course import answered, make_course

from lmcourse import __main__ as door
from lmcourse.grading.cli import terminal

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lmcourse.grading.assignment.plan import Planned, Task
    from lmcourse.grading.gradebook.results import Class, Result
    from lmcourse.grading.reports.class_report import class_table, task_table

# ---------------------------------------------------------------- encodings

ENCODINGS = ("utf-8", "ascii", "cp1252", "latin-1", "gbk")
CALLS = {
    "release": ["release"],
    "doctor": ["doctor"],
    "check": ["check", "in/ben/tiny.ipynb"],
    "train": [
        *["train", "text.txt", "--n-steps", "1", "--n-warmup", "0", "--batch-size", "1"],
        *["--context-length", "8", "--d-model", "4", "--n-heads", "1", "--n-layers", "1"],
    ],
    "reproduce": ["reproduce", "tatoeba-cmn-eng"],
    "grade": ["grade", "in", "-a", "tiny", "--seconds", "5", "-n", "1"],
    "report": ["report", "-a", "tiny"],
    "late": ["late", "in", "-a", "tiny", "--times", "times.csv"],
    "similar": ["similar", "in", "-a", "tiny"],
    "items": ["items", "-a", "tiny"],
    "export": ["export", "-a", "tiny"],
    "wrong call": ["grade", "nicht hier · 学", "-a", "tiny"],
}
# All commands in one Python: what takes long is done once.
RUN_ALL = """
import io, json, sys
from lmcourse import __main__ as door
from lmcourse.commands import reproduce, train_gpt
from lmcourse.grading.learner import check
encodings, calls = json.loads(sys.argv[1])
judge, judged = check.check, []
def once(*arguments):
    if not judged:
        judged.append(judge(*arguments))
    return judged[0]
check.check = once
work, told = train_gpt.run, []
def train_once(options, chosen, tell):
    if not told:
        work(options, chosen, told.append)
    for line in told:
        tell(line)
train_gpt.run = train_once
reproduce.reproduce = lambda name, out, seed: {"numbers": {"BLEU · 学": 1.0}}
reproduce.missed = lambda result: ["BLEU ≥ 2 → 学"]
said = {encoding: {} for encoding in encodings}
for encoding in encodings:
    for name, call in calls.items():
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding, errors="strict") for _ in range(2))
        sys.stdout, sys.stderr = out, err
        sys.argv = ["lmcourse", *call]
        code = None
        try:
            door.main()
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            code = repr(error)
        out.flush(), err.flush()
        texts = [stream.buffer.getvalue().decode(encoding) for stream in (out, err)]
        said[encoding][name] = [code, *texts]
sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
print(json.dumps(said))
"""


# Beside UTF-8, the locale C without Python's own ways around it: paths are ASCII there, too.
LOCALES = {
    "UTF-8": ({}, "kurs · é学", ENCODINGS),
    "C": (
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
        "course",
        ["ascii"],
    ),
}
CODES = dict.fromkeys(CALLS, 0) | {"check": 1, "reproduce": 1, "wrong call": 2}


@pytest.fixture(scope="module", params=LOCALES)
def said(request, tmp_path_factory) -> dict[str, dict[str, tuple]]:
    """What each command says, by encoding: exit code, output, errors."""
    settings, folder, encodings = LOCALES[request.param]
    root = make_course(tmp_path_factory.mktemp("course") / folder)
    with (root / "nbgrader_config.py").open("a", encoding="utf-8") as file:
        file.write('\nc.Lateness.due = {"tiny": "2026-03-01 23:59Z"}\n')
    path = root / "solutions/tiny/tiny.ipynb"
    text = path.read_text("utf-8").replace("Did you multiply?", "x → 2·x · 学")
    path.write_text(text.replace("On Double", "On “Double” – 学"), "utf-8")
    for student in ("ada", "ben", "cleo"):
        nb = answered(json.loads(path.read_text("utf-8")))
        if student != "ada":
            lines = [f"    total = {n} + x + {n + 1} * x\n" for n in range(9)]
            answer(nb, "double", f"def double(x):\n{''.join(lines)}    return total\nprint('学')")
        write(root / "in" / student / "tiny.ipynb", json.dumps(nb))
    write(root / "times.csv", "student,time\nben,2026-03-03 23:58Z\n")
    write(root / "text.txt", "abc 学 → ✓ é\n" * 30)
    write(root / "run_all.py", RUN_ALL)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "run_all.py", json.dumps([encodings, CALLS])],
        cwd=root,
        env={**os.environ, **settings},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return json.loads(done.stdout)


@pytest.mark.slow
def test_no_encoding_ends_a_command_or_changes_its_exit_code(said):
    for encoding, calls in said.items():
        assert {name: code for name, (code, _, _) in calls.items()} == CODES, encoding
        assert "defect" not in str(calls), encoding


@pytest.mark.slow
def test_signs_that_an_encoding_lacks_can_be_read(said):
    for encoding, calls in said.items():
        expected = {
            "utf-8": "✗ Task 1 · Double  (0 of 2)\n    double(2) must be 4. x → 2·x · 学",
            "ascii": "x Task 1 . Double  (0 of 2)\n    double(2) must be 4. x -> 2.x . \\u5b66",
            "cp1252": "x Task 1 · Double  (0 of 2)\n    double(2) must be 4. x -> 2·x · \\u5b66",
            "latin-1": "x Task 1 · Double  (0 of 2)\n    double(2) must be 4. x -> 2·x · \\u5b66",
            "gbk": "x Task 1 · Double  (0 of 2)\n    double(2) must be 4. x → 2·x · 学",
        }
        assert expected[encoding] in calls["check"][1].replace("\r\n", "\n"), encoding
        tick = "✓" if encoding == "utf-8" else "ok"
        assert f"{tick} Python" in calls["doctor"][1]
        assert "?" not in calls["train"][1]


def test_an_output_that_cannot_be_written_is_no_wrong_call(monkeypatch, tmp_path):
    """UnicodeEncodeError is a ValueError, which says elsewhere that an option is wrong."""

    def run(*arguments):
        "✓".encode("ascii")

    monkeypatch.setattr("lmcourse.commands.train_gpt.run", run)
    monkeypatch.setattr("lmcourse.commands.reproduce.reproduce", run)
    for call in (["train", "--out", str(tmp_path / "x")], ["reproduce", "tatoeba-cmn-eng"]):
        with pytest.raises(UnicodeEncodeError):
            door.app(call, standalone_mode=False)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=st.text(st.characters(exclude_characters="\r"), max_size=20))
def test_any_text_can_be_printed_and_what_the_encoding_has_stays(encoding, text):
    stream = io.TextIOWrapper(io.BytesIO(), encoding, newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        terminal.readable_output()
        terminal.tell(text)
    written = stream.buffer.getvalue().decode(encoding)
    kept = [sign for sign in text if sign.encode(encoding, "ignore")]
    assert written.endswith("\n")
    rest = iter(written)
    assert all(sign in rest for sign in kept)  # in this order


# ---------------------------------------------------------------- tables in a file

LONG = "a_name_of_sixty-four_letters_as_long_as_the_rules_of_names_allow"


def shown(table: Table, capsys, *, stderr: bool = False) -> str:
    terminal.console(stderr=stderr).print(table)
    said = capsys.readouterr()
    return said.err if stderr else said.out


@pytest.mark.parametrize("columns", ["20", "80", None])
def test_no_word_of_a_table_is_cut_in_a_file(capsys, monkeypatch, columns):
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    table = Table("work", "beside", *[f"column-{n}" for n in range(9)])
    table.add_row(*[f"{n}-{LONG}" for n in range(11)])
    for stderr in (False, True):
        text = shown(table, capsys, stderr=stderr)
        assert "…" not in text
        assert all(f"{n}-{LONG}" in text for n in range(11))


def test_the_table_of_a_class_shows_names_whole(capsys):
    cells = [Planned(name="t", kind="code", source="", locked=True, graded=True, points=2.0)]
    task = Task(number=1, title=LONG, promised=2.0, cells=cells)
    results = [Result(student=LONG, problem=f"{LONG}.ipynb is no notebook")]
    graded = Class(assignment="tiny", tasks=[task], results=results, output=Path())
    assert f" {LONG} " in shown(class_table(graded), capsys)
    assert f"{LONG}.ipynb" in shown(class_table(graded), capsys)
    assert f"Task 1 · {LONG}" in shown(task_table(graded), capsys)


def test_all_tables_are_shown_by_one_console():
    """A console of rich's own squeezes a table in a file into 80 columns."""
    root = Path(door.__file__).parent.parent
    files = [
        path for name in ("lmcourse", "tools", "benchmarks") for path in (root / name).rglob("*.py")
    ]
    made = {
        (path.name, ast.unparse(node))
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Console", "rich.print")
    }
    assert {name for name, _ in made} <= {"terminal.py", "breaks.py"}
    assert ("breaks.py", "Console()") not in made


IMPATIENT = """
import os, signal, sys
import typer
from lmcourse.grading.cli.terminal import plain_errors

class Impatient:
    def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGINT):
        kill(pid, number)

kept = Impatient()  # until Python takes itself apart, after it has put its own handlers away
try:
    with plain_errors():
        os.kill(os.getpid(), signal.SIGINT)
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


def test_a_second_ctrl_c_while_the_command_ends_changes_nothing():
    done = subprocess.run([sys.executable, "-c", IMPATIENT], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "lmcourse: stopped\n")


TOLD_TO_END = """
import os, signal, sys, tempfile
from lmcourse.grading.cli.terminal import plain_errors

with plain_errors():
    with tempfile.TemporaryDirectory(dir=sys.argv[1]):
        os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_command_that_is_told_to_end_leaves_no_folder(tmp_path):
    command = [sys.executable, "-c", TOLD_TO_END, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "")
    assert list(tmp_path.iterdir()) == []


def test_outside_a_command_both_signals_are_as_they_were():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with terminal.plain_errors():
        assert signal.getsignal(signal.SIGTERM) is terminal._exit
        assert signal.getsignal(signal.SIGINT) is before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
