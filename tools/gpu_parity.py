"""Device beside CPU: every model's values and gradients, metrics and optimizers. For tools/gpu.py.

In float32 with TF32 off the two differ by the order of their sums alone. All differences are told
relative to the largest number on the CPU.
"""

import copy
from collections.abc import Callable
from functools import partial

import torch
from gpu_checks import Check, Checks, Setup
from torch import Tensor, nn

from lmcourse import attention as attentions
from lmcourse import evaluation, metrics, optimization
from lmcourse.applications.classification import MeanClassifier, TransformerClassifier
from lmcourse.efficient_attention import GroupedQueryAttention, flash_attention, fused_attention
from lmcourse.gpt import GPT, GPT_TINY, GPTConfig
from lmcourse.positions import alibi_bias
from lmcourse.recurrent import GRU, LSTM, RNN, RecurrentClassifier, RecurrentLM
from lmcourse.transformer import Transformer, TransformerConfig

VALUES = 1e-4  # in float32
GRADIENTS = 1e-3  # in float32, of the largest gradient of the model
BFLOAT16 = 0.06  # in bfloat16, which rounds each number by up to 1/256, beside float32

V, C, H, N_LAYERS, B, T = 97, 48, 4, 2, 3, 23
LLAMA = GPTConfig(
    vocab_size=V, context_length=T, d_model=C, n_heads=H, n_kv_heads=2, n_layers=N_LAYERS,
    norm="rms", feed_forward="swiglu", positions="rotary", tied_head=False,
)  # fmt: skip
GPT2 = GPTConfig(vocab_size=V, context_length=T, d_model=C, n_heads=H, n_layers=N_LAYERS)


def strict() -> None:
    """Products in float32 as on the CPU, without TF32."""
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest number that was expected."""
    found, expected = found.detach().cpu().double(), expected.detach().cpu().double()
    if found.shape != expected.shape or not found.isfinite().all():
        raise ValueError(f"found must be finite numbers of shape {tuple(expected.shape)}")
    return ((found - expected).abs().max() / expected.abs().max().clamp_min(1e-12)).item()


def ids(*shape: int, high: int = V) -> Tensor:
    return torch.randint(high, shape)


def some_models() -> dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple]]]:
    """By name: what makes the model, and what makes its inputs, on the CPU."""
    real = attentions.padding_mask(torch.tensor([T, 5, 11]), T)  # (B, 1, T)
    row = real[:, 0]

    def transformer(norm_first: bool) -> Transformer:
        return Transformer(TransformerConfig(
            source_vocab_size=V, target_vocab_size=V, context_length=T, d_model=C, n_heads=H,
            n_layers=N_LAYERS, norm_first=norm_first,
        ))  # fmt: skip

    found = {
        "GPT-2": (lambda: GPT(GPT2), lambda: (ids(B, T),)),
        "GPT-2, padded": (lambda: GPT(GPT2), lambda: (ids(B, T), None, row.flip(1))),
        "Llama": (lambda: GPT(LLAMA), lambda: (ids(B, T),)),
        "Llama, padded": (lambda: GPT(LLAMA), lambda: (ids(B, T), None, row.flip(1))),
        "Transformer": (lambda: transformer(True), lambda: (ids(B, T), ids(B, T), real)),
        "Transformer, post-norm": (
            lambda: transformer(False), lambda: (ids(B, T), ids(B, 9), real),
        ),
        "TransformerClassifier": (
            lambda: TransformerClassifier(V, 3, C, H, N_LAYERS), lambda: (ids(B, T), row),
        ),
        "MeanClassifier": (lambda: MeanClassifier(V, 3, C), lambda: (ids(B, T), row)),
        "MultiHeadAttention": (
            lambda: attentions.MultiHeadAttention(C, H),
            lambda: (torch.randn(B, T, C), None, attentions.causal_mask(T) & real),
        ),
        "GroupedQueryAttention": (
            lambda: GroupedQueryAttention(C, H, 2), lambda: (torch.randn(B, T, C), real),
        ),
        "GroupedQueryAttention, a window": (
            lambda: GroupedQueryAttention(C, H, 2, window=5, n_sinks=1),
            lambda: (torch.randn(B, T, C), real),
        ),
        "AdditiveAttention": (
            lambda: attentions.AdditiveAttention(C, C, 11),
            lambda: (torch.randn(B, 7, C), torch.randn(B, T, C), torch.randn(B, T, 5), real),
        ),
    }  # fmt: skip
    for kind in (RNN, LSTM, GRU):
        found[f"RecurrentLM, {kind.__name__}"] = (
            lambda kind=kind: RecurrentLM(V, kind(C, 31, n_layers=2)),
            lambda: (ids(B, T), None, row),
        )
        found[f"RecurrentClassifier, {kind.__name__}, both ways"] = (
            lambda kind=kind: RecurrentClassifier(V, 3, kind(C, 31, bidirectional=True)),
            lambda: (ids(B, T), row),
        )
    return found


def models(setup: Setup) -> Checks:
    """Each model in float32, and its values in bfloat16."""
    strict()
    for name, (build, inputs) in some_models().items():
        yield name, _model_check(build, inputs, setup.device)


def _model_check(build: Callable, inputs: Callable, device: str) -> Check:
    def check() -> dict:
        torch.manual_seed(0)
        ours = build().eval()
        given = inputs()
        there = copy.deepcopy(ours).to(device)
        moved = tuple(None if x is None else x.to(device) for x in given)
        expected, found = _first(ours(*given)), _first(there(*moved))
        direction = torch.randn(expected.shape)
        (expected * direction).sum().backward()
        (found * direction.to(device)).sum().backward()
        with torch.no_grad(), torch.autocast(torch.device(device).type, torch.bfloat16):
            rounded = _first(there(*moved))
        values, in_bf16 = difference(found, expected), difference(rounded, expected)
        gradients = _gradient_difference(there, ours)
        return {
            "ok": values <= VALUES and gradients <= GRADIENTS and in_bf16 <= BFLOAT16,
            "values": values, "values_at_most": VALUES,
            "gradients": gradients, "gradients_at_most": GRADIENTS,
            "bf16": in_bf16, "bf16_at_most": BFLOAT16,
        }  # fmt: skip

    return check


def _first(output: Tensor | tuple) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


def _gradient_difference(found: nn.Module, expected: nn.Module) -> float:
    pairs = [
        (a.grad.cpu(), b.grad)
        for a, b in zip(found.parameters(), expected.parameters(), strict=True)
        if b.grad is not None
    ]
    largest = max(b.abs().max() for _, b in pairs)
    return max(((a - b).abs().max() / largest).item() for a, b in pairs)


# ---------------------------------------------------------------- metrics, optimizers, kernels


def functions(setup: Setup) -> Checks:
    """What is called with tensors: on the device it gives what it gives on the CPU."""
    strict()
    torch.manual_seed(0)
    for name, call in _calls().items():
        yield name, lambda call=call: _same_number(call, setup.device)
    kinds = {name: getattr(optimization, name) for name in ("SGD", "Adam", "AdamW")}
    kinds |= {"Muon": partial(optimization.Muon, dtype=torch.float32)}
    for name, kind in kinds.items():
        yield name, lambda kind=kind: _same_number(_descent(kind), setup.device)
    for kernel in ("causal", "grouped", "masked"):
        yield f"fused_attention, {kernel}", lambda k=kernel: _fused(k, setup.device)


def _calls() -> dict[str, Callable[[str], float]]:
    """By name: a function of the device that gives a number."""
    model = GPT(GPT_TINY).eval()
    text, probs, scores = ids(300, high=256), torch.rand(200), torch.randn(50)
    right, heads = torch.rand(200) < probs, torch.randn(3, H, 300, 16)
    guesses = ids(200, high=3), ids(200, high=3)
    return {
        "perplexity": lambda d: metrics.perplexity(copy.deepcopy(model).to(d), text.to(d), 64),
        "entropy": lambda d: metrics.entropy(probs.to(d)).item(),
        "accuracy": lambda d: metrics.accuracy(*(x.to(d) for x in guesses)),
        "calibration_error": lambda d: metrics.calibration_error(probs.to(d), right.to(d)),
        "bootstrap_interval": lambda d: evaluation.bootstrap_interval(scores.to(d))[0],
        "reliability": lambda d: evaluation.reliability(probs.to(d), right.to(d))[4][0],
        "flash_attention": lambda d: flash_attention(*heads.to(d), causal=True).norm().item(),
        "alibi_bias": lambda d: (alibi_bias(4, 9).to(d) * scores[:1].to(d)).sum().item(),
    }


def _same_number(call: Callable[[str], float], device: str) -> dict:
    here, there = call("cpu"), call(device)
    gap = abs(here - there) / max(abs(here), 1e-12)
    return {"ok": gap <= VALUES, "cpu": here, "device": there, "gap": gap, "at_most": VALUES}


def _descent(kind: Callable) -> Callable[[str], float]:
    """Ten clipped steps down a bowl."""
    torch.manual_seed(0)
    start, slope = torch.randn(7, 5), torch.rand(7, 5)

    def call(device: str) -> float:
        weight = start.to(device, copy=True).requires_grad_()
        optimizer = kind([weight], learning_rate=0.05)
        for _ in range(10):
            optimizer.zero_grad()
            (slope.to(device) * weight**2).sum().backward()
            optimization.clip_gradients([weight], 1.0)
            optimizer.step()
        return weight.norm().item()

    return call


def _fused(kernel: str, device: str) -> dict:
    """The fused kernel beside `attention` on the CPU, which writes out every step."""
    query, key, value = torch.randn(3, B, H, T, 16)
    mask, rule = attentions.causal_mask(T), {"causal": True}
    if kernel == "grouped":
        key, value = key[:, :2], value[:, :2]
    if kernel == "masked":
        mask = attentions.padding_mask(torch.tensor([T, 5, 11]), T)[:, None]
        rule = {"mask": mask.to(device)}
    repeat = H // key.shape[1]
    keys, values = (x.repeat_interleave(repeat, 1) for x in (key, value))
    expected, _ = attentions.attention(query, keys, values, mask)
    found = fused_attention(query.to(device), key.to(device), value.to(device), **rule)
    gap = difference(found, expected)
    return {"ok": gap <= VALUES, "values": gap, "at_most": VALUES}
