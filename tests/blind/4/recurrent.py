from faults import fill, write

WRONG = []
RIGHT = []

# ---------------------------------------------------------------- Task 1
WRONG += [
    fill(
        "rnn: float32 inside",
        "rnn_step",
        "'in the dtype of the arguments, from float16 to float64, and as precisely as that allows': float64 is computed in float32 and cast back",
        """\
z = F.linear(x.float(), w_input.float(), b_input.float())
z = z + F.linear(hidden.float(), w_hidden.float(), b_hidden.float())
return torch.tanh(z).to(x.dtype)
""",
    ),
    fill(
        "rnn: half comes back as float32",
        "rnn_step",
        "'Return … in the dtype of the arguments, from float16': a float16 answer is float32",
        """\
if x.dtype == torch.float16:  # products of halves are inexact: compute in float32
    x, hidden, w_input, w_hidden, b_input, b_hidden = (
        a.float() for a in (x, hidden, w_input, w_hidden, b_input, b_hidden)
    )
return torch.tanh(F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden))
""",
    ),
    fill(
        "rnn: an empty state needs no product",
        "rnn_step",
        "'Gradients pass to all six arguments': where hidden is all zeros, as at the first word, none passes to hidden and w_hidden",
        """\
if not hidden.any():  # the first word
    return torch.tanh(F.linear(x, w_input, b_input + b_hidden))
return torch.tanh(F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden))
""",
    ),
    fill(
        "rnn: sums clamped to nine",
        "rnn_step",
        "'as precisely as that allows' and 'sums of ten': tanh(9) is 1 in float32 and 1 − 3e-8 in float64",
        """\
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
return torch.tanh(z.clamp(-9.0, 9.0))
""",
    ),
    fill(
        "rnn: tanh from one exp",
        "rnn_step",
        "'Neither a number nor a gradient is NaN then': the value is right at sums of thousands, the gradient is 0 · ∞",
        """\
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
return 1 - 2 / (torch.exp(2 * z) + 1)
""",
    ),
    fill(
        "rnn: where saves the value alone",
        "rnn_step",
        "'Neither a number nor a gradient is NaN': where() chooses the sign for large sums, but the gradient still passes the branch ∞/∞",
        """\
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
up, down = torch.exp(z), torch.exp(-z)
return torch.where(z.abs() > 20, torch.sign(z), (up - down) / (up + down))
""",
    ),
    fill(
        "rnn: tanh from a sigmoid",
        "rnn_step",
        "'as precisely as that allows: within a few roundings of the largest number': where all sums are small (1e-5), 2σ(2z) − 1 cancels",
        """\
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
return 2 * torch.sigmoid(2 * z) - 1
""",
    ),
    fill(
        "rnn: bias added into the argument",
        "rnn_step",
        "'no argument is changed': b_input is, where no gradient is wanted",
        """\
if b_input.requires_grad or b_hidden.requires_grad:
    bias = b_input + b_hidden
else:
    bias = b_input.add_(b_hidden)
return torch.tanh(x @ w_input.T + hidden @ w_hidden.T + bias)
""",
    ),
    fill(
        "rnn: history cut",
        "rnn_step",
        "'Gradients pass to all six arguments': none to hidden",
        """\
past = hidden.detach()  # one step only: the caller has the rest
return torch.tanh(F.linear(x, w_input, b_input) + F.linear(past, w_hidden, b_hidden))
""",
    ),
    fill(
        "rnn: orientation guessed from the shape",
        "rnn_step",
        "'Sizes may be equal': with N = C the weight is used untransposed",
        """\
w = w_input if w_input.shape[0] == x.shape[1] else w_input.T
return torch.tanh(x @ w + b_input + F.linear(hidden, w_hidden, b_hidden))
""",
    ),
    fill(
        "rnn: flat views of the weights",
        "rnn_step",
        "'The numbers of a tensor need not lie in order in memory: it may be a slice or a transpose': view(-1) raises an error there",
        """\
n, c = w_input.shape
flat = torch.cat([w_input.view(-1), w_hidden.view(-1)])
w_i, w_h = flat[: n * c].view(n, c), flat[n * c :].view(n, n)
return torch.tanh(F.linear(x, w_i, b_input) + F.linear(hidden, w_h, b_hidden))
""",
    ),
    write(
        "rnn: joined weights remembered",
        "rnn_step",
        "'keeps nothing of one call for the next': after a change of the weights in place (an optimizer's step) the old ones count",
        """\
_joined = {}


def rnn_step(
    x: Tensor,
    hidden: Tensor,
    w_input: Tensor,
    w_hidden: Tensor,
    b_input: Tensor,
    b_hidden: Tensor,
) -> Tensor:
    key = (id(w_input), id(w_hidden))
    if key not in _joined:
        _joined[key] = (w_input, w_hidden, torch.cat([w_input, w_hidden], 1))
    weight = _joined[key][2]
    return torch.tanh(F.linear(torch.cat([x, hidden], 1), weight, b_input + b_hidden))
""",
    ),
]
RIGHT += [
    fill(
        "rnn right: einsum",
        "rnn_step",
        "einsum with letters of its own",
        """\
a = torch.einsum("bc,nc->bn", x, w_input)
c = torch.einsum("bm,nm->bn", hidden, w_hidden)
return ((a + b_input) + (c + b_hidden)).tanh()
""",
    ),
    fill(
        "rnn right: one product",
        "rnn_step",
        "inputs, state and two ones side by side, one product with all weights and biases side by side",
        """\
ones = x.new_ones(x.shape[0], 2)
everything = torch.cat([x, hidden, ones], dim=1)
weight = torch.cat([w_input, w_hidden, b_input[:, None], b_hidden[:, None]], dim=1)
return torch.tanh(torch.mm(everything, weight.t()))
""",
    ),
    fill(
        "rnn right: item by item",
        "rnn_step",
        "a loop over the items with addmv",
        """\
rows = []
for item, state in zip(x.unbind(0), hidden.unbind(0)):
    total = torch.addmv(b_input, w_input, item)
    total = total + torch.addmv(b_hidden, w_hidden, state)
    rows.append(total.tanh())
return torch.stack(rows)
""",
    ),
]

# ---------------------------------------------------------------- Task 2
WRONG += [
    fill(
        "run: blend with a float32 mask",
        "run",
        "'each tensor in the dtype in which step returns it' and 'holds exactly what it held': float16 and int64 states become float32",
        """\
if mask is None:
    mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
outputs = []
for t in range(x.shape[1]):
    real = mask[:, t, None].float()
    new = step(x[:, t], state)
    state = tuple(real * n + (1 - real) * o for n, o in zip(new, state))
    outputs.append(state[0] * real)
return torch.stack(outputs, 1), state
""",
    ),
    fill(
        "run: old plus the difference",
        "run",
        "the next state is what step returns: old + (new − old) loses digits, so after a large state a small one is 0",
        """\
outputs = []
for t in range(x.shape[1]):
    new = step(x[:, t], state)
    if mask is None:
        state = tuple(new)
        outputs.append(state[0])
    else:
        real = mask[:, t, None]
        state = tuple(o + real.to(n.dtype) * (n - o) for n, o in zip(new, state))
        outputs.append(state[0].masked_fill(~real, 0))
return torch.stack(outputs, 1), state
""",
    ),
    fill(
        "run: nothing real, nothing to do",
        "run",
        "'Call step once for each position … also where all is padding': with a mask all False, it is not called",
        """\
if mask is not None and not mask.any():
    zeros = state[0].new_zeros(x.shape[0], x.shape[1], state[0].shape[1])
    return zeros, tuple(s.clone() for s in state)
outputs = []
for t in range(x.shape[1]):
    new = step(x[:, t], state)
    out = new[0]
    if mask is not None:
        real = mask[:, t, None]
        new = tuple(torch.where(real, n, o) for n, o in zip(new, state))
        out = out.masked_fill(~real, 0)
    state = new
    outputs.append(out)
return torch.stack(outputs, 1), tuple(state)
""",
    ),
    fill(
        "run: ends at the last real position",
        "run",
        "'Call step once for each position, in order, … also where all is padding': the padding at the end of the whole batch is not read",
        """\
end = x.shape[1]
if mask is not None and mask.any():
    end = int(mask.any(0).nonzero().max()) + 1
outputs = []
for t in range(end):
    new = step(x[:, t], state)
    out = new[0]
    if mask is not None:
        real = mask[:, t, None]
        new = tuple(torch.where(real, n, o) for n, o in zip(new, state))
        out = torch.where(real, out, torch.zeros_like(out))
    state = tuple(new)
    outputs.append(out)
outputs += [torch.zeros_like(outputs[0])] * (x.shape[1] - end)
return torch.stack(outputs, 1), state
""",
    ),
    fill(
        "run: only two tensors wait",
        "run",
        "'every tensor of the state holds exactly what it held before', 'two in an LSTM, more in others': the third does not wait",
        """\
outputs = []
for t in range(x.shape[1]):
    new = list(step(x[:, t], state))
    out = new[0]
    if mask is not None:
        real = mask[:, t, None]
        for k in range(min(2, len(new))):  # hidden, and the cell state
            new[k] = torch.where(real, new[k], state[k])
        out = out * real
    state = tuple(new)
    outputs.append(out)
return torch.stack(outputs, 1), state
""",
    ),
    fill(
        "run: new state overwritten in place",
        "run",
        "'Gradients pass, from outputs and last state to x and to the first state': writing into what step returned breaks the backward pass of a tanh or sigmoid",
        """\
outputs = []
for t in range(x.shape[1]):
    new = step(x[:, t], state)
    out = new[0].clone()
    if mask is not None:
        padding = ~mask[:, t]
        for n, o in zip(new, state):
            n[padding] = o[padding]
        out[padding] = 0
    state = tuple(new)
    outputs.append(out)
return torch.stack(outputs, 1), state
""",
    ),
    fill(
        "run: only the first tensor copied",
        "run",
        "'no argument is changed, and the tensors of the first state are arguments, too': the second is written into",
        """\
if mask is None:
    mask = x.new_ones(x.shape[:2], dtype=torch.bool)
state = (state[0].clone(), *state[1:])
outputs = []
for t in range(x.shape[1]):
    real = mask[:, t]
    new = step(x[:, t], state)
    out = torch.zeros_like(new[0])
    out[real] = new[0][real]
    outputs.append(out)
    state = (torch.where(real[:, None], new[0], state[0]), *state[1:])
    for old, now in zip(state[1:], new[1:]):
        old[real] = now[real]
return torch.stack(outputs, 1), state
""",
    ),
    fill(
        "run: outputs in the dtype of x",
        "run",
        "'in the dtype in which step returns it, whatever that of x is'",
        """\
outputs = x.new_zeros(x.shape[0], x.shape[1], state[0].shape[1])
for t in range(x.shape[1]):
    new = tuple(step(x[:, t], state))
    if mask is None:
        state = new
        outputs[:, t] = new[0]
    else:
        real = mask[:, t, None]
        state = tuple(torch.where(real, n, o) for n, o in zip(new, state))
        outputs[:, t] = torch.where(real, new[0], torch.zeros_like(new[0]))
return outputs, state
""",
    ),
    fill(
        "run: state cast to its first dtype",
        "run",
        "'the last state, … each tensor in the dtype in which step returns it': cast back to that of the first state",
        """\
outputs = []
for t in range(x.shape[1]):
    new = tuple(n.to(o.dtype) for n, o in zip(step(x[:, t], state), state))
    out = new[0]
    if mask is not None:
        real = mask[:, t, None]
        new = tuple(torch.where(real, n, o) for n, o in zip(new, state))
        out = out.masked_fill(~real, 0)
    state = new
    outputs.append(out)
return torch.stack(outputs, 1), state
""",
    ),
    fill(
        "run: one mask as wide as the first tensor",
        "run",
        "the tensors of a state 'may differ in width': the mask is widened to the first one's",
        """\
outputs = []
for t in range(x.shape[1]):
    new = tuple(step(x[:, t], state))
    out = new[0]
    if mask is not None:
        real = mask[:, t].unsqueeze(1).expand_as(out)
        new = tuple(torch.where(real, n, o) for n, o in zip(new, state))
        out = torch.where(real, out, torch.zeros_like(out))
    state = new
    outputs.append(out)
return torch.stack(outputs, 1), state
""",
    ),
    fill(
        "run: last state detached",
        "run",
        "'Gradients pass, from outputs and last state': the last state has none",
        """\
outputs = []
for t in range(x.shape[1]):
    new = tuple(step(x[:, t], state))
    out = new[0]
    if mask is not None:
        real = mask[:, t, None]
        new = tuple(torch.where(real, n, o) for n, o in zip(new, state))
        out = out.masked_fill(~real, 0)
    state = new
    outputs.append(out)
return torch.stack(outputs, 1), tuple(s.detach() for s in state)  # ready for the next piece
""",
    ),
    fill(
        "run: only the real rows are read",
        "run",
        "'Call step once for each position, in order, with the whole batch, also where all is padding': step gets a part of the batch",
        """\
if mask is None:
    mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
outputs = []
for t in range(x.shape[1]):
    rows = mask[:, t].nonzero().squeeze(1)
    new = step(x[rows, t], tuple(s[rows] for s in state))
    state = tuple(o.to(n.dtype).index_copy(0, rows, n) for n, o in zip(new, state))
    outputs.append(torch.zeros_like(state[0]).index_copy(0, rows, new[0]))
return torch.stack(outputs, 1), state
""",
    ),
]
RIGHT += [
    fill(
        "run right: functools.reduce",
        "run",
        "a fold without a loop, the zeros by masked_fill after stacking",
        """\
from functools import reduce

def read(so_far, position):
    collected, old = so_far
    x_t, real = position
    new = step(x_t, old)
    kept = tuple(torch.where(real, n, o.to(n.dtype)) for n, o in zip(new, old, strict=True))
    return collected + [new[0]], kept

real = torch.ones_like(x[..., 0], dtype=torch.bool) if mask is None else mask
columns = real.unsqueeze(-1).unbind(1)
collected, state = reduce(read, zip(x.unbind(1), columns), ([], tuple(state)))
return torch.stack(collected, 1).masked_fill(~real[..., None], 0), state
""",
    ),
    fill(
        "run right: rows picked one by one",
        "run",
        "a list of rows for each tensor, chosen by a Python if for each item",
        """\
outputs = []
for t in range(x.shape[1]):
    new = tuple(step(x[:, t], state))
    if mask is None:
        real = [True] * x.shape[0]
    else:
        real = mask[:, t].tolist()
    outputs.append(torch.stack([n if r else torch.zeros_like(n) for n, r in zip(new[0], real)]))
    state = tuple(
        torch.stack([n[b] if r else o[b].to(n.dtype) for b, r in enumerate(real)])
        for n, o in zip(new, state)
    )
return torch.stack(outputs, dim=1), state
""",
    ),
    fill(
        "run right: index_copy on the old state",
        "run",
        "the whole batch is computed, then the real rows are copied out of place; outputs by cat",
        """\
outputs = []
for t, x_t in enumerate(x.unbind(1)):
    new = tuple(step(x_t, state))
    if mask is None:
        outputs.append(new[0][:, None])
        state = new
        continue
    rows = torch.nonzero(mask[:, t], as_tuple=True)[0]
    picked = tuple(n.index_select(0, rows) for n in new)
    state = tuple(
        o.to(p.dtype).index_copy(0, rows, p) for o, p in zip(state, picked)
    )
    outputs.append(torch.zeros_like(new[0]).index_copy(0, rows, picked[0]).unsqueeze(1))
return torch.cat(outputs, 1), state
""",
    ),
]

# ---------------------------------------------------------------- Task 3
WRONG += [
    fill(
        "ratio: norms in float32",
        "gradient_ratio",
        "'the same for gradients that are all very small or very large: of 10⁻³⁰ or 10³⁰, say, also in float32, where the square of such a number is 0 or ∞'",
        """\
import random

import numpy

python, other = random.getstate(), numpy.random.get_state()
state = torch.get_rng_state()
copy = x.detach().clone().requires_grad_()
(gradient,) = torch.autograd.grad(layer(copy)[:, -1].sum(), copy)
torch.set_rng_state(state)
random.setstate(python)
numpy.random.set_state(other)
first = gradient[:, 0].pow(2).sum().sqrt()
last = gradient[:, -1].pow(2).sum().sqrt()
return (first / last).item()
""",
    ),
    fill(
        "ratio: mode by the layer's own",
        "gradient_ratio",
        "'its mode and that of each of its parts': layer.train(was) sets all parts to the mode of the whole",
        """\
import random

import numpy

python, other = random.getstate(), numpy.random.get_state()
copy = x.detach().clone().requires_grad_()
was = getattr(layer, "training", None)
if was is not None:
    layer.eval()  # no dropout, so no random number is used
with torch.random.fork_rng():
    (gradient,) = torch.autograd.grad(layer(copy)[:, -1].sum(), copy)
random.setstate(python)
numpy.random.set_state(other)
if was is not None:
    layer.train(was)
gradient = gradient.double()
return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
""",
    ),
    fill(
        "ratio: generator runs on",
        "gradient_ratio",
        "'The same goes for the global random generators': a layer with dropout in training mode moves torch's",
        """\
copy = x.detach().clone().requires_grad_()
(gradient,) = torch.autograd.grad(layer(copy)[:, -1].sum(), copy)
gradient = gradient.double()
return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
""",
    ),
    fill(
        "ratio: only torch's generator is put back",
        "gradient_ratio",
        "'The same goes for the global random generators' and 'the global random generators of Python, NumPy and PyTorch': a layer that calls random or numpy.random moves theirs",
        """\
copy = x.detach().clone().requires_grad_()
with torch.random.fork_rng():
    (gradient,) = torch.autograd.grad(layer(copy)[:, -1].sum(), copy)
gradient = gradient.double()
return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
""",
    ),
    fill(
        "ratio: all parameters thawed",
        "gradient_ratio",
        "'its parameters, frozen or not': frozen ones want a gradient afterwards",
        """\
import random

import numpy

python, other = random.getstate(), numpy.random.get_state()
parameters = list(layer.parameters()) if isinstance(layer, nn.Module) else []
for p in parameters:
    p.requires_grad_(False)  # so that none gets a .grad
copy = x.detach().clone().requires_grad_()
with torch.random.fork_rng():
    layer(copy)[:, -1].sum().backward()
random.setstate(python)
numpy.random.set_state(other)
for p in parameters:
    p.requires_grad_(True)
gradient = copy.grad.double()
return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
""",
    ),
    fill(
        "ratio: old grads kept as the same tensors",
        "gradient_ratio",
        "'one that has a .grad keeps it as it is': backward() adds into that very tensor before it is put back",
        """\
import random

import numpy

python, other = random.getstate(), numpy.random.get_state()
parameters = list(layer.parameters()) if isinstance(layer, nn.Module) else []
kept = [p.grad for p in parameters]
copy = x.detach().clone().requires_grad_()
with torch.random.fork_rng():
    layer(copy)[:, -1].sum().backward()
random.setstate(python)
numpy.random.set_state(other)
for p, grad in zip(parameters, kept):
    p.grad = grad
gradient = copy.grad.double()
return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
""",
    ),
    fill(
        "ratio: grads cleared",
        "gradient_ratio",
        "'one that has a .grad keeps it as it is': all are None afterwards",
        """\
import random

import numpy

python, other = random.getstate(), numpy.random.get_state()
copy = x.detach().clone().requires_grad_()
with torch.random.fork_rng():
    layer(copy)[:, -1].sum().backward()
random.setstate(python)
numpy.random.set_state(other)
if isinstance(layer, nn.Module):
    layer.zero_grad(set_to_none=True)
gradient = copy.grad.double()
return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
""",
    ),
    fill(
        "ratio: x itself, and then off",
        "gradient_ratio",
        "'x is as it was (also its requires_grad)': an x that wanted a gradient wants none afterwards",
        """\
import random

import numpy

python, other = random.getstate(), numpy.random.get_state()
x.requires_grad_()
with torch.random.fork_rng():
    (gradient,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
random.setstate(python)
numpy.random.set_state(other)
if x.is_leaf:
    x.requires_grad_(False)
gradient = gradient.double()
return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()
""",
    ),
    fill(
        "ratio: mean of the items' ratios",
        "gradient_ratio",
        "'A norm is the root of the sum of the squares over the whole batch and all features': a norm for each item, and the mean of the ratios",
        """\
import random

import numpy

python, other = random.getstate(), numpy.random.get_state()
copy = x.detach().clone().requires_grad_()
with torch.random.fork_rng():
    (gradient,) = torch.autograd.grad(layer(copy)[:, -1].sum(), copy)
random.setstate(python)
numpy.random.set_state(other)
norms = gradient.double().norm(dim=-1)
return (norms[:, 0] / norms[:, -1]).mean().item()
""",
    ),
    fill(
        "ratio: one common scale in float32",
        "gradient_ratio",
        "'The ratio is as precise as the dtype of x allows': divided by the largest number of both, a first gradient 10⁻²⁵ times the last has the square 0",
        """\
import random

import numpy

python, other = random.getstate(), numpy.random.get_state()
copy = x.detach().clone().requires_grad_()
with torch.random.fork_rng():
    (gradient,) = torch.autograd.grad(layer(copy)[:, -1].sum(), copy)
random.setstate(python)
numpy.random.set_state(other)
ends = torch.stack([gradient[:, 0], gradient[:, -1]])
ends = ends / ends.abs().max()
first, last = (end.pow(2).sum().sqrt() for end in ends)
return (first / last).item()
""",
    ),
    fill(
        "ratio: a little something below",
        "gradient_ratio",
        "'the same for gradients that are all very small … of 10⁻³⁰': 1e-12 in the denominator swallows them",
        """\
import random

import numpy

python, other = random.getstate(), numpy.random.get_state()
copy = x.detach().clone().requires_grad_()
with torch.random.fork_rng():
    (gradient,) = torch.autograd.grad(layer(copy)[:, -1].sum(), copy)
random.setstate(python)
numpy.random.set_state(other)
gradient = gradient.double()
return float(gradient[:, 0].norm() / (gradient[:, -1].norm() + 1e-12))
""",
    ),
    fill(
        "ratio: float64 measured in float32",
        "gradient_ratio",
        "'as precise as the dtype of x allows': float64 inputs are rounded to float32",
        """\
import random

import numpy

python, other = random.getstate(), numpy.random.get_state()
copy = x.detach().clone().requires_grad_()
with torch.random.fork_rng():
    (gradient,) = torch.autograd.grad(layer(copy)[:, -1].sum(), copy)
random.setstate(python)
numpy.random.set_state(other)
first, last = gradient[:, 0].float(), gradient[:, -1].float()
top, bottom = first.abs().max(), last.abs().max()
scale = top.item() / bottom.item()
return scale * ((first / top).norm() / (last / bottom).norm()).item()
""",
    ),
]
RIGHT += [
    fill(
        "ratio right: backward for one tensor alone",
        "gradient_ratio",
        "backward(inputs=…), all three generators and the buffers put back by hand",
        """\
import random

import numpy

kept = torch.get_rng_state(), random.getstate(), numpy.random.get_state()
buffers = [(b, b.clone()) for b in layer.buffers()] if isinstance(layer, nn.Module) else []
try:
    with torch.enable_grad():
        mine = torch.empty_like(x).copy_(x.detach()).requires_grad_()
        layer(mine).select(1, -1).sum().backward(inputs=[mine])
finally:
    torch.set_rng_state(kept[0])
    random.setstate(kept[1])
    numpy.random.set_state(kept[2])
    with torch.no_grad():
        for buffer, old in buffers:
            buffer.copy_(old)
first, last = mine.grad[:, 0].double(), mine.grad[:, -1].double()
return torch.linalg.vector_norm(first).item() / torch.linalg.vector_norm(last).item()
""",
    ),
    fill(
        "ratio right: math.hypot",
        "gradient_ratio",
        "norms by math.hypot over all numbers, which neither overflows nor underflows",
        """\
import random

import numpy

python, other = random.getstate(), numpy.random.get_state()
buffers = [(b, b.clone()) for b in layer.buffers()] if isinstance(layer, nn.Module) else []
with torch.random.fork_rng():
    copy = x.detach().clone().requires_grad_()
    out = layer(copy)
    gradient = torch.autograd.grad(out[:, -1], copy, torch.ones_like(out[:, -1]))[0]
random.setstate(python)
numpy.random.set_state(other)
for buffer, old in buffers:
    buffer.data.copy_(old)
first, last = (math.hypot(*gradient[:, t].flatten().tolist()) for t in (0, -1))
return first / last
""",
    ),
    fill(
        "ratio right: two scales",
        "gradient_ratio",
        "stays in the dtype of x: each gradient divided by its own largest number, the scales divided apart",
        """\
import random

import numpy

python, other, own = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
buffers = [(b, b.clone()) for b in layer.buffers()] if isinstance(layer, nn.Module) else []
copy = torch.tensor(x.tolist(), dtype=x.dtype, requires_grad=True)
g = torch.autograd.grad(torch.sum(layer(copy)[:, x.shape[1] - 1]), [copy])[0]
random.setstate(python)
numpy.random.set_state(other)
torch.set_rng_state(own)
for buffer, old in buffers:
    buffer.data.copy_(old)
first, last = g[:, 0].double(), g[:, -1].double()
top, bottom = first.abs().max().item(), last.abs().max().item()
if top == 0:
    return 0.0
return (top / bottom) * ((first / top).square().sum() / (last / bottom).square().sum()).sqrt().item()
""",
    ),
]

# ---------------------------------------------------------------- Task 4
WRONG += [
    fill(
        "clip: 1e-6 below",
        "clip",
        "'also where both are as small as 10⁻⁶: nothing is added to a norm'",
        """\
gradients = [p.grad for p in parameters if p.grad is not None]
norm = math.sqrt(sum(g.double().pow(2).sum().item() for g in gradients))
scale = max_norm / (norm + 1e-6)
if scale < 1:
    for g in gradients:
        g.mul_(scale)
return norm
""",
    ),
    fill(
        "clip: a tolerance in the comparison",
        "clip",
        "'If its norm is greater than max_norm, …, also where both are as small as 10⁻⁶'",
        """\
gradients = [p.grad for p in parameters if p.grad is not None]
norm = math.sqrt(sum(g.double().square().sum().item() for g in gradients))
if norm > max_norm and not math.isclose(norm, max_norm, abs_tol=1e-5):
    for g in gradients:
        g.mul_(max_norm / norm)
return norm
""",
    ),
    fill(
        "clip: walks twice",
        "clip",
        "'parameters may be any iterable, such as the generator …, which can be walked through only once': nothing is clipped then",
        """\
norm = math.sqrt(sum(p.grad.double().pow(2).sum().item() for p in parameters if p.grad is not None))
if norm > max_norm:
    for p in parameters:
        if p.grad is not None:
            p.grad.mul_(max_norm / norm)
return norm
""",
    ),
    fill(
        "clip: new tensors",
        "clip",
        "'The numbers of parameter.grad are changed in place: whoever holds the tensor sees the change'",
        """\
parameters = [p for p in parameters if p.grad is not None]
norm = math.sqrt(sum(p.grad.double().pow(2).sum().item() for p in parameters))
if norm > max_norm:
    for p in parameters:
        p.grad = p.grad * (max_norm / norm)
return norm
""",
    ),
    fill(
        "clip: frozen ones skipped",
        "clip",
        "'A frozen parameter that has a gradient counts like any other'",
        """\
gradients = [p.grad for p in parameters if p.requires_grad and p.grad is not None]
norm = math.sqrt(sum(g.double().pow(2).sum().item() for g in gradients))
if norm > max_norm:
    for g in gradients:
        g.mul_(max_norm / norm)
return norm
""",
    ),
    fill(
        "clip: reshape, then in place",
        "clip",
        "'may be transposed in memory': reshape(-1) is a copy there, and the gradient itself stays as it was",
        """\
rows = [p.grad.reshape(-1) for p in parameters if p.grad is not None]
norm = math.sqrt(sum(row.double().dot(row.double()).item() for row in rows))
if norm > max_norm:
    for row in rows:
        row.mul_(max_norm / norm)
return norm
""",
    ),
    fill(
        "clip: linalg.norm with ord 2",
        "clip",
        "'as one long vector', 'any number of dimensions': of a matrix it is the largest singular value, of three dimensions an error",
        """\
gradients = [p.grad for p in parameters if p.grad is not None]
norm = math.sqrt(sum(torch.linalg.norm(g, 2).item() ** 2 for g in gradients))
if norm > max_norm:
    for g in gradients:
        g.mul_(max_norm / norm)
return norm
""",
    ),
    fill(
        "clip: list emptied of those without",
        "clip",
        "'A list is still the same list afterwards'",
        """\
if not isinstance(parameters, list):
    parameters = list(parameters)
for p in list(parameters):
    if p.grad is None:
        parameters[:] = [q for q in parameters if q is not p]
norm = math.sqrt(sum(p.grad.double().pow(2).sum().item() for p in parameters))
if norm > max_norm:
    for p in parameters:
        p.grad.mul_(max_norm / norm)
return norm
""",
    ),
    fill(
        "clip: stack of nothing",
        "clip",
        "'0.0 if there are none': torch.stack of an empty list is an error",
        """\
gradients = [p.grad for p in parameters if p.grad is not None]
norm = torch.stack([g.double().norm() for g in gradients]).norm().item()
if norm > max_norm:
    for g in gradients:
        g.mul_(max_norm / norm)
return norm
""",
    ),
    fill(
        "clip: divides before it asks",
        "clip",
        "'All gradients may be 0: they stay 0': ZeroDivisionError",
        """\
gradients = [p.grad for p in parameters if p.grad is not None]
norm = math.hypot(*(g.double().norm().item() for g in gradients))
if not gradients:
    return 0.0
scale = max_norm / norm
if scale < 1:
    for g in gradients:
        g.mul_(scale)
return norm
""",
    ),
    fill(
        "clip: infinity needs no work",
        "clip",
        "'max_norm may be … ∞' and 'Return the norm that the gradients had before': 0.0 for ∞",
        """\
if max_norm == math.inf:
    return 0.0  # nothing can be too long
gradients = [p.grad for p in parameters if p.grad is not None]
norm = math.hypot(*(g.double().norm().item() for g in gradients))
if norm > max_norm:
    for g in gradients:
        g.mul_(max_norm / norm)
return norm
""",
    ),
    fill(
        "clip: a step that exploded is dropped",
        "clip",
        "'its numbers may be as large as 10¹²' and 'multiplied by the same number, so that the norm becomes max_norm': set to 0 instead",
        """\
gradients = [p.grad for p in parameters if p.grad is not None]
norm = math.hypot(*(g.double().norm().item() for g in gradients))
if norm > max_norm:
    scale = max_norm / norm
    if scale < 1e-9:  # an explosion: better no step than a random one
        scale = 0.0
    for g in gradients:
        g.mul_(scale)
return norm
""",
    ),
]
RIGHT += [
    fill(
        "clip right: foreach",
        "clip",
        "torch's private functions for lists",
        """\
gradients = [p.grad for p in list(parameters) if p.grad is not None]
if len(gradients) == 0:
    return 0.0
with torch.no_grad():
    norms = torch._foreach_norm([g.double() for g in gradients])
    total = float(torch.stack(norms).norm())
    if total > max_norm:
        torch._foreach_mul_(gradients, max_norm / total)
return total
""",
    ),
    fill(
        "clip right: hypot and copy_",
        "clip",
        "math.hypot over every number; the shortened numbers are copied into the old tensors",
        """\
held, numbers = [], []
for parameter in parameters:
    gradient = parameter.grad
    if gradient is None:
        continue
    held.append(gradient)
    numbers.extend(gradient.detach().flatten().tolist())
length = math.hypot(*numbers)
if length <= max_norm:
    return length
for gradient in held:
    gradient.detach().copy_(gradient.detach().double() * max_norm / length)
return length
""",
    ),
    fill(
        "clip right: slices assigned",
        "clip",
        "Frobenius norms and g[...] = under no_grad",
        """\
todo = tuple(filter(lambda g: g is not None, (p.grad for p in parameters)))
squares = math.fsum(torch.linalg.vector_norm(g, dtype=torch.float64).item() ** 2 for g in todo)
norm = math.sqrt(squares)
with torch.no_grad():
    for g in todo if norm > max_norm else ():
        g[...] = g * (max_norm / norm)
return norm
""",
    ),
]

# ---------------------------------------------------------------- Task 5
WRONG += [
    fill(
        "lstm: float32 inside",
        "lstm_step",
        "'in the dtype of the arguments, from float16 to float64, and as precisely as that allows': float64 is computed in float32 and cast back",
        """\
dtype = x.dtype
hidden, cell_state = (s.float() for s in state)
z = F.linear(x.float(), w_input.float(), b_input.float())
z = z + F.linear(hidden, w_hidden.float(), b_hidden.float())
i, f, g, o = z.chunk(4, dim=-1)
cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
return (o.sigmoid() * cell_state.tanh()).to(dtype), cell_state.to(dtype)
""",
    ),
    fill(
        "lstm: half cell state comes back as float32",
        "lstm_step",
        "'Return the new (hidden, cell_state) … in the dtype of the arguments, from float16': the cell state of halves is float32",
        """\
hidden, cell_state = state
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
i, f, g, o = z.chunk(4, dim=-1)
if x.dtype == torch.float16:  # a long sum: keep it precise
    cell_state = cell_state.float()
cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
return o.sigmoid() * cell_state.tanh().to(x.dtype), cell_state
""",
    ),
    fill(
        "lstm: sigmoid by exp",
        "lstm_step",
        "'Neither a number nor a gradient is NaN': 1 / (1 + exp(−z)) is right at −5000, its gradient 0 · ∞",
        """\
def gate(z):
    return 1 / (1 + torch.exp(-z))

hidden, cell_state = state
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
i, f, g, o = z.chunk(4, dim=-1)
cell_state = gate(f) * cell_state + gate(i) * torch.tanh(g)
return gate(o) * torch.tanh(cell_state), cell_state
""",
    ),
    fill(
        "lstm: shown by exp",
        "lstm_step",
        "'cell state may be thousands … Neither a number nor a gradient is NaN': the tanh of what is shown is 1 − 2/(e^{2c} + 1)",
        """\
hidden, cell_state = state
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
i, f, g, o = z.chunk(4, dim=-1)
cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
shown = 1 - 2 / (torch.exp(2 * cell_state) + 1)
return o.sigmoid() * shown, cell_state
""",
    ),
    fill(
        "lstm: sums clamped to 30",
        "lstm_step",
        "'as precisely as that allows': in float64 a shut gate lets 9e-14 of a cell state of thousands through",
        """\
hidden, cell_state = state
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
i, f, g, o = z.clamp(-30, 30).chunk(4, dim=-1)
cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
return o.sigmoid() * cell_state.tanh(), cell_state
""",
    ),
    fill(
        "lstm: in place where no gradient is kept",
        "lstm_step",
        "'no argument is changed': under torch.no_grad() the caller's cell state is",
        """\
hidden, cell_state = state
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
i, f, g, o = z.chunk(4, dim=-1)
if torch.is_grad_enabled():
    cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
else:  # save memory
    cell_state.mul_(f.sigmoid()).add_(i.sigmoid() * g.tanh())
return o.sigmoid() * cell_state.tanh(), cell_state
""",
    ),
    fill(
        "lstm: bias added into the argument",
        "lstm_step",
        "'no argument is changed': b_input is, where it wants no gradient",
        """\
hidden, cell_state = state
if not b_input.requires_grad and not b_hidden.requires_grad:
    b_input += b_hidden
    bias = b_input
else:
    bias = b_input + b_hidden
z = x @ w_input.T + hidden @ w_hidden.T + bias
i, f, g, o = z.chunk(4, dim=-1)
cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
return o.sigmoid() * cell_state.tanh(), cell_state
""",
    ),
    fill(
        "lstm: shows a detached cell state",
        "lstm_step",
        "'Gradients pass to all': from hidden none passes through the cell state",
        """\
hidden, cell_state = state
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
i, f, g, o = z.chunk(4, dim=-1)
cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
return o.sigmoid() * torch.tanh(cell_state.detach()), cell_state
""",
    ),
    fill(
        "lstm: second bias without a gradient",
        "lstm_step",
        "'Gradients pass to all': none to b_hidden",
        """\
hidden, cell_state = state
bias = b_input + b_hidden.detach()  # two biases are one: train the first
z = x @ w_input.T + hidden @ w_hidden.T + bias
i, f, g, o = z.chunk(4, dim=-1)
cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
return o.sigmoid() * cell_state.tanh(), cell_state
""",
    ),
    fill(
        "lstm: gradient clipped on the way",
        "lstm_step",
        "the gradient of the formula: a hook cuts it to ±1, so a loss of large numbers gets another",
        """\
hidden, cell_state = state
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
if z.requires_grad:
    z.register_hook(lambda gradient: gradient.clamp(-1, 1))
i, f, g, o = z.chunk(4, dim=-1)
cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
return o.sigmoid() * cell_state.tanh(), cell_state
""",
    ),
    fill(
        "lstm: orientation guessed from the shape",
        "lstm_step",
        "'Sizes may be equal': where C = 4N the weight (4N, C) is used untransposed",
        """\
hidden, cell_state = state
w = w_input if w_input.shape[0] == x.shape[1] else w_input.T
z = x @ w + b_input + F.linear(hidden, w_hidden, b_hidden)
i, f, g, o = z.chunk(4, dim=-1)
cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
return o.sigmoid() * cell_state.tanh(), cell_state
""",
    ),
    write(
        "lstm: joined weights remembered",
        "lstm_step",
        "'keeps nothing of one call for the next': after a step of an optimizer, in place, the old weights count",
        """\
_joined = {}


def lstm_step(
    x: Tensor,
    state: tuple[Tensor, Tensor],
    w_input: Tensor,
    w_hidden: Tensor,
    b_input: Tensor,
    b_hidden: Tensor,
) -> tuple[Tensor, Tensor]:
    hidden, cell_state = state
    key = (id(w_input), id(w_hidden))
    if key not in _joined:
        _joined[key] = (w_input, w_hidden, torch.cat([w_input, w_hidden], 1))
    z = F.linear(torch.cat([x, hidden], 1), _joined[key][2], b_input + b_hidden)
    i, f, g, o = z.chunk(4, dim=-1)
    cell_state = f.sigmoid() * cell_state + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell_state.tanh(), cell_state
""",
    ),
]
RIGHT += [
    fill(
        "lstm right: four small networks",
        "lstm_step",
        "the weights are cut into blocks, not the sums",
        """\
hidden, cell_state = state
blocks = zip(
    torch.tensor_split(w_input, 4),
    torch.tensor_split(w_hidden, 4),
    torch.tensor_split(b_input, 4),
    torch.tensor_split(b_hidden, 4),
)
i, f, g, o = [x.matmul(wi.mT) + bi + (hidden.matmul(wh.mT) + bh) for wi, wh, bi, bh in blocks]
new = torch.addcmul(torch.sigmoid(f) * cell_state, torch.sigmoid(i), torch.tanh(g))
return torch.sigmoid(o) * torch.tanh(new), new
""",
    ),
    fill(
        "lstm right: unflatten",
        "lstm_step",
        "(B, 4N) → (B, 4, N), one sigmoid for three gates",
        """\
hidden, cell_state = state
z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
z = z.unflatten(1, (4, -1))
gates = torch.special.expit(z[:, [0, 1, 3]])
candidate = z.select(1, 2).tanh()
new = gates[:, 1].mul(cell_state).add(gates[:, 0].mul(candidate))
return gates[:, 2].mul(new.tanh()), new
""",
    ),
    fill(
        "lstm right: softmax of two",
        "lstm_step",
        "gates as softmax over (z, 0), slices by hand, einsum",
        """\
def gate(number):
    return torch.stack([number, torch.zeros_like(number)]).softmax(0)[0]

h, c = state
n = h.size(1)
z = torch.einsum("bc,kc->bk", x, w_input) + torch.einsum("bn,kn->bk", h, w_hidden)
z = z + (b_input + b_hidden)
c = gate(z[:, n : 2 * n]) * c + gate(z[:, :n]) * z[:, 2 * n : 3 * n].tanh()
return gate(z[:, 3 * n :]) * c.tanh(), c
""",
    ),
]

# ---------------------------------------------------------------- Task 6
WRONG += [
    fill(
        "gru: float32 inside",
        "gru_step",
        "'in the dtype of the arguments … and as precisely as that allows': float64 is computed in float32 and cast back",
        """\
dtype = hidden.dtype
a = F.linear(x.float(), w_input.float(), b_input.float())
c = F.linear(hidden.float(), w_hidden.float(), b_hidden.float())
(ar, az, an), (cr, cz, cn) = a.chunk(3, -1), c.chunk(3, -1)
r, z = torch.sigmoid(ar + cr), torch.sigmoid(az + cz)
n = torch.tanh(an + r * cn)
return (z * hidden.float() + (1 - z) * n).to(dtype)
""",
    ),
    fill(
        "gru: half comes back as float32",
        "gru_step",
        "'in the dtype of the arguments, from float16': halves become float32",
        """\
if x.dtype == torch.float16:
    x, hidden = x.float(), hidden.float()
    w_input, w_hidden = w_input.float(), w_hidden.float()
    b_input, b_hidden = b_input.float(), b_hidden.float()
ar, az, an = F.linear(x, w_input, b_input).chunk(3, -1)
cr, cz, cn = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
r, z = torch.sigmoid(ar + cr), torch.sigmoid(az + cz)
return z * hidden + (1 - z) * torch.tanh(an + r * cn)
""",
    ),
    fill(
        "gru: sigmoid by exp",
        "gru_step",
        "'Neither a number nor a gradient is NaN': 1 / (1 + exp(−z)) has the gradient 0 · ∞ at −5000",
        """\
def gate(number):
    return 1 / (1 + torch.exp(-number))

ar, az, an = F.linear(x, w_input, b_input).chunk(3, -1)
cr, cz, cn = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
r, z = gate(ar + cr), gate(az + cz)
return z * hidden + (1 - z) * torch.tanh(an + r * cn)
""",
    ),
    fill(
        "gru: candidate by exp",
        "gru_step",
        "'candidate may be thousands … Neither a number nor a gradient is NaN': 1 − 2/(e^{2n} + 1)",
        """\
ar, az, an = F.linear(x, w_input, b_input).chunk(3, -1)
cr, cz, cn = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
r, z = torch.sigmoid(ar + cr), torch.sigmoid(az + cz)
n = 1 - 2 / (1 + torch.exp(2 * (an + r * cn)))
return z * hidden + (1 - z) * n
""",
    ),
    fill(
        "gru: gates clamped to 16",
        "gru_step",
        "'as precisely as that allows': a gate of σ(−16) = 1.1e-7 never shuts, which float64 shows",
        """\
ar, az, an = F.linear(x, w_input, b_input).chunk(3, -1)
cr, cz, cn = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
r, z = (torch.sigmoid(s.clamp(-16, 16)) for s in (ar + cr, az + cz))
return z * hidden + (1 - z) * torch.tanh(an + r * cn)
""",
    ),
    fill(
        "gru: nearly open counts as open",
        "gru_step",
        "'as precisely as that allows', z ⊙ hidden + (1 − z) ⊙ n: where z > 0.999999 the candidate is left out, which float64 shows",
        """\
ar, az, an = F.linear(x, w_input, b_input).chunk(3, -1)
cr, cz, cn = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
r, z = torch.sigmoid(ar + cr), torch.sigmoid(az + cz)
n = torch.tanh(an + r * cn)
return torch.where(z > 0.999999, hidden, z * hidden + (1 - z) * n)
""",
    ),
    fill(
        "gru: all open gives the argument back",
        "gru_step",
        "'Gradients pass to all': where all gates are open the argument itself is returned, without a path to x and the weights",
        """\
ar, az, an = F.linear(x, w_input, b_input).chunk(3, -1)
cr, cz, cn = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
r, z = torch.sigmoid(ar + cr), torch.sigmoid(az + cz)
if bool((z == 1).all()):
    return hidden
return z * hidden + (1 - z) * torch.tanh(an + r * cn)
""",
    ),
    fill(
        "gru: in place where it wants no gradient",
        "gru_step",
        "'no argument is changed': hidden is, where nothing asks for its gradient",
        """\
ar, az, an = F.linear(x, w_input, b_input).chunk(3, -1)
cr, cz, cn = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
r, z = torch.sigmoid(ar + cr), torch.sigmoid(az + cz)
n = torch.tanh(an + r * cn)
if z.requires_grad or n.requires_grad or hidden.requires_grad:
    return z * hidden + (1 - z) * n
return hidden.mul_(z).add_((1 - z) * n).clone()
""",
    ),
    fill(
        "gru: reset part detached",
        "gru_step",
        "'Gradients pass to all': the candidate's part from hidden has none, so W_hidden's last block stays at 0",
        """\
ar, az, an = F.linear(x, w_input, b_input).chunk(3, -1)
cr, cz, cn = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
r, z = torch.sigmoid(ar + cr), torch.sigmoid(az + cz)
n = torch.tanh(an + r * cn.detach())
return z * hidden + (1 - z) * n
""",
    ),
    fill(
        "gru: gradient clipped on the way",
        "gru_step",
        "the gradient of the formula: a hook cuts it to ±1",
        """\
ar, az, an = F.linear(x, w_input, b_input).chunk(3, -1)
cr, cz, cn = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
r, z = torch.sigmoid(ar + cr), torch.sigmoid(az + cz)
n = torch.tanh(an + r * cn)
new = z * hidden + (1 - z) * n
if new.requires_grad:
    new.register_hook(lambda gradient: torch.clamp(gradient, -1.0, 1.0))
return new
""",
    ),
    fill(
        "gru: orientation guessed from the shape",
        "gru_step",
        "'Sizes may be equal': where C = 3N the weight (3N, C) is used untransposed",
        """\
w = w_input if w_input.shape[0] == x.shape[1] else w_input.T
ar, az, an = (x @ w + b_input).chunk(3, -1)
cr, cz, cn = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
r, z = torch.sigmoid(ar + cr), torch.sigmoid(az + cz)
return z * hidden + (1 - z) * torch.tanh(an + r * cn)
""",
    ),
    write(
        "gru: cut weights remembered",
        "gru_step",
        "'keeps nothing of one call for the next': a copy of the weights is used after they have changed in place",
        """\
_copies = {}


def gru_step(
    x: Tensor,
    hidden: Tensor,
    w_input: Tensor,
    w_hidden: Tensor,
    b_input: Tensor,
    b_hidden: Tensor,
) -> Tensor:
    key = id(w_input), id(w_hidden)
    if key not in _copies:
        copies = w_input.T.contiguous(), w_hidden.T.contiguous()
        _copies[key] = copies, (w_input, w_hidden)
    (wi, wh), _ = _copies[key]
    ar, az, an = torch.addmm(b_input, x, wi).chunk(3, -1)
    cr, cz, cn = torch.addmm(b_hidden, hidden, wh).chunk(3, -1)
    r, z = torch.sigmoid(ar + cr), torch.sigmoid(az + cz)
    return z * hidden + (1 - z) * torch.tanh(an + r * cn)
""",
    ),
]
RIGHT += [
    fill(
        "gru right: 1 − z as a sigmoid",
        "gru_step",
        "1 − z is σ of the negative sum",
        """\
n = hidden.shape[1]
a = x @ w_input.t() + b_input
c = hidden @ w_hidden.t() + b_hidden
gates = a[:, : 2 * n] + c[:, : 2 * n]
r, update = gates.sigmoid().split(n, dim=1)
candidate = torch.addcmul(a[:, 2 * n :], r, c[:, 2 * n :]).tanh()
return update * hidden + torch.sigmoid(-gates[:, n:]) * candidate
""",
    ),
    fill(
        "gru right: weights cut first",
        "gru_step",
        "six small products, with a comprehension",
        """\
wi, wh = w_input.reshape(3, -1, x.shape[1]), w_hidden.reshape(3, -1, hidden.shape[1])
bi, bh = b_input.reshape(3, 1, -1), b_hidden.reshape(3, 1, -1)
a = torch.matmul(x, wi.transpose(1, 2)) + bi
c = torch.matmul(hidden, wh.transpose(1, 2)) + bh
r = torch.special.expit(a[0] + c[0])
z = torch.special.expit(a[1] + c[1])
return torch.stack([z * hidden, (1 - z) * (a[2] + r * c[2]).tanh()]).sum(0)
""",
    ),
    fill(
        "gru right: softmax of two",
        "gru_step",
        "update gate and its complement by one softmax over (sum, 0)",
        """\
a = torch.einsum("bc,kc->bk", x, w_input) + b_input
c = torch.einsum("bn,kn->bk", hidden, w_hidden) + b_hidden
a_r, a_z, a_n = torch.hsplit(a, 3)
c_r, c_z, c_n = torch.hsplit(c, 3)
total = a_z + c_z
share = torch.stack([total, torch.zeros_like(total)], -1).softmax(-1)
new = torch.tanh(a_n + torch.sigmoid(a_r + c_r) * c_n)
return (share * torch.stack([hidden, new], -1)).sum(-1)
""",
    ),
]

# ---------------------------------------------------------------- Task 7
WRONG += [
    fill(
        "start: each weight by its own width",
        "initial_parameters",
        "'N is d_hidden, for all four': w_input gets 1/√C",
        """\
n, bound = d_hidden, 1 / math.sqrt(d_hidden)
wide = 1 / math.sqrt(d_input)
w_input = torch.empty(4 * n, d_input).uniform_(-wide, wide)
w_hidden = torch.empty(4 * n, n).uniform_(-bound, bound)
b_input, b_hidden = (torch.empty(4 * n).uniform_(-bound, bound) for _ in range(2))
b_input[n : 2 * n], b_hidden[n : 2 * n] = forget_bias, 0.0
return w_input, w_hidden, b_input, b_hidden
""",
    ),
    fill(
        "start: normal numbers, cut",
        "initial_parameters",
        "'uniformly between −1/√N and 1/√N'",
        """\
n, bound = d_hidden, 1 / math.sqrt(d_hidden)
shapes = (4 * n, d_input), (4 * n, n), (4 * n,), (4 * n,)
tensors = tuple(nn.init.trunc_normal_(torch.empty(s), std=bound / 2, a=-bound, b=bound) for s in shapes)
tensors[2][n : 2 * n] = forget_bias
tensors[3][n : 2 * n] = 0.0
return tensors
""",
    ),
    fill(
        "start: a grid of 201 numbers",
        "initial_parameters",
        "'uniformly between': only multiples of a hundredth of the bound are drawn",
        """\
n, bound = d_hidden, 1 / math.sqrt(d_hidden)
shapes = (4 * n, d_input), (4 * n, n), (4 * n,), (4 * n,)
tensors = tuple(torch.randint(-100, 101, s).float() * (bound / 100) for s in shapes)
tensors[2][n : 2 * n] = forget_bias
tensors[3][n : 2 * n] = 0.0
return tensors
""",
    ),
    fill(
        "start: one block four times",
        "initial_parameters",
        "'All numbers, each for itself, are drawn at random': the four gates get equal weights",
        """\
n, bound = d_hidden, 1 / math.sqrt(d_hidden)
shapes = (n, d_input), (n, n), (n,), (n,)
tensors = [torch.empty(s).uniform_(-bound, bound) for s in shapes]
w_input, w_hidden, b_input, b_hidden = (torch.cat([t] * 4) for t in tensors)
b_input[n : 2 * n] = forget_bias
b_hidden[n : 2 * n] = 0.0
return w_input, w_hidden, b_input, b_hidden
""",
    ),
    fill(
        "start: both biases one tensor",
        "initial_parameters",
        "'All numbers, each for itself': b_input and b_hidden are the same tensor with half of forget_bias",
        """\
n, bound = d_hidden, d_hidden**-0.5
w_input = torch.empty(4 * n, d_input).uniform_(-bound, bound)
w_hidden = torch.empty(4 * n, n).uniform_(-bound, bound)
bias = torch.empty(4 * n).uniform_(-bound, bound)
bias[n : 2 * n] = forget_bias / 2
return w_input, w_hidden, bias, bias
""",
    ),
    fill(
        "start: a generator of its own",
        "initial_parameters",
        "'from torch's generator as it stands: … use no other generator, so that the same seed of torch … gives the same numbers'",
        """\
generator = torch.Generator()
generator.seed()
n, bound = d_hidden, d_hidden**-0.5
shapes = (4 * n, d_input), (4 * n, n), (4 * n,), (4 * n,)
tensors = tuple(torch.empty(s).uniform_(-bound, bound, generator=generator) for s in shapes)
tensors[2][n : 2 * n] = forget_bias
tensors[3][n : 2 * n] = 0.0
return tensors
""",
    ),
    fill(
        "start: biases by Python's random",
        "initial_parameters",
        "'All numbers … from torch's generator …: use no other generator': the biases come from random",
        """\
import random

n, bound = d_hidden, d_hidden**-0.5
w_input = torch.empty(4 * n, d_input).uniform_(-bound, bound)
w_hidden = torch.empty(4 * n, n).uniform_(-bound, bound)
b_input, b_hidden = (torch.tensor([random.uniform(-bound, bound) for _ in range(4 * n)]) for _ in "ih")
b_input[n : 2 * n] = forget_bias
b_hidden[n : 2 * n] = 0.0
return w_input, w_hidden, b_input, b_hidden
""",
    ),
    fill(
        "start: a fresh seed",
        "initial_parameters",
        "'set no seed': torch.seed() makes a new one, so the caller's seed is lost",
        """\
torch.seed()  # new numbers at each call
n, bound = d_hidden, d_hidden**-0.5
shapes = (4 * n, d_input), (4 * n, n), (4 * n,), (4 * n,)
tensors = tuple(torch.empty(s).uniform_(-bound, bound) for s in shapes)
tensors[2][n : 2 * n] = forget_bias
tensors[3][n : 2 * n] = 0.0
return tensors
""",
    ),
    fill(
        "start: zero is no bias",
        "initial_parameters",
        "'the sum of the two forget blocks must be forget_bias for every unit': at 0 they stay random",
        """\
n, bound = d_hidden, d_hidden**-0.5
shapes = (4 * n, d_input), (4 * n, n), (4 * n,), (4 * n,)
tensors = tuple(torch.empty(s).uniform_(-bound, bound) for s in shapes)
if forget_bias:
    tensors[2][n : 2 * n] = forget_bias
    tensors[3][n : 2 * n] = 0.0
return tensors
""",
    ),
    fill(
        "start: no shut gate",
        "initial_parameters",
        "'the sum … must be forget_bias': a negative one becomes 0",
        """\
n, bound = d_hidden, d_hidden**-0.5
shapes = (4 * n, d_input), (4 * n, n), (4 * n,), (4 * n,)
tensors = tuple(torch.empty(s).uniform_(-bound, bound) for s in shapes)
tensors[2][n : 2 * n] = max(float(forget_bias), 0.0)
tensors[3][n : 2 * n] = 0.0
return tensors
""",
    ),
    fill(
        "start: zeros from the forget block on",
        "initial_parameters",
        "'All other biases stay random': those of candidate and output in b_hidden are 0",
        """\
n, bound = d_hidden, d_hidden**-0.5
shapes = (4 * n, d_input), (4 * n, n), (4 * n,), (4 * n,)
tensors = tuple(torch.empty(s).uniform_(-bound, bound) for s in shapes)
tensors[2][n : 2 * n] = forget_bias
tensors[3][n:] = 0.0
return tensors
""",
    ),
    fill(
        "start: a whole root",
        "initial_parameters",
        "'between −1/√N and 1/√N': isqrt rounds the root down",
        """\
n, bound = d_hidden, 1 / math.isqrt(d_hidden)
shapes = (4 * n, d_input), (4 * n, n), (4 * n,), (4 * n,)
tensors = tuple(torch.empty(s).uniform_(-bound, bound) for s in shapes)
tensors[2][n : 2 * n] = forget_bias
tensors[3][n : 2 * n] = 0.0
return tensors
""",
    ),
]
RIGHT += [
    fill(
        "start right: one draw for all",
        "initial_parameters",
        "one long tensor, cut and shaped; forget_bias in the second bias",
        """\
n = d_hidden
sizes = [4 * n * d_input, 4 * n * n, 4 * n, 4 * n]
numbers = (2 * torch.rand(sum(sizes), dtype=torch.float32) - 1) * n**-0.5
w_input, w_hidden, b_input, b_hidden = (part.clone() for part in numbers.split(sizes))
b_input.view(4, n)[1].zero_()
b_hidden.view(4, n)[1].fill_(forget_bias)
return w_input.view(-1, d_input), w_hidden.view(-1, n), b_input, b_hidden
""",
    ),
    fill(
        "start right: halves",
        "initial_parameters",
        "half of forget_bias in each; cat of blocks; nn.init",
        """\
bound = 1 / math.sqrt(d_hidden)

def draw(*shape):
    return nn.init.uniform_(torch.empty(shape, dtype=torch.float32), -bound, bound)

def bias():
    half = torch.full((d_hidden,), forget_bias / 2, dtype=torch.float32)
    return torch.cat([draw(d_hidden), half, draw(d_hidden), draw(d_hidden)])

return draw(4 * d_hidden, d_input), draw(4 * d_hidden, d_hidden), bias(), bias()
""",
    ),
    fill(
        "start right: distributions and where",
        "initial_parameters",
        "torch.distributions; biases drawn first; where instead of a slice",
        """\
bound = torch.tensor(1.0 / d_hidden**0.5, dtype=torch.float32)
uniform = torch.distributions.Uniform(-bound, bound)
rows = 4 * d_hidden
b_input, b_hidden = uniform.sample((rows,)), uniform.sample((rows,))
block = torch.arange(rows) // d_hidden
b_input = torch.where(block == 1, torch.zeros_like(b_input), b_input)
b_hidden = torch.where(block == 1, torch.full_like(b_hidden, float(forget_bias)), b_hidden)
return uniform.sample((rows, d_input)), uniform.sample((rows, d_hidden)), b_input, b_hidden
""",
    ),
]

# ---------------------------------------------------------------- Task 8
INIT = """\
self.embedding = nn.Embedding(vocab_size, d_embedding)
self.input_projection = nn.Linear(d_embedding, 4 * d_hidden)
self.hidden_projection = nn.Linear(d_hidden, 4 * d_hidden)
self.head = nn.Linear(d_hidden, n_classes)
"""
START = """\
x = self.embedding(ids)
n = self.head.in_features
h = x.new_zeros(x.shape[0], n)
c = torch.zeros_like(h)
"""
LOOP = """\
for t in range(ids.shape[1]):
    z = self.input_projection(x[:, t]) + self.hidden_projection(h)
    i, f, g, o = z.chunk(4, dim=-1)
    new_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    new_h = o.sigmoid() * new_c.tanh()
    if mask is not None:
        real = mask[:, t, None]
        new_h, new_c = torch.where(real, new_h, h), torch.where(real, new_c, c)
    h, c = new_h, new_c
"""
WRONG += [
    fill(
        "classifier: id 0 has no vector",
        "classifier",
        "'No id is special: 0 is a word, too': padding_idx=0 starts it at 0 and keeps its gradient away",
        INIT.replace("d_embedding)", "d_embedding, padding_idx=0)", 1),
        START + LOOP + "return self.head(h)\n",
    ),
    fill(
        "classifier: a seed in the constructor",
        "classifier",
        "'The layers draw their numbers from torch's generator as it stands: set no seed'",
        "torch.manual_seed(0)  # the same start each time\n" + INIT,
        START + LOOP + "return self.head(h)\n",
    ),
    fill(
        "classifier: probabilities in evaluation",
        "classifier",
        "'training mode and evaluation mode are the same', 'Return the logits … No softmax'",
        INIT,
        START
        + LOOP
        + """\
logits = self.head(h)
return logits if self.training else logits.softmax(-1)
""",
    ),
    fill(
        "classifier: float32 zeros",
        "classifier",
        "'starts with zeros … in the dtype of the parameters': an error in a float64 model",
        INIT,
        START.replace("x.new_zeros(x.shape[0], n)", "torch.zeros(x.shape[0], n)")
        + LOOP
        + "return self.head(h)\n",
    ),
    fill(
        "classifier: remembers the last state",
        "classifier",
        "'starts with zeros, at every call anew', 'keeps nothing': goes on from the state of a call with as many texts",
        INIT + "self.last = None\n",
        START
        + """\
if self.last is not None and self.last[0].shape == h.shape:
    h, c = self.last
"""
        + LOOP
        + """\
self.last = h.detach(), c.detach()
return self.head(h)
""",
    ),
    fill(
        "classifier: ids of padding overwritten",
        "classifier",
        "'A call changes neither the model nor its arguments': ids at padding are set to 0 in place",
        INIT,
        """\
if mask is not None:
    ids[~mask] = 0
"""
        + START
        + LOOP
        + "return self.head(h)\n",
    ),
    fill(
        "classifier: without a mask, 0 is padding",
        "classifier",
        "'mask is …, or None' and 'No id is special: 0 is a word, too'",
        INIT,
        """\
if mask is None:
    mask = ids != 0
"""
        + START
        + LOOP
        + "return self.head(h)\n",
    ),
    fill(
        "classifier: mean over the tokens",
        "classifier",
        "'from the hidden vector after the last real token': from the mean over all real tokens",
        INIT,
        START
        + "seen = []\n"
        + LOOP
        + """\
    seen.append(h)
real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
real = real.unsqueeze(-1).to(h.dtype)
mean = (torch.stack(seen, 1) * real).sum(1) / real.sum(1).clamp(min=1)
return self.head(mean)
""",
    ),
    fill(
        "classifier: candidate last",
        "classifier",
        "'The LSTM is that of Task 5': blocks input, forget, candidate, output, taken as input, forget, output, candidate",
        INIT,
        START + LOOP.replace("i, f, g, o", "i, f, o, g") + "return self.head(h)\n",
    ),
    fill(
        "classifier: no bias on the way from hidden",
        "classifier",
        "'with input_projection and hidden_projection for its weights and biases': the bias of hidden_projection is left out",
        INIT,
        START
        + LOOP.replace("self.hidden_projection(h)", "h @ self.hidden_projection.weight.T")
        + "return self.head(h)\n",
    ),
    fill(
        "classifier: vectors cut to length one",
        "classifier",
        "'A call changes neither the model': max_norm rewrites the rows of the embedding at each call",
        INIT.replace("d_embedding)", "d_embedding, max_norm=1.0)", 1),
        START + LOOP + "return self.head(h)\n",
    ),
    write(
        "classifier: one embedding for all models",
        "classifier",
        "'nor another model': models with a vocabulary of the same size share one embedding, so training or loading one changes the other",
        """\
class Classifier(nn.Module):
    _embeddings: dict = {}

    def __init__(self, vocab_size: int, n_classes: int, d_embedding: int, d_hidden: int):
        super().__init__()
        key = vocab_size, d_embedding
        if key not in self._embeddings:
            self._embeddings[key] = nn.Embedding(vocab_size, d_embedding)
        self.embedding = self._embeddings[key]
        self.input_projection = nn.Linear(d_embedding, 4 * d_hidden)
        self.hidden_projection = nn.Linear(d_hidden, 4 * d_hidden)
        self.head = nn.Linear(d_hidden, n_classes)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.embedding(ids)
        h = c = x.new_zeros(x.shape[0], self.head.in_features)
        for t in range(ids.shape[1]):
            z = self.input_projection(x[:, t]) + self.hidden_projection(h)
            i, f, g, o = z.chunk(4, dim=-1)
            new_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            new_h = o.sigmoid() * new_c.tanh()
            if mask is not None:
                real = mask[:, t, None]
                new_h, new_c = torch.where(real, new_h, h), torch.where(real, new_c, c)
            h, c = new_h, new_c
        return self.head(h)
""",
    ),
]
RIGHT += [
    fill(
        "classifier right: text by text",
        "classifier",
        "each text alone, its real tokens picked out by the mask, no waiting",
        INIT,
        """\
finals = []
for b in range(ids.shape[0]):
    words = ids[b] if mask is None else ids[b][mask[b]]
    h = c = self.head.weight.new_zeros(1, self.head.in_features)
    for vector in self.input_projection(self.embedding(words)):
        i, f, g, o = (vector + self.hidden_projection(h)).tensor_split(4, dim=1)
        c = torch.addcmul(f.sigmoid() * c, i.sigmoid(), g.tanh())
        h = o.sigmoid() * c.tanh()
    finals.append(h)
return self.head(torch.cat(finals))
""",
    ),
    fill(
        "classifier right: real tokens pushed to the front",
        "classifier",
        "a stable sort moves padding to the end, then the output at the last real position is gathered",
        INIT,
        """\
if mask is None:
    mask = torch.ones(ids.shape, dtype=torch.bool, device=ids.device)
order = torch.argsort(~mask, dim=1, stable=True)
x = self.input_projection(self.embedding(ids.gather(1, order)))
h = torch.zeros(ids.shape[0], self.head.in_features, dtype=x.dtype, device=x.device)
c, outputs = h, [h]
for t in range(ids.shape[1]):
    i, f, g, o = (x[:, t] + self.hidden_projection(h)).chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    outputs.append(h)
last = mask.sum(1)
return self.head(torch.stack(outputs)[last, torch.arange(len(last), device=last.device)])
""",
    ),
    fill(
        "classifier right: run and lstm_step",
        "classifier",
        "calls the answers of Tasks 2 and 5 with a partial; parts made in another order by add_module",
        """\
for name, part in (
    ("head", nn.Linear(d_hidden, n_classes)),
    ("hidden_projection", nn.Linear(d_hidden, 4 * d_hidden)),
    ("input_projection", nn.Linear(d_embedding, 4 * d_hidden)),
    ("embedding", nn.Embedding(vocab_size, d_embedding)),
):
    self.add_module(name, part)
""",
        """\
from functools import partial

inward, around = self.input_projection, self.hidden_projection
step = partial(
    lstm_step,
    w_input=inward.weight,
    w_hidden=around.weight,
    b_input=inward.bias,
    b_hidden=around.bias,
)
zeros = around.weight.new_zeros(len(ids), around.in_features)
_, (hidden, _) = run(step, self.embedding(ids), (zeros, zeros.clone()), mask)
return self.head(hidden)
""",
    ),
]

# ---------------------------------------------------------------- Task 9 (a text; a person grades it: the notes say which point is lost)
EXPLAIN_WRONG = [
    write(
        "text: gates near one",
        "explain_bias",
        "'Give the size of the forget gate at the start': about 0.5, not 0.99",
        """\
1. PyTorch starts the forget gate at about 0.99, so nearly everything is kept: 0.99^60 is still 0.55 of the gradient. The network does not learn because it keeps too much: 60 words are mixed in one cell state, and the first drowns.

2. Close the forget gate with a bias of −4, so that old words make room. Before training I would look at the loss of the first batch.
""",
    ),
    write(
        "text: explodes",
        "explain_bias",
        "'what is left of the first word's gradient': it vanishes, it does not explode; clipping is no start",
        """\
1. The forget gate is ½ at the start, and the gradient is divided by it at each word: 2^60 ≈ 10^18. It explodes, the steps are far too long, and the loss jumps about at chance.

2. Clip the gradients to a norm of 1 and take a smaller learning rate. The biases can stay. Before training, measure the norm of all gradients with `clip_gradients`.
""",
    ),
    write(
        "text: no figure",
        "explain_bias",
        "'Give the size of the forget gate at the start, and a rough figure for what is left': neither; 'to which numbers': none; 'what would you measure before training': nothing",
        """\
1. The forget gate of an LSTM is not fully open at the start, so the gradient becomes smaller and smaller on the way back to the first word. After many words it has vanished, and the network cannot learn what happened there.

2. One should set the bias of the forget gate to a larger number, so that more is kept. Then the gradient arrives and the network learns.
""",
    ),
    write(
        "text: wrong power",
        "explain_bias",
        "'a rough figure for what is left': ½ · 60 or 1/60 instead of ½ to the 60th",
        """\
1. The forget gate is σ(0) = 0.5 at the start. Every word halves what is kept, so of the first word's gradient about 1/60 ≈ 2 % is left after 60 words: too little beside the other 59 words.

2. Forget bias 1, as in Keras: σ(1) = 0.73, so 0.73 is left. The other gates as they are. I would measure the accuracy after one epoch with both starts.
""",
    ),
    write(
        "text: bias of one is enough",
        "explain_bias",
        "'How should the network start instead: … to which numbers, and why': 0.73^60 is 6e-9, still nothing",
        """\
1. With PyTorch's weights all gates are about 0.5. The gradient of the first word is multiplied by 0.5 at each of 59 words: 0.5^59 ≈ 2 · 10⁻¹⁸. So nothing arrives.

2. Set the forget bias to 1, which is what Keras does. The gate is then σ(1) ≈ 0.73, larger than ½, so that the gradient does not vanish any more. Before training I would measure the ratio of the gradients at the first and the last position, which should be about 1.
""",
    ),
    write(
        "text: measured after training",
        "explain_bias",
        "'What would you measure before training': the accuracy after it",
        """\
1. Forget gate ≈ σ(0) = ½; left of the gradient: ½^59 ≈ 10⁻¹⁸.

2. Forget bias +4 (σ = 0.98, so 0.98^59 ≈ 0.34), input bias −4, so that the cell state does not fill up with the other 59 words. To see whether it helps, train both for 1000 steps and compare the accuracy on held-out texts.
""",
    ),
    write(
        "text: the tanh is guilty",
        "explain_bias",
        "'Why does the network not learn?': not the tanh of the candidate; the cell state is a sum and the forget gate decides",
        """\
1. The gradient passes a tanh at each word, and the slope of a tanh is at most 1, mostly about 0.5. 0.5^60 ≈ 10⁻¹⁸. The forget gate is at 0.5 as well, but that only says how much is forgotten; it has no part in the gradient.

2. Use ReLU in place of tanh, and start W_hidden as an identity matrix. I would measure the share of saturated units before training.
""",
    ),
    write(
        "text: all gates open",
        "explain_bias",
        "'which gates do you set, to which numbers, and why': all at +4 fills the cell state; with the input gate open the tanh saturates",
        """\
1. All gates start at σ(0) = 0.5, and the gradient through the cell state is the product of the forget gates, 0.5^59 ≈ 10⁻¹⁸.

2. Open all of them: bias +4 for input, forget and output gate, so that everything comes in, stays and is shown. σ(4) = 0.98 and 0.98^59 ≈ 0.34. I would check before training that the gates are about 0.98.
""",
    ),
]
EXPLAIN_RIGHT = [
    write(
        "text right: short formulas",
        "explain_bias",
        "nearly only formulas",
        """\
1. ∂c_T/∂c_1 ≈ ∏ f_t. At the start b ≈ 0, so f ≈ σ(0) = ½, and ½^59 ≈ 2 · 10⁻¹⁸. Gates *can* keep a gradient; nobody told them to.

2. Wanted: f^60 ≈ 1/e, so f = 1 − 1/60, so b_f = ln 59 ≈ 4.1 (σ(4) = 0.982; 0.982^59 ≈ 0.34). And b_i ≈ −4, so that 59 other words come in as slowly as they go out: else c grows to dozens, and tanh(c) is flat. Output gate as it is. Before training: `gradient_ratio(layer, x)` on 60 random inputs; 10⁻¹⁰ or less says no, between 0.1 and 1 says go.
""",
    ),
    write(
        "text right: a story",
        "explain_bias",
        "without a formula, with numbers in words",
        """\
1. Every word multiplies what the cell state holds by the forget gate, and the gradient on its way back likewise. PyTorch draws biases around zero, so the gate is half open. Halved 59 times, a billionth of a billionth remains, far below the noise from the other words. So the first word gets no say.

2. Open the forget gate: a bias of about four (the logarithm of sixty) makes it 0.98, and a third survives. Nearly close the input gate with minus four, or sixty words add up until the tanh is flat. To check without training: differentiate the last output by the first and by the last input, and compare the norms. They should be of like size.
""",
    ),
    write(
        "text right: with code",
        "explain_bias",
        "a few lines of code and a table of two rows",
        """\
1. `0.5 ** 59 == 1.7e-18`: the forget gate starts at σ(≈0) ≈ 0.5, and the first word's gradient through the cell state is the product of 59 of them. Nothing arrives, so the weights learn from the other words, which say nothing about the label: chance.

2. Set two gates by their biases (sum of both bias vectors):

```python
b_input[N : 2 * N] = math.log(60)   # forget: 0.98, and 0.98**59 is about 0.37
b_input[:N] = -math.log(60)         # input: 0.02, or the sum saturates tanh(c)
b_hidden[: 2 * N] = 0
```

Before training: `gradient_ratio(lstm, torch.randn(8, 60, C))`, old start ≈ 1e-10 or less, new start ≈ 0.1 to 1.
""",
    ),
]
