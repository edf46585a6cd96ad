"""`lmcourse check`: a learner's own notebook, on the learner's machine.

Chapter: book/instructors/index.md
"""
