"""lmcourse.kept_runs: a comparison that was stopped goes on with what it has."""

import json

from lmcourse.kept_runs import KeptRuns, keep_story, kept_story


def test_runs_that_are_kept_are_not_made_again(tmp_path):
    path, made = tmp_path / "runs.json", []
    for _ in range(2):
        runs = KeptRuns(path)
        assert [runs.get(key, lambda: made.append(1) or len(made)) for key in "aba"] == [1, 2, 1]
    assert len(made) == 2


def test_each_run_is_on_the_disk_before_the_next_one_begins(tmp_path):
    runs = KeptRuns(tmp_path / "runs.json")
    runs.get("a", lambda: [0.5])
    seen = runs.get("b", lambda: json.loads((tmp_path / "runs.json").read_text("utf-8")))
    assert seen == {"a": [0.5]}


def test_a_story_comes_back_as_it_was_told(tmp_path):
    told = {"examples": [{"english": "sing", "written": "唱"}], "weights": [[0.25, 0.75]]}
    keep_story(tmp_path, told)
    assert kept_story(tmp_path) == told
