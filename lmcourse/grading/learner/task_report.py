"""What `lmcourse check` says of a task and of all of them.

Chapter: book/setup.md
"""

from dataclasses import dataclass, field
from enum import StrEnum

from lmcourse.grading.assignment.plan import Task


class State(StrEnum):
    """How a task stands."""

    HOLDS = "holds"
    FAILS = "fails"
    WAITS = "waits"  # for an earlier task that it uses
    OPEN = "open"  # not started
    BY_HAND = "by hand"  # a person decides


@dataclass(kw_only=True)
class TaskReport:
    """One task: whether it holds, and if not, the likely cause."""

    task: Task
    state: State = State.HOLDS
    causes: list[str] = field(default_factory=list)
    blank: bool = False  # nothing was written where a person will read
    beside: list[str] = field(default_factory=list)  # blank answers that have text beside them
    ran: bool = True  # its own cells raised no error
    waits_for: list[int] = field(default_factory=list)  # the numbers of earlier tasks
    awarded: dict[str, float] = field(default_factory=dict)  # shares of points, by test
    partly: bool = False  # of its test cells some hold and some do not

    @property
    def points(self) -> float:
        """Those of the tests that hold."""
        if self.state != State.HOLDS and not self.partly:
            return 0.0
        return sum((c.points * self.awarded.get(c.name, 1.0) for c in self.task.graded), 0.0)


@dataclass(kw_only=True)
class CheckReport:
    """All tasks, and what is wrong with the notebook besides them."""

    tasks: list[TaskReport]
    warnings: list[str]

    @property
    def points(self) -> float:
        """What the tasks that hold give."""
        return sum((verdict.points for verdict in self.tasks), 0.0)

    @property
    def testable(self) -> float:
        """What all tasks with tests give."""
        return sum((v.task.promised for v in self.tasks if v.state != State.BY_HAND), 0.0)

    @property
    def by_hand(self) -> float:
        """What a person decides."""
        return sum((v.task.promised for v in self.tasks if v.state == State.BY_HAND), 0.0)

    @property
    def passed(self) -> bool:
        """Whether every visible test holds and all of them are there."""
        return all(v.state in (State.HOLDS, State.BY_HAND) for v in self.tasks)
