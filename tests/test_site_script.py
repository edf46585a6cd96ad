"""book/_static/lmcourse.js: what the pages do by themselves, in a real browser."""

from pathlib import Path

import pytest

from lmcourse import live_figures

SCRIPT = Path(__file__).resolve().parents[1] / "book/_static/lmcourse.js"


@pytest.mark.parametrize("from_file", [True, False])
def test_opened_as_a_file_a_figure_says_why_it_stays_a_picture(live_stage, from_file):
    live_stage.open(
        live_figures.softmax(["mat", "sofa"], [2.0, 1.5]), script=False
    )  # writes the page
    html = live_stage.folder / "index.html"
    page = live_stage.browser.new_page()
    page.goto(html.as_uri() if from_file else live_stage.address + "index.html")
    page.add_script_tag(path=SCRIPT)
    notes = page.locator("figure[data-live] > .lm-note").all_inner_texts()
    assert notes == (["Read from a server (make serve), this figure can be touched."] * from_file)
