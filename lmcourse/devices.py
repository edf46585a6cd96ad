"""Where tensors live: the one place that chooses a device.

Chapter: book/setup.md
"""

import os

import torch

VARIABLE = "LMCOURSE_DEVICE"


def default_device() -> torch.device:
    """The device that models and batches go to: LMCOURSE_DEVICE if set, else a GPU, else the CPU.

    Raises:
        ValueError: LMCOURSE_DEVICE names a device that PyTorch does not know or cannot reach here.
    """
    if wanted := os.environ.get(VARIABLE):
        return _reachable(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def choose(name: str | None) -> None:
    """From now on this device, or, if None, the one that is default here; it must be reachable.

    Raises:
        ValueError: as for `default_device`.
    """
    if name is not None:
        os.environ[VARIABLE] = name
    default_device()


def _reachable(name: str) -> torch.device:
    hint = f"{VARIABLE} must name a device that PyTorch can reach, got {VARIABLE}={name!r}"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{hint}: {reason}; unset it or use 'cpu'") from error
    return device
