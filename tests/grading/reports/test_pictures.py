"""The size of a picture is read from its head; what is none, or hides its size, has none."""

import base64
import io
import struct

import pytest
from attacks import pages
from PIL import Image

from lmcourse.grading.reports.pictures import pixels


def jpeg(*segments):
    return base64.b64encode(b"\xff\xd8" + b"".join(segments)).decode()


def frame(width, height, mark=0xC0):
    body = struct.pack(">BHHB", 8, height, width, 3) + bytes(9)
    return segment(mark, body)


def segment(mark, body):
    return bytes([0xFF, mark]) + struct.pack(">H", len(body) + 2) + body


def test_a_picture_is_what_begins_as_one():
    assert pixels(pages.PNG, "image/png") == 1
    assert pixels(pages.PNG, "image/jpeg") == 0
    assert pixels(pages.PNG, "image/svg+xml") == 0
    assert pixels(pages.PNG + '"', "image/png") == 0
    assert pixels("", "image/png") == 0


@pytest.mark.parametrize(
    ("form", "options"), [("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True})]
)
def test_the_size_is_that_of_the_whole_picture(form, options):
    file = io.BytesIO()
    Image.new("RGB", (70, 30)).save(file, form, **options)
    data = base64.b64encode(file.getvalue()).decode()
    assert pixels(data, f"image/{form.lower()}") == 70 * 30


def test_a_large_picture_of_few_bytes_says_so():
    assert pixels(pages.png(16_000, 16_000), "image/png") == 256_000_000
    for mark in (0xC0, 0xC1, 0xC2, 0xCF):
        assert pixels(jpeg(frame(16_000, 16_000, mark)), "image/jpeg") == 256_000_000


def test_a_small_frame_does_not_hide_a_large_one():
    """What a browser passes over is passed over: comments, filling, marks that stand alone."""
    small, large = frame(1, 1), frame(9_000, 9_000)
    for before in (
        segment(0xFE, small),
        segment(0xE1, small),
        b"\xff\xff\xff",
        b"\xff\xd0",
        b"\xff\x01",
    ):
        assert pixels(jpeg(before, large, small), "image/jpeg") == 81_000_000
    for before in (b"\xff\xd9", b"\xff\xda", b"\xff\x00", b"ab", b"\xff\xc8\x00\x02"):
        assert pixels(jpeg(before, small), "image/jpeg") == 0


@pytest.mark.parametrize(
    "data", [b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\xff\xff", b"\x89PNG\r\n\x1a\n"]
)
def test_what_breaks_off_is_no_picture(data):
    coded = base64.b64encode(data).decode()
    assert pixels(coded, "image/png") == pixels(coded, "image/jpeg") == 0
