"""What the parts of tools/gpu.py have in common; it imports nothing that must be installed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What every check is told.

    Args:
        device: its name, such as cuda, mps or cpu.
        small: sizes that a CPU gets done in seconds.
        seconds: that are left for the part.
    """

    device: str
    small: bool
    seconds: float


# What a check found: numbers to tell; "ok": False if they are not as they must be.
Check = Callable[[], dict[str, Any]]
Checks = Iterator[tuple[str, Check]]


class NotHereError(Exception):
    """This machine lacks what the check is about; that is told, and is no failure."""
