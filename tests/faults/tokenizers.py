"""Answers to the assignment `tokenizers`: plausible and wrong, or right in another style."""

from . import edit, fill, write

BEST = "min(counts, key=lambda pair: (-counts[pair], pair))"
AGAIN = "ids = {tuple(merge(list(word), best, new_id)): n for word, n in ids.items()}"
STEP = "if tuple(ids[i : i + 2]) == pair:"
FIRST = "min(known, key=new_ids.get)"
REPLACE = 'b"".join(pieces).decode("utf-8", errors="replace")'
RANGE = "if not 0 <= index < len(table):"
SORTED = "sorted(allowed_special, key=len, reverse=True)"
MASK = "torch.arange(n) < lengths[:, None]"

WRONG = [
    # Task 1
    edit("one for each word", "count_pairs", "the word's number is ignored", ("+= n", "+= 1")),
    edit(
        "last pair left out",
        "count_pairs",
        "off by one",
        ("pairwise(word)", "pairwise(word[:-1])"),
    ),
    edit(
        "each pair once a word",
        "count_pairs",
        "a set of pairs",
        ("pairwise(word)", "set(pairwise(word))"),
    ),
    fill(
        "no overlaps",
        "count_pairs",
        "equal neighbors are counted as they are merged",
        """
        counts = Counter()
        for word, n in words.items():
            last = None
            for place, pair in enumerate(pairwise(word)):
                if last == (pair, place - 1) and pair[0] == pair[1]:
                    last = None
                    continue
                counts[pair] += n
                last = (pair, place)
        return counts
        """,
    ),
    edit(
        "smaller id first",
        "count_pairs",
        "neighbors without a direction",
        ("counts[pair] += n", "counts[min(pair), max(pair)] += n"),
    ),
    fill(
        "across words",
        "count_pairs",
        "one long text",
        """
        ids = [index for word, n in words.items() for _ in range(n) for index in word]
        return Counter(pairwise(ids))
        """,
    ),
    fill(
        "single ids",
        "count_pairs",
        "a single id is a pair with itself",
        """
        counts = Counter()
        for word, n in words.items():
            for i in range(len(word)):
                if i + 1 < len(word):
                    counts[word[i], word[i + 1]] += n
                elif len(word) == 1:
                    counts[word[i], word[i]] += n
        return counts
        """,
    ),
    # Task 2
    edit(
        "only the first one",
        "merge",
        "stops too early",
        ("i += 2", "return merged + list(ids[i + 2 :])"),
    ),
    fill(
        "from the right",
        "merge",
        "right unless pairs overlap",
        """
        merged, i = [], len(ids)
        while i > 0:
            if tuple(ids[max(i - 2, 0) : i]) == pair:
                merged.append(new_id)
                i -= 2
            else:
                merged.append(ids[i - 1])
                i -= 1
        return merged[::-1]
        """,
    ),
    fill(
        "search in text",
        "merge",
        "1 2 is found in 11 2",
        """
        text = " ".join(map(str, ids)).replace(f"{pair[0]} {pair[1]}", str(new_id))
        return [int(word) for word in text.split()]
        """,
    ),
    fill(
        "merges what it made",
        "merge",
        "a stack",
        """
        merged = []
        for index in ids:
            merged.append(index)
            while tuple(merged[-2:]) == pair:
                merged[-2:] = [new_id]
        return merged
        """,
    ),
    fill(
        "in place",
        "merge",
        "changes its argument",
        """
        i = 0
        while i < len(ids) - 1:
            if (ids[i], ids[i + 1]) == pair:
                ids[i : i + 2] = [new_id]
            i += 1
        return ids
        """,
    ),
    fill(
        "each overlapping one",
        "merge",
        "all places found first, an id used twice",
        """
        places = {i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == pair}
        merged = []
        for i, index in enumerate(ids):
            if i in places:
                merged.append(new_id)
            elif i - 1 not in places:
                merged.append(index)
        return merged
        """,
    ),
    # Task 3
    edit(
        "ties by appearance",
        "learn",
        "max takes the first",
        (BEST, "max(counts, key=counts.get)"),
    ),
    edit(
        "ties by the largest",
        "learn",
        "one max for both",
        (BEST, "max(counts, key=lambda pair: (counts[pair], pair))"),
    ),
    edit(
        "counts made once",
        "learn",
        "the most frequent pairs of the beginning",
        (
            "        counts = count_pairs(ids)\n",
            "        counts = count_pairs(ids) if new_id == 256 else counts\n"
            "        for done in merges:\n            counts.pop(done, None)\n",
        ),
    ),
    edit("ids from 257", "learn", "off by one", (AGAIN, AGAIN.replace("new_id)", "new_id + 1)"))),
    edit(
        "never a single one",
        "learn",
        "a pair that occurs once is left alone",
        ("if not counts:", "if not counts or max(counts.values()) < 2:"),
    ),
    edit(
        "words count once",
        "learn",
        "their numbers are lost",
        ("tuple(word): n for", "tuple(word): 1 for"),
    ),
    edit("runs out", "learn", "the smallest of nothing", ("if not counts:", "if new_id < 0:")),
    fill(
        "ties by spelling",
        "learn",
        "compares bytes where ids were asked for",
        """
        table = [bytes([i]) for i in range(256)]
        ids = {tuple(word): n for word, n in words.items()}
        merges = []
        for new_id in range(256, 256 + n_merges):
            counts = count_pairs(ids)
            if not counts:
                break
            best = min(counts, key=lambda p: (-counts[p], table[p[0]], table[p[1]]))
            merges.append(best)
            table.append(table[best[0]] + table[best[1]])
            ids = {tuple(merge(list(word), best, new_id)): n for word, n in ids.items()}
        return merges
        """,
    ),
    fill(
        "letters only",
        "learn",
        "merges nothing that is not ASCII",
        """
        ids = {tuple(word): n for word, n in words.items() if word.isascii()}
        merges = []
        for new_id in range(256, 256 + n_merges):
            counts = count_pairs(ids)
            if not counts:
                break
            best = min(counts, key=lambda pair: (-counts[pair], pair))
            merges.append(best)
            ids = {tuple(merge(list(word), best, new_id)): n for word, n in ids.items()}
        return merges
        """,
    ),
    # Task 4
    edit("from the left", "encode_word", "the first pair that fits", (FIRST, "known[0]")),
    edit(
        "learned last first",
        "encode_word",
        "the largest id",
        (FIRST, "max(known, key=new_ids.get)"),
    ),
    edit(
        "most frequent in the word",
        "encode_word",
        "the rule of learning, used for encoding",
        (FIRST, "max(known, key=known.count)"),
    ),
    fill(
        "longest piece",
        "encode_word",
        "greedy over the vocabulary",
        """
        table = [bytes([i]) for i in range(256)]
        for first, second in merges:
            table.append(table[first] + table[second])
        ids, place = [], 0
        while place < len(word):
            fitting = [i for i, t in enumerate(table) if word.startswith(t, place)]
            ids.append(max(fitting, key=lambda i: len(table[i])))
            place += len(table[ids[-1]])
        return ids
        """,
    ),
    fill(
        "one of each",
        "encode_word",
        "each merge is made once",
        """
        ids = list(word)
        for k, pair in enumerate(merges):
            for i in range(len(ids) - 1):
                if (ids[i], ids[i + 1]) == pair:
                    ids[i : i + 2] = [256 + k]
                    break
        return ids
        """,
    ),
    edit(
        "bytes only",
        "encode_word",
        "what was merged is not looked at again",
        ("if pair in new_ids]", "if pair in new_ids and max(pair) < 256]"),
    ),
    edit(
        "by the size of the pair",
        "encode_word",
        "smallest ids, not smallest new id",
        (FIRST, "min(known)"),
    ),
    # Task 5
    edit(
        "errors ignored",
        "decode",
        "half characters vanish",
        ('errors="replace"', 'errors="ignore"'),
    ),
    edit(
        "one by one",
        "decode",
        "each id decoded alone",
        (REPLACE, '"".join(piece.decode("utf-8", errors="replace") for piece in pieces)'),
    ),
    edit("strict", "decode", "half a character is an error", (', errors="replace"', "")),
    edit("Latin-1", "decode", "a byte is a character", ('"utf-8", errors="replace"', '"latin-1"')),
    edit(
        "negative ids",
        "decode",
        "counted from the end",
        (RANGE, "if index >= len(table):"),
    ),
    edit(
        "skips silently",
        "decode",
        "an unknown id is nothing",
        ('raise ValueError(f"ids must lie in 0…{len(table) - 1}, got {index}")', "continue"),
    ),
    edit(
        "skipped ids unchecked",
        "decode",
        "all behind the text is special",
        (
            RANGE,
            f"if skip_special_tokens and index >= n_text:\n            continue\n        {RANGE}",
        ),
    ),
    fill(
        "names taken out of the text",
        "decode",
        "text that reads like a name is lost as well",
        """
        table = [bytes([i]) for i in range(256)]
        for first, second in merges:
            table.append(table[first] + table[second])
        table += [name.encode() for name in special_tokens]
        for index in ids:
            if not 0 <= index < len(table):
                raise ValueError(f"no token has the id {index}")
        text = b"".join(table[index] for index in ids).decode("utf-8", errors="replace")
        if skip_special_tokens:
            for name in special_tokens:
                text = text.replace(name, "")
        return text
        """,
    ),
    edit(
        "names sorted",
        "decode",
        "another order of names",
        ("for name in special_tokens", "for name in sorted(special_tokens)"),
    ),
    # Task 6
    edit(
        "all names allowed",
        "encode",
        "text becomes a sign",
        ("if allowed_special:", "if special_tokens:"),
        (SORTED, "sorted(special_tokens, key=len, reverse=True)"),
    ),
    edit(
        "one allowed, all allowed",
        "encode",
        "a switch instead of a list",
        (SORTED, "sorted(special_tokens, key=len, reverse=True)"),
    ),
    edit(
        "place among the allowed",
        "encode",
        "the id depends on the call",
        ("special_tokens.index(part)", "allowed_special.index(part)"),
    ),
    edit("no longest first", "encode", "as they come", (SORTED, "allowed_special")),
    edit(
        "uncut",
        "encode",
        "merges reach over words",
        ("for word in split_words(part):", "for word in [part]:"),
    ),
    edit(
        "split at spaces",
        "encode",
        "the spaces are lost",
        ("split_words(part)", "part.split()"),
    ),
    edit(
        "patterns",
        "encode",
        "names not escaped",
        ("map(re.escape, longest_first)", "longest_first"),
    ),
    edit(
        "escaped by hand",
        "encode",
        "only the bar",
        ("map(re.escape, longest_first)", '(name.replace("|", "[|]") for name in longest_first)'),
    ),
    # Task 7
    edit("upside down", "collate", "True = padding", (MASK, MASK.replace("<", ">="))),
    edit("mask from the ids", "collate", "a real pad_id is hidden", (MASK, "ids != pad_id")),
    edit("zeros", "collate", "pad_id ignored", ("n), pad_id)", "n), 0)")),
    edit("numbers", "collate", "a mask of 0 and 1", (MASK, f"({MASK}).long()")),
    edit(
        "left",
        "collate",
        "padding before the ids",
        ("ids[b, : len(row)]", "ids[b, n - len(row) :]"),
        (MASK, "torch.arange(n) >= n - lengths[:, None]"),
    ),
    fill(
        "rows filled up",
        "collate",
        "changes its argument",
        """
        lengths = [len(row) for row in rows]
        for row in rows:
            row += [pad_id] * (max(lengths) - len(row))
        mask = torch.tensor([[t < m for t in range(max(lengths))] for m in lengths])
        return torch.tensor(rows), mask
        """,
    ),
    edit(
        "mask stops at padding",
        "collate",
        "trailing pad_ids are taken for padding",
        (
            MASK,
            "(ids != pad_id).flip(1).cummax(1).values.flip(1)",
        ),
    ),
    edit(
        "no empty row",
        "collate",
        "a length of 0 made 1",
        ("len(row) for row in rows]", "max(1, len(row)) for row in rows]"),
    ),
]

RIGHT = [
    fill(
        "index by index",
        "count_pairs",
        "a plain dictionary",
        """
        counts = {}
        for word in words:
            for i in range(len(word) - 1):
                pair = word[i], word[i + 1]
                counts[pair] = counts.get(pair, 0) + words[word]
        return counts
        """,
    ),
    fill(
        "sum of Counters",
        "count_pairs",
        "each word's pairs, times its number",
        """
        total = Counter()
        for word, n in words.items():
            total.update({pair: n * k for pair, k in Counter(zip(word, word[1:])).items()})
        return total
        """,
    ),
    fill(
        "copy, then splice",
        "merge",
        "a for loop would not do",
        """
        merged, i = list(ids), 0
        while i + 1 < len(merged):
            if (merged[i], merged[i + 1]) == pair:
                merged[i : i + 2] = [new_id]
            i += 1
        return merged
        """,
    ),
    fill(
        "an iterator",
        "merge",
        "holds one id back",
        """
        merged, waiting = [], None
        for index in ids:
            if waiting is not None and (waiting, index) == pair:
                merged.append(new_id)
                waiting = None
                continue
            if waiting is not None:
                merged.append(waiting)
            waiting = index
        return merged if waiting is None else [*merged, waiting]
        """,
    ),
    fill(
        "sorted counts",
        "learn",
        "lists of words, a helper within",
        """
        items = [(list(word), n) for word, n in words.items()]
        found = []
        for k in range(n_merges):
            table = Counter()
            for word, n in items:
                for a, b in zip(word, word[1:]):
                    table[a, b] += n
            ordered = sorted(table.items(), key=lambda item: (-item[1], item[0]))
            if not ordered:
                return found
            pair = ordered[0][0]
            found.append(pair)
            items = [(merge(word, pair, 256 + k), n) for word, n in items]
        return found
        """,
    ),
    fill(
        "two steps for a tie",
        "learn",
        "the highest count, then the smallest pair that has it",
        """
        ids = [[list(word), n] for word, n in words.items()]
        merges = []
        while len(merges) < n_merges:
            counts = {}
            for word, n in ids:
                for pair in pairwise(word):
                    counts[pair] = counts.get(pair, 0) + n
            if not counts:
                break
            highest = max(counts.values())
            best = min(pair for pair, n in counts.items() if n == highest)
            for item in ids:
                item[0] = merge(item[0], best, 256 + len(merges))
            merges.append(best)
        return merges
        """,
    ),
    fill(
        "all merges in order",
        "encode_word",
        "each over the whole word",
        """
        ids = list(word)
        for k, pair in enumerate(merges):
            ids = merge(ids, pair, 256 + k)
        return ids
        """,
    ),
    fill(
        "one place at a time",
        "encode_word",
        "recursion, ranks from the list",
        """
        def step(ids):
            found = [
                (merges.index(pair), i) for i, pair in enumerate(pairwise(ids)) if pair in merges
            ]
            if not found:
                return ids
            rank, i = min(found)
            return step(ids[:i] + [256 + rank] + ids[i + 2 :])

        return step(list(word))
        """,
    ),
    write(
        "spelled by recursion",
        "decode",
        "no table, a helper function",
        """
def spelled(index, merges):
    if index < 256:
        return bytes([index])
    first, second = merges[index - 256]
    return spelled(first, merges) + spelled(second, merges)

def decode(ids, merges, special_tokens=(), skip_special_tokens=False):
    out = b""
    for index in ids:
        place = index - 256 - len(merges)
        if index < 0 or place >= len(special_tokens):
            raise ValueError(f"unknown id {index}")
        if place < 0:
            out += spelled(index, merges)
        elif not skip_special_tokens:
            out += special_tokens[place].encode("utf-8")
    return str(out, "utf-8", "replace")
        """,
    ),
    fill(
        "a dictionary",
        "decode",
        "KeyError turned into ValueError",
        """
        table = {i: bytes((i,)) for i in range(256)}
        for k, (a, b) in enumerate(merges, 256):
            table[k] = table[a] + table[b]
        for j, name in enumerate(special_tokens, 256 + len(merges)):
            table[j] = b"" if skip_special_tokens else name.encode()
        try:
            return b"".join([table[i] for i in ids]).decode(errors="replace")
        except KeyError as error:
            raise ValueError(f"no token has id {error.args[0]}") from None
        """,
    ),
    fill(
        "walks through the text",
        "encode",
        "startswith, no pattern",
        """
        special = {name: 256 + len(merges) + j for j, name in enumerate(special_tokens)}
        ids, start, place = [], 0, 0

        def flush(piece):
            for word in split_words(piece):
                ids.extend(encode_word(word.encode("utf-8"), merges))

        while place < len(text):
            here = [name for name in allowed_special if text.startswith(name, place)]
            if here:
                name = max(here, key=len)
                flush(text[start:place])
                ids.append(special[name])
                place = start = place + len(name)
            else:
                place += 1
        flush(text[start:])
        return ids
        """,
    ),
    fill(
        "finditer",
        "encode",
        "a pattern without a group",
        """
        ids, end = [], 0
        names = sorted(allowed_special, key=lambda name: -len(name))
        pattern = re.compile("|".join(re.escape(name) for name in names) or r"(?!)")
        for match in [*pattern.finditer(text), None]:
            piece = text[end : match.start()] if match else text[end:]
            ids += [i for word in split_words(piece) for i in encode_word(word.encode(), merges)]
            if match:
                ids.append(256 + len(merges) + list(special_tokens).index(match[0]))
                end = match.end()
        return ids
        """,
    ),
    fill(
        "lists first",
        "collate",
        "no tensors until the end",
        """
        n = max(len(row) for row in rows)
        ids = [row + [pad_id] * (n - len(row)) for row in rows]
        mask = [[True] * len(row) + [False] * (n - len(row)) for row in rows]
        return torch.tensor(ids), torch.tensor(mask)
        """,
    ),
    fill(
        "stacked rows",
        "collate",
        "F.pad for each row",
        """
        longest = max(map(len, rows))
        padded, real = [], []
        for row in rows:
            x = torch.tensor(row, dtype=torch.long)
            fill = (0, longest - len(row))
            padded.append(torch.nn.functional.pad(x, fill, value=pad_id))
            real.append(torch.nn.functional.pad(torch.ones_like(x).bool(), fill, value=False))
        return torch.stack(padded), torch.stack(real)
        """,
    ),
]
