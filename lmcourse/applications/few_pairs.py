"""How few pairs does a translator need? The same small world, learned from more and more of it.

Chapter: book/translation.md
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from lmcourse.applications.translation import Pair, Translator, copy_nearest
from lmcourse.corpora import HELD_OUT_PAIR, generate_corpus
from lmcourse.data import split
from lmcourse.kept_runs import KeptRuns
from lmcourse.metrics import bleu
from lmcourse.tokenizers import BPETokenizer, CharTokenizer, Tokenizer, WordTokenizer
from lmcourse.training import TrainingConfig, train

SIZES = (50, 100, 200, 400, 1000)
N_SEEDS = 5
N_STEPS = 300
WORLD = 1271  # pairs that the grammar can say, without the one that is always held out
# (what it is called, number of pairs, steps, whether both sides share byte pairs)
CONTROLS = (
    ("twice the steps", 50, 2 * N_STEPS, False),
    ("joint byte pairs", 400, N_STEPS, True),
)


def draw(seed: int) -> tuple[list[Pair], list[Pair]]:
    """A thousand pairs to learn from, and two hundred others, all from one shuffled draw."""
    pairs = generate_corpus("translation", seed=seed, n_examples=1200)
    training, test = split(pairs, (1000 / 1200, 200 / 1200), seed)
    return training, test


def tokenizers(pairs: Sequence[Pair], joint: bool = False) -> tuple[Tokenizer, Tokenizer]:
    """Words of the source and characters of the target; or the same byte pairs for both.

    Args:
        joint: one tokenizer, learned from both sides together.
    """
    sources, targets = "\n".join(source for source, _ in pairs), [target for _, target in pairs]
    if joint:
        both = BPETokenizer.train("\n".join([sources, *targets]), vocab_size=400)
        return both, both
    return WordTokenizer.train(sources), CharTokenizer.train("".join(targets))


def learn(
    pairs: Sequence[Pair], seed: int, n_steps: int = N_STEPS, joint: bool = False
) -> Translator:
    """A translator that has been trained on these pairs: about ten seconds."""
    torch.manual_seed(seed)
    translator = Translator(*tokenizers(pairs, joint), context_length=40 if joint else 20)
    config = TrainingConfig(
        n_steps=n_steps, batch_size=32, learning_rate=3e-3, n_warmup=30, seed=seed
    )
    train(translator.model, pairs, config, collate=translator.collate)
    return translator


def measure_one(
    n_pairs: int, seed: int, n_steps: int = N_STEPS, joint: bool = False
) -> dict[str, float]:
    """What a translator that knows `n_pairs` pairs makes of two hundred others.

    Returns:
        right: the share that is the reference to the last character.
        bleu, copied: BLEU over characters, of the translator and of the nearest known sentence.
        known: the share whose every word and character it has seen: more cannot be expected right.
        programmer: 1 if the pair that is always held out comes out right.
    """
    training, test = draw(seed)
    training = training[:n_pairs]
    translator = learn(training, seed, n_steps, joint)
    english, chinese = (list(side) for side in zip(*test, strict=True))
    written, copied = translator.translate(english), copy_nearest(training, english)
    references = [list(sentence) for sentence in chinese]
    return {
        "right": sum(map(str.__eq__, written, chinese)) / len(test),
        "bleu": bleu([list(sentence) for sentence in written], references),
        "copied": bleu([list(sentence) for sentence in copied], references),
        "known": known_share(training, test),
        "programmer": float(translator.translate([HELD_OUT_PAIR[0]]) == [HELD_OUT_PAIR[1]]),
    }


def known_share(training: Sequence[Pair], test: Sequence[Pair]) -> float:
    """The share of test pairs whose every word and every character stands in the training pairs."""
    words = {word for source, _ in training for word in source.split()}
    characters = {character for _, target in training for character in target}
    found = [set(source.split()) <= words and set(target) <= characters for source, target in test]
    return sum(found) / len(found)


def measure(folder: Path, seed: int) -> dict[str, float]:
    """Each number of pairs, and each control, from five seeds on."""
    runs = KeptRuns(folder / "runs.json")
    wanted = [(f"{n} pairs", n, N_STEPS, False) for n in SIZES] + list(CONTROLS)
    numbers = {}
    for each in tqdm(range(N_SEEDS), desc="few pairs"):
        for name, n_pairs, n_steps, joint in wanted:
            found = runs.get(
                f"{name}, {seed + each}",
                lambda n=n_pairs, s=seed + each, k=n_steps, j=joint: measure_one(n, s, k, j),
            )
            numbers |= {key(name, what, each): value for what, value in found.items()}
    return numbers


def key(name: str, what: str, seed: int) -> str:
    """What a number is called in the result of `measure`."""
    return f"{name}, {what}, seed {seed}"


def values(numbers: dict[str, float], name: str, what: str) -> list[float]:
    """What each seed had, in a result of `measure`.

    Args:
        name: "50 pairs" and so on, or the name of one of `CONTROLS`.
        what: a key of `measure_one`.
    """
    return [numbers[key(name, what, seed)] for seed in range(N_SEEDS)]
