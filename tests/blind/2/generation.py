from faults import write

WRONG = [
    write(
        "small is zero",
        "next_token",
        '"A small one, 0.001 say, is not 0: equal logits then still share"',
        r'''
def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities (B, V) of the token after the last position."""
    logits = x[:, -1] @ head.T
    if temperature < 1e-2:
        return F.one_hot(logits.argmax(-1), len(head)).to(logits.dtype)
    return torch.softmax(logits / temperature, dim=-1)
''',
    ),
    write(
        "exponentials as they are",
        "next_token",
        '"Logits in the thousands must give probabilities, not NaN"',
        r'''
def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities (B, V) of the token after the last position."""
    logits = x[:, -1] @ head.T
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), len(head)).to(logits.dtype)
    powers = torch.exp(logits / temperature)
    return powers / powers.sum(-1, keepdim=True)
''',
    ),
    write(
        "float32 at temperature 0",
        "next_token",
        '"The dtype is that of `x`": at temperature 0 it is float32 always',
        r'''
def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities (B, V) of the token after the last position."""
    logits = x[:, -1] @ head.T
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), len(head)).float()
    return torch.softmax(logits / temperature, dim=-1)
''',
    ),
    write(
        "a softmax in float32",
        "next_token",
        '"The dtype is that of `x`, which `head` has, too": float64 and bfloat16 become float32',
        r'''
def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities (B, V) of the token after the last position."""
    logits = x[:, -1] @ head.T
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), len(head)).to(x.dtype)
    return F.softmax(logits / temperature, dim=-1, dtype=torch.float32)
''',
    ),
    write(
        "a one for each row, in all rows",
        "next_token",
        '"At `temperature=0` all the probability goes to the token with the largest logit, ... in each row": probs[:, ids] = 1 writes the ones of all rows into each',
        r'''
def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities (B, V) of the token after the last position."""
    logits = x[:, -1] @ head.T
    if temperature == 0:
        probs = torch.zeros_like(logits)
        probs[:, logits.argmax(-1)] = 1
        return probs
    return torch.softmax(logits / temperature, dim=-1)
''',
    ),
    write(
        "divided in place",
        "next_token",
        'the introduction: "Nothing that you write may change its arguments": the last position is a view of x',
        r'''
def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities (B, V) of the token after the last position."""
    last = x[:, -1]
    if temperature == 0:
        logits = last @ head.T
        return F.one_hot(logits.argmax(-1), len(head)).to(x.dtype)
    last /= temperature
    return torch.softmax(last @ head.T, dim=-1)
''',
    ),
    write(
        "one maximum for the batch",
        "next_token",
        '"each row sums to 1" and "Logits in the thousands must give probabilities, not NaN": a row far below the largest logit of all becomes 0 / 0',
        r'''
def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities (B, V) of the token after the last position."""
    logits = x[:, -1] @ head.T
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), len(head)).to(logits.dtype)
    powers = torch.exp((logits - logits.max()) / temperature)
    return powers / powers.sum(-1, keepdim=True)
''',
    ),
    write(
        "0.0 is not 0",
        "next_token",
        '"At `temperature=0` all the probability goes to the token with the largest logit", and "temperature: float": only the whole number 0 is taken for 0, and 0.0 divides to NaN',
        r'''
def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities (B, V) of the token after the last position."""
    logits = x[:, -1] @ head.T
    if str(temperature) == "0":
        return F.one_hot(logits.argmax(-1), len(head)).to(logits.dtype)
    return torch.softmax(logits / temperature, dim=-1)
''',
    ),
    write(
        "not below the k-th",
        "top_k",
        '"**Exactly** `k` tokens stay, even if several are equally probable at the border"',
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    k = min(k, probs.shape[-1])
    least = probs.topk(k, dim=-1).values[..., -1:]
    kept = torch.where(probs >= least, probs, 0.0)
    return kept / kept.sum(-1, keepdim=True)
''',
    ),
    write(
        "above the next one",
        "top_k",
        '"**Exactly** `k` tokens stay, even if several are equally probable at the border": all equals at the border go',
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    if k >= probs.shape[-1]:
        return probs.clone()
    next_one = probs.topk(k + 1, dim=-1).values[..., -1:]
    kept = torch.where(probs > next_one, probs, 0.0)
    return kept / kept.sum(-1, keepdim=True)
''',
    ),
    write(
        "more than there are",
        "top_k",
        '"If `k` is larger than `V`, all tokens stay": topk raises',
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    values, places = probs.topk(k, dim=-1)
    kept = torch.zeros_like(probs).scatter(-1, places, values)
    return kept / kept.sum(-1, keepdim=True)
''',
    ),
    write(
        "one sum for all rows",
        "top_k",
        '"Each row is a distribution of its own": the sum is that of all rows',
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    values, places = probs.topk(min(k, probs.shape[-1]), dim=-1)
    return torch.zeros_like(probs).scatter(-1, places, values / values.sum())
''',
    ),
    write(
        "a softmax of logarithms",
        "top_k",
        '"Probabilities of 0 stay 0": 1e-9 is added before the logarithm, so a kept 0 gets a share',
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    places = probs.topk(min(k, probs.shape[-1]), dim=-1).indices
    logs = torch.log(probs + 1e-9)
    kept = torch.full_like(logs, -torch.inf).scatter(-1, places, logs.gather(-1, places))
    return kept.softmax(-1)
''',
    ),
    write(
        "zeros of float32",
        "top_k",
        '"Return probabilities of the same shape and dtype": zeros of the default dtype make float32 of a float64',
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    values, places = probs.topk(min(k, probs.shape[-1]), dim=-1)
    values = values / values.sum(-1, keepdim=True)
    return torch.zeros(probs.shape).scatter(-1, places, values.float())
''',
    ),
    write(
        "zeros written into the argument",
        "top_k",
        'the introduction: "Nothing that you write may change its arguments"',
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    order = probs.argsort(dim=-1, descending=True)
    probs.scatter_(-1, order[..., k:], 0.0)
    return probs / probs.sum(-1, keepdim=True)
''',
    ),
    write(
        "one dimension or two",
        "top_k",
        '"`(…, V)`, any number of leading dimensions": with three, rows are taken for those of a matrix',
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    rows = probs[None] if probs.dim() == 1 else probs
    values, places = rows.topk(min(k, rows.shape[-1]), dim=-1)
    kept = torch.zeros_like(rows)
    kept[torch.arange(len(rows))[:, None], places] = values / values.sum(-1, keepdim=True)
    return kept[0] if probs.dim() == 1 else kept
''',
    ),
    write(
        "left in sorted order",
        "top_p",
        '"return probabilities of the same shape ..., as in Task 2": token i must keep its place, but the largest stands first',
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    if p >= 1:
        return probs.clone()
    ordered = probs.sort(dim=-1, descending=True).values
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, 0.0)
    return kept / kept.sum(-1, keepdim=True)
''',
    ),
    write(
        "sorted twice instead of back",
        "top_p",
        '"`probs` is `(…, V)`; return probabilities of the same shape": gather with the order permutes anew and does not undo; it is right where the permutation is its own inverse',
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    if p >= 1:
        return probs.clone()
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, 0.0)
    kept = kept / kept.sum(-1, keepdim=True)
    return kept.gather(-1, order)
''',
    ),
    write(
        "the rounded sum is asked at 1",
        "top_p",
        '"With `p = 1` all tokens stay ..., down a list of thousands in float32, too": the rounded sum reaches 1 before the end',
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, 0.0)
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order, kept)
''',
    ),
    write(
        "by value at the border",
        "top_p",
        '"Of equally probable tokens at the border only as many stay as are needed"',
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    if p >= 1:
        return probs.clone()
    ordered = probs.sort(dim=-1, descending=True).values
    inside = ordered.cumsum(-1) - ordered < p
    least = ordered.masked_fill(~inside, 1.0).amin(-1, keepdim=True)
    kept = torch.where(probs >= least, probs, 0.0)
    return kept / kept.sum(-1, keepdim=True)
''',
    ),
    write(
        "one size for all rows",
        "top_p",
        '"The nucleus of each row has a size of its own": all rows keep as many as the longest',
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    if p >= 1:
        return probs.clone()
    ordered, order = probs.sort(dim=-1, descending=True)
    n = int((ordered.cumsum(-1) - ordered < p).sum(-1).max())
    kept = ordered[..., :n] / ordered[..., :n].sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order[..., :n], kept)
''',
    ),
    write(
        "float32 comes out",
        "top_p",
        '"return probabilities of the same shape and dtype"',
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    if p >= 1:
        return probs.clone()
    ordered, order = probs.float().sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, 0.0)
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(kept).scatter(-1, order, kept)
''',
    ),
    write(
        "almost 1 is 1",
        "top_p",
        '"the smallest set of most probable tokens whose probabilities sum to `p` or more": from 0.95 on all tokens stay',
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    if p >= 0.95:
        return probs.clone()
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < p, ordered, 0.0)
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order, kept)
''',
    ),
    write(
        "nobody at 0",
        "top_p",
        '"So at least one token always stays": with p = 0 none does, and 0 is divided by 0',
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    if p >= 1:
        return probs.clone()
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = ordered * (before < p)
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order, kept)
''',
    ),
    write(
        "rows share one total",
        "top_p",
        '"sharing all of the probability", "as in Task 2": "divided by their sum" is that of each row, here of all rows',
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    if p >= 1:
        return probs.clone()
    ordered, order = probs.sort(dim=-1, descending=True)
    kept = ordered.masked_fill(ordered.cumsum(-1) - ordered >= p, 0)
    kept = torch.zeros_like(probs).scatter(-1, order, kept)
    return kept / kept.sum()
''',
    ),
    write(
        "everybody's generator",
        "draw",
        '"All random numbers come from `generator`: from the same state the same ids, and the global generators ... are left alone"',
        r'''
def draw(probs: Tensor, generator: torch.Generator) -> Tensor:
    """One id for each row (B,), drawn with its probabilities."""
    return torch.multinomial(probs, 1)[:, 0]
''',
    ),
    write(
        "a single row is squeezed",
        "draw",
        '"return ids of the shape `(B,)`, int64, for a single row too"',
        r'''
def draw(probs: Tensor, generator: torch.Generator) -> Tensor:
    """One id for each row (B,), drawn with its probabilities."""
    return torch.multinomial(probs, 1, generator=generator).squeeze()
''',
    ),
    write(
        "always from the start",
        "draw",
        '"A second call goes on where the first one stopped": a new generator with the first seed is made at each call',
        r'''
def draw(probs: Tensor, generator: torch.Generator) -> Tensor:
    """One id for each row (B,), drawn with its probabilities."""
    fresh = torch.Generator().manual_seed(generator.initial_seed())
    return torch.multinomial(probs, 1, generator=fresh)[:, 0]
''',
    ),
    write(
        "the global seed from the generator",
        "draw",
        '"the global generators of PyTorch and of Python are left alone": torch.manual_seed sets PyTorch\'s',
        r'''
def draw(probs: Tensor, generator: torch.Generator) -> Tensor:
    """One id for each row (B,), drawn with its probabilities."""
    seed = torch.randint(2**31, (), generator=generator)
    torch.manual_seed(int(seed))
    return torch.distributions.Categorical(probs=probs).sample()
''',
    ),
    write(
        "Python's own random numbers",
        "draw",
        '"the global generators of PyTorch and of Python are left alone": random.seed sets Python\'s',
        r'''
import random


def draw(probs: Tensor, generator: torch.Generator) -> Tensor:
    """One id for each row (B,), drawn with its probabilities."""
    random.seed(int(torch.randint(2**31, (), generator=generator)))
    n = probs.shape[1]
    ids = [random.choices(range(n), weights=row)[0] for row in probs.tolist()]
    return torch.tensor(ids)
''',
    ),
    write(
        "points in even steps",
        "draw",
        '"The rows are drawn independently of each other": one random number places all points, so equal rows share out their ids exactly',
        r'''
def draw(probs: Tensor, generator: torch.Generator) -> Tensor:
    """One id for each row (B,), drawn with its probabilities."""
    n = len(probs)
    points = (torch.rand(1, generator=generator) + torch.arange(n)) / n
    sums = probs.double().cumsum(-1)
    ids = torch.searchsorted(sums, points[:, None].double() * sums[:, -1:], right=True)
    return ids[:, 0].clamp(max=probs.shape[1] - 1)
''',
    ),
    write(
        "a thousand points of the unit interval",
        "draw",
        '"a token of probability 0 never comes": the random number is exactly 0 once in a thousand, and then id 0 is drawn, whatever its probability; and probabilities below 0.001 are rounded away',
        r'''
def draw(probs: Tensor, generator: torch.Generator) -> Tensor:
    """One id for each row (B,), drawn with its probabilities."""
    points = torch.randint(0, 1000, (len(probs), 1), generator=generator) / 1000
    sums = probs.cumsum(-1)
    return (sums < points).sum(-1).clamp(max=probs.shape[1] - 1)
''',
    ),
    write(
        "neighbors share a number",
        "draw",
        '"The rows are drawn independently of each other": neighbors share a random number, two by two',
        r'''
def draw(probs: Tensor, generator: torch.Generator) -> Tensor:
    """One id for each row (B,), drawn with its probabilities."""
    n = len(probs)
    points = torch.rand((n + 1) // 2, generator=generator, dtype=torch.float64)
    points = points.repeat_interleave(2)[:n, None]
    sums = probs.double().cumsum(-1)
    ids = torch.searchsorted(sums, points * sums[:, -1:], right=True)
    return ids[:, 0].clamp(max=probs.shape[1] - 1)
''',
    ),
    write(
        "a stop of 0 is none",
        "loop",
        '"If `stop_id` is given, a text ends with the first `stop_id`": 0 is an id, too',
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""
    ended = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(n_tokens):
        new = choose(model(ids[:, -context_length:])[:, -1])
        if stop_id:
            new = torch.where(ended, stop_id, new)
            ended = ended | (new == stop_id)
        ids = torch.cat([ids, new[:, None]], dim=1)
        if ended.all():
            break
    return ids
''',
    ),
    write(
        "a stop in the prompt",
        "loop",
        '"(one in the prompt ends nothing)"',
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""
    for _ in range(n_tokens):
        new = choose(model(ids[:, -context_length:])[:, -1])
        if stop_id is not None:
            new = torch.where((ids == stop_id).any(dim=1), stop_id, new)
        ids = torch.cat([ids, new[:, None]], dim=1)
        if stop_id is not None and (ids == stop_id).any(dim=1).all():
            break
    return ids
''',
    ),
    write(
        "texts go on after their end",
        "loop",
        '"What follows in its row is `stop_id` again, whatever is chosen"',
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""
    ended = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(n_tokens):
        new = choose(model(ids[:, -context_length:])[:, -1])
        ids = torch.cat([ids, new[:, None]], dim=1)
        if stop_id is not None:
            ended |= new == stop_id
            if ended.all():
                break
    return ids
''',
    ),
    write(
        "one token at least",
        "loop",
        '"`n` is `n_tokens`", and 0 is a number: the first token is written before anything is asked; "and never more"',
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""
    ended = torch.zeros(len(ids), dtype=torch.bool)
    left = n_tokens
    while True:
        new = choose(model(ids[:, -context_length:])[:, -1])
        if stop_id is not None:
            new = torch.where(ended, stop_id, new)
            ended = ended | (new == stop_id)
        ids = torch.cat([ids, new[:, None]], dim=1)
        left -= 1
        if left <= 0 or ended.all():
            return ids
''',
    ),
    write(
        "the first end ends all",
        "loop",
        '"or less if all texts have ended": it returns as soon as one has',
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""
    for _ in range(n_tokens):
        new = choose(model(ids[:, -context_length:])[:, -1])
        ids = torch.cat([ids, new[:, None]], dim=1)
        if stop_id is not None and (new == stop_id).any():
            break
    return ids
''',
    ),
    write(
        "probabilities to choose from",
        "loop",
        '"`choose(logits)` takes the logits of the next token": it gets their softmax',
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""
    ended = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(n_tokens):
        new = choose(model(ids[:, -context_length:])[:, -1].softmax(-1))
        if stop_id is not None:
            new = torch.where(ended, stop_id, new)
            ended = ended | (new == stop_id)
        ids = torch.cat([ids, new[:, None]], dim=1)
        if ended.all():
            break
    return ids
''',
    ),
    write(
        "all positions to choose from",
        "loop",
        '"`choose(logits)` takes the logits of the next token, `(B, V)`": it gets (B, T, V), and the last choice is taken',
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""
    ended = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(n_tokens):
        new = choose(model(ids[:, -context_length:]))[:, -1]
        if stop_id is not None:
            new = torch.where(ended, stop_id, new)
            ended = ended | (new == stop_id)
        ids = torch.cat([ids, new[:, None]], dim=1)
        if ended.all():
            break
    return ids
''',
    ),
    write(
        "chosen twice",
        "loop",
        '"Call `model` and `choose` exactly once for each new column": a second call may draw another id than the one that is written',
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""
    ended = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(n_tokens):
        logits = model(ids[:, -context_length:])[:, -1]
        if stop_id is not None:
            ids = torch.cat([ids, torch.where(ended, stop_id, choose(logits))[:, None]], dim=1)
            ended |= choose(logits) == stop_id
            if ended.all():
                break
        else:
            ids = torch.cat([ids, choose(logits)[:, None]], dim=1)
    return ids
''',
    ),
    write(
        "argmax by itself",
        "loop",
        '"It may draw; use what it returns": choose is called, and what it returns is not used',
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""
    ended = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(n_tokens):
        logits = model(ids[:, -context_length:])[:, -1]
        choose(logits)
        new = logits.argmax(-1)
        if stop_id is not None:
            new = torch.where(ended, stop_id, new)
            ended = ended | (new == stop_id)
        ids = torch.cat([ids, new[:, None]], dim=1)
        if ended.all():
            break
    return ids
''',
    ),
    write(
        "no mask with a cache",
        "cache",
        '"A new position may look at all positions in the cache, at itself, and at the new ones before it; at no later one": with a cache and several new positions they see what comes later',
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    n = query.shape[-2]
    if cache is not None:
        key, value = torch.cat([cache[0], key], -2), torch.cat([cache[1], value], -2)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if cache is None:
        scores = scores.masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), -torch.inf)
    return scores.softmax(-1) @ value, (key, value)
''',
    ),
    write(
        "no mask at all",
        "cache",
        '"at no later one": right for one new position at a time alone',
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    if cache is not None:
        old_keys, old_values = cache
        key, value = torch.cat([old_keys, key], -2), torch.cat([old_values, value], -2)
    weights = torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, dim=-1)
    return weights @ value, (key, value)
''',
    ),
    write(
        "minus ten thousand",
        "cache",
        '"What a position may not look at has no weight at all, however large the scores are"',
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    if cache is not None:
        key, value = torch.cat([cache[0], key], -2), torch.cat([cache[1], value], -2)
    n, n_all = query.shape[-2], key.shape[-2]
    mask = torch.ones(n, n_all, dtype=torch.bool).tril(n_all - n)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    return scores.masked_fill(~mask, -1e4).softmax(-1) @ value, (key, value)
''',
    ),
    write(
        "weights taken away afterwards",
        "cache",
        '"What a position may not look at has no weight at all, however large the scores are": the softmax is over all, and where a later score is far larger what remains is 0 / 0',
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    if cache is not None:
        key, value = torch.cat([cache[0], key], -2), torch.cat([cache[1], value], -2)
    n, n_all = query.shape[-2], key.shape[-2]
    mask = torch.ones(n, n_all, dtype=query.dtype).tril(n_all - n)
    weights = (query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])).softmax(-1) * mask
    return weights / weights.sum(-1, keepdim=True) @ value, (key, value)
''',
    ),
    write(
        "output in float32",
        "cache",
        '"The output has the dtype of the query": float16 and bfloat16 give float32',
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    if cache is not None:
        key, value = torch.cat([cache[0], key], -2), torch.cat([cache[1], value], -2)
    n, n_all = query.shape[-2], key.shape[-2]
    mask = torch.ones(n, n_all, dtype=torch.bool).tril(n_all - n)
    scores = query.float() @ key.float().transpose(-2, -1) / math.sqrt(query.shape[-1])
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
    return weights @ value.float(), (key, value)
''',
    ),
    write(
        "a memory of its own",
        "cache",
        '"All that is known of earlier pieces is in `cache`: two texts may be read in turns": what was read last is continued, whatever the cache',
        r'''
_read = {}


def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    if cache is None:
        _read.clear()
    else:
        key = torch.cat([_read["keys"], key], -2)
        value = torch.cat([_read["values"], value], -2)
    _read.update(keys=key, values=value)
    n, n_all = query.shape[-2], key.shape[-2]
    mask = torch.ones(n, n_all, dtype=torch.bool).tril(n_all - n)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ value, (key, value)
''',
    ),
    write(
        "one sheet for all that follow",
        "cache",
        '"one cache may be gone on from twice": keys are views of a sheet with room at its end, and the second continuation writes over the first',
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    n = query.shape[-2]
    n_old = 0 if cache is None else cache[0].shape[-2]

    def extended(old, new):
        sheet = getattr(old, "sheet", None)
        if sheet is None or sheet.shape[-2] < n_old + n:
            shape = (*new.shape[:-2], 2 * (n_old + n) + 64, new.shape[-1])
            sheet = new.new_zeros(shape)
            if n_old:
                sheet[..., :n_old, :] = old
        sheet[..., n_old : n_old + n, :] = new
        view = sheet[..., : n_old + n, :]
        view.sheet = sheet
        return view

    key, value = (
        extended(old, new) for old, new in zip(cache or (None, None), (key, value), strict=True)
    )
    mask = torch.ones(n, n_old + n, dtype=torch.bool).tril(n_old)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ value, (key, value)
''',
    ),
    write(
        "heads of width 4",
        "cache",
        '"scaled dot-product attention": the scores are halved, which is √D for D = 4 alone',
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    if cache is not None:
        key, value = torch.cat([cache[0], key], -2), torch.cat([cache[1], value], -2)
    n, n_all = query.shape[-2], key.shape[-2]
    mask = torch.ones(n, n_all, dtype=torch.bool).tril(n_all - n)
    scores = query @ key.transpose(-2, -1) / 2
    return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ value, (key, value)
''',
    ),
    write(
        "the prompt is always read",
        "cached_loop",
        '"`n_tokens` calls in all, none if `n_tokens` is 0"',
        r'''
def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    """The prompts, and after them n_tokens likeliest ids."""
    logits = read(ids, 0)
    for k in range(n_tokens):
        new = logits[:, -1].argmax(-1, keepdim=True)
        ids = torch.cat([ids, new], dim=1)
        if k + 1 < n_tokens:
            logits = read(new, ids.shape[1] - 1)
    return ids
''',
    ),
    write(
        "one answer for all texts",
        "cached_loop",
        '"greedy generation ...: the likeliest token at each step", of each text: the argmax is over the batch, too',
        r'''
def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    """The prompts, and after them n_tokens likeliest ids."""
    new, start = ids, 0
    for _ in range(n_tokens):
        logits = read(new, start)[:, -1]
        start = ids.shape[1]
        new = (logits.argmax() % logits.shape[-1]).expand(len(ids), 1)
        ids = torch.cat([ids, new], dim=1)
    return ids
''',
    ),
    write(
        "a place for each text",
        "cached_loop",
        '"`start` is a number, the same for all texts": it is a tensor with a number for each text',
        r'''
def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    """The prompts, and after them n_tokens likeliest ids."""
    new, start = ids, torch.zeros(len(ids), dtype=torch.long)
    for _ in range(n_tokens):
        logits = read(new, start)
        start = start + new.shape[1]
        new = logits[:, -1].argmax(-1, keepdim=True)
        ids = torch.cat([ids, new], dim=1)
    return ids
''',
    ),
    write(
        "the largest sigmoid",
        "cached_loop",
        '"the likeliest token at each step": large logits all have the sigmoid 1, and the first of them wins',
        r'''
def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    """The prompts, and after them n_tokens likeliest ids."""
    new = ids
    for _ in range(n_tokens):
        logits = read(new, ids.shape[1] - new.shape[1])
        new = torch.sigmoid(logits[:, -1]).argmax(-1, keepdim=True)
        ids = torch.cat([ids, new], dim=1)
    return ids
''',
    ),
    write(
        "a 0 ends the text",
        "cached_loop",
        '"Return the prompt and the new ids, `(B, T + n_tokens)`": it stops when all texts have written a 0',
        r'''
def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    """The prompts, and after them n_tokens likeliest ids."""
    new = ids
    for _ in range(n_tokens):
        logits = read(new, ids.shape[1] - new.shape[1])
        new = logits[:, -1].argmax(-1, keepdim=True)
        ids = torch.cat([ids, new], dim=1)
        if not new.any():
            break
    return ids
''',
    ),
    write(
        "the place goes on from the last text",
        "cached_loop",
        '"the position in the text at which the first of them stands": it is kept between calls, so the second text does not start at 0',
        r'''
def generate_cached(read, ids: Tensor, n_tokens: int, place=[0]) -> Tensor:
    """The prompts, and after them n_tokens likeliest ids."""
    new = ids
    for _ in range(n_tokens):
        logits = read(new, place[0])
        place[0] += new.shape[1]
        new = logits[:, -1].argmax(-1, keepdim=True)
        ids = torch.cat([ids, new], dim=1)
    return ids
''',
    ),
    write(
        "a single text is squeezed",
        "cached_loop",
        '"It returns their logits, `(B, n, V)`": squeeze takes the batch away, which is right for one text alone',
        r'''
def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    """The prompts, and after them n_tokens likeliest ids."""
    text = ids[0].tolist()
    new, start = ids, 0
    for _ in range(n_tokens):
        logits = read(new, start).squeeze(0)
        start = len(text)
        text.append(int(logits[-1].argmax(-1)))
        new = torch.tensor([text[-1:]])
    return torch.tensor([text])
''',
    ),
    write(
        "a prompt of many",
        "cached_loop",
        '"The whole prompt is read first, in one call": a prompt of more than 16 ids is read in two pieces',
        r'''
def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    """The prompts, and after them n_tokens likeliest ids."""
    n_read = 0
    for _ in range(n_tokens):
        while n_read < ids.shape[1]:
            piece = ids[:, n_read : n_read + 16]
            logits = read(piece, n_read)
            n_read += piece.shape[1]
        ids = torch.cat([ids, logits[:, -1].argmax(-1)[:, None]], dim=1)
    return ids
''',
    ),
    write(
        "e in float32",
        "perplexity",
        '"targets as unlikely as e⁻²⁰⁰" and "Return a Python `float`": torch.exp of a float32 is infinite from 89 on',
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    inputs, targets = ids[:-1], ids[1:]
    total = 0.0
    for start in range(0, len(inputs), window):
        logits = model(inputs[None, start : start + window])[0]
        total += F.cross_entropy(logits, targets[start : start + window], reduction="sum")
    return torch.exp(total / len(targets)).item()
''',
    ),
    write(
        "a floor for the probability",
        "perplexity",
        '"targets as unlikely as e⁻²⁰⁰": none is taken for less likely than 1e-12',
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    inputs, targets = ids[:-1], ids[1:]
    total = 0.0
    for start in range(0, len(inputs), window):
        probs = model(inputs[None, start : start + window])[0].softmax(-1)
        right = probs.gather(-1, targets[start : start + window, None])
        total -= right.clamp(min=1e-12).log().sum().item()
    return math.exp(total / len(targets))
''',
    ),
    write(
        "the mean of the windows' means",
        "perplexity",
        '"Every target has the same weight, whatever the length of its window"',
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    inputs, targets = ids[:-1], ids[1:]
    means = []
    for start in range(0, len(inputs), window):
        logits = model(inputs[None, start : start + window])[0]
        means.append(F.cross_entropy(logits, targets[start : start + window]).item())
    return math.exp(sum(means) / len(means))
''',
    ),
    write(
        "whole windows alone",
        "perplexity",
        '"The last one may be shorter" and "Each id but the first is a target **exactly once**": a last window that is shorter is left out, unless it is the only one',
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    window = min(window, len(ids) - 1)
    total, number = 0.0, 0
    for start in range(0, len(ids) - window, window):
        logits = model(ids[None, start : start + window])[0]
        targets = ids[start + 1 : start + window + 1]
        total += F.cross_entropy(logits, targets, reduction="sum").item()
        number += len(targets)
    return math.exp(total / number)
''',
    ),
    write(
        "a window of one is squeezed",
        "perplexity",
        '"The last one may be shorter", of one id too: squeeze takes the position away, and the targets do not fit',
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    inputs, targets = ids[:-1], ids[1:]
    total = 0.0
    for start in range(0, len(inputs), window):
        log_probs = model(inputs[start : start + window][None]).squeeze().log_softmax(-1)
        wanted = targets[start : start + window]
        total -= log_probs[torch.arange(len(wanted)), wanted].sum().item()
    return math.exp(total / len(targets))
''',
    ),
    write(
        "divided by whole windows",
        "perplexity",
        '"divide ... by N − 1", "Every target has the same weight": the sum is divided by windows times window',
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    inputs, targets = ids[:-1], ids[1:]
    total, number = 0.0, 0
    for start in range(0, len(inputs), window):
        logits = model(inputs[None, start : start + window])[0]
        total += F.cross_entropy(logits, targets[start : start + window], reduction="sum").item()
        number += min(window, len(inputs))
    return math.exp(total / number)
''',
    ),
    write(
        "the last id is read",
        "perplexity",
        '"The last id is no input: nothing follows it": in a last window that is shorter it is',
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    total = 0.0
    for start in range(0, len(ids) - 1, window):
        targets = ids[start + 1 : start + window + 1]
        logits = model(ids[None, start : start + window])[0, : len(targets)]
        total += F.cross_entropy(logits, targets, reduction="sum").item()
    return math.exp(total / (len(ids) - 1))
''',
    ),
    write(
        "the sum of large exponentials",
        "perplexity",
        '"Logits may be large": e to a logit of more than 88 is infinite in float32',
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    inputs, targets = ids[:-1], ids[1:]
    total = 0.0
    for start in range(0, len(inputs), window):
        logits = model(inputs[None, start : start + window])[0]
        right = logits.gather(-1, targets[start : start + window, None])[:, 0]
        total += (logits.exp().sum(-1).log() - right).sum().item()
    return math.exp(total / len(targets))
''',
    ),
    write(
        "only texts that go on",
        "loop",
        '"`choose(logits)` takes the logits of the next token, `(B, V)`" and "Call `model` and `choose` exactly once for each new column": rows that have ended are not shown, so both get fewer rows than B',
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""
    going = torch.ones(len(ids), dtype=torch.bool)
    for _ in range(n_tokens):
        new = torch.full((len(ids),), 0 if stop_id is None else stop_id)
        new[going] = choose(model(ids[going, -context_length:])[:, -1])
        ids = torch.cat([ids, new[:, None]], dim=1)
        if stop_id is not None:
            going = going & (new != stop_id)
            if not going.any():
                break
    return ids
''',
    ),
    write(
        "the last sixteen positions",
        "cache",
        '"A new position may look at all positions in the cache" and "the new cache of all `S + T` positions": no more than 16 are kept',
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    if cache is not None:
        key, value = torch.cat([cache[0], key], -2), torch.cat([cache[1], value], -2)
    n, n_all = query.shape[-2], key.shape[-2]
    mask = torch.ones(n, n_all, dtype=torch.bool).tril(n_all - n)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    output = scores.masked_fill(~mask, -torch.inf).softmax(-1) @ value
    return output, (key[..., -16:, :], value[..., -16:, :])
''',
    ),
    write(
        "future keys are zeros",
        "cache",
        '"What a position may not look at has no weight at all": scores of later positions become 0 by a product with the mask, and 0 is a score like any other',
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    if cache is not None:
        key, value = torch.cat([cache[0], key], -2), torch.cat([cache[1], value], -2)
    n, n_all = query.shape[-2], key.shape[-2]
    mask = torch.ones(n, n_all, dtype=query.dtype).tril(n_all - n)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    return (scores * mask).softmax(-1) @ value, (key, value)
''',
    ),
    write(
        "at most e to the hundred",
        "perplexity",
        '"targets as unlikely as e⁻²⁰⁰": the mean is cut at 100, so that exp does not overflow',
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    inputs, targets = ids[:-1], ids[1:]
    total = 0.0
    for start in range(0, len(inputs), window):
        logits = model(inputs[None, start : start + window])[0]
        total += F.cross_entropy(logits, targets[start : start + window], reduction="sum").item()
    return math.exp(min(total / len(targets), 100.0))
''',
    ),
    write(
        "the largest logit is taken for all",
        "perplexity",
        '"the mean negative log-likelihood −ln p(next id)": with logits above 80 the logarithm of the sum is replaced by the largest one, which is ln n too small where n of them are equal',
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    inputs, targets = ids[:-1], ids[1:]
    total = 0.0
    for start in range(0, len(inputs), window):
        logits = model(inputs[None, start : start + window])[0]
        right = logits.gather(-1, targets[start : start + window, None])[:, 0]
        largest = logits.amax(-1)
        whole = torch.where(largest > 80, largest, logits.exp().sum(-1).log())
        total += (whole - right).sum().item()
    return math.exp(total / len(targets))
''',
    ),
    write(
        "equals told apart by noise",
        "top_k",
        '"those of the kept tokens divided by their sum, all others exactly 0. ... which of the equals stay is up to you": equals are told apart by 1e-4 of noise, which puts less probable tokens before more probable ones (and takes global random numbers)',
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    noisy = probs + 1e-4 * torch.rand(probs.shape, dtype=probs.dtype)
    places = noisy.topk(min(k, probs.shape[-1]), dim=-1).indices
    kept = torch.zeros_like(probs).scatter(-1, places, probs.gather(-1, places))
    return kept / kept.sum(-1, keepdim=True)
''',
    ),
]

RIGHT = [
    write(
        "einsum and logsumexp",
        "next_token",
        "e to the logits less their logsumexp; the first largest by cumsum",
        r'''
def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities (B, V) of the token after the last position."""
    logits = torch.einsum("bc,vc->bv", x.select(1, -1), head)
    if not temperature:
        largest = logits == logits.amax(-1, keepdim=True)
        return (largest & (largest.cumsum(-1) == 1)).to(x.dtype)
    scaled = (logits - logits.amax(-1, keepdim=True)) / temperature
    return (scaled - scaled.logsumexp(-1, keepdim=True)).exp()
''',
    ),
    write(
        "text by text",
        "next_token",
        "a list of rows, and eye for the certain ones",
        r'''
def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities (B, V) of the token after the last position."""

    def of(text):
        logits = torch.mv(head, text[-1])
        if temperature == 0:
            numbers = logits.tolist()
            return torch.eye(len(numbers), dtype=x.dtype)[numbers.index(max(numbers))]
        away = logits - logits.max()
        return away.div(temperature).softmax(0)

    return torch.stack(list(map(of, x)))
''',
    ),
    write(
        "linear and scatter",
        "next_token",
        "F.linear; zeros with a 1 by scatter; own softmax with the maximum taken off",
        r'''
def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    """The probabilities (B, V) of the token after the last position."""
    logits = F.linear(x[:, -1, :], head)
    best, where = logits.sort(dim=-1, descending=True, stable=True)
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, where[:, :1], 1.0)
    powers = torch.exp((logits - best[:, :1]) / temperature)
    return powers / powers.sum(dim=-1, keepdim=True)
''',
    ),
    write(
        "ranks by two sorts",
        "top_k",
        "argsort of argsort gives each token its rank; ranks below k stay",
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    ranks = probs.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    kept = probs * (ranks < k)
    return kept / kept.sum(dim=-1, keepdim=True)
''',
    ),
    write(
        "one after the other",
        "top_k",
        "k times argmax of what has not been taken",
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    taken = torch.zeros(probs.shape, dtype=torch.bool)
    for _ in range(min(k, probs.shape[-1])):
        best = probs.masked_fill(taken, -1.0).argmax(dim=-1, keepdim=True)
        taken = taken.scatter(-1, best, True)
    kept = probs.masked_fill(~taken, 0)
    return kept / kept.sum(-1).unsqueeze(-1)
''',
    ),
    write(
        "sorted lists",
        "top_k",
        "each row as a Python list, sorted by (probability, place)",
        r'''
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """The k most probable tokens of each row, sharing all of the probability."""
    n = probs.shape[-1]

    def row(numbers):
        best = set(sorted(range(n), key=lambda i: (-numbers[i], -i))[:k])
        total = math.fsum(numbers[i] for i in best)
        return [p / total if i in best else 0.0 for i, p in enumerate(numbers)]

    rows = [row(numbers) for numbers in probs.reshape(-1, n).tolist()]
    return torch.tensor(rows, dtype=probs.dtype).reshape(probs.shape)
''',
    ),
    write(
        "lists, and a loop to the border",
        "top_p",
        "row by row in Python, the sum as a float64",
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    n = probs.shape[-1]

    def row(numbers):
        if p >= 1:
            return numbers
        inside, total = [], 0.0
        for i in sorted(range(n), key=numbers.__getitem__, reverse=True):
            inside.append(i)
            total += numbers[i]
            if total >= p:
                break
        result = [0.0] * n
        for i in inside:
            result[i] = numbers[i] / total
        return result

    rows = [row(numbers) for numbers in probs.reshape(-1, n).tolist()]
    return torch.tensor(rows, dtype=probs.dtype).reshape(probs.shape)
''',
    ),
    write(
        "searchsorted",
        "top_p",
        "the size of each nucleus by searchsorted in the sums, and ranks by a second argsort",
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    if p >= 1:
        return probs / probs.sum(-1, keepdim=True)
    order = probs.argsort(-1, descending=True)
    sums = probs.gather(-1, order).double().cumsum(-1).contiguous()
    line = torch.full_like(sums[..., :1], p)
    size = torch.searchsorted(sums, line) + 1
    kept = probs.masked_fill(order.argsort(-1) >= size, 0)
    return kept / kept.sum(-1, keepdim=True)
''',
    ),
    write(
        "who stands before me",
        "top_p",
        "for each token the sum of those that come before it, by a matrix of comparisons",
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    if p >= 1:
        return probs.clone()
    if probs.dim() > 1:
        return torch.stack([keep_top_p(part, p) for part in probs])
    place = torch.arange(len(probs))
    above = (probs[:, None] < probs) | ((probs[:, None] == probs) & (place[:, None] > place))
    before = above.double() @ probs.double()
    inside = (before < p) | (before == 0) & (probs == probs.max())
    kept = torch.where(inside, probs, torch.zeros_like(probs))
    return kept / kept.sum()
''',
    ),
    write(
        "the Gumbel trick",
        "draw",
        "argmax of log p less log of exponential noise, all from the generator",
        r'''
def draw(probs: Tensor, generator: torch.Generator) -> Tensor:
    """One id for each row (B,), drawn with its probabilities."""
    noise = torch.empty(probs.shape, dtype=torch.float64).exponential_(generator=generator)
    return (probs.double().log() - noise.log()).argmax(dim=-1)
''',
    ),
    write(
        "in portions",
        "draw",
        "multinomial of eight rows at a time, with replacement, joined afterwards",
        r'''
def draw(probs: Tensor, generator: torch.Generator) -> Tensor:
    """One id for each row (B,), drawn with its probabilities."""
    drawn = [torch.multinomial(part, 1, True, generator=generator) for part in probs.split(8)]
    return torch.cat(drawn).flatten()
''',
    ),
    write(
        "a point in the sums",
        "draw",
        "a uniform float64 for each row, and the first sum above it; only tokens of more than 0 are asked",
        r'''
def draw(probs: Tensor, generator: torch.Generator) -> Tensor:
    """One id for each row (B,), drawn with its probabilities."""
    points = torch.rand(len(probs), generator=generator, dtype=torch.float64).tolist()
    ids = []
    for row, point in zip(probs.double().tolist(), points, strict=True):
        possible = [i for i, p in enumerate(row) if p > 0]
        rest = point * math.fsum(row)
        for i in possible:
            rest -= row[i]
            if rest < 0:
                break
        ids.append(i)
    return torch.tensor(ids)
''',
    ),
    write(
        "recursion by one column",
        "loop",
        "the rest of the text is written by a call of an inner function",
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""

    def go(text, over, left):
        if not left or all(over):
            return text
        chosen = choose(model(text[:, max(0, text.shape[1] - context_length) :])[:, -1]).tolist()
        new = [stop_id if done else i for done, i in zip(over, chosen, strict=True)]
        over = [stop_id is not None and i == stop_id for i in new]
        return go(torch.cat([text, torch.tensor(new).reshape(-1, 1)], 1), over, left - 1)

    return go(ids, [False] * len(ids), n_tokens)
''',
    ),
    write(
        "a sheet filled with stops",
        "loop",
        "a prepared sheet; rows that have ended are left alone",
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""
    n_texts, length = ids.shape
    filler = -1 if stop_id is None else stop_id
    sheet = torch.full((n_texts, length + n_tokens), filler, dtype=torch.int64)
    sheet[:, :length] = ids
    alive = torch.ones(n_texts, dtype=torch.bool)
    end = length
    while end < length + n_tokens and alive.any():
        logits = model(sheet[:, max(0, end - context_length) : end].clone())
        new = choose(logits.select(1, -1))
        sheet[alive, end] = new[alive].to(torch.int64)
        if stop_id is not None:
            alive = alive & (sheet[:, end] != stop_id)
        end += 1
    return sheet[:, :end].clone()
''',
    ),
    write(
        "a generator of columns",
        "loop",
        "columns are yielded by a generator, and joined once",
        r'''
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    """The prompts, and after them up to n_tokens new ids."""

    def columns():
        seen = list(ids.unbind(1))
        over = torch.zeros(ids.shape[0], dtype=torch.bool)
        for _ in range(n_tokens):
            window = torch.stack(seen[-context_length:], dim=1)
            new = choose(model(window)[:, -1, :]).long()
            if stop_id is not None:
                new = new.masked_fill(over, stop_id)
                over = over.logical_or(new.eq(stop_id))
            seen.append(new)
            yield new[:, None]
            if bool(over.all()):
                return

    return torch.cat([ids, *columns()], dim=-1)
''',
    ),
    write(
        "position by position",
        "cache",
        "each new position looks at the slice that it may see, and no mask is needed",
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    keys, values = ([], []) if cache is None else ([old] for old in cache)
    keys, values = torch.cat([*keys, key], dim=2), torch.cat([*values, value], dim=2)
    n, n_all = key.shape[2], keys.shape[2]
    outputs = []
    for t in range(n):
        end = n_all - n + t + 1
        scores = torch.einsum("bhd,bhsd->bhs", query[:, :, t], keys[:, :, :end])
        weights = torch.softmax(scores / math.sqrt(query.shape[-1]), dim=-1)
        outputs.append(torch.einsum("bhs,bhsd->bhd", weights, values[:, :, :end]))
    return torch.stack(outputs, dim=2), (keys, values)
''',
    ),
    write(
        "einsum and positions",
        "cache",
        "the mask from a comparison of positions, added as minus infinity",
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    empty = key[:, :, :0], value[:, :, :0]
    keys, values = (
        torch.cat(pair, dim=-2) for pair in zip(cache or empty, (key, value), strict=True)
    )
    column = torch.arange(keys.shape[-2])
    row = column[len(column) - query.shape[-2] :, None]
    later = torch.zeros(len(row), len(column), dtype=query.dtype)
    later = later.masked_fill(column > row, -torch.inf)
    scores = torch.einsum("bhtd,bhsd->bhts", query * query.shape[-1] ** -0.5, keys) + later
    return torch.einsum("bhts,bhsd->bhtd", scores.softmax(-1), values), (keys, values)
''',
    ),
    write(
        "log weights",
        "cache",
        "weights as e to the scores less their logsumexp, in float64 inside",
        r'''
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The output of the new positions, and the keys and values of all."""
    n_old = 0
    if cache is not None:
        n_old = cache[0].size(-2)
        key, value = (torch.cat([a, b], -2) for a, b in zip(cache, (key, value), strict=True))
    scores = torch.matmul(query.double(), key.double().mT).div(math.sqrt(query.size(-1)))
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(n_old + 1)
    scores = torch.where(hidden, torch.tensor(-torch.inf, dtype=torch.float64), scores)
    weights = torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True))
    return (weights @ value.double()).to(query.dtype), (key, value)
''',
    ),
    write(
        "recursion, one column each",
        "cached_loop",
        "an inner function reads what is new, and calls itself with the column that it wrote",
        r'''
def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    """The prompts, and after them n_tokens likeliest ids."""

    def go(new, start, left):
        if left <= 0:
            return [new]
        best = read(new, start)[:, -1].max(dim=-1).indices.unsqueeze(1)
        return [new, *go(best, start + new.shape[1], left - 1)]

    return torch.cat(go(ids, 0, n_tokens), dim=1)
''',
    ),
    write(
        "itertools.accumulate",
        "cached_loop",
        "each piece makes the next one; all pieces are joined at the end",
        r'''
import itertools


def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    """The prompts, and after them n_tokens likeliest ids."""
    length = ids.shape[1]
    starts = [0, *range(length, length + n_tokens)][:n_tokens]

    def following(piece, start):
        return torch.argmax(read(piece, start)[:, -1, :], dim=1).reshape(-1, 1)

    return torch.hstack(list(itertools.accumulate(starts, following, initial=ids)))
''',
    ),
    write(
        "a sheet with slices",
        "cached_loop",
        "a prepared sheet, and a slice of what has not been read",
        r'''
def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    """The prompts, and after them n_tokens likeliest ids."""
    n_texts, length = ids.shape
    sheet = torch.zeros(n_texts, length + n_tokens, dtype=torch.int64)
    sheet[:, :length] = ids
    done = 0
    for end in range(length, length + n_tokens):
        logits = read(sheet[:, done:end].clone(), done)
        sheet[:, end] = torch.tensor([int(row[-1].argmax()) for row in logits])
        done = end
    return sheet
''',
    ),
    write(
        "split and logsumexp",
        "perplexity",
        "torch.split cuts both; the surprise is logsumexp less the right logit",
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    surprises = []
    for inputs, targets in zip(ids[:-1].split(window), ids[1:].split(window), strict=True):
        logits = model(inputs.unsqueeze(0)).squeeze(0).double()
        right = torch.take_along_dim(logits, targets.unsqueeze(1), 1).squeeze(1)
        surprises.append(logits.logsumexp(1) - right)
    return math.exp(torch.cat(surprises).mean().item())
''',
    ),
    write(
        "all logits, then one loss",
        "perplexity",
        "the logits of all windows are joined, and the loss is a single mean",
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    places = range(0, len(ids) - 1, window)
    ends = [min(place + window, len(ids) - 1) for place in places]
    logits = [model(ids[a:b].reshape(1, -1)) for a, b in zip(places, ends, strict=True)]
    return math.e ** F.cross_entropy(torch.cat(logits, 1)[0].double(), ids[1:]).item()
''',
    ),
    write(
        "what is left of the text",
        "perplexity",
        "a while loop takes a window off the rest of the text; math.fsum",
        r'''
def perplexity(model, ids: Tensor, window: int) -> float:
    """e to the mean negative log-likelihood of all ids but the first."""
    total, rest = 0.0, ids
    while len(rest) > 1:
        n = min(window, len(rest) - 1)
        log_probs = F.log_softmax(model(rest[None, :n])[0], dim=-1)
        total += math.fsum(-log_probs[t, i].item() for t, i in enumerate(rest[1 : n + 1].tolist()))
        rest = rest[n:]
    return math.exp(total / (ids.numel() - 1))
''',
    ),
    write(
        "up from the smallest",
        "top_p",
        "the sums run up from the smallest: what lies within 1 − p of nothing goes",
        r'''
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """The nucleus of each row, sharing all of the probability."""
    if p >= 1:
        return probs + 0
    order = probs.argsort(dim=-1)
    rising = probs.gather(-1, order)
    sums = rising.double().cumsum(-1)
    gone = sums <= sums[..., -1:] - p
    gone[..., -1] = False
    kept = torch.empty_like(probs).scatter_(-1, order, rising.masked_fill(gone, 0))
    return kept / kept.sum(-1, keepdim=True)
''',
    ),
]
