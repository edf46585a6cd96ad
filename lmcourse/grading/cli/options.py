"""Options that several commands of the grader have, each said once.

Chapter: book/instructors/index.md
"""

from pathlib import Path
from typing import Annotated

import typer

CourseOption = Annotated[
    Path | None,
    typer.Option("--course", metavar="DIR", help="The course's folder; default: found from here."),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", metavar="DIR", help="Where results are; default: the course."),
]
