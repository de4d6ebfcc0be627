"""What is remembered of a log is what was there, and it serves only while it says the whole truth."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.learn.test_survey import ARMS, assert_same, made
from zetaroute.learn.incremental import survey as surveys
from zetaroute.learn.incremental.cache import (
    RetrainCache,
    SpanNote,
    in_spans,
    read_cache,
    write_cache,
)
from zetaroute.learn.incremental.survey import ROWS, Survey, survey, total
from zetaroute.registry import pack, unpack

SPAN = 50
"""Ids in a span."""


def parts_of(frame: pl.DataFrame) -> list[pl.DataFrame]:
    edges = [f"{edge:06d}" for edge in range(0, 400, SPAN)]
    found = [frame.filter(pl.col("id") >= low, pl.col("id") < high) for low, high in pairwise(edges)]
    return [part for part in found if part.height]


def fingerprint(part: pl.DataFrame) -> str:
    return str(part.hash_rows().to_list())


def remembered(frame: pl.DataFrame) -> tuple[RetrainCache, Survey]:
    """What a retrain keeps of a log, with spans in an order of their own, and its survey."""
    parts = parts_of(frame)
    found = [survey(part, ARMS, 0) for part in parts]
    whole, order = total(found), np.random.default_rng(7).permutation(len(parts)).tolist()
    lows = [f"{SPAN * number:06d}" for number in range(len(parts))]
    places = np.argsort(order).tolist()
    return RetrainCache(
        surveyed_as="so",
        counted_as="thus",
        sums="these",
        spans=tuple(
            SpanNote(
                fingerprint=fingerprint(parts[number]), survey=found[number].without_rows(), parts=number
            )
            for number in order
        ),
        training=in_spans(whole.training, lows, places),
        held_out=in_spans(whole.held_out, lows, places),
    ), whole


def test_file_holds_what_was_remembered(tmp_path: Path) -> None:
    frame = made(300, 1)
    memory, whole = remembered(frame)
    write_cache(tmp_path / "spans.npz", memory)
    fingerprints = [fingerprint(part) for part in parts_of(frame)]
    again = read_cache(tmp_path / "spans.npz", "so", fingerprints)
    assert again is not None
    assert again.unchanged.keys() == set(range(len(fingerprints)))
    found = again.surveys()
    assert_same(
        replace(total(found[number] for number in sorted(found)), texts=whole.texts),
        whole,
    )
    assert again.suffices(whole)
    assert {number: one.stop - one.start for number, one in again.counted().items()} == {
        number: number for number in found
    }
    assert (again.counted_as, again.sums) == ("thus", "these")


def test_file_says_nothing_of_texts(tmp_path: Path) -> None:
    write_cache(tmp_path / "spans.npz", remembered(made(300, 1))[0])
    arrays = unpack((tmp_path / "spans.npz").read_bytes())
    assert arrays.keys() == {"notes", "rows"}
    assert "text " not in str(arrays["notes"])
    rows = pl.read_parquet(io.BytesIO(arrays["rows"].tobytes()))
    assert set(rows.columns) == {"time", "id", "model", "span", "held_out"}


@pytest.mark.parametrize("content", [b"", b"damaged", None])
def test_what_is_not_whole_is_not_remembered(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "spans.npz"
    if content is not None:
        write_cache(path, remembered(made(60, 1))[0])
        path.write_bytes(path.read_bytes()[: len(content) * 20] + content)
    assert read_cache(path, "so", []) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows", ROWS.to_frame()),
        ("rows", ROWS.to_frame().with_columns(span=pl.lit("0"), held_out=pl.lit(value=True))),
        ("notes", []),
        ("notes", {"surveyed_as": "so"}),
        ("notes", {"surveyed_as": "so", "counted_as": "", "sums": "", "spans": [1]}),
        (
            "notes",
            {"surveyed_as": "so", "counted_as": "", "sums": "", "spans": [{"fingerprint": "", "survey": []}]},
        ),
    ],
)
def test_a_whole_file_that_says_something_else_is_not_remembered(tmp_path: Path, name: str, content) -> None:
    path = tmp_path / "spans.npz"
    write_cache(path, remembered(made(60, 1))[0])
    buffer = io.BytesIO()
    if isinstance(content, pl.DataFrame):
        content.write_parquet(buffer)
        array = np.frombuffer(buffer.getvalue(), dtype=np.uint8)
    else:
        array = np.array(json.dumps(content))
    path.write_bytes(pack({**unpack(path.read_bytes()), name: array}))
    assert read_cache(path, "so", []) is None


def test_surveys_of_another_kind_are_not_remembered(tmp_path: Path) -> None:
    write_cache(tmp_path / "spans.npz", remembered(made(60, 1))[0])
    assert read_cache(tmp_path / "spans.npz", "so", []) is not None
    assert read_cache(tmp_path / "spans.npz", "otherwise", []) is None


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    gone=st.one_of(st.lists(st.integers(0, 299), max_size=30), st.lists(st.integers(250, 299), max_size=3)),
    newest_gone=st.integers(0, 15),
    new=st.sampled_from([0, 1, 5, 40]),
    other=st.lists(st.integers(0, 299), max_size=3),
)
def test_memory_that_suffices_leads_to_the_newest_rows(seed, gone, newest_gone, new, other) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, most in (("RECENT", 40), ("MOST_OF_ARM", 10), ("MOST_HELD_OUT", 40)):
            patch.setattr(surveys, name, most)
        frame = made(300, seed).sort("id")
        # Ids in order of time, as they are in a log; some models are rare.
        models = np.random.default_rng(seed).choice(["a", "b", "practice/c"], 300, p=[0.7, 0.2, 0.1])
        frame = frame.with_columns(time=frame["time"].sort(), model=pl.Series(models.tolist()))
        later = made(new, seed + 1).with_columns(
            id=pl.Series([f"{300 + number:06d}" for number in range(new)], dtype=pl.String),
            time=pl.Series([frame["time"].max()] * new, dtype=frame["time"].dtype),
        )
        memory, _ = remembered(frame)
        left = set(range(300 - newest_gone)) - set(gone)
        changed = frame.with_row_index("number").filter(pl.col("number").is_in(sorted(left)))
        model = pl.when(pl.col("number").is_in(other)).then(pl.lit("b")).otherwise("model")
        now = pl.concat([changed.with_columns(model=model).drop("number"), later])
        parts = parts_of(now)
        place = {note.fingerprint: number for number, note in enumerate(memory.spans)}
        memory = replace(
            memory,
            unchanged={
                number: place[fingerprint(part)]
                for number, part in enumerate(parts)
                if fingerprint(part) in place
            },
        )
        known = memory.surveys()
        seen = total(known.get(number) or survey(part, ARMS, 0) for number, part in enumerate(parts))
        truth = total(survey(part, ARMS, 0) for part in parts)
        if memory.suffices(seen):
            assert_same(replace(seen, texts=truth.texts), truth)
        elif not gone and not newest_gone and not other:
            pytest.fail("nothing went, so the memory suffices")
