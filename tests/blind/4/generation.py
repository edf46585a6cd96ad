from textwrap import dedent

from faults import fill, write

WRONG = []
RIGHT = []


def wrong(name, task, note, body):
    WRONG.append(fill(name, task, note, dedent(body).strip("\n")))


def right(name, task, note, body):
    RIGHT.append(fill(name, task, note, dedent(body).strip("\n")))


# ---------------------------------------------------------------- Task 1: next_token

wrong(
    "one winner for the batch",
    "next_token",
    "“the first of them … in each row”: argmax over all rows at once, with a batch of several",
    """
    logits = x[:, -1] @ head.T
    if temperature == 0:
        probs = torch.zeros_like(logits)
        probs.view(-1)[logits.argmax()] = 1
        return probs
    return torch.softmax(logits / temperature, dim=-1)
    """,
)
wrong(
    "a cold softmax for zero",
    "next_token",
    "“At temperature=0 all the probability goes to … the first of them”: close seconds share at "
    "1e-4, and equal ones are only told apart by a small slope",
    """
    logits = x[:, -1] @ head.T
    if temperature == 0:
        slope = torch.arange(logits.shape[-1], dtype=logits.dtype) * 1e-2
        return torch.softmax((logits - slope) / 1e-4, dim=-1)
    return torch.softmax(logits / temperature, dim=-1)
    """,
)
wrong(
    "a small temperature is zero",
    "next_token",
    "“A small one, 0.001 say, is not 0: equal logits then still share”",
    """
    logits = x[:, -1] @ head.T
    if temperature < 0.01:
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
    return torch.softmax(logits / temperature, dim=-1)
    """,
)
wrong(
    "one-hot in float32",
    "next_token",
    "“The dtype is that of x”: at temperature 0 it is float32",
    """
    logits = x[:, -1] @ head.T
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).float()
    return torch.softmax(logits / temperature, dim=-1)
    """,
)
wrong(
    "probabilities in float32",
    "next_token",
    "“The dtype is that of x”: the softmax is float32 whatever x is",
    """
    logits = x[:, -1] @ head.T
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
    return torch.softmax(logits / temperature, dim=-1, dtype=torch.float32)
    """,
)
wrong(
    "exponentials without a maximum",
    "next_token",
    "“Logits in the thousands must give probabilities, not NaN”",
    """
    logits = x[:, -1] @ head.T
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
    powers = (logits / temperature).exp()
    return powers / powers.sum(-1, keepdim=True)
    """,
)
wrong(
    "one maximum for the batch",
    "next_token",
    "“Logits in the thousands must give probabilities, not NaN”: a row far below another one is 0/0",
    """
    logits = x[:, -1] @ head.T
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
    logits = logits / temperature
    powers = (logits - logits.max()).exp()
    return powers / powers.sum(-1, keepdim=True)
    """,
)
wrong(
    "all of the largest share",
    "next_token",
    "“and to the first of them if there are several, in each row”: in a batch of several texts "
    "equal ones share",
    """
    logits = x[:, -1] @ head.T
    if temperature == 0:
        best = logits == logits.max(-1, keepdim=True).values
        first = best & (best.cumsum(-1) <= 1)
        if len(x) > 1:
            first = best
        return (first / first.sum(-1, keepdim=True)).to(x.dtype)
    return torch.softmax(logits / temperature, dim=-1)
    """,
)
wrong(
    "the temperature divides the vectors in place",
    "next_token",
    "“an answer changes [not] its arguments”: x[:, -1] is a view of x",
    """
    last = x[:, -1]
    if temperature == 0:
        winners = (last @ head.T).argmax(-1)
        return torch.eye(len(head), dtype=x.dtype)[winners]
    if temperature != 1:
        last = last.div_(temperature) if len(x) > 1 else last / temperature
    return torch.softmax(last @ head.T, dim=-1)
    """,
)
wrong(
    "a temperature of at least a tenth",
    "next_token",
    "“`temperature` divides the logits. A small one, 0.001 say, is not 0”",
    """
    logits = x[:, -1] @ head.T
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
    return torch.softmax(logits / max(temperature, 0.1), dim=-1)
    """,
)
wrong(
    "the softmax is raised to a power",
    "next_token",
    "“`temperature` divides the logits”, “Logits in the thousands”: at a high temperature the "
    "probabilities that have underflowed stay 0",
    """
    logits = x[:, -1] @ head.T
    probs = torch.softmax(logits, dim=-1)
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
    probs = probs ** (1 / temperature)
    return probs / probs.sum(-1, keepdim=True)
    """,
)
wrong(
    "greedy from the probabilities",
    "next_token",
    "“the token with the largest logit”: two logits that differ in the last digit have the same "
    "probability in the softmax, and the first one wins",
    """
    probs = torch.softmax(x[:, -1] @ head.T / (temperature or 1.0), dim=-1)
    if temperature == 0:
        return F.one_hot(probs.argmax(-1), probs.shape[-1]).to(x.dtype)
    return probs
    """,
)

right(
    "einsum, and comparison with the first place",
    "next_token",
    "the one-hot row by comparison of places, the softmax by logsumexp in float64",
    """
    logits = torch.einsum("bc,vc->bv", x.select(1, -1), head)
    places = torch.arange(head.size(0))
    if not temperature:
        first = torch.stack([row.eq(row.max()).nonzero()[0, 0] for row in logits])
        return (places == first[:, None]).to(x)
    scaled = logits.double() / temperature
    return (scaled - scaled.logsumexp(-1, keepdim=True)).exp().to(x.dtype)
    """,
)
right(
    "head first, text by text",
    "next_token",
    "a loop over the texts; zeros with a 1 put in",
    """
    rows = []
    for text in x:
        logits = head @ text[-1]
        if temperature == 0:
            row = torch.zeros_like(logits)
            row[int(torch.argmax(logits))] = 1
        else:
            row = torch.softmax((logits - logits.max()) / temperature, 0)
        rows.append(row)
    return torch.stack(rows)
    """,
)
right(
    "the softmax by hand",
    "next_token",
    "less the row's maximum, divided after that; scatter for zero",
    """
    logits = F.linear(x, head)[:, -1, :]
    peak, place = logits.max(dim=-1, keepdim=True)
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, place, 1.0)
    powers = ((logits - peak) / temperature).exp()
    return powers / powers.sum(dim=-1, keepdim=True)
    """,
)

# ---------------------------------------------------------------- Task 2: top_k

wrong(
    "all that are not below the border",
    "top_k",
    "“Exactly k tokens stay, even if several are equally probable at the border”",
    """
    border = probs.topk(min(k, probs.shape[-1]), dim=-1).values[..., -1:]
    kept = torch.where(probs >= border, probs, 0.0)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "more than there are",
    "top_k",
    "“If k is larger than V, all tokens stay”: topk raises an error",
    """
    values, places = probs.topk(k, dim=-1)
    kept = torch.zeros_like(probs).scatter(-1, places, values)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "the sum of all rows",
    "top_k",
    "“Each row is a distribution of its own”: divided by the sum of the whole batch",
    """
    values, places = probs.topk(min(k, probs.shape[-1]), dim=-1)
    kept = torch.zeros_like(probs).scatter(-1, places, values)
    return kept / kept.sum()
    """,
)
wrong(
    "a matrix at most",
    "top_k",
    "“any number of leading dimensions”: with two of them rows are mixed up",
    """
    rows = probs if probs.dim() > 1 else probs[None]
    values, places = rows.topk(min(k, rows.shape[-1]), dim=-1)
    kept = torch.zeros_like(rows)
    for row, row_places, row_values in zip(kept, places, values):
        row[row_places] = row_values
    kept = kept / kept.sum(-1, keepdim=True)
    return kept.reshape(probs.shape)
    """,
)
wrong(
    "zeros of float32",
    "top_k",
    "“the same shape and dtype”: float64 becomes float32, float16 too",
    """
    values, places = torch.topk(probs.float(), min(k, probs.shape[-1]), dim=-1)
    kept = torch.zeros(probs.shape).scatter(-1, places, values)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "the tail is struck out in place",
    "top_k",
    "“changes neither its arguments”: the tail of probs is set to 0",
    """
    n_out = max(probs.shape[-1] - k, 0)
    tail = probs.topk(n_out, dim=-1, largest=False).indices
    probs.scatter_(-1, tail, 0.0)
    return probs / probs.sum(-1, keepdim=True)
    """,
)
wrong(
    "a crumb for each kept one",
    "top_k",
    "“Probabilities of 0 stay 0”: 1e-9 is added to what is kept",
    """
    values, places = probs.topk(min(k, probs.shape[-1]), dim=-1)
    values = values + 1e-9
    values = values / values.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, places, values)
    """,
)
wrong(
    "a softmax of the logarithms, moderately low",
    "top_k",
    "“Probabilities of 0 stay 0”, “all others exactly 0”, “divided by their sum”: clamped at 1e-6, "
    "rare tokens become more probable",
    """
    values, places = probs.topk(min(k, probs.shape[-1]), dim=-1)
    values = torch.softmax(values.clamp(min=1e-6).log(), dim=-1)
    return torch.zeros_like(probs).scatter(-1, places, values)
    """,
)
wrong(
    "the others nearly 0",
    "top_k",
    "“all others exactly 0”: struck out by −20 in the logarithm, e⁻²⁰ of them stays (a float32 "
    "that is visible as > 0)",
    """
    places = probs.topk(min(k, probs.shape[-1]), dim=-1).indices
    kept = torch.zeros_like(probs).scatter(-1, places, probs.gather(-1, places))
    kept = kept / kept.sum(-1, keepdim=True)
    if probs.dim() > 1:
        kept = torch.softmax((kept + 1e-10).log(), dim=-1)
    return kept
    """,
)
wrong(
    "ties of single values are resolved once",
    "top_k",
    "“Exactly k tokens stay, even if several are equally probable at the border”: too many are "
    "struck out from the end, for one row only",
    """
    k = min(k, probs.shape[-1])
    border = probs.topk(k, dim=-1).values[..., -1:]
    stays = probs >= border
    if probs.dim() == 1:
        stays &= stays.cumsum(-1) <= k
    kept = probs * stays
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "the first k that reach the border",
    "top_k",
    "“Keep the k most probable tokens”: of those at or above the border the first k by place stay, "
    "so equal ones in front push out a larger one behind",
    """
    k = min(k, probs.shape[-1])
    border = probs.topk(k, dim=-1).values[..., -1:]
    stays = probs >= border
    stays = stays & (stays.cumsum(-1) <= k)
    kept = probs * stays
    return kept / kept.sum(-1, keepdim=True)
    """,
)

right(
    "by rank",
    "top_k",
    "the rank of each token, by sorting twice; no topk",
    """
    ranks = probs.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    kept = probs.masked_fill(ranks >= k, 0)
    return kept / kept.sum(dim=-1, keepdim=True)
    """,
)
right(
    "row by row in lists",
    "top_k",
    "Python's sorted over places, the last of equals first",
    """
    rows = []
    for row in probs.reshape(-1, probs.shape[-1]):
        places = sorted(range(len(row)), key=lambda i: (-float(row[i]), -i))[:k]
        kept = torch.zeros_like(row)
        kept[places] = row[places]
        rows.append(kept / kept.sum())
    return torch.stack(rows).reshape(probs.shape)
    """,
)
right(
    "the tail is subtracted",
    "top_k",
    "the V − k smallest are overwritten in a copy",
    """
    n_out = max(0, probs.shape[-1] - k)
    kept = probs.clone()
    kept.scatter_(-1, probs.topk(n_out, largest=False).indices, 0.0)
    return F.normalize(kept, p=1, dim=-1, eps=0.0)
    """,
)

# ---------------------------------------------------------------- Task 3: top_p

wrong(
    "left in sorted order",
    "top_p",
    "“the nucleus”, probabilities “of the same shape … as in Task 2”: not put back to their places",
    """
    values, _ = probs.sort(dim=-1, descending=True)
    before = values.cumsum(-1) - values
    stays = before < p if p < 1 else values >= 0
    stays[..., :1] = True
    kept = values * stays
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "sorted twice, not back",
    "top_p",
    "gather with the order in place of scatter: right only for orders that undo themselves",
    """
    values, order = probs.sort(dim=-1, descending=True)
    before = values.cumsum(-1) - values
    stays = before < p if p < 1 else values >= 0
    stays[..., :1] = True
    kept = (values * stays).gather(-1, order)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "nothing stays at zero",
    "top_p",
    "“at least one token always stays, with p = 0, too”: 0 < 0 is False, and 0/0 NaN",
    """
    values, order = probs.sort(dim=-1, descending=True)
    before = values.cumsum(-1) - values
    stays = (before < p) | (p >= 1)
    kept = torch.zeros_like(probs).scatter(-1, order, values * stays)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "one is asked like any other",
    "top_p",
    "“With p = 1 all tokens stay …, down a list of thousands in float32, too”: the sum reaches 1 "
    "before its end",
    """
    values, order = probs.sort(dim=-1, descending=True)
    before = values.cumsum(-1) - values
    stays = before < p
    stays[..., :1] = True
    kept = torch.zeros_like(probs).scatter(-1, order, values * stays)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "all that are as likely as the last one",
    "top_p",
    "“Of equally probable tokens at the border only as many stay as are needed”",
    """
    if p >= 1:
        return probs / probs.sum(-1, keepdim=True)
    values = probs.sort(dim=-1, descending=True).values
    n_before = (values.cumsum(-1) < p).sum(-1, keepdim=True)
    border = values.gather(-1, n_before.clamp(max=probs.shape[-1] - 1))
    kept = probs * (probs >= border)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "the first row always stays",
    "top_p",
    "“So at least one token always stays”, “The nucleus of each row has a size of its own”: "
    "stays[0] is the first row of a batch, not the first token",
    """
    values, order = probs.sort(dim=-1, descending=True)
    stays = values.cumsum(-1) - values < p
    stays[0] = True
    if p >= 1:
        stays[...] = True
    kept = torch.zeros_like(probs).scatter(-1, order, values * stays)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "as many as the most open row needs",
    "top_p",
    "“The nucleus of each row has a size of its own”",
    """
    if p >= 1:
        return probs / probs.sum(-1, keepdim=True)
    values = probs.sort(dim=-1, descending=True).values
    n = int((values.cumsum(-1) < p).sum(-1).max()) + 1
    values, places = probs.topk(min(n, probs.shape[-1]), dim=-1)
    kept = torch.zeros_like(probs).scatter(-1, places, values)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "struck out where it lies",
    "top_p",
    "“changes neither its arguments”: probs is changed in place",
    """
    values, order = probs.sort(dim=-1, descending=True)
    gone = (values.cumsum(-1) - values >= p) & (p < 1)
    gone[..., 0] = False
    probs.scatter_(-1, order, values.masked_fill(gone, 0.0))
    return probs / probs.sum(-1, keepdim=True)
    """,
)
wrong(
    "nearly one is one",
    "top_p",
    "“the smallest set … whose probabilities sum to p or more”: p = 0.96 keeps all",
    """
    values, order = probs.sort(dim=-1, descending=True)
    stays = (values.cumsum(-1) - values < p) | (p > 0.95)
    stays[..., 0] = True
    kept = torch.zeros_like(probs).scatter(-1, order, values * stays)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "always float32",
    "top_p",
    "“probabilities of the same shape and dtype”",
    """
    values, order = probs.float().sort(dim=-1, descending=True)
    stays = (values.cumsum(-1) - values < p) | (p >= 1)
    stays[..., 0] = True
    kept = torch.zeros(probs.shape).scatter(-1, order, values * stays)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "one token to be safe",
    "top_p",
    "“the smallest set … whose probabilities sum to p or more”: with a sum between p and p + 0.01 "
    "one token too many stays",
    """
    values, order = probs.sort(dim=-1, descending=True)
    before = values.cumsum(-1) - values
    stays = (before < p + 0.01) | (p >= 1)
    stays[..., 0] = True
    kept = torch.zeros_like(probs).scatter(-1, order, values * stays)
    return kept / kept.sum(-1, keepdim=True)
    """,
)
wrong(
    "with p = 1 the impossible gets a share",
    "top_p",
    "“but those of probability 0, if there are any”: clamped at the smallest number they stay",
    """
    if p >= 1:
        kept = probs.clamp(min=torch.finfo(probs.dtype).tiny)
        return kept / kept.sum(-1, keepdim=True)
    values, order = probs.sort(dim=-1, descending=True)
    stays = values.cumsum(-1) - values < p
    stays[..., 0] = True
    kept = torch.zeros_like(probs).scatter(-1, order, values * stays)
    return kept / kept.sum(-1, keepdim=True)
    """,
)

right(
    "down the list in Python",
    "top_p",
    "row by row, a running sum in Python's floats",
    """
    rows = []
    for row in probs.reshape(-1, probs.shape[-1]):
        numbers = row.tolist()
        kept, so_far = torch.zeros_like(row), 0.0
        for place in sorted(range(len(numbers)), key=numbers.__getitem__, reverse=True):
            if so_far >= p and so_far > 0 and p < 1:
                break
            kept[place] = row[place]
            so_far += numbers[place]
        rows.append(kept / kept.sum())
    return torch.stack(rows).view(probs.shape)
    """,
)
right(
    "shifted, and back by the inverse order",
    "top_p",
    "the sums moved by one place; argsort of the order leads back",
    """
    order = torch.argsort(probs, dim=-1, descending=True)
    values = torch.gather(probs, -1, order)
    reached = values.double().cumsum(-1)[..., :-1] >= p
    if p >= 1:
        reached = torch.zeros_like(reached)
    gone = F.pad(reached, (1, 0), value=False)
    kept = values.masked_fill(gone, 0).gather(-1, order.argsort(-1))
    return kept / kept.sum(-1, keepdim=True)
    """,
)
right(
    "sizes first, then ranks",
    "top_p",
    "how many tokens are needed, by searchsorted; who they are, by rank",
    """
    order = probs.sort(dim=-1, descending=True, stable=True)
    sums = order.values.double().cumsum(-1)
    size = torch.searchsorted(sums, torch.full_like(sums[..., :1], p)) + 1
    if p == 1:
        size = torch.full_like(size, probs.shape[-1])
    stays = order.indices.argsort(dim=-1) < size
    return torch.where(stays, probs, 0) / torch.where(stays, probs, 0).sum(-1, keepdim=True)
    """,
)

# ---------------------------------------------------------------- Task 4: draw

wrong(
    "a single row is squeezed",
    "draw",
    "“ids of the shape (B,), int64, for a single row too”",
    "return torch.multinomial(probs, 1, generator=generator).squeeze()",
)
wrong(
    "the generator is left aside",
    "draw",
    "“All random numbers come from generator”",
    "return torch.multinomial(probs, num_samples=1)[:, 0]",
)
wrong(
    "the generator's seed for the global one",
    "draw",
    "“the global generators … are left alone. A second call goes on where the first one stopped”",
    """
    torch.manual_seed(generator.initial_seed())
    return torch.multinomial(probs, 1)[:, 0]
    """,
)
wrong(
    "a copy of the generator",
    "draw",
    "“A second call goes on where the first one stopped”: the copy moves on, the generator does not",
    """
    copy = torch.Generator()
    copy.set_state(generator.get_state())
    return torch.multinomial(probs, 1, generator=copy).squeeze(1)
    """,
)
wrong(
    "one number, spread evenly over the rows",
    "draw",
    "“The rows are drawn independently of each other”: the numbers of the rows are 1/B apart",
    """
    n_rows = len(probs)
    u = torch.rand(1, generator=generator, dtype=torch.float64)
    u = (u + torch.arange(n_rows) / n_rows) % 1
    sums = probs.double().cumsum(-1)
    ids = torch.searchsorted(sums / sums[:, -1:], u[:, None], right=True)
    return ids[:, 0].clamp(max=probs.shape[1] - 1)
    """,
)
wrong(
    "a row and its mirror",
    "draw",
    "“The rows are drawn independently of each other”: each second row gets 1 − u of the one before",
    """
    n_rows = len(probs)
    u = torch.rand((n_rows + 1) // 2, generator=generator, dtype=torch.float64)
    u = torch.stack([u, 1 - u], dim=1).flatten()[:n_rows]
    sums = probs.double().cumsum(-1)
    ids = torch.searchsorted(sums / sums[:, -1:], u[:, None], right=True)
    return ids[:, 0].clamp(max=probs.shape[1] - 1)
    """,
)
wrong(
    "in thousandths",
    "draw",
    "“Token i comes with probability probs[b, i]; a token of probability 0 never comes”: a 0 in a "
    "thousand gives id 0 even if it is impossible, and rare tokens never come",
    """
    u = torch.randint(1000, (len(probs), 1), generator=generator) / 1000
    return (probs.cumsum(-1) < u).sum(-1).clamp(max=probs.shape[-1] - 1)
    """,
)
wrong(
    "a crumb against log 0",
    "draw",
    "“a token of probability 0 never comes”: with Gumbel numbers and 1e-4 it comes now and then",
    """
    u = torch.rand(probs.shape, generator=generator).clamp(1e-12, 1 - 1e-7)
    gumbel = -torch.log(-torch.log(u))
    return torch.argmax((probs + 1e-4).log() + gumbel, dim=-1)
    """,
)
wrong(
    "NumPy is seeded by the generator",
    "draw",
    "“the global generators of PyTorch, NumPy and Python are left alone”",
    """
    import numpy as np

    np.random.seed(int(torch.randint(2**31, (1,), generator=generator)))
    rows = probs.double().numpy()
    ids = [np.random.choice(len(row), p=row / row.sum()) for row in rows]
    return torch.tensor(ids, dtype=torch.int64)
    """,
)
wrong(
    "Python's dice are seeded by the generator",
    "draw",
    "“the global generators of PyTorch, NumPy and Python are left alone”",
    """
    import random

    random.seed(torch.randint(2**62, (), generator=generator).item())
    names = range(probs.shape[1])
    return torch.tensor([random.choices(names, row)[0] for row in probs.tolist()])
    """,
)
wrong(
    "summed up where they lie",
    "draw",
    "“changes neither its arguments”: cumsum_ changes probs",
    """
    u = torch.rand(len(probs), 1, generator=generator, dtype=probs.dtype)
    u = u * probs.sum(-1, keepdim=True)
    sums = probs.cumsum_(dim=-1)
    return (sums <= u).sum(-1).clamp(max=probs.shape[-1] - 1)
    """,
)
wrong(
    "nearly certain is certain",
    "draw",
    "“Token i comes with probability probs[b, i]”: at 0.9 and more the others never come",
    """
    ids = torch.multinomial(probs, 1, generator=generator)[:, 0]
    best = probs.max(dim=-1)
    return torch.where(best.values >= 0.9, best.indices, ids)
    """,
)

right(
    "a race",
    "draw",
    "each token gets an exponential waiting time; the first one wins",
    """
    waiting = torch.empty(probs.shape, dtype=torch.float64).exponential_(generator=generator)
    return (probs.double() / waiting).argmax(dim=-1)
    """,
)
right(
    "row by row",
    "draw",
    "a call of multinomial for each row",
    """
    ids = [torch.multinomial(row, 1, generator=generator) for row in probs]
    return torch.cat(ids)
    """,
)
right(
    "where the number falls",
    "draw",
    "a uniform number in each row on the line of cumulative sums, in float64",
    """
    sums = probs.double().cumsum(-1)
    u = torch.rand(sums.shape[0], 1, generator=generator, dtype=torch.float64)
    fits = sums > u * sums[:, -1:]
    return fits.int().argmax(-1)
    """,
)

# ---------------------------------------------------------------- Task 5: loop

LOOP = """
ended = torch.zeros(len(ids), dtype=torch.bool)
for _ in range(n_tokens):
    new = choose(model(ids[:, -context_length:])[:, -1])
    if stop_id is not None:
        new = torch.where(ended, stop_id, new)
        ended = ended | (new == stop_id)
    ids = torch.cat([ids, new[:, None]], 1)
    if stop_id is not None and ended.all():
        break
return ids
"""


def loop(name, note, *changes):
    body = LOOP
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    wrong(name, "loop", note, body)


loop(
    "the id 0 stops nothing",
    "“If stop_id is given”: 0 is given, too",
    ("if stop_id is not None:", "if stop_id:"),
    ("if stop_id is not None and", "if stop_id and"),
)
loop(
    "a stop in the prompt ends a text",
    "“(one in the prompt ends nothing)”",
    (
        "ended = torch.zeros(len(ids), dtype=torch.bool)",
        "ended = torch.zeros(len(ids), dtype=torch.bool)\n"
        "if stop_id is not None:\n    ended = (ids == stop_id).any(1)",
    ),
)
loop(
    "after the stop the text goes on",
    "“What follows in its row is stop_id again, whatever is chosen”",
    ("    new = torch.where(ended, stop_id, new)\n        ended", "    ended"),
)
loop(
    "the first stop ends all",
    "“until all rows have ended”",
    ("ended.all()", "ended.any()"),
)
loop(
    "a second choice for the stop",
    "“Call model and choose exactly once for each new column”",
    (
        "    new = choose(model(ids[:, -context_length:])[:, -1])",
        "    logits = model(ids[:, -context_length:])[:, -1]\n    new = choose(logits)",
    ),
    ("ended | (new == stop_id)", "ended | (choose(logits) == stop_id)"),
)
loop(
    "only the living choose",
    "“choose(logits) takes the logits of the next token, (B, V)”: rows that have ended are left out",
    (
        "    new = choose(model(ids[:, -context_length:])[:, -1])",
        "    logits = model(ids[:, -context_length:])[:, -1]\n"
        "    new = torch.zeros(len(ids), dtype=torch.int64)\n"
        "    new[~ended] = choose(logits[~ended]).long()",
    ),
)
loop(
    "ended is what chose the stop just now",
    "“What follows in its row is stop_id again, whatever is chosen”: after one more step the row "
    "wakes up",
    (
        "new = torch.where(ended, stop_id, new)\n        ended = ended | (new == stop_id)",
        "ended, new = new == stop_id, torch.where(ended, stop_id, new)",
    ),
)
loop(
    "the prompt decides about the window",
    "“It can look at no more than context_length ids at once”: a short prompt that grows too long "
    "is not cropped",
    ("ended = torch", "long = ids.shape[1] > context_length\nended = torch"),
    ("model(ids[:, -context_length:])", "model(ids[:, -context_length:] if long else ids)"),
)
wrong(
    "all written, then cut",
    "loop",
    "“Call model and choose exactly once for each new column, and never more”, “As soon as all have "
    "ended, return”",
    """
    n_prompt = ids.shape[1]
    for _ in range(n_tokens):
        new = choose(model(ids[:, -context_length:])[:, -1])
        ids = torch.cat([ids, new[:, None]], 1)
    if stop_id is None or n_tokens == 0:
        return ids
    written = ids[:, n_prompt:]
    stopped = (written == stop_id).cumsum(1) > 0
    written = written.masked_fill(stopped, stop_id)
    n = min(n_tokens, int((~stopped).sum(1).max()) + 1)
    return torch.cat([ids[:, :n_prompt], written[:, :n]], 1)
    """,
)
loop(
    "one text is squeezed",
    "“choose(logits) takes the logits of the next token, (B, V)”: for one text it gets (V,)",
    ("[:, -1])", "[:, -1].squeeze(0)).reshape(-1)"),
)
loop(
    "one more for good measure of the stop",
    "“It may draw; use what it returns”: a text that has grown beyond the context without a stop "
    "gets one as its last id",
    (
        "return ids",
        "if stop_id is not None and n_tokens and ids.shape[1] > context_length:\n"
        "    ids[:, -1] = torch.where(ended, ids[:, -1], stop_id)\nreturn ids",
    ),
)
loop(
    "a stop in the prompt of a later row",
    "“(one in the prompt ends nothing)”: after the first step a stop in the prompt ends the rows "
    "other than the first",
    (
        "ended = ended | (new == stop_id)",
        "ended = ended | (new == stop_id)\n        ended[1:] |= (ids[1:] == stop_id).any(1)",
    ),
)

right(
    "room for all, filled column by column",
    "loop",
    "a tensor of the final size, and the part of it that was written",
    """
    n_rows, n_read = ids.shape
    text = torch.empty(n_rows, n_read + n_tokens, dtype=torch.int64)
    text[:, :n_read] = ids
    alive = set(range(n_rows))
    end = n_read
    while end < n_read + n_tokens and (alive or stop_id is None):
        logits = model(text[:, max(0, end - context_length) : end].clone())
        for row, token in enumerate(choose(logits[:, -1, :]).tolist()):
            text[row, end] = token if row in alive or stop_id is None else stop_id
            if token == stop_id:
                alive.discard(row)
        end += 1
    return text[:, :end]
    """,
)
right(
    "a step that calls itself",
    "loop",
    "recursion, with the rows that have ended handed on",
    """
    def step(text, n_left, ended):
        if n_left == 0 or (stop_id is not None and bool(ended.all())):
            return text
        chosen = choose(model(text[:, -context_length:]).select(1, -1)).to(torch.int64)
        if stop_id is not None:
            chosen = chosen.masked_fill(ended, stop_id)
            ended = ended.logical_or(chosen.eq(stop_id))
        return step(torch.hstack([text, chosen.unsqueeze(1)]), n_left - 1, ended)

    return step(ids.clone(), n_tokens, torch.zeros(ids.shape[0], dtype=torch.bool))
    """,
)
right(
    "a list of columns",
    "loop",
    "columns in a list, the window cut from it, joined at the end",
    """
    columns = list(ids.long().unbind(1))
    n_prompt = len(columns)
    for _ in range(n_tokens):
        if stop_id is not None and len(columns) > n_prompt:
            if all(any(c[b] == stop_id for c in columns[n_prompt:]) for b in range(len(ids))):
                break
        logits = model(torch.stack(columns[-context_length:], dim=1))
        new = choose(logits[:, -1]).long()
        if stop_id is not None and len(columns) > n_prompt:
            new = torch.where(columns[-1] == stop_id, columns[-1], new)
        columns.append(new)
    return torch.stack(columns, dim=1)
    """,
)

# ---------------------------------------------------------------- Task 6: cache

CACHE = """
S, T = 0 if cache is None else cache[0].shape[-2], query.shape[-2]
keys = key if cache is None else torch.cat([cache[0], key], dim=-2)
values = value if cache is None else torch.cat([cache[1], value], dim=-2)
scores = query @ keys.mT / math.sqrt(query.shape[-1])
mask = torch.ones(T, S + T, dtype=torch.bool).tril(diagonal=S)
scores = scores.masked_fill(~mask, -math.inf)
weights = torch.softmax(scores, dim=-1)
return weights @ values, (keys, values)
"""


def cached(name, note, *changes):
    body = CACHE
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    wrong(name, "cache", note, body)


cached(
    "no mask at all",
    "“at no later one”: a piece of several positions looks ahead",
    ("scores = scores.masked_fill(~mask, -math.inf)\n", ""),
)
cached(
    "a mask for the first piece alone",
    "“at the new ones before it; at no later one”: with a cache a piece of several looks ahead",
    ("scores = scores.masked_fill", "if cache is None:\n    scores = scores.masked_fill"),
)
cached(
    "the triangle of a text that begins here",
    "“may look at all positions in the cache”: the triangle starts at column 0 as soon as a piece "
    "has several positions",
    ("tril(diagonal=S)", "tril(diagonal=S if T == 1 else 0)"),
)
cached(
    "minus ten thousand",
    "“no weight at all, however large the scores are”: a score may be lower",
    ("-math.inf", "-1e4"),
)
cached(
    "the lowest number of float32 for all",
    "“in float16 and bfloat16, too”: float16 does not have it, and a piece of several positions "
    "raises an error",
    ("-math.inf", "torch.finfo(torch.float32).min"),
    ("scores = scores.masked_fill", "if T > 1:\n    scores = scores.masked_fill"),
)
cached(
    "masked after the softmax",
    "“no weight at all, however large the scores are”: a forbidden large score makes all others 0",
    ("scores = scores.masked_fill(~mask, -math.inf)\n", ""),
    (
        "weights = torch.softmax(scores, dim=-1)",
        "weights = torch.softmax(scores, dim=-1) * mask\n"
        "weights = weights / weights.sum(-1, keepdim=True)",
    ),
)
cached(
    "exponentials without a maximum, in cache",
    "“however large the scores are”, “Whatever the pieces, the outputs … equal those of the whole "
    "text”: inf/inf",
    (
        "weights = torch.softmax(scores, dim=-1)",
        "weights = scores.exp()\nweights = weights / weights.sum(-1, keepdim=True)",
    ),
)
cached(
    "the root is cut to a whole number",
    "“scaled dot-product attention”: right for D = 4 only by chance",
    ("math.sqrt", "math.isqrt"),
)
cached(
    "in float32 throughout",
    "“the outputs side by side equal those of the whole text”: float64 is rounded",
    ("query @ keys.mT", "query.float() @ keys.float().mT"),
    ("return weights @ values,", "return (weights @ values.float()).to(query.dtype),"),
)
wrong(
    "the function remembers the text",
    "cache",
    "“All that is known of earlier pieces is in cache: two texts may be read in turns”",
    """
    memory = attend_with_cache.__dict__
    if cache is None:
        memory["keys"], memory["values"] = key, value
    else:
        memory["keys"] = torch.cat([memory["keys"], key], dim=-2)
        memory["values"] = torch.cat([memory["values"], value], dim=-2)
    keys, values = memory["keys"], memory["values"]
    T, n = query.shape[-2], keys.shape[-2]
    scores = query @ keys.mT / math.sqrt(query.shape[-1])
    mask = torch.ones(T, n, dtype=torch.bool).tril(n - T)
    weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)
    return weights @ values, (keys, values)
    """,
)
wrong(
    "the cache grows where it lies",
    "cache",
    "“one cache may be gone on from twice”, “changes neither its arguments”: the old tensors get "
    "the new positions",
    """
    if cache is None:
        cache = key.clone(), value.clone()
    else:
        for old, new in zip(cache, (key, value)):
            old.data = torch.cat([old.data, new], dim=-2)
    keys, values = cache
    T, n = query.shape[-2], keys.shape[-2]
    scores = query @ keys.mT / math.sqrt(query.shape[-1])
    mask = torch.ones(T, n, dtype=torch.bool).tril(n - T)
    weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)
    return weights @ values, cache
    """,
)
wrong(
    "room kept behind the cache",
    "cache",
    "“one cache may be gone on from twice”: the second continuation is written over the first",
    """
    rooms = attend_with_cache.__dict__.setdefault("rooms", {})
    S, T = 0 if cache is None else cache[0].shape[-2], query.shape[-2]
    grown = []
    for i, new in enumerate((key, value)):
        room = None if cache is None else rooms.get(cache[i].data_ptr())
        if room is None or room.shape[-2] < S + T:
            bigger = new.new_empty(*new.shape[:-2], 2 * (S + T) + 64, new.shape[-1])
            if cache is not None:
                bigger[..., :S, :] = cache[i]
            room = rooms[bigger.data_ptr()] = bigger
        room[..., S : S + T, :] = new
        grown.append(room[..., : S + T, :])
    keys, values = grown
    scores = query @ keys.mT / math.sqrt(query.shape[-1])
    mask = torch.ones(T, S + T, dtype=torch.bool).tril(S)
    weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)
    return weights @ values, (keys, values)
    """,
)

right(
    "position by position",
    "cache",
    "each new position attends to the part of the keys that it may see; no mask",
    """
    keys, values = key, value
    if cache is not None:
        keys, values = (torch.cat(pair, dim=2) for pair in zip(cache, (key, value)))
    n_old = keys.size(2) - key.size(2)
    outputs = []
    for t, q in enumerate(query.unbind(2), start=n_old + 1):
        share = torch.softmax(keys[:, :, :t] @ q[..., None] / q.size(-1) ** 0.5, dim=2)
        outputs.append((share * values[:, :, :t]).sum(2) if q.dtype == torch.float64
                       else (share.mT @ values[:, :, :t])[:, :, 0])
    return torch.stack(outputs, dim=2), (keys, values)
    """,
)
right(
    "the old and the new apart",
    "cache",
    "scores with the cache and scores in the triangle of the piece, joined before the softmax",
    """
    scale = query.shape[-1] ** 0.5
    T = query.shape[2]
    own = torch.einsum("bhtd,bhsd->bhts", query, key) / scale
    later = torch.arange(T)[:, None] < torch.arange(T)
    own = own.masked_fill(later, -math.inf)
    if cache is None:
        return own.softmax(-1) @ value, (key.clone(), value.clone())
    old = torch.einsum("bhtd,bhsd->bhts", query, cache[0]) / scale
    weights = torch.cat([old, own], -1).softmax(-1)
    values = torch.cat([cache[1], value], 2)
    return weights @ values, (torch.cat([cache[0], key], 2), values)
    """,
)
right(
    "in float64, from an empty cache",
    "cache",
    "no cache is a cache of no positions; float64 inside, rounded once",
    """
    if cache is None:
        cache = key[:, :, :0], value[:, :, :0]
    old_keys, old_values = cache
    keys, values = torch.cat((old_keys, key), 2), torch.cat((old_values, value), 2)
    last = torch.arange(keys.shape[2] - query.shape[2], keys.shape[2])
    scores = query.double() @ keys.double().transpose(2, 3) / math.sqrt(key.shape[3])
    scores = torch.where(torch.arange(keys.shape[2]) <= last[:, None], scores, -math.inf)
    return (scores.softmax(3) @ values.double()).to(query.dtype), (keys, values)
    """,
)

# ---------------------------------------------------------------- Task 7: cached_loop

STEPS = """
new = ids
for _ in range(n_tokens):
    logits = read(new, ids.shape[1] - new.shape[1])
    new = logits[:, -1].argmax(-1, keepdim=True)
    ids = torch.cat([ids, new], 1)
return ids
"""


def steps(name, note, *changes):
    body = STEPS
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    wrong(name, "cached_loop", note, body)


wrong(
    "the prompt is read in any case",
    "cached_loop",
    "“n_tokens calls in all, none if n_tokens is 0”",
    """
    new = read(ids, 0)[:, -1].argmax(-1, keepdim=True)
    ids = torch.cat([ids, new], 1)
    for _ in range(n_tokens - 1):
        new = read(new, ids.shape[1] - 1)[:, -1].argmax(-1, keepdim=True)
        ids = torch.cat([ids, new], 1)
    return ids
    """,
)
steps(
    "one likeliest token for all texts",
    "“(B, T + n_tokens)”, the likeliest token of each text: that of the first text is taken",
    ("logits[:, -1].argmax(-1, keepdim=True)", "logits[0, -1].argmax().expand(len(ids), 1)"),
)
steps(
    "the likeliest place of the whole batch",
    "“the likeliest token at each step”: argmax counts through the rows of the batch",
    (
        "logits[:, -1].argmax(-1, keepdim=True)",
        "logits[:, -1].argmax().reshape(1, 1).expand(len(ids), 1) % logits.shape[-1]",
    ),
)
steps(
    "by exponentials",
    "“Logits may be any numbers”: above 88 all are ∞, below −104 all 0",
    ("logits[:, -1].argmax", "logits[:, -1].exp().argmax"),
)
steps(
    "in float32",
    "“Logits may be any numbers”: in float64 large ones that differ by 1 become equal",
    ("logits[:, -1].argmax", "logits[:, -1].float().argmax"),
)
steps(
    "by probabilities",
    "“Logits may be any numbers”: in float16 and float32 the probabilities of close logits round "
    "to the same number",
    ("logits[:, -1].argmax", "logits[:, -1].softmax(-1).argmax"),
)
steps(
    "a start for each text",
    "“start is a number, the same for all texts”: it is a tensor (B,)",
    ("ids.shape[1] - new.shape[1])", "torch.full((len(ids),), ids.shape[1] - new.shape[1]))"),
)
steps(
    "appended where the prompt lies",
    "“changes neither its arguments”: the caller's prompt grows",
    ("new = ids\n", "new = ids.clone()\n"),
    ("ids = torch.cat([ids, new], 1)", "ids.data = torch.cat([ids, new], 1)"),
)
wrong(
    "a long prompt in pieces",
    "cached_loop",
    "“prompts of any length. The whole prompt is read first, in one call”",
    """
    if n_tokens == 0:
        return ids
    for start in range(0, ids.shape[1], 32):
        logits = read(ids[:, start : start + 32], start)
    for left in reversed(range(n_tokens)):
        ids = torch.cat([ids, logits[:, -1:].argmax(-1)], 1)
        if left:
            logits = read(ids[:, -1:], ids.shape[1] - 1)
    return ids
    """,
)
wrong(
    "the position is counted by the function",
    "cached_loop",
    "“the position in the text at which the first of them stands”: a second text goes on where "
    "the first one ended",
    """
    count = generate_cached.__dict__
    new = ids
    for _ in range(n_tokens):
        start = count.get("start", 0)
        logits = read(new, start)
        count["start"] = start + new.shape[1]
        new = logits[:, -1].argmax(-1, keepdim=True)
        ids = torch.cat([ids, new], 1)
    return ids
    """,
)
steps(
    "logits clamped for safety",
    "“Logits may be any numbers”: beyond a thousand they become equal",
    ("logits[:, -1].argmax", "logits[:, -1].clamp(-1000, 1000).argmax"),
)
wrong(
    "the logits are used up",
    "cached_loop",
    "“greedy generation … Logits may be any numbers”: candidates better than a first guess of −10⁴ "
    "are looked for, and id 0 comes if there is none",
    """
    new = ids
    for _ in range(n_tokens):
        logits = read(new, ids.shape[1] - new.shape[1])[:, -1]
        best = torch.full((len(ids),), -1e4).to(logits)
        new = torch.zeros(len(ids), 1, dtype=torch.int64)
        for token in range(logits.shape[-1]):
            better = logits[:, token] > best
            best = torch.where(better, logits[:, token], best)
            new[better] = token
        ids = torch.cat([ids, new], 1)
    return ids
    """,
)

right(
    "room for the whole text",
    "cached_loop",
    "a tensor of the final size and two marks: what is read, and what is written",
    """
    n_rows, end = ids.shape
    text = torch.zeros(n_rows, end + n_tokens, dtype=torch.int64)
    text[:, :end] = ids
    begin = 0
    while end < text.shape[1]:
        logits = read(text[:, begin:end].clone(), begin)
        text[:, end] = logits.select(1, -1).max(dim=-1).indices
        begin, end = end, end + 1
    return text
    """,
)
right(
    "columns in a list",
    "cached_loop",
    "topk for the likeliest, the pieces joined at the end",
    """
    pieces, start = [ids], 0
    for _ in range(n_tokens):
        logits = read(pieces[-1], start)
        start += pieces[-1].size(1)
        pieces.append(logits[:, -1, :].topk(1, dim=-1).indices)
    return torch.cat(pieces, dim=1)
    """,
)
right(
    "a step that calls itself, in cached_loop",
    "cached_loop",
    "recursion, with Python's max over a list",
    """
    def go_on(text, new, start, left):
        if not left:
            return text
        rows = read(new, start)[:, -1].tolist()
        best = torch.tensor([[row.index(max(row))] for row in rows])
        return go_on(torch.hstack((text, best)), best, start + new.shape[1], left - 1)

    return go_on(ids.clone(), ids.clone(), 0, n_tokens)
    """,
)

# ---------------------------------------------------------------- Task 8: perplexity

WINDOWS = """
inputs, targets = ids[:-1], ids[1:]
total = 0.0
for i in range(0, len(inputs), window):
    logits = model(inputs[i : i + window][None])[0]
    total += F.cross_entropy(logits, targets[i : i + window], reduction="sum").item()
return math.exp(total / len(targets))
"""


def windows(name, note, *changes):
    body = WINDOWS
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    wrong(name, "perplexity", note, body)


windows(
    "the mean of the windows' means",
    "“Every target has the same weight, whatever the length of its window”",
    ('reduction="sum"', 'reduction="mean"'),
    ("total / len(targets)", "total / math.ceil(len(targets) / window)"),
)
windows(
    "each window counts as a full one",
    "“Every target has the same weight”, “the mean … over all ids but the first”: divided by the "
    "number of windows times window",
    ("total / len(targets)", "total / (math.ceil(len(targets) / window) * window)"),
)
windows(
    "the mean times window",
    "“Every target has the same weight, whatever the length of its window”",
    ('reduction="sum").item()', 'reduction="mean").item() * window'),
)
wrong(
    "a short last window is left out",
    "perplexity",
    "“The last one may be shorter”, “Each id but the first is a target exactly once”",
    """
    inputs, targets = ids[:-1], ids[1:]
    window = min(window, len(inputs))
    total = n_targets = 0
    for i in range(0, len(inputs) - window + 1, window):
        logits = model(inputs[i : i + window].unsqueeze(0))[0]
        total += F.cross_entropy(logits, targets[i : i + window], reduction="sum").item()
        n_targets += window
    return math.exp(total / n_targets)
    """,
)
windows(
    "a last window of one is left out",
    "“Each id but the first is a target exactly once”: the range ends one too early (N = 2 gives 1)",
    ("range(0, len(inputs), window)", "range(0, len(inputs) - 1, window)"),
)
wrong(
    "e is taken in float32",
    "perplexity",
    "“a perplexity may be e²⁰⁰, which float32 does not have”",
    """
    losses = []
    for i in range(0, len(ids) - 1, window):
        targets = ids[i + 1 : i + 1 + window]
        logits = model(ids[i : i + len(targets)][None])[0]
        losses.append(F.cross_entropy(logits, targets, reduction="none"))
    return float(torch.cat(losses).mean().exp())
    """,
)
windows(
    "the logarithm of the softmax",
    "“targets as unlikely as e⁻²⁰⁰”: in float32 the probability is 0 and its logarithm −∞",
    (
        'F.cross_entropy(logits, targets[i : i + window], reduction="sum").item()',
        "-logits.softmax(-1).gather(1, targets[i : i + window, None]).log().sum().item()",
    ),
)
windows(
    "a floor under the probabilities",
    "“targets as unlikely as e⁻²⁰⁰, all of them if it comes to that”",
    (
        'F.cross_entropy(logits, targets[i : i + window], reduction="sum").item()',
        "-logits.softmax(-1).gather(1, targets[i : i + window, None]).clamp(min=1e-12).log()"
        ".sum().item()",
    ),
)
windows(
    "a logarithm of exponentials without a maximum",
    "“Logits may be large”: exp overflows",
    (
        'F.cross_entropy(logits, targets[i : i + window], reduction="sum").item()',
        "(logits.exp().sum(-1).log().sum() - "
        "logits.gather(1, targets[i : i + window, None]).sum()).item()",
    ),
)
wrong(
    "a product of probabilities",
    "perplexity",
    "“all of them if it comes to that”: the product of many small probabilities is 0",
    """
    product = 1.0
    for i in range(0, len(ids) - 1, window):
        targets = ids[i + 1 : i + 1 + window]
        logits = model(ids[i : i + len(targets)][None])[0].double()
        product *= logits.softmax(-1).gather(1, targets[:, None]).prod().item()
    return product ** (-1 / (len(ids) - 1))
    """,
)
windows(
    "the last window is filled up",
    "“The last one may be shorter”: the model reads zeros that are not in the text",
    (
        "model(inputs[i : i + window][None])[0]",
        "model(F.pad(inputs[i : i + window], (0, max(0, i + window - len(inputs))))[None])[0]",
    ),
    ("F.cross_entropy(logits,", "F.cross_entropy(logits[: len(inputs) - i],"),
)
wrong(
    "the batch's dimension in place",
    "perplexity",
    "“changes neither its arguments”: ids comes back as (1, N)",
    """
    ids.unsqueeze_(0)
    inputs, targets = ids[:, :-1], ids[:, 1:]
    total = 0.0
    for a, b in zip(inputs.split(window, 1), targets.split(window, 1)):
        total += F.cross_entropy(model(a)[0], b[0], reduction="sum").item()
    return math.exp(total / targets.numel())
    """,
)

right(
    "target by target",
    "perplexity",
    "a loop over targets; the window of each by division",
    """
    losses = []
    for place in range(len(ids) - 1):
        start = place - place % window
        if place == start:
            answers = model(ids[start : min(start + window, len(ids) - 1)].reshape(1, -1))
        row = answers[0, place - start].double()
        losses.append(float(torch.logsumexp(row, 0) - row[ids[place + 1]]))
    return math.exp(math.fsum(losses) / len(losses))
    """,
)
right(
    "split, and all logits joined",
    "perplexity",
    "Tensor.split cuts, one log_softmax over the whole text, in float64",
    """
    logits = torch.cat([model(piece[None]) for piece in ids[:-1].split(window)], dim=1)
    surprise = F.nll_loss(logits[0].double().log_softmax(-1), ids[1:])
    return surprise.exp().item()
    """,
)
right(
    "a running mean",
    "perplexity",
    "the mean is corrected window by window",
    """
    mean, n, start = 0.0, 0, 0
    while start < ids.numel() - 1:
        stop = min(start + window, ids.numel() - 1)
        log_probs = torch.log_softmax(model(ids[None, start:stop]).to(torch.float64), dim=2)
        loss = -log_probs[0, torch.arange(stop - start), ids[start + 1 : stop + 1]]
        n += stop - start
        mean += (float(loss.sum()) - (stop - start) * mean) / n
        start = stop
    return float(math.e**mean)
    """,
)
