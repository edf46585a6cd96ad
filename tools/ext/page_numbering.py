"""Sphinx extension: figures, equations and exercises are counted anew on each page.

Chapters have no numbers, and without them Sphinx counts through the whole book: a new page would
renumber all that follow, and the first exercise of a chapter would be its fifth.
"""

from sphinx.application import Sphinx


def count_anew(app: Sphinx, env) -> list[str]:
    for figure_types in env.toc_fignumbers.values():
        for numbers in figure_types.values():
            ordered = sorted(numbers.items(), key=lambda item: item[1])
            numbers.update({name: (n,) for n, (name, _) in enumerate(ordered, start=1)})
    return []


def setup(app: Sphinx) -> dict:
    # After Sphinx's own numbering, which listens to the same event.
    app.connect("env-get-updated", count_anew, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
