"""What one submission may cost: every limit of the grader, in one place.

Chapter: book/instructors/index.md
"""

from dataclasses import dataclass

from lmcourse.grading.budgets import spent


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds are the processor's: a busy machine must not cost a learner points.

    The defaults suit the assignments, whose tests need a few seconds in all.
    """

    cell_seconds: float = 20.0  # for one cell of the learner's
    test_seconds: float = 20.0  # for one test cell
    setup_seconds: float = 120.0  # for a locked cell that imports, and for Python to start
    total_seconds: float = 1200.0  # by the clock, for the whole notebook, restarts included
    grace_seconds: float = 10.0  # between asking an endless loop to stop and ending its process
    output_chars: int = 100_000  # kept of one cell's output

    def spent(self, seconds: float, processor: float, clock: float) -> bool:
        """Whether code that may use `seconds` has had its time; see `budgets.spent`."""
        return spent(seconds, processor, clock)


NOTEBOOK_BYTES = 20_000_000
NOTEBOOK_CELLS = 1_000
CELL_CHARS = 200_000
