"""Random numbers that a submission cannot foresee and a grader can draw again.

Chapter: book/instructors/sandbox.md

Threat: forks of one process share their random state, so one submission could tell the next what a
test will ask. Each test of each submission draws from a seed of its own, made from the course
secret; nobody without the secret can compute it, and a disputed result can be repeated. For that
the system's own randomness must be silent where tests run (`replace_system_randomness`).
"""

import hashlib
import hmac
import os
import random
from collections.abc import Callable


def seed_for(secret: bytes, *labels: str) -> int:
    """A seed of 63 bits: the start of HMAC-SHA256 over the labels.

    Raises:
        ValueError: the secret is empty.
    """
    if not secret:
        raise ValueError("secret must not be empty, got secret=b''")
    text = "\0".join(labels).encode("utf-8", "backslashreplace")
    return int.from_bytes(hmac.digest(secret, text, "sha256")[:8]) >> 1


def reseed(seed: int) -> None:
    """Put Python's, NumPy's and PyTorch's generators into the state of one seed."""
    import numpy as np  # here, so that the grader's own process need not load them
    import torch

    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)


def replace_system_randomness() -> Callable[[int], None]:
    """In this process, what would come from the system follows from a seed; returns what sets it.

    `os.urandom` and all that draws from it in Python: `secrets`, `SystemRandom`, `uuid4`, NumPy's
    generators without a seed. Python's and PyTorch's own, in C, ask the system past it, so that
    those get a seed here where they were given none.
    """
    import torch

    system = _System()
    os.urandom = random._urandom = system.draw
    if hasattr(os, "getrandom"):  # on Linux
        os.getrandom = lambda size, flags=0: system.draw(size)
    seeded = random.Random.seed

    def seed(self: random.Random, a: object = None, version: int = 2) -> None:
        seeded(self, system.draw(32) if a is None else a, version)

    random.Random.seed = seed
    random.seed = random._inst.seed

    class Generator(torch.Generator):
        def seed(self) -> int:
            drawn = int.from_bytes(system.draw(8)) >> 1
            self.manual_seed(drawn)
            return drawn

    torch.Generator = Generator
    # A test that asks for other inputs has them: they are recorded ones.
    torch.seed = torch.random.seed = torch.initial_seed
    return system.restart


class _System:
    """Bytes without end that follow from a seed."""

    def __init__(self) -> None:
        self.restart(0)

    def restart(self, seed: int) -> None:
        self._start, self._drawn = seed.to_bytes(8), 0

    def draw(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(self._start + self._drawn.to_bytes(8)).digest(size)


def hash_seed(secret: bytes, label: str) -> str:
    """For `PYTHONHASHSEED`: the order in which a process goes through a set of texts."""
    return str(seed_for(secret, "hash", label) % (1 << 32))
