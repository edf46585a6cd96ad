"""The reference solution is run first: what it passes, the tests can judge.

Chapter: book/instructors/sandbox.md

Threat: a test that stumbles – over its own mistake, a library of another version, a defect of the
bridge – would cost every learner points. What the reference solution does not pass here, nobody
fails here: it "could not be graded". It also keeps the learner's odd data from passing for a
broken test: where the reference passed, stumbling is the learner's.
"""

import ast
from collections.abc import Iterable, Sequence

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.execution.sandboxed import SubmissionRun
from lmcourse.grading.outcomes import TestOutcome
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.processes import ForkServer


def defined(sources: Iterable[str]) -> frozenset[str]:
    """The names that the release's solution cells define at their top level.

    Raises:
        ValueError: one of them is no Python, so that what it asks for cannot be known.
    """
    found: set[str] = set()
    for source in sources:
        try:
            body = ast.parse(source).body
        except SyntaxError as error:
            raise ValueError(
                f"a released cell must parse, got {error.msg} in line {error.lineno} of:\n{source}"
            ) from None
        found.update(*map(_names, body))
    return frozenset(found)


def _names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        nodes = ast.walk(statement)
        return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return set()


def prove(
    learners: ForkServer,
    judges: ForkServer,
    budgets: Budgets,
    reference: Sequence[CodeCell],
    wanted: frozenset[str],
) -> dict[str, TestOutcome]:
    """The reference solution's outcomes; the tests among them that passed may fail a learner."""
    with SubmissionRun(learners, judges, budgets, wanted=wanted) as submission_run:
        results = [(cell.name, submission_run.run(cell)) for cell in reference]
    return {name: result for name, result in results if isinstance(result, TestOutcome)}
