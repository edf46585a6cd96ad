"""The plan of a term: everything in it once, in an order that works, with the right minutes."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLAN = (ROOT / "book/instructors/term.md").read_text("utf-8")
# Pages that no page has to be read for, or that are for looking things up.
UNTIMED = {"setup"}
WORDS = {"half hour": 30, "hour": 60}
WEEK = re.compile(r"^\| (\d+) \| ((?:\[\]\(\.\./\w+\.md\)(?:, )?)+) \| (.*) \|$", re.MULTILINE)


def weeks() -> list[tuple[int, list[str], list[str]]]:
    """Week, its chapters, and the other columns, in order."""
    return [
        (
            int(found[1]),
            re.findall(r"/(\w+)\.md", found[2]),
            [cell.strip(" `") for cell in found[3].split("|")],
        )
        for found in WEEK.finditer(PLAN)
    ]


def chapters() -> list[str]:
    """The pages that are read in order: those before the part for instructors."""
    contents = (ROOT / "_toc.yml").read_text("utf-8").partition("For instructors")[0]
    return re.findall(r"file: book/(\w+)$", contents, re.MULTILINE)


def opening(slug: str) -> str:
    """What a page needs, and how long it takes."""
    text = (ROOT / f"book/{slug}.md").read_text("utf-8")
    return next((line for line in text.splitlines() if "Reading takes about" in line), "")


def minutes(slug: str) -> int:
    """Reading and exercises of a page."""
    found = re.search(
        r"Reading takes about (\d+) minutes, the exercises another ([^.]+)\.", opening(slug)
    )
    return int(found[1]) + (WORDS[found[2]] if found[2] in WORDS else int(found[2]))


def tasks(slug: str) -> tuple[int, int]:
    """Points and minutes of an assignment, by its tasks."""
    path = ROOT / f"exercises/{slug}/{slug}.ipynb"
    cells = ["".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"]]
    heads = [cell for cell in cells if cell.startswith("## Task ")]
    return (
        sum(int(re.search(r"\((\d+) points?\)", head)[1]) for head in heads),
        sum(int(re.search(r"about (\d+) minutes", head)[1]) for head in heads),
    )


def test_the_weeks_count_up():
    assert [week for week, *_ in weeks()] == list(range(1, 15))


def test_every_chapter_is_read_once():
    planned = [slug for _, slugs, _ in weeks() for slug in slugs]
    assert sorted(planned) == sorted({*chapters()} - {"conventions"})


def test_nothing_is_read_before_what_it_needs():
    week_of = {slug: week for week, slugs, _ in weeks() for slug in slugs}
    place = {slug: n for n, slug in enumerate(slug for _, slugs, _ in weeks() for slug in slugs)}
    for slug in place:
        needed, _, _ = opening(slug).partition("Reading takes about")
        needed, _, _ = needed.partition("a rough idea")
        for other in re.findall(r"\((\w+)\.md\)", needed):
            assert place[other] < place[slug], (slug, other, week_of)


def test_every_assignment_is_handed_out_once_and_not_before_its_chapter():
    handed = [(week, cells[1]) for week, _, cells in weeks() if cells[1]]
    assert sorted(slug for _, slug in handed) == sorted(
        p.name for p in (ROOT / "exercises").iterdir()
    )
    week_of = {slug: week for week, slugs, _ in weeks() for slug in slugs}
    assert all(week - week_of[slug] in (0, 1) for week, slug in handed)
    # The longest has two weeks.
    ((at, _),) = [(week, slug) for week, slug in handed if slug == "gpt"]
    assert at + 1 not in [week for week, _ in handed]


@pytest.mark.parametrize(("week", "slugs", "cells"), weeks())
def test_minutes_and_points_are_those_of_pages_and_tasks(week, slugs, cells):
    assert int(cells[0]) == sum(minutes(slug) for slug in slugs if slug not in UNTIMED), week
    if cells[1]:
        assert tuple(map(int, cells[2:])) == tasks(cells[1])


def test_every_question_names_a_section_that_exists():
    lines = [
        line
        for line in PLAN.partition("What to do in the lecture")[2].splitlines()
        if "../" in line
    ]
    assert len([line for line in lines if line.startswith("| ")]) == len(weeks())
    for line in lines:
        for slug, sections in re.findall(r"\(\.\./(\w+)\.md\), (\*[^|;]+)", line):
            text = (ROOT / f"book/{slug}.md").read_text("utf-8")
            for section in re.findall(r"\*([^*]+)\*", sections):
                assert f"## {section}\n" in text, (slug, section)
