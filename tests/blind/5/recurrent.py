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
RNN = """
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
return torch.tanh(z)
"""
WRONG += [
    fill(
        "rnn: a tanh with NaN in its slope",
        "rnn_step",
        "'The tanh may get … sums of thousands …. Neither a number nor a gradient is NaN then'",
        change(RNN, ("torch.tanh(z)", "1 - 2 / (torch.exp(2 * z) + 1)")),
    ),
    fill(
        "rnn: in float32",
        "rnn_step",
        "'in the dtype of the arguments, …, and as precisely as that allows'",
        change(RNN, ("torch.tanh(z)", "torch.tanh(z.float()).to(x.dtype)")),
    ),
    fill(
        "rnn: transposes if it must",
        "rnn_step",
        "'Sizes may be equal': w_input (N, C) with C = N",
        """
         w = w_input if w_input.shape[0] == x.shape[1] else w_input.T
         return torch.tanh(x @ w + b_input + hidden @ w_hidden.T + b_hidden)
         """,
    ),
    fill(
        "rnn: the state is moved in place",
        "rnn_step",
        "'no argument is changed'",
        """
         new = torch.tanh(F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden))
         if torch.is_grad_enabled() and new.requires_grad:
             return new
         return hidden.copy_(new)
         """,
    ),
    fill(
        "rnn: bounded sums",
        "rnn_step",
        "'as precisely as that allows', 'sums of ten': tanh 9 is not tanh 11 in float64",
        change(RNN, ("torch.tanh(z)", "torch.tanh(z.clamp(-9, 9))")),
    ),
    fill(
        "rnn: old state cut off",
        "rnn_step",
        "'Gradients pass to all six arguments'",
        change(RNN, ("F.linear(hidden,", "F.linear(hidden.detach(),")),
    ),
    fill(
        "rnn: 1 from ten on",
        "rnn_step",
        "'sums of ten', 'within a few roundings (eps)' in float64; and the gradient there is not 0",
        change(RNN, ("torch.tanh(z)", "torch.where(z.abs() > 10, z.sign(), z.tanh())")),
    ),
    fill(
        "rnn: biases in float32",
        "rnn_step",
        "'Gradients pass to all six', 'as precisely as that allows': float64 biases are rounded",
        """
         bias = b_input.float() + b_hidden.float()
         return torch.tanh(x @ w_input.T + hidden @ w_hidden.T + bias.to(x.dtype))
         """,
    ),
]
RIGHT += [
    fill("rnn: usual", "rnn_step", "two linears", RNN),
    fill(
        "rnn: one joined product",
        "rnn_step",
        "inputs and state side by side",
        """
         joined = torch.cat([x, hidden], dim=1)
         weight = torch.cat([w_input, w_hidden], dim=1)
         return joined.matmul(weight.t()).add(b_input).add(b_hidden).tanh()
         """,
    ),
    fill(
        "rnn: einsum in float64",
        "rnn_step",
        "wider inside, rounded once",
        """
         x, hidden, w, u, b, c = (t.double() for t in (x, hidden, w_input, w_hidden, b_input, b_hidden))
         z = torch.einsum("bc,nc->bn", x, w) + torch.einsum("bm,nm->bn", hidden, u) + b + c
         return z.tanh().to(w_input.dtype)
         """,
    ),
]

# ---------------------------------------------------------------- Task 2
RUN = """
outputs = []
for t in range(x.shape[1]):
    new = step(x[:, t], state)
    if mask is None:
        state = tuple(new)
        outputs.append(state[0])
        continue
    real = mask[:, t, None]
    state = tuple(torch.where(real, n, o.to(n.dtype)) for n, o in zip(new, state))
    outputs.append(torch.where(real, state[0], torch.zeros_like(state[0])))
return torch.stack(outputs, 1), state
"""
CHOOSE = "state = tuple(torch.where(real, n, o.to(n.dtype)) for n, o in zip(new, state))"
WRONG += [
    fill(
        "run: chooses by multiplication",
        "run",
        "'each tensor in the dtype in which step returns it': a mask of float32 makes float32 of float16 and int64",
        change(
            RUN,
            (
                CHOOSE,
                "real = real.float()\n    state = tuple(real * n + (1 - real) * o for n, o in zip(new, state))",
            ),
            (
                "outputs.append(torch.where(real, state[0], torch.zeros_like(state[0])))",
                "outputs.append(real * state[0])",
            ),
        ),
    ),
    fill(
        "run: two tensors wait",
        "run",
        "'after it, every tensor of the state holds exactly what it held before': 'more in others'",
        change(
            RUN,
            (
                CHOOSE,
                CHOOSE.replace("zip(new, state)", "zip(new[:2], state)") + " + tuple(new[2:])",
            ),
        ),
    ),
    fill(
        "run: the state as a list",
        "run",
        "'step(x_t, state)': a state is a tuple of tensors",
        change(
            RUN,
            ("state = tuple(torch", "state = list(torch"),
            ("in zip(new, state))", "in zip(new, state))"),
            ("state = tuple(new)", "state = list(new)"),
            ("1), state", "1), tuple(state)"),
        ),
    ),
    fill(
        "run: outputs like x",
        "run",
        "outputs (B, T, N): 'N may be C or not'",
        """
         outputs = torch.zeros_like(x)
         for t in range(x.shape[1]):
             new = step(x[:, t], state)
             real = torch.ones_like(x[:, t, :1]).bool() if mask is None else mask[:, t, None]
             state = tuple(torch.where(real, n, o.to(n.dtype)) for n, o in zip(new, state))
             outputs[:, t] = torch.where(real, state[0], 0)
         return outputs, state
         """,
    ),
    fill(
        "run: outputs in the dtype of x",
        "run",
        "'each tensor in the dtype in which step returns it, whatever that of x is'",
        change(RUN, ("torch.stack(outputs, 1)", "torch.stack(outputs, 1).to(x.dtype)")),
    ),
    fill(
        "run: the wider dtype",
        "run",
        "'the last state, …, each tensor in the dtype in which step returns it': a first state of float64 makes float64 of float32",
        change(RUN, ("o.to(n.dtype)", "o")),
    ),
    fill(
        "run: the first state is moved",
        "run",
        "'the tensors of the first state are arguments, too'",
        change(
            RUN,
            (
                CHOOSE,
                "state = tuple(torch.where(real, n, o.to(n.dtype)) if n.requires_grad or n.dtype != o.dtype else "
                "o.copy_(torch.where(real, n, o)) for n, o in zip(new, state))",
            ),
            (
                "outputs.append(torch.where(real, state[0], torch.zeros_like(state[0])))",
                "outputs.append(torch.where(real, state[0], 0))",
            ),
        ),
    ),
    fill(
        "run: waiting without gradient",
        "run",
        "'Gradients pass, from outputs and last state to x and to the first state': through padding, too",
        change(RUN, ("o.to(n.dtype)", "o.detach().to(n.dtype)")),
    ),
]
RIGHT += [
    fill("run: usual", "run", "torch.where", RUN),
    fill(
        "run: rows by index",
        "run",
        "index_put of the real rows into a copy",
        """
         outputs = []
         for t, x_t in enumerate(x.unbind(1)):
             new = tuple(step(x_t, tuple(state)))
             if mask is not None:
                 rows = mask[:, t].nonzero()[:, 0]
                 state = tuple(
                     o.to(n.dtype).index_copy(0, rows, n.index_select(0, rows)) for n, o in zip(new, state)
                 )
                 shown = torch.zeros_like(state[0]).index_copy(0, rows, state[0].index_select(0, rows))
             else:
                 state, shown = new, new[0]
             outputs.append(shown.unsqueeze(1))
         return torch.cat(outputs, dim=1), tuple(state)
         """,
    ),
    fill(
        "run: outputs masked at the end",
        "run",
        "all states are kept, padding is filled with 0 at the end",
        """
         if mask is None:
             mask = torch.ones(x.shape[:2], dtype=torch.bool)
         states = [tuple(state)]
         for t in range(x.size(1)):
             after, wait = step(x.select(1, t), states[-1]), mask[:, t].logical_not().unsqueeze(1)
             states.append(tuple(torch.where(wait, b.to(a.dtype), a) for a, b in zip(after, states[-1])))
         outputs = torch.stack([s[0] for s in states[1:]], dim=1)
         return outputs.masked_fill(~mask.unsqueeze(-1), 0), states[-1]
         """,
    ),
]

# ---------------------------------------------------------------- Task 3
RATIO = """
import random

import numpy as np

states = torch.get_rng_state(), np.random.get_state(), random.getstate()
buffers = [(b, b.detach().clone()) for b in layer.buffers()] if isinstance(layer, nn.Module) else []
copy = x.detach().clone().requires_grad_()
with torch.enable_grad():
    (gradient,) = torch.autograd.grad(layer(copy)[:, -1].sum(), copy)
with torch.no_grad():
    for buffer, before in buffers:
        buffer.copy_(before)
torch.set_rng_state(states[0])
np.random.set_state(states[1])
random.setstate(states[2])
gradient = gradient.double()
return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
"""
MEASURE = """    (gradient,) = torch.autograd.grad(layer(copy)[:, -1].sum(), copy)"""
END = "gradient = gradient.double()\nreturn (gradient[:, 0].norm() / gradient[:, -1].norm()).item()"
WRONG += [
    fill(
        "ratio: mean of the items' ratios",
        "gradient_ratio",
        "'A norm is the root of the sum of the squares over the whole batch and all features'",
        change(
            RATIO,
            (
                END,
                "gradient = gradient.double()\nreturn (gradient[:, 0].norm(dim=-1) / gradient[:, -1].norm(dim=-1)).mean().item()",
            ),
        ),
    ),
    fill(
        "ratio: squares in float32",
        "gradient_ratio",
        "'the same for gradients … of 10⁻³⁰ or 10³⁰, …, also in float32, where the square of such a number is 0 or ∞'",
        change(RATIO, ("gradient = gradient.double()\n", "")),
    ),
    fill(
        "ratio: all parts get one mode",
        "gradient_ratio",
        "'its mode and that of each of its parts'",
        change(
            RATIO,
            (
                "copy = x",
                "is_module = isinstance(layer, nn.Module)\nif is_module:\n    was = layer.training\n    layer.train(was)\ncopy = x",
            ),
        ),
    ),
    fill(
        "ratio: thaws everything",
        "gradient_ratio",
        "'its parameters, frozen or not'",
        change(
            RATIO,
            (
                "copy = x",
                "parameters = list(layer.parameters()) if isinstance(layer, nn.Module) else []\nfor p in parameters:\n    p.requires_grad_(False)\ncopy = x",
            ),
            (
                "torch.set_rng_state",
                "for p in parameters:\n    p.requires_grad_(True)\ntorch.set_rng_state",
            ),
        ),
    ),
    fill(
        "ratio: backward and forget",
        "gradient_ratio",
        "'one that has a .grad keeps it as it is'",
        change(
            RATIO,
            (
                MEASURE,
                "    layer(copy)[:, -1].sum().backward()\n    gradient = copy.grad\n    if isinstance(layer, nn.Module):\n        layer.zero_grad(set_to_none=True)",
            ),
        ),
    ),
    fill(
        "ratio: x itself",
        "gradient_ratio",
        "'x is as it was (also its requires_grad)'",
        change(
            RATIO,
            ("copy = x.detach().clone().requires_grad_()", "copy = x.requires_grad_()"),
            ("torch.set_rng_state", "x.requires_grad_(False)\ntorch.set_rng_state"),
        ),
    ),
    fill(
        "ratio: draws",
        "gradient_ratio",
        "'leaves no traces: … The same goes for the global random generators': a layer with dropout draws",
        """
         copy = x.detach().clone().requires_grad_()
         with torch.enable_grad():
             (gradient,) = torch.autograd.grad(layer(copy)[:, -1].sum(), copy)
         gradient = gradient.double()
         return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
         """,
    ),
    fill(
        "ratio: norms in float32",
        "gradient_ratio",
        "'as precise as the dtype of x allows': seven digits of float64's sixteen",
        change(
            RATIO,
            (
                END,
                "gradient = (gradient / gradient[:, -1].abs().max()).float()\nreturn (gradient[:, 0].norm() / gradient[:, -1].norm()).item()",
            ),
        ),
    ),
]
RIGHT += [
    fill(
        "ratio: usual", "gradient_ratio", "restores generators and buffers, norms in float64", RATIO
    ),
    fill(
        "ratio: hypot",
        "gradient_ratio",
        "math.hypot of all numbers; fork_rng",
        """
         import random

         import numpy as np

         numpy_state, python_state = np.random.get_state(), random.getstate()
         kept = {}
         if isinstance(layer, nn.Module):
             kept = {name: buffer.clone() for name, buffer in layer.named_buffers()}
         with torch.random.fork_rng(devices=[]), torch.enable_grad():
             mine = x.clone().detach()
             mine.requires_grad = True
             last = layer(mine).select(1, -1)
             gradient = torch.autograd.grad([last], [mine], [torch.ones_like(last)])[0]
         if kept:
             with torch.no_grad():
                 for name, buffer in layer.named_buffers():
                     buffer.copy_(kept[name])
         np.random.set_state(numpy_state)
         random.setstate(python_state)
         first, last = (math.hypot(*gradient[:, t].flatten().tolist()) for t in (0, -1))
         return first / last
         """,
    ),
    fill(
        "ratio: scaled by the largest",
        "gradient_ratio",
        "two norms with the largest number taken out; generators restored in a finally",
        """
         import random

         import numpy as np

         def norm(g):
             top = float(g.abs().max())
             return top * float((g / top).double().square().sum()) ** 0.5 if top else 0.0

         before = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
         parts = list(layer.buffers()) if hasattr(layer, "buffers") else []
         saved = [part.clone() for part in parts]
         try:
             inputs = x.new_empty(x.shape).copy_(x.detach()).requires_grad_(True)
             with torch.set_grad_enabled(True):
                 total = layer(inputs)[:, x.shape[1] - 1].sum()
             g = torch.autograd.grad(total, inputs)[0]
         finally:
             for part, old in zip(parts, saved):
                 part.data.copy_(old)
             random.setstate(before[0])
             np.random.set_state(before[1])
             torch.random.set_rng_state(before[2])
         return norm(g[:, 0]) / norm(g[:, -1])
         """,
    ),
]

# ---------------------------------------------------------------- Task 4
CLIP = """
gradients = [p.grad for p in parameters if p.grad is not None]
if not gradients:
    return 0.0
norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
if norm > max_norm:
    for g in gradients:
        g.mul_(max_norm / norm)
return norm
"""
WRONG += [
    fill(
        "clip: goes through twice",
        "clip",
        "'any iterable, such as the generator model.parameters(), which can be walked through only once'",
        """
         norm = math.sqrt(sum(float(p.grad.double().square().sum()) for p in parameters if p.grad is not None))
         if norm > max_norm:
             for p in parameters:
                 if p.grad is not None:
                     p.grad.mul_(max_norm / norm)
         return norm
         """,
    ),
    fill(
        "clip: a little is added",
        "clip",
        "'so that the norm becomes max_norm, also where both are as small as 10⁻⁶: nothing is added to a norm'",
        change(CLIP, ("max_norm / norm", "max_norm / (norm + 1e-6)")),
    ),
    fill(
        "clip: divides first",
        "clip",
        "'All gradients may be 0: they stay 0': ZeroDivisionError",
        change(CLIP, ("if norm > max_norm:", "scale = max_norm / norm\nif scale < 1:")),
    ),
    fill(
        "clip: frozen ones are skipped",
        "clip",
        "'A frozen parameter that has a gradient counts like any other'",
        change(CLIP, ("if p.grad is not None", "if p.requires_grad and p.grad is not None")),
    ),
    fill(
        "clip: a view",
        "clip",
        "'A gradient may have any number of dimensions and may be transposed in memory'",
        change(CLIP, ("g.double().square()", "g.view(-1).double().square()")),
    ),
    fill(
        "clip: new tensors",
        "clip",
        "'The numbers of parameter.grad are changed in place: whoever holds the tensor sees the change'",
        """
         parameters = [p for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(p.grad.double().square().sum()) for p in parameters))
         if norm > max_norm:
             for p in parameters:
                 p.grad = p.grad * (max_norm / norm)
         return norm
         """,
    ),
    fill(
        "clip: empties a list",
        "clip",
        "'A list is still the same list afterwards'",
        change(
            CLIP,
            (
                "gradients = [p.grad for p in parameters if p.grad is not None]",
                "parameters = parameters if isinstance(parameters, list) else list(parameters)\n"
                "for p in list(parameters):\n    if p.grad is None:\n        parameters[:] = [q for q in parameters if q is not p]\n"
                "gradients = [p.grad for p in parameters]",
            ),
        ),
    ),
    fill(
        "clip: one long vector of none",
        "clip",
        "'0.0 if there are none': cat of an empty list raises an error",
        """
         gradients = [p.grad for p in parameters if p.grad is not None]
         norm = torch.cat([g.flatten() for g in gradients]).double().norm().item()
         if norm > max_norm:
             for g in gradients:
                 g.mul_(max_norm / norm)
         return norm
         """,
    ),
]
RIGHT += [
    fill("clip: usual", "clip", "sum of squares in float64", CLIP),
    fill(
        "clip: norms of norms",
        "clip",
        "math.hypot over norms, copy_ in place",
        """
         held = [g for g in (p.grad for p in parameters) if g is not None]
         norm = math.hypot(*(torch.linalg.vector_norm(g, dtype=torch.float64).item() for g in held))
         factor = max_norm / norm if norm > max_norm else None
         with torch.no_grad():
             for g in held if factor is not None else ():
                 g.copy_(g * factor)
         return float(norm)
         """,
    ),
    fill(
        "clip: one long vector",
        "clip",
        "cat with an empty tensor in front, foreach",
        """
         gradients = []
         for p in parameters:
             gradients += [] if p.grad is None else [p.grad.detach()]
         long = torch.cat([torch.zeros(0, dtype=torch.float64)] + [g.reshape(-1).double() for g in gradients])
         norm = float(long.dot(long)) ** 0.5
         if norm > max_norm:
             torch._foreach_mul_(gradients, float(max_norm) / norm)
         return norm
         """,
    ),
]

# ---------------------------------------------------------------- Task 5
LSTM = """
hidden, cell_state = state
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
i, f, g, o = z.chunk(4, dim=-1)
cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
return o.sigmoid() * cell_state.tanh(), cell_state
"""
WRONG += [
    fill(
        "lstm: sigmoid of exponentials",
        "lstm_step",
        "'Gates … may be thousands, of either sign. Neither a number nor a gradient is NaN then'",
        change(
            LSTM,
            (
                "i, f, g, o = z.chunk(4, dim=-1)",
                "i, f, g, o = z.chunk(4, dim=-1)\ni, f, o = (1 / (1 + (-a).exp()) for a in (i, f, o))",
            ),
            ("f.sigmoid()", "f"),
            ("i.sigmoid()", "i"),
            ("o.sigmoid()", "o"),
        ),
    ),
    fill(
        "lstm: gates in float32",
        "lstm_step",
        "'in the dtype of the arguments, …, and as precisely as that allows'",
        change(
            LSTM,
            ("z.chunk(4, dim=-1)", "z.float().chunk(4, dim=-1)"),
            ("g.tanh()\n", "g.tanh()\ncell_state = cell_state.to(x.dtype)\n"),
            ("return o.sigmoid()", "return o.sigmoid().to(x.dtype)"),
        ),
    ),
    fill(
        "lstm: the cell state is moved in place",
        "lstm_step",
        "'no argument is changed'",
        change(
            LSTM,
            (
                "cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()",
                "keep, add = f.sigmoid(), i.sigmoid() * g.tanh()\n"
                "if keep.requires_grad or cell_state.requires_grad:\n    cell_state = keep * cell_state + add\n"
                "else:\n    cell_state = cell_state.mul_(keep).add_(add)",
            ),
        ),
    ),
    fill(
        "lstm: bounded cell state where it is shown",
        "lstm_step",
        "hidden' = σ(output) · tanh(cell state'), 'as precisely as that allows' in float64",
        change(LSTM, ("cell_state.tanh()", "cell_state.clamp(-8, 8).tanh()")),
    ),
    fill(
        "lstm: hidden cut off",
        "lstm_step",
        "'Gradients pass to all'",
        change(LSTM, ("F.linear(hidden,", "F.linear(hidden.detach(),")),
    ),
    fill(
        "lstm: transposes if it must",
        "lstm_step",
        "'Sizes may be equal': 4N = C",
        change(
            LSTM,
            (
                "F.linear(x, w_input, b_input)",
                "x @ (w_input if w_input.shape[0] == x.shape[1] else w_input.T) + b_input",
            ),
        ),
    ),
    fill(
        "lstm: tanh of exponentials where it is shown",
        "lstm_step",
        "'cell state may be thousands …. Neither a number nor a gradient is NaN then'",
        change(LSTM, ("cell_state.tanh()", "(1 - 2 / ((2 * cell_state).exp() + 1))")),
    ),
]
WRONG += [
    fill(
        "lstm: bounded sums",
        "lstm_step",
        "'Gates … may be thousands', 'within a few roundings': σ(−12) is not σ(−30), and not 0, times a cell state of thousands",
        change(LSTM, ("z.chunk(4", "z.clamp(-30, 30).chunk(4")),
    )
]
RIGHT += [
    fill("lstm: usual", "lstm_step", "chunks", LSTM),
    fill(
        "lstm: sigmoid as a tanh",
        "lstm_step",
        "tanh of one half of it, unflatten, addcmul, in float64",
        """
         dtype = x.dtype
         h, c = (s.double() for s in state)
         z = x.double() @ w_input.double().T + h @ w_hidden.double().T + (b_input.double() + b_hidden.double())
         z = z.unflatten(-1, (4, -1))
         gates = (z[:, [0, 1, 3]] / 2).tanh().add(1).div(2)
         c = torch.addcmul(gates[:, 1] * c, gates[:, 0], z[:, 2].tanh())
         return (gates[:, 2] * c.tanh()).to(dtype), c.to(dtype)
         """,
    ),
    fill(
        "lstm: gate by gate",
        "lstm_step",
        "slices of the weights, one gate after the other",
        """
         hidden, cell = state
         n = hidden.shape[-1]

         def gate(k, bend):
             rows = slice(k * n, (k + 1) * n)
             mine = torch.einsum("bc,nc->bn", x, w_input[rows]) + b_input[rows]
             return bend(mine + (torch.einsum("bm,nm->bn", hidden, w_hidden[rows]) + b_hidden[rows]))

         new = gate(1, torch.sigmoid) * cell + gate(0, torch.sigmoid) * gate(2, torch.tanh)
         return gate(3, torch.special.expit) * torch.tanh(new), new
         """,
    ),
]

# ---------------------------------------------------------------- Task 6
GRU = """
a, c = F.linear(x, w_input, b_input), F.linear(hidden, w_hidden, b_hidden)
a_r, a_z, a_n = a.chunk(3, dim=-1)
c_r, c_z, c_n = c.chunk(3, dim=-1)
r, z = (a_r + c_r).sigmoid(), (a_z + c_z).sigmoid()
n = (a_n + r * c_n).tanh()
return z * hidden + (1 - z) * n
"""
WRONG += [
    fill(
        "gru: sigmoid of exponentials",
        "gru_step",
        "'Gates and candidate may be thousands, of either sign. Neither a number nor a gradient is NaN then'",
        change(
            GRU,
            (
                "r, z = (a_r + c_r).sigmoid(), (a_z + c_z).sigmoid()",
                "r, z = 1 / (1 + (-a_r - c_r).exp()), 1 / (1 + (-a_z - c_z).exp())",
            ),
        ),
    ),
    fill(
        "gru: a tanh with NaN in its slope",
        "gru_step",
        "'candidate may be thousands …. Neither a number nor a gradient is NaN'",
        change(
            GRU, ("n = (a_n + r * c_n).tanh()", "n = 1 - 2 / ((2 * (a_n + r * c_n)).exp() + 1)")
        ),
    ),
    fill(
        "gru: in float32",
        "gru_step",
        "'in the dtype of the arguments, …, and as precisely as that allows'",
        change(
            GRU,
            ("a_r, a_z, a_n = a", "a, c = a.float(), c.float()\na_r, a_z, a_n = a"),
            ("return z * hidden + (1 - z) * n", "return (z * hidden + (1 - z) * n).to(x.dtype)"),
        ),
    ),
    fill(
        "gru: the state is moved in place",
        "gru_step",
        "'no argument is changed'",
        change(
            GRU,
            (
                "return z * hidden + (1 - z) * n",
                "if z.requires_grad or hidden.requires_grad:\n    return z * hidden + (1 - z) * n\nreturn hidden.mul_(z).add_((1 - z) * n)",
            ),
        ),
    ),
    fill(
        "gru: bounded candidate",
        "gru_step",
        "'as precisely as that allows: within a few roundings' of float64",
        change(GRU, ("(a_n + r * c_n).tanh()", "(a_n + r * c_n).clamp(-9, 9).tanh()")),
    ),
    fill(
        "gru: a gate without gradient to the state",
        "gru_step",
        "'Gradients pass to all': by the gates, too",
        change(GRU, ("F.linear(hidden,", "F.linear(hidden.detach(),")),
    ),
    fill(
        "gru: transposes if it must",
        "gru_step",
        "'Sizes may be equal': 3N = C",
        change(
            GRU,
            (
                "F.linear(x, w_input, b_input)",
                "x @ (w_input if w_input.shape[0] == x.shape[1] else w_input.T) + b_input",
            ),
        ),
    ),
    fill(
        "gru: gates open or shut",
        "gru_step",
        "z = σ(…), 'within a few roundings' of float64: at 20 it is not 1 yet, and its gradient not 0",
        change(
            GRU,
            (
                "n = (a_n",
                "r, z = (torch.where(g > 1 - 1e-7, torch.ones_like(g), torch.where(g < 1e-7, torch.zeros_like(g), g)) for g in (r, z))\nn = (a_n",
            ),
        ),
    ),
]
RIGHT += [
    fill("gru: usual", "gru_step", "chunks", GRU),
    fill(
        "gru: lerp",
        "gru_step",
        "between candidate and state by lerp, blocks by unflatten",
        """
         a = (x @ w_input.T + b_input).unflatten(1, (3, -1)).unbind(1)
         c = (hidden @ w_hidden.T + b_hidden).unflatten(1, (3, -1)).unbind(1)
         reset, update = torch.sigmoid(a[0] + c[0]), torch.sigmoid(a[1] + c[1])
         candidate = torch.tanh(torch.addcmul(a[2], reset, c[2]))
         return torch.lerp(candidate, hidden, update)
         """,
    ),
    fill(
        "gru: two sigmoids",
        "gru_step",
        "1 − z is a sigmoid of the opposite sign, in float64",
        """
         x64, h64, w, u, b, d = (t.to(torch.float64) for t in (x, hidden, w_input, w_hidden, b_input, b_hidden))
         n = h64.size(1)
         a, c = torch.addmm(b, x64, w.t()), torch.addmm(d, h64, u.t())
         both = a[:, : 2 * n] + c[:, : 2 * n]
         reset, update = both.split(n, dim=1)
         candidate = (a[:, 2 * n :] + torch.special.expit(reset) * c[:, 2 * n :]).tanh()
         new = torch.special.expit(update) * h64 + torch.special.expit(-update) * candidate
         return new.to(hidden.dtype)
         """,
    ),
]

# ---------------------------------------------------------------- Task 7
START = """
n, bound = d_hidden, 1 / math.sqrt(d_hidden)
w_input, w_hidden, b_input, b_hidden = (
    torch.empty(shape, dtype=torch.float32).uniform_(-bound, bound)
    for shape in [(4 * n, d_input), (4 * n, n), (4 * n,), (4 * n,)]
)
b_input[n : 2 * n] = forget_bias
b_hidden[n : 2 * n] = 0.0
return w_input, w_hidden, b_input, b_hidden
"""
WRONG += [
    fill(
        "start: a generator of its own",
        "initial_parameters",
        "'use no other generator, so that the same seed of torch, set by the caller, gives the same numbers'",
        change(
            START,
            (
                "w_input, w_hidden, b_input, b_hidden = (",
                "generator = torch.Generator()\ngenerator.seed()\nw_input, w_hidden, b_input, b_hidden = (",
            ),
        ).replace("uniform_(-bound, bound)", "uniform_(-bound, bound, generator=generator)"),
    ),
    fill(
        "start: NumPy",
        "initial_parameters",
        "'from torch's generator as it stands'",
        "import numpy as np\n\n"
        + change(
            START,
            (
                "torch.empty(shape, dtype=torch.float32).uniform_(-bound, bound)",
                "torch.from_numpy(np.random.default_rng().uniform(-bound, bound, shape).astype('float32'))",
            ),
        ),
    ),
    fill(
        "start: a new seed",
        "initial_parameters",
        "'set no seed': torch.seed() does",
        "torch.seed()" + START,
    ),
    fill(
        "start: positive biases",
        "initial_parameters",
        "'All numbers, …, uniformly between −1/√N and 1/√N'",
        change(
            START, ("b_input[n", "b_input, b_hidden = b_input.abs(), b_hidden.abs()\nb_input[n")
        ),
    ),
    fill(
        "start: equal biases",
        "initial_parameters",
        "'All numbers, each for itself, are drawn at random'",
        change(START, ("b_input[n", "b_hidden = b_input.clone()\nb_input[n")),
    ),
    fill(
        "start: width of the input",
        "initial_parameters",
        "'N is d_hidden, for all four'",
        change(START, ("b_input[n", "w_input = w_input * math.sqrt(n / d_input)\nb_input[n")),
    ),
    fill(
        "start: one block four times",
        "initial_parameters",
        "'All numbers, each for itself'",
        change(
            START,
            (
                "b_input[n",
                "w_input, w_hidden = w_input[:n].repeat(4, 1), w_hidden[:n].repeat(4, 1)\nb_input[n",
            ),
        ),
    ),
    fill(
        "start: a bell",
        "initial_parameters",
        "'uniformly between'",
        change(
            START,
            (
                "torch.empty(shape, dtype=torch.float32).uniform_(-bound, bound)",
                "nn.init.trunc_normal_(torch.empty(shape), std=bound / 2, a=-bound, b=bound)",
            ),
        ),
    ),
]
RIGHT += [
    fill("start: usual", "initial_parameters", "uniform_", START),
    fill(
        "start: shared between the two",
        "initial_parameters",
        "rand stretched; half of the bias in each",
        """
         n = d_hidden
         sizes = [(4 * n, d_input), (4 * n, n), (4 * n,), (4 * n,)]
         parts = [(2 * torch.rand(size, dtype=torch.float32) - 1) / n**0.5 for size in sizes]
         for bias in parts[2:]:
             bias.view(4, n)[1].fill_(forget_bias / 2)
         return tuple(parts)
         """,
    ),
    fill(
        "start: one draw for all",
        "initial_parameters",
        "one long vector cut into four; the second bias takes the rest",
        """
         n, rows = d_hidden, 4 * d_hidden
         long = torch.distributions.Uniform(-1.0, 1.0).sample((rows * (d_input + n + 2),)) * n**-0.5
         w, u, b, c = long.split([rows * d_input, rows * n, rows, rows])
         b, c = b.clone(), c.clone()
         c[n : n + n] = forget_bias - b[n : n + n]
         return w.reshape(rows, d_input).clone(), u.reshape(rows, n).clone(), b, c
         """,
    ),
]

# ---------------------------------------------------------------- Task 8
CLS_INIT = """
self.embedding = nn.Embedding(vocab_size, d_embedding)
self.input_projection = nn.Linear(d_embedding, 4 * d_hidden)
self.hidden_projection = nn.Linear(d_hidden, 4 * d_hidden)
self.head = nn.Linear(d_hidden, n_classes)
self.d_hidden = d_hidden
"""
CLS = """
x = self.embedding(ids)
hidden = cell = x.new_zeros(len(ids), self.d_hidden)
for t in range(ids.shape[1]):
    z = self.input_projection(x[:, t]) + self.hidden_projection(hidden)
    i, f, g, o = z.chunk(4, dim=-1)
    new_cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    new_hidden = o.sigmoid() * new_cell.tanh()
    if mask is None:
        hidden, cell = new_hidden, new_cell
    else:
        real = mask[:, t, None]
        hidden, cell = torch.where(real, new_hidden, hidden), torch.where(real, new_cell, cell)
return self.head(hidden)
"""
WRONG += [
    fill(
        "classifier: id 0 is padding",
        "classifier",
        "'No id is special: 0 is a word, too': it starts with zeros and never learns",
        change(CLS_INIT, ("d_embedding)\nself.input", "d_embedding, padding_idx=0)\nself.input")),
        CLS,
    ),
    fill(
        "classifier: goes on where it was",
        "classifier",
        "'starts with zeros, at every call anew', 'keeps nothing'",
        CLS_INIT + "self.state = None\n",
        change(
            CLS,
            (
                "for t in",
                "if self.state is not None and self.state[0].shape == hidden.shape:\n    hidden, cell = self.state\nfor t in",
            ),
            ("return self", "self.state = hidden.detach(), cell.detach()\nreturn self"),
        ),
    ),
    fill(
        "classifier: zeros in float32",
        "classifier",
        "'starts with zeros, …, in the dtype of the parameters'",
        CLS_INIT,
        change(
            CLS, ("x.new_zeros(len(ids), self.d_hidden)", "torch.zeros(len(ids), self.d_hidden)")
        ),
    ),
    fill(
        "classifier: padding of the first text",
        "classifier",
        "'Padding may stand …, in one text here, in another there'",
        CLS_INIT,
        "if mask is not None:\n    ids, mask = ids[:, mask[0]], None" + CLS,
    ),
    fill(
        "classifier: a mask without column",
        "classifier",
        "mask (B, T): each text waits for itself; (B,) meets the units, and not the texts",
        CLS_INIT,
        change(CLS, ("mask[:, t, None]", "mask[:, t]")),
    ),
    fill(
        "classifier: the cell state's logits",
        "classifier",
        "'from the hidden vector after the last real token'",
        CLS_INIT,
        change(CLS, ("self.head(hidden)", "self.head(cell)")),
    ),
    fill(
        "classifier: gates in another order",
        "classifier",
        "'The LSTM is that of Task 5': input, forget, candidate, output",
        CLS_INIT,
        change(CLS, ("i, f, g, o =", "i, f, o, g =")),
    ),
    fill(
        "classifier: one bias",
        "classifier",
        "'with input_projection and hidden_projection for its weights and biases'",
        CLS_INIT,
        change(CLS, ("self.hidden_projection(hidden)", "hidden @ self.hidden_projection.weight.T")),
    ),
]
RIGHT += [
    fill("classifier: usual", "classifier", "own steps", CLS_INIT, CLS),
    fill(
        "classifier: run and lstm_step",
        "classifier",
        "calls Tasks 2 and 5",
        CLS_INIT.replace("self.d_hidden = d_hidden", ""),
        """
         a, b = self.input_projection, self.hidden_projection
         zeros = b.weight.new_zeros(ids.shape[0], b.in_features)
         _, (hidden, _) = run(
             lambda x, state: lstm_step(x, state, a.weight, b.weight, a.bias, b.bias),
             self.embedding(ids),
             (zeros, zeros.clone()),
             mask,
         )
         return self.head(hidden)
         """,
    ),
    fill(
        "classifier: real tokens to the front",
        "classifier",
        "sorts the real tokens of each text to the front, and looks the state up at each text's own length",
        CLS_INIT,
        """
         if mask is None:
             mask = torch.ones_like(ids, dtype=torch.bool)
         order = (~mask).to(torch.int64).argsort(dim=1, stable=True)
         ids, lengths = ids.gather(1, order), mask.sum(1)
         into = F.linear(self.embedding(ids), self.input_projection.weight, self.input_projection.bias)
         h = into.new_zeros(ids.shape[0], self.d_hidden)
         c, states = torch.zeros_like(h), []
         states.append(h)
         for step in into.unbind(1):
             i, f, g, o = (step + self.hidden_projection(h)).tensor_split(4, dim=1)
             c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
             h = torch.sigmoid(o) * torch.tanh(c)
             states.append(h)
         last = torch.stack(states)[lengths, torch.arange(len(ids))]
         return self.head(last)
         """,
    ),
]
