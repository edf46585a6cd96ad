"""lmcourse.loop.training_config: what can be wrong with it."""

import json
import math
from dataclasses import asdict, replace

import pytest

from lmcourse.checkpoints import restored
from lmcourse.loop.training_config import TrainingConfig

CONFIG = TrainingConfig(n_steps=12, batch_size=4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_steps": 0}, "n_steps must be at least 1, got n_steps=0"),
        ({"batch_size": -3}, "batch_size must be at least 1, got batch_size=-3"),
        ({"n_accumulate": 0}, "n_accumulate must be at least 1, got n_accumulate=0"),
        ({"validate_every": 0}, "validate_every must be at least 1, got validate_every=0"),
        ({"patience": 0}, "patience must be at least 1, got patience=0"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0, got weight_decay=-0.1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0 and finite, got .*=0.0"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0 and finite, got .*=nan"),
        ({"max_norm": 0.0}, "max_norm must be above 0 and finite, got max_norm=0.0"),
        ({"weight_decay": math.nan}, "weight_decay must be finite, got weight_decay=nan"),
        ({"weight_decay": math.inf}, "weight_decay must be finite, got weight_decay=inf"),
        ({"learning_rate": math.inf}, "learning_rate must be above 0 and finite, got .*=inf"),
        ({"max_norm": math.nan}, "max_norm must be above 0 and finite, got max_norm=nan"),
        ({"n_steps": math.nan}, "n_steps must be a whole number, got n_steps=nan"),
        ({"batch_size": 2.5}, "batch_size must be a whole number, got batch_size=2.5"),
        ({"validate_every": math.inf}, "validate_every must be a whole number, got .*=inf"),
        ({"patience": math.nan}, "patience must be a whole number, got patience=nan"),
        ({"seed": None}, "seed must be a whole number, got seed=None"),
        ({"n_warmup": -1}, "n_warmup must be at least 0, got n_warmup=-1"),
        ({"context_length": 0}, "context_length must be at least 1, got context_length=0"),
        ({"precision": "fp8"}, "precision must be fp32 or bf16, got precision='fp8'"),
        ({"betas": (0.9,)}, r"betas must be two numbers from 0 to below 1, got betas=\(0.9,\)"),
        ({"betas": (0.9, 1.0)}, r"betas must be two numbers from 0 to below 1, got .*1.0\)"),
        ({"betas": (-0.1, 0.9)}, "betas must be two numbers from 0 to below 1, got betas="),
        ({"betas": 0.9}, "betas must be two numbers from 0 to below 1, got betas=0.9"),
        ({"betas": ("0.9", 0.9)}, "betas must be two numbers from 0 to below 1, got betas="),
        ({"compile": "yes"}, "compile must be True or False, got compile='yes'"),
        ({"n_warmup": 12}, "n_warmup must be at least 0 and below n_steps, got n_warmup=12, .*12"),
    ],
)
def test_a_config_is_checked(change, message, unchecked):
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)


def test_it_comes_back_from_a_file():
    config = replace(CONFIG, betas=(0.8, 0.95), compile=True)
    assert restored(TrainingConfig, json.loads(json.dumps(asdict(config))), "here") == config
