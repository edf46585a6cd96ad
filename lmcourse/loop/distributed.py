"""Several processes that train one model: which one this is, and what they add up.

Chapter: book/training.md
"""

import atexit
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

_PATIENCE = 10.0  # seconds


def rank() -> int:
    """The number of this process, 0 to `n_processes()` − 1, as torchrun gave it; 0 if alone."""
    return int(os.environ.get("RANK", 0))


def n_processes() -> int:
    """How many processes torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", 1))


def let_the_first_speak() -> None:
    """Waits, in all processes but the first, before a message that all of them would give.

    As soon as the first has said it and ended, torchrun ends the others. Who is still there had
    something of its own to say.
    """
    if rank() > 0:
        time.sleep(_PATIENCE)


def run_id() -> str | None:
    """The same in all processes of one torchrun, also after a restart; None if it has no name."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "none")  # torchrun's own word for none
    return None if name == "none" else name


@contextmanager
def naming_lost_processes() -> Iterator[None]:
    """Whoever cannot reach another process says so, and not how the connection ended.

    Raises:
        ConnectionError: another process is gone.
    """
    try:
        yield
    except RuntimeError as error:
        told_by_gloo = "/gloo/" in str(error)  # its errors have no class of their own
        if n_processes() > 1 and (told_by_gloo or isinstance(error, distributed.DistError)):
            raise ConnectionError(
                "another process of this training was lost, so this one ends: the last save is"
                " whole, go on with --resume, or train with --max-restarts"
            ) from error
        raise


def launch(n: int, arguments: Sequence[str], max_restarts: int = 0) -> int:
    """Runs `lmcourse` with these arguments in n processes that work as one; gives its exit code.

    It is torchrun on this machine, without the report that torchrun adds to what a process said.

    Args:
        max_restarts: how often all processes begin again after one of them was lost.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.disable(logging.ERROR)  # of this process, which does nothing but wait for the others
    # Where all parameters are used, torch says that looking for others was for nothing.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    start = ["--standalone", f"--nproc-per-node={n}", f"--max-restarts={max_restarts}"]
    try:
        run.run(run.parse_args([*start, "-m", "lmcourse", *arguments]))
    except ChildFailedError as error:
        return error.get_first_failure()[1].exitcode
    except SignalException as stopped:
        return 128 + int(stopped.sigval)
    return 0


def local_device(device: torch.device) -> torch.device:
    """The device of this process: of several GPUs its own, otherwise `device` itself."""
    if device.type == "cuda" and device.index is None and n_processes() > 1:
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return device


def initialize() -> None:
    """Lets the processes of torchrun talk, from now to their end; alone it does nothing."""
    # Left and joined again, they would read the addresses of the first time, and wait for ever.
    if n_processes() > 1 and not distributed.is_initialized():
        distributed.init_process_group(backend=_backend(), **_meeting_place())
        atexit.register(distributed.destroy_process_group)


def _meeting_place() -> dict[str, Any]:
    """Where processes that begin again find each other, and none of those that were lost.

    torchrun keeps its store, and in it the addresses of before: who reads one waits for nobody, and
    gives up. On one machine all know how often they began; on several it must be told to make a
    new one each time, by TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1.
    """
    n_restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    is_kept = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    on_one_machine = os.environ.get("LOCAL_WORLD_SIZE") == str(n_processes())
    if n_restarts == "0" or not is_kept or not on_one_machine:
        return {}
    store, place, size = next(distributed.rendezvous("env://"))
    fresh = distributed.PrefixStore(f"start {n_restarts}", store)
    return {"store": fresh, "rank": place, "world_size": size}


def _backend() -> str:
    # Numbers are added up on the CPU, gradients where they are.
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"


def data_parallel(module: nn.Module, device: torch.device) -> nn.Module:
    """The module, but the gradients of `backward()` become the mean over all processes.

    Its first process gives its weights to the others. Alone it is the module itself. A parameter
    that no process used has no gradient, as when alone.
    """
    if n_processes() == 1:
        return module
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(module, device_ids=devices, find_unused_parameters=True)


def all_reduce_sum(numbers: Sequence[float]) -> list[float]:
    """The sums over all processes, the same in each of them."""
    if n_processes() == 1:
        return list(numbers)
    sums = torch.tensor(numbers, dtype=torch.float64)
    distributed.all_reduce(sums)
    return sums.tolist()


def barrier() -> None:
    """Goes on when every process has come here."""
    all_reduce_sum([0.0])
