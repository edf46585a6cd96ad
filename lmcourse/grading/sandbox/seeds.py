"""Random numbers that a submission cannot foresee and a grader can draw again.

Chapter: book/instructors/sandbox.md

Threat: forks of one process share their random state, so one submission could tell the next what a
test will ask. Each test of each submission draws from a seed of its own, made from the course
secret; nobody without the secret can compute it, and a disputed result can be repeated.
"""

import hmac
import random


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
