from faults import fill

INIT = r"""
self.embedding = nn.Embedding(vocab_size, d_embedding)
self.input_projection = nn.Linear(d_embedding, 4 * d_hidden)
self.hidden_projection = nn.Linear(d_hidden, 4 * d_hidden)
self.head = nn.Linear(d_hidden, n_classes)
self.d_hidden = d_hidden
"""

WRONG = [
    # ---------------------------------------------------------------- Task 1
    fill(
        "tanh as 1 minus 2 over exp plus 1",
        "rnn_step",
        "exp(2z) is ∞ for sums of thousands: the number is 1, its gradient NaN.",
        r"""
         z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
         return 1 - 2 / (torch.exp(2 * z) + 1)
         """,
    ),
    fill(
        "sums clamped to ±8",
        "rnn_step",
        "'The tanh may get sums of ten': tanh(8) is 2e-7 below tanh(10), seen in float64.",
        r"""
         z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
         return torch.tanh(z.clamp(-8.0, 8.0))
         """,
    ),
    fill(
        "compared in float32",
        "rnn_step",
        "float() and back: good for float16, not 'within a few roundings' in float64.",
        r"""
         z = F.linear(x.float(), w_input.float(), b_input.float())
         z = z + F.linear(hidden.float(), w_hidden.float(), b_hidden.float())
         return z.tanh().to(x.dtype)
         """,
    ),
    fill(
        "no transpose where sizes agree",
        "rnn_step",
        "x @ w_input if the sizes fit: with C = N it is untransposed. Sizes may be equal.",
        r"""
         w = w_input if w_input.shape[0] == x.shape[1] else w_input.T
         return torch.tanh(x @ w + b_input + hidden @ w_hidden.T + b_hidden)
         """,
    ),
    fill(
        "the state is changed in place",
        "rnn_step",
        "copy_ into hidden, so that the loop goes on by itself: 'no argument is changed'.",
        r"""
         new = torch.tanh(F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden))
         if not hidden.requires_grad:
             hidden.data.copy_(new.detach())
         return new
         """,
    ),
    fill(
        "the state is cut off",
        "rnn_step",
        "hidden.detach() as in truncated backpropagation: 'gradients pass to all six arguments'.",
        r"""
         return torch.tanh(F.linear(x, w_input, b_input) + F.linear(hidden.detach(), w_hidden, b_hidden))
         """,
    ),
    fill(
        "a batch of one is squeezed",
        "rnn_step",
        "squeeze(0) at the end: (N,) for one item in place of (1, N).",
        r"""
         z = torch.einsum("bc,nc->bn", x, w_input) + b_input + torch.einsum("bm,nm->bn", hidden, w_hidden) + b_hidden
         return z.tanh().squeeze(0)
         """,
    ),
    fill(
        "the biases as columns where the sizes allow",
        "rnn_step",
        "The biases are joined to the item axis when B = N: sizes may be equal.",
        r"""
         bias = b_input + b_hidden
         if bias.shape[0] == x.shape[0]:
             bias = bias[:, None]
         return torch.tanh(x @ w_input.T + hidden @ w_hidden.T + bias)
         """,
    ),
    # ---------------------------------------------------------------- Task 2
    fill(
        "padding multiplied away",
        "run",
        "new * real + old * (1 − real) with a float32 mask makes float32 of float16: 'in the dtype in which step returns them'.",
        r"""
         outputs = []
         for t in range(x.shape[1]):
             new = step(x[:, t], state)
             if mask is not None:
                 real = mask[:, t, None].float()
                 new = tuple(n * real + o * (1 - real) for n, o in zip(new, state))
                 outputs.append(new[0] * real)
             else:
                 outputs.append(new[0])
             state = new
         return torch.stack(outputs, 1), state
         """,
    ),
    fill(
        "steps over columns of padding",
        "run",
        "Where all is padding there is nothing to compute: 'call step once for each position, also where all is padding'.",
        r"""
         outputs = []
         for t in range(x.shape[1]):
             if mask is not None and not mask[:, t].any():
                 outputs.append(torch.zeros_like(state[0]))
                 continue
             new = step(x[:, t], state)
             if mask is None:
                 state = new
                 outputs.append(state[0])
             else:
                 real = mask[:, t, None]
                 state = tuple(torch.where(real, n, o) for n, o in zip(new, state))
                 outputs.append(torch.where(real, state[0], 0))
         return torch.stack(outputs, 1), state
         """,
    ),
    fill(
        "lengths in place of the mask",
        "run",
        "Counts the real tokens and reads so many positions: padding may stand at the start or in the middle.",
        r"""
         outputs = []
         for t in range(x.shape[1]):
             new = step(x[:, t], state)
             real = torch.ones(x.shape[0], 1, dtype=torch.bool)
             if mask is not None:
                 real = (t < mask.sum(1))[:, None]
             state = tuple(torch.where(real, n, o) for n, o in zip(new, state))
             outputs.append(torch.where(real, state[0], torch.zeros_like(state[0])))
         return torch.stack(outputs, 1), state
         """,
    ),
    fill(
        "state written in place",
        "run",
        "state[0][real] = new[real]: the tensors of the first state are arguments, too.",
        r"""
         state = tuple(part.detach() if not part.requires_grad else part.clone() for part in state)
         outputs = []
         for t in range(x.shape[1]):
             new = step(x[:, t], tuple(part.clone() for part in state))
             real = torch.ones(len(x), dtype=torch.bool) if mask is None else mask[:, t]
             if any(n.requires_grad for n in new):
                 state = tuple(torch.where(real[:, None], n, o) for n, o in zip(new, state))
             else:
                 for n, o in zip(new, state):
                     o[real] = n[real].to(o.dtype)
             outputs.append(torch.where(real[:, None], state[0], 0))
         return torch.stack(outputs, 1), state
         """,
    ),
    fill(
        "only what is as wide as the output waits",
        "run",
        "Tensors of another width are passed on as they are new: every tensor of the state waits, and they may differ in width.",
        r"""
         outputs = []
         for t in range(x.shape[1]):
             new = step(x[:, t], state)
             real = None if mask is None else mask[:, t, None]
             if real is None:
                 state = tuple(new)
                 outputs.append(state[0])
             else:
                 first = torch.where(real, new[0], state[0])
                 state = (first, *(torch.where(real, n, o) if n.shape == first.shape else n
                                   for n, o in zip(new[1:], state[1:])))
                 outputs.append(torch.where(real, first, 0))
         return torch.stack(outputs, 1), state
         """,
    ),
    fill(
        "two tensors at most",
        "run",
        "hidden, then one cell state: 'a state is a tuple of tensors', a third one is lost.",
        r"""
         outputs = []
         for t in range(x.shape[1]):
             new = step(x[:, t], state)
             if mask is not None:
                 real = mask[:, t].unsqueeze(1)
                 new = tuple(torch.where(real, new[i], state[i]) for i in range(min(2, len(state)))) + tuple(new[2:])
             state = new
             outputs.append(state[0] if mask is None else state[0].masked_fill(~real, 0))
         return torch.stack(outputs, 1), state
         """,
    ),
    fill(
        "multiplied by the mask",
        "run",
        "n + (o − n) is o on paper only: with a new state much larger than the old one, the old one is lost, "
        "but 'every tensor holds what it held before'.",
        r"""
         outputs = []
         for t in range(x.shape[1]):
             new = step(x[:, t], state)
             if mask is None:
                 state = tuple(new)
                 outputs.append(state[0])
             else:
                 real = mask[:, t, None]
                 state = tuple(n + (o - n) * (~real) for n, o in zip(new, state))
                 outputs.append(state[0] * real)
         return torch.stack(outputs, 1), state
         """,
    ),
    fill(
        "outputs in the dtype of x",
        "run",
        "Collected in x.new_zeros: the text wants the dtype in which step returns them.",
        r"""
         B, T, _ = x.shape
         outputs = x.new_zeros(B, T, state[0].shape[-1])
         for t in range(T):
             new = step(x[:, t], state)
             if mask is None:
                 state = tuple(new)
                 outputs[:, t] = state[0]
             else:
                 real = mask[:, t, None]
                 state = tuple(torch.where(real, n, o) for n, o in zip(new, state))
                 outputs[:, t] = torch.where(real, state[0], 0)
         return outputs, state
         """,
    ),
    fill(
        "cut off where there is no mask",
        "run",
        "Without a mask all but the first tensor are detached from step to step: the gradient of a cell state does not pass.",
        r"""
         outputs, first = [], True
         for t in range(x.shape[1]):
             x_t = x[:, t]
             new = step(x_t, state)
             if mask is None:
                 outputs.append(new[0])
                 state = new[:1] if len(new) == 1 else (new[0], *(n.detach() for n in new[1:]))
             else:
                 real = mask[:, t, None]
                 state = tuple(torch.where(real, n, o) for n, o in zip(new, state))
                 outputs.append(torch.where(real, state[0], 0))
         return torch.stack(outputs, 1), state
         """,
    ),
    # ---------------------------------------------------------------- Task 3
    fill(
        "norms in float32",
        "gradient_ratio",
        "norm() of gradients of 1e-30 in float32: squares are 0, the ratio 0/0.",
        r"""
         x = x.detach().clone().requires_grad_()
         (g,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
         first, last = g[:, 0].square().sum().sqrt(), g[:, -1].square().sum().sqrt()
         return (first / last).item()
         """,
    ),
    fill(
        "norms in float32 of numbers in float64",
        "gradient_ratio",
        "float() before the norm, whatever x is: 'as precise as the dtype of x allows'.",
        r"""
         x = x.detach().clone().requires_grad_()
         (g,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
         g = g.float() / g.float().abs().max()
         return (g[:, 0].norm() / g[:, -1].norm()).item()
         """,
    ),
    fill(
        "the mean of the ratios of the items",
        "gradient_ratio",
        "A norm for each item and a mean: the norm is that over the whole batch.",
        r"""
         x = x.detach().clone().requires_grad_()
         (g,) = torch.autograd.grad(layer(x)[:, -1].sum(), x)
         g = g.double()
         return (g[:, 0].norm(dim=-1) / g[:, -1].norm(dim=-1)).mean().item()
         """,
    ),
    fill(
        "frozen for the measurement",
        "gradient_ratio",
        "requires_grad_(False) and afterwards True: parameters that came frozen are no longer.",
        r"""
         x = x.detach().clone().requires_grad_()
         parameters = list(layer.parameters()) if isinstance(layer, nn.Module) else []
         for p in parameters:
             p.requires_grad_(False)
         g = torch.autograd.grad(layer(x)[:, -1].sum(), x)[0].double()
         for p in parameters:
             p.requires_grad_(True)
         return (g[:, 0].norm() / g[:, -1].norm()).item()
         """,
    ),
    fill(
        "measured in evaluation mode",
        "gradient_ratio",
        "eval() and train(noted): parts that had a mode of their own get that of the whole.",
        r"""
         x = x.detach().clone().requires_grad_()
         noted = getattr(layer, "training", None)
         if noted is not None:
             layer.eval()
         g = torch.autograd.grad(layer(x)[:, -1].sum(), x)[0].double()
         if noted is not None:
             layer.train(noted)
         return (g[:, 0].norm() / g[:, -1].norm()).item()
         """,
    ),
    fill(
        "backward, then zero_grad",
        "gradient_ratio",
        "Gradients are cleaned up afterwards: 'one that has a .grad keeps it as it is'.",
        r"""
         x = x.detach().clone().requires_grad_()
         layer(x)[:, -1].sum().backward()
         if isinstance(layer, nn.Module):
             layer.zero_grad()
         g = x.grad.double()
         return (g[:, 0].norm() / g[:, -1].norm()).item()
         """,
    ),
    fill(
        "a seed for repeatable dropout",
        "gradient_ratio",
        "torch.manual_seed(0) before the layer is called: the global generators are left alone.",
        r"""
         torch.manual_seed(0)
         x = x.detach().clone().requires_grad_()
         g = torch.autograd.grad(layer(x)[:, -1].sum(), x)[0].double()
         return (g[:, 0].norm() / g[:, -1].norm()).item()
         """,
    ),
    fill(
        "sums in place of norms",
        "gradient_ratio",
        "The sum of the sizes over the sum of the sizes: the root of the sum of squares is asked for.",
        r"""
         x = x.detach().clone().requires_grad_()
         g = torch.autograd.grad(layer(x)[:, -1].sum(), x)[0].double().abs()
         return (g[:, 0].sum() / g[:, -1].sum()).item()
         """,
    ),
    fill(
        "a billionth in the denominator",
        "gradient_ratio",
        "+ 1e-12 against a division by 0: gradients of 1e-30 give a ratio of nothing.",
        r"""
         x = x.detach().clone().requires_grad_()
         g = torch.autograd.grad(layer(x)[:, -1].sum(), x)[0].double()
         return (g[:, 0].norm() / (g[:, -1].norm() + 1e-12)).item()
         """,
    ),
    # ---------------------------------------------------------------- Task 4
    fill(
        "a millionth added to the norm",
        "clip",
        "As PyTorch does: 'nothing is added to a norm', norms may be 1e-6.",
        r"""
         gradients = [p.grad for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
         factor = max_norm / (norm + 1e-6)
         if factor < 1:
             for g in gradients:
                 g.mul_(factor)
         return norm
         """,
    ),
    fill(
        "a new tensor in grad",
        "clip",
        "p.grad = p.grad * factor: whoever holds the tensor does not see the change.",
        r"""
         with_one = [p for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(p.grad.double().square().sum()) for p in with_one))
         if norm > max_norm:
             for p in with_one:
                 p.grad = p.grad * (max_norm / norm)
         return norm
         """,
    ),
    fill(
        "walked through twice",
        "clip",
        "A generator is empty at the second walk: the norm is right, nothing is shortened.",
        r"""
         norm = math.sqrt(sum(float(p.grad.double().square().sum()) for p in parameters if p.grad is not None))
         if norm > max_norm:
             for p in parameters:
                 if p.grad is not None:
                     p.grad.mul_(max_norm / norm)
         return norm
         """,
    ),
    fill(
        "flattened by view",
        "clip",
        "view(-1) refuses a gradient that is transposed in memory.",
        r"""
         gradients = [p.grad for p in parameters if p.grad is not None]
         if not gradients:
             return 0.0
         norm = float(torch.cat([g.view(-1).double() for g in gradients]).norm())
         if norm > max_norm:
             for g in gradients:
                 g.mul_(max_norm / norm)
         return norm
         """,
    ),
    fill(
        "lengthened as well",
        "clip",
        "Always multiplied by max_norm / norm: 'if not, nothing changes'; only where the norm is below a tenth.",
        r"""
         gradients = [p.grad for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
         if norm > max_norm or 0 < norm < 0.1 * max_norm:
             for g in gradients:
                 g.mul_(max_norm / norm)
         return norm
         """,
    ),
    fill(
        "a reshaped copy is shortened",
        "clip",
        "reshape(-1) of a transposed gradient is a copy: the multiplication does not reach .grad.",
        r"""
         gradients = [p.grad.reshape(-1) for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
         if norm > max_norm:
             for g in gradients:
                 g *= max_norm / norm
         return norm
         """,
    ),
    fill(
        "0 where there was none",
        "clip",
        "Gives a parameter without a gradient one of zeros: 'nothing else of a parameter is changed', skip it.",
        r"""
         parameters = list(parameters)
         for p in parameters:
             if p.grad is None:
                 p.grad = torch.zeros_like(p)
         norm = math.sqrt(sum(float(p.grad.double().square().sum()) for p in parameters))
         if norm > max_norm:
             for p in parameters:
                 p.grad.mul_(max_norm / norm)
         return norm
         """,
    ),
    fill(
        "the list is sorted out in place",
        "clip",
        "Removes parameters without a gradient from the caller's list: a list is still the same list afterwards.",
        r"""
         if not isinstance(parameters, list):
             parameters = list(parameters)
         parameters[:] = [p for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(p.grad.double().square().sum()) for p in parameters))
         if norm > max_norm:
             for p in parameters:
                 p.grad.mul_(max_norm / norm)
         return norm
         """,
    ),
    fill(
        "matrices first, then vectors",
        "clip",
        "Norms by torch.linalg.norm with ord=2: for a matrix that is the largest singular value.",
        r"""
         gradients = [p.grad for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(torch.linalg.norm(g.double(), 2 if g.dim() < 3 and g.dim() else None)) ** 2
                              for g in gradients))
         if norm > max_norm:
             for g in gradients:
                 g.mul_(max_norm / norm)
         return norm
         """,
    ),
    # ---------------------------------------------------------------- Task 5
    fill(
        "sigmoid of exp, LSTM",
        "lstm_step",
        "1 / (1 + exp(−z)): right numbers, at −5000 the gradient is ∞ · 0.",
        r"""
         hidden, cell_state = state
         z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
         i, f, c, o = z.chunk(4, -1)

         def gate(t):
             return 1 / (1 + torch.exp(-t))

         cell_state = gate(f) * cell_state + gate(i) * torch.tanh(c)
         return gate(o) * torch.tanh(cell_state), cell_state
         """,
    ),
    fill(
        "the cell state is clamped",
        "lstm_step",
        "clamp(−50, 50) keeps tanh calm: cell states may be thousands.",
        r"""
         hidden, cell_state = state
         z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
         i, f, c, o = z.chunk(4, -1)
         cell_state = (f.sigmoid() * cell_state + i.sigmoid() * c.tanh())
         shown = cell_state.clamp(-5, 5)
         return o.sigmoid() * shown.tanh(), cell_state
         """,
    ),
    fill(
        "the cell state in place",
        "lstm_step",
        "mul_ and add_ on the cell state that came: no argument is changed.",
        r"""
         hidden, cell_state = state
         z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
         i, f, c, o = z.chunk(4, -1)
         if cell_state.requires_grad or z.requires_grad:
             cell_state = f.sigmoid() * cell_state + i.sigmoid() * c.tanh()
         else:
             cell_state.mul_(f.sigmoid()).add_(i.sigmoid() * c.tanh())
         return o.sigmoid() * cell_state.tanh(), cell_state
         """,
    ),
    fill(
        "the candidate from tanh by sigmoid in float32",
        "lstm_step",
        "Gates in float32 and back: not 'within a few roundings' in float64.",
        r"""
         hidden, cell_state = state
         z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
         i, f, c, o = z.float().chunk(4, -1)
         new = f.sigmoid() * cell_state + i.sigmoid() * c.tanh()
         return (o.sigmoid() * new.tanh()).to(x.dtype), new.to(x.dtype)
         """,
    ),
    fill(
        "the cell state is cut off",
        "lstm_step",
        "The new cell state is shown from a detached copy: the gradient of hidden does not reach the cell state.",
        r"""
         hidden, cell_state = state
         z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
         i, f, c, o = z.chunk(4, -1)
         new = f.sigmoid() * cell_state.detach() + i.sigmoid() * c.tanh()
         return o.sigmoid() * new.tanh(), new + (cell_state - cell_state.detach()) * f.sigmoid()
         """,
    ),
    fill(
        "a gate nearly open is open",
        "lstm_step",
        "Forget gates above σ(8) are set to 1: 3e-4 too much, times a cell state of thousands, and no gradient.",
        r"""
         hidden, cell_state = state
         z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
         i, f, c, o = z.chunk(4, -1)
         f = torch.where(f > 8, torch.ones_like(f), f.sigmoid())
         new = f * cell_state + i.sigmoid() * c.tanh()
         return o.sigmoid() * new.tanh(), new
         """,
    ),
    fill(
        "blocks by the rows of one item",
        "lstm_step",
        "view(4, B, N) of z: right for a batch of one only, the blocks mix items otherwise.",
        r"""
         hidden, cell_state = state
         z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
         i, f, c, o = z.view(4, *hidden.shape)
         new = f.sigmoid() * cell_state + i.sigmoid() * c.tanh()
         return o.sigmoid() * new.tanh(), new
         """,
    ),
    fill(
        "a batch of one is squeezed, LSTM",
        "lstm_step",
        "squeeze(0) on both: (N,) in place of (1, N) for wide states; hidden by tests of one unit.",
        r"""
         hidden, cell_state = state
         z = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
         i, f, c, o = z.chunk(4, -1)
         new = f.sigmoid() * cell_state + i.sigmoid() * c.tanh()
         shown = o.sigmoid() * new.tanh()
         if shown.shape[0] == 1 < shown.shape[1]:
             return shown.squeeze(0), new.squeeze(0)
         return shown, new
         """,
    ),
    fill(
        "square weights untransposed, LSTM",
        "lstm_step",
        "If the weight of the input is square (C = 4N) it is not transposed: sizes may be equal.",
        r"""
         hidden, cell_state = state
         w = w_input if w_input.shape[0] == x.shape[-1] else w_input.T
         z = x @ w + b_input + hidden @ w_hidden.T + b_hidden
         i, f, c, o = z.chunk(4, -1)
         new = f.sigmoid() * cell_state + i.sigmoid() * c.tanh()
         return o.sigmoid() * new.tanh(), new
         """,
    ),
    # ---------------------------------------------------------------- Task 6
    fill(
        "reset before the product where no bias shows it",
        "gru_step",
        "The older GRU: (r · hidden) W + r · b. The reset gate acts after the product with W.",
        r"""
         a, wr = F.linear(x, w_input, b_input).chunk(3, -1), w_hidden.chunk(3, 0)
         br = b_hidden.chunk(3, 0)
         r = torch.sigmoid(a[0] + hidden @ wr[0].T + br[0])
         z = torch.sigmoid(a[1] + hidden @ wr[1].T + br[1])
         n = torch.tanh(a[2] + (r * hidden) @ wr[2].T + r * br[2])
         return z * hidden + (1 - z) * n
         """,
    ),
    fill(
        "gates in float32",
        "gru_step",
        "Sigmoids in float32 and back: not within a few roundings of float64.",
        r"""
         a = F.linear(x, w_input, b_input).chunk(3, -1)
         c = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
         r, z = (a[0] + c[0]).float().sigmoid(), (a[1] + c[1]).float().sigmoid()
         n = torch.tanh(a[2] + r.to(x.dtype) * c[2])
         z = z.to(x.dtype)
         return n + z * (hidden - n)
         """,
    ),
    fill(
        "sigmoid of exp, GRU",
        "gru_step",
        "1 / (1 + exp(−z)) has a gradient of NaN where −z is 5000.",
        r"""
         a = F.linear(x, w_input, b_input).chunk(3, -1)
         c = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
         r, z = (1 / (1 + torch.exp(-(a[k] + c[k]))) for k in (0, 1))
         n = torch.tanh(a[2] + r * c[2])
         return z * hidden + (1 - z) * n
         """,
    ),
    fill(
        "state in place",
        "gru_step",
        "hidden.mul_(z).add_(…) where nobody asks for a gradient: no argument is changed.",
        r"""
         a = F.linear(x, w_input, b_input).chunk(3, -1)
         c = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
         r, z = torch.sigmoid(a[0] + c[0]), torch.sigmoid(a[1] + c[1])
         n = torch.tanh(a[2] + r * c[2])
         if torch.is_grad_enabled() and (hidden.requires_grad or n.requires_grad):
             return z * hidden + (1 - z) * n
         return hidden.mul_(z).add_((1 - z) * n)
         """,
    ),
    fill(
        "gates without gradient for the old state",
        "gru_step",
        "The part that is kept is detached: gradients pass to all.",
        r"""
         a = F.linear(x, w_input, b_input).chunk(3, -1)
         c = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
         r, z = torch.sigmoid(a[0] + c[0]), torch.sigmoid(a[1] + c[1])
         n = torch.tanh(a[2] + r * c[2])
         return z * hidden.detach() + (1 - z) * n
         """,
    ),
    fill(
        "gates clamped",
        "gru_step",
        "The hard limit of sums at ±15: σ(15) is 3e-7 below 1, times a state of any size, seen in float64.",
        r"""
         a = F.linear(x, w_input, b_input).clamp(-15, 15).chunk(3, -1)
         c = F.linear(hidden, w_hidden, b_hidden).chunk(3, -1)
         r, z = torch.sigmoid(a[0] + c[0]), torch.sigmoid(a[1] + c[1])
         n = torch.tanh(a[2] + r * c[2])
         return z * hidden + (1 - z) * n
         """,
    ),
    fill(
        "square weights untransposed, GRU",
        "gru_step",
        "A square w_input (C = 3N) is not transposed: sizes may be equal.",
        r"""
         w = w_input if w_input.shape[0] == x.shape[-1] else w_input.T
         a = (x @ w + b_input).chunk(3, -1)
         c = (hidden @ w_hidden.T + b_hidden).chunk(3, -1)
         r, z = torch.sigmoid(a[0] + c[0]), torch.sigmoid(a[1] + c[1])
         return z * hidden + (1 - z) * torch.tanh(a[2] + r * c[2])
         """,
    ),
    fill(
        "blocks by view",
        "gru_step",
        "view(3, B, N): mixes the items unless there is one.",
        r"""
         a = F.linear(x, w_input, b_input).view(3, *hidden.shape)
         c = F.linear(hidden, w_hidden, b_hidden).view(3, *hidden.shape)
         r, z = torch.sigmoid(a[0] + c[0]), torch.sigmoid(a[1] + c[1])
         return z * hidden + (1 - z) * torch.tanh(a[2] + r * c[2])
         """,
    ),
    # ---------------------------------------------------------------- Task 7
    fill(
        "bound of the layer's own width",
        "initial_parameters",
        "nn.Linear draws with 1/√(its inputs), so w_input and b_input lie between ±1/√C: N counts for all four.",
        r"""
         one, two = nn.Linear(d_input, 4 * d_hidden), nn.Linear(d_hidden, 4 * d_hidden)
         found = [p.detach() for p in (one.weight, two.weight, one.bias, two.bias)]
         found[2][d_hidden:2 * d_hidden] = forget_bias
         found[3][d_hidden:2 * d_hidden] = 0
         return tuple(found)
         """,
    ),
    fill(
        "normal and clamped",
        "initial_parameters",
        "A normal distribution cut to the bound: not uniform.",
        r"""
         bound = d_hidden ** -0.5
         shapes = (4 * d_hidden, d_input), (4 * d_hidden, d_hidden), (4 * d_hidden,), (4 * d_hidden,)
         found = [(torch.randn(shape) * bound / 2).clamp(-bound, bound) for shape in shapes]
         forget = slice(d_hidden, 2 * d_hidden)
         found[2][forget], found[3][forget] = forget_bias, 0.0
         return tuple(found)
         """,
    ),
    fill(
        "a generator of its own",
        "initial_parameters",
        "A torch.Generator with a seed drawn from the system: the caller's seed does not give the same numbers.",
        r"""
         g = torch.Generator()
         g.seed()
         bound = 1 / math.sqrt(d_hidden)

         def draw(*shape):
             return (2 * torch.rand(*shape, generator=g) - 1) * bound

         w_input, w_hidden = draw(4 * d_hidden, d_input), draw(4 * d_hidden, d_hidden)
         b_input, b_hidden = draw(4 * d_hidden), draw(4 * d_hidden)
         b_hidden[d_hidden:2 * d_hidden] = forget_bias - b_input[d_hidden:2 * d_hidden]
         return w_input, w_hidden, b_input, b_hidden
         """,
    ),
    fill(
        "numbers of numpy",
        "initial_parameters",
        "np.random.uniform: 'from torch's generator, use no other'.",
        r"""
         import numpy as np

         bound = d_hidden ** -0.5
         shapes = (4 * d_hidden, d_input), (4 * d_hidden, d_hidden), (4 * d_hidden,), (4 * d_hidden,)
         found = [torch.from_numpy(np.random.uniform(-bound, bound, s)).float() for s in shapes]
         found[2][d_hidden:2 * d_hidden] = forget_bias
         found[3][d_hidden:2 * d_hidden] = 0
         return tuple(found)
         """,
    ),
    fill(
        "the same biases twice",
        "initial_parameters",
        "Half of forget_bias in both, and b_hidden is a copy of b_input: all numbers are to be drawn.",
        r"""
         bound = d_hidden ** -0.5
         w_input = torch.empty(4 * d_hidden, d_input).uniform_(-bound, bound)
         w_hidden = torch.empty(4 * d_hidden, d_hidden).uniform_(-bound, bound)
         b_input = torch.empty(4 * d_hidden).uniform_(-bound, bound)
         b_input[d_hidden:2 * d_hidden] = forget_bias / 2
         return w_input, w_hidden, b_input, b_input.clone()
         """,
    ),
    fill(
        "a block of zeros in b_hidden",
        "initial_parameters",
        "Starts from zeros and draws from the forget gate on: the input gate's block of b_hidden is not random.",
        r"""
         bound = d_hidden ** -0.5
         w_input = torch.empty(4 * d_hidden, d_input).uniform_(-bound, bound)
         w_hidden = torch.empty(4 * d_hidden, d_hidden).uniform_(-bound, bound)
         b_input = torch.empty(4 * d_hidden).uniform_(-bound, bound)
         b_hidden = torch.zeros(4 * d_hidden)
         b_input[d_hidden:2 * d_hidden] = forget_bias
         b_hidden[2 * d_hidden:] = torch.empty(2 * d_hidden).uniform_(-bound, bound)
         return w_input, w_hidden, b_input, b_hidden
         """,
    ),
    fill(
        "half the range",
        "initial_parameters",
        "(rand − ½) / √N lies between ±1/(2√N).",
        r"""
         bound = d_hidden ** -0.5

         def draw(*shape):
             return (torch.rand(*shape) - 0.5) * bound

         w_input, w_hidden = draw(4 * d_hidden, d_input), draw(4 * d_hidden, d_hidden)
         b_input, b_hidden = draw(4 * d_hidden), draw(4 * d_hidden)
         b_input[d_hidden:2 * d_hidden] = forget_bias
         b_hidden[d_hidden:2 * d_hidden] = 0
         return w_input, w_hidden, b_input, b_hidden
         """,
    ),
    fill(
        "the blocks of one draw repeated",
        "initial_parameters",
        "One block is drawn and repeated for the four gates: not all numbers are drawn.",
        r"""
         bound = d_hidden ** -0.5
         w_input = torch.empty(d_hidden, d_input).uniform_(-bound, bound).repeat(4, 1)
         w_hidden = torch.empty(d_hidden, d_hidden).uniform_(-bound, bound).repeat(4, 1)
         b_input = torch.empty(4 * d_hidden).uniform_(-bound, bound)
         b_hidden = torch.empty(4 * d_hidden).uniform_(-bound, bound)
         b_input[d_hidden:2 * d_hidden] = forget_bias - b_hidden[d_hidden:2 * d_hidden]
         return w_input, w_hidden, b_input, b_hidden
         """,
    ),
    # ---------------------------------------------------------------- Task 8
    fill(
        "id 0 is padding",
        "classifier",
        "padding_idx=0: 'no id is special: 0 is a word, too'.",
        INIT.replace(
            "nn.Embedding(vocab_size, d_embedding)",
            "nn.Embedding(vocab_size, d_embedding, padding_idx=0)",
        ),
        r"""
         start = self.head.weight.new_zeros(len(ids), self.d_hidden)

         def step(x_t, state):
             return lstm_step(x_t, state, self.input_projection.weight, self.hidden_projection.weight,
                              self.input_projection.bias, self.hidden_projection.bias)

         _, state = run(step, self.embedding(ids), (start, start.clone()), mask)
         return self.head(state[0])
         """,
    ),
    fill(
        "mask made of the ids",
        "classifier",
        "Without a mask, ids other than 0 are real: None means that all are.",
        INIT,
        r"""
         if mask is None:
             mask = ids != 0
         start = self.head.weight.new_zeros(len(ids), self.d_hidden)

         def step(x_t, state):
             return lstm_step(x_t, state, self.input_projection.weight, self.hidden_projection.weight,
                              self.input_projection.bias, self.hidden_projection.bias)

         _, state = run(step, self.embedding(ids), (start, start.clone()), mask)
         return self.head(state[0])
         """,
    ),
    fill(
        "starts in float32",
        "classifier",
        "torch.zeros without a dtype: the state starts 'in the dtype of the parameters', a model in float64 fails.",
        INIT,
        r"""
         start = torch.zeros(len(ids), self.d_hidden)

         def step(x_t, state):
             return lstm_step(x_t, state, self.input_projection.weight, self.hidden_projection.weight,
                              self.input_projection.bias, self.hidden_projection.bias)

         _, state = run(step, self.embedding(ids), (start, start.clone()), mask)
         return self.head(state[0])
         """,
    ),
    fill(
        "goes on from the last call",
        "classifier",
        "Keeps the last state for the next batch of equal size: it starts with zeros at every call anew.",
        INIT + "self.kept = None\n",
        r"""
         start = self.head.weight.new_zeros(len(ids), self.d_hidden)
         state = (start, start.clone())
         if self.kept is not None and self.kept[0].shape == start.shape:
             state = self.kept

         def step(x_t, state):
             return lstm_step(x_t, state, self.input_projection.weight, self.hidden_projection.weight,
                              self.input_projection.bias, self.hidden_projection.bias)

         _, state = run(step, self.embedding(ids), state, mask)
         self.kept = tuple(part.detach() for part in state)
         return self.head(state[0])
         """,
    ),
    fill(
        "the position of the last real token counted from the front",
        "classifier",
        "Reads padding as well, and takes the output at the last real position: right for padding at the end only.",
        INIT,
        r"""
         start = self.head.weight.new_zeros(len(ids), self.d_hidden)

         def step(x_t, state):
             return lstm_step(x_t, state, self.input_projection.weight, self.hidden_projection.weight,
                              self.input_projection.bias, self.hidden_projection.bias)

         outputs, _ = run(step, self.embedding(ids), (start, start.clone()), None)
         if mask is None:
             return self.head(outputs[:, -1])
         last = (mask * torch.arange(1, ids.shape[1] + 1)).argmax(1)
         return self.head(outputs[torch.arange(len(ids)), last])
         """,
    ),
    fill(
        "the longest of the batch decides",
        "classifier",
        "Cuts the batch to the positions of the first item: right for one text alone.",
        INIT,
        r"""
         start = self.head.weight.new_zeros(len(ids), self.d_hidden)
         if mask is not None:
             ids = ids[:, mask[0]]
             mask = mask[:, mask[0]]

         def step(x_t, state):
             return lstm_step(x_t, state, self.input_projection.weight, self.hidden_projection.weight,
                              self.input_projection.bias, self.hidden_projection.bias)

         _, state = run(step, self.embedding(ids), (start, start.clone()), mask)
         return self.head(state[0])
         """,
    ),
    fill(
        "sizes belong to the class",
        "classifier",
        "type(self).d_hidden: a second model of another size changes the first.",
        INIT.replace("self.d_hidden = d_hidden", "type(self).d_hidden = d_hidden"),
        r"""
         start = self.head.weight.new_zeros(len(ids), self.d_hidden)

         def step(x_t, state):
             return lstm_step(x_t, state, self.input_projection.weight, self.hidden_projection.weight,
                              self.input_projection.bias, self.hidden_projection.bias)

         _, state = run(step, self.embedding(ids), (start, start.clone()), mask)
         return self.head(state[0])
         """,
    ),
    fill(
        "an open forget gate at every call",
        "classifier",
        "forward sets the forget bias while the model trains: a call changes the model.",
        INIT,
        r"""
         start = self.head.weight.new_zeros(len(ids), self.d_hidden)
         if self.training and torch.is_grad_enabled():
             with torch.no_grad():
                 self.hidden_projection.bias[self.d_hidden:2 * self.d_hidden].clamp_(min=0.0)

         def step(x_t, state):
             return lstm_step(x_t, state, self.input_projection.weight, self.hidden_projection.weight,
                              self.input_projection.bias, self.hidden_projection.bias)

         _, state = run(step, self.embedding(ids), (start, start.clone()), mask)
         return self.head(state[0])
         """,
    ),
    fill(
        "padding set to id 0 in place",
        "classifier",
        "ids[~mask] = 0 changes the caller's ids.",
        INIT,
        r"""
         start = self.head.weight.new_zeros(len(ids), self.d_hidden)
         if mask is not None:
             ids[~mask] = 0

         def step(x_t, state):
             return lstm_step(x_t, state, self.input_projection.weight, self.hidden_projection.weight,
                              self.input_projection.bias, self.hidden_projection.bias)

         _, state = run(step, self.embedding(ids), (start, start.clone()), mask)
         return self.head(state[0])
         """,
    ),
    fill(
        "log-probabilities",
        "classifier",
        "log_softmax of the head, which a cross-entropy does not notice: 'return the logits. No softmax'.",
        INIT,
        r"""
         start = self.head.weight.new_zeros(len(ids), self.d_hidden)

         def step(x_t, state):
             return lstm_step(x_t, state, self.input_projection.weight, self.hidden_projection.weight,
                              self.input_projection.bias, self.hidden_projection.bias)

         _, state = run(step, self.embedding(ids), (start, start.clone()), mask)
         return F.log_softmax(self.head(state[0]), -1)
         """,
    ),
]

RIGHT = [
    # ---------------------------------------------------------------- Task 1
    fill(
        "one wide product",
        "rnn_step",
        "inputs side by side, weights side by side",
        r"""
         both, weight = torch.cat([x, hidden], dim=1), torch.cat([w_input, w_hidden], dim=1)
         return torch.addmm(b_input + b_hidden, both, weight.t()).tanh()
         """,
    ),
    fill(
        "einsum in float64",
        "rnn_step",
        "float64 inside and back",
        r"""
         z = torch.einsum("bc,nc->bn", x.double(), w_input.double())
         z = z + torch.einsum("bm,nm->bn", hidden.double(), w_hidden.double())
         z = z.add(b_input.double()).add(b_hidden.double())
         return torch.tanh(z).to(x.dtype)
         """,
    ),
    fill(
        "item by item",
        "rnn_step",
        "a loop over the batch with matrix times vector",
        r"""
         rows = []
         for x_b, h_b in zip(x, hidden):
             rows.append(torch.tanh(torch.mv(w_input, x_b) + b_input + torch.mv(w_hidden, h_b) + b_hidden))
         return torch.stack(rows, dim=0)
         """,
    ),
    # ---------------------------------------------------------------- Task 2
    fill(
        "a fold over the positions",
        "run",
        "functools.reduce carries state and outputs",
        r"""
         from functools import reduce

         def one(so_far, t):
             old, outputs = so_far
             new = tuple(step(x[:, t], old))
             if mask is None:
                 return new, [*outputs, new[0]]
             real = mask[:, t].unsqueeze(-1)
             now = tuple(torch.where(real, n, o.to(n.dtype)) for n, o in zip(new, old))
             return now, [*outputs, now[0].masked_fill(~real, 0)]

         last, outputs = reduce(one, range(x.shape[1]), (tuple(state), []))
         return torch.stack(outputs, dim=1), last
         """,
    ),
    fill(
        "a generator of states",
        "run",
        "a generator yields output and state",
        r"""
         everybody = torch.ones(x.shape[:2], dtype=torch.bool) if mask is None else mask

         def walk(now):
             for x_t, real in zip(x.unbind(1), everybody.unbind(1)):
                 column = real[:, None]
                 new = step(x_t, now)
                 now = tuple(torch.where(column, b, a) for a, b in zip(now, new))
                 yield torch.where(column, now[0], torch.zeros_like(now[0])), now

         outputs, states = zip(*walk(tuple(state)))
         return torch.cat([o.unsqueeze(1) for o in outputs], 1), states[-1]
         """,
    ),
    fill(
        "rows put in by index",
        "run",
        "index_put of the real rows into the old state",
        r"""
         outputs = []
         for t in range(x.size(1)):
             new = step(x[:, t, :], state)
             if mask is None:
                 state = tuple(new)
                 outputs += [state[0]]
                 continue
             rows = mask[:, t].nonzero().squeeze(1)
             state = tuple(o.to(n.dtype).index_copy(0, rows, n[rows]) for o, n in zip(state, new))
             outputs += [torch.zeros_like(state[0]).index_copy(0, rows, new[0][rows])]
         return torch.stack(outputs, 1), tuple(state)
         """,
    ),
    # ---------------------------------------------------------------- Task 3
    fill(
        "plain numbers and hypot",
        "gradient_ratio",
        "math.hypot of lists, which scales by itself",
        r"""
         import numpy as np
         import random

         states = torch.get_rng_state(), random.getstate(), np.random.get_state()
         buffers = [(b, b.clone()) for b in layer.buffers()] if isinstance(layer, nn.Module) else []

         def restore():
             torch.set_rng_state(states[0])
             random.setstate(states[1])
             np.random.set_state(states[2])
             with torch.no_grad():
                 for buffer, kept in buffers:
                     buffer.copy_(kept)

         inputs = x.detach().clone().requires_grad_(True)
         total = layer(inputs).select(1, -1).sum()
         (gradient,) = torch.autograd.grad(outputs=total, inputs=[inputs])
         restore()
         first, last = (gradient.select(1, t).double().flatten().tolist() for t in (0, -1))
         return math.hypot(*first) / math.hypot(*last)
         """,
    ),
    fill(
        "divided by the largest first",
        "gradient_ratio",
        "scaled norms in float64",
        r"""
         import numpy as np
         import random

         states = torch.get_rng_state(), random.getstate(), np.random.get_state()
         buffers = [(b, b.clone()) for b in layer.buffers()] if isinstance(layer, nn.Module) else []

         def restore():
             torch.set_rng_state(states[0])
             random.setstate(states[1])
             np.random.set_state(states[2])
             with torch.no_grad():
                 for buffer, kept in buffers:
                     buffer.copy_(kept)

         with torch.enable_grad():
             inputs = x.detach().clone()
             inputs.requires_grad = True
             out = layer(inputs)[:, -1]
             g = torch.autograd.grad(out, inputs, grad_outputs=torch.ones_like(out))[0]
         restore()
         g = g.to(torch.float64)

         def length(part):
             top = part.abs().max().item()
             return top * (part / top).norm().item() if top else 0.0

         return length(g[:, 0]) / length(g[:, -1])
         """,
    ),
    fill(
        "a graph of inputs position by position",
        "gradient_ratio",
        "leaves for each position, stacked",
        r"""
         import numpy as np
         import random

         states = torch.get_rng_state(), random.getstate(), np.random.get_state()
         buffers = [(b, b.clone()) for b in layer.buffers()] if isinstance(layer, nn.Module) else []

         def restore():
             torch.set_rng_state(states[0])
             random.setstate(states[1])
             np.random.set_state(states[2])
             with torch.no_grad():
                 for buffer, kept in buffers:
                     buffer.copy_(kept)

         columns = [column.detach().clone().requires_grad_() for column in x.unbind(1)]
         total = layer(torch.stack(columns, 1))[:, -1].sum()
         ends = [columns[0], columns[-1]]
         one, two = torch.autograd.grad(total, ends if len(columns) > 1 else ends[:1] * 2)
         restore()
         return float(torch.linalg.vector_norm(one.double()) / torch.linalg.vector_norm(two.double()))
         """,
    ),
    # ---------------------------------------------------------------- Task 4
    fill(
        "hypot over the norms",
        "clip",
        "math.hypot, detach and div",
        r"""
         gradients = [g for g in (p.grad for p in parameters) if g is not None]
         norm = math.hypot(*(g.detach().double().norm().item() for g in gradients))
         if norm > max_norm:
             with torch.no_grad():
                 for g in gradients:
                     g.copy_(g.double() * (max_norm / norm))
         return norm
         """,
    ),
    fill(
        "one long vector",
        "clip",
        "cat of reshaped copies in float64",
        r"""
         kept = []
         for p in parameters:
             if p.grad is not None:
                 kept.append(p.grad.detach())
         if len(kept) == 0:
             return 0.0
         norm = torch.cat([g.reshape(-1).to(torch.float64) for g in kept]).pow(2).sum().sqrt().item()
         factor = max_norm / norm if norm > max_norm else None
         if factor is not None:
             for g in kept:
                 torch.mul(g, factor, out=g)
         return norm
         """,
    ),
    fill(
        "foreach and a scaled sum",
        "clip",
        "divided by the largest number before the squares",
        r"""
         gradients = [p.grad.detach() for p in list(parameters) if p.grad is not None and p.grad.numel()]
         top = max((float(g.abs().max()) for g in gradients), default=0.0)
         if top == 0.0:
             return 0.0
         norm = top * math.sqrt(math.fsum(float(((g.double() / top) ** 2).sum()) for g in gradients))
         if norm > max_norm:
             torch._foreach_mul_(gradients, max_norm / norm)
         return norm
         """,
    ),
    # ---------------------------------------------------------------- Task 5
    fill(
        "gates one by one",
        "lstm_step",
        "weights cut in four, no z",
        r"""
         hidden, old = state
         parts = [w.chunk(4, dim=0) for w in (w_input, b_input, w_hidden, b_hidden)]

         def pre(k):
             return F.linear(x, parts[0][k], parts[1][k]) + F.linear(hidden, parts[2][k], parts[3][k])

         gates = {name: pre(k) for k, name in enumerate(["input", "forget", "candidate", "output"])}
         new = torch.addcmul(torch.sigmoid(gates["forget"]) * old,
                             torch.sigmoid(gates["input"]), torch.tanh(gates["candidate"]))
         return torch.sigmoid(gates["output"]) * torch.tanh(new), new
         """,
    ),
    fill(
        "float64 and unflatten",
        "lstm_step",
        "einsum in float64, blocks by unflatten",
        r"""
         h, c = (part.double() for part in state)
         z = torch.einsum("bc,zc->bz", x.double(), w_input.double())
         z = z + torch.einsum("bn,zn->bz", h, w_hidden.double()) + (b_input.double() + b_hidden.double())
         i, f, g, o = z.unflatten(1, (4, c.shape[1])).unbind(1)
         c = torch.special.expit(f) * c + torch.special.expit(i) * torch.tanh(g)
         h = torch.special.expit(o) * torch.tanh(c)
         return h.to(x.dtype), c.to(x.dtype)
         """,
    ),
    fill(
        "slices and item loops",
        "lstm_step",
        "item by item with slices",
        r"""
         n = state[0].shape[-1]
         shown, kept = [], []
         for x_b, h_b, c_b in zip(x, *state):
             z = w_input.mv(x_b) + w_hidden.mv(h_b) + b_input + b_hidden
             gate = torch.sigmoid(torch.cat([z[:2 * n], z[3 * n:]]))
             c_new = gate[n:2 * n] * c_b + gate[:n] * z[2 * n:3 * n].tanh()
             kept.append(c_new)
             shown.append(gate[2 * n:] * c_new.tanh())
         return torch.stack(shown), torch.stack(kept)
         """,
    ),
    # ---------------------------------------------------------------- Task 6
    fill(
        "weights cut in three",
        "gru_step",
        "a helper for each block",
        r"""
         cut = [t.split(hidden.shape[-1]) for t in (w_input, b_input, w_hidden, b_hidden)]

         def halves(k):
             return F.linear(x, cut[0][k], cut[1][k]), F.linear(hidden, cut[2][k], cut[3][k])

         r, z = (torch.sigmoid(sum(halves(k))) for k in range(2))
         seen, remembered = halves(2)
         n = torch.addcmul(seen, r, remembered).tanh()
         return torch.addcmul(z * hidden, 1 - z, n)
         """,
    ),
    fill(
        "float64 and lerp",
        "gru_step",
        "in float64, the mix by torch.lerp",
        r"""
         wide = torch.float64
         a = (x.to(wide) @ w_input.to(wide).T + b_input.to(wide)).unflatten(-1, (3, -1))
         c = (hidden.to(wide) @ w_hidden.to(wide).T + b_hidden.to(wide)).unflatten(-1, (3, -1))
         gates = torch.sigmoid(a[:, :2] + c[:, :2])
         n = torch.tanh(a[:, 2] + gates[:, 0] * c[:, 2])
         old, z = hidden.to(wide), gates[:, 1]
         return (z * old + torch.sigmoid(-(a[:, 1] + c[:, 1])) * n).to(hidden.dtype)
         """,
    ),
    fill(
        "item by item with narrow",
        "gru_step",
        "a loop over the batch",
        r"""
         n = hidden.size(1)
         rows = []
         for b in range(x.size(0)):
             a, c = w_input.mv(x[b]) + b_input, w_hidden.mv(hidden[b]) + b_hidden
             r = (a.narrow(0, 0, n) + c.narrow(0, 0, n)).sigmoid()
             z = (a.narrow(0, n, n) + c.narrow(0, n, n)).sigmoid()
             new = (a.narrow(0, 2 * n, n) + r * c.narrow(0, 2 * n, n)).tanh()
             rows.append(hidden[b] * z + new * (1 - z))
         return torch.stack(rows)
         """,
    ),
    # ---------------------------------------------------------------- Task 7
    fill(
        "the cell's numbers in one draw",
        "initial_parameters",
        "one long vector, cut and shaped",
        r"""
         shapes = [(4 * d_hidden, d_input), (4 * d_hidden, d_hidden), (4 * d_hidden,), (4 * d_hidden,)]
         sizes = [math.prod(shape) for shape in shapes]
         flat = torch.rand(sum(sizes)).mul_(2).sub_(1).div_(math.sqrt(d_hidden))
         w_input, w_hidden, b_input, b_hidden = (
             part.clone().reshape(shape) for part, shape in zip(flat.split(sizes), shapes))
         forget = slice(d_hidden, 2 * d_hidden)
         b_input[forget].fill_(0.5 * forget_bias)
         b_hidden[forget].fill_(forget_bias - 0.5 * forget_bias)
         return w_input, w_hidden, b_input, b_hidden
         """,
    ),
    fill(
        "a distribution's samples",
        "initial_parameters",
        "torch.distributions, gate by gate",
        r"""
         end = 1 / math.sqrt(d_hidden)
         chance = torch.distributions.Uniform(-end, end)
         gates = ("input", "forget", "candidate", "output")
         w_input = torch.cat([chance.sample((d_hidden, d_input)) for _ in gates])
         w_hidden = torch.cat([chance.sample((d_hidden, d_hidden)) for _ in gates])
         b_input = torch.cat([torch.zeros(d_hidden) if g == "forget" else chance.sample((d_hidden,)) for g in gates])
         b_hidden = torch.cat([torch.full((d_hidden,), float(forget_bias)) if g == "forget"
                               else chance.sample((d_hidden,)) for g in gates])
         return w_input, w_hidden, b_input, b_hidden
         """,
    ),
    fill(
        "nn.init on empty tensors",
        "initial_parameters",
        "nn.init.uniform_, then the forget rows by constant_",
        r"""
         found = [torch.empty(4 * d_hidden, *rest) for rest in ((d_input,), (d_hidden,), (), ())]
         for tensor in reversed(found):
             nn.init.uniform_(tensor, a=-d_hidden ** -0.5, b=d_hidden ** -0.5)
         for tensor, number in ((found[3], forget_bias), (found[2], 0.0)):
             nn.init.constant_(tensor.view(4, d_hidden)[1], number)
         return tuple(found)
         """,
    ),
    # ---------------------------------------------------------------- Task 8
    fill(
        "own steps in one loop",
        "classifier",
        "no run and no lstm_step, inputs projected at once",
        INIT,
        r"""
         seen = self.input_projection(self.embedding(ids))
         hidden = cell = seen.new_zeros(ids.shape[0], self.d_hidden)
         for t in range(ids.shape[1]):
             i, f, c, o = (seen[:, t] + self.hidden_projection(hidden)).chunk(4, -1)
             new_cell = f.sigmoid() * cell + i.sigmoid() * c.tanh()
             new_hidden = o.sigmoid() * new_cell.tanh()
             if mask is None:
                 hidden, cell = new_hidden, new_cell
             else:
                 real = mask[:, t].unsqueeze(1)
                 hidden, cell = torch.where(real, new_hidden, hidden), torch.where(real, new_cell, cell)
         return self.head(hidden)
         """,
    ),
    fill(
        "text by text",
        "classifier",
        "each text alone, its real tokens only",
        INIT,
        r"""
         rows = []
         for b in range(ids.shape[0]):
             words = ids[b] if mask is None else ids[b][mask[b]]
             state = (self.head.weight.new_zeros(1, self.d_hidden),) * 2
             for word in words:
                 state = lstm_step(self.embedding(word)[None], state,
                                   self.input_projection.weight, self.hidden_projection.weight,
                                   self.input_projection.bias, self.hidden_projection.bias)
             rows.append(state[0])
         return self.head(torch.cat(rows))
         """,
    ),
    fill(
        "keywords and functools.partial",
        "classifier",
        "partial of lstm_step, run by keywords, parts made in a loop",
        r"""
         parts = {
             "embedding": nn.Embedding(num_embeddings=vocab_size, embedding_dim=d_embedding),
             "input_projection": nn.Linear(d_embedding, 4 * d_hidden),
             "hidden_projection": nn.Linear(d_hidden, 4 * d_hidden),
             "head": nn.Linear(d_hidden, n_classes),
         }
         for name, part in parts.items():
             setattr(self, name, part)
         """,
        r"""
         from functools import partial

         first, second = self.input_projection, self.hidden_projection
         step = partial(lstm_step, w_input=first.weight, w_hidden=second.weight,
                        b_input=first.bias, b_hidden=second.bias)
         zeros = torch.zeros(ids.size(0), second.in_features, dtype=second.weight.dtype)
         _, (hidden, _) = run(step=step, x=self.embedding(ids), state=(zeros, zeros), mask=mask)
         return F.linear(hidden, self.head.weight, self.head.bias)
         """,
    ),
]
