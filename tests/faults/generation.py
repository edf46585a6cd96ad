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
]
