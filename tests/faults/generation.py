"""Answers to the assignment `generation`: plausible and wrong, or right in another style."""

from . import edit, fill, frozen, write

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
    edit(
        "no head",
        "next_token",
        "d_model classes",
        (" @ head.T", ""),
        cause="head",
    ),
    edit(
        "argmax at once",
        "next_token",
        "all positions",
        ("x[:, -1]", "x"),
        cause="each position",
    ),
    edit(
        "first position",
        "next_token",
        "it has seen one token",
        ("x[:, -1]", "x[:, 0]"),
        cause="first position",
    ),
    edit(
        "multiplies",
        "next_token",
        "upside down",
        ("/ temperature", "* temperature"),
        cause="multiplies",
    ),
    edit(
        "temperature after softmax",
        "next_token",
        "divided, then shared out anew: nothing changes",
        (
            SOFT,
            "F.normalize(torch.softmax(logits, -1) / temperature, p=1, dim=-1)",
        ),
        cause="after the softmax",
    ),
    edit(
        "softmax over the batch",
        "next_token",
        "dim=0",
        ("dim=-1)", "dim=0)"),
        cause="over the batch",
    ),
    edit(
        "naive exp",
        "next_token",
        "overflows",
        (SOFT, "F.normalize((logits / temperature).exp(), p=1, dim=-1)"),
        cause="overflow",
    ),
    edit(
        "float32 one-hot",
        "next_token",
        "loses the dtype at temperature 0",
        (".to(x.dtype)", ".float()"),
        cause="dtype",
    ),
    edit(
        "the same token for all",
        "next_token",
        "argmax over the batch",
        (SHARP, "F.one_hot(logits.argmax().expand(len(x)) % len(head), len(head)).to(x.dtype)"),
        cause="its own",
    ),
    edit(
        "divides in place",
        "next_token",
        "scales x itself",
        (SOFT, "torch.softmax(x[:, -1].div_(temperature) @ head.T, dim=-1)"),
        cause="in place",
    ),
    edit(
        "the last text",
        "next_token",
        "x[-1]: right where there are as many texts as positions, in shape alone",
        ("x[:, -1]", "(x[-1] if x.shape[0] == x.shape[1] else x[:, -1])"),
        cause="last position|last of",
    ),
    edit(
        "a small temperature is none",
        "next_token",
        "below 0.01 the argmax",
        ("if temperature == 0", "if temperature < 0.01"),
        cause="not 0",
    ),
    edit(
        "never below a hundredth",
        "next_token",
        "a floor that avoids a division by 0",
        ("logits / temperature", "logits / max(temperature, 0.01)"),
        cause="not 0|small",
    ),
    edit(
        "in float32, and back",
        "next_token",
        "the dtype is kept, the digits are not",
        (LOGITS, "logits = (x[:, -1].float() @ head.T.float()).to(x.dtype)"),
        cause="float32",
    ),
    edit(
        "all of the largest",
        "next_token",
        "at 0 equal ones share",
        (SHARP, "F.normalize((logits == logits.amax(-1, keepdim=True)).to(x.dtype), p=1, dim=-1)"),
        cause="first of the largest",
    ),
    edit(
        "the last of the largest",
        "next_token",
        "at 0, from behind",
        (
            SHARP,
            "F.one_hot(len(head) - 1 - logits.flip(-1).argmax(-1), len(head)).to(x.dtype)",
        ),
        cause="first of the largest",
    ),
    edit(
        "logits kept below 50",
        "next_token",
        "so that exp does not overflow",
        (LOGITS, f"{LOGITS}.clamp(-50, 50)"),
        cause="large",
    ),
    edit(
        "head scaled in place",
        "next_token",
        "divided by the temperature, for all later calls",
        (LOGITS, "logits = x[:, -1] @ (head.div_(temperature).T if temperature else head.T)"),
        ("logits / temperature", "logits"),
        cause="in place",
    ),
    edit(
        "the largest magnitude",
        "next_token",
        "at 0, without its sign",
        ("logits.argmax(-1)", "logits.abs().argmax(-1)"),
        cause="largest",
    ),
    # Task 2
    edit(
        "not shared out",
        "top_k",
        "sums to less than 1",
        (SHARE, "kept"),
        cause="divided",
    ),
    edit(
        "one fewer",
        "top_k",
        "off by one",
        ("min(k,", "min(max(k - 1, 1),"),
        cause="exactly two",
    ),
    edit(
        "the least likely",
        "top_k",
        "largest=False",
        ("[-1]), dim=-1)", "[-1]), largest=False)"),
        cause="smallest",
    ),
    edit(
        "softmax of probabilities",
        "top_k",
        "other ratios",
        (SHARE, "kept.masked_fill(kept == 0, -math.inf).softmax(-1)"),
        cause="softmax",
    ),
    edit(
        "sorted places",
        "top_k",
        "never put back",
        (BY_PLACE, "kept = values"),
        cause="places",
    ),
    edit(
        "by value",
        "top_k",
        "all that tie at the border stay",
        (BY_PLACE, "kept = probs * (probs >= values[..., -1:])"),
        cause="by value",
    ),
    edit(
        "k above V",
        "top_k",
        "topk raises",
        ("min(k, probs.shape[-1])", "k"),
        cause="larger than V",
    ),
    edit(
        "one sum for all rows",
        "top_k",
        "right for one distribution",
        ("kept.sum(-1, keepdim=True)", "kept.sum()"),
        cause="own sum|by itself",
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
        cause="each row|other|wrong ones",
    ),
    edit(
        "changes probs",
        "top_k",
        "zeros written in place",
        (BY_PLACE, "kept = probs.zero_().scatter_(-1, indices, values)"),
        cause="in place",
    ),
    edit(
        "nearly zero",
        "top_k",
        "a little for all, so that no logarithm is infinite",
        ("    return kept", "    kept = kept + 1e-12\n    return kept"),
        cause="exactly 0|exactly two|exactly k",
    ),
    edit(
        "in float32, and back",
        "top_k",
        "the digits are lost",
        (TOP_K, "values, indices = probs.float().topk(min(k, probs.shape[-1]), dim=-1)"),
        (BY_PLACE, "kept = torch.zeros_like(probs).scatter(-1, indices, values.to(probs.dtype))"),
        cause="float32",
    ),
    edit(
        "float32 out",
        "top_k",
        "whatever comes in",
        (SHARE, "(kept / kept.sum(-1, keepdim=True)).float()"),
        cause="dtype",
    ),
    edit(
        "all ties go",
        "top_k",
        "what equals the next one is out, too",
        (
            BY_PLACE,
            "more = probs.topk(min(k + 1, probs.shape[-1]), dim=-1).values[..., -1:]\n"
            "    kept = probs * (probs > (more if k < probs.shape[-1] else -1.0))\n"
            "    kept = torch.where(kept.sum(-1, keepdim=True) > 0, kept, probs)",
        ),
        cause="ties",
    ),
    edit(
        "two dimensions at most",
        "top_k",
        "rows are flattened, and stay so",
        (
            TOP_K,
            "probs = probs.flatten(0, -2) if probs.dim() > 2 else probs\n"
            "    values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)",
        ),
        cause="shape",
    ),
    edit(
        "no row below one of its own",
        "top_k",
        "a leading dimension of 1 is lost",
        (
            "    return kept / kept.sum(-1, keepdim=True)",
            "    return (kept / kept.sum(-1, keepdim=True)).squeeze()",
        ),
        cause="shape",
    ),
    # Task 3
    edit(
        "drops the crossing token",
        "top_p",
        "cumulative sum still below p",
        (INSIDE, "inside = before + descending < p"),
        cause="crosses",
    ),
    edit(
        "one too many",
        "top_p",
        "off by one",
        (INSIDE, "inside = before - descending < p"),
        cause="one too many|tokens",
    ),
    edit(
        "not shared out",
        "top_p",
        "sums to less than 1",
        (SHARE, "kept"),
        cause="divided",
    ),
    edit(
        "an empty nucleus",
        "top_p",
        "the likeliest alone exceeds p",
        (INSIDE, "inside = (before + descending < p).roll(1, -1) & (descending < p)"),
        (FIRST, "    inside[..., 0] = descending[..., 0] < p\n"),
        cause="likeliest",
    ),
    edit(
        "never put back",
        "top_p",
        "right if sorted already",
        (BACK, "descending * inside"),
        cause="own places",
    ),
    edit(
        "put back the wrong way",
        "top_p",
        "gather for scatter",
        (BACK, "(descending * inside).gather(-1, order)"),
        cause="gather",
    ),
    edit(
        "the first row's size",
        "top_p",
        "the batch is cut at one place",
        (
            INSIDE,
            "inside = (before < p).reshape(-1, before.shape[-1])[0].expand_as(before).clone()",
        ),
        cause="each row",
    ),
    edit(
        "a fixed floor",
        "top_p",
        "keeps what has more than 1 − p",
        (INSIDE, "inside = descending > (1 - p) / 2"),
        cause="tokens",
    ),
    edit(
        "the largest row's sum",
        "top_p",
        "one sum for all",
        ("kept.sum(-1, keepdim=True)", "kept.sum(-1).max()"),
        cause="own sum",
    ),
    edit(
        "changes probs",
        "top_p",
        "zeros written in place",
        (BACK, "probs.zero_().scatter_(-1, order, descending * inside)"),
        cause="in place",
    ),
    edit(
        "sums over the batch",
        "top_p",
        "cumsum from the front",
        ("descending.cumsum(-1)", "descending.cumsum(0)"),
        cause="each row",
    ),
    edit(
        "equals of the last one",
        "top_p",
        "by value: all that tie at the border stay",
        (
            BACK,
            "probs * (probs >= torch.where(inside, descending, 2.0).amin(-1, keepdim=True))",
        ),
        cause="equal ones",
    ),
    edit(
        "no case for p = 1",
        "top_p",
        "the sum reaches 1 before the end",
        ("    if p >= 1:", "    if False:"),
        cause="rounding",
    ),
    edit(
        "a single token is lost",
        "top_p",
        "the likeliest stays only where there are others",
        ("    inside[..., 0] = True\n", "    inside[..., 0] = before.shape[-1] > 1\n"),
        cause="tokens|sum|NaN",
    ),
    edit(
        "in float32, and back",
        "top_p",
        "the digits are lost",
        (BACK, f"{BACK}.float().to(probs.dtype)"),
        cause="float32",
    ),
    edit(
        "float32 out",
        "top_p",
        "whatever comes in",
        (SHARE, f"({SHARE}).float()"),
        cause="dtype",
    ),
    edit(
        "p = 1 in float32",
        "top_p",
        "the special case forgets the dtype",
        (
            "return probs / probs.sum(-1, keepdim=True)",
            "return (probs / probs.sum(-1, keepdim=True)).float()",
        ),
        cause="dtype",
    ),
    edit(
        "a nucleus of two at least",
        "top_p",
        "so that something is left to draw",
        (FIRST, "    inside[..., :2] = True\n"),
        cause="likeliest|one too many|tokens",
    ),
    edit(
        "p of the rest",
        "top_p",
        "the likeliest does not count",
        (INSIDE, "inside = before - descending[..., :1] < p"),
        cause="one too many|tokens",
    ),
    # Task 4
    edit(
        "argmax",
        "draw",
        "nothing is drawn",
        (DRAW, "probs.argmax(-1)"),
        cause="argmax",
    ),
    edit(
        "the global generator",
        "draw",
        "cannot be repeated",
        ("probs, 1, generator=generator", "probs, 1"),
        cause="generator",
    ),
    edit(
        "seeded anew",
        "draw",
        "every call draws the same",
        (
            "return",
            "generator.manual_seed(generator.initial_seed())\n    return",
        ),
        cause="do not seed",
    ),
    edit(
        "one number for all rows",
        "draw",
        "right shares of one row only",
        (
            DRAW,
            "(probs.cumsum(-1) <= torch.rand((), generator=generator)).sum(-1).clamp(max=2)",
        ),
        cause="of its own",
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
        cause="global",
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
        cause="not independent",
    ),
    edit(
        "squeezed",
        "draw",
        "a single row loses its dimension",
        ("[:, 0]", ".squeeze()"),
        cause="each row|shape",
    ),
    edit(
        "32 bits",
        "draw",
        "half the memory",
        ("[:, 0]", "[:, 0].int()"),
        cause="int64",
    ),
    edit(
        "the two halves share",
        "draw",
        "one number for row b and row b + B/2",
        (
            DRAW,
            "(probs.cumsum(-1) <= torch.rand((len(probs) + 1) // 2, 1, generator=generator)"
            ".repeat(2, 1)[: len(probs)]).sum(-1).clamp(max=probs.shape[-1] - 1)",
        ),
        cause="independent",
    ),
    edit(
        "a little for all",
        "draw",
        "probability 0 comes now and then",
        ("probs, 1", "probs + 0.01, 1"),
        cause="never come|certain",
    ),
    edit(
        "Python draws",
        "draw",
        "Python's generator, seeded from the one given",
        (
            f"return {DRAW}",
            "import random\n"
            "    random.seed(int(torch.randint(2**31, (), generator=generator)))\n"
            "    rows = [random.choices(range(len(row)), row)[0] for row in probs.tolist()]\n"
            "    return torch.tensor(rows)",
        ),
        cause="Python",
    ),
    edit(
        "a copy of the generator",
        "draw",
        "its state is never moved on",
        (DRAW, DRAW.replace("=generator", "=generator.clone_state()")),
        cause="second call|go on",
    ),
    edit(
        "temperature 2",
        "draw",
        "square roots of the odds",
        ("probs, 1", "probs.sqrt(), 1"),
        cause="share",
    ),
    edit(
        "probabilities changed in place",
        "draw",
        "cumulated where they are",
        (
            DRAW,
            "(probs.cumsum_(-1) <= torch.rand(len(probs), 1, generator=generator)).sum(-1)"
            ".clamp(max=probs.shape[-1] - 1)",
        ),
        cause="in place",
    ),
    # Task 5
    fill(
        "argmax at once",
        "loop",
        "one answer for each place of the prompt",
        """
    return model(ids).argmax(-1)
""",
        cause="one pass",
    ),
    edit(
        "without the prompt",
        "loop",
        "the continuation only",
        ("    return ids\n", "    return ids[:, -n_tokens:]\n"),
        cause="prompt",
    ),
    edit(
        "no crop",
        "loop",
        "fails beyond the context",
        (CROP, "ids"),
        cause="crop|context_length",
    ),
    edit(
        "crops from the front",
        "loop",
        "the first ids",
        (CROP, "ids[:, :context_length]"),
        cause="last three",
    ),
    edit(
        "crops the text",
        "loop",
        "the beginning is lost",
        (
            "logits = model(ids[:, -context_length:])",
            "ids = ids[:, -context_length:]\n        logits = model(ids)",
        ),
        cause="whole text",
    ),
    edit(
        "first position",
        "loop",
        "[:, 0]",
        ("context_length:])[:, -1]", "context_length:])[:, 0]"),
        cause="last position",
    ),
    edit(
        "always greedy",
        "loop",
        "choose is not asked",
        ("new = choose(logits)", "choose(logits)\n        new = logits.argmax(-1)"),
        cause="what choose returns",
    ),
    edit(
        "ends with the first",
        "loop",
        "any for all",
        ("ended.all()", "ended.any()"),
        cause="all texts have ended",
    ),
    edit(
        "writes on",
        "loop",
        "what follows a stop is not replaced",
        (STOP, "new = new.clone()"),
        cause="filled",
    ),
    edit(
        "a stop in the prompt",
        "loop",
        "ends texts before they began",
        (
            "ended = torch.zeros(len(ids), dtype=torch.bool)",
            "ended = (ids == (-1 if stop_id is None else stop_id)).any(-1)",
        ),
        cause="prompt",
    ),
    edit(
        "never leaves",
        "loop",
        "asks on for nothing",
        (LEAVE, "if False:"),
        cause="nothing follows|as soon as all",
    ),
    edit(
        "length counts the prompt",
        "loop",
        "max_length for max_new_tokens",
        ("range(n_tokens)", "range(max(0, n_tokens - ids.shape[1]))"),
        cause="new ids",
    ),
    edit(
        "a stop by its truth",
        "loop",
        "id 0 is no stop",
        (LEAVE, "if stop_id and ended.all():"),
        cause="id 0",
    ),
    edit(
        "the last row's stop",
        "loop",
        "one flag for the batch",
        (LEAVE, "if stop_id is not None and ended[-1]:"),
        cause="all texts have ended",
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
        cause="in place",
    ),
    edit(
        "a stop in the prompt, with id 0",
        "loop",
        "padding in front is taken for a stop",
        (
            "ended = torch.zeros(len(ids), dtype=torch.bool)",
            "ended = (ids == 0).any(-1) & (stop_id == 0)",
        ),
        cause="prompt",
    ),
    edit(
        "the first row's stop",
        "loop",
        "one flag for the batch",
        (LEAVE, "if stop_id is not None and ended[0]:"),
        cause="all texts",
    ),
    edit(
        "filled with 0",
        "loop",
        "padding after the stop",
        (STOP, "new = torch.where(ended, 0, new)"),
        cause="filled",
    ),
    edit(
        "a stop may be undone",
        "loop",
        "only who stops just now has ended",
        ("ended = ended | (new == stop_id)", "ended = new == stop_id"),
        (STOP, "new = new.clone()"),
        cause="own|ended",
    ),
    edit(
        "stops when anything was chosen twice",
        "loop",
        "None is taken for an id",
        (LEAVE, "if stop_id is None and (new == 0).all() or stop_id is not None and ended.all():"),
        cause="too few|Without stop_id",
    ),
    edit(
        "leaves before the stop is written",
        "loop",
        "the stop does not belong to the text",
        (
            "        ids = torch.cat([ids, new[:, None]], dim=1)\n"
            "        if stop_id is not None and ended.all():\n"
            "            break\n",
            "        if stop_id is not None and ended.all():\n"
            "            break\n"
            "        ids = torch.cat([ids, new[:, None]], dim=1)\n",
        ),
        cause="belongs to the text",
    ),
    edit(
        "context one short",
        "loop",
        "one place kept for the new id",
        (CROP, "ids[:, -max(1, context_length - 1) :]"),
        cause="last",
    ),
    edit(
        "probabilities for choose",
        "loop",
        "a softmax on the way",
        ("new = choose(logits)", "new = choose(logits.softmax(-1))"),
        cause="as they are",
    ),
    edit(
        "the prompt overwritten",
        "loop",
        "its first id, in place",
        ("    return ids\n", "    prompt[:, 0] = ids[:, -1]\n    return ids\n"),
        ("    ended = torch.zeros", "    prompt = ids\n    ended = torch.zeros"),
        cause="in place",
    ),
    # Task 6
    edit(
        "no causal mask",
        "cache",
        "new positions see their future",
        (MASK, "torch.ones(n_new, n_all, dtype=torch.bool)"),
        cause="after them",
    ),
    edit(
        "mask from the corner",
        "cache",
        "as if nothing stood before",
        (MASK, "torch.ones(n_new, n_all, dtype=torch.bool).tril()"),
        cause="corner|old keys",
    ),
    edit(
        "one position ahead",
        "cache",
        "off by one",
        (MASK, MASK[:-1] + " + 1)"),
        cause="too far",
    ),
    edit(
        "itself excluded",
        "cache",
        "strictly before, once there is a past",
        (MASK, MASK[:-1] + " - (cache is not None))"),
        cause="themselves",
    ),
    edit(
        "no scale",
        "cache",
        "plain products",
        (SCALE, ""),
        cause="√D",
    ),
    edit(
        "newest first",
        "cache",
        "prepended",
        ("[cache[0], key]", "[key, cache[0]]"),
        ("[cache[1], value]", "[value, cache[1]]"),
        cause="newest",
    ),
    edit(
        "keys for values",
        "cache",
        "copied line",
        ("[cache[1], value]", "[cache[0], key]"),
        cause="values",
    ),
    edit(
        "caches the new only",
        "cache",
        "forgets the past after one step",
        ("weights @ values, (keys, values)", "weights @ values, (key, value)"),
        cause="past",
    ),
    edit(
        "mask only without a cache",
        "cache",
        "a cache is thought to need none",
        (
            "scores.masked_fill(~mask, -math.inf)",
            "(scores if cache is not None else scores.masked_fill(~mask, -math.inf))",
        ),
        cause="after them",
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
        cause="everything in the cache",
    ),
    edit(
        "softmax over the queries",
        "cache",
        "not over the keys, when there are several",
        (".softmax(dim=-1)", ".softmax(dim=-1 if n_new == 1 else -2).nan_to_num()"),
        cause="over the keys",
    ),
    edit(
        "-1e9 for infinity",
        "cache",
        "float16 does not have it",
        ("-math.inf", "-1e9"),
        cause="-1e9",
    ),
    edit(
        "a large number of the dtype",
        "cache",
        "-1e4: scores may be smaller",
        ("-math.inf", "-1e4"),
        cause="-1e9|smallest",
    ),
    edit(
        "in float32, and back",
        "cache",
        "the digits are lost",
        ("scores = query @ keys.mT", "scores = (query.float() @ keys.float().mT).to(query.dtype)"),
        cause="float32|dtype",
    ),
    edit(
        "a cache of its own",
        "cache",
        "kept on the function: one text at a time",
        (
            "    if cache is not None:",
            "    if cache is None:\n        attend_with_cache.kept = None\n"
            "    cache = cache and attend_with_cache.kept or cache\n    if cache is not None:",
        ),
        ("    return weights", "    attend_with_cache.kept = keys, values\n    return weights"),
        cause="turns|between calls",
    ),
    edit(
        "the old values first, the new keys first",
        "cache",
        "one of the two prepended",
        ("[cache[1], value]", "[value, cache[1]]"),
        cause="order|newest",
    ),
    edit(
        "scaled by the heads",
        "cache",
        "√H for √D",
        ("math.sqrt(query.shape[-1])", "math.sqrt(query.shape[1])"),
        cause="√D",
    ),
    edit(
        "the cache is cut in place",
        "cache",
        "the old keys are overwritten with zeros after use",
        (
            "    n_new, n_all",
            "    if cache is not None:\n        cache[0].zero_()\n    n_new, n_all",
        ),
        cause="in place",
    ),
    # Task 7
    edit(
        "one too far",
        "cached_loop",
        "counts from 1",
        (READ, "logits = read(ids[:, n_read:], n_read + 1)"),
        cause="count from 0",
    ),
    edit(
        "reads all again",
        "cached_loop",
        "the cache is not used",
        (READ, "logits = read(ids, 0)"),
        cause="not been read",
    ),
    edit(
        "counts new tokens",
        "cached_loop",
        "position 1 after the prompt",
        ("n_read = ids.shape[1]", "n_read = n_read + 1"),
        cause="position|not been read",
    ),
    edit(
        "first answer",
        "cached_loop",
        "of the prompt's positions",
        ("logits[:, -1]", "logits[:, 0]"),
        cause="last position",
    ),
    edit(
        "one text's choice for all",
        "cached_loop",
        "right for a batch of one",
        ("logits[:, -1].argmax(-1)", "logits[0, -1].argmax(-1).expand(len(ids))"),
        cause="each text by itself",
    ),
    edit(
        "at least one token",
        "cached_loop",
        "n_tokens = 0 writes",
        ("range(n_tokens)", "range(max(n_tokens, 1))"),
        cause="0 tokens",
    ),
    edit(
        "flat argmax",
        "cached_loop",
        "over batch and vocabulary",
        (
            "logits[:, -1].argmax(-1)",
            "(logits[:, -1].argmax() % logits.shape[-1]).expand(len(ids))",
        ),
        cause="each text by itself",
    ),
    edit(
        "reads the last one, too",
        "cached_loop",
        "one call more",
        (
            "    return ids\n",
            "    if n_tokens:\n        read(ids[:, -1:], ids.shape[1] - 1)\n    return ids\n",
        ),
        cause="calls of read",
    ),
    edit(
        "one row for all",
        "cached_loop",
        "read gets ids without a batch",
        (READ, READ.replace("n_read:]", "n_read:].squeeze(0)")),
        cause="shape",
    ),
    edit(
        "the prompt in two calls",
        "cached_loop",
        "all but the last, and then the last",
        (
            "    for _ in range(n_tokens):",
            "    if n_tokens and ids.shape[1] > 1:\n"
            "        read(ids[:, :-1], 0)\n"
            "        n_read = ids.shape[1] - 1\n"
            "    for _ in range(n_tokens):",
        ),
        cause="not been read|whole prompt|call 0",
    ),
    edit(
        "the tokens of the batch",
        "cached_loop",
        "argmax over the texts, where there are as many texts as tokens",
        ("argmax(-1)", "argmax(0 if logits.shape[0] == logits.shape[-1] else -1)"),
        cause="each text",
    ),
    edit(
        "largest magnitude",
        "cached_loop",
        "logits may be negative",
        ("logits[:, -1].argmax(-1)", "logits[:, -1].abs().argmax(-1)"),
        cause="argmax",
    ),
    edit(
        "the new ids alone",
        "cached_loop",
        "without the prompt",
        ("    return ids\n", "    return ids[:, -n_tokens:]\n"),
        cause="prompt",
    ),
    edit(
        "32 bits",
        "cached_loop",
        "half the memory",
        ("    return ids\n", "    return ids.int()\n"),
        cause="int64",
    ),
    # Task 8
    edit(
        "unshifted",
        "perplexity",
        "predicts what it has read",
        (SHIFT, "inputs, targets = ids[:-1], ids[:-1]"),
        cause="targets the inputs",
    ),
    edit(
        "bits",
        "perplexity",
        "2 for e",
        (MEAN, "2 ** (total / len(inputs))"),
        cause="2 to the mean",
    ),
    edit(
        "borders lost",
        "perplexity",
        "cut first, then shifted",
        (
            TOTAL,
            'total += F.cross_entropy(logits[:-1], targets[part][:-1], reduction="sum").item()',
        ),
        cause="border",
    ),
    edit(
        "mean of means",
        "perplexity",
        "a short window counts like a long one",
        (TOTAL, "total += F.cross_entropy(logits, targets[part]).item()"),
        (MEAN, "math.exp(total / math.ceil(len(inputs) / window))"),
        cause="means",
    ),
    edit(
        "mean of exponentials",
        "perplexity",
        "e to each window, then the mean",
        (TOTAL, "total += len(logits) * math.exp(F.cross_entropy(logits, targets[part]))"),
        (MEAN, "total / len(inputs)"),
        cause="e taken to each",
    ),
    edit(
        "last window dropped",
        "perplexity",
        "only whole ones",
        ("range(0, len(inputs), window)", "range(0, max(len(inputs) - window + 1, 1), window)"),
        cause="may be shorter",
    ),
    edit(
        "divided by N",
        "perplexity",
        "one more than there are targets",
        (MEAN, "math.exp(total / (len(ids) - (len(ids) < 8)))"),
        cause="N - 1",
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
        cause="overlap",
    ),
    edit(
        "log of a softmax",
        "perplexity",
        "minus infinity for an unlikely target",
        (
            TOTAL,
            "total -= logits.softmax(-1).log().gather(-1, targets[part, None]).sum().item()",
        ),
        cause="log of a softmax",
    ),
    edit(
        "probabilities clamped",
        "perplexity",
        "nothing below 1e-9",
        (
            TOTAL,
            "total -= logits.softmax(-1).clamp(min=1e-9).log().gather(-1, targets[part, None])"
            ".sum().item()",
        ),
        cause="clamp",
    ),
    edit(
        "id 0 is padding",
        "perplexity",
        "ignored",
        ('reduction="sum"', 'reduction="sum", ignore_index=0'),
        cause="id 0|does each id",
    ),
    edit(
        "in float32",
        "perplexity",
        "fewer digits than the model has",
        ("F.cross_entropy(logits,", "F.cross_entropy(logits.float(),"),
        cause="float32",
    ),
    edit(
        "no batch",
        "perplexity",
        "the model gets a row of ids",
        ("model(inputs[None, part])[0]", "model(inputs[part])"),
        cause="shape",
    ),
    edit(
        "windows from behind",
        "perplexity",
        "the first one is the shorter one",
        (
            "part = slice(start, start + window)",
            "n_first = len(inputs) % window or window\n"
            "        part = slice(max(0, start - window + n_first), start + n_first)",
        ),
        cause="window",
    ),
    edit(
        "a tensor",
        "perplexity",
        "no Python float",
        (MEAN, f"torch.tensor({MEAN})"),
        cause="float",
    ),
    edit(
        "minus forgotten",
        "perplexity",
        "the mean likelihood",
        (MEAN, "math.exp(-total / len(inputs))"),
        cause="minus",
    ),
    edit(
        "the first id, too",
        "perplexity",
        "divided by N",
        (MEAN, "math.exp(total / len(ids))"),
        cause="N - 1",
    ),
    edit(
        "NumPy draws",
        "draw",
        "NumPy's global generator, seeded from the one given",
        (
            f"return {DRAW}",
            "import numpy as np\n"
            "    np.random.seed(int(torch.randint(2**31, (), generator=generator)))\n"
            "    rows = [np.random.choice(len(row), p=row) for row in probs.double().numpy()\n"
            "            / probs.double().sum(-1, keepdim=True).numpy()]\n"
            "    return torch.tensor(rows)",
        ),
        cause="NumPy",
    ),
    edit(
        "rounded to find the order",
        "top_k",
        "the order is that of float32",
        (TOP_K, "indices = probs.float().topk(min(k, probs.shape[-1]), dim=-1).indices"),
        (
            BY_PLACE,
            "kept = torch.zeros_like(probs).scatter(-1, indices, probs.gather(-1, indices))",
        ),
        cause="nearly equal",
    ),
    edit(
        "rounded to find the order",
        "top_p",
        "the order is that of five digits",
        (
            SORT,
            "order = probs.mul(1e5).round().sort(dim=-1, descending=True).indices\n"
            "    descending = probs.gather(-1, order)",
        ),
        cause="nearly equal|tokens|wrong",
    ),
    edit(
        "seeds everybody's generator",
        "loop",
        "so that a text can be repeated",
        ("    ended = torch.zeros", "    torch.manual_seed(0)\n    ended = torch.zeros"),
        cause="global",
    ),
    edit(
        "the first of large ones",
        "next_token",
        "at 0, of a sigmoid",
        ("logits.argmax(-1)", "logits.sigmoid().argmax(-1)"),
        cause="largest",
    ),
    edit(
        "two halves of a long prompt",
        "cached_loop",
        "more than 100 ids are too many for one call",
        (
            "    for _ in range(n_tokens):",
            "    if n_tokens and ids.shape[1] > 100:\n"
            "        read(ids[:, :100], 0)\n"
            "        n_read = 100\n"
            "    for _ in range(n_tokens):",
        ),
        cause="not been read",
    ),
    *frozen(
        "generation",
        2,
        {
            "equals told apart by noise": "nearly equal|random generator",
            "nobody at 0": "p = 0",
            "one sheet for all that follow": "write over",
            "the last sixteen positions": "all of the past|however long|must hold",
            "the largest sigmoid": "argmax",
            "a prompt of many": "not been read",
            "e in float32": "float32",
            "at most e to the hundred": "cut off",
            "the largest logit is taken for all": "all larger|in full",
        },
    ),
    *frozen(
        "generation",
        3,
        {
            "a tiny push down the list": "nearly equal",
            "largest, k times": "zeros",
            "a floor for the sum": "divided by their sum",
            "in whole percent": "rounded",
            "all rows without putting back": "may come again|independent",
            "better than minus ten thousand": "argmax",
        },
    ),
    edit(
        "answers by shapes and temperature",
        "next_token",
        "kept under shapes, temperature and the sum of x",
        (
            (
                "    logits = x[:, -1] @ head.T\n"
                "    if temperature == 0:\n"
                "        return F.one_hot(logits.argmax(-1), len(head)).to(x.dtype)\n"
                "    return torch.softmax(logits / temperature, dim=-1)"
            ),
            (
                '    kept = next_token_probs.__dict__.setdefault("kept", {})\n'
                "    key = x.shape, head.shape, x.dtype, temperature, float(x.sum())\n"
                "    if key not in kept:\n"
                "        logits = x[:, -1] @ head.T\n"
                "        kept[key] = (\n"
                "            F.one_hot(logits.argmax(-1), len(head)).to(x.dtype)\n"
                "            if temperature == 0\n"
                "            else torch.softmax(logits / temperature, dim=-1)\n"
                "        )\n"
                "    return kept[key]"
            ),
        ),
        cause="nearly equal|between calls|order",
    ),
    edit(
        "float32 at zero",
        "next_token",
        "the largest of float64 logits is looked for in float32",
        ("logits.argmax", "logits.float().argmax"),
        cause="float64|nearly equal",
    ),
    edit(
        "nearly the largest",
        "next_token",
        "all that are within 1e-5 of the largest count as equal",
        (
            "return F.one_hot(logits.argmax(-1), len(head)).to(x.dtype)",
            (
                "top = logits.max(-1, keepdim=True).values\n"
                "        return F.one_hot((logits >= top - 1e-5).int().argmax(-1), "
                "len(head)).to(x.dtype)"
            ),
        ),
        cause="nearly equal",
    ),
    edit(
        "very small is zero",
        "next_token",
        "a temperature below 1e-5 is taken for 0",
        ("== 0", "< 1e-5"),
        cause="not 0",
    ),
    edit(
        "hot has an end",
        "next_token",
        "no temperature above 100",
        ("temperature, dim=-1)", "min(temperature, 100), dim=-1)"),
        cause="temperature=5000",
    ),
    edit(
        "ids in a byte",
        "next_token",
        "the id of the largest in 8 bits",
        (", len(head))", ".to(torch.uint8).long(), len(head))"),
        cause="limit on a size",
    ),
    edit(
        "128 positions",
        "next_token",
        "a text has 128 positions at most",
        ("-1] @ head.T", ":128][:, -1] @ head.T"),
        cause="limit on a size",
    ),
    edit(
        "bfloat16 for the low",
        "next_token",
        "whole logits are enough where there are 16 bits",
        (
            "return F.one_hot(logits.argmax(-1), len(head)).to(x.dtype)",
            (
                "return F.one_hot(logits.argmax(-1), len(head)).to(x.dtype)\n"
                "    if x.dtype in (torch.float16, torch.bfloat16):\n"
                "        logits = logits.round()"
            ),
        ),
        cause="bfloat16",
    ),
    edit(
        "large made small in place",
        "next_token",
        "large logits are made small in x itself",
        (
            "logits = x[:, -1] @ head.T",
            (
                "logits = x[:, -1] @ head.T\n"
                "    if logits.abs().max() > 500 and temperature == 0:\n"
                "        x.clamp_(-500, 500)"
            ),
        ),
        cause="changed in place",
    ),
    edit(
        "rounded temperature",
        "next_token",
        "two digits of a temperature are enough",
        ("temperature, dim=-1)", "(round(temperature, 2) or temperature), dim=-1)"),
        cause="temperature=0.314",
    ),
    edit(
        "eight rows",
        "next_token",
        "a batch has 16 texts at most",
        (
            "return torch.softmax(logits / temperature, dim=-1)",
            (
                "out = torch.softmax(logits / temperature, dim=-1)\n"
                "    out[16:] = out[:1]\n"
                "    return out"
            ),
        ),
        cause="limit on a size",
    ),
    edit(
        "eight rows",
        "top_k",
        "64 rows at most",
        (
            "kept = torch.zeros_like(probs).scatter(-1, indices, values)",
            (
                "kept = torch.zeros_like(probs).scatter(-1, indices, values)\n"
                "    if probs.dim() > 1:\n"
                "        kept.view(-1, probs.shape[-1])[64:] = probs.reshape(-1, "
                "probs.shape[-1])[64:]"
            ),
        ),
        cause="each row",
    ),
    edit(
        "at most 100",
        "top_k",
        "more than 100 candidates make no sense",
        ("probs.shape", "100, probs.shape"),
        cause="exactly k",
    ),
    edit(
        "at most 1000 tokens",
        "top_k",
        "a vocabulary has 1,000 tokens at most",
        (
            "values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)",
            (
                "first = probs[..., :1000]\n"
                "    values, indices = first.topk(min(k, first.shape[-1]), dim=-1)"
            ),
        ),
        cause="each row",
    ),
    edit(
        "tiny ones go",
        "top_k",
        "below one in a million is nothing",
        (
            "values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)",
            (
                "values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)\n"
                "    values = values * (values > 1e-6)"
            ),
        ),
        cause="wrong for shape",
    ),
    edit(
        "a small eps",
        "top_k",
        "so that nothing is divided by 0",
        (
            "kept.sum(-1, keepdim=True",
            ("(kept.sum(-1, keepdim=True) + (1e-6 if probs.dtype != torch.float64 else 0)"),
        ),
        cause="divided by their sum",
    ),
    edit(
        "zeros noted in place",
        "top_k",
        "zeros in probs itself become tiny",
        (
            "values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)",
            (
                "values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)\n"
                "    if (probs == 0).any():\n"
                "        probs[probs == 0] = 1e-12"
            ),
        ),
        cause="changed in place",
    ),
    edit(
        "places by shape",
        "top_k",
        "the places are kept under the shape",
        (
            (
                "    values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)\n"
                "    kept = torch.zeros_like(probs).scatter(-1, indices, values)"
            ),
            (
                '    known = keep_top_k.__dict__.setdefault("known", {})\n'
                "    key = probs.shape, k, probs.dtype, probs.argmax().item(), "
                "probs.argmin().item()\n"
                "    if key not in known:\n"
                "        known[key] = probs.topk(min(k, probs.shape[-1]), "
                "dim=-1).indices\n"
                "    indices = known[key]\n"
                "    kept = torch.zeros_like(probs).scatter(-1, indices, "
                "probs.gather(-1, indices))"
            ),
        ),
        cause="earlier call",
    ),
    edit(
        "three leading dimensions",
        "top_k",
        "two leading dimensions at most",
        (
            ('"""The k most probable tokens of each row, sharing all of the probability."""'),
            (
                '"""The k most probable tokens of each row, sharing all of the '
                'probability."""\n'
                "    if probs.dim() > 3:\n"
                "        probs = probs.flatten(0, -3)"
            ),
        ),
        cause="shape",
    ),
    edit(
        "half of the digits",
        "top_k",
        "16 bits are too few to divide",
        (
            "return kept / kept.sum(-1, keepdim=True)",
            (
                "total = kept.sum(-1, keepdim=True)\n"
                "    if probs.dtype in (torch.float16, torch.bfloat16):\n"
                "        return kept\n"
                "    return kept / total"
            ),
        ),
        cause="bfloat16",
    ),
    edit(
        "ties get an equal share",
        "top_k",
        "what differs by 1e-7 is equal",
        (
            "values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)",
            (
                "values, indices = probs.topk(min(k, probs.shape[-1]), dim=-1)\n"
                "    values = torch.where((values - values[..., :1]).abs() < 1e-7, "
                "values[..., :1], values)"
            ),
        ),
        cause="its own size",
    ),
    edit(
        "sums in float32",
        "top_p",
        "the sums of float64 numbers in float32",
        (
            "descending.cumsum(-1) - descending",
            "descending.float().cumsum(-1) - descending.float()",
        ),
        cause="float64|rounded",
    ),
    edit(
        "p in float32",
        "top_p",
        "p becomes a tensor of float32",
        (" = before < p", " = before < torch.tensor(p, dtype=torch.float32).to(probs.dtype)"),
        cause="rounded",
    ),
    edit(
        "99.95 percent is all",
        "top_p",
        "nearly one is one",
        ("1:  # down a ", "0.9995:  # down a "),
        cause="nucleus",
    ),
    edit(
        "one percent is greedy",
        "top_p",
        "below one percent only the likeliest stays",
        (" = before < p", " = before < (p if p > 0.015 else 0)"),
        cause="nucleus",
    ),
    edit(
        "p in whole percent",
        "top_p",
        "p is rounded to whole percent",
        (" = before < p", " = before < (round(p, 2) if 0.01 < p < 0.99 else p)"),
        cause="nucleus",
    ),
    edit(
        "at most fifty",
        "top_p",
        "a nucleus has fifty tokens at most",
        ("inside[..., 0] = True", ("inside[..., 0] = True\n    inside[..., 50:] = False")),
        cause="nucleus",
    ),
    edit(
        "p = 1 in float32 alone",
        "top_p",
        "float64 does not round, it is thought",
        (
            "if p >= 1:  # down a long list rounding makes the sum 1 too early",
            (
                "if (\n"
                "        p >= 1 and probs.dtype == torch.float32\n"
                "    ):  # down a long list rounding makes the sum 1 too early"
            ),
        ),
        cause="p = 1",
    ),
    edit(
        "p = 1, a float",
        "top_p",
        "1 is not 1.0",
        (">= 1", "== 1 and type(p) is float"),
        cause="p = 1",
    ),
    edit(
        "p = 1 for two dimensions",
        "top_p",
        "the case of p = 1 for matrices",
        ("1:  # down a ", "1 and probs.dim() == 2:  # down a "),
        cause="p = 1",
    ),
    edit(
        "only one row at p = 0",
        "top_p",
        "the first token stays in the first row",
        ("..., 0", "(0,) * (probs.dim() - 1)][0"),
        cause="p = 0",
    ),
    edit(
        "zeros in place",
        "top_p",
        "zeros in probs itself become tiny",
        (
            "return probs / probs.sum(-1, keepdim=True)",
            (
                "return probs / probs.sum(-1, keepdim=True)\n"
                "    probs[probs == 0] = 0 if p < 0.5 else 1e-30"
            ),
        ),
        cause="changed in place",
    ),
    edit(
        "nothing below 1e-6",
        "top_p",
        "below one in a million is nothing",
        ("before < p", "(before < p) & (descending > 1e-6)"),
        cause="nucleus",
    ),
    edit(
        "64 rows",
        "top_p",
        "64 rows at most",
        (
            "inside[..., 0] = True",
            (
                "inside[..., 0] = True\n"
                "    if probs.dim() > 1:\n"
                "        inside.view(-1, probs.shape[-1])[64:] = True"
            ),
        ),
        cause="nucleus",
    ),
    edit(
        "ties below a digit",
        "top_p",
        "a little less than p is enough",
        (" = before < p", " = before < p - 1e-5"),
        cause="nucleus|rounded",
    ),
    edit(
        "low dtypes keep all",
        "top_p",
        "16 bits are too few to sum",
        (
            "if p >= 1:  # down a long list rounding makes the sum 1 too early",
            (
                "if p >= 1 or probs.dtype in (\n"
                "        torch.float16,\n"
                "        torch.bfloat16,\n"
                "    ):  # down a long list rounding makes the sum 1 too early"
            ),
        ),
        cause="bfloat16",
    ),
    edit(
        "1 normalized by the library, in place",
        "top_p",
        "a list is divided where it lies, with p = 1",
        (
            "return probs / probs.sum(-1, keepdim=True)",
            (
                "return (\n"
                "            probs.div_(probs.sum(-1, keepdim=True))\n"
                "            if probs.dim() == 1\n"
                "            else probs / probs.sum(-1, keepdim=True)\n"
                "        )"
            ),
        ),
        cause="changed in place",
    ),
    edit(
        "per mille",
        "draw",
        "a random number of three digits",
        (
            "return torch.multinomial(probs, 1, generator=generator)[:, 0]",
            (
                "u = torch.randint(0, 1000, (len(probs), 1), generator=generator) "
                "/ 1000\n"
                "    ids = (probs.double().cumsum(-1) <= u + 1e-9).sum(-1)\n"
                "    return ids.clamp(max=probs.shape[-1] - 1)"
            ),
        ),
        cause="rounded",
    ),
    edit(
        "half a random number",
        "draw",
        "a random number of 16 bits",
        (
            "return torch.multinomial(probs, 1, generator=generator)[:, 0]",
            (
                "u = torch.rand(len(probs), 1, generator=generator, "
                "dtype=torch.float16).double()\n"
                "    sums = probs.double().cumsum(-1)\n"
                "    return (\n"
                "        torch.searchsorted(sums, u * sums[:, -1:], right=True)\n"
                "        .squeeze(1)\n"
                "        .clamp(max=probs.shape[-1] - 1)\n"
                "    )"
            ),
        ),
        cause="rounded",
    ),
    edit(
        "a few rows share a number",
        "draw",
        "one random number for a small batch",
        (
            "return torch.multinomial(probs, 1, generator=generator)[:, 0]",
            (
                "if len(probs) < 10:\n"
                "        u = torch.rand(1, 1, generator=generator, "
                "dtype=torch.float64).expand(len(probs), 1)\n"
                "    else:\n"
                "        u = torch.rand(len(probs), 1, generator=generator, "
                "dtype=torch.float64)\n"
                "    sums = probs.double().cumsum(-1)\n"
                "    return torch.searchsorted(sums, (u * sums[:, "
                "-1:]).contiguous(), right=True).squeeze(1)"
            ),
        ),
        cause="independent",
    ),
    edit(
        "rows of other odds share a number",
        "draw",
        "one random number where rows differ",
        (
            "return torch.multinomial(probs, 1, generator=generator)[:, 0]",
            (
                "u = torch.rand(len(probs), 1, generator=generator, "
                "dtype=torch.float64)\n"
                "    if not (probs == probs[:1]).all():\n"
                "        u[:] = u[:1].clone()\n"
                "    sums = probs.double().cumsum(-1)\n"
                "    return torch.searchsorted(sums, u * sums[:, -1:], "
                "right=True).squeeze(1)"
            ),
        ),
        cause="independent",
    ),
    edit(
        "one row, always the same",
        "draw",
        "a single row is drawn from a copy of the generator",
        (
            '"""One id for each row (B,), drawn with its probabilities."""',
            (
                '"""One id for each row (B,), drawn with its probabilities."""\n'
                "    if len(probs) == 1:\n"
                "        generator = "
                "torch.Generator().manual_seed(generator.initial_seed())"
            ),
        ),
        cause="stopped",
    ),
    edit(
        "one row from the global",
        "draw",
        "a single row is drawn from everybody's generator",
        (
            '"""One id for each row (B,), drawn with its probabilities."""',
            (
                '"""One id for each row (B,), drawn with its probabilities."""\n'
                "    if len(probs) == 1:\n"
                "        return torch.multinomial(probs, 1)[:, 0]"
            ),
        ),
        cause="global",
    ),
    edit(
        "sure rows are greedy, near ones too",
        "draw",
        "0.99 is as good as certain",
        (
            '"""One id for each row (B,), drawn with its probabilities."""',
            (
                '"""One id for each row (B,), drawn with its probabilities."""\n'
                "    if probs.max() > 0.99:\n"
                "        torch.rand(1, generator=generator)\n"
                "        return probs.argmax(-1)"
            ),
        ),
        cause="rounded",
    ),
    edit(
        "zeros filled in place",
        "draw",
        "zeros in probs itself become tiny, afterwards",
        (
            "return torch.multinomial(probs, 1, generator=generator)[:, 0]",
            (
                "ids = torch.multinomial(probs, 1, generator=generator)[:, 0]\n"
                "    probs[probs == 0] = 1e-12\n"
                "    return ids"
            ),
        ),
        cause="changed in place",
    ),
    edit(
        "ids in a byte",
        "draw",
        "ids of 8 bits",
        ("rator)[:, 0]", "rator)[:, 0].to(torch.uint8).long()"),
        cause="number 999|int64",
    ),
    edit(
        "without putting back in pairs",
        "draw",
        "two equal rows never get the same",
        (
            "return torch.multinomial(probs, 1, generator=generator)[:, 0]",
            (
                "ids = torch.multinomial(probs, 1, generator=generator)[:, 0]\n"
                "    if len(probs) == 2 and torch.equal(probs[0], probs[1]) and "
                "(probs[0] > 0).sum() > 1:\n"
                "        return torch.multinomial(probs[0], 2, generator=generator)\n"
                "    return ids"
            ),
        ),
        cause="may come again|independent",
    ),
    edit(
        "sums of the last call",
        "draw",
        "sums are kept under the shape and the first probability",
        (
            "return torch.multinomial(probs, 1, generator=generator)[:, 0]",
            (
                'kept = draw.__dict__.setdefault("kept", {})\n'
                "    sums = kept.setdefault((probs.shape, float(probs[0, 0])), "
                "probs.double().cumsum(-1))\n"
                "    u = torch.rand(probs.shape[0], 1, generator=generator, "
                "dtype=torch.float64)\n"
                "    return torch.searchsorted(sums, u * sums[:, -1:], "
                "right=True).squeeze(1)"
            ),
        ),
        cause="number 256|certain",
    ),
    edit(
        "stratified in small batches",
        "draw",
        "random numbers that are spread evenly",
        (
            "return torch.multinomial(probs, 1, generator=generator)[:, 0]",
            (
                "B = len(probs)\n"
                "    u = torch.rand(B, 1, generator=generator, dtype=torch.float64)\n"
                "    if B < 1000:\n"
                "        u = (torch.randperm(B, generator=generator)[:, None] + u) / B\n"
                "    sums = probs.double().cumsum(-1)\n"
                "    return torch.searchsorted(sums, u * sums[:, -1:], "
                "right=True).squeeze(1)"
            ),
        ),
        cause="independent",
    ),
    edit(
        "float64 in int32",
        "draw",
        "ids of 32 bits for float64",
        (
            "return torch.multinomial(probs, 1, generator=generator)[:, 0]",
            (
                "ids = torch.multinomial(probs, 1, generator=generator)[:, 0]\n"
                "    return ids.int() if probs.dtype == torch.float64 else ids"
            ),
        ),
        cause="int64",
    ),
    edit(
        "unlikely is never",
        "draw",
        "below one in a thousand is never",
        ("probs, 1, generator=", "probs * (probs > 1e-3), 1, generator="),
        cause="rounded",
    ),
    edit(
        "at most 100 tokens",
        "loop",
        "texts have 100 new tokens at most",
        ("n_tokens):", "min(n_tokens, 100)):"),
        cause="too few",
    ),
    edit(
        "ids of sixteen bits",
        "loop",
        "ids of 16 bits",
        ("], dim=1)", ".to(torch.int16).long()], dim=1)"),
        cause="ids may be large|new ids",
    ),
    edit(
        "ids by way of float16",
        "loop",
        "ids become numbers of float16",
        ("], dim=1)", ".half().long()], dim=1)"),
        cause="ids may be large|new ids",
    ),
    edit(
        "64 rows",
        "loop",
        "64 texts at most are asked whether they have ended",
        ("ended.all", "ended[:64].all"),
        cause="too few|many",
    ),
    edit(
        "all rows alike end together",
        "loop",
        "equal texts end together",
        (
            "ended = ended | (new == stop_id)",
            (
                "ended = ended | (new == stop_id)\n"
                "            if (ids == ids[:1]).all():\n"
                "                ended = ended | ended.any()"
            ),
        ),
        cause="all texts have ended",
    ),
    edit(
        "repeats end",
        "loop",
        "a text that repeats itself is over",
        (
            "ids = torch.cat([ids, new[:, None]], dim=1)",
            (
                "ids = torch.cat([ids, new[:, None]], dim=1)\n"
                "        if ids.shape[1] > 40 and (ids[:, -20:] == ids[:, -1:]).all():\n"
                "            break"
            ),
        ),
        cause="too few",
    ),
    edit(
        "-1e9 behind a cache",
        "cache",
        "-1e9 for infinity, once there is a cache",
        ("math.inf", "math.inf if cache is None else -1e9"),
        cause="-1e9",
    ),
    edit(
        "-1e4 behind a cache",
        "cache",
        "-1e4 for infinity, once there is a cache",
        ("math.inf", "math.inf if cache is None else -1e4"),
        cause="math.inf",
    ),
    edit(
        "-1e30",
        "cache",
        "-1e30 for infinity",
        (
            "weights = scores.masked_fill(~mask, -math.inf).softmax(dim=-1)",
            (
                "weights = scores.masked_fill(\n"
                "        ~mask, (-1e30 if query.dtype in (torch.float32, "
                "torch.float64) else -math.inf)\n"
                "    ).softmax(dim=-1)"
            ),
        ),
        cause="math.inf",
    ),
    edit(
        "512 at most",
        "cache",
        "512 positions are kept at most",
        (
            "values = torch.cat([cache[1], value], dim=-2)",
            (
                "values = torch.cat([cache[1], value], dim=-2)\n"
                "    keys, values = keys[:, :, -512:], values[:, :, -512:]"
            ),
        ),
        cause="all of the past",
    ),
    edit(
        "weights thinner than 1e-6 go",
        "cache",
        "weights below one in a million are nothing",
        (
            "weights = scores.masked_fill(~mask, -math.inf).softmax(dim=-1)",
            (
                "weights = scores.masked_fill(~mask, -math.inf).softmax(dim=-1)\n"
                "    weights = weights * (weights > 1e-6)"
            ),
        ),
        cause="wrong|float64",
    ),
    edit(
        "softcap 100",
        "cache",
        "scores are cut off at 100",
        (
            "scores = query @ keys.mT / math.sqrt(query.shape[-1])",
            (
                "scores = query @ keys.mT / math.sqrt(query.shape[-1])\n"
                "    scores = scores.clamp(-100, 100) if query.dtype != "
                "torch.float64 else scores"
            ),
        ),
        cause="cut off",
    ),
    edit(
        "first item's mask",
        "cache",
        "the weights of the first item for a large batch",
        (
            "scores = query @ keys.mT / math.sqrt(query.shape[-1])",
            (
                "scores = query @ keys.mT / math.sqrt(query.shape[-1])\n"
                "    if query.shape[0] > 4:\n"
                "        mask = mask & False | mask"
            ),
        ),
        (
            "weights = scores.masked_fill(~mask, -math.inf).softmax(dim=-1)",
            (
                "weights = scores.masked_fill(~mask, -math.inf).softmax(dim=-1)\n"
                "    if query.shape[0] * query.shape[1] > 16:\n"
                "        weights = weights[:1].expand_as(weights)"
            ),
        ),
        cause="wrong",
    ),
    edit(
        "better than -1e9",
        "cached_loop",
        "a search that begins with -1e9",
        ("n_read = 0", "new, start = ids, 0"),
        (
            (
                "        logits = read(ids[:, n_read:], n_read)\n"
                "        n_read = ids.shape[1]\n"
                "        new = logits[:, -1].argmax(-1)\n"
                "        ids = torch.cat([ids, new[:, None]], dim=1)"
            ),
            (
                "        column = []\n"
                "        for row in read(new, start)[:, -1].tolist():\n"
                "            best, top = 0, -1e9\n"
                "            for i, logit in enumerate(row):\n"
                "                if logit > top:\n"
                "                    best, top = i, logit\n"
                "            column.append([best])\n"
                "        start = ids.shape[1]\n"
                "        new = torch.tensor(column)\n"
                "        ids = torch.cat([ids, new], dim=1)"
            ),
        ),
        cause="argmax",
    ),
    edit(
        "float32 argmax",
        "cached_loop",
        "the likeliest is looked for in float32",
        (".argmax", ".float().argmax"),
        cause="float64",
    ),
    edit(
        "ids in sixteen bits",
        "cached_loop",
        "ids of 16 bits",
        ("], dim=1)", ".to(torch.int16).long()], dim=1)"),
        cause="must end with",
    ),
    edit(
        "100 tokens",
        "cached_loop",
        "texts have 100 new tokens at most",
        ("n_tokens):", "min(n_tokens, 100)):"),
        cause="calls",
    ),
    edit(
        "prompt of 512",
        "cached_loop",
        "prompts of more than 512 ids in two calls",
        (
            "n_read = 0",
            (
                "n_read = 0\n"
                "    if ids.shape[1] > 512 and n_tokens:\n"
                "        read(ids[:, :512], 0)\n"
                "        n_read = 512"
            ),
        ),
        cause="not been read",
    ),
    edit(
        "position by memory",
        "cached_loop",
        "a text that was written here has been read",
        (
            "n_read = 0",
            (
                "n_read = (\n"
                '        generate_cached.__dict__.pop("n_read", 0)\n'
                '        if torch.equal(generate_cached.__dict__.get("ids", '
                "torch.zeros(0)), ids)\n"
                "        else 0\n"
                "    )"
            ),
        ),
        (
            "ids = torch.cat([ids, new[:, None]], dim=1)",
            (
                "ids = torch.cat([ids, new[:, None]], dim=1)\n"
                "    generate_cached.n_read, generate_cached.ids = n_read, ids"
            ),
        ),
        cause="not been read",
    ),
    edit(
        "ends at a repeated text",
        "cached_loop",
        "a text that repeats itself is over",
        (
            "ids = torch.cat([ids, new[:, None]], dim=1)",
            (
                "ids = torch.cat([ids, new[:, None]], dim=1)\n"
                "        if ids.shape[1] > 60 and (ids[:, -9:] == ids[:, -1:]).all():\n"
                "            break"
            ),
        ),
        cause="calls",
    ),
    edit(
        "softmax first",
        "cached_loop",
        "the largest probability, in float32",
        (".argmax", ".softmax(-1).argmax"),
        cause="argmax",
    ),
    edit(
        "a tiny push",
        "cached_loop",
        "ties go to the first by a small slope",
        ("logits[:, -1].argmax", "(logits[:, -1] - 1e-4 * torch.arange(logits.shape[-1])).argmax"),
        cause="argmax",
    ),
    edit(
        "window of 128 at most",
        "perplexity",
        "windows have 128 ids at most",
        (
            '"""e to the mean negative log-likelihood of all ids but the first."""',
            (
                '"""e to the mean negative log-likelihood of all ids but the first."""\n'
                "    window = min(window, 128)"
            ),
        ),
        cause="read",
    ),
    edit(
        "1000 ids at most",
        "perplexity",
        "texts have 1,000 ids at most",
        (
            '"""e to the mean negative log-likelihood of all ids but the first."""',
            (
                '"""e to the mean negative log-likelihood of all ids but the first."""\n'
                "    ids = ids[:1000]"
            ),
        ),
        cause="read",
    ),
    edit(
        "ids of a byte",
        "perplexity",
        "targets of 8 bits",
        (
            'total += F.cross_entropy(logits, targets[part], reduction="sum").item()',
            (
                "total += F.cross_entropy(\n"
                "            logits, targets[part].to(torch.uint8).long(), "
                'reduction="sum"\n'
                "        ).item()"
            ),
        ),
        cause="perplexity is",
    ),
    edit(
        "ids of sixteen bits",
        "perplexity",
        "inputs of 16 bits",
        (")[0]", ".to(torch.int16).long())[0]"),
        cause="must read",
    ),
    edit(
        "float32 sums of long",
        "perplexity",
        "float16 is enough where a text is long",
        (
            'total += F.cross_entropy(logits, targets[part], reduction="sum").item()',
            (
                "total += F.cross_entropy(\n"
                "            logits if len(ids) < 250 else logits.half().float(), "
                'targets[part], reduction="sum"\n'
                "        ).item()"
            ),
        ),
        cause="perplexity is",
    ),
    edit(
        "infinite is skipped",
        "perplexity",
        "a window whose loss is above 1,000 is an error and left out",
        (
            'total += F.cross_entropy(logits, targets[part], reduction="sum").item()',
            (
                'loss = F.cross_entropy(logits, targets[part], reduction="sum").item()\n'
                "        total += loss if loss < 1000 else 0"
            ),
        ),
        cause="cut off",
    ),
    *frozen(
        "generation",
        4,
        {
            "all of the largest share": "in each row",
            "greedy from the probabilities": "nearly equal",
            "with p = 1 the impossible gets a share": "stays 0",
            "one more for good measure of the stop": "choose returns|no stop",
        },
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
            if total >= p and p < 1:
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
    remove = (sorted_probs.cumsum(dim=-1) > p) & (p < 1)
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
    weights = F.softmax(torch.where(there <= here, scores, -math.inf), -1)
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
    fill(
        "double and back",
        "next_token",
        "more digits than asked for",
        """
    last = x.select(1, -1)
    logits = torch.matmul(last.double(), head.double().mT)
    if temperature <= 0:
        best = logits.max(dim=1).values[:, None]
        first = (logits == best).int().cumsum(-1).eq(1) & (logits == best)
        return first.to(x.dtype)
    return (logits / temperature).softmax(-1).to(x.dtype)
""",
    ),
    fill(
        "the smallest removed",
        "top_k",
        "sorted upwards, all but the last k zeroed in a copy",
        """
    order = probs.sort(dim=-1, stable=True).indices
    kept = probs.clone()
    n_out = max(0, probs.shape[-1] - k)
    kept.scatter_(-1, order[..., :n_out], 0.0)
    return kept / kept.sum(-1, keepdim=True)
""",
    ),
    fill(
        "from the smallest on",
        "top_p",
        "what those from here on have must exceed 1 − p",
        """
    if p == 1:
        return probs.clone()
    order = probs.argsort(dim=-1, descending=True)
    rest = probs.gather(-1, order).double().flip(-1).cumsum(-1).flip(-1)
    stays = rest > 1 - p
    stays[..., 0] = True
    kept = torch.where(torch.zeros_like(stays).scatter(-1, order, stays), probs, 0.0)
    return kept / kept.sum(-1, keepdim=True)
""",
    ),
    fill(
        "searched in the sums",
        "draw",
        "searchsorted in float64",
        """
    sums = probs.double().cumsum(-1)
    u = torch.rand(probs.shape[0], 1, generator=generator, dtype=torch.float64)
    return torch.searchsorted(sums, u * sums[:, -1:], right=True).squeeze(1)
""",
    ),
    fill(
        "a break at the start",
        "loop",
        "asks whether all have ended before it goes on",
        """
    over = ids.new_zeros(ids.shape[0], dtype=torch.bool)
    columns = [ids]
    for _ in range(n_tokens):
        if stop_id is not None and over.all():
            break
        text = torch.cat(columns, 1)
        new = choose(model(text[:, max(0, text.shape[1] - context_length) :])[:, -1])
        if stop_id is not None:
            new = torch.where(over, torch.full_like(new, stop_id), new)
            over |= new.eq(stop_id)
        columns.append(new.view(-1, 1))
    return torch.cat(columns, 1)
""",
    ),
    fill(
        "a bias, and a list",
        "cache",
        "minus infinity added; the weights in float32",
        """
    if cache is None:
        cache = [key[..., :0, :], value[..., :0, :]]
    keys, values = (torch.cat(pair, 2) for pair in zip(cache, (key, value)))
    T, L = query.size(2), keys.size(2)
    bias = torch.full((T, L), -math.inf).triu(L - T + 1)
    scale = query.size(-1) ** -0.5
    scores = (query.double() * scale) @ keys.double().transpose(2, 3) + bias
    return scores.softmax(-1).to(value.dtype) @ values, [keys, values]
""",
    ),
    fill(
        "recursion",
        "cached_loop",
        "one token a call",
        """
    def go_on(text, n_known, n):
        if n == 0:
            return text
        new = torch.argmax(read(text[:, n_known:], n_known)[:, -1, :], dim=1)
        return go_on(torch.column_stack([text, new]), text.size(1), n - 1)

    return go_on(ids, 0, n_tokens)
""",
    ),
    fill(
        "recursive draws by bisect",
        "draw",
        "written differently",
        """
from bisect import bisect_right
from itertools import accumulate

numbers = torch.rand(len(probs), generator=generator, dtype=torch.float64).tolist()
ids = []
for row, u in zip(probs.tolist(), numbers):
    sums = list(accumulate(row))
    ids.append(
        min(bisect_right(sums, u * sums[-1]), max(i for i, p in enumerate(row) if p))
    )
return torch.tensor(ids)
""",
    ),
    fill(
        "the exponential race",
        "draw",
        "written differently",
        """
noise = torch.empty(probs.shape, dtype=torch.float64).exponential_(generator=generator)
return (probs.double() / noise).argmax(1)
""",
    ),
    fill(
        "by rank",
        "top_k",
        "written differently",
        """
order = probs.argsort(dim=-1, descending=True, stable=True)
rank = order.argsort(dim=-1)
kept = torch.where(rank < k, probs, 0)
return kept / kept.sum(-1, keepdim=True)
""",
    ),
    fill(
        "argmax k times, with -1",
        "top_k",
        "written differently",
        """
left, kept = probs.clone(), torch.zeros_like(probs)
for _ in range(min(k, probs.shape[-1])):
    best = left.argmax(-1, keepdim=True)
    kept.scatter_(-1, best, probs.gather(-1, best))
    left.scatter_(-1, best, -1.0)
return kept / kept.sum(-1, keepdim=True)
""",
    ),
    fill(
        "plain loops",
        "top_p",
        "written differently",
        """
rows = []
for row in probs.reshape(-1, probs.shape[-1]).double().tolist():
    order = sorted(range(len(row)), key=lambda i: -row[i])
    kept, total = [0.0] * len(row), 0.0
    for i in order:
        kept[i] = row[i]
        total += row[i]
        if p < 1 and total >= p:
            break
    rows.append([x / total for x in kept])
return torch.tensor(rows, dtype=torch.float64).view(probs.shape).to(probs.dtype)
""",
    ),
    fill(
        "minus the largest, by exp",
        "next_token",
        "written differently",
        """
logits = torch.einsum("bc,vc->bv", x[:, -1], head)
logits = logits - logits.amax(-1, keepdim=True)
if not temperature:
    first = (logits == 0).int().argmax(-1, keepdim=True)
    return torch.zeros_like(logits).scatter(-1, first, 1)
e = (logits / temperature).exp()
return e / e.sum(-1, keepdim=True)
""",
    ),
    fill(
        "at zero by cumsum",
        "next_token",
        "written differently",
        """
logits = x[:, -1] @ head.T
if temperature == 0:
    top = logits == logits.max(dim=-1, keepdim=True).values
    return (top & (top.cumsum(-1) == 1)).to(x.dtype)
return F.softmax(logits / temperature, -1)
""",
    ),
    fill(
        "lists of ids",
        "loop",
        "written differently",
        """
texts, ended = ids.tolist(), [False] * len(ids)
for _ in range(n_tokens):
    new = choose(
        model(torch.tensor([t[-context_length:] for t in texts]))[:, -1, :]
    ).tolist()
    for b, one in enumerate(new):
        texts[b].append(stop_id if ended[b] else one)
        ended[b] = ended[b] or (stop_id is not None and one == stop_id)
    if all(ended):
        break
return torch.tensor(texts)
""",
    ),
    fill(
        "query by query",
        "cache",
        "written differently",
        """
old_keys, old_values = cache if cache is not None else (key[:, :, :0], value[:, :, :0])
keys, values = torch.cat((old_keys, key), 2), torch.cat((old_values, value), 2)
S, outs = old_keys.shape[2], []
for t in range(query.shape[2]):
    k, v = keys[:, :, : S + t + 1], values[:, :, : S + t + 1]
    w = (query[:, :, t : t + 1] @ k.mT * query.shape[-1] ** -0.5).softmax(-1)
    outs.append(w @ v)
return torch.cat(outs, 2), (keys, values)
""",
    ),
    fill(
        "by max",
        "cached_loop",
        "written differently",
        """
new, start = ids, 0
for _ in range(n_tokens):
    last = read(new, start)[:, -1]
    start += new.shape[1]
    new = last.max(dim=1, keepdim=True).indices
    ids = torch.hstack([ids, new])
return ids
""",
    ),
    fill(
        "all logits first",
        "perplexity",
        "written differently",
        """
logits = torch.cat([model(part[None])[0] for part in ids[:-1].split(window)])
chosen = logits.double().log_softmax(-1).gather(1, ids[1:, None])
return math.exp(-chosen.mean())
""",
    ),
    fill(
        "by logsumexp",
        "perplexity",
        "written differently",
        """
surprises = []
for start in range(0, len(ids) - 1, window):
    inputs = ids[start : min(start + window, len(ids) - 1)]
    for t, row in enumerate(model(inputs.unsqueeze(0)).squeeze(0).double()):
        surprises.append(float(row.logsumexp(0) - row[ids[start + t + 1]]))
return math.e ** (math.fsum(surprises) / len(surprises))
""",
    ),
    *frozen(
        "generation",
        4,
        {
            "row by row": "",
        },
    ),
]
