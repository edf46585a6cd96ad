"""Tests, hidden ones too, on one side; the learner's objects on the other.

Chapter: book/instructors/sandbox.md
"""

# The two ends, as names of modules: who only names them must not load PyTorch.
LEARNER = "lmcourse.grading.bridge.learner_side"
JUDGE = "lmcourse.grading.bridge.judge"
