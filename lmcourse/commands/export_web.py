"""The files from which a browser runs a GPT: what the command `lmcourse export-web` makes.

Chapter: book/gpt.md
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from lmcourse.gpt import GPT
from lmcourse.pretrained import (
    CONFIG,
    TOKENIZER,
    WEIGHTS,
    from_pretrained,
    read_config,
    save_pretrained,
)

KNOWN_TOKENIZERS = ("bpe", "chars")  # to book/_static/live/tokenizer.js
_LARGEST = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class Exported:
    """What was made: the folder, its bytes, and by how much a weight was rounded at most."""

    folder: Path
    n_bytes: int
    largest_change: float


def export_web(folder: str | Path, out: str | Path) -> Exported:
    """Writes a model that `lmcourse train` made once more, in half precision, half as large.

    A page loads `config.json`, `tokenizer.json` and `model.safetensors` from there, and so does
    `from_pretrained`. All that `GPTConfig` allows can be run by `book/_static/live/model.js`.

    Raises:
        FileNotFoundError: there is no model in the folder.
        ValueError: the model has a tokenizer of words, which the page does not know, or weights
            that half precision cannot hold; or `out` is the folder itself.
    """
    folder, out = Path(folder), Path(out)
    if out.resolve() == folder.resolve():
        raise ValueError(f"out must be another folder than the model's, got {out}: name a new one")
    notes = read_config(folder)
    if notes.get("tokenizer") not in KNOWN_TOKENIZERS:
        known = " or ".join(KNOWN_TOKENIZERS)
        raise ValueError(
            f"tokenizer must be {known} to run in a browser, got"
            f" tokenizer={notes.get('tokenizer')!r}: train with --tokenizer bpe"
        )
    model, tokenizer = from_pretrained(folder)
    model.float()
    largest_change = _round(model)
    kept = {key: notes[key] for key in ("data", "training") if key in notes}
    save_pretrained(model.half(), tokenizer, out, kept)
    n_bytes = sum((out / name).stat().st_size for name in (CONFIG, TOKENIZER, WEIGHTS))
    return Exported(out, n_bytes, largest_change)


@torch.no_grad()
def _round(model: GPT) -> float:
    """Rounds each weight to half precision, and tells the largest change."""
    change = 0.0
    for name, weight in model.named_parameters():
        largest = weight.abs().max().item()
        if not largest <= _LARGEST:  # NaN, too
            raise ValueError(
                f"model must have weights up to {_LARGEST:.0f}, which half precision can hold, got"
                f" {largest:.4g} in {name}: look at how the training went"
            )
        rounded = weight.half().float()
        change = max(change, (rounded - weight).abs().max().item())
        weight.copy_(rounded)
    return change
