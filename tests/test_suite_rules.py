"""Tests, pages and notebooks obey the rules of suite_rules.py; and the rules can fail."""

import json
import re
from pathlib import Path

import pytest
import suite_rules as rules
from book_pages import ROOT, all_pages, read_page

TESTS = sorted((ROOT / "tests").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "solutions").rglob("*.ipynb"))
MODULES = rules.modules_of(ROOT / "lmcourse")

each_test_file = pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
each_page = pytest.mark.parametrize("slug", all_pages())
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def of_test(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def of_page(slug: str) -> str:
    return as_python(read_page(slug).cells)


def of_notebook(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return as_python("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def as_python(cells) -> str:
    """One source of all cells, without the lines that only Jupyter understands."""
    return re.sub(r"^(\s*)[!%].*$", r"\1pass", "\n".join(cells), flags=re.MULTILINE)


# ---------------------------------------------------------------- floats


@each_test_file
def test_tests_compare_floats_with_a_tolerance(path):
    assert rules.exact_comparisons(of_test(path)) == []


@each_page
def test_pages_compare_floats_with_a_tolerance(slug):
    assert rules.exact_comparisons(of_page(slug)) == []


@each_notebook
def test_notebooks_compare_floats_with_a_tolerance(path):
    assert rules.exact_comparisons(of_notebook(path)) == []


@pytest.mark.parametrize(
    "line",
    [
        "assert torch.equal(a @ b, c)",
        "assert all(torch.equal(a, b) for a, b in pairs)",
        "assert (a == b).all()",
        "assert not (a != b).any()",
        "assert torch.all(a == b)",
        "assert np.array_equal(a, b)",
        "assert f(x) == 0.25",
        "assert [f(x), n] == [-0.25, 3]",
        "assert loss.item() == other",
        "assert a.tolist() == b.tolist()",
        "assert result.best_loss == evaluate(model, ids)",
        "torch.testing.assert_close(a, b, rtol=0, atol=0)",
        "same = x.norm() > 1 and before.norm == after.norm",
        "if probs[0] == 0.5:\n    pass",
        "# exactly so\nassert torch.equal(a, b)",
    ],
)
def test_a_comparison_to_the_last_bit_is_found(line):
    assert len(rules.exact_comparisons(f"import torch\nimport numpy as np\n{line}")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "torch.testing.assert_close(a, b)",
        "torch.testing.assert_close(a, b, rtol=0, atol=1e-6)",
        "assert loss.item() == pytest.approx(0.25)",
        "assert torch.equal(a, b)  # exact: ids",
        "# exact: copies\nassert torch.equal(a, b)",
        "assert [\n    # exact: copies\n    torch.equal(a, b)\n]",
        "assert ids.tolist() == [[1, 2], [3, 4]]",
        "assert n_weights == 12 and config.norm == 'layer' and loss is None",
        "assert not torch.equal(a, b)",
        "assert loss < 0.25 and loss != other",
        "assert 0.5 + 0.5 == 1.0",
    ],
)
def test_a_comparison_with_a_tolerance_or_a_reason_passes(line):
    assert rules.exact_comparisons(f"import torch\n{line}") == []


def test_a_reason_holds_for_its_statement_alone():
    source = "import torch\nassert torch.equal(a, b)  # exact: ids\n\nassert torch.equal(c, d)"
    assert rules.exact_comparisons(source) == [
        "line 4: equal compares to the last bit, without a reason"
    ]
    inside = "import torch\nfor a in b:  # exact: ids\n    c = a\n    assert torch.equal(c, d)"
    assert len(rules.exact_comparisons(inside)) == 1


def test_code_that_knows_no_tensors_may_count_points():
    assert rules.exact_comparisons("assert points == 2.5") == []


# ---------------------------------------------------------------- random numbers


@each_test_file
def test_nothing_random_is_made_when_a_test_is_collected(path):
    assert rules.drawn_on_import(of_test(path), MODULES) == []


@each_page
def test_a_page_sets_a_seed_before_it_draws(slug):
    assert rules.drawn_before_a_seed(of_page(slug), MODULES) == []


@each_notebook
def test_a_notebook_draws_nothing_where_a_function_is_defined(path):
    assert rules.drawn_at_definition(of_notebook(path), MODULES) == []


def test_the_modules_of_the_course_are_known():
    assert {"GPT", "LSTMCell", "MeanClassifier", "Transformer", "train"} <= MODULES
    assert not {"GPTConfig", "CharTokenizer", "KVCache"} & MODULES


@pytest.mark.parametrize(
    "source",
    [
        "X = torch.randn(3)",
        "X = torch.randn(3, generator=torch.Generator())",
        "LAYER = nn.Linear(2, 2)",
        "MODELS = {'gpt': [GPT(TINY)]}",
        "random.seed(0)",
        "rng = random.Random()",
        "X = np.random.default_rng(0)",
        "@pytest.mark.parametrize('model', [GPT(TINY)])\ndef test_it(model): ...",
        "def f(x=torch.rand(3)): ...",
        "f = lambda x=torch.rand(3): x",
        "class Tests:\n    model = GPT(TINY)",
        "def models():\n    return make()\ndef make():\n    return GPT(TINY)\nMODELS = models()",
        "RESULT = train(model, ids, config)",
    ],
)
def test_what_is_random_on_import_is_found(source):
    assert rules.drawn_on_import(source, MODULES) != []


@pytest.mark.parametrize(
    "source",
    [
        "def make():\n    return GPT(TINY)",
        "MAKERS = {'gpt': lambda: GPT(TINY)}",
        "@pytest.mark.parametrize('build', [lambda: GPT(TINY), GPT])\ndef test_it(build): ...",
        "IDS = torch.arange(9) % 7",
        "LAYER = nn.ReLU()",
        "source = random.Random(5)",
        "CONFIG = GPTConfig(vocab_size=7)",
        "TOKENIZER = BPETokenizer.train(TEXT, 300)",
    ],
)
def test_what_is_fixed_may_be_made_on_import(source):
    assert rules.drawn_on_import(source, MODULES) == []


@pytest.mark.parametrize(
    ("source", "good"),
    [
        ("x = torch.randn(3)\ntorch.manual_seed(0)", False),
        ("layer = LSTMCell(1, 1)", False),
        ("def draw():\n    return torch.randn(3)\nx = draw()\ntorch.manual_seed(0)", False),
        ("torch.manual_seed(0)\nx = torch.randn(3)", True),
        ("def draw():\n    torch.manual_seed(0)\n    return torch.randn(3)\nx = draw()", True),
        ("g = torch.Generator().manual_seed(0)\nx = torch.randn(3, generator=g)", True),
    ],
)
def test_a_draw_before_the_seed_is_found(source, good):
    assert (rules.drawn_before_a_seed(source, MODULES) == []) is good


def test_a_draw_in_a_default_is_found():
    assert rules.drawn_at_definition("def f(x=torch.rand(3)): ...", MODULES) != []
    assert rules.drawn_at_definition("x = torch.rand(3)\ndef f(x=0): ...", MODULES) == []
