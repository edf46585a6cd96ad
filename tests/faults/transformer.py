"""Answers to the assignment `transformer`: plausible and wrong, or right in another style."""

from . import edit, fill, write

SPEEDS = "10_000 ** (-torch.arange(0, d_model, 2) / d_model)"
PAIRS = "torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)"
PLUS = "x + sinusoidal_positions(ids.shape[1], table.shape[1])"
ROOT = "math.sqrt(table.shape[1]) * "
ANGLES = "positions[:, None] * speeds"
TURNED = "torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)"
THINK = "self.down_projection(F.relu(self.up_projection(x)))"
VARIANCE = "centered.square().mean(dim=-1, keepdim=True)"
NORMAL = "centered / torch.sqrt(variance + eps) * scale + shift"
PRE_ATTENTION = "x = x + self.attention(self.attention_norm(x), mask=mask)[0]"
PRE_THINK = "return x + self.feed_forward(self.feed_forward_norm(x))"
POST_ATTENTION = "x = self.attention_norm(x + self.attention(x, mask=mask)[0])"
POST_THINK = "return self.feed_forward_norm(x + self.feed_forward(x))"
ONE_MASK = "mask=mask if mask is None or mask.dim() == 2 else mask.all(0)"
SELF = "self.attention(x, mask=mask)[0]"
CROSS = "self.cross_attention(x, memory, memory_mask)[0]"
ORDER = "x = x + sublayer(norm(x)) if self.norm_first else norm(x + sublayer(x))"
SHIFT = "torch.cat([start, ids[:, :-1]], dim=1)"
LOSS = "F.cross_entropy(logits[real], target[real])"
NEWEST = "decode(written, memory, mask)[:, -1].argmax(-1)"

WRONG = [
    # Task 1
    edit(
        "sines, then cosines",
        "positions",
        "the two halves, not side by side",
        (PAIRS, "torch.cat([angles.sin(), angles.cos()], dim=-1)"),
    ),
    edit(
        "cosine first",
        "positions",
        "sine and cosine swapped",
        ("angles.sin(), angles.cos()", "angles.cos(), angles.sin()"),
    ),
    edit(
        "column as pair",
        "positions",
        "2i/C with i the number of the column",
        (SPEEDS, "10_000 ** (-2 * torch.arange(0, d_model, 2) / d_model)"),
    ),
    edit(
        "C/2 in the exponent",
        "positions",
        "the last hand reaches 10000; equal at C = 4 only by the first hand",
        (SPEEDS, "10_000 ** (-torch.linspace(0, 1, d_model // 2))"),
    ),
    edit(
        "speeds of C = 4",
        "positions",
        "each hand 100 times slower than the one before",
        (SPEEDS, "100.0 ** -torch.arange(d_model // 2)"),
    ),
    edit(
        "positions over the batch",
        "positions",
        "the published [:, newaxis]: works for a square batch",
        (PLUS, PLUS + "[:, None]"),
    ),
    edit(
        "positions over the batch if they fit",
        "positions",
        "broadcast wrongly only where as many items as places",
        (
            f"return {PLUS}",
            "added = sinusoidal_positions(ids.shape[1], table.shape[1])\n"
            "    return x + (added[:, None] if len(ids) == ids.shape[1] else added)",
        ),
    ),
    edit("no root", "positions", "words whisper", (ROOT, "")),
    edit(
        "positions scaled too",
        "positions",
        "the root on the sum",
        (ROOT, ""),
        (PLUS, f"math.sqrt(table.shape[1]) * ({PLUS})"),
    ),
    edit("times C", "positions", "no root taken", ("math.sqrt(table.shape[1])", "table.shape[1]")),
    edit(
        "root of the vocabulary",
        "positions",
        "the table's other side",
        (ROOT, "math.sqrt(table.shape[0]) * "),
    ),
    edit(
        "fixed root of 2",
        "positions",
        "right for C = 4 alone",
        (ROOT, "2.0 * "),
    ),
    edit(
        "table detached", "positions", "embeddings never learn", (" table[ids]", " table.data[ids]")
    ),
    edit(
        "table scaled in place",
        "positions",
        "grows with every call",
        (
            f"x = {ROOT}table[ids]",
            "with torch.no_grad():\n        table *= math.sqrt(table.shape[1])\n    x = table[ids]",
        ),
    ),
    # Task 2
    edit(
        "neighbors paired",
        "rotary",
        "the paper's convention",
        ("first, second = x.chunk(2, dim=-1)", "first, second = x[..., 0::2], x[..., 1::2]"),
    ),
    edit(
        "other way round",
        "rotary",
        "minus on the sine of the second",
        (TURNED, "torch.cat([first * cos + second * sin, second * cos - first * sin], dim=-1)"),
    ),
    edit(
        "positions ignored",
        "rotary",
        "0 … T − 1 always",
        (ANGLES, "torch.arange(x.shape[-2])[:, None] * speeds"),
    ),
    edit(
        "relative to the first",
        "rotary",
        "positions minus positions[0]",
        (ANGLES, "(positions - positions[0])[:, None] * speeds"),
    ),
    edit(
        "one speed",
        "rotary",
        "all pairs turn by p radians",
        (ANGLES, "positions[:, None] * torch.ones(d_head // 2)"),
    ),
    edit(
        "speeds of the half width",
        "rotary",
        "2i over D/2",
        ("/ d_head)", "/ (d_head // 2))"),
    ),
    edit(
        "rounded angles",
        "rotary",
        "float64 becomes float32",
        (", angles.sin().to(x.dtype)", ", angles.sin()"),
        ("angles.cos().to(x.dtype)", "angles.cos()"),
        ("x.chunk(2, dim=-1)", "x.float().chunk(2, dim=-1)"),
    ),
    edit(
        "angles in the dtype of x",
        "rotary",
        "bfloat16 has two digits, and positions need more",
        (ANGLES, f"({ANGLES}).to(x.dtype)"),
    ),
    edit(
        "in place",
        "rotary",
        "the second half is rotated with a rotated first half's copy, and x is lost",
        (
            f"return {TURNED}",
            "with torch.no_grad():\n"
            "        rotated = torch.cat([first * cos - second * sin, "
            "second * cos + first * sin], dim=-1)\n"
            "        x.copy_(rotated)\n    return x * 1.0",
        ),
    ),
    edit(
        "leading dimension first",
        "rotary",
        "T counted from the front",
        (
            f"angles = {ANGLES}",
            f"angles = {ANGLES}\n"
            "    if x.dim() > 2 and x.shape[0] == x.shape[-2]:\n        angles = angles[:, None]",
        ),
    ),
    edit("detached", "rotary", "queries never learn", ("x.chunk", "x.detach().chunk")),
    # Task 3
    edit("outer ReLU", "feed_forward", "the published formula", (THINK, f"F.relu({THINK})")),
    edit("no activation", "feed_forward", "two layers are then one", ("F.relu(", "(")),
    edit("GELU", "feed_forward", "another activation", ("F.relu(", "F.gelu(")),
    edit(
        "leaky",
        "feed_forward",
        "nearly a ReLU",
        ("F.relu(self.up_projection(x))", "F.leaky_relu(self.up_projection(x), 1e-4)"),
    ),
    edit(
        "dropout left on",
        "feed_forward",
        "a habit from elsewhere",
        ("F.relu(self.up_projection(x))", "F.dropout(F.relu(self.up_projection(x)), 0.1)"),
    ),
    edit(
        "clipped",
        "feed_forward",
        "ReLU6: equal for small numbers",
        ("F.relu(", "F.relu6("),
        ("self.up_projection(x)", "self.up_projection(x)"),
    ),
    edit(
        "a residual of its own",
        "feed_forward",
        "added twice in a block",
        (THINK, f"x + {THINK}"),
    ),
    edit(
        "no biases",
        "feed_forward",
        "weights multiplied by hand",
        (THINK, "F.relu(x @ self.up_projection.weight.T) @ self.down_projection.weight.T"),
    ),
    edit(
        "input detached",
        "feed_forward",
        "nothing below it learns",
        (THINK, THINK.replace("(x)", "(x.detach())")),
    ),
    # Task 4
    edit(
        "unbiased variance",
        "layer_norm",
        "divides by C − 1",
        (VARIANCE, "x.var(dim=-1, keepdim=True)"),
    ),
    edit(
        "eps outside the root",
        "layer_norm",
        "the same to five digits at 1e-5",
        ("torch.sqrt(variance + eps)", "(torch.sqrt(variance) + eps)"),
    ),
    edit(
        "no root",
        "layer_norm",
        "variance for deviation",
        ("torch.sqrt(variance + eps)", "(variance + eps)"),
    ),
    edit("eps ignored", "layer_norm", "always 1e-5", ("variance + eps", "variance + 1e-5")),
    edit(
        "over the positions",
        "layer_norm",
        "the last dimension but one",
        ("x.mean(dim=-1, keepdim=True)", "x.mean(dim=-2, keepdim=True)"),
        (VARIANCE, "centered.square().mean(dim=-2, keepdim=True)"),
    ),
    edit(
        "one norm for all",
        "layer_norm",
        "the variance of the whole tensor",
        (VARIANCE, "centered.square().mean()"),
    ),
    edit(
        "mean of squares minus square of mean",
        "layer_norm",
        "loses all digits far from zero",
        (
            VARIANCE,
            "(x.square().mean(-1, keepdim=True) - x.mean(-1, keepdim=True).square()).clamp(min=0)",
        ),
    ),
    edit(
        "shift scaled",
        "layer_norm",
        "(… + shift) · scale",
        ("* scale + shift", "+ shift) * scale"),
        ("return centered", "return (centered"),
    ),
    edit("no centering", "layer_norm", "RMSNorm", ("return centered", "return x")),
    edit(
        "statistics detached",
        "layer_norm",
        "the gradient takes mean and variance for constants",
        (VARIANCE, f"{VARIANCE}.detach()"),
    ),
    edit(
        "centered in place",
        "layer_norm",
        "x is changed",
        (
            "centered = x - x.mean(dim=-1, keepdim=True)",
            "with torch.no_grad():\n        x -= x.mean(dim=-1, keepdim=True)\n"
            "    centered = x * 1.0",
        ),
    ),
    fill(
        "PyTorch's own",
        "layer_norm",
        "called, not written",
        "return F.layer_norm(x, x.shape[-1:], scale, shift, eps)",
    ),
    # Task 5
    edit(
        "orders swapped",
        "encoder_block",
        "norm_first upside down",
        ("if self.norm_first:", "if not self.norm_first:"),
    ),
    edit(
        "norm on the sublayer",
        "encoder_block",
        "post-norm without its sum: x + norm(f(x))",
        (POST_ATTENTION, "x = x + self.attention_norm(self.attention(x, mask=mask)[0])"),
        (POST_THINK, "return x + self.feed_forward_norm(self.feed_forward(x))"),
    ),
    edit(
        "norm on the stream",
        "encoder_block",
        "pre-norm that keeps the normalized x",
        (
            PRE_ATTENTION,
            "x = self.attention_norm(x)\n            x = x + self.attention(x, mask=mask)[0]",
        ),
    ),
    edit(
        "no residual",
        "encoder_block",
        "attention alone",
        (PRE_ATTENTION, PRE_ATTENTION.replace("x + ", "")),
    ),
    edit(
        "no residual in post-norm",
        "encoder_block",
        "the other branch",
        (POST_THINK, POST_THINK.replace("x + ", "")),
    ),
    edit(
        "no feed-forward",
        "encoder_block",
        "published so",
        (PRE_THINK, "return x"),
        (POST_THINK, "return x"),
    ),
    edit(
        "one norm for both",
        "encoder_block",
        "the other one idles",
        (PRE_THINK, PRE_THINK.replace("feed_forward_norm", "attention_norm")),
        (POST_THINK, POST_THINK.replace("feed_forward_norm", "attention_norm")),
    ),
    edit(
        "side by side",
        "encoder_block",
        "both sublayers read the same x",
        (
            PRE_ATTENTION,
            "old, x = x, x + self.attention(self.attention_norm(x), mask=mask)[0]",
        ),
        (PRE_THINK, "return x + self.feed_forward(self.feed_forward_norm(old))"),
    ),
    edit(
        "mask forgotten in post-norm",
        "encoder_block",
        "looks ahead in one of the branches",
        (POST_ATTENTION, POST_ATTENTION.replace(", mask=mask", "")),
    ),
    edit(
        "mask forgotten",
        "encoder_block",
        "looks ahead",
        (PRE_ATTENTION, PRE_ATTENTION.replace(", mask=mask", "")),
        (POST_ATTENTION, POST_ATTENTION.replace(", mask=mask", "")),
    ),
    edit(
        "always causal",
        "encoder_block",
        "a decoder's habit, where no mask is given",
        (
            "if self.norm_first:",
            "if mask is not None and mask.shape[-2] == 1:\n"
            "            mask = mask & causal_mask(x.shape[1])\n        if self.norm_first:",
        ),
    ),
    edit(
        "first item's mask",
        "encoder_block",
        "one mask for all",
        (
            "if self.norm_first:",
            "mask = mask[0] if mask is not None and mask.dim() == 3 else mask\n"
            "        if self.norm_first:",
        ),
    ),
    edit(
        "over the batch",
        "encoder_block",
        "batch_first=False: items look at each other",
        (
            PRE_ATTENTION,
            "y = self.attention(self.attention_norm(x).transpose(0, 1), mask=mask)[0]\n"
            "            x = x + y.transpose(0, 1)",
        ),
    ),
    edit(
        "heads as wide as the model",
        "encoder_block",
        "key_dim=d_model: H times the parameters",
        ("MultiHeadAttention(d_model, n_heads)", "MultiHeadAttention(n_heads * d_model, n_heads)"),
    ),
    edit(
        "one head",
        "encoder_block",
        "n_heads not passed on",
        ("MultiHeadAttention(d_model, n_heads)", "MultiHeadAttention(d_model, 1)"),
    ),
    edit(
        "memory detached",
        "encoder_block",
        "keys never learn",
        (
            "self.attention(self.attention_norm(x), mask=mask)",
            "self.attention(self.attention_norm(x), self.attention_norm(x).detach(), mask)",
        ),
    ),
    edit(
        "feed-forward network without its way back",
        "encoder_block",
        "detached, to save memory",
        (PRE_THINK, PRE_THINK.replace("(x))", "(x.detach()))")),
        (POST_THINK, POST_THINK.replace("(x))", "(x.detach()))")),
    ),
    edit(
        "mask of the whole batch",
        "encoder_block",
        "what is hidden from one is hidden from all",
        (
            PRE_ATTENTION,
            PRE_ATTENTION.replace(
                "mask=mask", "mask=mask if mask is None or mask.dim() == 2 else mask.all(0)"
            ),
        ),
        (
            POST_ATTENTION,
            POST_ATTENTION.replace(
                "mask=mask", "mask=mask if mask is None or mask.dim() == 2 else mask.all(0)"
            ),
        ),
    ),
    # Task 6
    edit(
        "memory = x",
        "decoder_block",
        "never listens",
        (CROSS, CROSS.replace("memory, memory_mask", "mask=mask")),
    ),
    edit(
        "memory where it fits",
        "decoder_block",
        "queries from the memory where T = S",
        (
            CROSS,
            "(self.cross_attention(memory, x)[0] if x.shape == memory.shape "
            "and memory_mask is None else "
            "self.cross_attention(x, memory, memory_mask)[0])",
        ),
    ),
    edit(
        "cross mask forgotten",
        "decoder_block",
        "listens to padding",
        (CROSS, CROSS.replace(", memory_mask", "")),
    ),
    edit("causal mask forgotten", "decoder_block", "looks ahead", (SELF, "self.attention(x)[0]")),
    edit(
        "masks swapped",
        "decoder_block",
        "each to the other",
        (SELF, SELF.replace("mask=mask", "mask=memory_mask")),
        (CROSS, CROSS.replace("memory_mask", "mask")),
    ),
    edit(
        "causal in cross-attention",
        "decoder_block",
        "where T = S it goes unnoticed",
        (
            CROSS,
            "self.cross_attention(x, memory, mask if memory_mask is None and "
            "x.shape[1] == memory.shape[1] else memory_mask)[0]",
        ),
    ),
    edit(
        "memory normalized",
        "decoder_block",
        "by the norm of x",
        (
            CROSS,
            CROSS.replace("memory, memory_mask", "self.cross_attention_norm(memory), memory_mask"),
        ),
    ),
    edit(
        "memory normalized in post-norm",
        "decoder_block",
        "a second time, one branch only",
        (
            CROSS,
            "self.cross_attention(x, memory if self.norm_first "
            "else self.cross_attention_norm(memory), memory_mask)[0]",
        ),
    ),
    edit(
        "cross-attention first",
        "decoder_block",
        "listens before it knows what was written",
        (
            "(self.attention_norm, lambda x: self.attention(x, mask=mask)[0]),",
            "",
        ),
        (
            "(self.feed_forward_norm, self.feed_forward),",
            "(self.attention_norm, lambda x: self.attention(x, mask=mask)[0]),\n"
            "            (self.feed_forward_norm, self.feed_forward),",
        ),
    ),
    edit(
        "norms swapped",
        "decoder_block",
        "equal as long as they are fresh",
        ("(self.attention_norm, lambda", "(self.cross_attention_norm, lambda"),
        (
            "                self.cross_attention_norm,\n",
            "                self.attention_norm,\n",
        ),
    ),
    edit(
        "norm on the sublayer",
        "decoder_block",
        "x + norm(f(x)) in post-norm",
        (ORDER, ORDER.replace("norm(x + sublayer(x))", "x + norm(sublayer(x))")),
    ),
    edit(
        "orders swapped",
        "decoder_block",
        "norm_first upside down",
        ("if self.norm_first else", "if not self.norm_first else"),
    ),
    edit(
        "memory detached",
        "decoder_block",
        "the encoder never learns",
        (CROSS, CROSS.replace("memory,", "memory.detach(),")),
    ),
    edit(
        "own causal mask",
        "decoder_block",
        "made although none was given",
        (SELF, "self.attention(x, mask=causal_mask(x.shape[1]) if mask is None else mask)[0]"),
    ),
    edit(
        "cross-attention without its way back",
        "decoder_block",
        "what asks does not learn to ask",
        (CROSS, CROSS.replace("(x, memory", "(x.detach(), memory")),
    ),
    edit(
        "mask for both",
        "decoder_block",
        "a causal mask stands in where no memory mask is given and the lengths agree",
        (
            CROSS,
            CROSS.replace(
                "memory_mask",
                "mask if memory_mask is None and x.shape[1] == memory.shape[1] else memory_mask",
            ),
        ),
    ),
    # Task 7
    edit(
        "shifted left",
        "teacher_forcing",
        "the wrong way",
        (SHIFT, "torch.cat([ids[:, 1:], start], dim=1)"),
    ),
    edit(
        "rolled",
        "teacher_forcing",
        "the last comes in at the front",
        (f"return {SHIFT}", "return ids.roll(1, dims=1)"),
    ),
    edit(
        "first replaced",
        "teacher_forcing",
        "the start, but nothing moved: each place sees its target",
        (SHIFT, "torch.cat([start, ids[:, 1:]], dim=1)"),
    ),
    edit(
        "longer by one",
        "teacher_forcing",
        "the start comes in, nothing goes",
        (SHIFT, "torch.cat([start, ids], dim=1)"),
    ),
    edit(
        "shifted in place",
        "teacher_forcing",
        "the target is lost",
        (
            f"return {SHIFT}",
            "ids[:, 1:] = ids[:, :-1].clone()\n    ids[:, 0] = start_id\n    return ids",
        ),
    ),
    edit(
        "float start",
        "teacher_forcing",
        "int64 whatever the ids",
        ("torch.full_like(ids[:, :1], start_id)", "torch.full((len(ids), 1), start_id)"),
    ),
    edit(
        "padding counts",
        "teacher_forcing",
        "the mean over all places",
        (LOSS, "F.cross_entropy(logits.flatten(0, 1), target.flatten())"),
    ),
    edit(
        "divided by all places",
        "teacher_forcing",
        "padding is out of the sum, not out of the number",
        (LOSS, f"{LOSS} * real.float().mean()"),
    ),
    edit(
        "mean of means",
        "teacher_forcing",
        "short items count more",
        (
            f"return {LOSS}",
            "each = F.cross_entropy(logits.mT, target, reduction='none') * real\n"
            "    return (each.sum(1) / real.sum(1)).mean()",
        ),
    ),
    edit(
        "padding is 0",
        "teacher_forcing",
        "whatever padding_id says",
        ("target != padding_id", "target != 0"),
    ),
    edit(
        "until the first padding",
        "teacher_forcing",
        "of the first item, as if all were as long",
        (
            f"return {LOSS}",
            "longest = int(real.sum(1).max())\n"
            "    real = real & (torch.arange(real.shape[1]) < longest - (longest > 6))\n"
            f"    return {LOSS}",
        ),
    ),
    edit(
        "log of softmax",
        "teacher_forcing",
        "−inf at large logits",
        (
            f"return {LOSS}",
            "probs = logits[real].softmax(-1)\n"
            "    return -probs.gather(1, target[real][:, None]).log().mean()",
        ),
    ),
    edit(
        "in bits",
        "teacher_forcing",
        "the other logarithm",
        (LOSS, f"{LOSS} / math.log(2)"),
    ),
    edit(
        "double softmax",
        "teacher_forcing",
        "cross_entropy takes logits",
        ("F.cross_entropy(logits[real]", "F.cross_entropy(logits[real].softmax(-1)"),
    ),
    edit(
        "loss detached",
        "teacher_forcing",
        "a number without a history",
        (LOSS, f"{LOSS}.detach()"),
    ),
    edit(
        "64 bits",
        "teacher_forcing",
        "the dtype of the ids is lost",
        ("return torch.cat([start, ids[:, :-1]], dim=1)", f"return {SHIFT}.long()"),
    ),
    # Task 8
    edit(
        "first place",
        "writing",
        "always the first token again",
        (NEWEST, "decode(written, memory, mask)[:, 0].argmax(-1)"),
    ),
    edit(
        "best of all places",
        "writing",
        "the loudest place decides",
        (NEWEST, "decode(written, memory, mask).amax(1).argmax(-1)"),
    ),
    edit(
        "encodes at each step",
        "writing",
        "right, and wasteful",
        (NEWEST, "decode(written, encode(source, mask), mask)[:, -1].argmax(-1)"),
    ),
    edit(
        "only the newest",
        "writing",
        "decode reads one token",
        (NEWEST, "decode(written[:, -1:], memory, mask)[:, -1].argmax(-1)"),
    ),
    edit(
        "goes on after the end",
        "writing",
        "writes what the model says",
        ("newest.masked_fill(finished, end_id)", "newest"),
    ),
    edit("start kept", "writing", "not taken off", ("return written[:, 1:]", "return written")),
    edit(
        "stops with the first",
        "writing",
        "any for all",
        ("finished.all()", "finished.any()"),
    ),
    edit("never stops", "writing", "n_tokens always", ("if finished.all():", "if False:")),
    edit(
        "finished forgotten",
        "writing",
        "only who ends just now counts",
        ("finished = finished | (newest == end_id)", "finished = newest == end_id"),
        ("newest = newest.masked_fill(finished, end_id)", "newest = newest * 1"),
    ),
    edit(
        "mask not passed to decode",
        "writing",
        "listens to padding",
        (NEWEST, "decode(written, memory, None)[:, -1].argmax(-1)"),
    ),
    edit(
        "one token more",
        "writing",
        "n_tokens + 1",
        ("range(n_tokens)", "range(n_tokens + 1)"),
    ),
    edit(
        "end 0 is no end",
        "writing",
        "if end_id: …",
        ("finished | (newest == end_id)", "finished | ((newest == end_id) & bool(end_id))"),
    ),
    edit(
        "sampled",
        "writing",
        "drawn, not the most probable",
        (NEWEST, "decode(written, memory, mask)[:, -1].softmax(-1).multinomial(1)[:, 0]"),
    ),
    edit(
        "start is 1",
        "writing",
        "as in the example",
        ("torch.full_like(source[:, :1], start_id)", "torch.ones_like(source[:, :1])"),
    ),
    edit(
        "32 bits",
        "writing",
        "the dtype of the source is lost",
        ("return written[:, 1:]", "return written[:, 1:].int()"),
    ),
]


RIGHT = [
    fill(
        "loops",
        "positions",
        "sine and cosine of Python",
        """
        rows = []
        for p in range(n):
            row = []
            for c in range(d_model):
                angle = p / 10000 ** (2 * (c // 2) / d_model)
                row.append(math.cos(angle) if c % 2 else math.sin(angle))
            rows.append(row)
        return torch.tensor(rows)
        """,
        """
        x = F.embedding(ids, table) * table.size(-1) ** 0.5
        return x + sinusoidal_positions(ids.size(1), table.size(-1)).unsqueeze(0)
        """,
    ),
    fill(
        "filled columns",
        "positions",
        "exp and log for the speeds, one-hot for the rows",
        """
        table = torch.zeros(n, d_model)
        speeds = torch.exp(torch.arange(0, d_model, 2).float() * -(math.log(10000.0) / d_model))
        p = torch.arange(0, n, dtype=torch.float).unsqueeze(1)
        table[:, 0::2] = torch.sin(p * speeds)
        table[:, 1::2] = torch.cos(p * speeds)
        return table
        """,
        """
        B, T = ids.shape
        V, C = table.shape
        words = F.one_hot(ids, V).to(table.dtype) @ (table * C**0.5)
        return words + sinusoidal_positions(T, C).expand(B, T, C)
        """,
    ),
    fill(
        "rotate_half",
        "rotary",
        "as in transformers",
        """
        D = x.size(-1)
        inv_freq = 1.0 / 10000 ** (torch.arange(0, D, 2).float() / D)
        freqs = torch.outer(positions.float(), inv_freq)
        cos = torch.cat([freqs, freqs], dim=-1).cos().type_as(x)
        sin = torch.cat([freqs, freqs], dim=-1).sin().type_as(x)
        half = torch.cat([-x[..., D // 2 :], x[..., : D // 2]], dim=-1)
        return x * cos + half * sin
        """,
    ),
    fill(
        "complex numbers",
        "rotary",
        "computed in float64, then cast",
        """
        D = x.shape[-1]
        a, b = x.double()[..., : D // 2], x.double()[..., D // 2 :]
        exponents = torch.arange(D // 2, dtype=torch.float64) * 2 / D
        theta = positions.double().unsqueeze(-1) / 10_000.0**exponents
        z = torch.complex(a, b) * torch.exp(1j * theta)
        return torch.cat((z.real, z.imag), -1).to(x.dtype)
        """,
    ),
    fill(
        "matrices",
        "rotary",
        "a rotation matrix for each position",
        """
        T, D = x.shape[-2:]
        matrices = torch.zeros(T, D, D, dtype=torch.float64)
        for t, p in enumerate(positions.tolist()):
            for i in range(D // 2):
                theta, j = p * 10000 ** (-2 * i / D), i + D // 2
                matrices[t, i, i] = matrices[t, j, j] = math.cos(theta)
                matrices[t, i, j], matrices[t, j, i] = -math.sin(theta), math.sin(theta)
        return torch.einsum("tij,...tj->...ti", matrices.to(x.dtype), x)
        """,
    ),
    fill(
        "clamp and matmul",
        "feed_forward",
        "the weights by hand",
        """
        self.up_projection = nn.Linear(d_model, d_ff)
        self.down_projection = nn.Linear(d_ff, d_model)
        """,
        """
        hidden = torch.clamp(x @ self.up_projection.weight.T + self.up_projection.bias, min=0)
        return hidden @ self.down_projection.weight.T + self.down_projection.bias
        """,
    ),
    fill(
        "a module for the activation",
        "feed_forward",
        "nn.ReLU as a part",
        """
        self.up_projection = nn.Linear(d_model, d_ff, bias=True)
        self.activation = nn.ReLU()
        self.down_projection = nn.Linear(d_ff, d_model, bias=True)
        """,
        """
        x = self.up_projection(x)
        x = self.activation(x)
        return self.down_projection(x)
        """,
    ),
    fill(
        "var and rsqrt",
        "layer_norm",
        "PyTorch's variance with its correction off",
        """
        mean, var = x.mean(-1, keepdim=True), x.var(-1, correction=0, keepdim=True)
        return scale * (x - mean) * torch.rsqrt(var + eps) + shift
        """,
    ),
    fill(
        "sums",
        "layer_norm",
        "divided by the size",
        """
        n = x.size(-1)
        mu = x.sum(-1).unsqueeze(-1) / n
        sigma2 = ((x - mu) ** 2).sum(-1).unsqueeze(-1) / n
        return torch.addcmul(shift, (x - mu) / (sigma2 + eps) ** 0.5, scale)
        """,
    ),
    fill(
        "a helper inside",
        "encoder_block",
        "the residual as a function",
        """
        self.feed_forward = FeedForward(d_model, d_ff)
        self.attention = MultiHeadAttention(d_model=d_model, n_heads=n_heads)
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.pre = norm_first
        """,
        """
        def around(x, norm, f):
            return x + f(norm(x)) if self.pre else norm(x + f(x))

        x = around(x, self.attention_norm, lambda y: self.attention(y, y, mask)[0])
        return around(x, self.feed_forward_norm, self.feed_forward)
        """,
    ),
    write(
        "two branches",
        "encoder_block",
        "its own feed-forward class, no type hints",
        """
class Think(nn.Module):
    def __init__(self, C, d_ff):
        super().__init__()
        self.up_projection = nn.Linear(C, d_ff)
        self.down_projection = nn.Linear(d_ff, C)

    def forward(self, x):
        return self.down_projection(self.up_projection(x).relu())

class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, norm_first=True):
        super().__init__()
        self.norm_first = norm_first
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = Think(d_model, d_ff)
        self.attention_norm = nn.LayerNorm((d_model,))
        self.feed_forward_norm = nn.LayerNorm((d_model,))

    def forward(self, x, mask=None):
        residual = x
        if self.norm_first:
            x = self.attention_norm(x)
        x, _ = self.attention(x, None, mask)
        x = residual + x
        if not self.norm_first:
            x = self.attention_norm(x)
        residual = x
        if self.norm_first:
            x = self.feed_forward_norm(x)
        x = residual + self.feed_forward(x)
        return x if self.norm_first else self.feed_forward_norm(x)
        """,
    ),
    fill(
        "spelled out",
        "decoder_block",
        "six lines for each order",
        """
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        for name in ("attention", "cross_attention", "feed_forward"):
            setattr(self, f"{name}_norm", nn.LayerNorm(d_model))
        self.norm_first = norm_first
        """,
        """
        if self.norm_first:
            y = self.attention_norm(x)
            x = x + self.attention(y, y, mask)[0]
            y = self.cross_attention_norm(x)
            x = x + self.cross_attention(y, memory, mask=memory_mask)[0]
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask=mask)[0])
        x = self.cross_attention_norm(x + self.cross_attention(x, memory, mask=memory_mask)[0])
        return self.feed_forward_norm(x + self.feed_forward(x))
        """,
    ),
    fill(
        "item by item",
        "decoder_block",
        "a loop over the batch, masks made full",
        """
        self.norm_first = norm_first
        for name in ("attention", "cross_attention"):
            self.add_module(name, MultiHeadAttention(d_model, n_heads))
        for name in ("attention_norm", "cross_attention_norm", "feed_forward_norm"):
            self.add_module(name, nn.LayerNorm(d_model))
        self.feed_forward = FeedForward(d_model, d_ff)
        """,
        """
        B, T, S = x.size(0), x.size(1), memory.size(1)
        ones = torch.ones(B, T, T, dtype=torch.bool), torch.ones(B, T, S, dtype=torch.bool)
        mask = ones[0] if mask is None else mask & ones[0]
        memory_mask = ones[1] if memory_mask is None else memory_mask & ones[1]
        rows = []
        for b in range(B):
            one, read = x[b : b + 1], memory[b : b + 1]
            steps = [
                (self.attention_norm, lambda y, b=b: self.attention(y, None, mask[b])[0]),
                (
                    self.cross_attention_norm,
                    lambda y, b=b, read=read: self.cross_attention(y, read, memory_mask[b])[0],
                ),
                (self.feed_forward_norm, self.feed_forward),
            ]
            for norm, f in steps:
                one = one + f(norm(one)) if self.norm_first else norm(one + f(one))
            rows.append(one)
        return torch.cat(rows)
        """,
    ),
    fill(
        "pad and ignore_index",
        "teacher_forcing",
        "what PyTorch offers",
        "return F.pad(ids, (1, 0), value=start_id)[:, :-1]",
        "return F.cross_entropy(logits.transpose(1, 2), target, ignore_index=padding_id)",
    ),
    fill(
        "log_softmax and gather",
        "teacher_forcing",
        "roll a copy, weigh by real",
        """
        shifted = ids.roll(1, dims=1)
        shifted[:, 0] = start_id
        return shifted
        """,
        """
        log_probs = F.log_softmax(logits, -1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
        real = (target != padding_id).to(log_probs.dtype)
        return -(log_probs * real).sum() / real.sum()
        """,
    ),
    fill(
        "while",
        "writing",
        "a list of columns",
        """
        memory, columns = encode(source, mask), []
        start = source.new_full((source.size(0), 1), start_id)
        done = source.new_zeros(source.size(0)).bool()
        while len(columns) < n_tokens and not bool(done.all()):
            logits = decode(torch.cat([start, *columns], -1), memory, mask)
            token = torch.where(done, end_id, logits[:, -1, :].max(dim=-1).indices)
            done |= token == end_id
            columns.append(token.unsqueeze(1))
        return torch.cat(columns, 1)
        """,
    ),
    fill(
        "one list for each item",
        "writing",
        "Python lists",
        """
        memory = encode(source, mask)
        rows = [[start_id] for _ in source]
        for _ in range(n_tokens):
            logits = decode(torch.tensor(rows), memory, mask)
            for row, last in zip(rows, logits[:, -1]):
                row.append(end_id if end_id in row[1:] else int(last.argmax()))
            if all(end_id in row[1:] for row in rows):
                break
        return torch.tensor([row[1:] for row in rows])
        """,
    ),
]
