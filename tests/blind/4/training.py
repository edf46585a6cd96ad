from textwrap import dedent

from faults import fill, write

WRONG, RIGHT = [], []

# ---------------------------------------------------------------- losses
MC = """\
lost = torch.logsumexp(logits, -1) - logits.gather(-1, ids[..., None])[..., 0]
return lost.mean(dtype=torch.float64).to(logits.dtype)
"""
CHECK = """\
if labels.shape != logits.shape:
    raise ValueError("labels must have the shape of the logits")
"""
ML = (
    CHECK
    + """\
lost = F.softplus(logits) - labels * logits
return lost.mean(dtype=torch.float64).to(logits.dtype)
"""
)

WRONG += [
    fill(
        "relu formula, gradient at zero",
        "losses",
        "At a logit of 0 the gradient is as everywhere, σ(z) − y: relu and abs have 0 there, it is −y",
        MC,
        CHECK
        + """\
lost = F.relu(logits) - logits * labels + torch.log1p(torch.exp(-logits.abs()))
return lost.mean(dtype=torch.float64).to(logits.dtype)
""",
    ),
    fill(
        "where with an exp in the unused branch",
        "losses",
        "no loss and no gradient may be infinite or NaN: the branch not taken overflows, and NaN times 0 is NaN",
        MC,
        CHECK
        + """\
z = logits
softplus = torch.where(z >= 0, z + torch.log1p(torch.exp(-z)), torch.log1p(torch.exp(z)))
return (softplus - labels * z).mean(dtype=torch.float64).to(z.dtype)
""",
    ),
    fill(
        "labels are thresholded",
        "losses",
        "labels are floats: 0, 1, or in between; here each counts as 0 or 1",
        MC,
        CHECK
        + """\
lost = torch.where(labels > 0.5, -F.logsigmoid(logits), -F.logsigmoid(-logits))
return lost.mean(dtype=torch.float64).to(logits.dtype)
""",
    ),
    fill(
        "whatever broadcasts is let in",
        "losses",
        "Any other shape of labels must raise a ValueError; broadcasting would accept some of them: here (V,) passes",
        MC,
        """\
try:
    torch.broadcast_tensors(logits, labels)
except RuntimeError:
    raise ValueError("labels must have the shape of the logits") from None
lost = -labels * F.logsigmoid(logits) - (1 - labels) * F.logsigmoid(-logits)
return lost.mean(dtype=torch.float64).to(logits.dtype)
""",
    ),
    fill(
        "as many numbers will do",
        "losses",
        "Any other shape of labels, one with as many numbers too, must raise a ValueError",
        MC,
        """\
if labels.numel() != logits.numel():
    raise ValueError("labels must have the shape of the logits")
labels = labels.reshape(logits.shape)
lost = F.softplus(logits) - labels * logits
return lost.mean(dtype=torch.float64).to(logits.dtype)
""",
    ),
    fill(
        "always in float32",
        "losses",
        "work in the dtype that they get, and compute in no smaller one: float64 is rounded to float32 on the way",
        """\
z = logits.float()
lost = torch.logsumexp(z, -1) - z.gather(-1, ids[..., None])[..., 0]
return lost.mean().to(logits.dtype)
""",
        CHECK
        + """\
z, y = logits.float(), labels.float()
return (F.softplus(z) - y * z).mean().to(logits.dtype)
""",
    ),
    fill(
        "float32 comes back",
        "losses",
        "Both work in the dtype that they get: of float16 and float64 logits the loss is float32 or float64",
        """\
z = logits.float() if logits.dtype != torch.float64 else logits
lost = torch.logsumexp(z, -1) - z.gather(-1, ids[..., None])[..., 0]
return lost.mean()
""",
        CHECK
        + """\
z = logits.float() if logits.dtype != torch.float64 else logits
return (F.softplus(z) - labels.to(z.dtype) * z).mean()
""",
    ),
    fill(
        "the sum of a half batch overflows",
        "losses",
        "in float16 a hundred rows that cost 1,000 each have the mean 1,000: the sum in float16 is infinite",
        """\
lost = torch.logsumexp(logits, -1) - logits.gather(-1, ids[..., None])[..., 0]
return lost.sum() / max(1, lost.numel())
""",
        CHECK
        + """\
lost = F.softplus(logits) - labels * logits
return lost.sum() / lost.numel()
""",
    ),
    fill(
        "the last dimension of gather stays",
        "losses",
        "any number of leading dimensions: (B, T) minus (B, T, 1) does not fit, though in two dimensions the mean comes out right",
        """\
lost = torch.logsumexp(logits, -1) - logits.gather(-1, ids[..., None])
return lost.mean(dtype=torch.float64).to(logits.dtype)
""",
        ML,
    ),
    fill(
        "rows by view",
        "losses",
        "The numbers of a tensor need not lie in order in memory: view refuses a transpose",
        """\
rows = F.log_softmax(logits.view(-1, logits.shape[-1]), -1)
return -rows.gather(1, ids.view(-1, 1)).mean(dtype=torch.float64).to(logits.dtype)
""",
        ML,
    ),
    fill(
        "the shift writes into the argument",
        "losses",
        "leave their arguments as they were: the logits are shifted in place",
        """\
with torch.no_grad():
    logits -= logits.amax(-1, keepdim=True)
lost = torch.logsumexp(logits, -1) - logits.gather(-1, ids[..., None])[..., 0]
return lost.mean(dtype=torch.float64).to(logits.dtype)
""",
        ML,
    ),
    fill(
        "the normalizer is a constant",
        "losses",
        "let gradients through: that of the logsumexp is cut off, minus the one-hot is all that is left",
        """\
lost = torch.logsumexp(logits.detach(), -1) - logits.gather(-1, ids[..., None])[..., 0]
return lost.mean(dtype=torch.float64).to(logits.dtype)
""",
        ML,
    ),
]
RIGHT += [
    fill(
        "logaddexp and a boolean one-hot",
        "losses",
        "logaddexp(0, z) for the softplus, the right class picked by comparing with arange; the mean in float64",
        """\
right = torch.arange(logits.shape[-1], device=logits.device) == ids[..., None]
rows = torch.log_softmax(logits, dim=-1)
return rows[right].double().mean().neg().to(logits.dtype)
""",
        """\
if tuple(logits.shape) != tuple(labels.shape):
    raise ValueError(f"wrong shape {tuple(labels.shape)}")
lost = torch.logaddexp(logits, torch.zeros_like(logits)) - logits * labels
return lost.double().mean().to(logits.dtype)
""",
    ),
    fill(
        "everything in float64",
        "losses",
        "computed in float64 whatever comes, and cast back; flat rows, indexed by two ranges; binary loss as a softmax of z and 0",
        """\
flat = logits.to(torch.float64).reshape(-1, logits.shape[-1])
rows = flat.log_softmax(-1)
return -rows[torch.arange(len(rows)), ids.reshape(-1)].mean().to(logits.dtype)
""",
        """\
if not labels.shape == logits.shape:
    raise ValueError("another shape than the logits")
pair = torch.stack([logits, torch.zeros_like(logits)], -1).double().log_softmax(-1)
yes, no = pair.unbind(-1)
return -(labels * yes + (1 - labels) * no).mean().to(logits.dtype)
""",
    ),
    write(
        "a shared helper",
        "losses",
        "a helper function; each number divided before the sum instead of a mean; a way from one logarithm to the other",
        dedent("""\
        def _average(numbers, dtype):
            wide = numbers.to(torch.float64)
            return (wide / wide.numel()).sum().to(dtype)


        def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
            shifted = logits - logits.max(-1, keepdim=True).values.detach()
            right = torch.take_along_dim(shifted, ids.unsqueeze(-1), -1).squeeze(-1)
            return _average(shifted.exp().sum(-1).log() - right, logits.dtype)


        def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
            if logits.size() != labels.size():
                raise ValueError("the shape of the labels is not that of the logits")
            no, yes = F.softplus(logits), F.softplus(-logits)
            return _average(no + labels * (yes - no), logits.dtype)
        """),
    ),
]

# ---------------------------------------------------------------- adam
WRONG += [
    fill(
        "decay after the step",
        "adam",
        "θ ← (1 − ηλ) θ − step: here the step is shrunk, too",
        """\
b1, b2 = betas
m = b1 * mean + (1 - b1) * gradient
v = b2 * square + (1 - b2) * gradient**2
new = parameter - learning_rate * (m / (1 - b1**n)) / ((v / (1 - b2**n)).sqrt() + eps)
return new * (1 - learning_rate * weight_decay), m, v
""",
    ),
    fill(
        "eps inside the root",
        "adam",
        "Outside of the root: √v̂ + ε",
        """\
b1, b2 = betas
m = b1 * mean + (1 - b1) * gradient
v = b2 * square + (1 - b2) * gradient**2
step = (m / (1 - b1**n)) / (v / (1 - b2**n) + eps).sqrt()
return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, m, v
""",
    ),
    fill(
        "eps beside the root that is not corrected",
        "adam",
        "√(v / (1 − β₂ⁿ)) + ε: here it is (√v + ε) / √(1 − β₂ⁿ), as in the short form of Adam's paper",
        """\
b1, b2 = betas
m = b1 * mean + (1 - b1) * gradient
v = b2 * square + (1 - b2) * gradient**2
rate = learning_rate * (1 - b2**n) ** 0.5 / (1 - b1**n)
new = parameter * (1 - learning_rate * weight_decay) - rate * m / (v.sqrt() + eps)
return new, m, v
""",
    ),
    fill(
        "eps is a constant",
        "adam",
        "eps is ε: the argument is not used",
        """\
b1, b2 = betas
m = b1 * mean + (1 - b1) * gradient
v = b2 * square + (1 - b2) * gradient**2
step = (m / (1 - b1**n)) / ((v / (1 - b2**n)).sqrt() + 1e-8)
return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, m, v
""",
    ),
    fill(
        "the first step knows nothing",
        "adam",
        "m ← β₁ m + (1 − β₁) g: at n = 1 the averages given are thrown away (all that is known of earlier steps is in the arguments)",
        """\
b1, b2 = betas
if n == 1:
    mean, square = torch.zeros_like(mean), torch.zeros_like(square)
m = b1 * mean + (1 - b1) * gradient
v = b2 * square + (1 - b2) * gradient**2
step = (m / (1 - b1**n)) / ((v / (1 - b2**n)).sqrt() + eps)
return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, m, v
""",
    ),
    fill(
        "nothing new, so the old tensor",
        "adam",
        "share no memory with what is returned, whatever the numbers are: with zeros in mean and gradient the mean itself comes back",
        """\
b1, b2 = betas
if gradient.any() or mean.any():
    m = b1 * mean + (1 - b1) * gradient
else:
    m = mean
v = b2 * square + (1 - b2) * gradient**2
step = (m / (1 - b1**n)) / ((v / (1 - b2**n)).sqrt() + eps)
return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, m, v
""",
    ),
    fill(
        "the correction in float32",
        "adam",
        "in the dtype of the arguments: 1 − β₂ⁿ is rounded to float32, and with float64 arguments the step is off in the fifth digit",
        """\
b1, b2 = torch.tensor(betas)
c1, c2 = 1 - b1**n, 1 - b2**n
m = betas[0] * mean + (1 - betas[0]) * gradient
v = betas[1] * square + (1 - betas[1]) * gradient**2
step = (m / c1) / ((v / c2).sqrt() + eps)
return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, m, v
""",
    ),
    fill(
        "through float32",
        "adam",
        "in the dtype of the arguments: float64 numbers are rounded to float32 and come back as float64",
        """\
b1, b2 = betas
p, g, m, v = (x.float() for x in (parameter, gradient, mean, square))
m = b1 * m + (1 - b1) * g
v = b2 * v + (1 - b2) * g * g
step = (m / (1 - b1**n)) / ((v / (1 - b2**n)).sqrt() + eps)
new = (1 - learning_rate * weight_decay) * p - learning_rate * step
return tuple(x.to(parameter.dtype) for x in (new, m, v))
""",
    ),
    fill(
        "row by row",
        "adam",
        "any number of dimensions, or none: a tensor without dimensions has no rows",
        """\
b1, b2 = betas
news, ms, vs = [], [], []
for p, g, m, v in zip(parameter, gradient, mean, square, strict=True):
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    step = (m / (1 - b1**n)) / ((v / (1 - b2**n)).sqrt() + eps)
    news.append((1 - learning_rate * weight_decay) * p - learning_rate * step)
    ms.append(m)
    vs.append(v)
return torch.stack(news), torch.stack(ms), torch.stack(vs)
""",
    ),
    fill(
        "flattened by view",
        "adam",
        "The numbers of a tensor need not lie in order in memory: view refuses a transposed parameter",
        """\
b1, b2 = betas
p, g, m, v = (x.view(-1) for x in (parameter, gradient, mean, square))
m = b1 * m + (1 - b1) * g
v = b2 * v + (1 - b2) * g**2
p = (1 - learning_rate * weight_decay) * p - learning_rate * (m / (1 - b1**n)) / (
    (v / (1 - b2**n)).sqrt() + eps
)
return tuple(x.view(parameter.shape) for x in (p, m, v))
""",
    ),
    fill(
        "the largest square so far",
        "adam",
        "√(v / (1 − β₂ⁿ)) with the new v: here the old one, when it is larger (AMSGrad)",
        """\
b1, b2 = betas
m = b1 * mean + (1 - b1) * gradient
v = b2 * square + (1 - b2) * gradient**2
largest = torch.maximum(v, square)
step = (m / (1 - b1**n)) / ((largest / (1 - b2**n)).sqrt() + eps)
return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, m, v
""",
    ),
    fill(
        "corrected for a thousand steps",
        "adam",
        "n is the number of this step, and 1 − β₂ⁿ is not yet 1 at n = 1,000 (it is 0.63)",
        """\
b1, b2 = betas
m = b1 * mean + (1 - b1) * gradient
v = b2 * square + (1 - b2) * gradient**2
m_hat, v_hat = m, v
if n < 1000:  # later the averages have settled
    m_hat, v_hat = m / (1 - b1**n), v / (1 - b2**n)
step = m_hat / (v_hat.sqrt() + eps)
return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, m, v
""",
    ),
]
RIGHT += [
    fill(
        "number by number",
        "adam",
        "a Python loop over the flattened numbers, in Python floats",
        """\
b1, b2 = betas
rows = []
for p, g, m, v in zip(
    *(x.reshape(-1).tolist() for x in (parameter, gradient, mean, square)), strict=True
):
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
    step = m / (1 - b1**n) / (math.sqrt(v / (1 - b2**n)) + eps)
    rows.append((p - learning_rate * weight_decay * p - learning_rate * step, m, v))
columns = list(zip(*rows)) or [(), (), ()]
p, m, v = (
    torch.tensor(column, dtype=parameter.dtype).reshape(parameter.shape) for column in columns
)
return p, m, v
""",
    ),
    fill(
        "in place on copies",
        "adam",
        "mul_, add_, addcmul_ and addcdiv_ on clones",
        """\
with torch.no_grad():
    p, m, v = parameter.clone(), mean.clone(), square.clone()
    m.mul_(betas[0]).add_(gradient, alpha=1 - betas[0])
    v.mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])
    below = v.div(1 - betas[1] ** n).sqrt_().add_(eps)
    p.mul_(1 - learning_rate * weight_decay)
    p.addcdiv_(m, below, value=-learning_rate / (1 - betas[0] ** n))
return p, m, v
""",
    ),
    fill(
        "lerp, and the correction moved",
        "adam",
        "lerp for the averages; the correction is a factor of the rate, and ε is scaled by the same root",
        """\
m = torch.lerp(mean, gradient, 1 - betas[0])
v = torch.lerp(square, gradient.square(), 1 - betas[1])
root = math.sqrt(1 - betas[1] ** n)
rate = learning_rate * root / (1 - betas[0] ** n)
kept = torch.mul(parameter, 1 - learning_rate * weight_decay)
return kept - m * rate / (v.sqrt() + eps * root), m, v
""",
    ),
]

# ---------------------------------------------------------------- windows
INIT = """\
if len(ids) <= length:
    raise ValueError("no window: the length is too large")
self.ids, self.length = ids, length
"""
LEN = "return len(self.ids) - self.length\n"
GET = """\
if not 0 <= i < len(self):
    raise IndexError(i)
return self.ids[i : i + self.length], self.ids[i + 1 : i + 1 + self.length]
"""
WRONG += [
    fill(
        "counts from the end as lists do",
        "windows",
        "An index below 0, −1 and −2 as well, must raise an IndexError",
        INIT,
        LEN,
        """\
if i < 0:
    i += len(self)
if not 0 <= i < len(self):
    raise IndexError(i)
return self.ids[i : i + self.length], self.ids[i + 1 : i + 1 + self.length]
""",
    ),
    fill(
        "only the end is checked",
        "windows",
        "An index below 0 must raise an IndexError: a slice from −1 gives less, and says nothing",
        INIT,
        LEN,
        """\
if i >= len(self):
    raise IndexError("no such window")
return self.ids[i : i + self.length], self.ids[i + 1 : i + 1 + self.length]
""",
    ),
    fill(
        "only the first index beyond",
        "windows",
        "len(data) and more must raise an IndexError: here len(data) alone does",
        INIT,
        LEN,
        """\
if i < 0 or i == len(self):
    raise IndexError("stop here")
return self.ids[i : i + self.length], self.ids[i + 1 : i + 1 + self.length]
""",
    ),
    fill(
        "one text for the class",
        "windows",
        "several data sets may be in use: the ids belong to the class, and the newest wins",
        """\
if len(ids) <= length:
    raise ValueError("no window of this length")
Windows.ids = ids
Windows.length = length
""",
        LEN,
        GET,
    ),
    write(
        "iterator in the object",
        "windows",
        "Several loops may go over the data at a time: the place of the loop is kept in the object",
        dedent("""\
        class Windows:
            def __init__(self, ids: Tensor, length: int):
                if len(ids) <= length:
                    raise ValueError("no window: the length is too large")
                self.ids, self.length, self.at = ids, length, 0

            def __len__(self) -> int:
                return len(self.ids) - self.length

            def __iter__(self):
                self.at = 0
                return self

            def __next__(self):
                if self.at >= len(self):
                    raise StopIteration
                self.at += 1
                return self[self.at - 1]

            def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
                if i < 0 or i >= len(self):
                    raise IndexError(i)
                return self.ids[i : i + self.length], self.ids[i + 1 : i + self.length + 1]
        """),
    ),
    fill(
        "strides as if in order",
        "windows",
        "The numbers of a tensor need not lie in order in memory: as_strided with steps of 1 reads the ids between those of a slice",
        INIT,
        LEN,
        """\
if not 0 <= i < len(self):
    raise IndexError(i)
n, length = len(self), self.length
windows = self.ids.as_strided((n, length + 1), (1, 1))
return windows[i, :-1], windows[i, 1:]
""",
    ),
    write(
        "each window once",
        "windows",
        "one for each place where a window can start: a window that occurs twice in the text is there once",
        dedent("""\
        class Windows:
            def __init__(self, ids: Tensor, length: int):
                if len(ids) <= length:
                    raise ValueError("no window: the length is too large")
                whole = ids.tolist()
                found = dict.fromkeys(
                    tuple(whole[i : i + length + 1]) for i in range(len(ids) - length)
                )
                self.windows = [torch.tensor(window) for window in found]

            def __len__(self) -> int:
                return len(self.windows)

            def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
                if i < 0:
                    raise IndexError(i)
                return self.windows[i][:-1], self.windows[i][1:]
        """),
    ),
    fill(
        "by way of float32",
        "windows",
        "the ids from place i on, int64: torch.Tensor(…) is float32, and ids above 2²⁴ come back rounded",
        """\
if len(ids) <= length:
    raise ValueError("the length leaves no window")
self.length = length
self.ids = torch.Tensor(ids.tolist()).long()
""",
        LEN,
        GET,
    ),
    fill(
        "squeezed pairs",
        "windows",
        "both (length,): for length 1 the dimension is squeezed away",
        INIT,
        LEN,
        """\
if not 0 <= i < len(self):
    raise IndexError(i)
window = self.ids.unfold(0, self.length + 1, 1)[i : i + 1]
return window[:, :-1].squeeze(), window[:, 1:].squeeze()
""",
    ),
    write(
        "squeezed windows",
        "windows",
        "one for each place: with a single window the table is squeezed to a row, whose len is that of the window",
        dedent("""\
        class Windows:
            def __init__(self, ids: Tensor, length: int):
                if len(ids) <= length:
                    raise ValueError("no window: the length is too large")
                self.inputs = ids[:-1].unfold(0, length, 1).squeeze()
                self.targets = ids[1:].unfold(0, length, 1).squeeze()

            def __len__(self) -> int:
                return len(self.inputs)

            def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
                if not 0 <= i < len(self):
                    raise IndexError(i)
                return self.inputs[i], self.targets[i]
        """),
    ),
    write(
        "remembered by size",
        "windows",
        "several data sets may be in use, nothing is kept of one call for the next: texts of one size share a table kept in the class",
        dedent("""\
        class Windows:
            known = {}

            def __init__(self, ids: Tensor, length: int):
                if len(ids) <= length:
                    raise ValueError("no window: the length is too large")
                self.table = self.known.setdefault(
                    (len(ids), length), ids.unfold(0, length + 1, 1)
                )

            def __len__(self) -> int:
                return len(self.table)

            def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
                if i not in range(len(self)):
                    raise IndexError(i)
                return self.table[i, :-1], self.table[i, 1:]
        """),
    ),
]
RIGHT += [
    fill(
        "unfolded at once",
        "windows",
        "a table of all windows by unfold",
        """\
if ids.shape[0] - length < 1:
    raise ValueError(f"no window of length {length}")
self.table = ids.unfold(0, length + 1, 1)
""",
        "return self.table.shape[0]\n",
        """\
if i < 0 or i >= self.table.shape[0]:
    raise IndexError("no such window")
return self.table[i, :-1], self.table[i, 1:]
""",
    ),
    fill(
        "a list of pairs",
        "windows",
        "every pair is made at once, of copies; the list raises the IndexError beyond the end",
        """\
self.pairs = [
    (ids[k : k + length].clone(), ids[k + 1 : k + length + 1].clone())
    for k in range(len(ids) - length)
]
if not self.pairs:
    raise ValueError("this length leaves no window")
""",
        "return len(self.pairs)\n",
        """\
if i < 0:
    raise IndexError("no places from the end")
return self.pairs[i]
""",
    ),
    write(
        "a data set of torch, places by arange",
        "windows",
        "inherits from torch's Dataset, has an __iter__ of its own, gathers by places, and rolls the text for the targets",
        dedent("""\
        class Windows(torch.utils.data.Dataset):
            def __init__(self, ids, length):
                self.places = range(max(0, len(ids) - length))
                if len(self.places) == 0:
                    raise ValueError("length is not below the number of ids")
                self.here, self.next = ids.clone(), ids.roll(-1)
                self.steps = torch.arange(length)

            def __len__(self):
                return len(self.places)

            def __iter__(self):
                return (self[i] for i in self.places)

            def __getitem__(self, i):
                if i not in self.places:
                    raise IndexError(f"no window {i}")
                at = self.steps + i
                return self.here[at], self.next[at]
        """),
    ),
]

# ---------------------------------------------------------------- split
DEAL = """\
cuts = [round(sum(fractions[:k]) * len(texts)) for k in range(len(fractions))] + [len(texts)]
part_of = {t: k for k in range(len(fractions)) for t in texts[cuts[k] : cuts[k + 1]]}
parts = [[] for _ in fractions]
for document in documents:
    parts[part_of[document]].append(document)
return parts
"""
WRONG += [
    fill(
        "the order of a set",
        "split",
        "the same seed gives the same parts, in another Python process too: a set has no fixed order",
        "texts = list(set(documents))\nrandom.Random(seed).shuffle(texts)\n" + DEAL,
    ),
    fill(
        "shuffled with the copies",
        "split",
        "each document is as likely as any other, however many copies it has: with many it comes to the front",
        """\
shuffled = list(documents)
random.Random(seed).shuffle(shuffled)
texts = list(dict.fromkeys(shuffled))
"""
        + DEAL,
    ),
    fill(
        "everybody's generator",
        "split",
        "the global generators stay as they were: random.seed and random.shuffle",
        "texts = list(dict.fromkeys(documents))\nrandom.seed(seed)\nrandom.shuffle(texts)\n" + DEAL,
    ),
    fill(
        "spaces and capitals do not count",
        "split",
        'Equal means equal as strings: "a", "A" and "a " are three documents, and count as three',
        """\
texts = list(dict.fromkeys(d.strip().lower() for d in documents))
random.Random(seed).shuffle(texts)
"""
        + DEAL.replace("part_of[document]", "part_of[document.strip().lower()]"),
    ),
    fill(
        "fractions of the copies",
        "split",
        "Each part gets its fraction of the different documents: here of all, copies counted",
        """\
texts = list(dict.fromkeys(documents))
random.Random(seed).shuffle(texts)
n_copies = {}
for document in documents:
    n_copies[document] = n_copies.get(document, 0) + 1
part_of, k, given, bound = {}, 0, 0, fractions[0] * len(documents)
for text in texts:
    while given >= round(bound) and k + 1 < len(fractions):
        k += 1
        bound += fractions[k] * len(documents)
    part_of[text] = k
    given += n_copies[text]
parts = [[] for _ in fractions]
for document in documents:
    parts[part_of[document]].append(document)
return parts
""",
    ),
    fill(
        "the rest is for the last",
        "split",
        "to within one, and there may be many parts: what rounding down loses is all in the last one",
        """\
texts = list(dict.fromkeys(documents))
random.Random(seed).shuffle(texts)
part_of, start = {}, 0
for k, fraction in enumerate(fractions):
    n = int(fraction * len(texts))
    end = start + n if k + 1 < len(fractions) else len(texts)
    part_of.update((text, k) for text in texts[start:end])
    start = end
parts = [[] for _ in fractions]
for document in documents:
    parts[part_of[document]].append(document)
return parts
""",
    ),
    fill(
        "the last cut is a sum, too",
        "split",
        "Every document comes back; fractions sum to 1, or to a hair less: 0.7 + 0.2 + 0.1 of 10, rounded down, is 9",
        """\
texts = list(dict.fromkeys(documents))
random.Random(seed).shuffle(texts)
parts, reached, start = [], 0.0, 0
for fraction in fractions:
    reached += fraction
    end = math.floor(reached * len(texts))
    chosen = set(texts[start:end])
    parts.append([document for document in documents if document in chosen])
    start = end
return parts
""",
    ),
    fill(
        "sorted by a coin",
        "split",
        "Each document is as likely as any other, whatever its place in the list: the sort is stable, and heads come first in their old order",
        """\
texts = list(dict.fromkeys(documents))
rng = random.Random(seed)
texts.sort(key=lambda text: rng.random() < 0.5)
"""
        + DEAL,
    ),
    fill(
        "the first one stays",
        "split",
        "whatever its place in the list: the first document is always in the first part",
        """\
texts = list(dict.fromkeys(documents))
rng = random.Random(seed)
for i in range(len(texts) - 1, 0, -1):
    j = rng.randint(1, i)
    texts[i], texts[j] = texts[j], texts[i]
"""
        + DEAL,
    ),
    write(
        "the same call, the same lists",
        "split",
        "the parts are new lists in every call: the result is remembered, and who changes it changes the next one",
        dedent("""\
        import functools


        @functools.lru_cache(maxsize=None)
        def _dealt(documents, fractions, seed):
            texts = list(dict.fromkeys(documents))
            random.Random(seed).shuffle(texts)
            n = len(texts)
            cuts = [round(sum(fractions[:k]) * n) for k in range(len(fractions))] + [n]
            part_of = {t: k for k in range(len(fractions)) for t in texts[cuts[k] : cuts[k + 1]]}
            parts = [[] for _ in fractions]
            for document in documents:
                parts[part_of[document]].append(document)
            return parts


        def split_documents(
            documents: list[str], fractions: tuple[float, ...], seed: int
        ) -> list[list[str]]:
            return _dealt(tuple(documents), tuple(fractions), seed)
        """),
    ),
    fill(
        "sorts the list that it got",
        "split",
        "The list documents stays as it was: it is sorted in place",
        """\
documents.sort()
texts = list(dict.fromkeys(documents))
random.Random(seed).shuffle(texts)
"""
        + DEAL,
    ),
    fill(
        "one seed for all",
        "split",
        "drawn at random by seed, another seed gives other parts: the generator gets the number of documents",
        "texts = list(dict.fromkeys(documents))\nrandom.Random(len(texts)).shuffle(texts)\n" + DEAL,
    ),
]
RIGHT += [
    fill(
        "largest remainders",
        "split",
        "sizes by rounding down and giving the rest to the largest remainders; each part drawn by sample from what is left",
        """\
rng = random.Random(seed)
left = sorted(set(documents))
wanted = [fraction * len(left) for fraction in fractions]
sizes = [math.floor(x) for x in wanted]
by_remainder = sorted(range(len(sizes)), key=lambda k: sizes[k] - wanted[k])
for k in by_remainder[: len(left) - sum(sizes)]:
    sizes[k] += 1
parts = []
for size in sizes:
    chosen = set(rng.sample(left, size))
    left = [text for text in left if text not in chosen]
    parts.append([document for document in documents if document in chosen])
return parts
""",
    ),
    fill(
        "keys that are sorted",
        "split",
        "each text draws a number and the numbers are sorted; copies are added by multiplication, so the order within a part is another",
        """\
rng, counts = random.Random(seed), {}
for document in documents:
    counts[document] = counts.get(document, 0) + 1
order = sorted((rng.random(), i, text) for i, text in enumerate(counts))
parts, total, start = [], 0.0, 0
for k, fraction in enumerate(fractions, 1):
    total += fraction
    end = len(order) if k == len(fractions) else int(total * len(order) + 0.5)
    parts.append([copy for *_, text in order[start:end] for copy in [text] * counts[text]])
    start = end
return parts
""",
    ),
    fill(
        "a deck of labels",
        "split",
        "the labels of the parts are shuffled, and not the texts; bisect over the cumulative sums",
        """\
import bisect
from itertools import accumulate as running

texts = list(dict.fromkeys(documents))
ends = list(running(fractions))[:-1]
labels = [bisect.bisect(ends, (i + 0.5) / len(texts)) for i in range(len(texts))]
random.Random(seed).shuffle(labels)
label_of = dict(zip(texts, labels, strict=True))
return [[d for d in documents if label_of[d] == k] for k in range(len(fractions))]
""",
    ),
]


# ---------------------------------------------------------------- stopping
def stopping(condition, start="math.inf", last="return best, n_done\n", init="", after=""):
    return f"""\
lowest, best, since, n_done = {start}, None, 0, 0
{init}
for k in range(n_most):
    loss = validate(k)
    n_done += 1
    if {condition}:
        lowest, best, since = loss, k, 0
    else:
        since += 1
    {after}
    if since >= patience:
        break
{last}"""


WRONG += [
    fill(
        "better by a millionth at least",
        "stopping",
        "A new best is lower than all before it, by however little",
        stopping("math.isfinite(loss) and loss < lowest - 1e-6"),
    ),
    fill(
        "a large number for infinity",
        "stopping",
        "Losses may be very large: one of 1e10 is never below a first lowest of 1e9",
        stopping("math.isfinite(loss) and loss < lowest", start="1e9"),
    ),
    fill(
        "a lowest of 0 is none",
        "stopping",
        "Losses may be 0: after a lowest of 0 any loss counts as new best",
        stopping("math.isfinite(loss) and (not lowest or loss < lowest)", start="None"),
    ),
    fill(
        "number 0 is none",
        "stopping",
        "the number of the validation with the lowest loss: number 0 becomes None",
        stopping("math.isfinite(loss) and loss < lowest", last="return best or None, n_done\n"),
    ),
    fill(
        "only NaN is asked for",
        "stopping",
        "−∞ as well is never a best",
        stopping("not math.isnan(loss) and loss < lowest"),
    ),
    fill(
        "the first one is always a best",
        "stopping",
        "A loss that is infinite is never a best: +∞ is, as long as there is none",
        stopping("loss > -math.inf and (best is None or loss < lowest)"),
    ),
    fill(
        "infinite ones are passed over",
        "stopping",
        "Stop after patience validations in a row that were no new best: infinite ones count, too",
        stopping(
            "math.isfinite(loss) and loss < lowest", after="since -= 1 if math.isinf(loss) else 0"
        ),
    ),
    fill(
        "no validation, no k",
        "stopping",
        "at most n_most of them: with n_most = 0 there is none, (None, 0); here k has no value",
        """\
lowest, best, since = math.inf, None, 0
for k in range(n_most):
    loss = validate(k)
    if math.isfinite(loss) and loss < lowest:
        lowest, best, since = loss, k, 0
    else:
        since += 1
    if since == patience:
        break
return best, k + 1
""",
    ),
    fill(
        "compared in float32",
        "stopping",
        "by however little, or very large: the losses are kept in a float32 tensor, where close ones are equal and 1e300 is infinite",
        """\
losses = torch.full((n_most,), math.inf)
since, lowest = 0, math.inf
for k in range(n_most):
    loss = validate(k)
    losses[k] = loss if math.isfinite(loss) else math.inf
    if losses[k] < lowest:
        lowest, since = losses[k].item(), 0
    else:
        since += 1
    if since == patience:
        break
n_done = k + 1 if n_most else 0
return (int(losses.argmin()) if lowest < math.inf else None), n_done
""",
    ),
    fill(
        "no loss is below 0", "stopping", "Losses may be negative", stopping("0 <= loss < lowest")
    ),
    fill(
        "better by a share",
        "stopping",
        "by however little; losses may be negative, and then 0.9999 of the lowest is above it",
        stopping(
            "math.isfinite(loss) and loss < (lowest if lowest == math.inf else 0.9999 * lowest)"
        ),
    ),
    fill(
        "an infinite loss ends it",
        "stopping",
        "Stop after patience validations in a row, not at the first that is infinite",
        stopping(
            "math.isfinite(loss) and loss < lowest",
            after="since = patience if math.isinf(loss) else since",
        ),
    ),
]
RIGHT += [
    fill(
        "all losses in a list",
        "stopping",
        "nothing is remembered but the list; the best is looked up by min each time",
        """\
losses, best = [], None
while len(losses) < n_most and len(losses) - (-1 if best is None else best) <= patience:
    losses.append(validate(len(losses)))
    usable = [(loss, k) for k, loss in enumerate(losses) if math.isfinite(loss)]
    best = min(usable)[1] if usable else None
return best, len(losses)
""",
    ),
    fill(
        "a generator of states",
        "stopping",
        "a generator yields the state after each validation; the last one is the answer",
        """\
def states():
    lowest, best, since, k = math.inf, None, 0, 0
    while k < n_most and since < patience:
        loss = validate(k)
        better = -math.inf < loss < lowest
        lowest = loss if better else lowest
        best = k if better else best
        since = 0 if better else since + 1
        k += 1
        yield best, k


answer = None, 0
for answer in states():
    pass
return answer
""",
    ),
    fill(
        "a list of ranks",
        "stopping",
        "pairs of loss and number are compared, and a generator tells the losses",
        """\
best, k = (math.inf, None), 0
since = 0
for k, loss in enumerate(map(validate, range(n_most)), 1):
    new = loss not in (math.inf, -math.inf) and loss == loss and not loss >= best[0]
    best, since = ((loss, k - 1), 0) if new else (best, since + 1)
    if since >= patience:
        return best[1], k
return best[1], k
""",
    ),
]

# ---------------------------------------------------------------- accumulate
RESET = """\
for p in parameters:
    p.grad = None
"""
ADD = """\
total, n = 0.0, 0
for piece in pieces:
    losses = losses_of(piece)
    if losses.numel():
        losses.sum().backward()
        total += losses.sum().item()
        n += losses.numel()
"""
DIVIDE = """\
grads = [p.grad for p in parameters if p.grad is not None]
for g in grads:
    g /= n
"""
NORM = "norm = math.sqrt(sum(g.square().sum().item() for g in grads))\n"
CLIP = """\
if norm > max_norm:
    for g in grads:
        g *= max_norm / norm
return total / n, norm
"""
WRONG += [
    fill(
        "one backward at the end",
        "accumulate",
        "Only one piece may be in memory at a time: backward before the next one",
        RESET
        + """\
losses = torch.cat([losses_of(piece) for piece in pieces])
losses.mean().backward()
total, n = losses.sum().item(), losses.numel()
grads = [p.grad for p in parameters if p.grad is not None]
"""
        + NORM
        + CLIP,
    ),
    fill(
        "counts the predictions first",
        "accumulate",
        "call losses_of once for each piece: here a first round counts them",
        RESET
        + """\
with torch.no_grad():
    n = sum(losses_of(piece).numel() for piece in pieces)
total = 0.0
for piece in pieces:
    losses = losses_of(piece).sum() / n
    losses.backward()
    total += losses.item() * n
grads = [p.grad for p in parameters if p.grad is not None]
"""
        + NORM
        + CLIP,
    ),
    fill(
        "the same piece once",
        "accumulate",
        "The same piece may come twice, and counts twice",
        RESET
        + ADD.replace("in pieces", "in {id(piece): piece for piece in pieces}.values()")
        + DIVIDE
        + NORM
        + CLIP,
    ),
    fill(
        "what nobody needs keeps its gradient",
        "accumulate",
        "A parameter that no loss depends on has None, or zeros, whatever was left in it",
        """\
sums = [None] * len(parameters)
total, n = 0.0, 0
for piece in pieces:
    losses = losses_of(piece)
    if not losses.numel():
        continue
    found = torch.autograd.grad(losses.sum(), parameters, allow_unused=True)
    sums = [b if a is None else a if b is None else a + b for a, b in zip(sums, found)]
    total += losses.sum().item()
    n += losses.numel()
grads = []
for p, g in zip(parameters, sums):
    if g is not None:
        p.grad = g / n
        grads.append(p.grad)
"""
        + NORM
        + CLIP,
    ),
    fill(
        "every parameter has a gradient",
        "accumulate",
        "A parameter that no loss depends on has None: its norm is asked for, too",
        RESET
        + ADD
        + """\
for p in parameters:
    p.grad /= n
norm = torch.stack([p.grad.norm() for p in parameters]).norm().item()
grads = [p.grad for p in parameters]
"""
        + CLIP,
    ),
    fill(
        "a max_norm of 0 is none",
        "accumulate",
        "a max_norm of 0 is one like any other: here it means do not clip",
        RESET + ADD + DIVIDE + NORM + CLIP.replace("if norm", "if max_norm and norm"),
    ),
    fill(
        "the factor first",
        "accumulate",
        "a gradient of zeros is no error: the factor is max_norm / 0",
        RESET
        + ADD
        + DIVIDE
        + NORM
        + """\
factor = min(1.0, max_norm / norm)
for g in grads:
    g *= factor
return total / n, norm
""",
    ),
    fill(
        "the largest stretch of a matrix",
        "accumulate",
        "the root of the sum of all squares: linalg.norm with 2 gives a matrix its largest singular value",
        RESET
        + ADD
        + DIVIDE
        + """\
lengths = [torch.linalg.norm(torch.atleast_1d(g), 2) for g in grads]
norm = torch.stack(lengths).norm().item()
"""
        + CLIP,
    ),
    fill(
        "gradients flattened by view",
        "accumulate",
        "The numbers of a tensor need not lie in order in memory: nor do those of its gradient",
        RESET
        + ADD
        + DIVIDE
        + "norm = torch.cat([g.view(-1) for g in grads]).norm().item()\n"
        + CLIP,
    ),
    fill(
        "a hundred-thousandth added",
        "accumulate",
        "they are shortened to max_norm; a millionth may be added to the length; ten of them shorten a small gradient visibly",
        RESET + ADD + DIVIDE + NORM + CLIP.replace("max_norm / norm", "max_norm / (norm + 1e-5)"),
    ),
    fill(
        "the length in float32",
        "accumulate",
        "the length before clipping, of float64 gradients: rounded to float32, and infinite for 1e30",
        RESET
        + ADD
        + DIVIDE
        + "norm = torch.cat([g.float().flatten() for g in grads]).norm().item()\n"
        + CLIP,
    ),
    fill(
        "left of the unused in the length",
        "accumulate",
        "any may have a gradient left from before, and that must not count: it is taken off again only where a new one came",
        """\
before = [None if p.grad is None else p.grad.clone() for p in parameters]
"""
        + ADD
        + """\
grads = []
for p, old in zip(parameters, before):
    if p.grad is not None:
        if old is not None and not torch.equal(p.grad, old):
            p.grad = p.grad - old
        p.grad = p.grad / n
        grads.append(p.grad)
"""
        + NORM
        + CLIP,
    ),
]
RIGHT += [
    fill(
        "autograd.grad",
        "accumulate",
        "no backward: autograd.grad with allow_unused, sums in a list, zeros for the unused",
        """\
sums = [torch.zeros_like(p) for p in parameters]
count, total = 0, 0.0
for piece in pieces:
    losses = losses_of(piece)
    if losses.numel() == 0:
        continue
    found = torch.autograd.grad(losses.sum(), parameters, allow_unused=True)
    for s, g in zip(sums, found, strict=True):
        if g is not None:
            s += g
    count, total = count + losses.numel(), total + losses.detach().double().sum().item()
    del losses, found
sums = [s / count for s in sums]
norm = float(torch.stack([s.double().norm() for s in sums]).norm())
factor = max_norm / norm if norm > max_norm else 1.0
for p, s in zip(parameters, sums, strict=True):
    p.grad = s * factor if factor != 1.0 else s
return total / count, norm
""",
    ),
    fill(
        "a running mean",
        "accumulate",
        "the gradient is kept a mean at each piece: what was is scaled by n / (n + k) before the next backward of a sum over n + k",
        RESET
        + """\
mean, n = 0.0, 0
for piece in pieces:
    losses = losses_of(piece)
    k = len(losses)
    if k == 0:
        continue
    for p in parameters:
        if p.grad is not None:
            p.grad.mul_(n / (n + k))
    losses.backward(torch.full_like(losses, 1 / (n + k)))
    mean = mean * n / (n + k) + losses.detach().sum().item() / (n + k)
    n += k
grads = [p.grad for p in parameters if p.grad is not None]
norm = math.hypot(*(x for g in grads for x in g.flatten().tolist()))
if norm > max_norm:
    for g in grads:
        g.mul_(max_norm / norm)
return mean, norm
""",
    ),
    fill(
        "PyTorch's length, a millionth added",
        "accumulate",
        "nn.utils.get_total_norm, and a millionth in the divisor; empty pieces go through backward",
        RESET
        + """\
seen = []
for piece in pieces:
    losses = losses_of(piece)
    if losses.requires_grad:
        losses.sum().backward()
    seen += losses.tolist()
grads = [p.grad for p in parameters if p.grad is not None]
for g in grads:
    g.div_(len(seen))
norm = float(nn.utils.get_total_norm(grads))
if norm > max_norm:
    torch._foreach_mul_(grads, max_norm / (norm + 1e-6))
return sum(seen) / len(seen), norm
""",
    ),
]


# ---------------------------------------------------------------- metric
def metric(real="values[mask].double()", before="", zero="n == 0"):
    return f"""\
total, n = 0.0, 0
for values, mask in batches:
    {before}
    real = {real}
    total += real.sum().item()
    n += real.numel()
if {zero}:
    raise ValueError("nothing to take a mean of")
return total / n
"""


WRONG += [
    fill(
        "times the mask",
        "metric",
        "Whatever stands at a padded position must not matter, not even NaN or infinity: NaN times 0 is NaN",
        """\
total = sum((values.double() * mask).sum().item() for values, mask in batches)
n = sum(int(mask.sum()) for _, mask in batches)
if n == 0:
    raise ValueError("nothing")
return total / n
""",
    ),
    fill(
        "added up as they come",
        "metric",
        "add them up in float64: float16 overflows, float32 rounds",
        metric("values[mask]"),
    ),
    fill(
        "float for double",
        "metric",
        "add them up in float64: .float() rounds whole numbers above 2²⁴, and float64",
        metric("values[mask].float().double()"),
    ),
    fill(
        "NaN is passed over",
        "metric",
        "A NaN at a real position does matter: the mean is NaN",
        metric("values[mask].double()").replace("real.sum()", "real.nansum()"),
    ),
    fill(
        "only finite ones are real",
        "metric",
        "so does ∞: an infinite value at a real position is left out",
        metric("values[mask & ~values.isinf()].double()"),
    ),
    fill(
        "zeros are padding",
        "metric",
        "A 0 is a value like any other",
        metric("values[mask & (values != 0)].double()"),
    ),
    fill(
        "weighted means",
        "metric",
        "the mean over all real positions of all batches: a batch with none among others has the mean NaN, and NaN times 0 is NaN",
        """\
counts = [int(mask.sum()) for _, mask in batches]
if sum(counts) == 0:
    raise ValueError("nothing is real")
total = 0.0
for (values, mask), count in zip(batches, counts):
    total += values[mask].double().mean().item() * count
return total / sum(counts)
""",
    ),
    fill(
        "put together before the conversion",
        "metric",
        "values of any dtype, float64: cat brings int64 and float32 batches to float32, and rounds",
        """\
real = [values[mask] for values, mask in batches if mask.any()]
if not real:
    raise ValueError("nothing is real")
return torch.cat(real).double().mean().item()
""",
    ),
    fill(
        "padding is set to zero",
        "metric",
        "The tensors stay as they were: padding is written over",
        """\
total, n = 0.0, 0
for values, mask in batches:
    values[~mask] = 0
    total += values.double().sum().item()
    n += int(mask.sum())
if n == 0:
    raise ValueError("nothing is real")
return total / n
""",
    ),
    fill(
        "a sum of zero is nothing",
        "metric",
        "If there is no real position at all, raise: here also if the real values add up to 0",
        metric(zero="not total"),
    ),
    fill(
        "every batch must have one",
        "metric",
        "If there is no real position at all, of all batches: here one batch of padding is an error",
        metric(before="if not mask.any():\n        raise ValueError('nothing is real')"),
    ),
    fill(
        "masks by view",
        "metric",
        "The numbers of a tensor need not lie in order in memory: view refuses transposes",
        metric("values.view(-1)[mask.view(-1)].double()"),
    ),
]
RIGHT += [
    fill(
        "where, and one sum",
        "metric",
        "torch.where in float64 for the padding, and the number from count_nonzero",
        """\
zero = torch.zeros((), dtype=torch.float64)
sums = [torch.where(mask, values.to(torch.float64), zero).sum() for values, mask in batches]
n = sum(torch.count_nonzero(mask).item() for _, mask in batches)
if not n:
    raise ValueError("there is nothing real here")
return torch.stack(sums).sum().item() / n
""",
    ),
    fill(
        "two bins",
        "metric",
        "bincount with weights: padding goes to bin 0, the real values to bin 1",
        """\
bins, counts = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
for values, mask in batches:
    which = mask.reshape(-1).long()
    bins += torch.bincount(which, weights=values.reshape(-1).double(), minlength=2)
    counts += torch.bincount(which, minlength=2)
if counts[1] == 0:
    raise ValueError("nothing but padding")
return float(bins[1] / counts[1])
""",
    ),
    fill(
        "a list of Python floats",
        "metric",
        "Python's sum over a list, by masked_select and tolist",
        """\
real = [float(x) for v, m in batches for x in torch.masked_select(v, m).tolist()]
try:
    return sum(real) / len(real)
except ZeroDivisionError:
    raise ValueError("nothing to average") from None
""",
    ),
]

# ---------------------------------------------------------------- loop
LOOP = """\
came = model.training
lowest, best, history = math.inf, None, []
for step in range(1, n_steps + 1):
    batch = batches[(step - 1) % len(batches)]
    model.train()
    for p in model.parameters():
        p.grad = None
    losses_of(model, batch).mean().backward()
    with torch.no_grad():
        for p in model.parameters():
            if p.grad is not None:
                p -= learning_rate * p.grad
    if step % validate_every == 0:
        model.eval()
        with torch.no_grad():
            loss = validate(model)
        history.append((step, loss))
        if loss < lowest:
            lowest = loss
            best = {name: x.clone() for name, x in model.state_dict().items()}
if best is not None:
    model.load_state_dict(best)
model.train(came)
return history
"""


def loop(*changes):
    text = LOOP
    for old, new in changes:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    return text


WRONG += [
    fill(
        "begins with the second batch",
        "loop",
        "Step k takes the batch number (k − 1) mod len(batches): here k mod len",
        loop(("batches[(step - 1) % len(batches)]", "batches[step % len(batches)]")),
    ),
    fill(
        "validates at the end, too",
        "loop",
        "After each step whose number is a multiple of validate_every, validate: the last step is validated in any case",
        loop(
            ("if step % validate_every == 0:", "if step % validate_every == 0 or step == n_steps:")
        ),
    ),
    fill(
        "the start is the best if there is none",
        "loop",
        "If there was no validation, it keeps the last parameters: here it gets the first ones back",
        loop(
            (
                "lowest, best, history = math.inf, None, []",
                "lowest, history = math.inf, []\nbest = {name: x.clone() for name, x in model.state_dict().items()}",
            )
        ),
    ),
    fill(
        "eval is enough",
        "loop",
        "validate is called without gradients being recorded: evaluation mode does not do that",
        loop(
            (
                "        with torch.no_grad():\n            loss = validate(model)",
                "        loss = validate(model)",
            )
        ),
    ),
    fill(
        "recording stays off",
        "loop",
        "which are recorded again after it: recording is switched on at the next step, and after the last one not at all",
        loop(
            (
                "        with torch.no_grad():\n            loss = validate(model)",
                "        torch.set_grad_enabled(False)\n        loss = validate(model)",
            ),
            ("    model.train()\n", "    model.train()\n    torch.set_grad_enabled(True)\n"),
        ),
    ),
    fill(
        "clears after the step",
        "loop",
        "what is left in .grad from before, when train is called too, does not count: it is in the first step",
        loop(
            ("    for p in model.parameters():\n        p.grad = None\n", ""),
            (
                "                p -= learning_rate * p.grad\n",
                "                p -= learning_rate * p.grad\n            p.grad = None\n",
            ),
        ),
    ),
    fill(
        "what is left in a frozen one",
        "loop",
        "A parameter may be frozen: it stays as it is; with a gradient left from before it moves",
        loop(
            ("        p.grad = None\n", "        if p.requires_grad:\n            p.grad = None\n")
        ),
    ),
    fill(
        "lower by a hair does not count",
        "loop",
        "the validation with the lowest loss, by however little",
        loop(("if loss < lowest:", "if loss < lowest - 1e-6:")),
    ),
    fill(
        "a lowest of 0 is none yet",
        "loop",
        "Validation losses may be 0: after one of 0 the next is best, whatever it is",
        loop(
            ("math.inf, None, []", "None, None, []"),
            ("if loss < lowest:", "if not lowest or loss < lowest:"),
        ),
    ),
    fill(
        "a million for infinity",
        "loop",
        "Validation losses are finite, and may be very large: above a million none is ever best",
        loop(("math.inf, None, []", "1e6, None, []")),
    ),
    fill(
        "a rate of 0 is none",
        "loop",
        "A rate of 0 is one like any other: it is replaced by a default",
        loop(
            ("came = model.training", "came, learning_rate = model.training, learning_rate or 1e-2")
        ),
    ),
    fill(
        "takes the batches round",
        "loop",
        "The list batches stays as it was: it is turned step by step",
        loop(
            (
                "batch = batches[(step - 1) % len(batches)]",
                "batch = batches.pop(0)\n    batches.append(batch)",
            )
        ),
    ),
]
RIGHT += [
    fill(
        "all states are kept",
        "loop",
        "a state for each validation in a list, and min at the end; itertools.cycle over the batches",
        """\
from itertools import cycle, islice

came, states, history = model.training, [], []
for step, batch in enumerate(islice(cycle(batches), n_steps), 1):
    model.train()
    model.zero_grad(set_to_none=True)
    torch.mean(losses_of(model, batch)).backward()
    for p in model.parameters():
        if p.requires_grad and p.grad is not None:
            p.data.sub_(p.grad, alpha=learning_rate)
    if not step % validate_every:
        model.eval()
        with torch.no_grad():
            history.append((step, validate(model)))
        states.append({name: x.clone() for name, x in model.state_dict().items()})
if history:
    at = min(range(len(history)), key=lambda k: history[k][1])
    model.load_state_dict(states[at])
model.train(came)
return history
""",
    ),
    fill(
        "autograd.grad and deepcopy",
        "loop",
        "the gradients by autograd.grad with allow_unused, .grad is never touched; the best state is a deep copy",
        """\
import copy

mode = model.training
best, history = (math.inf, None), []
for k in range(n_steps):
    model.train(True)
    trained = [p for p in model.parameters() if p.requires_grad]
    loss = losses_of(model, batches[k % len(batches)]).mean()
    with torch.no_grad():
        for p, g in zip(trained, torch.autograd.grad(loss, trained, allow_unused=True)):
            if g is not None:
                p.add_(g, alpha=-learning_rate)
    if (k + 1) % validate_every == 0:
        model.train(False)
        with torch.no_grad():
            found = validate(model)
        history.append((k + 1, found))
        if found < best[0]:
            best = found, copy.deepcopy(model.state_dict())
if best[1] is not None:
    model.load_state_dict(best[1])
model.train(mode)
return history
""",
    ),
    write(
        "in three functions",
        "loop",
        "helpers for a step and a validation, the parameters as a list of clones that is copied back",
        dedent("""\
          def _step(model, losses, rate):
              for p in model.parameters():
                  p.grad = None
              losses.mean().backward()
              with torch.no_grad():
                  for p in model.parameters():
                      if p.grad is not None:
                          p.copy_(p - rate * p.grad)


          @torch.no_grad()
          def _ask(model, validate):
              model.eval()
              try:
                  return validate(model)
              finally:
                  model.train()


          def train(model, losses_of, batches, validate, learning_rate, n_steps, validate_every):
              was_training = model.training
              model.train()
              history, best = [], []
              for step in range(1, 1 + n_steps):
                  batch = batches[(step + len(batches) - 1) % len(batches)]
                  _step(model, losses_of(model, batch), learning_rate)
                  if step % validate_every == 0:
                      loss = _ask(model, validate)
                      if all(loss < other for _, other in history):
                          best = [x.detach().clone() for x in model.parameters()]
                      history.append((step, loss))
              with torch.no_grad():
                  for p, x in zip(model.parameters(), best):
                      p.copy_(x)
              model.train(was_training)
              return history
          """),
    ),
]
