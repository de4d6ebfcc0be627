"""The measurements of speed: a page that keeps its history, turns that are fair, logs of the size that they name."""

from __future__ import annotations

from pathlib import Path

import duckdb

from benchmarks.speed.measuring import Figure, medians
from benchmarks.speed.page import HEAD, PAGE, Run, add_run, read_runs, rendered
from benchmarks.speed.retrains import add_rows
from tests.cli.command import ok


def run(number: int, *figures: Figure, command: str = "bench") -> Run:
    return Run(
        command=command,
        time=f"2026-12-01 10:{number:02}",
        commit=f"c{number}",
        load=0.3,
        machine="a machine",
        figures=figures,
        notes=["A note."],
    )


def figure(what: str, value: float, *, beside: float | None = 0.5, unit: str = "s") -> Figure:
    return Figure(what=what, value=value, reference="a script", beside=beside, unit=unit)


def test_the_last_ten_runs_stand_side_by_side(tmp_path: Path) -> None:
    runs, page = tmp_path / "runs.jsonl", tmp_path / "performance.md"
    add_run(run(0, figure("large", 9.0), command="bench-large"), runs=runs, page=page)
    for number in range(1, 13):
        gone = [figure("gone", 1.0)] if number < 3 else []
        late = [figure("late", 90.0, unit="MB"), figure("alone", 1.0, beside=None)] if number > 11 else []
        add_run(run(number, figure("first", number / 2), *gone, *late), runs=runs, page=page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(HEAD.read_text(encoding="utf-8").rstrip())
    assert [one.commit for one in read_runs(runs)] == [*(f"c{number}" for number in range(3, 13)), "c0"]
    assert "| first | 6 s | a script | 0.5 s | 12.00 |  |" in text
    assert "| late | 90 MB | a script | 0 MB | 180.00 |  |" in text
    assert "| alone | 1 s | a script | - | - |  |" in text
    assert "2026-12-01 10:12<br>c12<br>load 0.3 | 2026-12-01 10:11<br>c11" in text
    ratios = " | ".join(f"{number}.00" for number in range(12, 2, -1))
    assert f"| first | a script | {ratios} |" in text
    assert f"| late | a script | 180.00 |{' - |' * 9}\n" in text
    assert f"| large | a script | {9.0 / 0.5:.2f} |" in text
    assert "gone" not in text


def test_the_page_is_what_the_runs_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == rendered(read_runs())


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
