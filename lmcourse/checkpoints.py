"""Checkpoints: a model's weights in a file, which holds numbers and never code.

Chapter: book/training.md
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lmcourse.files import reason, replacing

Fields = TypeVar("Fields")
Module = TypeVar("Module", bound=nn.Module)


def save(model: nn.Module, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Writes the weights of `model` to `path`, a file in the safetensors format.

    The file appears only when it is whole: a process that dies while it writes leaves the last one.
    Weights that share their memory, such as a tied head, are written once. A model that
    `torch.compile` made has the names that it had before, so that both can read the file.

    Args:
        metadata: what else to remember, as text; `read_metadata` gives it back.

    Reference: https://huggingface.co/docs/safetensors. A pickle, what torch.save writes, can run
        any code when it is read; this cannot.
    """
    save_tensors(named_weights(model), path, metadata)


def save_tensors(
    tensors: Mapping[str, Tensor], path: str | Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes tensors by name, as `save` does the weights of a model.

    Raises:
        OSError: the file could not be written, and why; a file that was there is still whole.
    """
    path = Path(path)
    try:
        with replacing(path) as part:
            part.touch()
            rights = part.stat().st_mode  # the usual ones; safetensors' are for the owner alone
            save_file(_apart(tensors), part, metadata=dict(metadata or {}))
            part.chmod(rights)
    except (OSError, SafetensorError) as error:
        kept = "; the last one is still whole" if path.exists() else ""
        raise OSError(f"{path} could not be written: {reason(error)}{kept}") from error


def load_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors that `save_tensors` wrote, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint.
    """
    with opened(Path(path)) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def load(model: nn.Module, path: str | Path) -> None:
    """Reads the weights that `save` wrote into `model`, all of them or none.

    The model keeps its own types: weights that were saved in bfloat16 become float32 in a model of
    float32.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint, or of another model: the first weight that is
            missing, unknown or of another shape is named.
    """
    copy_weights(model, load_tensors(path), path)


def load_or_train(model: Module, path: str | Path, train: Callable[[Module], object]) -> Module:
    """The model with the weights in the file; if there is none, as `train` leaves it, and saved."""
    if Path(path).is_file():
        load(model, path)
    else:
        train(model)
        save(model, path)
    return model


def copy_weights(model: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Copies weights by name into the model, all of them or none, and refuses as `load` does.

    Args:
        path: where they come from, for the message.
    """
    own = named_weights(model)
    found = {plain_name(name): weight for name, weight in weights.items()}
    shapes = [{name: x.shape for name, x in named.items()} for named in (own, found)]
    check_same(*shapes, path)
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(found[name])


def check_same(
    own: Mapping[str, Sequence[int]], found: Mapping[str, Sequence[int]], path: str | Path
) -> None:
    """Refuses weights that are not those of the model, by their names and shapes.

    Args:
        own: the shapes of the model's weights.
        found: those that were read from `path`.

    Raises:
        ValueError: the first weight that is missing, unknown or of another shape is named.
    """
    for name in sorted(own.keys() | found.keys()):
        if name not in found:
            raise ValueError(f"{path} must hold every weight of the model, {name} is missing")
        if name not in own:
            raise ValueError(f"{path} must hold weights of the model alone, it has no {name}")
        if tuple(own[name]) != tuple(found[name]):
            raise ValueError(
                f"{name} must have the shape {tuple(own[name])} of the model, "
                f"got {tuple(found[name])} in {path}: it was saved by a model of another size"
            )


def take_types(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Gives each parameter of the model the type that its weight has."""
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.data = parameter.data.to(weights[name].dtype)


def named_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights and buffers by name; of those that lie in the memory of another only that other.

    So a tied head is there once, however it was tied: as one object, by `.data`, as a part or the
    transpose of another. Names are those of the model before `torch.compile`.
    """
    found: dict[str, Tensor] = {}
    for name, weight in model.state_dict(keep_vars=True).items():
        if not isinstance(weight, Tensor):
            raise ValueError(
                f"model must have nothing but tensors in its state_dict, got {name}="
                f"{type(weight).__name__}: a file of weights can hold no other objects"
            )
        found[plain_name(name)] = weight.detach()
    kept: dict[Any, list[Tensor]] = {}
    names = set()
    # The larger first, since a part lies in the whole; of equal ones the first stays first.
    for name, weight in sorted(found.items(), key=lambda item: -item[1].numel()):
        others = kept.setdefault(_memory(name, weight), [])
        if not any(_is_within(weight, other) for other in others):
            others.append(weight)
            names.add(name)
    return {name: weight for name, weight in found.items() if name in names}


def restored(kind: type[Fields], content: Any, where: str) -> Fields:
    """The object of a dataclass whose fields a file holds.

    Args:
        where: the file and the place in it, for the message.

    Raises:
        ValueError: a field is missing, unknown or holds what it must not; it is named.
    """
    way_out = (
        ": another version of lmcourse wrote it; use that version, or start again in another folder"
    )
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{where} must hold the fields of {kind.__name__}, got {content!r}{way_out}"
        )
    known = {field.name: field for field in fields(kind)}
    for name in sorted(content.keys() - known.keys()):
        raise ValueError(
            f"{where} must hold no field that {kind.__name__} lacks, got"
            f" {name}={content[name]!r}{way_out}"
        )
    for name, field in known.items():
        if name not in content and field.default is MISSING:
            raise ValueError(
                f"{where} must hold every field of {kind.__name__}, {name} is missing{way_out}"
            )
    # JSON has lists only, and a field that is a sequence is a tuple.
    values = {name: tuple(x) if isinstance(x, list) else x for name, x in content.items()}
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where} must describe a {kind.__name__}, got {error}{way_out}"
        ) from error


def read_metadata(path: str | Path) -> dict[str, str]:
    """The metadata that was given to `save`."""
    with opened(Path(path)) as file:
        return dict(file.metadata() or {})


def opened(path: Path) -> Any:
    """The file of tensors at `path`, to be read piece by piece, for a `with`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint.
    """
    if not path.is_file():
        raise FileNotFoundError(f"path must be a checkpoint, got path={str(path)!r}: no such file")
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise ValueError(
            f"path must be a safetensors file, got path={str(path)!r}: {error}"
        ) from error


def plain_name(name: str) -> str:
    """The name without the parts that `torch.compile` puts in, of the model or of a part of it."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def _memory(name: str, tensor: Tensor) -> Any:
    """The same for tensors that share a piece of memory; those without memory share none."""
    place = tensor.untyped_storage().data_ptr()
    return (tensor.device, place) if place and tensor.numel() else name


def _is_within(inner: Tensor, outer: Tensor) -> bool:
    """Whether each number of `inner` is one of `outer`, two tensors in the same memory."""
    if inner.dtype != outer.dtype:
        return False
    start, first = inner.storage_offset(), outer.storage_offset()
    if _is_dense(outer):
        return first <= start and start + _reach(inner) <= first + outer.numel()
    layouts = [(x.storage_offset(), x.shape, x.stride()) for x in (inner, outer)]
    return layouts[0] == layouts[1]


def _is_dense(tensor: Tensor) -> bool:
    """Whether it fills a stretch of memory, each place once, in whatever order of its axes."""
    filled = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1:
            if stride != filled:
                return False
            filled *= size
    return True


def _reach(tensor: Tensor) -> int:
    """How many places of memory lie from its first number to its last."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    return 1 + sum((size - 1) * stride for size, stride in steps)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, none of which shares its memory with another: the format refuses that."""
    apart, taken = {}, set()
    for name, tensor in tensors.items():
        whole = tensor.detach().contiguous()
        if _memory(name, whole) in taken:
            whole = whole.clone()
        taken.add(_memory(name, whole))
        apart[name] = whole
    return apart
