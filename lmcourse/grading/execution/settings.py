"""How strictly submissions are run, as a course sets it; with the author's folder, all they need.

Chapter: book/instructors/index.md
"""

from collections.abc import Sequence
from pathlib import Path

from traitlets import Bool, Float, Unicode
from traitlets.config import Configurable

from lmcourse.grading.assignment.author import authors_files, reference_cells
from lmcourse.grading.assignment.notebooks import withheld_from
from lmcourse.grading.assignment.plan import Planned, names_to_define
from lmcourse.grading.assignment.seed_secret import course_secret
from lmcourse.grading.execution.assignment_spec import AssignmentSpec
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.inventory import NOTHING, Inventory


class ExecutionSettings(Configurable):
    """The settings `c.Execute.… =` of `nbgrader_config.py`."""

    sandbox = Bool(True, help="False: no protection from what was handed in").tag(config=True)
    secret_file = Unicode("", help="the course secret; default: .course_secret").tag(config=True)
    cell_seconds = Float(Budgets.cell_seconds, help="for a learner's cell").tag(config=True)
    test_seconds = Float(Budgets.test_seconds, help="for one test cell").tag(config=True)
    total_seconds = Float(None, allow_none=True, help="for the notebook").tag(config=True)

    def spec(
        self,
        assignment: str,
        notebook: Path | None,
        plan: Sequence[Planned],
        root: Path,
        unseen: Inventory = NOTHING,
    ) -> AssignmentSpec:
        """What grading needs to know of the assignment.

        Args:
            notebook: the author's.
            root: where the course secret lies if no other was named.
            unseen: what learners' code must not see.
        """
        return AssignmentSpec(
            assignment=assignment,
            plan=plan,
            sandbox=self.sandbox,
            reference=reference_cells(notebook, plan),
            wanted=names_to_define(plan),
            secret=course_secret(root, Path(self.secret_file) if self.secret_file else None),
            budgets=Budgets(
                cell_seconds=self.cell_seconds,
                test_seconds=self.test_seconds,
                call_seconds=min(self.test_seconds, Budgets.call_seconds),
                total_seconds=self.total_seconds or Budgets.total_seconds,
            ),
            withheld=withheld_from(notebook),
            files=authors_files(notebook),
            unseen=unseen,
        )
