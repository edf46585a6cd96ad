"""lmcourse.applications.tatoeba: which sentences are taken, and what is told of a translator."""

import json
import math

import pytest

from lmcourse.applications import tatoeba
from lmcourse.applications.tatoeba import SHOWN, WATCHED, is_short, measure, scores
from lmcourse.kept_runs import kept_story
from lmcourse.metrics import bleu, chrf
from lmcourse.training import TrainingConfig


def test_only_short_sentences_in_simplified_characters_are_translated():
    assert is_short("I like tea", "我喜欢喝茶")
    assert not is_short("I like tea", "我喜歡喝茶"), "traditional characters"
    assert not is_short("one two three four five six seven eight nine", "一")


def test_scores_say_what_was_written_and_how_sure_they_are():
    references = ["我是医生。", "他很忙。", "我喜欢茶。", "她是学生。", "你很高。"] * 8
    good = [text if i % 5 else text[:-2] for i, text in enumerate(references)]
    near = [text[:2] + "是猫。" for text in references]
    numbers = scores({"nearest": near, "transformer": good, "beam": references}, references)
    cut = [list(text) for text in references]
    assert math.isclose(numbers["transformer"], bleu([list(text) for text in good], cut))
    assert math.isclose(numbers["nearest_chrf"], chrf(near, references))
    assert math.isclose(numbers["exact"], 80)
    assert math.isclose(numbers["beam_changed"], 20)
    for name in ("nearest", "transformer"):
        assert numbers[f"{name}_low"] <= numbers[name] <= numbers[f"{name}_high"]
    assert 0 < numbers["gain_low"] < numbers["above_nearest"] < numbers["gain_high"]


def test_a_small_run_measures_and_tells(tmp_path, monkeypatch):
    """A few made-up pairs in the place of real ones, and ten steps of training."""
    words = {"I": "我", "he": "他", "you": "你"}
    pairs = [
        (f"{who} {verb} {what}", f"{they}{does}{thing}。")
        for who, they in words.items()
        for verb, does in (("see", "看见"), ("like", "喜欢"))
        for what, thing in (("tea", "茶"), ("cats", "猫"), ("a book", "书"))
    ]
    test = [(SHOWN[0], "我们晚上锁门。"), ("he like cats", "他喜欢猫。"), (WATCHED, "他写信。")]
    parts = {"train": pairs * 3, "validation": pairs[:4], "test": test}
    small = TrainingConfig(n_steps=3, batch_size=4)
    monkeypatch.setattr(tatoeba, "TrainingConfig", lambda **options: small)
    monkeypatch.setattr(tatoeba, "VOCAB_SIZE", 280)
    numbers = measure(parts, tmp_path, seed=0)
    assert numbers["n_test"] == 3
    assert numbers["n_train"] == len(pairs) * 3
    assert numbers["unknown"] == pytest.approx(100 * 2 / 3, abs=1e-9)
    assert numbers["shared_pieces"] <= numbers["used_pieces"] <= 280
    told = kept_story(tmp_path)
    assert [row["english"] for row in told["examples"]] == [SHOWN[0]]
    assert told["examples"][0]["reference"] == "我们晚上锁门。"
    assert told["watched"]["written"][-1] == "end"
    assert json.dumps(told)
    assert measure(parts, tmp_path, seed=0) == numbers, "what was trained is taken from the folder"
