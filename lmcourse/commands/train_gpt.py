"""A GPT from a text to a folder: what the command `lmcourse train` does.

Chapter: book/training.md
"""

import json
import math
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
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
from lmcourse.files import missing_folders, remove_folders, write_file
from lmcourse.gpt import GPT, GPTConfig, count_parameters
from lmcourse.loop import distributed
from lmcourse.loop.event_log import EVENTS, EventLog
from lmcourse.loop.run_folder import METRICS, LostRowsWarning, last_save
from lmcourse.pretrained import (
    CONFIG,
    TOKENIZER,
    describe,
    from_pretrained,
    read_config,
    untrained,
)
from lmcourse.tokenizers import Tokenizer
from lmcourse.training import TrainingConfig, TrainingResult, check, train

# What the command `lmcourse train` does if it is told nothing: a few minutes on a laptop.
MODEL = GPTConfig(vocab_size=1, context_length=64, d_model=128, n_heads=4, n_layers=4)
TRAINING = TrainingConfig(n_steps=1000, batch_size=12, n_warmup=50, validate_every=250)
# Options that may be others when a training goes on.
FREE = {"resume", "device", "processes", "sharded", "max_restarts", "tensorboard", "prompt"}

Tell = Callable[[str], None]


def run(options: Mapping[str, Any], typed: Collection[str], tell: Tell) -> None:
    """What `lmcourse train` does with its options, to the sample at the end.

    Args:
        options: text, out, resume, tokenizer, vocab_size, device, sharded, tensorboard and prompt,
            and the fields of both configs.
        typed: those that were given; the others are as the command has them.
    """
    out, prompt = Path(options["out"]), options["prompt"]
    devices.choose(options["device"])  # refuses before any work what cannot be reached
    how = {"sharded": options["sharded"], "tensorboard": options["tensorboard"]}
    run_name = _run_name(options, typed)
    again = run_name is not None and _begun_by(out) == run_name
    if options["resume"] or again:
        if not again:
            _check_resumed(options, typed, out)
        elif distributed.rank() == 0:
            tell("this training was begun before: it goes on from its last save")
        more = {"n_steps": options["n_steps"]} if "n_steps" in typed else {}
        text = options["text"] if "text" in typed else None
        resume_training(out, prompt, tell, text, **more, **how)
    else:
        settings = _pick(TrainingConfig, options, "context_length")
        if "n_warmup" not in typed:  # nobody asked for it, so a short training has a shorter one
            settings["n_warmup"] = min(settings["n_warmup"], settings["n_steps"] // 4)
        config = TrainingConfig(**settings)
        # Prepared data, and a model to begin from, bring a tokenizer; so what nobody asked for is
        # not asked for.
        encoder = options["tokenizer"] if "tokenizer" in typed else None, options["vocab_size"]
        if options["init_from"] is not None:
            _check_first_model(options, typed)
            model_config = None
        else:
            parts = _parts(options["block"], options["d_model"])
            parts = {name: value for name, value in parts.items() if name not in typed}
            sizes = _pick(GPTConfig, options, "vocab_size") | parts
            model_config = GPTConfig(vocab_size=1, **sizes)
        start_training(
            options["text"], out, model_config, config, *encoder, prompt, tell,
            init_from=options["init_from"], run_name=run_name, **how,
        )  # fmt: skip
    if distributed.rank() == 0:
        tell(sample(out, Request(prompt=prompt, seed=_training_of(out).seed)))


def _run_name(options: Mapping[str, Any], typed: Collection[str]) -> str | None:
    """What is the same whenever torchrun starts this very training: its name, and what was typed.

    None if torchrun has none, or --resume says all.
    """
    if distributed.run_id() is None or options["resume"]:
        return None
    names = sorted(set(typed) - FREE - {"out"})
    return " ".join([distributed.run_id(), *(f"{name}={options[name]}" for name in names)])


def _begun_by(folder: Path) -> str | None:
    return read_config(folder).get("run_name") if (folder / CONFIG).is_file() else None


def _parts(block: str, d_model: int) -> dict[str, Any]:
    """The fields of a `GPTConfig` that make its block what the name says."""
    if block == "gpt2":
        return {}
    if block != "llama":
        raise ValueError(f"block must be gpt2 or llama, got block={block!r}")
    # With a gate a network has three matrices: at 8/3 of the width they are as large as two at 4.
    parts = {"norm": "rms", "feed_forward": "swiglu", "positions": "rotary", "tied_head": False}
    return parts | {"d_ff": 8 * math.ceil(d_model / 3)}


def _check_first_model(options: Mapping[str, Any], typed: Collection[str]) -> None:
    """What is typed beside --init-from must be what the model there is."""
    content = read_config(options["init_from"])
    before = dict(content["config"]) if isinstance(content.get("config"), dict) else {}
    before["tokenizer"] = content.get("tokenizer")
    names = {field.name for field in fields(GPTConfig)} | {"tokenizer", "block"}
    for name in sorted(typed & names):
        if name not in before or before[name] != options[name]:
            raise ValueError(
                f"--init-from brings a whole model, with {name}={before.get(name)!r}, got {name}="
                f"{options[name]!r}: leave out --{name.replace('_', '-')}"
            )


def _pick(kind: type, options: Mapping[str, Any], leave_out: str) -> dict[str, Any]:
    names = {field.name for field in fields(kind)} - {leave_out}
    return {name: value for name, value in options.items() if name in names}


def _check_resumed(options: Mapping[str, Any], typed: Collection[str], folder: Path) -> None:
    """Settings that were typed beside --resume must be those of the folder."""
    content = read_config(folder)
    before = {"tokenizer": content.get("tokenizer")}
    for part in ("training", "config"):
        before |= content[part] if isinstance(content.get(part), dict) else {}
    for name in sorted(set(typed) - FREE - {"out", "text"}):
        there, now = before.get(name), options[name]
        if name == "n_steps" and isinstance(there, int) and now > there:
            continue  # it may go on after its end
        # A file has no tuples.
        if there != (list(now) if isinstance(now, tuple) else now):
            raise ValueError(
                f"--resume must come alone or with the settings of {folder}, got {name}="
                f"{options[name]!r}, and there it is {before.get(name)!r}: leave out"
                f" --{name.replace('_', '-')}, or start in another folder"
            )


def start_training(
    source: str | Path,
    folder: str | Path,
    model_config: GPTConfig | None,
    config: TrainingConfig,
    tokenizer: str | None = None,
    vocab_size: int | None = None,
    prompt: str | None = None,
    tell: Tell = print,
    init_from: str | Path | None = None,
    sharded: bool = False,
    tensorboard: bool = False,
    run_name: str | None = None,
) -> TrainingResult:
    """Trains a new GPT on a text and leaves it in the folder, for `from_pretrained`.

    All that can be refused is refused before the first file.

    Args:
        source: a folder of `lmcourse data prepare`, or as for `read_text`.
        model_config: its vocab_size is replaced by that of the tokenizer; None with init_from.
        tokenizer: "chars" or "bpe"; chars if None. Prepared data have their own.
        vocab_size: of the tokenizer; all characters, or 512 byte pairs, if None.
        prompt: for the sample afterwards; that it can be read is checked before the work.
        tell: is given lines about what happens.
        init_from: a folder with a model to begin from, with its weights and its tokenizer.
        sharded: as of `train`.
        tensorboard: also write what the table holds for TensorBoard, in the folder `tensorboard`.
        run_name: by which who begins it again knows that it is the same.
    """
    folder = Path(folder)
    if (folder / CONFIG).exists():
        raise ValueError(
            f"folder must hold no training yet, got {folder}: choose another one, or go on with it"
            " by --resume"
        )
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"folder must be a folder, got the file {folder}: choose another one")
    if init_from is None:
        data = load_data(source, tokenizer, vocab_size, model_config.context_length)
        torch.manual_seed(config.seed)
        model = GPT(replace(model_config, vocab_size=data.tokenizer.vocab_size))
    else:
        model, known = _first_model(init_from)
        data = load_data(source, None, None, model.config.context_length, known)
    encoder = data.tokenizer
    prompt_ids(encoder, prompt)
    check(model, data.train, config, validation=data.validation)
    distributed.initialize()
    distributed.barrier()  # each has seen that the folder was free
    metadata = {"data": origin(source, data, folder), "training": asdict(config)}
    if run_name is not None:
        metadata["run_name"] = run_name
    if init_from is not None:
        metadata["init_from"] = os.path.relpath(Path(init_from).resolve(), folder.resolve())
    log = _event_log(folder, tensorboard)
    with _described(model, encoder, folder, metadata):
        return _train(model, data, folder, config, tell, log, resume=False, sharded=sharded)


def _first_model(folder: str | Path) -> tuple[GPT, Tokenizer]:
    """The model that a training begins from; its weights move in float32."""
    model, encoder = from_pretrained(folder)
    return model.float(), encoder


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
    n_steps: int | None = None,
    sharded: bool = False,
    tensorboard: bool = False,
) -> TrainingResult:
    """Goes on with what `start_training` began in the folder, as if it had never stopped.

    Args:
        n_steps: more steps than it began with: from the step that it has reached on, the learning
            rate is that of a training of this length.
        source: where the text is now; if None it is looked for where it was, seen from the folder
            and from here. It must be the same text.
        sharded, tensorboard: as at the start; they need not be as they were.
    """
    folder = Path(folder)
    config = _training_of(folder)
    content = read_config(folder)
    if n_steps is not None:
        config = replace(config, n_steps=n_steps)
    torch.manual_seed(config.seed)  # the same weights as at the start, if none were saved yet
    model, encoder = untrained(folder)
    if content.get("init_from") and last_save(folder) is None:
        model, _ = _first_model(folder / content["init_from"])
    length = model.config.context_length
    data = found_again(content["data"], folder, source, encoder, length)
    prompt_ids(encoder, prompt)
    check(model, data.train, config, validation=data.validation)
    distributed.initialize()
    distributed.barrier()  # each has read what the folder said
    if n_steps is not None and distributed.rank() == 0:
        content["training"]["n_steps"] = n_steps
        write_file(folder / CONFIG, json.dumps(content, indent=2) + "\n")
    log = _event_log(folder, tensorboard)
    return _train(model, data, folder, config, tell, log, resume=True, sharded=sharded)


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


def _event_log(folder: Path, wanted: bool) -> EventLog | None:
    return EventLog(folder / EVENTS) if wanted and distributed.rank() == 0 else None


def _train(
    model: GPT,
    data: TrainingData,
    folder: Path,
    config: TrainingConfig,
    tell: Tell,
    log: EventLog | None,
    resume: bool,
    sharded: bool,
) -> TrainingResult:
    ids, validation = data.train, data.validation
    if distributed.rank() > 0:
        tell = _silent
    tell(
        f"{len(ids):,} tokens to learn from, {len(validation):,} held out,"
        f" {data.tokenizer.vocab_size} kinds; {count_parameters(model.config):,} parameters;"
        f" metrics in {folder / METRICS}"
    )
    after_step = None if log is None else log.add
    with _told(tell), log or nullcontext():
        result = train(
            model, ids, config, validation=validation, folder=folder, resume=resume,
            sharded=sharded, after_step=after_step,
        )  # fmt: skip
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
