"""One worker's warm servers: proof first, then submission after submission, whatever dies."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest
from sandbox_processes import SETUP, SMALL

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.bridge import JUDGE, LEARNER
from lmcourse.grading.execution import warm_servers as warm_servers_module
from lmcourse.grading.execution.assignment_spec import AssignmentSpec
from lmcourse.grading.execution.sandboxed import SubmissionRun
from lmcourse.grading.execution.warm_servers import WarmServers, prove
from lmcourse.grading.outcomes import TestOutcome
from lmcourse.grading.sandbox.bubblewrap import SandboxError
from lmcourse.grading.sandbox.inventory import of_course
from lmcourse.grading.sandbox.processes import ForkServer
from lmcourse.grading.withholding.withheld import Withheld

TEST = "close(f(torch.ones(2, 3)), torch.ones(2, 3).softmax(-1))"


def cells(answer):
    return [
        CodeCell(kind="setup", source=SETUP),
        CodeCell(kind="learner", source=answer),
        CodeCell(kind="test", name="test_f", source=TEST),
        CodeCell(kind="test", name="test_data", source="assert f(open('given.txt').read()) == 1"),
    ]


def outcomes(results):
    return [result.verdict for result in results if isinstance(result, TestOutcome)]


@pytest.fixture(scope="module")
def warm_servers():
    right = "def f(x):\n    e = x.exp()\n    return e / e.sum(-1, keepdim=True)"
    withheld = Withheld(names=("lmcourse.neurons.softmax",), operators=("_?softmax",))
    spec = AssignmentSpec(
        reference=cells(right),
        wanted=frozenset({"f"}),
        secret=b"a secret",
        budgets=SMALL,
        withheld=withheld,
        files={"given.txt": b"1"},
    )
    with WarmServers(spec) as warm_servers:
        yield warm_servers


def test_the_proof_says_what_can_be_graded(warm_servers):
    # The second test opens a file where the judge has none: the author's mistake, nobody's zero.
    got = warm_servers.grade("ada/softmax", cells("def f(x): return x.softmax(-1)"))
    assert [v.verdict for v in warm_servers.proof.values()] == ["passed", "ungraded"]
    assert outcomes(got) == ["failed", "ungraded"]
    assert "softmax is withheld" in got[2].said


def test_the_files_lie_beside_the_learners_code(warm_servers):
    got = warm_servers.grade(
        "ada/softmax", [CodeCell(kind="learner", source="print(open('given.txt').read())")]
    )
    assert got[0].outputs[0]["text"] == "1\n"


def test_a_server_that_died_is_replaced_before_the_next_submission(warm_servers):
    right = cells("def f(x): return x.exp() / x.exp().sum(-1, keepdim=True)")
    warm_servers._servers[0]._process.kill()
    warm_servers._servers[0]._process.wait()
    assert outcomes(warm_servers.grade("ada/softmax", right))[0] == "passed"


def test_the_seed_of_a_test_depends_on_its_submission(warm_servers):
    right = cells("def f(x): return x.exp() / x.exp().sum(-1, keepdim=True)")
    seeds = [warm_servers.grade(who, right)[2].seed for who in ("ada", "bob", "ada")]
    assert seeds[0] == seeds[2] != seeds[1]


def test_sets_have_the_order_that_the_secret_gives_them():
    """On the learner's side as well: what an answer makes of a set comes again."""
    letters = "''.join({chr(i) for i in range(97, 123)})"
    cells = [
        CodeCell(kind="setup", source=SETUP),
        CodeCell(kind="learner", source="seen = []\ndef f(x):\n    seen.append(x)"),
        CodeCell(kind="test", name="t", source=f"f({letters})"),
        CodeCell(kind="learner", source=f"print(*seen, {letters})"),
    ]

    def orders(secret):
        spec = AssignmentSpec(reference=cells, wanted=frozenset({"f"}), secret=secret)
        with WarmServers(spec) as warm_servers:
            [printed] = warm_servers.grade("ada", cells)[3].outputs
        return printed["text"].split()

    judges, learners = orders(b"a secret")
    assert judges != learners  # what one knows tells nothing about the other
    assert orders(b"a secret") == [judges, learners]
    assert not {*orders(b"another")} & {judges, learners}


def test_what_the_reference_does_not_pass_nobody_fails(learners, judges):
    right, odd = "def f(x): return x * 2", "def f(x): return None"
    tests = [
        CodeCell(kind="test", name="good", source="assert f(torch.ones(2)).sum() == 4"),
        CodeCell(kind="test", name="broken", source="f(torch.ones(2)).no_such_method()"),
    ]
    setup, wanted = CodeCell(kind="setup", source=SETUP), frozenset({"f"})

    def cells(source):
        return [setup, CodeCell(kind="learner", source=source), *tests]

    verdicts = prove(learners, judges, SMALL, cells(right), wanted)
    assert {name: v.verdict for name, v in verdicts.items()} == {
        "good": "passed",
        "broken": "ungraded",
    }
    proven = frozenset(name for name, v in verdicts.items() if v.verdict == "passed")
    with SubmissionRun(learners, judges, SMALL, wanted=wanted, proven=proven) as submission_run:
        got = [submission_run.run(cell) for cell in cells(odd)]
    assert [outcome.verdict for outcome in got[2:]] == ["failed", "ungraded"]


class Server(ForkServer):
    """What a fork server is to those who keep it warm; nothing is started."""

    alive = True

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.alive = False


class Proofs(list):
    """With the servers on which they were tried."""


@pytest.fixture
def proofs(monkeypatch):
    """What each proof comes to, first of all; one that is an error is raised."""
    proofs, servers = Proofs(), []

    def proved(*given, **_):
        servers.append(given[:2])
        proof = proofs.pop(0)
        if isinstance(proof, Exception):
            raise proof
        return {name: TestOutcome(verdict=verdict) for name, verdict in proof.items()}

    monkeypatch.setattr(warm_servers_module, "ForkServer", Server)
    monkeypatch.setattr(warm_servers_module, "prove", proved)
    monkeypatch.setattr(warm_servers_module.bubblewrap, "require_unseen", lambda unseen: None)
    proofs.servers = servers
    return proofs


@pytest.fixture
def kept():
    spec = AssignmentSpec(reference=[], wanted=frozenset(), secret=b"a secret", budgets=SMALL)
    with WarmServers(spec) as kept:
        yield kept


def test_servers_without_a_proof_are_not_kept(kept, proofs):
    """Or a test that the author's own answers fail would fail everybody."""
    proofs += [OSError(errno.EMFILE, "Too many open files"), *2 * [{"t": "failed", "u": "passed"}]]
    with pytest.raises(OSError, match="Too many"):
        kept._ready()
    assert not any(server.alive for server in proofs.servers[0])
    servers = kept._ready()
    assert all(server.alive for server in servers)
    assert (kept._proven, {*kept.proof}) == ({"u"}, {"t", "u"})
    assert kept._ready() is servers  # and it was not proved once more
    assert not proofs


def test_what_the_machine_spoils_once_is_no_broken_test(kept, proofs):
    proofs += [{"t": "ungraded", "u": "passed"}, {"t": "passed", "u": "ungraded"}]
    kept._ready()
    assert kept._proven == {"t", "u"}


def test_a_server_that_cannot_be_started_leaves_no_other_behind(kept, proofs, monkeypatch):
    started = []

    class Full(Server):
        def __init__(self, *_, **__):
            if started:
                raise OSError(errno.ENOMEM, "Cannot allocate memory")
            started.append(self)

    monkeypatch.setattr(warm_servers_module, "ForkServer", Full)
    with pytest.raises(OSError, match="memory"):
        kept._ready()
    assert not started[0].alive


def test_nothing_starts_where_learners_would_see_the_course(monkeypatch):
    """On a worker of a cluster, say: each looks with its own eyes."""
    started = []
    monkeypatch.setattr(warm_servers_module, "ForkServer", lambda *a, **k: started.append(a))
    unseen = of_course(root=Path("/usr/lib"), config={})
    spec = AssignmentSpec(reference=[], wanted=frozenset(), secret=b"a secret", unseen=unseen)
    with (
        WarmServers(spec) as servers,
        pytest.raises(SandboxError, match="could read the folder of the course /usr/lib: "),
    ):
        servers.grade("ada/softmax", [])
    assert started == []


@pytest.mark.parametrize(
    ("answer", "withheld", "learner", "judge"),
    [
        ("def f(x): return x", Withheld(), [], ["comparisons"]),
        (
            "def f(x): return torch.optim.SGD([x], 1.0)",
            Withheld(),
            ["optimizers"],
            ["comparisons", "optimizers"],
        ),
        # All that can be withheld is there when it is.
        (
            "def f(x): return x",
            Withheld(operators=("_?softmax",)),
            ["comparisons", "optimizers"],
            ["comparisons"],
        ),
        (
            "def f(x): return x",
            Withheld(attributes=("torch.nn.LSTM",)),
            ["comparisons", "optimizers"],
            ["comparisons"],
        ),
        ("def f(x): return x", Withheld(names=("lmcourse.gpt",)), [], ["comparisons"]),
    ],
)
def test_servers_load_ahead_what_their_assignment_calls(answer, withheld, learner, judge):
    spec = AssignmentSpec(
        reference=cells(answer), wanted=frozenset({"f"}), secret=b"a", withheld=withheld
    )
    assert warm_servers_module._ahead(spec) == (learner, judge)


def test_what_a_server_has_not_loaded_ahead_its_fork_loads():
    patient = replace(SMALL, call_seconds=20.0, test_seconds=20.0)
    loaded = "import sys\nprint('torch._dynamo' in sys.modules, 'sympy' in sys.modules)"
    answer = "def f(x):\n    torch.optim.AdamW([torch.nn.Parameter(x)])\n    return x"
    with (
        ForkServer(LEARNER, ahead=()) as learners,
        ForkServer(JUDGE, ahead=()) as judges,
        SubmissionRun(learners, judges, patient, wanted=frozenset({"f"})) as run,
    ):
        run.run_setup(SETUP)
        assert run.run_cell(loaded).outputs[0]["text"] == "False False\n"
        run.run_cell(answer)
        got = run.run_test("t", "close(f(torch.ones(2)), torch.ones(2))")
    assert got.verdict == "passed", got
