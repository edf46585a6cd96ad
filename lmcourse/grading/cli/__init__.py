"""The commands, and what they print.

Chapter: book/instructors/index.md
"""
