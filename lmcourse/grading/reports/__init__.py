"""What people read: the table of a class, feedback, lists for other programs.

Chapter: book/instructors/index.md
"""
