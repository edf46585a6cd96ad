"""Seconds are the processor's: what works is measured, what sleeps still ends."""

import os
import subprocess
import sys

import pytest

from lmcourse.grading.sandbox import budgets
from lmcourse.grading.sandbox.budgets import Budgets, Deadline, Meter, spent


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
    assert deadline.next_look == 2.0
    clock.now, clock.worked = 3.0, 0.5
    assert deadline.next_look == 1.0  # then it would have slept for twice its seconds
    clock.now = 9.0
    assert deadline.next_look == 0.5
    clock.worked = 2.0
    assert deadline.passed


def test_a_deadline_by_the_processor_ends_what_sleeps(clock):
    deadline = Deadline(2.0, processor=lambda: clock.worked)
    clock.now = 3.99
    assert 0 < deadline.next_look <= 0.1
    clock.now = 4.0
    assert deadline.passed


def test_a_deadline_within_another_never_outlives_it(clock):
    outer = Deadline(1.0)
    inner = Deadline(5.0, within=outer, processor=lambda: clock.worked)
    assert inner.next_look == 1.0
    clock.now = 1.0
    assert inner.passed


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
