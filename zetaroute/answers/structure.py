"""Values in JSON or Python's notation, and function calls among them, out of untrusted text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_CHARACTERS = 12_000
MOST_DEPTH = 20
MOST_CALLS = 32
"""Of an answer that are read: the next ones tell nothing that those do not."""
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<name>[A-Za-z_][\w.-]*)
    | (?P<mark>[][{}(),:=])
    | \S
    )""",
    re.VERBOSE | re.DOTALL,
)
_CONSTANTS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_FENCE = re.compile(r"```[\w+-]*\s*\n?(.*?)(?:```|\Z)", re.DOTALL)
_CLOSERS = {"[": "]", "(": ")", "{": "}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCall:
    """A function that an answer calls."""

    name: str
    arguments: tuple[tuple[str, Any], ...]
    """By name, sorted; those without one are numbered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What a text holds: a value made of tuples, strings, numbers and calls."""

    value: Any
    whole: bool
    """Whether the text holds nothing else."""

    @property
    def calls(self) -> tuple[WrittenCall, ...]:
        """The calls that the value consists of; empty where it is something else."""
        return tuple(sorted(_calls(self.value, 0), key=lambda call: (call.name, repr(call.arguments))))


def structure_of(text: str) -> Structure | None:
    """Return the value that a text is, or holds in a fenced block or from its first bracket on; None without one."""
    text = text[:MOST_CHARACTERS].strip()
    fenced = _FENCE.search(text)
    start = re.search(r"[\[{]|(?m:^)[A-Za-z_][\w.]*\(", text)
    candidates = (text, fenced[1].strip() if fenced else "", text[start.start() :] if start else "")
    for candidate in dict.fromkeys(candidates):
        if candidate and (candidate[0] in "[{" or _is_call(candidate)):
            try:
                value, whole = _json_in(candidate)
            except ValueError:
                continue
            return Structure(value=value, whole=whole and candidate is text)
    return None


def _json_in(text: str) -> tuple[Any, bool]:
    """Return the value that a text begins with, and whether nothing follows it; raises ValueError without one."""
    try:
        found = json.loads(text, parse_int=float, parse_constant=str, object_pairs_hook=_Object)
        if isinstance(found, list) and len(found) > MOST_CALLS and _calls(_tuples(found[0], 0), 0):
            del found[MOST_CALLS:]
        return _tuples(found, 0), True
    except (ValueError, RecursionError):
        parser = _Parser(text)
        return parser.value(0), parser.done


def _tuples(value: Any, depth: int) -> Any:
    """Return a value of JSON with tuples for its lists; raises ValueError for one that is too deep."""
    if depth > MOST_DEPTH:
        raise ValueError
    if isinstance(value, list):
        return tuple(_tuples(one, depth + 1) for one in value)
    if isinstance(value, _Object):
        return tuple.__new__(_Object, [(key, _tuples(one, depth + 1)) for key, one in value])
    return value


def _is_call(text: str) -> bool:
    return re.match(r"[A-Za-z_][\w.-]*\(", text) is not None


class _Parser:
    """Reads one value from the start of a text; raises ValueError where there is none."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, str, str]] = [*_TOKEN.findall(text), ("", "", "", "")]
        """String, number, name and mark, of which one is there; none where something else or nothing stands."""
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._tokens) - 1

    def _follows(self, mark: str) -> bool:
        if self._tokens[self._at][3] != mark:
            return False
        self._at += 1
        return True

    def value(self, depth: int) -> Any:
        string, number, name, mark = self._tokens[self._at]
        if depth > MOST_DEPTH or not (string or number or name or mark in _CLOSERS):
            raise ValueError
        self._at += 1
        if string:
            return _unquoted(string)
        if number:
            return float(number)
        if name:
            if self._follows("("):
                return _call(name, self._items(")", depth))
            return _CONSTANTS.get(name, name)
        items = self._items(_CLOSERS[mark], depth)
        return _Object(items) if mark == "{" else tuple(value for _, value in items)

    def _items(self, closer: str, depth: int) -> list[tuple[str | None, Any]]:
        items: list[tuple[str | None, Any]] = []
        while not self._follows(closer):
            value, key = self.value(depth + 1), None
            if self._follows(":") or self._follows("="):
                value, key = self.value(depth + 1), str(value)
            items.append((key, value))
            if depth == 0 and len(items) == MOST_CALLS and isinstance(value, WrittenCall):
                self._at = len(self._tokens) - 1
                break
            if not self._follows(","):
                if not self._follows(closer):
                    raise ValueError
                break
        return items


class _Object(tuple[tuple[str, Any], ...]):
    """The items of an object, sorted by key."""

    __slots__ = ()

    def __new__(cls, items: Sequence[tuple[str | None, Any]]) -> _Object:
        named = {str(number) if key is None else key: value for number, (key, value) in enumerate(items)}
        return super().__new__(cls, sorted(named.items()))


def _call(name: str, items: list[tuple[str | None, Any]]) -> WrittenCall:
    if len(items) == 1 and items[0][0] is None and isinstance(items[0][1], _Object):
        return WrittenCall(name=name, arguments=tuple(items[0][1]))
    return WrittenCall(name=name, arguments=tuple(_Object(items)))


def _unquoted(word: str) -> str:
    if "\\" not in word:
        return word[1:-1]
    try:
        return str(json.loads(word)) if word[0] == '"' else re.sub(r"\\(.)", r"\1", word[1:-1])
    except ValueError:
        return word[1:-1]


def _calls(value: Any, depth: int) -> list[WrittenCall]:
    """Return the calls that a value consists of, in any of the shapes that models write them in."""
    if depth > MOST_DEPTH:
        return []
    if isinstance(value, WrittenCall):
        return [value]
    if isinstance(value, str):
        inner = _inside(value)
        return _calls(inner, depth + 1) if isinstance(inner, WrittenCall) else []
    if isinstance(value, _Object):
        return _of_object(dict(value), depth)
    if isinstance(value, tuple):
        found = [_calls(one, depth + 1) for one in value]
        return [call for calls in found for call in calls] if all(found) else []
    return []


def _of_object(named: dict[str, Any], depth: int) -> list[WrittenCall]:
    for key in ("tool_calls", "function", "function_call"):
        if isinstance(named.get(key), tuple):
            return _calls(named[key], depth + 1)
    name, arguments = named.get("name"), named.get("arguments", named.get("parameters"))
    if not isinstance(name, str) or "name" not in named or arguments is None:
        if len(named) != 1:
            return []
        ((name, arguments),) = named.items()
    found = _inside(arguments) if isinstance(arguments, str) else arguments
    return [WrittenCall(name=name, arguments=tuple(found))] if isinstance(found, _Object) else []


def _inside(text: str) -> Any:
    if text[:1] != "{" and not _is_call(text):
        return None
    parser = _Parser(text[:MOST_CHARACTERS])
    try:
        return parser.value(0)
    except ValueError:
        return None
