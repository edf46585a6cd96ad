"""Questions to check oneself with, whose keys a page computes when it is built.

Chapter: book/conventions.md

On a page of the book `book/_static/live/quiz.js` lets the reader choose and explains each choice.
In Jupyter, on paper and without JavaScript the answer is folded below its question.
"""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

RUNS = re.compile(r"\*(?P<em>[^*]+)\*|`(?P<code>[^`]+)`")


@dataclass(frozen=True)
class Question:
    """A question with two choices or more.

    Args:
        text: *words* between asterisks are emphasized, those between backticks are code.
        choices: each with the reason why it is right, or with what whoever takes it has overlooked.
        key: the choice that is right, computed by the page: a key that is none of the choices ends
            the build.
    """

    text: str
    choices: Mapping[str, str]
    key: str = field(kw_only=True)

    def __post_init__(self) -> None:
        if len(self.choices) < 2 or not all(self.choices.values()):
            raise ValueError(
                f"choices must be two or more, each with its reason, got {self.choices!r}"
            )
        if self.key not in self.choices:
            known = ", ".join(map(repr, self.choices))
            raise ValueError(
                f"key must be one of the choices, {known}, got {self.key!r}: the page computes"
                " something that none of them says"
            )


@dataclass(frozen=True, repr=False)
class Quiz:
    """Several questions; a notebook shows them as HTML, a page of the book lets one answer."""

    name: str
    questions: Sequence[Question]

    def __repr__(self) -> str:
        texts = "; ".join(_plain(question.text) for question in self.questions)
        return f"Quiz: {texts}"

    def _repr_html_(self) -> str:
        data = {"name": self.name, "questions": [_data(each) for each in self.questions]}
        # A `<` in a text could end the script that holds it; JSON reads the escape as that sign.
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        folded = "".join(_folded(each) for each in self.questions)
        opening = '<figure class="lm-picture lm-live" data-live="quiz">'
        script = f'<script type="application/json">{text}</script>'
        return f'{opening}<ol class="lm-still">{folded}</ol>{script}</figure>'


def quiz(name: str, questions: Sequence[Question]) -> Quiz:
    """Two to four questions, answered in the reader's browser and kept nowhere else.

    Args:
        name: that of the page, under which the browser remembers the answers.

    Example:
        >>> quiz("sums", [Question("1 + 1?", {"2": "Yes.", "11": "That joins texts."}, key="2")])
        Quiz: 1 + 1?
    """
    if not 1 <= len(questions) <= 4:
        raise ValueError(f"questions must be one to four, got {len(questions)}: keep the best")
    texts = [question.text for question in questions]
    if len(set(texts)) < len(texts):
        raise ValueError(f"questions must differ, got {texts}")
    return Quiz(name, tuple(questions))


def _data(question: Question) -> dict:
    choices = [
        {"key": text, "text": _runs(text), "why": _runs(why), "right": text == question.key}
        for text, why in question.choices.items()
    ]
    return {"text": _runs(question.text), "choices": choices}


def _runs(text: str) -> list[dict[str, str]]:
    """The text in pieces, each with the tag that it is shown in."""
    runs, done = [], 0
    for match in RUNS.finditer(text):
        runs.append({"text": text[done : match.start()], "tag": ""})
        runs.append({"text": match[match.lastgroup], "tag": match.lastgroup})
        done = match.end()
    return [run for run in [*runs, {"text": text[done:], "tag": ""}] if run["text"]]


def _plain(text: str) -> str:
    return "".join(run["text"] for run in _runs(text))


def _html(text: str) -> str:
    parts = []
    for run in _runs(text):
        part = html.escape(run["text"])
        parts.append(f"<{run['tag']}>{part}</{run['tag']}>" if run["tag"] else part)
    return "".join(parts)


def _folded(question: Question) -> str:
    choices = "".join(f"<li>{_html(choice)}</li>" for choice in question.choices)
    answer = f"<b>{_html(question.key)}.</b> {_html(question.choices[question.key])}"
    fold = f"<details><summary>The answer</summary><p>{answer}</p></details>"
    return f"<li><p>{_html(question.text)}</p><ul>{choices}</ul>{fold}</li>"
