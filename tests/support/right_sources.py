"""What the learners of tests/right_styles.py write themselves: right answers, by style and task."""

import textwrap

_SOURCES = {
    "helper functions": {
        "helpers": """
            def root(n): return n ** 0.5

            def similarity(a, b):
                "dot products of all pairs"
                return torch.matmul(a, b.transpose(-1, -2))

            def normalize(scores): return scores.softmax(-1)
        """,
        "dot_product": """
            def mix(weights, value): return torch.matmul(weights, value)

            def attention(query, key, value):
                weights = normalize(similarity(query, key) / root(query.size(-1)))
                return mix(weights, value), weights
        """,
    },
    "objects that are called": {
        "dot_product": """
            class Attention:
                "One object for all calls."

                def __init__(self, dim=-1):
                    self.dim, self.calls = dim, 0

                def __call__(self, query, key, value):
                    self.calls += 1
                    scores = query @ key.mT / math.sqrt(query.shape[self.dim])
                    weights = scores.softmax(self.dim)
                    return weights @ value, weights

            attention = Attention()
        """,
        "additive": """
            class Scorer(nn.Module):
                def forward(self, query, key, query_weight, key_weight, score_weight):
                    pairs = (query @ query_weight.mT)[..., :, None, :]
                    return (pairs + (key @ key_weight.mT)[..., None, :, :]).tanh() @ score_weight

            additive_scores = Scorer()
        """,
    },
    "numpy detours": {
        "masks": """
            import numpy as np

            def causal_mask(n):
                return torch.from_numpy(np.tril(np.ones((n, n), dtype=bool)))

            def padding_mask(lengths, n):
                real = np.arange(int(n))[None, None, :] < lengths.numpy()[:, None, None]
                return torch.as_tensor(real)

            def decoder_mask(lengths, n):
                a, b = causal_mask(n).numpy(), padding_mask(lengths, n).numpy()
                return torch.from_numpy(np.logical_and(a, b))
        """,
        "heads": """
            import numpy as np

            def split_heads(x, n_heads):
                b, t, c = map(np.int64, x.shape)
                if np.mod(c, n_heads) != 0:
                    raise ValueError(f"not a multiple: {c}, {n_heads}")
                order = np.arange(c).reshape(n_heads, -1)
                return torch.stack([x[..., torch.from_numpy(one)] for one in order], 1)

            def merge_heads(x):
                b, h, t, d = x.shape
                return x.permute(*np.array([0, 2, 1, 3]).tolist()).reshape(b, t, np.prod([h, d]))
        """,
    },
    "lambdas and partial": {
        "dot_product": """
            from functools import partial

            _weights = lambda q, k, dim: torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, dim=dim)
            over_keys = partial(_weights, dim=-1)
            attention = lambda query, key, value: (lambda w: (w @ value, w))(over_keys(query, key))
        """,
        "masks": """
            from functools import partial, reduce

            causal_mask = lambda n: torch.tril(torch.ones((n, n))).bool()
            padding_mask = lambda lengths, n: (torch.arange(n) < lengths[:, None]).unsqueeze(1)
            decoder_mask = lambda lengths, n: reduce(
                torch.logical_and, (causal_mask(n), padding_mask(lengths, n))
            )
        """,
    },
    "einsum everywhere": {
        "dot_product": """
            def attention(query, key, value):
                a = torch.einsum("...qd,...kd->...qk", query, key).div(query.shape[-1] ** 0.5)
                a = F.softmax(a, -1)
                return torch.einsum("...qk,...ke->...qe", a, value), a
        """,
        "additive": """
            def additive_scores(query, key, query_weight, key_weight, score_weight):
                q = torch.einsum("hd,...td->...th", query_weight, query)
                k = torch.einsum("hd,...sd->...sh", key_weight, key)
                return torch.einsum("...tsh,h->...ts",
                                    (q[..., None, :] + k[..., None, :, :]).tanh(), score_weight)
        """,
    },
    "loops, nothing in place": {
        "masked_attention": """
            def masked_attention(query, key, value, mask=None):
                T, S = query.shape[-2], key.shape[-2]
                if mask is None:
                    mask = torch.tensor(True)
                shape = torch.broadcast_shapes(mask.shape, (*query.shape[:-1], S))
                mask = mask.expand(shape)
                rows = []
                for t in range(T):
                    scores = []
                    for s in range(S):
                        scores = scores + [(query[..., t, :] * key[..., s, :]).sum(-1)]
                    row = torch.stack(scores, -1) / query.shape[-1] ** 0.5
                    row = torch.where(mask[..., t, :], row, torch.finfo(row.dtype).min)
                    rows = rows + [row.softmax(-1) * mask[..., t, :]]
                weights = torch.stack(rows, -2)
                return weights @ value, weights
        """,
        "masks": """
            def causal_mask(n):
                rows = []
                for t in range(n):
                    rows = rows + [[True] * (t + 1) + [False] * (n - t - 1)]
                return torch.tensor(rows)

            def padding_mask(lengths, n):
                rows = []
                for length in lengths:
                    rows = rows + [[[s < int(length) for s in range(n)]]]
                return torch.tensor(rows)

            def decoder_mask(lengths, n):
                return torch.stack([causal_mask(n) & row for row in padding_mask(lengths, n)])
        """,
    },
    "unicode names": {
        "dot_product": """
            def attention(query, key, value):
                \"\"\"注意力 = softmax(QKᵀ∕√d)V — naïve, größer, ✓\"\"\"
                𝑑 = query.shape[-1]
                σ, 查询, 键 = torch.softmax, query, key
                α = σ(查询 @ 键.mT / math.sqrt(𝑑), -1)  # ∀ t: Σₛ α = 1 🙂
                return α @ value, α
        """,
        "masks": """
            def causal_mask(n):
                ℓ = torch.arange(n)
                return ℓ[None, :] <= ℓ[:, None]

            def padding_mask(lengths, n):
                länge = lengths[:, None, None]
                return torch.arange(n)[None, None, :] < länge

            def decoder_mask(lengths, n):
                маска = causal_mask(n)
                return маска & padding_mask(lengths, n)
        """,
    },
    "star imports": {
        "dot_product": """
            from math import *
            from torch.nn import *
            from torch.nn.functional import *  # torch's own star would replace `range` and `bool`

            def attention(query, key, value):
                weights = softmax(query @ key.mT / sqrt(query.shape[-1]), -1)
                return weights @ value, weights
        """,
        "multi_head": """
            class MultiHeadAttention(Module):
                def __init__(self, d_model, n_heads):
                    super().__init__()
                    self.n_heads = n_heads
                    self.query_projection = Linear(d_model, d_model)
                    self.key_projection = Linear(d_model, d_model)
                    self.value_projection = Linear(d_model, d_model)
                    self.output_projection = Linear(d_model, d_model)

                def forward(self, x, memory=None, mask=None):
                    memory = x if memory is None else memory
                    query = split_heads(self.query_projection(x), self.n_heads)
                    key = split_heads(self.key_projection(memory), self.n_heads)
                    value = split_heads(self.value_projection(memory), self.n_heads)
                    mask = mask[:, None] if mask is not None and mask.dim() == 3 else mask
                    values, weights = masked_attention(query, key, value, mask)
                    return self.output_projection(merge_heads(values)), weights
        """,
    },
    "odd quotes": {
        "dot_product": '''
            def attention(query, key, value):
                r\'\'\'The "weights" aren't all; \\d and """three""" and `ticks` and {braces} %s.

                >>> attention(1, 2, 3)  # doctest: +SKIP
                ### not a marker
                \'\'\'
                'a string that nobody reads'; "it's", 'say "no"', f"{'nested'!r}"
                weights = (query @ key.mT / query.shape[-1] ** .5).softmax(-1)
                return weights @ value, weights
        ''',
        "heads": """
            def split_heads(x, n_heads):
                "One line, with a \\\\ and a tab \\t"
                if x.shape[-1] % n_heads != 0:
                    raise ValueError('"C" isn\\'t a multiple: %d, %d' % (x.shape[-1], n_heads))
                return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)

            def merge_heads(x):
                ''
                return x.transpose(1, 2).flatten(-2)
        """,
    },
    "torch as t": {
        "dot_product": """
            import torch as t
            import torch.nn.functional as fn

            def attention(query: t.Tensor, key: t.Tensor, value: t.Tensor) -> tuple[t.Tensor, ...]:
                weights = fn.softmax(t.matmul(query, key.mT) / key.shape[-1] ** 0.5, dim=-1)
                return t.matmul(weights, value), weights
        """,
        "multi_head": """
            import torch.nn as tnn

            class MultiHeadAttention(tnn.Module):
                def __init__(self, d_model, n_heads):
                    super(MultiHeadAttention, self).__init__()
                    self.n_heads = n_heads
                    for part in "query key value output".split():
                        self.add_module(part + "_projection", tnn.Linear(d_model, d_model))

                def forward(self, x, memory=None, mask=None):
                    if memory is None: memory = x
                    q, k, v = (split_heads(layer(y), self.n_heads) for layer, y in [
                        (self.query_projection, x), (self.key_projection, memory),
                        (self.value_projection, memory)])
                    if mask is not None and mask.ndim == 3: mask = mask.unsqueeze(1)
                    out, weights = masked_attention(q, k, v, mask)
                    return self.output_projection(merge_heads(out)), weights
        """,
    },
    "functions in functions": {
        "dot_product": """
            def make(normalize):
                def attention(query, key, value):
                    def scores():
                        def scaled(x):
                            return x * query.shape[-1] ** -0.5
                        return scaled(query) @ key.mT
                    weights = normalize(scores())
                    return weights @ value, weights
                return attention

            attention = make(lambda scores: scores.softmax(dim=-1))
        """,
    },
    "dataclasses": {
        "dot_product": """
            from dataclasses import dataclass

            @dataclass(frozen=True)
            class Heads:
                query: Tensor
                key: Tensor
                value: Tensor

                @property
                def weights(self) -> Tensor:
                    return (self.query @ self.key.mT / self.query.shape[-1] ** 0.5).softmax(-1)

                def mix(self):
                    return self.weights @ self.value, self.weights

            def attention(query: Tensor, key: Tensor, value: Tensor):
                return Heads(query, key, value).mix()
        """,
    },
    "walrus and match": {
        "dot_product": """
            def attention(query, key, value):
                if (scores := query @ key.mT / (d := query.shape[-1]) ** 0.5).isfinite().any() or d:
                    return (weights := scores.softmax(-1)) @ value, weights
        """,
        "heads": """
            def split_heads(x, n_heads):
                match divmod(x.shape[-1], n_heads):
                    case (d_head, 0):
                        return x.view(*x.shape[:2], n_heads, d_head).permute(0, 2, 1, 3)
                    case (_, rest):
                        raise ValueError(f"{x.shape[-1]}: no multiple of {n_heads}, {rest=}")

            def merge_heads(x):
                b, h, t, d = x.shape
                return x.permute(0, 2, 1, 3).reshape(b, t, -1)
        """,
    },
    "logging and tqdm": {
        "dot_product": """
            import logging
            from tqdm.auto import tqdm

            logging.basicConfig(level=logging.DEBUG)
            log = logging.getLogger("answer")

            def attention(query, key, value):
                log.debug("shapes %s %s", query.shape, key.shape)
                for _ in tqdm(range(2), desc="thinking"):
                    pass
                weights = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), dim=-1)
                log.error("this is no error")
                return weights @ value, weights
        """,
    },
    "decorators and caches": {
        "dot_product": """
            import functools, time

            def timed(function):
                @functools.wraps(function)
                def run(*args, **kwargs):
                    started = time.perf_counter()
                    try:
                        return function(*args, **kwargs)
                    finally:
                        run.seconds = time.perf_counter() - started
                return run

            @timed
            def attention(query, key, value):
                weights = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), dim=-1)
                return weights @ value, weights
        """,
        "masks": """
            import functools

            @functools.lru_cache(maxsize=None)
            def places(n):  # kept, and handed out to nobody
                return torch.arange(n)

            def causal_mask(n):
                return places(n) <= places(n)[:, None]

            def padding_mask(lengths, n):
                return (places(n) < lengths[:, None])[:, None, :]

            def decoder_mask(lengths, n):
                return causal_mask(n) & padding_mask(lengths, n)
        """,
    },
    "names used twice": {
        "dot_product": """
            def attention(query, key, value):
                raise NotImplementedError("first try")

            def attention(query, key, value):
                weights = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1)
                return weights @ value, weights

            x = test = close = probe = values = weights = 0  # what the tests use, too
        """,
    },
}
SOURCES = {
    style: {task: textwrap.dedent(source).strip("\n") for task, source in answers.items()}
    for style, answers in _SOURCES.items()
}
