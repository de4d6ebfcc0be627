"""Write a file so that a crash at any moment leaves the old one or the new one, and say once what went wrong."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from zetaroute.errors import StoreError, ZetarouteError

SHARED = 0o666
"""The mode of a file that a user has named."""


@contextlib.contextmanager
def os_errors(what: str, fix: str, kind: Callable[[str], ZetarouteError] = StoreError) -> Iterator[None]:
    """Turn an OSError of the block into one sentence: "WHAT (reason): FIX"."""
    try:
        yield
    except OSError as error:
        raise kind(f"{what} ({error.strerror or error}): {fix}") from error


def write_whole(path: Path, content: bytes, *, sync: bool = True, mode: int = 0o600) -> None:
    """Replace `path` by `content` in one step; when this returns it is on disk. Raises OSError.

    What a home holds is for its owner alone; `mode` says what else others may, as far as the umask lets them.

    Several processes may write the same file. Without `sync` it is left to the system when: the end of this program
    loses nothing, that of the machine may.
    """
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    _replace(draft, path, lambda file: file.write(content), sync=sync, mode=mode)


def rewrite(path: Path, write: Callable[[IO[bytes]], object], *, suffix: str = ".tmp") -> bool:
    """Replace `path` by what `write` puts into a draft and return True; False where `write` does: the old one stays.

    The draft has the name of the file and `suffix`: what a kill leaves there is gone with the next rewrite, and only
    one process at a time may rewrite a file. Raises OSError.
    """
    return _replace(path.with_name(f"{path.name}{suffix}"), path, write, sync=True, mode=SHARED)


def _replace(draft: Path, path: Path, write: Callable[[IO[bytes]], object], *, sync: bool, mode: int) -> bool:
    try:
        with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            is_new = write(file) is not False
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if is_new:
            os.replace(draft, path)
        else:
            draft.unlink()
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)
    return is_new


@contextlib.contextmanager
def private_files() -> Iterator[None]:
    """Let what libraries create within the block be for its owner alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def sync_files(folder: Path, names: Iterable[str]) -> None:
    """Put files of a folder on disk that were written without; those that are gone are not missed."""
    for name in names:
        with contextlib.suppress(FileNotFoundError), open(folder / name, "rb") as file:
            os.fsync(file.fileno())
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk too, where the system has a way to do it."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
