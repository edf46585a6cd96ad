"""What each page of the book must hold: rules that take a page and return what is wrong with it.

`test_pages.py` applies them to the book, `test_page_rules.py` to small pages that break them.
"""

import ast
import re

import yaml
from book_pages import BOOK, Page

from lmcourse.grading.assignment.global_names import global_names

# (page, words): why this number may be typed, although it looks like a measured one.
ALLOWED_NUMBERS: dict[tuple[str, str], str] = {
    ("classification", "77.9%"): "published, cited beside it",
    ("classification", "79.0%"): "published, cited beside it",
    ("classification", "79.4%"): "published, cited beside it",
    ("classification", "75.9%"): "published, linked beside it",
    ("classification", "81.3%"): "published, linked beside it",
    ("data", "4%"): "published, cited beside it",
    ("data", "99.8%"): "published, cited beside it",
}

# At most 3,500 words of a page are visible as `make look` counts them in a browser: with captions,
# the labels of folds and the list of references, which are 360 to 1,150 words, about 600 on most
# chapters. So about this many are left for the text itself, outside of folds and of answers.
MOST_WORDS = 2_900
# Chapters that are longer, and why.
LONGER: dict[str, str] = {}

ARTICLES_SECTION = "^Where the articles say this$"
ARTICLE_FILES = {
    "000_156861af3e1cc86c.txt": "a",
    "001_ccd53d408589323c.txt": "b",
    "002_175b0713cd3e4aa5.txt": "c",
    "003_abd6713decbed707.txt": "d",
    "004_dfb2ca3c6cbe83f1.txt": "e",
}

# Chapters whose tasks stand in the assignment of another chapter; None: it is still to come.
TASKS_ELSEWHERE: dict[str, str | None] = {
    "lstm": "recurrent",
    "seq2seq": "attention",
    "multi_head": "attention",
    "positions": "transformer",
    "efficient_attention": None,
    "bert": None,
    "experts": None,
    "data": "training",
    "ngrams": None,
    "classification": None,
    "translation": None,
    "evaluation": None,
    "optimization": "training",
    "pretraining": "training",
}

# A section, a version and an identifier are names, not numbers.
NAMES = re.compile(
    r"§+\s*\d+(\.\d+)*|\b[Ss]ections?\s+\d+(\.\d+)*|\bappendix\s+\w(\.\d+)+"
    r"|\b(Python|PyTorch|TensorFlow|Keras|CC BY|WCAG|arXiv:?)\s*\d+(\.\d+)+|\bGPT-\d(\.\d)?"
)
COUNT_WORDS = "two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|million"
TYPED = re.compile(
    r"\d+(?:\.\d+)?\s*(?:%|percent\b|per cent\b)"
    r"|\d+(?:\.\d+)?(?:\s+times\b|-fold\b|\s*×(?!\s*\d))"
    rf"|\b(?:{COUNT_WORDS})\s+times\s+(?:as|more|less|fewer|\w+er)\b"
    r"|\d+(?:\.\d+)?\s*(?:ms|µs|ns|milliseconds?|microseconds?)\b"
    r"|\d+(?:\.\d+)?[eE][-+]?\d+|\d+\.\d+"
)


def header_is_whole(page: Page) -> list[str]:
    if not page.cells:
        return []
    header = re.match(r"---\n(.*?)\n---\n", page.text, flags=re.DOTALL)
    found = yaml.safe_load(header[1]) if header else {}
    representation = found.get("jupytext", {}).get("text_representation", {})
    good = representation.get("format_name") == "myst" and found.get("kernelspec", {}).get("name")
    return [] if good else ["the page must begin with the full jupytext header"]


def mirrors_line(page: Page, sections: dict[str, set[str]]) -> list[str]:
    """Args: sections: the section numbers of each article, by its letter."""
    line, where = page.section(ARTICLES_SECTION).strip(), "in “Where the articles say this”"
    if page.body.count("**Mirrors:**") > 1:
        return [f"the articles must be named once, {where}"]
    if line.startswith("**Beyond the articles:** ") and len(line) > 40:
        return []
    links = re.findall(r"\[([A-E])\b([^\]]*)\]\(#source-([a-e])\)", line)
    if not line.startswith("**Mirrors:** ") or not links:
        return [f"the line {where} must be **Mirrors:** with links to sources"]
    found = [f"{letter} links to source-{to}" for letter, _, to in links if letter.lower() != to]
    return found + [
        f"article {letter} has no section {number}"
        for letter, rest, _ in links
        for number in re.findall(r"§\s*(\d+(?:\.\d+)*)", rest)
        if number not in sections[letter]
    ]


def chapter_shape(page: Page) -> list[str]:
    names = [name for name in page.sections if name]
    top = page.sections[""]
    first = page.sections[names[0]] if names else ""
    summary = page.section(r"^Summary$")
    parts = {
        "outcomes and minutes before the first section": (
            "{admonition}" in top and "minutes" in top and len(_items(top)) >= 2
        ),
        "a first section that shows the problem in a cell": "{code-cell}" in first,
        "a section worked by hand": page.section("by hand"),
        "a section with the equation, displayed": "$$" in page.section("(?i)equation"),
        "a section with the code": "{code-cell}" in page.section(r"(?i)\bcode\b"),
        "a section of agreement with PyTorch, asserted": "assert" in page.section("PyTorch"),
        "a plotted experiment": any(re.search(r"\b\w+_plot\(", cell) for cell in page.cells),
        "Summary of three to seven lines": 3 <= len(_items(summary)) <= 7,
        "Exercises": page.section("^Exercises$"),
        "a link to the assignment": _assignment(page) is None
        or f"](assignments/{_assignment(page)}.zip)" in page.text,
        "References with {footbibliography}": "{footbibliography}" in page.section("^References$"),
    }
    found = [f"the page lacks {name}" for name, stands in parts.items() if not stands]
    order = ["by hand", "(?i)equation", r"(?i)\bcode\b", "PyTorch", "^Myth and measurement$"]
    order += ["^Summary$", "^Exercises$", ARTICLES_SECTION, "^References$"]
    places = [
        next((place for place, name in enumerate(names) if re.search(pattern, name)), None)
        for pattern in order
    ]
    standing = [place for place in places if place is not None]
    if standing != sorted(standing):
        found.append(f"the sections must stand in the order of a chapter, got {names}")
    return found


def opens_with_a_drawing(page: Page) -> list[str]:
    """A picture before code: a drawing that carries the idea, above the first section."""
    code = page.sections[""].find("{code-cell}")
    before = page.sections[""][: code if code >= 0 else None]
    has_drawing = re.search(r":file: images/[\w-]+\.svg|\{drawing\}|<svg\b", before)
    return [] if has_drawing else ["the page must open with a drawing, before its first cell"]


def names_no_file(page: Page) -> list[str]:
    """A reader never opens the articles: a page names none of their files, `sources` does."""
    named = [name for name in ARTICLE_FILES if name in page.text]
    return [f"say [A](#source-a) and so on, not {name}" for name in named]


def articles_are_linked(page: Page) -> list[str]:
    """A letter says nothing to who has not read `sources`: “article A” is a link."""
    if page.slug == "sources":
        return []
    bare = re.findall(r"(?<!\[)\b[Aa]rticles? [A-E]\b.{0,20}", page.prose)
    return [f"make a link of the letter: [A](#source-a), got “{words}”" for words in bare]


def _assignment(page: Page) -> str | None:
    return TASKS_ELSEWHERE.get(page.slug, page.slug)


def _items(text: str) -> list[str]:
    return re.findall(r"^ {0,3}(?:[*-]|\d+\.) ", text, flags=re.MULTILINE)


def exercises_have_answers(page: Page) -> list[str]:
    labels = [
        b.options.get("label") for b in page.blocks if b.kind in ("exercise", "exercise-start")
    ]
    folded = {
        block.argument: "dropdown" in block.options.get("class", "")
        for block in page.blocks
        if block.kind in ("solution", "solution-start")
    }
    return [
        f"exercise {name} must have a folded solution" for name in labels if not folded.get(name)
    ]


def myth_boxes(page: Page, myths: list[dict]) -> list[str]:
    """Args: myths: the rows of tests/myths.csv that this page must answer."""
    boxes = re.split(r"^### ", page.section("^Myth and measurement$"), flags=re.MULTILINE)[1:]
    found = []
    for myth in myths:
        word = re.compile(re.escape(myth["word"]), re.IGNORECASE)
        mark = f"](#source-{ARTICLE_FILES[myth['file']]})"
        if not any(mark in box and word.search(box) for box in boxes):
            found.append(f"{myth['id']} must have its box, with {mark} and “{myth['word']}”")
    for box in boxes:
        name = box.splitlines()[0]
        if letter := re.search(r"\[[A-E]\b[^]]*\]\(#source-", box):
            found.append(f"the box “{name}” must say [in print](#source-…), got {letter[0]}…")
        for part in (":class: myth", ":class: measurement", "{code-cell}", "{glue:text}"):
            if part not in box:
                found.append(f"the box “{name}” must have {part}")
    return found


def pictures_have_words(page: Page) -> list[str]:
    found = [
        f"the {block.kind} {block.argument} must have :alt:"
        for block in page.blocks
        if block.kind in ("figure", "image") and len(block.options.get("alt", "")) < 10
    ]
    bare = re.findall(r"!\[\s*\]\(([^)]*)\)", page.without_code)
    found += [f"the picture {target} must have words" for target in bare]
    for block in page.blocks:
        if block.kind != "raw":
            continue
        html = block.body
        if name := block.options.get("file"):
            html = (BOOK / name).read_text(encoding="utf-8")
        for tag in re.findall(r"<(?:svg|img)\b[^>]*>", html):
            named = re.search(r'\b(alt|aria-label|aria-labelledby)="[^"]{3,}"', tag)
            if not named or ("<svg" in tag and 'role="img"' not in tag):
                found.append(f"{tag[:40]}… must have role img and an accessible name")
    if any(re.search(r"\bpyplot\b|\bplt\.", cell) for cell in page.cells):
        found.append("pictures must come from lmcourse.plots, which describe themselves")
    return found


def code_lines_fit(page: Page) -> list[str]:
    lines = [line for cell in page.cells for line in cell.splitlines()]
    return [f"a code line must have at most 70 characters: {x}" for x in lines if len(x) > 70]


def folds_say_what_is_inside(page: Page) -> list[str]:
    """The book shows the first comment of a folded cell as the line that opens it."""
    folded = [
        block.body
        for block in page.blocks
        if block.kind == "code-cell" and "hide-" in block.options.get("tags", "")
    ]
    return [
        f"a folded cell must begin with a comment that says what is inside, got {body[:50]}…"
        for body in folded
        if not re.match(r"\s*# \w.{5,}\n", body)
    ]


def is_not_too_long(page: Page) -> list[str]:
    """Counts words of prose, a formula, a number or a piece of code in it as one."""
    found = len(re.findall(r"[^\W_]\S*", page.visible_prose))
    if page.slug in LONGER:
        return [] if found > MOST_WORDS else [f"{page.slug} fits: take it out of LONGER"]
    limit = f"a chapter has at most {MOST_WORDS} visible words, this one {found}: cut or fold"
    return [limit] if found > MOST_WORDS else []


def shown_code_has_its_names(page: Page) -> list[str]:
    """A reader who unfolds every cell can find where each name comes from.

    Names that only cells taken out of the page bind, and that cells of the page use.
    """
    shown, hidden, found, unread = set(), set(), [], []
    for block in page.blocks:
        if block.kind != "code-cell":
            continue
        names = global_names(block.body)
        if names is None:
            unread.append(f"the names of a cell must be readable, got {block.body[:50]}…")
        elif "remove-" in block.options.get("tags", ""):
            hidden |= names.bound
        else:
            found += sorted((names.read & hidden) - names.bound - shown)
            shown |= names.bound
    return unread + [
        f"{name} must be bound in a cell that the reader can see, got only a removed one"
        for name in found
    ]


def typed_numbers(page: Page) -> list[str]:
    return [match[0] for match in TYPED.finditer(NAMES.sub(" NAME ", page.prose))]


def no_typed_numbers(page: Page) -> list[str]:
    return [
        f"a measured number must be glued, one that is defined stands in math, got “{number}”"
        for number in typed_numbers(page)
        if (page.slug, number) not in ALLOWED_NUMBERS
    ]


def glued_names(page: Page) -> list[re.Pattern]:
    """What the page's cells glue; a name made by an f-string is a pattern."""
    found = []
    for cell in page.cells:
        source = re.sub(r"^\s*[!%].*$", "pass", cell, flags=re.MULTILINE)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "glue" and node.args:
                name = node.args[0]
                parts = name.values if isinstance(name, ast.JoinedStr) else [name]
                found.append(re.compile("".join(
                    re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".+" for p in parts
                )))  # fmt: skip
    return found


def glue_resolves(page: Page, bands: set[tuple[str, str]]) -> list[str]:
    """Args: bands: (page, name) of each row of tests/bands.csv."""
    names, found = glued_names(page), []
    for role, target in re.findall(r"\{glue:(\w*)\}`([^`:]+)", page.text):
        if not any(pattern.fullmatch(target) for pattern in names):
            found.append(f"{target} must be glued in a cell of this page")
        if not target.startswith(f"{page.slug}-"):
            found.append(f"{target} must start with {page.slug}-")
        if role == "text" and (page.slug, target) not in bands:
            found.append(f"{target} must have a row in tests/bands.csv")
    return found


def cited_keys(page: Page) -> list[str]:
    roles = re.findall(r"\{(?:foot)?cite(?::\w+)?\}`([^`]+)`", page.text)
    return [key.strip() for keys in roles for key in keys.split(",")]


def citations_resolve(page: Page, keys: set[str]) -> list[str]:
    found = [f"{key} must stand in references.bib" for key in cited_keys(page) if key not in keys]
    if "{footcite" in page.text and "{footbibliography}" not in page.text:
        found.append("a page that cites must have a {footbibliography}")
    return found


def speaks_for_everyone(page: Page) -> list[str]:
    """No path of one machine, no address of a package index."""
    pattern = (
        r"(?<![\w.])/(?:work|home|root|Users|mnt)/\S*|[A-Z]:\\\\?\w+|--(?:extra-)?index-url\S*"
    )
    return [f"the page must not name {each}" for each in re.findall(pattern, page.text)]


def right_word_for_rnn(page: Page) -> list[str]:
    """递归神经网络 is a recursive network; a recurrent one is 循环神经网络."""
    lines = [line for line in page.text.splitlines() if "递归神经网络" in line]
    if page.slug in ("sources", "glossary"):
        return []  # one quotes the articles' headings, the other explains the two words
    return [f"say 循环神经网络 for a recurrent network: {line[:60]}" for line in lines]
