"""What one submission may spend (time, memory, processes, disk, words), and the clocks for it.

Chapter: book/instructors/sandbox.md
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

MIB = 1 << 20
GIB = 1 << 30
OUT_OF_TIME = "it ran out of time"
NOTEBOOK_BYTES = 20_000_000  # without its outputs
NOTEBOOK_FILE_BYTES = 100_000_000
NOTEBOOK_CELLS = 1_000
CELL_CHARS = 200_000


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """The defaults suit assignments whose tests take seconds; limits that never vary are in `wire`.

    Seconds are the processor's (`spent`).

    Threat: code that never ends, fills the memory or the disk, or talks without end.

    Args:
        cell_seconds: for one cell of the learner's.
        call_seconds: for one call of the learner's code by a test.
        test_seconds: for one test cell, with all its calls.
        total_seconds: for everything together, cells that are run again included.
        memory_bytes: for all processes of the submission together, beyond what Python and PyTorch
            take themselves.
        disk_bytes: for the files of the submission (they live in memory), and for one file.
        output_bytes: kept of what the cells print and show, in all.
        frames: messages between a test and the learner's code, for one test cell.
    """

    cell_seconds: float = 20.0
    call_seconds: float = 10.0
    test_seconds: float = 20.0
    total_seconds: float = 240.0
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


def spent(seconds: float, processor: float, clock: float) -> bool:
    """Whether code that may use `seconds` has had its time, by the processor or by the clock.

    Seconds are the processor's, so that a busy machine costs nobody points. Code that sleeps uses
    none: it is stopped when twice the seconds have passed. What waits and works by turns may take
    longer, the more of the time it works, up to ten times the seconds. There is no share at which
    this jumps: the same code works less of the time on a machine that is faster, or warm.

    Args:
        clock: without the seconds in which it wanted a processor and had none: that is no sleep.
    """
    at_work = min(1.0, processor / (_AT_WORK * clock)) if clock > 0 else 1.0
    return processor >= seconds or clock >= seconds * (_IDLE + (_AT_MOST - _IDLE) * at_work)


_IDLE, _AT_MOST = 2, 10  # times the seconds, by the clock
_AT_WORK = 0.05  # the share of the time from which on it has the most


class Deadline:
    """The earliest of several ends, so that a limit within a limit never adds to it.

    A shorter limit is never computed from what a longer one has left: it is given the longer one as
    `within`, and afterwards `used_up` of each says which of them it was.

    Its clock runs only while somebody waits, and counts of each wait no more than was asked for
    (`look`). So a pause – Ctrl-Z, a laptop that sleeps, a machine that is stopped – is nobody's
    time. Of a wait whose end was slept through, half counts: there is always another look, for the
    other side may have been stopped with us and go on only now.

    Args:
        seconds: by the clock, or, with `processor`, by the rule of `spent`.
        processor: tells how long the processor has worked for what is limited.
        starved: tells the seconds in which it wanted a processor and had none.
    """

    def __init__(
        self,
        seconds: float,
        within: "Deadline | None" = None,
        processor: Callable[[], float] | None = None,
        starved: Callable[[], float] | None = None,
    ):
        self._starved, self._starved_before = starved, starved() if starved else 0.0
        self._over = False
        self._seconds, self._within, self._processor = seconds, within, processor
        self._before = processor() if processor else 0.0
        self._clock, self._counted_at = 0.0, time.monotonic()
        self._asked = 0.0  # what is left of the wait that goes on

    def look(self, at_most: float = math.inf) -> float:
        """How long to wait until the next look, by the clock; zero or less when it has passed.

        Who asks waits from now on, for so long at most. Short waits make a pause cheap.
        """
        limits = [self]
        while limits[-1]._within is not None:
            limits.append(limits[-1]._within)
        wait = min(at_most, *(limit._left() for limit in limits))
        for limit in limits:
            limit._asked = max(0.0, wait)
        return wait

    @property
    def passed(self) -> bool:
        """Whether this or one that it is within is used up."""
        return self.used_up or (self._within is not None and self._within.passed)

    @property
    def used_up(self) -> bool:
        """Which of the limits it was."""
        return self._left() <= 0

    @property
    def clock(self) -> float:
        """The seconds of all waits so far."""
        now = time.monotonic()
        passed, self._counted_at = now - self._counted_at, now
        counted = min(passed, self._asked)
        if passed > self._asked + _LATE:
            counted /= 2
        self._asked = max(0.0, self._asked - passed)
        self._clock += counted
        return self._clock

    def _left(self) -> float:
        """How long to wait, as far as this limit alone is concerned."""
        used, clock = self._used()
        if self._processor is None:
            return self._seconds - clock
        # Once over, it stays so: of what came before one may hear later that it was starved.
        self._over = self._over or spent(self._seconds, used, clock)
        if self._over:
            return 0.0
        idle = _IDLE * self._seconds - clock
        return max(_TICK, min(self._seconds - used, idle if idle > 0 else _LOOK))

    def _used(self) -> tuple[float, float]:
        """The seconds used so far: the processor's, and the clock's but for those starved."""
        clock = self.clock
        if self._starved is not None:
            clock = max(0.0, clock - max(0.0, self._starved() - self._starved_before))
        return (self._processor() - self._before if self._processor else 0.0), clock


class SharedDeadline(Deadline):
    """A deadline for what we do by turns with a learner's code, which tells whose the time was.

    Args:
        theirs: tells the seconds that the learner's code has had so far, the processor's and those
            by the clock in which we waited for it.
    """

    def __init__(
        self,
        seconds: float,
        theirs: Callable[[], tuple[float, float]],
        within: Deadline | None = None,
        processor: Callable[[], float] | None = None,
        starved: Callable[[], float] | None = None,
    ):
        super().__init__(seconds, within, processor, starved)
        self._theirs, self._theirs_before = theirs, theirs()

    @property
    def theirs(self) -> bool:
        """Whether a tenth of it or more was the learner's, by the measure by which it passed."""
        used, clock = self._used()
        pairs = zip(self._theirs(), self._theirs_before, strict=True)
        worked, waited = (now - before for now, before in pairs)
        if used >= self._seconds:
            return worked >= _THEIRS * used
        return waited >= _THEIRS * clock


_THEIRS = 0.1  # the share of the time that the learner's code must have had to be at fault
_TICK = 0.05  # seconds: so often at most
_LOOK = 0.5  # where every moment could be the last
_LATE = 1.0  # so late that the end of a wait was slept through
_FRESH = 0.2  # a keeper that has written so short a time ago is not late


_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_USER, _CHILDREN, _AFTER = 11, 13, 15  # of the fields after the name: utime, cutime, and their end
STARTED = 19  # among the same fields


def own_and_childrens_seconds(fields: Sequence[bytes]) -> tuple[float, float]:
    """The processor's seconds of a process and its threads, and of its children that have ended.

    Args:
        fields: of `/proc/<pid>/stat`, those after the name.

    Raises:
        ValueError: they are something else.
    """
    own, children = (fields[_USER:_CHILDREN], fields[_CHILDREN:_AFTER])
    return sum(map(int, own)) / _TICKS, sum(map(int, children)) / _TICKS


def account(worked: float, starved: float, exceeded: bool) -> bytes:
    """What a keeper writes for `Meter`: always as long, so that no end of an older one is left."""
    return b"%015.2f %015.2f %d %015.2f" % (worked, starved, exceeded, time.monotonic())


def pid_of(pidfd: int) -> int | None:
    """The number of the process behind a pidfd; None where it has gone or the kernel is silent."""
    try:
        with open(f"/proc/self/fdinfo/{pidfd}") as file:
            facts = dict(line.split(":", 1) for line in file)
        pid = int(facts["Pid"])
    except (OSError, KeyError, ValueError):
        return None
    return pid if pid > 0 else None  # -1: it has gone; 0: of a namespace that is not seen from here


def starved_seconds(process: int | str = "self") -> float:
    """The seconds in which the main thread of a process wanted a processor and had none."""
    try:
        with open(f"/proc/{process}/schedstat", "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):  # this kernel does not tell
        return 0.0


class Meter:
    """Reads how long the processor has worked for a process and for all that it has started.

    The kernel's file `/proc/<pid>/stat` knows of its children only those that have ended. The
    keeper of its namespace (`keeper`) sees the living as well and keeps a second file. Both,
    once open, can be handed to a process in another sandbox: a judge sees how much its learner's
    process has worked without seeing the process.

    Args:
        descriptor: of that file.
        keepers: of the keeper's file (`account`). Both are closed with the meter.
    """

    def __init__(self, descriptor: int, keepers: int | None = None):
        self.descriptors = [descriptor, *([] if keepers is None else [keepers])]
        self._last, self._starved, self._exceeded = 0.0, 0.0, False

    @classmethod
    def of(cls, pidfd: int, keepers: int | None = None) -> "Meter | None":
        """That of the process behind a pidfd; None where it has gone or the kernel is silent.

        Then `keepers` is closed.
        """
        if (pid := pid_of(pidfd)) is not None:
            with contextlib.suppress(OSError):
                return cls(os.open(f"/proc/{pid}/stat", os.O_RDONLY), keepers)
        if keepers is not None:
            os.close(keepers)
        return None

    def seconds(self) -> float:
        """The processor's seconds for the process, its threads and its children.

        The children's are told twenty times a second. Of a process that has ended, the last that
        was seen.
        """
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = os.pread(self.descriptors[0], 4096, 0).rpartition(b")")[2].split()
            self._last = max(self._last, sum(own_and_childrens_seconds(fields)))
        self._read_account()
        return self._last

    def starved(self) -> float:
        """The seconds in which one of them wanted a processor and had none.

        Since its keeper has written for the last time is among them: it is late for the same
        reason. What it then writes takes the place of this.
        """
        written = self._read_account()
        late = 0.0 if written is None else time.monotonic() - written - _FRESH
        return self._starved + max(0.0, late)

    def exceeded(self) -> bool:
        """Whether the keeper has ended it, since it took too much memory."""
        self._read_account()
        return self._exceeded

    def _read_account(self) -> float | None:
        """When it was written; None if it cannot be read."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            worked, starved, exceeded, written = os.pread(self.descriptors[1], 64, 0).split()
            self._last = max(self._last, float(worked))
            self._starved = max(self._starved, float(starved))
            self._exceeded = exceeded == b"1"
            return float(written)
        return None

    def close(self) -> None:
        """Close the files; the last reading stays."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []
