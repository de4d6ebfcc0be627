"""The live page of `serve`: a snapshot's figures in the template that shows them."""

from __future__ import annotations

from typing import Any

from zetaroute.report.decision import FORGOTTEN, candidates_table, how_chosen, reasons
from zetaroute.report.html import render
from zetaroute.report.tables import Result, figures_table
from zetaroute.report.terminal import one_line
from zetaroute.report.words import amount, per_thousand, provenance_notes

QUERY_WIDTH = 140
_TONES = {"PROMOTE": "good", "REJECT": "bad"}


def live_html(result: Result) -> str:
    """Return what is served now as an HTML page, which takes its style and script from beside it.

    Raises ZetarouteError where a library that it needs is missing.
    """
    share = sorted(result["share"].items(), key=lambda one: -one[1])
    return render(
        "live.html",
        time=result["time"],
        hours=result["hours"],
        version=result["version"],
        rows=result["rows"],
        rows_in_log=result["rows_in_log"],
        figures=figures_table(result["kpis"]),
        share=[
            {"model": model, "value": f"{value:.4f}", "words": amount(value, "share")}
            for model, value in share
        ],
        latest=[_row(row) for row in result["latest"]],
        retrain=_retrain(result["retrain"]),
        notes=provenance_notes(result["provenance"], result["rows"]),
    )


def _row(row: Result) -> dict[str, Any]:
    status = row["status"] if row["status"] == "ok" else f"{row['status']} ({row['error_kind']})"
    return {
        "id": row["id"],
        "time": row["time"],
        "query": one_line(row["query"] or FORGOTTEN, QUERY_WIDTH),
        "model": row["model"],
        "status": status,
        "policy": row["policy_version"],
        "chosen": how_chosen(row),
        "accuracy": "not graded yet" if row["accuracy"] is None else amount(row["accuracy"], "score"),
        "response": amount(row["response_s"], "seconds"),
        "cost": "unknown" if row["cost_usd"] is None else amount(row["cost_usd"], "usd"),
        "candidates": candidates_table(row["candidates"]) if row["candidates"] else None,
        "reasons": reasons(row["candidates"] or ()),
    }


def _retrain(retrain: Result | None) -> dict[str, Any] | None:
    if retrain is None:
        return None
    return {
        "version": retrain["version"],
        "verdict": str(retrain["verdict"]),
        "tone": _TONES.get(retrain["verdict"], "unsure"),
        "reasons": [str(reason) for reason in retrain["reasons"]],
        "utility": per_thousand(retrain["difference"].get("utility_usd")),
    }
