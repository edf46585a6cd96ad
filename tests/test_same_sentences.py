"""lmcourse.same_sentences: as many in each language, none of them twice or in two languages."""

from lmcourse.same_sentences import LANGUAGES, same_sentences


def test_each_language_says_the_same_number_of_different_sentences():
    sentences = same_sentences()
    assert tuple(sentences) == LANGUAGES
    assert {len(some) for some in sentences.values()} == {24}
    everything = [sentence for some in sentences.values() for sentence in some]
    assert len(set(everything)) == len(everything)
    assert all(sentence.strip() == sentence and len(sentence) > 20 for sentence in everything)


def test_a_place_is_a_question_in_all_languages_or_in_none():
    for block in zip(*same_sentences().values(), strict=True):
        assert len({sentence.endswith("?") for sentence in block}) == 1, block
