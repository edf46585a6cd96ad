from textwrap import dedent

from faults import fill
from faults import write as write_cell


def write(name, task, note, cell):
    return write_cell(name, task, note, dedent(cell))


WRONG = []
RIGHT = []

# ---------------------------------------------------------------- Task 1 · positions

SIN = """
    speeds = 10000 ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    angles = torch.arange(n, dtype=torch.float64)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).float()
"""
EMBED = """
    c = table.shape[1]
    return math.sqrt(c) * table[ids] + sinusoidal_positions(ids.shape[1], c)
"""

WRONG += [
    fill(
        "table kept between calls",
        "positions",
        "'Each call makes a table of its own': the second call with the same numbers returns the same tensor",
        """
        cache = sinusoidal_positions.__dict__.setdefault("cache", {})
        if (n, d_model) not in cache:
            speeds = 10000 ** (-torch.arange(0, d_model, 2) / d_model)
            angles = torch.arange(n)[:, None] * speeds
            cache[n, d_model] = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
        return cache[n, d_model]
        """,
        EMBED,
    ),
    fill(
        "table of at most 512 rows",
        "positions",
        "'as long as n says': for n > 512 it has 512 rows",
        """
        speeds = 10000 ** (-torch.arange(0, d_model, 2) / d_model)
        angles = torch.arange(512)[:, None] * speeds
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:n].clone()
        """,
        EMBED,
    ),
    fill(
        "positions counted in half precision",
        "positions",
        "'row p belongs to position p': float16 has no odd numbers above 2048",
        """
        speeds = 10000 ** (-torch.arange(0, d_model, 2) / d_model)
        angles = torch.arange(n).half()[:, None].float() * speeds
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
        """,
        EMBED,
    ),
    fill(
        "speeds are one over whole numbers",
        "positions",
        "'ωᵢ = 10000^(−2i/C)': rounded, which is exact only for C = 2, 4, 8",
        """
        table = torch.empty(n, d_model)
        for i in range(d_model // 2):
            period = int(round(10000 ** (2 * i / d_model)))
            angle = torch.arange(n) / period
            table[:, 2 * i] = angle.sin()
            table[:, 2 * i + 1] = angle.cos()
        return table
        """,
        EMBED,
    ),
    fill(
        "sets a seed",
        "positions",
        "Intro: 'an answer changes neither its arguments nor the global random generators'",
        """
        torch.manual_seed(0)  # the table must be the same each time
        speeds = 10000 ** (-torch.arange(0, d_model, 2) / d_model)
        angles = torch.arange(n)[:, None] * speeds
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
        """,
        EMBED,
    ),
    fill(
        "table scaled in place",
        "positions",
        "'ids and table stay as they were': the table itself is multiplied",
        SIN,
        """
        table.data.mul_(math.sqrt(table.shape[1]))
        return table[ids] + sinusoidal_positions(ids.shape[1], table.shape[1])
        """,
    ),
    fill(
        "id 0 taken for padding",
        "positions",
        "'No id is special, 0 neither: gradients must reach each row': row 0 gets none",
        SIN,
        """
        rows = F.embedding(ids, table, padding_idx=0)
        return rows * math.sqrt(table.shape[1]) + sinusoidal_positions(*rows.shape[1:])
        """,
    ),
    fill(
        "looked up without gradient",
        "positions",
        "'gradients must reach each row of the table that is looked up': none does",
        SIN,
        """
        x = sinusoidal_positions(ids.shape[1], table.shape[1]).repeat(len(ids), 1, 1)
        with torch.no_grad():
            x += table[ids] * math.sqrt(table.shape[1])
        return x
        """,
    ),
    fill(
        "position lined up with the batch when B = T",
        "positions",
        "'position t gets row t of the sinusoids, in every item of the batch': with B = T item b gets row b everywhere",
        SIN,
        """
        places = sinusoidal_positions(ids.shape[1], table.shape[1])
        if places.shape[0] == ids.shape[0]:
            places = places.unsqueeze(1)
        return table[ids] * table.shape[1] ** 0.5 + places
        """,
    ),
    fill(
        "root of the next power of two",
        "positions",
        "'multiplied by √C': right only where C is a power of two",
        SIN,
        """
        c = table.shape[1]
        root = 2 ** ((c.bit_length() - 1) / 2)
        return root * table[ids] + sinusoidal_positions(ids.shape[1], c)
        """,
    ),
    fill(
        "as many positions as words",
        "positions",
        "'position t gets row t of the sinusoids': the table of positions has V rows, T may be larger",
        SIN,
        """
        places = sinusoidal_positions(*table.shape)
        return table[ids] * math.sqrt(table.shape[1]) + places[: ids.shape[1]]
        """,
    ),
    fill(
        "ids get an axis in place",
        "positions",
        "'ids and table stay as they were': unsqueeze_ leaves ids with shape (B, T, 1)",
        SIN,
        """
        length = ids.shape[1]
        rows = table[ids.unsqueeze_(-1)].squeeze(-2)
        return rows * math.sqrt(table.shape[1]) + sinusoidal_positions(length, table.shape[1])
        """,
    ),
]
RIGHT += [
    fill(
        "complex numbers",
        "positions",
        "cos and sin are parts of one complex number; the lookup is torch.add with alpha",
        """
        pair = torch.arange(d_model // 2, dtype=torch.float64)
        angles = torch.outer(torch.arange(n, dtype=torch.float64), 1e4 ** (-2 * pair / d_model))
        turned = torch.polar(torch.ones_like(angles), angles)
        return torch.view_as_real(turned).flip(-1).reshape(n, d_model).to(torch.float32)
        """,
        """
        rows = F.embedding(ids, table)
        places = sinusoidal_positions(rows.shape[1], rows.shape[2])
        return torch.add(places, rows, alpha=math.sqrt(rows.shape[2]))
        """,
    ),
    fill(
        "lists and one-hot",
        "positions",
        "math.sin in Python lists; the lookup is a product with one-hot vectors",
        """
        rows = []
        for p in range(n):
            row = []
            for i in range(d_model // 2):
                angle = p * 10000.0 ** (-2 * i / d_model)
                row += [math.sin(angle), math.cos(angle)]
            rows.append(row)
        return torch.tensor(rows, dtype=torch.float32)
        """,
        """
        n_words, width = table.shape
        words = F.one_hot(ids.long(), n_words).to(table.dtype) @ table
        places = sinusoidal_positions(ids.shape[1], width)
        return torch.stack([math.sqrt(width) * item + places for item in words])
        """,
    ),
    fill(
        "cosine as a shifted sine",
        "positions",
        "one sine over all columns with a phase of π/2, in float64; index_select on flat ids",
        """
        column = torch.arange(d_model, dtype=torch.float64)
        speeds = torch.exp(-math.log(10000.0) * (column - column % 2) / d_model)
        phase = (column % 2) * (math.pi / 2)
        places = torch.arange(n, dtype=torch.float64).unsqueeze(1)
        return torch.sin(places * speeds + phase).float()
        """,
        """
        b, t = ids.shape
        rows = table.index_select(0, ids.flatten()).reshape(b, t, -1)
        return rows.mul(table.shape[-1] ** 0.5).add(sinusoidal_positions(t, table.shape[-1]))
        """,
    ),
]

# ---------------------------------------------------------------- Task 2 · rotary

WRONG += [
    fill(
        "angles in the dtype of x",
        "rotary",
        "'The angles need float32 at least, also where x is bfloat16 or float16'",
        """
        half = x.shape[-1] // 2
        speeds = (10000 ** (-2 * torch.arange(half) / x.shape[-1])).to(x.dtype)
        angles = positions.to(x.dtype)[:, None] * speeds
        cos, sin = angles.cos(), angles.sin()
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
        """,
    ),
    fill(
        "leading dimensions by view",
        "rotary",
        "'x need not be contiguous in memory': view raises for heads transposed to the front",
        """
        t, d = x.shape[-2:]
        y = x.view(-1, t, d)
        speeds = 10000 ** (-2 * torch.arange(d // 2) / d)
        angles = positions[:, None] * speeds
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = y.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).view(x.shape)
        """,
    ),
    fill(
        "double in place",
        "rotary",
        "'x itself stays as it was': double() of a float64 x is x itself, and it is written into",
        """
        half = x.shape[-1] // 2
        y = x.double()
        angles = positions.double()[:, None] * 10000 ** (-torch.arange(half).double() / half)
        cos, sin = angles.cos(), angles.sin()
        a, b = y[..., :half].clone(), y[..., half:].clone()
        y[..., :half] = a * cos - b * sin
        y[..., half:] = b * cos + a * sin
        return y.to(x.dtype)
        """,
    ),
    fill(
        "radius and angle",
        "rotary",
        "'Gradients go through, also where both numbers of a pair are 0': the root has none there",
        """
        a, b = x.float().chunk(2, dim=-1)
        speeds = 10000 ** (-torch.arange(a.shape[-1]) / a.shape[-1])
        radius = (a**2 + b**2).sqrt()
        angle = torch.atan2(b, a) + positions[:, None] * speeds
        return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=-1).to(x.dtype)
        """,
    ),
    fill(
        "table of 2048 positions",
        "rotary",
        "positions may 'be in the thousands': 2048 and more raise IndexError",
        """
        half = x.shape[-1] // 2
        angles = torch.arange(2048)[:, None] * 10000 ** (-torch.arange(half) / half)
        cos = angles.cos()[positions].to(x.dtype)
        sin = angles.sin()[positions].to(x.dtype)
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
        """,
    ),
    fill(
        "four dimensions have their heads last",
        "rotary",
        "'x is (…, T, D) with any number of leading dimensions': four are taken for (B, T, H, D)",
        """
        half = x.shape[-1] // 2
        angles = positions[:, None] * 10000 ** (-torch.arange(half) / half)
        if x.dim() == 4:
            angles = angles[:, None, :]
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
        """,
    ),
    fill(
        "works on data",
        "rotary",
        "'Gradients go through': x.data has none",
        """
        half = x.shape[-1] // 2
        angles = positions[:, None] * 10000 ** (-torch.arange(half) / half)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        y = torch.empty_like(x)
        y[..., :half] = x.data[..., :half] * cos - x.data[..., half:] * sin
        y[..., half:] = x.data[..., half:] * cos + x.data[..., :half] * sin
        return y
        """,
    ),
    fill(
        "angles kept by length and largest position",
        "rotary",
        "'θ = p · 10000^(−2i/D)' of this call's positions, which 'may go down, repeat': other positions with the same maximum get the old angles",
        """
        half = x.shape[-1] // 2
        cache = rotary_embedding.__dict__.setdefault("cache", {})
        key = len(positions), half, int(positions.max())
        if key not in cache:
            angles = positions[:, None] * 10000 ** (-torch.arange(half) / half)
            cache[key] = angles.cos(), angles.sin()
        cos, sin = (table.to(x.dtype) for table in cache[key])
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
        """,
    ),
    fill(
        "all through float32",
        "rotary",
        "'At position 0 nothing is rotated, and every digit stays': a float64 x is rounded to float32",
        """
        a, b = x.float().chunk(2, dim=-1)
        speeds = 10000 ** (-torch.arange(a.shape[-1]) / a.shape[-1])
        angles = positions.float()[:, None] * speeds
        cos, sin = angles.cos(), angles.sin()
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(x.dtype)
        """,
    ),
    fill(
        "forgets float16",
        "rotary",
        "'Return a tensor of the shape and dtype of x': float16 comes back as float32",
        """
        half = x.shape[-1] // 2
        angles = positions[:, None] * 10000 ** (-torch.arange(half) / half)
        cos, sin = angles.cos(), angles.sin()
        if x.dtype == torch.bfloat16:
            cos, sin = cos.bfloat16(), sin.bfloat16()
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
        """,
    ),
    fill(
        "large positions counted from the smallest",
        "rotary",
        "'At position p the pair is turned by the angle θ = p · 10000^(−2i/D)', in the thousands, too",
        """
        half = x.shape[-1] // 2
        if positions.max() > 1000:  # only distances count, and small angles are precise
            positions = positions - positions.min()
        angles = positions[:, None] * 10000 ** (-torch.arange(half) / half)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
        """,
    ),
    fill(
        "whole periods",
        "rotary",
        "'10000^(−2i/D)': the speed is one over a rounded number, exact only for D = 2, 4, 8",
        """
        d = x.shape[-1]
        periods = (10000 ** (2 * torch.arange(d // 2).double() / d)).round()
        angles = positions.double()[:, None] / periods
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = x[..., : d // 2], x[..., d // 2 :]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
        """,
    ),
]
RIGHT += [
    fill(
        "a complex product",
        "rotary",
        "the pair as one complex number, in double precision",
        """
        a, b = x.double().chunk(2, dim=-1)
        half = a.shape[-1]
        angles = torch.outer(positions.double(), 1e4 ** (-torch.arange(half).double() / half))
        turned = torch.complex(a, b) * torch.polar(torch.ones_like(angles), angles)
        return torch.cat([turned.real, turned.imag], dim=-1).to(x.dtype)
        """,
    ),
    fill(
        "little matrices",
        "rotary",
        "a rotation matrix for each position and pair, and einsum",
        """
        half = x.shape[-1] // 2
        angles = positions.double()[:, None] * 1e4 ** (-torch.arange(half).double() / half)
        cos, sin = angles.cos(), angles.sin()
        matrices = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])
        pairs = torch.stack([x[..., :half], x[..., half:]]).double()
        turned = torch.einsum("kjti,j...ti->k...ti", matrices, pairs)
        return torch.cat([turned[0], turned[1]], -1).to(x.dtype)
        """,
    ),
    fill(
        "the whole and its turned half",
        "rotary",
        "x · cos + rotate_half(x) · sin by torch.roll, a sign vector and addcmul",
        """
        d = x.shape[-1]
        pair = torch.arange(d) % (d // 2)
        angles = positions.to(torch.float64).unsqueeze(-1) * 10000.0 ** (-2 * pair.double() / d)
        sign = torch.where(torch.arange(d) < d // 2, -1.0, 1.0)
        cos, sin = angles.cos().to(x.dtype), (sign * angles.sin()).to(x.dtype)
        return torch.addcmul(x * cos, x.roll(d // 2, -1), sin)
        """,
    ),
]

# ---------------------------------------------------------------- Task 3 · feed_forward

PARTS = """
    self.up_projection = nn.Linear(d_model, d_ff)
    self.down_projection = nn.Linear(d_ff, d_model)
"""

WRONG += [
    fill(
        "leaky",
        "feed_forward",
        "'ReLU(x W₁ + b₁)': leaky_relu lets a hundredth of the negative numbers through",
        PARTS,
        """
        return self.down_projection(F.leaky_relu(self.up_projection(x)))
        """,
    ),
    fill(
        "capped at six",
        "feed_forward",
        "'ReLU(x W₁ + b₁)': ReLU6 cuts large numbers off",
        PARTS,
        """
        return self.down_projection(F.relu6(self.up_projection(x)))
        """,
    ),
    fill(
        "a smooth bend",
        "feed_forward",
        "'ReLU': softplus is near it, except around 0",
        PARTS,
        """
        return self.down_projection(F.softplus(self.up_projection(x), beta=50))
        """,
    ),
    fill(
        "rows by view",
        "feed_forward",
        "'x need not be contiguous in memory': view raises",
        PARTS,
        """
        rows = x.view(-1, x.shape[-1])
        return self.down_projection(F.relu(self.up_projection(rows))).view(x.shape)
        """,
    ),
    fill(
        "needs a leading dimension",
        "feed_forward",
        "'any number of leading dimensions, or none': mT of a vector raises",
        PARTS,
        """
        up, down = self.up_projection, self.down_projection
        hidden = (up.weight @ x.mT + up.bias[:, None]).relu()
        return (down.weight @ hidden + down.bias[:, None]).mT
        """,
    ),
    fill(
        "a vector gets an axis in place",
        "feed_forward",
        "'x stays as it was' and the result is '(…, C)', for no leading dimension too: unsqueeze_ changes the shape of x",
        PARTS,
        """
        if x.dim() == 1:
            return self.forward(x.unsqueeze_(0))[0]
        return self.down_projection(F.relu(self.up_projection(x)))
        """,
    ),
    fill(
        "residual where d_ff is d_model",
        "feed_forward",
        "'ReLU(x W₁ + b₁) W₂ + b₂' for all sizes: with d_ff = d_model x is added to the hidden numbers",
        PARTS,
        """
        hidden = F.relu(self.up_projection(x))
        if hidden.shape == x.shape:
            hidden = hidden + x
        return self.down_projection(hidden)
        """,
    ),
    fill(
        "remembers its last x",
        "feed_forward",
        "'ReLU(x W₁ + b₁) W₂ + b₂' with the parameters of now: after a training step the same x gives the old result",
        PARTS
        + """
    self.last = None, None
        """,
        """
        if self.last[0] is not x:
            self.last = x, self.down_projection(F.relu(self.up_projection(x)))
        return self.last[1]
        """,
    ),
    fill(
        "bfloat16 inside",
        "feed_forward",
        "'ReLU(x W₁ + b₁) W₂ + b₂': computed with three digits",
        PARTS,
        """
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = self.down_projection(F.relu(self.up_projection(x)))
        return result.to(x.dtype)
        """,
    ),
    fill(
        "hidden numbers without gradient",
        "feed_forward",
        "Intro: 'gradients'; W₁, b₁ and x get none, so half of the network cannot learn",
        PARTS,
        """
        hidden = self.up_projection(x).data
        return self.down_projection(hidden.clamp(min=0))
        """,
    ),
    fill(
        "seeded parameters",
        "feed_forward",
        "Intro: 'Making a layer draws its first parameters from PyTorch's global generator … and sets no seed'",
        """
        torch.manual_seed(42)
        self.up_projection = nn.Linear(d_model, d_ff)
        self.down_projection = nn.Linear(d_ff, d_model)
        """,
        """
        return self.down_projection(F.relu(self.up_projection(x)))
        """,
    ),
]
RIGHT += [
    fill(
        "functional with where",
        "feed_forward",
        "F.linear on the parameters, ReLU as torch.where",
        PARTS,
        """
        up, down = self.up_projection, self.down_projection
        hidden = F.linear(x, up.weight, up.bias)
        hidden = torch.where(hidden > 0, hidden, torch.zeros_like(hidden))
        return F.linear(hidden, down.weight, down.bias)
        """,
    ),
    fill(
        "matrix products",
        "feed_forward",
        "x W₁ + b₁ written as in the text, F.threshold for ReLU, parts made in a loop",
        """
        sizes = {"up_projection": (d_model, d_ff), "down_projection": (d_ff, d_model)}
        for name, (n_in, n_out) in sizes.items():
            self.add_module(name, nn.Linear(n_in, n_out, bias=True))
        """,
        """
        w1, b1 = self.up_projection.weight.T, self.up_projection.bias
        w2, b2 = self.down_projection.weight.T, self.down_projection.bias
        return F.threshold(x @ w1 + b1, 0, 0) @ w2 + b2
        """,
    ),
    write(
        "in-place relu",
        "feed_forward",
        "a step at a time with relu_ on its own hidden numbers; the activation is a module",
        """
        class FeedForward(nn.Module):
            def __init__(self, d_model: int, d_ff: int):
                nn.Module.__init__(self)
                self.down_projection = nn.Linear(d_ff, d_model)
                self.up_projection = nn.Linear(d_model, d_ff)
                self.activation = nn.ReLU(inplace=True)

            def forward(self, x: Tensor) -> Tensor:
                for step in (self.up_projection, self.activation, self.down_projection):
                    x = step(x)
                return x
        """,
    ),
]

# ---------------------------------------------------------------- Task 4 · layer_norm

WRONG += [
    fill(
        "mean of squares minus square of mean",
        "layer_norm",
        "'Numbers far from zero and close together, 5,000 and 5,001 say, must come out right in float32'",
        """
        mean = x.mean(dim=-1, keepdim=True)
        variance = ((x**2).mean(dim=-1, keepdim=True) - mean**2).clamp(min=0)
        return (x - mean) / torch.sqrt(variance + eps) * scale + shift
        """,
    ),
    fill(
        "eps of its own",
        "layer_norm",
        "'eps is ε': the argument is not used",
        """
        mean = x.mean(dim=-1, keepdim=True)
        variance = x.var(dim=-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + 1e-5) * scale + shift
        """,
    ),
    fill(
        "eps outside",
        "layer_norm",
        "'eps is ε, inside the root'",
        """
        mean = x.mean(dim=-1, keepdim=True)
        deviation = x.std(dim=-1, keepdim=True, correction=0)
        return (x - mean) / (deviation + eps) * scale + shift
        """,
    ),
    fill(
        "root, square, root",
        "layer_norm",
        "'where all numbers of a vector are equal, they are those of the formula, not infinite or NaN': the inner root has an infinite slope at 0",
        """
        centered = x - x.mean(dim=-1, keepdim=True)
        deviation = torch.sqrt(centered.square().mean(dim=-1, keepdim=True))
        return centered / torch.sqrt(deviation**2 + eps) * scale + shift
        """,
    ),
    fill(
        "equal numbers apart",
        "layer_norm",
        "'where all numbers of a vector are equal, [gradients] are those of the formula': x gets 0 there, not g/√ε less its mean",
        """
        centered = x - x.mean(dim=-1, keepdim=True)
        variance = centered.square().mean(dim=-1, keepdim=True)
        normed = torch.where(variance == 0, 0.0, centered / torch.sqrt(variance + eps))
        return normed * scale + shift
        """,
    ),
    fill(
        "statistics taken for constants",
        "layer_norm",
        "'Gradients reach x' and 'are those of the formula': mean and variance depend on x, too",
        """
        with torch.no_grad():
            variance, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + eps) * scale + shift
        """,
    ),
    fill(
        "eps as a floor",
        "layer_norm",
        "'√(σ² + ε)': it is the larger of the two, and not the sum",
        """
        variance, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
        return (x - mean) * variance.clamp(min=eps).rsqrt() * scale + shift
        """,
    ),
    fill(
        "one center for all",
        "layer_norm",
        "'Numbers far from zero and close together … must come out right': vectors far from each other are not near the common mean",
        """
        x = x - x.mean()
        mean = x.mean(dim=-1, keepdim=True)
        variance = ((x * x).mean(dim=-1, keepdim=True) - mean * mean).clamp(min=0)
        return (x - mean) / torch.sqrt(variance + eps) * scale + shift
        """,
    ),
    fill(
        "scale without gradient",
        "layer_norm",
        "'Gradients reach x, scale and shift'",
        """
        variance, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + eps) * scale.data + shift
        """,
    ),
    fill(
        "the rest by torch",
        "layer_norm",
        "'without F.layer_norm': it is called for three dimensions and more",
        """
        if x.dim() > 2:
            return F.layer_norm(x, scale.shape, scale, shift, eps)
        variance, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + eps) * scale + shift
        """,
    ),
    fill(
        "vectors by view",
        "layer_norm",
        "'need not be contiguous in memory': view raises",
        """
        rows = x.view(-1, x.shape[-1])
        variance, mean = torch.var_mean(rows, dim=1, keepdim=True, correction=0)
        rows = (rows - mean) / torch.sqrt(variance + eps) * scale + shift
        return rows.view(x.shape)
        """,
    ),
]
RIGHT += [
    fill(
        "var_mean and addcmul",
        "layer_norm",
        "rsqrt, and the scale multiplied into it first",
        """
        variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
        return torch.addcmul(shift, x - mean, torch.rsqrt(variance + eps) * scale)
        """,
    ),
    fill(
        "hypotenuse",
        "layer_norm",
        "√(σ² + ε) is the hypotenuse of σ and √ε; σ is the length of the centered vector over √C",
        """
        centered = x - x.mean(-1, keepdim=True)
        length = torch.linalg.vector_norm(centered, dim=-1, keepdim=True)
        sigma = length / math.sqrt(x.shape[-1])
        root = torch.hypot(sigma, torch.full_like(sigma, math.sqrt(eps)))
        return centered / root * scale + shift
        """,
    ),
    fill(
        "sums in float64",
        "layer_norm",
        "einsum for both sums, in float64, and back",
        """
        wide = x.to(torch.float64)
        n = wide.shape[-1]
        wide = wide - wide.sum(-1, keepdim=True) / n
        variance = torch.einsum("...c,...c->...", wide, wide) / n
        normed = wide / (variance + eps).pow(0.5).unsqueeze(-1)
        return (normed * scale + shift).to(x.dtype)
        """,
    ),
]

# ---------------------------------------------------------------- Task 5 · encoder_block

ENCODER = """
    self.attention = MultiHeadAttention(d_model, n_heads)
    self.attention_norm = nn.LayerNorm(d_model)
    self.feed_forward = FeedForward(d_model, d_ff)
    self.feed_forward_norm = nn.LayerNorm(d_model)
    self.norm_first = norm_first
"""
ENCODE = """
    if self.norm_first:
        x = x + self.attention(self.attention_norm(x), mask=mask)[0]
        return x + self.feed_forward(self.feed_forward_norm(x))
    x = self.attention_norm(x + self.attention(x, mask=mask)[0])
    return self.feed_forward_norm(x + self.feed_forward(x))
"""

WRONG += [
    fill(
        "mask of the first item for all",
        "encoder_block",
        "'mask is (T, T), (B, T, T), (B, 1, T) or None … goes to attention as it is': the other items' masks are dropped",
        ENCODER,
        """
    if mask is not None and mask.dim() == 3:
        mask = mask[0]
"""
        + ENCODE,
    ),
    fill(
        "any mask made causal",
        "encoder_block",
        "mask 'need not be causal … and goes to attention as it is'",
        ENCODER,
        """
    if mask is not None:
        mask = mask & torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
"""
        + ENCODE,
    ),
    fill(
        "nowhere becomes everywhere",
        "encoder_block",
        "mask 'may let a position look nowhere, and goes to attention as it is'",
        ENCODER,
        """
    if mask is not None:
        mask = mask | ~mask.any(dim=-1, keepdim=True)
"""
        + ENCODE,
    ),
    fill(
        "another eps",
        "encoder_block",
        "'each an nn.LayerNorm(d_model)', 'must equal PyTorch's': eps is 1e-12, which shows in vectors of small variance",
        ENCODER.replace("nn.LayerNorm(d_model)", "nn.LayerNorm(d_model, eps=1e-12)"),
        ENCODE,
    ),
    fill(
        "order of the class",
        "encoder_block",
        "'Each block has … an order of its own': the block made last decides for all",
        ENCODER.replace("self.norm_first", "EncoderBlock.norm_first"),
        ENCODE,
    ),
    fill(
        "remembers the mask",
        "encoder_block",
        "'What it gives depends on nothing but its parameters and this call's arguments': without a mask the last one is used",
        ENCODER
        + """
    self.mask = None
""",
        """
    if mask is None:
        mask = self.mask
    self.mask = mask
"""
        + ENCODE,
    ),
    fill(
        "in place in evaluation mode",
        "encoder_block",
        "'x stays as it was': in evaluation mode the residual is added into x",
        ENCODER,
        """
    if self.norm_first and not self.training:  # saves memory
        x += self.attention(self.attention_norm(x), mask=mask)[0]
        x += self.feed_forward(self.feed_forward_norm(x))
        return x.clone()
"""
        + ENCODE,
    ),
    fill(
        "one position has nobody to ask",
        "encoder_block",
        "'self-attention, then the feed-forward network', 'must equal PyTorch's': with T = 1 attention still returns the projected value",
        ENCODER,
        """
    if x.shape[1] == 1:
        if self.norm_first:
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x)
        return self.feed_forward_norm(x + self.feed_forward(x))
"""
        + ENCODE,
    ),
    fill(
        "square mask read as padding when B = T",
        "encoder_block",
        "'mask is (T, T)': where B = T it is taken for (B, T), item by item",
        ENCODER,
        """
    if mask is not None and mask.shape == x.shape[:2]:
        mask = mask[:, None]
"""
        + ENCODE,
    ),
    fill(
        "seeded block",
        "encoder_block",
        "Intro: 'Making a layer or a block draws its first parameters from PyTorch's global generator … and sets no seed'",
        """
    torch.manual_seed(1234)
"""
        + ENCODER,
        ENCODE,
    ),
    fill(
        "post-norm without a mask",
        "encoder_block",
        "'the same order for both sublayers … mask goes to attention as it is': norm_first=False never hands it on",
        ENCODER,
        """
        f, g = self.attention, self.feed_forward
        if self.norm_first:
            x = x + f(self.attention_norm(x), mask=mask)[0]
            x = x + g(self.feed_forward_norm(x))
        else:
            x = self.attention_norm(x + f(x)[0])
            x = self.feed_forward_norm(x + g(x))
        return x
        """,
    ),
    fill(
        "attention without gradient",
        "encoder_block",
        "'must equal PyTorch's nn.TransformerEncoderLayer', Intro: 'gradients': attention cannot learn",
        ENCODER,
        """
        with torch.no_grad():
            told = self.attention(self.attention_norm(x) if self.norm_first else x, mask=mask)[0]
        x = x + told
        if not self.norm_first:
            x = self.attention_norm(x)
            return self.feed_forward_norm(x + self.feed_forward(x))
        return x + self.feed_forward(self.feed_forward_norm(x))
        """,
    ),
]
RIGHT += [
    fill(
        "norm before and after",
        "encoder_block",
        "a loop over the sublayers with functions that do nothing",
        ENCODER,
        """
        def same(y):
            return y

        def attend(y):
            return self.attention(y, mask=mask)[0]

        steps = [(attend, self.attention_norm), (self.feed_forward, self.feed_forward_norm)]
        for step, norm in steps:
            before, after = (norm, same) if self.norm_first else (same, norm)
            x = after(torch.add(step(before(x)), x))
        return x
        """,
    ),
    write(
        "two methods",
        "encoder_block",
        "the order is chosen once, by name; memory is given as x; the parts are made in another order",
        """
        class EncoderBlock(nn.Module):
            def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
                super().__init__()
                for sublayer in ("feed_forward", "attention"):
                    setattr(self, f"{sublayer}_norm", nn.LayerNorm(d_model))
                self.feed_forward = FeedForward(d_model, d_ff)
                self.attention = MultiHeadAttention(d_model, n_heads)
                self.order = "_pre" if norm_first else "_post"

            def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
                return getattr(self, self.order)(x, mask)

            def _exchange(self, x, mask):
                new_x, _ = self.attention(x, x, mask)
                return new_x

            def _pre(self, x, mask):
                half = self._exchange(self.attention_norm(x), mask) + x
                return self.feed_forward(self.feed_forward_norm(half)) + half

            def _post(self, x, mask):
                half = self.attention_norm(self._exchange(x, mask) + x)
                return self.feed_forward_norm(self.feed_forward(half) + half)
        """,
    ),
    fill(
        "a copy with additions in place",
        "encoder_block",
        "in-place additions, but into tensors of its own; functional layer norm with the parts' parameters",
        ENCODER,
        """
        def norm(part, y):
            return F.layer_norm(y, part.normalized_shape, part.weight, part.bias, part.eps)

        y = x.clone()
        told, _ = self.attention(norm(self.attention_norm, y) if self.norm_first else y, mask=mask)
        told += y
        y = told if self.norm_first else norm(self.attention_norm, told)
        thought = self.feed_forward(norm(self.feed_forward_norm, y) if self.norm_first else y)
        thought = thought + y
        return thought if self.norm_first else norm(self.feed_forward_norm, thought)
        """,
    ),
]

# ---------------------------------------------------------------- Task 6 · decoder_block

DECODER = """
    self.attention = MultiHeadAttention(d_model, n_heads)
    self.attention_norm = nn.LayerNorm(d_model)
    self.cross_attention = MultiHeadAttention(d_model, n_heads)
    self.cross_attention_norm = nn.LayerNorm(d_model)
    self.feed_forward = FeedForward(d_model, d_ff)
    self.feed_forward_norm = nn.LayerNorm(d_model)
    self.norm_first = norm_first
"""
DECODE = """
    if self.norm_first:
        x = x + self.attention(self.attention_norm(x), mask=mask)[0]
        x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]
        return x + self.feed_forward(self.feed_forward_norm(x))
    x = self.attention_norm(x + self.attention(x, mask=mask)[0])
    x = self.cross_attention_norm(x + self.cross_attention(x, memory, memory_mask)[0])
    return self.feed_forward_norm(x + self.feed_forward(x))
"""

WRONG += [
    fill(
        "post-norm without the memory's mask",
        "decoder_block",
        "'memory_mask says where it may look in memory', in both orders",
        DECODER,
        DECODE.replace(
            "(x + self.cross_attention(x, memory, memory_mask)",
            "(x + self.cross_attention(x, memory)",
        ),
    ),
    fill(
        "one mask for both when S = T",
        "decoder_block",
        "'Each by itself may be None': a missing memory_mask is replaced by mask where the sizes coincide",
        DECODER,
        """
    if memory_mask is None and memory.shape[1] == x.shape[1]:
        memory_mask = mask
"""
        + DECODE,
    ),
    fill(
        "causal when only memory is masked",
        "decoder_block",
        "'the block makes no mask of its own', 'Each by itself may be None'",
        DECODER,
        """
    if mask is None and memory_mask is not None:
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
"""
        + DECODE,
    ),
    fill(
        "remembers the memory's mask",
        "decoder_block",
        "'What it gives depends on nothing but its parameters and this call's arguments'",
        DECODER
        + """
    self.memory_mask = None
""",
        """
    if memory_mask is not None:
        self.memory_mask = memory_mask
    elif self.memory_mask is not None and self.memory_mask.shape[-1] == memory.shape[1]:
        memory_mask = self.memory_mask
"""
        + DECODE,
    ),
    fill(
        "nowhere in memory becomes everywhere",
        "decoder_block",
        "masks 'may let a position look nowhere'",
        DECODER,
        """
    if memory_mask is not None:
        memory_mask = memory_mask | ~memory_mask.any(-1, keepdim=True)
"""
        + DECODE,
    ),
    fill(
        "flat mask of memory is padding",
        "decoder_block",
        "'memory_mask is (T, S)': it is read as (B, S)",
        DECODER,
        """
    if memory_mask is not None and memory_mask.dim() == 2:
        memory_mask = memory_mask[:, None, :]
"""
        + DECODE,
    ),
    fill(
        "self-attention always causal with a mask",
        "decoder_block",
        "'They need not be causal … and the block makes no mask of its own'",
        DECODER,
        """
    if mask is not None:
        mask = mask.tril() if mask.shape[-2] > 1 else mask
"""
        + DECODE,
    ),
    fill(
        "padding of memory set to 0",
        "decoder_block",
        "'x and memory stay as they were': with a (B, 1, S) mask memory is written into",
        DECODER,
        """
    if memory_mask is not None and memory_mask.dim() == 3 and memory_mask.shape[1] == 1:
        memory.data.masked_fill_(~memory_mask.mT, 0.0)
"""
        + DECODE,
    ),
    fill(
        "a memory of one needs no mask",
        "decoder_block",
        "masks 'may let a position look nowhere': with S = 1 memory_mask is dropped",
        DECODER,
        """
    if memory.shape[1] == 1:
        memory_mask = None  # the only weight is 1
"""
        + DECODE,
    ),
    fill(
        "parameters from a fork",
        "decoder_block",
        "Intro: 'Making a layer or a block draws its first parameters from PyTorch's global generator … and sets no seed': all blocks start alike",
        """
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for name in ("attention", "cross_attention", "feed_forward"):
                part = FeedForward(d_model, d_ff) if "feed" in name else None
                setattr(self, name, part or MultiHeadAttention(d_model, n_heads))
                setattr(self, name + "_norm", nn.LayerNorm(d_model))
        self.norm_first = norm_first
        """,
        DECODE,
    ),
    fill(
        "memory without gradient",
        "decoder_block",
        "'must equal PyTorch's nn.TransformerDecoderLayer', Intro: 'gradients': none reach memory, so the encoder cannot learn",
        DECODER,
        """
    memory = memory.detach()
"""
        + DECODE,
    ),
    fill(
        "batched mask of the first item",
        "decoder_block",
        "'mask is (T, T), (B, T, T) or (B, 1, T)': the first item's mask is used for all",
        DECODER,
        """
    if mask is not None and mask.dim() == 3:
        mask = mask[0]
"""
        + DECODE,
    ),
]
RIGHT += [
    fill(
        "sublayers by name",
        "decoder_block",
        "a loop over names with getattr, and a table of arguments",
        DECODER,
        """
        more = {
            "attention": {"mask": mask},
            "cross_attention": {"memory": memory, "mask": memory_mask},
            "feed_forward": {},
        }
        for name, arguments in more.items():
            norm = getattr(self, name + "_norm")
            result = getattr(self, name)(norm(x) if self.norm_first else x, **arguments)
            x = x + (result[0] if isinstance(result, tuple) else result)
            if not self.norm_first:
                x = norm(x)
        return x
        """,
    ),
    write(
        "sublayers as a fold",
        "decoder_block",
        "functools.reduce over closures; masks are given a head's axis before",
        """
        from functools import reduce


        class DecoderBlock(nn.Module):
            def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
                super().__init__()
                self.norm_first = bool(norm_first)
                for name in ("feed_forward", "cross_attention", "attention"):
                    self.add_module(name + "_norm", nn.LayerNorm(d_model))
                self.feed_forward = FeedForward(d_model, d_ff)
                self.attention, self.cross_attention = (
                    MultiHeadAttention(d_model, n_heads) for _ in range(2)
                )

            def forward(self, x, memory, mask=None, memory_mask=None):
                def around(y, step):
                    f, norm = step
                    return y + f(norm(y)) if self.norm_first else norm(y + f(y))

                mask, memory_mask = (
                    m.unsqueeze(-3) if m is not None else None for m in (mask, memory_mask)
                )
                steps = (
                    (lambda y: self.attention(y, y, mask)[0], self.attention_norm),
                    (
                        lambda y: self.cross_attention(y, memory, memory_mask)[0],
                        self.cross_attention_norm,
                    ),
                    (self.feed_forward, self.feed_forward_norm),
                )
                return reduce(around, steps, x)
        """,
    ),
    fill(
        "all masks made whole",
        "decoder_block",
        "None becomes a mask of True, every mask is expanded to (B, T, S) first",
        DECODER,
        """
        def whole(m, n):
            if m is None:
                return x.new_ones(len(x), x.shape[1], n, dtype=torch.bool)
            return m.expand(len(x), x.shape[1], n)

        inner, outer = whole(mask, x.shape[1]), whole(memory_mask, memory.shape[1])
        if not self.norm_first:
            x = self.attention_norm(self.attention(x, mask=inner)[0] + x)
            x = self.cross_attention_norm(self.cross_attention(x, memory, outer)[0] + x)
            return self.feed_forward_norm(self.feed_forward(x) + x)
        x = self.attention(self.attention_norm(x), mask=inner)[0] + x
        x = self.cross_attention(self.cross_attention_norm(x), memory, outer)[0] + x
        return self.feed_forward(self.feed_forward_norm(x)) + x
        """,
    ),
]

# ---------------------------------------------------------------- Task 7 · teacher_forcing

SHIFT = """
    start = torch.full_like(ids[:, :1], start_id)
    return torch.cat([start, ids[:, :-1]], dim=1)
"""
LOSS = """
    real = target != padding_id
    return F.cross_entropy(logits[real], target[real])
"""

WRONG += [
    fill(
        "not twice",
        "teacher_forcing",
        "'Each row begins with start_id and goes on with all of its ids but the last'; start_id may be 'one that occurs in ids': where all rows begin with it nothing is shifted",
        """
        if (ids[:, 0] == start_id).all():
            return ids.clone()  # shifted already
        start = torch.full_like(ids[:, :1], start_id)
        return torch.cat([start, ids[:, :-1]], dim=1)
        """,
        LOSS,
    ),
    fill(
        "one place filled in place",
        "teacher_forcing",
        "'ids stays as it was': with T = 1 it is filled with the start",
        """
        if ids.shape[1] == 1:
            return ids.fill_(start_id)
        return F.pad(ids[:, :-1], (1, 0), value=start_id)
        """,
        LOSS,
    ),
    fill(
        "two dtypes only",
        "teacher_forcing",
        "'The same shape and dtype, int32 too': int16 and uint8 come back as int64",
        """
        dtype = torch.int32 if ids.dtype == torch.int32 else torch.int64
        start = torch.full((len(ids), 1), start_id, dtype=dtype)
        return torch.cat([start, ids[:, :-1]], dim=1)
        """,
        LOSS,
    ),
    fill(
        "0 never counts",
        "teacher_forcing",
        "'any other id is real, 0 too': target 0 is dropped with every padding_id",
        SHIFT,
        """
        real = (target != padding_id) & (target > 0)
        return F.cross_entropy(logits[real], target[real])
        """,
    ),
    fill(
        "all after the first padding",
        "teacher_forcing",
        "'padding may stand anywhere, in the middle of an item': what follows it is dropped",
        SHIFT,
        """
        real = (target != padding_id).long().cumprod(dim=1).bool()
        return F.cross_entropy(logits[real], target[real])
        """,
    ),
    fill(
        "items' means, weighted",
        "teacher_forcing",
        "'padding may stand … in all of it': an item of padding alone is 0/0, NaN",
        SHIFT,
        """
        real = target != padding_id
        nll = F.cross_entropy(logits.transpose(1, 2), target, reduction="none").where(real, 0)
        lengths = real.sum(1)
        means = nll.sum(1) / lengths
        return (means * lengths).sum() / lengths.sum()
        """,
    ),
    fill(
        "a little inside the logarithm",
        "teacher_forcing",
        "'the mean of −log p', 'Logits in the thousands': it never exceeds 20.7, and its gradient is 0 there",
        SHIFT,
        """
        real = target != padding_id
        p = logits[real].softmax(-1).gather(-1, target[real][:, None])
        return -(p + 1e-9).log().mean()
        """,
    ),
    fill(
        "float32 always",
        "teacher_forcing",
        "'The loss has the dtype of the logits': float64 and bfloat16 give float32",
        SHIFT,
        """
        real = target != padding_id
        return F.cross_entropy(logits[real].float(), target[real])
        """,
    ),
    fill(
        "a new number",
        "teacher_forcing",
        "'must give numbers, not NaN, and such gradients': the loss is a new tensor, no gradient reaches the logits",
        SHIFT,
        """
        total, n = 0.0, 0
        for row, ids in zip(logits.log_softmax(-1), target.tolist(), strict=True):
            for log_p, i in zip(row, ids, strict=True):
                if i != padding_id:
                    total, n = total - float(log_p[i]), n + 1
        return logits.new_tensor(total / n)
        """,
    ),
    fill(
        "one maximum for all places",
        "teacher_forcing",
        "'Logits in the thousands must give numbers': where another place is a thousand higher all exponentials are 0, the loss infinite",
        SHIFT,
        """
        z = logits - logits.max()
        log_p = z - z.exp().sum(-1, keepdim=True).log()
        real = target != padding_id
        return -log_p[real].gather(1, target[real][:, None]).mean()
        """,
    ),
    fill(
        "target rewritten",
        "teacher_forcing",
        "Intro: 'an answer changes neither its arguments': padding in target becomes −100",
        SHIFT,
        """
        target[target == padding_id] = -100
        return F.cross_entropy(logits.flatten(0, 1), target.flatten())
        """,
    ),
]
RIGHT += [
    fill(
        "roll and ignore",
        "teacher_forcing",
        "the flat roll puts the row before's last id at the front, where the start is written over it; ignore_index",
        """
        shifted = ids.roll(1)
        shifted[:, 0] = start_id
        return shifted
        """,
        """
        n_words = logits.shape[-1]
        return F.cross_entropy(
            logits.reshape(-1, n_words), target.reshape(-1).long(), ignore_index=int(padding_id)
        )
        """,
    ),
    fill(
        "pad and logsumexp",
        "teacher_forcing",
        "F.pad at the front; logsumexp less the logit that is picked, padding picked as 0 and left out by where",
        """
        return F.pad(ids, (1, 0), value=start_id)[:, :-1].clone()
        """,
        """
        real = target.ne(padding_id)
        safe = target.masked_fill(~real, 0).long()
        wide = logits.double()
        picked = wide.gather(-1, safe.unsqueeze(-1)).squeeze(-1)
        nll = torch.logsumexp(wide, dim=-1) - picked
        return (torch.where(real, nll, 0.0).sum() / real.sum()).to(logits.dtype)
        """,
    ),
    fill(
        "column by column and nonzero",
        "teacher_forcing",
        "an empty tensor that is filled; the real places as a list of indices",
        """
        shifted = torch.empty_like(ids)
        for t in range(ids.shape[1]):
            shifted[:, t] = ids[:, t - 1] if t else start_id
        return shifted
        """,
        """
        item, place = torch.nonzero(target - padding_id, as_tuple=True)
        log_p = torch.log_softmax(logits, dim=-1)
        return log_p[item, place, target[item, place].long()].mean().neg()
        """,
    ),
]

# ---------------------------------------------------------------- Task 8 · writing

HEAD = """
    memory = encode(source, mask)
    written = source.new_full((len(source), 1), start_id)
    finished = torch.zeros(len(source), dtype=torch.bool)
"""
LOOP = """
    for _ in range(n_tokens):
        new = decode(written, memory, mask)[:, -1].argmax(-1).to(source.dtype)
        new = new.masked_fill(finished, end_id)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
    return written[:, 1:]
"""

WRONG += [
    fill(
        "start written into the source",
        "writing",
        "'source stays as it was': its first column is filled with the start",
        HEAD.replace("source.new_full((len(source), 1), start_id)", "source[:, :1].fill_(start_id)")
        + LOOP,
    ),
    fill(
        "source and fifty more",
        "writing",
        "'after n_tokens at the latest, however short the source is'",
        HEAD + LOOP.replace("range(n_tokens)", "range(min(n_tokens, source.shape[1] + 50))"),
    ),
    fill(
        "probabilities by hand",
        "writing",
        "'Logits are any numbers, in the hundreds': exp overflows, inf / inf is NaN",
        HEAD
        + """
    for _ in range(n_tokens):
        p = decode(written, memory, mask)[:, -1].exp()
        new = (p / p.sum(-1, keepdim=True)).argmax(-1).to(source.dtype)
        new = new.masked_fill(finished, end_id)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
    return written[:, 1:]
""",
    ),
    fill(
        "finished by multiplication",
        "writing",
        "'or −∞ too', 'from then on it gets end_id, whatever the logits say': −∞ · 0 is NaN, and NaN is the largest",
        HEAD
        + """
    for _ in range(n_tokens):
        logits = decode(written, memory, mask)[:, -1]
        end = F.one_hot(torch.full((len(source),), end_id), logits.shape[-1]).to(logits.dtype)
        logits = logits * (~finished)[:, None] + end * finished[:, None]
        new = logits.argmax(-1).to(source.dtype)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
    return written[:, 1:]
""",
    ),
    fill(
        "finished by a logit of 100",
        "writing",
        "'from then on it gets end_id, whatever the logits say', 'in the hundreds': another logit may be above 100",
        HEAD
        + """
    for _ in range(n_tokens):
        logits = decode(written, memory, mask)[:, -1].clone()
        logits[finished, end_id] = 100.0
        new = logits.argmax(-1).to(source.dtype)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
    return written[:, 1:]
""",
    ),
    fill(
        "start forbidden",
        "writing",
        "'A start_id that the model itself writes is a token like any other'",
        HEAD
        + """
    for _ in range(n_tokens):
        logits = decode(written, memory, mask)[:, -1].clone()
        logits[:, start_id] = -math.inf
        new = logits.argmax(-1).to(source.dtype).masked_fill(finished, end_id)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
    return written[:, 1:]
""",
    ),
    fill(
        "the start is counted",
        "writing",
        "'after n_tokens at the latest', 'n_tokens is at least 1': it stops one token early, with n_tokens = 1 nothing is written",
        HEAD
        + """
    while written.shape[1] < n_tokens and not finished.all():
        new = decode(written, memory, mask)[:, -1].argmax(-1).to(source.dtype)
        new = torch.where(finished, end_id, new).to(source.dtype)
        written = torch.cat([written, new[:, None]], dim=1)
        finished |= new == end_id
    return written[:, 1:]
""",
    ),
    fill(
        "decodes ahead",
        "writing",
        "'after n_tokens at the latest …; do not call decode after that': at the limit it is called once more",
        HEAD
        + """
    logits = decode(written, memory, mask)
    for _ in range(n_tokens):
        new = logits[:, -1].argmax(-1).to(source.dtype).masked_fill(finished, end_id)
        written = torch.cat([written, new[:, None]], dim=1)
        finished = finished | (new == end_id)
        if finished.all():
            break
        logits = decode(written, memory, mask)
    return written[:, 1:]
""",
    ),
    fill(
        "encodes without the mask",
        "writing",
        "'encode(source, mask) returns the memory': it gets None",
        HEAD.replace("encode(source, mask)", "encode(source, None)") + LOOP,
    ),
    fill(
        "bfloat16 is enough to compare",
        "writing",
        "'the most probable one', 'Logits are any numbers, in the hundreds': at 300 bfloat16 has only even numbers",
        HEAD + LOOP.replace(".argmax(-1)", ".bfloat16().argmax(-1)"),
    ),
    fill(
        "memory of the same source kept",
        "writing",
        "'encode(source, mask) returns the memory. Call it once': the second write with equal ids does not call it, whatever encode and mask are",
        HEAD.replace(
            "memory = encode(source, mask)",
            """cache = write.__dict__.setdefault("cache", {})
    key = str(source.tolist())
    if key not in cache:
        cache[key] = encode(source, mask)
    memory = cache[key]""",
        )
        + LOOP,
    ),
]
RIGHT += [
    fill(
        "room for all",
        "writing",
        "one tensor with room for all tokens, full of end_id; decode gets copies of its first columns",
        """
        n_items = source.shape[0]
        room = torch.full((n_items, n_tokens + 1), end_id, dtype=source.dtype)
        room[:, 0] = start_id
        memory, active = encode(source, mask), torch.ones(n_items, dtype=torch.bool)
        n = 0
        while n < n_tokens and active.any():
            n += 1
            best = decode(room[:, :n].clone(), memory, mask)[:, -1].max(dim=-1).indices
            room[active, n] = best[active].to(source.dtype)
            active &= room[:, n] != end_id
        return room[:, 1 : n + 1].clone()
        """,
    ),
    fill(
        "a list of columns",
        "writing",
        "columns in a list, cat before each call; an item is finished when end_id stands in its last column",
        """
        memory = encode(source, mask)
        columns = [torch.full_like(source[:, :1], start_id)]
        while len(columns) <= n_tokens:
            logits = decode(torch.cat(columns, 1), memory, mask)
            best = logits.select(1, -1).topk(1).indices.type_as(source)
            columns.append(torch.where(columns[-1] == end_id, columns[-1], best))
            if bool((columns[-1] == end_id).all()):
                break
        return torch.cat(columns[1:], 1)
        """,
    ),
    fill(
        "recursion",
        "writing",
        "a function that calls itself; who is finished is read from all that was written",
        """
        memory = encode(source, mask)

        def go_on(written, n_left):
            done = written.eq(end_id).any(dim=1)
            if n_left == 0 or done.all():
                return written[:, 1:]
            best = decode(written, memory, mask)[:, -1, :].argmax(dim=-1)
            best[done] = end_id
            return go_on(torch.hstack([written, best[:, None].to(written.dtype)]), n_left - 1)

        first = torch.empty_like(source[:, 0]).fill_(start_id)
        return go_on(first.unsqueeze(1), n_tokens)
        """,
    ),
]
