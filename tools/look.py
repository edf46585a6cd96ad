"""How the pages of the built site look: what fills their height, how long they take, what is cut.

    python tools/look.py                          the site in _build/html, into _build/look
    python tools/look.py --pages attention gpt --out /tmp/look

For each page, at 1280 and at 390 px and as it opens, the share of its height that is code, printed
output, text and pictures; a folded cell counts as its one line, and the space between is the rest.
Words are those of visible prose; minutes are honest ones, 200 words a minute and five seconds for a
line of visible code. The numbers are kept as look.json and look.txt, contact sheets beside them.
"""

import argparse
import json
import re
import statistics
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml
from cut_off import FAULTS
from PIL import Image, ImageDraw
from rich.table import Table
from site_check import FLAGS, SETTLED, STILL, TIMEOUT, find_chromium, redirects, serve
from site_links import site_pages
from tqdm import tqdm

from lmcourse.grading.cli.terminal import console

ROOT = Path(__file__).resolve().parent.parent
WIDTHS = (1280, 390)
KINDS = ("code", "output", "text", "pictures")
WORDS_A_MINUTE, SECONDS_A_LINE = 200, 5
# What the contact sheets show: how each page opens, small, and the first screens of it.
SHEETS = {"light": (1280, "light"), "dark": (1280, "dark"), "phone": (390, "light")}
SHRINK, LONGEST = 0.2, 2400  # of a pixel of the screen; pixels of a sheet

MEASURE = r"""() => {
    const article = document.querySelector('article');
    const KINDS = {
        text: 'h1, h2, h3, h4, p, li, dt, dd, table, div.math, blockquote, summary',
        output: '.cell_output .output',
        code: 'div.cell_input, div.highlight, details.hide, details.sd-dropdown:has(pre)',
        pictures: 'figure, img, svg:not(button svg), [data-live]',
    };
    const isSeen = each => each.checkVisibility({visibilityProperty: true});
    const within = (each, kind) => each.parentElement.closest(KINDS[kind]);
    const top = article.getBoundingClientRect().top;
    const height = Math.ceil(article.getBoundingClientRect().height);
    const rows = new Array(height).fill('');
    const isOf = {
        text: each => true,
        output: each => !each.querySelector(KINDS.pictures),
        code: each => !within(each, 'output'),
        pictures: each => !within(each, 'code'),
    };
    const found = {};
    // What comes later is painted over what came before: code and pictures lie inside of text.
    for (const kind of ['text', 'output', 'code', 'pictures']) {
        found[kind] = [...article.querySelectorAll(KINDS[kind])]
            .filter(each => isSeen(each) && isOf[kind](each));
        for (const each of found[kind]) {
            const box = each.getBoundingClientRect();
            if (box.height < 2 || box.width < 2) continue;
            const [from, to] = [Math.round(box.top - top), Math.round(box.bottom - top)];
            rows.fill(kind, Math.max(0, from), Math.min(height, to));
        }
    }
    const shares = {};
    for (const kind in KINDS) shares[kind] = rows.filter(row => row === kind).length / height;

    const OTHER = '.cell_output, pre, .headerlink, script, style, svg, button, .math';
    const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
    let words = 0;
    while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement;
        const isCaption = parent.closest('figcaption');
        if ((parent.closest(OTHER) && !isCaption) || !isSeen(parent)) continue;
        words += (walker.currentNode.data.match(/[\p{L}\p{N}]\S*/gu) || []).length;
    }
    words += [...article.querySelectorAll('.math')].filter(isSeen).length;
    const code = [...article.querySelectorAll('pre')]
        .filter(each => isSeen(each) && !each.closest('.cell_output'))
        .flatMap(each => each.innerText.split('\n')).filter(line => line.trim());
    const claimed = article.innerText.match(/about (\d+) minutes/i);
    return {
        height, shares, words,
        lines: code.length,
        folded: [...article.querySelectorAll('details.hide, details.sd-dropdown')]
            .filter(each => isSeen(each) && !each.open).length,
        asserts: code.filter(line => /^\s*assert\b/.test(line)).length,
        pictures: found.pictures.filter(each => !within(each, 'pictures')).length,
        says: claimed ? Number(claimed[1]) : null,
    };
}"""


@dataclass
class Look:
    """One page: shares of its height by width and kind, and what else was counted."""

    page: str
    shares: dict[int, dict[str, float]] = field(default_factory=dict)
    heights: dict[int, int] = field(default_factory=dict)
    words: int = 0
    lines: int = 0
    folded: int = 0
    asserts: int = 0
    pictures: int = 0
    says: int | None = None  # the minutes that the page promises
    cut: dict[int, list[str]] = field(default_factory=dict)

    @property
    def minutes(self) -> float:
        lines = self.lines + self.folded
        return self.words / WORDS_A_MINUTE + lines * SECONDS_A_LINE / 60


def chapters(toc: Path) -> set[str]:
    """The pages of the numbered parts, whose mean is printed."""
    if not toc.is_file():
        return set()
    parts = yaml.safe_load(toc.read_text(encoding="utf-8")).get("parts", [])
    numbered = [part for part in parts if re.match(r"[IVX]+\. ", part["caption"])]
    return {f"{each['file']}.html" for part in numbered for each in part["chapters"]}


class Eye:
    """A browser with a tab for each sheet: what is measured and what is photographed."""

    def __init__(self, playwright, address: str):
        self.address = address
        self.browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        self.tabs = {}
        for sheet, (width, scheme) in SHEETS.items():
            context = self.browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme=scheme,
                device_scale_factor=SHRINK * (2 if width == 390 else 1),
                reduced_motion="reduce",
            )
            self.tabs[sheet] = context.new_page()
            self.tabs[sheet].set_default_timeout(TIMEOUT)

    def look_at(self, page: str, shots: Path | None) -> Look:
        """Measures the page at each width, and keeps a small picture of each sheet's kind."""
        look = Look(page)
        for sheet, (width, _) in SHEETS.items():
            tab, is_new = self.tabs[sheet], width not in look.shares
            if not is_new and shots is None:
                continue
            tab.goto(self.address + page, wait_until="load")
            tab.add_style_tag(content=STILL)
            tab.evaluate(SETTLED)
            if is_new:
                self._measure(tab, look, width)
            if shots:
                name = page.removesuffix(".html").replace("/", "-")
                tab.screenshot(path=shots / f"{name}-{sheet}.png", full_page=True)
        return look

    def _measure(self, tab, look: Look, width: int) -> None:
        seen = tab.evaluate(MEASURE)
        look.shares[width], look.heights[width] = seen["shares"], seen["height"]
        look.cut[width] = tab.evaluate(FAULTS)
        if width == WIDTHS[0]:
            for name in ("words", "lines", "folded", "asserts", "pictures", "says"):
                setattr(look, name, seen[name])


def look_at_all(site: Path, pages: list[str], shots: Path | None = None) -> list[Look]:
    from playwright.sync_api import sync_playwright

    find_chromium()  # before anything starts
    with sync_playwright() as playwright:
        eye = Eye(playwright, serve(site))
        quiet = not sys.stderr.isatty()
        looks = [eye.look_at(page, shots) for page in tqdm(pages, unit="page", disable=quiet)]
        eye.browser.close()
    return looks


def contact_sheet(pages: list[str], shots: Path, sheet: str) -> Image.Image:
    """The pages beside each other, each from its top, with its name above."""
    names = [page.removesuffix(".html").replace("/", "-") for page in pages]
    strips = []
    for name in names:
        with Image.open(shots / f"{name}-{sheet}.png") as image:
            strips.append(
                image.convert("RGB").crop((0, 0, image.width, min(LONGEST, image.height)))
            )
    width, gap, head = max(strip.width for strip in strips), 12, 18
    height = max(strip.height for strip in strips)
    whole = Image.new("RGB", (len(strips) * (width + gap), height + head), "#888888")
    words = ImageDraw.Draw(whole)
    for place, (name, strip) in enumerate(zip(names, strips, strict=True)):
        left = place * (width + gap)
        words.text((left + 4, 3), name.removeprefix("book-"), fill="white")
        whole.paste(strip, (left, head))
    return whole


def table_of(looks: list[Look], counted: set[str]) -> Table:
    """A row for each page and, last, the mean of those that are counted."""
    wide, narrow = WIDTHS
    names = [f"{kind} {wide}" for kind in KINDS] + [f"{kind} {narrow}" for kind in KINDS]
    table = Table("page", *names, "words", "lines", "minutes", "says", "asserts", "cut off")
    mine = [look for look in looks if look.page in counted]

    def percents(chosen: list[Look]) -> list[str]:
        means = [
            statistics.mean(look.shares[width][kind] for look in chosen)
            for width in WIDTHS
            for kind in KINDS
        ]
        return [f"{100 * mean:.0f}%" for mean in means]

    for look in looks:
        cut = "+".join(str(len(look.cut[width])) for width in WIDTHS)
        counts = [look.words, look.lines, round(look.minutes), look.says or "", look.asserts, cut]
        name = look.page.removeprefix("book/").removesuffix(".html")
        table.add_row(name, *percents([look]), *map(str, counts))
    if mine:
        sums = [sum(each) for each in zip(*((x.words, x.lines) for x in mine), strict=True)]
        minutes = round(sum(look.minutes for look in mine))
        table.add_section()
        table.add_row(f"mean of {len(mine)} chapters", *percents(mine), *map(str, [*sums, minutes]))
    return table


def keep(looks: list[Look], counted: set[str], out: Path) -> None:
    """Writes the numbers as JSON and the table as text."""
    rows = [asdict(look) | {"minutes": round(look.minutes, 1)} for look in looks]
    (out / "look.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    with (out / "look.txt").open("w", encoding="utf-8") as file, redirect_stdout(file):
        paper = console()
        paper.print(table_of(looks, counted))
        for look in looks:
            for width, faults in look.cut.items():
                for fault in faults:
                    paper.print(f"{look.page} at {width}: {fault}", markup=False, soft_wrap=True)


def choose(site: Path, wanted: list[str]) -> list[str]:
    """The pages of the site with these names, all if there are none."""
    pages = [path.relative_to(site).as_posix() for path in site_pages(site) if not redirects(path)]
    pages = [page for page in pages if "<article" in (site / page).read_text(encoding="utf-8")]
    if not wanted:
        return pages
    by_name = {page.removeprefix("book/").removesuffix(".html"): page for page in pages}
    by_name |= {page: page for page in pages}
    unknown = [name for name in wanted if name not in by_name]
    if unknown or not pages:
        raise LookupError(f"--pages must name pages of the site, got {', '.join(unknown)}")
    return [by_name[name] for name in wanted]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("site", type=Path, nargs="?", default=ROOT / "_build/html")
    parser.add_argument("--out", type=Path, default=ROOT / "_build/look", metavar="FOLDER")
    parser.add_argument("--pages", nargs="+", default=[], metavar="PAGE", help="only these")
    parser.add_argument("--no-pictures", action="store_true", help="numbers only: quicker")
    arguments = parser.parse_args()
    site = arguments.site.resolve()
    try:
        pages = choose(site, arguments.pages)
        if not pages:
            raise LookupError(f"{arguments.site} must hold a built site, got no page: make book")
        shots = None if arguments.no_pictures else arguments.out / "pages"
        (shots or arguments.out).mkdir(parents=True, exist_ok=True)
        looks = look_at_all(site, pages, shots)
    except (LookupError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    counted = chapters(ROOT / "_toc.yml") & set(pages)
    keep(looks, counted, arguments.out)
    console().print(table_of(looks, counted))
    for sheet in SHEETS if shots else ():
        contact_sheet(pages, shots, sheet).save(arguments.out / f"{sheet}.png")
    print(f"{len(looks)} pages; numbers, what is cut off and sheets are in {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
