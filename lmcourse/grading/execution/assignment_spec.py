"""All that grading a submission needs to know of its assignment, as data that can travel.

Chapter: book/instructors/scale.md
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lmcourse.grading.assignment.plan import CodeCell, Planned
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.inventory import NOTHING, Inventory
from lmcourse.grading.withholding.withheld import Withheld


@dataclass(frozen=True, kw_only=True)
class AssignmentSpec:
    """One assignment, as this process, a worker beside it or one on another machine grades it.

    Args:
        plan: in the order of the release.
        reference: the cells of the reference solution, with all tests.
        wanted: the names that the release asks for (`plan.names_to_define`).
        secret: the course secret, from which each test's inputs are drawn.
        files: what the author put beside the notebook.
        unseen: the course's own folders, and whatever else learners' code must not see.
        sandbox: False runs what was handed in unprotected.
    """

    assignment: str = ""
    plan: Sequence[Planned] = ()
    reference: Sequence[CodeCell]
    wanted: frozenset[str]
    secret: bytes
    budgets: Budgets = field(default_factory=Budgets)
    withheld: Withheld = field(default_factory=Withheld)
    files: Mapping[str, bytes] = field(default_factory=dict)
    unseen: Inventory = NOTHING
    sandbox: bool = True

    @property
    def fingerprint(self) -> str:
        """Another one if anything that can change a grade has changed.

        Not where the course lies (`unseen`): it only has to be out of sight.
        """
        said = {
            "assignment": self.assignment,
            "sandbox": self.sandbox,
            "plan": [dataclasses.asdict(cell) for cell in self.plan],
            "reference": [dataclasses.asdict(cell) for cell in self.reference],
            "wanted": sorted(self.wanted),
            "secret": hashlib.sha256(self.secret).hexdigest(),
            "budgets": dataclasses.asdict(self.budgets),
            "withheld": self.withheld.as_json(),
            "files": {n: hashlib.sha256(b).hexdigest() for n, b in self.files.items()},
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
