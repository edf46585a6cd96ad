"""All that one worker keeps warm to grade one assignment, submission after submission.

Chapter: book/instructors/sandbox.md

Threat: a fork server that has died (the machine ran out of memory, say) would fail everybody after
it. It is replaced before the next submission, and what the reference solution passes is tried once
more. A workshop belongs to one thread: the sandbox ends with the thread that started it.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.bridge import JUDGE, STUDENT
from lmcourse.grading.execution.outcomes import Verdict
from lmcourse.grading.execution.reference import prove
from lmcourse.grading.execution.replies import Ran
from lmcourse.grading.execution.sandboxed import Bench
from lmcourse.grading.sandbox import bubblewrap
from lmcourse.grading.sandbox.budgets import Budgets
from lmcourse.grading.sandbox.processes import ForkServer
from lmcourse.grading.sandbox.seeds import seed_for
from lmcourse.grading.sandbox.withhold import Withheld, stub_tree


class Workshop:
    """Fork servers, and the proof that the tests can be passed here.

    Args:
        reference: the cells of the reference solution, with all tests.
        wanted: the names that the release asks for (`reference.defined`).
        secret: the course secret, from which each test's inputs are drawn.
        files: what the author put beside the notebook.
        hidden: the course's own folders, should Python's hold them.
    """

    def __init__(
        self,
        reference: Sequence[CodeCell],
        wanted: frozenset[str],
        *,
        secret: bytes,
        budgets: Budgets | None = None,
        withheld: Withheld | None = None,
        files: Mapping[str, bytes] | None = None,
        hidden: Sequence[Path] = (),
    ):
        self._reference, self._wanted, self._secret = list(reference), wanted, secret
        self._budgets, self._withheld = budgets or Budgets(), withheld or Withheld()
        self._files, self._hidden = dict(files or {}), list(hidden)
        self._folder = tempfile.TemporaryDirectory(prefix="lmcourse-")
        package = Path(self._folder.name) / bubblewrap.PACKAGE.name
        self._package = stub_tree(bubblewrap.PACKAGE, package, self._withheld)
        self._servers: list[ForkServer] = []
        self.proof: dict[str, Verdict] = {}

    def __enter__(self) -> "Workshop":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started."""
        for server in self._servers:
            server.close()
        self._servers = []
        self._folder.cleanup()

    def grade(
        self,
        submission: str,
        cells: Sequence[CodeCell],
        on_cell: Callable[[int], None] = lambda index: None,
    ) -> list[Ran | Verdict]:
        """What became of each cell, in order: of a test a verdict, of others what they showed.

        Args:
            submission: who handed in what; the inputs of tests depend on it.

        Raises:
            SandboxError: there is no sandbox here, with what to do about it.
        """
        students, judges = self._ready()
        results: list[Ran | Verdict] = []
        with Bench(
            students,
            judges,
            self._budgets,
            wanted=self._wanted,
            seed=lambda name: seed_for(self._secret, submission, name),
            files=self._files,
            proven=self._proven,
            broken=frozenset(self.proof) - self._proven,
        ) as bench:
            for index, cell in enumerate(cells):
                on_cell(index)
                results.append(bench.run(cell.kind, cell.source, cell.name))
        return results

    @property
    def _proven(self) -> frozenset[str]:
        return frozenset(n for n, verdict in self.proof.items() if verdict.outcome == "passed")

    def _ready(self) -> list[ForkServer]:
        if self._servers and all(server.alive for server in self._servers):
            return self._servers
        for server in self._servers:
            server.close()
        student = ForkServer(
            STUDENT, package=self._package, withheld=self._withheld, hidden=self._hidden
        )
        self._servers = [student, ForkServer(JUDGE, hidden=self._hidden)]
        self.proof = prove(*self._servers, self._budgets, self._reference, self._wanted)
        return self._servers
