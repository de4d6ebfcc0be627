"""The report of a retrain: the verdict, the evidence, before and after, and which queries would move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from zetaroute.domain import strength
from zetaroute.report import tables
from zetaroute.report.charts import forest, shares
from zetaroute.report.figure_words import Unit, amount, per_thousand, provenance_notes

FEWEST_SEEN = 20
"""Queries that a column of the table stands on at least (`evaluate.before_after`)."""
MOST_MOVES = 12
SMALLEST_MOVE = 0.01
"""Share of a kind's queries below which it does not count as moved."""
TONES: Mapping[str, tables.Tone] = {"PROMOTE": "good", "REJECT": "bad"}


def retrain_report(result: tables.Result) -> tables.Report:
    """Return the report of a retrain: verdict, evidence, before and after, who answers what, what moves."""
    written = tables.changes_as_written(result["before"], result["after"], result["difference"])
    rows, share = result["rows"], result["model_share"]
    segments = [{"name": "all queries", **share}, *result["segments"]]
    return tables.Report(
        headline=verdict_sentence(result),
        tone=TONES.get(result["verdict"], "unsure"),
        subject="what a retrain found",
        reasons=result["reasons"],
        lead=f"Policy before: {result['parent']}. Trained on {rows['train']} rows; judged by {rows['scored']} "
        "queries, each by what was learned before it was asked.",
        sections=[
            _table_section(result),
            *([changes_section(written)] if result["after"] else []),
            _evidence_section(result),
            shares_section("Who answers what", segments, list(share["before"])),
            *moves_sections(result),
        ],
        notes=provenance_notes(rows, rows["all"]),
    )


def verdict_sentence(result: tables.Result) -> str:
    """Return the verdict of a retrain in one sentence."""
    gain = tables.changes_as_written(result["before"], result["after"], result["difference"])["utility_usd"]
    behind = f": {per_thousand(gain)}" if gain["value"] is not None else ""
    if result["verdict"] == "PROMOTE":
        return f"PROMOTE: the new policy gains {per_thousand(gain, signed=False)}"
    if result["verdict"] == "REJECT":
        # An interval that holds zero would say that nobody knows.
        return f"REJECT: {result['reasons'][0]}" + (behind if (gain["high"] or 0.0) < 0.0 else "")
    if result.get("anew"):
        return f"INSUFFICIENT: the evidence begins anew: {result['anew']}"
    if result["evidence"].get("serves"):
        return f"INSUFFICIENT: the version that serves already is tested for harm{behind}"
    return f"INSUFFICIENT: the evidence does not suffice yet{behind}"


def _table_section(result: tables.Result) -> tables.Section:
    title = "Before and after" + (", in the contest that has ended" if result.get("anew") else "")
    if not any(figure["value"] is not None for figure in result["after"].values()):
        scored, missing = result["evidence"]["rows"], result["queries_missing"]
        more = f"about {missing} more queries with references" if missing else "queries with references"
        lead = (
            f"Nothing to show yet: {scored} queries were scored, and both columns need {FEWEST_SEEN} answers to "
            f"queries on which the two differ. What would do: {more}."
        )
        return tables.Section(title=title, lead=lead, on_screen=True)
    left_out = " and ".join(tables.BY_NAME[name].label.lower() for name in result["left_out"])
    return tables.Section(
        title=title,
        lead="The champion and its challengers as they would answer alone, by the queries that were scored; "
        "exploring is left out of both sides.",
        table=tables.changes_table(
            result["before"],
            result["after"],
            result["difference"],
            proven=result["verdict"] != "INSUFFICIENT",
        ),
        notes=[f"the utility leaves out what too few answers tell: {left_out}"] if left_out else (),
        on_screen=True,
    )


def _evidence_section(result: tables.Result) -> tables.Section:
    found = result["evidence"]
    notes = [
        f"{found['rows']} queries were scored, {found['audited']} of them by asking the models of both sides",
        f"evidence of a gain: {strength(found['e_value'])} of the {found['promotes_at']:.0f} that promote; "
        "where nothing is gained it gets there in one home of twenty at most, however often one looks",
        f"evidence that accuracy keeps its margin: {strength(found['accuracy'])} of {found['promotes_at']:.0f}",
        f"evidence of harm: {strength(found['harm'])} of the {found['rolls_back_at']:.0f} that stop a challenger",
        "ratings steer the policy but are no evidence: too few answers are rated, and not at random",
    ]
    if result["audits_needed"]:
        notes.append(
            f"to prove the estimated gain: about {result['audits_needed']} more audited queries, "
            f"{amount(result['audit_usd_needed'], 'usd')} of audits"
        )
    kinds = tables.listed(
        result["harm"],
        ("kind of query", lambda one: one["name"]),
        (tables.number("queries"), lambda one: str(one["rows"])),
        (tables.number("gain per 1,000"), lambda one: amount(one["gain_usd"], "usd_per_query", signed=True)),
        (
            tables.number("evidence of harm"),
            lambda one: strength(one["harm"]) + " (harmed)" * bool(one["harmed"]),
        ),
    )
    table = kinds if result["harm"] else None
    return tables.Section(title="How strong the evidence is", table=table, notes=notes)


def changes_section(difference: tables.Result) -> tables.Section:
    """Return the drawing of how much each figure changed."""
    return tables.Section(
        title="How much each figure changed",
        chart=tables.Chart(
            draw=partial(forest, difference, name="forest"),
            caption="The change of each KPI with its 95% interval. Every line has its own scale, and is turned so "
            "that better is right.",
        ),
    )


def shares_section(title: str, segments: Sequence[tables.Result], models: Sequence[str]) -> tables.Section:
    """Return the share of each model in every kind of query, before and after."""
    return tables.Section(
        title=title,
        chart=tables.Chart(
            draw=partial(shares, segments, models, name="shares"),
            caption="Share per model in each kind of query: your task labels, else kinds that the policy found "
            "itself, named by what marks them.",
        ),
        table=tables.shares_table(segments, models),
    )


def moves_sections(result: tables.Result) -> list[tables.Section]:
    """Return the kinds of queries that moved to another model, those with most moved queries first; nothing where a
    stored result holds none."""
    segments = result.get("segments")
    if segments is None:
        return []
    moved = [one for one in segments if one["switch"] and one["moved"] >= SMALLEST_MOVE]
    moved.sort(key=lambda one: -one["rows"] * one["moved"])
    lead = (
        "Expectations are the new version's own predictions: they say why it chose so, and prove nothing."
        if moved
        else "None: for nearly every one of the latest queries both sides choose the same model."
    )
    cards = [_move(one) for one in moved[:MOST_MOVES]]
    return [tables.Section(title="Which kinds of queries moved, and why", lead=lead, cards=cards)]


def _move(segment: tables.Result) -> tables.Card:
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
    return tables.Card(
        title=segment["name"],
        lines=[
            f"{share} of {segment['rows']} queries moved, mostly from {switch['from']} to {switch['to']}.",
            f"Expected there: {expected}.",
            *([f"What marks them: {', '.join(segment['terms'])}"] if segment["terms"] else []),
        ],
    )
