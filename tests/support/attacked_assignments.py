"""An attack on one test of the course's own assignments, graded as `lmcourse grade` does it."""

from functools import cache
from pathlib import Path

from attacks.assignments import Attack

from lmcourse.grading.assignment.author import reference_cells
from lmcourse.grading.assignment.notebooks import read_cells, withheld_from
from lmcourse.grading.assignment.plan import CodeCell, Planned, names_to_define, stated_plan
from lmcourse.grading.execution.assignment_spec import AssignmentSpec
from lmcourse.grading.execution.warm_servers import WarmServers
from lmcourse.grading.outcomes import TestOutcome
from lmcourse.grading.sandbox.inventory import of_course

ROOT = Path(__file__).resolve().parents[2]


def graded(servers: WarmServers, attack: Attack, student: str = "attacker") -> TestOutcome:
    """What becomes of the test that the attack is after; each student has inputs of their own."""
    return _outcome(servers, attack, {attack.answer: attack.source}, student)


def of_the_author(servers: WarmServers, attack: Attack) -> TestOutcome:
    """What becomes of it for the author's own answer."""
    return _outcome(servers, attack, {}, "attacker")


def servers_for(slug: str, test: str) -> WarmServers:
    """Warm servers that know one test of an assignment, and all answers before it."""
    return WarmServers(
        AssignmentSpec(
            assignment=slug,
            reference=_cells(slug, test),
            wanted=names_to_define(_plan(ROOT / f"exercises/{slug}/{slug}.ipynb")),
            secret=b"a secret of these attacks",
            withheld=withheld_from(_solution(slug)),
            unseen=of_course(root=ROOT, config={}),
        )
    )


def _outcome(
    servers: WarmServers, attack: Attack, answers: dict[str, str], student: str
) -> TestOutcome:
    cells = [
        CodeCell(kind=cell.kind, name=cell.name, source=answers.get(cell.name, cell.source))
        for cell in _cells(attack.slug, attack.test)
    ]
    return servers.grade(student, cells)[-1]


@cache
def _cells(slug: str, test: str) -> list[CodeCell]:
    solution = _solution(slug)
    cells = reference_cells(solution, _plan(solution))
    end = next(n for n, cell in enumerate(cells) if cell.name == test)
    return [cell for cell in cells[:end] if cell.kind != "test"] + [cells[end]]


def _plan(notebook: Path) -> list[Planned]:
    return stated_plan(read_cells(notebook))


def _solution(slug: str) -> Path:
    return ROOT / f"solutions/{slug}/{slug}.ipynb"
