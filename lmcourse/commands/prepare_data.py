"""Texts of any length as files of ids: what the command `lmcourse data prepare` does.

Chapter: book/data.md
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from lmcourse.prepared.encoding import Settings
from lmcourse.prepared.id_files import DESCRIPTION, DOCUMENTS, PARTS, TOKENIZER
from lmcourse.prepared.prepare import BYTE_PAIRS, prepare
from lmcourse.pretrained import CONFIG
from lmcourse.tokenizers import TOKENIZERS, Tokenizer

LEARNED = "bpe"


def run(
    paths: Sequence[Path],
    folder: Path,
    tokenizer: str,
    settings: Settings,
    n_workers: int,
    tell: Callable[[str], None],
) -> None:
    """Prepares the files and tells what is in the folder.

    Args:
        tokenizer: "bpe", to learn byte pairs; or a folder that has a tokenizer.
    """
    known = None if tokenizer == LEARNED else tokenizer_of(tokenizer)
    if known is not None and settings.vocab_size is not None:
        raise ValueError(
            "vocab_size must be left out with a tokenizer that is known, got"
            f" vocab_size={settings.vocab_size} and {tokenizer}"
        )
    told = prepare(paths, folder, settings, known, n_workers, tell=tell)
    for part in PARTS:
        each = told["parts"][part]
        tell(f"{part}: {each['n_ids']:,} ids of {each['n_documents']:,} documents")
    total = max(sum(told["ids_by_license"].values()), 1)
    licenses = [f"{name} {n / total:.0%}" for name, n in told["ids_by_license"].items()]
    tell(f"license: {', '.join(licenses)}; of each document in {folder / DOCUMENTS}")
    tell(f"lmcourse train {folder} reads them")


def tokenizer_of(folder: str | Path) -> Tokenizer:
    """The tokenizer of a folder that `lmcourse train` or `lmcourse data prepare` left."""
    folder = Path(folder)
    for name in (DESCRIPTION, CONFIG):
        try:
            kind = json.loads((folder / name).read_text(encoding="utf-8")).get("tokenizer")
        except (OSError, ValueError, AttributeError):
            continue
        if kind in TOKENIZERS:
            return TOKENIZERS[kind].load(folder / TOKENIZER)
    raise ValueError(
        f"tokenizer must be {LEARNED!r}, to learn up to {BYTE_PAIRS:,} byte pairs, or a folder of"
        f" lmcourse train or lmcourse data prepare, got {str(folder)!r}"
    )
