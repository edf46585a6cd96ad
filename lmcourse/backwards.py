"""Words to write backwards: a small Transformer's task, and who learns it how soon.

Chapter: book/transformer.md
"""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from lmcourse.attention import padding_mask
from lmcourse.devices import default_device
from lmcourse.kept_runs import KeptRuns
from lmcourse.neurons import check_counts, cross_entropy
from lmcourse.transformer import Transformer, TransformerConfig, shift_right

LETTERS = "abcdefgh"
START, END, PADDING = 8, 9, 10
LONGEST = 6
LENGTHS = tuple(range(2, LONGEST + 1))

Words = tuple[Int[Tensor, "B S"], Int[Tensor, "B T"], Int[Tensor, "B"]]
# What becomes of the memory and its mask before the decoder looks at them.
Summary = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]


def words(batch_size: int, generator: torch.Generator) -> Words:
    """Words of two to six letters, the same backwards with an end sign, and their lengths."""
    check_counts(batch_size=batch_size)
    letters = torch.randint(len(LETTERS), (batch_size, LONGEST), generator=generator)
    lengths = torch.randint(2, LONGEST + 1, (batch_size,), generator=generator)
    place, n = torch.arange(LONGEST + 1), lengths[:, None]
    source = letters.masked_fill(place[:-1] >= n, PADDING)
    backwards = letters.gather(1, (n - 1 - place).clamp(min=0))
    target = backwards.masked_fill(place >= n, PADDING).masked_fill(place == n, END)
    return source, target, lengths


def spell(ids: Int[Tensor, "T"]) -> str:
    """The ids as text: `>` starts, `.` ends, `-` is padding."""
    return "".join((LETTERS + ">.-")[i] for i in ids.tolist())


def new_model(seed: int) -> Transformer:
    """One block on each side, on the fastest device."""
    torch.manual_seed(seed)
    config = TransformerConfig(
        source_vocab_size=11, target_vocab_size=11, context_length=8,
        d_model=32, n_heads=4, n_layers=1,
    )  # fmt: skip
    return Transformer(config).to(default_device())


def one_vector(
    memory: Float[Tensor, "B S C"], mask: Bool[Tensor, "B 1 S"]
) -> tuple[Float[Tensor, "B 1 C"], None]:
    """The mean of the vectors of the letters, which then needs no mask."""
    return (mask.float() / mask.sum(-1, keepdim=True)) @ memory, None


def _read(
    model: Transformer, source: Tensor, lengths: Tensor, summary: Summary | None
) -> tuple[Tensor, Tensor | None]:
    mask = padding_mask(lengths, source.shape[1])
    memory = model.encode(source, mask)
    return (memory, mask) if summary is None else summary(memory, mask)


def train(
    model: Transformer, n_steps: int, seed: int, summary: Summary | None = None
) -> list[float]:
    """The loss at each step of training with teacher forcing, on new words each time."""
    generator, device = torch.Generator().manual_seed(seed), default_device()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    losses = []
    for _ in range(n_steps):
        source, target, lengths = (part.to(device) for part in words(32, generator))
        memory, mask = _read(model, source, lengths, summary)
        logits = model.decode(shift_right(target, START), memory, mask)
        real = target != PADDING
        loss = cross_entropy(logits[real], target[real])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def write(
    model: Transformer,
    memory: Float[Tensor, "B S C"],
    mask: Bool[Tensor, "B 1 S"] | None = None,
) -> Int[Tensor, "B T"]:
    """The likeliest token, again and again, for as long as the longest word needs."""
    written = torch.full((len(memory), 1), START, device=memory.device)
    for _ in range(LONGEST + 1):
        newest = model.decode(written, memory, mask)[:, -1:].argmax(-1)
        written = torch.cat([written, newest], 1)
    return written[:, 1:]


def _right(written: Tensor, target: Tensor) -> Bool[Tensor, "B"]:
    return ((written == target) | (target == PADDING)).all(1)


@torch.no_grad()
def share_by_length(
    model: Transformer, seed: int, summary: Summary | None = None, n_words: int = 2000
) -> list[float]:
    """Of new words of each of `LENGTHS`, how many are written without a mistake."""
    generator, device = torch.Generator().manual_seed(seed + 1000), default_device()
    source, target, lengths = (part.to(device) for part in words(n_words, generator))
    right = _right(write(model, *_read(model, source, lengths, summary)), target)
    return [right[lengths == n].float().mean().item() for n in LENGTHS]


@torch.no_grad()
def foreign_memories(model: Transformer, seed: int, n_words: int = 500) -> dict[str, float]:
    """How often a word comes out backwards from vectors that were made in another word.

    "own, 4" and "own, 6": from its own memory. "cut": four letters, from the first four vectors of
    a word of six. "swapped": six letters, the first four vectors from a word of six that goes on
    with other letters. The letters and their places are right in all of them; what differs was
    written into the vectors by the encoder.
    """
    generator, device = torch.Generator().manual_seed(seed + 2000), default_device()
    six = torch.randint(len(LETTERS), (n_words, LONGEST), generator=generator).to(device)
    other = torch.randint(len(LETTERS), (n_words, 2), generator=generator).to(device)
    memory = model.encode(six)
    elsewhere = model.encode(torch.cat([six[:, :4], other], 1))
    swapped = torch.cat([elsewhere[:, :4], memory[:, 4:]], 1)
    found = {}
    for name, n, given in (
        ("own, 4", 4, model.encode(six[:, :4])),
        ("cut", 4, memory[:, :4]),
        ("own, 6", 6, memory),
        ("swapped", 6, swapped),
    ):
        target = F.pad(F.pad(six[:, :n].flip(1), (0, 1), value=END), (0, 6 - n), value=PADDING)
        found[name] = _right(write(model, given), target).float().mean().item()
    return found


@torch.no_grad()
def cross_weights(
    model: Transformer, source: Int[Tensor, "B S"], target: Int[Tensor, "B T"], lengths: Tensor
) -> Float[Tensor, "B H T S"]:
    """What each head of the first decoder block looks at while the target is written."""
    seen, device = [], default_device()
    handle = model.decoder[0].cross_attention.register_forward_hook(
        lambda module, given, result: seen.append(result[1])
    )
    mask = padding_mask(lengths, source.shape[1]).to(device)
    model(source.to(device), shift_right(target, START).to(device), mask)
    handle.remove()
    return seen[0].cpu()


def weight_on_the_letter(model: Transformer, seed: int, n: int) -> tuple[float, float]:
    """Of words of n letters: the weight on the letter to be written, and how often it leads.

    The weight is the mean over the heads.
    """
    generator = torch.Generator().manual_seed(seed + 1000)
    source, target, lengths = words(2000, generator)
    chosen = lengths == n
    weights = cross_weights(model, source[chosen], target[chosen], lengths[chosen]).mean(1)
    rows, letter = torch.arange(n), n - 1 - torch.arange(n)
    leads = weights[:, :n].argmax(-1) == letter
    return weights[:, rows, letter].mean().item(), leads.float().mean().item()


# ---------------------------------------------------------------- the comparison, stored

N_SEEDS = 5
STUDY: dict[str, tuple[Summary | None, tuple[int, ...]]] = {
    "all vectors": (None, (300, 1000)),
    "one vector": (one_vector, (300, 1000)),
}


def measure(folder: Path, seed: int) -> dict[str, float]:
    """Who writes words of which length after how many steps, from five seeds on.

    A run that is in `folder` already is taken from there.
    """
    runs, numbers = KeptRuns(folder / "runs.json"), {}
    wanted = [
        (name, summary, n_steps, each)
        for name, (summary, steps) in STUDY.items()
        for n_steps in steps
        for each in range(N_SEEDS)
    ]
    wanted.sort(key=lambda run: run[2])  # the short ones first
    for name, summary, n_steps, each in tqdm(wanted, desc="backwards"):

        def measured(summary=summary, n_steps=n_steps, each=each) -> dict[str, float]:
            model = new_model(seed + each)
            train(model, n_steps, seed + each, summary)
            shares = share_by_length(model, seed + each, summary)
            found = {f"{n} letters": share for n, share in zip(LENGTHS, shares, strict=True)}
            if summary is None:
                found |= foreign_memories(model, seed + each)
                for n in LENGTHS:
                    weight, leads = weight_on_the_letter(model, seed + each, n)
                    found |= {f"weight, {n} letters": weight, f"leads, {n} letters": leads}
            return found

        key = f"{name}, {n_steps} steps, seed {each}"
        for what, value in runs.get(f"{key}, from {seed}", measured).items():
            numbers[f"{key}, {what}"] = value
    return numbers


def seeds_of(numbers: dict[str, float], name: str, n_steps: int, what: str) -> list[float]:
    """What each seed has, in a result of `measure`."""
    return [numbers[f"{name}, {n_steps} steps, seed {seed}, {what}"] for seed in range(N_SEEDS)]
