"""lmcourse.habits: as many songs and other company; what counts as denied."""

import pytest

from lmcourse import habits as module
from lmcourse.applications.combinations import asked_pairs
from lmcourse.applications.few_pairs import known_share
from lmcourse.applications.translation import Translator
from lmcourse.habits import (
    N_SEEDS,
    NOT,
    ONLY,
    SONGS,
    measure,
    measure_denied,
    measure_songs,
    song_pairs,
    values,
    verdicts,
)

SEED = 3
OTHERS = asked_pairs(SEED, "one song")


class Said(Translator):
    """Says of each sentence what it is told to say."""

    def __init__(self, answers):
        self.answers = answers

    def translate(self, sentences):
        return [self.answers[sentence] for sentence in sentences]


@pytest.mark.parametrize("name", SONGS)
def test_songs_are_as_many_and_as_different_as_the_name_says(name):
    n_songs, n_different, ending = SONGS[name]
    pairs = song_pairs(SEED, *SONGS[name])
    songs = [pair for pair in pairs if "song" in pair[0]]
    assert (len(pairs), len(songs), len(set(songs))) == (400, n_songs, n_different)
    assert ONLY in songs
    assert all(english.endswith(ending) for english, _ in songs)
    others = [pair for pair in pairs if "song" not in pair[0]]
    assert len(set(others)) == len(others), "only songs come more than once"
    assert not set(pairs) & set(OTHERS)
    assert known_share(pairs, OTHERS) == 1, "no word of the test is unknown"


def test_with_as_many_songs_all_else_is_the_same():
    def others(name):
        return [pair for pair in song_pairs(SEED, *SONGS[name]) if "song" not in pair[0]]

    assert others("4 times the same") == others("4 different") == others("4 singers")
    assert others("16 times the same") == others("16 different")
    assert song_pairs(SEED + 1, 1, 1) != song_pairs(SEED, 1, 1)


def test_a_song_that_is_sung_elsewhere_is_sung_and_not_right(monkeypatch):
    answers = dict(OTHERS) | {ONLY[0]: ONLY[1]}
    first, second, third = (english for english, _ in OTHERS[:3])
    answers[first] = ONLY[1] + "。"  # neither
    answers[second] = "我在火星唱一首歌"  # on Mars
    answers[third] = answers[third].replace("唱一首歌", "喝一杯茶")
    monkeypatch.setattr(module, "learn", lambda pairs, seed: Said(answers))
    n = len(OTHERS)
    assert measure_songs(SEED, 1, 1) == pytest.approx(
        {"right": (n - 3) / n, "sung": (n - 2) / n, "itself": 1.0}
    )
    answers[ONLY[0]] = "她唱歌"
    assert measure_songs(SEED, 1, 1)["itself"] == 0


DENIED = [
    ("I am not happy", "我不高兴"), ("he is not tall", "他不高"), ("you are not tired", "你不累"),
    ("she is not tall", "她不高"),
    ("she is not a doctor", "她不是一个医生"), ("he does not like music", "他不喜欢音乐"),
]  # fmt: skip


def test_not_very_counts_as_meant_and_another_word_or_no_denial_does_not():
    written = ["我不很高兴", "他不高", "你不忙", "她很高", "她不是一个医生", "他喜欢音乐"]
    assert verdicts(DENIED, written) == pytest.approx(
        {"right": 2 / 6, "meant": 3 / 6, "others": 1 / 2, "moods": 1 / 4, "moods meant": 2 / 4,
         "asked": 4}
    )  # fmt: skip


def test_another_person_who_is_not_very_happy_is_not_meant():
    assert verdicts(DENIED, ["你不很高兴", *(right for _, right in DENIED[1:])])["meant"] == 5 / 6


def test_denied_words_are_asked_for_that_no_training_pair_denies(monkeypatch):
    seen = []
    pairs = asked_pairs(SEED, module.DENIED)

    def learn(known, seed):
        seen.extend(known)
        return Said(dict(pairs))

    monkeypatch.setattr(module, "learn", learn)
    found = measure_denied(SEED)
    assert found["right"] == found["moods meant"] == 1
    assert found["asked"] > 5
    words = {english.split()[-1] for english, _ in pairs}
    assert not any(" not " in english and english.split()[-1] in words for english, _ in seen)


def test_what_was_measured_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "measure_songs", lambda seed, *n: {"right": seed + n[1] / 100})
    monkeypatch.setattr(module, "measure_denied", lambda seed: {"moods": float(seed)})
    numbers = measure(tmp_path, 20)
    assert values(numbers, "16 different", "right") == [20.16 + s for s in range(N_SEEDS["songs"])]
    assert values(numbers, NOT, "moods") == list(range(20, 20 + N_SEEDS["denied"]))
    monkeypatch.setattr(module, "measure_songs", None)
    monkeypatch.setattr(module, "measure_denied", None)
    assert measure(tmp_path, 20) == numbers
