"""Our byte pairs beside those written in Rust: learning the merges, and encoding a text."""

import os
import sysconfig
from collections.abc import Callable
from pathlib import Path

import rustbpe
import tiktoken
import tokenizers as huggingface

from benchmarks.runner import Row
from lmcourse.byte_pairs import WORD
from lmcourse.data import pydoc_text
from lmcourse.tokenizers import BPETokenizer

N_CHARACTERS, VOCAB_SIZE = 1_000_000, 1024


def rows(n_characters: int = N_CHARACTERS, vocab_size: int = VOCAB_SIZE) -> list[Row]:
    """All sides cut words by the same pattern, and encode with the same merges."""
    # With several threads the peers need more CPU time for the same work.
    os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")
    text = sample_text(n_characters)
    ours = BPETokenizer.train(text, vocab_size)

    def train() -> BPETokenizer:
        return BPETokenizer.train(text, vocab_size)

    def encode() -> list[int]:
        return BPETokenizer(ours.merges).encode(text)  # a new one: it remembers no words

    to_huggingface, to_tiktoken = in_huggingface(ours), in_tiktoken(ours)
    trained = f"byte pairs, training: {n_characters / 1e6:g} MB, vocabulary {vocab_size}"
    encoded = f"byte pairs, encoding: {n_characters / 1e6:g} MB"
    return [
        Row(
            work=trained,
            ours=train,
            peer=lambda: train_huggingface(text, vocab_size),
            peer_name="tokenizers",
            goal=0.65,
        ),
        Row(
            work=trained,
            ours=train,
            peer=lambda: train_rustbpe(text, vocab_size),
            peer_name="rustbpe",
        ),
        Row(
            work=encoded,
            ours=encode,
            peer=lambda: to_huggingface(text),
            peer_name="tokenizers",
            goal=1.3,
        ),
        Row(
            work=encoded,
            ours=encode,
            peer=lambda: to_tiktoken(text),
            peer_name="tiktoken",
            goal=0.2,
        ),
    ]


def sample_text(n_characters: int) -> str:
    """English and code that every Python installs, none of it twice."""
    parts, missing = [pydoc_text()], n_characters
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        parts.append(path.read_text(encoding="utf-8", errors="replace"))
        missing = n_characters - sum(map(len, parts))
        if missing <= 0:
            break
    return "".join(parts)[:n_characters]


def train_rustbpe(text: str, vocab_size: int) -> rustbpe.Tokenizer:
    """rustbpe's tokenizer, which cuts words as ours does."""
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(iter([text]), vocab_size, pattern=_pattern("$"))
    return tokenizer


def train_huggingface(text: str, vocab_size: int) -> huggingface.Tokenizer:
    """The tokenizer that `tokenizers` learns; it breaks ties in another order."""
    tokenizer = _cutting_words(huggingface.models.BPE())
    trainer = huggingface.trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=huggingface.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def in_huggingface(tokenizer: BPETokenizer) -> Callable[[str], list[int]]:
    """The encoder of `tokenizers` with our merges."""
    alphabet = _printable_bytes()
    names = ["".join(alphabet[byte] for byte in token) for token in tokenizer.tokens]
    merges = [(names[first], names[second]) for first, second in tokenizer.merges]
    vocabulary = {name: index for index, name in enumerate(names)}
    theirs = _cutting_words(huggingface.models.BPE(vocab=vocabulary, merges=merges))
    return lambda text: theirs.encode(text).ids


def in_tiktoken(tokenizer: BPETokenizer) -> Callable[[str], list[int]]:
    """The encoder of tiktoken with our merges."""
    ranks = {token: rank for rank, token in enumerate(tokenizer.tokens)}
    theirs = tiktoken.Encoding(
        "ours", pat_str=_pattern("$"), mergeable_ranks=ranks, special_tokens={}
    )
    return theirs.encode_ordinary


def _pattern(end: str) -> str:
    """The pattern of our words, with the end of the text as another engine writes it."""
    return WORD.pattern.replace(r"\Z", end)


def _cutting_words(model: huggingface.models.BPE) -> huggingface.Tokenizer:
    tokenizer = huggingface.Tokenizer(model)
    cut, byte_level = huggingface.pre_tokenizers.Split, huggingface.pre_tokenizers.ByteLevel
    tokenizer.pre_tokenizer = huggingface.pre_tokenizers.Sequence(
        [
            cut(huggingface.Regex(_pattern(r"\z")), "isolated"),
            byte_level(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def _printable_bytes() -> list[str]:
    """The character that stands for each byte there: its own, or one from U+0100 on."""
    seen = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in seen else next(others)) for byte in range(256)]
