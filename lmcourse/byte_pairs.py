"""Byte pairs: cutting a text into words, learning which neighbors to merge, and merging them.

Chapter: book/tokenizers.md
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

import regex
from tqdm import tqdm

Pair = tuple[int, int]

N_BYTES = 256

# Merges stay inside of words, as GPT-4 cuts them: the end of a contraction, letters with one sign
# before them (mostly the space), up to three digits, other signs, white space at the end of the
# text, ends of lines, other white space. `++` never gives back what it took, so a long run is read
# once. tiktoken writes `$` for `\Z`: in Python `$` would also match before a last line end.
WORD = regex.compile(
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++\Z|\s*[\r\n]|\s+(?!\S)|\s"
)
# No word reaches across these places, and on either side the words are what they would be in the
# whole text: after letters or digits that end; after the end of a line where the white space ends,
# too; before white space, but not before the end of a line, which signs take with them; and
# between signs and a digit. White space before a cut ends with a line end, so that the end of a
# part, which looks like the end of the text, changes no word.
_SAFE_CUT = regex.compile(
    r"(?<=\p{L})(?=\P{L})|(?<=\p{N})(?=\P{N})|(?<=[\r\n])(?=\S)|(?<=\S)(?=[^\S\r\n])"
    r"|(?<=[^\s\p{L}\p{N}])(?=\p{N})"
)
# Words longer than this hardly come again, and are not remembered.
_LONG = 100

# A bar is shown where somebody looks, and only if it takes long.
_BAR = {"delay": 1, "disable": None, "unit_scale": True}


def split_words(text: str) -> list[str]:
    """The words of a text and what stands between them; side by side they are the text.

    Example:
        >>> split_words("I'm here: 2026, 我是!")
        ['I', "'m", ' here', ':', ' ', '202', '6', ',', ' 我是', '!']
    """
    return WORD.findall(text)


def chunks(text: str, n_characters: int = 1_000_000) -> Iterator[str]:
    """The text in parts of `n_characters` and what is left of the last word.

    The words of the parts are those of the text. So what is held in memory does not grow with the
    text, whatever its lines look like.
    """
    start = 0
    while start < len(text):
        end = safe_cut(text, start + n_characters) or len(text)
        yield text[start:end]
        start = end


def safe_cut(text: str, start: int) -> int:
    """The first place from `start` on that no word reaches across, 0 if there is none.

    It needs a character after it, so the end of the text is none.

    Example:
        >>> safe_cut("one two three", 5)
        7
    """
    cut = _SAFE_CUT.search(text, start)
    return cut.end() if cut else 0


def split_special_tokens(text: str, names: Collection[str]) -> list[str]:
    """What stands around the names and, in between, the names: text, name, text, …, text.

    Example:
        >>> split_special_tokens("<a>b<a><ab>", ["<a>", "<ab>"])
        ['', '<a>', 'b', '<a>', '', '<ab>', '']
    """
    if not names:
        return [text]
    # Of two names that begin alike the longer one is meant.
    alternatives = "|".join(map(regex.escape, sorted(names, key=len, reverse=True)))
    return regex.split(f"({alternatives})", text)


def count_words(text: str) -> Counter[str]:
    """How often each word occurs."""
    counts: Counter[str] = Counter()
    with tqdm(total=len(text), desc="words", unit="char", **_BAR) as bar:
        for chunk in chunks(text):
            counts.update(split_words(chunk))
            bar.update(len(chunk))
    return counts


def learn_merges(words: Mapping[bytes, int], n_merges: int) -> list[Pair]:
    """The pairs to merge: each time the most frequent one, and of equals the smallest.

    Ids 0 to 255 are the bytes; the first merge makes id 256, the next 257. Fewer than `n_merges`
    if the words run out of pairs.

    Args:
        words: how often each occurs.

    Example:
        >>> learn_merges({b"aab": 2, b"ab": 1}, n_merges=2)
        [(97, 98), (97, 256)]

    Reference: Sennrich, Haddow and Birch (2016), section 3.2, https://aclanthology.org/P16-1162.
    """
    pairs = _Pairs(words)
    merges: list[Pair] = []
    for new_id in tqdm(range(N_BYTES, N_BYTES + n_merges), desc="merges", unit="merge", **_BAR):
        best = pairs.most_frequent()
        if best is None:
            break
        merges.append(best)
        pairs.merge(best, new_id)
    return merges


class _Pairs:
    """All pairs of neighbors: how often each occurs, and in which words.

    A merge changes the counts next to it and no others, so only the words that hold the pair are
    read again. That makes the time nearly independent of the number of merges.
    """

    def __init__(self, words: Mapping[bytes, int]):
        self.words = [list(word) for word in words]
        self.n_times = list(words.values())
        self.counts: Counter[Pair] = Counter()
        self.words_with: defaultdict[Pair, set[int]] = defaultdict(set)
        for index, word in enumerate(self.words):
            for pair in pairwise(word):
                self.counts[pair] += self.n_times[index]
                self.words_with[pair].add(index)
        # A heap cannot change an entry, so its counts may be too high; `most_frequent` corrects
        # the one on top until it is true. Too low they never are: only new pairs gain.
        self.heap = [(-count, pair) for pair, count in self.counts.items()]
        heapq.heapify(self.heap)

    def most_frequent(self) -> Pair | None:
        """The most frequent pair, of equals the smallest; None if there is none left."""
        while self.heap:
            entry, pair = self.heap[0]
            now = -self.counts[pair]
            if now == 0:
                heapq.heappop(self.heap)
            elif now == entry:
                return pair
            else:
                heapq.heapreplace(self.heap, (now, pair))
        return None

    def merge(self, pair: Pair, new_id: int) -> None:
        """Merges the pair in all words."""
        fresh = set()
        for index in self.words_with.pop(pair):
            n = self.n_times[index]
            for gone, come in _merge_in_place(self.words[index], pair, new_id):
                self.counts[gone] -= n
                self.counts[come] += n
                self.words_with[come].add(index)
                fresh.add(come)
        self.counts[pair] = 0
        for come in fresh:
            heapq.heappush(self.heap, (-self.counts[come], come))


def _merge_in_place(ids: list[int], pair: Pair, new_id: int) -> Iterator[tuple[Pair, Pair]]:
    """Merges from the left; for each neighbor of a merge the pair that goes and the one that comes.

    In a a b a a with (a, a) → X these are (a, b) → (X, b), then (b, a) → (b, X).
    """
    first, second = pair
    merged: list[int] = []
    i, end = 0, len(ids)
    while i < end:
        if ids[i] == first and i + 1 < end and ids[i + 1] == second:
            if merged:  # the left neighbor, which may be a merge itself
                yield (merged[-1], first), (merged[-1], new_id)
            if i + 2 < end:  # the right one: if it is merged in turn, this pair will go again
                yield (second, ids[i + 2]), (new_id, ids[i + 2])
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    ids[:] = merged


def merge_pair(ids: Sequence[int], pair: Pair, new_id: int) -> list[int]:
    """The ids with the pair replaced by `new_id`, from the left, so that none is used twice.

    Example:
        >>> merge_pair([1, 1, 1, 2], (1, 1), 3)
        [3, 1, 2]
    """
    merged = list(ids)
    for _ in _merge_in_place(merged, pair, new_id):
        pass
    return merged


def apply_merges(ids: Sequence[int], ranks: Mapping[Pair, int]) -> list[int]:
    """The ids after all merges that apply, each time the one that was learned first.

    Args:
        ranks: the id that each pair becomes; the smaller, the earlier learned.

    Example:
        >>> apply_merges([1, 2, 3], {(2, 3): 4, (1, 2): 5})
        [1, 4]
    """
    # A list whose places know their neighbors, and a heap of the pairs that can be merged: a merge
    # changes two pairs and leaves all others, so even a word without an end is read once.
    merged: list[int | None] = list(ids)
    end = len(merged)
    before, after = list(range(-1, end - 1)), list(range(1, end + 1))
    heap: list[tuple[int, int, int, int]] = []

    def note(place: int, following: int) -> None:
        pair = merged[place], merged[following]
        if (new_id := ranks.get(pair)) is not None:
            heapq.heappush(heap, (new_id, place, *pair))

    for place in range(end - 1):
        note(place, place + 1)
    while heap:
        new_id, place, first, second = heapq.heappop(heap)
        other = after[place]
        if merged[place] != first or other == end or merged[other] != second:
            continue  # one of the two was merged in the meantime
        merged[place], merged[other] = new_id, None
        after[place] = after[other]
        if after[place] < end:
            before[after[place]] = place
            note(place, after[place])
        if before[place] >= 0:
            note(before[place], place)
    return [index for index in merged if index is not None]


class MergeCache(dict[str, list[int]]):
    """The ids of each word, worked out when it is first asked for, then remembered.

    Most words of a text have come before, so this saves most of the work.
    """

    def __init__(self, ranks: Mapping[Pair, int], max_size: int = 1 << 18):
        super().__init__()
        self.ranks, self.max_size = ranks, max_size

    def __missing__(self, word: str) -> list[int]:
        if len(self) >= self.max_size:
            self.clear()
        ids = apply_merges(word.encode(), self.ranks)
        if len(word) <= _LONG:
            self[word] = ids
        return ids


def token_bytes(merges: Sequence[Pair]) -> list[bytes]:
    """The bytes that each id stands for: those of the bytes themselves, then those of the merges.

    Raises:
        ValueError: a merge of ids that come later.
    """
    spelled = [bytes([byte]) for byte in range(N_BYTES)]
    for index, (first, second) in enumerate(merges):
        if not (0 <= first < len(spelled) and 0 <= second < len(spelled)):
            raise ValueError(
                f"merges[{index}] must join two ids from 0…{len(spelled) - 1}, which stand before"
                f" it, got merges[{index}]={(first, second)}"
            )
        spelled.append(spelled[first] + spelled[second])
    return spelled
