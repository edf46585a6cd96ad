"""How long the processor has worked for a process, told by a file that the kernel keeps.

Chapter: book/instructors/sandbox.md

The file, once open, can be handed to a process in another sandbox: a judge sees how much its
learner's process has worked without seeing the process.
"""

import os

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_USER, _CHILDREN = 11, 15  # of the fields after the name: utime, stime, cutime, cstime


class Meter:
    """Reads `/proc/<pid>/stat`.

    Args:
        descriptor: of that file; it is closed with the meter.
    """

    def __init__(self, descriptor: int):
        self.descriptor, self._last = descriptor, 0.0

    @classmethod
    def of(cls, pidfd: int) -> "Meter | None":
        """That of the process behind a pidfd; None where the kernel does not tell."""
        try:
            with open(f"/proc/self/fdinfo/{pidfd}") as file:
                facts = dict(line.split(":", 1) for line in file)
            return cls(os.open(f"/proc/{int(facts['Pid'])}/stat", os.O_RDONLY))
        except (OSError, KeyError, ValueError):
            return None

    def seconds(self) -> float:
        """The processor's seconds for the process, its threads and its children that have ended.

        Of a process that has ended, the last that was seen.
        """
        try:
            fields = os.pread(self.descriptor, 4096, 0).rpartition(b")")[2].split()
            self._last = sum(map(int, fields[_USER:_CHILDREN])) / _TICKS
        except (OSError, ValueError):
            pass
        return self._last

    def close(self) -> None:
        """Close the file; the last reading stays."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
