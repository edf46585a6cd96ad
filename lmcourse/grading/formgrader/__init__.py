"""nbgrader's screen for grading by hand, made safe.

Chapter: book/instructors/hand_grading.md
"""
