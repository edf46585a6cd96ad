from faults import write

WRONG = [
    # ------------------------------------------------------------------ count_pairs
    write(
        "pairs without overlaps",
        "count_pairs",
        "'Overlapping pairs count, too: in (7, 7, 7) the pair (7, 7) stands twice'",
        r'''
def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    counts = Counter()
    for word, n in words.items():
        last = {}  # where a pair was counted last: an id must not be used twice
        for i, pair in enumerate(zip(word, word[1:])):
            if last.get(pair) == i - 1:
                continue
            counts[pair] += n
            last[pair] = i
    return counts
''',
    ),
    write(
        "each pair once per word",
        "count_pairs",
        "'A pair that stands in a word several times counts several times'",
        r'''
def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    found = {word: set(pairwise(word)) for word in words}
    pairs = set().union(*found.values())
    return {pair: sum(n for word, n in words.items() if pair in found[word]) for pair in pairs}
''',
    ),
    write(
        "a zero has no neighbor",
        "count_pairs",
        "'0 is an id like any other': a falsy id is taken for no id",
        r'''
def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    counts = {}
    for word, n in words.items():
        left = None
        for right in word:
            if left:
                counts[left, right] = counts.get((left, right), 0) + n
            left = right
    return counts
''',
    ),
    write(
        "words joined by 256",
        "count_pairs",
        "'ids above 255 are what merges have made': the id 256 is used as a wall between words",
        r'''
def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    wall = 256  # no byte
    flat, numbers = [], []
    for word, n in words.items():
        flat += [*word, wall]
        numbers += [n] * (len(word) + 1)
    counts = Counter()
    for pair, n in zip(pairwise(flat), numbers):
        if wall not in pair:
            counts[pair] += n
    return counts
''',
    ),
    write(
        "counts remembered by the words",
        "count_pairs",
        "'a call knows nothing of an earlier one': the cache forgets the words' numbers",
        r'''
_seen = {}


def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    key = tuple(sorted(words))
    if key not in _seen:
        counts = Counter()
        for word, n in words.items():
            for pair in pairwise(word):
                counts[pair] += n
        _seen[key] = counts
    return dict(_seen[key])
''',
    ),
    write(
        "words used up",
        "count_pairs",
        "'`words` stays as it was': popitem empties the argument",
        r'''
def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    counts = Counter()
    while words:
        word, n = words.popitem()
        for i in range(1, len(word)):
            counts[word[i - 1], word[i]] += n
    return counts
''',
    ),
    write(
        "a short word ends the count",
        "count_pairs",
        "'Words of one id, and empty ones, have none': `break` loses the words behind them, too",
        r'''
def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    counts = Counter()
    for word, n in words.items():
        if len(word) < 2:  # no neighbors
            break
        for left, right in pairwise(word):
            counts[left, right] += n
    return counts
''',
    ),
    write(
        "empty words raise",
        "count_pairs",
        "'Words of one id, and empty ones, have none': word[0] of an empty word is an IndexError",
        r'''
def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    counts = {}
    for word, n in words.items():
        left = word[0]
        for right in word[1:]:
            counts.setdefault((left, right), 0)
            counts[left, right] += n
            left = right
    return counts
''',
    ),
    write(
        "the neighbor by index",
        "count_pairs",
        "'maps each pair of neighbors': word.index finds the first place only, so a repeated id gets "
        "the neighbor of its first occurrence",
        r'''
def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    counts = Counter()
    for word, n in words.items():
        for left in word[:-1]:
            right = word[word.index(left) + 1]
            counts[(left, right)] += n
    return counts
''',
    ),
    write(
        "a pair as one number of two bytes",
        "count_pairs",
        "'ids above 255 are what merges have made': left * 256 + right is not unique for them",
        r'''
def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    counts = Counter()
    for word, n in words.items():
        for left, right in pairwise(word):
            counts[left << 8 | right] += n
    return {divmod(code, 256): n for code, n in counts.items()}
''',
    ),
    # ------------------------------------------------------------------ merge
    write(
        "from the right",
        "merge",
        "'From left to right': [7, 7, 7] with (7, 7) becomes [7, new_id]",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    merged = list(ids)
    i = len(merged) - 2
    while i >= 0:  # from the end, so that deleting moves nothing that is still to come
        if (merged[i], merged[i + 1]) == tuple(pair):
            merged[i : i + 2] = [new_id]
            i -= 1
        i -= 1
    return merged
''',
    ),
    write(
        "in place",
        "merge",
        "'Return a **new** list'; '`ids` stays as it was'",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    i = 0
    while i < len(ids) - 1:
        if ids[i] == pair[0] and ids[i + 1] == pair[1]:
            ids[i] = new_id
            del ids[i + 1]
        i += 1
    return ids
''',
    ),
    write(
        "the same list where nothing is merged",
        "merge",
        "'Return a **new** list, also where nothing is merged'",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    if tuple(pair) not in pairwise(ids):
        return ids
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == tuple(pair):
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged
''',
    ),
    write(
        "bytes.replace",
        "merge",
        "'Ids may be 0, and may be larger than 255': bytes() of such an id is a ValueError",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    return list(bytes(ids).replace(bytes(pair), bytes([new_id])))
''',
    ),
    write(
        "merges what it has just made",
        "merge",
        "'Only what stands in `ids` is merged, not what a merge has just made'",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    merged = []
    for index in ids:
        if merged and (merged[-1], index) == tuple(pair):
            merged[-1] = new_id
        else:
            merged.append(index)
    return merged
''',
    ),
    write(
        "a zero behind the end",
        "merge",
        "'Ids may be 0': the 0 set as right neighbor of the last id matches a pair (a, 0)",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    merged, skip = [], False
    for left, right in zip(ids, [*ids[1:], 0]):  # the last id has no right neighbor
        if skip:
            skip = False
        elif (left, right) == tuple(pair):
            merged.append(new_id)
            skip = True
        else:
            merged.append(left)
    return merged
''',
    ),
    write(
        "digits replaced in a string",
        "merge",
        "'each occurrence of `pair` in `ids` is replaced': 11 2 holds the digits of 1 2, and not the pair",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    text = " ".join(str(index) for index in ids)
    text = text.replace(f"{pair[0]} {pair[1]}", str(new_id))
    return [int(number) for number in text.split()]
''',
    ),
    write(
        "compared with is",
        "merge",
        "'may be larger than 255': equal ints above 256 are seldom the same object",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    merged, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and ids[i] is pair[0] and ids[i + 1] is pair[1]:
            merged += [new_id]
            i += 2
        else:
            merged += [ids[i]]
            i += 1
    return merged
''',
    ),
    write(
        "merged places marked by 0",
        "merge",
        "'Ids may be 0': the second half is marked by 0 and dropped, and so is each id 0",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    merged = list(ids)
    for i in range(len(ids) - 1):
        if (merged[i], ids[i + 1]) == tuple(pair) and merged[i] == ids[i]:
            merged[i], merged[i + 1] = new_id, 0
    return [index for index in merged if index]
''',
    ),
    write(
        "no ids at all",
        "merge",
        "'Return a new list, also where nothing is merged' (introduction: 'nothing at all'): ids[-1] of "
        "an empty list is an IndexError",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    merged, i = [], 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == tuple(pair):
            merged.append(new_id)
            i += 2
            if i == len(ids):
                return merged
        else:
            merged.append(ids[i])
            i += 1
    merged.append(ids[-1])
    return merged
''',
    ),
    # ------------------------------------------------------------------ learn
    write(
        "of equals the first seen",
        "learn",
        "'Of equally frequent pairs take the **smallest**'; 'The order of the words in `words` must not matter'",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    now = {tuple(word): n for word, n in words.items()}
    merges = []
    for new_id in range(256, 256 + n_merges):
        counts = count_pairs(now)
        if not counts:
            break
        best = max(counts, key=counts.get)
        merges.append(best)
        now = {tuple(merge(list(word), best, new_id)): n for word, n in now.items()}
    return merges
''',
    ),
    write(
        "of equals the first as text",
        "learn",
        "'Of equally frequent pairs take the **smallest**, as Python orders tuples: (97, 300) < (98, 97)': "
        "here the tie goes by the bytes behind the ids",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    table = [bytes([i]) for i in range(256)]
    now = {tuple(word): n for word, n in words.items()}
    merges = []
    while len(merges) < n_merges:
        counts = count_pairs(now)
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], table[pair[0]], table[pair[1]]))
        now = {tuple(merge(list(word), best, len(table))): n for word, n in now.items()}
        table.append(table[best[0]] + table[best[1]])
        merges.append(best)
    return merges
''',
    ),
    write(
        "of equals the smallest as a string",
        "learn",
        "'as Python orders tuples': '(100, 97)' comes before '(97, 98)' as a string",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    now, merges = {tuple(word): n for word, n in words.items()}, []
    for new_id in range(256, 256 + n_merges):
        counts = count_pairs(now)
        if not counts:
            return merges
        best = sorted(counts, key=lambda pair: (-counts[pair], str(pair)))[0]
        merges.append(best)
        now = {tuple(merge(list(word), best, new_id)): n for word, n in now.items()}
    return merges
''',
    ),
    write(
        "of equals the smallest left side",
        "learn",
        "'take the **smallest**, as Python orders tuples': of two pairs with the same left side the first "
        "seen wins, so the order of the words matters",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    now, merges = {tuple(word): n for word, n in words.items()}, []
    for new_id in range(256, 256 + n_merges):
        counts = count_pairs(now)
        if not counts:
            return merges
        best = max(counts, key=lambda pair: (counts[pair], -pair[0]))
        merges.append(best)
        now = {tuple(merge(list(word), best, new_id)): n for word, n in now.items()}
    return merges
''',
    ),
    write(
        "stops at pairs that occur once",
        "learn",
        "'A pair that occurs once may still be merged'",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    now, merges = {tuple(word): n for word, n in words.items()}, []
    for new_id in range(256, 256 + n_merges):
        counts = count_pairs(now)
        if max(counts.values(), default=0) < 2:  # nothing is repeated any more
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        now = {tuple(merge(list(word), best, new_id)): n for word, n in now.items()}
    return merges
''',
    ),
    write(
        "no pair left raises",
        "learn",
        "'When no pair is left, return the merges that you have: they are fewer than n_merges'",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    now, merges = {tuple(word): n for word, n in words.items()}, []
    for k in range(n_merges):
        counts = count_pairs(now)
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        now = {tuple(merge(list(word), best, 256 + k)): n for word, n in now.items()}
    return merges
''',
    ),
    write(
        "at least one merge",
        "learn",
        "'Return the list of the first `n_merges` merges': for 0 the list is empty",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    now, merges = {tuple(word): n for word, n in words.items()}, []
    while True:
        counts = count_pairs(now)
        if not counts:
            return merges
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        now = {tuple(merge(list(word), best, 256 + len(merges))): n for word, n in now.items()}
        merges.append(best)
        if len(merges) >= n_merges:
            return merges
''',
    ),
    write(
        "counts kept up beside the merge",
        "learn",
        "'count all pairs' after each merge: the counts are corrected next to each merge, and wrong where "
        "two merged pairs stand side by side (abab) or overlap (aaa)",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    now = {tuple(word): n for word, n in words.items()}
    counts = Counter(count_pairs(now))
    merges = []
    for new_id in range(256, 256 + n_merges):
        counts = +counts  # without those that are gone
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for word, n in now.items():
            for i, pair in enumerate(pairwise(word)):
                if pair != best:
                    continue
                counts[pair] -= n
                if i > 0:
                    counts[word[i - 1], pair[0]] -= n
                    counts[word[i - 1], new_id] += n
                if i + 2 < len(word):
                    counts[pair[1], word[i + 2]] -= n
                    counts[new_id, word[i + 2]] += n
        now = {tuple(merge(list(word), best, new_id)): n for word, n in now.items()}
    return merges
''',
    ),
    write(
        "words rewritten in place",
        "learn",
        "'`words` stays as it was'",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    for word in list(words):
        words[tuple(word)] = words.pop(word)
    merges = []
    for new_id in range(256, 256 + n_merges):
        counts = count_pairs(words)
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for word in list(words):
            words[tuple(merge(list(word), best, new_id))] = words.pop(word)
    return merges
''',
    ),
    write(
        "characters for bytes",
        "learn",
        "'`words` maps each word of a text, as bytes': a character above 127 is several bytes, and not one id",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    now = {tuple(ord(sign) for sign in word.decode()): n for word, n in words.items()}
    merges = []
    for new_id in range(256, 256 + n_merges):
        counts = count_pairs(now)
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        now = {tuple(merge(list(word), best, new_id)): n for word, n in now.items()}
    return merges
''',
    ),
    # ------------------------------------------------------------------ encode_word
    write(
        "the first merge from the left",
        "encode_word",
        "'apply the merge that was **learned first** among all neighbors, wherever it stands'; 'Neither from "
        "left to right'",
        r'''
def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    new_ids = {pair: 256 + k for k, pair in enumerate(merges)}
    ids = list(word)
    while known := [pair for pair in pairwise(ids) if pair in new_ids]:
        ids = merge(ids, known[0], new_ids[known[0]])
    return ids
''',
    ),
    write(
        "the longest piece",
        "encode_word",
        "'Neither from left to right nor by the longest piece'",
        r'''
def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    table = [bytes([i]) for i in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    index_of = {piece: index for index, piece in enumerate(table)}
    longest = max(map(len, table))
    ids, start = [], 0
    while start < len(word):
        for end in range(min(len(word), start + longest), start, -1):
            if word[start:end] in index_of:
                ids.append(index_of[word[start:end]])
                start = end
                break
    return ids
''',
    ),
    write(
        "ranks of pieces, not of pairs",
        "encode_word",
        "'with the merges b c, a b, ab c the word *abc* is a · bc': here a and bc are joined, too, since the "
        "piece abc has a number",
        r'''
def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    table = [bytes([i]) for i in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    rank = {}
    for index, piece in enumerate(table):
        rank.setdefault(piece, index)
    pieces = [bytes([byte]) for byte in word]
    while True:
        known = [(rank[a + b], i) for i, (a, b) in enumerate(pairwise(pieces)) if a + b in rank]
        if not known:
            return [rank[piece] for piece in pieces]
        _, i = min(known)
        pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]
''',
    ),
    write(
        "of equal pairs the last place",
        "encode_word",
        "Task 2's 'From left to right, and no id is used twice' ('merge it everywhere with your merge'): a a a "
        "becomes a · aa",
        r'''
def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    new_ids = {pair: 256 + k for k, pair in enumerate(merges)}
    ids = list(word)
    while True:
        best, place = None, None
        for i, pair in enumerate(pairwise(ids)):
            if pair in new_ids and (best is None or new_ids[pair] <= best):
                best, place = new_ids[pair], i
        if place is None:
            return ids
        ids[place : place + 2] = [best]
''',
    ),
    write(
        "words remembered without their merges",
        "encode_word",
        "'another call may come with other merges'",
        r'''
_encoded = {}


def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    if word not in _encoded:
        new_ids = {pair: 256 + k for k, pair in enumerate(merges)}
        ids = list(word)
        while known := [pair for pair in pairwise(ids) if pair in new_ids]:
            first = min(known, key=new_ids.get)
            ids = merge(ids, first, new_ids[first])
        _encoded[word] = ids
    return list(_encoded[word])
''',
    ),
    write(
        "merges used up",
        "encode_word",
        "'`merges` stays as it was'",
        r'''
def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    ids, new_id = list(word), 256
    while merges:
        ids = merge(ids, merges.pop(0), new_id)
        new_id += 1
    return ids
''',
    ),
    write(
        "all known pairs of a round",
        "encode_word",
        "'As long as some pair of neighbors has a merge, apply the merge that was learned first among all "
        "neighbors': a merge makes new neighbors, which may come before what was found in this round",
        r'''
def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    new_ids = {pair: 256 + k for k, pair in enumerate(merges)}
    ids = list(word)
    while known := {pair for pair in pairwise(ids) if pair in new_ids}:
        for pair in sorted(known, key=new_ids.get):
            ids = merge(ids, pair, new_ids[pair])
    return ids
''',
    ),
    write(
        "a zero byte has no merge",
        "encode_word",
        "'As long as some pair of neighbors has a merge': 0 is a byte, and `all(pair)` is False for it",
        r'''
def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    new_ids = {pair: 256 + k for k, pair in enumerate(merges) if all(pair)}
    ids = list(word)
    while known := [pair for pair in pairwise(ids) if pair in new_ids]:
        first = min(known, key=new_ids.get)
        ids = merge(ids, first, new_ids[first])
    return ids
''',
    ),
    write(
        "ids of characters",
        "encode_word",
        "'Begin with its bytes': for 我 that is three ids, and the bytes may be no UTF-8",
        r'''
def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    new_ids = {pair: 256 + k for k, pair in enumerate(merges)}
    ids = [ord(sign) for sign in word.decode()]
    while known := [pair for pair in pairwise(ids) if pair in new_ids]:
        first = min(known, key=new_ids.get)
        ids = merge(ids, first, new_ids[first])
    return ids
''',
    ),
    # ------------------------------------------------------------------ decode
    write(
        "a skipped name cuts a character",
        "decode",
        "'Put the bytes of **all** ids side by side ... a special token that is skipped has no bytes'",
        r'''
def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    table = [bytes([i]) for i in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    text, run = "", b""
    for index in ids:
        if 0 <= index < len(table):
            run += table[index]
        elif 0 <= index - len(table) < len(special_tokens):
            text += run.decode(errors="replace")
            run = b""
            if not skip_special_tokens:
                text += special_tokens[index - len(table)]
        else:
            raise ValueError(f"there is no id {index}")
    return text + run.decode(errors="replace")
''',
    ),
    write(
        "negative ids count from the end",
        "decode",
        "'An id that there is not, a negative one too, is refused with a ValueError'",
        r'''
def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    table = [bytes([i]) for i in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    for name in special_tokens:
        table.append(b"" if skip_special_tokens else name.encode())
    text = b""
    for index in ids:
        try:
            text += table[index]
        except IndexError:
            raise ValueError(f"there is no id {index}") from None
    return text.decode(errors="replace")
''',
    ),
    write(
        "unknown ids skipped, too",
        "decode",
        "'An id that there is not ... is refused with a ValueError ..., whatever is skipped'",
        r'''
def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    table = [bytes([i]) for i in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    n_text = len(table)
    table += [name.encode() for name in special_tokens]
    if skip_special_tokens:
        ids = [index for index in ids if index < n_text]
    for index in ids:
        if not 0 <= index < len(table):
            raise ValueError(f"there is no id {index}")
    return b"".join(table[index] for index in ids).decode(errors="replace")
''',
    ),
    write(
        "broken bytes ignored",
        "decode",
        "'Bytes that are no UTF-8 show as �, as errors=\"replace\" does'",
        r'''
def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    table = [bytes([i]) for i in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    for name in special_tokens:
        table.append(b"" if skip_special_tokens else name.encode())
    text = b""
    for index in ids:
        if index not in range(len(table)):
            raise ValueError(f"there is no id {index}")
        text += table[index]
    return text.decode("utf-8", "ignore")
''',
    ),
    write(
        "names in latin letters only",
        "decode",
        "'A name may be in any script': latin-1 has no 结",
        r'''
def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    table = [bytes([i]) for i in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    for name in special_tokens:
        table.append(b"" if skip_special_tokens else bytes(ord(sign) for sign in name))
    text = b""
    for index in ids:
        if not 0 <= index < len(table):
            raise ValueError(f"there is no id {index}")
        text += table[index]
    return text.decode("utf-8", errors="replace")
''',
    ),
    write(
        "the table of as many merges",
        "decode",
        "'another call may come with other merges': the table is remembered by their number",
        r'''
_tables = {}


def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    if len(merges) not in _tables:
        table = [bytes([i]) for i in range(256)]
        for left, right in merges:
            table.append(table[left] + table[right])
        _tables[len(merges)] = table
    table = list(_tables[len(merges)])
    table += [b"" if skip_special_tokens else name.encode() for name in special_tokens]
    for index in ids:
        if not 0 <= index < len(table):
            raise ValueError(f"there is no id {index}")
    return b"".join(table[index] for index in ids).decode(errors="replace")
''',
    ),
    write(
        "a negative id unnamed",
        "decode",
        "'a negative one too, is refused with a ValueError whose message has the id in it'",
        r'''
def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    table = [bytes([i]) for i in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    table += [b"" if skip_special_tokens else name.encode() for name in special_tokens]
    if any(index < 0 for index in ids):
        raise ValueError("ids must not be negative")
    text = b""
    for index in ids:
        if index >= len(table):
            raise ValueError(f"id {index} is not among the {len(table)} ids")
        text += table[index]
    return text.decode(errors="replace")
''',
    ),
    write(
        "names cut out of the text",
        "decode",
        "'A special token shows its name, or nothing': bytes that spell the name are text, and stay",
        r'''
def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    table = [bytes([i]) for i in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    table += [name.encode() for name in special_tokens]
    text = b""
    for index in ids:
        if not 0 <= index < len(table):
            raise ValueError(f"there is no id {index}")
        text += table[index]
    if skip_special_tokens:
        for name in special_tokens:
            text = text.replace(name.encode(), b"")
    return text.decode(errors="replace")
''',
    ),
    write(
        "one id too many",
        "decode",
        "'An id that there is not ... is refused with a ValueError': the first id behind the last is let "
        "through to an IndexError",
        r'''
def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    n_ids = 256 + len(merges) + len(special_tokens)
    table = [bytes([i]) for i in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    table += [b"" if skip_special_tokens else name.encode() for name in special_tokens]
    for index in ids:
        if index < 0 or index > n_ids:
            raise ValueError(f"id {index} is not among the ids 0 to {n_ids - 1}")
    return b"".join(table[index] for index in ids).decode(errors="replace")
''',
    ),
    # ------------------------------------------------------------------ encode
    write(
        "names in the order given",
        "encode",
        "'Where two allowed names begin alike, such as <s> and <s>>, the longer one is meant'",
        r'''
def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    pieces = [text]
    if allowed_special:
        pieces = re.split("(" + "|".join(map(re.escape, allowed_special)) + ")", text)
    ids = []
    for piece in pieces:
        if piece in allowed_special:
            ids.append(256 + len(merges) + special_tokens.index(piece))
        else:
            for word in split_words(piece):
                ids += encode_word(word.encode(), merges)
    return ids
''',
    ),
    write(
        "numbers of the allowed names",
        "encode",
        "'The id of special_tokens[j] is 256 + len(merges) + j': here j counts in allowed_special",
        r'''
def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    index_of = {name: 256 + len(merges) + j for j, name in enumerate(allowed_special)}
    pieces = [text]
    if index_of:
        names = sorted(index_of, key=len, reverse=True)
        pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
    ids = []
    for piece in pieces:
        if piece in index_of:
            ids.append(index_of[piece])
        else:
            for word in split_words(piece):
                ids += encode_word(word.encode(), merges)
    return ids
''',
    ),
    write(
        "composed characters",
        "encode",
        "'The text is taken as it is ...: nothing is stripped, normalized or made small'",
        r'''
import unicodedata


def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    text = unicodedata.normalize("NFC", text)
    names = sorted(allowed_special, key=len, reverse=True)
    pieces = re.split(f"({'|'.join(map(re.escape, names))})", text) if names else [text]
    ids = []
    for piece in pieces:
        if piece in names:
            ids.append(256 + len(merges) + special_tokens.index(piece))
            continue
        for word in split_words(piece):
            ids += encode_word(word.encode(), merges)
    return ids
''',
    ),
    write(
        "spaces beside a name lost",
        "encode",
        "'The text is taken as it is, with every space: nothing is stripped'",
        r'''
def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    if not allowed_special:
        return [i for word in split_words(text) for i in encode_word(word.encode(), merges)]
    names = sorted(allowed_special, key=len, reverse=True)
    pattern = r"\s*(" + "|".join(map(re.escape, names)) + r")\s*"
    ids = []
    for piece in re.split(pattern, text):
        if piece in names:
            ids.append(256 + len(merges) + special_tokens.index(piece))
        else:
            ids += [i for word in split_words(piece) for i in encode_word(word.encode(), merges)]
    return ids
''',
    ),
    write(
        "the text as one word",
        "encode",
        "'split_words(text) cuts it, encode_word encodes each word's UTF-8 bytes': no merge reaches across "
        "two words",
        r'''
def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    names = sorted(allowed_special, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text) if names else [text]
    ids = []
    for piece in pieces:
        if piece in names:
            ids.append(256 + len(merges) + special_tokens.index(piece))
        else:
            ids += encode_word(piece.encode(), merges)
    return ids
''',
    ),
    write(
        "one allowed, all allowed",
        "encode",
        "'A name in the text becomes its id **only if it is in allowed_special**'",
        r'''
def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    index_of = {name: 256 + len(merges) + j for j, name in enumerate(special_tokens)}
    pieces = [text]
    if allowed_special:
        names = sorted(index_of, key=len, reverse=True)
        pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text)
    ids = []
    for k, piece in enumerate(pieces):
        if k % 2:
            ids.append(index_of[piece])
        else:
            for word in split_words(piece):
                ids += encode_word(word.encode(), merges)
    return ids
''',
    ),
    write(
        "the longest name first everywhere",
        "encode",
        "'where names overlap otherwise, the one that begins first'",
        r'''
def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    def cut(piece, names):
        if not names:
            return [i for word in split_words(piece) for i in encode_word(word.encode(), merges)]
        name, *others = names
        ids = []
        for k, part in enumerate(piece.split(name)):
            if k:
                ids.append(256 + len(merges) + special_tokens.index(name))
            ids += cut(part, others)
        return ids

    return cut(text, sorted(allowed_special, key=len, reverse=True))
''',
    ),
    write(
        "words remembered in encode",
        "encode",
        "'encode_word encodes each word' with the `merges` of this call: the cache keeps those of an earlier one",
        r'''
_ids_of = {}


def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    names = sorted(allowed_special, key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text) if names else [text]
    ids = []
    for piece in pieces:
        if piece in names:
            ids.append(256 + len(merges) + special_tokens.index(piece))
            continue
        for word in split_words(piece):
            if word not in _ids_of:
                _ids_of[word] = encode_word(word.encode(), merges)
            ids += _ids_of[word]
    return ids
''',
    ),
    write(
        "each name once",
        "encode",
        "'A name in the text becomes its id': the second one in a text, too (re.split with maxsplit=1)",
        r'''
def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    def words(piece):
        return [i for word in split_words(piece) for i in encode_word(word.encode(), merges)]

    names = sorted(allowed_special, key=len, reverse=True)
    found = re.search("|".join(map(re.escape, names)), text) if names else None
    if not found:
        return words(text)
    index = 256 + len(merges) + special_tokens.index(found[0])
    return words(text[: found.start()]) + [index] + words(text[found.end() :])
''',
    ),
    write(
        "a sign in place of a name",
        "encode",
        "'first cut at the names, then each piece with split_words': here the text is cut with signs in the "
        "names' places, so the words beside a name differ, and such a sign in the text is taken for a name",
        r'''
def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    signs = {}
    names = sorted(allowed_special, key=len, reverse=True)
    if names:
        signs = {name: chr(1 + k) for k, name in enumerate(names)}  # signs that nobody types
        text = re.sub("|".join(map(re.escape, names)), lambda found: signs[found[0]], text)
    index_of = {sign: 256 + len(merges) + special_tokens.index(name) for name, sign in signs.items()}
    ids = []
    for word in split_words(text):
        rest = ""
        for sign in word:
            if sign in index_of:
                ids += encode_word(rest.encode(), merges)
                ids.append(index_of[sign])
                rest = ""
            else:
                rest += sign
        ids += encode_word(rest.encode(), merges)
    return ids
''',
    ),
    # ------------------------------------------------------------------ collate
    write(
        "real is what is not the padding",
        "collate",
        "'A row may hold pad_id as a real id, and then the mask is True there'",
        r'''
def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    ids = torch.full((len(rows), max(map(len, rows))), pad_id)
    for b, row in enumerate(rows):
        ids[b, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return ids, ids != pad_id
''',
    ),
    write(
        "padding ids at the end of a row",
        "collate",
        "'A row may hold pad_id as a real id': as its last id, too",
        r'''
def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    ids = torch.full((len(rows), max(map(len, rows))), pad_id)
    for b, row in enumerate(rows):
        ids[b, : len(row)] = torch.tensor(row, dtype=torch.int64)
    # Real is all up to the last id that is no padding.
    other = (ids != pad_id).flip(-1).int()
    mask = other.cumsum(-1).flip(-1) > 0
    return ids, mask
''',
    ),
    write(
        "rows made longer",
        "collate",
        "'The rows stay as they were'",
        r'''
def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    lengths = torch.tensor([len(row) for row in rows])
    longest = int(lengths.max())
    for row in rows:
        row += [pad_id] * (longest - len(row))
    return torch.tensor(rows), torch.arange(longest) < lengths[:, None]
''',
    ),
    write(
        "one row loses its batch",
        "collate",
        "'One row is a batch, (1, T)'",
        r'''
def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([row + [pad_id] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[t < len(row) for t in range(longest)] for row in rows])
    return ids.squeeze(0), mask.squeeze(0)
''',
    ),
    write(
        "an empty row makes numbers of it",
        "collate",
        "'`ids` is torch.int64'; 'A row may be empty': torch.tensor([]) is float32, and torch.stack makes "
        "all rows so",
        r'''
from torch.nn import functional as F


def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    longest = max(len(row) for row in rows)
    ids = torch.stack(
        [F.pad(torch.tensor(row), (0, longest - len(row)), value=pad_id) for row in rows]
    )
    lengths = torch.tensor([len(row) for row in rows])
    return ids, torch.arange(longest) < lengths.unsqueeze(1)
''',
    ),
    write(
        "a buffer used again",
        "collate",
        "'The rows stay as they were, and so do the tensors of an earlier call'",
        r'''
_buffers = {}


def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    shape = len(rows), max(len(row) for row in rows)
    if shape not in _buffers:  # making tensors is slow
        _buffers[shape] = torch.empty(shape, dtype=torch.int64), torch.empty(shape, dtype=torch.bool)
    ids, mask = _buffers[shape]
    ids.fill_(pad_id)
    mask.fill_(False)
    for b, row in enumerate(rows):
        ids[b, : len(row)] = torch.tensor(row, dtype=torch.int64)
        mask[b, : len(row)] = True
    return ids, mask
''',
    ),
    write(
        "ids by way of float32",
        "collate",
        "'pad_id, which may be any whole number': float32 holds whole numbers up to 2**24 only",
        r'''
def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    ids = pad_id * torch.ones(len(rows), max(len(row) for row in rows))
    mask = torch.zeros(ids.shape, dtype=torch.bool)
    for b, row in enumerate(rows):
        ids[b, : len(row)] = torch.tensor(row)
        mask[b, : len(row)] = True
    return ids.long(), mask
''',
    ),
    write(
        "padding marked by -1",
        "collate",
        "'each row's ids from the left, and then pad_id': a real id of -1 (pad_id -1 as a real id) is taken for "
        "padding",
        r'''
from itertools import zip_longest


def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    ids = torch.tensor(list(zip_longest(*rows, fillvalue=-1))).T.contiguous()
    mask = ids != -1  # no id is negative
    return ids.masked_fill(~mask, pad_id), mask
''',
    ),
]

RIGHT = [
    # ------------------------------------------------------------------ count_pairs
    write(
        "a defaultdict and a shifted zip",
        "count_pairs",
        "plain, a defaultdict is a dictionary",
        r'''
from collections import defaultdict


def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    counts = defaultdict(int)
    for word, n in words.items():
        for pair in zip(word, word[1:]):
            counts[pair] += n
    return dict(counts)
''',
    ),
    write(
        "counters multiplied and added up",
        "count_pairs",
        "a Counter for each word, reduced",
        r'''
from functools import reduce


def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    def add(total, item):
        word, n = item
        here = Counter(pairwise(word))
        total.update({pair: n * times for pair, times in here.items()})
        return total

    return reduce(add, words.items(), Counter())
''',
    ),
    write(
        "sorted and grouped",
        "count_pairs",
        "all pairs in a list, sorted, grouped by groupby",
        r'''
from itertools import groupby


def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    found = sorted((word[i : i + 2], n) for word, n in words.items() for i in range(len(word) - 1))
    return {
        pair: sum(n for _, n in group) for pair, group in groupby(found, key=lambda entry: entry[0])
    }
''',
    ),
    write(
        "two dictionaries deep",
        "count_pairs",
        "left → right → number, flattened at the end",
        r'''
def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbors occurs in the text."""
    followers: dict[int, Counter] = {}
    for word, n in words.items():
        for place in range(1, len(word)):
            followers.setdefault(word[place - 1], Counter())[word[place]] += n
    return {(a, b): n for a, bs in followers.items() for b, n in bs.items()}
''',
    ),
    # ------------------------------------------------------------------ merge
    write(
        "an iterator with one id in hand",
        "merge",
        "no index: the left id is held back",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    nothing = object()
    merged, held = [], nothing
    for index in [*ids, nothing]:
        if held is nothing:
            held = index
        elif (held, index) == tuple(pair):
            merged.append(new_id)
            held = nothing
        else:
            merged.append(held)
            held = index
    return merged
''',
    ),
    write(
        "by halves, recursively",
        "merge",
        "the first place by pairwise, then a loop over the rest",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    rest, merged = list(ids), []
    while True:
        place = next((i for i, two in enumerate(zip(rest, rest[1:])) if two == tuple(pair)), None)
        if place is None:
            return merged + rest
        merged += rest[:place] + [new_id]
        rest = rest[place + 2 :]
''',
    ),
    write(
        "a pattern over whole numbers",
        "merge",
        "re.sub on a string, each number closed by commas",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    text = "".join(f"<{index}>" for index in ids)
    text = text.replace(f"<{pair[0]}><{pair[1]}>", f"<{new_id}>")
    return [int(number) for number in re.findall(r"-?\d+", text)]
''',
    ),
    write(
        "places first, list afterwards",
        "merge",
        "a set of the places where the pair begins",
        r'''
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced, from the left."""
    starts = set()
    for i in range(len(ids) - 1):
        if ids[i] == pair[0] and ids[i + 1] == pair[1] and i - 1 not in starts:
            starts.add(i)
    return [new_id if i in starts else index for i, index in enumerate(ids) if i - 1 not in starts]
''',
    ),
    # ------------------------------------------------------------------ learn
    write(
        "by sorting",
        "learn",
        "sorted(items) by count and pair",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    now, merges = [(list(word), n) for word, n in words.items()], []
    for k in range(n_merges):
        counts = Counter()
        for word, n in now:
            for pair in pairwise(word):
                counts[pair] += n
        if not counts:
            return merges
        (pair, _), *_ = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        merges.append(pair)
        now = [(merge(word, pair, 256 + k), n) for word, n in now]
    return merges
''',
    ),
    write(
        "recursion over the merges",
        "learn",
        "one merge, then the rest by a helper that calls itself",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    def go_on(now, new_id):
        counts = count_pairs(now)
        if new_id == 256 + n_merges or not counts:
            return
        most = max(counts.values())
        best = min(pair for pair, n in counts.items() if n == most)
        yield best
        yield from go_on(
            {tuple(merge(list(word), best, new_id)): n for word, n in now.items()}, new_id + 1
        )

    return list(go_on({tuple(word): n for word, n in words.items()}, 256))
''',
    ),
    write(
        "a heap of negative counts",
        "learn",
        "heapq of (-count, pair), made anew after each merge",
        r'''
import heapq


def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    now = {tuple(word): n for word, n in words.items() if len(word) > 1}
    merges = []
    while len(merges) < n_merges:
        heap = [(-n, left, right) for (left, right), n in count_pairs(now).items()]
        if not heap:
            break
        heapq.heapify(heap)
        _, left, right = heap[0]
        now = {
            tuple(merge(list(word), (left, right), 256 + len(merges))): n for word, n in now.items()
        }
        merges += [(left, right)]
    return merges
''',
    ),
    write(
        "only touched words counted again",
        "learn",
        "the counts of a changed word are taken off and put on again, whole",
        r'''
def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    """The pairs to merge, in the order in which they are learned."""
    texts, numbers = [list(word) for word in words], list(words.values())
    counts = Counter()
    for text, n in zip(texts, numbers):
        for pair in pairwise(text):
            counts[pair] += n
    merges = []
    for new_id in range(256, 256 + n_merges):
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], *pair))
        merges.append(best)
        for k, n in enumerate(numbers):
            if best in pairwise(texts[k]):
                for pair in pairwise(texts[k]):
                    counts[pair] -= n
                texts[k] = merge(texts[k], best, new_id)
                for pair in pairwise(texts[k]):
                    counts[pair] += n
        counts = Counter({pair: n for pair, n in counts.items() if n > 0})
    return merges
''',
    ),
    # ------------------------------------------------------------------ encode_word
    write(
        "each merge once, in order",
        "encode_word",
        "one pass over `merges`: a merge's sides are older than itself, so nothing earlier can come up again",
        r'''
from functools import reduce


def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    return reduce(lambda ids, rule: merge(ids, rule[1], 256 + rule[0]), enumerate(merges), list(word))
''',
    ),
    write(
        "one place at a time",
        "encode_word",
        "the leftmost place of the earliest merge, by slices",
        r'''
def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    new_ids = {pair: 256 + k for k, pair in enumerate(merges)}
    ids = list(word)
    while True:
        places = [(new_ids[two], i) for i, two in enumerate(zip(ids, ids[1:])) if two in new_ids]
        if not places:
            return ids
        new_id, i = min(places)
        ids = ids[:i] + [new_id] + ids[i + 2 :]
''',
    ),
    write(
        "calls itself",
        "encode_word",
        "recursion on a list of ids, without Task 2",
        r'''
def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of a word, after all merges in the order of learning."""
    rank = dict(zip(merges, range(256, 256 + len(merges))))

    def apply(ids):
        best = min(map(rank.get, filter(rank.__contains__, pairwise(ids))), default=None)
        if best is None:
            return ids
        out, rest = [], iter(range(len(ids)))
        for i in rest:
            if tuple(ids[i : i + 2]) == merges[best - 256]:
                out.append(best)
                next(rest)
            else:
                out.append(ids[i])
        return apply(out)

    return apply([*word])
''',
    ),
    # ------------------------------------------------------------------ decode
    write(
        "each id taken apart on a stack",
        "decode",
        "no table: an id above 255 is replaced by its sides",
        r'''
def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    data = bytearray()
    n_text = 256 + len(merges)
    for index in ids:
        if index < 0 or index >= n_text + len(special_tokens):
            raise ValueError(f"{index} is no id")
        if index >= n_text:
            if not skip_special_tokens:
                data.extend(special_tokens[index - n_text].encode("utf-8"))
            continue
        stack = [index]
        while stack:
            top = stack.pop()
            if top < 256:
                data.append(top)
            else:
                left, right = merges[top - 256]
                stack += [right, left]
    return str(data, "utf-8", "replace")
''',
    ),
    write(
        "recursion with a cache of this call",
        "decode",
        "functools.cache on an inner function",
        r'''
from functools import cache


def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    @cache
    def spelled(index):
        if index in range(256):
            return bytes((index,))
        if index in range(256, 256 + len(merges)):
            return b"".join(map(spelled, merges[index - 256]))
        if index in range(256 + len(merges), 256 + len(merges) + len(special_tokens)):
            name = special_tokens[index - 256 - len(merges)]
            return b"" if skip_special_tokens else name.encode()
        raise ValueError("no such id: %d" % index)

    return b"".join([spelled(index) for index in ids]).decode("utf-8", "replace")
''',
    ),
    write(
        "a dictionary for a table",
        "decode",
        "a KeyError becomes the ValueError",
        r'''
def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    table = dict(enumerate(map(bytes, zip(range(256)))))
    for pair in merges:
        table[len(table)] = table[pair[0]] + table[pair[1]]
    for name in special_tokens:
        table[len(table)] = name.encode() * (not skip_special_tokens)
    try:
        data = b"".join(table[index] for index in ids)
    except KeyError as error:
        raise ValueError(f"unknown id {error.args[0]}") from error
    return data.decode(errors="replace")
''',
    ),
    write(
        "decoded bit by bit",
        "decode",
        "codecs' incremental decoder, which keeps half a character for the next id",
        r'''
import codecs


def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    """The text of the ids."""
    table = [bytes([i]) for i in range(256)]
    for left, right in merges:
        table.append(table[left] + table[right])
    table.extend("".encode() if skip_special_tokens else name.encode() for name in special_tokens)
    reader = codecs.getincrementaldecoder("utf-8")("replace")
    text = ""
    for index in ids:
        if not -1 < index < len(table):
            raise ValueError(f"id {index}: there are only 0 to {len(table) - 1}")
        text += reader.decode(table[index])
    return text + reader.decode(b"", final=True)
''',
    ),
    # ------------------------------------------------------------------ encode
    write(
        "a walk without patterns",
        "encode",
        "startswith at each place, the longest name first",
        r'''
def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    ids, start, place = [], 0, 0

    def plain(piece):
        for word in split_words(piece):
            ids.extend(encode_word(word.encode("utf-8"), merges))

    while place < len(text):
        here = [name for name in allowed_special if text.startswith(name, place)]
        if here:
            name = max(here, key=len)
            plain(text[start:place])
            ids.append(256 + len(merges) + special_tokens.index(name))
            start = place = place + len(name)
        else:
            place += 1
    plain(text[start:])
    return ids
''',
    ),
    write(
        "the first name by find, recursively",
        "encode",
        "the earliest, of equally early the longest, then the rest",
        r'''
def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    found = [(text.find(name), -len(name), name) for name in allowed_special if name in text]
    if not found:
        return sum((encode_word(word.encode(), merges) for word in split_words(text)), [])
    place, minus, name = min(found)
    return (
        encode(text[:place], merges)
        + [256 + len(merges) + special_tokens.index(name)]
        + encode(text[place - minus :], merges, special_tokens, allowed_special)
    )
''',
    ),
    write(
        "finditer and a cache of this call",
        "encode",
        "a pattern of names, words encoded once per call",
        r'''
def encode(
    text: str,
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    allowed_special: tuple[str, ...] = (),
) -> list[int]:
    """The ids of a text; only allowed names become special tokens."""
    known = {}

    def plain(piece):
        out = []
        for word in split_words(piece):
            if word not in known:
                known[word] = tuple(encode_word(bytes(word, "utf-8"), merges))
            out.extend(known[word])
        return out

    numbers = {name: 256 + len(merges) + j for j, name in enumerate(special_tokens)}
    pattern = "|".join(re.escape(n) for n in sorted(allowed_special, key=len)[::-1]) or r"(?!)"
    ids, end = [], 0
    for found in re.finditer(pattern, text):
        ids += plain(text[end : found.start()]) + [numbers[found.group()]]
        end = found.end()
    return ids + plain(text[end:])
''',
    ),
    # ------------------------------------------------------------------ collate
    write(
        "zip_longest twice",
        "collate",
        "lists of Python, turned by zip, and True/False beside them",
        r'''
from itertools import zip_longest


def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    columns = list(zip_longest(*rows, fillvalue=pad_id))
    real = list(zip_longest(*([True] * len(row) for row in rows), fillvalue=False))
    return torch.tensor(columns, dtype=torch.int64).T, torch.tensor(real, dtype=torch.bool).T
''',
    ),
    write(
        "numpy and a boolean index",
        "collate",
        "the flat ids written into the True places, row by row",
        r'''
import numpy as np


def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad_id, dtype=np.int64)
    ids[mask] = [index for row in rows for index in row]
    return torch.from_numpy(ids), torch.from_numpy(mask)
''',
    ),
    write(
        "masked_scatter",
        "collate",
        "torch only, no loop over the rows' tensors",
        r'''
def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    lengths = torch.tensor(list(map(len, rows)))
    mask = torch.arange(int(lengths.max())).unsqueeze(0).lt(lengths.unsqueeze(1))
    flat = torch.tensor(sum(rows, []), dtype=torch.long)
    return torch.full(mask.shape, pad_id, dtype=torch.long).masked_scatter(mask, flat), mask
''',
    ),
    write(
        "rows concatenated with their padding",
        "collate",
        "new lists by a comprehension, then two tensors",
        r'''
def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """The ids of all rows, padded on the right, and where they are real."""
    longest = len(max(rows, key=len))
    ids = [[*row, *(longest - len(row)) * [pad_id]] for row in rows]
    mask = [[*len(row) * [True], *(longest - len(row)) * [False]] for row in rows]
    return torch.tensor(ids), torch.tensor(mask)
''',
    ),
]
