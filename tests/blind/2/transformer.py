from faults import write

WRONG = [
    write(
        "one table for equal calls",
        "positions",
        '"Each call makes a table of its own, as long as `n` says": lru_cache hands out the same tensor again, so whoever changes one changes the next',
        r"""
import functools


@functools.lru_cache(maxsize=None)
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = torch.arange(n)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    d_model = table.shape[1]
    return table[ids] * math.sqrt(d_model) + sinusoidal_positions(ids.shape[1], d_model)
""",
    ),
    write(
        "id 0 as padding",
        "positions",
        '"No id is special, 0 neither: gradients must reach each row of the table that is looked up": padding_idx=0 lets none reach row 0',
        r"""
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = torch.arange(n)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    d_model = table.shape[1]
    rows = F.embedding(ids, table, padding_idx=0)
    return rows * math.sqrt(d_model) + sinusoidal_positions(ids.shape[1], d_model)
""",
    ),
    write(
        "a layer made from the table",
        "positions",
        '"gradients must reach each row of the table that is looked up": they end in the new layer\'s own parameter',
        r"""
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = torch.arange(n)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    d_model = table.shape[1]
    layer = nn.Embedding.from_pretrained(table, freeze=False)
    return layer(ids) * math.sqrt(d_model) + sinusoidal_positions(ids.shape[1], d_model)
""",
    ),
    write(
        "whole root of C",
        "positions",
        '"Each row that is looked up is multiplied by √C": isqrt rounds it down where C is no square',
        r"""
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = torch.arange(n)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    d_model = table.shape[1]
    return table[ids] * math.isqrt(d_model) + sinusoidal_positions(ids.shape[1], d_model)
""",
    ),
    write(
        "a table of 512 places",
        "positions",
        '"Each call makes a table ... as long as `n` says": rows 512 and later are missing',
        r"""
_PLACES = 512


def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = torch.arange(_PLACES)[:, None] * speeds
    table = torch.empty(_PLACES, d_model)
    table[:, 0::2] = angles.sin()
    table[:, 1::2] = angles.cos()
    return table[:n]


def embed(ids: Tensor, table: Tensor) -> Tensor:
    d_model = table.shape[1]
    return table[ids] * math.sqrt(d_model) + sinusoidal_positions(ids.shape[1], d_model)
""",
    ),
    write(
        "each speed a hundredth of the last",
        "positions",
        '"ω_i = 10000^(−2i/C)": 100^(−i) is that for C = 4 (and 2) alone',
        r"""
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    speeds = 0.01 ** torch.arange(d_model // 2)
    angles = torch.arange(n)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    d_model = table.shape[1]
    return table[ids] * math.sqrt(d_model) + sinusoidal_positions(ids.shape[1], d_model)
""",
    ),
    write(
        "the table scaled and scaled back",
        "positions",
        '"`ids` and `table` stay as they were", and the gradient that reaches a row is √C times what arrives: the scaling hides from autograd, and rounds the table',
        r"""
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = torch.arange(n)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    root = math.sqrt(table.shape[1])
    table.data.mul_(root)
    rows = table[ids]
    table.data.div_(root)
    return rows + sinusoidal_positions(ids.shape[1], table.shape[1])
""",
    ),
    write(
        "squeezed angles",
        "positions",
        '"shape `(n, C)`": with n = 1 or C = 2 a dimension of size 1 is squeezed away, and the result is flat',
        r"""
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = (torch.arange(n)[:, None] * speeds).squeeze()
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    d_model = table.shape[1]
    return table[ids] * math.sqrt(d_model) + sinusoidal_positions(ids.shape[1], d_model)
""",
    ),
    write(
        "gradients by frequency",
        "positions",
        '"gradients must reach each row": scale_grad_by_freq divides that of an id by how often it occurs, so it is not the gradient of what was asked for',
        r"""
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = torch.arange(n)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    d_model = table.shape[1]
    rows = F.embedding(ids, table, scale_grad_by_freq=True)
    return rows * math.sqrt(d_model) + sinusoidal_positions(ids.shape[1], d_model)
""",
    ),
    write(
        "angles in half precision",
        "positions",
        '"PE(p) = sin(p ω_i)": float16 rounds the angles, so later positions are off (and from 2048 on positions fall together)',
        r"""
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    speeds = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angles = (torch.arange(n)[:, None] * speeds).half().float()
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    d_model = table.shape[1]
    return table[ids] * math.sqrt(d_model) + sinusoidal_positions(ids.shape[1], d_model)
""",
    ),
    write(
        "angles in the dtype of x",
        "rotary",
        '"The angles need float32 at least, also where `x` is bfloat16 or float16": positions in the thousands are rounded',
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    width = x.shape[-1]
    speeds = 10000.0 ** (-torch.arange(0, width, 2, device=x.device) / width)
    angles = positions[:, None].to(x.dtype) * speeds.to(x.dtype)
    cos, sin = angles.cos(), angles.sin()
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
""",
    ),
    write(
        "counts on from the first position",
        "rotary",
        '"`positions` ... not always 0, 1, 2, …: they may go down, repeat": only the first one is looked at',
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    n, width = x.shape[-2:]
    speeds = 10000.0 ** (-torch.arange(0, width, 2) / width)
    places = int(positions[0]) + torch.arange(n)
    angles = places[:, None] * speeds
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
""",
    ),
    write(
        "answers in float32",
        "rotary",
        '"Return a tensor of the shape and dtype of `x`": float32 cosines make float32 of a bfloat16 x',
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    width = x.shape[-1]
    speeds = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = positions[:, None].float() * speeds
    cos, sin = angles.cos(), angles.sin()
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
""",
    ),
    write(
        "through float32 and back",
        "rotary",
        '"At position 0 nothing is rotated, and every digit stays": a float64 x loses half of its digits on the way',
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    width = x.shape[-1]
    speeds = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = positions[:, None].float() * speeds
    cos, sin = angles.cos(), angles.sin()
    first, second = x.float().chunk(2, dim=-1)
    turned = torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
    return turned.to(x.dtype)
""",
    ),
    write(
        "length and angle of each pair",
        "rotary",
        '"At position 0 nothing is rotated, and every digit stays. ... gradients go through": r cos(φ + θ) rounds at position 0, and a pair (0, 0) has gradient NaN',
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    width = x.shape[-1]
    speeds = 10000.0 ** (-torch.arange(0, width, 2) / width)
    theta = positions[:, None] * speeds
    first, second = x.chunk(2, dim=-1)
    length = (first**2 + second**2).sqrt()
    angle = torch.atan2(second, first) + theta
    return torch.cat([length * angle.cos(), length * angle.sin()], dim=-1).to(x.dtype)
""",
    ),
    write(
        "cosines kept by size",
        "rotary",
        '"`positions` ... not always 0, 1, 2, …": the table of an earlier call with as many positions is used again',
        r"""
_TABLES = {}


def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    n, width = x.shape[-2:]
    if (n, width) not in _TABLES:
        speeds = 10000.0 ** (-torch.arange(0, width, 2) / width)
        angles = positions[:, None] * speeds
        _TABLES[n, width] = angles.cos(), angles.sin()
    cos, sin = (table.to(x.dtype) for table in _TABLES[n, width])
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
""",
    ),
    write(
        "a table up to 2048",
        "rotary",
        '"integers ... be in the thousands": positions of 2048 and more are taken as 2047',
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    width = x.shape[-1]
    speeds = 10000.0 ** (-torch.arange(0, width, 2) / width)
    table = torch.arange(2048)[:, None] * speeds
    angles = table[positions.clamp(0, 2047)]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
""",
    ),
    write(
        "speeds of D = 4",
        "rotary",
        '"θ = p · 10000^(−2i/D)": 100^(−i) is that for D = 4 (and 2) alone',
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    angles = positions[:, None] * 0.01 ** torch.arange(half)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
""",
    ),
    write(
        "heads after positions",
        "rotary",
        '"`x` is `(…, T, D)` with any number of leading dimensions": with four dimensions it takes x for (B, T, H, D), so heads are turned by positions, or shapes clash',
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    width = x.shape[-1]
    speeds = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = positions[:, None] * speeds
    if x.dim() == 4:
        angles = angles[:, None]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
""",
    ),
    write(
        "no gradient through the rotation",
        "rotary",
        '"gradients go through": the whole rotation is done without recording',
        r"""
@torch.no_grad()
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    width = x.shape[-1]
    speeds = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = positions[:, None] * speeds
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    result = x.clone()
    half = width // 2
    result[..., :half] = x[..., :half] * cos - x[..., half:] * sin
    result[..., half:] = x[..., half:] * cos + x[..., :half] * sin
    return result
""",
    ),
    write(
        "a ReLU that ends at 6",
        "feed_forward",
        '"ReLU(x W₁ + b₁) W₂ + b₂": ReLU6 cuts hidden numbers above 6',
        r'''
class FeedForward(nn.Module):
    """ReLU(x W₁ + b₁) W₂ + b₂, at each position alone."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.up_projection = nn.Linear(d_model, d_ff)
        self.down_projection = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """The new numbers of each position: (…, C)."""
        return self.down_projection(F.relu6(self.up_projection(x)))
''',
    ),
    write(
        "a leaky ReLU",
        "feed_forward",
        '"ReLU(x W₁ + b₁) W₂ + b₂": a hundredth of what is negative comes through',
        r'''
class FeedForward(nn.Module):
    """ReLU(x W₁ + b₁) W₂ + b₂, at each position alone."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.up_projection = nn.Linear(d_model, d_ff)
        self.down_projection = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """The new numbers of each position: (…, C)."""
        return self.down_projection(F.leaky_relu(self.up_projection(x)))
''',
    ),
    write(
        "zeros written behind autograd's back",
        "feed_forward",
        'the introduction: "others on inputs drawn anew each time: ... gradients"; the values are those of ReLU, but gradients pass through the numbers that were negative',
        r'''
class FeedForward(nn.Module):
    """ReLU(x W₁ + b₁) W₂ + b₂, at each position alone."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.up_projection = nn.Linear(d_model, d_ff)
        self.down_projection = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """The new numbers of each position: (…, C)."""
        hidden = self.up_projection(x)
        hidden.data[hidden.data < 0] = 0
        return self.down_projection(hidden)
''',
    ),
    write(
        "view of what may be transposed",
        "feed_forward",
        '"`x` is `(…, C)` with any number of leading dimensions": view raises for an x that is not contiguous, such as a transposed one',
        r'''
class FeedForward(nn.Module):
    """ReLU(x W₁ + b₁) W₂ + b₂, at each position alone."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.up_projection = nn.Linear(d_model, d_ff)
        self.down_projection = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """The new numbers of each position: (…, C)."""
        rows = x.view(-1, x.shape[-1])
        return self.down_projection(self.up_projection(rows).relu()).view(x.shape)
''',
    ),
    write(
        "matrices alone",
        "feed_forward",
        '"`x` is `(…, C)` with any number of leading dimensions, or none": addmm takes two dimensions and no others',
        r'''
class FeedForward(nn.Module):
    """ReLU(x W₁ + b₁) W₂ + b₂, at each position alone."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.up_projection = nn.Linear(d_model, d_ff)
        self.down_projection = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """The new numbers of each position: (…, C)."""
        up, down = self.up_projection, self.down_projection
        hidden = torch.addmm(up.bias, x, up.weight.T).clamp(min=0)
        return torch.addmm(down.bias, hidden, down.weight.T)
''',
    ),
    write(
        "one vector gets a batch",
        "feed_forward",
        '"any number of leading dimensions, or none, and so is the result": x of shape (C,) gives (1, C)',
        r'''
class FeedForward(nn.Module):
    """ReLU(x W₁ + b₁) W₂ + b₂, at each position alone."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.up_projection = nn.Linear(d_model, d_ff)
        self.down_projection = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """The new numbers of each position: (…, C)."""
        if x.dim() < 2:
            x = x[None]
        return self.down_projection(torch.relu(self.up_projection(x)))
''',
    ),
    write(
        "a batch of one is squeezed",
        "feed_forward",
        '"any number of leading dimensions, ... and so is the result": a first dimension of size 1 is lost',
        r'''
class FeedForward(nn.Module):
    """ReLU(x W₁ + b₁) W₂ + b₂, at each position alone."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.up_projection = nn.Linear(d_model, d_ff)
        self.down_projection = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """The new numbers of each position: (…, C)."""
        batch = x if x.dim() > 2 else x[None]
        return self.down_projection(self.up_projection(batch).relu()).squeeze(0)
''',
    ),
    write(
        "hidden numbers through a list",
        "feed_forward",
        'the introduction: "others on inputs drawn anew each time: ... gradients": the hidden numbers pass through a Python list, so no gradient reaches `up_projection` or x',
        r'''
class FeedForward(nn.Module):
    """ReLU(x W₁ + b₁) W₂ + b₂, at each position alone."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.up_projection = nn.Linear(d_model, d_ff)
        self.down_projection = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """The new numbers of each position: (…, C)."""
        hidden = self.up_projection(x)
        hidden = torch.tensor(hidden.detach().clamp(min=0).tolist(), dtype=x.dtype)
        return self.down_projection(hidden)
''',
    ),
    write(
        "mean of squares less squared mean",
        "layer_norm",
        '"5,000 and 5,001 say, must come out right in float32, too": E[x²] − μ² cancels',
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    variance = ((x * x).mean(-1, keepdim=True) - mean * mean).clamp(min=0)
    return (x - mean) / torch.sqrt(variance + eps) * scale + shift
""",
    ),
    write(
        "eps outside of the root",
        "layer_norm",
        '"`eps` is ε, inside the root"',
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    away = x - x.mean(-1, keepdim=True)
    deviation = (away**2).mean(-1, keepdim=True)
    deviation = torch.where(deviation > 0, deviation, 1).sqrt() * (deviation > 0)
    return away / (deviation + eps) * scale + shift
""",
    ),
    write(
        "the square of the deviation",
        "layer_norm",
        '"none is infinite or NaN, where all numbers of a vector are equal neither": std has no gradient at 0',
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    deviation = torch.sqrt(((x - mean) ** 2).mean(-1, keepdim=True))
    return (x - mean) / torch.sqrt(deviation**2 + eps) * scale + shift
""",
    ),
    write(
        "eps of its own",
        "layer_norm",
        '"`eps` is ε": the argument is not used',
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x.mean(dim=-1, keepdim=True)
    variance = x.var(dim=-1, keepdim=True, correction=0)
    return (x - mean) / (variance + 1e-5).sqrt() * scale + shift
""",
    ),
    write(
        "over dimension 1",
        "layer_norm",
        '"`x` is `(…, C)` with any number of leading dimensions, or none": dim=1 is the last of two alone',
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x.mean(dim=1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=1, keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * scale + shift
""",
    ),
    write(
        "statistics are constants",
        "layer_norm",
        '"Gradients reach `x`": those through mean and variance are cut off',
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    with torch.no_grad():
        variance, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
        factor = 1 / torch.sqrt(variance + eps)
    return (x - mean) * factor * scale + shift
""",
    ),
    write(
        "variance at least eps",
        "layer_norm",
        '"√(σ² + ε)": ε is added, also where the variance is larger; and where it is smaller the two differ much',
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    away = x - x.mean(-1, keepdim=True)
    variance = (away**2).mean(-1, keepdim=True)
    return away / variance.clamp(min=eps).sqrt() * scale + shift
""",
    ),
    write(
        "Bessel taken back",
        "layer_norm",
        '"`C` may be 1": the variance by C − 1 is NaN then, and NaN times 0 is NaN',
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    n = x.shape[-1]
    mean = x.mean(-1, keepdim=True)
    variance = x.var(-1, keepdim=True) * (n - 1) / n
    return (x - mean) / torch.sqrt(variance + eps) * scale + shift
""",
    ),
    write(
        "scale and shift as rows",
        "layer_norm",
        '"any number of leading dimensions, or none": (1, C) makes (1, C) of an x of shape (C,)',
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    variance = x.var(-1, keepdim=True, correction=0)
    return (x - mean) * torch.rsqrt(variance + eps) * scale.view(1, -1) + shift.view(1, -1)
""",
    ),
    write(
        "only the first item's mask",
        "encoder_block",
        '"`mask` is `(T, T)`, `(B, T, T)` or `(B, 1, T)` ... and goes to attention as it is": all items get the mask of the first',
        r'''
class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.attention_norm = nn.LayerNorm(d_model)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The new x: (B, T, C)."""
        if mask is not None and mask.dim() == 3:
            mask = mask[0].expand(x.shape[1], -1)
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "a mask that is made causal",
        "encoder_block",
        '"`mask` ... need not be causal, and goes to attention as it is"',
        r'''
class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.attention_norm = nn.LayerNorm(d_model)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The new x: (B, T, C)."""
        if mask is not None:
            n = x.shape[1]
            mask = mask & torch.ones(n, n, dtype=torch.bool).tril()
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "itself is always in sight",
        "encoder_block",
        '"`mask` ... goes to attention as it is": the diagonal is set, so a padded position sees itself',
        r'''
class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.attention_norm = nn.LayerNorm(d_model)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The new x: (B, T, C)."""
        if mask is not None:
            mask = mask | torch.eye(x.shape[1], dtype=torch.bool)
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "no mask in evaluation mode",
        "encoder_block",
        '"gives the same in training and in evaluation mode": the mask is used in training alone',
        r'''
class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.attention_norm = nn.LayerNorm(d_model)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The new x: (B, T, C)."""
        mask = mask if self.training else None
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "two heads always",
        "encoder_block",
        '"`attention`, a `MultiHeadAttention(d_model, n_heads)`": the number of heads is that of the visible tests',
        r'''
class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, 2)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.attention_norm = nn.LayerNorm(d_model)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The new x: (B, T, C)."""
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "the order of the newest block",
        "encoder_block",
        '"`norm_first=True` is pre-norm ...; `norm_first=False` is post-norm": the order is noted in the class, so a later block changes that of earlier ones',
        r'''
class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    norm_first = True

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.attention_norm = nn.LayerNorm(d_model)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        EncoderBlock.norm_first = norm_first

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The new x: (B, T, C)."""
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "the way around is cut off",
        "encoder_block",
        'the introduction: "gradients"; "With equal parameters your block must equal PyTorch\'s": no gradient goes through the residual of attention',
        r'''
class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.attention_norm = nn.LayerNorm(d_model)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The new x: (B, T, C)."""
        around = x.detach()
        if self.norm_first:
            x = around + self.attention(self.attention_norm(x), mask=mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(around + self.attention(x, mask=mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "an eps of its own",
        "encoder_block",
        '"each an `nn.LayerNorm(d_model)`. ... With equal parameters your block must equal PyTorch\'s": eps is a thousandth of the usual one, which shows where the numbers are small',
        r'''
class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.attention_norm = nn.LayerNorm(d_model, eps=1e-8)
        self.feed_forward_norm = nn.LayerNorm(d_model, eps=1e-8)
        self.norm_first = norm_first

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The new x: (B, T, C)."""
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "one mask for both",
        "decoder_block",
        '"Each by itself may be `None`": without a memory_mask, and with T = S, cross-attention gets the mask of self-attention',
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        if memory_mask is None and memory.shape[1] == x.shape[1]:
            memory_mask = mask
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        x = self.cross_attention_norm(x + self.cross_attention(x, memory, memory_mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "a row for all of the text",
        "decoder_block",
        '"`memory_mask` is `(T, S)`, `(B, T, S)` or `(B, 1, S)`": what any position may see all positions see',
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        if memory_mask is not None:
            memory_mask = memory_mask.any(dim=-2, keepdim=True)
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        x = self.cross_attention_norm(x + self.cross_attention(x, memory, memory_mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "one of the two masks",
        "decoder_block",
        '"Each by itself may be `None`": with both masks given, the one of self-attention is dropped',
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        if memory_mask is not None:
            mask = None  # the memory_mask is the one that counts
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        x = self.cross_attention_norm(x + self.cross_attention(x, memory, memory_mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "heads of width 4",
        "decoder_block",
        '"of the kinds of Task 5", `MultiHeadAttention(d_model, n_heads)`: cross-attention has d_model // 4 heads',
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, max(1, d_model // 4))
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        x = self.cross_attention_norm(x + self.cross_attention(x, memory, memory_mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "the first memory is kept",
        "decoder_block",
        '"`memory` is `(B, S, C)`, what was read": a second call with another memory still gets the first',
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first
        self.memory = None  # the source does not change: read it once

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        if self.memory is None:
            self.memory = memory
        memory = self.memory
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        x = self.cross_attention_norm(x + self.cross_attention(x, memory, memory_mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "no gradient to the encoder",
        "decoder_block",
        'the introduction: "others on inputs drawn anew each time: ... gradients"; "With equal parameters your block must equal PyTorch\'s": none reaches memory',
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        memory = memory.detach()  # the encoder is done
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        x = self.cross_attention_norm(x + self.cross_attention(x, memory, memory_mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "self-attention made causal",
        "decoder_block",
        '"They need not be causal, and the block makes no mask of its own"',
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        if mask is not None:
            n = x.shape[1]
            mask = mask & torch.ones(n, n, dtype=torch.bool).tril()
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        x = self.cross_attention_norm(x + self.cross_attention(x, memory, memory_mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "padding seen from both sides",
        "decoder_block",
        '"`mask` ... `(B, 1, T)`" and "says where `x` may look in `x`": a mask with a batch is joined with its own transpose, so a padded position may look nowhere, and (B, T, T) must be symmetric',
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        if mask is not None and mask.dim() == 3:
            mask = mask & mask.transpose(1, 2)
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        x = self.cross_attention_norm(x + self.cross_attention(x, memory, memory_mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "masks that must have a batch",
        "decoder_block",
        '"`mask` is `(T, T)`, `(B, T, T)` or `(B, 1, T)`, and `memory_mask` is `(T, S)`, ...": a memory_mask (T, S) is taken for (B, S), a row of padding for each item',
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        if memory_mask is not None and memory_mask.dim() == 2:
            memory_mask = memory_mask[:, None]
        if self.norm_first:
            x = x + self.attention(self.attention_norm(x), mask=mask)[0]
            x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        x = self.cross_attention_norm(x + self.cross_attention(x, memory, memory_mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
''',
    ),
    write(
        "the dtype of the start",
        "teacher_forcing",
        '"The same shape and dtype, int32 too": a column of int64 makes int64 of int32',
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    start = torch.full((len(ids), 1), start_id)
    return torch.cat([start, ids[:, :-1]], dim=1)


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    real = target != padding_id
    return F.cross_entropy(logits[real], target[real])
""",
    ),
    write(
        "begun already",
        "teacher_forcing",
        '"`start_id` may be any id, 0 or one that occurs in `ids`": rows that begin with it are not shifted',
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    start = torch.full_like(ids[:, :1], start_id)
    shifted = torch.cat([start, ids[:, :-1]], dim=1)
    begun = ids[:, :1] == start_id
    return torch.where(begun, ids, shifted)


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    real = target != padding_id
    return F.cross_entropy(logits[real], target[real])
""",
    ),
    write(
        "padding is always 0",
        "teacher_forcing",
        '"Places where the target is `padding_id` do not count ... any other id is real, 0 too": ignore_index=0',
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    return torch.cat([torch.full_like(ids[:, :1], start_id), ids[:, :-1]], dim=1)


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    return F.cross_entropy(logits.transpose(1, 2), target, ignore_index=0)
""",
    ),
    write(
        "ids above the padding",
        "teacher_forcing",
        '"any other id is real, 0 too": ids below padding_id are dropped',
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    return torch.cat([torch.full_like(ids[:, :1], start_id), ids[:, :-1]], dim=1)


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    real = target > padding_id
    return F.cross_entropy(logits[real], target[real])
""",
    ),
    write(
        "a floor for the probability",
        "teacher_forcing",
        '"the mean of −log p ... Logits in the thousands must give numbers, not NaN, and such gradients": p is held above 1e-9, so a loss in the thousands becomes 20.7, without a gradient',
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    return torch.cat([torch.full_like(ids[:, :1], start_id), ids[:, :-1]], dim=1)


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    real = target != padding_id
    probs = logits[real].softmax(-1).gather(-1, target[real][:, None])
    return -probs.clamp(min=1e-9).log().mean()
""",
    ),
    write(
        "padding at the end",
        "teacher_forcing",
        '"padding may stand anywhere, in the middle of an item": as many places as there are real tokens are taken from the front of each item',
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    return torch.cat([torch.full_like(ids[:, :1], start_id), ids[:, :-1]], dim=1)


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    lengths = (target != padding_id).sum(1)
    real = torch.arange(target.shape[1]) < lengths[:, None]
    return F.cross_entropy(logits[real], target[real])
""",
    ),
    write(
        "an item of padding is NaN",
        "teacher_forcing",
        '"padding may stand anywhere, ... and in all of it": the mean of no token is NaN, and NaN times 0 too',
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    return torch.cat([torch.full_like(ids[:, :1], start_id), ids[:, :-1]], dim=1)


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    total, number = 0.0, 0
    for rows, ids in zip(logits, target, strict=True):
        n = (ids != padding_id).sum()
        total = total + n * F.cross_entropy(rows, ids, ignore_index=padding_id)
        number = number + n
    return total / number
""",
    ),
    write(
        "the loss in float32",
        "teacher_forcing",
        '"The loss has the dtype of the logits": float64 logits give a float32 loss',
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    return torch.cat([torch.full_like(ids[:, :1], start_id), ids[:, :-1]], dim=1)


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    real = target != padding_id
    return F.cross_entropy(logits[real].float(), target[real])
""",
    ),
    write(
        "gradients through where",
        "teacher_forcing",
        '"Logits in the thousands must give numbers, not NaN, and such gradients": the value is right, but the branch that is not taken has gradient NaN',
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    return torch.cat([torch.full_like(ids[:, :1], start_id), ids[:, :-1]], dim=1)


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    real = target != padding_id
    rows, ids = logits[real], target[real][:, None]
    probs = rows.softmax(-1).gather(-1, ids)
    far = rows.amax(-1, keepdim=True) - rows.gather(-1, ids)
    return torch.where(probs > 1e-30, -probs.log(), far).mean()
""",
    ),
    write(
        "never the start again",
        "writing",
        '"A `start_id` that the model itself writes is a token like any other": its logit is taken out',
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)
    written = source.new_full((len(source), 1), start_id)
    finished = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(n_tokens):
        logits = decode(written, memory, mask)[:, -1].clone()
        logits[:, start_id] = -torch.inf
        new = torch.where(finished, end_id, logits.argmax(-1)).to(source.dtype)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
    return written[:, 1:]
""",
    ),
    write(
        "always int64",
        "writing",
        '"with the dtype of `source`, which may be int32"',
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)
    written = torch.full((len(source), 1), start_id)
    finished = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(n_tokens):
        new = decode(written, memory, mask)[:, -1].argmax(-1)
        new = torch.where(finished, end_id, new)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
    return written[:, 1:]
""",
    ),
    write(
        "one decode too many",
        "writing",
        '"Stop ... after `n_tokens` at the latest; do not call `decode` after that"',
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)
    written = source.new_full((len(source), 1), start_id)
    finished = torch.zeros(len(source), dtype=torch.bool)
    while not finished.all():
        new = decode(written, memory, mask)[:, -1].argmax(-1)
        if written.shape[1] > n_tokens:
            break
        new = torch.where(finished, end_id, new).to(source.dtype)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
    return written[:, 1:]
""",
    ),
    write(
        "the largest sigmoid",
        "writing",
        '"the most probable one": large logits all have the sigmoid 1, and the first of them wins',
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)
    written = source.new_full((len(source), 1), start_id)
    finished = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(n_tokens):
        probs = decode(written, memory, mask)[:, -1].sigmoid()
        new = torch.where(finished, end_id, probs.argmax(-1)).to(source.dtype)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
    return written[:, 1:]
""",
    ),
    write(
        "ends written afterwards",
        "writing",
        '"from then on it gets `end_id`, whatever the logits say": the ends come into the result, but decode reads what the model said after its end',
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)
    written = source.new_full((len(source), 1), start_id)
    for _ in range(n_tokens):
        new = decode(written, memory, mask)[:, -1].argmax(-1).to(source.dtype)
        written = torch.cat([written, new[:, None]], dim=1)
        ends = written[:, 1:] == end_id
        if ends.any(1).all():
            break
    after = ends.cumsum(1) > 0
    return written[:, 1:].masked_fill(after, end_id)
""",
    ),
    write(
        "one source alone is squeezed",
        "writing",
        '"logits `(B, T, V)`" and "Return the ids `(B, N)`": with B = 1 squeeze takes the batch away, and there is no column to append',
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)
    written = source.new_full((len(source), 1), start_id)
    finished = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(n_tokens):
        new = decode(written, memory, mask)[:, -1:].squeeze().argmax(-1)
        new = torch.where(finished, end_id, new).to(source.dtype)
        written = torch.cat([written, new.view(-1, 1)], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
    return written[:, 1:].squeeze()
""",
    ),
    write(
        "at most twice the source",
        "writing",
        '"Stop when all items are finished, and after `n_tokens` at the latest": it stops at twice the length of the source, too',
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)
    written = source.new_full((len(source), 1), start_id)
    finished = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(min(n_tokens, 2 * source.shape[1])):
        new = decode(written, memory, mask)[:, -1].argmax(-1)
        new = torch.where(finished, end_id, new).to(source.dtype)
        written = torch.cat([written, new[:, None]], dim=1)
        finished |= new == end_id
        if finished.all():
            break
    return written[:, 1:]
""",
    ),
    write(
        "an end of 0 is no end",
        "writing",
        '"`start_id` and `end_id` are different ids, and either may be 0": with end_id 0 nothing is ever finished',
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)
    written = source.new_full((len(source), 1), start_id)
    finished = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(n_tokens):
        new = decode(written, memory, mask)[:, -1].argmax(-1).to(source.dtype)
        if end_id:
            new[finished] = end_id
            finished |= new == end_id
        written = torch.cat([written, new[:, None]], dim=1)
        if finished.all():
            break
    return written[:, 1:]
""",
    ),
    write(
        "equal numbers have the deviation 1",
        "layer_norm",
        '"LN(x) = (x − μ) / √(σ² + ε)" and "Gradients reach `x`": where the variance is 0 a 1 is put in its place; the value is right, but the gradient is 316 times too small',
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    away = x - x.mean(dim=-1, keepdim=True)
    variance = (away * away).mean(dim=-1, keepdim=True)
    below = torch.where(variance == 0, torch.ones_like(variance), variance + eps)
    return away / below.sqrt() * scale + shift
""",
    ),
    write(
        "the source without its mask",
        "writing",
        '"`encode(source, mask)` returns the memory": encode gets no mask, so padding of the source is read',
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, None)
    written = source.new_full((len(source), 1), start_id)
    finished = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(n_tokens):
        new = decode(written, memory, mask)[:, -1].argmax(-1)
        new = torch.where(finished, end_id, new).to(source.dtype)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
    return written[:, 1:]
""",
    ),
    write(
        "decode reads from the last start on",
        "writing",
        '"`decode(written, memory, mask)` returns logits for what was written so far" and "A `start_id` that the model itself writes is a token like any other": what stands before a later start in all rows is cut off',
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)
    written = source.new_full((len(source), 1), start_id)
    finished = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(n_tokens):
        starts = (written == start_id).all(0).nonzero()[-1]
        new = decode(written[:, int(starts) :], memory, mask)[:, -1].argmax(-1)
        new = torch.where(finished, end_id, new).to(source.dtype)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
    return written[:, 1:]
""",
    ),
    write(
        "a full turn is nothing",
        "rotary",
        '"θ = p · 10000^(−2i/D)" for positions "in the thousands": angles are first taken modulo 6.283, a rounded 2π, which adds up over many turns',
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    width = x.shape[-1]
    speeds = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = (positions[:, None] * speeds) % 6.283
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
""",
    ),
]

RIGHT = [
    write(
        "lists and one-hot rows",
        "positions",
        "Python loops make the table, and a one-hot matrix looks up",
        r"""
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    def row(p):
        numbers = []
        for i in range(d_model // 2):
            angle = p * 10000 ** (-2 * i / d_model)
            numbers += [math.sin(angle), math.cos(angle)]
        return numbers

    return torch.tensor([row(p) for p in range(n)], dtype=torch.float32).reshape(n, d_model)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    n_rows, width = table.shape
    which = (ids[..., None] == torch.arange(n_rows)).to(table.dtype)
    rows = torch.einsum("btv,vc->btc", which, table)
    return rows * width**0.5 + sinusoidal_positions(ids.shape[-1], width)
""",
    ),
    write(
        "the complex exponential",
        "positions",
        "sin and cos are the imaginary and the real part of a point on the circle, flipped into place",
        r"""
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    i = torch.arange(d_model // 2, dtype=torch.float64)
    angles = torch.outer(
        torch.arange(n, dtype=torch.float64), torch.exp(-math.log(10000) * 2 * i / d_model)
    )
    points = torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(points).flip(-1).reshape(n, d_model).float()


def embed(ids: Tensor, table: Tensor) -> Tensor:
    batch, length = ids.shape
    rows = table.index_select(0, ids.reshape(-1)).view(batch, length, -1)
    places = sinusoidal_positions(length, table.shape[1])
    return torch.add(places[None], rows, alpha=math.sqrt(table.shape[1]))
""",
    ),
    write(
        "the cosine as a shifted sine",
        "positions",
        "cos a = sin(a + π/2), in float64, for all columns at once",
        r"""
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    column = torch.arange(d_model, dtype=torch.float64)
    speed = 10000 ** (-2 * (column // 2) / d_model)
    late = (column % 2) * (math.pi / 2)
    p = torch.arange(n, dtype=torch.float64).unsqueeze(1)
    return torch.sin(p * speed + late).to(torch.float32)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    places = sinusoidal_positions(ids.size(1), table.size(1))
    root = torch.tensor(float(table.size(1)), dtype=table.dtype).sqrt()
    return torch.stack([F.embedding(row, root * table) + places for row in ids])
""",
    ),
    write(
        "complex numbers",
        "rotary",
        "each pair is a complex number, turned by a product; half precision computes in float32",
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    wide = x if x.dtype == torch.float64 else x.float()
    pairs = torch.stack(wide.chunk(2, dim=-1), dim=-1).contiguous()
    i = torch.arange(pairs.shape[-2], dtype=torch.float64)
    angles = positions.to(torch.float64)[:, None] * 10000 ** (-2 * i / x.shape[-1])
    turn = torch.polar(torch.ones_like(angles), angles)
    turned = torch.view_as_complex(pairs) * turn.to(torch.view_as_complex(pairs).dtype)
    return torch.cat([turned.real, turned.imag], dim=-1).to(x.dtype)
""",
    ),
    write(
        "a matrix for each pair",
        "rotary",
        "2 × 2 matrices of rotation, applied by einsum",
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    speeds = torch.tensor([10000 ** (-i / half) for i in range(half)], dtype=torch.float64)
    angles = torch.outer(positions.double(), speeds)
    matrices = torch.stack(
        [
            torch.stack([angles.cos(), -angles.sin()], -1),
            torch.stack([angles.sin(), angles.cos()], -1),
        ],
        -2,
    )
    pairs = x.unflatten(-1, (2, half)).double()
    return torch.einsum("tiop,...tpi->...toi", matrices, pairs).flatten(-2).to(x.dtype)
""",
    ),
    write(
        "full width and a half turn",
        "rotary",
        "x · cos + rotated(x) · sin, with roll and signs",
        r"""
def rotary_embedding(x: Tensor, positions: Tensor) -> Tensor:
    width = x.shape[-1]
    half = width // 2
    column = torch.arange(width)
    angles = positions.double().unsqueeze(-1) * 10000.0 ** (-2.0 * (column % half) / width).double()
    sign = torch.where(column < half, -1.0, 1.0).double()
    cos, sin = angles.cos(), angles.sin() * sign
    return x * cos.to(x.dtype) + x.roll(half, -1) * sin.to(x.dtype)
""",
    ),
    write(
        "where instead of relu",
        "feed_forward",
        "torch.where, and linear maps by einsum",
        r'''
class FeedForward(nn.Module):
    """ReLU(x W₁ + b₁) W₂ + b₂, at each position alone."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.up_projection = nn.Linear(d_model, d_ff)
        self.down_projection = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """The new numbers of each position: (…, C)."""
        hidden = torch.einsum("...c,fc->...f", x, self.up_projection.weight)
        hidden = hidden + self.up_projection.bias
        hidden = torch.where(hidden > 0, hidden, torch.zeros_like(hidden))
        result = torch.einsum("...f,cf->...c", hidden, self.down_projection.weight)
        return result + self.down_projection.bias
''',
    ),
    write(
        "an OrderedDict in a Sequential",
        "feed_forward",
        "a subclass of nn.Sequential with named parts, walked through in a loop; F.threshold",
        r'''
from collections import OrderedDict


class FeedForward(nn.Sequential):
    """ReLU(x W₁ + b₁) W₂ + b₂, at each position alone."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__(
            OrderedDict(
                up_projection=nn.Linear(d_model, d_ff, bias=True),
                down_projection=nn.Linear(d_ff, d_model, bias=True),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """The new numbers of each position: (…, C)."""
        first, *others = self
        y = first(x)
        for part in others:
            y = part(F.threshold(y, 0, 0))
        return y
''',
    ),
    write(
        "functools.reduce over the steps",
        "feed_forward",
        "the three steps as functions, composed",
        r'''
import functools


class FeedForward(nn.Module):
    """ReLU(x W₁ + b₁) W₂ + b₂, at each position alone."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        for name, sizes in (("up", (d_model, d_ff)), ("down", (d_ff, d_model))):
            self.add_module(f"{name}_projection", nn.Linear(*sizes))

    def forward(self, x: Tensor) -> Tensor:
        """The new numbers of each position: (…, C)."""
        steps = self.up_projection, lambda hidden: hidden * (hidden > 0), self.down_projection
        return functools.reduce(lambda y, step: step(y), steps, x)
''',
    ),
    write(
        "vector by vector",
        "layer_norm",
        "recursion over the leading dimensions",
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    if x.dim() > 1:
        if not len(x):
            return x * scale + shift
        return torch.stack([layer_norm(part, scale, shift, eps) for part in x])
    away = x - x.sum() / x.numel()
    variance = away.dot(away) / x.numel()
    return shift + scale * away * (variance + eps) ** -0.5
""",
    ),
    write(
        "var_mean and addcmul",
        "layer_norm",
        "one pass for both moments, rsqrt, addcmul",
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return torch.addcmul(shift, (x - mean) * torch.rsqrt(variance + eps), scale)
""",
    ),
    write(
        "in float64 inside",
        "layer_norm",
        "computed in float64, and converted back; einsum for the variance",
        r"""
def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    width = x.size(-1)
    y = x.double()
    y = y - torch.einsum("...c->...", y).unsqueeze(-1) / width
    square = torch.einsum("...c,...c->...", y, y).unsqueeze(-1) / width
    result = y / torch.sqrt(square + eps) * scale.double() + shift.double()
    return result.to(x.dtype)
""",
    ),
    write(
        "a loop over sublayers",
        "encoder_block",
        "pairs of norm and sublayer, the same two lines for each",
        r'''
class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.norm_first = bool(norm_first)
        self.attention, self.attention_norm = (
            MultiHeadAttention(d_model, n_heads),
            nn.LayerNorm(d_model),
        )
        self.feed_forward, self.feed_forward_norm = FeedForward(d_model, d_ff), nn.LayerNorm(d_model)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The new x: (B, T, C)."""
        sublayers = [
            (self.attention_norm, lambda y: self.attention(y, None, mask)[0]),
            (self.feed_forward_norm, self.feed_forward),
        ]
        for norm, sublayer in sublayers:
            x = x + sublayer(norm(x)) if self.norm_first else norm(x + sublayer(x))
        return x
''',
    ),
    write(
        "identities",
        "encoder_block",
        "norms before and after, one of which is the identity, and functools.reduce",
        r'''
import functools


def _same(x):
    return x


class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        parts = {
            "attention": MultiHeadAttention(d_model, n_heads),
            "feed_forward": FeedForward(d_model, d_ff),
        }
        for name, part in parts.items():
            self.add_module(name, part)
            self.add_module(name + "_norm", nn.LayerNorm(d_model))
        self.norm_first = norm_first

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The new x: (B, T, C)."""

        def sublayer(y, name):
            norm, f = getattr(self, name + "_norm"), getattr(self, name)
            before, after = (norm, _same) if self.norm_first else (_same, norm)
            new = f(before(y), **({"mask": mask} if name == "attention" else {}))
            return after(torch.add(y, new[0] if isinstance(new, tuple) else new))

        return functools.reduce(sublayer, ("attention", "feed_forward"), x)
''',
    ),
    write(
        "a method chosen at the start",
        "encoder_block",
        "__init__ notes which of two functions joins a norm and a sublayer",
        r'''
class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each with a residual and a norm."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention_norm = nn.LayerNorm(d_model)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self._join = self._pre if norm_first else self._post

    @staticmethod
    def _pre(x, norm, f):
        return torch.stack([x, f(norm(x))]).sum(0)

    @staticmethod
    def _post(x, norm, f):
        return norm(torch.stack([x, f(x)]).sum(0))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The new x: (B, T, C)."""

        def attend(y):
            new, _ = self.attention(y, memory=y, mask=mask)
            return new

        between = self._join(x, self.attention_norm, attend)
        return self._join(between, self.feed_forward_norm, self.feed_forward)
''',
    ),
    write(
        "three steps in a list",
        "decoder_block",
        "a loop over (norm, function), one line for both orders",
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        steps = (
            (self.attention_norm, lambda y: self.attention(y, mask=mask)[0]),
            (self.cross_attention_norm, lambda y: self.cross_attention(y, memory, memory_mask)[0]),
            (self.feed_forward_norm, self.feed_forward),
        )
        for norm, f in steps:
            x = torch.add(x, f(norm(x))) if self.norm_first else norm(torch.add(x, f(x)))
        return x
''',
    ),
    write(
        "recursion over the sublayers",
        "decoder_block",
        "a recursive inner function goes through the parts by name",
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.norm_first = norm_first
        for name in ("attention", "cross_attention"):
            setattr(self, name, MultiHeadAttention(d_model, n_heads))
        self.feed_forward = FeedForward(d_model, d_ff)
        for name in ("attention", "cross_attention", "feed_forward"):
            setattr(self, name + "_norm", nn.LayerNorm(d_model))

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        more = {
            "attention": {"mask": mask},
            "cross_attention": {"memory": memory, "mask": memory_mask},
            "feed_forward": {},
        }

        def go(y, names):
            if not names:
                return y
            name, *others = names
            norm = getattr(self, name + "_norm")
            new = getattr(self, name)(norm(y) if self.norm_first else y, **more[name])
            total = y + (new if isinstance(new, Tensor) else new[0])
            return go(total if self.norm_first else norm(total), others)

        return go(x, list(more))
''',
    ),
    write(
        "item by item",
        "decoder_block",
        "each item of the batch goes through the block alone, with its own part of the masks",
        r'''
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.attention_norm = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """The new x: (B, T, C)."""
        def of_item(given, b):
            if given is None or given.dim() == 2:
                return given
            return given[b : b + 1]

        def one(b):
            y, read = x[b : b + 1], memory[b : b + 1]
            pre, post = (lambda n, z: n(z), lambda n, z: z)
            if not self.norm_first:
                pre, post = post, pre
            n1, n2, n3 = self.attention_norm, self.cross_attention_norm, self.feed_forward_norm
            y = post(n1, y + self.attention(pre(n1, y), None, of_item(mask, b))[0])
            y = post(n2, y + self.cross_attention(pre(n2, y), read, of_item(memory_mask, b))[0])
            return post(n3, y + self.feed_forward(pre(n3, y)))

        return torch.cat([one(b) for b in range(len(x))])
''',
    ),
    write(
        "rolled, and ignore_index",
        "teacher_forcing",
        "torch.roll and one column written; cross_entropy with classes in the second dimension",
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    turned = ids.roll(1, dims=1)
    turned[:, 0] = start_id
    return turned


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    return F.cross_entropy(logits.permute(0, 2, 1), target.long(), ignore_index=padding_id)
""",
    ),
    write(
        "pad and logsumexp",
        "teacher_forcing",
        "F.pad puts the start in front; the loss is logsumexp less the right logit",
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    return F.pad(ids[:, :-1], (1, 0), value=start_id)


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    b, t = (target != padding_id).nonzero(as_tuple=True)
    rows = logits[b, t]
    right = rows[torch.arange(len(b)), target[b, t].long()]
    return (torch.logsumexp(rows, -1) - right).mean()
""",
    ),
    write(
        "lists of rows",
        "teacher_forcing",
        "Python lists inside, token by token",
        r"""
def shift_right(ids: Tensor, start_id: int) -> Tensor:
    rows = [[start_id, *row][: len(row)] for row in ids.tolist()]
    return torch.tensor(rows, dtype=ids.dtype).reshape(ids.shape)


def sequence_loss(logits: Tensor, target: Tensor, padding_id: int) -> Tensor:
    losses = [
        -F.log_softmax(logits[b, t], dim=0)[wanted]
        for b, row in enumerate(target.tolist())
        for t, wanted in enumerate(row)
        if wanted != padding_id
    ]
    return torch.stack(losses).mean()
""",
    ),
    write(
        "recursion",
        "writing",
        "a function that calls itself with one column more",
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)

    def more(written, finished, left):
        if left == 0 or all(finished):
            return written[:, 1:]
        best = decode(written, memory, mask)[:, -1].argmax(-1).tolist()
        new = [end_id if over else token for over, token in zip(finished, best, strict=True)]
        column = torch.tensor(new, dtype=source.dtype).reshape(-1, 1)
        return more(torch.cat([written, column], 1), [token == end_id for token in new], left - 1)

    return more(torch.full((len(source), 1), start_id, dtype=source.dtype), [False] * len(source), n_tokens)
""",
    ),
    write(
        "columns in a list",
        "writing",
        "the ids are lists of columns, stacked anew for each call",
        r"""
import itertools


def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)
    columns = [torch.full_like(source[:, 0], start_id)]
    while len(columns) <= n_tokens:
        logits = decode(torch.stack(columns, dim=1), memory, mask)
        best = torch.max(logits[:, -1, :], dim=-1).indices.to(source.dtype)
        past = columns[-1] == end_id
        columns.append(best.masked_fill(past, end_id))
        if not (columns[-1] != end_id).any():
            break
    return torch.stack(list(itertools.islice(columns, 1, None)), dim=1)
""",
    ),
    write(
        "a sheet prepared",
        "writing",
        "a sheet full of ends, filled column by column for the rows that go on",
        r"""
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory, n_items = encode(source, mask), source.shape[0]
    sheet = torch.full((n_items, n_tokens + 1), end_id, dtype=source.dtype)
    sheet[:, 0] = start_id
    going = set(range(n_items))
    width = 1
    while going and width <= n_tokens:
        logits = decode(sheet[:, :width].clone(), memory, mask)
        for b in sorted(going):
            sheet[b, width] = int(logits[b, -1].argmax())
            if sheet[b, width] == end_id:
                going.discard(b)
        width += 1
    return sheet[:, 1:width].clone()
""",
    ),
]
