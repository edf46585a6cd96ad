"""Helpers of test cells: sizes that differ and coincide, and what a call must leave alone."""

import random

import numpy as np
import pytest
import torch

from lmcourse.grading.bridge import assertions, checklist
from lmcourse.grading.bridge.assertions import probe
from lmcourse.grading.bridge.checklist import (
    draws_anew,
    left_alone,
    second_call,
    sizes,
    turned,
)


def test_three_sizes_differ_coincide_and_are_one():
    torch.manual_seed(0)
    different, *others = sizes(3)
    a, b, c = different
    assert len({a, b, c}) == 3
    assert {a, b, c} <= {2, 3, 5, 7, 11}
    assert others == [(a, a, c), (a, b, a), (a, b, b), (1, b, c), (a, 1, c), (a, b, 1)]


def test_sizes_are_drawn_by_the_seed():
    drawn = []
    for seed in (0, 0, 1, 2, 3):
        torch.manual_seed(seed)
        drawn.append(sizes(2)[0])
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_one_size_is_one_or_not():
    assert len(sizes(1)) == 2
    assert sizes(1)[1] == (1,)
    assert len(sizes(5)) == 1 + 10 + 5


@pytest.mark.parametrize("count", [0, 6])
def test_so_many_sizes_there_are_not(count):
    with pytest.raises(ValueError, match=f"count must be from 1 to 5, got count={count}"):
        sizes(count)


def test_a_call_that_leaves_all_alone_gives_its_result():
    x = torch.tensor([1.0, float("nan"), 3.0])
    assert left_alone(lambda x, n: (x * n)[::2], x, n=2).tolist() == pytest.approx([2.0, 6.0])
    rows = [[1], "a", None, {"k": (2.5, True)}]
    assert left_alone(lambda rows: [*rows, 1], rows)[-1] == 1
    assert left_alone(lambda a: a.sum(), np.arange(3)) == 3  # exact: whole numbers


def _append(rows):
    rows.append(1)


def _deeper(rows):
    rows[1]["k"][0] = 9


def _fill(x):
    x.masked_fill_(x > 1, 0.0)


def _same_number(x):
    x[0] = x[0] + 1


def _reorder(table):
    table["a"] = table.pop("a")


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (_append, [2]),
        (_deeper, [1, {"k": [2]}]),
        (_fill, torch.tensor([1.0, 2.0])),
        (_same_number, np.array([1.0, 2.0])),
        (_reorder, {"a": 1, "b": 2}),
        (lambda x: x.unsqueeze_(0), torch.ones(2)),
    ],
)
def test_an_argument_that_changes_is_named(function, value):
    with pytest.raises(AssertionError, match=r"^x was changed in place, and belongs to the caller"):
        left_alone(lambda first, x: function(x), 0, value)
    with pytest.raises(AssertionError, match=r"^x was changed in place"):
        left_alone(lambda first, x: function(x), 0, x=value)
    with pytest.raises(AssertionError, match=r"^argument 2 was changed in place"):
        left_alone(lambda *given: function(given[1]), 0, value)


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("Python", lambda: random.random()),
        ("NumPy", lambda: np.random.rand()),
        ("PyTorch", lambda: torch.rand(1)),
    ],
)
def test_a_global_generator_that_moves_is_named(name, draw):
    with pytest.raises(AssertionError, match=f"The call moves {name}'s global random generator"):
        left_alone(draw)
    others = [other for other in checklist.GENERATORS if other != name]
    left_alone(draw, generators=others)


@pytest.mark.parametrize(
    ("name", "seed"),
    [("Python", random.seed), ("NumPy", np.random.seed), ("PyTorch", torch.manual_seed)],
)
def test_a_seed_set_once_more_is_named_and_leaves_nothing(name, seed):
    seed(0)
    state = torch.get_rng_state()  # Python's moves here with each type that the tests check
    with pytest.raises(AssertionError, match=f"The call moves {name}'s global random generator"):
        left_alone(lambda: seed(0) and None)
    assert torch.equal(torch.get_rng_state(), state)  # exact: put back


@pytest.mark.parametrize(
    ("name", "draw", "seed"),
    [
        ("Python", random.random, random.seed),
        ("NumPy", np.random.rand, np.random.seed),
        ("PyTorch", lambda: torch.rand(1), torch.manual_seed),
    ],
)
def test_a_generator_that_may_be_drawn_from_must_not_be_seeded(name, draw, seed):
    others = [other for other in checklist.GENERATORS if other != name]
    left_alone(lambda: draw() and None, generators=others)
    with pytest.raises(AssertionError, match=f"sets the seed of {name}'s global random generator"):
        left_alone(lambda: seed(3) and None, generators=others)


def test_functions_may_be_arguments_and_a_probe_what_is_called():
    def with_twice(x, function):
        return function(x) + 1

    assert left_alone(with_twice, 3, lambda x: 2 * x) == 7
    assert left_alone(with_twice, 3, function=abs) == 4

    @probe
    def first_of(function, rows, kind):
        return kind(function(rows)[0])

    assert left_alone(first_of, lambda rows: rows[1:], [[1], [2]], str) == "[2]"
    with pytest.raises(AssertionError, match=r"^rows was changed in place"):
        left_alone(first_of, lambda rows: rows.append(0) or rows, [[1], [2]], str)


def test_a_probe_around_another_takes_nothing_from_outside():
    @probe
    def outer(inner):
        return torch.get_rng_state()

    @probe
    def inner():
        return 1

    with pytest.raises(ValueError, match=r"no names from outside, got \['torch'\]"):
        assertions.probe_around(outer, inner)


def test_an_own_generator_is_nobody_s_concern():
    assert left_alone(lambda seed: random.Random(seed).randrange(10), 3) in range(10)
    left_alone(lambda: torch.rand(1, generator=torch.Generator().manual_seed(0)))


def test_a_generator_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"among Python, NumPy, PyTorch, got generators=\['JAX'\]"):
        left_alone(abs, 1, generators=["JAX"])


SETUP = "import random\nimport torch\nfrom lmcourse.grading.testing import close, left_alone, sizes"
TEST = """
for rows, columns in sizes(2):
    x = torch.randn(rows, columns)
    close(left_alone(f, x), 2 * x)
"""
ANSWERS = {
    "def f(x): return 2 * x": "",
    "def f(x): return x.mul_(2)": "x was changed in place",
    "def f(x): torch.rand(1); return 2 * x": "The call moves PyTorch's global random generator",
    "def f(x): random.random(); return 2 * x": "The call moves Python's global random generator",
    "def f(x): return 2 * x if x.shape[0] != x.shape[1] else x": "elements",
    "def f(x): return 2 * x.squeeze()": "shape",
    "def f(x): return no": "name 'no' is not defined",
}


OBJECTS = """
from lmcourse.grading.testing import probe

asked = []


def double(n):
    asked.append(n)
    return 2 * n


assert left_alone(apply, double, 4) == 9 and asked == [4]


@probe
def made(kind, rows):
    state = torch.get_rng_state()
    torch.manual_seed(5)
    torch.set_rng_state(state)
    return kind(rows).rows


assert left_alone(made, Box, [1, 2]) == [1, 2]
left_alone(drawn, generators=("Python", "NumPy"))
"""
BOX = "class Box:\n    def __init__(self, rows): self.rows = list(rows)\n"
APPLY = "def apply(function, n): return function(n) + 1\n"
DRAWN = "def drawn(): torch.rand(1)\n"
KINDS = {
    BOX + APPLY + DRAWN: "",
    BOX.replace("list(rows)", "rows.append(3)") + APPLY + DRAWN: "rows was changed in place",
    BOX + APPLY.replace(": ", ": torch.rand(1); ") + DRAWN: "The call moves PyTorch's",
    BOX + APPLY + DRAWN.replace("rand", "manual_seed"): "sets the seed of PyTorch's",
}


@pytest.mark.parametrize("answer", KINDS)
def test_objects_and_probes_work_across_the_bridge(make_run, answer):
    run = make_run(wanted=frozenset({"Box", "apply", "drawn"}))
    run.run_setup(SETUP)
    run.run_cell(answer)
    outcome = run.run_test("t", OBJECTS)
    assert outcome.verdict == ("failed" if KINDS[answer] else "passed"), outcome
    assert KINDS[answer] in outcome.message


def test_both_work_across_the_bridge(make_run):
    said = {}
    for answer in ANSWERS:
        run = make_run()
        run.run_setup(SETUP)
        run.run_cell(answer)
        outcome = run.run_test("t", TEST)
        said[answer] = outcome.message
        assert outcome.verdict == ("failed" if ANSWERS[answer] else "passed"), (answer, said)
    for answer, text in ANSWERS.items():
        assert text in said[answer], (answer, said[answer])


def _kept_by(key):
    """A function that keeps what it computed, under a key of its argument."""
    kept = {}

    def double(x):
        return kept.setdefault(key(x), [2 * one for one in x] if isinstance(x, list) else 2 * x)

    return double


@pytest.mark.parametrize(
    "key",
    [id, lambda x: x.shape, lambda x: x.data_ptr(), lambda x: float(x.sum())],
    ids=["object", "shape", "place", "values"],
)
def test_what_is_kept_of_a_call_shows_in_the_second(key):
    x = torch.tensor([1.0, 2.0, 4.0])
    assert second_call(lambda x: 2 * x, x).tolist() == pytest.approx([2.0, 4.0, 8.0])
    assert second_call(_kept_by(key), x).tolist() != pytest.approx([2.0, 4.0, 8.0])
    assert x.tolist() == pytest.approx([1.0, 2.0, 4.0])  # its own copies, and put back


def test_a_second_call_has_lists_and_named_arguments_and_parts_of_them():
    assert second_call(_kept_by(id), [1, 2]) != [2, 4]
    assert second_call(_kept_by(len), [1, 2]) != [2, 4]  # cleared by its caller
    table = {"rows": [torch.tensor([1.0, 3.0])]}

    def first_row(table, plus):
        return table["rows"][0] + plus

    assert second_call(first_row, table, plus=1).tolist() == pytest.approx([2.0, 4.0])


def test_what_cannot_be_overwritten_may_be_the_result_of_a_second_call():
    assert second_call(lambda n: torch.ones(1).expand(n), 3).tolist() == pytest.approx([1.0] * 3)
    assert second_call(lambda x: x, torch.arange(3)).tolist() == [0, 1, 2]


def test_a_result_that_comes_again_shows_between_the_calls():
    shared, known, x = torch.zeros(3), {}, torch.tensor([1.0, 2.0, 4.0])

    def one_buffer(x):
        return shared.copy_(2 * x)

    def by_numbers(x):
        return known.setdefault(tuple(x.tolist()), 2 * x)

    def in_inference_mode(x):
        with torch.inference_mode():
            return known.setdefault(("inference", *x.tolist()), 2 * x)

    def by_object(x):  # of which he gives out copies
        return known.setdefault(id(x), 2 * x).clone()

    for keeps in (one_buffer, by_numbers, in_inference_mode, by_object):
        assert second_call(keeps, x).tolist() != pytest.approx([2.0, 4.0, 8.0]), keeps.__name__


def test_tensors_are_turned_in_memory_and_no_number_is_another():
    x, n = torch.arange(24.0).reshape(2, 3, 4), torch.tensor(5.0)

    @probe
    def seen(x, named):
        inner = named["rows"][0]
        return x.clone(), inner.clone(), x.is_contiguous(), inner.is_contiguous(), named["n"]

    got, inner, *contiguous, five = turned(seen, x, named={"rows": [x[0, 0]], "n": n})
    assert contiguous == [False, False]
    torch.testing.assert_close((got, inner, five), (x, x[0, 0], n))
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        turned(lambda x: x.view(-1, 4), x)
    torch.testing.assert_close(turned(lambda x: x.reshape(-1, 4), x), x.reshape(-1, 4))


def _a_layer():
    layer = torch.nn.Linear(3, 4)
    return {"weight": layer.weight.detach(), "bias": torch.zeros(4)}


def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return _a_layer()


def _of_its_own():
    return {
        "weight": torch.rand(2, 3, generator=torch.Generator().manual_seed(random.getrandbits(40)))
    }


def _twice_the_same():
    weight = torch.rand(2, 3)
    return {"weight": weight, "again": weight.clone()}


def test_numbers_that_are_drawn_anew_come_back_and_zeros_need_not_be_drawn():
    state = torch.get_rng_state()
    found = draws_anew(_a_layer)
    torch.set_rng_state(state)
    torch.testing.assert_close(found, _a_layer())


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (_seeded, "weight starts with the same numbers each time"),
        (_of_its_own, "weight is another one although"),
        (_twice_the_same, "weight and again start equal"),
    ],
)
def test_numbers_that_are_not_drawn_anew_are_told(function, text):
    with pytest.raises(AssertionError, match=text):
        draws_anew(function)
