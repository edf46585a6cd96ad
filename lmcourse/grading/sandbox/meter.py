"""How long the processor has worked for a process and for all that it has started.

Chapter: book/instructors/sandbox.md

The kernel keeps a file about the process, which knows of its children only those that have ended.
The keeper of its namespace (`forkserver`) sees the living as well and keeps a second file. Both,
once open, can be handed to a process in another sandbox: a judge sees how much its learner's
process has worked without seeing the process.
"""

import contextlib
import os

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_USER, _CHILDREN = 11, 15  # of the fields after the name: utime, stime, cutime, cstime


def worked(stat: bytes) -> float:
    """The processor's seconds of a process, its threads and its children that have ended.

    Args:
        stat: what `/proc/<pid>/stat` says.

    Raises:
        ValueError: it says something else.
    """
    return sum(map(int, stat.rpartition(b")")[2].split()[_USER:_CHILDREN])) / _TICKS


class Meter:
    """Reads `/proc/<pid>/stat`, and what the keeper has counted.

    Args:
        descriptor: of that file.
        keepers: of the keeper's file, in which stands the number of seconds. Both are closed with
            the meter.
    """

    def __init__(self, descriptor: int, keepers: int | None = None):
        self.descriptors = [descriptor, *([] if keepers is None else [keepers])]
        self._last = 0.0

    @classmethod
    def of(cls, pidfd: int, keepers: int | None = None) -> "Meter | None":
        """That of the process behind a pidfd; None where the kernel does not tell."""
        try:
            with open(f"/proc/self/fdinfo/{pidfd}") as file:
                facts = dict(line.split(":", 1) for line in file)
            return cls(os.open(f"/proc/{int(facts['Pid'])}/stat", os.O_RDONLY), keepers)
        except (OSError, KeyError, ValueError):
            return None

    def seconds(self) -> float:
        """The processor's seconds for the process, its threads and its children.

        The children's are told twenty times a second. Of a process that has ended, the last that
        was seen.
        """
        for descriptor, read in zip(self.descriptors, (worked, float), strict=False):
            with contextlib.suppress(OSError, ValueError):
                self._last = max(self._last, read(os.pread(descriptor, 4096, 0)))
        return self._last

    def close(self) -> None:
        """Close the files; the last reading stays."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []
