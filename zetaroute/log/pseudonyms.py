"""What may be kept of a row: its texts as they are, or only hashes of them, or those and a vector to learn from.

Whatever is written passes the journal, and nothing passes it unprotected.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from zetaroute.config import Home, Privacy
from zetaroute.config.privacy import Store
from zetaroute.domain import FileNote, Outcome
from zetaroute.errors import StoreError
from zetaroute.log.journal import Entry, Journal

Seal = Callable[[str], str]
"""Turns a text, or a hash that anybody could make of it, into one that only this home can make."""
SALT_BYTES = 32
SERVED = "serve"
"""The run of what came over HTTP."""


def protected_journal(home: Home, privacy: Privacy) -> Journal:
    """Return the journal of a home, which keeps of every row what `privacy` lets it."""
    if privacy.store == "full":
        return Journal(home.journal)
    return Journal(
        home.journal, protect=lambda entry: protect(entry, privacy.store, salt=home_salt(home.salt))
    )


def protect(entry: Entry, store: Store, *, salt: bytes) -> Entry:
    """Return what may be kept of an entry; what people said about answers is kept as it is.

    What a program or a judge says of an answer may quote it.
    """
    if store == "full":
        return entry
    return replace(
        entry,
        outcomes=tuple(_protected(row, store, salt) for row in entry.outcomes),
        feedback=tuple(one if one.source == "user" else replace(one, comment=None) for one in entry.feedback),
    )


def sealed(text: str, salt: bytes) -> str:
    """Return the keyed hash of a text (HMAC with SHA-256): equal texts of one home have equal ones."""
    return hmac.digest(salt, text.encode("utf-8", "replace"), hashlib.sha256).hex()


def hidden(home: Home, text: str) -> str:
    """Return what stands in the place of a text where texts are not stored."""
    return f"sha256:{sealed(text, home_salt(home.salt))}"


def seal_of(home: Home, privacy: Privacy) -> Seal:
    """Return how content hashes are written in this home: as they are where texts are."""
    if privacy.store == "full":
        return str
    salt = home_salt(home.salt)
    return lambda content: sealed(content, salt)[: len(content)]


def _protected(row: Outcome, store: Store, salt: bytes) -> Outcome:
    def kept(text: str | None) -> str | None:
        return None if text is None else f"sha256:{sealed(text, salt)}"

    content = row.content_hash
    vector, space = row.embedding, row.embedding_model
    if store == "hashed":
        vector, space = None, None
    elif vector is None and row.fallback_of is None:
        from zetaroute.features.hashed import hashed_vector, space_of

        vector, space = tuple(hashed_vector(row.query, salt).tolist()), space_of(salt)
    return replace(
        row,
        query=f"sha256:{sealed(row.query, salt)}",
        system=kept(row.system),
        reference=kept(row.reference),
        response=kept(row.response),
        thinking=kept(row.thinking),
        error=kept(row.error),
        # A conversation that came over HTTP is called by a hash of how it began, which anybody could make.
        conversation=kept(row.conversation) if row.run == SERVED else row.conversation,
        session=kept(row.session),
        content_hash=None if content is None else sealed(content, salt)[: len(content)],
        attachments=tuple(_noted(note, salt) for note in row.attachments),
        embedding=vector,
        embedding_model=space,
        # What it is about, in words that other queries have too.
        segment=None,
        store=store,
    )


def _noted(note: FileNote, salt: bytes) -> FileNote:
    return replace(note, name=f"sha256:{sealed(note.name, salt)}", sha256=sealed(note.sha256, salt))


@cache
def home_salt(path: Path) -> bytes:
    """Return the secret of a home, made when it is first needed; raises StoreError when it cannot be used."""
    with suppress(FileExistsError):
        return _made(path)
    try:
        salt = path.read_bytes()
    except OSError as error:
        raise _unusable(path, error.strerror) from error
    if len(salt) != SALT_BYTES:
        raise _unusable(path, f"it has {len(salt)} bytes")
    return salt


def _made(path: Path) -> bytes:
    """Write a new secret whole, for its owner alone; raises FileExistsError where another process was first."""
    if path.exists():
        raise FileExistsError
    salt = secrets.token_bytes(SALT_BYTES)
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(salt)
            file.flush()
            os.fsync(file.fileno())
        # A link is made only where nothing stands, so that of two processes one secret wins.
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError as error:
        raise _unusable(path, error.strerror) from error
    finally:
        draft.unlink(missing_ok=True)
    return salt


def _unusable(path: Path, reason: str | None) -> StoreError:
    return StoreError(
        f"the secret {path}, which stored hashes are made with, cannot be used ({reason}): make it readable and "
        "writable, or move it away for a new one, after which equal queries are not known as equal any more."
    )
