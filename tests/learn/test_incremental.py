"""A retrain reads again only what has changed and the newest rows, and learns what it would learn from all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import duckdb
import pytest

from tests.cli.command import ok
from tests.learn.test_train import assert_equal, change_in, forget_cache, lesson
from zetaroute.config import Home, load_settings
from zetaroute.learn.incremental import survey, train as learning
from zetaroute.learn.incremental.collect import CollectRequest
from zetaroute.learn.incremental.readers import Partitions, Reader
from zetaroute.lifecycle.retrain import Promote, retrain
from zetaroute.log.partitions import fingerprints, spans
from zetaroute.projections import log_of
from zetaroute.registry import Registry

ROWS = 100
"""In a partition."""
SPANS = 6
"""So many partitions does the log of 600 rows have."""


class Reads(list[tuple[str, int]]):
    """Which pass has read which partition."""

    def of(self, name: str) -> list[int]:
        return sorted(number for which, number in self if which == name)

    def watch(self, reader: Reader, before_counting: Callable[[], None] = lambda: None) -> Reader:
        assert isinstance(reader, Partitions)
        values = {one.name: getattr(reader, one.name) for one in fields(Partitions) if one.init}
        return Watched(**values, reads=self, before_counting=before_counting)


@dataclass(frozen=True, kw_only=True)
class Watched(Partitions):
    """Partitions that note who reads them."""

    reads: Reads
    before_counting: Callable[[], None]

    def each(self, learn, wanted, numbers):
        name = "survey"
        if isinstance(wanted, CollectRequest):
            name = "count" if wanted.count else "newest"
            self.before_counting()
        self.reads.extend((name, number) for number in numbers)
        return Partitions.each(self, learn, wanted, numbers)


@pytest.fixture
def reads() -> Reads:
    return Reads()


def set_sizes(patch: pytest.MonkeyPatch) -> None:
    """Let few rows be new, and a map of some hundred texts never be outgrown."""
    for name, most in (("RECENT", 40), ("MOST_OF_ARM", 1)):
        patch.setattr(survey, name, most)
    patch.setattr(learning, "MOST_TEXTS", 10)


@pytest.fixture(scope="module")
def once_retrained(logged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = Path(shutil.copytree(logged, tmp_path_factory.mktemp("retrained") / "home"))
    with pytest.MonkeyPatch.context() as patch:
        set_sizes(patch)
        retrained(place, "force")
    return place


@pytest.fixture
def home(once_retrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that was retrained, where few rows are new and a map of some hundred texts is never outgrown."""
    set_sizes(monkeypatch)
    return Path(shutil.copytree(once_retrained, tmp_path / "home"))


def retrained(home: Path, promote: Promote) -> None:
    place = Home(home)
    retrain(
        home=place,
        settings=load_settings(None, place.config),
        log=log_of(place),
        promote=promote,
        partition_rows=ROWS,
        page=False,
    )


def known(home: Path):
    registry = Registry(home / "artifacts")
    from zetaroute.policy import load_policy

    return load_policy(registry, registry.current()).predictor.map


def add_rows(home: Path, rows: int = 30) -> None:
    ok(home, "practice", "generate", "--rows", str(rows), "--seed", "8", "-o", str(home / "new.jsonl"))
    ok(home, "batch", str(home / "new.jsonl"))


def dearer(home: Path) -> None:
    """Let a model have a new price."""
    config = home / "config.toml"
    text = config.read_text(encoding="utf-8")
    price = next(line for line in text.splitlines() if line.startswith("price "))
    config.write_text(text.replace(price, price.replace("0.", "1.", 1), 1), encoding="utf-8")
    assert config.read_text(encoding="utf-8") != text


def assert_as_if_afresh(home: Path, reads: Reads) -> None:
    """What is learned with the help of the cache is what is learned without."""
    expected_map = known(home)
    again = lesson(home, rows=ROWS, known=expected_map, watch=reads.watch)
    forget_cache(home)
    assert_equal(again, lesson(home, rows=10**9, known=expected_map))


def test_only_new_rows_are_counted_and_only_the_newest_are_read(home: Path, reads: Reads) -> None:
    add_rows(home)
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == [SPANS]
    assert reads.of("count") == [SPANS]
    assert set(reads.of("newest")) >= {SPANS - 1}
    assert set(reads.of("newest")).isdisjoint({0, 1})


def test_without_any_change_nothing_is_surveyed_or_counted(home: Path, reads: Reads) -> None:
    lesson(home, rows=ROWS, known=known(home), watch=reads.watch)
    assert reads.of("survey") == reads.of("count") == []
    assert 0 < len(reads.of("newest")) < SPANS / 2


def test_texts_for_a_map_that_may_grow_are_read_again_and_not_counted(
    home: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "MOST_TEXTS", 20_000)
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == list(range(SPANS))
    assert reads.of("count") == []


def test_cache_serves_again_and_again(home: Path, reads: Reads) -> None:
    for rows in (10, 25, 40):
        add_rows(home, rows)
        retrained(home, "never")
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == reads.of("count") == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE feedback SET value = value / 2 + 0.1 WHERE metric = 'accuracy' AND outcome_id = ?",
        "UPDATE outcomes SET response_s = 9 WHERE id = ?",
        "UPDATE outcomes SET task = 'other' WHERE id = ?",
    ],
)
def test_a_span_in_which_something_changed_is_read_again(home: Path, reads: Reads, statement: str) -> None:
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        (old,) = log.execute("SELECT id FROM outcomes ORDER BY id LIMIT 1 OFFSET 120").fetchone() or ("",)
    change_in(home, statement, old)
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == [1]
    assert reads.of("count") == [1]
    assert set(reads.of("newest")).isdisjoint({0, 2})


def test_a_rating_that_changes_what_thumbs_mean_has_all_counted_again(home: Path, reads: Reads) -> None:
    change_in(
        home,
        """INSERT INTO feedback BY NAME
           SELECT uuidv7()::VARCHAR AS id, outcome_id, time, metric, if(value = 5, 1, 5) AS value, source,
                  'other' AS author
           FROM feedback WHERE metric = 'rating'
           AND outcome_id = (SELECT id FROM outcomes ORDER BY id LIMIT 1 OFFSET 120)""",
    )
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == [1]
    assert reads.of("count") == list(range(SPANS))


@pytest.mark.parametrize(
    "which", ["hash(id) % 20 = 0", "id > (SELECT id FROM outcomes ORDER BY id LIMIT 1 OFFSET 570)"]
)
def test_after_rows_have_gone_all_is_right(home: Path, reads: Reads, which: str) -> None:
    change_in(home, f"DELETE FROM outcomes WHERE {which}")
    assert_as_if_afresh(home, reads)


def test_new_prices_have_all_counted_again_but_not_surveyed(home: Path, reads: Reads) -> None:
    dearer(home)
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == []
    assert reads.of("count") == list(range(SPANS))


@pytest.mark.parametrize("content", [None, b"", b"PK"])
def test_a_lost_cache_costs_time_alone(home: Path, reads: Reads, content: bytes | None) -> None:
    for file in (home / "partitions").iterdir():
        file.unlink() if content is None else file.write_bytes(content)
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == reads.of("count") == list(range(SPANS))


def test_nothing_is_kept_but_of_the_log_as_it_is(home: Path) -> None:
    for rows in (10, 60):
        add_rows(home, rows)
        dearer(home)
        retrained(home, "never")
    assert len(list((home / "partitions").iterdir())) == 2 * (SPANS + 1)


def test_feedback_that_comes_while_it_reads_is_seen_the_next_time(home: Path, reads: Reads) -> None:
    add_rows(home)
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        graded = (
            "SELECT outcome_id FROM feedback WHERE metric = 'accuracy' ORDER BY outcome_id LIMIT 1 OFFSET 10"
        )
        (old,) = log.execute(graded).fetchone() or ("",)

    def late() -> None:
        change_in(
            home,
            "UPDATE feedback SET value = value / 2 + 0.1 WHERE metric = 'accuracy' AND outcome_id = ?",
            old,
        )

    lesson(home, rows=ROWS, known=known(home), watch=lambda reader: Reads().watch(reader, late))
    assert_as_if_afresh(home, reads)
    assert 0 in reads.of("survey")
    assert 0 in reads.of("count")


def test_what_is_forgotten_leaves_no_sums(home: Path) -> None:
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        (one,) = log.execute("SELECT min(id) FROM outcomes").fetchone() or ("",)
    ok(home, "log", "forget", one, "--yes")
    assert not (home / "partitions").exists()


def test_sums_of_rows_that_are_forgotten_while_it_learns_are_not_kept(home: Path, reads: Reads) -> None:
    add_rows(home)

    def forget() -> None:
        change_in(home, "UPDATE outcomes SET forgotten = now() WHERE id = (SELECT min(id) FROM outcomes)")

    lesson(home, rows=ROWS, known=known(home), watch=lambda reader: reads.watch(reader, forget))
    assert not (home / "partitions").exists()


def test_a_fingerprint_is_of_one_span_alone(home: Path) -> None:
    def found() -> list[str]:
        with duckdb.connect(str(home / "zetaroute.duckdb"), read_only=True) as log:
            return fingerprints(log, spans(log, ROWS))

    before = found()
    assert len(set(before)) == SPANS
    change_in(home, "UPDATE outcomes SET forgotten = now() WHERE id = (SELECT max(id) FROM outcomes)")
    after = found()
    assert [one == other for one, other in zip(before, after, strict=True)] == [True] * (SPANS - 1) + [False]


def test_rows_that_have_come_since_are_in_no_span(home: Path) -> None:
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        parts = spans(log, ROWS)
        before = fingerprints(log, parts)
        log.execute("INSERT INTO outcomes SELECT * REPLACE (uuidv7()::VARCHAR AS id) FROM outcomes LIMIT 5")
        assert fingerprints(log, parts) == before
        assert fingerprints(log, spans(log, ROWS))[:-1] == before


def test_an_empty_log_is_one_span_that_says_nothing() -> None:
    with duckdb.connect() as log:
        log.execute("CREATE TABLE outcomes (id VARCHAR)")
        log.execute("CREATE TABLE feedback (outcome_id VARCHAR)")
        assert fingerprints(log, spans(log, ROWS)) == [""]


def test_the_rows_of_the_last_spans_are_read_once(home: Path) -> None:
    log, settings = log_of(Home(home)), load_settings(None, Home(home).config)
    with log.open() as connection:
        source = learning.open_source(
            connection, log, settings, since=None, sources=(), cluster=False, partition_rows=ROWS
        )
    reader = source.reader
    assert isinstance(reader, Partitions)
    first, second, third, *_ = reader.spans
    frames = [reader.read(span) for span in (first, second)]
    assert reader.read(first) is frames[0]
    reader.read(third)
    assert reader.read(second) is frames[1]
    assert reader.read(first) is not frames[0]
