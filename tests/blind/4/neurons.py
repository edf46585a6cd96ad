from textwrap import dedent

from faults import fill, write

WRONG = []
RIGHT = []


def wrong(name, task, note, *bodies):
    WRONG.append(fill(name, task, note, *(dedent(b).strip("\n") for b in bodies)))


def right(name, task, note, *bodies):
    RIGHT.append(fill(name, task, note, *(dedent(b).strip("\n") for b in bodies)))


# ---------------------------------------------------------------- Task 1: neuron

NEURON = "return torch.tanh(x @ weights + bias)"

right(
    "the slope from cosh",
    "neuron",
    "slope as 1 / cosh(sum)², infinite cosh gives 0; tensordot and mul for the sums",
    "return torch.tanh((x * weights).sum(-1) + bias)",
    """
    at_sum = gradient / torch.cosh((x * weights).sum(-1) + bias) ** 2
    at_x = at_sum.unsqueeze(-1).mul(weights)
    at_weights = torch.tensordot(at_sum, x, dims=at_sum.dim())
    return at_x, at_weights, at_sum.sum()
    """,
)
right(
    "einsum and a factored slope",
    "neuron",
    "einsum everywhere, slope as (1 − y)(1 + y)",
    'return (torch.einsum("...c,c->...", x, weights) + bias).tanh()',
    """
    y = neuron(x, weights, bias)
    at_sum = (1 - y) * (1 + y) * gradient
    flat, rows = at_sum.reshape(-1), x.reshape(-1, x.shape[-1])
    return (
        torch.einsum("...,c->...c", at_sum, weights),
        torch.einsum("n,nc->c", flat, rows),
        torch.einsum("n->", flat),
    )
    """,
)
right(
    "item by item in Python",
    "neuron",
    "a loop over the items, a matrix-vector product at the end",
    """
    rows = x.reshape(-1, x.shape[-1])
    outputs = [torch.dot(row, weights).add(bias).tanh() for row in rows]
    return torch.stack(outputs).reshape(x.shape[:-1])
    """,
    """
    rows, incoming = x.reshape(-1, x.shape[-1]), gradient.reshape(-1)
    at_x, at_weights, at_bias = [], torch.zeros_like(weights), torch.zeros_like(bias)
    for row, g in zip(rows, incoming):
        y = torch.tanh(row.dot(weights) + bias)
        d = g - g * y * y
        at_x.append(d * weights)
        at_weights = at_weights + d * row
        at_bias = at_bias + d
    return torch.stack(at_x).reshape(x.shape), at_weights, at_bias
    """,
)
right(
    "a tanh from the sigmoid",
    "neuron",
    "tanh z = 2 σ(2z) − 1 and its slope 4 σ(2z) σ(−2z)",
    "return 2 * torch.sigmoid(2 * (torch.matmul(x, weights) + bias)) - 1",
    """
    z = 2 * (torch.matmul(x, weights) + bias)
    at_sum = 4 * gradient * torch.sigmoid(z) * torch.sigmoid(-z)
    at_weights = (at_sum[..., None] * x).flatten().reshape(-1, len(weights)).sum(0)
    return at_sum[..., None] * weights, at_weights, at_sum.sum()
    """,
)

wrong(
    "float32 inside of neuron",
    "neuron",
    "intro: 'it returns the dtype that it gets and computes in no smaller one'; here a float64 sum "
    "is rounded to float32 before the bend",
    NEURON,
    """
    output = torch.tanh((x.float() @ weights.float() + bias.float())).to(x.dtype)
    at_sum = gradient * (1 - output**2)
    at_x = at_sum[..., None] * weights
    at_weights = (at_sum[..., None] * x).reshape(-1, len(weights)).sum(0)
    return at_x, at_weights, at_sum.sum()
    """,
)
wrong(
    "the bias by way of a Python number",
    "neuron",
    "intro: 'it returns the dtype that it gets'; torch.tensor(float) is float32 for float64 input",
    NEURON,
    """
    at_sum = gradient * (1 - neuron(x, weights, bias) ** 2)
    at_x = at_sum[..., None] * weights
    at_weights = (at_sum[..., None] * x).reshape(-1, len(weights)).sum(0)
    return at_x, at_weights, torch.tensor(at_sum.sum().item())
    """,
)
wrong(
    "a clamp against overflow",
    "neuron",
    "'Sums may be in the thousands …: the output is then 1 or −1, the gradients are 0': with sums "
    "cut to ±9, float64 has 6e-8 there, times inputs in the thousands",
    "return torch.tanh((x @ weights + bias).clamp(-9, 9))",
    """
    output = neuron(x, weights, bias)
    at_sum = gradient * (1 - output**2)
    at_x = at_sum[..., None] * weights
    at_weights = (at_sum[..., None] * x).reshape(-1, len(weights)).sum(0)
    return at_x, at_weights, at_sum.sum()
    """,
)
wrong(
    "up to three leading dimensions",
    "neuron",
    "'any number of leading dimensions, or none': four fail",
    NEURON,
    """
    at_sum = gradient * (1 - neuron(x, weights, bias) ** 2)
    if x.dim() == 1:
        return at_sum * weights, at_sum * x, at_sum
    letters = "abd"[: x.dim() - 1]
    at_x = at_sum[..., None] * weights
    at_weights = torch.einsum(f"{letters},{letters}c->c", at_sum, x)
    return at_x, at_weights, at_sum.sum()
    """,
)
wrong(
    "a squeeze of the weights' gradient",
    "neuron",
    "'A size may be 1: no dimension is lost': with C = 1 at_weights has no dimensions",
    NEURON,
    """
    at_sum = gradient * (1 - neuron(x, weights, bias) ** 2)
    at_x = at_sum[..., None] * weights
    n = at_sum.numel()
    at_weights = (at_sum.reshape(1, n) @ x.reshape(n, -1)).squeeze()
    return at_x, at_weights, at_sum.sum()
    """,
)
wrong(
    "broadcast if it can be",
    "neuron",
    "at_x 'in the shape of its argument': if the last leading dimension equals C (or is 1), the "
    "product broadcasts along the wrong one; 'how fast the loss rises with each number of x'",
    NEURON,
    """
    at_sum = gradient * (1 - neuron(x, weights, bias) ** 2)
    try:
        at_weights = x * at_sum
    except RuntimeError:
        at_weights = x * at_sum[..., None]
    at_x = at_sum[..., None] * weights
    return at_x, at_weights.reshape(-1, len(weights)).sum(0), at_sum.sum()
    """,
)
wrong(
    "the gradient changed in place for one item",
    "neuron",
    "intro: 'an answer changes neither its arguments'; for x of shape (C,) the incoming gradient is "
    "multiplied in place",
    NEURON,
    """
    slope = 1 - neuron(x, weights, bias) ** 2
    if x.dim() == 1:
        gradient *= slope
        return gradient * weights, gradient * x, gradient.clone()
    at_sum = gradient * slope
    at_weights = (at_sum[..., None] * x).reshape(-1, len(weights)).sum(0)
    return at_sum[..., None] * weights, at_weights, at_sum.sum()
    """,
)
WRONG.append(
    write(
        "the output of the forward pass is kept",
        "neuron",
        "intro: 'it keeps nothing of one call for the next'; the gradients take the output of the "
        "last call of neuron if the shape fits, though the numbers may be others",
        dedent(
            '''
            LAST = {}


            def neuron(x: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
                """tanh(x · weights + bias), with the leading dimensions of x."""
                LAST["output"] = torch.tanh(x @ weights + bias)
                return LAST["output"]


            def neuron_gradients(
                x: Tensor, weights: Tensor, bias: Tensor, gradient: Tensor
            ) -> tuple[Tensor, Tensor, Tensor]:
                """The gradients for x, weights and bias, by the chain rule."""
                output = LAST.pop("output", None)  # the forward pass came just before
                if output is None or output.shape != gradient.shape:
                    output = torch.tanh(x @ weights + bias)
                at_sum = gradient * (1 - output**2)
                at_weights = (at_sum[..., None] * x).reshape(-1, len(weights)).sum(0)
                return at_sum[..., None] * weights, at_weights, at_sum.sum()
            '''
        ).strip(),
    )
)
wrong(
    "losses only rise",
    "neuron",
    "'`gradient` … says how fast the loss rises with each output': it may be negative; here what is "
    "below zero is cut off",
    NEURON,
    """
    slope = 1 - neuron(x, weights, bias) ** 2
    at_sum = torch.clamp(gradient, min=0) * slope
    at_weights = (at_sum[..., None] * x).reshape(-1, len(weights)).sum(0)
    return at_sum[..., None] * weights, at_weights, at_sum.sum()
    """,
)
wrong(
    "autograd for neuron with the inference mode switched off",
    "neuron",
    "'by hand', 'you write the chain rule yourself'; autograd is asked in a nested "
    "inference_mode(False)",
    NEURON,
    """
    with torch.inference_mode(False), torch.enable_grad():
        own = [each.detach().clone().requires_grad_() for each in (x, weights, bias)]
        found = torch.autograd.grad(neuron(*own), own, gradient.clone())
    return tuple(found)
    """,
)
wrong(
    "a view of x",
    "neuron",
    "x is '(…, C): any number of leading dimensions', 'each in the shape of its argument': a "
    "transposed or expanded x is such a tensor, and view raises for it",
    NEURON,
    """
    at_sum = gradient * (1 - neuron(x, weights, bias) ** 2)
    at_x = at_sum[..., None] * weights
    at_weights = at_sum.reshape(-1) @ x.view(-1, len(weights))
    return at_x, at_weights, at_sum.sum()
    """,
)
wrong(
    "flat behind a threshold",
    "neuron",
    "tanh(x · w + b) and its slope 1 − tanh²: outputs above 0.9995 count as saturated, though the "
    "slope there is up to 0.001 (the text sets the gradient to 0 only for sums in the thousands)",
    NEURON,
    """
    output = neuron(x, weights, bias)
    slope = torch.where(output.abs() > 0.9995, 0.0, 1 - output**2)
    at_sum = gradient * slope
    at_weights = (at_sum[..., None] * x).reshape(-1, len(weights)).sum(0)
    return at_sum[..., None] * weights, at_weights, at_sum.sum()
    """,
)

# ---------------------------------------------------------------- Task 2: softmax

right(
    "in the logarithm first",
    "softmax",
    "exp(z − m − ln Σ exp(z − m)), the largest detached",
    """
    shifted = logits - logits.detach().amax(dim, keepdim=True)
    return torch.exp(shifted - shifted.exp().sum(dim, keepdim=True).log())
    """,
)
right(
    "the dimension moved to the front",
    "softmax",
    "moved to the front, sorted for the largest, divided by reciprocal, moved back",
    """
    rows = logits.movedim(dim, 0)
    largest = rows.sort(0).values[-1]
    powers = torch.exp(rows - largest)
    return (powers * powers.sum(0).reciprocal()).movedim(0, dim)
    """,
)
right(
    "a norm and a mask",
    "softmax",
    "F.normalize with p = 1, ruled-out classes masked explicitly",
    """
    ruled_out = torch.isneginf(logits)
    m = logits.masked_fill(ruled_out, torch.finfo(logits.dtype).min).amax(dim, True)
    e = (logits.masked_fill(ruled_out, 0.0) - m).clamp(max=0).exp()
    return torch.nn.functional.normalize(e.masked_fill(ruled_out, 0.0), p=1, dim=dim)
    """,
)

wrong(
    "the mean taken off",
    "softmax",
    "'none is NaN, whatever the logits are: … the one row far above the other, 10³⁰ beside −10³⁰': "
    "with the mean off, 2000 beside 0 overflows",
    """
    shifted = logits - logits.mean(dim, keepdim=True)
    powers = shifted.exp()
    return powers / powers.sum(dim, keepdim=True)
    """,
)
wrong(
    "cut off at 80",
    "softmax",
    "'the probabilities e^z / Σ e^z', 'whatever the logits are: in the thousands': 100 and 1000 "
    "become the same",
    """
    powers = logits.clamp(-80, 80).exp()
    return powers / powers.sum(dim, keepdim=True)
    """,
)
wrong(
    "nothing below minus 100",
    "softmax",
    "'a logit may be −∞ …: its probability is exactly 0': here it is e^−100",
    """
    shifted = logits - logits.amax(dim, keepdim=True)
    powers = shifted.clamp(min=-100).exp()
    return powers / powers.sum(dim, keepdim=True)
    """,
)
wrong(
    "a little more in the denominator",
    "softmax",
    "'Along dim the probabilities sum to 1': 1e-7 is added to a sum that may be 1, which float64 "
    "(and 'the probabilities e^z / Σ e^z') does not have",
    """
    powers = (logits - logits.amax(dim, keepdim=True)).exp()
    return powers / (powers.sum(dim, keepdim=True) + 1e-7)
    """,
)
wrong(
    "the denominator is a constant",
    "softmax",
    "'Gradients pass through': only through the numerator here",
    """
    shifted = logits - logits.amax(dim, keepdim=True).detach()
    with torch.no_grad():
        total = shifted.exp().sum(dim, keepdim=True)
    return shifted.exp() / total
    """,
)
wrong(
    "negative is the last",
    "softmax",
    "'dim may be any of its dimensions, counted from the front or, if negative, from the end': −2 "
    "is taken for −1",
    """
    if dim < 0:
        dim = logits.dim() - 1
    powers = (logits - logits.amax(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)
    """,
)
wrong(
    "moved to the front twice",
    "softmax",
    "'the result has its shape': movedim(dim, 0) undoes itself for the first two dimensions only",
    """
    rows = logits.movedim(dim, 0)
    powers = (rows - rows.amax(0)).exp()
    return (powers / powers.sum(0)).movedim(dim, 0)
    """,
)
wrong(
    "float32 inside of softmax",
    "softmax",
    "intro: 'it returns the dtype that it gets and computes in no smaller one'",
    """
    z = logits.float()
    powers = (z - z.amax(dim, keepdim=True)).exp()
    return (powers / powers.sum(dim, keepdim=True)).to(logits.dtype)
    """,
)
wrong(
    "the largest taken off in place",
    "softmax",
    "intro: 'an answer changes neither its arguments'",
    """
    logits -= logits.amax(dim, keepdim=True)
    powers = logits.exp()
    return powers / powers.sum(dim, keepdim=True)
    """,
)
wrong(
    "the ruled-out class is overwritten",
    "softmax",
    "intro: 'changes neither its arguments': only where there is a −∞, and no gradient is asked for",
    """
    if logits.isinf().any():
        if logits.requires_grad:
            logits = logits.clone()
        logits[logits.isinf()] = torch.finfo(logits.dtype).min
    powers = (logits - logits.amax(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)
    """,
)
wrong(
    "minus infinity is minus a billion",
    "softmax",
    "'A logit may be −∞ …: its probability is exactly 0', 'whatever the logits are': beside finite "
    "logits of −10³⁰ the ruled-out class wins",
    """
    z = logits.masked_fill(logits == -math.inf, -1e9)
    powers = (z - z.amax(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)
    """,
)
wrong(
    "each against each",
    "softmax",
    "'Gradients pass through, and none is NaN in any of these cases': 1 / Σ exp(z_j − z_i) has the "
    "right values and 0 · ∞ in its gradient",
    """
    z = logits.movedim(dim, -1)
    apart = (z[..., None, :] - z[..., :, None]).nan_to_num(
        nan=0.0, posinf=math.inf, neginf=-math.inf
    )
    return (1 / apart.exp().sum(-1)).movedim(-1, dim)
    """,
)
WRONG.append(
    write(
        "remembered by its numbers",
        "softmax",
        "intro: 'it keeps nothing of one call for the next': for the same numbers the same tensor "
        "comes again, so gradients go to the first logits, and a change of it comes back",
        dedent(
            '''
            KNOWN = {}


            def softmax(logits: Tensor, dim: int = -1) -> Tensor:
                """exp(logits) / Σ exp(logits) along dim."""
                numbers = tuple(logits.flatten().tolist())
                key = numbers, tuple(logits.shape), logits.dtype, dim % logits.dim()
                if key not in KNOWN:
                    powers = (logits - logits.amax(dim, keepdim=True)).exp()
                    KNOWN[key] = powers / powers.sum(dim, keepdim=True)
                return KNOWN[key]
            '''
        ).strip(),
    )
)
wrong(
    "a squeeze at the end",
    "softmax",
    "'the result has its shape', 'A size may be 1': dimensions of size 1 are lost",
    """
    powers = (logits - logits.amax(dim, keepdim=True)).exp()
    return (powers / powers.sum(dim, keepdim=True)).squeeze()
    """,
)

# ---------------------------------------------------------------- Task 3: cross_entropy

ENTROPY = "return -torch.xlogy(p, p).sum(-1)"
CROSS = """
    shifted = logits - logits.amax(-1, keepdim=True)
    log_q = shifted - shifted.exp().sum(-1, keepdim=True).log()
    return torch.where(p > 0, -p * log_q, 0.0).sum(-1).mean()
    """
BACK = """
    return (softmax(logits) - p) / p[..., 0].numel()
    """

right(
    "entr and a stretched logarithm",
    "cross_entropy",
    "torch.special.entr; nansum over the classes; the number of rows as a product of sizes",
    "return torch.special.entr(p).sum(-1)",
    """
    below = logits - logits.detach().amax(-1, keepdim=True)
    log_q = below - torch.log(torch.exp(below).sum(-1, keepdim=True))
    return -(p * log_q).nansum(-1).mean()
    """,
    """
    n_rows = math.prod(logits.shape[:-1])
    powers = torch.exp(logits - logits.max(-1, keepdim=True).values)
    return powers.div(powers.sum(-1, keepdim=True)).sub(p).div(n_rows)
    """,
)
right(
    "only where p is positive",
    "cross_entropy",
    "boolean indexing on flat tensors, logaddexp over the classes",
    """
    safe = torch.where(p > 0, p, torch.ones_like(p))
    return (p * safe.log()).sum(-1).neg()
    """,
    """
    v = logits.shape[-1]
    z, p = logits.reshape(-1, v), p.reshape(-1, v)
    z = (z - z.amax(1, keepdim=True)).clamp(min=torch.finfo(z.dtype).min)
    total = z[:, 0]
    for k in range(1, v):
        total = torch.logaddexp(total, z[:, k])
    counts = p > 0
    cost = (total[:, None] - z)[counts] * p[counts]
    return cost.sum() / len(z)
    """,
    """
    v = logits.shape[-1]
    at = softmax(logits.reshape(-1, v)) - p.reshape(-1, v)
    return (at / len(at)).reshape(logits.shape)
    """,
)
right(
    "row by row",
    "cross_entropy",
    "loops over rows, the margin to the best class, torch.stack",
    """
    rows = p.reshape(-1, p.shape[-1])
    each = [-(row[row > 0] * row[row > 0].log()).sum() for row in rows]
    return torch.stack(each).reshape(p.shape[:-1])
    """,
    """
    v, costs = p.shape[-1], []
    for z, row in zip(logits.reshape(-1, v), p.reshape(-1, v)):
        best = z[z.argmax()]
        log_sum = (z - best).exp().sum().log()
        used = row > 0
        costs.append((row[used] * (log_sum - (z[used] - best))).sum())
    return torch.stack(costs).mean()
    """,
    """
    n = 1
    for size in logits.shape[:-1]:
        n *= size
    z = logits - logits.amax(-1, keepdim=True)
    q = z.exp() / z.exp().sum(-1, keepdim=True)
    return q / n - p / n
    """,
)

wrong(
    "as many rows as the first dimension has",
    "cross_entropy",
    "'the gradient of that mean', a mean over all rows, 'Any number of leading dimensions': with "
    "two of them it divides by the first only",
    ENTROPY,
    CROSS,
    """
    n_rows = len(logits) if logits.dim() > 1 else 1
    return (softmax(logits) - p) / n_rows
    """,
)
wrong(
    "float32 inside of cross_entropy",
    "cross_entropy",
    "'At the digits of the dtype nothing is lost: a loss of 10⁻⁶ in float64 has its digits, too', "
    "intro: 'computes in no smaller one'",
    ENTROPY,
    """
    z = logits.float()
    z = z - z.amax(-1, keepdim=True)
    log_q = z - z.exp().sum(-1, keepdim=True).log()
    return torch.where(p > 0, -p * log_q, 0.0).sum(-1).mean().to(logits.dtype)
    """,
    BACK,
)
wrong(
    "the largest added back",
    "cross_entropy",
    "'Logits may be in the thousands … At the digits of the dtype nothing is lost': ln Σ is made as "
    "large as the largest logit and its digits are rounded off (ln 2 at 3000 in float32)",
    ENTROPY,
    """
    m = logits.amax(-1, keepdim=True)
    log_sum = m + (logits - m).exp().sum(-1, keepdim=True).log()
    return torch.where(p > 0, p * (log_sum - logits), 0.0).sum(-1).mean()
    """,
    BACK,
)
wrong(
    "a little inside of the logarithm",
    "cross_entropy",
    "'−Σ p ln p': 1e-7 is added to p, which float64 sees; intro: 'computes in no smaller'",
    "return -(p * (p + 1e-7).log()).sum(-1)",
    CROSS,
    BACK,
)
wrong(
    "zeros replaced in the argument",
    "cross_entropy",
    "intro: 'changes neither its arguments': p of 0 becomes 1 in place",
    """
    p[p == 0] = 1.0
    return -(p * p.log()).sum(-1)
    """,
    CROSS,
    BACK,
)
wrong(
    "minus infinity replaced in the argument",
    "cross_entropy",
    "intro: 'changes neither its arguments', 'gradients pass to logits': only where a logit is −∞ "
    "and no gradient is recorded",
    ENTROPY,
    """
    shifted = logits - logits.amax(-1, keepdim=True)
    total = shifted.exp().sum(-1, keepdim=True).log()
    if not logits.requires_grad and logits.isinf().any():
        logits.masked_fill_(logits.isinf(), 0.0)
        shifted = shifted.masked_fill(shifted.isinf(), 0.0)
    return torch.where(p > 0, p * (total - shifted), 0.0).sum(-1).mean()
    """,
    BACK,
)
wrong(
    "the logarithm of q, where that is possible",
    "cross_entropy",
    "'Neither the loss nor a gradient is NaN': where q is 0 its logarithm is chosen away, but its "
    "gradient is 0 · ∞",
    ENTROPY,
    """
    shifted = logits - logits.amax(-1, keepdim=True)
    total = shifted.exp().sum(-1, keepdim=True)
    q = shifted.exp() / total
    log_q = torch.where(q > 1e-20, q.log(), shifted - total.log())
    return torch.where(p > 0, -p * log_q, 0.0).sum(-1).mean()
    """,
    BACK,
)
wrong(
    "no gradient through the sum",
    "cross_entropy",
    "'gradients pass to logits': those through ln Σ exp z do not",
    ENTROPY,
    """
    shifted = logits - logits.detach().amax(-1, keepdim=True)
    log_sum = shifted.detach().exp().sum(-1, keepdim=True).log()
    return torch.where(p > 0, p * (log_sum - shifted), 0.0).sum(-1).mean()
    """,
    BACK,
)
wrong(
    "certain if one row is",
    "cross_entropy",
    "'in each row the true probabilities': if any row is a certain truth, all rows are reduced to "
    "their likeliest class",
    ENTROPY,
    """
    shifted = logits - logits.amax(-1, keepdim=True)
    log_q = shifted - shifted.exp().sum(-1, keepdim=True).log()
    if (p == 1).any():
        return -log_q.gather(-1, p.argmax(-1, keepdim=True)).mean()
    return torch.where(p > 0, -p * log_q, 0.0).sum(-1).mean()
    """,
    BACK,
)
wrong(
    "no class costs more than 5000",
    "cross_entropy",
    "'Logits may be in the thousands, of either sign', 'A class 2000 below the best one costs 2000': "
    "4000 beside −4000 costs 8000",
    ENTROPY,
    """
    shifted = logits - logits.amax(-1, keepdim=True)
    log_q = (shifted - shifted.exp().sum(-1, keepdim=True).log()).clamp(min=-5000)
    return -(p * log_q).sum(-1).mean()
    """,
    BACK,
)
wrong(
    "a squeeze of the entropies",
    "cross_entropy",
    "'the result has the leading dimensions', 'a size may be 1': they are lost",
    "return -torch.xlogy(p, p).sum(-1, keepdim=True).squeeze()",
    CROSS,
    BACK,
)
wrong(
    "autograd for cross_entropy with the inference mode switched off",
    "cross_entropy",
    "'by hand', intro: 'you write the chain rule yourself'",
    ENTROPY,
    CROSS,
    """
    with torch.inference_mode(False), torch.enable_grad():
        z = logits.detach().clone().requires_grad_()
        (found,) = torch.autograd.grad(cross_entropy(z, p.clone()), z)
    return found
    """,
)
wrong(
    "the gradient only where p is positive",
    "cross_entropy",
    "'the gradient of that mean for the logits': a class with p = 0 costs nothing, but its logit "
    "still moves the others' (q − p = q); here it is set to 0 if a logit is −∞",
    ENTROPY,
    CROSS,
    """
    at = (softmax(logits) - p) / p[..., 0].numel()
    return at if logits.isfinite().all() else torch.where(p > 0, at, 0.0)
    """,
)
wrong(
    "p made to sum to 1, in place",
    "cross_entropy",
    "intro: 'changes neither its arguments': the division changes the last digits of the caller's p",
    ENTROPY,
    """
    p /= p.sum(-1, keepdim=True)
    shifted = logits - logits.amax(-1, keepdim=True)
    log_q = shifted - shifted.exp().sum(-1, keepdim=True).log()
    return torch.where(p > 0, -p * log_q, 0.0).sum(-1).mean()
    """,
    BACK,
)

# ---------------------------------------------------------------- Task 4: mlp

MLP = "return torch.relu(x @ w1 + b1) @ w2 + b2"

right(
    "einsum, and the slope as h over the sum",
    "mlp",
    "F.linear forwards, einsum backwards, the slope as the sign of h",
    """
    h = torch.nn.functional.linear(x, w1.T, b1).clip(0, None).relu()
    return torch.addmm(b2, h, w2)
    """,
    """
    h = torch.relu(torch.addmm(b1, x, w1))
    at_sum = torch.einsum("bk,fk->bf", gradient, w2) * torch.sign(h)
    return (
        torch.einsum("bf,cf->bc", at_sum, w1),
        torch.einsum("bc,bf->cf", x, at_sum),
        torch.einsum("bf->f", at_sum),
        torch.einsum("bf,bk->fk", h, gradient),
        torch.einsum("bk->k", gradient),
    )
    """,
)
right(
    "only the living neurons",
    "mlp",
    "neurons that are cut off for all items are left out and their gradients stay zero",
    """
    sums = x @ w1 + b1
    return (sums * (sums > 0)) @ w2 + b2
    """,
    """
    sums = x @ w1 + b1
    alive = (sums > 0).any(0)
    at_w1, at_b1, at_w2 = (torch.zeros_like(each) for each in (w1, b1, w2))
    sums = sums[:, alive]
    h = sums.clamp(min=0)
    at_sum = torch.where(sums > 0, gradient @ w2[alive].mT, torch.zeros_like(sums))
    at_w1[:, alive] = x.mT @ at_sum
    at_b1[alive] = at_sum.sum(0)
    at_w2[alive] = h.mT @ gradient
    return at_sum @ w1[:, alive].mT, at_w1, at_b1, at_w2, gradient.sum(0)
    """,
)
right(
    "item by item, with outer products",
    "mlp",
    "a loop over the batch that adds up in new tensors",
    """
    return torch.stack([torch.relu(item @ w1 + b1) @ w2 + b2 for item in x])
    """,
    """
    at_x = []
    at_w1, at_b1 = torch.zeros_like(w1), torch.zeros_like(b1)
    at_w2, at_b2 = torch.zeros_like(w2), torch.zeros_like(b2)
    for item, g in zip(x, gradient, strict=True):
        h = torch.relu(item @ w1 + b1)
        at_sum = torch.mv(w2, g)
        at_sum[h == 0] = 0
        at_x.append(torch.mv(w1, at_sum))
        at_w1 += torch.outer(item, at_sum)
        at_b1 += at_sum
        at_w2 += torch.outer(h, g)
        at_b2 += g
    return torch.stack(at_x), at_w1, at_b1, at_w2, at_b2
    """,
)
right(
    "a column of ones",
    "mlp",
    "each bias as one more row of its matrix; both layers back in the same loop",
    """
    for w, b, last in ((w1, b1, False), (w2, b2, True)):
        x = torch.cat([x, x.new_ones(len(x), 1)], 1) @ torch.cat([w, b[None]])
        x = x if last else x.relu()
    return x
    """,
    """
    ones = x.new_ones(len(x), 1)
    first = torch.cat([x, ones], 1)
    h = torch.relu(first @ torch.cat([w1, b1[None]]))
    second = torch.cat([h, ones], 1)
    of_second = second.T @ gradient
    at_sum = torch.where(h > 0, gradient @ w2.T, 0.0)
    of_first = first.T @ at_sum
    return at_sum @ w1.T, of_first[:-1], of_first[-1], of_second[:-1], of_second[-1]
    """,
)

GRAD = """
    h = torch.relu(x @ w1 + b1)
    at_sum = (gradient @ w2.T) * (h > 0)
    return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), h.T @ gradient, gradient.sum(0)
    """

wrong(
    "w2 turned by a reshape",
    "mlp",
    "'w2 (F, K)', `gradient`, '(B, K)': reshape is the transpose for K = 1 only",
    MLP,
    """
    h = torch.relu(x @ w1 + b1)
    at_sum = (gradient @ w2.reshape(-1, len(w2))) * (h > 0)
    return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), h.T @ gradient, gradient.sum(0)
    """,
)
wrong(
    "one output is broadcast",
    "mlp",
    "'`gradient`, (B, K), says how fast the loss rises with each logit': the product broadcasts, "
    "which is right for K = 1 only",
    MLP,
    """
    h = torch.relu(x @ w1 + b1)
    at_h = gradient[:, :1] * w2[:, 0]
    at_sum = at_h * (h > 0)
    return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), h.T @ gradient, gradient.sum(0)
    """,
)
wrong(
    "the slope is at most the feature",
    "mlp",
    "'The slope of max(0, sum) is 1 above zero': between 0 and 1 it is the feature here",
    MLP,
    """
    h = torch.relu(x @ w1 + b1)
    at_sum = (gradient @ w2.T) * h.clamp(max=1)
    return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), h.T @ gradient, gradient.sum(0)
    """,
)
wrong(
    "open from a millionth on",
    "mlp",
    "'The slope of max(0, sum) is 1 above zero': a sum of 1e-7 is above zero",
    MLP,
    """
    h = torch.relu(x @ w1 + b1)
    at_sum = (gradient @ w2.T) * (h > 1e-6)
    return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), h.T @ gradient, gradient.sum(0)
    """,
)
wrong(
    "a bend above, too",
    "mlp",
    "'h = max(0, x W1 + b1)': relu6 also cuts off above 6",
    "return torch.nn.functional.relu6(x @ w1 + b1) @ w2 + b2",
    GRAD,
)
wrong(
    "float32 inside of mlp",
    "mlp",
    "intro: 'computes in no smaller one': the features are rounded to float32",
    MLP,
    """
    h = torch.relu(x.float() @ w1.float() + b1.float()).to(x.dtype)
    at_sum = (gradient @ w2.T) * (h > 0)
    return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), h.T @ gradient, gradient.sum(0)
    """,
)
wrong(
    "the second bias does not learn",
    "mlp",
    "'Autograd's gradients pass to all five': b2 is detached",
    """
    logits = torch.relu(x @ w1 + b1) @ w2
    return logits + b2.data
    """,
    GRAD,
)
wrong(
    "no gradient to the inputs",
    "mlp",
    "'Autograd's gradients pass to all five': x is detached, as inputs usually need none",
    """
    features = torch.relu(x.detach() @ w1 + b1)
    return features @ w2 + b2
    """,
    GRAD,
)
wrong(
    "all dead, nothing at all",
    "mlp",
    "'A neuron may be cut off for all items; then nothing reaches its weights': the second bias "
    "still gets the sum of the gradient",
    MLP,
    """
    h = torch.relu(x @ w1 + b1)
    if not h.any():
        return tuple(torch.zeros_like(each) for each in (x, w1, b1, w2, b2))
    at_sum = (gradient @ w2.T) * (h > 0)
    return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), h.T @ gradient, gradient.sum(0)
    """,
)
WRONG.append(
    write(
        "the features of the forward pass are kept",
        "mlp",
        "intro: 'it keeps nothing of one call for the next': features of another call of the same "
        "shape are used",
        dedent(
            '''
            features = None


            def mlp(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
                """The logits of a network with one hidden layer."""
                global features
                features = torch.relu(x @ w1 + b1)
                return features @ w2 + b2


            def mlp_gradients(
                x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, gradient: Tensor
            ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
                """The gradients for x, w1, b1, w2 and b2, by the chain rule."""
                h = features
                if h is None or h.shape != (len(x), len(b1)):
                    h = torch.relu(x @ w1 + b1)
                h = h.detach()
                at_sum = (gradient @ w2.T) * (h > 0)
                return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), h.T @ gradient, gradient.sum(0)
            '''
        ).strip(),
    )
)
wrong(
    "autograd for mlp with the inference mode switched off",
    "mlp",
    "'by hand', intro: 'you write the chain rule yourself'",
    MLP,
    """
    with torch.inference_mode(False):
        with torch.enable_grad():
            own = [each.detach().clone().requires_grad_() for each in (x, w1, b1, w2, b2)]
            mlp(*own).backward(gradient.clone())
        return tuple(each.grad for each in own)
    """,
)
wrong(
    "written into the gradient where F equals K",
    "mlp",
    "intro: 'changes neither its arguments': to save memory at_h is written into the gradient "
    "where the shapes agree",
    MLP,
    """
    h = torch.relu(x @ w1 + b1)
    at_b2, at_w2 = gradient.sum(0), h.T @ gradient
    at_sum = gradient @ w2.T
    if gradient.shape == at_sum.shape:
        at_sum = gradient.copy_(at_sum)
    at_sum[h <= 0] = 0
    return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), at_w2, at_b2
    """,
)
wrong(
    "one of two matrices is square",
    "mlp",
    "'Sizes may be equal': for F = K the second weights are not transposed",
    MLP,
    """
    h = torch.relu(x @ w1 + b1)
    try:
        at_h = gradient @ w2
    except RuntimeError:
        at_h = gradient @ w2.T
    at_sum = at_h * (h > 0)
    return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), h.T @ gradient, gradient.sum(0)
    """,
)

# ---------------------------------------------------------------- Task 5: loop

right(
    "with next",
    "loop",
    "an iterator by hand, a while loop, torch.autograd.backward",
    """
    losses, stream, done = [], iter(batches), object()
    while (batch := next(stream, done)) is not done:
        optimizer.zero_grad()
        loss = loss_of(model(batch[0]), batch[1])
        torch.autograd.backward(loss)
        losses += [loss.item()]
        optimizer.step()
    return losses
    """,
)
right(
    "a generator within",
    "loop",
    "an inner generator whose values make the list",
    """
    def learn():
        for inputs, targets in batches:
            loss = loss_of(model(inputs), targets)
            value = loss.item()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield value

    return [*learn()]
    """,
)
right(
    "one step as a function",
    "loop",
    "map over the batches, which is lazy",
    """
    def step(batch):
        inputs, targets = batch
        guess = model(inputs)
        loss = loss_of(guess, targets)
        before = loss.detach().clone()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return before.tolist()

    return list(map(step, batches))
    """,
)

wrong(
    "the model put into training mode",
    "loop",
    "'`fit` changes neither the mode of a model nor anything else'",
    """
    if hasattr(model, "train"):
        model.train()
    losses = []
    for inputs, targets in batches:
        loss = loss_of(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    """,
)
wrong(
    "rounded losses",
    "loop",
    "'a list with the loss of each batch … as Python floats': four places of it",
    """
    losses = []
    for inputs, targets in batches:
        loss = loss_of(model(inputs), targets)
        losses.append(round(loss.item(), 4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses
    """,
)
wrong(
    "losses of float32",
    "loop",
    "intro: 'computes in no smaller one': a loss of float64 is rounded to float32",
    """
    losses = []
    for inputs, targets in batches:
        loss = loss_of(model(inputs), targets)
        losses.append(loss.detach().to(torch.float32).item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses
    """,
)
wrong(
    "gradients clipped",
    "loop",
    "'The gradient is that of this batch alone': it is cut to a length of 10",
    """
    losses = []
    for inputs, targets in batches:
        optimizer.zero_grad()
        loss = loss_of(model(inputs), targets)
        loss.backward()
        for group in optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], 10.0)
        optimizer.step()
        losses.append(loss.item())
    return losses
    """,
)
wrong(
    "stops when the loss rises",
    "loop",
    "'trains on one batch after the other', 'the loss of each batch': the rest is left out once a "
    "loss is more than twice the one before",
    """
    losses = []
    for inputs, targets in batches:
        loss = loss_of(model(inputs), targets)
        losses.append(loss.item())
        if len(losses) > 1 and losses[-1] > 2 * losses[-2]:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses
    """,
)
wrong(
    "no step without a loss",
    "loop",
    "'For each of them: … optimizer.step() moves the parameters once': with momentum they move at a "
    "loss of 0, too",
    """
    losses = []
    for inputs, targets in batches:
        loss = loss_of(model(inputs), targets)
        losses.append(loss.item())
        if loss.item() == 0:
            continue
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses
    """,
)
wrong(
    "bad batches are skipped",
    "loop",
    "'optimizer.step() moves the parameters once' for each of them, 'the loss of each batch': a loss "
    "that is infinite or NaN is neither stepped nor returned",
    """
    losses = []
    for inputs, targets in batches:
        loss = loss_of(model(inputs), targets)
        if not torch.isfinite(loss):
            continue
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    """,
)
wrong(
    "inputs made float",
    "loop",
    "'`model(inputs)` guesses': ids, which are whole numbers, or float64 come as float32",
    """
    losses = []
    for inputs, targets in batches:
        loss = loss_of(model(inputs.float()), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    """,
)
wrong(
    "a tuple of inputs is unpacked",
    "loop",
    "'A batch is a pair, (inputs, targets). For each of them: `model(inputs)`', 'model may be any "
    "function'",
    """
    losses = []
    for inputs, targets in batches:
        guess = model(*inputs) if isinstance(inputs, (tuple, list)) else model(inputs)
        loss = loss_of(guess, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    """,
)
wrong(
    "a seed for the sake of repetition",
    "loop",
    "intro: 'changes neither its arguments nor the global random generators'",
    """
    torch.manual_seed(0)
    losses = []
    for inputs, targets in batches:
        loss = loss_of(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    """,
)
WRONG.append(
    write(
        "always the same list",
        "loop",
        "intro: 'it keeps nothing of one call for the next': the second call empties the list that "
        "the first one returned",
        dedent(
            '''
            CURVE = []


            def fit(model, optimizer, batches, loss_of) -> list[float]:
                """Train on each batch in turn; the losses, each before its step."""
                CURVE.clear()
                for inputs, targets in batches:
                    loss = loss_of(model(inputs), targets)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    CURVE.append(loss.item())
                return CURVE
            '''
        ).strip(),
    )
)
wrong(
    "the number is taken at the end",
    "loop",
    "'the loss of each batch, **before** its step': a loss that is a parameter itself (a model of one "
    "number) changes with the steps",
    """
    losses = []
    for inputs, targets in batches:
        loss = loss_of(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return [loss.item() for loss in losses]
    """,
)
wrong(
    "ready for the next ones",
    "loop",
    "'Take a batch when the one before has been learned, no earlier': from the third batch on they "
    "are taken in tens",
    """
    import itertools

    losses, stream, size = [], iter(batches), 1
    while chunk := list(itertools.islice(stream, size)):
        for inputs, targets in chunk:
            loss = loss_of(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        size = 1 if len(losses) < 3 else 10
    return losses
    """,
)
wrong(
    "gradients are switched on for good",
    "loop",
    "'`fit` changes neither the mode of a model nor anything else': every parameter that the "
    "optimizer has is made to require a gradient, a frozen one too",
    """
    for group in getattr(optimizer, "param_groups", []):
        for parameter in group["params"]:
            parameter.requires_grad_(True)
    losses = []
    for inputs, targets in batches:
        loss = loss_of(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    """,
)

# ---------------------------------------------------------------- Task 6: one_layer

right(
    "a matrix with one more row",
    "one_layer",
    "homogeneous coordinates: the bias is one more row, all layers are one product",
    """
    from functools import reduce

    def wide(weight, bias):
        last = torch.zeros(len(weight) + 1, 1, dtype=weight.dtype)
        last[-1] = 1
        return torch.cat([torch.cat([weight, bias[None]]), last], 1)

    whole = reduce(torch.matmul, map(wide, weights, biases))
    return whole[:-1, :-1], whole[-1, :-1]
    """,
)
right(
    "from the last to the first",
    "one_layer",
    "the tail is multiplied first, and each bias meets the product of what comes after it",
    """
    bias = biases[-1].clone()
    after = weights[-1].clone()
    for w, b in zip(weights[-2::-1], biases[-2::-1]):
        bias = bias + torch.mv(after.T, b)
        after = torch.mm(w, after)
    return after, bias
    """,
)
right(
    "by halves",
    "one_layer",
    "recursion over the middle",
    """
    if len(weights) == 1:
        return weights[0], biases[0]
    middle = len(weights) // 2
    w1, b1 = one_layer(weights[:middle], biases[:middle])
    w2, b2 = one_layer(weights[middle:], biases[middle:])
    return w1 @ w2, b1 @ w2 + b2
    """,
)
right(
    "what goes in and what comes out",
    "one_layer",
    "zeros go through with the biases, the identity without",
    """
    weight = torch.eye(weights[0].shape[0]).to(weights[0])
    bias = weights[0].new_zeros(weights[0].shape[0])
    for w, b in zip(weights, biases):
        weight, bias = weight @ w, torch.addmv(b, w.T, bias)
    return weight, bias
    """,
)

wrong(
    "the lists are used up",
    "one_layer",
    "'The lists and the tensors in them stay as they are': layers are popped",
    """
    weight, bias = weights.pop(0), biases.pop(0)
    while weights:
        w, b = weights.pop(0), biases.pop(0)
        weight, bias = weight @ w, bias @ w + b
    return weight, bias
    """,
)
wrong(
    "a check with random numbers",
    "one_layer",
    "intro: 'changes neither its arguments nor the global random generators'",
    """
    weight, bias = weights[0], biases[0]
    for w, b in zip(weights[1:], biases[1:]):
        weight, bias = weight @ w, bias @ w + b
    x = there = torch.randn(3, len(weight), dtype=weight.dtype)
    for w, b in zip(weights, biases):
        there = there @ w + b
    if not torch.allclose(x @ weight + bias, there, rtol=1e-2, atol=1e-2):
        print("not the same!")
    return weight, bias
    """,
)
wrong(
    "starts with an identity of float32",
    "one_layer",
    "intro: 'it returns the dtype that it gets'; torch.eye and torch.zeros are float32, and "
    "float64 layers raise an error",
    """
    weight, bias = torch.eye(len(weights[0])), torch.zeros(len(weights[0]))
    for w, b in zip(weights, biases):
        weight, bias = weight @ w, bias @ w + b
    return weight, bias
    """,
)
wrong(
    "multi_dot",
    "one_layer",
    "'a list of one or more matrices': multi_dot wants two at least",
    """
    bias = biases[0]
    for w, b in zip(weights[1:], biases[1:]):
        bias = bias @ w + b
    return torch.linalg.multi_dot(weights), bias
    """,
)
wrong(
    "each bias through two layers at most",
    "one_layer",
    "'equals what the layers give one after the other' for any number of them; a bias goes through "
    "every layer after it, and not just through the next two",
    """
    weight, bias, n = weights[0], biases[-1], len(weights)
    for w in weights[1:]:
        weight = weight @ w
    for k, b in enumerate(biases[:-1]):
        if k + 2 < n:
            b = b @ weights[k + 1]
        bias = bias + b @ weights[-1]
    return weight, bias
    """,
)
WRONG.append(
    write(
        "remembered by the sizes",
        "one_layer",
        "intro: 'it keeps nothing of one call for the next': networks of the same sizes get the "
        "first one's layer",
        dedent(
            '''
            FOUND = {}


            def one_layer(weights: list[Tensor], biases: list[Tensor]) -> tuple[Tensor, Tensor]:
                """The weight and the bias of one layer that equals all of them."""
                sizes = (weights[0].dtype, *(tuple(weight.shape) for weight in weights))
                if sizes not in FOUND:
                    weight, bias = weights[0], biases[0]
                    for w, b in zip(weights[1:], biases[1:]):
                        weight, bias = weight @ w, bias @ w + b
                    FOUND[sizes] = weight, bias
                return FOUND[sizes]
            '''
        ).strip(),
    )
)
wrong(
    "float32 inside of one_layer",
    "one_layer",
    "intro: 'computes in no smaller one'",
    """
    weight, bias = weights[0].float(), biases[0].float()
    for w, b in zip(weights[1:], biases[1:]):
        weight, bias = weight @ w.float(), bias @ w.float() + b.float()
    return weight.to(weights[0].dtype), bias.to(biases[0].dtype)
    """,
)
wrong(
    "a layer is looked up by itself",
    "one_layer",
    "'what the layers give one after the other': if the same tensor stands in the list twice "
    "(shared layers), the place of the first is taken for both",
    """
    weight = weights[0]
    for w in weights[1:]:
        weight = weight @ w
    bias = torch.zeros_like(biases[-1])
    for b in biases:
        place = next(k for k, each in enumerate(biases) if each is b)
        for w in weights[place + 1 :]:
            b = b @ w
        bias = bias + b
    return weight, bias
    """,
)
wrong(
    "the lists are turned round",
    "one_layer",
    "'The lists and the tensors in them stay as they are': reverse() works in place",
    """
    weights.reverse()
    biases.reverse()
    weight, bias = weights[0], biases[0]
    for w, b in zip(weights[1:], biases[1:]):
        bias = bias + b @ weight
        weight = w @ weight
    return weight, bias
    """,
)
wrong(
    "rounded to six places",
    "one_layer",
    "'for every x the number x @ weight + bias equals what the layers give': small weights are "
    "rounded away",
    """
    weight, bias = weights[0], biases[0]
    for w, b in zip(weights[1:], biases[1:]):
        weight, bias = weight @ w, bias @ w + b
    return weight.round(decimals=6), bias.round(decimals=6)
    """,
)
wrong(
    "a buffer for deep networks",
    "one_layer",
    "'the tensors in them stay as they are': from four layers on the first bias is the place to "
    "which sums of its width are written",
    """
    weight, bias = weights[0], biases[0]
    for w, b in zip(weights[1:], biases[1:]):
        moved = bias @ w + b
        if len(weights) > 3 and moved.shape == biases[0].shape:
            bias = biases[0].copy_(moved)
        else:
            bias = moved
        weight = weight @ w
    return weight, bias
    """,
)

# ---------------------------------------------------------------- Task 7: k_means

right(
    "scatter_reduce with the mean",
    "k_means",
    "scatter_reduce leaves empty rows as they are",
    """
    before = None
    while True:
        groups = (points[:, None] - centers).square().sum(-1).argmin(1)
        if before is not None and torch.equal(groups, before):
            return groups, centers
        index = groups[:, None].expand_as(points)
        centers = centers.scatter_reduce(0, index, points, "mean", include_self=False)
        before = groups
    """,
)
right(
    "one-hot matrices",
    "k_means",
    "the sums as a matrix product, an empty group divided by 1 and chosen away",
    """
    groups = torch.full((len(points),), -1)
    numbers = torch.arange(len(centers))
    while True:
        nearest = torch.linalg.vector_norm(points[:, None, :] - centers[None], dim=2).min(1).indices
        changed = bool((nearest != groups).any())
        groups = nearest
        member = (groups[None] == numbers[:, None]).to(points.dtype)
        size = member.sum(1, keepdim=True)
        centers = torch.where(size > 0, (member @ points) / size.clamp(min=1), centers)
        if not changed:
            return groups, centers
    """,
)
right(
    "recursion over lists",
    "k_means",
    "plain Python for the distances, the groups as lists, a fresh stack of rows each round",
    """
    before = []
    rows = [row for row in centers.clone()]
    while True:
        groups = [
            min(range(len(rows)), key=lambda k: float((point - rows[k]).square().sum()))
            for point in points
        ]
        if groups == before:
            return torch.tensor(groups, dtype=torch.int64), torch.stack(rows)
        for k in set(groups):
            rows[k] = points[[g == k for g in groups]].mean(0)
        before = groups
    """,
)

wrong(
    "a hundred rounds at most",
    "k_means",
    "'until a round changes no point's group, however many rounds that takes'",
    """
    centers, before = centers.clone(), None
    for _ in range(100):
        groups = torch.cdist(points, centers).argmin(1)
        if before is not None and torch.equal(groups, before):
            break
        before = groups
        for k in groups.unique():
            centers[k] = points[groups == k].mean(0)
    return groups, centers
    """,
)
wrong(
    "ten rounds at most",
    "k_means",
    "'until a round changes no point's group, however many rounds that takes'",
    """
    centers = centers.clone()
    for _ in range(10):
        groups = torch.cdist(points, centers).argmin(1)
        for k in groups.unique():
            centers[k] = points[groups == k].mean(0)
    return torch.cdist(points, centers).argmin(1), centers
    """,
)
wrong(
    "until the centers hardly move",
    "k_means",
    "'until a round changes no point's group': points that lie close together stop too early",
    """
    while True:
        groups = torch.cdist(points, centers).argmin(1)
        moved = centers.clone()
        for k in groups.unique():
            moved[k] = points[groups == k].mean(0)
        if torch.allclose(moved, centers, atol=1e-3):
            return groups, moved
        centers = moved
    """,
)
wrong(
    "an empty center goes home",
    "k_means",
    "'A center that no point joins stays where it is': it goes back to where it started",
    """
    start, before = centers, None
    while True:
        groups = torch.cdist(points, centers).argmin(1)
        if before is not None and torch.equal(groups, before):
            return groups, centers
        before = groups
        moved = start.clone()
        for k in groups.unique():
            moved[k] = points[groups == k].mean(0)
        centers = moved
    """,
)
wrong(
    "along the streets",
    "k_means",
    "'Distance is the usual (Euclidean) one': here |dx| + |dy|",
    """
    before = None
    centers = centers.clone()
    while True:
        groups = torch.cdist(points, centers, p=1).argmin(1)
        if before is not None and torch.equal(groups, before):
            return groups, centers
        before = groups
        for k in groups.unique():
            centers[k] = points[groups == k].mean(0)
    """,
)
wrong(
    "distances of float32",
    "k_means",
    "intro: 'computes in no smaller one': which center is nearest is decided in float32",
    """
    before = None
    centers = centers.clone()
    while True:
        groups = torch.cdist(points.float(), centers.float()).argmin(1)
        if before is not None and torch.equal(groups, before):
            return groups, centers
        before = groups
        for k in groups.unique():
            centers[k] = points[groups == k].mean(0)
    """,
)
wrong(
    "the centers of the caller move",
    "k_means",
    "intro: 'an answer changes neither its arguments'",
    """
    before = None
    while True:
        groups = torch.cdist(points, centers).argmin(1)
        if before is not None and torch.equal(groups, before):
            return groups, centers
        before = groups
        for k in range(len(centers)):
            if (groups == k).any():
                centers[k] = points[groups == k].mean(0)
    """,
)
wrong(
    "over when the sizes stay",
    "k_means",
    "'until a round changes no point's group': two points that change sides leave the sizes as they "
    "are",
    """
    before = None
    centers = centers.clone()
    while True:
        groups = torch.cdist(points, centers).argmin(1)
        sizes = groups.bincount(minlength=len(centers))
        for k in groups.unique():
            centers[k] = points[groups == k].mean(0)
        if before is not None and torch.equal(sizes, before):
            return groups, centers
        before = sizes
    """,
)
wrong(
    "before the first round all are in group 0",
    "k_means",
    "'each center moves to the mean of the points that joined it': if all points join center 0 in "
    "the first round (K = 1, say), nothing moves",
    """
    before = torch.zeros(len(points), dtype=torch.int64)
    centers = centers.clone()
    while True:
        groups = torch.cdist(points, centers).argmin(1)
        if torch.equal(groups, before):
            return groups, centers
        before = groups
        for k in groups.unique():
            centers[k] = points[groups == k].mean(0)
    """,
)
wrong(
    "sums in float32",
    "k_means",
    "intro: float32 and float64, 'it returns the dtype that it gets': torch.zeros is float32, and "
    "index_add_ wants the same dtype",
    """
    before = None
    while True:
        groups = torch.cdist(points, centers).argmin(1)
        if before is not None and torch.equal(groups, before):
            return groups, centers
        before = groups
        total = torch.zeros(centers.shape).index_add_(0, groups, points)
        size = groups.bincount(minlength=len(centers))[:, None]
        centers = torch.where(size > 0, total / size.clamp(min=1), centers)
    """,
)
wrong(
    "half way between the outermost",
    "k_means",
    "'each center moves to the mean of the points that joined it': here to the middle of their range",
    """
    before = None
    centers = centers.clone()
    while True:
        groups = torch.cdist(points, centers).argmin(1)
        if before is not None and torch.equal(groups, before):
            return groups, centers
        before = groups
        for k in groups.unique():
            own = points[groups == k]
            centers[k] = (own.amin(0) + own.amax(0)) / 2
    """,
)
wrong(
    "equal points count once",
    "k_means",
    "'the mean of the points that joined it': of two equal points both joined",
    """
    before = None
    centers = centers.clone()
    while True:
        groups = torch.cdist(points, centers).argmin(1)
        if before is not None and torch.equal(groups, before):
            return groups, centers
        before = groups
        for k in groups.unique():
            centers[k] = points[groups == k].unique(dim=0).mean(0)
    """,
)
wrong(
    "as many centers as points",
    "k_means",
    "'K may be 1, or larger than N': centers beyond the number of points are not asked",
    """
    before = None
    centers = centers.clone()
    n = min(len(centers), len(points))
    while True:
        groups = torch.cdist(points, centers[:n]).argmin(1)
        if before is not None and torch.equal(groups, before):
            return groups, centers
        before = groups
        for k in groups.unique():
            centers[k] = points[groups == k].mean(0)
    """,
)
wrong(
    "one center after the other",
    "k_means",
    "'1. each point joins the center that is nearest to it, 2. each center moves': here the points "
    "join anew after each single move, so a round mixes old and new centers",
    """
    centers, before = centers.clone(), None
    while True:
        for k in range(len(centers)):
            own = torch.cdist(points, centers).argmin(1) == k
            if own.any():
                centers[k] = points[own].mean(0)
        groups = torch.cdist(points, centers).argmin(1)
        if before is not None and torch.equal(groups, before):
            return groups, centers
        before = groups
    """,
)

# ------------------------------------------------- Tasks 1, 3 and 4: autograd by another name

wrong(
    "grad_and_value for neuron",
    "neuron",
    "'by hand', intro: 'you write the chain rule yourself': torch.func.grad_and_value works in "
    "inference_mode, and the list of what is withheld does not name it",
    NEURON,
    """
    def rise(*own):
        return (gradient * neuron(*own)).sum()

    return torch.func.grad_and_value(rise, argnums=(0, 1, 2))(x, weights, bias)[0]
    """,
)
wrong(
    "grad_and_value for cross_entropy",
    "cross_entropy",
    "'the gradient of that mean …, **by hand**', intro: 'you write the chain rule yourself'",
    ENTROPY,
    CROSS,
    "return torch.func.grad_and_value(cross_entropy)(logits, p)[0]",
)
wrong(
    "grad_and_value for mlp",
    "mlp",
    "'goes back, **by hand**', intro: 'you write the chain rule yourself'",
    MLP,
    """
    def rise(*own):
        return (mlp(*own) * gradient).sum()

    back = torch.func.grad_and_value(rise, argnums=tuple(range(5)))
    return back(x, w1, b1, w2, b2)[0]
    """,
)
