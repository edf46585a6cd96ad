"""What surrounds a training: random numbers, the model's mode, Ctrl-C; afterwards all is as before.

Chapter: book/training.md
"""

import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from lmcourse import distributed
from lmcourse.modes import mode as mode


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C, or a request to end: the step was finished, and saved if there is a folder."""


def seed_all(words: str) -> None:
    """Sets all dice by these words: what falls then depends on nothing that came before.

    A training seeds each step by its number. So there are no random states to save, and a step
    comes out the same in a run that was killed before it and went on.
    """
    number = random.Random(words).getrandbits(63)  # similar words, quite different numbers
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.manual_seed(number)


@contextmanager
def own_dice(device: torch.device) -> Iterator[None]:
    """Whatever is drawn or seeded within, the caller's random numbers go on undisturbed."""
    states = random.getstate(), np.random.get_state()
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices, device_type="cuda"):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextmanager
def late_signals() -> Iterator[list[int]]:
    """A list that Ctrl-C (or a request to end) is noted in, so that a step can be finished first.

    A second Ctrl-C stops at once, as ever; but not under torchrun, which sends its own after it.
    """
    asked: list[int] = []

    def note(number: int, frame: object) -> None:
        if asked and number == signal.SIGINT and distributed.n_processes() == 1:
            raise KeyboardInterrupt
        asked.append(number)

    before = {}
    # Only the main thread may set handlers; what the caller ignores stays ignored.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
