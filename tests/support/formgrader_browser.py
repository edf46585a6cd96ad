"""A class with hostile work in it, nbgrader's screen on it, and a browser that listens."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import forks
from attacks import pages
from notebook_edits import answer
from site_check import FLAGS, find_chromium
from tiny_course import answered, make_course

ROOT = Path(__file__).parents[2]

FORMULA = "# Why\n\nBecause $x\\cdot x = x^2$ and $$\\sum_{k=1}^{n}(2k-1)=n^2.$$\n\n* **so**\n"
ABS = "def double(x): return abs(2 * x)"
# Where a script, a handler or a link has come through.
LOOK = """() => ({
    canary: window.CANARY || document.title.includes('CANARY'),
    active: [...document.querySelectorAll('*')].flatMap(each => [...each.attributes]
        .filter(one => one.name.startsWith('on') && !OURS.includes(one.value)
                       || /^\\s*(javascript|data:text)/i.test(one.value))
        .map(one => one.value)),
})""".replace("OURS", json.dumps([
    "createAssignmentModal();", "createStudentModal();", "toggleAllNames()",
    "toggle_name(true);", "toggle_name(false);",
]))  # fmt: skip


# A list of what does not exist says "Loading" for ever: its request has been answered then.
SETTLED = """async () => {
    const pause = () => new Promise(done => setTimeout(done, 50));
    const asks = () => window.jQuery?.active > 0;
    const busy = () => asks() || window.formgrader && !window.formgrader.loaded;
    for (let turn = 0; turn < 20 && busy(); turn++) await pause();
    await window.MathJax?.startup?.promise?.catch(() => {});
    await pause();
}"""


def lmcourse(*arguments, cwd: Path) -> None:
    done = forks.lmcourse(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


def hostile_class(root: Path) -> Path:
    """A graded course: honest ada, ben with a wrong answer, two who write to the browser, and sid,
    whose page takes hours or crashes the tab where nothing bounds it.
    """
    make_course(root)
    lmcourse("release", cwd=root)
    attacks = pages.MARKDOWN.items()
    for student, name, source in (
        ("ada", "why", FORMULA),
        ("ben", "double", ABS),
        ("mal", "why", "\n\n".join(text for name, text in attacks if name != "an attachment")),
        ("pet", "why", "x"),
        ("sid", "why", pages.DEEP_FORMULAS["fractions"]),
    ):
        nb = answered(json.loads((root / "exercises/tiny/tiny.ipynb").read_text("utf-8")))
        answer(nb, name, source)
        if student == "ben":  # in nbgrader's page an exception
            answer(nb, "why", pages.MARKDOWN["an attachment"])
        if student == "mal":
            answer(nb, "double", f"print({pages.NAME!r})\nraise ValueError({pages.NAME!r})")
        path = root.parent / "in" / student / "tiny.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(nb), "utf-8")
    lmcourse("grade", root.parent / "in", "-a", "tiny", cwd=root)
    plant(root)
    return root


def plant(root: Path) -> None:
    """What our own grading would never let through, but may lie there from elsewhere."""
    path = root / "autograded/pet/tiny/tiny.ipynb"
    nb = json.loads(path.read_text("utf-8"))
    extra = {"metadata": {}, "id": "x"}
    for source in pages.MARKDOWN.values():
        nb["cells"].append({**extra, "cell_type": "markdown", "source": source})
        nb["cells"].append({**extra, "cell_type": "raw", "source": source})
    code = {"cell_type": "code", "source": pages.NAME, "execution_count": 1}
    nb["cells"].append({**extra, **code, "outputs": pages.OUTPUTS})
    pages.hostile_metadata(nb)
    path.write_text(json.dumps(nb), "utf-8")
    slow = root / "autograded/sid/tiny/tiny.ipynb"
    nb = json.loads(slow.read_text("utf-8"))
    for source in pages.DEEP_FORMULAS.values():
        nb["cells"].append({**extra, "cell_type": "markdown", "source": source})
    for source in pages.SLOW_CODE.values():
        nb["cells"].append({**extra, **code, "source": source, "outputs": []})
    slow.write_text(json.dumps(nb), "utf-8")
    for folder in ("autograded/mal/tiny", "submitted/mal/tiny"):
        (root / folder / "evil.html").write_text(f"<script>{pages.CODE}</script>")
        (root / folder / "evil.svg").write_text(pages.MARKDOWN["a drawing that loads"])
        (root / folder / "evil.js").write_text(pages.CODE)
    settings = f"open({str(root / 'written')!r}, 'w')"
    (root / "submitted/mal/nbgrader_config.py").write_text(settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as gradebook:
            names = dict.fromkeys(("first_name", "last_name", "email"), pages.NAME)
            for student in ("mal", "pet", pages.NAME):
                gradebook.update_or_create_student(student, **names)


def submissions(root: Path) -> dict[str, str]:
    """For each student nbgrader's id of the notebook."""
    query = (
        "select student_id, submitted_notebook.id from submitted_notebook join"
        " submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id"
    )
    with sqlite3.connect(root / "gradebook.db") as db:
        return dict(db.execute(query))


def contents(root: Path) -> dict[str, bytes]:
    """Every file of the course, without the database."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in root.rglob("*")
        if "gradebook.db" not in path.name
    }


@contextmanager
def formgrader(root: Path, change: str = ""):
    """The address with its token, and the process; `change` is Python that runs before."""
    code = f"{change}\nfrom lmcourse.__main__ import main\nmain()"
    command = [sys.executable, "-W", "ignore", "-c", code, "formgrader", "--port", "0", "--"]
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    environment = {**os.environ, "LMCOURSE_DEBUG": "1", "PYTHONPATH": path}
    log = root.parent / "formgrader.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, "--allow-root"], cwd=root, stdout=file, stderr=file, env=environment
        )
    try:
        until = time.monotonic() + 60
        while not (
            found := re.search(r"(http://127\S+?)/formgrader\?(token=\w+)", log.read_text())
        ):
            assert time.monotonic() < until, log.read_text()
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield found[1], found[2], process
    finally:
        try:
            if not change:  # what a test broke need not end well
                process.send_signal(signal.SIGINT)
                assert process.wait(timeout=60) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()


def start_chromium(playwright):
    return playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)


class Tab:
    """Notes every request to another host, every dialog, and what the console says."""

    def __init__(self, chromium, address: str, *, policy: bool = True):
        self.address = address
        self._context = chromium.new_context(bypass_csp=not policy)
        self.tab = self._context.new_page()
        self.tab.set_default_timeout(60_000)  # the machine may be busy
        self.foreign: list[str] = []
        self.said: list[str] = []
        self.tab.on("dialog", self._dialog)
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.route("**/*", self._route)

    def close(self) -> None:
        self._context.close()

    def log_in(self, token: str) -> None:
        self.tab.goto(f"{self.address}/formgrader?{token}")

    def visit(self, path: str) -> int:
        """Open a page of the server and wait until its scripts have done their work."""
        response = self.tab.goto(self.address + path)
        self.settle()
        return response.status

    def settle(self) -> None:
        self.tab.evaluate(SETTLED)

    def look(self) -> dict:
        return self.tab.evaluate(LOOK)

    def _dialog(self, dialog) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _route(self, route) -> None:
        if route.request.url.startswith((self.address, "data:", "file:")):
            route.continue_()
        else:
            self.foreign.append(route.request.url)
            route.fulfill(status=204)
