"""Text that shows what a model makes of it: its tokens as chips, its surprise as color.

Chapter: book/conventions.md
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lmcourse.plots.picture import Numbers, as_array, caption_html

Piece = str | bytes

# Washes under text, in the colors of the figures: in light and in dark the text stays legible.
_WASHES = ("47, 128, 216", "210, 100, 30", "43, 147, 96", "168, 98, 207")
_CHIP = "display: inline-block; border-radius: 0.3em; padding: 0.05em 0.25em; margin: 0.1em 0.06em"
_LINE = "margin: 0.35rem 0; line-height: 1.9; overflow-wrap: anywhere; text-align: left"
_LABEL = "display: block; font-size: 0.85em; opacity: 0.8; line-height: 1.3"
_MONO = "font-family: var(--pst-font-family-monospace, monospace); font-size: 0.92em"
_BELOW, _ABOVE = "210, 100, 30", "47, 128, 216"
_CARDS = "display: grid; gap: 0.8rem; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr))"
_CARD = (
    "border: 1px solid rgba(128, 128, 128, 0.4); border-radius: 0.4rem; padding: 0.6rem 0.8rem"
    "; text-align: left; font-size: 0.88em; line-height: 1.45; overflow-wrap: anywhere"
)
_STRONGEST = 0.6  # of the color; more, and the text on it would fade
LONGEST_ALT = 40  # tokens


@dataclass(frozen=True, repr=False)
class Chips:
    """Text in pieces, and the words that say the same; a notebook shows it as HTML."""

    body: str
    alt: str
    caption: str = ""

    def __repr__(self) -> str:
        return f"Chips: {self.alt}"

    def _repr_html_(self) -> str:
        label = html.escape(self.alt)
        inner = f'<div role="img" aria-label="{label}">{self.body}</div>'
        return f'<figure class="lm-picture lm-text">{inner}{caption_html(self.caption)}</figure>'


def tokens(
    pieces: Sequence[Piece] | Mapping[str, Sequence[Piece]],
    ids: Sequence[int] | None = None,
    caption: str = "",
) -> Chips:
    """A text as the chips that a tokenizer makes of it.

    Args:
        pieces: the tokens in their order; or several ways to cut a text, each under its name.
        ids: the number of each token, written below it.

    Example:
        >>> tokens(["pro", "gram", "mer"])
        Chips: 3 tokens: “pro”, “gram”, “mer”.
    """
    rows = pieces if isinstance(pieces, Mapping) else {"": pieces}
    if ids is not None and (len(rows) != 1 or len(ids) != len(next(iter(rows.values())))):
        n_pieces = sum(map(len, rows.values()))
        raise ValueError(
            f"ids must name each of one row of pieces, got {len(ids)} ids for {n_pieces} pieces in"
            f" {len(rows)} rows: leave them out, or draw one row"
        )
    body, alt = [], []
    for name, row in rows.items():
        chips = [
            _chip(piece, index, ids[index] if ids is not None else None)
            for index, piece in enumerate(row)
        ]
        number = f"{len(row)} tokens" if len(row) != 1 else "1 token"
        title = f'<span style="{_LABEL}">{html.escape(name)}: {number}</span>' if name else ""
        body.append(f'<div style="{_LINE}">{title}{"".join(chips)}</div>')
        alt.append(f"{name}: {number}: {_listed(row)}" if name else f"{number}: {_listed(row)}")
    return Chips("".join(body), " ".join(alt), caption)


def surprise(
    pieces: Sequence[Piece],
    nats: Numbers | Mapping[str, Numbers],
    caption: str = "",
    most: float | None = None,
) -> Chips:
    """A text in which each token has the color of its surprise, and the scale below it.

    Args:
        pieces: the tokens in their order, with their spaces.
        nats: minus the logarithm of the probability that each token had, NaN where there was none
            (the first); or several rows of them, each under its name.
        most: the end of the scale, so that two figures can be compared; the largest surprise if
            None.
    """
    rows = nats if isinstance(nats, Mapping) else {"": nats}
    values = {name: as_array(row) for name, row in rows.items()}
    for name, row in values.items():
        if row.shape != (len(pieces),):
            raise ValueError(
                f"nats{f'[{name!r}]' if name else ''} must have a number for each piece, got"
                f" {row.size} for {len(pieces)}: the first token has NaN"
            )
    if not values or not any(np.isfinite(row).any() for row in values.values()):
        raise ValueError("nats must hold a number that is not NaN, got none: give -log p")
    if most is None:
        most = max(float(np.nanmax(row)) for row in values.values())
    most = max(most, 1e-9)
    body, alt = [], []
    for name, row in values.items():
        mean = float(np.nanmean(row))
        label = f"{name}: {mean:.2f} nats a token" if name else ""
        title = f'<span style="{_LABEL}">{html.escape(label)}</span>' if name else ""
        spans = [_colored(piece, nat, most) for piece, nat in zip(pieces, row, strict=True)]
        body.append(f'<div style="{_LINE}">{title}{"".join(spans)}</div>')
        alt.append(_describe_surprise(name, pieces, row))
    return Chips("".join(body) + _scale(most), " ".join(alt), caption)


def shade(
    pieces: Sequence[Piece],
    values: Numbers,
    label: str,
    caption: str = "",
    most: float | None = None,
) -> Chips:
    """A text in which each token has the color of a number: blue above zero, orange below.

    Args:
        pieces: the tokens in their order, with their spaces.
        values: one for each, such as one number of a recurrent network's state.
        label: what the numbers are; it stands at the scale.
        most: the end of the scale on both sides; the value farthest from zero if None.
    """
    return shades({"": (pieces, values)}, label, caption, most)


def shades(
    texts: Mapping[str, tuple[Sequence[Piece], Numbers]],
    label: str,
    caption: str = "",
    most: float | None = None,
) -> Chips:
    """Several texts as `shade` colors one, each under its name, with one scale below them.

    Args:
        texts: for each name its pieces, and a number for each of them.
    """
    rows = {name: as_array(values) for name, (_, values) in texts.items()}
    for (pieces, _), row in zip(texts.values(), rows.values(), strict=True):
        if row.shape != (len(pieces),) or not np.isfinite(row).all() or not len(row):
            found = f"{row.size} for {len(pieces)}"
            raise ValueError(f"values must be a finite number for each piece, got {found}")
    if not rows:
        raise ValueError(f"texts must hold a text, got {texts!r}")
    if most is None:
        most = max(float(np.abs(row).max()) for row in rows.values())
    most = max(most, 1e-9)
    body, alt = [], []
    for name, row in rows.items():
        pieces = texts[name][0]
        spans = [
            _wash(piece, _BELOW if value < 0 else _ABOVE, abs(value) / most, f"{value:.2f}")
            for piece, value in zip(pieces, row, strict=True)
        ]
        title = f'<span style="{_LABEL}">{html.escape(name)}</span>' if name else ""
        body.append(f'<div style="{_LINE}">{title}{"".join(spans)}</div>')
        far = sorted(np.argsort(-np.abs(row), kind="stable")[:6])
        told = ", ".join(f"“{visible(pieces[i])}” {row[i]:.2f}" for i in far)
        start = f"{name}: text" if name else "Text"
        alt.append(
            f"{start} of {len(pieces)} tokens, “{_text(pieces)}”, colored by {label}: {told}."
        )
    ends = f"rgba({_BELOW}, {_STRONGEST}), rgba({_BELOW}, 0), rgba({_ABOVE}, {_STRONGEST})"
    scale = _bar(f"−{most:.3g}", ends, f"{most:.3g}: {html.escape(label)}")
    return Chips("".join(body) + scale, " ".join(alt), caption)


def samples(texts: Mapping[str, str], caption: str = "") -> Chips:
    """Texts side by side, each under its name: what a model wrote after so many steps.

    Example:
        >>> samples({"step 0": "xq;f", "step 100": "the the"})
        Chips: step 0: “xq;f”. step 100: “the the”.
    """
    if not texts:
        raise ValueError(f"texts must hold a text, got {texts!r}")
    cards = [
        f'<div style="{_CARD}"><span style="{_LABEL}">{html.escape(name)}</span>'
        f'<div style="white-space: pre-wrap">{html.escape(text.strip())}</div></div>'
        for name, text in texts.items()
    ]
    alt = " ".join(f"{name}: “{' '.join(text.split())}”." for name, text in texts.items())
    return Chips(f'<div style="{_CARDS}">{"".join(cards)}</div>', alt, caption)


def visible(piece: Piece) -> str:
    """A token as it can be seen: a space as ␣, a line's end as ⏎, bytes that are no text as hex.

    Example:
        >>> visible(" a"), visible(b"\\xe6\\x98")
        ('␣a', 'E6 98')
    """
    if isinstance(piece, bytes):
        try:
            piece = piece.decode()
        except UnicodeDecodeError:
            return piece.hex(" ").upper()
    return piece.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥") or "∅"


def _chip(piece: Piece, index: int, number: int | None) -> str:
    wash = f"background: rgba({_WASHES[index % len(_WASHES)]}, 0.2)"
    text = html.escape(visible(piece))
    below = ""
    if number is not None:
        below = f'<span style="{_LABEL}; text-align: center; font-size: 0.75em">{number}</span>'
    return f'<span style="{_CHIP}; {_MONO}; {wash}">{text}{below}</span><wbr>'


def _colored(piece: Piece, nat: float, most: float) -> str:
    known = bool(np.isfinite(nat))
    said = f"{nat:.2f} nats" if known else "not predicted"
    return _wash(piece, _BELOW, nat / most if known else 0.0, said)


def _wash(piece: Piece, color: str, share: float, said: str) -> str:
    """The piece on its color; a pointer that rests on it is told the number."""
    text = piece.decode(errors="replace") if isinstance(piece, bytes) else piece
    text = html.escape(text).replace("\n", "⏎<br>")
    wash = f"background: rgba({color}, {_STRONGEST * max(0.0, min(1.0, share)):.2f})"
    look = f"border-radius: 0.2em; padding: 0.1em 0; white-space: pre-wrap; {wash}"
    return f'<span style="{look}" title="{said}">{text}</span>'


def _scale(most: float) -> str:
    ends = f"rgba({_BELOW}, 0), rgba({_BELOW}, {_STRONGEST})"
    return _bar("0", ends, f"{most:.3g} nats of surprise")


def _bar(start: str, ends: str, words: str) -> str:
    look = "display: inline-block; width: 9em; max-width: 40%; height: 0.8em; margin: 0 0.5em"
    bar = f"{look}; border: 1px solid rgba(128, 128, 128, 0.5)"
    bar += f"; background: linear-gradient(to right, {ends})"
    small = "font-size: 0.85em; margin: 0.5rem 0 0; text-align: left"
    return f'<div style="{small}">{start}<span style="{bar}"></span>{words}</div>'


def _text(pieces: Sequence[Piece]) -> str:
    text = "".join(p.decode(errors="replace") if isinstance(p, bytes) else p for p in pieces)
    return text if len(text) <= 200 else text[:200] + "…"


def _listed(row: Sequence[Piece]) -> str:
    shown = ", ".join(f"“{visible(piece)}”" for piece in row[:LONGEST_ALT])
    return f"{shown} and {len(row) - LONGEST_ALT} more." if len(row) > LONGEST_ALT else f"{shown}."


def _describe_surprise(name: str, pieces: Sequence[Piece], row: np.ndarray) -> str:
    """The mean, and the three tokens that surprise most."""
    known = np.flatnonzero(np.isfinite(row))
    strongest = known[np.argsort(-row[known], kind="stable")[:3]]
    told = ", ".join(f"“{visible(pieces[i])}” {row[i]:.2f}" for i in sorted(strongest))
    start = f"{name}: the" if name else f"Text of {len(pieces)} tokens, “{_text(pieces)}”. The"
    return f"{start} mean surprise is {np.nanmean(row):.2f} nats; the highest: {told}."
