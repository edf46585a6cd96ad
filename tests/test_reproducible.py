"""lmcourse.loop.reproducible: a step's random numbers are its own, and the caller's go on."""

import contextlib
import random

import numpy as np
import torch

from lmcourse.loop.reproducible import isolated_random_state, seed_all


def throw():
    return random.random(), float(np.random.rand()), torch.rand(1).item()


def test_the_same_words_give_the_same_numbers_and_similar_words_others(unchecked):
    thrown = []
    for words in ("0 17 0", "0 17 1", "0 17 0", "0 18 0"):
        throw()
        seed_all(words)
        thrown.append(throw())
    assert thrown[0] == thrown[2]
    for one, two in ((0, 1), (0, 3), (1, 3)):
        assert all(a != b for a, b in zip(thrown[one], thrown[two], strict=True))


def test_the_random_numbers_of_the_caller_go_on_undisturbed(unchecked):
    seed_all("before")
    expected = throw()
    seed_all("before")
    with contextlib.suppress(ZeroDivisionError), isolated_random_state(torch.device("cpu")):
        seed_all("within")
        throw()
        raise ZeroDivisionError
    assert throw() == expected
