"""Kinds of queries: a label, else a cell of the map, else that the text was not kept; in SQL as in a frame."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.cli.command import ok
from tests.support.homes import practice_home
from zetaroute.analysis.query_kinds import UNKEPT, Kinds, kinds_of, names_of, read_kinds
from zetaroute.config import Home
from zetaroute.log.log import Log
from zetaroute.policy import load_policy
from zetaroute.registry import COLD, Registry

ROWS = 200


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a learned policy, where some rows have no label and some of these no text."""
    home = practice_home(tmp_path_factory.mktemp("learned"), rows=ROWS, seed=9)
    ok(home, "retrain", "--promote", "force")
    log = Log(Home(home))
    with log.open() as connection:
        connection.execute("UPDATE outcomes SET task = NULL WHERE hash(id) % 3 = 0")
        connection.execute("UPDATE outcomes SET store = 'hashed' WHERE hash(id) % 5 = 0")
    return home


@pytest.fixture
def log(learned: Path, tmp_path: Path) -> Log:
    """The log of a copy that a test may change."""
    return Log(Home(shutil.copytree(learned, tmp_path / "home")))


def in_sql(log: Log, kinds: Kinds) -> list[tuple[str, str]]:
    with log.open() as connection:
        kind, joined = kinds.join(connection)
        return connection.execute(f"SELECT id, {kind} FROM served {joined} ORDER BY id").fetchall()


def in_a_frame(log: Log, version: str) -> list[tuple[str, str]]:
    registry = Registry(log.home.artifacts)
    with log.open() as connection:
        frame = pl.DataFrame(connection.sql("SELECT * FROM outcomes WHERE fallback_of IS NULL ORDER BY id"))
    return list(
        zip(frame["id"], kinds_of(frame, load_policy(registry, version), registry).tolist(), strict=True)
    )


def test_sql_and_a_frame_agree(log: Log) -> None:
    registry = Registry(log.home.artifacts)
    policy = load_policy(registry, registry.current())
    with log.open() as connection:
        kinds = read_kinds(connection, policy, registry, since=None)
    found = in_sql(log, kinds)
    assert found == in_a_frame(log, policy.version)
    named = {kind for _, kind in found}
    assert UNKEPT in named
    assert named & set(names_of(policy, registry))
    assert "all" not in named


def test_without_a_map_what_has_no_label_is_of_one_kind(log: Log) -> None:
    registry = Registry(log.home.artifacts)
    with log.open() as connection:
        kinds = read_kinds(connection, load_policy(registry, COLD), registry, since=None)
    assert kinds == Kinds()
    assert in_sql(log, kinds) == in_a_frame(log, COLD)


def test_kinds_are_those_of_what_was_asked_since(log: Log) -> None:
    registry = Registry(log.home.artifacts)
    policy = load_policy(registry, registry.current())
    with log.open() as connection:
        assert read_kinds(connection, policy, registry, since="2100-01-01") == Kinds()
