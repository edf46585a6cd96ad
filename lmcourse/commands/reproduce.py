"""Results that take long, as the book shows them: measured again by `lmcourse reproduce NAME`.

Chapter: book/classification.md
"""

import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import torch

import lmcourse
from lmcourse import (
    backwards,
    beside_gensim,
    both_sides,
    counting,
    data,
    dates,
    first_letter,
    habits,
    known_world,
    label_runs,
    last_note,
    learning_to_write,
    many_sizes,
    random_facts,
    real_labels,
    recall,
    who_helped_whom,
)
from lmcourse.applications import (
    choices,
    combinations,
    few_pairs,
    moods,
    negation,
    polarity,
    shakespeare,
    spells,
    tatoeba,
)
from lmcourse.commands.export_web import export_web
from lmcourse.efficient_attention import curves
from lmcourse.files import write_file
from lmcourse.kept_runs import kept_story
from lmcourse.pretrained import WEIGHTS, from_pretrained

Numbers = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Something to measure again.

    Args:
        minutes: what it takes on one thread of a laptop, about.
        files: the data that it reads.
        floors: what each of these numbers must reach, or the result does not stand.
        story: what else is stored, from what the run left in its folder.
    """

    run: Callable[[Path, int], Numbers]
    minutes: int
    files: tuple[str, ...]
    floors: Numbers
    story: Callable[[Path], dict[str, Any]] | None = None


def reproduce(name: str, folder: str | Path, seed: int = 0) -> dict[str, Any]:
    """Runs an experiment, or goes on with one that was stopped, and writes folder/NAME.json.

    Args:
        folder: what was trained is kept there; running again takes it from there.

    Raises:
        ValueError: no experiment of this name.
        lmcourse.data.DatasetError: its data cannot be had.
    """
    if name not in EXPERIMENTS:
        known = ", ".join(sorted(EXPERIMENTS))
        raise ValueError(f"name must be one of {known}, got name={name!r}")
    experiment, folder = EXPERIMENTS[name], Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = experiment.run(folder, seed)
    result = {
        "name": name,
        "command": f"lmcourse reproduce {name} --seed {seed}",
        "seed": seed,
        "numbers": {key: round(value, 4) for key, value in numbers.items()},
        "floors": experiment.floors,
        "versions": {
            "python": platform.python_version(),
            "lmcourse": lmcourse.__version__,
            "torch": torch.__version__.partition("+")[0],
        },
        "sha256": {file: data.SUMS[file] for file in experiment.files},
    }
    if experiment.story is not None:
        result |= experiment.story(folder)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    write_file(folder / f"{name}.json", text)
    return result


def missed(result: dict[str, Any]) -> list[str]:
    """The numbers of a result that do not reach their floors, each with both."""
    return [
        f"{name} is {result['numbers'][name]:.2f}, below {floor:.2f}"
        for name, floor in result["floors"].items()
        if not result["numbers"][name] >= floor
    ]


def stored(name: str) -> dict[str, Any]:
    """The result that came with this version of the course."""
    file = resources.files("lmcourse.commands") / "results" / f"{name}.json"
    if not file.is_file():
        raise ValueError(f"name must be that of a stored result, got name={name!r}")
    return json.loads(file.read_text(encoding="utf-8"))


# ---------------------------------------------------------------- English to Chinese


def _tatoeba(folder: Path, seed: int) -> Numbers:
    """Short sentences in simplified characters, against copying the nearest known translation."""
    rows = data.load_dataset("tatoeba-cmn-eng")["all"]
    return tatoeba.measure(
        data.parts_of(row for row in rows if tatoeba.is_short(*row)), folder, seed
    )


def _bert(folder: Path, seed: int) -> Numbers:
    """What both sides are worth, and what vectors of sentences tell."""
    return both_sides.measure(folder, seed) | who_helped_whom.measure(folder, seed)


# ---------------------------------------------------------------- a GPT that runs in the page


def _shakespeare(folder: Path, seed: int) -> Numbers:
    """Trains it, exports it for the page, and measures what the rounding of its weights costs."""
    numbers = shakespeare.watch(folder / "shakespeare", seed)
    export_web(folder / "shakespeare", folder / "shakespeare-web")
    model, tokenizer = from_pretrained(folder / "shakespeare")
    rounded, _ = from_pretrained(folder / "shakespeare-web")
    ids = torch.tensor([tokenizer.encode(shakespeare.write(model, tokenizer, n_tokens=240))])
    with torch.inference_mode():
        change = (model(ids) - rounded.float()(ids)).abs().max().item()
    return numbers | {"logit_change": change}


def _shakespeare_story(folder: Path) -> dict[str, Any]:
    weights = (folder / "shakespeare-web" / WEIGHTS).read_bytes()
    exported = {"sha256": hashlib.sha256(weights).hexdigest(), "n_bytes": len(weights)}
    return shakespeare.story(folder / "shakespeare") | {"weights": exported}


EXPERIMENTS = {
    "attention-costs": Experiment(run=curves.measure, minutes=3, files=(), floors={}),
    "rt-polarity": Experiment(
        run=polarity.measure,
        minutes=15,
        files=("rt-polarity.pos", "rt-polarity.neg"),
        floors={"naive_bayes": 76.0, "logistic": 74.0, "mean": 74.0, "lstm": 74.0},
        story=kept_story,
    ),
    "negation": Experiment(run=negation.measure, minutes=4, files=(), floors={}),
    "gpt-heads": Experiment(run=spells.heads, minutes=8, files=(), floors={}),
    "gpt-parts": Experiment(
        run=spells.parts, minutes=20, files=("tinyshakespeare.txt",), floors={}
    ),
    "tatoeba-cmn-eng": Experiment(
        run=_tatoeba,
        minutes=8,
        files=("tatoeba-cmn-eng.tsv",),
        floors={"transformer": 17.0, "above_nearest": 0.0},
        story=kept_story,
    ),
    "translation-pairs": Experiment(
        run=few_pairs.measure,
        minutes=8,
        files=(),
        floors={"400 pairs, right, seed 0": 0.95, "1000 pairs, right, seed 0": 0.95},
    ),
    "translation-combinations": Experiment(
        run=combinations.measure,
        minutes=6,
        files=(),
        floors={f"{combinations.SEEN}, {name}, seed 0": 0.95 for name in combinations.SPLITS},
        story=kept_story,
    ),
    "translation-habits": Experiment(
        run=habits.measure, minutes=6, files=(), floors={"16 different, right, seed 0": 0.9}
    ),
    "shakespeare": Experiment(
        run=_shakespeare,
        minutes=15,
        files=("tinyshakespeare.txt",),
        floors={"below_bigrams": 0.8},
        story=_shakespeare_story,
    ),
    "moods": Experiment(run=moods.measure, minutes=6, files=(), floors=moods.FLOORS),
    "choices": Experiment(
        run=choices.measure, minutes=3, files=("tinyshakespeare.txt",), floors={}
    ),
    "ngrams": Experiment(
        run=counting.measure, minutes=50, files=("tinyshakespeare.txt",), floors={}
    ),
    "bert": Experiment(
        run=_bert,
        minutes=15,
        files=(),
        floors={"80/10/10, mask, seed 0": 0.7, "near, told, seed 0": 0.9},
    ),
    "experts": Experiment(
        run=random_facts.measure, minutes=2, files=(), floors={"experts 8, seed 0, known": 0.75}
    ),
    "scaling": Experiment(
        run=many_sizes.measure,
        minutes=5,
        files=(),
        floors={"small text, 24 wide, seed 0, end": 1.2},
    ),
    "recall": Experiment(
        run=partial(recall.measure, "recall"),
        minutes=10,
        files=(),
        floors={
            "question first, 8 facts, 1500 steps, seed 0": 0.9,
            "attention, 8 facts, 500 steps, seed 0": 0.95,
        },
    ),
    "evaluation": Experiment(
        run=known_world.measure,
        minutes=2,
        files=(),
        floors={"briefly/0/sum/16": 0.9, "hasty/0/right against wrong/wins": 0.9},
    ),
    "heads": Experiment(
        run=partial(recall.measure, "heads"),
        minutes=2,
        files=(),
        floors={"two heads, 4 facts, 500 steps, seed 0": 0.95},
    ),
    "positions": Experiment(
        run=last_note.measure,
        minutes=8,
        files=(),
        floors={
            "last, rotary, length 32, seed 0": 0.95,
            "last, ALiBi, length 128, seed 0": 0.95,
        },
    ),
    "backwards": Experiment(
        run=backwards.measure,
        minutes=6,
        files=(),
        floors={"all vectors, 1000 steps, seed 0, 6 letters": 0.9},
    ),
    "first-letter": Experiment(
        run=first_letter.measure, minutes=10, files=(), floors=first_letter.FLOORS
    ),
    "first-letter-longer": Experiment(
        run=first_letter.measure_longer, minutes=8, files=(), floors={}
    ),
    "learning-to-write": Experiment(
        run=learning_to_write.measure,
        minutes=8,
        files=("tinyshakespeare.txt",),
        floors={},
        story=kept_story,
    ),
    "embeddings": Experiment(
        run=beside_gensim.measure,
        minutes=4,
        files=("tinyshakespeare.txt",),
        floors={"docs, ours, seed 0, triples": 0.8},
    ),
    "finetuning": Experiment(
        run=label_runs.measure,
        minutes=4,
        files=(),
        floors={"pre-trained, 8, seed 0": 0.9, "denied, full, right, seed 0": 0.9},
    ),
    "finetuning-rt-polarity": Experiment(
        run=real_labels.measure,
        minutes=3,
        files=("rt-polarity.pos", "rt-polarity.neg"),
        floors={"Bayes, 8192, seed 0": 75.0},
    ),
    "dates": Experiment(
        run=dates.measure,
        minutes=6,
        files=(),
        floors={"attention, seed 0, 200 steps, 2 dates": 0.9},
    ),
}
