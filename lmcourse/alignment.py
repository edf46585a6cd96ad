"""Alignment: a chat template, a loss on answers, a reward from preferences, DPO and GRPO.

Chapter: book/alignment.md
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lmcourse.finetuning import last_real, small_head
from lmcourse.gpt import GPT
from lmcourse.neurons import cross_entropy, embed
from lmcourse.packing import Packed, same_document_mask
from lmcourse.positions import rotary_angles

Turn = tuple[str, Sequence[int]]  # "user" or "assistant", and what they write

# ---------------------------------------------------------------- conversations as ids


@dataclass(frozen=True, kw_only=True)
class ChatTemplate:
    """Who speaks is said by an id before each turn, and an id ends it.

    Texts come as ids, so that nothing that a user writes can become one of the three: the
    tokenizer makes special ids of text only where it is told to.

    Example:
        >>> template = ChatTemplate(user_id=1, assistant_id=2, end_id=3)
        >>> ids, answers = template.encode([("user", [7, 8]), ("assistant", [9])])
        >>> ids, [int(each) for each in answers]
        ([1, 7, 8, 3, 2, 9, 3], [0, 0, 0, 0, 0, 1, 1])
    """

    user_id: int
    assistant_id: int
    end_id: int

    def encode(self, turns: Sequence[Turn]) -> tuple[list[int], list[bool]]:
        """The ids of a conversation, and True for each that the assistant has to write.

        It writes its texts and the id that ends them, but not the id that gives it the floor.

        Raises:
            ValueError: another speaker, or a text that holds one of the three ids.
        """
        ids: list[int] = []
        answers: list[bool] = []
        for speaker, text in turns:
            if speaker not in ("user", "assistant"):
                raise ValueError(f"speaker must be 'user' or 'assistant', got {speaker!r}")
            special = {self.user_id, self.assistant_id, self.end_id} & set(text)
            if special:
                raise ValueError(
                    f"a turn must hold none of the template's ids, got {min(special)}: its writer"
                    " could end the turn and speak for the other"
                )
            own = speaker == "assistant"
            ids += [self.assistant_id if own else self.user_id, *text, self.end_id]
            answers += [False, *[own] * len(text), own]
        return ids, answers

    def prompt(self, turns: Sequence[Turn]) -> list[int]:
        """The ids of a conversation, and the one after which the assistant speaks."""
        return [*self.encode(turns)[0], self.assistant_id]


# ---------------------------------------------------------------- learning to answer


def instruction_loss(
    logits: Float[Tensor, "B T V"], ids: Int[Tensor, "B T"], answers: Bool[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """The mean surprise about the ids of the answers, in nats; prompts and padding do not count.

    Args:
        logits: of the id after each position, as a `GPT` gives them.
        answers: True for each id that the assistant has to write.

    Raises:
        ValueError: no id is to be written.

    Reference: Ouyang et al. (2022), https://arxiv.org/abs/2203.02155, who train on demonstrations.
        Whether prompts count is a choice: ours is the usual one.
    """
    written = answers[:, 1:]
    if not written.any():
        raise ValueError("answers must be True for an id after the first, got none to learn from")
    return cross_entropy(logits[:, :-1][written], ids[:, 1:][written])


def packed_logits(model: GPT, packed: Packed) -> Float[Tensor, "N T V"]:
    """What the model says in rows of several conversations, each as if it stood alone.

    Each position looks at its own conversation only, and counts from its beginning.
    """
    ids, mask = packed.ids, same_document_mask(packed.document)[:, 0]
    x, rotary = embed(model.embedding, ids), None
    if model.config.positions == "rotary":
        d_head = model.config.d_model // model.config.n_heads
        cosines, sines = rotary_angles(packed.position, d_head, model.config.rope_theta)
        rotary = cosines[:, None], sines[:, None]
    else:
        x = x + model.positions(ids.shape[1])[packed.position]
    x = model.dropout(x)
    for block in model.blocks:
        x = block(x, mask, rotary)
    return model.head(model.norm(x))


def token_log_probs(
    logits: Float[Tensor, "B T V"], ids: Int[Tensor, "B T"]
) -> Float[Tensor, "B S"]:
    """log p of each id but the first, after those before it; S is T − 1."""
    return logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]


def sequence_log_probs(
    logits: Float[Tensor, "B T V"], ids: Int[Tensor, "B T"], answers: Bool[Tensor, "B T"]
) -> Float[Tensor, "B"]:
    """log p of each answer: the sum over its ids, where `answers` is True."""
    return (token_log_probs(logits, ids) * answers[:, 1:]).sum(1)


# ---------------------------------------------------------------- preferences


class RewardModel(nn.Module):
    """A number for each text: a linear layer on the last real vector of a GPT.

    Reference: Ouyang et al. (2022), section 3.5, https://arxiv.org/abs/2203.02155

    Example:
        >>> from lmcourse.gpt import GPT_TINY
        >>> RewardModel(GPT(GPT_TINY))(torch.tensor([[72, 105, 33]])).shape
        torch.Size([1])
    """

    def __init__(self, body: GPT):
        super().__init__()
        self.body, self.head = body, small_head(body, 1)

    def forward(
        self, ids: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B"]:
        """The rewards; `mask` is True where an id is real, at least once in each text."""
        return self.head(last_real(self.body.encode(ids, mask=mask), mask))[:, 0]


def preference_loss(chosen: Float[Tensor, "B"], rejected: Float[Tensor, "B"]) -> Float[Tensor, ""]:
    """−log σ(chosen − rejected), the mean: the surprise about which of two was preferred.

    Reference: Bradley and Terry (1952), https://doi.org/10.2307/2334029; as a loss of rewards in
        Ouyang et al. (2022), equation 1, https://arxiv.org/abs/2203.02155

    Example:
        >>> round(preference_loss(torch.tensor([1.0]), torch.tensor([1.0])).item(), 4)  # log 2
        0.6931
    """
    return F.softplus(rejected - chosen).mean()  # as −log σ, and finite at any difference


def implicit_reward(
    log_probs: Float[Tensor, "B"], reference: Float[Tensor, "B"], beta: float | int
) -> Float[Tensor, "B"]:
    """β (log p − log p of the reference): the reward that a policy behaves as if it had.

    Reference: Rafailov et al. (2023), equation 5, https://arxiv.org/abs/2305.18290; what all
        answers to a prompt have in common is left out, and cancels where two are compared.
    """
    if not 0 < beta < math.inf:
        raise ValueError(f"beta must be above 0 and finite, got beta={beta}")
    return beta * (log_probs - reference)


def dpo_loss(
    chosen: Float[Tensor, "B"],
    rejected: Float[Tensor, "B"],
    reference_chosen: Float[Tensor, "B"],
    reference_rejected: Float[Tensor, "B"],
    beta: float | int = 0.1,
) -> Float[Tensor, ""]:
    """The preference loss of the implicit rewards: no reward model, and nothing is sampled.

    Args:
        chosen: log p of each answer that was preferred, as `sequence_log_probs` gives it.
        rejected: log p of the other answer to the same prompt.
        reference_chosen: as `chosen`, of the model that training starts from, without gradient.
        reference_rejected: as `rejected`, of that model.
        beta: how much a nat of distance from the reference is worth.

    Reference: Rafailov et al. (2023), equation 7, https://arxiv.org/abs/2305.18290
    """
    return preference_loss(
        implicit_reward(chosen, reference_chosen, beta),
        implicit_reward(rejected, reference_rejected, beta),
    )


# ---------------------------------------------------------------- rewards that can be checked


def group_advantages(
    rewards: Float[Tensor, "G K"], scale: bool = True, eps: float = 1e-4
) -> Float[Tensor, "G K"]:
    """How much better each of K answers to a prompt is than their mean, in standard deviations.

    Where all have the same reward nothing can be learned, and all advantages are 0.

    Args:
        scale: False leaves the standard deviations out, as Liu et al. (2025) propose,
            https://arxiv.org/abs/2503.20783
        eps: is added to the standard deviation, with K − 1 below the root, as trl does.

    Reference: Shao et al. (2024), section 4.1.2, https://arxiv.org/abs/2402.03300

    Example:
        >>> group_advantages(torch.tensor([[1.0, 0.0, 0.0, 1.0]]), scale=False)
        tensor([[ 0.5000, -0.5000, -0.5000,  0.5000]])
    """
    if rewards.shape[1] < 2:
        raise ValueError(
            "rewards must have the shape (G, K) with K at least 2 answers to compare, got"
            f" {tuple(rewards.shape)}"
        )
    centered = rewards - rewards.mean(1, keepdim=True)
    return centered / (rewards.std(1, keepdim=True) + eps) if scale else centered


def kl_estimate(
    log_probs: Float[Tensor, "..."], reference: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """r − 1 − log r with r = p of the reference / p, for each id that p drew: k3.

    Its mean over what p draws is the Kullback–Leibler divergence of p from the reference, and no
    single value is below 0.

    Reference: Schulman (2020), http://joschu.net/blog/kl-approx.html
    """
    log_ratio = reference - log_probs
    return log_ratio.expm1() - log_ratio


def grpo_loss(
    log_probs: Float[Tensor, "B S"],
    old_log_probs: Float[Tensor, "B S"],
    advantages: Float[Tensor, "B"],
    answers: Bool[Tensor, "B S"],
    reference: Float[Tensor, "B S"] | None = None,
    clip: float = 0.2,
    beta: float | int = 0.0,
) -> Float[Tensor, ""]:
    """What makes answers of high advantage likelier, but not by more than `clip` at a time.

    For each id −min(r A, clamp(r, 1 − clip, 1 + clip) A) + β k3, with r = p / old p; the mean over
    the ids of an answer, and then over answers.

    Args:
        log_probs: of each id, with gradient; `token_log_probs`.
        old_log_probs: those of the model that drew the answers.
        advantages: of each answer; `group_advantages(rewards).flatten()`.
        answers: True for each id that was drawn, at least once in each row.
        reference: those of the model from which not to stray; needed where beta is above 0.
        clip: how far from 1 a ratio can still gain.
        beta: the price of a nat of distance from the reference.

    Reference: Shao et al. (2024), equation 3, https://arxiv.org/abs/2402.03300; the clipped ratio
        is PPO's, Schulman et al. (2017), https://arxiv.org/abs/1707.06347
    """
    _check_grpo(answers, reference, clip, beta)
    ratio = (log_probs - old_log_probs).exp()
    gains = torch.minimum(
        ratio * advantages[:, None], ratio.clamp(1 - clip, 1 + clip) * advantages[:, None]
    )
    losses = -gains if reference is None else beta * kl_estimate(log_probs, reference) - gains
    return ((losses * answers).sum(1) / answers.sum(1)).mean()


def _check_grpo(answers: Tensor, reference: Tensor | None, clip: float, beta: float | int) -> None:
    if not answers.any(1).all():
        raise ValueError("answers must be True at least once in each row, got a row without")
    if not 0 < clip < 1:
        raise ValueError(f"clip must be above 0 and below 1, got clip={clip}")
    if not 0 <= beta < math.inf:
        raise ValueError(f"beta must be at least 0 and finite, got beta={beta}")
    if beta and reference is None:
        raise ValueError(f"reference must be given where there is a price, got beta={beta}")
