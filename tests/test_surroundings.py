"""lmcourse.surroundings: dice, modes and handlers are afterwards as they were before."""

import contextlib
import os
import random
import signal

import numpy as np
import pytest
import torch

from lmcourse.surroundings import late_signals, own_dice, seed_all


def throw():
    return random.random(), float(np.random.rand()), torch.rand(1).item()


def test_the_same_words_give_the_same_dice_and_similar_words_others(unchecked):
    thrown = []
    for words in ("0 17 0", "0 17 1", "0 17 0", "0 18 0"):
        throw()
        seed_all(words)
        thrown.append(throw())
    assert thrown[0] == thrown[2]
    for one, two in ((0, 1), (0, 3), (1, 3)):
        assert all(a != b for a, b in zip(thrown[one], thrown[two], strict=True))


def test_the_dice_of_the_caller_go_on_undisturbed(unchecked):
    seed_all("before")
    expected = throw()
    seed_all("before")
    with contextlib.suppress(ZeroDivisionError), own_dice(torch.device("cpu")):
        seed_all("within")
        throw()
        raise ZeroDivisionError
    assert throw() == expected


def test_ctrl_c_is_noted_the_second_one_raised_and_the_handlers_come_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with late_signals() as asked:
        assert asked == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked == [signal.SIGTERM]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_what_the_caller_ignores_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with late_signals() as asked:
            os.kill(os.getpid(), signal.SIGINT)
        assert asked == []
    finally:
        signal.signal(signal.SIGINT, before)


def test_torchrun_sends_its_own_signal_after_a_ctrl_c_which_stops_nothing(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with late_signals() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert asked == [signal.SIGINT] * 2
