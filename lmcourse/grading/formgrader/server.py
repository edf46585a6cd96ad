"""A Jupyter server that is nbgrader's formgrader and nothing else.

Chapter: book/instructors/hand_grading.md

Threat: a page made from a learner's text that gets to act for the instructor. So there is nothing
to act with: no editor, kernel, terminal or files, and no address that loads settings from a folder.
"""

import signal
from pathlib import Path

from jupyter_server.base.handlers import Template404
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from nbgrader.coursedir import CourseDirectory
from nbgrader.server_extensions.formgrader import apihandlers, handlers
from nbgrader.server_extensions.formgrader.base import BaseHandler
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension
from tornado import web
from traitlets.config import Config

from lmcourse.grading.formgrader.page_process import PageProcesses
from lmcourse.grading.formgrader.rendering import (
    PAGES,
    Policy,
    jupyter_environment,
    nonce,
    page_environment,
)

# The first loads code from any folder that its address names; the other serves whatever lies
# beside a submission, with the type that its name claims.
_SWITCHED_OFF = (handlers.FormgraderHandler, handlers.SubmissionFilesHandler)


class Start(BaseHandler):
    """The first page; whatever else the address asks for is not done."""

    @web.authenticated
    def get(self) -> None:
        """Sends the browser to the list of assignments."""
        self.redirect(f"{self.base_url}/formgrader/manage_assignments")


class Submission(handlers.SubmissionHandler):
    """nbgrader's page of a submission, made while the server answers others."""

    _asked: tuple[str, dict] | None = None

    @web.authenticated
    async def get(self, submission_id: str) -> None:
        """The page, or a few words where it cannot be made."""
        super().get(submission_id)  # looks it up, and asks `exporter` for the page
        if self._asked is None:
            return
        filename, resources = self._asked
        page = await self.settings["lmcourse_pages"].page(filename, resources, nonce())
        if page is None:
            self.set_status(500)
            page = self.render("formgrade_not_shown.tpl", resources=resources, filename=filename)
        self.write(page)

    @property
    def exporter(self) -> "Submission":
        """Whom nbgrader asks for the page: nothing is made here."""
        return self

    def from_filename(self, filename: str, resources: dict) -> tuple[str, dict]:
        """Notes which page it is."""
        self._asked = filename, resources
        return "", resources


class Formgrader(FormgradeExtension):
    """nbgrader's extension with settings that were read once, from the course alone."""

    debug = False  # it would print all settings into a page

    def __init__(self, settings: Config, formulas: Path | None, **options):
        super().__init__(**options)
        self._settings = settings
        self._mathjax = formulas

    def load_config_file(self, **_) -> None:
        """The settings that were given; no file of the user's own counts."""
        self.update_config(self._settings)

    def load_config(self) -> Config:
        """The settings that were given."""
        return Config(self._settings)

    def initialize(self, argv: list[str] | None = None, root: str = "") -> None:
        """The settings, and nothing of the command line."""
        self.load_config_file()
        self.coursedir = CourseDirectory(parent=self)

    def init_tornado_settings(self, webapp: web.Application) -> None:
        """nbgrader's, with pages that are made safe."""
        super().init_tornado_settings(webapp)
        webapp.settings["jinja2_env"] = jupyter_environment(webapp.settings["jinja2_env"])
        webapp.settings["nbgrader_jinja2_env"] = page_environment()
        webapp.settings["nbgrader_exporter"] = None  # no page is made in the server
        webapp.settings["lmcourse_pages"] = PageProcesses(formulas=bool(self._mathjax))

    def init_handlers(self, webapp: web.Application) -> None:
        """nbgrader's, and the start page."""
        rules = [(r"/formgrader/?", Start)]
        stock = [*handlers.default_handlers, *apihandlers.default_handlers]
        ours = {handlers.SubmissionHandler: Submission}
        rules += [
            (rule[0], ours.get(rule[1], rule[1]), *rule[2:])
            for rule in stock
            if rule[1] not in _SWITCHED_OFF
        ]
        folders = {"static": handlers.static_path, "lmcourse": PAGES, "mathjax": self._mathjax}
        rules += [
            (rf"/formgrader/{name}/(.*)", web.StaticFileHandler, {"path": str(folder)})
            for name, folder in folders.items()
            if folder
        ]
        rules.append((r"/formgrader/.*", Template404))
        base = webapp.settings["base_url"]
        rules = [(url_path_join(base, rule[0]), *rule[1:]) for rule in rules]
        webapp.add_handlers(".*$", rules)


class Server(ServerApp):
    """Serves the formgrader on this machine; `options` of Jupyter come with `initialize`.

    Args:
        settings: of the course, for nbgrader.
        formulas: a folder with MathJax, if there is one.
    """

    default_services = ()

    def __init__(self, settings: Config, formulas: Path | None, **options):
        self._formgrader = (settings, formulas)
        super().__init__(**options)

    def load_config_file(self, **_) -> None:
        """What is safe here does not hang on the settings of somebody's other Jupyter."""

    def find_server_extensions(self) -> None:
        """None but the formgrader."""

    def init_signal(self) -> None:
        """Ctrl-C ends it without a question."""
        super().init_signal()
        signal.signal(signal.SIGINT, self._signal_stop)  # no kernel runs: there is nothing to ask

    def load_server_extensions(self) -> None:
        """The formgrader alone."""
        formgrader = Formgrader(*self._formgrader, parent=self)
        formgrader.root_dir = self.root_dir
        formgrader.log = self.log
        formgrader.initialize()
        formgrader.init_tornado_settings(self.web_app)
        formgrader.init_handlers(self.web_app)
        self.web_app.add_transform(Policy)


def server(root: Path, settings: Config, formulas: Path | None, port: int) -> Server:
    """The server of a course whose submissions lie in `root`, not yet started."""
    own = Config()
    own.ServerApp.ip = "127.0.0.1"
    own.ServerApp.port = port
    own.ServerApp.root_dir = str(root)
    own.ServerApp.default_url = "/formgrader"
    own.ServerApp.open_browser = False
    own.ServerApp.log_level = "WARN"  # the address is told at any level
    own.ContentsManager.files_handler_class = None
    own.IdentityProvider.cookie_options = {"SameSite": "Strict"}
    return Server(settings, formulas, config=own)
