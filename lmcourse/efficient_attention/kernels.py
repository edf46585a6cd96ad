"""torch's own kernels, which never store the weights of attention.

Chapter: book/efficient_attention.md
"""

import warnings

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from lmcourse.attention import causal_mask, check_mask

BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
    "plain": SDPBackend.MATH,
}


def fused_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S E"],
    mask: Bool[Tensor, "..."] | None = None,
    causal: bool = False,
    dropout: float = 0.0,
) -> Float[Tensor, "B H T E"]:
    """The values of `attention`, by torch's kernel, which never stores the T × S weights.

    Args:
        key: of G heads, each shared by H / G heads of the query.
        causal: as the mask `causal_mask(T)`, without making it; then T = S, and no mask is given.
    """
    if mask is not None:
        check_mask(mask)
    options = {"attn_mask": mask, "is_causal": causal, "dropout_p": dropout}
    options["enable_gqa"] = key.shape[1] != query.shape[1]
    if not (query.dtype == torch.bfloat16 and query.requires_grad and query.device.type == "cpu"):
        return F.scaled_dot_product_attention(query, key, value, **options)
    # On a CPU the kernel's backward pass in bfloat16 is several times slower than in float32 as
    # long as heads and contexts are small.
    with torch.autocast("cpu", enabled=False):
        query, key, value = query.float(), key.float(), value.float()
        return F.scaled_dot_product_attention(query, key, value, **options).bfloat16()


def causal_rule(
    mask: Bool[Tensor, "..."] | None, n_queries: int, n_keys: int, device: torch.device
) -> tuple[Bool[Tensor, "..."] | None, bool]:
    """The mask for `fused_attention` and its `causal`, for queries that are the last positions.

    Args:
        mask: what holds beside, (T, S), (B, T, S) or (B, 1, S).
    """
    if mask is not None and mask.dim() == 3:
        mask = mask[:, None]  # the same mask for every head
    if n_queries == 1:  # the last position may look at every key
        return mask, False
    if mask is None and n_queries == n_keys:
        return None, True
    # The queries are the last of the positions, but the kernel would take them for the first.
    late = causal_mask(n_keys, device)[-n_queries:]
    return (late if mask is None else late & mask), False


def working_backends(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S E"],
    mask: Bool[Tensor, "..."] | None = None,
    causal: bool = False,
) -> list[str]:
    """Which kernels of torch take these inputs, tried one by one, in the order of its choice.

    "flash" and "cuDNN" work block by block and make the weights again in the backward pass,
    "memory-efficient" as well, for older GPUs and masks of any kind; "plain" stores the weights.
    """
    found = []
    for name, backend in BACKENDS.items():
        with sdpa_kernel(backend), warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the reasons of those that refuse
            try:
                fused_attention(query, key, value, mask, causal)
            except RuntimeError:
                continue
        found.append(name)
    return found
