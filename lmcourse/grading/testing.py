"""What the test cells of an assignment may import.

Chapter: book/instructors/writing_tests.md
"""

from lmcourse.grading.bridge.assertions import (
    award,
    close,
    probe,
    raises,
    take_award,
    takes_objects,
    verdicts,
)
from lmcourse.grading.bridge.checklist import left_alone, second_call, sizes
from lmcourse.grading.withholding.torch_functions import without

__all__ = [
    "award",
    "close",
    "left_alone",
    "probe",
    "raises",
    "second_call",
    "sizes",
    "take_award",
    "takes_objects",
    "verdicts",
    "without",
]
