"""Each conclusion of a page has its control and its seeds: tests/experiments.csv against the pages.

A row is a claim: what else could have made the result was tried as a control, over so many seeds,
and showed this. The measured numbers that carry the claim are named in braces, as in bands.csv.
"""

import re
from collections import Counter

import pytest
from book_pages import read_table

# Pages whose experiments have no rows yet. Whoever rebuilds a page writes its rows and takes it
# off this list; it only ever gets shorter.
TO_COME = {
    "generation",
}  # fmt: skip
NAME = re.compile(r"\{([\w-]+)\}")
Row = dict[str, str]


def complaints(rows: list[Row], bands: list[Row], to_come: set[str]) -> list[str]:
    """What is wrong with the table of experiments, given that of the bands."""
    found = [problem for row in rows for problem in _row(row)]
    listed = {row["page"] for row in rows}
    measured = {(row["page"], row["name"]) for row in bands}
    told = Counter((row["page"], name) for row in rows for name in NAME.findall(row["shown"]))
    found += [
        f"{page} has rows: take it off the list of those to come" for page in listed & to_come
    ]
    found += [
        f"{page} must have rows, or be on the list of those to come"
        for page in sorted({page for page, _ in measured} - listed - to_come)
    ]
    found += [
        f"{page}: {name} must be told by a claim, or by a row that says no conclusion"
        for page, name in sorted(measured)
        if page in listed and not told[page, name]
    ]
    found += [f"{page}: {name} is not in bands.csv" for page, name in sorted(set(told) - measured)]
    return found


def _row(row: Row) -> list[str]:
    where = f"{row['page']}, “{row['claim'][:40]}”"
    if row["claim"] == "no conclusion":
        if row["control"] or row["seeds"]:
            return [f"{where}: what shows nothing has no control and no seeds"]
        return []
    found = []
    if len(row["claim"].split()) < 4:
        found.append(f"{where}: claim must be a sentence")
    if len(row["control"].split()) < 3:
        found.append(f"{where}: control must say what was tried, got “{row['control']}”")
    if row["seeds"] != "exact" and not (row["seeds"].isdigit() and int(row["seeds"]) >= 4):
        found.append(f"{where}: seeds must be 4 or more, or exact, got “{row['seeds']}”")
    if not NAME.search(row["shown"]) and row["seeds"] != "exact":
        found.append(f"{where}: shown must name a measured number in braces")
    return found


def test_each_conclusion_has_its_control_and_each_number_its_claim():
    bands = read_table("bands.csv")
    assert complaints(read_table("experiments.csv"), bands, TO_COME) == []


def test_the_list_of_pages_to_come_holds_no_page_without_numbers():
    assert {row["page"] for row in read_table("bands.csv")} >= TO_COME


GOOD = {
    "page": "tiny", "claim": "More steps help the summary", "control": "a wider state, as long",
    "seeds": "5", "shown": "it rises from {tiny-a} to {tiny-b}",
}  # fmt: skip
NOTHING = {
    "page": "tiny", "claim": "no conclusion", "control": "", "seeds": "", "shown": "{tiny-c}",
}  # fmt: skip
TINY = [{"page": "tiny", "name": f"tiny-{letter}"} for letter in "abc"]


def test_a_good_table_has_no_complaints():
    assert complaints([GOOD, NOTHING], TINY, set()) == []
    other = {"page": "other", "name": "other-a"}
    assert complaints([GOOD, NOTHING], [*TINY, other], {"other"}) == []


@pytest.mark.parametrize(
    ("rows", "to_come", "words"),
    [
        ([GOOD | {"control": "none"}, NOTHING], set(), "control must say what was tried"),
        ([GOOD | {"seeds": "1"}, NOTHING], set(), "seeds must be 4 or more"),
        ([GOOD | {"claim": "It helps"}, NOTHING], set(), "claim must be a sentence"),
        ([GOOD | {"shown": "it rises"}, NOTHING], set(), "must name a measured number"),
        ([GOOD], set(), "tiny-c must be told by a claim"),
        ([GOOD, NOTHING | {"shown": "{tiny-c} {tiny-d}"}], set(), "tiny-d is not in bands.csv"),
        ([GOOD, NOTHING | {"seeds": "5"}], set(), "has no control and no seeds"),
        ([GOOD, NOTHING], {"tiny"}, "take it off the list"),
        ([], set(), "tiny must have rows"),
    ],
)
def test_a_bad_table_is_found(rows, to_come, words):
    assert any(words in complaint for complaint in complaints(rows, TINY, to_come))
