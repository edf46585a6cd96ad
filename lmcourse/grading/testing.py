"""What the test cells of an assignment may import: `award`, `close`, `probe`, `raises`.

Chapter: book/instructors/writing_tests.md
"""

from lmcourse.grading.bridge.assertions import award, close, probe, raises, take_award

__all__ = ["award", "close", "probe", "raises", "take_award"]
