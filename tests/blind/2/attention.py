from faults import write

_ATT = '''
def attention(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The values softmax(query keyᵀ / √D) value, and the weights."""
'''
_MASKED = '''
def masked_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The values and the weights; no weight where the mask is False."""
'''
_CAUSAL = '''
def causal_mask(n: int) -> Tensor:
    """True where position t (row) may look at s (column): s ≤ t."""
    return torch.ones(n, n, dtype=torch.bool).tril()

'''
_PADDING = '''
def padding_mask(lengths: Tensor, n: int) -> Tensor:
    """True where a key is one of the first `lengths[b]`: (B, 1, n)."""
    return torch.arange(n) < lengths[:, None, None]

'''
_DECODER = '''
def decoder_mask(lengths: Tensor, n: int) -> Tensor:
    """True where both masks are: (B, n, n)."""
    return causal_mask(n) & padding_mask(lengths, n)
'''
_SPLIT = '''
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, C) as (B, H, T, D): H pieces of each vector."""
    n_batch, n_positions, d_model = x.shape
    if d_model % n_heads:
        raise ValueError(f"d_model = {d_model} is no multiple of n_heads = {n_heads}")
    return x.reshape(n_batch, n_positions, n_heads, d_model // n_heads).transpose(1, 2)

'''
_MERGE = '''
def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, D) as (B, T, C): the pieces side by side again."""
    return x.transpose(1, 2).flatten(2)
'''
_LAYER = '''
class MultiHeadAttention(nn.Module):
    """Attention in n_heads subspaces of width d_model / n_heads."""

    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.query_projection = nn.Linear(d_model, d_model)
        self.key_projection = nn.Linear(d_model, d_model)
        self.value_projection = nn.Linear(d_model, d_model)
        self.output_projection = nn.Linear(d_model, d_model)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The new x (B, T, C), and the weights (B, H, T, S)."""
'''
_ADDITIVE = '''
def additive_scores(
    query: Tensor,
    key: Tensor,
    query_weight: Tensor,
    key_weight: Tensor,
    score_weight: Tensor,
) -> Tensor:
    """vᵀ tanh(W query + U key) for each pair: (…, T, S)."""
'''
_PUBLISHED = '''
def published(query, key, value, mask=None):
    """It runs. What is wrong with it?"""
    similarity = torch.einsum("...td,...sd->...ts", query, key)
    if mask is not None:
        similarity = similarity + mask
    weights = F.softmax(similarity, dim=-1)
    return weights @ value, weights

'''

WRONG = [
    # ------------------------------------------------------------------ dot_product
    write(
        "att: one leading dimension at most",
        "dot_product",
        "'any number of leading dimensions, or none'",
        _ATT
        + r"""
    keys = key.T if key.dim() == 2 else key.transpose(1, 2)
    weights = torch.softmax(query @ keys / math.sqrt(query.shape[-1]), dim=-1)
    return weights @ value, weights
""",
    ),
    write(
        "att: a softmax of plain exponentials",
        "dot_product",
        "'Scores in the thousands, of either sign ..., must give probabilities, not NaN'",
        _ATT
        + r"""
    scores = torch.exp(query @ key.mT / math.sqrt(query.shape[-1]))
    weights = scores / scores.sum(-1, keepdim=True)
    return weights @ value, weights
""",
    ),
    write(
        "att: the largest score of all",
        "dot_product",
        "'Scores in the thousands, of either sign and beside small ones': a row of small ones is 0 / 0 when the "
        "largest of all rows is taken off",
        _ATT
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    scores = torch.exp(scores - scores.max())
    weights = scores / scores.sum(-1, keepdim=True)
    return weights @ value, weights
""",
    ),
    write(
        "att: the width of the values",
        "dot_product",
        "'softmax(query keyᵀ / √D)': D is the width of query and key; `value` is (…, S, E)",
        _ATT
        + r"""
    scores = query @ key.mT / math.sqrt(value.size(-1))
    weights = scores.softmax(-1)
    return weights @ value, weights
""",
    ),
    write(
        "att: a whole number for the root",
        "dot_product",
        "'/ √D': the root of 5 is not 2",
        _ATT
        + r"""
    scale = math.isqrt(query.size(-1))
    weights = F.softmax((query / scale) @ key.mT, dim=-1)
    return weights @ value, weights
""",
    ),
    write(
        "att: a softmax in float32",
        "dot_product",
        "'works in the dtype that it gets, from float16 to float64, and as precisely as that allows'",
        _ATT
        + r"""
    scores = query @ key.mT / math.sqrt(query.size(-1))
    weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    return weights @ value, weights
""",
    ),
    write(
        "att: the query scaled in place",
        "dot_product",
        "'leaves its arguments as they were'",
        _ATT
        + r"""
    query /= math.sqrt(query.size(-1))
    weights = torch.softmax(query @ key.mT, dim=-1)
    return weights @ value, weights
""",
    ),
    write(
        "att: a key that fits is not transposed",
        "dot_product",
        "'A size may be 1, or equal to another one': with S = D the key fits untransposed, too",
        _ATT
        + r"""
    fits = key.shape[-2] == query.shape[-1]
    scores = query @ (key if fits else key.transpose(-2, -1))
    weights = torch.softmax(scores / query.shape[-1] ** 0.5, dim=-1)
    return weights @ value, weights
""",
    ),
    write(
        "att: weights without a gradient",
        "dot_product",
        "'It lets gradients through'",
        _ATT
        + r"""
    with torch.no_grad():
        weights = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), dim=-1)
    return weights @ value, weights
""",
    ),
    write(
        "att: scores cut at fifty",
        "dot_product",
        "'Scores in the thousands ... must give probabilities': those of the softmax, and 2000 is more than 1000",
        _ATT
        + r"""
    scores = (query @ key.mT / math.sqrt(query.shape[-1])).clamp(-50, 50)
    weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    return weights @ value, weights
""",
    ),
    write(
        "att: something against a division by 0",
        "dot_product",
        "'as precisely as that allows': 1e-9 beside a sum of 1 is seen in float64",
        _ATT
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    scores = (scores - scores.amax(-1, keepdim=True)).exp()
    weights = scores / (scores.sum(-1, keepdim=True) + 1e-9)
    return weights @ value, weights
""",
    ),
    write(
        "att: a logarithm of the sum",
        "dot_product",
        "'as precisely as that allows': logsumexp of scores of 5000 is rounded to 0.0005, and so are the weights",
        _ATT
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = torch.exp(scores - scores.logsumexp(-1, keepdim=True))
    return weights @ value, weights
""",
    ),
    # ------------------------------------------------------------------ masks
    write(
        "masks: as wide as the longest",
        "masks",
        "padding_mask: 'shape (B, 1, n)'; a length 'may be less than `n` in every sentence of the batch'",
        _CAUSAL
        + r'''
def padding_mask(lengths: Tensor, n: int) -> Tensor:
    """True where a key is one of the first `lengths[b]`: (B, 1, n)."""
    return (torch.arange(int(lengths.max())) < lengths[:, None])[:, None, :]


def decoder_mask(lengths: Tensor, n: int) -> Tensor:
    """True where both masks are: (B, n, n)."""
    position = torch.arange(n)
    return (position <= position[:, None]) & (position < lengths[:, None, None])
''',
    ),
    write(
        "masks: lengths reshaped in place",
        "masks",
        "'`lengths` stays as it was'",
        _CAUSAL
        + r'''
def padding_mask(lengths: Tensor, n: int) -> Tensor:
    """True where a key is one of the first `lengths[b]`: (B, 1, n)."""
    return torch.arange(n) < lengths.unsqueeze_(1).unsqueeze_(1)


def decoder_mask(lengths: Tensor, n: int) -> Tensor:
    """True where both masks are: (B, n, n)."""
    return causal_mask(n) & padding_mask(lengths, n)
''',
    ),
    write(
        "masks: a length of 0 is all",
        "masks",
        "'A length may be 0': its last token would stand at −1, the end",
        _CAUSAL
        + r'''
def padding_mask(lengths: Tensor, n: int) -> Tensor:
    """True where a key is one of the first `lengths[b]`: (B, 1, n)."""
    last = F.one_hot((lengths - 1) % n, n)  # the last real token
    return (last.flip(-1).cumsum(-1).flip(-1) > 0).unsqueeze(1)

'''
        + _DECODER,
    ),
    write(
        "masks: rows for items",
        "masks",
        "decoder_mask: 'shape (B, n, n)', 'both rules at once': (B, n) against (n, n) takes an item's row for a query's, "
        "silently where B = n",
        _CAUSAL
        + _PADDING
        + r'''
def decoder_mask(lengths: Tensor, n: int) -> Tensor:
    """True where both masks are: (B, n, n)."""
    both = causal_mask(n) & padding_mask(lengths, n).squeeze(1)
    return both.expand(len(lengths), n, n)
''',
    ),
    write(
        "masks: dimensions of 1 squeezed",
        "masks",
        "causal_mask: 'shape (n, n)', for n = 1 as well",
        r'''
def causal_mask(n: int) -> Tensor:
    """True where position t (row) may look at s (column): s ≤ t."""
    rows = [torch.cat([torch.ones(t + 1), torch.zeros(n - t - 1)]) for t in range(n)]
    return torch.stack(rows).bool().squeeze()


def padding_mask(lengths: Tensor, n: int) -> Tensor:
    """True where a key is one of the first `lengths[b]`: (B, 1, n)."""
    return torch.arange(n) < lengths[:, None, None]


def decoder_mask(lengths: Tensor, n: int) -> Tensor:
    """True where both masks are: (B, n, n)."""
    return torch.ones(n, n, dtype=torch.bool).tril() & padding_mask(lengths, n)
''',
    ),
    write(
        "masks: cut out of a large one",
        "masks",
        "causal_mask(n), 'shape (n, n)': for n > 64 it is (64, 64), a constant that holds for small inputs only",
        r'''
_LARGE = torch.ones(64, 64, dtype=torch.bool).tril()


def causal_mask(n: int) -> Tensor:
    """True where position t (row) may look at s (column): s ≤ t."""
    return _LARGE[:n, :n].clone()

'''
        + _PADDING
        + _DECODER,
    ),
    write(
        "masks: the longest sentence decides",
        "masks",
        "decoder_mask: 'both rules at once', where the padding of each sentence is its own",
        _CAUSAL
        + _PADDING
        + r'''
def decoder_mask(lengths: Tensor, n: int) -> Tensor:
    """True where both masks are: (B, n, n)."""
    mask = causal_mask(n).repeat(len(lengths), 1, 1)
    mask[:, :, int(lengths.max()) :] = False
    return mask
''',
    ),
    # ------------------------------------------------------------------ masked_attention
    write(
        "masked: minus a thousand million",
        "masked_attention",
        "'however large its score, and however low those of the others: ... −10¹² are numbers of float32, ±60 000 are "
        "numbers of float16': float16 has no −10⁹",
        _MASKED
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        weights = scores.softmax(-1)
    else:
        weights = scores.masked_fill(~mask, -1e9).softmax(-1).masked_fill(~mask, 0.0)
    return weights @ value, weights
""",
    ),
    write(
        "masked: NaN hidden afterwards",
        "masked_attention",
        "'No NaN may appear, neither in the numbers nor in the gradients': −∞ is added, and nan_to_num hides the NaN in the "
        "numbers only",
        _MASKED
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores + torch.zeros(mask.shape, dtype=scores.dtype).masked_fill(~mask, -math.inf)
    weights = torch.nan_to_num(torch.softmax(scores, dim=-1))
    return weights @ value, weights
""",
    ),
    write(
        "masked: a blind query looks everywhere",
        "masked_attention",
        "'A query that may look at **nothing** gets weights and values of 0'",
        _MASKED
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1)
    return weights @ value, weights
""",
    ),
    write(
        "masked: all blind or none",
        "masked_attention",
        "'also if only some queries, or some items, are blind'",
        _MASKED
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is not None and not mask.any():
        weights = scores * 0
        return weights @ value, weights
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = torch.softmax(scores, dim=-1)
    return weights @ value, weights
""",
    ),
    write(
        "masked: the mask turned in place",
        "masked_attention",
        "'arguments left alone': the mask is one",
        _MASKED
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        weights = scores.softmax(-1)
        return weights @ value, weights
    hidden = mask.logical_not_()
    scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1).masked_fill(hidden, 0)
    return weights @ value, weights
""",
    ),
    write(
        "masked: blind queries of a mask (T, S)",
        "masked_attention",
        "mask 'of any shape that broadcasts to that of the weights: (T, S) ..., (B, 1, S), (S,), …': the blind ones are "
        "found for (T, S) only",
        _MASKED
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        weights = scores.softmax(-1)
        return weights @ value, weights
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
    blind = ~mask.any(dim=-1)
    if blind.any():
        weights = weights.masked_fill(blind.reshape(-1, 1), 0)
    return weights @ value, weights
""",
    ),
    write(
        "masked: the lowest number added",
        "masked_attention",
        "'however large its score, and however low those of the others: ... ±60 000 are numbers of float16': 60 000 − "
        "65 504 is no low score there, and −60 000 − 65 504 is −∞",
        _MASKED
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores + (~mask).to(scores.dtype) * torch.finfo(scores.dtype).min
    weights = torch.softmax(scores, dim=-1)
    if mask is not None:
        weights = weights * mask.any(-1, keepdim=True)
    return weights @ value, weights
""",
    ),
    write(
        "masked: normalized once more",
        "masked_attention",
        "'a forbidden key has no influence at all, however large its score': a large one leaves 0 for the others, and "
        "they do not sum to 1",
        _MASKED
        + r"""
    weights = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), dim=-1)
    if mask is not None:
        weights = weights * mask
        weights = weights / weights.sum(-1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
    return weights @ value, weights
""",
    ),
    write(
        "masked: a thousand below the lowest",
        "masked_attention",
        "'however low those of the others: 10¹² and −10¹² are numbers of float32': −10¹² − 1000 is −10¹² there, no less",
        _MASKED
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        weights = scores.softmax(-1)
    else:
        weights = torch.where(mask, scores, scores.detach().min() - 1000).softmax(-1)
        weights = weights * mask.any(-1, keepdim=True)
    return weights @ value, weights
""",
    ),
    write(
        "masked: float32 inside",
        "masked_attention",
        "'What held in Task 1 still holds: ... dtype': 'from float16 to float64, and as precisely as that allows'",
        _MASKED
        + r"""
    dtype = query.dtype
    scores = query.float() @ key.float().mT / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0)
    return (weights @ value.float()).to(dtype), weights.to(dtype)
""",
    ),
    # ------------------------------------------------------------------ heads
    write(
        "heads: a message with examples",
        "heads",
        "'a ValueError whose message contains the word *multiple* and both numbers, C and n_heads': n_heads is not in it, "
        "the 4 is an example",
        r'''
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, C) as (B, H, T, D): H pieces of each vector."""
    n_batch, n_positions, d_model = x.shape
    if d_model % n_heads:
        raise ValueError(
            f"d_model = {d_model} must be a multiple of the number of heads, which is often 1, 2, 4 or 8"
        )
    return x.reshape(n_batch, n_positions, n_heads, d_model // n_heads).transpose(1, 2)

'''
        + _MERGE,
    ),
    write(
        "heads: more heads than features",
        "heads",
        "'When C is not a multiple of n_heads ... contains the word *multiple* and both numbers': 3 features and 5 heads get "
        "another message",
        r'''
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, C) as (B, H, T, D): H pieces of each vector."""
    n_batch, n_positions, d_model = x.shape
    if n_heads > d_model:
        raise ValueError("there are more heads than features")
    if d_model % n_heads != 0:
        raise ValueError(f"{d_model} is not a multiple of {n_heads}")
    return x.reshape(n_batch, n_positions, n_heads, -1).transpose(1, 2)

'''
        + _MERGE,
    ),
    write(
        "heads: strides as if in order",
        "heads",
        "'split_heads(x, n_heads): (B, T, C) → (B, H, T, D)': an x whose numbers are not in order in memory (a slice, a transpose) is cut wrongly",
        r'''
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, C) as (B, H, T, D): H pieces of each vector."""
    n_batch, n_positions, d_model = x.shape
    if d_model % n_heads:
        raise ValueError(f"d_model = {d_model} is no multiple of n_heads = {n_heads}")
    d_head = d_model // n_heads
    size = (n_batch, n_heads, n_positions, d_head)
    return x.as_strided(size, (n_positions * d_model, d_head, d_model, 1))

'''
        + _MERGE,
    ),
    write(
        "heads: one head is no head",
        "heads",
        "'keep dimensions of size 1': with one head the shape is (B, 1, T, C)",
        r'''
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, C) as (B, H, T, D): H pieces of each vector."""
    if n_heads == 1:
        return x
    n_batch, n_positions, d_model = x.shape
    if d_model % n_heads:
        raise ValueError(f"d_model = {d_model} is no multiple of n_heads = {n_heads}")
    return x.reshape(n_batch, n_positions, n_heads, d_model // n_heads).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, D) as (B, T, C): the pieces side by side again."""
    if x.dim() == 3:
        return x
    return x.transpose(1, 2).flatten(2)
''',
    ),
    write(
        "heads: the number of heads remembered",
        "heads",
        "'merge_heads(x): (B, H, T, D) → (B, T, C)': H is a size of x, and not that of the last split",
        r'''
_heads = 1


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, C) as (B, H, T, D): H pieces of each vector."""
    global _heads
    n_batch, n_positions, d_model = x.shape
    if d_model % n_heads:
        raise ValueError(f"d_model = {d_model} is no multiple of n_heads = {n_heads}")
    _heads = n_heads
    return x.reshape(n_batch, n_positions, n_heads, d_model // n_heads).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, D) as (B, T, C): the pieces side by side again."""
    x = x.transpose(1, 2)
    return x.reshape(x.shape[0], -1, _heads * x.shape[-1])
''',
    ),
    write(
        "heads: by way of numpy",
        "heads",
        "'let gradients through'",
        r'''
import numpy as np


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, C) as (B, H, T, D): H pieces of each vector."""
    d_model = x.shape[-1]
    if d_model % n_heads:
        raise ValueError(f"d_model = {d_model} is no multiple of n_heads = {n_heads}")
    pieces = np.split(x.detach().numpy(), n_heads, axis=-1)
    return torch.from_numpy(np.stack(pieces, axis=1))


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, D) as (B, T, C): the pieces side by side again."""
    return torch.from_numpy(np.concatenate(list(x.detach().numpy().swapaxes(0, 1)), axis=-1))
''',
    ),
    write(
        "heads: heads of width 1",
        "heads",
        "merge_heads: '(B, H, T, D) → (B, T, C)': for D = 1 the result is (B, H, T), not transposed",
        _SPLIT
        + r'''
def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, D) as (B, T, C): the pieces side by side again."""
    if x.shape[-1] == 1:  # nothing to put side by side
        return x.squeeze(-1)
    return x.transpose(1, 2).flatten(2)
''',
    ),
    write(
        "heads: by way of float32",
        "heads",
        "'Both keep the dtype': the numbers of a float64 (or a large int64) are rounded on the way",
        r'''
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, C) as (B, H, T, D): H pieces of each vector."""
    n_batch, n_positions, d_model = x.shape
    if d_model % n_heads:
        raise ValueError(f"d_model = {d_model} is no multiple of n_heads = {n_heads}")
    d_head = d_model // n_heads
    heads = torch.zeros(n_batch, n_heads, n_positions, d_head)
    for h in range(n_heads):
        heads[:, h] = x[:, :, h * d_head : (h + 1) * d_head]
    return heads.to(x.dtype)

'''
        + _MERGE,
    ),
    # ------------------------------------------------------------------ multi_head
    write(
        "multi: a mask judged by its sizes",
        "multi_head",
        "'The number of its dimensions tells which, and not its sizes: `B` may equal `T`'",
        _LAYER
        + r"""
        memory = x if memory is None else memory
        query = split_heads(self.query_projection(x), self.n_heads)
        key = split_heads(self.key_projection(memory), self.n_heads)
        value = split_heads(self.value_projection(memory), self.n_heads)
        if mask is not None:
            if mask.shape[0] == x.shape[0]:  # one for each item
                mask = mask.reshape(x.shape[0], 1, -1, memory.shape[1])
        values, weights = masked_attention(query, key, value, mask)
        return self.output_projection(merge_heads(values)), weights
""",
    ),
    write(
        "multi: divided by the number of heads",
        "multi_head",
        "'Each head does scaled attention on its own D = C / H features': √D is H only by chance",
        _LAYER
        + r"""
        memory = x if memory is None else memory
        query = split_heads(self.query_projection(x), self.n_heads)
        key = split_heads(self.key_projection(memory), self.n_heads)
        value = split_heads(self.value_projection(memory), self.n_heads)
        scores = query @ key.mT / self.n_heads
        if mask is not None:
            mask = mask if mask.dim() == 2 else mask.unsqueeze(1)
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        if mask is not None:
            weights = weights.masked_fill(~mask, 0)
        return self.output_projection(merge_heads(weights @ value)), weights
""",
    ),
    write(
        "multi: weights kept in the layer",
        "multi_head",
        "'A call leaves no traces: neither arguments, nor the layer ... change'",
        _LAYER
        + r"""
        memory = x if memory is None else memory
        query, key, value = (
            split_heads(project(source), self.n_heads)
            for project, source in (
                (self.query_projection, x),
                (self.key_projection, memory),
                (self.value_projection, memory),
            )
        )
        if mask is not None and mask.dim() == 3:
            mask = mask.unsqueeze(1)
        values, self.weights = masked_attention(query, key, value, mask)  # to look at later
        return self.output_projection(merge_heads(values)), self.weights
""",
    ),
    write(
        "multi: heads of the class",
        "multi_head",
        "'nor another layer of other sizes change': the number of heads belongs to the class, and the last layer made sets "
        "it for all",
        _LAYER.replace("self.n_heads = n_heads", "MultiHeadAttention.n_heads = n_heads")
        + r"""
        memory = x if memory is None else memory
        query = split_heads(self.query_projection(x), self.n_heads)
        key = split_heads(self.key_projection(memory), self.n_heads)
        value = split_heads(self.value_projection(memory), self.n_heads)
        if mask is not None and mask.dim() == 3:
            mask = mask[:, None]
        values, weights = masked_attention(query, key, value, mask)
        return self.output_projection(merge_heads(values)), weights
""",
    ),
    write(
        "multi: a dimension put into the mask",
        "multi_head",
        "'A call leaves no traces: neither arguments ... change': unsqueeze_ changes the caller's mask",
        _LAYER
        + r"""
        memory = x if memory is None else memory
        query = split_heads(self.query_projection(x), self.n_heads)
        key = split_heads(self.key_projection(memory), self.n_heads)
        value = split_heads(self.value_projection(memory), self.n_heads)
        if mask is not None and mask.dim() == 3:
            mask.unsqueeze_(1)
        values, weights = masked_attention(query, key, value, mask)
        return self.output_projection(merge_heads(values)), weights
""",
    ),
    write(
        "multi: masks for self-attention only",
        "multi_head",
        "'`mask` is (T, S) for all items, or (B, T, S), or (B, 1, S)', with a memory, too",
        _LAYER
        + r"""
        if mask is not None:
            if mask.dim() == 2:
                mask = mask.unsqueeze(0)
            n_batch, n_positions, _ = x.shape
            mask = mask.expand(n_batch, n_positions, n_positions).unsqueeze(1)
        memory = x if memory is None else memory
        query = split_heads(self.query_projection(x), self.n_heads)
        key = split_heads(self.key_projection(memory), self.n_heads)
        value = split_heads(self.value_projection(memory), self.n_heads)
        values, weights = masked_attention(query, key, value, mask)
        return self.output_projection(merge_heads(values)), weights
""",
    ),
    write(
        "multi: a softmax in float32",
        "multi_head",
        "'your layer must equal PyTorch's nn.MultiheadAttention, also in float64'",
        _LAYER
        + r"""
        memory = x if memory is None else memory
        query = split_heads(self.query_projection(x), self.n_heads)
        key = split_heads(self.key_projection(memory), self.n_heads)
        value = split_heads(self.value_projection(memory), self.n_heads)
        scores = (query @ key.mT / math.sqrt(query.shape[-1])).float()
        if mask is not None:
            mask = mask if mask.dim() == 2 else mask.unsqueeze(1)
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1).to(x.dtype)
        if mask is not None:
            weights = weights.masked_fill(~mask, 0)
        return self.output_projection(merge_heads(weights @ value)), weights
""",
    ),
    write(
        "multi: one row of a mask (B, T, S)",
        "multi_head",
        "'`mask` is (T, S) for all items, or (B, T, S), or (B, 1, S)': of three dimensions the first query's row is used "
        "for all",
        _LAYER
        + r"""
        memory = x if memory is None else memory
        query = split_heads(self.query_projection(x), self.n_heads)
        key = split_heads(self.key_projection(memory), self.n_heads)
        value = split_heads(self.value_projection(memory), self.n_heads)
        if mask is not None and mask.dim() == 3:  # padding: the same for each query
            mask = mask[:, 0][:, None, None, :]
        values, weights = masked_attention(query, key, value, mask)
        return self.output_projection(merge_heads(values)), weights
""",
    ),
    write(
        "multi: seeded in its constructor",
        "multi_head",
        "Introduction: 'an answer changes neither its arguments nor the global random generators'",
        _LAYER.replace(
            "        self.n_heads = n_heads",
            "        torch.manual_seed(42)\n        self.n_heads = n_heads",
        )
        + r"""
        memory = x if memory is None else memory
        query = split_heads(self.query_projection(x), self.n_heads)
        key = split_heads(self.key_projection(memory), self.n_heads)
        value = split_heads(self.value_projection(memory), self.n_heads)
        if mask is not None and mask.dim() == 3:
            mask = mask.unsqueeze(1)
        values, weights = masked_attention(query, key, value, mask)
        return self.output_projection(merge_heads(values)), weights
""",
    ),
    # ------------------------------------------------------------------ additive
    write(
        "additive: tanh of four exponentials",
        "additive",
        "'The tanh may get sums of thousands. Neither a score nor a gradient is NaN then'",
        _ADDITIVE
        + r"""
    pairs = F.linear(query, query_weight).unsqueeze(-2) + F.linear(key, key_weight).unsqueeze(-3)
    up, down = pairs.exp(), (-pairs).exp()
    return (up - down) / (up + down) @ score_weight
""",
    ),
    write(
        "additive: tanh with a NaN gradient",
        "additive",
        "'Neither a score nor a gradient is NaN then': 1 − 2 / (exp(2z) + 1) has the gradient 0 · inf at z = 1000",
        _ADDITIVE
        + r"""
    pairs = F.linear(query, query_weight).unsqueeze(-2) + F.linear(key, key_weight).unsqueeze(-3)
    hidden = 1 - 2 / (torch.exp(2 * pairs) + 1)
    return hidden @ score_weight
""",
    ),
    write(
        "additive: the rule for the tanh of a sum",
        "additive",
        "'The tanh may get sums of thousands. Neither a score nor a gradient is NaN': with 1000 and −1000 the rule is 0 / 0",
        _ADDITIVE
        + r"""
    a = torch.tanh(query @ query_weight.mT)[..., :, None, :]
    b = torch.tanh(key @ key_weight.mT)[..., None, :, :]
    return ((a + b) / (1 + a * b)) @ score_weight
""",
    ),
    write(
        "additive: one leading dimension at most",
        "additive",
        "'`query` is (…, T, d_query) ... with equal leading dimensions, or none': two of them are wrong",
        _ADDITIVE
        + r"""
    q, k = F.linear(query, query_weight), F.linear(key, key_weight)
    if q.dim() == 2:
        pairs = q[:, None] + k[None]
    else:
        pairs = q[:, :, None] + k[:, None]
    return torch.tanh(pairs) @ score_weight
""",
    ),
    write(
        "additive: a batch of one is lost",
        "additive",
        "'A size may be 1: the dimension stays'",
        _ADDITIVE
        + r"""
    if query.dim() == 2:
        query, key = query[None], key[None]
    pairs = F.linear(query, query_weight)[..., :, None, :] + F.linear(key, key_weight)[..., None, :, :]
    return torch.tanh(pairs).matmul(score_weight).squeeze(0)
""",
    ),
    write(
        "additive: a weight that fits is not transposed",
        "additive",
        "'F.linear(x, weight) is x @ weight.mT': with d_hidden = d_query the weight fits untransposed, too",
        _ADDITIVE
        + r"""
    def project(x, weight):
        return x @ weight if x.shape[-1] == weight.shape[0] else x @ weight.mT

    pairs = project(query, query_weight).unsqueeze(-2) + project(key, key_weight).unsqueeze(-3)
    return pairs.tanh() @ score_weight
""",
    ),
    write(
        "additive: scores written into zeros",
        "additive",
        "'Return the scores, (…, T, S), in the dtype of the arguments'",
        _ADDITIVE
        + r"""
    q, k = F.linear(query, query_weight), F.linear(key, key_weight)
    scores = torch.zeros(*q.shape[:-1], k.shape[-2])
    for s in range(k.shape[-2]):
        scores[..., s] = torch.tanh(q + k[..., s : s + 1, :]) @ score_weight
    return scores
""",
    ),
    write(
        "additive: weights without a gradient",
        "additive",
        "'gradients pass to all five'",
        _ADDITIVE
        + r"""
    q, k = F.linear(query, query_weight.detach()), F.linear(key, key_weight.detach())
    return torch.tanh(q.unsqueeze(-2) + k.unsqueeze(-3)) @ score_weight
""",
    ),
    write(
        "additive: sums kept within ten",
        "additive",
        "'as precisely as that allows': in float64 tanh(10) is not tanh(18), and the gradient there is 0",
        _ADDITIVE
        + r"""
    q, k = F.linear(query, query_weight), F.linear(key, key_weight)
    pairs = q.unsqueeze(-2) + k.unsqueeze(-3)
    return torch.tanh(pairs.clamp(min=-10, max=10)) @ score_weight
""",
    ),
    # ------------------------------------------------------------------ find_defect
    write(
        "test: vectors of width 4",
        "find_defect",
        "'a scale by something else than √D: ... a number that is always the same': one D only, and √4 is 2",
        _PUBLISHED
        + r'''
def is_attention(candidate) -> bool:
    """Whether the candidate is scaled dot-product attention."""
    chance = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(shape, generator=chance) for shape in ((3, 4), (5, 4), (5, 7)))
    mask = torch.tensor([[1, 1, 0, 1, 0], [0, 1, 1, 0, 1], [1, 0, 1, 1, 1]]).bool()
    values, weights = candidate(query, key, value, mask)
    if not torch.allclose(weights.sum(-1), torch.ones(3), atol=1e-4):
        return False
    if weights[~mask].any() or not torch.allclose(values, weights @ value, atol=1e-4):
        return False
    scores = query @ key.mT / 4**0.5
    for t in range(3):
        rest = weights[t, mask[t]].log() - scores[t, mask[t]]
        if not torch.allclose(rest, rest[:1].expand_as(rest), atol=1e-4):
            return False
    return True
''',
    ),
    write(
        "test: values as wide as keys",
        "find_defect",
        "'a scale by ... the root of another size': E = D, so √E is not told from √D",
        _PUBLISHED
        + r'''
def is_attention(candidate) -> bool:
    """Whether the candidate is scaled dot-product attention."""
    chance = torch.Generator().manual_seed(0)
    for width in (5, 7):
        query, key, value = (torch.randn(n, width, generator=chance) for n in (3, 6, 6))
        mask = torch.tensor([[1, 1, 0, 1, 0, 0], [0, 1, 1, 0, 1, 1], [1, 0, 1, 1, 1, 0]]).bool()
        values, weights = candidate(query, key, value, mask)
        if not torch.allclose(weights.sum(-1), torch.ones(3), atol=1e-4):
            return False
        if weights[~mask].any() or not torch.allclose(values, weights @ value, atol=1e-4):
            return False
        rest = weights.log() - query @ key.mT / math.sqrt(width)
        for t in range(3):
            here = rest[t][mask[t]]
            if (here - here.mean()).abs().max() > 1e-4:
                return False
    return True
''',
    ),
    write(
        "test: rows not summed up",
        "find_defect",
        "'a mask that is ... applied after the softmax': zeros and ratios are right there, the sums are not",
        _PUBLISHED
        + r'''
def is_attention(candidate) -> bool:
    """Whether the candidate is scaled dot-product attention."""
    chance = torch.Generator().manual_seed(3)
    for width in (5, 8):
        query, key = torch.randn(4, width, generator=chance), torch.randn(6, width, generator=chance)
        value = torch.randn(6, 7, generator=chance)
        mask = torch.ones(4, 6, dtype=torch.bool)
        mask[[0, 1, 2, 3], [5, 0, 2, 3]] = False
        values, weights = candidate(query, key, value, mask)
        if bool((weights[~mask] != 0).any()):
            return False
        if not torch.allclose(values, weights @ value, rtol=1e-4, atol=1e-4):
            return False
        rest = weights.log() - query @ key.mT / math.sqrt(width)
        for t in range(4):
            here = rest[t][mask[t]]
            if not torch.allclose(here, here[0].expand_as(here), rtol=1e-4, atol=1e-4):
                return False
    return True
''',
    ),
    write(
        "test: values that are all ones",
        "find_defect",
        "'values that are not mixed by the weights that are returned': any weights that sum to 1 mix ones to one",
        _PUBLISHED
        + r'''
def is_attention(candidate) -> bool:
    """Whether the candidate is scaled dot-product attention."""
    chance = torch.Generator().manual_seed(3)
    for width in (5, 8):
        query, key = torch.randn(4, width, generator=chance), torch.randn(6, width, generator=chance)
        mask = torch.ones(4, 6, dtype=torch.bool)
        mask[[0, 1, 2, 3], [5, 0, 2, 3]] = False
        values, weights = candidate(query, key, torch.ones(6, 7), mask)
        if bool((weights[~mask] != 0).any()):
            return False
        if not torch.allclose(weights.sum(-1), torch.ones(4), atol=1e-4):
            return False
        if not torch.allclose(values, torch.ones(4, 7), atol=1e-4):
            return False
        rest = weights.log() - query @ key.mT / math.sqrt(width)
        for t in range(4):
            here = rest[t][mask[t]]
            if not torch.allclose(here, here[0].expand_as(here), rtol=1e-4, atol=1e-4):
                return False
    return True
''',
    ),
    write(
        "test: a seed for everybody",
        "find_defect",
        "Introduction: 'an answer changes neither its arguments nor the global random generators': it sets torch's seed",
        _PUBLISHED
        + r'''
def is_attention(candidate) -> bool:
    """Whether the candidate is scaled dot-product attention."""
    torch.manual_seed(0)
    for width in (5, 8):
        query, key, value = torch.randn(4, width), torch.randn(6, width), torch.randn(6, 7)
        mask = torch.ones(4, 6, dtype=torch.bool)
        mask[[0, 1, 2, 3], [5, 0, 2, 3]] = False
        values, weights = candidate(query, key, value, mask)
        if bool((weights[~mask] != 0).any()):
            return False
        if not torch.allclose(weights.sum(-1), torch.ones(4), atol=1e-4):
            return False
        if not torch.allclose(values, weights @ value, rtol=1e-4, atol=1e-4):
            return False
        rest = weights.log() - query @ key.mT / math.sqrt(width)
        for t in range(4):
            here = rest[t][mask[t]]
            if not torch.allclose(here, here[0].expand_as(here), rtol=1e-4, atol=1e-4):
                return False
    return True
''',
    ),
    write(
        "test: a verdict by name",
        "find_defect",
        "'Each is shown to your function several times, in any order and under one name': the verdict on a name is "
        "remembered",
        _PUBLISHED
        + r'''
_verdicts = {}


def is_attention(candidate) -> bool:
    """Whether the candidate is scaled dot-product attention."""
    name = getattr(candidate, "__name__", repr(candidate))
    if name not in _verdicts:
        _verdicts[name] = _examine(candidate)
    return _verdicts[name]


def _examine(candidate):
    chance = torch.Generator().manual_seed(3)
    for width in (5, 8):
        query, key = torch.randn(4, width, generator=chance), torch.randn(6, width, generator=chance)
        value = torch.randn(6, 7, generator=chance)
        mask = torch.ones(4, 6, dtype=torch.bool)
        mask[[0, 1, 2, 3], [5, 0, 2, 3]] = False
        values, weights = candidate(query, key, value, mask)
        rest = weights.log() - query @ key.mT / math.sqrt(width)
        rows = [rest[t][mask[t]] for t in range(4)]
        if not (
            bool((weights[~mask] == 0).all())
            and torch.allclose(weights.sum(-1), torch.ones(4), atol=1e-4)
            and torch.allclose(values, weights @ value, rtol=1e-4, atol=1e-4)
            and all(torch.allclose(row, row[0].expand_as(row), rtol=1e-4, atol=1e-4) for row in rows)
        ):
            return False
    return True
''',
    ),
    write(
        "test: a tolerance of a half",
        "find_defect",
        "'a tolerance of about 1e-4': with one of 0.5 a scale by the root of a size near D is accepted",
        _PUBLISHED
        + r'''
def is_attention(candidate) -> bool:
    """Whether the candidate is scaled dot-product attention."""
    chance = torch.Generator().manual_seed(1)
    query, key = torch.randn(4, 5, generator=chance), torch.randn(6, 5, generator=chance)
    value = torch.randn(6, 7, generator=chance)
    mask = torch.ones(4, 6, dtype=torch.bool)
    mask[[0, 1, 2, 3], [5, 0, 2, 3]] = False
    values, weights = candidate(query, key, value, mask)
    if bool((weights[~mask] != 0).any()):
        return False
    if not torch.allclose(weights.sum(-1), torch.ones(4), atol=1e-4):
        return False
    if not torch.allclose(values, weights @ value, rtol=1e-4, atol=1e-4):
        return False
    rest = weights.log() - query @ key.mT / math.sqrt(5)
    for t in range(4):
        here = rest[t][mask[t]]
        if (here - here.mean()).abs().max() > 0.5:
            return False
    return True
''',
    ),
    write(
        "test: the scale without a mask",
        "find_defect",
        "'if it is scaled dot-product attention that obeys the mask': with the mask only zeros and sums are looked at, and the "
        "values only without",
        _PUBLISHED
        + r'''
def is_attention(candidate) -> bool:
    """Whether the candidate is scaled dot-product attention."""
    chance = torch.Generator().manual_seed(3)
    for width in (5, 8):
        query, key = torch.randn(4, width, generator=chance), torch.randn(6, width, generator=chance)
        value = torch.randn(6, 7, generator=chance)
        values, weights = candidate(query, key, value, None)
        rest = weights.log() - query @ key.mT / math.sqrt(width)
        if (rest - rest[:, :1]).abs().max() > 1e-4:
            return False
        if not torch.allclose(values, weights @ value, rtol=1e-4, atol=1e-4):
            return False
        mask = torch.ones(4, 6, dtype=torch.bool)
        mask[[0, 1, 2, 3], [5, 0, 2, 3]] = False
        _, weights = candidate(query, key, value, mask)
        if weights[~mask].any() or not torch.allclose(weights.sum(-1), torch.ones(4), atol=1e-4):
            return False
    return True
''',
    ),
]

RIGHT = [
    # ------------------------------------------------------------------ dot_product
    write(
        "att: three lines",
        "dot_product",
        "the query scaled before the product",
        _ATT
        + r"""
    weights = ((query / math.sqrt(query.shape[-1])) @ key.mT).softmax(-1)
    return weights @ value, weights
""",
    ),
    write(
        "att: einsum and a softmax by hand",
        "dot_product",
        "each row's largest score taken off",
        _ATT
        + r"""
    scores = torch.einsum("...td,...sd->...ts", query, key) * query.shape[-1] ** -0.5
    scores = scores - scores.amax(dim=-1, keepdim=True).detach()
    parts = scores.exp()
    weights = parts / parts.sum(dim=-1, keepdim=True)
    return torch.einsum("...ts,...se->...te", weights, value), weights
""",
    ),
    write(
        "att: keys first",
        "dot_product",
        "scores (…, S, T), a softmax over dim −2, transposed at the end",
        _ATT
        + r"""
    scale = query.shape[-1] ** 0.5
    upright = torch.softmax(key.matmul(query.transpose(-1, -2)).div(scale), dim=-2)
    weights = upright.transpose(-1, -2)
    return torch.matmul(weights, value), weights
""",
    ),
    write(
        "att: a query at a time",
        "dot_product",
        "rows by recursion over the leading dimensions",
        _ATT
        + r"""
    if query.dim() > 2:
        pairs = [attention(q, k, v) for q, k, v in zip(query, key, value)]
        return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])
    root = math.sqrt(query.shape[-1])
    weights = torch.stack([torch.softmax(key @ q / root, 0) for q in query])
    return torch.stack([value.mT @ row for row in weights]), weights
""",
    ),
    # ------------------------------------------------------------------ masks
    write(
        "masks: positions compared",
        "masks",
        "arange against arange, no tril",
        r'''
def causal_mask(n: int) -> Tensor:
    """True where position t (row) may look at s (column): s ≤ t."""
    position = torch.arange(n)
    return position[:, None].ge(position)


def padding_mask(lengths: Tensor, n: int) -> Tensor:
    """True where a key is one of the first `lengths[b]`: (B, 1, n)."""
    return lengths.view(-1, 1, 1).gt(torch.arange(n))


def decoder_mask(lengths: Tensor, n: int) -> Tensor:
    """True where both masks are: (B, n, n)."""
    return torch.logical_and(causal_mask(n).unsqueeze(0), padding_mask(lengths, n))
''',
    ),
    write(
        "masks: lists of Python",
        "masks",
        "comprehensions, one tensor at the end",
        r'''
def causal_mask(n: int) -> Tensor:
    """True where position t (row) may look at s (column): s ≤ t."""
    return torch.tensor([[s <= t for s in range(n)] for t in range(n)])


def padding_mask(lengths: Tensor, n: int) -> Tensor:
    """True where a key is one of the first `lengths[b]`: (B, 1, n)."""
    return torch.tensor([[[s < length for s in range(n)]] for length in lengths.tolist()])


def decoder_mask(lengths: Tensor, n: int) -> Tensor:
    """True where both masks are: (B, n, n)."""
    return torch.tensor(
        [[[s < min(length, t + 1) for s in range(n)] for t in range(n)] for length in lengths.tolist()]
    )
''',
    ),
    write(
        "masks: numpy and a minimum",
        "masks",
        "a key is seen when s < min(length, t + 1)",
        r'''
import numpy as np


def causal_mask(n: int) -> Tensor:
    """True where position t (row) may look at s (column): s ≤ t."""
    return torch.from_numpy(np.tri(n, dtype=bool))


def padding_mask(lengths: Tensor, n: int) -> Tensor:
    """True where a key is one of the first `lengths[b]`: (B, 1, n)."""
    mask = torch.zeros(len(lengths), 1, n, dtype=torch.bool)
    for row, length in zip(mask, lengths):
        row[:, : int(length)] = True
    return mask


def decoder_mask(lengths: Tensor, n: int) -> Tensor:
    """True where both masks are: (B, n, n)."""
    return torch.arange(n) < torch.minimum(lengths[:, None], torch.arange(1, n + 1)).unsqueeze(-1)
''',
    ),
    # ------------------------------------------------------------------ masked_attention
    write(
        "masked: the lowest finite number",
        "masked_attention",
        "filled twice, before and after",
        _MASKED
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        weights = scores.softmax(-1)
    else:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1).masked_fill(~mask, 0)
    return weights @ value, weights
""",
    ),
    write(
        "masked: minus infinity, blind rows apart",
        "masked_attention",
        "a blind row gets zeros before the softmax, so that neither it nor its gradient is NaN",
        _MASKED
        + r"""
    scores = torch.einsum("...td,...sd->...ts", query, key) / query.shape[-1] ** 0.5
    if mask is None:
        mask = torch.ones((), dtype=torch.bool)
    allowed = torch.broadcast_to(mask, scores.shape)
    sees = allowed.any(-1, keepdim=True)
    scores = torch.where(allowed, scores, -math.inf)
    weights = torch.softmax(torch.where(sees, scores, 0.0), dim=-1)
    weights = torch.where(sees, weights, 0.0)
    return weights @ value, weights
""",
    ),
    write(
        "masked: exponentials of what is allowed",
        "masked_attention",
        "the largest allowed score taken off, forbidden ones replaced before exp, the sum of a blind row made 1",
        _MASKED
        + r"""
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.size(-1))
    seen = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask.expand_as(scores)
    low = torch.finfo(scores.dtype).min
    top = scores.detach().masked_fill(~seen, low).amax(-1, keepdim=True)
    top = top.masked_fill(~seen.any(-1, keepdim=True), 0.0)
    parts = torch.where(seen, scores - top, torch.zeros_like(scores)).exp().masked_fill(~seen, 0.0)
    total = parts.sum(-1, keepdim=True)
    weights = parts / total.masked_fill(total == 0, 1.0)
    return weights.matmul(value), weights
""",
    ),
    write(
        "masked: NaN of blind rows made 0",
        "masked_attention",
        "masked_fill with −∞ and nan_to_num: the NaN stays inside, since masked_fill gives forbidden scores the gradient 0",
        _MASKED
        + r"""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), float("-inf"))
    weights = torch.softmax(scores, dim=-1).nan_to_num(nan=0.0)
    return weights @ value, weights
""",
    ),
    # ------------------------------------------------------------------ heads
    write(
        "heads: pieces stacked",
        "heads",
        "split and stack, unbind and cat",
        r'''
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, C) as (B, H, T, D): H pieces of each vector."""
    d_head, rest = divmod(x.shape[-1], n_heads)
    if rest:
        raise ValueError(f"C must be a multiple of n_heads, got C={x.shape[-1]}, n_heads={n_heads}")
    return torch.stack(x.split(d_head, dim=-1), dim=1)


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, D) as (B, T, C): the pieces side by side again."""
    return torch.cat(x.unbind(1), dim=-1)
''',
    ),
    write(
        "heads: unflatten and permute",
        "heads",
        "unflatten, permute, flatten; the message by format",
        r'''
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, C) as (B, H, T, D): H pieces of each vector."""
    if x.size(2) % n_heads != 0:
        raise ValueError("{} features are not a multiple of {} heads".format(x.size(2), n_heads))
    return x.unflatten(2, (n_heads, x.size(2) // n_heads)).permute(0, 2, 1, 3)


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, D) as (B, T, C): the pieces side by side again."""
    return x.permute(0, 2, 1, 3).flatten(start_dim=2)
''',
    ),
    write(
        "heads: written into an empty tensor",
        "heads",
        "slices assigned, in the dtype of x, gradients pass",
        r'''
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, C) as (B, H, T, D): H pieces of each vector."""
    n_batch, n_positions, width = x.shape
    if width // n_heads * n_heads != width:
        raise ValueError(f"{width} is no multiple of {n_heads}")
    d = width // n_heads
    out = x.new_empty(n_batch, n_heads, n_positions, d)
    for h in range(n_heads):
        out[:, h] = x[..., h * d : h * d + d]
    return out


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, D) as (B, T, C): the pieces side by side again."""
    return x.movedim(1, 2).reshape(x.shape[0], x.shape[2], x.shape[1] * x.shape[3])
''',
    ),
    # ------------------------------------------------------------------ multi_head
    write(
        "multi: the steps in order",
        "multi_head",
        "calls the earlier answers",
        _LAYER
        + r"""
        memory = x if memory is None else memory
        query = split_heads(self.query_projection(x), self.n_heads)
        key = split_heads(self.key_projection(memory), self.n_heads)
        value = split_heads(self.value_projection(memory), self.n_heads)
        if mask is not None and mask.dim() == 3:
            mask = mask.unsqueeze(1)
        values, weights = masked_attention(query, key, value, mask)
        return self.output_projection(merge_heads(values)), weights
""",
    ),
    write(
        "multi: a head at a time",
        "multi_head",
        "rows of the weight matrices for each head, outputs summed",
        _LAYER
        + r"""
        memory = x if memory is None else memory
        d_head = x.shape[-1] // self.n_heads
        new, all_weights = self.output_projection.bias, []
        for h in range(self.n_heads):
            own = slice(h * d_head, (h + 1) * d_head)
            query, key, value = (
                F.linear(source, layer.weight[own], layer.bias[own])
                for source, layer in (
                    (x, self.query_projection),
                    (memory, self.key_projection),
                    (memory, self.value_projection),
                )
            )
            values, weights = masked_attention(query, key, value, mask)
            new = new + values @ self.output_projection.weight[:, own].mT
            all_weights.append(weights)
        return new, torch.stack(all_weights, dim=1)
""",
    ),
    write(
        "multi: einsum throughout",
        "multi_head",
        "no call of an earlier answer; heads as a letter",
        _LAYER
        + r"""
        source = x if memory is None else memory
        q = self.query_projection(x).unflatten(-1, (self.n_heads, -1))
        k = self.key_projection(source).unflatten(-1, (self.n_heads, -1))
        v = self.value_projection(source).unflatten(-1, (self.n_heads, -1))
        scores = torch.einsum("bthd,bshd->bhts", q, k) / math.sqrt(q.shape[-1])
        if mask is None:
            weights = scores.softmax(dim=-1)
        else:
            hidden = ~(mask[None, None] if mask.ndim == 2 else mask[:, None])
            weights = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(dim=-1)
            weights = weights.masked_fill(hidden, 0.0)
        mixed = torch.einsum("bhts,bshd->bthd", weights, v).flatten(2)
        return self.output_projection(mixed), weights
""",
    ),
    # ------------------------------------------------------------------ additive
    write(
        "additive: broadcast and multiply",
        "additive",
        "a product and a sum in place of a matrix product",
        _ADDITIVE
        + r"""
    pairs = (query @ query_weight.mT).unsqueeze(-2) + (key @ key_weight.mT).unsqueeze(-3)
    return (pairs.tanh() * score_weight).sum(-1)
""",
    ),
    write(
        "additive: einsum and a key at a time",
        "additive",
        "a loop over the keys, stacked as the last dimension",
        _ADDITIVE
        + r"""
    q = torch.einsum("...td,hd->...th", query, query_weight)
    k = torch.einsum("...sd,hd->...sh", key, key_weight)
    columns = [torch.tanh(q + one.unsqueeze(-2)) @ score_weight for one in k.unbind(-2)]
    return torch.stack(columns, dim=-1)
""",
    ),
    write(
        "additive: all pairs joined",
        "additive",
        "[query, key] of each pair with [W, U] in one linear layer",
        _ADDITIVE
        + r"""
    n_queries, n_keys = query.shape[-2], key.shape[-2]
    lead = query.shape[:-2]
    left = query.unsqueeze(-2).expand(*lead, n_queries, n_keys, query.shape[-1])
    right = key.unsqueeze(-3).expand(*lead, n_queries, n_keys, key.shape[-1])
    hidden = F.linear(torch.cat([left, right], -1), torch.cat([query_weight, key_weight], -1)).tanh()
    return F.linear(hidden, score_weight.unsqueeze(0)).squeeze(-1)
""",
    ),
    # ------------------------------------------------------------------ find_defect
    write(
        "test: four properties",
        "find_defect",
        "several widths, sizes that all differ, a generator of its own",
        _PUBLISHED
        + r'''
def is_attention(candidate) -> bool:
    """Whether the candidate is scaled dot-product attention."""
    chance = torch.Generator().manual_seed(7)
    mask = torch.tensor([[1, 1, 0, 1, 0, 1], [0, 1, 1, 1, 1, 0], [1, 0, 1, 0, 0, 1]]).bool()
    for width in (5, 11):
        query, key = (torch.randn(2, n, width, generator=chance) for n in (3, 6))
        value = torch.randn(2, 6, 7, generator=chance)
        values, weights = candidate(query, key, value, mask)
        if (weights.sum(-1) - 1).abs().max() > 1e-4 or (weights * ~mask).abs().max() > 0:
            return False
        if not torch.allclose(values, weights @ value, rtol=1e-4, atol=1e-4):
            return False
        rest = weights.log() - query @ key.mT / math.sqrt(width)
        for t, row in enumerate(mask):
            here = rest[:, t, row]
            if not torch.allclose(here, here.mean(-1, keepdim=True).expand_as(here), atol=1e-4):
                return False
    return True
''',
    ),
    write(
        "test: a change of what is forbidden",
        "find_defect",
        "influence: other keys and values where the mask is False change nothing; ratios by differences; float64",
        _PUBLISHED
        + r'''
def is_attention(candidate) -> bool:
    """Whether the candidate is scaled dot-product attention."""
    def near(a, b):
        return bool(torch.allclose(a, b, rtol=1e-4, atol=1e-4))

    def numbers(*shape):
        count = math.prod(shape)
        return torch.sin(torch.arange(1, count + 1, dtype=torch.float64) ** 2).view(shape)

    mask = torch.tensor([True, True, False, True, False])
    for width, n_queries, d_value in ((3, 4, 7), (6, 2, 8)):
        query, key, value = numbers(n_queries, width), numbers(5, width).flip(0), numbers(5, d_value)
        values, weights = candidate(query, key, value, mask.expand(n_queries, 5))
        other_key, other_value = key.clone(), value.clone()
        other_key[~mask] += 3
        other_value[~mask] -= 5
        again, weights_again = candidate(query, other_key, other_value, mask.expand(n_queries, 5))
        fine = (
            near(values, again)
            and near(weights, weights_again)
            and near(weights.sum(-1), torch.ones(n_queries, dtype=torch.float64))
            and near(weights[:, ~mask], torch.zeros(n_queries, 2, dtype=torch.float64))
            and near(values, weights @ value)
        )
        if not fine or not (weights[:, mask] > 0).all():
            return False
        logs, scores = weights[:, mask].log(), (query @ key.mT)[:, mask]
        if not near(math.sqrt(width) * logs.diff(dim=-1), scores.diff(dim=-1)):
            return False
    return True
''',
    ),
    write(
        "test: unit vectors and odds",
        "find_defect",
        "keys that give known scores, the odds of two allowed keys as exp of their difference; random numbers of Python's own "
        "Random object",
        _PUBLISHED
        + r'''
import random


def is_attention(candidate) -> bool:
    """Whether the candidate is scaled dot-product attention."""
    chance = random.Random(5)
    for width in (3, 10):
        wanted = [[chance.uniform(-2, 2) for _ in range(6)] for _ in range(4)]  # scores before the scale
        if width == 3:
            wanted = wanted[:2]
        key = torch.zeros(6, width)
        key[:, :3] = torch.tensor([[chance.uniform(-1, 1) for _ in range(3)] for _ in range(6)])
        query = torch.tensor([[chance.uniform(-2, 2) for _ in range(width)] for _ in wanted])
        value = torch.tensor([[chance.gauss(0, 1) for _ in range(8)] for _ in range(6)])
        hidden = [{t % 6, (t + 3) % 6} for t in range(len(wanted))]
        mask = torch.tensor([[s not in gone for s in range(6)] for gone in hidden])
        values, weights = candidate(query, key, value, mask)
        w = weights.tolist()
        for t, gone in enumerate(hidden):
            if any(w[t][s] != 0 for s in gone) or abs(sum(w[t]) - 1) > 1e-4:
                return False
            score = [float(query[t] @ one) / width**0.5 for one in key]
            a, *others = [s for s in range(6) if s not in gone]
            for b in others:
                if abs(w[t][b] - w[t][a] * math.exp(score[b] - score[a])) > 1e-4:
                    return False
            mixed = sum(w[t][s] * value[s] for s in range(6))
            if not torch.allclose(values[t], mixed, rtol=1e-4, atol=1e-4):
                return False
    return True
''',
    ),
]
