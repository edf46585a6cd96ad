"""Three outcomes of a test: passed, failed, or could not be graded, which is never a 0.

Chapter: book/instructors/index.md
"""

from dataclasses import dataclass

from lmcourse.grading.assignment.plan import hidden_from
from lmcourse.grading.execution import explanations
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.sandbox.budgets import Limits

PASSED, FAILED, UNGRADED = "passed", "failed", "ungraded"


@dataclass(kw_only=True)
class Verdict:
    """What became of a test: `passed`, `failed` or `ungraded`, and the share of its points."""

    outcome: str
    fraction: float = 0.0
    kind: str = ""  # of the exception
    message: str = ""
    line: int | None = None  # of the test cell, from 1, where it ended
    trace: str = ""  # of the learner's code, where that raised
    died: str = ""  # why the learner's process does not answer any more
    seed: int = 0  # the same seed draws the same inputs
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a test came to, and the message that its learner may read."""

    verdict: str
    message: str = ""
    hidden: bool = False  # a hidden test failed, not a visible one
    fraction: float = 0.0  # of the points, if it passed
    seed: str = ""  # from which the judge drew the inputs


def decide(ran: CellResult, source: str, limits: Limits, doubt: str = "") -> Outcome:
    """The outcome of the test cell `source` that ran so; warnings and prints change nothing.

    Args:
        doubt: why a person must decide, whatever the run says.
    """
    return _doubted(_decide(ran, source, limits), doubt)


def judged(verdict: Verdict, source: str, doubt: str = "") -> Outcome:
    """The outcome of the test cell `source` on which the judge came to this verdict."""
    begin = hidden_from(source)
    message = ""
    if verdict.outcome != PASSED:
        message = explanations.judged(verdict.kind, verdict.message, verdict.trace)
    outcome = Outcome(
        verdict=verdict.outcome,
        message=message,
        hidden=begin is not None and verdict.line is not None and verdict.line > begin,
        fraction=verdict.fraction,
        seed=f"{verdict.seed:x}",
    )
    return _doubted(outcome, doubt)


def _doubted(outcome: Outcome, doubt: str) -> Outcome:
    if not doubt or outcome.verdict == UNGRADED:
        return outcome
    message = f"{doubt}; run once, it {outcome.verdict}"
    return Outcome(verdict=UNGRADED, message=message, seed=outcome.seed)


def _decide(ran: CellResult, source: str, limits: Limits) -> Outcome:
    if ran.status == "ok":
        return Outcome(verdict=PASSED, fraction=1.0 if ran.award is None else ran.award)
    if ran.status == "unrun":
        return Outcome(verdict=UNGRADED, message=ran.message)
    if ran.status == "timeout":
        return Outcome(verdict=FAILED, message=explanations.timeout(limits.test_seconds, ran.trace))
    if ran.status == "died":
        return Outcome(verdict=FAILED, message=explanations.DIED)
    begin, line = hidden_from(source), explanations.failing_line(ran.trace)
    return Outcome(
        verdict=FAILED,
        message=explanations.explain(ran.name, ran.message, ran.trace),
        hidden=begin is not None and line is not None and line > begin,
    )
