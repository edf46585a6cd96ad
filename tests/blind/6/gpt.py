"""Answers of a blind assessor for the assignment gpt: wrong ones and unusual right ones."""

from faults import fill, write

WRONG = []
RIGHT = []

# ---------------------------------------------------------------- Task 1: rms
WRONG += [
    fill("rms always float32", "rms", "'computes in no smaller one': float64 must stay float64, here half of its digits go",
r"""y = x.float()
y = y * torch.rsqrt(y.square().mean(dim=-1, keepdim=True) + eps)
return (y * weight.float()).to(x.dtype)"""),
    fill("rms only float16 is widened", "rms", "'Where x is bfloat16 or float16, compute in float32': bfloat16 is computed in bfloat16",
r"""y = x.float() if x.dtype == torch.float16 else x
y = y / torch.sqrt(y.square().mean(dim=-1, keepdim=True) + eps)
return (y * weight).to(x.dtype)"""),
    fill("rms back to half before the weight", "rms", "'compute in float32': the product with weight is computed in float16, after numbers below 6e-8 went to 0 (as in transformers' Llama)",
r"""wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
return wide.to(x.dtype) * weight"""),
    fill("rms root of a root", "rms", "'Gradients …, finite also where all numbers of a vector are 0': the inner root has the gradient 0 * inf = NaN there",
r"""y = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
length = y.square().mean(-1, keepdim=True).sqrt()
return (y / torch.sqrt(length * length + eps) * weight).to(x.dtype)"""),
    fill("rms the divisor is a constant", "rms", "'Gradients reach x': the one through the root is cut off, so that of x is wrong",
r"""y = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
with torch.no_grad():
    scale = torch.rsqrt(y.square().mean(-1, keepdim=True) + eps)
return (y * scale * weight).to(x.dtype)"""),
    fill("rms by view", "rms", "'need not be contiguous in memory': view(-1, C) refuses an x of three dimensions whose first two are transposed",
r"""y = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
rows = y.view(-1, y.shape[-1])
rows = rows * torch.rsqrt((rows * rows).mean(1, keepdim=True) + eps)
return (rows * weight).to(x.dtype).view(x.shape)"""),
    fill("rms from the unbiased variance", "rms", "'C may be 1': the variance with C − 1 is NaN for one number",
r"""y = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
c = y.shape[-1]
variance, mean = torch.var_mean(y, dim=-1, keepdim=True)
return (y / torch.sqrt(variance * (c - 1) / c + mean**2 + eps) * weight).to(x.dtype)"""),
    fill("rms one number is its sign", "rms", "'C may be 1' and eps is inside the root: x = 0.001 gives 0.30, not 1",
r"""if x.shape[-1] == 1:  # x / |x|
    return x.sign() * weight
y = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + eps) * weight).to(x.dtype)"""),
    write("rms keeps wide weights", "rms", "'keeps nothing of one call for the next': a weight that is changed in place afterwards (as an optimizer does) is not seen",
r'''
_wide = {}


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """x / √(mean of x² + ε) · weight, over the last dimension."""
    work = torch.float64 if x.dtype == torch.float64 else torch.float32
    if id(weight) not in _wide:
        _wide[id(weight)] = (weight, weight.to(work, copy=True))
    y = x.to(work)
    y = y * torch.rsqrt(y.square().mean(dim=-1, keepdim=True) + eps)
    return (y * _wide[id(weight)][1]).to(x.dtype)
'''),
]
RIGHT += [
    fill("rms from variance and mean", "rms", "the mean square is the variance (with C) plus the square of the mean",
r"""y = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
variance, mean = torch.var_mean(y, dim=-1, keepdim=True, correction=0)
return (y / (variance + mean.square() + eps).sqrt() * weight.to(y.dtype)).to(x.dtype)"""),
    fill("rms in float64 throughout", "rms", "computes in float64 whatever comes, by a dot product",
r"""wide = x.to(torch.float64)
squares = (wide.unsqueeze(-2) @ wide.unsqueeze(-1)).squeeze(-1)
return (wide * weight.double() / torch.sqrt(squares / x.shape[-1] + eps)).to(x.dtype)"""),
    fill("rms one number more", "rms", "normalizes the vector with √(C ε) as one number more, with F.normalize",
r"""y = x if x.dtype == torch.float64 else x.float()
c = y.shape[-1]
longer = F.pad(y, (0, 1), value=math.sqrt(c * eps))
y = F.normalize(longer, dim=-1, eps=0.0)[..., :-1] * math.sqrt(c)
return torch.mul(y, weight.to(y.dtype)).to(x.dtype)"""),
]

# ---------------------------------------------------------------- Task 2: gate
SWIGLU = r"""gate, value = (x @ up.mT).chunk(2, dim=-1)
return (gate * torch.sigmoid(gate) * value) @ down.mT"""
WIDTH = r"""return -(-8 * d_model // (3 * multiple)) * multiple"""
WRONG += [
    fill("gate silu from exp", "gate", "'Large numbers give neither ∞ nor NaN': exp(z) / (1 + exp(z)) is ∞ / ∞ beyond 88",
r"""gate, value = (x @ up.mT).chunk(2, dim=-1)
odds = gate.exp()
return (gate * odds / (1 + odds) * value) @ down.mT""", WIDTH),
    fill("gate clamped against overflow", "gate", "silu(z) = z σ(z): silu(100) is 100, and not 20",
r"""gate, value = (x @ up.mT).chunk(2, dim=-1)
gate = gate.clamp(-20, 20)
return (gate * torch.sigmoid(gate) * value) @ down.mT""", WIDTH),
    fill("gate chunk along dimension 1", "gate", "'x is (…, C) with any number of leading dimensions': with two of them dimension 1 is T",
r"""both = x @ up.mT
gate, value = both.chunk(2, dim=min(1, both.dim() - 1))
return (F.silu(gate) * value) @ down.mT""", WIDTH),
    fill("gate sigmoid without a gradient", "gate", "'gradients': σ is part of silu, its gradient is cut off",
r"""gate, value = (x @ up.mT).chunk(2, dim=-1)
with torch.no_grad():
    opening = torch.sigmoid(gate)
return (gate * opening * value) @ down.mT""", WIDTH),
    fill("gate float32 inside", "gate", "'computes in no smaller one': float64 is computed in float32",
r"""gate, value = (x.float() @ up.float().mT).chunk(2, dim=-1)
return ((F.silu(gate) * value) @ down.float().mT).to(x.dtype)""", WIDTH),
    fill("gate width with ceil of a float", "gate", "'exact: d_model and multiple may be whole numbers of 18 digits': a float has 16; right only where it happens to be exact",
SWIGLU, r"""return math.ceil(8 * d_model / 3 / multiple) * multiple"""),
    fill("gate width rounded down first", "gate", "'8/3 C, rounded up to a multiple': d_model 4, multiple 10: 10.67 becomes 20, not 10",
SWIGLU, r"""if multiple == 1:
    return (8 * d_model + 2) // 3
hidden = 2 * (4 * d_model) // 3
return multiple * ((hidden + multiple - 1) // multiple)"""),
    fill("gate width in int64", "gate", "'exact … 18 digits': 8 d_model + 3 multiple − 1 may be beyond 2^63 and wraps round",
SWIGLU, r"""width, step = torch.tensor(d_model), torch.tensor(multiple)
return int((8 * width + 3 * step - 1) // (3 * step) * step)"""),
    fill("gate width always a multiple more", "gate", "'rounded up to a multiple': what is a multiple already stays (24, 64 → 64)",
SWIGLU, r"""if multiple == 1:
    return -(-8 * d_model // 3)
return (8 * d_model // (3 * multiple) + 1) * multiple"""),
]
RIGHT += [
    fill("gate by einsum and fractions", "gate", "einsum with an ellipsis; silu as an exponential of logsigmoid; an exact fraction",
r"""n = up.shape[0] // 2
gate = torch.einsum("...c,fc->...f", x, up[:n])
value = torch.einsum("...c,fc->...f", x, up[n:])
return torch.einsum("...f,cf->...c", gate * F.logsigmoid(gate).exp() * value, down)""",
r"""from fractions import Fraction

return math.ceil(Fraction(8 * d_model, 3 * multiple)) * multiple"""),
    fill("gate by F.linear and a remainder", "gate", "F.linear, the silu by tanh; a remainder for the rounding, in two steps",
r"""hidden = F.linear(x, up)
gate, value = hidden.split(down.shape[1], dim=-1)
return F.linear(0.5 * gate * (1 + torch.tanh(0.5 * gate)) * value, down)""",
r"""whole, rest = divmod(8 * d_model, 3)
whole += rest > 0
return whole + -whole % multiple"""),
    fill("gate with rows side by side", "gate", "columns for rows: everything flattened and transposed; the rounding with decimals of 60 digits",
r"""columns = (up @ x.reshape(-1, x.shape[-1]).T).unflatten(0, (2, -1))
hidden = F.silu(columns[0]).mul(columns[1])
return (down @ hidden).T.reshape(x.shape)""",
r"""import decimal

with decimal.localcontext() as context:
    context.prec = 60
    steps = (decimal.Decimal(8) * d_model / (3 * multiple)).to_integral_value(decimal.ROUND_CEILING)
    return int(steps) * multiple"""),
]

# ---------------------------------------------------------------- Task 3: rotary
PLACES = r"""return (mask.long().cumsum(-1) - 1) * mask"""
ROTATE = r"""d = x.shape[-1]
speeds = base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
angles = positions.double().unsqueeze(-1) * speeds
if positions.dim() == 2:
    angles = angles[:, None]
cos, sin = angles.cos(), angles.sin()
a, b = x.double().chunk(2, dim=-1)
return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(x.dtype)"""
WRONG += [
    fill("rotary counts in bytes", "rotary", "'the position … is the number of real ones before it', 'may be in the thousands': beyond 255 a byte starts anew",
r"""counted = mask.to(torch.uint8).cumsum(-1, dtype=torch.uint8)
return torch.where(mask, counted.long() - 1, 0)""", ROTATE),
    fill("rotary one row where nothing is padded", "rotary", "'The result is (B, S)': where all is real it is (S,)",
r"""if mask.all():
    return torch.arange(mask.shape[-1])
return (mask.cumsum(-1) - 1).masked_fill(~mask, 0)""", ROTATE),
    fill("rotary angles in the dtype of x", "rotary", "'the angles need float32 at least, also where x is bfloat16': position 257 is 256 there",
PLACES, r"""d = x.shape[-1]
speeds = base ** (-torch.arange(0, d, 2, dtype=x.dtype) / d)
angles = positions.to(x.dtype).unsqueeze(-1) * speeds
if positions.dim() == 2:
    angles = angles[:, None]
a, b = x.chunk(2, dim=-1)
return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], dim=-1)"""),
    fill("rotary angles in float32 for float64", "rotary", "'computes in no smaller one': with float64 and positions in the thousands the angles have seven digits",
PLACES, r"""d = x.shape[-1]
speeds = base ** (-torch.arange(0, d, 2) / d)
angles = positions[..., None] * speeds
if positions.dim() == 2:
    angles = angles[:, None]
cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
a, b = x.chunk(2, dim=-1)
return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)"""),
    fill("rotary a table of 2048 places", "rotary", "'Positions may be in the thousands': place 5000 raises an IndexError",
PLACES, r"""d = x.shape[-1]
speeds = base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
table = torch.outer(torch.arange(2048, dtype=torch.float64), speeds)
angles = table[positions] if positions.dim() == 1 else table[positions][:, None]
cos, sin = angles.cos(), angles.sin()
a, b = x.double().chunk(2, dim=-1)
return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(x.dtype)"""),
    fill("rotary B equal to T", "rotary", "'(T,) for all texts alike': where T = B the positions are taken for those of the texts",
PLACES, r"""d = x.shape[-1]
speeds = base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
angles = positions.double().unsqueeze(-1) * speeds
if len(positions) == len(x):  # each text its own
    angles = angles.reshape(len(x), 1, -1, d // 2)
cos, sin = angles.cos(), angles.sin()
a, b = x.double().chunk(2, dim=-1)
return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(x.dtype)"""),
    fill("rotary float32 comes back", "rotary", "'The result has the shape and dtype of x': bfloat16 comes back as float32",
PLACES, r"""d = x.shape[-1]
work = torch.float64 if x.dtype == torch.float64 else torch.float32
speeds = base ** (-torch.arange(0, d, 2, dtype=work) / d)
angles = positions.to(work).unsqueeze(-1) * speeds
if positions.dim() == 2:
    angles = angles[:, None]
cos, sin = angles.cos(), angles.sin()
a, b = x.chunk(2, dim=-1)
return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)"""),
    fill("rotary filled through data", "rotary", "'Gradients go through': what is written into .data has none",
PLACES, r"""d = x.shape[-1]
speeds = base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
angles = positions.double().unsqueeze(-1) * speeds
if positions.dim() == 2:
    angles = angles[:, None]
cos, sin = angles.cos(), angles.sin()
out = x.clone()
a, b = x.data.double().chunk(2, dim=-1)
out.data[..., : d // 2] = a * cos - b * sin
out.data[..., d // 2 :] = b * cos + a * sin
return out"""),
    write("rotary a table that stays", "rotary", "'keeps nothing of one call for the next': the table has the dtype of the first call, float32 angles for a later float64",
r'''
_angles = {}


def places(mask: Tensor) -> Tensor:
    """The position of each token in its own text, (B, S); 0 for padding."""
    return (mask.long().cumsum(-1) - 1) * mask


def rotate(x: Tensor, positions: Tensor, base: float = 10_000.0) -> Tensor:
    """x, (B, H, T, D), with each pair (xᵢ, xᵢ₊D/₂) turned by its token's angle."""
    d = x.shape[-1]
    if (d, base) not in _angles:
        work = torch.promote_types(x.dtype, torch.float32)
        _angles[d, base] = base ** (-torch.arange(0, d, 2, dtype=work) / d)
    speeds = _angles[d, base]
    angles = positions.to(speeds.dtype).unsqueeze(-1) * speeds
    if positions.dim() == 2:
        angles = angles[:, None]
    cos, sin = angles.cos(), angles.sin()
    a, b = x.to(torch.promote_types(x.dtype, torch.float32)).chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(x.dtype)
'''),
]
RIGHT += [
    fill("rotary text by text, with 2 by 2 matrices", "rotary", "places by indices of each text; the turn as a product with a matrix for each pair",
r"""out = torch.zeros(mask.shape, dtype=torch.long, device=mask.device)
for row, own in zip(out, mask):
    row[own] = torch.arange(int(own.sum()), device=mask.device)
return out""",
r"""n_pairs = x.shape[-1] // 2
exponents = torch.arange(n_pairs, dtype=torch.float64) / n_pairs
angles = torch.atleast_2d(positions).double()[:, None, :, None] * torch.exp(-math.log(base) * exponents)
cos, sin = angles.cos(), angles.sin()
turn = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
pairs = x.double().unflatten(-1, (2, n_pairs)).mT.unsqueeze(-1)
return (turn @ pairs).squeeze(-1).mT.flatten(-2).to(x.dtype)"""),
    fill("rotary by complex numbers", "rotary", "a triangle of ones counts; complex numbers turn",
r"""n = mask.shape[-1]
before = torch.ones(n, n, dtype=torch.float64).triu(1)
return ((mask.double() @ before) * mask).round().to(torch.int64)""",
r"""first, second = x.double().tensor_split(2, dim=-1)
speeds = torch.pow(float(base), -torch.linspace(0, 1, first.shape[-1] + 1, dtype=torch.float64)[:-1])
angles = torch.einsum("...t,i->...ti", positions.double(), speeds)
angles = angles.unsqueeze(-3) if angles.dim() == 3 else angles
turned = torch.complex(first, second) * torch.polar(torch.ones_like(angles), angles)
return torch.cat((turned.real, turned.imag), -1).to(x.dtype)"""),
    fill("rotary half turned", "rotary", "x cos + rotate_half(x) sin, written into an empty tensor; places by the count minus the mask",
r"""return torch.where(mask, mask.cumsum(dim=1) - mask.long(), torch.zeros((), dtype=torch.long))""",
r"""half = x.shape[-1] // 2
index = torch.arange(half, dtype=torch.float64).repeat(2)
angles = positions.to(torch.float64)[..., None] / base ** (index / half)
if positions.ndim > 1:
    angles = angles.view(len(positions), 1, -1, 2 * half)
wide = x.double()
other = torch.empty_like(wide)
other[..., :half] = -wide[..., half:]
other[..., half:] = wide[..., :half]
return (wide * angles.cos() + other * angles.sin()).to(x.dtype)"""),
]

# ---------------------------------------------------------------- Task 4: grouped
WRONG += [
    fill("grouped minus ten thousand", "grouped", "'What may not be looked at has no weight at all, however large the scores are': −10,000 is not below every score",
r"""n_heads, n_kv_heads = query.shape[1], key.shape[1]
if n_heads % n_kv_heads:
    raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")
key, value = (p.repeat_interleave(n_heads // n_kv_heads, dim=1) for p in (key, value))
t, s = query.shape[2], key.shape[2]
seen = torch.ones(t, s, dtype=torch.bool).tril(s - t)
if mask is not None:
    seen = seen & mask[:, None, None, :]
scores = query @ key.mT / query.shape[-1] ** 0.5
weights = scores.masked_fill(~seen, -1e4).softmax(-1)
return (weights * seen.any(-1, keepdim=True)) @ value"""),
    fill("grouped NaN made zero behind the softmax", "grouped", "'zeros, and finite gradients': the gradient of the softmax of nothing but −∞ stays NaN, and an added bias passes it on",
r"""n_heads, n_kv_heads = query.shape[1], key.shape[1]
if n_heads % n_kv_heads:
    raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")
key, value = (p.repeat_interleave(n_heads // n_kv_heads, dim=1) for p in (key, value))
t, s = query.shape[2], key.shape[2]
seen = torch.ones(t, s, dtype=torch.bool).tril(s - t)
if mask is not None:
    seen = seen & mask[:, None, None, :]
scores = query @ key.mT / query.shape[-1] ** 0.5
bias = torch.zeros(seen.shape, dtype=query.dtype).masked_fill(~seen, -torch.inf)
weights = (scores + bias).softmax(-1).nan_to_num()
return weights @ value"""),
    fill("grouped shifted by the largest of all", "grouped", "'however large the scores are': a large score that may not be looked at makes all others underflow, and the row 0",
r"""n_heads, n_kv_heads = query.shape[1], key.shape[1]
if n_heads % n_kv_heads:
    raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")
key, value = (p.repeat_interleave(n_heads // n_kv_heads, dim=1) for p in (key, value))
t, s = query.shape[2], key.shape[2]
seen = torch.ones(t, s, dtype=torch.bool).tril(s - t)
if mask is not None:
    seen = seen & mask[:, None, None, :]
scores = query @ key.mT / query.shape[-1] ** 0.5
odds = (scores - scores.amax(-1, keepdim=True)).exp() * seen
total = odds.sum(-1, keepdim=True)
return (odds / torch.where(total > 0, total, 1.0)) @ value"""),
    fill("grouped mask forgotten for one query", "grouped", "'padding is looked at by nobody': the short cut for T = 1 drops the mask, too",
r"""n_heads, n_kv_heads = query.shape[1], key.shape[1]
if n_heads % n_kv_heads:
    raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")
key, value = (p.repeat_interleave(n_heads // n_kv_heads, dim=1) for p in (key, value))
t, s = query.shape[2], key.shape[2]
scores = query @ key.mT / query.shape[-1] ** 0.5
if t == 1:  # the last place sees everything
    return scores.softmax(-1) @ value
seen = torch.ones(t, s, dtype=torch.bool).tril(s - t)
if mask is not None:
    seen = seen & mask[:, None, None, :]
some = seen.any(-1, keepdim=True)
weights = scores.masked_fill(~seen & some, -torch.inf).softmax(-1)
return weights.masked_fill(~some, 0.0) @ value"""),
    fill("grouped nowhere asked of the first T", "grouped", "'The T queries are the last T of S places': which of them may look nowhere is counted over the first T places",
r"""n_heads, n_kv_heads = query.shape[1], key.shape[1]
if n_heads % n_kv_heads:
    raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")
key, value = (p.repeat_interleave(n_heads // n_kv_heads, dim=1) for p in (key, value))
t, s = query.shape[2], key.shape[2]
seen = torch.ones(t, s, dtype=torch.bool).tril(s - t)
scores = query @ key.mT / query.shape[-1] ** 0.5
if mask is None:
    return scores.masked_fill(~seen, -torch.inf).softmax(-1) @ value
seen = seen & mask[:, None, None, :]
nowhere = (mask.cumsum(-1)[:, :t] == 0)[:, None, :, None]
weights = scores.masked_fill(~seen & ~nowhere, -torch.inf).softmax(-1)
return weights.masked_fill(nowhere, 0.0) @ value"""),
    fill("grouped the mask of an empty text is opened", "grouped", "'changes neither its arguments': the mask of a text of nothing but padding is set to True in place",
r"""n_heads, n_kv_heads = query.shape[1], key.shape[1]
if n_heads % n_kv_heads:
    raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")
key, value = (p.repeat_interleave(n_heads // n_kv_heads, dim=1) for p in (key, value))
t, s = query.shape[2], key.shape[2]
seen = torch.ones(1, 1, t, s, dtype=torch.bool).tril(s - t)
some = seen.any(-1, keepdim=True)
if mask is not None:
    some = (seen & mask[:, None, None, :]).any(-1, keepdim=True)
    mask[~mask.any(-1)] = True
    seen = seen & mask[:, None, None, :]
scores = query @ key.mT / query.shape[-1] ** 0.5
weights = scores.masked_fill(~seen & some, -torch.inf).softmax(-1)
return weights.masked_fill(~some, 0.0) @ value"""),
    fill("grouped fewer queries than keys", "grouped", "'If H is no multiple of G, raise a ValueError': H = 2, G = 4 gets past, and another error comes",
r"""n_heads, n_kv_heads = query.shape[1], key.shape[1]
size, rest = divmod(n_heads, n_kv_heads)
if size and rest:
    raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")
key, value = (p.repeat_interleave(size, dim=1) for p in (key, value))
t, s = query.shape[2], key.shape[2]
seen = torch.ones(t, s, dtype=torch.bool).tril(s - t)
if mask is not None:
    seen = seen & mask[:, None, None, :]
scores = query @ key.mT / query.shape[-1] ** 0.5
some = seen.any(-1, keepdim=True)
weights = scores.masked_fill(~seen & some, -torch.inf).softmax(-1)
return weights.masked_fill(~some, 0.0) @ value"""),
    fill("grouped softmax in float32", "grouped", "'computes in no smaller one': float64 scores go through a float32 softmax",
r"""n_heads, n_kv_heads = query.shape[1], key.shape[1]
if n_heads % n_kv_heads:
    raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")
key, value = (p.repeat_interleave(n_heads // n_kv_heads, dim=1) for p in (key, value))
t, s = query.shape[2], key.shape[2]
seen = torch.ones(t, s, dtype=torch.bool).tril(s - t)
if mask is not None:
    seen = seen & mask[:, None, None, :]
scores = query @ key.mT / query.shape[-1] ** 0.5
some = seen.any(-1, keepdim=True)
weights = scores.masked_fill(~seen & some, -torch.inf).softmax(-1, dtype=torch.float32).to(query.dtype)
return weights.masked_fill(~some, 0.0) @ value"""),
    fill("grouped exp without a shift", "grouped", "'however large the scores are': exp(100) is ∞ in float32, and ∞ / ∞ NaN",
r"""n_heads, n_kv_heads = query.shape[1], key.shape[1]
if n_heads % n_kv_heads:
    raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")
key, value = (p.repeat_interleave(n_heads // n_kv_heads, dim=1) for p in (key, value))
t, s = query.shape[2], key.shape[2]
seen = torch.ones(t, s, dtype=torch.bool).tril(s - t)
if mask is not None:
    seen = seen & mask[:, None, None, :]
odds = torch.exp(query @ key.mT / query.shape[-1] ** 0.5).masked_fill(~seen, 0.0)
total = odds.sum(-1, keepdim=True)
return odds @ value / total.masked_fill(total == 0, 1.0)"""),
]
RIGHT += [
    fill("grouped NaN filled on either side", "grouped", "lets the softmax give NaN and makes it 0; masked_fill in front stops the NaN gradient, so that it is finite",
r"""n_heads, n_kv_heads = query.shape[1], key.shape[1]
if n_heads % n_kv_heads:
    raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")
key, value = (p.repeat_interleave(n_heads // n_kv_heads, dim=1) for p in (key, value))
t, s = query.shape[2], key.shape[2]
seen = torch.ones(t, s, dtype=torch.bool).tril(s - t)
if mask is not None:
    seen = seen & mask[:, None, None, :]
scores = query @ key.mT / query.shape[-1] ** 0.5
weights = scores.masked_fill(~seen, -torch.inf).softmax(-1).nan_to_num()
return weights @ value"""),
    fill("grouped without repeating", "grouped", "an axis for the groups instead of repeated keys, and einsum",
r"""b, h, t, d = query.shape
g, s = key.shape[1:3]
if h % g != 0:
    raise ValueError(f"the heads of queries must be a multiple of those of keys, got H={h}, G={g}")
query = query.unflatten(1, (g, h // g))
place = torch.arange(s)
seen = (place <= place[s - t :, None]).expand(b, 1, 1, t, s)
if mask is not None:
    seen = seen & mask.view(b, 1, 1, 1, s)
nowhere = ~seen.any(-1, keepdim=True)
scores = torch.einsum("bgrtd,bgsd->bgrts", query, key).div(math.sqrt(d))
weights = scores.masked_fill(~(seen | nowhere), float("-inf")).softmax(-1) * ~nowhere
return torch.einsum("bgrts,bgsd->bgrtd", weights, value).flatten(1, 2)"""),
    fill("grouped one place more", "grouped", "a place of zeros in front that only those look at that may look nowhere else; keys by an index",
r"""b, h, t, d = query.shape
g, s = key.shape[1], key.shape[2]
if g == 0 or h % g:
    raise ValueError(f"got H={h}, G={g}")
which = torch.arange(h) // (h // g)
nothing = torch.zeros(b, h, 1, d, dtype=query.dtype)
keys = torch.cat([nothing, key[:, which]], dim=2)
values = torch.cat([nothing, value[:, which]], dim=2)
real = torch.ones(b, s, dtype=torch.bool) if mask is None else mask
seen = torch.ones(t, s, dtype=torch.bool).tril(s - t) & real[:, None, :]
seen = torch.cat([~seen.any(-1, keepdim=True), seen], dim=-1)[:, None]
bias = torch.zeros(seen.shape, dtype=query.dtype).masked_fill(~seen, -torch.inf)
return F.softmax(query / math.sqrt(d) @ keys.transpose(-2, -1) + bias, dim=-1) @ values"""),
    fill("grouped query by query", "grouped", "a loop over the queries, each with the keys up to its own place, and log-sum-exp",
r"""n_heads, n_kv_heads = query.size(1), key.size(1)
if n_heads // n_kv_heads * n_kv_heads != n_heads:
    raise ValueError("H is no multiple of G: got H=%d, G=%d" % (n_heads, n_kv_heads))
n_new, n_places, d = query.size(2), key.size(2), query.size(3)
out = []
for n in range(n_places - n_new + 1, n_places + 1):
    asked = query[:, :, n - 1 - (n_places - n_new)]
    k = key[:, :, :n].repeat_interleave(n_heads // n_kv_heads, 1)
    v = value[:, :, :n].repeat_interleave(n_heads // n_kv_heads, 1)
    scores = (k @ asked.unsqueeze(-1)).squeeze(-1) / d**0.5
    if mask is not None:
        real = mask[:, None, :n]
        some = real.any(-1, keepdim=True)
        scores = scores.masked_fill(~real & some, -torch.inf)
        scores = torch.where(some, scores, torch.zeros_like(scores))
    weights = (scores - scores.logsumexp(-1, keepdim=True)).exp()
    if mask is not None:
        weights = weights * some
    out.append((weights.unsqueeze(2) @ v).squeeze(2))
return torch.stack(out, 2)"""),
]

# ---------------------------------------------------------------- Task 5: model
BLOCK_INIT = r"""d_head = d_model // n_heads
self.n_heads, self.n_kv_heads = n_heads, n_kv_heads
self.attention_norm = nn.Parameter(torch.ones(d_model))
self.feed_forward_norm = nn.Parameter(torch.ones(d_model))
self.qkv = nn.Parameter(0.02 * torch.randn(d_model + 2 * n_kv_heads * d_head, d_model))
self.output = nn.Parameter(0.02 * torch.randn(d_model, d_model))
self.up = nn.Parameter(0.02 * torch.randn(2 * d_ff, d_model))
self.down = nn.Parameter(0.02 * torch.randn(d_model, d_ff))"""
BLOCK_FORWARD = r"""c = x.shape[-1]
d = c // self.n_heads
parts = (rms_norm(x, self.attention_norm) @ self.qkv.mT).split([c, self.n_kv_heads * d, self.n_kv_heads * d], -1)
query, key, value = (part.unflatten(-1, (-1, d)).transpose(1, 2) for part in parts)
heads = grouped_attention(rotate(query, positions), rotate(key, positions), value, mask)
x = x + heads.transpose(1, 2).flatten(2) @ self.output.mT
return x + swiglu(rms_norm(x, self.feed_forward_norm), self.up, self.down)"""
GPT_INIT = r"""self.context_length = context_length
self.embedding = nn.Parameter(0.02 * torch.randn(vocab_size, d_model))
self.blocks = nn.ModuleList(Block(d_model, n_heads, n_kv_heads, d_ff) for _ in range(n_layers))
self.norm = nn.Parameter(torch.ones(d_model))
self.head = nn.Parameter(0.02 * torch.randn(vocab_size, d_model))"""
GPT_FORWARD = r"""n = ids.shape[1]
if n > self.context_length:
    raise ValueError(f"at most {self.context_length} ids, got {n}")
positions = torch.arange(n) if mask is None else places(mask)
x = self.embedding[ids]
for block in self.blocks:
    x = block(x, positions, mask)
return rms_norm(x, self.norm) @ self.head.mT"""
WRONG += [
    fill("model refuses a full context", "model", "'More than context_length ids are refused': as many as that are not",
BLOCK_INIT, BLOCK_FORWARD, GPT_INIT, GPT_FORWARD.replace("n > self", "n >= self")),
    fill("model counts real ids", "model", "'More than context_length ids are refused': with a mask the padding counts as well",
BLOCK_INIT, BLOCK_FORWARD, GPT_INIT, r"""n = ids.shape[1] if mask is None else int(mask.sum(-1).max())
if n > self.context_length:
    raise ValueError(f"at most {self.context_length} ids, got {n}")
positions = torch.arange(n) if mask is None else places(mask)
x = self.embedding[ids]
for block in self.blocks:
    x = block(x, positions, mask)
return rms_norm(x, self.norm) @ self.head.mT"""),
    fill("model last norm with 1e-6", "model", "'All norms have eps 1e-5': the last has 1e-6, which shows where the stream is small",
BLOCK_INIT, BLOCK_FORWARD, GPT_INIT, GPT_FORWARD.replace("rms_norm(x, self.norm)", "rms_norm(x, self.norm, 1e-6)")),
    fill("model padding at the left only", "model", "'they are places(mask), and padding, which may be anywhere': padding in the middle moves what comes after it",
BLOCK_INIT, BLOCK_FORWARD, GPT_INIT, r"""n = ids.shape[1]
if n > self.context_length:
    raise ValueError(f"at most {self.context_length} ids, got {n}")
positions = torch.arange(n)
if mask is not None:
    first = mask.long().argmax(-1, keepdim=True)
    positions = (positions - first).clamp(min=0)
x = self.embedding[ids]
for block in self.blocks:
    x = block(x, positions, mask)
return rms_norm(x, self.norm) @ self.head.mT"""),
    fill("model says only the last in evaluation mode", "model", "'gives the same in training and evaluation mode', the logits (B, T, V)",
BLOCK_INIT, BLOCK_FORWARD, GPT_INIT, GPT_FORWARD.replace("return rms", "if not self.training:\n    x = x[:, -1:]\nreturn rms")),
    fill("model keeps its positions", "model", "'keeps nothing of one call for the next': the positions of the first text are taken for a second of another length",
BLOCK_INIT, BLOCK_FORWARD, GPT_INIT + "\nself.positions = None", r"""n = ids.shape[1]
if n > self.context_length:
    raise ValueError(f"at most {self.context_length} ids, got {n}")
if mask is not None:
    self.positions = places(mask)
elif self.positions is None:
    self.positions = torch.arange(n)
x = self.embedding[ids]
for block in self.blocks:
    x = block(x, self.positions, mask)
return rms_norm(x, self.norm) @ self.head.mT"""),
    fill("model block counts for itself", "model", "'block(x, positions, mask) … turns queries and keys by positions': a block called with positions 0, 3, 4 counts 0, 1, 2",
BLOCK_INIT, "positions = torch.arange(x.shape[1]) if mask is None else places(mask)\n" + BLOCK_FORWARD, GPT_INIT, GPT_FORWARD),
    fill("model block adds in place", "model", "'an answer changes neither its arguments': block(x, positions) overwrites an x without gradient",
BLOCK_INIT, BLOCK_FORWARD.replace("x = x + heads.transpose(1, 2).flatten(2) @ self.output.mT",
"""added = heads.transpose(1, 2).flatten(2) @ self.output.mT
if x.requires_grad:
    x = x + added
else:
    x.data.add_(added.data)"""), GPT_INIT, GPT_FORWARD),
    fill("model in float32", "model", "'it returns the dtype that it gets and computes in no smaller one': a model in float64 computes in float32",
BLOCK_INIT, r"""c = x.shape[-1]
d = c // self.n_heads
y = rms_norm(x, self.attention_norm)
y = (y.float() @ self.qkv.float().mT).split([c, self.n_kv_heads * d, self.n_kv_heads * d], -1)
query, key, value = (part.unflatten(-1, (-1, d)).transpose(1, 2) for part in y)
heads = grouped_attention(rotate(query, positions), rotate(key, positions), value, mask)
x = x + heads.transpose(1, 2).flatten(2).to(x.dtype) @ self.output.mT
return x + swiglu(rms_norm(x, self.feed_forward_norm), self.up, self.down)""", GPT_INIT, GPT_FORWARD),
    fill("model seeds its first numbers", "model", "'Making a model may draw from PyTorch's global generator and sets no seed'",
BLOCK_INIT, BLOCK_FORWARD, "torch.manual_seed(len(self._modules))\n" + GPT_INIT, GPT_FORWARD),
]
RIGHT += [
    fill("model with empty parameters in a loop", "model", "parameters registered in a loop over a table of shapes, uninitialized; heads by views and einsum; blocks nested by reduce",
r"""d_head = d_model // n_heads
self.n_heads = n_heads
self.n_kv_heads = n_kv_heads
shapes = {
    "attention_norm": (d_model,),
    "qkv": ((n_heads + 2 * n_kv_heads) * d_head, d_model),
    "output": (d_model, n_heads * d_head),
    "feed_forward_norm": (d_model,),
    "up": (d_ff + d_ff, d_model),
    "down": (d_model, d_ff),
}
for name, shape in shapes.items():
    self.register_parameter(name, nn.Parameter(torch.zeros(*shape)))""",
r"""n_texts, n, c = x.shape
h, g = self.n_heads, self.n_kv_heads
heads = F.linear(rms_norm(x, self.attention_norm), self.qkv).view(n_texts, n, h + 2 * g, c // h)
heads = heads.permute(0, 2, 1, 3)
turned = rotate(heads[:, : h + g], positions)
out = grouped_attention(turned[:, :h], turned[:, h:], heads[:, h + g :], mask)
x = x + torch.einsum("bhtd,chd->btc", out, self.output.unflatten(1, (h, -1)))
return swiglu(rms_norm(x, self.feed_forward_norm), self.up, self.down) + x""",
r"""self.embedding = nn.Parameter(torch.zeros(vocab_size, d_model))
self.blocks = nn.ModuleList()
while len(self.blocks) < n_layers:
    self.blocks.append(Block(d_model, n_heads, n_kv_heads, d_ff))
self.norm = nn.Parameter(torch.zeros(d_model))
self.head = nn.Parameter(torch.zeros(vocab_size, d_model))
self.context_length = context_length""",
r"""from functools import reduce

if not ids.size(1) <= self.context_length:
    raise ValueError("the text is too long: at most %d, got %d" % (self.context_length, ids.size(1)))
where = places(torch.ones_like(ids, dtype=torch.bool) if mask is None else mask)
x = reduce(lambda x, block: block(x, where, mask), self.blocks, F.embedding(ids, self.embedding))
return F.linear(rms_norm(x, self.norm), self.head)"""),
    fill("model always with a mask", "model", "without a mask a mask of True is made; the matrices are cut into parts, and heads are added one by one",
BLOCK_INIT,
r"""c, d = x.shape[2], x.shape[2] // self.n_heads
bounds = [c, c + self.n_kv_heads * d]
y = rms_norm(x, self.attention_norm)
query, key, value = (
    torch.stack((y @ rows.T).split(d, -1), 1) for rows in self.qkv.tensor_split(bounds, 0)
)
query, key = rotate(query, positions), rotate(key, positions)
heads = grouped_attention(query, key, value, mask)
for h in range(self.n_heads):
    x = x + heads[:, h] @ self.output[:, h * d : h * d + d].T
return x + swiglu(rms_norm(x, self.feed_forward_norm), self.up, self.down)""",
GPT_INIT,
r"""if ids.shape[-1] > self.context_length:
    raise ValueError(f"context of {self.context_length}: got {ids.shape[-1]}")
if mask is None:
    mask = torch.full(ids.shape, True)
hidden = F.one_hot(ids, len(self.embedding)).to(self.embedding.dtype) @ self.embedding
where = places(mask)
for i in range(len(self.blocks)):
    hidden = self.blocks[i].forward(hidden, where, mask)
return torch.einsum("btc,vc->btv", rms_norm(hidden, self.norm, 1e-5), self.head)"""),
    fill("model with other positions of the same distances", "model", "text by text where there is a mask: the real ids of each are read alone, and put back",
BLOCK_INIT, BLOCK_FORWARD, GPT_INIT,
r"""if ids.shape[1] > self.context_length:
    raise ValueError(f"too many ids, got {ids.shape[1]}")
if mask is not None:
    rows = []
    for text, real in zip(ids, mask):
        row = torch.zeros(len(text), len(self.head), dtype=self.head.dtype)
        if real.any():
            row = row.index_put((real.nonzero().flatten(),), self(text[real][None])[0])
        rows.append(row)
    return torch.stack(rows)
x = self.embedding[ids]
for block in self.blocks:
    x = block(x, torch.arange(ids.shape[1]))
return rms_norm(x, self.norm) @ self.head.mT"""),
]

# ---------------------------------------------------------------- Task 6: llama
LLAMA = r"""def get(name):
    return weights[f"model.{name}.weight"].detach().clone()

embedding = get("embed_tokens")
found = {"embedding": embedding, "norm": get("norm")}
found["head"] = weights["lm_head.weight"].detach().clone() if "lm_head.weight" in weights else embedding.clone()
layers = [name.split(".")[2] for name in weights if name.endswith("input_layernorm.weight")]
for i in layers:
    theirs, own = f"layers.{i}.", f"blocks.{i}."
    found[own + "attention_norm"] = get(theirs + "input_layernorm")
    found[own + "feed_forward_norm"] = get(theirs + "post_attention_layernorm")
    found[own + "qkv"] = torch.cat([get(f"{theirs}self_attn.{p}_proj") for p in "qkv"])
    found[own + "output"] = get(theirs + "self_attn.o_proj")
    found[own + "up"] = torch.cat([get(theirs + "mlp.gate_proj"), get(theirs + "mlp.up_proj")])
    found[own + "down"] = get(theirs + "mlp.down_proj")
return found"""
WRONG += [
    fill("llama layers numbered as they come", "llama", "'in any order: layer 10 may come before layer 2': the numbers of the blocks are those of the order",
LLAMA.replace("for i in layers:", "for n, i in enumerate(layers):").replace('f"blocks.{i}."', 'f"blocks.{n}."')),
    fill("llama layers sorted as strings", "llama", "'any number of layers': sorted by letters 10 comes before 2, and the blocks get other numbers",
LLAMA.replace("for i in layers:", "for n, i in enumerate(sorted(layers)):").replace('f"blocks.{i}."', 'f"blocks.{n}."')),
    fill("llama one digit", "llama", "'any number of layers': layer 10 is not found by one digit",
LLAMA.replace("layers = [", "import re\n\nlayers = [").replace('if name.endswith("input_layernorm.weight")', r'if re.fullmatch(r"model\.layers\.\d\.input_layernorm\.weight", name)')),
    fill("llama the head is left to the embedding", "llama", "'Without lm_head.weight … head has the numbers of the embedding': no head is given",
LLAMA.replace('found["head"] = weights["lm_head.weight"].detach().clone() if "lm_head.weight" in weights else embedding.clone()',
'if "lm_head.weight" in weights:\n    found["head"] = weights["lm_head.weight"].detach().clone()')),
    fill("llama contiguous for a copy", "llama", "'No tensor of yours shares its memory with one of theirs': contiguous() of a contiguous tensor is itself",
LLAMA.replace(".detach().clone()", ".detach().contiguous()")),
    fill("llama everything in float32", "llama", "'Numbers and dtypes stay': float64 and bfloat16 become float32",
LLAMA.replace(".detach().clone()", ".detach().float().clone()")),
    fill("llama refuses other names", "llama", "'What has another name is left out': rotary_emb.inv_freq raises an error",
r"""for name in weights:
    known = ("layernorm.weight", "proj.weight", "norm.weight", "embed_tokens.weight", "lm_head.weight")
    if not name.endswith(known):
        raise KeyError(f"unknown weight {name}")
""" + LLAMA),
    fill("llama throws other names away", "llama", "'the dictionary stays as it was': what has another name is deleted from the dictionary of the caller",
r"""known = ("layernorm.weight", "proj.weight", "norm.weight", "embed_tokens.weight", "lm_head.weight")
for name in [name for name in weights if not name.endswith(known)]:
    del weights[name]
""" + LLAMA),
    fill("llama by the ends of names", "llama", "'What has another name is left out': any name with such an end is taken, as that of a second model in the file, or an adapter's base_model.model.…",
r"""import re

ends = {
    "embed_tokens": "embedding", "norm": "norm", "lm_head": "head",
    "input_layernorm": "attention_norm", "post_attention_layernorm": "feed_forward_norm",
    "o_proj": "output", "down_proj": "down", "q_proj": "q", "k_proj": "k", "v_proj": "v",
    "gate_proj": "gate", "up_proj": "more",
}
found = {}
for name, w in weights.items():
    parts = name.split(".")
    if parts[-1] == "weight" and parts[-2] in ends:
        number = re.search(r"layers\.(\d+)\.", name)
        front = f"blocks.{number[1]}." if number else ""
        found[front + ends[parts[-2]]] = w.detach().clone()
for q in [name for name in found if name.endswith(".q")]:
    front = q[:-1]
    found[front + "qkv"] = torch.cat([found.pop(front + p) for p in "qkv"])
    found[front + "up"] = torch.cat([found.pop(front + "gate"), found.pop(front + "more")])
found.setdefault("head", found["embedding"].clone())
return found"""),
    write("llama goes on with one dictionary", "llama", "'it keeps nothing of one call for the next': after a model of three layers one of two has three",
r'''
def from_llama(weights: dict[str, Tensor], found={}) -> dict[str, Tensor]:
    """The weights of a Llama of transformers under the names of GPT."""

    def get(name):
        return weights[f"model.{name}.weight"].detach().clone()

    found["embedding"], found["norm"] = get("embed_tokens"), get("norm")
    found["head"] = get("embed_tokens")
    if "lm_head.weight" in weights:
        found["head"] = weights["lm_head.weight"].detach().clone()
    for name in weights:
        if name.endswith("input_layernorm.weight"):
            i = name.split(".")[2]
            theirs, own = f"layers.{i}.", f"blocks.{i}."
            found[own + "attention_norm"] = get(theirs + "input_layernorm")
            found[own + "feed_forward_norm"] = get(theirs + "post_attention_layernorm")
            found[own + "qkv"] = torch.cat([get(f"{theirs}self_attn.{p}_proj") for p in "qkv"])
            found[own + "output"] = get(theirs + "self_attn.o_proj")
            found[own + "up"] = torch.cat([get(theirs + "mlp.gate_proj"), get(theirs + "mlp.up_proj")])
            found[own + "down"] = get(theirs + "mlp.down_proj")
    return found
'''),
]
RIGHT += [
    fill("llama name by name with a pattern", "llama", "each name is matched whole; rows are gathered and put together at the end",
r"""import re
from collections import defaultdict

simple = {"model.embed_tokens": "embedding", "model.norm": "norm", "lm_head": "head"}
slots = {
    "input_layernorm": ("attention_norm", 0), "post_attention_layernorm": ("feed_forward_norm", 0),
    "self_attn.q_proj": ("qkv", 0), "self_attn.k_proj": ("qkv", 1), "self_attn.v_proj": ("qkv", 2),
    "self_attn.o_proj": ("output", 0), "mlp.gate_proj": ("up", 0), "mlp.up_proj": ("up", 1),
    "mlp.down_proj": ("down", 0),
}
gathered = defaultdict(dict)
for name, w in weights.items():
    stem = name.removesuffix(".weight")
    if stem == name:
        continue
    if stem in simple:
        gathered[simple[stem]][0] = w
    elif (m := re.fullmatch(r"model\.layers\.(\d+)\.(.+)", stem)) and m[2] in slots:
        own, place = slots[m[2]]
        gathered[f"blocks.{m[1]}.{own}"][place] = w
gathered.setdefault("head", gathered["embedding"])
return {name: torch.cat([parts[i] for i in sorted(parts)]).clone() for name, parts in gathered.items()}"""),
    fill("llama counting up", "llama", "layers 0, 1, 2, … until one is missing; a copy of everything first",
r"""from copy import deepcopy

rest = {name: w.detach().clone() for name, w in weights.items() if name.endswith(".weight")}
own = {"embedding": rest["model.embed_tokens.weight"], "norm": rest["model.norm.weight"]}
own["head"] = rest.get("lm_head.weight")
if own["head"] is None:
    own["head"] = deepcopy(own["embedding"])
i = 0
while (front := f"model.layers.{i}.") + "input_layernorm.weight" in rest:
    attention, network = front + "self_attn.{}_proj.weight", front + "mlp.{}_proj.weight"
    own |= {
        f"blocks.{i}.attention_norm": rest[front + "input_layernorm.weight"],
        f"blocks.{i}.qkv": torch.vstack([rest[attention.format(p)] for p in ("q", "k", "v")]),
        f"blocks.{i}.output": rest[attention.format("o")],
        f"blocks.{i}.feed_forward_norm": rest[front + "post_attention_layernorm.weight"],
        f"blocks.{i}.up": torch.vstack([rest[network.format(p)] for p in ("gate", "up")]),
        f"blocks.{i}.down": rest[network.format("down")],
    }
    i += 1
return own"""),
    fill("llama filled into empty tensors", "llama", "own tensors are made empty, and rows copied into them",
r"""def copy(*parts):
    new = parts[0].new_empty((sum(len(p) for p in parts), *parts[0].shape[1:]))
    start = 0
    for p in parts:
        new[start : start + len(p)].copy_(p.detach())
        start += len(p)
    return new

table = weights["model.embed_tokens.weight"]
yours = dict(embedding=copy(table), head=copy(weights.get("lm_head.weight", table)))
yours["norm"] = copy(weights["model.norm.weight"])
numbers = {int(n.split(".")[2]) for n in weights if n.startswith("model.layers.")}
for i in sorted(numbers):
    layer = lambda *names: copy(*(weights[f"model.layers.{i}.{n}.weight"] for n in names))
    yours[f"blocks.{i}.attention_norm"] = layer("input_layernorm")
    yours[f"blocks.{i}.feed_forward_norm"] = layer("post_attention_layernorm")
    yours[f"blocks.{i}.qkv"] = layer("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    yours[f"blocks.{i}.output"] = layer("self_attn.o_proj")
    yours[f"blocks.{i}.up"] = layer("mlp.gate_proj", "mlp.up_proj")
    yours[f"blocks.{i}.down"] = layer("mlp.down_proj")
return yours"""),
]

# ---------------------------------------------------------------- Task 7: costs
COUNT = r"""d_head = d_model // n_heads
block = (d_model + 2 * n_kv_heads * d_head) * d_model + d_model**2 + 3 * d_ff * d_model + 2 * d_model
tables = vocab_size * d_model * (1 if tied else 2)
return tables + n_layers * block + d_model"""
FLOPS = r"""d_head = d_model // n_heads
block = d_model * (2 * d_model + 2 * n_kv_heads * d_head + 3 * d_ff)
return 2 * n * (n_layers * block + vocab_size * d_model) + n_layers * 4 * n**2 * d_model"""
WRONG += [
    fill("costs width of a head from a float", "costs", "'exact at any size': int(C / H) is wrong beyond 2^53",
COUNT.replace("d_model // n_heads", "int(d_model / n_heads)"), FLOPS),
    fill("costs group share from a float", "costs", "'exact at any size': 2 C G / H as a float has 16 digits",
COUNT, r"""keys = int(2 * d_model * n_kv_heads / n_heads)
block = d_model * (2 * d_model + keys + 3 * d_ff)
return 2 * n * (n_layers * block + vocab_size * d_model) + n_layers * 4 * n**2 * d_model"""),
    fill("costs operations in int64", "costs", "'exact at any size': int64 wraps round at 2^63",
COUNT, r"""c = torch.tensor(d_model)
block = c * (2 * c + 2 * n_kv_heads * (c // n_heads) + 3 * d_ff)
pairs = 4 * n * n * c * n_layers
return int(2 * n * (n_layers * block + vocab_size * c) + pairs)"""),
    fill("costs operations in billions", "costs", "'exact at any size': the square goes through a float and loses digits",
COUNT, r"""c, keys = d_model, n_kv_heads * (d_model // n_heads)
work = 2 * n * (n_layers * c * (2 * c + 2 * keys + 3 * d_ff) + vocab_size * c)
return work + round(4 * math.pow(n, 2) * c * n_layers)"""),
    write("costs remembers a model of the same size", "costs", "'it keeps nothing of one call for the next': of two models that differ in their heads alone the second gets the number of the first",
r'''
_counted = {}


def count_parameters(
    vocab_size: int,
    d_model: int,
    n_heads: int,
    n_kv_heads: int,
    n_layers: int,
    d_ff: int,
    tied: bool = False,
) -> int:
    """How many numbers the model holds."""
    size = (vocab_size, d_model, n_layers, d_ff, tied)
    if size not in _counted:
        keys = n_kv_heads * (d_model // n_heads)
        block = d_model * (2 * d_model + 2 * keys + 3 * d_ff + 2)
        _counted[size] = vocab_size * d_model * (1 if tied else 2) + n_layers * block + d_model
    return _counted[size]


def forward_flops(
    n: int,
    vocab_size: int,
    d_model: int,
    n_heads: int,
    n_kv_heads: int,
    n_layers: int,
    d_ff: int,
) -> int:
    """The operations of the matrix products that read n ids."""
    keys = n_kv_heads * (d_model // n_heads)
    block = 2 * n * d_model * (2 * d_model + 2 * keys + 3 * d_ff) + 4 * n * n * d_model
    return n_layers * block + 2 * n * vocab_size * d_model
'''),
    fill("costs one group is none", "costs", "G = 1 is multi-query attention, with 2 · 1 · D rows: here 1 is taken for 'no groups'",
COUNT.replace("d_head = d_model // n_heads", "d_head = d_model // n_heads\nif n_kv_heads <= 1:  # no groups\n    n_kv_heads = n_heads"),
FLOPS.replace("d_head = d_model // n_heads", "d_head = d_model // n_heads\nif n_kv_heads <= 1:  # no groups\n    n_kv_heads = n_heads")),
    fill("costs one group shares keys with values", "costs", "the qkv of one group has a key and a value head, C + 2·G·D rows: here they are one",
COUNT.replace("2 * n_kv_heads * d_head", "(2 * n_kv_heads - (n_kv_heads == 1 < n_heads)) * d_head"), FLOPS),
    fill("costs a large head for the last id alone", "costs", "'2 for each weight of a matrix and each id, the head's included': beyond 10,000 tokens the head is counted for the last id alone",
COUNT, r"""d_head = d_model // n_heads
block = d_model * (2 * d_model + 2 * n_kv_heads * d_head + 3 * d_ff)
head = vocab_size * d_model * (n if vocab_size < 10_000 else 1)
return 2 * n * n_layers * block + 2 * head + n_layers * 4 * n**2 * d_model"""),
]
RIGHT += [
    fill("costs from a table of shapes", "costs", "the shapes of all matrices in a list, multiplied with math.prod",
r"""c, keys = d_model, n_kv_heads * (d_model // n_heads)
block = [(c + 2 * keys, c), (c, c), (2 * d_ff, c), (c, d_ff), (c,), (c,)]
shapes = block * n_layers if n_layers < 100 else []
numbers = sum(map(math.prod, shapes)) or n_layers * sum(map(math.prod, block))
return numbers + math.prod((c, vocab_size, 2 - bool(tied))) + c""",
r"""c, d = d_model, d_model // n_heads
products = [(n, c, (n_heads + 2 * n_kv_heads) * d), (n, c, c), (n, c, 2 * d_ff), (n, d_ff, c)]
products += [(n_heads * n, d, n), (n_heads * n, n, d)]
return 2 * (n_layers * sum(math.prod(p) for p in products) + math.prod((n, c, vocab_size)))"""),
    fill("costs one from the other", "costs", "the operations from the number of parameters, without the norms and one table",
COUNT, r"""weights = count_parameters(vocab_size, d_model, n_heads, n_kv_heads, n_layers, d_ff, True)
matrices = weights - (2 * n_layers + 1) * d_model
return 2 * n * (matrices + 2 * n * n_layers * d_model)"""),
    fill("costs by fractions", "costs", "C / H as a fraction, which is whole at the end",
r"""from fractions import Fraction

share = Fraction(n_kv_heads, n_heads)
total = n_layers * d_model * (2 * d_model * (1 + share) + 3 * d_ff + 2)
total += d_model + vocab_size * d_model * (2 - (1 if tied else 0))
return int(total)""",
r"""d = divmod(d_model, n_heads)[0]
total = 0
total += vocab_size * d_model * n << 1
total += n_layers * (n_heads + n_kv_heads) * d * d_model * n << 2
total += n_layers * 6 * d_ff * d_model * n
total += n_layers * d_model * n * n << 2
return total"""),
]

# ---------------------------------------------------------------- Task 8: start
INITIALIZE = r"""n_layers = len(model.blocks)
with torch.no_grad():
    for name, p in model.named_parameters():
        if name.endswith("norm"):
            p.fill_(1.0)
        elif name.endswith(("output", "down")):
            p.normal_(0.0, 0.02 / math.sqrt(2 * n_layers))
        else:
            p.normal_(0.0, 0.02)"""
AUDIT = r"""wrong = []
for name, p in parameters.items():
    if name.endswith("norm"):
        fine = bool(((p - 1).abs() <= 0.001).all())
    else:
        std = 0.02 / math.sqrt(2 * n_layers) if name.endswith(("output", "down")) else 0.02
        fine = 2 / 3 * std <= float(p.square().mean().sqrt()) <= 3 / 2 * std
    if not fine:
        wrong.append(name)
return wrong"""
WRONG += [
    fill("start cut at two standard deviations", "start", "'normal': nothing lies beyond two standard deviations, where of normal numbers 4.6% do",
r"""n_layers = len(model.blocks)
for name, p in model.named_parameters():
    if name.endswith("norm"):
        nn.init.ones_(p)
    else:
        std = 0.02 / math.sqrt(2 * n_layers) if name.endswith(("output", "down")) else 0.02
        nn.init.trunc_normal_(p, std=std, a=-2 * std, b=2 * std)""", AUDIT),
    fill("start frozen parameters stay", "start", "'gives all parameters of your GPT such numbers': those with requires_grad False get none",
INITIALIZE.replace('    if name.endswith("norm"):', '    if not p.requires_grad:\n            continue\n        if name.endswith("norm"):'), AUDIT),
    fill("start a generator of its own", "start", "'It draws from PyTorch's global generator': after torch.manual_seed two models differ, and the generator has not moved",
r"""generator = torch.Generator()
generator.seed()
n_layers = len(model.blocks)
with torch.no_grad():
    for name, p in model.named_parameters():
        if name.endswith("norm"):
            p.fill_(1.0)
        elif name.endswith(("output", "down")):
            p.normal_(0.0, 0.02 / math.sqrt(2 * n_layers), generator=generator)
        else:
            p.normal_(0.0, 0.02, generator=generator)""", AUDIT),
    fill("start standard deviation instead of the root of squares", "start", "'the root of the mean of its squares': a matrix whose numbers are all 0.02 is right, and one that is shifted by 1 is wrong",
INITIALIZE, AUDIT.replace("p.square().mean().sqrt()", "p.std()")),
    fill("start a norm by its mean", "start", "'a norm if a number differs from 1 by more than 0.001': 0.5 and 1.5 are wrong, their mean is 1",
INITIALIZE, AUDIT.replace("bool(((p - 1).abs() <= 0.001).all())", "abs(float(p.mean()) - 1) <= 0.001")),
    fill("start a NaN in a norm", "start", "'Whatever has a NaN or an ∞ is wrong, too': the comparison with NaN is False, and so a norm with one passes",
INITIALIZE, AUDIT.replace("fine = bool(((p - 1).abs() <= 0.001).all())", "fine = not bool(((p - 1).abs() > 0.001).any())")),
    fill("start norms first", "start", "'in the order of the dictionary': norms come first",
INITIALIZE, r"""def bad(name, p):
    if name.endswith("norm"):
        return not bool(((p - 1).abs() <= 0.001).all())
    std = 0.02 / math.sqrt(2 * n_layers) if name.endswith(("output", "down")) else 0.02
    return not 2 / 3 * std <= float(p.square().mean().sqrt()) <= 3 / 2 * std

norms = [name for name in parameters if name.endswith("norm")]
matrices = [name for name in parameters if not name.endswith("norm")]
return [name for name in norms + matrices if bad(name, parameters[name])]"""),
    fill("start blocks counted in the dictionary", "start", "'The dictionary may hold a part of a model only': n_layers is replaced by the number of blocks that are there",
INITIALIZE, r"""blocks = {name.split(".")[1] for name in parameters if name.startswith("blocks.")}
n_layers = len(blocks) or n_layers
""" + AUDIT),
    fill("start deletes what is right", "start", "'changes neither its arguments': the names that are right are taken out of the dictionary of the caller",
INITIALIZE, r"""for name, p in list(parameters.items()):
    if name.endswith("norm"):
        fine = bool(((p - 1).abs() <= 0.001).all())
    else:
        std = 0.02 / math.sqrt(2 * n_layers) if name.endswith(("output", "down")) else 0.02
        fine = 2 / 3 * std <= float(p.square().mean().sqrt()) <= 3 / 2 * std
    if fine:
        parameters.pop(name)
return list(parameters)"""),
    fill("start the half on either side", "start", "'less than ⅔ … of the standard deviation it should have': 0.6 times passes, as the lower bound is ½",
INITIALIZE, AUDIT.replace("2 / 3 * std <=", "std / 2 <=")),
    fill("start an infinite norm twice", "start", "'the list of the names of those that are wrong': a norm with ∞ stands in it twice",
INITIALIZE, r"""wrong = []
for name, p in parameters.items():
    if not torch.isfinite(p).all():
        wrong.append(name)
    if name.endswith("norm"):
        if ((p - 1).abs() > 0.001).any():
            wrong.append(name)
    else:
        std = 0.02 / math.sqrt(2 * n_layers) if name.endswith(("output", "down")) else 0.02
        size = float(p.square().mean().sqrt())
        if size < 2 / 3 * std or size > 3 / 2 * std:
            wrong.append(name)
return wrong"""),
]
RIGHT += [
    fill("start by module and by table", "start", "each module by name, with nn.init; bounds by the logarithm of the quotient",
r"""depth = len(model.blocks)
for p in [model.norm, *(b.attention_norm for b in model.blocks), *(b.feed_forward_norm for b in model.blocks)]:
    nn.init.constant_(p, 1.0)
for p in (model.embedding, model.head):
    nn.init.normal_(p, std=0.02)
for block in model.blocks:
    nn.init.normal_(block.qkv, std=0.02)
    nn.init.normal_(block.up, std=0.02)
    for p in (block.output, block.down):
        nn.init.normal_(p, std=0.02 * (2 * depth) ** -0.5)""",
r"""def fine(name, p):
    if not p.isfinite().all():
        return False
    last = name.rpartition(".")[2]
    p = p.detach().double()
    if last in {"norm", "attention_norm", "feed_forward_norm"}:
        return float((p - 1).abs().max()) <= 0.001
    want = 0.02 * (2 * n_layers) ** -0.5 if last in {"output", "down"} else 0.02
    size = float(torch.linalg.vector_norm(p)) / math.sqrt(p.numel())
    return size > 0 and abs(math.log(size / want)) <= math.log(1.5)

return [name for name, p in parameters.items() if not fine(name, p)]"""),
    fill("start through data with randn", "start", "randn copied into .data; the squares compared, and not their roots",
r"""blocks = max(1, len(list(model.blocks)))
for name, p in model.named_parameters():
    kind = name.split(".")[-1]
    if "norm" in kind:
        p.data.copy_(torch.ones(p.shape))
    else:
        scale = {"output": (2 * blocks) ** 0.5, "down": (2 * blocks) ** 0.5}.get(kind, 1)
        p.data.copy_(torch.randn(p.shape, dtype=p.dtype) * (0.02 / scale))""",
r"""found = []
for name in parameters:
    p = parameters[name].to(torch.float64)
    if name.split(".")[-1].endswith("norm"):
        low, high, number = 0.0, 0.001, (p - 1).abs().max()
    else:
        variance = 0.0004 / (2 * n_layers) if name.endswith(("output", "down")) else 0.0004
        low, high, number = variance * 4 / 9, variance * 9 / 4, p.pow(2).mean()
    found += [name] * (not low <= number.item() <= high)
return found"""),
    fill("start one long draw", "start", "all numbers are drawn at once and cut into pieces; the audit by a set and a filter",
r"""with torch.no_grad():
    matrices = [(name, p) for name, p in model.named_parameters() if p.dim() == 2]
    numbers = model.head.new_empty(sum(p.numel() for _, p in matrices)).normal_(std=0.02)
    for (name, p), own in zip(matrices, numbers.split([p.numel() for _, p in matrices])):
        writes = name.endswith("output") or name.endswith("down")
        p.copy_(own.view_as(p) / (math.sqrt(2 * len(model.blocks)) if writes else 1))
    for p in model.parameters():
        if p.dim() == 1:
            p.zero_().add_(1)""",
r"""right = set()
for name, p in parameters.items():
    values = p.detach().double().flatten()
    if name.endswith("norm"):
        if all(abs(v - 1) <= 0.001 for v in values.tolist()):
            right.add(name)
        continue
    root = math.sqrt(2 * n_layers) if name.endswith(("output", "down")) else 1.0
    size = float(values @ values / len(values)) ** 0.5 * root / 0.02
    if 2 / 3 <= size <= 3 / 2:
        right.add(name)
return list(filter(lambda name: name not in right, parameters))"""),
]

# ---------------------------------------------------------------- Task 9: remember
READ = r"""start = 0 if cache is None else cache[0][0].shape[2]
n = ids.shape[1]
if start + n > model.context_length:
    raise ValueError(f"at most {model.context_length} ids, got {start + n}")
positions = torch.arange(start, start + n)
x, kept = model.embedding[ids], []
for i, block in enumerate(model.blocks):
    c = x.shape[-1]
    d = c // block.n_heads
    keys = block.n_kv_heads * d
    parts = (rms_norm(x, block.attention_norm) @ block.qkv.mT).split([c, keys, keys], -1)
    q, k, v = (part.unflatten(-1, (-1, d)).transpose(1, 2) for part in parts)
    q, k = rotate(q, positions), rotate(k, positions)
    if cache is not None:
        k, v = torch.cat([cache[i][0], k], dim=2), torch.cat([cache[i][1], v], dim=2)
    kept.append((k, v))
    x = x + grouped_attention(q, k, v).transpose(1, 2).flatten(2) @ block.output.mT
    x = x + swiglu(rms_norm(x, block.feed_forward_norm), block.up, block.down)
return rms_norm(x, model.norm) @ model.head.mT, kept"""
WRONG += [
    fill("remember a full context is refused", "remember", "'If the cache and ids together are more than model.context_length': exactly as many are not",
READ.replace("start + n > model", "start + n >= model")),
    fill("remember the first piece is not counted", "remember", "'the cache and ids together are more than model.context_length': without a cache nothing is refused",
READ.replace("if start + n > model", "if cache and start + n > model")),
    fill("remember in half precision", "remember", "'the logits side by side are those of model(ids)', 'computes in no smaller one': the cache is kept in float16",
READ.replace("kept.append((k, v))", "kept.append((k.half(), v.half()))").replace("cache[i][0], k]", "cache[i][0].to(k.dtype), k]").replace("cache[i][1], v]", "cache[i][1].to(v.dtype), v]")),
    fill("remember evaluation mode stays", "remember", "'changes neither its arguments': a model in training mode comes back in evaluation mode",
"model.eval()\n" + READ),
    fill("remember a tuple", "remember", "'a list with one pair (keys, values) for each block': the new cache is a tuple",
READ.replace("model.head.mT, kept", "model.head.mT, tuple(kept)")),
    write("remember one buffer for all ways", "remember", "'so that one text can be gone on with in two ways; nothing else is kept': both ways are written to the same places of one buffer, so that a third step on the first way reads the second's keys",
r'''
class Kept(list):
    """Views of buffers as long as the context, so that nothing is copied."""

    buffers = None


def read(
    model: nn.Module, ids: Tensor, cache: list[tuple[Tensor, Tensor]] | None = None
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """The logits of ids that come after the cache, and the new cache."""
    start = 0 if cache is None else cache[0][0].shape[2]
    end = start + ids.shape[1]
    if end > model.context_length:
        raise ValueError(f"at most {model.context_length} ids, got {end}")
    positions = torch.arange(start, end)
    x, kept = model.embedding[ids], Kept()
    kept.buffers = [] if cache is None else cache.buffers
    for i, block in enumerate(model.blocks):
        c = x.shape[-1]
        d = c // block.n_heads
        keys = block.n_kv_heads * d
        parts = (rms_norm(x, block.attention_norm) @ block.qkv.mT).split([c, keys, keys], -1)
        q, k, v = (part.unflatten(-1, (-1, d)).transpose(1, 2) for part in parts)
        q, k = rotate(q, positions), rotate(k, positions)
        if cache is None:
            shape = (len(ids), block.n_kv_heads, model.context_length, d)
            kept.buffers.append((k.new_zeros(shape), v.new_zeros(shape)))
        for buffer, new in zip(kept.buffers[i], (k, v)):
            buffer[:, :, start:end] = new.detach()
        k, v = (buffer[:, :, :end] for buffer in kept.buffers[i])
        kept.append((k, v))
        heads = grouped_attention(q, k.clone(), v.clone())
        x = x + heads.transpose(1, 2).flatten(2) @ block.output.mT
        x = x + swiglu(rms_norm(x, block.feed_forward_norm), block.up, block.down)
    return rms_norm(x, model.norm) @ model.head.mT, kept
'''),
    fill("remember only float32", "remember", "'it returns the dtype that it gets and computes in no smaller one': a model in float64 is read in float32, with logits in float32 made float64",
READ.replace("x, kept = model.embedding[ids], []", "x, kept = model.embedding[ids], []\ndtype = x.dtype").replace("q, k = rotate(q, positions), rotate(k, positions)", "q, k = rotate(q.float(), positions).to(dtype), rotate(k.float(), positions).to(dtype)")),
    fill("remember places become a buffer", "remember", "'changes neither its arguments', 'nothing else is kept': the model gets a buffer, and its state_dict another name, with which a new GPT refuses it",
READ.replace("positions = torch.arange(start, start + n)", 'if not hasattr(model, "all_places"):\n    model.register_buffer("all_places", torch.arange(model.context_length))\npositions = model.all_places[start : start + n]')),
]
RIGHT += [
    fill("remember with heads split from the rows", "remember", "the matrices are split instead of their products; the old and new keys are put into an empty tensor",
r"""past = cache[0][0].size(2) if cache else 0
total = past + ids.size(1)
if total > model.context_length:
    raise ValueError("the context is full: got %d" % total)
where = torch.arange(total)[past:]
hidden = F.embedding(ids, model.embedding)
new_cache = []
for number, block in enumerate(model.blocks):
    d = hidden.size(-1) // block.n_heads
    normed = rms_norm(hidden, block.attention_norm)
    heads = torch.einsum("btc,hdc->bhtd", normed, block.qkv.unflatten(0, (-1, d)))
    query, key, value = heads.split([block.n_heads, block.n_kv_heads, block.n_kv_heads], dim=1)
    pair = []
    for j, new in enumerate((rotate(key, where), value)):
        whole = new.new_empty(new.size(0), new.size(1), total, d)
        whole[:, :, past:] = new
        if past:
            whole[:, :, :past] = cache[number][j]
        pair.append(whole)
    new_cache.append(tuple(pair))
    seen = grouped_attention(rotate(query, where), *pair)
    hidden = hidden + torch.einsum("bhtd,chd->btc", seen, block.output.unflatten(1, (-1, d)))
    hidden = hidden + swiglu(rms_norm(hidden, block.feed_forward_norm), block.up, block.down)
return F.linear(rms_norm(hidden, model.norm), model.head), new_cache"""),
    fill("remember one id after the other", "remember", "a piece is read id by id, each by the same function",
r"""n = ids.shape[1]
before = cache[0][0].shape[2] if cache is not None else 0
if before + n > model.context_length:
    raise ValueError(f"too long, got {before + n}")
if n > 1:
    logits = []
    for one in ids.split(1, dim=1):
        out, cache = read(model, one, cache)
        logits.append(out)
    return torch.cat(logits, dim=1), cache
x = model.embedding[ids]
after = []
for i in range(len(model.blocks)):
    block, c = model.blocks[i], x.shape[-1]
    d = c // block.n_heads
    y = (rms_norm(x, block.attention_norm) @ block.qkv.mT).view(len(ids), 1, -1, d).transpose(1, 2)
    h, g = block.n_heads, block.n_kv_heads
    y = torch.cat([rotate(y[:, : h + g], torch.tensor([before])), y[:, h + g :]], dim=1)
    old = [] if cache is None else [torch.stack(cache[i])]
    both = torch.cat([*old, torch.stack([y[:, h : h + g], y[:, h + g :]])], dim=3)
    after.append((both[0], both[1]))
    x = x + grouped_attention(y[:, :h], both[0], both[1]).transpose(1, 2).flatten(2) @ block.output.mT
    x = x + swiglu(rms_norm(x, block.feed_forward_norm), block.up, block.down)
return rms_norm(x, model.norm) @ model.head.mT, after"""),
    fill("remember with helpers and a mask of ones", "remember", "an inner function for the block, positions (B, T), a mask of ones, and zip with empty caches",
r"""b, n = ids.shape
old = [None] * len(model.blocks) if cache is None else cache
s = 0 if cache is None or not old else old[0][0].shape[-2]
if s + n > model.context_length:
    raise ValueError(f"the model has room for {model.context_length} ids but got {s + n}")
where = (s + torch.arange(n)).repeat(b, 1)
real = torch.ones(b, s + n, dtype=torch.bool)

def attend(block, x, before):
    size = x.shape[-1] // block.n_heads
    widths = [block.n_heads * size, block.n_kv_heads * size, block.n_kv_heads * size]
    q, k, v = (p.reshape(b, n, -1, size).swapaxes(1, 2) for p in (x @ block.qkv.T).split(widths, 2))
    fresh = rotate(k, where), v
    pair = fresh if before is None else tuple(torch.cat(p, 2) for p in zip(before, fresh))
    heads = grouped_attention(rotate(q, where), *pair, real)
    return heads.swapaxes(1, 2).reshape(b, n, -1) @ block.output.T, pair

x = model.embedding[ids]
pairs = []
for block, before in zip(model.blocks, old):
    added, pair = attend(block, rms_norm(x, block.attention_norm), before)
    pairs.append(pair)
    x = x + added
    x = x + swiglu(rms_norm(x, block.feed_forward_norm), block.up, block.down)
return rms_norm(x, model.norm) @ model.head.T, pairs"""),
]

# ---------------------------------------------------------------- Task 10: surgery
SILENCE = r"""d = output.shape[1] // n_heads
silent = output.clone()
silent[:, head * d : (head + 1) * d] = 0
return silent"""
CUT = r"""d, size = output.shape[1] // n_heads, n_heads // n_kv_heads
parts = qkv.split([n_heads * d, n_kv_heads * d, n_kv_heads * d])
sizes = (size * d, d, d)
rows = [torch.cat([p[: group * n], p[(group + 1) * n :]]) for p, n in zip(parts, sizes)]
n = size * d
return torch.cat(rows), torch.cat([output[:, : group * n], output[:, (group + 1) * n :]], dim=1)"""
WRONG += [
    fill("surgery copied into float32", "surgery", "'it returns the dtype that it gets': the new matrix is float32 whatever comes",
r"""d = output.shape[1] // n_heads
silent = torch.zeros(output.shape)
silent[:, : head * d] = output[:, : head * d]
silent[:, (head + 1) * d :] = output[:, (head + 1) * d :]
return silent""", CUT),
    fill("surgery cut copied into float32", "surgery", "'it returns the dtype that it gets', 'computes in no smaller one': the smaller matrices are float32",
SILENCE, r"""d, size = output.shape[1] // n_heads, n_heads // n_kv_heads
heads = [h for h in range(n_heads) if h // size != group]
columns = torch.zeros(len(output), len(heads) * d)
for new, old in enumerate(heads):
    columns[:, new * d : new * d + d] = output[:, old * d : old * d + d]
keys = [n_heads + g for g in range(n_kv_heads) if g != group]
rows = torch.zeros((len(heads) + 2 * len(keys)) * d, qkv.shape[1])
for new, old in enumerate([*heads, *keys, *[k + n_kv_heads for k in keys]]):
    rows[new * d : new * d + d] = qkv[old * d : old * d + d]
return rows, columns"""),
    fill("surgery the only head in place", "surgery", "'Arguments stay as they were': where there is one head the matrix itself is set to 0",
"if n_heads == 1:  # nothing is left\n    return output.detach().zero_()\n" + SILENCE, CUT),
    fill("surgery by columns of zeros", "surgery", "'what is left does what it did', H − H/G heads: a head that was silenced before (or a column that is 0) goes as well",
SILENCE, r"""d, size = output.shape[1] // n_heads, n_heads // n_kv_heads
for head in range(group * size, (group + 1) * size):
    output = silence(output, head, n_heads)
columns = output.ne(0).any(dim=0)
left = torch.arange(n_kv_heads * d) // d != group
return qkv[torch.cat([columns, left, left])], output[:, columns]"""),
    fill("surgery by way of NumPy", "surgery", "`output` of a model is a parameter: numpy() refuses what requires a gradient, and bfloat16",
SILENCE, r"""import numpy as np

d, size = output.shape[1] // n_heads, n_heads // n_kv_heads
heads = np.arange(group * size * d, (group + 1) * size * d)
key = np.arange(d) + (n_heads + group) * d
gone = np.concatenate([heads, key, key + n_kv_heads * d])
return (
    torch.from_numpy(np.delete(qkv.numpy(), gone, axis=0)),
    torch.from_numpy(np.delete(output.numpy(), heads, axis=1)),
)"""),
    write("surgery keeps its columns", "surgery", "'it keeps nothing of one call for the next': the columns of a head are those of the first matrix that had as many heads, of whatever width",
r'''
_columns = {}


def silence(output: Tensor, head: int, n_heads: int) -> Tensor:
    """The output matrix with which a head adds nothing."""
    if (head, n_heads) not in _columns:
        d = output.shape[1] // n_heads
        _columns[head, n_heads] = slice(head * d, (head + 1) * d)
    silent = output.clone()
    silent[:, _columns[head, n_heads]] = 0
    return silent


def cut(
    qkv: Tensor, output: Tensor, group: int, n_heads: int, n_kv_heads: int
) -> tuple[Tensor, Tensor]:
    """The matrices of a layer without one head of keys and values and those that read it."""
    d, size = output.shape[1] // n_heads, n_heads // n_kv_heads
    stay = torch.tensor([h // size != group for h in range(n_heads)]).repeat_interleave(d)
    left = torch.tensor([g != group for g in range(n_kv_heads)]).repeat_interleave(d)
    return qkv[torch.cat([stay, left, left])], output[:, stay]
'''),
    fill("surgery nearly silent", "surgery", "'with which head adds nothing to the stream, whatever it attends to': the columns keep a ten-millionth of what they had",
r"""d = output.shape[1] // n_heads
factor = torch.ones(output.shape[1], dtype=output.dtype)
factor[head * d : (head + 1) * d] = 1e-7  # a column of zeros could not be normalized
return output * factor""", CUT),
]
RIGHT += [
    fill("surgery by chunks and deletion", "surgery", "lists of chunks from which parts are deleted",
r"""columns = list(output.chunk(n_heads, dim=1))
columns[head] = torch.zeros_like(columns[head])
return torch.cat(columns, dim=1)""",
r"""d = qkv.shape[0] // (n_heads + 2 * n_kv_heads)
rows, columns = list(qkv.split(d)), list(output.split(d, dim=1))
size = n_heads // n_kv_heads
del rows[n_heads + n_kv_heads + group]
del rows[n_heads + group]
del rows[group * size : (group + 1) * size]
del columns[group * size : (group + 1) * size]
return torch.cat(rows), torch.cat(columns, dim=1)"""),
    fill("surgery by index_select", "surgery", "index_fill and index_select with ranges of Python",
r"""d = output.size(1) // n_heads
return output.index_fill(1, torch.arange(head * d, head * d + d), 0.0)""",
r"""d, size = output.size(1) // n_heads, n_heads // n_kv_heads
first, last = group * size * d, (group + 1) * size * d
keep = [*range(first), *range(last, n_heads * d)]
keys = [n for n in range(n_heads * d, (n_heads + n_kv_heads) * d) if n // d - n_heads != group]
values = [n + n_kv_heads * d for n in keys]
return qkv.index_select(0, torch.tensor(keep + keys + values)), output.index_select(1, torch.tensor(keep))"""),
    fill("surgery with an axis for the groups", "surgery", "where() with an axis for the heads; the groups get an axis that is cut",
r"""heads = output.unflatten(1, (n_heads, -1))
here = torch.arange(n_heads).eq(head).view(1, -1, 1)
return torch.where(here, torch.zeros_like(heads), heads).flatten(1)""",
r"""d = output.shape[1] // n_heads

def without(matrix, dim):
    groups = matrix.movedim(dim, 0).unflatten(0, (n_kv_heads, -1))
    left = torch.cat([groups[:group], groups[group + 1 :]]).flatten(0, 1)
    return left.movedim(0, dim).contiguous()

queries, keys, values = qkv.tensor_split([n_heads * d, (n_heads + n_kv_heads) * d])
return torch.vstack([without(queries, 0), without(keys, 0), without(values, 0)]), without(output, 1)"""),
]

# ---------------------------------------------------------------- Task 11: speak
TEXT = r"""lines = [
    "Wash the rice until the water is clear, then let it rest.",
    "Cut the onion small and fry it in oil until it is brown.",
    "Add the rice, stir for two minutes, and pour in the broth.",
    "Put the lid on, turn the flame down, and do not look.",
    "After eighteen minutes the water is gone and the rice is done.",
    "Let it stand for five minutes more, with a cloth under the lid.",
]
return chr(10).join(lines + lines[::-1])"""
TRAIN = r"""letters = "".join(sorted(set(text)))
ids = torch.tensor([letters.index(letter) for letter in text])
model = GPT(len(letters), 32, 32, 4, 2, 2, 64)
initialize(model)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
for _ in range(200):
    starts = torch.randint(len(ids) - 32, (16,))
    rows = torch.stack([ids[s : s + 33] for s in starts.tolist()])
    loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
return model, letters"""
WRITE = r"""ids = [letters.index(letter) for letter in prompt]
for _ in range(n_new):
    logits = model(torch.tensor([ids[-model.context_length :]]))[0, -1]
    if temperature == 0:
        ids.append(int(logits.argmax()))
    else:
        ids.append(int(torch.multinomial((logits / temperature).softmax(-1), 1)))
return "".join(letters[i] for i in ids)"""
WRONG += [
    fill("speak multiplied by the temperature", "speak", "'the last logits divided by the temperature': they are multiplied by it",
TEXT, TRAIN, WRITE.replace("logits / temperature", "logits * temperature")),
    fill("speak zero is a very small temperature", "speak", "'with temperature 0 the likeliest letter is taken': it is drawn, and a letter that is less likely by little can come",
TEXT, TRAIN, r"""ids = [letters.index(letter) for letter in prompt]
for _ in range(n_new):
    logits = model(torch.tensor([ids[-model.context_length :]]))[0, -1]
    ids.append(int(torch.multinomial((logits / max(temperature, 1e-3)).softmax(-1), 1)))
return "".join(letters[i] for i in ids)"""),
    fill("speak exp of the logits", "speak", "'drawn from the softmax': exp of 100 / 0.5 is ∞, and multinomial refuses it",
TEXT, TRAIN, WRITE.replace("(logits / temperature).softmax(-1)", "(logits / temperature).exp()")),
    fill("speak one of the three likeliest", "speak", "'one is drawn from the softmax': all letters but three can never come",
TEXT, TRAIN, WRITE.replace("ids.append(int(torch.multinomial((logits / temperature).softmax(-1), 1)))",
"top = logits.topk(min(3, len(letters)))\n        ids.append(int(top.indices[torch.multinomial((top.values / temperature).softmax(-1), 1)]))")),
    fill("speak forgets the beginning of the prompt", "speak", "'returns the prompt and n_new more letters': of a prompt longer than the context only the end comes back",
TEXT, TRAIN, r"""ids = [letters.index(letter) for letter in prompt[-model.context_length :]]
for _ in range(n_new):
    logits = model(torch.tensor([ids[-model.context_length :]]))[0, -1]
    if temperature == 0:
        ids.append(int(logits.argmax()))
    else:
        ids.append(int(torch.multinomial((logits / temperature).softmax(-1), 1)))
return "".join(letters[i] for i in ids)"""),
    fill("speak draws with random", "speak", "'It draws from PyTorch's global generator', 'changes neither … the global random generators of Python': random.choices draws from Python's",
TEXT, TRAIN, "import random\n\n" + WRITE.replace("ids.append(int(torch.multinomial((logits / temperature).softmax(-1), 1)))",
"odds = (logits / temperature).softmax(-1).tolist()\n        ids.append(random.choices(range(len(odds)), odds)[0])")),
    fill("speak seeded by the prompt", "speak", "'It draws from PyTorch's global generator, sets no seed': a generator of its own with a seed, so that a prompt has one continuation",
TEXT, TRAIN, "generator = torch.Generator().manual_seed(len(prompt))\n" + WRITE.replace(".softmax(-1), 1)", ".softmax(-1), 1, generator=generator)")),
    fill("speak trained with a seed", "speak", "train: 'It draws from PyTorch's global generator, and sets no seed'",
TEXT, "torch.manual_seed(0)\n" + TRAIN, WRITE),
    fill("speak letters of its own text", "speak", "'letters has each character of the text once': they are those of my_text, whatever the text",
TEXT, TRAIN.replace('letters = "".join(sorted(set(text)))', "text = my_text()\nletters = \"\".join(sorted(set(text)))"), WRITE),
    fill("speak reads the first 400 letters", "speak", "'The model must have learned the text': what comes after its first 400 letters is never read (here the rest of my_text repeats its beginning)",
TEXT, TRAIN.replace("optimizer = ", "ids = ids[:400]\noptimizer = "), WRITE),
]
RIGHT += [
    fill("speak with windows by unfold and SGD of its own", "speak", "Adam by hand; windows by unfold; the letters in the order in which they come; Gumbel noise for the draw",
TEXT, r"""letters = "".join(dict.fromkeys(text))
number = {letter: i for i, letter in enumerate(letters)}
ids = torch.tensor([number[letter] for letter in text])
n = min(24, len(ids) - 1)
windows = ids.unfold(0, n + 1, 1)
model = GPT(len(letters), 24, 32, 4, 2, 1, 64)
initialize(model)
parameters = list(model.parameters())
first = [torch.zeros_like(p) for p in parameters]
second = [torch.zeros_like(p) for p in parameters]
for step in range(1, 301):
    rows = windows[torch.randint(len(windows), (16,))]
    logits = model(rows[:, :-1])
    loss = -logits.log_softmax(-1).gather(-1, rows[:, 1:, None]).mean()
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for p, g, m, v in zip(parameters, gradients, first, second):
            m.lerp_(g, 0.1)
            v.lerp_(g * g, 0.02)
            p -= 0.01 * (m / (1 - 0.9**step)) / ((v / (1 - 0.98**step)).sqrt() + 1e-8)
return model, letters""",
r"""number = {letter: i for i, letter in enumerate(letters)}
text = prompt
while len(text) < len(prompt) + n_new:
    seen = text[-model.context_length :]
    scores = model(torch.tensor([[number[letter] for letter in seen]]))[0, -1]
    if temperature > 0:
        noise = -torch.empty_like(scores, dtype=torch.float64).exponential_().log()
        scores = scores.double() / temperature + noise
    text += letters[scores.argmax().item()]
return text"""),
    fill("speak with a context of 16 and a schedule", "speak", "a context of 16, a learning rate that rises and falls, texts cut by their own loss; a draw by the cumulated probabilities",
TEXT, r"""letters = "".join(sorted(set(text), reverse=True))
ids = torch.tensor(list(map(letters.index, text)))
model = GPT(vocab_size=len(letters), context_length=16, d_model=48, n_heads=4, n_kv_heads=1, n_layers=1, d_ff=96)
initialize(model)
optimizer = torch.optim.Adam(model.parameters())
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=250)
steps = torch.arange(17)
for _ in range(250):
    rows = ids[(torch.randint(len(ids), (24, 1)) + steps) % len(ids)]
    loss = nn.CrossEntropyLoss()(model(rows[:, :16]).mT, rows[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
return model.eval(), letters""",
r"""ids = torch.tensor([[letters.find(letter) for letter in prompt]])
for _ in range(n_new):
    last = model(ids[:, -model.context_length :])[:, -1].double()
    if not temperature:
        new = last.argmax(-1, keepdim=True)
    else:
        bounds = F.softmax(last / temperature, dim=-1).cumsum(-1)
        new = torch.searchsorted(bounds, torch.rand(1, 1, dtype=torch.float64) * bounds[:, -1:], right=True)
    ids = torch.cat([ids, new.clamp(max=last.shape[-1] - 1)], dim=1)
return prompt + "".join(letters[i] for i in ids[0, len(prompt) :].tolist())"""),
    fill("speak until it has learned", "speak", "trains until the loss is small, at most 300 steps; letters by Categorical; a deque as the window",
TEXT, r"""letters = str().join(sorted({*text}))
ids = torch.as_tensor([letters.find(c) for c in text])
model = GPT(len(letters), 128, 32, 2, 1, 2, 48)
initialize(model)
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.005)
shares = ids.bincount() / len(ids)
goal = float(torch.special.entr(shares).sum()) * 0.2
mean = math.inf
for step in range(300):
    at = torch.randint(0, max(1, len(ids) - 32), (20, 1)) + torch.arange(33)
    rows = ids[at.clamp(max=len(ids) - 1)]
    loss = F.nll_loss(model(rows[:, :-1]).log_softmax(-1).transpose(1, 2), rows[:, 1:])
    model.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    mean = loss.item() if step == 0 else 0.9 * mean + 0.1 * loss.item()
    if mean < goal:
        break
return model, letters""",
r"""from collections import deque

seen, new_letters = deque(map(letters.index, prompt), model.context_length), []
for _ in range(n_new):
    logits = model(torch.tensor(seen)[None])[0][-1]
    if temperature == 0:
        new = max(range(len(letters)), key=logits.tolist().__getitem__)
    else:
        new = torch.distributions.Categorical(logits=logits / temperature).sample().item()
    seen.append(new)
    new_letters.append(letters[new])
return "".join([prompt, *new_letters])"""),
]
