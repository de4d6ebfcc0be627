"""A running `batch` or `serve` learns again: as a process of its own, at low priority, one at a time for a home."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from zetaroute.config import Home, Settings
from zetaroute.domain import FIRST_ROWS
from zetaroute.errors import ArtifactError
from zetaroute.files.lock import held
from zetaroute.registry import Registry

if TYPE_CHECKING:
    from subprocess import Popen

GROWTH = 0.1
"""Part of the rows that must have come since a version was learned to learn again."""
NICENESS = 10
"""How far the process stands back."""
_LOGGER = logging.getLogger("zetaroute")


class Relearning:
    """Starts `zetaroute retrain` whenever the log of a home has grown enough, if the config asks for it."""

    def __init__(self, home: Home, settings: Settings) -> None:
        self._home, self._settings = home, settings
        self._child: Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._started_at = 0
        """Rows of the log when the last one was started here."""

    def follow(self, rows: int) -> None:
        """Look at a log of so many rows: start learning where it is time, and say where it has failed."""
        if not self._settings.challengers.auto or self._is_running():
            return
        learned = self._learned_from()
        more = max(int(GROWTH * learned), 1) if learned else FIRST_ROWS * len(self._settings.arms)
        if rows < learned + more or rows < (1.0 + GROWTH) * self._started_at:
            return
        self._started_at = rows
        try:
            self._start(more)
        except BlockingIOError:
            # Another process of this home learns just now.
            return
        except OSError as error:
            _LOGGER.warning("note: `zetaroute retrain` cannot be started (%s)", error)

    def leave(self) -> None:
        """Let what runs go on without this process."""
        if self._is_running() and self._child is not None and self._said is not None:
            self._said.close()
            # Said of its end, so that nothing warns that nobody has waited for it.
            self._child.returncode = 0
            self._child = self._said = None

    def _learned_from(self) -> int:
        """Return the rows that the newest version was learned from."""
        registry = Registry(self._home.artifacts)
        with suppress(ArtifactError, IndexError, LookupError, TypeError, ValueError):
            return int(registry.manifest(registry.versions()[-1])["training"]["rows"])
        return 0

    def _is_running(self) -> bool:
        """Return whether the process goes on; of one that has failed, say the last line that it wrote."""
        if self._child is None or self._said is None:
            return False
        code = self._child.poll()
        if code is None:
            return True
        if code != 0:
            self._said.seek(0)
            lines = self._said.read().decode("utf-8", "replace").strip().splitlines() or [f"exit code {code}"]
            _LOGGER.warning("note: `zetaroute retrain` has failed: %s", lines[-1])
        self._said.close()
        self._child = self._said = None
        return False

    def _start(self, more: int) -> None:
        import subprocess
        import tempfile

        settings = self._settings
        config = [] if settings.file is None else ["--config", str(settings.file)]
        learn = ["retrain", "--if-stale", "--min-rows", str(more), "--jobs", "1"]
        windows = os.name == "nt"
        lock = held(self._home.path / "retrain.lock")
        try:
            self._said = tempfile.TemporaryFile()  # noqa: SIM115  - read when the child has ended
            self._child = subprocess.Popen(  # noqa: S603  - our own program
                [sys.executable, "-m", "zetaroute", "--home", str(self._home.path), *config, *learn],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                # The lock is the child's: it lasts as long as that, whatever becomes of this process.
                pass_fds=() if windows else (lock,),
                # An interrupt of a batch is none of the learning.
                start_new_session=True,
                creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
            )
        finally:
            os.close(lock)
        if not windows:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._child.pid, NICENESS)
