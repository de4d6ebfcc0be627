"""The page of what is served now, made anew every few seconds; it draws nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zetaroute.report.decision import CANDIDATE_HEADS, candidate_cells, how_chosen
from zetaroute.report.pages import page
from zetaroute.report.tables import cell, word
from zetaroute.report.terminal import one_line
from zetaroute.report.words import KPIS, amount, provenance_notes, with_interval

Result = Mapping[str, Any]
QUERY_WIDTH = 140
_TONES = {"PROMOTE": "good", "REJECT": "bad"}


def live_html(result: Result) -> str:
    """Return a snapshot as an HTML page, which takes its style and script from beside it.

    Raises ZetarouteError where a library that it needs is missing.
    """
    return page("live.html", **_shown(result))


def _shown(result: Result) -> dict[str, Any]:
    figures = [
        [kpi.label, cell(figure, kpi.unit), word(str(figure["n"]))]
        for kpi in KPIS
        if (figure := result["kpis"].get(kpi.name)) and figure["n"]
    ]
    share = sorted(result["share"].items(), key=lambda one: -one[1])
    return {
        "time": result["time"],
        "hours": result["hours"],
        "version": result["version"],
        "rows": result["rows"],
        "rows_in_log": result["rows_in_log"],
        "figures": figures,
        "share": [
            {"model": model, "value": f"{value:.4f}", "words": amount(value, "share")}
            for model, value in share
        ],
        "heads": CANDIDATE_HEADS,
        "latest": [_row(row) for row in result["latest"]],
        "retrain": _retrain(result["retrain"]),
        "notes": provenance_notes(result["provenance"], result["rows"]),
    }


def _row(row: Result) -> dict[str, Any]:
    ranked = sorted(row["candidates"] or [], key=lambda one: -one["utility_usd"]["mean"])
    status = row["status"] if row["status"] == "ok" else f"{row['status']} ({row['error_kind']})"
    return {
        "id": row["id"],
        "time": row["time"],
        "query": one_line(row["query"] or "(forgotten)", QUERY_WIDTH),
        "model": row["model"],
        "status": status,
        "policy": row["policy_version"],
        "chosen": how_chosen(row),
        "accuracy": "not graded yet" if row["accuracy"] is None else amount(row["accuracy"], "score"),
        "response": amount(row["response_s"], "seconds"),
        "cost": "unknown" if row["cost_usd"] is None else amount(row["cost_usd"], "usd"),
        "candidates": [candidate_cells(one) for one in ranked],
    }


def _retrain(retrain: Result | None) -> dict[str, Any] | None:
    if retrain is None:
        return None
    return {
        "version": retrain["version"],
        "verdict": str(retrain["verdict"]),
        "tone": _TONES.get(retrain["verdict"], "unsure"),
        "reasons": [str(reason) for reason in retrain["reasons"]],
        "utility": with_interval(retrain["difference"].get("utility_usd"), "usd", signed=True),
    }
