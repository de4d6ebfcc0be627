"""The text of files and inputs: UTF-8, with or without a byte order mark."""

from __future__ import annotations

import codecs
from pathlib import Path

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def without_mark(content: bytes) -> bytes:
    """Return the beginning of a text without a byte order mark; raise ValueError where the mark is one of UTF-16."""
    if content.startswith(_UTF_16):
        raise ValueError("it is UTF-16 text: save it as UTF-8")
    return content.removeprefix(codecs.BOM_UTF8)


def text_of(content: bytes) -> str:
    """Return UTF-8 text without its byte order mark; raise ValueError, which says why, for what is none."""
    try:
        return without_mark(content).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"it is not UTF-8 text: byte {error.start + 1} is {content[error.start]:#04x}"
        ) from None


def read_text(path: Path) -> str:
    """Return the text of a file, its line ends as LF; raises OSError, and ValueError as `text_of` does."""
    return text_of(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
