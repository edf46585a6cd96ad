"""A defect of the bridge, a judge that is killed, a full disk: never a 0, never a full mark."""

import json
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from forks import lmcourse
from sandbox_processes import HOLD, SETUP, SMALL, WANTED, is_held, meanwhile
from tiny_course import answered, make_course
from waiting import wait_until

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.bridge import JUDGE
from lmcourse.grading.execution.sandboxed import SubmissionRun
from lmcourse.grading.execution.warm_servers import prove
from lmcourse.grading.sandbox import bubblewrap
from lmcourse.grading.sandbox.processes import AHEAD, ForkServer

TEST = "x = torch.randn(3)\nclose(f(x), x * 2)"
RIGHT, WRONG = "def f(x): return x * 2", "def f(x): return x"
REFERENCE = [
    CodeCell(kind="setup", source=SETUP),
    CodeCell(kind="learner", source=RIGHT),
    CodeCell(kind="test", source=TEST, name="t"),
]
UNPACK = "    def unpack(self, form: Any) -> Any:"
PACK = "    def pack(self, value: Any, depth: int = 0) -> Any:"
BUGS = {
    "reading an answer raises": ("wire.py", UNPACK, "        raise KeyError('a bug')"),
    "reading an answer never ends": ("wire.py", UNPACK, "        while True: pass"),
    "an answer is read as another": ("wire.py", UNPACK, "        return 0.5"),
    "sending a question raises": ("wire.py", PACK, "        raise TypeError('a bug')"),
}


@pytest.fixture(params=BUGS)
def broken_judges(request, tmp_path):
    """A judge's fork server whose package has one bug; the learner's side is as ever."""
    name, line, bug = BUGS[request.param]
    package = tmp_path / "lmcourse"
    shutil.copytree(bubblewrap.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    path = package / "grading/bridge" / name
    text = path.read_text("utf-8")
    assert text.count(line) == 1, f"{name} has changed: mend this test"
    path.write_text(text.replace(line, f"{line}\n{bug}"), "utf-8")
    with ForkServer(JUDGE, package=package, ahead=AHEAD[:1]) as server:
        yield request.param, server


def verdicts(learners, judges, **options):
    """What a right and a wrong answer come to."""
    found = []
    for answer in (RIGHT, WRONG):
        with SubmissionRun(learners, judges, SMALL, wanted=WANTED, **options) as submission_run:
            submission_run.run_setup(SETUP)
            submission_run.run_cell(answer)
            found.append(submission_run.run_test("t", TEST))
    return found


def test_a_bug_in_the_bridge_is_never_a_zero_and_never_full(learners, broken_judges):
    bug, judges = broken_judges
    proof = prove(learners, judges, SMALL, REFERENCE, WANTED)
    assert proof["t"].verdict != "passed"
    for got in verdicts(learners, judges, broken=frozenset(proof)):
        assert (got.verdict, got.fraction) == ("ungraded", 0.0), got
    if bug != "an answer is read as another":
        # Nor when it comes only after the author's own answer has passed.
        for got in verdicts(learners, judges, proven=frozenset({"t"})):
            assert (got.verdict, got.fraction) == ("ungraded", 0.0), got


def test_what_the_author_cannot_pass_here_nobody_fails(make_run):
    submission_run = make_run(broken=frozenset({"t"}))
    submission_run.run_setup(SETUP)
    submission_run.run_cell(WRONG)
    got = submission_run.run_test("t", TEST)
    assert got.verdict == "ungraded"
    assert got.said.startswith("the author's own answer does not pass this test here; it said")
    # The judge of that test has ended. The learner's process would soon end as well, and the cell
    # that happens to run then would be blamed: it has ended with its judge.
    assert submission_run._learner is None
    assert submission_run.run_cell(RIGHT).status == "ok"
    got = submission_run.run_test("t", TEST)
    assert got.verdict == "passed", got  # what passes is passed


def test_a_test_that_is_slow_by_itself_fails_nobody(make_run):
    submission_run = make_run(proven=frozenset({"t"}))
    submission_run.run_setup(SETUP)
    submission_run.run_cell(RIGHT)
    got = submission_run.run_test("t", f"{TEST}\nwhile True: pass")
    assert (got.verdict, got.said[:24]) == ("ungraded", "the test itself ran out "), got
    got = submission_run.run_test("t", TEST)
    assert got.verdict == "passed"


@pytest.mark.parametrize(
    ("answer", "test"),
    [
        ("torch.ones(9 << 20)", "f([(x := f(0)), x])"),  # 36 MiB, twice
        ("[0] * 150_000", "f([(x := f(0)), x])"),
        ("'x' * (3 << 20)", "f([(x := f(0)), x])"),
    ],
)
def test_data_of_the_learner_s_that_cannot_be_sent_back_fails_its_test(make_run, answer, test):
    for proven, outcome in [(frozenset({"t"}), "failed"), (frozenset(), "ungraded")]:
        submission_run = make_run(proven=proven)
        submission_run.run_setup(SETUP)
        submission_run.run_cell(f"import torch\ndef f(x): return {answer}")
        got = submission_run.run_test("t", test)
        assert (got.verdict, got.kind) == (outcome, "Unsendable"), got
        assert got.said.startswith("the test sends ")
        assert got.said.endswith("your code returned too much, or no data") == bool(proven)


@pytest.mark.parametrize("test", ["3 ** f(8)", "sum(range(f(9)))"])
def test_data_that_keeps_the_judge_busy_fails_its_test(make_run, test):
    """An alarm stops the first in the judge; the second, one long step, only the grader."""
    submission_run = make_run(proven=frozenset({"t"}), quick=frozenset({"t"}))
    submission_run.run_setup(SETUP)
    submission_run.run_cell("def f(x): return 10**x")
    got = submission_run.run_test("t", test)
    assert (got.verdict, got.said) == (
        "failed",
        "what your code returned keeps the test busy: it ran out of time",
    ), got
    submission_run.run_cell(RIGHT)
    assert submission_run.run_test("t", TEST).verdict == "passed"


def test_calls_that_are_slow_together_fail_their_test(make_run):
    submission_run = make_run(proven=frozenset({"t"}))
    submission_run.run_setup(SETUP)
    submission_run.run_cell("import time\ndef f(x):\n    time.sleep(0.5)\n    return x * 2")
    got = submission_run.run_test("t", f"while True:\n    {TEST.splitlines()[0]}\n    f(x)")
    assert (got.verdict, got.died) == ("failed", "it ran out of time")


def test_a_judge_killed_in_the_middle_costs_nobody_a_point(make_run):
    submission_run = make_run(proven=frozenset({"t"}))
    submission_run.run_setup(SETUP)
    submission_run.run_cell(RIGHT)
    assert submission_run.run_test("t", TEST).verdict == "passed"
    judge = submission_run._judge
    with meanwhile(
        lambda: wait_until(lambda: is_held(judge)),
        lambda: signal.pidfd_send_signal(judge._pidfd, signal.SIGKILL),
    ):
        got = submission_run.run_test("t", f"{HOLD}\n{TEST}")
    assert (got.verdict, got.kind, got.fraction) == ("ungraded", "judge", 0.0), got
    assert got.said == "the judge stopped: ClosedError"  # noticed at once, not by a limit
    assert submission_run.run_test("t", TEST).verdict == "passed"  # by another judge


def _almost_full_disk():
    """No file can grow beyond this, as on a disk that is full: the gradebook fits."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))


@pytest.mark.slow
def test_a_disk_that_is_full_is_a_row_and_no_zero(tmp_path):
    root = make_course(tmp_path / "course")
    assert lmcourse("release", cwd=root).returncode == 0
    blank = json.loads((root / "exercises/tiny/tiny.ipynb").read_text("utf-8"))
    for student in ("ada", "ben", "cleo"):
        nb = answered(json.loads(json.dumps(blank)))
        if student == "ben":
            note = {"cell_type": "markdown", "metadata": {}, "source": "x" * 150_000}
            nb["cells"] += [note] * 4
        path = root / "in" / student / "tiny.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(nb), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "lmcourse", "grade", "in", "-a", "tiny"],
        cwd=root,
        capture_output=True,
        text=True,
        preexec_fn=_almost_full_disk,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    rows = json.loads(Path(root / "grades/tiny.json").read_text("utf-8"))["students"]
    assert [(row["student"], row["score"]) for row in rows] == [
        ("ada", 5.0),
        ("ben", None),
        ("cleo", 5.0),
    ]
    assert rows[1]["problem"] == (
        "the grade could not be written: the disk is full: free some space; the 5 points in the"
        " gradebook may be of an earlier notebook, and wait for a person there"
    )
    assert not (root / "feedback/ben").exists()
