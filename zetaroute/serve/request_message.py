"""The messages of a request, read one by one; whatever is no good is refused with its place."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from zetaroute.domain import Attachment, Message
from zetaroute.errors import UsageError
from zetaroute.router.attachments import LARGEST, attachment_of
from zetaroute.serve.api_errors import bad
from zetaroute.wire.turns import turn_fields

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message and the files in it."""

    message: Message
    attachments: tuple[Attachment, ...]


def read_turn(value: Any, place: str) -> Turn:
    """Return a message; raise ApiError, naming its place, for one that cannot be passed on whole."""
    if not isinstance(value, dict):
        raise bad(f"{place} must be an object.", place)
    role = value.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise bad(f"{place}.role must be one of {', '.join(_ROLES)}.", f"{place}.role")
    content = value.get("content")
    if content is None and role != "assistant":
        raise bad(f"{place}.content is missing.", f"{place}.content")
    words, files = _content(content, f"{place}.content")
    if files and role != "user":
        raise bad(f"{place} holds a file, which only a message of the role user may.", f"{place}.content")
    role = "system" if role == "developer" else role
    message = Message(role=role, content=words, fields=turn_fields(value))
    return Turn(message=message, attachments=tuple(files))


def _content(content: Any, place: str) -> tuple[str, list[Attachment]]:
    if content is None or isinstance(content, str):
        return content or "", []
    if not isinstance(content, list):
        raise bad(f"{place} must be a text or a list of parts.", place)
    words, files = [], []
    for number, part in enumerate(content):
        where = f"{place}[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        match kind:
            case "text" | "input_text" | "refusal":
                words.append(_text(part.get("refusal" if kind == "refusal" else "text"), where))
            case "image_url":
                inner = part.get("image_url")
                url = inner.get("url") if isinstance(inner, dict) else inner
                files.append(_file(_text(url, where), "image", where))
            case "file":
                inner = part.get("file")
                inner = inner if isinstance(inner, dict) else {}
                name = inner.get("filename")
                data = _text(inner.get("file_data"), where)
                files.append(_file(data, name if isinstance(name, str) else "file", where))
            case _:
                raise bad(f"{where} must be a part of the type text, image_url or file.", where)
    return "\n".join(words), files


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise bad(f"{place} holds no text where one belongs.", place)
    return value


def _file(url: str, name: str, place: str) -> Attachment:
    """Return a file that came as a data URL; addresses are not fetched."""
    head, comma, data = url.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise bad(f"{place} must hold its file as data:TYPE;base64,...; addresses are not fetched.", place)
    if len(data) > LARGEST * 4 // 3 + 4:
        raise bad(f"{place} holds a file of more than {LARGEST // 1_000_000} MB.", place)
    try:
        content = base64.b64decode(data, validate=True)
        return attachment_of(name[:200], content, place=place)
    except (binascii.Error, ValueError) as error:
        raise bad(f"{place} is not valid base64.", place) from error
    except UsageError as error:
        raise bad(str(error), place) from error
