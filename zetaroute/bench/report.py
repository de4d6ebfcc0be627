"""What `bench` and `replay` over several seeds found, as Markdown and in a terminal.

Apart from the other reports because it speaks of recorded outcomes, where the truth of every choice is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zetaroute.report.markdown import table_lines
from zetaroute.report.terminal import show_rows
from zetaroute.report.words import Unit, amount, with_interval

if TYPE_CHECKING:
    from rich.console import Console

Result = Mapping[str, Any]

RECORDED = "recorded outcomes: times, costs and scores were recorded elsewhere, not measured here"
AIQ_NOTE = (
    "AIQ is the mean score of the hull over the costs from the cheapest to the dearest single model; every hull "
    "holds the cheapest single model, since any policy may be mixed with it"
)

_WAYS = ("way of choosing", "score", "cost", "response", "utility", "gain over best single [95% interval]")
_MEASURES = ("way of choosing", "regret fraction", "RouterArena score")
_STEPS = (
    "value of an answer",
    "routes",
    "score",
    "cost",
    "best single",
    "score gained",
    "cost added",
    "utility gained",
    "regret fraction",
)


def bench_report(result: Result, *, picture: str | None = None) -> str:
    """Return the report of a bench as Markdown; `picture` is the name of a file beside it."""
    lines = [
        f"# {result['dataset']}: routing {_verdict(result)}",
        "",
        f"{result['train_queries']} queries to learn from, {result['test_queries']} to mark by, "
        f"{len(result['models'])} models; a right answer is worth {amount(result['answer_value_usd'], 'usd')}, "
        f"a second of waiting {amount(result['second_value_usd'], 'usd')}.",
        "",
        *([f"![score against cost]({picture})", ""] if picture else []),
        *table_lines(_WAYS, [_way(name, row, result) for name, row in result["results"].items()]),
        "",
        "## Every model alone",
        "",
        *table_lines(
            ("model", "score", "cost", "response", "utility"),
            [[model, *_worth(row)] for model, row in result["singles"].items()],
        ),
        "",
        "## The field's measures",
        "",
        *table_lines(_MEASURES, [_measured(name, row) for name, row in result["results"].items()]),
        "",
        *(f"- {note}" for note in _measures(result)),
        f"- {RECORDED}",
        "",
    ]
    if "sweep" in result:
        lines += ["## At several values of an answer", ""]
        lines += table_lines(_STEPS, [_step(point) for point in result["sweep"]["points"]])
        lines += ["", "Gains are paired, router minus best single of that value, ± one standard error.", ""]
    return "\n".join(lines)


def show_sweep(console: Console, result: Result) -> None:
    """Show the router at every value of an answer, and the measures that need the whole curve."""
    show_rows(
        console,
        "at several values of an answer; gains over the best single model of that value ± standard error",
        _STEPS,
        [_step(point) for point in result["sweep"]["points"]],
    )
    show_measures(console, result)


def show_measures(console: Console, result: Result) -> None:
    """Show the field's measures that are single numbers."""
    for note in _measures(result):
        console.print(note, markup=False, highlight=False)


def show_seeds(console: Console, result: Result) -> None:
    """Show what replays over several seeds agree on."""
    show_rows(
        console,
        f"{result['dataset']}: means over {len(result['seeds'])} seeds ± standard error",
        ["rows", "served score", "candidate's regret", "true change", "intervals that held the truth"],
        [
            [
                str(one["rows"]),
                _plus_minus(one["score"], "share"),
                _plus_minus(one["regret_usd"], "usd"),
                _plus_minus(one["truth_usd"], "usd", signed=True),
                f"{one['covered']} of {one['estimates']}",
            ]
            for one in result["rounds"]
        ],
    )
    finals = [[name.replace("_", " "), _plus_minus(value, "usd")] for name, value in result["final"].items()]
    show_rows(console, "utility per query on the test rows", ["", "utility"], finals)
    for name in ("learned", "served"):
        share = result[f"share_{name}"]
        console.print(
            f"share of the full-information gain {name}: {_plus_minus(share, 'share')} "
            f"({share['n']} of {len(result['seeds'])} seeds have a clear gain)",
            markup=False,
            highlight=False,
        )
    coverage = result["coverage"]
    console.print(
        f"95% intervals held the truth in {coverage['covered']} of {coverage['estimates']} rounds",
        markup=False,
        highlight=False,
    )


def _verdict(result: Result) -> str:
    if not result["routes"]:
        return "was not shown to pay on the training rows, so one model answers"
    gain = result["results"]["router"]["gain_over_best_single_usd"]
    word = "gains" if gain["value"] >= 0 else "loses"
    certain = gain["low"] is not None and not gain["low"] <= 0 <= gain["high"]
    told = with_interval(gain, "usd", signed=True)
    return f"{word} {told} per query over the best single model" + ("" if certain else ": cannot tell")


def _way(name: str, row: Result, result: Result) -> list[str]:
    label = f"best single ({result['best_single']})" if name == "best_single" else name.replace("_", " ")
    return [label, *_worth(row), with_interval(row["gain_over_best_single_usd"], "usd", signed=True)]


def _worth(row: Result) -> list[str]:
    return [
        amount(row["score"], "share"),
        amount(row["cost_usd"], "usd"),
        amount(row["response_s"], "seconds"),
        amount(row["utility_usd"], "usd"),
    ]


def _measured(name: str, row: Result) -> list[str]:
    measures = [amount(row[key], "score") for key in ("regret_fraction", "routerarena")]
    return [name.replace("_", " "), *measures]


def _step(point: Result) -> list[str]:
    router, gain = point["results"]["router"], point["gain_over_best_single"]
    return [
        amount(point["answer_value_usd"], "usd"),
        "yes" if point["routes"] else "no",
        amount(router["score"], "share"),
        amount(router["cost_usd"], "usd"),
        point["best_single"],
        _gained(gain["score"], "share"),
        _gained(gain["cost_usd"], "usd"),
        _gained(gain["utility_usd"], "usd"),
        amount(point["regret_fraction"], "score"),
    ]


def _gained(figure: Result, unit: Unit) -> str:
    if figure["se"] is None:
        return amount(figure["value"], unit, signed=True)
    spread = amount(figure["se"], unit, signed=True).lstrip("+")
    return f"{amount(figure['value'], unit, signed=True)} ± {spread}"


def _plus_minus(figure: Result, unit: Unit, *, signed: bool = False) -> str:
    text = amount(figure["mean"], unit, signed=signed)
    return text if figure["se"] is None else f"{text} ± {amount(figure['se'], unit)}"


def _measures(result: Result) -> list[str]:
    """Return a sentence per measure that belongs to the whole result."""
    notes = []
    two = result["two_models"]
    if two and two["apgr"] is not None:
        calls = ", ".join(f"CPT({share}%) {amount(two[f'cpt{share}'], 'share')}" for share in (50, 80))
        notes.append(
            f"between {two['weak']} and {two['strong']}: APGR {two['apgr']:.3f} (chance .500), {calls} of the "
            f"calls to {two['strong']} (chance 50.0%, 80.0%)"
        )
    if "sweep" in result and result["sweep"]["aiq"]["router"] is not None:
        sweep = result["sweep"]
        scores = ", ".join(f"{name} {amount(value, 'share')}" for name, value in sweep["aiq"].items())
        notes.append(f"AIQ: {scores}; {AIQ_NOTE}")
        equal = sweep["equal_quality"]
        costs = ", ".join(
            f"{name} {amount(equal[f'{name}_cost_usd'], 'usd')}" for name in ("router", "singles", "oracle")
        )
        notes.append(
            f"cost per query at the {amount(equal['score'], 'share')} of {equal['model']} "
            f"({amount(equal['cost_usd'], 'usd')}), by mixing with single models: {costs}"
        )
    return notes
