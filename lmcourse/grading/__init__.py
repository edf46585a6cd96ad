"""Assignments: how they are released, checked by the learner and graded by the instructor.

Chapter: book/instructors/index.md
"""
