"""How examinations are shown: one line each, the mend after an arrow.

Apart from the other screens because nothing here is a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from zetaroute.report.terminal import plain

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"ok": "green", "warn": "yellow", "wrong": "bold red"}


class Said(Protocol):
    """What is needed of a diagnosis."""

    @property
    def name(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def words(self) -> str: ...
    @property
    def mend(self) -> str | None: ...


def show_diagnoses(console: Console, found: Sequence[Said]) -> None:
    """Show what an examination found, in its order; nothing is folded, so that a line can be copied and grepped."""
    from rich.text import Text

    for one in found:
        line = Text(f"{one.level:6}", style=_STYLES[one.level])
        line.append(f"{one.name:10}", style="default")
        line.append(" ".join(plain(one.words).split()), style="default")
        if one.mend is not None:
            line.append(" -> ", style="dim")
            line.append(plain(one.mend), style="default")
        console.print(line, soft_wrap=True)
