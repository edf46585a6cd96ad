"""How large a picture says that it is, read from its first bytes; nothing is decoded.

Chapter: book/instructors/hand_grading.md
"""

import base64
import binascii

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
# Segments of a JPEG: those that begin a frame, others with a length, marks that stand alone. What
# is none of them is no way to a frame, so that a reader could be led to another one.
_FRAMES = {*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
_LONG = {0xC4, 0xCC, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)}
_ALONE = {0x01, *range(0xD0, 0xD8)}


def pixels(data: str, kind: str) -> int:
    """Width times height of a picture in base64, 0 if it is none of this kind; SVG, a program, is
    no picture.
    """
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return 0
    read = {"image/png": _of_png, "image/jpeg": _of_jpeg}.get(kind)
    return read(content) if read else 0


def _of_png(content: bytes) -> int:
    if not content.startswith(_PNG) or content[12:16] != b"IHDR" or len(content) < 24:
        return 0
    return _number(content[16:20]) * _number(content[20:24])


def _of_jpeg(content: bytes) -> int:
    """Segments are a mark, a length and so many bytes; the first frame has height and width."""
    if not content.startswith(_JPEG):
        return 0
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        mark = content[at + 1]
        if mark in _FRAMES:
            return _number(content[at + 5 : at + 7]) * _number(content[at + 7 : at + 9])
        if mark in _LONG:
            at += 2 + _number(content[at + 2 : at + 4])
        elif mark in _ALONE:
            at += 2
        elif mark == 0xFF:  # filling
            at += 1
        else:
            return 0
    return 0


def _number(content: bytes) -> int:
    return int.from_bytes(content, "big")
