"""One submission: cells in, an outcome for each test out.

Chapter: book/instructors/index.md
"""
