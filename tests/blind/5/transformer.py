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
TABLE = """
place = torch.arange(n, dtype=torch.float32)[:, None]
speed = 10000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float32) / d_model)
angles = place * speed
return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
"""
EMBED = """
width = table.shape[1]
return table[ids] * math.sqrt(width) + sinusoidal_positions(ids.shape[1], width)
"""
WRONG += [
    write(
        "positions: tables are kept",
        "positions",
        "'Each call makes a table of its own'",
        """
          import functools


          @functools.cache
          def sinusoidal_positions(n: int, d_model: int) -> Tensor:
              place = torch.arange(n, dtype=torch.float32)[:, None]
              speed = 10000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float32) / d_model)
              angles = place * speed
              return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


          def embed(ids: Tensor, table: Tensor) -> Tensor:
              width = table.shape[1]
              return table[ids] * math.sqrt(width) + sinusoidal_positions(ids.shape[1], width)
          """,
    ),
    fill(
        "positions: at most 512",
        "positions",
        "'as long as n says', positions 0 … n − 1",
        change(
            TABLE,
            ("torch.arange(n, dtype=torch.float32)", "torch.arange(512, dtype=torch.float32)"),
            ("flatten(1)", "flatten(1)[:n]"),
        ),
        EMBED,
    ),
    fill(
        "positions: places in half",
        "positions",
        "'row p belongs to position p': float16 has no odd numbers above 2048",
        change(TABLE, ("torch.arange(n, dtype=torch.float32)", "torch.arange(n).half().float()")),
        EMBED,
    ),
    fill(
        "positions: places in a byte",
        "positions",
        "'row p belongs to position p = 0 … n − 1': 256 is 0 again",
        change(
            TABLE,
            ("torch.arange(n, dtype=torch.float32)", "torch.arange(n).to(torch.uint8).float()"),
        ),
        EMBED,
    ),
    fill(
        "embed: row 0 is padding",
        "positions",
        "'No id is special, 0 neither: gradients must reach each row of the table that is looked up'",
        TABLE,
        change(EMBED, ("table[ids]", "F.embedding(ids, table, padding_idx=0)")),
    ),
    fill(
        "embed: a pretrained embedding",
        "positions",
        "'gradients must reach each row': from_pretrained freezes",
        TABLE,
        change(EMBED, ("table[ids]", "nn.Embedding.from_pretrained(table)(ids)")),
    ),
    fill(
        "embed: scales the table in place",
        "positions",
        "'ids and table stay as they were'",
        TABLE,
        """
         width = table.shape[1]
         if table.requires_grad:
             rows = (table * width**0.5)[ids]
         else:
             rows = table.mul_(width**0.5)[ids]
         return rows + sinusoidal_positions(ids.shape[1], width)
         """,
    ),
    fill(
        "embed: one gradient for a repeated id",
        "positions",
        "an id may come twice: its row gets the gradient of both places",
        TABLE,
        """
         width = table.shape[1]
         rows = table[ids] * width**0.5
         flat, first = ids.flatten().tolist(), []
         for k, i in enumerate(flat):
             first.append(flat.index(i) == k)
         first = torch.tensor(first).view(*ids.shape, 1)
         rows = torch.where(first, rows, rows.detach())
         return rows + sinusoidal_positions(ids.shape[1], width)
         """,
    ),
]
RIGHT += [
    fill("positions: usual", "positions", "stack and flatten", TABLE, EMBED),
    fill(
        "positions: empty table filled",
        "positions",
        "float64 inside, strided columns; one-hot product",
        """
         table = torch.empty(n, d_model)
         speed = torch.exp(torch.arange(d_model // 2).double() * (-2 * math.log(10000) / d_model))
         angles = torch.outer(torch.arange(n).double(), speed)
         table[:, ::2], table[:, 1::2] = angles.sin().float(), angles.cos().float()
         return table
         """,
        """
         chosen = F.one_hot(ids, len(table)).to(table.dtype) @ table
         places = sinusoidal_positions(ids.size(-1), table.size(-1))
         return torch.add(places.unsqueeze(0), chosen, alpha=table.size(-1) ** 0.5)
         """,
    ),
    fill(
        "positions: cosine as a shifted sine",
        "positions",
        "math, row by row, no tensors until the end",
        """
         rows = []
         for p in range(n):
             row = []
             for i in range(d_model // 2):
                 angle = p / 10000 ** (2 * i / d_model)
                 row += [math.sin(angle), math.cos(angle)]
             rows.append(row)
         return torch.tensor(rows, dtype=torch.float32)
         """,
        """
         rows = F.embedding(ids, table.shape[1] ** 0.5 * table)
         return rows + sinusoidal_positions(*rows.shape[1:])
         """,
    ),
]

# ---------------------------------------------------------------- Task 2
ROTARY = """
half = x.shape[-1] // 2
speed = 10000.0 ** (-torch.arange(half, dtype=torch.float32) / half)
angles = positions[:, None].float() * speed
cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
first, second = x.chunk(2, dim=-1)
return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
"""
WRONG += [
    fill(
        "rotary: positions in the dtype of x",
        "rotary",
        "'The angles need float32 at least, also where x is bfloat16 or float16'",
        change(ROTARY, ("positions[:, None].float()", "positions[:, None].to(x.dtype).float()")),
    ),
    fill(
        "rotary: angles in the dtype of x",
        "rotary",
        "'The angles need float32 at least'",
        change(ROTARY, (" * speed", " * speed\nangles = angles.to(x.dtype)")),
    ),
    fill(
        "rotary: table of 1024 positions",
        "rotary",
        "positions may 'be in the thousands'",
        change(
            ROTARY,
            (
                "angles = positions[:, None].float() * speed",
                "angles = (torch.arange(1024)[:, None] * speed)[positions]",
            ),
        ),
    ),
    fill(
        "rotary: polar coordinates",
        "rotary",
        "'Gradients go through, also where both numbers of a pair are 0'; and 'At position 0 … every digit stays'",
        """
         half = x.shape[-1] // 2
         speed = 10000.0 ** (-torch.arange(half, dtype=torch.float32) / half)
         angles = positions[:, None].float() * speed
         first, second = x.float().chunk(2, dim=-1)
         length = (first**2 + second**2).sqrt()
         angles = torch.atan2(second, first) + angles
         return torch.cat([length * angles.cos(), length * angles.sin()], dim=-1).to(x.dtype)
         """,
    ),
    fill(
        "rotary: all in float32",
        "rotary",
        "'At position 0 nothing is rotated, and every digit stays': those of float64 do not",
        change(
            ROTARY,
            (
                "cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)",
                "cos, sin = angles.cos(), angles.sin()",
            ),
            ("x.chunk(2, dim=-1)", "x.float().chunk(2, dim=-1)"),
            ("dim=-1)\n", "dim=-1)\n"),
        ).replace("first * sin], dim=-1)", "first * sin], dim=-1).to(x.dtype)"),
    ),
    fill(
        "rotary: a view of all items",
        "rotary",
        "'need not be contiguous in memory: heads that were transposed to the front are not'",
        change(
            ROTARY, ("x.chunk(2, dim=-1)", "x.view(-1, *x.shape[-2:]).chunk(2, dim=-1)")
        ).replace("first * sin], dim=-1)", "first * sin], dim=-1).view(x.shape)"),
    ),
    fill(
        "rotary: heads behind the positions",
        "rotary",
        "'x is (…, T, D) with any number of leading dimensions': with four, (B, T, H, D) is taken for granted",
        change(
            ROTARY,
            (
                "first, second",
                "if x.dim() == 4:\n    cos, sin = cos[:, None], sin[:, None]\nfirst, second",
            ),
        ),
    ),
    fill(
        "rotary: position 0 goes around",
        "rotary",
        "'every digit stays' at position 0, but 'Gradients go through'",
        change(ROTARY, ("return torch.cat(", "turned = torch.cat("))
        + "return torch.where(positions[:, None] == 0, x.detach(), turned)\n",
    ),
]
RIGHT += [
    fill("rotary: usual", "rotary", "the hint", ROTARY),
    fill(
        "rotary: rotate half",
        "rotary",
        "the other half with a sign, cosines twice as wide, computed in float64",
        """
         d = x.size(-1)
         angles = torch.outer(positions.double(), 10000 ** (torch.arange(0, d, 2).double() / -d))
         angles = angles.repeat(1, 2)
         a, b = x.tensor_split(2, -1)
         wide = torch.promote_types(x.dtype, torch.float32)
         other = torch.cat((b.neg(), a), -1).to(wide)
         return (x.to(wide) * angles.cos().to(wide) + other * angles.sin().to(wide)).to(x.dtype)
         """,
    ),
    fill(
        "rotary: complex numbers",
        "rotary",
        "a multiplication of complex numbers",
        """
         wide = x.double()
         pairs = torch.complex(*wide.unflatten(-1, (2, -1)).unbind(-2))
         half = pairs.shape[-1]
         speed = torch.pow(10000.0, torch.arange(half, dtype=torch.float64).neg() / half)
         angles = positions.to(torch.float64).unsqueeze(-1) * speed
         turned = pairs * torch.complex(angles.cos(), angles.sin())
         return torch.cat([turned.real, turned.imag], -1).to(x.dtype)
         """,
    ),
]

# ---------------------------------------------------------------- Task 3
FF_INIT = """
self.up_projection = nn.Linear(d_model, d_ff)
self.down_projection = nn.Linear(d_ff, d_model)
"""
FF = "return self.down_projection(self.up_projection(x).relu())"
WRONG += [
    fill(
        "ff: a view",
        "feed_forward",
        "'need not be contiguous in memory'",
        FF_INIT,
        """
         flat = x.view(-1, x.shape[-1])
         return self.down_projection(self.up_projection(flat).relu()).view(x.shape)
         """,
    ),
    fill(
        "ff: at least one leading dimension",
        "feed_forward",
        "'any number of leading dimensions, or none'",
        FF_INIT,
        """
         return torch.stack([self.down_projection(F.relu(self.up_projection(row))) for row in x.unbind(0)])
         """,
    ),
    fill(
        "ff: ReLU6",
        "feed_forward",
        "'ReLU': nothing is cut off at the top",
        FF_INIT,
        "return self.down_projection(F.relu6(self.up_projection(x)))",
    ),
    fill(
        "ff: a soft bend",
        "feed_forward",
        "'ReLU(x W₁ + b₁)': softplus is not 0 below zero, nor equal near it",
        FF_INIT,
        "return self.down_projection(F.softplus(self.up_projection(x), beta=20))",
    ),
    fill(
        "ff: leaky",
        "feed_forward",
        "'ReLU': below zero it is 0",
        FF_INIT,
        "return self.down_projection(F.leaky_relu(self.up_projection(x), 1e-3))",
    ),
    fill(
        "ff: a seed",
        "feed_forward",
        "'Making a layer … sets no seed'",
        "torch.manual_seed(42)\n" + FF_INIT,
        FF,
    ),
    fill(
        "ff: residual where it fits",
        "feed_forward",
        "the result is ReLU(…) W₂ + b₂, also where d_ff = d_model",
        FF_INIT,
        """
         hidden = self.up_projection(x).relu()
         y = self.down_projection(hidden)
         return y + x if hidden.shape == x.shape else y
         """,
    ),
]
WRONG += [
    fill(
        "ff: hidden numbers of at most 100",
        "feed_forward",
        "'ReLU(x W₁ + b₁) W₂ + b₂' has no upper bound",
        FF_INIT,
        "return self.down_projection(self.up_projection(x).clamp(0, 100))",
    )
]
RIGHT += [
    fill("ff: usual", "feed_forward", "as the hint says", FF_INIT, FF),
    fill(
        "ff: by hand",
        "feed_forward",
        "matrix products with the transposed weights",
        FF_INIT,
        """
         up, down = self.up_projection, self.down_projection
         hidden = torch.clamp(x @ up.weight.T + up.bias, min=0)
         return torch.einsum("...f,cf->...c", hidden, down.weight) + down.bias
         """,
    ),
    fill(
        "ff: where",
        "feed_forward",
        "chooses with where, parts made by add_module",
        """
         for name, sizes in (("up", (d_model, d_ff)), ("down", (d_ff, d_model))):
             self.add_module(name + "_projection", nn.Linear(*sizes, bias=True))
         """,
        """
         h = F.linear(x, self.up_projection.weight, self.up_projection.bias)
         return self.down_projection(torch.where(h > 0, h, torch.zeros_like(h)))
         """,
    ),
]

# ---------------------------------------------------------------- Task 4
WRONG += [
    fill(
        "norm: mean of squares less square of mean",
        "layer_norm",
        "'5,000 and 5,001 say, must come out right in float32, too'",
        """
         mean = x.mean(-1, keepdim=True)
         var = (x**2).mean(-1, keepdim=True) - mean**2
         return (x - mean) / (var.clamp(min=0) + eps).sqrt() * scale + shift
         """,
    ),
    fill(
        "norm: eps beside the root",
        "layer_norm",
        "'eps is ε, inside the root'",
        """
         centered = x - x.mean(-1, keepdim=True)
         return centered / (x.std(-1, correction=0, keepdim=True) + eps) * scale + shift
         """,
    ),
    fill(
        "norm: root twice",
        "layer_norm",
        "gradients 'where all numbers of a vector are equal, … are those of the formula, too, not infinite or NaN'",
        """
         centered = x - x.mean(-1, keepdim=True)
         deviation = centered.square().mean(-1, keepdim=True).sqrt()
         return centered / (deviation**2 + eps).sqrt() * scale + shift
         """,
    ),
    fill(
        "norm: eps is always 1e-5",
        "layer_norm",
        "'eps is ε': the argument counts",
        """
         centered = x - x.mean(-1, keepdim=True)
         var = centered.square().mean(-1, keepdim=True)
         return centered * (var + 1e-5).rsqrt() * scale + shift
         """,
    ),
    fill(
        "norm: variance without gradient",
        "layer_norm",
        "'Gradients reach x' through mean and variance, 'those of the formula'",
        """
         var, mean = torch.var_mean(x.detach(), -1, correction=0, keepdim=True)
         return (x - mean) / (var + eps).sqrt() * scale + shift
         """,
    ),
    fill(
        "norm: eps as a lower bound",
        "layer_norm",
        "√(σ² + ε), and not √max(σ², ε)",
        """
         centered = x - x.mean(-1, keepdim=True)
         var = centered.square().mean(-1, keepdim=True)
         return centered / var.clamp(min=eps).sqrt() * scale + shift
         """,
    ),
    fill(
        "norm: over all but the first dimension",
        "layer_norm",
        "'Mean and variance are those of the C numbers of one vector', with any number of leading dimensions",
        """
         dims = tuple(range(1, x.dim())) or (0,)
         centered = x - x.mean(dims, keepdim=True)
         var = centered.square().mean(dims, keepdim=True)
         return centered / (var + eps).sqrt() * scale + shift
         """,
    ),
    fill(
        "norm: a view of all vectors",
        "layer_norm",
        "'need not be contiguous in memory'",
        """
         rows = x.view(-1, x.shape[-1])
         centered = rows - rows.mean(-1, keepdim=True)
         var = centered.square().mean(-1, keepdim=True)
         return (centered / (var + eps).sqrt()).view(x.shape) * scale + shift
         """,
    ),
]
RIGHT += [
    fill(
        "norm: usual",
        "layer_norm",
        "mean of squared distances",
        """
         centered = x - x.mean(-1, keepdim=True)
         var = centered.square().mean(-1, keepdim=True)
         return centered / (var + eps).sqrt() * scale + shift
         """,
    ),
    fill(
        "norm: var_mean",
        "layer_norm",
        "torch.var_mean and addcmul",
        """
         var, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
         return torch.addcmul(shift, (x - mean) * torch.rsqrt(var + eps), scale)
         """,
    ),
    fill(
        "norm: sums",
        "layer_norm",
        "sums and a power, columns moved to the front",
        """
         n = x.size(-1)
         columns = x.movedim(-1, 0)
         columns = columns - columns.sum(0) / n
         power = ((columns * columns).sum(0) / n + eps) ** -0.5
         return (columns * power).movedim(0, -1) * scale + shift
         """,
    ),
]

# ---------------------------------------------------------------- Task 5
ENC_INIT = """
self.attention = MultiHeadAttention(d_model, n_heads)
self.feed_forward = FeedForward(d_model, d_ff)
self.attention_norm = nn.LayerNorm(d_model)
self.feed_forward_norm = nn.LayerNorm(d_model)
self.norm_first = norm_first
"""
ENC = """
if self.norm_first:
    x = x + self.attention(self.attention_norm(x), mask=mask)[0]
    return x + self.feed_forward(self.feed_forward_norm(x))
x = self.attention_norm(x + self.attention(x, mask=mask)[0])
return self.feed_forward_norm(x + self.feed_forward(x))
"""
WRONG += [
    fill(
        "encoder: and causal",
        "encoder_block",
        "mask 'need not be causal', 'goes to attention as it is'",
        ENC_INIT,
        "if mask is not None:\n    mask = mask & torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()"
        + ENC,
    ),
    fill(
        "encoder: mask in training only",
        "encoder_block",
        "'gives the same in training and in evaluation mode, with a mask as without'",
        ENC_INIT,
        "if not self.training:\n    mask = None" + ENC,
    ),
    fill(
        "encoder: order of the class",
        "encoder_block",
        "'Each block has … an order of its own'",
        change(ENC_INIT, ("self.norm_first =", "EncoderBlock.norm_first =")),
        ENC,
    ),
    fill(
        "encoder: mask of the first item",
        "encoder_block",
        "mask is (B, T, T) or (B, 1, T): each item has its own",
        ENC_INIT,
        "if mask is not None and mask.dim() == 3:\n    mask = mask[0].expand(x.shape[1], x.shape[1])"
        + ENC,
    ),
    fill(
        "encoder: blind positions are 0",
        "encoder_block",
        "a position may look nowhere; its new x is x + f(norm(x)) all the same",
        ENC_INIT,
        change(ENC, ("return x + self", "x = x + self"), ("return self", "x = self")).replace(
            "x = self.attention_norm(x + self.attention(x, mask=mask)[0])\nx = self",
            "else:\n    x = self.attention_norm(x + self.attention(x, mask=mask)[0])\n    x = self",
        )
        + "if mask is not None:\n    x = x * mask.any(-1, keepdim=True)\nreturn x\n",
    ),
    fill(
        "encoder: remembers a mask",
        "encoder_block",
        "'What it gives depends on nothing but its parameters and this call's arguments'",
        ENC_INIT + "self.mask = None\n",
        "if mask is None and self.mask is not None and self.mask.shape[-1] == x.shape[1]:\n    mask = self.mask\nself.mask = mask"
        + ENC,
    ),
    fill(
        "encoder: another eps",
        "encoder_block",
        "'each an nn.LayerNorm(d_model)', with its eps",
        change(ENC_INIT, ("nn.LayerNorm(d_model)", "nn.LayerNorm(d_model, eps=1e-6)")),
        ENC,
    ),
    fill(
        "encoder: a seed",
        "encoder_block",
        "'Making … a block … sets no seed'",
        "torch.manual_seed(1)\n" + ENC_INIT,
        ENC,
    ),
]
RIGHT += [
    fill("encoder: usual", "encoder_block", "four lines", ENC_INIT, ENC),
    fill(
        "encoder: two helpers",
        "encoder_block",
        "one loop over pairs of sublayer and norm",
        ENC_INIT,
        """
         sublayers = [
             (lambda y: self.attention(y, y, mask)[0], self.attention_norm),
             (self.feed_forward, self.feed_forward_norm),
         ]
         for sublayer, norm in sublayers:
             x = x + sublayer(norm(x)) if self.norm_first else norm(x + sublayer(x))
         return x
         """,
    ),
    fill(
        "encoder: identities",
        "encoder_block",
        "the norm that is not used is the identity",
        change(ENC_INIT, ("self.norm_first = norm_first", "self.pre = bool(norm_first)")),
        """
         same = nn.Identity()
         before, after = (self.attention_norm, same) if self.pre else (same, self.attention_norm)
         new, _ = self.attention(before(x), None, mask)
         x = after(torch.add(x, new))
         before, after = (self.feed_forward_norm, same) if self.pre else (same, self.feed_forward_norm)
         return after(torch.add(x, self.feed_forward(before(x))))
         """,
    ),
]

# ---------------------------------------------------------------- Task 6
DEC_INIT = """
self.attention = MultiHeadAttention(d_model, n_heads)
self.attention_norm = nn.LayerNorm(d_model)
self.cross_attention = MultiHeadAttention(d_model, n_heads)
self.cross_attention_norm = nn.LayerNorm(d_model)
self.feed_forward = FeedForward(d_model, d_ff)
self.feed_forward_norm = nn.LayerNorm(d_model)
self.norm_first = norm_first
"""
DEC = """
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
        "decoder: order of the class",
        "decoder_block",
        "'an order of its own'",
        change(DEC_INIT, ("self.norm_first =", "DecoderBlock.norm_first =")),
        DEC,
    ),
    fill(
        "decoder: first row of the memory's mask",
        "decoder_block",
        "memory_mask is (T, S) or (B, T, S), too: each position has a row of its own",
        DEC_INIT,
        "if memory_mask is not None:\n    memory_mask = memory_mask[..., :1, :]" + DEC,
    ),
    fill(
        "decoder: and causal",
        "decoder_block",
        "'They need not be causal, …, and the block makes no mask of its own'",
        DEC_INIT,
        "if mask is not None:\n    mask = mask & torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()"
        + DEC,
    ),
    fill(
        "decoder: one mask for both where it fits",
        "decoder_block",
        "'Each by itself may be None': T may equal S",
        DEC_INIT,
        "if memory_mask is None and x.shape[1] == memory.shape[1]:\n    memory_mask = mask" + DEC,
    ),
    fill(
        "decoder: the first memory stays",
        "decoder_block",
        "'What it gives depends on nothing but its parameters and this call's arguments'",
        DEC_INIT + "self.seen = None\n",
        "if self.seen is None or self.seen.shape != memory.shape:\n    self.seen = memory\nmemory = self.seen"
        + DEC,
    ),
    fill(
        "decoder: mask of the first item",
        "decoder_block",
        "mask is (B, T, T) or (B, 1, T): each item has its own",
        DEC_INIT,
        "if mask is not None and mask.dim() == 3:\n    mask = mask[0].expand(x.shape[1], x.shape[1])"
        + DEC,
    ),
    fill(
        "decoder: memory's mask in training only",
        "decoder_block",
        "'gives the same in training and in evaluation mode, with masks as without'",
        DEC_INIT,
        "if not self.training:\n    memory_mask = None" + DEC,
    ),
    fill(
        "decoder: no gradient to the memory",
        "decoder_block",
        "'must equal PyTorch's nn.TransformerDecoderLayer', 'gradients' (introduction): the encoder learns by the memory",
        DEC_INIT,
        "memory = memory.detach()" + DEC,
    ),
]
RIGHT += [
    fill("decoder: usual", "decoder_block", "six lines", DEC_INIT, DEC),
    fill(
        "decoder: a loop",
        "decoder_block",
        "names of the parts in a loop",
        DEC_INIT,
        """
         steps = {
             "attention": lambda y: self.attention(y, mask=mask)[0],
             "cross_attention": lambda y: self.cross_attention(y, memory, memory_mask)[0],
             "feed_forward": lambda y: self.feed_forward(y),
         }
         for name, step in steps.items():
             norm = self.get_submodule(f"{name}_norm")
             x = norm(step(x) + x) if not self.norm_first else step(norm(x)) + x
         return x
         """,
    ),
    write(
        "decoder: a method",
        "decoder_block",
        "a helper method, parts made in a loop",
        """
          class DecoderBlock(nn.Module):
              def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
                  super().__init__()
                  self.order = "pre" if norm_first else "post"
                  for name in ("attention", "cross_attention", "feed_forward"):
                      part = FeedForward(d_model, d_ff) if name[0] == "f" else MultiHeadAttention(d_model, n_heads)
                      setattr(self, name, part)
                      setattr(self, name + "_norm", nn.LayerNorm(d_model))

              def around(self, x, norm, f):
                  y = f(norm(x) if self.order == "pre" else x) + x
                  return y if self.order == "pre" else norm(y)

              def forward(self, x, memory, mask=None, memory_mask=None):
                  x = self.around(x, self.attention_norm, lambda q: self.attention(q, q, mask)[0])
                  x = self.around(
                      x,
                      self.cross_attention_norm,
                      lambda q: self.cross_attention(q, memory=memory, mask=memory_mask)[0],
                  )
                  return self.around(x, self.feed_forward_norm, self.feed_forward)
          """,
    ),
]

# ---------------------------------------------------------------- Task 7
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
        "shift: not twice",
        "teacher_forcing",
        "'start_id may be any id, … one that occurs in ids': each row begins with it and goes on with all of its ids but the last",
        "if (ids[:, 0] == start_id).all():\n    return ids.clone()" + SHIFT,
        LOSS,
    ),
    fill(
        "loss: padding is 0",
        "teacher_forcing",
        "'any other id is real, 0 too'",
        SHIFT,
        change(LOSS, ("target != padding_id", "target != 0")),
    ),
    fill(
        "loss: up to the first padding",
        "teacher_forcing",
        "'padding may stand anywhere, in the middle of an item …'",
        SHIFT,
        change(LOSS, ("target != padding_id", "(target == padding_id).cumsum(1) == 0")),
    ),
    fill(
        "loss: in float32",
        "teacher_forcing",
        "'The loss has the dtype of the logits'",
        SHIFT,
        change(LOSS, ("logits[real]", "logits[real].float()")),
    ),
    fill(
        "loss: logarithm of a softmax and a bit",
        "teacher_forcing",
        "'Logits in the thousands must give numbers': that of −log p is 3000, and not 20.7",
        SHIFT,
        """
         real = target != padding_id
         p = logits.softmax(-1).gather(-1, target[..., None])[..., 0]
         return -(p + 1e-9).log()[real].mean()
         """,
    ),
    fill(
        "loss: one largest logit for all",
        "teacher_forcing",
        "'Logits in the thousands must give numbers, not NaN': beside small ones all exponentials are 0",
        SHIFT,
        """
         real = target != padding_id
         z = logits - logits.max().detach()
         log_p = z - z.exp().sum(-1, keepdim=True).log()
         return -log_p.gather(-1, target[..., None])[..., 0][real].mean()
         """,
    ),
    fill(
        "loss: target marked",
        "teacher_forcing",
        "an answer changes none of its arguments",
        SHIFT,
        """
         target[target == padding_id] = -100
         return F.cross_entropy(logits.flatten(0, 1), target.flatten())
         """,
    ),
    fill(
        "loss: bounded logits",
        "teacher_forcing",
        "−log p for logits in the thousands, 'and such gradients': a bound passes none",
        SHIFT,
        change(LOSS, ("logits[real]", "logits[real].clamp(-1000, 1000)")),
    ),
]
RIGHT += [
    fill("forcing: usual", "teacher_forcing", "selects the real tokens", SHIFT, LOSS),
    fill(
        "forcing: padded and ignored",
        "teacher_forcing",
        "F.pad and ignore_index",
        "return F.pad(ids[:, :-1], (1, 0), value=start_id)",
        "return F.cross_entropy(logits.transpose(1, 2), target.long(), ignore_index=padding_id)",
    ),
    fill(
        "forcing: rolled, and log_softmax",
        "teacher_forcing",
        "roll, index_fill; gather and a product of weights",
        """
         return ids.roll(1, dims=1).index_fill(1, torch.tensor([0]), start_id)
         """,
        """
         real = target.ne(padding_id)
         surprise = -F.log_softmax(logits, dim=-1).gather(2, target.unsqueeze(2)).squeeze(2)
         return surprise.masked_select(real).mean()
         """,
    ),
]

# ---------------------------------------------------------------- Task 8
WRITE = """
memory = encode(source, mask)
written = torch.full((len(source), 1), start_id, dtype=source.dtype)
finished = torch.zeros(len(source), dtype=torch.bool)
for _ in range(n_tokens):
    logits = decode(written, memory, mask)[:, -1]
    token = logits.argmax(-1).to(source.dtype)
    token = torch.where(finished, end_id, token).to(source.dtype)
    written = torch.cat([written, token[:, None]], dim=1)
    finished = finished | (token == end_id)
    if finished.all():
        break
return written[:, 1:]
"""
WRONG += [
    fill(
        "write: bounded by the source",
        "writing",
        "'after n_tokens at the latest, however short the source is'",
        change(WRITE, ("range(n_tokens)", "range(min(n_tokens, 2 * source.shape[1] + 2))")),
    ),
    fill(
        "write: one too many",
        "writing",
        "'Stop … after n_tokens at the latest'",
        change(WRITE, ("range(n_tokens)", "range(n_tokens + 1)")),
    ),
    fill(
        "write: exponentials",
        "writing",
        "'Logits are any numbers, in the hundreds …': exp(100) and exp(200) are both ∞",
        change(WRITE, ("logits.argmax", "logits.exp().argmax")),
    ),
    fill(
        "write: multiplies the logits",
        "writing",
        "logits may be '−∞ too': 0 · ∞ is NaN, and a finished item 'gets end_id, whatever the logits say'",
        change(
            WRITE,
            (
                "token = logits.argmax(-1).to(source.dtype)\n    token = torch.where(finished, end_id, token).to(source.dtype)",
                "keep = (~finished)[:, None].to(logits.dtype)\n    end = F.one_hot(torch.tensor(end_id), logits.shape[-1])\n"
                "    token = (logits * keep + (1 - keep) * end).argmax(-1).to(source.dtype)",
            ),
        ),
    ),
    fill(
        "write: the start is never written",
        "writing",
        "'A start_id that the model itself writes is a token like any other'",
        change(WRITE, ("[:, -1]\n", "[:, -1].clone()\n    logits[:, start_id] = -math.inf\n")),
    ),
    fill(
        "write: not for one source",
        "writing",
        "(B, T): B may be 1",
        change(WRITE, ("logits.argmax(-1)", "logits.squeeze().argmax(-1)")),
    ),
    fill(
        "write: the end is written afterwards",
        "writing",
        "decode reads 'what was written so far', and a finished item gets end_id 'from then on'",
        """
         memory = encode(source, mask)
         written = torch.full((len(source), 1), start_id, dtype=source.dtype)
         while written.shape[1] <= n_tokens:
             token = decode(written, memory, mask)[:, -1].argmax(-1, keepdim=True)
             written = torch.cat([written, token.to(source.dtype)], dim=1)
             if (written[:, 1:] == end_id).any(1).all():
                 break
         result = written[:, 1:]
         ended = (result == end_id).cumsum(1) > 0
         return torch.where(ended, end_id, result).to(source.dtype)
         """,
    ),
    fill(
        "write: stops at the start",
        "writing",
        "'A start_id that the model itself writes is a token like any other'",
        change(WRITE, ("(token == end_id)", "(token == end_id) | (token == start_id)")),
    ),
]
RIGHT += [
    fill("write: usual", "writing", "boolean of the finished", WRITE),
    fill(
        "write: a table filled in",
        "writing",
        "a table of n_tokens columns, cut at the end",
        """
         memory = encode(source, mask)
         table = torch.full((source.size(0), n_tokens + 1), end_id, dtype=source.dtype)
         table[:, 0] = start_id
         n = 0
         going = torch.ones(source.size(0), dtype=torch.bool)
         while n < n_tokens and bool(going.any()):
             best = decode(table[:, : n + 1].clone(), memory, mask)[:, -1, :].max(dim=-1).indices
             n += 1
             table[going, n] = best[going].to(source.dtype)
             going &= table[:, n] != end_id
         return table[:, 1 : n + 1].clone()
         """,
    ),
    fill(
        "write: lists",
        "writing",
        "Python lists, the ends are seen in the last column",
        """
         memory = encode(source, mask)
         rows = [[start_id] for _ in range(source.shape[0])]
         for _ in range(n_tokens):
             logits = decode(torch.tensor(rows, dtype=source.dtype), memory, mask)
             for row, best in zip(rows, logits[:, -1].topk(1).indices[:, 0].tolist()):
                 row.append(end_id if row[-1] == end_id else best)
             if all(row[-1] == end_id for row in rows):
                 break
         return torch.tensor(rows, dtype=source.dtype)[:, 1:]
         """,
    ),
]
