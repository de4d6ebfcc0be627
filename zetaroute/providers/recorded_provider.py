"""Recorded outcomes as a provider: a Parquet file answers in place of a model, without its waiting time."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zetaroute.domain import Arm, Completion, Query
from zetaroute.errors import ConfigError, ProviderError
from zetaroute.providers.base import OnText, call_cost_usd
from zetaroute.wire.thinking import split_thinking

if TYPE_CHECKING:
    import duckdb

_NEEDED = ("query_id", "query", "model", "score")
_KINDS = {
    "query_id": "VARCHAR",
    "query": "VARCHAR",
    "score": "DOUBLE",
    "response": "VARCHAR",
    "latency_s": "DOUBLE",
    "cost_usd": "DOUBLE",
    "input_tokens": "BIGINT",
    "output_tokens": "BIGINT",
}
"""The columns a recording is made of; what is absent, or no number, is unknown."""

# Folders called key=value would otherwise become columns.
_TABLE = "read_parquet(?, hive_partitioning = false)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one model answered to one query."""

    query_id: str
    query: str
    score: float | None
    response: str | None
    latency_s: float | None
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecordings:
    """All recordings of one model."""

    by_id: Mapping[str, Recording]
    by_query: Mapping[str, Recording]
    """The first recording of each text, in the file's order."""

    def find(self, query: Query) -> Recording | None:
        """Return the recording of this very row, else the first one of its text."""
        recording = self.by_id.get(query.custom_id or "")
        if recording is not None and recording.query == query.text:
            return recording
        return self.by_query.get(query.text)


class RecordedProvider:
    """Answers from recordings, read once per file and model."""

    def __init__(self, *, many: bool = False) -> None:
        self._by_model: dict[tuple[str, str], ModelRecordings] = {}

    async def complete(self, arm: Arm, query: Query, on_text: OnText | None = None) -> Completion:
        """Return what `arm` once answered.

        Raises ProviderError `unsupported` for what was not recorded, ConfigError for a file of no use.
        """
        started_at = time.perf_counter()
        recording = self._recordings_of(arm).find(query)
        if recording is None:
            raise ProviderError(
                f"{arm.id}: {arm.file} holds no answer of {arm.model!r} to this query.", kind="unsupported"
            )
        thinking, text = split_thinking(recording.response or "")
        if text and on_text is not None:
            on_text(text)
        cost_usd = recording.cost_usd
        if cost_usd is None:
            cost_usd = call_cost_usd(
                arm, input_tokens=recording.input_tokens, output_tokens=recording.output_tokens
            )
        elapsed_s = time.perf_counter() - started_at
        return Completion(
            text=text,
            thinking=thinking or None,
            served_model=arm.model,
            finish_reason=None,
            ttft_s=None,
            response_s=elapsed_s if recording.latency_s is None else recording.latency_s,
            input_tokens=recording.input_tokens,
            output_tokens=recording.output_tokens,
            cost_usd=cost_usd,
            recorded=True,
            score=recording.score,
        )

    async def aclose(self) -> None:
        """Do nothing: no file stays open."""

    def _recordings_of(self, arm: Arm) -> ModelRecordings:
        if arm.file is None:
            raise ConfigError(f'Model {arm.id}: provider "recorded" needs file = "outcomes.parquet".')
        if (arm.file, arm.model) not in self._by_model:
            self._by_model[arm.file, arm.model] = load_recordings(arm.id, arm.file, arm.model)
        shelf = self._by_model[arm.file, arm.model]
        if not shelf.by_id:
            raise ProviderError(
                f"{arm.id}: {arm.file} holds no recordings of a model {arm.model!r}.", kind="unsupported"
            )
        return shelf


def load_recordings(arm_id: str, file: str, model: str) -> ModelRecordings:
    """Read one model's recordings; raises ConfigError for a file that is missing or not of the format."""
    import duckdb

    if not Path(file).is_file():
        raise ConfigError(f"Model {arm_id}: the file {file} does not exist; correct file.")
    try:
        with duckdb.connect(":memory:") as connection:
            # It would be drawn on standard output, beside an answer.
            connection.execute("SET enable_progress_bar = false")
            present = _columns(connection, file)
            missing = [name for name in _NEEDED if name not in present]
            if missing:
                raise ConfigError(f"Model {arm_id}: {file} lacks the columns {', '.join(missing)}; add them.")
            wanted = ", ".join(
                f"TRY_CAST({name} AS {kind})" if name in present else "NULL" for name, kind in _KINDS.items()
            )
            rows = connection.execute(
                f"SELECT {wanted} FROM {_TABLE} WHERE TRY_CAST(model AS VARCHAR) = ? AND query IS NOT NULL",
                [_literal(file), model],
            ).fetchall()
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"Model {arm_id}: {file} cannot be read as recorded outcomes ({reason})."
        ) from error
    recordings = [_recording(row) for row in rows]
    return ModelRecordings(
        by_id={recording.query_id: recording for recording in reversed(recordings)},
        by_query={recording.query: recording for recording in reversed(recordings)},
    )


def _columns(connection: duckdb.DuckDBPyConnection, file: str) -> set[str]:
    result = connection.execute(f"SELECT * FROM {_TABLE} LIMIT 0", [_literal(file)])
    return {str(column[0]).lower() for column in result.description}


def _literal(file: str) -> str:
    """Return the path as DuckDB takes it literally, without patterns."""
    return re.sub(r"([*?\[])", r"[\1]", file)


def _recording(row: tuple[Any, ...]) -> Recording:
    known: dict[str, Any] = {
        # Frames written by pandas hold NaN where nothing was recorded.
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in zip(_KINDS, row, strict=True)
    }
    return Recording(**known)
