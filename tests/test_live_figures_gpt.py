"""A GPT in the page: the browser computes what torch computes, and the reader can use it."""

import json
import random
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from live_page import MODELS

from lmcourse import live_figures
from lmcourse.attention import attention_weights, causal_mask, split_heads
from lmcourse.commands.export_web import export_web
from lmcourse.generation import generate, keep_top_k
from lmcourse.gpt import GPT, GPTConfig
from lmcourse.positions import apply_rotary, rotary_angles
from lmcourse.pretrained import from_pretrained, save_pretrained, shipped
from lmcourse.tokenizers import BPETokenizer, CharTokenizer

pytestmark = pytest.mark.slow  # each test starts a page, and torch beside it

TEXT = "the cat sat on the mat, and the dog sat on the log.\n"
SMALL = GPTConfig(vocab_size=270, context_length=16, d_model=24, n_heads=4, n_layers=2)
# Each choice that GPTConfig allows; "all" is the block of Llama.
VARIANTS = {
    "gpt-2": {},
    "gelu_tanh": {"feed_forward": "gelu_tanh"},
    "rms": {"norm": "rms"},
    "rotary": {"positions": "rotary", "n_heads": 3},
    "swiglu": {"feed_forward": "swiglu", "d_ff": 40},
    "grouped": {"n_kv_heads": 2},
    "multi-query": {"n_kv_heads": 1, "dropout": 0.1},
    "untied": {"tied_head": False},
    "slow rotations": {"positions": "rotary", "rope_theta": 50.0},
    "large eps": {"norm_eps": 0.5},
    "large eps of rms": {"norm": "rms", "norm_eps": 0.5},
    "all": {
        "norm": "rms", "feed_forward": "swiglu", "positions": "rotary", "tied_head": False,
        "n_kv_heads": 2, "d_ff": 64,
    },
}  # fmt: skip

READ = """async ([folder, prompt, n, kept]) => {
    const { fetchModel } = await import('/_static/live/load_model.js');
    const { Reading } = await import('/_static/live/model.js');
    const { ranking } = await import('/_static/live/odds.js');
    const { model, tokenizer } = await fetchModel(new URL(`/_static/${folder}/`, location));
    const reading = new Reading(model, kept ?? undefined);
    tokenizer.encode(prompt).forEach(id => reading.append(id));
    for (let i = 0; i < n; i++) reading.append(ranking(reading.logits)[0]);
    const steps = reading.steps.filter(step => step !== null);
    return { ids: reading.ids, text: tokenizer.decode(reading.ids),
             logits: steps.map(step => [...step.logits]),
             lens: steps.at(-1).streams.map(stream => [...model.lens(stream)]),
             attention: steps.at(-1).attention.map(block => block.map(head => [...head])) };
}"""


def close(found, expected, tolerance):
    found = torch.tensor(found)
    torch.testing.assert_close(found, expected.float(), atol=tolerance, rtol=0)


def small_model(tokenizer, **changes):
    config = replace(SMALL, vocab_size=tokenizer.vocab_size, **changes)
    torch.manual_seed(5)
    model = GPT(config).eval()
    with torch.no_grad():  # large enough that it has opinions, and that biases matter
        for parameter in model.parameters():
            parameter.mul_(4).add_(0.05 * torch.randn_like(parameter))
    return model


# ---------------------------------------------------------------- the model


# model.js
# layers.js
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_torch_s_logits_and_its_greedy_text(live_stage, tmp_path, variant):
    tokenizer = BPETokenizer.train(TEXT, 270)
    original = small_model(tokenizer, **VARIANTS[variant])
    save_pretrained(original, tokenizer, tmp_path / "model")
    out = live_stage.folder / "_static/small"
    export_web(tmp_path / "model", out)
    rounded, _ = from_pretrained(out)
    prompt, n = "the cat", 30
    page = live_stage.open()
    # Python shows a model whose context is full the last 16 tokens at each step.
    found = page.evaluate(READ, ["small", prompt, n, SMALL.context_length - 1])
    ids = generate(rounded.float(), torch.tensor([tokenizer.encode(prompt)]), n, temperature=0)
    assert found["ids"] == ids[0].tolist()
    assert found["text"] == tokenizer.decode(ids[0].tolist())
    window = ids[:, -SMALL.context_length :]
    with torch.no_grad():
        close(found["logits"], rounded(window)[0], 1e-3)


def test_rounding_costs_a_trained_model_at_most_a_fiftieth_of_a_logit(live_stage, tmp_path):
    (tmp_path / "text").write_text(TEXT * 40, "utf-8")
    options = "--tokenizer bpe --vocab-size 270 --n-steps 60 --d-model 32 --context-length 32"
    files = [tmp_path / "text", "-o", tmp_path / "model"]
    command = [sys.executable, "-m", "lmcourse", "train", *files, *options.split()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    export_web(tmp_path / "model", live_stage.folder / "_static/small")
    found = live_stage.open().evaluate(READ, ["small", "the cat", 20, None])
    original, _ = from_pretrained(tmp_path / "model")
    with torch.no_grad():
        close(found["logits"], original(torch.tensor([found["ids"]]))[0], 0.02)


# safetensors.js
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_are_read_in_each_type_that_a_training_leaves(live_stage, dtype):
    tokenizer = CharTokenizer.train(TEXT)
    model = small_model(tokenizer).to(dtype)
    save_pretrained(model, tokenizer, live_stage.folder / "_static/small")
    found = live_stage.open().evaluate(READ, ["small", "the cat", 0, None])
    with torch.no_grad():
        logits = model.float()(torch.tensor([tokenizer.encode("the cat")]))[0]
    close(found["logits"], logits, 1e-3)


def test_half_precision_comes_to_the_bit(live_page):
    """All 65,536 patterns of bits, subnormal numbers and infinity among them."""
    ask = """async () => {
        const { readSafetensors } = await import('/_static/live/safetensors.js');
        const header = new TextEncoder().encode(JSON.stringify(
            {x: {dtype: 'F16', shape: [65536], data_offsets: [0, 131072]}}));
        const file = new Uint8Array(8 + header.length + 131072);
        new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
        file.set(header, 8);
        const bits = Uint16Array.from({length: 65536}, (_, i) => i);
        file.set(new Uint8Array(bits.buffer), 8 + header.length);
        return [...readSafetensors(file.buffer).x.data].map(String);
    }"""
    patterns = torch.arange(65536, dtype=torch.int32).to(torch.int16).view(torch.float16)
    words = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}
    found = torch.tensor([float(words.get(text, text)) for text in live_page().evaluate(ask)])
    # exact: both read the same bits.
    assert torch.equal(found.nan_to_num(7.0), patterns.float().nan_to_num(7.0))


@pytest.fixture(scope="module")
def shakespeare():
    return shipped("shakespeare")


def test_the_model_of_the_book_writes_200_tokens_as_torch_does(live_page, shakespeare):
    model, tokenizer = shakespeare
    prompt = "ROMEO:\nO, she doth teach"
    found = live_page().evaluate(READ, ["shakespeare", prompt, 200, None])
    ids = generate(model, torch.tensor([tokenizer.encode(prompt)]), 200, temperature=0)
    assert found["ids"] == ids[0].tolist()
    assert found["text"] == tokenizer.decode(ids[0].tolist())
    with torch.no_grad():
        close(found["logits"], model(ids)[0], 1e-3)


def test_heads_and_the_logit_lens_are_those_of_torch(live_page, shakespeare):
    model, tokenizer = shakespeare
    prompt = "JULIET:\nGood night, good night! parting is such"
    found = live_page().evaluate(READ, ["shakespeare", prompt, 0, None])
    inputs, streams = [], []
    hooks = [model.blocks[0].register_forward_pre_hook(lambda _, given: streams.append(given[0]))]
    for block in model.blocks:
        hooks.append(block.attention_norm.register_forward_hook(lambda *all: inputs.append(all[2])))
        hooks.append(block.register_forward_hook(lambda *all: streams.append(all[2])))
    ids = torch.tensor([tokenizer.encode(prompt)])
    with torch.no_grad():
        model(ids)
        n, heads = ids.shape[1], model.config.n_heads
        rotary = rotary_angles(torch.arange(n), model.config.d_model // heads)
        for i, (block, x) in enumerate(zip(model.blocks, inputs, strict=True)):
            query, key, _ = block.attention.input_projection(x).chunk(3, -1)
            query, key = (apply_rotary(split_heads(each, heads), *rotary) for each in (query, key))
            weights = attention_weights(query, key, causal_mask(n))[0, :, -1]
            close(found["attention"][i], weights, 1e-4)
        for hook in hooks:
            hook.remove()
        for i, stream in enumerate(streams):
            close(found["lens"][i], model.head(model.norm(stream))[0, -1], 1e-3)
    assert len(found["lens"]) == len(model.blocks) + 1


def test_a_full_context_forgets_its_older_half(live_page, shakespeare):
    model, tokenizer = shakespeare
    prompt = "all the world " * 90
    ids = tokenizer.encode(prompt)
    assert len(ids) > 256 + 128
    found = live_page().evaluate(READ, ["shakespeare", prompt, 0, None])
    n_left = len(ids) - 256 - (len(ids) - 256 - 1) // 128 * 128 + 128
    assert len(found["logits"]) == n_left
    with torch.no_grad():
        close(found["logits"], model(torch.tensor([ids[-n_left:]]))[0], 1e-3)


# ---------------------------------------------------------------- the tokenizer


ENCODE = """async ([kind, file, texts]) => {
    const { makeTokenizer } = await import('/_static/live/tokenizer.js');
    const tokenizer = makeTokenizer(kind, JSON.parse(file));
    const all = texts.map(text => tokenizer.encode(text));
    return all.map(ids => [ids, tokenizer.decode(ids)]);
}"""


# tokenizer.js
def test_texts_have_the_ids_that_python_gives_them(live_page, shakespeare):
    _, tokenizer = shakespeare
    dice = random.Random(3)
    # White space of all kinds, contractions in both cases, digits, signs, other scripts.
    alphabet = [*"ab Z9'’sStTlLvV.,!?-_", " ", "\n", "\r", "\t", "\x1c", "\x85", "\xa0", "\u2028"]
    alphabet += [
        "\ufeff",
        "\u3000",
        "é",
        "我",
        "😀",
        "ſ",
        "'ll",
        "'Re",
        "½",
        "٣",
        "<unk>",
        "\u0301",
    ]
    texts = ["", *("".join(dice.choices(alphabet, k=dice.randint(1, 25))) for _ in range(400))]
    file = (MODELS / "shakespeare/tokenizer.json").read_text("utf-8")
    found = live_page().evaluate(ENCODE, ["bpe", file, texts])
    for text, (ids, back) in zip(texts, found, strict=True):
        assert ids == tokenizer.encode(text), repr(text)
        assert back == text.removeprefix("\ufeff"), "a byte order mark is no part of a text"


@pytest.mark.parametrize("vocab_size", [None, 6])
def test_characters_have_their_ids_and_unknown_ones_are_told(live_page, tmp_path, vocab_size):
    tokenizer = CharTokenizer.train("a b\nc😀c", vocab_size)
    tokenizer.save(tmp_path / "tokenizer.json")
    file = (tmp_path / "tokenizer.json").read_text("utf-8")
    page = live_page()
    assert page.evaluate(ENCODE, ["chars", file, ["cab 😀"]])[0][0] == tokenizer.encode("cab 😀")
    if vocab_size:
        assert page.evaluate(ENCODE, ["chars", file, ["x"]])[0] == [[0], "<unk>"]
    else:
        with pytest.raises(Exception, match="the model does not know the character “x”"):
            page.evaluate(ENCODE, ["chars", file, ["x"]])


# ---------------------------------------------------------------- the figure


def shown(page):
    rows = page.locator(".lm-bars .lm-bar").all()
    names = [row.locator(".lm-bar-name").inner_text() for row in rows]
    return names, [row.locator(".lm-bar-share").inner_text() for row in rows]


def as_percent(probs):
    return [f"{100 * p:.{int(p < 0.0995)}f}%" for p in probs]


def loaded(page):
    page.get_by_role("button", name="Load the model").press("Enter")
    page.get_by_text("tokens were read").wait_for()
    return page


# gpt.js
# load_model.js
def test_nothing_is_loaded_before_a_click_and_the_figure_shows_python_s_numbers(live_page):
    figure = live_figures.gpt("ROMEO:\n")
    page = live_page(figure)
    asked = []
    page.on("request", lambda call: asked.append(call.url))
    data = json.loads(re.search(r'json">(.*?)</script>', figure._repr_html_())[1])
    assert data["megabytes"] < 3
    assert shown(page)[1] == as_percent(data["likeliest"]["probs"])
    loaded(page)
    assert sum("shakespeare/model.safetensors" in url for url in asked) == 1
    assert shown(page)[1] == as_percent(data["likeliest"]["probs"]), "the same, in JavaScript"
    last = page.locator(".lm-blocks .lm-guess").last.inner_text()
    assert [part.split()[-1] for part in last.split(",")] == shown(page)[1][:3]


def test_before_the_click_a_page_is_small(live_page):
    page = live_page()
    sizes = []
    page.on("response", lambda answer: sizes.append(len(answer.body())))
    page.reload()
    page.wait_for_load_state("networkidle")
    assert sum(sizes) < 100_000


# playground.js
def test_the_reader_steps_with_the_keyboard_and_rules_hold(live_page, shakespeare):
    model, tokenizer = shakespeare
    page = loaded(live_page(live_figures.gpt("ROMEO:\nI am")))
    page.get_by_role("slider", name="temperature").press("Home")
    for _ in range(3):
        page.get_by_role("button", name="Next token").press("Enter")
    ids = torch.tensor([tokenizer.encode("ROMEO:\nI am")])
    greedy = generate(model, ids, 3, temperature=0)[0].tolist()
    chips = page.get_by_role("toolbar", name="position").get_by_role("button")
    names = [tokenizer.decode([i]).replace(" ", "␣").replace("\n", "⏎") for i in greedy]
    assert chips.all_inner_texts() == names
    for _ in range(20):
        page.get_by_role("slider", name="temperature").press("ArrowRight")
    page.get_by_role("slider", name="top-k").press("Home")
    for _ in range(2):
        page.get_by_role("slider", name="top-k").press("ArrowRight")
    with torch.no_grad():
        logits = model(torch.tensor([greedy]))[0, -1]
    expected = keep_top_k(logits, 3).softmax(-1).topk(3).values.tolist()
    assert shown(page)[1] == as_percent(expected) + ["left out"] * 7


# block_table.js
def test_a_position_is_chosen_and_its_heads_are_told(live_page):
    page = loaded(live_page(live_figures.gpt("ROMEO:\nI am")))
    table = page.locator(".lm-blocks")
    assert table.locator("tbody tr").count() == 5
    heads = table.get_by_role("button")
    assert heads.count() == 16
    heads.nth(5).press("Enter")
    assert heads.nth(5).get_attribute("aria-pressed") == "true"
    assert table.locator("[aria-pressed='true']").count() == 1
    assert heads.nth(5).get_attribute("aria-label").startswith("block 2, head 2 looks most at “")
    page.get_by_role("toolbar", name="position").get_by_role("button").first.click()
    # The first position has nothing but itself to look at.
    assert set(heads.all_inner_texts()) == {"R 100%"}


def test_it_writes_on_until_it_is_stopped_and_only_on_a_click(live_page):
    page = loaded(live_page(live_figures.gpt("ROMEO:\n")))
    chips = page.get_by_role("toolbar", name="position").get_by_role("button")
    n = chips.count()
    page.wait_for_timeout(300)
    assert chips.count() == n
    blocks = page.locator(".lm-blocks").inner_text()
    page.get_by_role("button", name="Write on").click()
    page.wait_for_function("document.querySelector('.lm-written')?.textContent.length > 40")
    # What happens inside is shown while it writes, too.
    asked = "before => document.querySelector('.lm-blocks').innerText !== before"
    page.wait_for_function(asked, arg=blocks)
    page.get_by_role("button", name="Stop").press("Enter")
    page.get_by_text("a second.").wait_for()
    said = page.get_by_role("status").inner_text()
    stopped = chips.count()
    # On a busy machine it has by then written more than the context holds.
    forgotten = re.search(r"(\d+) tokens are forgotten", page.locator("body").inner_text())
    gone = int(forgotten[1]) if forgotten else 0
    assert stopped == n + int(said.split()[0]) - gone
    page.wait_for_timeout(300)
    assert chips.count() == stopped


def test_a_prompt_is_read_anew_and_an_empty_one_is_answered(live_page):
    page = loaded(live_page(live_figures.gpt("ROMEO:\n")))
    page.get_by_label("prompt", exact=True).fill("")
    page.get_by_role("button", name="Read the prompt").press("Enter")
    assert page.get_by_role("status").inner_text() == "The prompt is empty: write a word."
    page.get_by_label("prompt", exact=True).fill("Oh")
    page.get_by_role("button", name="Read the prompt").press("Enter")
    assert page.get_by_role("status").inner_text() == "2 tokens were read."


def test_a_reader_opens_a_model_of_their_own(live_page, tmp_path):
    tokenizer = CharTokenizer.train(TEXT)
    save_pretrained(small_model(tokenizer), tokenizer, tmp_path / "model")
    export_web(tmp_path / "model", tmp_path / "web")
    page = live_page(live_figures.gpt("the cat"))
    page.get_by_text("A model of your own").click()
    files = sorted((tmp_path / "web").iterdir())
    page.get_by_label("The three files").set_input_files(files[:2])
    page.get_by_text("choose all three files together, tokenizer.json is missing").wait_for()
    page.get_by_label("The three files").set_input_files(files)
    page.get_by_text("7 tokens were read").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_model_s_figure_fits_a_phone_in_both_themes(live_page, theme):
    loaded(live_page(live_figures.gpt("ROMEO:\n"), theme=theme, width=390))
