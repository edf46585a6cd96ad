"""Fine-tuning: a trained model and a new head; all is trained, or the head, or low-rank changes.

Chapter: book/finetuning.md
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lmcourse.bert import BERT
from lmcourse.checkpoints import load_tensors, read_metadata, save_tensors
from lmcourse.gpt import GPT
from lmcourse.quantization import QuantizedLinear, linears, replace

# ---------------------------------------------------------------- a new head


class Classifier(nn.Module):
    """A class for each text: a linear layer on one vector of a language model, its body.

    GPT's vector is that of the last real id, which alone has seen all of them; BERT's is that of
    the first, [CLS].

    Example:
        >>> from lmcourse.gpt import GPT_TINY
        >>> Classifier(GPT(GPT_TINY), n_classes=2)(torch.tensor([[72, 105, 33]])).shape
        torch.Size([1, 2])

    Reference: Radford et al. (2018), section 3.2,
        https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf;
        Devlin et al. (2019), section 4.1, https://arxiv.org/abs/1810.04805
    """

    def __init__(self, body: GPT | BERT, n_classes: int, dropout: float = 0.0):
        super().__init__()
        if n_classes < 2:
            raise ValueError(f"n_classes must be at least 2, got n_classes={n_classes}")
        _check_dropout(dropout)
        self.body, self.dropout = body, nn.Dropout(dropout)
        self.head = small_head(body, n_classes)

    def forward(
        self, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B n_classes"]:
        return self.head(self.dropout(self.features(ids, mask)))

    def features(
        self, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B C"]:
        """The vector of each text that the head reads.

        Args:
            mask: True where an id is real, at least once in each text.
        """
        x = self.body.encode(ids, mask=mask)
        return x[:, 0] if isinstance(self.body, BERT) else last_real(x, mask)


def small_head(body: GPT | BERT, n_outputs: int) -> nn.Linear:
    """A layer on top of a body, whose outputs are near 0 at first.

    So all classes are about as likely, and the body is not torn about.
    """
    head = nn.Linear(body.config.d_model, n_outputs)
    nn.init.normal_(head.weight, std=0.02)
    nn.init.zeros_(head.bias)
    return head.to(body.embedding)


def last_real(x: Float[Tensor, "B T C"], mask: Bool[Tensor, "B T"] | None) -> Float[Tensor, "B C"]:
    """The vector of the last real id of each text, the only one that has seen all of them.

    Args:
        mask: True where an id is real, at least once in each text; None if all are.
    """
    if mask is None:
        return x[:, -1]
    if not mask.any(1).all():
        raise ValueError("mask must be True at least once in each text, got a text without")
    last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(1)
    return x[torch.arange(len(x), device=x.device), last]


def train_head_alone(model: Classifier) -> None:
    """Freezes the body; gradients go to the head."""
    model.body.requires_grad_(False)
    model.head.requires_grad_(True)


def n_trained(model: nn.Module) -> int:
    """How many parameters get a gradient."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@runtime_checkable
class HasState(Protocol):
    """An optimizer, of torch or of ours."""

    def state_dict(self) -> dict[str, Any]:
        """What it remembers."""


def optimizer_bytes(optimizer: HasState) -> int:
    """The memory of what an optimizer remembers of its parameters, once it has made a step.

    Numbers that are no tensors, such as a count of steps, are left out, and so are tensors that
    hold one number.
    """

    def tensors(content: Any) -> Iterator[Tensor]:
        if isinstance(content, Tensor):
            yield content
        elif isinstance(content, Mapping):
            for each in content.values():
                yield from tensors(each)
        elif isinstance(content, list | tuple):
            for each in content:
                yield from tensors(each)

    held = list(tensors(optimizer.state_dict()))
    return sum(each.numel() * each.element_size() for each in held if each.numel() > 1)


# ---------------------------------------------------------------- low-rank changes


class LoRALinear(nn.Module):
    """base(x) + (alpha / rank) · x Aᵀ Bᵀ: a frozen layer, and a change of low rank to its weight.

    B begins at zero, so that at first nothing is changed; A at random, so that B has a gradient.

    Args:
        base: the layer, whose own parameters get no gradient any more.
        rank: the rows of A and the columns of B.
        alpha: how strong the change is; it is divided by the rank, which is meant to let the same
            rate suit other ranks.
        dropout: of what A reads, in training.

    Reference: Hu et al. (2022), section 4.1, https://arxiv.org/abs/2106.09685, who draw A from a
        normal distribution; we draw it as their program does, like the weight of an nn.Linear.

    Example:
        >>> layer = LoRALinear(nn.Linear(64, 256), rank=4, alpha=8)
        >>> n_trained(layer)  # 4 · (64 + 256), of 16,640
        1280
    """

    def __init__(
        self,
        base: nn.Linear | QuantizedLinear,
        rank: int,
        alpha: float | int,
        dropout: float = 0.0,
    ):
        super().__init__()
        most = min(base.in_features, base.out_features)
        if not 1 <= rank <= most:
            raise ValueError(
                f"rank must be 1 to {most}, the smaller side of the weight, got rank={rank}:"
                " a change of higher rank would be no smaller than the weight"
            )
        if not 0 < alpha < math.inf:
            raise ValueError(f"alpha must be above 0, got alpha={alpha}")
        _check_dropout(dropout)
        self.base = base.requires_grad_(False)
        self.rank, self.alpha = rank, float(alpha)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        like = base.scales if isinstance(base, QuantizedLinear) else base.weight
        self.A = nn.Parameter(torch.empty(rank, base.in_features).to(like))
        self.B = nn.Parameter(torch.zeros(base.out_features, rank).to(like))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))  # ±1/√in_features

    @property
    def scale(self) -> float:
        """alpha / rank."""
        return self.alpha / self.rank

    def forward(self, x: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch D"]:
        return self.base(x) + self.scale * (self.dropout(x) @ self.A.mT @ self.B.mT)

    def change(self) -> Float[Tensor, "rows columns"]:
        """(alpha / rank) · B A, what is added to the weight."""
        return self.scale * self.B @ self.A

    def merged(self) -> nn.Linear:
        """One linear layer that computes the same. Of a quantized base it is as large as before."""
        with torch.no_grad():
            weight, bias = self.base.weight + self.change(), self.base.bias
            layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None).to(weight)
            layer.weight.copy_(weight)
            if bias is not None:
                layer.bias.copy_(bias)
        return layer.requires_grad_(False)


def add_lora(
    model: nn.Module,
    rank: int,
    alpha: float | int | None = None,
    dropout: float = 0.0,
    where: tuple[str, ...] = ("projection",),
) -> list[str]:
    """Freezes the model, and puts a `LoRALinear` around each linear layer of a matching name.

    The model is changed in place. What is to be trained besides, such as a classifier's head, is
    not handed over: `add_lora(classifier.body, rank=4)`.

    Args:
        alpha: 2 · rank if None.
        where: ends of the names; all projections of attention and of the feed-forward networks as
            it stands, `("input_projection",)` for GPT's queries, keys and values alone.

    Returns:
        The names of the layers that have one now.
    """
    if any(isinstance(each, LoRALinear) for each in model.modules()):
        raise ValueError("model must have no LoRALinear yet: merge_lora first")
    found = dict(model.named_modules())
    names = [
        name
        for name, layer in found.items()
        if name.endswith(tuple(where)) and isinstance(layer, nn.Linear | QuantizedLinear)
    ]
    if not names:
        known = ", ".join(sorted({name.rpartition(".")[2] for name in linears(model)}))
        raise ValueError(
            f"where must name linear layers of the model, got where={where}: it has {known}"
        )
    own = linears(model)
    for name in names:
        if isinstance(found[name], nn.Linear) and name not in own:
            raise ValueError(
                f"where must leave out {name}, whose weight is another part's, too: merging would"
                " change both"
            )
    alpha = 2 * rank if alpha is None else alpha
    layers = {name: LoRALinear(found[name], rank, alpha, dropout) for name in names}
    model.requires_grad_(False)
    for name, layer in layers.items():
        replace(model, name, layer.train(model.training))
        layer.A.requires_grad_(True)
        layer.B.requires_grad_(True)
    return names


def merge_lora(model: nn.Module) -> list[str]:
    """Puts one linear layer that computes the same in the place of each `LoRALinear`; the names."""
    found = {name: each for name, each in model.named_modules() if isinstance(each, LoRALinear)}
    if not found:
        raise ValueError(f"model must have a LoRALinear, got {type(model).__name__} without")
    for name, layer in found.items():
        replace(model, name, layer.merged())
    return list(found)


# ---------------------------------------------------------------- what was trained, as a file


def save_trained(model: nn.Module, path: str | Path) -> None:
    """Writes the parameters that get a gradient: A and B, and whatever else is not frozen.

    Reference: as `checkpoints.save`, without pickle.
    """
    trained = _trained(model)
    if not trained:
        raise ValueError("model must have parameters that get a gradient, got none: add_lora first")
    save_tensors(trained, path, _alphas(model))


def load_trained(model: nn.Module, path: str | Path) -> None:
    """Reads what `save_trained` wrote into a model that was prepared in the same way, or refuses.

    Raises:
        ValueError: a parameter is missing, unknown or of another shape, or its alpha is another.
    """
    trained, found = _trained(model), load_tensors(path)
    for name in sorted(trained.keys() ^ found.keys()):
        has, lacks = ("the file", "the model") if name in found else ("the model", "the file")
        raise ValueError(
            f"{path} must hold what the model trains, got {name}, which {has} has and {lacks} does"
            " not: prepare the model as it was when it was saved, with add_lora"
        )
    for name, parameter in trained.items():
        if parameter.shape != found[name].shape:
            raise ValueError(
                f"{name} must have the shape {tuple(parameter.shape)} of the model, got"
                f" {tuple(found[name].shape)} in {path}: it was saved with another rank or width"
            )
    saved = read_metadata(path)
    for name, alpha in _alphas(model).items():
        if saved.get(name) != alpha:
            raise ValueError(
                f"{name} must be that of the model, {alpha}, got {saved.get(name)} in {path}"
            )
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(found[name])


def _trained(model: nn.Module) -> dict[str, Tensor]:
    return {name: each for name, each in model.named_parameters() if each.requires_grad}


def _alphas(model: nn.Module) -> dict[str, str]:
    found = {name: each for name, each in model.named_modules() if isinstance(each, LoRALinear)}
    return {f"alpha of {name}": repr(each.alpha) for name, each in found.items()}


def _check_dropout(dropout: float) -> None:
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got dropout={dropout}")
