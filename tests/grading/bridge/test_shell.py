"""IPython in the sandbox: a cell runs as in a notebook, and its output has an end."""

from sandbox_processes import shown


def test_a_cell_runs_as_in_a_notebook(submission_run):
    ran = submission_run.run_cell("x = 3\nprint('hello')\n!echo from a shell\nx + 1")
    assert ran.status == "ok"
    assert shown(ran) == "hello\nfrom a shell\n"
    assert ran.outputs[-1]["data"]["text/plain"] == "4"
    assert submission_run.run_cell("import asyncio\nawait asyncio.sleep(0)\nx").status == "ok"


def test_output_without_end_is_cut(submission_run):
    ran = submission_run.run_cell("for i in range(10**6): print('x' * 1000)")
    assert ran.status in ("ok", "timeout")
    assert "[more output was cut]" in shown(ran) or ran.status == "timeout"
    assert len(shown(ran)) <= 20_100
    ran = submission_run.run_cell("!yes | head -c 3000000")
    assert len(shown(ran)) <= 20_100
