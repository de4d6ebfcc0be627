"""Ratings: what people can say, the question after an answer, and what the log keeps of being asked."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import command, environment, ok, refused, rows, run
from tests.support.waiting import PATIENCE_S
from zetaroute.feedback.ratings import rating_of

ASKED = "How was it?"
INTERRUPT = b"\x03"
MODEL = '[[models]]\nid = "practice/small"\nprovider = "practice"\ndelay = 0\n'


@pytest.fixture
def asking(tmp_path: Path) -> Path:
    """A home where every answer on a terminal is followed by the question."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text("[ratings]\nask_share = 1\n" + MODEL, encoding="utf-8")
    return home


def on_terminal_with(home: Path, key: bytes, *arguments: str, hurry: bytes = b"") -> tuple[int, str]:
    """Run `ask` on a terminal, with `hurry` typed at once, and press a key when the question is there."""
    master, terminal = pty.openpty()
    words = command(home, *arguments, "What is 2 + 3?")
    os.write(master, hurry)
    with subprocess.Popen(
        words,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment(TERM="xterm"),
    ) as process:
        os.close(terminal)
        seen, pressed = b"", False
        with suppress(OSError):
            while piece := os.read(master, 4096):
                seen += piece
                if ASKED.encode() in seen and not pressed:
                    pressed = True
                    if key == INTERRUPT:
                        process.send_signal(signal.SIGINT)
                    else:
                        os.write(master, key)
        os.close(master)
        return process.wait(PATIENCE_S), seen.decode()


def kept(home: Path) -> list[tuple[Any, ...]]:
    return rows(
        home,
        """SELECT ask_probability, asked, metric, value, source, author, feedback.prompted
           FROM outcomes LEFT JOIN feedback ON outcome_id = outcomes.id ORDER BY feedback.id""",
    )


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"4", ("rating", 4.0, "user", "user", True)),
        (b"D", ("thumbs", 0.0, "user", "user", True)),
        (b"\r", (None,) * 5),
        (INTERRUPT, (None,) * 5),
        ("é".encode(), (None,) * 5),
        (b"\x1b[A", (None,) * 5),
    ],
    ids=["4", "D", "enter", "ctrl-c", "accent", "arrow"],
)
def test_one_key_answers_or_skips(asking: Path, key: bytes, expected: tuple[Any, ...]) -> None:
    code, seen = on_terminal_with(asking, key, "ask")
    assert code == 0
    assert ("kept" in seen) == (expected[0] is not None)
    assert "Traceback" not in seen
    assert kept(asking) == [(1.0, True, *expected)]


def test_a_key_that_says_nothing_is_no_rating() -> None:
    assert [rating_of(key) for key in ("", "x", "7", "0", "\x04", "é", "\x1b")] == [None] * 7
    assert [given.value for key in "15uUdD" if (given := rating_of(key))] == [1, 5, 1, 1, 0, 0]


def test_what_was_typed_before_the_question_is_no_answer_to_it(asking: Path) -> None:
    on_terminal_with(asking, b"\r", "ask", hurry=b"1")
    assert kept(asking) == [(1.0, True, None, None, None, None, None)]


def test_rating_after_a_skip_is_volunteered_and_a_correction_is_not(asking: Path) -> None:
    on_terminal_with(asking, b"\r", "ask")
    ok(asking, "rate", "5")
    on_terminal_with(asking, b"2", "ask")
    ok(asking, "rate", "3")
    ok(asking, "rate", "1", "--author", "ann")
    assert [(value, prompted) for *_, value, _, _, prompted in kept(asking)] == [
        (5.0, False),
        (2.0, True),
        (3.0, True),
        (1.0, False),
    ]
    assert rows(asking, "SELECT asked, prompted, satisfaction FROM served ORDER BY id") == [
        (True, False, 1.0),
        (True, True, 0.25),
    ]


@pytest.mark.parametrize("arguments", [("--quiet", "ask"), ("ask", "--json"), ("ask", "--rate", "4")])
def test_nobody_is_asked_who_does_not_want_to_be(asking: Path, arguments: tuple[str, ...]) -> None:
    code, seen = on_terminal_with(asking, b"4", *arguments)
    assert code == 0
    assert ASKED not in seen
    assert rows(asking, "SELECT ask_probability, asked FROM outcomes") == [(None, None)]


def test_pipes_and_batches_cannot_be_asked(asking: Path, tmp_path: Path) -> None:
    ok(asking, "ask", "What is 2 + 3?")
    (tmp_path / "q.jsonl").write_text('{"query": "What is 2 + 3?"}\n', encoding="utf-8")
    ok(asking, "batch", str(tmp_path / "q.jsonl"))
    assert rows(asking, "SELECT DISTINCT ask_probability, asked FROM outcomes") == [(None, None)]


def test_share_of_nothing_asks_nobody(asking: Path) -> None:
    (asking / "config.toml").write_text("[ratings]\nask_share = 0\n" + MODEL, encoding="utf-8")
    _, seen = on_terminal_with(asking, b"4", "ask")
    assert ASKED not in seen
    assert rows(asking, "SELECT ask_probability, asked FROM outcomes") == [(None, None)]


def test_lot_is_written_down_whether_it_asks_or_not(asking: Path) -> None:
    (asking / "config.toml").write_text("[ratings]\nask_share = 0.5\n" + MODEL, encoding="utf-8")
    seen = [on_terminal_with(asking, b"\r", "ask", "--seed", str(seed))[1] for seed in range(4)]
    asked = [ASKED in one for one in seen]
    assert set(asked) == {True, False}
    assert rows(asking, "SELECT ask_probability, asked FROM outcomes ORDER BY id") == [
        (0.5, one) for one in asked
    ]


def test_verdicts_keep_their_word(folder: Path) -> None:
    means = {"good_fit": 1.0, "overprovisioned": 1.0, "underpowered": 0.25, "failed": 0.0}
    for word in means:
        ok(folder, "ask", "--rate", word, "What is 2 + 3?")
    assert rows(folder, "SELECT metric, value, label, prompted FROM feedback ORDER BY id") == [
        ("verdict", satisfaction, word, False) for word, satisfaction in means.items()
    ]
    said = "SELECT satisfaction, verdict_label, satisfaction_source FROM rounds ORDER BY id"
    assert rows(folder, said) == [(satisfaction, word, "user") for word, satisfaction in means.items()]
    assert "verdict failed by user" in ok(folder, "log", "show").out


def test_words_that_are_no_rating_are_refused_before_anything_is_asked(folder: Path) -> None:
    for word in ("6", "0", "2.5", "good", "", "nan"):
        assert "good_fit" in refused(run(folder, "ask", "--rate", word, "What is 2 + 3?"), 2)
    assert rows(folder, "SELECT count(*) FROM outcomes") == [(0,)]


def test_metric_of_a_scale_takes_only_its_own_words(folder: Path) -> None:
    ok(folder, "ask", "What is 2 + 3?")
    ok(folder, "rate", "up", "--metric", "thumbs")
    refused(run(folder, "rate", "7", "--metric", "rating"), 2)
    refused(run(folder, "rate", "0.5", "--metric", "verdict"), 2)


def test_judges_and_implicit_signals_are_not_averaged_into_what_people_say(folder: Path) -> None:
    first = ok(folder, "ask", "--json", "--rate", "2", "What is 2 + 3?").json["id"]
    second = ok(folder, "ask", "--json", "What is 2 + 4?").json["id"]
    segment = {
        "feedback": [
            {
                "id": f"{number}",
                "outcome_id": one,
                "metric": "thumbs",
                "value": value,
                "source": source,
                "author": source,
                "time": "2026-01-01T00:00:00",
            }
            for number, (one, value, source) in enumerate(
                [
                    (first, 1.0, "judge"),
                    (first, 1.0, "implicit"),
                    (second, 1.0, "judge"),
                    (second, 0.0, "implicit"),
                ]
            )
        ]
    }
    (folder / "journal" / "0.jsonl").write_text(json.dumps(segment) + "\n", encoding="utf-8")
    assert rows(folder, "SELECT satisfaction, satisfaction_source FROM rounds ORDER BY id") == [
        (0.25, "user"),
        (1.0, "judge"),
    ]


def test_a_rating_means_the_last_ask_and_says_which_answer_that_was(folder: Path, tmp_path: Path) -> None:
    first = ok(folder, "ask", "--json", "What is 2 + 3?").json["id"]
    last = ok(folder, "ask", "--json", "-m", "practice/small", "What is 2 + 4?").json["id"]
    (tmp_path / "q.jsonl").write_text('{"query": "What is 7 + 8?"}\n', encoding="utf-8")
    ok(folder, "batch", str(tmp_path / "q.jsonl"))
    said = ok(folder, "rate", "4").err
    assert f"kept rating 4 for {last} (practice/small: What is 2 + 4? -> " in said
    ok(folder, "rate", "down", "last")
    ok(folder, "rate", first, "2")
    ok(folder, "rate", "up", first)
    assert rows(folder, "SELECT outcome_id, metric, value FROM feedback ORDER BY id") == [
        (last, "rating", 4.0),
        (last, "thumbs", 0.0),
        (first, "rating", 2.0),
        (first, "thumbs", 1.0),
    ]
    assert ok(folder, "log", "show", "last", "--json").json["id"] == last
    assert ok(folder, "log", "show", first[:-1], "--json").json["id"] == first


def test_a_name_that_several_answers_or_none_have_is_refused(folder: Path) -> None:
    refused(run(folder, "rate", "4"), 2)
    first, second = (ok(folder, "ask", "--json", "What is 2 + 3?").json["id"] for _ in range(2))
    assert first[:6] == second[:6]
    assert "several ids begin with" in refused(run(folder, "rate", first[:6], "4"), 2)
    assert "no answer has the id 'nobody'" in refused(run(folder, "rate", "4", "nobody"), 2)
    assert "did you mean accuracy?" in refused(run(folder, "rate", "1", "--metric", "acuracy"), 2)


def test_feedback_and_forgetting_take_the_beginning_of_an_id(folder: Path, tmp_path: Path) -> None:
    first, second = (ok(folder, "ask", "--json", "What is 2 + 3?").json["id"] for _ in range(2))
    (tmp_path / "f.csv").write_text(
        f"outcome_id,metric,value\n{first[:-1]},rating,2\nlast,rating,5\n", encoding="utf-8"
    )
    assert ok(folder, "feedback", "import", str(tmp_path / "f.csv"), "--json").json["added"] == 2
    assert rows(folder, "SELECT outcome_id, value FROM feedback ORDER BY value") == [
        (first, 2.0),
        (second, 5.0),
    ]
    ok(folder, "log", "forget", first[:-1], "--yes")
    assert rows(folder, "SELECT id FROM outcomes WHERE forgotten IS NOT NULL") == [(first,)]
