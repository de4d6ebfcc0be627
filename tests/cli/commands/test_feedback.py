"""Feedback in bulk: late, in any order, twice, killed in the middle; and out again."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import command, ok, read_lines, refused, rows, run, write_lines
from tests.support.waiting import until
from zetaroute.config import Home
from zetaroute.domain import Outcome, new_id, utc_now
from zetaroute.log.journal import Entry
from zetaroute.projections import log_of

SECONDS = itertools.count(1_700_000_000.0)
"""So that ids sort as the answers were made, however fast."""
LATEST = "SELECT metric, value, author FROM latest_feedback ORDER BY metric, author"


def answered(folder: Path, rows_: int, **facts: Any) -> list[str]:
    """Put so many answers into the log and return their ids."""
    outcomes = [
        Outcome(
            id=new_id(next(SECONDS)),
            time=utc_now(),
            query=f"q{number}",
            model=facts.get("model", "a/b"),
            status="ok",
            custom_id=f"c{number}",
            run=facts.get("run"),
            response="yes",
            response_s=0.1,
        )
        for number in range(rows_)
    ]
    log_of(Home(folder)).append([Entry(outcomes=(outcome,)) for outcome in outcomes])
    return [outcome.id for outcome in outcomes]


def test_labels_come_in_and_count(folder: Path, tmp_path: Path) -> None:
    first, second = answered(folder, 2)
    file = write_lines(
        tmp_path / "f.jsonl",
        [
            {"outcome_id": first, "metric": "accuracy", "value": 1, "source": "truth", "author": "team"},
            {"inference_id": second, "metric_name": "thumbs", "value": False, "tags": {}},
            {"custom_id": "c1", "metric": "rating", "value": 2},
        ],
    )
    done = ok(folder, "feedback", "import", str(file), "--json").json
    assert {name: done[name] for name in ("rows", "added", "known", "bad_lines", "errors")} == {
        "rows": 3,
        "added": 3,
        "known": 0,
        "bad_lines": 0,
        "errors": None,
    }
    found = rows(folder, "SELECT id, accuracy, accuracy_source, satisfaction FROM rounds ORDER BY id")
    assert found == [(first, 1.0, "truth", None), (second, None, None, 0.25 / 2)]


def test_twice_adds_nothing_whatever_the_shape(folder: Path, tmp_path: Path) -> None:
    (first,) = answered(folder, 1)
    timed = {"outcome_id": first, "metric": "accuracy", "value": 1, "time": "2026-01-01T00:00:00Z"}
    bare = {"custom_id": "c0", "metric": "rating", "value": 3}
    file = write_lines(tmp_path / "f.jsonl", [timed, bare, timed])
    assert ok(folder, "feedback", "import", str(file), "--json").json["added"] == 2
    again = ok(folder, "feedback", "import", str(file), "--json").json
    assert (again["added"], again["known"]) == (0, 3)
    (tmp_path / "f.csv").write_text(
        f"outcome_id,metric,value,time\n{first},accuracy,1.0,2026-01-01T01:00:00+01:00\n{first},rating,3,\n"
    )
    assert ok(folder, "feedback", "import", str(tmp_path / "f.csv"), "--json").json["known"] == 2
    assert rows(folder, "SELECT count(*) FROM feedback") == [(2,)]


@pytest.mark.parametrize("seed", range(3))
def test_the_latest_counts_in_any_order(folder: Path, tmp_path: Path, seed: int) -> None:
    (first,) = answered(folder, 1)
    lines = [
        {
            "outcome_id": first,
            "metric": "accuracy",
            "value": value,
            "author": author,
            "time": f"2026-01-0{day}T00:00:00Z",
        }
        for author, days in {"ann": (0.1, 0.9, 0.4), "bob": (1, 0, 1)}.items()
        for day, value in enumerate(days, start=1)
    ]
    random.Random(seed).shuffle(lines)
    for part in (lines[:2], lines[2:], lines[:4]):
        ok(
            folder,
            "feedback",
            "import",
            "-",
            stdin="".join(json.dumps(line) + "\n" for line in part).encode(),
        )
    assert rows(folder, LATEST) == [("accuracy", 0.4, "ann"), ("accuracy", 1.0, "bob")]
    assert rows(folder, "SELECT count(*) FROM feedback") == [(6,)]


def test_of_lines_without_a_time_the_last_counts(folder: Path, tmp_path: Path) -> None:
    (first,) = answered(folder, 1)
    lines = [{"outcome_id": first, "metric": "rating", "value": value} for value in (1, 5, 2, 4, 3)]
    ok(folder, "feedback", "import", str(write_lines(tmp_path / "f.jsonl", lines)))
    assert rows(folder, LATEST) == [("rating", 3.0, "import")]


def test_bad_lines_are_told_and_stop_nothing(folder: Path, tmp_path: Path) -> None:
    (first,) = answered(folder, 1)
    file = tmp_path / "f.jsonl"
    good = json.dumps({"outcome_id": first, "metric": "rating", "value": 1})
    unknown = json.dumps({"outcome_id": "gone", "metric": "rating", "value": 1})
    file.write_text(f"{{\n{good}\n\n{unknown}\n")
    said = ok(folder, "feedback", "import", str(file))
    assert said.out == f"1 added, 0 known before, 2 bad lines in {file}.errors.jsonl\n"
    told = read_lines(tmp_path / "f.jsonl.errors.jsonl")
    assert [line["line"] for line in told] == [1, 4]
    assert "'gone'" in told[1]["error"]
    file.write_text(good + "\n")
    ok(folder, "feedback", "import", str(file))
    assert not (tmp_path / "f.jsonl.errors.jsonl").exists()
    file.write_text("nonsense\n")
    assert run(folder, "feedback", "import", str(file)).code == 2
    assert "no file" in refused(run(folder, "feedback", "import", str(tmp_path / "gone.csv")), 2)


def test_a_custom_id_of_several_answers_needs_more_words(folder: Path, tmp_path: Path) -> None:
    (one,) = answered(folder, 1, run="r1", model="a/b")
    (two,) = answered(folder, 1, run="r2", model="a/b")
    (three,) = answered(folder, 1, run="r2", model="c/d")
    answered(folder, 1, run="r1", model="a/b")
    base = {"custom_id": "c0", "metric": "rating"}
    lines = [
        base | {"value": 1},
        base | {"value": 2, "run": "r2"},
        base | {"value": 3, "run": "r2", "model": "a/b"},
        base | {"value": 4, "model": "c/d"},
        base | {"value": 5, "run": "r1"},
        base | {"value": 5, "run": "r9"},
    ]
    done = ok(folder, "feedback", "import", str(write_lines(tmp_path / "f.jsonl", lines)), "--json").json
    assert (done["added"], done["bad_lines"]) == (3, 3)
    told = read_lines(tmp_path / "f.jsonl.errors.jsonl")
    assert [line["line"] for line in told] == [1, 2, 6]
    assert "3 answers" in told[0]["error"]
    given = dict(rows(folder, "SELECT value, outcome_id FROM feedback"))
    assert (given[3.0], given[4.0]) == (two, three)
    # Asked again under the same name, the newest answer is meant.
    assert given[5.0] > one


def test_an_export_comes_back_and_adds_nothing(folder: Path, tmp_path: Path) -> None:
    first, second = answered(folder, 2)
    ok(folder, "rate", first, "4", "--comment", 'naïve, "quoted"\nover two lines')
    ok(folder, "rate", second, "up")
    for name in ("f.jsonl", "f.csv", "f.jsonl.gz", "f.csv.gz"):
        ok(folder, "feedback", "export", str(tmp_path / name))
        done = ok(folder, "feedback", "import", str(tmp_path / name), "--json").json
        assert (done["added"], done["known"]) == (0, 2), name
    lines = [json.loads(line) for line in ok(folder, "feedback", "export").out.splitlines()]
    assert [(line["outcome_id"], line["metric"], line["value"]) for line in lines] == [
        (first, "rating", 4.0),
        (second, "thumbs", 1.0),
    ]
    assert ok(folder, "feedback", "export", "--since", "2100-01-01").out == ""
    assert ok(folder, "feedback", "export", "--format", "csv").out.startswith("id,outcome_id,metric,value")
    assert gzip.decompress((tmp_path / "f.jsonl.gz").read_bytes()).count(b"\n") == 2
    assert "'jsonl', 'csv'" in refused(run(folder, "feedback", "export", "--format", "xml"), 2)


LINES = 3_000


def many(folder: Path, tmp_path: Path, lines: int) -> Path:
    ids = answered(folder, 500)
    log_of(Home(folder)).merge(patience_s=5)
    return write_lines(
        tmp_path / "many.jsonl",
        [
            {"outcome_id": ids[n % 500], "metric": f"m{n // 500}", "value": n, "author": "a"}
            for n in range(lines)
        ],
    )


def test_a_killed_import_loses_nothing_and_doubles_nothing(folder: Path, tmp_path: Path) -> None:
    file = many(folder, tmp_path, LINES)
    words = command(folder, "feedback", "import", str(file))
    for _ in range(2):
        before = set((folder / "journal").glob("*"))
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            until(
                lambda before=before, process=process: (
                    set((folder / "journal").glob("*")) - before or process.poll() is not None
                ),
                every_s=0.002,
            )
            process.kill()
    said = ok(folder, "feedback", "import", str(file), "--json").json
    assert said["added"] + said["known"] == LINES
    again = ok(folder, "feedback", "import", str(file), "--json").json
    assert (again["added"], again["known"]) == (0, LINES)
    assert rows(folder, "SELECT count(*), count(DISTINCT id), sum(value) FROM feedback") == [
        (LINES, LINES, LINES * (LINES - 1) / 2)
    ]
    assert list((folder / "journal").glob("*.jsonl")) == []
