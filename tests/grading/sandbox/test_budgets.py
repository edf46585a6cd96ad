"""Seconds are the processor's: what works is measured, what sleeps still ends."""

import errno
import itertools
import os
import subprocess
import sys

import pytest

from lmcourse.grading.sandbox import budgets
from lmcourse.grading.sandbox.budgets import Budgets, Deadline, Meter, pid_of, spent


@pytest.mark.parametrize(
    ("processor", "clock", "over"),
    [
        (1.0, 1.0, False),  # alone on the machine, half way
        (2.0, 2.0, True),  # the loop that never ends
        (1.0, 15.0, False),  # one of fifteen processes on a core
        (0.0, 3.9, False),
        (0.0, 4.0, True),  # asleep
        (1.9, 20.0, True),  # awake now and then
        (0.22, 4.0, False),  # slow, but at work
    ],
)
def test_time_is_up_by_work_or_by_waiting(processor, clock, over):
    assert spent(2.0, processor, clock) is over


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = worked = 0.0

    monkeypatch.setattr(budgets.time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_deadline_by_the_processor_waits_for_a_busy_machine(clock):
    deadline = Deadline(2.0, processor=lambda: clock.worked)
    assert deadline.look() == 2.0
    clock.now, clock.worked = 2.0, 0.5
    assert deadline.look() == 1.5
    clock.now = 3.5
    assert deadline.look() == 0.5  # then it would have slept for twice its seconds
    clock.now = 4.0
    assert deadline.look() == 0.5
    clock.worked = 2.0
    assert deadline.passed


def test_a_deadline_by_the_processor_ends_what_sleeps(clock):
    deadline = Deadline(2.0, processor=lambda: clock.worked)
    for clock.now in (0.0, 2.0, 3.99):
        assert not deadline.passed
        assert deadline.look() > 0
    assert deadline.look() <= 0.1
    clock.now = 4.04
    assert deadline.passed


def test_who_waits_for_a_processor_does_not_sleep(clock):
    """Others have the processor: for a hundred times its seconds it did not come to its turn."""
    clock.starved = 5.0  # before
    deadline = Deadline(2.0, processor=lambda: clock.worked, starved=lambda: clock.starved)
    deadline._clock, clock.worked, clock.starved = 200.0, 0.1, 204.4
    assert not deadline.passed
    deadline._clock = 207.3  # now it sleeps, after a tenth of a second of work
    assert not deadline.passed
    deadline._clock = 207.5
    assert deadline.passed


def test_what_is_over_stays_over(clock):
    """A keeper that comes late tells of more seconds without a processor than it seemed."""
    clock.starved = 0.0
    deadline = Deadline(2.0, processor=lambda: clock.worked, starved=lambda: clock.starved)
    deadline._clock = 4.5
    assert deadline.passed
    clock.starved = 3.0
    assert deadline.passed
    assert deadline.used_up


def test_a_meter_reads_its_keepers_account(clock):
    account = os.memfd_create("account")
    meter = Meter(os.open(os.devnull, os.O_RDONLY), account)
    assert (meter.seconds(), meter.starved(), meter.exceeded()) == (0.0, 0.0, False)  # exact: none
    os.pwrite(account, budgets.account(1.5, 20.25, False), 0)
    assert (meter.seconds(), meter.starved()) == pytest.approx((1.5, 20.25))
    clock.now = 3.2  # the keeper gets no processor, nor do those whom it watches
    assert (meter.seconds(), meter.starved()) == pytest.approx((1.5, 23.25))
    os.pwrite(account, budgets.account(2.5, 21.0, True), 0)
    assert meter.exceeded()
    meter.close()
    assert (meter.seconds(), meter.starved()) == pytest.approx((2.5, 21.0))  # the last ones stay
    assert meter.exceeded()


def test_a_deadline_within_another_never_outlives_it(clock):
    outer = Deadline(1.0)
    inner = Deadline(5.0, within=outer, processor=lambda: clock.worked)
    assert inner.look() == 1.0
    clock.now = 1.0
    assert inner.passed
    assert (inner.used_up, outer.used_up) == (False, True)


PAUSE = 10_000.0


@pytest.mark.parametrize("at_work", [True, False])
def test_a_pause_in_a_wait_is_nobodys_time(clock, at_work):
    """Ten of them, as long as one likes; afterwards it has its time as before."""
    outer = Deadline(40.0, processor=lambda: clock.worked)
    deadline = Deadline(20.0, within=outer, processor=lambda: clock.worked)
    for _ in range(10):
        clock.now += deadline.look(1.0) + PAUSE
        clock.worked += 0.5 if at_work else 0.0
        assert not deadline.passed
    assert deadline.clock <= 10.0
    assert deadline.look() >= 15.0


def test_what_is_no_wait_is_nobodys_time(clock):
    """To start a process, say: it may take as long as it takes."""
    deadline = Deadline(1.0)
    clock.now += PAUSE
    assert not deadline.passed
    clock.now += deadline.look()
    clock.now += PAUSE
    assert deadline.clock <= 1.0


def test_after_a_wait_that_was_slept_through_there_is_another_look(clock):
    """The other side may have been stopped too, a moment before it would have answered."""
    deadline = Deadline(2.0, processor=lambda: clock.worked)
    clock.now += deadline.look()
    assert deadline.clock == 2.0
    clock.now += deadline.look() + PAUSE  # the last of its seconds
    assert deadline.look() > 0.5
    for _ in range(20):  # it ends nevertheless
        clock.now += deadline.look() + PAUSE
    assert deadline.passed


def test_a_meter_counts_work_and_not_sleep():
    """It lies between what the process itself says before and afterwards; sleep is in neither."""
    code = """
import time
while time.process_time() < 0.3: pass
time.sleep(0.5)
print(time.process_time(), flush=True)
input()
print(time.process_time(), flush=True)
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        pidfd = os.pidfd_open(process.pid)
        meter = Meter.of(pidfd)
        low = float(process.stdout.readline())
        worked = meter.seconds()
        process.stdin.write("\n")
        process.stdin.flush()
        high = float(process.stdout.readline())
        assert low - 0.05 <= worked <= high + 0.05  # it is told in ticks
        process.wait()
        assert meter.seconds() >= worked  # the last reading stays
        meter.close()
        os.close(pidfd)


def test_a_meter_of_nothing_is_none():
    with open(os.devnull) as file:
        assert Meter.of(file.fileno()) is None


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_a_budget_must_be_positive_and_finite(value):
    with pytest.raises(ValueError, match=r"call_seconds must be positive and finite, got call"):
        Budgets(call_seconds=value)


@pytest.fixture
def gone():
    """What is left of a process that has ended, and for which somebody has waited."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pidfd = os.pidfd_open(process.pid)
    yield pidfd
    os.close(pidfd)


def test_a_process_that_has_gone_has_no_number(gone):
    assert pid_of(gone) is None
    here = os.pidfd_open(os.getpid())
    assert pid_of(here) == os.getpid()
    os.close(here)


def test_of_who_has_gone_there_is_no_meter_and_its_keepers_file_is_closed(gone):
    account = os.memfd_create("account")
    assert Meter.of(gone, account) is None
    with pytest.raises(OSError) as caught:  # noqa: PT011 - what it says is the system's affair
        os.fstat(account)
    assert caught.value.errno == errno.EBADF


# How long 0.5 seconds of work take, 1 ms or so at a time with a sleep of 10 ms in between.
BURSTS = {"on a slow machine": 0.0008, "on a machine twice as fast": 0.0004}


@pytest.mark.parametrize("speed", BURSTS)
def test_what_waits_and_works_by_turns_is_not_idle_because_its_machine_is_fast(clock, speed):
    deadline = Deadline(3.0, processor=lambda: clock.worked)
    while clock.worked < 0.5:
        deadline.look(0.5)
        clock.worked += BURSTS[speed]
        clock.now += BURSTS[speed] + 0.0101
        assert not deadline.passed, (clock.now, clock.worked)


def test_a_little_less_work_is_a_little_less_time():
    """No share of work at which the time that is left jumps from all to almost none."""

    def lasts(share):
        return next(n / 10 for n in range(1, 1000) if spent(2.0, share * n / 10, n / 10))

    shares = [n / 1000 for n in range(100)]
    ends = [lasts(share) for share in shares]
    assert (ends[0], max(ends)) == (4.0, 20.0)
    steps = [abs(late - soon) for soon, late in itertools.pairwise(ends)]
    assert max(steps) <= 0.5
