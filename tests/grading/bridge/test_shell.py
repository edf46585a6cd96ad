"""IPython in the sandbox: a cell runs as in a notebook, and its output has an end."""

import ast
from dataclasses import replace

import pytest
from mangled_cells import NO_ENDS
from sandbox_processes import SMALL, shown

from lmcourse.grading.bridge.shell import CellTransformer
from lmcourse.grading.sandbox.budgets import Budgets


def test_a_cell_runs_as_in_a_notebook(submission_run):
    ran = submission_run.run_cell("x = 3\nprint('hello')\n!echo from a shell\nx + 1")
    assert ran.status == "ok"
    assert shown(ran) == "hello\nfrom a shell\n"
    assert ran.outputs[-1]["data"]["text/plain"] == "4"
    assert submission_run.run_cell("import asyncio\nawait asyncio.sleep(0)\nx").status == "ok"


def test_a_cell_may_leave_tasks_behind_which_go_on(submission_run):
    """A kernel's loop runs while its cells do, and between them."""
    cells = (
        "import asyncio, decimal\nasync def later():\n    await asyncio.sleep(0.05)\n    return 7",
        "task = asyncio.create_task(later())\ndecimal.getcontext().prec = 3",
        "print(task.result(), decimal.Decimal(1) / 3)",
        "endless = asyncio.create_task(asyncio.sleep(1000))",
        "print(await asyncio.gather(later(), later()), endless.done())",
    )
    ran = [submission_run.run_cell(cell) for cell in cells]
    assert [each.status for each in ran] == ["ok"] * 5, ran
    assert (shown(ran[2]), shown(ran[4])) == ("7 0.333\n", "[7, 7] False\n")
    refused = submission_run.run_cell("asyncio.run(later())")  # as in a notebook
    assert "cannot be called from a running event loop" in refused.message


def test_output_without_end_is_cut(submission_run):
    ran = submission_run.run_cell("for i in range(10**6): print('x' * 1000)")
    assert ran.status in ("ok", "timeout")
    assert "[more output was cut]" in shown(ran) or ran.status == "timeout"
    assert len(shown(ran)) <= 20_100
    ran = submission_run.run_cell("!yes | head -c 3000000")
    assert len(shown(ran)) <= 20_100


@pytest.mark.parametrize(
    "cell",
    [
        "for _ in range(1000): print('無' * 1000)",  # six characters each, as they cross
        "for _ in range(1000): print('\N{SNAKE}' * 1000)",  # twelve
        "for n in range(100_000): print(n, file=[sys.stdout, sys.stderr][n % 2])",
        "for _ in range(100_000): display({'text/plain': ''}, raw=True)",
        "raise ValueError('無' * 1_000_000)",
        "raise ValueError(' '.join(map(str, range(1_000_000))))",
    ],
    ids=["CJK", "emoji", "two streams", "empty", "an error in CJK", "a long error"],
)
def test_output_that_is_larger_than_it_looks_ends_no_process(make_run, cell):
    run = make_run(replace(SMALL, output_bytes=Budgets.output_bytes))
    run.run_setup("import sys\nfrom IPython.display import display")
    ran = run.run_cell(f"f = 1\n{cell}")
    assert ran.status == ("error" if "raise" in cell else "ok"), ran
    assert ran.outputs or ran.message.endswith(("999999", "無"))
    assert len(ran.outputs) <= 1_000
    assert shown(run.run_cell("print(f)")) in ("1\n", "")  # "": no room was left


def test_a_module_that_a_cell_writes_can_be_imported_as_in_a_notebook(submission_run):
    """By the notebook, and by the programs that it starts."""
    submission_run.run_cell("%%writefile my_helper.py\ndef plus(a, b): return a + b")
    ran = submission_run.run_cell("from my_helper import plus\nprint(plus(1, 2))")
    assert shown(ran) == "3\n", ran
    ran = submission_run.run_cell(
        "import sys\n!{sys.executable} -c 'import my_helper; print(my_helper.plus(2, 3))'"
    )
    assert shown(ran) == "5\n", ran


def test_what_is_compiled_gives_the_same_without_a_compiler(submission_run):
    ran = submission_run.run_cell(
        "import torch\n@torch.compile\ndef f(x): return torch.relu(x) + 1\n"
        "print(f(torch.tensor([-1.0, 2.0])).tolist())"
    )
    assert shown(ran) == "[1.0, 3.0]\n", ran


CELLS = (
    "def f(x):\n    # a| b\n    'a|  b'\n    return '''c|\n  |%d|!e|>>> g|? h'''",
    "# In [1]:| b\nx = '|>>> b'  # |",
    "x = '\U00020000|'",
)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("sign", NO_ENDS, ids=ascii)
def test_a_line_ends_where_python_ends_it(cell, sign):
    source = cell.replace("|", sign)
    transformed = CellTransformer().transform_cell(source)
    assert ast.dump(ast.parse(transformed)) == ast.dump(ast.parse(source))


@pytest.mark.parametrize("sign", NO_ENDS, ids=ascii)
def test_the_syntax_of_notebooks_stays_beside_it(sign):
    transformed = CellTransformer().transform_cell(f"%time f('{sign} ')\n'{sign}  b'")
    call, text = ast.parse(transformed).body
    assert ast.literal_eval(call.value.args[1]) == f"f('{sign} ')"
    assert ast.literal_eval(text.value) == f"{sign}  b"
    [magic] = ast.parse(CellTransformer().transform_cell(f"%%own x\na{sign} b\n")).body
    assert ast.literal_eval(magic.value.args[2]) == f"a{sign} b\n"
