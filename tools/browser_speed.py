"""Tokens a second of the book's GPT in a browser: the model alone, and as its figure writes.

    python tools/browser_speed.py                    this tree
    python tools/browser_speed.py --beside ../old    this tree and another in turn, and the ratio

On a shared machine a rate means little; compare two trees, whose rounds lie side by side.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.table import Table
from site_check import FLAGS, find_chromium, serve

from lmcourse import live_figures
from lmcourse.grading.cli.terminal import console

ROOT = Path(__file__).resolve().parent.parent
PROMPT = "ROMEO:\n"
HTML = """<!doctype html>
<meta charset="utf-8"><link rel="icon" href="data:,">
<link rel="stylesheet" href="_static/lmcourse.css">
<link rel="stylesheet" href="_static/live/live.css">
<script type="module" src="_static/live/live.js"></script>
<main class="bd-article">{figure}</main>
"""
# The likeliest token each time, so that both sides write the same.
ALONE = """async ([prompt, n]) => {
    const from = name => import(new URL(`_static/live/${name}.js`, location));
    const [{ fetchModel }, { Reading }] = [await from('load_model'), await from('model')];
    const { model, tokenizer } = await fetchModel(new URL('_static/shakespeare/', location));
    const ids = tokenizer.encode(prompt);
    const write = () => {
        const reading = new Reading(model);
        ids.forEach(id => reading.append(id));
        const begin = performance.now();
        for (let i = 0; i < n; i++) {
            reading.append(reading.logits.reduce((top, x, i, all) => (x > all[top] ? i : top), 0));
        }
        return 1000 * n / (performance.now() - begin);
    };
    write();  // the browser compiles what runs often
    return write();
}"""


def alone(page: Page, n_tokens: int) -> float:
    """The rate of the model without anything to see."""
    return page.evaluate(ALONE, [PROMPT, n_tokens])


def writing(page: Page, n_tokens: int) -> float:
    """The rate that the figure itself tells after “Write on” and “Stop”."""
    page.get_by_role("button", name="Load the model").click()
    page.get_by_text("tokens were read").wait_for()
    page.get_by_role("button", name="Write on").click()
    page.wait_for_function(
        "n => document.querySelector('.lm-written')?.textContent.length > n", arg=2 * n_tokens
    )
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("a second.").wait_for()
    return float(page.get_by_role("status").inner_text().split()[-3])


WORK: dict[str, Callable[[Page, int], float]] = {"the model alone": alone, "the figure": writing}


def lay_out(folder: Path, tree: Path) -> None:
    """A page with the figure, whose modules are those of the tree."""
    static = folder / "_static"
    static.mkdir(parents=True)
    for each in (*(tree / "book/_static").iterdir(), *(tree / "lmcourse/models").iterdir()):
        (static / each.name).symlink_to(each.resolve())
    html = HTML.format(figure=live_figures.gpt(PROMPT)._repr_html_())
    (folder / "index.html").write_text(html, encoding="utf-8")


def measure(trees: list[Path], n_rounds: int, n_tokens: int) -> dict[str, list[list[float]]]:
    """For each work and each round the rates of the trees, in turn, each on a page of its own."""
    rates: dict[str, list[list[float]]] = {name: [] for name in WORK}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for number, tree in enumerate(trees):
            lay_out(Path(folder) / str(number), tree)
        address = serve(Path(folder))
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        for number in range(n_rounds):
            order = list(range(len(trees)))[:: 1 if number % 2 == 0 else -1]
            for name, work in WORK.items():
                found = [0.0] * len(trees)
                for side in order:
                    page = browser.new_page()
                    page.set_default_timeout(120_000)
                    page.goto(f"{address}{side}/index.html")
                    found[side] = work(page, n_tokens)
                    page.close()
                rates[name].append(found)
        browser.close()
    return rates


def table(rates: dict[str, list[list[float]]]) -> Table:
    """Medians of the rounds; the ratio is the median of the rounds' ratios."""
    made = Table("tokens a second", "this tree", "beside", "times as fast")
    for name, rounds in rates.items():
        medians = [f"{statistics.median(side):.0f}" for side in zip(*rounds, strict=True)]
        ratio = ""
        if len(medians) == 2:
            ratio = f"{statistics.median(ours / other for ours, other in rounds):.2f}"
        made.add_row(name, medians[0], *medians[1:] or [""], ratio)
    return made


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--beside", type=Path, metavar="TREE", help="another tree of this project")
    parser.add_argument(
        "--rounds", type=int, default=5, metavar="N", help="of each work; 5 if left out"
    )
    parser.add_argument(
        "--tokens", type=int, default=240, metavar="N", help="in each; 240 if left out"
    )
    options = parser.parse_args(arguments)
    trees = [ROOT] + ([options.beside] if options.beside else [])
    for tree in trees:
        if not (tree / "book/_static/live/model.js").is_file():
            parser.error(
                f"TREE must be a tree of this project, got {tree}: it has no book/_static/live"
            )
    console().print(table(measure(trees, options.rounds, options.tokens)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
