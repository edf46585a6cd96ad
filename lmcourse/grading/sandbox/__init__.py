"""A process that can do no harm; knows nothing of notebooks.

Chapter: book/instructors/sandbox.md
"""
