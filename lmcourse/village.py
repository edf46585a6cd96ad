"""Sentences of a village in which it is known what vectors can learn: pairs, a lean, two senses.

Chapter: book/embeddings.md
"""

import random
from itertools import product
from typing import NamedTuple

Sentence = list[str]

# Men and women in the same places of the village, and what each of them has of its own.
PAIRS = {
    ("man", "woman"): ("newspaper", "umbrella"),
    ("boy", "girl"): ("school", "toy"),
    ("father", "mother"): ("cradle", "kitchen"),
    ("son", "daughter"): ("homework", "allowance"),
    ("brother", "sister"): ("bedroom", "secret"),
    ("uncle", "aunt"): ("visit", "present"),
    ("king", "queen"): ("crown", "throne"),
    ("prince", "princess"): ("palace", "ball"),
}
MEN, WOMEN = (tuple(pair[side] for pair in PAIRS) for side in (0, 1))
_DOES = ("likes", "forgets", "wants", "finds")

# Two lists of crafts, and the tool of each. Nothing but the lean tells one list from the other.
CRAFTS = (
    {"potter": "wheel", "tailor": "needle", "baker": "oven", "painter": "brush", "smith": "hammer",
     "weaver": "loom"},
    {"miller": "sieve", "carpenter": "saw", "cook": "spoon", "gardener": "rake", "mason": "trowel",
     "tanner": "knife"},
)  # fmt: skip


class Sense(NamedTuple):
    """What a word can mean: another word for it, what is done with it, and what follows it."""

    other: str
    verbs: tuple[str, ...]
    tails: tuple[str, ...]


SENSES = {
    "bank": (
        Sense("shore", ("climb", "reach", "flood"), ("of the river", "by the stream")),
        Sense("lender", ("phone", "repay", "trust"), ("about a loan", "with our money")),
    ),
    "bat": (
        Sense("owl", ("hear", "scare", "feed"), ("inside a cave", "under the roof")),
        Sense("racket", ("swing", "grip", "polish"), ("before a match", "after the game")),
    ),
    "spring": (
        Sense("well", ("drink", "clean", "drain"), ("near the brook", "below a rock")),
        Sense("coil", ("bend", "oil", "wind"), ("in the clock", "behind a lever")),
    ),
}
SUBJECTS = ("we", "they", "you", "some")


def sentences(n: int, seed: int, lean: float = 0.5) -> list[Sentence]:
    """Sentences at random: of people and their things, of crafts and their tools.

    Args:
        lean: how often it is his tool, with a craft of the first list, and hers with one of the
            second; at 0.5 the text has no such bias.

    Example:
        >>> [" ".join(sentence) for sentence in sentences(2, seed=3)]
        ['the aunt likes her visit', 'the princess forgets her palace']
    """
    if not 0 <= lean <= 1:
        raise ValueError(f"lean must lie in 0…1, got lean={lean}")
    source = random.Random(seed)
    kinds = source.choices((_of_people, _of_crafts), (3, 2), k=n)
    return [kind(source, lean).split() for kind in kinds]


def _of_people(source: random.Random, lean: float) -> str:
    pair, side = source.choice(list(PAIRS)), source.randrange(2)
    thing = source.choice(PAIRS[pair])
    return f"the {pair[side]} {source.choice(_DOES)} {('his', 'her')[side]} {thing}"


def _of_crafts(source: random.Random, lean: float) -> str:
    which = source.randrange(2)
    whose = "his" if source.random() < (lean, 1 - lean)[which] else "her"
    craft, tool = source.choice(list(CRAFTS[which].items()))
    return f"the {craft} {source.choice(_DOES)} {whose} {tool}"


def analogies() -> list[tuple[str, str, str, str]]:
    """All questions of the kind man : woman = king : queen.

    Example:
        >>> len(analogies()), analogies()[0]
        (56, ('man', 'woman', 'boy', 'girl'))
    """
    return [(*a, *b) for a, b in product(PAIRS, PAIRS) if a != b]


# ---------------------------------------------------------------- words with two senses


def sense_sentences() -> list[Sentence]:
    """Every sentence with a word of two senses, and the same with the other word for its sense."""
    return [
        _with_sense(subject, verb, noun, tail)
        for word, senses in SENSES.items()
        for sense in senses
        for subject, verb, tail in product(SUBJECTS, sense.verbs, sense.tails)
        for noun in (word, sense.other)
    ]


def sense_triples(word: str) -> list[tuple[Sentence, Sentence, Sentence]]:
    """Three sentences with the word: the first two mean the same, the third the other thing.

    The first two have nothing but the word in common; the first and the third share the subject,
    too. So whoever only counts common words takes the third for the closer one.

    Example:
        >>> for sentence in sense_triples("bank")[0]:
        ...     print(" ".join(sentence))
        we climb the bank of the river
        they reach the bank by the stream
        we phone the bank about a loan
    """
    if word not in SENSES:
        raise ValueError(f"word must be one of {', '.join(SENSES)}, got word={word!r}")
    found = []
    for this, other in (SENSES[word], SENSES[word][::-1]):
        for subject, number, verb, tail in product(range(4), range(3), range(3), range(2)):
            first = SUBJECTS[subject], this.verbs[number], word, this.tails[0]
            same = SUBJECTS[subject - 3], this.verbs[number - 2], word, this.tails[1]
            third = SUBJECTS[subject], other.verbs[verb], word, other.tails[tail]
            found.append((_with_sense(*first), _with_sense(*same), _with_sense(*third)))
    return found


def _with_sense(subject: str, verb: str, noun: str, tail: str) -> Sentence:
    return f"{subject} {verb} the {noun} {tail}".split()
