"""`retrain --if-stale`, and the line about drift that `kpi` and `doctor` show."""

from __future__ import annotations

import json
import shutil

import duckdb
import pytest

from tests.cli.command import ok, refused, run
from tests.support.homes import practice_home, route


def versions(folder):
    return [row["version"] for row in ok(folder, "policies", "list", "--json").json]


def drift_of(folder):
    return ok(folder, "kpi", "--json").json["drift"]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A home whose first version was learned from 260 rows."""
    home = practice_home(tmp_path_factory.mktemp("first"), rows=260, seed=1)
    ok(home, "retrain", "--if-stale")
    assert len(versions(home)) == 2
    return home


@pytest.fixture
def learned(first, tmp_path):
    """A copy of it that a test may change."""
    return shutil.copytree(first, tmp_path / "learned")


def test_nothing_to_do_is_one_line_and_no_error(folder):
    said = ok(folder, "retrain", "--if-stale")
    assert said.out == (
        "nothing to do: 0 new graded rows, 200 wanted; drift: nothing was learned yet; 0 graded rows wait\n"
    )
    route(folder, rows=60, seed=1)
    told = ok(folder, "retrain", "--if-stale", "--json").json
    assert (told["artifact"], told["stale"], told["drift"]["new_graded"]) == (None, False, 60)
    assert versions(folder) == ["v0000"]


def test_enough_new_rows_are_a_reason(learned):
    assert "0 new graded rows, 100 wanted" in ok(learned, "retrain", "--if-stale").out
    route(learned, rows=50, seed=2)
    assert ok(learned, "retrain", "--if-stale").out.count("\n") == 1
    assert len(versions(learned)) == 2
    said = ok(learned, "retrain", "--if-stale", "--min-rows", "50")
    assert "retraining: 50 new graded rows, 50 wanted" in said.err
    assert len(versions(learned)) == 3


def test_a_price_that_changed_is_a_reason_once(learned):
    config = learned / "config.toml"
    config.write_text(config.read_text().replace("input = 3.0, output = 10.0", "input = 6.0, output = 20.0"))
    words = "practice/large costs $6/$20 per 1M tokens, it was $3/$10"
    assert drift_of(learned)["reasons"] == [words]
    assert words in ok(learned, "kpi").out
    checks = run(learned, "doctor", "--json").json["checks"]
    assert [one["level"] for one in checks if one["name"] == "drift"] == ["warn"]
    assert words in ok(learned, "retrain", "--if-stale").err
    assert drift_of(learned)["reasons"] == []
    assert "nothing to do" in ok(learned, "retrain", "--if-stale").out


def test_another_model_behind_a_name_is_seen(learned):
    route(learned, "-m", "practice/small", rows=40, seed=2)
    assert drift_of(learned)["reasons"] == []
    with duckdb.connect(str(learned / "zetaroute.duckdb")) as connection:
        connection.execute(
            "UPDATE outcomes SET served_model = 'small-2' WHERE model = 'practice/small' AND id IN "
            "(SELECT id FROM outcomes ORDER BY id DESC LIMIT 40)"
        )
    assert drift_of(learned)["reasons"] == ["practice/small is served as small-2, it was small"]


def test_another_mix_of_queries_is_seen(learned):
    lines = [
        json.dumps({"query": f"What is {n} + {n}?", "reference": str(2 * n), "task": "sums"})
        for n in range(90)
    ]
    (learned / "sums.jsonl").write_text("\n".join(lines))
    ok(learned, "batch", str(learned / "sums.jsonl"), "-o", str(learned / "sums.out"))
    (reason,) = drift_of(learned)["reasons"]
    assert reason == "100% of the queries are of other kinds, most of all sums"
    assert "drift since v0001" in ok(learned, "kpi").out


def test_repeated_queries_count_once(learned):
    line = json.dumps({"query": "What is 1 + 1?", "reference": "2", "task": "sums"})
    lines = [line.replace('{"', f'{{"custom_id": "c{n}", "', 1) for n in range(90)]
    (learned / "same.jsonl").write_text("\n".join(lines))
    ok(learned, "batch", str(learned / "same.jsonl"), "-o", str(learned / "same.out"))
    assert drift_of(learned)["reasons"] == []


def test_min_rows_alone_is_wrong_usage(folder):
    refused(run(folder, "retrain", "--min-rows", "5"), 2)
