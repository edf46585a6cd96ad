"""Random numbers that depend on the seed and the step alone, and leave those of the caller alone.

Chapter: book/training.md
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_all(words: str) -> None:
    """Seeds all generators by these words: what is drawn then depends on nothing before it.

    A training seeds each step by its number. So there are no random states to save, and a step
    comes out the same in a run that was killed before it and went on.
    """
    number = random.Random(words).getrandbits(63)  # similar words, quite different numbers
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.manual_seed(number)


@contextmanager
def isolated_random_state(device: torch.device) -> Iterator[None]:
    """Whatever is drawn or seeded within, the caller's random numbers go on undisturbed."""
    states = random.getstate(), np.random.get_state()
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices, device_type="cuda"):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
