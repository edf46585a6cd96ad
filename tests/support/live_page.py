"""A live figure on a page of its own, in a real browser: a test reads what it shows, presses keys.

    def test_the_row_follows_the_keys(live_page):
        page = live_page(live_figures.attention_row(...))
        page.get_by_role("button", name="cat").press("ArrowRight")
        assert page.locator(".lm-said").inner_text() == "…"

`live_page` is a fixture; the page that it opens is a `Page` of Playwright, so everything that has a
name is found as a screen reader finds it. At the end of the test the console must have been silent,
nothing may have come from another host, and axe must find no fault with the page as it was left.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from site_check import AXE, AXE_RULES, FLAGS, find_chromium, serve

ROOT = Path(__file__).parents[2]
STATIC, MODELS = ROOT / "book/_static", ROOT / "lmcourse/models"
# The two colors that a page has from its theme and lmcourse.css leaves as they are.
HTML = """<!doctype html>
<html lang="en" data-theme="{theme}">
<head>
<meta charset="utf-8">
<title>A live figure</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="_static/lmcourse.css">
<link rel="stylesheet" href="_static/live/live.css">
<style>
html {{ --pst-color-background: #fff }} html[data-theme="dark"] {{ color-scheme: dark }}
body {{ background: var(--pst-color-background); color: var(--pst-color-text-base) }}
</style>
{script}
</head>
<body><main class="bd-article"><h1>A live figure</h1>{figures}</main></body>
</html>
"""
SCRIPT = '<script type="module" src="_static/live/live.js"></script>'


@contextmanager
def live_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


class Stage:
    """One figure or several on a page, and what the page said and fetched."""

    def __init__(self, browser: Browser, folder: Path):
        self.browser, self.folder, self.address = browser, folder, serve(folder)
        (folder / "_static").mkdir()
        for each in (*STATIC.iterdir(), *MODELS.iterdir()):  # as in html_static_path
            (folder / "_static" / each.name).symlink_to(each)
        self.heard: list[str] = []
        self.pages: list[Page] = []

    def open(self, *figures, theme: str = "light", width: int = 1280, script: bool = True) -> Page:
        """The page with the figures, each of which has been mounted.

        Args:
            figures: whatever has `_repr_html_`.
            script: False shows what a reader without JavaScript sees.
        """
        html = "".join(figure._repr_html_() for figure in figures)
        content = HTML.format(theme=theme, script=SCRIPT if script else "", figures=html)
        (self.folder / "index.html").write_text(content, encoding="utf-8")
        page = self.browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(60_000)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.heard.append(str(error)))
        page.on("request", self._request)
        page.goto(self.address + "index.html")
        if script:
            page.wait_for_function(
                "document.querySelectorAll('figure[data-live]').length =="
                " document.querySelectorAll('figure.lm-mounted').length"
            )
        self.pages.append(page)
        return page

    def close(self) -> None:
        for page in self.pages:
            page.close()

    def faults(self) -> list[str]:
        """What is wrong with the pages as they are now."""
        found = list(self.heard)
        for page in self.pages:
            overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            if (more := page.evaluate(overflow)) > 0:
                found.append(f"the page must not be wider than the screen, got {more} px more")
            page.evaluate(AXE.read_text(encoding="utf-8"))
            result = page.evaluate("rules => axe.run(document, {runOnly: rules})", AXE_RULES)
            for violation in result["violations"]:
                places = [node["html"][:100] for node in violation["nodes"]]
                found.append(f"axe {violation['id']}: {places}")
        return found

    def _console(self, message) -> None:
        if message.type in ("error", "warning"):
            self.heard.append(message.text)

    def _request(self, call) -> None:
        if not call.url.startswith((self.address, "data:", "blob:")):
            self.heard.append(f"nothing may be loaded from another host, got {call.url}")


@contextmanager
def stage(browser: Browser) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        made = Stage(browser, Path(folder))
        try:
            yield made
            faults = made.faults()
            assert not faults, "\n".join(faults)
        finally:
            made.close()
