from faults import fill, write

WRONG = [
    # ---------------------------------------------------------------- task 1
    fill(
        "sorted pairs",
        "count_pairs",
        "takes (2, 1) for (1, 2); 'A pair is ordered'; the visible words go upwards",
        """
         counts = Counter()
         for word, n in words.items():
             for a, b in pairwise(word):
                 counts[min(a, b), max(a, b)] += n
         return counts
         """,
    ),
    fill(
        "zero is nothing",
        "count_pairs",
        "skips pairs with a 0 in them as if no id were there; '0 is an id like any other'",
        """
         counts = {}
         for word, n in words.items():
             before = None
             for i in word:
                 if before and i:
                     counts[before, i] = counts.get((before, i), 0) + n
                 before = i
         return counts
         """,
    ),
    fill(
        "bytes it must be",
        "count_pairs",
        "bytes(word) refuses ids above 255; 'ids above 255 are what merges have made'",
        """
         counts = Counter()
         for word, n in words.items():
             for pair in pairwise(bytes(word)):
                 counts[pair] += n
         return dict(counts)
         """,
    ),
    fill(
        "the first id of an empty word",
        "count_pairs",
        "word[0] of an empty word; 'Words of one id, and empty ones, have none'",
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
        "uses the words up",
        "count_pairs",
        "popitem until words is empty; '`words` stays as it was'",
        """
         counts = Counter()
         while words:
             word, n = words.popitem()
             for pair in zip(word, word[1:]):
                 counts[pair] += n
         return counts
         """,
    ),
    write(
        "remembers these words",
        "count_pairs",
        "keeps its answers by the words without their numbers; 'a call knows nothing of an earlier one'",
        """
_counted = {}


def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    key = tuple(words)
    if key not in _counted:
        counts = Counter()
        for word, n in words.items():
            for pair in pairwise(word):
                counts[pair] += n
        _counted[key] = counts
    return Counter(_counted[key])
""",
    ),
    fill(
        "one number for two",
        "count_pairs",
        "codes a pair as 256 a + b, so (1, 256) is (2, 0); ids may be above 255",
        """
         counts = Counter()
         for word, n in words.items():
             for a, b in zip(word[:-1], word[1:]):
                 counts[256 * a + b] += n
         return {divmod(code, 256): n for code, n in counts.items()}
         """,
    ),
    fill(
        "runs counted by halves",
        "count_pairs",
        "does not count a pair of equal ids that overlaps the one before; passes 7 7 only; 'Overlapping pairs count, too'",
        """
         counts = Counter()
         for word, n in words.items():
             last = -2
             for i in range(len(word) - 1):
                 if word[i] == word[i + 1] and last == i - 1 and i > 1:
                     last = -2
                     continue
                 counts[word[i], word[i + 1]] += n
                 last = i if word[i] == word[i + 1] else -2
         return counts
         """,
    ),
    fill(
        "once in a word from the second on",
        "count_pairs",
        "counts repeated pairs that are not neighbors once: set() of places that are not runs; 'A pair that stands in a "
        "word several times counts several times'",
        """
         counts = Counter()
         for word, n in words.items():
             pairs = list(pairwise(word))
             for pair in set(pairs):
                 times = pairs.count(pair) if pair[0] == pair[1] else 1
                 counts[pair] += times * n
         return counts
         """,
    ),
    # ---------------------------------------------------------------- task 2
    fill(
        "nothing to do, nothing new",
        "merge",
        "returns ids itself when the pair is not there; 'Return a new list, also where nothing is merged'",
        """
         if tuple(pair) not in set(zip(ids, ids[1:])):
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
        "in the list itself",
        "merge",
        "replaces slices of ids; '`ids` stays as it was'",
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
        "looks at the new one again",
        "merge",
        "stays at the place of a merge, so a new_id that is the left of the pair merges on: 1 2 2 with (1, 2) → 1; 'Only "
        "what stands in ids is merged'",
        """
         result, i = list(ids), 0
         while i + 1 < len(result):
             if result[i] == pair[0] and result[i + 1] == pair[1]:
                 result[i : i + 2] = [new_id]
             else:
                 i += 1
         return result
         """,
    ),
    fill(
        "until none is left",
        "merge",
        "repeats as long as the pair is somewhere, so what a merge has made is merged, too: new_id = pair[1]; 'not what "
        "a merge has just made'",
        """
         result = list(ids)
         for _ in range(len(ids)):
             for i in range(len(result) - 1):
                 if (result[i], result[i + 1]) == pair:
                     result[i : i + 2] = [new_id]
                     break
         return result
         """,
    ),
    fill(
        "digits run together",
        "merge",
        "replaces '1,2' in '11,2' as well: text without borders",
        """
         text = ",".join(str(i) for i in ids)
         text = text.replace(f"{pair[0]},{pair[1]}", str(new_id))
         return [int(i) for i in text.split(",")] if text else []
         """,
    ),
    fill(
        "bytes replaced",
        "merge",
        "bytes.replace cannot hold ids above 255; 'may be larger than 255'",
        """
         return list(bytes(ids).replace(bytes(pair), bytes([new_id])))
         """,
    ),
    fill(
        "a pair behind a pair",
        "merge",
        "finds all places of the pair and drops each whose left neighbor is one, too: 7 7 7 7 loses its second pair; "
        "'no id is used twice', each occurrence from the left",
        """
         places = {i for i, two in enumerate(pairwise(ids)) if two == pair}
         places = {i for i in places if i - 1 not in places}
         result = []
         for i, each in enumerate(ids):
             if i in places:
                 result.append(new_id)
             elif i - 1 not in places:
                 result.append(each)
         return result
         """,
    ),
    fill(
        "zero holds nothing back",
        "merge",
        "keeps the id before in a variable and asks `if held`: a 0 is lost; 'Ids may be 0'",
        """
         result, held = [], None
         for each in ids:
             if held is not None and (held, each) == pair:
                 result.append(new_id)
                 held = None
             else:
                 if held:
                     result.append(held)
                 held = each
         if held:
             result.append(held)
         return result
         """,
    ),
    fill(
        "one level of calls for each id",
        "merge",
        "recursion over the ids: a list of some thousands ends in a RecursionError",
        """
         if len(ids) < 2:
             return list(ids)
         if (ids[0], ids[1]) == pair:
             return [new_id] + merge(ids[2:], pair, new_id)
         return [ids[0]] + merge(ids[1:], pair, new_id)
         """,
    ),
    # ---------------------------------------------------------------- task 3
    fill(
        "the first one seen",
        "learn",
        "of equals max takes the first that was counted; 'Of equally frequent pairs take the smallest', 'The order of the "
        "words … must not matter'",
        """
         current, merges = {tuple(word): n for word, n in words.items()}, []
         for k in range(n_merges):
             counts = count_pairs(current)
             if not counts:
                 break
             best = max(counts, key=counts.get)
             merges.append(best)
             current = {tuple(merge(list(w), best, 256 + k)): n for w, n in current.items()}
         return merges
         """,
    ),
    fill(
        "the smallest by its spelling",
        "learn",
        "of equals the pair whose bytes come first in the alphabet; 'the smallest, as Python orders tuples: (97, 300) < "
        "(98, 97)', and ids, not bytes",
        """
         current, merges = {tuple(word): n for word, n in words.items()}, []
         table = [bytes([i]) for i in range(256)]
         for k in range(n_merges):
             counts = count_pairs(current)
             if not counts:
                 break
             best = min(counts, key=lambda p: (-counts[p], table[p[0]], table[p[1]]))
             merges.append(best)
             table.append(table[best[0]] + table[best[1]])
             current = {tuple(merge(list(w), best, 256 + k)): n for w, n in current.items()}
         return merges
         """,
    ),
    fill(
        "the right side first",
        "learn",
        "of equals the pair with the smaller right side: sorts by (right, left); 'as Python orders tuples'",
        """
         current, merges = {tuple(word): n for word, n in words.items()}, []
         for k in range(n_merges):
             counts = count_pairs(current)
             if not counts:
                 break
             best = sorted(counts, key=lambda p: (-counts[p], p[1], p[0]))[0]
             merges.append(best)
             current = {tuple(merge(list(w), best, 256 + k)): n for w, n in current.items()}
         return merges
         """,
    ),
    fill(
        "one at least",
        "learn",
        "asks whether there are enough after the first: [pair] for n_merges = 0; 'the first n_merges merges'",
        """
         current, merges = {tuple(word): n for word, n in words.items()}, []
         while True:
             counts = count_pairs(current)
             if not counts:
                 return merges
             best = min(counts, key=lambda p: (-counts[p], p))
             current = {tuple(merge(list(w), best, 256 + len(merges))): n for w, n in current.items()}
             merges.append(best)
             if len(merges) >= n_merges:
                 return merges
         """,
    ),
    fill(
        "the first place in each word",
        "learn",
        "merges one occurrence in each word; 'merge it in all words' (Task 2: each occurrence)",
        """
         current, merges = {tuple(word): n for word, n in words.items()}, []
         for k in range(n_merges):
             counts = count_pairs(current)
             if not counts:
                 break
             best = min(counts, key=lambda p: (-counts[p], p))
             merges.append(best)
             after = {}
             for word, n in current.items():
                 for i in range(len(word) - 1):
                     if word[i : i + 2] == best:
                         word = word[:i] + (256 + k,) + word[i + 2 :]
                         break
                 after[word] = n
             current = after
         return merges
         """,
    ),
    fill(
        "runs count by halves",
        "learn",
        "counts pairs of equal ids without overlap: a a a has one; 'count all pairs' as in Task 1",
        """
         current, merges = {tuple(word): n for word, n in words.items()}, []
         for k in range(n_merges):
             counts = Counter()
             for word, n in current.items():
                 i = 0
                 while i < len(word) - 1:
                     counts[word[i], word[i + 1]] += n
                     i += 2 if word[i : i + 3] == (word[i],) * 3 else 1
             if not counts:
                 break
             best = min(counts, key=lambda p: (-counts[p], p))
             merges.append(best)
             current = {tuple(merge(list(w), best, 256 + k)): n for w, n in current.items()}
         return merges
         """,
    ),
    fill(
        "throws short words out",
        "learn",
        "deletes words without pairs from words itself; '`words` stays as it was'",
        """
         for word in list(words):
             if len(word) < 2:
                 del words[word]
         current, merges = {tuple(word): n for word, n in words.items()}, []
         for k in range(n_merges):
             counts = count_pairs(current)
             if not counts:
                 break
             best = min(counts, key=lambda p: (-counts[p], p))
             merges.append(best)
             current = {tuple(merge(list(w), best, 256 + k)): n for w, n in current.items()}
         return merges
         """,
    ),
    fill(
        "characters for bytes",
        "learn",
        "ord of the characters of the text: 我 is 25105 and not three bytes; 'each word of a text, as bytes'",
        """
         current = {tuple(ord(c) for c in word.decode("utf-8", "replace")): n for word, n in words.items()}
         merges = []
         for k in range(n_merges):
             counts = count_pairs(current)
             if not counts:
                 break
             best = min(counts, key=lambda p: (-counts[p], p))
             merges.append(best)
             current = {tuple(merge(list(w), best, 256 + k)): n for w, n in current.items()}
         return merges
         """,
    ),
    fill(
        "done when one word is done",
        "learn",
        "stops when any word has become one id; 'When no pair is left, return'",
        """
         current, merges = {tuple(word): n for word, n in words.items()}, []
         while len(merges) < n_merges and not any(len(word) < 2 for word in current) or not merges and n_merges:
             counts = count_pairs(current)
             if not counts:
                 break
             best = min(counts, key=lambda p: (-counts[p], p))
             current = {tuple(merge(list(w), best, 256 + len(merges))): n for w, n in current.items()}
             merges.append(best)
         return merges
         """,
    ),
    write(
        "learned before",
        "learn",
        "keeps what it learned under the words without their numbers",
        """
def learn(words: dict[bytes, int], n_merges: int, known={}) -> list[tuple[int, int]]:
    key = frozenset(words), n_merges
    if key not in known:
        current, merges = {tuple(word): n for word, n in words.items()}, []
        for k in range(n_merges):
            counts = count_pairs(current)
            if not counts:
                break
            best = min(counts, key=lambda p: (-counts[p], p))
            merges.append(best)
            current = {tuple(merge(list(w), best, 256 + k)): n for w, n in current.items()}
        known[key] = merges
    return list(known[key])
""",
    ),
    fill(
        "every pair once",
        "learn",
        "counts in how many words (times n) a pair stands: a b a b has (a, b) once; 'count all pairs'",
        """
         current, merges = {tuple(word): n for word, n in words.items()}, []
         for k in range(n_merges):
             counts = Counter()
             for word, n in current.items():
                 for p in set(zip(word, word[1:])):
                     counts[p] += n
             if not counts:
                 break
             best = min(counts, key=lambda p: (-counts[p], p))
             merges.append(best)
             current = {tuple(merge(list(w), best, 256 + k)): n for w, n in current.items()}
         return merges
         """,
    ),
    # ---------------------------------------------------------------- task 4
    fill(
        "from left to right",
        "encode_word",
        "merges the first pair from the left that has a merge; 'Neither from left to right'",
        """
         made = {pair: 256 + k for k, pair in enumerate(merges)}
         ids, i = list(word), 0
         while i < len(ids) - 1:
             two = ids[i], ids[i + 1]
             if two in made:
                 ids[i : i + 2] = [made[two]]
                 i = 0
             else:
                 i += 1
         return ids
         """,
    ),
    fill(
        "the longest piece",
        "encode_word",
        "takes the longest token that fits, from the left; 'nor by the longest piece'",
        """
         table = {bytes([i]): i for i in range(256)}
         spelled = [bytes([i]) for i in range(256)]
         for k, (a, b) in enumerate(merges):
             spelled.append(spelled[a] + spelled[b])
             table.setdefault(spelled[-1], 256 + k)
         ids, i = [], 0
         while i < len(word):
             n = max(n for n in range(1, len(word) - i + 1) if word[i : i + n] in table)
             ids.append(table[word[i : i + n]])
             i += n
         return ids
         """,
    ),
    fill(
        "learned last",
        "encode_word",
        "takes the newest merge first; 'apply the merge that was learned first'",
        """
         made = {pair: 256 + k for k, pair in enumerate(merges)}
         ids = list(word)
         while found := [p for p in pairwise(ids) if p in made]:
             best = max(found, key=made.get)
             ids = merge(ids, best, made[best])
         return ids
         """,
    ),
    write(
        "remembers the word",
        "encode_word",
        "keeps the ids of a word whatever the merges; 'another call may come with other merges'",
        """
_ids = {}


def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    if (word, len(merges)) not in _ids:
        made = {pair: 256 + k for k, pair in enumerate(merges)}
        ids = list(word)
        while found := [made[p] for p in pairwise(ids) if p in made]:
            new = min(found)
            ids = merge(ids, merges[new - 256], new)
        _ids[word, len(merges)] = ids
    return list(_ids[word, len(merges)])
""",
    ),
    fill(
        "the merges are used up",
        "encode_word",
        "merges.pop(0), one after the other; '`merges` stays as it was'",
        """
         ids, new = list(word), 256
         while merges:
             ids = merge(ids, merges.pop(0), new)
             new += 1
         return ids
         """,
    ),
    fill(
        "a word is text",
        "encode_word",
        "decodes the word first: a part of a character, or any byte above 127, is not its own id; 'Begin with its bytes'",
        """
         made = {pair: 256 + k for k, pair in enumerate(merges)}
         ids = [ord(c) for c in word.decode("utf-8", errors="replace")]
         while found := [p for p in pairwise(ids) if p in made]:
             best = min(found, key=made.get)
             ids = merge(ids, best, made[best])
         return ids
         """,
    ),
    fill(
        "the most frequent in the word",
        "encode_word",
        "as in learning, it merges the pair that is most frequent in the word; 'the merge that was learned first'",
        """
         made = {pair: 256 + k for k, pair in enumerate(merges)}
         ids = list(word)
         while True:
             counts = Counter(p for p in pairwise(ids) if p in made)
             if not counts:
                 return ids
             best = min(counts, key=lambda p: (-counts[p], made[p]))
             ids = merge(ids, best, made[best])
         """,
    ),
    fill(
        "the zero byte is alone",
        "encode_word",
        "skips pairs with a 0 in them: `if a and b`",
        """
         made = {pair: 256 + k for k, pair in enumerate(merges)}
         ids = list(word)
         while found := [made[a, b] for a, b in pairwise(ids) if a and b and (a, b) in made]:
             new = min(found)
             ids = merge(ids, merges[new - 256], new)
         return ids
         """,
    ),
    fill(
        "each merge once",
        "encode_word",
        "goes through the merges and makes each at its first place only: the second ab of abab stays; 'As long as some pair "
        "of neighbors has a merge'",
        """
         ids = list(word)
         for k, pair in enumerate(merges):
             here = list(pairwise(ids))
             if pair in here:
                 i = here.index(pair)
                 ids[i : i + 2] = [256 + k]
         return ids
         """,
    ),
    fill(
        "as many rounds as halvings",
        "encode_word",
        "stops after len(word) // 2 + 1 rounds, as if each halved the word; a chain of merges needs more; 'As long as some "
        "pair of neighbors has a merge'",
        """
         made = {pair: 256 + k for k, pair in enumerate(merges)}
         ids = list(word)
         for _ in range(len(word) // 2 + 1):
             found = [p for p in pairwise(ids) if p in made]
             if not found:
                 break
             best = min(found, key=made.get)
             ids = merge(ids, best, made[best])
         return ids
         """,
    ),
    # ---------------------------------------------------------------- task 5
    fill(
        "from sign to sign",
        "decode",
        "decodes the bytes between special tokens piece by piece: a character around a skipped token breaks; 'Put the bytes "
        "of all ids side by side', 'a special token that is skipped has no bytes'",
        """
         table = [bytes([i]) for i in range(256)]
         for a, b in merges:
             table.append(table[a] + table[b])
         n, text, run = len(table), "", b""
         for index in ids:
             if not 0 <= index < n + len(special_tokens):
                 raise ValueError(f"there is no id {index}")
             if index < n:
                 run += table[index]
             else:
                 text += run.decode(errors="replace")
                 run = b""
                 text += "" if skip_special_tokens else special_tokens[index - n]
         return text + run.decode(errors="replace")
         """,
    ),
    fill(
        "names in ASCII",
        "decode",
        "name.encode('ascii'); 'A name may be in any script'",
        """
         table = [bytes([i]) for i in range(256)]
         for a, b in merges:
             table.append(table[a] + table[b])
         n = len(table)
         table += [b"" if skip_special_tokens else name.encode("ascii") for name in special_tokens]
         for index in ids:
             if index not in range(len(table)):
                 raise ValueError(f"there is no id {index}")
         return b"".join(table[i] for i in ids).decode("utf-8", errors="replace")
         """,
    ),
    fill(
        "counted from the end",
        "decode",
        "waits for an IndexError: -1 is the last entry; 'An id that there is not, a negative one too, is refused'",
        """
         table = [bytes([i]) for i in range(256)]
         for a, b in merges:
             table.append(table[a] + table[b])
         table += [b"" if skip_special_tokens else name.encode() for name in special_tokens]
         result = b""
         for index in ids:
             try:
                 result += table[index]
             except IndexError:
                 raise ValueError(f"there is no id {index}") from None
         return result.decode("utf-8", errors="replace")
         """,
    ),
    fill(
        "skipped, whatever it is",
        "decode",
        "skips all ids behind the merges before it looks whether they exist; 'whatever is skipped'",
        """
         table = [bytes([i]) for i in range(256)]
         for a, b in merges:
             table.append(table[a] + table[b])
         n = len(table)
         table += [name.encode() for name in special_tokens]
         result = bytearray()
         for index in ids:
             if skip_special_tokens and index >= n:
                 continue
             if index < 0 or index >= len(table):
                 raise ValueError(f"there is no id {index}")
             result += table[index]
         return result.decode(errors="replace")
         """,
    ),
    fill(
        "just one too far",
        "decode",
        "`index > len(table)`: the first id behind the last raises an IndexError; 'refused with a ValueError'",
        """
         table = [bytes([i]) for i in range(256)]
         for a, b in merges:
             table.append(table[a] + table[b])
         table += [b"" if skip_special_tokens else name.encode() for name in special_tokens]
         for index in ids:
             if index < 0 or index > len(table):
                 raise ValueError(f"there is no id {index}")
         return b"".join([table[index] for index in ids]).decode(errors="replace")
         """,
    ),
    fill(
        "bad bytes are left out",
        "decode",
        "errors='ignore'; 'Bytes that are no UTF-8 show as �'",
        """
         table = [bytes([i]) for i in range(256)]
         for a, b in merges:
             table.append(table[a] + table[b])
         table += [b"" if skip_special_tokens else name.encode() for name in special_tokens]
         for index in ids:
             if not 0 <= index < len(table):
                 raise ValueError(f"there is no id {index}")
         return b"".join([table[index] for index in ids]).decode(errors="ignore")
         """,
    ),
    fill(
        "names taken out of the text",
        "decode",
        "skips by text.replace(name, ''): a name that was typed, byte by byte, goes as well; it is text",
        """
         table = [bytes([i]) for i in range(256)]
         for a, b in merges:
             table.append(table[a] + table[b])
         table += [name.encode() for name in special_tokens]
         for index in ids:
             if not 0 <= index < len(table):
                 raise ValueError(f"there is no id {index}")
         text = b"".join(table[index] for index in ids).decode(errors="replace")
         if skip_special_tokens:
             for name in special_tokens:
                 text = text.replace(name, "")
         return text
         """,
    ),
    write(
        "a table for so many merges",
        "decode",
        "keeps the table by the number of merges; 'another call may come with other merges'",
        """
_tables = {}


def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    if len(merges) not in _tables:
        table = [bytes([i]) for i in range(256)]
        for a, b in merges:
            table.append(table[a] + table[b])
        _tables[len(merges)] = table
    table = _tables[len(merges)] + [name.encode() for name in special_tokens]
    for index in ids:
        if not 0 <= index < len(table):
            raise ValueError(f"there is no id {index}")
    if skip_special_tokens:
        ids = [i for i in ids if i < 256 + len(merges)]
    return b"".join(table[index] for index in ids).decode(errors="replace")
""",
    ),
    fill(
        "eats the ids",
        "decode",
        "ids.pop(0) until the list is empty; '`ids` and `merges` stay as they were'",
        """
         table = [bytes([i]) for i in range(256)]
         for a, b in merges:
             table.append(table[a] + table[b])
         table += [b"" if skip_special_tokens else name.encode() for name in special_tokens]
         result = b""
         while ids:
             index = ids.pop(0)
             if not 0 <= index < len(table):
                 raise ValueError(f"there is no id {index}")
             result += table[index]
         return result.decode(errors="replace")
         """,
    ),
    fill(
        "tidied up",
        "decode",
        "strip() at the end: spaces and line breaks are text; 'Return the text of the ids'",
        """
         table = {i: bytes([i]) for i in range(256)}
         for a, b in merges:
             table[len(table)] = table[a] + table[b]
         for name in special_tokens:
             table[len(table)] = b"" if skip_special_tokens else name.encode()
         for index in ids:
             if index not in table:
                 raise ValueError(f"unknown id: {index}")
         return b"".join(table[i] for i in ids).decode("utf-8", "replace").strip()
         """,
    ),
    fill(
        "which id it does not say",
        "decode",
        "a ValueError for negative ids that names no id; 'whose message has the id in it'",
        """
         table = {i: bytes([i]) for i in range(256)}
         for a, b in merges:
             table[len(table)] = table[a] + table[b]
         for name in special_tokens:
             table[len(table)] = b"" if skip_special_tokens else name.encode()
         if any(i < 0 for i in ids):
             raise ValueError("ids must not be negative")
         try:
             return b"".join(table[i] for i in ids).decode("utf-8", "replace")
         except KeyError as error:
             raise ValueError(f"unknown id: {error}") from None
         """,
    ),
    # ---------------------------------------------------------------- task 6
    fill(
        "number among the allowed",
        "encode",
        "256 + merges + the place in allowed_special; 'The id of special_tokens[j] is 256 + len(merges) + j'",
        """
         names = sorted(allowed_special, key=len, reverse=True)
         pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text) if names else [text]
         ids = []
         for piece in pieces:
             if piece in allowed_special:
                 ids.append(256 + len(merges) + list(allowed_special).index(piece))
             else:
                 for word in split_words(piece):
                     ids += encode_word(word.encode(), merges)
         return ids
         """,
    ),
    fill(
        "longest name first, everywhere",
        "encode",
        "cuts the text at the longest name first, then at the next: of ab and bcd in abcd it takes bcd; 'where names "
        "overlap otherwise, the one that begins first'",
        """
         pieces = [text]
         for name in sorted(allowed_special, key=len, reverse=True):
             cut = []
             for piece in pieces:
                 if isinstance(piece, int):
                     cut.append(piece)
                     continue
                 for n, part in enumerate(piece.split(name)):
                     if n:
                         cut.append(256 + len(merges) + special_tokens.index(name))
                     cut.append(part)
             pieces = cut
         ids = []
         for piece in pieces:
             if isinstance(piece, int):
                 ids.append(piece)
             else:
                 for word in split_words(piece):
                     ids += encode_word(word.encode(), merges)
         return ids
         """,
    ),
    fill(
        "only the bar is escaped",
        "encode",
        "escapes | by hand; other signs of a pattern, such as . + [ (, stay: the name a.c is found in abc",
        """
         names = sorted(allowed_special, key=len, reverse=True)
         pattern = "|".join(name.replace("|", "[|]").replace("?", "[?]").replace("*", "[*]").replace("(", "[(]").replace(")", "[)]").replace("+", "[+]") for name in names)
         ids, place = [], 0

         def plain(piece):
             for word in split_words(piece):
                 ids.extend(encode_word(word.encode(), merges))

         for found in re.finditer(pattern, text) if names else ():
             plain(text[place : found.start()])
             name = found.group()
             ids.append(256 + len(merges) + (special_tokens.index(name) if name in special_tokens else 0))
             place = found.end()
         plain(text[place:])
         return ids
         """,
    ),
    fill(
        "empty pieces and blank ones",
        "encode",
        "leaves out pieces for which strip() is empty, so a space between two names is lost; 'with every space: nothing is "
        "stripped'",
        """
         names = sorted(allowed_special, key=len, reverse=True)
         pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text) if names else [text]
         ids = []
         for piece in pieces:
             if not piece.strip():
                 continue
             if piece in names:
                 ids.append(256 + len(merges) + special_tokens.index(piece))
             else:
                 for word in split_words(piece):
                     ids += encode_word(word.encode(), merges)
         return ids
         """,
    ),
    fill(
        "pieces as words",
        "encode",
        "encodes each piece in one go, without split_words: merges reach over the border of words; 'split_words(text) cuts "
        "it'",
        """
         names = sorted(allowed_special, key=len, reverse=True)
         pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text) if names else [text]
         ids = []
         for piece in pieces:
             if piece in names:
                 ids.append(256 + len(merges) + special_tokens.index(piece))
             else:
                 ids += encode_word(piece.encode(), merges)
         return ids
         """,
    ),
    fill(
        "cut at every name",
        "encode",
        "cuts at all special tokens and asks then whether they are allowed: <s>> hides an allowed <s>, and text is cut "
        "where nobody allowed it; 'All other names are text like any other'",
        """
         names = sorted(special_tokens, key=len, reverse=True)
         pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text) if names else [text]
         ids = []
         for piece in pieces:
             if piece in allowed_special:
                 ids.append(256 + len(merges) + special_tokens.index(piece))
             else:
                 for word in split_words(piece):
                     ids += encode_word(word.encode(), merges)
         return ids
         """,
    ),
    fill(
        "composed first",
        "encode",
        "unicodedata.normalize: e + accent becomes é; 'nothing is stripped, normalized or made small'",
        """
         import unicodedata
         text = unicodedata.normalize("NFC", text)
         names = sorted(allowed_special, key=len, reverse=True)
         pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text) if names else [text]
         ids = []
         for piece in pieces:
             if piece in names:
                 ids.append(256 + len(merges) + special_tokens.index(piece))
             else:
                 for word in split_words(piece):
                     ids += encode_word(word.encode(), merges)
         return ids
         """,
    ),
    fill(
        "each name once",
        "encode",
        "partition at the first name, the rest is text: a second name stays spelled out; 'A name in the text becomes its id'",
        """
         names = sorted(allowed_special, key=len, reverse=True)
         pieces = re.split("(" + "|".join(map(re.escape, names)) + ")", text, maxsplit=len(names)) if names else [text]
         ids = []
         for n, piece in enumerate(pieces):
             if n % 2:
                 ids.append(256 + len(merges) + special_tokens.index(piece))
             else:
                 for word in split_words(piece):
                     ids += encode_word(word.encode(), merges)
         return ids
         """,
    ),
    fill(
        "big or small alike",
        "encode",
        "re.IGNORECASE: <|END|> counts as <|end|>; 'The text is taken as it is', another name is text",
        """
         names = sorted(allowed_special, key=len, reverse=True)
         numbers = {name.lower(): 256 + len(merges) + j for j, name in reversed(list(enumerate(special_tokens)))}
         pattern = "(" + "|".join(map(re.escape, names)) + ")"
         pieces = re.split(pattern, text, flags=re.IGNORECASE) if names else [text]
         ids = []
         for n, piece in enumerate(pieces):
             if n % 2:
                 ids.append(numbers[piece.lower()])
             else:
                 for word in split_words(piece):
                     ids += encode_word(word.encode(), merges)
         return ids
         """,
    ),
    fill(
        "words cut before the names",
        "encode",
        "replaces names by one private character and runs split_words over the whole text: a space behind a name, or two "
        "words around it, are cut otherwise; 'first cut at the names, then each piece with split_words'",
        """
         names = sorted(allowed_special, key=len, reverse=True)
         signs = {chr(0xE000 + special_tokens.index(name)): 256 + len(merges) + special_tokens.index(name) for name in names}
         if names:
             pattern = "|".join(map(re.escape, names))
             text = re.sub(pattern, lambda m: chr(0xE000 + special_tokens.index(m.group())), text)
         ids = []
         for word in split_words(text):
             run = ""
             for c in word:
                 if c in signs:
                     ids += encode_word(run.encode(), merges) + [signs[c]]
                     run = ""
                 else:
                     run += c
             ids += encode_word(run.encode(), merges)
         return ids
         """,
    ),
    # ---------------------------------------------------------------- task 7
    fill(
        "the largest row",
        "collate",
        "len(max(rows)): the largest list, as Python orders lists, is not the longest; 'T is the length of the longest row'",
        """
         T = len(max(rows))
         ids = torch.full((len(rows), T), pad_id, dtype=torch.int64)
         mask = torch.zeros(len(rows), T, dtype=torch.bool)
         for b, row in enumerate(rows):
             ids[b, : len(row)] = torch.tensor(row, dtype=torch.int64)
             mask[b, : len(row)] = True
         return ids, mask
         """,
    ),
    fill(
        "rows filled up",
        "collate",
        "row.extend with pad_id: the rows of the caller grow; 'The rows stay as they were'",
        """
         T = max(len(row) for row in rows)
         lengths = torch.tensor([len(row) for row in rows])
         for row in rows:
             row.extend([pad_id] * (T - len(row)))
         return torch.tensor(rows, dtype=torch.int64), torch.arange(T) < lengths[:, None]
         """,
    ),
    write(
        "one sheet for all calls",
        "collate",
        "reuses tensors of the same shape: those of an earlier call change; 'and so do the tensors of an earlier call'",
        """
_sheets = {}


def collate(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    shape = len(rows), max(map(len, rows))
    if shape not in _sheets:
        _sheets[shape] = torch.empty(shape, dtype=torch.int64), torch.empty(shape, dtype=torch.bool)
    ids, mask = _sheets[shape]
    ids.fill_(pad_id)
    mask.fill_(False)
    for b, row in enumerate(rows):
        ids[b, : len(row)] = torch.tensor(row, dtype=torch.int64)
        mask[b, : len(row)] = True
    return ids, mask
""",
    ),
    fill(
        "an empty row is float",
        "collate",
        "torch.tensor([]) is float32, and so is the stack; 'ids is torch.int64', 'A row may be empty'",
        """
         T = max(len(row) for row in rows)
         pad = torch.nn.functional.pad
         ids = torch.stack([pad(torch.tensor(row), (0, T - len(row)), value=pad_id) for row in rows])
         mask = torch.arange(T)[None, :] < torch.tensor([len(row) for row in rows])[:, None]
         return ids, mask
         """,
    ),
    fill(
        "zeros become padding",
        "collate",
        "begins with zeros and replaces all 0 by pad_id: a real id 0 goes, too; 'each row's ids from the left'",
        """
         T = max(len(row) for row in rows)
         ids = torch.zeros(len(rows), T, dtype=torch.int64)
         for b, row in enumerate(rows):
             ids[b, : len(row)] = torch.tensor(row, dtype=torch.int64)
         ids[ids == 0] = pad_id
         mask = torch.arange(T) < torch.tensor([len(row) for row in rows]).unsqueeze(1)
         return ids, mask
         """,
    ),
    fill(
        "one row is flat",
        "collate",
        "squeeze(): one row gives (T,); 'One row is a batch, (1, T)'",
        """
         T = max(len(row) for row in rows)
         ids = torch.tensor([row + [pad_id] * (T - len(row)) for row in rows], dtype=torch.int64)
         mask = torch.tensor([[True] * len(row) + [False] * (T - len(row)) for row in rows])
         return ids.squeeze(), mask.squeeze()
         """,
    ),
    fill(
        "by way of float32",
        "collate",
        "fills a float32 sheet and converts at the end: ids from 2^24 on are rounded; 'each row's ids'",
        """
         T = max(len(row) for row in rows)
         sheet = torch.ones(len(rows), T) * pad_id
         mask = torch.zeros(len(rows), T)
         for b, row in enumerate(rows):
             sheet[b, : len(row)] = torch.tensor(row)
             mask[b, : len(row)] = 1
         return sheet.long(), mask.bool()
         """,
    ),
    fill(
        "minus one marks the holes",
        "collate",
        "fills with -1, makes the mask of it and then replaces it: with pad_id = -1 a real -1 is a hole; 'A row may hold "
        "pad_id as a real id, and then the mask is True there'",
        """
         T = max(len(row) for row in rows)
         ids = torch.tensor([row + [-1] * (T - len(row)) for row in rows], dtype=torch.int64)
         mask = ids != -1
         return ids.masked_fill(~mask, pad_id), mask
         """,
    ),
    fill(
        "an empty row has one place",
        "collate",
        "max(len(row), 1) as the length of a row: the mask of an empty row has a True; 'position t of a row is real if t < "
        "len(row)', 'A row may be empty'",
        """
         lengths = torch.tensor([max(len(row), 1) for row in rows])
         T = int(lengths.max())
         ids = torch.full((len(rows), T), pad_id)
         for b, row in enumerate(rows):
             ids[b, : len(row)] = torch.as_tensor(row, dtype=torch.long)
         return ids, torch.arange(T) < lengths[:, None]
         """,
    ),
    fill(
        "empty rows are left out",
        "collate",
        "filters empty rows: B shrinks; 'A row may be empty', shape (B, T)",
        """
         rows = [row for row in rows if row]
         T = max(map(len, rows))
         ids = torch.full((len(rows), T), pad_id, dtype=torch.int64)
         mask = torch.zeros_like(ids, dtype=torch.bool)
         for b, row in enumerate(rows):
             ids[b, : len(row)] = torch.tensor(row)
             mask[b, : len(row)] = True
         return ids, mask
         """,
    ),
]

RIGHT = [
    # ---------------------------------------------------------------- task 1
    fill(
        "counters added up",
        "count_pairs",
        "a Counter for each word, and sums by dictionary comprehension",
        """
         found = [(Counter(zip(word, word[1:])), n) for word, n in words.items()]
         return {pair: sum(c[pair] * n for c, n in found) for pair in set().union(*(c for c, n in found))}
         """,
    ),
    fill(
        "sorted and grouped",
        "count_pairs",
        "a flat list of (pair, n), sorted and grouped",
        """
         from itertools import groupby
         flat = sorted((word[i : i + 2], n) for word, n in words.items() for i in range(len(word) - 1))
         return {pair: sum(n for _, n in group) for pair, group in groupby(flat, key=lambda each: each[0])}
         """,
    ),
    write(
        "recursion and a default",
        "count_pairs",
        "a recursive walk into a dictionary with setdefault",
        """
def count_pairs(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    counts = {}

    def walk(word, n, i):
        while i + 1 < len(word):
            counts.setdefault((word[i], word[i + 1]), []).append(n)
            i += 1

    for word in words:
        walk(word, words[word], 0)
    return {pair: sum(numbers) for pair, numbers in counts.items()}
""",
    ),
    # ---------------------------------------------------------------- task 2
    fill(
        "one after the other with a hand",
        "merge",
        "an iterator with one id held back (None: nothing held)",
        """
         result, held = [], None
         for each in ids:
             if held is None:
                 held = each
             elif held == pair[0] and each == pair[1]:
                 result.append(new_id)
                 held = None
             else:
                 result.append(held)
                 held = each
         return result if held is None else result + [held]
         """,
    ),
    fill(
        "text with borders",
        "merge",
        "replace in a text in which each id has brackets, which goes from the left",
        """
         text = "".join(f"<{i}>" for i in ids).replace("<{}><{}>".format(*pair), f"<{new_id}>")
         return [int(part) for part in re.findall(r"<(-?\\d+)>", text)]
         """,
    ),
    fill(
        "backwards with a deque",
        "merge",
        "places found first, from the left, then cut out from the right of a copy",
        """
         places, free = [], 0
         for i in range(len(ids) - 1):
             if i >= free and ids[i] == pair[0] and ids[i + 1] == pair[1]:
                 places.append(i)
                 free = i + 2
         result = ids.copy()
         for i in reversed(places):
             result[i : i + 2] = (new_id,)
         return result
         """,
    ),
    # ---------------------------------------------------------------- task 3
    fill(
        "sorted every time",
        "learn",
        "lists of pairs [ids, n], sorted by two keys, its own merge",
        """
         current, merges = [(list(word), n) for word, n in words.items()], []
         while len(merges) < n_merges:
             counts = Counter()
             for ids, n in current:
                 for two in zip(ids, ids[1:]):
                     counts.update({two: n})
             ranking = sorted(sorted(counts), key=counts.__getitem__, reverse=True)
             if not ranking:
                 break
             current = [(merge(ids, ranking[0], 256 + len(merges)), n) for ids, n in current]
             merges.append(ranking[0])
         return merges
         """,
    ),
    fill(
        "counts kept up to date",
        "learn",
        "subtracts the pairs of changed words and adds those of the new ones",
        """
         current = {tuple(word): n for word, n in words.items()}
         counts, merges = Counter(count_pairs(current)), []
         for new in range(256, 256 + n_merges):
             alive = [pair for pair, n in counts.items() if n > 0]
             if not alive:
                 return merges
             most = max(counts[pair] for pair in alive)
             best = min(pair for pair in alive if counts[pair] == most)
             merges += [best]
             for word in [w for w in current if best in set(pairwise(w))]:
                 n = current.pop(word)
                 counts.subtract(count_pairs({word: n}))
                 shorter = tuple(merge(list(word), best, new))
                 counts.update(count_pairs({shorter: n}))
                 current[shorter] = n
         return merges
         """,
    ),
    write(
        "a generator of merges",
        "learn",
        "islice over an endless generator, heapq for the best",
        """
def _merges_of(words):
    import heapq
    from itertools import count

    current = [(tuple(word), n) for word, n in words.items() if len(word) > 1]
    for new in count(256):
        total = {}
        for word, n in current:
            for pair in pairwise(word):
                total[pair] = total.get(pair, 0) + n
        if not total:
            return
        heap = [(-n, pair) for pair, n in total.items()]
        heapq.heapify(heap)
        best = heap[0][1]
        yield best
        current = [(tuple(merge(list(word), best, new)), n) for word, n in current]


def learn(words: dict[bytes, int], n_merges: int) -> list[tuple[int, int]]:
    from itertools import islice

    return list(islice(_merges_of(dict(words)), n_merges))
""",
    ),
    # ---------------------------------------------------------------- task 4
    fill(
        "through the history",
        "encode_word",
        "all merges, one after the other: a later merge never makes an earlier pair",
        """
         ids = [*word]
         for new, pair in enumerate(merges, start=256):
             if len(ids) > 1:
                 ids = merge(ids, pair, new)
         return ids
         """,
    ),
    fill(
        "one place at a time",
        "encode_word",
        "the leftmost place of the smallest rank, one merge in each round",
        """
         made = {pair: k for k, pair in enumerate(merges)}
         never = len(merges)
         ids = list(word)
         while len(ids) > 1:
             ranks = [made.get((ids[i], ids[i + 1]), never) for i in range(len(ids) - 1)]
             k = min(ranks)
             if k == never:
                 break
             i = ranks.index(k)
             ids = ids[:i] + [256 + k] + ids[i + 2 :]
         return ids
         """,
    ),
    write(
        "recursion by rank",
        "encode_word",
        "calls itself with a tuple until nothing has a merge; list.index for the rank",
        """
def encode_word(word: bytes, merges: list[tuple[int, int]]) -> list[int]:
    def go_on(ids, first):
        here = set(zip(ids, ids[1:]))
        for k in range(first, len(merges)):
            if tuple(merges[k]) in here:
                return go_on(merge(ids, merges[k], 256 + k), k + 1)
        return ids

    return go_on(list(bytearray(word)), 0)
""",
    ),
    # ---------------------------------------------------------------- task 5
    fill(
        "an incremental decoder",
        "decode",
        "codecs' decoder with state, fed id by id",
        """
         import codecs
         feed = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
         spelled = {i: bytes((i,)) for i in range(256)}
         for k, (left, right) in enumerate(merges):
             spelled[256 + k] = spelled[left] + spelled[right]
         for j, name in enumerate(special_tokens):
             spelled[256 + len(merges) + j] = b"" if skip_special_tokens else name.encode("utf-8")
         wrong = [i for i in ids if i not in spelled]
         if wrong:
             raise ValueError("no such id: " + str(wrong[0]))
         return "".join(map(feed, map(spelled.get, ids))) + feed(b"", True)
         """,
    ),
    fill(
        "unfolded with a stack",
        "decode",
        "no table: each id is unfolded down to its bytes with a stack",
        """
         n = 256 + len(merges)
         out = bytearray()
         for index in ids:
             if index < 0 or index >= n + len(special_tokens):
                 raise ValueError(f"id {index} is not in the vocabulary")
             if index >= n:
                 if not skip_special_tokens:
                     out.extend(special_tokens[index - n].encode())
                 continue
             stack = [index]
             while stack:
                 top = stack.pop()
                 if top < 256:
                     out.append(top)
                 else:
                     left, right = merges[top - 256]
                     stack += [right, left]
         return str(out, "utf-8", "replace")
         """,
    ),
    write(
        "a helper class",
        "decode",
        "a Vocabulary with __getitem__ and __len__, checks in one pass before decoding",
        """
class Vocabulary:
    def __init__(self, merges, names):
        self.table = [i.to_bytes(1, "big") for i in range(256)]
        for left, right in merges:
            self.table.append(b"".join((self.table[left], self.table[right])))
        self.n_text = len(self.table)
        self.table.extend(bytes(name, "utf-8") for name in names)

    def __getitem__(self, index):
        if index not in range(len(self.table)):
            raise ValueError(index)
        return self.table[index]


def decode(
    ids: list[int],
    merges: list[tuple[int, int]],
    special_tokens: tuple[str, ...] = (),
    skip_special_tokens: bool = False,
) -> str:
    vocabulary = Vocabulary(merges, special_tokens)
    pairs = [(index, vocabulary[index]) for index in ids]
    shown = [piece for index, piece in pairs if not (skip_special_tokens and index >= vocabulary.n_text)]
    return b"".join(shown).decode("utf-8", "replace")
""",
    ),
    # ---------------------------------------------------------------- task 6
    fill(
        "walks through the text",
        "encode",
        "place by place with startswith, the longest name first",
        """
         ids, begin, place = [], 0, 0
         names = sorted(allowed_special, key=lambda name: -len(name))

         def flush(end):
             for word in split_words(text[begin:end]):
                 ids.extend(encode_word(word.encode("utf-8"), merges))

         while place < len(text):
             for name in names:
                 if text.startswith(name, place):
                     flush(place)
                     ids.append(256 + len(merges) + special_tokens.index(name))
                     place = begin = place + len(name)
                     break
             else:
                 place += 1
         flush(len(text))
         return ids
         """,
    ),
    fill(
        "the earliest find, by recursion",
        "encode",
        "str.find for all names; the smallest (place, -length); the rest by itself",
        """
         found = [(text.find(name), -len(name), name) for name in allowed_special if name in text]
         if not found:
             return [i for word in split_words(text) for i in encode_word(bytes(word, "utf-8"), merges)]
         place, _, name = min(found)
         before = encode(text[:place], merges)
         sign = 256 + len(merges) + list(special_tokens).index(name)
         return before + [sign] + encode(text[place + len(name) :], merges, special_tokens, allowed_special)
         """,
    ),
    fill(
        "backwards by the alphabet",
        "encode",
        "re.finditer, names in falling order: a longer one stands before its beginning",
        """
         numbers = dict(zip(special_tokens, range(256 + len(merges), 256 + len(merges) + len(special_tokens))))
         spans = []
         if allowed_special:
             pattern = re.compile("|".join(re.escape(name) for name in sorted(set(allowed_special), reverse=True)))
             spans = [(m.start(), m.end()) for m in pattern.finditer(text)]
         ids, begin = [], 0
         for start, end in [*spans, (len(text), None)]:
             for word in split_words(text[begin:start]):
                 ids += encode_word(word.encode(), merges)
             if end is not None:
                 ids += [numbers[text[start:end]]]
                 begin = end
         return ids
         """,
    ),
    # ---------------------------------------------------------------- task 7
    fill(
        "lists side by side",
        "collate",
        "zip_longest with a sentinel; both tensors from Python lists",
        """
         from itertools import zip_longest
         nothing = object()
         columns = list(zip_longest(*rows, fillvalue=nothing))
         rectangle = list(zip(*columns))
         ids = torch.tensor([[pad_id if i is nothing else i for i in row] for row in rectangle], dtype=torch.long)
         mask = torch.tensor([[i is not nothing for i in row] for row in rectangle], dtype=torch.bool)
         return ids, mask
         """,
    ),
    fill(
        "masked_scatter",
        "collate",
        "the mask first, from the lengths, then all ids in one go to its True places",
        """
         lengths = torch.tensor([len(row) for row in rows])
         mask = torch.arange(int(lengths.max())).expand(len(rows), -1) < lengths.view(-1, 1)
         flat = torch.tensor([i for row in rows for i in row], dtype=torch.int64)
         ids = torch.full(mask.shape, pad_id, dtype=torch.int64).masked_scatter(mask, flat)
         return ids, mask
         """,
    ),
    fill(
        "numpy sheets",
        "collate",
        "NumPy arrays of int64 and bool, filled row by row, then from_numpy",
        """
         import numpy as np
         T = max(len(row) for row in rows)
         ids = np.full((len(rows), T), pad_id, dtype=np.int64)
         mask = np.zeros(ids.shape, dtype=bool)
         for b, row in enumerate(rows):
             ids[b, : len(row)] = row
             mask[b, : len(row)] = True
         return torch.from_numpy(ids), torch.from_numpy(mask)
         """,
    ),
]
