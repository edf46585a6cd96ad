"""Answers to the assignment `attention`: plausible and wrong, or right in another style."""

from . import edit, fill, write

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
    edit("no scale", "dot_product", "called scaled, but is not", (f" {SCALE}", "")),
    edit("scale by D", "dot_product", "no root", (SCALE, "/ query.shape[-1]")),
    edit("softmax over queries", "dot_product", "dim=-2", (SOFTMAX, "torch.softmax(scores, -2)")),
    edit("softmax dim=1", "dot_product", "right for a matrix", (SOFTMAX, "scores.softmax(1)")),
    edit("root of E", "dot_product", "value's width", (SCALE, "/ math.sqrt(value.shape[-1])")),
    edit(
        "naive exp",
        "dot_product",
        "overflows at large scores",
        (SOFTMAX, "scores.exp() / scores.exp().sum(-1, keepdim=True)"),
    ),
    edit(
        "changes query",
        "dot_product",
        "scales in place",
        (SCORES, f"query {SCALE.replace('/', '/=')}\n    scores = query @ key.mT"),
    ),
    edit(
        "float32 only",
        "dot_product",
        "casts, and loses the dtype",
        ("query @ key.mT", "query.float() @ key.float().mT"),
        ("weights @ value, weights", "weights @ value.float(), weights"),
    ),
    edit("detached", "dot_product", "for plotting", (SOFTMAX, f"{SOFTMAX}.detach()")),
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
    ),
    # Task 2
    edit("diagonal excluded", "masks", "strictly before", (CAUSAL, CAUSAL[:-1] + "-1)")),
    edit("one future token", "masks", "off by one", (CAUSAL, CAUSAL[:-1] + "1)")),
    edit("upper triangle", "masks", "True = hidden", (CAUSAL, CAUSAL.replace("tril", "triu"))),
    edit("length + 1", "masks", "<= for <", (PADDING, PADDING.replace("<", "<="))),
    edit(
        "padding on queries",
        "masks",
        "hides rows, not columns",
        (PADDING, PADDING.replace("[:, None, :]", "[:, :, None].expand(-1, -1, n)")),
    ),
    edit(
        "own width",
        "masks",
        "as wide as the longest sentence, not n",
        (PADDING, PADDING.replace("arange(n)", "arange(int(lengths.max()))")),
        ("padding_mask(lengths, n)\n    ###", f"{PADDING}\n    ###"),
    ),
    edit(
        "first sentence's length",
        "masks",
        "works for a batch of one",
        ("padding_mask(lengths, n)\n    ###", "padding_mask(lengths[:1], n)\n    ###"),
    ),
    edit(
        "no empty sentence",
        "masks",
        "a length of 0 made 1, to avoid NaN",
        (PADDING, PADDING.replace("lengths", "lengths.clamp(min=1)")),
    ),
    edit("either mask", "masks", "| for &", ("causal_mask(n) & ", "causal_mask(n) | ")),
    # Task 3
    edit(
        "mask inverted",
        "masked_attention",
        "True = hidden",
        (FILL, FILL.replace("~", "")),
        (CLEAN, ""),
    ),
    edit(
        "mask added as 0 and 1",
        "masked_attention",
        "boolean + float",
        (FILL, "scores = scores + mask"),
        (CLEAN, ""),
    ),
    edit("mask after softmax", "masked_attention", "not renormalized", (FILL, "pass")),
    edit(
        "mask ignored", "masked_attention", "a parameter nobody reads", (FILL, "pass"), (CLEAN, "")
    ),
    edit("fill with 0", "masked_attention", "exp(0) = 1", (LOWEST, "0.0"), (CLEAN, "")),
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
    ),
    edit(
        "NaN in an empty row",
        "masked_attention",
        "-inf, all of it",
        (LOWEST, "-torch.inf"),
        (CLEAN, ""),
    ),
    edit("uniform empty row", "masked_attention", "looks at padding", (CLEAN, "")),
    edit("fill with -1e4", "masked_attention", "a score may be lower", (LOWEST, "-1e4")),
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
    ),
    edit(
        "changes the mask",
        "masked_attention",
        "inverts it in place",
        (FILL, FILL.replace("~mask", "mask.logical_not_()")),
        (CLEAN, ""),
    ),
    edit(
        "mask for heads only",
        "masked_attention",
        "always adds a dimension",
        (FILL, f"mask = mask[:, None] if mask.dim() == 3 else mask\n        {FILL}"),
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
    ),
    # Task 4
    edit(
        "split by view",
        "heads",
        "right shape, wrong numbers",
        (SPLIT, "x.reshape(n_batch, n_heads, n_positions, d_model // n_heads)"),
    ),
    edit(
        "merge by reshape",
        "heads",
        "no transpose",
        (MERGE, "x.reshape(n_batch, n_positions, n_heads * d_head)"),
    ),
    edit(
        "interleaved heads",
        "heads",
        "consistent, but head h gets every H-th feature",
        (SPLIT, "x.reshape(n_batch, n_positions, -1, n_heads).permute(0, 3, 1, 2)"),
        (MERGE, "x.permute(0, 2, 3, 1).reshape(n_batch, n_positions, n_heads * d_head)"),
    ),
    edit(
        "split mixes the batch",
        "heads",
        "right for one item",
        (SPLIT, "torch.stack(x.chunk(n_heads, -1)).view(n_batch, n_heads, n_positions, -1)"),
    ),
    edit(
        "merge mixes the batch",
        "heads",
        "right for one item",
        (MERGE, "x.permute(2, 0, 1, 3).reshape(n_batch, n_positions, n_heads * d_head)"),
    ),
    edit(
        "heads as a loop over one item",
        "heads",
        "expands the first item",
        (SPLIT, "torch.stack(x[0].chunk(n_heads, -1)).expand(n_batch, -1, -1, -1)"),
    ),
    # Task 5
    edit(
        "output projection forgotten",
        "multi_head",
        "heads side by side, unmixed",
        ("self.output_projection(merge_heads(values))", "merge_heads(values)"),
    ),
    edit(
        "one projection for key and value",
        "multi_head",
        "copied line",
        ("self.value_projection(memory)", "self.key_projection(memory)"),
    ),
    edit(
        "query from memory",
        "multi_head",
        "cross-attention the wrong way round",
        ("self.query_projection(x)", "self.query_projection(memory)"),
    ),
    edit(
        "root of C",
        "multi_head",
        "d_model's root, not d_head's",
        (ATTEND, f"query = query / math.sqrt(self.n_heads)\n        {ATTEND}"),
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
    ),
    edit(
        "mask not passed on",
        "multi_head",
        "leaks the future",
        ("(query, key, value, mask)", "(query, key, value)"),
    ),
    edit("mask meets the heads", "multi_head", "B broadcasts over H", ("mask[:, None]", "mask")),
    edit(
        "mask of the first item",
        "multi_head",
        "works for one item",
        ("mask[:, None]", "mask[0]"),
    ),
    edit(
        "mask in self-attention only",
        "multi_head",
        "a memory is thought to need none",
        (ATTEND, f"mask = mask if memory is x else None\n        {ATTEND}"),
    ),
    edit(
        "weights detached",
        "multi_head",
        "query and key never learn",
        (ATTEND, f"{ATTEND}\n        values = weights.detach() @ value"),
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
    ),
    # Task 6
    edit("no tanh", "additive", "two layers are then one", (ADDED, "(query + key)")),
    edit(
        "tanh before the sum",
        "additive",
        "no interaction is left",
        (ADDED, "(torch.tanh(query) + torch.tanh(key))"),
    ),
    edit(
        "product for sum",
        "additive",
        "multiplicative after all",
        (ADDED, "torch.tanh(query * key)"),
    ),
    edit(
        "softmax included",
        "additive",
        "weights, not scores",
        ("@ score_weight", "@ score_weight).softmax(-1)"),
        ("return torch", "return (torch"),
    ),
    edit(
        "weights not transposed",
        "additive",
        "right for a symmetric matrix",
        ("F.linear(query, query_weight)", "(query @ query_weight)"),
        ("F.linear(key, key_weight)", "(key @ key_weight)"),
    ),
    edit(
        "no leading dimensions",
        "additive",
        "counts from the front",
        (".unsqueeze(-2)", "[:, None]"),
        (".unsqueeze(-3)", "[None, :]"),
    ),
    edit(
        "key detached", "additive", "keys never learn", (ADDED, "torch.tanh(query + key.detach())")
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
    ),
    edit(
        "no look at the scale",
        "find_defect",
        "mask and sums only",
        ("/ math.sqrt(4)", "* 0"),
        ("atol=1e-3", "atol=1e3"),
    ),
    edit(
        "no look at the values",
        "find_defect",
        "weights only",
        ("torch.allclose(values, weights @ value, atol=1e-4)", "values.shape == (3, 2)"),
    ),
    edit(
        "width of one",
        "find_defect",
        "√1 = 1 hides the scale",
        ("torch.randn(3, 4), torch.randn(5, 4)", "torch.randn(3, 1), torch.randn(5, 1)"),
        ("math.sqrt(4)", "1"),
    ),
    edit(
        "no look at the sums",
        "find_defect",
        "unnormalized is fine",
        ("torch.allclose(weights.sum(-1), torch.ones(3), atol=1e-4)", "weights.isfinite().all()"),
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
        "-1e9",
        "masked_attention",
        "low enough, and zeroed by a product",
        """
        if mask is None:
            mask = torch.ones((), dtype=torch.bool, device=query.device)
        scores = (query / query.shape[-1] ** 0.5) @ key.transpose(-1, -2)
        weights = F.softmax(scores.masked_fill(mask.logical_not(), -1e9), -1) * mask
        return weights @ value, weights
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
            raise ValueError("C must be a multiple of n_heads")
        return x.unflatten(2, (n_heads, -1)).permute(0, 2, 1, 3).contiguous()
        """,
        "return x.permute(0, 2, 1, 3).flatten(2)",
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
        "by perturbation",
        "find_defect",
        "three-dimensional inputs, ratios of pairs",
        """
        q, k, v = torch.randn(2, 3, 9), torch.randn(2, 5, 9), torch.randn(2, 5, 4)
        mask = torch.ones(3, 5, dtype=torch.bool).tril(2)
        mask[:, 1] = False
        mask[:, 0] = mask[:, 2] = True
        out, w = candidate(q, k, v, mask=mask)
        moved, _ = candidate(q, k, v + 5 * ~mask.any(0)[:, None], mask=mask)
        scores = torch.einsum("btd,bsd->bts", q, k) / 3
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
]
