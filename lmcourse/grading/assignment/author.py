"""What the gradebook and the author's folder say of an assignment: all that grading builds on.

Chapter: book/instructors/index.md
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory

from lmcourse.grading.assignment.notebooks import NotebookError, read_cells
from lmcourse.grading.assignment.plan import CellKind, CodeCell, Planned


def recorded_plan(resources: dict[str, Any], order: list[str]) -> list[Planned]:
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


def authors_notebook(course: CourseDirectory | None, resources: dict[str, Any]) -> Path | None:
    """Where the author's notebook of this assignment stands, if there is a course at all."""
    if course is None:
        return None
    ids = resources["nbgrader"]
    folder = Path(course.format_path(course.source_directory, ".", ids["assignment"]))
    return folder / f"{ids['notebook']}.ipynb"


def released_order(notebook: Path | None) -> list[str]:
    """The names in the order of the author's notebook: the gradebook does not promise any."""
    try:
        cells = read_cells(notebook) if notebook else []
    except NotebookError:
        return []
    return [cell.label for cell in cells if cell.label]


def reference_cells(notebook: Path | None, plan: Sequence[Planned]) -> list[CodeCell]:
    """The author's own answers, with the tests that the gradebook holds; empty without them."""
    planned = {cell.name: cell for cell in plan}
    try:
        cells = read_cells(notebook) if notebook else []
    except NotebookError:
        return []
    found = []
    for cell in cells:
        if cell.kind == "code":
            own = planned.get(cell.label or "")
            source = own.source if own and own.locked else cell.source
            found.append(CodeCell(kind=kind_of(own), source=source, name=cell.label or ""))
    return found


def kind_of(planned: Planned | None) -> CellKind:
    """What the sandbox is to make of a code cell."""
    if planned is None or not planned.locked:
        return "learner"
    return "test" if planned.is_test else "setup"


def authors_files(notebook: Path | None) -> dict[str, bytes]:
    """What lies beside the author's notebook, without notebooks; nothing that was handed in."""
    if notebook is None:
        return {}
    folder = notebook.parent
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix != ".ipynb"
        and not any(
            part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts
        )
    }
