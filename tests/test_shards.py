"""lmcourse.loop.shards: a save in parts is whole or not there, and is read by any number."""

import json
import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lmcourse.checkpoints import save_tensors
from lmcourse.loop import shards
from lmcourse.loop.run_folder import LAST, Progress, Run, last_save
from lmcourse.loop.sharding import Part
from lmcourse.loop.sharding import part as real_part
from lmcourse.loop.shards import INDEX, SHARDS, SavedTensors, ShardWriter, whole_saves


class Sharded(torch.Tensor):
    """A tensor of which a process holds some rows, as torch would cut it for n of them."""

    @staticmethod
    def __new__(cls, tensor, rank, n):
        size, sharded = -(-len(tensor) // n), tensor.clone().as_subclass(cls)
        rows, start = tensor[rank * size : (rank + 1) * size], min(rank * size, len(tensor))
        sharded.part = Part(rows, start, tuple(tensor.shape))
        return sharded

    def to_local(self):
        return self.part.rows


@pytest.fixture(autouse=True)
def _cut(monkeypatch):
    monkeypatch.setattr(
        shards, "part", lambda x: x.part if isinstance(x, Sharded) else real_part(x)
    )


def write(folder, tensors, n, step=1, metadata=None, ranks=None):
    """The save of n processes; whole ones are those whose name begins with "whole"."""
    writers = [ShardWriter(folder, rank, n, 5) for rank in range(n)]
    for rank in range(n) if ranks is None else ranks:
        mine = {
            name: x if name.startswith("whole") else Sharded(x, rank, n)
            for name, x in tensors.items()
        }
        writers[rank].begin(mine, step, metadata or {})
    return writers


def saved(folder, tensors, n, **options):
    for writer in write(folder, tensors, n, **options):
        writer.settle()
    return whole_saves(folder)[0]


TENSORS = {"a": torch.arange(21.0).reshape(7, 3), "b": torch.arange(2.0), "whole": torch.tensor(4)}


@given(n_rows=st.integers(1, 9), width=st.integers(1, 3), n=st.integers(1, 5), m=st.integers(1, 5))
def test_what_n_processes_wrote_m_processes_read(n_rows, width, n, m, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    a = torch.randn(n_rows, width, generator=torch.Generator().manual_seed(n_rows))
    found = SavedTensors(saved(folder, {"a": a, "whole": torch.tensor(3)}, n))
    for rank in range(m):
        own = {"a": Sharded(torch.zeros(n_rows, width), rank, m), "whole": torch.tensor(0)}
        found.fill(own)
        # exact: the numbers were copied
        assert torch.equal(own["a"].part.rows, Sharded(a, rank, m).part.rows)
        assert own["whole"] == 3


def test_a_file_is_read_in_the_same_way(tmp_path):
    save_tensors(
        {"model.a": TENSORS["a"], "model.b": TENSORS["b"], "c": torch.ones(1)}, tmp_path / "x"
    )
    own = {"a": Sharded(torch.zeros(7, 3), 1, 2), "b": torch.zeros(2)}
    SavedTensors(tmp_path / "x").fill(own, "model.")
    torch.testing.assert_close(own["a"].part.rows, TENSORS["a"][4:])
    torch.testing.assert_close(own["b"], TENSORS["b"])


def test_the_numbers_are_those_of_the_moment_of_the_save(tmp_path):
    tensors = {"a": torch.zeros(4, 2)}
    writers = write(tmp_path, tensors, 2, ranks=[0])  # the first process waits for the second
    tensors["a"].fill_(1.0)
    writers[1].begin({"a": Sharded(torch.zeros(4, 2), 1, 2)}, 1, {})
    for writer in writers:
        writer.settle()
    own = {"a": torch.full((4, 2), 7.0)}
    SavedTensors(whole_saves(tmp_path)[0]).fill(own)
    assert own["a"].sum() == 0


def test_a_save_that_lacks_a_part_is_none_and_the_last_one_stays(tmp_path):
    before = saved(tmp_path, TENSORS, 2, step=1)
    writer = write(tmp_path, TENSORS, 2, step=2, ranks=[0])[0]
    assert whole_saves(tmp_path) == [before]
    writer.abandon()
    writer.settle()
    assert whole_saves(tmp_path) == [before]
    after = saved(tmp_path, TENSORS, 2, step=3)
    assert whole_saves(tmp_path) == [after]
    assert not before.exists()
    assert after.name == "step-00000003"


def test_a_new_writer_removes_what_was_begun(tmp_path):
    (tmp_path / ".step-00000002-00000005").mkdir()
    kept = saved(tmp_path, TENSORS, 1)
    shards.shard_writer(tmp_path)
    assert sorted(tmp_path.iterdir()) == [kept]


def test_a_disk_that_cannot_be_written_is_told_by_the_next_save(tmp_path):
    (tmp_path / "file").write_text("")
    writer = ShardWriter(tmp_path / "file", 0, 1, 5)
    writer.begin(TENSORS, 1, {})
    with pytest.raises(OSError, match="file"):
        writer.begin(TENSORS, 2, {})
    writer.settle()  # told once


def test_a_part_that_never_comes_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_PATIENCE", 0.05)
    writer = write(tmp_path, TENSORS, 2, ranks=[0])[0]
    with pytest.raises(
        OSError, match=r"part-1-of-2\.safetensors must come within 0 s, and did not"
    ):
        writer.settle()


def test_nothing_is_left_running(tmp_path):
    saved(tmp_path, TENSORS, 3)
    assert not [each for each in threading.enumerate() if "_run" in each.name]


# ---------------------------------------------------------------- refusals


def test_an_index_that_does_not_hold_every_row_is_refused(tmp_path):
    path = saved(tmp_path, TENSORS, 2) / INDEX
    good = json.loads(path.read_text())

    def refused(match, change):
        index = json.loads(json.dumps(good))
        change(index)
        path.write_text(json.dumps(index))
        with pytest.raises(ValueError, match=match):
            SavedTensors(path.parent)

    refused("4 rows of a, whose shape is", lambda x: x["tensors"]["a"]["parts"].pop())
    refused("row 4 of a after row -1", lambda x: x["tensors"]["a"]["parts"].pop(0))
    outside = ["../part-0-of-2.safetensors", 0, 7]
    refused("a file outside of the folder", lambda x: x["tensors"]["a"].update(parts=[outside]))
    refused("the format 'other'", lambda x: x.update(format="other"))
    refused("'tensors'", lambda x: x.pop("tensors"))
    path.write_text("{")
    with pytest.raises(ValueError, match=r"index\.json must be the index of a save in parts"):
        SavedTensors(path.parent)


def test_a_save_of_another_model_is_refused_by_its_first_difference(tmp_path):
    found = SavedTensors(saved(tmp_path, TENSORS, 2))
    own = dict(TENSORS)
    for change, match in (
        ({"a": torch.zeros(6, 3)}, r"a must have the shape \(6, 3\) of the model, got \(7, 3\)"),
        ({"x": torch.zeros(1)}, "must hold every weight of the model, x is missing"),
    ):
        with pytest.raises(ValueError, match=match):
            found.fill(own | change)
    with pytest.raises(ValueError, match="weights of the model alone, it has no b"):
        found.fill({"a": own["a"], "whole": own["whole"]})


def test_a_pickle_is_refused_by_name_wherever_it_lies(tmp_path):
    path = saved(tmp_path / SHARDS, TENSORS, 2)
    for folder in (tmp_path, tmp_path / SHARDS, path):
        (folder / ".metadata").write_bytes(b"\x80\x04.")
        with pytest.raises(ValueError, match=r"\.metadata, a pickle of torch\.distributed\.check"):
            last_save(tmp_path)
        (folder / ".metadata").unlink()
    assert last_save(tmp_path) == path
    (path / ".metadata").write_bytes(b"")
    with pytest.raises(ValueError, match=r"\.metadata, a pickle"):
        SavedTensors(path)


# ---------------------------------------------------------------- in the folder of a training


def test_of_a_file_and_a_folder_the_later_one_is_the_last_save(tmp_path):
    model = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    run = Run(tmp_path, {})
    run.save(model, optimizer, Progress(step=3))
    assert last_save(tmp_path) == tmp_path / LAST
    for step in (2, 4):
        metadata = {"progress": json.dumps({"step": step}), "settings": "{}", "n_rows": "0"}
        weights = {f"model.{name}": x for name, x in model.state_dict().items()}
        path = saved(tmp_path / SHARDS, weights, 2, step=step, metadata=metadata)
        assert last_save(tmp_path) == (path if step == 4 else tmp_path / LAST)
    assert run.resume(model, optimizer) == Progress(step=4)
    run.close()
