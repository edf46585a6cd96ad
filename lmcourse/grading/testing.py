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
from lmcourse.grading.bridge.checklist import (
    draws_anew,
    left_alone,
    second_call,
    sizes,
    turned,
)
from lmcourse.grading.withholding.torch_functions import without
from lmcourse.grading.withholding.without_autograd import without_autograd

__all__ = [
    "award",
    "close",
    "draws_anew",
    "left_alone",
    "probe",
    "raises",
    "second_call",
    "sizes",
    "take_award",
    "takes_objects",
    "turned",
    "verdicts",
    "without",
    "without_autograd",
]
