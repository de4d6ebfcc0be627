"""The generator: the same seed, the same rows; no text twice; the file in data/ is what it writes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from zetaroute.errors import UsageError
from zetaroute.practice.families import FAMILIES
from zetaroute.practice.generator import generate, json_line

DATA = Path(__file__).parents[2] / "data" / "practice.jsonl"


def test_the_seed_decides_every_row():
    first, again, other = (list(generate(rows=300, seed=seed)) for seed in (4, 4, 5))
    assert first == again
    shared = {row.query.text for row in first} & {row.query.text for row in other}
    assert len(shared) < 6


def test_fewer_rows_are_the_beginning_of_more():
    assert list(generate(rows=50, seed=9)) == list(generate(rows=80, seed=9))[:50]


def test_twenty_thousand_rows_are_all_different_and_evenly_mixed():
    rows = list(generate(rows=20_000, seed=1))
    assert len({row.query.text for row in rows}) == len({row.query.custom_id for row in rows}) == 20_000
    assert (rows[0].query.custom_id, rows[-1].query.custom_id) == ("p-000001", "p-020000")
    assert {row.query.grader for row in rows} == {"exact", "normalised", "number", "choice", "contains"}
    for counted in (Counter(row.query.task for row in rows), Counter(row.difficulty for row in rows)):
        expected = len(rows) / len(counted)
        assert all(0.85 * expected < count < 1.15 * expected for count in counted.values())


def test_families_can_be_chosen():
    rows = list(generate(rows=60, seed=2, families=["dates", "sorting"]))
    assert {row.query.task for row in rows} == {"dates", "sorting"}
    assert list(generate(rows=0, seed=2)) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"rows": 1, "seed": 1, "families": ["algebra"]},
            "no practice family 'algebra': choose from arithmetic, ",
        ),
        ({"rows": 1, "seed": 1, "families": []}, "No practice family was named"),
        ({"rows": -1, "seed": 1}, "give 0 or more"),
    ],
)
def test_wrong_wishes_are_refused_before_the_first_row(arguments, said):
    with pytest.raises(UsageError, match=said):
        generate(**arguments)


def test_lines_have_the_keys_of_batch_input():
    rows = list(generate(rows=40, seed=6))
    lines = [json.loads(json_line(row)) for row in rows]
    assert [set(line) for line in lines] == [
        {"query", "reference", "grader", "task", "custom_id", "metadata"}
    ] * 40
    assert [line["query"] for line in lines] == [row.query.text for row in rows]
    assert [line["metadata"] for line in lines] == [{"difficulty": row.difficulty} for row in rows]
    assert {line["task"] for line in lines} <= FAMILIES.keys()


def test_the_committed_file_is_what_the_generator_writes():
    written = "".join(json_line(row) + "\n" for row in generate(rows=400, seed=2026))
    assert written.encode() == DATA.read_bytes(), "run `make data`"
