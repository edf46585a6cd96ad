"""Documents that know where they come from, in files and in parts that cannot leak.

Chapter: book/data.md
"""

import json
import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from lmcourse.files import write_file


@dataclass(frozen=True, kw_only=True)
class Document:
    """A text, and what must travel with it.

    Args:
        text: the text itself.
        source: where it comes from: an address, a file, a name that can be looked up.
        license: what may be done with it, such as "CC BY 4.0"; "unknown" if nobody knows.
        language: in which it is written, if that is known.
        group: documents of one group, such as versions of one text, never land in two parts.
        history: what was done to the text since it was fetched, the first thing first.
    """

    text: str
    source: str
    license: str
    language: str | None = None
    group: str | None = None
    history: tuple[str, ...] = ()

    def __post_init__(self):
        for name in ("source", "license"):
            value = getattr(self, name)
            if not value.strip():
                raise ValueError(
                    f"{name} must be words, got {name}={value!r}: what nobody knows is 'unknown'"
                )

    def with_text(self, text: str, step: str) -> "Document":
        """The same document with another text; its source and its license stay with it.

        Args:
            step: what was done, for `history`.
        """
        return replace(self, text=text, history=(*self.history, step))


def with_license(documents: Iterable[Document], allowed: Collection[str]) -> list[Document]:
    """The documents that come under one of these licenses; "unknown" is none unless it is named."""
    if isinstance(allowed, str):
        raise ValueError(f"allowed must be a list of licenses, got the text {allowed!r}")
    names = {name.casefold() for name in allowed}
    return [document for document in documents if document.license.casefold() in names]


def write_documents(path: str | Path, documents: Iterable[Document]) -> None:
    """Writes a file with a line of JSON for each document, for `read_documents`."""
    lines = []
    for document in documents:
        known = {name: value for name, value in asdict(document).items() if value not in (None, ())}
        lines.append(json.dumps(known, ensure_ascii=False) + "\n")
    write_file(path, "".join(lines))


def read_documents(path: str | Path, license: str | None = None) -> Iterator[Document]:
    """The documents of a file with a line of JSON for each.

    Args:
        license: that of lines that name none; such a line is refused if None.

    Raises:
        ValueError: a line is no document, and which.
    """
    # Not by str.splitlines: a text may hold line separators that are not ends of lines in JSON.
    with Path(path).open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield document_of(line, f"line {number} of {path}", license)


_FIELDS = {field.name for field in fields(Document)}


def document_of(line: str, where: str, license: str | None = None) -> Document:
    """The document in a line of JSON; its source is `where` if it names none.

    Raises:
        ValueError: it is no document; the message names the line.
    """
    try:
        content: Any = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where} must be JSON, got {line[:40]!r}: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("text"), str):
        raise ValueError(f'{where} must be like {{"text": "…"}}, got {line[:40]!r}')
    known = {name: value for name, value in content.items() if name in _FIELDS}
    known.setdefault("source", where)
    if "license" not in known:
        if license is None:
            raise ValueError(
                f"{where} must name a license, got none: add one to the line, or say which all such"
                " lines have; 'unknown' if nobody knows"
            )
        known["license"] = license
    history = known.get("history", ())
    known["history"] = tuple(history) if isinstance(history, list) else history
    for name, value in known.items():
        words = value if name == "history" else [value]
        may_be_none = name in ("language", "group") and value is None
        if not may_be_none and not all(isinstance(word, str) for word in words):
            raise ValueError(f"{where} must have words for {name}, got {value!r}")
    try:
        return Document(**known)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def split_documents(
    documents: Sequence[Any],
    groups: Sequence[Any] | None = None,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
) -> list[list[Any]]:
    """The documents in parts, each group whole in one of them, in the order in which they came.

    A window of a text, or a sentence of it, is no document: its neighbors tell too much of it.
    So split documents first, and cut them afterwards.

    Args:
        groups: one for each document, such as `duplicates.groups_of_copies` finds them; a document
            whose group is None stands alone, as all do if there are none.
        fractions: of the documents, for each part; a part is off by less than the largest group.
    """
    if not fractions or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions must be positive and sum to 1, got {tuple(fractions)}")
    if groups is not None and len(groups) != len(documents):
        raise ValueError(
            f"groups must be one for each document, got {len(groups)} for {len(documents)}"
        )
    members = defaultdict(list)
    for index in range(len(documents)):
        alone = groups is None or groups[index] is None
        members[("alone", index) if alone else ("group", groups[index])].append(index)
    order = list(members.values())
    random.Random(seed).shuffle(order)
    parts: list[list[int]] = [[] for _ in fractions]
    for indices in order:
        # To the part that lacks most of its share; of equals to the first.
        lacks = [
            share * len(documents) - len(part) for share, part in zip(fractions, parts, strict=True)
        ]
        parts[lacks.index(max(lacks))] += indices
    return [[documents[index] for index in sorted(part)] for part in parts]
