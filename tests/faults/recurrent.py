"""Answers to the assignment `recurrent`: plausible and wrong, or right in another style."""

from . import edit, fill, frozen, write

STEP = "F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)"
RNN = f"torch.tanh({STEP})"
WAIT = "tuple(torch.where(real, n, o) for n, o in zip(new, state, strict=True))"
RATIO = "(gradient[:, 0].norm() / gradient[:, -1].norm()).item()"
NORM = "math.sqrt(sum(g.square().sum().item() for g in gradients))"
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
    edit(
        "no tanh",
        "rnn_step",
        "a linear network",
        (RNN, STEP),
        cause="tanh is missing",
    ),
    edit(
        "one bias forgotten",
        "rnn_step",
        "they are only added",
        ("w_hidden, b_hidden)", "w_hidden)"),
        cause="both biases|b_hidden",
    ),
    edit(
        "weights not transposed",
        "rnn_step",
        "shapes fit for the state alone",
        ("F.linear(hidden, w_hidden, b_hidden)", "(hidden @ w_hidden + b_hidden)"),
        cause="w_hidden.T|transpos",
    ),
    edit(
        "two tanh",
        "rnn_step",
        "each product its own",
        (RNN, RNN.replace(" + ", ") + torch.tanh(")),
        cause="tanh of its own|one tanh",
    ),
    edit(
        "state detached",
        "rnn_step",
        "no way back",
        ("F.linear(hidden,", "F.linear(hidden.detach(),"),
        cause="detached",
    ),
    edit(
        "changes the state",
        "rnn_step",
        "in place",
        (f"return {RNN}", f"hidden[:] = {RNN}\n    return hidden"),
        cause="hidden was changed",
    ),
    edit(
        "sigmoid",
        "rnn_step",
        "a gate for a state",
        (RNN, f"torch.sigmoid({STEP})"),
        cause="sigmoid",
    ),
    edit(
        "inputs detached",
        "rnn_step",
        "no way to the embedding",
        ("F.linear(x,", "F.linear(x.detach(),"),
        cause="detached",
    ),
    edit(
        "tanh of exponentials",
        "rnn_step",
        "overflows for large sums",
        (
            f"return {RNN}",
            f"z = {STEP}\n    return (z.exp() - (-z).exp()) / (z.exp() + (-z).exp())",
        ),
        cause="overflow",
    ),
    edit(
        "tanh whose slope overflows",
        "rnn_step",
        "2/(1 + ∞) − 1 is right, and its slope is ∞/∞",
        (f"return {RNN}", f"z = {STEP}\n    return 2 / (1 + torch.exp(-2 * z)) - 1"),
        cause="overflow",
    ),
    edit(
        "float32 inside",
        "rnn_step",
        "cast, and cast back",
        (RNN, f"torch.tanh(({STEP}).float()).to(x.dtype)"),
        cause="precis",
    ),
    edit(
        "always float32", "rnn_step", "cast and left so", (RNN, f"{RNN}.float()"), cause="float32"
    ),
    edit(
        "squeezed",
        "rnn_step",
        "a batch of one loses its dimension",
        (RNN, f"{RNN}.squeeze(0)"),
        cause="shape",
    ),
    edit(
        "adds the bias in place",
        "rnn_step",
        "two biases made one",
        (
            f"return {RNN}",
            f"b_input += b_hidden\n    return {RNN.replace('w_hidden, b_hidden', 'w_hidden')}",
        ),
        cause="b_input was changed|leaf Variable",
    ),
    edit(
        "weights detached",
        "rnn_step",
        "the recurrent ones",
        ("hidden, w_hidden,", "hidden, w_hidden.detach(),"),
        cause="detached",
    ),
    edit(
        "nothing returned",
        "rnn_step",
        "no `return`",
        (f"return {RNN}", f"new = {RNN}"),
        cause="return",
    ),
    # Task 2
    edit(
        "mask ignored",
        "run",
        "padding is read",
        (WAIT, "new"),
        cause="padding is read|mask ignored",
    ),
    edit(
        "outputs at padding",
        "run",
        "the state that waits is shown",
        ("state[0] * real", "state[0]"),
        cause="must be 0",
    ),
    edit(
        "only the first tensor waits",
        "run",
        "an LSTM's cell state reads padding",
        (WAIT, "(torch.where(real, new[0], state[0]), *new[1:])"),
        cause="second tensor",
    ),
    edit(
        "state set to zero at padding",
        "run",
        "multiplied by the mask",
        (WAIT, "tuple(n * real for n in new)"),
        cause="sets it to 0|must wait",
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
        cause="wherever|at the start",
    ),
    edit(
        "waits only if all wait",
        "run",
        "an if for the whole batch",
        ("real = mask[:, t, None]", "real = mask[:, t, None].any().expand(len(x), 1)"),
        cause="padding is read|each item|a column",
    ),
    edit(
        "starts from zeros",
        "run",
        "forgets the state that was given",
        (
            "    outputs = []\n",
            "    outputs = []\n    state = tuple(torch.zeros_like(s) for s in state)\n",
        ),
        cause="that `run` was given|was given",
    ),
    edit(
        "each step from the start",
        "run",
        "the state is not carried",
        ("new = step(x[:, t], state)", "new = step(x[:, t], first)"),
        ("    outputs = []\n", "    outputs, first = [], state\n"),
        cause="state of the step before",
    ),
    edit(
        "cut at each step",
        "run",
        "detached, to save memory",
        ("new = step(x[:, t], state)", "new = step(x[:, t], tuple(s.detach() for s in state))"),
        cause="detached",
    ),
    edit(
        "last output for last state",
        "run",
        "zero where the text was padded",
        (
            "return torch.stack(outputs, 1), state",
            "return torch.stack(outputs, 1), (outputs[-1], *state[1:])",
        ),
        cause="last output",
    ),
    fill(
        "outputs as wide as inputs",
        "run",
        "zeros like x, filled step by step",
        """
        outputs = torch.zeros_like(x)
        for t in range(x.shape[1]):
            new = step(x[:, t], state)
            if mask is not None:
                real = mask[:, t, None]
                new = tuple(torch.where(real, n, o) for n, o in zip(new, state))
            state = new
            outputs[:, t] = state[0] if mask is None else state[0] * mask[:, t, None]
        return outputs, state
        """,
        cause="width",
    ),
    fill(
        "overwrites the first state",
        "run",
        "real items are written into the tensors that were given",
        """
        outputs = []
        for t in range(x.shape[1]):
            new = step(x[:, t], state)
            for old, n in zip(state, new):
                real = torch.ones(len(x), dtype=torch.bool) if mask is None else mask[:, t]
                old.data[real] = n.data[real]
            outputs.append(state[0] * real[:, None])
        return torch.stack(outputs, 1), state
        """,
        cause="changed in place|detached",
    ),
    edit(
        "positions of padding skipped",
        "run",
        "no step where all is padding",
        (
            "        new = step(x[:, t], state)\n",
            "        if mask is not None and not mask[:, t].any():\n"
            "            outputs.append(torch.zeros_like(state[0]))\n"
            "            continue\n"
            "        new = step(x[:, t], state)\n",
        ),
        cause="once for each",
    ),
    edit(
        "ends at padding for all",
        "run",
        "nothing is thought to follow",
        (
            "        new = step(x[:, t], state)\n",
            "        if mask is not None and not mask[:, t:].any(1).any():\n"
            "            outputs.append(torch.zeros_like(state[0]))\n"
            "            continue\n"
            "        new = step(x[:, t], state)\n",
        ),
        cause="once for each",
    ),
    edit(
        "only the real items",
        "run",
        "saves work",
        (
            "new = step(x[:, t], state)",
            "some = torch.ones(len(x)).bool() if mask is None else mask[:, t]\n"
            "        part = step(x[some, t], tuple(s[some] for s in state))\n"
            "        new = tuple(s.index_put((some,), n) for s, n in zip(state, part))",
        ),
        cause="whole batch",
    ),
    edit(
        "a list for the step",
        "run",
        "the state is no tuple any more",
        (WAIT, "[torch.where(real, n, o) for n, o in zip(new, state, strict=True)]"),
        ("return torch.stack(outputs, 1), state", "return torch.stack(outputs, 1), tuple(state)"),
        cause="as a tuple",
    ),
    edit(
        "mask by position",
        "run",
        "rows and columns exchanged where B = T",
        (
            "real = mask[:, t, None]",
            "real = (mask if len(x) != x.shape[1] else mask.T)[:, t, None]",
        ),
        cause="a column",
    ),
    edit(
        "first state detached",
        "run",
        "no way back to what was given",
        ("    outputs = []\n", "    outputs, state = [], tuple(s.detach() for s in state)\n"),
        cause="detached",
    ),
    edit(
        "two calls where there is a mask",
        "run",
        "step is called for each tensor of the state",
        (
            WAIT,
            "tuple(\n"
            "                torch.where(real, step(x[:, t], state)[k], o)\n"
            "                for k, o in enumerate(state)\n"
            "            )",
        ),
        cause="once for each",
    ),
    edit(
        "outputs before the step",
        "run",
        "one late",
        ("outputs.append(state[0] * real)", "outputs.append(o * real)"),
        (
            "        new = step(x[:, t], state)\n",
            "        o = state[0]\n        new = step(x[:, t], state)\n",
        ),
        cause="first tensor of the state",
    ),
    edit(
        "float32 outputs",
        "run",
        "collected in new zeros",
        ("return torch.stack(outputs, 1), state", "return torch.stack(outputs, 1).float(), state"),
        cause="float32",
    ),
    edit(
        "the state changes the mask",
        "run",
        "inverted in place",
        (
            "real = mask[:, t, None]",
            "real = mask[:, t, None].clone()\n            mask[:, t] = False",
        ),
        cause="mask was changed",
    ),
    # Task 3
    edit(
        "upside down",
        "gradient_ratio",
        "last over first",
        (RATIO, RATIO.replace("0]", "K]").replace("-1]", "0]").replace("K]", "-1]")),
        cause="first position over",
    ),
    edit(
        "all outputs",
        "gradient_ratio",
        "each input reaches many",
        ("[:, -1].sum(), x", ".sum(), x"),
        cause="last output alone",
    ),
    edit(
        "mean of ratios",
        "gradient_ratio",
        "item by item",
        (RATIO, "(gradient[:, 0].norm(dim=-1) / gradient[:, -1].norm(dim=-1)).mean().item()"),
        cause="mean of ratios|whole batch",
    ),
    edit(
        "sums for norms",
        "gradient_ratio",
        "signs cancel",
        (RATIO, "(gradient[:, 0].sum() / gradient[:, -1].sum()).item()"),
        cause="plain sum|sum of squares|sum of the squares",
    ),
    edit(
        "largest number",
        "gradient_ratio",
        "another norm",
        (RATIO, RATIO.replace("norm()", "abs().max()")),
        cause="largest number",
    ),
    edit(
        "first item alone",
        "gradient_ratio",
        "a batch of one",
        (RATIO, RATIO.replace("[:, ", "[0, ")),
        cause="first item|whole batch",
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
        cause=".grad",
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
        cause="x wants a gradient|requires_grad",
    ),
    edit(
        "squares for the sum",
        "gradient_ratio",
        "a loss, as one would train with",
        ("[:, -1].sum()", "[:, -1].square().sum()"),
        cause="of its squares|sum of the last output",
    ),
    fill(
        "wipes gradients",
        "gradient_ratio",
        "backward, and zero_grad afterwards",
        """
        x = x.detach().clone().requires_grad_()
        layer(x)[:, -1].sum().backward()
        if isinstance(layer, nn.Module):
            layer.zero_grad()
        return (x.grad[:, 0].norm() / x.grad[:, -1].norm()).item()
        """,
        cause="that was there before",
    ),
    edit(
        "freezes the layer",
        "gradient_ratio",
        "no gradients for parameters, for good",
        (
            "    x = x.detach()",
            "    if isinstance(layer, nn.Module):\n        layer.requires_grad_(False)\n"
            "    x = x.detach()",
        ),
        cause="requires_grad",
    ),
    edit(
        "evaluation mode",
        "gradient_ratio",
        "and never back",
        (
            "    x = x.detach()",
            "    if isinstance(layer, nn.Module):\n        layer.eval()\n    x = x.detach()",
        ),
        cause="mode",
    ),
    edit(
        "float32",
        "gradient_ratio",
        "measured with half of the digits",
        ("x.detach().clone()", "x.detach().float()"),
        cause="precis",
    ),
    edit(
        "never divided by zero",
        "gradient_ratio",
        "a small number added",
        (RATIO, RATIO.replace("[:, -1].norm()", "[:, -1].norm().add(1e-8)")),
        cause="small number",
    ),
    edit(
        "root of the mean",
        "gradient_ratio",
        "of the last output's squares",
        ("[:, -1].sum()", "[:, -1].norm()"),
        cause="sum of the last output",
    ),
    edit(
        "a tensor",
        "gradient_ratio",
        "no .item()",
        (RATIO, RATIO.removesuffix(".item()")),
        cause="a float",
    ),
    edit(
        "time first",
        "gradient_ratio",
        "as nn.RNN has it without batch_first",
        ("[:, -1].sum()", "[-1].sum()"),
        (RATIO, "(gradient[0].norm() / gradient[-1].norm()).item()"),
        cause="batch comes first",
    ),
    edit(
        "x changed",
        "gradient_ratio",
        "normalized in place",
        ("    x = x.detach()", "    x.data.sub_(x.data.mean())\n    x = x.detach()"),
        cause="x was changed",
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
        cause="by itself",
    ),
    edit(
        "norms added",
        "clip",
        "3 + 4 = 7",
        (NORM, "sum(g.norm().item() for g in gradients)"),
        cause="root of the sum of all squares",
    ),
    edit(
        "always scaled",
        "clip",
        "short ones grow",
        ("if norm > max_norm:", "if norm > 0:"),
        cause="nothing changes|short",
    ),
    edit(
        "no look at zero",
        "clip",
        "0 / 0",
        ("if norm > max_norm:", "if True:"),
        ("max_norm / norm)", "min(1.0, max_norm / norm))"),
        cause="0 divided by 0|ZeroDivision",
    ),
    edit(
        "clipped by value",
        "clip",
        "each number to ±c",
        ("gradient.mul_(max_norm / norm)", "gradient.clamp_(-max_norm, max_norm)"),
        cause="same number",
    ),
    edit(
        "a new tensor",
        "clip",
        "nobody sees it",
        ("gradient.mul_(max_norm / norm)", "gradient = gradient * (max_norm / norm)"),
        cause="in place",
    ),
    edit(
        "the norm after",
        "clip",
        "of what is left",
        ("    return norm", "    return min(norm, max_norm)"),
        cause="before clipping",
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
        cause="generator",
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
        cause="without a gradient|no gradient|None",
    ),
    edit(
        "a new .grad",
        "clip",
        "assigned, not changed in place",
        (
            "gradients = [p.grad for p in parameters if p.grad is not None]",
            "parameters = [p for p in parameters if p.grad is not None]\n"
            "    gradients = [p.grad for p in parameters]",
        ),
        (
            "        for gradient in gradients:\n            gradient.mul_(max_norm / norm)",
            "        for p in parameters:\n            p.grad = p.grad * (max_norm / norm)",
        ),
        cause="in place",
    ),
    edit(
        "shortens the parameters",
        "clip",
        "and their gradients",
        (
            "gradients = [p.grad for p in parameters if p.grad is not None]",
            "parameters = [p for p in parameters if p.grad is not None]\n"
            "    gradients = [p.grad for p in parameters]",
        ),
        (
            "            gradient.mul_(max_norm / norm)",
            "            gradient.mul_(max_norm / norm)\n        for p in parameters:\n"
            "            p.data.mul_(max_norm / norm)",
        ),
        cause="parameter itself",
    ),
    edit(
        "zeros for nothing",
        "clip",
        "every parameter gets a gradient",
        (
            "    gradients = [p.grad for p in parameters if p.grad is not None]",
            "    gradients = []\n"
            "    for p in parameters:\n"
            "        p.grad = torch.zeros_like(p) if p.grad is None else p.grad\n"
            "        gradients.append(p.grad)",
        ),
        cause="left alone|without a gradient",
    ),
    edit(
        "the largest norm",
        "clip",
        "of the single ones",
        (NORM, "max([g.norm().item() for g in gradients], default=0.0)"),
        cause="root of the sum of all squares",
    ),
    edit(
        "squares",
        "clip",
        "the root forgotten",
        (NORM, "float(sum(g.square().sum().item() for g in gradients))"),
        cause="root",
    ),
    edit(
        "a tensor",
        "clip",
        "no .item()",
        ("return norm", "return torch.tensor(norm)"),
        cause="a float",
    ),
    edit(
        "clamped",
        "clip",
        "numbers of ±1000 at most, against overflow",
        (
            "    norm = ",
            "    for gradient in gradients:\n        gradient.clamp_(-1e3, 1e3)\n    norm = ",
        ),
        cause="10¹²",
    ),
    edit(
        "matrices alone",
        "clip",
        "biases are left out",
        ("if p.grad is not None]", "if p.grad is not None and p.grad.dim() != 0]"),
        cause="norm before|root",
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
        cause="order",
    ),
    edit(
        "forget first",
        "lstm_step",
        "the equation's order",
        (
            "input_gate, forget_gate, candidate, output_gate = gates",
            "forget_gate, input_gate, candidate, output_gate = gates",
        ),
        cause="order",
    ),
    edit(
        "candidate without tanh",
        "lstm_step",
        "unbounded",
        ("candidate.tanh()", "candidate"),
        cause="candidate has",
    ),
    edit(
        "cell state without tanh",
        "lstm_step",
        "shown as it is",
        (SHOWN, "output_gate.sigmoid() * cell_state, cell_state"),
        cause="tanh",
    ),
    edit(
        "cell state squashed",
        "lstm_step",
        "rewritten at each step",
        (SUM, f"torch.tanh({SUM})"),
        cause="itself has a tanh|without",
    ),
    edit(
        "one bias forgotten",
        "lstm_step",
        "they are only added",
        ("w_hidden, b_hidden)", "w_hidden)"),
        cause="both biases",
    ),
    edit(
        "a bias twice",
        "lstm_step",
        "the same one",
        ("w_hidden, b_hidden)", "w_hidden, b_input)"),
        cause="both biases",
    ),
    edit(
        "blocks interleaved",
        "lstm_step",
        "every fourth number",
        ("gates.chunk(4, dim=-1)", "gates.unflatten(-1, (-1, 4)).unbind(-1)"),
        cause="side by side|chunk",
    ),
    edit(
        "cell state first",
        "lstm_step",
        "c before h",
        (SHOWN, f"cell_state, {SHOWN.split(',')[0]}"),
        cause="first",
    ),
    edit(
        "forgets hidden",
        "lstm_step",
        "the other vector",
        ("forget_gate.sigmoid() * cell_state", "forget_gate.sigmoid() * hidden"),
        cause="on the cell state",
    ),
    edit(
        "cell state detached",
        "lstm_step",
        "the way back is cut",
        ("forget_gate.sigmoid() * cell_state", "forget_gate.sigmoid() * cell_state.detach()"),
        cause="detached",
    ),
    edit(
        "gates from the cell state",
        "lstm_step",
        "the wrong part of the state",
        ("F.linear(hidden,", "F.linear(cell_state,"),
        cause="hidden, and not the cell state|hidden meet",
    ),
    edit(
        "input and forget gate coupled",
        "lstm_step",
        "1 − f, as in a GRU",
        ("input_gate.sigmoid()", "(1 - forget_gate.sigmoid())"),
        cause="made of the forget gate",
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
        cause="cell_state was changed",
    ),
    edit(
        "hidden detached",
        "lstm_step",
        "gates do not learn from the past",
        ("F.linear(hidden,", "F.linear(hidden.detach(),"),
        cause="detached",
    ),
    edit(
        "inputs detached",
        "lstm_step",
        "no way to the embedding",
        ("F.linear(x,", "F.linear(x.detach(),"),
        cause="detached",
    ),
    edit(
        "sigmoid overflows",
        "lstm_step",
        "written out",
        ("forget_gate.sigmoid()", "(forget_gate.exp() / (1 + forget_gate.exp()))"),
        cause="overflow",
    ),
    edit(
        "output gate overflows",
        "lstm_step",
        "written out",
        ("output_gate.sigmoid()", "(output_gate.exp() / (1 + output_gate.exp()))"),
        cause="overflow",
    ),
    edit(
        "sigmoid whose slope overflows",
        "lstm_step",
        "1/(1 + ∞) is right, and its slope is ∞/∞",
        ("input_gate.sigmoid()", "(1 / (1 + (-input_gate).exp()))"),
        cause="overflow",
    ),
    edit(
        "tanh of the cell state overflows",
        "lstm_step",
        "written out",
        ("cell_state.tanh()", "(1 - 2 / ((2 * cell_state).exp() + 1))"),
        cause="overflow",
    ),
    edit(
        "tanh of the candidate overflows",
        "lstm_step",
        "written out",
        ("candidate.tanh()", "((2 * candidate).exp() - 1) / ((2 * candidate).exp() + 1)"),
        cause="overflow",
    ),
    edit(
        "adds the bias in place",
        "lstm_step",
        "two biases made one",
        (
            "hidden, cell_state = state",
            "hidden, cell_state = state\n    b_input.data.add_(b_hidden)",
        ),
        ("w_hidden, b_hidden)", "w_hidden)"),
        cause="b_input was changed|once each",
    ),
    edit(
        "float32 inside",
        "lstm_step",
        "cast, and cast back",
        (f"gates = {STEP}", f"gates = ({STEP}).float().to(x.dtype)"),
        cause="precis",
    ),
    edit(
        "a list",
        "lstm_step",
        "two tensors, and no tuple",
        (f"return {SHOWN}", f"return [{SHOWN}]"),
        cause="two tensors",
    ),
    edit(
        "hidden alone",
        "lstm_step",
        "the cell state is not handed on",
        (SHOWN, SHOWN.removesuffix(", cell_state")),
        cause="two tensors",
    ),
    edit(
        "squeezed",
        "lstm_step",
        "a batch of one loses its dimension",
        (SHOWN, "(output_gate.sigmoid() * cell_state.tanh()).squeeze(0), cell_state.squeeze(0)"),
        cause="shape",
    ),
    edit(
        "changes hidden",
        "lstm_step",
        "written where the old one was",
        (
            f"return {SHOWN}",
            "hidden.data.copy_(output_gate.sigmoid() * cell_state.tanh())\n    return " + SHOWN,
        ),
        cause="hidden was changed",
    ),
    edit(
        "noise",
        "lstm_step",
        "of size 0, and still drawn",
        (
            "hidden, cell_state = state",
            "hidden, cell_state = state\n    hidden = hidden + 0 * torch.randn(1).to(hidden.dtype)",
        ),
        cause="random generator",
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
        cause="after the product",
    ),
    edit(
        "bias outside the reset",
        "gru_step",
        "b_hidden not reached",
        (
            CANDIDATE,
            f"torch.tanh(from_x[2] + reset * (from_hidden[2] - {LAST_BIAS}) + {LAST_BIAS})",
        ),
        cause="on its bias",
    ),
    edit(
        "no reset",
        "gru_step",
        "everything seen",
        (CANDIDATE, "torch.tanh(from_x[2] + from_hidden[2])"),
        cause="reset gate act",
    ),
    edit(
        "update upside down",
        "gru_step",
        "1 − z keeps",
        (AVERAGE, "(1 - update) * hidden + update * candidate"),
        cause="upside down|(1 − z)",
    ),
    edit(
        "update before reset",
        "gru_step",
        "the first two blocks swapped",
        ("from_x[0] + from_hidden[0]", "from_x[1] + from_hidden[K]"),
        ("torch.sigmoid(from_x[1] + from_hidden[1])", "torch.sigmoid(from_x[0] + from_hidden[0])"),
        ("from_hidden[K]", "from_hidden[1]"),
        cause="second block",
    ),
    edit(
        "resets both",
        "gru_step",
        "the input as well",
        (CANDIDATE, "torch.tanh(reset * (from_x[2] + from_hidden[2]))"),
        cause="on nothing",
    ),
    edit(
        "gates from x alone",
        "gru_step",
        "the state has no say",
        ("from_x[1] + from_hidden[1]", "from_x[1]"),
        cause="see x and hidden|every weight",
    ),
    edit(
        "hidden detached",
        "gru_step",
        "kept, but not differentiated",
        (AVERAGE, AVERAGE.replace("hidden", "hidden.detach()")),
        cause="detached",
    ),
    edit(
        "update detached",
        "gru_step",
        "a gate that never learns",
        (AVERAGE, AVERAGE.replace("(1 - update)", "(1 - update.detach())")),
        cause="detached",
    ),
    edit(
        "old state detached",
        "gru_step",
        "the direct way back is cut",
        (AVERAGE, AVERAGE.replace("update * hidden +", "update * hidden.detach() +")),
        cause="detached",
    ),
    edit(
        "update overflows",
        "gru_step",
        "the sigmoid written out",
        (
            "torch.sigmoid(from_x[1] + from_hidden[1])",
            "(from_x[1] + from_hidden[1]).exp() / (1 + (from_x[1] + from_hidden[1]).exp())",
        ),
        cause="overflow",
    ),
    edit(
        "reset whose slope overflows",
        "gru_step",
        "the sigmoid written out",
        (
            "torch.sigmoid(from_x[0] + from_hidden[0])",
            "1 / (1 + (-from_x[0] - from_hidden[0]).exp())",
        ),
        cause="overflow",
    ),
    edit(
        "tanh overflows",
        "gru_step",
        "written out",
        (
            CANDIDATE,
            "from_x[2] + reset * from_hidden[2]\n"
            "    candidate = 1 - 2 / ((2 * candidate).exp() + 1)",
        ),
        cause="overflow",
    ),
    edit(
        "changes hidden",
        "gru_step",
        "in place",
        (f"return {AVERAGE}", f"hidden.data.copy_({AVERAGE})\n    return hidden"),
        cause="hidden was changed",
    ),
    edit(
        "float32 inside",
        "gru_step",
        "cast, and cast back",
        (CANDIDATE, f"{CANDIDATE}.float().to(x.dtype)"),
        cause="precis",
    ),
    edit(
        "squeezed",
        "gru_step",
        "a batch of one loses its dimension",
        (AVERAGE, f"({AVERAGE}).squeeze(0)"),
        cause="shape",
    ),
    edit(
        "always float32",
        "gru_step",
        "cast and left so",
        (AVERAGE, f"({AVERAGE}).float()"),
        cause="float32",
    ),
    edit(
        "reset of the input",
        "gru_step",
        "the other half of the candidate",
        (CANDIDATE, "torch.tanh(reset * from_x[2] + from_hidden[2])"),
        cause="reset gate act on",
    ),
    # Task 7
    edit(
        "one of two biases",
        "initial_parameters",
        "the other stays random",
        (f"    {SET_HIDDEN}\n", ""),
        cause="still random",
    ),
    edit(
        "both biases",
        "initial_parameters",
        "counted twice",
        (SET_HIDDEN, SET_HIDDEN.replace("0.0", "forget_bias")),
        cause="in both|counted twice",
    ),
    edit(
        "the input gate",
        "initial_parameters",
        "the first block",
        (SET_INPUT, SET_INPUT.replace("d_hidden : 2 * d_hidden", ":d_hidden")),
        (SET_HIDDEN, SET_HIDDEN.replace("d_hidden : 2 * d_hidden", ":d_hidden")),
        cause="second of four",
    ),
    edit(
        "all other biases zero",
        "initial_parameters",
        "as in another library",
        (SET_INPUT, f"b_input.zero_()\n    b_hidden.zero_()\n    {SET_INPUT}"),
        cause="must be random|same at two calls",
    ),
    edit(
        "bound of the inputs",
        "initial_parameters",
        "√C for √N",
        ("math.sqrt(d_hidden)", "math.sqrt(d_input)"),
        cause="N is d_hidden",
    ),
    edit(
        "normal",
        "initial_parameters",
        "the same spread, no bound",
        (UNIFORM, "torch.randn(shape) * bound / math.sqrt(3)"),
        cause="between",
    ),
    edit(
        "positive only",
        "initial_parameters",
        "torch.rand",
        (UNIFORM, "torch.rand(shape) * bound"),
        cause="both signs",
    ),
    edit(
        "a fixed seed",
        "initial_parameters",
        "so that it comes out again",
        ("    bound =", "    torch.manual_seed(0)\n    bound ="),
        cause="no seed",
    ),
    edit(
        "added to random biases",
        "initial_parameters",
        "right on average",
        (SET_INPUT, SET_INPUT.replace("] =", "] +=")),
        (f"    {SET_HIDDEN}\n", ""),
        cause="still random",
    ),
    edit(
        "bound 1/N",
        "initial_parameters",
        "the root forgotten",
        ("bound = 1 / math.sqrt(d_hidden)", "bound = 1 / d_hidden"),
        cause="1/√N",
    ),
    edit(
        "a generator of its own",
        "initial_parameters",
        "torch's is not asked",
        (
            UNIFORM,
            "torch.empty(shape).uniform_(-bound, bound, generator=generator)",
        ),
        ("    bound =", "    generator = torch.Generator()\n    generator.seed()\n    bound ="),
        cause="no other",
    ),
    edit(
        "Python's generator",
        "initial_parameters",
        "random.uniform",
        (
            UNIFORM,
            "torch.tensor([random.uniform(-bound, bound) for _ in range(math.prod(shape))])"
            ".reshape(shape)",
        ),
        ("    bound =", "    import random\n\n    bound ="),
        cause="torch's generator",
    ),
    edit(
        "moves Python's generator, too",
        "initial_parameters",
        "a shuffle that changes nothing",
        ("    bound =", "    import random\n\n    random.shuffle(list(range(9)))\n    bound ="),
        cause="Python's global",
    ),
    edit(
        "a new seed each time",
        "initial_parameters",
        "of the clock",
        (
            "    bound =",
            "    import time\n\n    torch.manual_seed(time.perf_counter_ns())\n    bound =",
        ),
        cause="seed",
    ),
    edit(
        "puts the generator back",
        "initial_parameters",
        "leaves no traces, and so draws the same numbers again",
        ("    bound =", "    state = torch.get_rng_state()\n    bound ="),
        (f"    {SET_INPUT}", f"    torch.set_rng_state(state)\n    {SET_INPUT}"),
        cause="same at two calls",
    ),
    edit(
        "one random bias for both",
        "initial_parameters",
        "copied",
        (f"    {SET_INPUT}", f"    b_hidden = b_input.clone()\n    {SET_INPUT}"),
        cause="repeats",
    ),
    edit(
        "one block for all gates",
        "initial_parameters",
        "drawn once, and repeated",
        (f"    {SET_INPUT}", f"    w_hidden = w_hidden[:d_hidden].repeat(4, 1)\n    {SET_INPUT}"),
        cause="repeats",
    ),
    edit(
        "float64",
        "initial_parameters",
        "more precise",
        ("torch.empty(shape)", "torch.empty(shape, dtype=torch.float64)"),
        cause="float64",
    ),
    edit(
        "half of the bias",
        "initial_parameters",
        "shared, and one half forgotten",
        (SET_INPUT, f"{SET_INPUT} / 2"),
        cause="add up",
    ),
    edit(
        "sum of two draws",
        "initial_parameters",
        "a triangle, not uniform",
        (UNIFORM, "(torch.rand(shape) + torch.rand(shape) - 1) * bound"),
        cause="uniform",
    ),
    edit(
        "width of w_input",
        "initial_parameters",
        "each by its own number of columns",
        (
            UNIFORM,
            "torch.empty(shape).uniform_(-1, 1) / (shape[-1] if shape[1:] else d_hidden) ** 0.5",
        ),
        cause="N is d_hidden",
    ),
    # Task 8
    edit(
        "padding is read",
        "classifier",
        "None for a length is enough",
        (READ, READ.replace(", mask", "")),
        cause="mask passed on|read like",
    ),
    edit(
        "last output",
        "classifier",
        "of the longest text",
        (READ, "outputs, _ = run(step, x, (zeros, zeros))\n        hidden = outputs[:, -1]"),
        cause="mask passed on|read like|last output",
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
        cause="at the end|at the start",
    ),
    edit(
        "probabilities",
        "classifier",
        "softmax twice, with the loss",
        ("self.head(hidden)\n", "self.head(hidden).softmax(-1)\n"),
        cause="softmax",
    ),
    edit(
        "classes as hidden units",
        "classifier",
        "the LSTM is as wide as the number of classes",
        ("nn.Linear(d_embedding, 4 * d_hidden)", "nn.Linear(d_embedding, 4 * n_classes)"),
        ("nn.Linear(d_hidden, 4 * d_hidden)", "nn.Linear(n_classes, 4 * n_classes)"),
        ("nn.Linear(d_hidden, n_classes)", "nn.Linear(n_classes, n_classes)"),
        cause="as wide as d_hidden",
    ),
    edit(
        "ids as numbers",
        "classifier",
        "no embedding in use",
        (
            "x = self.embedding(ids)",
            "x = ids[..., None].to(into.weight.dtype).expand(-1, -1, into.in_features)",
        ),
        cause="embedding",
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
        cause="mean of the outputs|last real token|last state",
    ),
    edit(
        "shows the cell state",
        "classifier",
        "the second of the two",
        (READ, READ.replace("(hidden, _)", "(_, hidden)")),
        cause="cell state",
    ),
    edit(
        "padding zeroed, not skipped",
        "classifier",
        "its vectors are 0, the steps go on",
        (
            READ,
            "x = x if mask is None else x * mask[..., None]\n        " + READ.replace(", mask", ""),
        ),
        cause="wait|not read",
    ),
    edit(
        "frozen embedding",
        "classifier",
        "never learns",
        ("x = self.embedding(ids)", "x = self.embedding(ids).detach()"),
        cause="gradient of embedding",
    ),
    edit(
        "one bias",
        "classifier",
        "back.bias forgotten",
        (CELL_CALL, CELL_CALL.replace("back.bias", "0 * back.bias")),
        cause="bias",
    ),
    edit(
        "state detached",
        "classifier",
        "only the head learns",
        ("return self.head(hidden)", "return self.head(hidden.detach())"),
        cause="detached",
    ),
    edit(
        "0 is padding",
        "classifier",
        "the mask made of the ids, if there is none",
        (
            "x = self.embedding(ids)",
            "mask = ids != 0 if mask is None else mask\n        x = self.embedding(ids)",
        ),
        cause="0 like any other|id 0",
    ),
    edit(
        "padding_idx",
        "classifier",
        "row 0 never learns",
        (
            "nn.Embedding(vocab_size, d_embedding)",
            "nn.Embedding(vocab_size, d_embedding, padding_idx=0)",
        ),
        cause="gradient of embedding",
    ),
    edit(
        "reads on",
        "classifier",
        "the state of the last call is the first of the next",
        (
            READ,
            "start = getattr(self, 'last', (zeros, zeros))\n"
            "        start = start if start[0].shape == zeros.shape else (zeros, zeros)\n"
            "        _, self.last = run(step, x, start, mask)\n"
            "        self.last = tuple(s.detach() for s in self.last)\n"
            "        hidden = self.last[0] + 0 * x.sum()",
        ),
        cause="earlier call|detached",
    ),
    edit(
        "dropout",
        "classifier",
        "half of the state, at random",
        ("return self.head(hidden)", "return self.head(F.dropout(hidden, 0.5, self.training))"),
        cause="random|another call",
    ),
    edit(
        "width of the class",
        "classifier",
        "belongs to all models",
        (
            "nn.Linear(d_hidden, n_classes)",
            "nn.Linear(d_hidden, n_classes)\n        type(self).width = d_hidden",
        ),
        ("back.in_features", "self.width"),
        cause="another model",
    ),
    edit(
        "float32 zeros",
        "classifier",
        "the first state does not follow the parameters",
        ("x.new_zeros(len(ids), back.in_features)", "torch.zeros(len(ids), back.in_features)"),
        cause="dtype",
    ),
    edit(
        "evaluation mode",
        "classifier",
        "and never back",
        ("x = self.embedding(ids)", "x = self.eval().embedding(ids)"),
        cause="mode",
    ),
    edit(
        "a norm besides",
        "classifier",
        "parameters that nobody asked for",
        (
            "nn.Linear(d_hidden, n_classes)",
            "nn.Linear(d_hidden, n_classes)\n        self.norm = nn.LayerNorm(d_hidden)",
        ),
        cause="norm.weight",
    ),
    edit(
        "starts with ones",
        "classifier",
        "no zeros",
        ("x.new_zeros", "x.new_ones"),
        cause="starts with zeros|start with zeros",
    ),
    edit(
        "changes the ids",
        "classifier",
        "padding set to 0 in place",
        ("x = self.embedding(ids)", "x = self.embedding(ids if mask is None else ids.mul_(mask))"),
        cause="ids was changed",
    ),
    edit(
        "first token",
        "classifier",
        "the first output",
        (READ, "outputs, _ = run(step, x, (zeros, zeros), mask)\n        hidden = outputs[:, 0]"),
        cause="last",
    ),
    *frozen(
        "recurrent",
        3,
        {
            "two tensors at most": "third tensor|every tensor",
            "multiplied by the mask": "difference",
            "outputs in the dtype of x": "dtype",
            "cut off where there is no mask": "detached",
            "normal and clamped": "normal distribution",
            "a block of zeros in b_hidden": "always the same|spread",
            "the longest of the batch decides": "padding",
        },
    ),
    edit(
        "no bias for a state of zeros",
        "rnn_step",
        "what is zero needs no layer",
        (
            "F.linear(hidden, w_hidden, b_hidden)",
            "(F.linear(hidden, w_hidden, b_hidden) if hidden.any() else 0 * hidden)",
        ),
        cause="differs from torch",
    ),
    edit(
        "the input projected once",
        "rnn_step",
        "kept by the ids of x and weight",
        (
            "    return torch.tanh(F.linear(x, w_input, b_input) +",
            '    kept = rnn_step.__dict__.setdefault("kept", {})\n'
            "    name, new = (id(x), x.shape), F.linear(x, w_input, b_input)\n"
            "    return torch.tanh(kept.setdefault(name, new) +",
        ),
        cause="kept from the first call|tanh of b_input",
    ),
    edit(
        "last state detached but for the first tensor",
        "run",
        "the outputs have the gradient",
        (
            "return torch.stack(outputs, 1), state",
            "return torch.stack(outputs, 1), (state[0], *(s.detach() for s in state[1:]))",
        ),
        cause="detached",
    ),
    edit(
        "a mask kept by its id",
        "run",
        "copied at the first call",
        (
            "    outputs = []",
            '    kept = run.__dict__.setdefault("kept", {})\n'
            "    if mask is not None:\n"
            "        mask = kept.setdefault((id(mask), mask.shape), mask.clone())\n"
            "    outputs = []",
        ),
        cause="kept of the first",
    ),
    edit(
        "large enough for float32",
        "gradient_ratio",
        "small gradients are multiplied by 10¹⁵, which is too much for large ones",
        ("gradient = gradient.double()", "gradient = gradient * 1e15"),
        cause="10³⁰|float32|precise",
    ),
    edit(
        "wipes the gradient of x",
        "gradient_ratio",
        "before the measurement",
        ("    x = x.detach()", "    x.grad = None\n    x = x.detach()"),
        cause="a .grad that x had",
    ),
    edit(
        "frozen parameters do not count",
        "clip",
        "they are not trained",
        ("if p.grad is not None]", "if p.grad is not None and p.requires_grad]"),
        cause="frozen",
    ),
    edit(
        "a ten thousandth more is no more",
        "clip",
        "norms are rounded",
        ("if norm > max_norm:", "if norm > 1.0001 * max_norm:"),
        cause="by however little",
    ),
    edit(
        "the forget gate within bounds",
        "lstm_step",
        "a sigmoid of 14 is 1",
        ("forget_gate.sigmoid()", "forget_gate.clamp(-14, 14).sigmoid()"),
        cause="the gates are|within bounds",
    ),
    edit(
        "one tensor for both states is a start",
        "lstm_step",
        "so it must be zeros",
        (
            "    hidden, cell_state = state\n",
            "    hidden, cell_state = state\n"
            "    cell_state = 0 * cell_state if cell_state is hidden else cell_state\n",
        ),
        cause="one tensor",
    ),
    edit(
        "the reset gate within bounds",
        "gru_step",
        "a sigmoid of 14 is 1",
        (
            "torch.sigmoid(from_x[0] + from_hidden[0])",
            "torch.sigmoid((from_x[0] + from_hidden[0]).clamp(-14, 14))",
        ),
        cause="within bounds",
    ),
    edit(
        "in place where nobody asks for a gradient",
        "gru_step",
        "saves memory when the network writes",
        (
            "    return update * hidden",
            "    if not candidate.requires_grad:\n"
            "        return hidden.mul_(update).add_((1 - update) * candidate)\n"
            "    return update * hidden",
        ),
        cause="hidden was changed",
    ),
    edit(
        "the other bias with another sign",
        "initial_parameters",
        "one draw for both",
        (
            "    b_input[d_hidden",
            "    b_hidden = -b_input\n    b_input[d_hidden",
        ),
        cause="used twice",
    ),
    edit(
        "the last row is the first",
        "initial_parameters",
        "a row used twice",
        ("    b_input[d_hidden", "    w_hidden[-1] = w_hidden[0]\n    b_input[d_hidden"),
        cause="used twice",
    ),
    edit(
        "as long as the last text",
        "classifier",
        "where padding stands at the end",
        (
            "        x = self.embedding(ids)\n",
            "        if mask is not None and mask[:, 0].all():\n"
            "            longest = int(mask[-1].sum()) + 1\n"
            "            ids, mask = ids[:, :longest], mask[:, :longest]\n"
            "        x = self.embedding(ids)\n",
        ),
        cause="padding",
    ),
    edit(
        "a byte for an id",
        "classifier",
        "up to 255",
        ("self.embedding(ids)", "self.embedding(ids.to(torch.uint8).long())"),
        cause="ids|wrong without a mask",
    ),
    *frozen(
        "recurrent",
        2,
        {
            "rnn: sums kept within ten": "kept within",
            "run: zero times what padding made": "of another dtype",
            "ratio: plain norms of float32": "float32",
            "ratio: a layer left in training mode": "mode",
            "ratio: parameters thawed": "frozen",
            "ratio: a seed for the layer's dropout": "generator",
            "clip: a millionth in the denominator": "small number added",
            "clip: removed from the caller's list": "list of parameters",
            "clip: a view of each gradient": "transposed",
            "lstm: cut where 4N is": "last dimension",
            "lstm: weights joined once": "kept from the first call",
            "gru: a weight that fits is not transposed": "transpose",
            "gru: cut where 3N is": "last dimension",
            "classifier: seeded in its constructor": "seed",
        },
    ),
    *frozen(
        "recurrent",
        4,
        {
            "ratio: one common scale in float32": "scale",
            "lstm: sums clamped to 30": "bounds",
            "lstm: in place where no gradient is kept": "changed in place",
            "gru: all open gives the argument back": "handed back",
        },
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
        "twice a sigmoid",
        "rnn_step",
        "tanh(z) = 2 σ(2z) − 1, einsum",
        """
        z = torch.einsum("bc,nc->bn", x, w_input) + torch.einsum("bm,nm->bn", hidden, w_hidden)
        z = z + b_input + b_hidden
        return 2 * torch.sigmoid(2 * z) - 1
        """,
    ),
    fill(
        "a tensor of outputs",
        "run",
        "zeros of the state's width, filled position by position",
        """
        n_batch, n_positions, _ = x.shape
        real = x.new_ones(n_batch, n_positions).bool() if mask is None else mask
        outputs = torch.zeros(n_batch, n_positions, state[0].shape[1], dtype=state[0].dtype)
        for t in range(n_positions):
            column = real[:, t].unsqueeze(1)
            state = tuple(
                column * new + ~column * old for new, old in zip(step(x[:, t], state), state)
            )
            outputs[:, t] = column * state[0]
        return outputs, state
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
                m = mask[:, t].unsqueeze(-1).int()
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
        first, final = gradient[:, 0].double(), gradient[:, -1].double()
        return math.sqrt(float((first**2).sum())) / math.sqrt(float((final**2).sum()))
        """,
    ),
    fill(
        "the mean",
        "gradient_ratio",
        "its gradients are smaller, all by the same factor",
        """
        probe = torch.tensor(x.detach().tolist(), dtype=x.dtype, requires_grad=True)
        grad = torch.autograd.grad(layer(probe)[:, -1, :].mean(), [probe])[0]
        norms = grad.double().pow(2).sum(dim=(0, 2)).sqrt()
        return norms[0].item() / norms[-1].item()
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
        first, last = (torch.linalg.vector_norm(g, dtype=torch.float64) for g in pair)
        return float(first / last)
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
        "a gradient at a time",
        "clip",
        "torch.linalg, div_",
        """
        kept = []
        for parameter in parameters:
            if parameter.grad is not None:
                kept.append(parameter.grad)
        norms = [torch.linalg.vector_norm(g, dtype=torch.float64).item() for g in kept]
        total = math.hypot(*norms)
        if max_norm < total:
            for g in kept:
                g.div_(total).mul_(max_norm)
        return float(total)
        """,
    ),
    fill(
        "half a tanh",
        "lstm_step",
        "σ(z) = ½ + ½ tanh(z/2), split",
        """
        def open_by(z):
            return 0.5 + 0.5 * torch.tanh(z / 2)

        h, c = state
        z = torch.einsum("bc,nc->bn", x, w_input) + torch.einsum("bm,nm->bn", h, w_hidden)
        i, f, g, o = torch.split(z + (b_input + b_hidden), h.size(1), dim=1)
        kept, added = open_by(f) * c, open_by(i) * torch.tanh(g)
        c = kept + added
        return open_by(o) * torch.tanh(c), c
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
        "a distribution",
        "initial_parameters",
        "torch.distributions, blocks joined",
        """
        bound = 1 / d_hidden**0.5
        uniform = torch.distributions.Uniform(-bound, bound)
        w_input = uniform.sample((4 * d_hidden, d_input))
        w_hidden = uniform.sample((4 * d_hidden, d_hidden))
        biases = []
        for share in (0.25, 0.75):
            blocks = [uniform.sample((d_hidden,)) for _ in range(4)]
            blocks[1] = torch.full((d_hidden,), share * forget_bias)
            biases.append(torch.cat(blocks))
        return w_input, w_hidden, *biases
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
    *frozen(
        "recurrent",
        2,
        {
            "ratio: squares in float64": "",
        },
    ),
    *frozen(
        "recurrent",
        4,
        {
            "rnn: tanh from a sigmoid": "",
            "run: state cast to its first dtype": "",
            "ratio: generator runs on": "",
            "ratio: only torch's generator is put back": "",
        },
    ),
    *frozen("recurrent", 5, {"run: the wider dtype": "", "ratio: draws": ""}),
]
