"""Sphinx extension: a folded cell is one line that says what is inside.

The line is the comment with which the cell begins, so a notebook shows it as well:

    ```{code-cell} ipython3
    :tags: [hide-input]

    # The reader and its training loop
    class SummaryReader(nn.Module):
        ...
    ```
"""

import re

from docutils import nodes
from myst_nb.sphinx_ import HideInputCells
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

DEFAULT = "The code"


def title_of(code: str) -> tuple[str, str]:
    """The line that says what is inside, and the code without it.

    Example:
        >>> title_of("# The imports\\n\\nimport math")
        ('The imports', 'import math')
        >>> title_of("import math")
        ('The code', 'import math')
    """
    match = re.match(r"\s*#(?!!) ?(.+?)\.?\n\s*", code)
    return (match[1].strip(), code[match.end() :]) if match else (DEFAULT, code)


class NameFolds(SphinxPostTransform):
    """Gives each fold its line, and takes the line out of the code below."""

    default_priority = HideInputCells.default_priority - 1
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for cell in self.document.findall(nodes.container):
            if cell.get("hide_mode") not in ("all", "input", "input+output"):
                continue
            source = next(iter(cell.findall(nodes.literal_block)))
            title, code = title_of(source.astext())
            cell["prompt_show"] = cell["prompt_hide"] = title
            source.rawsource, source.children = code, [nodes.Text(code)]


def setup(app: Sphinx) -> dict:
    app.add_post_transform(NameFolds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
