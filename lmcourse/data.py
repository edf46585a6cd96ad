"""Text to learn from: generated corpora, what every Python installs, and real data by checksum.

Chapter: book/data.md
"""

import gzip
import hashlib
import itertools
import os
import random
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor
from tqdm import tqdm

from lmcourse.corpora import generate_corpus as generate_corpus
from lmcourse.files import FULL, is_full
from lmcourse.text_windows import Windows

VARIABLE = "LMCOURSE_DATA"
Item = TypeVar("Item")

# Addresses name a commit: what they hold cannot change.
_GITHUB = "https://raw.githubusercontent.com"
_SHAKESPEARE = f"{_GITHUB}/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"
_CNN_TEXT = f"{_GITHUB}/dennybritz/cnn-text-classification-tf"
_REVIEWS = f"{_CNN_TEXT}/18762b459e21d9c70e5c242f8d43fc4e6db37a0d/data/rt-polaritydata"
_ENTITIES = f"{_GITHUB}/leondz/emerging_entities_17/e52a2d2a71ac1a051ca2d532eef28653c5c02603"
_CAPTIONS = f"{_GITHUB}/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw"

# For each file: its SHA-256; for one that is downloaded in gzip, that of the download below it.
_SUMS = """
86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed tinyshakespeare.txt
4134882974a28d0c7b5151256f0e33a6169984ee7372c279e673f1114f475d58 rt-polarity.pos
2d11cfbc790f1cd96d78339f41ce53ced1efa83cd22d37d6788fa3fe3d17e2fd rt-polarity.neg
b47e27b46a3ee1ef7873c8e5a0d09bd7c0d4de66144b9b1fcdb867c87917e02f tatoeba-cmn-eng.tsv
731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5 wnut17.train.conll
e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8 wnut17.dev.conll
460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6 multi30k.train.en
d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f multi30k.train.en.gz
2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72 multi30k.train.de
726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6 multi30k.train.de.gz
1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227 multi30k.val.en
14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28 multi30k.val.en.gz
660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660 multi30k.val.de
f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a multi30k.val.de.gz
399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182 multi30k.test_2016_flickr.en
611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9 multi30k.test_2016_flickr.en.gz
4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16 multi30k.test_2016_flickr.de
9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8 multi30k.test_2016_flickr.de.gz
"""
SUMS = {name: digest for digest, name in (line.split() for line in _SUMS.split("\n") if line)}
ADDRESSES = {
    "tinyshakespeare.txt": f"{_SHAKESPEARE}/data/tinyshakespeare/input.txt",
    "rt-polarity.pos": f"{_REVIEWS}/rt-polarity.pos",
    "rt-polarity.neg": f"{_REVIEWS}/rt-polarity.neg",
    "wnut17.train.conll": f"{_ENTITIES}/wnut17train.conll",
    "wnut17.dev.conll": f"{_ENTITIES}/emerging.dev.conll",
}
_MULTI30K = {"train": "train", "val": "val", "test": "test_2016_flickr"}
for _part in _MULTI30K.values():
    for _language in ("en", "de"):
        ADDRESSES[f"multi30k.{_part}.{_language}"] = f"{_CAPTIONS}/{_part}.{_language}.gz"


class DatasetError(OSError):
    """A data set that cannot be had here; the message says what to do."""


def load_dataset(name: str) -> dict[str, Sequence[Any]]:
    """The parts of a real data set, each a sequence of examples.

    Looks in the folder that the variable LMCOURSE_DATA names, then in the cache, and downloads
    otherwise; the SHA-256 is checked each time.

    Args:
        name: what comes out is for
            tinyshakespeare: {"all": characters, as one str};
            rt-polarity: {"all": (sentence, 1 if it praises, 0 if it pans)};
            tatoeba-cmn-eng: {"all": (English, Chinese)};
            multi30k: {"train", "val", "test": (English, German)};
            wnut17: {"train", "dev": sentences of (word, BIO tag)}.

    Raises:
        DatasetError: no network, full disk, wrong checksum …: with what to do.
    """
    if name not in _READERS:
        known = ", ".join(sorted(_READERS))
        raise ValueError(f"name must be one of {known}, got name={name!r}")
    return _READERS[name]()


def _read_reviews() -> dict[str, list[tuple[str, int]]]:
    praised = [(line.strip(), 1) for line in _lines("rt-polarity.pos")]
    return {"all": praised + [(line.strip(), 0) for line in _lines("rt-polarity.neg")]}


def _read_tatoeba() -> dict[str, list[tuple[str, str]]]:
    name = "tatoeba-cmn-eng.tsv"
    rows = [_columns(name, number, line) for number, line in enumerate(_lines(name), 1)]
    return {"all": [(row[0], row[1]) for row in rows]}


def _columns(name: str, number: int, line: str) -> list[str]:
    """What stands between the tabs, two texts at least."""
    columns = line.split("\t")
    if len(columns) < 2:
        raise DatasetError(
            f"line {number} of {name} must have two texts with a tab between them, got {line!r}:"
            f" mend the file, or remove it from the folder that {VARIABLE} names"
        )
    return columns


def _read_captions() -> dict[str, list[tuple[str, str]]]:
    parts = {}
    for part, stem in _MULTI30K.items():
        english, german = (_lines(f"multi30k.{stem}.{language}") for language in ("en", "de"))
        parts[part] = list(zip(english, german, strict=True))
    return parts


def _read_entities() -> dict[str, list[list[tuple[str, str]]]]:
    parts = {}
    for part in ("train", "dev"):
        sentences: list[list[tuple[str, str]]] = [[]]
        name = f"wnut17.{part}.conll"
        for number, line in enumerate(_lines(name), 1):
            if line.strip():
                word, tag = _columns(name, number, line)[:2]
                sentences[-1].append((word, tag))
            elif sentences[-1]:  # some breaks are empty lines, some a TAB, some both
                sentences.append([])
        parts[part] = [sentence for sentence in sentences if sentence]
    return parts


_READERS: dict[str, Callable[[], dict[str, Sequence[Any]]]] = {
    "tinyshakespeare": lambda: {"all": _text("tinyshakespeare.txt")},
    "rt-polarity": _read_reviews,
    "tatoeba-cmn-eng": _read_tatoeba,
    "multi30k": _read_captions,
    "wnut17": _read_entities,
}


def _lines(name: str) -> list[str]:
    # Not splitlines(): it would also split at the odd line separators inside of sentences.
    return _text(name).removesuffix("\n").split("\n")


def _text(name: str) -> str:
    content = _from_folder(name)
    if content is None:
        content = _download(name).read_bytes()
        content = gzip.decompress(content) if f"{name}.gz" in SUMS else content
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} must be a text in UTF-8, but {error.reason}") from error


def _from_folder(name: str) -> bytes | None:
    if not (folder := os.environ.get(VARIABLE)):
        return None
    if not Path(folder).is_dir():
        raise DatasetError(f"{VARIABLE} must name a folder, got {VARIABLE}={folder!r}")
    path = Path(folder) / name
    if not path.is_file():
        return None
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest == SUMS[name]:
        return content
    if name in ADDRESSES:
        raise DatasetError(
            f"{path} must have the SHA-256 {SUMS[name]}, got {digest}: put the file there that"
            f" {ADDRESSES[name]} holds, or remove it and it will be downloaded"
        )
    warnings.warn(f"{path} is another edition than the one that was tested", stacklevel=2)
    return content


def _download(name: str) -> Path:
    """The file in the cache, downloaded if it is not there; never a half one."""
    if name not in ADDRESSES:
        raise DatasetError(
            f"{name} has no address of its own: get cmn-eng.zip from https://www.manythings.org/anki/,"
            f" unpack cmn.txt, name it {name} and set {VARIABLE} to its folder"
        )
    import pooch  # here, so that everything but a download works without it

    saved = f"{name}.gz" if f"{name}.gz" in SUMS else name
    pooch.get_logger().setLevel("WARNING")  # the bar says it
    # Nothing is shown where nobody looks. Pooch sets the total, once there is one to be set.
    bar = tqdm(desc=name, total=1, unit="B", unit_scale=True, disable=None)
    try:
        # Downloads to another name in the same folder, and renames when the checksum is right.
        path = pooch.retrieve(
            ADDRESSES[name],
            known_hash=f"sha256:{SUMS[saved]}",
            fname=saved,
            path=_cache(),
            downloader=pooch.HTTPDownloader(progressbar=bar, timeout=30),
        )
    except (OSError, ValueError) as error:
        way_out = f"download {ADDRESSES[name]} yourself" + (", unpack it" if saved != name else "")
        raise DatasetError(
            f"{name} could not be downloaded to {_cache()}: {_reason(error)}. Try again; or"
            f" {way_out}, name it {name} and set {VARIABLE} to its folder"
        ) from error
    finally:
        bar.close()
    return Path(path)


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("lmcourse"))


def _reason(error: Exception) -> str:
    if is_full(error):
        return FULL
    if isinstance(error, ValueError):
        return "what came has the wrong checksum"
    return f"{type(error).__name__}: {error}"


def pydoc_text() -> str:
    """The documentation that every Python has within itself, without what it says twice.

    About 370,000 characters of English and code, different from one version of Python to the next.
    """
    from pydoc_data.topics import topics

    paragraphs = re.split(r"\n\s*\n", "\n\n".join(topics[name] for name in sorted(topics)))
    # A fifth of it stands in two topics: in training and in test, it would flatter every model.
    return "\n\n".join(dict.fromkeys(paragraphs))


def split(
    items: Sequence[Item], fractions: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0
) -> list[list[Item]]:
    """The items in random order, cut into parts; rounding favors the last.

    Equal items can land in different parts: remove duplicates first.
    """
    if not fractions or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions must be positive and sum to 1, got {tuple(fractions)}")
    shuffled = list(items)
    random.Random(seed).shuffle(shuffled)
    ends = [0]
    for fraction in fractions[:-1]:
        ends.append(ends[-1] + int(fraction * len(shuffled) + 1e-9))
    ends.append(len(shuffled))
    return [shuffled[start:end] for start, end in itertools.pairwise(ends)]


def part_of(key: str) -> str:
    """train, validation or test, 80 : 10 : 10, by a hash: equal keys land in the same part."""
    place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 10
    return {0: "validation", 1: "test"}.get(place, "train")


def parts_of(rows: Iterable[tuple[str, Any]]) -> dict[str, list[tuple[str, Any]]]:
    """train, validation and test; rows that begin with the same text are never in two of them."""
    parts: dict[str, list[tuple[str, Any]]] = {"train": [], "validation": [], "test": []}
    for row in rows:
        parts[part_of(row[0])].append(row)
    return parts


def batches(
    ids: Sequence[int] | Int[Tensor, "N"], batch_size: int, context_length: int, seed: int = 0
) -> Iterator[tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]]:
    """One pass over the text: ids and, one place further, the ids to predict, in random order.

    The text is cut into windows of `context_length`; fewer ids than a window at its end are left
    out, and the last batch may hold fewer windows.
    """
    windows = Windows(ids, context_length)
    windows.check_length()
    starts = torch.tensor(windows.starts())
    order = torch.randperm(len(starts), generator=torch.Generator().manual_seed(seed))
    return (windows.batch(chosen.tolist()) for chosen in starts[order].split(batch_size))


def pad_batch(
    sequences: Iterable[Sequence[int] | Tensor | np.ndarray],
    pad_id: int = 0,
    side: Literal["right", "left"] = "right",
) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """The sequences as rows of equal length, and the mask: True where an id is real.

    The rows' lengths are `mask.sum(1)`; attention takes `mask[:, None]`.

    Args:
        sequences: lists, tensors or arrays. Where all are empty there is one column of padding, so
            that an empty text is read alone as it is beside others.
        pad_id: fills up; what it is does not matter where the mask is obeyed.
        side: where to fill up: right to read, left to go on writing.

    Example:
        >>> pad_batch([[5, 3], [7, 2, 4]])[0].tolist()
        [[5, 3, 0], [7, 2, 4]]
    """
    rows = [torch.as_tensor(sequence) for sequence in sequences]
    if not rows:
        raise ValueError("sequences must be at least one, got none")
    if side not in ("right", "left"):
        raise ValueError(f"side must be 'right' or 'left', got side={side!r}")
    n = max(1, *map(len, rows))
    ids = torch.full((len(rows), n), pad_id)
    mask = torch.zeros(len(rows), n, dtype=torch.bool)
    for number, row in enumerate(rows):
        place = slice(0, len(row)) if side == "right" else slice(n - len(row), n)
        ids[number, place] = row.to(ids.dtype)
        mask[number, place] = True
    return ids, mask
