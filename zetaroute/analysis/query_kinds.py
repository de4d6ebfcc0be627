"""Of which kind a query is: its task label, else the cell of a policy's map that its text lies in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zetaroute.arrays import Index
from zetaroute.config import Home
from zetaroute.features import EmbeddedMap
from zetaroute.features.cluster_names import cell_names
from zetaroute.learn.embeddings import with_embeddings
from zetaroute.log.rows import SINCE
from zetaroute.log.views import FIRST
from zetaroute.policy import Policy
from zetaroute.policy.learned import LearnedPredictor
from zetaroute.registry import COLD, Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

UNKEPT = "(text not kept)"
"""The kind of rows without a label whose text is forgotten or kept as a hash alone."""
FIRST_CALLS = f"{FIRST} AND status <> 'cancelled' AND time >= {SINCE}"
"""The rows of `outcomes` that `served` has one for each of."""
KEPT = "store IS NULL AND forgotten IS NULL"
_BARE = f"coalesce(task, '') = '' AND query IS NOT NULL AND {KEPT}"
_TEXTS = f"SELECT DISTINCT query FROM outcomes WHERE {FIRST_CALLS} AND {_BARE}"
_VECTORS = f"""
    SELECT DISTINCT ON (query, embedding_model) query, store, embedding, embedding_model
    FROM outcomes WHERE {FIRST_CALLS} AND {_BARE} ORDER BY query, embedding_model, embedding IS NULL, id DESC
"""
_NAMED = """
    CREATE OR REPLACE TEMP TABLE named AS
    WITH told AS (SELECT from_json(?, '{"text": ["VARCHAR"], "cell": ["VARCHAR"]}') AS columns)
    SELECT unnest(columns.text) AS text, unnest(columns.cell) AS cell FROM told
"""
_BLOCK = 20_000
"""Texts that are read at once."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of the texts that have no label, as SQL can join them."""

    named: Mapping[str, Sequence[str]] | None = None
    """Columns `text` and `cell`; None where no policy's map tells texts apart."""

    def join(self, connection: DuckDBPyConnection) -> tuple[str, str]:
        """Return the expression of a row's kind, and what to put behind FROM and a view with texts for it."""
        if self.named is None:
            return "coalesce(nullif(task, ''), 'all')", ""
        # As JSON: of every text in an array DuckDB asks whether it belongs to some library.
        connection.execute(_NAMED, [json.dumps(self.named)])
        # No other row's text is looked at.
        joined = f"LEFT JOIN named ON named.text = CASE WHEN {_BARE} THEN query END"
        return f"coalesce(nullif(task, ''), named.cell, '{UNKEPT}')", joined


def read_kinds(
    connection: DuckDBPyConnection, policy: Policy, registry: Registry, *, since: str | None
) -> Kinds:
    """Return the kinds of what was asked without a label since a moment."""
    predictor = policy.predictor
    if not isinstance(predictor, LearnedPredictor):
        return Kinds()
    connection.execute("SET VARIABLE since = ?", [since])
    bare = pl.DataFrame(connection.sql(_VECTORS if isinstance(predictor.map, EmbeddedMap) else _TEXTS))
    texts = bare["query"].unique().sort()
    if texts.is_empty():
        return Kinds()
    wanted = texts.to_list()
    names = names_of(policy, registry)
    return Kinds(
        {"text": wanted, "cell": [names[cell] for cell in _cells(wanted, bare, predictor, registry)]}
    )


def kinds_of(frame: pl.DataFrame, policy: Policy, registry: Registry) -> NDArray[np.str_]:
    """Return each row's task label, else the cell of the policy's map that it lies in, by its stored name."""
    kept = frame.select(pl.col("store").is_null() & pl.col("forgotten").is_null()).to_series()
    known = frame.select("task", query=pl.when(kept).then(pl.col("query")))
    unlabelled = pl.col("task").fill_null("") == ""
    texts = known.filter(unlabelled)["query"].drop_nulls().unique().sort()
    predictor = policy.predictor
    if texts.is_empty() or not isinstance(predictor, LearnedPredictor):
        return _named(known.select(pl.when(~unlabelled).then("task").otherwise(pl.lit("all"))))
    cells = pl.Series(names_of(policy, registry))[_cells(texts.to_list(), frame, predictor, registry)]
    named = known.join(
        pl.DataFrame({"query": texts, "cell": cells}), on="query", how="left", maintain_order="left"
    )
    return _named(named.select(pl.when(~unlabelled).then("task").otherwise(pl.col("cell").fill_null(UNKEPT))))


def names_of(policy: Policy, registry: Registry) -> list[str]:
    """Return the names of the cells of a learned policy's map."""
    predictor = policy.predictor
    assert isinstance(predictor, LearnedPredictor)  # noqa: S101  - only these have a map
    stored = None if policy.version == COLD else registry.manifest(policy.version).get("segments")
    return cell_names(stored, len(predictor.map.spaces.coarse))


def _cells(texts: list[str], frame: pl.DataFrame, predictor: LearnedPredictor, registry: Registry) -> Index:
    """Return the cell of each text (n,); `frame` holds the vectors that the log has of them."""
    knows = with_embeddings(predictor, frame, Home(registry.folder.parent))
    found = [
        knows.map.cells(knows.vectors(texts[start : start + _BLOCK])[:, 1:])
        for start in range(0, len(texts), _BLOCK)
    ]
    return np.concatenate(found).astype(np.int64)


def _named(column: pl.DataFrame) -> NDArray[np.str_]:
    return np.array(column.to_series().to_list(), dtype=np.str_)
