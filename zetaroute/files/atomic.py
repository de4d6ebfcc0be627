"""Write a file so that a crash at any moment leaves the old one or the new one, never half of it.

On the ground floor because the journal, the standings and the registry all depend on it.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Replace `path` by `content` in one step; when this returns it is on disk. Raises OSError.

    Without `sync` it is left to the system when: the end of this program loses nothing, that of the machine may.
    """
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with open(draft, "wb") as file:
            file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


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
