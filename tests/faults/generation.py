"""Answers to the assignment `generation`: plausible and wrong, or right in another style."""

from . import edit, fill, write

LOGITS = "logits = x[:, -1] @ head.T"
SHARP = "F.one_hot(logits.argmax(-1), len(head)).to(x.dtype)"
SOFT = "torch.softmax(logits / temperature, dim=-1)"
TOP_K = "values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)"
BY_PLACE = "kept = torch.zeros_like(probs).scatter(-1, indices, values)"
SHARE = "kept / kept.sum(-1, keepdim=True)"
SORT = "descending, order = probs.sort(dim=-1, descending=True)"
INSIDE = "inside = before < p"
FIRST = "    inside[..., 0] = True\n"
BACK = "torch.zeros_like(probs).scatter(-1, order, descending * inside)"
DRAW = "torch.multinomial(probs, 1, generator=generator)[:, 0]"
CROP = "ids[:, -context_length:]"
STOP = "new = torch.where(ended, stop_id, new)"
LEAVE = "if stop_id is not None and ended.all():"
MASK = "torch.ones(n_new, n_all, dtype=torch.bool).tril(n_all - n_new)"
SCALE = " / math.sqrt(query.shape[-1])"
READ = "logits = read(ids[:, n_read:], n_read)"
SHIFT = "inputs, targets = ids[:-1], ids[1:]"
TOTAL = 'total += F.cross_entropy(logits, targets[part], reduction="sum").item()'
MEAN = "math.exp(total / len(inputs))"

WRONG = [
    # Task 1
    edit("no head", "next_token", "d_model classes", (" @ head.T", "")),
    edit("argmax at once", "next_token", "all positions", ("x[:, -1]", "x")),
    edit("first position", "next_token", "it has seen one token", ("x[:, -1]", "x[:, 0]")),
    edit("multiplies", "next_token", "upside down", ("/ temperature", "* temperature")),
    edit(
        "temperature after softmax",
        "next_token",
        "divided, then shared out anew: nothing changes",
        (
            SOFT,
            "F.normalize(torch.softmax(logits, -1) / temperature, p=1, dim=-1)",
        ),
    ),
    edit("softmax over the batch", "next_token", "dim=0", ("dim=-1)", "dim=0)")),
    edit(
        "naive exp",
        "next_token",
        "overflows",
        (SOFT, "F.normalize((logits / temperature).exp(), p=1, dim=-1)"),
    ),
    edit(
        "float32 one-hot",
        "next_token",
        "loses the dtype at temperature 0",
        (".to(x.dtype)", ".float()"),
    ),
    edit(
        "the same token for all",
        "next_token",
        "argmax over the batch",
        (SHARP, "F.one_hot(logits.argmax().expand(len(x)) % len(head), len(head)).to(x.dtype)"),
    ),
    edit(
        "divides in place",
        "next_token",
        "scales x itself",
        (SOFT, "torch.softmax(x[:, -1].div_(temperature) @ head.T, dim=-1)"),
    ),
    # Task 2
    edit("not shared out", "top_k", "sums to less than 1", (SHARE, "kept")),
    edit("one fewer", "top_k", "off by one", ("min(k,", "min(max(k - 1, 1),")),
    edit("the least likely", "top_k", "largest=False", ("[-1]), dim=-1)", "[-1]), largest=False)")),
    edit(
        "softmax of probabilities",
        "top_k",
        "other ratios",
        (SHARE, "kept.masked_fill(kept == 0, -math.inf).softmax(-1)"),
    ),
    edit("sorted places", "top_k", "never put back", (BY_PLACE, "kept = values")),
    edit(
        "by value",
        "top_k",
        "all that tie at the border stay",
        (BY_PLACE, "kept = probs * (probs >= values[..., -1:])"),
    ),
    edit("k above V", "top_k", "topk raises", ("min(k, probs.shape[-1])", "k")),
    edit(
        "one sum for all rows",
        "top_k",
        "right for one distribution",
        ("kept.sum(-1, keepdim=True)", "kept.sum()"),
    ),
    edit(
        "first row's tokens",
        "top_k",
        "one set for the whole batch",
        (TOP_K, f"rows = probs.reshape(-1, probs.shape[-1])\n    {TOP_K}"),
        (
            BY_PLACE,
            "first = rows[0].topk(min(k, probs.shape[-1])).indices\n"
            "    kept = torch.zeros_like(probs)\n    kept[..., first] = probs[..., first]",
        ),
    ),
    edit(
        "changes probs",
        "top_k",
        "zeros written in place",
        (BY_PLACE, "kept = probs.zero_().scatter_(-1, indices, values)"),
    ),
    # Task 3
    edit(
        "drops the crossing token",
        "top_p",
        "cumulative sum still below p",
        (INSIDE, "inside = before + descending < p"),
    ),
    edit("one too many", "top_p", "off by one", (INSIDE, "inside = before - descending < p")),
    edit("not shared out", "top_p", "sums to less than 1", (SHARE, "kept")),
    edit(
        "an empty nucleus",
        "top_p",
        "the likeliest alone exceeds p",
        (INSIDE, "inside = (before + descending < p).roll(1, -1) & (descending < p)"),
        (FIRST, "    inside[..., 0] = descending[..., 0] < p\n"),
    ),
    edit("never put back", "top_p", "right if sorted already", (BACK, "descending * inside")),
    edit(
        "put back the wrong way",
        "top_p",
        "gather for scatter",
        (BACK, "(descending * inside).gather(-1, order)"),
    ),
    edit(
        "the first row's size",
        "top_p",
        "the batch is cut at one place",
        (
            INSIDE,
            "inside = (before < p).reshape(-1, before.shape[-1])[0].expand_as(before).clone()",
        ),
    ),
    edit(
        "a fixed floor",
        "top_p",
        "keeps what has more than 1 − p",
        (INSIDE, "inside = descending > (1 - p) / 2"),
    ),
    edit(
        "the largest row's sum",
        "top_p",
        "one sum for all",
        ("kept.sum(-1, keepdim=True)", "kept.sum(-1).max()"),
    ),
    edit(
        "changes probs",
        "top_p",
        "zeros written in place",
        (BACK, "probs.zero_().scatter_(-1, order, descending * inside)"),
    ),
    edit(
        "sums over the batch",
        "top_p",
        "cumsum from the front",
        ("descending.cumsum(-1)", "descending.cumsum(0)"),
    ),
    # Task 4
    edit("argmax", "draw", "nothing is drawn", (DRAW, "probs.argmax(-1)")),
    edit(
        "the global generator",
        "draw",
        "cannot be repeated",
        ("probs, 1, generator=generator", "probs, 1"),
    ),
    edit(
        "seeded anew",
        "draw",
        "every call draws the same",
        (
            "return",
            "generator.manual_seed(generator.initial_seed())\n    return",
        ),
    ),
    edit(
        "one number for all rows",
        "draw",
        "right shares of one row only",
        (
            DRAW,
            "(probs.cumsum(-1) <= torch.rand((), generator=generator)).sum(-1).clamp(max=2)",
        ),
    ),
    edit(
        "seeds the global generator",
        "draw",
        "repeatable, but not left alone",
        (
            DRAW,
            "torch.multinomial(probs, 1, generator=torch.manual_seed("
            "int(torch.randint(2**31, (), generator=generator))))[:, 0]",
        ),
    ),
    edit(
        "pairs of rows",
        "draw",
        "neighbors share a number",
        (
            DRAW,
            "(probs.cumsum(-1) <= torch.rand(len(probs) // 2 + 1, 1, generator=generator)"
            ".repeat_interleave(2, 0)[: len(probs)]).sum(-1).clamp(max=probs.shape[-1] - 1)",
        ),
    ),
    # Task 5
    fill(
        "argmax at once",
        "loop",
        "one answer for each place of the prompt",
        """
    return model(ids).argmax(-1)
""",
    ),
    edit(
        "without the prompt",
        "loop",
        "the continuation only",
        ("    return ids\n", "    return ids[:, -n_tokens:]\n"),
    ),
    edit("no crop", "loop", "fails beyond the context", (CROP, "ids")),
    edit("crops from the front", "loop", "the first ids", (CROP, "ids[:, :context_length]")),
    edit(
        "crops the text",
        "loop",
        "the beginning is lost",
        (
            "logits = model(ids[:, -context_length:])",
            "ids = ids[:, -context_length:]\n        logits = model(ids)",
        ),
    ),
    edit(
        "first position", "loop", "[:, 0]", ("context_length:])[:, -1]", "context_length:])[:, 0]")
    ),
    edit(
        "always greedy",
        "loop",
        "choose is not asked",
        ("new = choose(logits)", "choose(logits)\n        new = logits.argmax(-1)"),
    ),
    edit(
        "ends with the first",
        "loop",
        "any for all",
        ("ended.all()", "ended.any()"),
    ),
    edit("writes on", "loop", "what follows a stop is not replaced", (STOP, "new = new.clone()")),
    edit(
        "a stop in the prompt",
        "loop",
        "ends texts before they began",
        (
            "ended = torch.zeros(len(ids), dtype=torch.bool)",
            "ended = (ids == (-1 if stop_id is None else stop_id)).any(-1)",
        ),
    ),
    edit("never leaves", "loop", "asks on for nothing", (LEAVE, "if False:")),
    edit(
        "length counts the prompt",
        "loop",
        "max_length for max_new_tokens",
        ("range(n_tokens)", "range(max(0, n_tokens - ids.shape[1]))"),
    ),
    edit(
        "a stop by its truth",
        "loop",
        "id 0 is no stop",
        (LEAVE, "if stop_id and ended.all():"),
    ),
    edit(
        "the last row's stop",
        "loop",
        "one flag for the batch",
        (LEAVE, "if stop_id is not None and ended[-1]:"),
    ),
    edit(
        "appends in place",
        "loop",
        "resizes the prompt",
        (
            "ids = torch.cat([ids, new[:, None]], dim=1)",
            "longer = torch.cat([ids, new[:, None]], dim=1)\n"
            "        ids = ids.set_(longer) if len(ids) > 1 else longer",
        ),
    ),
    # Task 6
    edit(
        "no causal mask",
        "cache",
        "new positions see their future",
        (MASK, "torch.ones(n_new, n_all, dtype=torch.bool)"),
    ),
    edit(
        "mask from the corner",
        "cache",
        "as if nothing stood before",
        (MASK, "torch.ones(n_new, n_all, dtype=torch.bool).tril()"),
    ),
    edit("one position ahead", "cache", "off by one", (MASK, MASK[:-1] + " + 1)")),
    edit(
        "itself excluded",
        "cache",
        "strictly before, once there is a past",
        (MASK, MASK[:-1] + " - (cache is not None))"),
    ),
    edit("no scale", "cache", "plain products", (SCALE, "")),
    edit(
        "newest first",
        "cache",
        "prepended",
        ("[cache[0], key]", "[key, cache[0]]"),
        ("[cache[1], value]", "[value, cache[1]]"),
    ),
    edit("keys for values", "cache", "copied line", ("[cache[1], value]", "[cache[0], key]")),
    edit(
        "caches the new only",
        "cache",
        "forgets the past after one step",
        ("weights @ values, (keys, values)", "weights @ values, (key, value)"),
    ),
    edit(
        "mask only without a cache",
        "cache",
        "a cache is thought to need none",
        (
            "scores.masked_fill(~mask, -math.inf)",
            "(scores if cache is not None else scores.masked_fill(~mask, -math.inf))",
        ),
    ),
    edit(
        "square mask for the new",
        "cache",
        "pieces of several positions see no past",
        (
            MASK,
            f"{MASK}\n    if n_new > 1:\n"
            "        mask = mask.triu(n_all - n_new) | torch.eye(n_new, n_all).bool()",
        ),
    ),
    edit(
        "softmax over the queries",
        "cache",
        "not over the keys, when there are several",
        (".softmax(dim=-1)", ".softmax(dim=-1 if n_new == 1 else -2).nan_to_num()"),
    ),
    # Task 7
    edit(
        "one too far",
        "cached_loop",
        "counts from 1",
        (READ, "logits = read(ids[:, n_read:], n_read + 1)"),
    ),
    edit(
        "reads all again", "cached_loop", "the cache is not used", (READ, "logits = read(ids, 0)")
    ),
    edit(
        "counts new tokens",
        "cached_loop",
        "position 1 after the prompt",
        ("n_read = ids.shape[1]", "n_read = n_read + 1"),
    ),
    edit(
        "first answer",
        "cached_loop",
        "of the prompt's positions",
        ("logits[:, -1]", "logits[:, 0]"),
    ),
    edit(
        "one text's choice for all",
        "cached_loop",
        "right for a batch of one",
        ("logits[:, -1].argmax(-1)", "logits[0, -1].argmax(-1).expand(len(ids))"),
    ),
    edit(
        "at least one token",
        "cached_loop",
        "n_tokens = 0 writes",
        ("range(n_tokens)", "range(max(n_tokens, 1))"),
    ),
    edit(
        "flat argmax",
        "cached_loop",
        "over batch and vocabulary",
        (
            "logits[:, -1].argmax(-1)",
            "(logits[:, -1].argmax() % logits.shape[-1]).expand(len(ids))",
        ),
    ),
    # Task 8
    edit(
        "unshifted",
        "perplexity",
        "predicts what it has read",
        (SHIFT, "inputs, targets = ids[:-1], ids[:-1]"),
    ),
    edit("bits", "perplexity", "2 for e", (MEAN, "2 ** (total / len(inputs))")),
    edit(
        "borders lost",
        "perplexity",
        "cut first, then shifted",
        (
            TOTAL,
            'total += F.cross_entropy(logits[:-1], targets[part][:-1], reduction="sum").item()',
        ),
    ),
    edit(
        "mean of means",
        "perplexity",
        "a short window counts like a long one",
        (TOTAL, "total += F.cross_entropy(logits, targets[part]).item()"),
        (MEAN, "math.exp(total / math.ceil(len(inputs) / window))"),
    ),
    edit(
        "mean of exponentials",
        "perplexity",
        "e to each window, then the mean",
        (TOTAL, "total += len(logits) * math.exp(F.cross_entropy(logits, targets[part]))"),
        (MEAN, "total / len(inputs)"),
    ),
    edit(
        "last window dropped",
        "perplexity",
        "only whole ones",
        ("range(0, len(inputs), window)", "range(0, max(len(inputs) - window + 1, 1), window)"),
    ),
    edit(
        "divided by N",
        "perplexity",
        "one more than there are targets",
        (MEAN, "math.exp(total / (len(ids) - (len(ids) < 8)))"),
    ),
    edit(
        "sliding windows",
        "perplexity",
        "the last window is filled up from before, and counts twice",
        (
            "part = slice(start, start + window)",
            "start = max(0, min(start, len(inputs) - window))\n"
            "        part = slice(start, start + window)",
        ),
    ),
]

RIGHT = [
    fill(
        "linear and exp",
        "next_token",
        "stable by hand",
        """
    logits = F.linear(x[:, -1, :], head)
    if temperature == 0:
        sharp = torch.zeros_like(logits)
        return sharp.scatter(1, logits.argmax(1, keepdim=True), 1.0)
    shifted = (logits - logits.max(-1, keepdim=True).values) / temperature
    return shifted.exp() / shifted.exp().sum(-1, keepdim=True)
""",
    ),
    fill(
        "log-softmax of all positions",
        "next_token",
        "wasteful, but right",
        """
    logits = torch.einsum("btc,vc->btv", x, head)[:, x.shape[1] - 1]
    if not temperature:
        first = [row.index(max(row)) for row in logits.tolist()]
        return torch.eye(len(head), dtype=x.dtype)[first]
    return torch.log_softmax(logits / temperature, 1).exp()
""",
    ),
    fill(
        "sort and cut",
        "top_k",
        "ranks by a double argsort",
        """
    rank = probs.argsort(-1, descending=True).argsort(-1)
    kept = torch.where(rank < k, probs, torch.zeros_like(probs))
    return kept / kept.sum(dim=-1, keepdim=True)
""",
    ),
    fill(
        "logits and softmax",
        "top_k",
        "minus infinity, then softmax of logs",
        """
    best = probs.topk(min(k, probs.size(-1))).indices
    logs = torch.full_like(probs, -math.inf).scatter(-1, best, probs.log().gather(-1, best))
    return torch.softmax(logs, -1)
""",
    ),
    fill(
        "row by row",
        "top_p",
        "a plain loop",
        """
    rows = probs.reshape(-1, probs.shape[-1])
    kept = torch.zeros_like(rows)
    for row, target in zip(rows, kept):
        total = 0.0
        for i in row.argsort(descending=True).tolist():
            target[i] = row[i]
            total += row[i].item()
            if total >= p:
                break
        target /= target.sum()
    return kept.view_as(probs)
""",
    ),
    fill(
        "shifted mask",
        "top_p",
        "remove what lies beyond, shifted by one, then scatter the mask",
        """
    sorted_probs, places = torch.sort(probs, descending=True)
    remove = sorted_probs.cumsum(dim=-1) > p
    remove = torch.cat([torch.zeros_like(remove[..., :1]), remove[..., :-1]], -1)
    remove = torch.zeros_like(remove).scatter(-1, places, remove)
    kept = probs.masked_fill(remove, 0.0)
    return kept / kept.sum(-1, keepdim=True)
""",
    ),
    fill(
        "inverse of the cumulative sum",
        "draw",
        "one uniform number for each row",
        """
    u = torch.rand(len(probs), 1, generator=generator, dtype=torch.float64)
    cumulative = probs.double().cumsum(-1)
    return (cumulative <= u * cumulative[:, -1:]).sum(-1)
""",
    ),
    fill(
        "race of exponentials",
        "draw",
        "the largest ratio wins",
        """
    noise = torch.empty(probs.shape).exponential_(generator=generator)
    return (probs / noise).argmax(-1)
""",
    ),
    fill(
        "lists",
        "loop",
        "Python lists and a while",
        """
    texts, done, n = ids.tolist(), [False] * len(ids), 0
    while n < n_tokens and not all(done):
        window = torch.tensor([text[-context_length:] for text in texts])
        chosen = choose(model(window)[:, -1, :]).tolist()
        for b, token in enumerate(chosen):
            texts[b].append(stop_id if done[b] else token)
            done[b] = done[b] or (stop_id is not None and texts[b][-1] == stop_id)
        n += 1
    return torch.tensor(texts)
""",
    ),
    fill(
        "preallocated",
        "loop",
        "writes into one tensor and crops it at the end",
        """
    n_batch, n_prompt = ids.shape
    text = torch.zeros(n_batch, n_prompt + n_tokens, dtype=torch.long)
    text[:, :n_prompt] = ids
    going, end = torch.ones(n_batch, dtype=torch.bool), n_prompt
    while end < n_prompt + n_tokens and going.any():
        logits = model(text[:, max(0, end - context_length) : end])
        new = choose(logits[:, -1])
        if stop_id is not None:
            new = new.masked_fill(~going, stop_id)
            going &= new != stop_id
        text[:, end] = new
        end += 1
    return text[:, :end]
""",
    ),
    fill(
        "position by position",
        "cache",
        "no mask at all",
        """
    keys = key if cache is None else torch.cat((cache[0], key), 2)
    values = value if cache is None else torch.cat((cache[1], value), 2)
    n_before = keys.shape[2] - key.shape[2]
    outputs = []
    for t in range(query.shape[2]):
        seen = n_before + t + 1
        scores = torch.einsum("bhd,bhsd->bhs", query[:, :, t], keys[:, :, :seen])
        weights = torch.softmax(scores / query.shape[-1] ** 0.5, -1)
        outputs.append(torch.einsum("bhs,bhsd->bhd", weights, values[:, :, :seen]))
    return torch.stack(outputs, 2), (keys, values)
""",
    ),
    fill(
        "positions compared",
        "cache",
        "an index for each query and key",
        """
    old = key[:, :, :0] if cache is None else cache[0]
    keys = torch.cat([old, key], -2)
    values = value if cache is None else torch.cat([cache[1], value], -2)
    here = old.shape[-2] + torch.arange(query.shape[-2])[:, None]
    there = torch.arange(keys.shape[-2])
    scores = (query @ keys.transpose(-1, -2)) * query.shape[-1] ** -0.5
    weights = F.softmax(torch.where(there <= here, scores, -1e9), -1)
    return weights @ values, [keys, values]
""",
    ),
    fill(
        "the prompt apart",
        "cached_loop",
        "first step outside of the loop",
        """
    if n_tokens == 0:
        return ids
    text = [ids]
    new = read(ids, 0)[:, -1].argmax(-1, keepdim=True)
    text.append(new)
    for step in range(n_tokens - 1):
        new = read(new, ids.shape[1] + step)[:, -1].argmax(-1, keepdim=True)
        text.append(new)
    return torch.cat(text, 1)
""",
    ),
    fill(
        "log-softmax and gather",
        "perplexity",
        "negative log-likelihoods collected",
        """
    found, start = [], 0
    while start < len(ids) - 1:
        end = min(start + window, len(ids) - 1)
        log_probs = model(ids[start:end].unsqueeze(0)).squeeze(0).double().log_softmax(-1)
        found += [-log_probs[i, ids[start + i + 1]].item() for i in range(end - start)]
        start = end
    return math.exp(sum(found) / len(found))
""",
    ),
    fill(
        "product of inverse probabilities",
        "perplexity",
        "weighted means",
        """
    n_targets, total = ids.numel() - 1, torch.zeros((), dtype=torch.float64)
    for inputs, wanted in zip(ids[:-1].split(window), ids[1:].split(window)):
        logits = model(inputs[None])[0].double()
        total += F.cross_entropy(logits, wanted) * wanted.numel()
    return float(torch.exp(total / n_targets))
""",
    ),
    write(
        "helpers and names of its own",
        "loop",
        "a helper function, no type hints",
        """
def last_logits(model, ids, n):
    visible = ids if ids.shape[1] <= n else ids[:, ids.shape[1] - n :]
    return model(visible)[:, visible.shape[1] - 1]

def generate(model, ids, n_tokens, context_length, choose, stop_id=None):
    finished = [False for _ in ids]
    for _ in range(n_tokens):
        if stop_id is not None and all(finished):
            return ids
        new = choose(last_logits(model, ids, context_length)).clone()
        for b, is_over in enumerate(finished):
            if is_over:
                new[b] = stop_id
            finished[b] = is_over or (stop_id is not None and int(new[b]) == stop_id)
        ids = torch.hstack([ids, new.reshape(-1, 1)])
    return ids
        """,
    ),
]
