"""A whole class.

Chapter: book/instructors/scale.md
"""
