"""Dates as people write them and as computers sort them: who learns the one from the other?

Chapter: book/seq2seq.md
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from lmcourse.data import pad_batch
from lmcourse.devices import default_device
from lmcourse.generation import Beams, beam_search
from lmcourse.kept_runs import KeptRuns
from lmcourse.modes import mode
from lmcourse.neurons import check_counts, cross_entropy
from lmcourse.optimization import clip_gradients
from lmcourse.seq2seq import Seq2Seq, Seq2SeqConfig, inverse_sigmoid_schedule
from lmcourse.tokenizers import CharTokenizer

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# After a dot the month is second, after a slash it is first: as in Europe, and in America.
STYLES = (
    ("day", " ", "name", " ", "year"),
    ("name", " ", "day", ", ", "year"),
    ("day", ".", "month", ".", "year"),
    ("month", "/", "day", "/", "year"),
)
BETWEEN = ";"
# Behind the ids of the target's characters stand a start and an end, as in `Translator`.
SOURCE = CharTokenizer.train(" ,./;0123456789" + "".join(MONTHS))
TARGET = CharTokenizer.train(";0123456789")
START, END = TARGET.vocab_size, TARGET.vocab_size + 1
LENGTHS = (1, 2, 3)  # dates of a line, in training
LONGER = 4  # as no line of the training

# Weeks from Sunday, 7 January 1900, to the one of Sunday, 19 December 1999. Day 1 of the calendar
# of `datetime` is a Monday, so the Sundays are the multiples of 7.
_FIRST, _LAST = (datetime.date(*day).toordinal() // 7 for day in ((1900, 1, 7), (1999, 12, 19)))

Batch = tuple[Int[Tensor, "B S"], Int[Tensor, "B T"], Bool[Tensor, "B 1 S"]]


@dataclass(frozen=True)
class Line:
    """Dates as somebody wrote them down, and the same as year, month and day, two digits each.

    Args:
        origins: of each character of the target the places in the source that say it: the digit
            itself for a year, the whole number for a day, number or name for a month; for a
            semicolon none.
    """

    source: str
    target: str
    origins: tuple[range, ...]


def line_of(days: Sequence[datetime.date], styles: Sequence[int]) -> Line:
    """The line of these days, each written in one of the four `STYLES`.

    Example:
        >>> line = line_of([datetime.date(1987, 4, 3)], [3])
        >>> line.source, line.target
        ('4/3/87', '870403')
        >>> [line.source[place.start : place.stop] for place in line.origins]
        ['8', '7', '4', '4', '3', '3']
    """
    source, target, origins = "", "", []
    for day, style in zip(days, styles, strict=True):
        if source:
            source, target = source + BETWEEN, target + BETWEEN
            origins.append(range(0))
        text, where = _write(day, STYLES[style], len(source))
        year, month = where["year"], where["name" if "name" in where else "month"]
        source, target = source + text, target + day.isoformat()[2:].replace("-", "")
        origins += [range(place, place + 1) for place in year]
        origins += [month, month, where["day"], where["day"]]
    return Line(source, target, tuple(origins))


def _write(day: datetime.date, style: Sequence[str], start: int) -> tuple[str, dict[str, range]]:
    """The day in a style, and where in the line its parts stand, if the text starts there."""
    said = {
        "day": str(day.day), "month": str(day.month), "year": f"{day.year % 100:02}",
        "name": MONTHS[day.month - 1],
    }  # fmt: skip
    text, where = "", {}
    for part in style:
        if part in said:
            place = start + len(text)
            where[part] = range(place, place + len(said[part]))
        text += said.get(part, part)
    return text, where


def draw_lines(
    n_dates: int, batch_size: int, generator: torch.Generator, sundays: bool = False
) -> list[Line]:
    """Lines of so many days of the years 1900 to 1999, in random styles.

    Args:
        sundays: only Sundays, else never one: who trains on the one and is examined with the other
            has seen no date of the exam.
    """
    check_counts(n_dates=n_dates, batch_size=batch_size)
    shape = (batch_size, n_dates)
    week = torch.randint(_FIRST, _LAST + 1, shape, generator=generator)
    weekday = torch.randint(1, 7, shape, generator=generator)
    styles = torch.randint(len(STYLES), shape, generator=generator)
    number = 7 * week + (0 if sundays else weekday)
    days = [[datetime.date.fromordinal(n) for n in row] for row in number.tolist()]
    return [line_of(*row) for row in zip(days, styles.tolist(), strict=True)]


def as_batch(lines: Sequence[Line]) -> Batch:
    """Sources, targets with an end and the mask of the sources, on the fastest device.

    All lines must have as many dates, so that their targets are equally long.
    """
    source, mask = pad_batch([SOURCE.encode(line.source) for line in lines])
    target = torch.tensor([[*TARGET.encode(line.target), END] for line in lines])
    device = default_device()
    return source.to(device), target.to(device), mask[:, None].to(device)


def spell(ids: Int[Tensor, "T"]) -> str:
    """Ids of the target as text: `>` starts, `.` ends."""
    return "".join([*TARGET.tokens, ">", "."][i] for i in ids.tolist())


# ---------------------------------------------------------------- who learns it


def new_model(seed: int, attention: bool = True, d_hidden: int = 32) -> Seq2Seq:
    """One layer of GRU on each side, on the fastest device."""
    torch.manual_seed(seed)
    config = Seq2SeqConfig(
        source_vocab_size=SOURCE.vocab_size, target_vocab_size=END + 1, context_length=40,
        d_embedding=16, d_hidden=d_hidden, attention=attention,
    )  # fmt: skip
    return Seq2Seq(config).to(default_device())


def after_start(target: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
    """What the decoder reads: a start, and the target without its end."""
    return F.pad(target[:, :-1], (1, 0), value=START)


def train(
    model: Seq2Seq,
    n_steps: int,
    seed: int,
    learning_rate: float = 1e-2,
    n_half: int | None = None,
    watch: Callable[[int], None] | None = None,
) -> list[float]:
    """The loss at each step, on new lines each time, of one, two and three dates in turn.

    Adam with gradients clipped to norm 1, and 32 lines a step.

    Args:
        n_half: the steps after which half of what the decoder reads is its own
            (`inverse_sigmoid_schedule`); if None, it reads the target.
        watch: is called after each step with the number of steps so far.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses = []
    for step in range(n_steps):
        lines = draw_lines(LENGTHS[step % len(LENGTHS)], 32, generator)
        source, target, mask = as_batch(lines)
        forcing = 1.0 if n_half is None else inverse_sigmoid_schedule(step, n_half)
        logits = model(source, after_start(target), mask, forcing, generator)
        loss = cross_entropy(logits, target)
        optimizer.zero_grad()
        loss.backward()
        clip_gradients(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if watch is not None:
            watch(step + 1)
    return losses


@torch.no_grad()
def written(model: Seq2Seq, batch: Batch) -> Int[Tensor, "B T"]:
    """The likeliest character at each place, after what the model wrote before it."""
    source, target, mask = batch
    with mode(model, training=False):
        return model(source, after_start(target), mask, teacher_forcing=0).argmax(-1)


@torch.no_grad()
def after_a_mistake(model: Seq2Seq, batch: Batch) -> dict[str, float]:
    """How many digits are wrong behind the first mistake of a line, by what the decoder reads.

    "own": what it wrote itself. "one": the target, but for that first wrong character. "none": the
    target, in the same places of the same lines. "all": the target, in all places of all lines.
    A line without a mistake, or without a digit behind it, counts in the last one only.
    """
    target = batch[1]
    said = written(model, batch)
    wrong, read = said != target, after_start(target)
    n_wrong = wrong.cumsum(1)
    behind, first = n_wrong > wrong.long(), wrong & (n_wrong == 1)
    # A character is read one place after it was written.
    one = torch.where(first.roll(1, 1), said.roll(1, 1), read)
    zero, nine = TARGET.encode("09")
    digit = (target >= zero) & (target <= nine)
    places = {
        "own": (wrong, behind & digit),
        "one": (_wrong(model, batch, one), behind & digit),
        "none": (_wrong(model, batch, read), behind & digit),
        "all": (_wrong(model, batch, read), digit),
    }
    return {
        name: (wrong & where).sum().item() / max(where.sum().item(), 1)
        for name, (wrong, where) in places.items()
    }


def _wrong(model: Seq2Seq, batch: Batch, read: Tensor) -> Bool[Tensor, "B T"]:
    with mode(model, training=False):
        return model(batch[0], read, batch[2]).argmax(-1) != batch[1]


@torch.no_grad()
def on_the_origin(model: Seq2Seq, lines: Sequence[Line]) -> dict[str, float]:
    """How much a digit looks at the place that says it: the weight there, and how often most.

    "chance": the weight there if all places of the line were looked at equally.
    """
    source, target, mask = as_batch(lines)
    with mode(model, training=False):
        weights = model.look(source, after_start(target), mask)[1][0, :, 0]
    origin = torch.zeros_like(weights)
    for row, line in zip(origin, lines, strict=True):
        for looks, places in zip(row, line.origins, strict=False):  # the end comes from nowhere
            looks[places.start : places.stop] = 1
    asks = origin.sum(-1) > 0
    leads = origin.gather(-1, weights.argmax(-1, keepdim=True))[..., 0]
    even = origin.sum(-1) / mask.sum(-1)
    found = {"weight": (weights * origin).sum(-1), "leads": leads, "chance": even}
    return {name: values[asks].mean().item() for name, values in found.items()}


@torch.no_grad()
def by_beam(model: Seq2Seq, lines: Sequence[Line], n_beams: int = 4) -> dict[str, float]:
    """What a beam makes of lines of as many dates, beside greedy choice.

    "greedy", "beam": the share of lines that are right. "changed": the share in which the two
    differ. "likelier": the share in which the text of the beam has the higher probability.
    """
    found = {"greedy": 0.0, "beam": 0.0, "changed": 0.0, "likelier": 0.0}
    for line in lines:
        one, best = (search(model, line.source, n) for n in (1, n_beams))
        right = [*TARGET.encode(line.target), END]
        found["greedy"] += one.texts[0] == right
        found["beam"] += best.texts[0] == right
        found["changed"] += one.texts[0] != best.texts[0]
        found["likelier"] += best.scores[0] > one.scores[0] + 1e-4
    return {name: count / len(lines) for name, count in found.items()}


@torch.no_grad()
def search(model: Seq2Seq, source: str, n_beams: int) -> Beams:
    """The likeliest texts that a beam finds for one line."""
    device = default_device()
    ids = torch.tensor([SOURCE.encode(source)], device=device)
    with mode(model, training=False):
        memory = model.encode(ids)
        return beam_search(
            lambda read: model.decode(read, memory.expand(len(read), -1, -1)),
            torch.tensor([START], device=device),
            len("870403;") * (source.count(BETWEEN) + 1),
            n_beams=n_beams,
            stop_ids=(END,),
        )


# ---------------------------------------------------------------- the comparison, stored


@dataclass(frozen=True)
class _Entrant:
    n_steps: int
    attention: bool = False
    d_hidden: int = 35  # one vector has as many parameters then as attention at 32
    sampled: bool = False


STUDY = {
    "attention": _Entrant(200, attention=True, d_hidden=32),
    "one vector": _Entrant(400),
    "one vector, wide": _Entrant(400, d_hidden=64),
    "one vector, long": _Entrant(800),
    "attention, sampled": _Entrant(200, attention=True, d_hidden=32, sampled=True),
    "one vector, sampled": _Entrant(400, sampled=True),
}
STEPS = (100, 200, 400, 800)
RATES = (5e-3, 1e-2, 2e-2)
N_SEEDS = 5


def measure(folder: Path, seed: int) -> dict[str, float]:
    """Who writes lines of which length after how many steps, from five seeds on.

    The learning rate of each is the one with most characters right after 200 steps, with a seed
    that is used for nothing else. A run that is in `folder` already is taken from there.
    """
    runs, numbers = KeptRuns(folder / "runs.json"), {}
    for name, entrant in tqdm(STUDY.items(), desc="dates"):
        short = replace(entrant, n_steps=min(entrant.n_steps, 200))
        for rate in RATES:
            found = _run(runs, name, short, seed + 100, rate)
            numbers[f"{name}, rate {rate}"] = found["characters"]
        best = max(RATES, key=lambda rate: numbers[f"{name}, rate {rate}"])
        for each in range(N_SEEDS):
            for what, value in _run(runs, name, entrant, seed + each, best).items():
                numbers[f"{name}, seed {each}, {what}"] = value
    return numbers


def _run(runs: KeptRuns, name: str, entrant: _Entrant, seed: int, rate: float) -> dict[str, float]:
    def measured() -> dict[str, float]:
        model = new_model(seed, entrant.attention, entrant.d_hidden)
        n_half = entrant.n_steps // 2 if entrant.sampled else None
        found: dict[str, float] = {}

        def watch(step: int) -> None:
            if step in STEPS:
                for n_dates, (lines, _) in share_by_length(model, 1000 + seed).items():
                    found[f"{step} steps, {n_dates} dates"] = lines

        train(model, entrant.n_steps, seed, rate, n_half, watch)
        return found | examined(model, 1000 + seed)

    return runs.get(f"{name}, {entrant.n_steps} steps, seed {seed}, rate {rate}", measured)


def share_by_length(
    model: Seq2Seq, seed: int, n_lines: int = 200
) -> dict[int, tuple[float, float]]:
    """For lines of one date to `LONGER`, all Sundays: how many lines and characters are right."""
    generator, found = torch.Generator().manual_seed(seed), {}
    for n_dates in (*LENGTHS, LONGER):
        batch = as_batch(draw_lines(n_dates, n_lines, generator, sundays=True))
        right = (written(model, batch) == batch[1]).float()
        found[n_dates] = right.amin(1).mean().item(), right.mean().item()
    return found


def examined(model: Seq2Seq, seed: int, n_lines: int = 300) -> dict[str, float]:
    """What else is measured of a model that has been trained, on lines of three Sundays."""
    shares = [share for _, share in share_by_length(model, seed).values()]
    found = {"characters": sum(shares) / len(shares)}
    generator = torch.Generator().manual_seed(seed + 1)
    lines = draw_lines(LENGTHS[-1], n_lines, generator, sundays=True)
    for what, share in after_a_mistake(model, as_batch(lines)).items():
        found[f"wrong, {what}"] = share
    if model.attention is not None:
        for what, share in on_the_origin(model, lines).items():
            found[f"looks, {what}"] = share
    return found


def seeds_of(numbers: dict[str, float], name: str, what: str) -> list[float]:
    """What each seed has, in a result of `measure`."""
    return [numbers[f"{name}, seed {seed}, {what}"] for seed in range(N_SEEDS)]
