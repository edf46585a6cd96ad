"""Each conclusion of a page has its control and its seeds: tests/experiments.csv against the pages.

A row is a claim: what else could have made the result was tried as a control, over so many seeds,
and showed this. The measured numbers that carry the claim are named in braces, as in bands.csv.
"""

import re
from collections import Counter

import pytest
from book_pages import read_table

NAME = re.compile(r"\{([\w-]+)\}")
Row = dict[str, str]


def complaints(rows: list[Row], bands: list[Row]) -> list[str]:
    """What is wrong with the table of experiments, given that of the bands."""
    found = [problem for row in rows for problem in _row(row)]
    listed = {row["page"] for row in rows}
    measured = {(row["page"], row["name"]) for row in bands}
    told = Counter((row["page"], name) for row in rows for name in NAME.findall(row["shown"]))
    found += [f"{page} must have rows" for page in sorted({page for page, _ in measured} - listed)]
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
    assert complaints(read_table("experiments.csv"), bands) == []


GOOD = {
    "page": "tiny", "claim": "More steps help the summary", "control": "a wider state, as long",
    "seeds": "5", "shown": "it rises from {tiny-a} to {tiny-b}",
}  # fmt: skip
NOTHING = {
    "page": "tiny", "claim": "no conclusion", "control": "", "seeds": "", "shown": "{tiny-c}",
}  # fmt: skip
TINY = [{"page": "tiny", "name": f"tiny-{letter}"} for letter in "abc"]


def test_a_good_table_has_no_complaints():
    assert complaints([GOOD, NOTHING], TINY) == []


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([GOOD | {"control": "none"}, NOTHING], "control must say what was tried"),
        ([GOOD | {"seeds": "1"}, NOTHING], "seeds must be 4 or more"),
        ([GOOD | {"claim": "It helps"}, NOTHING], "claim must be a sentence"),
        ([GOOD | {"shown": "it rises"}, NOTHING], "must name a measured number"),
        ([GOOD], "tiny-c must be told by a claim"),
        ([GOOD, NOTHING | {"shown": "{tiny-c} {tiny-d}"}], "tiny-d is not in bands.csv"),
        ([GOOD, NOTHING | {"seeds": "5"}], "has no control and no seeds"),
        ([], "tiny must have rows"),
    ],
)
def test_a_bad_table_is_found(rows, words):
    assert any(words in complaint for complaint in complaints(rows, TINY))
