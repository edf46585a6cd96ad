"""Keys and values of the positions so far, kept for the next one.

Chapter: book/efficient_attention.md
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lmcourse.neurons import check_counts


class KVCache:
    """The keys and values of all positions so far, in memory that is reserved once.

    Without it each new token would project all tokens before it again: n tokens would cost n²
    projections instead of n.

    Args:
        capacity: how many positions there is room for.
    """

    def __init__(
        self,
        batch_size: int,
        n_heads: int,
        capacity: int,
        d_head: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        check_counts(batch_size=batch_size, n_heads=n_heads, capacity=capacity, d_head=d_head)
        self.length, self.capacity = 0, capacity
        shape = (batch_size, n_heads, capacity, d_head)
        self._keys = torch.empty(shape, device=device, dtype=dtype)
        self._values = torch.empty(shape, device=device, dtype=dtype)

    def append(
        self, key: Float[Tensor, "B G T D"], value: Float[Tensor, "B G T D"]
    ) -> tuple[Float[Tensor, "B G S D"], Float[Tensor, "B G S D"]]:
        """All keys and values, the new ones at the end."""
        start, end = _next_places(self, key.shape[2])
        self._keys[:, :, start:end] = key
        self._values[:, :, start:end] = value
        self.length = end
        return self._keys[:, :, :end], self._values[:, :, :end]


class RollingCache:
    """The keys and values of the last `window` positions, and of the first `n_sinks`, and no more.

    Position p lies in place n_sinks + (p − n_sinks) mod window, where it takes the place of the one
    that has left the window. The order of places does not matter to attention, since positions are
    in the keys.

    Reference: Jiang et al. (2023), section 2, https://arxiv.org/abs/2310.06825; Xiao et al. (2024),
        https://arxiv.org/abs/2309.17453, who keep the sinks, count positions within the cache; ours
        stay those of the text.
    """

    def __init__(
        self,
        batch_size: int,
        n_heads: int,
        window: int,
        d_head: int,
        n_sinks: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        check_counts(batch_size=batch_size, n_heads=n_heads, d_head=d_head, n_sinks=n_sinks)
        if window < 1:
            raise ValueError(f"window must be at least 1, got window={window}")
        self.length, self.window, self.n_sinks = 0, window, n_sinks
        self.positions = torch.arange(0, device=device)
        shape = (batch_size, n_heads, n_sinks + window, d_head)
        self._keys = torch.empty(shape, device=device, dtype=dtype)
        self._values = torch.empty(shape, device=device, dtype=dtype)

    def append(
        self, key: Float[Tensor, "B G T D"], value: Float[Tensor, "B G T D"]
    ) -> tuple[Float[Tensor, "B G S D"], Float[Tensor, "B G S D"]]:
        """The keys and values that the new positions may look at; `positions` says which they are.

        All of them are to be looked at if the new position is one; if they are several, each has
        its own part of them.
        """
        old = self._kept()
        new = torch.arange(self.length, self.length + key.shape[2], device=key.device)
        # Several at once: the first of them looks at some whose places the last will take.
        keys = torch.cat([self._keys[:, :, : len(old)], key], 2) if len(new) > 1 else None
        values = torch.cat([self._values[:, :, : len(old)], value], 2) if len(new) > 1 else None
        self.length += len(new)
        stay = (new < self.n_sinks) | (new >= self.length - self.window)
        self._write(key[:, :, stay], value[:, :, stay], new[stay])
        if keys is not None and values is not None:
            self.positions = torch.cat([old, new])
            return keys, values
        self.positions = self._kept()
        n = len(self.positions)
        return self._keys[:, :, :n], self._values[:, :, :n]

    def _kept(self) -> Int[Tensor, "S"]:
        """The position in each place that is taken."""
        device = self._keys.device
        if self.length <= self.n_sinks + self.window:
            return torch.arange(self.length, device=device)
        # Of the positions that share a place, n_sinks + place + k · window, the last one.
        place = torch.arange(self.window, device=device)
        last = self.length - 1 - self.n_sinks
        rolling = self.n_sinks + last - (last - place) % self.window
        return torch.cat([torch.arange(self.n_sinks, device=device), rolling])

    def _write(self, key: Tensor, value: Tensor, positions: Tensor) -> None:
        rolling = self.n_sinks + (positions - self.n_sinks) % self.window
        places = torch.where(positions < self.n_sinks, positions, rolling)
        self._keys[:, :, places], self._values[:, :, places] = key, value


class LatentCache:
    """What `LatentAttention` keeps of each position: one latent and one rotated key for all heads.

    Args:
        capacity: how many positions there is room for.
    """

    def __init__(
        self,
        batch_size: int,
        capacity: int,
        d_latent: int,
        d_rotary: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        check_counts(batch_size=batch_size, capacity=capacity)
        self.length, self.capacity = 0, capacity
        self.widths = [d_latent, d_rotary]
        shape = (batch_size, capacity, d_latent + d_rotary)
        self._kept = torch.empty(shape, device=device, dtype=dtype)

    def append(
        self, latent: Float[Tensor, "B T L"], rotary_key: Float[Tensor, "B T R"]
    ) -> tuple[Float[Tensor, "B S L"], Float[Tensor, "B S R"]]:
        """All latents and rotated keys, the new ones at the end."""
        start, end = _next_places(self, latent.shape[1])
        self._kept[:, start:end] = torch.cat([latent, rotary_key], -1)
        self.length = end
        latents, rotary_keys = self._kept[:, :end].split(self.widths, -1)
        return latents, rotary_keys


def _next_places(cache: KVCache | LatentCache, n: int) -> tuple[int, int]:
    """Where the next n positions lie in a cache; fails if there is no room for them."""
    end = cache.length + n
    if end > cache.capacity:
        raise ValueError(
            f"the cache must hold at most capacity={cache.capacity} positions, got {end}: "
            "start a new cache with the last of them"
        )
    return cache.length, end
