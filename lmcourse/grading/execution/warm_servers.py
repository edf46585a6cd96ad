"""All that one worker keeps warm to grade one assignment, submission after submission.

Chapter: book/instructors/sandbox.md

Threat: a fork server that has died (the machine ran out of memory, say) would fail everybody after
it. It is replaced before the next submission. Servers belong to one thread: the sandbox ends with
the thread that started it.

Threat: a test that stumbles – over its own mistake, a library of another version, a defect of the
bridge – would cost every learner points. So the reference solution is run first: what it does not
pass here, nobody fails here; it "could not be graded". That also keeps the learner's odd data from
passing for a broken test: where the reference passed, stumbling is the learner's.
"""

import atexit
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.bridge import JUDGE, LEARNER
from lmcourse.grading.execution import carried_forward
from lmcourse.grading.execution.assignment_spec import AssignmentSpec
from lmcourse.grading.execution.carried_forward import SecondRun
from lmcourse.grading.execution.cell_results import CellResult
from lmcourse.grading.execution.sandboxed import SubmissionRun
from lmcourse.grading.outcomes import PASSED, TestOutcome
from lmcourse.grading.sandbox import bubblewrap
from lmcourse.grading.sandbox.bubblewrap import SandboxError
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.processes import AHEAD, COMPARISONS, OPTIMIZERS, ForkServer
from lmcourse.grading.sandbox.seeds import hash_seed, seed_for
from lmcourse.grading.withholding.course_package import stub_tree

_QUICK = 0.25  # of its seconds are little for a test


class WarmServers:
    """Fork servers, and the proof that the tests can be passed here.

    Args:
        spec: of the assignment.
    """

    def __init__(self, spec: AssignmentSpec):
        self._spec = spec
        self._folder = tempfile.TemporaryDirectory(prefix="lmcourse-")
        package = Path(self._folder.name) / bubblewrap.PACKAGE.name
        self._package = stub_tree(bubblewrap.PACKAGE, package, self._spec.withheld)
        self._servers: list[ForkServer] = []
        self.proof: dict[str, TestOutcome] = {}
        # The tests that the reference solution passed, and those for which it needed little time.
        self._proven: frozenset[str] = frozenset()
        self._quick: frozenset[str] = frozenset()

    def __enter__(self) -> "WarmServers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started."""
        self._end_servers()
        self._folder.cleanup()

    def grade(self, submission: str, cells: Sequence[CodeCell]) -> list[CellResult | TestOutcome]:
        """What became of each cell, in order: of a test its outcome, of others what they showed.

        Args:
            submission: who handed in what; the inputs of tests depend on it.

        Raises:
            SandboxError: there is no sandbox here, with what to do about it.
        """
        servers = self._ready()
        options = {
            "wanted": self._spec.wanted,
            "seed": self._seed(submission),
            "files": self._spec.files,
            "proven": self._proven,
            "quick": self._quick,
            "broken": frozenset(self.proof) - self._proven,
        }
        with SubmissionRun(*servers, self._spec.budgets, **options) as submission_run:
            results = [submission_run.run(cell) for cell in cells]
            left = submission_run.left
        return self._carried_forward(cells, results, left, servers, options)

    def _carried_forward(
        self,
        cells: Sequence[CodeCell],
        results: carried_forward.Results,
        left: float,
        servers: Sequence[ForkServer],
        options: dict[str, Any],
    ) -> carried_forward.Results:
        """The results once no error is charged twice."""
        spec = self._spec
        wanted = carried_forward.to_repeat(cells, results, spec.plan)
        if not wanted or left <= 0:
            return results
        author = carried_forward.author_sources(spec.reference)
        budgets = replace(spec.budgets, total_seconds=left)
        try:
            with SecondRun(*servers, budgets, author=author, **options) as second:
                return carried_forward.repeat(cells, results, spec.plan, wanted, second)
        except SandboxError as error:
            return carried_forward.undecided(cells, results, wanted, str(error))

    def _seed(self, submission: str) -> Callable[[str], int]:
        """The seed of each test's inputs, from its name; the author's own answer has no name."""
        return lambda name: seed_for(self._spec.secret, submission, name)

    def _ready(self) -> list[ForkServer]:
        """Both servers, with the proof of what was started last: together, or not at all."""
        if self._servers and all(server.alive for server in self._servers):
            return self._servers
        self._end_servers()
        spec = self._spec
        bubblewrap.require_unseen(spec.unseen)
        # A seed for each side: code in the sandbox can read its own.
        for_learner, for_judge = _ahead(spec)
        learner = {
            "package": self._package,
            "withheld": spec.withheld,
            "hash_seed": hash_seed(spec.secret, LEARNER),
            "ahead": for_learner,
        }
        judge = {"hash_seed": hash_seed(spec.secret, JUDGE), "ahead": for_judge}
        with ExitStack() as started:
            servers = [
                started.enter_context(ForkServer(side, unseen=spec.unseen, **options))
                for side, options in ((LEARNER, learner), (JUDGE, judge))
            ]
            proof = self._prove(servers)
            started.pop_all()
        passed = {name: one for name, one in proof.items() if one.verdict == PASSED}
        little = spec.budgets.test_seconds * _QUICK
        self._proven = frozenset(passed)
        self._quick = frozenset(name for name, one in passed.items() if one.worked <= little)
        self.proof, self._servers = proof, servers
        return servers

    def _prove(self, servers: Sequence[ForkServer]) -> dict[str, TestOutcome]:
        """The proof. What the machine spoils once – for a moment it had no memory, say – would be
        a broken test for the whole class, so it takes two tries to call one broken.
        """
        spec, seed = self._spec, self._seed("")
        proof = prove(*servers, spec.budgets, spec.reference, spec.wanted, seed=seed)
        if all(outcome.verdict == PASSED for outcome in proof.values()):
            return proof
        again = prove(*servers, spec.budgets, spec.reference, spec.wanted, seed=seed)
        return {n: again[n] if again[n].verdict == PASSED else one for n, one in proof.items()}

    def _end_servers(self) -> None:
        for server in self._servers:
            server.close()
        self._servers = []


def _ahead(spec: AssignmentSpec) -> tuple[list[str], list[str]]:
    """What the learner's server loads ahead, and the judge's: what this assignment calls.

    Where something of torch's is withheld the learner's loads all: it is emptied where it stands,
    and what would be loaded later has to be emptied in another way (`torch_files`).
    """
    optimizers = [OPTIMIZERS] if any("optim" in cell.source for cell in spec.reference) else []
    withholds = bool(spec.withheld.operators or spec.withheld.attributes)
    return [*AHEAD] if withholds else optimizers, [COMPARISONS, *optimizers]


def prove(
    learners: ForkServer,
    judges: ForkServer,
    budgets: Budgets,
    reference: Sequence[CodeCell],
    wanted: frozenset[str],
    seed: Callable[[str], int] | None = None,
) -> dict[str, TestOutcome]:
    """The reference solution's outcomes; the tests among them that passed may fail a learner."""
    with SubmissionRun(learners, judges, budgets, wanted=wanted, seed=seed) as submission_run:
        results = [(cell.name, submission_run.run(cell)) for cell in reference]
    return {name: result for name, result in results if isinstance(result, TestOutcome)}


# At most one for each thread, of the assignment that it grades: a sandbox ends with the thread
# that started it, and a worker of a cluster may have several.
_kept: dict[int, tuple[AssignmentSpec, WarmServers]] = {}
_runs: dict[int, str] = {}  # for which run a thread grades, where a worker serves several
_lock = threading.Lock()  # of both: a run that ends closes its own from another thread


def claim(run: str) -> None:
    """From now on this thread grades for this run; what it keeps does not end with another's."""
    with _lock:
        _runs[threading.get_ident()] = run


def kept_for(spec: AssignmentSpec) -> WarmServers:
    """Those of this thread and assignment, started once and kept until another one is graded."""
    thread = threading.get_ident()
    with _lock:
        known, servers = _kept.get(thread, (None, None))
        if servers is not None and known == spec:
            return servers
        fresh = WarmServers(spec)
        _kept[thread] = spec, fresh
    if servers is not None:
        servers.close()
    atexit.unregister(close)
    atexit.register(close)
    return fresh


def close(run: str | None = None) -> None:
    """End all that are kept; with a run, those of threads that graded for it last."""
    with _lock:
        ended = [thread for thread in _kept if run is None or _runs.get(thread) == run]
        closing = [_kept.pop(thread)[1] for thread in ended]
    for servers in closing:
        servers.close()
