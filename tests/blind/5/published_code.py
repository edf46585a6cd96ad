from textwrap import dedent

from faults import fill, write

WRONG, RIGHT = [], []

# ---------------------------------------------------------------- Task 1

WRONG += [
    fill(
        "dtype of the vectors",
        "influence",
        "'in the dtype of the outputs': it is that of floating inputs, and float32 for ids",
        """dtype = inputs.dtype if inputs.is_floating_point() else torch.float32
before = model(inputs)
B, T = inputs.shape[:2]
moved = torch.zeros(B, T, B, T, dtype=dtype)
for c in range(B):
    for s in range(T):
        changed = inputs.clone()
        changed[c, s] = others[c, s]
        moved[:, :, c, s] = (model(changed) - before).abs().reshape(B, T, -1).amax(-1)
return moved
""",
    ),
    fill(
        "change is skipped where the numbers of the difference cancel",
        "influence",
        "'place s of text c is replaced by what stands there in others': a vector whose difference sums to 0 is still another one",
        """before = model(inputs)
B, T = inputs.shape[:2]
moved = torch.zeros(B, T, B, T, dtype=before.dtype)
for c in range(B):
    for s in range(T):
        if (others[c, s] - inputs[c, s]).sum() == 0:
            continue
        changed = inputs.clone()
        changed[c, s] = others[c, s]
        moved[:, :, c, s] = (model(changed) - before).abs().reshape(B, T, -1).amax(-1)
return moved
""",
    ),
    fill(
        "writes into inputs and puts back",
        "influence",
        "'inputs and others stay as they are': written into while the model is asked; a model that returns its batch seems not to move",
        """before = model(inputs)
B, T = inputs.shape[:2]
moved = torch.zeros(B, T, B, T, dtype=before.dtype)
for c in range(B):
    for s in range(T):
        kept = inputs[c, s].clone()
        inputs[c, s] = others[c, s]
        moved[:, :, c, s] = (model(inputs) - before).abs().reshape(B, T, -1).amax(-1)
        inputs[c, s] = kept
return moved
""",
    ),
    fill(
        "view of the outputs",
        "influence",
        "'Tensors need not lie in order in memory', and 'more dimensions behind these two': view fails for outputs that are permuted",
        """before = model(inputs)
B, T = inputs.shape[:2]
moved = torch.zeros(B, T, B, T, dtype=before.dtype)
for c in range(B):
    for s in range(T):
        changed = inputs.clone()
        changed[c, s] = others[c, s]
        moved[:, :, c, s] = (model(changed) - before).abs().view(B, T, -1).amax(-1)
return moved
""",
    ),
    fill(
        "one dimension behind at most",
        "influence",
        "'(B, T, K), or more dimensions behind these two'",
        """before = model(inputs)
B, T = inputs.shape[:2]
moved = torch.zeros(B, T, B, T, dtype=before.dtype)
for c in range(B):
    for s in range(T):
        changed = inputs.clone()
        changed[c, s] = others[c, s]
        gap = (model(changed) - before).abs()
        moved[:, :, c, s] = gap.amax(-1) if gap.dim() > 2 else gap
return moved
""",
    ),
    fill(
        "remembers the first outputs of a model",
        "influence",
        "'it keeps nothing of one call for the next': the same model with other inputs of the same shape",
        """known = influence.__dict__.setdefault("known", {})
key = (model, tuple(inputs.shape))
if key not in known:
    known[key] = model(inputs)
before = known[key]
B, T = inputs.shape[:2]
moved = torch.zeros(B, T, B, T, dtype=before.dtype)
for c in range(B):
    for s in range(T):
        changed = inputs.clone()
        changed[c, s] = others[c, s]
        moved[:, :, c, s] = (model(changed) - before).abs().reshape(B, T, -1).amax(-1)
return moved
""",
    ),
    fill(
        "adds the difference",
        "influence",
        "'replaced by what stands there in others': x + (o - x) is not o if x is large and o small",
        """before = model(inputs)
step = others - inputs
B, T = inputs.shape[:2]
moved = torch.zeros(B, T, B, T, dtype=before.dtype)
for c in range(B):
    for s in range(T):
        changed = inputs.clone()
        changed[c, s] += step[c, s]
        moved[:, :, c, s] = (model(changed) - before).abs().reshape(B, T, -1).amax(-1)
return moved
""",
    ),
    fill(
        "differences in float32",
        "influence",
        "'computes in no smaller one': float64 outputs are subtracted in float32",
        """before = model(inputs)
B, T = inputs.shape[:2]
moved = torch.zeros(B, T, B, T)
for c in range(B):
    for s in range(T):
        changed = inputs.clone()
        changed[c, s] = others[c, s]
        gap = model(changed).float() - before.float()
        moved[:, :, c, s] = gap.abs().reshape(B, T, -1).amax(-1)
return moved.to(before.dtype)
""",
    ),
]

RIGHT += [
    fill(
        "torch.where with a single True, then stacked",
        "influence",
        "no assignment at all",
        """B, T = inputs.shape[:2]
before = model(inputs)
maps = []
for n in range(B * T):
    here = (torch.arange(B * T) == n).reshape(B, T, *[1] * (inputs.dim() - 2))
    after = model(torch.where(here, others, inputs))
    maps.append((after - before).flatten(2).abs().max(-1).values if before.dim() > 2 else (after - before).abs())
return torch.stack(maps, -1).reshape(B, T, B, T)
""",
    ),
    fill(
        "one copy, put back after each question",
        "influence",
        "the clone is reused, and the largest and smallest difference are compared",
        """n_texts, n_places = inputs.shape[0], inputs.shape[1]
asked = inputs.clone()
before = model(inputs.clone())
answer = before.new_empty(n_texts, n_places, n_texts, n_places)
for c in reversed(range(n_texts)):
    for s in reversed(range(n_places)):
        asked[c, s] = others[c, s]
        gap = (model(asked.clone()) - before).reshape(n_texts, n_places, -1)
        answer[..., c, s] = torch.maximum(gap.amax(-1), -gap.amin(-1))
        asked[c, s] = inputs[c, s]
return answer
""",
    ),
    fill(
        "index_put and a sort",
        "influence",
        "the last of the sorted differences",
        """from itertools import product

B, T = inputs.shape[:2]
before = model(inputs)
rows = []
for c, s in product(range(B), range(T)):
    at = (torch.tensor(c), torch.tensor(s))
    changed = inputs.index_put(at, others[c, s])
    gap = (model(changed) - before).reshape(B * T, -1)
    rows.append(gap.abs().sort(dim=1).values[:, -1])
return torch.stack(rows).T.reshape(B, T, B, T)
""",
    ),
]

# ---------------------------------------------------------------- Task 2

MIXES = """ids = torch.randint(29, (4, 7))
before = program(ids)
for c in range(4):
    for s in range(7):
        changed = ids.clone()
        changed[c, s] = (changed[c, s] + 1) % 29
        moved = (program(changed) - before).abs().amax((1, 2)) > 1e-4
        moved[c] = False
        if moved.any():
            return True
return False
"""
SEES = """ids = torch.randint(29, (4, 7))
before = program(ids)
for b in range(4):
    for s in range(1, 7):
        changed = ids.clone()
        changed[b, s] = (changed[b, s] + 1) % 29
        if ((program(changed) - before)[b, :s].abs() > 1e-4).any():
            return True
return False
"""
FORGETS = """out = program(torch.full((4, 7), 3))
return bool(((out - out[:, :1]).abs() < 1e-4).all())
"""
GIVES = """out = program(torch.randint(29, (4, 7)))
return bool((out > -1e-4).all() and ((out.sum(-1) - 1).abs() < 5e-4).all())
"""


def questions(name, note, mixes=MIXES, sees=SEES, forgets=FORGETS, gives=GIVES):
    return fill(name, "questions", note, mixes, sees, forgets, gives)


WRONG += [
    questions(
        "only the next word is heard",
        "'A single place may hear a later one': it may be more than one place later",
        sees="""ids = torch.randint(29, (4, 7))
before = program(ids)
for b in range(4):
    for s in range(1, 7):
        changed = ids.clone()
        changed[b, s] = (changed[b, s] + 1) % 29
        if ((program(changed) - before)[b, s - 1].abs() > 1e-4).any():
            return True
return False
""",
    ),
    questions(
        "only the last word is changed",
        "'A single place may hear a later one', 'first, second, third or last place': a later word that is not the last is never changed",
        sees="""ids = torch.randint(29, (4, 7))
before = program(ids)
for b in range(4):
    changed = ids.clone()
    changed[b, -1] = (changed[b, -1] + 1) % 29
    if ((program(changed) - before)[b, :-1].abs() > 1e-4).any():
        return True
return False
""",
    ),
    questions(
        "only words of the first text are changed",
        "'a single text may be heard by a single other one': it may be the second or last",
        mixes="""ids = torch.randint(29, (3, 6))
before = program(ids)
for s in range(6):
    changed = ids.clone()
    changed[0, s] = (changed[0, s] + 1) % 29
    if ((program(changed) - before)[1:].abs() > 1e-4).any():
        return True
return False
""",
    ),
    questions(
        "the sum of the 29 numbers",
        "'does a word move an output', 'whatever else is right or wrong': behind a softmax the sum of the numbers never moves",
        mixes="""ids = torch.randint(29, (3, 6))
before = program(ids).sum(-1)
for c in range(3):
    for s in range(6):
        changed = ids.clone()
        changed[c, s] = (changed[c, s] + 1) % 29
        moved = (program(changed).sum(-1) - before).abs().amax(1) > 1e-4
        moved[c] = False
        if moved.any():
            return True
return False
""",
    ),
    questions(
        "each text has its own word",
        "'in a batch in which all words of all texts are the same word': with a word for each text a program that hears other texts tells places apart",
        forgets="""out = program(torch.tensor([[3], [8], [20]]).repeat(1, 6))
return bool(((out - out[:, :1]).abs() < 1e-4).all())
""",
    ),
    questions(
        "places of the first text",
        "'at all places of each text': the second text may tell them apart",
        forgets="""out = program(torch.zeros(3, 6, dtype=torch.long))[0]
return bool((out - out[0]).abs().max() < 1e-4)
""",
    ),
    questions(
        "a probability must be above 0",
        "'A probability may be exactly 0'",
        gives="""out = program(torch.randint(29, (3, 6)))
return bool((out > 0).all() and ((out.sum(-1) - 1).abs() < 5e-4).all())
""",
    ),
    questions(
        "first and last place are compared",
        "'the outputs at all places of each text': a place in the middle may differ",
        forgets="""out = program(torch.full((3, 6), 5))
return bool(((out[:, -1] - out[:, 0]).abs() < 1e-4).all())
""",
    ),
    questions(
        "a hundredth is rounding",
        "'Where something … differs, it does so by more than 0.001; rounding stays below 0.00001': a sum of 1.005 is not 1",
        gives="""out = program(torch.randint(29, (3, 6)))
return bool((out > -1e-4).all() and ((out.sum(-1) - 1).abs() < 1e-2).all())
""",
    ),
    questions(
        "the mean of all sums",
        "'the 29 numbers of each output': sums of 0.5 and 1.5 have the mean 1",
        gives="""out = program(torch.randint(29, (4, 7)))
return bool((out > -1e-4).all()) and abs(out.sum(-1).mean().item() - 1) < 1e-4
""",
    ),
]

RIGHT += [
    questions(
        "one loop for both, as lists",
        "any() over generators, ids all 0",
        mixes="""zero = torch.zeros(3, 6, dtype=torch.int64)
start = program(zero)


def listeners(c, s):
    one = zero.clone()
    one[c, s] = 28
    gap = (program(one) - start).abs().flatten(1).max(1).values
    return [b for b in range(3) if gap[b] > 1e-4 and b != c]


return any(listeners(c, s) for c in range(3) for s in range(6))
""",
        sees="""zero = torch.zeros(3, 6, dtype=torch.int64)
start = program(zero)


def hears(b, s):
    one = zero.clone()
    one[b, s] = 28
    return not torch.allclose(program(one)[b, :s], start[b, :s], rtol=0, atol=1e-4)


return any(hears(b, s) for b in range(3) for s in range(6))
""",
        forgets="""out = program(torch.zeros(5, 9, dtype=torch.int64))
return (out.amax(1) - out.amin(1)).max().item() < 1e-4
""",
        gives="""out = program(torch.arange(21).view(3, 7)).double()
return out.min().item() > -1e-4 and max(abs(x - 1) for x in out.sum(-1).flatten().tolist()) < 5e-4
""",
    ),
    questions(
        "a whole map, and then a look",
        "everything is noted in a table first",
        mixes="""ids = torch.randint(0, 29, (3, 8))
first = program(ids)
table = torch.zeros(3, 3)
for n in range(24):
    flat = ids.flatten().clone()
    flat[n] = (flat[n] + 14) % 29
    gap = (program(flat.view(3, 8)) - first).abs().amax((1, 2))
    table[:, n // 8] = torch.maximum(table[:, n // 8], gap)
return (table - table.diag().diag()).max().item() > 2e-4
""",
        sees="""ids = torch.randint(0, 29, (3, 8))
first = program(ids)
table = torch.zeros(3, 8, 8)
for n in range(24):
    flat = ids.flatten().clone()
    flat[n] = (flat[n] + 14) % 29
    table[n // 8, :, n % 8] = (program(flat.view(3, 8)) - first)[n // 8].abs().amax(-1)
return table.triu(1).max().item() > 2e-4
""",
        forgets="""out = program(torch.randint(29, ()).repeat(3, 8))
return not bool((out.diff(dim=1).abs() > 1e-4).any())
""",
        gives="""out = program(torch.randint(29, (3, 8)))
good = (out.clamp(min=0) - out).amax(-1).lt(1e-4) & out.sum(-1).sub(1).abs().lt(5e-4)
return bool(good.all())
""",
    ),
    questions(
        "a whole row of words, one after the other",
        "words change one by one without being put back: each step is one changed word",
        mixes="""ids = torch.randint(29, (3, 6))
last = program(ids)
for c in range(3):
    for s in range(6):
        ids = ids.clone()
        ids[c, s] = (ids[c, s] + 5) % 29
        now = program(ids)
        others = [b for b in range(3) if b != c]
        if (now - last)[others].abs().max() > 1e-4:
            return True
        last = now
return False
""",
        sees="""ids = torch.randint(29, (3, 6))
last = program(ids)
for b in range(3):
    for s in range(5, 0, -1):
        ids = ids.clone()
        ids[b, s] = (ids[b, s] + 5) % 29
        now = program(ids)
        if (now - last)[b, :s].abs().max() > 1e-4:
            return True
        last = now
return False
""",
        forgets="""out = program(torch.ones(3, 6, dtype=torch.long) * 28)
return torch.cdist(out, out, p=float("inf")).max().item() < 1e-4
""",
        gives="""out = program(torch.randint(29, (3, 6)))
below = out.min().item() < -1e-4
return not below and not bool(((out.sum(-1) - 1).abs() > 5e-4).any())
""",
    ),
]

# ---------------------------------------------------------------- Task 3

INIT = """self.embedding = nn.Embedding(vocab_size, d_model)
self.positions = nn.Embedding(max_length, d_model)
self.attention = nn.MultiheadAttention(d_model, n_heads, batch_first=True)
self.head = nn.Linear(d_model, vocab_size)
"""
REFUSE = """B, T = ids.shape
if T > self.positions.num_embeddings:
    raise ValueError(f"at most {self.positions.num_embeddings} places, got {T}")
"""
SUM = """x = self.embedding(ids) + self.positions(torch.arange(T, device=ids.device))
"""
HIDDEN = """hidden = torch.ones(T, T, dtype=torch.bool).triu(1).expand(B, T, T)
if mask is not None:
    hidden = hidden | (~mask[:, None, :] & ~torch.eye(T, dtype=torch.bool))
"""
MIX = """hidden = hidden.repeat_interleave(self.attention.num_heads, 0)
mixed, _ = self.attention(x, x, x, attn_mask=hidden, need_weights=False)
return self.head(mixed)
"""


def mended(name, note, init=INIT, forward=REFUSE + SUM + HIDDEN + MIX):
    return fill(name, "mended", note, init, forward)


WRONG += [
    mended(
        "id 0 is called padding",
        "'0 is a word like any other': with padding_idx its row has no gradient and begins as 0",
        init=INIT.replace(
            "nn.Embedding(vocab_size, d_model)", "nn.Embedding(vocab_size, d_model, padding_idx=0)"
        ),
    ),
    mended(
        "NaN is wiped away",
        "'nothing is NaN or infinite there, neither outputs nor gradients': the gradients are",
        forward=REFUSE
        + SUM
        + """causal = torch.ones(T, T, dtype=torch.bool).triu(1)
hidden = None if mask is None else ~mask
mixed, _ = self.attention(x, x, x, attn_mask=causal, key_padding_mask=hidden)
return self.head(mixed.nan_to_num(0.0))
""",
    ),
    mended(
        "dropout is still there",
        "'It draws nothing when it is called, in training neither'",
        init=INIT.replace("n_heads, batch_first", "n_heads, dropout=0.1, batch_first"),
    ),
    mended(
        "the longest text is refused",
        "'A text of more than max_length places is refused'; one of max_length is not",
        forward=REFUSE.replace("T > self", "T >= self") + SUM + HIDDEN + MIX,
    ),
    mended(
        "places without a gradient",
        "'Each takes part in the output', as parameters: the rows are taken from .data",
        forward=REFUSE
        + """x = self.embedding(ids) + self.positions.weight.data[:T]
"""
        + HIDDEN
        + MIX,
    ),
    mended(
        "keeps the mask of a shape",
        "'it keeps nothing of one call for the next': the second call of a shape has the padding of the first",
        init=INIT + "self.masks = {}\n",
        forward=REFUSE
        + SUM
        + """if (B, T) not in self.masks:
    hidden = torch.ones(T, T, dtype=torch.bool).triu(1).repeat(B, 1, 1)
    if mask is not None:
        hidden = hidden | (~mask[:, None, :] & ~torch.eye(T, dtype=torch.bool))
    self.masks[B, T] = hidden
hidden = self.masks[B, T]
"""
        + MIX,
    ),
    mended(
        "a mask of -50",
        "'A word does not hear what comes after it': where scores are large, -50 is not enough",
        forward=REFUSE
        + SUM
        + HIDDEN
        + """hidden = -50.0 * hidden.to(x.dtype)
"""
        + MIX,
    ),
    mended(
        "seeded",
        "'Making it draws from PyTorch's global generator … and sets no seed'",
        init="torch.manual_seed(0)\n" + INIT,
    ),
]

RIGHT += [
    mended(
        "with scaled_dot_product_attention",
        "the layer is there for its weights, the attention is written out",
        forward="""n_texts, n_places = ids.shape
longest = len(self.positions.weight)
if n_places > longest:
    raise ValueError(f"a text has {n_places} places, and max_length is {longest}")
x = F.embedding(ids, self.embedding.weight) + self.positions.weight[:n_places]
layer = self.attention
three = F.linear(x, layer.in_proj_weight, layer.in_proj_bias)
q, k, v = (
    each.unflatten(-1, (layer.num_heads, layer.head_dim)).transpose(1, 2)
    for each in three.chunk(3, -1)
)
place = torch.arange(n_places)
may = (place[:, None] >= place).expand(n_texts, 1, -1, -1)
if mask is not None:
    may = (may & mask[:, None, None, :]) | (place[:, None] == place)
out = F.scaled_dot_product_attention(q, k, v, attn_mask=may)
return self.head(layer.out_proj(out.transpose(1, 2).flatten(2)))
""",
    ),
    mended(
        "words first, a mask of numbers",
        "batch_first stays False, and the mask is added in the dtype of x",
        init="""self.embedding = nn.Embedding(vocab_size, d_model)
self.positions = nn.Embedding(max_length, d_model)
self.attention = nn.MultiheadAttention(embed_dim=d_model, num_heads=n_heads)
self.head = nn.Linear(d_model, vocab_size)
self.max_length, self.n_heads = max_length, n_heads
""",
        forward="""B, T = ids.shape
if not T <= self.max_length:
    raise ValueError(f"max_length is {self.max_length}, but the text has {T} places")
x = (self.embedding(ids) + self.positions(torch.arange(T)).unsqueeze(0)).transpose(0, 1)
real = torch.ones(B, T, dtype=torch.bool) if mask is None else mask
place = torch.arange(T)
never = (place > place[:, None]) | ~real[:, None, :]
scores = torch.zeros(B, T, T, dtype=x.dtype).masked_fill(never, -torch.inf)
scores = scores.diagonal_scatter(torch.zeros(B, T, dtype=x.dtype), dim1=1, dim2=2)
scores = scores[:, None].expand(B, self.n_heads, T, T).flatten(0, 1)
mixed = self.attention(x, x, x, attn_mask=scores)[0]
return self.head(mixed).transpose(0, 1)
""",
    ),
    mended(
        "each text for itself, without its padding",
        "the real words alone go through the attention",
        forward="""B, T = ids.shape
n = self.positions.num_embeddings
if T > n:
    raise ValueError(f"texts may have {n} places, this one has {T}")
x = self.embedding(ids) + self.positions.weight[None, :T]
rows = []
for b in range(B):
    real = torch.arange(T) if mask is None else mask[b].nonzero()[:, 0]
    row = torch.zeros_like(x[b])
    if len(real):
        words = x[b][real][None]
        later = torch.ones(len(real), len(real), dtype=torch.bool).triu(1)
        mixed = self.attention(words, words, words, attn_mask=later, need_weights=False)[0][0]
        row = row.index_copy(0, real, mixed)
    rows.append(row)
return self.head(torch.stack(rows))
""",
    ),
]

# ---------------------------------------------------------------- Task 4

LOSS = """n_words = outputs.shape[-1]
p = targets
if not targets.is_floating_point():
    p = F.one_hot(targets, n_words).to(outputs.dtype)
seen = p > 0
logs = outputs.log_softmax(-1)[seen] if from_logits else outputs[seen].log()
return -(p[seen] * logs).sum() / (outputs.numel() // n_words)
"""
FLOOR = """return -math.log(math.e / (math.e + n_classes - 1))
"""


def losses(name, note, loss=LOSS, floor=FLOOR):
    return fill(name, "cross_entropy", note, loss, floor)


WRONG += [
    losses(
        "the logarithm of a softmax",
        "'logits may be in the thousands': a target 1000 below the largest costs 1000, not infinity",
        LOSS.replace("outputs.log_softmax(-1)[seen]", "outputs.softmax(-1)[seen].log()"),
    ),
    losses(
        "minus infinity becomes 0",
        "'Where a word with p > 0 has the probability 0, the loss is ∞': with a logit of −∞ it is left out",
        LOSS.replace(
            "outputs.log_softmax(-1)[seen]",
            "outputs.log_softmax(-1).masked_fill(outputs == -math.inf, 0.0)[seen]",
        ),
    ),
    losses(
        "logits are cut at -10000",
        "a logit of −∞ at a target costs ∞, and logits in the thousands may be below -10000",
        LOSS.replace(
            "outputs.log_softmax(-1)[seen]", "outputs.clamp(min=-1e4).log_softmax(-1)[seen]"
        ),
    ),
    losses(
        "rows are counted along the first dimension",
        "'the mean over all rows', 'any number of leading dimensions'",
        LOSS.replace("(outputs.numel() // n_words)", "(len(outputs) if outputs.dim() > 1 else 1)"),
    ),
    losses(
        "computes in float32",
        "'computes in no smaller one': float64 goes through float32",
        """dtype = outputs.dtype
outputs = outputs.float()
"""
        + LOSS.replace(
            "p = targets\n", "p = targets.float() if targets.is_floating_point() else targets\n"
        ).replace(
            "return -(p[seen] * logs).sum() / (outputs.numel() // n_words)",
            "return (-(p[seen] * logs).sum() / (outputs.numel() // n_words)).to(dtype)",
        ),
    ),
    losses(
        "small shares do not count",
        "'A term with p = 0 is 0'; one with p = 1e-8 counts, and costs ∞ at a probability of 0",
        LOSS.replace("seen = p > 0", "seen = p > 1e-7"),
    ),
    losses(
        "a whole number for one class",
        "'a `float`, in nats, for one class': it is the int 0",
        floor="""if n_classes == 1:
    return 0
"""
        + FLOOR,
    ),
    losses(
        "shares through float32",
        "'returns the dtype that it gets and computes in no smaller one': float64 distributions are rounded",
        LOSS.replace("seen = p > 0", "p = p.float()\nseen = p > 0"),
    ),
]

RIGHT += [
    losses(
        "PyTorch's losses, row by row",
        "nll_loss for classes, a sum of rows for distributions; log1p",
        """V = outputs.shape[-1]
rows = outputs.reshape(-1, V)
if targets.dtype == torch.int64:
    each = targets.reshape(-1)
    if from_logits:
        return F.cross_entropy(rows, each)
    return F.nll_loss(rows.gather(1, each[:, None]).log(), torch.zeros_like(each))
shares = targets.reshape(-1, V)
inside = torch.where(shares > 0, rows, torch.zeros_like(rows) if from_logits else torch.ones_like(rows))
logs = inside - rows.logsumexp(1, keepdim=True) if from_logits else inside.log()
return torch.where(shares > 0, -shares * logs, torch.zeros_like(logs)).sum(1).mean()
""",
        """return math.log1p((n_classes - 1) / math.e)
""",
    ),
    losses(
        "in float64, in a loop",
        "each row for itself, and back at the end",
        """rows = outputs.double().reshape(-1, outputs.shape[-1])
if targets.dtype == torch.int64:
    targets = torch.eye(rows.shape[1], dtype=torch.double)[targets]
total = 0.0
for row, share in zip(rows, targets.double().reshape(rows.shape)):
    at = share.nonzero()[:, 0]
    logs = row.log_softmax(0)[at] if from_logits else row[at].log()
    total = total - share[at] @ logs
return (total / len(rows)).to(outputs.dtype)
""",
        """return float(math.log(math.e + (n_classes - 1)) - 1.0) if n_classes > 1 else 0.0
""",
    ),
    losses(
        "masked_select, and a dot product",
        "sum of p ln q as one dot product",
        """shares = targets if targets.dtype != torch.int64 else torch.zeros_like(outputs, requires_grad=False).detach().scatter(-1, targets.unsqueeze(-1), 1.0)
here = shares.ne(0)
if from_logits:
    surprise = outputs.logsumexp(-1, keepdim=True).expand_as(outputs)[here] - outputs[here]
else:
    surprise = outputs.masked_select(here).log().neg()
n_rows = math.prod(outputs.shape[:-1])
return torch.dot(shares.masked_select(here), surprise).div(n_rows)
""",
        """certain = math.exp(1.0 - 1.0)
others = (n_classes - 1) * math.exp(0.0 - 1.0)
return math.log(certain + others)
""",
    ),
]

# ---------------------------------------------------------------- Task 5

CHOOSE = """real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
counts = real[:, :-1] & real[:, 1:]
chosen, words = logits[:, :-1][counts], ids[:, 1:][counts]
"""
NOTHING = """if len(words) == 0:
    return logits[:0].sum()
"""

WRONG += [
    fill(
        "nothing times the logits",
        "next_token_loss",
        "'At places that do not count logits may be anything, NaN and ∞ too': 0 times their sum is NaN if no place counts",
        CHOOSE
        + """if len(words) == 0:
    return logits.sum() * 0
return F.cross_entropy(chosen, words)
""",
    ),
    fill(
        "a view of the logits",
        "next_token_loss",
        "'Tensors need not lie in order in memory'",
        """B, T, V = logits.shape
real = torch.ones(B, T, dtype=torch.bool) if mask is None else mask
counts = torch.zeros(B, T, dtype=torch.bool)
counts[:, :-1] = real[:, :-1] & real[:, 1:]
counts = counts.view(-1)
if not counts.any():
    return logits[:0].sum()
return F.cross_entropy(logits.view(B * T, V)[counts], ids.roll(-1, 1).reshape(-1)[counts])
""",
    ),
    fill(
        "surprise as the logarithm of a softmax",
        "next_token_loss",
        "'Logits may be in the thousands': a word 1000 below the likeliest costs 1000, not infinity",
        CHOOSE
        + NOTHING
        + """p = chosen.softmax(-1)[torch.arange(len(words)), words]
return -p.log().mean()
""",
    ),
    fill(
        "times a one-hot",
        "next_token_loss",
        "'−∞ for words that do not come': 0 · (−∞) is NaN",
        CHOOSE
        + NOTHING
        + """hot = F.one_hot(words, logits.shape[-1]).to(logits.dtype)
return -(hot * chosen.log_softmax(-1)).sum(-1).mean()
""",
    ),
    fill(
        "what is not finite becomes 0",
        "next_token_loss",
        "'−∞ for words that do not come': they get the logit 0 and take part",
        """logits = logits.nan_to_num(0.0, 0.0, 0.0)
"""
        + CHOOSE
        + NOTHING
        + """return F.cross_entropy(chosen, words)
""",
    ),
    fill(
        "empty only if all is padding",
        "next_token_loss",
        "'If no place counts … the loss is 0': words that stand apart leave nothing to count, either",
        """real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
if ids.shape[1] == 1 or not real.any():
    return logits[:0].sum()
counts = real[:, :-1] & real[:, 1:]
return F.cross_entropy(logits[:, :-1][counts], ids[:, 1:][counts])
""",
    ),
    fill(
        "in float32",
        "next_token_loss",
        "'computes in no smaller one', 'in the dtype of logits': float64 is computed in float32",
        CHOOSE
        + NOTHING
        + """return F.cross_entropy(chosen.float(), words).to(logits.dtype)
""",
    ),
    fill(
        "logits are cut at 1000",
        "next_token_loss",
        "'Logits may be in the thousands': 4000 and 3000 are told apart no more",
        CHOOSE
        + NOTHING
        + """return F.cross_entropy(chosen.clamp(-1000, 1000), words)
""",
    ),
]

RIGHT += [
    fill(
        "filled with zeros by where",
        "next_token_loss",
        "all places are computed, of safe numbers",
        """if mask is None:
    mask = ids.new_ones(ids.shape).bool()
counts = mask[:, 1:].logical_and(mask[:, :-1])
safe = torch.where(counts[..., None], logits[:, :-1], torch.zeros((), dtype=logits.dtype))
words = torch.where(counts, ids[:, 1:], 0)
each = safe.logsumexp(-1) - safe.take_along_dim(words[..., None], -1)[..., 0]
return torch.where(counts, each, torch.zeros_like(each)).sum() / counts.sum().clamp(min=1)
""",
    ),
    fill(
        "place by place",
        "next_token_loss",
        "two loops and a list",
        """surprises = []
for b in range(ids.shape[0]):
    for t in range(ids.shape[1] - 1):
        if mask is None or (mask[b, t] and mask[b, t + 1]):
            surprises.append(-logits[b, t].log_softmax(0)[ids[b, t + 1]])
return torch.stack(surprises).mean() if surprises else logits[:, :0].sum()
""",
    ),
    fill(
        "nll_loss, a sum, and one division",
        "next_token_loss",
        "places from nonzero, the sum of no rows is 0",
        """real = torch.full(ids.shape, True) if mask is None else mask
b, t = (real[:, :-1] & real[:, 1:]).nonzero(as_tuple=True)
logs = F.log_softmax(logits[b, t], dim=-1)
return F.nll_loss(logs, ids[b, t + 1], reduction="sum") / max(1, len(b))
""",
    ),
]

# ---------------------------------------------------------------- Task 6

REPLIES = """if not prompts:
    return []
batch = tokenizer(prompts, padding=True, return_tensors="pt")
out = model.generate(**batch, max_new_tokens=n_new)
return [tokenizer.decode(row[-n_new:], skip_special_tokens=True) for row in out]
"""
DRAWN = """ids = tokenizer.encode(prompt, return_tensors="pt")
out = model.generate(
    ids, max_new_tokens=n_new, do_sample=True, top_k=0, num_return_sequences=n_replies
)
return [tokenizer.decode(row[-n_new:], skip_special_tokens=True) for row in out]
"""


def calls(name, note, replies=REPLIES, drawn=DRAWN):
    return fill(name, "replies", note, replies, drawn)


WRONG += [
    calls(
        "the mask begins at the first known character",
        "'some of their characters may be unknown … id 0': an unknown one at the beginning is taken for padding",
        """if not prompts:
    return []
ids = tokenizer(prompts, padding=True, return_tensors="pt")["input_ids"]
mask = (ids != 0).long().cumsum(1).clamp(max=1)
mask[(ids == 0).all(1)] = 1
out = model.generate(ids, attention_mask=mask, max_new_tokens=n_new)
return [tokenizer.decode(row[-n_new:], skip_special_tokens=True) for row in out]
""",
    ),
    calls(
        "greedy by a draw from one",
        "'an answer changes neither … nor the global random generators': replies is greedy and has no exception",
        REPLIES.replace("max_new_tokens=n_new", "max_new_tokens=n_new, do_sample=True, top_k=1"),
    ),
    calls(
        "replies are remembered",
        "'it keeps nothing of one call for the next': another model has other replies to the same prompts",
        """if not prompts:
    return []
known = replies.__dict__.setdefault("known", {})
key = (*prompts, n_new)
if key not in known:
    batch = tokenizer(prompts, padding=True, return_tensors="pt")
    out = model.generate(**batch, max_new_tokens=n_new)
    known[key] = [tokenizer.decode(row[-n_new:], skip_special_tokens=True) for row in out]
return list(known[key])
""",
    ),
    calls(
        "from 100 tokens",
        "'drawn from all tokens of the vocabulary': of a larger vocabulary only 100",
        drawn=DRAWN.replace("top_k=0", "top_k=100"),
    ),
    calls(
        "the generator is put back",
        "'It draws from PyTorch's global generator': its state is restored, so the next call draws the same",
        drawn="""with torch.random.fork_rng():
    out = model.generate(
        tokenizer.encode(prompt, return_tensors="pt"),
        max_new_tokens=n_new,
        do_sample=True,
        top_k=0,
        num_return_sequences=n_replies,
    )
return [tokenizer.decode(row[-n_new:], skip_special_tokens=True) for row in out]
""",
    ),
    calls(
        "each reply but once",
        "'as likely as the model finds them': what was drawn already is drawn again, up to ten times",
        drawn="""ids = tokenizer.encode(prompt, return_tensors="pt")
found = []
for _ in range(n_replies):
    for _ in range(10):
        out = model.generate(ids, max_new_tokens=n_new, do_sample=True, top_k=0)
        text = tokenizer.decode(out[0, -n_new:], skip_special_tokens=True)
        if text not in found:
            break
    found.append(text)
return found
""",
    ),
    calls(
        "draws with a seed",
        "'and sets no seed'",
        drawn="torch.manual_seed(len(prompt) + n_new)\n" + DRAWN,
    ),
    calls(
        "empty replies are drawn again",
        "'as likely as the model finds them', 'n_new new tokens … without special tokens': a reply of <unk> alone is an empty string, and may come",
        drawn="""ids = tokenizer.encode(prompt, return_tensors="pt")
found = []
while len(found) < n_replies:
    out = model.generate(ids, max_new_tokens=n_new, do_sample=True, top_k=0)
    text = tokenizer.decode(out[0, -n_new:], skip_special_tokens=True)
    if text:
        found.append(text)
return found
""",
    ),
]

RIGHT += [
    calls(
        "filled up by hand",
        "encode, own padding and own mask; a call for each draw",
        """if len(prompts) == 0:
    return []
rows = [tokenizer.encode(prompt) for prompt in prompts]
longest = max(len(row) for row in rows)
ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
out = model.generate(ids, attention_mask=mask, max_length=longest + n_new)
return [tokenizer.decode(row, skip_special_tokens=True) for row in out[:, longest:].tolist()]
""",
        """ids = tokenizer.encode(prompt, return_tensors="pt")
texts = []
for _ in range(n_replies):
    (row,) = model.generate(ids, do_sample=True, top_k=None, max_new_tokens=n_new)
    texts.append(tokenizer.decode(row[ids.shape[1]:], skip_special_tokens=True))
return texts
""",
    ),
    calls(
        "each prompt once, sorted by length",
        "equal prompts have equal replies; the order is put back by a dictionary",
        """if prompts == []:
    return []
different = sorted(set(prompts), key=lambda prompt: (-len(prompt), prompt))
batch = tokenizer(different, padding=True, return_tensors="pt")
start = batch["input_ids"].size(1)
out = model.generate(batch["input_ids"], batch["attention_mask"], max_length=start + n_new)
written = {
    prompt: tokenizer.decode(row[start:], skip_special_tokens=True)
    for prompt, row in zip(different, out, strict=True)
}
return [written[prompt] for prompt in prompts]
""",
        """batch = tokenizer([prompt] * n_replies, return_tensors="pt")
out = model.generate(**batch, max_new_tokens=n_new, do_sample=True, top_k=None)
return [tokenizer.decode(row, skip_special_tokens=True) for row in out[:, -n_new:]]
""",
    ),
    calls(
        "four replies at a time",
        "several calls, a top_k above any vocabulary, max_length",
        REPLIES.replace(
            "return [tokenizer.decode(row[-n_new:], skip_special_tokens=True) for row in out]",
            "return list(map(lambda row: tokenizer.decode(row[-n_new:], True), out))",
        ),
        """batch = tokenizer(prompt, return_tensors="pt")
start = batch["input_ids"].shape[1]
texts = []
while len(texts) < n_replies:
    rows = model.generate(
        **batch,
        max_length=start + n_new,
        do_sample=True,
        top_k=10**9,
        num_return_sequences=min(4, n_replies - len(texts)),
    )
    texts.extend(tokenizer.decode(row[start : start + n_new].tolist(), True) for row in rows)
return texts
""",
    ),
]
