"""One process at a time writes a file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from zetaroute.errors import StoreError


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold `path` for this process while the block runs; raises StoreError while another one holds it.

    The lock is a file beside it that goes again. A process that is killed leaves the file and no lock. Pipes and
    devices, folders that cannot be written, and Windows know no such lock.
    """
    if path.exists() and not path.is_file():
        yield
        return
    beside = path.with_name(f"{path.name}.lock")
    with contextlib.ExitStack() as stack:
        try:
            stack.callback(_free, beside, held(beside))
        except BlockingIOError:
            raise StoreError(
                f"another batch writes {path} just now: wait for it, or name another file with -o."
            ) from None
        except OSError:
            stack.pop_all()
        yield


def held(beside: Path) -> int:
    """Return the descriptor of a lock file that is locked until it is closed in every process that has it.

    Raises BlockingIOError while another process holds it.
    """
    while True:
        descriptor = os.open(beside, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            _lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        # Who held it before may have removed the file between our opening and our locking it.
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == beside.stat().st_ino:
                return descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _free(beside: Path, descriptor: int) -> None:
    with contextlib.suppress(OSError):
        beside.unlink()
    os.close(descriptor)
