"""The live page of `serve`: a snapshot's figures in the template that shows them."""

from __future__ import annotations

import math
from typing import Any

from zetaroute.domain import strength
from zetaroute.report.decisions_outcomes import FORGOTTEN, candidates_table, chain_lines, how_chosen, reasons
from zetaroute.report.figure_words import amount, per_thousand, provenance_notes, with_interval
from zetaroute.report.html import render
from zetaroute.report.models_table import models_table
from zetaroute.report.tables import Result, figures_table
from zetaroute.report.terminal import one_line

QUERY_WIDTH = 140
_TONES = {"PROMOTE": "good", "REJECT": "bad"}


def live_html(result: Result) -> str:
    """Return what is served now as an HTML page, which takes its style and script from beside it.

    Raises ZetarouteError where a library that it needs is missing.
    """
    earned, asked = result["earned"], result["audits"]
    return render(
        "live.html",
        time=result["time"],
        hours=result["hours"],
        version=result["version"],
        rows=result["rows"],
        rows_in_log=result["rows_in_log"],
        figures=figures_table(result["kpis"]),
        models=models_table(result["models"], brief=True),
        states=result["states"],
        contest=_contest(result["contest"]),
        earned=with_interval(earned, "usd", signed=True) if earned["value"] is not None else None,
        audits=f"{asked['rows']:,} answers for {amount(asked['cost_usd'], 'usd')}" if asked["rows"] else None,
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
        "asks": chain_lines(row["asks"]),
    }


def _contest(contest: Result | None) -> dict[str, Any] | None:
    """Return who challenges whom, and how far the evidence is on its way, on a scale of its logarithm."""
    if contest is None:
        return None
    evidence = contest["evidence"]
    proving = contest["step"] != "promoted"
    meters = [("of a gain", "e_value", "promotes_at")] * proving + [("of harm", "harm", "rolls_back_at")]
    return {
        "challenger": contest["challenger"],
        "against": contest["anchor"] or contest["champion"],
        "share": amount(contest["share"], "share"),
        "step": {"promoted": "serves, and is tested for harm", "paused": "is paused"}.get(
            contest["step"], "challenges"
        ),
        "scored": f"{evidence['rows']:,}",
        "audited": f"{evidence['audited']:,}",
        "meters": [
            {
                "words": words,
                "value": strength(evidence[value]),
                "bound": f"{evidence[bound]:.0f}",
                "far": f"{min(1.0, max(0.0, math.log(max(evidence[value], 1.0)) / math.log(evidence[bound]))):.3f}",
            }
            for words, value, bound in meters
        ],
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
