from faults import fill

WRONG = [
    # ---------------------------------------------------------------- Task 1
    fill(
        "shift by the largest score of all",
        "dot_product",
        "One maximum is enough against overflow; but 'beside small ones': a row far below it is 0/0.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         e = torch.exp(scores - scores.max())
         weights = e / e.sum(-1, keepdim=True)
         return weights @ value, weights
         """,
    ),
    fill(
        "shift by the largest of each item",
        "dot_product",
        "amax over both last dimensions: right with one query, NaN for a query whose scores lie thousands lower.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         e = (scores - scores.amax((-2, -1), keepdim=True)).exp()
         weights = e / e.sum(-1, keepdim=True)
         return weights @ value, weights
         """,
    ),
    fill(
        "exp of score minus logsumexp",
        "dot_product",
        "The log-softmax by hand: the logsumexp is rounded at the size of the scores, so in float16 "
        "scores in the thousands do not 'sum to 1', nor 'as precisely as that allows'.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         weights = (scores - scores.logsumexp(-1, keepdim=True)).exp()
         return weights @ value, weights
         """,
    ),
    fill(
        "the root is a float32 tensor",
        "dot_product",
        "torch.tensor(D).sqrt() is float32: in float64 the scale has 7 digits ('as precisely as that allows').",
        r"""
         scale = torch.sqrt(torch.tensor(query.shape[-1]))
         scores = query @ key.transpose(-2, -1) / scale
         weights = torch.softmax(scores, dim=-1)
         return weights @ value, weights
         """,
    ),
    fill(
        "softmax in float32 always",
        "dot_product",
        "Mixed precision copied from elsewhere: good for float16, throws away half of float64.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
         return weights @ value, weights
         """,
    ),
    fill(
        "root of the width of value",
        "dot_product",
        "sqrt(value.shape[-1]): the same as D only where E = D; the text says the width of a query.",
        r"""
         d = value.size(-1)
         weights = torch.softmax(query @ key.mT / d ** 0.5, dim=-1)
         return weights @ value, weights
         """,
    ),
    fill(
        "takes a square key for transposed",
        "dot_product",
        "Transposes only if the sizes do not fit; with S = D ('a size may be equal to another one') they fit untransposed.",
        r"""
         if key.shape[-2] != query.shape[-1]:
             key_t = key.transpose(-2, -1)
         else:
             key_t = key
         weights = (query @ key_t / math.sqrt(query.shape[-1])).softmax(-1)
         return weights @ value, weights
         """,
    ),
    fill(
        "a batch of one is squeezed",
        "dot_product",
        "Adds a batch for matrices and takes it off with squeeze(0), also from a batch of 1: 'the dimension stays'.",
        r"""
         q, k, v = (t[None] if t.dim() == 2 else t for t in (query, key, value))
         weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
         return (weights @ v).squeeze(0), weights.squeeze(0)
         """,
    ),
    fill(
        "query scaled through a view",
        "dot_product",
        "reshape of a contiguous tensor is a view, so /= divides the caller's query: 'leaves its arguments as they were'.",
        r"""
         lead, (T, D), S = query.shape[:-2], query.shape[-2:], key.shape[-2]
         q, k, v = (t.reshape(-1, *t.shape[-2:]) for t in (query, key, value))
         q /= math.sqrt(D)
         weights = torch.bmm(q, k.mT).softmax(-1)
         return (weights @ v).reshape(*lead, T, -1), weights.reshape(*lead, T, S)
         """,
    ),
    fill(
        "scores clamped against overflow",
        "dot_product",
        "exp of scores clamped to ±10 sums to 1 and has no NaN, but a score of 2000 beside 1000 gets one half.",
        r"""
         scores = (query @ key.mT / math.sqrt(query.shape[-1])).clamp(-10, 10)
         e = scores.exp()
         weights = e / e.sum(-1, keepdim=True)
         return weights @ value, weights
         """,
    ),
    fill(
        "weights without a gradient",
        "dot_product",
        "Returns weights.detach() 'for looking at': the gradient must pass through both results.",
        r"""
         weights = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), dim=-1)
         values = weights @ value
         return values, weights.detach()
         """,
    ),
    # ---------------------------------------------------------------- Task 2
    fill(
        "positions in float16",
        "masks",
        "Small numbers, half the memory: 2049 is 2048 in float16, and 'n may be thousands'.",
        r"""
         position = torch.arange(n).half()
         return position[None, :] <= position[:, None]
         """,
        r"""
         return (torch.arange(n).half() < lengths[:, None].half())[:, None, :]
         """,
        "return causal_mask(n) & padding_mask(lengths, n)",
    ),
    fill(
        "padding positions in bfloat16",
        "masks",
        "The causal mask is right, the padding compares in bfloat16: wrong from 257 on.",
        "return torch.ones(n, n, dtype=torch.bool).tril()",
        r"""
         position = torch.arange(n, dtype=torch.int64).to(torch.bfloat16)
         return position.view(1, 1, n) < lengths.to(torch.bfloat16).view(-1, 1, 1)
         """,
        "return causal_mask(n) & padding_mask(lengths, n)",
    ),
    fill(
        "a triangle of at most 1024",
        "masks",
        "The buffer of a well known GPT: cut from 1024 x 1024, so n in the thousands gets the wrong shape.",
        "return torch.tril(torch.ones(1024, 1024, dtype=torch.bool))[:n, :n]",
        "return torch.arange(n)[None, None, :] < lengths[:, None, None]",
        r"""
         causal = torch.arange(n)[None, :] <= torch.arange(n)[:, None]
         return causal & padding_mask(lengths, n)
         """,
    ),
    fill(
        "an empty sentence sees its first position",
        "masks",
        "decoder_mask lifts length 0 to 1 so that no softmax is empty: nobody may look at padding.",
        "return torch.ones(n, n, dtype=torch.bool).tril()",
        "return torch.arange(n) < lengths[:, None, None]",
        "return causal_mask(n) & padding_mask(lengths.clamp(min=1), n)",
    ),
    fill(
        "blind first row may see itself",
        "masks",
        "decoder_mask opens the diagonal of rows that would see nothing: nobody may look at padding.",
        "return torch.ones(n, n, dtype=torch.bool).tril()",
        "return torch.arange(n) < lengths[:, None, None]",
        r"""
         mask = causal_mask(n) & padding_mask(lengths, n)
         blind = ~mask.any(-1, keepdim=True)
         return mask | (blind & torch.eye(n, dtype=torch.bool))
         """,
    ),
    fill(
        "lengths counted down in place",
        "masks",
        "lengths -= 1 and then <=: 'lengths stays as it was'.",
        "return torch.ones(n, n, dtype=torch.bool).tril()",
        r"""
         lengths -= 1
         return torch.arange(n)[None, None, :] <= lengths[:, None, None]
         """,
        "return causal_mask(n) & padding_mask(lengths.clone(), n)",
    ),
    fill(
        "lengths made a column in place",
        "masks",
        "unsqueeze_ changes the shape of the argument: 'lengths stays as it was'.",
        "return torch.ones(n, n, dtype=torch.bool).tril()",
        "return torch.arange(n)[None, None, :] < lengths.clone()[:, None, None]",
        r"""
         last = lengths.unsqueeze_(-1).unsqueeze_(-1)
         return causal_mask(n) & (torch.arange(n) < last)
         """,
    ),
    fill(
        "a batch of one loses its dimension",
        "masks",
        "decoder_mask squeezes a batch of 1: must be (B, n, n).",
        "return torch.ones(n, n, dtype=torch.bool).tril()",
        "return torch.arange(n) < lengths[:, None, None]",
        "return causal_mask(n) & padding_mask(lengths, n).squeeze(0)",
    ),
    fill(
        "one triangle for all callers",
        "masks",
        "Kept from call to call: who changes his mask changes that of all later calls.",
        r"""
         kept = causal_mask.__dict__.setdefault("kept", {})
         if n not in kept:
             kept[n] = torch.ones(n, n, dtype=torch.bool).tril()
         return kept[n]
         """,
        "return torch.arange(n) < lengths[:, None, None]",
        "return causal_mask(n) & padding_mask(lengths, n)",
    ),
    # ---------------------------------------------------------------- Task 3
    fill(
        "minus 1e9, in half minus 1e4",
        "masked_attention",
        "A moderate number: 'however low those of the others', −10¹² in float32, −60 000 in float16.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is None:
             weights = scores.softmax(-1)
         else:
             low = -1e4 if scores.dtype == torch.float16 else -1e9
             weights = scores.masked_fill(~mask, low).softmax(-1).masked_fill(~mask, 0.0)
         return weights @ value, weights
         """,
    ),
    fill(
        "lowest number added",
        "masked_attention",
        "score + finfo.min: in float16 60 000 − 65 504 is above an allowed −60 000, and −60 000 − 65 504 is −∞.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is not None:
             bias = torch.zeros(mask.shape, dtype=scores.dtype)
             scores = scores + bias.masked_fill(~mask, torch.finfo(scores.dtype).min)
         weights = scores.softmax(-1)
         if mask is not None:
             weights = weights.masked_fill(~mask, 0)
         return weights @ value, weights
         """,
    ),
    fill(
        "minus infinity added and nan_to_num",
        "masked_attention",
        "A mask of 0 and −∞ is added: the numbers are cleaned up, the gradient of a blind row stays NaN.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is not None:
             scores = scores + torch.where(mask, 0.0, -math.inf).to(scores.dtype)
         weights = scores.softmax(-1).nan_to_num(0.0)
         return weights @ value, weights
         """,
    ),
    fill(
        "blind only if all are",
        "masked_attention",
        "if not mask.any(): zeros. 'also if only some queries, or some items, are blind': these get uniform weights.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is None:
             weights = scores.softmax(-1)
         elif not mask.any():
             weights = scores * 0
         else:
             weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
         return weights @ value, weights
         """,
    ),
    fill(
        "blind rows zero in the weights only",
        "masked_attention",
        "The values are mixed before the weights are cleaned: a blind query gets the mean of all values.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is not None:
             scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
         weights = scores.softmax(-1)
         values = weights @ value
         if mask is not None:
             weights = weights.masked_fill(~mask, 0)
         return values, weights
         """,
    ),
    fill(
        "shift by the largest of all keys",
        "masked_attention",
        "Own softmax with the maximum over forbidden keys too: a forbidden score of 10¹² makes all others 0/0.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         e = (scores - scores.amax(-1, keepdim=True)).exp()
         if mask is not None:
             e = e * mask
         total = e.sum(-1, keepdim=True)
         weights = e / torch.where(total > 0, total, torch.ones_like(total))
         return weights @ value, weights
         """,
    ),
    fill(
        "a hundred millionth in the denominator",
        "masked_attention",
        "e / (sum + 1e-8) spares the blind rows; the others no longer sum to 1 as precisely as float64 allows.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is None:
             mask = torch.ones_like(scores, dtype=torch.bool)
         scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
         e = (scores - scores.amax(-1, keepdim=True)).exp().masked_fill(~mask, 0)
         small = 1e-8 if scores.dtype == torch.float64 else torch.finfo(scores.dtype).tiny
         weights = e / (e.sum(-1, keepdim=True) + small)
         return weights @ value, weights
         """,
    ),
    fill(
        "a square mask of batch and keys",
        "masked_attention",
        "If the mask has as many rows as there are items it is taken for (B, S); with B = T it is (T, S).",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is None:
             weights = scores.softmax(-1)
         else:
             if scores.dim() == 3 and mask.dim() == 2 and mask.shape[0] == scores.shape[0]:
                 mask = mask[:, None, :]
             weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
             weights = weights.masked_fill(~mask, 0)
         return weights @ value, weights
         """,
    ),
    fill(
        "blind rows opened in the caller's mask",
        "masked_attention",
        "mask |= blind lets −∞ work, and changes the argument.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is None:
             weights = scores.softmax(-1)
         else:
             blind = ~mask.any(-1, keepdim=True)
             mask |= blind
             weights = scores.masked_fill(~mask, -math.inf).softmax(-1).masked_fill(blind, 0)
         return weights @ value, weights
         """,
    ),
    fill(
        "masked log-sum-exp",
        "masked_attention",
        "exp(score − logsumexp): at 10¹² the logsumexp of two equal scores is 10¹² again, and both weigh 1.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is not None:
             scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
         weights = (scores - scores.logsumexp(-1, keepdim=True)).exp()
         if mask is not None:
             weights = weights.masked_fill(~mask, 0)
         return weights @ value, weights
         """,
    ),
    fill(
        "the blind row of the first item counts for all",
        "masked_attention",
        "Looks for blind queries in item 0 of the batch only: 'or some items, are blind'.",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is None:
             weights = scores.softmax(-1)
         else:
             weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
             first = mask
             while first.dim() > 2:
                 first = first[0]
             weights = weights * first.any(-1, keepdim=True)
         return weights @ value, weights
         """,
    ),
    # ---------------------------------------------------------------- Task 4
    fill(
        "strides of a tensor in order",
        "heads",
        "as_strided with the strides of a contiguous tensor: 'need not lie in order in memory'.",
        r"""
         B, T, C = x.shape
         if C % n_heads:
             raise ValueError(f"C = {C} must be a multiple of n_heads = {n_heads}")
         D = C // n_heads
         return x.as_strided((B, n_heads, T, D), (T * C, D, C, 1))
         """,
        "return x.transpose(1, 2).flatten(2)",
    ),
    fill(
        "strides on the way back",
        "heads",
        "merge_heads reads the memory as if (B, H, T, D) lay in order in it.",
        r"""
         if x.shape[-1] % n_heads:
             raise ValueError(f"{x.shape[-1]} is not a multiple of {n_heads}")
         return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)
         """,
        r"""
         B, H, T, D = x.shape
         return x.as_strided((B, T, H, D), (H * T * D, D, T * D, 1)).reshape(B, T, H * D)
         """,
    ),
    fill(
        "the message counts all numbers",
        "heads",
        "Says x.numel() in place of C: 'both numbers, C and n_heads'.",
        r"""
         if x.shape[-1] % n_heads != 0:
             raise ValueError(f"{x.numel()} features are not a multiple of {n_heads} heads")
         B, T, C = x.shape
         return x.reshape(B, T, n_heads, C // n_heads).permute(0, 2, 1, 3)
         """,
        "return x.permute(0, 2, 1, 3).flatten(-2)",
    ),
    fill(
        "raises if the reshape does",
        "heads",
        "The length is left to -1, so 4 positions of 10 features become 5 of 4 heads of 2 without an error.",
        r"""
         B, T, C = x.shape
         try:
             pieces = x.reshape(B, -1, n_heads, C // n_heads)
         except RuntimeError:
             raise ValueError(f"C = {C} is not a multiple of n_heads = {n_heads}") from None
         return pieces.transpose(1, 2)
         """,
        r"""
         B, H, T, D = x.shape
         return x.transpose(1, 2).reshape(B, T, H * D)
         """,
    ),
    fill(
        "more heads than features",
        "heads",
        "Checks for a rest of C // n_heads only where D is at least 1: 3 features and 6 heads give empty heads, no ValueError.",
        r"""
         B, T, C = x.shape
         D = C // n_heads
         if D and C % D or D and D * n_heads != C:
             raise ValueError(f"C = {C} is not a multiple of n_heads = {n_heads}")
         return torch.stack([x[..., h * D:(h + 1) * D] for h in range(n_heads)], 1)
         """,
        "return torch.cat(x.unbind(1), -1)",
    ),
    fill(
        "put side by side in float64",
        "heads",
        "Through double and back: an int64 may be larger than a float can hold.",
        r"""
         if x.shape[-1] % n_heads:
             raise ValueError(f"{x.shape[-1]} is not a multiple of {n_heads}")
         return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)
         """,
        r"""
         B, H, T, D = x.shape
         merged = torch.zeros(B, T, H * D, dtype=torch.float64)
         for h in range(H):
             merged[..., h * D:(h + 1) * D] = x[:, h].double()
         return merged.to(x.dtype)
         """,
    ),
    fill(
        "a text of one position is squeezed",
        "heads",
        "squeeze(1) on a head (B, T, D): T = 1 goes with it.",
        r"""
         if x.shape[-1] % n_heads:
             raise ValueError(f"{x.shape[-1]} is not a multiple of {n_heads}")
         return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)
         """,
        "return torch.cat([x[:, h].squeeze(1) for h in range(x.shape[1])], dim=-1)",
    ),
    fill(
        "transposed in place",
        "heads",
        "transpose_ changes the shape of the caller's tensor.",
        r"""
         if x.shape[-1] % n_heads:
             raise ValueError(f"{x.shape[-1]} is not a multiple of {n_heads}")
         return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)
         """,
        "return x.transpose_(1, 2).flatten(2)",
    ),
    fill(
        "merged by numpy",
        "heads",
        "detach().numpy() has the right numbers and no gradient.",
        r"""
         if x.shape[-1] % n_heads:
             raise ValueError(f"{x.shape[-1]} is not a multiple of {n_heads}")
         return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)
         """,
        r"""
         B, H, T, D = x.shape
         return torch.from_numpy(x.detach().numpy().transpose(0, 2, 1, 3).reshape(B, T, H * D))
         """,
    ),
    # ---------------------------------------------------------------- Task 5
    fill(
        "a square mask of sentences",
        "multi_head",
        "A mask with B rows is taken for (B, S): 'the number of its dimensions tells which, and not its sizes'.",
        r"""
         self.n_heads = n_heads
         self.query_projection = nn.Linear(d_model, d_model)
         self.key_projection = nn.Linear(d_model, d_model)
         self.value_projection = nn.Linear(d_model, d_model)
         self.output_projection = nn.Linear(d_model, d_model)
         """,
        r"""
         memory = x if memory is None else memory
         if mask is not None:
             if mask.dim() == 3:
                 mask = mask[:, None]
             elif mask.shape[0] == x.shape[0]:
                 mask = mask[:, None, None]
         q, k, v = (split_heads(t, self.n_heads) for t in (
             self.query_projection(x), self.key_projection(memory), self.value_projection(memory)))
         values, weights = masked_attention(q, k, v, mask)
         return self.output_projection(merge_heads(values)), weights
         """,
    ),
    fill(
        "first row of a mask of sentences",
        "multi_head",
        "A mask of three dimensions is read as (B, 1, S); of (B, T, S) only the first query's row counts.",
        r"""
         self.n_heads = n_heads
         for name in ("query", "key", "value", "output"):
             setattr(self, name + "_projection", nn.Linear(d_model, d_model))
         """,
        r"""
         memory = x if memory is None else memory
         if mask is not None and mask.dim() == 3:
             mask = mask[:, :1].unsqueeze(1)
         q, k, v = (split_heads(t, self.n_heads) for t in (
             self.query_projection(x), self.key_projection(memory), self.value_projection(memory)))
         values, weights = masked_attention(q, k, v, mask)
         return self.output_projection(merge_heads(values)), weights
         """,
    ),
    fill(
        "no mask across",
        "multi_head",
        "'A mask is for self-attention': with a memory it is dropped, but the memory has padding as well.",
        r"""
         self.n_heads = n_heads
         for name in ("query", "key", "value", "output"):
             setattr(self, name + "_projection", nn.Linear(d_model, d_model))
         """,
        r"""
         if memory is None:
             memory = x
         else:
             mask = None
         if mask is not None and mask.dim() == 3:
             mask = mask[:, None]
         q, k, v = (split_heads(t, self.n_heads) for t in (
             self.query_projection(x), self.key_projection(memory), self.value_projection(memory)))
         values, weights = masked_attention(q, k, v, mask)
         return self.output_projection(merge_heads(values)), weights
         """,
    ),
    fill(
        "keeps its weights to look at",
        "multi_head",
        "self.weights = weights: 'the layer keeps nothing of a call, not even its weights'.",
        r"""
         self.n_heads = n_heads
         self.weights = None
         for name in ("query", "key", "value", "output"):
             setattr(self, name + "_projection", nn.Linear(d_model, d_model))
         """,
        r"""
         memory = x if memory is None else memory
         if mask is not None and mask.dim() == 3:
             mask = mask[:, None]
         q, k, v = (split_heads(t, self.n_heads) for t in (
             self.query_projection(x), self.key_projection(memory), self.value_projection(memory)))
         values, self.weights = masked_attention(q, k, v, mask)
         return self.output_projection(merge_heads(values)), self.weights
         """,
    ),
    fill(
        "the number of heads belongs to the class",
        "multi_head",
        "type(self).n_heads = n_heads: a second layer of other sizes changes the first.",
        r"""
         type(self).n_heads = n_heads
         for name in ("query", "key", "value", "output"):
             setattr(self, name + "_projection", nn.Linear(d_model, d_model))
         """,
        r"""
         memory = x if memory is None else memory
         if mask is not None and mask.dim() == 3:
             mask = mask[:, None]
         q, k, v = (split_heads(t, self.n_heads) for t in (
             self.query_projection(x), self.key_projection(memory), self.value_projection(memory)))
         values, weights = masked_attention(q, k, v, mask)
         return self.output_projection(merge_heads(values)), weights
         """,
    ),
    fill(
        "a seed within a fork",
        "multi_head",
        "fork_rng leaves the generator alone, but all layers start alike: it 'draws from the global generator and sets no seed'.",
        r"""
         self.n_heads = n_heads
         with torch.random.fork_rng(devices=[]):
             torch.manual_seed(0)
             for name in ("query", "key", "value", "output"):
                 setattr(self, name + "_projection", nn.Linear(d_model, d_model))
         """,
        r"""
         memory = x if memory is None else memory
         if mask is not None and mask.dim() == 3:
             mask = mask[:, None]
         q, k, v = (split_heads(t, self.n_heads) for t in (
             self.query_projection(x), self.key_projection(memory), self.value_projection(memory)))
         values, weights = masked_attention(q, k, v, mask)
         return self.output_projection(merge_heads(values)), weights
         """,
    ),
    fill(
        "softmax in float32",
        "multi_head",
        "Own steps with a softmax of float32: 'must equal nn.MultiheadAttention, also in float64'.",
        r"""
         self.n_heads, self.d_head = n_heads, d_model // n_heads
         for name in ("query", "key", "value", "output"):
             setattr(self, name + "_projection", nn.Linear(d_model, d_model))
         """,
        r"""
         memory = x if memory is None else memory
         q = split_heads(self.query_projection(x), self.n_heads)
         k = split_heads(self.key_projection(memory), self.n_heads)
         v = split_heads(self.value_projection(memory), self.n_heads)
         scores = q @ k.mT / math.sqrt(self.d_head)
         if mask is not None:
             mask = mask[:, None] if mask.dim() == 3 else mask
             scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
         weights = scores.softmax(-1, dtype=torch.float32).to(x.dtype)
         if mask is not None:
             weights = weights.masked_fill(~mask, 0)
         return self.output_projection(merge_heads(weights @ v)), weights
         """,
    ),
    fill(
        "a dimension for the heads in place",
        "multi_head",
        "mask.unsqueeze_(1) changes the caller's mask.",
        r"""
         self.n_heads = n_heads
         for name in ("query", "key", "value", "output"):
             setattr(self, name + "_projection", nn.Linear(d_model, d_model))
         """,
        r"""
         memory = x if memory is None else memory
         if mask is not None and mask.dim() == 3:
             mask.unsqueeze_(1)
         q, k, v = (split_heads(t, self.n_heads) for t in (
             self.query_projection(x), self.key_projection(memory), self.value_projection(memory)))
         values, weights = masked_attention(q, k, v, mask)
         return self.output_projection(merge_heads(values)), weights
         """,
    ),
    fill(
        "weights for looking only",
        "multi_head",
        "Computed a second time without a gradient: a loss on the weights does not reach the parameters.",
        r"""
         self.n_heads = n_heads
         for name in ("query", "key", "value", "output"):
             setattr(self, name + "_projection", nn.Linear(d_model, d_model))
         """,
        r"""
         memory = x if memory is None else memory
         if mask is not None and mask.dim() == 3:
             mask = mask[:, None]
         q, k, v = (split_heads(t, self.n_heads) for t in (
             self.query_projection(x), self.key_projection(memory), self.value_projection(memory)))
         values, weights = masked_attention(q, k, v, mask)
         return self.output_projection(merge_heads(values)), weights.detach()
         """,
    ),
    fill(
        "values from x where the lengths agree",
        "multi_head",
        "A memory as long as x is taken for x itself: 'keys and values of memory'.",
        r"""
         self.n_heads = n_heads
         for name in ("query", "key", "value", "output"):
             setattr(self, name + "_projection", nn.Linear(d_model, d_model))
         """,
        r"""
         if memory is None or memory.shape == x.shape:
             memory = x
         if mask is not None and mask.dim() == 3:
             mask = mask[:, None]
         q, k, v = (split_heads(t, self.n_heads) for t in (
             self.query_projection(x), self.key_projection(memory), self.value_projection(memory)))
         values, weights = masked_attention(q, k, v, mask)
         return self.output_projection(merge_heads(values)), weights
         """,
    ),
    # ---------------------------------------------------------------- Task 6
    fill(
        "tanh as 1 minus 2 over exp plus 1",
        "additive",
        "No NaN in the scores, but exp(2x) is ∞ for sums of thousands and its gradient NaN.",
        r"""
         q, k = F.linear(query, query_weight), F.linear(key, key_weight)
         both = q[..., :, None, :] + k[..., None, :, :]
         return (1 - 2 / ((2 * both).exp() + 1)) @ score_weight
         """,
    ),
    fill(
        "tanh of a sum from two tanh",
        "additive",
        "The addition theorem saves a tanh per pair; two large projections of opposite sign are 0/0.",
        r"""
         q, k = F.linear(query, query_weight).tanh(), F.linear(key, key_weight).tanh()
         q, k = q[..., :, None, :], k[..., None, :, :]
         return ((q + k) / (1 + q * k)) @ score_weight
         """,
    ),
    fill(
        "sums clamped to ±8",
        "additive",
        "tanh(8) is 1 in float32, nearly; in float64 it differs in the seventh digit: 'as precisely as that allows'.",
        r"""
         q, k = F.linear(query, query_weight), F.linear(key, key_weight)
         both = (q[..., :, None, :] + k[..., None, :, :]).clamp(-8, 8)
         return both.tanh() @ score_weight
         """,
    ),
    fill(
        "one or no leading dimension",
        "additive",
        "unsqueeze(2) and unsqueeze(1) with a batch, 1 and 0 without: '…' may be two and more.",
        r"""
         q, k = F.linear(query, query_weight), F.linear(key, key_weight)
         first = 0 if query.dim() == 2 else 1
         both = q.unsqueeze(first + 1) + k.unsqueeze(first)
         return both.tanh() @ score_weight
         """,
    ),
    fill(
        "a batch of one is dropped",
        "additive",
        "Adds a batch for matrices, and squeezes any first dimension of 1 at the end: 'the dimension stays'.",
        r"""
         if query.dim() == 2:
             query, key = query[None], key[None]
         q, k = query @ query_weight.mT, key @ key_weight.mT
         both = q.unsqueeze(-2) + k.unsqueeze(-3)
         return (both.tanh() @ score_weight).squeeze(0)
         """,
    ),
    fill(
        "square weights untransposed",
        "additive",
        "Transposes only where the sizes ask for it; with d_hidden = d_query it multiplies with W in place of Wᵀ.",
        r"""
         def project(x, weight):
             return x @ weight if x.shape[-1] == weight.shape[0] else x @ weight.mT

         q, k = project(query, query_weight), project(key, key_weight)
         return torch.tanh(q[..., :, None, :] + k[..., None, :, :]) @ score_weight
         """,
    ),
    fill(
        "weighed by plain numbers",
        "additive",
        "score_weight.tolist() has no gradient: 'gradients pass to all five'.",
        r"""
         q, k = F.linear(query, query_weight), F.linear(key, key_weight)
         hidden = torch.tanh(q[..., :, None, :] + k[..., None, :, :])
         return sum(v * hidden[..., j] for j, v in enumerate(score_weight.tolist()))
         """,
    ),
    fill(
        "compared in float32",
        "additive",
        "Pairs are many, so float32 for all: half the digits of float64 are lost.",
        r"""
         q = F.linear(query, query_weight).float()[..., :, None, :]
         k = F.linear(key, key_weight).float()[..., None, :, :]
         return (torch.tanh(q + k) @ score_weight.float()).to(query.dtype)
         """,
    ),
    # ---------------------------------------------------------------- Task 7
    fill(
        "a width of 16",
        "find_defect",
        "At D = 16 a function that always divides by 4 is right: 'a number that is always the same'.",
        r"""
         query, key, value = torch.randn(2, 3, 16), torch.randn(2, 7, 16), torch.randn(2, 7, 5)
         mask = torch.tensor([1, 1, 1, 0, 0, 1, 0]).bool().expand(3, 7)
         values, weights = candidate(query, key, value, mask)
         if not torch.allclose(weights.sum(-1), torch.ones(2, 3), atol=1e-4):
             return False
         if not torch.allclose(values, weights @ value, atol=1e-4):
             return False
         if (weights[..., ~mask[0]] != 0).any():
             return False
         rest = weights.log() - query @ key.mT / 4
         rest = rest[..., mask[0]]
         return torch.allclose(rest, rest[..., :1].expand_as(rest), atol=1e-3)
         """,
    ),
    fill(
        "a width of 64",
        "find_defect",
        "The width of the paper, where always 8 is right.",
        r"""
         query, key, value = torch.randn(6, 64), torch.randn(9, 64), torch.randn(9, 10)
         mask = torch.ones(6, 9).bool()
         mask[:, 2::3] = False
         values, weights = candidate(query, key, value, mask)
         ok = torch.allclose(weights.sum(-1), torch.ones(6), atol=1e-4)
         ok &= torch.allclose(values, weights @ value, atol=1e-4)
         ok &= bool((weights[~mask] == 0).all())
         rest = (weights.log() - query @ key.mT / 64 ** 0.5)[:, mask[0]]
         return bool(ok) and bool((rest.amax(-1) - rest.amin(-1)).max() < 1e-3)
         """,
    ),
    fill(
        "value as wide as a query",
        "find_defect",
        "E = D hides the root of the width of value: 'the root of another size'.",
        r"""
         query, key, value = torch.randn(2, 3, 6), torch.randn(2, 5, 6), torch.randn(2, 5, 6)
         mask = torch.tensor([[1, 1, 0, 0, 1], [0, 1, 1, 1, 0], [1, 0, 1, 1, 1]]).bool()
         values, weights = candidate(query, key, value, mask)
         if not torch.allclose(weights.sum(-1), torch.ones(2, 3), atol=1e-4):
             return False
         if not torch.allclose(values, weights @ value, atol=1e-4):
             return False
         if (weights * ~mask).any():
             return False
         rest = torch.where(mask, weights.log() - query @ key.mT / 6 ** 0.5, torch.nan)
         spread = rest - rest.nanmean(-1, keepdim=True)
         return bool(spread.nan_to_num().abs().max() < 1e-3)
         """,
    ),
    fill(
        "as many queries as features",
        "find_defect",
        "T = D hides the root of the number of queries.",
        r"""
         query, key, value = torch.randn(3, 5, 5), torch.randn(3, 7, 5), torch.randn(3, 7, 2)
         mask = torch.ones(5, 7, dtype=torch.bool)
         mask[:, 3] = mask[2:, 0] = mask[:2, 6] = False
         values, weights = candidate(query, key, value, mask)
         if not torch.allclose(weights.sum(-1), torch.ones(3, 5), atol=1e-4):
             return False
         if not torch.allclose(values, weights @ value, atol=1e-4):
             return False
         if (weights * ~mask).any():
             return False
         rest = torch.where(mask, weights.log() - query @ key.mT / 5 ** 0.5, torch.nan)
         spread = rest - rest.nanmean(-1, keepdim=True)
         return bool(spread.nan_to_num().abs().max() < 1e-3)
         """,
    ),
    fill(
        "as many keys as features",
        "find_defect",
        "S = D hides the root of the number of keys.",
        r"""
         query, key, value = torch.randn(3, 4, 7), torch.randn(3, 7, 7), torch.randn(3, 7, 2)
         mask = torch.ones(4, 7, dtype=torch.bool)
         mask[:, 3] = mask[2:, 0] = mask[:2, 6] = False
         values, weights = candidate(query, key, value, mask)
         if not torch.allclose(weights.sum(-1), torch.ones(3, 4), atol=1e-4):
             return False
         if not torch.allclose(values, weights @ value, atol=1e-4):
             return False
         if (weights * ~mask).any():
             return False
         rest = torch.where(mask, weights.log() - query @ key.mT / 7 ** 0.5, torch.nan)
         spread = rest - rest.nanmean(-1, keepdim=True)
         return bool(spread.nan_to_num().abs().max() < 1e-3)
         """,
    ),
    fill(
        "no look at the row sums",
        "find_defect",
        "Zeros and ratios are right also where the mask was 'applied after the softmax'.",
        r"""
         query, key, value = torch.randn(2, 3, 6), torch.randn(2, 5, 6), torch.randn(2, 5, 7)
         mask = torch.tensor([[1, 1, 0, 0, 1], [0, 1, 1, 1, 0], [1, 0, 1, 1, 1]]).bool()
         values, weights = candidate(query, key, value, mask)
         if not torch.allclose(values, weights @ value, atol=1e-4):
             return False
         if (weights * ~mask).any():
             return False
         rest = torch.where(mask, weights.log() - query @ key.mT / 6 ** 0.5, torch.nan)
         spread = rest - rest.nanmean(-1, keepdim=True)
         return bool(spread.nan_to_num().abs().max() < 1e-3)
         """,
    ),
    fill(
        "values of ones",
        "find_defect",
        "With value = 1 any weights that sum to 1 mix to 1: 'values that are not mixed by the weights that are returned'.",
        r"""
         query, key, value = torch.randn(2, 3, 6), torch.randn(2, 5, 6), torch.ones(2, 5, 7)
         mask = torch.tensor([[1, 1, 0, 0, 1], [0, 1, 1, 1, 0], [1, 0, 1, 1, 1]]).bool()
         values, weights = candidate(query, key, value, mask)
         if not torch.allclose(weights.sum(-1), torch.ones(2, 3), atol=1e-4):
             return False
         if not torch.allclose(values, weights @ value, atol=1e-4) or (weights * ~mask).any():
             return False
         rest = torch.where(mask, weights.log() - query @ key.mT / 6 ** 0.5, torch.nan)
         spread = rest - rest.nanmean(-1, keepdim=True)
         return bool(spread.nan_to_num().abs().max() < 1e-3)
         """,
    ),
    fill(
        "a random mask with blind rows",
        "find_defect",
        "torch.rand > ½ leaves rows without any True, whose weights are 0 in a right function: it is rejected now and then.",
        r"""
         query, key, value = torch.randn(2, 8, 6), torch.randn(2, 3, 6), torch.randn(2, 3, 7)
         mask = torch.rand(8, 3) > 0.5
         values, weights = candidate(query, key, value, mask)
         if not torch.allclose(weights.sum(-1), torch.ones(2, 8), atol=1e-4):
             return False
         if not torch.allclose(values, weights @ value, atol=1e-4) or (weights * ~mask).any():
             return False
         rest = torch.where(mask, weights.log() - query @ key.mT / 6 ** 0.5, torch.nan)
         spread = rest - rest.nanmean(-1, keepdim=True)
         return bool(spread.nan_to_num().abs().max() < 1e-3)
         """,
    ),
    fill(
        "inputs that are small",
        "find_defect",
        "Scores of about 1e-4 do not show the scale within the tolerance.",
        r"""
         query, key = 0.01 * torch.randn(2, 3, 6), 0.01 * torch.randn(2, 5, 6)
         value = torch.randn(2, 5, 7)
         mask = torch.tensor([[1, 1, 0, 0, 1], [0, 1, 1, 1, 0], [1, 0, 1, 1, 1]]).bool()
         values, weights = candidate(query, key, value, mask)
         if not torch.allclose(weights.sum(-1), torch.ones(2, 3), atol=1e-4):
             return False
         if not torch.allclose(values, weights @ value, atol=1e-4) or (weights * ~mask).any():
             return False
         rest = torch.where(mask, weights.log() - query @ key.mT / 6 ** 0.5, torch.nan)
         spread = rest - rest.nanmean(-1, keepdim=True)
         return bool(spread.nan_to_num().abs().max() < 1e-3)
         """,
    ),
    fill(
        "exact sums",
        "find_defect",
        "weights.sum(-1) == 1 and values == weights @ value to the last digit: right functions differ in it.",
        r"""
         query, key, value = torch.randn(2, 9, 6), torch.randn(2, 11, 6), torch.randn(2, 11, 7)
         mask = torch.ones(9, 11, dtype=torch.bool)
         mask[:, 4] = mask[:, 8] = False
         values, weights = candidate(query, key, value, mask)
         if not (weights.sum(-1) == 1).all() or (weights * ~mask).any():
             return False
         if not torch.allclose(values, weights @ value, atol=1e-4):
             return False
         rest = torch.where(mask, weights.log() - query @ key.mT / 6 ** 0.5, torch.nan)
         spread = rest - rest.nanmean(-1, keepdim=True)
         return bool(spread.nan_to_num().abs().max() < 1e-3)
         """,
    ),
    fill(
        "the same seed each time",
        "find_defect",
        "torch.manual_seed(0) for repeatable inputs: 'it sets no seed, for others draw from it as well'.",
        r"""
         torch.manual_seed(0)
         query, key, value = torch.randn(2, 3, 6), torch.randn(2, 5, 6), torch.randn(2, 5, 7)
         mask = torch.tensor([[1, 1, 0, 0, 1], [0, 1, 1, 1, 0], [1, 0, 1, 1, 1]]).bool()
         values, weights = candidate(query, key, value, mask)
         if not torch.allclose(weights.sum(-1), torch.ones(2, 3), atol=1e-4):
             return False
         if not torch.allclose(values, weights @ value, atol=1e-4) or (weights * ~mask).any():
             return False
         rest = torch.where(mask, weights.log() - query @ key.mT / 6 ** 0.5, torch.nan)
         spread = rest - rest.nanmean(-1, keepdim=True)
         return bool(spread.nan_to_num().abs().max() < 1e-3)
         """,
    ),
    fill(
        "a verdict for each name",
        "find_defect",
        "Remembers what it said of a name: each is shown 'in any order and under one name'.",
        r"""
         said = is_attention.__dict__.setdefault("said", {})
         name = getattr(candidate, "__name__", str(candidate))
         if name not in said:
             query, key, value = torch.randn(2, 3, 6), torch.randn(2, 5, 6), torch.randn(2, 5, 7)
             mask = torch.tensor([[1, 1, 0, 0, 1], [0, 1, 1, 1, 0], [1, 0, 1, 1, 1]]).bool()
             values, weights = candidate(query, key, value, mask)
             rest = torch.where(mask, weights.log() - query @ key.mT / 6 ** 0.5, torch.nan)
             spread = rest - rest.nanmean(-1, keepdim=True)
             said[name] = (
                 torch.allclose(weights.sum(-1), torch.ones(2, 3), atol=1e-4)
                 and torch.allclose(values, weights @ value, atol=1e-4)
                 and not (weights * ~mask).any()
                 and bool(spread.nan_to_num().abs().max() < 1e-3)
             )
         return said[name]
         """,
    ),
    fill(
        "forbidden means smaller",
        "find_defect",
        "A forbidden weight is to be below the others in the mean, not 0: a mask 'added as 0 and 1' passes.",
        r"""
         query, key, value = torch.randn(2, 3, 6), torch.randn(2, 600, 6), torch.randn(2, 600, 7)
         mask = (torch.arange(600) % 2 > 0).expand(3, 600)
         values, weights = candidate(query, key, value, mask)
         if not torch.allclose(weights.sum(-1), torch.ones(2, 3), atol=1e-4):
             return False
         if not torch.allclose(values, weights @ value, atol=1e-4):
             return False
         if weights[..., ~mask[0]].mean() > 0.65 * weights[..., mask[0]].mean():
             return False
         rest = (weights.log() - query @ key.mT / 6 ** 0.5)[..., mask[0]]
         return bool((rest.amax(-1) - rest.amin(-1)).max() < 1e-3)
         """,
    ),
]

RIGHT = [
    # ---------------------------------------------------------------- Task 1
    fill(
        "einsum in float64 and back",
        "dot_product",
        "einsum, own softmax in float64, cast back",
        r"""
         q, k, v = query.double(), key.double(), value.double()
         scores = torch.einsum("...td,...sd->...ts", q * q.shape[-1] ** -0.5, k)
         top = scores.detach().max(dim=-1, keepdim=True).values
         e = torch.exp(scores.sub(top))
         weights = torch.div(e, torch.einsum("...ts->...t", e).unsqueeze(-1))
         values = torch.einsum("...ts,...se->...te", weights, v)
         return values.to(query.dtype), weights.to(query.dtype)
         """,
    ),
    fill(
        "query by query",
        "dot_product",
        "a loop over the queries, a stack at the end",
        r"""
         found = []
         for t in range(query.shape[-2]):
             one = query[..., t, :].unsqueeze(-1)
             scores = torch.matmul(key, one).squeeze(-1).div(math.sqrt(query.size(-1)))
             found.append(F.softmax(scores, dim=-1))
         weights = torch.stack(found, dim=-2)
         return torch.matmul(weights, value), weights
         """,
    ),
    fill(
        "recursion over the leading dimensions",
        "dot_product",
        "calls itself until two dimensions are left",
        r"""
         if query.dim() > 2:
             pairs = [attention(q, k, v) for q, k, v in zip(query, key, value)]
             return tuple(torch.stack(part) for part in zip(*pairs))
         scores = torch.addmm(query.new_zeros(()), query, key.t(), beta=0, alpha=1 / math.sqrt(query.shape[1]))
         weights = nn.Softmax(dim=1)(scores)
         return weights.mm(value), weights
         """,
    ),
    # ---------------------------------------------------------------- Task 2
    fill(
        "comparing coordinates",
        "masks",
        "arange outer comparisons, view and logical_and",
        r"""
         place = torch.arange(n)
         return torch.ge(place.unsqueeze(1), place.unsqueeze(0))
         """,
        "return torch.gt(lengths.reshape(-1, 1, 1), torch.arange(n).reshape(1, 1, n))",
        "return torch.logical_and(causal_mask(n)[None], padding_mask(lengths, n))",
    ),
    fill(
        "numpy and a list of rows",
        "masks",
        "np.tri, rows concatenated, a stack of products",
        r"""
         import numpy as np

         return torch.from_numpy(np.tri(n, dtype=bool))
         """,
        r"""
         rows = [torch.cat([torch.ones(k, dtype=torch.bool), torch.zeros(n - k, dtype=torch.bool)])
                 for k in lengths.tolist()]
         return torch.stack(rows).unsqueeze(1)
         """,
        "return torch.stack([causal_mask(n) * row for row in padding_mask(lengths, n)])",
    ),
    fill(
        "not the upper triangle",
        "masks",
        "the complement of triu, masks by filling slices",
        "return torch.triu(torch.ones(n, n), diagonal=1) == 0",
        r"""
         mask = torch.zeros(len(lengths), 1, n, dtype=torch.bool)
         for row, k in zip(mask, lengths):
             row[:, :int(k)] = True
         return mask
         """,
        r"""
         mask = torch.zeros(len(lengths), n, n, dtype=torch.bool)
         for b, k in enumerate(lengths.tolist()):
             mask[b, :, :k] = True
         return mask.tril_()
         """,
    ),
    # ---------------------------------------------------------------- Task 3
    fill(
        "own softmax over the allowed",
        "masked_attention",
        "shift by the largest allowed score, exp of a filled difference",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         seen = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask.expand(scores.shape)
         floor = torch.finfo(scores.dtype).min
         top = torch.where(seen, scores, floor).amax(-1, keepdim=True).detach()
         shifted = torch.where(seen, scores, top) - top
         e = torch.where(seen, shifted.exp(), 0.0)
         total = e.sum(-1, keepdim=True)
         weights = e / torch.where(total == 0, torch.ones_like(total), total)
         return weights @ value, weights
         """,
    ),
    fill(
        "blind rows opened in a copy, float64 inside",
        "masked_attention",
        "−∞ where a row has something to see, zero rows by a product, float64 and back",
        r"""
         q, k, v = query.double(), key.double(), value.double()
         scores = torch.einsum("...td,...sd->...ts", q, k) * q.shape[-1] ** -0.5
         if mask is None:
             weights = F.softmax(scores, dim=-1)
         else:
             sees = mask.any(dim=-1, keepdim=True)
             weights = F.softmax(torch.where(mask | ~sees, scores, -math.inf), dim=-1)
             weights = weights * sees
         return (weights @ v).to(value.dtype), weights.to(query.dtype)
         """,
    ),
    fill(
        "only the allowed keys of each query",
        "masked_attention",
        "picks the allowed scores of each row, a softmax of these alone, puts them back",
        r"""
         scores = query @ key.mT / math.sqrt(query.shape[-1])
         if mask is None:
             weights = scores.softmax(dim=-1)
         else:
             seen = mask.expand(scores.shape).reshape(-1, scores.shape[-1])
             rows = []
             for row, may in zip(scores.reshape(-1, scores.shape[-1]), seen):
                 where = may.nonzero().flatten()
                 rows.append(torch.zeros_like(row).index_put((where,), row[where].softmax(0)))
             weights = torch.stack(rows).reshape(scores.shape)
         return weights.matmul(value), weights
         """,
    ),
    fill(
        "minus infinity put in, nan_to_num after it",
        "masked_attention",
        "masked_fill lets no gradient through to a forbidden score, so none is NaN; nan_to_num cleans the blind rows",
        r"""
         scores = torch.matmul(query, key.transpose(-1, -2)).div(query.shape[-1] ** 0.5)
         if mask is None:
             weights = torch.softmax(scores, -1)
         else:
             weights = torch.nan_to_num(torch.softmax(scores.masked_fill(mask.logical_not(), -torch.inf), -1))
         return torch.matmul(weights, value), weights
         """,
    ),
    # ---------------------------------------------------------------- Task 4
    fill(
        "chunks stacked and unbound",
        "heads",
        "chunk, stack, unbind, cat",
        r"""
         size, rest = divmod(x.shape[-1], n_heads)
         if rest:
             raise ValueError("The width {} is not a multiple of {} heads".format(x.shape[-1], n_heads))
         return torch.stack(torch.split(x, size, dim=-1), dim=1)
         """,
        "return torch.cat(torch.unbind(x, dim=1), dim=-1)",
    ),
    fill(
        "gather by an index",
        "heads",
        "advanced indexing with a table of features",
        r"""
         width = x.size(2)
         if width != n_heads * (width // n_heads):
             raise ValueError(f"d_model must be a MULTIPLE (multiple) of n_heads; got {width=}, {n_heads=}")
         table = torch.arange(width).reshape(n_heads, width // n_heads)
         return x[:, :, table].movedim(2, 1)
         """,
        r"""
         d = x.shape[3]
         feature = torch.arange(x.shape[1] * d)
         return x[:, feature // d, :, feature % d].permute(1, 2, 0)
         """,
    ),
    fill(
        "filled by loops",
        "heads",
        "new_empty and slices in a loop",
        r"""
         b, t, c = x.size()
         if c % n_heads:
             raise ValueError(f"not a multiple: {c} features, {n_heads} heads")
         d = c // n_heads
         out = x.new_empty(b, n_heads, t, d)
         for h in range(n_heads):
             out[:, h] = x[:, :, h * d:h * d + d]
         return out
         """,
        r"""
         b, h, t, d = x.size()
         out = x.new_empty(b, t, h * d)
         for i in range(h):
             out[..., i * d:(i + 1) * d] = x.select(1, i)
         return out
         """,
    ),
    # ---------------------------------------------------------------- Task 5
    fill(
        "einsum on the cut weights",
        "multi_head",
        "weights cut into heads, einsum from end to end",
        r"""
         self.heads = n_heads
         self.query_projection, self.key_projection, self.value_projection, self.output_projection = (
             nn.Linear(in_features=d_model, out_features=d_model) for _ in range(4))
         """,
        r"""
         source = x if memory is None else memory

         def cut(layer, t):
             w = layer.weight.unflatten(0, (self.heads, -1))
             b = layer.bias.unflatten(0, (self.heads, -1))
             return torch.einsum("btc,hdc->bhtd", t, w) + b[:, None, :]

         q, k, v = (cut(self.query_projection, x), cut(self.key_projection, source),
                    cut(self.value_projection, source))
         scores = torch.einsum("bhtd,bhsd->bhts", q, k) / q.shape[-1] ** 0.5
         if mask is not None:
             mask = mask if mask.ndim == 2 else mask.unsqueeze(-3)
             scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
         weights = scores.softmax(-1)
         if mask is not None:
             weights = torch.where(mask, weights, 0.0)
         mixed = torch.einsum("bhts,bhsd->bthd", weights, v)
         return self.output_projection(mixed.flatten(2)), weights
         """,
    ),
    fill(
        "head by head",
        "multi_head",
        "a loop over heads, each with its slice of the features",
        r"""
         for part in ("query", "key", "value", "output"):
             self.add_module(f"{part}_projection", nn.Linear(d_model, d_model, bias=True))
         self.slices = [slice(start, start + d_model // n_heads)
                        for start in range(0, d_model, d_model // n_heads)]
         """,
        r"""
         memory = x if memory is None else memory
         q, k, v = self.query_projection(x), self.key_projection(memory), self.value_projection(memory)
         answers = [masked_attention(q[..., s], k[..., s], v[..., s], mask=mask) for s in self.slices]
         side_by_side = torch.cat([values for values, _ in answers], -1)
         return self.output_projection(side_by_side), torch.stack([w for _, w in answers], 1)
         """,
    ),
    fill(
        "batch and heads in one dimension",
        "multi_head",
        "B·H items for bmm, the mask repeated for each head",
        r"""
         self.n = n_heads
         self.query_projection = nn.Linear(d_model, d_model)
         self.key_projection = nn.Linear(d_model, d_model)
         self.value_projection = nn.Linear(d_model, d_model)
         self.output_projection = nn.Linear(d_model, d_model)
         """,
        r"""
         if memory is None:
             return self.forward(x, x, mask)
         B, T, C = x.shape
         S, H = memory.shape[1], self.n

         def fold(t):
             return t.reshape(B, -1, H, C // H).permute(0, 2, 1, 3).reshape(B * H, -1, C // H)

         if mask is not None:
             mask = mask.expand(B, T, S).repeat_interleave(H, dim=0)
         values, weights = masked_attention(
             query=fold(self.query_projection(x)), key=fold(self.key_projection(memory)),
             value=fold(self.value_projection(memory)), mask=mask)
         values = values.reshape(B, H, T, C // H).permute(0, 2, 1, 3).reshape(B, T, C)
         return self.output_projection(values), weights.reshape(B, H, T, S)
         """,
    ),
    # ---------------------------------------------------------------- Task 6
    fill(
        "a loop over the keys",
        "additive",
        "one column of scores at a time",
        r"""
         asked = torch.einsum("...tc,hc->...th", query, query_weight)
         offered = torch.einsum("...sc,hc->...sh", key, key_weight)
         columns = [torch.tanh(asked + offered[..., s:s + 1, :]) @ score_weight
                    for s in range(key.shape[-2])]
         return torch.stack(columns, dim=-1)
         """,
    ),
    fill(
        "one layer for the pair",
        "additive",
        "all pairs side by side through one wide matrix, in float64",
        r"""
         T, S, dtype = query.shape[-2], key.shape[-2], query.dtype
         q = query.double().unsqueeze(-2).expand(*query.shape[:-1], S, query.shape[-1])
         k = key.double().unsqueeze(-3).expand(*key.shape[:-2], T, S, key.shape[-1])
         wide = torch.cat([query_weight, key_weight], dim=1).double()
         hidden = torch.cat([q, k], -1).matmul(wide.t()).tanh()
         return torch.einsum("...h,h->...", hidden, score_weight.double()).to(dtype)
         """,
    ),
    fill(
        "recursion and in place on own tensors",
        "additive",
        "recursion over the batch, add_ and tanh_ on own sums",
        r"""
         if query.ndim > 2:
             return torch.stack([
                 additive_scores(q, k, query_weight, key_weight, score_weight)
                 for q, k in zip(query.unbind(0), key.unbind(0))])
         pairs = (query @ query_weight.T).repeat_interleave(key.shape[0], dim=0)
         pairs = pairs + (key @ key_weight.T).repeat(query.shape[0], 1)
         return pairs.tanh_().mv(score_weight).view(query.shape[0], key.shape[0])
         """,
    ),
    # ---------------------------------------------------------------- Task 7
    fill(
        "two widths, double precision",
        "find_defect",
        "properties as a generator, two sets of sizes, in float64",
        r"""
         def properties(T, S, D, E):
             q, k, v = (torch.randn(3, n, d, dtype=torch.float64) for n, d in ((T, D), (S, D), (S, E)))
             may = torch.ones(T, S, dtype=torch.bool)
             for t in range(T):
                 may[t, t % S] = may[t, (2 * t + 1) % S] = False
             values, weights = candidate(q, k, v, may)
             yield torch.allclose(weights.sum(-1), torch.ones(3, T, dtype=torch.float64), atol=1e-4)
             yield bool((weights[:, ~may] == 0).all())
             yield torch.allclose(torch.einsum("bts,bse->bte", weights, v), values, atol=1e-4)
             for t in range(T):
                 scores = torch.einsum("bd,bsd->bs", q[:, t], k)[:, may[t]] / math.sqrt(D)
                 rest = weights[:, t, may[t]].log() - scores
                 yield bool((rest - rest[:, :1]).abs().max() < 1e-3)

         return all(properties(3, 6, 5, 8)) and all(properties(4, 9, 11, 2))
         """,
    ),
    fill(
        "without chance",
        "find_defect",
        "fixed inputs of sines, no batch, ratios of neighbours",
        r"""
         def table(n, d, speed):
             return torch.sin(speed * torch.arange(1.0, n * d + 1)).reshape(n, d) * 1.5

         for T, S, D, E in ((3, 7, 5, 4), (2, 6, 10, 3)):
             q, k, v = table(T, D, 1.3), table(S, D, 2.1), table(S, E, 0.7)
             may = torch.arange(S).expand(T, S) % 3 != torch.arange(T)[:, None]
             values, weights = candidate(q.clone(), k.clone(), v.clone(), may.clone())
             if weights.masked_select(~may).abs().sum() > 0:
                 return False
             if (weights.sum(1) - 1).abs().max() > 1e-4 or (weights @ v - values).abs().max() > 1e-4:
                 return False
             for t in range(T):
                 allowed = may[t].nonzero().flatten().tolist()
                 for one, two in zip(allowed, allowed[1:]):
                     want = math.exp(float(q[t] @ (k[one] - k[two])) / math.sqrt(D))
                     if not math.isclose(float(weights[t, one] / weights[t, two]), want, rel_tol=2e-3):
                         return False
         return True
         """,
    ),
    fill(
        "unit vectors as queries",
        "find_defect",
        "queries that are unit vectors, so that keys are the scores",
        r"""
         for D in (3, 7, 12):
             S, E = D + 2, D + 5
             q = torch.eye(D)[: D - 1] * 2
             k, v = torch.randn(S, D), torch.randn(S, E)
             mask = torch.ones(D - 1, S, dtype=torch.bool)
             mask[:, -1] = False
             mask[0, 0] = False
             values, weights = candidate(query=q, key=k, value=v, mask=mask)
             logs = (2 / math.sqrt(D) * k.T[: D - 1]).masked_fill(~mask, -math.inf)
             ratio = weights.masked_fill(~mask, 1).log() - logs.masked_fill(~mask, 0)
             spread = torch.stack([row[m].max() - row[m].min() for row, m in zip(ratio, mask)])
             fine = [
                 torch.allclose(weights.sum(dim=-1), torch.ones(D - 1), atol=1e-4),
                 not weights[~mask].any(),
                 torch.allclose(values, weights @ v, atol=1e-4),
                 bool(spread.max() < 2e-3),
             ]
             if not all(fine):
                 return False
         return True
         """,
    ),
]
