"""How single decisions and outcomes are shown: what was chosen, why, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from zetaroute.report.tables import WIDE, show_lines, table_width, told
from zetaroute.report.terminal import one_line, plain, show_rows
from zetaroute.report.words import Unit, amount, opinion

if TYPE_CHECKING:
    from rich.console import Console

    from zetaroute.domain import Decision


Said = Mapping[str, Any]


def show_explanation(console: Console, said: Said) -> None:
    """Show what an explanation holds, a line for each thing."""
    for line in explanation_lines(said):
        console.print(plain(line), soft_wrap=True)


def explanation_lines(said: Said) -> list[str]:
    """Return the lines of an explanation."""
    lines = [f"kind of query: {said['segment'] or 'none is told apart'}"]
    if said["second"] is None:
        lines.append(f"held best: {said['best']}, the only one that may answer")
    else:
        lead = amount(said["lead_usd"], "usd", signed=True)
        lines.append(f"held best: {said['best']}, {lead} of predicted utility against {said['second']}")
    if said["words"]:
        words = ", ".join(
            f"{one['word']} {amount(one['accuracy'], 'share', signed=True)} against {one['against']}"
            for one in said["words"]
        )
        lines.append(f"words that weighed most in the accuracy expected of it: {words}")
    lines += [f"{_condition(one)}, {one['model']} would be held best" for one in said["changes"] or ()]
    if said["second"] is not None and said["changes"] is not None and not said["changes"]:
        lines.append(
            "no value of an answer or a second and no price, up to a thousandfold, would change that"
        )
    if said["p95_s"]:
        times = ", ".join(f"{model} {amount(one, 'seconds')}" for model, one in said["p95_s"].items())
        lines.append(f"95 of 100 answers within: {times}")
    if said["note"]:
        lines.append(f"note: {said['note']}")
    return lines


def _condition(change: Said) -> str:
    now, then = change["now"], change["then"]
    if change["what"].startswith("cost of "):
        model = change["what"].removeprefix("cost of ")
        return f"if {model} cost {then / now:.3g} times as much ({_usd(then)} a query)"
    what = {"answer_value_usd": "a right answer", "second_value_usd": "a second"}[change["what"]]
    way = "more" if then > now else "less"
    return f"if {what} were worth {way} than {_usd(then)} (now {_usd(now)})"


def _usd(value: float) -> str:
    return f"${value:.3g}"


Result = Mapping[str, Any]
FORGOTTEN = "(forgotten)"
CANDIDATE_HEADS = ["model", "accuracy", "satisfaction", "response", "cost", "utility", "probability", "why"]


def show_decision(console: Console, decision: Decision) -> None:
    """Show every candidate of a decision, the excluded ones with their reason."""
    pinned = " (pinned)" if decision.pinned else " (goes on)" if decision.kept else ""
    title = f"policy {decision.policy_version} chose {plain(decision.model)}{pinned}"
    show_candidates(console, title, [asdict(candidate) for candidate in decision.candidates])
    if decision.note is not None:
        console.print(plain(decision.note), markup=False, highlight=False)


def show_candidates(console: Console, title: str, candidates: Sequence[Result]) -> None:
    """Show what a decision saw of every model, the most useful first."""
    ranked = sorted(candidates, key=lambda one: -one["utility_usd"]["mean"])
    *heads, _ = CANDIDATE_HEADS
    cells = [candidate_cells(one)[:-1] for one in ranked]
    if table_width(console, heads, cells) > console.width:
        # Of two lines in a cell, the first is what to expect and the second how sure that is.
        cells = [[cell.replace(" ± ", "\n± ") for cell in row] for row in cells]
    show_rows(console, title, heads, cells)
    for one in ranked:
        console.print(f"{plain(one['model'])}: {plain(one['reason'])}", markup=False, highlight=False)


def show_outcomes(console: Console, rows: Sequence[Result]) -> None:
    """Show a list of outcomes, one per line; a narrow screen leaves out what `log show` tells."""
    if not rows:
        console.print("nothing to show: `zetaroute ask` or `zetaroute batch` bring the first rows")
        return
    heads = ["id", "time (UTC)", "model", "status", "accuracy", "liked", "response", "cost", "query"]
    cells = [
        [
            row["id"],
            row["time"][5:16],
            row["model"] + (" (recorded)" if row["recorded"] else ""),
            row["status"],
            amount(row["accuracy"], "score"),
            amount(row["satisfaction"], "score"),
            amount(row["response_s"], "seconds"),
            amount(row["cost_usd"], "usd"),
            one_line(row["query"] if row["query"] is not None else FORGOTTEN, 200),
        ]
        for row in rows
    ]
    if console.width < WIDE:
        failed = any(row["status"] != "ok" for row in rows)
        places = [0, 1, 2, *((3,) if failed else ()), 4, 8]
        heads, cells = [heads[place] for place in places], [[row[place] for place in places] for row in cells]
    show_lines(console, *told(heads, cells))


def show_conversations(console: Console, rows: Sequence[Result]) -> None:
    """Show a list of conversations, one per line."""
    heads = ["conversation", "turns", "last (UTC)", "model", "cost", "began with"]
    cells = [
        [
            row["name"],
            str(row["turns"]),
            row["last"][:19],
            row["model"],
            amount(row["cost_usd"], "usd"),
            one_line(row["first_query"], 40),
        ]
        for row in rows
    ]
    show_rows(console, "", heads, cells)


def show_outcome(console: Console, row: Result) -> None:
    """Show one outcome whole, its decision exactly as it was made."""
    graded = (
        amount(row["accuracy"], "score") if row["accuracy"] is not None else "nobody graded this answer yet"
    )
    facts = {
        "id": row["id"],
        "time (UTC)": row["time"],
        "policy": row["policy_version"],
        "model": f"{row['model']} (server says {row['served_model'] or 'nothing'})",
        "chosen": how_chosen(row),
        "status": row["status"] + (f": {row['error_kind']}: {row['error']}" if row["error"] else ""),
        "accuracy": f"{graded} ({row['accuracy_source']})" if row["accuracy_source"] else graded,
        "response": f"{amount(row['response_s'], 'seconds')}, router {amount(row['router_s'], 'seconds')}",
        "cost": amount(row["cost_usd"], "usd") if row["cost_usd"] is not None else "unknown",
        "tokens": f"{row['input_tokens'] or '-'} in, {row['output_tokens'] or '-'} out",
        "tags": ", ".join(row["tags"] or ()),
        "kept": f"{row['store']}: the texts below are keyed hashes" if row["store"] else "",
        "recorded": "yes: time, cost and score were recorded elsewhere" if row["recorded"] else "",
        "attempts": ", ".join(f"{one['model']} {one['status']}" for one in row["attempts"]),
        "feedback": ", ".join(
            f"{one['metric']} {one['label'] or opinion(one['metric'], one['value'])} by {one['author']}"
            for one in row["feedback"]
        ),
    }
    for name, value in facts.items():
        if value:
            console.print(f"{name + ':':12} {plain(str(value))}")
    asked, answered = row["query"], row["response"]
    if row["forgotten"]:
        asked = answered = f"{FORGOTTEN} at {row['forgotten']}"
    console.print(f"\nquery:\n{plain(asked)}\n\nanswer:\n{plain(answered or '-')}")
    if row["candidates"]:
        show_candidates(console, "\nas it was decided", row["candidates"])


def how_chosen(row: Result) -> str:
    """Return in words how a row's model came to answer."""
    if row.get("escalated"):
        return f"because an earlier answer failed its check ({row['fallback_of']})"
    if row["fallback_of"]:
        return f"as fallback for {row['fallback_of']}"
    if row["forced"]:
        return "pinned by the user"
    if row["propensity"] is None:
        return "elsewhere, before this row was imported"
    explored = "to explore" if row["explored"] else "as the best"
    return f"{explored}, with probability {row['propensity']:.3f} (seed {row['seed']})"


def candidate_cells(candidate: Result) -> list[str]:
    """Return what a decision saw of one model, as CANDIDATE_HEADS name it."""

    def pm(name: str, unit: Unit) -> str:
        estimate = candidate[name]
        return f"{amount(estimate['mean'], unit)} ± {amount(estimate['se'], unit)}" if estimate else "unknown"

    return [
        candidate["model"],
        pm("accuracy", "share"),
        pm("satisfaction", "score"),
        pm("response_s", "seconds"),
        pm("cost_usd", "usd"),
        pm("utility_usd", "usd"),
        amount(candidate["probability"], "share") if candidate["eligible"] else "out",
        candidate["reason"],
    ]
