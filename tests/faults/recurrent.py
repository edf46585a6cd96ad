"""Answers to the assignment `recurrent`: plausible and wrong, or right in another style."""

from . import edit, fill, write

STEP = "F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)"
RNN = f"torch.tanh({STEP})"
WAIT = "tuple(torch.where(real, n, o) for n, o in zip(new, state, strict=True))"
RATIO = "(gradient[:, 0].norm() / gradient[:, -1].norm()).item()"
NORM = "math.sqrt(sum(g.square().sum().item() for g in gradients))"
GATES = "input_gate, forget_gate, candidate, output_gate = gates"
SUM = "forget_gate.sigmoid() * cell_state + input_gate.sigmoid() * candidate.tanh()"
SHOWN = "output_gate.sigmoid() * cell_state.tanh(), cell_state"
CANDIDATE = "torch.tanh(from_x[2] + reset * from_hidden[2])"
LAST_BIAS = "b_hidden.chunk(3)[2]"
AVERAGE = "update * hidden + (1 - update) * candidate"
UNIFORM = "torch.empty(shape).uniform_(-bound, bound)"
SET_INPUT = "b_input[d_hidden : 2 * d_hidden] = forget_bias"
SET_HIDDEN = "b_hidden[d_hidden : 2 * d_hidden] = 0.0"
READ = "_, (hidden, _) = run(step, x, (zeros, zeros), mask)"
CELL_CALL = "lstm_step(x_t, state, into.weight, back.weight, into.bias, back.bias)"

WRONG = [
    # Task 1
    edit("no tanh", "rnn_step", "a linear network", (RNN, STEP)),
    edit(
        "one bias forgotten",
        "rnn_step",
        "they are only added",
        ("w_hidden, b_hidden)", "w_hidden)"),
    ),
    edit(
        "weights not transposed",
        "rnn_step",
        "shapes fit for the state alone",
        ("F.linear(hidden, w_hidden, b_hidden)", "(hidden @ w_hidden + b_hidden)"),
    ),
    edit(
        "two tanh", "rnn_step", "each product its own", (RNN, RNN.replace(" + ", ") + torch.tanh("))
    ),
    edit(
        "state detached",
        "rnn_step",
        "no way back",
        ("F.linear(hidden,", "F.linear(hidden.detach(),"),
    ),
    edit(
        "changes the state",
        "rnn_step",
        "in place",
        (f"return {RNN}", f"hidden[:] = {RNN}\n    return hidden"),
    ),
    edit("sigmoid", "rnn_step", "a gate for a state", (RNN, f"torch.sigmoid({STEP})")),
    edit(
        "inputs detached",
        "rnn_step",
        "no way to the embedding",
        ("F.linear(x,", "F.linear(x.detach(),"),
    ),
    # Task 2
    edit(
        "mask ignored",
        "run",
        "padding is read",
        (WAIT, "new"),
    ),
    edit(
        "outputs at padding",
        "run",
        "the state that waits is shown",
        ("state[0] * real", "state[0]"),
    ),
    edit(
        "only the first tensor waits",
        "run",
        "an LSTM's cell state reads padding",
        (WAIT, "(torch.where(real, new[0], state[0]), *new[1:])"),
    ),
    edit(
        "state set to zero at padding",
        "run",
        "multiplied by the mask",
        (WAIT, "tuple(n * real for n in new)"),
    ),
    fill(
        "padding at the end only",
        "run",
        "counts the real tokens, and looks there",
        """
        outputs, states = [], []
        for t in range(x.shape[1]):
            state = step(x[:, t], state)
            outputs.append(state[0])
            states.append(state)
        outputs = torch.stack(outputs, 1)
        if mask is None:
            return outputs, state
        last = (mask.sum(1) - 1).clamp(min=0)
        items = torch.arange(len(x))
        state = tuple(torch.stack(part, 1)[items, last] for part in zip(*states))
        return outputs * mask[..., None], state
        """,
    ),
    edit(
        "waits only if all wait",
        "run",
        "an if for the whole batch",
        ("real = mask[:, t, None]", "real = mask[:, t, None].any().expand(len(x), 1)"),
    ),
    edit(
        "starts from zeros",
        "run",
        "forgets the state that was given",
        (
            "    outputs = []\n",
            "    outputs = []\n    state = tuple(torch.zeros_like(s) for s in state)\n",
        ),
    ),
    edit(
        "each step from the start",
        "run",
        "the state is not carried",
        ("new = step(x[:, t], state)", "new = step(x[:, t], first)"),
        ("    outputs = []\n", "    outputs, first = [], state\n"),
    ),
    edit(
        "cut at each step",
        "run",
        "detached, to save memory",
        ("new = step(x[:, t], state)", "new = step(x[:, t], tuple(s.detach() for s in state))"),
    ),
    edit(
        "last output for last state",
        "run",
        "zero where the text was padded",
        (
            "return torch.stack(outputs, 1), state",
            "return torch.stack(outputs, 1), (outputs[-1], *state[1:])",
        ),
    ),
    # Task 3
    edit(
        "upside down",
        "gradient_ratio",
        "last over first",
        (RATIO, RATIO.replace("0]", "K]").replace("-1]", "0]").replace("K]", "-1]")),
    ),
    edit(
        "all outputs",
        "gradient_ratio",
        "each input reaches many",
        ("[:, -1].sum(), x", ".sum(), x"),
    ),
    edit(
        "mean of ratios",
        "gradient_ratio",
        "item by item",
        (RATIO, "(gradient[:, 0].norm(dim=-1) / gradient[:, -1].norm(dim=-1)).mean().item()"),
    ),
    edit(
        "sums for norms",
        "gradient_ratio",
        "signs cancel",
        (RATIO, "(gradient[:, 0].sum() / gradient[:, -1].sum()).item()"),
    ),
    edit(
        "largest number",
        "gradient_ratio",
        "another norm",
        (RATIO, RATIO.replace("norm()", "abs().max()")),
    ),
    edit(
        "first item alone",
        "gradient_ratio",
        "a batch of one",
        (RATIO, RATIO.replace("[:, ", "[0, ")),
    ),
    fill(
        "backward",
        "gradient_ratio",
        "fills the parameters' .grad",
        """
        x = x.detach().clone().requires_grad_()
        layer(x)[:, -1].sum().backward()
        return (x.grad[:, 0].norm() / x.grad[:, -1].norm()).item()
        """,
    ),
    fill(
        "asks x itself",
        "gradient_ratio",
        "requires_grad stays behind",
        """
        x.requires_grad_()
        (gradient,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
        return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
        """,
    ),
    edit(
        "squares for the sum",
        "gradient_ratio",
        "a loss, as one would train with",
        ("[:, -1].sum()", "[:, -1].square().sum()"),
    ),
    # Task 4
    fill(
        "one by one",
        "clip",
        "each parameter by itself",
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = math.sqrt(sum(g.square().sum().item() for g in gradients))
        for gradient in gradients:
            if gradient.norm() > max_norm:
                gradient.mul_(max_norm / gradient.norm())
        return norm
        """,
    ),
    edit("norms added", "clip", "3 + 4 = 7", (NORM, "sum(g.norm().item() for g in gradients)")),
    edit("always scaled", "clip", "short ones grow", ("if norm > max_norm:", "if norm > 0:")),
    edit(
        "no look at zero",
        "clip",
        "0 / 0",
        ("if norm > max_norm:", "if True:"),
        ("max_norm / norm)", "min(1.0, max_norm / norm))"),
    ),
    edit(
        "clipped by value",
        "clip",
        "each number to ±c",
        ("gradient.mul_(max_norm / norm)", "gradient.clamp_(-max_norm, max_norm)"),
    ),
    edit(
        "a new tensor",
        "clip",
        "nobody sees it",
        ("gradient.mul_(max_norm / norm)", "gradient = gradient * (max_norm / norm)"),
    ),
    edit(
        "the norm after",
        "clip",
        "of what is left",
        ("    return norm", "    return min(norm, max_norm)"),
    ),
    fill(
        "walks twice",
        "clip",
        "a generator is empty the second time",
        """
        squares = [p.grad.square().sum().item() for p in parameters if p.grad is not None]
        norm = math.sqrt(sum(squares))
        if norm > max_norm:
            for p in parameters:
                if p.grad is not None:
                    p.grad.mul_(max_norm / norm)
        return norm
        """,
    ),
    fill(
        "needs every gradient",
        "clip",
        "None has no norm",
        """
        gradients = [p.grad for p in parameters]
        norm = math.sqrt(sum(g.square().sum().item() for g in gradients))
        if norm > max_norm:
            for gradient in gradients:
                gradient.mul_(max_norm / norm)
        return norm
        """,
    ),
    # Task 5
    edit(
        "input, forget, output, candidate",
        "lstm_step",
        "another library's order",
        (
            "input_gate, forget_gate, candidate, output_gate = gates",
            "input_gate, forget_gate, output_gate, candidate = gates",
        ),
    ),
    edit(
        "forget first",
        "lstm_step",
        "the equation's order",
        (
            "input_gate, forget_gate, candidate, output_gate = gates",
            "forget_gate, input_gate, candidate, output_gate = gates",
        ),
    ),
    edit("candidate without tanh", "lstm_step", "unbounded", ("candidate.tanh()", "candidate")),
    edit(
        "cell state without tanh",
        "lstm_step",
        "shown as it is",
        (SHOWN, "output_gate.sigmoid() * cell_state, cell_state"),
    ),
    edit("cell state squashed", "lstm_step", "rewritten at each step", (SUM, f"torch.tanh({SUM})")),
    edit(
        "one bias forgotten",
        "lstm_step",
        "they are only added",
        ("w_hidden, b_hidden)", "w_hidden)"),
    ),
    edit(
        "a bias twice", "lstm_step", "the same one", ("w_hidden, b_hidden)", "w_hidden, b_input)")
    ),
    edit(
        "blocks interleaved",
        "lstm_step",
        "every fourth number",
        ("gates.chunk(4, dim=-1)", "gates.unflatten(-1, (-1, 4)).unbind(-1)"),
    ),
    edit(
        "cell state first", "lstm_step", "c before h", (SHOWN, f"cell_state, {SHOWN.split(',')[0]}")
    ),
    edit(
        "forgets hidden",
        "lstm_step",
        "the other vector",
        ("forget_gate.sigmoid() * cell_state", "forget_gate.sigmoid() * hidden"),
    ),
    edit(
        "cell state detached",
        "lstm_step",
        "the way back is cut",
        ("forget_gate.sigmoid() * cell_state", "forget_gate.sigmoid() * cell_state.detach()"),
    ),
    edit(
        "gates from the cell state",
        "lstm_step",
        "the wrong part of the state",
        ("F.linear(hidden,", "F.linear(cell_state,"),
    ),
    edit(
        "input and forget gate coupled",
        "lstm_step",
        "1 − f, as in a GRU",
        ("input_gate.sigmoid()", "(1 - forget_gate.sigmoid())"),
    ),
    edit(
        "in place",
        "lstm_step",
        "changes the cell state that it got",
        (
            f"cell_state = {SUM}",
            "cell_state *= forget_gate.sigmoid()\n"
            "    cell_state += input_gate.sigmoid() * candidate.tanh()",
        ),
    ),
    edit(
        "hidden detached",
        "lstm_step",
        "gates do not learn from the past",
        ("F.linear(hidden,", "F.linear(hidden.detach(),"),
    ),
    edit(
        "inputs detached",
        "lstm_step",
        "no way to the embedding",
        ("F.linear(x,", "F.linear(x.detach(),"),
    ),
    # Task 6
    edit(
        "reset before",
        "gru_step",
        "as published, not as in torch",
        (
            CANDIDATE,
            f"torch.tanh(from_x[2] + F.linear(reset * hidden, w_hidden.chunk(3)[2], {LAST_BIAS}))",
        ),
    ),
    edit(
        "bias outside the reset",
        "gru_step",
        "b_hidden not reached",
        (
            CANDIDATE,
            f"torch.tanh(from_x[2] + reset * (from_hidden[2] - {LAST_BIAS}) + {LAST_BIAS})",
        ),
    ),
    edit(
        "no reset",
        "gru_step",
        "everything seen",
        (CANDIDATE, "torch.tanh(from_x[2] + from_hidden[2])"),
    ),
    edit(
        "update upside down",
        "gru_step",
        "1 − z keeps",
        (AVERAGE, "(1 - update) * hidden + update * candidate"),
    ),
    edit(
        "update before reset",
        "gru_step",
        "the first two blocks swapped",
        ("from_x[0] + from_hidden[0]", "from_x[1] + from_hidden[K]"),
        ("torch.sigmoid(from_x[1] + from_hidden[1])", "torch.sigmoid(from_x[0] + from_hidden[0])"),
        ("from_hidden[K]", "from_hidden[1]"),
    ),
    edit(
        "resets both",
        "gru_step",
        "the input as well",
        (CANDIDATE, "torch.tanh(reset * (from_x[2] + from_hidden[2]))"),
    ),
    edit(
        "gates from x alone",
        "gru_step",
        "the state has no say",
        ("from_x[1] + from_hidden[1]", "from_x[1]"),
    ),
    edit(
        "hidden detached",
        "gru_step",
        "kept, but not differentiated",
        (AVERAGE, AVERAGE.replace("hidden", "hidden.detach()")),
    ),
    edit(
        "update detached",
        "gru_step",
        "a gate that never learns",
        (AVERAGE, AVERAGE.replace("(1 - update)", "(1 - update.detach())")),
    ),
    edit(
        "old state detached",
        "gru_step",
        "the direct way back is cut",
        (AVERAGE, AVERAGE.replace("update * hidden +", "update * hidden.detach() +")),
    ),
    # Task 7
    edit(
        "one of two biases",
        "initial_parameters",
        "the other stays random",
        (f"    {SET_HIDDEN}\n", ""),
    ),
    edit(
        "both biases",
        "initial_parameters",
        "counted twice",
        (SET_HIDDEN, SET_HIDDEN.replace("0.0", "forget_bias")),
    ),
    edit(
        "the input gate",
        "initial_parameters",
        "the first block",
        (SET_INPUT, SET_INPUT.replace("d_hidden : 2 * d_hidden", ":d_hidden")),
        (SET_HIDDEN, SET_HIDDEN.replace("d_hidden : 2 * d_hidden", ":d_hidden")),
    ),
    edit(
        "all other biases zero",
        "initial_parameters",
        "as in another library",
        (SET_INPUT, f"b_input.zero_()\n    b_hidden.zero_()\n    {SET_INPUT}"),
    ),
    edit(
        "bound of the inputs",
        "initial_parameters",
        "√C for √N",
        ("math.sqrt(d_hidden)", "math.sqrt(d_input)"),
    ),
    edit(
        "normal",
        "initial_parameters",
        "the same spread, no bound",
        (UNIFORM, "torch.randn(shape) * bound / math.sqrt(3)"),
    ),
    edit(
        "positive only", "initial_parameters", "torch.rand", (UNIFORM, "torch.rand(shape) * bound")
    ),
    edit(
        "a fixed seed",
        "initial_parameters",
        "so that it comes out again",
        ("    bound =", "    torch.manual_seed(0)\n    bound ="),
    ),
    edit(
        "added to random biases",
        "initial_parameters",
        "right on average",
        (SET_INPUT, SET_INPUT.replace("] =", "] +=")),
        (f"    {SET_HIDDEN}\n", ""),
    ),
    edit(
        "bound 1/N",
        "initial_parameters",
        "the root forgotten",
        ("bound = 1 / math.sqrt(d_hidden)", "bound = 1 / d_hidden"),
    ),
    # Task 8
    edit(
        "padding is read",
        "classifier",
        "None for a length is enough",
        (READ, READ.replace(", mask", "")),
    ),
    edit(
        "last output",
        "classifier",
        "of the longest text",
        (READ, "outputs, _ = run(step, x, (zeros, zeros))\n        hidden = outputs[:, -1]"),
    ),
    edit(
        "output at the last real place",
        "classifier",
        "counts tokens, so padding must stand at the end",
        (
            READ,
            "outputs, _ = run(step, x, (zeros, zeros))\n"
            "        last = ids.shape[1] if mask is None else mask.sum(1)\n"
            "        hidden = outputs[torch.arange(len(ids)), last - 1]",
        ),
    ),
    edit(
        "probabilities",
        "classifier",
        "softmax twice, with the loss",
        ("self.head(hidden)\n", "self.head(hidden).softmax(-1)\n"),
    ),
    edit(
        "classes as hidden units",
        "classifier",
        "the LSTM is as wide as the number of classes",
        ("nn.Linear(d_embedding, 4 * d_hidden)", "nn.Linear(d_embedding, 4 * n_classes)"),
        ("nn.Linear(d_hidden, 4 * d_hidden)", "nn.Linear(n_classes, 4 * n_classes)"),
        ("nn.Linear(d_hidden, n_classes)", "nn.Linear(n_classes, n_classes)"),
    ),
    edit(
        "ids as numbers",
        "classifier",
        "no embedding in use",
        (
            "x = self.embedding(ids)",
            "x = ids[..., None].to(into.weight.dtype).expand(-1, -1, into.in_features)",
        ),
    ),
    edit(
        "mean of the outputs",
        "classifier",
        "a summary, but not the last state",
        (
            READ,
            "outputs, _ = run(step, x, (zeros, zeros), mask)\n"
            "        n_words = ids.shape[1] if mask is None else mask.sum(1, keepdim=True)\n"
            "        hidden = outputs.sum(1) / n_words",
        ),
    ),
    edit(
        "shows the cell state",
        "classifier",
        "the second of the two",
        (READ, READ.replace("(hidden, _)", "(_, hidden)")),
    ),
    edit(
        "padding zeroed, not skipped",
        "classifier",
        "its vectors are 0, the steps go on",
        (
            READ,
            "x = x if mask is None else x * mask[..., None]\n        " + READ.replace(", mask", ""),
        ),
    ),
    edit(
        "frozen embedding",
        "classifier",
        "never learns",
        ("x = self.embedding(ids)", "x = self.embedding(ids).detach()"),
    ),
    edit(
        "one bias",
        "classifier",
        "back.bias forgotten",
        (CELL_CALL, CELL_CALL.replace("back.bias", "0 * back.bias")),
    ),
    edit(
        "state detached",
        "classifier",
        "only the head learns",
        ("return self.head(hidden)", "return self.head(hidden.detach())"),
    ),
]

RIGHT = [
    fill(
        "one product",
        "rnn_step",
        "inputs and state side by side",
        """
        both = torch.cat([x, hidden], dim=-1)
        weight = torch.cat([w_input, w_hidden], dim=-1)
        return (both @ weight.T + (b_input + b_hidden)).tanh()
        """,
    ),
    fill(
        "addmm",
        "rnn_step",
        "two fused products",
        """
        total = torch.addmm(b_input + b_hidden, x, w_input.t())
        return torch.tanh(torch.addmm(total, hidden, w_hidden.t()))
        """,
    ),
    fill(
        "exponentials",
        "rnn_step",
        "tanh written out, einsum",
        """
        z = torch.einsum("bc,nc->bn", x, w_input) + torch.einsum("bm,nm->bn", hidden, w_hidden)
        z = z + b_input + b_hidden
        return 2 / (1 + torch.exp(-2 * z)) - 1
        """,
    ),
    fill(
        "arithmetic of masks",
        "run",
        "m · new + (1 − m) · old",
        """
        rows = []
        for t, x_t in enumerate(x.unbind(1)):
            new = step(x_t, state)
            if mask is not None:
                m = mask[:, t].unsqueeze(-1).to(x.dtype)
                new = tuple(m * a + (1 - m) * b for a, b in zip(new, state))
            state = tuple(new)
            rows.append(state[0].unsqueeze(1))
        outputs = torch.cat(rows, dim=1)
        if mask is not None:
            outputs = outputs.masked_fill(~mask.unsqueeze(-1), 0.0)
        return outputs, state
        """,
    ),
    write(
        "recursion",
        "run",
        "a helper, a full mask where there is none",
        """
def wait(real, new, old):
    return tuple(torch.where(real.view(-1, 1), a, b) for a, b in zip(new, old))

def run(step, x, state, mask=None):
    if mask is None:
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    if x.shape[1] == 1:
        state = wait(mask[:, 0], step(x[:, 0], state), state)
        return (state[0] * mask[:, 0, None])[:, None], state
    before, state = run(step, x[:, :-1], state, mask[:, :-1])
    after, state = run(step, x[:, -1:], state, mask[:, -1:])
    return torch.cat([before, after], 1), state
        """,
    ),
    fill(
        "with one-hot weights",
        "gradient_ratio",
        "a vector of ones against the last output",
        """
        inputs = x.detach().clone()
        inputs.requires_grad = True
        last = layer(inputs)[:, -1]
        (gradient,) = torch.autograd.grad(last, inputs, grad_outputs=torch.ones_like(last))
        first, final = gradient[:, 0], gradient[:, -1]
        return math.sqrt(float((first**2).sum())) / math.sqrt(float((final**2).sum()))
        """,
    ),
    fill(
        "two leaves",
        "gradient_ratio",
        "only the first and last position want a gradient",
        """
        first = x[:, :1].detach().clone().requires_grad_()
        last = x[:, -1:].detach().clone().requires_grad_()
        whole = torch.cat([first, x[:, 1:-1].detach(), last], dim=1)
        pair = torch.autograd.grad(layer(whole)[:, -1].sum(), [first, last])
        return float(torch.linalg.vector_norm(pair[0]) / torch.linalg.vector_norm(pair[1]))
        """,
    ),
    fill(
        "norm of norms",
        "clip",
        "stacked, and copy_",
        """
        kept = list(filter(lambda p: p.grad is not None, parameters))
        if not kept:
            return 0.0
        norm = torch.stack([p.grad.norm() for p in kept]).norm().item()
        scale = min(1.0, max_norm / norm) if norm else 1.0
        for p in kept:
            p.grad.copy_(p.grad * scale)
        return norm
        """,
    ),
    fill(
        "one long vector",
        "clip",
        "all gradients side by side",
        """
        grads = []
        for parameter in parameters:
            if parameter.grad is not None:
                grads.append(parameter.grad)
        if len(grads) == 0:
            return 0.0
        length = float(torch.cat([g.flatten() for g in grads]).norm())
        if length > max_norm:
            for g in grads:
                g /= length / max_norm
        return length
        """,
    ),
    fill(
        "slices",
        "lstm_step",
        "gate by gate",
        """
        h, c = state
        n = h.shape[-1]
        def gate(k):
            rows = slice(k * n, (k + 1) * n)
            return x @ w_input[rows].T + b_input[rows] + h @ w_hidden[rows].T + b_hidden[rows]
        c = torch.sigmoid(gate(1)) * c + torch.sigmoid(gate(0)) * torch.tanh(gate(2))
        return torch.sigmoid(gate(3)) * torch.tanh(c), c
        """,
    ),
    fill(
        "unflatten",
        "lstm_step",
        "one product, addcmul",
        """
        h, c = state
        z = torch.cat([x, h], -1) @ torch.cat([w_input, w_hidden], -1).mT + b_input + b_hidden
        i, f, g, o = z.unflatten(-1, (4, -1)).unbind(-2)
        c = torch.addcmul(f.sigmoid() * c, i.sigmoid(), g.tanh())
        return (o.sigmoid() * c.tanh(), c)
        """,
    ),
    fill(
        "lerp",
        "gru_step",
        "the average as a step from the candidate",
        """
        i_r, i_z, i_n = (x @ w_input.T + b_input).chunk(3, 1)
        h_r, h_z, h_n = (hidden @ w_hidden.T + b_hidden).chunk(3, 1)
        r, z = (i_r + h_r).sigmoid(), (i_z + h_z).sigmoid()
        n = (i_n + r * h_n).tanh()
        return n + z * (hidden - n)
        """,
    ),
    fill(
        "block by block",
        "gru_step",
        "six small products",
        """
        size = hidden.size(1)
        def part(inputs, weight, bias, k):
            return F.linear(inputs, weight[k * size:(k + 1) * size], bias[k * size:(k + 1) * size])
        r = torch.sigmoid(part(x, w_input, b_input, 0) + part(hidden, w_hidden, b_hidden, 0))
        z = torch.sigmoid(part(x, w_input, b_input, 1) + part(hidden, w_hidden, b_hidden, 1))
        n = torch.tanh(part(x, w_input, b_input, 2) + r * part(hidden, w_hidden, b_hidden, 2))
        return (1 - z) * n + z * hidden
        """,
    ),
    fill(
        "shared",
        "initial_parameters",
        "half of the bias in each",
        """
        k = d_hidden**-0.5
        w_input = (2 * torch.rand(4 * d_hidden, d_input) - 1) * k
        w_hidden = (2 * torch.rand(4 * d_hidden, d_hidden) - 1) * k
        b_input, b_hidden = ((2 * torch.rand(4 * d_hidden) - 1) * k for _ in range(2))
        for b in (b_input, b_hidden):
            b[d_hidden : 2 * d_hidden] = forget_bias / 2
        return w_input, w_hidden, b_input, b_hidden
        """,
    ),
    fill(
        "kept random",
        "initial_parameters",
        "one bias balances the other",
        """
        layers = nn.Linear(d_input, 4 * d_hidden), nn.Linear(d_hidden, 4 * d_hidden)
        for layer in layers:
            for p in layer.parameters():
                nn.init.uniform_(p, -1 / d_hidden**0.5, 1 / d_hidden**0.5)
        w_input, w_hidden = (layer.weight.detach() for layer in layers)
        b_input, b_hidden = (layer.bias.detach() for layer in layers)
        gate = slice(d_hidden, 2 * d_hidden)
        b_input[gate] = forget_bias - b_hidden[gate]
        return w_input, w_hidden, b_input, b_hidden
        """,
    ),
    fill(
        "no earlier task",
        "classifier",
        "gates and mask written out",
        """
        self.embedding = nn.Embedding(vocab_size, d_embedding)
        self.input_projection = nn.Linear(d_embedding, 4 * d_hidden)
        self.hidden_projection = nn.Linear(d_hidden, 4 * d_hidden)
        self.head = nn.Linear(d_hidden, n_classes)
        self.d_hidden = d_hidden
        """,
        """
        n_texts, n_positions = ids.shape
        if mask is None:
            mask = torch.ones_like(ids, dtype=torch.bool)
        into = self.input_projection(self.embedding(ids))
        h = into.new_zeros(n_texts, self.d_hidden)
        c = h.clone()
        for t in range(n_positions):
            i, f, g, o = (into[:, t] + self.hidden_projection(h)).chunk(4, -1)
            new_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            new_h = o.sigmoid() * new_c.tanh()
            m = mask[:, t : t + 1]
            c, h = torch.where(m, new_c, c), torch.where(m, new_h, h)
        return self.head(h)
        """,
    ),
    fill(
        "text by text",
        "classifier",
        "the padding is cut away",
        """
        self.embedding = nn.Embedding(vocab_size, d_embedding)
        self.input_projection = nn.Linear(d_embedding, 4 * d_hidden)
        self.hidden_projection = nn.Linear(d_hidden, 4 * d_hidden)
        self.head = nn.Linear(d_hidden, n_classes)
        """,
        """
        rows = []
        for k in range(ids.size(0)):
            kept = ids[k] if mask is None else ids[k][mask[k]]
            width = self.hidden_projection.in_features
            h = c = torch.zeros(width, dtype=self.head.weight.dtype)
            for vector in self.input_projection(self.embedding(kept)):
                i, f, g, o = (vector + self.hidden_projection(h)).split(width)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
            rows.append(self.head(h))
        return torch.stack(rows)
        """,
    ),
]
