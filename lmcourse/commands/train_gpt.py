"""A GPT from a text to a folder: what the command `lmcourse train` does.

Chapter: book/training.md
"""

import hashlib
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmcourse import devices
from lmcourse.checkpoints import restored
from lmcourse.data import load_dataset, pydoc_text
from lmcourse.files import missing_folders, remove_folders
from lmcourse.generation import generate
from lmcourse.gpt import GPT, GPTConfig, count_parameters
from lmcourse.loop import distributed
from lmcourse.loop.run_folder import METRICS, LostRowsWarning
from lmcourse.pretrained import (
    CONFIG,
    TOKENIZER,
    TOKENIZERS,
    describe,
    from_pretrained,
    read_config,
    untrained,
)
from lmcourse.tokenizers import BPETokenizer, Tokenizer
from lmcourse.training import TrainingConfig, TrainingResult, check, train

VALIDATION_FRACTION = 0.1  # the last tenth of the text is for validation
BYTE_PAIRS = 512  # the ids of --tokenizer bpe, if no other number is given
LEARNED_FROM_TEXT = ("chars", "bpe")  # words would make one id of all that is rare
# What the command `lmcourse train` does if it is told nothing: a few minutes on a laptop.
MODEL = GPTConfig(vocab_size=1, context_length=64, d_model=128, n_heads=4, n_layers=4)
TRAINING = TrainingConfig(n_steps=1000, batch_size=12, n_warmup=50, validate_every=250)

Tell = Callable[[str], None]


def read_text(source: str | Path) -> str:
    """The text that a name stands for: pydoc, a data set that is one text, or a file.

    A byte order mark, with which some editors begin a file, is no part of the text.

    Raises:
        ValueError: it is none of them, or the file is no text.
    """
    if source == "pydoc":
        return pydoc_text()
    path = Path(source)
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{source} must be text in UTF-8, got {error}") from error
    if path.exists():
        kind = "a folder" if path.is_dir() else "a device or a pipe"
        raise ValueError(f"text must be a file, 'pydoc' or a data set, got {kind}: {source}")
    try:
        found = load_dataset(str(source)).get("all")
    except ValueError as error:
        raise ValueError(
            f"text must be a file, 'pydoc' or a data set, got {str(source)!r}: there is no such"
            f" file, and {error}"
        ) from error
    if not isinstance(found, str):
        raise ValueError(
            f"text must be a data set of running text, got {str(source)!r}: try a file"
        )
    return found


def run(options: Mapping[str, Any], typed: Collection[str], tell: Tell) -> None:
    """What `lmcourse train` does with its options, to the sample at the end.

    Args:
        options: text, out, resume, tokenizer, vocab_size, device and prompt, and the fields of both
            configs.
        typed: those that were given; the others are as the command has them.
    """
    out, prompt = Path(options["out"]), options["prompt"]
    if options["device"] is not None:
        os.environ[devices.VARIABLE] = options["device"]
    devices.default_device()  # refuses before any work what cannot be reached
    if options["resume"]:
        _check_resumed(options, typed, out)
        resume_training(out, prompt, tell, options["text"] if "text" in typed else None)
    else:
        settings = _pick(TrainingConfig, options, "context_length")
        if "n_warmup" not in typed:  # nobody asked for it, so a short training has a shorter one
            settings["n_warmup"] = min(settings["n_warmup"], settings["n_steps"] // 4)
        config = TrainingConfig(**settings)
        model_config = GPTConfig(vocab_size=1, **_pick(GPTConfig, options, "vocab_size"))
        encoder = options["tokenizer"], options["vocab_size"]
        start_training(options["text"], out, model_config, config, *encoder, prompt, tell)
    if distributed.rank() == 0:
        tell(sample(out, prompt, seed=_training_of(out).seed))


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
    tokenizer: str = "chars",
    vocab_size: int | None = None,
    prompt: str | None = None,
    tell: Tell = print,
) -> TrainingResult:
    """Trains a new GPT on a text and leaves it in the folder, for `from_pretrained`.

    All that can be refused is refused before the first file.

    Args:
        source: as for `read_text`.
        model_config: its vocab_size is replaced by that of the tokenizer.
        tokenizer: "chars" or "bpe".
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
    text = read_text(source)
    encoder = _train_tokenizer(tokenizer, text, vocab_size)
    _prompt_ids(encoder, prompt)
    torch.manual_seed(config.seed)
    model = GPT(replace(model_config, vocab_size=encoder.vocab_size))
    ids = _ids(encoder, text, model.config.context_length)
    check(model, ids[0], config, validation=ids[1])
    distributed.initialize()
    distributed.barrier()  # each has seen that the folder was free
    metadata = {"data": _origin(source, text, folder), "training": asdict(config)}
    with _described(model, encoder, folder, metadata):
        return _train(model, encoder, ids, folder, config, tell, resume=False)


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
    text = _found_again(read_config(folder)["data"], folder, source)
    torch.manual_seed(config.seed)  # the same weights as at the start, if none were saved yet
    model, encoder = untrained(folder)
    _prompt_ids(encoder, prompt)
    ids = _ids(encoder, text, model.config.context_length)
    check(model, ids[0], config, validation=ids[1])
    return _train(model, encoder, ids, folder, config, tell, resume=True)


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


def _origin(source: str | Path, text: str, folder: Path) -> dict[str, str]:
    """What the folder remembers of its text: where it was, and how to know it again."""
    origin = {"source": str(source), "sha256": _digest(text)}
    if Path(source).is_file():
        # From the folder to the text, so that both can move together.
        try:
            path = os.path.relpath(Path(source).resolve(), folder.resolve())
        except ValueError:  # on another drive
            path = str(Path(source).resolve())
        origin["path"] = Path(path).as_posix()
    return origin


def _found_again(origin: Mapping[str, str], folder: Path, source: str | Path | None) -> str:
    """The text of a training; what it was read from may have moved, but not changed."""
    candidates = _candidates(origin, folder) if source is None else [source]
    found = [path for path in candidates if Path(path).is_file()]
    if not found and "path" in origin and source is None:
        raise ValueError(
            f"text must be there to go on, got no file {origin['source']!r}, as seen from {folder}"
            f" or from here: say where it is, lmcourse train TEXT --resume --out {folder}"
        )
    for path in found or candidates:  # what is no file is pydoc or a data set
        text = read_text(path)
        if _digest(text) == origin["sha256"]:
            return text
    raise ValueError(
        "text must be the one that the training began with, got another one from"
        f" {str((found or candidates)[0])!r}: its SHA-256 is not that in {folder / CONFIG}"
    )


def _candidates(origin: Mapping[str, str], folder: Path) -> list[str | Path]:
    """Where the text may be: as seen from the folder, as it was typed, beside the folder, here."""
    if "path" not in origin:
        return [origin["source"]]
    name = Path(origin["path"]).name
    beside = [folder / name, folder.parent / name, Path(name)]
    return [folder / origin["path"], origin["source"], *beside]


def _train_tokenizer(name: str, text: str, vocab_size: int | None) -> Tokenizer:
    if name not in LEARNED_FROM_TEXT:
        known = ", ".join(LEARNED_FROM_TEXT)
        raise ValueError(f"tokenizer must be one of {known}, got tokenizer={name!r}")
    if name == "bpe":  # byte pairs know every text, so nothing held out need be seen
        n_ids = BYTE_PAIRS if vocab_size is None else vocab_size
        return BPETokenizer.train(_parts(text)[0], n_ids)
    return TOKENIZERS[name].train(text, vocab_size)


def _parts(text: str) -> tuple[str, str]:
    """What to learn from, and what is held out: split first, then made into tokens."""
    cut = round((1 - VALIDATION_FRACTION) * len(text))
    return text[:cut], text[cut:]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _ids(encoder: Tokenizer, text: str, context_length: int) -> tuple[Tensor, Tensor]:
    """The ids to learn from and those held out; a text that is too short for both is refused."""
    ids, validation = (torch.tensor(encoder.encode(x), dtype=torch.long) for x in _parts(text))
    if len(ids) <= context_length or len(validation) < 2:
        raise ValueError(
            f"text must give more than context_length={context_length} tokens to learn from and 2"
            f" to hold out, got {len(ids)} and {len(validation)} of {len(text)} characters: give a"
            " longer text or a smaller context_length"
        )
    return ids, validation


def _train(
    model: GPT,
    encoder: Tokenizer,
    parts: tuple[Tensor, Tensor],
    folder: Path,
    config: TrainingConfig,
    tell: Tell,
    resume: bool,
) -> TrainingResult:
    ids, validation = parts
    if distributed.rank() > 0:
        tell = _silent
    tell(
        f"{len(ids):,} tokens to learn from, {len(validation):,} held out,"
        f" {encoder.vocab_size} kinds; {count_parameters(model.config):,} parameters; metrics in"
        f" {folder / METRICS}"
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


def sample(
    folder: str | Path,
    prompt: str | None = None,
    n_tokens: int = 300,
    seed: int = 0,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
) -> str:
    """The prompt, and what a model in a folder writes after it.

    Args:
        prompt: a new line, or the first token there is, if None.
        temperature, top_k, top_p: as for `generate`.
    """
    model, encoder = from_pretrained(folder)
    ids = torch.tensor([_prompt_ids(encoder, prompt)])
    rng = torch.Generator().manual_seed(seed)
    rules = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    written = generate(model, ids, n_tokens, **rules, generator=rng)
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
