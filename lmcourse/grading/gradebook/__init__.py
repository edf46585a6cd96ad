"""What is kept of a class: results, nbgrader's gradebook, what need not run again.

Chapter: book/instructors/scale.md
"""
