"""Answers to the assignment `training`: plausible and wrong, or right in another style."""

from . import edit, fill, write

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
    ),
    edit(
        "softmax twice",
        "losses",
        "given probabilities",
        (LOG_PROBS, "logits.softmax(-1).log_softmax(-1)"),
    ),
    edit("log of softmax", "losses", "underflows", (LOG_PROBS, "logits.softmax(-1).log()")),
    edit(
        "log of a clamped softmax",
        "losses",
        "no NaN, and no loss",
        (LOG_PROBS, "logits.softmax(-1).clamp(min=1e-9).log()"),
    ),
    edit("sum over rows", "losses", "no mean", (PICK, PICK.replace("mean", "sum"))),
    edit(
        "softmax over dim 1", "losses", "right for a matrix", (LOG_PROBS, "logits.log_softmax(1)")
    ),
    edit(
        "detached",
        "losses",
        "for logging",
        (PICK, "-log_probs.detach().gather(-1, ids[..., None]).mean()"),
    ),
    edit(
        "float32 only",
        "losses",
        "casts, and loses the dtype",
        (PICK, "-log_probs.float().gather(-1, ids[..., None]).mean()"),
    ),
    edit(
        "only the labels that hold",
        "losses",
        "a label of 0 is free",
        (BINARY, "-labels * F.logsigmoid(logits)"),
    ),
    edit(
        "log of a sigmoid",
        "losses",
        "infinite times zero",
        (BINARY, "-labels * logits.sigmoid().log() - (1 - labels) * (1 - logits.sigmoid()).log()"),
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
    ),
    edit(
        "labels rounded",
        "losses",
        "0 or 1, nothing between",
        ("losses = -labels", "labels = labels.round()\n    losses = -labels"),
    ),
    edit(
        "sum over the labels",
        "losses",
        "mean over the rows",
        ("return losses.mean()", "return losses.sum(-1).mean()"),
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
    ),
    edit(
        "broadcasts",
        "losses",
        "only the last sizes are compared",
        ("if labels.shape != logits.shape", "if labels.dim() != logits.dim()"),
    ),
    # Task 2
    edit("no correction", "adam", "the hats forgotten", (MEAN_HAT, "mean"), (SQUARE_HAT, "square")),
    edit(
        "corrected for ever",
        "adam",
        "as if n were 1",
        (MEAN_HAT, "mean / (1 - betas[0])"),
        (SQUARE_HAT, "square / (1 - betas[1])"),
    ),
    edit(
        "corrected averages kept",
        "adam",
        "corrected again next time",
        ("return parameter, mean, square", "return parameter, mean_hat, square_hat"),
    ),
    edit(
        "counts from 0",
        "adam",
        "n + 1 for n",
        (MEAN_HAT, "mean / (1 - betas[0] ** (n + 1))"),
        (SQUARE_HAT, "square / (1 - betas[1] ** (n + 1))"),
    ),
    edit(
        "ε in the root",
        "adam",
        "√(v̂ + ε)",
        ("(square_hat.sqrt() + eps)", "(square_hat + eps).sqrt()"),
    ),
    edit("no root", "adam", "divided by the square", ("square_hat.sqrt()", "square_hat")),
    edit(
        "decay in the gradient",
        "adam",
        "Adam, not AdamW",
        (
            "    mean = betas[0]",
            "    gradient = gradient + weight_decay * parameter\n    mean = betas[0]",
        ),
        (f"    {DECAY}\n", ""),
    ),
    edit(
        "decay without the rate",
        "adam",
        "1 - λ",
        (DECAY, "parameter = (1 - weight_decay) * parameter"),
    ),
    edit(
        "decay after the step",
        "adam",
        "shrinks the step too",
        (f"    {DECAY}\n", ""),
        (f"parameter = {STEP}", f"parameter = (1 - learning_rate * weight_decay) * ({STEP})"),
    ),
    edit(
        "betas swapped",
        "adam",
        "the slow one for the mean",
        ("betas[0] * mean + (1 - betas[0])", "betas[1] * mean + (1 - betas[1])"),
        (MEAN_HAT, "mean / (1 - betas[1] ** n)"),
    ),
    edit(
        "in place",
        "adam",
        "changes the averages it was given",
        (
            "mean = betas[0] * mean + (1 - betas[0]) * gradient",
            "mean.mul_(betas[0]).add_((1 - betas[0]) * gradient)",
        ),
    ),
    edit(
        "usual betas",
        "adam",
        "0.9 and 0.999, whatever is asked for",
        ("    mean = betas[0]", "    betas = (0.9, 0.999)\n    mean = betas[0]"),
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
    ),
    edit(
        "one target",
        "windows",
        "the id after the window",
        (
            BOTH,
            "return self.ids[i : i + self.length], self.ids[i + self.length : i + self.length + 1]",
        ),
    ),
    edit(
        "side by side",
        "windows",
        "windows that do not overlap",
        (N_WINDOWS, "return (len(self.ids) - 1) // self.length"),
        ("return self.ids[i :", "i = i * self.length\n        return self.ids[i :"),
    ),
    edit(
        "one too many",
        "windows",
        "the last target is missing",
        (N_WINDOWS, "return len(self.ids) - self.length + 1"),
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
    ),
    edit(
        "from the end",
        "windows",
        "negative indices, half right",
        ("if not 0 <= i < len(self)", "if i >= len(self)"),
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
    ),
    edit(
        "one window is none",
        "windows",
        "refuses a text with one window",
        ("if len(ids) <= length:", "if len(ids) <= length + 1:"),
    ),
    edit(
        "shorter texts only",
        "windows",
        "no window, and no error",
        ("if len(ids) <= length:", "if len(ids) == length:"),
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
    ),
    edit("not shuffled", "split", "the first are for training", (f"    {SHUFFLE}\n", "")),
    edit(
        "shuffled once for all",
        "split",
        "the seed is never used",
        (SHUFFLE, "random.Random(0).shuffle(different)"),
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
    ),
    edit(
        "copies dropped",
        "split",
        "each text once",
        ("for document in documents:", "for document in different:"),
    ),
    edit(
        "cuts that add up the rounding",
        "split",
        "several parts, each rounded alone",
        (END, "end = len(different) if last else start + int(fraction * len(different))"),
    ),
    edit(
        "fractions of all copies",
        "split",
        "counts every copy",
        (END, "end = len(different) if last else round(share * len(documents))"),
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
    ),
    edit(
        "two parts",
        "split",
        "right for two fractions",
        (
            "part_of.update(dict.fromkeys(different[start:end], part))",
            "part_of.update(dict.fromkeys(different[start:end], min(part, 1)))",
        ),
    ),
    # Task 5
    edit(
        "the last one",
        "stopping",
        "where it stopped is what is kept",
        ("return best, k + 1", "return k, k + 1"),
    ),
    edit("equal is new", "stopping", "<= for <", ("if loss < lowest:", "if loss <= lowest:")),
    edit(
        "worse in all",
        "stopping",
        "not in a row",
        ("best, lowest, n_worse = k, loss, 0", "best, lowest = k, loss"),
    ),
    edit(
        "one too patient",
        "stopping",
        "> for ==",
        ("if n_worse == patience", "if n_worse > patience"),
    ),
    edit(
        "compared with the one before",
        "stopping",
        "better than last time is enough",
        (
            "        if loss < lowest:\n            best, lowest, n_worse = k, loss, 0",
            "        if loss < lowest:\n"
            "            best = k if best is None or loss < least else best\n"
            "            least = loss if best == k else least\n"
            "            lowest, n_worse = loss, 0",
        ),
        ("            n_worse += 1", "            lowest = loss\n            n_worse += 1"),
    ),
    edit(
        "NaN is a best",
        "stopping",
        "asks for not worse",
        ("if loss < lowest:", "if not loss >= lowest:"),
    ),
    edit(
        "NaN is skipped",
        "stopping",
        "and not counted",
        (
            "        if loss < lowest:",
            "        if math.isnan(loss):\n            continue\n        if loss < lowest:",
        ),
    ),
    edit(
        "a first best",
        "stopping",
        "0 if there was none",
        ("best, lowest, n_worse = None, math.inf, 0", "best, lowest, n_worse = 0, math.inf, 0"),
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
    ),
    edit(
        "sum of means",
        "accumulate",
        "nobody divides",
        ("losses.sum().backward()", "losses.mean().backward()"),
        ("gradient /= count", "pass"),
    ),
    edit("old gradients count", "accumulate", "zero_grad is somebody else's", (CLEAR, "")),
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
    ),
    edit(
        "always at max_norm",
        "accumulate",
        "short ones made longer",
        ("    if norm > max_norm:", "    if norm > 0:"),
    ),
    edit(
        "the length after clipping",
        "accumulate",
        "what is left",
        ("    return total / count, norm", "    return total / count, min(norm, max_norm)"),
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
    ),
    edit(
        "a mean of nothing",
        "accumulate",
        "NaN from an empty piece",
        (
            "total, count = total + losses.sum().item(), count + losses.numel()",
            "total, count = total + losses.mean().item() * losses.numel(), count + losses.numel()",
        ),
    ),
    edit(
        "the mean of the last piece",
        "accumulate",
        "what was at hand",
        ("    return total / count, norm", "    return losses.mean().item(), norm"),
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
    ),
    edit(
        "padding counts",
        "metric",
        "the mask is not used",
        ("values[mask].double()", "values.double()"),
        ("int(mask.sum())", "mask.numel()"),
    ),
    edit(
        "times the mask",
        "metric",
        "NaN times 0",
        ("values[mask].double().sum().item()", "(values.double() * mask).sum().item()"),
    ),
    edit(
        "padding in the count",
        "metric",
        "divided by all positions",
        ("int(mask.sum())", "mask.numel()"),
        ("if count == 0", "if not any(mask.any() for _, mask in batches)"),
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
    ),
    edit(
        "whole numbers stay whole",
        "metric",
        "// for /",
        ("return total / count", "return float(total // count)"),
    ),
    edit(
        "NaN as zero",
        "metric",
        "nan_to_num, but not the mask",
        ("values[mask].double()", "values.nan_to_num(0.0, 0.0, 0.0).double()"),
    ),
    # Task 8
    edit(
        "old gradients",
        "loop",
        "never set to None",
        ("        for parameter in model.parameters():\n            parameter.grad = None\n", ""),
    ),
    edit(
        "the last parameters",
        "loop",
        "the best is not put back",
        ("    if best is not None:\n        model.load_state_dict(best)\n", ""),
    ),
    edit(
        "a name, no copy", "loop", "state_dict without clone", (KEEP, "best = model.state_dict()")
    ),
    edit(
        "evaluation mode stays",
        "loop",
        "train() only before the first step",
        (
            "        model.train()\n        for",
            "        if step == 1:\n            model.train()\n        for",
        ),
    ),
    edit("validates in training mode", "loop", "with dropout", ("            model.eval()\n", "")),
    edit(
        "records while it validates",
        "loop",
        "no no_grad",
        (
            "            with torch.no_grad():\n                loss = validate(model)",
            "            loss = validate(model)",
        ),
    ),
    edit(
        "leaves in training mode",
        "loop",
        "whatever it came in",
        ("model.train(was_training)", "model.train()"),
    ),
    edit(
        "first batch only",
        "loop",
        "an iterator made anew in each step",
        ("batches[(step - 1) % len(batches)]", "next(iter(batches))"),
    ),
    edit(
        "counts batches from 1",
        "loop",
        "starts with the second",
        ("(step - 1) % len(batches)", "step % len(batches)"),
    ),
    edit(
        "sum of the losses",
        "loop",
        "longer steps for longer batches",
        (".mean().backward()", ".sum().backward()"),
    ),
    edit("equals: the last", "loop", "<= for <", ("if loss < lowest", "if loss <= lowest")),
    edit(
        "the highest",
        "loop",
        "keeps the worst",
        (
            "best, lowest = model.training, [], None, math.inf",
            "best, lowest = model.training, [], None, -math.inf",
        ),
        ("if loss < lowest", "if loss > lowest"),
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
    ),
    edit(
        "validates before the step",
        "loop",
        "the state one step earlier",
        ("        if step % validate_every == 0:", "        if (step + 1) % validate_every == 0:"),
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
        "return (logits.clamp(min=0) - logits * labels + "
        "torch.log1p(torch.exp(-logits.abs()))).mean()",
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
        "    seen.append(math.inf if math.isnan(loss) else loss)\n"
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
        "parameters = list(model.parameters())\n"
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
]
