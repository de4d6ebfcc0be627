"""The log as a frame, read with DuckDB into Polars, and its rows as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from zetaroute.arrays import Array, Mask
from zetaroute.domain import Arm, unit_of
from zetaroute.evaluate.satisfaction import LEVELS, Scales, one_scale, scales_of
from zetaroute.features import Embeddings
from zetaroute.features.hashed import hashed_vector
from zetaroute.learn.samples import Sample
from zetaroute.log.rows import from_moment, rows_since
from zetaroute.log.views import LOST

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CHANCES = (
    "list_transform(candidates, lambda c: c.model) AS models, pmf, "
    "list_transform(candidates, lambda c: c.eligible) AS eligible"
)
COLUMNS = (
    "id, store, time, query, task, conversation, model, policy_version, propensity, forced, status, fallback_of, "
    "md5_number_lower(concat_ws(chr(31), id, coalesce(task, ''), query)) AS key, "
    "md5_number_lower(coalesce(fallback_of, id)) AS decision, "
    "role, coalesce(audited, false) AS audited, audit_probability, contest IS NOT NULL AS live, "
    f"accuracy, {LOST} AS lost, accuracy_source, truth, judge, user_says, "
    "satisfaction, satisfaction_source, rating, thumbs, verdict, "
    "rating_simulated, response_s, cost_usd, recorded, "
    "input_tokens, cached_tokens, output_tokens, embedding, embedding_model, " + _CHANCES
)


TEACHING = (
    "status <> 'cancelled' AND forgotten IS NULL AND (escalated IS NOT TRUE OR (role = 'chain' AND audited))"
)
"""Rows that can teach something: no cancelled calls, no forgotten rows, and none that was asked because of an answer
before it, for those tell of hard queries alone; in an audit a chain's models are asked whatever was answered."""


def read_frame(
    connection: DuckDBPyConnection, *, since: str | None = None, scales: Scales | None = None
) -> pl.DataFrame:
    """Return the rows of the log that can teach something, oldest first, with their group.

    `since` is an ISO 8601 moment in UTC. Of a part of a log `scales` are those of the whole.
    """
    select = f"SELECT {COLUMNS} FROM graded WHERE {TEACHING}"
    frame = pl.DataFrame(rows_since(connection, select, since, order="time, id"))
    return with_groups(on_one_scale(frame, scales))


def read_scales(connection: DuckDBPyConnection, *, since: str | None = None) -> Scales:
    """Return how the scales of satisfaction compare, by all rows that can teach something."""
    select = f"SELECT time, rating, thumbs, verdict FROM graded WHERE {TEACHING} AND coalesce(thumbs, verdict) >= 0"
    alike = "rating, thumbs, verdict, count(*) AS rows"
    query = f"SELECT {alike} FROM ({from_moment(connection, select, since)}) GROUP BY ALL ORDER BY ALL"
    frame = pl.DataFrame(connection.sql(query))
    others = {name: _floats(frame[name]) for name in LEVELS}
    return scales_of(_floats(frame["rating"]), others, _floats(frame["rows"]))


def on_one_scale(frame: pl.DataFrame, scales: Scales | None = None) -> pl.DataFrame:
    """Return rows of the log with `satisfaction` on one scale, as far as the outcomes tell how scales compare."""
    others = {name: _floats(frame[name]) for name in LEVELS}
    satisfaction = one_scale(_floats(frame["satisfaction"]), _floats(frame["rating"]), others, scales)
    return frame.with_columns(pl.Series("satisfaction", satisfaction).fill_nan(None))


def embeddings(frame: pl.DataFrame, space: str, *, key: bytes | None = None) -> Embeddings:
    """Return what the rows of a frame have of one space, by text: of a repeated text the last.

    With the `key` of hashed vectors those are made for the rows whose text was kept.
    """
    rows = frame.filter(pl.col("embedding_model") == space, pl.col("embedding").is_not_null())
    rows = rows.unique("query", keep="last", maintain_order=True)
    vectors = (np.array(one, dtype=np.float32) for one in rows["embedding"].to_list())
    by_text = dict(zip(rows["query"].to_list(), vectors, strict=True))
    if key is not None:
        texts = frame.filter(pl.col("store").is_null())["query"].unique().to_list()
        by_text |= {text: hashed_vector(text, key) for text in texts}
    return Embeddings(space=space, by_text=by_text)


def learnable(frame: pl.DataFrame, given: Embeddings | None) -> tuple[pl.DataFrame, list[str]]:
    """Return the rows that can be learned from together, and in words what they lack or leave out.

    Rows without a text have a vector instead, where any are `given`. Where most rows have one or the other, those
    without are left out; else every text is taken for an empty one, so that the heads learn the mean of each model
    and no more.
    """
    readable = pl.col("store").is_null()
    if given is not None:
        readable |= pl.col("query").is_in(list(given.by_text))
    textless = frame.height - frame.filter(readable).height
    if not textless:
        return frame, []
    if 2 * textless <= frame.height:
        words = f"{textless} rows whose text was not kept are not used"
        return frame.filter(readable), [words]
    words = (
        f"{textless} of {frame.height} rows have no text, so nothing was learned from texts: every model counts with "
        "its mean"
    )
    return frame.with_columns(pl.lit("").alias("query")), [words]


def forgotten_rows(connection: DuckDBPyConnection, *, since: str | None = None) -> list[str]:
    """Return in words how many rows are not used because they were forgotten; nothing where there are none."""
    gone = rows_since(
        connection, "SELECT time FROM outcomes WHERE forgotten IS NOT NULL", since, order="time"
    )
    count = len(gone)
    return [f"{count} forgotten rows are not used"] if count else []


def with_groups(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the column `group`: the conversation, else the normalised text."""
    groups = [unit_of(*pair) for pair in frame.select("conversation", "query").iter_rows()]
    return frame.with_columns(pl.Series("group", groups, dtype=pl.UInt64))


def sample(frame: pl.DataFrame, arms: Sequence[Arm], *, trust: Mapping[str, float] | None = None) -> Sample:
    """Return the rows of `frame` whose model is one of `arms` (in that order) as arrays.

    `trust` says how much the accuracy from a source counts in a fit; one that it does not name counts fully.
    """
    models = [arm.id for arm in arms]
    frame = frame.filter(pl.col("model").is_in(models))
    place = {model: index for index, model in enumerate(models)}
    pmf, eligible = _chances(frame, place)
    return Sample(
        texts=frame["query"].to_list(),
        tasks=frame["task"].to_list(),
        key=frame["key"].to_numpy().astype(np.uint64),
        arm=np.array([place[model] for model in frame["model"].to_list()], dtype=np.int64),
        accuracy=_floats(frame["accuracy"]),
        lost=frame["lost"].to_numpy().astype(bool),
        satisfaction=_floats(frame["satisfaction"]),
        response_s=_floats(frame["response_s"]),
        cost_usd=_costs(frame, arms),
        tokens=np.column_stack([_floats(frame["input_tokens"]), _floats(frame["output_tokens"])]),
        time_s=frame["time"].dt.epoch("us").to_numpy().astype(np.float64) / 1e6,
        answered=(frame["status"] == "ok").to_numpy().astype(bool),
        pmf=pmf,
        eligible=eligible,
        decision=frame["decision"].to_numpy().astype(np.uint64),
        shadow=frame["role"].is_in(["audit", "chain"]).to_numpy().astype(bool),
        seeded=(frame["role"] == "seed").to_numpy().astype(bool),
        audited=frame["audited"].to_numpy().astype(bool),
        audit_probability=_floats(frame["audit_probability"]),
        live=frame["live"].to_numpy().astype(bool),
        group=frame["group"].to_numpy().astype(np.uint64),
        weight=np.ones(frame.height),
        trust=trust_of(frame, trust or {}),
    )


def trust_of(frame: pl.DataFrame, trust: Mapping[str, float]) -> Array:
    """Return the trust in each row's source of accuracy (n,)."""
    sources = frame["accuracy_source"].to_list()
    return np.array([trust.get(source, 1.0) if source else 1.0 for source in sources], dtype=np.float64)


def _chances(frame: pl.DataFrame, place: Mapping[str, int]) -> tuple[Array, Mask]:
    """Return the logged probabilities (n, K), NaN where a row has none of these arms alone, and who was eligible."""
    pmf = np.full((frame.height, len(place)), np.nan)
    eligible = np.zeros((frame.height, len(place)), dtype=bool)
    listed = (
        frame.select("models", "pmf", "eligible", "propensity", "fallback_of")
        .with_row_index("row")
        .filter(pl.col("propensity").is_not_null(), pl.col("fallback_of").is_null())
        .explode("models", "pmf", "eligible")
        .with_columns(pl.col("models").replace_strict(place, default=-1, return_dtype=pl.Int64).alias("arm"))
        .filter((pl.col("arm") >= 0).all().over("row"))
    )
    row, arm = listed["row"].to_numpy(), listed["arm"].to_numpy()
    pmf[row] = 0.0
    pmf[row, arm], eligible[row, arm] = _floats(listed["pmf"]), listed["eligible"].to_numpy().astype(bool)
    return pmf, eligible


def _costs(frame: pl.DataFrame, arms: Sequence[Arm]) -> Array:
    """Return what each row would cost at the prices of now, so that a price change needs no new rows."""
    costs = _floats(frame["cost_usd"])
    inputs, cached, outputs = (
        _floats(frame[name]) for name in ("input_tokens", "cached_tokens", "output_tokens")
    )
    for arm in arms:
        # What depends on more than the three counts stays as it was logged.
        if arm.prices is not None and arm.prices.is_linear:
            # A cost is linear in the three counts, so those of one token each say it all.
            per_input = arm.prices.cost_usd(input_tokens=1, output_tokens=0)
            per_output = arm.prices.cost_usd(input_tokens=0, output_tokens=1)
            saved = per_input - arm.prices.cost_usd(input_tokens=1, output_tokens=0, cached_tokens=1)
            cost = per_input * inputs + per_output * outputs - saved * np.nan_to_num(cached)
            costs = np.where((frame["model"] == arm.id).to_numpy() & ~np.isnan(cost), cost, costs)
    return costs


def _floats(column: pl.Series) -> Array:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
