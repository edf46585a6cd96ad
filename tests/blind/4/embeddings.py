from textwrap import dedent

from faults import fill, write

WRONG = []
RIGHT = []


def wrong(name, task, note, *bodies):
    WRONG.append(fill(name, task, note, *(dedent(b).strip("\n") for b in bodies)))


def right(name, task, note, *bodies):
    RIGHT.append(fill(name, task, note, *(dedent(b).strip("\n") for b in bodies)))


def wrong_cell(name, task, note, source):
    WRONG.append(write(name, task, note, dedent(source).strip("\n")))


# ---------------------------------------------------------------- Task 1: look_up_gradient

right(
    "sorted, and then segments",
    "look_up_gradient",
    "sorted by id, torch.segment_reduce with the counts as lengths",
    """
    width = gradient.shape[-1]
    order = ids.reshape(-1).argsort(stable=True)
    lengths = ids.reshape(-1).bincount(minlength=vocab_size)
    rows = gradient.reshape(-1, width)[order].contiguous()
    return torch.segment_reduce(rows, "sum", lengths=lengths, axis=0, unsafe=True, initial=0.0)
    """,
)
right(
    "the product with one-hot rows",
    "look_up_gradient",
    "the formula as it stands, in float64, rounded at the end",
    """
    hot = F.one_hot(ids.flatten(), vocab_size).T.double()
    flat = gradient.reshape(ids.numel(), gradient.shape[-1]).double()
    return (hot @ flat).to(gradient.dtype)
    """,
)
right(
    "an index_put_ that accumulates, several dimensions at once",
    "look_up_gradient",
    "nothing is flattened; index_put_ with accumulate=True",
    """
    total = torch.zeros(vocab_size, gradient.size(-1)).to(gradient)
    return total.index_put_((ids,), gradient, accumulate=True)
    """,
)
right(
    "word by word",
    "look_up_gradient",
    "a mask for each word that occurs, the sum of its rows",
    """
    total = gradient.new_zeros((vocab_size, gradient.shape[-1]))
    for word in set(ids.flatten().tolist()):
        total[word] = gradient[ids == word].sum(0)
    return total
    """,
)

wrong(
    "float32 inside of look_up_gradient",
    "look_up_gradient",
    "'in the dtype of `gradient`, float32 or float64, and as precisely as that allows': added up in "
    "float32",
    """
    total = torch.zeros(vocab_size, gradient.shape[-1])
    total.index_add_(0, ids.reshape(-1), gradient.reshape(-1, gradient.shape[-1]).float())
    return total.to(gradient.dtype)
    """,
)
wrong(
    "a view",
    "look_up_gradient",
    "'It may lie in memory in any way, transposed for example': view raises",
    """
    total = gradient.new_zeros(vocab_size, gradient.shape[-1])
    return total.index_add_(0, ids.view(-1), gradient.view(-1, gradient.shape[-1]))
    """,
)
wrong(
    "rows as they lie in memory",
    "look_up_gradient",
    "'It may lie in memory in any way, transposed for example': as_strided reads it as if it lay in "
    "order",
    """
    width = gradient.shape[-1]
    rows = gradient.as_strided((ids.numel(), width), (width, 1))
    return gradient.new_zeros(vocab_size, width).index_add_(0, ids.flatten(), rows)
    """,
)
wrong(
    "flattened, the last but one too",
    "look_up_gradient",
    "'`ids` is int64 of any shape: … or none, for a single id': flatten(0, -2) raises for (C,)",
    """
    rows = gradient.flatten(0, -2)
    total = gradient.new_zeros(vocab_size, rows.shape[1])
    return total.index_add_(0, ids.flatten(), rows)
    """,
)
wrong(
    "one or two dimensions",
    "look_up_gradient",
    "'`ids` is int64 of any shape: (N,), (B, T), more dimensions': sentence by sentence, whose ids "
    "must be a row",
    """
    if ids.dim() < 2:
        ids, gradient = ids.reshape(1, -1), gradient.reshape(1, -1, gradient.shape[-1])
    total = gradient.new_zeros(vocab_size, gradient.shape[-1])
    for row, rows in zip(ids, gradient):
        total.index_add_(0, row, rows)
    return total
    """,
)
wrong(
    "differences of a running sum",
    "look_up_gradient",
    "'as precisely as that allows: within a few roundings of the largest number': a running sum over "
    "all words has the roundings of its own size",
    """
    width = gradient.shape[-1]
    order = ids.reshape(-1).argsort()
    running = gradient.reshape(-1, width)[order].cumsum(0)
    running = torch.cat([running.new_zeros(1, width), running])
    end = ids.reshape(-1).bincount(minlength=vocab_size).cumsum(0)
    start = torch.cat([end.new_zeros(1), end[:-1]])
    return running[end] - running[start]
    """,
)
wrong(
    "first and last use",
    "look_up_gradient",
    "'the sum of the gradients of **all** places at which the word was looked up': of three uses the "
    "middle one is lost",
    """
    ids, rows = ids.reshape(-1), gradient.reshape(-1, gradient.shape[-1])
    total = gradient.new_zeros(vocab_size, rows.shape[1])
    places = {}
    for place, word in enumerate(ids.tolist()):
        first, _ = places.get(word, (place, place))
        places[word] = first, place
    for word, (first, last) in places.items():
        total[word] = rows[first] + rows[last] if last > first else rows[first]
    return total
    """,
)
wrong_cell(
    "a buffer for all calls",
    "look_up_gradient",
    "intro: 'keeps nothing of one call for the next': the table of the call before is overwritten",
    '''
    BUFFERS = {}


    def look_up_gradient(ids: Tensor, gradient: Tensor, vocab_size: int) -> Tensor:
        """How fast the loss rises with each number of the table: (vocab_size, C)."""
        key = vocab_size, gradient.shape[-1], gradient.dtype
        if key not in BUFFERS:
            BUFFERS[key] = gradient.new_zeros(key[:2])
        total = BUFFERS[key].zero_()
        rows = gradient.reshape(-1, gradient.shape[-1])
        return total.index_add_(0, ids.reshape(-1), rows)
    ''',
)
wrong(
    "one more dimension in place",
    "look_up_gradient",
    "intro: 'an answer changes neither its arguments': a single id is made a row with unsqueeze_",
    """
    if ids.dim() == 0:
        ids.unsqueeze_(0)
        gradient.unsqueeze_(0)
    total = gradient.new_zeros(vocab_size, gradient.shape[-1])
    return total.index_add_(0, ids.reshape(-1), gradient.reshape(-1, gradient.shape[-1]))
    """,
)
wrong(
    "a stack of rows",
    "look_up_gradient",
    "'There may be no ids at all: (0,) with (0, C)': there is no largest id then",
    """
    ids, rows = ids.reshape(-1), gradient.reshape(-1, gradient.shape[-1])
    n = int(ids.max()) + 1
    seen = torch.stack([rows[ids == word].sum(0) for word in range(n)])
    return torch.cat([seen, gradient.new_zeros(vocab_size - n, rows.shape[1])])
    """,
)
wrong(
    "autograd by another name",
    "look_up_gradient",
    "'Write the sum yourself': torch.func.grad works in inference_mode",
    """
    table = gradient.new_zeros(vocab_size, gradient.shape[-1])
    return torch.func.grad(lambda t: (t[ids] * gradient).sum())(table)
    """,
)
wrong(
    "a table that is turned",
    "look_up_gradient",
    "'It may lie in memory in any way, transposed for example', 'Sizes may be equal': a gradient "
    "whose memory is turned round is turned back, which fits if N = C",
    """
    rows = gradient.reshape(-1, gradient.shape[-1])
    if rows.shape[0] == rows.shape[1] and not gradient.is_contiguous():
        rows = rows.T
    total = gradient.new_zeros(vocab_size, gradient.shape[-1])
    return total.index_add_(0, ids.reshape(-1), rows)
    """,
)

# ---------------------------------------------------------------- Task 2: count_neighbors

right(
    "a dictionary of pairs",
    "count_neighbors",
    "fractions in a Counter, all pairs of places of a sentence from itertools",
    """
    from collections import Counter
    from itertools import combinations

    found = Counter()
    for sentence in sentences:
        for (i, w), (j, c) in combinations(enumerate(sentence), 2):
            if j - i <= window:
                found[w, c] += 1 / (j - i)
                found[c, w] += 1 / (j - i)
    table = torch.zeros(vocab_size, vocab_size)
    for (w, c), count in found.items():
        table[w, c] = count
    return table
    """,
)
right(
    "one-hot matrices with a band between",
    "count_neighbors",
    "Hᵀ A H, where A has 1/d in a band and H the one-hot words, in float64",
    """
    total = torch.zeros(vocab_size, vocab_size, dtype=torch.float64)
    for sentence in sentences:
        words = torch.tensor(sentence, dtype=torch.int64)
        places = torch.arange(len(sentence))
        apart = (places[:, None] - places).abs()
        near = (apart > 0) & (apart <= window)
        band = torch.where(near, 1 / apart.clamp(min=1).double(), 0.0)
        hot = F.one_hot(words, vocab_size).double()
        total += hot.T @ band @ hot
    return total.float()
    """,
)
right(
    "to one side, distance by distance",
    "count_neighbors",
    "index_put_ with accumulate on slices of all sentences, then the transpose added",
    """
    half = torch.zeros(vocab_size, vocab_size, dtype=torch.float64)
    for d in range(1, min(window, max(map(len, sentences), default=0)) + 1):
        left = [w for ids in sentences for w in ids[:-d]]
        other = [w for ids in sentences for w in ids[d:]]
        where = torch.tensor(left, dtype=torch.int64), torch.tensor(other, dtype=torch.int64)
        half.index_put_(where, torch.tensor(1 / d, dtype=torch.float64), accumulate=True)
    return (half + half.T).to(torch.float32)
    """,
)

wrong(
    "one long text",
    "count_neighbors",
    "'No window reaches from one sentence to the next': all are joined",
    """
    ids = [word for sentence in sentences for word in sentence]
    counts = torch.zeros(vocab_size, vocab_size)
    for i, w in enumerate(ids):
        for d in range(1, window + 1):
            if i + d < len(ids):
                counts[w, ids[i + d]] += 1 / d
                counts[ids[i + d], w] += 1 / d
    return counts
    """,
)
wrong(
    "a whole slice at once",
    "count_neighbors",
    "'Pairs that meet again add up, in a sentence and in the text': counts[i, j] += keeps one of "
    "several equal pairs at the same distance",
    """
    counts = torch.zeros(vocab_size, vocab_size)
    for sentence in sentences:
        ids = torch.tensor(sentence, dtype=torch.int64)
        for d in range(1, min(window, len(ids) - 1) + 1):
            counts[ids[:-d], ids[d:]] += 1 / d
            counts[ids[d:], ids[:-d]] += 1 / d
    return counts
    """,
)
wrong(
    "an empty sentence is the end",
    "count_neighbors",
    "'A sentence may … have one word or none': what comes after an empty one is not counted",
    """
    counts = torch.zeros(vocab_size, vocab_size)
    for ids in sentences:
        if not ids:
            break
        for i, w in enumerate(ids):
            for d, c in enumerate(ids[i + 1 : i + 1 + window], start=1):
                counts[w, c] += 1 / d
                counts[c, w] += 1 / d
    return counts
    """,
)
wrong(
    "a table for each sentence, stacked",
    "count_neighbors",
    "'and there may be no sentences at all': torch.stack of nothing",
    """
    tables = []
    for ids in sentences:
        counts = torch.zeros(vocab_size, vocab_size)
        for i, w in enumerate(ids):
            for d, c in enumerate(ids[i + 1 : i + 1 + window], start=1):
                counts[w, c] += 1 / d
                counts[c, w] += 1 / d
        tables.append(counts)
    return torch.stack(tables).sum(0)
    """,
)
wrong(
    "sixteen bits while counting",
    "count_neighbors",
    "'The table is a float32 tensor', 'Pairs that meet again add up': added up in float16, which "
    "stops at 2048",
    """
    counts = torch.zeros(vocab_size, vocab_size, dtype=torch.float16)
    for ids in sentences:
        for i, w in enumerate(ids):
            for d, c in enumerate(ids[i + 1 : i + 1 + window], start=1):
                counts[w, c] += 1 / d
                counts[c, w] += 1 / d
    return counts.float()
    """,
)
wrong(
    "a table of NumPy",
    "count_neighbors",
    "'The table is a float32 tensor': NumPy's zeros are float64",
    """
    import numpy as np

    counts = np.zeros((vocab_size, vocab_size))
    for ids in sentences:
        for i, w in enumerate(ids):
            for d, c in enumerate(ids[i + 1 : i + 1 + window], start=1):
                counts[w, c] += 1 / d
                counts[c, w] += 1 / d
    return torch.from_numpy(counts)
    """,
)
wrong(
    "sentences are used up",
    "count_neighbors",
    "intro: 'an answer changes neither its arguments': the words are popped",
    """
    counts = torch.zeros(vocab_size, vocab_size)
    for ids in sentences:
        while ids:
            w = ids.pop(0)
            for d, c in enumerate(ids[:window], start=1):
                counts[w, c] += 1 / d
                counts[c, w] += 1 / d
    return counts
    """,
)
wrong(
    "padded with 0",
    "count_neighbors",
    "intro: '0 is a word like any other': it is taken for padding",
    """
    counts = torch.zeros(vocab_size, vocab_size)
    if not sentences:
        return counts
    longest = max(map(len, sentences))
    padded = [ids + [0] * (longest - len(ids)) for ids in sentences]
    for ids in padded:
        for d in range(1, min(window, longest - 1) + 1):
            for w, c in zip(ids, ids[d:]):
                if w and c:
                    counts[w, c] += 1 / d
                    counts[c, w] += 1 / d
    return counts
    """,
)
wrong(
    "as many rows as there are words",
    "count_neighbors",
    "'(vocab_size, vocab_size)', 'Words that do not occur have rows and columns of zeros': those "
    "beyond the largest id are missing",
    """
    size = max((max(ids) for ids in sentences if ids), default=vocab_size - 1) + 1
    counts = torch.zeros(size, size)
    for ids in sentences:
        for i, w in enumerate(ids):
            for d, c in enumerate(ids[i + 1 : i + 1 + window], start=1):
                counts[w, c] += 1 / d
                counts[c, w] += 1 / d
    return counts
    """,
)
wrong(
    "equal sentences once",
    "count_neighbors",
    "'Pairs that meet again add up, in a sentence and in the text': a sentence that comes again "
    "counts once",
    """
    counts = torch.zeros(vocab_size, vocab_size)
    for ids in set(map(tuple, sentences)):
        for i, w in enumerate(ids):
            for d, c in enumerate(ids[i + 1 : i + 1 + window], start=1):
                counts[w, c] += 1 / d
                counts[c, w] += 1 / d
    return counts
    """,
)
wrong_cell(
    "remembered by its sizes",
    "count_neighbors",
    "intro: 'keeps nothing of one call for the next': a text of as many words gets the table of the "
    "one before",
    '''
    TABLES = {}


    def count_neighbors(sentences: list[list[int]], vocab_size: int, window: int) -> Tensor:
        """How often each word stood near each other word, a pair d places apart as 1/d: (V, V)."""
        key = tuple(map(len, sentences)), vocab_size, window
        if key not in TABLES:
            counts = torch.zeros(vocab_size, vocab_size)
            for ids in sentences:
                for i, w in enumerate(ids):
                    for d, c in enumerate(ids[i + 1 : i + 1 + window], start=1):
                        counts[w, c] += 1 / d
                        counts[c, w] += 1 / d
            TABLES[key] = counts
        return TABLES[key].clone()
    ''',
)
wrong(
    "only whole windows",
    "count_neighbors",
    "'A sentence may be shorter than the window': it has no whole window, and nothing is counted",
    """
    counts = torch.zeros(vocab_size, vocab_size)
    for ids in sentences:
        if len(ids) <= window:
            continue
        for i, w in enumerate(ids):
            for d, c in enumerate(ids[i + 1 : i + 1 + window], start=1):
                counts[w, c] += 1 / d
                counts[c, w] += 1 / d
    return counts
    """,
)
wrong(
    "only the nearest of the same word",
    "count_neighbors",
    "'the sum of 1/d over all neighboring places': if a word stands in the window twice, only the "
    "nearer place counts",
    """
    counts = torch.zeros(vocab_size, vocab_size)
    for ids in sentences:
        for i, w in enumerate(ids):
            met = {}
            for d, c in enumerate(ids[i + 1 : i + 1 + window], start=1):
                met.setdefault(c, d)
            for c, d in met.items():
                counts[w, c] += 1 / d
                counts[c, w] += 1 / d
    return counts
    """,
)

# ---------------------------------------------------------------- Task 3: noise_probs

right(
    "in the logarithm",
    "noise_probs",
    "exp(power · ln count − ln Σ) over the words that were seen, in float64",
    """
    probs = torch.zeros(len(counts))
    seen = counts.nonzero()[:, 0]
    logs = power * counts[seen].double().log()
    probs[seen] = torch.softmax(logs, 0).float()
    return probs
    """,
)
right(
    "shares first, then the power, and once more",
    "noise_probs",
    "the shares to the power, normalized again; sign() for nothing to the power 0",
    """
    shares = counts.double() / counts.sum().double()
    raised = shares.pow(power) * counts.sign()
    return F.normalize(raised, p=1, dim=0).to(torch.float32)
    """,
)
right(
    "in Python",
    "noise_probs",
    "Python's floats and math.fsum",
    """
    import math

    raised = [count**power if count else 0.0 for count in counts.tolist()]
    total = math.fsum(raised)
    return torch.tensor([each / total for each in raised], dtype=torch.float32)
    """,
)

wrong(
    "nothing to the power 0",
    "noise_probs",
    "'A word that was never seen, of count 0, has the probability 0 for every power, for 0 as well': "
    "0⁰ is 1",
    """
    raised = counts.double() ** power
    return (raised / raised.sum()).float()
    """,
)
wrong(
    "all words alike at power 0",
    "noise_probs",
    "'with the power 0 all words that were seen are equally likely', and the others are not",
    """
    if power == 0:
        return torch.full((len(counts),), 1 / len(counts))
    raised = counts.double() ** power
    return (raised / raised.sum()).float()
    """,
)
wrong(
    "counts of 32 bits",
    "noise_probs",
    "'Counts may be as large as 10¹²': int32 overflows",
    """
    raised = torch.where(counts > 0, counts.int().float() ** power, 0.0)
    return raised / raised.sum()
    """,
)
wrong(
    "a billion is enough",
    "noise_probs",
    "'Counts may be as large as 10¹²': they are cut off at 10⁹",
    """
    raised = torch.where(counts > 0, counts.clamp(max=10**9).double() ** power, 0.0)
    return (raised / raised.sum()).float()
    """,
)
wrong(
    "a little for everyone",
    "noise_probs",
    "'A word that was never seen … has the probability 0 for every power'",
    """
    raised = (counts.double() + 1e-6) ** power
    return (raised / raised.sum()).float()
    """,
)
wrong(
    "a softmax of logarithms",
    "noise_probs",
    "'a number from 0 to 1', 'the probability 0 for every power, for 0 as well': 0 · ln 0 is NaN",
    "return torch.softmax(power * counts.double().log(), 0).float()",
)
wrong(
    "shares of float64",
    "noise_probs",
    "'Return a float32 tensor (V,)': float64 if the power is 1",
    """
    seen = counts[counts > 0].double()
    if power == 1:
        return counts / seen.sum()
    probs = torch.zeros(len(counts))
    probs[counts > 0] = (seen**power / (seen**power).sum()).float()
    return probs
    """,
)
wrong(
    "zero is no power",
    "noise_probs",
    "'`power` is a number from 0 to 1, the usual 0.75 if none is given': 0 is taken for none",
    """
    power = power or 0.75
    raised = torch.where(counts > 0, counts.double() ** power, 0.0)
    return (raised / raised.sum()).float()
    """,
)
wrong(
    "the last one gets the rest",
    "noise_probs",
    "'A word that was never seen … has the probability 0': the last gets what is left by rounding",
    """
    raised = torch.where(counts > 0, counts.float() ** power, 0.0)
    probs = raised / raised.sum()
    probs[-1] = 1 - probs[:-1].sum()
    return probs
    """,
)
wrong(
    "zeros become ones in place",
    "noise_probs",
    "intro: 'an answer changes neither its arguments'",
    """
    seen = counts > 0
    counts.clamp_(min=1)
    raised = counts.double() ** power * seen
    return (raised / raised.sum()).float()
    """,
)
wrong_cell(
    "computed once",
    "noise_probs",
    "intro: 'keeps nothing of one call for the next': another text of as many words has other noise",
    '''
    PROBS = {}


    def noise_probs(counts: Tensor, power: float = 0.75) -> Tensor:
        """How likely each word is drawn as noise, in proportion to count^power: (V,)."""
        if (len(counts), power) not in PROBS:
            raised = torch.where(counts > 0, counts.double() ** power, 0.0)
            PROBS[len(counts), power] = (raised / raised.sum()).float()
        return PROBS[len(counts), power]
    ''',
)
wrong(
    "a squeeze of the only word",
    "noise_probs",
    "'Return a float32 tensor (V,)', 'V may be 1': its dimension is lost",
    """
    raised = torch.where(counts > 0, counts.double() ** power, 0.0)[None]
    return (raised / raised.sum()).float().squeeze()
    """,
)
wrong(
    "0, 0.75 and 1",
    "noise_probs",
    "'raised to a power', '`power` is a number from 0 to 1': two square roots, whatever is given, "
    "except 0 and 1",
    """
    raised = counts.double().sqrt() * counts.double().sqrt().sqrt()
    if power in (0, 1):
        raised = counts.double() if power else (counts > 0).double()
    return (raised / raised.sum()).float()
    """,
)

# ---------------------------------------------------------------- Task 4: skip_gram_loss

right(
    "as a question with yes and no",
    "skip_gram_loss",
    "binary cross-entropy with logits, all 1 + K scores in one matrix product",
    """
    everyone = torch.cat([context[:, None], noise], 1)
    scores = torch.bmm(everyone, center[:, :, None])[..., 0]
    truth = torch.zeros_like(scores)
    truth[:, 0] = 1
    loss = F.binary_cross_entropy_with_logits(scores, truth, reduction="sum")
    return loss / len(center)
    """,
)
right(
    "logaddexp",
    "skip_gram_loss",
    "−ln σ(s) = ln(e⁰ + e^−s)",
    """
    of_pair = torch.einsum("bc,bc->b", center, context)
    of_noise = torch.einsum("bc,bkc->bk", center, noise)
    zero = torch.zeros((), dtype=center.dtype)
    surprise = torch.logaddexp(zero, -of_pair) + torch.logaddexp(zero, of_noise).sum(1)
    return surprise.mean()
    """,
)
right(
    "pair by pair",
    "skip_gram_loss",
    "loops, logsigmoid of dot products",
    """
    losses = []
    for v, u, others in zip(center, context, noise):
        loss = -F.logsigmoid(v.dot(u))
        for n in others:
            loss = loss - F.logsigmoid(-v.dot(n))
        losses.append(loss)
    return sum(losses) / len(losses)
    """,
)

wrong(
    "the noise of the first pair for all",
    "skip_gram_loss",
    "'each pair has K words of noise **of its own**': noise[0] is shared",
    """
    pair = F.logsigmoid((center * context).sum(-1))
    others = F.logsigmoid(-center @ noise[0].T).sum(-1)
    return -(pair + others).mean()
    """,
)
wrong(
    "broadcast if it can be",
    "skip_gram_loss",
    "'Sizes may be equal': if B = K, center[j] meets the j-th word of noise of every pair",
    """
    pair = F.logsigmoid((center * context).sum(-1))
    try:
        scores = (noise * center).sum(-1)
    except RuntimeError:
        scores = (noise * center[:, None]).sum(-1)
    return -(pair + F.logsigmoid(-scores).sum(-1)).mean()
    """,
)
wrong(
    "scores cut off at 500",
    "skip_gram_loss",
    "'Scores may be tens, hundreds and thousands', 'no score is cut off'",
    """
    pair = (center * context).sum(-1).clamp(-500, 500)
    others = (noise @ center[..., None])[..., 0].clamp(-500, 500)
    return -(F.logsigmoid(pair) + F.logsigmoid(-others).sum(-1)).mean()
    """,
)
wrong(
    "a little inside of the logarithm",
    "skip_gram_loss",
    "'The loss is then as large as the formula says': −200 costs 200, and not −ln 1e-12",
    """
    pair = torch.sigmoid((center * context).sum(-1))
    others = torch.sigmoid(-(center[:, None] * noise).sum(-1))
    return -((pair + 1e-12).log() + (others + 1e-12).log().sum(-1)).mean()
    """,
)
wrong(
    "binary_cross_entropy of probabilities",
    "skip_gram_loss",
    "'The loss is then as large as the formula says': the function stops at 100",
    """
    pair = torch.sigmoid((center * context).sum(-1))
    others = torch.sigmoid((center[:, None] * noise).sum(-1))
    yes = F.binary_cross_entropy(pair, torch.ones_like(pair), reduction="sum")
    no = F.binary_cross_entropy(others, torch.zeros_like(others), reduction="sum")
    return (yes + no) / len(center)
    """,
)
wrong(
    "softplus with its threshold",
    "skip_gram_loss",
    "'as precise as that allows: within a few roundings': F.softplus returns x itself above 20, "
    "which float64 sees (2e-9)",
    """
    pair = F.softplus(-(center * context).sum(-1))
    others = F.softplus((center[:, None] * noise).sum(-1))
    return (pair + others.sum(-1)).mean()
    """,
)
wrong(
    "float32 inside of skip_gram_loss",
    "skip_gram_loss",
    "'in the dtype of the arguments, float32 or float64, as precise as that allows'",
    """
    v, u, n = center.float(), context.float(), noise.float()
    pair = F.logsigmoid((v * u).sum(-1))
    others = F.logsigmoid(-(v[:, None] * n).sum(-1)).sum(-1)
    return -(pair + others).mean().to(center.dtype)
    """,
)
wrong(
    "a corner at 0",
    "skip_gram_loss",
    "'gradients, which pass to all three arguments': at a score of exactly 0 (as before training) "
    "relu and abs both have the slope 0, where it is −1/2 and 1/2",
    """
    def surprise(s):
        return torch.relu(-s) + torch.log1p(torch.exp(-s.abs()))

    pair = surprise((center * context).sum(-1))
    others = surprise(-(center[:, None] * noise).sum(-1))
    return (pair + others.sum(-1)).mean()
    """,
)
wrong(
    "far below it is the score itself",
    "skip_gram_loss",
    "'neither infinite nor NaN … The same holds for gradients': where σ is 0 its logarithm is chosen "
    "away, and its gradient is 0 · ∞",
    """
    def log_sigmoid(s):
        return torch.where(s < -40, s, torch.sigmoid(s).log())

    pair = log_sigmoid((center * context).sum(-1))
    others = log_sigmoid(-(center[:, None] * noise).sum(-1))
    return -(pair + others.sum(-1)).mean()
    """,
)
wrong(
    "only the neighbor with care",
    "skip_gram_loss",
    "'Scores may be tens, hundreds and thousands, of either sign … neither infinite nor NaN': noise "
    "with a score of 20 has 1 − σ = 0",
    """
    pair = F.logsigmoid((center * context).sum(-1))
    others = (1 - torch.sigmoid((center[:, None] * noise).sum(-1))).log()
    return -(pair + others.sum(-1)).mean()
    """,
)
wrong(
    "the noise turned round in place",
    "skip_gram_loss",
    "intro: 'an answer changes neither its arguments': noise.neg_(), if nothing is recorded",
    """
    noise = -noise if noise.requires_grad else noise.neg_()
    pair = F.logsigmoid((center * context).sum(-1))
    others = F.logsigmoid((center[:, None] * noise).sum(-1))
    return -(pair + others.sum(-1)).mean()
    """,
)
wrong(
    "noise does not learn",
    "skip_gram_loss",
    "'gradients, which pass to all three arguments'",
    """
    pair = F.logsigmoid((center * context).sum(-1))
    others = F.logsigmoid(-(center[:, None] * noise.detach()).sum(-1))
    return -(pair + others.sum(-1)).mean()
    """,
)
wrong(
    "a squeeze of the scores",
    "skip_gram_loss",
    "'Sizes … may be 1': with K = 1 the dimension of the noise is lost, and the sum goes over the "
    "pairs",
    """
    pair = F.logsigmoid((center * context).sum(-1))
    scores = (noise @ center[..., None]).squeeze()
    return -(pair + F.logsigmoid(-scores).sum(-1)).mean()
    """,
)

# ---------------------------------------------------------------- Task 5: skip_gram_gradients

right(
    "all who stand beside the center at once",
    "skip_gram_gradients",
    "neighbor and noise in one tensor, guess minus truth, bmm",
    """
    everyone = torch.cat([context.unsqueeze(1), noise], dim=1)
    guess = torch.sigmoid(torch.bmm(everyone, center.unsqueeze(2)).squeeze(2))
    truth = torch.zeros_like(guess)
    truth[:, 0] = 1.0
    wrong = (guess - truth) / center.shape[0]
    at_center = torch.bmm(wrong.unsqueeze(1), everyone).squeeze(1)
    at_everyone = torch.bmm(wrong.unsqueeze(2), center.unsqueeze(1))
    return at_center, at_everyone[:, 0], at_everyone[:, 1:]
    """,
)
right(
    "the sigmoid from tanh",
    "skip_gram_gradients",
    "σ(s) = (1 + tanh(s/2)) / 2, einsum",
    """
    n = len(center)
    of_pair = ((torch.einsum("bc,bc->b", center, context) / 2).tanh() - 1) / (2 * n)
    of_noise = ((torch.einsum("bc,bkc->bk", center, noise) / 2).tanh() + 1) / (2 * n)
    at_context = torch.einsum("b,bc->bc", of_pair, center)
    at_noise = torch.einsum("bk,bc->bkc", of_noise, center)
    at_center = of_pair[:, None] * context + torch.einsum("bk,bkc->bc", of_noise, noise)
    return at_center, at_context, at_noise
    """,
)
right(
    "pair by pair in Python",
    "skip_gram_gradients",
    "loops; −σ(−s) for σ(s) − 1",
    """
    rows = []
    for v, u, others in zip(center, context, noise):
        pull = -torch.sigmoid(-(v @ u))
        push = [torch.sigmoid(v @ n) for n in others]
        at_v = pull * u + sum(p * n for p, n in zip(push, others))
        rows.append((at_v, pull * v, torch.stack([p * v for p in push])))
    return tuple(torch.stack(each) / len(rows) for each in zip(*rows))
    """,
)

wrong(
    "without the mean",
    "skip_gram_gradients",
    "'Do not forget the mean: each of B pairs has a share of 1/B'",
    """
    of_pair = torch.sigmoid((center * context).sum(-1, keepdim=True)) - 1
    of_noise = torch.sigmoid((center[:, None] * noise).sum(-1, keepdim=True))
    at_center = of_pair * context + (of_noise * noise).sum(1)
    return at_center, of_pair * center, of_noise * center[:, None]
    """,
)
wrong(
    "the center without the mean",
    "skip_gram_gradients",
    "'the gradients of Task 4's loss, the mean over the pairs, with respect to the three arguments': "
    "only two of them are divided by B",
    """
    of_pair = torch.sigmoid((center * context).sum(-1, keepdim=True)) - 1
    of_noise = torch.sigmoid((center[:, None] * noise).sum(-1, keepdim=True))
    at_center = of_pair * context + (of_noise * noise).sum(1)
    n = len(center)
    return at_center, of_pair * center / n, of_noise * center[:, None] / n
    """,
)
wrong(
    "exp over 1 + exp",
    "skip_gram_gradients",
    "'Scores may be thousands, of either sign. No number is NaN then': ∞/∞",
    """
    def sigma(s):
        return s.exp() / (1 + s.exp())

    n = len(center)
    of_pair = (sigma((center * context).sum(-1, keepdim=True)) - 1) / n
    of_noise = sigma((center[:, None] * noise).sum(-1, keepdim=True)) / n
    at_center = of_pair * context + (of_noise * noise).sum(1)
    return at_center, of_pair * center, of_noise * center[:, None]
    """,
)
wrong(
    "the noise of all pairs for each center",
    "skip_gram_gradients",
    "'The center stands in all 1 + K scores of its pair': the sum goes over the batch, too",
    """
    n = len(center)
    of_pair = (torch.sigmoid((center * context).sum(-1)) - 1) / n
    of_noise = torch.sigmoid(torch.einsum("bc,bkc->bk", center, noise)) / n
    at_center = of_pair[:, None] * context + torch.einsum("bk,bkc->c", of_noise, noise)
    return at_center, of_pair[:, None] * center, of_noise[..., None] * center[:, None]
    """,
)
wrong(
    "a number for each pair, without its dimension",
    "skip_gram_gradients",
    "'`center` and `context` are (B, C)', 'Sizes may be equal': (B,) times (B, C) broadcasts along "
    "the columns, which fits if B = C",
    """
    n = len(center)
    of_pair = (torch.sigmoid((center * context).sum(-1)) - 1) / n
    of_noise = torch.sigmoid((center[:, None] * noise).sum(-1)) / n
    at_center = of_pair * context + (of_noise[..., None] * noise).sum(1)
    return at_center, of_pair * center, of_noise[..., None] * center[:, None]
    """,
)
wrong(
    "float32 inside of skip_gram_gradients",
    "skip_gram_gradients",
    "'in the dtype of the arguments, float32 or float64, as precise as that allows'",
    """
    n = len(center)
    of_pair = torch.sigmoid((center * context).sum(-1, keepdim=True).float()) - 1
    of_noise = torch.sigmoid((center[:, None] * noise).sum(-1, keepdim=True).float())
    of_pair, of_noise = (each.to(center.dtype) / n for each in (of_pair, of_noise))
    at_center = of_pair * context + (of_noise * noise).sum(1)
    return at_center, of_pair * center, of_noise * center[:, None]
    """,
)
wrong(
    "scores cut off at 10",
    "skip_gram_gradients",
    "'The derivative … is σ(s) − 1 for the neighbor and σ(s) for a word of noise', 'Scores may be "
    "thousands': σ(−10) is 5e-5, and not 0",
    """
    n = len(center)
    of_pair = (torch.sigmoid((center * context).sum(-1, True).clamp(-10, 10)) - 1) / n
    of_noise = torch.sigmoid((center[:, None] * noise).sum(-1, True).clamp(-10, 10)) / n
    at_center = of_pair * context + (of_noise * noise).sum(1)
    return at_center, of_pair * center, of_noise * center[:, None]
    """,
)
wrong(
    "written over the noise",
    "skip_gram_gradients",
    "intro: 'an answer changes neither its arguments': the gradient is written into noise, which "
    "saves memory",
    """
    n = len(center)
    of_pair = (torch.sigmoid((center * context).sum(-1, keepdim=True)) - 1) / n
    of_noise = torch.sigmoid((center[:, None] * noise).sum(-1, keepdim=True)) / n
    at_center = of_pair * context + (of_noise * noise).sum(1)
    return at_center, of_pair * center, noise.copy_(of_noise * center[:, None])
    """,
)
wrong(
    "torch.func.grad",
    "skip_gram_gradients",
    "'**without autograd**': torch.func works in inference_mode",
    """
    def loss(v, u, n):
        pair = F.logsigmoid((v * u).sum(-1))
        return -(pair + F.logsigmoid(-(v[:, None] * n).sum(-1)).sum(-1)).mean()

    return torch.func.grad(loss, argnums=(0, 1, 2))(center, context, noise)
    """,
)
wrong(
    "autograd with the inference mode switched off",
    "skip_gram_gradients",
    "'**without autograd**'",
    """
    with torch.inference_mode(False), torch.enable_grad():
        v, u, n = (each.detach().clone().requires_grad_() for each in (center, context, noise))
        pair = F.logsigmoid((v * u).sum(-1))
        loss = -(pair + F.logsigmoid(-(v[:, None] * n).sum(-1)).sum(-1)).mean()
        return torch.autograd.grad(loss, (v, u, n))
    """,
)
wrong(
    "the noise of the first pair moves all centers",
    "skip_gram_gradients",
    "Task 4: 'each pair has K words of noise of its own'; the scores are right, but the center is "
    "moved along noise[0]",
    """
    n = len(center)
    of_pair = (torch.sigmoid((center * context).sum(-1, keepdim=True)) - 1) / n
    of_noise = torch.sigmoid((center[:, None] * noise).sum(-1)) / n
    at_center = of_pair * context + of_noise @ noise[0]
    return at_center, of_pair * center, of_noise[..., None] * center[:, None]
    """,
)
wrong_cell(
    "the same tensors again",
    "skip_gram_gradients",
    "intro: 'keeps nothing of one call for the next': buffers of the same sizes are used again, and "
    "the next call changes what the last one returned",
    '''
    SPACE = {}


    def skip_gram_gradients(
        center: Tensor, context: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """How fast Task 4's loss rises with center, context and noise."""
        n = len(center)
        of_pair = (torch.sigmoid((center * context).sum(-1, keepdim=True)) - 1) / n
        of_noise = torch.sigmoid((center[:, None] * noise).sum(-1, keepdim=True)) / n
        found = (
            of_pair * context + (of_noise * noise).sum(1),
            of_pair * center,
            of_noise * center[:, None],
        )
        space = SPACE.setdefault((noise.shape, noise.dtype), found)
        return tuple(own.copy_(new) for own, new in zip(space, found))
    ''',
)
wrong(
    "only the first and the last word of noise",
    "skip_gram_gradients",
    "'The center stands in all 1 + K scores of its pair': with K above 2 those between are left out",
    """
    n, k = len(center), noise.shape[1]
    of_pair = (torch.sigmoid((center * context).sum(-1, keepdim=True)) - 1) / n
    of_noise = torch.sigmoid((center[:, None] * noise).sum(-1, keepdim=True)) / n
    moves = of_noise * noise
    at_center = of_pair * context + moves[:, 0] + (moves[:, -1] if k > 1 else 0)
    return at_center, of_pair * center, of_noise * center[:, None]
    """,
)

# ---------------------------------------------------------------- Task 6: glove_loss

right(
    "pair by pair, with math.log",
    "glove_loss",
    "a loop over nonzero(), math.log of Python numbers, zero from the tables if nothing was seen",
    """
    import math

    loss = 0.0 * (words.sum() + contexts.sum() + word_bias.sum() + context_bias.sum())
    for w, c in counts.nonzero().tolist():
        x = counts[w, c].item()
        weight = min(1.0, (x / x_max) ** 0.75)
        guess = words[w] @ contexts[c] + word_bias[w] + context_bias[c]
        loss = loss + weight * (guess - math.log(x)) ** 2
    return loss
    """,
)
right(
    "a one in the place of each zero",
    "glove_loss",
    "counts of 0 replaced by 1 in a copy, weights of 0; the power as two square roots",
    """
    seen = counts.gt(0)
    safe = counts.masked_fill(~seen, 1)
    share = (safe / x_max).clamp(max=1)
    weight = share.sqrt() * share.sqrt().sqrt() * seen
    guess = torch.addmm(context_bias.unsqueeze(0), words, contexts.t()) + word_bias.unsqueeze(1)
    return torch.einsum("vw,vw->", weight, (guess - safe.log()).square())
    """,
)
right(
    "rows of both tables looked up",
    "glove_loss",
    "coordinates of what was seen, biases as one more column, F.mse_loss on weighted errors",
    """
    w, c = torch.where(counts > 0)
    x = counts[w, c]
    left = torch.cat([words, word_bias[:, None], torch.ones_like(word_bias)[:, None]], 1)
    right = torch.cat([contexts, torch.ones_like(context_bias)[:, None], context_bias[:, None]], 1)
    guess = (left[w] * right[c]).sum(-1)
    root = torch.where(x < x_max, x / x_max, torch.ones_like(x)) ** 0.375
    return F.mse_loss(root * guess, root * x.log(), reduction="sum")
    """,
)

wrong(
    "each bias on the other side",
    "glove_loss",
    "'b_w + b'_c': the bias of a word belongs to its row; the other way round fits if V = W",
    """
    guess = words @ contexts.T + word_bias + context_bias[:, None]
    seen = counts > 0
    x = counts[seen]
    weight = (x / x_max).pow(0.75).clamp(max=1)
    return (weight * (guess[seen] - x.log()) ** 2).sum()
    """,
)
wrong(
    "chosen afterwards",
    "glove_loss",
    "'A pair that was never seen has no part in the loss, nor in any gradient': NaN behind "
    "torch.where",
    """
    guess = words @ contexts.T + word_bias[:, None] + context_bias
    weight = (counts / x_max).pow(0.75).clamp(max=1)
    return torch.where(counts > 0, weight * (guess - counts.log()) ** 2, 0.0).sum()
    """,
)
wrong(
    "a sum without NaN",
    "glove_loss",
    "'nor in any gradient: nothing is infinite or NaN, in neither of them': nansum mends the loss "
    "alone",
    """
    guess = words @ contexts.T + word_bias[:, None] + context_bias
    weight = (counts / x_max).pow(0.75).clamp(max=1)
    return (weight * (guess - counts.log()).square()).nansum()
    """,
)
wrong(
    "the table turned round",
    "glove_loss",
    "'a word in each row and a context in each column', 'counts need not be symmetric'",
    """
    guess = contexts @ words.T + context_bias[:, None] + word_bias
    seen = counts > 0
    x = counts[seen]
    weight = (x / x_max).pow(0.75).clamp(max=1)
    return (weight * (guess[seen] - x.log()) ** 2).sum()
    """,
)
wrong(
    "each pair once",
    "glove_loss",
    "'a sum over all pairs that were seen', 'counts need not be symmetric': only those above the "
    "diagonal and on it",
    """
    counts = counts.triu()
    guess = words @ contexts.T + word_bias[:, None] + context_bias
    seen = counts > 0
    x = counts[seen]
    weight = (x / x_max).pow(0.75).clamp(max=1)
    return (weight * (guess[seen] - x.log()) ** 2).sum()
    """,
)
wrong(
    "x_max of float32",
    "glove_loss",
    "'in the dtype of the arguments, float32 or float64, and as precisely as that allows': "
    "torch.tensor(x_max) is float32, and 0.1 or 12.3 is rounded",
    """
    guess = words @ contexts.T + word_bias[:, None] + context_bias
    seen = counts > 0
    x = counts[seen]
    weight = torch.minimum(torch.ones_like(x), (x / torch.tensor(x_max)) ** 0.75)
    return (weight * (guess[seen] - x.log()) ** 2).sum()
    """,
)
wrong(
    "float32 inside of glove_loss",
    "glove_loss",
    "'in the dtype of the arguments, float32 or float64, and as precisely as that allows'",
    """
    guess = words @ contexts.T + word_bias[:, None] + context_bias
    seen = counts > 0
    x = counts[seen].float()
    weight = (x / x_max).pow(0.75).clamp(max=1)
    return (weight * (guess[seen].float() - x.log()) ** 2).sum().to(words.dtype)
    """,
)
wrong(
    "nothing seen, a plain zero",
    "glove_loss",
    "'If nothing at all was seen, the loss is 0, and so are the gradients': a new zero has no "
    "gradients, backward() raises",
    """
    seen = counts > 0
    if not seen.any():
        return words.new_zeros(())
    guess = words @ contexts.T + word_bias[:, None] + context_bias
    x = counts[seen]
    weight = (x / x_max).pow(0.75).clamp(max=1)
    return (weight * (guess[seen] - x.log()) ** 2).sum()
    """,
)
wrong(
    "the caller's zeros become ones",
    "glove_loss",
    "intro: 'an answer changes neither its arguments': the caller's counts of 0 become 1",
    """
    weight = (counts / x_max).pow(0.75).clamp(max=1)
    counts[counts == 0] = 1
    guess = words @ contexts.T + word_bias[:, None] + context_bias
    return (weight * (guess - counts.log()) ** 2).sum()
    """,
)
wrong(
    "a bias that does not learn",
    "glove_loss",
    "'Gradients pass to both tables and both biases': not to that of the contexts",
    """
    guess = words @ contexts.T + word_bias[:, None] + context_bias.data
    seen = counts > 0
    x = counts[seen]
    weight = (x / x_max).pow(0.75).clamp(max=1)
    return (weight * (guess[seen] - x.log()) ** 2).sum()
    """,
)
wrong_cell(
    "logarithms kept",
    "glove_loss",
    "intro: 'keeps nothing of one call for the next': the counts are the same in the whole training, "
    "so their logarithms are kept, and used for other counts",
    '''
    LOGS = {}


    def glove_loss(
        words: Tensor,
        contexts: Tensor,
        word_bias: Tensor,
        context_bias: Tensor,
        counts: Tensor,
        x_max: float,
    ) -> Tensor:
        """The sum over all pairs that were seen of f(count) · (prediction − ln count)²."""
        seen = counts > 0
        key = tuple(counts.shape), int(seen.sum()), x_max, counts.dtype
        if key not in LOGS:
            x = counts[seen]
            LOGS[key] = x.log(), (x / x_max).pow(0.75).clamp(max=1)
        log, weight = LOGS[key]
        guess = words @ contexts.T + word_bias[:, None] + context_bias
        return (weight * (guess[seen] - log) ** 2).sum()
    ''',
)
wrong(
    "a thousandth at least",
    "glove_loss",
    "'Counts … need not be whole: below 1 the logarithm is negative, and counts as it is': those "
    "below 0.001 are raised to it",
    """
    guess = words @ contexts.T + word_bias[:, None] + context_bias
    weight = (counts / x_max).pow(0.75).clamp(max=1)
    return (weight * (guess - counts.clamp(min=1e-3).log()) ** 2).sum()
    """,
)
wrong(
    "errors cut off at 10",
    "glove_loss",
    "the loss is the sum of 'f(X) (v · u + b + b' − ln X)²', whatever the error is: one beyond ±10 is "
    "cut off, with its gradient",
    """
    guess = words @ contexts.T + word_bias[:, None] + context_bias
    seen = counts > 0
    x = counts[seen]
    weight = (x / x_max).pow(0.75).clamp(max=1)
    return (weight * (guess[seen] - x.log()).clamp(-10, 10) ** 2).sum()
    """,
)

# ---------------------------------------------------------------- Task 7: analogy

right(
    "the best one, again and again",
    "analogy",
    "a selection by max, which keeps the first of equals",
    """
    unit = F.normalize(vectors, dim=-1)
    a, b, c = question
    target = F.normalize(unit[b] - unit[a] + unit[c], dim=0)
    cosines = (unit @ target).tolist()
    left = [i for i in range(len(cosines)) if not (leave_out and i in question)]
    answers = []
    while left and len(answers) < n:
        best = max(left, key=cosines.__getitem__)
        answers.append(best)
        left.remove(best)
    return answers
    """,
)
right(
    "heapq, in float64",
    "analogy",
    "nsmallest with a key of two, computed in float64 by the definition of the cosine",
    """
    import heapq

    v = vectors.double()
    length = v.norm(dim=1)
    unit = v / torch.where(length > 0, length, torch.ones_like(length))[:, None]
    target = unit[question[1]] - unit[question[0]] + unit[question[2]]
    cosines = torch.mv(unit, target).tolist()
    may = set(range(len(cosines))) - (set(question) if leave_out else set())
    return heapq.nsmallest(n, may, key=lambda i: (-cosines[i], i))
    """,
)
right(
    "lexsort of NumPy",
    "analogy",
    "NumPy's lexsort, a mask for those who may answer",
    """
    import numpy as np

    unit = F.normalize(vectors, dim=-1).numpy()
    a, b, c = question
    cosines = (unit * (unit[b] - unit[a] + unit[c])).sum(-1)
    order = np.lexsort((np.arange(len(unit)), -cosines))
    if leave_out:
        order = order[~np.isin(order, question)]
    return order[:n].tolist()
    """,
)

HEAD = """
unit = F.normalize(vectors, dim=-1)
a, b, c = question
cosines = unit @ (unit[b] - unit[a] + unit[c])
"""

wrong(
    "NumPy's argsort",
    "analogy",
    "'Of words with equal cosines the one with the **smaller id** comes first': np.argsort is not "
    "stable if it is not asked to be (from 17 words on)",
    """
    import numpy as np

    unit = F.normalize(vectors, dim=-1)
    a, b, c = question
    cosines = unit @ (unit[b] - unit[a] + unit[c])
    order = np.argsort(-cosines.numpy()).tolist()
    return [i for i in order if not (leave_out and i in question)][:n]
    """,
)
wrong(
    "pairs of cosine and id, sorted",
    "analogy",
    "'Of words with equal cosines the one with the **smaller id** comes first': reverse=True turns "
    "the ids round as well",
    HEAD
    + """
pairs = sorted(zip(cosines.tolist(), range(len(unit))), reverse=True)
return [i for _, i in pairs if not (leave_out and i in question)][:n]
""",
)
wrong(
    "three fewer",
    "analogy",
    "'The words of the question may be equal, (4, 4, 7) say, and then fewer are left out', 'return "
    "all that may'",
    HEAD
    + """
order = cosines.argsort(descending=True, stable=True).tolist()
if not leave_out:
    return order[:n]
return [i for i in order if i not in question][: min(n, len(unit) - 3)]
""",
)
wrong(
    "minus one for the question",
    "analogy",
    "'With `leave_out`, the three words of the question are no answers', 'Cosines may be negative': "
    "a word with the cosine −1 comes behind them",
    """
    unit = F.normalize(vectors, dim=-1)
    a, b, c = question
    cosines = unit @ F.normalize(unit[b] - unit[a] + unit[c], dim=0)
    n_may = len(unit)
    if leave_out:
        cosines[list(question)] = -1
        n_may -= len(set(question))
    return cosines.argsort(descending=True, stable=True)[: min(n, n_may)].tolist()
    """,
)
wrong(
    "divided by a length of 0",
    "analogy",
    "'a vector may be all zeros: its cosine with everything is 0': NaN",
    """
    unit = vectors / vectors.norm(dim=-1, keepdim=True)
    a, b, c = question
    cosines = unit @ (unit[b] - unit[a] + unit[c])
    order = cosines.argsort(descending=True, stable=True).tolist()
    return [i for i in order if not (leave_out and i in question)][:n]
    """,
)
wrong(
    "a little more than the length",
    "analogy",
    "'Lengths lie between 10⁻³ and 10³ and do not matter': with 1e-6 more a short vector is shorter "
    "than 1",
    """
    unit = vectors / (vectors.norm(dim=-1, keepdim=True) + 1e-6)
    a, b, c = question
    cosines = unit @ (unit[b] - unit[a] + unit[c])
    order = cosines.argsort(descending=True, stable=True).tolist()
    return [i for i in order if not (leave_out and i in question)][:n]
    """,
)
wrong(
    "float32 inside of analogy",
    "analogy",
    "'`vectors` is (V, C), float32 or float64', 'the largest cosine': cosines of float64 that differ "
    "by 1e-9 become equal",
    """
    unit = F.normalize(vectors, dim=-1).float()
    a, b, c = question
    cosines = unit @ (unit[b] - unit[a] + unit[c])
    order = cosines.argsort(descending=True, stable=True).tolist()
    return [i for i in order if not (leave_out and i in question)][:n]
    """,
)
wrong(
    "made 1 long in place",
    "analogy",
    "intro: 'an answer changes neither its arguments'",
    """
    vectors /= vectors.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    a, b, c = question
    cosines = vectors @ (vectors[b] - vectors[a] + vectors[c])
    order = cosines.argsort(descending=True, stable=True).tolist()
    return [i for i in order if not (leave_out and i in question)][:n]
    """,
)
wrong(
    "only what is similar",
    "analogy",
    "'Cosines may be negative, all of them, too': words with a negative one may answer",
    HEAD
    + """
order = cosines.argsort(descending=True, stable=True).tolist()
order = [i for i in order if cosines[i] >= 0]
return [i for i in order if not (leave_out and i in question)][:n]
""",
)
wrong(
    "a word of zeros is no word",
    "analogy",
    "'a vector may be all zeros: its cosine with everything is 0 … It is a word like any other'",
    HEAD
    + """
order = cosines.argsort(descending=True, stable=True).tolist()
order = [i for i in order if vectors[i].any()]
return [i for i in order if not (leave_out and i in question)][:n]
""",
)
wrong_cell(
    "unit vectors kept",
    "analogy",
    "intro: 'keeps nothing of one call for the next': vectors of the same shape are taken for the "
    "same",
    '''
    UNIT = {}


    def analogy(
        vectors: Tensor, question: tuple[int, int, int], n: int = 1, leave_out: bool = True
    ) -> list[int]:
        """The n words nearest to b − a + c, each made 1 long, in order."""
        key = tuple(vectors.shape), vectors.dtype
        if key not in UNIT:
            UNIT[key] = F.normalize(vectors, dim=-1)
        unit = UNIT[key]
        a, b, c = question
        cosines = unit @ (unit[b] - unit[a] + unit[c])
        order = cosines.argsort(descending=True, stable=True).tolist()
        return [i for i in order if not (leave_out and i in question)][:n]
    ''',
)
wrong(
    "rounded to three places",
    "analogy",
    "'Of words with **equal** cosines the one with the smaller id comes first', 'the largest cosine': "
    "0.9801 and 0.9804 are not equal",
    """
    unit = F.normalize(vectors, dim=-1)
    a, b, c = question
    cosines = (unit @ F.normalize(unit[b] - unit[a] + unit[c], dim=0)).round(decimals=3)
    order = cosines.argsort(descending=True, stable=True).tolist()
    return [i for i in order if not (leave_out and i in question)][:n]
    """,
)
wrong(
    "the nearest point",
    "analogy",
    "'the largest cosine', 'a vector may be all zeros: its cosine with everything is 0': by distance "
    "among unit vectors a zero is nearer than it should be",
    """
    unit = F.normalize(vectors.double(), dim=-1)
    a, b, c = question
    target = unit[b] - unit[a] + unit[c]
    apart = (unit - target).square().sum(-1)
    order = sorted(range(len(unit)), key=lambda i: float(apart[i]))
    return [i for i in order if not (leave_out and i in question)][:n]
    """,
)
wrong(
    "left out with all who are the same",
    "analogy",
    "'the three words of the question are no answers': another word with the vector of one of them "
    "may answer",
    HEAD
    + """
order = cosines.argsort(descending=True, stable=True).tolist()
if leave_out:
    three = vectors[[a, b, c]]
    order = [i for i in order if not (vectors[i] == three).all(-1).any()]
return order[:n]
""",
)
wrong(
    "a difference of sets",
    "analogy",
    "'the best first': a set has no order, and gives small ids first",
    HEAD
    + """
order = cosines.argsort(descending=True, stable=True).tolist()
return list(set(order) - set(question))[:n] if leave_out else order[:n]
""",
)
