"""Do words that were never seen together translate as well? And what does the decoder look for?

Chapter: book/translation.md
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lmcourse.applications.few_pairs import N_SEEDS, draw, key, known_share, learn
from lmcourse.applications.translation import Pair, Translator
from lmcourse.applications.word_by_word import word_by_word
from lmcourse.corpora import HELD_OUT_PAIR
from lmcourse.kept_runs import KeptRuns, keep_story

N_PAIRS = 400
N_SHOWN = 3  # wrong translations that are kept of each run
SONG = ("he sings a song at home in the evening", "他晚上在家唱一首歌")
BOOK = "he reads a book at home in the morning"
ONLY_SONG = "she sings a song in the park every day"

_PLACES = ("at home", "at school", "in the park", "in Beijing")
_TIMES = ("every day", "in the morning", "in the evening")
_DEEDS = ("book", "letter", "cup of tea", "apple", "tickets", "song")
_NEVER_DENIED = (
    *("programmer", "doctor", "writer"),
    *("happy", "tired", "tall"),
    *("music", "coffee", "books"),
)
_WITHOUT_JOB = ("I am", "her neighbor is", "his son is", "this girl is")
_JOBS = ("programmer", "teacher", "doctor", "student", "writer", "cook")


def _place_and_time(english: str) -> bool:
    return any(
        f"{place} {time}" in english
        for i, place in enumerate(_PLACES)
        for j, time in enumerate(_TIMES)
        if i % len(_TIMES) == j
    )


def _deed_and_time(english: str) -> bool:
    return any(
        f"{deed} " in english and english.endswith(time)
        for i, deed in enumerate(_DEEDS)
        for j, time in enumerate(_TIMES)
        if i % len(_TIMES) == j
    )


def _denied(english: str) -> bool:
    return " not " in english and english.endswith(_NEVER_DENIED)


def _who_has_a_job(english: str) -> bool:
    return english.startswith(_WITHOUT_JOB) and english.endswith(_JOBS)


def _other_song(english: str) -> bool:
    return "song" in english and english != ONLY_SONG


# What is kept out of the training pairs, although each word of it is in many of them. The last
# one is harder: two of its words are in a single pair.
SPLITS: dict[str, Callable[[str], bool]] = {
    "place and time": _place_and_time,
    "deed and time": _deed_and_time,
    "not and a word": _denied,
    "who and a job": _who_has_a_job,
    "one song": _other_song,
}
SEEN = "all seen"  # the control: the combinations are in the training pairs, the sentences not


def parts(seed: int) -> tuple[list[Pair], dict[str, list[Pair]]]:
    """All pairs that may be learned from, and for each split half of its pairs, to test with.

    The two sentences that the page asks for at the end are in neither.
    """
    training, test = draw(seed)
    pairs = [pair for pair in training + test if pair not in (SONG, HELD_OUT_PAIR)]
    random.Random(seed).shuffle(pairs)
    only = (ONLY_SONG, "她每天在公园唱一首歌")
    pairs = [only, *(pair for pair in pairs if pair != only)]
    tests = {}
    for name, is_out in SPLITS.items():
        combined = [pair for pair in pairs if is_out(pair[0])]
        tests[name] = combined[: len(combined) // 2]
    asked = {pair for each in tests.values() for pair in each}
    return [pair for pair in pairs if pair not in asked], tests


def training_pairs(seed: int, name: str) -> list[Pair]:
    """As many for each split: without its combinations, or with them for `SEEN`."""
    known = parts(seed)[0]
    if name == SEEN:
        # The test has the first pairs of each combination. Without a shuffle the first 400 of
        # the others would have hardly any of them, and the control would be none.
        random.Random(seed).shuffle(known)
    else:
        known = [pair for pair in known if not SPLITS[name](pair[0])]
    return known[:N_PAIRS]


def asked_pairs(seed: int, name: str) -> list[Pair]:
    """Those of a split whose every word is known with it and with `SEEN`: no word is missing."""
    both = [training_pairs(seed, each) for each in (name, SEEN)]
    return [
        pair
        for pair in parts(seed)[1][name]
        if all(known_share(known, [pair]) > 0 for known in both)
    ]


def measure_one(seed: int, name: str) -> dict[str, Any]:
    """A translator that was trained without the combinations of a split, or with all (`SEEN`).

    Returns:
        numbers: the share of right translations, to the last character, of the split's test pairs;
        for `SEEN` of each split, and of `SONG`, and what `hidden` returns.
        wrong: some that are not, as English, what was written, and what is right.
    """
    translator = learn(training_pairs(seed, name), seed)
    numbers, wrong = {}, []
    for each in SPLITS if name == SEEN else [name]:
        numbers[each], mistakes = _share_right(translator, asked_pairs(seed, each))
        wrong += mistakes[:N_SHOWN]
    if name == SEEN:
        numbers["song"], _ = _share_right(translator, [SONG])
        numbers |= hidden(translator)
    return {"numbers": numbers, "wrong": wrong}


def _share_right(
    translator: Translator, pairs: Sequence[Pair]
) -> tuple[float, list[tuple[str, str, str]]]:
    written = translator.translate([english for english, _ in pairs])
    wrong = [
        (english, said, chinese)
        for (english, chinese), said in zip(pairs, written, strict=True)
        if said != chinese
    ]
    return 1 - len(wrong) / len(pairs), wrong


def hidden(translator: Translator) -> dict[str, float]:
    """What the decoder can say of `SONG` with more and more of the source out of its sight.

    Returns:
        The probability of 晚 (evening), 首 (measure) and 歌 (noun), each
        "seen": with nothing hidden; "words": with the memory of the words it comes from hidden
        from the decoder; "other": with as many other words hidden; "encoder": with the first
        ones hidden from the encoder too; "all": with the whole memory hidden;
        "book": beside the memory of another sentence, `BOOK`.
    """
    english, chinese = SONG
    words = english.split()
    sung = [words.index(word) for word in ("sings", "song")]
    evening = [words.index("the"), words.index("evening")]
    place = [words.index("at"), words.index("home")]
    found = {}
    for name, character, own, other in (
        ("evening", "晚", evening, place),
        ("measure", "首", sung, place),
        ("noun", "歌", sung, place),
    ):
        ways = {
            "seen": translator.hide(english, chinese, ()),
            "words": translator.hide(english, chinese, own),
            "other": translator.hide(english, chinese, other),
            "encoder": translator.hide(english, chinese, own, from_encoder=True),
            "all": translator.hide(english, chinese, range(len(words))),
            "book": translator.hide(BOOK, chinese, ()),
        }
        at = chinese.index(character)
        found |= {f"{name} {way}": probs[at].item() for way, probs in ways.items()}
    return found


def measure(folder: Path, seed: int) -> dict[str, float]:
    """Each split and its control, from five seeds on.

    What a dictionary has right of each split is measured, too. Some wrong translations of the
    first seed are the story.
    """
    runs, numbers, wrong = KeptRuns(folder / "runs.json"), {}, {}
    for each in tqdm(range(N_SEEDS), desc="combinations"):
        for name in (SEEN, *SPLITS):
            found = runs.get(
                f"{name}, {seed + each}", lambda s=seed + each, n=name: measure_one(s, n)
            )
            numbers |= {key(name, what, each): value for what, value in found["numbers"].items()}
            if each == 0:
                wrong[name] = found["wrong"]
        for name in SPLITS:
            pairs = asked_pairs(seed + each, name)
            right = sum(word_by_word(english) == chinese for english, chinese in pairs)
            numbers[key(name, "dictionary", each)] = right / len(pairs)
    keep_story(folder, {"wrong": wrong})
    return numbers
