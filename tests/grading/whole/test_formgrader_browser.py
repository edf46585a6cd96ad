"""The screen for grading by hand, and the feedback, in a real browser on hostile work."""

import csv
import re
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import nbgrader
import psutil
import pytest
from attacks import pages
from formgrader_browser import (
    Tab,
    contents,
    formgrader,
    hostile_class,
    lmcourse,
    start_chromium,
    submissions,
)
from playwright.sync_api import sync_playwright

from lmcourse.grading.formgrader.rendering import PAGES

pytestmark = pytest.mark.slow

# nbgrader's own pages, as they are without this package; the class is graded as usual.
STOCK = """
from tornado.web import OutputTransform
import lmcourse.grading.formgrader.server as server
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension
def settings(self, app):
    self.update_config(self.build_extra_config())
    FormgradeExtension.init_tornado_settings(self, app)
start = server.Formgrader.initialize
def initialize(self, argv=None, root=""):
    if not root:
        return start(self)
    server.Formgrader.load_config_file = FormgradeExtension.load_config_file
    FormgradeExtension.initialize(self, argv, root)
server.Formgrader.initialize = initialize
server.Formgrader.init_tornado_settings = settings
server.Formgrader.init_handlers = FormgradeExtension.init_handlers
server.Policy = lambda request: OutputTransform(request)
"""
# The policy alone: whatever was written goes into the page.
RAW = """
from functools import partial
import lmcourse.grading.formgrader.server as server
import page_makers
server.PageProcesses = partial(server.PageProcesses, make=page_makers.make_raw)
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return hostile_class(tmp_path_factory.mktemp("screen").resolve() / "course")


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = start_chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(course):
    with formgrader(course) as (address, token, process):
        yield address, token, process


@pytest.fixture
def open_browser(chromium):
    opened = []

    def make(address, token, **options):
        opened.append(Tab(chromium, address, **options))
        opened[-1].log_in(token)
        return opened[-1]

    yield make
    for tab in opened:
        tab.close()


def addresses(course) -> dict[str, int]:
    """Every kind of page that formgrader has, and some that it must not have, with the status."""
    found = submissions(course)
    own, name = found["mal"], quote(pages.NAME, safe="")
    odd = quote('";window.CANARY=1;//</script><script>window.CANARY=1</script>', safe="")
    shown = [
        "", "?path=submitted/mal", f"?path={course}/submitted/mal", "/manage_assignments",
        "/manage_submissions/tiny", f"/manage_submissions/{odd}", "/gradebook", "/gradebook/tiny",
        f"/gradebook/{odd}", "/gradebook/tiny/tiny", f"/gradebook/tiny/{odd}", "/manage_students",
        "/manage_students/mal", f"/manage_students/{name}", f"/manage_students/{odd}",
        "/manage_students/mal/tiny", f"/manage_students/{odd}/{odd}",
        *(f"/submissions/{each}/" for each in found.values()),
        *(f"/submissions/{own}/{step}" for step in ("next", "prev", "next_incorrect")),
        "/api/status", "/api/assignments", "/api/assignment/tiny", "/api/notebooks/tiny",
        "/api/submissions/tiny", "/api/submission/tiny/mal", "/api/submitted_notebooks/tiny/tiny",
        f"/api/grades?submission_id={own}", f"/api/comments?submission_id={own}", "/api/students",
        "/api/student/mal", f"/api/student/{name}", "/api/student_submissions/mal",
        "/api/student_notebook_submissions/mal/tiny",
    ]  # fmt: skip
    missing = [
        *(f"/formgrader/submissions/{own}/evil.{kind}" for kind in ("html", "svg", "js")),
        "/formgrader/submissions/components/x.js", "/formgrader/fonts/x.woff",
        f"/formgrader/submissions/{odd}/", "/formgrader/nothing",
        "/files/submitted/mal/tiny/evil.html", "/view/submitted/mal/tiny/evil.html",
        "/nbconvert/html/autograded/mal/tiny/tiny.ipynb", "/api/contents/gradebook.db",
        "/api/kernels", "/api/terminals", "/terminals/1", "/lab", "/tree", "/notebooks/x.ipynb",
    ]  # fmt: skip
    return {f"/formgrader{path}": 200 for path in shown} | dict.fromkeys(missing, 404)


def test_no_page_of_nbgrader_is_left_out(course):
    from nbgrader.server_extensions.formgrader import apihandlers, handlers

    grade = [f"/formgrader/api/{kind}/1" for kind in ("grade", "comment")]  # read with the others
    opened = [path.partition("?")[0] for path in [*addresses(course), *grade]]
    for pattern, handler in [(r[0], r[1]) for r in handlers.default_handlers] + [
        *apihandlers.default_handlers
    ]:
        if handler.get is not handlers.BaseHandler.get:
            assert any(re.fullmatch(pattern, path) for path in opened), pattern


@pytest.mark.parametrize("policy", [True, False], ids=["with its policy", "without any policy"])
def test_nothing_that_was_handed_in_acts_on_any_page(course, served, open_browser, policy):
    """With the policy off, what makes text safe holds alone."""
    before = contents(course)
    browser = open_browser(*served[:2], policy=policy)
    for path, status in addresses(course).items():
        browser.said.clear()
        assert browser.visit(path) == status, path
        if "CANARY" not in path:  # what exists has been filled in before it is looked at
            assert "Loading, please wait" not in browser.tab.inner_text("body"), path
        assert browser.look() == {"canary": False, "active": []}, path
        said = [line for line in browser.said if "status of 404" not in line]
        assert said == [], path
    assert browser.foreign == []
    assert contents(course) == before


def test_what_a_screen_cannot_bear_is_there_as_text(course, served, open_browser):
    browser = open_browser(*served[:2])
    assert browser.visit(f"/formgrader/submissions/{submissions(course)['sid']}/") == 200
    shown = browser.tab.locator(".rendered_html pre").all_inner_texts()
    for source in pages.DEEP_FORMULAS.values():
        assert any(source.split()[0] in text for text in shown), source
    assert browser.tab.locator(".input_area pre span").count() < 10_000


def test_the_same_work_does_act_in_the_stock_pages(course, open_browser):
    """Else the tests above would prove nothing."""
    found = submissions(course)
    page = f"/formgrader/submissions/{found['pet']}/"
    beside = f"/formgrader/submissions/{found['mal']}/evil.html"

    def written():
        """Mal's settings ran as the instructor; pet's script made a folder in the course."""
        made = [path.is_dir() for path in course.rglob("written")]
        return False in made, True in made

    with formgrader(course, STOCK) as (address, token, _):
        browser = open_browser(address, token)
        for path in (beside, page):
            browser.tab.goto(address + path, wait_until="commit")
            browser.tab.wait_for_function("window.CANARY", timeout=60_000)
        until = time.monotonic() + 60
        while written() != (True, True) and time.monotonic() < until:
            browser.tab.wait_for_timeout(200)
        assert any(f"{pages.HOST}/fetch" in url for url in browser.foreign)
    assert written() == (True, True)
    for path in list(course.rglob("written")):
        path.rmdir() if path.is_dir() else path.unlink()


def test_the_policy_holds_alone_too(course, open_browser):
    before = contents(course)
    with formgrader(course, RAW) as (address, token, _):
        browser = open_browser(address, token)
        for student in ("mal", "pet"):
            path = f"/formgrader/submissions/{submissions(course)[student]}/"
            browser.tab.goto(address + path, wait_until="domcontentloaded")
            browser.tab.wait_for_timeout(500)
            assert not browser.look()["canary"]
            assert browser.look()["active"] != []  # it is there, and does nothing
    assert [url for url in browser.foreign if "refresh" not in url] == []
    assert contents(course) == before


def test_a_cover_or_a_borrowed_name_does_not_reach_the_buttons(course, served, open_browser):
    browser = open_browser(*served[:2])
    for student in ("mal", "pet"):
        browser.visit(f"/formgrader/submissions/{submissions(course)[student]}/")
        assert (
            browser.tab.evaluate(
                """() => [...document.querySelectorAll('.full-credit, input.score')].map(each => {
                each.scrollIntoView({block: 'center'});
                const box = each.getBoundingClientRect();
                const x = box.x + box.width / 2, y = box.y + box.height / 2;
                return document.elementFromPoint(x, y) === each;
            })"""
            )
            == [True] * 6
        )
        assert browser.tab.locator("#why").count() == 1
        assert browser.tab.locator("input#why.score").count() == 1


def test_formulas_and_markdown_of_an_honest_answer_are_shown(course, served, open_browser):
    browser = open_browser(*served[:2])
    browser.visit(f"/formgrader/submissions/{submissions(course)['ada']}/")
    answer = browser.tab.locator(".nbgrader_cell", has=browser.tab.locator("#why"))
    assert answer.locator("h1").inner_text() == "Why"
    assert answer.locator("li strong").inner_text() == "so"
    assert answer.locator("mjx-container").count() == 2
    assert answer.locator("mjx-merror").count() == 0
    assert "$" not in answer.locator(".rendered_html").inner_text()
    assert browser.said == []


def test_points_and_a_comment_reach_the_gradebook_and_the_learner(course, served, open_browser):
    browser = open_browser(*served[:2])
    address = f"/formgrader/submissions/{submissions(course)['ada']}/"
    browser.visit(address)
    for box, text in (("#why", "0.5"), ("#why-comment", f"**Half.** {pages.NAME}")):
        with browser.tab.expect_response(lambda response: response.request.method == "PUT") as sent:
            browser.tab.fill(box, text)
            browser.tab.press(box, "Escape")
        assert sent.value.status == 200
    browser.visit(address)
    browser.tab.wait_for_function("$('#why').val() === '0.5'")
    assert browser.tab.input_value("#why-comment") == f"**Half.** {pages.NAME}"
    with sqlite3.connect(course / "gradebook.db") as db:
        assert db.execute("select manual_score from grade where manual_score > 0").fetchall() == [
            (0.5,)
        ]
    browser.visit("/formgrader/manage_submissions/tiny")
    browser.tab.locator("tr", has_text="ada").locator(".generate-feedback a").click()
    browser.tab.locator("#success-modal").wait_for(timeout=60_000)
    page = course / "feedback/ada/tiny/tiny.html"
    by_button = page.read_text("utf-8")
    assert "Graded by a person: 0.5 of 1 points" in by_button
    assert "<strong>Half.</strong> &lt;img" in by_button
    lmcourse("report", "-a", "tiny", cwd=course)
    assert page.read_text("utf-8") == by_button
    with (course / "grades/tiny.csv").open(encoding="utf-8-sig") as file:
        assert next(csv.DictReader(file))["total"] == "5.5"


def test_the_feedback_says_label_message_and_points_and_acts_nowhere(course, served, open_browser):
    lmcourse("report", "-a", "tiny", cwd=course)
    browser = open_browser(*served[:2], policy=False)
    browser.said.clear()
    text = {}
    for student in ("ada", "ben", "mal"):
        path = course / f"feedback/{student}/tiny/tiny.html"
        browser.tab.goto(path.as_uri())
        browser.tab.wait_for_timeout(100)
        assert browser.look() == {"canary": False, "active": []}
        text[student] = browser.tab.inner_text("body")
        for secret in ("SECRET", "HIDDEN TESTS", "math.pi", "Model answer", "assert "):
            assert secret not in path.read_text("utf-8")
    assert browser.foreign == []
    assert browser.said == []
    assert "Task 1 · Double" in text["ben"]
    assert "A hidden test failed: 0 of 2 points." in text["ben"]
    assert "double must work for negative numbers too." in text["ben"]
    assert "All tests passed: 3 of 3 points." in text["ben"]
    assert "Waits for a person: at most 1 points." in text["mal"]  # not a 0
    assert pages.NAME in text["mal"]  # what it printed, as text


def test_the_server_is_seen_by_this_machine_only_and_its_token_by_nobody(served):
    _, token, process = served
    started = psutil.Process(process.pid)
    for one in (started, *started.children(recursive=True)):
        assert token.partition("=")[2] not in " ".join(one.cmdline())
    listening = [c.laddr.ip for c in started.net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


def test_the_policy_is_on_every_answer(served, open_browser):
    address, token, _ = served
    browser = open_browser(address, token)
    for path in ("/login", "/formgrader/gradebook", "/formgrader/static/js/utils.js", "/nothing",
                 "/formgrader/api/students", "/static/favicon.ico"):  # fmt: skip
        headers = browser.tab.request.get(address + path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'; script-src 'nonce-" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
    asked = [browser.tab.request.get(f"{address}/formgrader/gradebook") for _ in range(2)]
    nonces = [re.search("nonce-(.+?)'", a.headers["content-security-policy"])[1] for a in asked]
    assert nonces[0] != nonces[1]
    assert asked[1].text().count(f'nonce="{nonces[1]}"') == asked[1].text().count("<script")


STATIC = Path(nbgrader.__file__).parent / "server_extensions/formgrader/static"
# The script that is added to nbgrader's pages, with what it stands on.
FILES = {
    "/jquery.js": STATIC / "node_modules/jquery/dist/jquery.min.js",
    "/screen.js": PAGES / "screen.js",
    "/screen.css": PAGES / "screen.css",
}
PAGE = """<!DOCTYPE html><html lang="en"><head><link rel="stylesheet" href="/screen.css">
<script src="/jquery.js"></script><script src="/screen.js"></script></head><body></body></html>"""
SAVE = "type => new Promise(done => $.ajax({type, url: '/api/grade/1'}).always(() => done()))"


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("PUT", 404, "Not saved: another notebook of this learner was graded since"),
        ("PUT", 500, "Not saved: the server answers 500. Load this page again."),
        ("PUT", None, "Not saved: the server does not answer."),
        ("PUT", 200, ""),
        ("GET", 404, ""),
    ],
)
def test_an_entry_that_was_not_saved_is_told(chromium, kind, status, said):
    def answer(route):
        path = urlsplit(route.request.url).path
        if path in FILES:
            route.fulfill(path=FILES[path])
        elif path == "/":
            route.fulfill(body=PAGE, content_type="text/html")
        elif status is None:
            route.abort()
        else:
            route.fulfill(status=status, body="{}", content_type="application/json")

    tab = chromium.new_page()
    tab.route("**/*", answer)
    tab.goto("http://formgrader.invalid/")
    for _ in range(2):  # one line, however often it is tried
        tab.evaluate(SAVE, kind)
    lines = tab.locator(".not-saved")
    assert lines.count() == bool(said)
    if said:
        assert lines.inner_text().startswith(said)
        assert lines.bounding_box()["y"] == 0.0  # exact: the top of the window
    tab.close()
