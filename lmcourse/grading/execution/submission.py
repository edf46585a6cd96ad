"""One submission graded: cells in, the graded notebook out. No gradebook, no course folder.

Chapter: book/instructors/scale.md

Everything that a submission needs of its assignment travels in an `AssignmentSpec`, so that the
same function serves this process, a worker beside it, and one on another machine. The result
depends on nothing but the spec and the cells: it can be kept, and drawn again.
"""

import json
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from lmcourse.grading.assignment.notebooks import Cell, digest
from lmcourse.grading.assignment.plan import CellKind, CodeCell, Planned, visible
from lmcourse.grading.execution import explanations, undefined_names, warm_servers
from lmcourse.grading.execution.assignment_spec import AssignmentSpec
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.execution.unprotected import execute, outcome_of
from lmcourse.grading.outcomes import PASSED, UNGRADED, TestOutcome
from lmcourse.grading.repair.placed import Placed
from lmcourse.grading.repair.under_plan import repair
from lmcourse.grading.sandbox.bubblewrap import SandboxError

UNSAFE = (
    "Nothing is graded without it, unless you say --unsafe-no-sandbox"
    " (with plain nbgrader, --Execute.sandbox=False): then what was handed in runs with your rights"
)


@dataclass(frozen=True, kw_only=True)
class GradedNotebook:
    """What a job came to: a graded notebook, or the problem because of which there is none.

    Args:
        lasting: the same cells would come to the same again. What could not be graded for a reason
            of the machine is worth another try.
        log: for the hunt of a defect.
    """

    notebook: str = ""  # JSON
    problem: str = ""
    lasting: bool = False
    log: str = ""


def grade(spec: AssignmentSpec, student: str, cells: Sequence[Cell]) -> GradedNotebook:
    """The graded notebook of one submission; what goes wrong becomes its problem."""
    try:
        nb = repaired_notebook(cells, spec.plan)
        run_notebook(nb, f"{student}/{spec.assignment}", spec)
    except SandboxError as error:
        return GradedNotebook(problem=str(error), log=traceback.format_exc())
    except Exception as error:
        why = f"the grader failed on it ({type(error).__name__}); the log says more"
        return GradedNotebook(problem=why, log=traceback.format_exc())
    return GradedNotebook(notebook=json.dumps(nb), lasting=_lasting(nb))


def _lasting(nb: NotebookNode) -> bool:
    """Whether each test was decided, or waits for a person because of what the notebook holds."""
    ours = nb.metadata.lmcourse
    return all(
        outcome["verdict"] != UNGRADED
        or (name in ours.doubtful and outcome["message"].startswith(ours.doubtful[name]))
        for name, outcome in ours.outcomes.items()
    )


def repaired_notebook(cells: Sequence[Cell], plan: Sequence[Planned]) -> NotebookNode:
    """The cells under the author's plan, as a notebook whose every claim is ours."""
    repaired = repair(cells, plan)
    ours = NotebookNode(
        notes=repaired.notes,
        doubtful=NotebookNode(repaired.doubtful),
        beside=sorted({name for placed in repaired.cells for name in placed.beside}),
        digest=digest(list(cells)),
    )
    metadata = NotebookNode(
        kernelspec=NotebookNode(name="python3", display_name="Python 3", language="python"),
        language_info=NotebookNode(name="python"),
        lmcourse=ours,
    )
    placed = [_to_cell(placed, f"cell-{index}") for index, placed in enumerate(repaired.cells)]
    return NotebookNode(nbformat=4, nbformat_minor=5, metadata=metadata, cells=placed)


def run_notebook(nb: NotebookNode, submission: str, spec: AssignmentSpec) -> None:
    """Run the cells and note in the notebook what they showed, and each test's outcome.

    Answers run in a sandbox, tests beside it in a judge of their own (`warm_servers`). Without
    `spec.sandbox` all run in one unprotected process instead (`execution`).

    Args:
        submission: who handed in what; the inputs of tests depend on it and on the cells.

    Raises:
        SandboxError: there is no sandbox here, with what to do about it.
    """
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    ours = nb.metadata.setdefault("lmcourse", NotebookNode())
    ours["sandbox"] = spec.sandbox
    cells = [
        CodeCell(
            kind=_kind(cell),
            source=cell.source,
            name=cell.metadata.get("nbgrader", {}).get("grade_id", ""),
        )
        for cell in code
    ]
    if spec.sandbox:
        results = _in_sandbox(cells, f"{submission}/{ours.get('digest', '')}", spec)
    else:
        results = _unprotected(cells, spec)
    outcomes = NotebookNode()
    tests = [visible(cell.source) for cell in cells if cell.kind == "test"]
    before: list[tuple[CodeCell, CellResult | None]] = []
    for cell, own, (ran, outcome) in zip(code, cells, results, strict=True):
        if ran is not None:
            cell.outputs = [NotebookNode(output) for output in ran.outputs]
            if own.kind == "learner" and (said := explanations.changed(ran.changed)):
                ours.setdefault("notes", []).append(f"{_title(own)} {said}")
        if outcome is None:
            cell.outputs += _error(ran, spec.budgets.cell_seconds)
            before.append((own, ran))
            continue
        outcome = undefined_names.explained(outcome, before, tests)
        outcome = _doubted(outcome, ours.get("doubtful", {}).get(own.name, ""))
        outcomes[own.name] = outcome.kept()
        if outcome.carried:
            text = f"{outcome.carried}\n"
            cell.outputs.append(NotebookNode(output_type="stream", name="stdout", text=text))
        if outcome.verdict != PASSED:
            cell.outputs.append(_shown(outcome.verdict, outcome.message))
    ours["outcomes"] = outcomes


def _title(cell: CodeCell) -> str:
    """How its owner finds a cell."""
    if cell.name:
        return f"the cell {cell.name}"
    first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
    return f"the cell that begins with `{first[:40]}`"


def _doubted(outcome: TestOutcome, doubt: str) -> TestOutcome:
    """The outcome, unless a person must decide for a reason that lies in the notebook."""
    if not doubt or outcome.verdict == UNGRADED:
        return outcome
    message = f"{doubt}; run once, it {outcome.verdict}"
    return TestOutcome(verdict=UNGRADED, message=message, seed=outcome.seed)


_Result = tuple[
    CellResult | None, TestOutcome | None
]  # of a cell: what it showed, how it was judged


def _in_sandbox(cells: list[CodeCell], submission: str, spec: AssignmentSpec) -> list[_Result]:
    try:
        results = warm_servers.kept_for(spec).grade(submission, cells)
    except SandboxError as error:
        raise SandboxError(f"{error}. {UNSAFE}") from None
    return [
        (None, result) if isinstance(result, TestOutcome) else (result, None) for result in results
    ]


def _unprotected(cells: list[CodeCell], spec: AssignmentSpec) -> list[_Result]:
    with tempfile.TemporaryDirectory(prefix="lmcourse-") as folder:
        for name, contents in spec.files.items():
            place = Path(folder) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(contents)
        results = execute(cells, spec.budgets, Path(folder), withheld=spec.withheld)
    return [
        (ran, outcome_of(ran, cell.source, spec.budgets) if cell.kind == "test" else None)
        for cell, ran in zip(cells, results, strict=True)
    ]


def _to_cell(placed: Placed, own_id: str) -> NotebookNode:
    # Not nbformat's constructors: their validation of each cell costs more than all of this.
    cell = NotebookNode(
        id=own_id, cell_type=placed.kind, metadata=NotebookNode(), source=placed.source
    )
    if placed.kind == "code":
        cell.update(execution_count=None, outputs=[])
    if placed.pictures and placed.kind == "markdown":
        cell["attachments"] = NotebookNode(
            {name: NotebookNode(picture) for name, picture in placed.pictures.items()}
        )
    if placed.beside:
        cell.metadata["lmcourse"] = NotebookNode(beside=placed.beside)
    if placed.planned:
        cell.metadata["nbgrader"] = NotebookNode(_metadata(placed.planned))
    return cell


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


def is_test(cell: NotebookNode) -> bool:
    """Whether a cell of a repaired notebook is a test."""
    claims = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and claims.get("grade", False) and not claims["solution"]


def _kind(cell) -> CellKind:
    """By the metadata that `Repair` wrote."""
    if is_test(cell):
        return "test"
    return "setup" if cell.metadata.get("nbgrader", {}).get("locked", False) else "learner"


def _error(ran: CellResult, seconds: float) -> list[NotebookNode]:
    """What a learner's cell is marked with if it did not end well."""
    if ran.status == "ok":
        return []
    if ran.status == "error":
        return [_shown(ran.name, ran.message, ran.trace or [f"{ran.name}: {ran.message}"])]
    said = {"timeout": explanations.timeout(seconds, ran.trace), "died": explanations.DIED}
    return [_shown(ran.status, ran.message or said.get(ran.status, ""))]


def _shown(name: str, message: str, trace: Sequence[str] = ()) -> NotebookNode:
    trace = list(trace) or message.splitlines()
    return NotebookNode(output_type="error", ename=name, evalue=message, traceback=trace)
