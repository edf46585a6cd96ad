"""English to Chinese on sentences that people wrote: what a small translator makes of them.

Chapter: book/translation.md
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from lmcourse.applications.translation import Pair, Translator, copy_nearest
from lmcourse.evaluation import bleu_interval
from lmcourse.kept_runs import keep_story
from lmcourse.metrics import bleu, chrf
from lmcourse.tokenizers import BPETokenizer, CharTokenizer, WordTokenizer
from lmcourse.training import TrainingConfig, train

BEAM = 4
VOCAB_SIZE = 6000
# Chosen by a reader of what the model wrote: right as the reference is, right in another way,
# funny, and wrong. Tatoeba, CC BY 2.0.
SHOWN = (
    "We lock the door at night.",
    "You seem very nervous.",
    "They like to sing.",
    "Where do you want to go tomorrow?",
    "My daughter wants a piano.",
    "Open fire!",
    "You must not stay in bed.",
    "Where is the vodka?",
    "The total comes to 3,000 yen.",
)
WATCHED = "He wrote a letter."  # where a beam finds what greed does not


def is_short(english: str, chinese: str) -> bool:
    """At most eight words, fewer than thirty characters, and none that is not simplified."""
    try:
        chinese.encode("gb2312")  # has the simplified characters, and no others
    except UnicodeEncodeError:
        return False
    return len(english.split()) <= 8 and len(chinese) < 30


def measure(parts: Mapping[str, Sequence[Pair]], folder: Path, seed: int) -> dict[str, float]:
    """A Transformer against copying the nearest known translation, with and without a beam.

    Args:
        parts: the short pairs, as "train", "validation" and "test".
        folder: keeps what is trained, and the story that is told of them.
    """
    translator = learn(parts, folder / "transformer", seed)
    english, chinese = (list(side) for side in zip(*parts["test"], strict=True))
    written = {
        "nearest": copy_nearest(parts["train"], english),
        "transformer": translator.translate(english),
        "beam": translator.translate(english, n_beams=BEAM),
    }
    numbers = scores(written, chinese) | vocabularies(parts, translator)
    rows = zip(english, chinese, written["transformer"], strict=True)
    known = {source: [reference, ours] for source, reference, ours in rows if source in SHOWN}
    shown = [{"english": each, "reference": known[each][0], "written": known[each][1]}
             for each in SHOWN if each in known]  # fmt: skip
    keep_story(folder, {"examples": shown, "watched": translator.watch(WATCHED)})
    return numbers


def learn(parts: Mapping[str, Sequence[Pair]], folder: Path, seed: int) -> Translator:
    """The translator, trained or taken from the folder."""
    source = WordTokenizer.train("\n".join(english for english, _ in parts["train"]), VOCAB_SIZE)
    target = CharTokenizer.train("".join(chinese for _, chinese in parts["train"]), 2500)
    torch.manual_seed(seed)
    translator = Translator(source, target, context_length=40, d_model=128, dropout=0.1)
    config = TrainingConfig(
        n_steps=1700,
        batch_size=64,
        learning_rate=1e-3,
        n_warmup=200,
        validate_every=200,
        seed=seed,
    )
    train(
        translator.model,
        parts["train"],
        config,
        validation=parts["validation"],
        collate=translator.collate,
        folder=folder,
        resume=True,
    )
    return translator


def scores(written: Mapping[str, Sequence[str]], references: Sequence[str]) -> dict[str, float]:
    """BLEU over characters with its interval, chrF, and the share that is the reference."""
    cut = {name: [list(text) for text in texts] for name, texts in written.items()}
    wanted = [list(text) for text in references]
    numbers = {name: bleu(texts, wanted) for name, texts in cut.items()}
    numbers["above_nearest"] = numbers["transformer"] - numbers["nearest"]
    for name, better, worse in (
        ("nearest", "nearest", None),
        ("transformer", "transformer", None),
        ("gain", "transformer", "nearest"),
        ("beam_gain", "beam", "transformer"),
    ):
        others = None if worse is None else cut[worse]
        limits = bleu_interval(cut[better], wanted, others)
        numbers[f"{name}_low"], numbers[f"{name}_high"] = limits
    for name, texts in written.items():
        numbers[f"{name}_chrf"] = chrf(texts, references)
    exact = sum(map(str.__eq__, written["transformer"], references))
    changed = sum(map(str.__ne__, written["beam"], written["transformer"]))
    return numbers | {
        "exact": 100 * exact / len(references),
        "beam_changed": 100 * changed / len(references),
        "n_test": float(len(references)),
    }


def vocabularies(parts: Mapping[str, Sequence[Pair]], translator: Translator) -> dict[str, float]:
    """What words lose and joint byte pairs do not: sentences of the test with a word unknown."""
    both = "\n".join(text for pair in parts["train"] for text in pair)
    joint = BPETokenizer.train(both, VOCAB_SIZE)
    unknown, n_words, n_pieces = 0, 0, 0
    for english, _ in parts["test"]:
        ids = translator.source.encode(english)
        unknown += 0 in ids
        n_words += len(ids)
        n_pieces += len(joint.encode(english))
    sides = [
        {index for pair in parts["train"] for index in joint.encode(pair[side])} for side in (0, 1)
    ]
    return {
        "n_train": float(len(parts["train"])),
        "unknown": 100 * unknown / len(parts["test"]),
        "pieces_per_word": n_pieces / n_words,
        "shared_pieces": float(len(sides[0] & sides[1])),
        "used_pieces": float(len(sides[0] | sides[1])),
    }
