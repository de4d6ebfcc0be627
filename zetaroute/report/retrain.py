"""The report of a retrain, and what its trial on held-out rows showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from zetaroute.report.charts.break_even import break_even
from zetaroute.report.charts.intervals import estimators, forest
from zetaroute.report.charts.policies import frontier, shares
from zetaroute.report.tables import (
    BY_NAME,
    Card,
    Chart,
    Report,
    Result,
    Section,
    Table,
    Tone,
    changes_table,
    figure,
    shares_table,
    table,
)
from zetaroute.report.words import (
    Unit,
    amount,
    change_word,
    per_thousand,
    provenance_notes,
    satisfaction_words,
    with_interval,
)

MOST_MOVES = 12
SMALLEST_MOVE = 0.01
"""Share of a kind's queries below which it does not count as moved."""
FEWEST_HITS = 10
"""Rows that must show the new choice before a kind's own estimate is shown."""
TONES: Mapping[str, Tone] = {"PROMOTE": "good", "REJECT": "bad"}


def retrain_report(result: Result) -> Report:
    """Return the report of a retrain: verdict, before and after on held-out rows, who answers what, evidence."""
    rows, models = result["rows"], list(result["share"]["before"])
    segments = [{"name": "all queries", **result["share"]}, *result.get("segments", [])]
    return Report(
        headline=verdict_sentence(result),
        tone=TONES.get(result["verdict"], "unsure"),
        subject="what a retrain found",
        reasons=result["reasons"],
        lead=f"Policy before: {result['parent']}. Trained on {rows['train']} rows; judged on {rows['holdout']} "
        "held-out rows that no policy was trained on.",
        sections=[
            Section(
                title="Before and after on held-out rows",
                lead="What each policy's best choice would have brought, estimated from the logged propensities "
                "(doubly robust, 95% intervals); exploring is left out of both sides.",
                table=changes_table(result["before"], result["after"], result["difference"]),
                notes=satisfaction_words(result.get("satisfaction")),
                on_screen=True,
            ),
            changes_section(result["difference"]),
            *_cost_sections(result, models),
            shares_section("Who answers what", segments, models),
            Section(
                title="Against simple alternatives",
                table=table(
                    ["policy", "utility per 1,000 queries"],
                    [[name, figure(value, "usd_per_query")] for name, value in result["baselines"].items()],
                ),
            ),
            *_evidence_sections(result),
        ],
        notes=provenance_notes(rows, rows.get("all", rows["train"] + rows["holdout"])),
    )


def trial_sections(result: Result, models: Sequence[str]) -> list[Section]:
    """Return what the trial of a stored result showed; a result without a part has no section for it."""
    return [*_cost_sections(result, models), *_evidence_sections(result)]


def verdict_sentence(result: Result) -> str:
    """Return the verdict of a retrain in one sentence."""
    gain = result["difference"]["utility_usd"]
    behind = f": {per_thousand(gain)}" if gain["value"] is not None else ""
    if result["verdict"] == "PROMOTE":
        return f"PROMOTE: the new policy gains {per_thousand(gain, signed=False)}"
    if result["verdict"] == "REJECT":
        return f"REJECT: the new policy is not better{behind}"
    return f"INSUFFICIENT: the log cannot tell yet{behind}"


def changes_section(difference: Result) -> Section:
    """Return the drawing of how much each figure changed."""
    return Section(
        title="How much each figure changed",
        chart=Chart(
            draw=partial(forest, difference, name="forest"),
            caption="The change of each KPI with its 95% interval. Every line has its own scale, and is turned so "
            "that better is right.",
        ),
    )


def shares_section(title: str, segments: Sequence[Result], models: Sequence[str]) -> Section:
    """Return the share of each model in every kind of query, before and after."""
    return Section(
        title=title,
        chart=Chart(
            draw=partial(shares, segments, models, name="shares"),
            caption="Share per model in each kind of query: your task labels, else kinds that the policy found "
            "itself, named by what marks them.",
        ),
        table=shares_table(segments, models),
    )


def support_notes(result: Result) -> list[str]:
    """Return how much the log can say about a candidate, a sentence each."""
    support = result["support"]
    by = {name: amount(value, "usd_per_query", signed=True) for name, value in result["estimators"].items()}
    return [
        f"{support['hits']} held-out rows show what the candidate would do differently "
        f"(effective {support['effective_sample_size']:.0f}; largest weight {support['largest_weight']:.1f})",
        f"the policies disagree on {amount(support['disagreement'], 'share')} of the queries",
        f"the gain in utility per 1,000 queries by other estimators: weighting alone {by['ips']}, "
        f"normalised {by['snips']}, the model alone {by['model']} (no evidence by itself)",
        *_agreement(result),
        "smallest gain this holdout could prove: "
        f"{amount(result['detectable_usd'], 'usd_per_query')} per 1,000 queries",
        *(
            [f"logged rows it would take to prove the estimated gain: about {result['rows_needed']}"]
            if result["rows_needed"] and result["verdict"] == "INSUFFICIENT"
            else []
        ),
        "ratings steer the policy but are left out of the utility that is tested: too few answers are rated",
        _slowest_note(result["difference"].get("p95_response_s")),
    ]


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


def _slowest_note(p95: Result | None) -> str:
    if p95 is None or p95["value"] is None:
        return "no figure for the 95% response time: it takes 100 rows that show the candidate's choice"
    return f"95% response time: {with_interval(p95, 'seconds', signed=True)}"


def _cost_sections(result: Result, models: Sequence[str]) -> list[Section]:
    strategies, picture = result.get("frontier", []), result.get("break_even")
    sections = []
    if strategies:
        cost = Chart(
            draw=partial(frontier, strategies, models, name="frontier"),
            caption="Full diamond: the candidate; hollow: the incumbent. Circles: one model for everything; the "
            "cross: a uniform draw. Lines are 95% intervals. The dashed line is what mixing single models at random "
            "would reach: a policy above it is worth having.",
        )
        sections.append(Section(title="Cost and accuracy", chart=cost, table=_strategies_table(strategies)))
    if picture:
        wins = Chart(
            draw=partial(break_even, picture, models, name="worth"),
            caption="Which policy or single model has the highest estimated utility, if an answer and a second were "
            "worth something else to you. Pale: the lead is within the noise. Both policies were fitted for your own "
            "values (the star), so elsewhere a retrain with those values could do better still.",
        )
        sections.append(Section(title="Where each would win", chart=wins))
    return sections


def _strategies_table(strategies: Sequence[Result]) -> Table:
    names = ("accuracy_rate", "cost_per_query_usd", "mean_response_s", "utility_usd")
    shown = [BY_NAME[name] for name in names]
    rows = [[one["name"], *(figure(one[kpi.name], kpi.unit) for kpi in shown)] for one in strategies]
    return table(["strategy", *(kpi.label for kpi in shown)], rows)


def _evidence_sections(result: Result) -> list[Section]:
    judged = Chart(
        draw=partial(estimators, result, name="estimators"),
        caption="The estimate that is judged, with its 95% interval (shaded), and three others. The model alone is "
        "no evidence.",
    )
    evidence = Section(title="How much the log can say", chart=judged, notes=support_notes(result))
    return [_moves_section(result["segments"]), evidence] if "segments" in result else [evidence]


def _moves_section(segments: Sequence[Result]) -> Section:
    """Return the kinds of queries that moved to another model, those with most moved queries first."""
    moved = [one for one in segments if one["switch"] and one["moved"] >= SMALLEST_MOVE]
    moved.sort(key=lambda one: -one["rows"] * one["moved"])
    lead = (
        "Expectations are the candidate's own predictions: they say why it chose so, and prove nothing. What was "
        "measured stands on held-out rows."
        if moved
        else "None: for nearly every held-out query both policies choose the same model."
    )
    cards = [_move(one) for one in moved[:MOST_MOVES]]
    return Section(title="Which kinds of queries moved, and why", lead=lead, cards=cards)


def _move(segment: Result) -> Card:
    switch = segment["switch"]
    units: dict[str, tuple[str, Unit]] = {
        "accuracy": ("accuracy", "share"),
        "cost_usd": ("cost per 1,000 queries", "usd_per_query"),
        "response_s": ("time", "seconds"),
    }
    expected = ", ".join(
        f"{label} {amount(switch[key]['before'], unit)} \N{RIGHTWARDS ARROW} {amount(switch[key]['after'], unit)}"
        for key, (label, unit) in units.items()
        if switch[key]["before"] is not None and switch[key]["after"] is not None
    )
    share = amount(segment["moved"], "share")
    return Card(
        title=segment["name"],
        lines=[
            f"{share} of {segment['rows']} queries moved, mostly from {switch['from']} to {switch['to']}.",
            f"Expected there: {expected}.",
            _measured(segment),
            *([f"What marks them: {', '.join(segment['terms'])}"] if segment["terms"] else []),
        ],
    )


def _measured(segment: Result) -> str:
    utility, hits = segment["utility_usd"], segment["hits"]
    if hits < FEWEST_HITS or utility["low"] is None:
        return f"Measured: only {hits} held-out rows show the new choice, too few to say what it brings."
    gain = per_thousand(utility)
    word = change_word(utility, BY_NAME["utility_usd"]).lstrip("+!? ")
    return f"Measured: {gain} in utility there ({word}; {hits} rows show the new choice)."
