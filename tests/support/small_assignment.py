"""An assignment of one cell and one test, with no notebook behind it."""

from lmcourse.grading.assignment.notebooks import Cell
from lmcourse.grading.assignment.plan import CodeCell, Planned
from lmcourse.grading.execution.assignment_spec import AssignmentSpec

CELLS = [Cell(kind="code", source="def f(): return 1", claims={"grade_id": "f"})]
SPEC = AssignmentSpec(
    assignment="tiny",
    plan=[Planned(name="test_f", kind="code", source="assert f() == 1", graded=True, points=2.0)],
    reference=[CodeCell(kind="test", source="assert f() == 1", name="test_f")],
    wanted=frozenset({"f"}),
    secret=b"a secret of the course",
    files={"data.csv": b"1,2"},
)
