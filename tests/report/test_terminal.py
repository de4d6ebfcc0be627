"""What people see is safe and whole, whatever models and users wrote."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from tests.cli.command import ok
from zetaroute.report.terminal import one_line, plain


@given(text=st.text() | st.text(st.characters(max_codepoint=0xA0)))
def test_plain_text_cannot_steer_a_terminal(text: str) -> None:
    safe = plain(text)
    assert [one for one in safe if unicodedata.category(one) == "Cc" and one not in "\n\t"] == []
    assert plain(safe) == safe
    assert safe.encode("utf-8").decode("utf-8") == safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "[31mred"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("\u202eabc\u202c", "abc"),
        ("👩‍👩‍👧 नमस्ते", "👩‍👩‍👧 नमस्ते"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
    ],
)
def test_what_is_kept_and_what_is_not(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(text=st.text(), width=st.integers(min_value=2, max_value=40))
def test_one_line_is_one_line(text: str, width: int) -> None:
    short = one_line(text, width)
    assert len(short) <= width
    assert len(short.splitlines()) <= 1


def test_markup_and_escapes_in_a_log_are_shown_as_they_are(tmp_path: Path) -> None:
    config = '[[models]]\nid = "practice/small"\nprovider = "practice"\ndelay = 0\n'
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    query = "[bold]what[/bold] [/] \x1b[2J is :smile: \x07?"
    ok(tmp_path, "ask", "--task", "[red]t[/red]", stdin=query.encode())
    assert "[bold]what[/bold] [/] [2J is :smile: ?" in ok(tmp_path, "log", "show").out
    assert "[bold]what[/bold]" in ok(tmp_path, "log", "list").out
    assert "[red]t[/red]" in ok(tmp_path, "kpi", "--by", "task").out
