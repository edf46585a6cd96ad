"""An error costs the points of its own task, and no others, whatever the answer is."""

import textwrap
from collections import Counter
from dataclasses import replace

import pytest
from attacks import authors_version
from chained_course import MARK, POINTS, WRONG, spec, submission

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.execution import carried_forward
from lmcourse.grading.execution.carried_forward import to_repeat
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.execution.warm_servers import WarmServers
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED, TestOutcome
from lmcourse.grading.sandbox.bubblewrap import SandboxError
from lmcourse.grading.sandbox.budgets import Budgets

ALL = [f"test_{name}" for name in POINTS]


@pytest.fixture(scope="module")
def warm_servers():
    with WarmServers(spec()) as warm_servers:
        yield warm_servers


@pytest.fixture
def graded(warm_servers):
    """What became of each test, with these answers in the place of right ones."""

    def run(extra=(), **answers):
        cells = submission(**answers)
        for before, cell in extra:
            place = [one.name for one in cells].index(before)
            cells.insert(place, cell)
        results = warm_servers.grade("ada/chained", cells)
        pairs = zip(cells, results, strict=True)
        return {cell.name: r for cell, r in pairs if isinstance(r, TestOutcome)}

    return run


def failed(outcomes):
    return [name.removeprefix("test_") for name, o in outcomes.items() if o.verdict != PASSED]


@pytest.mark.parametrize(
    ("wrong", "later", "named"),
    [
        ("scale", "norm", "`scale` of Task 1"),
        ("layer", "block", "`Layer` of Task 3"),
        ("stack", "reverse", "`Stack` of Task 5"),
    ],
)
def test_a_wrong_answer_costs_its_own_points_alone(graded, wrong, later, named):
    got = graded(**{wrong: WRONG[wrong]})
    assert failed(got) == [wrong], got
    assert got[f"test_{later}"].carried.startswith(f"Graded with the author's {named} in the place")
    assert got[f"test_{later}"].fraction == 1.0  # exact: all points
    assert not any(o.carried for name, o in got.items() if name != f"test_{later}")


@pytest.mark.parametrize("text", ["", "def scale(x, by)\n    return", "raise NotImplementedError"])
def test_so_does_one_that_is_not_there(graded, text):
    assert failed(graded(scale=text)) == ["scale"]


def test_a_wrong_answer_after_a_wrong_one_is_told_what_is_its_own(graded):
    norm = "def norm(x):\n    return scale(x, 2).square().sum()"
    got = graded(scale=WRONG["scale"], norm=norm)
    assert failed(got) == ["scale", "norm"]
    assert "Twice (3, 4) is 10 long" in got["test_norm"].message
    assert "(100.0 vs. 10.0)" in got["test_norm"].message or "100" in got["test_norm"].message
    assert got["test_norm"].carried.endswith("what is said here is about this answer alone.")


def test_an_answer_that_needs_no_help_gets_none(graded, monkeypatch):
    def refuse(*args):
        raise AssertionError("nothing failed that builds on another task")

    monkeypatch.setattr(carried_forward, "repeat", refuse)
    own = "def norm(x):\n    return 2 * x.square().sum().sqrt()"
    assert failed(graded(scale=WRONG["scale"], norm=own)) == ["scale"]
    assert failed(graded()) == []
    assert failed(graded(reverse="def reverse(items): return items")) == ["reverse"]


def test_names_that_are_taken_early_are_the_authors_too(graded):
    """A default, a base class: what is bound while the cells run."""
    norm = "def norm(x, larger=scale):\n    return larger(x, 2).square().sum().sqrt()"
    assert failed(graded(scale=WRONG["scale"], norm=norm)) == ["scale"]
    block = (
        "class Block(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"
        "        class Inner(Layer):\n            def forward(self, x):\n"
        "                return super().forward(x) + x\n"
        "        self.layer = Inner(n)\n    def forward(self, x):\n        return self.layer(x)"
    )
    assert failed(graded(layer=WRONG["layer"], block=block)) == ["layer"]


def test_the_learners_own_trials_run_as_before(graded):
    """In cells no test asks, and the learner's own version does what it did."""
    trial = CodeCell(kind="learner", source="assert scale(1, 1) == 2\nready = True")
    norm = "def norm(x):\n    assert ready\n    return scale(x, 2).square().sum().sqrt()"
    assert failed(graded([("norm", trial)], scale=WRONG["scale"], norm=norm)) == ["scale"]


def test_what_has_no_substitute_is_graded_as_before_and_the_reason_is_said():
    lazy = {
        "scale": "def scale(x, by):\n    for one in x:\n        yield one * by",
        "norm": "def norm(x): return torch.stack([*scale(x, 2)]).square().sum().sqrt()",
    }
    one = spec(reference=submission(**lazy))
    mine = submission(scale=WRONG["scale"], norm=lazy["norm"].replace("sqrt", "exp"))
    with WarmServers(one) as warm_servers:
        results = warm_servers.grade("ada/chained", mine)
    got = {c.name: r for c, r in zip(mine, results, strict=True) if isinstance(r, TestOutcome)}
    assert got["test_norm"].verdict == FAILED
    assert got["test_norm"].carried.startswith("This answer builds on `scale` of Task 1")
    assert got["test_norm"].carried.endswith("instead: it gives its values one at a time.")


def test_a_process_that_ended_is_brought_back_with_the_authors_version(graded):
    dead = (
        "class Block(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"
        "        self.layer = Layer(n)\n        __import__('os')._exit(1)"
    )
    got = graded(layer=WRONG["layer"], block=dead, stack=WRONG["stack"])
    assert failed(got) == ["layer", "block", "stack"]
    assert got["test_reverse"].carried.startswith("Graded with the author's `Stack` of Task 5")
    assert got["test_block"].carried == ""


def test_a_loop_of_calls_to_it_ends_with_the_seconds_of_the_test(graded, warm_servers, monkeypatch):
    budgets = Budgets(call_seconds=0.3, test_seconds=0.5)  # small: a loop takes all of them, twice
    monkeypatch.setattr(warm_servers, "_spec", spec(budgets=budgets))
    endless = "def norm(x):\n    while True:\n        scale(x, 2)"
    got = graded(scale=WRONG["scale"], norm=endless, layer=WRONG["layer"])
    assert failed(got) == ["scale", "norm", "layer"]
    assert got["test_norm"].carried == ""
    assert got["test_block"].carried.startswith("Graded with the author's `Layer` of Task 3")


def test_a_second_try_without_the_authors_version_does_not_count(graded):
    """An answer that is right every other time, by what it finds in the process."""
    norm = (
        "def norm(x):\n    again = 'substit' + 'utes' in str(In)\n"
        "    if again: return 2 * x.square().sum().sqrt()\n"
        "    return scale(x, 2) if len(x) == 5 else x"
    )
    got = graded(scale=WRONG["scale"], norm=norm)
    assert failed(got) == ["scale", "norm"]
    assert got["test_norm"].carried == ""


def test_where_there_is_no_second_run_a_person_decides(graded, monkeypatch):
    def refuse(*args, **options):
        raise SandboxError("no process is left")

    monkeypatch.setattr("lmcourse.grading.execution.warm_servers.SecondRun", refuse)
    got = graded(scale=WRONG["scale"], stack=WRONG["stack"])
    undecided = [name for name, outcome in got.items() if outcome.verdict == UNGRADED]
    assert undecided == ["test_norm", "test_reverse"]
    assert got["test_norm"].message.endswith("the author's version of that: no process is left")


def test_the_same_seed_gives_the_same_again(graded):
    first, second = (graded(stack=WRONG["stack"]) for _ in range(2))
    assert {n: o.kept() for n, o in first.items()} == {n: o.kept() for n, o in second.items()}
    seeds = Counter(outcome.seed for outcome in first.values())
    assert max(seeds.values()) == 1
    assert first["test_reverse"].seed == graded()["test_reverse"].seed


def test_the_authors_version_gives_its_own_task_no_point(graded):
    """Handed in wrong on purpose, to answer with what the author's version says."""
    oracle = textwrap.dedent("""
        def scale(x, by):
            from lmcourse.grading.bridge import substitutes
            try:
                return substitutes._call({"name": "scale"}, (x, by), {})
            except BaseException:
                return x + by
    """)
    got = graded(scale=oracle)
    assert failed(got) == ["scale"]
    assert got["test_scale"].verdict == FAILED
    assert "3 times 1 is 3" in got["test_scale"].message  # its question was answered: with a no


@pytest.mark.parametrize("attack", authors_version.AUTHORS_VERSION)
def test_an_attack_learns_nothing_of_the_authors_version_but_values(graded, attack):
    got = graded(scale=WRONG["scale"], norm=authors_version.source(attack))
    assert failed(got) == ["scale", "norm"]
    outcome = got["test_norm"]
    assert outcome.carried.startswith("Graded with the author's `scale` of Task 1"), outcome
    assert "got: []" in outcome.message
    assert MARK not in str(got)


def test_only_failures_after_a_failure_are_repeated():
    def repeated(cells=None, **verdicts):
        cells = cells or submission()
        results = [
            TestOutcome(verdict=verdicts.get(cell.name, PASSED), fraction=1.0)
            if cell.kind == "test"
            else CellResult(status="ok")
            for cell in cells
        ]
        return to_repeat(cells, results, spec().plan)

    assert repeated() == {}
    assert repeated(test_norm=FAILED) == {}
    assert repeated(test_scale=FAILED, test_block=FAILED) == {}
    assert repeated(test_scale=FAILED, test_norm=FAILED) == {"test_norm": {0: {"scale"}}}
    assert repeated(test_scale="ungraded", test_norm=FAILED) == {"test_norm": {0: {"scale"}}}
    assert repeated(test_scale=FAILED, test_norm="ungraded") == {}
    blank = submission(norm="def norm(x): raise NotImplementedError")
    assert repeated(blank, test_scale=FAILED, test_norm=FAILED) == {}
    elsewhere = [*submission(norm=""), CodeCell(kind="learner", source="norm = lambda x: scale(x)")]
    assert repeated(elsewhere, test_scale=FAILED, test_norm=FAILED) == {"test_norm": {0: {"scale"}}}


def test_a_task_of_several_tests_holds_if_all_of_them_do():
    """One missed edge of an answer is an error that later ones may share."""
    plan = []
    for planned in spec().plan:
        plan.append(planned)
        if planned.name in ("test_scale", "test_norm"):
            plan.append(replace(planned, name=f"{planned.name}_edges"))
    cells = []
    for cell in submission():
        cells.append(cell)
        if cell.name in ("test_scale", "test_norm"):
            cells.append(replace(cell, name=f"{cell.name}_edges"))

    def repeated(**verdicts):
        results = [
            TestOutcome(verdict=verdicts.get(cell.name, PASSED), fraction=1.0)
            if cell.kind == "test"
            else CellResult(status="ok")
            for cell in cells
        ]
        return to_repeat(cells, results, plan)

    assert repeated(test_scale_edges=FAILED, test_norm=FAILED) == {"test_norm": {0: {"scale"}}}
    assert repeated(test_scale=FAILED, test_scale_edges=FAILED) == {}
    assert [*repeated(test_scale=FAILED, test_norm=FAILED, test_norm_edges=FAILED)] == [
        "test_norm",
        "test_norm_edges",
    ]
