"""The browser gate: each page of a built site in a real browser, light, dark and on a phone.

    python tools/site_check.py _build/html

A page may load nothing from another host, log no error, leave no formula unrendered, not be wider
than the screen, cut nothing off, weigh no more than 600 kB as it is sent, and break no rule of
axe-core. Dead links and missing texts are found in the HTML.
"""

import argparse
import functools
import gzip
import http.server
import os
import shutil
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from cut_off import FAULTS
from durations import print_longest
from rich.console import Console
from rich.table import Table
from site_links import check_html, site_pages
from tqdm import tqdm

from lmcourse.grading.cli.terminal import console

ROOT = Path(__file__).resolve().parent.parent
AXE = ROOT / "book/_static/vendor/axe-core/axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update",
         # Requests to other hosts end at once, before they leave this machine.
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # fmt: skip
TIMEOUT = 60_000  # milliseconds
HEAVIEST = 600_000  # bytes of a page with all that it loads by itself, gzipped
PACKED = (".png", ".woff", ".woff2", ".zip", ".jpg")  # sent as they are


@dataclass(frozen=True)
class Mode:
    name: str
    width: int
    height: int
    scheme: str
    axe: bool = True  # whether axe, which takes longest, judges the page


# A wide and a narrow screen with each theme, and one between; axe for each theme at one width, and
# for both ends in one theme. It comes last where it can: what it leaves is a simplified page.
MODES = (
    Mode("light", 1280, 900, "light"),
    Mode("dark", 1280, 900, "dark"),
    Mode("tablet", 768, 1024, "light", axe=False),
    Mode("phone, dark", 390, 844, "dark", axe=False),
    Mode("phone", 390, 844, "light"),
)

LOADED = """() => [location.href,
    ...performance.getEntriesByType('resource').map(each => each.name)]"""

# Colors halfway through a transition would be judged as if they stayed.
STILL = "*, *::before, *::after { transition: none !important; animation: none !important; }"

# Waits until MathJax has set every formula and two frames have been drawn.
SETTLED = """async () => {
    if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
    await document.fonts.ready;
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""

LOOK = """() => {
    const screen = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll('body *')].filter(
        each => each.getBoundingClientRect().right > screen + 1
            && each.checkVisibility() && !each.closest('mjx-assistive-mml')
            && ![...ancestors(each)].some(one => getComputedStyle(one).overflowX !== 'visible'));
    function* ancestors(each) {
        while ((each = each.parentElement) && each !== document.body) yield each;
    }
    return {
        overflow: document.documentElement.scrollWidth - screen,
        wide: wide.slice(0, 3).map(each => each.outerHTML.slice(0, 100)),
        formulas: document.querySelectorAll('.math').length,
        rendered: document.querySelectorAll('.math mjx-container').length,
        failed: document.querySelectorAll('mjx-merror, [data-mjx-error]').length,
    };
}"""


# axe takes a minute over the thousands of colored words and strokes of a long page. What MathJax
# draws is hidden from assistive technology, which reads the MathML beside it; of the colored words
# in code and in signatures, the first of each kind and surrounding stands for the others.
ASK_AXE = """rules => {
    for (const drawing of document.querySelectorAll('mjx-math')) drawing.replaceChildren();
    const kinds = new Set();
    const alike = [];
    for (const word of document.querySelectorAll('pre span[class], dt.sig span[class]')) {
        const block = word.closest('pre, dt');
        const box = word.closest('div[class], dl[class]').parentElement;
        let kind = block.tagName + '.' + block.className + ' in ' + box.className;
        for (let each = word; each !== block; each = each.parentElement)
            kind = each.tagName + '.' + each.className + ' in ' + kind;
        if (kinds.has(kind)) alike.push(word);
        kinds.add(kind);
    }
    for (const word of alike) word.replaceWith(...word.childNodes);
    document.querySelectorAll('pre, dt.sig').forEach(block => block.normalize());
    return axe.run(document, {runOnly: rules, resultTypes: ['violations']});
}"""


@dataclass
class Visit:
    """What one page did in one mode."""

    page: str
    mode: str
    seconds: float = 0.0
    formulas: int = 0
    problems: list[str] = field(default_factory=list)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def serve(root: Path) -> str:
    """Serves the folder on a free port of loopback, and returns the address."""
    handler = functools.partial(_Quiet, directory=str(root))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def redirects(path: Path) -> bool:
    """Whether the page only sends its reader on, as the site's first address does."""
    return 'http-equiv="refresh"' in path.read_text(encoding="utf-8")[:500].lower()


@functools.cache
def sent_size(path: Path) -> int:
    """The bytes that a server sends for this file."""
    data = path.read_bytes()
    return len(data) if path.suffix in PACKED else len(gzip.compress(data, 6))


def weigh(root: Path, address: str, loaded: list[str]) -> list[str]:
    """What is wrong with the weight of a page that loaded these addresses."""
    names = {each.removeprefix(address).partition("?")[0].partition("#")[0] for each in loaded}
    sizes = {name: sent_size(root / name) for name in names if (root / name).is_file()}
    total = sum(sizes.values())
    if total <= HEAVIEST:
        return []
    parts = sorted(sizes, key=sizes.get, reverse=True)[:4]
    told = ", ".join(f"{name} {sizes[name] // 1000}" for name in parts)
    return [f"a page must weigh at most {HEAVIEST // 1000} kB, got {total // 1000}: {told}"]


def find_chromium() -> str:
    wanted = os.environ.get("CHROMIUM")
    names = [wanted] if wanted else ["chromium", "chromium-browser", "google-chrome", "chrome"]
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise FileNotFoundError(
        f"Chromium must be installed for the browser gate, found none of: {', '.join(names)}\n"
        "    on Debian and Ubuntu:  apt-get install chromium\n"
        "    anywhere:              python -m playwright install chromium, then set CHROMIUM\n"
        "    if it stands elsewhere: CHROMIUM=/path/to/chromium"
    )


class Browser:
    """One browser that shows every page in every mode, each in a tab of its own.

    A tab that has shown other pages reports fonts of theirs among what a page loads by itself.
    """

    def __init__(self, playwright, address: str, root: Path):
        self.address = address
        self.root = root
        self.browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        self.axe = AXE.read_text(encoding="utf-8")
        self.heard: list[str] = []

    def visit(self, name: str, shots: Path | None = None) -> list[Visit]:
        """What the page does in each mode; loaded anew where the width changes."""
        visits, width = [], None
        context = self.browser.new_context(reduced_motion="reduce")
        self.tab = context.new_page()
        self.tab.set_default_timeout(TIMEOUT)
        self._listen()
        for mode in MODES:
            visit = Visit(name, mode.name)
            self.heard = visit.problems
            start = time.perf_counter()
            try:
                self.tab.set_viewport_size({"width": mode.width, "height": mode.height})
                self.tab.emulate_media(color_scheme=mode.scheme)
                if is_fresh := mode.width != width or bool(shots):
                    self.tab.goto(self.address + name, wait_until="load")
                    self.tab.add_style_tag(content=STILL)
                    width = mode.width
                self._look(visit)
                if is_fresh:  # the colors make no difference
                    visit.problems += self.tab.evaluate(FAULTS)
                if mode == MODES[0]:
                    visit.problems += weigh(self.root, self.address, self.tab.evaluate(LOADED))
                if shots:  # before axe, whose page is a simplified one
                    stem = name.removesuffix(".html").replace("/", "-")
                    file = f"{stem}-{mode.name.replace(', ', '-')}.png"
                    self.tab.screenshot(path=shots / file, full_page=True)
                if mode.axe:
                    self._ask_axe(visit.problems)
            except Exception as error:  # one page that fails must not hide the others
                visit.problems.append(f"the page must load, got {str(error).splitlines()[0]}")
                width = None
            visit.seconds = time.perf_counter() - start
            visits.append(visit)
        context.close()
        return visits

    def _listen(self) -> None:
        def request(call):
            if not call.url.startswith((self.address, "data:", "blob:")):
                self.heard.append(f"nothing may be loaded from another host, got {call.url}")

        def answer(response):
            if response.status >= 400:
                self.heard.append(f"each file must be there, got {response.status} {response.url}")

        def console(message):
            # A file that is foreign or not there is told once, by its own line.
            if message.type == "error" and "Failed to load resource" not in message.text:
                self.heard.append(f"the console must be empty, got {message.text[:200]}")

        self.tab.on("request", request)
        self.tab.on("response", answer)
        self.tab.on("console", console)
        self.tab.on(
            "pageerror",
            lambda error: self.heard.append(f"scripts must not fail, got {error}"[:250]),
        )

    def _look(self, visit: Visit) -> None:
        self.tab.evaluate(SETTLED)
        seen = self.tab.evaluate(LOOK)
        visit.formulas = seen["formulas"]
        if seen["rendered"] != seen["formulas"] or seen["failed"]:
            visit.problems.append(
                f"all {seen['formulas']} formulas must be rendered, got {seen['rendered']},"
                f" {seen['failed']} of them with an error"
            )
        if seen["overflow"] > 0:
            visit.problems.append(
                f"the page must not be wider than the screen, got {seen['overflow']} px more:"
                f" {' | '.join(seen['wide'])}"
            )

    def _ask_axe(self, problems: list[str]) -> None:
        self.tab.evaluate(self.axe)
        found = self.tab.evaluate(ASK_AXE, AXE_RULES)
        for violation in found["violations"]:
            for node in violation["nodes"]:
                problems.append(
                    f"axe {violation['id']} ({violation['impact']}): {violation['help']}:"
                    f" {node['html'][:160]}"
                )


def visit_all(root: Path, names: list[str], shots: Path | None = None) -> list[Visit]:
    from playwright.sync_api import sync_playwright

    find_chromium()  # before anything starts
    visits = []
    with sync_playwright() as playwright:
        browser = Browser(playwright, serve(root), root)
        for name in tqdm(names, unit="page", disable=not sys.stderr.isatty()):
            visits += browser.visit(name, shots)
        browser.browser.close()
    return visits


def report(visits: list[Visit], texts: dict[str, list[str]], out: Console) -> int:
    """Prints a table and every problem; returns how many there are."""
    table = Table("page", *[mode.name for mode in MODES], "html", "formulas", "seconds")
    for name in texts:
        mine = {visit.mode: visit for visit in visits if visit.page == name}
        counts = [len(mine[mode.name].problems) for mode in MODES]
        formulas = mine[MODES[0].name].formulas
        seconds = sum(visit.seconds for visit in mine.values())
        cells = ["ok" if not n else f"[red]{n}[/red]" for n in [*counts, len(texts[name])]]
        table.add_row(name, *cells, str(formulas), f"{seconds:.1f}")
    out.print(table)
    lines = [(v.page, v.mode, problem) for v in visits for problem in v.problems]
    lines += [(name, "html", problem) for name in texts for problem in texts[name]]
    for page, mode, problem in lines:
        out.print(f"{page} ({mode}): {problem}", markup=False, highlight=False, soft_wrap=True)
    return len(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path, help="the folder with the built HTML")
    parser.add_argument(
        "--pages", nargs="+", metavar="PAGE", help="only these: book/attention.html"
    )
    parser.add_argument("--shots", type=Path, metavar="FOLDER", help="keep a picture of each page")
    arguments = parser.parse_args()
    root = arguments.site.resolve()
    names = [path.relative_to(root).as_posix() for path in site_pages(root) if not redirects(path)]
    if not names:
        print(
            f"{arguments.site} must hold a built site, got no page: run make book", file=sys.stderr
        )
        return 1
    unknown = set(arguments.pages or []) - set(names)
    if unknown:
        print(
            f"--pages must name pages of the site, got {', '.join(sorted(unknown))}",
            file=sys.stderr,
        )
        return 1
    names = arguments.pages or names
    if arguments.shots:
        arguments.shots.mkdir(parents=True, exist_ok=True)
    try:
        visits = visit_all(root, names, arguments.shots)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    wrong = report(visits, check_html(root, names), console())
    print_longest("page", {n: sum(v.seconds for v in visits if v.page == n) for n in names})
    print(f"{len(names)} pages in {len(MODES)} modes: {wrong or 'no'} problem{'s' * (wrong != 1)}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
