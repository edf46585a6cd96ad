"""A small GPT that learns to write like Shakespeare, watched at its work.

Chapter: book/training.md
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from lmcourse.data import load_dataset
from lmcourse.files import write_file
from lmcourse.generation import generate
from lmcourse.gpt import GPT, GPTConfig, count_parameters
from lmcourse.loop.run_folder import Row, read_metrics
from lmcourse.pretrained import describe
from lmcourse.tokenizers import BPETokenizer, Tokenizer
from lmcourse.training import TrainingConfig, train

DATASET = "tinyshakespeare"
HELD_OUT = 0.1  # the last tenth of the text, as in `lmcourse train`
# What `lmcourse train tinyshakespeare --tokenizer bpe` does with these options.
MODEL = GPTConfig(
    vocab_size=512, context_length=256, d_model=128, n_heads=4, n_layers=4, positions="rotary"
)
TRAINING = TrainingConfig(
    n_steps=3000, batch_size=8, learning_rate=2e-3, n_warmup=100, validate_every=250
)
MILESTONES = (0, 100, 500, 2000, 3000)
PROMPT = "ROMEO:\n"
SAMPLES = "samples.json"
_SMOOTH = 50  # the training loss of so many steps is one point of the stored curve


def watch(
    folder: Path,
    seed: int = 0,
    model_config: GPTConfig = MODEL,
    config: TrainingConfig = TRAINING,
    milestones: tuple[int, ...] = MILESTONES,
) -> dict[str, float]:
    """Trains in the folder, or goes on there; at the milestones the model writes on from `PROMPT`.

    Args:
        folder: holds the model with the lowest validation loss afterwards, for `from_pretrained`.
        milestones: steps; 0 is before the first.

    Returns:
        The validation loss in nats for each token and for each character, how far it is below that
        of counted pairs of tokens, its step, and the number of parameters.
    """
    text = load_dataset(DATASET)["all"]
    tokenizer, ids, held_out = tokenized(text, model_config.vocab_size)
    config = TrainingConfig(**asdict(config) | {"seed": seed})
    torch.manual_seed(seed)
    model = GPT(model_config)
    origin = {"source": DATASET, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    describe(model, tokenizer, folder, {"data": origin, "training": asdict(config)})

    def look(step: int) -> None:
        if step in milestones:
            _keep_sample(folder, step, write(model, tokenizer))

    look(0)
    result = train(
        model, ids, config, validation=held_out, folder=folder, resume=True,
        after_step=lambda row: look(row.step),
    )  # fmt: skip
    n_characters = len(_parts(text)[1])
    return {
        "validation_loss": result.best_loss,
        "nats_per_character": result.best_loss * (len(held_out) - 1) / n_characters,
        "below_bigrams": bigram_loss(ids, held_out, model_config.vocab_size) - result.best_loss,
        "best_step": float(result.best_step),
        "n_parameters": float(count_parameters(model_config)),
    }


def story(folder: Path) -> dict[str, Any]:
    """What `watch` left in the folder: how the loss fell, and what the model wrote on its way.

    Returns:
        "curve" with rows of step, training loss and validation loss (None between validations);
        "samples" with rows of step and text.
    """
    samples = sorted((int(step), text) for step, text in _samples(folder).items())
    rows = [{"step": step, "text": text} for step, text in samples]
    return {"curve": _curve(read_metrics(folder)), "samples": rows}


def tokenized(
    text: str, vocab_size: int
) -> tuple[BPETokenizer, Int[Tensor, "N"], Int[Tensor, "M"]]:
    """Byte pairs of what is learned from, its ids, and the ids of what is held out."""
    parts = _parts(text)
    tokenizer = BPETokenizer.train(parts[0], vocab_size)
    ids, held_out = (torch.tensor(tokenizer.encode(part)) for part in parts)
    return tokenizer, ids, held_out


def bigram_loss(ids: Int[Tensor, "N"], held_out: Int[Tensor, "M"], vocab_size: int) -> float:
    """The loss of a table that has counted which id follows which, each pair once more than it was.

    A model that looks further back than one token must get below it.
    """
    counts = torch.ones(vocab_size, vocab_size, dtype=torch.float64)
    pairs = ids[:-1] * vocab_size + ids[1:]
    counts += torch.bincount(pairs, minlength=vocab_size**2).view(vocab_size, vocab_size)
    log_probs = (counts / counts.sum(1, keepdim=True)).log()
    return -log_probs[held_out[:-1], held_out[1:]].mean().item()


def write(model: GPT, tokenizer: Tokenizer, prompt: str = PROMPT, n_tokens: int = 120) -> str:
    """The prompt and what the model writes after it, always with the same luck."""
    device = model.embedding.device
    ids = torch.tensor([tokenizer.encode(prompt)], device=device)
    rng = torch.Generator(device).manual_seed(0)
    written = generate(model, ids, n_tokens, temperature=0.8, generator=rng)
    return tokenizer.decode(written[0].tolist())


def _parts(text: str) -> tuple[str, str]:
    cut = round((1 - HELD_OUT) * len(text))
    return text[:cut], text[cut:]


def _samples(folder: Path) -> Mapping[str, str]:
    path = folder / SAMPLES
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def _keep_sample(folder: Path, step: int, text: str) -> None:
    """In a file at once, so that a training that is stopped has it when it goes on."""
    content = json.dumps({**_samples(folder), str(step): text}, indent=1, ensure_ascii=False)
    write_file(folder / SAMPLES, content + "\n")


def _curve(history: list[Row]) -> list[list[int | float | None]]:
    """A row for each `_SMOOTH` steps, with their mean training loss."""
    rows = []
    for end in range(_SMOOTH, len(history) + 1, _SMOOTH):
        part = history[end - _SMOOTH : end]
        loss = sum(row.loss for row in part) / len(part)
        measured = part[-1].validation_loss
        rows.append([part[-1].step, round(loss, 4), measured and round(measured, 4)])
    return rows
