"""Answers to the assignment `training`: plausible and wrong, or right in another style."""

from . import edit, fill, frozen, write

LOG_PROBS = "logits - logits.logsumexp(-1, keepdim=True)"
PICK = "-log_probs.gather(-1, ids[..., None]).mean()"
BINARY = "-labels * F.logsigmoid(logits) - (1 - labels) * F.logsigmoid(-logits)"
MEAN_HAT = "mean / (1 - betas[0] ** n)"
SQUARE_HAT = "square / (1 - betas[1] ** n)"
DECAY = "parameter = (1 - learning_rate * weight_decay) * parameter"
STEP = "parameter - learning_rate * mean_hat / (square_hat.sqrt() + eps)"
BOTH = "return self.ids[i : i + self.length], self.ids[i + 1 : i + self.length + 1]"
N_WINDOWS = "return len(self.ids) - self.length"
DIFFERENT = "different = list(dict.fromkeys(documents))"
SHUFFLE = "random.Random(seed).shuffle(different)"
END = "end = len(different) if last else round(share * len(different))"
CLEAR = "    for parameter in parameters:\n        parameter.grad = None\n"
LOWER = "if -math.inf < loss < lowest:"
KEEP = "best = {name: x.clone() for name, x in model.state_dict().items()}"

WRONG = [
    # Task 1
    edit(
        "binary for exclusive classes",
        "losses",
        "K4: each class a yes or no, as article B trains a Transformer",
        (
            f"log_probs = {LOG_PROBS}\n    return {PICK}",
            "one_hot = F.one_hot(ids, logits.shape[-1]).to(logits.dtype)\n"
            "    return multilabel_loss(logits, one_hot)",
        ),
        cause="sigmoid",
    ),
    edit(
        "softmax twice",
        "losses",
        "given probabilities",
        (LOG_PROBS, "logits.softmax(-1).log_softmax(-1)"),
        cause="twice",
    ),
    edit(
        "log of softmax",
        "losses",
        "underflows",
        (LOG_PROBS, "logits.softmax(-1).log()"),
        cause="logarithm of a softmax",
    ),
    edit(
        "log of a clamped softmax",
        "losses",
        "no NaN, and no loss",
        (LOG_PROBS, "logits.softmax(-1).clamp(min=1e-9).log()"),
        cause="clamp",
    ),
    edit(
        "sum over rows",
        "losses",
        "no mean",
        (PICK, PICK.replace("mean", "sum")),
        cause="sum",
    ),
    edit(
        "softmax over dim 1",
        "losses",
        "right for a matrix",
        (LOG_PROBS, "logits.log_softmax(1)"),
        cause="last dimension",
    ),
    edit(
        "detached",
        "losses",
        "for logging",
        (PICK, "-log_probs.detach().gather(-1, ids[..., None]).mean()"),
        cause="detached",
    ),
    edit(
        "float32 only",
        "losses",
        "casts, and loses the dtype",
        (PICK, "-log_probs.float().gather(-1, ids[..., None]).mean()"),
        cause="dtype",
    ),
    edit(
        "only the labels that hold",
        "losses",
        "a label of 0 is free",
        (BINARY, "-labels * F.logsigmoid(logits)"),
        cause="label of 0",
    ),
    edit(
        "log of a sigmoid",
        "losses",
        "infinite times zero",
        (BINARY, "-labels * logits.sigmoid().log() - (1 - labels) * (1 - logits.sigmoid()).log()"),
        cause="logarithm of a sigmoid",
    ),
    edit(
        "log of a sigmoid, with a little added",
        "losses",
        "finite, and wrong for large logits",
        (
            BINARY,
            "-labels * (logits.sigmoid() + 1e-12).log()"
            " - (1 - labels) * (1 - logits.sigmoid() + 1e-12).log()",
        ),
        cause="logarithm of a sigmoid|added",
    ),
    edit(
        "labels rounded",
        "losses",
        "0 or 1, nothing between",
        ("losses = -labels", "labels = labels.round()\n    losses = -labels"),
        cause="between 0 and 1",
    ),
    edit(
        "sum over the labels",
        "losses",
        "mean over the rows",
        ("return losses.mean()", "return losses.sum(-1).mean()"),
        cause="sum over the labels",
    ),
    edit(
        "ids made one-hot",
        "losses",
        "accepts class ids",
        (
            "    if labels.shape != logits.shape:",
            "    if labels.dim() == logits.dim() - 1:\n"
            "        labels = F.one_hot(labels.long(), logits.shape[-1]).to(logits.dtype)\n"
            "    if labels.shape != logits.shape:",
        ),
        cause="shape",
    ),
    edit(
        "broadcasts",
        "losses",
        "only the last sizes are compared",
        ("if labels.shape != logits.shape", "if labels.dim() != logits.dim()"),
        cause="shape",
    ),
    edit(
        "as many numbers will do",
        "losses",
        "labels of (3, 5) for logits of (5, 3)",
        ("if labels.shape != logits.shape", "if labels.numel() != logits.numel()"),
        (
            BINARY,
            "-labels.reshape(logits.shape) * F.logsigmoid(logits) "
            "- (1 - labels.reshape(logits.shape)) * F.logsigmoid(-logits)",
        ),
        cause="shape",
    ),
    edit(
        "sizes sorted",
        "losses",
        "the same sizes in another order",
        ("if labels.shape != logits.shape", "if sorted(labels.shape) != sorted(logits.shape)"),
        cause="shape",
    ),
    edit(
        "only the last size",
        "losses",
        "rows may differ",
        ("if labels.shape != logits.shape", "if labels.shape[-1:] != logits.shape[-1:]"),
        cause="shape",
    ),
    edit(
        "id 0 is padding",
        "losses",
        "a habit from language models",
        (PICK, "-log_probs.gather(-1, ids[..., None])[ids[..., None] != 0].mean()"),
        cause="id 0",
    ),
    edit(
        "in float32, and back",
        "losses",
        "the dtype is kept, the digits are not",
        (
            LOG_PROBS,
            "(logits.float() - logits.float().logsumexp(-1, keepdim=True)).to(logits.dtype)",
        ),
        cause="float32",
    ),
    edit(
        "labels in float32",
        "losses",
        "converted on the way in, and back",
        (BINARY, f"({BINARY.replace('logits', 'logits.float()')}).to(logits.dtype)"),
        cause="float32",
    ),
    edit(
        "where, with a NaN behind it",
        "losses",
        "the value is right, and its gradient NaN",
        (
            BINARY,
            "torch.where(logits.abs() < 50, -labels * logits.sigmoid().log() - (1 - labels) * "
            "(1 - logits.sigmoid()).log(), logits.clamp(min=0) - logits * labels)",
        ),
        cause="gradient",
    ),
    edit(
        "large logits clamped",
        "losses",
        "nobody needs more than 100",
        ("    losses = -labels", "    logits = logits.clamp(-100, 100)\n    losses = -labels"),
        cause="clamp",
    ),
    edit(
        "centered by hand, in place",
        "losses",
        "logits -= their largest",
        (
            f"    log_probs = {LOG_PROBS}",
            "    with torch.no_grad():\n"
            "        logits -= logits.amax(-1, keepdim=True)\n"
            f"    log_probs = {LOG_PROBS}",
        ),
        cause="in place",
    ),
    edit(
        "softmax over the rows where it fits",
        "losses",
        "as many rows as classes",
        (
            "logits.logsumexp(-1, keepdim=True)",
            "logits.logsumexp(0 if logits.shape[0] == logits.shape[-1] > 1 else -1, keepdim=True)",
        ),
        cause="last dimension",
    ),
    # Task 2
    edit(
        "no correction",
        "adam",
        "the hats forgotten",
        (MEAN_HAT, "mean"),
        (SQUARE_HAT, "square"),
        cause="correction",
    ),
    edit(
        "corrected for ever",
        "adam",
        "as if n were 1",
        (MEAN_HAT, "mean / (1 - betas[0])"),
        (SQUARE_HAT, "square / (1 - betas[1])"),
        cause="step n|uses n",
    ),
    edit(
        "corrected averages kept",
        "adam",
        "corrected again next time",
        ("return parameter, mean, square", "return parameter, mean_hat, square_hat"),
        cause="corrected",
    ),
    edit(
        "counts from 0",
        "adam",
        "n + 1 for n",
        (MEAN_HAT, "mean / (1 - betas[0] ** (n + 1))"),
        (SQUARE_HAT, "square / (1 - betas[1] ** (n + 1))"),
        cause="from 0",
    ),
    edit(
        "ε in the root",
        "adam",
        "√(v̂ + ε)",
        ("(square_hat.sqrt() + eps)", "(square_hat + eps).sqrt()"),
        cause="outside of the root",
    ),
    edit(
        "no root",
        "adam",
        "divided by the square",
        ("square_hat.sqrt()", "square_hat"),
        cause="root of the square is missing|root of the square missing",
    ),
    edit(
        "decay in the gradient",
        "adam",
        "Adam, not AdamW",
        (
            "    mean = betas[0]",
            "    gradient = gradient + weight_decay * parameter\n    mean = betas[0]",
        ),
        (f"    {DECAY}\n", ""),
        cause="added to the gradient",
    ),
    edit(
        "decay without the rate",
        "adam",
        "1 - λ",
        (DECAY, "parameter = (1 - weight_decay) * parameter"),
        cause="learning rate",
    ),
    edit(
        "decay after the step",
        "adam",
        "shrinks the step too",
        (f"    {DECAY}\n", ""),
        (f"parameter = {STEP}", f"parameter = (1 - learning_rate * weight_decay) * ({STEP})"),
        cause="old parameter",
    ),
    edit(
        "betas swapped",
        "adam",
        "the slow one for the mean",
        ("betas[0] * mean + (1 - betas[0])", "betas[1] * mean + (1 - betas[1])"),
        (MEAN_HAT, "mean / (1 - betas[1] ** n)"),
        cause="swapped",
    ),
    edit(
        "in place",
        "adam",
        "changes the averages it was given",
        (
            "mean = betas[0] * mean + (1 - betas[0]) * gradient",
            "mean.mul_(betas[0]).add_((1 - betas[0]) * gradient)",
        ),
        cause="in place",
    ),
    edit(
        "usual betas",
        "adam",
        "0.9 and 0.999, whatever is asked for",
        ("    mean = betas[0]", "    betas = (0.9, 0.999)\n    mean = betas[0]"),
        cause="betas",
    ),
    edit(
        "converted to float32",
        "adam",
        "and back, at each step",
        (
            "square = betas[1] * square",
            "gradient = gradient.float().to(parameter.dtype)\n    square = betas[1] * square",
        ),
        cause="float32",
    ),
    edit(
        "ε before the correction",
        "adam",
        "(√v + ε) / √(1 − β₂ⁿ)",
        ("(square_hat.sqrt() + eps)", "((square.sqrt() + eps) / math.sqrt(1 - betas[1] ** n))"),
        cause="ε",
    ),
    edit(
        "ε is always 1e-8",
        "adam",
        "whatever is asked for",
        ("square_hat.sqrt() + eps", "square_hat.sqrt() + 1e-8"),
        cause="ε|eps",
    ),
    edit(
        "only the first ten steps are corrected",
        "adam",
        "later the correction is thought to be 1",
        (MEAN_HAT, "mean / (1 - betas[0] ** n) if n < 10 else mean"),
        (SQUARE_HAT, "square / (1 - betas[1] ** n) if n < 10 else square"),
        cause="n = 1000|correction",
    ),
    edit(
        "counts the steps itself",
        "adam",
        "a counter on the function, and not n",
        (
            "    mean = betas[0]",
            '    adam_step.n = n = getattr(adam_step, "n", 0) + 1\n    mean = betas[0]',
        ),
        cause="correction|arguments",
    ),
    edit(
        "what is returned is the gradient itself",
        "adam",
        "a copy saved where β₁ is 0",
        (
            "mean = betas[0] * mean + (1 - betas[0]) * gradient",
            "mean = gradient if betas[0] == 0 else betas[0] * mean + (1 - betas[0]) * gradient",
        ),
        cause="memory",
    ),
    edit(
        "the parameter changed in place",
        "adam",
        "parameter -= …",
        (
            f"    parameter = {STEP}",
            "    parameter -= learning_rate * mean_hat / (square_hat.sqrt() + eps)",
        ),
        (f"    {DECAY}\n", "    parameter *= 1 - learning_rate * weight_decay\n"),
        cause="in place",
    ),
    edit(
        "AMSGrad",
        "adam",
        "the largest square so far",
        (
            "square = betas[1] * square + (1 - betas[1]) * gradient**2",
            "square = torch.maximum(square, betas[1] * square + (1 - betas[1]) * gradient**2)",
        ),
        cause="square",
    ),
    edit(
        "a list of three",
        "adam",
        "no return of the averages",
        ("return parameter, mean, square", "return parameter"),
        cause="three",
    ),
    # Task 3
    write(
        "placeholders",
        "windows",
        "K3: data and targets are two lists to be filled in; the targets are the inputs",
        """
class Windows:
    def __init__(self, ids, length):
        if len(ids) <= length:
            raise ValueError("length must be smaller")
        self.data = [ids[i : i + length] for i in range(len(ids) - length)]
        self.targets = self.data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        if not 0 <= i < len(self.data):
            raise IndexError(i)
        return self.data[i], self.targets[i]
""",
        cause="inputs themselves",
    ),
    edit(
        "one target",
        "windows",
        "the id after the window",
        (
            BOTH,
            "return self.ids[i : i + self.length], self.ids[i + self.length : i + self.length + 1]",
        ),
        cause="one target only",
    ),
    edit(
        "side by side",
        "windows",
        "windows that do not overlap",
        (N_WINDOWS, "return (len(self.ids) - 1) // self.length"),
        ("return self.ids[i :", "i = i * self.length\n        return self.ids[i :"),
        cause="overlap",
    ),
    edit(
        "one too many",
        "windows",
        "the last target is missing",
        (N_WINDOWS, "return len(self.ids) - self.length + 1"),
        cause="last target",
    ),
    edit(
        "slices forgive",
        "windows",
        "no check of the index",
        (
            "        if not 0 <= i < len(self):\n"
            '            raise IndexError(f"i must lie in 0…{len(self) - 1}, got {i}")\n',
            "",
        ),
        cause="slice",
    ),
    edit(
        "from the end",
        "windows",
        "negative indices, half right",
        ("if not 0 <= i < len(self)", "if i >= len(self)"),
        cause="below 0",
    ),
    edit(
        "shifted by two",
        "windows",
        "targets one too far for long windows",
        (
            BOTH,
            "step = 1 + (self.length > 4)\n"
            "        return self.ids[i : i + self.length], self.ids[i + step : i + self.length "
            "+ step]",
        ),
        cause="one place further",
    ),
    edit(
        "one window is none",
        "windows",
        "refuses a text with one window",
        ("if len(ids) <= length:", "if len(ids) <= length + 1:"),
        cause="off by one",
    ),
    edit(
        "shorter texts only",
        "windows",
        "no window, and no error",
        ("if len(ids) <= length:", "if len(ids) == length:"),
        cause="no window",
    ),
    edit(
        "only −1 is refused",
        "windows",
        "as if no other negative number existed",
        ("if not 0 <= i < len(self)", "if i == -1 or i >= len(self)"),
        cause="below 0",
    ),
    edit(
        "as in a list",
        "windows",
        "data[-1] is the last window",
        (
            "        if not 0 <= i < len(self)",
            "        i = i + len(self) if i < 0 else i\n        if not 0 <= i < len(self)",
        ),
        cause="below 0",
    ),
    edit(
        "as in a list, but not too far",
        "windows",
        "negative indices to −len",
        ("if not 0 <= i < len(self)", "if not (0 <= i < len(self) or i < -1 and i >= -len(self))"),
        ("return self.ids[i : i", "i %= len(self)\n        return self.ids[i : i"),
        cause="below 0",
    ),
    edit(
        "stored in the class",
        "windows",
        "the last data set replaces all",
        ("self.ids, self.length = ids, length", "Windows.ids, Windows.length = ids, length"),
        cause="second|class",
    ),
    write(
        "one loop at a time",
        "windows",
        "the object is its own iterator",
        """
class Windows:
    def __init__(self, ids, length):
        if len(ids) <= length:
            raise ValueError("length must be smaller")
        self.ids, self.length = ids, length

    def __len__(self):
        return len(self.ids) - self.length

    def __iter__(self):
        self.next = 0
        return self

    def __next__(self):
        if self.next >= len(self):
            raise StopIteration
        self.next += 1
        return self[self.next - 1]

    def __getitem__(self, i):
        if not 0 <= i < len(self):
            raise IndexError(i)
        return self.ids[i : i + self.length], self.ids[i + 1 : i + self.length + 1]
""",
        cause="loop",
    ),
    edit(
        "targets rolled in place",
        "windows",
        "ids moves on by one",
        (
            "self.ids, self.length = ids, length",
            "self.ids, self.length = ids.clone(), length\n        ids.copy_(ids.roll(-1))",
        ),
        cause="changed",
    ),
    edit(
        "32 bits",
        "windows",
        "half the memory",
        ("self.ids, self.length = ids, length", "self.ids, self.length = ids.int(), length"),
        cause="dtype",
    ),
    edit(
        "a window of one is a number",
        "windows",
        "squeezed",
        (BOTH, BOTH.replace("length],", "length].squeeze(),") + ".squeeze()"),
        cause="shape",
    ),
    edit(
        "the wrong error",
        "windows",
        "a ValueError for an index",
        ("raise IndexError", "raise ValueError"),
        cause="IndexError",
    ),
    # Task 4
    edit(
        "by copy",
        "split",
        "K3: equal documents on both sides",
        (DIFFERENT, "different = list(documents)"),
        (
            "    parts = [[] for _ in fractions]\n"
            "    for document in documents:\n"
            "        parts[part_of[document]].append(document)\n"
            "    return parts",
            "    cuts = [0]\n"
            "    for fraction in fractions:\n"
            "        cuts.append(cuts[-1] + fraction * len(different))\n"
            "    cuts = [round(cut) for cut in cuts]\n"
            "    return [different[a:b] for a, b in zip(cuts, cuts[1:])]",
        ),
        cause="two parts|copies|as often",
    ),
    edit(
        "not shuffled",
        "split",
        "the first are for training",
        (f"    {SHUFFLE}\n", ""),
        cause="shuffled",
    ),
    edit(
        "shuffled once for all",
        "split",
        "the seed is never used",
        (SHUFFLE, "random.Random(0).shuffle(different)"),
        cause="another seed",
    ),
    edit(
        "rounding loses some",
        "split",
        "the last part ends at a cut, too",
        (END, "end = start + int(fraction * len(different))"),
        (
            "        parts[part_of[document]].append(document)",
            "        if document in part_of:\n"
            "            parts[part_of[document]].append(document)",
        ),
        cause="lost",
    ),
    edit(
        "copies dropped",
        "split",
        "each text once",
        ("for document in documents:", "for document in different:"),
        cause="copies",
    ),
    edit(
        "cuts that add up the rounding",
        "split",
        "several parts, each rounded alone",
        (END, "end = len(different) if last else start + int(fraction * len(different))"),
        cause="rounded alone",
    ),
    edit(
        "fractions of all copies",
        "split",
        "counts every copy",
        (END, "end = len(different) if last else round(share * len(documents))"),
        cause="copies included",
    ),
    edit(
        "documents shuffled in place",
        "split",
        "the caller's list",
        (
            DIFFERENT,
            "random.Random(seed).shuffle(documents)\n"
            "    different = list(dict.fromkeys(sorted(documents)))",
        ),
        cause="in place",
    ),
    edit(
        "two parts",
        "split",
        "right for two fractions",
        (
            "part_of.update(dict.fromkeys(different[start:end], part))",
            "part_of.update(dict.fromkeys(different[start:end], min(part, 1)))",
        ),
        cause="parts",
    ),
    edit(
        "moved on by the seed",
        "split",
        "no shuffle: a piece of the list that starts elsewhere",
        (SHUFFLE, "k = seed % max(1, len(different)); different = different[k:] + different[:k]"),
        cause="another seed|stay together|shuffled",
    ),
    edit(
        "moved on by chance",
        "split",
        "neighbors stay neighbors",
        (
            SHUFFLE,
            "k = random.Random(seed).randrange(10**9) % max(1, len(different))\n"
            "    different = different[k:] + different[:k]",
        ),
        cause="another seed|stay together|shuffled",
    ),
    edit(
        "ten seeds",
        "split",
        "the last digit",
        (SHUFFLE, "random.Random(seed % 10).shuffle(different)"),
        cause="another seed",
    ),
    edit(
        "16 bits of seed",
        "split",
        "the others are cut off",
        (SHUFFLE, "random.Random(seed % 2**16).shuffle(different)"),
        cause="another seed",
    ),
    edit(
        "the first stays first",
        "split",
        "a shuffle of all the others",
        (
            SHUFFLE,
            "rest = different[1:]\n    random.Random(seed).shuffle(rest)\n    different[1:] = rest",
        ),
        cause="likely",
    ),
    edit(
        "a set",
        "split",
        "other parts in another process",
        (DIFFERENT, "different = list(set(documents))"),
        cause="process",
    ),
    edit(
        "by its hash",
        "split",
        "sorted by hash(document) and the seed",
        (SHUFFLE, "different.sort(key=lambda document: hash((document, seed)))"),
        cause="process",
    ),
    edit(
        "Python's own generator",
        "split",
        "random.seed for all",
        (SHUFFLE, "random.seed(seed)\n    random.shuffle(different)"),
        cause="global",
    ),
    edit(
        "PyTorch's own generator",
        "split",
        "torch.manual_seed for all",
        (
            SHUFFLE,
            "torch.manual_seed(seed)\n"
            "    different = [different[i] for i in torch.randperm(len(different)).tolist()]",
        ),
        cause="global",
    ),
    edit(
        "every cut rounded down",
        "split",
        "the last part ends at a cut, which is a hair too low",
        (END, "end = int(share * len(different))"),
        (
            "        parts[part_of[document]].append(document)",
            "        if document in part_of:\n"
            "            parts[part_of[document]].append(document)",
        ),
        cause="hair|lost",
    ),
    edit(
        "the empty text is none",
        "split",
        "if document: …",
        (
            "        parts[part_of[document]].append(document)",
            "        if document:\n            parts[part_of[document]].append(document)",
        ),
        cause="lost",
    ),
    edit(
        "spaces stripped",
        "split",
        "a and a-and-a-space are one",
        (
            "    for document in documents:\n        parts[part_of[document]]",
            "    for document in documents:\n        parts[part_of[document.strip() if "
            "document.strip() in part_of else document]]",
        ),
        (DIFFERENT, "different = list(dict.fromkeys(d.strip() for d in documents))"),
        cause="different documents",
    ),
    edit(
        "small and capital alike",
        "split",
        "casefold",
        (
            DIFFERENT,
            "texts, documents = documents, [d.casefold() for d in documents]\n"
            "    different = list(dict.fromkeys(documents))",
        ),
        cause="lost",
    ),
    edit(
        "one part is the list itself",
        "split",
        "nothing to deal out",
        (
            DIFFERENT,
            "if len(fractions) == 1:\n        return [documents]\n"
            "    different = list(dict.fromkeys(documents))",
        ),
        cause="itself|new list",
    ),
    # Task 5
    edit(
        "the last one",
        "stopping",
        "where it stopped is what is kept",
        ("return best, k + 1", "return k, k + 1"),
        cause="last one",
    ),
    edit(
        "equal is new",
        "stopping",
        "<= for <",
        (LOWER, "if loss <= lowest:"),
        cause="equal",
    ),
    edit(
        "worse in all",
        "stopping",
        "not in a row",
        ("best, lowest, n_worse = k, loss, 0", "best, lowest = k, loss"),
        cause="in a row",
    ),
    edit(
        "one too patient",
        "stopping",
        "> for ==",
        ("if n_worse == patience", "if n_worse > patience"),
        cause="too patient",
    ),
    edit(
        "compared with the one before",
        "stopping",
        "better than last time is enough",
        (
            f"        {LOWER}\n            best, lowest, n_worse = k, loss, 0",
            "        if loss < lowest:\n"
            "            best = k if best is None or loss < least else best\n"
            "            least = loss if best == k else least\n"
            "            lowest, n_worse = loss, 0",
        ),
        ("            n_worse += 1", "            lowest = loss\n            n_worse += 1"),
        cause="the one before",
    ),
    edit(
        "NaN is a best",
        "stopping",
        "asks for not worse",
        (LOWER, "if not loss >= lowest:"),
        cause="NaN is never",
    ),
    edit(
        "NaN is skipped",
        "stopping",
        "and not counted",
        (
            f"        {LOWER}",
            "        if math.isnan(loss):\n            continue\n        if loss < lowest:",
        ),
        cause="NaN",
    ),
    edit(
        "a first best",
        "stopping",
        "0 if there was none",
        ("best, lowest, n_worse = None, math.inf, 0", "best, lowest, n_worse = 0, math.inf, 0"),
        cause="is None",
    ),
    edit(
        "all at once",
        "stopping",
        "validates n_most times, then looks",
        (
            "    for k in range(n_most):\n        loss = validate(k)\n",
            "    losses = [validate(k) for k in range(n_most)]\n"
            "    for k, loss in enumerate(losses):\n",
        ),
        cause="called with",
    ),
    edit(
        "a best from the first on",
        "stopping",
        "the first is always a best, whatever it is",
        (LOWER, "if best is None or loss < lowest:"),
        cause="NaN|infin",
    ),
    edit(
        "infinity is a best",
        "stopping",
        "if there was none before",
        (LOWER, "if loss < lowest or best is None and not math.isnan(loss):"),
        cause="infin",
    ),
    edit(
        "number 0 is none",
        "stopping",
        "if not best: …",
        (LOWER, "if not best or loss < lowest:"),
        cause="number 0|taken for nothing|no new best|lower than",
    ),
    edit(
        "a loss of 0 is none",
        "stopping",
        "if not lowest: …",
        (LOWER, "if not lowest or loss < lowest:"),
        cause="taken for nothing",
    ),
    edit(
        "a little is not enough",
        "stopping",
        "min_delta",
        (LOWER, "if loss < lowest - 1e-6:"),
        cause="little",
    ),
    edit(
        "a part of a thousandth is not enough",
        "stopping",
        "relative",
        (LOWER, "if loss < lowest * 0.999:"),
        cause="little|negative|any size",
    ),
    edit(
        "a billion for infinity",
        "stopping",
        "no loss is larger",
        ("None, math.inf, 0", "None, 1e9, 0"),
        cause="any size|large",
    ),
    edit(
        "losses are positive",
        "stopping",
        "absolute values",
        ("loss = validate(k)", "loss = abs(validate(k))"),
        cause="negative",
    ),
    edit(
        "remembers the last call",
        "stopping",
        "the lowest on the function",
        (
            "best, lowest, n_worse = None, math.inf, 0",
            'best, lowest, n_worse = None, getattr(early_stopping, "lowest", math.inf), 0',
        ),
        (
            "best, lowest, n_worse = k, loss, 0",
            "best, lowest, n_worse = k, loss, 0\n            early_stopping.lowest = loss",
        ),
        cause="got",
    ),
    edit(
        "asks twice",
        "stopping",
        "once to look and once to note",
        (LOWER, "if validate(k) < lowest:"),
        cause="called",
    ),
    edit(
        "a list",
        "stopping",
        "no pair",
        ("return best, n_most", "return best"),
        ("return best, k + 1", "return best"),
        cause="pair",
    ),
    edit(
        "a seed at the start",
        "stopping",
        "so that a training can be repeated",
        (
            "    best, lowest, n_worse = None",
            "    random.seed(0)\n    best, lowest, n_worse = None",
        ),
        cause="random generator",
    ),
    # Task 6
    edit(
        "mean of means",
        "accumulate",
        "each piece counts alike",
        ("losses.sum().backward()", "(losses.mean() / len(pieces)).backward()"),
        ("gradient /= count", "pass"),
        (
            "total, count = total + losses.sum().item(), count + losses.numel()",
            "total, count = total + losses.mean().item() / len(pieces), 1",
        ),
        cause="mean of the pieces' means",
    ),
    edit(
        "sum of means",
        "accumulate",
        "nobody divides",
        ("losses.sum().backward()", "losses.mean().backward()"),
        ("gradient /= count", "pass"),
        cause="divided|means",
    ),
    edit(
        "old gradients count",
        "accumulate",
        "zero_grad is somebody else's",
        (CLEAR, ""),
        cause="left in",
    ),
    edit(
        "divided after the length",
        "accumulate",
        "clips the sum",
        ("    for gradient in gradients:\n        gradient /= count\n", ""),
        (
            "    return total / count, norm",
            "    for gradient in gradients:\n"
            "        gradient /= count\n"
            "    return total / count, norm / count",
        ),
        cause="after clipping",
    ),
    edit(
        "each parameter clipped",
        "accumulate",
        "a length for each",
        (
            "        for gradient in gradients:\n            gradient *= max_norm / norm",
            "        for gradient in gradients:\n"
            "            gradient *= min(1.0, max_norm / gradient.norm().item())",
        ),
        cause="all parameters together",
    ),
    edit(
        "always at max_norm",
        "accumulate",
        "short ones made longer",
        ("    if norm > max_norm:", "    if norm > 0:"),
        cause="made longer",
    ),
    edit(
        "the length after clipping",
        "accumulate",
        "what is left",
        ("    return total / count, norm", "    return total / count, min(norm, max_norm)"),
        cause="before clipping",
    ),
    edit(
        "all pieces at once",
        "accumulate",
        "the batch in memory again",
        (
            "    for piece in pieces:\n"
            "        losses = losses_of(piece)\n"
            "        losses.sum().backward()",
            "    for losses in [losses_of(piece) for piece in pieces]:\n"
            "        losses.sum().backward()",
        ),
        cause="in memory at a time",
    ),
    edit(
        "a mean of nothing",
        "accumulate",
        "NaN from an empty piece",
        (
            "total, count = total + losses.sum().item(), count + losses.numel()",
            "total, count = total + losses.mean().item() * losses.numel(), count + losses.numel()",
        ),
        cause="empty piece",
    ),
    edit(
        "the mean of the last piece",
        "accumulate",
        "what was at hand",
        ("    return total / count, norm", "    return losses.mean().item(), norm"),
        cause="last piece",
    ),
    edit(
        "zeroed gradients expected",
        "accumulate",
        "multiplies what it was left",
        (
            CLEAR,
            "    for parameter in parameters:\n"
            "        if parameter.grad is not None:\n"
            "            parameter.grad *= 1e-3\n",
        ),
        cause="left in",
    ),
    edit(
        "left in a parameter that no loss needs",
        "accumulate",
        "only the gradients that come are set to None",
        (
            CLEAR,
            "    for parameter in parameters:\n"
            "        if parameter.dim() != 1 or len(parameter) != 3:\n"
            "            parameter.grad = None\n",
        ),
        cause="left",
    ),
    edit(
        "the first parameter's gradient alone is cleared",
        "accumulate",
        "zero_grad of one",
        (CLEAR, "    parameters[0].grad = None\n"),
        cause="left",
    ),
    edit(
        "the largest singular value",
        "accumulate",
        "torch.linalg.norm(…, 2) of a matrix",
        (
            "gradient.norm() for gradient",
            "(torch.linalg.norm(gradient, 2) if gradient.dim() == 2 else gradient.norm()) "
            "for gradient",
        ),
        cause="root of the sum|squares",
    ),
    edit(
        "the sum of the lengths",
        "accumulate",
        "added, not squared",
        (
            "torch.stack([gradient.norm() for gradient in gradients]).norm().item()",
            "sum(gradient.norm().item() for gradient in gradients)",
        ),
        cause="sum of the lengths",
    ),
    edit(
        "calls twice",
        "accumulate",
        "once for the gradient, once for the number",
        (
            "total, count = total + losses.sum().item(), count + losses.numel()",
            "total, count = total + losses_of(piece).sum().item(), count + losses.numel()",
        ),
        cause="once",
    ),
    edit(
        "zero is divided by",
        "accumulate",
        "a length of 0",
        ("    if norm > max_norm:", "    if max_norm / torch.tensor(norm) < 1 or norm == 0:"),
        cause="zeros",
    ),
    edit(
        "takes the step",
        "accumulate",
        "and moves the parameters",
        (
            "    return total / count, norm",
            "    with torch.no_grad():\n"
            "        for parameter in parameters:\n"
            "            if parameter.grad is not None:\n"
            "                parameter -= 0.1 * parameter.grad\n"
            "    return total / count, norm",
        ),
        cause="parameters themselves",
    ),
    edit(
        "four pieces at most",
        "accumulate",
        "the others are dropped",
        ("for piece in pieces:", "for piece in pieces[:4]:"),
        cause="each prediction|each piece",
    ),
    edit(
        "an average as it goes",
        "accumulate",
        "each piece against all before it",
        (
            "total, count = total + losses.sum().item(), count + losses.numel()",
            "total = total + (losses.sum().item() if count < 20 else 0.0)\n"
            "        count += losses.numel()",
        ),
        cause="each prediction",
    ),
    edit(
        "tensors returned",
        "accumulate",
        "no .item()",
        ("gradients]).norm().item()", "gradients]).norm()"),
        cause="float",
    ),
    edit(
        "clipped by value",
        "accumulate",
        "each number to ±max_norm",
        ("gradient *= max_norm / norm", "gradient.clamp_(-max_norm, max_norm)"),
        cause="direction|length|one factor",
    ),
    edit(
        "a loss in float32",
        "accumulate",
        "fewer digits",
        ("losses.sum().item()", "losses.float().sum().item()"),
        cause="float32",
    ),
    edit(
        "the same dropout in each piece",
        "accumulate",
        "everybody gets the same seed, too",
        (
            "        losses = losses_of(piece)",
            "        torch.manual_seed(0)\n        losses = losses_of(piece)",
        ),
        cause="random generator",
    ),
    edit(
        "pieces taken off the list",
        "accumulate",
        "none are left for the next epoch",
        ("    for piece in pieces:\n", "    while pieces:\n        piece = pieces.pop(0)\n"),
        cause="in place",
    ),
    # Task 7
    edit(
        "each batch alike",
        "metric",
        "the mean of the means",
        (
            "        total += values[mask].double().sum().item()\n        count += int(mask.sum())",
            "        if mask.any():\n"
            "            total += values[mask].double().mean().item()\n"
            "            count += 1",
        ),
        cause="mean of the means",
    ),
    edit(
        "padding counts",
        "metric",
        "the mask is not used",
        ("values[mask].double()", "values.double()"),
        ("int(mask.sum())", "mask.numel()"),
        cause="padding",
    ),
    edit(
        "times the mask",
        "metric",
        "NaN times 0",
        ("values[mask].double().sum().item()", "(values.double() * mask).sum().item()"),
        cause="NaN times 0",
    ),
    edit(
        "padding in the count",
        "metric",
        "divided by all positions",
        ("int(mask.sum())", "mask.numel()"),
        ("if count == 0", "if not any(mask.any() for _, mask in batches)"),
        cause="padding is in the number",
    ),
    edit(
        "mean of a row",
        "metric",
        "each row alike",
        (
            "        total += values[mask].double().sum().item()\n        count += int(mask.sum())",
            "        for row, real in zip(values.flatten(0, -2) if values.dim() > 1 else "
            "values[None], mask.flatten(0, -2) if mask.dim() > 1 else mask[None]):\n"
            "            if real.any():\n"
            "                total += row[real].double().mean().item()\n"
            "                count += 1",
        ),
        cause="row",
    ),
    edit(
        "whole numbers stay whole",
        "metric",
        "// for /",
        ("return total / count", "return float(total // count)"),
        cause="//",
    ),
    edit(
        "NaN as zero",
        "metric",
        "nan_to_num, but not the mask",
        ("values[mask].double()", "values.nan_to_num(0.0, 0.0, 0.0).double()"),
        cause="padding|padded",
    ),
    edit(
        "a mean of 0 is none",
        "metric",
        "if not total: …",
        ("if count == 0", "if not total"),
        cause="mean 0|nothing",
    ),
    edit(
        "NaN is taken for padding",
        "metric",
        "nansum: also where the position is real",
        ("values[mask].double().sum()", "values[mask].double().nansum()"),
        cause="real position",
    ),
    edit(
        "zeros are not counted",
        "metric",
        "the number of values that are not 0",
        ("int(mask.sum())", "int((values[mask] != 0).sum())"),
        cause="0 is a value|mean 0",
    ),
    edit(
        "added up in their dtype",
        "metric",
        "float16 overflows, bfloat16 stops",
        ("values[mask].double().sum()", "values[mask].sum()"),
        cause="float64",
    ),
    edit(
        "added up in float32",
        "metric",
        "fewer digits",
        ("values[mask].double().sum()", "values[mask].float().sum()"),
        cause="float64",
    ),
    edit(
        "padding overwritten",
        "metric",
        "values[~mask] = 0",
        (
            "        total += values[mask]",
            "        values[~mask] = 0\n        total += values[mask]",
        ),
        cause="in place",
    ),
    edit(
        "an empty batch gives NaN",
        "metric",
        "the mean of nothing, times 0",
        (
            "total += values[mask].double().sum().item()",
            "total += values[mask].double().mean().item() * int(mask.sum())",
        ),
        cause="nothing but padding|passed over|NaN",
    ),
    edit(
        "no batch, no error",
        "metric",
        "a mean of 0",
        ("    if count == 0:", "    if not batches:\n        return 0.0\n    if count == 0:"),
        cause="ValueError",
    ),
    edit(
        "a tensor",
        "metric",
        "no Python float",
        ("return total / count", "return torch.tensor(total / count)"),
        cause="float",
    ),
    edit(
        "ten batches at most",
        "metric",
        "the others are dropped",
        ("in batches:", "in batches[:10]:"),
        cause="hundred",
    ),
    edit(
        "batches taken off the list",
        "metric",
        "none are left for the next metric",
        (
            "    for values, mask in batches:\n",
            "    while batches:\n        values, mask = batches.pop()\n",
        ),
        cause="in place",
    ),
    # Task 8
    edit(
        "old gradients",
        "loop",
        "never set to None",
        ("        for parameter in model.parameters():\n            parameter.grad = None\n", ""),
        cause="count again",
    ),
    edit(
        "the last parameters",
        "loop",
        "the best is not put back",
        ("    if best is not None:\n        model.load_state_dict(best)\n", ""),
        cause="last ones",
    ),
    edit(
        "a name, no copy",
        "loop",
        "state_dict without clone",
        (KEEP, "best = model.state_dict()"),
        cause="without a copy",
    ),
    edit(
        "evaluation mode stays",
        "loop",
        "train() only before the first step",
        (
            "        model.train()\n        for",
            "        if step == 1:\n            model.train()\n        for",
        ),
        cause="after validations",
    ),
    edit(
        "validates in training mode",
        "loop",
        "with dropout",
        ("            model.eval()\n", ""),
        cause="evaluation mode",
    ),
    edit(
        "records while it validates",
        "loop",
        "no no_grad",
        (
            "            with torch.no_grad():\n                loss = validate(model)",
            "            loss = validate(model)",
        ),
        cause="recorded",
    ),
    edit(
        "leaves in training mode",
        "loop",
        "whatever it came in",
        ("model.train(was_training)", "model.train()"),
        cause="in which it came",
    ),
    edit(
        "first batch only",
        "loop",
        "an iterator made anew in each step",
        ("batches[(step - 1) % len(batches)]", "next(iter(batches))"),
        cause="in turn",
    ),
    edit(
        "counts batches from 1",
        "loop",
        "starts with the second",
        ("(step - 1) % len(batches)", "step % len(batches)"),
        cause="in turn",
    ),
    edit(
        "sum of the losses",
        "loop",
        "longer steps for longer batches",
        (".mean().backward()", ".sum().backward()"),
        cause="sum of the losses",
    ),
    edit(
        "equals: the last",
        "loop",
        "<= for <",
        ("if loss < lowest", "if loss <= lowest"),
        cause="equals",
    ),
    edit(
        "the highest",
        "loop",
        "keeps the worst",
        (
            "best, lowest = model.training, [], None, math.inf",
            "best, lowest = model.training, [], None, -math.inf",
        ),
        ("if loss < lowest", "if loss > lowest"),
        cause="lowest",
    ),
    edit(
        "a parameter without a gradient",
        "loop",
        "None is no number",
        (
            "                if parameter.grad is not None:\n"
            "                    parameter -= learning_rate * parameter.grad",
            "                parameter -= learning_rate * (parameter.grad if parameter.grad is "
            "not None else 1.0)",
        ),
        cause="without a gradient|no loss depends",
    ),
    edit(
        "validates before the step",
        "loop",
        "the state one step earlier",
        ("        if step % validate_every == 0:", "        if (step + 1) % validate_every == 0:"),
        cause="validate after",
    ),
    edit(
        "set to None after the step",
        "loop",
        "what was left before the first one counts",
        ("        for parameter in model.parameters():\n            parameter.grad = None\n", ""),
        (
            "        if step % validate_every == 0:",
            "        for parameter in model.parameters():\n"
            "            parameter.grad = None\n"
            "        if step % validate_every == 0:",
        ),
        cause="left",
    ),
    edit(
        "a loss of 0 is none",
        "loop",
        "if not lowest: …",
        ("if loss < lowest:", "if not lowest or loss < lowest:"),
        cause="taken for nothing",
    ),
    edit(
        "a billion for infinity",
        "loop",
        "no loss is larger",
        ("[], None, math.inf", "[], None, 1e9"),
        cause="large",
    ),
    edit(
        "losses are positive",
        "loop",
        "absolute values",
        (
            "if loss < lowest:\n                lowest = loss",
            "if abs(loss) < lowest:\n                lowest = abs(loss)",
        ),
        cause="negative",
    ),
    edit(
        "a little is not enough",
        "loop",
        "min_delta",
        ("if loss < lowest", "if loss < lowest - 1e-6"),
        cause="little",
    ),
    edit(
        "compared with the one before",
        "loop",
        "better than last time",
        (
            "            if loss < lowest:\n                lowest = loss\n                best =",
            "            better, lowest = loss < lowest, loss\n"
            "            if better:\n                best =",
        ),
        cause="one before",
    ),
    edit(
        "gradients stay off",
        "loop",
        "set_grad_enabled(False) for the last validation",
        (
            "            with torch.no_grad():\n                loss = validate(model)",
            "            torch.set_grad_enabled(False)\n"
            "            loss = validate(model)\n"
            "            torch.set_grad_enabled(step < n_steps)",
        ),
        cause="recorded",
    ),
    edit(
        "always a validation at the end",
        "loop",
        "after the last step, too",
        ("if step % validate_every == 0:", "if step % validate_every == 0 or step == n_steps:"),
        cause="validate after|no validation|need no",
    ),
    edit(
        "validates before the first step",
        "loop",
        "at 0, too",
        (
            "    for step in range(1, n_steps + 1):",
            "    model.eval()\n    with torch.no_grad():\n"
            "        history.append((0, validate(model)))\n"
            "    for step in range(1, n_steps + 1):",
        ),
        cause="validate after",
    ),
    edit(
        "steps from 0",
        "loop",
        "numbers one too low",
        ("history.append((step, loss))", "history.append((step - 1, loss))"),
        cause="validate after",
    ),
    edit(
        "momentum",
        "loop",
        "the gradient before counts a little",
        (
            "                    parameter -= learning_rate * parameter.grad",
            "                    old = getattr(parameter, 'old', 0.0)\n"
            "                    parameter.old = 1e-3 * old + parameter.grad\n"
            "                    parameter -= learning_rate * parameter.old",
        ),
        cause="count again|after step",
    ),
    edit(
        "rounded losses",
        "loop",
        "three digits in the list",
        ("history.append((step, loss))", "history.append((step, round(loss, 3)))"),
        cause="what validate returned|validation losses",
    ),
    edit(
        "in float32",
        "loop",
        "the step loses digits",
        ("learning_rate * parameter.grad", "(learning_rate * parameter.grad).float()"),
        cause="float32",
    ),
    edit(
        "returns the best",
        "loop",
        "no list",
        ("return history", "return lowest"),
        cause="list",
    ),
    # What blind round 2 slipped past the tests
    *frozen(
        "training",
        3,
        {
            "gradient at a logit of zero": "slope at 0",
            "sum in the small dtype": "small dtype",
            "nothing new at a rate of zero": "shares its memory",
            "cleared at the first piece": "before the first one",
        },
    ),
    edit(
        "labels not quite 0 or 1",
        "losses",
        "no logarithm is infinite then",
        ("    losses = -labels", "    labels = labels.clamp(1e-5, 1 - 1e-5)\n    losses = -labels"),
        cause="thousands|digits|between 0 and 1",
    ),
    edit(
        "a sum kept by the id of logits",
        "losses",
        "computed once",
        (
            "logits - logits.logsumexp(-1, keepdim=True)",
            "logits - multiclass_loss.__dict__.setdefault(\n"
            "        (id(logits), logits.shape), logits.logsumexp(-1, keepdim=True)\n"
            "    )",
        ),
        cause="kept|cost|softmax|backward",
    ),
    edit(
        "a rate of 0 is none",
        "adam",
        "the usual one then",
        ("- learning_rate * mean_hat", "- (learning_rate or 1e-3) * mean_hat"),
        cause="rate of 0",
    ),
    edit(
        "a gradient of zeros is no step",
        "adam",
        "the averages wait",
        (
            "    mean = betas[0]",
            "    if not gradient.any():\n"
            "        return parameter.clone(), mean.clone(), square.clone()\n"
            "    mean = betas[0]",
        ),
        cause="gradient of zeros|decay|averages",
    ),
    edit(
        "16 bits of positions",
        "windows",
        "65,536 windows at most",
        ("return len(self.ids) - self.length", "return min(65536, len(self.ids) - self.length)"),
        cause="window|must lie",
    ),
    edit(
        "different ones kept by their number",
        "split",
        "and by the seed",
        (
            "different = list(dict.fromkeys(documents))",
            "different = split_documents.__dict__.setdefault(\n"
            "        (len(documents), seed), list(dict.fromkeys(documents))\n"
            "    )",
        ),
        cause="kept|same seed|lost",
    ),
    edit(
        "a largest number for infinity",
        "stopping",
        "nothing is larger than 1.6e308",
        ("best, lowest, n_worse = None, math.inf, 0", "best, lowest, n_worse = None, 1.6e308, 0"),
        cause="any size",
    ),
    edit(
        "each piece once",
        "accumulate",
        "one that came is not computed again",
        (
            "    for piece in pieces:\n",
            "    done = []\n"
            "    for piece in pieces:\n"
            "        if any(piece is one for one in done):\n"
            "            continue\n"
            "        done.append(piece)\n",
        ),
        cause="twice",
    ),
    edit(
        "positions counted in float16",
        "metric",
        "which ends at 65504",
        ("int(mask.sum())", "int(mask.half().sum())"),
        cause="small dtype|must have|cannot convert",
    ),
    edit(
        "infinity left out",
        "metric",
        "as at a padded position",
        ("values[mask].double()", "values[mask & ~values.isinf()].double()"),
        cause="∞",
    ),
    edit(
        "a rate of 0 is none, loop",
        "loop",
        "the usual one then",
        (
            "parameter -= learning_rate * parameter.grad",
            "parameter -= (learning_rate or 0.01) * parameter.grad",
        ),
        cause="rate of 0",
    ),
    edit(
        "moves what is frozen",
        "loop",
        "only gradients of others are cleared",
        (
            "            parameter.grad = None\n",
            "            parameter.grad = None if parameter.requires_grad else parameter.grad\n",
        ),
        cause="frozen",
    ),
    *frozen(
        "training",
        2,
        {
            "strides of its own": "side by side",
            "small ids": "smaller dtype",
            "copies draw more lots": "copies",
            "nobody keeps his place": "stay where it is",
            "minus infinity is the lowest": "−∞",
            "a max_norm of 0 is none": "max_norm=0",
            "parts from a store": "new lists",
        },
    ),
    edit(
        "a seed of its own",
        "loop",
        "so that a training can be repeated",
        ("    was_training, history", "    torch.manual_seed(0)\n    was_training, history"),
        cause="random generator",
    ),
    edit(
        "batches sent round",
        "loop",
        "the first becomes the last, in the caller's list",
        (
            "losses_of(model, batches[(step - 1) % len(batches)])",
            "batches.append(batches.pop(0))\n        losses_of(model, batches[-1])",
        ),
        cause="in place",
    ),
    *frozen(
        "training",
        4,
        {
            "nothing new, so the old tensor": "shares its memory",
            "each window once": "one for each place|out of range",
            "a hundred-thousandth added": "millionth",
            "put together before the conversion": "float64",
        },
    ),
    *frozen(
        "training",
        5,
        {"0 is no seed": "seed 0", "what was left is multiplied by 0": "left in .grad"},
    ),
]

RIGHT = [
    fill(
        "log_softmax",
        "losses",
        "torch's own logarithm; softplus for both sides",
        "log_probs = F.log_softmax(logits, dim=-1)\n"
        "one_hot = F.one_hot(ids, logits.shape[-1]).bool()\n"
        "return -log_probs[one_hot].mean()",
        "if labels.shape != logits.shape:\n"
        '    raise ValueError("the shape of labels must be that of logits")\n'
        "return (F.softplus(logits) - labels * logits).mean()",
    ),
    fill(
        "flattened rows",
        "losses",
        "one long matrix, indexed",
        "rows = logits.reshape(-1, logits.shape[-1])\n"
        "right = rows[torch.arange(len(rows)), ids.reshape(-1)]\n"
        "return (torch.logsumexp(rows, 1) - right).mean()",
        "if tuple(labels.size()) != tuple(logits.size()):\n"
        '    raise ValueError(f"shape {labels.shape} is not {logits.shape}")\n'
        "return (F.softplus(logits) - logits * labels).mean()",
    ),
    fill(
        "one expression",
        "adam",
        "lerp, and the corrections as numbers",
        "mean = torch.lerp(gradient, mean, betas[0])\n"
        "square = torch.lerp(gradient * gradient, square, betas[1])\n"
        "slow, fast = 1 - betas[0] ** n, 1 - betas[1] ** n\n"
        "step = (mean / slow) / (torch.sqrt(square / fast) + eps)\n"
        "return parameter * (1 - learning_rate * weight_decay) - learning_rate * step, mean, "
        "square",
    ),
    fill(
        "on copies",
        "adam",
        "in place, but on its own tensors",
        "mean, square, parameter = mean.clone(), square.clone(), parameter.clone()\n"
        "mean.mul_(betas[0]).add_(gradient, alpha=1 - betas[0])\n"
        "square.mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])\n"
        "parameter.mul_(1 - learning_rate * weight_decay)\n"
        "denominator = (square.sqrt() / math.sqrt(1 - betas[1] ** n)).add_(eps)\n"
        "parameter.addcdiv_(mean, denominator, value=-learning_rate / (1 - betas[0] ** n))\n"
        "return parameter, mean, square",
    ),
    write(
        "unfolded",
        "windows",
        "all windows at once, as views",
        """
class Windows:
    def __init__(self, ids, length):
        if ids.numel() < length + 1:
            raise ValueError(f"length {length} leaves no window in {ids.numel()} ids")
        self.rows = ids.unfold(0, length + 1, 1)

    def __len__(self):
        return self.rows.shape[0]

    def __getitem__(self, i):
        if i < 0 or i >= len(self):
            raise IndexError("no such window")
        row = self.rows[i]
        return row[:-1], row[1:]
""",
    ),
    fill(
        "sorted by chance",
        "split",
        "a number for each text decides its rank",
        "rng = random.Random(seed)\n"
        "rank = {text: rng.random() for text in dict.fromkeys(documents)}\n"
        "order = sorted(rank, key=rank.get)\n"
        "edges = [0]\n"
        "for fraction in fractions:\n"
        "    edges.append(edges[-1] + fraction * len(order))\n"
        "edges = [round(edge) for edge in edges]\n"
        "edges[-1] = len(order)\n"
        "groups = [set(order[a:b]) for a, b in zip(edges, edges[1:])]\n"
        "return [[text for text in documents if text in group] for group in groups]",
    ),
    fill(
        "torch deals",
        "split",
        "a permutation by a generator of torch",
        "different = list(dict.fromkeys(documents))\n"
        "order = torch.randperm(len(different), generator=torch.Generator().manual_seed(seed))\n"
        "parts, start = [], 0\n"
        "for k in range(len(fractions)):\n"
        "    end = round(sum(fractions[: k + 1]) * len(different))\n"
        "    if k == len(fractions) - 1:\n"
        "        end = len(different)\n"
        "    mine = {different[i] for i in order[start:end].tolist()}\n"
        "    parts.append([text for text in documents if text in mine])\n"
        "    start = end\n"
        "return parts",
    ),
    fill(
        "a list of losses",
        "stopping",
        "looks back instead of counting",
        "seen = []\n"
        "while len(seen) < n_most:\n"
        "    loss = validate(len(seen))\n"
        "    seen.append(loss if math.isfinite(loss) else math.inf)\n"
        "    best = seen.index(min(seen)) if min(seen) < math.inf else -1\n"
        "    if len(seen) - 1 - best >= patience:\n"
        "        break\n"
        "return (None if best < 0 else best), len(seen)",
    ),
    fill(
        "gradients asked for",
        "accumulate",
        "autograd.grad, added up by hand",
        "sums = [torch.zeros_like(p) for p in parameters]\n"
        "total, count = 0.0, 0\n"
        "for piece in pieces:\n"
        "    losses = losses_of(piece)\n"
        "    found = torch.autograd.grad(losses.sum(), parameters, allow_unused=True)\n"
        "    sums = [a if g is None else a + g for a, g in zip(sums, found)]\n"
        "    total += float(losses.detach().sum())\n"
        "    count += len(losses)\n"
        "norm = math.sqrt(sum(float((a / count).square().sum()) for a in sums))\n"
        "factor = min(1.0, max_norm / norm) if norm > 0 else 1.0\n"
        "for p, a in zip(parameters, sums):\n"
        "    p.grad = a / count * factor\n"
        "return total / count, norm",
    ),
    fill(
        "an empty piece passed over",
        "accumulate",
        "no backward for what has no losses",
        "for p in parameters:\n"
        "    p.grad = None\n"
        "total, count = 0.0, 0\n"
        "for piece in pieces:\n"
        "    losses = losses_of(piece)\n"
        "    if not len(losses):\n"
        "        continue\n"
        "    losses.sum().backward()\n"
        "    total += losses.sum().item()\n"
        "    count += len(losses)\n"
        "grads = [p.grad for p in parameters if p.grad is not None]\n"
        "for g in grads:\n"
        "    g.div_(count)\n"
        "norm = sum(float(g.square().sum()) for g in grads) ** 0.5\n"
        "for g in grads if norm > max_norm else []:\n"
        "    g.mul_(max_norm / norm)\n"
        "return total / count, norm",
    ),
    fill(
        "counted first",
        "accumulate",
        "sums, and one factor for count and clipping",
        "for p in parameters:\n"
        "    if p.grad is not None:\n"
        "        p.grad.zero_()\n"
        "total = torch.zeros(())\n"
        "count = 0\n"
        "for piece in pieces:\n"
        "    loss = losses_of(piece)\n"
        "    count += loss.shape[0]\n"
        "    loss = loss.sum()\n"
        "    loss.backward()\n"
        "    total = total + loss.detach()\n"
        "have = [p for p in parameters if p.grad is not None]\n"
        "norm = torch.cat([p.grad.flatten() for p in have]).norm() / count\n"
        "shrink = torch.clamp(max_norm / norm, max=1.0) / count\n"
        "for p in have:\n"
        "    p.grad = p.grad * shrink\n"
        "return (total / count).item(), norm.item()",
    ),
    fill(
        "put together first",
        "metric",
        "one long tensor of what is real",
        "real = [values[mask].double() for values, mask in batches]\n"
        "flat = torch.cat(real) if real else torch.zeros(0)\n"
        "if flat.numel() == 0:\n"
        '    raise ValueError("nothing to average")\n'
        "return flat.mean().item()",
    ),
    fill(
        "where",
        "metric",
        "zeros in place of padding",
        "pairs = [(torch.where(m, v, torch.zeros_like(v)).double().sum(), m.sum()) for v, m in "
        "batches]\n"
        "n = sum(int(c) for _, c in pairs)\n"
        "if n < 1:\n"
        '    raise ValueError("there is nothing")\n'
        "return float(sum(s for s, _ in pairs) / n)",
    ),
    fill(
        "deep copies",
        "loop",
        "copy.deepcopy, autograd.grad, itertools.cycle",
        "import copy, itertools\n"
        "before = model.training\n"
        "history, states = [], []\n"
        "feed = itertools.cycle(batches)\n"
        "parameters = [p for p in model.parameters() if p.requires_grad]\n"
        "for step in range(n_steps):\n"
        "    model.train()\n"
        "    loss = losses_of(model, next(feed)).mean()\n"
        "    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)\n"
        "    for p, g in zip(parameters, gradients):\n"
        "        if g is not None:\n"
        "            p.data = p.data - learning_rate * g\n"
        "    if (step + 1) % validate_every == 0:\n"
        "        model.eval()\n"
        "        with torch.no_grad():\n"
        "            history.append((step + 1, validate(model)))\n"
        "        states.append(copy.deepcopy(model.state_dict()))\n"
        "if history:\n"
        "    losses = [loss for _, loss in history]\n"
        "    model.load_state_dict(states[losses.index(min(losses))])\n"
        "model.train(before)\n"
        "return history",
    ),
    fill(
        "a zero added",
        "losses",
        "logaddexp for both sides, and a sum over one-hot",
        "one_hot = torch.nn.functional.one_hot(ids, logits.shape[-1]).to(logits.dtype)\n"
        "right = (logits * one_hot).sum(-1)\n"
        "return (logits.logsumexp(-1) - right).mean()",
        "if list(labels.shape) != list(logits.shape):\n"
        '    raise ValueError(f"labels have the shape {labels.shape}, logits {logits.shape}")\n'
        "zero = torch.zeros_like(logits)\n"
        "return (torch.logaddexp(zero, logits) - labels * logits).mean()",
    ),
    write(
        "indices checked one by one",
        "windows",
        "copies, and an iterator that is a generator",
        """
class Windows:
    def __init__(self, ids, length):
        self.n = int(ids.shape[0]) - length
        if self.n < 1:
            raise ValueError(f"no window: length is {length}")
        self.inputs = torch.stack([ids[i : i + length] for i in range(self.n)])
        self.targets = torch.stack([ids[i + 1 : i + 1 + length] for i in range(self.n)])

    def __len__(self):
        return self.n

    def __iter__(self):
        return (self[i] for i in range(self.n))

    def __getitem__(self, i):
        if i < 0:
            raise IndexError("below 0")
        if i >= self.n:
            raise IndexError("beyond the end")
        return self.inputs[i].clone(), self.targets[i].clone()
""",
    ),
    fill(
        "a sorted set",
        "split",
        "sorted, sampled, cut by a hair's tolerance",
        "different = sorted(set(documents))\n"
        "order = random.Random(seed).sample(different, len(different))\n"
        "ends, total = [], 0.0\n"
        "for fraction in fractions:\n"
        "    total += fraction\n"
        "    ends.append(int(total * len(order) + 1e-9))\n"
        "ends[-1] = len(order)\n"
        "copies = {}\n"
        "for document in documents:\n"
        "    copies.setdefault(document, []).append(document)\n"
        "return [\n"
        "    [copy for document in order[a:b] for copy in copies[document]]\n"
        "    for a, b in zip([0, *ends], ends)\n"
        "]",
    ),
    fill(
        "a digest",
        "split",
        "sorted by a hash that is the same everywhere",
        "import hashlib\n"
        "def rank(text):\n"
        '    return hashlib.sha256(f"{seed} {text}".encode()).digest()\n'
        "order = sorted(dict.fromkeys(documents), key=rank)\n"
        "part_of, done = {}, 0.0\n"
        "for part, fraction in enumerate(fractions):\n"
        "    a, done = round(done * len(order)), done + fraction\n"
        "    b = len(order) if part == len(fractions) - 1 else round(done * len(order))\n"
        "    part_of |= {text: part for text in order[a:b]}\n"
        "return [[d for d in documents if part_of[d] == k] for k in range(len(fractions))]",
    ),
    fill(
        "a while and a flag",
        "stopping",
        "isfinite, and the number of the best",
        "best, k, lowest = None, 0, None\n"
        "while k < n_most and k - (-1 if best is None else best) <= patience:\n"
        "    loss = validate(k)\n"
        "    if math.isfinite(loss) and (lowest is None or loss < lowest):\n"
        "        best, lowest = k, loss\n"
        "    k += 1\n"
        "return best, k",
    ),
    fill(
        "torch's own factor",
        "accumulate",
        "a millionth in the denominator, as clip_grad_norm_ has it",
        "for p in parameters:\n"
        "    p.grad = None\n"
        "losses_seen, n = 0.0, 0\n"
        "for piece in pieces:\n"
        "    losses = losses_of(piece)\n"
        "    losses.sum().backward()\n"
        "    losses_seen += losses.detach().double().sum().item()\n"
        "    n += losses.numel()\n"
        "own = [p for p in parameters if p.grad is not None]\n"
        "for p in own:\n"
        "    p.grad = p.grad / n\n"
        "norm = math.sqrt(sum(float((p.grad.double() ** 2).sum()) for p in own))\n"
        "factor = max_norm / (norm + 1e-6)\n"
        "if factor < 1:\n"
        "    for p in own:\n"
        "        p.grad.mul_(factor)\n"
        "return losses_seen / n, norm",
    ),
    fill(
        "masked_select",
        "metric",
        "fsum of Python's floats",
        "real = [x for v, m in batches for x in v.masked_select(m).double().tolist()]\n"
        "if real == []:\n"
        '    raise ValueError("Nothing is real.")\n'
        "total = math.fsum(real) if all(map(math.isfinite, real)) else sum(real)\n"
        "return total / len(real)",
    ),
    fill(
        "an optimizer of its own",
        "loop",
        "lists of copies, add_ with alpha, min by the loss",
        "mode, kept, rows = model.training, [], []\n"
        "for k in range(1, n_steps + 1):\n"
        "    model.train(True)\n"
        "    model.zero_grad()\n"
        "    torch.mean(losses_of(model, batches[(k - 1) % len(batches)])).backward()\n"
        "    with torch.no_grad():\n"
        "        for p in model.parameters():\n"
        "            if p.grad is not None:\n"
        "                p.add_(p.grad, alpha=-learning_rate)\n"
        "    if k % validate_every == 0:\n"
        "        with torch.inference_mode():\n"
        "            rows.append((k, validate(model.eval())))\n"
        "        kept.append([p.detach().clone() for p in model.parameters()])\n"
        "if rows:\n"
        "    at = min(range(len(rows)), key=lambda i: rows[i][1])\n"
        "    for p, x in zip(model.parameters(), kept[at]):\n"
        "        p.data.copy_(x)\n"
        "model.train(mode)\n"
        "return rows",
    ),
    *frozen(
        "training",
        2,
        {
            "logaddexp down the classes": "",
        },
    ),
    *frozen("training", 4, {"no validation, no k": ""}),
]
