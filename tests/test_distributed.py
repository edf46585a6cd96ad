"""lmcourse.loop.distributed: alone it does nothing; under torchrun two processes are as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from lmcourse.loop import distributed
from lmcourse.loop.run_folder import read_metrics

WORKER = """
import json, sys, torch
from lmcourse.loop import distributed, sharding
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.training import TrainingConfig, evaluate, train

torch.set_num_threads(1)


def run(folder, scenario, n_accumulate, sharded):
    torch.manual_seed(distributed.rank() if scenario == "different starts" else 0)
    model = GPT(GPTConfig(vocab_size=7, context_length=8, d_model=12, n_heads=2, n_layers=2))
    if scenario == "unused":
        model.never = torch.nn.Linear(3, 3)
        model.sometimes = torch.nn.Linear(12, 12)
        forward = model.forward

        def with_gaps(ids):
            logits = forward(ids)
            rows = ids[:, 0] == 3  # in few pieces: in one process of a step, and not in the other
            if rows.any():
                more = model.sometimes(model.embedding[ids]) @ model.embedding.T
                logits = logits + rows[:, None, None] * more
            return logits

        model.forward = with_gaps
    ids = torch.randint(7, (400,), generator=torch.Generator().manual_seed(1))
    if scenario == "examples":
        lengths = [1 + k % 5 for k in range(30)]  # a different number of predictions in each

        def collate(starts):
            rows = torch.stack([ids[k : k + 9] for k in starts])
            targets = rows[:, 1:].clone()
            for row, start in enumerate(starts):
                targets[row, lengths[start] :] = -100
            return rows[:, :-1], targets

        data, validation = list(range(30)), list(range(7))
    else:
        collate, data, validation = None, ids, ids[:61]
    config = TrainingConfig(
        n_steps=12, batch_size=8, n_accumulate=n_accumulate, n_warmup=2, validate_every=4
    )
    result = train(
        model, data, config, validation=validation, collate=collate, folder=folder, sharded=sharded
    )
    assert sharding.is_sharded(model) == (sharded and distributed.n_processes() > 1)
    again = evaluate(model, validation, collate=collate, batch_size=2)
    assert abs(again - result.best_loss) < 1e-5, (again, result.best_loss)
    total = sum(sharding.part(p).rows.double().sum().item() for p in model.parameters())
    return distributed.all_reduce_sum([total])[0] if sharding.is_sharded(model) else total


for name, scenario, n_accumulate, sharded in json.loads(sys.argv[1]):
    total = run(name, scenario, n_accumulate, sharded)
    # One write, or the lines of two processes run into each other.
    sys.stdout.write(
        f"{name}: {distributed.rank()} of {distributed.n_processes()} {total:.4f}\\n"
    )
"""


# (scenario, n_accumulate of two processes, in shards?); alone n_accumulate is always 1.
SCENARIOS = [
    ("windows", 1, False),
    ("examples", 2, False),
    ("different starts", 1, False),
    ("unused", 1, False),
    ("unused", 2, False),
    ("windows", 1, True),
    ("examples", 2, True),
    ("different starts", 1, True),
    ("unused", 1, True),
    ("unused", 2, True),
]


def folder_of(scenario, n_accumulate, sharded):
    return f"{scenario}, {n_accumulate} at a time{', in shards' * sharded}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """By number of processes: the folder of what was trained, and the lines that were printed."""
    return {n: run_worker(n, tmp_path_factory.mktemp("trained")) for n in (1, 2)}


def run_worker(n_processes, place):
    """All scenarios one after the other: each start of Python and torch takes seconds."""
    (place / "worker.py").write_text(WORKER)
    runs = [
        (folder_of(scenario, n, sharded), scenario, n if n_processes > 1 else 1, sharded)
        for scenario, n, sharded in SCENARIOS
    ]
    start = [sys.executable]
    if n_processes > 1:
        start += ["-m", "torch.distributed.run", "--standalone"]
        start += ["--nproc-per-node", str(n_processes)]
    done = subprocess.run(
        [*start, "worker.py", json.dumps(runs)],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(distributed.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    return place, sorted(line for line in done.stdout.splitlines() if " of " in line)


# ---------------------------------------------------------------- alone


def test_alone_nothing_is_shared_and_no_group_is_made():
    model = nn.Linear(2, 2)
    assert (distributed.rank(), distributed.n_processes()) == (0, 1)
    assert distributed.data_parallel(model, torch.device("cpu")) is model
    # exact: nothing is added
    assert distributed.all_reduce_sum([1.5, 2.0]) == [1.5, 2.0]
    distributed.initialize()
    assert not torch.distributed.is_initialized()
    distributed.barrier()
    assert distributed.run_id() is None


def test_a_lost_process_is_told_as_one_and_other_errors_stay(monkeypatch):
    def fail(message):
        with distributed.naming_lost_processes():
            raise RuntimeError(message)

    closed = "[/x/gloo/transport/tcp/pair.cc:553] Connection closed by peer"
    with pytest.raises(RuntimeError, match="gloo"):
        fail(closed)  # alone there is no other
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConnectionError, match="another process of this training was lost"):
        fail(closed)
    with pytest.raises(RuntimeError, match="must be 2x3"):
        fail("must be 2x3")


def test_of_several_gpus_each_process_has_its_own(monkeypatch):
    gpu = torch.device("cuda")
    assert distributed.local_device(gpu) == gpu
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert distributed.local_device(gpu) == torch.device("cuda:3")
    assert distributed.local_device(torch.device("cuda:1")) == torch.device("cuda:1")
    assert distributed.local_device(torch.device("cpu")) == torch.device("cpu")


def test_processes_that_begin_again_meet_where_no_lost_one_left_its_address(monkeypatch):
    store = torch.distributed.HashStore()
    monkeypatch.setattr(torch.distributed, "rendezvous", lambda url: iter([(store, 1, 2)]))
    torchrun = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    for name, value in torchrun.items():
        monkeypatch.setenv(name, value)
    assert distributed._meeting_place() == {}  # the first time torch does it
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    place = distributed._meeting_place()
    assert (place["rank"], place["world_size"]) == (1, 2)
    place["store"].set("address", "a")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    assert not distributed._meeting_place()["store"].check(["address"])
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")  # others are elsewhere, and may count otherwise
    assert distributed._meeting_place() == {}


# ---------------------------------------------------------------- two processes


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "n_accumulate", "sharded"), SCENARIOS)
def test_two_processes_train_as_one(scenario, n_accumulate, sharded, trained):
    """Same losses, same weights in both, one table; also if each began with weights of its own."""
    name = folder_of(scenario, n_accumulate, sharded)
    said = {
        n: [line.removeprefix(f"{name}: ") for line in lines if line.startswith(f"{name}: ")]
        for n, (_, lines) in trained.items()
    }
    assert [line.split()[:3] for line in said[2]] == [["0", "of", "2"], ["1", "of", "2"]]
    sums = [float(line.split()[3]) for line in said[1] + said[2]]
    assert sums == pytest.approx([sums[0]] * 3, abs=1e-3)
    rows = [read_metrics(place / name) for place, _ in trained.values()]
    assert len(rows[0]) == len(rows[1]) == 12
    for one, two in zip(*rows, strict=True):
        assert two.loss == pytest.approx(one.loss, abs=1e-5)
        assert two.gradient_norm == pytest.approx(one.gradient_norm, abs=1e-4)
        assert two.n_predictions == one.n_predictions
        if one.validation_loss is not None:
            assert two.validation_loss == pytest.approx(one.validation_loss, abs=1e-5)
