from textwrap import dedent

from faults import fill, write

WRONG = []
RIGHT = []

# ---------------------------------------------------------------- count_pairs
WRONG += [
    fill(
        "pairs remembered by words without numbers",
        "count_pairs",
        "'a call knows nothing of an earlier one': the same words with other numbers get the old counts",
        """
key = frozenset(words)
memory = count_pairs.__dict__.setdefault("memory", {})
if key not in memory:
    counts = Counter()
    for word, n in words.items():
        for pair in pairwise(word):
            counts[pair] += n
    memory[key] = counts
return dict(memory[key])
""",
    ),
    fill(
        "pairs cache hands out its own counter",
        "count_pairs",
        "'a call knows nothing of an earlier one': who changes the result of one call gets it changed from the next with equal words",
        """
key = frozenset(words.items())
memory = count_pairs.__dict__.setdefault("memory", {})
if key not in memory:
    counts = Counter()
    for word, n in words.items():
        for pair in zip(word, word[1:]):
            counts[pair] += n
    memory[key] = counts
return memory[key]
""",
    ),
    write(
        "pairs one shared counter, cleared",
        "count_pairs",
        "'a call knows nothing of an earlier one': a later call changes the dictionary that an earlier one returned",
        """
_counts = Counter()


def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    _counts.clear()
    for word, n in words.items():
        for pair in pairwise(word):
            _counts[pair] += n
    return _counts
""",
    ),
    fill(
        "pairs zero taken for nothing",
        "count_pairs",
        "'0 is an id like any other'",
        """
counts = {}
for word, n in words.items():
    left = None
    for right in word:
        if left:
            counts[left, right] = counts.get((left, right), 0) + n
        left = right
return counts
""",
    ),
    fill(
        "pairs of bytes only",
        "count_pairs",
        "'ids above 255 are what merges have made': bytes() raises an error for them",
        """
counts = Counter()
for word, n in words.items():
    data = bytes(word)
    for pair in zip(data, data[1:]):
        counts[pair] += n
return counts
""",
    ),
    fill(
        "pairs found as digits",
        "count_pairs",
        "'how often it occurs': 1 2 is found inside 11 2 and 1 23, too",
        r"""
counts = Counter()
for word, n in words.items():
    text = ",".join(map(str, word))
    for a, b in set(pairwise(word)):
        counts[a, b] += n * len(re.findall(f"(?={a},{b})", text))
return counts
""",
    ),
    fill(
        "pairs of unlike ids once per word",
        "count_pairs",
        "'A pair that stands in a word several times counts several times': only runs are counted so",
        """
counts = Counter()
for word, n in words.items():
    seen = set()
    for a, b in pairwise(word):
        if a == b or (a, b) not in seen:
            counts[a, b] += n
        seen.add((a, b))
return counts
""",
    ),
    fill(
        "pairs empties the words",
        "count_pairs",
        "'words stays as it was'",
        """
counts = Counter()
while words:
    word, n = words.popitem()
    for pair in pairwise(word):
        counts[pair] += n
return counts
""",
    ),
    fill(
        "pairs joined with their mirror",
        "count_pairs",
        "'A pair is ordered: (1, 2) is not (2, 1)'",
        """
counts = {}
for word, n in words.items():
    for a, b in pairwise(word):
        key = (b, a) if (b, a) in counts else (a, b)
        counts[key] = counts.get(key, 0) + n
return counts
""",
    ),
    fill(
        "pairs needs a first id",
        "count_pairs",
        "'Words of one id, and empty ones, have none': an empty word raises an IndexError",
        """
counts = Counter()
for word, n in words.items():
    left = word[0]
    for right in word[1:]:
        counts[left, right] += n
        left = right
return counts
""",
    ),
    fill(
        "pairs packed by thousands",
        "count_pairs",
        "'ids above 255 are what merges have made': ids from 1000 on are mixed up",
        """
packed = Counter()
for word, n in words.items():
    for a, b in pairwise(word):
        packed[1000 * a + b] += n
return {divmod(key, 1000): n for key, n in packed.items()}
""",
    ),
    fill(
        "pairs of a run overlap only once",
        "count_pairs",
        "'Overlapping pairs count, too': four equal ids in a row have three pairs, this one finds two",
        """
counts = Counter()
for word, n in words.items():
    run = 0
    for a, b in pairwise(word):
        run = run + 1 if a == b else 0
        if run % 3:
            counts[a, b] += n
        elif run == 0:
            counts[a, b] += n
return counts
""",
    ),
]
RIGHT += [
    fill(
        "pairs as tensor rows",
        "count_pairs",
        "torch.unique over the pairs of all words, the numbers added with index_add",
        """
pairs, weights = [], []
for word, n in words.items():
    for pair in zip(word[:-1], word[1:], strict=True):
        pairs.append(pair)
        weights.append(n)
if not pairs:
    return {}
kinds, where = torch.unique(torch.tensor(pairs), dim=0, return_inverse=True)
sums = torch.zeros(len(kinds), dtype=torch.int64)
sums.index_add_(0, where, torch.tensor(weights, dtype=torch.int64))
return {(a, b): n for (a, b), n in zip(kinds.tolist(), sums.tolist())}
""",
    ),
    fill(
        "pairs added counter by counter",
        "count_pairs",
        "a Counter per word, multiplied and updated into a plain dictionary",
        """
total = {}
for word in words:
    inside = Counter((word[i - 1], word[i]) for i in range(len(word) - 1, 0, -1))
    for pair in inside:
        total[pair] = total.setdefault(pair, 0) + inside[pair] * words[word]
return total
""",
    ),
    fill(
        "pairs with a defaultdict",
        "count_pairs",
        "a defaultdict, a subclass of dict like Counter, filled through an iterator",
        """
from collections import defaultdict

counts = defaultdict(int)
for word, n in words.items():
    steps = iter(word)
    left = next(steps, None)
    for right in steps:
        counts[left, right] += n
        left = right
return counts
""",
    ),
]

# ---------------------------------------------------------------- merge
WRONG += [
    fill(
        "merge text replaced without borders",
        "merge",
        "'each occurrence of pair in ids': 1 2 is also replaced inside 11 2 and 1 23",
        """
text = " ".join(map(str, ids)).replace(f"{pair[0]} {pair[1]}", str(new_id))
return [int(part) for part in text.split()]
""",
    ),
    fill(
        "merge gives back the same list",
        "merge",
        "'Return a **new** list, also where nothing is merged'",
        """
if pair not in pairwise(ids):
    return ids
merged, i = [], 0
while i < len(ids):
    if tuple(ids[i : i + 2]) == pair:
        merged.append(new_id)
        i += 2
    else:
        merged.append(ids[i])
        i += 1
return merged
""",
    ),
    fill(
        "merge in place, copied at the end",
        "merge",
        "'ids ... stays as it was'",
        """
i = 0
while i < len(ids) - 1:
    if (ids[i], ids[i + 1]) == pair:
        ids[i : i + 2] = [new_id]
    i += 1
return list(ids)
""",
    ),
    fill(
        "merge looks back at what it made",
        "merge",
        "'Only what stands in ids is merged, not what a merge has just made': seen if new_id is one of the pair",
        """
merged = []
for index in ids:
    if merged and (merged[-1], index) == pair:
        merged[-1] = new_id
    else:
        merged.append(index)
return merged
""",
    ),
    fill(
        "merge by recursion",
        "merge",
        "'ids may be thousands long': RecursionError",
        """
if len(ids) < 2:
    return list(ids)
if (ids[0], ids[1]) == pair:
    return [new_id] + merge(ids[2:], pair, new_id)
return [ids[0]] + merge(ids[1:], pair, new_id)
""",
    ),
    fill(
        "merge compares with is",
        "merge",
        "'Ids ... may be larger than 255': equal large numbers are often two objects",
        """
merged, i = [], 0
while i < len(ids):
    if i + 1 < len(ids) and ids[i] is pair[0] and ids[i + 1] is pair[1]:
        merged.append(new_id)
        i += 2
    else:
        merged.append(ids[i])
        i += 1
return merged
""",
    ),
    fill(
        "merge puts a zero behind the end",
        "merge",
        "'Ids may be 0': with a pair (x, 0) an x at the end is merged with nothing",
        """
padded = [*ids, 0]
merged, i = [], 0
while i < len(ids):
    if (padded[i], padded[i + 1]) == pair:
        merged.append(new_id)
        i += 2
    else:
        merged.append(padded[i])
        i += 1
return merged
""",
    ),
    fill(
        "merge strikes out with zeros",
        "merge",
        "'Ids may be 0': real zeros are thrown away, too",
        """
work = list(ids)
for i in range(len(work) - 1):
    if work[i] == pair[0] and work[i + 1] == pair[1]:
        work[i], work[i + 1] = 0, new_id
return [index for index in work if index]
""",
    ),
    fill(
        "merge cache hands out its own list",
        "merge",
        "'A call knows nothing of an earlier one', 'a new list': the second equal call gets the list of the first",
        """
memory = merge.__dict__.setdefault("memory", {})
key = (tuple(ids), pair, new_id)
if key not in memory:
    merged, i = [], 0
    while i < len(ids):
        hit = tuple(ids[i : i + 2]) == pair
        merged.append(new_id if hit else ids[i])
        i += 1 + hit
    memory[key] = merged
return memory[key]
""",
    ),
    fill(
        "merge remembers without the new id",
        "merge",
        "'A call knows nothing of an earlier one': the same ids and pair with another new_id get the old one",
        """
memory = merge.__dict__.setdefault("memory", {})
key = (tuple(ids), pair)
if key not in memory:
    merged, i = [], 0
    while i < len(ids):
        hit = tuple(ids[i : i + 2]) == pair
        merged.append(new_id if hit else ids[i])
        i += 1 + hit
    memory[key] = merged
return list(memory[key])
""",
    ),
    fill(
        "merge jumps over a false start",
        "merge",
        "'each occurrence of pair': in 1 1 2 the second 1 is jumped over",
        """
merged, i = [], 0
while i < len(ids):
    if ids[i] == pair[0] and i + 1 < len(ids):
        merged += [new_id] if ids[i + 1] == pair[1] else ids[i : i + 2]
        i += 2
    else:
        merged.append(ids[i])
        i += 1
return merged
""",
    ),
]
RIGHT += [
    fill(
        "merge with a pattern and borders",
        "merge",
        "the ids as text, and re.sub with word borders",
        r"""
text = " ".join(map(str, ids))
text = re.sub(rf"\b{pair[0]} {pair[1]}\b", str(new_id), text)
return list(map(int, text.split()))
""",
    ),
    fill(
        "merge by a flag in one for loop",
        "merge",
        "a for loop with a flag that says whether the id is already used",
        """
merged, used = [], False
for left, right in zip(ids, [*ids[1:], None]):
    if used:
        used = False
    elif (left, right) == (pair[0], pair[1]):
        merged.append(new_id)
        used = True
    else:
        merged.append(left)
return merged
""",
    ),
    fill(
        "merge by list.index",
        "merge",
        "jumps from one left side to the next with list.index and copies slices",
        """
first, second = pair
merged, start = [], 0
place = 0
while True:
    try:
        place = ids.index(first, place)
    except ValueError:
        break
    if place + 1 < len(ids) and ids[place + 1] == second:
        merged.extend(ids[start:place])
        merged.append(new_id)
        start = place = place + 2
    else:
        place += 1
merged.extend(ids[start:])
return merged
""",
    ),
]

# ---------------------------------------------------------------- learn
WRONG += [
    fill(
        "learn takes the first of equals",
        "learn",
        "'Of equally frequent pairs take the smallest', 'The order of the words in words must not matter'",
        """
current = {tuple(word): n for word, n in words.items()}
merges = []
for new_id in range(256, 256 + n_merges):
    counts = count_pairs(current)
    if not counts:
        break
    best = max(counts, key=counts.get)
    merges.append(best)
    current = {tuple(merge(list(w), best, new_id)): n for w, n in current.items()}
return merges
""",
    ),
    fill(
        "learn compares equals by their bytes",
        "learn",
        "'the smallest, as Python orders tuples: (97, 300) < (98, 97)': it compares the bytes behind the ids",
        """
current = {tuple(word): n for word, n in words.items()}
pieces = [bytes([i]) for i in range(256)]
merges = []
for new_id in range(256, 256 + n_merges):
    counts = count_pairs(current)
    if not counts:
        break
    best = min(counts, key=lambda p: (-counts[p], pieces[p[0]], pieces[p[1]], p))
    merges.append(best)
    pieces.append(pieces[best[0]] + pieces[best[1]])
    current = {tuple(merge(list(w), best, new_id)): n for w, n in current.items()}
return merges
""",
    ),
    fill(
        "learn orders equals by the right side",
        "learn",
        "'the smallest, as Python orders tuples': the left id comes first",
        """
current = {tuple(word): n for word, n in words.items()}
merges = []
for new_id in range(256, 256 + n_merges):
    counts = count_pairs(current)
    if not counts:
        break
    best = min(counts, key=lambda p: (-counts[p], p[1], p[0]))
    merges.append(best)
    current = {tuple(merge(list(w), best, new_id)): n for w, n in current.items()}
return merges
""",
    ),
    fill(
        "learn stops at single pairs",
        "learn",
        "'A pair that occurs once may still be merged': only the first merge may be of one",
        """
current = {tuple(word): n for word, n in words.items()}
merges = []
while len(merges) < n_merges:
    counts = count_pairs(current)
    if not counts:
        break
    best = min(counts, key=lambda pair: (-counts[pair], pair))
    if merges and counts[best] == 1:
        break
    current = {tuple(merge(list(w), best, 256 + len(merges))): n for w, n in current.items()}
    merges.append(best)
return merges
""",
    ),
    fill(
        "learn counts a pair once per word",
        "learn",
        "'count all pairs': a pair that stands in a word twice counts twice",
        """
current = {tuple(word): n for word, n in words.items()}
merges = []
for new_id in range(256, 256 + n_merges):
    counts = Counter()
    for word, n in current.items():
        for pair in set(pairwise(word)):
            counts[pair] += n
    if not counts:
        break
    best = min(counts, key=lambda pair: (-counts[pair], pair))
    merges.append(best)
    current = {tuple(merge(list(w), best, new_id)): n for w, n in current.items()}
return merges
""",
    ),
    fill(
        "learn counts no overlaps",
        "learn",
        "'count all pairs', as in task 1: str.count finds a a only once in a a a",
        """
current = {"".join(map(chr, word)): n for word, n in words.items()}
merges = []
for new_id in range(256, 256 + n_merges):
    pairs = {a + b for word in current for a, b in pairwise(word)}
    if not pairs:
        break
    counts = {p: sum(n * w.count(p) for w, n in current.items()) for p in pairs}
    best = min(counts, key=lambda p: (-counts[p], p))
    merges.append((ord(best[0]), ord(best[1])))
    current = {w.replace(best, chr(new_id)): n for w, n in current.items()}
return merges
""",
    ),
    fill(
        "learn throws the empty word away",
        "learn",
        "'words stays as it was': an empty word is taken out of the argument",
        """
words.pop(b"", None)
current = {tuple(word): n for word, n in words.items()}
merges = []
for new_id in range(256, 256 + n_merges):
    counts = count_pairs(current)
    if not counts:
        break
    best = min(counts, key=lambda pair: (-counts[pair], pair))
    merges.append(best)
    current = {tuple(merge(list(w), best, new_id)): n for w, n in current.items()}
return merges
""",
    ),
    fill(
        "learn asks for the number too late",
        "learn",
        "'the first n_merges merges': with n_merges = 0 it returns one",
        """
current = {tuple(word): n for word, n in words.items()}
merges = []
while counts := count_pairs(current):
    best = min(counts, key=lambda pair: (-counts[pair], pair))
    current = {tuple(merge(list(w), best, 256 + len(merges))): n for w, n in current.items()}
    merges.append(best)
    if len(merges) >= n_merges:
        break
return merges
""",
    ),
    fill(
        "learn remembers words without numbers",
        "learn",
        "'a call knows nothing of an earlier one': the same words with other numbers get the old merges",
        """
memory = learn.__dict__.setdefault("memory", {})
key = (frozenset(words), n_merges)
if key not in memory:
    current = {tuple(word): n for word, n in words.items()}
    merges = []
    for new_id in range(256, 256 + n_merges):
        counts = count_pairs(current)
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        current = {tuple(merge(list(w), best, new_id)): n for w, n in current.items()}
    memory[key] = merges
return memory[key][:]
""",
    ),
    fill(
        "learn cache hands out its own list",
        "learn",
        "'a call knows nothing of an earlier one': a result that was changed comes back changed",
        """
memory = learn.__dict__.setdefault("memory", {})
key = (frozenset(words.items()), n_merges)
if key not in memory:
    current = {tuple(word): n for word, n in words.items()}
    merges = []
    for new_id in range(256, 256 + n_merges):
        counts = count_pairs(current)
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        current = {tuple(merge(list(w), best, new_id)): n for w, n in current.items()}
    memory[key] = merges
return memory[key]
""",
    ),
    fill(
        "learn counts in float32",
        "learn",
        "'take the most frequent one': above 2**24 neighboring counts become equal",
        """
current = {tuple(word): n for word, n in words.items()}
merges = []
for new_id in range(256, 256 + n_merges):
    counts = count_pairs(current)
    if not counts:
        break
    pairs = sorted(counts)
    numbers = torch.tensor([float(counts[p]) for p in pairs])
    best = pairs[(numbers == numbers.max()).nonzero()[0].item()]
    merges.append(best)
    current = {tuple(merge(list(w), best, new_id)): n for w, n in current.items()}
return merges
""",
    ),
    fill(
        "learn packs a pair into one number of 512s",
        "learn",
        "'into the next new id': from the 257th merge on ids reach 512, and pairs are mixed up",
        """
current = [(list(word), n) for word, n in words.items()]
merges = []
for new_id in range(256, 256 + n_merges):
    counts = Counter()
    for word, n in current:
        for a, b in pairwise(word):
            counts[512 * a + b] += n
    if not counts:
        break
    best = divmod(min(counts, key=lambda code: (-counts[code], code)), 512)
    merges.append(best)
    current = [(merge(word, best, new_id), n) for word, n in current]
return merges
""",
    ),
]
RIGHT += [
    fill(
        "learn with words as strings",
        "learn",
        "each id is a character, str.replace merges, zip counts; characters order like their numbers",
        """
current = [("".join(map(chr, word)), n) for word, n in words.items()]
merges = []
for k in range(n_merges):
    counts = {}
    for word, n in current:
        for pair in map("".join, zip(word, word[1:])):
            counts[pair] = counts.get(pair, 0) + n
    if not counts:
        return merges
    most = max(counts.values())
    best = min(pair for pair, n in counts.items() if n == most)
    merges.append(tuple(map(ord, best)))
    current = [(word.replace(best, chr(256 + k)), n) for word, n in current]
return merges
""",
    ),
    fill(
        "learn keeps counts and corrects them",
        "learn",
        "counts are made once, and corrected for the words that hold the pair",
        """
current = [(tuple(word), n) for word, n in words.items()]
counts = Counter()
for word, n in current:
    for pair in pairwise(word):
        counts[pair] += n
merges = []
while len(merges) < n_merges:
    counts = +counts
    if not counts:
        break
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[0][0]
    for place, (word, n) in enumerate(current):
        if best in pairwise(word):
            new = tuple(merge(list(word), best, 256 + len(merges)))
            for pair in pairwise(word):
                counts[pair] -= n
            for pair in pairwise(new):
                counts[pair] += n
            current[place] = (new, n)
    merges.append(best)
return merges
""",
    ),
    fill(
        "learn by recursion over one long list",
        "learn",
        "all words in one list with None between them, an inner generator of merges",
        """
from itertools import islice

ids, weights = [], []
for word, n in words.items():
    ids += [*word, None]
    weights += [n] * (len(word) + 1)


def history():
    new_id = 256
    line, weight = ids, weights
    while True:
        counts = {}
        for a, b, n in zip(line, line[1:], weight):
            if a is not None and b is not None:
                counts[a, b] = counts.get((a, b), 0) + n
        if not counts:
            return
        n, a, b = min((-n, *pair) for pair, n in counts.items())
        yield a, b
        line_2, weight_2, i = [], [], 0
        while i < len(line):
            hit = line[i] == a and line[i + 1] == b
            line_2.append(new_id if hit else line[i])
            weight_2.append(weight[i])
            i += 2 if hit else 1
        line, weight = line_2, weight_2
        new_id += 1


return list(islice(history(), n_merges))
""",
    ),
]

# ---------------------------------------------------------------- encode_word
WRONG += [
    fill(
        "word from left to right",
        "encode_word",
        "'Neither from left to right': it takes the leftmost pair that has a merge",
        """
ranks = {pair: 256 + k for k, pair in enumerate(merges)}
ids = list(word)
while True:
    pair = next((p for p in pairwise(ids) if p in ranks), None)
    if pair is None:
        return ids
    ids = merge(ids, pair, ranks[pair])
""",
    ),
    fill(
        "word by longest piece",
        "encode_word",
        "'Neither ... nor by the longest piece'",
        """
pieces = [bytes([i]) for i in range(256)]
for a, b in merges:
    pieces.append(pieces[a] + pieces[b])
numbers = {piece: i for i, piece in enumerate(pieces)}
ids, start = [], 0
while start < len(word):
    end = len(word)
    while word[start:end] not in numbers:
        end -= 1
    ids.append(numbers[word[start:end]])
    start = end
return ids
""",
    ),
    fill(
        "word by the smallest pair",
        "encode_word",
        "'the merge that was learned first among all neighbors': it takes the smallest pair",
        """
ranks = {pair: 256 + k for k, pair in enumerate(merges)}
ids = list(word)
while known := [p for p in pairwise(ids) if p in ranks]:
    pair = min(known)
    ids = merge(ids, pair, ranks[pair])
return ids
""",
    ),
    fill(
        "word by the newest merge",
        "encode_word",
        "'learned **first**': it takes the one learned last",
        """
ranks = {pair: 256 + k for k, pair in enumerate(merges)}
ids = list(word)
while known := [p for p in pairwise(ids) if p in ranks]:
    pair = max(known, key=ranks.get)
    ids = merge(ids, pair, ranks[pair])
return ids
""",
    ),
    fill(
        "word remembered alone",
        "encode_word",
        "'another call may come with other merges': the memory knows words only",
        """
memory = encode_word.__dict__.setdefault("memory", {})
if word not in memory:
    ranks = {pair: 256 + k for k, pair in enumerate(merges)}
    ids = list(word)
    while known := [p for p in pairwise(ids) if p in ranks]:
        pair = min(known, key=ranks.get)
        ids = merge(ids, pair, ranks[pair])
    memory[word] = ids
return list(memory[word])
""",
    ),
    fill(
        "word ranks remembered by number",
        "encode_word",
        "'another call may come with other merges': as many other merges get the ranks of the first",
        """
memory = encode_word.__dict__.setdefault("memory", {})
key = (len(merges), merges[0] if merges else None)
if key not in memory:
    memory[key] = {pair: 256 + k for k, pair in enumerate(merges)}
ranks = memory[key]
ids = list(word)
while known := [p for p in pairwise(ids) if p in ranks]:
    pair = min(known, key=ranks.get)
    ids = merge(ids, pair, ranks[pair])
return ids
""",
    ),
    fill(
        "word cache hands out its own list",
        "encode_word",
        "'Return the ids of one word': if a result was changed, the next equal call returns the changed list",
        """
memory = encode_word.__dict__.setdefault("memory", {})
key = (word, tuple(merges))
if key not in memory:
    ids = list(word)
    for k, pair in enumerate(merges):
        ids = merge(ids, pair, 256 + k)
    memory[key] = ids
return memory[key]
""",
    ),
    fill(
        "word eats up the merges",
        "encode_word",
        "'merges stays as it was'",
        """
ids, new_id = list(word), 256
while merges:
    ids = merge(ids, merges.pop(0), new_id)
    new_id += 1
return ids
""",
    ),
    fill(
        "word that is a token as a whole",
        "encode_word",
        "'with the merges b c, a b, ab c the word abc is a · bc': it looks first whether the word is a piece",
        """
pieces = [bytes([i]) for i in range(256)]
for a, b in merges:
    pieces.append(pieces[a] + pieces[b])
if word in pieces:
    return [pieces.index(word)]
ranks = {pair: 256 + k for k, pair in enumerate(merges)}
ids = list(word)
while known := [p for p in pairwise(ids) if p in ranks]:
    pair = min(known, key=ranks.get)
    ids = merge(ids, pair, ranks[pair])
return ids
""",
    ),
    fill(
        "word by the bytes of pieces",
        "encode_word",
        "'some pair of neighbors has a merge': it merges a · bc, since ab · c makes the same bytes",
        """
pieces = [bytes([i]) for i in range(256)]
for a, b in merges:
    pieces.append(pieces[a] + pieces[b])
ranks = {}
for rank, piece in enumerate(pieces):
    ranks.setdefault(piece, rank)
parts = [word[i : i + 1] for i in range(len(word))]
while len(parts) > 1:
    both = [ranks.get(a + b, len(pieces)) for a, b in pairwise(parts)]
    place = both.index(min(both))
    if both[place] == len(pieces):
        break
    parts[place : place + 2] = [parts[place] + parts[place + 1]]
return [ranks[part] for part in parts]
""",
    ),
    fill(
        "word in eight rounds",
        "encode_word",
        "'As long as some pair of neighbors has a merge': it ends after eight merges",
        """
ranks = {pair: 256 + k for k, pair in enumerate(merges)}
ids = list(word)
for _ in range(8):
    known = [p for p in pairwise(ids) if p in ranks]
    if not known:
        break
    pair = min(known, key=ranks.get)
    ids = merge(ids, pair, ranks[pair])
return ids
""",
    ),
    fill(
        "word begins with characters",
        "encode_word",
        "'Begin with its bytes': it begins with the numbers of characters, which are others beyond ASCII",
        """
ids = [ord(character) for character in word.decode("utf-8")]
for k, pair in enumerate(merges):
    ids = merge(ids, pair, 256 + k)
return ids
""",
    ),
]
RIGHT += [
    fill(
        "word through all merges in order",
        "encode_word",
        "one pass over the merges in their order, which gives the same",
        """
ids = list(word)
for k in range(len(merges)):
    if len(ids) == 1:
        break
    ids = merge(ids, merges[k], 256 + k)
return ids
""",
    ),
    fill(
        "word one place at a time",
        "encode_word",
        "merges a single place, the leftmost of the best, and looks again",
        """
ranks = dict(zip(merges, range(256, 256 + len(merges))))
ids = [*word]
never = 256 + len(merges)
while len(ids) > 1:
    new_id, place = min(
        (ranks.get((ids[i], ids[i + 1]), never), i) for i in range(len(ids) - 1)
    )
    if new_id == never:
        break
    ids[place : place + 2] = [new_id]
return ids
""",
    ),
    fill(
        "word as a string of characters",
        "encode_word",
        "each id is a character, str.replace in the order of learning",
        """
text = word.decode("latin-1")
for new_id, (a, b) in enumerate(merges, start=256):
    text = text.replace(chr(a) + chr(b), chr(new_id))
return [ord(sign) for sign in text]
""",
    ),
]

# ---------------------------------------------------------------- decode
WRONG += [
    fill(
        "decode ignores bad bytes",
        "decode",
        "'Bytes that are no UTF-8 show as �': they vanish",
        """
table = [bytes([i]) for i in range(256)]
for a, b in merges:
    table.append(table[a] + table[b])
n_text = len(table)
table += [name.encode() for name in special_tokens]
data = b""
for index in ids:
    if not 0 <= index < len(table):
        raise ValueError(f"there is no id {index}")
    if index < n_text or not skip_special_tokens:
        data += table[index]
return data.decode(errors="ignore")
""",
    ),
    fill(
        "decode skips all that is no text",
        "decode",
        "'An id that there is not ... is refused ..., whatever is skipped'",
        """
table = [bytes([i]) for i in range(256)]
for a, b in merges:
    table.append(table[a] + table[b])
n_text = len(table)
table += [name.encode() for name in special_tokens]
if skip_special_tokens:
    ids = [index for index in ids if index < n_text]
for index in ids:
    if not 0 <= index < len(table):
        raise ValueError(f"there is no id {index}")
return b"".join(table[index] for index in ids).decode(errors="replace")
""",
    ),
    fill(
        "decode counts from the end",
        "decode",
        "'a negative one too': -1 shows the last entry",
        """
table = [bytes([i]) for i in range(256)]
for a, b in merges:
    table.append(table[a] + table[b])
n_text = len(table)
table += [name.encode() for name in special_tokens]
data = b""
for index in ids:
    try:
        piece = table[index]
    except IndexError:
        raise ValueError(f"there is no id {index}") from None
    if index < n_text or not skip_special_tokens:
        data += piece
return data.decode(errors="replace")
""",
    ),
    fill(
        "decode asserts that ids are not negative",
        "decode",
        "'a negative one too, is refused with a ValueError': an AssertionError",
        """
assert all(index >= 0 for index in ids), f"a negative id in {ids}"
table = {i: bytes([i]) for i in range(256)}
for a, b in merges:
    table[len(table)] = table[a] + table[b]
names = {len(table) + j: name.encode() for j, name in enumerate(special_tokens)}
data = bytearray()
for index in ids:
    if index in table:
        data += table[index]
    elif index not in names:
        raise ValueError(f"there is no id {index}")
    elif not skip_special_tokens:
        data += names[index]
return data.decode(errors="replace")
""",
    ),
    fill(
        "decode knows ASCII names",
        "decode",
        "'A name may be in any script': UnicodeEncodeError for others",
        """
table = [bytes([i]) for i in range(256)]
for a, b in merges:
    table.append(table[a] + table[b])
n_text = len(table)
table += [name.encode("ascii") for name in special_tokens]
data = b""
for index in ids:
    if not 0 <= index < len(table):
        raise ValueError(f"there is no id {index}")
    if index < n_text or not skip_special_tokens:
        data += table[index]
return data.decode(errors="replace")
""",
    ),
    fill(
        "decode cuts at skipped names",
        "decode",
        "'Put the bytes of **all** ids side by side', 'a special token that is skipped has no bytes': a character around a skipped one is cut",
        """
table = [bytes([i]) for i in range(256)]
for a, b in merges:
    table.append(table[a] + table[b])
text, data = "", b""
for index in ids:
    if not 0 <= index < len(table) + len(special_tokens):
        raise ValueError(f"there is no id {index}")
    if index < len(table):
        data += table[index]
        continue
    text += data.decode(errors="replace")
    data = b""
    if not skip_special_tokens:
        text += special_tokens[index - len(table)]
return text + data.decode(errors="replace")
""",
    ),
    fill(
        "decode takes names out of the text",
        "decode",
        "'A special token shows ... nothing': a name that the text itself has is taken out, too",
        """
table = [bytes([i]) for i in range(256)]
for a, b in merges:
    table.append(table[a] + table[b])
table += [name.encode() for name in special_tokens]
data = b""
for index in ids:
    if not 0 <= index < len(table):
        raise ValueError(f"there is no id {index}")
    data += table[index]
text = data.decode(errors="replace")
if skip_special_tokens:
    for name in special_tokens:
        text = text.replace(name, "")
return text
""",
    ),
    fill(
        "decode remembers its table by size",
        "decode",
        "'another call may come with other merges': as many others show the pieces of the first",
        """
tables = decode.__dict__.setdefault("tables", {})
if len(merges) not in tables:
    table = [bytes([i]) for i in range(256)]
    for a, b in merges:
        table.append(table[a] + table[b])
    tables[len(merges)] = table
table = tables[len(merges)] + [name.encode() for name in special_tokens]
data = b""
for index in ids:
    if not 0 <= index < len(table):
        raise ValueError(f"there is no id {index}")
    if index < 256 + len(merges) or not skip_special_tokens:
        data += table[index]
return data.decode(errors="replace")
""",
    ),
    fill(
        "decode eats up the ids",
        "decode",
        "'ids and merges stay as they were'",
        """
table = [bytes([i]) for i in range(256)]
for a, b in merges:
    table.append(table[a] + table[b])
table += [name.encode() for name in special_tokens]
data = b""
while ids:
    index = ids.pop()
    if index < 0 or index >= len(table):
        raise ValueError(f"there is no id {index}")
    if not skip_special_tokens or index < 256 + len(merges):
        data = table[index] + data
return data.decode(errors="replace")
""",
    ),
    fill(
        "decode sorts the names",
        "decode",
        "'the names in special_tokens, in their order'",
        """
table = [bytes([i]) for i in range(256)]
for a, b in merges:
    table.append(table[a] + table[b])
n_text = len(table)
table += [name.encode() for name in sorted(special_tokens)]
data = b""
for index in ids:
    if not 0 <= index < len(table):
        raise ValueError(f"there is no id {index}")
    if index < n_text or not skip_special_tokens:
        data += table[index]
return data.decode(errors="replace")
""",
    ),
    fill(
        "decode drops a mark at the beginning",
        "decode",
        "'decode them as UTF-8': utf-8-sig swallows the bytes 239 187 191 at the beginning",
        """
table = [bytes([i]) for i in range(256)]
for a, b in merges:
    table.append(table[a] + table[b])
n_text = len(table)
table += [name.encode() for name in special_tokens]
data = b""
for index in ids:
    if not 0 <= index < len(table):
        raise ValueError(f"there is no id {index}")
    if index < n_text or not skip_special_tokens:
        data += table[index]
return data.decode("utf-8-sig", errors="replace")
""",
    ),
    fill(
        "decode reads like a text file",
        "decode",
        "'Return the text of the ids': a text file turns 13 10, and 13, into 10",
        """
import io

table = [bytes([i]) for i in range(256)]
for a, b in merges:
    table.append(table[a] + table[b])
n_text = len(table)
table += [name.encode() for name in special_tokens]
stream = io.BytesIO()
for index in ids:
    if not 0 <= index < len(table):
        raise ValueError(f"there is no id {index}")
    if index < n_text or not skip_special_tokens:
        stream.write(table[index])
stream.seek(0)
return io.TextIOWrapper(stream, encoding="utf-8", errors="replace").read()
""",
    ),
]
RIGHT += [
    fill(
        "decode opens merges with a stack",
        "decode",
        "no table: each id is taken apart with a stack",
        """
n_text = 256 + len(merges)
data = bytearray()
for index in ids:
    if index < 0 or index >= n_text + len(special_tokens):
        raise ValueError(f"id {index} is not in the vocabulary")
    if index >= n_text:
        data += b"" if skip_special_tokens else special_tokens[index - n_text].encode("utf-8")
        continue
    stack = [index]
    while stack:
        top = stack.pop()
        if top < 256:
            data.append(top)
        else:
            stack.extend(reversed(merges[top - 256]))
return str(data, "utf-8", "replace")
""",
    ),
    fill(
        "decode step by step",
        "decode",
        "an incremental decoder, to which each id's bytes are given",
        """
import codecs

names = {256 + len(merges) + j: name for j, name in enumerate(special_tokens)}
table = {i: i.to_bytes(1, "big") for i in range(256)}
for k, (a, b) in enumerate(merges):
    table[256 + k] = table[a] + table[b]
table.update((i, b"" if skip_special_tokens else n.encode()) for i, n in names.items())
decoder = codecs.getincrementaldecoder("utf-8")("replace")
text = []
for index in ids:
    try:
        text.append(decoder.decode(table[index]))
    except KeyError:
        raise ValueError(f"unknown: {index}") from None
return "".join(text) + decoder.decode(b"", True)
""",
    ),
    fill(
        "decode checks first, then joins",
        "decode",
        "checks all ids first (the message is the id alone), tuples of numbers, itertools.chain",
        """
from itertools import chain

size = 256 + len(merges)
for index in ids:
    if index not in range(size + len(special_tokens)):
        raise ValueError(index)
table = [(i,) for i in range(256)]
for a, b in merges:
    table += [table[a] + table[b]]
table += [tuple(() if skip_special_tokens else name.encode()) for name in special_tokens]
return bytes(chain.from_iterable(map(table.__getitem__, ids))).decode("utf8", "replace")
""",
    ),
]

# ---------------------------------------------------------------- encode
WRONG += [
    fill(
        "text longest name first, wherever",
        "encode",
        "'where names overlap otherwise, the one that begins first': the longest is cut out first",
        """
pieces = [text]
for name in sorted(allowed_special, key=len, reverse=True):
    new = []
    for piece in pieces:
        if isinstance(piece, int):
            new.append(piece)
            continue
        for k, part in enumerate(piece.split(name)):
            if k:
                new.append(256 + len(merges) + special_tokens.index(name))
            new.append(part)
    pieces = new
ids = []
for piece in pieces:
    if isinstance(piece, int):
        ids.append(piece)
    else:
        for word in split_words(piece):
            ids.extend(encode_word(word.encode(), merges))
return ids
""",
    ),
    fill(
        "text numbers the allowed names",
        "encode",
        "'The id of special_tokens[j] is 256 + len(merges) + j': j counts in allowed_special",
        """
numbers = {name: 256 + len(merges) + j for j, name in enumerate(allowed_special)}
if not numbers:
    return [i for word in split_words(text) for i in encode_word(word.encode(), merges)]
pattern = "|".join(re.escape(name) for name in sorted(numbers, key=len, reverse=True))
ids = []
for piece in re.split(f"({pattern})", text):
    if piece in numbers:
        ids.append(numbers[piece])
    else:
        ids += [i for word in split_words(piece) for i in encode_word(word.encode(), merges)]
return ids
""",
    ),
    fill(
        "text without blank pieces",
        "encode",
        "'with every space: nothing is stripped': pieces of spaces alone are left out",
        """
numbers = {name: 256 + len(merges) + special_tokens.index(name) for name in allowed_special}
pieces = [text]
if numbers:
    names = sorted(numbers, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
ids = []
for piece in pieces:
    if piece in numbers:
        ids.append(numbers[piece])
    elif piece.strip():
        for word in split_words(piece):
            ids += encode_word(word.encode(), merges)
return ids
""",
    ),
    fill(
        "text with a stand-in for names",
        "encode",
        "'first cut at the names, then each piece with split_words': words are split with a stand-in between them",
        """
numbers = {name: 256 + len(merges) + special_tokens.index(name) for name in allowed_special}
found = []
if numbers:
    names = sorted(numbers, key=len, reverse=True)
    pattern = "|".join(map(re.escape, names))
    found = [numbers[name] for name in re.findall(pattern, text)]
    text = re.sub(pattern, "\\ue000", text)
found = iter(found)
ids = []
for word in split_words(text):
    for k, part in enumerate(word.split("\\ue000")):
        if k:
            ids.append(next(found))
        ids += encode_word(part.encode(), merges)
return ids
""",
    ),
    fill(
        "text merged across words",
        "encode",
        "'split_words(text) cuts it, encode_word encodes each word': pieces are encoded as one word",
        """
numbers = {name: 256 + len(merges) + special_tokens.index(name) for name in allowed_special}
pieces = [text]
if numbers:
    names = sorted(numbers, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
ids = []
for piece in pieces:
    if piece in numbers:
        ids.append(numbers[piece])
    else:
        ids += encode_word(piece.encode(), merges)
return ids
""",
    ),
    fill(
        "text is normalized",
        "encode",
        "'nothing is stripped, normalized or made small': e and an accent become one character",
        """
import unicodedata

numbers = {name: 256 + len(merges) + special_tokens.index(name) for name in allowed_special}
pieces = [text]
if numbers:
    names = sorted(numbers, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
ids = []
for piece in pieces:
    if piece in numbers:
        ids.append(numbers[piece])
    else:
        for word in split_words(unicodedata.normalize("NFC", piece)):
            ids += encode_word(word.encode(), merges)
return ids
""",
    ),
    fill(
        "text with names in any case",
        "encode",
        "'nothing is ... made small, in a name neither': <|END|> becomes the id of <|end|>",
        """
numbers = {name.lower(): 256 + len(merges) + special_tokens.index(name) for name in allowed_special}
pieces = [text]
if numbers:
    names = sorted(numbers, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text, flags=re.IGNORECASE)
ids = []
for k, piece in enumerate(pieces):
    if k % 2:
        ids.append(numbers[piece.lower()])
    else:
        for word in split_words(piece):
            ids += encode_word(word.encode(), merges)
return ids
""",
    ),
    fill(
        "text with all names if one is allowed",
        "encode",
        "'only if it is in allowed_special. All other names are text like any other'",
        """
pieces = [text]
if allowed_special:
    names = sorted(special_tokens, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
ids = []
for k, piece in enumerate(pieces):
    if k % 2:
        ids.append(256 + len(merges) + special_tokens.index(piece))
    else:
        for word in split_words(piece):
            ids += encode_word(word.encode(), merges)
return ids
""",
    ),
    fill(
        "text piece that is just another name",
        "encode",
        "'All other names are text like any other': a whole piece that equals a name that is not allowed becomes its id",
        """
pieces = [text]
if allowed_special:
    names = sorted(allowed_special, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
ids = []
for piece in pieces:
    if piece in special_tokens:
        ids.append(256 + len(merges) + special_tokens.index(piece))
    else:
        for word in split_words(piece):
            ids += encode_word(word.encode(), merges)
return ids
""",
    ),
    fill(
        "text with remembered words",
        "encode",
        "'encode_word encodes each word' with the merges of this call: words are remembered from calls with other merges",
        """
memory = encode.__dict__.setdefault("memory", {})
pieces = [text]
if allowed_special:
    names = sorted(allowed_special, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
ids = []
for k, piece in enumerate(pieces):
    if k % 2:
        ids.append(256 + len(merges) + special_tokens.index(piece))
        continue
    for word in split_words(piece):
        if word not in memory:
            memory[word] = encode_word(word.encode(), merges)
        ids += memory[word]
return ids
""",
    ),
    fill(
        "text by recursion at each name",
        "encode",
        "'It may be long': RecursionError for a text with thousands of names",
        """
found = [(text.find(name), -len(name), name) for name in allowed_special if name in text]
if not found:
    return [i for word in split_words(text) for i in encode_word(word.encode(), merges)]
place, _, name = min(found)
return [
    *encode(text[:place], merges),
    256 + len(merges) + special_tokens.index(name),
    *encode(text[place + len(name) :], merges, special_tokens, allowed_special),
]
""",
    ),
    fill(
        "text in pieces of a thousand",
        "encode",
        "'split_words(text) cuts it', 'It may be long': a word at each thousandth character is cut",
        """
names = sorted(allowed_special, key=len, reverse=True)
pieces = [text]
if names:
    pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
ids = []
for k, piece in enumerate(pieces):
    if k % 2:
        ids.append(256 + len(merges) + special_tokens.index(piece))
        continue
    for start in range(0, len(piece), 1000):
        for word in split_words(piece[start : start + 1000]):
            ids += encode_word(word.encode(), merges)
return ids
""",
    ),
]
RIGHT += [
    fill(
        "text by a walk",
        "encode",
        "walks through the text with startswith, no pattern",
        """
names = sorted(set(allowed_special), key=len)[::-1]
ids, start, place = [], 0, 0


def flush(end):
    for word in split_words(text[start:end]):
        ids.extend(encode_word(word.encode("utf-8"), merges))


while place < len(text):
    name = next((n for n in names if text.startswith(n, place)), None)
    if name is None:
        place += 1
        continue
    flush(place)
    ids.append(256 + len(merges) + special_tokens.index(name))
    start = place = place + len(name)
flush(place)
return ids
""",
    ),
    fill(
        "text by finditer, names in reverse alphabet",
        "encode",
        "in reverse alphabetical order a longer name comes before its beginning; words are remembered within the call",
        """
known = {}


def of_text(piece):
    for word in split_words(piece):
        if word not in known:
            known[word] = encode_word(word.encode(), merges)
        yield from known[word]


ids, end = [], 0
if allowed_special:
    for hit in re.finditer("|".join(re.escape(n) for n in sorted(allowed_special, reverse=True)), text):
        ids.extend(of_text(text[end : hit.start()]))
        ids.append(256 + len(merges) + special_tokens.index(hit[0]))
        end = hit.end()
ids.extend(of_text(text[end:]))
return ids
""",
    ),
    fill(
        "text by the nearest find",
        "encode",
        "str.find for each name, the nearest and then the longest, in a loop",
        """
offset = 256 + len(merges)
ids, start = [], 0
while True:
    hits = [(place, -len(name), name) for name in allowed_special
            if (place := text.find(name, start)) != -1]
    end, _, name = min(hits, default=(len(text), 0, None))
    ids += sum((encode_word(bytes(w, "utf-8"), merges) for w in split_words(text[start:end])), [])
    if name is None:
        return ids
    ids.append(offset + special_tokens.index(name))
    start = end + len(name)
""",
    ),
]

# ---------------------------------------------------------------- collate
WRONG += [
    fill(
        "batch through float32",
        "collate",
        "'each row's ids' and 'any whole number': above 2**24 odd numbers change on the way",
        """
T = max(len(row) for row in rows)
ids = torch.full((len(rows), T), float(pad_id))
mask = torch.zeros(len(rows), T, dtype=torch.bool)
for r, row in enumerate(rows):
    ids[r, : len(row)] = torch.tensor(row, dtype=torch.float32)
    mask[r, : len(row)] = True
return ids.long(), mask
""",
    ),
    fill(
        "batch through int32",
        "collate",
        "'pad_id, which may be any whole number', torch.int64: beyond 2**31 an error or another number",
        """
T = max(len(row) for row in rows)
ids = torch.zeros(len(rows), T, dtype=torch.int32)
lengths = torch.tensor([len(row) for row in rows])
mask = torch.arange(T) < lengths[:, None]
ids[mask] = torch.tensor([i for row in rows for i in row], dtype=torch.int32)
ids[~mask] = pad_id
return ids.to(torch.int64), mask
""",
    ),
    fill(
        "batch fills the rows up",
        "collate",
        "'The rows stay as they were': pad_id is appended to the caller's lists",
        """
lengths = torch.tensor([len(row) for row in rows])
T = int(lengths.max())
for row in rows:
    while len(row) < T:
        row.append(pad_id)
return torch.tensor(rows, dtype=torch.int64), torch.arange(T) < lengths[:, None]
""",
    ),
    write(
        "batch in one buffer",
        "collate",
        "'so do the tensors of an earlier call': calls of equal shape share their memory",
        """
_buffers = {}


def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    shape = len(rows), max(map(len, rows))
    if shape not in _buffers:
        _buffers[shape] = (
            torch.empty(shape, dtype=torch.int64),
            torch.empty(shape, dtype=torch.bool),
        )
    ids, mask = _buffers[shape]
    ids.fill_(pad_id)
    mask.fill_(False)
    for r, row in enumerate(rows):
        for t, index in enumerate(row):
            ids[r, t] = index
            mask[r, t] = True
    return ids, mask
""",
    ),
    fill(
        "batch of one loses its rows",
        "collate",
        "'One row is a batch, (1, T)': squeezed to (T,)",
        """
T = max(map(len, rows))
ids = torch.tensor([[*row, *[pad_id] * (T - len(row))] for row in rows]).squeeze(0)
mask = torch.tensor([[t < len(row) for t in range(T)] for row in rows]).squeeze(0)
return ids, mask
""",
    ),
    fill(
        "batch whose empty rows are floats",
        "collate",
        "'A row may be empty', 'ids is torch.int64': torch.tensor([]) is a float32, and then so is all",
        """
T = max(map(len, rows))
ids = torch.stack(
    [torch.cat([torch.tensor(row), torch.full((T - len(row),), pad_id)]) for row in rows]
)
mask = torch.stack([torch.arange(T) < len(row) for row in rows])
return ids, mask
""",
    ),
    fill(
        "batch without empty rows",
        "collate",
        "'A row may be empty', 'both of shape (B, T)': empty rows are left out",
        """
full = [row for row in rows if row]
T = max(map(len, full))
ids = torch.full((len(full), T), pad_id)
mask = torch.zeros_like(ids, dtype=torch.bool)
for r, row in enumerate(full):
    ids[r, : len(row)] = torch.tensor(row)
    mask[r, : len(row)] = True
return ids, mask
""",
    ),
    fill(
        "batch sorted by length",
        "collate",
        "'each row's ids': the rows come in another order",
        """
ordered = sorted(rows, key=len)
T = len(ordered[-1])
ids = torch.full((len(rows), T), pad_id)
mask = torch.zeros(len(rows), T, dtype=torch.bool)
for r, row in enumerate(ordered):
    ids[r, : len(row)] = torch.tensor(row, dtype=torch.int64)
    mask[r, : len(row)] = True
return ids, mask
""",
    ),
    fill(
        "batch as long as the largest row",
        "collate",
        "'T is the length of the longest row': max(rows) is the last in the order of lists; longer ones are cut",
        """
T = len(max(rows))
ids = torch.full((len(rows), T), pad_id, dtype=torch.int64)
mask = torch.zeros((len(rows), T), dtype=torch.bool)
for r, row in enumerate(rows):
    real = row[:T]
    ids[r, : len(real)] = torch.tensor(real, dtype=torch.int64)
    mask[r, : len(real)] = True
return ids, mask
""",
    ),
    fill(
        "batch marked with minus 100",
        "collate",
        "'A row may hold pad_id as a real id, and then the mask is True there': not if pad_id is -100",
        """
T = max(map(len, rows))
ids = torch.full((len(rows), T), -100, dtype=torch.int64)
for r, row in enumerate(rows):
    ids[r, : len(row)] = torch.tensor(row, dtype=torch.int64)
mask = ids != -100
return ids.masked_fill(~mask, pad_id), mask
""",
    ),
    write(
        "batch masks from a cache",
        "collate",
        "'so do the tensors of an earlier call': calls with equal lengths share one mask; writing into one changes the other",
        """
from functools import cache


@cache
def _mask(lengths):
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    mask = _mask(tuple(map(len, rows)))
    ids = torch.full(mask.shape, pad_id, dtype=torch.int64)
    ids[mask] = torch.tensor([i for row in rows for i in row], dtype=torch.int64)
    return ids, mask
""",
    ),
    fill(
        "batch masks remembered by shape",
        "collate",
        "'True = real': a second batch of the same shape gets the mask of the first",
        """
memory = collate.__dict__.setdefault("memory", {})
T = max(map(len, rows))
ids = torch.full((len(rows), T), pad_id, dtype=torch.int64)
for r, row in enumerate(rows):
    ids[r, : len(row)] = torch.tensor(row, dtype=torch.int64)
key = (len(rows), T, sum(map(len, rows)))
if key not in memory:
    memory[key] = torch.tensor([[t < len(row) for t in range(T)] for row in rows])
return ids, memory[key].clone()
""",
    ),
]
RIGHT += [
    fill(
        "batch transposed by zip_longest",
        "collate",
        "zip_longest with an object of its own for the empty places, then transposed",
        """
from itertools import zip_longest

nothing = object()
columns = list(zip_longest(*rows, fillvalue=nothing))
ids = [[pad_id if index is nothing else index for index in column] for column in columns]
mask = [[index is not nothing for index in column] for column in columns]
return (
    torch.tensor(ids, dtype=torch.int64).T.contiguous(),
    torch.tensor(mask, dtype=torch.bool).T.contiguous(),
)
""",
    ),
    fill(
        "batch scattered by its mask",
        "collate",
        "masked_scatter of all ids in a row",
        """
lengths = torch.tensor(list(map(len, rows)), dtype=torch.int64)
mask = torch.arange(int(lengths.max())).expand(len(rows), -1).lt(lengths.unsqueeze(1))
flat = torch.tensor(sum(rows, []), dtype=torch.long)
ids = torch.full(mask.shape, pad_id, dtype=torch.long).masked_scatter(mask, flat)
return ids, mask
""",
    ),
    fill(
        "batch made by NumPy",
        "collate",
        "NumPy arrays, each place written by repeated row numbers and column numbers",
        """
import numpy as np

lengths = np.array([len(row) for row in rows], dtype=np.int64)
at_row = np.repeat(np.arange(len(rows)), lengths)
at_column = np.concatenate([np.arange(n) for n in lengths])
ids = np.full((len(rows), lengths.max()), pad_id, dtype=np.int64)
mask = np.zeros(ids.shape, dtype=bool)
ids[at_row, at_column] = [index for row in rows for index in row]
mask[at_row, at_column] = True
return torch.from_numpy(ids), torch.from_numpy(mask)
""",
    ),
]
