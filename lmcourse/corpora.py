"""Made-up texts that are the same for the same seed on every machine.

Chapter: book/data.md
"""

import itertools
import random
import string
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# Kept out of the generated pairs: who translates it has understood the pattern.
HELD_OUT_PAIR = ("I am a programmer", "我是一个程序员")


def generate_corpus(name: str, seed: int = 0, n_examples: int = 1000) -> Sequence[Any]:
    """Made-up examples, the same for the same seed on every machine.

    Args:
        name: recall: letters with a digit each, then one of the letters again, and its digit:
            "c4a1f7d0a1". Who cannot look back at the letter knows four digits, but not which;
            copy: eight letters, a bar, and the same letters: "gbbafhca|gbbafhca";
            reviews: (sentence, 1 if it praises, 0 if it pans); half of the sentences have one
            negation, and then the same words praise and pan, in another order;
            translation: distinct pairs (English, Chinese), never "I am a programmer".

    Example:
        >>> generate_corpus("recall", seed=0, n_examples=2)
        ['g4h8d7a3d7', 'h8c2e4b1h8']
    """
    if name not in _GENERATORS:
        known = ", ".join(sorted(_GENERATORS))
        raise ValueError(f"name must be one of {known}, got name={name!r}")
    generator = random.Random(seed)
    examples = list(itertools.islice(_GENERATORS[name](generator), n_examples))
    if len(examples) < n_examples:
        raise ValueError(
            f"n_examples must be at most {len(examples)} for {name}, got n_examples={n_examples}"
        )
    return examples


def _forever(example: Callable[[random.Random], Any]) -> Callable[[random.Random], Iterator[Any]]:
    def examples(generator: random.Random) -> Iterator[Any]:
        while True:
            yield example(generator)

    return examples


def _recall(generator: random.Random) -> str:
    keys = generator.sample(string.ascii_lowercase[:8], 4)
    values = generator.sample(string.digits, 4)
    asked = generator.randrange(4)
    pairs = "".join(key + value for key, value in zip(keys, values, strict=True))
    return pairs + keys[asked] + values[asked]


def _copy(generator: random.Random) -> str:
    letters = "".join(generator.choices(string.ascii_lowercase[:8], k=8))
    return f"{letters}|{letters}"


PRAISE = ("good", "great", "funny", "clever", "fresh", "bright", "moving", "rich", "smart", "warm")
PANS = ("bad", "dull", "boring", "stupid", "stale", "weak", "empty", "slow", "silly", "cold")
_ASPECTS = (
    *("plot", "film", "acting", "music", "story"),
    *("ending", "cast", "script", "humor", "camera"),
)
_NEGATIONS = ("not", "never", "hardly")
_DEGREES = ("", "", "very", "really", "quite")


def _review(generator: random.Random) -> tuple[str, int]:
    """Two clauses of one opinion; in half of the reviews one of them says it by negation."""
    praises = generator.randrange(2)
    negated = generator.choice((0, 1, None, None))
    subjects = generator.sample(_ASPECTS, 2)
    clauses = []
    for i, subject in enumerate(subjects):
        kind = PRAISE if praises != (i == negated) else PANS
        negation = generator.choice(_NEGATIONS) if i == negated else ""
        words = ["the", subject, "is", negation, generator.choice(_DEGREES), generator.choice(kind)]
        clauses.append(" ".join(word for word in words if word))
    return " and ".join(clauses), praises


# (English, its form of "to be", whether its verbs take an s, Chinese); singular, for "a writer"
_SUBJECTS = (
    ("I", "am", False, "我"),
    ("you", "are", False, "你"),
    ("he", "is", True, "他"),
    ("she", "is", True, "她"),
    ("my friend", "is", True, "我的朋友"),
    ("her teacher", "is", True, "她的老师"),
    ("his brother", "is", True, "他的哥哥"),
    ("my sister", "is", True, "我的姐姐"),
    ("her neighbor", "is", True, "她的邻居"),
    ("his son", "is", True, "他的儿子"),
    ("this boy", "is", True, "这个男孩"),
    ("this girl", "is", True, "这个女孩"),
)
_JOBS = {
    "programmer": "程序员",
    "teacher": "老师",
    "doctor": "医生",
    "student": "学生",
    "writer": "作家",
    "cook": "厨师",
}
_MOODS = {"happy": "高兴", "busy": "忙", "tired": "累", "young": "年轻", "tall": "高"}
_LIKED = {"music": "音乐", "tea": "茶", "coffee": "咖啡", "cats": "猫", "books": "书", "rain": "雨"}
# An English verb and its noun; in Chinese the noun has a measure word of its own.
_DEEDS = (
    ("read", "a book", "看一本书"),
    ("write", "a letter", "写一封信"),
    ("drink", "a cup of tea", "喝一杯茶"),
    ("eat", "an apple", "吃一个苹果"),
    ("buy", "two tickets", "买两张票"),
    ("sing", "a song", "唱一首歌"),
)
_PLACES = {
    "at home": "在家",
    "at school": "在学校",
    "in the park": "在公园",
    "in Beijing": "在北京",
}
_TIMES = {"every day": "每天", "in the morning": "早上", "in the evening": "晚上"}


def _sentence(generator: random.Random) -> tuple[str, str]:
    english, is_, third, chinese = generator.choice(_SUBJECTS)
    ending = "s" if third else ""
    kind = generator.choice(["job", "mood", "taste", "deed", "deed", "deed"])
    negated = generator.random() < 0.3
    if kind == "job":
        job = generator.choice(list(_JOBS))
        not_, no = (" not", "不") if negated else ("", "")
        return f"{english} {is_}{not_} a {job}", f"{chinese}{no}是一个{_JOBS[job]}"
    if kind == "mood":
        mood = generator.choice(list(_MOODS))
        not_, degree = (" not", "不") if negated else ("", "很")
        return f"{english} {is_}{not_} {mood}", f"{chinese}{degree}{_MOODS[mood]}"
    if kind == "taste":
        liked = generator.choice(list(_LIKED))
        does = "does" if third else "do"
        likes, no = (f"{does} not like", "不") if negated else (f"like{ending}", "")
        return f"{english} {likes} {liked}", f"{chinese}{no}喜欢{_LIKED[liked]}"
    verb, noun, deed = generator.choice(_DEEDS)
    place, time = generator.choice(list(_PLACES)), generator.choice(list(_TIMES))
    # Where and when stand at the end in English, and before the verb in Chinese.
    circumstances = _TIMES[time] + _PLACES[place]
    return f"{english} {verb}{ending} {noun} {place} {time}", f"{chinese}{circumstances}{deed}"


def _pairs(generator: random.Random) -> Iterator[tuple[str, str]]:
    """Each pair once; ends when nearly all that the grammar can say has been said."""
    seen = {HELD_OUT_PAIR}
    misses = 0
    while misses < 1000:
        pair = _sentence(generator)
        misses += 1
        if pair not in seen:
            misses = 0
            seen.add(pair)
            yield pair


_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z")
_SYLLABLES = tuple(onset + vowel for onset in _ONSETS for vowel in "aeiou")


def made_up_word(rank: int) -> str:
    """The word that stands at this rank of frequency: the rarer, the longer, and none twice.

    Example:
        >>> [made_up_word(rank) for rank in (1, 2, 70, 71, 5000)]
        ['ba', 'be', 'zu', 'baba', 'babalu']
    """
    if rank < 1:
        raise ValueError(f"rank must be at least 1, got rank={rank}")
    syllables: list[str] = []
    while rank:  # numbers without a zero: each has one spelling
        rank, place = divmod(rank - 1, len(_SYLLABLES))
        syllables.insert(0, _SYLLABLES[place])
    return "".join(syllables)


def zipf_words(n_words: int, seed: int = 0, exponent: float | int = 1.3) -> Iterator[str]:
    """Made-up words whose frequencies fall with a power of their rank, as those of a language do.

    There is no last rank: the longer the text, the more words it has that were not there before.

    Args:
        exponent: above 1; the share of words beyond rank r is 1 / r^(exponent − 1), about.

    Example:
        >>> " ".join(zipf_words(4, seed=1))
        'ba ba du be'
    """
    if not exponent > 1:
        raise ValueError(f"exponent must be above 1, got exponent={exponent}")
    generator = random.Random(f"zipf {seed}")
    rarest = 1e-12 ** (exponent - 1)  # words beyond rank a million million are drawn again
    for _ in range(n_words):
        share = 1 - (1 - rarest) * generator.random()
        yield made_up_word(int(share ** (-1 / (exponent - 1))))


_GENERATORS: dict[str, Callable[[random.Random], Iterator[Any]]] = {
    "recall": _forever(_recall),
    "copy": _forever(_copy),
    "reviews": _forever(_review),
    "translation": _pairs,
}
