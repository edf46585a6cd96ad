"""What was set and what was handed in, as data; runs nothing.

Chapter: book/instructors/index.md
"""
