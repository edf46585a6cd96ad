"""lmcourse.devices: the variable, the GPU, the CPU, in this order."""

import pytest
import torch

from lmcourse.devices import VARIABLE, default_device


@pytest.fixture
def machine(monkeypatch):
    """A machine with the accelerators that a test names."""

    def build(*accelerators):
        monkeypatch.delenv(VARIABLE, raising=False)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in accelerators)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in accelerators)

    return build


@pytest.mark.parametrize(
    ("accelerators", "expected"),
    [((), "cpu"), (("cuda",), "cuda"), (("mps",), "mps"), (("mps", "cuda"), "cuda")],
)
def test_a_gpu_is_taken_where_there_is_one(machine, accelerators, expected):
    machine(*accelerators)
    assert default_device() == torch.device(expected)


def test_the_variable_wins(machine, monkeypatch):
    machine("cuda")
    monkeypatch.setenv(VARIABLE, "cpu")
    assert default_device() == torch.device("cpu")


def test_an_empty_variable_is_no_variable(machine, monkeypatch):
    machine()
    monkeypatch.setenv(VARIABLE, "")
    assert default_device() == torch.device("cpu")


# cuda:99 is refused by every machine: with a GPU, without one, and by a torch built without CUDA.
@pytest.mark.parametrize("name", ["gpu", "cpu:x", "cuda:99", "CPU please"])
def test_a_device_that_is_not_there_is_refused_with_a_way_out(machine, monkeypatch, name):
    machine()
    monkeypatch.setenv(VARIABLE, name)
    with pytest.raises(ValueError, match=f"{VARIABLE}='{name}'.*unset it or use 'cpu'"):
        default_device()


@pytest.mark.gpu
def test_here_the_gpu_is_the_default(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert default_device().type == "cuda"
