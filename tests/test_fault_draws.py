"""Draws of faults: what is caught always, sometimes and never, and what so many draws say."""

import os

import fault_draws
import pytest
import task_cells
import torch
from fault_course import ADDITIONS, source_cell, write_source
from faults import edit, fill

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are forked")

LONG = 1e5  # seconds: no test here may end by the clock
CHANCE = """
import random

import torch

assert double(2) == 4
### BEGIN HIDDEN TESTS
rng = random.Random(torch.seed())
assert double(10 + rng.randrange(2)) in (20, 22), "10 or 11"
assert double(20 + torch.randint(4, (1,)).item()) < 47, "20 to 23"
### END HIDDEN TESTS
"""
# A fixed seed, and no chance in what follows.
FIXED = """
import torch

torch.manual_seed(3)
x = torch.randint(100, (1,)).item()
assert double(x) == 2 * x, f"{x}"
"""
ALWAYS = edit("always", "double", "", ("add(x, x)", "x"))
NEVER = edit("never", "double", "", ("add(x, x)", "x + x"))
HALF = edit("half", "double", "", ("add(x, x)", "0 if x == 11 else 2 * x"))
QUARTER = edit("quarter", "double", "", ("add(x, x)", "99 if x == 23 else 2 * x"))
BY_FIXED = edit("by a fixed seed", "double", "", ("add(x, x)", "0 if x > 30 else 2 * x"))


def _assignment(path, test):
    cell = source_cell(test, "test_double_more", grade=True, points=1)
    return task_cells.load(write_source(path, cell))


@pytest.fixture
def chancy(tmp_path):
    return _assignment(tmp_path / "chancy.ipynb", CHANCE)


def test_what_chance_decides_is_counted_and_what_it_does_not_is_certain(chancy):
    found = fault_draws.measure(chancy, [ALWAYS, HALF, QUARTER, NEVER, *ADDITIONS], 30, LONG)
    always, half, quarter, never, *added = found
    assert always.certain
    assert (always.draws, always.caught) == (2, 2)
    assert all(one.certain for one in added)
    assert [one.draws for one in (half, quarter, never)] == [30] * 3
    assert [one.rare for one in found] == [False, True, True, True, False, False]
    # Of 30 fair draws 6 to 24 but once in a thousand runs; the seeds are fixed.
    assert 6 <= half.caught <= 24
    assert 1 <= quarter.caught <= 16
    assert never.caught == 0
    assert not any(one.unclear for one in found)


def test_draws_are_the_same_in_each_run_and_differ_from_each_other(chancy):
    first, again = (fault_draws.measure(chancy, [HALF], 12, LONG)[0] for _ in range(2))
    assert first == again
    assert 0 < first.caught < 12


def test_a_fixed_seed_is_no_chance(tmp_path):
    assignment = _assignment(tmp_path / "fixed.ipynb", FIXED)
    (found,) = fault_draws.measure(assignment, [BY_FIXED], 10, LONG)
    assert torch.randint(100, (1,), generator=torch.Generator().manual_seed(3)).item() > 30
    assert (found.certain, found.draws, found.caught) == (True, 2, 2)


@pytest.mark.parametrize(
    "line", ["import secrets", "import random; random.Random()", "import time; time.time()"]
)
def test_what_no_generator_tells_of_is_drawn_again(tmp_path, line):
    assignment = _assignment(tmp_path / "unseen.ipynb", f"{line}\nassert double(9) == 18")
    late = edit("late", "double", "", ("add(x, x)", "0 if x == 9 else 2 * x"))
    (found,) = fault_draws.measure(assignment, [late], 5, LONG)
    assert (found.certain, found.draws, found.caught) == (False, 5, 5)


def test_no_draw_finds_what_another_one_left(tmp_path):
    kept = edit("kept", "double", "wrong from the second call on", (
        "    return add(x, x)", "    calls.append(x)\n    return 2 * x if len(calls) < 2 else 0"
    ), ("def double", "calls = []\n\n\ndef double"))  # fmt: skip
    assignment = task_cells.load(write_source(tmp_path / "state.ipynb"))
    assignment.tests["double"] = "assert double(2) == 4"
    (found,) = fault_draws.measure(assignment, [kept], 5, LONG)
    assert (found.draws, found.caught) == (5, 0)


def test_a_dead_process_and_an_endless_loop_are_told_apart_from_a_failed_test(chancy, monkeypatch):
    monkeypatch.setattr(fault_draws, "CPU_SECONDS", 1)
    endless = fill("endless", "double", "", "while True: pass")
    exits = fill("exits", "double", "", "import os\nos._exit(0)")
    for found in fault_draws.measure(chancy, [endless, exits], 50, LONG):
        assert (found.draws, found.caught, found.unclear) == (2, 2, 2), found.name


def test_an_answer_that_does_not_run_needs_no_draws(chancy):
    cell = edit("raises", "double", "", ("def double", "1 / 0\n\n\ndef double"))
    (found,) = fault_draws.measure(chancy, [cell], 50, LONG)
    assert (found.certain, found.draws) == (True, 2)


def test_no_time_means_no_draws_and_says_so(chancy):
    found = fault_draws.measure(chancy, [HALF, NEVER], 50, 0)
    assert [one.draws for one in found] == [0, 0]
    assert not any(one.rare for one in found)
    lines = fault_draws.summary(found, 50)
    assert lines[0] == ("2 of 2 faults have fewer than 50 draws, for time was over (the fewest: 0)")
    assert "in at least nothing of gradings" in lines[1]


def test_progress_counts_every_draw_that_need_not_be_done(chancy):
    counted = []
    fault_draws.measure(chancy, [ALWAYS, HALF], 8, LONG, counted.append)
    assert sum(counted) == 16


@pytest.mark.parametrize(
    ("caught", "draws", "bound"),
    [(100, 100, 0.9705), (299, 299, 0.99003), (10, 10, 0.7411), (0, 10, 0.0), (98, 100, 0.9384)],
)
def test_the_bound_is_that_of_clopper_and_pearson(caught, draws, bound):
    assert fault_draws.lower_bound(caught, draws) == pytest.approx(bound, abs=1e-4)


def test_the_table_names_what_is_left_to_chance(chancy):
    found = [
        fault_draws.Draws(name="always", task="double", draws=2, caught=2, certain=True),
        fault_draws.Draws(name="most", task="double", draws=100, caught=99),
        fault_draws.Draws(name="some", task="double", draws=100, caught=46, origin="blind"),
    ]
    lines = fault_draws.table("chancy", found)
    assert len(lines) == 2
    assert lines[0].startswith(
        "chancy: some  double  blind  caught in 46 of 100 draws: in at least 37"
    )
    assert lines[1] == (
        "chancy: 1 of 3 faults are caught without chance; 2 were drawn 100 times, 1 of them "
        "are caught in less than 99%"
    )
    assert fault_draws.summary(found, 100) == [
        "caught in all of 100 draws says: in at least 97.0% of gradings, with 95% confidence",
        "faults caught in less than 99% of draws: 1 of 3",
    ]
