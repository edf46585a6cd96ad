"""What one submission may spend: time, memory, processes, disk and words, all in one place.

Chapter: book/instructors/sandbox.md
"""

import math
import time
from dataclasses import dataclass, fields

MIB = 1 << 20
GIB = 1 << 30
OUT_OF_TIME = "it ran out of time"


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """The defaults suit assignments whose tests take seconds; limits that never vary are in `wire`.

    Threat: code that never ends, fills the memory or the disk, or talks without end.

    Args:
        cell_seconds: for one cell of the learner's.
        call_seconds: for one call of the learner's code by a test.
        test_seconds: for one test cell, with all its calls.
        submission_seconds: for everything together, cells that are run again included.
        memory_bytes: for all processes of the submission together, beyond what Python and PyTorch
            take themselves.
        disk_bytes: for the files of the submission (they live in memory), and for one file.
        output_bytes: kept of what the cells print and show, in all.
        frames: messages between a test and the learner's code, for one test cell.
    """

    cell_seconds: float = 20.0
    call_seconds: float = 10.0
    test_seconds: float = 20.0
    submission_seconds: float = 240.0
    memory_bytes: int = 2 * GIB
    disk_bytes: int = 64 * MIB
    processes: int = 32
    open_files: int = 128
    output_bytes: int = 1 * MIB
    frames: int = 100_000

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not 0 < value < math.inf:
                raise ValueError(
                    f"{item.name} must be positive and finite, got {item.name}={value}"
                )


class Deadline:
    """The earliest of several ends, so that a limit within a limit never adds to it."""

    def __init__(self, seconds: float, within: "Deadline | None" = None):
        end = time.monotonic() + seconds
        self._end = end if within is None else min(end, within._end)

    @property
    def left(self) -> float:
        """The seconds that remain; zero or less when it has passed."""
        return self._end - time.monotonic()

    @property
    def passed(self) -> bool:
        return self.left <= 0
