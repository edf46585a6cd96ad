"""A GPT from a text to a folder: what the command `lmcourse train` does.

Chapter: book/training.md
"""

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch

from lmcourse import devices, distributed
from lmcourse.data import load_dataset, pydoc_text
from lmcourse.generation import generate
from lmcourse.gpt import GPT, GPTConfig, count_parameters
from lmcourse.pretrained import (
    CONFIG,
    TOKENIZERS,
    describe,
    from_pretrained,
    read_config,
    untrained,
)
from lmcourse.runs import METRICS
from lmcourse.tokenizers import BPETokenizer, Tokenizer
from lmcourse.training import TrainingConfig, TrainingResult, train

HELD_OUT = 0.1  # the last tenth of the text is for validation
BYTE_PAIRS = 512  # the ids of --tokenizer bpe, if no other number is given

Tell = Callable[[str], None]


def read_text(source: str) -> str:
    """The text that a name stands for: pydoc, a data set that is one text, or a file.

    Raises:
        ValueError: it is none of them, or the file is no text.
    """
    if source == "pydoc":
        return pydoc_text()
    if Path(source).is_file():
        try:
            return Path(source).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{source} must be text in UTF-8, got {error}") from error
    try:
        found = load_dataset(source).get("all")
    except ValueError as error:
        raise ValueError(
            f"text must be a file, 'pydoc' or a data set, got {source!r}: there is no such file,"
            f" and {error}"
        ) from error
    if not isinstance(found, str):
        raise ValueError(f"text must be a data set of running text, got {source!r}: try a file")
    return found


def run(options: Mapping[str, Any], chosen: Collection[str], tell: Tell) -> None:
    """What `lmcourse train` does with its options, to the sample at the end.

    Args:
        chosen: the options that were given and not left as they are.
    """
    out, device, prompt = options["out"], options["device"], options["prompt"]
    if device is not None:
        os.environ[devices.VARIABLE] = device
    devices.default_device()  # refuses before any work what cannot be reached
    if not options["resume"]:
        model_config = GPTConfig(vocab_size=1, **_pick(GPTConfig, options, "vocab_size"))
        config = TrainingConfig(**_pick(TrainingConfig, options, "context_length"))
        encoder = options["tokenizer"], options["vocab_size"]
        start(options["text"], out, model_config, config, *encoder, prompt, tell)
    else:
        for name in sorted(set(chosen) - {"resume", "out", "device", "prompt"}):
            raise ValueError(
                f"--resume must come alone, it takes all settings from {out}: leave out {name}"
            )
        go_on(out, prompt, tell)
    if distributed.rank() == 0:
        tell(sample(out, prompt, seed=options["seed"]))


def _pick(kind: type, options: Mapping[str, Any], leave_out: str) -> dict[str, Any]:
    names = {field.name for field in fields(kind)} - {leave_out}
    return {name: value for name, value in options.items() if name in names}


def start(
    source: str,
    folder: Path,
    model_config: GPTConfig,
    config: TrainingConfig,
    tokenizer: str = "chars",
    vocab_size: int | None = None,
    prompt: str | None = None,
    tell: Tell = print,
) -> TrainingResult:
    """Trains a new GPT on a text and leaves it in the folder, for `from_pretrained`.

    Args:
        source: as for `read_text`.
        model_config: its vocab_size is replaced by that of the tokenizer.
        tokenizer: one of `pretrained.TOKENIZERS`.
        vocab_size: of the tokenizer; all characters, or 512 byte pairs, if None.
        prompt: for the sample afterwards; that it can be read is checked before the work.
        tell: is given lines about what happens.
    """
    if (folder / CONFIG).exists():
        raise ValueError(
            f"folder must hold no training yet, got {folder}: choose another one, or go on with it"
            " by --resume"
        )
    text = read_text(source)
    encoder = _train_tokenizer(tokenizer, text, vocab_size)
    _prompt_ids(encoder, prompt)
    torch.manual_seed(config.seed)
    model = GPT(replace(model_config, vocab_size=encoder.vocab_size))
    distributed.join()
    distributed.wait_for_all()  # each has seen that the folder was free
    if distributed.rank() == 0:
        data = {"source": source, "sha256": _digest(text)}
        describe(model, encoder, folder, {"data": data, "training": asdict(config)})
    return _train(model, encoder, text, folder, config, tell, resume=False)


def go_on(folder: Path, prompt: str | None = None, tell: Tell = print) -> TrainingResult:
    """Goes on with what `start` began in the folder, as if it had never stopped."""
    notes = read_config(folder)
    if "training" not in notes or "data" not in notes:
        raise ValueError(f"folder must hold what lmcourse train began, got {folder}")
    config = TrainingConfig(**notes["training"])
    text = read_text(notes["data"]["source"])
    if _digest(text) != notes["data"]["sha256"]:
        raise ValueError(
            f"text must be the one that the training began with, got another one from"
            f" {notes['data']['source']!r}: its SHA-256 is not that in {folder / CONFIG}"
        )
    torch.manual_seed(config.seed)  # the same weights as at the start, if none were saved yet
    model, encoder = untrained(folder)
    _prompt_ids(encoder, prompt)
    return _train(model, encoder, text, folder, config, tell, resume=True)


def _train_tokenizer(name: str, text: str, vocab_size: int | None) -> Tokenizer:
    if name not in TOKENIZERS:
        known = ", ".join(TOKENIZERS)
        raise ValueError(f"tokenizer must be one of {known}, got tokenizer={name!r}")
    if name == "bpe":  # byte pairs know every text, so nothing held out need be seen
        return BPETokenizer.train(_parts(text)[0], vocab_size or BYTE_PAIRS)
    return TOKENIZERS[name].train(text, vocab_size)


def _parts(text: str) -> tuple[str, str]:
    """What to learn from, and what is held out: split first, then made into tokens."""
    cut = round((1 - HELD_OUT) * len(text))
    return text[:cut], text[cut:]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _train(
    model: GPT,
    encoder: Tokenizer,
    text: str,
    folder: Path,
    config: TrainingConfig,
    tell: Tell,
    resume: bool,
) -> TrainingResult:
    ids, held_out = (torch.tensor(encoder.encode(part)) for part in _parts(text))
    if distributed.rank() > 0:
        tell = _silent
    tell(
        f"{len(ids):,} tokens to learn from, {len(held_out):,} held out,"
        f" {encoder.vocab_size} kinds; {count_parameters(model.config):,} parameters; metrics in"
        f" {folder / METRICS}"
    )
    result = train(model, ids, config, validation=held_out, folder=folder, resume=resume)
    tell(
        f"lowest validation loss {result.best_loss:.4f} nats per token, after step"
        f" {result.best_step:,} of {result.history[-1].step:,}; weights in {folder}"
    )
    return result


def _silent(line: str) -> None:
    pass


def sample(folder: Path, prompt: str | None = None, n_tokens: int = 300, seed: int = 0) -> str:
    """The prompt, and what a model in a folder writes after it at temperature 0.8.

    Args:
        prompt: a new line, or the first token there is, if None.
    """
    model, encoder = from_pretrained(folder)
    ids = torch.tensor([_prompt_ids(encoder, prompt)])
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        written = generate(model, ids, n_tokens, temperature=0.8, generator=dice)
    return encoder.decode(written[0].tolist())


def _prompt_ids(encoder: Tokenizer, prompt: str | None) -> list[int]:
    if prompt is not None and not prompt:
        raise ValueError("prompt must have at least one character, got prompt=''")
    try:
        return encoder.encode("\n" if prompt is None else prompt)
    except ValueError:
        if prompt is not None:
            raise
    return [0]
