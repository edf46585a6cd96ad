"""Sphinx extension: MyST knows that a `{footcite}` has its footnote in the `{footbibliography}`.

MyST looks for a Markdown footnote of the same label and warns that there is none; a footnote
that is missing in Markdown must still be a warning, so its kind is not silenced as a whole.
"""

import logging

from sphinx.application import Sphinx


def is_not_a_citation(record: logging.LogRecord) -> bool:
    return "No footnote definitions found for label: 'footcite-" not in record.getMessage()


def setup(app: Sphinx) -> dict:
    # MyST speaks through the reporter of docutils, which Sphinx connects to this logger.
    logging.getLogger("sphinx.sphinx.util.docutils").addFilter(is_not_a_citation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
