"""What was handed in, put back under the author's plan; what was done to locked cells is undone.

Chapter: book/instructors/index.md
"""
