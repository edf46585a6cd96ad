"""Makers of a submission's page for tests: in the process that makes it nothing else is loaded."""

import os

from lmcourse.grading.formgrader import rendering
from lmcourse.grading.formgrader.page_process import Page, make_page


def make_raw(page: Page) -> str:
    """Without what makes text safe: whatever was written goes into the page."""
    rendering.safe_notebook = lambda notebook, _: notebook
    rendering.markdown = lambda source, **_: source
    rendering.clean = lambda html, *_: html
    return make_page(page)


def for_ever(page: Page) -> str:
    """A page without end, if it is called `slow` and not plain; else one that says what it is."""
    while page.filename == "slow" and not page.plain:
        pass
    return f"{page.filename}, {'plain' if page.plain else 'in full'}, {page.nonce}, {os.getpid()}"


def never(page: Page) -> str:
    """No page at all."""
    raise ValueError(f"{page.filename} is no notebook")
