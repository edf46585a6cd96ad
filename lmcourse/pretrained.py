"""A language model in a folder: what it is, its tokenizer, its weights; and the usual calls for it.

Chapter: book/published_code.md
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

import lmcourse
from lmcourse.bert import BERT
from lmcourse.checkpoints import copy_weights, load_tensors, restored, save, take_types
from lmcourse.files import replacing, write_file
from lmcourse.generation import generate
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.tokenizers import TOKENIZERS
from lmcourse.tokenizers import Tokenizer as AnyTokenizer
from lmcourse.transformers_weights import from_transformers

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"  # where the weights are too many for one file
MODELS = resources.files("lmcourse") / "models"  # those that come with the course


def save_pretrained(
    model: GPT,
    tokenizer: AnyTokenizer,
    folder: str | Path,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Writes `config.json`, `tokenizer.json` and `model.safetensors`, for `from_pretrained`.

    Weights come back in the types that they have, also in bfloat16.

    Args:
        metadata: what else `config.json` shall hold, such as what the model was trained on.
    """
    folder, text = Path(folder), _description(model, tokenizer, metadata)
    folder.mkdir(parents=True, exist_ok=True)
    save(model, folder / WEIGHTS)
    _describe(text, tokenizer, folder)


def describe(
    model: GPT, tokenizer: AnyTokenizer, folder: Path, metadata: Mapping[str, Any] | None = None
) -> None:
    """Writes what `save_pretrained` writes, but for the weights."""
    _describe(_description(model, tokenizer, metadata), tokenizer, folder)


def _describe(text: str, tokenizer: AnyTokenizer, folder: Path) -> None:
    """Each file is whole or not there, and `config.json` comes last: where it is, all is."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / TOKENIZER) as part:
        tokenizer.save(part)
    write_file(folder / CONFIG, text)


def _description(model: GPT, tokenizer: AnyTokenizer, metadata: Mapping[str, Any] | None) -> str:
    """What `config.json` will hold; refuses what could not be read again."""
    kinds = [name for name, kind in TOKENIZERS.items() if type(tokenizer) is kind]
    if not kinds:
        known = ", ".join(kind.__name__ for kind in TOKENIZERS.values())
        raise ValueError(f"tokenizer must be one of {known}, got {type(tokenizer).__name__}")
    _check_sizes(model.config, tokenizer)
    content = {"model": "GPT", "config": asdict(model.config), "tokenizer": kinds[0]}
    return (
        json.dumps(content | {"lmcourse": lmcourse.__version__} | dict(metadata or {}), indent=2)
        + "\n"
    )


def from_pretrained(folder: str | Path) -> tuple[GPT, AnyTokenizer]:
    """The model and the tokenizer that `save_pretrained` or `lmcourse train` left in a folder.

    Raises:
        FileNotFoundError: a file is missing, and which.
        ValueError: a file is not what it should be.
    """
    model, tokenizer = untrained(folder)
    path = Path(folder) / WEIGHTS
    weights = load_tensors(path)
    take_types(model, weights)
    copy_weights(model, weights, path)
    return model.eval(), tokenizer


def shipped(name: str) -> tuple[GPT, AnyTokenizer]:
    """A model that came with this version of the course, its weights in float32.

    It is the one that runs in the book's pages: `lmcourse reproduce` trained it, and
    `lmcourse export-web` rounded its weights to half precision.

    Args:
        name: "shakespeare".
    """
    known = sorted(folder.name for folder in MODELS.iterdir())
    if name not in known:
        raise ValueError(f"name must be one of {', '.join(known)}, got name={name!r}")
    with resources.as_file(MODELS / name) as folder:
        model, tokenizer = from_pretrained(folder)
    return model.float(), tokenizer


def untrained(folder: str | Path) -> tuple[GPT, AnyTokenizer]:
    """The same, but the weights as they were drawn."""
    content, path = read_config(folder), Path(folder) / CONFIG
    tokenizer = _tokenizer(folder, content)
    config = restored(GPTConfig, content.get("config"), f"{path}, config,")
    try:
        model = GPT(config)
    except ValueError as error:
        raise ValueError(f"{path} must describe a GPT, got {error}") from error
    try:
        _check_sizes(config, tokenizer)
    except ValueError as error:
        raise ValueError(
            f"{CONFIG} and {TOKENIZER} in {folder} must belong together: {error}"
        ) from error
    return model, tokenizer


def _tokenizer(folder: str | Path, content: Mapping[str, Any]) -> AnyTokenizer:
    name = content.get("tokenizer")
    if name not in TOKENIZERS:
        known = ", ".join(TOKENIZERS)
        raise ValueError(
            f"{Path(folder) / CONFIG} must name a tokenizer, one of {known}, got"
            f" tokenizer={name!r}: another version of lmcourse wrote it; use that version"
        )
    return TOKENIZERS[name].load(Path(folder) / TOKENIZER)


def _check_sizes(config: GPTConfig, tokenizer: AnyTokenizer) -> None:
    """Ids that the model lacks end in an error, and ids that the tokenizer lacks are no text."""
    if tokenizer.vocab_size != config.vocab_size:
        raise ValueError(
            "tokenizer must have as many ids as the model, got"
            f" tokenizer.vocab_size={tokenizer.vocab_size}, vocab_size={config.vocab_size}: give"
            " the tokenizer that the model was trained with"
        )


def read_config(folder: str | Path) -> dict[str, Any]:
    """What `config.json` holds."""
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"folder must hold a trained model, got folder={str(folder)!r}: no {CONFIG} in it"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must be JSON, got {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must be a JSON object, got {type(content).__name__}")
    return content


# ---------------------------------------------------------------- the calls of transformers


class Tokenizer:
    """One of our tokenizers behind the calls of transformers, with their traps.

    `encode` gives ids and nothing else. Texts of different lengths need `tokenizer(texts,
    padding=True)`, which also says which ids are real: give both to `Model.generate`.

    Reference: https://huggingface.co/docs/transformers/main_classes/tokenizer
    """

    def __init__(self, tokenizer: AnyTokenizer):
        self.tokenizer = tokenizer

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Tokenizer":
        """The tokenizer in a folder that `save_pretrained` or `lmcourse train` wrote."""
        return cls(_tokenizer(folder, read_config(folder)))

    def encode(
        self, text: str, return_tensors: str | None = None
    ) -> list[int] | Int[Tensor, "1 T"]:
        """The ids of a text; return_tensors="pt" makes a batch of one of them, for PyTorch."""
        ids = self.tokenizer.encode(text)
        return torch.tensor([ids], dtype=torch.long) if _as_tensors(return_tensors) else ids

    def __call__(
        self, texts: str | list[str], padding: bool = False, return_tensors: str | None = None
    ) -> dict[str, Any]:
        """`input_ids`, and an `attention_mask` that is 1 where an id is real.

        Args:
            padding: fills shorter texts up on the left, with id 0.
        """
        rows = [
            self.tokenizer.encode(text) for text in ([texts] if isinstance(texts, str) else texts)
        ]
        lengths = [len(row) for row in rows]
        longest = max(lengths, default=0) if padding else 0
        masks = [[0] * (longest - n) + [1] * n for n in lengths]
        rows = [[0] * (longest - len(row)) + row for row in rows]
        if not _as_tensors(return_tensors):
            return {"input_ids": rows, "attention_mask": masks}
        if len(set(map(len, rows))) > 1:
            raise ValueError(
                f"texts must have as many ids to make one tensor, got {lengths}: padding=True"
            )
        return {"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(masks)}

    def decode(
        self, ids: Iterable[int] | Int[Tensor, "T"], skip_special_tokens: bool = False
    ) -> str:
        """The text of one row of ids, with or without the names of special tokens."""
        if isinstance(ids, Tensor):
            if ids.dim() != 1:
                shape = tuple(ids.shape)
                raise ValueError(f"ids must be one row, got the shape {shape}: output[0]")
            ids = ids.tolist()
        return self.tokenizer.decode(ids, skip_special_tokens)  # type: ignore


def _as_tensors(return_tensors: str | None) -> bool:
    if return_tensors not in (None, "pt"):
        raise ValueError(
            f'return_tensors must be "pt" or None, got {return_tensors!r}: tensors are PyTorch\'s'
        )
    return return_tensors == "pt"


class Model:
    """A GPT of ours behind the calls of transformers, with their traps.

    Reference: https://huggingface.co/docs/transformers/main_classes/text_generation
    """

    def __init__(self, model: GPT):
        self.model = model

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Model":
        """The model in a folder; a name is not looked up anywhere, and no pickle is read."""
        return cls(from_pretrained(folder)[0])

    def generate(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Int[Tensor, "B T"] | None = None,
        *,
        max_length: int | None = None,
        max_new_tokens: int | None = None,
        num_return_sequences: int = 1,
        do_sample: bool = False,
        top_k: int | None = 50,
    ) -> Int[Tensor, "N L"]:
        """The prompts and what follows them, greedily unless do_sample.

        Args:
            attention_mask: 1 where an id is real; without it padding is read as text.
            max_length: counts the prompt, too.
            max_new_tokens: wins where both are given; 20 where neither is.
            num_return_sequences: so many rows for each prompt, which must be drawn.
            top_k: only so many ids may be drawn; 0 or None for all. Greedy does not ask.

        Raises:
            ValueError: nothing to write, or several texts where there can be but one.
        """
        n_new = _n_new(input_ids.shape[1], max_length, max_new_tokens)
        if num_return_sequences < 1 or (num_return_sequences > 1 and not do_sample):
            raise ValueError(
                "num_return_sequences must be 1 without do_sample=True, got"
                f" {num_return_sequences}: the likeliest text is always the same one"
            )
        ids = input_ids.repeat_interleave(num_return_sequences, 0)
        mask = None
        if attention_mask is not None:
            mask = attention_mask.repeat_interleave(num_return_sequences, 0).bool()
        temperature = 1.0 if do_sample else 0.0
        return generate(
            self.model, ids, n_new, temperature=temperature, top_k=top_k or None, mask=mask
        )


def _n_new(n: int, max_length: int | None, max_new_tokens: int | None) -> int:
    if max_new_tokens is None and max_length is None:
        return 20
    if max_new_tokens is None and max_length <= n:
        raise ValueError(
            f"max_length must be more than the {n} ids of the prompt, which it counts, got"
            f" max_length={max_length}: max_new_tokens counts new ones alone"
        )
    n_new = max_length - n if max_new_tokens is None else max_new_tokens
    if n_new < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got max_new_tokens={n_new}")
    return n_new


# ---------------------------------------------------------------- folders of transformers


def load_transformers_weights(folder: str | Path, dropout: float = 0.0) -> BERT | GPT:
    """The model that transformers' `save_pretrained` left in a folder, with the same logits.

    Nothing but the folder is read, and nothing in it is run: weights must be safetensors.

    Args:
        dropout: for training, in which a model without any would be another than theirs.

    Raises:
        FileNotFoundError: a file is missing, and which.
        ValueError: the folder holds a kind of model that we have not, see `from_transformers`.
    """
    settings, weights = read_config(folder), _foreign_weights(Path(folder))
    try:
        return from_transformers(settings, weights, dropout)
    except ValueError as error:
        raise ValueError(f"{folder} must hold a model that ours can be: {error}") from error


def _foreign_weights(folder: Path) -> dict[str, Tensor]:
    """All weights of a folder, from one file or from several with an index."""
    if (folder / WEIGHTS).is_file():
        return load_tensors(folder / WEIGHTS)
    if not (folder / INDEX).is_file():
        pickles = sorted(path.name for path in folder.glob("*.bin"))
        hint = (
            f": {pickles[0]} is a pickle, which can run any code when it is read" if pickles else ""
        )
        raise FileNotFoundError(f"{folder} must hold {WEIGHTS} or {INDEX}, got neither{hint}")
    content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    names = sorted(set(content["weight_map"].values()))
    weights: dict[str, Tensor] = {}
    for name in names:
        if Path(name).name != name:
            raise ValueError(f"{INDEX} must name files beside it, got {name!r}")
        weights |= load_tensors(folder / name)
    return weights
