"""A test that counting its calls would pass is found; others are let alone."""

import textwrap

import pytest

from lmcourse.grading.assignment.fixed_verdicts import fixed_verdicts

FIXED = {
    "one after the other": "assert is_even(2)\nassert not is_even(3), 'three is odd'",
    "compared": "assert is_even(2) is True\nassert is_even(3) == False",
    "by name": "verdict = is_even(2)\nassert verdict\nother = is_even(3)\nassert not other",
    "in one line": "assert is_even(2) and not is_even(3)",
    "in a loop": "for n in (2, 4, 6):\n    assert is_even(n)",
    "over functions": """
        def right(x): return x
        def wrong(x): return -x
        for candidate in (right, wrong):
            assert not is_even(candidate)
    """,
    "from a table": "for n, want in [(2, True), (3, False)]:\n    assert is_even(n) == want",
    "with inputs of chance": "for n in torch.randint(9, (5,)).tolist():\n    assert is_even(2 * n)",
    "all at once": "assert all(is_even(n) for n in (2, 4))",
    "of a list": "assert all([is_even(2), bool(is_even(4))])",
    "by a function of the test": """
        def says(n):
            return is_even(n)
        assert says(2)
        assert not says(3)
    """,
    "in a function of the test": "def check(n):\n    assert is_even(n)\ncheck(2)",
}
FREE = {
    "through verdicts": """
        said = verdicts(is_even, [2, 3, 4])
        assert said[0] and said[2]
        assert not said[1]
    """,
    "one alone": "assert is_even(2)\nclose(double(2), 4)",
    "answers that are no verdict": "for n in (1, 2):\n    assert double(n) == 2 * n",
    "wanted answers that are computed": "for n in (2, 3):\n    assert is_even(n) == (n % 2 == 0)",
    "what is asked of an answer": "x = double(2)\nassert x.any()\nassert not x.isnan().any()",
    "functions of the test": "assert isinstance(2, int)\nassert not isinstance('', int)",
    "a probe": """
        @probe
        def seen(function):
            return function(1)
        assert seen(is_even)
        assert not seen(double)
    """,
    "no Python": "assert is_even(2\n",
}


@pytest.mark.parametrize("name", FIXED)
def test_a_fixed_sequence_is_found(name):
    assert fixed_verdicts(textwrap.dedent(FIXED[name]).strip(), {"is_even", "double"})


@pytest.mark.parametrize("name", FREE)
def test_what_counting_does_not_pass_is_let_alone(name):
    assert fixed_verdicts(textwrap.dedent(FREE[name]).strip(), {"is_even", "double"}) == []


def test_its_lines_are_told():
    assert fixed_verdicts("assert f(1)\n\nassert not f(2)\nassert g(3)", {"f"}) == [1, 3]
