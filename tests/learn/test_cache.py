"""What is kept of a partition is what was there, and it is found only while the partition says the same."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.learn.test_survey import ARMS, assert_same, made
from zetaroute.learn.incremental.cache import Arrays, PartitionCache
from zetaroute.learn.incremental.survey import ROWS, TEXTS, Survey, survey
from zetaroute.log.partitions import Span
from zetaroute.registry import pack, unpack

SPANS = (Span(None, "b"), Span("b", "c"), Span("c", "d "))


def cache_in(folder: Path, *fingerprints: str) -> PartitionCache:
    return PartitionCache(
        folder=folder / "partitions", spans=SPANS, fingerprints=fingerprints or ("1", "2", "3")
    )


def numbers(arrays: Arrays) -> list[float]:
    return list(arrays["numbers"].tolist())


def kept(*values: float) -> Arrays:
    return {"numbers": np.array(values)}


def test_every_partition_and_key_has_its_own(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    assert cache.read(0, "sums", numbers) is None
    cache.write(0, "sums", kept(1.0))
    cache.write(0, "survey", kept(2.0))
    cache.write(1, "sums", kept(3.0))
    again = cache_in(tmp_path)
    assert again.read(0, "sums", numbers) == [1.0]
    assert again.read(0, "survey", numbers) == [2.0]
    assert again.read(1, "sums", numbers) == [3.0]
    assert again.read(1, "survey", numbers) is None


def test_partition_that_says_something_else_has_nothing(tmp_path: Path) -> None:
    for number in range(3):
        cache_in(tmp_path).write(number, "sums", kept(number))
    again = cache_in(tmp_path, "1", "changed", "3")
    assert [again.read(number, "sums", numbers) for number in range(3)] == [[0.0], None, [2.0]]


def test_only_what_is_of_now_stays(tmp_path: Path) -> None:
    old = cache_in(tmp_path)
    for number in range(3):
        for key in ("sums", "survey", "sums at other prices"):
            old.write(number, key, kept(number))
    (tmp_path / "partitions" / "0a1b.npz.0a1b2c3d.tmp").write_bytes(b"half")
    now = cache_in(tmp_path, "1", "changed", "3")
    now.keep_only(["sums", "survey"])
    assert len(list((tmp_path / "partitions").iterdir())) == 4
    assert now.read(2, "survey", numbers) == [2.0]


def test_nothing_to_tidy_is_no_error(tmp_path: Path) -> None:
    cache_in(tmp_path).keep_only(["sums"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK", None])
def test_what_is_not_whole_is_not_there(tmp_path: Path, content: bytes | None) -> None:
    cache = cache_in(tmp_path)
    cache.write(0, "sums", kept(1.0))
    (file,) = (tmp_path / "partitions").iterdir()
    file.write_bytes(file.read_bytes()[:60] if content is None else content)
    assert cache.read(0, "sums", numbers) is None


def test_place_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "partitions").write_text("a file")
    cache = cache_in(tmp_path)
    cache.write(0, "sums", kept(1.0))
    cache.keep_only(["sums"])
    assert cache.read(0, "sums", numbers) is None


def test_rows_lie_in_the_partition_of_their_id(tmp_path: Path) -> None:
    rows = pl.DataFrame({"id": ["", "a", "b", "bz", "c", "d"]})
    cache = cache_in(tmp_path)
    assert [sorted(cache.holding(rows[place])) for place in range(6)] == [[0], [0], [1], [1], [2], [2]]
    assert cache.holding(rows) == {0, 1, 2}
    assert cache.holding(rows.clear()) == frozenset()


def test_survey_comes_back_without_its_texts() -> None:
    found = survey(made(300, 1), ARMS, 0)
    arrays = unpack(pack(found.packed()))
    assert_same(Survey.unpacked(arrays), replace(found, texts=TEXTS.to_frame()))
    assert "text " not in str(arrays["plain"])
    assert pl.read_parquet(io.BytesIO(arrays["latest"].tobytes())).columns == ["time", "id", "model"]


def test_survey_of_nothing_comes_back() -> None:
    found = survey(made(10, 1).clear(), ARMS, 0)
    assert_same(Survey.unpacked(found.packed()), found)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("latest", ROWS.to_frame().rename({"time": "moment"})),
        ("latest", ROWS.to_frame().with_columns(model=pl.lit(1))),
        ("plain", []),
        ("plain", {"rows": {}}),
    ],
)
def test_whole_file_that_says_something_else_is_no_survey(tmp_path: Path, name: str, content) -> None:
    cache, arrays = cache_in(tmp_path), dict(survey(made(60, 1), ARMS, 0).packed())
    cache.write(0, "survey", arrays)
    assert cache.read(0, "survey", Survey.unpacked) is not None
    if isinstance(content, pl.DataFrame):
        buffer = io.BytesIO()
        content.write_parquet(buffer)
        arrays[name] = np.frombuffer(buffer.getvalue(), dtype=np.uint8)
    else:
        arrays[name] = np.array(json.dumps(content))
    cache.write(0, "survey", arrays)
    assert cache.read(0, "survey", Survey.unpacked) is None
