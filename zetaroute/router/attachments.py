"""Read what goes with a query beside its words: files, and options for the model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zetaroute.domain import Attachment, FileNote, Kind
from zetaroute.errors import UsageError
from zetaroute.files.strict_json import strict_json

LARGEST = 20_000_000
"""Bytes of one file: more than that no server takes."""


def read_attachment(path: Path) -> Attachment:
    """Return a file as text, image or other file, by its first bytes and never by its name.

    Raises UsageError when it cannot be read, is empty or too large, or no model could read it.
    """
    try:
        if path.is_file() and path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is larger than {LARGEST // 1_000_000} MB: attach a smaller file.")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path} ({error.strerror}): name a file that is there.") from error
    return attachment_of(path.name, content, place=str(path))


def attachment_of(name: str, content: bytes, *, place: str) -> Attachment:
    """Return bytes as text, image or other file; `place` says in an error where they came from.

    Raises UsageError when they are empty or no model could read them.
    """
    if not content:
        raise UsageError(f"{place} is empty: attach another file.")
    kind, media_type = _kind(place, content)
    note = FileNote(
        name=name.encode("utf-8", "replace").decode("utf-8"),
        media_type=media_type,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )
    return Attachment(note=note, kind=kind, content=content)


def parse_options(pairs: Iterable[str]) -> Mapping[str, Any]:
    """Return the options in `key=value` pairs: values are JSON, and what is no JSON is a text.

    Raises UsageError for a pair of another shape.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"the option {pair!r} must be key=value, for example -o temperature=0.2.")
        options[key.strip()] = _value(value)
    return options


def _kind(place: str, content: bytes) -> tuple[Kind, str]:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image", "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image", "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image", "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image", "image/webp"
    if content.startswith(b"%PDF-"):
        return "file", "application/pdf"
    try:
        readable = "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        readable = False
    if not readable:
        raise UsageError(
            f"{place} is no PNG, JPEG, GIF, WebP, PDF or UTF-8 text: convert it to one of these."
        )
    return "text", "text/plain"


def _value(text: str) -> Any:
    try:
        return strict_json(text)
    except ValueError:
        return text
