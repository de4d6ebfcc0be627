"""The reports of `bench` and `replay`, where the truth of every choice is known."""

from __future__ import annotations

from zetaroute.bench.replay_seeds import SO_FAR
from zetaroute.report.figure_words import amount, per_thousand
from zetaroute.report.tables import (
    INTERVAL,
    Cell,
    Column,
    Heading,
    Report,
    Result,
    Row,
    Section,
    Table,
    figure,
    number,
    spread,
    table,
)

RECORDED = "recorded outcomes: times, costs and scores were recorded elsewhere, not measured here"
AIQ_NOTE = (
    "AIQ is the mean score of the hull over the costs from the cheapest to the most expensive single model; every "
    "hull holds the cheapest single model, since any policy may be mixed with it"
)


def bench_report(result: Result, *, picture: str | None = None) -> Report:
    """Return the report of a bench, with its sweep where there is one; `picture` names a file beside it."""
    singles = [[model, *_worth(row)] for model, row in result["singles"].items()]
    return Report(
        headline=f"{result['dataset']}: routing {_verdict(result)}",
        lead=f"{result['train_queries']} queries to learn from, {result['test_queries']} to mark by, "
        f"{len(result['models'])} models; a right answer is worth {amount(result['answer_value_usd'], 'usd')}, "
        f"a second of waiting {amount(result['second_value_usd'], 'usd')}.",
        sections=[
            Section(lead=f"![score against cost]({picture})" if picture else ""),
            Section(table=_strategies_table(result), on_screen=True),
            Section(title="Every model alone", table=table(["model", *_WORTH], singles)),
            Section(title="The field's measures", table=_measures_table(result["results"])),
            *([_sweep_section(result["sweep"]["points"])] if "sweep" in result else []),
        ],
        notes=[*_measures(result), RECORDED],
    )


def replay_report(result: Result) -> Report:
    """Return the report of one replay: its rounds and where it ended."""
    rounds: list[Row] = [
        [
            str(one["rows"]),
            amount(one["score"], "share"),
            one["verdict"],
            f"{one['e_value']:.3g}",
            amount(one["share"], "share"),
            figure(one["estimate"], "usd", signed=True),
            amount(one["truth_usd"], "usd", signed=True),
            amount(one["regret_usd"], "usd"),
        ]
        for one in result["rounds"]
    ]
    columns: list[Heading] = [
        number("rows"),
        number("served score"),
        "verdict",
        number("evidence"),
        number("challenger's share"),
        Column(title="estimated gain", interval=INTERVAL),
        number("true gain"),
        number("regret"),
    ]
    shares = {name: result[f"share_{name}"] for name in ("learned", "served", "mix")}
    gained = ", ".join(f"{name} {amount(share, 'share')}" for name, share in shares.items())
    promoted = ", ".join(
        f"{one['version']} after {one['rows']} rows ({one['by']})" for one in result["promotions"]
    )
    audits = result["audits"]
    return Report(
        headline=f"{result['dataset']}, seed {result['seed']}: the loop on recorded outcomes, which sees only what "
        "it asks for",
        sections=[
            Section(table=table(columns, rounds), on_screen=True),
            _so_far_section([_so_far(one) for one in result["rounds"]]),
            _final_section({name: Cell(text=amount(one, "usd")) for name, one in result["final"].items()}),
        ],
        notes=[
            f"share of the gain that full information would bring: {gained}",
            f"per query of the stream, audits paid for, over the best single model: "
            f"{amount(result['online_gain_usd'], 'usd', signed=True)}",
            f"audits: {audits['rows']} answers, {amount(audits['cost_usd'], 'usd')}",
            f"promoted: {promoted or 'nothing'}",
        ],
    )


def seeds_report(result: Result) -> Report:
    """Return the report of replays over several seeds: what they agree on."""
    seeds, coverage = len(result["seeds"]), result["coverage"]
    rounds: list[Row] = [
        [
            str(one["rows"]),
            spread(one["score"]["mean"], one["score"]["se"], "share"),
            spread(one["regret_usd"]["mean"], one["regret_usd"]["se"], "usd"),
            spread(one["truth_usd"]["mean"], one["truth_usd"]["se"], "usd", signed=True),
            f"{one['covered']} of {one['estimates']}",
        ]
        for one in result["rounds"]
    ]
    columns: list[Heading] = [
        number("rows"),
        "served score",
        "regret",
        "true gain",
        "intervals that held the truth",
    ]
    finals = {name: spread(one["mean"], one["se"], "usd") for name, one in result["final"].items()}
    return Report(
        headline=f"{result['dataset']}: means over {seeds} seeds ± standard error",
        sections=[
            Section(table=table(columns, rounds), on_screen=True),
            _so_far_section([_mean_so_far(one) for one in result["rounds"]]),
            _final_section(finals),
        ],
        notes=[
            *(_share_note(name, result[f"share_{name}"], seeds) for name in ("learned", "served", "mix")),
            _online_note(result["online_gain_usd"]),
            f"95% intervals held the truth in {coverage['covered']} of {coverage['estimates']} rounds",
        ],
    )


def _verdict(result: Result) -> str:
    if not result["routes"]:
        return "was not shown to pay on the training rows, so one model answers"
    gain = result["results"]["router"]["gain_over_best_single_usd"]
    word = "gains" if gain["value"] >= 0 else "loses"
    certain = gain["low"] is not None and not gain["low"] <= 0 <= gain["high"]
    return f"{word} {per_thousand(gain)} over the best single model" + ("" if certain else ": cannot tell")


_WORTH = (
    number("score"),
    number("cost of 1,000 queries"),
    number("response"),
    number("utility of 1,000 queries"),
)


def _strategies_table(result: Result) -> Table:
    asks = any("asks" in row for row in result["results"].values())
    rows: list[Row] = [
        [
            f"best single ({result['best_single']})" if name == "best_single" else name.replace("_", " "),
            *([f"{row.get('asks', 1.0):.2f}"] if asks else []),
            *_worth(row),
            figure(row["gain_over_best_single_usd"], "usd_per_query", signed=True),
        ]
        for name, row in result["results"].items()
    ]
    columns: list[Heading] = ["strategy", *([number("asks")] if asks else []), *_WORTH]
    return table([*columns, Column(title="gain over best single", interval=INTERVAL)], rows)


def _worth(row: Result) -> list[str]:
    return [
        amount(row["score"], "share"),
        amount(row["cost_usd"], "usd_per_query"),
        amount(row["response_s"], "seconds"),
        amount(row["utility_usd"], "usd_per_query"),
    ]


def _measures_table(results: Result) -> Table:
    rows = [
        [name.replace("_", " "), *(amount(row[key], "score") for key in ("regret_fraction", "routerarena"))]
        for name, row in results.items()
    ]
    return table(["strategy", number("regret fraction"), number("RouterArena score")], rows)


def _sweep_section(points: list[Result]) -> Section:
    columns: list[Heading] = [
        number("value of an answer"),
        "routes",
        number("score"),
        number("cost"),
        "best single",
        "score gained",
        "cost added",
        "utility gained",
        number("regret fraction"),
    ]
    return Section(
        title="At several values of an answer",
        lead="Gains are paired, router minus best single of that value, ± one standard error; costs and utilities "
        "are those of 1,000 queries.",
        table=table(columns, [_step(point) for point in points]),
        on_screen=True,
    )


def _step(point: Result) -> Row:
    router, gain = point["results"]["router"], point["gain_over_best_single"]
    return [
        amount(point["answer_value_usd"], "usd"),
        "yes" if point["routes"] else "no",
        amount(router["score"], "share"),
        amount(router["cost_usd"], "usd_per_query"),
        point["best_single"],
        spread(gain["score"]["value"], gain["score"]["se"], "share", signed=True),
        spread(gain["cost_usd"]["value"], gain["cost_usd"]["se"], "usd_per_query", signed=True),
        spread(gain["utility_usd"]["value"], gain["utility_usd"]["se"], "usd_per_query", signed=True),
        amount(point["regret_fraction"], "score"),
    ]


def _so_far_section(rows: list[Row]) -> Section:
    columns = [
        number(name) for name in ("rows", "learned", "served", "mix", "online", "audits", "promotions")
    ]
    return Section(
        title="Gain per 1,000 queries over the best single model",
        lead="Learned, served and mix on the test rows; online over the stream until then, audits paid for.",
        table=table(columns, rows),
        on_screen=True,
    )


def _so_far(one: Result) -> Row:
    gains: list[Cell | str] = [amount(one[name], "usd_per_query", signed=True) for name in SO_FAR]
    return [str(one["rows"]), *gains, str(one["audits"]["rows"]), str(one["promotions"])]


def _mean_so_far(one: Result) -> Row:
    gains: list[Cell | str] = [
        spread(one[name]["mean"], one[name]["se"], "usd_per_query", signed=True) for name in SO_FAR
    ]
    audits, promotions = one["audits"]["rows"]["mean"], one["promotions"]["mean"]
    return [str(one["rows"]), *gains, f"{audits:.0f}", f"{promotions:.1f}"]


def _final_section(finals: dict[str, Cell]) -> Section:
    rows: list[Row] = [[name.replace("_", " "), value] for name, value in finals.items()]
    return Section(
        title="Utility per query on the test rows", table=table(["policy", "utility"], rows), on_screen=True
    )


def _share_note(name: str, share: Result, seeds: int) -> str:
    gained = spread(share["mean"], share["se"], "share")
    return (
        f"share of the full-information gain {name}: {gained.text} {gained.interval} "
        f"({share['n']} of {seeds} seeds have a clear gain)"
    )


def _online_note(gain: Result) -> str:
    told = spread(gain["mean"], gain["se"], "usd", signed=True)
    return (
        f"per query of the stream, audits paid for, over the best single model: {told.text} {told.interval}"
    )


def _measures(result: Result) -> list[str]:
    """Return a sentence per measure that belongs to the whole result."""
    notes = []
    two = result["two_models"]
    for found, seen in ((two, ""), ((two or {}).get("answer_seen"), " once its answer is seen")):
        if found and found["apgr"] is not None:
            calls = ", ".join(f"CPT({share}%) {amount(found[f'cpt{share}'], 'share')}" for share in (50, 80))
            notes.append(
                f"between {two['weak']}{seen} and {two['strong']}: APGR {found['apgr']:.3f} (chance .500), {calls} "
                f"of the calls to {two['strong']} (chance 50.0%, 80.0%)"
            )
    for name, one in result.get("equal_accuracy", {}).items():
        if one is not None:
            notes.append(
                f"{name} at the accuracy of {one['model']}: {amount(one['saving'], 'share')} cheaper, "
                f"{amount(one['score_difference'], 'share', signed=True)} of the score"
            )
    if "sweep" in result and result["sweep"]["aiq"]["router"] is not None:
        sweep = result["sweep"]
        scores = ", ".join(f"{name} {amount(value, 'share')}" for name, value in sweep["aiq"].items())
        notes.append(f"AIQ: {scores}; {AIQ_NOTE}")
        equal = sweep["equal_quality"]
        costs = ", ".join(
            f"{name} {amount(equal[f'{name}_cost_usd'], 'usd_per_query')}"
            for name in ("router", "singles", "chain", "oracle")
            if f"{name}_cost_usd" in equal
        )
        notes.append(
            f"cost of 1,000 queries at the {amount(equal['score'], 'share')} of {equal['model']} "
            f"({amount(equal['cost_usd'], 'usd_per_query')}), by mixing with single models: {costs}"
        )
    return notes
