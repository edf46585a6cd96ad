"""The faults that tools/plant.py plants, one of each kind that each step of `make check` is for.

They hold on to as little of the checkout as they can, so that another state of it can be tried.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

from plant import Fault
from planted_pages import PAGES_WITH_FAULTS

from lmcourse.grading.assignment.plan import answer_of

Plant = Callable[[Path], object]


def replace(pattern: str, old: str, new: str) -> Plant:
    """In the one file that matches the pattern and holds the text exactly once."""

    def plant(folder: Path) -> None:
        texts = {path: path.read_text(encoding="utf-8") for path in sorted(folder.glob(pattern))}
        holding = [path for path, text in texts.items() if text.count(old) == 1]
        if len(holding) != 1:
            raise LookupError(f"one file of {pattern} must hold {old!r} once, got {holding}")
        holding[0].write_text(texts[holding[0]].replace(old, new), encoding="utf-8")

    return plant


def append(file: str, text: str) -> Plant:
    """At the end of a file."""

    def plant(folder: Path) -> None:
        with (folder / file).open("a", encoding="utf-8") as stream:
            stream.write(text)

    return plant


def write(file: str, text: str) -> Plant:
    """A whole file."""

    def plant(folder: Path) -> None:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")

    return plant


def both(first: Plant, second: Plant) -> Plant:
    """One after the other."""
    return lambda folder: (first(folder), second(folder))


def edit_test(task: str, pattern: str, new: str) -> Plant:
    """In that test cell of a task of the assignment on attention in which the pattern is found."""

    def plant(folder: Path) -> None:
        path = folder / "solutions/attention/attention.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        found = 0
        for cell in notebook["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
            if answer_of(name, [task]):
                text = "".join(cell["source"])
                cell["source"], count = re.subn(pattern, lambda _: new, text, flags=re.DOTALL)
                found += count
        if not found:
            raise LookupError(f"a test of {task} must match {pattern}, got none")
        path.write_text(json.dumps(notebook), encoding="utf-8")

    return plant


# ---------------------------------------------------------------- a book of a few pages

HEAD = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# NAME

Some words.

"""
CELL = "```{code-cell} ipython3\nCODE\n```\n"
GLUE = CELL.replace(
    "CODE", 'from myst_nb import glue\n\nglue("planted-number", 2.0, display=False)'
)
BANDS = "page,name,low,high,seeds\n"


def page(name: str, body: str, bands: str = "") -> Plant:
    """A page of a book that consists of such pages alone, and the bands of its numbers."""

    def plant(folder: Path) -> None:
        toc = folder / "_toc.yml"
        text = toc.read_text(encoding="utf-8")
        if "planted" not in text:
            text = "format: jb-book\nroot: book/planted_start\nchapters:\n"
            write("book/planted_start.md", "# Start\n\nA page without a fault.\n")(folder)
            write("tests/bands.csv", BANDS)(folder)
        toc.write_text(f"{text}  - file: book/planted_{name}\n", encoding="utf-8")
        whole = HEAD.replace("NAME", name.capitalize()) + body
        write(f"book/planted_{name}.md", whole)(folder)
        append("tests/bands.csv", bands)(folder)

    return plant


def solution(code: str) -> Plant:
    """An assignment of one cell, the only one."""

    def plant(folder: Path) -> None:
        for path in (folder / "solutions").glob("*/*.ipynb"):
            path.unlink()
        cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": code}
        cells = [cell | {"execution_count": None, "outputs": []}]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        metadata = {"kernelspec": kernel}
        whole = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        write("solutions/planted/planted.ipynb", json.dumps(whole))(folder)

    return plant


# ---------------------------------------------------------------- commands

PYTEST = "python -m pytest -q -x -p no:cacheprovider"
BUILD = "python tools/build_book.py"
NBVAL = (
    f"{BUILD} > built.log 2>&1 && python $(ls tools/nbval.py tools/run_notebooks.py 2> /dev/null)"
)
SITE = f"{BUILD} > built.log; python tools/site_check.py _build/html"
FAULTS = (
    "python $(ls tools/faults.py tools/run_faults.py 2> /dev/null) --assignment attention --why"
)
FRESH = (
    "python -m lmcourse release > released.log 2>&1; python tools/check.py --exercises-are-fresh"
)


def hostile(word: str) -> str:
    return f"python tools/hostile.py --by lmcourse '{word}'"


def test_named(*names: str) -> str:
    """Some tests of the grader, in whatever file they are."""
    files = " ".join(f"$(grep -rl 'def {name}(' tests/grading)" for name in names)
    return f"{PYTEST} $(printf '%s\\n' {files} | sort -u) -k '{' or '.join(names)}'"


GRADER = "lmcourse/grading/**/*.py"
MISSPELLED = "te" + "h"  # not in one piece: this file is checked, too
RESTORED = "    return Placed(kind=planned.kind, source=planned.source, planned=planned)\n\n"
MARKDOWN = "def markdown(source: str, *, html: bool = True) -> str:\n"
BLIND = "test_a_query_that_may_look_at_nothing_gets_zeros"
SPOIL = """
    for spoiled in sorted(Path.cwd().glob("in/*-good/*/*.ipynb")):
        spoiled.write_text(spoiled.read_text() + "\\n")
"""

FAULTS_OF_FILES = [
    Fault(
        kind="a name that is imported and not used", step="ruff", copy="files",
        plant=append("lmcourse/metrics.py", "\nimport json\n"),
        command="ruff check .", says=r"`json` imported but unused",
    ),
    Fault(
        kind="formatting", step="ruff format", copy="files",
        plant=append("lmcourse/neurons.py", "\nPLANTED = [1,2]\n"),
        command="ruff format --check .", says=r"(?s)would be reformatted.*lmcourse/neurons\.py",
    ),
    Fault(
        kind="spelling", step="codespell", copy="files",
        plant=append("book/setup.md", f"\nThis is {MISSPELLED} end.\n"),
        command="codespell", says=rf"book/setup\.md:\d+: {MISSPELLED} ==> the",
    ),
    Fault(
        kind="versions that do not go together", step="pip check", copy="files",
        plant=write(
            "planted-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: planted\nVersion: 1.0\nRequires-Dist: torch<1\n",
        ),
        command="python -m pip check", says=r"planted 1\.0 has requirement torch<1",
    ),
    Fault(
        kind="stale exercises", step="exercises", copy="exercises",
        plant=replace("solutions/attention/attention.ipynb", "By hand: the scores are 4", "So: 4"),
        command=FRESH, says=r"exercises/attention/attention\.ipynb",
    ),
]  # fmt: skip

FAULTS_OF_PAGES = [
    Fault(
        kind="a warning in a page", step="book", copy="pages that warn",
        plant=page("warning", "[To nowhere](gone.md)\n"),
        command=BUILD, says=r"planted_warning\.md:?\d*: WARNING: .*gone\.md",
    ),
    Fault(
        kind="a value out of its band", step="book", copy="pages that warn",
        plant=page("band", GLUE, "planted_band,planted-number,3,4,1\n"),
        command=BUILD, says=r"planted-number must lie between 3 and 4, got 2",
    ),
    Fault(
        kind="a picture from another host", step="book", copy="pages that warn",
        plant=page("picture", '<img src="https://example.org/a.png" alt="a picture">\n'),
        command=BUILD, says=r"planted_picture\.html must load nothing from other hosts",
    ),
    Fault(
        kind="an error in a cell", step="book", copy="pages that fail",
        plant=page("error", CELL.replace("CODE", "1 / 0")),
        command=BUILD, says=r"ZeroDivisionError",
    ),
    Fault(
        kind="an output that changes", step="nbval", copy="pages that build",
        plant=page("changes", CELL.replace("CODE", "import os\n\nprint(os.urandom(8).hex())")),
        command=f"{NBVAL}", says=r"(?i)planted_changes.*::Cell|mismatch",
    ),
    Fault(
        kind="an error in a cell of a solution", step="nbval", copy="pages that build",
        plant=solution("raise RuntimeError('planted')"),
        command=f"{NBVAL}", says=r"(RuntimeError|planted\.ipynb).*",
    ),
    *[
        Fault(
            kind=kind, step="site-check", copy="pages that build", plant=page(name, body),
            command=SITE, says=rf"planted_{name}\.html \([a-z, ]+\): {says}",
        )
        for kind, name, body, says in PAGES_WITH_FAULTS
    ],
]  # fmt: skip

FAULTS_OF_THE_COURSE = [
    Fault(
        kind="a typed number", step="test", copy="course",
        plant=append("book/attention.md", "\nIt is faster by 3.7 times.\n"),
        command=f"{PYTEST} tests/test_pages.py -k 'keeps_the_rule and attention'",
        says=r"3\.7 times",
    ),
    Fault(
        kind="architecture: an import from above", step="test", copy="course",
        plant=append("lmcourse/neurons.py", "\nfrom lmcourse.gpt import GPT  # noqa\n"),
        command=f"{PYTEST} tests/test_architecture.py -k imports_only_from",
        says=r"(?s)FAILED .*test_a_module_imports_only_from_those_before_it",
    ),
    Fault(
        kind="a module that the map does not name", step="test", copy="course",
        plant=write("lmcourse/planted.py", '"""Planted.\n\nChapter: book/attention.md\n"""\n'),
        command=f"{PYTEST} tests/test_map.py tests/test_architecture.py -k 'map or same or layer'",
        says=r"planted",
    ),
    Fault(
        kind="a system broken", step="test", copy="system",
        plant=replace(
            "lmcourse/attention.py", "softmax(scores).masked_fill(~mask, 0.0)", "softmax(scores)"
        ),
        command=f"{PYTEST} tests/test_attention.py -k {BLIND}", says=rf"FAILED .*{BLIND}",
    ),
    Fault(
        kind="a test of a system that cannot fail", step="breaks", copy="breaks",
        plant=append("tests/test_attention.py", f"\n\ndef {BLIND}():\n    assert True\n"),
        command="python tools/breaks.py S31", says=r"breaks noticed: 0 of 1",
    ),
    Fault(
        kind="a test of a system that fails", step="breaks", copy="breaks",
        plant=append(
            "tests/test_attention.py",
            "\n\ndef test_multi_head_attention_agrees_with_torch():\n    assert False\n",
        ),
        command="python tools/breaks.py S33", says=r"breaks noticed: 0 of 1",
    ),
    Fault(
        kind="a wrong answer that a hidden test must catch", step="faults", copy="faults",
        plant=edit_test("dot_product", r"### BEGIN HIDDEN TESTS.*### END HIDDEN TESTS", ""),
        command=FAULTS, says=r"no test of dot_product catches",
    ),
    Fault(
        kind="a right answer that is refused", step="faults", copy="faults",
        plant=edit_test(
            "masked_attention",
            r"### END HIDDEN TESTS",
            "import inspect\nassert 'masked_fill' in inspect.getsource(masked_attention)\n"
            "### END HIDDEN TESTS",
        ),
        command=FAULTS, says=r"problem: .* is right, but fails",
    ),
]  # fmt: skip

FAULTS_OF_THE_GRADER = [
    Fault(
        kind="an attack with points", step="hostile", copy="points",
        plant=replace(GRADER, RESTORED, RESTORED.replace("=planned.source", "=cell.source")),
        command=hostile("tests emptied"), says=r"[\d.]+ points",
    ),
    Fault(
        kind="a learner's neighbor changed", step="hostile", copy="neighbor",
        plant=replace(
            GRADER, "    return write_file(folder / f\"{folder.name}.html\"",
            f"{SPOIL}    return write_file(folder / f\"{{folder.name}}.html\"",
        ),
        command=hostile("tests emptied"), says=r"in/\d+-good/.* was changed",
    ),
    Fault(
        kind="a leak in feedback", step="hostile", copy="leak",
        plant=replace(
            GRADER, "            parts += [_grade(grade), _comment(grade)]\n",
            "            parts += [_grade(grade), _comment(grade)]\n"
            "            parts += [_answer(c) for c in cells if _name(c) == planned.name]\n",
        ),
        command=hostile("tests emptied"), says=r"leak: mark of a hidden",
    ),
    Fault(
        kind="the sandbox has a network", step="test", copy="sandbox",
        plant=both(
            replace(GRADER, '"--unshare-net", ', ""), replace(GRADER, " | _NEW_NET | ", " | ")
        ),
        command=test_named("test_there_is_no_network"), says=r"FAILED .*test_there_is_no_network",
    ),
    Fault(
        kind="a system call that is not refused", step="test", copy="grader",
        plant=replace(GRADER, '    "ptrace": (101, 117),\n', '    "ptrace": (None, None),\n'),
        command=test_named("test_it_has_no_privilege_and_gets_none"),
        says=r"FAILED .*test_it_has_no_privilege_and_gets_none",
    ),
    Fault(
        kind="a script in a written answer", step="test", copy="grader",
        plant=replace(
            GRADER, MARKDOWN,
            f"{MARKDOWN}    return source\n\n\n" + MARKDOWN.replace("markdown", "planted"),
        ),
        command=test_named("test_what_markdown_is_not_for_goes"),
        says=r"FAILED .*test_what_markdown_is_not_for_goes",
    ),
]  # fmt: skip

FAULTS = [
    *FAULTS_OF_FILES,
    *FAULTS_OF_PAGES,
    *FAULTS_OF_THE_COURSE,
    *FAULTS_OF_THE_GRADER,
]
