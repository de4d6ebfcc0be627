"""The reports as pages: one file each, without a script and without anything from elsewhere.

Takes the JSON of the contract, as the Markdown does, and the texts in it are untrusted: every one passes `plain`
and is escaped by the template. What is drawn comes from the charts beside this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zetaroute.report.charts.break_even import break_even
from zetaroute.report.charts.calibration import calibration
from zetaroute.report.charts.intervals import estimators, forest, over_time
from zetaroute.report.charts.policies import frontier, shares
from zetaroute.report.markdown import SERVED_NOTE, served_sentence, support_notes, verdict_sentence
from zetaroute.report.pages import page
from zetaroute.report.tables import (
    Result,
    changes,
    figures_table,
    moves,
    parts_table,
    share_table,
    time_table,
    ways_table,
)
from zetaroute.report.words import (
    FORECAST_HEADS,
    forecast_rows,
    forecast_sentence,
    judge_words,
    provenance_notes,
    satisfaction_words,
    with_interval,
)

_TONES = {"PROMOTE": "good", "REJECT": "bad", True: "good", False: "bad"}


def retrain_html(result: Result) -> str:
    """Return the report of a retrain as one HTML page.

    Raises ZetarouteError where a library that it needs is missing.
    """
    rows, models = result["rows"], list(result["share"]["before"])
    everything = {"name": "all queries", **result["share"]}
    segments = [everything, *result.get("segments", [])]
    return page(
        "retrain.html",
        sentence=verdict_sentence(result),
        tone=_TONES.get(result["verdict"], "unsure"),
        eyebrow="zetaroute: what a retrain found",
        reasons=result["reasons"],
        standing=f"Policy before: {result['parent']}. Trained on {rows['train']} rows; judged on {rows['holdout']} "
        "held-out rows that no policy was trained on.",
        changes=changes(result["before"], result["after"], result["difference"]),
        forest=_svg(forest, result["difference"], name="forest"),
        shares=_svg(shares, segments, models, name="shares"),
        share_table=share_table(segments, models),
        held=_held_out(result, models),
        notes=provenance_notes(rows, rows.get("all", rows["train"] + rows["holdout"])),
    )


def compare_html(result: Result) -> str:
    """Return before against after of what was served as one HTML page, with the held-out estimate.

    Raises ZetarouteError where a library that it needs is missing.
    """
    before, after, held = result["before"], result["after"], result["held_out"]
    served = {**before["share"], **after["share"]}
    models = [*held.get("share", {}).get("before", {})]
    models += sorted(model for model in served if model not in models)
    everything = {"name": "all queries", "before": before["share"], "after": after["share"]}
    segments = [everything, *result["segments"]]
    policies = result["policies"]
    return page(
        "compare.html",
        sentence=served_sentence(result),
        tone=_TONES.get(result["confirmed"], "unsure"),
        eyebrow="zetaroute: before against after",
        before=before,
        after=after,
        changes=changes(before["kpis"], after["kpis"], result["difference"]),
        served_note=f"{SERVED_NOTE[0].upper()}{SERVED_NOTE[1:]}.",
        forest=_svg(forest, result["difference"], name="forest"),
        over_time=_svg(over_time, result["over_time"], name="time"),
        time_table=time_table(result["over_time"]),
        shares=_svg(shares, segments, models, name="shares"),
        share_table=share_table(segments, models),
        policy_changes=changes(policies["before"], policies["after"], result["off_policy"]),
        verdict=result["verdict"],
        canary=result["canary"] and with_interval(result["canary"], "usd", signed=True),
        forecast_heads=FORECAST_HEADS,
        forecasts=[
            [line[0], *({"value": cell, "interval": ""} for cell in line[1:])]
            for line in forecast_rows(result["forecasts"])
        ],
        forecast_sentence=forecast_sentence(result["forecasts"]),
        reasons=result["reasons"],
        held=_held_out(held, models) if "estimators" in held else None,
        examples=result.get("examples", {}),
        notes=[
            *satisfaction_words(result["satisfaction"]),
            *provenance_notes(after["provenance"], after["rows"]),
        ],
    )


def kpi_html(result: Result) -> str:
    """Return the key figures of what was served as one HTML page.

    Raises ZetarouteError where a library that it needs is missing.
    """
    accuracy = with_interval(result["kpis"]["accuracy_rate"], "share")
    cost = with_interval(result["kpis"]["cost_per_query_usd"], "usd")
    shown = {"name": "all queries", "served": result["share"]}
    return page(
        "kpi.html",
        sentence=f"{result['rows']} queries: accuracy {accuracy}, cost per query {cost}",
        tone="unsure",
        eyebrow=f"zetaroute: what was served; policy now {result['version']}",
        since=result["since"],
        until=result["until"],
        figures=figures_table(result),
        over_time=_svg(over_time, result["over_time"], name="time"),
        time_table=time_table(result["over_time"]),
        by=parts_table(result["by"]) if result["by"] else None,
        shares=_svg(shares, [shown], sorted(result["share"]), name="shares", sides=("served",)),
        judges=[
            {
                "told": told,
                "chart": _svg(calibration, judge["truth"], judge["author"], name=f"judge-{number}"),
            }
            for number, (judge, told) in enumerate(
                zip(result["judges"], judge_words(result["judges"]), strict=True)
            )
        ],
        notes=provenance_notes(result["provenance"], result["rows"]),
    )


def _held_out(result: Result, models: Sequence[str]) -> dict[str, Any]:
    """Return what both pages show of a trial; a result that was stored without a part shows nothing there."""
    ways, picture = result.get("frontier", []), result.get("break_even")
    return {
        "frontier": _svg(frontier, ways, models, name="frontier"),
        "ways": ways_table(ways),
        "break_even": _svg(break_even, picture, models, name="worth") if picture else "",
        "moves": moves(result["segments"]) if "segments" in result else None,
        "estimators": _svg(estimators, result, name="estimators"),
        "support": [*support_notes(result), *_agreement(result)],
    }


def _agreement(result: Result) -> list[str]:
    """Return whether the estimators that weigh what was drawn agree with the one that is judged."""
    gain, others = result["difference"]["utility_usd"], result["estimators"]
    if gain["low"] is None or gain["low"] == gain["high"]:
        return []
    names = {"ips": "weighting alone", "snips": "normalised weighting"}
    outside = [name for key, name in names.items() if not gain["low"] <= others[key] <= gain["high"]]
    if not outside:
        return ["both weighting estimators lie within the judged interval"]
    alarm = (
        "do not trust the estimate before you know why"
        if len(outside) == len(names)
        else "by itself it is noisier, so this alone is no alarm"
    )
    return [f"{' and '.join(outside)} outside the judged interval: {alarm}"]


def _svg(chart: Callable[..., str], *arguments: Any, **options: Any) -> str:
    from markupsafe import Markup

    # Not a hole: charts escape the texts that they write, and a test holds them to it.
    return Markup(chart(*arguments, **options))  # noqa: S704
