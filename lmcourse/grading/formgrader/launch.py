"""nbgrader's formgrader, started so that it finds the course and is seen by this machine only.

Chapter: book/instructors/hand_grading.md
"""

import os
import sys
from copy import deepcopy
from pathlib import Path

from traitlets.config import Config

from lmcourse.grading.assignment.course import Course, own_tools
from lmcourse.grading.errors import FailureError, MisuseError
from lmcourse.grading.gradebook.database import require_usable, sqlite_url

_MATHJAX = Path("book/_static/vendor/mathjax")


def open_formgrader(course: Course, output: Path | None, port: int, options: list[str]) -> None:
    """Serve the formgrader until Ctrl-C.

    Args:
        options: passed on to Jupyter's server.

    Raises:
        MisuseError: nothing was graded there.
        FailureError: the gradebook cannot be used, or the server did not start.
    """
    root = (output or course.root).resolve()
    configured = course.config.CourseDirectory.get("db_url")
    if not configured and not (root / "gradebook.db").is_file():
        raise MisuseError(f"{root} holds no gradebook: run lmcourse grade first, or add --output")
    db_url = configured or sqlite_url(root / "gradebook.db")
    require_usable(db_url, None if configured else root / "gradebook.db")
    settings = course_settings(course, root, db_url)
    # nbconvert looks there for its templates.
    os.environ["JUPYTER_PATH"] = os.pathsep.join(
        [str(Path(sys.prefix) / "share" / "jupyter"), *_given("JUPYTER_PATH")]
    )
    # After JUPYTER_PATH, which is read on import.
    from lmcourse.grading.formgrader.server import server

    with own_tools():
        app = server(root, settings, find_mathjax(course), port)
        try:
            app.initialize(options)
            app.start()
        except SystemExit as end:
            if end.code:
                raise FailureError("Jupyter did not start: the lines above say why") from None


def course_settings(course: Course, root: Path, db_url: str) -> Config:
    """The course's settings for nbgrader, with every path absolute."""
    settings = deepcopy(course.config)
    settings.CourseDirectory.update(
        root=str(root),
        source_directory=str(course.solutions),
        release_directory=str(course.exercises),
        db_url=db_url,
    )
    return settings


def find_mathjax(course: Course) -> Path | None:
    """The MathJax of the course's book, or of the one that this package came with."""
    for folder in (course.root, Path(__file__).parents[3]):
        if (folder / _MATHJAX / "tex-mml-chtml.js").is_file():
            return folder / _MATHJAX
    return None


def _given(variable: str) -> list[str]:
    return [os.environ[variable]] if os.environ.get(variable) else []
