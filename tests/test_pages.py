"""Every page of the book has its shape: the rules of page_rules.py, and the page of sources."""

import re
from collections import Counter

import page_rules as rules
import pytest
from book_pages import BOOK, ROOT, all_pages, chapters, parts, read_page, read_table

PAGES = all_pages()
CHAPTERS = chapters()
NOTEBOOKS = sorted(ROOT.glob("solutions/*/*.ipynb"))


def article_sections() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in read_table("article_headings.csv"):
        found.setdefault(row["article"], set()).add(row["section"])
    return found


def bib_keys() -> list[str]:
    text = (BOOK / "references.bib").read_text(encoding="utf-8")
    return re.findall(r"^@\w+\{([^,\s]+),", text, flags=re.MULTILINE)


# ---- the book ----


@pytest.mark.parametrize("slug", CHAPTERS)
def test_a_chapter_says_what_it_mirrors(slug):
    assert rules.mirrors_line(read_page(slug), article_sections()) == []


@pytest.mark.parametrize("slug", CHAPTERS)
def test_a_chapter_has_its_sections_in_order(slug):
    assert rules.chapter_shape(read_page(slug)) == []


@pytest.mark.parametrize("slug", CHAPTERS)
def test_a_chapter_opens_with_a_drawing(slug):
    assert rules.opens_with_a_drawing(read_page(slug)) == []


@pytest.mark.parametrize("slug", CHAPTERS)
def test_a_chapter_is_not_too_long(slug):
    assert rules.is_not_too_long(read_page(slug)) == []


@pytest.mark.parametrize("slug", CHAPTERS)
def test_a_chapter_names_no_file_of_an_article(slug):
    assert rules.names_no_file(read_page(slug)) == []


@pytest.mark.parametrize("slug", PAGES)
def test_a_page_has_its_myths_measured(slug):
    mine = [row for row in read_table("myths.csv") if row["chapter"] == slug]
    page = read_page(slug)
    if mine or page.section("^Myth and measurement$"):
        assert rules.myth_boxes(page, mine) == []


@pytest.mark.parametrize("slug", PAGES)
@pytest.mark.parametrize(
    "rule",
    [
        rules.articles_are_linked,
        rules.header_is_whole,
        rules.exercises_have_answers,
        rules.pictures_have_words,
        rules.code_lines_fit,
        rules.folds_say_what_is_inside,
        rules.shown_code_has_its_names,
        rules.no_typed_numbers,
        rules.speaks_for_everyone,
        rules.right_word_for_rnn,
    ],
)
def test_a_page_keeps_the_rule(rule, slug):
    assert rule(read_page(slug)) == []


@pytest.mark.parametrize("slug", PAGES)
def test_every_glued_number_is_made_by_the_page_and_has_its_band(slug):
    bands = {(row["page"], row["name"]) for row in read_table("bands.csv")}
    assert rules.glue_resolves(read_page(slug), bands) == []


@pytest.mark.parametrize("slug", PAGES)
def test_every_citation_has_its_reference(slug):
    assert rules.citations_resolve(read_page(slug), set(bib_keys())) == []


def test_every_reference_is_cited_and_in_its_place():
    cited = {key for slug in PAGES for key in rules.cited_keys(read_page(slug))}
    keys = bib_keys()
    assert [key for key in keys if key not in cited] == []
    assert keys == sorted(set(keys))


def test_every_allowed_number_is_still_there():
    typed = {(slug, number) for slug in PAGES for number in rules.typed_numbers(read_page(slug))}
    assert set(rules.ALLOWED_NUMBERS) <= typed


def test_the_first_page_says_how_long_a_chapter_takes():
    said = "A chapter takes about half an hour to read, and its exercises half an hour to an hour."
    assert said in read_page("index").text
    for slug in CHAPTERS:
        words = r"Reading takes about (\d+) minutes, the exercises another (\d+|hour|half hour)"
        times = re.search(words, read_page(slug).text)
        if times:
            assert 20 <= int(times[1]) <= 40, f"{slug}: no half hour"
            assert "hour" in times[2] or 30 <= int(times[2]) <= 60, f"{slug}: its exercises"


# ---- what assignments say of the book ----


def named_sections(text: str) -> list[tuple[str, str]]:
    """What each task of a notebook names: the section, and the page if it is another one."""
    lines = re.findall(r"\*Chapter section: ([^*]+)\*(?: \(in \*([^*]+)\*\))?", text)
    found = []
    for section, page in lines:
        # “One step by hand* (in *LSTM and GRU*)”, “… (page Positions)*”, “…, in Attention*”
        name, *other = re.split(r" \(page |, in (?=[A-Z])", section.rstrip(")"))
        found.append((name, page or "".join(other)))
    return found


def headings(slug: str) -> list[str]:
    return re.findall(r"^#+ +(.+)$", read_page(slug).without_code, flags=re.MULTILINE)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_task_names_a_section_that_the_book_has(path):
    by_title = {found[0]: found[1:] for slug in PAGES if (found := headings(slug))}
    own = headings(path.stem)[1:] if path.stem in PAGES else []
    named = named_sections(path.read_text(encoding="utf-8"))
    assert named
    for section, page in named:
        assert section in (by_title.get(page, []) if page else own), (section, page)


# ---- the page of sources ----


def rows(text: str) -> list[list[str]]:
    """The cells of each row of the Markdown tables in a text."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if not set("".join(row)) <= set("- |")]


def slugs_named(cell: str) -> tuple[set[str], set[str]]:
    """The pages that a cell links to, and those that it only names."""
    linked = set(re.findall(r"\]\((\w+)\.md\)", cell))
    return linked, set(re.findall(r"`(\w+)`", re.sub(r"\[[^\]]*\]\([^)]*\)", "", cell)))


@pytest.mark.parametrize("article", "ABCDE")
def test_every_section_of_an_article_has_its_chapter(article):
    section = read_page("sources").section(f"^{article} · ")
    found = [row for row in rows(section) if row[1] != "Section"]
    wanted = [row for row in read_table("article_headings.csv") if row["article"] == article]
    assert [row[1].split("<br>")[0] for row in found] == [row["heading"] for row in wanted]
    assert [row[0].removeprefix("§").strip("| ") for row in found] == [r["section"] for r in wanted]
    for row in found:
        linked, coming = slugs_named(row[2])
        assert linked | coming or row[2].startswith("No chapter: "), row
        assert linked <= set(PAGES), f"{row[1]}: a link to a page that does not stand"
        assert not coming & set(PAGES), f"{row[1]}: says that a page comes which stands"


def test_the_table_of_systems_names_each_once_and_says_what_stands():
    table = [row for row in rows(read_page("sources").section("^Systems$")) if row[0] != "System"]
    systems = {row[0]: slugs_named(row[2]) for row in table if re.match(r"S\d\d$", row[0])}
    assert list(systems) == [f"S{number:02d}" for number in range(1, 83)]
    for name, (linked, coming) in systems.items():
        assert linked | coming, name
        assert linked <= set(PAGES), name
        assert not coming & set(PAGES), name
    standing = {(row["id"], row["chapter"]) for row in read_table("systems.csv")}
    assert standing == {(name, slug) for name, (linked, _) in systems.items() for slug in linked}


def test_every_myth_stands_in_one_chapter():
    myths = read_table("myths.csv")
    count = Counter(row["id"] for row in myths)
    assert [f"M{number:02d}" for number in range(1, 33)] == sorted(
        set(count) - {"C55", "C67", "C68"}
    )
    assert set(count.values()) == {1}


def test_the_table_of_contents_names_the_parts():
    names = ["Start here", "NLP basics", "RNN and LSTM", "Attention math", "Transformer"]
    names += ["Training", "Applications", "Responsible use", "For instructors", "Appendix"]
    found = [re.sub(r"^[IV]+\. ", "", caption) for caption in parts()]
    assert found == [name for name in names if name in found]
    assert CHAPTERS


def test_a_word_is_once_in_the_glossary_and_the_letters_lead_to_their_first_word():
    text = (BOOK / "glossary.md").read_text(encoding="utf-8")
    entries = re.search(r"^```\{glossary\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]
    groups = [group.split("\n") for group in re.split(r"\n\n+", entries.strip())]
    words = [line for group in groups for line in group if line[:1].strip()]
    assert [word for word, n in Counter(words).items() if n > 1] == []
    heads: dict[str, str] = {}
    for group in groups:
        heads.setdefault(group[0][0].upper(), "term-" + re.sub(r"\W+", "-", group[0]).strip("-"))
    assert dict(re.findall(r'<a href="#(term-[\w-]+)">(\w)</a>', text)) == {
        anchor: letter for letter, anchor in heads.items()
    }
