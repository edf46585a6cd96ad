"""What took longest in a step of `make check`: one line of its log for each part, as pytest's.

12.34s page     book/attention
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

LINE = re.compile(r"^\s*(\d+\.\d+)s (\w+)\s+(\S.*?)\s*$")


@dataclass(frozen=True, order=True)
class Duration:
    seconds: float
    kind: str  # call, setup, page, row …
    what: str

    def __str__(self) -> str:
        return f"{self.seconds:.2f}s {self.kind:8} {self.what}"


def longest(durations: Iterable[Duration], count: int) -> list[Duration]:
    """Those of at least a tenth of a second that took longest, the longest first."""
    return sorted((one for one in durations if one.seconds >= 0.1), reverse=True)[:count]


def print_longest(kind: str, seconds: dict[str, float], count: int = 10) -> None:
    """Prints the lines of the parts that took longest, by their names."""
    for one in longest((Duration(taken, kind, name) for name, taken in seconds.items()), count):
        print(one, flush=True)


def read_durations(log: str) -> list[Duration]:
    """The durations that a log tells."""
    found = map(LINE.match, log.splitlines())
    return [Duration(float(match[1]), match[2], match[3]) for match in found if match]
