"""What an examination says of one thing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warn", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was looked at."""

    name: str
    """config, key, server, prices, embedding, home, disk, journal, log, state, versions, guard, clock, finding,
    drift"""
    level: Level
    words: str
    mend: str | None = None
    """What to do; None where nothing is to be done, or where the words say it."""

    def json(self) -> dict[str, Any]:
        """Return the shape that `doctor --json` prints."""
        return asdict(self)


def well(name: str, words: str) -> Diagnosis:
    """Return that nothing is wrong there."""
    return Diagnosis(name=name, level="ok", words=words)


def doubtful(name: str, words: str, mend: str | None = None) -> Diagnosis:
    """Return something to look at, with which zetaroute works all the same."""
    return Diagnosis(name=name, level="warn", words=words.removesuffix("."), mend=mend)


def wrong(name: str, words: str, mend: str | None = None) -> Diagnosis:
    """Return something that keeps zetaroute, or a part of it, from working."""
    return Diagnosis(name=name, level="wrong", words=words.removesuffix("."), mend=mend)
