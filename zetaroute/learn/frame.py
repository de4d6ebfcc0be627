"""The training frame: the log read with DuckDB into Polars, split into training rows and the gate's holdout.

Apart from the fitting so that the split, on which every honest comparison rests, stands in one place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zetaroute.domain import Arm
from zetaroute.evaluate.scales import one_scale
from zetaroute.features import Embeddings
from zetaroute.features.hashed import hashed_vector
from zetaroute.store.log import rows_since

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS = (
    "id, store, time, query, task, conversation, model, policy_version, propensity, forced, status, fallback_of, "
    # The propensities of a canary's rows are those over both policies, so its lot must not divide them.
    "coalesce(duel.canary || ' ' || duel.share, policy_version) AS drawn_by, "
    "accuracy, accuracy_source, truth, judge, user_says, "
    "satisfaction, satisfaction_source, rating, thumbs, verdict, prompted, asked, ask_probability, "
    "rating_simulated, response_s, cost_usd, recorded, "
    "input_tokens, cached_tokens, output_tokens, embedding, embedding_model, "
    "list_transform(candidates, lambda c: c.model) AS models, pmf, "
    "list_transform(candidates, lambda c: c.eligible) AS eligible"
)


def read_frame(connection: DuckDBPyConnection, *, since: str | None = None) -> pl.DataFrame:
    """Return the rows of the log that can teach something, oldest first, with their group and split.

    Cancelled calls and forgotten rows are left out, and those that were asked because another model failed a check:
    they tell of hard queries alone. `since` is an ISO 8601 moment in UTC.
    """
    kept = f"SELECT {COLUMNS} FROM rounds WHERE status <> 'cancelled' AND forgotten IS NULL "
    kept += "AND escalated IS NOT TRUE"
    return with_split(on_one_scale(pl.DataFrame(rows_since(connection, kept, since, order="time, id"))))


def on_one_scale(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows of the log with `satisfaction` on one scale, as far as the outcomes tell how scales compare."""
    scales = {name: _floats(frame[name]) for name in ("satisfaction", "rating", "thumbs", "verdict")}
    satisfaction = one_scale(scales.pop("satisfaction"), scales.pop("rating"), scales)
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


def with_split(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the columns `group` (conversation, else normalised text) and `holdout` (half of the groups)."""
    groups = [group_of(conversation, query) for conversation, query in _pairs(frame)]
    return frame.with_columns(
        pl.Series("group", groups, dtype=pl.UInt64),
        pl.Series("holdout", [is_holdout(group) for group in groups], dtype=pl.Boolean),
    )


def group_of(conversation: str | None, query: str) -> int:
    """Return a number of what must stay on one side: the conversation, else the text without case and spacing."""
    key = "c:" + conversation if conversation else "q:" + " ".join(query.casefold().split())
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest()[:8], "big")


def is_holdout(group: int) -> bool:
    """Return whether a group is reserved for the gate: half of them, by the first bit of the hash."""
    return group < 2**63


def _pairs(frame: pl.DataFrame) -> Iterator[tuple[str | None, str]]:
    yield from frame.select("conversation", "query").iter_rows()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows of the frame as arrays, with arms as numbers."""

    texts: list[str]
    tasks: list[str | None]
    arm: NDArray[np.int64]
    """(n,) position of the row's model in the list of arms."""
    accuracy: NDArray[np.float64]
    satisfaction: NDArray[np.float64]
    response_s: NDArray[np.float64]
    cost_usd: NDArray[np.float64]
    """(n,) at the prices of now, where tokens and prices are known; else as it was logged."""
    tokens: NDArray[np.float64]
    """(n, 2) input and output tokens."""
    time_s: NDArray[np.float64]
    """(n,) seconds since the epoch."""
    answered: NDArray[np.bool_]
    pmf: NDArray[np.float64]
    """(n, K) logged probabilities; rows without any are NaN."""
    eligible: NDArray[np.bool_]
    """(n, K)"""
    fold: NDArray[np.int64]
    """(n,) cross-fitting fold of the row's group."""
    stratum: NDArray[np.int64]
    """(n,) number of the policy version that drew the row's arm."""
    group: NDArray[np.uint64]
    """(n,) number of the row's conversation or text: rows that share it depend on one another."""
    weight: NDArray[np.float64]
    """(n,) how much a row counts in a fit; below 1 where it tells of a time that is over."""
    trust: NDArray[np.float64]
    """(n,) how much its accuracy counts there beside one that is known for true (`learn.reliability`)."""
    ask_chance: NDArray[np.float64]
    """(n,) chance with which a rating was asked for; NaN where nobody could be asked."""
    asked: NDArray[np.bool_]
    prompted: NDArray[np.bool_]
    """(n,) whether the rating was given because it was asked for."""


def sample(
    frame: pl.DataFrame, arms: Sequence[Arm], *, trust: Mapping[str, float] | None = None, folds: int = 5
) -> Sample:
    """Return the rows of `frame` whose model is one of `arms` (in that order) as arrays.

    `trust` says how much the accuracy from a source counts in a fit; one that it does not name counts fully.
    """
    models = [arm.id for arm in arms]
    frame = frame.filter(pl.col("model").is_in(models))
    place = {model: index for index, model in enumerate(models)}
    pmf = np.full((frame.height, len(models)), np.nan)
    eligible = np.zeros((frame.height, len(models)), dtype=bool)
    columns = frame.select("models", "pmf", "eligible", "propensity", "fallback_of").iter_rows()
    for row, (names, chances, allowed, propensity, fallback_of) in enumerate(columns):
        if propensity is None or fallback_of is not None or not set(names) <= place.keys():
            continue
        pmf[row] = 0.0
        for name, chance, may in zip(names, chances, allowed, strict=True):
            pmf[row, place[name]], eligible[row, place[name]] = chance, may
    return Sample(
        texts=frame["query"].to_list(),
        tasks=frame["task"].to_list(),
        arm=np.array([place[model] for model in frame["model"].to_list()], dtype=np.int64),
        accuracy=_floats(frame["accuracy"]),
        satisfaction=_floats(frame["satisfaction"]),
        response_s=_floats(frame["response_s"]),
        cost_usd=_costs(frame, arms),
        tokens=np.column_stack([_floats(frame["input_tokens"]), _floats(frame["output_tokens"])]),
        time_s=frame["time"].dt.epoch("us").to_numpy().astype(np.float64) / 1e6,
        answered=(frame["status"] == "ok").to_numpy().astype(bool),
        pmf=pmf,
        eligible=eligible,
        fold=(frame["group"] % folds).to_numpy().astype(np.int64),
        stratum=frame["drawn_by"].fill_null("").rank("dense").to_numpy().astype(np.int64),
        group=frame["group"].to_numpy().astype(np.uint64),
        weight=np.ones(frame.height),
        trust=trust_of(frame, trust or {}),
        ask_chance=_floats(frame["ask_probability"]),
        asked=frame["asked"].fill_null(value=False).to_numpy().astype(bool),
        prompted=frame["prompted"].to_numpy().astype(bool),
    )


def clusters(rows: Sample) -> NDArray[np.int64]:
    """Return numbers from 0 (n,) that rows of one group share."""
    return np.asarray(np.unique(rows.group, return_inverse=True)[1], dtype=np.int64)


def take(rows: Sample, keep: NDArray[np.bool_]) -> Sample:
    """Return the chosen rows of a sample."""
    values = {name: getattr(rows, name)[keep] for name in rows.__slots__ if name not in {"texts", "tasks"}}
    return Sample(texts=list(compress(rows.texts, keep)), tasks=list(compress(rows.tasks, keep)), **values)


def trust_of(frame: pl.DataFrame, trust: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the trust in each row's source of accuracy (n,)."""
    sources = frame["accuracy_source"].to_list()
    return np.array([trust.get(source, 1.0) if source else 1.0 for source in sources], dtype=np.float64)


def _costs(frame: pl.DataFrame, arms: Sequence[Arm]) -> NDArray[np.float64]:
    """Return what each row would cost at the prices of now, so that a price change needs no new rows."""
    prices = {arm.id: arm.prices for arm in arms}
    columns = frame.select("model", "cost_usd", "input_tokens", "cached_tokens", "output_tokens").iter_rows()
    costs = []
    for model, logged, inputs, cached, outputs in columns:
        price = prices[model]
        if price is None or inputs is None or outputs is None:
            costs.append(float("nan") if logged is None else logged)
        else:
            costs.append(
                price.cost_usd(input_tokens=inputs, output_tokens=outputs, cached_tokens=cached or 0)
            )
    return np.array(costs, dtype=np.float64)


def _floats(column: pl.Series) -> NDArray[np.float64]:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
