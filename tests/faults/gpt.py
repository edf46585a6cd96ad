"""Answers to the assignment `gpt`: plausible and wrong, or right in another style."""

from . import edit, fill, frozen, write, wrong

# Task 1
WIDE = "wide = x if x.dtype == torch.float64 else x.float()"
ROOT = "root = torch.sqrt(wide.square().mean(dim=-1, keepdim=True) + eps)"
NORMED = "return (wide / root * weight).to(x.dtype)"
# Task 2
HALVES = "gate, hidden = (x @ up.mT).chunk(2, dim=-1)"
GATED = "return (F.silu(gate) * hidden) @ down.mT"
WIDTH = "return -(-8 * d_model // (3 * multiple)) * multiple"
# Task 3
PLACES = "return torch.where(mask, mask.cumsum(-1) - 1, 0)"
ANGLES = "angles = positions[..., None] * speeds"
PER_TEXT = "if positions.dim() == 2:\n        angles = angles[:, None]\n    "
COSINES = "cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)"
FIRST = "first, second = x.chunk(2, dim=-1)"
TURNED = "return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)"
# Task 4
KEYS = "key = key.repeat_interleave(n_heads // n_kv_heads, dim=1)"
VALUES = "value = value.repeat_interleave(n_heads // n_kv_heads, dim=1)"
LATER = "may = may.tril(n_places - n_new)"
MASK = "may = may & mask[:, None, None, :]"
NOWHERE = "nowhere = ~may.any(-1, keepdim=True)"
SCORES = "scores = query @ key.mT / math.sqrt(d_head)"
WEIGHTS = "weights = scores.masked_fill(~may & ~nowhere, -math.inf).softmax(-1)"
HEADS = "return weights.masked_fill(nowhere, 0.0) @ value"
REFUSED = 'raise ValueError(f"H must be a multiple of G, got H={n_heads}, G={n_kv_heads}")'
# Task 5
POSITIONS = "positions = torch.arange(n, device=ids.device) if mask is None else places(mask)"
NORM_1 = "parts = (rms_norm(x, self.attention_norm) @ self.qkv.mT).split(widths, dim=-1)"
SPLIT = "query, key, value = (part.unflatten(-1, (-1, d_head)).transpose(1, 2) for part in parts)"
TURN = "query, key = rotate(query, positions), rotate(key, positions)"
ATTEND = "heads = grouped_attention(query, key, value, mask)"
ADD_1 = "x = x + heads.transpose(1, 2).flatten(2) @ self.output.mT"
ADD_2 = "return x + swiglu(rms_norm(x, self.feed_forward_norm), self.up, self.down)"
LOGITS = "return rms_norm(x, self.norm) @ self.head.mT"
TOO_LONG = "if n > self.context_length:"
# Task 6
TIED = '"head": weights.get("lm_head.weight", embedding).clone(),'
LAYERS = 'if not name.endswith(".input_layernorm.weight"):'
NUMBER = 'number = name.split(".")[2]'
# Task 7
QKV = "qkv = d_model + 2 * n_kv_heads * (d_model // n_heads)"
HOLDS = "block = d_model * (qkv + d_model + 3 * d_ff) + 2 * d_model"
TABLES = "tables = vocab_size * d_model * (1 if tied else 2)"
TOTAL = "return n_layers * block + tables + d_model"
COSTS = "block = d_model * (qkv + d_model + 3 * d_ff)\n    weights"
HEAD = "weights = n_layers * block + vocab_size * d_model"
WORK = "return 2 * n * weights + n_layers * 4 * n**2 * d_model"
# Task 8
ONES = "parameter.fill_(1.0)"
DRAW = "parameter.normal_(0.0, 0.02 / math.sqrt(2 * n_layers) if writes else 0.02)"
NORM_RIGHT = "right = (parameter - 1).abs().max() <= 1e-3"
SHARE = "share = parameter.square().mean().sqrt() / std"
BOUNDS = "right = 2 / 3 <= share <= 3 / 2"
STD = "std = 0.02 / math.sqrt(2 * n_layers)"
# Task 9
START = "start = 0 if cache is None else cache[0][0].shape[2]"
FULL = "if n > model.context_length:"
FROM = "positions = torch.arange(start, n, device=ids.device)"
CAT = "key, value = torch.cat([cache[i][0], key], 2), torch.cat([cache[i][1], value], 2)"
KEEP = "grown.append((key, value))"
# Task 10
CLONE = "output = output.clone()"
COLUMNS = "output[:, head * d_head : (head + 1) * d_head] = 0.0"
STAY = "heads = [h for h in range(n_heads) if h // size != group]"
OTHERS = "others = [g for g in range(n_kv_heads) if g != group]"
ROWS = "rows = torch.cat([query[heads], key[others], value[others]])"
NARROW = "return rows.flatten(0, 1), output.unflatten(1, (-1, d_head))[:, heads].flatten(1)"
# Task 11
WINDOWS = "rows = torch.stack([ids[start : start + n + 1] for start in starts])"
LOSS = "loss = F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())"
SEEN = "seen = text[-model.context_length :]"
LIKELIEST = "new = int(logits.argmax())"
DRAWN = "new = int(torch.multinomial((logits / temperature).softmax(-1), 1))"


WRONG = [
    # Task 1
    wrong(
        "rms", "no mean off", "centered", (WIDE, f"x = x - x.mean(-1, keepdim=True)\n    {WIDE}")
    ),
    wrong("rms", "root", "no root", ("torch.sqrt(wide.square()", "(wide.square()")),
    wrong("rms", "mean", "sum of squares", (".mean(dim=-1", ".sum(dim=-1")),
    wrong(
        "rms",
        "inside the root",
        "eps behind the root",
        (ROOT, "root = torch.sqrt(wide.square().mean(dim=-1, keepdim=True)) + eps"),
    ),
    wrong("rms", "eps", "its own eps", (" + eps)", " + 1e-5)")),
    wrong("rms", "last dimension", "mean over all", ("mean(dim=-1, keepdim=True)", "mean()")),
    wrong("rms", "float64|digits", "float64 made float32", (WIDE, "wide = x.float()")),
    wrong("rms", "float32", "squares in float16", (WIDE, "wide = x")),
    wrong(
        "rms", "detached", "the root detached", (NORMED, NORMED.replace("root", "root.detach()"))
    ),
    wrong("rms", "weight", "weight forgotten", (" * weight", "")),
    wrong("rms", "dtype", "stays float32", (".to(x.dtype)", "")),
    wrong(
        "rms",
        "eps|mean",
        "a floor instead of eps",
        (ROOT, "root = wide.square().mean(dim=-1, keepdim=True).sqrt().clamp(min=eps**0.5)"),
    ),
    # Task 2
    wrong(
        "gate",
        "first half|changed places",
        "second half is the gate",
        ("gate, hidden =", "hidden, gate ="),
    ),
    wrong("gate", "σ", "a sigmoid for the silu", ("F.silu(gate)", "torch.sigmoid(gate)")),
    wrong("gate", "silu", "a GELU for the silu", ("F.silu(gate)", "F.gelu(gate)")),
    wrong("gate", "silu", "silu on both", ("* hidden)", "* F.silu(hidden))")),
    wrong(
        "gate",
        "8/3",
        "four times the width",
        (WIDTH, "return -(-4 * d_model // multiple) * multiple"),
    ),
    wrong(
        "gate",
        "rounded up|round up",
        "rounded down",
        (WIDTH, "return 8 * d_model // (3 * multiple) * multiple"),
    ),
    wrong(
        "gate",
        "rounded up|round up",
        "to the nearest",
        (WIDTH, "return (8 * d_model + 3 * multiple // 2) // (3 * multiple) * multiple"),
    ),
    wrong(
        "gate",
        "16 digits",
        "a float in between",
        (WIDTH, "return math.ceil(8 * d_model / 3 / multiple) * multiple"),
    ),
    wrong(
        "gate",
        "round once|rounded up|round up",
        "rounded down first",
        (WIDTH, "return -(-(8 * d_model // 3) // multiple) * multiple"),
    ),
    wrong(
        "gate",
        "∞ or NaN",
        "exp of a large number",
        ("F.silu(gate)", "gate * gate.exp() / (1 + gate.exp())"),
    ),
    wrong("gate", "detached", "the gate detached", ("F.silu(gate)", "F.silu(gate.detach())")),
    wrong(
        "gate",
        "smaller dtype",
        "through float32",
        (GATED, "return ((F.silu(gate) * hidden).float() @ down.float().mT).to(x.dtype)"),
    ),
    wrong(
        "gate",
        "cannot be multiplied",
        "halves of the second dimension",
        ("chunk(2, dim=-1)", "chunk(2, dim=1)"),
    ),
    # Task 3
    wrong("rotary", "number of real ones before it", "places count from 1", (" - 1, 0)", ", 0)")),
    wrong(
        "rotary",
        "real ones before it|padding gets 0",
        "padding gets -1",
        (PLACES, "return mask.cumsum(-1) - 1"),
    ),
    wrong(
        "rotary",
        "number of real ones before it",
        "the column less the padding on the left",
        (
            PLACES,
            "first = mask.long().argmax(-1, keepdim=True)\n"
            "    return torch.where(mask, torch.arange(mask.shape[1]) - first, 0)",
        ),
    ),
    wrong(
        "rotary",
        "number of real ones|real token's position",
        "all texts as the first",
        (PLACES, "return torch.where(mask, mask[:1].cumsum(-1) - 1, 0)"),
    ),
    wrong(
        "rotary",
        "other way",
        "turned the other way",
        (
            TURNED,
            "return torch.cat([first * cos + second * sin, second * cos - first * sin], dim=-1)",
        ),
    ),
    wrong(
        "rotary",
        "positions",
        "always from 0",
        (
            ANGLES,
            "positions = torch.arange(x.shape[2])\n    angles = positions[..., None] * speeds",
        ),
    ),
    wrong("rotary", "base", "base is ignored", ("speeds = base **", "speeds = 10_000.0 **")),
    wrong(
        "rotary",
        "neighbors",
        "neighbors paired",
        (FIRST, "first, second = x[..., 0::2], x[..., 1::2]"),
        (
            TURNED,
            "return torch.stack([first * cos - second * sin, second * cos + first * sin], -1)"
            ".flatten(-2)",
        ),
    ),
    wrong(
        "rotary",
        "2i / D",
        "half the exponent",
        ("torch.arange(0, d_head, 2,", "torch.arange(d_head // 2,"),
    ),
    wrong(
        "rotary",
        "axis for the heads|taken for heads",
        "no axis for the heads where it fits",
        ("if positions.dim() == 2:", "if positions.dim() == 2 and x.shape[0] != x.shape[1]:"),
    ),
    wrong(
        "rotary",
        "first one|first text|their own|own positions",
        "positions of the first text",
        ("angles = angles[:, None]", "angles = angles[:1, None]"),
    ),
    wrong(
        "rotary",
        "bfloat16",
        "angles in the dtype of x",
        (ANGLES, "angles = positions[..., None].to(x.dtype) * speeds.to(x.dtype)"),
    ),
    wrong(
        "rotary",
        "limit|thousands",
        "a limit of 2,048",
        (ANGLES, "angles = positions.clamp(max=2048)[..., None] * speeds"),
    ),
    wrong(
        "rotary",
        "digits|float32",
        "x made float32",
        (FIRST, "dtype = x.dtype\n    first, second = x.float().chunk(2, dim=-1)"),
        (TURNED, TURNED + ".to(dtype)"),
    ),
    wrong(
        "rotary",
        "detached",
        "a half detached",
        (FIRST, "first, second = x.chunk(2, dim=-1)\n    second = second.detach()"),
    ),
    # Task 4
    wrong(
        "grouped",
        "repeat",
        "repeat in turns",
        (KEYS, "key = key.repeat(1, n_heads // n_kv_heads, 1, 1)"),
        (VALUES, "value = value.repeat(1, n_heads // n_kv_heads, 1, 1)"),
    ),
    wrong("grouped", "s − t + t|last t", "queries are the first", (LATER, "may = may.tril()")),
    wrong("grouped", "after its own", "no causal mask", (f"    {LATER}\n", "")),
    wrong("grouped", "√d", "not scaled", (" / math.sqrt(d_head)", "")),
    wrong(
        "grouped", "√d", "scaled by all heads", ("math.sqrt(d_head)", "math.sqrt(d_head * n_heads)")
    ),
    wrong(
        "grouped",
        "its own place",
        "not its own place",
        (LATER, "may = may.tril(n_places - n_new - 1)"),
    ),
    wrong(
        "grouped",
        "zeros|nowhere",
        "NaN where nowhere",
        (WEIGHTS, "weights = scores.masked_fill(~may, -math.inf).softmax(-1)"),
        (HEADS, "return weights @ value"),
    ),
    wrong(
        "grouped",
        "gradient",
        "−∞ is added and NaN is replaced behind",
        (WEIGHTS, "weights = (scores + torch.where(may, 0.0, -math.inf)).softmax(-1)"),
        (HEADS, "return weights.nan_to_num() @ value"),
    ),
    wrong("grouped", "gradient", "keys detached", (KEYS, KEYS.replace("= key", "= key.detach()"))),
    wrong(
        "grouped",
        "gradient",
        "values detached",
        (VALUES, VALUES.replace("= v", "= v").replace(".repeat", ".detach().repeat")),
    ),
    wrong("grouped", "-1e9", "a large number for −∞", ("-math.inf).softmax", "-1e9).softmax")),
    wrong("grouped", "own mask", "the mask of the first text", (MASK, "may = may & mask[0]")),
    wrong(
        "grouped",
        "causal mask",
        "the mask instead of the causal one",
        (MASK, "may = mask[:, None, None, :].expand(-1, -1, n_new, -1)"),
    ),
    wrong(
        "grouped",
        "H=4, G=3",
        "no numbers",
        (REFUSED, 'raise ValueError("H must be a multiple of G")'),
    ),
    wrong(
        "grouped",
        "ValueError",
        "refuses only more than G",
        ("if n_heads % n_kv_heads:", "if n_heads > n_kv_heads and n_heads % n_kv_heads:"),
    ),
    wrong(
        "grouped",
        "detached|gradient",
        "weights detached",
        (HEADS, HEADS.replace("0.0)", "0.0).detach()")),
    ),
    wrong(
        "grouped",
        "smaller dtype",
        "softmax in float32",
        (".softmax(-1)", ".float().softmax(-1).to(query.dtype)"),
    ),
    wrong(
        "grouped",
        "changed in place",
        "the values wiped in place",
        (
            KEYS,
            f"{KEYS}\n    "
            f"if mask is not None:\n        "
            f"value.masked_fill_(~mask[:, None, :, None], 0.0)",
        ),
    ),
    # Task 5
    wrong("model", "turned", "no rotation", (f"        {TURN}\n", "")),
    wrong(
        "model",
        "values",
        "values turned",
        (TURN, f"{TURN}\n        value = rotate(value, positions)"),
    ),
    wrong(
        "model",
        "norm before attention",
        "no first norm",
        (NORM_1, "parts = (x @ self.qkv.mT).split(widths, dim=-1)"),
    ),
    wrong(
        "model",
        "before the feed-forward",
        "no second norm",
        (ADD_2, "return x + swiglu(x, self.up, self.down)"),
    ),
    wrong(
        "model", "residual around attention", "no first residual", ("x = x + heads", "x = heads")
    ),
    wrong(
        "model",
        "residual around the feed",
        "no second residual",
        ("return x + swiglu", "return swiglu"),
    ),
    wrong(
        "model",
        "behind attention",
        "both from the same x",
        (ADD_1, f"before = x\n        {ADD_1}"),
        (ADD_2, "return x + swiglu(rms_norm(before, self.feed_forward_norm), self.up, self.down)"),
    ),
    wrong(
        "model",
        "transpose",
        "merged without a transpose",
        ("heads.transpose(1, 2).flatten(2) @", "heads.reshape(x.shape) @"),
    ),
    wrong(
        "model",
        "side by side",
        "heads inside",
        (
            SPLIT,
            "query, key, value = (part.unflatten(-1, (d_head, -1)).permute(0, 3, 1, 2) for "
            "part in parts)",
        ),
    ),
    wrong("model", "after the last block", "no last norm", (LOGITS, "return x @ self.head.mT")),
    wrong(
        "model",
        "table of its own",
        "a tied head",
        (LOGITS, "return rms_norm(x, self.norm) @ self.embedding.mT"),
    ),
    wrong(
        "model",
        "parameters of its own|must have a parameter",
        "one block for all",
        (
            "Block(d_model, n_heads, n_kv_heads, d_ff) for _ in range(n_layers)",
            "[Block(d_model, n_heads, n_kv_heads, d_ff)] * n_layers",
        ),
    ),
    wrong(
        "model",
        "places",
        "positions by column",
        (POSITIONS, "positions = torch.arange(n, device=ids.device)"),
    ),
    wrong(
        "model",
        "mask",
        "the mask is not handed on",
        ("x = block(x, positions, mask)", "x = block(x, positions)"),
    ),
    wrong(
        "model",
        "got 6",
        "a cut instead of an error",
        (
            TOO_LONG,
            "if n > self.context_length:\n            "
            "ids, n = ids[:, -self.context_length :], self.context_length\n        "
            "if n > self.context_length:",
        ),
    ),
    wrong(
        "model", "context_length", "full is too long", (TOO_LONG, "if n >= self.context_length:")
    ),
    wrong(
        "model",
        "dropout",
        "a dropout",
        (
            ADD_2,
            "return x + F.dropout(swiglu(rms_norm(x, self.feed_forward_norm), self.up, "
            "self.down), 0.1, self.training)",
        ),
    ),
    wrong(
        "model",
        "detached",
        "the rotation cuts the gradient",
        (TURN, TURN.replace("rotate(key, positions)", "rotate(key.detach(), positions)")),
    ),
    wrong(
        "model",
        "positions",
        "positions of the first text",
        ("else places(mask)", "else places(mask)[0]"),
    ),
    # Task 6
    wrong("llama", "queries stand first", "keys first", ('for p in "qkv"', 'for p in "kqv"')),
    wrong(
        "llama",
        "gate",
        "gate below",
        ('get("mlp.gate_proj", "mlp.up_proj")', 'get("mlp.up_proj", "mlp.gate_proj")'),
    ),
    wrong(
        "llama",
        "input_layernorm",
        "norms changed",
        (
            'attention_norm": get("input_layernorm")',
            'attention_norm": get("post_attention_layernorm")',
        ),
    ),
    wrong(
        "llama",
        "o_proj",
        "output transposed",
        ('get("self_attn.o_proj")', 'get("self_attn.o_proj").T'),
    ),
    wrong(
        "llama",
        "head|lm_head",
        "the head is always the embedding",
        ('weights.get("lm_head.weight", embedding)', "embedding"),
    ),
    wrong(
        "llama",
        "lm_head",
        "no tied head",
        ('weights.get("lm_head.weight", embedding)', 'weights["lm_head.weight"]'),
    ),
    wrong(
        "llama",
        "memory",
        "embedding not cloned",
        ('"embedding": embedding.clone()', '"embedding": embedding'),
    ),
    wrong(
        "llama",
        "missing|layer",
        "one digit for the layer",
        (NUMBER, 'number = name.removeprefix("model.layers.")[0]'),
    ),
    wrong(
        "llama", "dtype", "all is float32", ("for part in parts])", "for part in parts]).float()")
    ),
    wrong(
        "llama",
        "changed|KeyError",
        "takes them out",
        (
            'embedding = weights["model.embed_tokens.weight"]',
            'embedding = weights["model.embed_tokens.weight"]\n    '
            'weights.pop("lm_head.weight", None)',
        ),
    ),
    wrong(
        "llama",
        "memory",
        "a single norm not copied",
        ('get("input_layernorm")', 'weights[f"model.layers.{number}.input_layernorm.weight"]'),
    ),
    wrong(
        "llama",
        "",
        "layers counted from their number of names",
        (
            LAYERS,
            'if not name.endswith("0.input_layernorm.weight") and not '
            'name.endswith("1.input_layernorm.weight"):',
        ),
    ),
    # Task 7
    wrong(
        "costs",
        "g heads, not h",
        "no groups",
        (f"    {QKV}\n    {HOLDS}", f"    qkv = 3 * d_model\n    {HOLDS}"),
    ),
    wrong("costs", "three matrices", "two matrices", (HOLDS, HOLDS.replace("3 *", "2 *"))),
    wrong(
        "costs",
        "two norms",
        "one norm in a block",
        (HOLDS, HOLDS.replace("+ 2 * d_model", "+ d_model")),
    ),
    wrong(
        "costs", "after the last block", "no last norm", (TOTAL, "return n_layers * block + tables")
    ),
    wrong("costs", "second table", "always tied", (TABLES, "tables = vocab_size * d_model")),
    wrong("costs", "", "never tied", (TABLES, "tables = vocab_size * d_model * 2")),
    wrong("costs", "head", "no head in the work", (HEAD, "weights = n_layers * block")),
    wrong("costs", "each block", "scores once", ("n_layers * 4 * n**2", "4 * n**2")),
    wrong("costs", "2 n² c|every key", "half of the pairs", ("4 * n**2", "2 * n**2")),
    wrong(
        "costs",
        "addition",
        "once for each weight",
        ("return 2 * n * weights", "return n * weights"),
    ),
    wrong(
        "costs",
        "16 digits|int",
        "a float on the way",
        (TOTAL, "return int(float(n_layers * block) + tables + d_model)"),
    ),
    wrong(
        "costs",
        "16 digits",
        "the width by a float",
        (
            f"{QKV}\n    {HOLDS}",
            f"qkv = d_model + 2 * int(n_kv_heads * d_model / n_heads)\n    {HOLDS}",
        ),
    ),
    wrong("costs", "int", "a float comes out", (WORK, WORK + " / 1")),
    wrong(
        "costs",
        "16 digits|exact",
        "work by a float",
        (WORK, "return int(2.0 * n * weights + n_layers * 4 * n**2 * d_model)"),
    ),
    # Task 8
    wrong("start", "start with 1", "norms start with 0", (ONES, "parameter.fill_(0.0)")),
    wrong("start", "√(2l)", "all with 0.02", (DRAW, "parameter.normal_(0.0, 0.02)")),
    wrong(
        "start",
        "√(2l)",
        "√L for √(2L)",
        ("0.02 / math.sqrt(2 * n_layers) if", "0.02 / math.sqrt(n_layers) if"),
    ),
    wrong(
        "start",
        "variance",
        "a variance",
        (DRAW, DRAW.replace("0.02 if", "0.02").replace("else 0.02", "else 0.02**2")),
    ),
    wrong(
        "start",
        "normal distribution",
        "uniform",
        (
            DRAW,
            "limit = 3**0.5 * (0.02 / math.sqrt(2 * n_layers) if writes else 0.02)"
            "\n                "
            "parameter.uniform_(-limit, limit)",
        ),
    ),
    wrong(
        "start",
        "seed",
        "a seed is set",
        ("n_layers = len(model.blocks)", "torch.manual_seed(0)\n    n_layers = len(model.blocks)"),
    ),
    wrong(
        "start",
        "generator",
        "numbers of a generator of its own",
        (
            DRAW,
            "std = 0.02 / math.sqrt(2 * n_layers) if writes else 0.02\n                "
            "own = torch.Generator()\n                own.seed()\n                "
            "parameter.normal_(0.0, std, generator=own)",
        ),
    ),
    wrong("start", "0.02 / √(2l)", "audit without √(2L)", (STD, "std = 0.02")),
    wrong("start", "nan", "NaN passes", (BOUNDS, "right = not (share < 2 / 3 or share > 3 / 2)")),
    wrong(
        "start",
        "mean is not taken off|root mean square",
        "the mean is taken off",
        (SHARE, "share = parameter.std(correction=0) / std"),
    ),
    wrong(
        "start",
        "each number",
        "the mean of a norm",
        (NORM_RIGHT, "right = abs(parameter.mean() - 1) <= 1e-3"),
    ),
    wrong("start", "⅔|root mean square", "a factor of two", (BOUNDS, "right = 1 / 2 < share < 2")),
    wrong("start", "order", "sorted names", ("return wrong", "return sorted(wrong)")),
    wrong("start", "list", "a set comes out", ("return wrong", "return set(wrong)")),
    wrong(
        "start",
        "requires_grad",
        "all requires gradients",
        (ONES, "parameter.fill_(1.0)\n                model.requires_grad_(True)"),
    ),
    wrong(
        "start",
        "in place|same numbers|draws",
        "new parameters",
        (
            DRAW,
            "std = 0.02 / math.sqrt(2 * n_layers) if writes else 0.02\n                "
            "parameter.data = std * torch.randn_like(parameter)",
        ),
    ),
    # Task 9
    wrong(
        "remember",
        "begin at s",
        "positions from 0",
        (FROM, "positions = torch.arange(n - start, device=ids.device)"),
    ),
    wrong(
        "remember",
        "turned before",
        "turned again",
        (CAT, f"{CAT}\n            key = rotate(key, torch.arange(n))"),
    ),
    wrong(
        "remember",
        "behind the old|in front",
        "new ones in front",
        (CAT, "key, value = torch.cat([key, cache[i][0]], 2), torch.cat([value, cache[i][1]], 2)"),
    ),
    wrong(
        "remember",
        "g heads",
        "H heads kept",
        (
            KEEP,
            "grown.append(tuple(p.repeat_interleave(block.n_heads // block.n_kv_heads, 1) "
            "for p in (key, value)))",
        ),
    ),
    wrong(
        "remember",
        "each block",
        "one pair for all",
        ("@ model.head.mT, grown", "@ model.head.mT, grown[:1]"),
    ),
    wrong(
        "remember", "got 7", "only new ids count", (FULL, "if ids.shape[1] > model.context_length:")
    ),
    wrong(
        "remember",
        "exactly full|got|full",
        "full is too long",
        (FULL, "if n >= model.context_length:"),
    ),
    wrong(
        "remember",
        "as it was",
        "the given list grows",
        (
            "x, grown = model.embedding[ids], []",
            "x, grown = model.embedding[ids], [] if cache is None else cache",
        ),
        (
            KEEP,
            "if cache is None:\n            "
            "grown.append((key, value))\n        "
            "else:\n            "
            "grown[i] = (key, value)",
        ),
    ),
    wrong(
        "remember",
        "keys and values|first piece",
        "the cache of the first block for all",
        (CAT, CAT.replace("cache[i]", "cache[0]")),
    ),
    wrong(
        "remember",
        "cut off|150",
        "a window of 64",
        (
            KEEP,
            "grown.append((key, value))\n        key, value = key[:, :, -64:], value[:, :, -64:]",
        ),
    ),
    wrong(
        "remember",
        "model of task 5",
        "the last norm forgotten",
        ("return rms_norm(x, model.norm) @", "return x @"),
    ),
    wrong(
        "remember",
        "first piece is right|keys",
        "the values are not remembered",
        (
            CAT,
            "key, value = torch.cat([cache[i][0], key], 2), torch.cat([0 * cache[i][1], value], 2)",
        ),
    ),
    wrong(
        "remember",
        "whole text|begin at s",
        "one new id alone",
        (
            FROM,
            "positions = torch.arange(start, n) if ids.shape[1] < 6 else torch.arange(n - start)",
        ),
    ),
    # Task 10
    wrong(
        "surgery",
        "columns",
        "rows are silenced",
        (COLUMNS, "output[head * d_head : (head + 1) * d_head] = 0.0"),
    ),
    wrong(
        "surgery",
        "columns",
        "the head before",
        (COLUMNS, "output[:, (head - 1) * d_head : head * d_head] = 0.0"),
    ),
    wrong("surgery", "changed in place", "in the caller's matrix", (f"    {CLONE}\n", "")),
    wrong(
        "surgery",
        "output.shape",
        "D from C",
        (
            "d_head = output.shape[1] // n_heads\n    output",
            "d_head = output.shape[0] // n_heads\n    output",
        ),
    ),
    wrong(
        "surgery",
        "must be 0",
        "multiplied by 0",
        (COLUMNS, "output[:, head * d_head : (head + 1) * d_head] *= 0.0"),
    ),
    wrong(
        "surgery",
        "h/g heads|one head of keys",
        "keys stay",
        (ROWS, "rows = torch.cat([query[heads], key, value[others]])"),
    ),
    wrong(
        "surgery",
        "read this group",
        "heads in turns",
        ("h // size != group", "h % n_kv_heads != group"),
    ),
    wrong(
        "surgery",
        "rows",
        "keys of the first group",
        (OTHERS, "others = range(1, n_kv_heads)\n    others = list(others)"),
    ),
    wrong(
        "surgery",
        "columns",
        "the columns of the first heads stay",
        (NARROW, "return rows.flatten(0, 1), output[:, : len(heads) * d_head].clone()"),
    ),
    wrong(
        "surgery",
        "output.shape",
        "D of cut from C",
        ("d_head, size = output.shape[1] // n_heads", "d_head, size = output.shape[0] // n_heads"),
    ),
    wrong(
        "surgery",
        "shape",
        "at most 16 heads",
        ("for h in range(n_heads) if", "for h in range(min(n_heads, 16)) if"),
    ),
    wrong(
        "surgery",
        "share its memory|changes when",
        "a view comes back",
        (
            NARROW,
            "kept = output[:, d_head * size :] if group == 0 else output.unflatten(1, (-1, "
            "d_head))[:, heads].flatten(1)\n    "
            "return rows.flatten(0, 1), kept",
        ),
    ),
    # Task 11
    wrong(
        "speak",
        "600",
        "too short",
        ("There are nine spoons. There have always been nine spoons.\n", ""),
        (
            "Tea is made for two, even when only one has come down the stairs.\n"
            "Nobody reads the news aloud before the water boils.\n"
            "If it rains, we listen to the roof until one of us begins to speak.\n",
            "",
        ),
    ),
    wrong(
        "speak",
        "next letters",
        "targets are the inputs",
        (LOSS, LOSS.replace("rows[:, 1:]", "rows[:, :-1]")),
    ),
    wrong("speak", "set to zero|enough steps|loss", "a single step", ("range(150)", "range(1)")),
    wrong(
        "speak",
        "loss",
        "only the first window",
        (WINDOWS, "rows = torch.stack([ids[: n + 1] for start in starts])"),
    ),
    wrong(
        "speak",
        "each character",
        "letters by their order in the alphabet",
        (
            'letters = "".join(sorted(set(text)))',
            'letters = "".join(map(chr, range(min(map(ord, text)), max(map(ord, text)) + 1)))',
        ),
    ),
    wrong("speak", "16 to 128", "a context of 8", ("    n = 32\n", "    n = 8\n")),
    wrong("speak", "context", "the whole text is read", (SEEN, "seen = text")),
    wrong(
        "speak",
        "context_length",
        "the first letters are read",
        (SEEN, "seen = text[: model.context_length]"),
    ),
    wrong(
        "speak",
        "temperature",
        "times the temperature",
        ("logits / temperature", "logits * temperature"),
    ),
    wrong(
        "speak", "temperature", "the temperature is ignored", ("(logits / temperature)", "logits")
    ),
    wrong("speak", "likeliest", "the least likely", (LIKELIEST, "new = int(logits.argmin())")),
    wrong(
        "speak",
        "prompt",
        "without the prompt",
        ("    text = prompt\n", "    text, length = prompt, len(prompt)\n"),
        ("return text\n", "return text[length:]\n"),
    ),
    wrong(
        "speak",
        "seed",
        "a seed while drawing",
        (DRAWN, f"torch.manual_seed(len(text))\n            {DRAWN}"),
    ),
    wrong(
        "speak",
        "seed",
        "a seed in a fork",
        (
            DRAWN,
            "with torch.random.fork_rng():\n                torch.manual_seed(len(text))\n"
            f"                {DRAWN}",
        ),
    ),
    wrong(
        "speak",
        "generator",
        "drawn by NumPy",
        (
            DRAWN,
            "odds = (logits / temperature).double().softmax(-1).tolist()\n            "
            "new = int(__import__('numpy').random.default_rng().choice(len(odds), p=odds))",
        ),
    ),
    wrong(
        "speak",
        "seed",
        "a seed while training",
        ("    initialize(model)\n", "    torch.manual_seed(0)\n    initialize(model)\n"),
    ),
    wrong(
        "speak",
        "drawn|probability",
        "half of the draws are greedy",
        (DRAWN, "new = int(torch.multinomial((2 * logits / temperature).softmax(-1), 1))"),
    ),
    wrong(
        "speak",
        "certain|nan|inf",
        "exp of large logits",
        (
            DRAWN,
            "odds = (logits / temperature).exp()\n            "
            "new = int(torch.multinomial(odds / odds.sum(), 1))",
        ),
    ),
    wrong("rms", "1e-5|eps", "eps not below 1e-3", (" + eps)", " + max(eps, 1e-3))")),
    wrong(
        "rms",
        "last dimension",
        "at most 256 numbers",
        ("wide.square()", "wide[..., :256].square()"),
    ),
    wrong("rms", "weight|detached", "weight detached", ("* weight)", "* weight.detach())")),
    wrong("gate", "silu", "a gate cut at 30", ("F.silu(gate)", "F.silu(gate.clamp(-30, 30))")),
    wrong("gate", "detached", "up detached", ("up.mT", "up.detach().mT")),
    wrong(
        "rotary",
        "int64",
        "counted in 8 bits",
        (PLACES, "return torch.where(mask, mask.cumsum(-1, dtype=torch.uint8).long() - 1, 0)"),
    ),
    wrong(
        "rotary",
        "float32|bfloat16",
        "cosines rounded",
        (COSINES, "cos, sin = (a.bfloat16().to(x.dtype) for a in (angles.cos(), angles.sin()))"),
    ),
    wrong(
        "model",
        "detached",
        "embedding detached",
        ("x = self.embedding[ids]", "x = self.embedding.detach()[ids]"),
    ),
    wrong(
        "model",
        "gradient|positions",
        "positions up to 31",
        (
            POSITIONS,
            POSITIONS.replace(
                "torch.arange(n, device=ids.device)", "torch.arange(n).clamp(max=31)"
            ),
        ),
    ),
    wrong(
        "llama",
        "missing",
        "layers 0 to 9 only",
        (LAYERS, 'if not name.endswith(".input_layernorm.weight") or len(name.split(".")[2]) > 1:'),
    ),
    wrong("start", "⅔", "narrower bounds", (BOUNDS, "right = 0.7 <= share <= 1.45")),
    wrong(
        "start",
        "each number counts",
        "a norm within 0.01",
        (NORM_RIGHT, NORM_RIGHT.replace("1e-3", "1e-2")),
    ),
    wrong(
        "start",
        "mean square",
        "the mean size of normal numbers",
        (SHARE, "share = parameter.abs().mean() * math.sqrt(math.pi / 2) / std"),
    ),
    wrong("surgery", "dtype", "silence in float32", (CLONE, "output = output.clone().float()")),
    wrong(
        "surgery",
        "dtype",
        "cut in float32",
        ("rows = qkv.unflatten", "rows = qkv.float().unflatten"),
    ),
    wrong(
        "speak",
        "context_length letters|prompt",
        "the prompt is cut",
        ("    text = prompt\n", "    text = prompt[-model.context_length :]\n"),
    ),
    wrong(
        "speak",
        "letters",
        "one letter at least",
        ("for _ in range(n_new):", "for _ in range(max(1, n_new)):"),
    ),
    wrong(
        "remember", "whole text|150|cut off", "positions up to 99", (FROM, FROM + ".clamp(max=99)")
    ),
    *frozen(
        "gpt",
        6,
        {
            "rms only float16 is widened": "float32",
            "rms back to half before the weight": "float32",
            "gate width rounded down first": "Round up",
            "gate width always a multiple more": "leave a multiple",
            "rotary angles in float32 for float64": "float64",
            "rotary a table that stays": "after a call",
            "grouped query by query": "log of a sum",
            "model counts real ids": "got 6",
            "model last norm with 1e-6": "eps",
            "model keeps its positions": "keeps nothing",
            "model block counts for itself": "positions",
            "model block adds in place": "in place",
            "model in float32": "smaller dtype",
            "llama by the ends of names": "whole name|another name",
            "costs remembers a model of the same size": "earlier call",
            "start cut at two standard deviations": "normal distribution",
            "start frozen parameters stay": "frozen",
            "start norms first": "order",
            "remember in half precision": "smaller dtype",
            "remember evaluation mode stays": "mode",
            "remember a tuple": "list",
            "remember one buffer for all ways": "one way",
            "remember only float32": "smaller dtype",
            "remember places become a buffer": "stay as it was",
            "surgery the only head in place": "in place",
            "surgery by columns of zeros": "by their place",
            "surgery by way of NumPy": "want gradients",
            "speak zero is a very small temperature": "temperature 0",
            "speak reads the first 400 letters": "all of it read",
        },
    ),
]

RIGHT = [
    edit(
        "NaN is replaced behind",
        "grouped",
        "the fill keeps its gradient away",
        (WEIGHTS, "weights = scores.masked_fill(~may, -math.inf).softmax(-1)"),
        (HEADS, "return weights.nan_to_num() @ value"),
    ),
    # Task 1
    fill(
        "by a power",
        "rms",
        "the root as a power",
        """
        dtype = torch.promote_types(x.dtype, torch.float32)
        y = x.to(dtype)
        y = y * (y.pow(2).mean(-1, keepdim=True) + eps) ** -0.5
        return (y * weight.to(dtype)).to(x.dtype)
    """,
    ),
    fill(
        "by the norm",
        "rms",
        "the length of the vector",
        """
        y = x.double()
        length = y.unsqueeze(-2) @ y.unsqueeze(-1)
        return (y / (length[..., 0] / x.shape[-1] + eps).sqrt() * weight).to(x.dtype)
    """,
    ),
    fill(
        "einsum",
        "rms",
        "indices spelled out",
        """
        y = x if x.dtype == torch.double else x.to(torch.float32)
        mean = torch.einsum("...c,...c->...", y, y) / y.size(-1)
        return (y * torch.rsqrt(mean + eps)[..., None] * weight).type_as(x)
    """,
    ),
    # Task 2
    fill(
        "rows apart",
        "gate",
        "two products",
        """
        n = len(up) // 2
        a, b = x @ up[:n].T, x @ up[n:].T
        return F.linear(a * torch.sigmoid(a) * b, down)
    """,
        """
        width = (8 * d_model + 2) // 3
        return width + -width % multiple
    """,
    ),
    fill(
        "einsum",
        "gate",
        "indices spelled out",
        """
        a, b = torch.einsum("...c,gfc->g...f", x, up.reshape(2, -1, x.shape[-1]))
        return torch.einsum("...f,cf->...c", F.silu(a) * b, down)
    """,
        """
        whole, rest = divmod(8 * d_model, 3 * multiple)
        return (whole + (rest > 0)) * multiple
    """,
    ),
    fill(
        "fractions",
        "gate",
        "exact by fractions",
        """
        a, b = F.linear(x, up).tensor_split(2, -1)
        return F.linear(a / (1 + torch.exp(-a.clamp(min=-80))) * b, down)
    """,
        """
        from fractions import Fraction
        return math.ceil(Fraction(8 * d_model, 3 * multiple)) * multiple
    """,
    ),
    # Task 3
    fill(
        "complex",
        "rotary",
        "a rotation is a product",
        """
        return (mask.long().cumsum(1) - mask.long()) * mask
    """,
        """
        n = x.shape[-1] // 2
        angles = positions.double().unsqueeze(-1) / base ** (torch.arange(n).double() / n)
        if angles.ndim == 3:
            angles = angles.unsqueeze(1)
        kind = torch.double if x.dtype == torch.double else torch.float
        a, b = x.to(kind).split(n, -1)
        z = torch.complex(a, b) * torch.polar(torch.ones_like(angles), angles).to(
            torch.complex128 if kind == torch.double else torch.complex64
        )
        return torch.cat([z.real, z.imag], -1).to(x.dtype)
    """,
    ),
    fill(
        "rotate half",
        "rotary",
        "as in transformers, with angles in float64",
        """
        before = torch.cat([torch.zeros(len(mask), 1), mask[:, :-1].double().cumsum(1)], 1)
        return before.long() * mask
    """,
        """
        D = x.size(-1)
        inverse = 1.0 / (base ** (torch.arange(0, D, 2).double() / D))
        angles = positions[..., None].double() * inverse
        angles = torch.cat([angles, angles], -1)
        angles = angles.view(-1, 1, *angles.shape[-2:])
        half = torch.cat([-x[..., D // 2 :], x[..., : D // 2]], -1)
        return (x * angles.cos().to(x.dtype) + half * angles.sin().to(x.dtype)).to(x.dtype)
    """,
    ),
    fill(
        "loops over texts",
        "rotary",
        "one text at a time",
        """
        rows = []
        for row in mask.tolist():
            seen, places_of = 0, []
            for real in row:
                places_of.append(seen if real else 0)
                seen += real
            rows.append(places_of)
        return torch.tensor(rows)
    """,
        """
        d = x.shape[-1] // 2
        speeds = torch.tensor([base ** (-i / d) for i in range(d)], dtype=torch.float64)
        out = []
        for b in range(len(x)):
            places_of = positions if positions.ndim == 1 else positions[b]
            angles = torch.outer(places_of.double(), speeds)
            cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
            first, second = x[b, ..., :d], x[b, ..., d:]
            out.append(torch.cat((first * cos - second * sin, first * sin + second * cos), -1))
        return torch.stack(out)
    """,
    ),
    # Task 4
    fill(
        "an axis for the group",
        "grouped",
        "nothing is repeated",
        """
        (B, H, T, D), (G, S) = query.shape, key.shape[1:3]
        if H % G != 0:
            raise ValueError(f"got H={H}, G={G}")
        q = query.reshape(B, G, H // G, T, D)
        scores = torch.einsum("bghtd,bgsd->bghts", q, key) / D**0.5
        allowed = torch.arange(S) <= torch.arange(S - T, S)[:, None]
        if mask is not None:
            allowed = allowed & mask.reshape(B, 1, 1, 1, S)
        some = allowed.any(-1, keepdim=True)
        scores = torch.where(allowed | ~some, scores, -math.inf)
        weights = scores.softmax(-1) * some
        return torch.einsum("bghts,bgsd->bghtd", weights, value).reshape(B, H, T, D)
    """,
    ),
    fill(
        "one head after another",
        "grouped",
        "a loop over heads",
        """
        H, G = query.shape[1], key.shape[1]
        if H % G:
            raise ValueError(f"heads do not fit, got H={H}, G={G}")
        T, S = query.shape[2], key.shape[2]
        out = []
        for h in range(H):
            k, v = key[:, h * G // H], value[:, h * G // H]
            future = torch.ones(T, S, dtype=torch.bool).triu(S - T + 1)[None]
            if mask is not None:
                future = future | ~mask[:, None]
            empty = future.all(-1, keepdim=True)
            s = (query[:, h] / math.sqrt(query.shape[3])) @ k.transpose(1, 2)
            p = torch.softmax(s.masked_fill(future & ~empty, float("-inf")), 2)
            out.append(p.masked_fill(empty, 0) @ v)
        return torch.stack(out, 1)
    """,
    ),
    fill(
        "exp by hand",
        "grouped",
        "the softmax spelled out",
        """
        ratio, rest = divmod(query.shape[1], key.shape[1])
        if rest:
            raise ValueError(f"no multiple, got H={query.shape[1]}, G={key.shape[1]}")
        key, value = (x.repeat_interleave(ratio, 1) for x in (key, value))
        n, m = query.shape[2], key.shape[2]
        see = torch.ones(n, m).tril(m - n).bool().expand(len(query), 1, n, m)
        if mask is not None:
            see = see & mask[:, None, None]
        scores = (query @ key.mT) * query.shape[-1] ** -0.5
        top = scores.masked_fill(~see, -math.inf).amax(-1, keepdim=True).detach()
        top = torch.where(top.isfinite(), top, 0)
        odds = torch.where(see, scores - top, -math.inf).exp()
        total = odds.sum(-1, keepdim=True)
        return odds / torch.where(total == 0, 1, total) @ value
    """,
    ),
    # Task 5
    edit(
        "reshape for unflatten",
        "model",
        "view and permute",
        (
            SPLIT,
            "query, key, value = (p.reshape(*x.shape[:2], p.shape[-1] // d_head, "
            "d_head).permute(0, 2, 1, 3) for p in parts)",
        ),
        ("heads.transpose(1, 2).flatten(2) @", "heads.permute(0, 2, 1, 3).reshape(x.shape) @"),
    ),
    edit(
        "F.linear",
        "model",
        "products by F.linear",
        (
            "rms_norm(x, self.attention_norm) @ self.qkv.mT",
            "F.linear(rms_norm(x, self.attention_norm), self.qkv)",
        ),
        (LOGITS, "return F.linear(rms_norm(x, self.norm), self.head)"),
    ),
    edit(
        "always a mask",
        "model",
        "no mask is a mask of ones",
        (
            POSITIONS,
            "mask = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask"
            "\n        "
            "positions = places(mask)",
        ),
    ),
    edit(
        "einsum for the output",
        "model",
        "heads are added up",
        (
            ADD_1,
            "matrix = self.output.unflatten(1, (-1, d_head))\n        "
            'x = x + torch.einsum("bhtd,chd->btc", heads, matrix)',
        ),
    ),
    # Task 6
    write(
        "by a table",
        "llama",
        "names are replaced",
        """
        def from_llama(weights):
            names = {
                "input_layernorm": "attention_norm",
                "post_attention_layernorm": "feed_forward_norm",
                "self_attn.o_proj": "output",
                "mlp.down_proj": "down",
            }
            parts = {
                "qkv": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
                "up": ["mlp.gate_proj", "mlp.up_proj"],
            }
            table = weights["model.embed_tokens.weight"]
            found = {"embedding": table + 0, "norm": weights["model.norm.weight"] + 0}
            found["head"] = weights.get("lm_head.weight", table) + 0
            i = 0
            while f"model.layers.{i}.mlp.down_proj.weight" in weights:
                start = f"model.layers.{i}."
                for a, b in names.items():
                    found[f"blocks.{i}.{b}"] = weights[start + a + ".weight"].detach().clone()
                for ours, theirs in parts.items():
                    found[f"blocks.{i}.{ours}"] = torch.vstack(
                        [weights[start + name + ".weight"] for name in theirs]
                    )
                i += 1
            return found
    """,
    ),
    write(
        "with a regular expression",
        "llama",
        "one name at a time",
        """
        import re


        def from_llama(weights):
            own = {"embedding": weights["model.embed_tokens.weight"].clone()}
            own["head"] = own["embedding"].clone()
            for name, value in weights.items():
                if name == "lm_head.weight":
                    own["head"] = value.clone()
                elif name == "model.norm.weight":
                    own["norm"] = value.clone()
                elif match := re.fullmatch(r"model\\.layers\\.(\\d+)\\.(.+)\\.weight", name):
                    block, part = f"blocks.{match[1]}.", match[2].split(".")[-1]
                    at = f"model.layers.{match[1]}."
                    simple = {
                        "input_layernorm": "attention_norm",
                        "post_attention_layernorm": "feed_forward_norm",
                        "o_proj": "output",
                        "down_proj": "down",
                    }
                    if part in simple:
                        own[block + simple[part]] = value.clone()
                    elif part == "q_proj":
                        rows = [weights[f"{at}self_attn.{c}_proj.weight"] for c in "qkv"]
                        own[block + "qkv"] = torch.cat(rows)
                    elif part == "gate_proj":
                        own[block + "up"] = torch.cat([value, weights[at + "mlp.up_proj.weight"]])
            return own
    """,
    ),
    edit(
        "sorted numbers",
        "llama",
        "layers in order",
        ("for name in weights:", "for name in sorted(weights, reverse=True):"),
    ),
    # Task 7
    fill(
        "sums of shapes",
        "costs",
        "a list of shapes",
        """
        d = d_model // n_heads
        shapes = [(n_heads * d + 2 * n_kv_heads * d, d_model), (d_model, d_model), (d_model, 1)]
        shapes += [(d_model, 1), (2 * d_ff, d_model), (d_model, d_ff)]
        own = sum(a * b for a, b in shapes) * n_layers
        return own + d_model + vocab_size * d_model + (0 if tied else vocab_size * d_model)
    """,
        """
        d = d_model // n_heads
        rows = (n_heads + 2 * n_kv_heads) * d + d_model + 3 * d_ff
        line = 2 * rows * d_model + 4 * n * d_model
        return n * (n_layers * line + 2 * vocab_size * d_model)
    """,
    ),
    fill(
        "by the other",
        "costs",
        "a product for each matrix",
        """
        width = d_model // n_heads
        total = (2 - bool(tied)) * vocab_size * d_model + d_model
        for _ in range(n_layers):
            total += 2 * d_model**2 + 2 * n_kv_heads * width * d_model + 3 * d_ff * d_model
            total += 2 * d_model
        return total
    """,
        """
        width = d_model // n_heads
        total = 2 * n * vocab_size * d_model
        for _ in range(n_layers):
            total += 2 * n * d_model * (2 * d_model + 2 * n_kv_heads * width + 3 * d_ff)
            total += 2 * (2 * n * n * width * n_heads)
        return total
    """,
    ),
    fill(
        "without the helper",
        "costs",
        "one expression each",
        """
        return (
            n_layers * d_model
            * (2 * d_model + 2 * n_kv_heads * d_model // n_heads + 3 * d_ff + 2)
            + d_model + vocab_size * d_model * [2, 1][bool(tied)]
        )
    """,
        """
        return 2 * n * d_model * (
            vocab_size
            + n_layers * (2 * d_model + 2 * n_kv_heads * d_model // n_heads + 3 * d_ff + 2 * n)
        )
    """,
    ),
    # Task 8
    fill(
        "by the functions of nn.init",
        "start",
        "nn.init",
        """
        std = 0.02 / (2 * len(model.blocks)) ** 0.5
        for name, p in model.named_parameters():
            if p.dim() == 1:
                nn.init.ones_(p)
            elif name.split(".")[-1] in ("output", "down"):
                nn.init.normal_(p, std=std)
            else:
                nn.init.normal_(p, std=0.02)
    """,
        """
        def is_right(name, p):
            if "norm" in name:
                return torch.all((p >= 0.999) & (p <= 1.001)).item()
            writes = name.split(".")[-1] in ("output", "down")
            std = 0.02 / (2 * n_layers) ** 0.5 if writes else 0.02
            rms = p.pow(2).mean().sqrt().item()
            return rms * 3 >= 2 * std and rms * 2 <= 3 * std

        return [name for name, p in parameters.items() if not is_right(name, p)]
    """,
    ),
    fill(
        "copies of randn",
        "start",
        "copy_",
        """
        factor = 1 / math.sqrt(2 * len(model.blocks))
        with torch.no_grad():
            for name, p in model.named_parameters():
                if name.endswith("norm"):
                    p.copy_(torch.ones_like(p))
                    continue
                p.copy_(torch.randn(p.shape) * 0.02)
                if name.endswith(("output", "down")):
                    p.mul_(factor)
    """,
        """
        names = []
        for name in parameters:
            p = parameters[name].double()
            if not p.isfinite().all():
                names.append(name)
            elif name.endswith("norm"):
                if ((p - 1).abs() > 0.001).any():
                    names.append(name)
            else:
                want = 0.02**2 / (2 * n_layers if name.endswith(("output", "down")) else 1)
                square = float((p * p).mean())
                if not 4 / 9 * want <= square <= 9 / 4 * want:
                    names.append(name)
        return names
    """,
    ),
    fill(
        "block by block",
        "start",
        "no names",
        """
        small = 0.02 / math.sqrt(2 * len(model.blocks))
        with torch.no_grad():
            model.norm.fill_(1)
            model.embedding.normal_(std=0.02)
            model.head.normal_(std=0.02)
            for block in model.blocks:
                block.attention_norm.fill_(1)
                block.feed_forward_norm.fill_(1)
                block.qkv.normal_(std=0.02)
                block.up.normal_(std=0.02)
                block.output.normal_(std=small)
                block.down.normal_(std=small)
    """,
        """
        bad = {}
        for name, p in parameters.items():
            last = name.rsplit(".", 1)[-1]
            std = {"output": 1, "down": 1}.get(last, 2 * n_layers) ** 0.5 * 0.02
            std /= (2 * n_layers) ** 0.5
            if last in ("norm", "attention_norm", "feed_forward_norm"):
                fine = bool(((p - 1).abs() <= 0.001).all())
            else:
                fine = 2 * std / 3 <= float(p.double().norm()) / p.numel() ** 0.5 <= 1.5 * std
            if not fine:
                bad[name] = True
        return list(bad)
    """,
    ),
    # Task 9
    edit(
        "a dictionary first",
        "remember",
        "the pairs are put together at the end",
        (KEEP, "grown += [(key.clone(), value.clone())]"),
    ),
    edit(
        "empty cache",
        "remember",
        "an empty cache in place of None",
        (
            START,
            """if cache is None:
        d = model.embedding.shape[1] // model.blocks[0].n_heads
        cache = [
            (model.embedding.new_empty(len(ids), b.n_kv_heads, 0, d),) * 2 for b in model.blocks
        ]
    start = cache[0][0].shape[2]""",
        ),
    ),
    edit(
        "lists of lists",
        "remember",
        "zip over blocks and cache",
        (
            "for i, block in enumerate(model.blocks):",
            "old = cache or [None] * len(model.blocks)\n    "
            "for i, (block, _) in enumerate(zip(model.blocks, old, strict=True)):",
        ),
        (FROM, "positions = start + torch.arange(ids.shape[1])"),
    ),
    # Task 10
    fill(
        "by masks",
        "surgery",
        "boolean masks",
        """
        keep = torch.arange(output.shape[1]) // (output.shape[1] // n_heads) != head
        return torch.where(keep, output, 0)
    """,
        """
        d, size = output.shape[1] // n_heads, n_heads // n_kv_heads
        q = torch.arange(n_heads * d) // (d * size) != group
        k = torch.arange(n_kv_heads * d) // d != group
        return qkv[torch.cat([q, k, k])], output[:, q]
    """,
    ),
    fill(
        "by pieces",
        "surgery",
        "slices around the gap",
        """
        d = output.size(1) // n_heads
        left, right = output[:, : head * d], output[:, (head + 1) * d :]
        return torch.cat([left, output.new_zeros(output.size(0), d), right], 1)
    """,
        """
        d = output.size(1) // n_heads
        w = d * (n_heads // n_kv_heads)
        q, k, v = qkv.split([n_heads * d, n_kv_heads * d, n_kv_heads * d])
        rows = [q[: group * w], q[(group + 1) * w :]]
        for x in (k, v):
            rows += [x[: group * d], x[(group + 1) * d :]]
        return torch.cat(rows), torch.cat([output[:, : group * w], output[:, (group + 1) * w :]], 1)
    """,
    ),
    fill(
        "index_select",
        "surgery",
        "lists of indices",
        """
        d = output.shape[1] // n_heads
        return output.index_fill(1, torch.arange(head * d, head * d + d), 0.0)
    """,
        """
        d, size = output.shape[1] // n_heads, n_heads // n_kv_heads
        q = [i for i in range(n_heads * d) if i // d // size != group]
        k = [i for i in range(n_kv_heads * d) if i // d != group]
        at = [*q, *(n_heads * d + i for i in k), *((n_heads + n_kv_heads) * d + i for i in k)]
        return qkv.index_select(0, torch.tensor(at)), output.index_select(1, torch.tensor(q))
    """,
    ),
    # Task 11
    edit(
        "a dictionary of letters",
        "speak",
        "ids by a dictionary",
        (
            "ids = torch.tensor([letters.index(letter) for letter in text])",
            "number = {letter: i for i, letter in enumerate(letters)}\n    "
            "ids = torch.tensor(list(map(number.get, text)))",
        ),
    ),
    edit(
        "letters in order of their coming",
        "speak",
        "dict.fromkeys",
        ('"".join(sorted(set(text)))', '"".join(dict.fromkeys(text))'),
    ),
    edit(
        "Gumbel",
        "speak",
        "a draw by noise",
        (
            DRAWN,
            "noise = -torch.log(-torch.log(torch.rand(len(logits), dtype=torch.float64)))"
            "\n            "
            "new = int((logits / temperature + noise).argmax())",
        ),
    ),
    edit(
        "whole windows",
        "speak",
        "all windows in turn",
        (WINDOWS, "rows = ids.unfold(0, n + 1, 1)[torch.tensor(starts)]"),
    ),
]
