"""Answers to the assignment `attention`: plausible and wrong, or right in another style."""

from . import edit, fill, frozen, write

SCALE = "/ math.sqrt(query.shape[-1])"
SCORES = f"scores = query @ key.mT {SCALE}"
SOFTMAX = "torch.softmax(scores, dim=-1)"
LOWEST = "torch.finfo(scores.dtype).min"
CLEAN = "    if mask is not None:\n        weights = weights.masked_fill(~mask, 0.0)\n"
FILL = f"scores = scores.masked_fill(~mask, {LOWEST})"
CAUSAL = "torch.ones(n, n, dtype=torch.bool).tril()"
PADDING = "(torch.arange(n) < lengths[:, None])[:, None, :]"
SPLIT = "x.reshape(n_batch, n_positions, n_heads, d_model // n_heads).transpose(1, 2)"
MERGE = "x.transpose(1, 2).reshape(n_batch, n_positions, n_heads * d_head)"
ATTEND = "values, weights = masked_attention(query, key, value, mask)"
ADDED = "torch.tanh(query + key)"

WRONG = [
    # Task 1
    edit(
        "no scale",
        "dot_product",
        "called scaled, but is not",
        (f" {SCALE}", ""),
        cause="√D|scale",
    ),
    edit(
        "scale by D",
        "dot_product",
        "no root",
        (SCALE, "/ query.shape[-1]"),
        cause="√D|root",
    ),
    edit(
        "softmax over queries",
        "dot_product",
        "dim=-2",
        (SOFTMAX, "torch.softmax(scores, -2)"),
        cause="over the queries|dim=-1",
    ),
    edit(
        "softmax dim=1",
        "dot_product",
        "right for a matrix",
        (SOFTMAX, "scores.softmax(1)"),
        cause="dim=-1|from the front",
    ),
    edit(
        "root of E",
        "dot_product",
        "value's width",
        (SCALE, "/ math.sqrt(value.shape[-1])"),
        cause="query's width|√D|which width",
    ),
    edit(
        "naive exp",
        "dot_product",
        "overflows at large scores",
        (SOFTMAX, "scores.exp() / scores.exp().sum(-1, keepdim=True)"),
        cause="overflow",
    ),
    edit(
        "changes query",
        "dot_product",
        "scales in place",
        (SCORES, f"query {SCALE.replace('/', '/=')}\n    scores = query @ key.mT"),
        cause="query was changed",
    ),
    edit(
        "float32 only",
        "dot_product",
        "casts, and loses the dtype",
        ("query @ key.mT", "query.float() @ key.float().mT"),
        ("weights @ value, weights", "weights @ value.float(), weights"),
        cause="float32",
    ),
    edit(
        "detached",
        "dot_product",
        "for plotting",
        (SOFTMAX, f"{SOFTMAX}.detach()"),
        cause="detached",
    ),
    edit(
        "one batch dimension",
        "dot_product",
        "bmm after making three dimensions of two",
        (
            SCORES,
            "alone = query.dim() == 2\n"
            "    if alone:\n"
            "        query, key, value = query[None], key[None], value[None]\n"
            f"    scores = torch.bmm(query, key.transpose(1, 2)) {SCALE}",
        ),
        (
            "    return weights @ value, weights",
            "    values = torch.bmm(weights, value)\n"
            "    return (values[0], weights[0]) if alone else (values, weights)",
        ),
        cause="leading dimensions",
    ),
    edit(
        "float32 inside",
        "dot_product",
        "computed in float32, and cast back",
        (SCORES, f"kept = query.dtype\n    query, key = query.float(), key.float()\n    {SCORES}"),
        (SOFTMAX, f"{SOFTMAX}.to(kept)"),
        cause="precis",
    ),
    edit(
        "one largest score for all",
        "dot_product",
        "subtracts the maximum of the whole tensor",
        (
            SOFTMAX,
            "(scores - scores.max()).exp()\n    weights = weights / weights.sum(-1, keepdim=True)",
        ),
        cause="of a row|own largest|each row",
    ),
    edit(
        "a little more than the sum",
        "dot_product",
        "1e-6 against a division by 0",
        (
            SOFTMAX,
            "(scores - scores.amax(-1, keepdim=True)).exp()\n"
            "    weights = weights / (weights.sum(-1, keepdim=True) + 1e-6)",
        ),
        cause="precis|added to the sum",
    ),
    edit(
        "scores clamped",
        "dot_product",
        "exp() cannot overflow then",
        (
            SOFTMAX,
            "scores.clamp(-80, 80).exp()\n    weights = weights / weights.sum(-1, keepdim=True)",
        ),
        cause="large scores",
    ),
    edit(
        "squeezed",
        "dot_product",
        "dimensions of size 1 vanish",
        (
            "return weights @ value, weights",
            "return (weights @ value).squeeze(), weights.squeeze()",
        ),
        cause="size 1",
    ),
    edit(
        "whole root",
        "dot_product",
        "isqrt, right for 4 and 9",
        (SCALE, "/ math.isqrt(query.shape[-1])"),
        cause="√D|root",
    ),
    edit(
        "values alone",
        "dot_product",
        "one result",
        ("return weights @ value, weights", "return weights @ value"),
        cause="two tensors",
    ),
    fill(
        "nothing returned",
        "dot_product",
        "no `return`",
        f"""
        {SCORES}
        weights = scores.softmax(-1)
        values = weights @ value
        """,
        cause="return",
    ),
    edit(
        "noise",
        "dot_product",
        "of size 0, and still drawn",
        (
            SCORES,
            f"{SCORES}\n    scores = scores + 0.0 * torch.randn(scores.shape).to(scores.dtype)",
        ),
        cause="random generator",
    ),
    # Task 2
    edit(
        "diagonal excluded",
        "masks",
        "strictly before",
        (CAUSAL, CAUSAL[:-1] + "-1)"),
        cause="diagonal|itself",
    ),
    edit(
        "one future token",
        "masks",
        "off by one",
        (CAUSAL, CAUSAL[:-1] + "1)"),
        cause="look ahead|one diagonal",
    ),
    edit(
        "upper triangle",
        "masks",
        "True = hidden",
        (CAUSAL, CAUSAL.replace("tril", "triu")),
        cause="upper",
    ),
    edit(
        "length + 1",
        "masks",
        "<= for <",
        (PADDING, PADDING.replace("<", "<=")),
        cause="<=",
    ),
    edit(
        "padding on queries",
        "masks",
        "hides rows, not columns",
        (PADDING, PADDING.replace("[:, None, :]", "[:, :, None].expand(-1, -1, n)")),
        cause="hides keys|last dimension",
    ),
    edit(
        "own width",
        "masks",
        "as wide as the longest sentence, not n",
        (PADDING, PADDING.replace("arange(n)", "arange(int(lengths.max()))")),
        ("padding_mask(lengths, n)\n    ###", f"{PADDING}\n    ###"),
        cause="longest",
    ),
    edit(
        "first sentence's length",
        "masks",
        "works for a batch of one",
        ("padding_mask(lengths, n)\n    ###", "padding_mask(lengths[:1], n)\n    ###"),
        cause="own length",
    ),
    edit(
        "no empty sentence",
        "masks",
        "a length of 0 made 1, to avoid NaN",
        (PADDING, PADDING.replace("lengths", "lengths.clamp(min=1)")),
        cause="length of 0|length may be 0",
    ),
    edit(
        "either mask",
        "masks",
        "| for &",
        ("causal_mask(n) & ", "causal_mask(n) | "),
        cause="`|`|both masks",
    ),
    edit(
        "decoder mask of numbers",
        "masks",
        "a product of 0 and 1",
        (
            "causal_mask(n) & padding_mask(lengths, n)",
            "causal_mask(n).int() * padding_mask(lengths, n)",
        ),
        cause="bool",
    ),
    edit(
        "padding mask of numbers",
        "masks",
        "0 and 1",
        (PADDING, f"{PADDING}.float()"),
        ("padding_mask(lengths, n)\n    ###", "padding_mask(lengths, n).bool()\n    ###"),
        cause="bool",
    ),
    edit(
        "no dimension for queries",
        "masks",
        "(n, n) & (B, n): B stands where the queries are",
        ("padding_mask(lengths, n)\n    ###", "padding_mask(lengths, n)[:, 0]\n    ###"),
        cause="shape",
    ),
    edit(
        "decoder hides queries",
        "masks",
        "the rows of padding, not its columns",
        ("& padding_mask(lengths, n)", "& padding_mask(lengths, n).mT"),
        cause="row|queries",
    ),
    edit(
        "itself at least",
        "masks",
        "a padded position may see itself, to avoid NaN",
        (
            "return causal_mask(n) & padding_mask(lengths, n)",
            "return (causal_mask(n) & padding_mask(lengths, n)) | torch.eye(n).bool()",
        ),
        cause="padding that nobody|nobody may look|real tokens",
    ),
    edit(
        "changes lengths",
        "masks",
        "unsqueezed in place",
        (PADDING, "(torch.arange(n) < lengths.unsqueeze_(1))[:, None, :]"),
        ("return causal_mask(n) & ", "lengths = lengths.clone()\n    return causal_mask(n) & "),
        cause="lengths was changed",
    ),
    # Task 3
    edit(
        "mask inverted",
        "masked_attention",
        "True = hidden",
        (FILL, FILL.replace("~", "")),
        (CLEAN, ""),
        cause="upside down",
    ),
    edit(
        "mask added as 0 and 1",
        "masked_attention",
        "boolean + float",
        (FILL, "scores = scores + mask"),
        (CLEAN, ""),
        cause="0 and 1",
    ),
    edit(
        "mask after softmax",
        "masked_attention",
        "not renormalized",
        (FILL, "pass"),
        cause="after the softmax",
    ),
    edit(
        "mask ignored",
        "masked_attention",
        "a parameter nobody reads",
        (FILL, "pass"),
        (CLEAN, ""),
        cause="ignored",
    ),
    edit(
        "fill with 0",
        "masked_attention",
        "exp(0) = 1",
        (LOWEST, "0.0"),
        (CLEAN, ""),
        cause="exp(0)|filled with 0",
    ),
    edit(
        "renormalized after softmax",
        "masked_attention",
        "right until a forbidden score takes everything",
        (FILL, "pass"),
        (
            CLEAN,
            "    if mask is not None:\n        weights = weights * mask\n"
            "        weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-30)\n",
        ),
        cause="take part in the sum|before the softmax|after the softmax",
    ),
    edit(
        "NaN in an empty row",
        "masked_attention",
        "-inf, all of it",
        (LOWEST, "-torch.inf"),
        (CLEAN, ""),
        cause="−∞",
    ),
    edit(
        "uniform empty row",
        "masked_attention",
        "looks at padding",
        (CLEAN, ""),
        cause="equal numbers|uniform",
    ),
    edit(
        "fill with -1e4",
        "masked_attention",
        "a score may be lower",
        (LOWEST, "-1e4"),
        cause="however low|lowest",
    ),
    edit(
        "NaN gradient",
        "masked_attention",
        "-inf added, nan_to_num afterwards",
        (
            FILL,
            "bias = torch.zeros_like(scores).masked_fill(~mask, -torch.inf)\n"
            "        scores = scores + bias",
        ),
        ("weights.masked_fill(~mask, 0.0)", "weights.nan_to_num(0.0)"),
        cause="NaN",
    ),
    edit(
        "changes the mask",
        "masked_attention",
        "inverts it in place",
        (FILL, FILL.replace("~mask", "mask.logical_not_()")),
        (CLEAN, ""),
        cause="mask was changed",
    ),
    edit(
        "mask for heads only",
        "masked_attention",
        "always adds a dimension",
        (FILL, f"mask = mask[:, None] if mask.dim() == 3 else mask\n        {FILL}"),
        cause="mask (B, T, S)|mask (B, 1, S)",
    ),
    edit(
        "float32 bias",
        "masked_attention",
        "bfloat16 becomes float32",
        (
            FILL,
            "bias = torch.zeros(mask.shape).masked_fill(~mask, -1e9)\n"
            "        scores = scores + bias",
        ),
        cause="float32",
    ),
    edit(
        "-1e9",
        "masked_attention",
        "no float16, and a score may be lower",
        (LOWEST, "-1e9"),
        cause="however low|lowest|float16",
    ),
    edit(
        "-1e9 added",
        "masked_attention",
        "a score may be higher",
        (FILL, "scores = scores + (~mask) * -1e9"),
        cause="however low|however large|lowest",
    ),
    edit(
        "-60000",
        "masked_attention",
        "so that float16 works",
        (LOWEST, "-6e4"),
        cause="however low|lowest",
    ),
    edit(
        "zero only if all are blind",
        "masked_attention",
        "an if for the whole mask",
        (CLEAN, ""),
        (
            "    return weights @ value, weights",
            "    if mask is not None and not mask.any():\n"
            "        weights = weights * 0\n"
            "    return weights @ value, weights",
        ),
        cause="equal numbers|uniform",
    ),
    edit(
        "blind rows of the first item",
        "masked_attention",
        "one list of rows for the batch",
        (
            CLEAN,
            "    if mask is not None:\n"
            "        blind = ~mask.any(-1, keepdim=True)\n"
            "        blind = blind[0] if blind.dim() > 2 else blind\n"
            "        weights = weights.masked_fill(blind, 0.0)\n",
        ),
        cause="each item|(B, T, S)|(B, 1, S)",
    ),
    edit(
        "expanded by hand",
        "masked_attention",
        "the mask must have all of the weights' leading dimensions, or none",
        (
            FILL,
            "if mask.dim() != 2:\n            mask = mask.reshape(scores.shape)\n        " + FILL,
        ),
        cause="mask (S,)|mask (B, 1, S)",
    ),
    edit(
        "transposed when square",
        "masked_attention",
        "row and column confused where T = S",
        (
            FILL,
            "if mask.shape[-2:] == (key.shape[-2],) * 2:\n            mask = mask.mT\n        "
            + FILL,
        ),
        cause="row|causal|transpos",
    ),
    edit(
        "one row for all, taken for a column",
        "masked_attention",
        "a mask (S,) gets its new dimension at the end",
        (FILL, "mask = mask[:, None] if mask.dim() == 1 else mask\n        " + FILL),
        cause="(S,)",
    ),
    edit(
        "scores of float32",
        "masked_attention",
        "computed in float32, and cast back",
        (SCORES, f"kept = query.dtype\n    query, key = query.float(), key.float()\n    {SCORES}"),
        (SOFTMAX, f"{SOFTMAX}.to(kept)"),
        cause="precis",
    ),
    edit(
        "softmax by hand, unshifted",
        "masked_attention",
        "exponentials times the mask",
        (FILL, "scores = scores.exp() * mask"),
        (
            SOFTMAX,
            "scores / scores.sum(-1, keepdim=True).clamp(min=1e-30) if mask is not None else "
            "scores.softmax(-1)",
        ),
        cause="overflow",
    ),
    edit(
        "mask as bias in place",
        "masked_attention",
        "the caller's query is scaled",
        (SCORES, "query.div_(math.sqrt(query.shape[-1]))\n    scores = query @ key.mT"),
        cause="query was changed|in place",
    ),
    # Task 4
    edit(
        "split by view",
        "heads",
        "right shape, wrong numbers",
        (SPLIT, "x.reshape(n_batch, n_heads, n_positions, d_model // n_heads)"),
        cause="view",
    ),
    edit(
        "merge by reshape",
        "heads",
        "no transpose",
        (MERGE, "x.reshape(n_batch, n_positions, n_heads * d_head)"),
        cause="transpos",
    ),
    edit(
        "interleaved heads",
        "heads",
        "consistent, but head h gets every H-th feature",
        (SPLIT, "x.reshape(n_batch, n_positions, -1, n_heads).permute(0, 3, 1, 2)"),
        (MERGE, "x.permute(0, 2, 3, 1).reshape(n_batch, n_positions, n_heads * d_head)"),
        cause="features",
    ),
    edit(
        "split mixes the batch",
        "heads",
        "right for one item",
        (SPLIT, "torch.stack(x.chunk(n_heads, -1)).view(n_batch, n_heads, n_positions, -1)"),
        cause="items of the batch|items of a batch",
    ),
    edit(
        "merge mixes the batch",
        "heads",
        "right for one item",
        (MERGE, "x.permute(2, 0, 1, 3).reshape(n_batch, n_positions, n_heads * d_head)"),
        cause="items of the batch|items of a batch",
    ),
    edit(
        "heads as a loop over one item",
        "heads",
        "expands the first item",
        (SPLIT, "torch.stack(x[0].chunk(n_heads, -1)).expand(n_batch, -1, -1, -1)"),
        cause="items of the batch|items of a batch",
    ),
    edit(
        "no numbers in the message",
        "heads",
        "the word alone",
        (
            'f"d_model must be a multiple of n_heads, got d_model={d_model}, n_heads={n_heads}"',
            '"d_model must be a multiple of n_heads"',
        ),
        cause="both numbers",
    ),
    edit(
        "one number in the message",
        "heads",
        "the number of heads is missing",
        ("got d_model={d_model}, n_heads={n_heads}", "got {d_model}"),
        cause="both numbers",
    ),
    edit(
        "an assertion",
        "heads",
        "assert for a refusal",
        ("raise ValueError(", "raise AssertionError("),
        cause="AssertionError",
    ),
    edit(
        "no refusal of its own",
        "heads",
        "reshape complains: another error",
        ("if d_model % n_heads:", "if n_heads < 1:"),
        cause="RuntimeError",
    ),
    edit(
        "the rest is dropped",
        "heads",
        "a warning in place of an error",
        ("if d_model % n_heads:", "if n_heads < 1:"),
        (
            "return x.reshape(n_batch, n_positions, n_heads, d_model // n_heads)",
            "x = x[..., : d_model // n_heads * n_heads]\n"
            "    return x.reshape(n_batch, n_positions, n_heads, d_model // n_heads)",
        ),
        cause="no error",
    ),
    edit(
        "refuses fewer features than heads only",
        "heads",
        "the wrong test",
        ("if d_model % n_heads:", "if d_model < n_heads:"),
        (
            "return x.reshape(n_batch, n_positions, n_heads, d_model // n_heads)",
            "x = x[..., : d_model // n_heads * n_heads]\n"
            "    return x.reshape(n_batch, n_positions, n_heads, d_model // n_heads)",
        ),
        cause="no error",
    ),
    edit(
        "merge squeezes",
        "heads",
        "a batch of one loses its dimension",
        (MERGE, f"{MERGE}.squeeze(0)"),
        cause="B=1|size 1",
    ),
    edit(
        "split squeezes",
        "heads",
        "dimensions of size 1 vanish",
        (SPLIT, f"{SPLIT}.squeeze()"),
        cause="=1|size 1",
    ),
    edit(
        "merge in float32",
        "heads",
        "written into new zeros",
        (
            f"return {MERGE}",
            "out = torch.zeros(n_batch, n_positions, n_heads * d_head)\n"
            f"    out[:] = {MERGE}\n    return out",
        ),
        cause="float32",
    ),
    edit(
        "split detached",
        "heads",
        "pieces of the data",
        (f"return {SPLIT}", f"return {SPLIT.replace('x.', 'x.detach().', 1)}"),
        cause="detached",
    ),
    # Task 5
    edit(
        "output projection forgotten",
        "multi_head",
        "heads side by side, unmixed",
        ("self.output_projection(merge_heads(values))", "merge_heads(values)"),
        cause="output_projection",
    ),
    edit(
        "one projection for key and value",
        "multi_head",
        "copied line",
        ("self.value_projection(memory)", "self.key_projection(memory)"),
        cause="value a projection|value_projection",
    ),
    edit(
        "query from memory",
        "multi_head",
        "cross-attention the wrong way round",
        ("self.query_projection(x)", "self.query_projection(memory)"),
        cause="queries come from x|from x",
    ),
    edit(
        "root of C",
        "multi_head",
        "d_model's root, not d_head's",
        (ATTEND, f"query = query / math.sqrt(self.n_heads)\n        {ATTEND}"),
        cause="√D",
    ),
    edit(
        "d_model columns for each head",
        "multi_head",
        "key_dim = d_model",
        *(
            (
                f"self.{part}_projection = nn.Linear(d_model, d_model)",
                f"self.{part}_projection = nn.Linear(d_model, n_heads * d_model)",
            )
            for part in ("query", "key", "value")
        ),
        (
            "output_projection = nn.Linear(d_model,",
            "output_projection = nn.Linear(n_heads * d_model,",
        ),
        cause="columns",
    ),
    edit(
        "mask not passed on",
        "multi_head",
        "leaks the future",
        ("(query, key, value, mask)", "(query, key, value)"),
        cause="mask passed on",
    ),
    edit(
        "mask meets the heads",
        "multi_head",
        "B broadcasts over H",
        ("mask[:, None]", "mask"),
        cause="meet the heads|where the weights have their heads",
    ),
    edit(
        "mask of the first item",
        "multi_head",
        "works for one item",
        ("mask[:, None]", "mask[0]"),
        cause="each sentence|each item",
    ),
    edit(
        "mask in self-attention only",
        "multi_head",
        "a memory is thought to need none",
        (ATTEND, f"mask = mask if memory is x else None\n        {ATTEND}"),
        cause="a memory and a mask",
    ),
    edit(
        "weights detached",
        "multi_head",
        "query and key never learn",
        (ATTEND, f"{ATTEND}\n        values = weights.detach() @ value"),
        cause="detached",
    ),
    edit(
        "attends over the batch",
        "multi_head",
        "batch_first = False",
        (
            "memory = x if memory is None else memory",
            "x = x.transpose(0, 1)\n"
            "        memory = x if memory is None else memory.transpose(0, 1)",
        ),
        (
            "self.output_projection(merge_heads(values)), weights",
            "self.output_projection(merge_heads(values)).transpose(0, 1), weights",
        ),
        cause="batch",
    ),
    edit(
        "mask told by its size",
        "multi_head",
        "as many rows as items: a mask for each item, thinks who looks at sizes",
        ("mask.dim() == 3", "len(mask) == len(x)"),
        cause="B = T|as many",
    ),
    edit(
        "heads of the class",
        "multi_head",
        "n_heads belongs to all layers",
        ("self.n_heads = n_heads", "type(self).n_heads = n_heads"),
        cause="another layer|two layers",
    ),
    edit(
        "remembers the memory",
        "multi_head",
        "kept for the next call",
        (
            "memory = x if memory is None else memory",
            "self.kept = getattr(self, 'kept', None) if memory is None else memory\n"
            "        memory = x if self.kept is None else self.kept",
        ),
        cause="call before|earlier call",
    ),
    edit(
        "remembers the mask",
        "multi_head",
        "kept for the next call",
        (
            "memory = x if memory is None else memory",
            "self.mask = mask = getattr(self, 'mask', None) if mask is None else mask\n"
            "        memory = x if memory is None else memory",
        ),
        cause="call before|earlier call",
    ),
    edit(
        "changes the mask's shape",
        "multi_head",
        "unsqueezed in place",
        ("mask = mask[:, None]", "mask.unsqueeze_(1)"),
        cause="mask was changed",
    ),
    edit(
        "a norm besides",
        "multi_head",
        "parameters that nobody asked for",
        (
            "self.n_heads = n_heads",
            "self.n_heads = n_heads\n        self.norm = nn.LayerNorm(d_model)",
        ),
        cause="norm.weight",
    ),
    edit(
        "weights averaged",
        "multi_head",
        "as nn.MultiheadAttention returns them",
        (
            "self.output_projection(merge_heads(values)), weights",
            "self.output_projection(merge_heads(values)), weights.mean(1)",
        ),
        cause="(B, H, T, S)",
    ),
    edit(
        "new x alone",
        "multi_head",
        "the weights are forgotten",
        (
            "self.output_projection(merge_heads(values)), weights",
            "self.output_projection(merge_heads(values))",
        ),
        cause="two tensors",
    ),
    edit(
        "no bias",
        "multi_head",
        "as large models have it",
        *(
            (
                f"{part}_projection = nn.Linear(d_model, d_model)",
                f"{part}_projection = nn.Linear(d_model, d_model, bias=False)",
            )
            for part in ("query", "key", "value", "output")
        ),
        cause="with a bias",
    ),
    edit(
        "memory detached",
        "multi_head",
        "the encoder never learns",
        (
            "memory = x if memory is None else memory",
            "memory = x if memory is None else memory.detach()",
        ),
        cause="detached",
    ),
    edit(
        "mask for the first query",
        "multi_head",
        "a row is taken, and repeated",
        ("mask = mask[:, None]  # the same for every head", "mask = mask[:, None, :1]"),
        cause="(B, T, S)",
    ),
    # Task 6
    edit(
        "no tanh",
        "additive",
        "two layers are then one",
        (ADDED, "(query + key)"),
        cause="tanh there|tanh",
    ),
    edit(
        "tanh before the sum",
        "additive",
        "no interaction is left",
        (ADDED, "(torch.tanh(query) + torch.tanh(key))"),
        cause="before the tanh|of both projections",
    ),
    edit(
        "product for sum",
        "additive",
        "multiplicative after all",
        (ADDED, "torch.tanh(query * key)"),
        cause="added|sum",
    ),
    edit(
        "softmax included",
        "additive",
        "weights, not scores",
        ("@ score_weight", "@ score_weight).softmax(-1)"),
        ("return torch", "return (torch"),
        cause="softmax",
    ),
    edit(
        "weights not transposed",
        "additive",
        "right for a symmetric matrix",
        ("F.linear(query, query_weight)", "(query @ query_weight)"),
        ("F.linear(key, key_weight)", "(key @ key_weight)"),
        cause="transpos|weight.mT|(d_hidden, d_query)",
    ),
    edit(
        "no leading dimensions",
        "additive",
        "counts from the front",
        (".unsqueeze(-2)", "[:, None]"),
        (".unsqueeze(-3)", "[None, :]"),
        cause="from the end",
    ),
    edit(
        "key detached",
        "additive",
        "keys never learn",
        (ADDED, "torch.tanh(query + key.detach())"),
        cause="detached",
    ),
    edit(
        "tanh of exponentials",
        "additive",
        "overflows for large sums",
        (ADDED, "((2 * (query + key)).exp() - 1) / ((2 * (query + key)).exp() + 1)"),
        cause="overflow",
    ),
    edit(
        "tanh whose gradient overflows",
        "additive",
        "1 − 2/∞ is right, and its slope is ∞/∞",
        (ADDED, "(1 - 2 / ((2 * (query + key)).exp() + 1))"),
        cause="overflow",
    ),
    edit(
        "squeezed",
        "additive",
        "a column of weights, and every 1 vanishes",
        ("@ score_weight", "@ score_weight[:, None]).squeeze()"),
        ("return torch", "return (torch"),
        cause="size 1",
    ),
    edit(
        "float32 inside",
        "additive",
        "cast, and cast back",
        (ADDED, "torch.tanh(query.float() + key.float()).to(query.dtype)"),
        cause="precis",
    ),
    edit(
        "always float32",
        "additive",
        "cast and left so",
        ("@ score_weight", "@ score_weight).float()"),
        ("return torch", "return (torch"),
        cause="float32",
    ),
    edit(
        "items with items",
        "additive",
        "the new dimensions are the first two",
        (".unsqueeze(-2)", ".unsqueeze(0)"),
        (".unsqueeze(-3)", ".unsqueeze(1)"),
        cause="from the end|row for each query",
    ),
    edit(
        "changes query",
        "additive",
        "unsqueezed in place",
        (
            "F.linear(query, query_weight).unsqueeze(-2)",
            "F.linear(query.unsqueeze_(-2), query_weight)",
        ),
        cause="query was changed",
    ),
    # Task 7
    fill(
        "sums of rows only",
        "find_defect",
        "`published` passes that",
        """
    query, key = torch.randn(3, 4), torch.randn(5, 4)
    _, weights = candidate(query, key, key, torch.ones(3, 5).tril().bool())
    return torch.allclose(weights.sum(-1), torch.ones(3), atol=1e-4)
""",
        cause="mask",
    ),
    edit(
        "no look at the scale",
        "find_defect",
        "mask and sums only",
        ("/ math.sqrt(7)", "* 0"),
        ("atol=1e-3", "atol=1e3"),
        cause="√D|scale",
    ),
    edit(
        "no look at the values",
        "find_defect",
        "weights only",
        ("torch.allclose(values, weights @ value, atol=1e-4)", "values.shape == (3, 2)"),
        cause="values",
    ),
    edit(
        "width of one",
        "find_defect",
        "√1 = 1 hides the scale",
        ("torch.randn(3, 7), torch.randn(5, 7)", "torch.randn(3, 1), torch.randn(5, 1)"),
        ("math.sqrt(7)", "1"),
        cause="√D|scale",
    ),
    edit(
        "no look at the sums",
        "find_defect",
        "unnormalized is fine",
        ("torch.allclose(weights.sum(-1), torch.ones(3), atol=1e-4)", "weights.isfinite().all()"),
        cause="over the queries|sum to 1",
    ),
    fill(
        "scale without a mask, mask without a scale",
        "find_defect",
        "each property where it cannot fail alone",
        """
    query, key = torch.randn(3, 4), torch.randn(5, 4)
    mask = torch.zeros(3, 5).bool()
    mask[:, 1] = True
    values, weights = candidate(query, key, key, mask)
    return bool(weights[~mask].abs().max() < 1e-4)
""",
        cause="√D|scale",
    ),
    fill(
        "equal to the last digit",
        "find_defect",
        "rejects right functions that round differently",
        """
    for _ in range(20):
        query, key, value = torch.randn(3, 4), torch.randn(5, 4), torch.randn(5, 2)
        mask = torch.ones(3, 5).tril(1).bool()
        scores = (query @ key.mT / 2).masked_fill(~mask, -torch.inf)
        wanted = scores.softmax(-1)
        values, weights = candidate(query, key, value, mask)
        if not torch.equal(weights, wanted) or not torch.equal(values, wanted @ value):
            return False
    return True
""",
        cause="tolerance|last digit",
    ),
    edit(
        "width of four",
        "find_defect",
        "√4 = 2, so a scale of ½ is right there",
        ("torch.randn(3, 7), torch.randn(5, 7)", "torch.randn(3, 4), torch.randn(5, 4)"),
        ("math.sqrt(7)", "math.sqrt(4)"),
        cause="always by 2|fixed number",
    ),
    edit(
        "as many keys as features",
        "find_defect",
        "√S = √D",
        ("torch.randn(3, 7), torch.randn(5, 7)", "torch.randn(3, 5), torch.randn(5, 5)"),
        ("math.sqrt(7)", "math.sqrt(5)"),
        cause="√S",
    ),
    edit(
        "values as wide as keys",
        "find_defect",
        "√E = √D",
        ("torch.randn(5, 2)", "torch.randn(5, 7)"),
        cause="√E",
    ),
    edit(
        "as many queries as features",
        "find_defect",
        "√T = √D",
        ("torch.randn(3, 7), torch.randn(5, 7)", "torch.randn(3, 3), torch.randn(5, 3)"),
        ("math.sqrt(7)", "math.sqrt(3)"),
        cause="√T",
    ),
    edit(
        "half a unit of logarithm is let pass",
        "find_defect",
        "0.5 for the logarithms",
        ("atol=1e-3", "atol=0.5"),
        cause="√|scale|divides|chance",
    ),
    edit(
        "no look at forbidden weights",
        "find_defect",
        "the mask is passed, and forgotten",
        ("if weights[~mask].abs().max() > 1e-4:", "if weights.isnan().any():"),
        cause="mask",
    ),
    edit(
        "a wide look at forbidden weights",
        "find_defect",
        "small is thought to be zero",
        ("if weights[~mask].abs().max() > 1e-4:", "if weights[~mask].abs().max() > 0.3:"),
        cause="mask|chance",
    ),
    edit(
        "values of the right sum",
        "find_defect",
        "a look at their size only",
        (
            "torch.allclose(values, weights @ value, atol=1e-4)",
            "values.abs().max() <= value.abs().max() + 1e-4",
        ),
        cause="values",
    ),
    edit(
        "alternating",
        "find_defect",
        "guesses by counting its calls",
        (
            "    query, key = torch",
            "    global calls\n    calls = globals().get('calls', 0) + 1\n"
            "    return calls in (1, 5, 6, 7, 8)\n    query, key = torch",
        ),
        cause="calls before",
    ),
    edit(
        "by its name",
        "find_defect",
        "looks at the label of the candidate",
        (
            "    query, key = torch",
            "    good = ('right', 'scaled_first', 'in_double', 'in_steps')\n"
            "    return getattr(candidate, '__name__', '') in good\n    query, key = torch",
        ),
        cause="rejects a right|accepts a function",
    ),
    fill(
        "a logarithm of the allowed scores' sum",
        "masked_attention",
        "two weights of 1 at scores of 10¹²",
        """
        if mask is None:
            mask = torch.ones(1, 1, dtype=torch.bool, device=query.device)
        blind = mask.any(-1, keepdim=True).logical_not()
        scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-2, -1))
        scores = scores.masked_fill(~(mask | blind), float("-inf"))
        weights = torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True))
        weights = torch.where(blind, 0.0, weights)
        return torch.matmul(weights, value), weights
        """,
        cause="logarithm",
    ),
    *frozen(
        "attention",
        3,
        {
            "weights without a gradient": "detached",
            "positions in float16": "small dtype",
            "one triangle for all callers": "kept from call to call",
            "blind rows opened in the caller's mask": "mask was changed",
            "a seed within a fork": "seed",
            "weights for looking only": "detached",
            "a width of 16": "always by 4",
        },
    ),
    fill(
        "many leading dimensions by view",
        "dot_product",
        "numbers that do not lie in order have no such view",
        """
        n_queries, width = query.shape[-2:]
        one = query.view(-1, n_queries, width)
        other = key.view(-1, *key.shape[-2:])
        scores = (one @ other.mT / math.sqrt(width)).reshape(*query.shape[:-1], key.shape[-2])
        weights = torch.softmax(scores, dim=-1)
        return weights @ value, weights
        """,
        cause="order in memory",
    ),
    edit(
        "small weights dropped",
        "dot_product",
        "nobody looks at a ten millionth",
        (
            "    return weights @ value",
            "    weights = weights.masked_fill(weights < 1e-7, 0.0)\n    return weights @ value",
        ),
        cause="dropped",
    ),
    edit(
        "values within ten",
        "dot_product",
        "cut off, as a gradient would be",
        ("weights @ value, weights", "weights @ value.clamp(-10, 10), weights"),
        cause="cut off",
    ),
    edit(
        "a triangle cut out of the largest so far",
        "masks",
        "kept, and a view of it returned",
        (
            f"return {CAUSAL}",
            "kept = causal_mask.__dict__\n"
            '    if "kept" not in kept or len(kept["kept"]) < n:\n'
            f'        kept["kept"] = {CAUSAL}\n'
            '    return kept["kept"][:n, :n]',
        ),
        cause="kept from call to call",
    ),
    edit(
        "positions in 16 bits",
        "masks",
        "int16 ends at 32767",
        ("torch.arange(n) < lengths", "torch.arange(n).to(torch.int16) < lengths"),
        cause="small dtype",
    ),
    edit(
        "a first key opened for blind queries",
        "masked_attention",
        "in the caller's mask",
        (
            "    scores = query @",
            "    if mask is not None and mask.dim() == 3 and not mask.any(-1).all():\n"
            "        mask[0, 0, 0] = True\n"
            "    scores = query @",
        ),
        cause="mask was changed",
    ),
    edit(
        "weights detached where there is a mask",
        "masked_attention",
        "the weights are for looking only",
        (
            "return weights @ value, weights",
            "return weights @ value, weights if mask is None else weights.detach()",
        ),
        cause="detached",
    ),
    edit(
        "zeros added",
        "heads",
        "−0 is 0 then",
        ("return x.transpose(1, 2)", "return (x + torch.zeros_like(x)).transpose(1, 2)"),
        cause="multiplied or added",
    ),
    edit(
        "one position needs no gradient",
        "heads",
        "detached in a rare branch",
        (
            "return x.transpose(1, 2)",
            "x = x.detach() if x.shape[2] == 1 else x\n    return x.transpose(1, 2)",
        ),
        cause="detached",
    ),
    edit(
        "more heads than positions",
        "heads",
        "takes 20 heads and more for positions",
        (
            "return x.transpose(1, 2)",
            "x = x if 20 <= n_heads > n_positions else x.transpose(1, 2)\n    return x",
        ),
        cause="features hD",
    ),
    edit(
        "a key projected once",
        "multi_head",
        "kept by the memory's id, for every layer",
        (
            "key = split_heads(self.key_projection(memory), self.n_heads)",
            'kept = vars(split_heads).setdefault("kept", {})\n'
            "        key = split_heads(self.key_projection(memory), self.n_heads)\n"
            "        key = kept.setdefault((id(self), id(memory), memory.shape), key)",
        ),
        cause="kept",
    ),
    edit(
        "a memory without a mask is given",
        "multi_head",
        "detached only where there is no mask",
        (
            "memory = x if memory is None else memory",
            "memory = x if memory is None else memory.detach() if mask is None else memory",
        ),
        cause="detached",
    ),
    edit(
        "evaluation is another",
        "multi_head",
        "scaled by what dropout would leave",
        (
            "return self.output_projection",
            "values = values if self.training else 0.9 * values\n"
            "        return self.output_projection",
        ),
        cause="evaluation mode",
    ),
    edit(
        "sums within fifteen",
        "additive",
        "tanh is 1 there, nearly",
        (ADDED, "torch.tanh((query + key).clamp(-15, 15))"),
        cause="within bounds",
    ),
    edit(
        "a key projected once, additive",
        "additive",
        "kept by the key's id",
        (
            "key = F.linear(key, key_weight).unsqueeze(-3)",
            'kept = additive_scores.__dict__.setdefault("kept", {})\n'
            "    name, key = (id(key), key.shape), F.linear(key, key_weight).unsqueeze(-3)\n"
            "    key = kept.setdefault(name, key)",
        ),
        cause="earlier call",
    ),
    edit(
        "itself the other way round",
        "additive",
        "only where query and key are one object",
        (
            "    query = F.linear",
            "    key = key.flip(-2) if key is query else key\n    query = F.linear",
        ),
        cause="one tensor",
    ),
    fill(
        "a width of nine",
        "find_defect",
        "where always 3 is right",
        """
        query, key, value = torch.randn(3, 9), torch.randn(5, 9), torch.randn(5, 2)
        mask = torch.ones(3, 5, dtype=torch.bool).tril(2)
        mask[2, 0] = False
        values, weights = candidate(query, key, value, mask)
        scores = (query @ key.mT / 3).masked_fill(~mask, -1e9)
        right = torch.allclose(weights, scores.softmax(-1), atol=1e-4)
        return right and torch.allclose(values, weights @ value, atol=1e-4)
        """,
        cause="always by 3",
    ),
    edit(
        "values of the last query",
        "find_defect",
        "looks at one row",
        ("(values, weights @ value, atol", "(values[-1], (weights @ value)[-1], atol"),
        cause="halves|query before",
    ),
    *frozen(
        "attention",
        2,
        {
            "att: something against a division by 0": "precis|added to the sum",
            "att: a logarithm of the sum": "logarithm",
            "masks: cut out of a large one": "fixed size",
            "masked: a thousand below the lowest": "however low",
            "heads: strides as if in order": "in order in memory",
            "heads: the number of heads remembered": "earlier call",
            "heads: by way of float32": "rounded",
            "multi: weights kept in the layer": "leaves something in the layer",
            "multi: seeded in its constructor": "seed",
            "test: a seed for everybody": "seed",
        },
    ),
    *frozen(
        "attention",
        4,
        {
            "exponentials without a maximum": "overflow",
            "to the tenth digit": "too tight",
            "a generous tolerance": "generous",
        },
    ),
]


RIGHT = [
    fill(
        "einsum",
        "dot_product",
        "indices spelled out, query scaled first",
        """
        scaled = query * query.size(-1) ** -0.5
        weights = torch.einsum("...td,...sd->...ts", scaled, key).softmax(-1)
        return torch.einsum("...ts,...se->...te", weights, value), weights
        """,
    ),
    fill(
        "root as a tensor",
        "dot_product",
        "of float32, also where the inputs are float64",
        """
        d_k = torch.tensor(key.size(-1), dtype=torch.float32)
        scores = torch.matmul(query, key.transpose(-2, -1)) / torch.sqrt(d_k)
        weights = nn.Softmax(dim=-1)(scores)
        return torch.matmul(weights, value), weights
        """,
    ),
    fill(
        "softmax by hand",
        "dot_product",
        "the largest score subtracted",
        """
        scores = torch.matmul(query, key.transpose(-2, -1)) / query.shape[-1] ** 0.5
        powers = torch.exp(scores - scores.max(-1, keepdim=True).values)
        weights = powers / powers.sum(-1, keepdim=True)
        return torch.matmul(weights, value), weights
        """,
    ),
    fill(
        "baddbmm",
        "dot_product",
        "all leading dimensions made one",
        """
        batch, (T, D), S, E = query.shape[:-2], query.shape[-2:], key.shape[-2], value.shape[-1]
        query, key, value = query.reshape(-1, T, D), key.reshape(-1, S, D), value.reshape(-1, S, E)
        nothing = torch.zeros(len(query), T, S, dtype=query.dtype, device=query.device)
        scores = torch.baddbmm(nothing, query, key.mT, beta=0, alpha=1 / math.sqrt(D))
        weights = F.softmax(scores, dim=2)
        return torch.bmm(weights, value).reshape(*batch, T, E), weights.reshape(*batch, T, S)
        """,
    ),
    fill(
        "fourth roots",
        "dot_product",
        "both scaled before the product, a logarithm of the softmax",
        """
        root = query.shape[-1] ** 0.25
        weights = F.log_softmax((query / root) @ (key / root).mT, dim=-1).exp()
        return torch.einsum("...ts,...se->...te", weights, value), weights
        """,
    ),
    write(
        "query by query",
        "dot_product",
        "a loop, helper functions, no type hints",
        """
def weights_of(one, key):
    scores = (key * one[..., None, :]).sum(-1) / math.sqrt(one.shape[-1])
    return torch.softmax(scores, -1)

def attention(query, key, value):
    rows = [weights_of(query[..., t, :], key) for t in range(query.shape[-2])]
    weights = torch.stack(rows, dim=-2)
    return weights @ value, weights
        """,
    ),
    fill(
        "loops",
        "masks",
        "no broadcasting at all",
        "return torch.tensor([[s <= t for s in range(n)] for t in range(n)])",
        "return torch.tensor([[[s < length for s in range(n)]] for length in lengths.tolist()])",
        """
        mask = torch.zeros(len(lengths), n, n, dtype=torch.bool)
        for b, length in enumerate(lengths):
            for t in range(n):
                mask[b, t, : min(t + 1, int(length))] = True
        return mask
        """,
    ),
    fill(
        "index comparisons",
        "masks",
        "no call of one by the other",
        "return torch.arange(n)[:, None] >= torch.arange(n)",
        "return torch.arange(n).expand(len(lengths), 1, n) < lengths.view(-1, 1, 1)",
        """
        t, s = torch.arange(n).view(1, n, 1), torch.arange(n).view(1, 1, n)
        return torch.logical_and(s <= t, s < lengths.view(-1, 1, 1))
        """,
    ),
    fill(
        "the upper triangle, negated",
        "masks",
        "cumulative sums and one_hot-like comparisons",
        "return torch.logical_not(torch.triu(torch.ones(n, n), diagonal=1))",
        """
        ones = torch.ones(len(lengths), n, dtype=torch.int64)
        return (ones.cumsum(1) <= lengths.unsqueeze(1)).unsqueeze(1)
        """,
        "return torch.stack([padding_mask(x[None], n)[0] & causal_mask(n) for x in lengths])",
    ),
    fill(
        "-inf and nan_to_num",
        "masked_attention",
        "written with torch.where",
        """
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        if mask is not None:
            scores = torch.where(mask, scores, -math.inf)
        weights = torch.nan_to_num(scores.softmax(-1))
        return weights @ value, weights
        """,
    ),
    fill(
        "only what is allowed",
        "masked_attention",
        "the allowed scores of one query at a time, no fill at all",
        """
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        if mask is None:
            weights = F.softmax(scores, -1)
            return weights @ value, weights
        rows, allowed = scores.reshape(-1, scores.shape[-1]), mask.expand(scores.shape)
        out = []
        for row, seen in zip(rows, allowed.reshape(-1, scores.shape[-1])):
            places = seen.nonzero()[:, 0]
            out.append(torch.zeros_like(row).index_put((places,), row[places].softmax(0)))
        weights = torch.stack(out).reshape(scores.shape)
        return weights @ value, weights
        """,
    ),
    fill(
        "-inf, blind rows apart",
        "masked_attention",
        "a row without any True gets a mask of all True, and then zeros",
        """
        if mask is None:
            mask = torch.ones(1, 1, dtype=torch.bool, device=query.device)
        blind = mask.any(-1, keepdim=True).logical_not()
        scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-2, -1))
        scores = scores.masked_fill(~(mask | blind), float("-inf"))
        weights = torch.log_softmax(scores, -1).exp()
        weights = torch.where(blind, 0.0, weights)
        return torch.matmul(weights, value), weights
        """,
    ),
    fill(
        "stable by hand",
        "masked_attention",
        "exponentials of the allowed scores over their own sum",
        """
        scores = torch.einsum("...td,...sd->...ts", query, key) / math.sqrt(key.shape[-1])
        allowed = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
        low = torch.finfo(scores.dtype).min
        largest = scores.masked_fill(~allowed, low).amax(-1, keepdim=True).detach()
        powers = torch.exp((scores - largest).masked_fill(~allowed, low))
        powers = powers * allowed
        weights = powers / powers.sum(-1, keepdim=True).clamp_min(torch.finfo(scores.dtype).tiny)
        return weights @ value, weights
        """,
    ),
    fill(
        "in chunks of queries",
        "masked_attention",
        "two queries at a time",
        """
        T, S = query.shape[-2], key.shape[-2]
        full = torch.ones(T, S, dtype=torch.bool, device=query.device)
        mask = full if mask is None else mask & full
        parts = []
        for start in range(0, T, 2):
            allowed = mask[..., start : start + 2, :]
            scores = query[..., start : start + 2, :] @ key.mT * key.shape[-1] ** -0.5
            scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
            parts.append(scores.softmax(-1).masked_fill(~allowed, 0))
        weights = torch.cat(parts, -2)
        return weights @ value, weights
        """,
    ),
    fill(
        "stack and cat",
        "heads",
        "pieces, not views",
        """
        if x.size(-1) % n_heads != 0:
            raise ValueError(f"{x.size(-1)} is no multiple of {n_heads}")
        return torch.stack(x.chunk(n_heads, dim=-1), dim=1)
        """,
        "return torch.cat([x[:, h] for h in range(x.shape[1])], dim=-1)",
    ),
    fill(
        "unflatten and flatten",
        "heads",
        "names for the steps",
        """
        if x.shape[2] % n_heads:
            raise ValueError("%d is no multiple of %d" % (x.shape[2], n_heads))
        return x.unflatten(2, (n_heads, -1)).permute(0, 2, 1, 3).contiguous()
        """,
        "return x.permute(0, 2, 1, 3).flatten(2)",
    ),
    fill(
        "slices",
        "heads",
        "head by head",
        """
        size, rest = divmod(x.shape[-1], n_heads)
        if rest != 0:
            raise ValueError(f"n_heads={n_heads} has no multiple {x.shape[-1]}, rest {rest}")
        heads = [x[:, :, h * size : (h + 1) * size] for h in range(n_heads)]
        return torch.cat([head.unsqueeze(1) for head in heads], dim=1)
        """,
        "return torch.movedim(x, 1, 2).reshape(x.shape[0], x.shape[2], x.shape[1] * x.shape[3])",
    ),
    fill(
        "one head after the other",
        "multi_head",
        "no call of earlier tasks",
        """
        self.n_heads, self.d_head = n_heads, d_model // n_heads
        for name in ("query", "key", "value", "output"):
            setattr(self, f"{name}_projection", nn.Linear(d_model, d_model))
        """,
        """
        source = memory if memory is not None else x
        q, k = self.query_projection(x), self.key_projection(source)
        v = self.value_projection(source)
        outs, weights = [], []
        for h in range(self.n_heads):
            part = slice(h * self.d_head, (h + 1) * self.d_head)
            scores = q[..., part] @ k[..., part].mT / self.d_head**0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, -1e9)
            weights.append(scores.softmax(-1))
            outs.append(weights[-1] @ v[..., part])
        return self.output_projection(torch.cat(outs, -1)), torch.stack(weights, 1)
        """,
    ),
    write(
        "own linear layers",
        "multi_head",
        "nn.Parameter, einsum, an extra method",
        """
class Affine(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n, n) / n**0.5)
        self.bias = nn.Parameter(torch.zeros(n))

    def forward(self, x):
        return torch.einsum("...i,oi->...o", x, self.weight) + self.bias

class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.h = n_heads
        self.query_projection, self.key_projection = Affine(d_model), Affine(d_model)
        self.value_projection, self.output_projection = Affine(d_model), Affine(d_model)

    def cut(self, x):
        return x.unflatten(-1, (self.h, x.shape[-1] // self.h))

    def forward(self, x, memory=None, mask=None):
        if memory is None:
            memory = x
        q, k = self.cut(self.query_projection(x)), self.cut(self.key_projection(memory))
        scores = torch.einsum("bthd,bshd->bhts", q, k) / math.sqrt(q.shape[-1])
        if mask is not None:
            while mask.dim() < 4:
                mask = mask.unsqueeze(-3)
            scores = scores.masked_fill(~mask, -torch.inf)
        weights = scores.softmax(-1)
        v = self.cut(self.value_projection(memory))
        out = torch.einsum("bhts,bshd->bthd", weights, v).flatten(2)
        return self.output_projection(out), weights
        """,
    ),
    fill(
        "pair by pair",
        "additive",
        "loops over queries and keys",
        """
        rows = []
        for t in range(query.size(-2)):
            q = query[..., t, :] @ query_weight.T
            row = []
            for s in range(key.size(-2)):
                row.append(torch.tanh(q + key[..., s, :] @ key_weight.T) @ score_weight)
            rows.append(torch.stack(row, dim=-1))
        return torch.stack(rows, dim=-2)
        """,
    ),
    fill(
        "einsum",
        "additive",
        "Ellipsis for the leading dimensions",
        """
        q = torch.einsum("...tq,hq->...th", query, query_weight)[..., :, None, :]
        k = torch.einsum("...sk,hk->...sh", key, key_weight)[..., None, :, :]
        return ((q + k).tanh() * score_weight).sum(dim=-1)
        """,
    ),
    fill(
        "tanh by hand",
        "additive",
        "2 σ(2x) − 1, and a matrix of one column",
        """
        total = torch.matmul(query, query_weight.mT)[..., :, None, :]
        total = total + torch.matmul(key, key_weight.mT)[..., None, :, :]
        small = torch.sigmoid(2 * total)
        return torch.matmul(2 * small - 1, score_weight.unsqueeze(-1)).squeeze(-1)
        """,
    ),
    fill(
        "by perturbation",
        "find_defect",
        "three-dimensional inputs, ratios of pairs",
        """
        q, k, v = torch.randn(2, 3, 11), torch.randn(2, 5, 11), torch.randn(2, 5, 4)
        mask = torch.ones(3, 5, dtype=torch.bool).tril(2)
        mask[:, 1] = False
        mask[:, 0] = mask[:, 2] = True
        out, w = candidate(q, k, v, mask=mask)
        moved, _ = candidate(q, k, v + 5 * ~mask.any(0)[:, None], mask=mask)
        scores = torch.einsum("btd,bsd->bts", q, k) / 11**0.5
        ratio = w[..., 0] / w[..., 2]
        return bool(
            torch.allclose(out, moved, atol=1e-4)
            and torch.allclose(w.sum(2), torch.ones(2, 3), atol=1e-4)
            and torch.allclose(ratio.log(), scores[..., 0] - scores[..., 2], atol=1e-3)
            and torch.allclose(out, torch.bmm(w, v), atol=1e-4)
            and not w.masked_select(~mask).any()
        )
        """,
    ),
    fill(
        "against a loop of its own",
        "find_defect",
        "a plain reference, with and without a mask",
        """
        q, k, v = torch.randn(4, 6), torch.randn(7, 6), torch.randn(7, 3)
        for mask in (None, torch.rand(4, 7) < 0.5, torch.ones(4, 7).bool()):
            if mask is not None:
                mask[:, 0] = True
                mask[:, 1] = False
            values, weights = candidate(q, k, v, mask)
            for t in range(4):
                powers = [
                    math.exp(float(q[t] @ k[s]) / math.sqrt(6))
                    * (1 if mask is None else float(mask[t, s]))
                    for s in range(7)
                ]
                expected = torch.tensor(powers) / sum(powers)
                if not torch.allclose(weights[t], expected, atol=1e-4):
                    return False
                if not torch.allclose(values[t], expected @ v, atol=1e-4):
                    return False
        return True
        """,
    ),
    *frozen("attention", 5, {"heads: numbers with commas": ""}),
]
