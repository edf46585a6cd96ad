"""The names that a release asks for; what the reference passes; what its failing means."""

import pytest
from sandbox_processes import SETUP, SMALL

from lmcourse.grading.assignment.plan import CodeCell
from lmcourse.grading.execution import reference_solution
from lmcourse.grading.execution.reference_solution import defined
from lmcourse.grading.execution.sandboxed import SubmissionRun
from lmcourse.grading.sandbox.seeds import seed_for


def test_the_names_of_a_release():
    released = [
        "def attention(q: Tensor) -> Tensor:\n    inner = 1\n    raise NotImplementedError",
        "class Layer(nn.Module):\n    size = 3\nimport math\nfrom torch import nn",
        "answer: int = 3\na, (b, *c) = x\nfor i in y: z = 1\nasync def later(): pass\nw += 1",
    ]
    names = {"attention", "Layer", "answer", "a", "b", "c", "later", "w"}
    assert defined(released) == names
    assert defined([]) == frozenset()


def test_a_release_that_is_no_python_is_refused():
    with pytest.raises(
        ValueError, match=r"a released cell must parse, got .* in line 2 of:\ndef f"
    ):
        defined(["def f():\nreturn 1"])


def test_what_the_reference_does_not_pass_nobody_fails(learners, judges):
    right, odd = "def f(x): return x * 2", "def f(x): return None"
    tests = [
        CodeCell(kind="test", name="good", source="assert f(torch.ones(2)).sum() == 4"),
        CodeCell(kind="test", name="broken", source="f(torch.ones(2)).no_such_method()"),
    ]
    setup = CodeCell(kind="setup", source=SETUP)

    def cells(source):
        return [setup, CodeCell(kind="learner", source=source), *tests]

    wanted = defined([right])
    verdicts = reference_solution.prove(learners, judges, SMALL, cells(right), wanted)
    assert {name: v.verdict for name, v in verdicts.items()} == {
        "good": "passed",
        "broken": "ungraded",
    }
    proven = frozenset(name for name, v in verdicts.items() if v.verdict == "passed")
    with SubmissionRun(learners, judges, SMALL, wanted=wanted, proven=proven) as submission_run:
        got = [submission_run.run(cell) for cell in cells(odd)]
    assert [outcome.verdict for outcome in got[2:]] == ["failed", "ungraded"]


def test_a_seed_needs_a_secret_and_every_label():
    assert seed_for(b"s", "ada", "t") == seed_for(b"s", "ada", "t") < 1 << 63
    others = [(b"x", "ada", "t"), (b"s", "bob", "t"), (b"s", "ada", "u"), (b"s", "adat", "")]
    assert seed_for(b"s", "ada", "t") not in [seed_for(*labels) for labels in others]
    with pytest.raises(ValueError, match="secret must not be empty"):
        seed_for(b"", "ada")
