from textwrap import dedent

from faults import fill, write

WRONG, RIGHT = [], []

# ---------------------------------------------------------------- Task 1

WRONG += [
    fill(
        "a small temperature is 0",
        "next_token",
        "'A small one, 0.001 say, is not 0: equal logits then still share'",
        """logits = x[:, -1] @ head.T
if temperature < 1e-2:
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
return (logits / temperature).softmax(-1)
""",
    ),
    fill(
        "one-hot in float32",
        "next_token",
        "'The dtype is that of x': at temperature 0 it is float32",
        """logits = x[:, -1] @ head.T
if temperature == 0:
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).float()
return (logits / temperature).softmax(-1)
""",
    ),
    fill(
        "the largest logit of the batch",
        "next_token",
        "'to the token with the largest logit …, in each row': rows with smaller ones get nothing",
        """logits = x[:, -1] @ head.T
if temperature == 0:
    best = logits == logits.max()
    return (best & (best.cumsum(-1) == 1)).to(x.dtype)
return (logits / temperature).softmax(-1)
""",
    ),
    fill(
        "the softmax by hand, unshifted",
        "next_token",
        "'Logits in the thousands must give probabilities, not NaN'",
        """logits = x[:, -1] @ head.T
if temperature == 0:
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
powers = (logits / temperature).exp()
return powers / powers.sum(-1, keepdim=True)
""",
    ),
    fill(
        "shifted by the largest of the batch",
        "next_token",
        "'Logits in the thousands must give probabilities, not NaN': in a batch whose rows lie far apart the lower ones are 0 / 0",
        """logits = x[:, -1] @ head.T
if temperature == 0:
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
logits = logits / temperature
powers = (logits - logits.max()).exp()
return powers / powers.sum(-1, keepdim=True)
""",
    ),
    fill(
        "x is divided in place",
        "next_token",
        "'an answer changes neither its arguments': the last vectors of x are divided",
        """if temperature == 0:
    logits = x[:, -1] @ head.T
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
return (x[:, -1].div_(temperature) @ head.T).softmax(-1)
""",
    ),
    fill(
        "logits are cut at 80",
        "next_token",
        "'Logits in the thousands must give probabilities': 100 and 1000 become equal",
        """logits = x[:, -1] @ head.T
if temperature == 0:
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
powers = (logits / temperature).clamp(-80, 80).exp()
return powers / powers.sum(-1, keepdim=True)
""",
    ),
]

RIGHT += [
    fill(
        "logsumexp and an einsum",
        "next_token",
        "the first maximum by comparing and counting",
        """logits = torch.einsum("bc,vc->bv", x[:, -1], head)
if not temperature:
    best = logits == logits.max(-1, keepdim=True).values
    first = best & (best.cumsum(-1) == 1)
    return torch.where(first, 1.0, 0.0).to(x.dtype)
logits = (logits / temperature).double()
return (logits - logits.logsumexp(-1, keepdim=True)).exp().to(x.dtype)
""",
    ),
    fill(
        "row by row",
        "next_token",
        "F.linear, a row at a time, stacked",
        """rows = []
for text in x:
    logits = F.linear(text[-1], head)
    if temperature == 0:
        row = torch.zeros_like(logits)
        row[logits.argmax()] = 1
    else:
        row = torch.softmax(logits / temperature, 0)
    rows.append(row)
return torch.stack(rows)
""",
    ),
    fill(
        "shifted first, then divided",
        "next_token",
        "softmax by hand in the order max, divide, exp; scatter",
        """last = x.select(1, x.shape[1] - 1)
logits = last.matmul(head.transpose(0, 1))
top, where = logits.max(dim=1, keepdim=True)
if temperature == 0:
    where = (logits == top).int().argmax(1, keepdim=True)
    return torch.zeros_like(logits).scatter(1, where, 1.0)
powers = ((logits - top) / temperature).exp()
return powers / powers.sum(1, keepdim=True)
""",
    ),
]

# ---------------------------------------------------------------- Task 2

WRONG += [
    fill(
        "all that is not below the k-th",
        "top_k",
        "'Exactly k tokens stay, even if several are equally probable at the border'",
        """least = probs.topk(min(k, probs.shape[-1]), dim=-1).values[..., -1:]
kept = torch.where(probs >= least, probs, torch.zeros_like(probs))
return kept / kept.sum(-1, keepdim=True)
""",
    ),
    fill(
        "writes zeros into probs",
        "top_k",
        "'an answer changes neither its arguments'",
        """n_out = probs.shape[-1] - k
if n_out > 0:
    out = probs.topk(n_out, dim=-1, largest=False).indices
    probs.scatter_(-1, out, 0.0)
return probs / probs.sum(-1, keepdim=True)
""",
    ),
    fill(
        "more than V is asked for",
        "top_k",
        "'If k is larger than V, all tokens stay': topk raises an error",
        """values, indices = probs.topk(k, dim=-1)
kept = torch.zeros_like(probs).scatter(-1, indices, values)
return kept / kept.sum(-1, keepdim=True)
""",
    ),
    fill(
        "one sum for all rows",
        "top_k",
        "'Each row is a distribution of its own'",
        """values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)
kept = torch.zeros_like(probs).scatter(-1, indices, values)
return kept / kept.sum()
""",
    ),
    fill(
        "ties are broken by noise",
        "top_k",
        "'changes neither … nor the global random generators': the noise is drawn from PyTorch's",
        """shaken = probs + 1e-7 * torch.rand_like(probs)
indices = shaken.topk(min(k, probs.shape[-1]), dim=-1).indices
kept = torch.zeros_like(probs).scatter(-1, indices, probs.gather(-1, indices))
return kept / kept.sum(-1, keepdim=True)
""",
    ),
    fill(
        "a little is added against division by 0",
        "top_k",
        "'Probabilities of 0 stay 0': a kept 0 becomes 1e-12",
        """values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)
values = values + 1e-12
values = values / values.sum(-1, keepdim=True)
return torch.zeros_like(probs).scatter(-1, indices, values)
""",
    ),
    fill(
        "zeros in float32",
        "top_k",
        "'probabilities of the same shape and dtype': in float64 it is an error or float32",
        """values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)
kept = torch.zeros(probs.shape).scatter(-1, indices, values.float())
return kept / kept.sum(-1, keepdim=True)
""",
    ),
    fill(
        "indices without a dimension",
        "top_k",
        "'any number of leading dimensions': the indices of the last dimension are used for the first",
        """values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)
kept = torch.zeros_like(probs)
kept[indices] = values
return kept / kept.sum(-1, keepdim=True)
""",
    ),
]

RIGHT += [
    fill(
        "the rank of each",
        "top_k",
        "argsort of an argsort",
        """rank = probs.argsort(dim=-1, descending=True).argsort(dim=-1)
kept = probs * (rank < k)
return kept / kept.sum(dim=-1, keepdim=True)
""",
    ),
    fill(
        "a softmax of logarithms",
        "top_k",
        "what is out becomes minus infinity; the softmax of ln p divides by the sum",
        """n_out = max(0, probs.shape[-1] - k)
out = probs.sort(dim=-1).indices[..., :n_out]
return probs.log().scatter(-1, out, -math.inf).softmax(-1)
""",
    ),
    fill(
        "sorted lists",
        "top_k",
        "in plain Python, row by row",
        """rows = []
for row in probs.reshape(-1, probs.shape[-1]):
    numbers = row.tolist()
    best = sorted(range(len(numbers)), key=numbers.__getitem__)[::-1][:k]
    mask = torch.zeros(len(numbers), dtype=torch.bool)
    mask[best] = True
    rows.append(torch.where(mask, row, 0 * row) / row[mask].sum())
return torch.stack(rows).reshape(probs.shape)
""",
    ),
]

# ---------------------------------------------------------------- Task 3

SORTED = """values, order = probs.sort(dim=-1, descending=True)
before = values.cumsum(-1) - values
stays = before < p
"""
BACK = """kept = torch.where(stays, values, torch.zeros_like(values))
kept = kept / kept.sum(-1, keepdim=True)
return torch.zeros_like(probs).scatter(-1, order, kept)
"""

WRONG += [
    fill(
        "gather instead of scatter",
        "top_p",
        "'Return probabilities of the same shape …, as in Task 2', those of the kept tokens: they come to other tokens' places if the list was not in order",
        """if p >= 1:
    return probs.clone()
"""
        + SORTED
        + """stays[..., 0] = True
kept = torch.where(stays, values, torch.zeros_like(values))
kept = kept / kept.sum(-1, keepdim=True)
return kept.gather(-1, order)
""",
    ),
    fill(
        "p = 1 is asked",
        "top_p",
        "'With p = 1 all tokens stay, down a list of thousands in float32'",
        SORTED
        + """stays[..., 0] = True
"""
        + BACK,
    ),
    fill(
        "nothing for p = 0",
        "top_p",
        "'So at least one token always stays, with p = 0, too'",
        """if p >= 1:
    return probs.clone()
"""
        + SORTED
        + BACK,
    ),
    fill(
        "all that are as probable as the last",
        "top_p",
        "'Of equally probable tokens at the border only as many stay as are needed'",
        """if p >= 1:
    return probs.clone()
"""
        + SORTED
        + """stays[..., 0] = True
least = values.masked_fill(~stays, 2.0).amin(-1, keepdim=True)
kept = torch.where(probs >= least, probs, torch.zeros_like(probs))
return kept / kept.sum(-1, keepdim=True)
""",
    ),
    fill(
        "one divisor for all rows",
        "top_p",
        "'divided by their sum', 'The nucleus of each row': the sum of all rows is taken",
        """if p >= 1:
    return probs.clone()
"""
        + SORTED
        + """stays[..., 0] = True
kept = values * stays
return torch.zeros_like(probs).scatter(-1, order, kept / kept.sum())
""",
    ),
    fill(
        "the first row always stays",
        "top_p",
        "'The nucleus of each row has a size of its own': stays[0] is the first row of a batch, all of it",
        """if p >= 1:
    return probs.clone()
"""
        + SORTED
        + """stays[0] = True
"""
        + BACK,
    ),
    fill(
        "one size of nucleus",
        "top_p",
        "'The nucleus of each row has a size of its own': the largest is taken for all",
        """if p >= 1:
    return probs.clone()
"""
        + SORTED
        + """stays[..., 0] = True
n_kept = int(stays.sum(-1).max())
stays = (torch.arange(probs.shape[-1]) < n_kept).expand(probs.shape)
"""
        + BACK,
    ),
    fill(
        "the result in float32",
        "top_p",
        "'the same shape and dtype'",
        """dtype, probs = probs.dtype, probs.float()
if p >= 1:
    return probs.clone()
"""
        + SORTED
        + """stays[..., 0] = True
"""
        + BACK,
    ),
]

RIGHT += [
    fill(
        "from the other end",
        "top_p",
        "the least probable are dropped while what is left still has p",
        """if p >= 1:
    return probs / probs.sum(-1, keepdim=True)
values, order = probs.double().sort(dim=-1, stable=True)
out = values.cumsum(-1) <= values.sum(-1, keepdim=True) - p
out = torch.cat([out[..., :-1], torch.zeros_like(out[..., :1])], -1)
kept = values.masked_fill(out, 0.0)
kept = kept / kept.sum(-1, keepdim=True)
return kept.gather(-1, order.argsort(-1)).to(probs.dtype)
""",
    ),
    fill(
        "without sorting",
        "top_p",
        "for each token the sum of all that are before it, from a table of comparisons",
        """if p == 1:
    return probs.clone()
flat = probs.reshape(-1, probs.shape[-1])
place = torch.arange(flat.shape[1])
rows = []
for row in flat:
    ahead = (row > row[:, None]) | ((row == row[:, None]) & (place < place[:, None]))
    stays = (ahead.double() @ row.double() < p) | ~ahead.any(1)
    rows.append(row * stays / row[stays].sum())
return torch.stack(rows).view(probs.shape)
""",
    ),
    fill(
        "a loop down each list",
        "top_p",
        "plain Python",
        """result = torch.zeros(probs.shape, dtype=probs.dtype)
rows, results = probs.reshape(-1, probs.shape[-1]), result.view(-1, probs.shape[-1])
for row, target in zip(rows, results):
    numbers = row.tolist()
    chosen, total = [], 0.0
    for i in sorted(range(len(numbers)), key=lambda i: -numbers[i]):
        chosen.append(i)
        total += numbers[i]
        if total >= p and p < 1:
            break
    target[chosen] = row[chosen] / row[chosen].sum()
return result
""",
    ),
]

# ---------------------------------------------------------------- Task 4

WRONG += [
    fill(
        "from the global generator",
        "draw",
        "'All random numbers come from generator'",
        """return torch.multinomial(probs, 1)[:, 0]
""",
    ),
    fill(
        "all dimensions of size 1 are taken away",
        "draw",
        "'of the shape (B,), for a single row too'",
        """return torch.multinomial(probs, 1, generator=generator).squeeze()
""",
    ),
    fill(
        "evenly spread numbers",
        "draw",
        "'The rows are drawn independently of each other': the b-th row gets a number between b / B and (b + 1) / B",
        """n = len(probs)
u = (torch.arange(n) + torch.rand(1, generator=generator)) / n
sums = probs.cumsum(-1)
ids = (sums <= (u * sums[:, -1])[:, None]).sum(-1)
return ids.clamp(max=probs.shape[1] - 1)
""",
    ),
    fill(
        "a copy of the generator",
        "draw",
        "'A second call goes on where the first one stopped': the generator stays where it was",
        """copy = torch.Generator()
copy.set_state(generator.get_state())
return torch.multinomial(probs, 1, generator=copy)[:, 0]
""",
    ),
    fill(
        "seeds the global generator",
        "draw",
        "'the global generators of PyTorch, NumPy and Python are left alone'",
        """seed = int(torch.randint(2**31, (1,), generator=generator))
torch.manual_seed(seed)
return torch.multinomial(probs, 1)[:, 0]
""",
    ),
    fill(
        "sums in place",
        "draw",
        "'an answer changes neither its arguments': probs becomes its own cumulative sums",
        """u = torch.rand(len(probs), 1, generator=generator, dtype=probs.dtype)
sums = probs.cumsum_(-1)
return (sums <= u * sums[:, -1:]).sum(-1).clamp(max=probs.shape[1] - 1)
""",
    ),
    fill(
        "a little for everyone",
        "draw",
        "'a token of probability 0 never comes': it comes once in ten thousand",
        """return torch.multinomial(probs + 1e-4, 1, generator=generator)[:, 0]
""",
    ),
]

RIGHT += [
    fill(
        "a race",
        "draw",
        "waiting times, exponential with the rates probs: the first wins",
        """times = torch.empty(probs.shape, dtype=torch.double).exponential_(generator=generator)
speed = probs.double() / times.clamp(min=1e-300)
return speed.argmax(-1)
""",
    ),
    fill(
        "the inverse of the sums",
        "draw",
        "one number for each row, in float64, and searchsorted",
        """sums = probs.double().cumsum(-1)
u = torch.rand(len(probs), 1, generator=generator, dtype=torch.double) * sums[:, -1:]
found = torch.searchsorted(sums, u, right=True)[:, 0]
last = probs.shape[1] - 1 - (probs > 0).int().flip(-1).argmax(-1)
return torch.minimum(found, last)
""",
    ),
    fill(
        "a draw for each row",
        "draw",
        "multinomial of vectors, one after the other",
        """ids = probs.new_empty(len(probs), dtype=torch.int64)
for b, row in enumerate(probs):
    ids[b] = row.multinomial(1, generator=generator).item()
return ids
""",
    ),
]

# ---------------------------------------------------------------- Task 5

WRONG += [
    fill(
        "a stop in the prompt ends the text",
        "loop",
        "'(one in the prompt ends nothing)'",
        """ended = torch.zeros(len(ids), dtype=torch.bool)
if stop_id is not None:
    ended = (ids == stop_id).any(1)
for _ in range(n_tokens):
    new = choose(model(ids[:, -context_length:])[:, -1])
    if stop_id is not None:
        new = torch.where(ended, stop_id, new)
        ended = ended | (new == stop_id)
    ids = torch.cat([ids, new[:, None]], 1)
    if stop_id is not None and ended.all():
        break
return ids
""",
    ),
    fill(
        "who has ended goes on writing",
        "loop",
        "'What follows in its row is stop_id again, whatever is chosen'",
        """ended = torch.zeros(len(ids), dtype=torch.bool)
for _ in range(n_tokens):
    new = choose(model(ids[:, -context_length:])[:, -1])
    ids = torch.cat([ids, new[:, None]], 1)
    if stop_id is not None:
        ended = ended | (new == stop_id)
        if ended.all():
            break
return ids
""",
    ),
    fill(
        "the first end is the end of all",
        "loop",
        "'As soon as all have ended, return'",
        """for _ in range(n_tokens):
    new = choose(model(ids[:, -context_length:])[:, -1])
    ids = torch.cat([ids, new[:, None]], 1)
    if stop_id is not None and (new == stop_id).any():
        break
return ids
""",
    ),
    fill(
        "0 is no stop",
        "loop",
        "'If stop_id is given': 0 is an id",
        """ended = torch.zeros(len(ids), dtype=torch.bool)
for _ in range(n_tokens):
    new = choose(model(ids[:, -context_length:])[:, -1])
    if stop_id:
        new = torch.where(ended, stop_id, new)
        ended = ended | (new == stop_id)
    ids = torch.cat([ids, new[:, None]], 1)
    if ended.all():
        break
return ids
""",
    ),
    fill(
        "choose gets probabilities",
        "loop",
        "'choose(logits) takes the logits of the next token'",
        """ended = torch.zeros(len(ids), dtype=torch.bool)
for _ in range(n_tokens):
    new = choose(model(ids[:, -context_length:])[:, -1].softmax(-1))
    if stop_id is not None:
        new = torch.where(ended, stop_id, new)
        ended = ended | (new == stop_id)
    ids = torch.cat([ids, new[:, None]], 1)
    if stop_id is not None and ended.all():
        break
return ids
""",
    ),
    fill(
        "choose is asked for each text",
        "loop",
        "'Call model and choose exactly once for each new column'",
        """ended = torch.zeros(len(ids), dtype=torch.bool)
for _ in range(n_tokens):
    logits = model(ids[:, -context_length:])[:, -1]
    new = torch.cat([choose(row[None]) for row in logits])
    if stop_id is not None:
        new = torch.where(ended, stop_id, new)
        ended = ended | (new == stop_id)
    ids = torch.cat([ids, new[:, None]], 1)
    if stop_id is not None and ended.all():
        break
return ids
""",
    ),
    fill(
        "the stop is made the likeliest",
        "loop",
        "'stop_id again, whatever is chosen': a choose that does not take the largest logit goes on writing, and it gets logits that are not the model's",
        """ended = torch.zeros(len(ids), dtype=torch.bool)
for _ in range(n_tokens):
    logits = model(ids[:, -context_length:])[:, -1].clone()
    if stop_id is not None:
        logits[ended, stop_id] = math.inf
    new = choose(logits)
    ids = torch.cat([ids, new[:, None]], 1)
    if stop_id is not None:
        ended = ended | (new == stop_id)
        if ended.all():
            break
return ids
""",
    ),
    fill(
        "prompts that end with the stop are done",
        "loop",
        "'(one in the prompt ends nothing)': the last id of the prompt is looked at",
        """for n in range(n_tokens):
    ended = (ids[:, -1] == stop_id) if stop_id is not None else torch.zeros(len(ids)) > 0
    if n > 0 and ended.all():
        break
    new = choose(model(ids[:, -context_length:])[:, -1])
    if stop_id is not None:
        new = torch.where(ended, stop_id, new)
    ids = torch.cat([ids, new[:, None]], 1)
return ids
""",
    ),
]

RIGHT += [
    fill(
        "a table that is filled",
        "loop",
        "room for all columns, cut at the end",
        """B, T = ids.shape
table = torch.empty(B, T + n_tokens, dtype=torch.int64)
table[:, :T] = ids
active = torch.ones(B, dtype=torch.bool)
end = T
while end < T + n_tokens and active.any():
    new = choose(model(table[:, max(0, end - context_length) : end])[:, -1])
    if stop_id is not None:
        new = new.masked_fill(~active, stop_id)
        active &= new != stop_id
    table[:, end] = new
    end += 1
return table[:, :end].clone()
""",
    ),
    fill(
        "it calls itself",
        "loop",
        "a function within, with who has ended as an argument",
        """def step(text, left, done):
    if left == 0 or bool(done.all()):
        return text
    new = choose(model(text[:, -context_length:])[:, -1, :])
    if stop_id is not None:
        new = torch.where(done, torch.full_like(new, stop_id), new)
        done = done.logical_or(new == stop_id)
    return step(torch.hstack([text, new.unsqueeze(1)]), left - 1, done)


return step(ids, n_tokens, torch.zeros(ids.shape[0]).bool())
""",
    ),
    fill(
        "a list of columns, and a set of rows",
        "loop",
        "rows that have ended are kept as numbers",
        """columns = list(ids.unbind(1))
done = set()
for _ in range(n_tokens):
    new = choose(model(torch.stack(columns[-context_length:], 1))[:, -1]).clone()
    for b in range(len(new)):
        if b in done:
            new[b] = stop_id
        elif stop_id is not None and int(new[b]) == stop_id:
            done.add(b)
    columns.append(new)
    if len(done) == len(new):
        break
return torch.stack(columns, 1)
""",
    ),
]

# ---------------------------------------------------------------- Task 6

JOIN = """keys, values = key, value
if cache is not None:
    keys = torch.cat([cache[0], key], dim=-2)
    values = torch.cat([cache[1], value], dim=-2)
T, n = query.shape[-2], keys.shape[-2]
"""
WEIGH = """wide = torch.promote_types(query.dtype, torch.float32)
scores = query.to(wide) @ keys.to(wide).mT / math.sqrt(query.shape[-1])
weights = scores.masked_fill(~may, -math.inf).softmax(-1)
return (weights @ values.to(wide)).to(query.dtype), (keys, values)
"""

WRONG += [
    fill(
        "a mask from the first column",
        "cache",
        "'A new position may look at all positions in the cache': of several new ones the first sees only the first key",
        JOIN
        + """may = torch.ones(T, n, dtype=torch.bool)
if T > 1:
    may = may.tril()
"""
        + WEIGH,
    ),
    fill(
        "no mask",
        "cache",
        "'at itself, and at the new ones before it; at no later one'",
        JOIN
        + """wide = torch.promote_types(query.dtype, torch.float32)
scores = query.to(wide) @ keys.to(wide).mT / math.sqrt(query.shape[-1])
return (scores.softmax(-1) @ values.to(wide)).to(query.dtype), (keys, values)
""",
    ),
    fill(
        "a mask for the first piece alone",
        "cache",
        "'at no later one', 'Whatever the pieces': a second piece of several positions sees itself to its end",
        JOIN
        + """may = torch.ones(T, n, dtype=torch.bool)
if cache is None:
    may = may.tril()
"""
        + WEIGH,
    ),
    fill(
        "a mask of -10000",
        "cache",
        "'no weight at all, however large the scores are'",
        JOIN
        + """may = torch.ones(T, n, dtype=torch.bool).tril(n - T)
"""
        + WEIGH.replace("-math.inf", "-1e4"),
    ),
    fill(
        "masked behind the softmax",
        "cache",
        "'no weight at all, however large the scores are': large scores of later positions leave nothing for the others, 0 / 0",
        JOIN
        + """may = torch.ones(T, n, dtype=torch.bool).tril(n - T)
wide = torch.promote_types(query.dtype, torch.float32)
scores = query.to(wide) @ keys.to(wide).mT / math.sqrt(query.shape[-1])
weights = scores.softmax(-1) * may
weights = weights / weights.sum(-1, keepdim=True)
return (weights @ values.to(wide)).to(query.dtype), (keys, values)
""",
    ),
    fill(
        "room behind the cache",
        "cache",
        "'one cache may be gone on from twice', 'changes neither its arguments': new keys are written behind the old ones, into the same memory",
        """def longer(old, new):
    B, H, T, D = new.shape
    S = 0 if old is None else old.shape[2]
    room = None if old is None else old._base
    if room is None or room.dim() != 4 or room.shape[2] < S + T or room.shape[::3] != (B, D):
        room = new.new_zeros(B, H, S + T + 8, D)
        if old is not None:
            room[:, :, :S] = old
    room[:, :, S : S + T] = new
    return room[:, :, : S + T]


old_keys, old_values = (None, None) if cache is None else cache
keys, values = longer(old_keys, key), longer(old_values, value)
T, n = query.shape[-2], keys.shape[-2]
may = torch.ones(T, n, dtype=torch.bool).tril(n - T)
"""
        + WEIGH,
    ),
    fill(
        "the past is kept by the function",
        "cache",
        "'All that is known of earlier pieces is in cache: two texts may be read in turns'",
        """me = attend_with_cache.__dict__
if cache is None:
    me["keys"], me["values"] = key, value
else:
    me["keys"] = torch.cat([me["keys"], key], dim=-2)
    me["values"] = torch.cat([me["values"], value], dim=-2)
keys, values = me["keys"], me["values"]
T, n = query.shape[-2], keys.shape[-2]
may = torch.ones(T, n, dtype=torch.bool).tril(n - T)
"""
        + WEIGH,
    ),
    fill(
        "scaled by all heads together",
        "cache",
        "'scaled dot-product attention': the width of a head is D, and not H · D",
        JOIN
        + """may = torch.ones(T, n, dtype=torch.bool).tril(n - T)
"""
        + WEIGH.replace("math.sqrt(query.shape[-1])", "math.sqrt(query.shape[1] * query.shape[3])"),
    ),
]

RIGHT += [
    fill(
        "one position at a time",
        "cache",
        "no mask: each query gets the keys that it may see",
        JOIN
        + """outputs = []
for t in range(T):
    end = n - T + t + 1
    q = query[:, :, t : t + 1].double()
    weights = (q @ keys[:, :, :end].double().mT / query.shape[-1] ** 0.5).softmax(-1)
    outputs.append(weights @ values[:, :, :end].double())
return torch.cat(outputs, 2).to(query.dtype), (keys, values)
""",
    ),
    fill(
        "old and new apart, joined by their sums",
        "cache",
        "two softmaxes and their weights, as fast kernels do",
        """wide = torch.promote_types(query.dtype, torch.float32)
q = query.to(wide) / math.sqrt(query.shape[-1])
T = q.shape[-2]
later = torch.ones(T, T).triu(1).bool()
scores = (q @ key.to(wide).mT).masked_fill(later, -math.inf)
output, total = scores.softmax(-1) @ value.to(wide), scores.logsumexp(-1, keepdim=True)
keys, values = key.clone(), value.clone()
if cache is not None:
    before = q @ cache[0].to(wide).mT
    share = (before.logsumexp(-1, keepdim=True) - total).sigmoid()
    output = share * (before.softmax(-1) @ cache[1].to(wide)) + (1 - share) * output
    keys, values = (torch.cat(pair, -2) for pair in zip(cache, (keys, values)))
return output.to(query.dtype), (keys, values)
""",
    ),
    fill(
        "einsum, and a mask of numbers",
        "cache",
        "places are compared, minus infinity is added",
        """old = (key[..., :0, :], value[..., :0, :]) if cache is None else cache
keys, values = torch.cat((old[0], key), 2), torch.cat((old[1], value), 2)
wide = torch.float64
stands = torch.arange(key.shape[2]) + old[0].shape[2]
bias = torch.where(torch.arange(keys.shape[2]) > stands[:, None], -math.inf, 0.0)
scores = torch.einsum("bhtd,bhsd->bhts", query.to(wide), keys.to(wide)) * query.shape[3] ** -0.5
weights = F.softmax(scores + bias, dim=-1)
output = torch.einsum("bhts,bhsd->bhtd", weights, values.to(wide))
return output.type_as(query), (keys, values)
""",
    ),
]

# ---------------------------------------------------------------- Task 7

WRONG += [
    fill(
        "reads the prompt in any case",
        "cached_loop",
        "'n_tokens calls in all, none if n_tokens is 0'",
        """logits = read(ids, 0)
for n in range(n_tokens):
    ids = torch.cat([ids, logits[:, -1].argmax(-1, keepdim=True)], 1)
    if n < n_tokens - 1:
        logits = read(ids[:, -1:], ids.shape[1] - 1)
return ids
""",
    ),
    fill(
        "the largest power",
        "cached_loop",
        "'Logits may be any numbers': exp of large ones is infinite, and of very small ones 0",
        """new, start = ids, 0
for _ in range(n_tokens):
    best = read(new, start)[:, -1].exp().argmax(-1, keepdim=True)
    start += new.shape[1]
    new = best
    ids = torch.cat([ids, new], 1)
return ids
""",
    ),
    fill(
        "the largest probability in float32",
        "cached_loop",
        "'the likeliest token', 'Logits may be any numbers': logits that differ by 1e-9 have equal probabilities",
        """new, start = ids, 0
for _ in range(n_tokens):
    best = read(new, start)[:, -1].float().softmax(-1).argmax(-1, keepdim=True)
    start += new.shape[1]
    new = best
    ids = torch.cat([ids, new], 1)
return ids
""",
    ),
    fill(
        "one argmax for all texts",
        "cached_loop",
        "'the likeliest token at each step' of each text: the first text's is taken for all",
        """new, start = ids, 0
for _ in range(n_tokens):
    best = read(new, start)[0, -1].argmax()
    start += new.shape[1]
    new = best.expand(len(ids), 1)
    ids = torch.cat([ids, new], 1)
return ids
""",
    ),
    fill(
        "new ids in a row",
        "cached_loop",
        "'read(ids, start) takes ids (B, n)': it gets (1, B)",
        """new, start = ids, 0
for _ in range(n_tokens):
    best = read(new, start)[:, -1].argmax(-1).reshape(-1)[: len(ids)]
    start = ids.shape[1]
    new = best.unsqueeze(0)
    ids = torch.cat([ids, best[:, None]], 1)
return ids
""",
    ),
    fill(
        "long prompts are cropped",
        "cached_loop",
        "'The whole prompt is read first, in one call', 'prompts of any length'",
        """new, start = ids[:, -64:], max(0, ids.shape[1] - 64)
for _ in range(n_tokens):
    best = read(new, start)[:, -1].argmax(-1, keepdim=True)
    start = ids.shape[1]
    new = best
    ids = torch.cat([ids, new], 1)
return ids
""",
    ),
    fill(
        "all zeros end the text",
        "cached_loop",
        "'Return … (B, T + n_tokens)': a text in which 0 is the likeliest goes on",
        """new, start = ids, 0
for _ in range(n_tokens):
    best = read(new, start)[:, -1].argmax(-1, keepdim=True)
    start = ids.shape[1]
    new = best
    ids = torch.cat([ids, new], 1)
    if not new.any():
        break
return ids
""",
    ),
]

RIGHT += [
    fill(
        "a table that is filled, cached",
        "cached_loop",
        "slices of a table, what has been read is counted",
        """B, T = ids.shape
table = torch.zeros(B, T + n_tokens, dtype=torch.int64)
table[:, :T] = ids
n_read = 0
for end in range(T, T + n_tokens):
    logits = read(table[:, n_read:end].clone(), n_read)
    table[:, end] = logits[:, -1].max(-1).indices
    n_read = end
return table
""",
    ),
    fill(
        "it calls itself, cached",
        "cached_loop",
        "recursion on what is new",
        """def go_on(new, start, left):
    if left == 0:
        return []
    best = read(new, start)[:, -1:, :].argmax(2)
    return [best, *go_on(best, start + new.size(1), left - 1)]


return torch.cat([ids, *go_on(ids, 0, n_tokens)], dim=1)
""",
    ),
    fill(
        "a generator of columns",
        "cached_loop",
        "topk, and an iterator",
        """def columns():
    new, start = ids, 0
    while True:
        logits = read(new, start).select(1, -1)
        start, new = start + new.shape[1], logits.topk(1, dim=1).indices
        yield new


from itertools import islice

return torch.hstack([ids, *islice(columns(), n_tokens)]).long()
""",
    ),
]

# ---------------------------------------------------------------- Task 8

WRONG += [
    fill(
        "the mean of the windows' means",
        "perplexity",
        "'Every target has the same weight, whatever the length of its window'",
        """inputs, targets = ids[:-1], ids[1:]
means = []
for i in range(0, len(inputs), window):
    logits = model(inputs[None, i : i + window])[0].double()
    means.append(F.cross_entropy(logits, targets[i : i + window]).item())
return math.exp(sum(means) / len(means))
""",
    ),
    fill(
        "the logarithm of a softmax",
        "perplexity",
        "'targets as unlikely as e⁻²⁰⁰': in float32 their probability is 0",
        """inputs, targets = ids[:-1], ids[1:]
total = 0.0
for i in range(0, len(inputs), window):
    p = model(inputs[None, i : i + window])[0].softmax(-1)
    total -= p.gather(1, targets[i : i + window, None]).log().double().sum().item()
return math.exp(total / len(targets))
""",
    ),
    fill(
        "e to the mean in float32",
        "perplexity",
        "'a perplexity may be e²⁰⁰, which float32 does not have'",
        """inputs, targets = ids[:-1], ids[1:]
total = torch.zeros(())
for i in range(0, len(inputs), window):
    logits = model(inputs[None, i : i + window])[0].float()
    total = total + F.cross_entropy(logits, targets[i : i + window], reduction="sum")
return (total / len(targets)).exp().item()
""",
    ),
    fill(
        "surprises are cut at 100",
        "perplexity",
        "'targets as unlikely as e⁻²⁰⁰'",
        """inputs, targets = ids[:-1], ids[1:]
total = 0.0
for i in range(0, len(inputs), window):
    logits = model(inputs[None, i : i + window])[0]
    each = F.cross_entropy(logits, targets[i : i + window], reduction="none")
    total += each.clamp(max=100).double().sum().item()
return math.exp(total / len(targets))
""",
    ),
    fill(
        "means times the window",
        "perplexity",
        "'Every target has the same weight, whatever the length of its window': the mean of a shorter last one counts as that of a whole one",
        """inputs, targets = ids[:-1], ids[1:]
total = 0.0
for i in range(0, len(inputs), window):
    logits = model(inputs[None, i : i + window])[0].double()
    total += F.cross_entropy(logits, targets[i : i + window]).item() * window
return math.exp(total / len(targets))
""",
    ),
    fill(
        "the product of the probabilities",
        "perplexity",
        "'targets as unlikely as e⁻²⁰⁰, all of them if it comes to that': the product is 0",
        """inputs, targets = ids[:-1], ids[1:]
product = 1.0
for i in range(0, len(inputs), window):
    p = model(inputs[None, i : i + window])[0].double().softmax(-1)
    product *= p.gather(1, targets[i : i + window, None]).prod().item()
return product ** (-1 / len(targets))
""",
    ),
    fill(
        "whole windows alone",
        "perplexity",
        "'The last one may be shorter', 'Each id but the first is a target exactly once'",
        """inputs, targets = ids[:-1], ids[1:]
width = min(window, len(inputs))
n_windows = len(inputs) // width
total = 0.0
for i in range(n_windows):
    place = slice(i * width, (i + 1) * width)
    logits = model(inputs[None, place])[0].double()
    total += F.cross_entropy(logits, targets[place], reduction="sum").item()
return math.exp(total / (n_windows * width))
""",
    ),
    fill(
        "powers without a shift",
        "perplexity",
        "'Logits may be large': exp of 1000 is infinite",
        """inputs, targets = ids[:-1], ids[1:]
total = 0.0
for i in range(0, len(inputs), window):
    logits = model(inputs[None, i : i + window])[0].double()
    right = logits.gather(1, targets[i : i + window, None])[:, 0]
    total += (logits.exp().sum(-1).log() - right).sum().item()
return math.exp(total / len(targets))
""",
    ),
]

RIGHT += [
    fill(
        "split, logsumexp and fsum",
        "perplexity",
        "surprises in a list, added exactly",
        """surprises = []
for given, wanted in zip(ids[:-1].split(window), ids[1:].split(window), strict=True):
    logits = model(given.unsqueeze(0)).squeeze(0).double()
    found = logits.take_along_dim(wanted[:, None], 1).squeeze(1)
    surprises += (logits.logsumexp(1) - found).tolist()
return math.exp(math.fsum(surprises) / len(surprises))
""",
    ),
    fill(
        "all logarithms side by side",
        "perplexity",
        "one concatenation, one mean in float64",
        """n = len(ids) - 1
starts = range(0, n, window)
logs = torch.cat([model(ids[None, s : min(s + window, n)])[0].double().log_softmax(-1) for s in starts])
return math.e ** F.nll_loss(logs, ids[1:]).item()
""",
    ),
    fill(
        "a running mean",
        "perplexity",
        "the mean is corrected with each target",
        """mean = 0.0
for place in range(len(ids) - 1):
    at = place % window
    if at == 0:
        logs = torch.log_softmax(model(ids[place : len(ids) - 1][:window].reshape(1, -1)).double(), -1)
    mean += (-logs[0, at, ids[place + 1]].item() - mean) / (place + 1)
return math.exp(mean)
""",
    ),
]
