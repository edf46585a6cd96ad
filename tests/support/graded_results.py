"""One learner's graded notebook, with something evil wherever a learner can write."""

import json
import warnings

from tiny_course import solution

from lmcourse.grading.assignment.notebooks import parse_cells
from lmcourse.grading.assignment.plan import stated_plan, tasks

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from lmcourse.grading.gradebook.results import Grade, Result

TASKS = tasks(stated_plan(parse_cells(json.dumps(solution()).encode())))
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def answer_cell(source: str) -> dict:
    own = {"grade_id": "double", "solution": True}
    error = {"output_type": "error", "ename": "ValueError", "evalue": EVIL, "traceback": []}
    return {"source": source, "metadata": {"nbgrader": own}, "outputs": [error]}


def locked_cell(source: str) -> dict:
    own = {"grade_id": "test_double", "grade": True, "locked": True}
    return {"source": source, "metadata": {"nbgrader": own}, "outputs": []}


def result(student="ada", *, why_waits=True, by_person=False, comment="", **test_double) -> Result:
    first = {"points": 2.0, "verdict": "passed", **test_double}
    return Result(
        student=student,
        grades=[
            Grade(name="test_double", of=2.0, **first),
            Grade(name="test_square", points=0.0, of=3.0, verdict="failed", message=EVIL),
            Grade(
                name="why",
                points=0.0,
                of=1.0,
                waiting=why_waits,
                by_person=by_person,
                comment=comment,
            ),
        ],
        notes=[f"the cell {EVIL} was missing"],
        cells=[answer_cell(f"def double(x): return '{EVIL}'"), locked_cell("SECRET = 7")],
    )
