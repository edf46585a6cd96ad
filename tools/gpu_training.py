"""Training and generation on the device and on the CPU: the same losses, the same ids. For gpu.py.

The text repeats words in a fixed order, so that a trained model is sure of what follows: its
likeliest id does not hang on the last digit.
"""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from gpu_checks import Checks, Setup
from gpu_parity import GPT2, LLAMA, difference, strict
from torch import Tensor, nn

from lmcourse import checkpoints
from lmcourse.applications.classification import MeanClassifier, classify, collate_texts
from lmcourse.applications.translation import Translator
from lmcourse.generation import generate
from lmcourse.gpt import GPT
from lmcourse.loop.gradient_step import target_losses
from lmcourse.loop.run_folder import read_metrics
from lmcourse.recurrent import GRU, RecurrentLM
from lmcourse.tokenizers import WordTokenizer
from lmcourse.training import TrainingConfig, evaluate, train

LOSSES = 2e-3  # of the losses of a training in float32, step by step
BFLOAT16 = 0.05  # of the last loss in bfloat16, beside float32
N_STEPS, HALF = 24, 12
CONFIG = TrainingConfig(
    n_steps=N_STEPS, batch_size=8, learning_rate=3e-3, validate_every=HALF, seed=5
)
MODELS = {
    "GPT-2": lambda: GPT(GPT2),
    "Llama": lambda: GPT(LLAMA),
    "RecurrentLM": lambda: RecurrentLM(GPT2.vocab_size, GRU(32, 32)),
}


def text() -> Tensor:
    """1,500 ids: the same 31 again and again."""
    return (torch.arange(31) * 7 % 96 + 1).repeat(50)[:1500]


def losses(
    name: str, device: str, folder: Path | None = None, resume: bool = False, **changes
) -> tuple[list[float], nn.Module]:
    """The loss of each step, and the trained model."""
    torch.manual_seed(0)
    model = MODELS[name]()
    config = dataclasses.replace(CONFIG, context_length=16, **changes)
    result = train(
        model, text(), config, folder=folder, resume=resume, device=device, progress=False
    )
    return [row.loss for row in result.history], model


def gap(found: Sequence[float], expected: Sequence[float]) -> float:
    """The largest difference of two trainings, relative to the first loss."""
    if len(found) != len(expected):
        raise ValueError(f"found must be {len(expected)} losses, got {len(found)}")
    return max(abs(a - b) for a, b in zip(found, expected, strict=True)) / expected[0]


def training(setup: Setup) -> Checks:
    """`train` in float32 and bfloat16, its seed, and a run that changes the device halfway."""
    strict()
    for name in MODELS:
        yield f"{name}, losses", lambda name=name: _same_losses(name, setup.device)
    yield "same seed twice", lambda: _same_seed(setup.device)
    yield "bf16", lambda: _bfloat16(setup.device)
    yield "accumulated", lambda: _accumulated(setup.device)
    for first, then in ((setup.device, "cpu"), ("cpu", setup.device)):
        yield f"from {first} to {then}", lambda pair=(first, then): _resumed(*pair)
    yield "checkpoint", lambda: _checkpoint(setup.device)
    yield "evaluate", lambda: _evaluated(setup.device)


def _same_losses(name: str, device: str) -> dict:
    expected, found = losses(name, "cpu")[0], losses(name, device)[0]
    far = gap(found, expected)
    return {"ok": far <= LOSSES and found[-1] < found[0], "gap": far, "at_most": LOSSES}


def _same_seed(device: str) -> dict:
    first, second = losses("GPT-2", device)[0], losses("GPT-2", device)[0]
    far = gap(second, first)
    return {"ok": far <= LOSSES, "to_the_bit": first == second, "gap": far, "at_most": LOSSES}


def _bfloat16(device: str) -> dict:
    whole, short = losses("GPT-2", "cpu")[0], losses("GPT-2", device, precision="bf16")[0]
    far = gap(short, whole)
    return {"ok": far <= BFLOAT16, "gap": far, "at_most": BFLOAT16}


def _accumulated(device: str) -> dict:
    """A batch in four pieces: the same gradient, so the same losses."""
    far = gap(losses("GPT-2", device, n_accumulate=4)[0], losses("GPT-2", "cpu")[0])
    return {"ok": far <= LOSSES, "gap": far, "at_most": LOSSES}


class _StoppedError(Exception):
    pass


def _resumed(first: str, then: str) -> dict:
    """Stopped in the middle on one device, gone on with on the other."""
    calls = 0

    def stops(model: nn.Module, batch: tuple) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > HALF + 3:  # three steps after the save, which are to be done again
            raise _StoppedError
        return target_losses(model, batch)

    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        config = dataclasses.replace(CONFIG, context_length=16)
        try:
            train(
                MODELS["GPT-2"](), text(), config, loss=stops, folder=folder, device=first,
                progress=False,
            )  # fmt: skip
        except _StoppedError:
            n_saved = len(read_metrics(folder))
        else:
            raise RuntimeError("the training must stop in the middle, it went on to its end")
        found, model = losses("GPT-2", then, Path(folder), resume=True)
    expected, other = losses("GPT-2", "cpu")
    far = gap(found, expected)
    weights = max(
        difference(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)
    )
    return {
        "ok": far <= LOSSES,
        "gap": far,
        "at_most": LOSSES,
        "weights": weights,
        "stopped_after": n_saved,
    }


def _checkpoint(device: str) -> dict:
    """Saved there, loaded here: only copied, so equal to the bit."""
    torch.manual_seed(0)
    there, here = MODELS["Llama"]().to(device), MODELS["Llama"]()
    with tempfile.TemporaryDirectory() as folder:
        checkpoints.save(there, Path(folder, "model.safetensors"))
        checkpoints.load(here, Path(folder, "model.safetensors"))
    pairs = zip(there.parameters(), here.parameters(), strict=True)
    return {"ok": all(torch.equal(a.cpu(), b) for a, b in pairs)}


def _evaluated(device: str) -> dict:
    found = []
    for where in ("cpu", device):
        torch.manual_seed(0)
        found.append(evaluate(MODELS["GPT-2"]().to(where), text(), context_length=16))
    far = abs(found[1] - found[0]) / found[0]
    return {"ok": far <= 1e-4, "gap": far, "at_most": 1e-4}


# ---------------------------------------------------------------- generation


def generation(setup: Setup) -> Checks:
    """The likeliest ids are equal in float32; drawn ones are equal for the same seed."""
    strict()
    for name in MODELS:
        yield f"{name}, likeliest ids", lambda name=name: _same_ids(name, setup.device)
    yield "drawn ids, same seed", lambda: _drawn(setup.device)
    yield "translate", lambda: _translated(setup.device)
    yield "classify", lambda: _classified(setup.device)


def _same_ids(name: str, device: str) -> dict:
    """With the cache and without, also beyond the context, and for prompts of two lengths."""
    model = losses(name, "cpu", n_steps=60)[1].eval()
    prompts = text()[:24].view(2, 12)
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[1, :5] = False
    found = {}
    for where in ("cpu", device):
        moved = model.to(where)
        for cache in (True, False):
            options = {"temperature": 0, "use_cache": cache}
            plain = generate(moved, prompts.to(where), 20, **options)
            padded = generate(moved, prompts.to(where), 8, mask=mask.to(where), **options)
            found[where, cache] = plain.tolist(), padded.tolist()
    expected = found["cpu", True]
    unlike = [f"{where}, cache {cache}" for (where, cache), ids in found.items() if ids != expected]
    return {"ok": not unlike, "unlike": ", ".join(unlike) or "none"}


def _drawn(device: str) -> dict:
    """Each device has random numbers of its own, so only there is the seed compared."""
    model = losses("GPT-2", device)[1].eval()
    prompt = text()[None, :6].to(device)

    def draw(seed: int, **rules: float) -> list:
        generator = torch.Generator(device).manual_seed(seed)
        return generate(model, prompt, 16, generator=generator, **rules).tolist()

    rules = ({"temperature": 1.5}, {"top_k": 5}, {"top_p": 0.8})
    same = all(draw(1, **rule) == draw(1, **rule) for rule in rules)
    return {"ok": same and draw(1, temperature=1.5) != draw(2, temperature=1.5)}


def _translated(device: str) -> dict:
    english, german = ("one two three four five six", "eins zwei drei vier fünf sechs")
    source, target = (WordTokenizer.train(words, vocab_size=9) for words in (english, german))
    pairs = [
        (" ".join(english.split()[i:j]), " ".join(german.split()[i:j]))
        for i in range(6)
        for j in range(i + 1, 7)
    ]
    torch.manual_seed(0)
    translator = Translator(source, target, context_length=8, d_model=32)
    config = TrainingConfig(n_steps=60, batch_size=8, learning_rate=3e-3, validate_every=60)
    train(translator.model, pairs, config, collate=translator.collate, device="cpu", progress=False)
    found = []
    for where in ("cpu", device):
        translator.model.to(where)
        found.append(translator.translate([source for source, _ in pairs]))
    return {"ok": found[0] == found[1], "equal": sum(map(str.__eq__, *found)), "of": len(pairs)}


def _classified(device: str) -> dict:
    texts = [("good film", 1), ("bad film", 0), ("good good", 1), ("bad", 0)] * 4
    tokenizer = WordTokenizer.train(" ".join(words for words, _ in texts), vocab_size=5)
    torch.manual_seed(0)
    model = MeanClassifier(tokenizer.vocab_size, 2, 8)
    config = TrainingConfig(n_steps=20, batch_size=4, validate_every=20)
    train(model, texts, config, collate=collate_texts(tokenizer), device=device, progress=False)
    words = [words for words, _ in texts]
    there = classify(model, tokenizer, words)
    here = classify(model.cpu(), tokenizer, words)
    far = difference(there, here)
    return {"ok": far <= 1e-4, "gap": far, "at_most": 1e-4}
