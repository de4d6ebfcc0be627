"""`zetaroute` alone: where you stand, and what to do next."""

from __future__ import annotations

import pytest

from tests.cli.command import ok, run
from zetaroute.config import Home, load_settings
from zetaroute.projections import log_of
from zetaroute.setup.overview import overview


def lines(folder):
    home = Home(folder)
    return overview(home, load_settings(None, home.config), log_of(home))


def told(folder, label):
    return " | ".join(words for name, words in lines(folder) if name == label)


@pytest.fixture
def folder(tmp_path, instant_config):
    path = tmp_path / "home"
    path.mkdir()
    (path / "config.toml").write_text(instant_config, encoding="utf-8")
    return path


def test_a_new_home_says_how_to_begin(tmp_path):
    said = ok(tmp_path / "none")
    assert "practice models answer" in said.out
    assert "zetaroute init --detect" in said.out
    assert not (tmp_path / "none").exists()
    assert len(said.out.splitlines()) <= 10


def test_what_was_asked_and_said_is_counted(folder):
    ok(folder, "ask", "-m", "practice/large", "What is 2 + 3?")
    assert told(folder, "log") == "1 queries, 0 answers graded, 0 rated; the last just now"
    assert "nothing is graded" in told(folder, "next")
    ok(folder, "rate", "up")
    ok(folder, "ask", "-m", "practice/large", "--reference", "5", "What is 2 + 3?")
    assert told(folder, "log").startswith("2 queries, 1 answers graded, 1 rated")
    assert told(folder, "models").startswith("3: practice/large 100%")
    assert told(folder, "next").startswith("go on asking (1 new graded rows, 200 wanted")


def test_a_log_with_enough_grades_is_to_be_learned_from_and_then_has_a_contest(folder):
    lines_file = folder / "q.jsonl"
    ok(folder, "practice", "generate", "--rows", "220", "--seed", "5", "-o", str(lines_file))
    ok(folder, "batch", str(lines_file))
    assert told(folder, "next").startswith("`zetaroute retrain` (")
    assert told(folder, "policy").startswith("the config's priors")
    ok(folder, "retrain")
    said = ok(folder)
    assert "contest  v0001-" in said.out or "policy   v0001-" in said.out
    assert len(said.out.splitlines()) <= 10


def test_a_broken_config_is_one_sentence(folder):
    (folder / "config.toml").write_text("surprise = 1\n", encoding="utf-8")
    assert run(folder).code == 2
