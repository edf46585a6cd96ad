"""recipes/: what starts a training on a cluster is what torchrun and the command understand."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from torch.distributed.run import get_args_parser
from typer.main import get_command

from lmcourse.__main__ import app

RECIPES = Path(__file__).parents[1] / "recipes"
VARIABLES = {
    "SLURM_NNODES": "2",
    "SLURM_GPUS_ON_NODE": "4",
    "SLURM_JOB_ID": "17",
    "first": "node-1",
    "RUN": "a1b2",
}


def slurm():
    """The words of the command that each node runs."""
    text = (RECIPES / "slurm.sbatch").read_text().replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("srun "))
    line = re.sub(r"\$\{?(\w+)(?::-\w+)?\}?", lambda found: VARIABLES[found[1]], line)
    return shlex.split(line)[1:]


def kubernetes():
    """The objects, by kind, and the words of the command that each pod runs."""
    objects = {x["kind"]: x for x in yaml.safe_load_all((RECIPES / "kubernetes.yaml").read_text())}
    pod = objects["Job"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    words = [*container["command"], *container["args"]]
    return objects, [word.replace("$(RUN)", VARIABLES["RUN"]) for word in words]


def parsed(words):
    """The options of torchrun, and those of the command, which were typed."""
    assert Path(words[0]).name == "torchrun"
    launch = get_args_parser().parse_args(words[1:])
    assert (launch.module, launch.training_script) == (True, "lmcourse")
    name, *arguments = launch.training_script_args
    command = get_command(app).commands[name]
    with command.make_context(name, list(arguments)) as context:
        typed = {
            parameter.name: context.params[parameter.name]
            for parameter in command.get_params(context)
            if getattr(context.get_parameter_source(parameter.name), "name", "") == "COMMANDLINE"
        }
    return launch, typed


@pytest.mark.parametrize("words", [slurm(), kubernetes()[1]], ids=["slurm", "kubernetes"])
def test_torchrun_and_the_command_understand_what_they_are_told(words):
    launch, typed = parsed(words)
    assert (launch.nnodes, launch.nproc_per_node, launch.max_restarts) == ("2", "4", 3)
    assert launch.rdzv_backend == "c10d"
    assert launch.rdzv_endpoint.endswith(":29500")
    # The name by which a training is known again; "none" is what torchrun calls no name.
    assert launch.rdzv_id in ("17", "a1b2")
    assert typed["sharded"]
    assert (typed["n_steps"], typed["precision"]) == (20000, "bf16")
    assert typed["batch_size"] % (2 * 4) == 0  # `train` refuses what cannot be shared evenly
    assert typed["text"] == "prepared"


def test_the_shell_can_read_the_script():
    script = RECIPES / "slurm.sbatch"
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    lines = script.read_text().splitlines()
    first_command = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any(line.startswith("#SBATCH") for line in lines[first_command:])  # sbatch stops


def test_pods_find_each_other_and_the_volume():
    objects, words = kubernetes()
    job, service = objects["Job"], objects["Service"]
    pod, name = job["spec"]["template"]["spec"], job["metadata"]["name"]
    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["selector"] == {"job-name": name}  # a label that a job gives its pods
    assert f"--rdzv-endpoint={name}-0.{pod['subdomain']}:29500" in words
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 2
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 4
    claims = [x["persistentVolumeClaim"] for x in pod["volumes"] if "persistentVolumeClaim" in x]
    assert claims == [{"claimName": objects["PersistentVolumeClaim"]["metadata"]["name"]}]
    assert objects["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteMany"]
    mounted = {x["name"] for x in pod["containers"][0]["volumeMounts"]}
    assert mounted == {x["name"] for x in pod["volumes"]}
