"""Repair, execution and three outcomes, as steps of `nbgrader autograde`.

Chapter: book/instructors/index.md
"""

import dataclasses
from pathlib import Path

from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from traitlets import Float

from lmcourse.grading import messages
from lmcourse.grading.execution import Step, execute
from lmcourse.grading.limits import Limits
from lmcourse.grading.notebooks import Cell, digest, read_cells
from lmcourse.grading.outcomes import PASSED, UNGRADED, decide
from lmcourse.grading.plan import Planned
from lmcourse.grading.repair import Repaired, repair
from lmcourse.grading.session import Ran

_NEW = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


class StrictNotebook(NotebookExporter):
    """Reads of a submission its cells' kinds, texts and claimed names, nothing else."""

    def from_filename(self, filename: str, resources=None, **kw):
        # The converter reads twice: what was handed in, then what Repair made of it.
        if not getattr(self.parent, "_sanitizing", True):
            return super().from_filename(filename, resources, **kw)
        path = Path(filename)
        resources = resources if resources is not None else {}
        resources["metadata"] = {"name": path.stem, "path": str(path.parent)}
        nb = new_notebook(cells=[_claimed(cell) for cell in read_cells(path)])
        return self.from_notebook_node(nb, resources, **kw)


class Repair(NbGraderPreprocessor):
    """All of nbgrader's metadata rebuilt from the gradebook; see `lmcourse.grading.repair`."""

    def preprocess(self, nb: NotebookNode, resources):
        cells = [
            Cell(
                kind=cell.cell_type,
                source=cell.source,
                claims=dict(cell.metadata.get("nbgrader", {})),
            )
            for cell in nb.cells
        ]
        repaired = repair(cells, recorded_plan(resources, self._released_order(resources)))
        for note in repaired.notes:
            self.log.info("Repair: %s", note)
        fresh = _to_notebook(repaired)
        fresh.metadata.lmcourse["digest"] = digest(cells)
        return fresh, resources

    def _released_order(self, resources) -> list[str]:
        """The names in the order of the author's notebook: the gradebook does not promise any."""
        course = getattr(getattr(self.parent, "parent", None), "coursedir", None)
        if course is None:
            return []
        ids = resources["nbgrader"]
        folder = course.format_path(course.source_directory, ".", ids["assignment"])
        try:
            cells = read_cells(Path(folder) / f"{ids['notebook']}.ipynb")
        except ValueError:
            return []
        return [cell.label for cell in cells if cell.label]


class Execute(NbGraderPreprocessor):
    """Runs the notebook and notes each test's outcome; see `lmcourse.grading.execution`."""

    cell_seconds = Float(Limits.cell_seconds, help="for one cell of the learner's").tag(config=True)
    test_seconds = Float(Limits.test_seconds, help="for one test cell").tag(config=True)
    total_seconds = Float(Limits.total_seconds, help="for the notebook").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources):
        limits = Limits(
            cell_seconds=self.cell_seconds,
            test_seconds=self.test_seconds,
            total_seconds=self.total_seconds,
        )
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        steps = [
            Step(source=cell.source, test=_is_test(cell), setup=_is_setup(cell)) for cell in code
        ]
        ours = nb.metadata.setdefault("lmcourse", NotebookNode())
        outcomes = {}
        for cell, ran in zip(code, execute(steps, limits, self._files(resources)), strict=True):
            cell.outputs = [NotebookNode(output) for output in ran.outputs]
            if not _is_test(cell):
                cell.outputs += _error(ran, limits.cell_seconds)
                continue
            name = cell.metadata.nbgrader.grade_id
            outcome = decide(ran, cell.source, limits, ours.get("doubtful", {}).get(name, ""))
            outcomes[name] = dataclasses.asdict(outcome)
            if outcome.verdict != PASSED:
                cell.outputs.append(_note(outcome.verdict, outcome.message))
        ours["outcomes"] = outcomes
        return nb, resources

    def _files(self, resources) -> Path | None:
        """What the author put beside the notebook; files that were handed in are never used."""
        course = getattr(getattr(self.parent, "parent", None), "coursedir", None)
        if course is None:
            return None
        assignment = resources["nbgrader"]["assignment"]
        folder = Path(course.format_path(course.source_directory, ".", assignment))
        return folder if folder.is_dir() else None


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
        verdict = self._outcomes.get(name, {}).get("verdict", UNGRADED)
        points = {PASSED: grade.max_score, UNGRADED: None}
        grade.auto_score = points.get(verdict, 0.0)
        grade.needs_manual_grade = verdict == UNGRADED or grade.manual_score is not None
        self.gradebook.db.commit()


def recorded_plan(resources, order: list[str]) -> list[Planned]:
    """The plan that the gradebook holds since the assignment was released."""
    ids = resources["nbgrader"]
    with Gradebook(ids["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(ids["notebook"], ids["assignment"])
        points = {cell.name: cell.max_score for cell in notebook.grade_cells}
        task_points = {cell.name: cell.max_score for cell in notebook.task_cells}
        solutions = {cell.name for cell in notebook.solution_cells}
        plan = [
            Planned(
                name=cell.name,
                kind=cell.cell_type,
                source=cell.source,
                locked=bool(cell.locked),
                graded=cell.name in points,
                solution=cell.name in solutions,
                task=cell.name in task_points,
                points=float(points.get(cell.name, task_points.get(cell.name, 0.0))),
                checksum=cell.checksum,
            )
            for cell in notebook.source_cells
        ]
    rank = {name: position for position, name in enumerate(order)}
    return sorted(plan, key=lambda cell: rank.get(cell.name, len(rank)))


def _claimed(cell: Cell) -> NotebookNode:
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


def _is_setup(cell) -> bool:
    claims = cell.metadata.get("nbgrader", {})
    return claims.get("locked", False) and not _is_test(cell)


def _error(ran: Ran, seconds: float) -> list[NotebookNode]:
    """What a learner's cell is marked with if it did not end well."""
    if ran.status == "ok":
        return []
    if ran.status == "error":
        trace = ran.trace or [f"{ran.name}: {ran.message}"]
        return [new_output("error", ename=ran.name, evalue=ran.message, traceback=trace)]
    said = {"timeout": messages.timeout(seconds), "died": messages.DIED}
    return [_note(ran.status, said.get(ran.status, ran.message))]


def _note(name: str, text: str) -> NotebookNode:
    return new_output("error", ename=name, evalue=text, traceback=text.splitlines())
