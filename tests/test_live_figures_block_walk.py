"""lmcourse.live_figures.block_walk in a real browser: each block shows the numbers of Python."""

import pytest
import torch

from lmcourse import live_figures
from lmcourse.attention import attention
from lmcourse.efficient_attention import OnlineSoftmax, Pattern

WORDS = ("the", "cat", "sat", "and", "slept")
PATTERNS = {
    "causal": Pattern(causal=True),
    "everybody": Pattern(),
    "window": Pattern(causal=True, window=2),
}


def numbers(seed=0):
    dice = torch.Generator().manual_seed(seed)
    return [torch.randn(5, 2, generator=dice, dtype=torch.float64) for _ in range(3)]


def walk():
    return live_figures.block_walk(*numbers(), WORDS, PATTERNS, caption="A walk.")


def known(page):
    """The rows of the lower table: largest score, total, and both vectors, as numbers."""
    rows = page.locator(".lm-walk-known tbody tr").all()
    texts = [row.locator("td").all_inner_texts() for row in rows]
    plain = str.maketrans({"−": "-", "(": " ", ")": " ", ",": " "})
    clean = [" ".join(each).replace("none yet", "nan").translate(plain) for each in texts]
    return torch.tensor([[float(x) for x in text.split()] for text in clean])


# block_walk.js
def test_each_block_shows_what_python_knows_and_the_last_of_a_row_the_whole(live_page):
    query, key, value = numbers()
    page = live_page(walk())
    for name, pattern in PATTERNS.items():
        page.get_by_role("button", name=name, exact=True).click()
        expected, _ = attention(query, key, value, pattern.table(5))
        rows = {}
        blocks = pattern.blocks(5, 5, 2)
        for place, block in enumerate(blocks):
            row = rows.setdefault(block.queries.start, OnlineSoftmax())
            scores = query[block.queries] @ key[block.keys].mT / 2**0.5
            row.add(scores, value[block.keys], pattern.part(block, 5, 5))
            shown = known(page)
            most = row.maximum.where(row.total > 0, torch.nan)  # a query that has seen no key
            near = {"rtol": 0, "atol": 0.0051, "equal_nan": True}
            for column, part in enumerate((most, row.total)):
                torch.testing.assert_close(shown[:, column], part[:, 0].float(), **near)
            for columns, part in (
                (slice(2, 4), row.result()),
                (slice(4, 6), expected[block.queries]),
            ):
                torch.testing.assert_close(shown[:, columns], part.float(), rtol=0, atol=0.0051)
            if place + 1 < len(blocks):
                page.get_by_role("button", name="next block").click()
        assert page.get_by_role("button", name="next block").is_disabled()


def test_what_is_skipped_is_said_and_the_slider_goes_where_it_is_put(live_page):
    page = live_page(walk())
    status = page.get_by_role("status")
    assert "block 1 of 6, 3 skipped: “the cat” at “the cat”" in status.inner_text()
    page.get_by_role("slider", name="block").press("End")
    assert "block 6 of 6, 3 skipped: “slept” at “slept”" in status.inner_text()
    page.get_by_role("button", name="back").click()
    assert "block 5 of 6" in status.inner_text()


@pytest.mark.parametrize("width", [1280, 390])
def test_seen_and_present_cells_are_marked(live_page, width):
    page = live_page(walk())
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_role("button", name="next block").click()
    assert page.locator(".lm-walk-seen").count() == 4
    assert page.locator(".lm-walk-now").count() == 4
