"""Repair, execution and three outcomes, as steps of `nbgrader autograde`.

Chapter: book/instructors/index.md
"""

from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades

from lmcourse.grading.assignment import notebooks
from lmcourse.grading.assignment.author import (
    authors_notebook,
    recorded_plan,
    released_order,
)
from lmcourse.grading.execution.settings import ExecutionSettings
from lmcourse.grading.execution.submission import is_test, repaired_notebook, run_notebook
from lmcourse.grading.gradebook.recorder import save_outcome, save_response, save_written
from lmcourse.grading.nbgrader_steps.submission_folders import guard
from lmcourse.grading.outcomes import TestOutcome
from lmcourse.grading.sandbox import bubblewrap
from lmcourse.grading.sandbox.inventory import Inventory, of_course

_NEW = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


class StrictNotebook(NotebookExporter):
    """Reads of a submission its cells' kinds, texts and claimed names, nothing else."""

    def __init__(self, **kw):
        super().__init__(**kw)
        if isinstance(self.parent, Autograde):
            # nbgrader has no other place for it before it touches a folder.
            Execute(parent=self).require_unseen(self.parent.coursedir)
            guard(self.parent)

    def from_filename(self, filename: str, resources: dict | None = None, **kw) -> tuple[Any, dict]:
        """The notebook of a file, of which only texts, kinds and claimed names are read."""
        # The converter reads twice: what was handed in, then what Repair made of it.
        if not getattr(self.parent, "_sanitizing", True):
            return super().from_filename(filename, resources, **kw)
        path = Path(filename)
        resources = resources if resources is not None else {}
        resources["metadata"] = {"name": path.stem, "path": str(path.parent)}
        cells = notebooks.read_cells(path, handed_in=True)
        nb = new_notebook(cells=[_claimed(cell) for cell in cells])
        return self.from_notebook_node(nb, resources, **kw)


class Repair(NbGraderPreprocessor):
    """All of nbgrader's metadata rebuilt from the gradebook; see `repair.under_plan`."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """The notebook under the author's plan."""
        cells = [
            notebooks.Cell(
                kind=cell.cell_type,
                source=cell.source,
                claims=dict(cell.metadata.get("nbgrader", {})),
                too_long=cell.metadata.get("too_long", 0),
                pictures=cell.get("attachments", {}),
                left_out=cell.metadata.get("left_out", ""),
            )
            for cell in nb.cells
        ]
        notebook = authors_notebook(_course(self), resources)
        fresh = repaired_notebook(cells, recorded_plan(resources, released_order(notebook)))
        for note in fresh.metadata.lmcourse.notes:
            self.log.info("Repair: %s", note)
        return fresh, resources


class Execute(ExecutionSettings, NbGraderPreprocessor):
    """Runs the notebook and notes each test's outcome; see `execution.submission`."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """The notebook with what its cells showed, and each test's outcome."""
        ids = resources["nbgrader"]
        submission = f"{ids['student']}/{ids['assignment']}"
        course = _course(self)
        notebook = authors_notebook(course, resources)
        root = Path(course.root if course else ".")
        plan = recorded_plan(resources, released_order(notebook))
        spec = self.spec(ids["assignment"], notebook, plan, root, self._unseen(course))
        run_notebook(nb, submission, spec)
        return nb, resources

    def require_unseen(self, course: CourseDirectory) -> None:
        """Return only where learners' code can be held, and would see nothing of the course.

        Raises:
            NbGraderException: with the reason; nothing is graded then.
        """
        if not self.sandbox:
            return
        try:
            bubblewrap.require_unseen(self._unseen(course))
        except bubblewrap.SandboxError as error:
            self.log.error("%s", error)
            raise NbGraderException(str(error)) from None

    def _unseen(self, course: CourseDirectory | None) -> Inventory:
        root = Path(course.root if course else ".").absolute()
        secret = Path(self.secret_file).absolute() if self.secret_file else None
        return of_course(
            root=root,
            config=self.config,
            db_url=course.db_url if course else "",
            secret=secret,
        )


class SaveOutcomes(SaveAutoGrades):
    """Writes the outcomes to the gradebook; what could not be graded waits for a person."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """The notebook, once the gradebook has its points."""
        self._nb = nb
        self._outcomes = nb.metadata.get("lmcourse", {}).get("outcomes", {})
        return super().preprocess(nb, resources)

    def _add_score(self, cell, resources) -> None:
        name = cell.metadata.nbgrader.grade_id
        grade = self.gradebook.find_grade(
            name, self.notebook_id, self.assignment_id, self.student_id
        )
        if is_test(cell):
            save_outcome(grade, TestOutcome(**self._outcomes.get(name, {})))
        else:
            save_written(grade, cell, self._nb)
        self.gradebook.db.commit()

    def _add_comment(self, cell, resources) -> None:
        name = cell.metadata.nbgrader.grade_id
        comment = self.gradebook.find_comment(
            name, self.notebook_id, self.assignment_id, self.student_id
        )
        save_response(comment, cell, self._nb)
        self.gradebook.db.commit()


def _claimed(cell: notebooks.Cell) -> NotebookNode:
    said: dict[str, Any] = {"nbgrader": {"grade_id": cell.label}} if cell.label else {}
    if cell.too_long:
        said["too_long"] = cell.too_long
    if cell.left_out:
        said["left_out"] = cell.left_out
    own = {"attachments": cell.pictures} if cell.pictures else {}
    return _NEW[cell.kind](cell.source, metadata=said, **own)


def _course(step: NbGraderPreprocessor) -> CourseDirectory | None:
    return getattr(getattr(step.parent, "parent", None), "coursedir", None)
