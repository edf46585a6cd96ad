"""Answers to the assignment `tokenizers`: plausible and wrong, or right in another style."""

from . import edit, fill, frozen, write

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
    edit(
        "one for each word",
        "count_pairs",
        "the word's number is ignored",
        ("+= n", "+= 1"),
        cause="word's number|added 1|add 1",
    ),
    edit(
        "last pair left out",
        "count_pairs",
        "off by one",
        ("pairwise(word)", "pairwise(word[:-1])"),
        cause="last pair",
    ),
    edit(
        "each pair once a word",
        "count_pairs",
        "a set of pairs",
        ("pairwise(word)", "set(pairwise(word))"),
        cause="several times|twice",
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
        cause="overlap",
    ),
    edit(
        "smaller id first",
        "count_pairs",
        "neighbors without a direction",
        ("counts[pair] += n", "counts[min(pair), max(pair)] += n"),
        cause="sort",
    ),
    fill(
        "across words",
        "count_pairs",
        "one long text",
        """
        ids = [index for word, n in words.items() for _ in range(n) for index in word]
        return Counter(pairwise(ids))
        """,
        cause="from one word to the next",
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
        cause="one id|single id",
    ),
    edit(
        "id 0 is nothing",
        "count_pairs",
        "a pair must have two true ids",
        ("counts[pair] += n", "counts[pair] += n if all(pair) else 0"),
        cause="0 is an id",
    ),
    edit(
        "id 0 leaves no pair",
        "count_pairs",
        "taken for padding",
        ("for pair in pairwise(word):", "for pair in pairwise([i for i in word if i]):"),
        cause="0 is an id",
    ),
    edit(
        "bytes only",
        "count_pairs",
        "what was merged is not counted",
        ("counts[pair] += n", "counts[pair] += n * (max(pair) < 256)"),
        cause="above 255",
    ),
    write(
        "goes on counting",
        "count_pairs",
        "a default that all calls share",
        """
def count_pairs(words, counts=Counter()):
    for word, n in words.items():
        for pair in pairwise(word):
            counts[pair] += n
    return dict(counts)
        """,
        cause="earlier call",
    ),
    fill(
        "takes the words out",
        "count_pairs",
        "empties its argument",
        """
        counts = Counter()
        while words:
            word, n = words.popitem()
            for pair in pairwise(word):
                counts[pair] += n
        return counts
        """,
        cause="words was changed",
    ),
    edit(
        "a list",
        "count_pairs",
        "most_common",
        ("return counts", "return counts.most_common()"),
        cause="dictionary",
    ),
    edit(
        "first pair left out",
        "count_pairs",
        "off by one",
        ("pairwise(word)", "pairwise(word[1:])"),
        cause="first",
    ),
    fill(
        "two by two",
        "count_pairs",
        "steps of two ids",
        """
        counts = Counter()
        for word, n in words.items():
            for i in range(0, len(word) - 1, 2):
                counts[word[i], word[i + 1]] += n
        return counts
        """,
        cause="left out",
    ),
    # Task 2
    edit(
        "only the first one",
        "merge",
        "stops too early",
        ("i += 2", "return merged + list(ids[i + 2 :])"),
        cause="every occurrence",
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
        cause="from the left",
    ),
    fill(
        "search in text",
        "merge",
        "1 2 is found in 11 2",
        """
        text = " ".join(map(str, ids)).replace(f"{pair[0]} {pair[1]}", str(new_id))
        return [int(word) for word in text.split()]
        """,
        cause="in text",
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
        cause="has made",
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
        cause="ids was changed",
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
        cause="no id twice|used twice",
    ),
    edit(
        "the same list",
        "merge",
        "returned where nothing is merged",
        (
            "    merged, i = [], 0\n",
            "    if pair not in pairwise(ids):\n        return ids\n    merged, i = [], 0\n",
        ),
        cause="new list",
    ),
    edit(
        "identity",
        "merge",
        "`is`: right for small numbers",
        (STEP, "if i + 1 < len(ids) and ids[i] is pair[0] and ids[i + 1] is pair[1]:"),
        cause="==",
    ),
    fill(
        "as bytes",
        "merge",
        "replaced in a bytes object",
        """
        text = bytes(ids)
        merged = []
        for k, part in enumerate(text.split(bytes(pair))):
            merged += [new_id] * (k > 0) + list(part)
        return merged
        """,
        cause="larger than 256|bytes",
    ),
    edit(
        "id 0 is nothing",
        "merge",
        "no pair with a 0",
        (STEP, "if all(pair) and tuple(ids[i : i + 2]) == pair:"),
        cause="0 is an id",
    ),
    edit(
        "either order",
        "merge",
        "a set of two",
        (STEP, "if len(ids[i : i + 2]) == 2 and {*ids[i : i + 2]} == {*pair}:"),
        cause="does not hold the pair",
    ),
    edit(
        "a tuple",
        "merge",
        "as the words are",
        ("return merged", "return tuple(merged)"),
        cause="a list",
    ),
    edit(
        "last id lost",
        "merge",
        "pairs to the end, and no single id",
        ("while i < len(ids):", "while i < len(ids) - 1:"),
        cause="the end",
    ),
    # Task 3
    edit(
        "ties by appearance",
        "learn",
        "max takes the first",
        (BEST, "max(counts, key=counts.get)"),
        cause="smallest|equals|tie",
    ),
    edit(
        "ties by the largest",
        "learn",
        "one max for both",
        (BEST, "max(counts, key=lambda pair: (counts[pair], pair))"),
        cause="smallest|equals|tie",
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
        cause="count again",
    ),
    edit(
        "ids from 257",
        "learn",
        "off by one",
        (AGAIN, AGAIN.replace("new_id)", "new_id + 1)")),
        cause="256",
    ),
    edit(
        "never a single one",
        "learn",
        "a pair that occurs once is left alone",
        ("if not counts:", "if not counts or max(counts.values()) < 2:"),
        cause="occurs once",
    ),
    edit(
        "words count once",
        "learn",
        "their numbers are lost",
        ("tuple(word): n for", "tuple(word): 1 for"),
        cause="as often as it occurs",
    ),
    edit(
        "runs out",
        "learn",
        "the smallest of nothing",
        ("if not counts:", "if new_id < 0:"),
        cause="no pair is left|running out|run out",
    ),
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
        cause="by the ids|orders tuples|letters",
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
        cause="larger than 127|no ASCII|Chinese",
    ),
    edit(
        "ties by the first id",
        "learn",
        "the second does not count",
        (BEST, "min(counts, key=lambda pair: (-counts[pair], pair[0]))"),
        cause="second id|smallest",
    ),
    edit(
        "byte 0 is nothing",
        "learn",
        "not merged",
        (
            "        if not counts:",
            "        counts = {p: n for p, n in counts.items() if all(p)}\n        if not counts:",
        ),
        cause="0 is a byte",
    ),
    edit(
        "pairs as lists",
        "learn",
        "no tuples",
        ("merges.append(best)", "merges.append(list(best))"),
        cause="a tuple",
    ),
    edit(
        "changes words",
        "learn",
        "empties its argument",
        (
            "ids = {tuple(word): n for word, n in words.items()}",
            "ids = {tuple(word): words.pop(word) for word in list(words)}",
        ),
        cause="words was changed",
    ),
    edit(
        "merges once a word",
        "learn",
        "the first place alone",
        (
            AGAIN,
            "once = {}\n"
            "        for word, n in ids.items():\n"
            "            places = [i for i, pair in enumerate(pairwise(word)) if pair == best]\n"
            "            for i in places[:1]:\n"
            "                word = word[:i] + (new_id,) + word[i + 2 :]\n"
            "            once[word] = n\n"
            "        ids = once",
        ),
        cause="every place|every occurrence|all places",
    ),
    edit(
        "shuffled words",
        "learn",
        "their order does not matter, but Python's generator moves",
        (
            "    merges = []\n",
            "    import random\n\n"
            "    items = list(ids.items())\n"
            "    random.shuffle(items)\n"
            "    ids, merges = dict(items), []\n",
        ),
        cause="random generator",
    ),
    # Task 4
    edit(
        "from the left",
        "encode_word",
        "the first pair that fits",
        (FIRST, "known[0]"),
        cause="learned first|leftmost",
    ),
    edit(
        "learned last first",
        "encode_word",
        "the largest id",
        (FIRST, "max(known, key=new_ids.get)"),
        cause="learned first",
    ),
    edit(
        "most frequent in the word",
        "encode_word",
        "the rule of learning, used for encoding",
        (FIRST, "max(known, key=known.count)"),
        cause="learned first",
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
        cause="longest",
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
        cause="every a b",
    ),
    edit(
        "bytes only",
        "encode_word",
        "what was merged is not looked at again",
        ("if pair in new_ids]", "if pair in new_ids and max(pair) < 256]"),
        cause="merged pieces",
    ),
    edit(
        "by the size of the pair",
        "encode_word",
        "smallest ids, not smallest new id",
        (FIRST, "min(known)"),
        cause="learned first|smallest ids",
    ),
    write(
        "remembers words",
        "encode_word",
        "a cache that knows nothing of the merges",
        """
known_words = {}

def encode_word(word, merges):
    if word not in known_words:
        ids = list(word)
        for k, pair in enumerate(merges):
            ids = merge(ids, pair, 256 + k)
        known_words[word] = ids
    return list(known_words[word])
        """,
        cause="earlier call",
    ),
    fill(
        "takes merges out",
        "encode_word",
        "empties its argument",
        """
        ids, new_id = list(word), 256
        while merges:
            ids = merge(ids, merges.pop(0), new_id)
            new_id += 1
        return ids
        """,
        cause="merges was changed",
    ),
    edit(
        "byte 0 is nothing",
        "encode_word",
        "never merged",
        ("if pair in new_ids]", "if pair in new_ids and all(pair)]"),
        cause="0 is a byte",
    ),
    edit(
        "ids from 255",
        "encode_word",
        "off by one",
        ("256 + k for", "255 + k for"),
        cause="256",
    ),
    # Task 5
    edit(
        "errors ignored",
        "decode",
        "half characters vanish",
        ('errors="replace"', 'errors="ignore"'),
        cause="replace",
    ),
    edit(
        "one by one",
        "decode",
        "each id decoded alone",
        (REPLACE, '"".join(piece.decode("utf-8", errors="replace") for piece in pieces)'),
        cause="each id alone",
    ),
    edit(
        "strict",
        "decode",
        "half a character is an error",
        (', errors="replace"', ""),
        cause="UnicodeDecodeError",
    ),
    edit(
        "Latin-1",
        "decode",
        "a byte is a character",
        ('"utf-8", errors="replace"', '"latin-1"'),
        cause="UTF-8|three bytes",
    ),
    edit(
        "negative ids",
        "decode",
        "counted from the end",
        (RANGE, "if index >= len(table):"),
        cause="negative|-1",
    ),
    edit(
        "skips silently",
        "decode",
        "an unknown id is nothing",
        ('raise ValueError(f"ids must lie in 0…{len(table) - 1}, got {index}")', "continue"),
        cause="no error|not raised|ValueError",
    ),
    edit(
        "skipped ids unchecked",
        "decode",
        "all behind the text is special",
        (
            RANGE,
            f"if skip_special_tokens and index >= n_text:\n            continue\n        {RANGE}",
        ),
        cause="skip_special_tokens",
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
        cause="reads like",
    ),
    edit(
        "names sorted",
        "decode",
        "another order of names",
        ("for name in special_tokens", "for name in sorted(special_tokens)"),
        cause="their order",
    ),
    edit(
        "no id in the message",
        "decode",
        "says only what there is",
        ("…{len(table) - 1}, got {index}", "…{len(table) - 1}"),
        cause="in it",
    ),
    edit(
        "IndexError",
        "decode",
        "the list complains",
        (RANGE, "if index < 0:"),
        cause="IndexError",
    ),
    edit(
        "one too many",
        "decode",
        "> for >=",
        (RANGE, "if not 0 <= index <= len(table):"),
        cause="IndexError",
    ),
    edit(
        "id 0 is padding",
        "decode",
        "left out",
        ("    for index in ids:\n", "    for index in filter(None, ids):\n"),
        cause="0 is an id",
    ),
    edit(
        "stripped",
        "decode",
        "no spaces at the ends",
        (REPLACE, f"{REPLACE}.strip()"),
        cause="space",
    ),
    fill(
        "decoded between the names",
        "decode",
        "each special token ends a text",
        """
        table = [bytes([i]) for i in range(256)]
        for first, second in merges:
            table.append(table[first] + table[second])
        text, waiting = "", b""
        for index in ids:
            place = index - len(table)
            if index < 0 or place >= len(special_tokens):
                raise ValueError(f"no token has the id {index}")
            if place < 0:
                waiting += table[index]
                continue
            text += waiting.decode(errors="replace")
            waiting = b""
            text += "" if skip_special_tokens else special_tokens[place]
        return text + waiting.decode(errors="replace")
        """,
        cause="side by side",
    ),
    write(
        "one table for all",
        "decode",
        "made at the first call",
        """
table = [bytes([i]) for i in range(256)]

def decode(ids, merges, special_tokens=(), skip_special_tokens=False):
    for first, second in merges[len(table) - 256 :]:
        table.append(table[first] + table[second])
    n_text = 256 + len(merges)
    pieces = []
    for index in ids:
        if not 0 <= index < n_text + len(special_tokens):
            raise ValueError(f"no token has the id {index}")
        if index < n_text:
            pieces.append(table[index])
        elif not skip_special_tokens:
            pieces.append(special_tokens[index - n_text].encode())
    return b"".join(pieces).decode(errors="replace")
        """,
        cause="earlier call",
    ),
    edit(
        "takes ids out",
        "decode",
        "empties its argument",
        ("    for index in ids:\n", "    while ids:\n        index = ids.pop(0)\n"),
        cause="ids was changed",
    ),
    edit(
        "negative ids unless skipped",
        "decode",
        "a range whose end is special",
        (RANGE, "if index >= len(table) or (index < 0 and not skip_special_tokens):"),
        cause="skip_special_tokens",
    ),
    # Task 6
    edit(
        "all names allowed",
        "encode",
        "text becomes a sign",
        ("if allowed_special:", "if special_tokens:"),
        (SORTED, "sorted(special_tokens, key=len, reverse=True)"),
        cause="allowed",
    ),
    edit(
        "one allowed, all allowed",
        "encode",
        "a switch instead of a list",
        (SORTED, "sorted(special_tokens, key=len, reverse=True)"),
        cause="only <|pad|> is allowed",
    ),
    edit(
        "place among the allowed",
        "encode",
        "the id depends on the call",
        ("special_tokens.index(part)", "allowed_special.index(part)"),
        cause="its place in special_tokens",
    ),
    edit(
        "no longest first",
        "encode",
        "as they come",
        (SORTED, "allowed_special"),
        cause="longer",
    ),
    edit(
        "uncut",
        "encode",
        "merges reach over words",
        ("for word in split_words(part):", "for word in [part]:"),
        cause="split_words",
    ),
    edit(
        "split at spaces",
        "encode",
        "the spaces are lost",
        ("split_words(part)", "part.split()"),
        cause="space",
    ),
    edit(
        "patterns",
        "encode",
        "names not escaped",
        ("map(re.escape, longest_first)", "longest_first"),
        cause="dot|sign",
    ),
    edit(
        "escaped by hand",
        "encode",
        "only the bar",
        ("map(re.escape, longest_first)", '(name.replace("|", "[|]") for name in longest_first)'),
        cause="dot",
    ),
    fill(
        "name by name",
        "encode",
        "the longest is cut out of the whole text first",
        """
        parts = [text]
        for name in sorted(allowed_special, key=len, reverse=True):
            cut = []
            for part in parts:
                if isinstance(part, int):
                    cut.append(part)
                    continue
                for k, piece in enumerate(part.split(name)):
                    cut += [256 + len(merges) + special_tokens.index(name)] * (k > 0) + [piece]
            parts = cut
        ids = []
        for part in parts:
            if isinstance(part, int):
                ids.append(part)
            else:
                for word in split_words(part):
                    ids += encode_word(word.encode(), merges)
        return ids
        """,
        cause="begins first",
    ),
    edit(
        "normalized",
        "encode",
        "NFKC, as good programs do",
        (
            "    parts = [text]",
            "    import unicodedata\n"
            "    text = unicodedata.normalize('NFKC', text)\n    parts = [text]",
        ),
        cause="normalized",
    ),
    edit(
        "composed",
        "encode",
        "NFC: a letter and its accent are one",
        (
            "    parts = [text]",
            "    import unicodedata\n"
            "    text = unicodedata.normalize('NFC', text)\n    parts = [text]",
        ),
        cause="normalized",
    ),
    edit(
        "stripped pieces",
        "encode",
        "spaces beside names are lost",
        ("split_words(part)", "split_words(part.strip() if allowed_special else part)"),
        cause="space",
    ),
    edit(
        "small letters",
        "encode",
        "lower()",
        ("word.encode()", "word.lower().encode()"),
        cause="small|lower",
    ),
    edit(
        "empty text",
        "encode",
        "one name at least is expected where names are allowed",
        ("    ids = []\n", "    ids = [256] if allowed_special and not text else []\n"),
        cause="empty text",
    ),
    edit(
        "ids before the merges",
        "encode",
        "256 + j",
        ("256 + len(merges) + special", "256 + special"),
        cause="2 merges",
    ),
    # Task 7
    edit(
        "upside down",
        "collate",
        "True = padding",
        (MASK, MASK.replace("<", ">=")),
        cause="upside down",
    ),
    edit(
        "mask from the ids",
        "collate",
        "a real pad_id is hidden",
        (MASK, "ids != pad_id"),
        cause="from the lengths",
    ),
    edit(
        "zeros",
        "collate",
        "pad_id ignored",
        ("n), pad_id)", "n), 0)"),
        cause="pad_id",
    ),
    edit(
        "numbers",
        "collate",
        "a mask of 0 and 1",
        (MASK, f"({MASK}).long()"),
        cause="boolean",
    ),
    edit(
        "left",
        "collate",
        "padding before the ids",
        ("ids[b, : len(row)]", "ids[b, n - len(row) :]"),
        (MASK, "torch.arange(n) >= n - lengths[:, None]"),
        cause="on the left|padding on the right",
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
        cause="rows was changed",
    ),
    edit(
        "mask stops at padding",
        "collate",
        "trailing pad_ids are taken for padding",
        (
            MASK,
            "(ids != pad_id).flip(1).cummax(1).values.flip(1)",
        ),
        cause="from the lengths",
    ),
    edit(
        "no empty row",
        "collate",
        "a length of 0 made 1",
        ("len(row) for row in rows]", "max(1, len(row)) for row in rows]"),
        cause="empty row",
    ),
    edit(
        "the largest row is the longest",
        "collate",
        "max of lists compares ids",
        ("n = int(lengths.max())", "n = max(len(max(rows)), 0)"),
        cause="longest",
    ),
    fill(
        "F.pad of an empty row",
        "collate",
        "torch.tensor([]) is float32",
        """
        n = max(map(len, rows))
        pad = torch.nn.functional.pad
        ids = [pad(torch.tensor(row), (0, n - len(row)), value=pad_id) for row in rows]
        mask = torch.tensor([[t < len(row) for t in range(n)] for row in rows])
        return torch.stack(ids), mask
        """,
        cause="float32",
    ),
    edit(
        "squeezed",
        "collate",
        "a batch of one loses its dimension",
        (
            "return ids, torch.arange(n) < lengths[:, None]",
            "return ids.squeeze(), (torch.arange(n) < lengths[:, None]).squeeze()",
        ),
        cause="size 1",
    ),
    write(
        "one buffer",
        "collate",
        "written again by the next call of the same shape",
        """
buffers = {}

def collate(rows, pad_id):
    shape = len(rows), max(map(len, rows))
    ids = buffers.setdefault(shape, torch.zeros(shape, dtype=torch.int64)).fill_(pad_id)
    for b, row in enumerate(rows):
        ids[b, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return ids, torch.tensor([[t < len(row) for t in range(shape[1])] for row in rows])
        """,
        cause="changed by the next",
    ),
    edit(
        "id 0 is not real",
        "collate",
        "a mask that takes 0 for padding, too",
        (MASK, f"({MASK}) & (ids != 0)"),
        cause="0 is an id",
    ),
    edit(
        "int32",
        "collate",
        "half the memory",
        ("return ids, ", "return ids.int(), "),
        cause="int32",
    ),
    edit(
        "padded to a hundred",
        "collate",
        "room for more",
        ("n = int(lengths.max())", "n = 8 * -(-int(lengths.max()) // 8)"),
        cause="longest",
    ),
    edit(
        "no negative padding",
        "collate",
        "abs of the id",
        ("n), pad_id)", "n), abs(pad_id))"),
        cause="any whole number",
    ),
    *frozen(
        "tokenizers",
        2,
        {
            "a sign in place of a name": "sign",
            "ids by way of float32": "rounded|whole number",
            "padding marked by -1": "from the lengths",
        },
    ),
    *frozen(
        "tokenizers",
        3,
        {
            "one level of calls for each id": "thousands long",
            "throws short words out": "changed in place",
            "learned before": "earlier call",
            "remembers the word": "earlier call",
            "as many rounds as halvings": "as long as",
            "big or small alike": "a name is taken",
        },
    ),
    edit(
        "coded as one number",
        "count_pairs",
        "a pair is 100,000 a + b on the way",
        (
            (
                "        for pair in pairwise(word):\n"
                "            counts[pair] += n\n"
                "    return counts"
            ),
            (
                "        for first, second in pairwise(word):\n"
                "            counts[100_000 * first + second] += n\n"
                "    return {divmod(code, 100_000): n for code, n in counts.items()}"
            ),
        ),
        cause="large",
    ),
    edit(
        "the same dictionary",
        "count_pairs",
        "counts are kept under the dictionary's id",
        (
            '"""How often each pair of neighbors occurs in the text."""',
            (
                '"""How often each pair of neighbors occurs in the text."""\n'
                '    known = count_pairs.__dict__.setdefault("known", {})\n'
                "    if id(words) in known and known[id(words)][0] is words:\n"
                "        return known[id(words)][1]"
            ),
        ),
        ("counts[pair] += n", ("counts[pair] += n\n    known[id(words)] = words, counts")),
        cause="earlier call",
    ),
    edit(
        "one counter for all",
        "count_pairs",
        "a counter that is emptied at each call",
        (
            "counts = Counter()",
            ('counts = count_pairs.__dict__.setdefault("counts", Counter())\n    counts.clear()'),
        ),
        cause="earlier call",
    ),
    edit(
        "empty words taken out",
        "count_pairs",
        "words without pairs are deleted",
        (
            '"""How often each pair of neighbors occurs in the text."""',
            (
                '"""How often each pair of neighbors occurs in the text."""\n'
                "    for word in [word for word in words if len(word) < 2]:\n"
                "        del words[word]"
            ),
        ),
        cause="changed in place",
    ),
    edit(
        "words of 1,000",
        "count_pairs",
        "words have 1,000 ids at most",
        ("word):", "word[:1000]):"),
        cause="long",
    ),
    edit(
        "numbers of 16 bits",
        "count_pairs",
        "a word occurs 65,535 times at most",
        ("ts[pair] += n", "ts[pair] += min(n, 65_535)"),
        cause="large",
    ),
    edit(
        "ids by their last digits",
        "count_pairs",
        "ids of 16 bits",
        (
            ("        for pair in pairwise(word):\n            counts[pair] += n"),
            (
                "        for first, second in pairwise(word):\n"
                "            counts[first & 0xFFFF, second & 0xFFFF] += n"
            ),
        ),
        cause="large|above 255",
    ),
    edit(
        "kept without the new id",
        "merge",
        "lists are kept under ids and pair",
        (
            (
                "    merged, i = [], 0\n"
                "    while i < len(ids):\n"
                "        if tuple(ids[i : i + 2]) == pair:\n"
                "            merged.append(new_id)\n"
                "            i += 2\n"
                "        else:\n"
                "            merged.append(ids[i])\n"
                "            i += 1\n"
                "    return merged"
            ),
            (
                '    known = merge.__dict__.setdefault("known", {})\n'
                "    key = tuple(ids), pair\n"
                "    if key not in known:\n"
                "        merged, i = [], 0\n"
                "        while i < len(ids):\n"
                "            if tuple(ids[i : i + 2]) == pair:\n"
                "                merged.append(new_id)\n"
                "                i += 2\n"
                "            else:\n"
                "                merged.append(ids[i])\n"
                "                i += 1\n"
                "        known[key] = merged\n"
                "    return list(known[key])"
            ),
        ),
        cause="earlier call|must be",
    ),
    edit(
        "the same list again",
        "merge",
        "lists are kept, and returned themselves",
        (
            (
                "    merged, i = [], 0\n"
                "    while i < len(ids):\n"
                "        if tuple(ids[i : i + 2]) == pair:\n"
                "            merged.append(new_id)\n"
                "            i += 2\n"
                "        else:\n"
                "            merged.append(ids[i])\n"
                "            i += 1\n"
                "    return merged"
            ),
            (
                '    known = merge.__dict__.setdefault("known", {})\n'
                "    key = tuple(ids), pair, new_id\n"
                "    if key not in known:\n"
                "        merged, i = [], 0\n"
                "        while i < len(ids):\n"
                "            if tuple(ids[i : i + 2]) == pair:\n"
                "                merged.append(new_id)\n"
                "                i += 2\n"
                "            else:\n"
                "                merged.append(ids[i])\n"
                "                i += 1\n"
                "        known[key] = merged\n"
                "    return known[key]"
            ),
        ),
        cause="earlier call",
    ),
    edit(
        "as a pattern",
        "merge",
        "ids become signs of a pattern, not escaped but for a few",
        (
            (
                "    merged, i = [], 0\n"
                "    while i < len(ids):\n"
                "        if tuple(ids[i : i + 2]) == pair:\n"
                "            merged.append(new_id)\n"
                "            i += 2\n"
                "        else:\n"
                "            merged.append(ids[i])\n"
                "            i += 1\n"
                "    return merged"
            ),
            (
                '    signs = "".join(map(chr, ids))\n'
                '    pattern = "".join(\n'
                "        chr(i) if i > 127 or chr(i).isalnum() or i < 33 or i in "
                "(40, 41) else re.escape(chr(i))\n"
                "        for i in pair\n"
                "    )\n"
                "    try:\n"
                "        return [ord(sign) for sign in re.sub(pattern, lambda _: "
                "chr(new_id), signs)]\n"
                "    except re.error:\n"
                "        return list(ids)"
            ),
        ),
        cause="pattern|large",
    ),
    edit(
        "1,024 ids",
        "merge",
        "1,024 ids at most",
        ("merged, i = [], 0", ("merged, i = [], 0\n    ids = ids[:1024]")),
        cause="limit",
    ),
    edit(
        "marked in place",
        "merge",
        "the second of a pair becomes None where it lies, if both are equal",
        (
            (
                "    merged, i = [], 0\n"
                "    while i < len(ids):\n"
                "        if tuple(ids[i : i + 2]) == pair:\n"
                "            merged.append(new_id)\n"
                "            i += 2\n"
                "        else:\n"
                "            merged.append(ids[i])\n"
                "            i += 1\n"
                "    return merged"
            ),
            (
                "    if pair[0] != pair[1]:\n"
                "        merged, i = [], 0\n"
                "        while i < len(ids):\n"
                "            if tuple(ids[i : i + 2]) == pair:\n"
                "                merged.append(new_id)\n"
                "                i += 2\n"
                "            else:\n"
                "                merged.append(ids[i])\n"
                "                i += 1\n"
                "        return merged\n"
                "    for i in range(len(ids) - 1):\n"
                "        if (ids[i], ids[i + 1]) == pair:\n"
                "            ids[i], ids[i + 1] = new_id, None\n"
                "    return [i for i in ids if i is not None]"
            ),
        ),
        cause="changed in place",
    ),
    edit(
        "by the dictionary",
        "learn",
        "merges are kept under the dictionary's id",
        (
            '"""The pairs to merge, in the order in which they are learned."""',
            (
                '"""The pairs to merge, in the order in which they are learned."""\n'
                '    known = learn.__dict__.setdefault("known", {})\n'
                "    key = id(words), n_merges\n"
                "    if key in known and known[key][0] is words:\n"
                "        return list(known[key][1])"
            ),
        ),
        ("return merges", ("known[key] = words, merges\n    return list(merges)")),
        cause="earlier call",
    ),
    fill(
        "a list for all",
        "learn",
        "the list of merges is one, emptied at each call",
        """
merges = learn.__dict__.setdefault("merges", [])
merges.clear()
ids = {tuple(word): n for word, n in words.items()}
for new_id in range(256, 256 + n_merges):
    counts = count_pairs(ids)
    if not counts:
        break
    best = min(counts, key=lambda pair: (-counts[pair], pair))
    merges.append(best)
    ids = {tuple(merge(list(word), best, new_id)): n for word, n in ids.items()}
return merges
""",
        cause="earlier call",
    ),
    edit(
        "256 merges",
        "learn",
        "256 merges at most",
        ("n_merges):", "min(n_merges, 256)):"),
        cause="limit",
    ),
    edit(
        "100 merges",
        "learn",
        "100 merges at most",
        ("n_merges):", "min(n_merges, 100)):"),
        cause="limit",
    ),
    edit(
        "words of 1,000 bytes",
        "learn",
        "words have 1,000 bytes at most",
        ("word): n for wor", "word[:1000]): n for wor"),
        cause="limit|earlier",
    ),
    edit(
        "numbers of 16 bits",
        "learn",
        "a word occurs 65,535 times at most",
        ("n for word, n in words.it", "min(n, 65_535) for word, n in words.it"),
        cause="often",
    ),
    edit(
        "new ids of 9 bits",
        "learn",
        "ties between ids above 511 go to the last",
        (
            "best = min(counts, key=lambda pair: (-counts[pair], pair))",
            (
                "best = min(\n"
                "            counts,\n"
                "            key=lambda pair: (\n"
                "                -counts[pair],\n"
                "                pair if max(pair) < 512 else tuple(-i for i in pair),\n"
                "            ),\n"
                "        )"
            ),
        ),
        cause="limit",
    ),
    edit(
        "empty words taken out",
        "learn",
        "the empty word is deleted",
        (
            '"""The pairs to merge, in the order in which they are learned."""',
            (
                '"""The pairs to merge, in the order in which they are learned."""\n'
                '    words.pop(b"", None)'
            ),
        ),
        cause="changed in place",
    ),
    fill(
        "by the last merge",
        "encode_word",
        "ids are kept under the word, the number of merges and the last one",
        """
known = encode_word.__dict__.setdefault("known", {})
key = word, len(merges), merges[-1] if merges else None
if key not in known:
    new_ids = {pair: 256 + k for k, pair in enumerate(merges)}
    ids = list(word)
    while found := [pair for pair in pairwise(ids) if pair in new_ids]:
        first = min(found, key=new_ids.get)
        ids = merge(ids, first, new_ids[first])
    known[key] = ids
return list(known[key])
""",
        cause="earlier call",
    ),
    edit(
        "by the set of merges",
        "encode_word",
        "ids are kept under the word and the set of merges",
        (
            (
                "    new_ids = {pair: 256 + k for k, pair in enumerate(merges)}\n"
                "    ids = list(word)\n"
                "    while known := [pair for pair in pairwise(ids) if pair in "
                "new_ids]:\n"
                "        first = min(known, key=new_ids.get)\n"
                "        ids = merge(ids, first, new_ids[first])\n"
                "    return ids"
            ),
            (
                '    known = encode_word.__dict__.setdefault("known", {})\n'
                "    key = word, frozenset(merges)\n"
                "    if key not in known:\n"
                "        new_ids = {pair: 256 + k for k, pair in enumerate(merges)}\n"
                "        ids = list(word)\n"
                "        while found := [pair for pair in pairwise(ids) if pair in "
                "new_ids]:\n"
                "            first = min(found, key=new_ids.get)\n"
                "            ids = merge(ids, first, new_ids[first])\n"
                "        known[key] = ids\n"
                "    return list(known[key])"
            ),
        ),
        cause="earlier call",
    ),
    edit(
        "the table of a list",
        "encode_word",
        "the table is kept under the list's id",
        (
            "new_ids = {pair: 256 + k for k, pair in enumerate(merges)}",
            (
                'known = encode_word.__dict__.setdefault("known", {})\n'
                "    if id(merges) not in known or known[id(merges)][0] is not merges:\n"
                "        known[id(merges)] = merges, {pair: 256 + k for k, pair in "
                "enumerate(merges)}\n"
                "    new_ids = known[id(merges)][1]"
            ),
        ),
        (
            (
                "    while known := [pair for pair in pairwise(ids) if pair in "
                "new_ids]:\n"
                "        first = min(known, key=new_ids.get)"
            ),
            (
                "    while found := [pair for pair in pairwise(ids) if pair in "
                "new_ids]:\n"
                "        first = min(found, key=new_ids.get)"
            ),
        ),
        cause="earlier call",
    ),
    edit(
        "the same list again",
        "encode_word",
        "ids are kept, and returned themselves",
        (
            (
                "    new_ids = {pair: 256 + k for k, pair in enumerate(merges)}\n"
                "    ids = list(word)\n"
                "    while known := [pair for pair in pairwise(ids) if pair in "
                "new_ids]:\n"
                "        first = min(known, key=new_ids.get)\n"
                "        ids = merge(ids, first, new_ids[first])\n"
                "    return ids"
            ),
            (
                '    known = encode_word.__dict__.setdefault("known", {})\n'
                "    key = word, tuple(merges)\n"
                "    if key not in known:\n"
                "        new_ids = {pair: 256 + k for k, pair in enumerate(merges)}\n"
                "        ids = list(word)\n"
                "        while found := [pair for pair in pairwise(ids) if pair in "
                "new_ids]:\n"
                "            first = min(found, key=new_ids.get)\n"
                "            ids = merge(ids, first, new_ids[first])\n"
                "        known[key] = ids\n"
                "    return known[key]"
            ),
        ),
        cause="earlier call",
    ),
    edit(
        "a hundred rounds",
        "encode_word",
        "a hundred rounds at most",
        (
            "while known := [pair for pair in pairwise(ids) if pair in new_ids]:",
            (
                "for _ in range(100):\n"
                "        known = [pair for pair in pairwise(ids) if pair in new_ids]\n"
                "        if not known:\n"
                "            break"
            ),
        ),
        cause="as long as",
    ),
    edit(
        "words of 1,000 bytes",
        "encode_word",
        "words have 1,000 bytes at most",
        ("word)", "word[:1000])"),
        cause="limit",
    ),
    edit(
        "256 merges",
        "encode_word",
        "256 merges at most",
        ("merges)}", "merges[:256])}"),
        cause="limit",
    ),
    edit(
        "nothing merges in place",
        "encode_word",
        "merges that the word has not are taken out of the list",
        (
            "new_ids = {pair: 256 + k for k, pair in enumerate(merges)}",
            (
                "new_ids = {pair: 256 + k for k, pair in enumerate(merges)}\n"
                "    if len(word) < 2:\n"
                "        merges.clear()"
            ),
        ),
        cause="changed in place",
    ),
    edit("without the mark", "decode", "utf-8-sig", ("8", "8-sig"), cause="mark"),
    edit(
        "lines as they should be",
        "decode",
        "line ends become \\n",
        ('s="replace")', 's="replace").replace("\\r\\n", "\\n")'),
        cause="line",
    ),
    edit(
        "letters composed",
        "decode",
        "NFC",
        (
            'return b"".join(pieces).decode("utf-8", errors="replace")',
            (
                "import unicodedata\n"
                "\n"
                '    text = b"".join(pieces).decode("utf-8", errors="replace")\n'
                '    return unicodedata.normalize("NFC", text)'
            ),
        ),
        cause="normalized",
    ),
    edit(
        "one sign for each byte",
        "decode",
        "each bad byte shows as one sign",
        (
            'return b"".join(pieces).decode("utf-8", errors="replace")',
            (
                'text = b"".join(pieces).decode("utf-8", errors="surrogateescape")\n'
                '    return "".join("\\ufffd" if 0xDC80 <= ord(sign) <= 0xDCFF else '
                "sign for sign in text)"
            ),
        ),
        cause="half a character|replace",
    ),
    edit(
        "bad bytes in a row are one",
        "decode",
        "several bad bytes show as one sign",
        (
            'b"".join(pieces).decode("utf-8", errors="replace"',
            ('re.sub("\\ufffd+", "\\ufffd", b"".join(pieces).decode("utf-8", errors="replace")'),
        ),
        cause="replace",
    ),
    edit(
        "the end of half a character",
        "decode",
        "half a character at the end is dropped",
        (
            'return b"".join(pieces).decode("utf-8", errors="replace")',
            (
                "import codecs\n"
                "\n"
                "    return "
                'codecs.getincrementaldecoder("utf-8")("replace").decode(b"".join(pieces))'
            ),
        ),
        cause="half a character|replace",
    ),
    edit(
        "the table of a list",
        "decode",
        "the table is kept under the list's id",
        (
            '"""The text of the ids."""',
            (
                '"""The text of the ids."""\n'
                '    known = decode.__dict__.setdefault("known", {})\n'
                "    if (\n"
                "        id(merges) in known\n"
                "        and known[id(merges)][0] is merges\n"
                "        and len(merges) == known[id(merges)][2]\n"
                "    ):\n"
                "        merges = known[id(merges)][1]\n"
                "    else:\n"
                "        known[id(merges)] = merges, list(merges), len(merges)"
            ),
        ),
        cause="earlier call",
    ),
    edit(
        "names by their number",
        "decode",
        "names are kept under their number",
        (
            "table += [name.encode() for name in special_tokens]",
            (
                'known = decode.__dict__.setdefault("known", {})\n'
                "    table += known.setdefault(\n"
                "        (len(special_tokens), sum(map(len, special_tokens))),\n"
                "        [name.encode() for name in special_tokens],\n"
                "    )"
            ),
        ),
        cause="earlier call|order",
    ),
    edit(
        "1,024 ids",
        "decode",
        "1,024 ids at most",
        ("or index in ids:", "or index in ids[:1024]:"),
        cause="bytes",
    ),
    edit(
        "256 merges",
        "decode",
        "256 merges at most",
        (", second in merges:", ", second in merges[:256]:"),
        cause="many",
    ),
    edit(
        "large ids are infinite",
        "decode",
        "an id beyond 64 bits is an OverflowError",
        ("for index in ids:", ("for index in ids:\n        index = torch.tensor(index).item()")),
        cause="valueerror|message must have",
    ),
    edit(
        "names by their number",
        "encode",
        "the pattern is kept under the number of names",
        (
            "ids = []",
            (
                "ids = []\n"
                "    if allowed_special:\n"
                '        known = encode.__dict__.setdefault("known", {})\n'
                "        key = len(allowed_special), tuple(map(len, allowed_special))\n"
                "        if key in known:\n"
                "            longest_first = known[key]\n"
                '            parts = re.split("(" + "|".join(map(re.escape, '
                'longest_first)) + ")", text)\n'
                "        known[key] = longest_first"
            ),
        ),
        cause="earlier call|must be|allowed",
    ),
    edit(
        "words are known",
        "encode",
        "words are kept with their ids, whatever the merges' order",
        (
            '"""The ids of a text; only allowed names become special tokens."""',
            (
                '"""The ids of a text; only allowed names become special tokens."""\n'
                '    known = encode.__dict__.setdefault("known", {})'
            ),
        ),
        (
            "ids += encode_word(word.encode(), merges)",
            (
                "key = word, len(merges)\n"
                "                if key not in known:\n"
                "                    known[key] = encode_word(word.encode(), merges)\n"
                "                ids += known[key]"
            ),
        ),
        cause="earlier call|must be",
    ),
    edit(
        "names stripped",
        "encode",
        "names without the spaces beside them",
        (
            "longest_first = sorted(allowed_special, key=len, reverse=True)",
            (
                "longest_first = sorted(\n"
                "            (name.strip() or name for name in allowed_special), "
                "key=len, reverse=True\n"
                "        )"
            ),
        ),
        cause="must be",
    ),
    edit(
        "names composed",
        "encode",
        "names in NFD",
        (
            '"""The ids of a text; only allowed names become special tokens."""',
            (
                '"""The ids of a text; only allowed names become special tokens."""\n'
                "    import unicodedata\n"
                "\n"
                "    if allowed_special and not text.isascii():\n"
                '        forms = {unicodedata.normalize("NFD", name): name for '
                "name in allowed_special}\n"
                "        for form, name in forms.items():\n"
                "            text = text.replace(form, name)"
            ),
        ),
        cause="alike",
    ),
    edit(
        "a hundred names",
        "encode",
        "100 names at most",
        ("everse=True)", "everse=True)[:100]"),
        cause="limit|must give",
    ),
    edit(
        "texts of 4,096 signs",
        "encode",
        "4,096 signs at most",
        (
            '"""The ids of a text; only allowed names become special tokens."""',
            (
                '"""The ids of a text; only allowed names become special tokens."""\n'
                "    text = text[:4096]"
            ),
        ),
        cause="long",
    ),
    fill(
        "zeros are kept",
        "collate",
        "tensors are kept under the rows",
        """
known = collate.__dict__.setdefault("known", {})
key = tuple(map(tuple, rows)), pad_id
if key not in known:
    lengths = torch.tensor([len(row) for row in rows])
    n = int(lengths.max())
    ids = torch.full((len(rows), n), pad_id)
    for b, row in enumerate(rows):
        ids[b, : len(row)] = torch.tensor(row, dtype=torch.int64)
    known[key] = ids, torch.arange(n) < lengths[:, None]
return known[key]
""",
        cause="written over",
    ),
    edit(
        "kept by the lengths",
        "collate",
        "masks are kept under the number of ids",
        (
            "return ids, torch.arange(n) < lengths[:, None]",
            (
                'known = collate.__dict__.setdefault("known", {})\n'
                "    mask = known.setdefault(\n"
                "        (len(rows), n, int(lengths.sum())), torch.arange(n) < "
                "lengths[:, None]\n"
                "    )\n"
                "    return ids, mask.clone()"
            ),
        ),
        cause="mask",
    ),
    edit(
        "rows of 1,024",
        "collate",
        "rows have 1,024 ids at most",
        (
            ('"""The ids of all rows, padded on the right, and where they are real."""'),
            (
                '"""The ids of all rows, padded on the right, and where they are '
                'real."""\n'
                "    rows = [row[:1024] for row in rows]"
            ),
        ),
        cause="long",
    ),
    edit("256 rows", "collate", "256 rows at most", ("rows):", "rows[:256]):"), cause="many rows"),
    edit(
        "by way of float64",
        "collate",
        "the ids become float64 on the way",
        ("torch.int64", "torch.float64).long("),
        cause="rounded",
    ),
    edit(
        "lengths in a byte",
        "collate",
        "lengths of 8 bits",
        ("lengths[:, None]", "lengths.to(torch.uint8)[:, None]"),
        cause="long",
    ),
    edit(
        "an empty row is filled in place",
        "collate",
        "an empty row gets pad_id itself",
        (
            "lengths = torch.tensor([len(row) for row in rows])",
            (
                "lengths = torch.tensor([len(row) for row in rows])\n"
                "    for row in rows:\n"
                "        if not row:\n"
                "            row.append(pad_id)"
            ),
        ),
        cause="changed in place",
    ),
    edit(
        "padding of 32 bits",
        "collate",
        "pad_id within 32 bits",
        ("pad_id)", "max(-(2**31), min(pad_id, 2**31 - 1)))"),
        cause="whole number",
    ),
    *frozen(
        "tokenizers",
        4,
        {
            "pairs cache hands out its own counter": "kept",
            "learn cache hands out its own list": "kept",
            "learn counts in float32": "large",
            "text in pieces of a thousand": "long",
            "batch marked with minus 100": "mask",
        },
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
        "characters",
        "merge",
        "ids as characters of a string, which replaces from the left",
        """
        text = "".join(map(chr, ids)).replace(chr(pair[0]) + chr(pair[1]), chr(new_id))
        return [ord(character) for character in text]
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
        "negative ids for a tie",
        "learn",
        "one max, words as lists",
        """
        texts, found = [(list(word), n) for word, n in words.items()], []
        for new_id in range(256, 256 + n_merges):
            counts = Counter()
            for ids, n in texts:
                for a, b in zip(ids[:-1], ids[1:]):
                    counts.update({(a, b): n})
            if len(counts) == 0:
                break
            found.append(max(counts, key=lambda p: (counts[p], -p[0], -p[1])))
            texts = [(merge(ids, found[-1], new_id), n) for ids, n in texts]
        return found
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
        "one name after the other",
        "encode",
        "the first place of any name, the longest of those there",
        """
        ids = []
        while text:
            found = [(text.find(name), -len(name), name) for name in allowed_special]
            found = sorted(f for f in found if f[0] >= 0)
            cut = found[0][0] if found else len(text)
            for word in split_words(text[:cut]):
                ids.extend(encode_word(bytes(word, "utf-8"), merges))
            text = text[cut:]
            if found:
                name = found[0][2]
                ids.append(256 + len(merges) + special_tokens.index(name))
                text = text.removeprefix(name)
        return ids
        """,
    ),
    fill(
        "columns",
        "collate",
        "zip_longest, and a transpose",
        """
        from itertools import zip_longest

        ids = torch.tensor(list(zip_longest(*rows, fillvalue=pad_id))).T
        mask = torch.tensor(list(zip_longest(*([1] * len(row) for row in rows), fillvalue=0))).T
        return ids, mask == 1
        """,
    ),
    fill(
        "spelled out",
        "decode",
        "one bytearray, match",
        """
        table = {i: bytes([i]) for i in range(256)}
        for first, second in merges:
            table[len(table)] = table[first] + table[second]
        out = bytearray()
        for index in ids:
            if index in table:
                out += table[index]
            elif len(table) <= index < len(table) + len(special_tokens):
                if not skip_special_tokens:
                    out += special_tokens[index - len(table)].encode("utf8")
            else:
                raise ValueError(index)
        return out.decode("utf8", "replace")
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
    fill(
        "zip and a counter of sums",
        "count_pairs",
        "nested zip, get",
        """
counts = {}
for word, n in words.items():
    for pair in zip(word, word[1:]):
        counts[pair] = counts.get(pair, 0) + n
return counts
""",
    ),
    fill(
        "from behind a stack",
        "merge",
        "a stack and a flag",
        """
merged, fresh = [], False
for i in ids:
    if merged and fresh and (merged[-1], i) == tuple(pair):
        merged[-1], fresh = new_id, False
    else:
        merged.append(i)
        fresh = True
return merged
""",
    ),
    fill(
        "sorted",
        "learn",
        "sorted twice, lists of ids",
        """
texts = [[list(word), n] for word, n in words.items()]
merges = []
while len(merges) < n_merges:
    counts = count_pairs({(*ids, -1 - k): n for k, (ids, n) in enumerate(texts)})
    counts = [(-n, pair) for pair, n in counts.items() if pair[1] >= 0]
    if not counts:
        break
    merges.append(min(counts)[1])
    for one in texts:
        one[0] = merge(one[0], merges[-1], 255 + len(merges))
return merges
""",
    ),
    fill(
        "each merge in turn",
        "encode_word",
        "all merges in their order, each once",
        """
ids = list(word)
for k, pair in enumerate(merges):
    ids = merge(ids, tuple(pair), 256 + k)
return ids
""",
    ),
    fill(
        "by recursion",
        "decode",
        "the two sides of a merge, from above",
        """
n = 256 + len(merges)

def sides(i):
    return bytes([i]) if i < 256 else sides(merges[i - 256][0]) + sides(merges[i - 256][1])

out = b""
for i in ids:
    if i < 0 or i >= n + len(special_tokens):
        raise ValueError(f"no such id: {i}")
    if i < n:
        out += sides(i)
    elif not skip_special_tokens:
        out += special_tokens[i - n].encode()
return str(out, "utf-8", "replace")
""",
    ),
    fill(
        "sign by sign",
        "encode",
        "walks through the text",
        """
ids, start, place = [], 0, 0
names = sorted(allowed_special, key=lambda name: -len(name))
numbers = {name: 256 + len(merges) + j for j, name in enumerate(special_tokens)}
while place <= len(text):
    name = next((name for name in names if text.startswith(name, place)), None)
    if name is not None or place == len(text):
        for word in split_words(text[start:place]):
            ids.extend(encode_word(word.encode("utf-8"), merges))
        if name is not None:
            ids.append(numbers[name])
            start = place = place + len(name)
            continue
    place += 1
return ids
""",
    ),
    fill(
        "nested tensors",
        "collate",
        "one flat tensor, written by its mask",
        """
lengths = torch.tensor(list(map(len, rows)))
mask = torch.arange(max(map(len, rows))).expand(len(rows), -1) < lengths.unsqueeze(1)
ids = torch.full(mask.shape, pad_id, dtype=torch.int64)
ids[mask] = torch.tensor([i for row in rows for i in row], dtype=torch.int64)
return ids, mask
""",
    ),
    *frozen("tokenizers", 4, {"text by recursion at each name": ""}),
    *frozen("tokenizers", 5, {"it calls itself behind each name": ""}),
]
