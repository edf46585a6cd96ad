from faults import fill, write

WRONG = [
    # ---------------------------------------------------------------- task 1
    fill(
        "divides the vectors where they lie",
        "next_token",
        "scales the last vector with /=, which is a view of x; 'an answer changes neither its arguments'",
        """
         last = x[:, -1]
         if temperature == 0:
             logits = last @ head.T
             return F.one_hot(logits.argmax(-1), head.shape[0]).to(x.dtype)
         last /= temperature
         return torch.softmax(last @ head.T, dim=-1)
         """,
    ),
    fill(
        "cold is as good as zero",
        "next_token",
        "takes a temperature below 0.01 for 0; 'A small one, 0.001 say, is not 0: equal logits then still share'",
        """
         logits = x[:, -1] @ head.T
         if temperature < 0.01:
             return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
         return torch.softmax(logits / temperature, dim=-1)
         """,
    ),
    fill(
        "one maximum for the whole batch",
        "next_token",
        "subtracts the largest logit of the batch, so a row far below it is 0/0; 'Logits in the thousands must give "
        "probabilities, not NaN'; B = 1 is right",
        """
         logits = x[:, -1] @ head.T
         if temperature == 0:
             return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
         powers = torch.exp((logits - logits.max()) / temperature)
         return powers / powers.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "powers of probabilities",
        "next_token",
        "the chapter says p to the power of 1/T; but a softmax that is 0 stays 0: logits 0 and -2000 at temperature "
        "1000; 'temperature divides the logits'",
        """
         logits = x[:, -1] @ head.T
         probs = torch.softmax(logits, dim=-1)
         if temperature == 0:
             return F.one_hot(probs.argmax(-1), probs.shape[-1]).to(x.dtype)
         probs = probs ** (1 / temperature)
         return probs / probs.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "warm through float16",
        "next_token",
        "takes the softmax in half precision and comes back to the dtype of x: three digits, and inf - inf for logits "
        "beyond 65504 (100 at temperature 0.001); 'must give probabilities, not NaN'",
        """
         logits = x[:, -1] @ head.T
         if temperature == 0:
             return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
         return torch.softmax((logits / temperature).half(), dim=-1).to(x.dtype)
         """,
    ),
    fill(
        "clamped for safety",
        "next_token",
        "clamps the logits so that exp does not overflow; 1000 and 2000 then share; 'Logits in the thousands must "
        "give probabilities'",
        """
         logits = x[:, -1] @ head.T
         if temperature == 0:
             return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(x.dtype)
         powers = (logits / temperature).clamp(-80, 80).exp()
         return powers / powers.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "float at zero",
        "next_token",
        "one_hot(…).float() at temperature 0: float64 and bfloat16 are lost only there; 'The dtype is that of x'",
        """
         logits = x[:, -1] @ head.T
         if temperature == 0:
             return F.one_hot(logits.argmax(dim=-1), num_classes=head.shape[0]).float()
         return torch.softmax(logits / temperature, dim=-1)
         """,
    ),
    fill(
        "one winner in the batch",
        "next_token",
        "argmax without a dimension: one 1 in the whole batch at temperature 0; 'in each row'; B = 1 is right",
        """
         logits = x[:, -1] @ head.T
         if temperature == 0:
             probs = torch.zeros_like(logits)
             probs.view(-1)[logits.argmax()] = 1
             return probs
         return torch.softmax(logits / temperature, dim=-1)
         """,
    ),
    fill(
        "as many classes as seen",
        "next_token",
        "one_hot without the number of classes: its width is the largest id chosen + 1; 'Return (B, V)'; right "
        "whenever the last token wins in some row",
        """
         logits = x[:, -1] @ head.T
         if temperature == 0:
             return F.one_hot(logits.argmax(dim=-1)).to(x.dtype)
         return (logits / temperature).softmax(-1)
         """,
    ),
    fill(
        "a tiny push down the list",
        "next_token",
        "prefers the first of equals by taking 1e-3 times the id off the logits: a later token that is larger by less "
        "loses; 'all the probability goes to the token with the largest logit'",
        """
         logits = x[:, -1] @ head.T
         if temperature == 0:
             pushed = logits - 1e-3 * torch.arange(logits.shape[-1], dtype=x.dtype)
             return F.one_hot(pushed.argmax(-1), logits.shape[-1]).to(x.dtype)
         return (logits / temperature).softmax(-1)
         """,
    ),
    # ---------------------------------------------------------------- task 2
    fill(
        "everything at least the k-th",
        "top_k",
        "threshold by value, ties at the border all stay; 'Exactly k tokens stay'",
        """
         k = min(k, probs.shape[-1])
         border = probs.topk(k, dim=-1).values[..., -1:]
         kept = torch.where(probs >= border, probs, torch.zeros_like(probs))
         return kept / kept.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "strictly above the next",
        "top_k",
        "keeps what is larger than number k + 1; ties at the border all go; 'Exactly k tokens stay'",
        """
         if k >= probs.shape[-1]:
             return probs / probs.sum(-1, keepdim=True)
         first_out = probs.topk(k + 1, dim=-1).values[..., -1:]
         kept = probs * (probs > first_out)
         return kept / kept.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "no more than V forgotten",
        "top_k",
        "topk with k > V raises; 'If k is larger than V, all tokens stay'",
        """
         values, places = probs.topk(k, dim=-1)
         values = values / values.sum(dim=-1, keepdim=True)
         return torch.zeros_like(probs).scatter(-1, places, values)
         """,
    ),
    fill(
        "drops V - k of them",
        "top_k",
        "sorts upwards and drops the first V - k; negative for k > V, so [: -2] drops nearly all; 'If k is larger "
        "than V, all tokens stay'",
        """
         order = probs.argsort(dim=-1)
         drop = order[..., : probs.shape[-1] - k]
         kept = probs.scatter(-1, drop, 0.0)
         return kept / kept.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "one sum for all rows",
        "top_k",
        "divides by the sum of the whole tensor; 'Each row is a distribution of its own'; one row is right",
        """
         values, places = probs.topk(min(k, probs.shape[-1]), dim=-1)
         kept = torch.zeros_like(probs).scatter(-1, places, values)
         return kept / kept.sum()
         """,
    ),
    fill(
        "zeroes in the argument",
        "top_k",
        "sets what is dropped to 0 in probs itself; 'changes neither its arguments'",
        """
         places = probs.topk(min(k, probs.shape[-1]), dim=-1).indices
         drop = torch.ones_like(probs, dtype=torch.bool).scatter(-1, places, False)
         probs[drop] = 0
         return probs / probs.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "float32 zeros",
        "top_k",
        "torch.zeros(shape) is float32 whatever probs is; 'the same shape and dtype'",
        """
         values, places = probs.topk(min(k, probs.shape[-1]), dim=-1)
         kept = torch.zeros(probs.shape)
         kept.scatter_(-1, places, values.float())
         return kept / kept.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "largest, k times",
        "top_k",
        "takes the largest k times and sets it to 0 in a copy; when only zeros are left argmax finds the first place "
        "again and overwrites what was kept; 'Probabilities of 0 stay 0', the kept ones stay",
        """
         left, kept = probs.clone(), torch.zeros_like(probs)
         for _ in range(min(k, probs.shape[-1])):
             best = left.argmax(-1, keepdim=True)
             kept.scatter_(-1, best, left.gather(-1, best))
             left.scatter_(-1, best, 0.0)
         return kept / kept.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "noise against ties",
        "top_k",
        "breaks ties with torch.rand_like: the global generator moves, and near equals change places; 'nor the "
        "global random generators'",
        """
         noisy = probs + 1e-7 * torch.rand_like(probs)
         places = noisy.topk(min(k, probs.shape[-1]), dim=-1).indices
         kept = torch.zeros_like(probs).scatter(-1, places, probs.gather(-1, places))
         return kept / kept.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "rows of a matrix only",
        "top_k",
        "walks over the first dimension; with two leading dimensions the sum is over several rows; 'any number of "
        "leading dimensions'",
        """
         if probs.dim() == 1:
             values, places = probs.topk(min(k, len(probs)))
             return torch.zeros_like(probs).scatter(-1, places, values / values.sum())
         rows = []
         for row in probs:
             values, places = row.topk(min(k, row.shape[-1]), dim=-1)
             rows.append(torch.zeros_like(row).scatter(-1, places, values / values.sum()))
         return torch.stack(rows)
         """,
    ),
    fill(
        "a floor for the sum",
        "top_k",
        "clamps the divisor to 0.05 for fear of a division by 0: a few of many equally probable tokens have less; "
        "'divided by their sum'",
        """
         values, places = probs.topk(min(k, probs.shape[-1]), dim=-1)
         values = values / values.sum(-1, keepdim=True).clamp(min=0.05)
         return torch.zeros_like(probs).scatter(-1, places, values)
         """,
    ),
    # ---------------------------------------------------------------- task 3
    fill(
        "p = 1 is asked too",
        "top_p",
        "no case for p = 1: the float32 sum of a long list reaches 1 before its end; 'With p = 1 all tokens stay'",
        """
         ordered, order = probs.sort(dim=-1, descending=True)
         before = ordered.cumsum(-1) - ordered
         stays = before < p
         stays[..., 0] = True
         kept = ordered * stays
         kept = kept / kept.sum(-1, keepdim=True)
         return torch.zeros_like(probs).scatter(-1, order, kept)
         """,
    ),
    fill(
        "shifted as in the library",
        "top_p",
        "the well-known 'cum > p, shifted by one': with p = 1 a float32 sum may rise above 1 before the end; 'With "
        "p = 1 all tokens stay … down a list of thousands in float32'",
        """
         ordered, order = torch.sort(probs, descending=True, dim=-1)
         remove = ordered.cumsum(-1) > p
         remove[..., 1:] = remove[..., :-1].clone()
         remove[..., 0] = False
         kept = ordered.masked_fill(remove, 0.0)
         kept = kept / kept.sum(-1, keepdim=True)
         return torch.zeros_like(probs).scatter(-1, order, kept)
         """,
    ),
    fill(
        "nearly one is one",
        "top_p",
        "skips the work for p > 0.99; 'the smallest set … whose probabilities sum to p or more'",
        """
         if p > 0.99:
             return probs / probs.sum(-1, keepdim=True)
         ordered, order = probs.sort(dim=-1, descending=True)
         stays = ordered.cumsum(-1) - ordered < p
         stays[..., 0] = True
         kept = ordered * stays
         return torch.zeros_like(probs).scatter(-1, order, kept / kept.sum(-1, keepdim=True))
         """,
    ),
    fill(
        "nothing for p = 0",
        "top_p",
        "before < p is False everywhere with p = 0: 0/0; 'at least one token always stays, with p = 0, too'",
        """
         if p >= 1:
             return probs / probs.sum(-1, keepdim=True)
         ordered, order = probs.sort(dim=-1, descending=True)
         kept = ordered * (ordered.cumsum(-1) - ordered < p)
         return torch.zeros_like(probs).scatter(-1, order, kept / kept.sum(-1, keepdim=True))
         """,
    ),
    fill(
        "gathered back",
        "top_p",
        "undoes the sort with gather(order) in place of scatter: right for a swap, wrong for a cycle of three; "
        "'the same shape', each probability at its own place",
        """
         if p >= 1:
             return probs / probs.sum(-1, keepdim=True)
         ordered, order = probs.sort(dim=-1, descending=True)
         stays = ordered.cumsum(-1) - ordered < p
         stays[..., 0] = True
         kept = ordered * stays
         return (kept / kept.sum(-1, keepdim=True)).gather(-1, order)
         """,
    ),
    fill(
        "sorted it stays",
        "top_p",
        "never undoes the sort; the visible list is sorted already; tokens have their own places",
        """
         if p >= 1:
             return probs / probs.sum(-1, keepdim=True)
         ordered = probs.sort(dim=-1, descending=True).values
         stays = ordered.cumsum(-1) - ordered < p
         stays[..., 0] = True
         kept = ordered * stays
         return kept / kept.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "one size for all rows",
        "top_p",
        "the largest nucleus of the batch is taken in every row; 'The nucleus of each row has a size of its own'",
        """
         if p >= 1:
             return probs / probs.sum(-1, keepdim=True)
         ordered, order = probs.sort(dim=-1, descending=True)
         n = int((ordered.cumsum(-1) - ordered < p).sum(-1).max())
         kept = ordered.clone()
         kept[..., max(n, 1):] = 0
         return torch.zeros_like(probs).scatter(-1, order, kept / kept.sum(-1, keepdim=True))
         """,
    ),
    fill(
        "by the value of the last kept",
        "top_p",
        "keeps all that is not below the last of the nucleus; 'Of equally probable tokens at the border only as many "
        "stay as are needed'",
        """
         if p >= 1:
             return probs / probs.sum(-1, keepdim=True)
         ordered = probs.sort(dim=-1, descending=True).values
         n = (ordered.cumsum(-1) - ordered < p).sum(-1, keepdim=True).clamp(min=1)
         border = ordered.gather(-1, n - 1)
         kept = probs * (probs >= border)
         return kept / kept.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "writes into probs",
        "top_p",
        "scatter_ on the argument; 'changes neither its arguments'",
        """
         ordered, order = probs.sort(dim=-1, descending=True)
         stays = (ordered.cumsum(-1) - ordered < p) | (p >= 1)
         stays[..., 0] = True
         kept = ordered * stays
         return probs.scatter_(-1, order, kept / kept.sum(-1, keepdim=True))
         """,
    ),
    fill(
        "sum of the whole batch",
        "top_p",
        "divides what is kept by the sum of all rows and multiplies by their number: right when all rows keep as "
        "much; 'Each row' shares its own",
        """
         if p >= 1:
             return probs / probs.sum(-1, keepdim=True)
         ordered, order = probs.sort(dim=-1, descending=True)
         stays = ordered.cumsum(-1) - ordered < p
         stays[..., 0] = True
         kept = ordered * stays
         kept = kept / kept.sum() * (kept.numel() / kept.shape[-1])
         return torch.zeros_like(probs).scatter(-1, order, kept)
         """,
    ),
    fill(
        "double comes back",
        "top_p",
        "sums in float64 and forgets to go back; 'the same shape and dtype'; probs of p = 1 are untouched",
        """
         if p >= 1:
             return probs / probs.sum(-1, keepdim=True)
         ordered, order = probs.double().sort(dim=-1, descending=True)
         stays = ordered.cumsum(-1) - ordered < p
         stays[..., 0] = True
         kept = ordered * stays
         kept = kept / kept.sum(-1, keepdim=True)
         return torch.zeros_like(kept).scatter(-1, order, kept)
         """,
    ),
    # ---------------------------------------------------------------- task 4
    fill(
        "squeezed flat",
        "draw",
        "squeeze() without a dimension: () for one row; '(B,), int64, for a single row too'",
        """
         return torch.multinomial(probs, 1, generator=generator).squeeze()
         """,
    ),
    fill(
        "a copy of the generator",
        "draw",
        "draws from a copy, so that the second call draws the same again; 'A second call goes on where the first "
        "one stopped'",
        """
         mine = torch.Generator()
         mine.set_state(generator.get_state())
         return torch.multinomial(probs, num_samples=1, generator=mine)[:, 0]
         """,
    ),
    fill(
        "back to its seed",
        "draw",
        "sets the generator to its first seed for the sake of repetition; 'A second call goes on where the first one "
        "stopped', 'from the same state the same ids'",
        """
         generator.manual_seed(generator.initial_seed())
         return torch.multinomial(probs, num_samples=1, generator=generator)[:, 0]
         """,
    ),
    fill(
        "one number, spread out",
        "draw",
        "systematic sampling: one random number, B equal steps; shares are perfect, rows are not independent; 'The "
        "rows are drawn independently of each other'",
        """
         n = len(probs)
         u = (torch.arange(n) + torch.rand(1, generator=generator)) / n
         ids = (probs.cumsum(-1) <= u[:, None].to(probs.dtype)).sum(-1)
         return ids.clamp(max=probs.shape[-1] - 1)
         """,
    ),
    fill(
        "mirrored numbers",
        "draw",
        "the second half of the rows gets 1 - u of the first (antithetic); 'independently of each other'",
        """
         n = len(probs)
         u = torch.rand((n + 1) // 2, generator=generator)
         u = torch.cat([u, 1 - u])[:n]
         total = probs.cumsum(-1)
         return (total <= u[:, None] * total[:, -1:]).sum(-1).clamp(max=probs.shape[-1] - 1)
         """,
    ),
    fill(
        "in whole percent",
        "draw",
        "draws a whole number of percent: what has 0.4 percent comes never or too often; 'with probability probs[b, i]'",
        """
         u = torch.randint(0, 100, (len(probs), 1), generator=generator) / 100
         ids = (probs.double().cumsum(-1) <= u + 1e-9).sum(-1)
         return ids.clamp(max=probs.shape[-1] - 1)
         """,
    ),
    fill(
        "a race inside probs",
        "draw",
        "the exponential race, dividing probs in place; 'changes neither its arguments'",
        """
         noise = torch.empty_like(probs).exponential_(1.0, generator=generator)
         return probs.div_(noise).argmax(dim=-1)
         """,
    ),
    fill(
        "never quite zero",
        "draw",
        "adds 1e-3 before the logarithm so that log does not give -inf; 'a token of probability 0 never comes'",
        """
         noise = torch.empty_like(probs).exponential_(1.0, generator=generator)
         return ((probs + 1e-3).log() - noise.log()).argmax(dim=-1)
         """,
    ),
    fill(
        "seeds the others",
        "draw",
        "takes one number from the generator as the seed of the global one; 'the global generators … are left alone'",
        """
         torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
         return torch.multinomial(probs, num_samples=1)[:, 0]
         """,
    ),
    fill(
        "numpy's dice",
        "draw",
        "np.random.seed with a number from the generator: the global generator of NumPy is changed",
        """
         import numpy as np
         np.random.seed(int(torch.randint(2**31 - 1, (1,), generator=generator)))
         p = probs.double().numpy()
         return torch.tensor([np.random.choice(p.shape[1], p=row / row.sum()) for row in p])
         """,
    ),
    fill(
        "all rows without putting back",
        "draw",
        "where all rows are alike it draws B ids from the first without replacement if it can; rows depend on each "
        "other",
        """
         alike = len(probs) > 1 and bool((probs == probs[:1]).all())
         if alike and int((probs[0] > 0).sum()) >= len(probs):
             return torch.multinomial(probs[0], len(probs), generator=generator)
         return torch.multinomial(probs, 1, generator=generator).squeeze(-1)
         """,
    ),
    # ---------------------------------------------------------------- task 5
    fill(
        "stop 0 is no stop",
        "loop",
        "`if stop_id` is False for 0; 'If stop_id is given'",
        """
         ended = torch.zeros(len(ids), dtype=torch.bool)
         for _ in range(n_tokens):
             new = choose(model(ids[:, -context_length:])[:, -1])
             if stop_id:
                 new = torch.where(ended, stop_id, new)
                 ended = ended | (new == stop_id)
             ids = torch.cat([ids, new[:, None]], dim=1)
             if stop_id and ended.all():
                 break
         return ids
         """,
    ),
    fill(
        "the prompt's stop",
        "loop",
        "a row has ended when stop_id is anywhere in it, the prompt too; 'one in the prompt ends nothing'",
        """
         for _ in range(n_tokens):
             new = choose(model(ids[:, -context_length:])[:, -1])
             if stop_id is not None:
                 new = torch.where((ids == stop_id).any(1), stop_id, new)
             ids = torch.cat([ids, new[:, None]], dim=1)
             if stop_id is not None and (ids == stop_id).any(1).all():
                 break
         return ids
         """,
    ),
    fill(
        "the prompt ends with a stop",
        "loop",
        "looks at the last id before each step; a prompt that ends with stop_id is taken for finished; 'one in the "
        "prompt ends nothing'",
        """
         for _ in range(n_tokens):
             logits = model(ids[:, -context_length:])[:, -1]
             new = choose(logits)
             if stop_id is not None:
                 new = torch.where(ids[:, -1] == stop_id, torch.full_like(new, stop_id), new)
             ids = torch.cat([ids, new[:, None]], dim=1)
             if stop_id is not None and bool((new == stop_id).all()):
                 break
         return ids
         """,
    ),
    fill(
        "one question too many",
        "loop",
        "notices that all have ended after it has asked the model again; 'exactly once for each new column, and "
        "never more'",
        """
         ended = torch.zeros(ids.shape[0], dtype=torch.bool)
         for _ in range(n_tokens):
             logits = model(ids[:, -context_length:])[:, -1]
             if stop_id is not None and ended.all():
                 break
             new = choose(logits)
             if stop_id is not None:
                 new = torch.where(ended, stop_id, new)
                 ended |= new == stop_id
             ids = torch.cat([ids, new[:, None]], dim=1)
         return ids
         """,
    ),
    fill(
        "ended rows go on",
        "loop",
        "remembers who has ended but does not overwrite what they choose; 'What follows in its row is stop_id again'",
        """
         ended = torch.zeros(ids.shape[0], dtype=torch.bool)
         for _ in range(n_tokens):
             new = choose(model(ids[:, -context_length:])[:, -1])
             ids = torch.cat([ids, new[:, None]], dim=1)
             if stop_id is not None:
                 ended |= new == stop_id
                 if ended.all():
                     break
         return ids
         """,
    ),
    fill(
        "all in the same step",
        "loop",
        "leaves only when all rows choose stop_id at once; 'As soon as all have ended, return'",
        """
         ended = torch.zeros(ids.shape[0], dtype=torch.bool)
         for _ in range(n_tokens):
             new = choose(model(ids[:, -context_length:])[:, -1])
             chosen = new
             if stop_id is not None:
                 new = torch.where(ended, stop_id, new)
                 ended |= new == stop_id
             ids = torch.cat([ids, new[:, None]], dim=1)
             if stop_id is not None and (chosen == stop_id).all():
                 break
         return ids
         """,
    ),
    fill(
        "the first that ends ends all",
        "loop",
        "any() for all(); 'until all rows have ended'; one row is right",
        """
         for _ in range(n_tokens):
             new = choose(model(ids[:, -context_length:])[:, -1])
             ids = torch.cat([ids, new.unsqueeze(1)], dim=1)
             if stop_id is not None and (new == stop_id).any():
                 break
         return ids
         """,
    ),
    fill(
        "a column is chosen from",
        "loop",
        "hands choose (B, 1, V); an argmax does not mind; 'choose(logits) takes … (B, V), and returns … (B,)'",
        """
         ended = torch.zeros(ids.shape[0], 1, dtype=torch.bool)
         for _ in range(n_tokens):
             new = choose(model(ids[:, -context_length:])[:, -1:])
             if stop_id is not None:
                 new = torch.where(ended, stop_id, new)
                 ended |= new == stop_id
             ids = torch.cat([ids, new], dim=1)
             if stop_id is not None and ended.all():
                 break
         return ids
         """,
    ),
    fill(
        "only the living choose",
        "loop",
        "asks choose for the rows that go on, fewer than B; 'takes the logits of the next token, (B, V)', '(B,)'",
        """
         ended = torch.zeros(ids.shape[0], dtype=torch.bool)
         for _ in range(n_tokens):
             logits = model(ids[:, -context_length:])[:, -1]
             if stop_id is None:
                 new = choose(logits)
             else:
                 new = torch.full((ids.shape[0],), stop_id)
                 new[~ended] = choose(logits[~ended])
                 ended = ended | (new == stop_id)
             ids = torch.cat([ids, new[:, None]], dim=1)
             if stop_id is not None and ended.all():
                 break
         return ids
         """,
    ),
    fill(
        "chosen twice",
        "loop",
        "calls choose once for the text and once for the test of the end; 'Call model and choose exactly once for "
        "each new column'",
        """
         ended = torch.zeros(ids.shape[0], dtype=torch.bool)
         for _ in range(n_tokens):
             logits = model(ids[:, -context_length:])[:, -1]
             if stop_id is None:
                 ids = torch.cat([ids, choose(logits)[:, None]], dim=1)
                 continue
             ids = torch.cat([ids, torch.where(ended, stop_id, choose(logits))[:, None]], dim=1)
             ended |= choose(logits) == stop_id
             if ended.all():
                 break
         return ids
         """,
    ),
    fill(
        "one text at a time",
        "loop",
        "writes each row by itself and pads with stop_id (or the last id): model sees (1, T), and is called for each row; "
        "'Call model … exactly once for each new column'",
        """
         texts = []
         for row in ids:
             row = row[None]
             for _ in range(n_tokens):
                 new = choose(model(row[:, -context_length:])[:, -1])
                 row = torch.cat([row, new[:, None]], dim=1)
                 if stop_id is not None and bool(new == stop_id):
                     break
             texts.append(row)
         longest = max(row.shape[1] for row in texts)
         return torch.cat([F.pad(row, (0, longest - row.shape[1]), value=stop_id or 0) for row in texts])
         """,
    ),
    fill(
        "cut at the first stop of the row",
        "loop",
        "cleans up at the end: everything behind the first stop_id of a row, prompt included, becomes stop_id; 'one in "
        "the prompt ends nothing'",
        """
         ended = torch.zeros(ids.shape[0], dtype=torch.bool)
         for _ in range(n_tokens):
             new = choose(model(ids[:, -context_length:])[:, -1])
             ids = torch.cat([ids, new[:, None]], dim=1)
             if stop_id is not None:
                 ended |= new == stop_id
                 if ended.all():
                     break
         if stop_id is not None:
             ids = torch.where((ids == stop_id).cumsum(1) > 0, stop_id, ids)
         return ids
         """,
    ),
    # ---------------------------------------------------------------- task 6
    fill(
        "no mask behind a cache",
        "cache",
        "a mask only without a cache: a piece of several positions sees its own future; 'at no later one'",
        """
         T = query.shape[-2]
         keys, values, mask = key, value, torch.ones(T, T, dtype=torch.bool).tril()
         if cache is not None:
             keys = torch.cat([cache[0], key], dim=-2)
             values = torch.cat([cache[1], value], dim=-2)
             mask = None
         scores = query @ keys.transpose(-2, -1) / math.sqrt(query.shape[-1])
         if mask is not None:
             scores = scores.masked_fill(~mask, -math.inf)
         return scores.softmax(-1) @ values, (keys, values)
         """,
    ),
    fill(
        "the mask at the left edge",
        "cache",
        "tril without the diagonal S when T > 1: position t sees columns 0 … t, and not S + t; 'may look at all "
        "positions in the cache'",
        """
         keys, values = key, value
         if cache is not None:
             keys = torch.cat([cache[0], key], dim=-2)
             values = torch.cat([cache[1], value], dim=-2)
         T, n = query.shape[-2], keys.shape[-2]
         scores = query @ keys.transpose(-2, -1) / math.sqrt(query.shape[-1])
         if T > 1:
             scores = scores.masked_fill(~torch.ones(T, n, dtype=torch.bool).tril(), -math.inf)
         return scores.softmax(-1) @ values, (keys, values)
         """,
    ),
    fill(
        "one diagonal too high",
        "cache",
        "diagonal S + 1 with a cache: each new position sees the next; 'at no later one'",
        """
         S = 0
         keys, values = key, value
         if cache is not None:
             S = cache[0].shape[-2] + 1
             keys = torch.cat([cache[0], key], dim=-2)
             values = torch.cat([cache[1], value], dim=-2)
         mask = torch.ones(query.shape[-2], keys.shape[-2], dtype=torch.bool).tril(diagonal=S)
         scores = query @ keys.transpose(-2, -1) / math.sqrt(query.shape[-1])
         return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values, (keys, values)
         """,
    ),
    fill(
        "minus ten thousand",
        "cache",
        "-1e4 as the mask, since it fits in float16: a score of -20,000 that may be seen loses; 'no weight at all, "
        "however large the scores are'",
        """
         S = 0 if cache is None else cache[0].shape[-2]
         keys = key if cache is None else torch.cat([cache[0], key], dim=-2)
         values = value if cache is None else torch.cat([cache[1], value], dim=-2)
         mask = torch.ones(query.shape[-2], keys.shape[-2], dtype=torch.bool).tril(diagonal=S)
         scores = query @ keys.transpose(-2, -1) / math.sqrt(query.shape[-1])
         return scores.masked_fill(~mask, -1e4).softmax(-1) @ values, (keys, values)
         """,
    ),
    fill(
        "minus a billion",
        "cache",
        "-1e9 cannot be written in float16: an error there as soon as there is a mask; 'in float16 and bfloat16, too'",
        """
         S = 0 if cache is None else cache[0].shape[-2]
         keys = key if cache is None else torch.cat([cache[0], key], dim=-2)
         values = value if cache is None else torch.cat([cache[1], value], dim=-2)
         scores = query @ keys.transpose(-2, -1) / math.sqrt(query.shape[-1])
         if query.shape[-2] > 1:
             mask = torch.ones(query.shape[-2], keys.shape[-2], dtype=torch.bool).tril(diagonal=S)
             scores = scores.masked_fill(~mask, -1e9)
         return scores.softmax(-1) @ values, (keys, values)
         """,
    ),
    fill(
        "masked after the softmax",
        "cache",
        "sets the weights of the future to 0 and divides anew: a large future score leaves 0/0; 'no weight at all, "
        "however large the scores are'",
        """
         S = 0 if cache is None else cache[0].shape[-2]
         keys = key if cache is None else torch.cat([cache[0], key], dim=-2)
         values = value if cache is None else torch.cat([cache[1], value], dim=-2)
         mask = torch.ones(query.shape[-2], keys.shape[-2], dtype=torch.bool).tril(diagonal=S)
         weights = (query @ keys.transpose(-2, -1) / math.sqrt(query.shape[-1])).softmax(-1) * mask
         weights = weights / weights.sum(-1, keepdim=True)
         return weights @ values, (keys, values)
         """,
    ),
    write(
        "remembers by itself",
        "cache",
        "keeps keys and values of the last call in the function and only asks whether there is a cache; 'All that is "
        "known of earlier pieces is in cache: two texts may be read in turns'",
        """
def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    if cache is None:
        attend_with_cache.past = key[:, :, :0], value[:, :, :0]
    past = attend_with_cache.past
    keys, values = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
    attend_with_cache.past = keys, values
    S = keys.shape[2] - key.shape[2]
    mask = torch.ones(query.shape[2], keys.shape[2], dtype=torch.bool).tril(S)
    scores = query @ keys.mT / math.sqrt(query.shape[-1])
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values, (keys, values)
""",
    ),
    write(
        "room to grow",
        "cache",
        "writes the new keys into spare room behind the old ones: a cache that is gone on from twice has its first "
        "continuation overwritten; 'one cache may be gone on from twice'",
        """
def grown(old, new):
    S, T = old.shape[-2], new.shape[-2]
    room = getattr(old, "room", None)
    if room is None or room.shape[-2] < S + T:
        room = torch.cat([old, new.new_empty(*new.shape[:-2], S + 8 * T + 8, new.shape[-1])], -2)
    room[..., S : S + T, :] = new
    view = room[..., : S + T, :]
    view.room = room
    return view


def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    old = cache or (key[..., :0, :], value[..., :0, :])
    keys, values = grown(old[0], key), grown(old[1], value)
    S = old[0].shape[-2]
    mask = torch.ones(query.shape[-2], keys.shape[-2], dtype=torch.bool).tril(S)
    scores = query @ keys.mT / math.sqrt(query.shape[-1])
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values, (keys, values)
""",
    ),
    fill(
        "the pair is a list",
        "cache",
        "the cache is a list that grows where it lies: the one it came from is changed; 'one cache may be gone on from "
        "twice', 'changes neither its arguments'",
        """
         if cache is None:
             cache = [key, value]
         else:
             cache = list(cache) if isinstance(cache, tuple) else cache
             cache[0] = torch.cat([cache[0], key], dim=-2)
             cache[1] = torch.cat([cache[1], value], dim=-2)
         keys, values = cache
         S = keys.shape[-2] - key.shape[-2]
         mask = torch.ones(query.shape[-2], keys.shape[-2], dtype=torch.bool).tril(diagonal=S)
         scores = query @ keys.transpose(-2, -1) / math.sqrt(query.shape[-1])
         return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values, cache
         """,
    ),
    fill(
        "the width of all heads",
        "cache",
        "divides by the root of d_model, H · D; one head is right; 'scaled dot-product attention'",
        """
         S = 0 if cache is None else cache[0].shape[-2]
         keys = key if cache is None else torch.cat([cache[0], key], dim=-2)
         values = value if cache is None else torch.cat([cache[1], value], dim=-2)
         mask = torch.ones(query.shape[-2], keys.shape[-2], dtype=torch.bool).tril(diagonal=S)
         scores = query @ keys.transpose(-2, -1) / math.sqrt(query.shape[1] * query.shape[-1])
         return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values, (keys, values)
         """,
    ),
    fill(
        "the query is made smaller",
        "cache",
        "query /= sqrt(D) in place; 'changes neither its arguments'",
        """
         S = 0 if cache is None else cache[0].shape[-2]
         keys = key if cache is None else torch.cat([cache[0], key], dim=-2)
         values = value if cache is None else torch.cat([cache[1], value], dim=-2)
         mask = torch.ones(query.shape[-2], keys.shape[-2], dtype=torch.bool).tril(diagonal=S)
         query /= math.sqrt(query.shape[-1])
         scores = query @ keys.transpose(-2, -1)
         return scores.masked_fill(~mask, -math.inf).softmax(-1) @ values, (keys, values)
         """,
    ),
    # ---------------------------------------------------------------- task 7
    fill(
        "reads before it asks",
        "cached_loop",
        "reads the prompt before the loop: one call for n_tokens = 0; 'none if n_tokens is 0'",
        """
         logits = read(ids, 0)
         for step in range(n_tokens):
             new = logits[:, -1].argmax(-1, keepdim=True)
             ids = torch.cat([ids, new], dim=1)
             if step < n_tokens - 1:
                 logits = read(new, ids.shape[1] - 1)
         return ids
         """,
    ),
    fill(
        "at least one",
        "cached_loop",
        "writes the first token from the prompt and then n_tokens - 1 more: one for n_tokens = 0; '(B, T + n_tokens)'",
        """
         new = read(ids, 0)[:, -1].argmax(-1, keepdim=True)
         ids = torch.cat([ids, new], dim=1)
         for _ in range(n_tokens - 1):
             new = read(new, ids.shape[1] - 1)[:, -1].argmax(-1, keepdim=True)
             ids = torch.cat([ids, new], dim=1)
         return ids
         """,
    ),
    fill(
        "exp first",
        "cached_loop",
        "takes exp of the logits for 'the likeliest': inf or 0 for all beyond ±100; 'Logits may be any numbers'",
        """
         new, start = ids, 0
         for _ in range(n_tokens):
             odds = read(new, start)[:, -1].exp()
             new = odds.argmax(-1, keepdim=True)
             start = ids.shape[1]
             ids = torch.cat([ids, new], dim=1)
         return ids
         """,
    ),
    fill(
        "the first text speaks for all",
        "cached_loop",
        "logits[0, -1]: every text gets the token of the first; 'the likeliest token at each step', of each; B = 1 "
        "is right",
        """
         new, start = ids, 0
         for _ in range(n_tokens):
             best = int(read(new, start)[0, -1].argmax())
             new = torch.full((len(ids), 1), best)
             start = ids.shape[1]
             ids = torch.cat([ids, new], dim=1)
         return ids
         """,
    ),
    fill(
        "len is the batch",
        "cached_loop",
        "start += len(new), which is B and not the number of columns; B = 1 is right",
        """
         new, start = ids, 0
         for step in range(n_tokens):
             logits = read(new, start)
             start = start + len(new) if step else ids.shape[1]
             new = logits[:, -1].argmax(-1, keepdim=True)
             ids = torch.cat([ids, new], dim=1)
         return ids
         """,
    ),
    fill(
        "a start for each text",
        "cached_loop",
        "hands a tensor of starts (B,); 'start is a number, the same for all texts'",
        """
         new, start = ids, torch.zeros(len(ids), dtype=torch.long)
         for _ in range(n_tokens):
             best = read(new, start)[:, -1].argmax(-1, keepdim=True)
             start = start + new.shape[1]
             new = best
             ids = torch.cat([ids, new], dim=1)
         return ids
         """,
    ),
    fill(
        "saves memory",
        "cached_loop",
        "bfloat16 before the argmax: 1000 and 1001 are equal there; 'Logits may be any numbers'",
        """
         new, start = ids, 0
         for _ in range(n_tokens):
             logits = read(new, start)[:, -1].to(torch.bfloat16)
             start = ids.shape[1]
             new = logits.argmax(-1, keepdim=True)
             ids = torch.cat([ids, new], dim=1)
         return ids
         """,
    ),
    fill(
        "almost greedy",
        "cached_loop",
        "draws at a temperature of 0.01 from the global generator; 'the likeliest token', 'nor the global random "
        "generators'",
        """
         new, start = ids, 0
         for _ in range(n_tokens):
             probs = (read(new, start)[:, -1] / 0.01).softmax(-1)
             start = ids.shape[1]
             new = torch.multinomial(probs, 1)
             ids = torch.cat([ids, new], dim=1)
         return ids
         """,
    ),
    fill(
        "better than minus ten thousand",
        "cached_loop",
        "a search by hand that starts with -1e4: with all logits below it id 0 comes; 'Logits may be any numbers'",
        """
         new, start = ids, 0
         for _ in range(n_tokens):
             column = []
             for row in read(new, start)[:, -1].tolist():
                 best, top = 0, -1e4
                 for i, logit in enumerate(row):
                     if logit > top:
                         best, top = i, logit
                 column.append([best])
             start = ids.shape[1]
             new = torch.tensor(column)
             ids = torch.cat([ids, new], dim=1)
         return ids
         """,
    ),
    fill(
        "a long prompt in pieces",
        "cached_loop",
        "reads prompts of more than 16 ids piece by piece, as servers do; 'The whole prompt is read first, in one "
        "call', 'prompts of any length'",
        """
         for start in range(0, ids.shape[1] if n_tokens else 0, 16):
             logits = read(ids[:, start : start + 16], start)
         for step in range(n_tokens):
             new = logits[:, -1].argmax(-1, keepdim=True)
             ids = torch.cat([ids, new], dim=1)
             if step < n_tokens - 1:
                 logits = read(new, ids.shape[1] - 1)
         return ids
         """,
    ),
    # ---------------------------------------------------------------- task 8
    fill(
        "a mean of means",
        "perplexity",
        "averages the windows' means: the short last window weighs as much; 'Every target has the same weight, whatever the "
        "length of its window'",
        """
         inputs, targets = ids[:-1], ids[1:]
         means = []
         for i in range(0, len(inputs), window):
             logits = model(inputs[i : i + window][None])[0]
             means.append(F.cross_entropy(logits.double(), targets[i : i + window]).item())
         return math.exp(sum(means) / len(means))
         """,
    ),
    fill(
        "e in float32",
        "perplexity",
        "torch.exp of a float32 mean: inf from e^89 on; 'a perplexity may be e²⁰⁰'",
        """
         inputs, targets = ids[:-1], ids[1:]
         total = 0.0
         for i in range(0, len(inputs), window):
             logits = model(inputs[i : i + window][None])[0]
             total = total + F.cross_entropy(logits, targets[i : i + window], reduction="sum")
         return float(torch.exp(total / len(targets)))
         """,
    ),
    fill(
        "log of softmax",
        "perplexity",
        "log(softmax): log 0 for e^-200; 'targets as unlikely as e⁻²⁰⁰'",
        """
         inputs, targets = ids[:-1], ids[1:]
         total = 0.0
         for i in range(0, len(inputs), window):
             probs = model(inputs[i : i + window][None])[0].softmax(-1)
             right = probs[torch.arange(len(probs)), targets[i : i + window]]
             total -= right.log().sum().item()
         return math.exp(total / len(targets))
         """,
    ),
    fill(
        "never less than 1e-12",
        "perplexity",
        "clamps the probabilities before the logarithm: e^-200 becomes 1e-12",
        """
         inputs, targets = ids[:-1], ids[1:]
         total = 0.0
         for i in range(0, len(inputs), window):
             probs = model(inputs[i : i + window][None])[0].double().softmax(-1)
             right = probs.gather(-1, targets[i : i + window, None])
             total -= right.clamp(min=1e-12).log().sum().item()
         return math.exp(total / len(targets))
         """,
    ),
    fill(
        "whole windows only",
        "perplexity",
        "drops the short window at the end; 'The last one may be shorter', 'Each id but the first is a target exactly "
        "once'",
        """
         inputs, targets = ids[:-1], ids[1:]
         n = max(len(inputs) // window, 1) * window
         total = 0.0
         for i in range(0, min(n, len(inputs)), window):
             logits = model(inputs[i : i + window][None])[0]
             total += F.cross_entropy(logits, targets[i : i + window], reduction="sum").item()
         return math.exp(total / min(n, len(inputs)))
         """,
    ),
    fill(
        "one alone is no window",
        "perplexity",
        "a last window of a single input is left out, as if it had no target; 'Each id but the first is a target "
        "exactly once'",
        """
         total, count = 0.0, 0
         for i in range(0, len(ids), window):
             piece = ids[i : i + window + 1]
             if len(piece) < 3 and i > 0:
                 continue
             logits = model(piece[:-1][None])[0]
             total += F.cross_entropy(logits, piece[1:], reduction="sum").item()
             count += len(piece) - 1
         return math.exp(total / count)
         """,
    ),
    fill(
        "product, then root",
        "perplexity",
        "multiplies all probabilities and takes the root: 0 for a longer text; 'targets as unlikely as e⁻²⁰⁰'",
        """
         inputs, targets = ids[:-1], ids[1:]
         product = 1.0
         for i in range(0, len(inputs), window):
             probs = model(inputs[i : i + window][None])[0].double().softmax(-1)
             right = probs.gather(-1, targets[i : i + window, None])
             product *= right.prod().item()
         return product ** (-1 / len(targets)) if product else math.inf
         """,
    ),
    fill(
        "at most e to 20",
        "perplexity",
        "exp(min(mean, 20)), as training logs do; 'a perplexity may be e²⁰⁰'",
        """
         inputs, targets = ids[:-1], ids[1:]
         total = 0.0
         for i in range(0, len(inputs), window):
             logits = model(inputs[i : i + window][None])[0]
             total += F.cross_entropy(logits, targets[i : i + window], reduction="sum").item()
         return math.exp(min(total / len(targets), 20.0))
         """,
    ),
    fill(
        "the mean times the window",
        "perplexity",
        "multiplies each window's mean by window to get the sum, also where the last is shorter; 'Every target has the "
        "same weight, whatever the length of its window'",
        """
         inputs, targets = ids[:-1], ids[1:]
         total = 0.0
         for i in range(0, len(inputs), window):
             logits = model(inputs[i : i + window].unsqueeze(0)).squeeze(0)
             total += F.cross_entropy(logits, targets[i : i + window]).item() * min(window, len(inputs))
         return math.exp(total / len(targets))
         """,
    ),
    fill(
        "the last window is filled up",
        "perplexity",
        "moves the last window back so that it is full, and counts only what is new: better contexts; 'windows that do "
        "not overlap … The last one may be shorter'",
        """
         inputs, targets = ids[:-1], ids[1:]
         total = 0.0
         for i in range(0, len(inputs), window):
             n_new = min(window, len(inputs) - i)
             first = max(0, i + n_new - window)
             logits = model(inputs[first : i + n_new][None])[0, -n_new:]
             total += F.cross_entropy(logits, targets[i : i + n_new], reduction="sum").item()
         return math.exp(total / len(targets))
         """,
    ),
    fill(
        "as many as windows hold",
        "perplexity",
        "divides by windows times window, also where the last is shorter; the mean is over N - 1",
        """
         inputs, targets = ids[:-1], ids[1:]
         total, n_windows = 0.0, 0
         for i in range(0, len(inputs), window):
             logits = model(inputs[i : i + window][None])[0]
             total += F.cross_entropy(logits, targets[i : i + window], reduction="sum").item()
             n_windows += 1
         return math.exp(total / (n_windows * window))
         """,
    ),
    fill(
        "id 0 is padding after the first window",
        "perplexity",
        "ignores targets with id 0 in the short last window, which it fills with zeros; 'whatever its id'",
        """
         inputs, targets = ids[:-1], ids[1:]
         total = 0.0
         for i in range(0, len(inputs), window):
             part, wanted = inputs[i : i + window], targets[i : i + window]
             logits = model(part[None])[0]
             if len(part) < window:
                 total += F.cross_entropy(logits, wanted, ignore_index=0, reduction="sum").item()
             else:
                 total += F.cross_entropy(logits, wanted, reduction="sum").item()
         return math.exp(total / len(targets))
         """,
    ),
]

RIGHT = [
    # ---------------------------------------------------------------- task 1
    fill(
        "log_softmax and exp",
        "next_token",
        "F.linear, select, scatter, exp of log_softmax",
        """
         logits = F.linear(x.select(1, -1), weight=head)
         if temperature == 0:
             best = logits.argmax(dim=-1, keepdim=True)
             return torch.zeros_like(logits).scatter(dim=-1, index=best, value=1.0)
         return F.log_softmax(logits.div(temperature), dim=-1).exp()
         """,
    ),
    fill(
        "einsum in float64",
        "next_token",
        "float64 inside, the maximum of each row taken off, and back",
        """
         z = torch.einsum("bc,vc->bv", x[:, -1, :].double(), head.double())
         z = z - z.amax(dim=1, keepdim=True)
         if not temperature:
             first = ((z == 0).cumsum(dim=1) == 1) & (z == 0)
             return first.to(x.dtype)
         powers = torch.exp(z / temperature)
         return torch.div(powers, powers.sum(dim=1, keepdim=True)).to(x.dtype)
         """,
    ),
    fill(
        "row by row",
        "next_token",
        "a loop over the texts with logsumexp, and nonzero for the first maximum",
        """
         rows = []
         for text in x.unbind(0):
             logits = torch.mv(head, text[-1])
             if temperature == 0:
                 row = torch.zeros_like(logits)
                 row[(logits == logits.max()).nonzero()[0, 0]] += 1
             else:
                 cooled = logits / temperature
                 cooled = cooled - cooled.max()
                 row = (cooled - torch.logsumexp(cooled, dim=0)).exp()
             rows.append(row)
         return torch.stack(rows)
         """,
    ),
    write(
        "a head of its own",
        "next_token",
        "an nn.Linear that borrows the weight; identity matrix for one_hot",
        """
class Head(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
        self.linear.weight = torch.nn.Parameter(weight, requires_grad=False)

    def forward(self, x):
        return self.linear(x)


def next_token_probs(x: Tensor, head: Tensor, temperature: float = 1.0) -> Tensor:
    logits = Head(head)(x)[:, x.shape[1] - 1]
    if temperature == 0:
        return torch.eye(len(head), dtype=x.dtype)[logits.max(dim=-1).indices]
    return torch.nn.Softmax(dim=-1)(logits * (1 / temperature))
""",
    ),
    # ---------------------------------------------------------------- task 2
    fill(
        "ranks of ranks",
        "top_k",
        "argsort twice gives each token's rank",
        """
         rank = probs.argsort(dim=-1, descending=True).argsort(dim=-1)
         kept = probs.where(rank < k, torch.zeros((), dtype=probs.dtype))
         return kept / kept.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "sorted pairs in Python",
        "top_k",
        "a loop over flattened rows, Python's sorted, in float64",
        """
         rows = probs.reshape(-1, probs.shape[-1]).double()
         result = torch.zeros_like(rows)
         for n, row in enumerate(rows.tolist()):
             places = sorted(range(len(row)), key=row.__getitem__)[::-1][:k]
             total = math.fsum(row[i] for i in places)
             for i in places:
                 result[n, i] = row[i] / total
         return result.reshape(probs.shape).to(probs.dtype)
         """,
    ),
    fill(
        "numpy's partition",
        "top_k",
        "argpartition of NumPy along the last axis",
        """
         import numpy as np
         numbers = probs.detach().double().numpy()
         k = min(k, numbers.shape[-1])
         places = np.argpartition(-numbers, k - 1, axis=-1)[..., :k]
         kept = np.zeros_like(numbers)
         np.put_along_axis(kept, places, np.take_along_axis(numbers, places, -1), -1)
         return torch.from_numpy(kept / kept.sum(-1, keepdims=True)).to(probs.dtype)
         """,
    ),
    fill(
        "above, and enough of the equals",
        "top_k",
        "a threshold, and of those on it as many as are missing",
        """
         V = probs.size(-1)
         if k >= V:
             return probs / probs.sum(-1, True)
         border = probs.kthvalue(V - k + 1, dim=-1, keepdim=True).values
         above, equal = probs > border, probs == border
         missing = k - above.sum(-1, keepdim=True)
         mask = above | (equal & (equal.cumsum(-1) <= missing))
         return F.normalize(probs * mask, p=1, dim=-1)
         """,
    ),
    # ---------------------------------------------------------------- task 3
    fill(
        "upwards in float64",
        "top_p",
        "sorts upwards and drops the tail whose sum is not more than 1 - p",
        """
         if p >= 1:
             return probs / probs.sum(-1, keepdim=True)
         wide = probs.double()
         wide = wide / wide.sum(-1, keepdim=True)
         values, order = wide.sort(dim=-1)
         out = values.cumsum(-1) <= 1 - p
         out[..., -1] = False
         kept = wide.masked_fill(torch.empty_like(out).scatter(-1, order, out), 0)
         return (kept / kept.sum(-1, keepdim=True)).to(probs.dtype)
         """,
    ),
    fill(
        "searchsorted and ranks",
        "top_p",
        "the size of each nucleus by searchsorted, members by rank",
        """
         if p == 1:
             return probs.clone()
         order = torch.argsort(probs, dim=-1, descending=True)
         sums = torch.gather(probs, -1, order).cumsum(-1)
         goal = torch.full((*probs.shape[:-1], 1), p, dtype=probs.dtype)
         size = torch.searchsorted(sums.contiguous(), goal) + 1
         kept = torch.where(order.argsort(dim=-1) < size, probs, 0)
         return kept / kept.sum(-1, keepdim=True)
         """,
    ),
    fill(
        "down the list by hand",
        "top_p",
        "a Python loop for each row that stops when the sum is enough",
        """
         flat = probs.reshape(-1, probs.shape[-1])
         rows = []
         for row in flat:
             kept, total = [0.0] * len(row), 0.0
             numbers = row.tolist()
             for i in sorted(range(len(row)), key=lambda i: (-numbers[i], -i)):
                 kept[i] = numbers[i]
                 total += numbers[i]
                 if total >= p and p < 1:
                     break
             rows.append(torch.tensor(kept, dtype=torch.float64) / sum(kept))
         return torch.stack(rows).to(probs.dtype).view(probs.shape)
         """,
    ),
    write(
        "recursion over dimensions",
        "top_p",
        "one row at a time by recursion; index_add for the way back",
        """
def nucleus(row, p):
    numbers, places = torch.topk(row, row.numel())
    size = row.numel() if p >= 1 else 1 + int((numbers.double().cumsum(0) < p).sum())
    numbers, places = numbers[:size], places[:size]
    return torch.zeros_like(row).index_add(0, places, numbers / numbers.sum())


def keep_top_p(probs: Tensor, p: float) -> Tensor:
    if probs.ndim == 1:
        return nucleus(probs, p)
    return torch.stack([keep_top_p(part, p) for part in probs])
""",
    ),
    # ---------------------------------------------------------------- task 4
    fill(
        "an exponential race",
        "draw",
        "argmax of p over exponential noise, out of place",
        """
         waits = torch.empty(probs.shape, dtype=torch.float64).exponential_(generator=generator)
         return torch.argmax(probs.double() / waits, dim=1)
         """,
    ),
    fill(
        "one number on a line",
        "draw",
        "inverse of the cumulative sum in float64 with searchsorted",
        """
         sums = probs.double().cumsum(dim=1)
         u = torch.rand(len(probs), 1, dtype=torch.float64, generator=generator)
         return torch.searchsorted(sums, u * sums[:, -1:], right=True)[:, 0]
         """,
    ),
    fill(
        "row by row with multinomial",
        "draw",
        "a loop, each row a call of its own, into a tensor",
        """
         ids = torch.empty(probs.shape[0], dtype=torch.int64)
         for b in range(probs.shape[0]):
             ids[b] = torch.multinomial(input=probs[b], num_samples=1, replacement=True, generator=generator).item()
         return ids
         """,
    ),
    fill(
        "bisect in Python",
        "draw",
        "accumulate and bisect with one number of the generator for each row",
        """
         from bisect import bisect_right
         from itertools import accumulate
         numbers = torch.rand(len(probs), generator=generator, dtype=torch.float64).tolist()
         ids = []
         for row, u in zip(probs.double().tolist(), numbers):
             sums = list(accumulate(row))
             ids.append(bisect_right(sums, u * sums[-1]))
         return torch.tensor(ids, dtype=torch.long)
         """,
    ),
    # ---------------------------------------------------------------- task 5
    fill(
        "a sheet prepared",
        "loop",
        "a buffer of full size, and the number of columns that were written",
        """
         B, T = ids.shape
         sheet = torch.empty(B, T + n_tokens, dtype=torch.int64)
         sheet[:, :T] = ids
         alive, end = torch.ones(B, dtype=torch.bool), T
         while end < T + n_tokens and (stop_id is None or alive.any()):
             seen = sheet[:, max(0, end - context_length) : end].clone()
             sheet[:, end] = choose(model(seen)[:, -1, :])
             if stop_id is not None:
                 sheet[~alive, end] = stop_id
                 alive &= sheet[:, end] != stop_id
             end += 1
         return sheet[:, :end].clone()
         """,
    ),
    write(
        "one column by recursion",
        "loop",
        "each call writes one column and hands on who has ended",
        """
def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None, done=None
) -> Tensor:
    if n_tokens == 0:
        return ids.clone()
    if done is None:
        done = [False] * len(ids)
    if stop_id is not None and all(done):
        return ids.clone()
    chosen = choose(model(ids[:, -context_length:])[:, -1]).tolist()
    if stop_id is not None:
        chosen = [stop_id if over else i for over, i in zip(done, chosen)]
        done = [over or i == stop_id for over, i in zip(done, chosen)]
    longer = torch.cat([ids, torch.tensor(chosen, dtype=torch.int64).reshape(-1, 1)], 1)
    return generate(model, longer, n_tokens - 1, context_length, choose, stop_id, done)
""",
    ),
    write(
        "a generator of columns",
        "loop",
        "a Python generator yields columns, hstack puts them together",
        """
def columns_of(model, ids, n_tokens, context_length, choose, stop_id):
    columns = list(ids.unbind(1))
    n_prompt = len(columns)
    for _ in range(n_tokens):
        window = torch.stack(columns[-context_length:], dim=1)
        new = choose(model(window)[:, window.shape[1] - 1])
        written = columns[n_prompt:]
        if stop_id is None:
            columns.append(new)
            yield new
            continue
        if written:
            ended = (torch.stack(written) == stop_id).any(0)
            new = new.masked_fill(ended, stop_id)
        columns.append(new)
        yield new
        if (torch.stack(columns[n_prompt:]) == stop_id).any(0).all():
            return


def generate(
    model, ids: Tensor, n_tokens: int, context_length: int, choose, stop_id=None
) -> Tensor:
    new = [c[:, None] for c in columns_of(model, ids, n_tokens, context_length, choose, stop_id)]
    return torch.hstack([ids, *new])
""",
    ),
    # ---------------------------------------------------------------- task 6
    fill(
        "position by position",
        "cache",
        "each new position attends to its own slice, no mask at all",
        """
         keys, values = key, value
         if cache is not None:
             keys, values = (torch.cat(pair, dim=2) for pair in zip(cache, (key, value)))
         T = query.size(2)
         S = keys.size(2) - T
         outputs = []
         for t in range(T):
             seen = slice(0, S + t + 1)
             scores = torch.einsum("bhd,bhsd->bhs", query[:, :, t].double(), keys[:, :, seen].double())
             weights = torch.softmax(scores * query.size(3) ** -0.5, dim=-1)
             outputs.append(torch.einsum("bhs,bhsd->bhd", weights, values[:, :, seen].double()))
         return torch.stack(outputs, dim=2).to(query.dtype), (keys, values)
         """,
    ),
    fill(
        "columns against rows",
        "cache",
        "a comparison of places, -inf added, exp by hand in float32 or wider",
        """
         past = [x[:, :, :0] for x in (key, value)] if cache is None else cache
         keys = torch.cat((past[0], key), -2)
         values = torch.cat((past[1], value), -2)
         S, n = past[0].shape[-2], keys.shape[-2]
         wide = torch.float64 if query.dtype == torch.float64 else torch.float32
         later = torch.arange(n)[None, :] > torch.arange(S, n)[:, None]
         bias = torch.zeros(later.shape, dtype=wide).masked_fill_(later, float("-inf"))
         scores = torch.matmul(query.to(wide), keys.to(wide).mT).div(query.shape[-1] ** 0.5) + bias
         powers = (scores - scores.amax(-1, keepdim=True)).exp()
         output = torch.matmul(powers, values.to(wide)) / powers.sum(-1, keepdim=True)
         return output.to(query.dtype), (keys, values)
         """,
    ),
    fill(
        "past and present apart",
        "cache",
        "two products for the two parts, joined in one softmax",
        """
         T, D = query.shape[-2:]
         q = query.double() / math.sqrt(D)
         now = (q @ key.double().transpose(2, 3)).masked_fill(torch.ones(T, T).triu(1).bool(), -torch.inf)
         if cache is None:
             return (now.softmax(-1) @ value.double()).to(query.dtype), (key.clone(), value.clone())
         old_keys, old_values = cache
         S = old_keys.shape[2]
         both = torch.cat([q @ old_keys.double().transpose(2, 3), now], dim=-1).softmax(dim=-1)
         output = both[..., :S] @ old_values.double() + both[..., S:] @ value.double()
         new = torch.cat([old_keys, key], dim=2), torch.cat([old_values, value], dim=2)
         return output.to(query.dtype), new
         """,
    ),
    # ---------------------------------------------------------------- task 7
    fill(
        "a sheet and a pen",
        "cached_loop",
        "a buffer with places, max().indices",
        """
         B, T = ids.shape
         sheet = torch.zeros(B, T + n_tokens, dtype=torch.int64)
         sheet[:, :T] = ids
         read_so_far = 0
         for end in range(T, T + n_tokens):
             logits = read(sheet[:, read_so_far:end].clone(), read_so_far)
             read_so_far = end
             sheet[:, end] = logits[:, -1, :].max(dim=-1).indices
         return sheet
         """,
    ),
    write(
        "recursion with what is new",
        "cached_loop",
        "recursive; the new column and its place are handed on",
        """
def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    def go_on(piece, start, n):
        if n <= 0:
            return []
        logits = read(piece, start)
        best = [row.index(max(row)) for row in logits[:, -1].tolist()]
        new = torch.tensor(best, dtype=torch.long).unsqueeze(dim=1)
        return [new, *go_on(new, start + piece.shape[1], n - 1)]

    return torch.cat([ids, *go_on(ids, 0, n_tokens)], dim=-1)
""",
    ),
    write(
        "a writer with a state",
        "cached_loop",
        "a helper class that is an iterator",
        """
class Writer:
    def __init__(self, read, ids):
        self.read, self.piece, self.start = read, ids, 0

    def __iter__(self):
        return self

    def __next__(self):
        logits = self.read(self.piece, self.start)
        self.start += self.piece.size(1)
        self.piece = torch.sort(logits.select(1, -1), dim=-1, descending=True, stable=True)[1][:, :1]
        return self.piece


def generate_cached(read, ids: Tensor, n_tokens: int) -> Tensor:
    writer = Writer(read, ids)
    text = ids.clone()
    while text.shape[1] < ids.shape[1] + n_tokens:
        text = torch.hstack((text, next(writer)))
    return text
""",
    ),
    # ---------------------------------------------------------------- task 8
    fill(
        "logsumexp in float64",
        "perplexity",
        "split and zip, log-sum-exp less the target's logit",
        """
         surprises = []
         for part, wanted in zip(ids[:-1].split(window), ids[1:].split(window), strict=True):
             logits = model(part[None])[0].double()
             own = logits.gather(1, wanted[:, None])[:, 0]
             surprises.append(logits.logsumexp(1) - own)
         return float(torch.cat(surprises).mean().exp())
         """,
    ),
    fill(
        "place by place",
        "perplexity",
        "a loop over targets that asks the model at each window's beginning",
        """
         total = 0.0
         for t in range(1, len(ids)):
             place = (t - 1) % window
             if place == 0:
                 end = min(t - 1 + window, len(ids) - 1)
                 said = torch.log_softmax(model(ids[t - 1 : end].unsqueeze(0)).double(), dim=-1)
             total += -said[0, place, ids[t]].item()
         return math.exp(total / (len(ids) - 1))
         """,
    ),
    write(
        "bits by recursion",
        "perplexity",
        "recursive sums in bits, and 2 to their mean, which is the same number",
        """
def perplexity(model, ids: Tensor, window: int) -> float:
    def bits(start):
        if start >= ids.numel() - 1:
            return 0.0
        piece = ids[start : start + window + 1]
        loss = F.nll_loss(
            model(piece[:-1].view(1, -1)).double().log_softmax(-1).flatten(0, 1), piece[1:], reduction="none"
        )
        return math.fsum((loss / math.log(2)).tolist()) + bits(start + window)

    return 2.0 ** (bits(0) / (ids.numel() - 1))
""",
    ),
]
