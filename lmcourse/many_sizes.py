"""GPTs of many sizes on texts of many lengths, of a source whose entropy is known.

Chapter: book/pretraining.md
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from lmcourse.gpt import GPT, GPTConfig, count_parameters
from lmcourse.kept_runs import KeptRuns
from lmcourse.metrics import LanguageModel
from lmcourse.optimization import cosine_schedule

Numbers = dict[str, float]

VOCAB_SIZE = 32
CONTEXT = 16
BATCH_SIZE = 64
TOKENS_PER_STEP = BATCH_SIZE * CONTEXT
WIDTHS = (8, 12, 16, 24)
STEPS = (32, 64, 128, 256)  # a law is fitted to all but the last width and the last of these
RATES = (0.5, 1.0)  # over the width: wider models need shorter steps
SMOOTH, PAIRS = "one token", "two tokens"  # to which a die belongs
SOURCES = {SMOOTH: 0.0, PAIRS: 2.0}
N_SEEDS = 4
SEARCHED, SEARCH_SEED = 24, 100  # a width, and a seed that is used for nothing else
SMALL_TEXT = 2048  # tokens, read again and again
SMALL_TEXT_WIDTHS = (8, 16, 24)
SMALL_TEXT_STEPS = 256
_CHUNK = 256  # steps whose text is written at once
_CHECK_EVERY = 32  # steps, on the small text


class Dice:
    """A source with a loaded die for each pair of tokens: p[a, b, c] is the chance of c after a, b.

    Some tokens are rare, some pairs of tokens rarer, and the next token depends on the last one
    alone, too; so a model has something to learn early and something to learn late.

    Args:
        pair: how strongly the last two tokens together bend the die; 0 leaves a bigram.
    """

    def __init__(self, seed: int = 0, vocab_size: int = VOCAB_SIZE, pair: float = 2.0):
        generator = torch.Generator().manual_seed(seed)
        rare = -torch.arange(1, vocab_size + 1).double().log()
        by_one = torch.randn(vocab_size, vocab_size, generator=generator).double()
        by_two = torch.randn((vocab_size,) * 3, generator=generator).double()
        self.vocab_size = vocab_size
        self.p = (rare + 1.5 * by_one + pair * by_two).softmax(-1)

    def write(self, n_rows: int, n: int, generator: torch.Generator) -> Int[Tensor, "B n"]:
        """So many texts, each begun long before what is shown of it."""
        faces = self.p.cumsum(-1).flatten(0, 1)
        before = last = torch.zeros(n_rows, dtype=torch.long)
        written = []
        for rolled in torch.rand(n + 16, n_rows, 1, generator=generator, dtype=torch.float64):
            face = (faces[before * self.vocab_size + last] < rolled).sum(-1)
            before, last = last, face.clamp(max=self.vocab_size - 1)
            written.append(last)
        return torch.stack(written[16:], 1)

    def levels(self) -> Numbers:
        """The least loss of who sees nothing, one token, two tokens, in nats."""
        pairs = torch.full(self.p.shape[:2], self.vocab_size**-2.0, dtype=torch.float64)
        for _ in range(200):  # how often each pair comes, in the long run
            pairs = (pairs[..., None] * self.p).sum(0)
        both = (pairs[..., None] * self.p).sum(0)  # [b, c]
        following = both / both.sum(-1, keepdim=True)
        alone = both.sum(0)
        return {
            "unigram": -(alone * alone.log()).sum().item(),
            "bigram": -(both * following.log()).sum().item(),
            "entropy": -(pairs[..., None] * self.p * self.p.log()).sum().item(),
        }

    def above(self, model: LanguageModel, n_rows: int = 512) -> float:
        """How much more than the entropy a model pays, in nats: the mean of KL(die ‖ model).

        It is taken over texts that are the same for every model, where two tokens are seen. With
        the whole die in place of the token that came, there is no luck in it.
        """
        texts = self.write(n_rows, CONTEXT, torch.Generator().manual_seed(12_345))
        with torch.inference_mode():
            log_probs = model(texts).log_softmax(-1)[:, 1:].double()
        dice = self.p[texts[:, :-1], texts[:, 1:]]
        return (dice * (dice.log() - log_probs)).sum(-1).mean().item()


def make_model(width: int, seed: int, vocab_size: int = VOCAB_SIZE) -> GPT:
    """One block of the given width, which is enough to see two tokens at once."""
    torch.manual_seed(seed)
    return GPT(
        GPTConfig(
            vocab_size=vocab_size, context_length=CONTEXT, d_model=width, n_heads=2, n_layers=1
        )
    )


def size_of(width: int) -> int:
    """The number of parameters of `make_model(width, …)`."""
    return count_parameters(make_model(width, 0).config)


def fresh_batches(dice: Dice, n_steps: int, seed: int) -> Iterator[Int[Tensor, "B T+1"]]:
    """Batches of text that nobody has read before."""
    generator = torch.Generator().manual_seed(1000 + seed)
    for start in range(0, n_steps, _CHUNK):
        n = min(_CHUNK, n_steps - start)
        yield from dice.write(n * BATCH_SIZE, CONTEXT + 1, generator).split(BATCH_SIZE)


def same_batches(text: Int[Tensor, "N"], n_steps: int, seed: int) -> Iterator[Int[Tensor, "B T+1"]]:
    """Batches of windows that begin anywhere in one text, again and again."""
    generator = torch.Generator().manual_seed(1000 + seed)
    for _ in range(n_steps):
        starts = torch.randint(len(text) - CONTEXT, (BATCH_SIZE, 1), generator=generator)
        yield text[starts + torch.arange(CONTEXT + 1)]


def fit(
    model: GPT, batches: Iterator[Int[Tensor, "B T+1"]], n_steps: int, rate: float
) -> Iterator[float]:
    """Trains the model, a step each time the next loss is asked for.

    The rate rises for a tenth of the steps and falls on a cosine that ends with them: the end of a
    short training is no early moment of a long one.

    Args:
        rate: the highest learning rate, times the width.
    """
    rate = rate / model.config.d_model
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=0.0)
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = cosine_schedule(step, n_steps, rate, rate / 10, n_steps // 10)
        logits = model(batch[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


def learn(dice: Dice, width: int, n_steps: int, rate: float, seed: int) -> float:
    """What a model pays above the entropy that has read each token once."""
    model = make_model(width, seed, dice.vocab_size)
    for _ in fit(model, fresh_batches(dice, n_steps, seed), n_steps, rate):
        pass
    return dice.above(model)


def cram(dice: Dice, width: int, rate: float, seed: int) -> Numbers:
    """The same on a small text that is read again and again: at the end, and at its best moment."""
    written = dice.write(1, SMALL_TEXT, torch.Generator().manual_seed(2000 + seed))[0]
    model, best = make_model(width, seed, dice.vocab_size), float("inf")
    batches = same_batches(written, SMALL_TEXT_STEPS, seed)
    for step, _ in enumerate(fit(model, batches, SMALL_TEXT_STEPS, rate), 1):
        if step % _CHECK_EVERY == 0:
            above = dice.above(model)
            best = min(best, above)
    windows = written[: len(written) // CONTEXT * CONTEXT].view(-1, CONTEXT)
    with torch.inference_mode():
        logits = model(windows)[:, 1:-1]
    known = F.cross_entropy(logits.flatten(0, 1), windows[:, 2:].flatten()).item()
    return {"end": above, "best": best, "known": known}


def measure(folder: Path, seed: int) -> Numbers:
    """All sizes on all lengths of text, four seeds each, from both sources; sizes on a small text.

    The rate of each length of text is the better of two for one size, by a seed that is used for
    nothing else, and goes with one over the width.
    """
    kept, numbers = KeptRuns(folder / "runs.json"), {}
    for name, pair in SOURCES.items():
        dice = Dice(seed, pair=pair)

        def run(width: int, n: int, rate: float, each: int, name=name, dice=dice) -> float:
            return kept.get(
                f"{name}, {width} wide, {n} steps, rate {rate}, seed {each}",
                lambda: learn(dice, width, n, rate, each),
            )

        numbers |= {f"{name}, {level}": value for level, value in dice.levels().items()}
        for n in tqdm(STEPS, desc=name):
            tried = {rate: run(SEARCHED, n, rate, SEARCH_SEED) for rate in RATES}
            best = numbers[f"{name}, {n} steps, rate"] = min(RATES, key=lambda rate: tried[rate])
            for width in WIDTHS:
                for each in range(N_SEEDS):
                    found = run(width, n, best, each)
                    numbers[f"{name}, {width} wide, {n} steps, seed {each}"] = found
    # The last source has more to learn by heart.
    rate = numbers[f"{name}, {SMALL_TEXT_STEPS} steps, rate"]
    for width in tqdm(SMALL_TEXT_WIDTHS, desc="small text"):
        for each in range(N_SEEDS):
            found = kept.get(
                f"small text, {width} wide, rate {rate}, seed {each}",
                lambda w=width, s=each: cram(dice, w, rate, s),
            )
            for what, value in found.items():
                numbers[f"small text, {width} wide, seed {each}, {what}"] = value
    return numbers


def of_seeds(numbers: Numbers, width: int, n_steps: int, source: str = SMOOTH) -> list[float]:
    """What each seed pays above the entropy, in a result of `measure`."""
    name = f"{source}, {width} wide, {n_steps} steps"
    return [numbers[f"{name}, seed {seed}"] for seed in range(N_SEEDS)]


def of_small_text(numbers: Numbers, width: int, what: str) -> list[float]:
    """The same for the small text; `what` is "end", "best" or "known"."""
    return [numbers[f"small text, {width} wide, seed {seed}, {what}"] for seed in range(N_SEEDS)]
