"""Who builds on whom, read from the text of the cells: directly, by helpers, by the tests."""

from pathlib import Path

import pytest

from lmcourse.grading.assignment.dependencies import Dependencies
from lmcourse.grading.assignment.notebooks import read_cells
from lmcourse.grading.assignment.plan import CodeCell, Planned, Task, stated_plan, tasks

SOLUTIONS = Path(__file__).parents[3] / "solutions"


def task(number, *names, stub="def {}(x): ..."):
    cells = [
        Planned(name=name, kind="code", source=stub.format(name), solution=True) for name in names
    ]
    test = Planned(name=f"test_{names[0]}", kind="code", source="", graded=True, locked=True)
    return Task(number=number, title="", cells=[*cells, test])


FOUND = [task(1, "a"), task(2, "b", "b2"), task(3, "c"), task(4, "d")]


def earlier(place, *answers):
    cells = [
        CodeCell(kind="test" if name.startswith("test_") else "learner", source=source, name=name)
        for name, source in answers
    ]
    return Dependencies(FOUND, cells).earlier(place)


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([("c", "def c(x): return a(x) + b2(x)")], {0: {"a"}, 1: {"b2"}}),
        ([("c", "def c(x): return x")], {}),
        # By a helper in a cell of the learner's own, and a helper of the helper.
        ([("", "def h(x): return g(x)\ng = lambda x: b(x)"), ("c", "c = h")], {1: {"b"}}),
        # By an answer between, which the tests of its own task may have found right.
        ([("b", "def b(x): return a(x)"), ("c", "def c(x): return b(x)")], {0: {"a"}, 1: {"b"}}),
        # Variables of a function and of a test, and attributes, are not the answers of their names.
        ([("c", "def c(a):\n    b = a.b2\n    return [b for b in a if b]")], {}),
        ([("test_c", "a, b = c(1)\nassert a == b")], {}),
        ([("test_c", "a = a(1)\nassert a == 1")], {0: {"a"}}),
        ([("c", "def c(x): return x"), ("test_c", "def f(a): return b(a)\nf(c)")], {1: {"b"}}),
        ([("c", "def a(x): return x\ndef c(x): return a(x)")], {0: {"a"}}),
        # A later one and its own name are no earlier ones.
        ([("c", "def c(x): return d(x) or c(x)")], {}),
        # By a test, too.
        ([("test_c", "assert c(1) == b(2)")], {1: {"b"}}),
        # In text that is no Python each word counts; a magic is passed over.
        ([("c", "def c(x)\n    return a(x)")], {0: {"a"}}),
        ([("c", "-" * 100_000 + "a(1)")], {0: {"a"}}),  # too deep for its parser
        ([("", "%time b(1)\ndef h(x): return a(x)"), ("c", "def c(x): return h(x)")], {0: {"a"}}),
        # So they do in Python that is too deep to be read.
        ([("c", "c = " + 7000 * "-" + "a(1)")], {0: {"a"}}),
        ([("c", "if 0: a(1)\n" + 7000 * "elif 0: pass\n")], {0: {"a"}}),
        ([("c", "class c:\n    def f(self):\n        return [a(y) for y in self]")], {0: {"a"}}),
    ],
)
def test_what_an_answer_builds_on(answers, found):
    assert earlier(2, *answers) == found


def test_a_helper_of_a_test_is_no_helper_of_answers():
    cells = [
        CodeCell(kind="test", source="def h(x): return a(x)", name="test_b"),
        CodeCell(kind="learner", source="def c(x): return h(x)", name="c"),
    ]
    assert Dependencies(FOUND, cells).earlier(2) == {}


def test_what_a_task_asks_for_is_read_from_a_learners_cell_too():
    broken = [task(1, "a", stub="def {}(x)\n    return x"), task(2, "b")]
    cells = [CodeCell(kind="learner", source="def b(x): return a(x)", name="b")]
    assert Dependencies(broken, cells).earlier(1) == {0: {"a"}}


@pytest.mark.parametrize(
    ("slug", "later", "found"),
    [
        ("transformer", "encoder_block", {"FeedForward"}),
        ("transformer", "layer_norm", set()),
        ("tokenizers", "learn", {"count_pairs", "merge"}),
        ("tokenizers", "encode", {"encode_word", "merge"}),
        ("attention", "multi_head", {"masked_attention", "split_heads", "merge_heads"}),
        ("recurrent", "classifier", {"run", "lstm_step"}),
    ],
)
def test_the_assignments_of_the_course(slug, later, found):
    cells = read_cells(SOLUTIONS / slug / f"{slug}.ipynb")
    each = tasks(stated_plan(cells))
    code = [
        CodeCell(kind="learner", source=c.source, name=c.label or "")
        for c in cells
        if c.kind == "code" and not c.claims.get("grade")
    ]
    (place,) = [n for n, one in enumerate(each) if later in {cell.name for cell in one.cells}]
    assert set().union(*Dependencies(each, code).earlier(place).values()) == found
