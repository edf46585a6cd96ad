"""lmcourse.loop.interrupts: a signal waits for the end of the step; handlers come back."""

import os
import signal

import pytest

from lmcourse.loop.interrupts import deferred_signals


def test_ctrl_c_is_noted_the_second_one_raised_and_the_handlers_come_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with deferred_signals() as signals:
        assert signals == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals == [signal.SIGTERM]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_what_the_caller_ignores_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred_signals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
        assert signals == []
    finally:
        signal.signal(signal.SIGINT, before)


def test_torchrun_sends_its_own_signal_after_a_ctrl_c_which_stops_nothing(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with deferred_signals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert signals == [signal.SIGINT] * 2
