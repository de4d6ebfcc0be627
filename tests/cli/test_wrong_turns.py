"""Wrong turns of newcomers: each is answered with what was meant, and none with a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from tests.cli.command import command, environment, ok, refused, rows, run, write_lines
from tests.cli.conftest import fails
from tests.providers.loopback import ModelServer
from zetaroute.cli.options import Preset
from zetaroute.config import PRESETS


@pytest.mark.parametrize("words", [("log",), ("models",), ("policies",)])
def test_a_group_alone_is_answered_with_its_help_and_no_error(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zetaroute", *words],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = done.stderr.decode()
    assert done.returncode == 2
    assert said.startswith("Usage: zetaroute")
    assert "error" not in said.splitlines()[0]
    assert "..." not in said.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("aks", "hello"), "there is no command 'aks' (did you mean ask?)"),
        (("models", "lst"), "there is no command 'lst' (did you mean list?)"),
        (("telephone",), "there is no command 'telephone': see"),
        (("What is 2 + 3?",), "(`zetaroute ask` asks a query)"),
        (("ask", "--explian", "hello"), "'--explain'? See `zetaroute ask --help`."),
        (("ask", "-m", "large", "hello"), "(did you mean practice/large?)"),
        (("ask", "-m", "practice/lrge", "hello"), "(did you mean practice/large?)"),
        (("ask", "-m", "gpt-9", "hello"), "no model is called 'gpt-9'; configured are practice/small"),
        (("ask", "--prefer", "best", "hello"), "'best' is not one of 'quality', 'balanced', 'cheap', 'fast'"),
        (("batch", "q.jsonl", "--format", "csv"), "'csv' is not one of 'plain', 'openai'"),
        (("batch", "q.jsonl", "--part", "all"), "'all' is not one of 'train', 'test'"),
        (("kpi", "--fail-under", "acuracy=0.9"), "names 'acuracy': choose one of accuracy_rate"),
    ],
)
def test_what_was_meant_is_named(folder: Path, words: tuple[str, ...], hint: str) -> None:
    said = refused(run(folder, *words), 2)
    assert hint in said
    assert said.count("did you mean") <= 1


def test_a_preset_can_be_preferred_as_it_can_be_configured() -> None:
    assert set(get_args(Preset)) == set(PRESETS)


def test_an_empty_log_is_told(folder: Path) -> None:
    assert ok(folder, "log", "list").out.startswith("nothing to show")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    "words", [("ask", "-m", "practice/large", "What is 2 + 3?"), ("models", "list"), ("kpi", "--json")]
)
def test_an_answer_that_cannot_be_written_is_told_and_kept(folder: Path, words: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command(folder, "--quiet", *words),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("error: ")
    assert "No space left on device" in line
    if words[0] == "ask":
        assert rows(folder, "SELECT status, response LIKE '%The answer is 5.' FROM outcomes") == [
            ("ok", True)
        ]


def test_thumbs_are_told_as_they_were_typed(folder: Path) -> None:
    ok(folder, "ask", "What is 2 + 3?")
    assert "kept thumbs down for" in ok(folder, "rate", "down").err
    assert "thumbs down by user" in ok(folder, "log", "show").out
    assert "kept rating 4 for" in ok(folder, "rate", "4").err


def test_a_reason_that_stops_several_models_is_told_once(http_folder: Path, server: ModelServer) -> None:
    server.reply(fails(400, "too tired"))
    said = refused(run(http_folder, "ask", "why?"), 3)
    assert said.count("too tired") == 1
    assert "one/m1" in said
    assert "two/m2" in said


def test_a_batch_that_fails_says_why(http_folder: Path, server: ModelServer) -> None:
    server.reply(fails(400, "too tired"))
    write_lines(http_folder / "rows.jsonl", [{"query": "why?"}])
    said = run(http_folder, "batch", str(http_folder / "rows.jsonl"))
    assert said.code == 3
    assert "the latest failure: " in said.err
    assert "too tired" in said.err
