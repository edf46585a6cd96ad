"""From solutions to exercises: answers and hidden tests taken out, and checked that they are gone.

Chapter: book/instructors/index.md
"""

import json
import re
import tempfile
import zipfile
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.utils import compute_checksum

from lmcourse.files import replace_folder, replacing, write_file
from lmcourse.grading.assignment.course import Course, closing_log, quiet_log, writable_folder
from lmcourse.grading.assignment.fixed_verdicts import fixed_verdicts
from lmcourse.grading.assignment.notebooks import essential, read_cells, withheld_from
from lmcourse.grading.assignment.plan import (
    HIDDEN,
    HIDDEN_END,
    Task,
    names_to_define,
    stated_plan,
    tasks,
)
from lmcourse.grading.errors import FailureError
from lmcourse.grading.sandbox.bubblewrap import PACKAGE
from lmcourse.grading.withholding.course_package import require
from lmcourse.grading.withholding.withheld import Withheld

_MARKERS = f"BEGIN SOLUTION|END SOLUTION|{HIDDEN}|{HIDDEN_END}"
_REGION = re.compile(rf"### (?:BEGIN SOLUTION|{HIDDEN})\n(.*?)### END", re.S)
_README = """# {slug}

1. Python 3.11 or later. Make an environment and install the course's package:
   `python -m venv .venv`, activate it, then `python -m pip install -r requirements.txt`.
2. Is everything there? `lmcourse doctor`
3. Open the notebook: `jupyter lab {slug}.ipynb`. Write your answers where it says `YOUR CODE HERE`.
4. How does it stand? `lmcourse check {slug}.ipynb`
5. Hand in {slug}.ipynb, under that name.
"""


@dataclass(frozen=True, kw_only=True)
class Released:
    """An assignment as learners get it."""

    slug: str
    folder: Path
    tasks: list[Task]
    changed: bool  # the files in `folder` differ, or differed, from this release

    @property
    def points(self) -> float:
        """What the whole assignment gives."""
        return sum((task.points for task in self.tasks), 0.0)


def release(course: Course, slug: str, *, write: bool = True) -> Released:
    """Release one assignment; with `write=False` say if exercises/ is current.

    Raises:
        FailureError: the notebook does not convert, or the release would give answers away.
    """
    source = course.solution(slug)
    target = course.exercises / slug
    with tempfile.TemporaryDirectory(prefix="lmcourse-release-") as scratch:
        fresh = convert(course, slug, Path(scratch), database=False) / slug
        _check(source, fresh / f"{slug}.ipynb")
        changed = _contents(fresh) != _contents(target)
        if write and changed:
            writable_folder(target.parent, "make it writable")
            replace_folder(target, fresh)
    plan = stated_plan(read_cells(source))
    return Released(slug=slug, folder=target, tasks=tasks(plan), changed=changed)


def convert(
    course: Course, slug: str, scratch: Path, *, database: bool, db_url: str | None = None
) -> Path:
    """Run nbgrader's release into `scratch`; with `database`, the gradebook learns the assignment.

    Raises:
        FailureError: nbgrader refused, or what is to be withheld is not there; the message names
            the cause.
    """
    if signs := [sign for sign in "[]*?" if sign in str(course.root)]:
        raise FailureError(
            f"{slug} was not released: nbgrader takes the {' and '.join(signs)} in {course.root}"
            " for a pattern. Give the folder a name without"
        )
    try:
        require(withheld_from(course.solution(slug)), PACKAGE)
    except ValueError as error:
        raise FailureError(f"{slug}: metadata.lmcourse.withheld: {error}") from None
    log = quiet_log(scratch / "release.log")
    settings = {"release_directory": str(scratch), "assignment_id": slug}
    directory = course.directory(log, **settings, **({"db_url": db_url} if db_url else {}))
    config = deepcopy(course.config)
    config.SaveCells.enabled = database
    converter = GenerateAssignment(
        coursedir=directory, config=config, log=log, no_database=not database, force=True
    )
    with closing_log(log):
        try:
            converter.start()
        except (NbGraderException, SystemExit):
            why = _cause(scratch / "release.log")
            raise FailureError(f"{slug} was not released: {why}") from None
    notebook = scratch / slug / f"{slug}.ipynb"
    if not notebook.is_file():
        raise FailureError(f"{slug} was not released: nbgrader wrote no notebook")
    _clean(notebook)
    return scratch


def _cause(log: Path) -> str:
    """The last exception that nbgrader logged, as one line."""
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    errors = [line for line in lines if re.match(r"^[\w.]*(Error|Exception|Warning)\b: ", line)]
    return errors[-1] if errors else "nbgrader did not say why"


def _clean(path: Path) -> None:
    """Only what a learner needs, in one fixed form: no outputs, no traces of an editor."""
    nb = nbformat.read(path, as_version=4)
    withheld = withheld_from(path)
    nb.metadata = {
        # `lmcourse check` withholds it, too.
        **({} if withheld == Withheld() else {"lmcourse": {"withheld": withheld.as_json()}}),
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in nb.cells:
        kept = {"nbgrader", "tags", "editable", "deletable"}
        cell.metadata = {key: cell.metadata[key] for key in sorted(kept & set(cell.metadata))}
        own = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and own.get("grade") and not own.get("solution"):
            # A test says what is right: whoever scrolls to run it need not read it first.
            cell.metadata["jupyter"] = {"source_hidden": True}
        # As every editor leaves it, so that whoever compares later compares the same text.
        cell.source = essential(cell.source)
        if "checksum" in own:
            own["checksum"] = compute_checksum(cell)
    text = json.dumps(nb, ensure_ascii=False, indent=1, sort_keys=True)
    write_file(path, text + "\n")


def _check(source: Path, released: Path) -> None:
    """No marker and no part of an answer or hidden test is left."""
    text = "\n".join(cell.source for cell in read_cells(released))
    if re.search(_MARKERS, text):
        raise FailureError(
            f"{released.stem}: a BEGIN or END marker is left in the release: in solutions/, each"
            " BEGIN must have its END, below it in the same cell"
        )
    for cell in read_cells(source):
        whole = [cell.source] if cell.claims.get("solution") else []
        for region in _REGION.findall(cell.source) or whole:
            if region.strip() and region.strip() in text:
                raise FailureError(
                    f"{released.stem}: the release still holds a part of {cell.label}: take the"
                    " copy of it out of the other cells in solutions/"
                )
    _refuse_fixed_verdicts(source, released)


def _refuse_fixed_verdicts(source: Path, released: Path) -> None:
    """No test can be passed by counting its calls."""
    try:
        wanted = names_to_define(stated_plan(read_cells(released)))
    except ValueError as error:
        raise FailureError(f"{released.stem}: {error}") from None
    for planned in stated_plan(read_cells(source)):
        if planned.is_test and (lines := fixed_verdicts(planned.source, wanted)):
            raise FailureError(
                f"{released.stem}: {planned.name} expects the same True and False in the same order"
                f" each time (line {', '.join(map(str, lines))}), so that counting the calls gives"
                " the points: ask through `verdicts` of lmcourse.grading.testing"
            )


def _contents(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def write_zip(released: Released, folder: Path) -> Path:
    """The assignment and how to start, as one file: the same bytes from run to run."""
    slug = released.slug
    files = _contents(released.folder)
    files["README.md"] = _README.format(slug=slug).encode()
    files["requirements.txt"] = b"lmcourse[learn] @ git+https://github.com/lmcourse/lmcourse\n"
    path = folder / f"{slug}.zip"
    with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{slug}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, files[name])
    return path
