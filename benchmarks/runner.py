"""Timing that can be compared: interleaved rounds, CPU time, the median of the ratios of rounds.

On a shared machine seconds mean little. What holds is how two programs that run in turn compare,
so each round measures both, one right after the other, and a disturbed round spoils one ratio.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], object]
SLACK = 0.9  # a goal counts as missed below nine tenths of it: closer gaps are noise


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is compared, and what is to be reached.

    Args:
        goal: how many times as fast as the peer ours is to be; 0.5 lets it take twice as long.
            None if the row is only shown.
    """

    work: str
    ours: Work
    peer: Work
    peer_name: str
    goal: float | None = None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Medians of all rounds; `speed` is how many times as fast as the peer."""

    ours_ms: float
    peer_ms: float
    speed: float


def cpu_seconds(work: Work, at_least: float) -> float:
    """The CPU time of one call, averaged over as many as take `at_least` seconds together."""
    calls, elapsed, start = 0, 0.0, time.process_time()
    while elapsed < at_least or not calls:
        work()
        calls += 1
        elapsed = time.process_time() - start
    return elapsed / calls


def compare(row: Row, n_rounds: int, at_least: float) -> Measured:
    """Both in turn, the order changing from round to round."""
    row.ours(), row.peer()  # the first call pays for what later ones reuse
    ours, peer = [], []
    for n in range(n_rounds):
        pair = [(row.ours, ours), (row.peer, peer)]
        for work, times in pair if n % 2 == 0 else reversed(pair):
            times.append(cpu_seconds(work, at_least))
    ratios = [theirs / mine for mine, theirs in zip(ours, peer, strict=True)]
    return Measured(
        ours_ms=1e3 * statistics.median(ours),
        peer_ms=1e3 * statistics.median(peer),
        speed=statistics.median(ratios),
    )


def verdict(row: Row, measured: Measured) -> str:
    """met, nearly (missed by no more than a tenth) or missed; empty if there is no goal."""
    return "" if row.goal is None else verdict_of(measured.speed, row.goal)


def verdict_of(speed: float, goal: float) -> str:
    """The same for a speed that was measured in another way."""
    if speed >= goal:
        return "met"
    return "nearly" if speed >= SLACK * goal else "missed"
