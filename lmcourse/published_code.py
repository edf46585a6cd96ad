"""Faults of programs in print, to be planted one by one, and the checks that find them.

Chapter: book/published_code.md
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from lmcourse.attention import causal_mask
from lmcourse.neurons import cross_entropy
from lmcourse.transformer import FeedForward

VOCAB_SIZE, D_MODEL, N_HEADS, MAX_LENGTH = 29, 12, 3, 16  # sizes that cannot be taken for another


@dataclass(frozen=True)
class Fault:
    """A fault of a program in print."""

    number: str  # K1 to K15, as the chapter counts the programs
    told: str  # what is wrong
    check: str  # the name in `CHECKS` of the check that is there for it


FAULTS = {
    "probabilities": Fault("K1", "a softmax stands before a loss that has one", "logits"),
    "keyword": Fault("K2", "an argument has another name", "runs"),
    "linear": Fault("K2", "ids go into a layer for vectors", "runs"),
    "batch axis": Fault("K2", "attention runs along the batch", "items"),
    "no positions": Fault("K2", "nothing says where a word stands", "order"),
    "bare": Fault("K2", "no network, residual or norm", "network"),
    "no network": Fault("K2", "the same with residual and norm kept", "network"),
    "unused": Fault("K2", "a parameter takes no part", "parameters"),
    "no scale": Fault("K5", "scores are not divided", "attention"),
    "added mask": Fault("K5", "a mask of 0 and 1 is added", "attention"),
    "wide heads": Fault("K6", "each head is as wide as the model", "width"),
    "no mask": Fault("K7", "words see what comes after them", "future"),
    "column": Fault("K8", "positions are added to the batch axis", "runs"),
    "no head": Fault("K9", "hidden numbers in place of logits", "shape"),
    "no limit": Fault("K13", "a text that is too long is not refused", "length"),
}
PRINTED = {  # what a program has all at once
    "B": ("keyword", "batch axis", "linear", "no positions", "no mask", "bare", "unused"),
    "C": ("column", "no head", "no mask", "wide heads", "no scale", "added mask", "no limit"),
}


class PlantedTransformer(nn.Module):
    """A causal Transformer for next tokens, right unless faults are planted in it.

    Args:
        n_heads: must divide d_model.
        faults: names in `FAULTS`; all names of `PRINTED["C"]` make the program C of the chapter.

    Reference: without faults equal to nn.TransformerEncoder with norm_first=False and a causal
        mask, between an embedding and a head.
    """

    def __init__(
        self,
        n_heads: int = N_HEADS,
        faults: Collection[str] = (),
        *,
        vocab_size: int = VOCAB_SIZE,
        d_model: int = D_MODEL,
        n_layers: int = 2,
        max_length: int = MAX_LENGTH,
    ):
        super().__init__()
        unknown = sorted(set(faults) - set(FAULTS))
        if unknown:
            raise ValueError(f"faults must be among {', '.join(FAULTS)}, got {unknown[0]!r}")
        self.faults, self.max_length = frozenset(faults), max_length
        table = nn.Linear if "linear" in faults else nn.Embedding
        self.embedding = table(vocab_size, d_model)
        self.positions = nn.Embedding(max_length, d_model)
        n_layers = 1 if "bare" in faults else n_layers
        self.blocks = nn.ModuleList(_Block(d_model, n_heads, self.faults) for _ in range(n_layers))
        self.head = nn.Linear(d_model, vocab_size)
        if "unused" in faults:
            self.scale = nn.Parameter(torch.ones(n_heads))
        for fault, part in (("no positions", "positions"), ("no head", "head")):
            if fault in faults:
                delattr(self, part)

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "..."]:
        x, n = self.embedding(ids), ids.shape[1]
        if n > self.max_length and "no limit" not in self.faults:
            raise ValueError(f"ids must have at most {self.max_length} positions, got {n}")
        if "no positions" not in self.faults:
            places = torch.arange(n, device=ids.device)
            x = x + self.positions(places[:, None] if "column" in self.faults else places)
        for block in self.blocks:
            x = block(x)
        x = x if "no head" in self.faults else self.head(x)
        return x.softmax(-1) if "probabilities" in self.faults else x

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """The attention of its blocks, for whom wants to compare it."""
        return attend(query, key, value, mask, self.faults)


class _Block(nn.Module):
    """Attention and a network, each with norm(x + sublayer(x)), as in the first Transformer."""

    def __init__(self, d_model: int, n_heads: int, faults: frozenset[str]):
        super().__init__()
        if "keyword" in faults:  # the name that was printed
            nn.MultiheadAttention(embedding_dim=d_model, num_heads=n_heads)  # type: ignore
        self.n_heads, self.faults = n_heads, faults
        inner = n_heads * (d_model if "wide heads" in faults else d_model // n_heads)
        self.projection = nn.Linear(d_model, 3 * inner)
        self.output = nn.Linear(inner, d_model)
        n_norms = 0 if "bare" in faults else 1 if "no network" in faults else 2
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(n_norms))
        if n_norms == 2:
            self.network = FeedForward(d_model)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        attended = self.output(self._attend(x))
        if "bare" in self.faults:
            return attended
        x = self.norms[0](x + attended)
        return x if "no network" in self.faults else self.norms[1](x + self.network(x))

    def _attend(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T D"]:
        parts = self.projection(x)
        if "batch axis" in self.faults:
            parts = parts.transpose(0, 1)
        heads = parts.unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        mask = None if "no mask" in self.faults else causal_mask(parts.shape[1], x.device)
        mixed = attend(*heads, mask, self.faults).transpose(1, 2).flatten(2)
        return mixed.transpose(0, 1) if "batch axis" in self.faults else mixed


def attend(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch S D"],
    value: Float[Tensor, "*batch S E"],
    mask: Shaped[Tensor, "..."] | None = None,
    faults: Collection[str] = (),
) -> Float[Tensor, "*batch T E"]:
    """softmax(query keyᵀ / √D) value, where the mask is True; or as it was printed.

    Args:
        faults: "no scale" and "added mask" count, others do not.
    """
    scores = query @ key.mT
    if "no scale" not in faults:
        scores = scores / math.sqrt(query.shape[-1])
    if mask is not None and "added mask" in faults:
        scores = scores + mask
    elif mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(-1) @ value


# ---------------------------------------------------------------- instruments


@torch.no_grad()
def influence(
    model: Callable[[Tensor], Tensor],
    inputs: Shaped[Tensor, "B T *rest"],
    others: Shaped[Tensor, "B T *rest"],
) -> Float[Tensor, "B T B T"]:
    """How far the output at (b, t) moves if the input at (c, s) is replaced: [b, t, c, s].

    Args:
        model: gives outputs of shape (B, T, …).
        others: what to put in the place of each input; it must differ from it.

    Example:
        >>> running_mean = lambda x: x.cumsum(1) / torch.arange(1, 4)
        >>> influence(running_mean, torch.zeros(1, 3), torch.ones(1, 3))[0, :, 0].round(decimals=2)
        tensor([[1.0000, 0.0000, 0.0000],
                [0.5000, 0.5000, 0.0000],
                [0.3300, 0.3300, 0.3300]])
    """
    before = model(inputs)
    batch, length = inputs.shape[:2]
    if before.shape[:2] != (batch, length):
        rule = f"model must give an output for each of {batch} × {length} inputs"
        raise ValueError(f"{rule}, got the shape {tuple(before.shape)}")
    moved = torch.zeros(batch, length, batch, length)
    for item in range(batch):
        for place in range(length):
            changed = inputs.clone()
            changed[item, place] = others[item, place]
            distance = (model(changed) - before).abs().reshape(batch, length, -1)
            moved[:, :, item, place] = distance.amax(-1)
    return moved


def unused_parameters(model: nn.Module, ids: Int[Tensor, "B T"]) -> list[str]:
    """The names of the parameters that no output depends on."""
    model.zero_grad()
    model(ids).square().sum().backward()
    return [name for name, weight in model.named_parameters() if weight.grad is None]


def loss_floor(n_classes: int, top_probability: float = 1.0) -> float:
    """The least cross-entropy in nats where probabilities are taken for logits.

    The surest answer, probability 1, is then a logit of 1 among zeros: −log(e / (e + n − 1)) where
    it is right. It is the best if the likeliest class leads by more than (e − 1) / (e + n − 1).

    Args:
        top_probability: how often the likeliest class comes, as a mean over the text.

    Example:
        >>> f"{loss_floor(50_000):.2f} {loss_floor(50_000, 0.4):.2f}"
        '9.82 10.42'
    """
    return math.log1p((n_classes - 1) / math.e) + 1 - top_probability


# ---------------------------------------------------------------- checks

Make = Callable[[int], nn.Module]  # from the number of heads to a model, with the sizes above


def _fail_unless(holds: bool | Tensor, words: str) -> None:
    if not holds:
        raise AssertionError(words)


def _random_ids(*shape: int) -> Int[Tensor, "B T"]:
    return torch.randint(VOCAB_SIZE, shape, generator=torch.Generator().manual_seed(1))


def _influence(make: Make, batch: int, length: int) -> Float[Tensor, "B T B T"]:
    ids = _random_ids(batch, length)
    return influence(make(N_HEADS).eval(), ids, (ids + 1) % VOCAB_SIZE)


def check_runs(make: Make) -> None:
    """It reads ids, in a batch of any size."""
    for shape in ((1, 5), (2, 5), (5, 5)):
        make(N_HEADS)(_random_ids(*shape))


def check_shape(make: Make) -> None:
    """It gives a number for each token of the vocabulary, at each place."""
    for shape in ((1, 5), (3, 7)):
        out, wanted = make(N_HEADS)(_random_ids(*shape)), (*shape, VOCAB_SIZE)
        _fail_unless(out.shape == wanted, f"wanted the shape {wanted}, got {tuple(out.shape)}")


def check_logits(make: Make) -> None:
    """These numbers are logits, not yet probabilities."""
    out = make(N_HEADS)(_random_ids(3, 7))
    are_probs = out.min() >= 0 and (out.sum(-1) - 1).abs().max() < 1e-5
    _fail_unless(not are_probs, "the outputs add up to 1: probabilities, no logits")


def check_items(make: Make) -> None:
    """What stands in one text of a batch has no influence on another."""
    moved = _influence(make, 3, 5)
    across = moved.amax((1, 3))[~torch.eye(3, dtype=torch.bool)].max()
    _fail_unless(across < 1e-5, f"a word of one text moves another text by {across:.2g}")


def check_future(make: Make) -> None:
    """What comes later has no influence."""
    later = _influence(make, 1, 6)[0, :, 0].triu(1).max()
    _fail_unless(later < 1e-5, f"a later word moves an earlier output by {later:.2g}")


def check_past(make: Make) -> None:
    """What came before has an influence."""
    least = _influence(make, 1, 6)[0, :, 0][causal_mask(6)].min()
    _fail_unless(least > 1e-6, "an earlier word moves nothing")


def check_order(make: Make) -> None:
    """The same word six times has six different outputs. Not for rotary positions."""
    with torch.no_grad():
        out = make(N_HEADS).eval()(torch.full((1, 6), 7))[0]
    first, second = torch.triu_indices(6, 6, 1)
    least = (out[first] - out[second]).abs().amax(-1).min()
    _fail_unless(least > 1e-4, "two places are the same to it")


def check_network(make: Make) -> None:
    """A word halfway between two others is no average of them, even with the norms taken out."""
    model = make(N_HEADS).eval()
    for part in model.modules():
        if type(part).__name__.endswith("Norm"):  # norms bend, too
            part.register_forward_hook(lambda _, inputs, output: inputs[0])
    table = next(model.parameters())
    with torch.no_grad():
        table *= 10 / table.std()  # so far from zero that activations bend
        table[2] = (table[0] + table[1]) / 2
    first, second, between = model(torch.tensor([[0], [1], [2]]))
    bend = (between - (first + second) / 2).abs().max() / (first - second).abs().max()
    _fail_unless(bend > 1e-5, "outputs are straight lines of the input: no network inside")


def check_parameters(make: Make) -> None:
    """Every parameter takes part."""
    names = unused_parameters(make(N_HEADS), _random_ids(2, 5))
    _fail_unless(not names, f"no output depends on {', '.join(names)}")


def check_attention(make: Make) -> None:
    """Its attention is PyTorch's, with a mask and without. Models without `attend` pass."""
    attend = getattr(make(N_HEADS), "attend", None)
    if attend is None:
        return
    query, key, value = torch.randn(3, 2, 5, 8, generator=torch.Generator().manual_seed(2))
    for mask in (None, causal_mask(5)):
        wanted = nn.functional.scaled_dot_product_attention(query, key, value, mask)
        distance = (attend(query, key, value, mask) - wanted).abs().max()
        told = "without a mask" if mask is None else "with a mask"
        _fail_unless(distance < 1e-5, f"attention {told} is off by {distance:.2g}")


def check_width(make: Make) -> None:
    """More heads share the width of the model; they do not add to its parameters."""
    few, many = (sum(weight.numel() for weight in make(n).parameters()) for n in (1, N_HEADS))
    _fail_unless(many - few <= N_HEADS, f"one head: {few:,} parameters, {N_HEADS} heads: {many:,}")


def check_length(make: Make) -> None:
    """A text that is too long is refused in words."""
    try:
        make(N_HEADS)(_random_ids(1, MAX_LENGTH + 1))
    except ValueError as error:
        _fail_unless(str(MAX_LENGTH) in str(error), f"the message lacks the limit: {error}")
        return
    raise AssertionError("a text beyond the last position was read")


CHECKS: dict[str, Callable[[Make], None]] = {
    check.__name__.removeprefix("check_"): check for check in (
        check_runs, check_shape, check_logits, check_items, check_future, check_past, check_order,
        check_network, check_parameters, check_attention, check_width, check_length,
    )
}  # fmt: skip


def verdicts(make: Make, seed: int = 0) -> dict[str, str]:
    """What each check says of the models that `make` makes: "" if it passes."""
    found = {}
    for name, check in CHECKS.items():
        torch.manual_seed(seed)
        try:
            check(make)
            found[name] = ""
        except AssertionError as error:
            found[name] = str(error)
        except Exception as error:  # a program that stops has not passed, whatever stopped it
            found[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return found


# ---------------------------------------------------------------- a text that is half chance

CHAIN_TOP = 0.75 + 0.25 / 8  # how often a letter of `chain` is one further


def chain(n_texts: int, n: int, generator: torch.Generator) -> Int[Tensor, "B T"]:
    """Texts of eight letters: the next is one further with probability ¾, or any of the eight."""
    is_next = torch.rand(n_texts, n, generator=generator) < 0.75
    ids = torch.randint(8, (n_texts, n), generator=generator)
    for place in range(1, n):
        ids[:, place] = torch.where(is_next[:, place], (ids[:, place - 1] + 1) % 8, ids[:, place])
    return ids


def chain_entropy() -> float:
    """The entropy of a letter of `chain` after its predecessor, in nats."""
    other = 0.25 / 8
    return -CHAIN_TOP * math.log(CHAIN_TOP) - 7 * other * math.log(other)


def learn_chain(
    faults: Collection[str], seed: int, n_steps: int = 200, lr: float = 0.01
) -> tuple[nn.Module, list[float]]:
    """A model with these faults after training on `chain`, and its loss at each step."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = PlantedTransformer(4, faults, vocab_size=8, d_model=16, max_length=10)
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=lr), []
    for _ in range(n_steps):
        ids = chain(32, 11, generator)
        loss = cross_entropy(model(ids[:, :-1]), ids[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses
