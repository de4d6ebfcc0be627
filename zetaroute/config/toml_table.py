"""Read a TOML table key by key, with errors that name the file, the key and the mend.

Apart from the settings so that what a key means and how a mistake is told can change separately.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Never

from zetaroute.errors import ConfigError


class Table:
    """One TOML table; every key is taken once, and what is left over is a mistake."""

    def __init__(self, values: dict[str, Any], *, file: Path | None, name: str = "") -> None:
        self._values = values
        self._file = file
        self._name = name
        self._known: list[str] = []

    def fail(self, message: str) -> Never:
        """Raise ConfigError with the place put in front of `message`."""
        place = " ".join(
            part for part in (str(self._file or "the built-in config") + ":", self._name) if part
        )
        raise ConfigError(f"{place} {message}")

    def text(self, key: str, default: str | None = None, *, required: bool = False) -> str | None:
        """Return a text; with `required`, its absence or emptiness is a mistake."""
        value = self._take(key)
        if value is None:
            if required:
                self.fail(f'needs a key {key}, for example {key} = "...".')
            return default
        if not isinstance(value, str) or not value.strip():
            self.fail(f'key {key} must be a text in quotes, for example {key} = "...".')
        return value

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """Return one of `choices`."""
        value = self.text(key, default, required=default is None)
        assert value is not None  # noqa: S101  - text() with required never returns None; this tells mypy
        if value not in choices:
            self.fail(
                f"key {key} is {value!r}: choose one of {', '.join(choices)}{_closest(value, choices)}."
            )
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

    def whole(self, key: str, *, low: int = 1) -> int | None:
        """Return a whole number of at least `low`."""
        value = self._take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            self.fail(f"key {key} must be a whole number of at least {low}, not {value!r}.")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(f'key {key} must be a list of texts, for example {key} = ["local"].')
        return tuple(value)

    def pairs(self, key: str) -> dict[str, Any]:
        """Return a table whose keys are the user's own, empty when it is absent."""
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fail(f"{key} must be a table, for example {key} = {{ name = 1 }}.")
        return value

    def table(self, key: str) -> Table | None:
        """Return the table under `key`, or None."""
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fail(f"{key} must be a table, not {value!r}.")
        name = f"{self._name} {key}:" if self._name else f"[{key}]"
        return Table(value, file=self._file, name=name)

    def names(self) -> tuple[str, ...]:
        """Return the keys of a table whose keys are the user's own."""
        return tuple(self._values)

    def tables(self, key: str) -> list[Table]:
        """Return the array of tables under `key`, each named by its number from 1."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.fail(f"{key} must be written as [[{key}]] blocks.")
        return [
            Table(item, file=self._file, name=f"[[{key}]] number {number}")
            for number, item in enumerate(value, start=1)
        ]

    def finish(self) -> None:
        """Raise ConfigError when the table holds a key that nothing has asked for."""
        for key in self._values:
            if key not in self._known:
                hint = _closest(key, self._known)
                self.fail(f"has an unknown key {key!r}{hint}; known are {', '.join(self._known)}.")

    def _take(self, key: str) -> Any:
        self._known.append(key)
        return self._values.get(key)


def _closest(word: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
