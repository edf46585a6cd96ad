from faults import write

_RNN = '''
def rnn_step(
    x: Tensor,
    hidden: Tensor,
    w_input: Tensor,
    w_hidden: Tensor,
    b_input: Tensor,
    b_hidden: Tensor,
) -> Tensor:
    """tanh(x w_inputᵀ + b_input + hidden w_hiddenᵀ + b_hidden): (B, N)."""
'''
_LSTM = '''
def lstm_step(
    x: Tensor,
    state: tuple[Tensor, Tensor],
    w_input: Tensor,
    w_hidden: Tensor,
    b_input: Tensor,
    b_hidden: Tensor,
) -> tuple[Tensor, Tensor]:
    """The next (hidden, cell_state), gates in torch's order."""
'''
_GRU = '''
def gru_step(
    x: Tensor,
    hidden: Tensor,
    w_input: Tensor,
    w_hidden: Tensor,
    b_input: Tensor,
    b_hidden: Tensor,
) -> Tensor:
    """The next hidden vectors (B, N), blocks in torch's order."""
'''
_PARTS = '''
class Classifier(nn.Module):
    """Embedding, LSTM, and logits from the state after the last real token."""

    def __init__(self, vocab_size: int, n_classes: int, d_embedding: int, d_hidden: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_embedding)
        self.input_projection = nn.Linear(d_embedding, 4 * d_hidden)
        self.hidden_projection = nn.Linear(d_hidden, 4 * d_hidden)
        self.head = nn.Linear(d_hidden, n_classes)
'''

WRONG = [
    # ------------------------------------------------------------------ rnn_step
    write(
        "rnn: all in float32",
        "rnn_step",
        "'Return the new hidden vectors ... in the dtype of the arguments'",
        _RNN
        + r"""
    z = F.linear(x.float(), w_input.float(), b_input.float())
    z = z + F.linear(hidden.float(), w_hidden.float(), b_hidden.float())
    return torch.tanh(z)
""",
    ),
    write(
        "rnn: by way of float32",
        "rnn_step",
        "'in the dtype of the arguments, from float16 to float64, and as precisely as that allows': float64 is "
        "rounded to float32 on the way",
        _RNN
        + r"""
    z = x.float() @ w_input.float().T + b_input.float()
    z = z + hidden.float() @ w_hidden.float().T + b_hidden.float()
    return z.tanh().to(x.dtype)
""",
    ),
    write(
        "rnn: tanh of four exponentials",
        "rnn_step",
        "'The tanh may get sums of thousands, of either sign. Neither a number nor a gradient is NaN then': inf / inf",
        _RNN
        + r"""
    z = x @ w_input.T + b_input + hidden @ w_hidden.T + b_hidden
    up, down = torch.exp(z), torch.exp(-z)
    return (up - down) / (up + down)
""",
    ),
    write(
        "rnn: tanh with a NaN gradient",
        "rnn_step",
        "'Neither a number nor a gradient is NaN then': 1 − 2 / (exp(2z) + 1) is right also at z = 1000, and its "
        "gradient is 0 · inf",
        _RNN
        + r"""
    z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
    return 1 - 2 / (torch.exp(2 * z) + 1)
""",
    ),
    write(
        "rnn: sums kept within ten",
        "rnn_step",
        "'as precisely as that allows': in float64 tanh(10) is not tanh(18), and the cut makes small gradients 0",
        _RNN
        + r"""
    z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
    return torch.tanh(z.clamp(-10, 10))  # no overflow
""",
    ),
    write(
        "rnn: one bias added in place",
        "rnn_step",
        "'no argument is changed': b_input += b_hidden",
        _RNN
        + r"""
    b_input += b_hidden
    return torch.tanh(x @ w_input.T + hidden @ w_hidden.T + b_input)
""",
    ),
    write(
        "rnn: a weight that fits is not transposed",
        "rnn_step",
        "'Sizes may be equal': with C = N the weight fits untransposed, too. 'A weight of shape (N, C) acts as "
        "x @ weight.T'",
        _RNN
        + r"""
    def product(vectors, weight):
        return vectors @ (weight if weight.shape[0] == vectors.shape[1] else weight.T)

    return torch.tanh(product(x, w_input) + b_input + F.linear(hidden, w_hidden, b_hidden))
""",
    ),
    write(
        "rnn: the old state detached",
        "rnn_step",
        "'Gradients pass to all six arguments'",
        _RNN
        + r"""
    old = hidden.detach()  # the graph would grow with each step
    return torch.tanh(F.linear(x, w_input, b_input) + F.linear(old, w_hidden, b_hidden))
""",
    ),
    write(
        "rnn: tanh made of a sigmoid",
        "rnn_step",
        "'as precisely as that allows': 2σ(2z) − 1 cancels, and has no right digit left at z = 1e-8",
        _RNN
        + r"""
    z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
    return 2 * torch.sigmoid(2 * z) - 1
""",
    ),
    # ------------------------------------------------------------------ run
    write(
        "run: a step left out where all is padding",
        "run",
        "'Call `step` once for each position, in order, with the whole batch, also where all is padding'",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    outputs = []
    for t in range(x.shape[1]):
        if mask is None:
            state = step(x[:, t], state)
            outputs.append(state[0])
            continue
        real = mask[:, t, None]
        if real.any():
            new = step(x[:, t], state)
            state = tuple(torch.where(real, n, o) for n, o in zip(new, state, strict=True))
        outputs.append(torch.where(real, state[0], torch.zeros_like(state[0])))
    return torch.stack(outputs, 1), tuple(state)
''',
    ),
    write(
        "run: outputs as wide as the inputs",
        "run",
        "'`N` may be `C` or not'",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    outputs = torch.zeros_like(x)
    for t in range(x.shape[1]):
        new = step(x[:, t], state)
        if mask is None:
            state = tuple(new)
            outputs[:, t] = state[0]
        else:
            real = mask[:, t, None]
            state = tuple(torch.where(real, n, o) for n, o in zip(new, state, strict=True))
            outputs[:, t] = state[0] * real
    return outputs, state
''',
    ),
    write(
        "run: padding at the end only",
        "run",
        "'Padding may stand anywhere: at the end, at the start, in the middle'",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    n_positions = x.shape[1]
    if mask is None:
        lengths = torch.full((len(x),), n_positions)
    else:
        lengths = mask.sum(1)
    outputs = []
    for t in range(n_positions):
        real = (t < lengths)[:, None]
        new = step(x[:, t], state)
        state = tuple(torch.where(real, n, o) for n, o in zip(new, state))
        outputs.append(state[0].masked_fill(~real, 0))
    return torch.stack(outputs, 1), state
''',
    ),
    write(
        "run: written into the first state",
        "run",
        "'no argument is changed, and the tensors of the first state are arguments, too'",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    if mask is None:
        mask = torch.ones(x.shape[:2], dtype=torch.bool)
    outputs = []
    for t in range(x.shape[1]):
        new = step(x[:, t], state)
        for old, part in zip(state, new):
            old[mask[:, t]] = part[mask[:, t]]
        outputs.append(torch.where(mask[:, t, None], state[0], 0.0))
    return torch.stack(outputs, 1), tuple(state)
''',
    ),
    write(
        "run: the real items only",
        "run",
        "'Call `step` once for each position, in order, with the whole batch'",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    if mask is None:
        mask = torch.ones(x.shape[:2], dtype=torch.bool)
    outputs = []
    for t in range(x.shape[1]):
        rows = mask[:, t].nonzero()[:, 0]
        new = step(x[rows, t], tuple(part[rows] for part in state))
        state = tuple(old.index_copy(0, rows, part) for old, part in zip(state, new))
        outputs.append(state[0] * mask[:, t, None])
    return torch.stack(outputs, 1), state
''',
    ),
    write(
        "run: a stack of states",
        "run",
        "'two in an LSTM, which may differ in width': torch.stack wants equal ones",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    outputs = []
    for t in range(x.shape[1]):
        new = tuple(step(x[:, t], state))
        if mask is None:
            outputs.append(new[0])
        else:
            real = mask[:, t, None]
            new = torch.where(real, torch.stack(new), torch.stack(tuple(state))).unbind()
            outputs.append(torch.where(real, new[0], 0.0))
        state = new
    return torch.stack(outputs, 1), tuple(state)
''',
    ),
    write(
        "run: the outputs detached",
        "run",
        "'Gradients pass, to `x` and to the first state'",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    first = state[0]
    outputs = torch.zeros(x.shape[0], x.shape[1], first.shape[1], dtype=first.dtype)
    for t in range(x.shape[1]):
        new = step(x[:, t], state)
        if mask is not None:
            real = mask[:, t, None]
            new = tuple(torch.where(real, n, o) for n, o in zip(new, state, strict=True))
            outputs[:, t] = torch.where(real, new[0], torch.zeros_like(new[0])).data
        else:
            outputs[:, t] = new[0].data
        state = tuple(new)
    return outputs, state
''',
    ),
    write(
        "run: as many steps as the longest has tokens",
        "run",
        "'Call `step` once for each position ... also where all is padding'; 'Padding may stand anywhere': the "
        "positions behind the greatest number of tokens aren't read",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    longest = x.shape[1] if mask is None else int(mask.sum(1).max())
    outputs = [torch.zeros_like(state[0])] * x.shape[1]
    for t in range(longest):
        new = step(x[:, t], state)
        if mask is None:
            state = tuple(new)
            outputs[t] = state[0]
            continue
        real = mask[:, t].unsqueeze(1)
        state = tuple(torch.where(real, n, o) for n, o in zip(new, state))
        outputs[t] = torch.where(real, state[0], 0.0)
    return torch.stack(outputs, 1), state
''',
    ),
    write(
        "run: zero times what padding made",
        "run",
        "'At a position of padding ... every tensor of the state holds what it held before': 0 · NaN is NaN, if "
        "the step overflows there; and a float mask makes float16 states float32",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    if mask is None:
        mask = torch.ones(x.shape[:2])
    outputs = []
    for t in range(x.shape[1]):
        real = mask[:, t, None].float()
        new = step(x[:, t], state)
        state = tuple(real * n + (1 - real) * o for n, o in zip(new, state))
        outputs.append(real * state[0])
    return torch.stack(outputs, 1), state
''',
    ),
    # ------------------------------------------------------------------ gradient_ratio
    write(
        "ratio: a mean of the items' norms",
        "gradient_ratio",
        "'A norm is the root of the sum of the squares over the **whole batch** and all features'",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
    norms = gradient.double().norm(dim=-1).mean(0)
    return (norms[0] / norms[-1]).item()
''',
    ),
    write(
        "ratio: plain norms of float32",
        "gradient_ratio",
        "'as precise as the dtype of `x` allows, and the same for gradients that are all very small': squares of "
        "1e-30 are 0 in float32",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
    first = gradient[:, 0].pow(2).sum().sqrt()
    last = gradient[:, -1].pow(2).sum().sqrt()
    return (first / last).item()
''',
    ),
    write(
        "ratio: something against a division by 0",
        "gradient_ratio",
        "'the same for gradients that are all very small': 1e-8 is no small number beside them",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
    gradient = gradient.double()
    return (gradient[:, 0].norm() / (gradient[:, -1].norm() + 1e-8)).item()
''',
    ),
    write(
        "ratio: squares in float64",
        "gradient_ratio",
        "'the same for gradients that are all very small': for an `x` of float64 the squares of 1e-200 are 0",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
    first, last = (gradient[:, t].double().square().sum() for t in (0, -1))
    return math.sqrt(first.item() / last.item()) if last else float("nan")
''',
    ),
    write(
        "ratio: a layer left in training mode",
        "gradient_ratio",
        "'so is the layer with its mode': train() afterwards, also for a layer (or a part of one) that was in eval",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    x = x.detach().clone().requires_grad_()
    if isinstance(layer, nn.Module):
        layer.eval()  # no dropout while we measure
    outputs = layer(x)
    if isinstance(layer, nn.Module):
        layer.train()
    (gradient,) = torch.autograd.grad(outputs[:, -1].sum(), x)
    gradient = gradient.double()
    gradient = gradient / gradient.abs().max()
    return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
''',
    ),
    write(
        "ratio: gradients cleared afterwards",
        "gradient_ratio",
        "'No parameter gets a `.grad`, and one that has a `.grad` keeps it as it is'",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    x = x.detach().clone().requires_grad_()
    layer(x)[:, -1].sum().backward()
    if isinstance(layer, nn.Module):
        layer.zero_grad()
    gradient = x.grad.double()
    gradient /= gradient.abs().max()
    return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
''',
    ),
    write(
        "ratio: x itself wants a gradient for a while",
        "gradient_ratio",
        "'`x` is as it was (also its `requires_grad`)': one that wanted a gradient does not any more",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
    x.requires_grad_(False)
    gradient = gradient.double()
    gradient = gradient / gradient.abs().max()
    return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
''',
    ),
    write(
        "ratio: parameters thawed",
        "gradient_ratio",
        "'A measurement leaves no traces: ... so is the layer': frozen parameters want gradients afterwards",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    parameters = list(layer.parameters()) if isinstance(layer, nn.Module) else []
    for parameter in parameters:  # so that backward leaves nothing there
        parameter.requires_grad_(False)
    x = x.detach().clone().requires_grad_()
    layer(x)[:, -1].sum().backward()
    for parameter in parameters:
        parameter.requires_grad_(True)
    gradient = x.grad.double() / x.grad.double().abs().max()
    return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
''',
    ),
    write(
        "ratio: a seed for the layer's dropout",
        "gradient_ratio",
        "Introduction: 'an answer changes neither its arguments nor the global random generators'; 'A measurement leaves no "
        "traces'",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    torch.manual_seed(0)  # the same measurement each time
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
    gradient = gradient.double() / gradient.double().abs().max()
    return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
''',
    ),
    write(
        "ratio: sums of absolute values",
        "gradient_ratio",
        "'A norm is the root of the sum of the squares'",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
    size = gradient.double().abs()
    return (size[:, 0].sum() / size[:, -1].sum()).item()
''',
    ),
    write(
        "ratio: the first item alone",
        "gradient_ratio",
        "'Take the sum of all numbers of its **last** output ... over the **whole batch**'",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[0, -1].sum(), x)
    gradient = gradient.double()
    gradient = gradient / gradient.abs().max()
    return float(gradient[:, 0].norm() / gradient[:, -1].norm())
''',
    ),
    # ------------------------------------------------------------------ clip
    write(
        "clip: parameters walked through twice",
        "clip",
        "'`parameters` may be any iterable, such as the generator model.parameters(), which can be walked through "
        "only once'",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    squares = sum(float(p.grad.double().square().sum()) for p in parameters if p.grad is not None)
    norm = math.sqrt(squares)
    if norm > max_norm:
        for p in parameters:
            if p.grad is not None:
                p.grad.mul_(max_norm / norm)
    return norm
''',
    ),
    write(
        "clip: a millionth in the denominator",
        "clip",
        "'every gradient is multiplied by the same number, so that the norm becomes `max_norm`': with norms of "
        "1e-6 the result is half of it",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(g.double().pow(2).sum().item() for g in gradients))
    scale = max_norm / (norm + 1e-6)
    if scale < 1:
        for g in gradients:
            g.mul_(scale)
    return norm
''',
    ),
    write(
        "clip: divided by a norm of 0",
        "clip",
        "'All gradients may be 0: they stay 0' and '0.0 if there are none': a ZeroDivisionError",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(g.double().pow(2).sum().item() for g in gradients))
    scale = min(1.0, max_norm / norm)
    for g in gradients:
        g.mul_(scale)
    return norm
''',
    ),
    write(
        "clip: a new tensor in grad",
        "clip",
        "'The numbers of `parameter.grad` are changed **in place**: whoever holds the tensor sees the change'",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    parameters = [p for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(p.grad.double().square().sum().item() for p in parameters))
    if norm > max_norm:
        for p in parameters:
            p.grad = p.grad * (max_norm / norm)
    return norm
''',
    ),
    write(
        "clip: the norm of a matrix",
        "clip",
        "'as one long vector'; 'A gradient may have any number of dimensions': torch.linalg.norm(g, 2) of a matrix is "
        "its largest singular value",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(torch.linalg.norm(g, 2).item() ** 2 for g in gradients))
    if norm > max_norm:
        for g in gradients:
            g.mul_(max_norm / norm)
    return norm
''',
    ),
    write(
        "clip: nothing to join",
        "clip",
        "'Return the norm ...; 0.0 if there are none': torch.cat([]) raises",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.cat([g.reshape(-1) for g in gradients]).double().norm().item()
    if norm > max_norm:
        for g in gradients:
            g.mul_(max_norm / norm)
    return norm
''',
    ),
    write(
        "clip: removed from the caller's list",
        "clip",
        "Introduction: 'an answer changes neither its arguments ...'; 'Nothing else ... is changed': parameters "
        "without a gradient vanish from the list",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    if not isinstance(parameters, list):
        parameters = list(parameters)
    for k in reversed(range(len(parameters))):
        if parameters[k].grad is None:
            del parameters[k]
    norm = math.sqrt(sum(p.grad.double().square().sum().item() for p in parameters))
    if norm > max_norm:
        for p in parameters:
            p.grad.mul_(max_norm / norm)
    return norm
''',
    ),
    write(
        "clip: a view of each gradient",
        "clip",
        "'A gradient may have any number of dimensions': view(-1) refuses one that is transposed in memory",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    vectors = [p.grad.view(-1) for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(float(v.double() @ v.double()) for v in vectors))
    if norm > max_norm:
        for v in vectors:
            v *= max_norm / norm
    return norm
''',
    ),
    write(
        "clip: absurd numbers cut first",
        "clip",
        "'every gradient is multiplied by the same number'; 'its numbers may be as large as 10¹²': numbers beyond a "
        "million are cut, so the norm is too small and the direction changes",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    for g in gradients:
        torch.nan_to_num_(g).clamp_(-1e6, 1e6)
    norm = math.sqrt(sum(g.double().square().sum().item() for g in gradients))
    if norm > max_norm:
        for g in gradients:
            g.mul_(max_norm / norm)
    return norm
''',
    ),
    # ------------------------------------------------------------------ lstm_step
    write(
        "lstm: the cell state in place",
        "lstm_step",
        "'no argument is changed': the tensors of `state` are",
        _LSTM
        + r"""
    hidden, cell_state = state
    z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
    i, f, candidate, o = z.chunk(4, dim=-1)
    cell_state.mul_(f.sigmoid()).add_(i.sigmoid() * candidate.tanh())
    return o.sigmoid() * cell_state.tanh(), cell_state
""",
    ),
    write(
        "lstm: a sigmoid with a NaN gradient",
        "lstm_step",
        "'Neither a number nor a gradient is NaN then': 1 / (1 + exp(1000)) is 0, and its gradient 0 · inf",
        _LSTM
        + r"""
    def sigmoid(a):
        return 1 / (1 + torch.exp(-a))

    hidden, cell_state = state
    z = x @ w_input.T + b_input + hidden @ w_hidden.T + b_hidden
    i, f, candidate, o = z.chunk(4, dim=-1)
    cell_state = sigmoid(f) * cell_state + sigmoid(i) * torch.tanh(candidate)
    return sigmoid(o) * torch.tanh(cell_state), cell_state
""",
    ),
    write(
        "lstm: sums in a tensor of float32",
        "lstm_step",
        "'in the dtype of the arguments, from float16 to float64': z is float32 whatever comes",
        _LSTM
        + r"""
    hidden, cell_state = state
    z = torch.zeros(x.shape[0], w_input.shape[0])
    z += F.linear(x, w_input, b_input)
    z += F.linear(hidden, w_hidden, b_hidden)
    i, f, candidate, o = z.chunk(4, -1)
    cell_state = f.sigmoid() * cell_state + i.sigmoid() * candidate.tanh()
    return o.sigmoid() * cell_state.tanh(), cell_state
""",
    ),
    write(
        "lstm: cut where 4N is",
        "lstm_step",
        "'Sizes may be equal': with B = 4N the batch is cut, and not the features",
        _LSTM
        + r"""
    hidden, cell_state = state
    z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
    wide = list(z.shape).index(4 * hidden.shape[-1])
    i, f, candidate, o = (part.reshape(hidden.shape) for part in z.chunk(4, wide))
    new = torch.sigmoid(f) * cell_state + torch.sigmoid(i) * torch.tanh(candidate)
    return torch.sigmoid(o) * torch.tanh(new), new
""",
    ),
    write(
        "lstm: the old cell state detached",
        "lstm_step",
        "'Gradients pass to all'",
        _LSTM
        + r"""
    hidden, cell_state = state
    z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
    i, f, candidate, o = z.chunk(4, -1)
    new = f.sigmoid() * cell_state.data + i.sigmoid() * candidate.tanh()
    return o.sigmoid() * new.tanh(), new
""",
    ),
    write(
        "lstm: a cell state of fifty at most",
        "lstm_step",
        "'Gates, candidate and cell state may be thousands, of either sign': σ(forget) ⊙ cell state is, too",
        _LSTM
        + r"""
    hidden, cell_state = state
    z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
    i, f, candidate, o = z.chunk(4, -1)
    new = f.sigmoid() * cell_state + i.sigmoid() * candidate.tanh()
    new = new.clamp(-50, 50)  # tanh is 1 there, and nothing overflows
    return o.sigmoid() * new.tanh(), new
""",
    ),
    write(
        "lstm: gates made of tanh",
        "lstm_step",
        "'as precisely as that allows': ½ + ½ tanh(z / 2) is 0 in float32 from z = −18 on, where σ(z) is 1e-8, and "
        "the cell state it meets may be thousands",
        _LSTM
        + r"""
    def gate(a):
        return 0.5 + 0.5 * torch.tanh(a / 2)

    hidden, cell_state = state
    z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
    i, f, candidate, o = z.chunk(4, -1)
    new = gate(f) * cell_state + gate(i) * torch.tanh(candidate)
    return gate(o) * torch.tanh(new), new
""",
    ),
    write(
        "lstm: weights joined once",
        "lstm_step",
        "'Return the new (hidden, cell_state)' of the weights given: those joined for an earlier call stay in a "
        "cache by identity, though an optimizer changes them in place",
        r'''
_joined = {}


def lstm_step(
    x: Tensor,
    state: tuple[Tensor, Tensor],
    w_input: Tensor,
    w_hidden: Tensor,
    b_input: Tensor,
    b_hidden: Tensor,
) -> tuple[Tensor, Tensor]:
    """The next (hidden, cell_state), gates in torch's order."""
    key = id(w_input), id(w_hidden)
    if key not in _joined:  # joining is slow; the weights are kept, so that no id is used again
        _joined[key] = torch.cat([w_input, w_hidden], 1), w_input, w_hidden
    hidden, cell_state = state
    z = F.linear(torch.cat([x, hidden], 1), _joined[key][0], b_input + b_hidden)
    i, f, candidate, o = z.chunk(4, -1)
    new = f.sigmoid() * cell_state + i.sigmoid() * candidate.tanh()
    return o.sigmoid() * new.tanh(), new
''',
    ),
    # ------------------------------------------------------------------ gru_step
    write(
        "gru: hidden in place",
        "gru_step",
        "'no argument is changed'",
        _GRU
        + r"""
    a = F.linear(x, w_input, b_input).chunk(3, -1)
    c = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
    r, z = torch.sigmoid(a[0] + c[0]), torch.sigmoid(a[1] + c[1])
    n = torch.tanh(a[2] + r * c[2])
    return hidden.mul_(z).add_((1 - z) * n)
""",
    ),
    write(
        "gru: a sigmoid of inf over inf",
        "gru_step",
        "'Gates and candidate may be thousands, of either sign. Neither a number nor a gradient is NaN then'",
        _GRU
        + r"""
    def sigmoid(a):
        return a.exp() / (1 + a.exp())

    a = F.linear(x, w_input, b_input).chunk(3, -1)
    c = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
    r, z = sigmoid(a[0] + c[0]), sigmoid(a[1] + c[1])
    n = torch.tanh(a[2] + r * c[2])
    return z * hidden + (1 - z) * n
""",
    ),
    write(
        "gru: gates in float32",
        "gru_step",
        "'as precisely as that allows': float64 gates are rounded to float32 on the way",
        _GRU
        + r"""
    dtype = x.dtype
    a = F.linear(x, w_input, b_input).float().chunk(3, -1)
    c = F.linear(hidden, w_hidden, b_hidden).float().chunk(3, -1)
    r, z = (a[0] + c[0]).sigmoid(), (a[1] + c[1]).sigmoid()
    n = (a[2] + r * c[2]).tanh()
    return (z * hidden.float() + (1 - z) * n).to(dtype)
""",
    ),
    write(
        "gru: the answer in float64",
        "gru_step",
        "'Return the new hidden vectors ... in the dtype of the arguments'",
        _GRU
        + r"""
    wide = torch.float64 if x.dtype != torch.float32 else torch.float32  # float16 is too narrow
    x, hidden, w_input, w_hidden, b_input, b_hidden = (
        part.to(wide) for part in (x, hidden, w_input, w_hidden, b_input, b_hidden)
    )
    a_reset, a_update, a_candidate = F.linear(x, w_input, b_input).chunk(3, -1)
    c_reset, c_update, c_candidate = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
    r, z = torch.sigmoid(a_reset + c_reset), torch.sigmoid(a_update + c_update)
    n = torch.tanh(a_candidate + r * c_candidate)
    return z * hidden + (1 - z) * n
""",
    ),
    write(
        "gru: a weight that fits is not transposed",
        "gru_step",
        "'Sizes may be equal': with C = 3N the weight (3N, C) fits untransposed",
        _GRU
        + r"""
    def product(vectors, weight, bias):
        if vectors.shape[-1] == weight.shape[0]:
            return vectors @ weight + bias
        return vectors @ weight.T + bias

    a = product(x, w_input, b_input).chunk(3, -1)
    c = product(hidden, w_hidden, b_hidden).chunk(3, -1)
    r, z = (a[0] + c[0]).sigmoid(), (a[1] + c[1]).sigmoid()
    return z * hidden + (1 - z) * (a[2] + r * c[2]).tanh()
""",
    ),
    write(
        "gru: what is kept is detached",
        "gru_step",
        "'Gradients pass to all': the straight way from hidden to hidden′ has none",
        _GRU
        + r"""
    a = F.linear(x, w_input, b_input).chunk(3, -1)
    c = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
    r, z = (a[0] + c[0]).sigmoid(), (a[1] + c[1]).sigmoid()
    n = (a[2] + r * c[2]).tanh()
    return z * hidden.clone().detach() + (1 - z) * n
""",
    ),
    write(
        "gru: cut where 3N is",
        "gru_step",
        "'Sizes may be equal': with B = 3N the batch is cut, and not the features",
        _GRU
        + r"""
    a = F.linear(x, w_input, b_input)
    c = F.linear(hidden, w_hidden, b_hidden)
    wide = list(a.shape).index(w_hidden.shape[0])
    a = [part.reshape(hidden.shape) for part in a.chunk(3, wide)]
    c = [part.reshape(hidden.shape) for part in c.chunk(3, wide)]
    r, z = torch.sigmoid(a[0] + c[0]), torch.sigmoid(a[1] + c[1])
    n = torch.tanh(a[2] + r * c[2])
    return z * hidden + (1 - z) * n
""",
    ),
    write(
        "gru: a candidate with a NaN gradient",
        "gru_step",
        "'Neither a number nor a gradient is NaN then': 1 − 2 / (exp(2s) + 1) is right also at s = 1000, and its "
        "gradient is 0 · inf",
        _GRU
        + r"""
    a = F.linear(x, w_input, b_input).chunk(3, -1)
    c = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
    r, z = (a[0] + c[0]).sigmoid(), (a[1] + c[1]).sigmoid()
    n = 1 - 2 / (1 + torch.exp(2 * (a[2] + r * c[2])))
    return z * hidden + (1 - z) * n
""",
    ),
    # ------------------------------------------------------------------ initial_parameters
    write(
        "init: the numbers of nn.Linear",
        "initial_parameters",
        "'uniformly between −1/√N and 1/√N (N is d_hidden, for all four)': nn.Linear takes the width of the input",
        r'''
def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    first, second = nn.Linear(d_input, 4 * d_hidden), nn.Linear(d_hidden, 4 * d_hidden)
    b_input, b_hidden = first.bias.detach(), second.bias.detach()
    b_input[d_hidden : 2 * d_hidden] = forget_bias
    b_hidden[d_hidden : 2 * d_hidden] = 0.0
    return first.weight.detach(), second.weight.detach(), b_input, b_hidden
''',
    ),
    write(
        "init: a truncated normal distribution",
        "initial_parameters",
        "'All numbers are drawn at random, uniformly'",
        r'''
def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    bound = 1 / math.sqrt(d_hidden)
    rows = 4 * d_hidden
    tensors = [torch.empty(shape) for shape in ((rows, d_input), (rows, d_hidden), (rows,), (rows,))]
    for tensor in tensors:
        nn.init.trunc_normal_(tensor, std=bound / 2, a=-bound, b=bound)
    tensors[2][d_hidden : 2 * d_hidden] = forget_bias
    tensors[3][d_hidden : 2 * d_hidden] = 0
    return tuple(tensors)
''',
    ),
    write(
        "init: a seed of its own",
        "initial_parameters",
        "'new ones at each call, from torch's generator as it stands: set no seed'",
        r'''
def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    torch.manual_seed(0)  # the same numbers in each run
    bound, rows = d_hidden**-0.5, 4 * d_hidden
    w_input = torch.empty(rows, d_input).uniform_(-bound, bound)
    w_hidden = torch.empty(rows, d_hidden).uniform_(-bound, bound)
    b_input = torch.empty(rows).uniform_(-bound, bound)
    b_hidden = torch.empty(rows).uniform_(-bound, bound)
    b_input[d_hidden : 2 * d_hidden] = forget_bias
    b_hidden[d_hidden : 2 * d_hidden] = 0
    return w_input, w_hidden, b_input, b_hidden
''',
    ),
    write(
        "init: numpy's generator",
        "initial_parameters",
        "'from torch's generator ... use no other generator, so that the same seed of torch ... gives the same "
        "numbers'",
        r'''
import numpy as np


def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    bound, rows = d_hidden**-0.5, 4 * d_hidden
    generator = np.random.default_rng()
    w_input, w_hidden, b_input, b_hidden = (
        torch.tensor(generator.uniform(-bound, bound, shape), dtype=torch.float32)
        for shape in ((rows, d_input), (rows, d_hidden), rows, rows)
    )
    b_input[d_hidden : 2 * d_hidden] = forget_bias
    b_hidden[d_hidden : 2 * d_hidden] = 0
    return w_input, w_hidden, b_input, b_hidden
''',
    ),
    write(
        "init: a second bias of zeros",
        "initial_parameters",
        "'All other biases stay random'",
        r'''
def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    bound = 1 / math.sqrt(d_hidden)

    def draw(*shape):
        return bound * (2 * torch.rand(*shape) - 1)

    w_input, w_hidden = draw(4 * d_hidden, d_input), draw(4 * d_hidden, d_hidden)
    b_input, b_hidden = draw(4 * d_hidden), torch.zeros(4 * d_hidden)
    b_input[d_hidden : 2 * d_hidden] = forget_bias
    return w_input, w_hidden, b_input, b_hidden
''',
    ),
    write(
        "init: biases above zero",
        "initial_parameters",
        "'All numbers are drawn ... between −1/√N and 1/√N': the biases lie between 0 and 1/√N",
        r'''
def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    bound = 1 / math.sqrt(d_hidden)
    w_input = torch.rand(4 * d_hidden, d_input) * 2 * bound - bound
    w_hidden = torch.rand(4 * d_hidden, d_hidden) * 2 * bound - bound
    b_input, b_hidden = torch.rand(4 * d_hidden) * bound, torch.rand(4 * d_hidden) * bound
    b_input[d_hidden : 2 * d_hidden] = forget_bias
    b_hidden[d_hidden : 2 * d_hidden] = 0.0
    return w_input, w_hidden, b_input, b_hidden
''',
    ),
    write(
        "init: a bias of 0 is no bias",
        "initial_parameters",
        "'the sum of the two forget blocks must be `forget_bias` for every unit': for 0.0, too",
        r'''
def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    bound, rows = d_hidden**-0.5, 4 * d_hidden
    w_input = torch.empty(rows, d_input).uniform_(-bound, bound)
    w_hidden = torch.empty(rows, d_hidden).uniform_(-bound, bound)
    b_input, b_hidden = torch.empty(2, rows).uniform_(-bound, bound)
    if forget_bias:
        b_input[d_hidden : 2 * d_hidden] = forget_bias
        b_hidden[d_hidden : 2 * d_hidden] = 0
    return w_input, w_hidden, b_input, b_hidden
''',
    ),
    write(
        "init: one block four times",
        "initial_parameters",
        "'All numbers are drawn at random': the four gates begin with the same ones",
        r'''
def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    bound = d_hidden**-0.5

    def four_gates(*shape):
        block = torch.empty(d_hidden, *shape).uniform_(-bound, bound)
        return torch.cat([block] * 4)

    w_input, w_hidden = four_gates(d_input), four_gates(d_hidden)
    b_input, b_hidden = four_gates(), four_gates()
    b_input[d_hidden : 2 * d_hidden] = forget_bias
    b_hidden[d_hidden : 2 * d_hidden] = 0
    return w_input, w_hidden, b_input, b_hidden
''',
    ),
    write(
        "init: remembered by the sizes",
        "initial_parameters",
        "'new ones at each call'",
        r'''
from functools import lru_cache


@lru_cache
def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    bound, rows = d_hidden**-0.5, 4 * d_hidden
    w_input = torch.empty(rows, d_input).uniform_(-bound, bound)
    w_hidden = torch.empty(rows, d_hidden).uniform_(-bound, bound)
    b_input, b_hidden = torch.empty(2, rows).uniform_(-bound, bound)
    b_input[d_hidden : 2 * d_hidden] = forget_bias
    b_hidden[d_hidden : 2 * d_hidden] = 0
    return w_input, w_hidden, b_input, b_hidden
''',
    ),
    # ------------------------------------------------------------------ classifier
    write(
        "classifier: id 0 is padding",
        "classifier",
        "'No id is special: 0 is a word, too': padding_idx=0 starts as zeros and never learns",
        _PARTS.replace(
            "nn.Embedding(vocab_size, d_embedding)",
            "nn.Embedding(vocab_size, d_embedding, padding_idx=0)",
        )
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        weights = (
            self.input_projection.weight, self.hidden_projection.weight,
            self.input_projection.bias, self.hidden_projection.bias,
        )
        zeros = self.head.weight.new_zeros(len(ids), self.head.in_features)
        _, (hidden, _) = run(
            lambda x_t, state: lstm_step(x_t, state, *weights), self.embedding(ids), (zeros, zeros), mask
        )
        return self.head(hidden)
''',
    ),
    write(
        "classifier: without a mask 0 is padding",
        "classifier",
        "'`mask` is (B, T), True = a real token, or `None`'; 'No id is special: 0 is a word, too'",
        _PARTS
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        if mask is None:
            mask = ids != 0
        first, second = self.input_projection, self.hidden_projection
        zeros = self.head.weight.new_zeros(len(ids), self.head.in_features)

        def step(x_t, state):
            return lstm_step(x_t, state, first.weight, second.weight, first.bias, second.bias)

        _, state = run(step, self.embedding(ids), (zeros, zeros), mask)
        return self.head(state[0])
''',
    ),
    write(
        "classifier: a start in float32",
        "classifier",
        "'starts with zeros ... in the dtype of the parameters'",
        _PARTS
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        first, second = self.input_projection, self.hidden_projection
        zeros = torch.zeros(ids.shape[0], self.head.in_features)

        def step(x_t, state):
            return lstm_step(x_t, state, first.weight, second.weight, first.bias, second.bias)

        _, state = run(step, self.embedding(ids), (zeros, zeros), mask)
        return self.head(state[0])
''',
    ),
    write(
        "classifier: goes on where it was",
        "classifier",
        "'starts with zeros, at every call anew'; 'A call changes neither the model ...'",
        _PARTS
        + r'''
        self.state = None

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        first, second = self.input_projection, self.hidden_projection
        if self.state is None or len(self.state[0]) != len(ids):
            zeros = first.weight.new_zeros(len(ids), self.head.in_features)
            self.state = zeros, zeros

        def step(x_t, state):
            return lstm_step(x_t, state, first.weight, second.weight, first.bias, second.bias)

        _, state = run(step, self.embedding(ids), self.state, mask)
        self.state = tuple(part.detach() for part in state)
        return self.head(state[0])
''',
    ),
    write(
        "classifier: logarithms of probabilities",
        "classifier",
        "'Return the **logits** of the classes ... No softmax: it belongs to the loss'",
        _PARTS
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        first, second = self.input_projection, self.hidden_projection
        zeros = first.weight.new_zeros(len(ids), self.head.in_features)

        def step(x_t, state):
            return lstm_step(x_t, state, first.weight, second.weight, first.bias, second.bias)

        _, state = run(step, self.embedding(ids), (zeros, zeros), mask)
        return F.log_softmax(self.head(state[0]), dim=-1)
''',
    ),
    write(
        "classifier: seeded in its constructor",
        "classifier",
        "Introduction: 'an answer changes neither its arguments nor the global random generators': a seed is set, "
        "and all models begin alike",
        _PARTS.replace(
            "        self.embedding", "        torch.manual_seed(1)\n        self.embedding"
        )
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        first, second = self.input_projection, self.hidden_projection
        zeros = first.weight.new_zeros(len(ids), self.head.in_features)

        def step(x_t, state):
            return lstm_step(x_t, state, first.weight, second.weight, first.bias, second.bias)

        _, state = run(step, self.embedding(ids), (zeros, zeros), mask)
        return self.head(state[0])
''',
    ),
    write(
        "classifier: padding written into the ids",
        "classifier",
        "'A call changes neither the model nor its arguments'",
        _PARTS
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        if mask is not None:
            ids[~mask] = 0  # whatever stood there
        first, second = self.input_projection, self.hidden_projection
        zeros = first.weight.new_zeros(len(ids), self.head.in_features)

        def step(x_t, state):
            return lstm_step(x_t, state, first.weight, second.weight, first.bias, second.bias)

        _, state = run(step, self.embedding(ids), (zeros, zeros), mask)
        return self.head(state[0])
''',
    ),
    write(
        "classifier: the hidden bias left out",
        "classifier",
        "'The LSTM is that of Task 5, with `input_projection` and `hidden_projection` for its weights and biases'",
        _PARTS
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        n_units = self.head.in_features
        hidden = cell_state = self.head.weight.new_zeros(len(ids), n_units)
        inputs = self.input_projection(self.embedding(ids))
        for t in range(ids.shape[1]):
            z = inputs[:, t] + hidden @ self.hidden_projection.weight.T
            i, f, candidate, o = z.chunk(4, -1)
            new_cell = f.sigmoid() * cell_state + i.sigmoid() * candidate.tanh()
            new_hidden = o.sigmoid() * new_cell.tanh()
            real = ids.new_ones(len(ids), 1).bool() if mask is None else mask[:, t, None]
            hidden = torch.where(real, new_hidden, hidden)
            cell_state = torch.where(real, new_cell, cell_state)
        return self.head(hidden)
''',
    ),
    write(
        "classifier: gates in another order",
        "classifier",
        "'The LSTM is that of Task 5': input, forget, candidate, output; here output comes before candidate",
        _PARTS
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        x = self.embedding(ids)

        def step(x_t, state):
            hidden, cell_state = state
            z = self.input_projection(x_t) + self.hidden_projection(hidden)
            i, f, o, candidate = z.chunk(4, -1)
            cell_state = f.sigmoid() * cell_state + i.sigmoid() * candidate.tanh()
            return o.sigmoid() * cell_state.tanh(), cell_state

        zeros = x.new_zeros(len(x), self.head.in_features)
        return self.head(run(step, x, (zeros, zeros), mask)[1][0])
''',
    ),
    write(
        "classifier: a mean of all outputs",
        "classifier",
        "'from the hidden vector after the last **real** token'",
        _PARTS
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        first, second = self.input_projection, self.hidden_projection
        x = self.embedding(ids)
        zeros = x.new_zeros(len(x), self.head.in_features)

        def step(x_t, state):
            return lstm_step(x_t, state, first.weight, second.weight, first.bias, second.bias)

        outputs, _ = run(step, x, (zeros, zeros), mask)
        n_real = ids.shape[1] if mask is None else mask.sum(1, keepdim=True)
        return self.head(outputs.sum(1) / n_real)
''',
    ),
    write(
        "classifier: the cell state to the head",
        "classifier",
        "'from the **hidden** vector after the last real token': the cell state is the state's second tensor",
        _PARTS
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        first, second = self.input_projection, self.hidden_projection
        x = self.embedding(ids)
        zeros = x.new_zeros(len(x), self.head.in_features)

        def step(x_t, state):
            return lstm_step(x_t, state, first.weight, second.weight, first.bias, second.bias)

        _, state = run(step, x, (zeros, zeros), mask)
        return self.head(state[-1])
''',
    ),
    write(
        "classifier: a size of the class",
        "classifier",
        "'A call changes neither the model nor its arguments, nor another model': the width is kept in the class, so a "
        "second model of other sizes spoils the first",
        _PARTS
        + r'''
        Classifier.d_hidden = d_hidden

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        first, second = self.input_projection, self.hidden_projection
        x = self.embedding(ids)
        zeros = x.new_zeros(len(x), Classifier.d_hidden)

        def step(x_t, state):
            return lstm_step(x_t, state, first.weight, second.weight, first.bias, second.bias)

        _, state = run(step, x, (zeros, zeros), mask)
        return self.head(state[0])
''',
    ),
]

RIGHT = [
    # ------------------------------------------------------------------ rnn_step
    write(
        "rnn: joined inputs, joined weights",
        "rnn_step",
        "one product of [x, hidden] with [w_input, w_hidden]",
        _RNN
        + r"""
    both, weight = torch.cat([x, hidden], dim=1), torch.cat([w_input, w_hidden], dim=1)
    return F.linear(both, weight, b_input + b_hidden).tanh()
""",
    ),
    write(
        "rnn: einsum and float64 inside",
        "rnn_step",
        "wider inside, back to the dtype at the end",
        _RNN
        + r"""
    wide = [part.double() for part in (x, hidden, w_input, w_hidden, b_input, b_hidden)]
    z = torch.einsum("bc,nc->bn", wide[0], wide[2]) + torch.einsum("bm,nm->bn", wide[1], wide[3])
    return torch.tanh(z + wide[4] + wide[5]).to(hidden.dtype)
""",
    ),
    write(
        "rnn: transposed and added by baddbmm",
        "rnn_step",
        "columns for rows: weight @ xᵀ, transposed at the end",
        _RNN
        + r"""
    columns = w_input @ x.mT + w_hidden @ hidden.mT + (b_input + b_hidden).unsqueeze(1)
    return columns.tanh().mT
""",
    ),
    # ------------------------------------------------------------------ run
    write(
        "run: lists and where",
        "run",
        "one loop with and without a mask, zip and where",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    outputs = []
    real = torch.ones(x.shape[:2], dtype=torch.bool) if mask is None else mask
    for x_t, here in zip(x.unbind(1), real.unbind(1)):
        here = here.unsqueeze(-1)
        state = tuple(map(torch.where, [here] * len(state), step(x_t, state), state))
        outputs.append(state[0].masked_fill(~here, 0))
    return torch.stack(outputs, dim=1), state
''',
    ),
    write(
        "run: accumulate",
        "run",
        "itertools.accumulate over the positions, outputs masked at the end",
        r'''
from itertools import accumulate


def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    def after(old, t):
        new = step(x[:, t], old)
        if mask is None:
            return tuple(new)
        return tuple(o.where(~mask[:, t, None], n) for n, o in zip(new, old, strict=True))

    _, *states = accumulate(range(x.shape[1]), after, initial=tuple(state))
    outputs = torch.stack([one[0] for one in states], 1)
    if mask is not None:
        outputs = outputs.masked_fill(mask.logical_not().unsqueeze(-1), 0)
    return outputs, states[-1]
''',
    ),
    write(
        "run: recursion over the positions",
        "run",
        "the first position, then the rest",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    if x.shape[1] == 0:
        first = state[0]
        return first.new_zeros(first.shape[0], 0, first.shape[1]), tuple(state)
    new = tuple(step(x[:, 0], tuple(state)))
    shown = new[0]
    if mask is not None:
        waits = ~mask[:, :1]
        new = tuple(torch.where(waits, before, now) for before, now in zip(state, new))
        shown = torch.where(waits, torch.zeros_like(shown), shown)
    rest, last = run(step, x[:, 1:], new, None if mask is None else mask[:, 1:])
    return torch.cat([shown[:, None], rest], dim=1), last
''',
    ),
    write(
        "run: rows chosen by index_copy",
        "run",
        "the whole batch steps, only the real rows are copied over",
        r'''
def run(step, x: Tensor, state: tuple, mask: Tensor | None = None) -> tuple[Tensor, tuple]:
    """The outputs (B, T, N), zero at padding, and the last state."""
    shown = []
    for t in range(x.size(1)):
        rows = torch.arange(x.size(0)) if mask is None else torch.nonzero(mask[:, t]).flatten()
        new = step(x.select(1, t), state)
        state = tuple(old.index_copy(0, rows, part[rows]) for old, part in zip(state, new))
        shown.append(torch.zeros_like(state[0]).index_copy(0, rows, new[0][rows]))
    return torch.stack(shown, 1), state
''',
    ),
    # ------------------------------------------------------------------ gradient_ratio
    write(
        "ratio: scaled by the largest number",
        "gradient_ratio",
        "float64, and divided by the largest before squaring",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    inputs = x.detach().clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(layer(inputs)[:, -1].sum(), inputs)
    first, last = gradient[:, 0].double(), gradient[:, -1].double()
    unit_first, unit_last = first.abs().max(), last.abs().max()
    if unit_first == 0:
        return 0.0
    norms = (first / unit_first).norm() / (last / unit_last).norm()
    return float(norms * (unit_first / unit_last))
''',
    ),
    write(
        "ratio: math.hypot of lists",
        "gradient_ratio",
        "Python floats; hypot neither overflows nor underflows",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    leaf = torch.empty_like(x).copy_(x.detach()).requires_grad_()
    gradient = torch.autograd.grad(layer(leaf)[:, -1].sum(), [leaf])[0]
    first, last = (math.hypot(*gradient[:, t].flatten().tolist()) for t in (0, x.shape[1] - 1))
    return first / last
''',
    ),
    write(
        "ratio: a vector-Jacobian product",
        "gradient_ratio",
        "torch.autograd.functional.vjp",
        r'''
def gradient_ratio(layer, x: Tensor) -> float:
    """‖∂ Σ last output / ∂x₁‖ over ‖∂ Σ last output / ∂x_T‖."""
    _, gradient = torch.autograd.functional.vjp(lambda inputs: layer(inputs)[:, -1].sum(), x.detach())
    gradient = gradient.detach().to(torch.float64)
    gradient = gradient / gradient.abs().amax()
    squares = gradient.square().sum(dim=(0, 2))
    if squares[0] > 1e-200 and squares[-1] > 1e-200:
        return (squares[0] / squares[-1]).sqrt().item()
    return math.hypot(*gradient[:, 0].flatten().tolist()) / math.hypot(
        *gradient[:, -1].flatten().tolist()
    )
''',
    ),
    # ------------------------------------------------------------------ clip
    write(
        "clip: hypot of norms",
        "clip",
        "norms of float64 vectors, math.hypot over them",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    gradients = [g for g in (p.grad for p in parameters) if g is not None]
    norm = math.hypot(*(g.double().norm().item() for g in gradients))
    if norm > max_norm:
        for g in gradients:
            g *= max_norm / norm
    return norm
''',
    ),
    write(
        "clip: copied over",
        "clip",
        "copy_ of a scaled tensor; fsum of the squares",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    held = tuple(filter(lambda g: g is not None, map(lambda p: p.grad, parameters)))
    norm = math.sqrt(math.fsum(v * v for g in held for v in g.flatten().tolist()))
    if norm > max_norm:
        with torch.no_grad():
            for g in held:
                g.copy_(g.double() * (max_norm / norm))
    return norm
''',
    ),
    write(
        "clip: foreach",
        "clip",
        "torch._foreach_mul_ and one long vector",
        r'''
def clip_gradients(parameters, max_norm: float) -> float:
    """The norm of all gradients together, before they are shortened."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return 0.0
    norm = torch.linalg.vector_norm(
        torch.cat([g.detach().reshape(-1).double() for g in gradients])
    ).item()
    if norm > max_norm:
        torch._foreach_mul_(gradients, max_norm / norm)
    return norm
''',
    ),
    # ------------------------------------------------------------------ lstm_step
    write(
        "lstm: weights cut instead of sums",
        "lstm_step",
        "a linear layer for each of the four blocks",
        _LSTM
        + r"""
    hidden, cell_state = state
    blocks = zip(w_input.chunk(4), w_hidden.chunk(4), b_input.chunk(4), b_hidden.chunk(4))
    i, f, g, o = (F.linear(x, wi, bi) + F.linear(hidden, wh, bh) for wi, wh, bi, bh in blocks)
    cell_state = torch.sigmoid(f) * cell_state + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell_state), cell_state
""",
    ),
    write(
        "lstm: einsum with four gates",
        "lstm_step",
        "weights as (4, N, C), gates as the first dimension",
        _LSTM
        + r"""
    hidden, cell_state = state
    n_units = hidden.shape[1]
    z = torch.einsum("bc,gnc->gbn", x, w_input.reshape(4, n_units, -1))
    z = z + torch.einsum("bm,gnm->gbn", hidden, w_hidden.reshape(4, n_units, n_units))
    z = z + (b_input + b_hidden).reshape(4, 1, n_units)
    enter, keep, show = z[[0, 1, 3]].sigmoid()
    memory = keep * cell_state + enter * z[2].tanh()
    return show * memory.tanh(), memory
""",
    ),
    write(
        "lstm: sigmoids by a softmax",
        "lstm_step",
        "σ(a) is the first of softmax(a, 0), which neither overflows nor is NaN",
        _LSTM
        + r"""
    def gate(a):
        return torch.stack([a, torch.zeros_like(a)]).softmax(0)[0]

    hidden, cell_state = state
    n = hidden.shape[-1]
    z = torch.addmm(b_input, x, w_input.t()) + torch.addmm(b_hidden, hidden, w_hidden.t())
    new = torch.addcmul(gate(z[:, n : 2 * n]) * cell_state, gate(z[:, :n]), z[:, 2 * n : 3 * n].tanh())
    return gate(z[:, 3 * n :]) * new.tanh(), new
""",
    ),
    # ------------------------------------------------------------------ gru_step
    write(
        "gru: weights cut",
        "gru_step",
        "six products, a block of weights each",
        _GRU
        + r"""
    (ar, az, an), (cr, cz, cn) = (
        [F.linear(v, w, b) for w, b in zip(weight.chunk(3), bias.chunk(3))]
        for v, weight, bias in ((x, w_input, b_input), (hidden, w_hidden, b_hidden))
    )
    z = (az + cz).sigmoid()
    return z * hidden + (1 - z) * (an + (ar + cr).sigmoid() * cn).tanh()
""",
    ),
    write(
        "gru: three blocks as a dimension",
        "gru_step",
        "unflatten and unbind; the shut gate by σ(−a)",
        _GRU
        + r"""
    a = F.linear(x, w_input, b_input).unflatten(-1, (3, -1))
    c = F.linear(hidden, w_hidden, b_hidden).unflatten(-1, (3, -1))
    reset, update = torch.sigmoid((a + c)[:, :2]).unbind(1)
    candidate = torch.tanh(torch.addcmul(a[:, 2], reset, c[:, 2]))
    shut = torch.sigmoid(-(a + c)[:, 1])
    return update * hidden + shut * candidate
""",
    ),
    write(
        "gru: one product for both gates",
        "gru_step",
        "gates from joined vectors, the candidate apart",
        _GRU
        + r"""
    n = hidden.size(1)
    joined = torch.cat((x, hidden), -1) @ torch.cat((w_input, w_hidden), -1)[: 2 * n].mT
    gates = torch.special.expit(joined + b_input[: 2 * n] + b_hidden[: 2 * n])
    r, z = torch.tensor_split(gates, 2, dim=-1)
    inner = torch.addmm(b_hidden[2 * n :], hidden, w_hidden[2 * n :].mT)
    new = torch.tanh(torch.addmm(b_input[2 * n :], x, w_input[2 * n :].mT) + r * inner)
    return torch.stack((z, 1 - z)).mul(torch.stack((hidden, new))).sum(0)
""",
    ),
    # ------------------------------------------------------------------ initial_parameters
    write(
        "init: the bias shared in halves",
        "initial_parameters",
        "forget_bias / 2 in each of both",
        r'''
def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    bound, rows = d_hidden**-0.5, 4 * d_hidden
    tensors = tuple(
        torch.empty(shape, dtype=torch.float32).uniform_(-bound, bound)
        for shape in ((rows, d_input), (rows, d_hidden), (rows,), (rows,))
    )
    for bias in tensors[2:]:
        bias[d_hidden : 2 * d_hidden] = forget_bias / 2
    return tensors
''',
    ),
    write(
        "init: one long draw, cut",
        "initial_parameters",
        "all numbers at once by torch.rand; b_input makes up for b_hidden",
        r'''
def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    rows = 4 * d_hidden
    numbers = (2 * torch.rand(rows, d_input + d_hidden + 2, dtype=torch.float32) - 1) / d_hidden**0.5
    w_input, w_hidden, b_input, b_hidden = (
        part.clone() for part in numbers.split([d_input, d_hidden, 1, 1], dim=1)
    )
    b_input, b_hidden = b_input.squeeze(1), b_hidden.squeeze(1)
    forget = slice(d_hidden, 2 * d_hidden)
    b_input[forget] = forget_bias - b_hidden[forget]
    return w_input, w_hidden, b_input, b_hidden
''',
    ),
    write(
        "init: blocks joined",
        "initial_parameters",
        "biases made of four blocks by cat, nn.init for the numbers",
        r'''
def initial_parameters(
    d_input: int, d_hidden: int, forget_bias: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w_input, w_hidden, b_input, b_hidden, with an open forget gate."""
    def draw(*shape):
        side = 1 / math.sqrt(d_hidden)
        return nn.init.uniform_(torch.zeros(*shape, dtype=torch.float32), -side, side)

    def bias(forget):
        return torch.cat([draw(d_hidden), torch.full((d_hidden,), float(forget)), draw(2 * d_hidden)])

    return draw(4 * d_hidden, d_input), draw(4 * d_hidden, d_hidden), bias(0), bias(forget_bias)
''',
    ),
    # ------------------------------------------------------------------ classifier
    write(
        "classifier: run and lstm_step",
        "classifier",
        "a partial function for the step",
        r'''
class Classifier(nn.Module):
    """Embedding, LSTM, and logits from the state after the last real token."""

    def __init__(self, vocab_size: int, n_classes: int, d_embedding: int, d_hidden: int):
        super().__init__()
        parts = {
            "embedding": nn.Embedding(vocab_size, d_embedding),
            "input_projection": nn.Linear(d_embedding, 4 * d_hidden),
            "hidden_projection": nn.Linear(d_hidden, 4 * d_hidden),
            "head": nn.Linear(d_hidden, n_classes),
        }
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        from functools import partial

        into, around = self.input_projection, self.hidden_projection
        step = partial(
            lstm_step, w_input=into.weight, w_hidden=around.weight, b_input=into.bias, b_hidden=around.bias
        )
        x = self.embedding(ids)
        start = tuple(x.new_zeros(2, x.shape[0], self.head.in_features))
        return self.head(run(step, x, start, mask)[1][0])
''',
    ),
    write(
        "classifier: each text alone",
        "classifier",
        "real tokens chosen by the mask, one text after the other",
        _PARTS
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        rows = []
        for b in range(ids.shape[0]):
            hidden = cell_state = self.head.weight.new_zeros(1, self.head.in_features)
            for t in range(ids.shape[1]):
                if mask is not None and not mask[b, t]:
                    continue
                z = self.input_projection(self.embedding(ids[b, t : t + 1])) + self.hidden_projection(hidden)
                i, f, g, o = z.chunk(4, dim=1)
                cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
                hidden = o.sigmoid() * cell_state.tanh()
            rows.append(self.head(hidden))
        return torch.cat(rows)
''',
    ),
    write(
        "classifier: a table of projected words",
        "classifier",
        "the input projection of the whole embedding, looked up",
        _PARTS
        + r'''
    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits (B, n_classes)."""
        table = F.linear(self.embedding.weight, self.input_projection.weight, self.input_projection.bias)
        hidden = table.new_zeros(ids.size(0), self.hidden_projection.in_features)
        cell_state = hidden
        for t, column in enumerate(ids.unbind(1)):
            i, f, g, o = (table[column] + self.hidden_projection(hidden)).chunk(4, 1)
            new_cell = torch.sigmoid(f) * cell_state + torch.sigmoid(i) * torch.tanh(g)
            new_hidden = torch.sigmoid(o) * torch.tanh(new_cell)
            if mask is None:
                hidden, cell_state = new_hidden, new_cell
            else:
                hidden = hidden.where(~mask[:, t, None], new_hidden)
                cell_state = cell_state.where(~mask[:, t, None], new_cell)
        return self.head(hidden)
''',
    ),
]
