"""Completion by tab: names of what is there, in every shell, and silence where something is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.cli.command import environment, ok, run
from tests.cli.conftest import by_model, fails, says
from tests.support.waiting import PATIENCE_S


def offered(shell, folder, *words, config=None):
    """Return what a shell is offered for the last of the words."""
    first = ["zetaroute", "--home", str(folder), *(("--config", str(config)) if config else ())]
    line = " ".join([*first, *words])
    done = subprocess.run(
        [sys.executable, "-m", "zetaroute"],
        env=environment(
            _ZETAROUTE_COMPLETE=f"complete_{shell}",
            COMP_WORDS=line,
            COMP_CWORD=str(len(first) + len(words) - 1),
            _TYPER_COMPLETE_ARGS=line,
            _TYPER_COMPLETE_FISH_ACTION="get-args",
            _TYPER_COMPLETE_WORD_TO_COMPLETE=words[-1],
        ),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stderr == b""
    return done.stdout.decode()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("words", [("ask", "-m"), ("batch", "--model"), ("models", "check", "-m")])
def test_models_are_offered_in_every_shell(folder, shell, words):
    said = offered(shell, folder, *words, "practice/")
    assert [name for name in ("small", "medium", "large") if f"practice/{name}" in said] == [
        "small",
        "medium",
        "large",
    ]


def test_versions_answers_and_choices_are_offered(folder):
    ok(folder, "ask", "What is 2 + 3?")
    answer = ok(folder, "ask", "--json", "Sort 3, 1, 2").json["id"]
    assert offered("bash", folder, "policies", "show", "v").split() == ["v0000"]
    assert offered("bash", folder, "kpi", "--before", "c").split() == ["current"]
    assert offered("bash", folder, "log", "show", "0").split()[0] == answer
    assert "Sort 3, 1, 2" in offered("fish", folder, "log", "show", "0")
    assert offered("bash", folder, "rate", "u").split() == ["up"]
    assert offered("bash", folder, "rate", answer[:-1]).split() == [answer]
    assert offered("bash", folder, "ask", "--prefer", "q").split() == ["quality"]
    assert offered("bash", folder, "ask", "--grader", "rou").split() == ["rouge-l"]


def test_what_is_wrong_offers_nothing(folder, tmp_path):
    (folder / "config.toml").write_text("[[models]]\nid = 7\n")
    (folder / "zetaroute.duckdb").write_bytes(b"none")
    assert offered("bash", folder, "ask", "-m", "p").strip() == ""
    assert offered("bash", folder, "log", "show", "0").strip() == ""
    assert offered("bash", tmp_path / "none", "log", "show", "0").strip() == ""
    assert not (tmp_path / "none").exists()


def test_the_config_of_the_line_counts(folder, tmp_path):
    config = tmp_path / "other.toml"
    own = '[[models]]\nid = "my/own"\nprovider = "practice"\nmodel = "small"\naliases = ["mine"]\n'
    config.write_text(own)
    assert offered("bash", folder, "ask", "-m", "my", config=config).split() == ["my/own"]
    assert offered("bash", folder, "ask", "-m", "mi", config=config).split() == ["mine"]


def test_quiet_says_nothing_beside_the_answer(http_folder, server):
    server.reply(by_model(m1=fails(400), m2=says("dear")))
    for flags in ((), ("--no-stream",)):
        for seed in range(4):
            said = run(http_folder, "--quiet", "ask", "--seed", str(seed), *flags, "why?")
            assert (said.code, said.out, said.err) == (0, "dear\n", "")


COLONS = """
[[models]]
id = "ollama/llama3.2:3b"
provider = "practice"
model = "small"
[[models]]
id = "ollama/llama3.2:1b"
provider = "practice"
model = "medium"
[[models]]
id = "vertex/claude@2025"
provider = "practice"
model = "large"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("pieces", "offers"),
    [
        ("ask -m ollama/ll", ["ollama/llama3.2:3b", "ollama/llama3.2:1b"]),
        ("ask -m ollama/llama3.2 :", ["3b", "1b"]),
        ("ask -m ollama/llama3.2 : 3", ["3b"]),
        ("ask --model = ollama/llama3.2 : 3", ["3b"]),
        ("ask --model =", ["ollama/llama3.2:3b", "ollama/llama3.2:1b", "vertex/claude@2025"]),
        ("models check -m vertex/claude @ 20", ["@2025"]),
        ("models check -m vertex/", ["vertex/claude@2025"]),
        ("ask -m ollama/llama3.2 : 9", []),
        ("ask --prefer qu", ["quality"]),
    ],
)
def test_bash_completes_names_that_it_breaks_into_pieces(folder, tmp_path, pieces, offers):
    """The function of the script that `--show-completion` prints, called with the words as bash breaks them."""
    config = tmp_path / "colons.toml"
    config.write_text(COLONS)
    words = ["zetaroute", "--config", str(config), *pieces.split()]
    program = tmp_path / "zetaroute"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zetaroute "$@"\n')
    program.chmod(0o755)
    script = """
    eval "$(_ZETAROUTE_COMPLETE=source_bash zetaroute)"
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _zetaroute_completion zetaroute
    for one in "${COMPREPLY[@]}"; do echo "offer $one"; done
    """
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        env=environment(ZETAROUTE_HOME=str(folder), PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}"),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    assert [line.removeprefix("offer ") for line in done.stdout.decode().splitlines()] == offers
