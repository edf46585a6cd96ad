"""A GPT from a text to a folder: what the command `lmcourse train` does.

Chapter: book/training.md
"""

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch

from lmcourse import devices
from lmcourse.checkpoints import restored
from lmcourse.commands.sample_text import Request, prompt_ids, sample
from lmcourse.commands.training_data import (
    TrainingData,
    found_again,
    load_data,
    origin,
)
from lmcourse.commands.training_data import read_text as read_text
from lmcourse.files import missing_folders, remove_folders
from lmcourse.gpt import GPT, GPTConfig, count_parameters
from lmcourse.loop import distributed
from lmcourse.loop.run_folder import METRICS, LostRowsWarning
from lmcourse.pretrained import (
    CONFIG,
    TOKENIZER,
    describe,
    read_config,
    untrained,
)
from lmcourse.tokenizers import Tokenizer
from lmcourse.training import TrainingConfig, TrainingResult, check, train

# What the command `lmcourse train` does if it is told nothing: a few minutes on a laptop.
MODEL = GPTConfig(vocab_size=1, context_length=64, d_model=128, n_heads=4, n_layers=4)
TRAINING = TrainingConfig(n_steps=1000, batch_size=12, n_warmup=50, validate_every=250)

Tell = Callable[[str], None]


def run(options: Mapping[str, Any], typed: Collection[str], tell: Tell) -> None:
    """What `lmcourse train` does with its options, to the sample at the end.

    Args:
        options: text, out, resume, tokenizer, vocab_size, device and prompt, and the fields of both
            configs.
        typed: those that were given; the others are as the command has them.
    """
    out, prompt = Path(options["out"]), options["prompt"]
    devices.choose(options["device"])  # refuses before any work what cannot be reached
    if options["resume"]:
        _check_resumed(options, typed, out)
        resume_training(out, prompt, tell, options["text"] if "text" in typed else None)
    else:
        settings = _pick(TrainingConfig, options, "context_length")
        if "n_warmup" not in typed:  # nobody asked for it, so a short training has a shorter one
            settings["n_warmup"] = min(settings["n_warmup"], settings["n_steps"] // 4)
        config = TrainingConfig(**settings)
        model_config = GPTConfig(vocab_size=1, **_pick(GPTConfig, options, "vocab_size"))
        # Prepared data bring a tokenizer; so what nobody asked for is not asked for.
        encoder = options["tokenizer"] if "tokenizer" in typed else None, options["vocab_size"]
        start_training(options["text"], out, model_config, config, *encoder, prompt, tell)
    if distributed.rank() == 0:
        tell(sample(out, Request(prompt=prompt, seed=_training_of(out).seed)))


def _pick(kind: type, options: Mapping[str, Any], leave_out: str) -> dict[str, Any]:
    names = {field.name for field in fields(kind)} - {leave_out}
    return {name: value for name, value in options.items() if name in names}


def _check_resumed(options: Mapping[str, Any], typed: Collection[str], folder: Path) -> None:
    """Settings that were typed beside --resume must be those of the folder."""
    content = read_config(folder)
    before = {"tokenizer": content.get("tokenizer")}
    for part in ("training", "config"):
        before |= content[part] if isinstance(content.get(part), dict) else {}
    for name in sorted(set(typed) - {"resume", "out", "text", "device", "processes", "prompt"}):
        if before.get(name) != options[name]:
            raise ValueError(
                f"--resume must come alone or with the settings of {folder}, got {name}="
                f"{options[name]!r}, and there it is {before.get(name)!r}: leave out"
                f" --{name.replace('_', '-')}, or start in another folder"
            )


def start_training(
    source: str | Path,
    folder: str | Path,
    model_config: GPTConfig,
    config: TrainingConfig,
    tokenizer: str | None = None,
    vocab_size: int | None = None,
    prompt: str | None = None,
    tell: Tell = print,
) -> TrainingResult:
    """Trains a new GPT on a text and leaves it in the folder, for `from_pretrained`.

    All that can be refused is refused before the first file.

    Args:
        source: a folder of `lmcourse data prepare`, or as for `read_text`.
        model_config: its vocab_size is replaced by that of the tokenizer.
        tokenizer: "chars" or "bpe"; chars if None. Prepared data have their own.
        vocab_size: of the tokenizer; all characters, or 512 byte pairs, if None.
        prompt: for the sample afterwards; that it can be read is checked before the work.
        tell: is given lines about what happens.
    """
    folder = Path(folder)
    if (folder / CONFIG).exists():
        raise ValueError(
            f"folder must hold no training yet, got {folder}: choose another one, or go on with it"
            " by --resume"
        )
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"folder must be a folder, got the file {folder}: choose another one")
    data = load_data(source, tokenizer, vocab_size, model_config.context_length)
    encoder = data.tokenizer
    prompt_ids(encoder, prompt)
    torch.manual_seed(config.seed)
    model = GPT(replace(model_config, vocab_size=encoder.vocab_size))
    check(model, data.train, config, validation=data.validation)
    distributed.initialize()
    distributed.barrier()  # each has seen that the folder was free
    metadata = {"data": origin(source, data, folder), "training": asdict(config)}
    with _described(model, encoder, folder, metadata):
        return _train(model, data, folder, config, tell, resume=False)


@contextmanager
def _described(
    model: GPT, encoder: Tokenizer, folder: Path, metadata: Mapping[str, Any]
) -> Iterator[None]:
    """The folder says what is trained in it; if that fails before a step, nothing stays behind."""
    if distributed.rank() > 0:
        yield
        return
    made = missing_folders(folder)
    try:
        describe(model, encoder, folder, metadata)
        yield
    except Exception:
        if not (folder / METRICS).exists():
            for name in (CONFIG, TOKENIZER):
                (folder / name).unlink(missing_ok=True)
            remove_folders(made)
        raise


def resume_training(
    folder: str | Path,
    prompt: str | None = None,
    tell: Tell = print,
    source: str | Path | None = None,
) -> TrainingResult:
    """Goes on with what `start_training` began in the folder, as if it had never stopped.

    Args:
        source: where the text is now; if None it is looked for where it was, seen from the folder
            and from here. It must be the same text.
    """
    folder = Path(folder)
    config = _training_of(folder)
    torch.manual_seed(config.seed)  # the same weights as at the start, if none were saved yet
    model, encoder = untrained(folder)
    length = model.config.context_length
    data = found_again(read_config(folder)["data"], folder, source, encoder, length)
    prompt_ids(encoder, prompt)
    check(model, data.train, config, validation=data.validation)
    return _train(model, data, folder, config, tell, resume=True)


def _training_of(folder: Path) -> TrainingConfig:
    """The settings of the training that was begun in the folder."""
    content = read_config(folder)
    data = content.get("data")
    if (
        "training" not in content
        or not isinstance(data, dict)
        or data.keys() < {"source", "sha256"}
    ):
        raise ValueError(f"folder must hold what lmcourse train began, got {folder}")
    return restored(TrainingConfig, content["training"], f"{folder / CONFIG}, training,")


def _train(
    model: GPT,
    data: TrainingData,
    folder: Path,
    config: TrainingConfig,
    tell: Tell,
    resume: bool,
) -> TrainingResult:
    ids, validation = data.train, data.validation
    if distributed.rank() > 0:
        tell = _silent
    tell(
        f"{len(ids):,} tokens to learn from, {len(validation):,} held out,"
        f" {data.tokenizer.vocab_size} kinds; {count_parameters(model.config):,} parameters;"
        f" metrics in {folder / METRICS}"
    )
    with _told(tell):
        result = train(model, ids, config, validation=validation, folder=folder, resume=resume)
    done = f" of {result.history[-1].step:,}" if result.history else ""
    tell(
        f"lowest validation loss {result.best_loss:.4f} nats per token, after step"
        f" {result.best_step:,}{done}; weights in {folder}"
    )
    return result


@contextmanager
def _told(tell: Tell) -> Iterator[None]:
    """What the table has lost becomes a line; all other warnings stay what they are."""
    show = warnings.showwarning

    def as_a_line(message: Any, category: type, *place: Any, **more: Any) -> None:
        if issubclass(category, LostRowsWarning):
            tell(str(message))
        else:
            show(message, category, *place, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always", LostRowsWarning)
        warnings.showwarning = as_a_line
        yield


def _silent(line: str) -> None:
    pass
