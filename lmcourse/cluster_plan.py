"""A training on many processors, on paper: memory, operations, messages, hours and money.

Chapter: book/pretraining.md
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lmcourse.gpt import GPTConfig, count_parameters, forward_flops

Number = float | int


@dataclass(frozen=True, kw_only=True)
class Processor:
    """What a data sheet and a bill say of one GPU.

    Args:
        memory: bytes.
        flops: operations a second at best, in the numbers that products are computed in.
        bandwidth: bytes a second that it can send to others.
        price: of an hour.
    """

    memory: Number
    flops: Number
    bandwidth: Number
    price: Number


def state_bytes(n_parameters: int) -> dict[str, int]:
    """What a training with Adam keeps of a model between two steps, in 32 bits.

    Sixteen bytes a parameter, as long as nobody else keeps a part of it.

    Example:
        >>> sum(state_bytes(1_000_000_000).values())
        16000000000
    """
    return {
        "weights": 4 * n_parameters,
        "gradients": 4 * n_parameters,
        "Adam's two averages": 8 * n_parameters,
    }


def activation_bytes(
    config: GPTConfig, n_tokens: int, bytes_per_number: int = 4, store_all: bool = True
) -> int:
    """What the forward pass of a `GPT` and its loss keep for the backward pass.

    In each block a token leaves what went into both norms and came out, queries, keys and values,
    what attention gave, and the hidden numbers before and after their activation: 8 d_model +
    2 d_ff, and a few more. With fused attention there is no map of n² weights among them.

    Args:
        n_tokens: in all sequences that are read at once.
        store_all: otherwise the input of each block alone is kept, the rest of one block at a time
            is computed again: "checkpointing" of activations.
    """
    parts = ("norm", "feed_forward", "positions", "n_kv_heads", "dropout")
    if [getattr(config, part) for part in parts] != ["layer", "gelu", "learned", None, 0.0]:
        got = ", ".join(f"{part}={getattr(config, part)!r}" for part in parts)
        raise ValueError(f"config must have the parts of GPT-2 and no dropout, got {got}")
    d_ff = config.d_ff or 4 * config.d_model
    # A norm keeps a mean and a deviation as well, attention a number for each head.
    block = 8 * config.d_model + 2 * d_ff + config.n_heads + 4
    ends = 2 * config.d_model + 2 + config.vocab_size
    blocks = config.n_layers * block if store_all else config.n_layers * config.d_model + block
    return n_tokens * bytes_per_number * (blocks + ends)


def training_flops(config: GPTConfig, n_tokens: Number) -> float:
    """The operations of all products of a training: three times those of the forward pass.

    It is about 6 N D, and what attention adds.
    """
    return 3 * forward_flops(config, config.context_length) * n_tokens / config.context_length


def ring_all_reduce(
    numbers: Sequence[Float[Tensor, "N"]],
) -> tuple[list[Float[Tensor, "N"]], list[int]]:
    """The sum of all processes' numbers in each of them, and how many numbers each has sent.

    The processes stand in a ring, and each cuts its numbers into as many pieces as there are
    processes. In a first round a piece goes once around, and everybody adds their own to it; in a
    second one the sums go around.

    Reference: Patarasuk and Yuan (2009), section 4, https://doi.org/10.1016/j.jpdc.2008.09.002

    Example:
        >>> sums, sent = ring_all_reduce([torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0])])
        >>> sums[0].tolist(), sent
        ([11.0, 22.0], [2, 2])
    """
    n = len(numbers)
    if not n or len({each.shape for each in numbers}) > 1:
        raise ValueError(f"all must have as many numbers, got {[len(each) for each in numbers]}")
    pieces = [list(each.clone().tensor_split(n)) for each in numbers]
    sent = [0] * n
    for added in (True, False):
        for turn in range(n - 1):
            # All send at the same time, so what is sent is what stood there before.
            messages = []
            for process in range(n):
                index = (process - turn + (not added)) % n
                messages.append((process, index, pieces[process][index].clone()))
            for process, index, message in messages:
                neighbor = (process + 1) % n
                here = pieces[neighbor][index]
                pieces[neighbor][index] = here + message if added else message
                sent[process] += len(message)
    return [torch.cat(each) for each in pieces], sent


def all_reduce_bytes(n_bytes: Number, n_processes: int) -> float:
    """What each of so many processes sends, until all have the sum of what each holds.

    It is almost twice the message, however many they are.
    """
    return 2 * (n_processes - 1) / n_processes * n_bytes


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a training will take, by `plan`.

    Args:
        n_parameters: of the model.
        flops: of the whole training.
        state, shared_state: bytes on each GPU, if each keeps all and if each keeps its part.
        activations: bytes on each GPU for its micro-batch.
        n_steps: of the optimizer.
        step_compute, step_messages: seconds of a step, if neither waits for the other.
        hours: of the whole training, if messages travel while products are computed.
        cost: for all GPUs.
    """

    n_parameters: int
    flops: float
    state: float
    shared_state: float
    activations: float
    n_steps: int
    step_compute: float
    step_messages: float
    hours: float
    cost: float


def plan(
    config: GPTConfig,
    n_tokens: Number,
    *,
    gpu: Processor,
    n_gpus: int,
    batch_tokens: int,
    micro_batch: int = 1,
    utilization: Number = 0.4,
    bytes_per_number: int = 2,
) -> Plan:
    """What it takes to train a model on so many tokens with every GPU reading its own part.

    Args:
        batch_tokens: of all GPUs, in one step of the optimizer.
        micro_batch: sequences that a GPU reads at once; the rest of its part it accumulates.
        utilization: the share of the data sheet's operations that is reached.
        bytes_per_number: of activations and of gradients on their way; 2 for bfloat16.
    """
    least = n_gpus * micro_batch * config.context_length
    if batch_tokens < least:
        raise ValueError(
            f"batch_tokens must be at least {least}, one micro-batch for each GPU,"
            f" got batch_tokens={batch_tokens}"
        )
    if not 0 < utilization <= 1:
        raise ValueError(f"utilization must be above 0 and at most 1, got {utilization}")
    n_parameters = count_parameters(config)
    state = sum(state_bytes(n_parameters).values())
    speed = n_gpus * gpu.flops * utilization
    n_steps = math.ceil(n_tokens / batch_tokens)
    compute = training_flops(config, batch_tokens) / speed
    messages = all_reduce_bytes(bytes_per_number * n_parameters, n_gpus) / gpu.bandwidth
    hours = n_steps * max(compute, messages) / 3600
    return Plan(
        n_parameters=n_parameters,
        flops=training_flops(config, n_tokens),
        state=float(state),
        shared_state=state / n_gpus,
        activations=float(
            activation_bytes(config, micro_batch * config.context_length, bytes_per_number)
        ),
        n_steps=n_steps,
        step_compute=compute,
        step_messages=messages,
        hours=hours,
        cost=hours * n_gpus * gpu.price,
    )
