"""Which names cells bind for all, and which a learner's cell has of tests alone."""

import pytest

from lmcourse.grading.assignment.global_names import global_names, of_tests_alone
from lmcourse.grading.assignment.plan import CodeCell


@pytest.mark.parametrize(
    ("source", "bound", "read"),
    [
        ("import re", {"re"}, set()),
        ("import a.b as c, d.e\nfrom f import g as h", {"c", "d", "h"}, set()),
        ("x = y", {"x"}, {"y"}),
        ("for k in xs: pass\nwith a as b: pass", {"k", "b"}, {"xs", "a"}),
        ("def f(x, *, y=z):\n    t = x + y\n    return g(t)", {"f"}, {"z", "g"}),
        ("def f():\n    global made\n    made = 1", {"f", "made"}, set()),
        ("def f():\n    x = 1\n    def g(): return x\n    return g", {"f"}, set()),
        ("class A(B):\n    c = d\n    def m(self): return e", {"A"}, {"B", "d", "e"}),
        ("f = lambda x: x + y", {"f"}, {"y"}),
        ("z = [i * w for i in v]", {"z"}, {"w", "v"}),
        ("%%time\nx = y\n!pip install z", {"x"}, {"y"}),
    ],
)
def test_names_of_a_cell(source, bound, read):
    found = global_names(source)
    assert (found.bound, found.read - found.bound) == (bound, read)


@pytest.mark.parametrize("source", ["x = !ls", "def f(:", "from torch import *", "x = '\0'"])
def test_of_some_cells_nothing_is_known(source):
    assert global_names(source) is None


def borrowed(answer, *others, test="import re\nseen = []\nassert f('a')"):
    cells = [*others, ("learner", answer), ("test", test)]
    return of_tests_alone(CodeCell(kind=kind, source=source) for kind, source in cells)[-2]


def test_names_that_only_a_test_binds_are_found():
    assert borrowed("def f(x): return re.match(x, x)") == {"re"}
    assert borrowed("def f(x):\n    def g(): return seen\n    return g") == {"seen"}


@pytest.mark.parametrize(
    ("answer", "others"),
    [
        ("def f(x):\n    import re\n    return re.match(x, x)", []),
        ("import re\ndef f(x): return re.match(x, x)", []),
        ("def f(x): return re.match(x, x)", [("setup", "import re")]),
        ("def f(x): return re.match(x, x)", [("learner", "%%time\nimport re")]),
        ("def f(x): return re.match(x, x)", [("learner", "from regex import *")]),
        ("def f(x): return re.match(x, x)", [("learner", "files = !ls")]),
        ("def f(seen): return seen", []),
        ("def f(x): return unknown(x)", []),
    ],
)
def test_names_from_elsewhere_are_not(answer, others):
    assert borrowed(answer, *others) == set()


def test_names_that_python_has_anyway_are_not():
    test = "sum = 3\ndisplay = print\nassert f([1])"
    assert borrowed("def f(x): return display(sum(x))", test=test) == set()


def test_a_test_that_cannot_be_read_binds_nothing():
    assert borrowed("def f(x): return re", test="import re\nassert (") == set()
