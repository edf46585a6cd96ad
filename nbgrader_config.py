"""The course for nbgrader: rooted here, written in solutions/, released to exercises/."""

from pathlib import Path

from lmcourse.grading.config import configure

c = get_config()

c.CourseDirectory.course_id = "lmcourse"
c.CourseDirectory.root = str(Path(__file__).resolve().parent)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.ignore = [".*", "*.pyc", "__pycache__", "feedback"]

configure(c)
