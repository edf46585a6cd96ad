"""Answers to the assignment `published_code`: plausible and wrong, or right in another style."""

from . import edit, fill, frozen, write

BEFORE = "before = model(inputs)"
SHAPE = "n_texts, n_places = inputs.shape[:2]"
ZEROS = "moved = before.new_zeros(n_texts, n_places, n_texts, n_places)"
CLONE = "changed = inputs.clone()"
CHANGE = "changed[text, place] = others[text, place]"
DISTANCE = "distance = (model(changed) - before).abs()"
LARGEST = "distance.reshape(n_texts, n_places, -1).amax(-1)"
PUT = f"moved[:, :, text, place] = {LARGEST}"
RETURN = "return moved\n"
ACROSS = (
    "return any(bool(moved[b, :, c].max() > 1e-4) for b in range(3) for c in range(3) if b != c)"
)
LATER = "return any(bool(moved[b, :, b].triu(1).max() > 1e-4) for b in range(3))"
SAME_WORD = "out = program(torch.full((3, 6), 7))"
SPREAD = "return bool((out - out[:, :1]).abs().max() < 1e-4)"
SUMS = "return bool(out.min() >= 0 and torch.allclose(sums, torch.ones_like(sums), atol=1e-3))"
EMBEDDING = "self.embedding = nn.Embedding(vocab_size, d_model)"
POSITIONS = "self.positions = nn.Embedding(max_length, d_model)"
ATTENTION = "self.attention = nn.MultiheadAttention(d_model, n_heads, batch_first=True)"
REFUSED = 'raise ValueError(f"ids must have at most {longest} places, got {n}")'
X = "x = self.embedding(ids) + self.positions(torch.arange(n, device=ids.device))"
HIDDEN = "hidden = torch.ones(n, n, dtype=torch.bool, device=ids.device).triu(1)"
PADDING = "hidden = hidden | ~mask[:, None]"
ITSELF = "hidden = hidden & ~torch.eye(n, dtype=torch.bool, device=ids.device)"
HEADS = "hidden = hidden.repeat_interleave(self.attention.num_heads, 0)"
MIXED = "mixed, _ = self.attention(x, x, x, attn_mask=hidden)"
LOGITS = "return self.head(mixed)"
ONE_HOT = "targets = F.one_hot(targets, n_classes).to(outputs.dtype)"
SEEN = "seen = targets > 0"
LOGS = "logs = outputs.log_softmax(-1)[seen] if from_logits else outputs[seen].log()"
MEAN = "return -(targets[seen] * logs).sum() / (outputs.numel() // n_classes)"
FLOOR = "return math.log1p((n_classes - 1) / math.e)"
SHIFT = "guesses, targets = logits[:, :-1], ids[:, 1:]"
COUNTS = "counts = mask[:, :-1] & mask[:, 1:]"
NOTHING = "return logits[:0].sum()"
LOSS = "return F.cross_entropy(guesses[counts], targets[counts])"
NO_PROMPTS = "if not prompts:\n        return []\n    "
BATCH = 'batch = tokenizer(prompts, padding=True, return_tensors="pt")'
GREEDY = 'out = model.generate(ids, batch["attention_mask"], max_new_tokens=n_new)'
ENCODE = 'ids = tokenizer.encode(prompt, return_tensors="pt")'
DRAWN = """out = model.generate(
        ids, max_new_tokens=n_new, do_sample=True, num_return_sequences=n_replies, top_k=0
    )"""


GREEDY_BODY = """
if not prompts:
    return []
batch = tokenizer(prompts, padding=True, return_tensors="pt")
ids = batch["input_ids"]
out = model.generate(ids, batch["attention_mask"], max_new_tokens=n_new)
return [tokenizer.decode(row[ids.shape[1] :], skip_special_tokens=True) for row in out]
"""
DRAWN_BODY = """
ids = tokenizer.encode(prompt, return_tensors="pt")
out = model.generate(
    ids, max_new_tokens=n_new, do_sample=True, num_return_sequences=n_replies, top_k=0
)
return [tokenizer.decode(row[ids.shape[1] :], skip_special_tokens=True) for row in out]
"""
ACROSS_BODY = f"""
ids = torch.arange(18).view(3, 6)
moved = influence(program, ids, ids + 9)
{ACROSS}
"""
LATER_BODY = f"""
ids = torch.arange(18).view(3, 6)
moved = influence(program, ids, ids + 9)
{LATER}
"""
PLACES_BODY = f"""
{SAME_WORD}
{SPREAD}
"""
SUMS_BODY = f"""
out = program(torch.arange(18).view(3, 6))
sums = out.sum(-1)
{SUMS}
"""


def asks(name, note, *, mixes="", later="", places="", sums="", cause=""):
    """Four questions, of which those that are given are asked in another way."""
    bodies = (
        mixes or ACROSS_BODY,
        later or LATER_BODY,
        places or PLACES_BODY,
        sums or SUMS_BODY,
    )
    return fill(name, "questions", note, *bodies, cause=cause)


def both(name, note, *, first=GREEDY_BODY, second=DRAWN_BODY, cause=""):
    """The two functions of the last task, of which one is another."""
    return fill(name, "replies", note, first, second, cause=cause)


WRONG = [
    # Task 1
    edit(
        "the other way round",
        "influence",
        "input first, then output",
        (RETURN, "return moved.permute(2, 3, 0, 1)\n"),
        cause="other way round",
    ),
    edit(
        "with its sign",
        "influence",
        "no absolute value",
        (".abs()", ""),
        cause="absolute",
    ),
    edit(
        "sum of the differences", "influence", "not the largest", ("amax", "sum"), cause="largest"
    ),
    edit(
        "mean of the differences", "influence", "not the largest", ("amax", "mean"), cause="largest"
    ),
    edit(
        "length of the difference",
        "influence",
        "a norm",
        ("amax(-1)", "norm(dim=-1)"),
        cause="largest",
    ),
    edit(
        "first number alone",
        "influence",
        "of an output only one is looked at",
        (".amax(-1)", "[..., 0]"),
        cause="largest",
    ),
    edit(
        "all changes at once",
        "influence",
        "what was changed stays changed",
        (BEFORE, f"{BEFORE}\n    changed = inputs.clone()"),
        (f"            {CLONE}\n", ""),
        cause="one changed input at a time",
    ),
    edit(
        "the whole text",
        "influence",
        "all places of the text",
        (CHANGE, "changed[text] = others[text]"),
        cause="one changed input",
    ),
    edit(
        "the place in all texts",
        "influence",
        "a column",
        (CHANGE, "changed[:, place] = others[:, place]"),
        cause="one changed input",
    ),
    edit(
        "in place",
        "influence",
        "changed and put back, but to the others",
        (CLONE, "changed = inputs"),
    ),
    edit(
        "put back, in place",
        "influence",
        "an exchange that is undone only for the inputs",
        (
            f"{CLONE}\n            {CHANGE}",
            "changed, kept = inputs, inputs[text, place].clone()\n"
            "            changed[text, place] = others[text, place]\n"
            "            others[text, place] = kept",
        ),
        (PUT, f"{PUT}\n            inputs[text, place] = kept"),
        cause="",
    ),
    edit(
        "each text alone",
        "influence",
        "a batch of one",
        (
            DISTANCE,
            "distance = torch.zeros_like(before)\n"
            "            alone = model(changed[text : text + 1])[0]\n"
            "            distance[text] = (alone - before[text]).abs()",
        ),
        cause="shape of inputs",
    ),
    edit(
        "own text only",
        "influence",
        "others are not looked at",
        (PUT, f"moved[text, :, text, place] = {LARGEST}[text]"),
        cause="one changed input at a time",
    ),
    edit(
        "float32",
        "influence",
        "whatever the outputs are",
        (ZEROS, "moved = torch.zeros(n_texts, n_places, n_texts, n_places)"),
        cause="dtype",
    ),
    edit(
        "dtype of the inputs",
        "influence",
        "ids are whole numbers",
        (ZEROS, "moved = inputs.new_zeros(n_texts, n_places, n_texts, n_places)"),
    ),
    edit(
        "last dimension only",
        "influence",
        "outputs have three dimensions",
        (LARGEST, "distance.amax(-1)"),
    ),
    edit(
        "an output has three dimensions",
        "influence",
        "or two",
        (
            LARGEST,
            "(distance if distance.dim() == 2 else distance.amax(-1))",
        ),
    ),
    edit(
        "next id",
        "influence",
        "what to put there was not asked",
        (CHANGE, "changed[text, place] = inputs[text, place] + 1"),
        cause="",
    ),
    edit(
        "first number of a vector",
        "influence",
        "a vector is replaced in part",
        (
            DISTANCE,
            "if inputs.dim() == 3:\n"
            "                changed[text, place, 1:] = inputs[text, place, 1:]\n"
            f"            {DISTANCE}",
        ),
        cause="whole vector",
    ),
    edit(
        "from the others",
        "influence",
        "right where effects only add up",
        (BEFORE, "before = model(others)"),
        (CLONE, "changed = others.clone()"),
        (CHANGE, "changed[text, place] = inputs[text, place]"),
        cause="one changed input",
    ),
    edit(
        "what is partly the same",
        "influence",
        "a vector of which one number is the same is left out",
        (
            CLONE,
            "if (others[text, place] == inputs[text, place]).any():\n"
            "                continue\n"
            f"            {CLONE}",
        ),
    ),
    edit(
        "yes or no",
        "influence",
        "moved at all",
        (RETURN, "return (moved > 1e-6).to(moved.dtype)\n"),
        cause="largest",
    ),
    edit(
        "against its own largest",
        "influence",
        "as in the picture",
        (RETURN, "return moved / moved.max()\n"),
    ),
    edit(
        "square",
        "influence",
        "texts are as many as places",
        (SHAPE, "n_texts, n_places = inputs.shape[0], inputs.shape[-1]"),
    ),
    edit(
        "small is nothing",
        "influence",
        "rounding is swept away",
        (RETURN, "return torch.where(moved < 1e-6, 0.0, moved)\n"),
        cause="",
    ),
    edit(
        "sizes of 1 are lost",
        "influence",
        "squeezed",
        (RETURN, "return moved.squeeze()\n"),
    ),
    edit(
        "through float32",
        "influence",
        "computed in a smaller dtype",
        (DISTANCE, "distance = (model(changed).float() - before.float()).abs().to(before.dtype)"),
    ),
    edit(
        "rounded",
        "influence",
        "to six digits behind the point",
        (RETURN, "return moved.round(decimals=6)\n"),
    ),
    edit(
        "thirty-two places",
        "influence",
        "as long as the texts that were tried",
        ("for place in range(n_places)", "for place in range(min(n_places, 32))"),
        cause="every place",
    ),
    edit(
        "sixteen texts",
        "influence",
        "as many as were tried",
        ("for text in range(n_texts)", "for text in range(min(n_texts, 16))"),
        cause="every place",
    ),
    write(
        "answers are kept",
        "influence",
        "a cache of the first answer",
        """
_before = {}


def influence(model, inputs: Tensor, others: Tensor) -> Tensor:
    key = (id(inputs), inputs.shape)
    if key not in _before:
        _before[key] = model(inputs)
    before = _before[key]
    n_texts, n_places = inputs.shape[:2]
    moved = before.new_zeros(n_texts, n_places, n_texts, n_places)
    for text in range(n_texts):
        for place in range(n_places):
            changed = inputs.clone()
            changed[text, place] = others[text, place]
            distance = (model(changed) - before).abs()
            moved[:, :, text, place] = distance.reshape(n_texts, n_places, -1).amax(-1)
    return moved
""",
        cause="keep nothing|largest",
    ),
    # Task 2
    asks(
        "first and last text",
        "does the first hear the last?",
        mixes="""
        ids = torch.arange(18).view(3, 6)
        moved = influence(program, ids, ids + 9)
        return bool(moved[0, :, -1].max() > 1e-4)
        """,
        cause="mixes_texts",
    ),
    asks(
        "only texts before",
        "what comes later in the batch is not looked at",
        mixes="""
        ids = torch.arange(18).view(3, 6)
        moved = influence(program, ids, ids + 9)
        return any(bool(moved[b, :, c].max() > 1e-4) for b in range(3) for c in range(b))
        """,
        cause="mixes_texts",
    ),
    asks(
        "neighbors in the batch",
        "the first and the third are not looked at",
        mixes="""
        ids = torch.arange(18).view(3, 6)
        moved = influence(program, ids, ids + 9)
        pairs = ((0, 1), (1, 0), (1, 2), (2, 1))
        return any(bool(moved[b, :, c].max() > 1e-4) for b, c in pairs)
        """,
        cause="mixes_texts",
    ),
    asks(
        "the same place",
        "a batch axis is heard along the same place",
        mixes="""
        ids = torch.arange(18).view(3, 6)
        moved = influence(program, ids, ids + 9)
        same = moved.diagonal(0, 1, 3).amax(-1)
        return bool(same[~torch.eye(3, dtype=torch.bool)].max() > 1e-4)
        """,
        cause="mixes_texts",
    ),
    asks(
        "two texts",
        "the smallest batch",
        mixes="""
        ids = torch.arange(12).view(2, 6)
        moved = influence(program, ids, ids + 9)
        return bool(moved[0, :, 1].max() > 1e-4 or moved[1, :, 0].max() > 1e-4)
        """,
        cause="mixes_texts",
    ),
    asks(
        "its last word alone",
        "one word is changed",
        mixes="""
        ids = torch.arange(18).view(3, 6)
        other = ids.clone()
        other[0, -1] += 1
        return bool((program(ids) - program(other))[1:].abs().max() > 1e-4)
        """,
        cause="mixes_texts",
    ),
    asks(
        "alone and in a batch",
        "only the first is read alone",
        mixes="""
        ids = torch.arange(18).view(3, 6)
        return bool((program(ids)[:1] - program(ids[:1])).abs().max() > 1e-4)
        """,
        cause="mixes_texts",
    ),
    asks(
        "equal texts",
        "three times the same text, which differ by rounding",
        mixes="""
        ids = torch.arange(6).expand(3, 6)
        out = program(ids)
        return bool((out - out[:1]).abs().max() > 1e-4)
        """,
        cause="mixes_texts",
    ),
    asks(
        "all of its own text, too",
        "any change counts",
        mixes="""
        ids = torch.arange(18).view(3, 6)
        moved = influence(program, ids, ids + 9)
        return bool(moved.max() > 1e-4)
        """,
        cause="mixes_texts",
    ),
    asks(
        "a threshold of rounding",
        "exactly zero is asked for",
        mixes=ACROSS_BODY.replace("1e-4", "0.3"),
        cause="mixes_texts",
    ),
    asks(
        "last word moves the first",
        "only the ends are looked at",
        later="""
        ids = torch.arange(18).view(3, 6)
        moved = influence(program, ids, ids + 9)
        return any(bool(moved[b, 0, b, -1] > 1e-4) for b in range(3))
        """,
        cause="sees_later",
    ),
    asks(
        "last word moves any",
        "only the last word is changed",
        later="""
        ids = torch.arange(18).view(3, 6)
        moved = influence(program, ids, ids + 9)
        return any(bool(moved[b, :-1, b, -1].max() > 1e-4) for b in range(3))
        """,
        cause="sees_later",
    ),
    asks(
        "the next word only",
        "one beside the diagonal",
        later="""
        ids = torch.arange(18).view(3, 6)
        moved = influence(program, ids, ids + 9)
        return any(bool(moved[b, :, b].diagonal(1).max() > 1e-4) for b in range(3))
        """,
        cause="sees_later",
    ),
    asks(
        "the first text only",
        "all texts are alike",
        later="""
        ids = torch.arange(18).view(3, 6)
        moved = influence(program, ids, ids + 9)
        return bool(moved[0, :, 0].triu(1).max() > 1e-4)
        """,
        cause="sees_later",
    ),
    asks(
        "a batch of one",
        "one text suffices",
        later="""
        ids = torch.arange(6).view(1, 6)
        moved = influence(program, ids, ids + 9)
        return bool(moved[0, :, 0].triu(1).max() > 1e-4)
        """,
        cause="sees_later",
    ),
    asks(
        "itself counts as later",
        "the diagonal is in",
        later=LATER_BODY.replace("triu(1)", "triu()"),
        cause="sees_later",
    ),
    asks(
        "the wrong triangle",
        "past and future exchanged",
        later=LATER_BODY.replace("triu(1)", "tril(-1)"),
        cause="sees_later",
    ),
    asks(
        "later words of all texts",
        "another text's later word counts",
        later="""
        ids = torch.arange(18).view(3, 6)
        other = ids.clone()
        other[:, -1] += 9
        return bool((program(ids) - program(other))[:, :-1].abs().max() > 1e-4)
        """,
        cause="sees_later",
    ),
    asks(
        "whatever text is later",
        "texts are not told apart",
        later="""
        ids = torch.arange(18).view(3, 6)
        moved = influence(program, ids, ids + 9).amax((0, 2))
        return bool(moved.triu(1).max() > 1e-4)
        """,
        cause="sees_later",
    ),
    asks(
        "half of the text",
        "a prefix read alone, of half its length",
        later="""
        ids = torch.arange(18).view(3, 6)
        return bool((program(ids)[:, :3] - program(ids[:, :3])).abs().max() > 1e-4)
        """,
        cause="sees_later",
    ),
    asks(
        "all but the last word",
        "a prefix read alone, longer by one",
        later="""
        ids = torch.arange(18).view(3, 6)
        return bool((program(ids)[:, :5] - program(ids[:, :5])).abs().max() > 1e-4)
        """,
        cause="sees_later",
    ),
    asks(
        "swapped words",
        "the output of the last place for two words exchanged",
        places="""
        ids = torch.arange(6).view(1, 6)
        swapped = ids[:, [1, 0, 2, 3, 4, 5]]
        gap = program(ids)[:, -1] - program(swapped)[:, -1]
        return bool(gap.abs().max() < 1e-4)
        """,
        cause="forgets_places",
    ),
    asks(
        "two places",
        "the first and the second",
        places="""
        out = program(torch.full((3, 6), 7))
        return bool((out[:, 0] - out[:, 1]).abs().max() < 1e-4)
        """,
        cause="forgets_places",
    ),
    asks(
        "first and last",
        "the places between are not looked at",
        places="""
        out = program(torch.full((3, 6), 7))
        return bool((out[0, 0] - out[0, -1]).abs().max() < 1e-4)
        """,
        cause="forgets_places",
    ),
    asks(
        "texts beside each other",
        "equal texts must be equal",
        places="""
        out = program(torch.full((3, 6), 7))
        return bool((out - out[:1, :1]).abs().max() < 1e-4)
        """,
        cause="forgets_places",
    ),
    asks(
        "one text",
        "a batch of one, where the last text is the first",
        places="""
        out = program(torch.full((3, 6), 7))[:1]
        return bool((out - out[:, :1]).abs().max() < 1e-4)
        """,
        cause="forgets_places",
    ),
    asks(
        "any two places alike",
        "the smallest difference",
        places="""
        out = program(torch.full((3, 6), 7))
        return bool((out[:, 1:] - out[:, :1]).abs().amax(-1).min() < 1e-4)
        """,
        cause="forgets_places",
    ),
    asks(
        "generous",
        "a difference of 0.3 is none",
        places=PLACES_BODY.replace("1e-4", "0.3"),
        cause="forgets_places",
    ),
    asks(
        "upside down",
        "whether it knows places",
        places=PLACES_BODY.replace("< 1e-4", "> 1e-4"),
        cause="forgets_places",
    ),
    asks(
        "the sum alone",
        "numbers may be negative",
        sums=SUMS_BODY.replace("out.min() >= 0 and ", ""),
        cause="gives_probabilities",
    ),
    asks(
        "between 0 and 1",
        "the sum is not looked at",
        sums="""
        out = program(torch.arange(18).view(3, 6))
        return bool(out.min() >= 0 and out.max() <= 1)
        """,
        cause="gives_probabilities",
    ),
    asks(
        "above 0",
        "a probability may be 0",
        sums=SUMS_BODY.replace(">= 0", "> 0"),
        cause="gives_probabilities",
    ),
    asks(
        "a sum of about 1",
        "a hundredth is too generous",
        sums=SUMS_BODY.replace("atol=1e-3", "atol=0.05"),
        cause="gives_probabilities",
    ),
    asks(
        "exactly 1",
        "rounding is forgotten",
        sums=SUMS_BODY.replace(
            "torch.allclose(sums, torch.ones_like(sums), atol=1e-3)", "(sums == 1).all()"
        ),
        cause="gives_probabilities",
    ),
    asks(
        "logarithms, too",
        "log_softmax is normalized as well",
        sums="""
        out = program(torch.arange(18).view(3, 6))
        out = out.exp() if out.max() <= 0 else out
        return bool(out.min() >= 0 and (out.sum(-1) - 1).abs().max() < 1e-3)
        """,
        cause="gives_probabilities",
    ),
    asks(
        "a few negative ones",
        "rounding taken for one in a hundred",
        sums=SUMS_BODY.replace("out.min() >= 0", "out.min() >= -0.01"),
        cause="gives_probabilities",
    ),
    asks(
        "a tensor",
        "no bool",
        sums=SUMS_BODY.replace("return bool(", "return (").replace(
            "torch.allclose(sums, torch.ones_like(sums), atol=1e-3)",
            "((sums - 1).abs() < 1e-3).all()",
        ),
        cause="True or False",
    ),
    asks(
        "on the average",
        "one place of many is lost in a mean",
        mixes=ACROSS_BODY.replace("max() > 1e-4", "mean() > 0.05"),
        cause="mixes_texts",
    ),
    asks(
        "only much",
        "what is heard a little is taken for rounding",
        later=LATER_BODY.replace("1e-4", "0.05"),
        cause="sees_later",
    ),
    asks(
        "a short text",
        "two words",
        places="""
        out = program(torch.full((3, 2), 7))
        return bool((out - out[:, :1]).abs().max() < 1e-4)
        """,
        cause="forgets_places",
    ),
    asks(
        "the likeliest word",
        "answers are compared, not numbers",
        places="""
        out = program(torch.full((3, 6), 7)).argmax(-1)
        return bool((out == out[:, :1]).all())
        """,
        cause="forgets_places",
    ),
    asks(
        "the sum of all",
        "what one output has too much another has too little",
        sums="""
        out = program(torch.arange(18).view(3, 6))
        return bool(out.min() >= 0 and (out.sum() - 18).abs() < 1e-2)
        """,
        cause="gives_probabilities",
    ),
    asks(
        "none above 1",
        "one may be below 0",
        sums=SUMS_BODY.replace("out.min() >= 0", "out.max() <= 1"),
        cause="gives_probabilities",
    ),
    asks(
        "a seed",
        "the same inputs each time",
        mixes="""
        torch.manual_seed(0)
        ids = torch.randint(20, (3, 6))
        moved = influence(program, ids, ids + 9)
        return any(bool(moved[b, :, c].max() > 1e-4) for b in range(3) for c in range(3) if b != c)
        """,
        cause="seed",
    ),
    # Task 3
    edit(
        "a layer for vectors",
        "mended",
        "as it is printed",
        (EMBEDDING, "self.embedding = nn.Linear(vocab_size, d_model)"),
        cause="nn.Embedding",
    ),
    edit(
        "batch axis",
        "mended",
        "the first axis is the length",
        (ATTENTION, "self.attention = nn.MultiheadAttention(d_model, n_heads)"),
        (MIXED, "mixed, _ = self.attention(x, x, x)"),
        cause="batch_first",
    ),
    edit(
        "unused",
        "mended",
        "the scale takes no part",
        (POSITIONS, f"{POSITIONS}\n        self.scale = nn.Parameter(torch.ones(n_heads))"),
        cause="scale",
    ),
    edit(
        "column",
        "mended",
        "positions meet the batch",
        ("torch.arange(n, device=ids.device))", "torch.arange(n, device=ids.device)[:, None])"),
        cause="place|Places",
    ),
    edit(
        "no positions",
        "mended",
        "made and not added",
        (X, "x = self.embedding(ids) + 0 * self.positions(torch.arange(n))"),
        cause="positions",
    ),
    edit(
        "numbers of the texts",
        "mended",
        "positions count the batch",
        (X, "x = self.embedding(ids) + self.positions(torch.arange(len(ids)))[:, None]"),
    ),
    edit(
        "no mask",
        "mended",
        "all is seen",
        (HIDDEN, "hidden = torch.zeros(n, n, dtype=torch.bool)"),
        cause="causal mask",
    ),
    edit(
        "added mask",
        "mended",
        "0 and 1 are added",
        (HIDDEN, "hidden = torch.ones(n, n).tril()"),
        (PADDING, "hidden = torch.ones(n, n, dtype=torch.bool).triu(1) | ~mask[:, None]"),
        cause="causal mask",
    ),
    edit(
        "upside down",
        "mended",
        "True = may look, which is not what PyTorch says",
        (HIDDEN, "hidden = torch.ones(n, n, dtype=torch.bool, device=ids.device).tril()"),
        cause="upside down",
    ),
    edit(
        "the next word, too",
        "mended",
        "off by one",
        ("triu(1)", "triu(2)"),
        cause="causal mask",
    ),
    edit(
        "not itself",
        "mended",
        "off by one the other way",
        (
            HIDDEN,
            "hidden = torch.ones(n, n, dtype=torch.bool).triu()\n        hidden[0, 0] = False",
        ),
        cause="hears itself",
    ),
    edit(
        "probabilities",
        "mended",
        "a softmax at the end",
        (LOGITS, "return self.head(mixed).softmax(-1)"),
        cause="probabilities",
    ),
    edit(
        "log-probabilities",
        "mended",
        "a log_softmax at the end",
        (LOGITS, "return self.head(mixed).log_softmax(-1)"),
    ),
    edit(
        "residual",
        "mended",
        "what was not asked for",
        (LOGITS, "return self.head(x + mixed)"),
        cause="head(attention",
    ),
    edit(
        "dropout",
        "mended",
        "as it is printed",
        ("batch_first=True", "dropout=0.1, batch_first=True"),
        cause="dropout",
    ),
    edit(
        "padding is heard",
        "mended",
        "the mask is ignored",
        ("if mask is not None:", "if mask is not None and mask.dim() == 3:"),
        cause="True means",
    ),
    edit(
        "padding upside down",
        "mended",
        "real words are hidden",
        ("~mask[:, None]", "mask[:, None]"),
        cause="True means",
    ),
    edit(
        "NaN on the left",
        "mended",
        "a softmax over nothing",
        (f"            {ITSELF}\n", ""),
        cause="nothing",
    ),
    edit(
        "NaN swept up",
        "mended",
        "the outputs are mended, their gradients not",
        (f"            {ITSELF}\n", ""),
        (LOGITS, "return self.head(mixed).nan_to_num()"),
        cause="gradient",
    ),
    edit(
        "the heads in another order",
        "mended",
        "all texts for the first head, then for the second",
        (HEADS, "hidden = hidden.repeat(self.attention.num_heads, 1, 1)"),
        cause="logits of real words|padding",
    ),
    edit(
        "the first text's mask",
        "mended",
        "one mask for all",
        ("~mask[:, None]", "~mask[:1, None].expand(len(ids), -1, -1)"),
    ),
    edit(
        "queries are hidden",
        "mended",
        "the other dimension of the mask",
        ("~mask[:, None]", "~mask[:, :, None]"),
    ),
    edit(
        "right padding only",
        "mended",
        "the lengths are counted",
        (
            PADDING,
            "lengths = mask.sum(1)\n"
            "            hidden = hidden | (torch.arange(n) >= lengths[:, None])[:, None]",
        ),
    ),
    edit(
        "places of real words",
        "mended",
        "counted from the first real word",
        (
            X,
            "places = torch.arange(n).expand(ids.shape)\n"
            "        if mask is not None:\n"
            "            places = (mask.long().cumsum(1) - 1).clamp(min=0)\n"
            "        x = self.embedding(ids) + self.positions(places)",
        ),
        cause="Places count",
    ),
    edit(
        "id 0 is padding",
        "mended",
        "0 is a word like any other",
        ("if mask is not None:", "mask = ids != 0 if mask is None else mask\n        if True:"),
        cause="",
    ),
    edit(
        "a padding row",
        "mended",
        "id 0 has zeros and no gradient",
        ("nn.Embedding(vocab_size, d_model)", "nn.Embedding(vocab_size, d_model, padding_idx=0)"),
        cause="gradient",
    ),
    edit(
        "too long is cut",
        "mended",
        "the last places are kept",
        (REFUSED, "ids, n = ids[:, -longest:], longest"),
        cause="not raised",
    ),
    edit(
        "an error of its own",
        "mended",
        "an IndexError of the table",
        ("if n > longest:", "if n > longest + 100:"),
        cause="ValueError",
    ),
    edit(
        "the limit is not named",
        "mended",
        "the message lacks a number",
        (REFUSED, 'raise ValueError(f"got {n} places, too many")'),
        cause="does not say",
    ),
    edit(
        "one too few",
        "mended",
        "a text of max_length is refused",
        ("if n > longest:", "if n >= longest:"),
        cause="ids must have at most",
    ),
    edit(
        "no biases",
        "mended",
        "of the attention",
        ("batch_first=True", "bias=False, batch_first=True"),
        cause="in_proj_bias",
    ),
    edit(
        "fixed positions",
        "mended",
        "the table learns nothing",
        (X, "x = self.embedding(ids) + self.positions(torch.arange(n)).detach()"),
        cause="gradient",
    ),
    edit(
        "always whole",
        "mended",
        "a mask for max_length places",
        (
            HIDDEN,
            "hidden = torch.ones(longest, longest, dtype=torch.bool).triu(1)[-n:, -n:]",
        ),
        (X, "x = self.embedding(ids) + self.positions(torch.arange(longest - n, longest))"),
        cause="places counted from 0",
    ),
    edit(
        "the mask is remembered",
        "mended",
        "kept from the first call",
        (
            HIDDEN,
            f"{HIDDEN}\n"
            "        if mask is not None:\n"
            "            kept = getattr(self, 'kept', None)\n"
            "            known = kept is not None and kept.shape == mask.shape\n"
            "            mask = self.kept = kept if known else mask",
        ),
        cause="keep nothing",
    ),
    edit(
        "a seed",
        "mended",
        "the same weights each time",
        (EMBEDDING, f"torch.manual_seed(0)\n        {EMBEDDING}"),
        cause="seed",
    ),
    edit(
        "far, not forbidden",
        "mended",
        "a small number is added instead of −∞",
        (MIXED, "hidden = hidden.to(x.dtype) * -8.0\n        " + MIXED),
    ),
    edit(
        "in float32",
        "mended",
        "computed in a smaller dtype",
        (LOGITS, "return self.head(mixed.float().to(mixed.dtype))"),
    ),
    # Task 4
    edit(
        "softmax twice",
        "cross_entropy",
        "probabilities as logits of themselves",
        ("outputs.log_softmax(-1)[seen]", "outputs.softmax(-1).log_softmax(-1)[seen]"),
        cause="twice",
    ),
    edit(
        "probabilities taken for logits",
        "cross_entropy",
        "from_logits is ignored",
        (LOGS, "logs = outputs.log_softmax(-1)[seen]"),
        cause="one softmax too many",
    ),
    edit(
        "logits taken for probabilities",
        "cross_entropy",
        "the flag upside down",
        ("if from_logits else", "if not from_logits else"),
        cause="softmax",
    ),
    edit(
        "the sum",
        "cross_entropy",
        "no mean",
        (MEAN, "return -(targets[seen] * logs).sum()"),
        cause="mean",
    ),
    edit(
        "mean of all numbers",
        "cross_entropy",
        "classes are counted, too",
        ("(outputs.numel() // n_classes)", "outputs.numel()"),
        cause="mean",
    ),
    edit(
        "first dimension",
        "cross_entropy",
        "rows are counted in a matrix alone",
        ("(outputs.numel() // n_classes)", "len(outputs)"),
        cause="mean over all rows",
    ),
    edit(
        "bits",
        "cross_entropy",
        "a logarithm to base 2",
        (MEAN, MEAN + " / math.log(2)"),
        cause="nats",
    ),
    edit(
        "no minus",
        "cross_entropy",
        "it is below 0",
        ("-(targets[seen]", "(targets[seen]"),
        cause="minus",
    ),
    edit(
        "the terms that are seen",
        "cross_entropy",
        "divided by their number",
        ("(outputs.numel() // n_classes)", "seen.sum()"),
    ),
    edit(
        "chosen after the product",
        "cross_entropy",
        "0 times −∞",
        (
            f"{LOGS}\n    {MEAN}",
            "logs = outputs.log_softmax(-1) if from_logits else outputs.log()\n"
            "    return -(targets * logs).sum() / (outputs.numel() // n_classes)",
        ),
        cause="NaN",
    ),
    edit(
        "chosen by where",
        "cross_entropy",
        "right forward, NaN on the way back",
        (
            f"{LOGS}\n    {MEAN}",
            "logs = outputs.log_softmax(-1) if from_logits else outputs.log()\n"
            "    terms = torch.where(seen, targets * logs, 0.0)\n"
            "    return -terms.sum() / (outputs.numel() // n_classes)",
        ),
        cause="NaN",
    ),
    edit(
        "a small number is added",
        "cross_entropy",
        "so that no logarithm is infinite",
        ("outputs[seen].log()", "(outputs[seen] + 1e-9).log()"),
        cause="costs|mean",
    ),
    edit(
        "clamped",
        "cross_entropy",
        "as Keras does",
        ("outputs[seen].log()", "outputs[seen].clamp(1e-7, 1 - 1e-7).log()"),
        cause="costs|mean|gradient",
    ),
    edit(
        "softmax, then log",
        "cross_entropy",
        "large logits have a probability of 0",
        ("outputs.log_softmax(-1)[seen]", "outputs.softmax(-1)[seen].log()"),
    ),
    edit(
        "no largest taken off",
        "cross_entropy",
        "exp overflows",
        (
            "outputs.log_softmax(-1)[seen]",
            "(outputs - outputs.exp().sum(-1, keepdim=True).log())[seen]",
        ),
    ),
    edit(
        "the likeliest class",
        "cross_entropy",
        "a distribution is turned into a class",
        (SEEN, f"targets = F.one_hot(targets.argmax(-1), n_classes).to(outputs.dtype)\n    {SEEN}"),
        cause="share",
    ),
    edit(
        "small shares are nothing",
        "cross_entropy",
        "a threshold",
        (SEEN, "seen = targets > 1e-6"),
    ),
    edit(
        "float32 inside",
        "cross_entropy",
        "one_hot in its own dtype, and the rest after it",
        (ONE_HOT, "targets = F.one_hot(targets, n_classes)"),
        (MEAN, f"targets = targets.float()\n    outputs = outputs.float()\n    {MEAN}"),
        cause="float",
    ),
    edit(
        "excluded words are swept up",
        "cross_entropy",
        "−∞ becomes a large number",
        ("outputs.log_softmax(-1)[seen]", "outputs.nan_to_num(neginf=-1e4).log_softmax(-1)[seen]"),
        cause="costs|mean|gradient",
    ),
    edit(
        "floor without its 1",
        "cross_entropy",
        "V for V − 1",
        ("(n_classes - 1) / math.e", "n_classes / math.e"),
        cause="floor",
    ),
    edit(
        "log of V",
        "cross_entropy",
        "a guess, not the floor",
        (FLOOR, "return math.log(n_classes)"),
        cause="floor",
    ),
    edit(
        "floor by a difference",
        "cross_entropy",
        "a single class is left out",
        (FLOOR, "return math.log(n_classes - 1 + math.e) - 1 if n_classes > 2 else 0.0"),
        cause="floor",
    ),
    edit(
        "floor in float32",
        "cross_entropy",
        "by a tensor",
        (FLOOR, "return float(torch.tensor(1 + (n_classes - 1) / math.e).log())"),
        cause="floor",
    ),
    edit(
        "in place",
        "cross_entropy",
        "the largest is taken off the argument",
        (
            SEEN,
            f"{SEEN}\n    if from_logits and not outputs.requires_grad:\n"
            "        outputs -= outputs.amax(-1, keepdim=True)",
        ),
        cause="changed in place",
    ),
    write(
        "one-hot rows are kept",
        "cross_entropy",
        "by their shape",
        """
_rows = {}


def cross_entropy(outputs: Tensor, targets: Tensor, from_logits: bool = True) -> Tensor:
    n_classes = outputs.shape[-1]
    if not targets.is_floating_point():
        key = (id(targets), outputs.shape)
        if key not in _rows:
            _rows[key] = F.one_hot(targets, n_classes).to(outputs.dtype)
        targets = _rows[key]
    seen = targets > 0
    logs = outputs.log_softmax(-1)[seen] if from_logits else outputs[seen].log()
    return -(targets[seen] * logs).sum() / (outputs.numel() // n_classes)


def loss_floor(n_classes: int) -> float:
    return math.log1p((n_classes - 1) / math.e)
""",
        cause="keep nothing|mean",
    ),
    # Task 5
    edit(
        "not shifted",
        "next_token_loss",
        "each word is compared with itself",
        (SHIFT, "guesses, targets = logits, ids"),
        (COUNTS, "counts = mask"),
        cause="shifted",
    ),
    edit(
        "shifted the wrong way",
        "next_token_loss",
        "the word before",
        (SHIFT, "guesses, targets = logits[:, 1:], ids[:, :-1]"),
        cause="wrong way",
    ),
    edit(
        "padding counts",
        "next_token_loss",
        "the mask is ignored",
        (COUNTS, "counts = torch.ones_like(targets, dtype=torch.bool)"),
        cause="Padding counts",
    ),
    edit(
        "the place before padding counts",
        "next_token_loss",
        "its own word is real",
        (COUNTS, "counts = mask[:, :-1]"),
        cause="before padding",
    ),
    edit(
        "the padding before a word counts",
        "next_token_loss",
        "the next word is real",
        (COUNTS, "counts = mask[:, 1:]"),
        cause="own word",
    ),
    edit(
        "one of the two",
        "next_token_loss",
        "or for and",
        ("& mask[:, 1:]", "| mask[:, 1:]"),
        cause="padding",
    ),
    edit(
        "the sum",
        "next_token_loss",
        "no mean",
        (LOSS, LOSS.replace("])", '], reduction="sum")')),
        cause="not the sum",
    ),
    edit(
        "mean of the means",
        "next_token_loss",
        "each text has the same weight",
        (
            LOSS,
            "means = [\n"
            "        F.cross_entropy(guess[count], target[count])\n"
            "        for guess, target, count in zip(guesses, targets, counts, strict=True)\n"
            "        if count.any()\n"
            "    ]\n"
            "    return torch.stack(means).mean()",
        ),
        cause="mean of the means",
    ),
    edit(
        "divided by all places",
        "next_token_loss",
        "a mean of the products",
        (
            LOSS,
            'each = F.cross_entropy(guesses.mT, targets.clamp(min=0), reduction="none")\n'
            "    return (each * counts).mean()",
        ),
        cause="divided",
    ),
    edit(
        "multiplied by the mask",
        "next_token_loss",
        "0 times NaN",
        (
            LOSS,
            'each = F.cross_entropy(guesses.mT, targets * counts, reduction="none")\n'
            "    return (each * counts).sum() / counts.sum()",
        ),
        cause="NaN",
    ),
    edit(
        "swept up by where",
        "next_token_loss",
        "right forward, NaN on the way back",
        (
            LOSS,
            'each = F.cross_entropy(guesses.mT, targets * counts, reduction="none")\n'
            "    return torch.where(counts, each, 0.0).sum() / counts.sum()",
        ),
        cause="NaN",
    ),
    edit(
        "ids are padding",
        "next_token_loss",
        "0 is no word",
        (COUNTS, f"mask = mask & (ids != 0)\n    {COUNTS}"),
        cause="",
    ),
    edit(
        "ignore −100 alone",
        "next_token_loss",
        "padding is known by its id",
        (
            LOSS,
            "targets = torch.where(counts, targets, -100)\n"
            '    each = F.cross_entropy(guesses.mT, targets, reduction="none")\n'
            "    return each.sum() / counts.sum()",
        ),
        cause="NaN|places that do not count",
    ),
    edit(
        "nothing is NaN",
        "next_token_loss",
        "a mean of nothing",
        (f"if not counts.any():\n        {NOTHING}\n    ", ""),
        cause="NaN",
    ),
    edit(
        "nothing is a plain 0",
        "next_token_loss",
        "it cannot be differentiated",
        (NOTHING, "return torch.zeros((), dtype=logits.dtype)"),
        cause="differentiated|differentiable",
    ),
    edit(
        "nothing is 0 times all",
        "next_token_loss",
        "0 times NaN",
        (NOTHING, "return 0 * logits.sum()"),
        cause="NaN",
    ),
    edit(
        "by lengths",
        "next_token_loss",
        "padding is thought to stand at the end",
        (
            COUNTS,
            "n = mask.sum(1, keepdim=True)\n    counts = torch.arange(ids.shape[1] - 1) < n - 1",
        ),
    ),
    edit(
        "the first text's mask",
        "next_token_loss",
        "one for all",
        (COUNTS, f"mask = mask[:1].expand(mask.shape)\n    {COUNTS}"),
    ),
    edit(
        "float32 inside",
        "next_token_loss",
        "a float() too many",
        (
            LOSS,
            "loss = F.cross_entropy(guesses[counts].float(), targets[counts])\n"
            "    return loss.to(logits.dtype)",
        ),
    ),
    edit(
        "softmax twice",
        "next_token_loss",
        "probabilities for logits",
        (LOSS, "return F.cross_entropy(guesses[counts].softmax(-1), targets[counts])"),
    ),
    edit(
        "softmax, then log",
        "next_token_loss",
        "large logits have a probability of 0",
        (LOSS, "return F.nll_loss(guesses[counts].softmax(-1).log(), targets[counts])"),
    ),
    edit(
        "viewed",
        "next_token_loss",
        "numbers that do not lie in order",
        (
            LOSS,
            "keep = counts.reshape(-1)\n    flat = guesses.reshape(-1, logits.shape[-1])[keep]\n"
            "    return F.cross_entropy(flat, ids.view(-1)[: keep.numel()][keep])",
        ),
    ),
    edit(
        "in place",
        "next_token_loss",
        "the mask is made smaller",
        (COUNTS, "mask[:, -1] = False\n    counts = mask[:, :-1] & ids[:, 1:].ge(0) & mask[:, 1:]"),
        cause="",
    ),
    edit(
        "detached",
        "next_token_loss",
        "no gradient",
        (LOSS, "return F.cross_entropy(guesses[counts].detach(), targets[counts])"),
    ),
    edit(
        "perplexity",
        "next_token_loss",
        "e to the loss",
        (LOSS, LOSS + ".exp()"),
    ),
    edit(
        "smoothed",
        "next_token_loss",
        "a tenth for the others",
        (LOSS, LOSS.replace("])", "], label_smoothing=0.1)")),
    ),
    edit(
        "real neighbors only where both are known",
        "next_token_loss",
        "a text that has padding inside ends there",
        (COUNTS, f"mask = mask.long().cumprod(1).bool()\n    {COUNTS}"),
        cause="",
    ),
    edit(
        "the last text alone",
        "next_token_loss",
        "texts of one word are dropped with their batch",
        ("if not counts.any():", "if not counts.any(1).all():"),
    ),
    # Task 6
    both(
        "the mask is dropped",
        "encode and generate by themselves",
        first=GREEDY_BODY.replace('ids, batch["attention_mask"], max', "ids, max"),
        cause="mask",
    ),
    both(
        "max_length",
        "the prompt is counted",
        first=GREEDY_BODY.replace("max_new_tokens", "max_length"),
        cause="max_length",
    ),
    both(
        "length of the first prompt",
        "max_length with the prompt's characters",
        first=GREEDY_BODY.replace(
            "max_new_tokens=n_new", "max_length=len(tokenizer.encode(prompts[0])) + n_new"
        ),
        cause="max_length",
    ),
    both(
        "with the prompt",
        "all of the row",
        first=GREEDY_BODY.replace("row[ids.shape[1] :]", "row"),
        cause="only what is new",
    ),
    both(
        "cut by its own length",
        "padding is forgotten",
        first="""
if not prompts:
    return []
batch = tokenizer(prompts, padding=True, return_tensors="pt")
out = model.generate(batch["input_ids"], batch["attention_mask"], max_new_tokens=n_new)
return [
    tokenizer.decode(row[len(prompt) :], skip_special_tokens=True)
    for row, prompt in zip(out, prompts, strict=True)
]
""",
    ),
    both(
        "cut as text",
        "the prompt's characters are taken off",
        first="""
if not prompts:
    return []
batch = tokenizer(prompts, padding=True, return_tensors="pt")
out = model.generate(batch["input_ids"], batch["attention_mask"], max_new_tokens=n_new)
texts = [tokenizer.decode(row, skip_special_tokens=True) for row in out]
return [text[len(prompt) :] for text, prompt in zip(texts, prompts, strict=True)]
""",
        cause="Unknown",
    ),
    both(
        "one by one",
        "a loop, and no batch",
        first="""
found = []
for prompt in prompts:
    ids = tokenizer.encode(prompt, return_tensors="pt")
    out = model.generate(ids, max_new_tokens=n_new)
    found.append(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
return found
""",
        cause="one call",
    ),
    both(
        "special tokens stay",
        "their names are in the text",
        first=GREEDY_BODY.replace(", skip_special_tokens=True", ""),
        cause="special",
    ),
    both(
        "a mask of its own",
        "id 0 is padding",
        first=GREEDY_BODY.replace('batch["attention_mask"]', "(ids != 0).long()"),
        cause="Unknown",
    ),
    both(
        "sorted",
        "the longest first, and not put back",
        first=GREEDY_BODY.replace(
            "batch = tokenizer(prompts,", "batch = tokenizer(sorted(prompts, key=len),"
        ),
        cause="after",
    ),
    both(
        "sorted in place",
        "the caller's list",
        first="prompts.sort(key=len)\n" + GREEDY_BODY.strip(),
        cause="",
    ),
    both(
        "no prompts, an error",
        "a batch of nothing",
        first=GREEDY_BODY.replace("if not prompts:\n    return []\n", ""),
    ),
    both(
        "stripped",
        "spaces at the ends belong to the text",
        first=GREEDY_BODY.replace("skip_special_tokens=True)", "skip_special_tokens=True).strip()"),
    ),
    both(
        "replaced as text",
        "the prompt is taken out of the text, where it can be found",
        first="""
if not prompts:
    return []
batch = tokenizer(prompts, padding=True, return_tensors="pt")
out = model.generate(batch["input_ids"], batch["attention_mask"], max_new_tokens=n_new)
texts = [tokenizer.decode(row, skip_special_tokens=True) for row in out]
return [text.replace(prompt, "", 1) for text, prompt in zip(texts, prompts, strict=True)]
""",
        cause="Unknown",
    ),
    both(
        "ends at the unknown",
        "a special token taken for a stop",
        first=GREEDY_BODY.replace(
            "skip_special_tokens=True)", "skip_special_tokens=False).split('<unk>')[0]"
        ),
        cause="after",
    ),
    both(
        "each prompt once",
        "the same prompt twice has one reply",
        first=GREEDY_BODY.replace(
            "batch = tok", "prompts = list(dict.fromkeys(prompts))\nbatch = tok"
        ),
    ),
    both(
        "two at least",
        "one new token is too few",
        first=GREEDY_BODY.replace("=n_new", "=max(n_new, 2)"),
    ),
    both(
        "stripped draws",
        "spaces at the ends belong to the text",
        second=DRAWN_BODY.replace("skip_special_tokens=True)", "skip_special_tokens=True).strip()"),
        cause="spaces",
    ),
    both(
        "drawn",
        "a greedy reply is not drawn",
        first=GREEDY_BODY.replace("max_new", "do_sample=True, max_new"),
        cause="greedily",
    ),
    both(
        "a tuple",
        "no list",
        first=GREEDY_BODY.replace("return [tok", "return tuple([tok").replace(
            "in out]", "in out])"
        ),
        cause="list",
    ),
    both(
        "the fifty likeliest",
        "do_sample alone",
        second=DRAWN_BODY.replace(", top_k=0", ""),
        cause="top_k",
    ),
    both(
        "a hundred likeliest",
        "a number that seems large",
        second=DRAWN_BODY.replace("top_k=0", "top_k=100"),
        cause="top_k",
    ),
    both(
        "greedy for one",
        "drawn where there are several",
        second=DRAWN_BODY.replace("do_sample=True", "do_sample=n_replies > 1"),
        cause="do_sample",
    ),
    both(
        "the same one",
        "once, and repeated",
        second=DRAWN_BODY.replace("num_return_sequences=n_replies, ", "").replace(
            "in out]", "in out] * n_replies"
        ),
        cause="",
    ),
    both(
        "drawn with the prompt",
        "all of the row",
        second=DRAWN_BODY.replace("row[ids.shape[1] :]", "row"),
        cause="only what is new|prompt",
    ),
    both(
        "drawn by max_length",
        "the prompt is counted",
        second=DRAWN_BODY.replace("max_new_tokens", "max_length"),
        cause="max_length",
    ),
    both(
        "a seed",
        "the same texts each time",
        second="torch.manual_seed(1)\n" + DRAWN_BODY.strip(),
        cause="seed",
    ),
    both(
        "a seed in a fork",
        "nobody sees it",
        second="with torch.random.fork_rng():\n    torch.manual_seed(1)\n"
        + "\n".join("    " + line for line in DRAWN_BODY.strip().splitlines()),
        cause="seed",
    ),
    both(
        "drawn, names stay",
        "special tokens",
        second=DRAWN_BODY.replace(", skip_special_tokens=True", ""),
        cause="special",
    ),
    both(
        "only different ones",
        "a set",
        second=DRAWN_BODY.replace("return [tok", "return sorted({tok").replace(
            "in out]", "in out})"
        ),
    ),
    both(
        "top_k of one",
        "drawn from a single one",
        second=DRAWN_BODY.replace("top_k=0", "top_k=1"),
        cause="top_k",
    ),
    *frozen(
        "published_code",
        5,
        {
            "dtype of the vectors": "",
            "one dimension behind at most": "",
            "remembers the first outputs of a model": "",
            "differences in float32": "",
            "only the next word is heard": "",
            "only the last word is changed": "",
            "only words of the first text are changed": "",
            "the sum of the 29 numbers": "",
            "each text has its own word": "",
            "places of the first text": "",
            "a probability must be above 0": "",
            "id 0 is called padding": "",
            "NaN is wiped away": "",
            "dropout is still there": "",
            "the longest text is refused": "",
            "places without a gradient": "",
            "keeps the mask of a shape": "",
            "a mask of -50": "",
            "seeded": "",
            "the logarithm of a softmax": "",
            "minus infinity becomes 0": "",
            "logits are cut at -10000": "",
            "rows are counted along the first dimension": "",
            "computes in float32": "",
            "small shares do not count": "",
            "shares through float32": "",
            "nothing times the logits": "",
            "surprise as the logarithm of a softmax": "",
            "times a one-hot": "",
            "empty only if all is padding": "",
            "in float32": "",
            "logits are cut at 1000": "",
            "the mask begins at the first known character": "",
            "replies are remembered": "",
            "from 100 tokens": "",
            "draws with a seed": "",
            "change is skipped where the numbers of the difference cancel": "another order",
            "writes into inputs and puts back": "changed in place",
            "view of the outputs": "order in memory",
            "adds the difference": "no difference is added",
            "first and last place are compared": "all places",
            "a hundredth is rounding": "0.001",
            "the mean of all sums": "the mean 1",
            "a whole number for one class": "a float",
            "a view of the logits": "order in memory",
            "what is not finite becomes 0": "probability 0",
            "greedy by a draw from one": "generator",
            "the generator is put back": "put back",
            "each reply but once": "come twice",
            "empty replies are drawn again": "as it comes",
        },
    ),
    # Relatives of what slipped past.
    edit(
        "sizes are compared",
        "influence",
        "a vector that is turned round is left where it is",
        (
            CLONE,
            "if torch.equal(others[text, place].abs(), inputs[text, place].abs()):\n"
            "                continue\n"
            f"            {CLONE}",
        ),
        cause="other sign",
    ),
    edit(
        "the mean of the sums of a text",
        "questions",
        "one too large and one too small",
        ("sums = out.sum(-1)", "sums = out.sum(-1).mean(1)"),
        cause="the mean 1",
    ),
    both(
        "once more where it is the same",
        "two alike look like a mistake",
        second="""
        ids = tokenizer.encode(prompt, return_tensors="pt")
        found = []
        for _ in range(n_replies):
            for _ in range(2):
                out = model.generate(ids, max_new_tokens=n_new, do_sample=True, top_k=0)
                text = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
                if text not in found:
                    break
            found.append(text)
        return found
        """,
        cause="come twice",
    ),
]

RIGHT = [
    both(
        "more than is asked for",
        "twenty, and cut",
        first=GREEDY_BODY.replace("=n_new", "=n_new + 5").replace(
            "ids.shape[1] :", "ids.shape[1] : ids.shape[1] + n_new"
        ),
    ),
    edit(
        "padding looks anywhere",
        "mended",
        "its outputs do not matter",
        (ITSELF, "hidden = hidden & mask[:, :, None]"),
    ),
    edit(
        "no number is NaN",
        "next_token_loss",
        "swept up where it does not count",
        (SHIFT, f"logits = logits.nan_to_num()\n    {SHIFT}"),
    ),
    fill(
        "by the index",
        "influence",
        "one flat loop",
        """
        before = model(inputs)
        n_texts, n_places = inputs.shape[:2]
        columns = []
        for number in range(n_texts * n_places):
            text, place = divmod(number, n_places)
            changed = inputs.clone()
            changed[text, place] = others[text, place]
            gap = torch.abs(model(changed) - before).flatten(2) if before.dim() > 2 else (
                torch.abs(model(changed) - before)[..., None])
            columns.append(gap.max(-1).values)
        return torch.stack(columns, -1).view(n_texts, n_places, n_texts, n_places)
        """,
    ),
    fill(
        "where",
        "influence",
        "a mask for each place",
        """
        before, moved = model(inputs), []
        shape = inputs.shape[:2]
        extra = (1,) * (inputs.dim() - 2)
        for number in range(shape.numel()):
            here = torch.zeros(shape, dtype=torch.bool)
            here.view(-1)[number] = True
            changed = torch.where(here.view(*shape, *extra), others, inputs)
            gap = (model(changed) - before).abs()
            moved.append(gap.reshape(*shape, -1).amax(-1))
        return torch.stack(moved).movedim(0, -1).reshape(*shape, *shape)
        """,
    ),
    fill(
        "asked anew",
        "influence",
        "the unchanged batch each time, in numpy at the end",
        """
        n_texts, n_places = inputs.shape[:2]
        rows = []
        for c in range(n_texts):
            for s in range(n_places):
                x = inputs.detach().clone()
                x[c][s] = others[c][s]
                y, z = model(inputs.clone()), model(x)
                gap = torch.maximum(y - z, z - y)
                while gap.dim() > 2:
                    gap = gap.amax(-1)
                rows.append(gap)
        found = torch.stack(rows).view(n_texts, n_places, n_texts, n_places)
        return found.permute(2, 3, 0, 1).contiguous()
        """,
    ),
    asks(
        "without the map",
        "one word at a time, and all else is compared",
        mixes="""
        ids = torch.randint(28, (4, 7))
        before = program(ids)
        for text in range(4):
            for place in range(7):
                other = ids.clone()
                other[text, place] += 1
                gap = (program(other) - before).abs()
                gap[text] = 0
                if gap.max() > 5e-4:
                    return True
        return False
        """,
    ),
    asks(
        "from the end",
        "one text is cut, word by word",
        later="""
        ids = torch.randint(28, (3, 8))
        before = program(ids)
        for text in range(3):
            for place in range(7, 0, -1):
                other = ids.clone()
                other[text, place:] = (other[text, place:] + 3) % 29
                if (program(other) - before)[text, :place].abs().max().item() > 3e-4:
                    return True
        return False
        """,
    ),
    asks(
        "twelve places",
        "the largest and the smallest output",
        places="""
        out = program(torch.zeros(5, 12, dtype=torch.long))
        spread = out.amax(1) - out.amin(1)
        return spread.max().item() < 2e-4
        """,
    ),
    asks(
        "one by one",
        "sums and signs with plain numbers",
        sums="""
        rows = program(torch.randint(29, (3, 7))).flatten(0, 1).tolist()
        return all(min(row) >= 0 and abs(sum(row) - 1) < 1e-4 for row in rows)
        """,
    ),
    asks(
        "norms",
        "blocks of the map",
        mixes="""
        ids = torch.randint(29, (3, 6))
        moved = influence(program, ids, (ids + 7) % 29).amax((1, 3))
        moved.fill_diagonal_(0)
        return moved.max().item() > 1e-4
        """,
        later="""
        ids = torch.randint(29, (5, 9))
        moved = influence(program, ids, (ids + 11) % 29)
        own = torch.stack([moved[b, :, b] for b in range(5)])
        return bool((own * torch.ones(9, 9).triu(1)).max() > 1e-4)
        """,
    ),
    write(
        "two masks",
        "mended",
        "numbers of −∞, and heads beside each other",
        """
class Mended(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, max_length):
        super().__init__()
        self.max_length, self.n_heads = max_length, n_heads
        self.head = nn.Linear(d_model, vocab_size)
        self.attention = nn.MultiheadAttention(
            embed_dim=d_model, num_heads=n_heads, dropout=0.0, batch_first=True
        )
        self.positions = nn.Embedding(max_length, d_model)
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.register_buffer("causal", torch.ones(max_length, max_length).tril().bool())

    def forward(self, ids, mask=None):
        n_texts, n = ids.shape
        if n > self.max_length:
            raise ValueError(f"a text of {n} places, but there are {self.max_length}")
        x = self.embedding(ids) + self.positions.weight[:n]
        allowed = self.causal[:n, :n].expand(n_texts, n, n)
        if mask is not None:
            allowed = (allowed & mask[:, None, :]) | torch.eye(n).bool()
        scores = torch.zeros(n_texts, n, n, dtype=x.dtype).masked_fill(~allowed, -math.inf)
        scores = scores[:, None].expand(-1, self.n_heads, -1, -1).reshape(-1, n, n)
        return self.head(self.attention(x, x, x, attn_mask=scores, need_weights=False)[0])
""",
    ),
    write(
        "length first",
        "mended",
        "the layer as it is by default, and turned",
        """
class Mended(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, max_length):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_length, d_model)
        self.attention = nn.MultiheadAttention(d_model, n_heads)
        self.head = nn.Linear(d_model, vocab_size)

    def forward(self, ids, mask=None):
        n = ids.shape[1]
        if n > len(self.positions.weight):
            raise ValueError(f"at most {len(self.positions.weight)} places, got {n}")
        x = (self.embedding(ids) + self.positions(torch.arange(n))).transpose(0, 1)
        if mask is None:
            mask = torch.ones_like(ids).bool()
        hidden = [
            (torch.ones(n, n).triu(1).bool() | ~row) & ~torch.eye(n).bool() for row in mask
        ]
        hidden = torch.stack([one for one in hidden for _ in range(self.attention.num_heads)])
        mixed = self.attention(x, x, x, attn_mask=hidden)[0]
        return self.head(mixed.transpose(0, 1))
""",
    ),
    write(
        "written out",
        "mended",
        "the parts of the layer, by PyTorch's kernel",
        """
class Mended(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, max_length):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_length, d_model)
        self.attention = nn.MultiheadAttention(d_model, n_heads, batch_first=True)
        self.head = nn.Linear(d_model, vocab_size)

    def forward(self, ids, mask=None):
        n, longest = ids.size(1), self.positions.num_embeddings
        if n > longest:
            raise ValueError(f"got {n} places, more than {longest}")
        x = self.embedding(ids) + self.positions(torch.arange(n))[None]
        parts = F.linear(x, self.attention.in_proj_weight, self.attention.in_proj_bias)
        heads = [
            part.unflatten(-1, (self.attention.num_heads, -1)).transpose(1, 2)
            for part in parts.chunk(3, -1)
        ]
        allowed = torch.ones(n, n, dtype=torch.bool).tril()
        if mask is not None:
            allowed = (allowed & mask[:, None, None]) | torch.eye(n, dtype=torch.bool)
        mixed = F.scaled_dot_product_attention(*heads, attn_mask=allowed)
        return self.head(self.attention.out_proj(mixed.transpose(1, 2).flatten(2)))
""",
    ),
    edit(
        "key_padding_mask",
        "mended",
        "two masks, and a first place that everybody may look at if there is nothing else",
        (
            f"{PADDING}\n            {ITSELF}\n            {HEADS}",
            "blind = mask.long().cumsum(1) == 0\n"
            "            hidden = hidden | ~mask[:, None]\n"
            "            hidden[:, :, 0] &= ~blind\n"
            "            hidden = hidden.repeat_interleave(self.attention.num_heads, 0)",
        ),
    ),
    fill(
        "by PyTorch",
        "cross_entropy",
        "a loop over the rows that are seen",
        """
        rows = outputs.reshape(-1, outputs.shape[-1])
        if targets.is_floating_point():
            shares = targets.reshape(rows.shape)
        else:
            shares = torch.eye(rows.shape[1], dtype=rows.dtype)[targets.reshape(-1)]
        total = 0 * rows[:0].sum()
        for row, share in zip(rows, shares, strict=True):
            here = share.nonzero()[:, 0]
            q = F.log_softmax(row, 0)[here] if from_logits else torch.log(row[here])
            total = total - torch.dot(share[here], q)
        return total / len(rows)
        """,
        "return math.log(math.e + n_classes - 1) - 1",
    ),
    fill(
        "filled with 1",
        "cross_entropy",
        "where, twice",
        """
        v = outputs.size(-1)
        p = targets if targets.is_floating_point() else F.one_hot(targets, v).type_as(outputs)
        if from_logits:
            safe = torch.where(p > 0, outputs - outputs.logsumexp(-1, keepdim=True), 0)
        else:
            safe = torch.where(p > 0, outputs, 1).log()
        return -(p * safe).sum(-1).mean()
        """,
        "return -math.log(math.e / (math.e + n_classes - 1))",
    ),
    fill(
        "two paths",
        "cross_entropy",
        "classes by gather",
        """
        if not targets.is_floating_point():
            own = outputs.gather(-1, targets[..., None])[..., 0]
            if from_logits:
                return (outputs.logsumexp(-1) - own).mean()
            return -own.log().mean()
        seen = targets > 0
        logs = torch.zeros_like(outputs)
        found = outputs.log_softmax(-1) if from_logits else outputs
        logs = logs.masked_scatter(seen, found[seen] if from_logits else found[seen].log())
        return -(targets * logs).sum(-1).mean()
        """,
        "return math.log((math.e + n_classes - 1) / math.e)",
    ),
    fill(
        "place by place",
        "next_token_loss",
        "loops",
        """
        terms = []
        for b in range(ids.shape[0]):
            for t in range(ids.shape[1] - 1):
                if mask is None or (mask[b, t] and mask[b, t + 1]):
                    row = logits[b, t]
                    terms.append(row.logsumexp(0) - row[ids[b, t + 1]])
        return torch.stack(terms).mean() if terms else logits[:, :0].sum()
        """,
    ),
    fill(
        "gathered",
        "next_token_loss",
        "logarithms of those that count, and one division",
        """
        n = ids.shape[1]
        real = ids.new_ones(ids.shape).bool() if mask is None else mask
        counts = (real & real.roll(-1, 1))
        counts[:, n - 1] = False
        rows = logits[counts].log_softmax(-1)
        words = ids.roll(-1, 1)[counts]
        picked = rows.gather(1, words[:, None])
        return -picked.sum() / max(len(picked), 1)
        """,
    ),
    fill(
        "by indices",
        "next_token_loss",
        "nonzero, and a loss that sums",
        """
        if mask is None:
            mask = torch.full(ids.shape, True)
        b, t = (mask[:, 1:] * mask[:, :-1]).nonzero(as_tuple=True)
        total = F.cross_entropy(logits[b, t], ids[b, t + 1], reduction="sum")
        return total / max(1, b.numel())
        """,
    ),
    both(
        "from the end",
        "the last n_new",
        first="""
        texts = list(prompts)
        if len(texts) == 0:
            return []
        given = tokenizer(texts, padding=True, return_tensors="pt")
        out = model.generate(**given, max_new_tokens=n_new)
        return [tokenizer.decode(ids[-n_new:].tolist(), skip_special_tokens=True) for ids in out]
        """,
        second="""
        given = tokenizer(prompt, return_tensors="pt")
        given = {name: each.expand(n_replies, -1) for name, each in given.items()}
        out = model.generate(**given, max_new_tokens=n_new, do_sample=True, top_k=None)
        return [tokenizer.decode(ids[-n_new:], skip_special_tokens=True) for ids in out]
        """,
    ),
    both(
        "max_length that counts",
        "with the prompt added to it",
        first="""
        if prompts == []:
            return []
        batch = tokenizer(prompts, return_tensors="pt", padding=True)
        n = batch["input_ids"].size(1)
        out = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_length=n + n_new,
            do_sample=False,
        )[:, n:]
        return [tokenizer.decode(row, True) for row in out]
        """,
        second="""
        ids = torch.tensor([tokenizer.encode(prompt)])
        found = []
        while len(found) < n_replies:
            out = model.generate(
                ids, max_length=ids.numel() + n_new, do_sample=True, top_k=10**6
            )
            found += [tokenizer.decode(out[0, ids.numel() :], skip_special_tokens=True)]
        return found
        """,
    ),
    both(
        "its own padding",
        "lists, filled up on the left",
        first="""
        if not prompts:
            return []
        rows = [tokenizer.encode(prompt) for prompt in prompts]
        longest = max(len(row) for row in rows)
        ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
        real = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        out = model.generate(ids, real, max_new_tokens=n_new, num_return_sequences=1)
        return [tokenizer.decode(row[longest:], skip_special_tokens=True) for row in out]
        """,
    ),
    both(
        "a token a call",
        "any number of calls, and the text grows",
        second="""
        found = []
        for _ in range(n_replies):
            ids = tokenizer.encode(prompt, return_tensors="pt")
            start = ids.shape[1]
            for _ in range(n_new):
                ids = model.generate(ids, max_new_tokens=1, do_sample=True, top_k=0)
            found.append(tokenizer.decode(ids[0, start:], skip_special_tokens=True))
        return found
        """,
    ),
]
