"""`lmcourse check`: the visible tests, run in a clean process, and what a learner makes of them.

Chapter: book/setup.md
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lmcourse.grading.assignment.dependencies import Dependencies
from lmcourse.grading.assignment.notebooks import (
    Cell,
    NotebookError,
    essential,
    read_cells,
    withheld_from,
)
from lmcourse.grading.assignment.plan import (
    CellKind,
    CodeCell,
    Planned,
    Task,
    is_test,
    stated_plan,
    tasks,
)
from lmcourse.grading.errors import MisuseError
from lmcourse.grading.execution import explanations
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.execution.unprotected import execute, outcome_of
from lmcourse.grading.learner.no_proof import answers_in_locked, names_of_tests
from lmcourse.grading.learner.task_report import CheckReport, State, TaskReport
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED, TestOutcome
from lmcourse.grading.repair.placed import Placed
from lmcourse.grading.repair.text_beside import text_beside
from lmcourse.grading.safe_text import lines_of
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.withholding.withheld import Withheld

_TURNED = (
    "The cell {cell} was a code cell and is a {kind} cell now, so it does not run: click beside it"
    " and press y."
)
_EDITED_TEST = (
    "The test cell {cell} was edited, so it proves nothing: the grader runs its own text, and what"
    " you wrote there does not count. Copy the cell from a fresh notebook, and move your answer"
    " into the answer cell."
)


def check(
    path: Path, budgets: Budgets, on_cell: Callable[[str], None] = lambda name: None
) -> CheckReport:
    """Run the notebook at `path` from top to bottom, a copy of it, and judge its visible tests.

    Raises:
        MisuseError: there is no such notebook, or it is no assignment.
    """
    cells = _read(path)
    code = [cell for cell in cells if cell.kind == "code"]
    names = [_title(cell, cells) for cell in code]
    to_run = [
        CodeCell(kind=_kind(cell), source=cell.source, name=cell.label or "") for cell in code
    ]
    rans = execute(
        to_run, budgets, on_cell=lambda index: on_cell(names[index]), withheld=_withheld(path)
    )
    runs = list(zip(code, rans, strict=True))
    plan, untouched = stated_plan(cells), {cell.label for cell in cells if _untouched(cell)}
    edited = _edited(plan)
    verdicts = [_judge(task, runs, budgets, untouched, edited) for task in tasks(plan)]
    answers_in_locked(verdicts, cells, edited, untouched)
    warnings = _warnings(cells, runs, budgets, edited) + names_of_tests(verdicts, to_run, names)
    beside = text_beside([_placed(cell) for cell in cells], plan, _written(plan) & untouched)
    for verdict in verdicts:
        verdict.beside = [cell.name for cell in verdict.task.graded if cell.name in beside]
    _let_wait(verdicts, to_run)
    return CheckReport(tasks=verdicts, warnings=warnings)


def _read(path: Path) -> list[Cell]:
    try:
        cells = read_cells(Path(os.path.realpath(path)))  # the learner's own links may be followed
    except NotebookError as error:
        raise MisuseError(f"{path}: {error}") from None
    if not any(is_test(cell) for cell in cells):
        raise MisuseError(
            f"{path}: it has no test cells, so it is no assignment;"
            " check a notebook of exercises/, as it was handed out"
        )
    return cells


def _withheld(path: Path) -> Withheld:
    """What the grader withholds, as the release says it; a copy may have lost that."""
    try:
        return withheld_from(Path(os.path.realpath(path)))
    except ValueError:
        return Withheld()


def _kind(cell: Cell) -> CellKind:
    """By what the notebook claims: here nobody gains by a lie."""
    if is_test(cell):
        return "test"
    return "setup" if cell.claims.get("locked") else "learner"


def _written(plan: list[Planned]) -> set[str | None]:
    """The answers that a person reads."""
    return {cell.name for cell in plan if cell.by_hand and cell.solution}


def _placed(cell: Cell) -> Placed:
    """A cell as the grader will place it, as far as the notebook's own claims tell."""
    planned = next(iter(stated_plan([cell])), None)
    was_edited = planned and planned.locked and planned.checksum and not _as_released(planned)
    edited = cell.source if was_edited else None
    return Placed(kind=cell.kind, source=cell.source, planned=planned, edited=edited)


def _title(cell: Cell, cells: list[Cell]) -> str:
    """How to find a cell: its name, or its place and first line."""
    if cell.label:
        return f"cell {cell.label}"
    number = next(n for n, other in enumerate(cells, start=1) if other is cell)
    first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
    return f"cell number {number} (`{first[:40]}`)" if first else f"cell number {number}"


def _judge(
    task: Task,
    runs: list[tuple[Cell, CellResult]],
    budgets: Budgets,
    untouched: set[str | None],
    edited: set[str],
) -> TaskReport:
    verdict = TaskReport(task=task)
    if task.graded and all(cell.by_hand and not cell.locked for cell in task.graded):
        verdict.state = State.BY_HAND
        verdict.blank = any(cell.name in untouched for cell in task.graded)
        return verdict
    own = {cell.name for cell in task.cells}
    mine = [(cell, ran) for cell, ran in runs if cell.label in own]
    broken = [f"The cell {c.label} {c.problem}." for c, _ in mine if c.problem]
    broken += [_cause(c, ran, budgets) for c, ran in mine if not is_test(c) and ran.status != "ok"]
    outcomes = {c.label: outcome_of(r, c.source, budgets) for c, r in mine if is_test(c)}
    spoiled = {name for name in outcomes if name in edited}
    for name in spoiled:
        outcomes[name] = TestOutcome(verdict=FAILED, message=_EDITED_TEST.format(cell=name))
    verdict.awarded = {name: outcome.fraction for name, outcome in outcomes.items()}
    failed = {name: outcome for name, outcome in outcomes.items() if outcome.verdict != PASSED}
    verdict.causes = _lost_tests(task)
    if verdict.causes:
        verdict.state = State.FAILS
    if failed or verdict.causes:
        verdict.causes = _lost_answers(task) or verdict.causes
    if failed or broken:
        not_started = any(cell.label in untouched for cell, _ in mine)
        verdict.state = State.OPEN if not_started and not broken and not spoiled else State.FAILS
        verdict.ran = not broken
        # An answer that did not run explains its tests better than they do.
        verdict.partly = (
            bool(failed) and len(failed) < len(outcomes) and verdict.state == State.FAILS
        )
        verdict.causes += broken or [_said(task, name, failed[name]) for name in failed]
    return verdict


def _edited(plan: list[Planned]) -> set[str]:
    """The locked cells whose text is not the one that was handed out."""
    return {c.name for c in plan if c.locked and c.checksum and not _as_released(c)}


def _said(task: Task, name: str, outcome: TestOutcome) -> str:
    """Why a test does not hold, and which of its task's it is, if there are several."""
    head = f"{part}: " if (part := task.part(name)) else ""
    unknown = "Could not be checked: " if outcome.verdict == UNGRADED else ""
    return f"{head}{unknown}{outcome.message}"


def _lost_tests(task: Task) -> list[str]:
    """Which of the task's tests cannot be run, and how to get them back."""
    turned = [cell for cell in task.graded if cell.locked and cell.kind != "code"]
    if turned:
        return [_TURNED.format(cell=cell.name, kind=cell.kind) for cell in turned]
    if task.graded and task.points >= task.promised:
        return []
    return [
        "A test cell of this task is missing, or its points were changed: copy the task's"
        " cells from a fresh notebook. The grader puts them back."
    ]


def _lost_answers(task: Task) -> list[str]:
    """Why no answer can be run, where the cell itself is the cause."""
    answers = [cell for cell in task.cells if cell.solution]
    if not answers:
        return [
            "The cell for the answer of this task is missing: copy it from a fresh notebook, and"
            " write your answer into it."
        ]
    if any(cell.kind == "code" for cell in answers):
        return []
    return [_TURNED.format(cell=cell.name, kind=cell.kind) for cell in answers if not cell.graded]


def _let_wait(verdicts: list[TaskReport], cells: list[CodeCell]) -> None:
    """What builds on an earlier answer that does not hold waits for it: it may be right.

    The grader has the author's version of the earlier answer to test it on; here is none.
    """
    dependencies = Dependencies([verdict.task for verdict in verdicts], cells)
    for place, verdict in enumerate(verdicts):
        if verdict.state != State.FAILS or not verdict.ran:
            continue
        for earlier, names in sorted(dependencies.earlier(place).items(), reverse=True):
            if verdicts[earlier].state not in (State.HOLDS, State.BY_HAND):
                number = verdicts[earlier].task.number
                used = ", ".join(f"`{name}`" for name in sorted(names))
                verdict.state = State.WAITS
                verdict.waits_for.insert(0, number)
                verdict.causes.insert(
                    0, f"It waits for Task {number}: it uses {used}. Begin there."
                )


def _cause(cell: Cell, ran: CellResult, budgets: Budgets) -> str:
    """Why a cell of the learner's did not run, with the line where that is known."""
    if ran.status == "timeout":
        return _with_line(explanations.timeout(budgets.cell_seconds, ran.trace), cell, ran)
    if ran.status == "died":
        return explanations.DIED
    if ran.status == "unrun":
        return f"Could not be checked: {ran.message}"
    said = explanations.explain(ran.name, ran.message, ran.trace)
    return _with_line(said, cell, ran)


def _with_line(said: str, cell: Cell, ran: CellResult) -> str:
    number = explanations.syntax_line(ran.message) or explanations.failing_line(ran.trace)
    lines = lines_of(cell.source)
    if number is None or not 1 <= number <= len(lines):
        return said
    return f"{said}\nline {number}: {lines[number - 1].strip()}"


def _warnings(
    cells: list[Cell], runs: list[tuple[Cell, CellResult]], budgets: Budgets, edited: set[str]
) -> list[str]:
    plan = stated_plan(cells)
    found = [
        f"The cell {name} is there {times} times: keep one of them."
        + (" Copies of a test may have to be looked at by a person." if _tests(plan, name) else "")
        for name, times in Counter(cell.name for cell in plan).items()
        if times > 1
    ]
    found += [
        f"The locked cell {cell.name} was edited. The grader uses its own text."
        for cell in plan
        if cell.name in edited
    ]
    found += [
        f"The {_title(cell, cells)} {said}."
        for cell, ran in runs
        if not cell.claims.get("locked") and (said := explanations.changed(ran.changed))
    ]
    found += [f"The {_title(cell, cells)} {cell.left_out}." for cell in cells if cell.left_out]
    in_tasks = {cell.name for task in tasks(plan) for cell in task.cells}
    found += [
        f"The {_title(cell, cells)} {cell.problem}."
        for cell in cells
        if cell.problem and (cell.kind != "code" or cell.label not in in_tasks)
    ]
    found += [
        f"The {_title(cell, cells)} did not run: {_cause(cell, ran, budgets)}"
        for cell, ran in runs
        if cell.label not in in_tasks and ran.status != "ok"
    ]
    return found


def _tests(plan: list[Planned], name: str) -> bool:
    return any(cell.is_test for cell in plan if cell.name == name)


def _untouched(cell: Cell) -> bool:
    """Whether an answer is still the text that was handed out, or nothing is written there."""
    planned = stated_plan([cell])
    if not planned or not planned[0].solution:
        return False
    return _as_released(planned[0]) or (planned[0].by_hand and not cell.source.strip())


def _as_released(cell: Planned) -> bool:
    """Whether its text is the one that was handed out, by the rule that the grader has, too.

    A release may end its cells with an empty line, which is lost where it was edited.
    """
    text = essential(cell.source)
    versions = (cell.source, text, text + "\n")
    return cell.checksum in [checksum(replace(cell, source=version)) for version in versions]


def checksum(cell: Planned) -> str:
    """nbgrader's fingerprint of a released cell: of its text, kind, role and points.

    Reference: nbgrader.utils.compute_checksum.
    """
    parts = [cell.source, cell.kind, cell.graded, cell.solution, cell.locked, cell.name]
    if cell.graded:
        parts.append(cell.points)
    return hashlib.md5("".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()
