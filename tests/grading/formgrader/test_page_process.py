"""A page that takes for ever is stopped, and meanwhile the server answers others."""

import asyncio
import errno
import json
import os
import threading
import warnings

import pytest
from attacks import pages
from bs4 import BeautifulSoup

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, while it is imported
    from nbgrader.server_extensions.formgrader import handlers
    from page_makers import for_ever, never

    from lmcourse.grading.formgrader import page_process, rendering, server
    from lmcourse.grading.formgrader.page_process import Page, PageProcesses, make_page
from lmcourse.grading.reports.page_limits import HIGHLIGHTED

RESOURCES = {
    "assignment_id": "tiny", "notebook_id": "tiny", "submission_id": "1", "index": 0, "total": 1,
    "base_url": "", "student": "ada", "last_name": "", "first_name": "", "notebook_path": "",
}  # fmt: skip


def asked(processes, *names):
    async def all_of_them():
        return [await processes.page(name, RESOURCES, "n") for name in names]

    return asyncio.run(all_of_them())


def test_a_page_is_made_in_another_process():
    (page,) = asked(PageProcesses(formulas=True, make=for_ever), "quick")
    *said, process = page.split(", ")
    assert said == ["quick", "in full", "n"]
    assert int(process) != os.getpid()


def test_what_takes_too_long_is_stopped_and_shown_as_text():
    (page,) = asked(
        PageProcesses(formulas=True, seconds=1.0, patience=600.0, make=for_ever), "slow"
    )
    assert page.startswith("slow, plain")


def test_what_cannot_be_made_is_nothing_and_the_terminal_says_why(capsys):
    assert asked(PageProcesses(formulas=True, make=never), "broken") == [None]
    page = Page(filename="broken", resources={}, nonce="n", formulas=False, plain=False)
    assert page_process._made(never, page) is None
    assert "ValueError: broken is no notebook" in capsys.readouterr().err


def test_where_no_process_can_be_started_that_is_the_error(monkeypatch):
    """Not one of ending what has never begun; and no end of its pipe stays open."""
    processes, ends = PageProcesses(formulas=True, make=for_ever), []

    def refuse(process):
        ends.append(process._args[0])
        raise BlockingIOError(errno.EAGAIN, "too many processes")

    monkeypatch.setattr(processes._context.Process, "start", refuse)
    with pytest.raises(BlockingIOError, match="too many processes"):
        asked(processes, "quick")
    assert [end.closed for end in ends] == [True]


def test_another_page_does_not_wait_for_a_slow_one():
    """Held back by a lock, not by a clock: the slow page ends after the quick ones."""
    processes = PageProcesses(formulas=True, make=for_ever)
    go_on = threading.Event()
    tried = processes._try

    def held(page):
        if page.filename == "slow":
            go_on.wait()
            page = Page(**{**vars(page), "filename": "slow after all"})
        return tried(page)

    processes._try = held

    async def both():
        slow = asyncio.create_task(processes.page("slow", RESOURCES, "n"))
        await asyncio.sleep(0)  # it has begun
        quick = [await processes.page(name, RESOURCES, "n") for name in ("one", "two")]
        was_done = slow.done()
        go_on.set()
        return quick, was_done, await slow

    quick, was_done, slow = asyncio.run(both())
    assert [page.split(",")[0] for page in quick] == ["one", "two"]
    assert not was_done
    assert slow.startswith("slow after all")


def test_the_server_itself_makes_no_page():
    """nbgrader's handler asks an exporter in the server's thread: ours only notes what is asked."""
    assert issubclass(server.Submission, handlers.SubmissionHandler)
    assert asyncio.iscoroutinefunction(server.Submission.get.__wrapped__)
    handler = object.__new__(server.Submission)
    assert handler.exporter is handler
    assert handler.from_filename("f", {"a": 1}) == ("", {"a": 1})
    assert not hasattr(server, "SubmissionExporter")


def write(path, *sources):
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "id": str(n),
         "execution_count": None}
        for n, source in enumerate(sources)
    ]  # fmt: skip
    nb = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(nb), "utf-8")
    return str(path)


@pytest.fixture
def counted(monkeypatch):
    """The lengths of what goes to the colors."""
    lengths = []

    class Counting:
        def __init__(self, **_):
            pass

        def __call__(self, source):
            lengths.append(len(source))
            return f"<pre>{source}</pre>"

    monkeypatch.setattr(rendering, "Highlight2HTML", Counting)
    return lengths


def page_of(path, **options):
    options = {"formulas": False, "plain": False, **options}
    return make_page(Page(filename=path, resources=RESOURCES, nonce="n", **options))


def test_the_worst_code_is_shown_in_one_color(tmp_path, counted):
    path = write(tmp_path / "a.ipynb", *pages.SLOW_CODE.values(), "print(1)")
    html = page_of(path)
    assert counted == [len("print(1)")]
    shown = [pre.get_text() for pre in BeautifulSoup(html, "html.parser").select("pre")]
    for source in pages.SLOW_CODE.values():
        assert any(text.startswith(source[:10_000]) for text in shown)


def test_a_page_of_a_thousand_cells_is_colored_in_part(tmp_path, counted):
    cell = ("a." * 400 + "\n") * 12
    assert len(cell) < HIGHLIGHTED
    page_of(write(tmp_path / "a.ipynb", *[cell] * 50))
    assert 0 < sum(counted) <= 100_000


def test_a_plain_page_colors_nothing(tmp_path, counted):
    html = page_of(write(tmp_path / "a.ipynb", "print(1)"), plain=True, formulas=True)
    assert counted == []
    assert "print(1)" in html
    assert "mathjax" not in html
    assert 'nonce="n"' in html
