from textwrap import dedent

from faults import fill, write

WRONG = []
RIGHT = []


def change(text, *pairs):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


# ---------------------------------------------------------------- Task 1
NEURON = "return torch.tanh(x @ weights + bias)"
BACK = """
output = torch.tanh(x @ weights + bias)
at_sum = gradient * (1 - output**2)
at_x = at_sum[..., None] * weights
at_weights = (at_sum[..., None] * x).reshape(-1, x.shape[-1]).sum(0)
return at_x, at_weights, at_sum.sum()
"""
WRONG += [
    fill(
        "neuron: the tanh in float32",
        "neuron",
        "'it returns the dtype that it gets and computes in no smaller one'",
        "return torch.tanh((x @ weights + bias).float()).to(x.dtype)",
        BACK,
    ),
    fill(
        "neuron: views",
        "neuron",
        "'Tensors may lie in memory in any way, transposed for example'",
        NEURON,
        change(
            BACK,
            (
                "(at_sum[..., None] * x).reshape(-1, x.shape[-1]).sum(0)",
                "at_sum.reshape(-1) @ x.view(-1, x.shape[-1])",
            ),
        ),
    ),
    fill(
        "neuron: one weight, no dimension",
        "neuron",
        "'each in the shape of its argument', 'A size may be 1: no dimension is lost'",
        NEURON,
        change(BACK, ("x.shape[-1]).sum(0)", "x.shape[-1]).sum(0).squeeze()")),
    ),
    fill(
        "neuron: bounded sums",
        "neuron",
        "'Sums may be in the thousands, …: the gradients are 0': in float64 those at 10 are not",
        NEURON,
        change(
            BACK,
            ("torch.tanh(x @ weights + bias)", "torch.tanh((x @ weights + bias).clamp(-10, 10))"),
        ),
    ),
    write(
        "neuron: remembers the way there",
        "neuron",
        "'it keeps nothing of one call for the next'",
        """
          LAST = {}


          def neuron(x: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
              LAST["output"] = torch.tanh(x @ weights + bias)
              return LAST["output"].clone()


          def neuron_gradients(x, weights, bias, gradient):
              output = LAST.get("output")
              if output is None or output.shape != gradient.shape or output.dtype != gradient.dtype:
                  output = torch.tanh(x @ weights + bias)
              at_sum = gradient * (1 - output.detach() ** 2)
              at_x = at_sum[..., None] * weights
              at_weights = (at_sum[..., None] * x).reshape(-1, x.shape[-1]).sum(0)
              return at_x, at_weights, at_sum.sum()
          """,
    ),
    fill(
        "neuron: a new tensor for the bias",
        "neuron",
        "'it returns the dtype that it gets': float64 becomes float32",
        NEURON,
        change(BACK, ("at_sum.sum()\n", "torch.tensor(at_sum.sum().item())\n")),
    ),
    fill(
        "neuron: slope of the float32 output",
        "neuron",
        "'computes in no smaller one'",
        NEURON,
        change(BACK, ("(1 - output**2)", "(1 - output.float() ** 2).to(x.dtype)")),
    ),
]
RIGHT += [
    fill("neuron: usual", "neuron", "as the hints say", NEURON, BACK),
    fill(
        "neuron: einsum",
        "neuron",
        "einsum, and a slope as a product",
        "return torch.einsum('...c,c->...', x, weights).add(bias).tanh()",
        """
         output = torch.einsum("...c,c->...", x, weights).add(bias).tanh()
         at_sum = gradient * (1 - output) * (1 + output)
         return [
             torch.einsum("...,c->...c", at_sum, weights),
             torch.einsum("...c,...->c", x, at_sum),
             torch.einsum("...->", at_sum),
         ]
         """,
    ),
    fill(
        "neuron: a flat list",
        "neuron",
        "all leading dimensions flattened first, broadcast products and sums",
        "return ((x * weights).sum(-1) + bias).tanh()",
        """
         rows = x.reshape(-1, weights.numel())
         bend = (rows.mul(weights).sum(-1) + bias).tanh()
         arrives = gradient.reshape(-1) - gradient.reshape(-1) * bend.square()
         at_x = torch.outer(arrives, weights).reshape(x.shape)
         return at_x, rows.T.mv(arrives), arrives.sum()
         """,
    ),
]

# ---------------------------------------------------------------- Task 2
SOFT = """
exp = (logits - logits.amax(dim, keepdim=True)).exp()
return exp / exp.sum(dim, keepdim=True)
"""
WRONG += [
    fill(
        "softmax: in float32",
        "softmax",
        "'computes in no smaller one'",
        change(SOFT, (").exp()", ").float().exp().to(logits.dtype)")),
    ),
    fill(
        "softmax: bounded logits",
        "softmax",
        "'whatever the logits are: …, 10³⁰ beside −10³⁰'",
        change(SOFT, ("exp = (", "logits = logits.clamp(min=-1e4)\nexp = (")),
    ),
    fill(
        "softmax: a little below the fraction",
        "softmax",
        "'Along dim the probabilities sum to 1': in float64 they do not",
        change(
            SOFT,
            ("keepdim=True)\n", "keepdim=True)\n"),
            ("exp.sum(dim, keepdim=True)", "(exp.sum(dim, keepdim=True) + 1e-7)"),
        ),
    ),
    fill(
        "softmax: the mean is taken off",
        "softmax",
        "'none is NaN, whatever the logits are: in the thousands of either sign'; and a logit may be −∞",
        change(SOFT, ("logits.amax(dim", "logits.mean(dim")),
    ),
    fill(
        "softmax: the sum is a constant",
        "softmax",
        "'Gradients pass through': through the sum, too",
        change(SOFT, ("exp.sum(dim, keepdim=True)", "exp.sum(dim, keepdim=True).detach()")),
    ),
    fill(
        "softmax: first or last dimension",
        "softmax",
        "'dim may be any of its dimensions, counted from the front or, if negative, from the end'",
        """
         if dim == 0:
             return softmax(logits.T).T
         exp = (logits - logits.amax(-1, keepdim=True)).exp()
         return exp / exp.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "softmax: −∞ is a number",
        "softmax",
        "'A logit may be −∞ …: its probability is exactly 0': beside −20 000 it is 1",
        change(SOFT, ("exp = (", "logits = logits.nan_to_num(neginf=-1e4)\nexp = (")),
    ),
]
RIGHT += [
    fill("softmax: usual", "softmax", "the largest taken off", SOFT),
    fill(
        "softmax: last dimension",
        "softmax",
        "the dimension is moved to the end, the largest sorted out, no gradient through it",
        """
         rows = logits.movedim(dim, -1)
         top = rows.detach().sort(-1).values[..., -1:]
         powers = torch.exp(rows - top)
         return torch.div(powers, torch.sum(powers, -1, True)).movedim(-1, dim)
         """,
    ),
    fill(
        "softmax: einsum in float64",
        "softmax",
        "wider inside",
        """
         wide = logits.double()
         shifted = wide - torch.max(wide, dim=dim, keepdim=True).values.detach()
         share = shifted.exp()
         share = share * share.sum(dim=dim, keepdim=True).reciprocal()
         return share.to(logits.dtype)
         """,
    ),
]

# ---------------------------------------------------------------- Task 3
ENT = "return -torch.xlogy(p, p).sum(-1)"
CE = """
z = logits - logits.amax(-1, keepdim=True).detach()
log_q = z - z.exp().sum(-1, keepdim=True).log()
return torch.where(p > 0, -p * log_q, 0.0).sum(-1).mean()
"""
CEG = """
exp = (logits - logits.amax(-1, keepdim=True)).exp()
q = exp / exp.sum(-1, keepdim=True)
return (q - p) / (q.numel() // q.shape[-1])
"""
WRONG += [
    fill(
        "entropy: a little is added",
        "cross_entropy",
        "−Σ p ln p; 'computes in no smaller' dtype than float64, where 10⁻⁸ is seen",
        "return -(p * (p + 1e-8).log()).sum(-1)",
        CE,
        CEG,
    ),
    fill(
        "loss: a little is added",
        "cross_entropy",
        "'At the digits of the dtype nothing is lost: a loss of 10⁻⁶ in float64 has its digits, too'",
        ENT,
        change(CE, ("keepdim=True).log()", "keepdim=True).add(1e-8).log()")),
        CEG,
    ),
    fill(
        "loss: bounded logits",
        "cross_entropy",
        "'Logits may be in the thousands, of either sign': −8000 and −6000 are equal here",
        ENT,
        change(CE, ("z = logits", "logits = logits.clamp(min=-5000)\nz = logits")),
        CEG,
    ),
    fill(
        "loss: mean over the first dimension",
        "cross_entropy",
        "'the mean over all rows', 'Any number of leading dimensions'",
        ENT,
        change(CE, (".sum(-1).mean()", ".sum() / (len(p) if p.dim() > 1 else 1)")),
        CEG,
    ),
    fill(
        "loss: gradient of the first dimension's mean",
        "cross_entropy",
        "'the gradient of that mean': over all rows, with any number of leading dimensions",
        ENT,
        CE,
        change(CEG, ("(q.numel() // q.shape[-1])", "(len(q) if q.dim() > 1 else 1)")),
    ),
    fill(
        "loss: moves the logits",
        "cross_entropy",
        "'an answer changes neither its arguments'",
        ENT,
        change(
            CE,
            (
                "z = logits",
                "if not logits.requires_grad:\n    logits -= logits.amax(-1, keepdim=True)\nz = logits",
            ),
        ),
        CEG,
    ),
    fill(
        "loss: in float32",
        "cross_entropy",
        "'computes in no smaller one': 'a loss of 10⁻⁶ in float64 has its digits, too'",
        ENT,
        change(
            CE,
            (
                "z = logits - logits.amax(-1, keepdim=True).detach()",
                "z = (logits - logits.amax(-1, keepdim=True).detach()).float()",
            ),
            (".mean()\n", ".mean().to(logits.dtype)\n"),
        ),
        CEG,
    ),
    fill(
        "loss: gradient moves the logits",
        "cross_entropy",
        "'an answer changes neither its arguments'",
        ENT,
        CE,
        change(
            CEG,
            (
                "exp = (logits - logits.amax(-1, keepdim=True)).exp()",
                "exp = logits.sub_(logits.amax(-1, keepdim=True)).exp()",
            ),
        ),
    ),
]
RIGHT += [
    fill("loss: usual", "cross_entropy", "as the hints say", ENT, CE, CEG),
    fill(
        "loss: log1p",
        "cross_entropy",
        "the sum without its largest, log1p; entr; einsum",
        "return torch.special.entr(p).sum(-1)",
        """
         rows, truth = logits.reshape(-1, logits.shape[-1]), p.reshape(-1, p.shape[-1])
         top, place = rows.detach().max(-1, keepdim=True)
         z = rows - rows.gather(-1, place)
         others = z.exp().scatter(-1, place, 0.0)
         log_q = z - others.sum(-1, keepdim=True).log1p()
         costs = torch.where(truth > 0, log_q, torch.zeros_like(log_q)) * truth
         return costs.sum() / -len(rows)
         """,
        """
         rows = logits.reshape(-1, logits.shape[-1])
         powers = torch.exp(rows - rows.max(dim=-1, keepdim=True)[0])
         q = (powers / powers.sum(-1, keepdim=True)).reshape(logits.shape)
         return q.sub(p).div(rows.shape[0])
         """,
    ),
    fill(
        "loss: the classes with a cost",
        "cross_entropy",
        "masked by a replaced p; mean of means is not used; float64 for the sums",
        """
         log_p = torch.where(p == 0, torch.ones_like(p), p).log()
         return (p * log_p).sum(dim=-1).neg()
         """,
        """
         count = p[..., 0].numel()
         z = logits - logits.amax(dim=-1, keepdim=True)
         log_total = z.exp().sum(dim=-1).log()
         right = torch.where(p == 0, torch.zeros_like(z), p * z.masked_fill(p == 0, 0.0)).sum(dim=-1)
         return (p.sum(dim=-1) * log_total - right).sum() / count
         """,
        """
         q = softmax(logits, -1)
         return torch.true_divide(q - p, math.prod(logits.shape[:-1]))
         """,
    ),
]

# ---------------------------------------------------------------- Task 4
MLP = "return torch.relu(x @ w1 + b1) @ w2 + b2"
MLPG = """
h = torch.relu(x @ w1 + b1)
at_sum = (gradient @ w2.T) * (h > 0)
return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), h.T @ gradient, gradient.sum(0)
"""
WRONG += [
    fill(
        "mlp: ReLU6",
        "mlp",
        "h = max(0, x W₁ + b₁): no bound above",
        "return torch.nn.functional.relu6(x @ w1 + b1) @ w2 + b2",
        MLPG,
    ),
    fill(
        "mlp: features in float32",
        "mlp",
        "'computes in no smaller one'",
        "return torch.relu((x @ w1 + b1).float()).to(x.dtype) @ w2 + b2",
        MLPG,
    ),
    fill(
        "mlp: one hidden neuron, no dimension",
        "mlp",
        "'each in the shape of its argument. Sizes may be equal, or 1'",
        MLP,
        change(MLPG, ("at_sum.sum(0), h", "at_sum.sum(0).squeeze(), h")),
    ),
    write(
        "mlp: remembers the features",
        "mlp",
        "'it keeps nothing of one call for the next'",
        """
          FEATURES = []


          def mlp(x, w1, b1, w2, b2):
              FEATURES[:] = [torch.relu(x @ w1 + b1)]
              return FEATURES[0] @ w2 + b2


          def mlp_gradients(x, w1, b1, w2, b2, gradient):
              h = FEATURES[0].detach() if FEATURES else None
              if h is None or h.shape != (len(x), len(b1)) or h.dtype != x.dtype:
                  h = torch.relu(x @ w1 + b1)
              at_sum = (gradient @ w2.T) * (h > 0)
              return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), h.T @ gradient, gradient.sum(0)
          """,
    ),
    fill(
        "mlp: open from a twentieth on",
        "mlp",
        "'The slope of max(0, sum) is 1 above zero'",
        MLP,
        change(MLPG, ("(h > 0)", "(h > 0.05)")),
    ),
    fill(
        "mlp: biases are constants",
        "mlp",
        "'Autograd's gradients pass to all five'",
        "return torch.relu(x @ w1 + b1.data) @ w2 + b2.data",
        MLPG,
    ),
    fill(
        "mlp: slope of ReLU6",
        "mlp",
        "'The slope of max(0, sum) is 1 above zero'",
        MLP,
        change(MLPG, ("(h > 0)", "((h > 0) & (h < 6))")),
    ),
]
RIGHT += [
    fill("mlp: usual", "mlp", "as the hints say", MLP, MLPG),
    fill(
        "mlp: einsum and clamp",
        "mlp",
        "einsum, clamp, where",
        "return torch.einsum('bf,fk->bk', torch.einsum('bc,cf->bf', x, w1).add(b1).clamp(min=0), w2) + b2",
        """
         sums = torch.einsum("bc,cf->bf", x, w1) + b1
         features = sums.clamp(min=0)
         at_features = torch.einsum("bk,fk->bf", gradient, w2)
         at_sums = torch.where(sums > 0, at_features, torch.zeros_like(at_features))
         return [
             torch.einsum("bf,cf->bc", at_sums, w1),
             torch.einsum("bc,bf->cf", x, at_sums),
             torch.einsum("bf->f", at_sums),
             torch.einsum("bf,bk->fk", features, gradient),
             torch.einsum("bk->k", gradient),
         ]
         """,
    ),
    fill(
        "mlp: a helper for a layer",
        "mlp",
        "a layer back as a function; ones times the matrix for the sums",
        "h = torch.addmm(b1, x, w1)\nreturn torch.addmm(b2, torch.maximum(h, torch.zeros_like(h)), w2)",
        """
         def layer_back(entered, weight, arrives):
             ones = torch.ones(1, len(arrives), dtype=arrives.dtype)
             return arrives.mm(weight.t()), entered.t().mm(arrives), ones.mm(arrives)[0]

         before = torch.addmm(b1, x, w1)
         slope = before.sign().clamp(min=0)
         at_h, at_w2, at_b2 = layer_back(before * slope, w2, gradient)
         return *layer_back(x, w1, at_h * slope), at_w2, at_b2
         """,
    ),
]

# ---------------------------------------------------------------- Task 5
FIT = """
losses = []
for inputs, targets in batches:
    loss = loss_of(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
return losses
"""
WRONG += [
    fill(
        "fit: skips what is not finite",
        "loop",
        "'For each batch, also where the loss is 0, infinite or NaN'",
        change(
            FIT,
            (
                "    optimizer.zero_grad()",
                "    if not torch.isfinite(loss):\n        losses.append(loss.item())\n        continue\n    optimizer.zero_grad()",
            ),
        ),
    ),
    fill(
        "fit: nothing to learn at 0",
        "loop",
        "'For each batch, also where the loss is 0, …: optimizer.step() moves the parameters once' (a momentum moves them)",
        change(
            FIT,
            (
                "    optimizer.zero_grad()",
                "    if loss == 0:\n        losses.append(0.0)\n        continue\n    optimizer.zero_grad()",
            ),
        ),
    ),
    fill(
        "fit: unpacks tuples",
        "loop",
        "'Both may be anything: tensors, tuples, dictionaries …: model(inputs) guesses'",
        change(
            FIT,
            ("model(inputs)", "(model(*inputs) if isinstance(inputs, tuple) else model(inputs))"),
        ),
    ),
    fill(
        "fit: training mode",
        "loop",
        "'fit changes neither the mode of a model nor anything else'",
        "if isinstance(model, torch.nn.Module):\n    model.train()" + FIT,
    ),
    fill(
        "fit: rounded losses",
        "loop",
        "'the loss of each batch, before its step, as Python floats'",
        change(FIT, ("loss.item()", "round(loss.item(), 4)")),
    ),
    write(
        "fit: one list for all calls",
        "loop",
        "'Return a new list'",
        """
          CURVE = []


          def fit(model, optimizer, batches, loss_of) -> list[float]:
              CURVE.clear()
              for inputs, targets in batches:
                  loss = loss_of(model(inputs), targets)
                  optimizer.zero_grad()
                  loss.backward()
                  optimizer.step()
                  CURVE.append(loss.item())
              return CURVE
          """,
    ),
    fill(
        "fit: thaws the parameters",
        "loop",
        "fit changes nothing else, 'such as which parameters have gradients'",
        "for group in optimizer.param_groups:\n    for p in group['params']:\n        p.requires_grad_(True)"
        + FIT,
    ),
]
RIGHT += [
    fill("fit: usual", "loop", "the chapter's loop", FIT),
    fill(
        "fit: a generator of losses",
        "loop",
        "an inner generator, collected in a list",
        """
         def learn():
             for batch in batches:
                 loss = loss_of(model(batch[0]), batch[1])
                 optimizer.zero_grad()
                 torch.autograd.backward(loss)
                 optimizer.step()
                 yield float(loss.detach())

         return [*learn()]
         """,
    ),
    fill(
        "fit: iter and next",
        "loop",
        "a while loop over an iterator",
        """
         source, curve = iter(batches), []
         while True:
             try:
                 pair = next(source)
             except StopIteration:
                 return curve
             inputs, targets = pair
             optimizer.zero_grad()
             guess = model(inputs)
             loss = loss_of(guess, targets)
             curve += [loss.detach().tolist()]
             loss.backward()
             optimizer.step()
         """,
    ),
]

# ---------------------------------------------------------------- Task 6
ONE = """
weight, bias = weights[0].clone(), biases[0].clone()
for w, b in zip(weights[1:], biases[1:]):
    weight, bias = weight @ w, bias @ w + b
return weight, bias
"""
WRONG += [
    fill(
        "one: empties the lists",
        "one_layer",
        "'The lists and the tensors in them stay as they are'",
        """
         weight, bias = weights.pop(0), biases.pop(0)
         while weights:
             w, b = weights.pop(0), biases.pop(0)
             weight, bias = weight @ w, bias @ w + b
         return weight, bias
         """,
    ),
    fill(
        "one: products in float32",
        "one_layer",
        "'computes in no smaller one'",
        change(ONE, ("weight @ w, bias", "(weight.float() @ w.float()).to(w.dtype), bias")),
    ),
    fill(
        "one: three layers at most",
        "one_layer",
        "'weights is a list of one or more matrices'",
        change(ONE, ("weights[1:], biases[1:]", "weights[1:3], biases[1:3]")),
    ),
    fill(
        "one: multi_dot",
        "one_layer",
        "'one or more': multi_dot of one matrix raises an error",
        """
         bias = biases[0].clone()
         for w, b in zip(weights[1:], biases[1:]):
             bias = bias @ w + b
         return torch.linalg.multi_dot(list(weights)), bias
         """,
    ),
    fill(
        "one: found by experiments",
        "one_layer",
        "'an answer changes neither … the global random generators'",
        """
         c = len(weights[0])
         x = torch.randn(4 * c + 8, c, dtype=torch.float64)
         y = x
         for w, b in zip(weights, biases):
             y = y @ w.double() + b.double()
         x = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], 1)
         found = torch.linalg.lstsq(x, y).solution.to(weights[0].dtype)
         return found[:-1], found[-1]
         """,
    ),
    fill(
        "one: the lists are the notes",
        "one_layer",
        "'The lists … stay as they are'",
        """
         for k in range(1, len(weights)):
             biases[k] = biases[k - 1] @ weights[k] + biases[k]
             weights[k] = weights[k - 1] @ weights[k]
         return weights[-1], biases[-1]
         """,
    ),
    fill(
        "one: bias in float32",
        "one_layer",
        "'computes in no smaller one'",
        change(ONE, ("bias @ w + b", "(bias.float() @ w.float()).to(w.dtype) + b")),
    ),
]
RIGHT += [
    fill("one: usual", "one_layer", "one layer after the other", ONE),
    fill(
        "one: from the end",
        "one_layer",
        "from the last layer to the first",
        """
         weight, bias = weights[-1].clone(), biases[-1].clone()
         for w, b in reversed(list(zip(weights[:-1], biases[:-1]))):
             bias = bias + b @ weight
             weight = w @ weight
         return weight, bias
         """,
    ),
    fill(
        "one: one more row",
        "one_layer",
        "weight and bias in one matrix with a row and a column more",
        """
         from functools import reduce

         def joined(w, b):
             last = torch.cat([torch.zeros_like(w[:, 0]), torch.ones_like(b[:1])])[:, None]
             return torch.cat([torch.cat([w, b[None]]), last], 1)

         whole = reduce(torch.matmul, [joined(w, b) for w, b in zip(weights, biases)])
         return [whole[:-1, :-1].clone(), whole[-1, :-1].clone()]
         """,
    ),
]

# ---------------------------------------------------------------- Task 7
KM = """
centers, groups = centers.clone(), None
while True:
    distances = (points[:, None] - centers[None]).square().sum(-1)
    new = distances.argmin(1)
    if groups is not None and torch.equal(new, groups):
        return groups, centers
    groups = new
    for k in range(len(centers)):
        mine = points[groups == k]
        if len(mine):
            centers[k] = mine.mean(0)
"""
WRONG += [
    fill(
        "k_means: ten rounds",
        "k_means",
        "'until a round changes no point's group, however many rounds that takes'",
        change(KM, ("while True:", "for _ in range(10):")) + "return groups, centers\n",
    ),
    fill(
        "k_means: when centers hardly move",
        "k_means",
        "'until a round changes no point's group'",
        change(KM, ("    groups = new\n", "    groups, before = new, centers.clone()\n"))
        + "    if (centers - before).abs().max() < 0.05:\n        return groups, centers\n",
    ),
    fill(
        "k_means: squares of numbers far from zero",
        "k_means",
        "'Distance is the usual (Euclidean) one, with all digits of the dtype'",
        change(
            KM,
            (
                "(points[:, None] - centers[None]).square().sum(-1)",
                "(points**2).sum(1)[:, None] - 2 * points @ centers.T + (centers**2).sum(1)",
            ),
        ),
    ),
    fill(
        "k_means: equal points once",
        "k_means",
        "'Points may be equal, and each of them counts'",
        change(KM, ("mine.mean(0)", "mine.unique(dim=0).mean(0)")),
    ),
    fill(
        "k_means: moves the given centers",
        "k_means",
        "'an answer changes neither its arguments'",
        change(KM, ("centers, groups = centers.clone(), None", "groups = None")),
    ),
    fill(
        "k_means: around the block",
        "k_means",
        "'Distance is the usual (Euclidean) one'",
        change(KM, (".square().sum(-1)", ".abs().sum(-1)")),
    ),
    fill(
        "k_means: counts up to the last group",
        "k_means",
        "'A center that no point joins stays where it is, and keeps its number': also one with the highest number",
        """
         groups = None
         while True:
             new = (points[:, None] - centers).square().sum(-1).argmin(1)
             if groups is not None and torch.equal(new, groups):
                 return groups, centers.clone()
             groups = new
             counts = torch.bincount(groups)[:, None].to(points.dtype)
             sums = torch.zeros_like(centers).index_add(0, groups, points)[: len(counts)]
             moved = sums / counts
             centers = torch.where(counts > 0, moved, centers[: len(counts)])
         """,
    ),
]
RIGHT += [
    fill("k_means: usual", "k_means", "squares of the differences", KM),
    fill(
        "k_means: index_add",
        "k_means",
        "cdist without products of matrices, sums by index_add",
        """
         before = torch.full((len(points),), -1)
         while True:
             distances = torch.cdist(points, centers, compute_mode="donot_use_mm_for_euclid_dist")
             groups = distances.min(dim=1).indices
             if bool((groups == before).all()):
                 return [groups, centers.clone()]
             counts = torch.bincount(groups, minlength=len(centers))
             sums = torch.zeros_like(centers).index_add(0, groups, points)
             means = sums / counts.clamp(min=1)[:, None].to(centers.dtype)
             centers = torch.where(counts[:, None] > 0, means, centers)
             before = groups
         """,
    ),
    fill(
        "k_means: lists",
        "k_means",
        "Python lists and math.dist, fsum",
        """
         dots, middles, groups = points.tolist(), centers.tolist(), []
         while True:
             joined = [min(range(len(middles)), key=lambda k: math.dist(dot, middles[k])) for dot in dots]
             if joined == groups:
                 break
             groups = joined
             for k in set(groups):
                 mine = [dot for dot, g in zip(dots, groups) if g == k]
                 middles[k] = [math.fsum(column) / len(mine) for column in zip(*mine)]
         return torch.tensor(groups, dtype=torch.int64), torch.tensor(middles, dtype=points.dtype)
         """,
    ),
]
