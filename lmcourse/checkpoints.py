"""Checkpoints: a model's weights in a file, which holds numbers and never code.

Chapter: book/training.md
"""

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


def save(model: nn.Module, path: str | Path, notes: Mapping[str, str] | None = None) -> None:
    """Writes the weights of `model` to `path`, a file in the safetensors format.

    The file appears only when it is whole: a process that dies while it writes leaves the last one.
    Weights that share their memory, such as a tied head, are written once.

    Args:
        notes: what else to remember, as text; `read_notes` gives it back.

    Reference: https://huggingface.co/docs/safetensors. A pickle, what torch.save writes, can run
        any code when it is read; this cannot.
    """
    save_tensors(_weights(model), path, notes)


def save_tensors(
    tensors: Mapping[str, Tensor], path: str | Path, notes: Mapping[str, str] | None = None
) -> None:
    """Writes tensors by name, as `save` does the weights of a model.

    Raises:
        OSError: the file could not be written, and why; a file that was there is still whole.
    """
    path = Path(path)
    written = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        written.touch()
        rights = written.stat().st_mode  # the usual ones; safetensors' are for the owner alone
        save_file(whole, written, metadata=dict(notes or {}))
        written.chmod(rights)
        with written.open("rb") as file:
            os.fsync(file.fileno())  # on the disk before it takes the name of the last one
        os.replace(written, path)
    except (OSError, SafetensorError) as error:
        kept = "; the last one is still whole" if path.exists() else ""
        raise OSError(f"{path} could not be written: {_reason(error)}{kept}") from error
    finally:
        written.unlink(missing_ok=True)


def load_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors that `save_tensors` wrote, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint.
    """
    with _opened(Path(path)) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def load(model: nn.Module, path: str | Path) -> None:
    """Reads the weights that `save` wrote into `model`, all of them or none.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint, or of another model: the first weight that is
            missing, unknown or of another shape is named.
    """
    own, found = _weights(model), load_tensors(path)
    for name in sorted(own.keys() | found.keys()):
        _check(name, own.get(name), found.get(name), path)
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(found[name])


def read_notes(path: str | Path) -> dict[str, str]:
    """The notes that were given to `save`."""
    with _opened(Path(path)) as file:
        return dict(file.metadata() or {})


def _weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights and buffers by name; of several names for one tensor only the first."""
    found: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        found.setdefault(id(tensor), (name, tensor.detach()))
    return dict(found.values())


def _opened(path: Path) -> safe_open:
    if not path.is_file():
        raise FileNotFoundError(f"path must be a checkpoint, got path={str(path)!r}: no such file")
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise ValueError(
            f"path must be a safetensors file, got path={str(path)!r}: {error}"
        ) from error


def _reason(error: Exception) -> str:
    # safetensors tells of a full disk in words alone: "… No space left on device (os error 28)".
    told = re.search(r"os error (\d+)", str(error))
    code = int(told[1]) if told else getattr(error, "errno", None)
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "the disk is full, free some space"
    return str(error) or type(error).__name__


def _check(name: str, own: Tensor | None, found: Tensor | None, path: str | Path) -> None:
    if found is None:
        raise ValueError(f"{path} must hold every weight of the model, {name} is missing")
    if own is None:
        raise ValueError(f"{path} must hold weights of the model alone, it has no {name}")
    if own.shape != found.shape:
        raise ValueError(
            f"{name} must have the shape {tuple(own.shape)} of the model, "
            f"got {tuple(found.shape)} in {path}: it was saved by a model of another size"
        )
