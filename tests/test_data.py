"""lmcourse.data: corpora that come out the same, and downloads that fail with a way out.

The downloads come from a server on this machine, which breaks in every way that a network can.
"""

import collections
import gzip
import hashlib
import http.server
import os
import re
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse import data
from lmcourse.attention import padding_mask
from lmcourse.data import DatasetError, batches, load_dataset, part_of, parts_of, pydoc_text, split

# ---------------------------------------------------------------- downloads

NAME = "tinyshakespeare.txt"
TEXT = "First Citizen:\nSpeak, speak.\n" * 4000
WAY_OUT = rf"Try again; or download \S+ yourself, name it {NAME} and set LMCOURSE_DATA"


class Server(http.server.ThreadingHTTPServer):
    """Serves `content`, or what `behavior` makes of it."""

    content = TEXT.encode()
    behavior = "honest"
    requests = 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        if self.server.behavior == "missing":
            return self.send_error(404)
        content = self.server.content
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.server.behavior == "other":
            content = content.replace(b"Citizen", b"Senator")
        if self.server.behavior == "interrupted":
            content = content[: len(content) // 2]
        return self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """The only address of tinyshakespeare, and an empty cache."""
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.delenv(data.VARIABLE, raising=False)
        monkeypatch.setattr(data, "_cache", lambda: tmp_path / "cache")
        monkeypatch.setitem(data.ADDRESSES, NAME, f"http://127.0.0.1:{server.server_port}/input")
        monkeypatch.setitem(data.SUMS, NAME, hashlib.sha256(server.content).hexdigest())
        yield server
        server.shutdown()
        thread.join()


def files(folder):
    return sorted(path.name for path in folder.glob("**/*") if path.is_file())


def test_a_data_set_is_downloaded_once(server, tmp_path):
    assert load_dataset("tinyshakespeare") == {"all": TEXT}
    assert files(tmp_path / "cache") == [NAME]
    assert load_dataset("tinyshakespeare") == {"all": TEXT}
    assert server.requests == 1


def test_a_packed_download_is_unpacked(server, monkeypatch):
    server.content = gzip.compress(TEXT.encode(), mtime=0)
    monkeypatch.setitem(data.SUMS, f"{NAME}.gz", hashlib.sha256(server.content).hexdigest())
    assert load_dataset("tinyshakespeare") == {"all": TEXT}


def test_what_spoiled_in_the_cache_is_downloaded_again(server, tmp_path):
    load_dataset("tinyshakespeare")
    (tmp_path / "cache" / NAME).write_text("half of it")
    assert load_dataset("tinyshakespeare") == {"all": TEXT}
    assert server.requests == 2


@pytest.mark.parametrize(
    ("behavior", "reason"),
    [
        ("other", "what came has the wrong checksum"),
        ("missing", "404"),
        ("interrupted", "IncompleteRead|Connection broken"),
    ],
)
def test_a_bad_download_is_refused_and_leaves_nothing(server, tmp_path, behavior, reason):
    server.behavior = behavior
    with pytest.raises(DatasetError, match=rf"(?s)({reason}).*{WAY_OUT}"):
        load_dataset("tinyshakespeare")
    assert files(tmp_path) == []
    server.behavior = "honest"
    assert load_dataset("tinyshakespeare") == {"all": TEXT}


def test_without_a_network_it_says_so(server, tmp_path, monkeypatch):
    with socket.socket() as closed:  # while it is ours and nobody listens, no other can
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/input"
        monkeypatch.setitem(data.ADDRESSES, NAME, address)
        with pytest.raises(DatasetError, match=rf"(?s)Connection.*{WAY_OUT}"):
            load_dataset("tinyshakespeare")
    assert files(tmp_path) == []


def test_a_full_disk_is_named_and_left_as_it_was(server, tmp_path, full_disk, monkeypatch):
    monkeypatch.setattr(data, "_cache", lambda: full_disk / "cache")
    with pytest.raises(DatasetError, match=rf"the disk is full: free some space\. {WAY_OUT}"):
        load_dataset("tinyshakespeare")
    assert files(full_disk) == []


@pytest.fixture(params=["a small file system", "a limit on files"])
def full_disk(request, tmp_path):
    """A folder that has no room for the text, in truth or by the operating system's limit."""
    if request.param == "a limit on files":
        resource = pytest.importorskip("resource", reason="Windows has no such limits")
        signal = pytest.importorskip("signal")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(TEXT) // 2, before[1]))
        yield tmp_path
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_download_shows_its_progress_where_someone_looks(server, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    load_dataset("tinyshakespeare")
    shown = capsys.readouterr().err
    assert NAME in shown
    assert "100%" in shown


def test_a_download_is_silent_where_nobody_looks(server, capsys):
    load_dataset("tinyshakespeare")
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------------- the folder LMCOURSE_DATA


def test_the_folder_comes_first(server, tmp_path, monkeypatch):
    monkeypatch.setenv(data.VARIABLE, str(tmp_path))
    (tmp_path / NAME).write_bytes(server.content)
    assert load_dataset("tinyshakespeare") == {"all": TEXT}
    assert server.requests == 0


def test_what_the_folder_lacks_is_downloaded(server, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv(data.VARIABLE, str(tmp_path / "mine"))
    assert load_dataset("tinyshakespeare") == {"all": TEXT}
    assert files(tmp_path / "mine") == []


def test_a_folder_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(data.VARIABLE, str(tmp_path / "typo"))
    with pytest.raises(DatasetError, match="LMCOURSE_DATA must name a folder, got LMCOURSE_DATA="):
        load_dataset("tinyshakespeare")


def test_a_changed_file_in_the_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(data.VARIABLE, str(tmp_path))
    (tmp_path / NAME).write_text("First Senator")
    with pytest.raises(DatasetError, match=r"must have the SHA-256 86c4.*, got [0-9a-f]{64}: put"):
        load_dataset("tinyshakespeare")


def test_tatoeba_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv(data.VARIABLE, raising=False)
    with pytest.raises(DatasetError, match=r"manythings\.org/anki/.*cmn\.txt.*LMCOURSE_DATA"):
        load_dataset("tatoeba-cmn-eng")


def test_a_newer_tatoeba_is_read_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv(data.VARIABLE, str(tmp_path))
    row = "Hi.\t嗨。\tCC-BY 2.0 (France) Attribution: tatoeba.org #1 (a) & #2 (b)\n"
    (tmp_path / "tatoeba-cmn-eng.tsv").write_text(row, encoding="utf-8")
    with pytest.warns(UserWarning, match="another edition than the one that was tested"):
        assert load_dataset("tatoeba-cmn-eng") == {"all": [("Hi.", "嗨。")]}


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"name must be one of multi30k, .*got name='imdb'"):
        load_dataset("imdb")


def test_every_file_has_a_sum_and_an_address_that_cannot_change():
    for name, digest in data.SUMS.items():
        assert re.fullmatch("[0-9a-f]{64}", digest)
        if not name.endswith(".gz") and name != "tatoeba-cmn-eng.tsv":
            assert re.search("/[0-9a-f]{40}/", data.ADDRESSES[name]), "no commit in the address"
            assert (f"{name}.gz" in data.SUMS) == data.ADDRESSES[name].endswith(".gz")


real_files = pytest.mark.skipif(
    not os.environ.get(data.VARIABLE), reason="the real files: set LMCOURSE_DATA to their folder"
)


@real_files
def test_the_real_files_are_read_whole():
    sizes = {
        name: {part: len(examples) for part, examples in load_dataset(name).items()}
        for name in ("tinyshakespeare", "rt-polarity", "tatoeba-cmn-eng", "multi30k", "wnut17")
    }
    assert sizes == {
        "tinyshakespeare": {"all": 1_115_394},
        "rt-polarity": {"all": 10_662},
        "tatoeba-cmn-eng": {"all": 21_007},
        "multi30k": {"train": 29_000, "val": 1_014, "test": 1_000},
        "wnut17": {"train": 3_394, "dev": 1_009},
    }


@real_files
def test_the_real_examples_are_what_they_say():
    assert load_dataset("tinyshakespeare")["all"].startswith("First Citizen:\n")
    labels = collections.Counter(label for _, label in load_dataset("rt-polarity")["all"])
    assert labels == {1: 5331, 0: 5331}
    tags = {tag for sentence in load_dataset("wnut17")["train"] for _, tag in sentence}
    kinds = ("corporation", "creative-work", "group", "location", "person", "product")
    assert tags == {"O", *(f"{place}-{kind}" for place in "BI" for kind in kinds)}
    for name in ("multi30k", "wnut17", "rt-polarity", "tatoeba-cmn-eng"):
        for examples in load_dataset(name).values():
            for first, second in (
                pair for x in examples for pair in (x if name == "wnut17" else [x])
            ):
                assert first == first.strip()
                assert second or second == 0


# ---------------------------------------------------------------- pydoc


def test_pydoc_text_is_english_that_does_not_repeat_itself():
    text = pydoc_text()
    assert len(text) > 200_000
    assert "statement" in text
    paragraphs = re.split(r"\n\s*\n", text)
    assert len(paragraphs) == len(set(paragraphs))


# ---------------------------------------------------------------- split and batches


@given(
    n=st.integers(0, 50),
    weights=st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any),
    seed=st.integers(0, 99),
)
def test_split_deals_out_every_item_once(n, weights, seed):
    fractions = [weight / sum(weights) for weight in weights]
    items = [f"item {i}" for i in range(n)]
    parts = split(items, fractions, seed)
    assert sorted(item for part in parts for item in part) == sorted(items)
    assert parts == split(items, fractions, seed)
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part) - fraction * n) <= len(fractions)


def test_equal_keys_land_in_one_part_and_parts_are_80_10_10():
    parts = [part_of(f"sentence {i}") for i in range(5000)]
    assert parts == [part_of(f"sentence {i}") for i in range(5000)]
    # 500 ± 21 of 5000 each; five standard deviations: a chance of 1e-6.
    for name in ("validation", "test"):
        assert 394 < parts.count(name) < 606
    assert set(parts) == {"train", "validation", "test"}


def test_rows_that_begin_alike_are_in_one_part():
    rows = [(f"sentence {i % 300}", i) for i in range(900)]
    parts = parts_of(iter(rows))
    assert sorted(row for part in parts.values() for row in part) == sorted(rows)
    texts = {name: {text for text, _ in part} for name, part in parts.items()}
    assert texts["train"].isdisjoint(texts["test"] | texts["validation"])
    assert texts["test"].isdisjoint(texts["validation"])
    assert len(parts["train"]) > len(parts["test"]) > 0 < len(parts["validation"])


def test_split_shuffles():
    train, test = split(range(100), (0.8, 0.2), seed=1)
    assert (len(train), len(test)) == (80, 20)
    assert train != sorted(train)
    assert train != split(range(100), (0.8, 0.2), seed=2)[0]


@pytest.mark.parametrize("fractions", [(0.8, 0.1), (1.2, -0.2), ()])
def test_split_refuses_fractions_that_are_none(fractions):
    expected = rf"fractions must be positive and sum to 1, got {re.escape(str(fractions))}"
    with pytest.raises(ValueError, match=expected):
        split("abc", fractions)


@given(
    n=st.integers(2, 80),
    batch_size=st.integers(1, 5),
    context_length=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_targets_are_the_next_ids(n, batch_size, context_length, seed):
    ids = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    following = dict(zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True))
    if n <= context_length:
        with pytest.raises(ValueError, match="ids must be more than context_length"):
            batches(ids, batch_size, context_length)
        return
    seen = []
    for inputs, targets in batches(ids, batch_size, context_length, seed):
        assert inputs.shape == targets.shape
        assert inputs.shape[1] == context_length
        assert len(inputs) <= batch_size
        for current, target in zip(
            inputs.flatten().tolist(), targets.flatten().tolist(), strict=True
        ):
            assert following[current] == target
        seen += inputs.flatten().tolist()
    # Nothing twice, and at most the end of the text is left out.
    assert len(seen) == len(set(seen)) == (n - 1) // context_length * context_length
    assert set(seen) == set(ids[: len(seen)].tolist())


def test_batches_come_in_an_order_of_the_seed():
    def order(seed):
        return [inputs[0, 0].item() for inputs, _ in batches(list(range(101)), 1, 5, seed)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != sorted(order(1))


def test_batches_live_where_the_ids_do(device):
    inputs, targets = next(batches(torch.arange(20, device=device), 2, 3))
    assert inputs.device.type == targets.device.type == device.type


def test_batches_refuse_a_text_that_is_too_short():
    message = "got 5 ids, context_length=5: give a longer text or a smaller context_length"
    with pytest.raises(ValueError, match=message):
        batches(list(range(5)), 2, 5)


# ---------------------------------------------------------------- padded batches


@given(
    rows=st.lists(st.lists(st.integers(0, 99), max_size=7), min_size=1, max_size=5).filter(any),
    pad_id=st.integers(0, 99),
)
def test_a_padded_batch_holds_the_rows_and_says_where(rows, pad_id):
    ids, mask = data.pad_batch(rows, pad_id)
    assert ids.shape == mask.shape == (len(rows), max(map(len, rows)))
    assert ids.dtype == torch.int64
    assert mask.dtype == torch.bool
    assert mask.sum(1).tolist() == [len(row) for row in rows]
    assert [row[real].tolist() for row, real in zip(ids, mask, strict=True)] == rows
    # exact: ids
    assert (ids[~mask] == pad_id).all()
    flipped, _ = data.pad_batch([row[::-1] for row in rows], pad_id, side="left")
    # exact: ids
    assert torch.equal(flipped, ids.flip(1))


def test_a_padded_batch_is_that_of_torch():
    rows = [[5, 3], [7, 2, 4, 1], [6]]
    tensors = [torch.tensor(row) for row in rows]
    ids, mask = data.pad_batch(rows, pad_id=9)
    expected = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=9)
    # exact: ids
    assert torch.equal(ids, expected)
    left, left_mask = data.pad_batch(rows, pad_id=9, side="left")
    # exact: ids
    assert torch.equal(
        left,
        torch.nn.utils.rnn.pad_sequence(
            tensors, batch_first=True, padding_value=9, padding_side="left"
        ),
    )
    assert left_mask[2].tolist() == [False, False, False, True]
    lengths = mask.sum(1)
    # exact: ids
    assert torch.equal(mask[:, None], padding_mask(lengths, 4))


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="sequences must be at least one, got none"):
        data.pad_batch([])


@pytest.mark.parametrize("side", ["left", "right"])
def test_empty_texts_alone_are_a_batch_of_padding(side):
    ids, mask = data.pad_batch([[], []], 5, side)
    assert ids.tolist() == [[5], [5]]
    assert mask.tolist() == [[False], [False]]


def test_rows_may_be_tensors_arrays_and_ranges(unchecked):
    expected, mask = data.pad_batch([[0, 1, 2], [7], []])
    kinds = [[range(3), np.array([7]), ()], [torch.arange(3), torch.tensor([7]), torch.tensor([])]]
    for rows in (*kinds, iter(kinds[1]), [np.arange(3, dtype=np.uint16), [7], np.array([])]):
        ids, its_mask = data.pad_batch(rows)
        assert ids.tolist() == expected.tolist()  # exact: ids
        assert its_mask.tolist() == mask.tolist()  # exact: booleans


@pytest.mark.parametrize(
    ("name", "file", "content", "line"),
    [
        ("tatoeba-cmn-eng", "tatoeba-cmn-eng.tsv", "Hi.\t嗨。\nno tab\n", 2),
        ("wnut17", "wnut17.train.conll", "a\tO\n\nb\tO\nno tab\n", 4),
    ],
)
def test_a_line_without_a_tab_is_named(name, file, content, line, tmp_path, monkeypatch):
    (tmp_path / file).write_text(content, encoding="utf-8")
    monkeypatch.setenv(data.VARIABLE, str(tmp_path))
    monkeypatch.setattr(data, "ADDRESSES", {})  # so that another edition is read with a warning
    expected = rf"line {line} of {file} must have two texts with a tab between them, got 'no tab'"
    with pytest.warns(UserWarning, match="another edition"), pytest.raises(DatasetError) as error:
        load_dataset(name)
    assert re.search(expected, str(error.value))


def test_a_batch_is_filled_up_on_one_side():
    with pytest.raises(ValueError, match=r"side must be 'right' or 'left', got side='middle'"):
        data.pad_batch.__wrapped__([[1]], side="middle")
