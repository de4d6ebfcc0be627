"""Recorded outcomes as a provider, from real Parquet files."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from tests.support.waiting import PATIENCE_S
from zetaroute.domain import Arm, Completion, Prices, Query
from zetaroute.errors import ConfigError, ProviderError
from zetaroute.providers.base import OnText
from zetaroute.providers.recorded_provider import RecordedProvider

ROWS = """
    SELECT * FROM (VALUES
        ('q1', 'one?', 'm/a', 1.0,  0.002, 10,   5,    3600, 'one'),
        ('q1', 'one?', 'm/b', 0.0,  NULL,  10,   5,    NULL, NULL),
        ('q2', 'two?', 'm/a', 0.5,  NULL,  NULL, 5,    'nan'::DOUBLE, 'first'),
        ('q3', 'two?', 'm/a', 0.25, 0.0,   10,   NULL, 2.5,  'second'),
        ('q4', NULL,   'm/a', 1.0,  0.0,   1,    1,    1.0,  'lost')
    ) AS t(query_id, query, model, score, cost_usd, input_tokens, output_tokens, latency_s, response)
"""


def write(path: Path, rows: str) -> Path:
    with duckdb.connect(":memory:") as connection:
        # COPY takes no parameters; the path is made by pytest.
        connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
    return path


@pytest.fixture
def arm(tmp_path: Path) -> Arm:
    file = write(tmp_path / "outcomes.parquet", ROWS)
    return Arm(id="bench/a", provider="recorded", model="m/a", file=str(file))


def ask(
    arm: Arm, text: str = "one?", custom_id: str | None = None, on_text: OnText | None = None
) -> Completion:
    return asyncio.run(RecordedProvider().complete(arm, Query(text=text, custom_id=custom_id), on_text))


def test_a_recording_is_what_was_recorded(arm: Arm) -> None:
    pieces: list[str] = []
    assert ask(arm, on_text=pieces.append) == Completion(
        text="one",
        served_model="m/a",
        finish_reason=None,
        ttft_s=None,
        response_s=3600.0,
        input_tokens=10,
        output_tokens=5,
        cost_usd=0.002,
        recorded=True,
        score=1.0,
    )
    assert pieces == ["one"]


def test_what_was_not_recorded_is_unknown_or_worked_out(arm: Arm) -> None:
    other = ask(replace(arm, model="m/b"))
    assert (other.text, other.score, other.cost_usd) == ("", 0.0, None)
    assert 0 < other.response_s < PATIENCE_S
    priced = replace(arm, model="m/b", prices=Prices(input=1.0, output=2.0))
    assert ask(priced).cost_usd == pytest.approx(20 / 1e6)
    # A recorded cost goes before prices, and a token count that is missing leaves the cost unknown.
    assert ask(replace(priced, model="m/a")).cost_usd == 0.002
    nothing = ask(replace(priced, model="m/a"), "two?", "q2")
    assert (nothing.cost_usd, nothing.input_tokens, nothing.output_tokens) == (None, None, 5)
    assert 0 < nothing.response_s < PATIENCE_S


@pytest.mark.parametrize(
    ("custom_id", "text", "answer"),
    [
        ("q3", "two?", "second"),
        ("q2", "two?", "first"),
        (None, "two?", "first"),
        ("another", "two?", "first"),
        ("q1", "two?", "first"),
        ("q3", "one?", "one"),
    ],
)
def test_the_id_decides_among_equal_texts_only(arm: Arm, custom_id: str, text: str, answer: str) -> None:
    assert ask(arm, text, custom_id).text == answer


def test_ids_that_are_numbers_and_columns_that_are_absent(tmp_path: Path) -> None:
    rows = "SELECT 7 AS query_id, 'one?' AS query, 'm/a' AS model, true AS score"
    file = write(tmp_path / "bare.parquet", rows)
    completion = ask(Arm(id="b", provider="recorded", model="m/a", file=str(file)), custom_id="7")
    assert (completion.text, completion.score, completion.cost_usd) == ("", 1.0, None)


@pytest.mark.parametrize(
    "name", ["a[1]b.parquet", "a*b?.parquet", "o'clock.parquet", "model=m%2Fz/x.parquet"]
)
def test_odd_paths_are_taken_literally(tmp_path: Path, name: str) -> None:
    plain = write(tmp_path / "plain.parquet", ROWS)
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    plain.rename(file)
    assert ask(Arm(id="b", provider="recorded", model="m/a", file=str(file))).text == "one"


@pytest.mark.parametrize(
    ("model", "text", "words"),
    [
        ("m/z", "one?", "holds no recordings of a model 'm/z'"),
        ("m/a", "none?", "holds no answer of 'm/a' to this query"),
    ],
)
def test_what_was_not_recorded_cannot_be_answered(arm: Arm, model: str, text: str, words: str) -> None:
    with pytest.raises(ProviderError, match=words) as caught:
        ask(replace(arm, model=model), text)
    assert (caught.value.kind, caught.value.retryable) == ("unsupported", False)


def test_files_of_no_use(tmp_path: Path) -> None:
    text = tmp_path / "text.parquet"
    text.write_text("no parquet\n" * 100)
    empty = tmp_path / "empty.parquet"
    empty.touch()
    narrow = write(tmp_path / "narrow.parquet", "SELECT 'one?' AS query, 1 AS score")
    cases = {
        str(tmp_path / "none.parquet"): "does not exist",
        str(tmp_path): "does not exist",
        str(text): "text.parquet cannot be read",
        str(empty): "empty.parquet cannot be read",
        str(narrow): "lacks the columns query_id, model",
        None: 'needs file = "outcomes.parquet"',
    }
    for file, words in cases.items():
        with pytest.raises(ConfigError, match=words) as caught:
            ask(Arm(id="bench/a", provider="recorded", model="m/a", file=file))
        assert str(caught.value).startswith("Model bench/a: ")
        assert "\n" not in str(caught.value)


def test_a_file_is_read_once_per_model(arm: Arm) -> None:
    async def twice() -> list[str]:
        provider = RecordedProvider()
        first = await provider.complete(arm, Query(text="one?"))
        Path(str(arm.file)).unlink()
        second = await provider.complete(arm, Query(text="two?"))
        return [first.text, second.text]

    assert asyncio.run(twice()) == ["one", "first"]
