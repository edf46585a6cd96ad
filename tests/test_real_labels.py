"""lmcourse.real_labels: the comparison on sentences, small, with networks of a few steps."""

import random

import pytest
import torch

from lmcourse import real_labels
from lmcourse.corpora import generate_corpus
from lmcourse.tokenizers import WordTokenizer


def small_parts():
    rows = list(dict.fromkeys(generate_corpus("reviews", seed=0, n_examples=500)))
    return {"train": rows[:250], "validation": rows[250:350], "test": rows[350:]}


def small_tokenizer(parts):
    return WordTokenizer.train("\n".join(text for text, _ in parts["train"]))


def test_labels_are_drawn_in_halves_and_by_the_seed():
    rows = small_parts()["train"]
    drawn = real_labels.drawn(rows, 40, 3)
    assert sum(label for _, label in drawn) == 20
    assert len(set(drawn)) == 40
    assert set(drawn) <= set(rows)
    assert drawn == real_labels.drawn(rows, 40, 3) != real_labels.drawn(rows, 40, 4)


def test_shuffled_words_are_the_same_words_in_other_sentences():
    parts = small_parts()
    tokenizer = small_tokenizer(parts)
    texts = [
        real_labels._texts(reading, parts, tokenizer, random.Random(0))
        for reading in ("its sentences", "its words shuffled")
    ]
    flat = [sorted(index for ids in each for index in ids) for each in texts]
    assert flat[0] == flat[1]
    assert [len(ids) for ids in texts[0]] == [len(ids) for ids in texts[1]]
    same = sum(sorted(a) == sorted(b) for a, b in zip(*texts, strict=True))
    assert same < 5


def test_reading_lowers_the_loss_and_labels_are_learned(monkeypatch):
    parts = small_parts()
    tokenizer = small_tokenizer(parts)
    texts = real_labels._texts("its sentences", parts, tokenizer, random.Random(0))
    torch.manual_seed(0)
    body = real_labels.new_body(tokenizer.vocab_size)
    before = real_labels._loss(body, texts)
    real_labels.pretrain(body, texts, 60, seed=0)
    assert real_labels._loss(body, texts) < before - 1
    shares = real_labels.tuned(body, parts["train"], parts, tokenizer, 3e-3, 0)
    assert all(65 < share <= 100 for share in shares)  # a bag of words is right in 75


def test_a_small_comparison_is_whole_and_measured_once(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(real_labels, "load_parts", small_parts)
    monkeypatch.setattr(real_labels, "N_SEEDS", 2)
    monkeypatch.setattr(real_labels, "SIZES", (8,))
    monkeypatch.setattr(real_labels, "READING_STEPS", 1)

    def tuned(body, examples, parts, tokenizer, rate, seed):
        calls.append((len(examples), rate, seed))
        return 100 * rate, 50 + 1000 * rate  # the larger rate looks better

    monkeypatch.setattr(real_labels, "tuned", tuned)
    numbers = real_labels.measure(tmp_path, 0)
    for reading in real_labels.READINGS:
        assert numbers[f"{reading}, 8, seed 1"] == pytest.approx(53)
        assert numbers[f"{reading}, 8, rate, seed 0"] == pytest.approx(0.003)
        assert numbers[f"{reading}, loss, seed 0"] > 0
    assert 30 < numbers["Bayes, 8, seed 0"] <= 100
    assert len(calls) == 3 * 2 * 2
    names = {path.name for path in tmp_path.glob("*.safetensors")}
    read = ("its-sentences", "its-words-shuffled")
    assert names == {f"{reading}-{seed}.safetensors" for reading in read for seed in (0, 1)}
    assert real_labels.measure(tmp_path, 0) == numbers
    assert len(calls) == 3 * 2 * 2
