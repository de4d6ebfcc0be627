"""The models in a table: state, share, figures of their latest rows, price and priors."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from zetaroute.report.figure_words import Unit, amount
from zetaroute.report.tables import Column, Heading, Result, Table, listed, number


def models_table(rows: Iterable[Result], *, brief: bool = False) -> Table:
    """Return a line per model; a `brief` one leaves out what the config says."""

    def of_kpis(name: str, unit: Unit) -> Callable[[Result], str]:
        return lambda row: amount(row["kpis"][name], unit)

    configured: tuple[tuple[Heading, Callable[[Result], str]], ...] = (
        (Column(title="$/1M", spare=2), lambda row: _price(row["price"])),
        (Column(title="prior", spare=3), _prior),
        (Column(title="tags", spare=4), lambda row: ", ".join(row["tags"])),
    )
    accuracy = of_kpis("accuracy", "share")
    return listed(
        rows,
        ("model", lambda row: row["model"]),
        ("state", lambda row: row["state"]),
        (number("share"), lambda row: amount(row["share"], "share")),
        (number("accuracy (rows)"), lambda row: f"{accuracy(row)} ({row['kpis']['graded']})"),
        (number("liked", spare=1), of_kpis("satisfaction", "score")),
        (number("p95", spare=1), of_kpis("p95_response_s", "seconds")),
        (number("cost of 1,000"), of_kpis("cost_per_query_usd", "usd_per_query")),
        (number("errors", spare=1), of_kpis("error_rate", "share")),
        *(() if brief else configured),
    )


def _price(price: Result | None) -> str:
    return "unknown" if price is None else f"{price['input']:g} / {price['output']:g}"


def _prior(row: Result) -> str:
    """Return what the config expects of a model, while that still counts."""
    if row["state"] != "onboarding":
        return "-"
    return f"{or_dash(row['prior_accuracy'])} / {or_dash(row['prior_response_s'])} s"


def or_dash(value: float | None) -> str:
    """Return a number; a dash where it is unknown."""
    return "-" if value is None else f"{value:g}"
