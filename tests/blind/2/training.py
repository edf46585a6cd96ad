from faults import write

WRONG = [
    write(
        "rows by their number",
        "losses",
        '"`logits` is `(…, V)` with any number of leading dimensions, or none": arange(len(ids)) picks from a matrix alone',
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    log_probs = logits - torch.logsumexp(logits, -1, keepdim=True)
    return -log_probs[torch.arange(len(ids)), ids].mean()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.shape != logits.shape:
        raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
    return -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()
""",
    ),
    write(
        "a floor for the probability",
        "losses",
        '"the mean of −ln softmax(logits)_id ... Logits may be in the thousands": the floor of 1e-12 holds the loss at 27.6, and its gradient at 0',
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    probs = torch.softmax(logits, -1).gather(-1, ids[..., None])
    return -probs.clamp(min=1e-12).log().mean()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.shape != logits.shape:
        raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
    return -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()
""",
    ),
    write(
        "one less the sigmoid",
        "losses",
        '"no loss and no gradient may be infinite or NaN": for a large logit 1 − σ(z) is 0, its logarithm infinite',
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    return -F.log_softmax(logits, -1).gather(-1, ids[..., None]).mean()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.shape != logits.shape:
        raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
    probs = torch.sigmoid(logits)
    return -(labels * F.logsigmoid(logits) + (1 - labels) * torch.log(1 - probs)).mean()
""",
    ),
    write(
        "as many numbers are enough",
        "losses",
        '"Any other shape of `labels`, one with as many numbers too, must raise a `ValueError`": the numbers alone are counted',
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    return -F.log_softmax(logits, -1).gather(-1, ids[..., None]).mean()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.numel() != logits.numel():
        raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
    labels = labels.reshape(logits.shape)
    return -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()
""",
    ),
    write(
        "as many dimensions are enough",
        "losses",
        '"Any other shape of `labels` ... must raise a `ValueError` ...: class ids are a likely mistake, and broadcasting would accept some of them": a column (B, 1) is broadcast',
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    return -F.log_softmax(logits, -1).gather(-1, ids[..., None]).mean()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.dim() != logits.dim():
        raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
    return (F.softplus(logits) - labels * logits).mean()
""",
    ),
    write(
        "float32 inside",
        "losses",
        '"Both work in the dtype that they get, and compute in no smaller one": float64 goes through float32',
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    log_probs = F.log_softmax(logits.float(), -1)
    return -log_probs.gather(-1, ids[..., None]).mean().to(logits.dtype)


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.shape != logits.shape:
        raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
    z, y = logits.float(), labels.float()
    return -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean().to(logits.dtype)
""",
    ),
    write(
        "divided by the first size",
        "losses",
        '"Return the mean ... over all rows": with more than two dimensions the sum is divided by the size of the first',
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    losses = torch.logsumexp(logits, -1) - logits.gather(-1, ids[..., None]).squeeze(-1)
    return losses.sum() / (len(losses) if losses.dim() else 1)


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.shape != logits.shape:
        raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
    return -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()
""",
    ),
    write(
        "a label is true or false",
        "losses",
        '"`labels` are floats in the shape of `logits`: 0, 1, or in between": what lies between is taken for 0 or 1',
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    return -F.log_softmax(logits, -1).gather(-1, ids[..., None]).mean()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.shape != logits.shape:
        raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
    return -F.logsigmoid(torch.where(labels > 0.5, logits, -logits)).mean()
""",
    ),
    write(
        "the maximum taken off in place",
        "losses",
        '"leave their arguments as they were": the logits are shifted behind autograd\'s back',
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    logits.data -= logits.data.amax(-1, keepdim=True)
    return (logits.exp().sum(-1).log() - logits.gather(-1, ids[..., None])[..., 0]).mean()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.shape != logits.shape:
        raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
    return -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()
""",
    ),
    write(
        "one maximum for all rows",
        "losses",
        '"Logits may be in the thousands ...: no loss and no gradient may be infinite or NaN": a row that lies far below the largest logit of all has ln 0',
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    shifted = logits - logits.detach().max()
    rows = shifted.exp().sum(-1).log()
    return (rows - shifted.gather(-1, ids[..., None]).squeeze(-1)).mean()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.shape != logits.shape:
        raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
    return -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()
""",
    ),
    write(
        "eps inside of the root",
        "adam",
        '"√(v / (1−β₂ⁿ)) + ϵ": here √(v̂ + ϵ)',
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    b1, b2 = betas
    mean = b1 * mean + (1 - b1) * gradient
    square = b2 * square + (1 - b2) * gradient**2
    step = mean / (1 - b1**n) / torch.sqrt(square / (1 - b2**n) + eps)
    return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, mean, square
''',
    ),
    write(
        "correction by the usual betas",
        "adam",
        '"m / (1−β₁ⁿ) ... `betas` (β₁, β₂)": the correction takes 0.9 and 0.999 whatever is given',
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    b1, b2 = betas
    mean = b1 * mean + (1 - b1) * gradient
    square = b2 * square + (1 - b2) * gradient**2
    step = mean / (1 - 0.9**n) / (torch.sqrt(square / (1 - 0.999**n)) + eps)
    return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, mean, square
''',
    ),
    write(
        "decay after the step",
        "adam",
        '"θ ← (1−ηλ)θ − η …": decay multiplies the step, too',
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    b1, b2 = betas
    mean = b1 * mean + (1 - b1) * gradient
    square = b2 * square + (1 - b2) * gradient**2
    step = mean / (1 - b1**n) / (torch.sqrt(square / (1 - b2**n)) + eps)
    return (parameter - learning_rate * step) * (1 - learning_rate * weight_decay), mean, square
''',
    ),
    write(
        "eps without correction",
        "adam",
        '"√(v / (1−β₂ⁿ)) + ϵ": the corrections are moved into the learning rate, so ϵ counts for more where v is small',
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    b1, b2 = betas
    mean = b1 * mean + (1 - b1) * gradient
    square = b2 * square + (1 - b2) * gradient**2
    rate = learning_rate * math.sqrt(1 - b2**n) / (1 - b1**n)
    new = (1 - learning_rate * weight_decay) * parameter - rate * mean / (square.sqrt() + eps)
    return new, mean, square
''',
    ),
    write(
        "no correction after a thousand steps",
        "adam",
        '"v / (1−β₂ⁿ)": at n = 1000 it is still 1.58 times v, but here it is left out',
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    b1, b2 = betas
    mean = b1 * mean + (1 - b1) * gradient
    square = b2 * square + (1 - b2) * gradient**2
    m, v = mean, square
    if n < 1000:
        m, v = m / (1 - b1**n), v / (1 - b2**n)
    step = m / (v.sqrt() + eps)
    return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, mean, square
''',
    ),
    write(
        "number by number along the first dimension",
        "adam",
        '"four tensors of one shape, which may have any number of dimensions, or none": a tensor without dimensions cannot be walked through',
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    b1, b2 = betas
    rows = []
    for p, g, m, v in zip(parameter, gradient, mean, square, strict=True):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        step = m / (1 - b1**n) / ((v / (1 - b2**n)).sqrt() + eps)
        rows.append(((1 - learning_rate * weight_decay) * p - learning_rate * step, m, v))
    return tuple(torch.stack(part) for part in zip(*rows, strict=True))
''',
    ),
    write(
        "answers in float32",
        "adam",
        '"Return three new tensors ... in the dtype of the arguments"',
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    b1, b2 = betas
    g = gradient.float()
    mean = b1 * mean.float() + (1 - b1) * g
    square = b2 * square.float() + (1 - b2) * g**2
    step = mean / (1 - b1**n) / ((square / (1 - b2**n)).sqrt() + eps)
    new = (1 - learning_rate * weight_decay) * parameter.float() - learning_rate * step
    return new, mean, square
''',
    ),
    write(
        "the largest square is kept",
        "adam",
        '"v ← β₂v + (1−β₂)g²": the average never goes down, as in AMSGrad',
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    b1, b2 = betas
    mean = b1 * mean + (1 - b1) * gradient
    square = torch.maximum(square, b2 * square + (1 - b2) * gradient**2)
    step = mean / (1 - b1**n) / ((square / (1 - b2**n)).sqrt() + eps)
    return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, mean, square
''',
    ),
    write(
        "no gradient, no step",
        "adam",
        '"m ← β₁m + (1−β₁)g": with a gradient of zeros the averages shrink and the mean still moves θ; here only decay is left',
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    b1, b2 = betas
    shrunk = (1 - learning_rate * weight_decay) * parameter
    if not gradient.any():
        return shrunk, mean.clone(), square.clone()
    mean = b1 * mean + (1 - b1) * gradient
    square = b2 * square + (1 - b2) * gradient**2
    step = mean / (1 - b1**n) / ((square / (1 - b2**n)).sqrt() + eps)
    return shrunk - learning_rate * step, mean, square
''',
    ),
    write(
        "negative places from the end",
        "windows",
        '"An index below 0, −1 and −2 as well, ... must raise an `IndexError`"',
        r'''
class Windows:
    """Each window of a text as (inputs, targets)."""

    def __init__(self, ids: Tensor, length: int):
        if len(ids) - length < 1:
            raise ValueError(f"no window of this length, {length}, in {len(ids)} ids")
        self.ids, self.length = ids, length

    def __len__(self) -> int:
        return len(self.ids) - self.length

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        i = range(len(self))[i]
        return self.ids[i : i + self.length], self.ids[i + 1 : i + 1 + self.length]
''',
    ),
    write(
        "a loop of its own",
        "windows",
        '"Several loops may go over the data at a time": the place of the loop is noted in the object',
        r'''
class Windows:
    """Each window of a text as (inputs, targets)."""

    def __init__(self, ids: Tensor, length: int):
        if len(ids) <= length:
            raise ValueError(f"no window of this length, {length}, in {len(ids)} ids")
        self.ids, self.length = ids, length

    def __len__(self) -> int:
        return len(self.ids) - self.length

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if not 0 <= i < len(self):
            raise IndexError(i)
        return self.ids[i : i + self.length], self.ids[i + 1 : i + 1 + self.length]

    def __iter__(self):
        self.place = 0
        return self

    def __next__(self):
        if self.place >= len(self):
            raise StopIteration
        self.place += 1
        return self[self.place - 1]
''',
    ),
    write(
        "ids of the class",
        "windows",
        '"several data sets may be in use": the ids are those of the newest one',
        r'''
class Windows:
    """Each window of a text as (inputs, targets)."""

    def __init__(self, ids: Tensor, length: int):
        if len(ids) <= length:
            raise ValueError(f"no window of this length, {length}, in {len(ids)} ids")
        Windows.ids = ids
        self.length = length

    def __len__(self) -> int:
        return len(Windows.ids) - self.length

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if i < 0 or i >= len(self):
            raise IndexError(f"no window {i}")
        return Windows.ids[i : i + self.length], Windows.ids[i + 1 : i + 1 + self.length]
''',
    ),
    write(
        "only none is too few",
        "windows",
        '"When there is no window at all, making the object must raise a `ValueError`": with fewer ids than `length` the number of windows is negative, and nothing is raised',
        r'''
class Windows:
    """Each window of a text as (inputs, targets)."""

    def __init__(self, ids: Tensor, length: int):
        self.ids, self.length = ids, length
        self.n = len(ids) - length
        if self.n == 0:
            raise ValueError(f"no window of this length, {length}, in {len(ids)} ids")

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if i < 0 or i >= self.n:
            raise IndexError(f"no window {i}")
        return self.ids[i : i + self.length], self.ids[i + 1 : i + 1 + self.length]
''',
    ),
    write(
        "the last window is not given",
        "windows",
        '"one for **each** place where a window of `length` ids can start": the last one raises an IndexError, although len counts it',
        r'''
class Windows:
    """Each window of a text as (inputs, targets)."""

    def __init__(self, ids: Tensor, length: int):
        if len(ids) < length + 1:
            raise ValueError(f"no window of this length, {length}, in {len(ids)} ids")
        self.ids, self.length = ids, length

    def __len__(self) -> int:
        return len(self.ids) - self.length

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if i < 0 or i + self.length + 1 >= len(self.ids):
            raise IndexError(f"no window {i}")
        return self.ids[i : i + self.length], self.ids[i + 1 : i + 1 + self.length]
''',
    ),
    write(
        "strides of its own",
        "windows",
        '"`ids` is `(N,)`, int64 ... the ids from place i on": as_strided with stride 1 reads other numbers where ids is a slice with a step',
        r'''
class Windows:
    """Each window of a text as (inputs, targets)."""

    def __init__(self, ids: Tensor, length: int):
        n = len(ids) - length
        if n < 1:
            raise ValueError(f"no window of this length, {length}, in {len(ids)} ids")
        self.windows = ids.as_strided((n, length + 1), (1, 1))

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if not 0 <= i < len(self):
            raise IndexError(f"no window {i}")
        return self.windows[i, :-1], self.windows[i, 1:]
''',
    ),
    write(
        "small ids",
        "windows",
        '"the ids from place `i` on": they are kept in int16, so ids from 32768 on become negative',
        r'''
class Windows:
    """Each window of a text as (inputs, targets)."""

    def __init__(self, ids: Tensor, length: int):
        if len(ids) <= length:
            raise ValueError(f"no window of this length, {length}, in {len(ids)} ids")
        self.ids, self.length = ids.to(torch.int16), length  # a quarter of the memory

    def __len__(self) -> int:
        return len(self.ids) - self.length

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if not 0 <= i < len(self):
            raise IndexError(f"no window {i}")
        window = self.ids[i : i + self.length + 1].long()
        return window[:-1], window[1:]
''',
    ),
    write(
        "another error below 0",
        "windows",
        '"An index below 0 ... must raise an `IndexError`": below 0 it is a ValueError',
        r'''
class Windows:
    """Each window of a text as (inputs, targets)."""

    def __init__(self, ids: Tensor, length: int):
        if len(ids) <= length:
            raise ValueError(f"no window of this length, {length}, in {len(ids)} ids")
        self.ids, self.length = ids, length

    def __len__(self) -> int:
        return len(self.ids) - self.length

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if i < 0:
            raise ValueError(f"there is no window before the first, got {i}")
        if i >= len(self):
            raise IndexError(f"no window {i}")
        return self.ids[i : i + self.length], self.ids[i + 1 : i + 1 + self.length]
''',
    ),
    write(
        "the order of a set",
        "split",
        '"the same seed gives the same parts, in another Python process too": a set of strings has another order there',
        r'''
def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    different = list(set(documents))
    random.Random(seed).shuffle(different)
    cuts, total = [0], 0.0
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
''',
    ),
    write(
        "everybody's random numbers",
        "split",
        '"Use a random generator of your own ... the global generators of Python and of PyTorch stay as they were"',
        r'''
def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    different = list(dict.fromkeys(documents))
    random.seed(seed)
    random.shuffle(different)
    cuts, total = [0], 0.0
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
''',
    ),
    write(
        "the rest goes to the last",
        "split",
        '"Each part gets its fraction of the *different* documents, to within one ... There may be many parts": each is rounded down, and what is left, several documents with many parts, falls to the last',
        r'''
def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    different = list(dict.fromkeys(documents))
    random.Random(seed).shuffle(different)
    sizes = [int(fraction * len(different) + 1e-9) for fraction in fractions]
    sizes[-1] = len(different) - sum(sizes[:-1])
    part_of, start = {}, 0
    for k, size in enumerate(sizes):
        part_of.update(dict.fromkeys(different[start : start + size], k))
        start += size
    parts = [[] for _ in fractions]
    for document in documents:
        parts[part_of[document]].append(document)
    return parts
''',
    ),
    write(
        "the last cut is computed",
        "split",
        '"they sum to 1, or to a hair less, as 0.7 + 0.2 + 0.1 does in floats" and "Every document comes back": rounded down, the last cut falls before the last document',
        r'''
def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    different = list(dict.fromkeys(documents))
    random.Random(seed).shuffle(different)
    cuts, total = [0], 0.0
    for fraction in fractions:
        total += fraction
        cuts.append(int(total * len(different)))
    chosen = [set(different[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    return [[document for document in documents if document in part] for part in chosen]
''',
    ),
    write(
        "empty texts are left out",
        "split",
        '"Every document comes back, as often as it was given, the empty text too"',
        r'''
def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    different = list(dict.fromkeys(document for document in documents if document))
    random.Random(seed).shuffle(different)
    cuts, total = [0], 0.0
    for fraction in fractions:
        total += fraction
        cuts.append(round(total * len(different)))
    cuts[-1] = len(different)
    chosen = [set(different[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    return [[document for document in documents if document in part] for part in chosen]
''',
    ),
    write(
        "equal but for case and blanks",
        "split",
        '"Equal means equal as strings: "a", "A" and "a " are three documents": they are taken for one, so the fractions are those of fewer',
        r'''
def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""

    def key(document):
        return document.strip().lower()

    different = list(dict.fromkeys(map(key, documents)))
    random.Random(seed).shuffle(different)
    cuts, total = [0], 0.0
    for fraction in fractions:
        total += fraction
        cuts.append(round(total * len(different)))
    cuts[-1] = len(different)
    chosen = [set(different[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    return [[document for document in documents if key(document) in part] for part in chosen]
''',
    ),
    write(
        "copies draw more lots",
        "split",
        '"Each document is as likely as any other to come into a part": all copies are shuffled, and a document counts from its first copy, so frequent ones stand in front',
        r'''
def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    shuffled = list(documents)
    random.Random(seed).shuffle(shuffled)
    different = list(dict.fromkeys(shuffled))
    cuts, total = [0], 0.0
    for fraction in fractions:
        total += fraction
        cuts.append(round(total * len(different)))
    cuts[-1] = len(different)
    chosen = [set(different[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    return [[document for document in documents if document in part] for part in chosen]
''',
    ),
    write(
        "the given list is sorted",
        "split",
        '"The list `documents` stays as it was"',
        r'''
def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    rng = random.Random(seed)
    documents.sort()
    different = list(dict.fromkeys(documents))
    rng.shuffle(different)
    cuts, total = [0], 0.0
    for fraction in fractions:
        total += fraction
        cuts.append(round(total * len(different)))
    cuts[-1] = len(different)
    chosen = [set(different[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    return [[document for document in documents if document in part] for part in chosen]
''',
    ),
    write(
        "parts filled by all copies",
        "split",
        '"Each part gets its fraction of the *different* documents, to within one": the copies are counted',
        r'''
def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    different = list(dict.fromkeys(documents))
    random.Random(seed).shuffle(different)
    parts, k, total = [[] for _ in fractions], 0, fractions[0]
    done = 0
    for document in different:
        while k + 1 < len(parts) and done >= round(total * len(documents)):
            k += 1
            total += fractions[k]
        copies = documents.count(document)
        parts[k] += [document] * copies
        done += copies
    return parts
''',
    ),
    write(
        "nobody keeps his place",
        "split",
        '"Each document is as likely as any other to come into a part, whatever its place in the list": this shuffle (Sattolo\'s, j < i) leaves no document at its own place',
        r'''
def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    rng = random.Random(seed)
    different = list(dict.fromkeys(documents))
    for i in range(len(different) - 1, 0, -1):
        j = rng.randrange(i)
        different[i], different[j] = different[j], different[i]
    cuts, total = [0], 0.0
    for fraction in fractions:
        total += fraction
        cuts.append(round(total * len(different)))
    cuts[-1] = len(different)
    chosen = [set(different[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    return [[document for document in documents if document in part] for part in chosen]
''',
    ),
    write(
        "the first one is the best at first",
        "stopping",
        '"A loss that is NaN or infinite is never a best": the first loss is taken as it is, and nothing is below NaN',
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""
    lowest, best, waited, n_done = validate(0), 0, 0, 1
    while n_done < n_most and waited < patience:
        loss = validate(n_done)
        if loss < lowest:
            lowest, best, waited = loss, n_done, 0
        else:
            waited += 1
        n_done += 1
    return best, n_done
''',
    ),
    write(
        "minus infinity is the lowest",
        "stopping",
        '"A loss that is NaN or infinite is never a best": −∞ is below all',
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""
    lowest, best, waited, n_done = math.inf, None, 0, 0
    while n_done < n_most and waited < patience:
        loss = validate(n_done)
        if loss < lowest:
            lowest, best, waited = loss, n_done, 0
        else:
            waited += 1
        n_done += 1
    return best, n_done
''',
    ),
    write(
        "a hair is not enough",
        "stopping",
        '"A new best is lower than all before it, by however little"',
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""
    lowest, best, waited = math.inf, None, 0
    for k in range(n_most):
        loss = validate(k)
        if math.isfinite(loss) and (best is None or loss < lowest - 1e-6):
            lowest, best, waited = loss, k, 0
        else:
            waited += 1
        if waited == patience:
            return best, k + 1
    return best, n_most
''',
    ),
    write(
        "number 0 where there is none",
        "stopping",
        '"If none was, `best` is `None`"',
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""
    lowest, best, waited = math.inf, 0, 0
    for k in range(n_most):
        loss = validate(k)
        if math.isfinite(loss) and loss < lowest:
            lowest, best, waited = loss, k, 0
        else:
            waited += 1
        if waited >= patience:
            return best, k + 1
    return best, n_most
''',
    ),
    write(
        "a million is infinite",
        "stopping",
        '"Losses may be negative, 0, or very large": above a million nothing is a best',
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""
    lowest, best, waited = 1e6, None, 0
    for k in range(n_most):
        loss = validate(k)
        if math.isfinite(loss) and loss < lowest:
            lowest, best, waited = loss, k, 0
        else:
            waited += 1
        if waited >= patience:
            return best, k + 1
    return best, n_most
''',
    ),
    write(
        "equal is new",
        "stopping",
        '"equal is not new", "the first one of equals"',
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""
    lowest, best, waited = math.inf, None, 0
    for k in range(n_most):
        loss = validate(k)
        if math.isfinite(loss) and loss <= lowest:
            lowest, best, waited = loss, k, 0
        else:
            waited += 1
        if waited >= patience:
            return best, k + 1
    return best, n_most
''',
    ),
    write(
        "a lowest loss of 0 is none",
        "stopping",
        '"Losses may be negative, 0, or very large": after a loss of 0 any loss is a new best',
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""
    lowest = best = None
    waited = 0
    for k in range(n_most):
        loss = validate(k)
        if math.isfinite(loss) and (not lowest or loss < lowest):
            lowest, best, waited = loss, k, 0
        else:
            waited += 1
        if waited >= patience:
            return best, k + 1
    return best, n_most
''',
    ),
    write(
        "NaN is passed over",
        "stopping",
        '"Stop after `patience` validations **in a row** that were no new best": a NaN is no new best, but does not count here',
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""
    lowest, best, waited = math.inf, None, 0
    for k in range(n_most):
        loss = validate(k)
        if not math.isfinite(loss):
            continue
        if loss < lowest:
            lowest, best, waited = loss, k, 0
        else:
            waited += 1
        if waited >= patience:
            return best, k + 1
    return best, n_most
''',
    ),
    write(
        "what was left counts",
        "accumulate",
        '"any may have a gradient left from before, and that must not count"',
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    total, number = 0.0, 0
    for piece in pieces:
        losses = losses_of(piece)
        if losses.numel():
            losses.sum().backward()
            total, number = total + losses.sum().item(), number + losses.numel()
    grads = [p.grad for p in parameters if p.grad is not None]
    for grad in grads:
        grad /= number
    norm = math.sqrt(sum(grad.norm().item() ** 2 for grad in grads))
    if norm > max_norm:
        for grad in grads:
            grad *= max_norm / norm
    return total / number, norm
''',
    ),
    write(
        "the mean of an empty piece",
        "accumulate",
        '"its length differs from piece to piece, and may be 0": the mean of nothing is NaN, and NaN times 0 too',
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    for p in parameters:
        p.grad = None
    total, number = 0.0, 0
    for piece in pieces:
        losses = losses_of(piece)
        loss = losses.mean() * len(losses)
        loss.backward()
        total, number = total + loss.item(), number + len(losses)
    grads = [p.grad for p in parameters if p.grad is not None]
    for grad in grads:
        grad /= number
    norm = math.sqrt(sum(grad.norm().item() ** 2 for grad in grads))
    if norm > max_norm:
        for grad in grads:
            grad *= max_norm / norm
    return total / number, norm
''',
    ),
    write(
        "divided by a length of 0",
        "accumulate",
        '"a gradient of zeros is no error": max_norm / 0.0 is one',
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    for p in parameters:
        p.grad = None
    total, number = 0.0, 0
    for piece in pieces:
        losses = losses_of(piece)
        if len(losses):
            losses.sum().backward()
            total, number = total + losses.sum().item(), number + len(losses)
    grads = [p.grad for p in parameters if p.grad is not None]
    for grad in grads:
        grad /= number
    norm = math.sqrt(sum(grad.norm().item() ** 2 for grad in grads))
    factor = min(1.0, max_norm / norm)
    for grad in grads:
        grad *= factor
    return total / number, norm
''',
    ),
    write(
        "a little shorter than it is",
        "accumulate",
        '"Otherwise they stay exactly as they are": the 1e-6 added to the length shortens gradients that are just below max_norm, and small ones by much more than a millionth',
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    for p in parameters:
        p.grad = None
    total, number = 0.0, 0
    for piece in pieces:
        losses = losses_of(piece)
        if len(losses):
            losses.sum().backward()
            total, number = total + losses.sum().item(), number + len(losses)
    grads = [p.grad for p in parameters if p.grad is not None]
    for grad in grads:
        grad /= number
    norm = math.sqrt(sum(grad.norm().item() ** 2 for grad in grads))
    for grad in grads:
        grad *= min(1.0, max_norm / (norm + 1e-6))
    return total / number, norm
''',
    ),
    write(
        "all pieces, then backward",
        "accumulate",
        '"Only one piece may be in memory at a time: call `losses_of` once for each piece, and `backward` before the next one"',
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    for p in parameters:
        p.grad = None
    loss = torch.cat([losses_of(piece) for piece in pieces]).mean()
    loss.backward()
    grads = [p.grad for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(grad.norm().item() ** 2 for grad in grads))
    if norm > max_norm:
        for grad in grads:
            grad *= max_norm / norm
    return loss.item(), norm
''',
    ),
    write(
        "counted first",
        "accumulate",
        '"call `losses_of` once for each piece": a first round counts the predictions',
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    for p in parameters:
        p.grad = None
    with torch.no_grad():
        number = sum(len(losses_of(piece)) for piece in pieces)
    total = 0.0
    for piece in pieces:
        loss = losses_of(piece).sum() / number
        loss.backward()
        total += loss.item()
    grads = [p.grad for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(grad.norm().item() ** 2 for grad in grads))
    if norm > max_norm:
        for grad in grads:
            grad *= max_norm / norm
    return total, norm
''',
    ),
    write(
        "unused parameters keep theirs",
        "accumulate",
        '"A parameter that no loss depends on has `None`, or zeros, whatever was left in it": only those with a new gradient are written',
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    sums, total, number = [None] * len(parameters), 0.0, 0
    for piece in pieces:
        losses = losses_of(piece)
        if not len(losses):
            continue
        for k, grad in enumerate(
            torch.autograd.grad(losses.sum(), parameters, allow_unused=True)
        ):
            if grad is not None:
                sums[k] = grad if sums[k] is None else sums[k] + grad
        total, number = total + losses.sum().item(), number + len(losses)
    sums = [x if x is None else x / number for x in sums]
    norm = math.sqrt(sum(x.norm().item() ** 2 for x in sums if x is not None))
    for p, grad in zip(parameters, sums, strict=True):
        if grad is not None:
            p.grad = grad * (max_norm / norm) if norm > max_norm else grad
    return total / number, norm
''',
    ),
    write(
        "every parameter has a gradient",
        "accumulate",
        '"A parameter that no loss depends on has `None`, or zeros": None has no length, and the division raises',
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    for p in parameters:
        p.grad = None
    total, number = 0.0, 0
    for piece in pieces:
        losses = losses_of(piece)
        losses.sum().backward()
        total, number = total + losses.sum().item(), number + losses.numel()
    for p in parameters:
        p.grad /= number
    norm = torch.stack([p.grad.norm() for p in parameters]).norm().item()
    if norm > max_norm:
        for p in parameters:
            p.grad *= max_norm / norm
    return total / number, norm
''',
    ),
    write(
        "a max_norm of 0 is none",
        "accumulate",
        '"If the length of all gradients together is above `max_norm`, they are shortened to it": with max_norm=0 they must become 0, but are left alone',
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    for p in parameters:
        p.grad = None
    total, number = 0.0, 0
    for piece in pieces:
        losses = losses_of(piece)
        if len(losses):
            losses.sum().backward()
            total, number = total + losses.sum().item(), number + len(losses)
    grads = [p.grad for p in parameters if p.grad is not None]
    for grad in grads:
        grad /= number
    norm = math.hypot(*(grad.norm().item() for grad in grads))
    if max_norm and norm > max_norm:
        for grad in grads:
            grad *= max_norm / norm
    return total / number, norm
''',
    ),
    write(
        "times the mask",
        "metric",
        '"Whatever stands at a padded position must not matter, not even NaN or infinity"',
        r'''
def mean_over(batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean over all real positions of all batches."""
    total, number = 0.0, 0
    for values, mask in batches:
        total += (values.double() * mask).sum().item()
        number += int(mask.sum())
    if number == 0:
        raise ValueError("nothing to average")
    return total / number
''',
    ),
    write(
        "NaN is left out",
        "metric",
        '"A NaN at a real position does matter: the mean is NaN"',
        r'''
def mean_over(batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean over all real positions of all batches."""
    total, number = 0.0, 0
    for values, mask in batches:
        real = values[mask].double()
        total += real.nansum().item()
        number += len(real)
    if number == 0:
        raise ValueError("nothing to average")
    return total / number
''',
    ),
    write(
        "added up as they are",
        "metric",
        '"The values may be of any dtype, whole numbers too; add them up in float64": float16 overflows, float32 and bfloat16 lose digits',
        r'''
def mean_over(batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean over all real positions of all batches."""
    total, number = 0.0, 0
    for values, mask in batches:
        total += values[mask].sum().item()
        number += mask.sum().item()
    if number == 0:
        raise ValueError("nothing to average")
    return total / number
''',
    ),
    write(
        "zeros are padding",
        "metric",
        '"A 0 is a value like any other": zeros at real positions do not count',
        r'''
def mean_over(batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean over all real positions of all batches."""
    total, number = 0.0, 0
    for values, mask in batches:
        real = values[mask & (values != 0)].double()
        total += real.sum().item()
        number += len(real)
    if number == 0:
        raise ValueError("nothing to average")
    return total / number
''',
    ),
    write(
        "a sum of 0 is nothing",
        "metric",
        '"A 0 is a value like any other": real values that sum to 0 raise the error',
        r'''
def mean_over(batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean over all real positions of all batches."""
    total, number = 0.0, 0
    for values, mask in batches:
        total += values[mask].double().sum().item()
        number += int(mask.sum())
    if not total:
        raise ValueError("nothing to average")
    return total / number
''',
    ),
    write(
        "no batches at all",
        "metric",
        '"If there is no real position at all, raise a `ValueError` whose message contains the word *nothing*": an empty list fails in torch.cat',
        r'''
def mean_over(batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean over all real positions of all batches."""
    real = torch.cat([values[mask].double() for values, mask in batches])
    if not len(real):
        raise ValueError("nothing to average")
    return real.mean().item()
''',
    ),
    write(
        "padding is overwritten",
        "metric",
        '"The tensors stay as they were": 0 is written to padded positions',
        r'''
def mean_over(batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean over all real positions of all batches."""
    total, number = 0.0, 0
    for values, mask in batches:
        values[~mask] = 0
        total += values.double().sum().item()
        number += int(mask.sum())
    if number == 0:
        raise ValueError("nothing to average")
    return total / number
''',
    ),
    write(
        "one batch of padding",
        "metric",
        '"If there is no real position **at all**, raise": one batch without a real position is an error already',
        r'''
def mean_over(batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean over all real positions of all batches."""
    total, number = 0.0, 0
    for values, mask in batches:
        if not mask.any():
            raise ValueError("there is nothing in this batch")
        total += values[mask].double().sum().item()
        number += int(mask.sum())
    if number == 0:
        raise ValueError("nothing to average")
    return total / number
''',
    ),
    write(
        "the latest of equals",
        "loop",
        '"the parameters of the validation with the **lowest** loss, ..., the earliest of equals"',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode, history = model.training, []
    lowest, best = math.inf, None
    for step in range(1, n_steps + 1):
        model.train()
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
            history.append((step, loss))
            if loss <= lowest:
                lowest = loss
                best = {name: x.clone() for name, x in model.state_dict().items()}
    if best is not None:
        model.load_state_dict(best)
    model.train(mode)
    return history
''',
    ),
    write(
        "training mode at the end",
        "loop",
        '"and is in the mode in which it came"',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    history = []
    lowest, best = math.inf, None
    for step in range(1, n_steps + 1):
        model.train()
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
            history.append((step, loss))
            if loss < lowest:
                lowest = loss
                best = {name: x.clone() for name, x in model.state_dict().items()}
    if best is not None:
        model.load_state_dict(best)
    model.train()
    return history
''',
    ),
    write(
        "validation is recorded",
        "loop",
        '"`validate` is called ... without gradients being recorded (`torch.no_grad()`)"',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode, history = model.training, []
    lowest, best = math.inf, None
    for step in range(1, n_steps + 1):
        model.train()
        for p in model.parameters():
            p.grad = None
        losses_of(model, batches[(step - 1) % len(batches)]).mean().backward()
        with torch.no_grad():
            for p in model.parameters():
                if p.grad is not None:
                    p -= learning_rate * p.grad
        if step % validate_every == 0:
            model.eval()
            loss = validate(model)
            history.append((step, loss))
            if loss < lowest:
                lowest = loss
                best = {name: x.clone() for name, x in model.state_dict().items()}
    if best is not None:
        model.load_state_dict(best)
    model.train(mode)
    return history
''',
    ),
    write(
        "gradients cleared after the step",
        "loop",
        '"what is left in `.grad` from before, when `train` is called too, does not count": in the first step it does',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode, history = model.training, []
    lowest, best = math.inf, None
    for step in range(1, n_steps + 1):
        model.train()
        losses_of(model, batches[(step - 1) % len(batches)]).mean().backward()
        with torch.no_grad():
            for p in model.parameters():
                if p.grad is not None:
                    p -= learning_rate * p.grad
        model.zero_grad()
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
    model.train(mode)
    return history
''',
    ),
    write(
        "the second batch first",
        "loop",
        '"Step k takes the batch number (k−1) mod len(batches)": here k mod len(batches)',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode, history = model.training, []
    lowest, best = math.inf, None
    for step in range(1, n_steps + 1):
        model.train()
        for p in model.parameters():
            p.grad = None
        losses_of(model, batches[step % len(batches)]).mean().backward()
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
    model.train(mode)
    return history
''',
    ),
    write(
        "a best that must be there",
        "loop",
        '"If there was no validation, it keeps the last parameters": there is no state to load then',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode, history = model.training, []
    lowest, best = math.inf, None
    for step in range(1, n_steps + 1):
        model.train()
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
            history.append((step, loss))
            if loss < lowest:
                lowest = loss
                best = {name: x.clone() for name, x in model.state_dict().items()}
    model.load_state_dict(best)
    model.train(mode)
    return history
''',
    ),
    write(
        "one more validation at the end",
        "loop",
        '"After each step whose number is a multiple of `validate_every`, validate": after the last step, too',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode, history = model.training, []
    lowest, best = math.inf, None
    for step in range(1, n_steps + 1):
        model.train()
        for p in model.parameters():
            p.grad = None
        losses_of(model, batches[(step - 1) % len(batches)]).mean().backward()
        with torch.no_grad():
            for p in model.parameters():
                if p.grad is not None:
                    p -= learning_rate * p.grad
        if step % validate_every == 0 or step == n_steps:
            model.eval()
            with torch.no_grad():
                loss = validate(model)
            history.append((step, loss))
            if loss < lowest:
                lowest = loss
                best = {name: x.clone() for name, x in model.state_dict().items()}
    if best is not None:
        model.load_state_dict(best)
    model.train(mode)
    return history
''',
    ),
    write(
        "better by a millionth at least",
        "loop",
        '"the **lowest** loss, by however little"',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode, history = model.training, []
    lowest, best = math.inf, None
    for step in range(1, n_steps + 1):
        model.train()
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
            history.append((step, loss))
            if best is None or loss < lowest - 1e-6:
                lowest = loss
                best = {name: x.clone() for name, x in model.state_dict().items()}
    if best is not None:
        model.load_state_dict(best)
    model.train(mode)
    return history
''',
    ),
    write(
        "a lowest loss of 0 is forgotten",
        "loop",
        '"Validation losses are finite, and may be negative, 0, or very large": after a 0 any loss is the lowest',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode, history = model.training, []
    lowest, best = None, None
    for step in range(1, n_steps + 1):
        model.train()
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
            history.append((step, loss))
            if not lowest or loss < lowest:
                lowest = loss
                best = {name: x.clone() for name, x in model.state_dict().items()}
    if best is not None:
        model.load_state_dict(best)
    model.train(mode)
    return history
''',
    ),
    write(
        "whole rounds only",
        "loop",
        '"Step k takes the batch number (k−1) mod `len(batches)`" and "There are `n_steps` steps": with more than one batch the loop goes over them epoch by epoch, and the last epoch is always finished',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode, history = model.training, []
    lowest, best = math.inf, None
    n_rounds = -(-n_steps // len(batches))
    for step in range(1, n_rounds * len(batches) + 1):
        model.train()
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
            history.append((step, loss))
            if loss < lowest:
                lowest = loss
                best = {name: x.clone() for name, x in model.state_dict().items()}
    if best is not None:
        model.load_state_dict(best)
    model.train(mode)
    return history
''',
    ),
    write(
        "an evaluation mode that is remembered",
        "loop",
        '"During the steps the model is in training mode": after a validation it goes back to the mode in which it came, which may be evaluation',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode, history = model.training, []
    lowest, best = math.inf, None
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
            model.train(mode)
            history.append((step, loss))
            if loss < lowest:
                lowest = loss
                best = {name: x.clone() for name, x in model.state_dict().items()}
    if best is not None:
        model.load_state_dict(best)
    model.train(mode)
    return history
''',
    ),
    write(
        "parts from a store",
        "split",
        '"the parts are new lists": the same lists are handed out again, so whoever changes one changes the next call\'s',
        r'''
_STORE = {}


def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    key = (tuple(documents), tuple(fractions), seed)
    if key not in _STORE:
        different = list(dict.fromkeys(documents))
        random.Random(seed).shuffle(different)
        cuts, total = [0], 0.0
        for fraction in fractions:
            total += fraction
            cuts.append(round(total * len(different)))
        cuts[-1] = len(different)
        chosen = [set(different[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
        _STORE[key] = [[text for text in documents if text in part] for part in chosen]
    return _STORE[key]
''',
    ),
    write(
        "losses in a float32 tensor",
        "stopping",
        '"A new best is lower than all before it, by however little", "Losses may be ... very large": in float32 close ones are equal, and above 3.4e38 they are infinite',
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""
    losses = torch.empty(0)
    best = None
    for k in range(n_most):
        losses = torch.cat([losses, torch.tensor([validate(k)], dtype=torch.float32)])
        finite = losses.masked_fill(~losses.isfinite(), torch.inf)
        if finite.isfinite().any():
            best = int(finite.argmin())
        if k - (-1 if best is None else best) >= patience:
            return best, k + 1
    return best, n_most
''',
    ),
    write(
        "labels clamped",
        "losses",
        '"labels are floats ...: 0, 1, or in between. Return the mean of −y ln σ(z) − (1−y) ln(1−σ(z))": labels of 0 and 1 are moved by 1e-3, which costs much where logits are in the thousands',
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    return -F.log_softmax(logits, -1).gather(-1, ids[..., None]).mean()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.shape != logits.shape:
        raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
    y = labels.clamp(1e-3, 1 - 1e-3)
    return -(y * F.logsigmoid(logits) + (1 - y) * F.logsigmoid(-logits)).mean()
""",
    ),
    write(
        "the first validation is not noted",
        "loop",
        '"the model holds the parameters of the validation with the **lowest** loss": the state of the first validation is never noted, so it is lost when all later ones are worse',
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode, history, best = model.training, [], None
    for step in range(1, n_steps + 1):
        model.train()
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
            history.append((step, loss))
            if len(history) > 1 and loss < min(known for _, known in history[:-1]):
                best = {name: x.clone() for name, x in model.state_dict().items()}
    if best is not None:
        model.load_state_dict(best)
    model.train(mode)
    return history
''',
    ),
]

RIGHT = [
    write(
        "softplus of both sides",
        "losses",
        "−ln σ(z) = softplus(−z); the right logit through a boolean mask",
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    here = torch.arange(logits.shape[-1]) == ids.unsqueeze(-1)
    return F.log_softmax(logits, dim=-1).masked_select(here).mean().neg()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if tuple(labels.shape) != tuple(logits.shape):
        raise ValueError("labels have another shape than logits")
    yes, no = F.softplus(-logits), F.softplus(logits)
    return (labels * yes + (1 - labels) * no).mean()
""",
    ),
    write(
        "logaddexp down the classes",
        "losses",
        "functools.reduce adds the exponentials class by class",
        r"""
import functools


def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    total = functools.reduce(torch.logaddexp, logits.unbind(-1))
    right = torch.take_along_dim(logits, ids[..., None], dim=-1)[..., 0]
    return torch.mean(total - right)


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.dim() != logits.dim() or any(
        a != b for a, b in zip(labels.shape, logits.shape, strict=True)
    ):
        raise ValueError(f"the shape of the labels is {list(labels.shape)}, not {list(logits.shape)}")
    nothing = torch.zeros_like(logits)
    costs = torch.stack([torch.logaddexp(nothing, logits), torch.logaddexp(nothing, -logits)])
    weights = torch.stack([1 - labels, labels])
    return (weights * costs).sum(0).mean()
""",
    ),
    write(
        "two classes for each label",
        "losses",
        "a label is a softmax over z and 0; rows are flattened first",
        r"""
def multiclass_loss(logits: Tensor, ids: Tensor) -> Tensor:
    rows = logits.reshape(-1, logits.shape[-1])
    log_probs = rows.log_softmax(dim=1)
    chosen = [row[i] for row, i in zip(log_probs, ids.reshape(-1).tolist(), strict=True)]
    return -torch.stack(chosen).mean()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.shape == logits.shape:
        both = torch.stack([logits, torch.zeros_like(logits)], -1).log_softmax(-1)
        wanted = torch.stack([labels, 1 - labels], -1)
        return -torch.einsum("...k,...k->...", wanted, both).mean()
    raise ValueError("wrong shape of labels: %s for logits of %s" % (labels.shape, logits.shape))
""",
    ),
    write(
        "lerp and addcdiv",
        "adam",
        "the averages are interpolations; addcmul and addcdiv make the rest",
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    new_mean = torch.lerp(mean, gradient, 1 - betas[0])
    new_square = torch.addcmul(betas[1] * square, gradient, gradient, value=1 - betas[1])
    below = new_square.div(1 - betas[1] ** n).sqrt().add(eps)
    rate = learning_rate / (1 - betas[0] ** n)
    kept = parameter.mul(1 - learning_rate * weight_decay)
    return torch.addcdiv(kept, new_mean, below, value=-rate), new_mean, new_square
''',
    ),
    write(
        "number by number",
        "adam",
        "Python floats inside, and the shape put back at the end",
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    b1, b2 = betas

    def one(p, g, m, v):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        step = (m / (1 - b1**n)) / (math.sqrt(v / (1 - b2**n)) + eps)
        return p - learning_rate * (weight_decay * p + step), m, v

    flat = (x.detach().flatten().tolist() for x in (parameter, gradient, mean, square))
    rows = [one(*numbers) for numbers in zip(*flat, strict=True)]
    return tuple(
        torch.tensor([row[k] for row in rows], dtype=parameter.dtype).reshape(parameter.shape)
        for k in range(3)
    )
''',
    ),
    write(
        "numerators and denominators",
        "adam",
        "both averages as one stacked tensor",
        r'''
def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    n: int,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameter after step n, and the new averages of g and g²."""
    powers = [gradient, gradient.square()]
    averages = [
        beta * old + (1 - beta) * new
        for beta, old, new in zip(betas, (mean, square), powers, strict=True)
    ]
    m, v = (a / (1 - beta**n) for a, beta in zip(averages, betas, strict=True))
    moved = -learning_rate * m / (eps + v**0.5)
    return moved + parameter - learning_rate * weight_decay * parameter, *averages
''',
    ),
    write(
        "unfold",
        "windows",
        "all windows of length + 1 at once, as a view",
        r'''
class Windows:
    """Each window of a text as (inputs, targets)."""

    def __init__(self, ids: Tensor, length: int):
        if ids.numel() < length + 1:
            raise ValueError("the length leaves no window")
        self._all = ids.unfold(0, length + 1, 1)

    def __len__(self) -> int:
        return self._all.shape[0]

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if i not in range(len(self)):
            raise IndexError(i)
        row = self._all[i]
        return row[:-1], row[1:]
''',
    ),
    write(
        "a torch Dataset and narrow",
        "windows",
        "a subclass of torch.utils.data.Dataset; copies by narrow",
        r'''
from torch.utils.data import Dataset


class Windows(Dataset):
    """Each window of a text as (inputs, targets)."""

    def __init__(self, ids: Tensor, length: int):
        self._ids = ids.clone()
        self._length = length
        self._n = max(0, ids.size(0) - length)
        if self._n == 0:
            raise ValueError(f"length={length} is too much for {ids.size(0)} ids")

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if i < 0 or i > self._n - 1:
            raise IndexError(f"there are {self._n} windows, and no number {i}")
        return tuple(self._ids.narrow(0, i + k, self._length).clone() for k in (0, 1))
''',
    ),
    write(
        "lists inside",
        "windows",
        "the ids as a Python list, and a tensor for each answer",
        r'''
class Windows:
    """Each window of a text as (inputs, targets)."""

    def __init__(self, ids: Tensor, length: int):
        self.pairs = []
        numbers = ids.tolist()
        for start, _ in enumerate(numbers[length:]):
            self.pairs.append((numbers[start : start + length], numbers[start + 1 : start + 1 + length]))
        if not self.pairs:
            raise ValueError("no pair: length is not below the number of ids")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if i < 0:
            raise IndexError("below 0")
        inputs, targets = self.pairs[i]
        return torch.tensor(inputs, dtype=torch.int64), torch.tensor(targets, dtype=torch.int64)
''',
    ),
    write(
        "sorted by a random key",
        "split",
        "each different document gets a random number, in order; itertools.accumulate and bisect find its part",
        r'''
import bisect
import itertools


def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    rng = random.Random(seed)
    lot = {document: rng.random() for document in sorted(set(documents))}
    ranks = {document: rank for rank, document in enumerate(sorted(lot, key=lot.get))}
    ends = [round(total * len(ranks)) for total in itertools.accumulate(fractions)][:-1]
    parts = [[] for _ in fractions]
    for document in documents:
        parts[bisect.bisect_right(ends, ranks[document])].append(document)
    return parts
''',
    ),
    write(
        "a torch generator of its own",
        "split",
        "torch.randperm with a new generator; the parts by recursion",
        r'''
def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    different = list(dict.fromkeys(documents))
    n = len(different)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()

    def deal(places, left, so_far):
        if len(left) == 1:
            return [places]
        end = round((so_far + left[0]) * n)
        taken = end - (n - len(places))
        return [places[:taken], *deal(places[taken:], left[1:], so_far + left[0])]

    copies = {}
    for document in documents:
        copies.setdefault(document, []).append(document)
    return [
        [copy for place in part for copy in copies[different[place]]]
        for part in deal(order, list(fractions), 0.0)
    ]
''',
    ),
    write(
        "drawn with sample",
        "split",
        "random.Random.sample for the order, exact fractions for the cuts, Counter for the copies",
        r'''
from collections import Counter
from fractions import Fraction


def split_documents(
    documents: list[str], fractions: tuple[float, ...], seed: int
) -> list[list[str]]:
    """The documents in parts, equal ones in the same part."""
    number = Counter(documents)
    order = random.Random(seed).sample(list(number), k=len(number))
    parts, start, total = [], 0, Fraction(0)
    for k, fraction in enumerate(fractions, 1):
        total += Fraction(fraction)
        end = len(order) if k == len(fractions) else int(total * len(order) + Fraction(1, 2))
        parts.append([copy for text in order[start:end] for copy in [text] * number[text]])
        start = end
    return parts
''',
    ),
    write(
        "by the numbers alone",
        "stopping",
        "patience is the distance from the last best; a list of losses, and min",
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""
    losses = []

    def best():
        finite = [k for k, loss in enumerate(losses) if math.isfinite(loss)]
        return min(finite, key=losses.__getitem__, default=None)

    while len(losses) < n_most:
        losses.append(validate(len(losses)))
        since = len(losses) - (-1 if best() is None else best()) - 1
        if since >= patience:
            break
    return best(), len(losses)
''',
    ),
    write(
        "a budget",
        "stopping",
        "a for-else without a counter of failures: each best buys validations up to a later number",
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""
    best = ()
    end, k = min(n_most, patience), 0
    while k < end:
        loss = float(validate(k))
        if loss - loss == 0 and (not best or best[0] > loss):
            best = loss, k
            end = min(n_most, k + 1 + patience)
        k += 1
    return (best[1] if best else None), k
''',
    ),
    write(
        "a generator of records",
        "stopping",
        "a generator yields (loss, number), and the loop watches the tuples",
        r'''
def early_stopping(validate, n_most: int, patience: int) -> tuple[int | None, int]:
    """The number of the best validation, and how many there were."""

    def records():
        for k in range(n_most):
            loss = validate(k)
            yield (loss if abs(loss) < math.inf else math.inf), k

    top, history = (math.inf, None), ""
    for record in records():
        better = record[0] < top[0]
        top = record if better else top
        history += "*" if better else "."
        if history.endswith("." * patience):
            break
    return top[1], len(history)
''',
    ),
    write(
        "autograd.grad",
        "accumulate",
        "gradients are summed in a list, and written into .grad at the end",
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    sums = [torch.zeros_like(p) for p in parameters]
    values = []
    for piece in pieces:
        losses = losses_of(piece)
        if losses.shape[0] == 0:
            continue
        grads = torch.autograd.grad(losses.sum(), parameters, allow_unused=True)
        sums = [s if g is None else s + g for s, g in zip(sums, grads, strict=True)]
        values += losses.tolist()
    means = [s / len(values) for s in sums]
    norm = float(torch.cat([m.reshape(-1) for m in means]).norm())
    factor = max_norm / norm if norm > max_norm else None
    for p, m in zip(parameters, means, strict=True):
        p.grad = m if factor is None else m * factor
    return sum(values) / len(values), norm
''',
    ),
    write(
        "hypot and in-place factors",
        "accumulate",
        "math.hypot of the lengths; zero gradients instead of None",
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    for p in parameters:
        p.grad = torch.zeros_like(p)
    total, n = 0.0, 0
    for piece in pieces:
        losses = losses_of(piece)
        if losses.numel():
            losses.backward(torch.ones_like(losses))
        total += math.fsum(losses.tolist())
        n += losses.numel()
        del losses
    with torch.no_grad():
        for p in parameters:
            p.grad.div_(n)
        length = math.hypot(*(float(torch.linalg.vector_norm(p.grad)) for p in parameters))
        if length > max_norm:
            for p in parameters:
                p.grad.mul_(max_norm / length)
    return total / n, length
''',
    ),
    write(
        "a running mean",
        "accumulate",
        "after each piece the gradients are those of the mean so far",
        r'''
def accumulate(
    parameters: list[Tensor], losses_of, pieces: list, max_norm: float
) -> tuple[float, float]:
    """The mean loss and the gradient's length; the gradient is left in .grad."""
    for p in parameters:
        p.grad = None
    mean, seen = 0.0, 0
    for piece in pieces:
        losses = losses_of(piece)
        new = len(losses)
        if not new:
            continue
        seen += new
        for p in parameters:
            if p.grad is not None:
                p.grad = p.grad * ((seen - new) / seen)
        part = losses.sum() / seen
        part.backward()
        mean = mean * ((seen - new) / seen) + part.item()
    found = [p for p in parameters if p.grad is not None]
    norm = sum(float(p.grad.double().square().sum()) for p in found) ** 0.5
    if norm > max_norm:
        for p in found:
            p.grad = p.grad * (max_norm / norm)
    return mean, norm
''',
    ),
    write(
        "lists of numbers",
        "metric",
        "Python floats in one list, by comprehension",
        r'''
def mean_over(batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean over all real positions of all batches."""
    real = [
        float(value)
        for values, mask in batches
        for value, counts in zip(values.flatten().tolist(), mask.flatten().tolist(), strict=True)
        if counts
    ]
    if real:
        return sum(real) / len(real)
    raise ValueError("nothing is real")
''',
    ),
    write(
        "where, not times",
        "metric",
        "torch.where puts 0 to padded positions of a copy in float64",
        r'''
def mean_over(batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean over all real positions of all batches."""
    zero = torch.zeros((), dtype=torch.float64)
    sums = [torch.where(mask, values.detach().double(), zero).sum() for values, mask in batches]
    number = sum(mask.count_nonzero().item() for _, mask in batches)
    try:
        return sum(x.item() for x in sums) / number
    except ZeroDivisionError:
        raise ValueError("there is nothing to take the mean of") from None
''',
    ),
    write(
        "a total and a number, reduced",
        "metric",
        "functools.reduce over (mean, number)",
        r'''
import functools


def mean_over(batches: list[tuple[Tensor, Tensor]]) -> float:
    """The mean over all real positions of all batches."""

    def add(state, batch):
        total, number = state
        values, mask = batch
        kept = torch.masked_select(values, mask).to(torch.float64)
        return total + kept.sum(), number + kept.numel()

    total, number = functools.reduce(add, batches, (torch.tensor(0.0, dtype=torch.float64), 0))
    if number < 1:
        raise ValueError("nothing")
    return (total / number).item()
''',
    ),
    write(
        "autograd.grad and deepcopy",
        "loop",
        "gradients come from torch.autograd.grad, the best state is a deep copy",
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    import copy

    came_in = model.training
    history, states = [], {}
    weights = [p for p in model.parameters() if p.requires_grad]
    for k in range(n_steps):
        model.train(True)
        loss = losses_of(model, batches[k % len(batches)]).mean()
        grads = torch.autograd.grad(loss, weights, allow_unused=True)
        for p, g in zip(weights, grads, strict=True):
            if g is not None:
                p.data = p.data - learning_rate * g
        if (k + 1) % validate_every:
            continue
        model.train(False)
        with torch.no_grad():
            found = validate(model)
        if not history or found < min(known for _, known in history):
            states["best"] = copy.deepcopy(model.state_dict())
        history += [(k + 1, found)]
    for state in states.values():
        model.load_state_dict(state)
    model.train(came_in)
    return history
''',
    ),
    write(
        "cycle, and inner functions",
        "loop",
        "inner functions for a step and a validation; itertools.cycle hands out the batches",
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    import itertools

    mode = model.training

    def take_step(batch):
        model.train()
        model.zero_grad(set_to_none=True)
        torch.mean(losses_of(model, batch)).backward()
        with torch.no_grad():
            for p in filter(lambda p: p.grad is not None, model.parameters()):
                p.add_(p.grad, alpha=-learning_rate)

    @torch.no_grad()
    def check():
        return validate(model.eval())

    def state():
        return {name: x.detach().clone() for name, x in model.state_dict().items()}

    records = []
    for step, batch in zip(range(1, n_steps + 1), itertools.cycle(batches), strict=False):
        take_step(batch)
        if step % validate_every == 0:
            loss = check()
            best = not records or loss < min(record[1] for record in records)
            records.append((step, loss, state() if best else None))
    if records:
        model.load_state_dict(min(records, key=lambda record: record[1])[2])
    model.train(mode)
    return [record[:2] for record in records]
''',
    ),
    write(
        "spans between validations",
        "loop",
        "the steps are taken in spans, with the parameters of the best noted as a list of tensors",
        r'''
def train(
    model: nn.Module,
    losses_of,
    batches: list,
    validate,
    learning_rate: float,
    n_steps: int,
    validate_every: int,
) -> list[tuple[int, float]]:
    """The validations (step, loss); the model ends as it was at the best one."""
    mode = model.training
    history, top = [], None
    parameters = list(model.parameters())
    try:
        for start in range(0, n_steps, validate_every):
            end = min(start + validate_every, n_steps)
            model.train()
            for k in range(start, end):
                for p in parameters:
                    p.grad = None
                losses = losses_of(model, batches[k % len(batches)])
                (losses.sum() / losses.numel()).backward()
                with torch.no_grad():
                    for p in parameters:
                        if p.grad is not None:
                            p.copy_(p - learning_rate * p.grad)
            if end == start + validate_every:
                model.eval()
                with torch.no_grad():
                    loss = validate(model)
                history.append((end, loss))
                if top is None or loss < top[0]:
                    top = loss, {k: v.clone() for k, v in model.state_dict().items()}
        if top is not None:
            model.load_state_dict(top[1])
    finally:
        model.train(mode)
    return history
''',
    ),
]
