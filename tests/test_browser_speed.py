"""tools/browser_speed.py: both trees are measured in turn, and the ratio is that of the rounds."""

import shutil

import browser_speed
import pytest
from live_page import MODELS, STATIC


def test_the_ratio_is_the_median_of_the_rounds_and_not_that_of_the_medians():
    rates = {"the model alone": [[100.0, 50.0], [30.0, 10.0], [10.0, 9.0]]}
    made = browser_speed.table(rates)
    assert [list(column.cells) for column in made.columns[1:]] == [["30"], ["10"], ["2.00"]]
    alone = browser_speed.table({"the model alone": [[100.0], [30.0], [20.0]]})
    assert [list(column.cells) for column in alone.columns[1:]] == [["30"], [""], [""]]


def test_a_folder_that_is_no_tree_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        browser_speed.main(["--beside", str(tmp_path)])
    assert "has no book/_static/live" in capsys.readouterr().err


@pytest.mark.slow
def test_each_tree_runs_its_own_modules_in_a_browser(tmp_path):
    other = tmp_path / "other"
    shutil.copytree(STATIC, other / "book/_static")
    shutil.copytree(MODELS, other / "lmcourse/models")
    page = other / "book/_static/live/playground.js"
    text = page.read_text("utf-8")
    changed = text.replace("${Math.round(n / seconds)} a second", "77 a second")
    assert changed != text
    page.write_text(changed, "utf-8")
    rates = browser_speed.measure([browser_speed.ROOT, other], n_rounds=2, n_tokens=5)
    assert set(rates) == set(browser_speed.WORK)
    assert all(side > 0 for rounds in rates.values() for both in rounds for side in both)
    assert [theirs for _, theirs in rates["the figure"]] == [77.0, 77.0]
