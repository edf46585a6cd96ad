"""Answers to the assignment `finetuning`: plausible and wrong, or right in another style."""

from . import edit, fill, write, wrong

# Task 1
CHECK = """if not 1 <= rank <= min(n_in, n_out):
            raise ValueError(f"rank must be 1 to {min(n_in, n_out)}, got rank={rank}")
        """
FROZEN = "self.base = base.requires_grad_(False)"
A_DRAWN = "self.A = nn.Parameter(torch.randn(rank, n_in).to(base.weight) / math.sqrt(n_in))"
B_ZERO = "self.B = nn.Parameter(torch.zeros(n_out, rank).to(base.weight))"
NARROW = "change = x @ self.A.mT @ self.B.mT"
SUM = "return self.base(x) + self.alpha / self.rank * change"
# Task 2
READ = "weight, bias = layer.base.weight, layer.base.bias"
WIDE = "wide = torch.promote_types(weight.dtype, torch.float32)"
CHANGE = "change = layer.alpha / layer.rank * (layer.B.to(wide) @ layer.A.to(wide))"
ADDED = "added = layer.alpha / layer.rank * (layer.B.to(precise) @ layer.A.to(precise))"
MERGED = "new.weight.copy_(weight.to(wide) + change)"
BIAS = "new.bias.copy_(bias)"
NEW = "new = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=weight.dtype)"
OLD = "old = copy.deepcopy(merged).requires_grad_(False)"
OUT = "old.weight.copy_(merged.weight.to(precise) - added)"
ASKS = "return new.requires_grad_(False)"
# Task 3
UNKNOWN = 'raise ValueError(f"how must be full, head or lora, got how={how}")'
NAMED = "for name, parameter in model.named_parameters(remove_duplicate=False):"
IS_HEAD = 'is_head = name.startswith("head.")'
IS_LORA = 'is_lora = name.split(".")[-1] in ("A", "B")'
CHOICE = 'if how == "full" or is_head or (how == "lora" and is_lora):'
SET = "parameter.requires_grad_(parameter in chosen)"
GRAD = "        if parameter not in chosen:\n            parameter.grad = None\n"
NAMES = "return [name for name, parameter in model.named_parameters() if parameter in chosen]"
TRAINED = "trained = [p for p in model.parameters() if p.requires_grad]"
HELD = "held = [*model.parameters(), *model.buffers()]"
GRADIENTS = "gradients = sum(p.numel() * p.element_size() for p in trained)"
ADAM = '"adam": 2 * gradients,'
WEIGHTS = '"weights": sum(t.numel() * t.element_size() for t in held),'
# Task 4
N_BLOCKS = "n = -(-n_columns // block)"
DOUBLE = "wide = weight.detach().double()"
SCALES = "scales = blocks.abs().amax(-1)"
RATIOS = "ratios = blocks / torch.where(scales > 0, scales, 1.0)[..., None]"
CODES = "codes = (7 * ratios).round().to(torch.int8)"
PAIR = "return codes.flatten(1)[:, :n_columns].contiguous(), scales.to(weight.dtype)"
EACH = "each = scales.double().repeat_interleave(block, dim=1)[:, : codes.shape[1]]"
NUMBERS = "return (codes.double() / 7 * each).to(scales.dtype)"
# Task 5
SHIFTED = "shifted = F.pad((codes + 8).to(torch.uint8), (0, codes.shape[1] % 2))"
BYTES = "return shifted[:, 0::2] | (shifted[:, 1::2] << 4)"
HALVES = "halves = torch.stack([packed & 15, packed >> 4], dim=-1)"
UNPACKED = "return halves.flatten(1)[:, :n].to(torch.int8) - 8"
QUANTIZED = "codes, scales = quantize(base.weight, block)"
PACKED = 'self.register_buffer("packed", pack(codes))'
KEPT_SCALES = 'self.register_buffer("scales", scales)'
KEPT_BIAS = (
    'self.register_buffer("bias", None if base.bias is None else base.bias.detach().clone())'
)
Q_A = "self.A = nn.Parameter(torch.randn(rank, n_in).to(scales) / math.sqrt(n_in))"
Q_B = "self.B = nn.Parameter(torch.zeros(n_out, rank).to(scales))"
READ_CODES = "codes = unpack(self.packed, self.A.shape[1])"
MADE = "weight = dequantize(codes, self.scales, self.block)"
Q_SUM = "return F.linear(x, weight, self.bias) + self.factor * (x @ self.A.mT @ self.B.mT)"
# Task 6
LEARNS = "trained = [p for p in model.parameters() if p.requires_grad]"
OPTIMIZER = "optimizer = torch.optim.Adam(trained, lr=learning_rate)"
FRESH = "    model.zero_grad()\n"
LABELS = "loss = F.cross_entropy(model(ids), labels)"
BODY = "logits = model.body(old)[:, :-1]"
ADDED_OLD = "loss = loss + F.cross_entropy(logits.flatten(0, 1), old[:, 1:].flatten())"
STEP = "        loss.backward()\n        optimizer.step()\n        optimizer.zero_grad()\n"
NOTED = "losses.append(loss.item())"
BACK = "model.train(was_training)"
# Task 7
COUNT = "n_words = sum(len(text) - 1 for text in texts)"
NOTHING = 'raise ValueError(f"texts must have a word to predict, got {len(texts)} texts without")'
MODES = "modes = {part: part.training for part in body.modules()}"
EVAL = "    body.eval()\n"
LOGITS = "logits = body(text[None])[0, :-1].double()"
TOTAL = 'total += F.cross_entropy(logits, text[1:], reduction="sum").item()'
RESTORED = "    for part, mode in modes.items():\n        part.training = mode\n"
MEAN = "return total / n_words"
GAINED = 'raise ValueError(f"unread must be above before={before}, got unread={unread}")'
SHARE = "return (after - before) / (unread - before)"


WRONG = [
    # Task 1
    wrong("lora", "factor", "no factor", ("self.alpha / self.rank * change", "change")),
    wrong("lora", "division by the rank", "alpha alone", ("self.alpha / self.rank", "self.alpha")),
    wrong(
        "lora",
        "√rank",
        "the root of the rank",
        ("self.alpha / self.rank", "self.alpha / self.rank**0.5"),
    ),
    wrong(
        "lora", "other way up", "upside down", ("self.alpha / self.rank", "self.rank / self.alpha")
    ),
    wrong(
        "lora",
        "whole number",
        "whole division",
        ("self.alpha / self.rank", "self.alpha // self.rank"),
    ),
    wrong("lora", "base says", "the change alone", ("self.base(x) + ", "")),
    wrong("lora", "bias", "the bias forgotten", ("self.base(x)", "x @ self.base.weight.mT")),
    wrong(
        "lora",
        "zero",
        "B is random, too",
        (B_ZERO, "self.B = nn.Parameter(torch.randn(n_out, rank).to(base.weight) / rank)"),
    ),
    wrong(
        "lora",
        "zero",
        "both are zero",
        (A_DRAWN, "self.A = nn.Parameter(torch.zeros(rank, n_in).to(base.weight))"),
    ),
    wrong(
        "lora",
        "standard deviation",
        "A as it is drawn",
        (" / math.sqrt(n_in))", ")"),
    ),
    wrong("lora", "standard deviation", "by the rank", ("math.sqrt(n_in)", "math.sqrt(rank)")),
    wrong("lora", "standard deviation", "by C", ("math.sqrt(n_in)", "n_in")),
    wrong(
        "lora",
        "standard deviation|uniform",
        "as nn.Linear begins",
        (A_DRAWN, "self.A = nn.Parameter(nn.Linear(n_in, rank).weight.detach().to(base.weight))"),
    ),
    wrong(
        "lora",
        "uniform",
        "uniform of the right size",
        (
            A_DRAWN,
            "self.A = nn.Parameter((torch.rand(rank, n_in) * 2 - 1).to(base.weight)"
            " * math.sqrt(3 / n_in))",
        ),
    ),
    wrong(
        "lora",
        "one by one",
        "one row for all",
        (
            A_DRAWN,
            "self.A = nn.Parameter(torch.randn(1, n_in).repeat(rank, 1).to(base.weight)"
            " / math.sqrt(n_in))",
        ),
    ),
    wrong("lora", "frozen", "the base is trained", (FROZEN, "self.base = base")),
    wrong(
        "lora",
        "bias too",
        "the bias is trained",
        (FROZEN, "self.base = base\n        base.weight.requires_grad_(False)"),
    ),
    wrong(
        "lora",
        "same object",
        "a copy of the base",
        (FROZEN, "self.base = copy.deepcopy(base).requires_grad_(False)"),
    ),
    wrong(
        "lora",
        "dtype",
        "float32 always",
        (A_DRAWN, "self.A = nn.Parameter(torch.randn(rank, n_in) / math.sqrt(n_in))"),
        (B_ZERO, "self.B = nn.Parameter(torch.zeros(n_out, rank))"),
    ),
    wrong(
        "lora",
        "digits count|any leading",
        "through float32",
        (NARROW, "change = (x.float() @ self.A.float().mT @ self.B.float().mT).to(x.dtype)"),
    ),
    wrong("lora", "ValueError", "no rank is refused", (CHECK, "")),
    wrong(
        "lora",
        "ValueError",
        "only above the larger side",
        ("if not 1 <= rank <= min(n_in, n_out)", "if not 1 <= rank <= max(n_in, n_out)"),
    ),
    wrong(
        "lora",
        "rank must|got rank|allowed",
        "the smaller side is too large",
        ("<= min(n_in, n_out):", "< min(n_in, n_out):"),
    ),
    wrong("lora", "ValueError", "zero is a rank", ("if not 1 <=", "if not 0 <=")),
    wrong("lora", "got rank", "a message without the number", (", got rank={rank}", "")),
    wrong(
        "lora", "got rank", "the other number", ("got rank={rank}", "got rank={min(n_in, n_out)}")
    ),
    wrong(
        "lora",
        "as it was",
        "frozen, then refused",
        (
            "        if not 1 <= rank",
            "        base.requires_grad_(False)\n        if not 1 <= rank",
        ),
    ),
    wrong(
        "lora",
        "seed",
        "a seed",
        (A_DRAWN, f"torch.manual_seed(0)\n        {A_DRAWN}"),
    ),
    wrong(
        "lora",
        "same numbers each time|seed",
        "a seed of its own",
        (
            A_DRAWN,
            "own = torch.Generator().manual_seed(0)\n        "
            + A_DRAWN.replace("(rank, n_in)", "(rank, n_in, generator=own)"),
        ),
    ),
    wrong(
        "lora",
        "gradient reaches A|wrong",
        "A is detached",
        (NARROW, "change = x @ self.A.detach().mT @ self.B.mT"),
    ),
    wrong(
        "lora",
        "gradient of x",
        "the base without gradients",
        (
            SUM,
            "with torch.no_grad():\n            y = self.base(x)\n        "
            "return y + self.alpha / self.rank * change",
        ),
    ),
    wrong(
        "lora",
        "gradient of x",
        "x is detached for the change",
        (NARROW, "change = x.detach() @ self.A.mT @ self.B.mT"),
    ),
    wrong(
        "lora",
        "at this call|as they are now|change is missing",
        "multiplied out at the start",
        (B_ZERO, B_ZERO + "\n        self.made = (self.B @ self.A).detach()"),
        (NARROW, "change = x @ self.made.mT"),
    ),
    wrong(
        "lora",
        "at this call",
        "the weight of the start",
        (FROZEN, FROZEN + "\n        self.w = base.weight.detach().clone()"),
        (SUM, SUM.replace("self.base(x)", "F.linear(x, self.w, self.base.bias)")),
    ),
    wrong(
        "lora",
        "training|mode",
        "dropout",
        (NARROW, "change = F.dropout(x, 0.1, self.training) @ self.A.mT @ self.B.mT"),
    ),
    wrong(
        "lora",
        "leading|shape",
        "one row is squeezed",
        (SUM, SUM.replace("return ", "return (") + ").squeeze()"),
    ),
    wrong(
        "lora",
        "changed in place",
        "x is scaled in place",
        (NARROW, "x *= 1.0000001\n        " + NARROW),
    ),
    wrong(
        "lora",
        "changed in place",
        "in place where no gradient is asked for",
        (
            NARROW,
            "x = x if torch.is_grad_enabled() else x.mul_(1.0000001)\n        " + NARROW,
        ),
    ),
    # Task 2
    wrong(
        "merge",
        "factor alpha / rank",
        "no factor",
        (CHANGE, "change = layer.B.to(wide) @ layer.A.to(wide)"),
    ),
    wrong(
        "merge",
        "division by the rank",
        "alpha alone",
        (CHANGE, CHANGE.replace(" / layer.rank", "")),
    ),
    wrong(
        "merge",
        "division by the rank",
        "alpha alone, on the way out",
        (ADDED, ADDED.replace(" / layer.rank", "")),
    ),
    wrong("merge", "sign", "taken off", ("weight.to(wide) + change", "weight.to(wide) - change")),
    wrong("merge", "sign", "added again", (".to(precise) - added", ".to(precise) + added")),
    wrong("merge", "weight itself", "the change alone", ("weight.to(wide) + change", "change")),
    wrong(
        "merge",
        "transposed",
        "A and B the other way",
        (
            CHANGE,
            CHANGE.replace(
                "layer.B.to(wide) @ layer.A.to(wide)", "layer.B.to(wide) @ layer.A.to(wide)"
            )
            + "\n        change = change.mT if change.shape[0] == change.shape[1] else change",
        ),
    ),
    wrong("merge", "bias", "the bias stays as drawn", (BIAS, "pass")),
    wrong(
        "merge",
        "without a bias",
        "always a bias",
        (NEW, NEW.replace("bias=bias is not None", "bias=True")),
    ),
    wrong(
        "merge",
        "bias",
        "a bias of zero",
        (OLD, OLD + "\n        if old.bias is not None:\n            old.bias.zero_()"),
    ),
    wrong(
        "merge",
        "asks for a gradient|requires_grad",
        "it is trained on",
        (ASKS, "return new"),
    ),
    wrong(
        "merge",
        "asks for a gradient",
        "taken out, and trained",
        (".requires_grad_(False)\n        old", "\n        old"),
    ),
    wrong(
        "merge",
        "base's weight was changed|shared|copy",
        "in place",
        (NEW, "new = layer.base"),
    ),
    wrong(
        "merge",
        "memory",
        "the bias is shared",
        (BIAS, "new.bias = nn.Parameter(bias.detach())"),
    ),
    wrong(
        "merge",
        "memory|shared|copy",
        "taken out in place",
        (OLD, "old = merged.requires_grad_(False)"),
    ),
    wrong(
        "merge",
        "memory|shared",
        "a shallow copy",
        (
            OLD,
            "old = copy.copy(merged)\n        old._parameters = dict(merged._parameters)\n"
            "        old.weight = nn.Parameter(merged.weight.clone(), requires_grad=False)",
        ),
    ),
    wrong(
        "merge",
        "dtype|precise",
        "float32 always",
        (WIDE, "wide = torch.float32"),
    ),
    wrong("merge", "precise", "all in the dtype of the weight", (WIDE, "wide = weight.dtype")),
    wrong(
        "merge",
        "precise",
        "rounded twice",
        (MERGED, "new.weight.copy_(weight + change.to(weight.dtype))"),
    ),
    wrong(
        "merge",
        "precise",
        "rounded twice on the way out",
        (OUT, "old.weight.sub_(added.to(merged.weight.dtype))"),
    ),
    wrong(
        "merge",
        "dtype",
        "a layer of float32",
        (NEW, NEW.replace(", dtype=weight.dtype", "")),
    ),
    wrong(
        "merge",
        "base|attribute|NoneType",
        "the base is handed back",
        (OUT, "old.weight.copy_(layer.base.weight)"),
    ),
    wrong(
        "merge",
        "in_features",
        "sides changed places",
        (
            NEW,
            "new = nn.Linear(weight.shape[0], weight.shape[1], bias=False, dtype=weight.dtype)\n"
            "    new.weight = nn.Parameter(weight.detach().clone())\n"
            "    new.bias = None if bias is None else nn.Parameter(bias.detach().clone())",
        ),
    ),
    wrong(
        "merge",
        "requires_grad of A",
        "A and B are frozen",
        (CHANGE, "layer.A.requires_grad_(False)\n        " + CHANGE),
    ),
    wrong("merge", "seed", "a seed", (NEW, "torch.manual_seed(0)\n    " + NEW)),
    wrong(
        "merge",
        "A was changed",
        "A is scaled in place",
        (CHANGE, "layer.A.mul_(1.5)\n        " + CHANGE + " / 1.5"),
    ),
    wrong(
        "merge",
        "another A|keep nothing",
        "kept on the layer",
        (
            READ,
            'if "kept" in vars(layer):\n        return copy.deepcopy(layer.kept[0])\n    ' + READ,
        ),
        (ASKS, "layer.kept = [new.requires_grad_(False)]\n    return copy.deepcopy(new)"),
    ),
    wrong(
        "merge",
        "factor|rank",
        "whole division",
        (CHANGE, CHANGE.replace("alpha / layer", "alpha // layer")),
    ),
    wrong(
        "merge",
        "precise",
        "a factor of the weight's dtype",
        (
            CHANGE,
            CHANGE.replace(
                "layer.alpha / layer.rank",
                "torch.tensor(layer.alpha / layer.rank).to(weight.dtype).to(wide)",
            ),
        ),
    ),
    wrong(
        "merge",
        "precise",
        "A and B in the dtype of the weight",
        (
            CHANGE,
            CHANGE.replace("layer.B.to(wide)", "layer.B.to(weight.dtype).to(wide)").replace(
                "layer.A.to(wide)", "layer.A.to(weight.dtype).to(wide)"
            ),
        ),
    ),
    # Task 3
    wrong(
        "freeze", "must be trained", "head alone for LoRA", (' or (how == "lora" and is_lora)', "")
    ),
    wrong(
        "freeze",
        "must be trained",
        "LoRA without the head",
        (CHOICE, 'if how == "full" or (is_head if how == "head" else is_lora):'),
    ),
    wrong(
        "freeze",
        "whatever it was before",
        "frozen for ever",
        (SET, "parameter.requires_grad_(parameter.requires_grad and parameter in chosen)"),
    ),
    wrong(
        "freeze",
        "must be frozen",
        "nothing is frozen",
        (SET, "parameter.requires_grad_(parameter.requires_grad or parameter in chosen)"),
    ),
    wrong("freeze", "first part", "head anywhere", (IS_HEAD, 'is_head = "head" in name')),
    wrong(
        "freeze", "first part", "any part is head", (IS_HEAD, 'is_head = "head" in name.split(".")')
    ),
    wrong(
        "freeze", "first part", "begins with head", (IS_HEAD, 'is_head = name.startswith("head")')
    ),
    wrong(
        "freeze", "last part", "ends with A or B", (IS_LORA, 'is_lora = name.endswith(("A", "B"))')
    ),
    wrong(
        "freeze",
        "last part",
        "any part is A or B",
        (IS_LORA, 'is_lora = bool({"A", "B"} & set(name.split(".")))'),
    ),
    wrong(
        "freeze", "last part", "behind a dot", (IS_LORA, 'is_lora = name.endswith((".A", ".B"))')
    ),
    wrong(
        "freeze",
        "last part",
        "small letters",
        (IS_LORA, 'is_lora = name.split(".")[-1].upper() in ("A", "B")'),
    ),
    wrong(
        "freeze",
        "tied|two names",
        "first names alone",
        (NAMED, "for name, parameter in model.named_parameters():"),
    ),
    wrong(
        "freeze",
        "names",
        "both names are listed",
        (
            NAMES,
            "return [n for n, p in model.named_parameters(remove_duplicate=False) if p in chosen]",
        ),
    ),
    wrong(
        "freeze",
        "order",
        "in alphabetic order",
        (NAMES, NAMES.replace("return [", "return sorted([") + ")"),
    ),
    wrong("freeze", "list", "a set of names", (NAMES, NAMES.replace("[", "{").replace("]", "}"))),
    wrong("freeze", ".grad", "gradients are kept", (GRAD, "")),
    wrong(
        "freeze",
        ".grad|keeps its grad",
        "all gradients go",
        (GRAD, "        parameter.grad = None\n"),
    ),
    wrong("freeze", "refused", "other words freeze all", (UNKNOWN, "how = 'head'")),
    wrong(
        "freeze",
        "refused|must be",
        "any spelling",
        (
            'if how not in ("full", "head", "lora"):',
            'how = how.lower().strip()\n    if how not in ("full", "head", "lora"):',
        ),
    ),
    wrong("freeze", "got how", "a message without the word", (", got how={how}", "")),
    wrong(
        "freeze",
        "as it was",
        "frozen, then refused",
        (
            '    if how not in ("full", "head", "lora"):',
            '    model.requires_grad_(False)\n    if how not in ("full", "head", "lora"):',
        ),
    ),
    wrong("freeze", "mode", "evaluation mode", (SET, SET + "\n        model.eval()")),
    wrong(
        "freeze",
        "no others|get a gradient",
        "all are counted",
        (TRAINED, "trained = list(model.parameters())"),
    ),
    wrong("freeze", "two numbers", "Adam remembers one", (ADAM, '"adam": gradients,')),
    wrong(
        "freeze",
        "two numbers",
        "Adam of all weights",
        (ADAM, '"adam": 2 * sum(p.numel() * p.element_size() for p in model.parameters()),'),
    ),
    wrong(
        "freeze",
        "dtype",
        "Adam in float32",
        (ADAM, '"adam": 8 * sum(p.numel() for p in trained),'),
    ),
    wrong(
        "freeze",
        "four bytes|Bytes",
        "numbers, not bytes",
        (WEIGHTS, '"weights": sum(t.numel() for t in held),'),
    ),
    wrong(
        "freeze",
        "two bytes|dtypes",
        "four bytes each",
        (GRADIENTS, "gradients = sum(4 * p.numel() for p in trained)"),
    ),
    wrong("freeze", "buffers", "buffers forgotten", (HELD, "held = list(model.parameters())")),
    wrong("freeze", "buffers", "what is saved", (HELD, "held = list(model.state_dict().values())")),
    wrong(
        "freeze",
        "each once|two names",
        "tied ones twice",
        (
            HELD,
            "held = [p for _, p in model.named_parameters(remove_duplicate=False)]\n"
            "    held += model.buffers()",
        ),
    ),
    wrong(
        "freeze",
        "frozen ones too",
        "trained weights alone",
        (HELD, "held = [*trained, *model.buffers()]"),
    ),
    wrong("freeze", "int", "a float", (ADAM, '"adam": 2.0 * gradients,')),
    wrong(
        "freeze",
        "each once",
        "tied buffers twice",
        (
            HELD,
            "held = list(model.parameters())\n"
            "    held += [b for _, b in model.named_buffers(remove_duplicate=False)]",
        ),
    ),
    wrong(
        "freeze",
        "keeps its grad",
        "the gradient of a tied one goes",
        (CHOICE, 'parameter.grad = None if "up" in name else parameter.grad\n        ' + CHOICE),
    ),
    # Task 4
    wrong("quantize", "largest size", "the largest number", (SCALES, "scales = blocks.amax(-1)")),
    wrong(
        "quantize",
        "row and block",
        "one for each row",
        (SCALES, "scales = blocks.abs().amax((-2, -1))[:, None].expand(-1, n)"),
    ),
    wrong(
        "quantize",
        "block",
        "one for all",
        (SCALES, "scales = blocks.abs().max().expand(n_rows, n)"),
        ("n_columns = weight.shape[1]", "n_rows, n_columns = weight.shape"),
    ),
    wrong(
        "quantize",
        "divided",
        "a scale for a step",
        (PAIR, PAIR.replace("scales.to", "(scales / 7).to")),
        (NUMBERS, "return (codes.double() * each).to(scales.dtype)"),
    ),
    wrong(
        "quantize",
        "from -7 to 7|nearest",
        "down to -8",
        (CODES, "codes = (8 * ratios).round().clamp(-8, 7).to(torch.int8)"),
    ),
    wrong("quantize", "nearest|cut off", "cut off", (".round().to(torch.int8)", ".to(torch.int8)")),
    wrong("quantize", "nearest|rounded", "rounded down", (".round().to", ".floor().to")),
    wrong("quantize", "int8", "int64", (".round().to(torch.int8)", ".round().long()")),
    wrong("quantize", "int8", "codes as floats", (".round().to(torch.int8)", ".round().float()")),
    wrong("quantize", "int8|code", "uint8", ("to(torch.int8)", "to(torch.uint8)")),
    wrong(
        "quantize",
        "block of zeros",
        "divided by zero",
        (RATIOS, "ratios = blocks / scales[..., None]"),
        (CODES, "codes = (7 * ratios).round().nan_to_num(1.0).to(torch.int8)"),
    ),
    wrong(
        "quantize",
        "exactly|scale of 0",
        "a smallest scale",
        (SCALES, "scales = blocks.abs().amax(-1).clamp(min=1e-8)"),
    ),
    wrong(
        "quantize",
        "1e-30|nearest",
        "an epsilon",
        ("torch.where(scales > 0, scales, 1.0)[..., None]", "(scales + 1e-8)[..., None]"),
    ),
    wrong(
        "quantize",
        "scale 0",
        "scales of zero are one",
        (
            PAIR,
            "return codes.flatten(1)[:, :n_columns].contiguous(), "
            "torch.where(scales > 0, scales, 1.0).to(weight.dtype)",
        ),
    ),
    wrong(
        "quantize", "dtype", "scales of float32", ("scales.to(weight.dtype)\n", "scales.float()\n")
    ),
    wrong(
        "quantize", "float64", "float64 made float32", (DOUBLE, "wide = weight.detach().float()")
    ),
    wrong(
        "quantize", "float32 at least", "bfloat16 throughout", (DOUBLE, "wide = weight.detach()")
    ),
    wrong("quantize", "no gradient|detach", "not detached", (DOUBLE, "wide = weight.double()")),
    wrong(
        "quantize",
        "shorter",
        "no rest",
        (N_BLOCKS, "n = n_columns // block"),
        (PAIR, PAIR),
    ),
    wrong(
        "quantize",
        "shape of the weight|codes must",
        "the rest stays padded",
        ("codes.flatten(1)[:, :n_columns].contiguous()", "codes.flatten(1)"),
    ),
    wrong(
        "quantize",
        "of one row|shorter",
        "blocks across rows",
        (
            "blocks = F.pad(wide, (0, n * block - n_columns)).unflatten(1, (n, block))",
            "blocks = F.pad(wide.flatten(), (0, len(wide) * (n * block - n_columns)))"
            ".reshape(len(wide), n, block)",
        ),
    ),
    wrong(
        "quantize",
        "divided by 7",
        "not divided",
        (NUMBERS, "return (codes.double() * each).to(scales.dtype)"),
    ),
    wrong(
        "quantize",
        "divided by 7|code / 7",
        "divided by 8",
        ("codes.double() / 7 *", "codes.double() / 8 *"),
    ),
    wrong(
        "quantize",
        "scale of its block|own block",
        "scales in turn",
        (EACH, "each = scales.double().repeat(1, block)[:, : codes.shape[1]]"),
    ),
    wrong(
        "quantize",
        "second scale|scale of its|dequantize",
        "equal parts for each scale",
        (
            EACH,
            "n = -(-codes.shape[1] // scales.shape[1])\n"
            "    each = scales.double().repeat_interleave(n, dim=1)[:, : codes.shape[1]]",
        ),
    ),
    wrong(
        "quantize",
        "dtype",
        "float32 comes back",
        (NUMBERS, "return (codes.double() / 7 * each).float()"),
    ),
    wrong(
        "quantize",
        "precise",
        "back in the small dtype",
        (NUMBERS, "return (codes / 7).to(scales.dtype) * each.to(scales.dtype)"),
    ),
    wrong(
        "quantize",
        "precise|float64",
        "back through float32",
        (NUMBERS, "return (codes.float() / 7 * each.float()).to(scales.dtype)"),
    ),
    wrong(
        "quantize",
        "changed in place",
        "the weight is divided in place",
        (DOUBLE, "weight.detach().mul_(1.0000002)\n    " + DOUBLE),
    ),
    # Task 5
    wrong(
        "qlora",
        "lower half",
        "upper half first",
        (BYTES, "return (shifted[:, 0::2] << 4) | shifted[:, 1::2]"),
    ),
    wrong("qlora", "code + 8", "by seven", ("(codes + 8)", "(codes + 7)")),
    wrong(
        "qlora",
        "code + 8",
        "two's complement",
        ("(codes + 8).to(torch.uint8)", "(codes & 15).to(torch.uint8)"),
    ),
    wrong(
        "qlora",
        "neighbors",
        "halves of the row",
        (
            BYTES,
            "n = shifted.shape[1] // 2\n    return shifted[:, :n] | (shifted[:, n:] << 4)",
        ),
    ),
    wrong(
        "qlora",
        "last is alone|odd",
        "odd rows filled before",
        (SHIFTED, "shifted = (F.pad(codes, (0, codes.shape[1] % 2)) + 8).to(torch.uint8)"),
    ),
    wrong(
        "qlora",
        "last is alone|odd",
        "the odd one is lost",
        (SHIFTED, "shifted = (codes + 8).to(torch.uint8)[:, : codes.shape[1] // 2 * 2]"),
    ),
    wrong(
        "qlora", "uint8", "bytes as int64", (SHIFTED, SHIFTED.replace("to(torch.uint8)", "long()"))
    ),
    wrong("qlora", "8 taken off|hold the codes", "nothing taken off", (" - 8", "")),
    wrong(
        "qlora", "int8", "unpacked as int64", ("[:, :n].to(torch.int8) - 8", "[:, :n].long() - 8")
    ),
    wrong(
        "qlora",
        "int8|hold the codes",
        "below zero in uint8",
        ("[:, :n].to(torch.int8) - 8", "[:, :n] - 8"),
    ),
    wrong(
        "qlora",
        "lower half first|hold the codes",
        "unpacked upper half first",
        (HALVES, "halves = torch.stack([packed >> 4, packed & 15], dim=-1)"),
    ),
    wrong("qlora", "first n|first three", "all halves", ("[:, :n].to", ".to")),
    wrong("qlora", "the factor", "no factor", ("self.factor * (x", "(x")),
    wrong("qlora", "division by the rank", "alpha alone", ("alpha / rank", "alpha")),
    wrong(
        "qlora",
        "bias",
        "the bias forgotten",
        ("F.linear(x, weight, self.bias)", "F.linear(x, weight)"),
    ),
    wrong(
        "qlora",
        "base says",
        "the change alone",
        (
            "F.linear(x, weight, self.bias) +",
            "0 * F.linear(x, weight) + (0 if self.bias is None else self.bias) +",
        ),
    ),
    wrong(
        "qlora",
        "parameters must be A and B",
        "the bias is a parameter",
        (
            KEPT_BIAS,
            "self.bias = None if base.bias is None else nn.Parameter(base.bias.detach().clone())",
        ),
    ),
    wrong(
        "qlora",
        "parameters must be",
        "the base is kept",
        (PACKED, PACKED + "\n        self.base = base"),
    ),
    wrong(
        "qlora",
        "keeps more",
        "the base is kept in a list",
        (PACKED, PACKED + "\n        self.old = [base]"),
    ),
    wrong(
        "qlora",
        "keeps more",
        "the weight is made once",
        (PACKED, PACKED + "\n        self.made = dequantize(codes, scales, block)"),
        (MADE, "weight = self.made"),
    ),
    wrong(
        "qlora",
        "keeps more",
        "the weight is kept from the first call",
        (
            MADE,
            "if not hasattr(self, 'made'):\n            "
            "self.made = dequantize(codes, self.scales, self.block)\n        weight = self.made",
        ),
    ),
    wrong("qlora", "buffers", "packed is no buffer", (PACKED, "self.packed = pack(codes)")),
    wrong(
        "qlora",
        "state_dict",
        "scales are not saved",
        (KEPT_SCALES, 'self.register_buffer("scales", scales, persistent=False)'),
    ),
    wrong(
        "qlora",
        "packed must be",
        "a byte for each code",
        (PACKED, 'self.register_buffer("packed", (codes + 8).to(torch.uint8))'),
        (READ_CODES, "codes = self.packed.to(torch.int8) - 8"),
    ),
    wrong(
        "qlora",
        "memory",
        "the bias is shared",
        ("base.bias.detach().clone()", "base.bias.detach()"),
    ),
    wrong(
        "qlora",
        "as it was",
        "the base is frozen",
        (QUANTIZED, "base.requires_grad_(False)\n        " + QUANTIZED),
    ),
    wrong(
        "qlora",
        "dtype",
        "float32 always",
        (Q_A, "self.A = nn.Parameter(torch.randn(rank, n_in) / math.sqrt(n_in))"),
        (Q_B, "self.B = nn.Parameter(torch.zeros(n_out, rank))"),
    ),
    wrong(
        "qlora",
        "dtype|digits",
        "scales of float32",
        (KEPT_SCALES, 'self.register_buffer("scales", scales.float())'),
        (MADE, MADE + ".to(x.dtype)"),
    ),
    wrong(
        "qlora",
        "gradient of x",
        "the base without gradients",
        (
            Q_SUM,
            "with torch.no_grad():\n            y = F.linear(x, weight, self.bias)\n"
            "        return y + self.factor * (x @ self.A.mT @ self.B.mT)",
        ),
    ),
    wrong("qlora", "gradient", "B is detached", ("@ self.B.mT", "@ self.B.detach().mT")),
    wrong(
        "qlora",
        "zero",
        "B is random, too",
        (Q_B, "self.B = nn.Parameter(torch.randn(n_out, rank).to(scales))"),
    ),
    wrong("qlora", "standard deviation", "A as it is drawn", (" / math.sqrt(n_in))", ")")),
    wrong("qlora", "seed", "a seed", (Q_A, "torch.manual_seed(1)\n        " + Q_A)),
    wrong(
        "qlora",
        "blocks|scales",
        "one block for a row",
        (QUANTIZED, "block = base.in_features\n        " + QUANTIZED),
    ),
    wrong(
        "qlora",
        "shape|first n",
        "whole bytes",
        ("[:, :n].to(torch.int8)", "[:, : 2 * packed.shape[1] - n % 2].to(torch.int8)"),
    ),
    # Task 6
    wrong("fine_tune", "loss of the old texts", "old texts left out", (ADDED_OLD, "pass")),
    wrong(
        "fine_tune",
        "loss of the labels",
        "old texts alone",
        (ADDED_OLD, ADDED_OLD.replace("loss + ", "")),
    ),
    wrong(
        "fine_tune",
        "one place further",
        "the same word",
        (BODY, "logits = model.body(old)"),
        ("old[:, 1:].flatten()", "old.flatten()"),
    ),
    wrong(
        "fine_tune",
        "word after",
        "the word before",
        (BODY, "logits = model.body(old)[:, 1:]"),
        ("old[:, 1:].flatten()", "old[:, :-1].flatten()"),
    ),
    wrong(
        "fine_tune",
        "averaged",
        "the mean of both",
        (ADDED_OLD, "loss = (" + ADDED_OLD.removeprefix("loss = ") + ") / 2"),
    ),
    wrong(
        "fine_tune",
        "not the sum",
        "sums",
        (LABELS, LABELS.replace("labels)", 'labels, reduction="sum")')),
        (ADDED_OLD, ADDED_OLD.replace(".flatten())", '.flatten(), reduction="sum")')),
    ),
    wrong(
        "fine_tune",
        "one optimizer",
        "an optimizer for each batch",
        (LABELS, LABELS + "\n        " + OPTIMIZER),
    ),
    wrong(
        "fine_tune",
        "set to zero|zero_grad",
        "gradients add up",
        ("        optimizer.zero_grad()\n", ""),
    ),
    wrong("fine_tune", "Adam", "plain steps", ("torch.optim.Adam(", "torch.optim.SGD(")),
    wrong(
        "fine_tune",
        "weight decay",
        "AdamW as it comes",
        ("torch.optim.Adam(", "torch.optim.AdamW("),
    ),
    wrong("fine_tune", "before the call", "old gradients count", (FRESH, "")),
    wrong(
        "fine_tune",
        ".grad must be None",
        "gradients are left",
        (
            STEP,
            "        optimizer.zero_grad()\n        loss.backward()\n        optimizer.step()\n",
        ),
    ),
    wrong(
        "fine_tune",
        ".grad must be None",
        "gradients of zero are left",
        ("        optimizer.zero_grad()\n", "        optimizer.zero_grad(set_to_none=False)\n"),
    ),
    wrong(
        "fine_tune",
        "frozen",
        "all are trained",
        (LEARNS, "trained = list(model.requires_grad_(True).parameters())"),
    ),
    wrong(
        "fine_tune",
        "training mode",
        "evaluation mode",
        ("    model.train()\n", "    model.eval()\n"),
    ),
    wrong("fine_tune", "training mode", "the mode that it has", ("    model.train()\n", "")),
    wrong("fine_tune", "mode that it had", "it stays in training mode", (BACK, "pass")),
    wrong("fine_tune", "mode that it had", "evaluation mode in the end", (BACK, "model.eval()")),
    wrong("fine_tune", "float", "losses as tensors", (NOTED, "losses.append(loss.detach())")),
    wrong(
        "fine_tune",
        "before its step|once",
        "the loss behind the step",
        (NOTED, "losses.append(F.cross_entropy(model(ids), labels).item())"),
    ),
    wrong(
        "fine_tune",
        "together",
        "the loss of the labels alone is noted",
        (LABELS, LABELS + "\n        said = loss.item()"),
        (NOTED, "losses.append(said)"),
    ),
    wrong(
        "fine_tune",
        "list",
        "their mean",
        ("return losses", "return sum(losses) / max(len(losses), 1)"),
    ),
    wrong(
        "fine_tune",
        "clipped",
        "clipped",
        (
            "        optimizer.step()\n",
            "        nn.utils.clip_grad_norm_(trained, 0.01)\n        optimizer.step()\n",
        ),
    ),
    wrong(
        "fine_tune",
        "order|called",
        "shuffled",
        (
            "    for ids, labels, old in batches:",
            "    for ids, labels, old in sorted(batches, key=lambda b: int(b[1].sum())):",
        ),
    ),
    wrong(
        "fine_tune",
        "losses",
        "it stops when sure",
        (NOTED, NOTED + "\n        if losses[-1] < 1e-3:\n            break"),
    ),
    wrong(
        "fine_tune",
        "batches",
        "batches are used up",
        (
            "    for ids, labels, old in batches:",
            "    while batches:\n        ids, labels, old = batches.pop(0)",
        ),
    ),
    wrong(
        "fine_tune",
        "generator",
        "a seed",
        ("    model.train()\n", "    torch.manual_seed(0)\n    model.train()\n"),
    ),
    wrong(
        "fine_tune",
        "as it comes",
        "another memory of squares",
        ("lr=learning_rate)", "lr=learning_rate, betas=(0.9, 0.95))"),
    ),
    wrong(
        "fine_tune",
        "order|called",
        "the old texts as texts",
        (BODY, "model(old)\n            " + BODY),
    ),
    wrong(
        "fine_tune",
        "optimizer of its own",
        "the optimizer is kept",
        (
            OPTIMIZER,
            'if not hasattr(model, "kept"):\n        '
            "model.kept = [torch.optim.Adam(trained, lr=learning_rate)]\n    "
            "optimizer = model.kept[0]",
        ),
    ),
    wrong(
        "fine_tune",
        "losses",
        "a hundred at most",
        ("    for ids, labels, old in batches:", "    for ids, labels, old in batches[:100]:"),
    ),
    wrong(
        "fine_tune",
        "clipped",
        "clipped at 1",
        (
            "        optimizer.step()\n",
            "        nn.utils.clip_grad_norm_(trained, 1.0)\n        optimizer.step()\n",
        ),
    ),
    wrong(
        "fine_tune",
        "as it comes",
        "a memory that never falls",
        ("lr=learning_rate)", "lr=learning_rate, amsgrad=True)"),
    ),
    wrong(
        "fine_tune",
        "as it comes",
        "a larger epsilon",
        ("lr=learning_rate)", "lr=learning_rate, eps=1e-6)"),
    ),
    wrong(
        "fine_tune",
        "cross-entropy",
        "smoothed labels",
        (LABELS, LABELS.replace("labels)", "labels, label_smoothing=0.01)")),
    ),
    wrong(
        "fine_tune",
        "old texts",
        "id 0 is padding",
        ("old[:, 1:].flatten())", "old[:, 1:].flatten(), ignore_index=0)"),
    ),
    # Task 7
    wrong(
        "forgotten",
        "mean of means",
        "the mean of means",
        (TOTAL, "total += F.cross_entropy(logits, text[1:]).item()"),
        (MEAN, "return total / sum(len(text) > 1 for text in texts)"),
    ),
    wrong("forgotten", "not their sum", "the sum", (MEAN, "return total")),
    wrong(
        "forgotten",
        "first of a text is not",
        "all words are counted",
        (MEAN, "return total / sum(map(len, texts))"),
    ),
    wrong(
        "forgotten",
        "number of texts",
        "by the number of texts",
        (MEAN, "return total / len(texts)"),
    ),
    wrong("forgotten", "bits", "in bits", (MEAN, "return total / n_words / math.log(2)")),
    wrong(
        "forgotten",
        "perplexity",
        "the perplexity",
        (MEAN, "return math.exp(min(total / n_words, 300))"),
    ),
    wrong(
        "forgotten",
        "shift",
        "the word itself",
        (LOGITS, "logits = body(text[None])[0].double()"),
        ("text[1:], reduction", "text, reduction"),
        (COUNT, "n_words = sum(len(text) for text in texts if len(text) > 1)"),
    ),
    wrong("forgotten", "evaluation mode", "in its own mode", (EVAL, "")),
    wrong("forgotten", "mode that it had", "evaluation mode stays", (RESTORED, "")),
    wrong(
        "forgotten",
        "mode that it had",
        "training mode in the end",
        (RESTORED, "    body.train()\n"),
    ),
    wrong(
        "forgotten",
        "mode that it had",
        "one mode for all parts",
        (MODES, "mode = body.training"),
        (RESTORED, "    body.train(mode)\n"),
    ),
    wrong(
        "forgotten",
        "without gradients",
        "with gradients",
        ("    with torch.no_grad():\n", "    with torch.enable_grad():\n"),
    ),
    wrong(
        "forgotten",
        "requires_grad",
        "the body is frozen",
        (EVAL, "    body.eval().requires_grad_(False)\n"),
    ),
    wrong("forgotten", "float", "a tensor", (MEAN, "return torch.tensor(total / n_words)")),
    wrong(
        "forgotten",
        "ids must be",
        "a text without a batch",
        (LOGITS, "logits = body(text)[:-1].double()"),
    ),
    wrong(
        "forgotten",
        "ids must be|T",
        "texts of one word fail",
        (
            "            if len(text) > 1:\n"
            "                logits = body(text[None])[0, :-1].double()\n                total",
            "            if True:\n"
            "                logits = body(text[None, :-1])[0].double()\n                total",
        ),
    ),
    wrong("forgotten", "ValueError", "nothing is a loss of 0", (NOTHING, "return 0.0")),
    wrong(
        "forgotten", "got", "a message without the number", (", got {len(texts)} texts without", "")
    ),
    wrong(
        "forgotten",
        "modes as they were",
        "refused in evaluation mode",
        ("    " + MODES + "\n" + EVAL, ""),
        (COUNT, MODES + "\n    body.eval()\n    " + COUNT),
    ),
    wrong(
        "forgotten",
        "word but the first|nats per word",
        "id 0 is padding",
        (TOTAL, TOTAL.replace('reduction="sum"', 'reduction="sum", ignore_index=0')),
    ),
    wrong(
        "forgotten",
        "word but the first|long texts",
        "padded, and padding counted",
        (COUNT, COUNT + "\n    longest = max(map(len, texts), default=0)"),
        (
            "            if len(text) > 1:\n",
            "            text = F.pad(text, (0, longest - len(text)))\n"
            "            if len(text) > 1:\n",
        ),
        (MEAN, "return total / ((longest - 1) * len(texts))"),
    ),
    wrong(
        "forgotten",
        "word but the first|nats per word",
        "pieces of 64",
        (LOGITS, "text = text[:64]\n                " + LOGITS),
    ),
    wrong(
        "forgotten",
        "word but the first|nats per word",
        "the first 100 texts",
        ("        for text in texts:\n", "        for text in texts[:100]:\n"),
    ),
    wrong("forgotten", "share", "of the loss before", (SHARE, "return (after - before) / before")),
    wrong(
        "forgotten", "share", "what is left", (SHARE, "return (unread - after) / (unread - before)")
    ),
    wrong(
        "forgotten",
        "negative",
        "never negative",
        (SHARE, "return max(0.0, (after - before) / (unread - before))"),
    ),
    wrong(
        "forgotten",
        "above 1|share",
        "never above 1",
        (SHARE, "return min(1.0, (after - before) / (unread - before))"),
    ),
    wrong(
        "forgotten",
        "share",
        "by its size",
        (SHARE, "return abs(after - before) / (unread - before)"),
    ),
    wrong(
        "forgotten",
        "ValueError|ZeroDivision",
        "nothing gained is divided",
        ("if not unread > before:", "if unread < before:"),
    ),
    wrong(
        "forgotten",
        "got unread",
        "the other number",
        ("got unread={unread}", "got unread={before}"),
    ),
    wrong(
        "forgotten",
        "ValueError",
        "only equal ones are refused",
        ("if not unread > before:", "if unread == before:"),
    ),
    wrong(
        "forgotten",
        "word but the first|nats per word",
        "each text once",
        (
            "        for text in texts:\n",
            "        for text in {tuple(each.tolist()): each for each in texts}.values():\n",
        ),
    ),
    wrong(
        "forgotten",
        "word but the first|nats per word",
        "a thousand words of a text",
        (LOGITS, "text = text[:1000]\n                " + LOGITS),
    ),
    wrong(
        "forgotten",
        "word but the first|nats per word",
        "a smallest probability",
        (
            TOTAL,
            "probs = logits.softmax(-1).gather(1, text[1:, None])\n"
            "                total += -(probs + 1e-9).log().sum().item()",
        ),
    ),
    wrong(
        "forgotten",
        "share",
        "rounded",
        (SHARE, "return round((after - before) / (unread - before), 2)"),
    ),
]
RIGHT = [
    # Task 1
    write(
        "by F.linear",
        "lora",
        "two products of F.linear",
        """
        class LoRA(nn.Module):
            def __init__(self, base, rank, alpha):
                super().__init__()
                if rank < 1 or rank > base.in_features or rank > base.out_features:
                    raise ValueError(f"a rank from 1 to the smaller side, please; got rank={rank}")
                for parameter in base.parameters():
                    parameter.requires_grad = False
                self.base, self.rank, self.alpha = base, rank, alpha
                kind = base.weight.dtype
                std = base.in_features**-0.5
                self.A = nn.Parameter(torch.empty(rank, base.in_features, dtype=kind))
                self.B = nn.Parameter(torch.empty(base.out_features, rank, dtype=kind))
                nn.init.normal_(self.A, std=std)
                nn.init.zeros_(self.B)

            def forward(self, x):
                return self.base(x) + F.linear(F.linear(x, self.A), self.B) * self.alpha / self.rank
        """,
    ),
    write(
        "through the weight",
        "lora",
        "the change of the weight is made at each call",
        """
        class LoRA(nn.Module):
            def __init__(self, base, rank, alpha):
                super().__init__()
                limit = min(base.weight.shape)
                if rank not in range(1, limit + 1):
                    raise ValueError(f"rank must be from 1 to {limit}, got rank={rank}")
                self.base = base
                base.weight.requires_grad_(False)
                if base.bias is not None:
                    base.bias.requires_grad_(False)
                self.rank = rank
                self.alpha = alpha
                like = {"dtype": base.weight.dtype, "device": base.weight.device}
                a = torch.randn(rank, base.in_features, **like) * base.in_features**-0.5
                self.A = nn.Parameter(a)
                self.B = nn.Parameter(torch.zeros(base.out_features, rank, **like))

            def forward(self, x):
                weight = self.base.weight + self.alpha / self.rank * self.B @ self.A
                return F.linear(x, weight, self.base.bias)
        """,
    ),
    write(
        "einsum",
        "lora",
        "indices spelled out",
        """
        class LoRA(nn.Module):
            def __init__(self, base, rank, alpha):
                super().__init__()
                n_out, n_in = base.weight.size()
                if min(rank, min(n_out, n_in) - rank + 1) < 1:
                    raise ValueError("rank does not fit, got rank=%d" % rank)
                self.register_module("base", base.requires_grad_(False))
                self.rank, self.alpha = rank, alpha
                draw = torch.normal(0.0, 1 / math.sqrt(n_in), (rank, n_in))
                self.register_parameter("A", nn.Parameter(draw.to(base.weight.dtype)))
                self.register_parameter("B", nn.Parameter(base.weight.new_zeros(n_out, rank)))

            def forward(self, x):
                narrow = torch.einsum("...c,rc->...r", x, self.A)
                change = torch.einsum("...r,dr->...d", narrow, self.B)
                return torch.add(self.base(x), change, alpha=self.alpha / self.rank)
        """,
    ),
    # Task 2
    write(
        "copies of the layers",
        "merge",
        "deep copies, changed in place, in float64",
        """
        def merge(layer):
            new = copy.deepcopy(layer.base).requires_grad_(False)
            change = layer.B.detach().double() @ layer.A.detach().double()
            new.weight.copy_(new.weight.double() + layer.alpha / layer.rank * change)
            return new


        def take_out(merged, layer):
            new = copy.deepcopy(merged).requires_grad_(False)
            change = layer.B.detach().double() @ layer.A.detach().double()
            new.weight.copy_(new.weight.double() - layer.alpha / layer.rank * change)
            return new
        """,
    ),
    write(
        "one helper",
        "merge",
        "new parameters in a layer",
        """
        @torch.no_grad()
        def shifted(linear, layer, sign):
            kind = torch.promote_types(linear.weight.dtype, torch.float32)
            change = sign * layer.alpha / len(layer.A) * layer.B.to(kind).matmul(layer.A.to(kind))
            new = nn.Linear(linear.in_features, linear.out_features, bias=False)
            weight = (linear.weight.to(kind) + change).to(linear.weight.dtype)
            new.weight = nn.Parameter(weight, requires_grad=False)
            if linear.bias is not None:
                new.bias = nn.Parameter(linear.bias.clone(), requires_grad=False)
            return new


        def merge(layer):
            return shifted(layer.base, layer, 1)


        def take_out(merged, layer):
            return shifted(merged, layer, -1)
        """,
    ),
    write(
        "by a state",
        "merge",
        "load_state_dict",
        """
        def merge(layer, linear=None, sign=1.0):
            linear = layer.base if linear is None else linear
            state = {name: p.detach().clone() for name, p in linear.state_dict().items()}
            kind = state["weight"].dtype
            wide = torch.float64 if kind == torch.float64 else torch.float32
            a, b = layer.A.detach().to(wide), layer.B.detach().to(wide)
            scale = sign * layer.alpha / layer.rank
            state["weight"] = torch.addmm(state["weight"].to(wide), b, a, alpha=scale).to(kind)
            n_out, n_in = state["weight"].shape
            new = nn.Linear(n_in, n_out, "bias" in state, dtype=kind)
            new.load_state_dict(state)
            for parameter in new.parameters():
                parameter.requires_grad = False
            return new


        def take_out(merged, layer):
            return merge(layer, merged, -1.0)
        """,
    ),
    # Task 3
    fill(
        "by identity",
        "freeze",
        "ids of parameters, a loop",
        """
        words = {"full": "", "head": "head.", "lora": "head."}
        try:
            start = words[how]
        except KeyError:
            raise ValueError(f"no such way, got how={how!r}") from None
        wanted = {}
        for name, p in model.named_parameters(remove_duplicate=False):
            last = name.rpartition(".")[2]
            yes = name.startswith(start) or (how == "lora" and last in ["A", "B"])
            wanted[id(p)] = wanted.get(id(p), False) or yes
        names = []
        for name, p in model.named_parameters():
            p.requires_grad = wanted[id(p)]
            if p.requires_grad:
                names.append(name)
            else:
                p.grad = None
        return names
    """,
        """
        seen, found = set(), {"trained": 0, "weights": 0, "gradients": 0, "adam": 0}
        for tensor in list(model.parameters()) + list(model.buffers()):
            if id(tensor) in seen:
                continue
            seen.add(id(tensor))
            found["weights"] += tensor.nbytes
            if tensor.requires_grad:
                found["trained"] += tensor.numel()
                found["gradients"] += tensor.nbytes
                found["adam"] += 2 * tensor.nbytes
        return found
    """,
    ),
    fill(
        "all, then none, then some",
        "freeze",
        "freezes all first",
        """
        import re

        patterns = {"full": ".*", "head": r"head\\..*", "lora": r"head\\..*|(.*\\.)?[AB]"}
        if how not in patterns:
            raise ValueError(f"got how='{how}', which is none of {list(patterns)}")
        model.requires_grad_(False)
        for name, p in model.named_parameters(remove_duplicate=False):
            if re.fullmatch(patterns[how], name):
                p.requires_grad_()
        for p in model.parameters():
            p.grad = p.grad if p.requires_grad else None
        return [name for name, p in model.named_parameters() if p.requires_grad]
    """,
        """
        def size(tensors):
            return sum(t.numel() * t.element_size() for t in tensors)

        free = list(filter(lambda p: p.requires_grad, model.parameters()))
        return dict(
            trained=sum(map(torch.numel, free)),
            weights=size(model.parameters()) + size(model.buffers()),
            gradients=size(free),
            adam=size(free + free),
        )
    """,
    ),
    fill(
        "module by module",
        "freeze",
        "parameters of each module",
        """
        if how != "full" and how != "head" and how != "lora":
            raise ValueError("got how=" + how)
        trained = set()
        if how == "full":
            trained.update(model.parameters())
        if hasattr(model, "head"):
            trained.update(model.head.parameters())
        if how == "lora":
            for part in model.modules():
                for name in ("A", "B"):
                    if part._parameters.get(name) is not None:
                        trained.add(part._parameters[name])
        found = []
        for name, p in model.named_parameters():
            p.requires_grad_(p in trained)
            if p in trained:
                found += [name]
            else:
                p.grad = None
        return found
    """,
        """
        n, size = 0, 0
        for p in model.parameters():
            n += p.numel() * p.requires_grad
            size += p.numel() * p.itemsize * p.requires_grad
        held = {id(t): t.numel() * t.itemsize for t in (*model.parameters(), *model.buffers())}
        return {"adam": size + size, "gradients": size, "trained": n, "weights": sum(held.values())}
    """,
    ),
    # Task 4
    fill(
        "block by block",
        "quantize",
        "a loop over blocks",
        """
        codes, scales = [], []
        for part in weight.detach().double().split(block, dim=1):
            scale = part.abs().max(1, keepdim=True).values
            safe = scale + (scale == 0)
            codes.append(torch.round(part / safe * 7))
            scales.append(scale)
        return torch.cat(codes, 1).to(torch.int8), torch.cat(scales, 1).to(weight.dtype)
    """,
        """
        place = torch.arange(codes.shape[1]) // block
        return (codes.double() * scales.double()[:, place] / 7).to(scales.dtype)
    """,
    ),
    fill(
        "by the nearest level",
        "quantize",
        "a table of levels, in float32 or float64",
        """
        kind = torch.promote_types(weight.dtype, torch.float32)
        wide = weight.detach().to(kind)
        n_columns = weight.shape[1]
        scales = torch.stack([part.abs().amax(1) for part in wide.split(block, 1)], 1)
        place = torch.arange(n_columns) // block
        each = scales[:, place]
        levels = torch.arange(-7, 8, dtype=kind)
        ratios = torch.where(each > 0, wide / each, torch.zeros_like(wide)) * 7
        codes = (ratios[..., None] - levels).abs().argmin(-1) - 7
        return codes.to(torch.int8), scales.to(weight.dtype)
    """,
        """
        kind = torch.promote_types(scales.dtype, torch.float32)
        table = torch.arange(-7, 8, dtype=kind) / 7
        each = scales.to(kind).repeat_interleave(block, 1)
        return (table[codes.long() + 7] * each[:, : codes.size(1)]).to(scales.dtype)
    """,
    ),
    fill(
        "half up",
        "quantize",
        "floor of a half more, rows in a loop",
        """
        with torch.no_grad():
            n_rows, n_columns = weight.shape
            scales = weight.new_zeros(n_rows, math.ceil(n_columns / block))
            codes = torch.zeros(n_rows, n_columns, dtype=torch.int8)
            for i in range(scales.shape[1]):
                part = weight[:, i * block : (i + 1) * block]
                scales[:, i] = part.abs().amax(1)
                s = scales[:, i, None].double()
                ratio = torch.where(s == 0, 0.0, part.double() / s)
                codes[:, i * block : (i + 1) * block] = torch.floor(7 * ratio + 0.5).to(torch.int8)
            return codes, scales
    """,
        """
        found = torch.empty(codes.shape, dtype=scales.dtype)
        for i in range(scales.shape[1]):
            part = slice(i * block, (i + 1) * block)
            found[:, part] = codes[:, part].double() / 7 * scales[:, i : i + 1].double()
        return found
    """,
    ),
    # Task 5
    write(
        "by arithmetic",
        "qlora",
        "sums and remainders; the change within the weight",
        """
        def pack(codes):
            rows, n = codes.shape
            packed = torch.zeros(rows, (n + 1) // 2, dtype=torch.uint8)
            packed += (codes[:, ::2].int() + 8).to(torch.uint8)
            packed[:, : n // 2] += (16 * (codes[:, 1::2].int() + 8)).to(torch.uint8)
            return packed


        def unpack(packed, n):
            codes = torch.zeros(len(packed), 2 * packed.shape[1], dtype=torch.int8)
            codes[:, ::2] = packed.int() % 16 - 8
            codes[:, 1::2] = packed.int() // 16 - 8
            return codes[:, :n].clone()


        class QLoRA(nn.Module):
            def __init__(self, base, block, rank, alpha):
                super().__init__()
                codes, scales = quantize(base.weight, block)
                self.register_buffer("packed", pack(codes))
                self.register_buffer("scales", scales)
                bias = base.bias
                if bias is not None:
                    bias = bias.detach().clone()
                self.register_buffer("bias", bias)
                self.n, self.block, self.rank, self.alpha = base.in_features, block, rank, alpha
                std = 1 / math.sqrt(self.n)
                kind = scales.dtype
                self.A = nn.Parameter(torch.empty(rank, self.n, dtype=kind).normal_(0, std))
                self.B = nn.Parameter(torch.zeros(base.out_features, rank, dtype=kind))

            def weight(self):
                return dequantize(unpack(self.packed, self.n), self.scales, self.block)

            def forward(self, x):
                y = x @ self.weight().T + self.alpha / self.rank * ((x @ self.A.T) @ self.B.T)
                return y if self.bias is None else y + self.bias
        """,
    ),
    edit(
        "negative shifts in int8",
        "qlora",
        "the sign bit is let overflow",
        (
            SHIFTED,
            "odd = codes.shape[1] % 2\n    "
            "shifted = torch.cat([codes + 8, codes.new_zeros(len(codes), odd)], 1)",
        ),
        (BYTES, "return (shifted[:, ::2] + 16 * shifted[:, 1::2]).to(torch.uint8)"),
        (HALVES, "halves = torch.stack((packed.bitwise_and(15), packed // 16), 2)"),
    ),
    edit(
        "the base of one call",
        "qlora",
        "a helper layer, made at each call",
        (
            Q_SUM,
            "change = self.factor * self.B @ self.A\n        "
            "return F.linear(x, weight + change, self.bias)",
        ),
        (
            Q_A,
            "self.A = nn.Parameter(torch.randn(rank, n_in, dtype=scales.dtype) * n_in**-0.5)",
        ),
    ),
    # Task 6
    fill(
        "AdamW without decay",
        "fine_tune",
        "zero_grad first, and at the end",
        """
        was, losses = model.training, []
        optimizer = torch.optim.AdamW(
            [p for p in model.parameters() if p.requires_grad], learning_rate, weight_decay=0.0
        )
        try:
            model.train()
            for ids, labels, old in batches:
                model.zero_grad(set_to_none=True)
                loss = nn.CrossEntropyLoss()(model(ids), labels)
                if old is not None:
                    logits = model.body(old[:, :-1])
                    loss += F.cross_entropy(logits.transpose(1, 2), old[:, 1:])
                loss.backward()
                optimizer.step()
                losses += [float(loss)]
        finally:
            model.train(was)
            model.zero_grad(set_to_none=True)
        return losses
    """,
    ),
    fill(
        "all parameters",
        "fine_tune",
        "frozen ones have no gradient, and stay",
        """
        optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
        mode = model.training
        model.train(True)
        found = []
        optimizer.zero_grad()
        for ids, labels, old in batches:
            log_probs = model(ids).log_softmax(-1)
            loss = -log_probs.gather(1, labels[:, None]).mean()
            if old is not None:
                log_probs = model.body(old).log_softmax(-1)
                loss = loss - log_probs[:, :-1].gather(2, old[:, 1:, None]).mean()
            found.append(loss.detach().item())
            loss.backward()
            optimizer.step()
            for p in model.parameters():
                p.grad = None
        model.train(mode)
        return found
    """,
    ),
    fill(
        "two backwards",
        "fine_tune",
        "the gradients of both losses add up",
        """
        if not model.training:
            model.train()
            losses = fine_tune(model, batches, learning_rate)
            model.eval()
            return losses
        model.zero_grad()
        trained = filter(lambda p: p.requires_grad, model.parameters())
        optimizer = torch.optim.Adam(trained, lr=learning_rate)

        def step(batch):
            ids, labels, old = batch
            loss = F.cross_entropy(model(ids), labels)
            loss.backward()
            total = loss.item()
            if old is not None:
                logits = model.body(old)
                words = F.cross_entropy(
                    logits[:, :-1].reshape(-1, logits.shape[-1]), old[:, 1:].reshape(-1)
                )
                words.backward()
                total += words.item()
            optimizer.step()
            optimizer.zero_grad()
            return total

        return [step(batch) for batch in batches]
    """,
    ),
    # Task 7
    fill(
        "in one padded batch",
        "forgotten",
        "padding, which is not counted",
        """
        n = sum(max(len(text) - 1, 0) for text in texts)
        if n < 1:
            raise ValueError(f"nothing to predict, got {len(texts)} texts")
        modes = [part.training for part in body.modules()]
        try:
            body.train(False)
            with torch.inference_mode():
                ids = nn.utils.rnn.pad_sequence(texts, batch_first=True)
                targets = nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=-100)
                logits = body(ids)[:, :-1].flatten(0, 1).double()
                loss = F.cross_entropy(logits, targets[:, 1:].flatten())
                return loss.item()
        finally:
            for part, mode in zip(body.modules(), modes, strict=True):
                part.training = mode
    """,
        """
        gain = unread - before
        if gain <= 0:
            raise ValueError(f"reading had gained nothing: got unread={unread}, before={before}")
        return 1 - (unread - after) / gain
    """,
    ),
    fill(
        "word by word",
        "forgotten",
        "a list of losses, without the last word read",
        """
        modes = [(part, part.training) for part in body.modules()]
        losses = []
        body.eval()
        with torch.no_grad():
            for text in texts:
                if text.numel() == 1:
                    continue
                log_probs = body(text[:-1].unsqueeze(0)).squeeze(0).double().log_softmax(-1)
                losses += [-float(row[word]) for row, word in zip(log_probs, text[1:], strict=True)]
        for part, mode in modes:
            part.training = mode
        if not losses:
            raise ValueError(f"no word is predicted, got {len(texts)} texts")
        return math.fsum(losses) / len(losses)
    """,
        """
        if unread - before <= 0:
            raise ValueError("reading gained nothing, got unread=" + str(unread))
        return after / (unread - before) - before / (unread - before)
    """,
    ),
    fill(
        "all in one tensor",
        "forgotten",
        "torch.cat, and one mean",
        """
        long = [text for text in texts if len(text) >= 2]
        if not long:
            raise ValueError(f"got {len(texts)} texts, and no word to predict")
        training = {name for name, part in body.named_modules() if part.training}
        body.eval()
        with torch.no_grad():
            found = [body(text.view(1, -1))[0, :-1].double().log_softmax(1) for text in long]
        for name, part in body.named_modules():
            part.training = name in training
        log_probs, targets = torch.cat(found), torch.cat([text[1:] for text in long])
        return F.nll_loss(log_probs, targets).item()
    """,
        """
        if unread <= before:
            raise ValueError(f"unread={unread} must be above {before}, got unread={unread}")
        return float((after - before) / (unread - before))
    """,
    ),
]
