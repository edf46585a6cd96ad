"""What can be wrong with a call to grade, looked at before anything large is loaded.

Chapter: book/instructors/index.md
"""

from pathlib import Path

from lmcourse.grading.assignment.course import Course
from lmcourse.grading.assignment.handed_in import entries
from lmcourse.grading.assignment.seed_secret import course_secret
from lmcourse.grading.errors import MisuseError


def require_call(course: Course, assignment: str, folder: Path, secret: Path | None = None) -> None:
    """Looks at the assignment, the folder of what was handed in, and the file of the secret.

    Raises:
        MisuseError: no such assignment, no submission, or no good secret in the file.
    """
    course.solution(assignment)
    if folder.resolve() in (course.root, course.solutions.resolve(), course.exercises.resolve()):
        raise MisuseError(f"FOLDER must hold what learners handed in, but {folder} is the course's")
    try:
        if secret is not None:
            course_secret(secret.parent, secret)
    except ValueError as error:
        raise MisuseError(str(error)) from None
    entries(folder, assignment)
