"""The models in a table: state, share, figures of their latest rows, price and priors."""

from __future__ import annotations

from collections.abc import Iterable

from zetaroute.report.figure_words import amount
from zetaroute.report.tables import Column, Heading, Result, Table, number, table

_SETTINGS = ("$/1M", "prior", "tags")
"""Columns of what the config says."""


def models_table(rows: Iterable[Result], *, brief: bool = False) -> Table:
    """Return a line per model; a `brief` one leaves out what the config says."""
    columns: list[Heading] = [
        "model",
        "state",
        number("share"),
        number("accuracy (rows)"),
        number("liked", spare=1),
        number("p95", spare=1),
        number("cost of 1,000"),
        number("errors", spare=1),
        Column(title="$/1M", spare=2),
        Column(title="prior", spare=3),
        Column(title="tags", spare=4),
    ]
    cells = [
        (
            row["model"],
            row["state"],
            amount(row["share"], "share"),
            f"{amount(row['kpis']['accuracy'], 'share')} ({row['kpis']['graded']})",
            amount(row["kpis"]["satisfaction"], "score"),
            amount(row["kpis"]["p95_response_s"], "seconds"),
            amount(row["kpis"]["cost_per_query_usd"], "usd_per_query"),
            amount(row["kpis"]["error_rate"], "share"),
            _price(row["price"]),
            _prior(row),
            ", ".join(row["tags"]),
        )
        for row in rows
    ]
    whole = table(columns, cells)
    kept = [place for place, column in enumerate(whole.columns) if not (brief and column.title in _SETTINGS)]
    return Table(
        columns=tuple(whole.columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in whole.rows),
    )


def _price(price: Result | None) -> str:
    return "unknown" if price is None else f"{price['input']:g} / {price['output']:g}"


def _prior(row: Result) -> str:
    """Return what the config expects of a model, while that still counts."""
    if row["state"] != "onboarding":
        return "-"
    return f"{_or_dash(row['prior_accuracy'])} / {_or_dash(row['prior_response_s'])} s"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
