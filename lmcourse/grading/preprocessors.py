"""Repair, execution and three outcomes, as steps of `nbgrader autograde`.

Chapter: book/instructors/index.md
"""

import dataclasses
from pathlib import Path

from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from traitlets import Bool, Float, Unicode

from lmcourse.grading import messages, notebooks, warm
from lmcourse.grading.answers import Ran
from lmcourse.grading.budgets import Budgets
from lmcourse.grading.canary import Cell, defined
from lmcourse.grading.execution import Step, execute
from lmcourse.grading.limits import Limits
from lmcourse.grading.outcomes import PASSED, UNGRADED, Outcome, decide, judged
from lmcourse.grading.plan import Planned
from lmcourse.grading.recorded import (
    authors_files,
    authors_notebook,
    recorded_plan,
    reference_cells,
    released_order,
    withheld_from,
)
from lmcourse.grading.repair import Repaired, repair
from lmcourse.grading.sandbox import SandboxError
from lmcourse.grading.staging import guard
from lmcourse.grading.warm import Brief, course_secret

UNSAFE = (
    "Nothing is graded without it, unless you say --unsafe-no-sandbox"
    " (with plain nbgrader, --Execute.sandbox=False): then what was handed in runs with your rights"
)
_NEW = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


class StrictNotebook(NotebookExporter):
    """Reads of a submission its cells' kinds, texts and claimed names, nothing else."""

    def __init__(self, **kw):
        super().__init__(**kw)
        if isinstance(self.parent, Autograde):
            guard(self.parent)  # nbgrader has no other place for it before it touches a folder

    def from_filename(self, filename: str, resources=None, **kw):
        # The converter reads twice: what was handed in, then what Repair made of it.
        if not getattr(self.parent, "_sanitizing", True):
            return super().from_filename(filename, resources, **kw)
        path = Path(filename)
        resources = resources if resources is not None else {}
        resources["metadata"] = {"name": path.stem, "path": str(path.parent)}
        nb = new_notebook(cells=[_claimed(cell) for cell in notebooks.read_cells(path)])
        return self.from_notebook_node(nb, resources, **kw)


class Repair(NbGraderPreprocessor):
    """All of nbgrader's metadata rebuilt from the gradebook; see `lmcourse.grading.repair`."""

    def preprocess(self, nb: NotebookNode, resources):
        cells = [
            notebooks.Cell(
                kind=cell.cell_type,
                source=cell.source,
                claims=dict(cell.metadata.get("nbgrader", {})),
            )
            for cell in nb.cells
        ]
        notebook = authors_notebook(_course(self), resources)
        repaired = repair(cells, recorded_plan(resources, released_order(notebook)))
        for note in repaired.notes:
            self.log.info("Repair: %s", note)
        fresh = _to_notebook(repaired)
        fresh.metadata.lmcourse["digest"] = notebooks.digest(cells)
        return fresh, resources


class Execute(NbGraderPreprocessor):
    """Runs the notebook and notes each test's outcome.

    Answers run in a sandbox, tests beside it in a judge of their own (`workshop`). With
    `sandbox = False` all run in one unprotected process instead (`execution`).
    """

    sandbox = Bool(True, help="False: no protection from what was handed in").tag(config=True)
    secret_file = Unicode("", help="the course secret; default: .course_secret").tag(config=True)
    cell_seconds = Float(Budgets.cell_seconds, help="for a learner's cell").tag(config=True)
    test_seconds = Float(Budgets.test_seconds, help="for one test cell").tag(config=True)
    total_seconds = Float(None, allow_none=True, help="for the notebook").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources):
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        ours = nb.metadata.setdefault("lmcourse", NotebookNode())
        ours["sandbox"] = self.sandbox
        run = self._in_sandbox if self.sandbox else self._unprotected
        outcomes = {}
        for cell, (ran, outcome) in zip(code, run(code, ours, resources), strict=True):
            if ran is not None:
                cell.outputs = [NotebookNode(output) for output in ran.outputs]
            if outcome is None:
                cell.outputs += _error(ran, self.cell_seconds)
                continue
            outcomes[_name(cell)] = dataclasses.asdict(outcome)
            if outcome.verdict != PASSED:
                cell.outputs.append(_note(outcome.verdict, outcome.message))
        ours["outcomes"] = outcomes
        return nb, resources

    def _in_sandbox(self, code, ours, resources) -> list[tuple[Ran | None, Outcome | None]]:
        ids = resources["nbgrader"]
        cells = [Cell(kind=_kind(cell), source=cell.source, name=_name(cell)) for cell in code]
        submission = f"{ids['student']}/{ids['assignment']}/{ours.get('digest', '')}"
        try:
            results = warm.grade(self._brief(resources), submission, cells)
        except SandboxError as error:
            raise SandboxError(f"{error}. {UNSAFE}") from None
        found = []
        for cell, result in zip(code, results, strict=True):
            if isinstance(result, Ran):
                found.append((result, None))
            else:
                doubt = ours.get("doubtful", {}).get(_name(cell), "")
                found.append((None, judged(result, cell.source, doubt)))
        return found

    def _unprotected(self, code, ours, resources) -> list[tuple[Ran | None, Outcome | None]]:
        limits = Limits(
            cell_seconds=self.cell_seconds,
            test_seconds=self.test_seconds,
            total_seconds=self.total_seconds or Limits.total_seconds,
        )
        kinds = [_kind(cell) for cell in code]
        steps = [
            Step(source=cell.source, test=kind == "test", setup=kind == "setup")
            for cell, kind in zip(code, kinds, strict=True)
        ]
        notebook = authors_notebook(_course(self), resources)
        files = notebook.parent if notebook and notebook.parent.is_dir() else None
        found = []
        for cell, kind, ran in zip(code, kinds, execute(steps, limits, files), strict=True):
            doubt = ours.get("doubtful", {}).get(_name(cell), "")
            outcome = decide(ran, cell.source, limits, doubt) if kind == "test" else None
            found.append((ran, outcome))
        return found

    def _brief(self, resources) -> Brief:
        course = _course(self)
        root = Path(course.root if course else ".")
        notebook = authors_notebook(course, resources)
        plan = recorded_plan(resources, released_order(notebook))
        asked = [cell.source for cell in plan if cell.solution and cell.kind == "code"]
        return Brief(
            reference=reference_cells(notebook, plan),
            wanted=defined(asked),
            secret=course_secret(root, Path(self.secret_file) if self.secret_file else None),
            budgets=Budgets(
                cell_seconds=self.cell_seconds,
                test_seconds=self.test_seconds,
                call_seconds=min(self.test_seconds, Budgets.call_seconds),
                submission_seconds=self.total_seconds or Budgets.submission_seconds,
            ),
            withheld=withheld_from(notebook),
            files=authors_files(notebook),
            hidden=[root, *([notebook.parent.parent] if notebook else [])],
        )


class SaveOutcomes(SaveAutoGrades):
    """Writes the outcomes to the gradebook; what could not be graded waits for a person."""

    def preprocess(self, nb: NotebookNode, resources):
        self._outcomes = nb.metadata.get("lmcourse", {}).get("outcomes", {})
        return super().preprocess(nb, resources)

    def _add_score(self, cell, resources) -> None:
        if not _is_test(cell):
            super()._add_score(cell, resources)
            return
        name = cell.metadata.nbgrader.grade_id
        grade = self.gradebook.find_grade(
            name, self.notebook_id, self.assignment_id, self.student_id
        )
        outcome = self._outcomes.get(name, {})
        verdict = outcome.get("verdict", UNGRADED)
        points = {PASSED: grade.max_score * outcome.get("fraction", 0.0), UNGRADED: None}
        grade.auto_score = points.get(verdict, 0.0)
        grade.needs_manual_grade = verdict == UNGRADED or grade.manual_score is not None
        self.gradebook.db.commit()


def _claimed(cell: notebooks.Cell) -> NotebookNode:
    claims = {"nbgrader": {"grade_id": cell.label}} if cell.label else {}
    return _NEW[cell.kind](cell.source, metadata=claims)


def _to_notebook(repaired: Repaired) -> NotebookNode:
    nb = new_notebook()
    nb.metadata = NotebookNode(
        kernelspec=NotebookNode(name="python3", display_name="Python 3", language="python"),
        language_info=NotebookNode(name="python"),
        lmcourse=NotebookNode(notes=repaired.notes, doubtful=NotebookNode(repaired.doubtful)),
    )
    for index, placed in enumerate(repaired.cells):
        cell = _NEW[placed.kind](placed.source)
        cell["id"] = f"cell-{index}"
        if placed.planned:
            cell.metadata["nbgrader"] = NotebookNode(_metadata(placed.planned))
        nb.cells.append(cell)
    return nb


def _metadata(planned: Planned) -> dict:
    metadata = {
        "schema_version": 3,
        "grade_id": planned.name,
        "grade": planned.graded,
        "solution": planned.solution,
        "task": planned.task,
        "locked": planned.locked,
        "cell_type": planned.kind,
        "checksum": planned.checksum,
    }
    if planned.graded or planned.task:
        metadata["points"] = planned.points
    return metadata


def _is_test(cell) -> bool:
    claims = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and claims.get("grade", False) and not claims["solution"]


def _kind(cell) -> str:
    """What a code cell is, by the metadata that `Repair` wrote: `test`, `setup` or `student`."""
    if _is_test(cell):
        return "test"
    return "setup" if cell.metadata.get("nbgrader", {}).get("locked", False) else "student"


def _name(cell) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def _course(step: NbGraderPreprocessor) -> CourseDirectory | None:
    return getattr(getattr(step.parent, "parent", None), "coursedir", None)


def _error(ran: Ran, seconds: float) -> list[NotebookNode]:
    """What a learner's cell is marked with if it did not end well."""
    if ran.status == "ok":
        return []
    if ran.status == "error":
        trace = ran.trace or [f"{ran.name}: {ran.message}"]
        return [new_output("error", ename=ran.name, evalue=ran.message, traceback=trace)]
    said = {"timeout": messages.timeout(seconds), "died": messages.DIED}
    return [_note(ran.status, ran.message or said.get(ran.status, ""))]


def _note(name: str, text: str) -> NotebookNode:
    return new_output("error", ename=name, evalue=text, traceback=text.splitlines())
