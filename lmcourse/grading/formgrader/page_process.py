"""Pages of submissions, each made in a process of its own that is stopped when it takes too long.

Chapter: book/instructors/hand_grading.md

Threat: a submission that takes minutes to show. The server has one thread: while a page is made in
it, nobody gets another one.
"""

import asyncio
import contextlib
import math
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection

from lmcourse.grading.formgrader.rendering import SubmissionExporter, use_nonce

with contextlib.suppress(ImportError):  # Windows has none: there the clock alone decides
    import resource

_SECONDS = 10.0  # of the processor
_PATIENCE = 60.0  # by the clock: the machine may be busy
_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page to be made.

    Args:
        filename: of the graded notebook.
        resources: what nbgrader tells its template.
        plain: nothing but text.
    """

    filename: str
    resources: dict
    nonce: str
    formulas: bool
    plain: bool


def make_page(page: Page) -> str:
    """The page's HTML."""
    use_nonce(page.nonce)
    exporter = SubmissionExporter(formulas=page.formulas, plain=page.plain)
    html, _ = exporter.from_filename(page.filename, resources=dict(page.resources))
    return html


class PageProcesses:
    """Makes pages; each is tried twice, the second time as plain text.

    Args:
        formulas: whether there is a MathJax to set them.
        seconds: of the processor, for one try.
        patience: by the clock, for one try.
        make: the page's maker, which the process can import.
    """

    def __init__(
        self,
        *,
        formulas: bool,
        seconds: float = _SECONDS,
        patience: float = _PATIENCE,
        make: Callable[[Page], str] = make_page,
    ):
        self._formulas, self._make = formulas, make
        self._seconds, self._patience = seconds, patience
        # Not a copy of the server, with its open files; what is slow to import is there before.
        has_server = "forkserver" in multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context("forkserver" if has_server else "spawn")
        if has_server:
            self._context.set_forkserver_preload(["__main__", __name__])
            from multiprocessing import forkserver

            forkserver.ensure_running()
        self._threads = ThreadPoolExecutor(_AT_ONCE, "page")  # each waits for a process

    async def page(self, filename: str, resources: dict, nonce: str) -> str | None:
        """The page of a graded notebook, or nothing if it cannot be made in its time."""
        loop = asyncio.get_running_loop()
        for plain in (False, True):
            wanted = Page(
                filename=filename,
                resources=resources,
                nonce=nonce,
                formulas=self._formulas,
                plain=plain,
            )
            made = await loop.run_in_executor(self._threads, self._try, wanted)
            if made is not None:
                return made
        return None

    def _try(self, wanted: Page) -> str | None:
        ours, theirs = self._context.Pipe(duplex=False)
        arguments = (theirs, self._make, wanted, self._seconds)
        process = self._context.Process(target=_answer, args=arguments, daemon=True)
        with ours:
            with theirs:  # with an end of its own the process's would not be seen
                process.start()
            try:
                in_time = ours.poll(self._patience)
                return ours.recv_bytes().decode("utf-8") if in_time else None
            except EOFError:  # it was stopped, or said on stderr what went wrong
                return None
            finally:
                process.kill()
                process.join()


def _answer(theirs: Connection, make: Callable[[Page], str], wanted: Page, seconds: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, which ends this
    if "resource" in globals():
        whole = math.ceil(time.process_time() + seconds)  # what its start took does not count
        resource.setrlimit(resource.RLIMIT_CPU, (whole, whole))
    with theirs:
        page = _made(make, wanted)
        if page is not None:
            theirs.send_bytes(page.encode("utf-8", "replace"))


def _made(make: Callable[[Page], str], wanted: Page) -> str | None:
    """The page; why there is none is said before the pipe ends and this process is stopped."""
    try:
        return make(wanted)
    except Exception:
        traceback.print_exc()
        return None
