"""What a learner is told when something went wrong: an exception, an endless loop, an end.

Chapter: book/instructors/index.md
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from lmcourse.grading.assignment.plan import hidden_from
from lmcourse.grading.outcomes import PASSED, TestOutcome

_PLACE = re.compile(r"Cell In\s?\[(\d*)\], line (\d+)(?:, in ([\w.<>]+))?")
_INNER = re.compile(r"\.?<\w+>")  # of a name such as `f.<locals>.<lambda>`
_SYNTAX_PLACE = re.compile(r"\s*\([^()]*, line (\d+)\)$")
_PLAIN_PLACE = re.compile(r'File "(<ipython-input[^"]*>)", line (\d+), in (\w+)')
# The line itself, where a trace shows it: behind an arrow, or below its place.
_ARROW = re.compile(r"^-+>\s*\d+ (.*)$", re.M)
_PLAIN_LINE = re.compile(r'File "<ipython-input[^"]*>", line \d+, in \w+(?:\n {4}(.*))?')
_QUOTED = 80  # characters
# These say all themselves: what they are called is of no use to a learner.
_SPEAKING = ("BridgeFault", "Unsendable", "Overdue", "Gone", "LearnerError", "judge", "")
# What Python says of these is of no use in a notebook.
_INSTEAD = {
    "SystemExit": "sys.exit ended the cell. Take it out: a function gives its result by `return`.",
    "StdinNotImplementedError": "input() waits for somebody at the keyboard, and nobody is there:"
    " take the value as an argument.",
}
# What a test says that caught it: without a text of its own it is the stub's.
_CAUGHT_STUB = re.compile(r"\b(?:got|raised) NotImplementedError(?::\s*)?(?:[.,;)]|$)", re.M)
SYNTAX = ("SyntaxError", "IndentationError", "TabError")


def explain(name: str, message: str, trace: Sequence[str] = ()) -> str:
    """An exception as a learner can use it: what it says, where, and the likely cause if known."""
    message = message.strip()
    if name == "AssertionError":
        if _CAUGHT_STUB.search(message):
            return _unwritten()
        return _noticing_none(message) or "A check failed (it says no more than that)."
    if name == "NotImplementedError":
        frames, frame = _frames(trace), _own_frame(trace)
        # Of the learner's own cells: the outermost one is the test's, and may come again.
        cells = {each.cell for each in frames} - {each.cell for each in frames[:1]}
        return _unwritten(frame.function if frame and len(cells) > 1 else "")
    if name in SYNTAX:
        place = syntax_line(message)
        where = f" in line {place}" if place else ""
        return f"{name}{where}: {_SYNTAX_PLACE.sub('', message)}."
    if name == "NameError":
        return f"{name}: {message}. Does the cell that defines it stand above, and does it run?"
    said, frame = _noticing_none(f"{name}: {message}" if message else name), _own_frame(trace)
    said = _INSTEAD.get(name, said)
    if frame is None:
        return said
    return f"{said}\n(in {frame.place}{_quoted(_ARROW.search(frame.text))})"


def _unwritten(function: str = "") -> str:
    """That an answer is missing.

    Args:
        function: the one that is missing, if the learner's own code in another cell calls it.
    """
    if not function:
        return "Not written yet: the cell still raises NotImplementedError."
    name = function.partition(".")[0]
    return f"This answer calls `{name}`, whose own cell still raises NotImplementedError."


def _noticing_none(said: str) -> str:
    """With the cause that is likeliest where None is in the way."""
    if "NoneType" not in said or "return" in said:
        return said
    return f"{said}\nThere is None where an answer should be. Is a `return` missing?"


def explained(outcome: TestOutcome, source: str) -> TestOutcome:
    """What the judge found of the test cell `source`, with a message for the learner."""
    begin = hidden_from(source)
    hidden = begin is not None and outcome.line is not None and outcome.line > begin
    message = "" if outcome.verdict == PASSED else _of_judge(outcome)
    return replace(outcome, message=message, hidden=hidden)


def _of_judge(outcome: TestOutcome) -> str:
    """What ended a test in the judge, as a learner can use it."""
    kind, said = outcome.kind, outcome.said.strip()
    if kind in _SPEAKING or (kind == "NameError" and said.startswith("`")):
        return said[:1].upper() + said[1:]
    places = _PLAIN_PLACE.findall(outcome.trace)
    where = ""
    if places:
        line = _quoted([*_PLAIN_LINE.finditer(outcome.trace)][-1])
        where = f"\n(in {places[-1][2]}, line {places[-1][1]} of its cell{line})"
    if kind == "NotImplementedError" and len({cell for cell, _, _ in places}) > 1:
        return _unwritten(places[-1][2])
    message = explain(kind, said)
    return (
        message if kind in ("AssertionError", "NotImplementedError", *SYNTAX) else message + where
    )


def timeout(seconds: float, trace: Sequence[str] = ()) -> str:
    """What to say of a cell that did not end."""
    frame = _own_frame(trace)
    line = _quoted(_ARROW.search(frame.text)) if frame else ""
    where = f" At that moment it was in {frame.place}{line}." if frame else ""
    return f"It was stopped after {seconds:g} seconds: an endless loop, or far too slow.{where}"


def _quoted(line: re.Match | None) -> str:
    """A line of the learner's own code, behind its place."""
    text = (line[1] or "").strip() if line else ""
    return f": `{text[:_QUOTED]}`" if text else ""


DIED = "It ended the Python process (exit, os._exit, a crash, or too little memory)."


def too_much_memory(mib: float) -> str:
    """What to say of a cell that took more memory than it may."""
    return f"It ended the Python process: it took more than {mib:g} MiB of memory."


# What is said of a setting that a cell has changed (`bridge.torch_defaults`), and what to write
# instead; both without the value.
INSTEAD = {
    "torch.is_inference_mode_enabled()": "write `with torch.inference_mode():` where it is needed",
    "torch.get_default_device()": "give `device=` where it is needed",
    "torch.is_grad_enabled()": "write `with torch.no_grad():` where it is needed",
    "torch.get_default_dtype()": "give `dtype=` where it is needed",
    'torch.is_autocast_enabled("cpu")': "write `with torch.autocast(…):` where it is needed",
    "torch.get_num_threads()": "take it out",
    "torch.are_deterministic_algorithms_enabled()": "take it out",
    "torch.is_anomaly_enabled()": "write `with torch.autograd.detect_anomaly():` while you search",
    "torch.get_float32_matmul_precision()": "take it out",
    "torch.set_flush_denormal()": "take it out",
    "numpy.geterr()": "write `with numpy.errstate(…):` where it is needed",
}


def changed(settings: Mapping[str, str]) -> str:
    """What to say of a cell that leaves PyTorch's settings changed, after its name; "" if none."""
    if not settings:
        return ""
    now = ", ".join(f"`{name}` at {value}" for name, value in settings.items())
    advice = "; ".join(dict.fromkeys(INSTEAD[name] for name in settings))
    return f"leaves {now} for all that follows. Tests call answers with the defaults: {advice}"


def used_up(seconds: float) -> str:
    """Why a cell or test did not run, or not to its end: earlier ones had taken all the time."""
    return f"the notebook used up its {seconds:g} seconds"


def failing_line(trace: Sequence[str]) -> int | None:
    """The line of the cell that was run at which the exception came out, from 1."""
    place = _PLACE.search("\n".join(trace))
    return int(place[2]) if place else None


class _Frame(NamedTuple):
    """One line of a trace that is in a cell, and what the trace shows around it."""

    cell: str
    line: str
    function: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.function}, line {self.line} of its cell"


def _frames(trace: Sequence[str]) -> list[_Frame]:
    """From the outermost on; but not those of generators, whose text IPython shows wrongly."""
    _, *parts = _PLACE.split("\n".join(trace))
    return [
        _Frame(cell, line, _INNER.sub("", name or ""), text)
        for cell, line, name, text in zip(*(parts[i::4] for i in range(4)), strict=True)
        if not (name or "").endswith("<genexpr>")
    ]


def _own_frame(trace: Sequence[str]) -> _Frame | None:
    """The innermost, if it is in a function of another cell than the outermost."""
    frames = _frames(trace)
    if not frames or frames[-1].cell == frames[0].cell or not frames[-1].function:
        return None
    return frames[-1]


def syntax_line(message: str) -> int | None:
    """The line that a SyntaxError's message names."""
    place = _SYNTAX_PLACE.search(message)
    return int(place[1]) if place else None
