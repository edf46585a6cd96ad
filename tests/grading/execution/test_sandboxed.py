"""What the learner's code does costs its own test; what goes wrong with us costs nobody a point."""

import contextlib
import signal
import time

import pytest
from sandbox_processes import SETUP, SMALL, meanwhile, shown
from waiting import wait_until

from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.seeds import seed_for

DOUBLE = "def f(x):\n    return x * 2"
TEST = "x = torch.randn(3)\nclose(f(x), x * 2, 'twice as much')"


def verdict(submission_run, test, name="t"):
    return submission_run.run_test(name, test)


def test_right_code_passes(submission_run):
    submission_run.run_cell(DOUBLE)
    got = verdict(submission_run, TEST)
    assert (got.verdict, got.fraction, got.died) == ("passed", 1.0, ""), got


def test_wrong_code_fails_with_the_hint_and_the_line(submission_run):
    submission_run.run_cell("def f(x): return x * 3")
    got = verdict(submission_run, TEST)
    assert (got.verdict, got.fraction, got.line) == ("failed", 0.0, 2)
    assert got.said.startswith("twice as much")


def test_warnings_and_prints_cost_nothing(submission_run):
    submission_run.run_cell(
        "import sys, warnings\ndef f(x):\n    warnings.warn('hm')\n"
        "    print('note'); print('!', file=sys.stderr)\n"
        "    return x * 2"
    )
    assert verdict(submission_run, TEST).verdict == "passed"


def test_what_is_not_defined_is_named(submission_run):
    submission_run.run_cell("raise ValueError('no f for you')")
    got = verdict(submission_run, TEST)
    assert got.verdict == "failed"
    assert got.said == "`f` is not defined: its cell is missing or raised an error"


def test_a_test_that_stumbles_over_odd_data_asks_for_a_person_unless_the_reference_passed(
    make_run,
):
    for proven, outcome in [(frozenset(), "ungraded"), (frozenset({"t"}), "failed")]:
        submission_run = make_run(proven=proven)
        submission_run.run_setup(SETUP)
        submission_run.run_cell("def f(x): return 'no tensor'")
        got = verdict(submission_run, "assert f(1).shape == (2,)")
        assert (got.verdict, got.kind) == (outcome, "AttributeError")


@pytest.mark.parametrize(
    "fault",
    [
        "import os\nos._exit(0)",
        "import ctypes\nctypes.string_at(0)",
        "f(object())",
        "f(type)",
        "from lmcourse.grading.bridge import proxies\nproxies.Link._send = None\nf(1)",
        "from lmcourse.grading.bridge import proxies\nproxies.frames = None\nf(1)",
        "import lmcourse.grading.bridge.judge as j\nj._verdict = None\nf(1) / 0",
        "raise SystemExit",
        "raise KeyboardInterrupt",
        "x = [bytes(1 << 28) for _ in range(100)]",
        "@probe\ndef p(x):\n    return nowhere(x)\np(1)",
        "def helper(x): return x\n@probe\ndef p(x):\n    return helper(x)\np(1)",
        "print(nowhere)",
        "if",
    ],
)
def test_a_fault_of_ours_is_never_a_zero(submission_run, fault):
    submission_run.run_cell(DOUBLE)
    got = verdict(submission_run, fault)
    assert (got.verdict, got.fraction) == ("ungraded", 0.0), got
    assert verdict(submission_run, TEST).verdict == "passed"  # and it costs no other test


def test_a_locked_cell_that_fails_in_the_judge_is_never_a_zero(make_run):
    submission_run = make_run()
    submission_run.run_setup("import no_such_module")
    submission_run.run_cell(DOUBLE)
    got = verdict(submission_run, TEST)
    assert got.verdict == "ungraded"
    assert "a locked cell does not run in the judge" in got.said


def test_an_endless_call_costs_its_test_and_no_other(submission_run):
    submission_run.run_cell("def f(x):\n    while True: pass")
    submission_run.run_cell("def g(x): return x")
    before = submission_run._work()
    got = verdict(submission_run, TEST)
    assert (got.verdict, got.died) == ("failed", "it ran out of time")
    assert submission_run._work() - before < SMALL.call_seconds + 1.5
    assert verdict(submission_run, "assert g(3) == 3").verdict == "passed"


@pytest.mark.parametrize(
    "end", ["import os; os._exit(0)", "exit()", "import ctypes; ctypes.string_at(0)"]
)
def test_a_call_that_ends_the_process_costs_its_test_and_no_other(submission_run, end):
    submission_run.run_cell(f"def f(x):\n    {end}\ndef g(x): return x")
    got = verdict(submission_run, TEST)
    assert got.verdict == "failed"
    assert got.said == "your code did not answer: the process with your code ended"
    assert verdict(submission_run, "assert g(3) == 3").verdict == "passed"


@pytest.mark.parametrize(
    "killer", ["import os; os._exit(1)", "exit()", "import os; os.kill(os.getpid(), 9); os.abort()"]
)
def test_a_cell_that_ends_the_process_twice_is_not_run_again(submission_run, killer):
    submission_run.run_cell(DOUBLE)
    assert submission_run.run_cell(killer).status == "died"
    assert submission_run.run_cell("print('on')").status == "ok"
    assert verdict(submission_run, TEST).verdict == "passed"


EXAMPLES = {
    "an endless one": "print('before')\nwhile True: pass",
    "one that does not listen": "while True:\n    try:\n        while True: pass\n"
    "    except BaseException: pass",
    "one that ends the process": "import os; os._exit(1)",
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_right_answer_with_a_bad_example_below_it_is_there_in_the_next_process(make_run, example):
    submission_run = make_run(proven=frozenset({"t"}))
    submission_run.run_setup(SETUP)
    submission_run.run_cell(f"{DOUBLE}\n{EXAMPLES[example]}")
    submission_run.run_cell("import os; os._exit(1)")
    got = verdict(submission_run, TEST)
    assert got.verdict == "passed", got


def test_a_loop_is_interrupted_and_what_it_did_is_kept(submission_run):
    ran = submission_run.run_cell("n = 1\nprint('before')\nwhile True: pass")
    assert ran.status == "timeout"
    assert shown(ran) == "before\n"
    assert shown(submission_run.run_cell("print(n)")) == "1\n"


def test_a_loop_that_does_not_listen_is_ended(submission_run):
    submission_run.run_cell(DOUBLE)
    before = submission_run._work()
    ran = submission_run.run_cell(
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    )
    assert ran.status == "timeout"
    assert submission_run._work() - before < SMALL.cell_seconds + 3
    assert verdict(submission_run, TEST).verdict == "passed"


@contextlib.contextmanager
def held_up(submission_run, seconds):
    """Let the learner's process wait, as on a machine that has no processor for it.

    Not before it has worked for a while: on a machine that is slow in earnest it would count as
    asleep.
    """
    learner = submission_run._learner
    already = learner.worked()
    with meanwhile(
        lambda: wait_until(lambda: learner.worked() - already >= WORK_SECONDS - 0.3),
        lambda: signal.pidfd_send_signal(learner._pidfd, signal.SIGSTOP),
        lambda: time.sleep(seconds),
        lambda: signal.pidfd_send_signal(learner._pidfd, signal.SIGCONT),
    ):
        yield


WORK_SECONDS = 1.5
WORK = (
    f"import time\nend = time.process_time() + {WORK_SECONDS}\n"
    "while time.process_time() < end: pass"
)


def test_a_busy_machine_costs_a_cell_nothing(submission_run):
    submission_run.run_cell("1")
    with held_up(submission_run, SMALL.cell_seconds + 0.5):
        assert submission_run.run_cell(WORK).status == "ok"


def test_a_busy_machine_costs_a_test_nothing(submission_run):
    indented = WORK.replace("\n", "\n    ")
    submission_run.run_cell(f"def f(x):\n    {indented}\n    return 2 * x")
    verdict(submission_run, "assert True")  # a judge is there
    with held_up(submission_run, SMALL.call_seconds + 0.5):
        assert verdict(submission_run, TEST).verdict == "passed"


def test_a_submission_has_one_budget_of_time(make_run):
    submission_run = make_run(Budgets(cell_seconds=5.0, total_seconds=2.0))
    submission_run.run_setup(SETUP)
    submission_run.run_cell(DOUBLE)
    ran = submission_run.run_cell(
        "import time; time.sleep(10**6)"
    )  # it ends: the clock stops what sleeps
    assert (ran.status, ran.message) == ("timeout", "the notebook used up its 2 seconds")
    got = verdict(submission_run, TEST)
    assert (got.verdict, got.said) == ("ungraded", "the notebook used up its 2 seconds")
    assert submission_run.run_cell("1").status == "unrun"


def test_a_test_that_the_submission_s_own_limit_cuts_short_fails_nobody(make_run):
    """Its call had used neither its own seconds nor the test's."""
    submission_run = make_run(Budgets(total_seconds=2.0), proven=frozenset({"t"}))
    submission_run.run_setup(SETUP)
    submission_run.run_cell(f"def f(x):\n    while True: pass\n{WORK}")
    got = verdict(submission_run, TEST)
    assert (got.verdict, got.said) == ("ungraded", "the notebook used up its 2 seconds"), got


def test_a_long_wait_takes_nothing_from_what_a_later_test_may_use(make_run):
    """The clock is far beyond twice the submission's seconds, its work far from them."""
    submission_run = make_run(Budgets(total_seconds=7.0))
    submission_run.run_setup(SETUP)
    indented = WORK.replace("\n", "\n    ")
    submission_run.run_cell(f"{WORK}\ndef f(x):\n    {indented}\n    return 2 * x")
    verdict(submission_run, "assert True")  # a judge is there
    submission_run._deadline._clock += 14
    assert submission_run.run_cell(WORK).status == "ok"
    assert verdict(submission_run, TEST).verdict == "passed"


def test_part_of_the_points_can_be_awarded_by_the_test_only(submission_run):
    submission_run.run_cell(
        DOUBLE + "\nfrom lmcourse.grading import testing\ntesting.award(1.0)\n"
        "import sys; sys.displayhook(2.0)"
    )
    got = verdict(submission_run, "award(0.25)\nclose(f(torch.ones(1)), torch.tensor([2.0]))")
    assert (got.verdict, got.fraction) == ("passed", 0.25)
    assert verdict(submission_run, "award(0.25)\nassert False").fraction == 0.0
    assert verdict(submission_run, TEST).fraction == 1.0  # an award does not outlast its test


def test_the_same_secret_draws_the_same_inputs_and_another_does_not(make_run):
    def drawn(secret, who):
        submission_run = make_run(seed=lambda name: seed_for(secret, who, name))
        submission_run.run_setup(SETUP)
        submission_run.run_cell("seen = []\ndef f(x):\n    seen.append(x.tolist()); return x * 2")
        # `torch.seed()` gives a test other inputs on every run; here they are recorded ones.
        test = "torch.seed()\nimport random\nx = torch.randn(2)\nclose(f(x + random.random()), x)"
        message = verdict(submission_run, test).said
        return message, shown(submission_run.run_cell("print(seen)"))

    first = drawn(b"secret", "ada")
    assert drawn(b"secret", "ada") == first
    assert drawn(b"other", "ada") != first
    assert drawn(b"secret", "bob") != first


DRAWS = [
    "os.urandom(8)",
    "os.getrandom(8)",
    "secrets.token_hex()",
    "secrets.SystemRandom().sample(range(10**9), 3)",
    "str(uuid.uuid4())",
    "random.Random().random()",
    "(random.seed(), random.random())[1]",
    "numpy.random.default_rng().random()",
    "numpy.random.RandomState().rand()",
    "(numpy.random.seed(), numpy.random.rand())[1]",
    "torch.Generator().seed()",
    "torch.seed()",
    "(torch.random.seed(), torch.rand(()).item())[1]",
]


def test_no_randomness_of_the_system_reaches_a_test(make_run):
    """Other inputs for another seed; for the same one, the same, in another process as well."""
    test = "import os, random, secrets, uuid, numpy\n" + "".join(f"f({draw})\n" for draw in DRAWS)

    def drawn(secret):
        submission_run = make_run(seed=lambda name: seed_for(secret, name))
        submission_run.run_setup(SETUP)
        submission_run.run_cell("seen = []\ndef f(x):\n    seen.append(x)")
        assert verdict(submission_run, test).verdict == "passed"
        assert verdict(submission_run, test).verdict == "passed"
        lines = shown(submission_run.run_cell("print(*seen, sep='\\n')")).splitlines()
        assert len(lines) == 2 * len(DRAWS)
        return dict(zip(2 * DRAWS, zip(lines, lines[len(DRAWS) :], strict=False), strict=False))

    first, again, other = drawn(b"secret"), drawn(b"secret"), drawn(b"other")
    for draw in DRAWS:
        assert first[draw] == again[draw], draw
        assert first[draw][0] == first[draw][1], draw  # whatever was drawn before
        assert first[draw] != other[draw], draw


def test_two_submissions_draw_different_numbers_of_their_own(make_run):
    draw = "import random, numpy, torch\nprint(random.random(), numpy.random.rand(), torch.rand(1))"
    assert shown(make_run().run_cell(draw)) != shown(make_run().run_cell(draw))


def test_test_cells_and_their_inputs_leave_nothing_with_the_learner(submission_run):
    # The mark is put together here, so that the search itself does not hold it.
    submission_run.run_cell(DOUBLE)
    test = (
        "### BEGIN HIDDEN TESTS\nsecret_mark = 'XYZZY' + 'PLUGH'\n"
        "close(f(torch.ones(1)), torch.ones(1) * 2, 'XYZZYPLUGH')\n"
    )
    assert verdict(submission_run, test).verdict == "passed"
    ran = submission_run.run_cell(
        "mark = ''.join(map(chr, [88, 89, 90, 90, 89])).encode()\nfound = []\n"
        "for line in open('/proc/self/maps'):\n"
        "    span, mode, *_ = line.split()\n"
        "    if 'r' not in mode or 'vvar' in line or 'vsyscall' in line: continue\n"
        "    low, high = (int(x, 16) for x in span.split('-'))\n"
        "    try:\n"
        "        with open('/proc/self/mem', 'rb') as memory:\n"
        "            memory.seek(low); part = memory.read(high - low)\n"
        "    except (OSError, ValueError, MemoryError): continue\n"
        "    start = part.find(mark + b'PLU' + b'GH')\n"
        "    if start >= 0: found.append(part[start - 40:start + 40])\n"
        "seen = any('HIDDEN' in cell for cell in In[:-1])\n"
        "print(len(found), found[:1], 'secret_mark' in globals(), seen)"
    )
    assert shown(ran) == "0 [] False False\n", shown(ran)
