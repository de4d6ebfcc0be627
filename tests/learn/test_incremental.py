"""A retrain reads again only what has changed and the newest rows, and learns what it would learn from all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.cli.command import ok
from tests.learn.test_train import assert_equal, lesson, logged
from zetaroute.learn.incremental import survey
from zetaroute.learn.incremental import train as learning
from zetaroute.learn.incremental.collect import collect_statistics
from zetaroute.learn.incremental.readers import Blocks
from zetaroute.log.partitions import fingerprints, spans
from zetaroute.registry import Registry

__all__ = ["logged"]
BLOCK = 50
SPANS = 12
"""So many blocks does the log of 600 rows have."""


class Reads(list[tuple[str, int]]):
    """Which pass has read the span that begins where."""

    def of(self, name: str) -> list[int]:
        return sorted(number for which, number in self if which == name)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    found = Reads()
    each = Blocks.each

    def watched(self, learn, wanted, but=()):
        name = "harvest" if learn is collect_statistics else "survey"
        found.extend((name, number) for number in range(len(self.spans)) if number not in but)
        return each(self, learn, wanted, but)

    monkeypatch.setattr(Blocks, "each", watched)
    return found


@pytest.fixture
def home(logged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that was retrained, where few rows are new and a map of some hundred texts is never outgrown."""
    for name, most in (("RECENT", 40), ("MOST_OF_ARM", 1), ("MOST_HELD_OUT", 60)):
        monkeypatch.setattr(survey, name, most)
    monkeypatch.setattr(learning, "MOST_TEXTS", 10)
    place = Path(shutil.copytree(logged, tmp_path / "home"))
    ok(place, "retrain", "--promote", "force", "--block", str(BLOCK))
    return place


def known(home: Path):
    registry = Registry(home / "artifacts")
    from zetaroute.policy import load_policy

    return load_policy(registry, registry.current()).predictor.map


def change(home: Path, statement: str, *values: object) -> None:
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        log.execute(statement, list(values))


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
    """What is learned with the help of memory is what is learned without."""
    again = lesson(home, block=BLOCK, known=known(home))
    seen = Reads(reads)
    expected_map = known(home)
    shutil.rmtree(home / "artifacts")
    for name in ("spans.npz", "vectors.npz"):
        (home / name).unlink()
    assert_equal(again, lesson(home, block=10**9, known=expected_map), tolerance=1e-7)
    reads[:] = seen


def test_only_new_rows_are_surveyed_and_only_the_newest_are_read(home: Path, reads: Reads) -> None:
    add_rows(home)
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == [SPANS]
    assert set(reads.of("harvest")) >= {SPANS - 1, SPANS}
    assert set(reads.of("harvest")).isdisjoint({0, 1, 2, 3})


def test_without_any_change_nothing_is_surveyed(home: Path, reads: Reads) -> None:
    first = lesson(home, block=BLOCK, known=known(home))
    assert reads.of("survey") == []
    assert 0 < len(reads.of("harvest")) < SPANS / 2
    assert first.fitted.statistics.added == 0


def test_memory_serves_again_and_again(home: Path, reads: Reads) -> None:
    for rows in (10, 25, 40):
        add_rows(home, rows)
        ok(home, "retrain", "--promote", "never", "--block", str(BLOCK))
    reads.clear()
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE feedback SET value = 1 - value WHERE metric = 'accuracy' AND outcome_id = ?",
        "UPDATE outcomes SET response_s = 9 WHERE id = ?",
        "UPDATE outcomes SET task = 'other' WHERE id = ?",
    ],
)
def test_a_span_in_which_something_changed_is_read_again(home: Path, reads: Reads, statement: str) -> None:
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        (old,) = log.execute("SELECT id FROM outcomes ORDER BY id LIMIT 1 OFFSET 120").fetchone() or ("",)
    change(home, statement, old)
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == [2]
    assert 2 in reads.of("harvest")
    assert set(reads.of("harvest")).isdisjoint({0, 1, 3})


def test_a_rating_that_changes_what_thumbs_mean_has_all_counted_again(home: Path, reads: Reads) -> None:
    change(
        home,
        """INSERT INTO feedback BY NAME
           SELECT uuidv7()::VARCHAR AS id, outcome_id, time, metric, if(value = 5, 1, 5) AS value, source,
                  'other' AS author
           FROM feedback WHERE metric = 'rating'
           AND outcome_id = (SELECT id FROM outcomes ORDER BY id LIMIT 1 OFFSET 120)""",
    )
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == [2]
    assert set(reads.of("harvest")) == set(range(SPANS))


@pytest.mark.parametrize(
    "which", ["hash(id) % 20 = 0", "id > (SELECT id FROM outcomes ORDER BY id LIMIT 1 OFFSET 570)"]
)
def test_after_rows_have_gone_all_is_right(home: Path, reads: Reads, which: str) -> None:
    change(home, f"DELETE FROM outcomes WHERE {which}")
    assert_as_if_afresh(home, reads)


def test_new_prices_have_all_counted_again_but_not_surveyed(home: Path, reads: Reads) -> None:
    dearer(home)
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == []
    assert set(reads.of("harvest")) == set(range(SPANS))


def test_what_a_retrain_counted_that_left_no_version_is_counted_again(home: Path, reads: Reads) -> None:
    dearer(home)
    # It remembers what it has read, and ends before its version is there.
    lesson(home, block=BLOCK, known=known(home))
    reads.clear()
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == []
    assert set(reads.of("harvest")) == set(range(SPANS))


@pytest.mark.parametrize(
    "spoil", [Path.unlink, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"PK")]
)
def test_a_lost_memory_costs_time_alone(home: Path, reads: Reads, spoil: Callable[[Path], object]) -> None:
    spoil(home / "spans.npz")
    assert_as_if_afresh(home, reads)
    assert reads.of("survey") == list(range(SPANS))


def test_memory_of_other_sums_is_not_used_for_sums(home: Path, reads: Reads) -> None:
    memory = (home / "spans.npz").read_bytes()
    add_rows(home)
    ok(home, "retrain", "--promote", "never", "--block", str(BLOCK))
    (home / "spans.npz").write_bytes(memory)
    reads.clear()
    assert_as_if_afresh(home, reads)
    assert set(reads.of("harvest")) == set(range(SPANS + 1))


def test_feedback_that_comes_while_it_reads_is_seen_the_next_time(
    home: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rows(home)
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        (old,) = log.execute("SELECT id FROM outcomes ORDER BY id LIMIT 1 OFFSET 10").fetchone() or ("",)
    watched = Blocks.each

    def late(self, learn, wanted, but=()):
        if learn is collect_statistics:
            change(
                home,
                "UPDATE feedback SET value = 1 - value WHERE metric = 'accuracy' AND outcome_id = ?",
                old,
            )
        return watched(self, learn, wanted, but)

    with monkeypatch.context() as patch:
        patch.setattr(Blocks, "each", late)
        lesson(home, block=BLOCK, known=known(home))
    reads.clear()
    assert_as_if_afresh(home, reads)
    assert 0 in reads.of("survey")


def test_a_fingerprint_is_of_one_span_alone(home: Path) -> None:
    def found() -> list[str]:
        with duckdb.connect(str(home / "zetaroute.duckdb"), read_only=True) as log:
            return fingerprints(log, spans(log, BLOCK))

    before = found()
    assert len(set(before)) == SPANS
    change(home, "UPDATE outcomes SET forgotten = now() WHERE id = (SELECT max(id) FROM outcomes)")
    after = found()
    assert [one == other for one, other in zip(before, after, strict=True)] == [True] * (SPANS - 1) + [False]


def test_rows_that_have_come_since_are_in_no_span(home: Path) -> None:
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        parts = spans(log, BLOCK)
        before = fingerprints(log, parts)
        log.execute("INSERT INTO outcomes SELECT * REPLACE (uuidv7()::VARCHAR AS id) FROM outcomes LIMIT 5")
        assert fingerprints(log, parts) == before
        assert fingerprints(log, spans(log, BLOCK))[:-1] == before


def test_an_empty_log_is_one_span_that_says_nothing() -> None:
    with duckdb.connect() as log:
        log.execute("CREATE TABLE outcomes (id VARCHAR)")
        log.execute("CREATE TABLE feedback (outcome_id VARCHAR)")
        assert fingerprints(log, spans(log, BLOCK)) == [""]
