from textwrap import dedent

from faults import fill, write

CE = "return -F.log_softmax(logits, -1).gather(-1, ids.unsqueeze(-1)).mean()"
BCE = r"""
if labels.shape != logits.shape:
    raise ValueError(f"labels must have the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
return -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()
"""
NEW = "self.ids, self.length = ids, length\nif len(ids) <= length:\n    raise ValueError('no window of this length')"
LEN = "return len(self.ids) - self.length"
GET = r"""
if not 0 <= i < len(self):
    raise IndexError(i)
return self.ids[i:i + self.length], self.ids[i + 1:i + 1 + self.length]
"""

WRONG = [
    # ---------------------------------------------------------------- Task 1
    fill(
        "softmax over dimension 1",
        "losses",
        "dim=1 is the last of a matrix only: 'any number of leading dimensions, or none'; with (B, T, V) and T = V nothing fails.",
        r"""
         if logits.dim() == 1:
             logits, ids = logits[None], ids[None]
         return -F.log_softmax(logits, 1).gather(-1, ids[..., None]).mean()
         """,
        BCE,
    ),
    fill(
        "as many numbers will do",
        "losses",
        "Compares numel and reshapes: 'any other shape, one with as many numbers too, must raise'.",
        CE,
        r"""
         if labels.numel() != logits.numel():
             raise ValueError(f"labels need the shape {tuple(logits.shape)}")
         labels = labels.reshape(logits.shape)
         return -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()
         """,
    ),
    fill(
        "as many dimensions will do",
        "losses",
        "Compares dim(): (4, 1) and (1, 6) broadcast to (4, 6), and must raise.",
        CE,
        r"""
         if labels.dim() != logits.dim() or labels.shape[0] not in (1, logits.shape[0]):
             raise ValueError(f"labels of shape {tuple(labels.shape)} for {tuple(logits.shape)}")
         return (F.softplus(logits) - labels * logits).mean()
         """,
    ),
    fill(
        "gradient at a logit of zero",
        "losses",
        "relu(z) − zy + log1p(exp(−|z|)): the values are right, at z = 0 the gradient is −y and not ½ − y.",
        CE,
        r"""
         if labels.shape != logits.shape:
             raise ValueError("another shape")
         return (logits.relu() - logits * labels + torch.log1p(torch.exp(-logits.abs()))).mean()
         """,
    ),
    fill(
        "labels are yes or no",
        "losses",
        "labels > ½ chooses one of two logarithms: 'or in between' is cut to 0 or 1.",
        CE,
        r"""
         if labels.shape != logits.shape:
             raise ValueError("another shape")
         return -torch.where(labels > 0.5, F.logsigmoid(logits), F.logsigmoid(-logits)).mean()
         """,
    ),
    fill(
        "sum in the small dtype",
        "losses",
        "sum() / n in float16: a hundred rows of 1000 are more than 65 504, the mean is not.",
        r"""
         rows = torch.logsumexp(logits, -1) - logits.gather(-1, ids[..., None]).squeeze(-1)
         return rows.sum() / rows.numel()
         """,
        r"""
         if labels.shape != logits.shape:
             raise ValueError("another shape")
         each = -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits))
         return each.sum() / each.numel()
         """,
    ),
    fill(
        "computed in float32",
        "losses",
        "float() and back: 'compute in no smaller one'.",
        "return -F.log_softmax(logits.float(), -1).gather(-1, ids[..., None]).mean().to(logits.dtype)",
        BCE,
    ),
    fill(
        "logits shifted in place",
        "losses",
        "logits -= max, where nobody asks for a gradient: the argument is changed.",
        r"""
         top = logits.detach().amax(-1, keepdim=True)
         z = logits - top if logits.requires_grad else logits.sub_(top)
         return (z.exp().sum(-1).log() - z.gather(-1, ids[..., None]).squeeze(-1)).mean()
         """,
        BCE,
    ),
    fill(
        "softplus with a threshold of 5",
        "losses",
        "F.softplus(z, threshold=5) is z from 5 on: 0.0067 too little at 5, and the gradient 1.",
        CE,
        r"""
         if labels.shape != logits.shape:
             raise ValueError("another shape")
         return (F.softplus(logits, threshold=5) - labels * logits).mean()
         """,
    ),
    fill(
        "one-hot of the ids that occur",
        "losses",
        "F.one_hot without the number of classes: fails where the last class is not among the ids.",
        r"""
         right = F.one_hot(ids).to(logits.dtype)
         return -(right * F.log_softmax(logits, -1)).sum(-1).mean()
         """,
        BCE,
    ),
    # ---------------------------------------------------------------- Task 2
    fill(
        "eps within the root",
        "adam",
        "√(v̂ + ε): 'outside of the root'; seen with gradients of 1e-4.",
        r"""
         b1, b2 = betas
         mean, square = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient ** 2
         step = (mean / (1 - b1 ** n)) / torch.sqrt(square / (1 - b2 ** n) + eps)
         return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, mean, square
         """,
    ),
    fill(
        "the quick order of the paper",
        "adam",
        "η √(1−β₂ⁿ)/(1−β₁ⁿ) · m/(√v + ε): ε is another one, up to 30 times larger.",
        r"""
         b1, b2 = betas
         mean, square = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient * gradient
         rate = learning_rate * math.sqrt(1 - b2 ** n) / (1 - b1 ** n)
         return (1 - learning_rate * weight_decay) * parameter - rate * mean / (square.sqrt() + eps), mean, square
         """,
    ),
    fill(
        "decay after the step",
        "adam",
        "(θ − step)(1 − ηλ) shrinks the step as well.",
        r"""
         b1, b2 = betas
         mean, square = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient.square()
         new = parameter - learning_rate * (mean / (1 - b1 ** n)) / ((square / (1 - b2 ** n)).sqrt() + eps)
         return new * (1 - learning_rate * weight_decay), mean, square
         """,
    ),
    fill(
        "corrections in float32",
        "adam",
        "1 − torch.tensor(β₂)ⁿ loses four digits of 0.001; for tensors without dimensions in float16 even the dtype.",
        r"""
         b1, b2 = (torch.tensor(b) for b in betas)
         one, two = 1 - b1 ** n, 1 - b2 ** n
         mean = betas[0] * mean + (1 - betas[0]) * gradient
         square = betas[1] * square + (1 - betas[1]) * gradient ** 2
         new = (1 - learning_rate * weight_decay) * parameter
         return new - learning_rate * (mean / one) / ((square / two).sqrt() + eps), mean, square
         """,
    ),
    fill(
        "the largest square so far",
        "adam",
        "AMSGrad: max(v, old v). Where g² is smaller than v the average must sink.",
        r"""
         b1, b2 = betas
         mean = b1 * mean + (1 - b1) * gradient
         square = torch.maximum(square, b2 * square + (1 - b2) * gradient ** 2)
         step = (mean / (1 - b1 ** n)) / ((square / (1 - b2 ** n)).sqrt() + eps)
         return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, mean, square
         """,
    ),
    fill(
        "no correction from step 100 on",
        "adam",
        "'Forgotten by then': 0.999¹⁰⁰ is 0.9.",
        r"""
         b1, b2 = betas
         mean, square = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient ** 2
         m, v = mean, square
         if n < 100:
             m, v = m / (1 - b1 ** n), v / (1 - b2 ** n)
         return (1 - learning_rate * weight_decay) * parameter - learning_rate * m / (v.sqrt() + eps), mean, square
         """,
    ),
    fill(
        "nothing new at a rate of zero",
        "adam",
        "With η = 0 (warm-up begins there) the parameter itself is returned, and shares its memory.",
        r"""
         b1, b2 = betas
         mean, square = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient ** 2
         if learning_rate == 0:
             return parameter, mean, square
         step = (mean / (1 - b1 ** n)) / ((square / (1 - b2 ** n)).sqrt() + eps)
         return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, mean, square
         """,
    ),
    fill(
        "the square of the average",
        "adam",
        "v takes (g − m)², as AdaBelief does, from the second step on; at the first the two agree only for m of 0.",
        r"""
         b1, b2 = betas
         square = b2 * square + (1 - b2) * (gradient - mean) ** 2
         mean = b1 * mean + (1 - b1) * gradient
         step = (mean / (1 - b1 ** n)) / ((square / (1 - b2 ** n)).sqrt() + eps)
         return (1 - learning_rate * weight_decay) * parameter - learning_rate * step, mean, square
         """,
    ),
    # ---------------------------------------------------------------- Task 3
    fill(
        "negative places from the end",
        "windows",
        "i += len(self): an index below 0 'must raise an IndexError'.",
        NEW,
        LEN,
        r"""
         if i < 0:
             i += len(self)
         if not 0 <= i < len(self):
             raise IndexError(i)
         return self.ids[i:i + self.length], self.ids[i + 1:i + 1 + self.length]
         """,
    ),
    fill(
        "a slice that is too short",
        "windows",
        "Checks how many ids came: −1 gives none, but −4 of 5 ids with length 2 gives three.",
        NEW,
        LEN,
        r"""
         window = self.ids[i:i + self.length + 1]
         if len(window) <= self.length:
             raise IndexError("no such window")
         return window[:-1], window[1:]
         """,
    ),
    fill(
        "ids belong to the class",
        "windows",
        "Windows.ids = ids: 'several data sets may be in use'.",
        r"""
         if len(ids) <= length:
             raise ValueError("no window of this length")
         Windows.ids, Windows.length = ids, length
         """,
        LEN,
        GET,
    ),
    fill(
        "just as long is refused, shorter is not",
        "windows",
        "== in place of <=: fewer ids than length make an object whose len is below 0.",
        r"""
         if len(ids) == length:
             raise ValueError("no window of this length")
         self.ids, self.length = ids, length
         """,
        LEN,
        GET,
    ),
    fill(
        "one pair of tensors for all windows",
        "windows",
        "copy_ into tensors that are kept: a list of all windows holds the last one many times.",
        NEW + "\nself.inputs, self.targets = ids.new_empty(length), ids.new_empty(length)",
        LEN,
        r"""
         if not 0 <= i < len(self):
             raise IndexError(i)
         self.inputs.copy_(self.ids[i:i + self.length])
         self.targets.copy_(self.ids[i + 1:i + 1 + self.length])
         return self.inputs, self.targets
         """,
    ),
    write(
        "an iterator that is the data itself",
        "windows",
        "__iter__ returns self with one position: two loops at a time disturb each other.",
        dedent(r"""
          class Windows:
              def __init__(self, ids: Tensor, length: int):
                  if len(ids) <= length:
                      raise ValueError("no window of this length")
                  self.ids, self.length, self.at = ids, length, 0

              def __len__(self) -> int:
                  return len(self.ids) - self.length

              def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
                  if i < 0 or i >= len(self):
                      raise IndexError(i)
                  return self.ids[i:i + self.length], self.ids[i + 1:i + 1 + self.length]

              def __iter__(self):
                  self.at = 0
                  return self

              def __next__(self):
                  if self.at == len(self):
                      raise StopIteration
                  self.at += 1
                  return self[self.at - 1]
          """).strip()
        + "\n",
    ),
    fill(
        "ids in float32 on the way",
        "windows",
        "Kept as a float tensor and cast back: an id beyond 2²⁴ is another one.",
        "if len(ids) <= length:\n    raise ValueError('no window of this length')\nself.ids, self.length = ids.float(), length",
        LEN,
        r"""
         if not 0 <= i < len(self):
             raise IndexError(i)
         window = self.ids[i:i + self.length + 1].long()
         return window[:-1], window[1:]
         """,
    ),
    # ---------------------------------------------------------------- Task 4
    fill(
        "a set of the documents",
        "split",
        "list(set(documents)) has another order in another process: the same seed gives other parts.",
        r"""
         different = list(set(documents))
         random.Random(seed).shuffle(different)
         parts, part_of, total, start = [[] for _ in fractions], {}, 0.0, 0
         for k, fraction in enumerate(fractions):
             total += fraction
             end = len(different) if k == len(fractions) - 1 else round(total * len(different))
             for d in different[start:end]:
                 part_of[d] = k
             start = end
         for d in documents:
             parts[part_of[d]].append(d)
         return parts
         """,
    ),
    fill(
        "copies shuffled before they are joined",
        "split",
        "Shuffles all, and takes the first of each: what has many copies comes early, and so into the first part.",
        r"""
         mixed = list(documents)
         random.Random(seed).shuffle(mixed)
         different = list(dict.fromkeys(mixed))
         cuts, total = [0], 0.0
         for fraction in fractions[:-1]:
             total += fraction
             cuts.append(round(total * len(different)))
         cuts.append(len(different))
         groups = [set(different[a:b]) for a, b in zip(cuts, cuts[1:])]
         return [[d for d in documents if d in group] for group in groups]
         """,
    ),
    fill(
        "each size rounded by itself",
        "split",
        "round(fraction · n) for each and the rest for the last: with many parts the last is far from its fraction.",
        r"""
         different = list(dict.fromkeys(documents))
         random.Random(seed).shuffle(different)
         groups, start = [], 0
         for fraction in fractions[:-1]:
             size = round(fraction * len(different))
             groups.append(set(different[start:start + size]))
             start += size
         groups.append(set(different[start:]))
         return [[d for d in documents if d in group] for group in groups]
         """,
    ),
    fill(
        "the last cut is a product, too",
        "split",
        "int(n · 0.9999…) with fractions that sum 'to a hair less': one document is lost.",
        r"""
         different = list(dict.fromkeys(documents))
         random.Random(seed).shuffle(different)
         groups, total, start = [], 0.0, 0
         for fraction in fractions:
             total += fraction
             end = int(total * len(different))
             groups.append(set(different[start:end]))
             start = end
         return [[d for d in documents if d in group] for group in groups]
         """,
    ),
    fill(
        "a die for each document",
        "split",
        "rng.random() against the cumulative sums: fair, but a part is not 'within one' of its fraction.",
        r"""
         rng, part_of = random.Random(seed), {}
         for d in dict.fromkeys(documents):
             part_of[d] = rng.choices(range(len(fractions)), weights=fractions)[0]
         parts = [[] for _ in fractions]
         for d in documents:
             parts[part_of[d]].append(d)
         return parts
         """,
    ),
    fill(
        "the global generator, seeded",
        "split",
        "random.seed(seed), random.shuffle: 'use a generator of your own'.",
        r"""
         random.seed(seed)
         different = list(dict.fromkeys(documents))
         random.shuffle(different)
         cuts = [round(sum(fractions[:k]) * len(different)) for k in range(len(fractions))] + [len(different)]
         groups = [set(different[a:b]) for a, b in zip(cuts, cuts[1:])]
         return [[d for d in documents if d in group] for group in groups]
         """,
    ),
    fill(
        "sorted in place",
        "split",
        "documents.sort() for a fixed order: the list must stay as it was.",
        r"""
         documents.sort()
         different = list(dict.fromkeys(documents))
         random.Random(seed).shuffle(different)
         cuts = [round(sum(fractions[:k]) * len(different)) for k in range(len(fractions))] + [len(different)]
         groups = [set(different[a:b]) for a, b in zip(cuts, cuts[1:])]
         return [[d for d in documents if d in group] for group in groups]
         """,
    ),
    fill(
        "equal but for case and spaces",
        "split",
        "Documents are told apart by strip().lower(): 'a', 'A' and 'a ' are three documents.",
        r"""
         keys = list(dict.fromkeys(d.strip().lower() for d in documents))
         random.Random(seed).shuffle(keys)
         cuts = [round(sum(fractions[:k]) * len(keys)) for k in range(len(fractions))] + [len(keys)]
         groups = [set(keys[a:b]) for a, b in zip(cuts, cuts[1:])]
         return [[d for d in documents if d.strip().lower() in group] for group in groups]
         """,
    ),
    fill(
        "the first one stays in front",
        "split",
        "The first place is left out of the shuffle: the first document is always in the first part, 'whatever its place in the list'.",
        r"""
         different = list(dict.fromkeys(documents))
         rest = different[1:]
         random.Random(seed).shuffle(rest)
         different = different[:1] + rest
         cuts = [round(sum(fractions[:k]) * len(different)) for k in range(len(fractions))] + [len(different)]
         groups = [set(different[a:b]) for a, b in zip(cuts, cuts[1:])]
         return [[d for d in documents if d in group] for group in groups]
         """,
    ),
    fill(
        "the parts of the last time",
        "split",
        "Kept for equal arguments: 'the parts are new lists in every call'.",
        r"""
         kept = split_documents.__dict__.setdefault("kept", {})
         key = tuple(documents), tuple(fractions), seed
         if key not in kept:
             different = list(dict.fromkeys(documents))
             random.Random(seed).shuffle(different)
             cuts = [round(sum(fractions[:k]) * len(different)) for k in range(len(fractions))] + [len(different)]
             groups = [set(different[a:b]) for a, b in zip(cuts, cuts[1:])]
             kept[key] = [[d for d in documents if d in group] for group in groups]
         return kept[key]
         """,
    ),
    # ---------------------------------------------------------------- Task 5
    fill(
        "below all is best",
        "stopping",
        "NaN never passes <, but −∞ does: 'infinite, −∞ as well, is never a best'.",
        r"""
         lowest, best, waited, k = math.inf, None, 0, 0
         while k < n_most and waited < patience:
             loss = validate(k)
             waited += 1
             if loss < lowest:
                 lowest, best, waited = loss, k, 0
             k += 1
         return best, k
         """,
    ),
    fill(
        "minus infinity starts the count again",
        "stopping",
        "It is no best, but the patience begins anew: validations in a row that were no new best.",
        r"""
         lowest, best, waited, done = math.inf, None, 0, 0
         for k in range(n_most):
             loss = validate(k)
             done += 1
             if loss < lowest:
                 waited = 0
                 if math.isfinite(loss):
                     lowest, best = loss, k
             else:
                 waited += 1
             if waited >= patience:
                 break
         return best, done
         """,
    ),
    fill(
        "better by a millionth",
        "stopping",
        "A min_delta of 1e-6, as libraries have: 'by however little'.",
        r"""
         lowest, best, waited, done = math.inf, None, 0, 0
         for k in range(n_most):
             loss = validate(k)
             done += 1
             if math.isfinite(loss) and loss < lowest - 1e-6:
                 lowest, best, waited = loss, k, 0
             else:
                 waited += 1
                 if waited == patience:
                     break
         return best, done
         """,
    ),
    fill(
        "a billion is infinity",
        "stopping",
        "lowest = 1e9 at first: losses may be very large.",
        r"""
         lowest, best, waited, done = 1e9, None, 0, 0
         for k in range(n_most):
             loss = validate(k)
             done += 1
             if math.isfinite(loss) and loss < lowest:
                 lowest, best, waited = loss, k, 0
             else:
                 waited += 1
                 if waited == patience:
                     break
         return best, done
         """,
    ),
    fill(
        "number 0 is none",
        "stopping",
        "return best or None: if the first validation was the best, its number 0 becomes None.",
        r"""
         lowest, best, waited, done = math.inf, 0, 0, 0
         for k in range(n_most):
             loss = validate(k)
             done += 1
             if math.isfinite(loss) and loss < lowest:
                 lowest, best, waited = loss, k, 0
             else:
                 waited += 1
                 if waited == patience:
                     break
         return best or None, done
         """,
    ),
    fill(
        "a lowest loss of 0 is none",
        "stopping",
        "if not lowest: a loss of 0.0 is forgotten, and the next one is a new best. Losses may be 0.",
        r"""
         lowest, best, waited, done = None, None, 0, 0
         for k in range(n_most):
             loss = validate(k)
             done += 1
             if math.isfinite(loss) and (not lowest or loss < lowest):
                 lowest, best, waited = loss, k, 0
             else:
                 waited += 1
                 if waited == patience:
                     break
         return best, done
         """,
    ),
    fill(
        "the smallest of a float32 tensor",
        "stopping",
        "torch.tensor(losses).argmin(): float32 makes equals of losses that differ in the ninth digit.",
        r"""
         losses, lowest, waited = [], math.inf, 0
         for k in range(n_most):
             loss = validate(k)
             losses.append(loss if math.isfinite(loss) else math.inf)
             waited = 0 if losses[-1] < lowest else waited + 1
             lowest = min(lowest, losses[-1])
             if waited == patience:
                 break
         if lowest == math.inf:
             return None, len(losses)
         return int(torch.tensor(losses).argmin()), len(losses)
         """,
    ),
    fill(
        "nearly equal is equal",
        "stopping",
        "math.isclose is no new best: 'by however little'.",
        r"""
         lowest, best, waited, done = math.inf, None, 0, 0
         for k in range(n_most):
             loss = validate(k)
             done += 1
             if math.isfinite(loss) and loss < lowest and not math.isclose(loss, lowest):
                 lowest, best, waited = loss, k, 0
             else:
                 waited += 1
                 if waited == patience:
                     break
         return best, done
         """,
    ),
    # ---------------------------------------------------------------- Task 6
    fill(
        "what no loss reaches keeps its gradient",
        "accumulate",
        "autograd.grad with allow_unused: a parameter without a gradient keeps what was left in .grad.",
        r"""
         sums, total, count = {}, 0.0, 0
         for piece in pieces:
             losses = losses_of(piece)
             if not losses.numel():
                 continue
             found = torch.autograd.grad(losses.sum(), parameters, allow_unused=True)
             for k, g in enumerate(found):
                 if g is not None:
                     sums[k] = sums[k] + g if k in sums else g
             total, count = total + losses.sum().item(), count + len(losses)
         for k, g in sums.items():
             parameters[k].grad = g / count
         norm = math.sqrt(sum(float((g / count).double().square().sum()) for g in sums.values()))
         if norm > max_norm:
             for k in sums:
                 parameters[k].grad *= max_norm / norm
         return total / count, norm
         """,
    ),
    fill(
        "a norm of 0 means no clipping",
        "accumulate",
        "if max_norm and …: 'a max_norm of 0 is one like any other'.",
        r"""
         for p in parameters:
             p.grad = None
         total, count = 0.0, 0
         for piece in pieces:
             losses = losses_of(piece)
             if len(losses):
                 losses.sum().backward()
                 total, count = total + losses.sum().item(), count + len(losses)
         gradients = [p.grad.div_(count) for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
         if max_norm and norm > max_norm:
             for g in gradients:
                 g.mul_(max_norm / norm)
         return total / count, norm
         """,
    ),
    fill(
        "the factor first",
        "accumulate",
        "min(1, max_norm / norm) of floats: a gradient of zeros is a ZeroDivisionError.",
        r"""
         for p in parameters:
             p.grad = None
         total, count = 0.0, 0
         for piece in pieces:
             losses = losses_of(piece)
             if len(losses):
                 losses.sum().backward()
                 total, count = total + losses.sum().item(), count + len(losses)
         gradients = [p.grad.div_(count) for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
         factor = min(1.0, max_norm / norm)
         for g in gradients:
             g.mul_(factor)
         return total / count, norm
         """,
    ),
    fill(
        "every parameter has a gradient",
        "accumulate",
        "p.grad.norm() for all: a parameter that no loss depends on has None.",
        r"""
         for p in parameters:
             p.grad = None
         total, count = 0.0, 0
         for piece in pieces:
             losses = losses_of(piece)
             losses.sum().backward()
             total, count = total + losses.sum().item(), count + losses.numel()
         for p in parameters:
             p.grad /= count
         norm = torch.stack([p.grad.norm() for p in parameters]).norm().item()
         if norm > max_norm:
             for p in parameters:
                 p.grad *= max_norm / norm
         return total / count, norm
         """,
    ),
    fill(
        "counted beforehand",
        "accumulate",
        "A first walk without gradients counts the predictions: 'call losses_of once for each piece'.",
        r"""
         for p in parameters:
             p.grad = None
         with torch.no_grad():
             count = sum(len(losses_of(piece)) for piece in pieces)
         loss = 0.0
         for piece in pieces:
             share = losses_of(piece).sum() / count
             share.backward()
             loss += share.item()
         gradients = [p.grad for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
         if norm > max_norm:
             for g in gradients:
                 g.mul_(max_norm / norm)
         return loss, norm
         """,
    ),
    fill(
        "cleared at the first piece",
        "accumulate",
        "if piece is pieces[0]: clears again where the same piece comes twice.",
        r"""
         total, count = 0.0, 0
         for piece in pieces:
             if piece is pieces[0]:
                 for p in parameters:
                     p.grad = None
             losses = losses_of(piece)
             if len(losses):
                 losses.sum().backward()
                 total, count = total + losses.sum().item(), count + len(losses)
         gradients = [p.grad.div_(count) for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
         if norm > max_norm:
             for g in gradients:
                 g.mul_(max_norm / norm)
         return total / count, norm
         """,
    ),
    fill(
        "clipped to a hundredth more",
        "accumulate",
        "Adds a hundredth, not a millionth: gradients shorter than max_norm by less than that are shortened as well.",
        r"""
         for p in parameters:
             p.grad = None
         total, count = 0.0, 0
         for piece in pieces:
             losses = losses_of(piece)
             if len(losses):
                 losses.sum().backward()
                 total, count = total + losses.sum().item(), count + len(losses)
         gradients = [p.grad.div_(count) for p in parameters if p.grad is not None]
         norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
         factor = max_norm / (norm + 1e-2)
         if factor < 1:
             for g in gradients:
                 g.mul_(factor)
         return total / count, norm
         """,
    ),
    fill(
        "matrices by their largest stretch",
        "accumulate",
        "torch.linalg.matrix_norm(ord=2) for matrices: not the root of the sum of all squares.",
        r"""
         for p in parameters:
             p.grad = None
         total, count = 0.0, 0
         for piece in pieces:
             losses = losses_of(piece)
             if len(losses):
                 losses.sum().backward()
                 total, count = total + losses.sum().item(), count + len(losses)
         gradients = [p.grad.div_(count) for p in parameters if p.grad is not None]
         lengths = [torch.linalg.norm(g, 2 if g.dim() == 2 else None).item() for g in gradients]
         norm = math.hypot(*lengths)
         if norm > max_norm:
             for g in gradients:
                 g.mul_(max_norm / norm)
         return total / count, norm
         """,
    ),
    # ---------------------------------------------------------------- Task 7
    fill(
        "times the mask",
        "metric",
        "NaN times 0 is NaN: whatever stands at a padded position must not matter.",
        r"""
         total = sum(float((values.double() * mask).sum()) for values, mask in batches)
         count = sum(int(mask.sum()) for _, mask in batches)
         if count == 0:
             raise ValueError("nothing to average")
         return total / count
         """,
    ),
    fill(
        "added in the dtype of the values",
        "metric",
        "values[mask].sum() in float16 overflows and rounds: 'add them up in float64'.",
        r"""
         total, count = 0.0, 0
         for values, mask in batches:
             total += values[mask].sum().item()
             count += int(mask.sum())
         if not count:
             raise ValueError("nothing to average")
         return total / count
         """,
    ),
    fill(
        "added up in float32",
        "metric",
        "float() for all: whole numbers beyond 2²⁴ and float64 lose digits.",
        r"""
         kept = [values[mask].float() for values, mask in batches]
         if sum(len(k) for k in kept) == 0:
             raise ValueError("nothing to average")
         return torch.cat(kept).mean().item()
         """,
    ),
    fill(
        "nansum",
        "metric",
        "A NaN at a real position does matter: the mean is NaN.",
        r"""
         total, count = 0.0, 0
         for values, mask in batches:
             total += torch.where(mask, values.double(), torch.nan).nansum().item()
             count += int(mask.sum())
         if not count:
             raise ValueError("nothing to average")
         return total / count
         """,
    ),
    fill(
        "padding set to 0 in place",
        "metric",
        "values[~mask] = 0 changes the tensors of the caller.",
        r"""
         total, count = 0.0, 0
         for values, mask in batches:
             values[~mask] = 0
             total += values.double().sum().item()
             count += int(mask.sum())
         if not count:
             raise ValueError("nothing to average")
         return total / count
         """,
    ),
    fill(
        "a sum of 0 is nothing",
        "metric",
        "if not total: a mean of 0 is a value like any other.",
        r"""
         total, count = 0.0, 0
         for values, mask in batches:
             total += values[mask].double().sum().item()
             count += int(mask.sum())
         if not total:
             raise ValueError("nothing to average")
         return total / count
         """,
    ),
    fill(
        "no batch may be empty",
        "metric",
        "Raises for one batch of padding alone: only 'if there is no real position at all'.",
        r"""
         total, count = 0.0, 0
         for values, mask in batches:
             if not mask.any():
                 raise ValueError("nothing in this batch")
             total += values[mask].double().sum().item()
             count += int(mask.sum())
         if not count:
             raise ValueError("nothing to average")
         return total / count
         """,
    ),
    fill(
        "zeros are padding",
        "metric",
        "Counts what is not 0 among the real ones: 'a 0 is a value like any other'.",
        r"""
         kept = torch.cat([values[mask].double().flatten() for values, mask in batches] + [torch.zeros(0)])
         if not len(kept):
             raise ValueError("nothing to average")
         return kept.sum().item() / max(1, int(kept.count_nonzero()))
         """,
    ),
    # ---------------------------------------------------------------- Task 8
    *[
        fill(name, "loop", note, body)
        for name, note, body in [
            (
                "batches from number 1",
                "k mod len in place of (k − 1) mod len: begins with the second batch.",
                r"""
         came, lowest, best, history = model.training, math.inf, None, []
         for k in range(1, n_steps + 1):
             model.train()
             model.zero_grad()
             losses_of(model, batches[k % len(batches)]).mean().backward()
             with torch.no_grad():
                 for p in model.parameters():
                     if p.grad is not None:
                         p -= learning_rate * p.grad
             if k % validate_every == 0:
                 model.eval()
                 with torch.no_grad():
                     loss = validate(model)
                 history.append((k, loss))
                 if loss < lowest:
                     lowest, best = loss, {n: t.clone() for n, t in model.state_dict().items()}
         if best is not None:
             model.load_state_dict(best)
         model.train(came)
         return history
         """,
            ),
            (
                "gradients cleared after the step",
                "What was left in .grad when train was called counts in the first step.",
                r"""
         came, lowest, best, history = model.training, math.inf, None, []
         for k in range(1, n_steps + 1):
             model.train()
             losses_of(model, batches[(k - 1) % len(batches)]).mean().backward()
             with torch.no_grad():
                 for p in model.parameters():
                     if p.grad is not None:
                         p -= learning_rate * p.grad
             model.zero_grad()
             if k % validate_every == 0:
                 model.eval()
                 with torch.no_grad():
                     loss = validate(model)
                 history.append((k, loss))
                 if loss < lowest:
                     lowest, best = loss, {n: t.clone() for n, t in model.state_dict().items()}
         if best is not None:
             model.load_state_dict(best)
         model.train(came)
         return history
         """,
            ),
            (
                "validated at the end, too",
                "A last validation after n_steps, though it is no multiple of validate_every.",
                r"""
         came, lowest, best, history = model.training, math.inf, None, []
         for k in range(1, n_steps + 1):
             model.train()
             model.zero_grad()
             losses_of(model, batches[(k - 1) % len(batches)]).mean().backward()
             with torch.no_grad():
                 for p in model.parameters():
                     if p.grad is not None:
                         p -= learning_rate * p.grad
             if k % validate_every == 0 or k == n_steps:
                 model.eval()
                 with torch.no_grad():
                     loss = validate(model)
                 history.append((k, loss))
                 if loss < lowest:
                     lowest, best = loss, {n: t.clone() for n, t in model.state_dict().items()}
         if best is not None:
             model.load_state_dict(best)
         model.train(came)
         return history
         """,
            ),
            (
                "back to the start without a validation",
                "The state at the start is the first best: 'if there was no validation, it keeps the last parameters'.",
                r"""
         came, lowest, history = model.training, math.inf, []
         best = {n: t.clone() for n, t in model.state_dict().items()}
         for k in range(1, n_steps + 1):
             model.train()
             model.zero_grad()
             losses_of(model, batches[(k - 1) % len(batches)]).mean().backward()
             with torch.no_grad():
                 for p in model.parameters():
                     if p.grad is not None:
                         p -= learning_rate * p.grad
             if k % validate_every == 0:
                 model.eval()
                 with torch.no_grad():
                     loss = validate(model)
                 history.append((k, loss))
                 if loss < lowest:
                     lowest, best = loss, {n: t.clone() for n, t in model.state_dict().items()}
         model.load_state_dict(best)
         model.train(came)
         return history
         """,
            ),
            (
                "gradients recorded in validate",
                "eval() alone: validate is called 'without gradients being recorded'.",
                r"""
         came, lowest, best, history = model.training, math.inf, None, []
         for k in range(1, n_steps + 1):
             model.train()
             model.zero_grad()
             losses_of(model, batches[(k - 1) % len(batches)]).mean().backward()
             with torch.no_grad():
                 for p in model.parameters():
                     if p.grad is not None:
                         p -= learning_rate * p.grad
             if k % validate_every == 0:
                 model.eval()
                 loss = validate(model)
                 history.append((k, loss))
                 if loss < lowest:
                     lowest, best = loss, {n: t.detach().clone() for n, t in model.state_dict().items()}
         if best is not None:
             model.load_state_dict(best)
         model.train(came)
         return history
         """,
            ),
            (
                "recording stays off after the last",
                "set_grad_enabled(True) at the start of a step: after the last validation nobody turns it on.",
                r"""
         came, lowest, best, history = model.training, math.inf, None, []
         for k in range(1, n_steps + 1):
             torch.set_grad_enabled(True)
             model.train()
             model.zero_grad()
             losses_of(model, batches[(k - 1) % len(batches)]).mean().backward()
             torch.set_grad_enabled(False)
             for p in model.parameters():
                 if p.grad is not None:
                     p -= learning_rate * p.grad
             if k % validate_every == 0:
                 model.eval()
                 loss = validate(model)
                 history.append((k, loss))
                 if loss < lowest:
                     lowest, best = loss, {n: t.clone() for n, t in model.state_dict().items()}
         if best is not None:
             model.load_state_dict(best)
         model.train(came)
         return history
         """,
            ),
            (
                "losses above a billion are none",
                "lowest = 1e9: validation losses may be very large; the last parameters stay.",
                r"""
         came, lowest, best, history = model.training, 1e9, None, []
         for k in range(1, n_steps + 1):
             model.train()
             model.zero_grad()
             losses_of(model, batches[(k - 1) % len(batches)]).mean().backward()
             with torch.no_grad():
                 for p in model.parameters():
                     if p.grad is not None:
                         p -= learning_rate * p.grad
             if k % validate_every == 0:
                 model.eval()
                 with torch.no_grad():
                     loss = validate(model)
                 history.append((k, loss))
                 if loss < lowest:
                     lowest, best = loss, {n: t.clone() for n, t in model.state_dict().items()}
         if best is not None:
             model.load_state_dict(best)
         model.train(came)
         return history
         """,
            ),
            (
                "a loss of 0 is none",
                "if not lowest or …: after a validation loss of 0.0 the next one is best.",
                r"""
         came, lowest, best, history = model.training, None, None, []
         for k in range(1, n_steps + 1):
             model.train()
             model.zero_grad()
             losses_of(model, batches[(k - 1) % len(batches)]).mean().backward()
             with torch.no_grad():
                 for p in model.parameters():
                     if p.grad is not None:
                         p -= learning_rate * p.grad
             if k % validate_every == 0:
                 model.eval()
                 with torch.no_grad():
                     loss = validate(model)
                 history.append((k, loss))
                 if not lowest or loss < lowest:
                     lowest, best = loss, {n: t.clone() for n, t in model.state_dict().items()}
         if best is not None:
             model.load_state_dict(best)
         model.train(came)
         return history
         """,
            ),
            (
                "the smallest in float32",
                "All states are kept, torch.tensor(losses).argmin() chooses: float32 makes equals of what differs by little.",
                r"""
         came, states, history = model.training, [], []
         for k in range(1, n_steps + 1):
             model.train()
             model.zero_grad()
             losses_of(model, batches[(k - 1) % len(batches)]).mean().backward()
             with torch.no_grad():
                 for p in model.parameters():
                     if p.grad is not None:
                         p -= learning_rate * p.grad
             if k % validate_every == 0:
                 model.eval()
                 with torch.no_grad():
                     history.append((k, validate(model)))
                 states.append({n: t.clone() for n, t in model.state_dict().items()})
         if states:
             model.load_state_dict(states[int(torch.tensor([loss for _, loss in history]).argmin())])
         model.train(came)
         return history
         """,
            ),
            (
                "in evaluation mode from the first step",
                "train() is called after a validation only: a model that came in evaluation mode takes its first steps in it.",
                r"""
         came, lowest, best, history = model.training, math.inf, None, []
         for k in range(1, n_steps + 1):
             for p in model.parameters():
                 p.grad = None
             losses_of(model, batches[(k - 1) % len(batches)]).mean().backward()
             with torch.no_grad():
                 for p in model.parameters():
                     if p.grad is not None:
                         p -= learning_rate * p.grad
             if k % validate_every == 0:
                 model.eval()
                 with torch.no_grad():
                     loss = validate(model)
                 model.train()
                 history.append((k, loss))
                 if loss < lowest:
                     lowest, best = loss, {n: t.clone() for n, t in model.state_dict().items()}
         if best is not None:
             model.load_state_dict(best)
         model.train(came)
         return history
         """,
            ),
        ]
    ],
]

RIGHT = [
    # ---------------------------------------------------------------- Task 1
    fill(
        "own logsumexp and softplus, float64",
        "losses",
        "float64 inside and back, flattened rows and an index",
        r"""
         rows = logits.double().reshape(-1, logits.shape[-1])
         top = rows.detach().amax(1, keepdim=True)
         cost = (rows - top).exp().sum(1).log() + top[:, 0] - rows[torch.arange(len(rows)), ids.reshape(-1)]
         return cost.mean().to(logits.dtype)
         """,
        r"""
         if tuple(labels.shape) != tuple(logits.shape):
             raise ValueError(f"shape {tuple(labels.shape)} is not {tuple(logits.shape)}")
         z, y = logits.double(), labels.double()
         return torch.mean(torch.logaddexp(z, torch.zeros_like(z)) - y * z).to(logits.dtype)
         """,
    ),
    fill(
        "one-hot and addcmul",
        "losses",
        "a product with one-hot rows, lerp of two logarithms",
        r"""
         right = F.one_hot(ids, num_classes=logits.size(-1)).bool()
         return F.log_softmax(logits, dim=-1).masked_select(right).neg().mean()
         """,
        r"""
         if not labels.size() == logits.size():
             raise ValueError("labels and logits must have one SHAPE, the same shape")
         no = F.softplus(logits)
         return torch.addcmul(no, labels, logits, value=-1).mean()
         """,
    ),
    fill(
        "row by row",
        "losses",
        "recursion and Python's sum of pieces",
        r"""
         if logits.dim() > 1:
             return torch.stack([multiclass_loss(z, i) for z, i in zip(logits, ids)]).mean()
         return torch.logsumexp(logits, 0) - logits[ids]
         """,
        r"""
         if list(labels.shape) != list(logits.shape):
             raise ValueError("wrong shape of the labels: " + str(list(labels.shape)))
         pairs = torch.stack([F.logsigmoid(logits), F.logsigmoid(-logits)])
         shares = torch.stack([labels, 1 - labels])
         return pairs.mul(shares).sum(0).mean().neg()
         """,
    ),
    # ---------------------------------------------------------------- Task 2
    fill(
        "float64 and lerp",
        "adam",
        "averages by torch.lerp in float64, cast back",
        r"""
         theta, g, m, v = (t.detach().to(torch.float64) for t in (parameter, gradient, mean, square))
         m = torch.lerp(m, g, 1 - betas[0])
         v = torch.lerp(v, g.square(), 1 - betas[1])
         hats = [average / (1 - beta ** n) for average, beta in zip((m, v), betas)]
         theta = theta * (1 - learning_rate * weight_decay) - learning_rate * hats[0] / (hats[1].sqrt() + eps)
         return tuple(t.to(parameter.dtype) for t in (theta, m, v))
         """,
    ),
    fill(
        "in place on clones",
        "adam",
        "clone, mul_, add_, addcmul_, addcdiv_",
        r"""
         first, second = betas
         new_mean = mean.clone().mul_(first).add_(gradient, alpha=1 - first)
         new_square = square.clone().mul_(second).addcmul_(gradient, gradient, value=1 - second)
         root = new_square.div(1 - second ** n).sqrt_().add_(eps)
         new = parameter.clone().mul_(1 - learning_rate * weight_decay)
         new.addcdiv_(new_mean, root, value=-learning_rate / (1 - first ** n))
         return new, new_mean, new_square
         """,
    ),
    fill(
        "decay as a difference",
        "adam",
        "a closure for the averages, decay subtracted",
        r"""
         def follow(old, new, beta):
             return old - (1 - beta) * (old - new)

         m, v = follow(mean, gradient, betas[0]), follow(square, gradient.pow(2), betas[1])
         unbiased_m = m * (1 / (1 - math.pow(betas[0], n)))
         unbiased_v = v * (1 / (1 - math.pow(betas[1], n)))
         change = unbiased_m / (torch.sqrt(unbiased_v) + eps) + weight_decay * parameter
         return parameter - learning_rate * change, m, v
         """,
    ),
    # ---------------------------------------------------------------- Task 3
    fill(
        "unfolded once",
        "windows",
        "a table of all windows by unfold",
        r"""
         if ids.numel() - length < 1:
             raise ValueError(f"{ids.numel()} ids are too few for a length of {length}")
         self.table = ids.clone().unfold(0, length + 1, 1)
         """,
        "return self.table.shape[0]",
        r"""
         if i not in range(len(self)):
             raise IndexError(f"{i} is not one of {len(self)} windows")
         row = self.table[i]
         return row[:-1].clone(), row[1:].clone()
         """,
    ),
    fill(
        "a range and narrow",
        "windows",
        "a range keeps the places, narrow cuts",
        r"""
         self._places = range(len(ids) - length)
         if not self._places:
             raise ValueError("length")
         self._get = lambda start: torch.narrow(ids, 0, start, length)
         """,
        "return len(self._places)",
        r"""
         if i < 0:
             raise IndexError("windows are counted from the front")
         start = self._places[i]
         return self._get(start), self._get(start + 1)
         """,
    ),
    write(
        "a torch data set with a generator",
        "windows",
        "a subclass of torch's Dataset, its own __iter__ as a generator, index_select",
        dedent(r"""
          class Windows(torch.utils.data.Dataset):
              def __init__(self, ids: Tensor, length: int):
                  super().__init__()
                  if length >= ids.shape[0]:
                      raise ValueError("the length leaves no window")
                  self.ids, self.steps = ids, torch.arange(length)

              def __len__(self) -> int:
                  return self.ids.shape[0] - self.steps.numel()

              def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
                  if i < 0 or len(self) <= i:
                      raise IndexError(i)
                  return tuple(self.ids.index_select(0, self.steps + i + shift) for shift in (0, 1))

              def __iter__(self):
                  return (self[i] for i in range(len(self)))
          """).strip()
        + "\n",
    ),
    # ---------------------------------------------------------------- Task 4
    fill(
        "sorted different ones, sample",
        "split",
        "sorted(set), rng.sample, cuts from both ends",
        r"""
         from itertools import accumulate as running

         different = sorted(set(documents))
         order = random.Random(seed).sample(different, k=len(different))
         cuts = [round(len(order) * total) for total in running(fractions)]
         cuts[-1] = len(order)
         where, start = {}, 0
         for part, end in enumerate(cuts):
             where.update(dict.fromkeys(order[start:end], part))
             start = max(start, end)
         return [[d for d in documents if where[d] == part] for part in range(len(fractions))]
         """,
    ),
    fill(
        "random keys and counts",
        "split",
        "each different text gets a random number, copies by a Counter",
        r"""
         from collections import Counter

         copies, rng = Counter(documents), random.Random(seed)
         keyed = sorted((rng.random(), k, d) for k, d in enumerate(copies))
         n, parts, total = len(keyed), [], 0.0
         left = [d for _, _, d in keyed]
         taken = 0
         for k, fraction in enumerate(fractions):
             total += fraction
             upto = n if k + 1 == len(fractions) else min(n, int(total * n + 0.5))
             parts.append([d for d in left[taken:upto] for _ in range(copies[d])])
             taken = upto
         return parts
         """,
    ),
    fill(
        "dealt by the largest claim",
        "split",
        "one after the other to the part that is most behind its claim, in a random order",
        r"""
         order = list(dict.fromkeys(documents))
         random.Random(seed).shuffle(order)
         n = len(order)
         sizes = [int(f * n + 1e-9) for f in fractions]
         claims = sorted(range(len(fractions)), key=lambda k: fractions[k] * n - sizes[k], reverse=True)
         for k in claims[:n - sum(sizes)]:
             sizes[k] += 1
         labels = iter([k for k, size in enumerate(sizes) for _ in range(size)])
         part_of = {d: next(labels) for d in order}
         parts = [list() for _ in fractions]
         for d in documents:
             parts[part_of[d]].append(d)
         return parts
         """,
    ),
    # ---------------------------------------------------------------- Task 5
    fill(
        "recursion",
        "stopping",
        "calls itself with what it knows",
        r"""
         def go(k, best, lowest, waited):
             if k >= n_most or waited >= patience:
                 return best, k
             loss = validate(k)
             if loss < lowest and loss > -math.inf:
                 return go(k + 1, k, loss, 0)
             return go(k + 1, best, lowest, waited + 1)

         return go(0, None, math.inf, 0)
         """,
    ),
    fill(
        "a list of finite ones",
        "stopping",
        "pairs (loss, number), min, and the distance to the best",
        r"""
         finite, done = [], 0
         for k in range(n_most):
             loss = validate(k)
             done = k + 1
             if abs(loss) < math.inf:
                 finite.append((loss, k))
             best = min(finite)[1] if finite else None
             if k - (-1 if best is None else best) >= patience:
                 break
         return (min(finite)[1] if finite else None), done
         """,
    ),
    fill(
        "a generator of bests",
        "stopping",
        "a generator yields the best so far after each validation",
        r"""
         def walk():
             record = (None, math.inf)
             since = 0
             for k in range(n_most):
                 loss = validate(k)
                 new = math.isfinite(loss) and loss < record[1]
                 record, since = ((k, loss), 0) if new else (record, since + 1)
                 yield record[0], k + 1
                 if since >= patience:
                     return

         result = (None, 0)
         for result in walk():
             pass
         return result
         """,
    ),
    # ---------------------------------------------------------------- Task 6
    fill(
        "zeros first, one division",
        "accumulate",
        "gradients of zeros to begin with, a foreach at the end",
        r"""
         for p in parameters:
             p.grad = torch.zeros_like(p)
         seen = []
         for piece in pieces:
             losses = losses_of(piece)
             if losses.numel() == 0:
                 continue
             losses.sum().backward()
             seen.extend(losses.detach().double().tolist())
         grads = [p.grad for p in parameters]
         torch._foreach_div_(grads, float(len(seen)))
         norm = math.hypot(*(g.double().norm().item() for g in grads))
         if norm > max_norm:
             torch._foreach_mul_(grads, max_norm / norm)
         return math.fsum(seen) / len(seen), norm
         """,
    ),
    fill(
        "a running mean",
        "accumulate",
        "gradients reweighted at each piece, so that .grad is always the mean so far",
        r"""
         for p in parameters:
             p.grad = None
         mean, count = 0.0, 0
         for piece in pieces:
             losses = losses_of(piece)
             k = losses.shape[0]
             if not k:
                 continue
             for p in parameters:
                 if p.grad is not None:
                     p.grad.mul_(count / (count + k))
             (losses.sum() / (count + k)).backward()
             mean = mean * (count / (count + k)) + losses.detach().double().sum().item() / (count + k)
             count += k
             del losses
         flat = torch.cat([p.grad.reshape(-1).double() for p in parameters if p.grad is not None] + [torch.zeros(1).double()])
         norm = flat.square().sum().sqrt().item()
         scale = max_norm / (norm + 1e-6) if norm > max_norm else 1.0
         for p in parameters:
             if p.grad is not None:
                 p.grad = p.grad * scale if scale < 1 else p.grad
         return mean, norm
         """,
    ),
    fill(
        "backward by a vector of ones",
        "accumulate",
        "losses.backward(ones), gradients kept aside",
        r"""
         kept = [torch.zeros_like(p, requires_grad=False) for p in parameters]
         total, count = 0.0, 0
         for piece in pieces:
             for p in parameters:
                 p.grad = None
             losses = losses_of(piece)
             losses.backward(torch.ones_like(losses))
             for k, p in zip(kept, parameters):
                 if p.grad is not None:
                     k.add_(p.grad)
             total += float(losses.detach().double().sum())
             count += losses.numel()
         norm = math.sqrt(sum(float((k.double() / count).pow(2).sum()) for k in kept))
         factor = (max_norm / norm if norm > max_norm else 1.0) / count
         for k, p in zip(kept, parameters):
             p.grad = k.mul(factor)
         return total / count, norm
         """,
    ),
    # ---------------------------------------------------------------- Task 7
    fill(
        "all in one vector",
        "metric",
        "cat of the real ones",
        r"""
         real = [values[mask].to(torch.float64) for values, mask in batches]
         real = torch.cat(real) if real else torch.zeros(0, dtype=torch.float64)
         if real.numel() == 0:
             raise ValueError("there is nothing to average")
         return float(real.mean())
         """,
    ),
    fill(
        "where and a dot product",
        "metric",
        "where before the sum, counts by count_nonzero",
        r"""
         sums = [torch.where(mask, values.double(), 0.0).sum().item() for values, mask in batches]
         counts = [mask.count_nonzero().item() for _, mask in batches]
         if not any(counts):
             raise ValueError("nothing")
         return sum(sums) / sum(counts)
         """,
    ),
    fill(
        "numbers of Python",
        "metric",
        "masked_select, tolist, a running sum",
        r"""
         def numbers():
             for values, mask in batches:
                 yield from torch.masked_select(values, mask).double().tolist()

         total, n = 0.0, 0
         for number in numbers():
             total, n = total + number, n + 1
         try:
             return total / n
         except ZeroDivisionError:
             raise ValueError("nothing real in all batches") from None
         """,
    ),
    # ---------------------------------------------------------------- Task 8
    fill(
        "autograd.grad and copy_",
        "loop",
        "gradients without .grad, the best parameters put back by copy_",
        r"""
         was = model.training
         parameters = [p for p in model.parameters() if p.requires_grad]
         found, kept = [], None
         for k in range(n_steps):
             model.train()
             loss = losses_of(model, batches[k % len(batches)]).mean()
             gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
             with torch.no_grad():
                 for p, g in zip(parameters, gradients):
                     if g is not None:
                         p.sub_(g, alpha=learning_rate)
             if (k + 1) % validate_every:
                 continue
             model.eval()
             with torch.no_grad():
                 value = validate(model)
             if all(value < before for _, before in found):
                 kept = [t.detach().clone() for t in (*model.parameters(), *model.buffers())]
             found.append((k + 1, value))
         if kept is not None:
             with torch.no_grad():
                 for t, old in zip((*model.parameters(), *model.buffers()), kept):
                     t.copy_(old)
         model.train(was)
         return found
         """,
    ),
    fill(
        "deepcopies and min",
        "loop",
        "a deepcopy of each state, min by loss at the end, cycle of batches",
        r"""
         from copy import deepcopy
         from itertools import cycle, islice

         mode, history, states = model.training, [], []
         for step, batch in enumerate(islice(cycle(batches), n_steps), start=1):
             model.train(True)
             for p in model.parameters():
                 p.grad = None
             torch.mean(losses_of(model, batch)).backward()
             for p in model.parameters():
                 if p.grad is not None:
                     p.data.add_(p.grad, alpha=-learning_rate)
             if step % validate_every == 0:
                 model.train(False)
                 with torch.no_grad():
                     history.append((step, validate(model)))
                 states.append(deepcopy(model.state_dict()))
         if states:
             best = min(range(len(history)), key=lambda j: history[j][1])
             model.load_state_dict(states[best])
         model.train(mode)
         return history
         """,
    ),
    fill(
        "blocks between validations",
        "loop",
        "helpers for a step and a look, blocks of validate_every steps",
        r"""
         mode, history = model.training, []
         best = {"loss": None, "state": None}

         def step(k):
             model.train()
             model.zero_grad(set_to_none=True)
             losses = losses_of(model, batches[(k - 1) % len(batches)])
             (losses.sum() / losses.numel()).backward()
             with torch.no_grad():
                 for p in filter(lambda p: p.grad is not None, model.parameters()):
                     p.copy_(p - learning_rate * p.grad)

         @torch.no_grad()
         def look(k):
             model.eval()
             loss = validate(model)
             history.append((k, loss))
             if best["loss"] is None or loss < best["loss"]:
                 best.update(loss=loss, state={n: t.clone() for n, t in model.state_dict().items()})

         for first in range(1, n_steps + 1, validate_every):
             block = range(first, min(first + validate_every, n_steps + 1))
             for k in block:
                 step(k)
             if len(block) == validate_every:
                 look(block[-1])
         if best["state"] is not None:
             model.load_state_dict(best["state"])
         model.train(mode)
         return history
         """,
    ),
]
