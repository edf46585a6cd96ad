"""The seed of the suite, for helpers that no fixture reaches: LMCOURSE_TEST_SEED, 0 if not set."""

import os

import torch

SEED = int(os.environ.get("LMCOURSE_TEST_SEED", "0"))


def start(k: int = 0) -> None:
    """Sets torch's random numbers as they are at the start of a test; each k has others."""
    torch.manual_seed(SEED + 1000 * k)


def rng(k: int = 0) -> torch.Generator:
    """Random numbers of one's own, the same each time for one k."""
    return torch.Generator().manual_seed(SEED + 1000 * k)
