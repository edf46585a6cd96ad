"""nbgrader's formgrader, started so that it finds the course and is seen by this machine only.

Chapter: book/instructors/index.md
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lmcourse.grading.course import CONFIG, Course
from lmcourse.grading.errors import FailureError, MisuseError

_CONFIG = """\
from pathlib import Path
load_subconfig({config!r})
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.source_directory = {solutions!r}
c.CourseDirectory.release_directory = {exercises!r}
c.CourseDirectory.db_url = {db_url!r}
"""


def open_formgrader(course: Course, output: Path | None, port: int, options: list[str]) -> None:
    """Run Jupyter with the formgrader until Ctrl-C.

    Args:
        options: passed on to Jupyter.

    Raises:
        MisuseError: nothing was graded there.
        FailureError: Jupyter did not start.
    """
    root = (output or course.root).resolve()
    configured = course.config.CourseDirectory.get("db_url")
    if not configured and not (root / "gradebook.db").is_file():
        raise MisuseError(f"{root} holds no gradebook: run lmcourse grade first, or add --output")
    with tempfile.TemporaryDirectory(prefix="lmcourse-formgrader-") as folder:
        text = _CONFIG.format(
            config=str(course.root / CONFIG),
            root=str(root),
            solutions=str(course.solutions),
            exercises=str(course.exercises),
            db_url=configured or f"sqlite:///{root / 'gradebook.db'}",
        )
        (Path(folder) / CONFIG).write_text(text, encoding="utf-8")
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1"),
            *(f"--ServerApp.port={port}", f"--ServerApp.root_dir={root}"),
            "--LabApp.default_url=/formgrader",
            "--ServerApp.default_url=/formgrader",
            *options,
        ]
        bin_folder = str(Path(sys.executable).parent)
        environment = {
            **os.environ,
            "PATH": bin_folder + os.pathsep + os.environ.get("PATH", ""),
            "JUPYTER_CONFIG_PATH": os.pathsep.join(
                filter(None, [folder, os.environ.get("JUPYTER_CONFIG_PATH")])
            ),
        }
        ended = subprocess.run(command, env=environment, cwd=root, check=False).returncode
    if ended not in (0, 130, -2):  # Ctrl-C is how one leaves
        raise FailureError(f"Jupyter ended with exit code {ended}: its last lines say why")
