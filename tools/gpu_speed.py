"""How fast: attention in torch's backends, training steps and generation beside peers. For gpu.py.

Milliseconds are medians by the clock, with the device waited for; memory is the highest that was
taken while it ran.
"""

import importlib.util
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from gpu_checks import Checks, NotHereError, Setup
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from lmcourse.attention import attention, causal_mask
from lmcourse.generation import generate
from lmcourse.gpt import GPT, GPTConfig

WHOLE = {"vocab_size": 50304, "context_length": 1024, "d_model": 768, "n_heads": 12, "n_layers": 12}
SMALL = {"vocab_size": 256, "context_length": 64, "d_model": 64, "n_heads": 4, "n_layers": 2}
BACKENDS = {
    "math": SDPBackend.MATH,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
}
COMPILING = 60.0  # seconds that may pass until a compiled model has made its steps
NO_KERNEL = ("No available kernel", "No viable backend")


def sizes(setup: Setup) -> dict[str, int]:
    return SMALL if setup.small else WHOLE


def wait(device: str) -> None:
    """Until the device has done what it was asked for."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device.startswith("mps"):
        torch.mps.synchronize()


def measure(work: Callable[[], object], device: str, n_rounds: int = 10) -> dict[str, Any]:
    """The median of the milliseconds, after the first call, which is told too, and the memory."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    start = time.perf_counter()
    work()
    wait(device)
    first, rounds = time.perf_counter() - start, []
    for _ in range(n_rounds):
        start = time.perf_counter()
        work()
        wait(device)
        rounds.append(time.perf_counter() - start)
    found = {"ms": 1e3 * statistics.median(rounds), "first_ms": 1e3 * first}
    if device.startswith("cuda"):
        found["memory_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
    return found


@contextmanager
def products(kind: str) -> Iterator[None]:
    """Those of float32 with TF32 or without; backward passes need it as well."""
    torch.set_float32_matmul_precision("high" if kind == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


def autocast(kind: str, device: str) -> AbstractContextManager:
    """Products in bfloat16 for bf16; nothing else."""
    if kind != "bf16":
        return nullcontext()
    return torch.autocast(torch.device(device).type, torch.bfloat16)


def check_products(kind: str, setup: Setup) -> None:
    """Raises NotHereError for TF32 where nothing multiplies in it."""
    is_new = (
        setup.device.startswith("cuda") and torch.cuda.get_device_capability(setup.device)[0] >= 8
    )
    if kind == "tf32" and not is_new:
        raise NotHereError("TF32 is for NVIDIA's GPUs from Ampere on")


@contextmanager
def unless_not_here() -> Iterator[None]:
    """NotHereError where torch has no such kernel, or the device too little memory."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise NotHereError("the device has too little memory") from None
    except RuntimeError as error:
        if any(words in str(error) for words in NO_KERNEL):
            raise NotHereError("torch has no such kernel for this device and these sizes") from None
        raise


# ---------------------------------------------------------------- attention


def attention_backends(setup: Setup) -> Checks:
    """Forward and backward over T, causal, in bfloat16; `attention` gives its weights as well."""
    warnings.simplefilter("ignore")  # why torch does not choose a backend
    n_heads, d_head, n_tokens = (4, 16, 512) if setup.small else (12, 64, 16384)
    lengths = (64, 128) if setup.small else (256, 512, 1024, 2048, 4096, 8192)
    for n in lengths:
        shape = (max(1, n_tokens // n), n_heads, n, d_head)
        for name in ("ours", *BACKENDS):
            yield f"T={n}, {name}", lambda name=name, shape=shape: _attended(name, shape, setup)


def _attended(name: str, shape: tuple[int, ...], setup: Setup) -> dict:
    torch.manual_seed(0)
    query, key, value = (
        torch.randn(shape, dtype=torch.bfloat16, device=setup.device, requires_grad=True)
        for _ in range(3)
    )
    mask = causal_mask(shape[2], setup.device)

    def forward() -> Tensor:
        if name == "ours":
            return attention(query, key, value, mask)[0]
        with sdpa_kernel(BACKENDS[name]):
            return F.scaled_dot_product_attention(query, key, value, is_causal=True)

    def step() -> None:
        forward().sum().backward()

    with unless_not_here():
        first = forward().detach()
    # One text in float32, written out: what the kernels must give, but for rounding.
    expected, _ = attention(*(x[:1, :, :256].float() for x in (query, key, value)),
                            causal_mask(min(256, shape[2]), setup.device))  # fmt: skip
    gap = (first[:1, :, :256].float() - expected).abs().max() / expected.abs().max()
    with unless_not_here():
        found = measure(step, setup.device, 3 if setup.small else 10)
    return {"ok": gap.item() < 0.03, "gap": gap.item(), "at_most": 0.03, **found}


# ---------------------------------------------------------------- a plain GPT, to compare with


class PlainBlock(nn.Module):
    """As it is usually written: one projection, torch's attention, a feed-forward network."""

    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(2))
        self.inputs, self.output = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)
        self.up, self.down = nn.Linear(d_model, 4 * d_model), nn.Linear(4 * d_model, d_model)

    def forward(self, x: Tensor, cache: list[Tensor] | None) -> Tensor:
        heads = self.inputs(self.norms[0](x)).chunk(3, -1)
        query, key, value = (x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for x in heads)
        if cache is not None:
            if cache:
                key, value = (torch.cat(pair, 2) for pair in zip(cache, (key, value), strict=True))
            cache[:] = key, value
        values = F.scaled_dot_product_attention(query, key, value, is_causal=query.shape[2] > 1)
        x = x + self.output(values.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norms[1](x))))


class PlainGPT(nn.Module):
    """GPT-2's sizes and parts, with nothing that need not be."""

    def __init__(
        self, vocab_size: int, context_length: int, d_model: int, n_heads: int, n_layers: int
    ):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.places = nn.Embedding(context_length, d_model)
        self.blocks = nn.ModuleList(PlainBlock(d_model, n_heads) for _ in range(n_layers))
        self.norm, self.head = nn.LayerNorm(d_model), nn.Linear(d_model, vocab_size, bias=False)
        self.head.weight = self.tokens.weight

    def forward(
        self, ids: Tensor, caches: list[list[Tensor]] | None = None, start: int = 0
    ) -> Tensor:
        places = torch.arange(start, start + ids.shape[1], device=ids.device)
        x = self.tokens(ids) + self.places(places)
        for i, block in enumerate(self.blocks):
            x = block(x, caches[i] if caches else None)
        return self.head(self.norm(x))

    @torch.inference_mode()
    def write(self, ids: Tensor, n_tokens: int) -> Tensor:
        """The likeliest ids, one by one."""
        caches, new = [[] for _ in self.blocks], ids
        for _ in range(n_tokens):
            logits = self(new, caches, ids.shape[1] - new.shape[1])
            new = logits[:, -1:].argmax(-1)
            ids = torch.cat([ids, new], 1)
        return ids


def models(setup: Setup) -> dict[str, Callable[[], nn.Module]]:
    """By name: what makes each of the three, of the same sizes, in float32."""
    found: dict[str, Callable[[], nn.Module]] = {
        "ours": lambda: GPT(GPTConfig(**sizes(setup))),
        "plain": lambda: PlainGPT(**sizes(setup)),
        "transformers": lambda: _transformers(sizes(setup)),
    }

    def on_device(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        def make() -> nn.Module:
            torch.manual_seed(0)
            return build().to(setup.device)

        return make

    return {name: on_device(build) for name, build in found.items()}


def _transformers(sizes: dict[str, int]) -> nn.Module:
    if importlib.util.find_spec("transformers") is None:
        raise NotHereError("transformers must be there to compare with")
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=sizes["vocab_size"], n_positions=sizes["context_length"],
        n_embd=sizes["d_model"], n_layer=sizes["n_layers"], n_head=sizes["n_heads"],
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


# ---------------------------------------------------------------- writing


def writing(setup: Setup) -> Checks:
    """Tokens a second, one text, the likeliest ids, with the cache."""
    warnings.simplefilter("ignore")
    for dtype in (torch.float32, torch.bfloat16):
        for name, build in models(setup).items():
            label = f"{name}, {str(dtype).removeprefix('torch.')}"
            yield label, lambda n=name, b=build, d=dtype: _written(n, b().to(d).eval(), setup)


def _written(name: str, model: nn.Module, setup: Setup) -> dict:
    n_new = 16 if setup.small else 256
    prompt = torch.arange(16, device=setup.device)[None]

    def write() -> Tensor:
        if name == "ours":
            return generate(model, prompt, n_new, temperature=0)
        if name == "plain":
            return model.write(prompt, n_new)
        return model.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=n_new, do_sample=False,
            pad_token_id=0,
        )  # fmt: skip

    found = measure(write, setup.device, 1 if setup.small else 3)
    is_whole = write().shape[1] == prompt.shape[1] + n_new
    return {"ok": is_whole, "tokens_per_second": 1e3 * n_new / found["ms"], **found}


# ---------------------------------------------------------------- training steps


def steps(setup: Setup) -> Checks:
    """Forward, backward, clipping, AdamW: the same loop around all three; compiled ones last."""
    warnings.simplefilter("ignore")
    every, end = models(setup), time.monotonic() + setup.seconds
    for kind in ("fp32", "tf32", "bf16"):
        for name, build in every.items():
            yield f"{name}, {kind}", lambda b=build, k=kind: _stepped(b, k, setup, compiled=False)
    # Compiling takes half a minute: first what is asked for most, and no start that is cut off.
    order = [(name, "bf16") for name in every] + [("ours", "tf32"), ("ours", "fp32")]
    for name, kind in order:
        yield (
            f"{name}, {kind}, compiled",
            lambda b=every[name], k=kind: _compiled(b, k, setup, end),
        )


def _compiled(
    build: Callable[[], nn.Module], kind: str, setup: Setup, end: float
) -> dict[str, Any]:
    if time.monotonic() + COMPILING > end:
        raise NotHereError("too little time is left to compile")
    return _stepped(build, kind, setup, compiled=True)


def _stepped(build: Callable[[], nn.Module], kind: str, setup: Setup, *, compiled: bool) -> dict:
    check_products(kind, setup)
    torch.compiler.reset()  # what was compiled before keeps its model, and its memory
    model, batch_size = build().train(), 2 if setup.small else 8
    # Small runs compile without a C++ compiler: the graph is made, and run as it is.
    backend = "aot_eager" if setup.small else "inductor"
    call = torch.compile(model, backend=backend) if compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    torch.manual_seed(1)
    high, n = sizes(setup)["vocab_size"], sizes(setup)["context_length"]
    ids = torch.randint(high, (batch_size, n + 1)).to(setup.device)
    losses = []

    def step() -> None:
        optimizer.zero_grad()
        with products(kind):
            with autocast(kind, setup.device):
                output = call(ids[:, :-1])
                logits = output if isinstance(output, Tensor) else output.logits
                loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
            loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.detach())

    found = measure(step, setup.device, 3 if setup.small else 10)
    found |= {"backend": backend} if compiled else {}
    learned = bool(losses[-1] < losses[0]) and bool(losses[-1].isfinite())
    tokens = batch_size * n
    return {"ok": learned, "tokens_per_second": 1e3 * tokens / found["ms"], **found}
