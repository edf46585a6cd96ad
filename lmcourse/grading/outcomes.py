"""What a test comes to: passed, failed, or could not be graded, which is never a 0.

Chapter: book/instructors/index.md

One type from the judge to the gradebook, with one name for each of its parts. The three words are
typed here and nowhere else.
"""

from dataclasses import dataclass

PASSED, FAILED, UNGRADED = "passed", "failed", "ungraded"
# The judge's word for a test that raised. Whether that is the learner's failure depends on whether
# the reference solution passes the test here, which only the grader knows: it replaces the word.
STUMBLED = "stumbled"


@dataclass(frozen=True, kw_only=True)
class TestOutcome:
    """What became of a test of one submission.

    Args:
        verdict: `passed`, `failed` or `ungraded`.
        fraction: of the points, if it passed.
        message: why, in words for the learner (`execution.explanations`).
        hidden: a hidden test failed, not a visible one.
        seed: from which the judge drew the inputs; the same one draws them again.
        kind, said: the class and the text of the exception that ended it.
        line: of the test cell, from 1, where it ended.
        trace: of the learner's code, where that raised.
        died: why the learner's process does not answer any more.
        worked: the processor's seconds that the test took, on both sides.
        carried: what the author's version of an earlier answer had to do with it, for the learner.
    """

    __test__ = False  # pytest takes classes of such a name for tests

    verdict: str = UNGRADED
    fraction: float = 0.0
    message: str = ""
    hidden: bool = False
    seed: str = ""
    kind: str = ""
    said: str = ""
    line: int | None = None
    trace: str = ""
    died: str = ""
    worked: float = 0.0
    carried: str = ""

    def kept(self) -> dict:
        """What a graded notebook keeps of it; the same names make it a `TestOutcome` again."""
        return {name: getattr(self, name) for name in _KEPT}


_KEPT = ("verdict", "message", "hidden", "fraction", "seed", "carried")
