"""Who is late: the times of hand-ins, the course's rule, and the days that it counts.

Chapter: book/instructors/collecting.md
"""
