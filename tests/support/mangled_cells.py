"""What editors, converters and people do to the cells of a right notebook of the tiny course.

FULL keep all points of the tests. PARTLY and LOST are those of which a row must say what is wrong:
in PARTLY a person must look at some test, in LOST some answer is gone. Each is a function on the
notebook's JSON; `words` are looked for in the row's reason or in the test's message.
"""

import copy
import random
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from notebook_edits import (
    answer,
    cell_of,
    claims,
    delete,
    double,
    index,
    insert,
    name_of,
    source_of,
)

Change = Callable[[dict], None]
TASKS = ("double", "square")
TESTS = ("test_double", "test_square")


class Said(NamedTuple):
    """A change, the tests that still pass, and what the learner is told of the others."""

    change: Change
    passed: tuple[str, ...]
    words: str


def lose_names(nb: dict) -> None:
    """As Colab and jupytext do."""
    for cell in nb["cells"]:
        cell["metadata"].pop("nbgrader", None)


def _each(change: Callable[[str], str], *names: str) -> Change:
    def edit(nb: dict) -> None:
        for name in names or TASKS:
            answer(nb, name, change(source_of(cell_of(nb, name))))

    return edit


def _all(change: Callable[[dict], None]) -> Change:
    return lambda nb: [change(cell) for cell in nb["cells"]] and None


def _both(*changes: Change) -> Change:
    return lambda nb: [change(nb) for change in changes] and None


def _first(line: str) -> Change:
    return _each(lambda source: f"{line}\n{source}")


def _last(lines: str) -> Change:
    return _each(lambda source: f"{source}\n\n{lines}")


def _extra(kind: str, source: str, *, at: int | None = None) -> Change:
    def add(nb: dict) -> None:
        cell = {"cell_type": kind, "metadata": {}, "source": source}
        if kind == "code":
            cell |= {"outputs": [], "execution_count": None}
        nb["cells"].insert(len(nb["cells"]) if at is None else at, cell)

    return add


def _between(*sources: str) -> Change:
    """Cells of the learner's own before each task."""
    return lambda nb: [insert(nb, name, *sources) for name in TASKS] and None


def _without(*kinds: str) -> Change:
    def drop(nb: dict) -> None:
        nb["cells"] = [c for c in nb["cells"] if c["cell_type"] not in kinds or name_of(c) == "why"]

    return drop


def _order(key: Callable[[str], int]) -> Change:
    return lambda nb: nb["cells"].sort(key=lambda cell: key(name_of(cell)))


def _shuffled(seed: int) -> Change:
    return lambda nb: random.Random(seed).shuffle(nb["cells"])


def _move(name: str, to: int) -> Change:
    return lambda nb: nb["cells"].insert(to, nb["cells"].pop(index(nb, name)))


def _old_above(nb: dict) -> None:
    """A first try under the same name, before the right one."""
    double(nb, "double")
    answer(nb, "double", "def double(x):\n    return x")


def _in_halves(nb: dict) -> None:
    """Split in Jupyter: both halves have the same metadata."""
    double(nb, "double")
    at = index(nb, "double")
    whole = source_of(nb["cells"][at])
    nb["cells"][at]["source"] = "def twice(x):\n    return 2 * x"
    nb["cells"][at + 1]["source"] = whole.replace("2 * x", "twice(x)")


def _second_half_unnamed(nb: dict) -> None:
    at = index(nb, "double")
    extra = copy.deepcopy(nb["cells"][at])
    extra["metadata"] = {}
    answer(nb, "double", "# see below")
    nb["cells"].insert(at + 1, extra)


def _below_the_stub(nb: dict) -> None:
    """The cell that was handed out is as it was; the answer stands in a cell of its own."""
    for name in TASKS:
        own = source_of(cell_of(nb, name))
        answer(nb, name, f"def {name}(x):\n    raise NotImplementedError")
        insert(nb, f"test_{name}", own)


def _in_one_cell(nb: dict) -> None:
    own = [source_of(cell_of(nb, name)) for name in TASKS]
    answer(nb, "double", "\n\n".join(own))
    answer(nb, "square", "# see above")


def _merged_with_test(nb: dict) -> None:
    """Merged in Jupyter: the metadata of the first cell is kept."""
    for name in TASKS:
        test = source_of(cell_of(nb, f"test_{name}"))
        answer(nb, name, source_of(cell_of(nb, name)) + "\n" + test)
        delete(nb, f"test_{name}")


def _merged_with_text(nb: dict) -> None:
    text = source_of(cell_of(nb, "tiny-task-3")) + "\n\n" + source_of(cell_of(nb, "why"))
    answer(nb, "tiny-task-3", text)
    delete(nb, "why")


def _renamed(*names: str) -> Change:
    def rename(nb: dict) -> None:
        for name in names:
            claims(nb, name)["grade_id"] = f"my-{name}"

    return rename


def _names_with(change: Callable[[str], str]) -> Change:
    return _all(lambda c: c["metadata"]["nbgrader"].update(grade_id=change(name_of(c))))


def _claims(**values) -> Change:
    return _all(lambda cell: cell["metadata"]["nbgrader"].update(values))


def _kind(kind: str, *names: str) -> Change:
    def change(nb: dict) -> None:
        for name in names:
            cell = cell_of(nb, name)
            cell["cell_type"] = kind
            if kind != "code":
                cell.pop("outputs", None)
                cell.pop("execution_count", None)

    return change


def _form(form: str) -> Change:
    """The written text in another normal form of Unicode."""

    def change(nb: dict) -> None:
        answer(
            nb, "double", "größe = 2\ndef double(x):\n    'Größe: é, ﬁ, ①'\n    return größe * x"
        )
        answer(nb, "why", "Because: Größe, naïve, Å, 한글.")
        for cell in nb["cells"]:
            cell["source"] = unicodedata.normalize(form, source_of(cell))

    return change


def _tabs(source: str) -> str:
    return source.replace("    ", "\t")


def _stripped(nb: dict) -> None:
    for cell in nb["cells"]:
        lines = (line.rstrip() for line in source_of(cell).split("\n"))
        cell["source"] = "\n".join(lines).strip()


def _deleted(*names: str) -> Change:
    return lambda nb: [delete(nb, name) for name in names] and None


def _everything_twice(nb: dict) -> None:
    nb["cells"] += copy.deepcopy(nb["cells"])


# Where `str.splitlines` ends a line, and Python does not.
NO_ENDS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
# As pasted from a text processor.
_PASTED = """
def double(x):
    'Twice:|  the same|>>> again.'
    # twice| x
    text = '''a| %b
    |!c'''
    return 2 * x if len(text) == 13 else text
"""


def _pasted(sign: str, before: str = "") -> Change:
    return lambda nb: answer(nb, "double", before + _PASTED.replace("|", sign))


FULL: dict[str, Change] = {
    "nothing": lambda nb: None,
    # Order.
    "tasks the other way round": _order(lambda name: -("square" in name or name == "tiny-task-2")),
    "answers first": _order(lambda name: (name not in (*TASKS, "setup")) + (name in TESTS)),
    "all words at the end": lambda nb: nb["cells"].sort(key=lambda c: c["cell_type"] != "code"),
    "all words first": lambda nb: nb["cells"].sort(key=lambda c: c["cell_type"] == "code"),
    "backwards": lambda nb: nb["cells"].reverse(),
    **{f"shuffled, {seed}": _shuffled(seed) for seed in range(5)},
    "the setup at the end": _move("setup", 9),
    "a test on top": _move("test_square", 0),
    "the written answer on top": _move("why", 0),
    # Cells of one's own.
    "an empty cell between all": _between("", "   ", "\n\n"),
    "cells that fail": _between("1 / 0", "def broken(:", "import nowhere", "assert False"),
    "cells that print": _between("print('x' * 10_000)", "import sys; print(1, file=sys.stderr)"),
    "magics and shell lines": _between("%time 1", "!true", "double?", "%who", "%%capture\n1"),
    "comments alone": _between("# a thought", '"""A text."""'),
    "exit in a cell": _between("exit()"),
    "sys.exit in a cell": _between("import sys\nsys.exit()"),
    "a question in a cell": _between("name = input('who? ')"),
    "names of the tests used": _between("math_ = 1\ncheck = test = result = None"),
    "five hundred cells": lambda nb: [_extra("code", "")(nb) for _ in range(500)] and None,
    "notes in Markdown": _both(_extra("markdown", "## My notes", at=3), _extra("markdown", "$x$")),
    "a raw cell": _both(_extra("raw", "x", at=2), _extra("raw", "")),
    "await at the top": _between("import asyncio\nawait asyncio.sleep(0)"),
    "an old try in a cell": _between("def double(x):\n    return x\ndef square(x): return x"),
    # Cells deleted, doubled, split, merged, copied.
    "the text on top deleted": _deleted("tiny-intro"),
    "a task's text deleted": _deleted("tiny-task-1"),
    "all words deleted": _without("markdown"),
    "the setup deleted": _deleted("setup"),
    "a test deleted": _deleted("test_double"),
    "all tests deleted": _deleted(*TESTS),
    "all that was locked deleted": _deleted(
        "setup", *TESTS, "tiny-intro", *(f"tiny-task-{n}" for n in (1, 2, 3))
    ),
    "an answer twice": lambda nb: double(nb, "double"),
    "both answers twice": lambda nb: [double(nb, name) for name in TASKS] and None,
    "an old try under the same name": _old_above,
    "the setup twice": lambda nb: double(nb, "setup"),
    "a task's text twice": lambda nb: double(nb, "tiny-task-1"),
    "the written answer twice": lambda nb: double(nb, "why"),
    "an answer split in two": _in_halves,
    "an answer moved to the next cell": _second_half_unnamed,
    "answers below the cells for them": _below_the_stub,
    "both answers in one cell": _in_one_cell,
    "answers merged with their tests": _merged_with_test,
    "the written answer merged with its task": _merged_with_text,
    # Names and roles.
    "an answer renamed": _renamed("double"),
    "a test renamed": _renamed("test_square"),
    "an answer and its test renamed": _renamed("square", "test_square"),
    "everything renamed": _names_with(lambda name: f"Copy of {name}"),
    "names in capitals": _names_with(str.upper),
    "names with a blank": _names_with(lambda name: f"{name} "),
    "names lost": lose_names,
    "names lost, all words deleted": _both(_without("markdown"), lose_names),
    "names lost, cells of one's own": _both(_between("1 / 0", "# note"), lose_names),
    "names lost, an old try above": _both(_between("def double(x):\n    return 7"), lose_names),
    "names lost, tasks the other way round": _both(
        _order(lambda name: -("square" in name or name == "tiny-task-2")), lose_names
    ),
    "names lost, line ends stripped": _both(_stripped, lose_names),
    "names of one cell lost": lambda nb: cell_of(nb, "double")["metadata"].clear(),
    "other points": _claims(points=100),
    "points of text": _claims(points="3"),
    "no roles": _claims(grade=False, locked=False, solution=False),
    "all roles": _claims(grade=True, locked=True, solution=True, task=True),
    "roles as words": _claims(grade="true", locked="false", solution="yes"),
    "the first version of the metadata": _claims(schema_version=1),
    "no version of the metadata": _all(lambda c: c["metadata"]["nbgrader"].pop("schema_version")),
    "more in the metadata": _claims(remove=False, checksum="x", cell_type="code", owner=None),
    # Kinds.
    "an answer as Markdown": _kind("markdown", "double"),
    "an answer raw": _kind("raw", "square"),
    "a test as Markdown": _kind("markdown", "test_double"),
    "the written answer as code": _kind("code", "why"),
    "the text on top raw": _kind("raw", "tiny-intro"),
    "the setup raw": _kind("raw", "setup"),
    # Locked cells edited.
    "a test with a print": _each(lambda source: f"print(1)\n{source}", *TESTS),
    "a test with its asserts off": _each(lambda source: f"# {source}", *TESTS),
    "a test emptied": _each(lambda source: "", *TESTS),
    "a task's text edited": _each(lambda source: f"{source} (done!)", "tiny-task-1"),
    "the setup with more imports": _each(lambda source: f"{source}\nimport sys", "setup"),
    "the setup emptied": _each(lambda source: "", "setup"),
    # How an answer is written.
    "tabs": _each(_tabs),
    "line ends stripped": _stripped,
    "line ends filled": _each(lambda source: source.replace("\n", "   \n") + "\n\n\n"),
    "a form feed": _each(lambda source: f"\x0c\n{source}"),
    "%%time above": _first("%%time"),
    "%%capture above": _first("%%capture"),
    "a title of a form": _first("#@title Double it { display-mode: 'form' }"),
    "an option of Quarto": _first("#| label: fig-double\n#| echo: false"),
    "an export of nbdev": _first("#| export"),
    "annotations from the future": _first("from __future__ import annotations"),
    "an encoding above": _first("# -*- coding: latin-1 -*-"),
    "an example that fails below": _last("print(double(1), undefined)"),
    "an assert that fails below": _last("assert 1 == 2"),
    "a question below": _last("input()"),
    "only if it is the program": _last("if __name__ == '__main__':\n    print(1)"),
    "a value below": _last("{'a': 1}"),
    "typed in NFC": _form("NFC"),
    "typed in NFD": _form("NFD"),
    "typed in NFKD": _form("NFKD"),
    "signs of the web in comments": _last("# \u00a0 \u200b “quotes” – … \ufeff"),
    "names in Greek and Chinese": _last("λ, 变量 = 1, 2"),
    "half a sign in a comment": _last("# \ud83d"),
    **{f"U+{ord(sign):04X} in strings and comments": _pasted(sign) for sign in NO_ENDS},
    "U+2028 beside magics": _pasted("\u2028", "%time 1\n!true"),
    "tags": _all(lambda c: c["metadata"].update(tags=["skip-execution", "remove-cell"])),
}
PARTLY: dict[str, Said] = {
    "a test twice": Said(
        lambda nb: double(nb, "test_double"), ("test_square",), "this test cell 2 times"
    ),
    "everything twice": Said(_everything_twice, (), "this test cell 2 times"),
}
LOST: dict[str, Said] = {
    "an answer deleted": Said(_deleted("double"), ("test_square",), "`double` is not defined"),
    "an answer that needs the setup that was edited": Said(
        _both(
            _each(lambda source: f"{source}\nimport itertools", "setup"),
            lambda nb: answer(nb, "double", "def double(x):\n    return itertools and 2 * x"),
        ),
        ("test_square",),
        "the locked cell setup was edited",
    ),
    "blanks of the web in the code": Said(
        lambda nb: answer(nb, "double", "def double(x):\n\u00a0   return 2 * x"),
        ("test_square",),
        "U+00A0",
    ),
    "curly quotes in the code": Said(
        lambda nb: answer(nb, "double", "def double(x):\n    “Twice x.”\n    return 2 * x"),
        ("test_square",),
        "U+201C",
    ),
}
