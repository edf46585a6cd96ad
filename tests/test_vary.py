"""`make vary`: what is set reaches the part, results are kept, and a failure is told; the tests'
order can be changed; a page and an answer can be given another seed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import page_runs
import pytest
import right_answers
import vary
from ext.number_bands import Band

ROOT = Path(__file__).resolve().parent.parent

TELL = """import os, sys
print(os.environ["COLOR"], os.environ.get("LMCOURSE_TEST_SEED"), sys.argv[1:])
with open("_build/calls", "a") as calls:
    calls.write("x")
if os.environ["COLOR"] == "red":
    print("FAILED test_color: red")
    sys.exit(1)
"""


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A work tree of git with one tool, and two settings for it."""
    (tmp_path / "tell.py").write_text(TELL)
    (tmp_path / ".gitignore").write_text("_build/\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    monkeypatch.setattr(vary, "PARTS", {"tool": ["tell.py"]})
    monkeypatch.setattr(vary, "settings", lambda: [
        vary.Setting(name="green", parts=("tool",), variables={"COLOR": "green"}, seed=7),
        vary.Setting(name="red", parts=("tool",), variables={"COLOR": "red"}),
    ])  # fmt: skip
    return tmp_path


def calls(tree):
    path = tree / "_build/calls"
    return len(path.read_text()) if path.exists() else 0


def test_what_is_set_reaches_the_part_and_a_failure_is_told_with_its_log(tree, capsys):
    assert vary.main([], tree) == 1
    said = capsys.readouterr().out
    assert said.endswith("variations passed: 1 of 2\n")
    assert "    FAILED test_color: red\n" in said
    assert f"failed: red.tool, {tree}/_build/vary/red.tool.log" in said
    log = (tree / "_build/vary/green.tool.log").read_text().splitlines()
    assert log[1] == "green 7 ['--seed', '7']"
    kept = json.loads((tree / "_build/vary/green.tool.json").read_text())
    assert kept["passed"]
    assert kept["failures"] == []


def test_a_result_is_kept_until_a_file_changes(tree, capsys):
    assert vary.main(["--only", "green"], tree) == 0
    assert vary.main([], tree) == 1  # goes on: only the other one is run
    assert calls(tree) == 2
    assert vary.main([], tree) == 1, "a failure must not be forgotten"
    assert calls(tree) == 2
    (tree / "new.py").write_text("")
    assert vary.main(["--only", "green.tool"], tree) == 0
    assert calls(tree) == 3
    assert vary.main(["--only", "green", "--again"], tree) == 0
    assert calls(tree) == 4
    capsys.readouterr()
    assert vary.main(["--list"], tree) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["green.tool", "passed"],
        ["red.tool", "no"],  # of the tree before
    ]


def test_what_is_set_is_part_of_the_key(tree):
    green, red = vary.variations()
    of_tree = vary.contents(tree)
    assert vary.key(green, of_tree) != vary.key(red, of_tree)
    assert vary.key(green, of_tree) == vary.key(green, vary.contents(tree))


def test_what_is_staged_stays_staged_and_what_is_not_counts_all_the_same(tree):
    def git(*arguments):
        return subprocess.run(
            ["git", *arguments], cwd=tree, capture_output=True, text=True, check=True
        ).stdout

    git("add", "tell.py")
    before = vary.contents(tree)
    assert git("diff", "--cached", "--name-only") == "tell.py\n"
    (tree / "tell.py").write_text("changed")
    assert vary.contents(tree) != before
    (tree / "tell.py").write_text(TELL)
    assert vary.contents(tree) == before
    (tree / "_build").mkdir()
    (tree / "_build/ignored").write_text("")
    assert vary.contents(tree) == before


def test_outside_of_git_or_without_a_match_nothing_is_run(tree, tmp_path_factory, capsys):
    with pytest.raises(ValueError, match="must be a work tree of git: fatal"):
        vary.contents(tmp_path_factory.mktemp("bare"))
    with pytest.raises(SystemExit):
        vary.main(["--only", "blue"], tree)
    assert "--only must fit a variation, got --only=['blue']" in capsys.readouterr().err


def test_an_interrupted_variation_leaves_no_result(tree, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(vary, "_wait", interrupt)
    assert vary.main(["--only", "green"], tree) == 130
    assert "stopped after 0 of 1: run it again to go on" in capsys.readouterr().out
    assert not (tree / "_build/vary/green.tool.json").exists()


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
def test_one_that_takes_too_long_is_ended_and_has_failed(tree, monkeypatch, capsys):
    (tree / "tell.py").write_text("while True: pass")
    monkeypatch.setattr(vary, "LIMIT", 0)
    monkeypatch.setattr(vary, "HEARTBEAT", 0.1)
    assert vary.main(["--only", "green"], tree) == 1
    assert "    it took over 0 s\n" in capsys.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="sessions are POSIX")
def test_hogs_have_sessions_of_their_own_and_are_gone_afterwards(monkeypatch):
    started, start = [], subprocess.Popen
    monkeypatch.setattr(
        vary.subprocess, "Popen", lambda *a, **k: started.append(start(*a, **k)) or started[-1]
    )
    with vary.hogs(2):
        sessions = {os.getsid(hog.pid) for hog in started}
        assert sessions == {hog.pid for hog in started}
        assert os.getsid(0) not in sessions
        assert [hog.poll() for hog in started] == [None, None]
    assert all(hog.poll() is not None for hog in started)


@pytest.mark.skipif(
    os.name != "posix", reason="a process without a parent has another one on POSIX"
)
def test_a_hog_ends_when_its_parent_is_gone():
    begin = f"import subprocess, sys, os; subprocess.Popen([sys.executable, '-c', {vary.HOG!r}, "
    parent = subprocess.run(  # its end closes the pipe, and that of the hog, which inherited it
        [sys.executable, "-c", begin + "str(os.getpid())], start_new_session=True)"],
        stdout=subprocess.PIPE, timeout=60, check=False,
    )  # fmt: skip
    assert parent.returncode == 0


def test_there_are_thirty_variations_and_all_that_was_asked_for():
    variations = vary.variations()
    names = [variation.name for variation in variations]
    assert len(names) == len(set(names)) >= 30
    set_ = [variation.environment for variation in variations]
    for name, value in [
        ("ATEN_CPU_CAPABILITY", "default"), ("ATEN_CPU_CAPABILITY", "avx2"),
        ("ONEDNN_MAX_CPU_ISA", "SSE41"), ("ONEDNN_MAX_CPU_ISA", "AVX2"),
        ("PYTHONHASHSEED", "1"), ("LMCOURSE_TEST_ORDER", "reversed"),
        ("LMCOURSE_TEST_ORDER", "shuffled-1"),
    ]:  # fmt: skip
        assert any(each.get(name) == value for each in set_), f"{name}={value}"
    for part in ("pages", "assignments"):
        assert {v.setting.seed for v in variations if v.part == part} >= set(range(1, 11))


def test_with_time_for_all_the_tests_meet_every_setting():
    usual, all_ = vary.variations(), vary.variations(is_all=True)
    assert {v.name for v in usual} < {v.name for v in all_}
    for part in ("course", "pages", "assignments"):
        met = {v.setting.name for v in all_ if v.part == part}
        kernels = {v.setting.name for v in all_ if "ISA" in str(v.setting.variables)}
        assert met >= {"own", "hogs", *kernels, *(f"seed-{seed}" for seed in range(1, 11))}
    assert {v.part for v in all_ if v.setting.name == "reversed"} == {
        "one-process", "grading-alone",
    }  # fmt: skip


# ---------------------------------------------------------------- the order of tests

USUAL = [f"test_{file}.py::test_{n}" for file in "abc" for n in (1, 2, 3)]


def reordered(request, order):
    conftest = request.config.pluginmanager.get_plugin(str(ROOT / "tests/conftest.py"))
    items = [SimpleNamespace(nodeid=name) for name in USUAL]
    conftest._reorder(items, order)
    return [item.nodeid for item in items]


def test_tests_are_shuffled_file_by_file(request):
    assert reordered(request, "") == USUAL
    assert reordered(request, "reversed") == USUAL[::-1]
    orders = {tuple(reordered(request, f"shuffled-{n}")) for n in range(5)}
    assert len(orders) == 5
    for order in orders:
        assert sorted(order) == USUAL
        files = [name.split("::")[0] for name in order]
        assert all(len(set(files[i : i + 3])) == 1 for i in (0, 3, 6)), files
    assert reordered(request, "shuffled-1") == reordered(request, "shuffled-1")
    with pytest.raises(pytest.UsageError, match="must be reversed or shuffled-N, got 'backwards'"):
        reordered(request, "backwards")


def test_pytest_runs_the_tests_in_the_order_that_was_asked_for(tmp_path):
    shutil.copy(ROOT / "tests/conftest.py", tmp_path)
    (tmp_path / "test_a.py").write_text("def test_1(): pass\ndef test_2(): pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=os.environ
        | {"LMCOURSE_TEST_ORDER": "reversed", "PYTHONPATH": str(ROOT / "tests/support")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[:2] == ["test_a.py::test_2", "test_a.py::test_1"]


# ---------------------------------------------------------------- other seeds

PAGE = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

```{code-cell} ipython3
from myst_nb import glue

SEED = 0
```

```{code-cell} ipython3
assert SEED == 0, "true for one seed alone"
```

```{code-cell} ipython3
glue("tiny-seed", SEED, display=False)
```

```{code-cell} ipython3
if SEED:
    import sys

    print("odd", file=sys.stderr)
```
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "book/tiny.md"
    path.parent.mkdir()
    path.write_text(PAGE)
    return path


def test_a_page_is_run_with_another_seed_and_each_finding_told(page, tmp_path):
    bands = [Band("tiny", "tiny-seed", 0, 2), Band("other", "other-number", 0, 1)]
    as_it_is = page_runs.run(page, None, bands, tmp_path)
    assert as_it_is.problems == []
    shifted = page_runs.run(page, 3, bands, tmp_path)
    assert shifted.is_seeded
    assert shifted.problems == [
        'AssertionError: true for one seed alone at: assert SEED == 0, "true for one seed alone"',
        "stderr: odd",
        "tiny-seed must lie between 0 and 2, got 3",
    ]


def test_a_page_without_a_seed_is_told_of(page):
    page.write_text(PAGE.replace("SEED", "START"))
    assert not page_runs.set_seed(page_runs.read(page), 3)


def test_only_pages_with_cells_are_run(page, tmp_path):
    (tmp_path / "book/words.md").write_text("# Words alone\n")
    assert page_runs.pages(tmp_path) == [page]


def test_every_chapter_has_a_seed_that_can_be_set():
    for path in page_runs.pages(ROOT):
        notebook = page_runs.read(path)
        draws = any("SEED" in cell.source for cell in notebook.cells if cell.cell_type == "code")
        assert page_runs.set_seed(notebook, 9) == draws, path.name


def test_the_inputs_of_an_assignment_come_from_the_seed():
    first, again, other = (right_answers.Draws(words) for words in ("a 1", "a 1", "a 2"))
    assert [first() for _ in range(3)] == [again() for _ in range(3)]
    assert other() not in [right_answers.Draws("a 1")() for _ in range(3)]


def test_every_assignment_has_right_variants_that_can_be_run():
    """As the tool is started: on the path of the tests."""
    code = "import right_answers as r; print([len(r.right_variants(s)) for s in r.slugs(r.ROOT)])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "tools",
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert len(counts) >= 6
    assert min(counts) > 0


@pytest.mark.skipif(os.name != "posix", reason="processes are forked")
def test_a_right_answer_that_loses_points_is_told(monkeypatch, tmp_path):
    def cell(source, grade_id, **flags):
        usual = {"grade": False, "solution": False, "locked": True, "task": False}
        nbgrader = {"schema_version": 3, "grade_id": grade_id, **usual, **flags}
        return nbformat.v4.new_code_cell(source, metadata={"nbgrader": nbgrader})

    notebook = nbformat.v4.new_notebook(cells=[
        cell("def odd():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION", "odd",
             solution=True, locked=False),
        cell("import torch\nassert odd() == 1, f'seed {torch.seed()}'", "test_odd", grade=True,
             points=1),
    ])  # fmt: skip
    path = tmp_path / "tiny.ipynb"
    nbformat.write(notebook, path)

    class Right:
        name, task = "three", "odd"

        def source(self, solution):
            return "def odd():\n    return 3"

    import torch

    monkeypatch.setattr(torch, "seed", torch.seed)  # put back afterwards
    assignment = right_answers.load(path)
    assert right_answers.failures(assignment, [], 1) == []
    (told,) = right_answers.failures(assignment, [Right()], 1)
    number = right_answers.Draws("tiny 1").numbers.getrandbits(63)
    assert told == f"tiny: three (odd): odd: AssertionError: seed {number}"
