"""A learner's object is used as usual, and no default of Python's stands for an answer."""

import textwrap
from dataclasses import replace

import pytest
from sandbox_processes import SETUP, SMALL

from lmcourse.grading.sandbox.budgets import Budgets

THING = """
class Thing:
    def __init__(self, n): self.n = n; self.items = {}
    def __call__(self, x): return x * self.n
    def __len__(self): return self.n
    def __getitem__(self, i):
        if isinstance(i, str): return self.items[i]
        if not 0 <= i < self.n: raise IndexError(i)
        return i * 10
    def __setitem__(self, k, v): self.items[k] = v
    def __contains__(self, x): return x == 7
    def same(self): return self
    def hand(self, function): return function(self)
    def twice(self, function): return [function(1), function(2)]
    def stream(self):
        yield from range(self.n)
    def forever(self):
        while True: yield 1
class Module(torch.nn.Module):
    pass
def f(thing): return thing.n
def g(*args, **kwargs): return args, kwargs
def answer(function, x): return function(x)
"""

WORKS = {
    "state and attributes": """
        t = Thing(3)
        assert t.n == 3
        t.n = 5
        assert t.n == 5 and t(2) == 10
    """,
    "length, items, membership": """
        t = Thing(3)
        assert len(t) == 3 and t[2] == 20 and 7 in t and 8 not in t
        t['a'] = torch.ones(2)
        close(t['a'], torch.ones(2))
    """,
    "iteration over items": """
        assert list(Thing(3)) == [0, 10, 20]
    """,
    "a generator": """
        assert list(Thing(4).stream()) == [0, 1, 2, 3]
    """,
    "some of a generator without end": """
        import itertools
        assert list(itertools.islice(Thing(1).forever(), 3)) == [1] * 3
    """,
    "an object given back": """
        t = Thing(3)
        assert f(t) == 3 and f(t.same()) == 3 and t.same().same().n == 3
    """,
    "an index error": """
        with raises(IndexError):
            Thing(3)[3]
    """,
    "a missing attribute": """
        assert not hasattr(Thing(3), 'nothing')
    """,
    "a data loader of the test's own": """
        batches = list(torch.utils.data.DataLoader(Thing(5), batch_size=2))
        assert [b.tolist() for b in batches] == [[0, 10], [20, 30], [40]]
    """,
    "kinds of data": """
        more = [[1], (2,), {3}, {'k': 4}, torch.float32, slice(1), range(3)]
        args, kwargs = g(1, 2.5, 'x', b'y', None, True, *more, key=...)
        assert args == (1, 2.5, 'x', b'y', None, True, *more)
        assert kwargs == {'key': ...}
    """,
    "a callback": """
        asked = []
        def model(x):
            asked.append(x)
            return x + 1
        assert Thing(1).twice(model) == [2, 3] and asked == [1, 2]
    """,
    "a callback that asks the learner": """
        t = Thing(10)
        assert t.twice(lambda x: t(x) + Thing(2)(x)) == [12, 24]
    """,
    "a callback's error": """
        def bad(x): raise KeyError('mine')
        with raises(KeyError, 'mine'):
            Thing(1).twice(bad)
    """,
    "a callback that comes back": """
        def mine(x): return x
        (back,), _ = g(mine)
        assert back is mine
    """,
    "a callback's name": """
        def mine(x): return x
        assert Thing(1).twice(lambda x: mine(x)) == [1, 2]
    """,
    "a callback that takes objects": """
        from lmcourse.grading.testing import takes_objects
        seen = []
        @takes_objects
        def look(x):
            seen.append(x.n)
        Thing(7).hand(look)
        assert seen == [7]
    """,
    "a method that takes objects": """
        from lmcourse.grading.testing import takes_objects
        class Watcher:
            @takes_objects
            def look(self, x): self.n = x.n
        watcher = Watcher()
        Thing(7).hand(watcher.look)
        assert watcher.n == 7
    """,
    "a callback that is called with a callback": """
        def one(x): return x + 1
        def outer(function): return function(4)
        assert answer(outer, one) == 5
    """,
}


SWALLOWS = """
def f(read):
    for start in range(10):
        try:
            return read(start)
        except AssertionError as error:
            said.append(str(error))
said = []
def g(): return said
"""
OTHER_ERROR = """
def f(read):
    try:
        read(0)
    except AssertionError:
        raise ValueError("mine") from None
"""
READS = """
def read(start):
    assert start == 3, "it is at 3"
    return start
"""


@pytest.mark.parametrize(
    ("cell", "test"),
    [
        (SWALLOWS, "assert f(read) == 3"),
        (SWALLOWS, "try:\n    f(read)\nexcept AssertionError:\n    pass"),
        (OTHER_ERROR, "with raises(ValueError, 'mine'):\n    f(read)"),
        ("def f(read):\n    try: read(0)\n    finally: raise KeyError", "f(read)"),
        (SWALLOWS, "with raises(AssertionError, 'at 3'):\n    f(read)"),
        (SWALLOWS, "assert [f(lambda start: f(read))] == [3]"),
        (SWALLOWS, "@probe\ndef p(f, read):\n    return f(read)\nassert p(f, read) == 3"),
    ],
)
def test_an_assertion_that_fails_in_a_callback_ends_the_test(submission_run, cell, test):
    submission_run.run_cell(cell)
    got = submission_run.run_test("t", READS + test)
    assert (got.verdict, got.said.partition("\n")[0]) == ("failed", "it is at 3"), got
    # Not the next one, and what it said has stayed with the judge.
    got = submission_run.run_test("t", "assert not any('3' in x for x in g())")
    assert got.verdict == "passed" or "def g" not in cell, got


def test_an_assertion_of_the_learners_own_may_be_caught(submission_run):
    submission_run.run_cell(
        "def f(read):\n    try: read(1)\n    except AssertionError as error: return str(error)\n"
        "def g(x): raise AssertionError('mine')"
    )
    got = submission_run.run_test("t", "assert f(lambda x: g(x)) == 'mine'")
    assert got.verdict == "passed", got


def test_a_callback_does_not_tell_its_name_or_what_its_errors_say(submission_run):
    submission_run.run_cell(
        "def f(function):\n"
        "    try: function()\n"
        "    except TypeError as error: return repr(function), function.__name__, str(error)"
    )
    got = submission_run.run_test(
        "t",
        "def right_one(x): return x\n"
        "def other(x): return x\n"
        "said = f(right_one)\n"
        "assert 'right_one' not in ''.join(said), said\n"
        "assert said[1:] == f(other)[1:], said",
    )
    assert got.verdict == "passed", got


def test_the_learner_reads_what_an_error_in_a_callback_said(submission_run):
    submission_run.run_cell("def f(table): return table(12)")
    got = submission_run.run_test("t", "f(lambda n: [1, 2, 3][n])")
    assert (got.verdict, got.kind) == ("failed", "IndexError")
    assert got.said == "list index out of range"


LIAR = """
class Both:
    n = 0
    def tolist(self): return [7]
def f(read): return read(Both())
def g(read):
    try: read(Both())
    except TypeError as error: return str(error)
"""


def test_a_callback_gets_data_and_no_object_that_can_change_its_mind(submission_run):
    submission_run.run_cell(LIAR)
    got = submission_run.run_test("t", "asked = []\nf(lambda x: asked.append(x.tolist()))")
    said = "an object of type Both, where plain data must stand"
    assert (got.verdict, got.kind) == ("failed", "TypeError")
    assert got.said == f"a function that the test passed in was called with {said}"
    got = submission_run.run_test("t", "asked = []\ng(asked.append)\nassert asked == []")
    assert got.verdict == "passed", got


@pytest.mark.parametrize("name", WORKS)
def test_used_as_usual(submission_run, name):
    submission_run.run_cell(THING)
    got = submission_run.run_test("t", textwrap.dedent(WORKS[name]))
    assert got.verdict == "passed", got


@pytest.mark.parametrize(
    "use",
    [
        *("t == 1", "t != 1", "1 == t", "t < 1", "not t", "bool(t)", "float(t)", "int(t)", "t + 1"),
        *("1 - t", "t @ t", "-t", "abs(t)", "f'{t}'", "str(t)", "t in [1]", "torch.ones(1) == t"),
        *("__import__('copy').copy(t)", "__import__('copy').deepcopy(t)", "hash(t)", "{t}"),
        *("[0][t]", "round(t)", "t & t", "__import__('pickle').dumps(t)", "sorted([t, t])"),
    ],
)
def test_what_is_no_message_to_the_object_is_refused(submission_run, use):
    submission_run.run_cell(THING)
    got = submission_run.run_test("t", f"t = Thing(1)\n{use}")
    assert got.verdict in ("failed", "ungraded")
    assert got.verdict == "failed" or got.kind == "TypeError", got


def test_an_object_is_no_tensor_and_close_says_so(submission_run):
    submission_run.run_cell(THING)
    got = submission_run.run_test("t", "close(Thing(1), torch.ones(1), 'a hint')")
    assert got.verdict == "failed"
    assert got.said.startswith("expected an object of type Tensor, got")


def test_an_endless_answer_ends(make_run):
    submission_run = make_run(
        replace(SMALL, test_seconds=2.0, frames=10**9)
    )  # time is up before frames
    submission_run.run_setup(SETUP)
    submission_run.run_cell(THING)
    got = submission_run.run_test("t", "for x in Thing(1).forever(): pass")
    assert (got.verdict, got.died) == ("failed", "it ran out of time")


def test_a_function_of_an_earlier_test_cannot_be_called_any_more(submission_run):
    submission_run.run_cell(
        THING + "\nkept = []\ndef answer(x):\n    kept.append(x)\n    return kept[0](5)"
    )
    first = "asked = []\nassert answer(lambda x: asked.append(x)) is None"
    assert submission_run.run_test("t", first).verdict == "passed"
    second = "with raises(LookupError, 'no such function'):\n    answer(lambda x: 1)\n"
    got = submission_run.run_test("t", second + "assert asked == [5]")
    assert got.verdict == "passed", got


def test_only_what_the_release_asks_for_is_the_learners(submission_run):
    submission_run.run_cell("close = raises = torch = helper = 5\ndef f(x): return x")
    assert (
        submission_run.run_test("t", "close(f(torch.ones(1)), torch.ones(1))").verdict == "passed"
    )
    assert submission_run.run_test("t", "helper").verdict == "ungraded"


def test_the_learners_names_are_those_of_now(submission_run):
    submission_run.run_cell("answer = 1")
    assert submission_run.run_test("t", "assert answer == 1").verdict == "passed"
    submission_run.run_cell("answer = 2")
    assert submission_run.run_test("t", "assert answer == 2").verdict == "passed"
    submission_run.run_cell("del answer")
    assert submission_run.run_test("t", "assert answer == 2").verdict == "failed"


def test_ten_thousand_calls_stay_within_their_frames(make_run):
    submission_run = make_run(Budgets(frames=50))
    submission_run.run_setup(SETUP)
    submission_run.run_cell("def f(x): return x")
    got = submission_run.run_test("t", "for i in range(100): f(i)")
    assert got.said == "your code did not answer: your code sent too many messages"
