"""lmcourse.applications.few_pairs: one world, two parts, and the same measures for any number."""

import pytest

from lmcourse.applications import few_pairs as module
from lmcourse.applications.few_pairs import (
    WORLD,
    draw,
    known_share,
    measure,
    tokenizers,
    values,
)
from lmcourse.corpora import HELD_OUT_PAIR, generate_corpus
from lmcourse.tokenizers import BPETokenizer, CharTokenizer, WordTokenizer


def test_the_world_is_as_large_as_a_pencil_says():
    world = set()
    for seed in range(20):
        world |= set(generate_corpus("translation", seed, 1200))
    assert len(world) == WORLD == 12 * (2 * 6 + 2 * 5 + 2 * 6 + 6 * 4 * 3) - 1
    assert len({chinese for _, chinese in world}) == WORLD, "so copying is never right"


def test_learning_and_test_pairs_are_different_and_random():
    training, test = draw(3)
    assert (len(training), len(test)) == (1000, 200)
    assert not set(training) & set(test)
    assert HELD_OUT_PAIR not in training + test
    drawn = generate_corpus("translation", 3, 1200)
    # Deeds are drawn later on average, since there are more of them: a shuffle evens them out.
    deeds = [[len(english.split()) > 6 for english, _ in part] for part in (training, test)]
    assert abs(sum(deeds[0]) / 1000 - sum(deeds[1]) / 200) < 0.17  # 4.5 standard deviations
    assert training != drawn[:1000]
    assert draw(3) == (training, test)


def test_tokenizers_are_one_for_both_sides_or_one_for_each():
    pairs = draw(0)[0][:200]
    source, target = tokenizers(pairs)
    assert isinstance(source, WordTokenizer)
    assert isinstance(target, CharTokenizer)
    source, target = tokenizers(pairs, joint=True)
    assert source is target
    assert isinstance(source, BPETokenizer)
    assert source.decode(source.encode("我 like 茶")) == "我 like 茶"


def test_what_is_known_counts_words_and_characters():
    training = [("I am happy", "我很高兴"), ("you sing", "你唱歌")]
    test = [("you am happy", "你很高兴"), ("I dance", "我唱歌"), ("I sing", "我跳")]
    assert known_share(training, test) == pytest.approx(1 / 3)


def test_what_was_measured_is_kept_and_can_be_read(tmp_path, monkeypatch):
    asked = []

    def measured(n_pairs, seed, n_steps, joint):
        asked.append((n_pairs, seed, n_steps, joint))
        return {"right": n_pairs / 1000, "bleu": float(seed)}

    monkeypatch.setattr(module, "measure_one", measured)
    numbers = measure(tmp_path, 10)
    assert values(numbers, "50 pairs", "right") == [0.05] * 5  # exact: what was kept
    assert values(numbers, "twice the steps", "bleu") == [10, 11, 12, 13, 14]
    assert (400, 12, 300, True) in asked
    n_asked = len(asked)
    assert measure(tmp_path, 10) == numbers
    assert len(asked) == n_asked
