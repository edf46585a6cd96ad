"""nbgrader's pages for grading by hand, with everything a learner made shown and nothing run.

Chapter: book/instructors/hand_grading.md

Two walls. Text is escaped unless a filter of ours made it safe, the reverse of what the stock pages
do. And a script runs only with the response's own nonce, which no learner can foresee.
"""

import secrets
from base64 import b64encode
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

from jinja2 import BaseLoader, Environment, FileSystemLoader, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import Highlight2HTML
from nbformat import NotebookNode
from nbgrader.server_extensions.formgrader.handlers import template_path
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform
from traitlets import default

from lmcourse.grading.reports.page_limits import Allowance
from lmcourse.grading.reports.safe_notebook import pictures, safe_notebook
from lmcourse.grading.reports.sanitize import as_written, clean, markdown

PAGES = Path(__file__).parent / "pages"
_SCREEN = '<script src="{{ base_url }}/formgrader/lmcourse/screen.js"></script></head>'

_nonce: ContextVar[str] = ContextVar("nonce")


class Policy(OutputTransform):
    """Puts the content-security policy on every response, whoever made it."""

    def __init__(self, request: HTTPServerRequest):
        self._is_data = "/formgrader/api/" in request.path
        self._own_nonce = secrets.token_urlsafe(16)
        _nonce.set(self._own_nonce)

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """The answer's headers with the policy that lets no page run what a learner wrote."""
        headers["Content-Security-Policy"] = policy(self._own_nonce)
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if self._is_data:  # nbgrader says that names and comments are HTML
            headers["Content-Type"] = "text/plain; charset=UTF-8"
        return status_code, headers, chunk


def nonce() -> str:
    """What the scripts of the page that is being made carry."""
    return _nonce.get()


def use_nonce(value: str) -> None:
    """For a page that is made in another process than the one that answers."""
    _nonce.set(value)


def policy(nonce: str) -> str:
    """Scripts with this nonce, nbgrader's own handlers, and nothing from another host."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            f"script-src-attr 'unsafe-hashes' {_stock_handlers()}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )


class _Handlers(HTMLParser):
    """Collects what `onclick` and the like say in a page."""

    def __init__(self):
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found |= {value or "" for name, value in attributes if name.startswith("on")}


@cache
def _stock_handlers() -> str:
    """The handlers in nbgrader's own templates, as a policy names them."""
    reader = _Handlers()
    for path in sorted(Path(template_path).rglob("*.*")):
        reader.feed(path.read_text(encoding="utf-8"))
    hashes = (sha256(code.encode()).digest() for code in sorted(reader.found))
    return " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in hashes)


class _Nonced(BaseLoader):
    """Templates of another loader, whose scripts carry the nonce."""

    def __init__(self, inner: BaseLoader, head_ends: str = "</head>"):
        self._inner = inner
        self._head_ends = head_ends

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        source, path, is_fresh = self._inner.get_source(environment, template)
        source = source.replace("</head>", self._head_ends)
        return source.replace("<script", '<script nonce="{{ nonce() }}"'), path, is_fresh


def _harden(environment: Environment, loader: BaseLoader) -> Environment:
    environment.autoescape = True
    environment.loader = loader
    environment.globals["nonce"] = _nonce.get
    return environment


def page_environment() -> Environment:
    """The templates of the lists, which show names of learners and of assignments."""
    loader = FileSystemLoader([PAGES, template_path])
    return _harden(Environment(autoescape=True), _Nonced(loader, _SCREEN))


def jupyter_environment(environment: Environment) -> Environment:
    """Jupyter's own templates, for logging in and for what is not there."""
    return _harden(environment, _Nonced(environment.loader))


class SubmissionExporter(HTMLExporter):
    """A graded notebook as the page on which a person grades it.

    Args:
        formulas: whether there is a MathJax to set them.
        plain: nothing but text, which takes no time worth mentioning.
    """

    def __init__(self, *, formulas: bool, plain: bool = False, **options):
        self._formulas = formulas and not plain
        self._plain = plain
        self._allowance = Allowance.plain()
        super().__init__(**options)

    @default("template_name")
    def _template_name_default(self) -> str:
        return "formgrade"

    @default("template_file")
    def _template_file_default(self) -> str:
        return "submission.html.j2"

    @default("extra_template_basedirs")
    def _extra_template_basedirs_default(self) -> list[str]:
        return [template_path]

    @default("extra_template_paths")
    def _extra_template_paths_default(self) -> list[str]:
        return [str(PAGES)]

    @default("filters")
    def _filters_default(self) -> dict[str, Callable]:
        return {
            "markdown2html": self._markdown,
            "strip_files_prefix": lambda html: html,
            "highlight_code": lambda source, **_: Markup(self._code(source)),
            "ansi2html": escape,
            "clean_html": lambda html: Markup(clean(html, self._allowance)),
        }

    @pass_context
    def _markdown(self, context: Context, source: str) -> Markup:
        own = pictures(context.get("cell") or {})
        return Markup(markdown(source, allowance=self._allowance, pictures=own))

    def _code(self, source: str) -> str:
        if self._allowance.may_highlight(source):
            return clean(Highlight2HTML(pygments_lexer="ipython3")(source))
        return as_written(source)

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict | None = None, **options
    ) -> tuple[str, dict]:
        """The page of a notebook whose active parts are gone."""
        self._allowance = Allowance.plain() if self._plain else Allowance()
        resources = {**(resources or {}), "formulas": self._formulas}
        safe = safe_notebook(nb, self._allowance)
        # Not HTMLExporter's, which reads the whole page again to add to pictures what ours have:
        # of a page with much color that takes most of the time.
        return super(HTMLExporter, self).from_notebook_node(safe, resources, **options)

    def _create_environment(self) -> Environment:
        environment = super()._create_environment()
        return _harden(environment, _Nonced(environment.loader))
