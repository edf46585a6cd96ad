"""Whole files or none: a name on the disk always stands for all of its contents.

Chapter: book/training.md
"""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

FULL = "the disk is full: free some space"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to; when the block ends, what is there takes its name.

    Until then, and if the block raises, the last file stays as it was. A process that is killed, or
    a machine that loses power, leaves the old file or the new one.

    Raises:
        OSError: it could not be written; nothing has changed.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())  # on the disk before it takes the name of the last one
        os.replace(part, path)
        _sync_names(path.parent)
    finally:
        part.unlink(missing_ok=True)


def write_file(path: str | Path, contents: str | bytes) -> Path:
    """Puts `contents` in the place of the file; folders that are missing are made.

    Text is written as UTF-8 with plain line ends on every machine; what UTF-8 cannot say (half a
    surrogate pair, a byte of a file's name) is written as an escape and never ends the work.

    Raises:
        OSError: it could not be written; nothing has changed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(contents, str):
        contents = contents.encode("utf-8", "backslashreplace")
    with replacing(path) as part:
        part.write_bytes(contents)
    return path


def create_file(path: str | Path, contents: str) -> None:
    """Puts a file there, readable by its owner alone, if there is none or an empty one.

    Of several processes that do so at once the first wins: all of them then read the same.

    Raises:
        OSError: it could not be written; nothing has changed.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(contents)
            file.flush()
            os.fsync(handle)
        if path.exists() and not path.stat().st_size:
            os.replace(part, path)  # what an earlier version began and could not end
        else:
            _link(part, path)
        _sync_names(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _link(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not path.exists():
            os.replace(part, path)


def replace_folder(target: Path, fresh: Path) -> None:
    """Puts a copy of the folder `fresh` in the place of `target`.

    The old folder is moved aside and removed last. If the process is killed in between, the next
    call, or `restore_folder`, finds it there.

    Raises:
        OSError: it could not be written; the old folder stands.
    """
    _replace_by(target, lambda new: shutil.copytree(fresh, new, copy_function=_copy_file))


def write_folder(target: Path, contents: Mapping[str, bytes]) -> None:
    """Puts a folder with these files in the place of `target`, as `replace_folder` does.

    Args:
        contents: of each file, by its path in the folder.

    Raises:
        OSError: it could not be written; the old folder stands.
    """

    def fill(new: Path) -> None:
        new.mkdir()
        for name, data in contents.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            _write_synced(new / name, data)

    _replace_by(target, fill)


def name_folder(new: Path, target: Path) -> None:
    """Gives a folder, all of whose files are written, the name of one that is not there yet.

    Raises:
        OSError: it could not be renamed, say because `target` is there.
    """
    os.rename(new, target)
    _sync_names(target.parent)


def _replace_by(target: Path, fill: Callable[[Path], object]) -> None:
    """Puts the folder that `fill` makes in the place of `target`."""
    restore_folder(target)
    new, old = _beside(target, "new"), _beside(target, "old")
    shutil.rmtree(new, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        fill(new)
        if target.exists():
            target.rename(old)
        new.rename(target)
    except OSError:
        restore_folder(target)
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    _sync_names(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _copy_file(source: str, target: str) -> None:
    _write_synced(Path(target), Path(source).read_bytes())
    shutil.copystat(source, target)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def restore_folder(target: Path) -> None:
    """Brings back a folder that `replace_folder`, when it was killed, had moved aside."""
    old = _beside(target, "old")
    if not old.exists():
        return
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(target)


def missing_folders(folder: Path) -> list[Path]:
    """The folder and those above it that are not there yet, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def remove_folders(folders: Sequence[Path]) -> None:
    """Removes folders that were made for work that then was refused, as far as they are empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def is_full(error: BaseException) -> bool:
    """Whether the disk, or one's share of it, had no room left."""
    # Libraries in other languages tell of it in words alone: "… (os error 28)".
    told = re.search(r"os error (\d+)", str(error))
    return (int(told[1]) if told else getattr(error, "errno", None)) in _NO_ROOM


def reason(error: BaseException) -> str:
    """Why a file could not be read or written, in words; for a full disk also what to do."""
    if is_full(error):
        return FULL
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f".{target.name}.{what}")


def _sync_names(folder: Path) -> None:
    """A new name survives a loss of power only if its folder was written, too."""
    with contextlib.suppress(OSError):  # Windows opens no folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
