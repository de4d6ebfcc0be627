"""What only some systems have is never imported, so that every room can be loaded on Windows and macOS too."""

from __future__ import annotations

import ast
from pathlib import Path

from zetaroute.config import find_home

ROOT = Path(__file__).parents[1] / "zetaroute"
POSIX_ONLY = {"fcntl", "grp", "pwd", "pty", "readline", "resource", "syslog", "termios", "tty"}
POSIX_CALLS = {"fork", "forkpty", "getuid", "geteuid", "killpg", "mkfifo", "chown", "setsid", "alarm"}


def guarded(tree: ast.Module) -> set[ast.AST]:
    """Return what stands where an import may fail and something else is done."""
    tries = [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
    prepared = [
        one
        for one in tries
        if any(isinstance(by.type, ast.Name) and by.type.id == "ImportError" for by in one.handlers)
    ]
    return {node for one in prepared for part in one.body for node in ast.walk(part)}


def test_nothing_that_only_posix_has_without_another_way():
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in set(ast.walk(tree)) - guarded(tree):
            names = set()
            if isinstance(node, ast.Import):
                names = {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").partition(".")[0]}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                names = {node.attr} & POSIX_CALLS if node.value.id in {"os", "signal"} else set()
            assert not names & (POSIX_ONLY | POSIX_CALLS), f"{path.relative_to(ROOT)}: {names}"


def test_the_home_follows_the_platform_and_what_people_set(monkeypatch, tmp_path):
    monkeypatch.delenv("ZETAROUTE_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert find_home(None).path.name == "zetaroute"
    monkeypatch.setenv("ZETAROUTE_HOME", str(tmp_path / "own"))
    assert find_home(None).path == tmp_path / "own"
    assert find_home(tmp_path / "option").path == tmp_path / "option"
