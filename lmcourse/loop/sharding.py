"""A model of which each process holds a part of every weight, and of the optimizer's averages.

Chapter: book/pretraining.md
"""

import math
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmcourse.checkpoints import named_weights
from lmcourse.loop import distributed


class Part(NamedTuple):
    """What this process holds of a tensor: some of its rows, one after the other.

    Args:
        rows: they themselves; all there are of a tensor that is not in parts.
        start: the index of the first one.
        shape: of the whole tensor.
    """

    rows: Tensor
    start: int
    shape: tuple[int, ...]


def shard(model: nn.Module, device: torch.device) -> None:
    """Leaves to each process its rows of every weight; alone it does nothing.

    A block is put together when it is called, and taken apart after it; what is in no block stays
    whole from the first call to the end of `backward()`. Blocks are what stands in a `ModuleList`
    of the model: every process must call the same ones in the same order. All processes begin with
    the weights of the first.

    Raises:
        ValueError: two weights share memory otherwise than as one parameter, which would come
            apart; or this version of torch cannot do it.

    Reference: Zhao et al. (2023), https://arxiv.org/abs/2304.11277; torch's fully_shard.
    """
    if distributed.n_processes() == 1 or is_sharded(model):
        return
    from torch.distributed import broadcast, fsdp
    from torch.distributed.device_mesh import init_device_mesh

    if not hasattr(getattr(fsdp, "FSDPModule", None), "set_reduce_scatter_unused_params"):
        raise ValueError(
            f"torch must be 2.13 or later to train in shards, got {torch.__version__}: install it,"
            " or train without --sharded"
        )
    _check_ties(model)
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            broadcast(tensor, src=0)
    # It warns of every model whose last layer is linear; nobody changes its output in place here.
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor")
    mesh = init_device_mesh(device.type, (distributed.n_processes(),))
    for block in _blocks(model):
        fsdp.fully_shard(block, mesh=mesh)
    fsdp.fully_shard(model, mesh=mesh)
    for unit in _units(model):
        # Or processes that used other parameters would add up what does not belong together.
        unit.set_reduce_scatter_unused_params(True)
    usage_of(model)


def is_sharded(model: nn.Module) -> bool:
    """Whether `shard` has taken the model apart."""
    fsdp = sys.modules.get("torch.distributed.fsdp")  # takes long to import, and few need it
    return fsdp is not None and isinstance(model, fsdp.FSDPModule)


def take_apart(model: nn.Module) -> None:
    """What a call without `backward()` has left together is in parts again."""
    for unit in _units(model):
        unit.reshard()


def part(tensor: Tensor) -> Part:
    """What this process holds of the tensor; it shares the memory."""
    tensor = tensor.detach()
    if not hasattr(tensor, "to_local"):
        return Part(tensor, 0, tuple(tensor.shape))
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    where = tensor.shape, tensor.device_mesh, tensor.placements
    _, offset = compute_local_shape_and_global_offset(*where)
    return Part(tensor.to_local(), offset[0], tuple(tensor.shape))


def weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights and buffers by name, each once, in parts or not; see `named_weights`."""
    if not is_sharded(model):
        return named_weights(model)
    take_apart(model)
    found = {name: each.detach() for name, each in model.named_parameters()}
    taken = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    state = {name: x for name, x in model.state_dict().items() if name not in taken}
    return found | state


def whole_weights(model: nn.Module) -> dict[str, Tensor]:
    """The same put together, on the CPU of the first process; empty in the others.

    All processes must call it. One weight at a time is whole on the others.
    """
    if not is_sharded(model):
        return named_weights(model)
    whole = {}
    for name, weight in weights(model).items():
        rows = _gather(weight) if hasattr(weight, "to_local") else weight
        if distributed.rank() == 0:
            whole[name] = rows.to("cpu", copy=True)
    return whole


def _gather(tensor: Tensor) -> Tensor:
    """The whole of a tensor, in every process."""
    rows, n = part(tensor).rows, distributed.n_processes()
    # The last processes have fewer rows, or none, and what travels must be of one size.
    most = -(-tensor.shape[0] // n)
    padded = rows.new_zeros(most, *tensor.shape[1:])
    padded[: len(rows)] = rows
    everyone = [torch.empty_like(padded) for _ in range(n)]
    torch.distributed.all_gather(everyone, padded)
    return torch.cat(everyone)[: tensor.shape[0]]


def clip_shards(parameters: Iterable[Tensor], max_norm: float) -> Float[Tensor, ""]:
    """`clip_gradients` for gradients of which each process holds a part."""
    parts = [part(each.grad).rows for each in parameters if each.grad is not None]
    squares = sum(float(x.double().square().sum()) for x in parts)
    norm = math.sqrt(distributed.all_reduce_sum([squares])[0])
    for x in parts:
        x.mul_(min(max_norm / norm, 1.0) if norm else 1.0)
    return torch.tensor(norm)


class Usage:
    """Which parameters this process has used: those that `backward()` gave a gradient.

    A gradient that was put together is zero, and not None, also where no process had any. But a
    parameter that nobody used must stay as it is, and not shrink by its weight decay.
    """

    def __init__(self, model: nn.Module):
        self._used: set[str] = set()
        self._known: set[int] = set()
        self.names = [name for name, _ in model.named_parameters()]
        for prefix, unit in _named_units(model):
            unit.register_forward_pre_hook(self._watch(f"{prefix}." if prefix else ""))

    def _watch(self, prefix: str) -> Callable[..., None]:
        # A parameter put together is another object than its part, first there at a call, and
        # the same one at each call.
        def watch(unit: nn.Module, inputs: Any) -> None:
            for name, parameter in unit.named_parameters():
                if not hasattr(parameter, "to_local") and id(parameter) not in self._known:
                    self._known.add(id(parameter))
                    if parameter.requires_grad:
                        note = self._noting(prefix + name)
                        parameter.register_post_accumulate_grad_hook(note)

        return watch

    def _noting(self, name: str) -> Callable[[Tensor], None]:
        return lambda parameter: self._used.add(name)

    def forget(self) -> None:
        """Begins anew."""
        self._used.clear()

    def flags(self) -> list[float]:
        """For each parameter of the model 1 if it was used, or 0."""
        return [float(name in self._used) for name in self.names]


_usages: "weakref.WeakKeyDictionary[nn.Module, Usage]" = weakref.WeakKeyDictionary()


def usage_of(model: nn.Module) -> Usage:
    """What watches a model in shards: the same object at each call."""
    if model not in _usages:
        _usages[model] = Usage(model)
    return _usages[model]


def _check_ties(model: nn.Module) -> None:
    as_one = {name for name, _ in model.named_parameters()}
    kept = named_weights(model).keys()
    for name, _ in model.named_parameters(remove_duplicate=False):
        if name in as_one and name not in kept:
            raise ValueError(
                "weights that share memory must be one parameter to train in shards, got"
                f" {name}, which lies in another: write a.weight = b.weight"
            )


def _blocks(model: nn.Module) -> list[nn.Module]:
    """The members of the outermost lists: a list in a block may hold what not all call."""
    found, inside = [], set()
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and not any(name.startswith(x) for x in inside):
            inside.add(f"{name}." if name else "")
            found += list(module)
    return found


def _named_units(model: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, each) for name, each in model.named_modules() if is_sharded(each))


def _units(model: nn.Module) -> Iterator[Any]:
    return (each for _, each in _named_units(model))
