"""Ctrl-C in a training: noted, so that the step is finished and saved before it ends.

Chapter: book/training.md
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lmcourse.loop import distributed


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C, or a request to end: the step was finished, and saved if there is a folder."""


@contextmanager
def deferred_signals() -> Iterator[list[int]]:
    """A list that Ctrl-C (or a request to end) is noted in, so that a step can be finished first.

    A second Ctrl-C stops at once, as ever; but not under torchrun, which sends its own after it.
    """
    signals: list[int] = []

    def note(number: int, frame: object) -> None:
        if signals and number == signal.SIGINT and distributed.n_processes() == 1:
            raise KeyboardInterrupt
        signals.append(number)

    before = {}
    # Only the main thread may set handlers; what the caller ignores stays ignored.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, note)
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
