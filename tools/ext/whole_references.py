"""Sphinx extension: the reference in a docstring is one paragraph, however many lines it has.

Lines after the first are indented, which reStructuredText takes for a term and its definition.
"""

from sphinx.application import Sphinx

MARK = "Reference: "


def join_reference(lines: list[str]) -> list[str]:
    """The lines of a docstring with those of a reference at the depth of its first.

    Example:
        >>> join_reference(["Reference: Vaswani et al.", "    (2017)", "", "    kept"])
        ['Reference: Vaswani et al.', '(2017)', '', '    kept']
    """
    joined, depth = [], None
    for line in lines:
        inner = len(line) - len(line.lstrip())
        if line.lstrip().startswith(MARK):
            depth = inner
        elif not line.strip():
            depth = None
        elif depth is not None and inner > depth:
            line = " " * depth + line.lstrip()
        joined.append(line)
    return joined


def process(app: Sphinx, what, name, obj, options, lines: list[str]) -> None:
    lines[:] = join_reference(lines)


def setup(app: Sphinx) -> dict:
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
