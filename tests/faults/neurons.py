"""Answers to the assignment `neurons`: plausible and wrong, or right in another style."""

from . import edit, fill, frozen, write

AT_SUM = "at_sum = gradient * (1 - output**2)"
AT_X = "at_x = at_sum[..., None] * weights"
AT_WEIGHTS = "at_weights = (at_sum[..., None] * x).reshape(-1, x.shape[-1]).sum(0)"
LARGEST = "logits.amax(dim, keepdim=True)"
EXPONENTIALS = "exponentials = (logits - logits.amax(dim, keepdim=True)).exp()"
SHARES = "return exponentials / exponentials.sum(dim, keepdim=True)"
ENTROPY = "return -torch.xlogy(p, p).sum(-1)"
SHIFTED = "shifted = logits - logits.amax(-1, keepdim=True)"
LOG_Q = "log_q = shifted - shifted.exp().sum(-1, keepdim=True).log()"
COSTS = "costs = torch.where(p > 0, -p * log_q, 0.0)"
N_ROWS = "n_rows = logits.numel() // logits.shape[-1]"
SLOPE = "return (softmax(logits) - p) / n_rows"
FORWARD = "return torch.relu(x @ w1 + b1) @ w2 + b2"
FEATURES = "features = torch.relu(x @ w1 + b1)\n"
OPEN = "at_sum = (gradient @ w2.T) * (features > 0)"
FIVE = "return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), features.T @ gradient, gradient.sum(0)"
FOR = "for inputs, targets in batches:"
GUESS = "loss = loss_of(model(inputs), targets)"
ZERO = "        optimizer.zero_grad()\n"
BACKWARD = "        loss.backward()\n"
STEP = "        optimizer.step()\n"
KEEP = "losses.append(loss.item())"
LAYERS = "for next_weight, next_bias in zip(weights[1:], biases[1:], strict=True):"
BOTH = "weight, bias = weight @ next_weight, bias @ next_weight + next_bias"
WHILE = "while before is None or not torch.equal(groups, before):"
CENTERS = "centers = torch.stack([own.mean(0) if len(own) else center for own, center in pairs])"

WRONG = [
    # Task 1
    edit(
        "no slope",
        "neuron",
        "the bend is forgotten on the way back",
        (AT_SUM, "at_sum = gradient"),
        cause="left out",
    ),
    edit(
        "one minus the output",
        "neuron",
        "a square forgotten",
        ("1 - output**2", "1 - output"),
        cause="not 1 − tanh",
    ),
    edit(
        "slope at the sum",
        "neuron",
        "the square of the sum",
        ("1 - output**2", "1 - (x @ weights + bias) ** 2"),
        cause="not 1 − sum²",
    ),
    edit(
        "gradient ignored",
        "neuron",
        "as if the loss were the output",
        (AT_SUM, "at_sum = (1 - output**2) + 0 * gradient"),
        cause="comes in",
    ),
    edit(
        "inputs and weights exchanged",
        "neuron",
        "each with its own number",
        (
            "return at_x, at_weights, at_sum.sum()",
            "at_x, at_weights = at_sum[..., None] * x, (at_sum[..., None] * weights)\n"
            "    at_weights = at_weights.expand(x.shape).reshape(-1, x.shape[-1]).sum(0)\n"
            "    return at_x, at_weights, at_sum.sum()",
        ),
        cause="exchanged",
    ),
    edit(
        "mean over the batch",
        "neuron",
        "as if the loss were a mean",
        (AT_WEIGHTS, AT_WEIGHTS.replace("sum(0)", "mean(0)")),
        cause="mean",
    ),
    edit(
        "bias for each item",
        "neuron",
        "not added up",
        ("return at_x, at_weights, at_sum.sum()", "return at_x, at_weights, at_sum"),
        cause="added up",
    ),
    edit(
        "first dimension only",
        "neuron",
        "right for a matrix",
        (
            AT_WEIGHTS,
            "at_weights = (at_sum[..., None] * x)\n    if x.dim() > 1:\n"
            "        at_weights = at_weights.sum(0)",
        ),
        cause="all leading dimensions",
    ),
    edit(
        "matrices only",
        "neuron",
        "sums all but the last two wrongly",
        (AT_WEIGHTS, "at_weights = at_sum @ x"),
    ),
    edit(
        "squeezed",
        "neuron",
        "a size of 1 is lost",
        (
            "return torch.tanh(x @ weights + bias)",
            "return torch.tanh(x @ weights + bias).squeeze()",
        ),
        cause="leading dimensions",
    ),
    edit(
        "tanh by exp",
        "neuron",
        "infinity over infinity",
        (
            "return torch.tanh(x @ weights + bias)",
            "z = x @ weights + bias\n    return (z.exp() - (-z).exp()) / (z.exp() + (-z).exp())",
        ),
        cause="overflow",
    ),
    edit(
        "tanh of each product",
        "neuron",
        "bent before it is added",
        (
            "return torch.tanh(x @ weights + bias)",
            "return torch.tanh(x * weights).sum(-1) + bias",
        ),
        cause="of its own",
    ),
    edit(
        "no bias",
        "neuron",
        "forgotten",
        ("torch.tanh(x @ weights + bias)", "torch.tanh(x @ weights)"),
        cause="bias is left out",
    ),
    fill(
        "autograd",
        "neuron",
        "not by hand",
        "return torch.tanh(x @ weights + bias)",
        """
        inputs = [each.detach().clone().requires_grad_() for each in (x, weights, bias)]
        with torch.enable_grad():
            output = neuron(*inputs)
        return torch.autograd.grad(output, inputs, gradient)
        """,
        cause="autograd",
    ),
    edit(
        "in float32",
        "neuron",
        "converted",
        ("output = neuron(x, weights, bias)", "output = neuron(x, weights, bias).float()"),
        cause="float32|dtype",
    ),
    edit(
        "scales the gradient in place",
        "neuron",
        "the caller's",
        (AT_SUM, "at_sum = gradient.mul_(1 - output**2)"),
        cause="changed in place",
    ),
    write(
        "remembers its sum",
        "neuron",
        "the output of the last forward pass is taken, whatever it was for",
        """
kept = {}


def neuron(x, weights, bias):
    kept["output"] = torch.tanh(x @ weights + bias)
    return kept["output"]


def neuron_gradients(x, weights, bias, gradient):
    output = kept.get("output")
    if output is None or output.shape != gradient.shape:
        output = neuron(x, weights, bias)
    at_sum = gradient * (1 - output**2)
    at_weights = (at_sum[..., None] * x).reshape(-1, x.shape[-1]).sum(0)
    return at_sum[..., None] * weights, at_weights, at_sum.sum()
        """,
        cause="kept|at_bias|at_x|at_weights",
    ),
    # Task 2
    edit(
        "no shift",
        "softmax",
        "overflows",
        (EXPONENTIALS, "exponentials = logits.exp()"),
        cause="infinite",
    ),
    edit(
        "one largest for all",
        "softmax",
        "rows far below become 0 over 0",
        (LARGEST, "logits.max()"),
        cause="largest of each row",
    ),
    edit(
        "the mean taken off",
        "softmax",
        "overflows where logits are far apart",
        (LARGEST, "logits.mean(dim, keepdim=True)"),
        cause="largest of each row|−∞",
    ),
    edit(
        "bounded",
        "softmax",
        "no overflow, and other logits",
        (EXPONENTIALS, "exponentials = logits.clamp(-80, 80).exp()"),
        cause="bound|infinite",
    ),
    edit(
        "bounded below",
        "softmax",
        "against −∞",
        (EXPONENTIALS, "logits = logits.clamp(min=-1e4)\n    " + EXPONENTIALS),
        cause="bound",
    ),
    fill(
        "tables only",
        "softmax",
        "columns by a transpose of the first two dimensions",
        """
        if dim not in (-1, logits.dim() - 1):
            return softmax(logits.transpose(0, 1), -1).transpose(0, 1)
        exponentials = (logits - logits.amax(-1, keepdim=True)).exp()
        return exponentials / exponentials.sum(-1, keepdim=True)
        """,
        cause="along dim",
    ),
    edit(
        "always the last",
        "softmax",
        "dim is ignored",
        (LARGEST, "logits.amax(-1, keepdim=True)"),
        ("exponentials.sum(dim, keepdim=True)", "exponentials.sum(-1, keepdim=True)"),
        cause="along dim",
    ),
    edit(
        "always the last largest",
        "softmax",
        "taken off along another dimension",
        (LARGEST, "logits.amax(-1, keepdim=True)"),
        cause="along dim|largest",
    ),
    edit(
        "dimension lost",
        "softmax",
        "broadcasts where rows and columns are as many",
        ("exponentials.sum(dim, keepdim=True)", "exponentials.sum(dim)"),
        cause="dim",
    ),
    edit(
        "sum of everything",
        "softmax",
        "one distribution for all rows",
        ("exponentials.sum(dim, keepdim=True)", "exponentials.sum()"),
        cause="along dim",
    ),
    edit(
        "a little below the line",
        "softmax",
        "against a division by zero that cannot be",
        (SHARES, "return exponentials / (exponentials.sum(dim, keepdim=True) + 1e-8)"),
        cause="added",
    ),
    edit(
        "first dimension by default",
        "softmax",
        "right for vectors",
        ("dim: int = -1", "dim: int = 0"),
        cause="last one",
    ),
    edit(
        "detached",
        "softmax",
        "no gradient",
        (SHARES, SHARES.replace("exponentials /", "exponentials.detach() /")),
        cause="gradient",
    ),
    edit(
        "detached sum",
        "softmax",
        "half a gradient",
        (SHARES, "return exponentials / exponentials.sum(dim, keepdim=True).detach()"),
        cause="detached",
    ),
    edit(
        "in float32",
        "softmax",
        "converted",
        (SHARES, "return (exponentials / exponentials.sum(dim, keepdim=True)).float()"),
        cause="dtype",
    ),
    edit(
        "through float32",
        "softmax",
        "converted, and back",
        (EXPONENTIALS, EXPONENTIALS.replace(".exp()", ".float().exp().to(logits.dtype)")),
        cause="float32",
    ),
    edit(
        "in place",
        "softmax",
        "the caller's logits",
        (EXPONENTIALS, "exponentials = logits.sub_(logits.amax(dim, keepdim=True)).exp()"),
        cause="in place|leaf",
    ),
    # Task 3
    edit(
        "0 times infinity",
        "cross_entropy",
        "ln 0",
        (ENTROPY, "return -(p * p.log()).sum(-1)"),
        cause="0 contributes 0",
    ),
    edit(
        "a little added",
        "cross_entropy",
        "no ln 0, and other digits",
        (ENTROPY, "return -(p * (p + 1e-9).log()).sum(-1)"),
        cause="added",
    ),
    edit(
        "bounded p",
        "cross_entropy",
        "no ln 0, and other digits",
        (ENTROPY, "return -(p * p.clamp(min=1e-6).log()).sum(-1)"),
        cause="bounded",
    ),
    edit(
        "entropy of all rows",
        "cross_entropy",
        "one number",
        (ENTROPY, "return -torch.xlogy(p, p).sum()"),
        cause="entropy of three rows",
    ),
    edit(
        "log of softmax",
        "cross_entropy",
        "underflows",
        (SHIFTED + "\n    " + LOG_Q, "log_q = softmax(logits).log()"),
        cause="logarithm of a softmax",
    ),
    edit(
        "log of a bounded softmax",
        "cross_entropy",
        "no infinity, and no loss",
        (SHIFTED + "\n    " + LOG_Q, "log_q = softmax(logits).clamp(min=1e-12).log()"),
        cause="bound",
    ),
    edit(
        "no shift",
        "cross_entropy",
        "overflows",
        (SHIFTED, "shifted = logits"),
        cause="overflows",
    ),
    edit(
        "softmax twice",
        "cross_entropy",
        "given probabilities",
        (SHIFTED, "shifted = softmax(logits)"),
        cause="twice",
    ),
    edit(
        "sum over rows",
        "cross_entropy",
        "no mean",
        ("costs.sum(-1).mean()", "costs.sum()"),
        cause="sum over the rows",
    ),
    edit(
        "mean over classes",
        "cross_entropy",
        "of all numbers",
        ("costs.sum(-1).mean()", "costs.mean()"),
        cause="classes",
    ),
    edit(
        "mean over the first dimension",
        "cross_entropy",
        "right for a table",
        ("costs.sum(-1).mean()", "costs.sum() / (len(costs) if costs.dim() > 1 else 1)"),
        cause="rows all others",
    ),
    edit(
        "likeliest class only",
        "cross_entropy",
        "right for certain truths",
        (COSTS, "costs = -log_q * torch.nn.functional.one_hot(p.argmax(-1), p.shape[-1])"),
        cause="likeliest",
    ),
    edit(
        "p and q exchanged",
        "cross_entropy",
        "the other way round",
        (COSTS, "costs = -torch.xlogy(log_q.exp(), p)"),
        cause="exchanged",
    ),
    edit(
        "nothing times infinity",
        "cross_entropy",
        "NaN where a class is ruled out",
        (COSTS, "costs = -p * log_q"),
        cause="NaN",
    ),
    edit(
        "sum in the logarithm",
        "cross_entropy",
        "a little added",
        (LOG_Q, LOG_Q.replace(".log()", ".add(1e-8).log()")),
        cause="added",
    ),
    edit(
        "detached",
        "cross_entropy",
        "no gradient",
        (SHIFTED, "shifted = (logits - logits.amax(-1, keepdim=True)).detach()"),
        cause="gradient",
    ),
    edit(
        "detached sum",
        "cross_entropy",
        "half a gradient",
        (LOG_Q, "log_q = shifted - shifted.exp().sum(-1, keepdim=True).log().detach()"),
        cause="detached",
    ),
    edit(
        "right classes only",
        "cross_entropy",
        "no gradient where p is 0",
        (SLOPE, "return (softmax(logits) - p) * (p > 0) / n_rows"),
        cause="p = 0",
    ),
    edit(
        "upside down",
        "cross_entropy",
        "truth minus guess",
        (SLOPE, "return (p - softmax(logits)) / n_rows"),
        cause="upside down",
    ),
    edit(
        "gradient of the sum",
        "cross_entropy",
        "no mean",
        (SLOPE, "return softmax(logits) - p"),
        cause="number of rows",
    ),
    edit(
        "gradient over all numbers",
        "cross_entropy",
        "divided once too often",
        (N_ROWS, "n_rows = logits.numel()"),
        cause="number of classes",
    ),
    edit(
        "rows are the first dimension",
        "cross_entropy",
        "right for a matrix",
        (N_ROWS, "n_rows = len(logits) if logits.dim() > 1 else 1"),
        cause="rows all others",
    ),
    edit(
        "gradient by autograd",
        "cross_entropy",
        "not by hand",
        (
            N_ROWS + "\n    " + SLOPE,
            "logits = logits.detach().clone().requires_grad_()\n"
            "    with torch.enable_grad():\n"
            "        loss = cross_entropy(logits, p)\n"
            "    return torch.autograd.grad(loss, logits)[0]",
        ),
        cause="autograd",
    ),
    edit(
        "gradient with p",
        "cross_entropy",
        "the slope of the logarithm, and not of the softmax",
        (SLOPE, "return -p / softmax(logits) / n_rows"),
        cause="q - p",
    ),
    edit(
        "gradient changes p",
        "cross_entropy",
        "in place",
        (SLOPE, "return p.neg_().add_(softmax(logits)) / n_rows"),
        cause="changed in place",
    ),
    # Task 4
    edit(
        "no bend back",
        "mlp",
        "all neurons open",
        (OPEN, "at_sum = gradient @ w2.T"),
        cause="cut off",
    ),
    edit(
        "open at zero",
        "mlp",
        ">=",
        ("features > 0", "features >= 0"),
        cause="cut off|exactly 0",
    ),
    edit(
        "sums of zero are open",
        "mlp",
        ">=, of the sums",
        ("features > 0", "x @ w1 + b1 >= 0"),
        cause="exactly 0",
    ),
    edit(
        "where the gradient is above zero",
        "mlp",
        "the bend is put on the gradient",
        (OPEN, "at_sum = torch.relu(gradient @ w2.T)"),
        cause="cut off",
    ),
    edit(
        "feature as slope",
        "mlp",
        "the product's rule",
        ("(features > 0)", "features"),
        cause="not the feature itself",
    ),
    edit(
        "bias forgotten in the sum",
        "mlp",
        "open where x W is above zero",
        ("(features > 0)", "(x @ w1 > 0)"),
        cause="bend",
    ),
    edit(
        "sums for features",
        "mlp",
        "before the bend",
        ("features.T @ gradient", "(x @ w1 + b1).T @ gradient"),
        cause="before the bend",
    ),
    edit(
        "mean over the batch",
        "mlp",
        "as if the loss were a mean",
        ("gradient.sum(0)", "gradient.mean(0)"),
        cause="mean",
    ),
    edit(
        "mean for the first bias",
        "mlp",
        "as if the loss were a mean",
        ("at_sum.sum(0)", "at_sum.mean(0)"),
        cause="added up",
    ),
    edit(
        "unbent for the first layer",
        "mlp",
        "the bend is left out for w1 only",
        ("x.T @ at_sum", "x.T @ (gradient @ w2.T)"),
        cause="bend",
    ),
    edit(
        "unbent for the inputs",
        "mlp",
        "the bend is left out for x only",
        ("at_sum @ w1.T", "gradient @ w2.T @ w1.T"),
        cause="bend",
    ),
    edit(
        "reshaped, not transposed",
        "mlp",
        "right for one output",
        ("gradient @ w2.T", "gradient @ w2.reshape(w2.shape[1], w2.shape[0])"),
        cause="arrives at the features",
    ),
    edit(
        "inputs reshaped",
        "mlp",
        "right for one input",
        ("x.T @ at_sum", "x.reshape(x.shape[1], x.shape[0]) @ at_sum"),
        cause="at_w1",
    ),
    edit(
        "shut for all or none",
        "mlp",
        "one mask for the batch",
        ("(features > 0)", "(features > 0).any(0)"),
        cause="each item by itself|cut off|slope",
    ),
    edit(
        "another order",
        "mlp",
        "weights first",
        (
            FIVE,
            "return x.T @ at_sum, at_sum.sum(0), features.T @ gradient, gradient.sum(0), "
            "at_sum @ w1.T",
        ),
        cause="order",
    ),
    edit(
        "a bend at the end",
        "mlp",
        "logits cut off",
        (FORWARD, "return torch.relu(torch.relu(x @ w1 + b1) @ w2 + b2)"),
        cause="no bend behind",
    ),
    edit(
        "no bend",
        "mlp",
        "a line",
        (FORWARD, "return (x @ w1 + b1) @ w2 + b2"),
        cause="bend is missing",
    ),
    edit(
        "detached features",
        "mlp",
        "the first layer learns nothing",
        (FORWARD, "return torch.relu(x @ w1 + b1).detach() @ w2 + b2"),
        cause="autograd",
    ),
    edit(
        "autograd",
        "mlp",
        "not by hand",
        (
            FEATURES + "    " + OPEN + "\n    " + FIVE,
            "inputs = [each.detach().clone().requires_grad_() for each in (x, w1, b1, w2, b2)]\n"
            "    with torch.enable_grad():\n"
            "        logits = mlp(*inputs)\n"
            "    return torch.autograd.grad(logits, inputs, gradient)",
        ),
        cause="autograd",
    ),
    write(
        "features kept",
        "mlp",
        "backward takes those of the last forward pass",
        """
kept = {}


def mlp(x, w1, b1, w2, b2):
    kept["features"] = torch.relu(x @ w1 + b1)
    return kept["features"] @ w2 + b2


def mlp_gradients(x, w1, b1, w2, b2, gradient):
    features = kept.get("features")
    if features is None or features.shape != (len(x), len(b1)):
        features = torch.relu(x @ w1 + b1)
    features = features.detach()
    at_sum = (gradient @ w2.T) * (features > 0)
    return at_sum @ w1.T, x.T @ at_sum, at_sum.sum(0), features.T @ gradient, gradient.sum(0)
        """,
        cause="kept|features|bend",
    ),
    edit(
        "in float32",
        "mlp",
        "a mask of floats",
        ("(features > 0)", "(features > 0).float()"),
        (FEATURES, "features = torch.relu(x.float() @ w1.float() + b1.float()).to(x.dtype)\n"),
        cause="float32",
    ),
    # Task 5
    edit(
        "nothing forgotten",
        "loop",
        "gradients add up",
        (ZERO, ""),
        cause="never called",
    ),
    edit(
        "forgotten before the step",
        "loop",
        "zero_grad after backward",
        (ZERO + BACKWARD, BACKWARD + ZERO),
        cause="between",
    ),
    edit(
        "forgotten once",
        "loop",
        "before the loop",
        ("losses = []", "losses = []\n    optimizer.zero_grad()"),
        (ZERO, ""),
        cause="each of",
    ),
    edit(
        "forgotten after the step",
        "loop",
        "what was left before counts",
        (ZERO, ""),
        (STEP, STEP + ZERO),
        cause="left in .grad",
    ),
    edit(
        "step before backward",
        "loop",
        "the gradient of the batch before",
        (BACKWARD + STEP, STEP + BACKWARD),
        cause="before backward|step",
    ),
    edit(
        "loss after the step",
        "loop",
        "guessed again",
        (KEEP, "losses.append(loss_of(model(inputs), targets).item())"),
        cause="once for each batch|after the steps",
    ),
    edit(
        "tensors",
        "loop",
        "a list that keeps all graphs",
        (KEEP, "losses.append(loss)"),
        cause="item",
    ),
    edit(
        "the last loss",
        "loop",
        "no curve",
        ("return losses", "return losses[-1]"),
        cause="list",
    ),
    edit(
        "the mean loss",
        "loop",
        "no curve",
        ("return losses", "return [sum(losses) / max(1, len(losses))]"),
        cause="three losses",
    ),
    edit(
        "all batches first",
        "loop",
        "a list of them",
        (FOR, "for inputs, targets in list(batches):"),
        cause="taken before",
    ),
    edit(
        "one batch ahead",
        "loop",
        "the next is taken before the step",
        (
            FOR,
            "ahead, batches = [], iter(batches)\n"
            "    while (pair := ahead.pop() if ahead else next(batches, None)) is not None:\n"
            "        inputs, targets = pair\n"
            "        ahead = [found] if (found := next(batches, None)) else []",
        ),
        cause="taken before",
    ),
    fill(
        "next without iter",
        "loop",
        "right for a generator",
        """
        losses = []
        while True:
            try:
                inputs, targets = next(batches)
            except StopIteration:
                return losses
            loss = loss_of(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        """,
        cause="iterator",
    ),
    edit(
        "arguments exchanged",
        "loop",
        "right for a square",
        (GUESS, "loss = loss_of(targets, model(inputs))"),
        cause="guess first",
    ),
    edit(
        "sets the mode",
        "loop",
        "as other loops do",
        (
            "losses = []",
            "losses = []\n    if isinstance(model, torch.nn.Module):\n        model.train()",
        ),
        cause="mode",
    ),
    edit(
        "the model's zero_grad",
        "loop",
        "the loss has a parameter, too",
        (
            ZERO,
            "        if isinstance(model, torch.nn.Module):\n            model.zero_grad()\n"
            "        else:\n            optimizer.zero_grad()\n",
        ),
        cause="optimizer",
    ),
    edit(
        "its own steps",
        "loop",
        "passes the optimizer by: right for plain gradient descent",
        (
            STEP,
            "        for group in optimizer.param_groups:\n"
            "            for each in group['params']:\n"
            "                each.data -= group['lr'] * each.grad\n",
        ),
        cause="optimizer.step",
    ),
    edit(
        "two steps",
        "loop",
        "twice as fast",
        (STEP, STEP + STEP),
        cause="once for each batch",
    ),
    edit(
        "rounded",
        "loop",
        "four digits for the print",
        (KEEP, "losses.append(round(loss.item(), 4))"),
        cause="losses|list of losses",
    ),
    edit(
        "stops when it is good",
        "loop",
        "a small loss ends it",
        (KEEP, KEEP + "\n        if loss < 1e-3:\n            break"),
        cause="end it",
    ),
    edit(
        "stops when it gets worse",
        "loop",
        "a loss that rises ends it",
        (
            KEEP,
            KEEP + "\n        if len(losses) > 1 and losses[-1] > losses[-2]:\n            break",
        ),
        cause="losses in a list",
    ),
    # Task 6
    edit(
        "biases added",
        "one_layer",
        "as if they went through nothing",
        ("bias @ next_weight + next_bias", "bias.sum() + next_bias"),
        cause="go through",
    ),
    edit(
        "last bias",
        "one_layer",
        "the others are forgotten",
        ("bias @ next_weight + next_bias", "next_bias"),
        cause="each bias",
    ),
    edit(
        "first bias goes through all",
        "one_layer",
        "those between are forgotten",
        ("bias @ next_weight + next_bias", "bias @ next_weight"),
        cause="each bias",
    ),
    edit(
        "bias through the product",
        "one_layer",
        "the weight so far, and not the next: right for equal widths only",
        (
            BOTH,
            "weight = weight @ next_weight\n"
            "        through = weight if weight.shape[0] == len(bias) else next_weight\n"
            "        bias = bias @ through + next_bias",
        ),
        cause="each bias",
    ),
    edit(
        "other order",
        "one_layer",
        "where the shapes allow it",
        (
            "weight @ next_weight,",
            "(next_weight @ weight if weight.shape == next_weight.T.shape and "
            "weight.shape[0] == weight.shape[1] else weight @ next_weight),",
        ),
        cause="order",
    ),
    edit(
        "two layers only",
        "one_layer",
        "the formula of the chapter",
        (LAYERS, "for next_weight, next_bias in zip(weights[1:2], biases[1:2], strict=True):"),
        cause="shape|each bias|weight",
    ),
    edit(
        "a bend between",
        "one_layer",
        "relu kept",
        ("bias @ next_weight + next_bias", "torch.relu(bias) @ next_weight + next_bias"),
        cause="each bias",
    ),
    edit(
        "weights bent",
        "one_layer",
        "relu of the matrices",
        ("weight @ next_weight,", "torch.relu(weight) @ next_weight,"),
        cause="bend",
    ),
    fill(
        "never one layer",
        "one_layer",
        "multi_dot wants two matrices",
        """
        bias = biases[0]
        for next_weight, next_bias in zip(weights[1:], biases[1:]):
            bias = bias @ next_weight + next_bias
        return torch.linalg.multi_dot(weights), bias
        """,
        cause="one layer alone",
    ),
    edit(
        "adds in place",
        "one_layer",
        "the first bias is the caller's",
        (
            BOTH,
            "weight = weight @ next_weight\n"
            "        if next_bias.shape == bias.shape:\n"
            "            bias.copy_(bias @ next_weight + next_bias)\n"
            "        else:\n"
            "            bias = bias @ next_weight + next_bias",
        ),
        cause="in place|bias",
    ),
    fill(
        "pops the lists",
        "one_layer",
        "the caller's",
        """
        weight, bias = weights.pop(0), biases.pop(0)
        while weights:
            next_weight, next_bias = weights.pop(0), biases.pop(0)
            weight, bias = weight @ next_weight, bias @ next_weight + next_bias
        return weight, bias
        """,
        cause="changed in place",
    ),
    fill(
        "writes into the list",
        "one_layer",
        "the first place holds what is joined so far",
        """
        for k in range(1, len(weights)):
            weights[0], biases[0] = weights[0] @ weights[k], biases[0] @ weights[k] + biases[k]
        return weights[0], biases[0]
        """,
        cause="changed in place",
    ),
    fill(
        "an identity of float32",
        "one_layer",
        "what the layers do to it",
        """
        x = torch.cat([torch.zeros(1, len(weights[0])), torch.eye(len(weights[0]))])
        for weight, bias in zip(weights, biases):
            x = x @ weight + bias
        return x[1:] - x[0], x[0]
        """,
        cause="float64",
    ),
    edit(
        "in float32",
        "one_layer",
        "converted",
        ("return weight, bias", "return weight.float(), bias.float()"),
        cause="dtype",
    ),
    # Task 7
    edit(
        "one round",
        "k_means",
        "no more",
        (WHILE, "while before is None:"),
        cause="until a round",
    ),
    edit(
        "ten rounds",
        "k_means",
        "enough for most",
        (WHILE, "for _ in range(10):"),
        cause="twenty rounds",
    ),
    edit(
        "empty ones at zero",
        "k_means",
        "NaN made zero",
        ("own.mean(0) if len(own) else center", "own.mean(0) if len(own) else 0 * center"),
        cause="nobody joins|stays",
    ),
    edit(
        "empty ones dropped",
        "k_means",
        "other numbers",
        (CENTERS, "centers = torch.stack([own.mean(0) for own, center in pairs if len(own)])"),
        cause="nobody joins|left out",
    ),
    fill(
        "mean of nothing",
        "k_means",
        "NaN; a hundred rounds",
        """
        for _ in range(100):
            groups = torch.cdist(points, centers).argmin(1)
            centers = torch.stack([points[groups == k].mean(0) for k in range(len(centers))])
        return groups, centers
        """,
        cause="no points",
    ),
    fill(
        "as many as are in use",
        "k_means",
        "centers behind the last one that somebody joins are lost",
        """
        groups, before = torch.cdist(points, centers).argmin(1), None
        while before is None or not torch.equal(groups, before):
            moved = []
            for k in range(int(groups.max()) + 1):
                own = points[groups == k]
                moved.append(own.mean(0) if len(own) else centers[k])
            centers = torch.stack(moved)
            groups, before = torch.cdist(points, centers).argmin(1), groups
        return groups, centers
        """,
        cause="left out",
    ),
    edit(
        "sets a seed",
        "k_means",
        "as it stands at the top of every notebook",
        (
            "argmin(1), None\n",
            "argmin(1), None\n    torch.manual_seed(0)\n",
        ),
        cause="generator",
    ),
    edit(
        "sum of differences",
        "k_means",
        "another distance",
        (
            "groups, before = torch.cdist(points, centers).argmin(1), groups",
            "groups, before = torch.cdist(points, centers, p=1).argmin(1), groups",
        ),
        (
            "groups, before = torch.cdist(points, centers).argmin(1), None",
            "groups, before = torch.cdist(points, centers, p=1).argmin(1), None",
        ),
        cause="usual distance|nearest",
    ),
    edit(
        "median",
        "k_means",
        "the middle one",
        ("own.mean(0)", "own.median(0).values"),
        cause="mean",
    ),
    edit(
        "mean of all numbers",
        "k_means",
        "right for one",
        ("own.mean(0) if len(own)", "own.mean() + 0 * center if len(own)"),
        cause="mean|nearest|Two on the left",
    ),
    edit(
        "between the extremes",
        "k_means",
        "the middle of smallest and largest",
        ("own.mean(0)", "(own.amin(0) + own.amax(0)) / 2"),
        cause="mean|nearest",
    ),
    edit(
        "where they started",
        "k_means",
        "the centers of the arguments",
        (
            "groups, before = torch.cdist(points, centers).argmin(1), None",
            "start = centers\n    groups, before = torch.cdist(points, centers).argmin(1), None",
        ),
        ("return groups, centers", "return groups, start"),
        cause="not the means",
    ),
    fill(
        "moves the caller's centers",
        "k_means",
        "in place",
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
        cause="changed in place",
    ),
    *frozen(
        "neurons",
        4,
        {
            "up to three leading dimensions": "shape",
            "the gradient changed in place for one item": "changed in place",
            "the output of the forward pass is kept": "kept",
            "autograd for neuron with the inference mode switched off": "autograd",
            "grad_and_value for neuron": "autograd",
            "a view of x": "view",
            "flat behind a threshold": "wrong",
            "the ruled-out class is overwritten": "changed in place",
            "minus infinity is minus a billion": "−∞",
            "remembered by its numbers": "kept",
            "the largest added back": "digits",
            "minus infinity replaced in the argument": "changed in place",
            "autograd for cross_entropy with the inference mode switched off": "autograd",
            "grad_and_value for cross_entropy": "autograd",
            "p made to sum to 1, in place": "changed in place",
            "open from a millionth on": "1e-9",
            "autograd for mlp with the inference mode switched off": "autograd",
            "grad_and_value for mlp": "autograd",
            "written into the gradient where F equals K": "changed in place",
            "no step without a loss": "momentum",
            "bad batches are skipped": "stands in the list",
            "a tuple of inputs is unpacked": "tuple",
            "a seed for the sake of repetition": "generator",
            "always the same list": "belong to that call",
            "gradients are switched on for good": "must not get one",
            "remembered by the sizes": "kept",
            "a layer is looked up by itself": "the same matrix",
            "a hundred rounds at most": "rounds",
            "until the centers hardly move": "hardly move",
            "an empty center goes home": "stays where it is",
            "distances of float32": "float32",
            "equal points count once": "each of them counts",
        },
    ),
    *frozen("neurons", 5, {"k_means: squares of numbers far from zero": "large numbers"}),
]

RIGHT = [
    fill(
        "sums of products",
        "neuron",
        "no matrix product",
        "return ((x * weights).sum(-1) + bias).tanh()",
        """
        z = (x * weights).sum(-1) + bias
        at_bias = gradient - gradient * z.tanh() ** 2
        at_x = at_bias.unsqueeze(-1) * weights
        at_weights = at_bias.unsqueeze(-1) * x
        while at_weights.dim() > 1:
            at_weights = at_weights.sum(0)
        return at_x, at_weights, at_bias.sum()
        """,
    ),
    fill(
        "einsum",
        "neuron",
        "indices spelled out; a list",
        "return torch.tanh(torch.einsum('...c,c->...', x, weights) + bias)",
        """
        slope = 1 - neuron(x, weights, bias).square()
        d = gradient * slope
        return [
            torch.einsum("...,c->...c", d, weights),
            torch.einsum("...c,...->c", x, d),
            d.sum(),
        ]
        """,
    ),
    fill(
        "twice a sigmoid",
        "neuron",
        "tanh(z) = 2 σ(2z) − 1, and its slope 4 σ (1 − σ)",
        "return 2 * torch.sigmoid(2 * (x @ weights + bias)) - 1",
        """
        s = torch.sigmoid(2 * (x @ weights + bias))
        d = 4 * s * (1 - s) * gradient
        flat, rows = d.flatten(), x.reshape(-1, len(weights))
        return torch.outer(flat, weights).view(x.shape), flat @ rows, flat.sum()
        """,
    ),
    fill(
        "max and its values",
        "softmax",
        "detached, with log",
        """
        largest = logits.detach().max(dim, keepdim=True).values
        shifted = logits - largest
        return (shifted - shifted.exp().sum(dim, keepdim=True).log()).exp()
        """,
    ),
    fill(
        "the last dimension",
        "softmax",
        "moved there and back",
        """
        rows = logits.movedim(dim, -1)
        e = torch.exp(rows - rows.max(-1)[0].unsqueeze(-1))
        return e.div(e.sum(-1).unsqueeze(-1)).movedim(-1, dim)
        """,
    ),
    fill(
        "one over the sum of differences",
        "softmax",
        "each against all others",
        """
        largest = torch.amax(logits, dim=dim, keepdim=True)
        powers = torch.pow(math.e, logits.double() - largest.double())
        return (powers / torch.sum(powers, dim=dim, keepdim=True)).to(logits.dtype)
        """,
    ),
    fill(
        "masked surprise",
        "cross_entropy",
        "zeros chosen, logits with finite numbers",
        """
        log_p = torch.where(p == 0, 1.0, p).log()
        return (-p * log_p).sum(dim=-1)
        """,
        """
        z = logits.masked_fill(p == 0, 0.0)
        largest = logits.max(-1, keepdim=True)[0].detach()
        total = (logits - largest).exp().sum(-1).log()
        return (p.sum(-1) * total - (p * (z - largest)).sum(-1)).mean()
        """,
        """
        e = (logits - logits.max(-1, keepdim=True)[0]).exp()
        q = e / e.sum(-1, keepdim=True)
        return (q - p) / p[..., 0].numel()
        """,
    ),
    fill(
        "one loop over rows",
        "cross_entropy",
        "row by row, special.entr",
        "return torch.special.entr(p).sum(-1)",
        """
        losses = []
        for z, truth in zip(logits.reshape(-1, logits.shape[-1]), p.reshape(-1, p.shape[-1])):
            z = z - z.max()
            surprise = z.exp().sum().log() - z
            losses.append((truth[truth > 0] * surprise[truth > 0]).sum())
        return torch.stack(losses).mean()
        """,
        """
        gradient = softmax(logits, -1) - p
        return gradient / max(1, math.prod(logits.shape[:-1]))
        """,
    ),
    fill(
        "nan_to_num",
        "cross_entropy",
        "a product of 0 and −∞, made 0 before it is one",
        "return -(p * p.clamp(min=torch.finfo(p.dtype).tiny).log()).sum(-1)",
        """
        log_q = logits - logits.amax(-1, keepdim=True).detach()
        log_q = log_q - torch.log(torch.exp(log_q).sum(-1, keepdim=True))
        log_q = torch.where(p == 0, torch.zeros_like(log_q), log_q)
        return -torch.einsum("nv,nv->", *(a.reshape(-1, a.shape[-1]) for a in (p, log_q))) / max(
            1, p.numel() // p.shape[-1]
        )
        """,
        "return softmax(logits) / (p.numel() / p.shape[-1]) - p / (p.numel() / p.shape[-1])",
    ),
    fill(
        "clamped sums",
        "mlp",
        "addmm, where, a list",
        "return torch.addmm(b2, torch.addmm(b1, x, w1).clamp(min=0), w2)",
        """
        sums = torch.addmm(b1, x, w1)
        at_features = torch.mm(gradient, w2.t())
        at_sums = torch.where(sums > 0, at_features, torch.zeros_like(at_features))
        at_w2 = sums.clamp(min=0).t() @ gradient
        return [at_sums @ w1.t(), x.t() @ at_sums, at_sums.sum(0), at_w2, gradient.sum(0)]
        """,
    ),
    fill(
        "item by item",
        "mlp",
        "outer products, added up",
        "return torch.stack([torch.relu(one @ w1 + b1) @ w2 + b2 for one in x])",
        """
        rows, at_w1, at_b1 = [], torch.zeros_like(w1), torch.zeros_like(b1)
        at_w2, at_b2 = torch.zeros_like(w2), torch.zeros_like(b2)
        for one, upstream in zip(x, gradient):
            h = torch.relu(one @ w1 + b1)
            d = w2 @ upstream
            d[h <= 0] = 0
            rows.append(w1 @ d)
            at_w1 += torch.outer(one, d)
            at_b1 += d
            at_w2 += torch.outer(h, upstream)
            at_b2 += upstream
        return torch.stack(rows), at_w1, at_b1, at_w2, at_b2
        """,
    ),
    fill(
        "einsum and sign",
        "mlp",
        "max with 0; the slope as a sign",
        """
        h = torch.maximum(torch.einsum("bc,cf->bf", x, w1) + b1, torch.zeros((), dtype=x.dtype))
        return torch.einsum("bf,fk->bk", h, w2) + b2
        """,
        """
        h = torch.maximum(x @ w1 + b1, torch.zeros((), dtype=x.dtype))
        d = torch.einsum("bk,fk,bf->bf", gradient, w2, torch.sign(h))
        return (
            torch.einsum("bf,cf->bc", d, w1),
            torch.einsum("bc,bf->cf", x, d),
            torch.einsum("bf->f", d),
            torch.einsum("bf,bk->fk", h, gradient),
            torch.einsum("bk->k", gradient),
        )
        """,
    ),
    fill(
        "forgets first",
        "loop",
        "float(), pairs by number",
        """
        curve = []
        for batch in batches:
            optimizer.zero_grad()
            guess = model(batch[0])
            loss = loss_of(guess, batch[1])
            curve += [float(loss)]
            loss.backward()
            optimizer.step()
        return curve
        """,
    ),
    fill(
        "with next",
        "loop",
        "an iterator by hand; forgets before and after",
        """
        losses, rest = [], iter(batches)
        optimizer.zero_grad()
        while True:
            try:
                inputs, targets = next(rest)
            except StopIteration:
                return losses
            loss = loss_of(model(inputs), targets)
            torch.autograd.backward(loss)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.detach().item())
        """,
    ),
    fill(
        "a generator of losses",
        "loop",
        "list() of it",
        """
        def learned():
            for inputs, targets in batches:
                loss = loss_of(model(inputs), targets)
                for group in optimizer.param_groups:
                    for parameter in group["params"]:
                        parameter.grad = None
                loss.backward()
                optimizer.step()
                yield loss.item()

        return list(learned())
        """,
    ),
    fill(
        "one more column",
        "one_layer",
        "the bias as a row of the matrix",
        """
        whole = torch.cat([weights[0], biases[0][None]])
        for weight, bias in zip(weights[1:], biases[1:]):
            whole = whole @ weight
            whole[-1] += bias
        return whole[:-1], whole[-1]
        """,
    ),
    fill(
        "what the layers do",
        "one_layer",
        "zeros in, then the rows of an identity",
        """
        def through(x):
            for weight, bias in zip(weights, biases):
                x = x @ weight + bias
            return x

        like = {"dtype": weights[0].dtype}
        bias = through(torch.zeros(len(weights[0]), **like))
        return through(torch.eye(len(weights[0]), **like)) - bias, bias
        """,
    ),
    fill(
        "from behind",
        "one_layer",
        "the last layer first",
        """
        weight, bias = weights[-1], biases[-1]
        for before, its_bias in zip(reversed(weights[:-1]), reversed(biases[:-1])):
            bias = its_bias @ weight + bias
            weight = before @ weight
        return weight, bias
        """,
    ),
    fill(
        "squares, and a product with ones",
        "k_means",
        "broadcasting; sums by one-hot",
        """
        groups = None
        while True:
            gaps = ((points[:, None, :] - centers[None, :, :]) ** 2).sum(dim=2)
            found = gaps.argmin(dim=1)
            if groups is not None and bool((found == groups).all()):
                return groups, centers
            groups = found
            members = torch.nn.functional.one_hot(groups, len(centers)).to(points.dtype)
            count = members.sum(0)[:, None]
            means = (members.T @ points) / count.clamp(min=1)
            centers = torch.where(count > 0, means, centers)
        """,
    ),
    fill(
        "point by point",
        "k_means",
        "lists, norm",
        """
        places = [center.clone() for center in centers]
        groups = []
        while True:
            found = []
            for point in points:
                lengths = [(point - place).norm().item() for place in places]
                found.append(lengths.index(min(lengths)))
            if found == groups:
                return torch.tensor(groups), torch.stack(places)
            groups = found
            for k in range(len(places)):
                own = [point for point, group in zip(points, groups) if group == k]
                if own:
                    places[k] = sum(own) / len(own)
        """,
    ),
    fill(
        "index_add",
        "k_means",
        "a copy that moves, bincount",
        """
        centers, n = centers.clone(), len(centers)
        groups = torch.full((len(points),), -1)
        while True:
            new = torch.stack([(points - c).pow(2).sum(1) for c in centers], 1).min(1).indices
            if torch.equal(new, groups):
                break
            groups = new
            sums = torch.zeros_like(centers).index_add(0, groups, points)
            count = groups.bincount(minlength=n)
            there = count > 0
            centers[there] = sums[there] / count[there, None]
        return groups, centers
        """,
    ),
]
