"""What an assignment withholds, of this package and of torch; knows nothing of notebooks.

Chapter: book/instructors/writing_tests.md
"""
