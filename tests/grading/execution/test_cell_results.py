"""What a learner's process says of its cells is checked, whatever it says."""

import json

import nbformat
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcourse.grading.execution.cell_results import ResultReader

jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["status", "name", "trace", "outputs", "output_type", "data", "text", "x"]
            ),
            inner | st.sampled_from(["stream", "display_data", "execute_result", "ok"]),
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)  # the first example pays for imports
@given(st.dictionaries(st.sampled_from(["status", "name", "message", "trace", "outputs"]), jsons))
def test_any_answer_makes_a_valid_notebook(said):
    ran = ResultReader(100).read(said)
    assert ran.status in ("ok", "error")
    cell = nbformat.v4.new_code_cell("", outputs=[nbformat.from_dict(o) for o in ran.outputs])
    cell["id"] = "x"
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
    json.dumps(ran.outputs).encode("utf-8")


def test_honest_outputs_arrive_as_they_were():
    outputs = [
        {"output_type": "stream", "name": "stderr", "text": "careful"},
        {"output_type": "display_data", "data": {"text/plain": "<x>"}, "metadata": {}},
        {
            "output_type": "execute_result",
            "data": {"text/plain": "4"},
            "metadata": {},
            "execution_count": 2,
        },
    ]
    assert ResultReader(100).read({"status": "ok", "outputs": outputs}).outputs == outputs


def test_there_is_room_for_so_much_and_no_more():
    reader = ResultReader(10)
    stream = {"output_type": "stream", "name": "stdout", "text": "x" * 6}
    ran = reader.read({"status": "ok", "outputs": [stream, stream]})
    assert len(ran.outputs) == 1
    assert reader.room == 4
