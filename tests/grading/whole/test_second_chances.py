"""Whatever ends a process, or stops the grader itself, costs only who did it: forced orders."""

import select
import signal

import pytest
from sandbox_processes import HOLD, SETUP, is_held, let_go, meanwhile, shown
from stopped_grader import StoppedGrader
from waiting import wait_until

from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.processes import Process

DOUBLE = "def f(x):\n    return x * 2"
TEST = "x = torch.randn(3)\nclose(f(x), x * 2, 'twice as much')"


def verdict(submission_run, test):
    return submission_run.run_test("t", test)


def death_in_the_middle(submission_run):
    """Ends the learner's process once it is held, and lets the next one go on."""
    first = submission_run._learner
    return meanwhile(
        lambda: wait_until(lambda: is_held(first)),
        lambda: signal.pidfd_send_signal(first._pidfd, signal.SIGKILL),
        lambda: wait_until(
            lambda: submission_run._learner is not first and is_held(submission_run._learner)
        ),
        lambda: let_go(submission_run._learner),
    )


def test_a_death_that_an_earlier_cell_left_behind_is_given_a_second_chance(submission_run):
    """The process is ended in the middle of a call; the call does not do that by itself."""
    submission_run.run_cell(f"def f(x):\n    {HOLD}\n    return 2 * x")
    with death_in_the_middle(submission_run):
        got = verdict(submission_run, TEST)
    assert (got.verdict, got.died) == ("passed", ""), got


def test_a_cell_is_given_a_second_chance_too(submission_run):
    """As if a thread of an earlier cell ended the process in the middle of this one."""
    submission_run.run_cell("n = 3")
    with death_in_the_middle(submission_run):
        ran = submission_run.run_cell(f"{HOLD}\nprint(n)")
    assert (ran.status, shown(ran)) == ("ok", "3\n")


def test_a_cell_that_ran_well_is_not_blamed_for_an_end_when_it_runs_again(
    submission_run, monkeypatch
):
    """In the next process an earlier cell ends it once more, while this one runs again."""
    submission_run.run_cell("import threading\nlock = threading.Lock()")
    submission_run.run_cell("n = len([3])")
    submission_run._end_learner()
    run, ends = submission_run._execute, [1]

    def ended_once(source, place, **options):
        if place == 2 and ends:
            source = f"import os; os._exit({ends.pop()})"
        return run(source, place, **options)

    monkeypatch.setattr(submission_run, "_execute", ended_once)
    assert shown(submission_run.run_cell("print(n)")) == "1\n"
    assert not ends


def test_a_judge_that_dies_before_a_cell_costs_that_cell_nothing(submission_run, monkeypatch):
    """It was there a moment ago; without it the learner's process ends as well."""
    submission_run.run_cell(DOUBLE)
    assert verdict(submission_run, TEST).verdict == "passed"
    run, judges = submission_run._execute, [submission_run._judge]

    def without_judge(source, place, **options):
        if judges:
            signal.pidfd_send_signal(judges.pop()._pidfd, signal.SIGKILL)
            wait_until(lambda: not submission_run._learner.alive)
        return run(source, place, **options)

    monkeypatch.setattr(submission_run, "_execute", without_judge)
    assert shown(submission_run.run_cell("n = 3\nprint(n)")) == "3\n"
    assert verdict(submission_run, TEST).verdict == "passed"
    assert shown(submission_run.run_cell("print(n)")) == "3\n"


def test_a_process_without_its_files_is_not_used(make_run, monkeypatch):
    submission_run = make_run(files={"a.txt": b"1", "b.txt": b"2"})
    ask, late = Process.ask, [1]

    def slow(self, head, *more):
        if head.get("name") == "b.txt" and late:
            late.pop()
            raise TimeoutError
        return ask(self, head, *more)

    monkeypatch.setattr(Process, "ask", slow)
    ran = submission_run.run_cell("print(open('a.txt').read())")
    assert (ran.status, ran.message) == ("unrun", "the files could not be placed: TimeoutError")
    assert shown(submission_run.run_cell("print(open('b.txt').read())")) == "2\n"


@pytest.mark.parametrize("meanwhile_done", [True, False])
@pytest.mark.parametrize("kind", ["cell", "test"])
def test_a_pause_of_the_grader_costs_nothing(make_run, monkeypatch, kind, meanwhile_done):
    """Of the grader alone, or of all that runs: then the answer comes only after it."""
    submission_run = make_run(Budgets(), wanted=frozenset({"f"}))
    submission_run.run_setup(SETUP)
    submission_run.run_cell(f"def f(x):\n    {HOLD}\n    return x * 2")
    assert verdict(submission_run, "assert True").verdict == "passed"  # a judge is there

    def run():
        if kind == "test":
            got = verdict(submission_run, TEST)
            return got.verdict, got.died
        ran = submission_run.run_cell("print(f(2))\nprint(' ' * 10**5)")
        after = submission_run.run_cell("print('next')")
        return ran.status, shown(ran)[:1], shown(after)

    learner, judge = submission_run._learner, submission_run._judge
    stopped = StoppedGrader(run, monkeypatch)
    wait_until(lambda: is_held(learner))
    stopped.stop()
    if meanwhile_done:
        let_go(learner)
        asked = judge if kind == "test" else learner
        wait_until(lambda: select.select([asked.channel], [], [], 0)[0])
    stopped.go_on(look=not meanwhile_done)
    if not meanwhile_done:
        let_go(learner)
    assert stopped.result() == (["passed", ""] if kind == "test" else ["ok", "4", "next\n"])
