"""Sphinx extension: figures, equations and exercises are counted anew on each page.

Chapters have no numbers, and without them Sphinx counts through the whole book: a new page would
renumber all that follow, and the first exercise of a chapter would be its fifth.

The figures that cells make are counted together with those of the page, in the order in which they
stand. A link to a cell with the words "Figure" or "figure" gets the number of its figure:

    (attention-summary-figure)=
    ```{code-cell} ipython3
    line_plot(…, caption="The more facts, the less the summary keeps.")
    ```

    [Figure](#attention-summary-figure) shows …
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

CAPTION = re.compile(r"<figure\b|<figcaption\b[^>]*>|</figure>")
SPHINX_NUMBER = re.compile(r'<span class="caption-number">[^<]*</span>')
# A link with nothing but the word, or with Sphinx's own number of a figure.
LINK = re.compile(
    r'(<a class="reference internal" href="([^"#]*)#([^"]+)">(?:<span class="[^"]*">)?)'
    r"([Ff]igure|Fig\.)(?: \d+)?((?:</span>)?</a>)"
)


def count_anew(app: Sphinx, env) -> list[str]:
    for figure_types in env.toc_fignumbers.values():
        for numbers in figure_types.values():
            ordered = sorted(numbers.items(), key=lambda item: item[1])
            numbers.update({name: (n,) for n, (name, _) in enumerate(ordered, start=1)})
    return []


def number_figures(page: str) -> tuple[str, dict[str, int]]:
    """The page with a number in each caption, and the number of the figure that each id leads to.

    Example:
        >>> number_figures('<i id="a"><figure><figcaption>Words.</figcaption></figure></i>')[1]
        {'a': 1}
    """
    start = page.find("<article")
    pieces, numbers, done, opened = [], {}, 0, max(start, 0)
    for mark in CAPTION.finditer(page, max(start, 0)):
        if mark[0].startswith("<figcaption"):
            number = len(pieces) + 1
            # All since the figure before: of its cell, and of the figure itself.
            for name in re.findall(r'\bid="([^"]+)"', page[opened : mark.start()]):
                numbers[name] = number
            rest = page.index("</figcaption>", mark.end())
            caption = SPHINX_NUMBER.sub("", page[mark.end() : rest], count=1).lstrip()
            inner = caption.removeprefix("<p>")
            opening = caption[: len(caption) - len(inner)]
            label = f'<span class="caption-number">Figure {number}. </span>'
            pieces.append(page[done : mark.end()] + opening + label + inner)
            done = rest
        elif mark[0] == "</figure>":
            opened = mark.end()
    return "".join(pieces) + page[done:], numbers


def link_figures(page: str, numbers: dict[str, dict[str, int]], own: str) -> str:
    """The links to figures with their numbers.

    Args:
        numbers: for each file, what its ids lead to.
        own: the name of this page's file.
    """

    def renumbered(link: re.Match) -> str:
        file = Path(own).parent.joinpath(link[2]) if link[2] else Path(own)
        number = numbers.get(str(file), {}).get(link[3])
        if number is None:
            return link[0]
        word = "figure" if link[4] == "figure" else "Figure"
        return f"{link[1]}{word} {number}{link[5]}"

    return LINK.sub(renumbered, page)


def number_pages(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    root = Path(app.outdir)
    paths = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.html"))}
    pages, numbers = {}, {}
    for name, path in paths.items():
        text = path.read_text(encoding="utf-8")
        pages[name], numbers[name] = number_figures(text) if "<figcaption" in text else (text, {})
    for name, page in pages.items():
        linked = link_figures(page, numbers, name)
        if linked != paths[name].read_text(encoding="utf-8"):
            paths[name].write_text(linked, encoding="utf-8")


def setup(app: Sphinx) -> dict:
    # After Sphinx's own numbering, which listens to the same event.
    app.connect("env-get-updated", count_anew, priority=900)
    app.connect("build-finished", number_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
