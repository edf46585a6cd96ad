"""The answers to the assignment `gpt` compute what transformers' Llama does."""

from pathlib import Path

import pytest
import task_cells
import torch
from models_of_transformers import perturbed

transformers = pytest.importorskip("transformers")
SOURCE = Path(__file__).parents[3] / "solutions/gpt/gpt.ipynb"


@pytest.fixture(scope="module")
def answers() -> dict:
    """What the solutions of Tasks 1 to 6, and the cache of Task 9, define."""
    assignment = task_cells.load(SOURCE)
    names: dict = {}
    for source in (*assignment.setup, *assignment.solutions.values()):
        exec(source, names)
    return names


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("n_kv_heads", [1, 2, 4])
def test_the_weights_of_a_llama_give_its_logits(answers, n_kv_heads, tied):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=23,
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=11,
        num_attention_heads=4,
        num_key_value_heads=n_kv_heads,
        max_position_embeddings=16,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
    )
    theirs = perturbed(transformers.LlamaForCausalLM(config), seed=0)
    weights = dict(theirs.state_dict())
    if tied:
        weights.pop("lm_head.weight")  # as in a file
    ours = answers["GPT"](23, 16, 32, 4, n_kv_heads, 11, 40)
    ours.load_state_dict(answers["from_llama"](weights))
    ids = torch.randint(23, (3, 16))
    mask = torch.arange(16) >= torch.tensor([[0], [3], [9]])
    with torch.no_grad():
        wanted = theirs(ids).logits
        torch.testing.assert_close(ours(ids), wanted, rtol=1e-3, atol=1e-3)
        first, cache = answers["read"](ours, ids[:, :10])
        second, _ = answers["read"](ours, ids[:, 10:], cache)
        torch.testing.assert_close(torch.cat([first, second], 1), wanted, rtol=1e-3, atol=1e-3)
        places = answers["places"](mask)
        padded = theirs(ids, attention_mask=mask.long(), position_ids=places).logits
        torch.testing.assert_close(ours(ids, mask)[mask], padded[mask], rtol=1e-3, atol=1e-3)
    counted = answers["count_parameters"](23, 32, 4, n_kv_heads, 11, 40, tied)
    assert counted == sum(p.numel() for p in theirs.parameters())
