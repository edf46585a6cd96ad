"""The same grading as steps of plain `nbgrader autograde`.

Chapter: book/instructors/index.md
"""
