"""A training step of our GPT beside transformers' GPT-2, in bfloat16, and shared by two processes.

python -m benchmarks.training FOLDER N    # trains N steps: what `two_processes` measures
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.runner import Row, Work
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.loop.gradient_step import ModelWithLoss, Precision, Updater, target_losses
from lmcourse.loop.run_folder import read_metrics
from lmcourse.training import TrainingConfig, train

# As it comes. Its GELU is written out with a tanh; ours is torch's own, which is faster.
PEER = "GPT2LMHeadModel of transformers"
VOCAB_SIZE = 512
SMALL = {"n_layers": 4, "n_heads": 4, "d_model": 128, "context_length": 128}
LARGE = {"n_layers": 6, "n_heads": 6, "d_model": 384, "context_length": 256}
PROCESSES_GOAL = 1.53


def rows() -> list[Row]:
    """Both sides: forward, backward, clipping, AdamW in one kernel; no dropout."""
    table = []
    torch.manual_seed(0)
    for name, sizes, batch_size, goal in (("small", SMALL, 16, 1.5), ("10m", LARGE, 8, 2.0)):
        ids = torch.randint(VOCAB_SIZE, (batch_size, sizes["context_length"] + 1))
        fp32 = ours(sizes, ids, "fp32")
        table += [
            Row(
                work=f"training step, GPT {name}",
                ours=fp32,
                peer=theirs(sizes, ids),
                peer_name=PEER,
                goal=1.2,
            ),
            Row(
                work=f"training step, GPT {name}",
                ours=fp32,
                peer=theirs(sizes, ids, activation="gelu"),
                peer_name=f"{PEER}, with our GELU",
            ),
            Row(
                work=f"training step, GPT {name}, bfloat16",
                ours=ours(sizes, ids, "bf16"),
                peer=fp32,
                peer_name="ours in float32",
                goal=goal if multiplies_bfloat16() else None,
            ),
        ]
    return table


def multiplies_bfloat16() -> bool:
    """Has this processor units for bfloat16? Without them it is slower than float32."""
    told = Path("/proc/cpuinfo")
    return told.exists() and "amx_bf16" in told.read_text(encoding="utf-8")


def model(sizes: dict[str, int]) -> GPT:
    """Ours, with the weights that the seed gives."""
    torch.manual_seed(0)
    return GPT(GPTConfig(vocab_size=VOCAB_SIZE, **sizes))


def ours(sizes: dict[str, int], ids: torch.Tensor, precision: Precision) -> Work:
    """A step of the trainer."""
    losses = ModelWithLoss(model(sizes), target_losses, precision)
    updater = Updater(losses, weight_decay=0.1, max_norm=1.0, device=torch.device("cpu"))
    piece = (ids[:, :-1], ids[:, 1:]), len(ids)

    def step() -> float:
        loss = updater.accumulate_gradients([piece]).loss
        updater.step(1e-4)
        return loss

    return step


def their_model(
    sizes: dict[str, int], *, use_cache: bool, activation: str = "gelu_new"
) -> GPT2LMHeadModel:
    """That of transformers, in the same sizes."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCAB_SIZE,
        n_positions=sizes["context_length"],
        n_embd=sizes["d_model"],
        n_layer=sizes["n_layers"],
        n_head=sizes["n_heads"],
        activation_function=activation,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=use_cache,
        bos_token_id=None,
        eos_token_id=None,
    )
    return GPT2LMHeadModel(config)


def theirs(sizes: dict[str, int], ids: torch.Tensor, activation: str = "gelu_new") -> Work:
    """The same with transformers and torch."""
    peer = their_model(sizes, use_cache=False, activation=activation)
    optimizer = torch.optim.AdamW(peer.parameters(), lr=1e-4, fused=True)

    def step() -> float:
        optimizer.zero_grad()
        logits = peer(ids[:, :-1]).logits
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def two_processes(n_steps: int = 40) -> tuple[float, float]:
    """Seconds of a step, alone and by two processes: wall clock, so only on an idle machine."""
    medians = []
    for n_processes in (1, 2):
        together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        launcher = together if n_processes == 2 else []
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, *launcher, "-m", "benchmarks.training", folder, str(n_steps)]
            subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            seconds = [row.seconds for row in read_metrics(folder)]
        steps = [after - before for before, after in itertools.pairwise(seconds)]
        medians.append(statistics.median(steps))
    return medians[0], medians[1]


def main(folder: str, n_steps: str) -> None:
    """Trains the small GPT."""
    torch.set_num_threads(1)
    ids = torch.randint(VOCAB_SIZE, (20_000,), generator=torch.Generator().manual_seed(0))
    config = TrainingConfig(n_steps=int(n_steps), batch_size=16, validate_every=int(n_steps))
    train(model(SMALL), ids, config, folder=Path(folder), progress=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
