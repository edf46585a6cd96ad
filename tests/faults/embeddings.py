"""Answers to the assignment `embeddings`: plausible and wrong, or right in another style."""

from . import edit, fill, frozen, write

ADD = "total.index_add_(0, ids.reshape(-1), rows)"
ONCE = "counts[word, other] += 1 / distance"
BACK = "counts[other, word] += 1 / distance"
NOISE = "torch.where(counts > 0, counts.double() ** power, 0.0)"
LOSS = "-(F.logsigmoid(of_context) + F.logsigmoid(-of_noise).sum(-1)).mean()"
AT_CONTEXT = "(torch.sigmoid(of_context) - 1) / len(center)"
AT_NOISE = "torch.sigmoid(of_noise) / len(center)"
AT_CENTER = "at_context * context + (at_noise * noise).sum(1)"
WEIGHTS = "(counts[seen] / x_max).clamp(max=1) ** 0.75"
PREDICTED = "words @ contexts.T + word_bias[:, None] + context_bias"
COSINES = "F.cosine_similarity(unit, b - a + c, dim=-1)"
ORDER = "cosines.argsort(descending=True, stable=True).tolist()"
DROP = "[word for word in order if word not in question]"

WRONG = [
    # Task 1
    fill(
        "the last use is kept",
        "look_up_gradient",
        "+= reads before it writes",
        """
        total = gradient.new_zeros(vocab_size, gradient.shape[-1])
        total[ids.reshape(-1)] += gradient.reshape(-1, gradient.shape[-1])
        return total
        """,
        cause="only the last",
    ),
    fill(
        "the first use is kept",
        "look_up_gradient",
        "who was there is left alone",
        """
        total = gradient.new_zeros(vocab_size, gradient.shape[-1])
        rows = gradient.reshape(-1, gradient.shape[-1]).flip(0)
        total[ids.reshape(-1).flip(0)] = rows
        return total
        """,
        cause="only the first",
    ),
    edit(
        "mean of the uses",
        "look_up_gradient",
        "a word that is used often learns no more",
        (
            f"return {ADD}",
            f"uses = torch.bincount(ids.reshape(-1), minlength=vocab_size).clamp(min=1)\n"
            f"    return {ADD} / uses[:, None]",
        ),
        cause="the mean of its two uses",
    ),
    edit(
        "mean over the batch",
        "look_up_gradient",
        "divided by the number of ids",
        (f"return {ADD}", f"return {ADD} / max(1, ids.numel())"),
        cause="divided",
    ),
    edit(
        "as many rows as needed",
        "look_up_gradient",
        "the largest id decides",
        ("rows.new_zeros(vocab_size,", "rows.new_zeros(int(ids.max()) + 1,"),
        cause="work for ids|vocab_size=|every word|number of rows",
    ),
    edit(
        "transposed",
        "look_up_gradient",
        "a column for each word",
        (f"return {ADD}", f"return {ADD}.T"),
        cause="row for each",
    ),
    fill(
        "asks autograd",
        "look_up_gradient",
        "a table of zeros, and backward",
        """
        table = gradient.new_zeros(vocab_size, gradient.shape[-1], requires_grad=True)
        (table[ids] * gradient).sum().backward()
        return table.grad
        """,
        cause="autograd",
    ),
    fill(
        "text by text",
        "look_up_gradient",
        "a row of ids at once, by +=",
        """
        total = gradient.new_zeros(vocab_size, gradient.shape[-1])
        for some, rows in zip(ids, gradient):
            total[some] += rows
        return total
        """,
        cause="(B, T)",
    ),
    edit(
        "id 0 is padding",
        "look_up_gradient",
        "its row stays 0",
        (f"return {ADD}", f"{ADD}\n    total[0] = 0\n    return total"),
        cause="Id 0",
    ),
    edit(
        "zeros of float32",
        "look_up_gradient",
        "torch.zeros, and the rows cast",
        ("rows.new_zeros(vocab_size, rows.shape[1])", "torch.zeros(vocab_size, rows.shape[1])"),
        ("ids.reshape(-1), rows)", "ids.reshape(-1), rows.float())"),
        cause="float64",
    ),
    edit(
        "float32 inside",
        "look_up_gradient",
        "added in float32, and cast back",
        ("rows = gradient.", "rows = gradient.float()."),
        (f"return {ADD}", f"return {ADD}.to(gradient.dtype)"),
        cause="float32",
    ),
    edit(
        "view",
        "look_up_gradient",
        "numbers in order only",
        ("gradient.reshape(", "gradient.view("),
        cause="view|transposed",
    ),
    fill(
        "one row of ids",
        "look_up_gradient",
        "needs one dimension",
        """
        total = gradient.new_zeros(vocab_size, gradient.shape[-1])
        for place in range(len(ids)):
            total[ids[place]] += gradient[place]
        return total
        """,
        cause="(B, T)",
    ),
    fill(
        "at most two dimensions",
        "look_up_gradient",
        "a batch of texts, or one text",
        """
        if ids.dim() == 1:
            ids, gradient = ids[None], gradient[None]
        total = gradient.new_zeros(vocab_size, gradient.shape[-1])
        for b in range(len(ids)):
            for t in range(ids.shape[1]):
                total[ids[b, t]] += gradient[b, t]
        return total
        """,
        cause="without dimensions|any number of dimensions",
    ),
    fill(
        "one-hot by comparison, squeezed",
        "look_up_gradient",
        "a table of one column, or of one row, loses it",
        """
        one_hot = (ids.reshape(-1, 1) == torch.arange(vocab_size)).to(gradient.dtype)
        return (one_hot.T @ gradient.reshape(-1, gradient.shape[-1])).squeeze()
        """,
        cause="shape",
    ),
    write(
        "goes on adding",
        "look_up_gradient",
        "a table that all calls share",
        """
TOTALS = {}

def look_up_gradient(ids, gradient, vocab_size):
    key = vocab_size, gradient.shape[-1], gradient.dtype
    total = TOTALS.setdefault(key, gradient.new_zeros(key[:2]))
    total.index_add_(0, ids.reshape(-1), gradient.reshape(-1, gradient.shape[-1]))
    return total.clone()
        """,
        cause="kept",
    ),
    edit(
        "nothing returned",
        "look_up_gradient",
        "no `return`",
        (f"return {ADD}", ADD),
        cause="return",
    ),
    # Task 2
    edit(
        "each pair counts 1",
        "count_neighbors",
        "the distance is forgotten",
        (ONCE, "counts[word, other] += 1"),
        (BACK, "counts[other, word] += 1"),
        cause="1/d|counted as 1",
    ),
    edit(
        "weights of skip-gram",
        "count_neighbors",
        "linear in the distance",
        (ONCE, "counts[word, other] += (window + 1 - distance) / window"),
        (BACK, "counts[other, word] += (window + 1 - distance) / window"),
        cause="1/d",
    ),
    edit("one side", "count_neighbors", "to the right only", (BACK, "pass"), cause="both sides"),
    edit(
        "window excluded",
        "count_neighbors",
        "range ends before it",
        ("range(1, window + 1)", "range(1, window)"),
        cause="before `window`",
    ),
    edit(
        "everybody in the sentence",
        "count_neighbors",
        "the window is ignored",
        ("range(1, window + 1)", "range(1, len(ids))"),
        cause="window=1",
    ),
    fill(
        "across sentences",
        "count_neighbors",
        "one long text",
        """
        counts = torch.zeros(vocab_size, vocab_size)
        text = [word for ids in sentences for word in ids]
        for i, w in enumerate(text):
            for j in range(max(0, i - window), min(len(text), i + window + 1)):
                if i != j:
                    counts[w, text[j]] += 1 / abs(i - j)
        return counts
        """,
        cause="one sentence to the next",
    ),
    edit(
        "equal words left out",
        "count_neighbors",
        "nobody is their own neighbor",
        (
            "if place + distance < len(ids):",
            "if place + distance < len(ids) and ids[place + distance] != word:",
        ),
        cause="equal words|its own neighbor",
    ),
    edit(
        "equal words once",
        "count_neighbors",
        "two sides only where there are two words",
        (BACK, "counts[other, word] += (word != other) / distance"),
        cause="one side only|from either side",
    ),
    fill(
        "itself",
        "count_neighbors",
        "its own place is in the window, as far as the next",
        """
        counts = torch.zeros(vocab_size, vocab_size)
        for ids in sentences:
            for i, w in enumerate(ids):
                for j in range(max(0, i - window), min(len(ids), i + window + 1)):
                    counts[w, ids[j]] += 1 / max(1, abs(i - j))
        return counts
        """,
        cause="own neighbor",
    ),
    fill(
        "a pair once in a text",
        "count_neighbors",
        "set, not added",
        """
        counts = torch.zeros(vocab_size, vocab_size)
        for ids in sentences:
            for i, w in enumerate(ids):
                for j, c in enumerate(ids):
                    if 0 < abs(i - j) <= window:
                        counts[w, c] = 1 / abs(i - j)
        return counts
        """,
        cause="adds up|add up|one side",
    ),
    fill(
        "all pairs at once",
        "count_neighbors",
        "+= with two lists of ids keeps one use",
        """
        counts = torch.zeros(vocab_size, vocab_size)
        for ids in sentences:
            for d in range(1, min(window, len(ids) - 1) + 1):
                counts[ids[:-d], ids[d:]] += 1 / d
                counts[ids[d:], ids[:-d]] += 1 / d
        return counts
        """,
        cause="add up|one side|either side|its own neighbor",
    ),
    fill(
        "before the first is the last",
        "count_neighbors",
        "a negative index",
        """
        counts = torch.zeros(vocab_size, vocab_size)
        for ids in sentences:
            for i, w in enumerate(ids):
                for d in range(1, window + 1):
                    for j in (i - d, i + d):
                        if -len(ids) <= j < len(ids) and j != i:
                            counts[w, ids[j]] += 1 / d
        return counts
        """,
        cause="negative place",
    ),
    edit(
        "id 0 is padding",
        "count_neighbors",
        "its row stays 0",
        (
            "    return counts\n",
            "    counts[0] = 0\n    counts[:, 0] = 0\n    return counts\n",
        ),
        cause="0 is a word",
    ),
    edit(
        "ends at a short sentence",
        "count_neighbors",
        "break for continue",
        (
            "        for place, word in enumerate(ids):\n",
            "        if len(ids) < 2:\n            break\n"
            "        for place, word in enumerate(ids):\n",
        ),
        cause="short sentence",
    ),
    edit(
        "as many rows as needed",
        "count_neighbors",
        "the largest id decides",
        (
            "counts = torch.zeros(vocab_size, vocab_size)",
            "n = max((max(ids) for ids in sentences if ids), default=0) + 1\n"
            "    counts = torch.zeros(n, n)",
        ),
        cause="vocab_size",
    ),
    edit(
        "double",
        "count_neighbors",
        "float64",
        (
            "torch.zeros(vocab_size, vocab_size)",
            "torch.zeros(vocab_size, vocab_size, dtype=torch.float64)",
        ),
        cause="float32",
    ),
    edit(
        "takes the words out",
        "count_neighbors",
        "empties its argument",
        (
            "    for ids in sentences:\n",
            "    while sentences:\n        ids = sentences.pop()\n",
        ),
        cause="sentences was changed",
    ),
    edit(
        "half from each side",
        "count_neighbors",
        "made symmetric by a mean",
        ("    return counts\n", "    return (counts + counts.T) / 4\n"),
        cause="1/d",
    ),
    fill(
        "short sentences left out",
        "count_neighbors",
        "shorter than the window",
        """
        counts = torch.zeros(vocab_size, vocab_size)
        for ids in sentences:
            if len(ids) <= window:
                continue
            for i, w in enumerate(ids):
                for d in range(1, window + 1):
                    if i + d < len(ids):
                        counts[w, ids[i + d]] += 1 / d
                        counts[ids[i + d], w] += 1 / d
        return counts
        """,
        cause="short sentence|wider than",
    ),
    write(
        "goes on counting",
        "count_neighbors",
        "a table that all calls share",
        """
TABLES = {}

def count_neighbors(sentences, vocab_size, window):
    counts = TABLES.setdefault(vocab_size, torch.zeros(vocab_size, vocab_size))
    for ids in sentences:
        for i, w in enumerate(ids):
            for d in range(1, window + 1):
                if i + d < len(ids):
                    counts[w, ids[i + d]] += 1 / d
                    counts[ids[i + d], w] += 1 / d
    return counts.clone()
        """,
        cause="kept",
    ),
    # Task 3
    edit(
        "power after the division",
        "noise_probs",
        "does not sum to 1",
        (f"weights = {NOISE}", "weights = counts.double()"),
        (
            "return (weights / weights.sum()).float()",
            "return ((weights / weights.sum()) ** power).float()",
        ),
        cause="after the division",
    ),
    edit(
        "plain shares",
        "noise_probs",
        "no power",
        (NOISE, "counts.double()"),
        cause="power 0.75 is missing",
    ),
    edit(
        "always 0.75",
        "noise_probs",
        "the argument is ignored",
        ("** power", "** 0.75"),
        cause="no fixed one|that is given",
    ),
    edit(
        "softmax",
        "noise_probs",
        "of the powers",
        ("(weights / weights.sum())", "torch.softmax(weights, 0)"),
        cause="1, 8 and 27",
    ),
    edit(
        "0 to the power 0",
        "noise_probs",
        "words that were never seen are drawn",
        (NOISE, "counts.double() ** power"),
        cause="0 to the power 0",
    ),
    edit(
        "one more of each",
        "noise_probs",
        "as for n-grams",
        (NOISE, "(counts.double() + 1) ** power"),
        cause="1, 8 and 27",
    ),
    edit(
        "never seen is once",
        "noise_probs",
        "clamped, so that nothing is 0",
        (NOISE, "counts.clamp(min=1).double() ** power"),
        cause="never seen",
    ),
    edit(
        "most frequent is 1",
        "noise_probs",
        "divided by the largest",
        ("weights.sum()", "weights.max()"),
        cause="sum to 1",
    ),
    edit(
        "not divided",
        "noise_probs",
        "weights for multinomial",
        ("(weights / weights.sum())", "weights"),
        cause="division",
    ),
    edit(
        "double",
        "noise_probs",
        "float64",
        (".float()", ""),
        cause="float32|dtype",
    ),
    edit(
        "sorted",
        "noise_probs",
        "frequent words first",
        ("weights = torch", "counts = counts.sort().values\n    weights = torch"),
        cause="order",
    ),
    edit(
        "int32",
        "noise_probs",
        "too small for large counts",
        ("counts.double() **", "counts.int().double() **"),
        cause="large",
    ),
    edit(
        "a logarithm",
        "noise_probs",
        "exp(power · log count), which is NaN for 0 · −∞",
        (NOISE, "(power * counts.double().log()).exp()"),
        cause="never seen|0 to the power 0",
    ),
    edit(
        "seen words alone",
        "noise_probs",
        "a shorter tensor",
        (NOISE, "counts[counts > 0].double() ** power"),
        cause="shape",
    ),
    # Task 4
    edit(
        "mean over the noise",
        "skip_gram_loss",
        "as F.binary_cross_entropy would",
        ("F.logsigmoid(-of_noise).sum(-1)", "F.logsigmoid(-of_noise).mean(-1)"),
        cause="the noise is a mean",
    ),
    edit(
        "sum over the pairs",
        "skip_gram_loss",
        "no mean",
        (".mean()", ".sum()"),
        cause="sum over the pairs",
    ),
    edit(
        "noise without its minus",
        "skip_gram_loss",
        "scored like neighbors",
        ("logsigmoid(-of_noise)", "logsigmoid(of_noise)"),
        cause="without its minus",
    ),
    edit(
        "signs exchanged",
        "skip_gram_loss",
        "the neighbor is pushed away",
        ("logsigmoid(of_context)", "logsigmoid(-of_context)"),
        ("logsigmoid(-of_noise)", "logsigmoid(of_noise)"),
        cause="minus",
    ),
    edit(
        "no minus",
        "skip_gram_loss",
        "a likelihood",
        (f"return {LOSS}", f"return {LOSS[1:]}"),
        cause="upside down",
    ),
    edit(
        "log of a sigmoid",
        "skip_gram_loss",
        "−∞ for bad scores",
        (
            LOSS,
            "-(of_context.sigmoid().log() + (-of_noise).sigmoid().log().sum(-1)).mean()",
        ),
        cause="infinite|logarithm",
    ),
    edit(
        "log(1 − σ)",
        "skip_gram_loss",
        "of noise, 0 for good reason",
        ("F.logsigmoid(-of_noise)", "(1 - of_noise.sigmoid()).log()"),
        cause="F.logsigmoid|infinite",
    ),
    edit(
        "a small number in the logarithm",
        "skip_gram_loss",
        "so that nothing is infinite",
        (
            LOSS,
            "-((of_context.sigmoid() + 1e-10).log()\n"
            "             + ((-of_noise).sigmoid() + 1e-10).log().sum(-1)).mean()",
        ),
        cause="small number",
    ),
    edit(
        "log(1 + exp)",
        "skip_gram_loss",
        "overflows",
        (LOSS, "((-of_context).exp().log1p() + of_noise.exp().log1p().sum(-1)).mean()"),
        cause="overflow|infinite",
    ),
    edit(
        "scores within six",
        "skip_gram_loss",
        "as the word2vec program does",
        ("of_noise = (center", "of_context = of_context.clamp(-6, 6)\n    of_noise = (center"),
        cause="within bounds",
    ),
    edit(
        "scores within fifty",
        "skip_gram_loss",
        "so that exp does not overflow",
        (
            LOSS,
            LOSS.replace("of_context)", "of_context.clamp(-50, 50))").replace(
                "-of_noise)", "-of_noise.clamp(-50, 50))"
            ),
        ),
        cause="within bounds",
    ),
    edit(
        "noise shared",
        "skip_gram_loss",
        "that of the first pair, for all",
        ("(center[:, None] * noise)", "(center[:, None] * noise[:1])"),
        cause="noise of the first pair",
    ),
    edit(
        "noise detached",
        "skip_gram_loss",
        "no gradient for words of noise",
        ("* noise)", "* noise.detach())"),
        cause="detached",
    ),
    edit(
        "a number",
        "skip_gram_loss",
        "item, and a new tensor",
        (f"return {LOSS}", f"return torch.tensor(({LOSS}).item(), dtype=center.dtype)"),
        cause="gradient passes|detached",
    ),
    edit(
        "scaled",
        "skip_gram_loss",
        "by √C, as in attention",
        (
            "of_context = (",
            "center = center / center.shape[-1] ** 0.5\n    of_context = (",
        ),
        cause="2.4583|plain dot",
    ),
    edit(
        "softmax",
        "skip_gram_loss",
        "one of 1 + K",
        (LOSS, "(torch.cat([of_context[:, None], of_noise], 1).logsumexp(1) - of_context).mean()"),
        cause="2.4583",
    ),
    edit(
        "all centers with all contexts",
        "skip_gram_loss",
        "a matrix product",
        ("(center * context).sum(-1)", "(center @ context.T).mean(-1)"),
        cause="its own context",
    ),
    edit(
        "float32 inside",
        "skip_gram_loss",
        "cast, and cast back",
        (
            f"return {LOSS}",
            f"of_noise, dtype = of_noise.float(), center.dtype\n    return ({LOSS}).to(dtype)",
        ),
        cause="precise|precis",
    ),
    edit(
        "a row for each pair",
        "skip_gram_loss",
        "no mean",
        (".mean()", ""),
        cause="mean over all pairs",
    ),
    edit(
        "squeezed",
        "skip_gram_loss",
        "K = 1, or B = 1, mixes the scores",
        ("(center[:, None] * noise).sum(-1)", "(center[:, None] * noise).sum(-1).squeeze()"),
        cause="may be 1",
    ),
    edit(
        "noise turned round in place",
        "skip_gram_loss",
        "and so is the caller's",
        ("* noise)", "* noise.neg_())"),
        ("logsigmoid(-of_noise)", "logsigmoid(of_noise)"),
        cause="changed in place",
    ),
    # Task 5
    edit(
        "mean forgotten",
        "skip_gram_gradients",
        "no 1/B",
        (AT_CONTEXT, "torch.sigmoid(of_context) - 1"),
        (AT_NOISE, "torch.sigmoid(of_noise)"),
        cause="1/B",
    ),
    edit(
        "mean over all scores",
        "skip_gram_gradients",
        "of B (1 + K)",
        (AT_CONTEXT, f"{AT_CONTEXT} / (1 + noise.shape[1])"),
        (AT_NOISE, f"{AT_NOISE} / (1 + noise.shape[1])"),
        cause="1/B|−0.2689",
    ),
    edit(
        "truth forgotten",
        "skip_gram_gradients",
        "the neighbor is pushed away",
        ("(torch.sigmoid(of_context) - 1)", "torch.sigmoid(of_context)"),
        cause="the truth",
    ),
    edit(
        "truth minus guess",
        "skip_gram_gradients",
        "the step, not the gradient",
        ("(torch.sigmoid(of_context) - 1)", "(1 - torch.sigmoid(of_context))"),
        (AT_NOISE, f"-{AT_NOISE}"),
        cause="upside down",
    ),
    edit(
        "noise as neighbors",
        "skip_gram_gradients",
        "minus 1 for all",
        (AT_NOISE, "(torch.sigmoid(of_noise) - 1) / len(center)"),
        cause="scores of the noise",
    ),
    edit(
        "squared error",
        "skip_gram_gradients",
        "σ(1 − σ) as a factor",
        (AT_CONTEXT, f"{AT_CONTEXT} * torch.sigmoid(of_context) * torch.sigmoid(-of_context)"),
        cause="squared error",
    ),
    edit(
        "center without noise",
        "skip_gram_gradients",
        "moved to its neighbor only",
        (AT_CENTER, "at_context * context"),
        cause="noise has no part",
    ),
    edit(
        "center by the mean of the noise",
        "skip_gram_gradients",
        "averaged",
        ("(at_noise * noise).sum(1)", "(at_noise * noise).mean(1)"),
        cause="averaged",
    ),
    edit(
        "noise averaged",
        "skip_gram_gradients",
        "1/K of each",
        (AT_NOISE, f"{AT_NOISE} / noise.shape[1]"),
        cause="averaged|scores of the noise",
    ),
    edit(
        "order exchanged",
        "skip_gram_gradients",
        "context first",
        (
            "return at_center, at_context * center,",
            "return at_context * center, at_center,",
        ),
        cause="order|−0.2689",
    ),
    edit(
        "moved along itself",
        "skip_gram_gradients",
        "the context by the context",
        ("at_context * center, at_noise", "at_context * context, at_noise"),
        cause="−0.2689 · center",
    ),
    edit(
        "noise along itself",
        "skip_gram_gradients",
        "not along the center",
        ("at_noise * center[:, None]", "at_noise * noise"),
        cause="0.8808 · center",
    ),
    edit(
        "exponentials",
        "skip_gram_gradients",
        "∞/∞ for large scores",
        (AT_NOISE, "of_noise.exp() / (1 + of_noise.exp()) / len(center)"),
        cause="overflow",
    ),
    edit(
        "scores within six",
        "skip_gram_gradients",
        "as the word2vec program does",
        (AT_NOISE, "torch.sigmoid(of_noise.clamp(-6, 6)) / len(center)"),
        cause="within bounds",
    ),
    edit(
        "no gradient beyond six",
        "skip_gram_gradients",
        "as where a score is clamped",
        (AT_CONTEXT, f"{AT_CONTEXT} * (of_context.abs() < 6)"),
        cause="within bounds",
    ),
    fill(
        "asks autograd",
        "skip_gram_gradients",
        "the loss, and backward",
        """
        inputs = [x.detach().clone().requires_grad_() for x in (center, context, noise)]
        of_context = (inputs[0] * inputs[1]).sum(-1)
        of_noise = (inputs[0][:, None] * inputs[2]).sum(-1)
        loss = -(F.logsigmoid(of_context) + F.logsigmoid(-of_noise).sum(-1)).mean()
        return torch.autograd.grad(loss, inputs)
        """,
        cause="autograd",
    ),
    edit(
        "divided by K",
        "skip_gram_gradients",
        "len of the wrong dimension",
        (AT_NOISE, "torch.sigmoid(of_noise) / noise.shape[1]"),
        cause="scores of the noise|1/B",
    ),
    edit(
        "float32 inside",
        "skip_gram_gradients",
        "cast, and cast back",
        (AT_NOISE, "torch.sigmoid(of_noise.float()).to(noise.dtype) / len(center)"),
        cause="precise",
    ),
    edit(
        "always float32",
        "skip_gram_gradients",
        "cast and left so",
        (
            "return at_center, at_context * center, at_noise * center[:, None]",
            "all_three = at_center, at_context * center, at_noise * center[:, None]\n"
            "    return tuple(gradient.float() for gradient in all_three)",
        ),
        cause="float64",
    ),
    edit(
        "noise shared",
        "skip_gram_gradients",
        "that of the first pair, for all",
        ("(center[:, None] * noise)", "(center[:, None] * noise[:1])"),
        cause="same pair",
    ),
    edit(
        "steps in place",
        "skip_gram_gradients",
        "a step of descent on the way",
        (
            "    return at_center,",
            "    context -= 0.1 * at_context * center\n    return at_center,",
        ),
        cause="changed in place",
    ),
    # Task 6
    edit(
        "mean",
        "glove_loss",
        "over the pairs that were seen",
        (".sum()", ".mean()"),
        cause="mean over the pairs that were seen",
    ),
    edit(
        "mean over all pairs",
        "glove_loss",
        "divided by the table's size",
        ("(weights * errors.square()).sum()", "(weights * errors.square()).sum() / counts.numel()"),
        cause="mean over all pairs",
    ),
    edit(
        "no weights",
        "glove_loss",
        "plain squares",
        ("weights * errors", "errors"),
        cause="weights are missing",
    ),
    edit(
        "weights without end",
        "glove_loss",
        "more than 1",
        (".clamp(max=1)", ""),
        cause="larger than 1",
    ),
    edit("weights without power", "glove_loss", "linear", (" ** 0.75", ""), cause="power 3/4"),
    edit(
        "weights inside of the square",
        "glove_loss",
        "(f · error)²",
        ("(weights * errors.square())", "(weights * errors).square()"),
        cause="inside of the square",
    ),
    edit(
        "absolute errors",
        "glove_loss",
        "not squared",
        ("errors.square()", "errors.abs()"),
        cause="12.6907",
    ),
    fill(
        "infinity times 0",
        "glove_loss",
        "weights of 0 do not help",
        """
        predicted = words @ contexts.T + word_bias[:, None] + context_bias
        weights = (counts / x_max).clamp(max=1) ** 0.75
        return (weights * (predicted - counts.log()).square()).sum()
        """,
        cause="never seen",
    ),
    fill(
        "left aside too late",
        "glove_loss",
        "where, after the square: the gradient is NaN",
        """
        predicted = words @ contexts.T + word_bias[:, None] + context_bias
        weights = (counts / x_max).clamp(max=1) ** 0.75
        each = weights * (predicted - counts.log()).square()
        return torch.where(counts > 0, each, torch.zeros_like(each)).sum()
        """,
        cause="not finite|Hint 2",
    ),
    fill(
        "nansum",
        "glove_loss",
        "the loss is right, and its gradient NaN",
        """
        predicted = words @ contexts.T + word_bias[:, None] + context_bias
        weights = (counts / x_max).clamp(max=1) ** 0.75
        return (weights * (predicted - counts.log()).square()).nansum()
        """,
        cause="not finite|Hint 2",
    ),
    edit(
        "one more of each",
        "glove_loss",
        "log(1 + count)",
        ("counts[seen].log()", "counts[seen].log1p()"),
        cause="1 is added",
    ),
    fill(
        "one more, zeros too",
        "glove_loss",
        "all pairs are pulled to 0",
        """
        predicted = words @ contexts.T + word_bias[:, None] + context_bias
        weights = (counts / x_max).clamp(max=1, min=1e-3) ** 0.75
        return (weights * (predicted - counts.clamp(min=1e-12).log()).square()).sum()
        """,
        cause="12.6907|never seen",
    ),
    edit(
        "biases exchanged",
        "glove_loss",
        "rows and columns",
        ("word_bias[:, None] + context_bias", "word_bias + context_bias[:, None]"),
        cause="wrong side|exchanged",
    ),
    edit(
        "biases exchanged where they fit",
        "glove_loss",
        "a square table",
        (
            f"predicted = {PREDICTED}",
            "one, two = word_bias[:, None], context_bias\n"
            "    if len(words) == len(contexts):\n"
            "        one, two = word_bias, context_bias[:, None]\n"
            "    predicted = words @ contexts.T + one + two",
        ),
        cause="exchanged",
    ),
    edit(
        "one bias",
        "glove_loss",
        "that of the context is forgotten",
        (" + context_bias", ""),
        cause="both biases",
    ),
    edit(
        "transposed where it fits",
        "glove_loss",
        "a square table",
        (
            "seen = counts > 0",
            "counts = counts.T if len(words) == len(contexts) else counts\n    seen = counts > 0",
        ),
        cause="transposed|exchanged",
    ),
    edit("always 100", "glove_loss", "x_max is ignored", ("/ x_max", "/ 100"), cause="x_max"),
    edit(
        "logarithm of two",
        "glove_loss",
        "bits",
        (".log()", ".log2()"),
        cause="natural",
    ),
    edit(
        "from one on",
        "glove_loss",
        "counts below 1 are left out",
        ("counts > 0", "counts >= 1"),
        cause="below 1",
    ),
    edit(
        "logarithms from 0 on",
        "glove_loss",
        "a count below 1 is as good as 1",
        ("counts[seen].log()", "counts[seen].log().clamp(min=0)"),
        cause="below 1",
    ),
    edit(
        "a small number in the logarithm",
        "glove_loss",
        "so that nothing is infinite",
        ("counts[seen].log()", "(counts[seen] + 1e-5).log()"),
        cause="small number|below 1",
    ),
    edit(
        "table detached",
        "glove_loss",
        "contexts do not learn",
        ("contexts.T", "contexts.detach().T"),
        cause="detached",
    ),
    edit(
        "mean of nothing",
        "glove_loss",
        "0/0 where nothing was seen",
        (
            "(weights * errors.square()).sum()",
            "(weights * errors.square()).mean() * seen.sum()",
        ),
        cause="nothing was seen",
    ),
    edit(
        "a float for nothing",
        "glove_loss",
        "returns early",
        (
            "    predicted =",
            "    if not seen.any():\n        return torch.tensor(0.0)\n    predicted =",
        ),
        cause="nothing was seen",
    ),
    edit(
        "float32 inside",
        "glove_loss",
        "cast, and cast back",
        ("weights = (counts[seen] / x_max)", "weights = (counts[seen].float() / x_max)"),
        cause="precise",
    ),
    edit(
        "zeros filled in",
        "glove_loss",
        "the caller's counts",
        (
            "    predicted =",
            "    counts[~seen] = 1e-9\n    predicted =",
        ),
        cause="counts was changed",
    ),
    # Task 7
    edit(
        "nobody left out",
        "analogy",
        "leave_out is ignored",
        ("if leave_out:", "if False:"),
        cause="none of the three may",
    ),
    edit(
        "c alone left out",
        "analogy",
        "its own neighbor",
        (DROP, "[word for word in order if word != question[2]]"),
        cause="none of the three may",
    ),
    edit(
        "always left out",
        "analogy",
        "leave_out is ignored",
        ("if leave_out:", "if True:"),
        cause="left out all the same",
    ),
    edit(
        "a minus b",
        "analogy",
        "the wrong way round",
        ("b - a + c", "a - b + c"),
        cause="a − b + c",
    ),
    edit(
        "dot product",
        "analogy",
        "long vectors win",
        (COSINES, "vectors @ (b - a + c)"),
        cause="dot product",
    ),
    edit(
        "question not made 1 long",
        "analogy",
        "vectors as they are",
        ("a, b, c = unit[list(question)]", "a, b, c = vectors[list(question)]"),
        cause="made 1 long",
    ),
    edit(
        "smallest first",
        "analogy",
        "ascending",
        ("descending=True", "descending=False"),
        cause="upside down",
    ),
    edit(
        "neighbor of c",
        "analogy",
        "no arithmetic",
        ("b - a + c", "c"),
        cause="neighbor of c",
    ),
    edit(
        "any order of equals",
        "analogy",
        "the larger id first",
        (ORDER, "sorted(range(len(vectors)), key=lambda i: (cosines[i].item(), i), reverse=True)"),
        cause="smaller id",
    ),
    edit(
        "topk",
        "analogy",
        "of equals anyone",
        (ORDER, "cosines.topk(len(vectors)).indices.tolist()"),
        cause="smaller id",
    ),
    edit(
        "best n, then left out",
        "analogy",
        "fewer are left",
        (ORDER, f"{ORDER}[:n]"),
        cause="after the best n",
    ),
    fill(
        "cosine set to 0",
        "analogy",
        "positive cosines alone are thought of",
        """
        unit = F.normalize(vectors, dim=-1)
        a, b, c = unit[list(question)]
        cosines = F.cosine_similarity(unit, b - a + c, dim=-1)
        if leave_out:
            cosines[list(question)] = 0
        n = min(n, len(vectors) - leave_out * len(set(question)))
        return cosines.argsort(descending=True, stable=True)[:n].tolist()
        """,
        cause="among the answers|negative",
    ),
    fill(
        "cosine set to −1",
        "analogy",
        "the smallest that there is",
        """
        unit = F.normalize(vectors, dim=-1)
        a, b, c = unit[list(question)]
        cosines = F.cosine_similarity(unit, b - a + c, dim=-1)
        if leave_out:
            cosines[list(question)] = -1
        n = min(n, len(vectors) - leave_out * len(set(question)))
        return cosines.argsort(descending=True, stable=True)[:n].tolist()
        """,
        cause="negative",
    ),
    fill(
        "always three fewer",
        "analogy",
        "a word that is asked for twice",
        """
        unit = F.normalize(vectors, dim=-1)
        a, b, c = unit[list(question)]
        cosines = F.cosine_similarity(unit, b - a + c, dim=-1)
        if leave_out:
            cosines[list(question)] = -torch.inf
        n = min(n, len(vectors) - 3 * leave_out)
        return cosines.argsort(descending=True, stable=True)[:n].tolist()
        """,
        cause="may be equal",
    ),
    fill(
        "left out, and last",
        "analogy",
        "−∞ is sorted, and returned where n is large",
        """
        unit = F.normalize(vectors, dim=-1)
        a, b, c = unit[list(question)]
        cosines = F.cosine_similarity(unit, b - a + c, dim=-1)
        if leave_out:
            cosines[list(question)] = -torch.inf
        return cosines.argsort(descending=True, stable=True)[:n].tolist()
        """,
        cause="although n is 9",
    ),
    edit(
        "twins left out",
        "analogy",
        "by their vectors",
        (DROP, "[w for w in order if not any(torch.equal(unit[w], x) for x in (a, b, c))]"),
        cause="another word|are three, although",
    ),
    edit(
        "zeros divided",
        "analogy",
        "NaN for a vector of zeros",
        ("F.normalize(vectors, dim=-1)", "vectors / vectors.norm(dim=-1, keepdim=True)"),
        cause="zeros",
    ),
    edit(
        "zeros left out",
        "analogy",
        "no word, it seems",
        (
            "return order[:n]",
            "order = [word for word in order if vectors[word].any()]\n    return order[:n]",
        ),
        cause="zeros",
    ),
    edit(
        "distance",
        "analogy",
        "of the vectors as they are",
        (COSINES, "-(vectors - (b - a + c)).norm(dim=-1)"),
        cause="cosine",
    ),
    edit(
        "normalized in place",
        "analogy",
        "the caller's vectors",
        (
            "unit = F.normalize(vectors, dim=-1)",
            "unit = vectors.div_(vectors.norm(dim=-1, keepdim=True).clamp(min=1e-9))",
        ),
        cause="vectors was changed",
    ),
    edit(
        "a tensor",
        "analogy",
        "no list",
        ("return order[:n]", "return torch.tensor(order[:n])"),
        cause="list",
    ),
    edit(
        "ids as tensors",
        "analogy",
        "a list of them",
        ("return order[:n]", "return [torch.tensor(word) for word in order[:n]]"),
        cause="plain int",
    ),
    edit(
        "a word and its cosine",
        "analogy",
        "as the package's",
        ("return order[:n]", "return [(word, cosines[word].item()) for word in order[:n]]"),
        cause="plain int",
    ),
    edit(
        "cosines rounded up to 0",
        "analogy",
        "negative ones are thought of as 0",
        (COSINES, f"{COSINES}.clamp(min=0)"),
        cause="best first|cosine",
    ),
    *frozen(
        "embeddings",
        4,
        {
            "differences of a running sum": "blur",
            "a buffer for all calls": "used again",
            "one more dimension in place": "in place",
            "autograd by another name": "autograd",
            "a table that is turned": "transposed in memory",
            "the last one gets the rest": "never seen",
            "a corner at 0": "gradient",
            "torch.func.grad": "autograd",
            "autograd with the inference mode switched off": "autograd",
            "the same tensors again": "used again",
            "x_max of float32": "four digits",
            "logarithms kept": "kept",
            "float32 inside of analogy": "float32",
            "rounded to three places": "rounded",
        },
    ),
]

RIGHT = [
    fill(
        "one-hot product",
        "look_up_gradient",
        "as the formula says",
        """
        one_hot = F.one_hot(ids.reshape(-1), vocab_size).to(gradient.dtype)
        return one_hot.T @ gradient.reshape(len(one_hot), gradient.shape[-1])
        """,
    ),
    fill(
        "use by use",
        "look_up_gradient",
        "a loop",
        """
        width = gradient.size(-1)
        total = torch.zeros(vocab_size, width, dtype=gradient.dtype)
        rows = [gradient] if gradient.dim() == 1 else gradient.flatten(0, -2)
        for word, row in zip(ids.flatten().tolist(), rows):
            total[word] = total[word] + row
        return total
        """,
    ),
    fill(
        "index_put",
        "look_up_gradient",
        "accumulated",
        """
        total = torch.zeros((vocab_size, gradient.shape[-1]), dtype=gradient.dtype)
        return total.index_put((ids,), gradient, accumulate=True)
        """,
    ),
    fill(
        "scatter",
        "look_up_gradient",
        "an index for each number",
        """
        rows = gradient.contiguous().view(-1, gradient.shape[-1])
        index = ids.reshape(-1, 1).expand_as(rows)
        return torch.zeros(vocab_size, rows.shape[1], dtype=rows.dtype).scatter_add(0, index, rows)
        """,
    ),
    fill(
        "to both sides",
        "count_neighbors",
        "each center looks around",
        """
        counts = torch.zeros((vocab_size, vocab_size), dtype=torch.float64)
        for ids in sentences:
            for i, center in enumerate(ids):
                for j in range(max(0, i - window), min(len(ids), i + window + 1)):
                    if j != i:
                        counts[center, ids[j]] += 1 / abs(i - j)
        return counts.float()
        """,
    ),
    fill(
        "distance by distance",
        "count_neighbors",
        "index_put with all pairs of a distance",
        """
        counts = torch.zeros(vocab_size, vocab_size)
        for d in range(1, window + 1):
            pairs = [pair for ids in sentences for pair in zip(ids, ids[d:])]
            if pairs:
                left, right = torch.tensor(pairs).T
                weight = torch.full((len(pairs),), 1 / d)
                counts.index_put_((left, right), weight, accumulate=True)
                counts.index_put_((right, left), weight, accumulate=True)
        return counts
        """,
    ),
    fill(
        "a dictionary",
        "count_neighbors",
        "one side, and the table's transpose",
        """
        found = {}
        for ids in sentences:
            for i in range(len(ids)):
                for j in range(i + 1, min(i + window + 1, len(ids))):
                    key = ids[i], ids[j]
                    found[key] = found.get(key, 0.0) + 1 / (j - i)
        table = torch.zeros(vocab_size, vocab_size)
        for (w, c), count in found.items():
            table[w, c] = count
        return table + table.T
        """,
    ),
    fill(
        "in Python",
        "noise_probs",
        "a list of floats",
        """
        weights = [n**power if n > 0 else 0.0 for n in counts.tolist()]
        total = sum(weights)
        return torch.tensor([weight / total for weight in weights], dtype=torch.float32)
        """,
    ),
    fill(
        "a softmax of logarithms",
        "noise_probs",
        "−∞ for words that were never seen",
        """
        logits = power * counts.double().log()
        return logits.masked_fill(counts == 0, -torch.inf).softmax(0).to(torch.float32)
        """,
    ),
    fill(
        "filled in",
        "noise_probs",
        "zeros, and the words that were seen",
        """
        seen = counts.nonzero().squeeze(1)
        probs = torch.zeros(len(counts))
        probs[seen] = counts[seen].float().pow(power)
        probs /= probs.sum()
        return probs
        """,
    ),
    fill(
        "softplus",
        "skip_gram_loss",
        "einsum",
        """
        of_context = torch.einsum("bc,bc->b", center, context)
        of_noise = torch.einsum("bc,bkc->bk", center, noise)
        return F.softplus(-of_context).mean() + F.softplus(of_noise).sum() / len(center)
        """,
    ),
    fill(
        "cross-entropy of coins",
        "skip_gram_loss",
        "one score list, labels 1 and 0",
        """
        others = torch.cat([context[:, None], noise], dim=1)
        scores = (others @ center[:, :, None])[..., 0]
        labels = torch.zeros_like(scores)
        labels[:, 0] = 1
        loss = F.binary_cross_entropy_with_logits(scores, labels, reduction="sum")
        return loss / center.shape[0]
        """,
    ),
    fill(
        "pair by pair",
        "skip_gram_loss",
        "loops, logaddexp",
        """
        losses = []
        nothing = torch.zeros((), dtype=center.dtype)
        for v, u, others in zip(center, context, noise):
            loss = torch.logaddexp(nothing, -torch.dot(v, u))
            for n in others:
                loss = loss + torch.logaddexp(nothing, torch.dot(v, n))
            losses.append(loss)
        return torch.stack(losses).mean()
        """,
    ),
    fill(
        "einsum",
        "skip_gram_gradients",
        "σ(s) − 1 as −σ(−s), in a list",
        """
        share = 1 / center.shape[0]
        near = -share * torch.sigmoid(-torch.einsum("bc,bc->b", center, context))
        far = share * torch.sigmoid(torch.einsum("bc,bkc->bk", center, noise))
        of_center = near[:, None] * context + torch.einsum("bk,bkc->bc", far, noise)
        of_context = torch.einsum("b,bc->bc", near, center)
        return [of_center, of_context, torch.einsum("bk,bc->bkc", far, center)]
        """,
    ),
    fill(
        "guess minus truth",
        "skip_gram_gradients",
        "one list of 1 + K words",
        """
        others = torch.cat([context.unsqueeze(1), noise], 1)
        guess = torch.bmm(others, center.unsqueeze(2)).squeeze(2).sigmoid()
        truth = torch.zeros_like(guess)
        truth[:, 0] = 1.0
        error = (guess - truth) / len(guess)
        at_center = torch.bmm(error.unsqueeze(1), others).squeeze(1)
        at_others = error.unsqueeze(2) * center.unsqueeze(1)
        return at_center, at_others[:, 0], at_others[:, 1:]
        """,
    ),
    fill(
        "pair by pair",
        "skip_gram_gradients",
        "loops, tanh for σ",
        """
        def sigmoid(s):
            return 0.5 + 0.5 * torch.tanh(s / 2)

        n_pairs, n_noise, _ = noise.shape
        results = torch.zeros_like(center), torch.zeros_like(context), torch.zeros_like(noise)
        for b in range(n_pairs):
            slope = (sigmoid(center[b] @ context[b]) - 1) / n_pairs
            results[0][b] += slope * context[b]
            results[1][b] = slope * center[b]
            for k in range(n_noise):
                slope = sigmoid(center[b] @ noise[b, k]) / n_pairs
                results[0][b] += slope * noise[b, k]
                results[2][b, k] = slope * center[b]
        return results
        """,
    ),
    fill(
        "indices of what was seen",
        "glove_loss",
        "pairs, einsum",
        """
        w, c = counts.nonzero(as_tuple=True)
        x = counts[w, c]
        predicted = torch.einsum("pc,pc->p", words[w], contexts[c]) + word_bias[w] + context_bias[c]
        weight = torch.minimum((x / x_max) ** 0.75, torch.ones_like(x))
        return torch.sum(weight * (predicted - torch.log(x)) ** 2)
        """,
    ),
    fill(
        "a safe count",
        "glove_loss",
        "1 where nothing was seen, weight 0",
        """
        safe = torch.where(counts > 0, counts, torch.ones_like(counts))
        weights = (safe / x_max).clamp(max=1).pow(0.75) * (counts > 0)
        errors = words @ contexts.mT + (word_bias.unsqueeze(1) + context_bias) - safe.log()
        return (weights * errors * errors).sum()
        """,
    ),
    fill(
        "pair by pair",
        "glove_loss",
        "loops",
        """
        total = 0 * (words.sum() + contexts.sum() + word_bias.sum() + context_bias.sum())
        for w in range(counts.shape[0]):
            for c in range(counts.shape[1]):
                x = counts[w, c]
                if x > 0:
                    predicted = torch.dot(words[w], contexts[c]) + word_bias[w] + context_bias[c]
                    error = predicted - x.log()
                    total = total + min(1.0, (x / x_max).item()) ** 0.75 * error**2
        return total
        """,
    ),
    fill(
        "sorted by Python",
        "analogy",
        "a key of cosine and id",
        """
        lengths = vectors.norm(dim=1, keepdim=True)
        unit = vectors / lengths.masked_fill(lengths == 0, 1)
        a, b, c = question
        scores = (unit @ (unit[b] - unit[a] + unit[c])).tolist()
        words = [w for w in range(len(scores)) if not (leave_out and w in question)]
        return sorted(words, key=lambda w: (-scores[w], w))[:n]
        """,
    ),
    fill(
        "minus infinity",
        "analogy",
        "and as many as may answer",
        """
        unit = F.normalize(vectors, dim=1)
        target = F.normalize(unit[question[1]] - unit[question[0]] + unit[question[2]], dim=0)
        cosines = (unit * target).sum(1)
        n_left = len(unit)
        if leave_out:
            cosines[list(question)] = float("-inf")
            n_left -= len(set(question))
        order = torch.sort(cosines, descending=True, stable=True).indices
        return order[: min(n, n_left)].tolist()
        """,
    ),
    fill(
        "one after the other",
        "analogy",
        "the best of those that are left",
        """
        unit = F.normalize(vectors.double(), dim=-1)
        a, b, c = (unit[i] for i in question)
        scores = F.cosine_similarity(unit, (b - a + c).expand_as(unit), dim=-1)
        left = [i for i in range(len(unit)) if not leave_out or i not in question]
        found = []
        while left and len(found) < n:
            best = left[0]
            for i in left[1:]:
                if scores[i] > scores[best]:
                    best = i
            left.remove(best)
            found.append(best)
        return found
        """,
    ),
]
