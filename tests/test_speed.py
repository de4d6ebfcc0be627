"""The measurements of speed: a page that keeps its history, turns that are fair, logs of the size that they name."""

from __future__ import annotations

import math
from pathlib import Path

import duckdb

from benchmarks.speed.measuring import Figure, medians
from benchmarks.speed.page import HEAD, add_to_page
from benchmarks.speed.retrains import add_rows
from tests.cli.command import ok


def figure(what: str, *, reference_s: float = 0.5) -> Figure:
    return Figure(what=what, seconds=1.0, reference="a script", reference_s=reference_s)


def test_a_run_is_put_on_top_of_the_history(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    add_to_page([figure("first")], [], page=page)
    add_to_page([figure("second"), figure("alone", reference_s=math.nan)], ["A note."], page=page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(HEAD)
    assert text.count(HEAD) == 1
    assert text.count("\n## ") == 2
    assert (
        text.index("| second | 1 s | a script | 0.5 s | 2.00 |")
        < text.index("A note.")
        < text.index("| first |")
    )
    assert "| alone | 1 s | a script | - | - |" in text


def test_contestants_take_turns_and_the_first_does_not_count() -> None:
    turns: list[str] = []

    def contestant(name: str, seconds: list[float]):
        def run() -> float:
            turns.append(name)
            return seconds.pop(0)

        return run

    found = medians({"a": contestant("a", [9, 1, 2, 3]), "b": contestant("b", [0, 5, 4, 6])}, repeats=3)
    assert found == {"a": 2, "b": 5}
    assert turns == ["a", "b"] * 4


def test_a_log_grows_to_its_size_with_texts_of_its_own(tmp_path: Path, instant_config: str) -> None:
    (tmp_path / "config.toml").write_text(instant_config, encoding="utf-8")
    queries = str(tmp_path / "q.jsonl")
    ok(tmp_path, "practice", "generate", "--rows", "150", "--seed", "1", "-o", queries)
    ok(tmp_path, "batch", queries)
    for size in (400, 900):
        add_rows(tmp_path, size, seed=size)
        with duckdb.connect(str(tmp_path / "zetaroute.duckdb"), read_only=True) as log:
            counted = "SELECT count(*), count(DISTINCT query), count(accuracy) FROM rounds"
            rows, texts, graded = log.execute(counted).fetchone() or (0, 0, 0)
        assert rows == graded == size
        assert texts > 0.95 * size
