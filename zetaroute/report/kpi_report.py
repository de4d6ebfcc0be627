"""The reports of what was served: the key figures, and before against after."""

from __future__ import annotations

from functools import partial

from zetaroute.report import tables
from zetaroute.report.charts import calibration, over_time, shares
from zetaroute.report.figure_words import (
    amount,
    judge_sentence,
    per_thousand,
    provenance_notes,
    satisfaction_words,
)
from zetaroute.report.retrain_report import changes_section, moves_sections, shares_section

SERVED_NOTE = (
    "served figures hold the exploring of each version (a cold start explores more than what follows it); "
    "they are re-weighted to one query mix and not causal: a shift inside a kind of query is not covered"
)
_TONES: dict[bool | None, tables.Tone] = {True: "good", False: "bad", None: "unsure"}


def kpi_report(result: tables.Result) -> tables.Report:
    """Return the report of the key figures of what was served."""
    if not result["rows"]:
        return tables.Report(
            headline="Nothing was served here: `zetaroute ask` or `zetaroute batch` bring the first figures."
        )
    served = [{"name": "all queries", "served": result["share"]}]
    share = tables.Chart(
        draw=partial(shares, served, sorted(result["share"]), name="shares", sides=("served",)),
        caption="Who answered, exploring included.",
    )
    kinds = tables.Section(
        title="Who chose the model", table=tables.parts_table(result["kinds"]), on_screen=True
    )
    parts = tables.Section(title="In parts", table=tables.parts_table(result["by"]), on_screen=True)
    return tables.Report(
        headline=f"{result['rows']:,} quer{'y' if result['rows'] == 1 else 'ies'}, policy now {result['version']}",
        subject="what was served",
        sections=[
            tables.Section(
                title="Key figures",
                lead=f"From {_minute(result['since'])} to {_minute(result['until'])}, UTC.",
                table=tables.figures_table(
                    result["kpis"], sources=result["sources"], exploring=result["exploring_usd"]
                ),
                on_screen=True,
            ),
            *([kinds] if len(result["kinds"]) > 1 else []),
            *([parts] if result["by"] else []),
            *_course_sections(result, ""),
            tables.Section(title="Share per model", chart=share),
            *_judge_sections(result),
        ],
        notes=[
            *_earned_notes(result["earned"]),
            *_learning_notes("Audits", result["audits"]),
            *_learning_notes("Seeding", result["seeding"]),
            *provenance_notes(result["provenance"], result["rows"]),
        ],
    )


def _earned_notes(earned: tables.Result) -> list[str]:
    if earned["value"] is None:
        return []
    word = "earned" if earned["value"] >= 0 else "cost"
    return [
        f"The loop {word} {amount(abs(earned['value']), 'usd')} so far, audits paid for "
        f"(95% interval {' to '.join(amount(earned[end], 'usd', signed=True) for end in ('low', 'high'))}): "
        f"what challengers gained over the champion on the {earned['n']} queries that were scored."
    ]


def _learning_notes(name: str, asked: tables.Result) -> list[str]:
    if not asked["rows"]:
        return []
    cost, seconds = amount(asked["cost_usd"], "usd"), amount(asked["response_s"], "seconds")
    return [
        f"{name}: {asked['rows']} answers that were asked for to learn from took {cost} and {seconds}; these figures "
        "leave them out."
    ]


def compare_report(result: tables.Result) -> tables.Report:
    """Return the report of before against after: the policies as estimated, and what was served under each."""
    before, after, held = result["before"], result["after"], result["held_out"]
    # The version before contests calls it a share.
    used = held.get("model_share", held.get("share", {}))
    models = [*used.get("before", {})]
    models += sorted({*before["share"], *after["share"]}.difference(models))
    everything = {"name": "all queries", "before": before["share"], "after": after["share"]}
    return tables.Report(
        headline=served_sentence(result),
        tone=_TONES[result["confirmed"]],
        subject="before against after",
        sections=[
            _policies_section(result),
            _served_section(result),
            changes_section(result["difference"]),
            *_course_sections(
                result, " Not causal: queries may have become easier or harder, whichever version answered."
            ),
            shares_section(
                "Who answered what, exploring included", [everything, *result["segments"]], models
            ),
            *_promise_sections(result),
            *moves_sections(held),
            *_example_sections(result),
        ],
        notes=[SERVED_NOTE, *provenance_notes(after["provenance"], after["rows"])],
    )


def served_sentence(result: tables.Result) -> str:
    """Return what the served rows say of the newer version in one sentence."""
    gain = f"utility {per_thousand(result['difference']['utility_usd'])}"
    for which in ("before", "after"):
        if not result[which]["rows"]:
            return f"{result[which]['version']} has served no query yet: there is nothing served to compare."
    if result["confirmed"] is None:
        return f"What was served cannot tell yet whether the newer version is better: {gain}."
    if result["confirmed"]:
        return f"What was served confirms that the newer version is better: {gain}."
    return f"What was served contradicts the promotion: {gain}."


def _policies_section(result: tables.Result) -> tables.Section:
    title = "The policies themselves"
    if not result["off_policy"]:
        return tables.Section(title=title, lead="; ".join(result["reasons"]) + ".")
    policies = result["policies"]
    return tables.Section(
        title=title,
        lead="Both sides of their contest as they would answer alone, by the queries that were scored; exploring is "
        f"left out. The verdict was {result['verdict']}.",
        table=tables.changes_table(policies["before"], policies["after"], result["off_policy"]),
        notes=satisfaction_words(result["held_out"].get("satisfaction")),
        on_screen=True,
    )


def _served_section(result: tables.Result) -> tables.Section:
    before, after, mix = result["before"], result["after"], result["one_mix"]
    known = before["rows"] and after["rows"]
    return tables.Section(
        title="What was served, exploring included",
        lead=f"{before['version']} answered {before['rows']} queries before, "
        f"{after['version']} {after['rows']} after. Both as on the mix of kinds of queries that came after.",
        table=tables.changes_table(mix["before"], mix["after"], result["difference"]) if known else None,
        notes=satisfaction_words(result["satisfaction"]) if known else (),
        on_screen=True,
    )


def _promise_sections(result: tables.Result) -> list[tables.Section]:
    words = {True: "+ kept", False: "! fell short", None: "? cannot tell"}
    promises = tables.listed(
        result["forecasts"],
        ("promotion", lambda one: f"{_number(one['previous'])} to {_number(one['version'])}"),
        (
            "promised per 1,000 queries",
            lambda one: tables.figure(one["promised"], "usd_per_query", signed=True),
        ),
        ("what came", lambda one: tables.figure(one["came"], "usd_per_query", signed=True)),
        ("in short", lambda one: tables.verdict(words[one["agrees"]])),
    )
    title, lead = "What promotions promised, and what came", _kept_promises(result)
    section = tables.Section(title=title, lead=lead, table=promises, on_screen=True)
    return [section] if result["forecasts"] else []


def _kept_promises(result: tables.Result) -> str:
    agree = [one["agrees"] for one in result["forecasts"] if one["agrees"] is not None]
    if not agree:
        return "No promotion can be compared with what was measured after it yet."
    return f"{sum(agree)} of {len(agree)} promotions brought what they promised, or more, as measured after them."


def _course_sections(result: tables.Result, warning: str) -> list[tables.Section]:
    course = result.get("over_time")
    if not course or not course["bins"]:
        return []
    parts = tables.listed(
        course["bins"],
        ("queries", lambda one: f"{one['first']}-{one['last']}"),
        ("since (UTC)", lambda one: _minute(one["since"])),
        ("accuracy", lambda one: tables.figure(one["accuracy_rate"], "share")),
        ("utility per 1,000 queries", lambda one: tables.figure(one["utility_usd"], "usd_per_query")),
    )
    chart = tables.Chart(
        draw=partial(over_time, course, name="time"),
        caption="Every point is the same number of consecutive queries; bands are 95% intervals, dashed lines "
        f"changes of version.{warning}",
    )
    return [tables.Section(title="Over time", chart=chart, table=parts)]


def _judge_sections(result: tables.Result) -> list[tables.Section]:
    caption = (
        "What the judge said against how often the answers were right, with 95% intervals. A judge whose scores can "
        "be taken as shares stands on the dashed line."
    )
    return [
        tables.Section(
            title=f"Judge {judge['author']}",
            lead=judge_sentence(judge),
            chart=tables.Chart(
                draw=partial(calibration, judge["truth"], judge["author"], name=f"judge-{place}"),
                caption=caption,
            ),
            on_screen=True,
        )
        for place, judge in enumerate(result["judges"])
    ]


def _example_sections(result: tables.Result) -> list[tables.Section]:
    examples = result.get("examples")
    if not examples:
        return []
    return [
        tables.Section(
            title="Some of the queries",
            lead="Asked for by --examples: these are people's own words. Think before you pass this page on.",
            cards=[tables.Card(title=name, lines=texts) for name, texts in examples.items()],
        )
    ]


def _number(version: str) -> str:
    """Return the part of a version that names it where there is little room."""
    return version.partition("-")[0]


def _minute(time: str | None) -> str:
    return "-" if time is None else time[:16]
