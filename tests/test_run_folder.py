"""lmcourse.loop.run_folder: what a training leaves behind, whole at any moment."""

import math
import os
import re
import resource
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeds import start
from torch import nn

from lmcourse.checkpoints import save_tensors
from lmcourse.loop.run_folder import (
    BEST,
    LAST,
    METRICS,
    Progress,
    Row,
    Run,
    read_metrics,
    why_it_diverged,
)

numbers = st.floats(allow_nan=False, width=64)
rows = st.builds(
    Row,
    step=st.integers(1, 10**6),
    loss=numbers,
    validation_loss=st.none() | numbers,
    learning_rate=numbers,
    gradient_norm=numbers,
    n_predictions=st.integers(1, 10**9),
    seconds=numbers,
    accuracy=st.none() | numbers,
    predictions_per_second=st.none() | numbers,
)
ROW = Row(1, 0.1, None, 1e-3, 2.5, 768, 0.25)


def model_and_optimizer(n_steps=0):
    start()
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    for _ in range(n_steps):
        optimizer.zero_grad()
        model(torch.ones(3)).square().sum().backward()
        optimizer.step()
    return model, optimizer


@given(written=st.lists(rows, max_size=5))
def test_every_number_comes_back_to_the_bit(written, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run = Run(folder, {})
    run.start()
    for row in written:
        run.add(row)
    run.close()
    assert read_metrics(folder) == run.history == written


def test_a_table_of_an_older_version_is_read_and_goes_on(tmp_path):
    """It ends with the seconds."""
    (tmp_path / "metrics.csv").write_text("step,loss\n1,0.1,,0.001,2.5,768,0.25\n")
    assert read_metrics(tmp_path) == [ROW]


def test_a_row_is_on_the_disk_before_the_next_step(tmp_path):
    run = Run(tmp_path, {})
    run.start()
    run.add(ROW)
    assert read_metrics(tmp_path) == [ROW]
    run.close()


@pytest.mark.parametrize("stale", [False, True])
def test_the_best_weights_of_the_first_step_are_kept_and_those_of_another_run_are_not(
    tmp_path, stale
):
    if stale:  # of a run that was killed before it saved all
        (tmp_path / BEST).write_bytes(b"of another run")
    run = Run(tmp_path, {})
    run.start()
    model, _ = model_and_optimizer()
    wanted = model.weight.detach().clone()
    run.keep_best(model)  # a validation comes before the row of its step
    run.add(ROW)
    nn.init.zeros_(model.weight)
    run.load_best(model)
    # exact: numbers that were only written and read
    torch.testing.assert_close(model.weight.detach(), wanted, rtol=0, atol=0)
    run.close()


def test_the_best_weights_of_another_run_are_gone_after_the_first_step(tmp_path):
    (tmp_path / BEST).write_bytes(b"of another run")
    run = Run(tmp_path, {})
    run.start()
    run.add(ROW)
    run.close()
    assert not (tmp_path / BEST).exists()


def test_model_optimizer_and_progress_come_back(tmp_path):
    model, optimizer = model_and_optimizer(n_steps=3)
    run = Run(tmp_path, {"seed": 5})
    run.start()
    for step in (1, 2, 3, 4):
        run.add(ROW._replace(step=step))
    at = Progress(step=3, best_step=2, best_loss=0.5, n_worse=1, seconds=7.5)
    run.save(model, optimizer, at)
    run.close()
    other, its_optimizer = model_and_optimizer()
    again = Run(tmp_path, {"seed": 5})
    assert again.resume(other, its_optimizer) == at
    again.close()
    assert [row.step for row in again.history] == [1, 2, 3]
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        # exact: what was written and read
        assert torch.equal(one, two)
        for key, value in optimizer.state[one].items():
            # exact: what was written and read
            assert torch.equal(value, its_optimizer.state[two][key])
    again.close()
    with pytest.raises(ValueError, match=r"seed must be 5 as in .*, got seed=6: go on with the sa"):
        Run(tmp_path, {"seed": 6}).resume(other, its_optimizer)


def test_without_a_folder_the_best_weights_stay_in_memory():
    model, optimizer = model_and_optimizer()
    run = Run(None, {})
    run.start()
    run.add(ROW)
    run.keep_best(model)
    best = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1)
    run.save(model, optimizer, Progress())
    assert not run.exists
    run.load_best(model)
    # exact: copies
    assert torch.equal(model.weight, best)


def test_one_process_writes_and_the_others_read(tmp_path):
    model, optimizer = model_and_optimizer()
    reader = Run(tmp_path / "run", {}, writes=False)
    reader.start()
    reader.add(ROW)
    reader.keep_best(model)
    reader.save(model, optimizer, Progress())
    assert not (tmp_path / "run").exists()


FULL_DISK = """
import resource, sys, torch
from pathlib import Path
from torch import nn
from lmcourse.loop.run_folder import Progress, Run
folder = Path(sys.argv[1])
model = nn.Linear(300, 300)
optimizer = torch.optim.AdamW(model.parameters())
run = Run(folder, {})
run.start()
run.keep_best(model)
run.save(model, optimizer, Progress(step=1))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
for write in (lambda: run.keep_best(model), lambda: run.save(model, optimizer, Progress(step=2))):
    try:
        write()
    except OSError as error:
        print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limits here")
def test_a_full_disk_is_named_and_the_last_save_is_whole(tmp_path):
    """Files of more than 100 kB cannot be written; the system answers as it does when full."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.splitlines()
    assert len(said) == 2
    for line, name in zip(said, (BEST, LAST), strict=True):
        assert f"{name} could not be written: the disk is full: free some space" in line
        assert "the last one is still whole" in line
    model = nn.Linear(300, 300)
    run = Run(tmp_path, {})
    assert run.resume(model, torch.optim.AdamW(model.parameters())) == Progress(step=1)
    run.close()
    assert sorted(os.listdir(tmp_path)) == [METRICS, BEST, LAST]


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([], "at the first step, so the step size is not to blame"),
        ([2.0, 1.5, 1.4], "the loss was 1.4 one step before, so one batch must be unlike"),
        ([2.0, 1.5, 9.0], "had been 1.5 and rose to 9, the steps are too long: try .*=0.00033"),
    ],
)
def test_a_cause_is_read_off_the_steps_before(losses, words):
    history = [ROW._replace(step=k, loss=loss) for k, loss in enumerate(losses, 1)]
    assert re.search(words, why_it_diverged(history, nn.Linear(2, 2)))


@pytest.mark.parametrize(
    ("losses", "measured", "words"),
    [
        ([3.3], 7e6, "had been 3.3 and rose to 7e\\+06, the steps are too long: try"),
        ([3.3], math.nan, "the same batch gives nan now, .*log\\(0\\).* or the steps are too long"),
        ([3.3, 3.2], 3.1, "the loss was 3.1 one step before, so one batch must be unlike"),
        ([0.5, 1.2, 0.4, 1.1], 1.2, "so one batch must be unlike"),
        ([], 3.1, "the loss was 3.1 one step before, so one batch must be unlike"),
        ([], math.inf, "rose to inf, the steps are too long: try a smaller learning_rate"),
        ([-2.0, -3.0], -3.1, "so one batch must be unlike"),
        ([-2.0, -3.0], 5.0, "rose to 5, the steps are too long"),
    ],
)
def test_the_batch_before_tells_which_cause_it_was(losses, measured, words):
    """Its loss with the weights of now: as it was, or spoiled by the last step."""
    history = [ROW._replace(step=k, loss=loss) for k, loss in enumerate(losses, 1)]
    assert re.search(words, why_it_diverged(history, nn.Linear(2, 2), measured))


def test_a_save_of_another_version_is_told_by_file_and_field(tmp_path):
    model, optimizer = model_and_optimizer()
    run = Run(tmp_path, {"seed": 5, "warmth": 3})
    run.start()
    run.save(model, optimizer, Progress(step=1))
    run.close()
    path = re.escape(str(tmp_path / LAST))
    with pytest.raises(ValueError, match=f"{path} must hold known settings alone, got warmth=3"):
        Run(tmp_path, {"seed": 5}).resume(model, optimizer)
    metadata = {"settings": "{}", "progress": '{"step": 1, "tokens": 7}'}
    save_tensors({"x": torch.zeros(1)}, tmp_path / LAST, metadata)
    with pytest.raises(ValueError, match=f"{path}, progress, must hold no field .* tokens=7: ano"):
        Run(tmp_path, {}).resume(model, optimizer)
    save_tensors({"x": torch.zeros(1)}, tmp_path / LAST)
    with pytest.raises(ValueError, match=f"{path} must be the save of a training, got no settings"):
        Run(tmp_path, {}).resume(model, optimizer)


def test_what_a_refused_start_made_is_taken_away_and_nothing_else(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "notes.txt").touch()
    for folder in (tmp_path / "here", tmp_path / "new" / "er"):
        run = Run(folder, {})
        run.start()
        assert (folder / METRICS).exists()
        run.discard()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["here", "notes.txt"]
