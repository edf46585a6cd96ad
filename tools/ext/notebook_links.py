"""Sphinx extension: Colab and Binder open the executed notebook, from the branch `notebooks`.

Chapters are written in Markdown, which Colab cannot open. Publishing pushes what the build has
executed to that branch; the theme's buttons would point at the Markdown file on the main branch.
"""

import re

from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)

BRANCH = "notebooks"


def notebook_address(url: str, pagename: str, branch: str) -> str:
    """The theme's address of a page's source, turned into that of its executed notebook.

    Example:
        >>> notebook_address("https://host/github/a/b/blob/main/book/x.md", "book/x", "main")
        'https://host/github/a/b/blob/notebooks/book/x.ipynb'
    """
    moved, found = re.subn(rf"/{re.escape(branch)}(?=[/?])", f"/{BRANCH}", url, count=1)
    if not found or not moved.endswith(f"{pagename}.md"):
        raise ValueError(f"the address must hold /{branch} and end with {pagename}.md, got {url}")
    return f"{moved.removesuffix('.md')}.ipynb"


def redirect_buttons(app: Sphinx, pagename, templatename, context, doctree) -> None:
    branch = app.config.html_theme_options["repository_branch"]
    for group in context.get("header_buttons", []):
        if group.get("label") != "launch-buttons":
            continue
        for button in group["buttons"]:
            try:
                button["url"] = notebook_address(button["url"], pagename, branch)
            except ValueError as error:
                log.warning("launch button %s: %s", button["text"], error, location=pagename)


def setup(app: Sphinx) -> dict:
    # After the theme, which makes the buttons at 501.
    app.connect("html-page-context", redirect_buttons, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
