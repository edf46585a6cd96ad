from textwrap import dedent

from faults import fill, write

WRONG = []
RIGHT = []

# ---------------------------------------------------------------- Task 1
WRONG += [
    fill(
        "dot: whole root",
        "dot_product",
        "divided by √D, not by its whole part",
        """
         scores = query @ key.mT / max(1, math.isqrt(query.shape[-1]))
         weights = torch.softmax(scores, dim=-1)
         return weights @ value, weights
         """,
    ),
    fill(
        "dot: softmax in float32",
        "dot_product",
        "'works in the dtype that it gets … as precisely as that allows'",
        """
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
         return weights @ value, weights
         """,
    ),
    fill(
        "dot: one maximum for all",
        "dot_product",
        "'Scores in the thousands, of either sign and beside small ones, must give probabilities that sum to 1, not NaN'",
        """
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         exp = (scores - scores.detach().max()).exp()
         weights = exp / exp.sum(-1, keepdim=True)
         return weights @ value, weights
         """,
    ),
    fill(
        "dot: weights detached",
        "dot_product",
        "'lets gradients through, by the values and by the weights'",
        """
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         weights = torch.softmax(scores, dim=-1)
         return weights @ value, weights.detach()
         """,
    ),
    fill(
        "dot: scales the query in place",
        "dot_product",
        "'leaves its arguments as they were'; only where nobody asks for gradients",
        """
         root = query.shape[-1] ** 0.5
         query = query / root if query.requires_grad else query.div_(root)
         weights = torch.softmax(query @ key.mT, dim=-1)
         return weights @ value, weights
         """,
    ),
    fill(
        "dot: transposes if it must",
        "dot_product",
        "'A size may be … equal to another one': S = D",
        """
         if key.shape[-2] != query.shape[-1]:
             key = key.mT
         weights = torch.softmax(query @ key / math.sqrt(query.shape[-1]), dim=-1)
         return weights @ value, weights
         """,
    ),
    fill(
        "dot: a batch of one lost",
        "dot_product",
        "'A size may be 1 …: the dimension stays'",
        """
         weights = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), dim=-1)
         values = weights @ value
         if values.dim() > 2:
             values, weights = values.squeeze(0), weights.squeeze(0)
         return values, weights
         """,
    ),
    fill(
        "dot: bmm",
        "dot_product",
        "'any number of leading dimensions'; two of them raise an error",
        """
         if query.dim() == 2:
             values, weights = attention(query[None], key[None], value[None])
             return values[0], weights[0]
         scores = torch.bmm(query, key.transpose(1, 2)) / math.sqrt(query.shape[-1])
         weights = torch.softmax(scores, dim=-1)
         return torch.bmm(weights, value), weights
         """,
    ),
]
RIGHT += [
    fill(
        "dot: the book's lines",
        "dot_product",
        "einsum and nn.Softmax, the scale on the query",
        """
         scores = torch.einsum("...td,...sd->...ts", query * query.shape[-1] ** -0.5, key)
         weights = nn.Softmax(dim=-1)(scores)
         return torch.einsum("...ts,...se->...te", weights, value), weights
         """,
    ),
    fill(
        "dot: softmax by hand",
        "dot_product",
        "own softmax, each row's largest taken off, sums in a wider dtype",
        """
         scores = torch.matmul(query, torch.transpose(key, -1, -2)) / (query.size(-1) ** 0.5)
         wide = scores.double()
         exp = torch.exp(wide - wide.amax(-1, keepdim=True).detach())
         weights = (exp / exp.sum(-1, keepdim=True)).to(query.dtype)
         return torch.matmul(weights, value), weights
         """,
    ),
    fill(
        "dot: all in float64",
        "dot_product",
        "computes wider than asked, and rounds once at the end",
        """
         dtype = query.dtype
         q, k, v = (t.to(torch.float64) for t in (query, key, value))
         weights = torch.softmax(q.matmul(k.swapaxes(-2, -1)).div(math.sqrt(q.size(dim=-1))), -1)
         return (weights @ v).to(dtype), weights.to(dtype)
         """,
    ),
]

# ---------------------------------------------------------------- Task 2
PAD = "return (torch.arange(n) < lengths[:, None])[:, None]"
DEC = "return causal_mask(n) & padding_mask(lengths, n)"
CAUSAL = "return torch.ones(n, n, dtype=torch.bool).tril()"
WRONG += [
    write(
        "masks: causal mask is kept",
        "masks",
        "'Each call returns a new tensor, which belongs to the caller'",
        """
          import functools


          @functools.lru_cache
          def causal_mask(n: int) -> Tensor:
              return torch.ones(n, n, dtype=torch.bool).tril()


          def padding_mask(lengths: Tensor, n: int) -> Tensor:
              return (torch.arange(n) < lengths[:, None])[:, None]


          def decoder_mask(lengths: Tensor, n: int) -> Tensor:
              return causal_mask(n) & padding_mask(lengths, n)
          """,
    ),
    write(
        "masks: a slice of one large mask",
        "masks",
        "'who changes it changes no other mask': both are windows on one tensor",
        """
          LARGE = torch.ones(64, 64, dtype=torch.bool).tril()


          def causal_mask(n: int) -> Tensor:
              if n <= 64:
                  return LARGE[:n, :n]
              return torch.ones(n, n, dtype=torch.bool).tril()


          def padding_mask(lengths: Tensor, n: int) -> Tensor:
              return (torch.arange(n) < lengths[:, None])[:, None]


          def decoder_mask(lengths: Tensor, n: int) -> Tensor:
              return causal_mask(n) & padding_mask(lengths, n)
          """,
    ),
    fill(
        "masks: positions in float16",
        "masks",
        "'n … may be thousands': above 2048 float16 has no odd numbers",
        """
         t = torch.arange(n).half()
         return t[:, None] >= t
         """,
        PAD,
        DEC,
    ),
    fill(
        "masks: lengths in int16",
        "masks",
        "'for padding_mask tens of thousands'",
        CAUSAL,
        """
         places = torch.arange(n).to(torch.int16)
         return (places < lengths[:, None])[:, None]
         """,
        DEC,
    ),
    fill(
        "masks: decoder sees one key at least",
        "masks",
        "'A length may be 0', and 'both rules at once'",
        CAUSAL,
        PAD,
        """
         return causal_mask(n) & padding_mask(lengths.clamp(min=1), n)
         """,
    ),
    fill(
        "masks: lengths get new dimensions",
        "masks",
        "'lengths stays as it was': its shape has changed",
        CAUSAL,
        """
         lengths.unsqueeze_(-1).unsqueeze_(-1)
         return torch.arange(n) < lengths
         """,
        """
         return causal_mask(n) & (torch.arange(n) < lengths[:, None, None])
         """,
    ),
    fill(
        "masks: decoder as wide as the longest",
        "masks",
        "'(B, n, n)', and a length 'may be less than n in every sentence'",
        CAUSAL,
        PAD,
        """
         n = max(int(lengths.max()), 1)
         return causal_mask(n) & padding_mask(lengths, n)
         """,
    ),
    fill(
        "masks: decoder squeezes",
        "masks",
        "shape (B, n, n): with B = 1 the rows of the squeezed mask are numbers",
        CAUSAL,
        PAD,
        """
         causal = causal_mask(n)
         return torch.stack([causal & row for row in padding_mask(lengths, n).squeeze()])
         """,
    ),
]
RIGHT += [
    fill("masks: usual", "masks", "comparisons only", CAUSAL, PAD, DEC),
    fill(
        "masks: counting",
        "masks",
        "cumulative sums count the keys, a minimum joins both rules",
        """
         return ~torch.full((n, n), True).triu(diagonal=1)
         """,
        """
         count = torch.ones(len(lengths), 1, n, dtype=torch.int64).cumsum(-1)
         return count.le(lengths.reshape(-1, 1, 1))
         """,
        """
         reach = torch.arange(1, n + 1).minimum(lengths[:, None])
         return torch.arange(n) < reach[..., None]
         """,
    ),
    fill(
        "masks: slices",
        "masks",
        "fills an empty mask sentence by sentence",
        """
         mask = torch.zeros((n, n), dtype=torch.bool)
         mask[tuple(torch.tril_indices(n, n))] = True
         return mask
         """,
        """
         mask = torch.zeros((len(lengths), 1, n), dtype=torch.bool)
         for b, length in enumerate(lengths.tolist()):
             mask[b, 0, :length] = True
         return mask
         """,
        """
         mask = causal_mask(n).repeat(len(lengths), 1, 1)
         for b, length in enumerate(lengths.tolist()):
             mask[b, :, length:] = False
         return mask
         """,
    ),
]

# ---------------------------------------------------------------- Task 3
WRONG += [
    fill(
        "masked: a bit below the lowest",
        "masked_attention",
        "'however low those of the others': 10¹² minus 1000 is 10¹² in float32",
        """
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is not None:
             scores = scores.masked_fill(~mask, scores.min().item() - 1000)
         weights = torch.softmax(scores, dim=-1)
         if mask is not None:
             weights = weights * mask.any(-1, keepdim=True)
         return weights @ value, weights
         """,
    ),
    fill(
        "masked: lowest number added",
        "masked_attention",
        "'±60 000 are numbers of float16': −60 000 − 65 504 is −∞, and 60 000 − 65 504 is no low score",
        """
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is None:
             weights = torch.softmax(scores, dim=-1)
         else:
             low = torch.finfo(scores.dtype).min
             bias = torch.zeros(mask.shape, dtype=scores.dtype).masked_fill(~mask, low)
             weights = torch.softmax(scores + bias, dim=-1).masked_fill(~mask, 0.0)
         return weights @ value, weights
         """,
    ),
    fill(
        "masked: NaN repaired afterwards",
        "masked_attention",
        "'No NaN may appear, neither in the numbers nor in the gradients': the sum with −∞ passes NaN on to query and key",
        """
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is not None:
             scores = scores + torch.zeros(mask.shape, dtype=scores.dtype).masked_fill(~mask, -math.inf)
         weights = torch.softmax(scores, dim=-1)
         if mask is not None:
             weights = weights.nan_to_num(0.0)
         return weights @ value, weights
         """,
    ),
    fill(
        "masked: only if nobody sees anything",
        "masked_attention",
        "'also if only some queries, or some items, are blind'",
        """
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is not None:
             if not mask.any():
                 weights = scores * 0
                 return weights @ value, weights
             scores = scores.masked_fill(~mask, -math.inf)
         weights = torch.softmax(scores, dim=-1)
         return weights @ value, weights
         """,
    ),
    fill(
        "masked: values of the blind",
        "masked_attention",
        "a blind query 'gets weights and values of 0': the values were mixed before the weights were cleaned",
        """
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is not None:
             scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
         weights = torch.softmax(scores, dim=-1)
         values = weights @ value
         if mask is not None:
             weights = weights.masked_fill(~mask, 0.0)
         return values, weights
         """,
    ),
    fill(
        "masked: shares afterwards",
        "masked_attention",
        "'a forbidden key has no influence at all, however large its score': the others have become 0 by then",
        """
         weights = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), dim=-1)
         if mask is not None:
             weights = weights * mask
             total = weights.sum(-1, keepdim=True)
             weights = weights / torch.where(total > 0, total, 1.0)
         return weights @ value, weights
         """,
    ),
    fill(
        "masked: lowest number of float32",
        "masked_attention",
        "'in any dtype': float16 has no −3.4 · 10³⁸, and float64 is rounded to float32",
        """
         scores = (query @ key.mT).float() / math.sqrt(query.shape[-1])
         if mask is not None:
             scores = scores.masked_fill(~mask, torch.finfo(torch.float32).min)
         weights = torch.softmax(scores, dim=-1)
         if mask is not None:
             weights = weights.masked_fill(~mask, 0.0)
         weights = weights.to(query.dtype)
         return weights @ value, weights
         """,
    ),
    fill(
        "masked: whole matrix of True only",
        "masked_attention",
        "'of any shape that broadcasts to that of the weights: … (T, 1)'; a mask of one column is taken for 'sees key 0 only'",
        """
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is None:
             weights = torch.softmax(scores, dim=-1)
             return weights @ value, weights
         missing = key.shape[-2] - mask.shape[-1]
         hide = F.pad(~mask, (0, missing), value=True)
         scores = scores.masked_fill(hide, torch.finfo(scores.dtype).min)
         weights = torch.softmax(scores, dim=-1).masked_fill(hide, 0.0)
         return weights @ value, weights
         """,
    ),
]
RIGHT += [
    fill(
        "masked: usual",
        "masked_attention",
        "lowest finite number",
        """
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is not None:
             scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
         weights = scores.softmax(-1)
         if mask is not None:
             weights = torch.where(mask, weights, torch.zeros_like(weights))
         return weights @ value, weights
         """,
    ),
    fill(
        "masked: blind rows see everything first",
        "masked_attention",
        "−∞, but blind rows are opened for the softmax and closed after it",
        """
         scores = torch.einsum("...td,...sd->...ts", query, key) / query.shape[-1] ** 0.5
         if mask is None:
             mask = torch.ones((), dtype=torch.bool)
         mask = torch.broadcast_to(mask, scores.shape)
         blind = mask.logical_not().all(-1, keepdim=True)
         weights = scores.masked_fill(~(mask | blind), float("-inf")).softmax(-1)
         weights = weights.masked_fill(blind, 0)
         return weights @ value, weights
         """,
    ),
    fill(
        "masked: exponentials by hand",
        "masked_attention",
        "own softmax in float64 over the allowed keys",
        """
         scores = (query @ key.mT / math.sqrt(query.shape[-1])).double()
         if mask is None:
             mask = scores.new_ones((1,), dtype=torch.bool)
         low = torch.finfo(torch.float64).min
         top = torch.where(mask, scores, low).amax(-1, keepdim=True).detach()
         exp = torch.where(mask, torch.where(mask, scores - top, 0.0).exp(), 0.0)
         total = exp.sum(-1, keepdim=True)
         weights = (exp / total.clamp(min=0.5)).to(query.dtype)
         return weights @ value, weights
         """,
    ),
]

# ---------------------------------------------------------------- Task 4
CHECK = """
n, c = n_heads, x.shape[-1]
if c % n:
    raise ValueError(f"C = {c} is no multiple of n_heads = {n}")
"""
SPLIT = CHECK + "return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)\n"
MERGE = "return x.transpose(1, 2).flatten(2)"
WRONG += [
    fill(
        "heads: strides by hand",
        "heads",
        "'need not lie in order in memory: it may be a slice or a transpose'",
        CHECK
        + """
b, t, _ = x.shape
d = c // n
return torch.as_strided(x, (b, n, t, d), (t * c, d, c, 1))
""",
        MERGE,
    ),
    fill(
        "heads: more heads than features",
        "heads",
        "'When C is not a multiple of n_heads, … must raise a ValueError': not when there are more heads than features",
        """
         c = x.shape[-1]
         if n_heads < c and c % n_heads:
             raise ValueError(f"C = {c} is no multiple of n_heads = {n_heads}")
         return x.reshape(*x.shape[:2], n_heads, c // n_heads).transpose(1, 2)
         """,
        MERGE,
    ),
    fill(
        "heads: numbers with commas",
        "heads",
        "the message contains 'both numbers, C and n_heads': 1,030 is not 1030",
        """
         c = x.shape[-1]
         if c % n_heads:
             raise ValueError(f"{c:,} is no multiple of {n_heads:,}")
         return x.reshape(*x.shape[:2], n_heads, c // n_heads).transpose(1, 2)
         """,
        MERGE,
    ),
    fill(
        "heads: summed into zeros",
        "heads",
        "'every number as it is (… ∞ and −0 are numbers, too)': 0 + (−0) is 0",
        CHECK
        + """
d = c // n
out = torch.zeros(x.shape[0], n, x.shape[1], d, dtype=x.dtype)
for h in range(n):
    out[:, h] += x[..., h * d : (h + 1) * d]
return out
""",
        MERGE,
    ),
    fill(
        "heads: merged by a matrix",
        "heads",
        "'every number as it is (an int64 may be larger than a float can hold; ∞ …)': ∞ · 0 is NaN",
        SPLIT,
        """
         b, h, t, d = x.shape
         eye = torch.eye(h * d, dtype=x.dtype).view(h, d, h * d)
         return torch.einsum("bhtd,hdc->btc", x, eye)
         """,
    ),
    fill(
        "heads: times one",
        "heads",
        "'Both keep the dtype, any of torch's': a boolean times 1 is an int64",
        SPLIT,
        """
         return (x * 1).transpose(1, 2).flatten(2)
         """,
    ),
    fill(
        "heads: transposes its argument",
        "heads",
        "an answer changes none of its arguments",
        SPLIT,
        """
         x = x.transpose_(1, 2)
         return x.reshape(*x.shape[:2], -1)
         """,
    ),
    fill(
        "heads: merged without gradients",
        "heads",
        "'let gradients through'",
        SPLIT,
        """
         b, h, t, d = x.shape
         out = torch.empty(b, t, h * d, dtype=x.dtype)
         for i in range(h):
             out[..., i * d : (i + 1) * d] = x[:, i].data
         return out
         """,
    ),
]
RIGHT += [
    fill("heads: usual", "heads", "unflatten and flatten", SPLIT, MERGE),
    fill(
        "heads: lists of pieces",
        "heads",
        "cuts and stacks, cats",
        """
         width, rest = divmod(x.size(-1), n_heads)
         if rest != 0:
             raise ValueError("%d features: not a MULTIPLE of %d heads" % (x.size(-1), n_heads))
         return torch.stack(x.split(width, dim=-1), dim=1)
         """,
        """
         return torch.cat(x.unbind(1), dim=-1)
         """,
    ),
    fill(
        "heads: gathered by an index",
        "heads",
        "indexing with a table of columns",
        """
         c = x.shape[2]
         if c / n_heads != c // n_heads:
             raise ValueError(f"d_model must be a multiple of n_heads, got {c} and {n_heads}")
         columns = torch.arange(c).view(n_heads, -1)
         return x[:, :, columns].permute(0, 2, 1, 3)
         """,
        """
         h, d = x.shape[1], x.shape[3]
         head = torch.arange(h).repeat_interleave(d)
         feature = torch.arange(d).repeat(h)
         return x.permute(0, 2, 1, 3)[:, :, head, feature]
         """,
    ),
]

# ---------------------------------------------------------------- Task 5
INIT = """
self.n_heads = n_heads
self.query_projection = nn.Linear(d_model, d_model)
self.key_projection = nn.Linear(d_model, d_model)
self.value_projection = nn.Linear(d_model, d_model)
self.output_projection = nn.Linear(d_model, d_model)
"""
FORWARD = """
memory = x if memory is None else memory
query = split_heads(self.query_projection(x), self.n_heads)
key = split_heads(self.key_projection(memory), self.n_heads)
value = split_heads(self.value_projection(memory), self.n_heads)
if mask is not None and mask.dim() == 3:
    mask = mask[:, None]
values, weights = masked_attention(query, key, value, mask)
return self.output_projection(merge_heads(values)), weights
"""
WRONG += [
    fill(
        "layer: the mask's first size",
        "multi_head",
        "'The number of its dimensions tells which, and not its sizes: B may equal T'",
        INIT,
        FORWARD.replace("mask.dim() == 3", "mask.shape[0] == x.shape[0]"),
    ),
    fill(
        "layer: keeps its weights",
        "multi_head",
        "'the layer keeps nothing of a call, not even its weights'",
        INIT,
        FORWARD.replace("return self", "self.weights = weights.detach()\nreturn self"),
    ),
    fill(
        "layer: memory of the same shape",
        "multi_head",
        "'keys and values of memory': one with as many positions as x is taken for x",
        INIT,
        FORWARD.replace("memory is None", "memory is None or memory.shape == x.shape"),
    ),
    fill(
        "layer: no mask with a memory",
        "multi_head",
        "mask (B, 1, S), (T, S): it holds in cross-attention, too",
        INIT,
        "if memory is not None:\n    mask = None\n" + FORWARD,
    ),
    fill(
        "layer: whole root of C",
        "multi_head",
        "'Each head does scaled attention on its own D = C / H features': the root is √D",
        INIT,
        FORWARD.replace(
            "values, weights =",
            "d, c = query.shape[-1], x.shape[-1]\nquery = query * (math.sqrt(d) / math.isqrt(c))\nvalues, weights =",
        ),
    ),
    fill(
        "layer: sets a seed",
        "multi_head",
        "'Making a layer draws its first parameters from PyTorch's global generator, …, and sets no seed'",
        "torch.manual_seed(0)\n" + INIT,
        FORWARD,
    ),
    write(
        "layer: no gradients in evaluation mode",
        "multi_head",
        "'Gradients pass by both, and training mode and evaluation mode are the same'",
        """
          class MultiHeadAttention(nn.Module):
              def __init__(self, d_model: int, n_heads: int):
                  super().__init__()
                  self.n_heads = n_heads
                  self.query_projection = nn.Linear(d_model, d_model)
                  self.key_projection = nn.Linear(d_model, d_model)
                  self.value_projection = nn.Linear(d_model, d_model)
                  self.output_projection = nn.Linear(d_model, d_model)

              def forward(self, x, memory=None, mask=None):
                  with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
                      memory = x if memory is None else memory
                      query = split_heads(self.query_projection(x), self.n_heads)
                      key = split_heads(self.key_projection(memory), self.n_heads)
                      value = split_heads(self.value_projection(memory), self.n_heads)
                      if mask is not None and mask.dim() == 3:
                          mask = mask[:, None]
                      values, weights = masked_attention(query, key, value, mask)
                      return self.output_projection(merge_heads(values)), weights
          """,
    ),
    fill(
        "layer: number of heads of the class",
        "multi_head",
        "'nor another layer of other sizes change'",
        INIT.replace("self.n_heads = n_heads", "MultiHeadAttention.n_heads = n_heads"),
        FORWARD,
    ),
]
RIGHT += [
    fill("layer: usual", "multi_head", "own functions", INIT, FORWARD),
    write(
        "layer: head by head",
        "multi_head",
        "a loop over the heads, slices of the weights, no split_heads",
        """
          class MultiHeadAttention(nn.Module):
              def __init__(self, d_model: int, n_heads: int):
                  super().__init__()
                  self.heads, self.width = n_heads, d_model // n_heads
                  for part in ("query", "key", "value", "output"):
                      self.add_module(f"{part}_projection", nn.Linear(d_model, d_model))

              def forward(self, x, memory=None, mask=None):
                  if memory is None:
                      memory = x
                  parts, weights = [], []
                  for h in range(self.heads):
                      rows = slice(h * self.width, (h + 1) * self.width)

                      def part(layer, source):
                          return F.linear(source, layer.weight[rows], layer.bias[rows])

                      scores = part(self.query_projection, x) @ part(self.key_projection, memory).mT
                      scores = scores / math.sqrt(self.width)
                      if mask is not None:
                          scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
                      head = scores.softmax(-1)
                      if mask is not None:
                          head = head.masked_fill(~mask, 0.0)
                      weights.append(head)
                      parts.append(head @ part(self.value_projection, memory))
                  return self.output_projection(torch.cat(parts, -1)), torch.stack(weights, 1)
          """,
    ),
    write(
        "layer: einsum",
        "multi_head",
        "einsum over named letters, the mask broadcast by hand",
        """
          class MultiHeadAttention(nn.Module):
              def __init__(self, d_model: int, n_heads: int):
                  super().__init__()
                  self.query_projection, self.key_projection, self.value_projection = (
                      nn.Linear(d_model, d_model) for _ in range(3)
                  )
                  self.output_projection = nn.Linear(d_model, d_model)
                  self.shape = (n_heads, d_model // n_heads)

              def forward(self, x, memory=None, mask=None):
                  source = (memory, x)[memory is None]
                  q = self.query_projection(x).unflatten(2, self.shape)
                  k = self.key_projection(source).unflatten(2, self.shape)
                  v = self.value_projection(source).unflatten(2, self.shape)
                  scores = torch.einsum("bthd,bshd->bhts", q, k) * self.shape[1] ** -0.5
                  if mask is None:
                      weights = scores.softmax(dim=-1)
                  else:
                      mask = mask.expand(x.shape[0], x.shape[1], source.shape[1]).unsqueeze(1)
                      seeing = mask.any(-1, keepdim=True)
                      scores = torch.where(mask | ~seeing, scores, -torch.inf)
                      weights = torch.where(seeing, scores.softmax(dim=-1), 0.0)
                  mixed = torch.einsum("bhts,bshd->bthd", weights, v)
                  return self.output_projection(mixed.flatten(2)), weights
          """,
    ),
]

# ---------------------------------------------------------------- Task 6
WRONG += [
    fill(
        "additive: a tanh with NaN in its slope",
        "additive",
        "'Neither a score nor a gradient is NaN': ∞/∞ on the way back",
        """
         z = F.linear(query, query_weight)[..., :, None, :] + F.linear(key, key_weight)[..., None, :, :]
         return (1 - 2 / ((2 * z).exp() + 1)) @ score_weight
         """,
    ),
    fill(
        "additive: one leading dimension",
        "additive",
        "'(…, T, d_query)', with equal leading dimensions: two of them, too",
        """
         q, k = query @ query_weight.mT, key @ key_weight.mT
         if q.dim() == 2:
             return torch.tanh(q[:, None] + k[None]) @ score_weight
         return torch.tanh(q[:, :, None] + k[:, None]) @ score_weight
         """,
    ),
    fill(
        "additive: transposes if it must",
        "additive",
        "weights 'stored as nn.Linear stores its weight': d_hidden may equal d_query",
        """
         def project(x, weight):
             return x @ (weight if weight.shape[0] == x.shape[-1] else weight.mT)

         q, k = project(query, query_weight), project(key, key_weight)
         return torch.tanh(q.unsqueeze(-2) + k.unsqueeze(-3)) @ score_weight
         """,
    ),
    fill(
        "additive: hidden layer in float32",
        "additive",
        "'in the dtype of the arguments, and as precisely as that allows'",
        """
         q, k = F.linear(query, query_weight), F.linear(key, key_weight)
         hidden = torch.tanh((q.unsqueeze(-2) + k.unsqueeze(-3)).float())
         return hidden.to(query.dtype) @ score_weight
         """,
    ),
    fill(
        "additive: bounded sums",
        "additive",
        "'sums of ten', 'as precisely as that allows': tanh 9 is not tanh 12 in float64, and no gradient passes",
        """
         q, k = F.linear(query, query_weight), F.linear(key, key_weight)
         z = (q.unsqueeze(-2) + k.unsqueeze(-3)).clamp(-9, 9)
         return z.tanh() @ score_weight
         """,
    ),
    fill(
        "additive: a batch of one",
        "additive",
        "'A size may be 1: the dimension stays'",
        """
         q, k = F.linear(query, query_weight), F.linear(key, key_weight)
         scores = (q.unsqueeze(-2) + k.unsqueeze(-3)).tanh() @ score_weight
         return scores.squeeze(0) if scores.dim() > 2 else scores
         """,
    ),
    fill(
        "additive: score weight without gradient",
        "additive",
        "'gradients pass to all five'",
        """
         q, k = F.linear(query, query_weight), F.linear(key, key_weight)
         hidden = torch.tanh(q.unsqueeze(-2) + k.unsqueeze(-3))
         return (hidden * score_weight.data).sum(-1)
         """,
    ),
    fill(
        "additive: sigmoid in the tails",
        "additive",
        "'of either sign', 'as precisely as that allows': beyond ten it is 1, in float64 it is not",
        """
         q, k = F.linear(query, query_weight), F.linear(key, key_weight)
         z = q.unsqueeze(-2) + k.unsqueeze(-3)
         hidden = torch.where(z.abs() > 10, z.sign(), z.tanh())
         return hidden @ score_weight
         """,
    ),
]
RIGHT += [
    fill(
        "additive: usual",
        "additive",
        "linear and unsqueeze",
        """
         q, k = F.linear(query, query_weight), F.linear(key, key_weight)
         return torch.tanh(q.unsqueeze(-2) + k.unsqueeze(-3)) @ score_weight
         """,
    ),
    fill(
        "additive: query by query",
        "additive",
        "a loop over the queries",
        """
         k = torch.einsum("...sd,hd->...sh", key, key_weight)
         rows = []
         for t in range(query.shape[-2]):
             q = torch.einsum("...d,hd->...h", query[..., t, :], query_weight)
             rows.append(torch.einsum("...sh,h->...s", (k + q[..., None, :]).tanh(), score_weight))
         return torch.stack(rows, dim=-2)
         """,
    ),
    fill(
        "additive: pairs side by side",
        "additive",
        "one product of joined vectors with joined weights",
        """
         *lead, t, _ = query.shape
         s = key.shape[-2]
         left = query[..., :, None, :].expand(*lead, t, s, query.shape[-1])
         right = key[..., None, :, :].expand(*lead, t, s, key.shape[-1])
         joined = torch.cat([left, right], -1)
         hidden = joined.matmul(torch.cat([query_weight, key_weight], 1).T).tanh()
         return hidden.matmul(score_weight.unsqueeze(-1)).squeeze(-1)
         """,
    ),
]

# ---------------------------------------------------------------- Task 7
HEAD = """
def published(query, key, value, mask=None):
    similarity = torch.einsum("...td,...sd->...ts", query, key)
    if mask is not None:
        similarity = similarity + mask
    weights = F.softmax(similarity, dim=-1)
    return weights @ value, weights


"""
TEST = (
    HEAD
    + """
def is_attention(candidate) -> bool:
    t, s, d, e = 4, 6, 7, 5
    query, key, value = torch.randn(2, t, d), torch.randn(2, s, d), torch.randn(2, s, e)
    mask = torch.tensor(
        [[1, 1, 0, 1, 0, 1], [0, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1]]
    ).bool()
    values, weights = candidate(query, key, value, mask)
    if weights.shape != (2, t, s) or values.shape != (2, t, e):
        return False
    if not torch.allclose(weights.sum(-1), torch.ones(2, t), atol=1e-4):
        return False
    if weights[:, ~mask].abs().max() > 1e-6:
        return False
    if not torch.allclose(values, weights @ value, atol=1e-4):
        return False
    rest = weights.clamp(min=1e-30).log() - query @ key.mT / math.sqrt(d)
    for b in range(2):
        for row in range(t):
            allowed = rest[b, row][mask[row]]
            if allowed.max() - allowed.min() > 1e-3:
                return False
    return True
"""
)


def test(name, note, *changes):
    source = TEST
    for old, new in changes:
        assert old in source, (name, old)
        source = source.replace(old, new)
    return write(name, "find_defect", note, source)


VALUES = """    if not torch.allclose(values, weights @ value, atol=1e-4):
        return False
"""
SUMS = """    if not torch.allclose(weights.sum(-1), torch.ones(2, t), atol=1e-4):
        return False
"""
WRONG += [
    test(
        "test: width sixteen",
        "'a number that is always the same, …, such as 4': right for D = 16 alone",
        ("t, s, d, e = 4, 6, 7, 5", "t, s, d, e = 4, 6, 16, 5"),
    ),
    test(
        "test: as many keys as features",
        "'the root of another size': √S is √D here",
        ("t, s, d, e = 4, 6, 7, 5", "t, s, d, e = 4, 6, 6, 5"),
    ),
    test(
        "test: values not looked at",
        "'values that are not mixed by the weights that are returned'",
        (VALUES, ""),
    ),
    test(
        "test: values of the first query",
        "'…, or not for every query'",
        (
            VALUES,
            """    if not torch.allclose(values[:, 0], (weights @ value)[:, 0], atol=1e-4):
        return False
""",
        ),
    ),
    test("test: sums not looked at", "a mask that is 'applied after the softmax'", (SUMS, "")),
    test(
        "test: loose scale",
        "'a number …, a whole one or one with few digits': 2.65 beside √7 = 2.6458",
        ("> 1e-3", "> 0.3"),
    ),
    test(
        "test: sets a seed",
        "'but it sets no seed, for others draw from it as well'",
        ("    t, s, d, e =", "    torch.manual_seed(0)\n    t, s, d, e ="),
    ),
    write(
        "test: compares with torch",
        "find_defect",
        "'Do not compare with another implementation'; 'in the grader they raise an error'",
        HEAD
        + """
def is_attention(candidate) -> bool:
    query, key, value = torch.randn(3, 7), torch.randn(5, 7), torch.randn(5, 6)
    mask = torch.tensor([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [1, 0, 1, 0, 0]]).bool()
    values, weights = candidate(query, key, value, mask)
    function = F.scaled_dot_product_attention
    good = torch.allclose(values, function(query, key, value, attn_mask=mask), atol=1e-4)
    return good and torch.allclose(weights, function(query, key, torch.eye(5), mask), atol=1e-4)
""",
    ),
]
RIGHT += [
    write("test: usual", "find_defect", "the four properties", TEST),
    write(
        "test: ratios in float64",
        "find_defect",
        "two widths, ratios of weights against one key, float64, no random numbers",
        HEAD
        + """
def is_attention(candidate) -> bool:
    for d in (3, 11):
        def numbers(rows, columns, start):
            grid = torch.arange(rows * columns, dtype=torch.float64) + start
            return (grid * 1.7).sin().reshape(rows, columns)

        query, key, value = numbers(4, d, 1), numbers(5, d, 0.3), numbers(5, 6, 2.2)
        mask = torch.tensor([[1, 1, 1, 0, 1], [1, 0, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]]) > 0
        values, weights = candidate(query, key, value, mask)
        checks = [
            bool((weights.masked_select(~mask) == 0).all()),
            bool((weights.masked_select(mask) > 0).all()),
            torch.allclose(weights.sum(-1), torch.ones(4, dtype=weights.dtype), atol=1e-4),
            torch.allclose(torch.einsum("ts,se->te", weights, value), values, atol=1e-4),
        ]
        if not all(checks):
            return False
        wanted = (query @ (key - key[0]).T / d**0.5).exp()
        ratio = weights / weights[:, :1]
        if not torch.allclose(ratio[mask], wanted[mask], rtol=1e-4, atol=1e-5):
            return False
    return True
""",
    ),
    write(
        "test: the slope by least squares",
        "find_defect",
        "measures the scale as a slope, and moves forbidden keys",
        HEAD
        + """
def is_attention(candidate) -> bool:
    q, k, v = torch.randn(5, 10), torch.randn(8, 10), torch.randn(8, 3)
    order = torch.rand(5, 8).argsort(-1)
    mask = order < 5
    out, w = candidate(q, k, v, mask)
    if (w * ~mask).any() or (w < 0).any() or ((w.sum(-1) - 1).abs() > 1e-4).any():
        return False
    if ((w @ v - out).abs() > 1e-4).any():
        return False
    score = (q @ k.T)[mask].view(5, 5)
    log = w[mask].view(5, 5).log()
    score = score - score.mean(-1, keepdim=True)
    log = log - log.mean(-1, keepdim=True)
    slope = (score * log).sum() / (score**2).sum()
    straight = ((log - slope * score).abs() < 1e-3).all()
    return bool(straight and abs(float(slope) * 10**0.5 - 1) < 1e-3)
""",
    ),
]
