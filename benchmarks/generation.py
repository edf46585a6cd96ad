"""Our writing, token by token with a cache, beside that of transformers."""

import torch

from benchmarks import training
from benchmarks.runner import Row, Work
from lmcourse.generation import generate

N_PROMPT, N_NEW = 16, 256
GOALS = {"small": 2.3, "10m": 1.6}


def rows(n_new: int = N_NEW) -> list[Row]:
    """Both sides write the same number of tokens, the most probable ones, to one prompt."""
    table = []
    for name, sizes in (("small", training.SMALL), ("10m", training.LARGE)):
        sizes = {**sizes, "context_length": N_PROMPT + n_new}
        prompt = torch.arange(N_PROMPT)[None]
        table.append(
            Row(
                work=f"writing {n_new} tokens, GPT {name}",
                ours=ours(sizes, prompt, n_new),
                peer=theirs(sizes, prompt, n_new),
                peer_name=training.PEER,
                goal=GOALS[name],
            )
        )
    return table


def ours(sizes: dict[str, int], prompt: torch.Tensor, n_new: int) -> Work:
    """`generate` with its cache."""
    model = training.model(sizes).eval()
    return lambda: generate(model, prompt, n_new, temperature=0)


def theirs(sizes: dict[str, int], prompt: torch.Tensor, n_new: int) -> Work:
    """The same with transformers, whose cache grows."""
    model = training.their_model(sizes, use_cache=True).eval()
    asked = {"do_sample": False, "max_new_tokens": n_new, "pad_token_id": 0}
    return lambda: model.generate(prompt, attention_mask=torch.ones_like(prompt), **asked)
