"""lmcourse.dates: dates whose translation is known, from which place to which."""

import datetime
import itertools

import pytest
import torch
from seeds import rng

from lmcourse import dates
from lmcourse.dates import (
    BETWEEN,
    END,
    LENGTHS,
    SOURCE,
    START,
    STYLES,
    after_a_mistake,
    after_start,
    as_batch,
    draw_lines,
    line_of,
    new_model,
    on_the_origin,
    spell,
    train,
    written,
)
from lmcourse.seq2seq import Seq2Seq, inverse_sigmoid_schedule

PATTERNS = ("%d %m %Y", "%m %d, %Y", "%d.%m.%Y", "%m/%d/%Y")  # of strptime, for each of STYLES
NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def understood(text):
    """The days of a line, by Python's own reader; the style is told by what it looks like."""
    days = []
    for part in text.split(BETWEEN):
        if "." in part or "/" in part:
            pattern = PATTERNS[2] if "." in part else PATTERNS[3]
        else:
            pattern = PATTERNS[0] if part[0].isdigit() else PATTERNS[1]
        for number, name in enumerate(NAMES, 1):  # not %b, which speaks the machine's language
            part = part.replace(name, str(number))
        part = f"{part[:-2]}19{part[-2:]}"  # nor %y, which may take 05 for 2005
        days.append(datetime.datetime.strptime(part, pattern).date())
    return days


@pytest.mark.parametrize("n_dates", LENGTHS)
@pytest.mark.parametrize("sundays", [True, False])
def test_python_reads_the_same_days_and_sundays_are_kept_apart(n_dates, sundays):
    for line in draw_lines(n_dates, 50, rng(), sundays):
        days = understood(line.source)
        assert len(days) == n_dates
        assert line.target == BETWEEN.join(f"{day:%y%m%d}" for day in days)
        assert all((day.isoweekday() == 7) == sundays for day in days)
        assert all(1900 <= day.year <= 1999 for day in days)


def test_all_days_and_styles_come():
    lines = draw_lines(1, 6000, rng())
    days = [understood(line.source)[0] for line in lines]
    assert {day.isoweekday() for day in days} == {1, 2, 3, 4, 5, 6}
    assert {day.month for day in days} == set(range(1, 13))
    assert {day.day for day in days} == set(range(1, 32))
    assert len({day.year for day in days}) == 100
    text = "".join(line.source for line in lines)
    assert set(text) == set(SOURCE.tokens) - {BETWEEN}
    n_slashes = sum("/" in line.source for line in lines)
    assert abs(n_slashes - 1500) < 170  # 1500 ± 33.5: five standard deviations, a chance of 1e-6


def test_a_seed_draws_the_same_lines_again():
    assert draw_lines(3, 20, rng()) == draw_lines(3, 20, rng())
    assert draw_lines(3, 20, rng()) != draw_lines(3, 20, rng(1))


def test_a_dot_has_the_day_first_and_a_slash_the_month():
    day = datetime.date(1987, 4, 3)
    said = [line_of([day], [style]).source for style in range(len(STYLES))]
    assert said == ["3 apr 87", "apr 3, 87", "3.4.87", "4/3/87"]
    assert {line_of([day], [style]).target for style in range(len(STYLES))} == {"870403"}


def test_the_origins_of_a_line_of_every_style():
    days = [datetime.date(1905, 12, 31), datetime.date(1943, 7, 8)]
    for styles in itertools.product(range(len(STYLES)), repeat=2):
        line = line_of(days, styles)
        assert len(line.origins) == len(line.target)
        parts = [line.source[place.start : place.stop] for place in line.origins]
        for start, day in zip((0, 7), days, strict=True):
            assert "".join(parts[start : start + 2]) == str(day.year)[2:]
            month, day_of_month = parts[start + 2 : start + 4], parts[start + 4 : start + 6]
            names = {str(day.month), NAMES[day.month - 1]}
            assert month[0] == month[1] in names
            assert day_of_month == [str(day.day)] * 2
        nothing = [k for k, part in enumerate(parts) if not part]
        assert [line.target[k] for k in nothing] == [";"]
        # From left to right: the places of the second date are behind those of the first.
        first, second = (
            [place.start for place in line.origins[part] if place]
            for part in (slice(0, 6), slice(7, 13))
        )
        assert max(first) < line.source.index(BETWEEN) < min(second)


def test_a_batch_spells_its_lines():
    lines = draw_lines(2, 40, rng())
    source, target, mask = (part.cpu() for part in as_batch(lines))
    assert target.shape == (40, 14)
    assert mask.shape == (40, 1, source.shape[1])
    for line, read, said, real in zip(lines, source, target, mask[:, 0], strict=True):
        assert spell(said) == line.target + "."
        assert said[-1] == END
        assert SOURCE.decode(read[real].tolist()) == line.source
    assert spell(torch.tensor([START])) == ">"


def test_no_line_and_a_style_too_few_are_refused():
    with pytest.raises(ValueError, match="got n_dates=-1"):
        draw_lines(-1, 5, rng())
    with pytest.raises(ValueError, match="is shorter than"):
        line_of([datetime.date(1987, 4, 3)], [])


# ---------------------------------------------------------------- who learns it


def test_one_vector_has_as_many_parameters_as_attention():
    attention, vector = (
        sum(parameter.numel() for parameter in model.parameters())
        for model in (new_model(0), new_model(0, attention=False, d_hidden=35))
    )
    assert attention < vector < 1.05 * attention


def test_a_little_training_lowers_the_loss():
    steps = []
    losses = train(new_model(0), 45, 0, watch=steps.append)
    assert steps == list(range(1, 46))
    assert sum(losses[-6:]) < 0.8 * sum(losses[:6])


@pytest.mark.parametrize("n_half", [None, 2])
def test_the_decoder_is_forced_as_the_schedule_says(n_half, monkeypatch):
    model, forward, forced = new_model(0), Seq2Seq.forward, []

    def recorded(self, source, target, mask, teacher_forcing, generator):
        forced.append(teacher_forcing)
        return forward(self, source, target, mask, teacher_forcing, generator)

    monkeypatch.setattr(Seq2Seq, "forward", recorded)
    train(model, 4, 0, n_half=n_half)
    wanted = [1] * 4 if n_half is None else [inverse_sigmoid_schedule(k, 2) for k in range(4)]
    assert forced == pytest.approx(wanted)


def test_what_is_written_is_the_likeliest_sign_after_what_was_written():
    model, batch = new_model(0), as_batch(draw_lines(1, 5, rng()))
    said = written(model, batch)
    with torch.no_grad():
        memory = model.encode(batch[0], batch[2])
        again = model.decode(after_start(said), memory, batch[2]).argmax(-1)
    assert torch.equal(said, again)  # exact: ids
    read = after_start(batch[1])
    assert (read[:, 0] == START).all()  # exact: ids
    assert torch.equal(read[:, 1:], batch[1][:, :-1])  # exact: ids


class Stub(Seq2Seq):
    """Knows the target, errs in one place, and, if it is easily upset, after all that is wrong."""

    def __init__(self, target, place, upset):
        torch.nn.Module.__init__(self)
        self.target, self.place, self.upset = target, place, upset

    def forward(self, source, read, mask, teacher_forcing=1.0):
        right, said = after_start(self.target), []
        for t in range(read.shape[1]):
            given = said[-1] if t and not teacher_forcing else read[:, t]
            is_wrong = torch.full_like(given, t == self.place, dtype=torch.bool)
            if self.upset:
                is_wrong |= given != right[:, t]
            other = torch.where(self.target[:, t] == 1, 2, 1)  # the digits 0 and 1
            said.append(torch.where(is_wrong, other, self.target[:, t]))
        logits = torch.nn.functional.one_hot(torch.stack(said, 1), END + 1)
        return logits.float()


@pytest.mark.parametrize("upset", [True, False])
def test_what_follows_a_mistake(upset):
    """The third digit of two dates is wrong; behind it there are 9 digits, in all there are 12."""
    batch = as_batch(draw_lines(2, 4, rng()))
    found = after_a_mistake(Stub(batch[1], 2, upset), batch)
    wanted = {"own": 1, "one": 1 / 9, "none": 0, "all": 1 / 12}
    assert found == pytest.approx(wanted if upset else wanted | {"own": 0, "one": 0})


def test_without_a_mistake_nothing_follows_it():
    batch = as_batch(draw_lines(1, 4, rng()))
    assert set(after_a_mistake(Stub(batch[1], 99, True), batch).values()) == {0}


class Looker(Seq2Seq):
    """Looks where it is told to."""

    def __init__(self, weights):
        torch.nn.Module.__init__(self)
        self.weights = weights

    def look(self, source, target, mask):
        return None, self.weights.to(source.device)[None, :, None]


def test_looking_at_the_origin():
    """Half of the weight on the first place that says a digit, half on the semicolon."""
    line = line_of([datetime.date(1987, 4, 13), datetime.date(1901, 11, 3)], [0, 3])
    weights = torch.zeros(1, 14, len(line.source))
    for row, places in zip(weights[0], (*line.origins, range(0)), strict=True):
        row[line.source.index(BETWEEN)] = 0.4
        row[places.start] = 0.6
    found = on_the_origin(Looker(weights), [line])
    # Of 12 digits 4 have one place, the months have 3 and 2, the days 2 and 1, twice each.
    chance = (4 + 2 * (3 + 2 + 2 + 1)) / 12 / len(line.source)
    assert found == pytest.approx({"weight": 0.6, "leads": 1, "chance": chance})
    away = on_the_origin(Looker(weights.flip(1)), [line])
    assert away["leads"] < 0.3


def test_a_beam_of_one_is_greedy_and_a_wide_one_finds_what_is_likelier():
    model, lines = new_model(1), draw_lines(1, 6, rng())
    for line, said in zip(lines, written(model, as_batch(lines)).tolist(), strict=True):
        (text,) = dates.search(model, line.source, 1).texts
        assert text == said[: said.index(END) + 1 if END in said else None]
    assert dates.by_beam(model, lines, 1) == {"greedy": 0, "beam": 0, "changed": 0, "likelier": 0}
    wide = dates.by_beam(model, lines, 8)
    assert wide["changed"] >= wide["likelier"] > 0  # nothing was learned: far from sure


def test_runs_are_kept_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(dates, "STUDY", {"attention": dates._Entrant(2, True, 8, True)})
    for name, value in {"STEPS": (1, 2), "RATES": (1e-2,), "N_SEEDS": 1}.items():
        monkeypatch.setattr(dates, name, value)
    numbers = dates.measure(tmp_path, 0)
    for what in (
        "1 steps, 1 dates",
        "2 steps, 4 dates",
        "wrong, own",
        "looks, leads",
        "characters",
    ):
        (share,) = dates.seeds_of(numbers, "attention", what)
        assert 0 <= share <= 1
    monkeypatch.setattr(dates, "train", None)  # a second time nothing is trained
    assert dates.measure(tmp_path, 0) == numbers
