"""Looking up a field in a JSON document.

The limit is how many keys of a path are followed: a longer path is cut to its last key, and the first field of
that name anywhere in the document is taken.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from random import Random
from typing import Any

from zetaroute.practice.family import Family, Question, Solution, bare, numeric
from zetaroute.practice.words import NAMES, PLACES, THINGS, listed

_BRANCHES = listed("""account address archive branch buyer contact customer delivery invoice item office order owner
    partner payment region sender shipment store supplier team warehouse""")
_LEAVES = ("city", "count", "label", "manager", "number", "price", "status", "total")
_DOTTED = (
    "In this JSON, what is the value at {path}?\n{document}",
    "{document}\nGive the value of {path} in the JSON above.",
    "Look up {path} in the following JSON document: {document}",
)
_SPOKEN = (
    "{document}\nIn this JSON, what does the field {path} hold?",
    "Here is a JSON document: {document} Which value has {path}?",
)
_PATH = re.compile(
    r"\b([a-z_]\w{0,40}(?:\.[a-z_]\w{0,40}){1,20}|(?<=value at )[a-z_]\w{0,40})\b", re.IGNORECASE
)
_INSIDE = re.compile(r'"(\w{1,40})"((?: inside "\w{1,40}"){0,20})')
_QUOTED = re.compile(r'"(\w+)"')
_ASKS = re.compile(r"\b(?:value|look up|field)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Path:
    document: dict[str, Any]
    keys: tuple[str, ...]


def _leaf(rng: Random, name: str) -> str | int:
    if name == "city":
        return rng.choice(PLACES)
    if name == "manager":
        return rng.choice(NAMES)
    if name in {"label", "status"}:
        return f"{rng.choice(THINGS)}-{rng.randrange(10, 99)}"
    return rng.randrange(2, 5000)


def _document(rng: Random, path: list[str]) -> tuple[dict[str, Any], str | int]:
    """Build a document with the path in it and, all around it, fields of the same last name."""
    leaf, value = path[-1], _leaf(rng, path[-1])
    inner: dict[str, Any] = {}
    for depth in range(len(path) - 1, -1, -1):
        others = rng.sample([key for key in (*_BRANCHES, *_LEAVES) if key not in path], 2)
        around: list[tuple[str, Any]] = [(path[depth], inner if depth < len(path) - 1 else value)]
        for key in others:
            around.append((key, {leaf: _leaf(rng, leaf)} if key in _BRANCHES else _leaf(rng, key)))
        rng.shuffle(around)
        inner = dict(around)
    return inner, value


def _write(rng: Random, difficulty: int) -> Question:
    keys = [*rng.sample(_BRANCHES, difficulty), rng.choice(_LEAVES)]
    document, value = _document(rng, keys)
    written = json.dumps(document, indent=2 if rng.random() < 0.2 else None)
    if rng.random() < 0.6:
        text = rng.choice(_DOTTED).format(path=".".join(keys), document=written)
    else:
        spoken = " inside ".join(f'"{key}"' for key in reversed(keys))
        text = rng.choice(_SPOKEN).format(path=spoken, document=written)
    if isinstance(value, int):
        return numeric(rng, text, str(value))
    return Question(text=bare(rng, text, "value"), reference=value, grader="exact")


def _read(text: str) -> _Path | None:
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None
    around = text[:start] + " " + text[end + 1 :]
    dotted, inside = _PATH.search(around), _INSIDE.search(around)
    if not _ASKS.search(around) or (dotted is None and inside is None):
        return None
    try:
        document = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None
    if dotted is not None:
        keys = tuple(dotted[1].split("."))
    else:
        keys = tuple(reversed(_QUOTED.findall(inside[0] if inside else "")))
    return _Path(document=document, keys=keys) if _follow(document, keys) is not None else None


def _scalar(value: Any) -> str | None:
    if isinstance(value, dict | list):
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _follow(document: Any, keys: tuple[str, ...]) -> str | None:
    for key in keys:
        if not isinstance(document, dict) or key not in document:
            return None
        document = document[key]
    return _scalar(document)


def _first(document: dict[str, Any], key: str) -> str | None:
    """Return the first field of that name that holds a single value, outer fields before inner ones."""
    waiting = [document]
    while waiting:
        fields = waiting.pop()
        if key in fields and (found := _scalar(fields[key])) is not None:
            return found
        waiting.extend(value for value in reversed(fields.values()) if isinstance(value, dict))
    return None


def _work(path: _Path, skill: int) -> Solution:
    in_reach = len(path.keys) <= skill
    result = _follow(path.document, path.keys) if in_reach else _first(path.document, path.keys[-1])
    steps = (
        "I read the document from its outermost bracket inwards.",
        f"The path has {len(path.keys)} keys.",
    )
    return Solution(result=result or "", steps=steps)


LOOKUP = Family(name="lookup", write=_write, read=_read, work=_work)
