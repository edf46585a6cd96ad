from faults import fill, write

SINUSOIDS = """
position = torch.arange(n, dtype=torch.float32)[:, None]
speed = 10000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float32) / d_model)
angles = position * speed
return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
"""
EMBED = """
C = table.shape[1]
return table[ids] * math.sqrt(C) + sinusoidal_positions(ids.shape[1], C)
"""
FF_INIT = """
self.up_projection = nn.Linear(d_model, d_ff)
self.down_projection = nn.Linear(d_ff, d_model)
"""
ENCODER_INIT = """
self.attention = MultiHeadAttention(d_model, n_heads)
self.feed_forward = FeedForward(d_model, d_ff)
self.attention_norm = nn.LayerNorm(d_model)
self.feed_forward_norm = nn.LayerNorm(d_model)
self.norm_first = norm_first
"""
ENCODER = """
if self.norm_first:
    x = x + self.attention(self.attention_norm(x), mask=mask)[0]
    return x + self.feed_forward(self.feed_forward_norm(x))
x = self.attention_norm(x + self.attention(x, mask=mask)[0])
return self.feed_forward_norm(x + self.feed_forward(x))
"""
DECODER_INIT = (
    ENCODER_INIT
    + """
self.cross_attention = MultiHeadAttention(d_model, n_heads)
self.cross_attention_norm = nn.LayerNorm(d_model)
"""
)
DECODER = """
if self.norm_first:
    x = x + self.attention(self.attention_norm(x), mask=mask)[0]
    x = x + self.cross_attention(self.cross_attention_norm(x), memory, memory_mask)[0]
    return x + self.feed_forward(self.feed_forward_norm(x))
x = self.attention_norm(x + self.attention(x, mask=mask)[0])
x = self.cross_attention_norm(x + self.cross_attention(x, memory, memory_mask)[0])
return self.feed_forward_norm(x + self.feed_forward(x))
"""
SHIFT = "return torch.cat([torch.full_like(ids[:, :1], start_id), ids[:, :-1]], dim=1)"
LOSS = """
real = target != padding_id
return F.cross_entropy(logits[real], target[real].long())
"""


def before(lines, body):
    return lines.strip("\n") + "\n" + body.strip("\n")


WRONG = [
    # ---------------------------------------------------------------- task 1
    write(
        "one table for all calls",
        "positions",
        "lru_cache hands out the same tensor: who changes it changes the next; 'Each call makes a table of its own'",
        """
from functools import lru_cache


@lru_cache
def sinusoidal_positions(n: int, d_model: int) -> Tensor:
    angles = torch.arange(n)[:, None] * 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


def embed(ids: Tensor, table: Tensor) -> Tensor:
    C = table.shape[1]
    return table[ids] * math.sqrt(C) + sinusoidal_positions(ids.shape[1], C)
""",
    ),
    fill(
        "five thousand at most",
        "positions",
        "a table of max_len = 5000 rows, of which the first n are taken; 'as long as n says'",
        """
         pe = torch.zeros(5000, d_model)
         position = torch.arange(5000).unsqueeze(1)
         div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
         pe[:, 0::2] = torch.sin(position * div_term)
         pe[:, 1::2] = torch.cos(position * div_term)
         return pe[:n].clone()
         """,
        EMBED,
    ),
    fill(
        "id 0 is padding",
        "positions",
        "padding_idx=0 stops the gradient of row 0; 'No id is special, 0 neither: gradients must reach each row'",
        SINUSOIDS,
        """
         C = table.shape[1]
         x = F.embedding(ids, table, padding_idx=0) * math.sqrt(C)
         return x + sinusoidal_positions(ids.shape[1], C)
         """,
    ),
    fill(
        "no place for zeros",
        "positions",
        "gives no position to id 0, as if it were padding; 'position t gets row t of the sinusoids, in every item'; the edge "
        "test has a zero at position 0 only",
        SINUSOIDS,
        """
         C = table.shape[1]
         places = sinusoidal_positions(ids.shape[1], C).expand(*ids.shape, C)
         places = torch.cat([places[:, :1], places[:, 1:] * (ids[:, 1:, None] != 0)], dim=1)
         return table[ids] * C**0.5 + places
         """,
    ),
    fill(
        "a layer that is frozen",
        "positions",
        "nn.Embedding.from_pretrained freezes the table: no gradient; 'gradients must reach each row'",
        SINUSOIDS,
        """
         layer = nn.Embedding.from_pretrained(table)
         return layer(ids) * table.shape[1] ** 0.5 + sinusoidal_positions(ids.shape[1], table.shape[1])
         """,
    ),
    fill(
        "the frequent learn less",
        "positions",
        "scale_grad_by_freq divides the gradient of an id that stands there twice; values are right, gradients are not "
        "those of what is asked",
        SINUSOIDS,
        """
         C = table.shape[1]
         x = F.embedding(ids, table, scale_grad_by_freq=True)
         return math.sqrt(C) * x + sinusoidal_positions(ids.shape[1], C)
         """,
    ),
    fill(
        "the table is scaled",
        "positions",
        "multiplies the table by the root once and for all: it grows with each call; '`ids` and `table` stay as they were'",
        SINUSOIDS,
        """
         C = table.shape[1]
         table.data.mul_(math.sqrt(C))
         return table[ids] + sinusoidal_positions(ids.shape[1], C)
         """,
    ),
    fill(
        "speeds of half precision",
        "positions",
        "the speeds go through float16: far positions get another angle; 'ω = 10000^(-2i/C)', float32",
        """
         speed = (10000.0 ** (-torch.arange(0, d_model, 2) / d_model)).to(torch.float16).float()
         angles = torch.arange(n)[:, None] * speed
         return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
         """,
        EMBED,
    ),
    # ---------------------------------------------------------------- task 2
    fill(
        "positions in the dtype of x",
        "rotary",
        "positions.to(x.dtype): in bfloat16 1001 becomes 1000; 'The angles need float32 at least, also where x is bfloat16'",
        """
         D = x.shape[-1]
         speed = 10000.0 ** (-torch.arange(0, D, 2) / D)
         angles = positions.to(x.dtype)[:, None].float() * speed
         cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
         a, b = x.chunk(2, dim=-1)
         return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
         """,
    ),
    fill(
        "a table of 2048",
        "rotary",
        "looks the angles up in a table of 2048 positions; 'be in the thousands'",
        """
         D = x.shape[-1]
         speed = 10000.0 ** (-torch.arange(0, D, 2) / D)
         angles = (torch.arange(2048)[:, None] * speed)[positions]
         cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
         a, b = x.chunk(2, dim=-1)
         return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
         """,
    ),
    fill(
        "length and direction",
        "rotary",
        "radius and atan2: NaN gradients where both numbers are 0, and other digits at position 0; 'Gradients go through, "
        "also where both numbers of a pair are 0'",
        """
         D = x.shape[-1]
         speed = 10000.0 ** (-torch.arange(0, D, 2) / D)
         angles = positions[:, None] * speed
         a, b = x.float().chunk(2, dim=-1)
         radius, phase = (a * a + b * b).sqrt(), torch.atan2(b, a)
         return torch.cat([radius * (phase + angles).cos(), radius * (phase + angles).sin()], dim=-1).to(x.dtype)
         """,
    ),
    fill(
        "float32 on the way",
        "rotary",
        "x.float() and back: float64 loses half of its digits; 'At position 0 nothing is rotated, and every digit stays'",
        """
         D = x.shape[-1]
         angles = positions.float()[:, None] * 10000.0 ** (-torch.arange(0, D, 2) / D)
         a, b = x.float().chunk(2, dim=-1)
         cos, sin = angles.cos(), angles.sin()
         return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(x.dtype)
         """,
    ),
    fill(
        "heads in one row",
        "rotary",
        "x.view(-1, T, D) refuses heads that were transposed to the front; 'need not be contiguous in memory'",
        """
         T, D = x.shape[-2:]
         angles = positions.float()[:, None] * 10000.0 ** (-torch.arange(0, D, 2) / D)
         cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
         a, b = x.view(-1, T, D).chunk(2, dim=-1)
         return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).view(x.shape)
         """,
    ),
    fill(
        "no gradient wanted",
        "rotary",
        "everything under no_grad, since a rotation has nothing to learn; 'Gradients go through'",
        """
         D = x.shape[-1]
         with torch.no_grad():
             angles = positions.float()[:, None] * 10000.0 ** (-torch.arange(0, D, 2) / D)
             cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
             a, b = x.chunk(2, dim=-1)
             return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
         """,
    ),
    fill(
        "time first if it fits",
        "rotary",
        "takes a first dimension of the length of positions for T: wrong when the number of heads is T; '(…, T, D)'",
        """
         D = x.shape[-1]
         angles = positions.float()[:, None] * 10000.0 ** (-torch.arange(0, D, 2) / D)
         cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
         if x.dim() > 2 and x.shape[0] == len(positions):
             shape = (len(positions),) + (1,) * (x.dim() - 2) + (D // 2,)
             cos, sin = cos.view(shape), sin.view(shape)
         a, b = x.chunk(2, dim=-1)
         return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
         """,
    ),
    fill(
        "speeds in the dtype of x",
        "rotary",
        "the speeds are made in bfloat16 where x is: a thousand times a rounded speed is another angle; 'The angles need "
        "float32 at least'",
        """
         D = x.shape[-1]
         speed = (10000.0 ** (-torch.arange(0, D, 2) / D)).to(x.dtype)
         angles = positions.float()[:, None] * speed.float()
         cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
         a, b = x.chunk(2, dim=-1)
         return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
         """,
    ),
    # ---------------------------------------------------------------- task 3
    fill(
        "a little leaks",
        "feed_forward",
        "LeakyReLU with 0.001; the formula has a ReLU",
        FF_INIT,
        "return self.down_projection(F.leaky_relu(self.up_projection(x), 0.001))",
    ),
    fill(
        "six is enough",
        "feed_forward",
        "ReLU6 cuts what is larger than 6; the formula has a ReLU",
        FF_INIT,
        "return self.down_projection(F.relu6(self.up_projection(x)))",
    ),
    fill(
        "smooth at the bend",
        "feed_forward",
        "a steep softplus is nearly, but not, a ReLU; its gradient at 0 differs, too",
        FF_INIT,
        "return self.down_projection(F.softplus(self.up_projection(x), beta=100))",
    ),
    fill(
        "a view of x",
        "feed_forward",
        "x.view(-1, C); 'need not be contiguous in memory'",
        FF_INIT,
        """
         hidden = F.relu(self.up_projection(x.view(-1, x.shape[-1])))
         return self.down_projection(hidden).view(x.shape)
         """,
    ),
    fill(
        "flat it stays",
        "feed_forward",
        "reshapes to (N, C) and does not go back; '(…, C) with any number of leading dimensions, or "
        "none, and so is the result'",
        FF_INIT,
        """
         flat = x.reshape(-1, x.shape[-1])
         return self.down_projection(self.up_projection(flat).relu())
         """,
    ),
    fill(
        "the hidden numbers are detached",
        "feed_forward",
        "torch.tensor of the hidden numbers: no gradient reaches up_projection and x",
        FF_INIT,
        """
         hidden = self.up_projection(x)
         hidden = torch.where(hidden > 0, hidden, torch.zeros_like(hidden)).detach()
         return self.down_projection(hidden)
         """,
    ),
    fill(
        "a residual where it fits",
        "feed_forward",
        "adds x to the hidden numbers when d_ff is d_model; the formula has none",
        FF_INIT,
        """
         hidden = F.relu(self.up_projection(x))
         if hidden.shape == x.shape:
             hidden = hidden + x
         return self.down_projection(hidden)
         """,
    ),
    fill(
        "a thousandth less in evaluation",
        "feed_forward",
        "scales the hidden numbers in evaluation mode, as old dropout did; 'gives the same in training "
        "and in evaluation mode'",
        FF_INIT,
        """
         hidden = F.relu(self.up_projection(x))
         return self.down_projection(hidden if self.training else hidden * 0.999)
         """,
    ),
    # ---------------------------------------------------------------- task 4
    fill(
        "mean square less squared mean",
        "layer_norm",
        "E[x²] - μ²: 5,000 and 5,001 vanish in float32; 'Numbers far from zero and close together … must come out right'",
        """
         mean = x.mean(-1, keepdim=True)
         var = (x * x).mean(-1, keepdim=True) - mean**2
         return (x - mean) / torch.sqrt(var.clamp(min=0) + eps) * scale + shift
         """,
    ),
    fill(
        "eps outside the root",
        "layer_norm",
        "σ + ε; 'eps is ε, inside the root'",
        """
         mean = x.mean(-1, keepdim=True)
         var = ((x - mean) ** 2).mean(-1, keepdim=True)
         return (x - mean) / (var.sqrt() + eps) * scale + shift
         """,
    ),
    fill(
        "std squared again",
        "layer_norm",
        "the values are right, the gradient of the first root at 0 is 0 · inf; 'where all numbers of a vector are equal, they are those of the "
        "formula, too'",
        """
         mean = x.mean(-1, keepdim=True)
         std = (x - mean).square().mean(-1, keepdim=True).sqrt()
         return (x - mean) / torch.sqrt(std**2 + eps) * scale + shift
         """,
    ),
    fill(
        "mean and variance are constants",
        "layer_norm",
        "computes μ and σ² without gradients: right values, wrong gradients of x; 'Gradients reach x'",
        """
         with torch.no_grad():
             mean = x.mean(-1, keepdim=True)
             var = (x - mean).square().mean(-1, keepdim=True)
         return (x - mean) * torch.rsqrt(var + eps) * scale + shift
         """,
    ),
    fill(
        "eps is a floor",
        "layer_norm",
        "max(σ², ε) instead of σ² + ε: differs where the variance is small",
        """
         mean = x.mean(-1, keepdim=True)
         var = (x - mean).square().mean(-1, keepdim=True)
         return (x - mean) / var.clamp(min=eps).sqrt() * scale + shift
         """,
    ),
    fill(
        "always one hundred-thousandth",
        "layer_norm",
        "writes 1e-5 where eps belongs; '`eps` is ε'",
        """
         mean = x.mean(-1, keepdim=True)
         var = x.var(-1, correction=0, keepdim=True)
         return (x - mean) / (var + 1e-5).sqrt() * scale + shift
         """,
    ),
    fill(
        "dimension one",
        "layer_norm",
        "dim=1 is the last of a matrix only; 'any number of leading dimensions, or none'",
        """
         dim = 1 if x.dim() > 1 else 0
         mean = x.mean(dim, keepdim=True)
         var = (x - mean).pow(2).mean(dim, keepdim=True)
         return (x - mean) / (var + eps).sqrt() * scale + shift
         """,
    ),
    fill(
        "all but the batch",
        "layer_norm",
        "averages over all dimensions but the first: right for a matrix; 'those of the C numbers of one vector'",
        """
         dims = tuple(range(1, x.dim())) or (0,)
         mean = x.mean(dims, keepdim=True)
         var = (x - mean).pow(2).mean(dims, keepdim=True)
         return (x - mean) / (var + eps).sqrt() * scale + shift
         """,
    ),
    fill(
        "rows by view",
        "layer_norm",
        "x.view(-1, C); 'need not be contiguous in memory'",
        """
         rows = x.view(-1, x.shape[-1])
         centered = rows - rows.mean(1, keepdim=True)
         var = (centered * centered).mean(1, keepdim=True)
         return (centered / (var + eps).sqrt() * scale + shift).view(x.shape)
         """,
    ),
    # ---------------------------------------------------------------- task 5
    fill(
        "the order of the class",
        "encoder_block",
        "keeps norm_first in the class: the newest block decides for all; 'an order of its own'",
        ENCODER_INIT.replace(
            "self.norm_first = norm_first", "EncoderBlock.norm_first = norm_first"
        ),
        ENCODER,
    ),
    fill(
        "the past alone",
        "encoder_block",
        "joins every mask with a causal one; 'need not be causal, and goes to attention as it is'",
        ENCODER_INIT,
        before(
            """
if mask is not None:
    mask = mask & torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
""",
            ENCODER,
        ),
    ),
    fill(
        "the first item's mask",
        "encoder_block",
        "takes mask[0] of a mask with a batch; '(B, T, T), (B, 1, T)', wrong for the second item only",
        ENCODER_INIT,
        before(
            """
if mask is not None and mask.dim() == 3:
    mask = mask[:1]
""",
            ENCODER,
        ),
    ),
    fill(
        "a mask for training",
        "encoder_block",
        "hands the mask on in training mode only; 'gives the same in training and in evaluation mode, with a mask as without'",
        ENCODER_INIT,
        before(
            """
mask = mask if self.training else None
""",
            ENCODER,
        ),
    ),
    fill(
        "the first mask is kept",
        "encoder_block",
        "remembers a mask of the same length and uses it again when none is given; 'depends on nothing but its parameters and "
        "this call's arguments'",
        ENCODER_INIT + "self.last_mask = None\n",
        before(
            """
if mask is None and self.last_mask is not None and self.last_mask.shape[-1] == x.shape[1]:
    mask = self.last_mask
self.last_mask = mask
""",
            ENCODER,
        ),
    ),
    fill(
        "padding is wiped",
        "encoder_block",
        "sets positions that nobody may look at to 0 in the result; 'the mask … goes to attention as it is'",
        ENCODER_INIT,
        """
if self.norm_first:
    x = x + self.attention(self.attention_norm(x), mask=mask)[0]
    x = x + self.feed_forward(self.feed_forward_norm(x))
else:
    x = self.attention_norm(x + self.attention(x, mask=mask)[0])
    x = self.feed_forward_norm(x + self.feed_forward(x))
if mask is not None and mask.dim() == 3 and mask.shape[1] == 1:
    x = x * mask[:, 0, :, None]
return x
""",
    ),
    fill(
        "the eps of another library",
        "encoder_block",
        "LayerNorm with eps=1e-3: differs where numbers of a vector are close together; 'each an nn.LayerNorm(d_model)', 'must "
        "equal PyTorch's'",
        ENCODER_INIT.replace("nn.LayerNorm(d_model)", "nn.LayerNorm(d_model, eps=1e-3)"),
        ENCODER,
    ),
    fill(
        "the way around has no gradient",
        "encoder_block",
        "detaches x before it is added: right values, wrong gradients; a residual passes the gradient on",
        ENCODER_INIT,
        ENCODER.replace("x = x + self", "x = x.detach() + self"),
    ),
    fill(
        "one key for all who ask",
        "encoder_block",
        "reduces a mask to which keys somebody may see, (B, 1, T): a causal mask is lost, a padding mask is not",
        ENCODER_INIT,
        before(
            """
if mask is not None and mask.dim() == 3:
    mask = mask.any(1, keepdim=True)
""",
            ENCODER,
        ),
    ),
    # ---------------------------------------------------------------- task 6
    fill(
        "the order of all decoders",
        "decoder_block",
        "keeps norm_first in the class: the newest block decides for all; 'an order of its own'",
        DECODER_INIT.replace("self.norm_first = norm_first", "type(self).norm_first = norm_first"),
        DECODER,
    ),
    fill(
        "the memory of the first call",
        "decoder_block",
        "keeps the memory while its shape is the same; 'depends on nothing but its parameters and this call's arguments'",
        DECODER_INIT + "self.kept = []\n",
        before(
            """
if not self.kept or self.kept[0].shape != memory.shape or self.training:
    self.kept = [memory]
memory = self.kept[0]
""",
            DECODER,
        ),
    ),
    fill(
        "what the first may hear",
        "decoder_block",
        "takes the first row of memory_mask for all positions of x; '(T, S), (B, T, S) or (B, 1, S)'",
        DECODER_INIT,
        before(
            """
if memory_mask is not None:
    memory_mask = memory_mask[..., :1, :]
""",
            DECODER,
        ),
    ),
    fill(
        "a causal mask besides",
        "decoder_block",
        "joins mask with a causal one when it is given; 'They need not be causal, and the block makes no mask of its own'",
        DECODER_INIT,
        before(
            """
if mask is not None:
    mask = mask & torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
""",
            DECODER,
        ),
    ),
    fill(
        "one mask for both if it fits",
        "decoder_block",
        "uses mask for the memory, too, when S = T and no other is given; 'Each by itself may be None'",
        DECODER_INIT,
        before(
            """
if memory_mask is None and memory.shape[1] == x.shape[1]:
    memory_mask = mask
""",
            DECODER,
        ),
    ),
    fill(
        "the encoder learns nothing",
        "decoder_block",
        "detaches the memory: right values, no gradient for what was read",
        DECODER_INIT,
        before("memory = memory.detach()", DECODER),
    ),
    fill(
        "padding of the memory wiped",
        "decoder_block",
        "sets masked positions of the memory to 0 in place; '`x` and `memory` stay as they were'",
        DECODER_INIT,
        before(
            """
if memory_mask is not None and memory_mask.dim() == 3:
    memory.data.masked_fill_(~memory_mask.any(1).unsqueeze(-1), 0.0)
""",
            DECODER,
        ),
    ),
    fill(
        "the memory mask of the first item",
        "decoder_block",
        "memory_mask[:1] for all items; 'or have a batch', wrong for the second item only",
        DECODER_INIT,
        before(
            """
if memory_mask is not None and memory_mask.dim() == 3:
    memory_mask = memory_mask[:1]
""",
            DECODER,
        ),
    ),
    fill(
        "two masks of different kinds",
        "decoder_block",
        "forgets mask when both are given and one has a batch and the other none; 'Each by itself may … have a batch or "
        "none'",
        DECODER_INIT,
        before(
            """
if mask is not None and memory_mask is not None and mask.dim() != memory_mask.dim():
    mask = None
""",
            DECODER,
        ),
    ),
    # ---------------------------------------------------------------- task 7
    fill(
        "zero is the padding",
        "teacher_forcing",
        "target != 0, whatever padding_id is; 'Places where the target is padding_id do not count', 'any other id is real, 0 "
        "too'",
        SHIFT,
        """
real = target != 0 if bool((target != 0).any()) else target != padding_id
return F.cross_entropy(logits[real], target[real].long())
""",
    ),
    fill(
        "zero is no token either",
        "teacher_forcing",
        "id 0 does not count besides padding_id; 'any other id is real, 0 too'",
        SHIFT,
        """
real = (target != padding_id) & (target > 0)
return F.cross_entropy(logits[real], target[real].long())
""",
    ),
    fill(
        "log of at least 1e-9",
        "teacher_forcing",
        "softmax, clamp, log: a loss of 3000 becomes 20.7, with no gradient; 'Logits in the thousands must give numbers, … and "
        "such gradients'",
        SHIFT,
        """
real = target != padding_id
probs = logits.softmax(-1).clamp(min=1e-9)
chosen = probs[real].gather(-1, target[real].long()[:, None])
return -chosen.log().mean()
""",
    ),
    fill(
        "logits within a hundred",
        "teacher_forcing",
        "clamps the logits to ±100 against overflow: other losses, no gradients beyond",
        SHIFT,
        """
real = target != padding_id
return F.cross_entropy(logits.clamp(-100, 100)[real], target[real].long())
""",
    ),
    fill(
        "as many as are real, from the left",
        "teacher_forcing",
        "takes the number of real tokens of an item for its length; 'padding may stand anywhere, in the middle of an item'",
        SHIFT,
        """
lengths = (target != padding_id).sum(1, keepdim=True)
real = torch.arange(target.shape[1]) < lengths
return F.cross_entropy(logits[real], target[real].long())
""",
    ),
    fill(
        "up to the first padding",
        "teacher_forcing",
        "an item ends with its first padding; 'padding may stand anywhere, in the middle of an item'",
        SHIFT,
        """
real = (target != padding_id).int().cumprod(1).bool()
real = real if real.any() else target != padding_id
return F.cross_entropy(logits[real], target[real].long())
""",
    ),
    fill(
        "float32 comes out",
        "teacher_forcing",
        "logits.float(): float64 and bfloat16 are lost; 'The loss has the dtype of the logits'",
        SHIFT,
        """
return F.cross_entropy(
    logits.float().flatten(0, 1), target.flatten().long(), ignore_index=padding_id
)
""",
    ),
    fill(
        "means of items, weighted",
        "teacher_forcing",
        "the mean of each item, weighted by its number of real tokens: 0/0 for an item that is all padding; 'in all of it'",
        SHIFT,
        """
real = target != padding_id
n = real.sum(1)
losses = F.cross_entropy(logits.transpose(1, 2), target.clamp(min=0).long(), reduction="none") * real
means = losses.sum(1) / n
return (means * n).sum() / n.sum()
""",
    ),
    fill(
        "the start as a new column",
        "teacher_forcing",
        "a column of torch.full is int64: int32 ids come out as int64; 'The same shape and dtype, int32 too'",
        "return torch.cat([torch.full((len(ids), 1), start_id), ids[:, :-1]], dim=1)",
        LOSS,
    ),
    fill(
        "padding becomes the start",
        "teacher_forcing",
        "one start for the row, and one for each id that equals it: what follows a start_id in ids is shifted anew; 'start_id may "
        "be … one that occurs in ids'",
        """
         shifted = torch.roll(ids, 1, dims=1)
         shifted[:, 0] = start_id
         return shifted.where(ids != start_id, torch.full_like(ids, start_id))
         """,
        LOSS,
    ),
    # ---------------------------------------------------------------- task 8
    fill(
        "not longer than the source allows",
        "writing",
        "at most twice the source and two more tokens; 'after n_tokens at the latest, however short the source is'",
        """
         memory = encode(source, mask)
         written = torch.full_like(source[:, :1], start_id)
         finished = torch.zeros(len(source), dtype=torch.bool)
         for _ in range(min(n_tokens, 2 * source.shape[1] + 2)):
             newest = decode(written, memory, mask)[:, -1].argmax(-1)
             newest = newest.masked_fill(finished, end_id).to(source.dtype)
             written = torch.cat([written, newest[:, None]], dim=1)
             finished |= newest == end_id
             if finished.all():
                 break
         return written[:, 1:]
         """,
    ),
    fill(
        "never the start again",
        "writing",
        "sets the logit of start_id to -inf; 'A start_id that the model itself writes is a token like any other'",
        """
         memory = encode(source, mask)
         written = torch.full_like(source[:, :1], start_id)
         finished = torch.zeros(len(source), dtype=torch.bool)
         for _ in range(n_tokens):
             logits = decode(written, memory, mask)[:, -1].clone()
             logits[:, start_id] = -math.inf
             newest = logits.argmax(-1).masked_fill(finished, end_id).to(source.dtype)
             written = torch.cat([written, newest[:, None]], dim=1)
             finished |= newest == end_id
             if finished.all():
                 break
         return written[:, 1:]
         """,
    ),
    fill(
        "the largest exponential",
        "writing",
        "exp of the logits for the most probable: inf for several in the hundreds; 'Logits are any numbers, in the hundreds'",
        """
         memory = encode(source, mask)
         written = torch.full_like(source[:, :1], start_id)
         finished = torch.zeros(len(source), dtype=torch.bool)
         for _ in range(n_tokens):
             odds = decode(written, memory, mask)[:, -1].exp()
             newest = odds.argmax(-1).masked_fill(finished, end_id).to(source.dtype)
             written = torch.cat([written, newest[:, None]], dim=1)
             finished |= newest == end_id
             if finished.all():
                 break
         return written[:, 1:]
         """,
    ),
    fill(
        "a push towards the end",
        "writing",
        "adds 100 to the logit of end_id of finished items: not enough for logits in the hundreds, nothing for -inf; 'whatever "
        "the logits say'",
        """
         memory = encode(source, mask)
         written = torch.full_like(source[:, :1], start_id)
         finished = torch.zeros(len(source), dtype=torch.bool)
         for _ in range(n_tokens):
             logits = decode(written, memory, mask)[:, -1].clone()
             logits[finished, end_id] += 100.0
             newest = logits.argmax(-1).to(source.dtype)
             written = torch.cat([written, newest[:, None]], dim=1)
             finished |= newest == end_id
             if finished.all():
                 break
         return written[:, 1:]
         """,
    ),
    fill(
        "the start is a view of the source",
        "writing",
        "source[:, :1].fill_(start_id): the first column of the source is overwritten; '`source` stays as it was'",
        """
         memory = encode(source, mask)
         written = source[:, :1].fill_(start_id)
         finished = torch.zeros(len(source), dtype=torch.bool)
         for _ in range(n_tokens):
             newest = decode(written, memory, mask)[:, -1].argmax(-1)
             newest = newest.masked_fill(finished, end_id).to(source.dtype)
             written = torch.cat([written, newest[:, None]], dim=1)
             finished |= newest == end_id
             if finished.all():
                 break
         return written[:, 1:]
         """,
    ),
    fill(
        "the start counts as well",
        "writing",
        "stops when n_tokens columns stand there, the start among them: one token too few; 'N being the number of tokens that "
        "were written', up to n_tokens",
        """
         memory = encode(source, mask)
         written = torch.full_like(source[:, :1], start_id)
         finished = torch.zeros(len(source), dtype=torch.bool)
         while written.shape[1] < max(n_tokens, 2) and not finished.all():
             newest = decode(written, memory, mask)[:, -1].argmax(-1)
             newest = newest.masked_fill(finished, end_id).to(source.dtype)
             written = torch.cat([written, newest[:, None]], dim=1)
             finished |= newest == end_id
         return written[:, 1:]
         """,
    ),
    fill(
        "one more for the end",
        "writing",
        "range(n_tokens + 1), to leave room for the end; 'after n_tokens at the latest'",
        """
         memory = encode(source, mask)
         written = torch.full_like(source[:, :1], start_id)
         finished = torch.zeros(len(source), dtype=torch.bool)
         for _ in range(n_tokens + 1):
             newest = decode(written, memory, mask)[:, -1].argmax(-1)
             newest = newest.masked_fill(finished, end_id).to(source.dtype)
             written = torch.cat([written, newest[:, None]], dim=1)
             finished |= newest == end_id
             if finished.all():
                 break
         return written[:, 1:]
         """,
    ),
    fill(
        "unfinished texts are ended",
        "writing",
        "the last of n_tokens is end_id for all, so that each text has an end; 'Stop … after n_tokens at the latest', the most "
        "probable token",
        """
         memory = encode(source, mask)
         written = torch.full_like(source[:, :1], start_id)
         finished = torch.zeros(len(source), dtype=torch.bool)
         for step in range(n_tokens):
             newest = decode(written, memory, mask)[:, -1].argmax(-1)
             if step == n_tokens - 1 and n_tokens > 1:
                 finished = torch.ones_like(finished)
             newest = newest.masked_fill(finished, end_id).to(source.dtype)
             written = torch.cat([written, newest[:, None]], dim=1)
             finished |= newest == end_id
             if finished.all():
                 break
         return written[:, 1:]
         """,
    ),
    fill(
        "one call behind the last",
        "writing",
        "decodes once more after n_tokens, ready for a step that never comes; 'do not call decode after that'",
        """
         memory = encode(source, mask)
         written = torch.full_like(source[:, :1], start_id)
         finished = torch.zeros(len(source), dtype=torch.bool)
         logits = decode(written, memory, mask)
         for _ in range(n_tokens):
             newest = logits[:, -1].argmax(-1).masked_fill(finished, end_id).to(source.dtype)
             written = torch.cat([written, newest[:, None]], dim=1)
             finished |= newest == end_id
             if finished.all():
                 break
             logits = decode(written, memory, mask)
         return written[:, 1:]
         """,
    ),
]

RIGHT = [
    # ---------------------------------------------------------------- task 1
    fill(
        "entry by entry, and one_hot",
        "positions",
        "math.sin in loops; a product with one_hot for the look-up",
        """
         rows = [
             [(math.cos if j % 2 else math.sin)(p * 10000 ** (-(j - j % 2) / d_model)) for j in range(d_model)]
             for p in range(n)
         ]
         return torch.tensor(rows, dtype=torch.float32).reshape(n, d_model)
         """,
        """
         V, C = table.shape
         x = torch.einsum("btv,vc->btc", F.one_hot(ids.long(), V).to(table.dtype), table)
         return torch.add(sinusoidal_positions(n=ids.size(1), d_model=C).to(table.dtype), x, alpha=C**0.5)
         """,
    ),
    fill(
        "an imaginary wheel",
        "positions",
        "torch.polar and view_as_real; index_select on flat ids, addcmul",
        """
         speed = torch.exp(torch.arange(0, d_model, 2, dtype=torch.float64) * (-math.log(10000) / d_model))
         angles = torch.outer(torch.arange(n, dtype=torch.float64), speed)
         wheel = torch.view_as_real(torch.polar(torch.ones_like(angles), angles))  # cos, sin
         return wheel.flip(-1).reshape(n, d_model).float()
         """,
        """
         C = table.size(-1)
         x = table.index_select(0, ids.reshape(-1)).view(*ids.shape, C)
         return x.mul(math.sqrt(C)) + sinusoidal_positions(ids.size(-1), C).unsqueeze(0)
         """,
    ),
    fill(
        "a cosine is a late sine",
        "positions",
        "one sine with a phase in float64; F.embedding on a scaled table",
        """
         j = torch.arange(d_model)
         speed = torch.pow(torch.tensor(10000.0, dtype=torch.float64), -(j // 2 * 2) / d_model)
         phase = (j % 2).double() * (math.pi / 2)
         return torch.sin(torch.arange(n).double().unsqueeze(1) * speed + phase).to(torch.float32)
         """,
        """
         rows = F.embedding(ids, table * table.shape[1] ** 0.5)
         return torch.stack([item + sinusoidal_positions(*item.shape) for item in rows])
         """,
    ),
    # ---------------------------------------------------------------- task 2
    fill(
        "a matrix for each pair",
        "rotary",
        "2 × 2 matrices by einsum over (2, D/2), in float64",
        """
         T, D = x.shape[-2:]
         i = torch.arange(D // 2, dtype=torch.float64)
         theta = positions.double()[:, None] * 10000 ** (-2 * i / D)
         turn = torch.stack([torch.stack([theta.cos(), -theta.sin()]), torch.stack([theta.sin(), theta.cos()])])
         pairs = x.double().unflatten(-1, (2, D // 2))
         return torch.einsum("rctd,...tcd->...trd", turn, pairs).flatten(-2).to(x.dtype)
         """,
    ),
    fill(
        "half a turn besides",
        "rotary",
        "x times cos plus the rolled x times signed sin, in at least float32",
        """
         D = x.shape[-1]
         wide = torch.promote_types(x.dtype, torch.float32)
         i = torch.arange(D) % (D // 2)
         theta = torch.outer(positions.to(torch.float64), 10000.0 ** (-2 * i.double() / D))
         sign = torch.where(torch.arange(D) < D // 2, -1.0, 1.0)
         turned = torch.roll(x.to(wide), D // 2, -1)
         return torch.addcmul(x.to(wide) * theta.cos().to(wide), turned, (theta.sin() * sign).to(wide)).to(x.dtype)
         """,
    ),
    fill(
        "complex numbers",
        "rotary",
        "torch.complex of both halves times polar; float64 for float64",
        """
         wide = torch.float64 if x.dtype == torch.float64 else torch.float32
         half = x.shape[-1] // 2
         z = torch.complex(x[..., :half].to(wide), x[..., half:].to(wide))
         theta = positions.double().unsqueeze(-1) / 10000 ** (torch.arange(half).double() / half)
         z = z * torch.polar(torch.ones_like(theta), theta).to(z.dtype)
         return torch.cat((z.real, z.imag), dim=-1).to(dtype=x.dtype)
         """,
    ),
    # ---------------------------------------------------------------- task 3
    fill(
        "a product with its sign, and F.linear",
        "feed_forward",
        "hidden times (hidden > 0), F.linear with the layers' parameters",
        FF_INIT,
        """
         up, down = self.up_projection, self.down_projection
         hidden = F.linear(x, up.weight, up.bias)
         hidden = hidden * (hidden > 0)
         return F.linear(hidden, weight=down.weight, bias=down.bias)
         """,
    ),
    fill(
        "half of it and its size",
        "feed_forward",
        "where-based ReLU, layers added by name, einsum",
        """
         for name, n_in, n_out in (("up_projection", d_model, d_ff), ("down_projection", d_ff, d_model)):
             self.add_module(name, nn.Linear(in_features=n_in, out_features=n_out, bias=True))
         """,
        """
         hidden = torch.einsum("...c,fc->...f", x, self.up_projection.weight) + self.up_projection.bias
         hidden = torch.where(hidden > 0, hidden, torch.zeros_like(hidden))
         return torch.einsum("...f,cf->...c", hidden, self.down_projection.weight) + self.down_projection.bias
         """,
    ),
    write(
        "a chain of functions",
        "feed_forward",
        "a helper that composes, nn.ReLU without parameters as a part",
        """
class FeedForward(nn.Module):
    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.down_projection = nn.Linear(d_ff, d_model)
        self.bend = nn.ReLU()
        self.up_projection = nn.Linear(d_model, d_ff)

    def forward(self, x: Tensor) -> Tensor:
        from functools import reduce

        steps = (self.up_projection, self.bend, self.down_projection)
        return reduce(lambda value, step: step(value), steps, x)
""",
    ),
    # ---------------------------------------------------------------- task 4
    fill(
        "var_mean and addcmul",
        "layer_norm",
        "var_mean with correction 0, rsqrt, addcmul",
        """
         var, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
         return torch.addcmul(shift, (x - mean) * torch.rsqrt(var + eps), scale)
         """,
    ),
    fill(
        "a matrix that centers",
        "layer_norm",
        "x times (identity less 1/C) in float64, einsum for the squares",
        """
         C = x.shape[-1]
         center = torch.eye(C, dtype=torch.float64) - 1 / C
         d = x.double() @ center
         var = torch.einsum("...c,...c->...", d, d).div(C).unsqueeze(-1)
         y = d * (var + eps).pow(-0.5)
         return (y * scale.double() + shift.double()).to(x.dtype)
         """,
    ),
    fill(
        "vector by vector",
        "layer_norm",
        "a loop over the vectors, sums divided by C, stack",
        """
         C = x.shape[-1]
         rows = []
         for row in x.reshape(-1, C).unbind(0):
             away = row - row.sum() / C
             rows.append(away / torch.sqrt(away.dot(away) / C + eps) * scale + shift)
         return torch.stack(rows).reshape(x.shape)
         """,
    ),
    # ---------------------------------------------------------------- task 5
    fill(
        "two sublayers in a loop",
        "encoder_block",
        "a list of (function, norm), one formula for each order",
        ENCODER_INIT,
        """
         steps = [
             (lambda y: self.attention(y, None, mask)[0], self.attention_norm),
             (self.feed_forward, self.feed_forward_norm),
         ]
         for f, norm in steps:
             x = x + f(norm(x)) if self.norm_first else norm(x + f(x))
         return x
         """,
    ),
    fill(
        "asks itself",
        "encoder_block",
        "x handed over as its own memory; torch.add",
        ENCODER_INIT,
        """
         pre = self.norm_first
         y = self.attention_norm(x) if pre else x
         heard, _ = self.attention(y, memory=y, mask=mask)
         x = torch.add(x, heard)
         x = x if pre else self.attention_norm(x)
         thought = self.feed_forward(self.feed_forward_norm(x) if pre else x)
         return x.add(thought) if pre else self.feed_forward_norm(x.add(thought))
         """,
    ),
    write(
        "a closure picks the order",
        "encoder_block",
        "the order is a method chosen at birth",
        """
class EncoderBlock(nn.Module):
    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.around = self.before if norm_first else self.behind

    @staticmethod
    def before(x, f, norm):
        return f(norm(x)) + x

    @staticmethod
    def behind(x, f, norm):
        return norm(f(x) + x)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        def exchange(y):
            new, weights = self.attention(y, mask=mask)
            return new

        return self.around(self.around(x, exchange, self.attention_norm), self.feed_forward, self.feed_forward_norm)
""",
    ),
    # ---------------------------------------------------------------- task 6
    fill(
        "three sublayers in a loop",
        "decoder_block",
        "names and functions in a dictionary, getattr for the norms",
        DECODER_INIT,
        """
         sublayers = {
             "attention": lambda y: self.attention(y, mask=mask)[0],
             "cross_attention": lambda y: self.cross_attention(y, memory=memory, mask=memory_mask)[0],
             "feed_forward": self.feed_forward,
         }
         for name, f in sublayers.items():
             norm = getattr(self, name + "_norm")
             x = x + f(norm(x)) if self.norm_first else norm(x + f(x))
         return x
         """,
    ),
    write(
        "by recursion",
        "decoder_block",
        "the rest of the sublayers is a function of the result",
        """
class DecoderBlock(nn.Module):
    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = True):
        super().__init__()
        for name in ("attention", "cross_attention"):
            setattr(self, name, MultiHeadAttention(d_model, n_heads))
        self.feed_forward = FeedForward(d_model, d_ff)
        for name in ("attention", "cross_attention", "feed_forward"):
            setattr(self, f"{name}_norm", nn.LayerNorm(d_model))
        self._pre = bool(norm_first)

    def _through(self, x, steps):
        if not steps:
            return x
        (f, norm), *rest = steps
        return self._through(x + f(norm(x)) if self._pre else norm(x + f(x)), rest)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        return self._through(
            x,
            [
                (lambda y: self.attention(y, mask=mask)[0], self.attention_norm),
                (lambda y: self.cross_attention(y, memory, memory_mask)[0], self.cross_attention_norm),
                (self.feed_forward, self.feed_forward_norm),
            ],
        )
""",
    ),
    fill(
        "in steps, norms by choice",
        "decoder_block",
        "nn.Identity-like choices of norms before and behind",
        DECODER_INIT,
        """
         def leave(y):
             return y

         def norms(norm):
             return (norm, leave) if self.norm_first else (leave, norm)

         first, last = norms(self.attention_norm)
         x = last(torch.add(x, self.attention(first(x), mask=mask)[0]))
         first, last = norms(self.cross_attention_norm)
         x = last(torch.add(x, self.cross_attention(first(x), memory, mask=memory_mask)[0]))
         first, last = norms(self.feed_forward_norm)
         return last(torch.add(x, self.feed_forward(first(x))))
         """,
    ),
    # ---------------------------------------------------------------- task 7
    fill(
        "pad and ignore",
        "teacher_forcing",
        "F.pad with a negative right side; ignore_index",
        "return F.pad(ids, (1, -1), value=start_id)",
        """
         return F.cross_entropy(logits.movedim(-1, 1), target.long(), ignore_index=padding_id, reduction="mean")
         """,
    ),
    fill(
        "rolled, and by hand",
        "teacher_forcing",
        "roll into a tensor of its own; log-sum-exp less the target's logit",
        """
         shifted = ids.roll(shifts=1, dims=-1)
         shifted[:, 0] = start_id
         return shifted
         """,
        """
         rows, ids = logits.flatten(0, 1), target.flatten()
         keep = (ids != padding_id).nonzero().squeeze(-1)
         rows, ids = rows[keep], ids[keep].long()
         own = rows[torch.arange(len(ids)), ids]
         return (torch.logsumexp(rows, dim=-1) - own).sum() / len(ids)
         """,
    ),
    fill(
        "lists and a loop",
        "teacher_forcing",
        "Python lists for the shift, a loop over real places for the loss in float64",
        """
         rows = [[start_id, *row[:-1]] for row in ids.tolist()]
         return torch.tensor(rows, dtype=ids.dtype).reshape(ids.shape)
         """,
        """
         total, n = logits.new_zeros((), dtype=torch.float64), 0
         for b, row in enumerate(target.tolist()):
             for t, token in enumerate(row):
                 if token != padding_id:
                     total = total - F.log_softmax(logits[b, t].double(), dim=0)[token]
                     n += 1
         return (total / n).to(logits.dtype)
         """,
    ),
    # ---------------------------------------------------------------- task 8
    fill(
        "a list of columns",
        "writing",
        "columns in a list, finished by looking at what was written",
        """
         memory = encode(source, mask)
         columns = [torch.full_like(source[:, 0], start_id)]
         while True:
             chosen = decode(torch.stack(columns, dim=1), memory, mask)[:, -1].max(dim=-1).indices.to(source.dtype)
             if len(columns) > 1:
                 over = (torch.stack(columns[1:]) == end_id).any(dim=0)
                 chosen = torch.where(over, torch.full_like(chosen, end_id), chosen)
             columns.append(chosen)
             if len(columns) == n_tokens + 1 or (torch.stack(columns[1:]) == end_id).any(0).all():
                 return torch.stack(columns[1:], dim=1)
         """,
    ),
    fill(
        "a sheet with places",
        "writing",
        "a buffer full of end_id, of which only living rows are written",
        """
         memory = encode(source, mask)
         B = source.size(0)
         sheet = source.new_full((B, n_tokens + 1), end_id)
         sheet[:, 0] = start_id
         alive, n = torch.ones(B, dtype=torch.bool), 0
         while n < n_tokens and bool(alive.any()):
             logits = decode(sheet[:, : n + 1].clone(), memory, mask)[:, n]
             n += 1
             sheet[alive, n] = logits.argmax(dim=1)[alive].to(sheet.dtype)
             alive = alive & (sheet[:, n] != end_id)
         return sheet[:, 1 : n + 1].clone()
         """,
    ),
    write(
        "token by token by recursion",
        "writing",
        "recursive, Python lists and a set of finished rows",
        """
def write(
    encode, decode, source: Tensor, mask: Tensor | None, start_id: int, end_id: int, n_tokens: int
) -> Tensor:
    memory = encode(source, mask)
    B = source.shape[0]

    def go_on(texts, finished, left):
        if left == 0 or len(finished) == B:
            return texts
        logits = decode(torch.tensor(texts, dtype=source.dtype), memory, mask)[:, -1].tolist()
        new = [end_id if b in finished else max(range(len(z)), key=z.__getitem__) for b, z in enumerate(logits)]
        over = finished | {b for b, i in enumerate(new) if i == end_id}
        return go_on([text + [i] for text, i in zip(texts, new)], over, left - 1)

    texts = go_on([[start_id] for _ in range(B)], frozenset(), n_tokens)
    return torch.tensor([text[1:] for text in texts], dtype=source.dtype)
""",
    ),
]
