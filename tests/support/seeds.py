"""The seed of the suite, for helpers that no fixture reaches: LMCOURSE_TEST_SEED, 0 if not set.

And numbers of a test's own, which hypothesis or the test itself gives a seed.
"""

import os

import torch

SEED = int(os.environ.get("LMCOURSE_TEST_SEED", "0"))


def start(k: int = 0) -> None:
    """Sets torch's random numbers as they are at the start of a test; each k has others."""
    torch.manual_seed(SEED + 1000 * k)


def rng(k: int = 0) -> torch.Generator:
    """Random numbers of one's own, the same each time for one k."""
    return torch.Generator().manual_seed(SEED + 1000 * k)


def normal(*shape, seed, device="cpu", dtype=torch.float32):
    """Normal numbers, the same ones of a seed on every device and in every type."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device, dtype)
