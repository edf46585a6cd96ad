"""lmcourse.prepared: the ids are those of the whole text, however it is cut, stopped or shared."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.corpora import zipf_words
from lmcourse.documents import Document, write_documents
from lmcourse.files import write_file
from lmcourse.prepared import output
from lmcourse.prepared.encoding import Settings
from lmcourse.prepared.id_files import IdFile, header, open_prepared, type_of_ids
from lmcourse.prepared.pieces import Place, pieces
from lmcourse.prepared.prepare import prepare
from lmcourse.tokenizers import BPETokenizer, CharTokenizer

TOKENIZER = BPETokenizer.train(" ".join(zipf_words(3000, seed=1)), 400, ["<|endoftext|>"])
END = 399
SMALL = Settings(piece_bytes=100, held_out=0.2, license="CC0")


def quiet(line):
    pass


def made(paths, folder, settings=SMALL, tokenizer=TOKENIZER, **more):
    prepare(paths, folder, settings, tokenizer, tell=quiet, **more)
    return open_prepared(folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@pytest.fixture
def sources(tmp_path):
    """A plain text, and documents in lines, two of them nearly the same."""
    write_file(
        tmp_path / "plain.txt", " ".join(zipf_words(900, seed=2)) + "\n¡Ünïcode 我是!\r\nend"
    )
    texts = [" ".join(zipf_words(n, seed=n)) for n in (1, 30, 3, 80, 7, 50, 2)]
    documents = [Document(text=x, source=f"s{i}", license="MIT") for i, x in enumerate(texts)]
    documents.append(Document(text=texts[1].upper(), source="copy", license="GPL", language="xx"))
    write_documents(tmp_path / "lines.jsonl", documents)
    return [tmp_path / "plain.txt", tmp_path / "lines.jsonl"]


# ---------------------------------------------------------------- pieces

odd = st.text(st.sampled_from("ab1 .!\n\r\té我\u2028'x"), min_size=1, max_size=400)


@given(text=odd, size=st.integers(1, 40), held_out=st.sampled_from([0.0, 0.3]))
def test_pieces_are_the_text_and_its_ids_from_every_place_on(
    tmp_path_factory, text, size, held_out
):
    path = tmp_path_factory.mktemp("pieces") / "text.txt"
    path.write_bytes(text.encode())
    whole = text.replace("\r\n", "\n").replace("\r", "\n")
    found = list(pieces([path], held_out, size=size))
    assert "".join(piece.text for piece in found) == whole
    ids = [index for piece in found for index in TOKENIZER.encode(piece.text)]
    assert ids == TOKENIZER.encode(whole)
    for number, piece in enumerate(found):
        rest = list(pieces([path], held_out, piece.following, size))
        assert rest == found[number + 1 :]
    parts = [piece.part for piece in found]
    assert parts == sorted(parts)  # train, then validation
    for part in set(parts):
        mine = [piece for piece in found if piece.part == part]
        assert [piece.begins for piece in mine] == [True] + [False] * (len(mine) - 1)
        assert [piece.ends for piece in mine] == [False] * (len(mine) - 1) + [True]


def test_a_byte_order_mark_is_no_text_and_files_follow_each_other(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffone two".encode())
    (tmp_path / "b.txt").write_bytes(b"three")
    found = list(pieces([tmp_path / "a.txt", tmp_path / "b.txt"], 0.0))
    assert [piece.text for piece in found] == ["one two", "three"]
    assert found[-1].following == Place(1, 5, 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"fine " * 30 + b"\xff", "UTF-8, got invalid start byte near byte 150"),
        ("fine é".encode()[:-1], "UTF-8, got unexpected end of data"),
    ],
)
def test_what_is_no_text_is_named_with_its_byte(tmp_path, content, words):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a.txt must be text in {words}"):
        list(pieces([tmp_path / "a.txt"], 0.0, size=40))


def test_memory_does_not_grow_with_the_text(tmp_path):
    line = "a line of some words, and then another one\n"
    peaks = []
    for n_lines in (5_000, 20_000):
        path = tmp_path / f"{n_lines}.txt"
        path.write_text(line * n_lines, encoding="utf-8")
        tracemalloc.start()
        try:
            n_characters = sum(len(piece.text) for piece in pieces([path], 0.1, size=1 << 14))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert n_characters == n_lines * len(line)
    assert max(peaks) < 700_000 < 20_000 * len(line)


# ---------------------------------------------------------------- files of ids


def test_numpy_reads_the_file_and_its_header_has_one_length(tmp_path):
    assert {len(header(n, np.dtype("<u2"))) for n in (0, 1, 10**12)} == {128}
    file = IdFile(tmp_path / "ids.npy", type_of_ids(70_000))
    for ids in ([1, 2], [], [69_999]):
        file.add(np.array(ids, np.uint32))
    file.finish()
    found = np.load(tmp_path / "ids.npy", mmap_mode="r")
    assert (found.tolist(), found.dtype) == ([1, 2, 69_999], np.dtype("<u4"))
    assert type_of_ids(65_536) == np.dtype("<u2")


def test_what_was_written_after_the_note_is_cut_off(tmp_path):
    file = IdFile(tmp_path / "ids.npy", np.dtype("<u2"))
    file.add(np.array([1, 2, 3], np.uint16))
    file.close()
    again = IdFile(tmp_path / "ids.npy", np.dtype("<u2"), n_ids=2)
    again.add(np.array([7], np.uint16))
    again.finish()
    assert np.load(tmp_path / "ids.npy").tolist() == [1, 2, 7]
    with pytest.raises(ValueError, match=r"ids.npy.part must hold 5 ids"):
        IdFile(tmp_path / "ids.npy", np.dtype("<u2"), n_ids=5)


# ---------------------------------------------------------------- all of it


def test_the_ids_are_those_of_the_texts_and_each_document_says_where(sources, tmp_path):
    data = made(sources, tmp_path / "out")
    told = [json.loads(x) for x in (tmp_path / "out/documents.jsonl").read_text().splitlines()]
    texts = {}
    for each in told:
        ids = getattr(data, each["part"])[each["start"] : each["start"] + each["n_ids"]].tolist()
        assert ids[-1] == END == data.end_id
        texts.setdefault(each["source"], []).append(TOKENIZER.decode(ids[:-1]))
    plain = sources[0].read_bytes().decode().replace("\r\n", "\n")
    assert "".join(texts.pop("plain.txt")) == plain
    lines = [json.loads(x) for x in sources[1].read_text(encoding="utf-8").splitlines()]
    assert texts == {line["source"]: [line["text"]] for line in lines}
    copies = {each["part"] for each in told if each["source"] in ("s1", "copy")}
    assert len(copies) == 1
    assert next(x for x in told if x["source"] == "copy")["language"] == "xx"
    assert len(data.train) + len(data.validation) == sum(each["n_ids"] for each in told)
    assert set(data.description["ids_by_license"]) == {"CC0", "MIT", "GPL"}
    held = [each for each in told if each["source"] == "plain.txt"][1]
    assert held["n_ids"] / sum(x["n_ids"] for x in told[:2]) == pytest.approx(0.2, abs=0.05)
    assert isinstance(data.train, np.memmap)


def test_two_workers_and_other_pieces_of_work_give_the_same_bytes(sources, tmp_path):
    one = made(sources, tmp_path / "one")
    made(sources, tmp_path / "two", n_workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert set(contents(tmp_path / "one")) == {
        "data.json", "documents.jsonl", "tokenizer.json", "train.npy", "validation.npy",
    }  # fmt: skip
    large = made(sources, tmp_path / "large", Settings(held_out=0.2, license="CC0"))
    # exact: ids
    assert np.array_equal(one.train, large.train)


class Crash(BaseException):
    """What no program catches."""


def test_crashed_at_any_step_and_called_again_the_bytes_are_the_same(
    sources, tmp_path, monkeypatch
):
    made(sources, tmp_path / "whole")
    wanted = contents(tmp_path / "whole")
    steps = itertools.count()
    crash_at = [10**9]

    def counted(function):
        def step(*arguments, **options):
            if next(steps) == crash_at[0]:
                raise Crash
            return function(*arguments, **options)

        return step

    monkeypatch.setattr("lmcourse.prepared.prepare.SAVE_EVERY", 3)
    for owner, name in (
        (IdFile, "add"), (IdFile, "sync"), (IdFile, "finish"), (output.Output, "save"),
        (output.Output, "finish"), (output.State, "save"), (os, "replace"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    made(sources, tmp_path / "counted")
    assert contents(tmp_path / "counted") == wanted
    n_steps = next(steps)
    assert n_steps > 50
    for crash in sorted({*range(0, n_steps, 11), *range(n_steps - 9, n_steps)}):
        folder = tmp_path / f"crash-{crash}"
        steps, crash_at[0] = itertools.count(), crash
        with pytest.raises(Crash):
            made(sources, folder)
        steps, crash_at[0] = itertools.count(), max(crash // 2, 5)
        try:  # and once more on the way
            made(sources, folder)
        except Crash:
            crash_at[0] = 10**9
            made(sources, folder)
        assert contents(folder) == wanted, crash


SLOW = """
import sys, time
from pathlib import Path
from lmcourse.prepared import encoding, prepare as module
encode = encoding.Encoder.__call__
def slowly(self, piece):
    print("piece", flush=True)
    time.sleep(0.01)
    return encode(self, piece)
encoding.Encoder.__call__ = slowly
module.SAVE_EVERY = 2
settings = encoding.Settings(piece_bytes=100, held_out=0.2, license="CC0", vocab_size=300)
module.prepare([Path(x) for x in sys.argv[2:]], sys.argv[1], settings)
"""


def test_killed_at_random_moments_the_bytes_are_the_same(sources, tmp_path):
    call = [sys.executable, "-c", SLOW]
    subprocess.run([*call, tmp_path / "whole", *sources], check=True, capture_output=True)
    wanted = contents(tmp_path / "whole")
    draw, folder, n_killed = random.Random(0), tmp_path / "killed", 0
    for _ in range(3):
        process = subprocess.Popen(
            [*call, folder, *sources], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(draw.randint(3, 12)):  # pieces that are begun before the kill
            if process.stdout.readline() == "":
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        n_killed += process.returncode == -signal.SIGKILL
    assert n_killed == 3
    subprocess.run([*call, folder, *sources], check=True, capture_output=True)
    assert contents(folder) == wanted


def test_another_call_does_not_go_on_with_it_and_a_finished_one_is_not_touched(sources, tmp_path):
    folder = tmp_path / "out"
    made(sources, folder)
    with pytest.raises(ValueError, match=f"folder must hold no prepared data yet, got {folder}"):
        made(sources, folder)
    state = output.State(call={"files": [], "settings": {}, "tokenizer_sha256": None})
    begun = tmp_path / "begun"
    begun.mkdir()
    state.save(begun)
    with pytest.raises(
        ValueError, match="was begun with other files and settings and tokenizer_sha256"
    ):
        made(sources, begun)
    with pytest.raises(ValueError, match="has not come to its end: give that command again"):
        open_prepared(begun)


def test_a_folder_of_something_else_is_not_written_to(sources, tmp_path):
    write_file(tmp_path / "trained/tokenizer.json", "{}")
    with pytest.raises(ValueError, match=r"folder must be new or empty, got .*has tokenizer.json"):
        made(sources, tmp_path / "trained")
    assert contents(tmp_path / "trained") == {"tokenizer.json": b"{}"}


def test_half_files_of_a_killed_process_are_cleared_away(sources, tmp_path):
    made(sources, tmp_path / "whole")
    write_file(tmp_path / "out/.progress.json.123.part", "{")
    made(sources, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"paths": []}, "files must be at least one, got none"),
        ({"paths": ["."]}, "files must be files, got ., which is a folder"),
        ({"paths": ["none.txt"]}, "files must be files, got none.txt, which is nothing"),
        ({"n_workers": 0}, "n_workers must be at least 1, got n_workers=0"),
        ({"tokenizer": None, "settings": Settings(vocab_size=9)}, "at least 257, .*vocab_size=9"),
        ({"tokenizer": None, "settings": Settings(vocab_size=60_000)}, "enough text for 59743"),
    ],
)
def test_a_wrong_call_leaves_nothing(sources, tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        made(**({"paths": sources, "folder": tmp_path / "new/out"} | change))
    assert not (tmp_path / "new").exists()


def test_shares_and_pieces_have_their_bounds(tmp_path):
    with pytest.raises(ValueError, match=r"held_out must lie in 0…1, below 1, got held_out=1.0"):
        Settings(held_out=1.0)
    with pytest.raises(ValueError, match="piece_bytes must be at least 1, got 0"):
        Settings(piece_bytes=0)
    (tmp_path / "empty.txt").touch()
    with pytest.raises(ValueError, match=r"files must have text, got .*empty.txt, which is empty"):
        made([tmp_path / "empty.txt"], tmp_path / "out")


def test_byte_pairs_are_learned_from_what_is_not_held_out(tmp_path):
    write_file(tmp_path / "a.txt", "lo " * 900 + "qx " * 90)
    data = made([tmp_path / "a.txt"], tmp_path / "out", Settings(held_out=0.12), tokenizer=None)
    assert b" lo" in data.tokenizer.tokens
    assert not any(b"qx" in token for token in data.tokenizer.tokens)
    assert len(data.validation) > 90


def test_a_tokenizer_without_an_end_leaves_documents_side_by_side(tmp_path):
    write_documents(
        tmp_path / "a.jsonl",
        [Document(text=x, source="s", license="MIT") for x in ("ab", "ba")],
    )
    tokenizer = CharTokenizer("ab")
    data = made([tmp_path / "a.jsonl"], tmp_path / "out", Settings(held_out=0.0), tokenizer)
    assert data.train.tolist() == [0, 1, 1, 0]
    assert data.end_id is None
    assert len(data.validation) == 0
    assert data.tokenizer.tokens == ["a", "b"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "data.json").write_text("{}"), "data.json must be a file that"),
        (lambda folder: (folder / "train.npy").unlink(), "train.npy must be a file of ids"),
        (lambda folder: np.save(folder / "train.npy", [1, 2]), "train.npy must hold [0-9]+ ids"),
        (lambda folder: (folder / "data.json").unlink(), "which has no data.json"),
    ],
)
def test_a_damaged_folder_is_told_by_file(sources, tmp_path, damage, words):
    made(sources, tmp_path / "out")
    damage(tmp_path / "out")
    with pytest.raises(ValueError, match=words):
        open_prepared(tmp_path / "out")
