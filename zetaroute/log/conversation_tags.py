"""Tags of conversations whose turns a client holds: on disk before a turn is answered or refused."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from zetaroute.config import Home
from zetaroute.files.atomic import os_errors, write_whole
from zetaroute.log.pseudonyms import home_salt, sealed

_NAME_LENGTH = 32


class ConversationTags:
    """One small file for each tag of a conversation, so that processes of one home need no lock.

    Names and tags are keyed hashes; only the file says what the tag is.
    """

    def __init__(self, home: Home) -> None:
        self._home = home

    def add(self, name: str, tags: tuple[str, ...]) -> None:
        """Put tags of a conversation on disk; raise StoreError when that cannot be done."""
        folder = self._folder(name)
        with os_errors(f"cannot keep the tags of a conversation in {folder}", "make it writable."):
            self._home.conversations.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            for tag in tags:
                file = folder / self._sealed(tag)
                if not file.exists():
                    write_whole(file, tag.encode("utf-8", "replace"))

    def of(self, name: str) -> tuple[str, ...]:
        """Return the tags of a conversation; raise StoreError when they cannot be read."""
        folder = self._folder(name)
        with os_errors(f"cannot read the tags of a conversation in {folder}", "make it readable."):
            if not folder.exists():
                return ()
            return tuple(
                sorted(file.read_text("utf-8") for file in folder.iterdir() if file.suffix != ".tmp")
            )

    def forget(self, name: str | None, before: str | None) -> None:
        """Remove the tags of a conversation, and of those that got none since a moment (ISO 8601, UTC).

        What the log knows of their turns stays. Raises StoreError when they cannot be removed.
        """
        until_s = datetime.fromisoformat(before).replace(tzinfo=UTC).timestamp() if before else 0.0
        named = self._folder(name) if name is not None else None
        with os_errors(f"cannot remove {self._home.conversations}", "make it writable."):
            for folder in self._home.conversations.glob("*"):
                if folder == named or folder.stat().st_mtime < until_s:
                    shutil.rmtree(folder)

    def _folder(self, name: str) -> Path:
        return self._home.conversations / self._sealed(name)

    def _sealed(self, text: str) -> str:
        return sealed(text, home_salt(self._home.salt))[:_NAME_LENGTH]
