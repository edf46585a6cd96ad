"""lmcourse.tokenizers by characters and words: what goes in comes out, or is refused by name."""

import json

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from lmcourse.byte_pairs import split_words
from lmcourse.tokenizers import BPETokenizer, CharTokenizer, Tokenizer, WordTokenizer

MIXED = "Ein Käfer — 我是一个程序员。 👩‍💻 e\u0301 \n\t\x00 𝕏"

# All of Unicode, halves of surrogate pairs too; and, more often, what texts are made of.
texts = st.text(st.characters(), min_size=1) | st.text("ab 我是员😀👩‍💻é\n", min_size=1)


@given(text=texts)
@example(text=MIXED)
@example(text="\ud83d lone half of a pair")
@example(text="\r\n\x85\u2028")
def test_a_text_comes_back(text):
    tokenizer = CharTokenizer.train(text)
    ids = tokenizer.encode(text)
    assert len(ids) == len(text)
    assert set(ids) == set(range(tokenizer.vocab_size))
    assert tokenizer.decode(ids) == text


@given(text=texts)
@example(text=MIXED)
@example(text="\ud83d")
def test_a_saved_tokenizer_comes_back(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("saved") / "characters.json"
    for vocab_size in (None, 5):
        tokenizer = CharTokenizer.train(text, vocab_size)
        tokenizer.save(path)
        loaded = CharTokenizer.load(path)
        assert loaded.tokens == tokenizer.tokens
        assert loaded.encode(text) == tokenizer.encode(text)


@given(text=texts, more=texts, vocab_size=st.integers(2, 20))
def test_a_bounded_vocabulary_loses_what_is_rare_and_nothing_else(text, more, vocab_size):
    tokenizer = CharTokenizer.train(text, vocab_size)
    assert tokenizer.vocab_size == min(vocab_size, 1 + len(set(text)))
    known = set(tokenizer.tokens[1:])
    least = min(text.count(character) for character in known)
    assert all(text.count(character) <= least for character in set(text) - known)
    expected = "".join(character if character in known else "<unk>" for character in more)
    assert tokenizer.decode(tokenizer.encode(more)) == expected


def test_ids_follow_the_order_of_the_characters():
    tokenizer = CharTokenizer.train("banana")
    assert tokenizer.tokens == ["a", "b", "n"]
    assert tokenizer.encode("banana") == [1, 0, 2, 0, 2, 0]
    assert CharTokenizer.train("nab").tokens == tokenizer.tokens


def test_unknown_is_id_0_where_there_is_one():
    tokenizer = CharTokenizer.train("aaabbc", vocab_size=3)
    assert tokenizer.tokens == ["<unk>", "a", "b"]
    assert tokenizer.encode("cab?") == [0, 1, 2, 0]
    assert tokenizer.decode([0, 1]) == "<unk>a"


def test_the_name_of_the_unknown_is_text_like_any_other():
    tokenizer = CharTokenizer.train("<unk>", vocab_size=9)
    assert tokenizer.decode(tokenizer.encode("<unk>")) == "<unk>"
    assert 0 not in tokenizer.encode("<unk>")


def test_the_tokenizer_keeps_the_contract():
    assert isinstance(CharTokenizer.train("a"), Tokenizer)


def test_decode_takes_what_a_model_returns():
    tokenizer = CharTokenizer.train("abc")
    assert tokenizer.decode(torch.tensor([2, 0, 1]).tolist()) == "cab"


def test_nothing_has_no_ids():
    tokenizer = CharTokenizer.train("abc")
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize(("character", "code"), [("我", "U+6211"), ("\ud83d", "U+D83D")])
def test_an_unknown_character_is_refused_by_name(character, code):
    message = rf"known characters only, got .*\({code.replace('+', '.')}\) at 2: train on a text"
    with pytest.raises(ValueError, match=message):
        CharTokenizer.train("abc").encode(f"ab{character}c")


@pytest.mark.parametrize("wrong", [3, -1])
def test_an_unknown_id_is_refused(wrong):
    # Python would count -1 from the end, and decode a mistake as the last character.
    with pytest.raises(ValueError, match=rf"ids must lie in 0…2, got {wrong}"):
        CharTokenizer.train("abc").decode([0, wrong])


def test_training_needs_text():
    with pytest.raises(ValueError, match="text must have at least one character, got text=''"):
        CharTokenizer.train("")
    with pytest.raises(ValueError, match=r"vocab_size must be at least 2.*got vocab_size=1"):
        CharTokenizer.train("abc", vocab_size=1)


def test_characters_are_single_and_different():
    with pytest.raises(ValueError, match="single characters, got 'ab'"):
        CharTokenizer(["ab", "c"])
    with pytest.raises(ValueError, match="different, got 'a' more than once"):
        CharTokenizer("abca")


@pytest.mark.parametrize(
    "content", ["", "[1]", '{"characters": ["a"]}', json.dumps({"tokens": [], "unknown": True})]
)
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"file that CharTokenizer.save wrote, got .*other\.json"):
        CharTokenizer.load(path)


# ---------------------------------------------------------------- words


@given(text=texts, more=texts)
@example(text="the cat", more="the cat sat")
def test_known_words_come_back_and_unknown_ones_are_named(text, more):
    tokenizer = WordTokenizer.train(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert 0 not in tokenizer.encode(text)
    known = set(tokenizer.tokens[1:])
    expected = [word if word in known else "<unk>" for word in split_words(more)]
    ids = tokenizer.encode(more)
    assert tokenizer.decode(ids) == "".join(expected)
    kept = tokenizer.decode(ids, skip_special_tokens=True)
    assert kept == "".join(word for word in split_words(more) if word in known)


def test_the_most_frequent_words_are_kept():
    tokenizer = WordTokenizer.train("the cat and the dog and the yak", vocab_size=4)
    assert tokenizer.tokens == ["<unk>", " and", " the", " cat"]
    assert tokenizer.vocab_size == 4
    assert tokenizer.encode("and the yak") == [0, 2, 0]


def test_new_text_has_unknown_words_and_no_unknown_bytes():
    words = WordTokenizer.train("the cat sat on the mat. " * 9)
    pairs = BPETokenizer.train("the cat sat on the mat. " * 9, 262)
    held_out = " the dog sat on the log, 我也是."
    assert 0 < words.encode(held_out).count(0) < len(words.encode(held_out))
    assert pairs.decode(pairs.encode(held_out)) == held_out


@given(text=texts)
def test_saved_words_come_back(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("saved") / "words.json"
    tokenizer = WordTokenizer.train(text, 9)
    tokenizer.save(path)
    assert WordTokenizer.load(path).tokens == tokenizer.tokens


def test_words_refuse_what_characters_refuse(tmp_path):
    with pytest.raises(ValueError, match="text must have at least one character, got text=''"):
        WordTokenizer.train("")
    with pytest.raises(ValueError, match=r"vocab_size must be at least 2.*got vocab_size=1"):
        WordTokenizer.train("abc", vocab_size=1)
    with pytest.raises(ValueError, match="words must be different, got 'a' more than once"):
        WordTokenizer(["a", "b", "a"])
    with pytest.raises(ValueError, match=r"ids must lie in 0…1, got -1"):
        WordTokenizer.train("abc").decode([-1])
    CharTokenizer.train("abc").save(tmp_path / "characters.json")
    with pytest.raises(ValueError, match=r"file that WordTokenizer.save wrote, got .*KeyError"):
        WordTokenizer.load(tmp_path / "characters.json")
