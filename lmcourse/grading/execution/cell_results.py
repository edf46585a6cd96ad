"""What the learner's process says of a cell, as far as it can be believed.

Chapter: book/instructors/sandbox.md

Threat: outputs without end, of forms that break a notebook, or with text that cannot be written.
The process speaks only of its own outputs here, never of points, so forms and sizes are checked.
What reaches a browser must still be made inert; that is the feedback's part.
"""

from dataclasses import dataclass, field
from typing import Any

from lmcourse.grading.execution.explanations import INSTEAD
from lmcourse.grading.safe_text import scrub

_KINDS = ("stream", "display_data", "execute_result")
_FORMS = ("text", "text/plain", "image/png", "image/jpeg")  # nothing that a browser would run


@dataclass(kw_only=True)
class CellResult:
    """What became of a cell: `ok`, `error`, `timeout`, `died` (its process ended) or `unrun`."""

    status: str
    name: str = ""  # of the exception
    message: str = ""
    trace: list[str] = field(default_factory=list)
    outputs: list[dict] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)  # of PyTorch's settings: their value now
    award: float | None = None  # what a test gave by `award`, where it ran in this process too


def changed_settings(said: Any) -> dict[str, str]:
    """What a process says of the settings that a cell changed; nothing that we do not know."""
    said = said if type(said) is dict else {}
    return {name: scrub(said[name], 120) for name in INSTEAD if type(said.get(name)) is str}


class ResultReader:
    """Reads what a process says of its cells, up to a number of characters of output in all."""

    def __init__(self, room: int):
        self.room = room

    def read(self, said: dict) -> CellResult:
        """What became of one cell."""
        trace = said.get("trace") if type(said.get("trace")) is list else []
        outputs = said.get("outputs") if type(said.get("outputs")) is list else []
        read = (self._output(output) for output in outputs[:1000])
        return CellResult(
            status="ok" if said.get("status") == "ok" else "error",
            name=scrub(said.get("name"), 100),
            message=scrub(said.get("message"), 4000),
            trace=[scrub(part, 4000) for part in trace[:20]],
            outputs=[output for output in read if output],
            changed=changed_settings(said.get("changed")),
        )

    def _output(self, said: Any) -> dict:
        """An output in the notebook's form; empty if it is none, or if there is no room for it."""
        said = said if type(said) is dict else {}
        kind = said.get("output_type")
        if kind not in _KINDS:
            return {}
        data = {"text": said.get("text")} if kind == "stream" else said.get("data")
        texts = self._texts(data if type(data) is dict else {})
        if not texts:
            return {}
        if kind == "stream":
            name = "stderr" if said.get("name") == "stderr" else "stdout"
            return {"output_type": kind, "name": name, **texts}
        output = {"output_type": kind, "data": texts, "metadata": {}}
        if kind == "execute_result":
            count = said.get("execution_count")
            output["execution_count"] = count if type(count) is int else None
        return output

    def _texts(self, data: dict) -> dict[str, str]:
        texts = {k: scrub(data[k], self.room) for k in _FORMS if type(data.get(k)) is str}
        size = sum(map(len, texts.values()))
        if size > self.room:
            return {}
        self.room -= size
        return texts
