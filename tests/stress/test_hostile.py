"""What a model writes cannot steer the terminal that shows it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tests.cli.command import command, environment, on_terminal
from tests.cli.conftest import says
from tests.providers.loopback import ModelServer

from .conftest import FULL, make_home, model

HOSTILE = {
    "escapes": "\x1b[2J\x1b[31mred\x1b]0;title\x07\x9b31m\x08\x7f",
    "rich markup": "[bold red]x[/] [link=http://evil.example]y[/link] :smile:",
    "OSC 8 link": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "right to left": "safe\u202efdp.exe\u2066\u2069\u200f",
    "a line of a million": "x" * 1_000_000,
    "a tab and a line": "one\ttwo\nthree",
}
HOSTILE["all of it"] = "\n".join(HOSTILE.values())


def steering(text: str) -> set[str]:
    """Return the characters that do something to a terminal instead of being shown."""
    bidi = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
    return {one for one in text if one in bidi or unicodedata.category(one) in {"Cc", "Cs"}} - set("\n\t\r")


@pytest.mark.parametrize("name", HOSTILE if FULL else ["all of it"])
def test_hostile_answers_are_shown_harmless(tmp_path: Path, server: ModelServer, name: str) -> None:
    server.reply(says(HOSTILE[name]))
    home = make_home(tmp_path / "home", model("one/m1", server.url))
    code, seen = on_terminal(command(home, "ask", "hi"), environment(TERM="xterm"))
    assert code == 0, seen
    assert steering(seen) == set()
    harmless = "".join(one for one in HOSTILE[name] if not steering(one))
    assert harmless in seen.replace("\r\n", "\n")
    code, seen = on_terminal(command(home, "log", "show"), environment(TERM="dumb", NO_COLOR="1"))
    assert code == 0, seen
    assert steering(seen) == set()
    assert ("[bold red]x[/]" in seen) == (name in {"rich markup", "all of it"})
