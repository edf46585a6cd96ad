from textwrap import dedent

from faults import fill, write

WRONG, RIGHT = [], []

# ---------------------------------------------------------------- Task 1

MULTI = """wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
logs = F.log_softmax(wide, -1).gather(-1, ids[..., None])
return -logs.mean().to(logits.dtype)
"""
SAME = """if labels.shape != logits.shape:
    raise ValueError(f"labels must have the shape of logits, got the shape {tuple(labels.shape)}")
"""
LABEL = (
    SAME
    + """z, y = logits, labels
if logits.dtype in (torch.float16, torch.bfloat16):
    z, y = logits.float(), labels.float()
each = -y * F.logsigmoid(z) - (1 - y) * F.logsigmoid(-z)
return each.mean().to(logits.dtype)
"""
)


def losses(name, note, multi=MULTI, label=LABEL):
    return fill(name, "losses", note, multi, label)


WRONG += [
    losses(
        "the sum in float16",
        "'in float16, whose largest number is 65 504, a hundred rows that cost 1,000 each have the mean 1,000': the sum is infinite",
        """logs = F.log_softmax(logits, -1).gather(-1, ids[..., None])
return -logs.sum() / ids.numel()
""",
    ),
    losses(
        "as many numbers are enough",
        "'Any other shape of labels, one with as many numbers too, must raise a ValueError'",
        label="""if labels.numel() != logits.numel():
    raise ValueError(f"labels must have the shape {tuple(logits.shape)}")
labels = labels.reshape(logits.shape)
"""
        + LABEL.replace(SAME, ""),
    ),
    losses(
        "with clamp and abs",
        "'At a logit of 0 the gradient is as everywhere': there that of clamp is 1 and that of abs 0, so 1 − y",
        label=LABEL.replace(
            "each = -y * F.logsigmoid(z) - (1 - y) * F.logsigmoid(-z)",
            "each = z.clamp(min=0) - z * y + torch.log1p(torch.exp(-z.abs()))",
        ),
    ),
    losses(
        "rows in one dimension",
        "'with any number of leading dimensions, or none': it indexes a matrix",
        """wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
logs = F.log_softmax(wide, -1)[torch.arange(len(ids)), ids]
return -logs.mean().to(logits.dtype)
""",
    ),
    losses(
        "in float32",
        "'compute in no smaller one': float64 is computed in float32",
        """logs = F.log_softmax(logits.float(), -1).gather(-1, ids[..., None])
return -logs.mean().to(logits.dtype)
""",
    ),
    losses(
        "labels are rounded",
        "'0, 1, or in between'",
        label=LABEL.replace(
            "each = -y * F.logsigmoid(z) - (1 - y) * F.logsigmoid(-z)",
            "each = -torch.where(y >= 0.5, F.logsigmoid(z), F.logsigmoid(-z))",
        ),
    ),
    losses(
        "the sum of powers without a gradient",
        "'let gradients through': that of the logsumexp is lost",
        """wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
with torch.no_grad():
    total = wide.logsumexp(-1, keepdim=True)
return (total - wide.gather(-1, ids[..., None])).mean().to(logits.dtype)
""",
    ),
    losses(
        "shifted in place",
        "'left their arguments as they were': the largest logit of each row is taken off in logits itself",
        """with torch.no_grad():
    logits -= logits.amax(-1, keepdim=True)
wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
each = wide.exp().sum(-1, keepdim=True).log() - wide.gather(-1, ids[..., None])
return each.mean().to(logits.dtype)
""",
    ),
    losses(
        "a view of the logits",
        "'The numbers of a tensor need not lie in order in memory'",
        """wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
rows = F.log_softmax(wide.view(-1, logits.shape[-1]), -1)
return -rows[torch.arange(len(rows)), ids.reshape(-1)].mean().to(logits.dtype)
""",
    ),
]

RIGHT += [
    losses(
        "logsumexp, and logits of two classes",
        "a label is a class of two: the logits z and 0",
        """wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
right = torch.take_along_dim(wide, ids.unsqueeze(-1), -1).squeeze(-1)
return (torch.logsumexp(wide, -1) - right).mean().type_as(logits)
""",
        """if tuple(logits.shape) != tuple(labels.shape):
    raise ValueError("the shape of labels is not the shape of logits")
wide = torch.promote_types(logits.dtype, torch.float32)
two = torch.stack([logits.to(wide), torch.zeros_like(logits, dtype=wide)], -1).log_softmax(-1)
y = labels.to(wide)
return -(torch.stack([y, 1 - y], -1) * two).sum(-1).mean().type_as(logits)
""",
    ),
    losses(
        "all in float64",
        "one-hot and where; logaddexp",
        """logs = logits.double().log_softmax(-1)
hot = F.one_hot(ids, logits.shape[-1]).bool()
chosen = torch.where(hot, logs, torch.zeros_like(logs)).sum(-1)
return chosen.mean().neg().to(logits.dtype)
""",
        SAME
        + """z, y = logits.double(), labels.double()
nothing = torch.zeros_like(z)
return (torch.logaddexp(z, nothing) - y * z).mean().to(logits.dtype)
""",
    ),
    losses(
        "flattened, and a list of rows",
        "row by row; means of means of equal sizes",
        """rows = logits.reshape(-1, logits.shape[-1])
wide = torch.double if logits.dtype == torch.double else torch.float
each = [-row.to(wide).log_softmax(0)[i] for row, i in zip(rows, ids.reshape(-1))]
return torch.stack(each).mean().to(logits.dtype)
""",
        """if labels.dim() != logits.dim() or any(a != b for a, b in zip(labels.shape, logits.shape)):
    raise ValueError("wrong shape of labels")
wide = torch.double if logits.dtype == torch.double else torch.float
z, y = logits.reshape(-1).to(wide), labels.reshape(-1).to(wide)
each = torch.lerp(F.logsigmoid(-z), F.logsigmoid(z), y)
return each.mean().neg().to(logits.dtype)
""",
    ),
]

# ---------------------------------------------------------------- Task 2

AVERAGES = """b1, b2 = betas
mean = b1 * mean + (1 - b1) * gradient
square = b2 * square + (1 - b2) * gradient**2
"""
STEP = """m, v = mean / (1 - b1**n), square / (1 - b2**n)
step = m / (v.sqrt() + eps)
parameter = (1 - learning_rate * weight_decay) * parameter - learning_rate * step
return parameter, mean, square
"""


def adam(name, note, *bodies):
    return fill(name, "adam", note, *bodies)


WRONG += [
    adam(
        "each step is corrected as the first",
        "'m / (1 − β₁ⁿ)', 'n is the number of this step': n is not used",
        AVERAGES + STEP.replace("b1**n", "b1").replace("b2**n", "b2"),
    ),
    adam(
        "epsilon in the root",
        "'√v̂ + ε', outside of the root",
        AVERAGES + STEP.replace("(v.sqrt() + eps)", "(v + eps).sqrt()"),
    ),
    adam(
        "epsilon before the correction",
        "'√(v / (1 − β₂ⁿ)) + ε': here it is added to √v, and divided with it",
        AVERAGES
        + """rate = learning_rate * math.sqrt(1 - b2**n) / (1 - b1**n)
step = rate * mean / (square.sqrt() + eps)
return (1 - learning_rate * weight_decay) * parameter - step, mean, square
""",
    ),
    adam(
        "decay behind the step",
        "'(1 − ηλ) θ − η …': decay multiplies θ, not the step",
        AVERAGES
        + STEP.replace(
            "(1 - learning_rate * weight_decay) * parameter - learning_rate * step",
            "(1 - learning_rate * weight_decay) * (parameter - learning_rate * step)",
        ),
    ),
    adam(
        "results in float32",
        "'in the dtype of the arguments'",
        "parameter, gradient, mean, square = (x.float() for x in (parameter, gradient, mean, square))\n"
        + AVERAGES
        + STEP,
    ),
    adam(
        "the largest square",
        "'v ← β₂ v + (1−β₂) g²': it never falls",
        AVERAGES.replace("square = b2", "old = square\nsquare = b2")
        + "square = torch.maximum(square, old)\n"
        + STEP,
    ),
    adam(
        "0 is the usual beta",
        "'both β may be 0': 0 is taken for not given",
        AVERAGES.replace("b1, b2 = betas", "b1, b2 = betas[0] or 0.9, betas[1] or 0.999") + STEP,
    ),
    adam(
        "row by row",
        "'any number of dimensions, or none': a tensor without dimensions has no rows",
        """b1, b2 = betas
rows = []
for p, g, m, v in zip(parameter, gradient, mean, square):
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
    step = m / (1 - b1**n) / ((v / (1 - b2**n)).sqrt() + eps)
    rows.append(((1 - learning_rate * weight_decay) * p - learning_rate * step, m, v))
return tuple(torch.stack(each) for each in zip(*rows))
""",
    ),
]

RIGHT += [
    adam(
        "copies, and steps in place",
        "clones that are changed by mul_ and addcdiv_",
        """theta, m, v = parameter.clone(), mean.clone(), square.clone()
m.mul_(betas[0]).add_(gradient, alpha=1 - betas[0])
v.mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])
below = v.div(1 - betas[1] ** n).sqrt_().add_(eps)
theta.mul_(1 - learning_rate * weight_decay)
theta.addcdiv_(m, below, value=-learning_rate / (1 - betas[0] ** n))
return theta, m, v
""",
    ),
    adam(
        "lerp",
        "averages as steps towards the gradient",
        """one, two = betas
new_mean = torch.lerp(mean, gradient, 1 - one)
new_square = torch.lerp(square, gradient.square(), 1 - two)
root = torch.sqrt(new_square / (1 - math.pow(two, n)))
move = learning_rate * (new_mean / (1 - math.pow(one, n))) / (root + eps)
shrunk = parameter - learning_rate * weight_decay * parameter
return shrunk - move, new_mean + 0, new_square + 0
""",
    ),
    adam(
        "the weights of a sum",
        "stacked and summed",
        """shares = [(betas[0], mean, gradient), (betas[1], square, gradient * gradient)]
new = [torch.stack([beta * old, (1 - beta) * now]).sum(0) for beta, old, now in shares]
m, v = (each / (1 - beta**n) for each, beta in zip(new, betas))
change = torch.div(m, torch.add(torch.pow(v, 0.5), eps))
return parameter * (1 - learning_rate * weight_decay) - change * learning_rate, new[0], new[1]
""",
    ),
]

# ---------------------------------------------------------------- Task 3

WINDOWS = [
    """self.ids, self.length = ids, length
if len(ids) <= length:
    raise ValueError(f"length must be less than the {len(ids)} ids, got {length}")
""",
    """return len(self.ids) - self.length
""",
    """if not 0 <= i < len(self):
    raise IndexError(f"there is no window {i}")
return self.ids[i : i + self.length], self.ids[i + 1 : i + self.length + 1]
""",
]

WRONG += [
    fill(
        "negative indices count from the end",
        "windows",
        "'An index below 0, −1 and −2 as well, … must raise an IndexError'",
        WINDOWS[0],
        WINDOWS[1],
        """i = range(len(self))[i]
return self.ids[i : i + self.length], self.ids[i + 1 : i + self.length + 1]
""",
    ),
    write(
        "one loop at a time",
        "windows",
        "'Several loops may go over the data at a time': the object itself is the iterator",
        """class Windows:
    def __init__(self, ids, length):
        if len(ids) <= length:
            raise ValueError(f"length is {length}, and there are {len(ids)} ids")
        self.ids, self.length, self.place = ids, length, 0

    def __len__(self):
        return len(self.ids) - self.length

    def __getitem__(self, i):
        if i < 0 or i >= len(self):
            raise IndexError(i)
        return self.ids[i : i + self.length], self.ids[i + 1 : i + self.length + 1]

    def __iter__(self):
        self.place = 0
        return self

    def __next__(self):
        if self.place == len(self):
            raise StopIteration
        self.place += 1
        return self[self.place - 1]
""",
    ),
    fill(
        "the class has the ids",
        "windows",
        "'several data sets may be in use': all have the ids of the last one",
        WINDOWS[0].replace(
            "self.ids, self.length = ids, length", "Windows.ids, Windows.length = ids, length"
        ),
        WINDOWS[1],
        WINDOWS[2],
    ),
    fill(
        "only none at all is refused",
        "windows",
        "'When there is no window at all, making the object must raise a ValueError': with fewer ids than length it does not",
        WINDOWS[0].replace("len(ids) <= length", "len(ids) - length == 0"),
        WINDOWS[1],
        WINDOWS[2],
    ),
    fill(
        "strides by hand",
        "windows",
        "'The numbers of a tensor need not lie in order in memory: it may be a slice'",
        """n = len(ids) - length
if n < 1:
    raise ValueError(f"length must be less than {len(ids)}, got {length}")
self.table = ids.as_strided((n, length + 1), (1, 1))
""",
        """return self.table.shape[0]
""",
        """if i < 0 or i >= len(self):
    raise IndexError(i)
return self.table[i, :-1], self.table[i, 1:]
""",
    ),
    fill(
        "windows are remembered by their place",
        "windows",
        "'several data sets may be in use', 'keeps nothing of one call for the next': another one of the same size gets the windows of the first",
        WINDOWS[0],
        WINDOWS[1],
        """if not 0 <= i < len(self):
    raise IndexError(f"there is no window {i}")
known = Windows.__dict__.get("known")
if known is None:
    known = Windows.known = {}
key = (i, len(self), self.length)
if key not in known:
    known[key] = self.ids[i : i + self.length], self.ids[i + 1 : i + self.length + 1]
return known[key]
""",
    ),
    fill(
        "ids in sixteen bits",
        "windows",
        "'the ids from place i on': above 32,767 they are other ones",
        WINDOWS[0].replace(
            "self.ids, self.length = ids, length",
            "self.ids, self.length = ids.to(torch.int16), length",
        ),
        WINDOWS[1],
        """if not 0 <= i < len(self):
    raise IndexError(f"there is no window {i}")
piece = self.ids[i : i + self.length + 1].long()
return piece[:-1], piece[1:]
""",
    ),
]

RIGHT += [
    fill(
        "unfold",
        "windows",
        "a table of all windows, one id longer",
        """if ids.numel() - length < 1:
    raise ValueError("length is too large for these ids")
self.rows = ids.unfold(0, length + 1, 1)
""",
        """return self.rows.size(0)
""",
        """if i not in range(len(self)):
    raise IndexError(i)
row = self.rows[i]
return row[:-1].clone(), row[1:].clone()
""",
    ),
    fill(
        "indices",
        "windows",
        "a range is added to the place, and index_select takes the ids",
        """self.n = ids.shape[0] - length
if self.n <= 0:
    raise ValueError(f"{ids.shape[0]} ids have no window of length {length}")
self.ids = ids.detach().clone()
self.steps = torch.arange(length)
""",
        """return self.n
""",
        """if i < 0 or i > self.n - 1:
    raise IndexError("out of the text")
return self.ids.index_select(0, self.steps + i), self.ids.index_select(0, self.steps + (i + 1))
""",
    ),
    fill(
        "a list of pairs",
        "windows",
        "all windows are made at the start, a list refuses what is too large",
        """numbers = ids.tolist()
self.pairs = []
for start in range(len(numbers) - length):
    piece = numbers[start : start + length + 1]
    self.pairs.append((piece[:-1], piece[1:]))
if not self.pairs:
    raise ValueError("no window of this length")
""",
        """return len(self.pairs)
""",
        """if i < 0:
    raise IndexError(i)
inputs, targets = self.pairs[i]
return torch.tensor(inputs, dtype=torch.int64), torch.tensor(targets, dtype=torch.int64)
""",
    ),
]

# ---------------------------------------------------------------- Task 4

DEAL = """cuts, total = [0], 0.0
for fraction in fractions:
    total += fraction
    cuts.append(round(total * len(different)))
cuts[-1] = len(different)
part_of = {}
for k in range(len(fractions)):
    for document in different[cuts[k] : cuts[k + 1]]:
        part_of[document] = k
parts = [[] for _ in fractions]
for document in documents:
    parts[part_of[document]].append(document)
return parts
"""

WRONG += [
    fill(
        "the order of a set",
        "split",
        "'the same seed gives the same parts, in another Python process too'",
        """different = list(set(documents))
random.Random(seed).shuffle(different)
"""
        + DEAL,
    ),
    fill(
        "seeds the generator of all",
        "split",
        "'the global generators stay as they were'",
        """different = list(dict.fromkeys(documents))
random.seed(seed)
random.shuffle(different)
"""
        + DEAL,
    ),
    fill(
        "what is left goes to the last part",
        "split",
        "'Each part gets its fraction of the different documents, to within one', 'There may be many parts': rounding down each leaves the last one too many",
        """different = list(dict.fromkeys(documents))
random.Random(seed).shuffle(different)
sizes = [int(fraction * len(different)) for fraction in fractions]
sizes[-1] = len(different) - sum(sizes[:-1])
part_of, begin = {}, 0
for k, size in enumerate(sizes):
    part_of.update(dict.fromkeys(different[begin : begin + size], k))
    begin += size
parts = [[] for _ in fractions]
for document in documents:
    parts[part_of[document]].append(document)
return parts
""",
    ),
    fill(
        "the last cut is rounded down, too",
        "split",
        "'they sum to 1, or to a hair less, as 0.7 + 0.2 + 0.1 does in floats', 'Every document comes back'",
        """different = list(dict.fromkeys(documents))
random.Random(seed).shuffle(different)
parts, total, begin = [], 0.0, 0
for fraction in fractions:
    total += fraction
    end = int(total * len(different))
    chosen = set(different[begin:end])
    parts.append([document for document in documents if document in chosen])
    begin = end
return parts
""",
    ),
    fill(
        "parts are filled by all documents",
        "split",
        "'its fraction of the different documents': copies count",
        """different = list(dict.fromkeys(documents))
random.Random(seed).shuffle(different)
number = {}
for document in documents:
    number[document] = number.get(document, 0) + 1
parts, k, total = [[] for _ in fractions], 0, fractions[0]
done = 0
for document in different:
    while k < len(fractions) - 1 and done >= total * len(documents) - 1e-9:
        k += 1
        total += fractions[k]
    parts[k] += [document] * number[document]
    done += number[document]
return parts
""",
    ),
    fill(
        "shuffled with the copies",
        "split",
        "'Each document is as likely as any other …, however many copies it has': what has many comes early",
        """shuffled = list(documents)
random.Random(seed).shuffle(shuffled)
different = list(dict.fromkeys(shuffled))
"""
        + DEAL,
    ),
    fill(
        "none stays where it was",
        "split",
        "'Each document is as likely as any other to come into a part, whatever its place in the list': of two documents the first always comes into the second half",
        """different = list(dict.fromkeys(documents))
dice = random.Random(seed)
for i in range(len(different) - 1, 0, -1):
    j = dice.randrange(i)
    different[i], different[j] = different[j], different[i]
"""
        + DEAL,
    ),
    fill(
        "0 is no seed",
        "split",
        "'the same seed gives the same parts': with the seed 0 they are other ones each time",
        """different = list(dict.fromkeys(documents))
random.Random(seed or None).shuffle(different)
"""
        + DEAL,
    ),
    fill(
        "parts are remembered",
        "split",
        "'the parts are new lists in every call', 'keeps nothing of one call for the next'",
        """known = split_documents.__dict__.setdefault("known", {})
key = (tuple(documents), tuple(fractions), seed)
if key in known:
    return known[key]
different = list(dict.fromkeys(documents))
random.Random(seed).shuffle(different)
"""
        + DEAL.replace("return parts", "known[key] = parts\nreturn parts"),
    ),
]

RIGHT += [
    fill(
        "sorted, and a sample",
        "split",
        "sample of the sorted texts; bisect says the part",
        """from bisect import bisect_right
from itertools import accumulate as sums

texts = sorted(set(documents))
order = random.Random(seed).sample(texts, len(texts))
ends = [round(total * len(texts)) for total in sums(fractions)][:-1]
place = {text: i for i, text in enumerate(order)}
parts = [[] for _ in fractions]
for text in documents:
    parts[bisect_right(ends, place[text])].append(text)
return parts
""",
    ),
    fill(
        "a random key for each",
        "split",
        "drawn numbers are sorted, numpy-free",
        """dice = random.Random(seed)
keys = {}
for text in documents:
    if text not in keys:
        keys[text] = dice.random()
order = sorted(keys, key=keys.get)
n, done, begin = len(order), 0.0, 0
parts = []
for k, fraction in enumerate(fractions):
    done += fraction
    end = n if k == len(fractions) - 1 else int(done * n + 0.5)
    mine = frozenset(order[begin:end])
    parts.append([text for text in documents if text in mine])
    begin = end
return parts
""",
    ),
    fill(
        "a permutation of torch",
        "split",
        "torch's own generator",
        """generator = torch.Generator().manual_seed(seed)
different = list({text: None for text in documents})
order = torch.randperm(len(different), generator=generator).tolist()
different = [different[i] for i in order]
"""
        + DEAL,
    ),
]

# ---------------------------------------------------------------- Task 5

WRONG += [
    fill(
        "minus infinity is best",
        "stopping",
        "'A loss that is NaN or infinite, −∞ as well, is never a best'",
        """best, lowest, since, n_done = None, math.inf, 0, 0
for k in range(n_most):
    loss = validate(k)
    n_done += 1
    if loss < lowest:
        best, lowest, since = k, loss, 0
    else:
        since += 1
        if since >= patience:
            break
return best, n_done
""",
    ),
    fill(
        "begins at a thousand million",
        "stopping",
        "'Losses may be … very large'",
        """best, lowest, since, n_done = None, 1e9, 0, 0
for k in range(n_most):
    loss = validate(k)
    n_done += 1
    if math.isfinite(loss) and loss < lowest:
        best, lowest, since = k, loss, 0
    else:
        since += 1
        if since >= patience:
            break
return best, n_done
""",
    ),
    fill(
        "number 0 is none",
        "stopping",
        "'If none was, best is None': validation 0 is one",
        """best, lowest, since, n_done = 0, math.inf, 0, 0
for k in range(n_most):
    loss = validate(k)
    n_done += 1
    if math.isfinite(loss) and loss < lowest:
        best, lowest, since = k, loss, 0
    else:
        since += 1
        if since >= patience:
            break
return best or None, n_done
""",
    ),
    fill(
        "a millionth is nothing",
        "stopping",
        "'lower than all before it, by however little'",
        """best, lowest, since, n_done = None, math.inf, 0, 0
for k in range(n_most):
    loss = validate(k)
    n_done += 1
    if math.isfinite(loss) and loss < lowest - 1e-6:
        best, lowest, since = k, loss, 0
    else:
        since += 1
        if since >= patience:
            break
return best, n_done
""",
    ),
    fill(
        "losses in float32",
        "stopping",
        "'by however little', 'very large': a float has more digits, and goes further",
        """losses, best = [], None
for k in range(n_most):
    losses.append(validate(k))
    seen = torch.tensor(losses, dtype=torch.float32)
    seen[~seen.isfinite()] = math.inf
    if seen.min() < math.inf:
        best = int(seen.tolist().index(seen.min().item()))
    if k - (-1 if best is None else best) >= patience:
        break
return best, len(losses)
""",
    ),
    fill(
        "a loss of 0 is none",
        "stopping",
        "'Losses may be negative, 0, or very large'",
        """best, lowest, since, n_done = None, None, 0, 0
for k in range(n_most):
    loss = validate(k)
    n_done += 1
    if math.isfinite(loss) and (not lowest or loss < lowest):
        best, lowest, since = k, loss, 0
    else:
        since += 1
        if since >= patience:
            break
return best, n_done
""",
    ),
    fill(
        "minus one means nothing yet",
        "stopping",
        "'Losses may be negative': after a best below 0 every loss is a new best",
        """best, lowest, since, n_done = None, -1.0, 0, 0
for k in range(n_most):
    loss = validate(k)
    n_done += 1
    if math.isfinite(loss) and (lowest < 0 or loss < lowest):
        best, lowest, since = k, loss, 0
    else:
        since += 1
        if since >= patience:
            break
return best, n_done
""",
    ),
]

RIGHT += [
    fill(
        "a list of all losses",
        "stopping",
        "what is not finite is written as infinity, and min finds the first",
        """losses, best, k = [], None, 0
while k < n_most:
    loss = validate(k)
    losses.append(loss if math.isfinite(loss) else math.inf)
    k += 1
    lowest = min(losses)
    best = None if lowest == math.inf else losses.index(lowest)
    if k - 1 - (-1 if best is None else best) >= patience:
        break
return best, k
""",
    ),
    fill(
        "patience that is filled up again",
        "stopping",
        "a number that counts down",
        """left, n_done = patience, 0
best = lowest = None
while n_done < n_most and left > 0:
    loss = validate(n_done)
    finite = not (math.isnan(loss) or math.isinf(loss))
    if finite and (best is None or loss < lowest):
        best, lowest, left = n_done, loss, patience
    else:
        left -= 1
    n_done += 1
return best, n_done
""",
    ),
    fill(
        "a generator of losses",
        "stopping",
        "numbers of bests in a list",
        """bests, n_done = [(math.inf, None)], 0
for k, loss in ((k, validate(k)) for k in range(n_most)):
    n_done += 1
    if -math.inf < loss < bests[-1][0]:
        bests.append((loss, k))
    elif k - (-1 if bests[-1][1] is None else bests[-1][1]) >= patience:
        break
return bests[-1][1], n_done
""",
    ),
]

# ---------------------------------------------------------------- Task 6

SUMS = """total, n = 0.0, 0
for piece in pieces:
    losses = losses_of(piece)
    if len(losses):
        losses.sum().backward()
        total += losses.sum().item()
        n += len(losses)
"""
CLEAR = """for p in parameters:
    p.grad = None
"""
CLIP = """with_grad = [p for p in parameters if p.grad is not None]
for p in with_grad:
    p.grad /= n
norm = sum(p.grad.double().square().sum().item() for p in with_grad) ** 0.5
if norm > max_norm:
    for p in with_grad:
        p.grad *= max_norm / norm
return total / n, norm
"""


def pieces(name, note, body):
    return fill(name, "accumulate", note, body)


WRONG += [
    pieces(
        "what is unused keeps what it had",
        "'A parameter that no loss depends on has None, or zeros, whatever was left in it'",
        """sums, total, n = [None] * len(parameters), 0.0, 0
for piece in pieces:
    losses = losses_of(piece)
    if len(losses):
        new = torch.autograd.grad(losses.sum(), parameters, allow_unused=True)
        sums = [a if b is None else b if a is None else a + b for a, b in zip(sums, new)]
        total += losses.sum().item()
        n += len(losses)
for p, each in zip(parameters, sums):
    if each is not None:
        p.grad = each / n
norm = sum((each / n).square().sum().item() for each in sums if each is not None) ** 0.5
if norm > max_norm:
    for p, each in zip(parameters, sums):
        if each is not None:
            p.grad *= max_norm / norm
return total / n, norm
""",
    ),
    pieces(
        "always by the smaller of 1 and a quotient",
        "'a gradient of zeros is no error': max_norm / 0",
        CLEAR
        + SUMS
        + CLIP.replace(
            """if norm > max_norm:
    for p in with_grad:
        p.grad *= max_norm / norm
""",
            """factor = min(1.0, max_norm / norm)
for p in with_grad:
    p.grad *= factor
""",
        ),
    ),
    pieces(
        "0 means no clipping",
        "'a max_norm of 0 is one like any other'",
        CLEAR + SUMS + CLIP.replace("if norm > max_norm", "if max_norm and norm > max_norm"),
    ),
    pieces(
        "a view of each gradient",
        "'The numbers of a tensor need not lie in order in memory': the gradient of a transposed parameter lies as it does",
        CLEAR
        + SUMS
        + """with_grad = [p for p in parameters if p.grad is not None]
for p in with_grad:
    p.grad /= n
norm = torch.cat([p.grad.view(-1) for p in with_grad]).norm().item()
if norm > max_norm:
    for p in with_grad:
        p.grad *= max_norm / norm
return total / n, norm
""",
    ),
    pieces(
        "every parameter has a gradient",
        "'A parameter that no loss depends on has None': its None is divided",
        CLEAR
        + SUMS
        + """for p in parameters:
    p.grad /= n
norm = torch.stack([p.grad.norm() for p in parameters]).norm().item()
if norm > max_norm:
    for p in parameters:
        p.grad *= max_norm / norm
return total / n, norm
""",
    ),
    pieces(
        "what was left is multiplied by 0",
        "'any may have a gradient left from before, and that must not count': 0 · NaN and 0 · ∞ do",
        """for p in parameters:
    if p.grad is not None:
        p.grad = p.grad * 0
"""
        + SUMS
        + CLIP,
    ),
    pieces(
        "each piece once",
        "'The same piece may come twice, and counts twice'",
        CLEAR
        + SUMS.replace(
            "for piece in pieces:", "for piece in {id(piece): piece for piece in pieces}.values():"
        )
        + CLIP,
    ),
]

RIGHT += [
    pieces(
        "a running mean",
        "what is there is scaled down before each piece",
        """for p in parameters:
    p.grad = torch.zeros_like(p)
mean, n = 0.0, 0
for piece in pieces:
    losses = losses_of(piece)
    new = losses.numel()
    if new == 0:
        continue
    n += new
    for p in parameters:
        p.grad.mul_((n - new) / n)
    (losses.sum() / n).backward()
    mean += (losses.detach().sum().item() - new * mean) / n
norm = math.sqrt(sum(float(p.grad.double().pow(2).sum()) for p in parameters))
scale = 1.0 if norm <= max_norm else max_norm / norm
for p in parameters:
    p.grad.mul_(scale)
return mean, norm
""",
    ),
    pieces(
        "backward with a vector of ones",
        "gradients are taken out after each piece, and put back at the end",
        """kept = [torch.zeros_like(p, dtype=torch.double) for p in parameters]
numbers = []
for piece in pieces:
    for p in parameters:
        p.grad = None
    losses = losses_of(piece)
    if losses.shape[0]:
        losses.backward(torch.ones_like(losses))
    numbers.extend(losses.detach().double().tolist())
    for each, p in zip(kept, parameters):
        if p.grad is not None:
            each += p.grad
kept = [each / len(numbers) for each in kept]
norm = math.hypot(*(each.norm().item() for each in kept))
if norm > max_norm:
    kept = [each * (max_norm / (norm + 1e-6)) for each in kept]
for each, p in zip(kept, parameters):
    p.grad = each.to(p.dtype)
return math.fsum(numbers) / len(numbers), norm
""",
    ),
    pieces(
        "one long vector",
        "reshape and cat, split again",
        CLEAR
        + SUMS
        + """owners = [p for p in parameters if p.grad is not None]
if not owners:
    return total / n, 0.0
flat = torch.cat([p.grad.reshape(-1) for p in owners]) / n
norm = flat.norm().item()
if norm > max_norm:
    flat = flat * (max_norm / norm)
for p, piece in zip(owners, flat.split([p.numel() for p in owners])):
    p.grad = piece.reshape(p.shape).clone()
return total / n, norm
""",
    ),
]

# ---------------------------------------------------------------- Task 7

WRONG += [
    fill(
        "sums in their own dtype",
        "metric",
        "'add them up in float64': float16 overflows, float32 rounds",
        """total, n = 0.0, 0
for values, mask in batches:
    total += values[mask].sum().item()
    n += int(mask.sum())
if n == 0:
    raise ValueError("nothing is real")
return total / n
""",
    ),
    fill(
        "the mean times the number",
        "metric",
        "'whole numbers too': mean() refuses them, and a batch without real positions has the mean NaN",
        """total, n = 0.0, 0
for values, mask in batches:
    total += values[mask].mean().item() * int(mask.sum())
    n += int(mask.sum())
if n == 0:
    raise ValueError("nothing is real")
return total / n
""",
    ),
    fill(
        "NaN is passed over",
        "metric",
        "'A NaN at a real position does matter: the mean is NaN'",
        """total, n = 0.0, 0
for values, mask in batches:
    total += values[mask].double().nansum().item()
    n += int(mask.sum())
if n == 0:
    raise ValueError("nothing is real")
return total / n
""",
    ),
    fill(
        "times the mask",
        "metric",
        "'Whatever stands at a padded position must not matter, not even NaN or infinity'",
        """total, n = 0.0, 0
for values, mask in batches:
    total += (values.double() * mask).sum().item()
    n += int(mask.sum())
if n == 0:
    raise ValueError("nothing is real")
return total / n
""",
    ),
    fill(
        "zeros are padding",
        "metric",
        "'A 0 is a value like any other'",
        """total, n = 0.0, 0
for values, mask in batches:
    real = values[mask & (values != 0)].double()
    total += real.sum().item()
    n += len(real)
if n == 0:
    raise ValueError("nothing is real")
return total / n
""",
    ),
    fill(
        "all side by side first",
        "metric",
        "'of any dtype, whole numbers too; add them up in float64': beside a float32 batch whole numbers become float32; and no batches at all are a RuntimeError, not a ValueError",
        """real = torch.cat([values[mask] for values, mask in batches])
if len(real) == 0:
    raise ValueError("nothing is real")
return real.double().mean().item()
""",
    ),
    fill(
        "padding is set to 0",
        "metric",
        "'The tensors stay as they were'",
        """total, n = 0.0, 0
for values, mask in batches:
    values[~mask] = 0
    total += values.double().sum().item()
    n += int(mask.sum())
if n == 0:
    raise ValueError("nothing is real")
return total / n
""",
    ),
]

RIGHT += [
    fill(
        "where, and a sum",
        "metric",
        "padding becomes 0 in a copy",
        """sums = [torch.where(m, v.double(), 0.0).sum() for v, m in batches]
numbers = [m.count_nonzero() for _, m in batches]
n = int(sum(numbers))
if not n:
    raise ValueError("there is nothing to average")
return float(sum(sums) / n)
""",
    ),
    fill(
        "one list of numbers",
        "metric",
        "cat of float64, with an empty tensor in front",
        """real = [torch.empty(0, dtype=torch.float64)]
real += [torch.masked_select(values, mask).to(torch.float64) for values, mask in batches]
real = torch.cat(real)
if real.numel() < 1:
    raise ValueError("nothing to take a mean of")
return real.mean().item()
""",
    ),
    fill(
        "a running mean of batches",
        "metric",
        "weighted by numbers, batches without real positions are passed over",
        """mean, n = torch.zeros((), dtype=torch.double), 0
for values, mask in batches:
    real = values[mask].double()
    if real.numel():
        n += real.numel()
        mean = mean * ((n - real.numel()) / n) + real.sum() / n
if n == 0:
    raise ValueError("nothing real in any batch")
return mean.item()
""",
    ),
]

# ---------------------------------------------------------------- Task 8

LOOP = """came = model.training
history, best, lowest = [], None, math.inf
model.train()
for step in range(1, n_steps + 1):
    for p in model.parameters():
        p.grad = None
    losses_of(model, batches[(step - 1) % len(batches)]).mean().backward()
    with torch.no_grad():
        for p in model.parameters():
            if p.grad is not None:
                p -= learning_rate * p.grad
    if step % validate_every == 0:
        model.eval()
        with torch.no_grad():
            loss = validate(model)
        model.train()
        history.append((step, loss))
        if best is None or loss < lowest:
            lowest = loss
            best = {name: x.clone() for name, x in model.state_dict().items()}
if best is not None:
    model.load_state_dict(best)
model.train(came)
return history
"""


def loop(name, note, *changes):
    body = LOOP
    for old, new in changes:
        assert old in body, (name, old)
        body = body.replace(old, new)
    return fill(name, "loop", note, body)


WRONG += [
    loop(
        "what is frozen has an old gradient",
        "'A parameter may be frozen …: it stays as it is', 'what is left in .grad from before … does not count'",
        (
            """    for p in model.parameters():
        p.grad = None
""",
            """    for p in model.parameters():
        if p.requires_grad:
            p.grad = None
""",
        ),
    ),
    loop(
        "cleared behind the step",
        "'what is left in .grad from before, when train is called too, does not count'",
        (
            """    for p in model.parameters():
        p.grad = None
    losses_of""",
            "    losses_of",
        ),
        (
            "                p -= learning_rate * p.grad\n",
            "                p -= learning_rate * p.grad\n                p.grad = None\n",
        ),
    ),
    loop(
        "begins at a million",
        "'Validation losses … may be … very large': none is a best, and the last parameters stay",
        ("lowest = [], None, math.inf", "lowest = [], None, 1e6"),
        ("best is None or loss < lowest", "loss < lowest"),
    ),
    loop(
        "a loss of 0 does not count",
        "'Validation losses … may be negative, 0': after a best of 0 the next one is taken",
        ("lowest = [], None, math.inf", "lowest = [], None, None"),
        ("best is None or loss < lowest", "not lowest or loss < lowest"),
    ),
    loop(
        "validates with gradients",
        "'without gradients being recorded (torch.no_grad())'",
        (
            """        with torch.no_grad():
            loss = validate(model)
""",
            """        loss = validate(model)
""",
        ),
    ),
    loop(
        "validates at the end, too",
        "'After each step whose number is a multiple of validate_every': the last one need not be",
        ("if step % validate_every == 0:", "if step % validate_every == 0 or step == n_steps:"),
    ),
    loop(
        "the second batch comes first",
        "'Step k takes the batch number (k−1) mod len(batches)'",
        ("batches[(step - 1) % len(batches)]", "batches[step % len(batches)]"),
    ),
    loop(
        "the beginning is the best if nobody asks",
        "'If there was no validation, it keeps the last parameters'",
        (
            "lowest = [], None, math.inf",
            "lowest = [], {name: x.clone() for name, x in model.state_dict().items()}, math.inf",
        ),
        ("best is None or loss < lowest", "loss < lowest"),
    ),
    loop(
        "batches go round",
        "'The list batches and what is in it stay as they were'",
        (
            "    losses_of(model, batches[(step - 1) % len(batches)]).mean().backward()\n",
            "    batch = batches.pop(0)\n    batches.append(batch)\n    losses_of(model, batch).mean().backward()\n",
        ),
    ),
]

RIGHT += [
    fill(
        "a cycle, and lists of parameters",
        "loop",
        "itertools, copies of parameters put back by copy_",
        """from itertools import cycle, islice

mode = model.training
everything = list(model.parameters())
history, kept = [], None
for number, batch in enumerate(islice(cycle(batches), n_steps), start=1):
    model.train(True)
    model.zero_grad(set_to_none=True)
    torch.mean(losses_of(model, batch)).backward()
    moving = [p for p in everything if p.grad is not None and p.requires_grad]
    for p in moving:
        p.data.add_(p.grad, alpha=-learning_rate)
    if number % validate_every:
        continue
    model.train(False)
    with torch.no_grad():
        value = validate(model)
    if all(value < other for _, other in history):
        kept = [p.detach().clone() for p in everything]
    history.append((number, value))
with torch.no_grad():
    for p, best in zip(everything, kept or everything):
        p.copy_(best.clone())
model.train(mode)
return history
""",
    ),
    fill(
        "all states, and min at the end",
        "loop",
        "the states of all validations are kept, and the best is chosen when all is over",
        """import copy

was_training = model.training
states, history = [], []
for k in range(n_steps):
    model.train()
    for parameter in model.parameters():
        parameter.grad = None
    losses = losses_of(model, batches[k % len(batches)])
    (losses.sum() / losses.numel()).backward()
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.data = parameter.data - learning_rate * parameter.grad
    if (k + 1) % validate_every == 0:
        model.eval()
        with torch.no_grad():
            history.append((k + 1, validate(model)))
        states.append(copy.deepcopy(model.state_dict()))
if states:
    numbers = [loss for _, loss in history]
    model.load_state_dict(states[numbers.index(min(numbers))])
model.train(was_training)
return history
""",
    ),
    fill(
        "autograd.grad",
        "loop",
        "gradients are asked for, and .grad is left alone",
        """came = model.training
history, best, saved = [], None, None
step = 0
while step < n_steps:
    model.train()
    free = [p for p in model.parameters() if p.requires_grad]
    loss = losses_of(model, batches[step % len(batches)]).mean()
    slopes = torch.autograd.grad(loss, free, allow_unused=True)
    step += 1
    with torch.no_grad():
        for p, slope in zip(free, slopes):
            if slope is not None:
                p.sub_(slope * learning_rate)
        if step % validate_every == 0:
            model.eval()
            history.append((step, validate(model)))
            if best is None or history[-1][1] < best:
                best = history[-1][1]
                saved = {k: v.detach().clone() for k, v in model.state_dict().items()}
if saved:
    model.load_state_dict(saved)
model.train(came)
return history
""",
    ),
]
