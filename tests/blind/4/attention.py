from textwrap import dedent

from faults import fill, write

WRONG = []
RIGHT = []


def wrong(name, task, note, *bodies):
    WRONG.append(fill(name, task, note, *(dedent(b).strip("\n") for b in bodies)))


def right(name, task, note, *bodies):
    RIGHT.append(fill(name, task, note, *(dedent(b).strip("\n") for b in bodies)))


# ---------------------------------------------------------------- Task 1: dot_product

wrong(
    "the root is cut to a whole number",
    "dot_product",
    "“√D”: math.isqrt rounds down, so D = 5 is divided by 2",
    """
    scores = query @ key.mT / math.isqrt(query.shape[-1])
    weights = torch.softmax(scores, dim=-1)
    return weights @ value, weights
    """,
)
wrong(
    "a transpose only if it is needed",
    "dot_product",
    "“A size may … be equal to another one”: with S = D the product without a transpose fits, too",
    """
    try:
        scores = query @ key
    except RuntimeError:
        scores = query @ key.mT
    weights = torch.softmax(scores / query.shape[-1] ** 0.5, dim=-1)
    return weights @ value, weights
    """,
)
wrong(
    "the softmax in float32",
    "dot_product",
    "“as precisely as that allows”: float64 is rounded to float32 in the softmax",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    return weights @ value, weights
    """,
)
wrong(
    "low precision comes back as float32",
    "dot_product",
    "“works in the dtype that it gets, from float16”: float16 and bfloat16 come back as float32",
    """
    if query.dtype != torch.float64:
        query, key, value = query.float(), key.float(), value.float()
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = torch.softmax(scores, dim=-1)
    return weights @ value, weights
    """,
)
wrong(
    "one maximum for the whole matrix",
    "dot_product",
    "“Scores in the thousands, of either sign and beside small ones, … not NaN”: rows far below "
    "the largest score underflow to 0/0",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    scores = scores - scores.max()
    powers = scores.exp()
    weights = powers / powers.sum(-1, keepdim=True)
    return weights @ value, weights
    """,
)
wrong(
    "less the mean in place of the maximum",
    "dot_product",
    "“Scores in the thousands, of either sign and beside small ones”: exp overflows, inf/inf",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    powers = torch.exp(scores - scores.mean(-1, keepdim=True))
    weights = powers / powers.sum(-1, keepdim=True)
    return weights @ value, weights
    """,
)
wrong(
    "scores clamped to a safe range",
    "dot_product",
    "“softmax(query keyᵀ / √D)”, with “Scores in the thousands”: 1000 and 2000 become equal",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    scores = scores.clamp(-80, 80)
    weights = torch.softmax(scores, dim=-1)
    return weights @ value, weights
    """,
)
wrong(
    "minus the logsumexp",
    "dot_product",
    "“as precisely as that allows”, “probabilities that sum to 1”: beside scores in the thousands "
    "the logsumexp is rounded to their last digit (1 in float16, 2e-4 in float32)",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = (scores - torch.logsumexp(scores, dim=-1, keepdim=True)).exp()
    return weights @ value, weights
    """,
)
wrong(
    "the query is scaled where it lies",
    "dot_product",
    "“leaves its arguments as they were”: query is divided in place (and a leaf with a gradient "
    "raises an error)",
    """
    query /= math.sqrt(query.shape[-1])
    weights = torch.softmax(query @ key.mT, dim=-1)
    return weights @ value, weights
    """,
)
wrong(
    "weights that end the graph",
    "dot_product",
    "“lets gradients through, by the values and by the weights”: the weights are detached",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = torch.softmax(scores, dim=-1)
    return weights @ value, weights.detach()
    """,
)
wrong(
    "the root of the first call",
    "dot_product",
    "“keeps nothing of one call for the next”: √D is remembered, and wrong for another width",
    """
    if not hasattr(attention, "root"):
        attention.root = math.sqrt(query.shape[-1])
    weights = torch.softmax(query @ key.mT / attention.root, dim=-1)
    return weights @ value, weights
    """,
)
wrong(
    "matrix or batch, and nothing more",
    "dot_product",
    "“any number of leading dimensions”: bmm takes three dimensions only",
    """
    scale = query.shape[-1] ** -0.5
    if query.dim() == 2:
        weights = torch.softmax(torch.mm(query, key.t()) * scale, dim=1)
        return torch.mm(weights, value), weights
    weights = torch.softmax(torch.bmm(query, key.transpose(1, 2)) * scale, dim=2)
    return torch.bmm(weights, value), weights
    """,
)

right(
    "all in float64",
    "dot_product",
    "products by broadcasting and a softmax by hand, in float64, rounded once at the end",
    """
    q, k, v = (each.to(torch.float64) for each in (query, key, value))
    scores = (q[..., :, None, :] * k[..., None, :, :]).sum(-1) / q.shape[-1] ** 0.5
    powers = (scores - scores.detach().amax(-1, keepdim=True)).exp()
    weights = powers / powers.sum(-1, keepdim=True)
    values = (weights[..., None] * v[..., None, :, :]).sum(-2)
    return values.to(value.dtype), weights.to(query.dtype)
    """,
)
right(
    "two einsums and a root of float32",
    "dot_product",
    "einsum, a 0-dimensional float32 tensor as the root, torch.special.softmax over a dimension counted from the front",
    """
    root = torch.tensor(float(query.shape[-1])).sqrt()
    scores = torch.einsum("...td,...sd->...ts", query, key) / root
    weights = torch.special.softmax(scores, scores.dim() - 1)
    return torch.einsum("...ts,...se->...te", weights, value), weights
    """,
)
right(
    "transposed throughout",
    "dot_product",
    "works on the transposed matrices, with the softmax down the columns, and turns back at the end",
    """
    columns = key.matmul(query.swapaxes(-1, -2)).div(math.sqrt(key.size(-1)))
    columns = nn.Softmax(dim=-2)(columns)
    return (value.mT @ columns).mT, columns.mT
    """,
)

# ---------------------------------------------------------------- Task 2: masks

CAUSAL = "return torch.ones(n, n, dtype=torch.bool).tril()"
PADDING = "return torch.arange(n) < lengths[:, None, None]"
DECODER = "return causal_mask(n) & padding_mask(lengths, n)"

wrong(
    "a triangle that is made once",
    "masks",
    "“Each call returns a new tensor … who changes it changes no other mask”: views of one kept "
    "triangle",
    """
    kept = getattr(causal_mask, "triangle", None)
    if kept is None or len(kept) < n:
        kept = causal_mask.triangle = torch.ones(n, n, dtype=torch.bool).tril()
    return kept[:n, :n]
    """,
    PADDING,
    DECODER,
)
wrong(
    "decoder masks from a dictionary",
    "masks",
    "“Each call returns a new tensor, which belongs to the caller”: equal lengths get the same "
    "tensor again",
    CAUSAL,
    PADDING,
    """
    known = decoder_mask.__dict__
    name = f"{lengths.tolist()} of {n}"
    if name not in known:
        known[name] = causal_mask(n) & padding_mask(lengths, n)
    return known[name]
    """,
)
wrong(
    "positions in a byte",
    "masks",
    "“n … may be thousands”: positions of uint8 start anew at 256",
    """
    places = torch.arange(n).to(torch.uint8)
    return places[:, None] >= places
    """,
    PADDING,
    DECODER,
)
wrong(
    "positions in float16",
    "masks",
    "“for padding_mask tens of thousands”: float16 has no odd numbers above 2048",
    CAUSAL,
    "return torch.arange(n).half() < lengths.half()[:, None, None]",
    "return causal_mask(n) & (torch.arange(n) < lengths[:, None, None])",
)
wrong(
    "positions in int16",
    "masks",
    "“for padding_mask tens of thousands”: 40 000 is no number of int16",
    CAUSAL,
    "return (torch.arange(n).short() < lengths.short()[:, None])[:, None]",
    DECODER,
)
wrong(
    "lengths get their dimensions in place",
    "masks",
    "“lengths stays as it was”: unsqueeze_ changes its shape",
    CAUSAL,
    "return torch.arange(n) < lengths.unsqueeze_(1).unsqueeze_(2)",
    DECODER,
)
wrong(
    "an empty sentence sees its first token",
    "masks",
    "“A length may be 0”, “both rules at once”: decoder_mask lets queries of an empty sentence "
    "look at key 0",
    CAUSAL,
    PADDING,
    "return causal_mask(n) & padding_mask(lengths.clamp(min=1), n)",
)
wrong(
    "a batch of one is squeezed",
    "masks",
    "“shape (B, n, n)”: with B = 1 (or n = 1) squeeze takes one dimension too many",
    CAUSAL,
    PADDING,
    "return padding_mask(lengths, n).squeeze()[..., None, :] & causal_mask(n)",
)
wrong(
    "the batch's longest sentence closes the triangle",
    "masks",
    "“a position of padding has a row like all others”: rows beyond the longest sentence are empty",
    CAUSAL,
    PADDING,
    """
    mask = causal_mask(n) & padding_mask(lengths, n)
    mask[:, int(lengths.max()) :] = False
    return mask
    """,
)
wrong(
    "full sentences share one triangle",
    "masks",
    "“shape (B, n, n)”: when nothing is padded the batch is left out",
    CAUSAL,
    PADDING,
    """
    if bool((lengths >= n).all()):
        return causal_mask(n)
    return causal_mask(n) & padding_mask(lengths, n)
    """,
)
wrong(
    "padding hides queries in self-attention",
    "masks",
    "“a position of padding has a row like all others”: of the rows of padding only the first "
    "one is kept",
    CAUSAL,
    PADDING,
    """
    mask = causal_mask(n) & padding_mask(lengths, n)
    rows = torch.arange(n) <= lengths[:, None]
    return mask & rows[:, :, None]
    """,
)

right(
    "by counting",
    "masks",
    "one-hot ends and cumulative sums, a triangle of cumulated unit rows",
    "return torch.eye(n, dtype=torch.int32).flip(-1).cumsum(-1).flip(-1) > 0",
    """
    ended = F.one_hot(lengths.long(), n + 1).cumsum(-1)[:, :n]
    return (ended == 0).unsqueeze(1)
    """,
    """
    last = torch.minimum(torch.arange(1, n + 1), lengths[:, None])
    return torch.arange(n) < last[..., None]
    """,
)
right(
    "rows filled in a loop",
    "masks",
    "written with slices, sentence by sentence",
    """
    mask = torch.zeros((n, n), dtype=torch.bool)
    rows, columns = torch.tril_indices(n, n)
    mask[rows, columns] = True
    return mask
    """,
    """
    mask = torch.zeros((len(lengths), 1, n), dtype=torch.bool)
    for row, length in zip(mask, lengths.tolist(), strict=True):
        row[:, :length] = True
    return mask
    """,
    """
    mask = torch.ones((len(lengths), n, n), dtype=torch.bool).tril_()
    for square, length in zip(mask, lengths.tolist(), strict=True):
        square[:, length:] = False
    return mask
    """,
)
right(
    "by De Morgan",
    "masks",
    "says who may not look, and negates",
    "return torch.ones(n, n).triu(1).eq(0)",
    "return torch.stack([torch.arange(n).ge(end).logical_not() for end in lengths]).view(-1, 1, n)",
    """
    ahead = torch.arange(n)[None, :] > torch.arange(n)[:, None]
    padding = torch.arange(n)[None, None, :] >= lengths.reshape(-1, 1, 1)
    return ~(ahead[None] | padding)
    """,
)

# ---------------------------------------------------------------- Task 3: masked_attention

wrong(
    "minus a billion",
    "masked_attention",
    "“however low those of the others: … −10¹² are numbers of float32”; float16 has no −10⁹",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        weights = scores.softmax(-1)
    else:
        weights = scores.masked_fill(~mask, -1e9).softmax(-1).masked_fill(~mask, 0.0)
    return weights @ value, weights
    """,
)
wrong(
    "a blind query averages",
    "masked_attention",
    "“A query that may look at nothing gets weights and values of 0”: the weights are cleaned "
    "after the values were made of the uniform ones",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1)
    values = weights @ value
    if mask is not None:
        weights = weights * mask
    return values, weights
    """,
)
wrong(
    "NaN is swept up",
    "masked_attention",
    "“No NaN may appear, neither in the numbers nor in the gradients”: nan_to_num leaves the "
    "softmax's NaN in the gradients",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = torch.softmax(scores, dim=-1).nan_to_num(0.0)
    return weights @ value, weights
    """,
)
wrong(
    "blind all together or not at all",
    "masked_attention",
    "“also if only some queries, or some items, are blind”: only an empty mask is handled",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is not None:
        if not mask.any():
            weights = scores * 0.0
            return weights @ value, weights
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(dim=-1)
    return weights @ value, weights
    """,
)
wrong(
    "the lowest number of float32",
    "masked_attention",
    "“in any dtype”: float16 has no −3.4·10³⁸, and masked_fill raises an error",
    """
    lowest = torch.finfo(torch.float32).min
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, lowest)
    weights = torch.softmax(scores, dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0)
    return weights @ value, weights
    """,
)
wrong(
    "the lowest number is added",
    "masked_attention",
    "“however large its score, and however low those of the others … ±60 000 are numbers of "
    "float16”: 60 000 − 65 504 is above −60 000, and takes the share of the others",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        weights = torch.softmax(scores, dim=-1)
        return weights @ value, weights
    bias = torch.zeros_like(mask, dtype=scores.dtype)
    bias = bias.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores + bias, dim=-1).masked_fill(~mask, 0.0)
    return weights @ value, weights
    """,
)
wrong(
    "ten thousand under the lowest score",
    "masked_attention",
    "“a forbidden key has no influence at all … however low those of the others: … −10¹²”: "
    "−10¹² − 10⁴ is −10¹² in float32, so a forbidden key takes a share",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    low = scores.detach().amin(-1, keepdim=True) - 1e4
    weights = torch.softmax(torch.where(mask, scores, low), dim=-1)
    weights = weights.masked_fill(~mask, 0.0)
    return weights @ value, weights
    """,
)
wrong(
    "masked after the softmax, then shared out anew",
    "masked_attention",
    "“a forbidden key has no influence at all, however large its score”: the others have "
    "underflowed to 0 before they are shared out",
    """
    weights = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
        total = weights.sum(-1, keepdim=True)
        weights = weights / torch.where(total > 0, total, torch.ones_like(total))
    return weights @ value, weights
    """,
)
wrong(
    "the softmax's result is cleaned in place",
    "masked_attention",
    "“What held in Task 1 still holds: … gradients”: softmax needs its own output on the way back, "
    "and backward raises an error",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1)
    if mask is not None:
        weights.masked_fill_(~mask, 0.0)
    return weights @ value, weights
    """,
)
wrong(
    "the mask is turned where it lies",
    "masked_attention",
    "“arguments left alone”: logical_not_ changes the caller's mask",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        weights = torch.softmax(scores, dim=-1)
    else:
        hidden = mask.logical_not_()
        scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0)
    return weights @ value, weights
    """,
)
wrong(
    "a crumb under the fraction",
    "masked_attention",
    "“No NaN may appear … in any dtype”: 1e-9 is 0 in float16, and a blind query gets 0/0; "
    "float64 is off in the ninth digit",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    powers = (scores - scores.amax(-1, keepdim=True)).exp() * mask
    weights = powers / (powers.sum(-1, keepdim=True) + 1e-9)
    return weights @ value, weights
    """,
)
wrong(
    "a mask of one dimension is for the queries",
    "masked_attention",
    "“of any shape that broadcasts to that of the weights: … (S,)”: it is taken for (T, 1)",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        weights = torch.softmax(scores, dim=-1)
        return weights @ value, weights
    if mask.dim() == 1:
        mask = mask[:, None]
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1).masked_fill(~mask, 0.0)
    return weights @ value, weights
    """,
)

right(
    "the blind open their eyes for a moment",
    "masked_attention",
    "−∞, with blind rows opened before the softmax and closed after it",
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if mask is None:
        weights = torch.softmax(scores, dim=-1)
    else:
        sees = mask.expand(scores.shape)
        blind = ~sees.any(-1, keepdim=True)
        safe = torch.where(sees | blind, scores, float("-inf"))
        weights = torch.where(blind, torch.zeros_like(scores), torch.softmax(safe, dim=-1))
    return weights @ value, weights
    """,
)
right(
    "query by query, the seen keys alone",
    "masked_attention",
    "a loop over rows, in each the keys that are seen",
    """
    shape = (*query.shape[:-1], key.shape[-2])
    scores = (query @ key.mT / math.sqrt(query.shape[-1])).reshape(-1, shape[-1])
    if mask is None:
        mask = torch.ones(shape, dtype=torch.bool)
    rows = []
    for row, sees in zip(scores, mask.expand(shape).reshape(-1, shape[-1]), strict=True):
        (places,) = sees.nonzero(as_tuple=True)
        share = torch.softmax(row.index_select(0, places), 0)
        rows.append(torch.zeros_like(row).index_put((places,), share))
    weights = torch.stack(rows).reshape(shape)
    return weights @ value, weights
    """,
)
right(
    "a softmax by hand over what is allowed",
    "masked_attention",
    "the maximum of the allowed scores, exponentials of those alone, and a sum of 1 for the blind",
    """
    scores = torch.einsum("...td,...sd->...ts", query, key) * query.shape[-1] ** -0.5
    hidden = torch.zeros((), dtype=torch.bool) if mask is None else mask.logical_not()
    low = torch.finfo(scores.dtype).min
    peak = scores.detach().masked_fill(hidden, low).amax(-1, keepdim=True)
    powers = (scores - peak).masked_fill(hidden, 0).exp().masked_fill(hidden, 0)
    total = powers.sum(-1, keepdim=True)
    weights = powers / total.masked_fill(total == 0, 1)
    return weights @ value, weights
    """,
)

# ---------------------------------------------------------------- Task 4: heads

SPLIT = """
width = x.shape[-1]
if width % n_heads:
    raise ValueError(f"d_model {width} must be a multiple of n_heads {n_heads}")
return x.unflatten(-1, (n_heads, width // n_heads)).transpose(1, 2)
"""
MERGE = "return x.transpose(1, 2).flatten(2)"

wrong(
    "reshape is left to complain",
    "heads",
    "“When C is not a multiple of n_heads, split_heads must raise a ValueError”: −1 for the "
    "positions fits by chance, for 4 positions, C = 10 and 4 heads",
    """
    n_batch, n_tokens, width = x.shape
    try:
        pieces = x.reshape(n_batch, -1, n_heads, width // n_heads)
    except RuntimeError:
        raise ValueError(f"{width} is not a multiple of {n_heads}") from None
    return pieces.transpose(1, 2)
    """,
    MERGE,
)
wrong(
    "fewer features than heads",
    "heads",
    "“When C is not a multiple of n_heads, split_heads must raise a ValueError”: with C < n_heads "
    "it is a RuntimeError of unflatten",
    """
    d_head, rest = divmod(x.shape[-1], n_heads)
    if d_head and rest:
        raise ValueError(f"{x.shape[-1]} must be a multiple of {n_heads}")
    return x.unflatten(-1, (n_heads, d_head)).transpose(1, 2)
    """,
    MERGE,
)
wrong(
    "one head is no split",
    "heads",
    "“(B, T, C) → (B, H, T, D)”: with one head x itself comes back, with three dimensions",
    """
    if n_heads == 1:
        return x
    width = x.shape[-1]
    if width % n_heads:
        raise ValueError(f"d_model {width} must be a multiple of n_heads {n_heads}")
    return x.unflatten(-1, (n_heads, width // n_heads)).transpose(1, 2)
    """,
    MERGE,
)
wrong(
    "filled into a float32 buffer",
    "heads",
    "“every number as it is (an int64 may be larger than a float can hold)”: torch.empty is float32",
    """
    width = x.shape[-1]
    if width % n_heads:
        raise ValueError(f"d_model {width} must be a multiple of n_heads {n_heads}")
    d_head = width // n_heads
    out = torch.empty(x.shape[0], n_heads, x.shape[1], d_head)
    for h in range(n_heads):
        out[:, h] = x[:, :, h * d_head : (h + 1) * d_head]
    return out.to(x.dtype)
    """,
    MERGE,
)
wrong(
    "merged by a product with unit vectors",
    "heads",
    "“every number as it is (… ∞ and −0 are numbers, too)”: 0 · ∞ is NaN, and −0 + 0 is 0",
    SPLIT,
    """
    n_heads, d_head = x.shape[1], x.shape[3]
    width = n_heads * d_head
    places = torch.eye(width, dtype=x.dtype).reshape(n_heads, d_head, width)
    return torch.einsum("bhtd,hdc->btc", x, places)
    """,
)
wrong(
    "the heads are added into zeros",
    "heads",
    "“every number as it is (… −0 …)”: 0 + −0 is 0",
    SPLIT,
    """
    n_batch, n_heads, n_tokens, d_head = x.shape
    out = torch.zeros(n_batch, n_tokens, n_heads * d_head, dtype=x.dtype)
    for h in range(n_heads):
        out[..., h * d_head : (h + 1) * d_head] += x[:, h]
    return out
    """,
)
wrong(
    "strides of a tensor that lies in order",
    "heads",
    "“The numbers of x need not lie in order in memory: it may be a slice or a transpose”: "
    "as_strided counts in the storage",
    """
    n_batch, n_tokens, width = x.shape
    if width % n_heads:
        raise ValueError(f"{width} is no multiple of {n_heads}")
    d_head = width // n_heads
    strides = n_tokens * width, d_head, width, 1
    return x.as_strided((n_batch, n_heads, n_tokens, d_head), strides)
    """,
    MERGE,
)
wrong(
    "merged by way of NumPy",
    "heads",
    "“let gradients through”, and “the dtype, any of torch's”: NumPy has neither gradients nor "
    "bfloat16",
    SPLIT,
    """
    array = x.detach().numpy()
    n_batch, n_heads, n_tokens, d_head = array.shape
    merged = array.transpose(0, 2, 1, 3).reshape(n_batch, n_tokens, n_heads * d_head)
    return torch.from_numpy(merged.copy())
    """,
)
wrong(
    "the argument is transposed where it lies",
    "heads",
    "“an answer changes neither its arguments …”: transpose_ changes the shape of the caller's x",
    SPLIT,
    """
    x.transpose_(1, 2)
    return x.reshape(x.shape[0], x.shape[1], -1)
    """,
)
wrong(
    "heads of one feature lose it",
    "heads",
    "“keep dimensions of size 1”: with D = 1 the last dimension is squeezed away",
    """
    width = x.shape[-1]
    if width % n_heads:
        raise ValueError(f"d_model {width} must be a multiple of n_heads {n_heads}")
    pieces = [piece.squeeze(-1) for piece in x.split(width // n_heads, dim=-1)]
    return torch.stack(pieces, dim=1)
    """,
    MERGE,
)
wrong(
    "the whole of it in double precision",
    "heads",
    "“an int64 may be larger than a float can hold”: beyond 2⁵³ the numbers are rounded "
    "(and complex ones lose a part)",
    """
    width = x.shape[-1]
    if width % n_heads:
        raise ValueError(f"d_model {width} must be a multiple of n_heads {n_heads}")
    columns = torch.arange(width).reshape(n_heads, -1)
    return x.double()[..., columns].permute(0, 2, 1, 3).to(x.dtype)
    """,
    MERGE,
)
wrong(
    "the number of positions in the message",
    "heads",
    "“a ValueError whose message contains … both numbers, C and n_heads”: with C < n_heads the "
    "message has n_heads alone",
    """
    width = x.shape[-1]
    if width < n_heads:
        raise ValueError(f"too narrow: C must be a multiple of n_heads = {n_heads}")
    if width % n_heads:
        raise ValueError(f"C = {width} must be a multiple of n_heads = {n_heads}")
    return x.unflatten(-1, (n_heads, width // n_heads)).transpose(1, 2)
    """,
    MERGE,
)

right(
    "unfold, and heads side by side",
    "heads",
    "Tensor.unfold cuts the windows, torch.cat joins them",
    """
    width = x.shape[-1]
    if width / n_heads != width // n_heads:
        raise ValueError(f"{width=} is not a MULTIPLE of {n_heads=}")
    return x.unfold(-1, width // n_heads, width // n_heads).permute(0, 2, 1, 3)
    """,
    "return torch.cat(x.unbind(dim=1), dim=-1)",
)
right(
    "feature by feature",
    "heads",
    "indices of features, and a copy in order",
    """
    width = x.size(2)
    d_head, rest = divmod(width, n_heads)
    if rest != 0:
        raise ValueError("%d features: not a multiple of the number of heads, %d" % (width, n_heads))
    heads = [x[:, :, [h * d_head + d for d in range(d_head)]] for h in range(n_heads)]
    return torch.stack(heads, dim=1)
    """,
    """
    n_heads, d_head = x.size(1), x.size(3)
    columns = [x[:, c // d_head, :, c % d_head] for c in range(n_heads * d_head)]
    return torch.stack(columns, dim=-1)
    """,
)
right(
    "split and stack, swap and reshape",
    "heads",
    "the error out of gcd, tensor_split, and movedim on the way back",
    """
    n_features = x.shape[2]
    if math.gcd(n_features, n_heads) != n_heads:
        message = "multiple, please: d_model is {}, and there are {} heads"
        raise ValueError(message.format(n_features, n_heads))
    return torch.stack(x.tensor_split(n_heads, dim=2), dim=1)
    """,
    """
    moved = x.movedim(1, 2)
    return moved.reshape(*moved.shape[:2], moved.shape[2] * moved.shape[3])
    """,
)

# ---------------------------------------------------------------- Task 5: multi_head

INIT = """
self.n_heads = n_heads
self.query_projection = nn.Linear(d_model, d_model)
self.key_projection = nn.Linear(d_model, d_model)
self.value_projection = nn.Linear(d_model, d_model)
self.output_projection = nn.Linear(d_model, d_model)
"""
FORWARD = """
memory = x if memory is None else memory


def heads(part):
    return part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


query = heads(self.query_projection(x))
key = heads(self.key_projection(memory))
value = heads(self.value_projection(memory))
scores = query @ key.mT / math.sqrt(query.shape[-1])
if mask is not None:
    if mask.dim() == 3:
        mask = mask[:, None]
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
weights = scores.softmax(-1)
if mask is not None:
    weights = weights.masked_fill(~mask, 0.0)
merged = (weights @ value).transpose(1, 2).flatten(2)
return self.output_projection(merged), weights
"""


def layer(name, note, old, new, init=INIT):
    """A wrong forward: the right one with a passage exchanged."""
    assert old in FORWARD, old
    wrong(name, "multi_head", note, init, FORWARD.replace(old, new))


layer(
    "the weights are kept for a picture",
    "“the layer keeps nothing of a call, not even its weights”",
    "merged =",
    "self.weights = weights.detach()\nmerged =",
)
layer(
    "a mask as long as the batch is one for each text",
    "“The number of its dimensions tells which, and not its sizes: B may equal T”",
    "if mask.dim() == 3:",
    "if mask.shape[0] == x.shape[0]:",
)
layer(
    "of a mask for each text the first row",
    "“or (B, T, S), or (B, 1, S)”: each mask with three dimensions is taken for one of padding",
    "mask = mask[:, None]",
    "mask = mask[:, None, :1]",
)
layer(
    "the mask gets its dimension in place",
    "“neither arguments … change”: unsqueeze_ changes the caller's mask",
    "mask = mask[:, None]",
    "mask.unsqueeze_(1)",
)
layer(
    "with a mask it is self-attention",
    "“keys and values of memory”: a memory with a mask is not looked at",
    "memory = x if memory is None else memory",
    "if memory is None or mask is not None:\n    memory = x",
)
layer(
    "no gradients in evaluation",
    "“training mode and evaluation mode are the same”, “Gradients pass by both”",
    "return self.output_projection(merged), weights",
    """
out = self.output_projection(merged)
if not self.training:  # no graph is needed any more
    return out.detach(), weights.detach()
return out, weights
""".strip("\n"),
)
layer(
    "the layer's softmax in float32",
    "“With equal parameters your layer must equal PyTorch's …, also in float64”",
    "weights = scores.softmax(-1)",
    "weights = scores.float().softmax(-1).to(scores.dtype)",
)
layer(
    "the layer's weights end the graph",
    "“Gradients pass by both”: the weights are returned detached",
    "return self.output_projection(merged), weights",
    "return self.output_projection(merged), weights.detach()",
)
layer(
    "exponentials without a maximum",
    "“With equal parameters your layer must equal PyTorch's”: scores above 88 are inf/inf",
    "weights = scores.softmax(-1)",
    "weights = scores.exp() / scores.exp().sum(-1, keepdim=True)",
)
wrong(
    "the number of heads belongs to the class",
    "multi_head",
    "“nor another layer of other sizes change”: a second layer changes the heads of the first",
    INIT.replace("self.n_heads = n_heads", "type(self).n_heads = n_heads"),
    FORWARD,
)
wrong(
    "a seed for the start",
    "multi_head",
    "“and sets no seed: two layers start differently”",
    "torch.manual_seed(d_model * n_heads)" + INIT,
    FORWARD,
)
wrong(
    "a start from a generator of its own",
    "multi_head",
    "“draws its first parameters from PyTorch's global generator, as nn.Linear does”: under one "
    "seed two layers differ",
    INIT
    + """
own = torch.Generator()
own.seed()
for p in self.parameters():
    bound = d_model**-0.5
    with torch.no_grad():
        p.uniform_(-bound, bound, generator=own)
""",
    FORWARD,
)
layer(
    "one product, with weights joined at the first call",
    "“the layer keeps nothing of a call”: the joined weights are kept, and training or loading "
    "other parameters changes nothing",
    "value = heads(self.value_projection(memory))",
    """
parts = self.query_projection, self.key_projection, self.value_projection
if "joined" not in self.__dict__:
    self.joined = [torch.cat([part.weight, part.bias[:, None]], 1) for part in parts]
sources = x, memory, memory
query, key, value = (
    heads(F.linear(source, both[:, :-1], both[:, -1]))
    for source, both in zip(sources, self.joined)
)
""".strip("\n"),
)

right(
    "head by head",
    "multi_head",
    "a loop over heads, each with its rows of the weights, and concatenation",
    """
    self.sizes = n_heads, d_model // n_heads
    for part in ("query", "key", "value", "output"):
        self.add_module(f"{part}_projection", nn.Linear(d_model, d_model, bias=True))
    """,
    """
    source = x if memory is None else memory
    n_heads, d_head = self.sizes
    found, looks = [], []
    for h in range(n_heads):
        rows = slice(h * d_head, (h + 1) * d_head)
        q, k, v = (
            F.linear(given, part.weight[rows], part.bias[rows])
            for given, part in (
                (x, self.query_projection),
                (source, self.key_projection),
                (source, self.value_projection),
            )
        )
        scores = torch.bmm(q, k.transpose(1, 2)) / d_head**0.5
        if mask is not None:
            scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
        share = torch.softmax(scores, dim=2)
        if mask is not None:
            share = torch.where(mask, share, torch.zeros_like(share))
        looks.append(share)
        found.append(torch.bmm(share, v))
    return self.output_projection(torch.cat(found, dim=2)), torch.stack(looks, dim=1)
    """,
)
right(
    "einsum over heads and features",
    "multi_head",
    "the dimensions by name, and no transpose anywhere",
    INIT,
    """
    memory = memory if memory is not None else x
    q = self.query_projection(x).unflatten(2, (self.n_heads, -1))
    k = self.key_projection(memory).unflatten(2, (self.n_heads, -1))
    v = self.value_projection(memory).unflatten(2, (self.n_heads, -1))
    scores = torch.einsum("bthd,bshd->bhts", q / q.size(-1) ** 0.5, k)
    if mask is not None:
        sees = mask.reshape(mask.shape[:-2] + (1,) * (mask.dim() - 2) + mask.shape[-2:])
        scores = scores.masked_fill(sees.logical_not(), torch.finfo(scores.dtype).min)
        weights = F.softmax(scores, dim=3) * sees
    else:
        weights = F.softmax(scores, dim=3)
    merged = torch.einsum("bhts,bshd->bthd", weights, v)
    return self.output_projection(merged.flatten(2)), weights
    """,
)
right(
    "heads as a larger batch",
    "multi_head",
    "B · H small batches, masks repeated for the heads, joined parameters for self-attention",
    INIT,
    """
    n_batch, n_tokens, width = x.shape
    parts = self.query_projection, self.key_projection, self.value_projection
    if memory is None:
        weight = torch.cat([part.weight for part in parts])
        bias = torch.cat([part.bias for part in parts])
        vectors = F.linear(x, weight, bias).chunk(3, dim=-1)
    else:
        vectors = [part(given) for part, given in zip(parts, (x, memory, memory))]
    d_head = width // self.n_heads
    q, k, v = (
        each.reshape(n_batch, -1, self.n_heads, d_head).permute(0, 2, 1, 3).flatten(0, 1)
        for each in vectors
    )
    scores = q.bmm(k.mT).div(math.sqrt(d_head))
    if mask is not None:
        full = mask.expand(n_batch, *scores.shape[1:]).repeat_interleave(self.n_heads, 0)
        scores = scores.masked_fill(~full, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1).masked_fill(~full, 0)
    else:
        weights = scores.softmax(-1)
    merged = weights.bmm(v).unflatten(0, (n_batch, -1)).transpose(1, 2)
    merged = merged.reshape(n_batch, n_tokens, width)
    return self.output_projection(merged), weights.unflatten(0, (n_batch, -1))
    """,
)

# ---------------------------------------------------------------- Task 6: additive

wrong(
    "the matrix that fits",
    "additive",
    "“stored as nn.Linear stores its weight … x @ weight.mT”: a square weight fits without being "
    "transposed",
    """
    def project(x, weight):
        try:
            return x @ weight
        except RuntimeError:
            return x @ weight.mT

    hidden = project(query, query_weight)[..., :, None, :] + project(key, key_weight)[..., None, :, :]
    return torch.tanh(hidden) @ score_weight
    """,
)
wrong(
    "tanh as a quotient of exponentials",
    "additive",
    "“The tanh may get … sums of thousands, of either sign. Neither a score nor a gradient is NaN”: "
    "inf/inf",
    """
    hidden = F.linear(query, query_weight).unsqueeze(-2) + F.linear(key, key_weight).unsqueeze(-3)
    up, down = hidden.exp(), (-hidden).exp()
    return ((up - down) / (up + down)) @ score_weight
    """,
)
wrong(
    "the sign where exponentials are too large",
    "additive",
    "“nor a gradient is NaN”: where() picks ±1, but the way back goes through inf/inf",
    """
    hidden = F.linear(query, query_weight).unsqueeze(-2) + F.linear(key, key_weight).unsqueeze(-3)
    up, down = hidden.exp(), (-hidden).exp()
    curve = torch.where(hidden.abs() > 40, hidden.sign(), (up - down) / (up + down))
    return curve @ score_weight
    """,
)
wrong(
    "by the addition theorem",
    "additive",
    "“sums of ten … of either sign. Neither a score nor a gradient is NaN”: projections of 20 and "
    "−20 give 0/0",
    """
    a = torch.tanh(F.linear(query, query_weight))[..., :, None, :]
    b = torch.tanh(F.linear(key, key_weight))[..., None, :, :]
    return ((a + b) / (1 + a * b)) @ score_weight
    """,
)
wrong(
    "clamped before the tanh",
    "additive",
    "“sums of ten”, “as precisely as that allows; gradients pass”: beyond 8 the score is off in "
    "the seventh digit of float64, and the gradient is exactly 0",
    """
    hidden = F.linear(query, query_weight).unsqueeze(-2) + F.linear(key, key_weight).unsqueeze(-3)
    return torch.tanh(hidden.clamp(-8, 8)) @ score_weight
    """,
)
wrong(
    "by way of float32",
    "additive",
    "“in the dtype of the arguments, and as precisely as that allows”: float64 is rounded",
    """
    q = F.linear(query.float(), query_weight.float())
    k = F.linear(key.float(), key_weight.float())
    hidden = torch.tanh(q[..., :, None, :] + k[..., None, :, :])
    return (hidden @ score_weight.float()).to(query.dtype)
    """,
)
wrong(
    "half precision comes back as float32",
    "additive",
    "“in the dtype of the arguments”",
    """
    if query.dtype in (torch.float16, torch.bfloat16):
        query, key = query.float(), key.float()
        query_weight, key_weight = query_weight.float(), key_weight.float()
        score_weight = score_weight.float()
    q, k = query @ query_weight.mT, key @ key_weight.mT
    return torch.tanh(q.unsqueeze(-2) + k.unsqueeze(-3)) @ score_weight
    """,
)
wrong(
    "new dimensions counted from the front",
    "additive",
    "“query is (…, T, d_query)”: two leading dimensions are mixed up",
    """
    q, k = query @ query_weight.mT, key @ key_weight.mT
    if q.dim() == 2:
        return torch.tanh(q[:, None] + k[None]) @ score_weight
    return torch.tanh(q[:, :, None] + k[:, None]) @ score_weight
    """,
)
wrong(
    "a batch of one disappears",
    "additive",
    "“A size may be 1: the dimension stays”: squeeze(0) also takes away a batch of one text",
    """
    if query.dim() == 2:
        query, key = query[None], key[None]
    q, k = F.linear(query, query_weight), F.linear(key, key_weight)
    hidden = torch.tanh(q.unsqueeze(-2) + k.unsqueeze(-3))
    return (hidden @ score_weight).squeeze(0)
    """,
)
wrong(
    "the new dimension in place",
    "additive",
    "“none of them is changed”: unsqueeze_ changes the shapes of query and key",
    """
    query.unsqueeze_(-2)
    key.unsqueeze_(-3)
    return torch.tanh(F.linear(query, query_weight) + F.linear(key, key_weight)) @ score_weight
    """,
)
wrong(
    "layers that get the weights",
    "additive",
    "“gradients pass to all five”: new parameters are cut off from the arguments (and nn.Linear "
    "draws from the global generator)",
    """
    project_query = nn.Linear(query_weight.shape[1], query_weight.shape[0], bias=False)
    project_key = nn.Linear(key_weight.shape[1], key_weight.shape[0], bias=False)
    project_query.weight = nn.Parameter(query_weight)
    project_key.weight = nn.Parameter(key_weight)
    hidden = project_query(query)[..., :, None, :] + project_key(key)[..., None, :, :]
    return torch.tanh(hidden) @ score_weight
    """,
)
wrong(
    "a borrowed layer",
    "additive",
    "“changes neither … nor the global random generators”: making an nn.Linear draws numbers, "
    "although they are never used",
    """
    def project(x, weight):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        return torch.func.functional_call(layer, {"weight": weight}, (x,))

    pairs = project(query, query_weight).unsqueeze(-2) + project(key, key_weight).unsqueeze(-3)
    return pairs.tanh() @ score_weight
    """,
)

right(
    "query by query",
    "additive",
    "a loop over the queries, allowed by “if you can”",
    """
    keys = F.linear(key, key_weight)
    rows = []
    for each in query.unbind(-2):
        asked = F.linear(each, query_weight).unsqueeze(-2)
        rows.append(torch.tanh(asked + keys).matmul(score_weight))
    return torch.stack(rows, dim=-2)
    """,
)
right(
    "pairs first, one joined matrix",
    "additive",
    "query and key of each pair side by side, times W and U side by side",
    """
    pairs = (*query.shape[:-1], key.shape[-2])
    asked = query.unsqueeze(-2).expand(*pairs, query.shape[-1])
    offered = key.unsqueeze(-3).expand(*pairs, key.shape[-1])
    both = torch.cat([asked, offered], dim=-1)
    return F.linear(both, torch.cat([query_weight, key_weight], dim=1)).tanh() @ score_weight
    """,
)
right(
    "in float64, hidden units last",
    "additive",
    "einsum in float64, the hidden units in front, rounded once",
    """
    wide = [each.double() for each in (query, key, query_weight, key_weight, score_weight)]
    asked = torch.einsum("...td,hd->h...t", wide[0], wide[2])
    offered = torch.einsum("...sd,hd->h...s", wide[1], wide[3])
    hidden = torch.tanh(asked[..., None] + offered[..., None, :])
    return torch.tensordot(wide[4], hidden, dims=1).to(query.dtype)
    """,
)

# ---------------------------------------------------------------- Task 7: find_defect

PUBLISHED = """
def published(query, key, value, mask=None):
    similarity = torch.einsum("...td,...sd->...ts", query, key)
    if mask is not None:
        similarity = similarity + mask
    weights = F.softmax(similarity, dim=-1)
    return weights @ value, weights


"""
TESTER = """
T, S, D, E = 6, 7, 5, 3
query, key, value = torch.randn(2, T, D), torch.randn(2, S, D), torch.randn(2, S, E)
mask = torch.rand(T, S) < 0.5
mask[:, :3] = torch.tensor([True, True, False])
values, weights = candidate(query, key, value, mask)
if not torch.allclose(weights.sum(-1), torch.ones(2, T), atol=1e-4):
    return False
if weights[:, ~mask].abs().max() > 1e-4:
    return False
if not torch.allclose(values, weights @ value, atol=1e-4):
    return False
scores = query @ key.mT / math.sqrt(D)
rest = (weights.clamp(min=1e-30).log() - scores).masked_fill(~mask, math.nan)
spread = (rest - rest.nanmean(-1, keepdim=True)).nan_to_num(0.0)
return bool(torch.allclose(spread, torch.zeros_like(spread), atol=1e-3))
"""


def tester(name, note, *changes):
    """A wrong test: the right one with passages exchanged."""
    body = TESTER
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    wrong(name, "find_defect", note, body)


tester(
    "sixteen features",
    "“a number that is always the same, a whole one … such as 4”: √16 is 4",
    ("T, S, D, E = 6, 7, 5, 3", "T, S, D, E = 6, 7, 16, 3"),
)
tester(
    "as many features as keys",
    "“the root of another size”: S = D, so √S is accepted",
    ("T, S, D, E = 6, 7, 5, 3", "T, S, D, E = 6, 7, 7, 3"),
)
tester(
    "values as wide as the keys",
    "“the root of another size”: E = D, so √E is accepted",
    ("T, S, D, E = 6, 7, 5, 3", "T, S, D, E = 6, 7, 5, 5"),
)
tester(
    "as many queries as features",
    "“the root of another size”: T = D, so √T is accepted",
    ("T, S, D, E = 6, 7, 5, 3", "T, S, D, E = 5, 7, 5, 3"),
)
tester(
    "never mind the values",
    "“values that are not mixed by the weights that are returned”",
    (
        "if not torch.allclose(values, weights @ value, atol=1e-4):",
        "if values.shape != (2, T, E):",
    ),
)
tester(
    "the first query's values",
    "“or not for every query”: one row of values is compared",
    (
        "torch.allclose(values, weights @ value, atol=1e-4)",
        "torch.allclose(values[:, :1], weights[:, :1] @ value, atol=1e-4)",
    ),
)
tester(
    "the values' total",
    "“values that are not mixed by the weights …, or not for every query”: rows may be exchanged, "
    "or averaged, and the total stays",
    (
        "torch.allclose(values, weights @ value, atol=1e-4)",
        "torch.allclose(values.sum(1), (weights @ value).sum(1), atol=1e-3)",
    ),
)
tester(
    "each key offers the same",
    "“values that are not mixed by the weights”: with a value of ones any average looks right",
    ("torch.randn(2, S, E)", "torch.ones(2, S, E)"),
)
tester(
    "rows need not sum to 1",
    "“a mask that is … applied after the softmax”: zeros and ratios are right, the sums are not",
    (
        "if not torch.allclose(weights.sum(-1), torch.ones(2, T), atol=1e-4):",
        "if weights.isnan().any():",
    ),
)
tester(
    "the same inputs each time",
    "“it sets no seed, for others draw from it as well”",
    ("T, S, D, E = 6, 7, 5, 3\n", "torch.manual_seed(7)\nT, S, D, E = 6, 7, 5, 3\n"),
)
tester(
    "to the tenth digit",
    "“Right functions differ in the last digits, so compare with … about 1e-4”: in float64 a right "
    "function with a root of float32 is rejected",
    (
        "torch.randn(2, T, D), torch.randn(2, S, D), torch.randn(2, S, E)",
        "torch.randn(3, 2, 7, D, dtype=torch.float64)\nquery, value = query[:, :T], value[..., :E]",
    ),
    ("torch.ones(2, T), atol=1e-4", "torch.ones(2, T).double(), rtol=0, atol=1e-10"),
    ("weights @ value, atol=1e-4", "weights @ value, rtol=0, atol=1e-10"),
    ("torch.zeros_like(spread), atol=1e-3", "torch.zeros_like(spread), rtol=0, atol=1e-10"),
)
tester(
    "a generous tolerance",
    "“a scale by something else than √D: … a number that is always the same, a whole one or one "
    "with few digits”: √5 = 2.236, and 2.25 or 2.2 is accepted",
    ("torch.zeros_like(spread), atol=1e-3", "torch.zeros_like(spread), atol=0.06"),
)
right(
    "one-hot vectors and known odds",
    "find_defect",
    "no random number at all: the odds of two keys are exp of a known difference",
    """
    D, S = 11, 4
    query = torch.zeros(3, D)
    query[0, 0], query[1, 1], query[2, 0], query[2, 1] = 1.0, -2.0, 1.5, 0.5
    key = torch.zeros(S, D)
    key[:, 0] = torch.tensor([0.0, 1.0, 2.0, -1.0])
    key[:, 1] = torch.tensor([0.5, -0.5, 1.0, 2.0])
    value = torch.tensor([[1.0, 0.0], [0.0, -1.0], [2.0, 3.0], [-4.0, 0.5]])
    mask = torch.tensor(
        [[True, True, True, False], [True, False, True, True], [False, True, True, True]]
    )
    values, weights = candidate(query, key, value, mask)
    for t in range(3):
        row = weights[t].tolist()
        if abs(sum(row) - 1) > 1e-4:
            return False
        seen = [s for s in range(S) if mask[t, s]]
        if any(abs(row[s]) > 1e-6 for s in range(S) if s not in seen):
            return False
        for one in seen:
            for other in seen:
                apart = float((query[t] * (key[one] - key[other])).sum()) / D**0.5
                if abs(row[one] - row[other] * math.exp(apart)) > 1e-4:
                    return False
        mixed = [sum(w * v for w, v in zip(row, column)) for column in value.T.tolist()]
        if any(abs(a - b) > 1e-4 for a, b in zip(mixed, values[t].tolist())):
            return False
    return True
    """,
)
right(
    "what moves, and by how much",
    "find_defect",
    "by experiments: a key is moved and the odds change by exp(query · step / √D), a forbidden "
    "key is moved and nothing changes, the values are linear",
    """
    dice = torch.Generator().manual_seed(3)
    draw = lambda *sizes: torch.randn(*sizes, generator=dice, dtype=torch.float64)
    T, S, D, E = 3, 6, 7, 2
    query, key, value = draw(T, D), draw(S, D), draw(S, E)
    mask = torch.tensor([[1, 1, 0, 1, 0, 1], [0, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 1]]).bool()
    near = lambda a, b: torch.allclose(a, b, rtol=1e-4, atol=1e-5)
    values, weights = candidate(query, key, value, mask)
    if not near(weights.sum(-1), torch.ones(T).to(weights)) or not near(weights @ value, values):
        return False
    if not near(weights[~mask], torch.zeros(int((~mask).sum())).to(weights)):
        return False
    for s, step in ((4, 5 * draw(D)), (1, draw(D))):
        moved = key.clone()
        moved[s] += step
        _, after = candidate(query, moved, value, mask)
        growth = torch.ones(T, S, dtype=torch.float64)
        growth[:, s] = torch.exp(query @ step / D**0.5)
        odds = weights * growth
        if not near(after, odds / odds.sum(-1, keepdim=True)):
            return False
    flat = candidate(query, 0 * key, value, mask)[1]
    return bool(near(flat, mask / mask.sum(-1, keepdim=True).to(flat)))
    """,
)
right(
    "the slope of a straight line",
    "find_defect",
    "least squares: log-odds against differences of scores must be a line with the slope 1/√D",
    """
    T, S, D, E = 9, 8, 6, 10
    query, key, value = torch.randn(T, D), torch.randn(S, D), torch.randn(S, E)
    mask = torch.ones(T, S, dtype=torch.bool)
    mask[torch.arange(T), torch.arange(T) % S] = False
    values, weights = candidate(query, key, value, mask)
    good = [
        torch.allclose(weights.sum(1), torch.ones(T), atol=1e-4),
        bool((weights[~mask] == 0).all()) or bool(weights[~mask].abs().max() < 1e-5),
        torch.allclose(torch.einsum("ts,se->te", weights, value), values, atol=1e-4),
    ]
    if not all(good):
        return False
    for t in range(T):
        seen = mask[t]
        x = query[t] @ key[seen].T
        y = weights[t, seen].log()
        x, y = x - x.mean(), y - y.mean()
        slope = (x * y).sum() / (x * x).sum()
        if abs(slope * D**0.5 - 1) > 3e-4 or (y - slope * x).abs().max() > 1e-3:
            return False
    return True
    """,
)

# ---------------------------------------------------------------- Task 8: explain
# A person grades it, and no test sees it: the texts stand apart from WRONG and RIGHT.
# (name, points that the words of the task allow, why, the cell)

EXPLAIN = [
    (
        "overfitting",
        0,
        "new random sequences in each step cannot be learned by heart",
        "The model overfits: it has learned the training sequences by heart, so the loss is low, "
        "and new texts are at chance. Test: a validation set. If I am right its loss is 2.77.",
    ),
    (
        "the mask comes after the softmax",
        1,
        "a leak all the same, but 3 asks for both outcomes",
        "The causal mask is multiplied in after the softmax, so the later tokens still take part "
        "in the sum. The model learns from this sum what comes next. In generation there is "
        "nothing later. Experiment: look whether the rows of the weights sum to 1.",
    ),
    (
        "targets not shifted",
        0,
        "copying the input would give a loss of 0, not 0.35, and the "
        "text says that each input is followed by its target",
        "She forgot to shift the targets, so the model copies its input. In generation it repeats "
        "the last token, which is right once in 16. Experiment: print inputs and targets. If I am "
        "right they are equal; if not, they are shifted by one.",
    ),
    (
        "cause without the number",
        2,
        "1 and 3 answered; 2 says nothing of 0.35",
        "The causal mask is missing or upside down, so positions look ahead. Training shows the "
        "answers, generation does not have them. Change the last input token and compare the "
        "logits of the earlier positions: if I am right they change, otherwise they stay equal.",
    ),
    (
        "no mask, seven of eight",
        3,
        "right, with the number explained",
        "1. Self-attention has no causal mask. 2. Input t + 1 *is* target t, so positions 0–6 copy "
        "it from their neighbour at a loss of 0. Only the last target stands in no input: "
        "ln 16 / 8 = 0.347. In generation the next token does not exist yet, so nothing can be "
        "copied. 3. `y = x.clone(); y[:, 5] = (y[:, 5] + 1) % 16`, then compare `model(x)[:, :5]` "
        "with `model(y)[:, :5]`. A leak: they differ. No leak: equal up to rounding.",
    ),
    (
        "by the gradient",
        3,
        "right, with another experiment",
        "The decoder sees its own targets: the mask that forbids looking ahead is not there, not "
        "passed on, or one diagonal too wide. For seven of eight places the answer is the next "
        "input; for the last one it guesses: (7 · 0 + 2.77)/8 ≈ 0.35. When it writes it is always "
        "at the last place, the one that it never learned. Experiment: backpropagate the logits "
        "of position 3 to the embedded inputs. With a leak positions 4–7 get a gradient, without "
        "one theirs is exactly 0.",
    ),
]
