"""An error in one answer is not charged again: later tests get the author's version of it.

Chapter: book/instructors/sandbox.md

After all tests have run once, those that failed and build on an earlier task that does not hold
run again. In this second run of the notebook, substitutes follow each answer that failed
(`bridge.substitutes`); the author's version behind them runs in the judge's process. What a test
passes so, it passes. Nothing that passed runs again, and no point is lost by it.

Threat: a wrong answer handed in on purpose, to have the author's. Its own task is decided before
the author's version can be called at all, and is not run again. Or to try one's luck a second time:
both runs have the same seeds, and without a call to the author's version the first one counts.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from lmcourse.grading.assignment.dependencies import Dependencies
from lmcourse.grading.assignment.plan import CodeCell, Planned, Task, tasks
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.execution.sandboxed import LOST, SETUP_SECONDS, SubmissionRun
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED, TestOutcome
from lmcourse.grading.sandbox.bubblewrap import SandboxError
from lmcourse.grading.sandbox.budgets import Deadline

_PUT = "from lmcourse.grading.bridge.substitutes import put; put(globals(), {!r}); del put"
_CANNOT = "SubstituteError"  # what a substitute raises that cannot do what it is asked for
Results = list[CellResult | TestOutcome]


class SecondRun(SubmissionRun):
    """A run of a submission in which the author's version may stand behind some names.

    Args:
        author: the sources of the author's cells.
        options: see `SubmissionRun`.
    """

    def __init__(self, *servers: Any, author: Sequence[str], **options: Any):
        super().__init__(*servers, **options)
        self._author, self._allowed = list(author), set()
        self._told: Any = None  # the judge that knows which names are allowed
        self._described: list[dict] = []
        self.called: list[str] = []

    def substitute(self, names: Sequence[str]) -> dict[str, str]:
        """Put the author's version behind these names; why not, for those where it cannot be.

        Raises:
            SandboxError: a process could not be started, or the author's own cells do not run.
        """
        self._allowed |= set(names)
        self._told = None
        if not self._ready():
            return {}
        try:
            self._link_up()
        except LOST as error:
            raise SandboxError(type(error).__name__) from None
        mine = [one for one in self._described if one["name"] in names]
        usable = [one for one in mine if not one["why"]]
        if usable:
            self.run_cell(_PUT.format(usable))
        return {one["name"]: one["why"] for one in mine if one["why"]}

    def _link_up(self) -> None:
        super()._link_up()
        if not self._allowed or self._told is self._judge:
            return
        head = {"op": "author", "sources": self._author, "names": sorted(self._allowed)}
        reply = self._judge.ask(head, Deadline(SETUP_SECONDS, processor=self._judge.worked))
        self._told, self._described = self._judge, reply["described"]
        if not self._described:
            raise SandboxError(f"the author's answers do not run: {reply.get('said')}")

    def _ask_judge(self, source: str, seed: int) -> dict:
        self.called = []
        reply = super()._ask_judge(source, seed)
        self.called = reply.get("called") or []
        return reply


def to_repeat(
    cells: Sequence[CodeCell], results: Results, plan: Sequence[Planned]
) -> dict[str, dict[int, set[str]]]:
    """The tests that failed after an earlier task that failed, and that reach names of its: these.

    It is the learner's cells that decide what is reached: where the author's answer builds on an
    earlier one and the learner's does not, nothing would change.

    Args:
        cells, results: of the submission, and what became of each.
        plan: the author's.
    """
    found = tasks(plan)
    outcomes = _outcomes(cells, results)
    places = _places(found)
    failed = {places[n] for n, outcome in outcomes.items() if n in places and not _whole(outcome)}
    late = [n for n, o in outcomes.items() if o.verdict == FAILED and n in places]
    if not failed or not late:
        return {}
    dependencies = Dependencies(found, cells)
    wanted = {}
    for name in late:
        earlier = dependencies.earlier(places[name])
        if earlier := {place: names for place, names in earlier.items() if place in failed}:
            wanted[name] = earlier
    return wanted


def repeat(
    cells: Sequence[CodeCell],
    results: Results,
    plan: Sequence[Planned],
    wanted: dict[str, dict[int, set[str]]],
    second: SecondRun,
) -> Results:
    """The results, with those of the tests in `wanted` that the author's version changes."""
    results, found = list(results), tasks(plan)
    places = _places(found)
    last = {places[cell.name]: n for n, cell in enumerate(cells) if cell.name in places}
    needed: dict[int, set[str]] = {}
    for earlier in wanted.values():
        for place, names in earlier.items():
            needed.setdefault(place, set()).update(names)
    why_not: dict[str, str] = {}
    ends = [n for n, cell in enumerate(cells) if cell.name in wanted]
    for number, cell in enumerate(cells[: max(ends) + 1]):
        if cell.name in wanted:
            outcome = second.run_test(cell.name, cell.source)
            said = _Said(found, wanted[cell.name], why_not)
            results[number] = said.better(results[number], outcome, second.called)
        elif cell.kind != "test":
            second.run(cell)
        for place in [place for place in needed if last.get(place) == number]:
            if not _holds(found[place], cells, results):
                why_not |= second.substitute(sorted(needed[place]))
    return results


def undecided(
    cells: Sequence[CodeCell], results: Results, wanted: Collection[str], why: str
) -> Results:
    """The results where there was no second run: a person decides what it would have decided."""
    return [
        TestOutcome(
            verdict=UNGRADED,
            seed=result.seed,
            message=f"It failed after an earlier task that failed, and could not be tested on the"
            f" author's version of that: {why}",
        )
        if cell.name in wanted
        else result
        for cell, result in zip(cells, results, strict=True)
    ]


class _Said:
    """What the learner reads of a test that ran again.

    Args:
        earlier: the tasks that it builds on, and the names.
        why_not: for names that have no substitute.
    """

    def __init__(
        self, found: Sequence[Task], earlier: dict[int, set[str]], why_not: dict[str, str]
    ):
        self._labels = {
            name: f"`{name}` of Task {found[place].number}"
            for place, names in sorted(earlier.items())
            for name in sorted(names)
        }
        self._why_not = why_not

    def better(self, first: TestOutcome, second: TestOutcome, called: Sequence[str]) -> TestOutcome:
        """The outcome that counts."""
        named = " and ".join(label for name, label in self._labels.items() if name in called)
        if named and second.verdict == PASSED:
            return replace(
                second,
                carried=f"Graded with the author's {named} in the place of yours, which does not"
                " pass its own tests: an error is charged once.",
            )
        if second.kind == _CANNOT:
            named = named or " and ".join(self._labels.values())
            return self._alone(first, named, second.said)
        if named and second.verdict == FAILED and not second.died:
            return replace(
                second,
                carried=f"Graded with the author's {named} in the place of yours, which does not"
                " pass its own tests: what is said here is about this answer alone.",
            )
        for name, label in self._labels.items():
            if name in self._why_not:
                return self._alone(first, label, self._why_not[name])
        return first

    @staticmethod
    def _alone(first: TestOutcome, named: str, why: str) -> TestOutcome:
        return replace(
            first,
            carried=f"This answer builds on {named}, which does not pass its own tests. It could"
            f" not be graded with the author's version instead: {why}.",
        )


def author_sources(reference: Sequence[CodeCell]) -> list[str]:
    """The author's cells, without tests."""
    return [cell.source for cell in reference if cell.kind != "test"]


def _outcomes(cells: Sequence[CodeCell], results: Results) -> dict[str, TestOutcome]:
    pairs = zip(cells, results, strict=True)
    return {cell.name: result for cell, result in pairs if isinstance(result, TestOutcome)}


def _places(found: Sequence[Task]) -> dict[str, int]:
    return {cell.name: place for place, task in enumerate(found) for cell in task.cells}


def _whole(outcome: TestOutcome) -> bool:
    return outcome.verdict == PASSED and outcome.fraction >= 1.0


def _holds(task: Task, cells: Sequence[CodeCell], results: Results) -> bool:
    own = {cell.name for cell in task.cells}
    return all(_whole(o) for name, o in _outcomes(cells, results).items() if name in own)
