from textwrap import dedent

from faults import fill, write

WRONG, RIGHT = [], []

# ---------------------------------------------------------------- Task 1

WRONG += [
    fill(
        "pairs are sorted",
        "count_pairs",
        "'A pair is ordered: (1, 2) is not (2, 1)'",
        """counts = Counter()
for word, n in words.items():
    for pair in pairwise(word):
        counts[tuple(sorted(pair))] += n
return counts
""",
    ),
    fill(
        "0 is nothing",
        "count_pairs",
        "'0 is an id like any other'",
        """counts = {}
for word, n in words.items():
    for left, right in zip(word, word[1:]):
        if left and right:
            counts[left, right] = counts.get((left, right), 0) + n
return counts
""",
    ),
    fill(
        "a table for bytes",
        "count_pairs",
        "'ids above 255 are what merges have made': the table has 256 rows",
        """table = [[0] * 256 for _ in range(256)]
for word, n in words.items():
    for left, right in pairwise(word):
        table[left][right] += n
return {(i, j): n for i, row in enumerate(table) for j, n in enumerate(row) if n}
""",
    ),
    fill(
        "counts of the same words are remembered",
        "count_pairs",
        "'a call knows nothing of an earlier one': the same words with other numbers",
        """known = count_pairs.__dict__.setdefault("known", {})
key = tuple(words)
if key not in known:
    counts = Counter()
    for word, n in words.items():
        for pair in pairwise(word):
            counts[pair] += n
    known[key] = counts
return Counter(known[key])
""",
    ),
    fill(
        "words is emptied",
        "count_pairs",
        "'words stays as it was'",
        """counts = Counter()
while words:
    word, n = words.popitem()
    for pair in pairwise(word):
        counts[pair] += n
return counts
""",
    ),
    fill(
        "begins with the first id",
        "count_pairs",
        "'Words of one id, and empty ones, have none': an empty word has no first id, IndexError",
        """counts = {}
for word, n in words.items():
    left = word[0]
    for right in word[1:]:
        counts[left, right] = counts.get((left, right), 0) + n
        left = right
return counts
""",
    ),
    fill(
        "two ids in one number",
        "count_pairs",
        "'ids above 255 are what merges have made': those of 1000 and more become other pairs",
        """counts = Counter()
for word, n in words.items():
    for left, right in pairwise(word):
        counts[1000 * left + right] += n
return {divmod(key, 1000): n for key, n in counts.items()}
""",
    ),
]

RIGHT += [
    fill(
        "a sum of counters",
        "count_pairs",
        "each word's own counter, multiplied",
        """total = Counter()
for word, n in words.items():
    own = Counter(zip(word[:-1], word[1:]))
    total.update({pair: n * times for pair, times in own.items()})
return dict(total)
""",
    ),
    fill(
        "sorted and grouped",
        "count_pairs",
        "a list of all pairs with their numbers, sorted, grouped",
        """from itertools import groupby
from operator import itemgetter

listed = sorted(((w[i - 1], w[i]), n) for w, n in words.items() for i in range(1, len(w)))
return {pair: sum(n for _, n in group) for pair, group in groupby(listed, key=itemgetter(0))}
""",
    ),
    fill(
        "from the right, without zip",
        "count_pairs",
        "setdefault, and an index that runs backwards",
        """counts: dict[tuple[int, int], int] = {}
for word in words:
    place = len(word) - 1
    while place > 0:
        pair = word[place - 1], word[place]
        counts.setdefault(pair, 0)
        counts[pair] += words[word]
        place -= 1
return counts
""",
    ),
]

# ---------------------------------------------------------------- Task 2

WRONG += [
    fill(
        "the same list where nothing is merged",
        "merge",
        "'Return a new list, also where nothing is merged'",
        """if tuple(pair) not in pairwise(ids):
    return ids
result, i = [], 0
while i < len(ids):
    if tuple(ids[i : i + 2]) == pair:
        result.append(new_id)
        i += 2
    else:
        result.append(ids[i])
        i += 1
return result
""",
    ),
    fill(
        "merges what it has made",
        "merge",
        "'Only what stands in ids is merged, not what a merge has just made': new_id may be an id of the pair",
        """result = []
for each in ids:
    result.append(each)
    while tuple(result[-2:]) == pair:
        result[-2:] = [new_id]
return result
""",
    ),
    fill(
        "replaces in a string of digits",
        "merge",
        "'each occurrence of pair in ids': 1 2 is found in 11 2, too",
        """text = " ".join(map(str, ids)).replace(f"{pair[0]} {pair[1]}", str(new_id))
return [int(word) for word in text.split()]
""",
    ),
    fill(
        "replaces in bytes",
        "merge",
        "'Ids … may be larger than 255'",
        """return list(bytes(ids).replace(bytes(pair), bytes([new_id])))
""",
    ),
    fill(
        "it calls itself for the rest",
        "merge",
        "'ids may be thousands long': the recursion is too deep",
        """if len(ids) < 2:
    return list(ids)
if (ids[0], ids[1]) == pair:
    return [new_id] + merge(ids[2:], pair, new_id)
return [ids[0]] + merge(ids[1:], pair, new_id)
""",
    ),
    fill(
        "merges in the list",
        "merge",
        "'ids … stays as it was', 'Return a new list'",
        """i = 0
while i < len(ids) - 1:
    if (ids[i], ids[i + 1]) == pair:
        ids[i : i + 2] = [new_id]
    i += 1
return ids
""",
    ),
    fill(
        "what is used is set to 0",
        "merge",
        "'Ids may be 0': they are thrown away with what was used",
        """result = list(ids)
for i in range(len(result) - 1):
    if (result[i], result[i + 1]) == pair and pair != (0, 0):
        result[i], result[i + 1] = new_id, 0
return [each for each in result if each]
""",
    ),
    fill(
        "the same object",
        "merge",
        "'Ids … may be larger than 255': `is` compares objects, and large numbers have several",
        """left, right = pair
result, i = [], 0
while i < len(ids):
    if ids[i] is left and i + 1 < len(ids) and ids[i + 1] is right:
        result.append(new_id)
        i += 2
    else:
        result.append(ids[i])
        i += 1
return result
""",
    ),
]

RIGHT += [
    fill(
        "an iterator that is pushed on",
        "merge",
        "next() takes the second of a pair",
        """ahead = iter([*ids, None])
current = next(ahead)
result = []
for following in ahead:
    if current is None:
        current = following
    elif (current, following) == tuple(pair):
        result.append(new_id)
        current = None
    else:
        result.append(current)
        current = following
return result
""",
    ),
    fill(
        "replaces in a string of characters",
        "merge",
        "str.replace, each id a character",
        """shown = "".join(chr(0x10000 + each) for each in ids)
left, right = (chr(0x10000 + each) for each in pair)
return [ord(each) - 0x10000 for each in shown.replace(left + right, chr(0x10000 + new_id))]
""",
    ),
    fill(
        "runs of places",
        "merge",
        "first the places where a merge begins, then a comprehension",
        """starts, last = set(), -2
for i, two in enumerate(pairwise(ids)):
    if two == tuple(pair) and last != i - 1:
        starts.add(i)
        last = i
return [new_id if i in starts else each for i, each in enumerate(ids) if i - 1 not in starts]
""",
    ),
]

# ---------------------------------------------------------------- Task 3

TOOLS = """def counted(state):
    counts = Counter()
    for word, n in state.items():
        for pair in pairwise(word):
            counts[pair] += n
    return counts


def merged(word, pair, new_id):
    result, i = [], 0
    while i < len(word):
        if tuple(word[i : i + 2]) == pair:
            result.append(new_id)
            i += 2
        else:
            result.append(word[i])
            i += 1
    return tuple(result)


"""

WRONG += [
    fill(
        "ties by their bytes",
        "learn",
        "'Of equally frequent pairs take the smallest, as Python orders tuples: (97, 300) < (98, 97)': of ids, not of what they spell",
        TOOLS
        + """spelled = [bytes([i]) for i in range(256)]
state, merges = {tuple(word): n for word, n in words.items()}, []
while len(merges) < n_merges and (counts := counted(state)):
    best = min(counts, key=lambda p: (-counts[p], spelled[p[0]] + spelled[p[1]], p))
    state = {merged(word, best, 256 + len(merges)): n for word, n in state.items()}
    merges.append(best)
    spelled.append(spelled[best[0]] + spelled[best[1]])
return merges
""",
    ),
    fill(
        "ties by the left id",
        "learn",
        "'take the smallest, as Python orders tuples', 'The order of the words in words must not matter': of pairs with the same left id the first found is taken",
        TOOLS
        + """state, merges = {tuple(word): n for word, n in words.items()}, []
while len(merges) < n_merges and (counts := counted(state)):
    best = min(counts, key=lambda p: (-counts[p], p[0]))
    state = {merged(word, best, 256 + len(merges)): n for word, n in state.items()}
    merges.append(best)
return merges
""",
    ),
    fill(
        "at least one merge",
        "learn",
        "'Return the list of the first n_merges merges': of 0 it returns 1",
        TOOLS
        + """state, merges = {tuple(word): n for word, n in words.items()}, []
while counts := counted(state):
    best = min(counts, key=lambda p: (-counts[p], p))
    state = {merged(word, best, 256 + len(merges)): n for word, n in state.items()}
    merges.append(best)
    if len(merges) >= n_merges:
        break
return merges
""",
    ),
    fill(
        "counts what can be merged",
        "learn",
        "'count all pairs' as in Task 1, 'Overlapping pairs count, too': in a a a it counts one pair",
        TOOLS.replace(
            """        for pair in pairwise(word):
            counts[pair] += n
""",
            """        last = None
        for i, pair in enumerate(pairwise(word)):
            if pair[0] == pair[1] and last == (i - 1, pair):
                continue
            counts[pair] += n
            last = (i, pair)
""",
        )
        + """state, merges = {tuple(word): n for word, n in words.items()}, []
while len(merges) < n_merges and (counts := counted(state)):
    best = min(counts, key=lambda p: (-counts[p], p))
    state = {merged(word, best, 256 + len(merges)): n for word, n in state.items()}
    merges.append(best)
return merges
""",
    ),
    fill(
        "stops where pairs occur but once",
        "learn",
        "'A pair that occurs once may still be merged', 'When no pair is left': it stops before, but for the first merge",
        TOOLS
        + """state, merges = {tuple(word): n for word, n in words.items()}, []
while len(merges) < n_merges and (counts := counted(state)):
    best = min(counts, key=lambda p: (-counts[p], p))
    if counts[best] == 1 and merges:
        break
    state = {merged(word, best, 256 + len(merges)): n for word, n in state.items()}
    merges.append(best)
return merges
""",
    ),
    fill(
        "words becomes tuples",
        "learn",
        "'words stays as it was': its keys are replaced",
        TOOLS
        + """merges = []
for word in list(words):
    words[tuple(word)] = words.pop(word)
while len(merges) < n_merges and (counts := counted(words)):
    best = min(counts, key=lambda p: (-counts[p], p))
    for word in list(words):
        words[merged(word, best, 256 + len(merges))] = words.pop(word)
    merges.append(best)
return merges
""",
    ),
    fill(
        "merges of the same words are remembered",
        "learn",
        "'a call knows nothing of an earlier one': the same words with other numbers",
        TOOLS
        + """known = learn.__dict__.setdefault("known", {})
key = (frozenset(words), n_merges)
if key not in known:
    state, merges = {tuple(word): n for word, n in words.items()}, []
    while len(merges) < n_merges and (counts := counted(state)):
        best = min(counts, key=lambda p: (-counts[p], p))
        state = {merged(word, best, 256 + len(merges)): n for word, n in state.items()}
        merges.append(best)
    known[key] = merges
return list(known[key])
""",
    ),
]

RIGHT += [
    fill(
        "sorted by two keys",
        "learn",
        "a stable sort by pair, then by count; words as a list",
        TOOLS
        + """state = [(tuple(word), words[word]) for word in sorted(words)]
merges = []
for new_id in range(256, 256 + n_merges):
    counts = Counter()
    for word, n in state:
        for pair in zip(word, word[1:]):
            counts[pair] += n
    if not counts:
        break
    best = sorted(sorted(counts), key=counts.get, reverse=True)[0]
    merges.append(best)
    state = [(merged(word, best, new_id), n) for word, n in state]
return merges
""",
    ),
    fill(
        "max with negated ids",
        "learn",
        "lists of characters, replaced in strings",
        """def spell(ids):
    return "".join(map(chr, ids))


state, merges = [(spell(word), n) for word, n in words.items()], []
for k in range(n_merges):
    counts = Counter()
    for text, n in state:
        for i in range(len(text) - 1):
            counts[text[i : i + 2]] += n
    if not counts:
        return merges
    best = max(counts, key=lambda two: (counts[two], -ord(two[0]), -ord(two[1])))
    merges.append((ord(best[0]), ord(best[1])))
    state = [(text.replace(best, chr(256 + k)), n) for text, n in state]
return merges
""",
    ),
    fill(
        "a generator of merges",
        "learn",
        "an endless one, of which the first n_merges are taken",
        TOOLS
        + """from itertools import count, islice


def found():
    state = {tuple(word): n for word, n in words.items()}
    for new_id in count(256):
        counts = counted(state)
        if not counts:
            return
        most = max(counts.values())
        best = min(pair for pair, n in counts.items() if n == most)
        yield best
        state = {merged(word, best, new_id): n for word, n in state.items()}


return list(islice(found(), n_merges))
""",
    ),
]

# ---------------------------------------------------------------- Task 4

MERGE_ALL = """def merged(word, pair, new_id):
    result, i = [], 0
    while i < len(word):
        if tuple(word[i : i + 2]) == pair:
            result.append(new_id)
            i += 2
        else:
            result.append(word[i])
            i += 1
    return result


"""

WRONG += [
    fill(
        "the longest piece",
        "encode_word",
        "'Neither from left to right nor by the longest piece'",
        """pieces = [bytes([i]) for i in range(256)]
for left, right in merges:
    pieces.append(pieces[left] + pieces[right])
known = {piece: index for index, piece in enumerate(pieces)}
ids, place = [], 0
while place < len(word):
    end = len(word)
    while word[place:end] not in known:
        end -= 1
    ids.append(known[word[place:end]])
    place = end
return ids
""",
    ),
    fill(
        "from left to right",
        "encode_word",
        "'apply the merge that was learned first among all neighbors, wherever it stands', 'Neither from left to right'",
        MERGE_ALL
        + """ranks = {pair: 256 + k for k, pair in enumerate(merges)}
ids = list(word)
while True:
    found = next((pair for pair in pairwise(ids) if pair in ranks), None)
    if found is None:
        return ids
    ids = merged(ids, found, ranks[found])
""",
    ),
    fill(
        "the merge that was learned last",
        "encode_word",
        "'apply the merge that was learned first among all neighbors'",
        MERGE_ALL
        + """ranks = {pair: 256 + k for k, pair in enumerate(merges)}
ids = list(word)
while found := [pair for pair in pairwise(ids) if pair in ranks]:
    best = max(found, key=ranks.get)
    ids = merged(ids, best, ranks[best])
return ids
""",
    ),
    fill(
        "merges are used up",
        "encode_word",
        "'merges stays as it was'",
        MERGE_ALL
        + """ids, new_id = list(word), 256
while merges:
    ids = merged(ids, merges.pop(0), new_id)
    new_id += 1
return ids
""",
    ),
    fill(
        "words are remembered",
        "encode_word",
        "'another call may come with other merges': as many, but other ones",
        MERGE_ALL
        + """known = encode_word.__dict__.setdefault("known", {})
key = (word, len(merges))
if key not in known:
    ids = list(word)
    for k, pair in enumerate(merges):
        ids = merged(ids, pair, 256 + k)
    known[key] = ids
return list(known[key])
""",
    ),
    fill(
        "the word as characters",
        "encode_word",
        "'Begin with its bytes': a word of other than English letters is no UTF-8, or has fewer characters than bytes",
        MERGE_ALL
        + """ids = [ord(character) for character in word.decode("utf-8")]
for k, pair in enumerate(merges):
    ids = merged(ids, pair, 256 + k)
return ids
""",
    ),
    fill(
        "what both sides spell together",
        "encode_word",
        "'As long as some pair of neighbors has a merge': with b c, a b, ab c it merges a and bc, which is no merge, since abc is known",
        """pieces = {bytes([i]): i for i in range(256)}
spelled = list(pieces)
for k, (left, right) in enumerate(merges):
    spelled.append(spelled[left] + spelled[right])
    pieces.setdefault(spelled[-1], 256 + k)
parts = [bytes([b]) for b in word]
while True:
    found = [
        (pieces[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in pieces
    ]
    if not found:
        return [pieces[part] for part in parts]
    _, i = min(found)
    parts[i : i + 2] = [parts[i] + parts[i + 1]]
""",
    ),
]

RIGHT += [
    fill(
        "all merges in their order",
        "encode_word",
        "no merge makes a pair of an earlier one, so one pass over merges is enough",
        MERGE_ALL
        + """ids = list(word)
for k, pair in enumerate(merges):
    ids = merged(ids, pair, 256 + k)
return ids
""",
    ),
    fill(
        "one place at a time",
        "encode_word",
        "the leftmost of the best pairs is merged alone, and all is looked at again",
        """ranks = {}
for k, pair in enumerate(merges):
    ranks.setdefault(tuple(pair), k)
ids = [*word]
none = len(merges)
while len(ids) > 1:
    rank, place = min((ranks.get((ids[i], ids[i + 1]), none), i) for i in range(len(ids) - 1))
    if rank == none:
        break
    ids[place : place + 2] = [256 + rank]
return ids
""",
    ),
    fill(
        "replaces in a string",
        "encode_word",
        "each id a character",
        """text = "".join(chr(0x10000 + byte) for byte in word)
for k, (left, right) in enumerate(merges):
    text = text.replace(chr(0x10000 + left) + chr(0x10000 + right), chr(0x10000 + 256 + k))
return [ord(character) - 0x10000 for character in text]
""",
    ),
]

# ---------------------------------------------------------------- Task 5

TABLE = """table = [bytes([i]) for i in range(256)]
for left, right in merges:
    table.append(table[left] + table[right])
n_text = len(table)
table += [name.encode() for name in special_tokens]
"""
CHECK = """for index in ids:
    if not 0 <= index < len(table):
        raise ValueError(f"there is no id {index}")
"""

WRONG += [
    fill(
        "text between names is decoded alone",
        "decode",
        "'Put the bytes of all ids side by side, then decode them', 'a special token that is skipped has no bytes': a character around a skipped one",
        TABLE
        + CHECK
        + """text, part = "", b""
for index in ids:
    if index < n_text:
        part += table[index]
    else:
        text += part.decode(errors="replace")
        part = b""
        if not skip_special_tokens:
            text += special_tokens[index - n_text]
return text + part.decode(errors="replace")
""",
    ),
    fill(
        "negative ids count from the end",
        "decode",
        "'An id that there is not, a negative one too, is refused'",
        TABLE
        + """data = b""
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
        "what is skipped is not looked at",
        "decode",
        "'is refused …, whatever is skipped': ids behind the last name are skipped, too",
        TABLE
        + """data = b""
for index in ids:
    if skip_special_tokens and index >= n_text:
        continue
    if not 0 <= index < len(table):
        raise ValueError(f"there is no id {index}")
    data += table[index]
return data.decode(errors="replace")
""",
    ),
    fill(
        "names in Latin-1",
        "decode",
        "'A name may be in any script'",
        TABLE.replace("name.encode()", 'name.encode("latin-1", "replace")')
        + CHECK
        + """kept = [i for i in ids if i < n_text or not skip_special_tokens]
return b"".join(table[i] for i in kept).decode(errors="replace")
""",
    ),
    fill(
        "what is no UTF-8 is left out",
        "decode",
        "'Bytes that are no UTF-8 show as �'",
        TABLE
        + CHECK
        + """kept = [i for i in ids if i < n_text or not skip_special_tokens]
return b"".join(table[i] for i in kept).decode(errors="ignore")
""",
    ),
    fill(
        "ids is emptied",
        "decode",
        "'ids and merges stay as they were'",
        TABLE
        + CHECK
        + """data = b""
while ids:
    index = ids.pop(0)
    if index < n_text or not skip_special_tokens:
        data += table[index]
return data.decode(errors="replace")
""",
    ),
    fill(
        "the largest id is blamed",
        "decode",
        "'a ValueError whose message has the id in it': for a negative one it names another",
        TABLE
        + """if ids and (min(ids) < 0 or max(ids) >= len(table)):
    raise ValueError(f"an id is not there: {max(ids)}")
kept = [i for i in ids if i < n_text or not skip_special_tokens]
return b"".join(table[i] for i in kept).decode(errors="replace")
""",
    ),
    fill(
        "names are taken out of the text",
        "decode",
        "'A special token shows its name, or nothing with skip_special_tokens=True': what was text and reads like a name is lost, too",
        TABLE
        + CHECK
        + """text = b"".join(table[i] for i in ids).decode(errors="replace")
if skip_special_tokens:
    for name in special_tokens:
        text = text.replace(name, "")
return text
""",
    ),
    fill(
        "a table for each number of merges",
        "decode",
        "'another call may come with other merges'",
        """known = decode.__dict__.setdefault("known", {})
if len(merges) not in known:
    pieces = [bytes([i]) for i in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    known[len(merges)] = pieces
table = known[len(merges)] + [name.encode() for name in special_tokens]
n_text = 256 + len(merges)
"""
        + CHECK
        + """kept = [i for i in ids if i < n_text or not skip_special_tokens]
return b"".join(table[i] for i in kept).decode(errors="replace")
""",
    ),
]

RIGHT += [
    fill(
        "a stack instead of a table",
        "decode",
        "each id is taken apart until bytes are left",
        """n = 256 + len(merges)
data = bytearray()
for index in ids:
    if index < 0 or index >= n + len(special_tokens):
        raise ValueError(f"ids must be 0 to {n + len(special_tokens) - 1}, got {index}")
    if index >= n:
        if not skip_special_tokens:
            data += special_tokens[index - n].encode("utf-8")
        continue
    stack = [index]
    while stack:
        top = stack.pop()
        if top < 256:
            data.append(top)
        else:
            left, right = merges[top - 256]
            stack += [right, left]
return data.decode("utf-8", errors="replace")
""",
    ),
    fill(
        "a dictionary, empty where a name is skipped",
        "decode",
        "a KeyError becomes a ValueError",
        """spelled = {i: i.to_bytes(1, "big") for i in range(256)}
for k, (left, right) in enumerate(merges, 256):
    spelled[k] = spelled[left] + spelled[right]
for k, name in enumerate(special_tokens, len(spelled)):
    spelled[k] = b"" if skip_special_tokens else bytes(name, "utf-8")
try:
    return str(b"".join([spelled[each] for each in ids]), "utf-8", "replace")
except KeyError as error:
    raise ValueError(f"no such id: {error.args[0]}") from error
""",
    ),
    fill(
        "an incremental decoder",
        "decode",
        "codecs, one id after the other",
        """import codecs

table = [bytes((i,)) for i in range(256)]
for a, b in merges:
    table += [table[a] + table[b]]
names = [b"" if skip_special_tokens else name.encode("utf8") for name in special_tokens]
table = tuple(table) + tuple(names)
wrong = [index for index in ids if index not in range(len(table))]
if wrong:
    raise ValueError(f"{wrong[0]} is no id")
reader = codecs.getincrementaldecoder("utf-8")(errors="replace")
return "".join([reader.decode(table[index]) for index in ids]) + reader.decode(b"", final=True)
""",
    ),
]

# ---------------------------------------------------------------- Task 6

WORDS = (
    MERGE_ALL
    + """def ids_of(piece):
    result = []
    for word in split_words(piece):
        ids = list(word.encode("utf-8"))
        for k, pair in enumerate(merges):
            ids = merged(ids, pair, 256 + k)
        result += ids
    return result


"""
)
CUT = """if not allowed_special:
    return ids_of(text)
names = {name: 256 + len(merges) + j for j, name in enumerate(special_tokens)}
ordered = sorted(allowed_special, key=len, reverse=True)
pattern = "(" + "|".join(map(re.escape, ordered)) + ")"
result = []
for i, piece in enumerate(re.split(pattern, text)):
    result += [names[piece]] if i % 2 else ids_of(piece)
return result
"""

WRONG += [
    fill(
        "names in capitals, too",
        "encode",
        "'nothing is … made small, in a name neither': <|END|> is text",
        WORDS
        + CUT.replace("re.split(pattern, text)", "re.split(pattern, text, flags=re.IGNORECASE)")
        .replace("names[piece]", "lower[piece.lower()]")
        .replace(
            "result = []\n",
            "lower = {name.lower(): index for name, index in names.items()}\nresult = []\n",
        ),
    ),
    fill(
        "name by name, the longest first",
        "encode",
        "'where names overlap otherwise, the one that begins first'",
        WORDS
        + """pieces = [text]
for name in sorted(allowed_special, key=len, reverse=True):
    index = 256 + len(merges) + special_tokens.index(name)
    cut = []
    for piece in pieces:
        if isinstance(piece, int):
            cut.append(piece)
            continue
        for n, part in enumerate(piece.split(name)):
            cut += [index, part] if n else [part]
    pieces = cut
result = []
for piece in pieces:
    result += [piece] if isinstance(piece, int) else ids_of(piece)
return result
""",
    ),
    fill(
        "ids in the order of what is allowed",
        "encode",
        "'The id of special_tokens[j] is 256 + len(merges) + j': it is counted in allowed_special",
        WORDS + CUT.replace("enumerate(special_tokens)", "enumerate(allowed_special)"),
    ),
    fill(
        "a piece is one word",
        "encode",
        "'split_words(text) cuts it, encode_word encodes each word's UTF-8 bytes': merges reach over the words",
        WORDS.replace("in split_words(piece):", "in [piece]:") + CUT,
    ),
    fill(
        "it calls itself behind each name",
        "encode",
        "'It may be long': thousands of names are too deep",
        WORDS
        + """if not allowed_special:
    return ids_of(text)
pattern = "|".join(map(re.escape, sorted(allowed_special, key=len, reverse=True)))
found = re.search(pattern, text)
if found is None:
    return ids_of(text)
index = 256 + len(merges) + special_tokens.index(found.group())
rest = encode(text[found.end() :], merges, special_tokens, allowed_special)
return ids_of(text[: found.start()]) + [index] + rest
""",
    ),
    fill(
        "pieces beside names are stripped",
        "encode",
        "'The text is taken as it is, with every space: nothing is stripped'",
        WORDS + CUT.replace("ids_of(piece)\nreturn", "ids_of(piece.strip())\nreturn"),
    ),
    fill(
        "normalized",
        "encode",
        "'nothing is stripped, normalized or made small'",
        """import unicodedata

text = unicodedata.normalize("NFC", text)
"""
        + WORDS
        + CUT,
    ),
    fill(
        "only | is escaped",
        "encode",
        "'A name in the text becomes its id': names with other signs of patterns, such as [x] or a.b, do not, or others do",
        WORDS
        + CUT.replace("map(re.escape, ordered)", 'name.replace("|", "\\\\|") for name in ordered'),
    ),
]

RIGHT += [
    fill(
        "place by place",
        "encode",
        "startswith at each place, the longest name first, no pattern",
        WORDS
        + """ordered = sorted(set(allowed_special), key=len)[::-1]
result, begin, place = [], 0, 0
while place < len(text):
    name = next((each for each in ordered if text.startswith(each, place)), None)
    if name is None:
        place += 1
        continue
    result += ids_of(text[begin:place])
    result.append(256 + len(merges) + special_tokens.index(name))
    begin = place = place + len(name)
return result + ids_of(text[begin:])
""",
    ),
    fill(
        "finditer, and the reverse alphabet",
        "encode",
        "a longer name stands behind its beginning, so reversed order puts it first",
        WORDS
        + """result, end = [], 0
if allowed_special:
    pattern = re.compile("|".join(re.escape(n) for n in sorted(allowed_special, reverse=True)))
    for found in pattern.finditer(text):
        result.extend(ids_of(text[end : found.start()]))
        result.append(len(merges) + 256 + list(special_tokens).index(found[0]))
        end = found.end()
result.extend(ids_of(text[end:]))
return result
""",
    ),
    fill(
        "the nearest name by find",
        "encode",
        "the smallest place of all names, of equals the longest",
        WORDS
        + """result, begin = [], 0
while True:
    found = [(text.find(name, begin), -len(name), name) for name in allowed_special]
    found = [each for each in found if each[0] >= 0]
    if not found:
        return result + ids_of(text[begin:])
    place, _, name = min(found)
    result += ids_of(text[begin:place]) + [256 + len(merges) + special_tokens.index(name)]
    begin = place + len(name)
""",
    ),
]

# ---------------------------------------------------------------- Task 7

WRONG += [
    fill(
        "cat with an empty tensor",
        "collate",
        "'ids is torch.int64', 'A row may be empty': torch.tensor([]) is float32, and so is all the rest",
        """T = max(map(len, rows))
ids = torch.stack([torch.cat([torch.tensor(row), torch.full((T - len(row),), pad_id)]) for row in rows])
mask = torch.stack([torch.arange(T) < len(row) for row in rows])
return ids, mask
""",
    ),
    fill(
        "rows are filled up",
        "collate",
        "'The rows stay as they were'",
        """lengths = torch.tensor([len(row) for row in rows])
T = int(lengths.max())
for row in rows:
    row += [pad_id] * (T - len(row))
return torch.tensor(rows), torch.arange(T) < lengths[:, None]
""",
    ),
    fill(
        "one row is no batch",
        "collate",
        "'One row is a batch, (1, T)'",
        """if len(rows) == 1:
    ids = torch.tensor(rows[0], dtype=torch.int64)
    return ids, torch.ones_like(ids, dtype=torch.bool)
T = max(map(len, rows))
ids = torch.full((len(rows), T), pad_id)
mask = torch.zeros(len(rows), T, dtype=torch.bool)
for b, row in enumerate(rows):
    ids[b, : len(row)] = torch.tensor(row, dtype=torch.int64)
    mask[b, : len(row)] = True
return ids, mask
""",
    ),
    fill(
        "the length of the largest row",
        "collate",
        "'T is the length of the longest row': max(rows) is the largest list, and the others are cut",
        """T = len(max(rows))
ids = torch.full((len(rows), T), pad_id)
mask = torch.zeros(len(rows), T, dtype=torch.bool)
for b, row in enumerate(rows):
    row = row[:T]
    ids[b, : len(row)] = torch.tensor(row, dtype=torch.int64)
    mask[b, : len(row)] = True
return ids, mask
""",
    ),
    fill(
        "tensors are used again",
        "collate",
        "'so do the tensors of an earlier call': one of the same shape is written over",
        """T = max(map(len, rows))
rooms = collate.__dict__.setdefault("rooms", {})
key = (len(rows), T)
if key not in rooms:
    rooms[key] = torch.empty(key, dtype=torch.int64), torch.empty(key, dtype=torch.bool)
ids, mask = rooms[key]
ids.fill_(pad_id)
mask.fill_(False)
for b, row in enumerate(rows):
    ids[b, : len(row)] = torch.tensor(row, dtype=torch.int64)
    mask[b, : len(row)] = True
return ids, mask
""",
    ),
    fill(
        "zeros become pad_id",
        "collate",
        "'each row's ids from the left': a real 0 becomes pad_id, too",
        """T = max(map(len, rows))
ids = torch.tensor([row + [0] * (T - len(row)) for row in rows])
ids[ids == 0] = pad_id
mask = torch.stack([torch.arange(T) < len(row) for row in rows])
return ids, mask
""",
    ),
    fill(
        "by way of float32",
        "collate",
        "'each row's ids': above 16,777,216 they are rounded",
        """T = max(map(len, rows))
ids = torch.full((len(rows), T), float(pad_id))
mask = torch.zeros(len(rows), T, dtype=torch.bool)
for b, row in enumerate(rows):
    ids[b, : len(row)] = torch.tensor(row, dtype=torch.float32)
    mask[b, : len(row)] = True
return ids.long(), mask
""",
    ),
    fill(
        "empty rows are left out",
        "collate",
        "'both of shape (B, T)', 'A row may be empty'",
        """rows = [row for row in rows if row]
T = max(map(len, rows))
ids = torch.tensor([row + [pad_id] * (T - len(row)) for row in rows])
mask = torch.tensor([[True] * len(row) + [False] * (T - len(row)) for row in rows])
return ids, mask
""",
    ),
]

RIGHT += [
    fill(
        "zip_longest, and turned",
        "collate",
        "columns are filled up, then the table is transposed",
        """from itertools import zip_longest

columns = list(zip_longest(*rows, fillvalue=pad_id))
lengths = torch.tensor(list(map(len, rows)))
ids = torch.tensor(columns, dtype=torch.int64).reshape(len(columns), len(rows)).T.contiguous()
return ids, lengths.unsqueeze(1) > torch.arange(len(columns))
""",
    ),
    fill(
        "masked_scatter",
        "collate",
        "the mask first, all ids in one list after it",
        """lengths = torch.as_tensor([len(row) for row in rows])
mask = torch.arange(int(lengths.max())).expand(len(rows), -1).lt(lengths[:, None])
flat = torch.tensor([each for row in rows for each in row], dtype=torch.long)
ids = mask.new_full(mask.shape, pad_id, dtype=torch.long)
ids[mask] = flat
return ids, mask
""",
    ),
    fill(
        "F.pad",
        "collate",
        "each row is padded by torch",
        """from torch.nn import functional

T = len(max(rows, key=len))
ids = [functional.pad(torch.tensor(row, dtype=torch.int64), (0, T - len(row)), value=pad_id) for row in rows]
real = [functional.pad(torch.ones(len(row)), (0, T - len(row))) for row in rows]
return torch.stack(ids), torch.stack(real) == 1
""",
    ),
]
