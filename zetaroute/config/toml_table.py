"""One table of a TOML file, read strictly: mistakes name the file, the key and the fix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import MISSING, fields, replace
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Never,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from zetaroute.domain.arm import Bounds
from zetaroute.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_T = TypeVar("_T", bound="DataclassInstance")
_type_hints = cache(get_type_hints)


class TomlTable:
    """One TOML table; every key that is asked for is known, and what is left over is a mistake."""

    def __init__(self, values: dict[str, Any], *, file: Path | None, name: str = "") -> None:
        self._values = values
        self._file = file
        self._name = name
        self._known: dict[str, None] = {}

    def fail(self, message: str) -> Never:
        """Raise ConfigError with the place put in front of `message`."""
        place = " ".join(
            part for part in (str(self._file or "the built-in config") + ":", self._name) if part
        )
        raise ConfigError(f"{place} {message}")

    def read(self, kind: type[_T], **given: Any) -> _T:
        """Return a dataclass whose fields, but for those `given`, are the remaining keys of this table.

        A field says by its type what its key holds: `str`, `float`, `int`, `Literal`, `tuple[str, ...]`, each also
        `| None`; `Annotated[float, Bounds(...)]` bounds a number, which is 0 or more otherwise (a whole one 1 or
        more). Left out, it keeps its default. Raises ConfigError for a mistake and for an unknown key.
        """
        named = [field.name for field in fields(kind) if field.name not in given]
        made = kind(**given, **self._said(kind, named))
        self.finish()
        return made

    def section(self, key: str, kind: type[_T]) -> _T:
        """Return the dataclass that the table under `key` describes; its defaults where there is none."""
        table = self.table(key)
        return kind() if table is None else table.read(kind)

    def change(self, base: _T, *names: str) -> _T:
        """Return `base` with those of the named fields replaced that this table says."""
        return replace(base, **self._said(type(base), names))

    def text(self, key: str, default: str | None = None) -> str | None:
        """Return a text that is not blank."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, str) or not value.strip():
            self.fail(f'key {key} must be a text in quotes, for example {key} = "...".')
        return value

    def needed(self, key: str) -> str:
        """Return a text that must be there."""
        return self.text(key) or self.fail(f'needs a key {key}, for example {key} = "...".')

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """Return one of `choices`; without a default it must be there."""
        value = self.needed(key) if default is None else self.text(key, default) or default
        self._check_choice(f"key {key} is", value, choices)
        return value

    def number(
        self, key: str, default: float | None = None, *, low: float = 0.0, high: float = math.inf
    ) -> float | None:
        """Return a finite number between `low` and `high`, both included."""
        value = self._take(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.fail(
                f"key {key} must be a number, not {value!r}; write for example {key} = {default or low}."
            )
        if not low <= value <= high:
            limits = f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
            self.fail(f"key {key} is {value:g}: it must be {limits}.")
        return float(value)

    def whole(self, key: str, *, low: float = 1) -> int | None:
        """Return a whole number of at least `low`."""
        value = self._take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            self.fail(f"key {key} must be a whole number of at least {low:g}, not {value!r}.")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fail(f"key {key} must be true or false, without quotation marks, not {value!r}.")
        return value

    def texts(self, key: str, choices: Sequence[str] = ()) -> tuple[str, ...]:
        """Return a list of texts, each one of `choices` where there are any."""
        value = self._take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(f'key {key} must be a list of texts, for example {key} = ["{[*choices, "local"][0]}"].')
        for item in value if choices else ():
            self._check_choice(f"key {key} holds", item, choices)
        return tuple(value)

    def pairs(self, key: str) -> dict[str, Any]:
        """Return a table whose keys are the user's own, empty when it is absent."""
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fail(f"{key} must be a table, for example {key} = {{ name = 1 }}.")
        return value

    def table(self, key: str) -> TomlTable | None:
        """Return the table under `key`, or None."""
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fail(f"{key} must be a table, not {value!r}.")
        name = f"{self._name} {key}:" if self._name else f"[{key}]"
        return TomlTable(value, file=self._file, name=name)

    def names(self) -> tuple[str, ...]:
        """Return the keys of a table whose keys are the user's own."""
        return tuple(self._values)

    def tables(self, key: str) -> list[TomlTable]:
        """Return the array of tables under `key`, each named by its number from 1."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.fail(f"{key} must be written as [[{key}]] blocks.")
        return [
            TomlTable(item, file=self._file, name=f"[[{key}]] number {number}")
            for number, item in enumerate(value, start=1)
        ]

    def beside(self, base: TomlTable, *own: str) -> TomlTable:
        """Return this table with what it leaves out taken from `base`, but for the keys `own`."""
        taken = {key: value for key, value in base._values.items() if key not in own}
        return TomlTable({**taken, **self._values}, file=self._file, name=self._name)

    def finish(self) -> None:
        """Raise ConfigError when the table holds a key that nothing has asked for."""
        for key in self._values:
            if key not in self._known:
                hint = _closest(key, list(self._known))
                self.fail(f"has an unknown key {key!r}{hint}; known are {', '.join(self._known)}.")

    def _take(self, key: str) -> Any:
        self._known[key] = None
        return self._values.get(key)

    def _said(self, kind: type[DataclassInstance], names: Sequence[str]) -> dict[str, Any]:
        """Return what the table says of these fields of a dataclass, each read by its type."""
        hints = _type_hints(kind, include_extras=True)
        defaults = {field.name: field.default for field in fields(kind)}
        needed = {
            field.name
            for field in fields(kind)
            if field.default is MISSING and field.default_factory is MISSING
        }
        said = {name: self._value(name, hints[name], defaults[name], name in needed) for name in names}
        return {name: value for name, value in said.items() if name in self._values}

    def _value(self, key: str, hint: Any, default: object, needed: bool) -> Any:
        if get_origin(hint) in {Union, UnionType}:
            hint = next(part for part in get_args(hint) if part is not NoneType)
        hint, limits = get_args(hint) if get_origin(hint) is Annotated else (hint, Bounds())
        if hint is str:
            return self.needed(key) if needed else self.text(key)
        if hint is bool:
            return self.flag(key, default=bool(default))
        if hint is int:
            return self.whole(key, low=max(1, limits.low))
        if hint is float:
            shown = default if isinstance(default, float) else None
            return self.number(key, shown, low=limits.low, high=limits.high)
        if get_origin(hint) is Literal:
            return self.choice(key, get_args(hint), None if needed else str(default))
        return self.texts(key, get_args(get_args(hint)[0]))

    def _check_choice(self, place: str, value: str, choices: Sequence[str]) -> None:
        if value not in choices:
            self.fail(f"{place} {value!r}: choose one of {', '.join(choices)}{_closest(value, choices)}.")


def _closest(word: str, choices: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, choices, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
