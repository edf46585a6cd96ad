"""Three outcomes of a test: passed, failed, or could not be graded, which is never a 0.

Chapter: book/instructors/index.md
"""

from dataclasses import dataclass

from lmcourse.grading import messages
from lmcourse.grading.limits import Limits
from lmcourse.grading.plan import hidden_from
from lmcourse.grading.session import Ran

PASSED, FAILED, UNGRADED = "passed", "failed", "ungraded"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a test came to, and the message that its learner may read."""

    verdict: str
    message: str = ""
    hidden: bool = False  # a hidden test failed, not a visible one


def decide(ran: Ran, source: str, limits: Limits, doubt: str = "") -> Outcome:
    """The outcome of the test cell `source` that ran so; warnings and prints change nothing.

    Args:
        doubt: why a person must decide, whatever the run says.
    """
    outcome = _decide(ran, source, limits)
    if not doubt or outcome.verdict == UNGRADED:
        return outcome
    return Outcome(verdict=UNGRADED, message=f"{doubt}; run once, it {outcome.verdict}")


def _decide(ran: Ran, source: str, limits: Limits) -> Outcome:
    if ran.status == "ok":
        return Outcome(verdict=PASSED)
    if ran.status == "unrun":
        return Outcome(verdict=UNGRADED, message=ran.message)
    if ran.status == "timeout":
        return Outcome(verdict=FAILED, message=messages.timeout(limits.test_seconds, ran.trace))
    if ran.status == "died":
        return Outcome(verdict=FAILED, message=messages.DIED)
    begin, line = hidden_from(source), messages.failing_line(ran.trace)
    return Outcome(
        verdict=FAILED,
        message=messages.explain(ran.name, ran.message, ran.trace),
        hidden=begin is not None and line is not None and line > begin,
    )
