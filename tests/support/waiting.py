"""Waiting for what must happen: the seconds are no claim, they only keep a test from hanging."""

import time
from collections.abc import Callable
from pathlib import Path


def wait_until(holds: Callable[[], object], seconds: float = 300.0) -> None:
    """Return when it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited {seconds:g} seconds in vain"
        time.sleep(0.02)


def has_ended(pid: int) -> bool:
    """Whether a process has gone, or is only waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
