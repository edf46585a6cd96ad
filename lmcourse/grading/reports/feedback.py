"""What a learner gets back: a page that shows their work its points, and nothing that runs.

Chapter: book/instructors/hand_grading.md
"""

import contextlib
from html import escape
from pathlib import Path

from lmcourse.files import write_file
from lmcourse.grading.assignment.plan import Task
from lmcourse.grading.gradebook.results import Grade, Result
from lmcourse.grading.outcomes import FAILED, PASSED, UNGRADED
from lmcourse.grading.reports.page_limits import Allowance
from lmcourse.grading.reports.safe_notebook import pictures, safe_outputs
from lmcourse.grading.reports.sanitize import markdown
from lmcourse.grading.safe_text import plain

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: .6rem .8rem; border: 1px solid #8886; border-radius: .3rem;
      font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; }
img[src] { max-width: 100%; background: white; }
blockquote { margin-inline: 0; padding: .1rem 1rem; border-inline-start: .25rem solid #8886;
             contain: content; overflow-x: auto; }
blockquote :is(h1, h2, h3, h4, h5, h6) { margin: .5rem 0; border: 0; font-size: 1rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; }
.tasks :is(td, th):last-child { text-align: right; }
.passed::before { content: "✓ "; } .failed::before { content: "✗ "; }
.waiting::before, .ungraded::before { content: "… "; }
"""
# Nothing may run and nothing may be loaded, whatever slipped through.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_SHOWN = 20_000


def write_feedback(folder: Path, result: Result, tasks: list[Task]) -> Path:
    """Write `folder`/<assignment>.html, for this learner's eyes."""
    return write_file(folder / f"{folder.name}.html", feedback(folder.name, result, tasks))


def drop_feedback(folder: Path) -> None:
    """Remove what `write_feedback` left in `folder`."""
    with contextlib.suppress(OSError):  # a folder above it may be a file: then there is no page
        (folder / f"{folder.name}.html").unlink()


def feedback(assignment: str, result: Result, tasks: list[Task]) -> str:
    """The page: a table of tasks, then each task's answer, its tests and what they said."""
    grades = {grade.name: grade for grade in result.grades}
    allowance = Allowance()
    of = sum(task.points for task in tasks)
    title = f"{assignment}: {result.student}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(title)}</h1>",
        f"<p><strong>{result.score:g} of {of:g} points</strong>{_pending(result)}</p>",
        _table(tasks, grades),
        *[_task(task, grades, result, allowance) for task in tasks],
        _notes(result.notes),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _text(text: str) -> str:
    return escape(plain(text, _SHOWN))


def _pending(result: Result) -> str:
    waiting = [grade for grade in result.grades if grade.waiting]
    more = sum(grade.of for grade in waiting if not grade.by_person)
    again = sum(grade.points for grade in waiting if grade.by_person)
    said = [f"{more:g} more wait for a person"] if more else []
    said += [f"at {again:g} of these a person looks again"] if again else []
    return "; ".join([" so far", *said]) if waiting else ""


def _table(tasks: list[Task], grades: dict[str, Grade]) -> str:
    rows = []
    for task in tasks:
        own = [grades[cell.name] for cell in task.graded if cell.name in grades]
        waiting = all(grade.waiting and not grade.by_person for grade in own)
        so_far = "–" if waiting else f"{sum(grade.points for grade in own):g}"
        points = f"{so_far} of {task.points:g}"
        rows.append(f'<tr><td class="{_state(own)}">{_text(task.label)}</td><td>{points}</td></tr>')
    return (
        '<table class="tasks"><thead><tr><th>Task</th><th>Points</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _state(grades: list[Grade]) -> str:
    if any(grade.verdict == UNGRADED and grade.waiting for grade in grades):
        return UNGRADED
    if any(grade.waiting for grade in grades):
        return "waiting"
    return FAILED if any(grade.lost for grade in grades) else PASSED


def _task(task: Task, grades: dict[str, Grade], result: Result, allowance: Allowance) -> str:
    parts, cells = [f"<h2>{_text(task.label)}</h2>"], result.cells
    for planned in task.cells:
        if planned.solution:
            own = [cell for cell in cells if _name(cell) == planned.name]
            parts += [_answer(cell, allowance) for cell in own]
            beside = [cell for cell in cells if planned.name in _beside(cell)]
            parts += [_answer(cell, allowance, "Beside it you wrote:") for cell in beside]
            if planned.name not in grades:
                parts.append(_comment(result.comments.get(planned.name, "")))
        grade = grades.get(planned.name)
        if grade is not None:
            parts += [_grade(grade, task.part(planned.name)), _comment(grade.comment)]
    lost = any(grades[cell.name].lost for cell in task.graded if cell.name in grades)
    if task.section and lost:
        parts.append(f"<p>Read again: <em>{_text(task.section)}</em></p>")
    return "\n".join(parts)


def _answer(cell: dict, allowance: Allowance, head: str = "Your answer:") -> str:
    """The learner's own cell, and what it printed, drew or raised when it ran."""
    if cell.get("cell_type") == "markdown":
        source = allowance.cut(cell["source"])
        shown = markdown(source, allowance=allowance, pictures=pictures(cell))
        return f"<p>{head}</p>{_written(shown)}"
    source = escape(plain(allowance.cut(cell["source"], _SHOWN), 2 * _SHOWN))
    outputs = [_brief(output) for output in cell.get("outputs", [])]
    shown = "".join(map(_output, safe_outputs(outputs, allowance)))
    ran = f"<p>When it ran:</p>{shown}" if shown else ""
    return f"<p>{head}</p><pre>{source}</pre>{ran}"


def _brief(output: dict) -> dict:
    """An error without its traceback, which speaks of the grader's own lines too."""
    return {key: value for key, value in output.items() if key != "traceback"}


def _output(shown: dict) -> str:
    if shown.output_type == "stream":
        return f"<pre>{_text(shown.text)}</pre>"
    ((kind, picture),) = shown.data.items()
    return f'<img alt="A picture that your cell drew" src="data:{kind};base64,{picture}">'


def _written(html: str) -> str:
    """A person's words; formulas stay as they were typed, since nothing runs here."""
    return f"<blockquote>{html}</blockquote>"


def _grade(grade: Grade, part: str = "") -> str:
    """What became of one graded cell.

    Args:
        part: which of its task's test cells it is, if there are several.
    """
    points = f"{grade.points:g} of {grade.of:g} points"
    head = f"{_text(part)}: " if part else ""
    carried = f"<p>{_text(grade.carried)}</p>" if grade.carried else ""
    if grade.by_person:
        return _by_person(grade, head, points)
    if grade.verdict == PASSED:
        how = "All tests passed" if grade.points == grade.of else "The tests passed in part"
        return f'<p class="passed">{head}{how}: {points}.</p>{carried}'
    if grade.verdict == FAILED:
        which = "A hidden test failed" if grade.hidden else "A test failed"
        message = f"<pre>{_text(grade.message)}</pre>"
        return f'<p class="failed">{head}{which}: {points}.</p>{carried}{message}'
    if grade.waiting:
        reason = f" ({_text(grade.message)})" if grade.message else ""
        of = f"at most {grade.of:g} points"
        return f'<p class="waiting">{head}Waits for a person{reason}: {of}.</p>'
    return f"<p>{head}Not answered: {points}.</p>"


def _by_person(grade: Grade, head: str, points: str) -> str:
    """What a person decided, also of a test, whose own word is then only told."""
    if grade.waiting:
        before = f"who gave {grade.points:g} before, which count until then"
        reason = f" ({_text(grade.message)})" if grade.message else ""
        of = f"at most {grade.of:g} points"
        return f'<p class="waiting">{head}Waits for a person{reason}, {before}: {of}.</p>'
    said = f"{head}Graded by a person: {points}."
    if grade.verdict == FAILED:
        which = "A hidden test" if grade.hidden else "A test"
        return f"<p>{said} {which} had failed:</p><pre>{_text(grade.message)}</pre>"
    if grade.verdict == PASSED:
        return f"<p>{said} The tests had passed.</p>"
    return f"<p>{said}</p>"


def _comment(said: str) -> str:
    comment = markdown(said, html=False)  # a person's: no answer can use up its room
    return f"<p>Comment:</p>{_written(comment)}" if said else ""


def _notes(notes: list[str]) -> str:
    items = "".join(f"<li>{_text(note)}</li>" for note in notes)
    return f"<h2>About your notebook</h2><ul>{items}</ul>" if items else ""


def _beside(cell: dict) -> list[str]:
    """The untouched answers beside which the learner wrote this cell."""
    return cell["metadata"].get("lmcourse", {}).get("beside", [])


def _name(cell: dict) -> str | None:
    return cell["metadata"].get("nbgrader", {}).get("grade_id")
