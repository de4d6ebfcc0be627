"""The reports as Markdown: what a retrain found, and before against after.

Takes the JSON of the contract and returns text, so that a report can be written again from what was stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zetaroute.report.words import (
    FORECAST_HEADS,
    KPIS,
    amount,
    change_word,
    forecast_rows,
    forecast_sentence,
    provenance_notes,
    satisfaction_words,
    with_interval,
)

Result = Mapping[str, Any]

SERVED_NOTE = (
    "served figures hold the exploring of each version (a cold start explores more than what follows it); "
    "they are re-weighted to one query mix and not causal: a shift inside a kind of query is not covered"
)


def retrain_report(result: Result) -> str:
    """Return the report of a retrain: verdict, before and after on held-out rows, support, baselines."""
    rows = result["rows"]
    return "\n".join(
        [
            f"# {verdict_sentence(result)}",
            "",
            *(f"- {reason}" for reason in result["reasons"]),
            "",
            f"Incumbent: {result['parent']}. Trained on {rows['train']} rows; judged on {rows['holdout']} held-out "
            "rows that no policy was trained on.",
            "",
            "## Before and after on held-out rows",
            "",
            "What each policy's best choice would have brought, estimated from the logged propensities "
            "(doubly robust, 95% intervals). Exploring is left out of both sides.",
            "",
            *_before_after(result["before"], result["after"], result["difference"]),
            "",
            "## Against simple alternatives (utility per query)",
            "",
            *table_lines(
                ["policy", "utility"],
                [[name, with_interval(figure, "usd")] for name, figure in result["baselines"].items()],
            ),
            "",
            "## Share per model",
            "",
            *table_lines(
                ["model", "before", "after"],
                [
                    [model, amount(share, "share"), amount(result["share"]["after"].get(model), "share")]
                    for model, share in result["share"]["before"].items()
                ],
            ),
            "",
            "## How much the log can say",
            "",
            *(f"- {note}" for note in support_notes(result)),
            *(
                f"- {note}"
                for note in provenance_notes(rows, rows.get("all", rows["train"] + rows["holdout"]))
            ),
            "",
        ]
    )


def support_notes(result: Result) -> list[str]:
    """Return how much the log can say about a candidate, a sentence each."""
    support = result["support"]
    return [
        f"{support['hits']} held-out rows show what the candidate would do differently "
        f"(effective {support['effective_sample_size']:.0f}; largest weight {support['largest_weight']:.1f})",
        f"the policies disagree on {amount(support['disagreement'], 'share')} of the queries",
        f"the gain in utility by other estimators: weighting alone {_usd(result, 'ips')}, "
        f"normalised {_usd(result, 'snips')}, the model alone {_usd(result, 'model')} (no evidence by itself)",
        f"smallest gain this holdout could prove: {amount(result['detectable_usd'], 'usd')} per query",
        *(
            [f"logged rows it would take to prove the estimated gain: about {result['rows_needed']}"]
            if result["rows_needed"] and result["verdict"] == "INSUFFICIENT"
            else []
        ),
        "ratings steer the policy but are left out of the utility that is tested: too few answers are rated",
        *satisfaction_words(result.get("satisfaction")),
        *_slowest_notes(result["difference"].get("p95_response_s")),
    ]


def _slowest_notes(p95: Result | None) -> list[str]:
    if p95 is None or p95["value"] is None:
        return ["no figure for the 95% response time: it takes 100 rows that show the candidate's choice"]
    return [f"95% response time: {with_interval(p95, 'seconds', signed=True)}"]


def compare_report(result: Result) -> str:
    """Return before against after of what was served, with the held-out estimate beside it."""
    before, after = result["before"], result["after"]
    return "\n".join(
        [
            f"# {before['version']} before, {after['version']} after",
            "",
            served_sentence(result),
            "",
            "## The policies themselves",
            "",
            "Estimated on held-out rows by what each policy would choose; exploring left out.",
            "",
            *_before_after(result["policies"]["before"], result["policies"]["after"], result["off_policy"]),
            "",
            "## What was served",
            "",
            *_before_after(before["kpis"], after["kpis"], result["difference"]),
            "",
            f"- {SERVED_NOTE}",
            *(f"- {note}" for note in satisfaction_words(result["satisfaction"])),
            *(f"- {note}" for note in provenance_notes(after["provenance"], after["rows"])),
            "",
            "## What promotions promised, and what came",
            "",
            *table_lines(FORECAST_HEADS, forecast_rows(result["forecasts"])),
            "",
            forecast_sentence(result["forecasts"]),
            "",
        ]
    )


def verdict_sentence(result: Result) -> str:
    """Return the verdict of a retrain in one sentence."""
    gain = with_interval(result["difference"]["utility_usd"], "usd", signed=True)
    if result["verdict"] == "PROMOTE":
        return f"PROMOTE: the new policy is worth {gain} more per query"
    if result["verdict"] == "REJECT":
        return f"REJECT: the new policy is not better ({gain} per query)"
    return f"INSUFFICIENT: the log cannot tell yet ({gain} per query)"


def served_sentence(result: Result) -> str:
    """Return what the served rows say of the newer version in one sentence."""
    gain = with_interval(result["difference"]["utility_usd"], "usd", signed=True)
    for which in ("before", "after"):
        if not result[which]["rows"]:
            return f"{result[which]['version']} has served no query yet: there is nothing served to compare."
    if result["confirmed"] is None:
        return (
            f"What was served cannot tell yet whether the newer version is better: {gain} utility per query."
        )
    if result["confirmed"]:
        return f"What was served confirms that the newer version is better: {gain} utility per query."
    return f"What was served contradicts the promotion: {gain} utility per query."


def _before_after(before: Result, after: Result, difference: Result) -> list[str]:
    lines = []
    for kpi in KPIS:
        figure = after.get(kpi.name)
        if figure is None or figure["value"] is None:
            continue
        change = difference.get(kpi.name)
        lines.append(
            [
                kpi.label,
                with_interval(before.get(kpi.name), kpi.unit),
                with_interval(figure, kpi.unit),
                with_interval(change, kpi.unit, signed=True),
                change_word(change, kpi),
            ]
        )
    return table_lines(["KPI", "before", "after", "difference", ""], lines)


def table_lines(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table; bars in cells are escaped."""
    rows = [head, ["---"] * len(head), *lines]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def _usd(result: Result, estimator: str) -> str:
    return amount(result["estimators"][estimator], "usd", signed=True)
