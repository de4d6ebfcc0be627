"""A log learned from in parts teaches what it teaches as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from tests.cli.command import ok, refused, run
from tests.learn.conftest import LOGGED_ROWS as ROWS
from tests.support.results import assert_same_result
from zetaroute.config import Home, default_config_text, load_settings, parse_settings
from zetaroute.domain import unit_of
from zetaroute.learn.incremental.readers import Reader
from zetaroute.learn.incremental.train import TrainingResult, drop_forgotten, open_source, train
from zetaroute.lifecycle.retrain import retrain
from zetaroute.log.sources import open_sources
from zetaroute.projections import log_of

ARMS = parse_settings(default_config_text(), file=None).arms


def lesson(
    home: Path, *, rows: int, known: Any = None, watch: Callable[[Reader], Reader] = lambda reader: reader
) -> TrainingResult:
    """Learn as a retrain does, from partitions of so many rows, read by what `watch` makes of their reader."""
    place = Home(home)
    settings, log = load_settings(None, place.config), log_of(place)
    with log.open() as connection:
        source = open_source(
            connection, log, settings, since=None, sources=(), cluster=False, partition_rows=rows
        )
    source = replace(source, reader=watch(source.reader))
    learned = train(source, settings, log, known=known, anchor=None, seed=0)
    with source.open() as connection:
        drop_forgotten(connection, log, source)
    return learned


def forget_cache(home: Path) -> None:
    """Leave nothing to the next retrain."""
    (home / "vectors.npz").unlink()
    shutil.rmtree(home / "partitions", ignore_errors=True)


def assert_equal(one: TrainingResult, other: TrainingResult, *, tolerance: float = 1e-9) -> None:
    """Both teach the same."""
    assert one.fitted.map.identity() == other.fitted.map.identity()
    assert one.survey.rows == other.survey.rows
    assert one.survey.hash == other.survey.hash
    mine, theirs = one.newest, other.newest
    assert mine.rows.texts == theirs.rows.texts
    np.testing.assert_array_equal(mine.rows.satisfaction, theirs.rows.satisfaction)
    np.testing.assert_array_equal(mine.rows.decision, theirs.rows.decision)
    np.testing.assert_array_equal(mine.x, theirs.x)
    expected = [
        fitted.predictor.forecast(fitted.predictor.vectors(one.newest.rows.texts), ARMS)
        for fitted in (one.fitted, other.fitted)
    ]
    for name in ("accuracy", "accuracy_se", "satisfaction", "response_s", "response_p95_s", "cost_usd"):
        np.testing.assert_allclose(
            getattr(expected[0], name), getattr(expected[1], name), rtol=tolerance, atol=tolerance
        )


@pytest.fixture
def home(logged: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(logged, tmp_path / "home"))


@pytest.mark.parametrize("rows", [110, 250])
def test_parts_teach_what_the_whole_teaches(home: Path, rows: int) -> None:
    whole = lesson(home, rows=10**9)
    forget_cache(home)
    parts = lesson(home, rows=rows)
    assert_equal(whole, parts)
    assert parts.survey.rows["all"] == ROWS
    assert len(parts.newest.x) == parts.survey.rows["train"] == ROWS
    # Thumbs are calibrated on ratings by the whole log, so no part may do it alone.
    assert np.unique(parts.newest.rows.satisfaction[~np.isnan(parts.newest.rows.satisfaction)]).size > 2


def change_in(home: Path, statement: str, *values: object) -> None:
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        log.execute(statement, list(values))


def change(home: Path) -> None:
    """Correct some labels, bring late ones, and add rows."""
    change_in(home, "UPDATE feedback SET value = 1 - value WHERE metric = 'accuracy' AND hash(id) % 11 = 0")
    change_in(home, "DELETE FROM feedback WHERE metric = 'thumbs' AND hash(id) % 7 = 0")
    ok(home, "practice", "generate", "--rows", "40", "--seed", "8", "-o", str(home / "new.jsonl"))
    ok(home, "batch", str(home / "new.jsonl"))


@pytest.mark.parametrize("rows", [170, 10**9])
def test_after_any_change_all_is_learned_that_a_full_count_learns(home: Path, rows: int) -> None:
    known = lesson(home, rows=rows).fitted.map
    change(home)
    again = lesson(home, rows=rows, known=known)
    forget_cache(home)
    assert_equal(again, lesson(home, rows=10**9, known=known))


def test_after_rows_have_gone_the_others_are_learned_from(home: Path) -> None:
    known = lesson(home, rows=170).fitted.map
    change_in(home, "DELETE FROM outcomes WHERE hash(id) % 20 = 0")
    found = lesson(home, rows=170, known=known)
    assert_equal(found, lesson(home, rows=10**9, known=known))


def test_kept_vectors_are_those_that_would_be_made(home: Path) -> None:
    known = lesson(home, rows=170).fitted.map
    kept = (home / "vectors.npz").read_bytes()
    again = lesson(home, rows=170, known=known)
    assert (home / "vectors.npz").read_bytes() == kept
    (home / "vectors.npz").write_bytes(b"damaged")
    assert_equal(again, lesson(home, rows=170, known=known))
    assert (home / "vectors.npz").read_bytes() == kept


def test_what_is_forgotten_leaves_the_kept_vectors(home: Path) -> None:
    ok(home, "retrain", "--promote", "never")
    assert (home / "vectors.npz").exists()
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        (one,) = log.execute("SELECT min(id) FROM outcomes").fetchone() or ("",)
    # What a killed retrain has left.
    (home / "vectors.npz.0a1b2c3d.tmp").write_bytes(b"half")
    ok(home, "log", "forget", one, "--yes")
    assert list(home.glob("vectors.npz*")) == []


def test_a_retrain_in_parts_judges_like_one_of_the_whole(home: Path) -> None:
    place = Home(home)
    settings = load_settings(None, place.config)
    results = []
    for rows in (130, 10**9):
        done = retrain(
            home=place, settings=settings, log=log_of(place), promote="never", partition_rows=rows, page=False
        )
        results.append(done.json())
        shutil.rmtree(home / "artifacts" / done.version)
    one, other = results
    assert_same_result(one, other, tolerance=1e-7)


def test_a_log_may_be_learned_from_by_its_file(home: Path) -> None:
    ok(home, "retrain", "--from", str(home / "zetaroute.duckdb"), "--promote", "never")
    assert not (home / "vectors.npz").exists(), "rows from elsewhere are kept by whom they belong to"
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        assert log.execute("SELECT * FROM foreign_units").fetchall() == [], "it holds all of them itself"


def test_what_another_log_taught_is_noted_once(home: Path, tmp_path: Path) -> None:
    for _ in range(2):
        ok(tmp_path / "new", "retrain", "--from", str(home / "zetaroute.duckdb"), "--promote", "never")
    with duckdb.connect(str(tmp_path / "new" / "zetaroute.duckdb")) as log:
        ((units,),) = log.execute("SELECT units FROM foreign_units").fetchall()
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        texts = log.execute("SELECT DISTINCT query FROM outcomes").fetchall()
    assert units == sorted({f"{unit_of(None, text):016x}" for (text,) in texts})


def test_what_was_forgotten_is_not_brought_back_by_an_older_export(home: Path) -> None:
    ok(home, "log", "export", "--to", str(home / "export"))
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        ids = [one for (one,) in log.execute("SELECT id FROM outcomes ORDER BY id LIMIT 30").fetchall()]
    copied = str(shutil.copytree(home / "export", home / "copied"))
    ok(home, "log", "forget", *ids, "--yes")
    for sources in ([copied, str(home / "zetaroute.duckdb")], [str(home / "zetaroute.duckdb"), copied]):
        with open_sources(sources) as connection:
            found = connection.execute("SELECT count(*), count(forgotten) FROM outcomes").fetchone()
        assert found == (ROWS, 30)


def test_when_nothing_is_left_it_is_said_why(home: Path) -> None:
    ok(home, "log", "forget", "--before", "2100-01-01", "--yes")
    assert f"{ROWS} forgotten rows are not used" in refused(run(home, "retrain"), 1)


def test_vectors_of_rows_that_are_forgotten_while_it_learns_are_not_kept(home: Path) -> None:
    place = Home(home)
    settings, log = load_settings(None, place.config), log_of(place)
    with log.open() as connection:
        source = open_source(
            connection, log, settings, since=None, sources=(), cluster=False, partition_rows=10**9
        )
    with duckdb.connect(str(home / "zetaroute.duckdb")) as connection:
        (one,) = connection.execute("SELECT min(id) FROM outcomes").fetchone() or ("",)
    ok(home, "log", "forget", one, "--yes")
    train(source, settings, log, known=None, anchor=None, seed=0)
    assert (home / "vectors.npz").exists()
    with source.open() as connection:
        drop_forgotten(connection, log, source)
    assert not (home / "vectors.npz").exists()
