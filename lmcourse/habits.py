"""What a translator says from habit: of a song it met in one sentence, and of a mood never denied.

Chapter: book/translation.md
"""

import random
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from lmcourse.applications.combinations import N_PAIRS, ONLY_SONG, asked_pairs, parts
from lmcourse.applications.combinations import training_pairs as pairs_without
from lmcourse.applications.few_pairs import key, learn
from lmcourse.applications.translation import Pair
from lmcourse.kept_runs import KeptRuns

N_SEEDS = {"songs": 5, "denied": 10}
ONLY = (ONLY_SONG, "她每天在公园唱一首歌")
SUNG = "唱一首歌"
# How many of the training pairs have the song, how many different ones these are, and where and
# when it is sung in all of them, if that is always the same.
SONGS = {
    "once": (1, 1, ""),
    "4 times the same": (4, 1, ""),
    "4 singers": (4, 4, "in the park every day"),
    "4 different": (4, 4, ""),
    "16 times the same": (16, 1, ""),
    "16 different": (16, 16, ""),
}
DENIED = "not and a word"  # of the splits in `combinations`
NOT = "denied"  # what its numbers are called
MOODS = ("happy", "tired", "tall")  # those that are never denied


def song_pairs(seed: int, n_songs: int, n_different: int, ending: str = "") -> list[Pair]:
    """Four hundred pairs to learn from, `n_songs` of them about a song.

    Each of `n_different` songs is there equally often. With as many songs the others are the same.

    Args:
        ending: how each of the songs ends.
    """
    known = [pair for pair in parts(seed)[0] if pair != ONLY]
    random.Random(seed).shuffle(known)
    songs = [ONLY, *(pair for pair in known if "song" in pair[0] and pair[0].endswith(ending))]
    others = [pair for pair in known if "song" not in pair[0]]
    return songs[:n_different] * (n_songs // n_different) + others[: N_PAIRS - n_songs]


def measure_songs(seed: int, n_songs: int, n_different: int, ending: str = "") -> dict[str, float]:
    """What a translator makes of other songs, the same ones whatever it has learned from.

    Returns:
        right: the share that is right to the last character.
        sung: the share in which somebody sings a song, whoever, wherever and whenever.
        itself: 1 if the one sentence that is always among the training pairs comes out right.
    """
    translator = learn(song_pairs(seed, n_songs, n_different, ending), seed)
    english, chinese = zip(*asked_pairs(seed, "one song"), strict=True)
    written = translator.translate(english)
    return {
        "right": sum(map(str.__eq__, written, chinese)) / len(chinese),
        "sung": sum(said.endswith(SUNG) for said in written) / len(chinese),
        "itself": float(translator.translate([ONLY[0]]) == [ONLY[1]]),
    }


def verdicts(pairs: Sequence[Pair], written: Sequence[str]) -> dict[str, float]:
    """How right the translations of denied sentences are, as shares.

    Returns:
        right: of all sentences, to the last character.
        meant: of all, if 不很 (not very) counts as 不 (not).
        others, moods: right, of the sentences about jobs and likings, and of those about moods.
        moods meant: of those about moods, with 不很; asked: how many these are.
    """
    rows = [(english.endswith(MOODS), said, right)
            for (english, right), said in zip(pairs, written, strict=True)]  # fmt: skip
    moods = [(said, right) for is_mood, said, right in rows if is_mood]
    others = [(said, right) for is_mood, said, right in rows if not is_mood]

    def is_meant(said: str, right: str) -> bool:
        return said.replace("不很", "不") == right

    return {
        "right": sum(said == right for _, said, right in rows) / len(rows),
        "meant": sum(is_meant(said, right) for _, said, right in rows) / len(rows),
        "others": sum(said == right for said, right in others) / len(others),
        "moods": sum(said == right for said, right in moods) / len(moods),
        "moods meant": sum(is_meant(*pair) for pair in moods) / len(moods),
        "asked": float(len(moods)),
    }


def measure_denied(seed: int) -> dict[str, float]:
    """What a translator makes of *not* with words that no training pair denies: `verdicts`."""
    translator = learn(pairs_without(seed, DENIED), seed)
    pairs = asked_pairs(seed, DENIED)
    return verdicts(pairs, translator.translate([english for english, _ in pairs]))


def measure(folder: Path, seed: int) -> dict[str, float]:
    """The songs in each way, from five seeds on, and the denied words, from ten."""
    runs, numbers = KeptRuns(folder / "runs.json"), {}
    for each in tqdm(range(N_SEEDS["denied"]), desc="habits"):
        found = {}
        for name, n in SONGS.items() if each < N_SEEDS["songs"] else ():
            found[name] = runs.get(
                f"{name}, {seed + each}", lambda s=seed + each, n=n: measure_songs(s, *n)
            )
        found[NOT] = runs.get(f"{NOT}, {seed + each}", lambda s=seed + each: measure_denied(s))
        for name, row in found.items():
            numbers |= {key(name, what, each): value for what, value in row.items()}
    return numbers


def values(numbers: dict[str, float], name: str, what: str) -> list[float]:
    """What each seed had, in a result of `measure`: of a way of `SONGS`, or of `NOT`."""
    n_seeds = N_SEEDS["denied" if name == NOT else "songs"]
    return [numbers[key(name, what, seed)] for seed in range(n_seeds)]
