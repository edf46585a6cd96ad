"""An assignment of one cell and one test, with no notebook behind it."""

from lmcourse.grading.assignment.notebooks import Cell
from lmcourse.grading.assignment.plan import CodeCell, Planned
from lmcourse.grading.execution.submission import Kit
from lmcourse.grading.execution.worker import Brief
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.withhold import Withheld

CELLS = [Cell(kind="code", source="def f(): return 1", claims={"grade_id": "f"})]
BRIEF = Brief(
    reference=[CodeCell(kind="test", source="assert f() == 1", name="test_f")],
    wanted=frozenset({"f"}),
    secret=b"a secret of the course",
    budgets=Budgets(),
    withheld=Withheld(),
    files={"data.csv": b"1,2"},
    hidden=[],
)
KIT = Kit(
    assignment="tiny",
    plan=[Planned(name="test_f", kind="code", source="assert f() == 1", graded=True, points=2.0)],
    brief=BRIEF,
)
