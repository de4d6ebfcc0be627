"""The file of the lines that an import could not use, each with its number and the reason.

Shared by what imports feedback and what imports logs, so that both tell it the same way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from zetaroute.errors import StoreError
from zetaroute.flows.intake import BadLine


class BadLines:
    """The file of what could not be used; there is none while there is nothing to tell."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        with _writing(self._path):
            self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with _writing(self._path):
                self._file.close()

    def add(self, bad: BadLine) -> None:
        """Tell one line; raises StoreError when it cannot be written."""
        self.count += 1
        with _writing(self._path):
            if self._file is None:
                self._file = open(self._path, "w", encoding="utf-8", newline="\n")  # noqa: SIM115
            line = json.dumps({"line": bad.line, "error": bad.error}, ensure_ascii=False)
            self._file.write(line.encode("utf-8", "replace").decode("utf-8") + "\n")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot write {path} ({error.strerror}): make room, or copy the input to where files can be written; "
            "what was imported is kept."
        ) from error
