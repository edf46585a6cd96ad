"""Sphinx extension: some pages are executed at a time, ahead of Sphinx, which reads one by one.

MyST-NB executes a page when it reads it. Here that call gets what has been executed ahead, with the
error if there was one: what it makes of it is the same as with its own execution.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from myst_nb.core.execute import cache as client
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sealed_execution import PROCESSES
from sphinx.application import Sphinx


def pages_to_run(env, docnames: list[str]) -> Iterator[tuple[str, NotebookNode]]:
    """(folder, page as MyST-NB reads it) of each page with cells that its cache does not hold."""
    cache = get_cache(str(env.mystnb_config.execution_cache_path))
    for name in docnames:
        path = Path(env.doc2path(name))
        text = path.read_text(encoding="utf-8")
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
        if reader is None:
            continue
        page = reader.read(text)
        try:
            cache.match_cache_notebook(page)
        except KeyError:
            yield str(path.parent), page


def key_of(page: NotebookNode, folder: str) -> tuple[str, ...]:
    """What an execution depends on."""
    return (folder, *(cell.source for cell in page.cells if cell.cell_type == "code"))


def put_into(page: NotebookNode, result: ExecutionResult) -> ExecutionResult:
    """The same result, with the page's own cells, which get what the execution has added."""
    for cell, executed in zip(page.cells, result.nb.cells, strict=True):
        if cell.cell_type == "code":
            cell.update({name: executed[name] for name in executed if name != "id"})
    page.metadata.update(result.nb.metadata)
    result.nb = page
    return result


def execute_ahead(app: Sphinx, env, docnames: list[str]) -> None:
    """Starts the executions; MyST-NB's next ones take what comes of them."""
    n_processes = int(os.environ.get(PROCESSES, "1"))
    if n_processes < 2:
        return
    settings = {
        "timeout": env.mystnb_config.execution_timeout,
        "allow_errors": env.mystnb_config.execution_allow_errors,
    }
    pool = ThreadPoolExecutor(n_processes)  # a thread only talks to its kernel, a process
    ahead: dict[tuple[str, ...], Future] = {
        key_of(page, folder): pool.submit(single_nb_execution, page, cwd=folder, **settings)
        for folder, page in pages_to_run(env, docnames)
    }

    def take_or_execute(page: NotebookNode, cwd: str, **settings) -> ExecutionResult:
        future = ahead.pop(key_of(page, cwd), None)
        if future is None:
            return single_nb_execution(page, cwd=cwd, **settings)
        return put_into(page, future.result())

    client.single_nb_execution = take_or_execute
    # After a page that failed, Sphinx reads no other.
    app.connect("build-finished", lambda app, error: pool.shutdown(cancel_futures=True))


def setup(app: Sphinx) -> dict:
    app.connect("env-before-read-docs", execute_ahead)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
