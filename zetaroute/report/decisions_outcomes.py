"""How single decisions and outcomes are shown: what was chosen, why, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from zetaroute.domain import GOES_ON, TAKES_OVER
from zetaroute.report.figure_words import Unit, amount, opinion
from zetaroute.report.tables import Cell, Column, Result, Table, listed, number, spread
from zetaroute.report.terminal import one_line, plain, show_table

if TYPE_CHECKING:
    from rich.console import Console

    from zetaroute.domain import Decision

FORGOTTEN = "(forgotten)"


def show_decision(console: Console, decision: Decision) -> None:
    """Show every candidate of a decision, the excluded ones with their reason."""
    pinned = " (pinned)" if decision.pinned else " (goes on)" if decision.kept else ""
    if decision.switch is not None and decision.switch.taken:
        pinned = f" (takes over from {decision.switch.kept})"
    first = " as the first of a chain" if decision.chain is not None else ""
    console.print(plain(f"policy {decision.policy_version} chose {decision.model}{pinned}{first}"))
    _show_candidates(console, [asdict(candidate) for candidate in decision.candidates])
    if decision.note is not None:
        console.print(plain(decision.note), markup=False, highlight=False)


def show_outcomes(console: Console, rows: Sequence[Result]) -> None:
    """Show a list of outcomes, one per line; a narrow screen leaves out what `log show` has."""
    if not rows:
        console.print("nothing to show: `zetaroute ask` or `zetaroute batch` bring the first rows")
        return
    failed = any(row["status"] != "ok" for row in rows)
    columns = listed(
        rows,
        ("id", lambda row: row["id"]),
        (Column(title="time (UTC)", spare=2), lambda row: row["time"][5:16]),
        ("model", _model),
        (Column(title="status", spare=0 if failed else 5), lambda row: row["status"]),
        (number("accuracy", spare=1), lambda row: amount(row["accuracy"], "score")),
        (number("liked", spare=3), lambda row: amount(row["satisfaction"], "score")),
        (number("response", spare=6), lambda row: amount(row["response_s"], "seconds")),
        (number("cost", spare=4), lambda row: amount(row["cost_usd"], "usd")),
        (Column(title="query", cut=True), lambda row: one_line(_or_forgotten(row["query"]), 200)),
    )
    show_table(console, columns)


def _model(row: Result) -> str:
    return (
        str(row["model"]) + " (recorded)" * bool(row["recorded"]) + " (audit)" * (row.get("role") == "audit")
    )


def _or_forgotten(query: str | None) -> str:
    return FORGOTTEN if query is None else query


def show_conversations(console: Console, rows: Sequence[Result]) -> None:
    """Show a list of conversations, one per line."""
    if not rows:
        console.print("nothing to show: `zetaroute ask --continue` goes on with what was asked before")
        return
    columns = listed(
        rows,
        ("conversation", lambda row: row["name"]),
        (number("turns"), lambda row: str(row["turns"])),
        (Column(title="last (UTC)", spare=2), lambda row: row["last"][:16]),
        (Column(title="model", spare=1), lambda row: row["model"]),
        (number("cost", spare=3), lambda row: amount(row["cost_usd"], "usd")),
        (Column(title="began with", cut=True), lambda row: one_line(row["first_query"], 200)),
    )
    show_table(console, columns)


def show_outcome(console: Console, row: Result) -> None:
    """Show one outcome whole, its decision exactly as it was made."""
    graded = (
        amount(row["accuracy"], "score") if row["accuracy"] is not None else "this answer is not graded yet"
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
        "tokens": f"{row['input_tokens'] or '-'} in, {row['output_tokens'] or '-'} out"
        + (f", {row['reasoning_tokens']} of them thinking" if row["reasoning_tokens"] else ""),
        "tags": ", ".join(row["tags"] or ()),
        "kept": f"{row['store']}: the texts below are keyed hashes" if row["store"] else "",
        "recorded": "yes: time, cost and score were recorded elsewhere" if row["recorded"] else "",
        "attempts": ", ".join(
            f"{one['model']} {one['status']}{' (audit)' * (one['role'] == 'audit')}"
            for one in row["attempts"]
        ),
        "feedback": ", ".join(
            f"{one['metric']} {one['label'] or opinion(one['metric'], one['value'])} by {one['author']}"
            for one in row["feedback"]
        ),
    }
    for name, value in facts.items():
        if value:
            console.print(f"{name + ':':12} {plain(str(value))}")
    for line in chain_lines([{**one, **one["chain"]} for one in row["attempts"] if one["chain"]]):
        console.print(plain(f"{'chain:':12} {line}"), soft_wrap=True)
    asked, answered = row["query"], row["response"]
    if row["forgotten"]:
        asked = answered = f"{FORGOTTEN} at {row['forgotten']}"
    console.print(f"\nquery:\n{plain(asked)}\n\nanswer:\n{plain(answered or '-')}")
    if row["candidates"]:
        console.print("\nas it was decided")
        _show_candidates(console, row["candidates"])


def chain_lines(asks: Sequence[Result]) -> list[str]:
    """Return what a chain asked, what was thought of each answer, and why it went on or stopped."""
    lines = []
    for one in asks:
        right = "not thought of" if (share := one["probability_right"]) is None else f"right with {share:.0%}"
        agrees = "" if one["agrees"] is None else f", agrees with the others by {one['agrees']:.2f}"
        spent = f"{amount(one['cost_usd'], 'usd')}, {amount(one['response_s'], 'seconds')}"
        lines.append(f"{one['model']}{' (given)' * one['returned']}: {right}{agrees}, {spent}; {one['why']}")
    return lines


def how_chosen(row: Result) -> str:
    """Return in words how a row's model came to answer."""
    beside = {"audit": "to learn from, beside", "chain": "by a chain, after or beside"}
    if row.get("role") in beside:
        return f"{beside[row['role']]} {row['fallback_of']}"
    if row.get("escalated"):
        return f"because an earlier answer failed its check ({row['fallback_of']})"
    if row["fallback_of"]:
        return f"as fallback for {row['fallback_of']}"
    if row["forced"]:
        reason = next((one["reason"] for one in row["candidates"] or () if one["model"] == row["model"]), "")
        known = {
            GOES_ON: "because its conversation goes on with it",
            TAKES_OVER: "because a switch in its conversation paid",
        }
        return next((words for mark, words in known.items() if mark in reason), "pinned by the user")
    if row["propensity"] is None:
        return "elsewhere, before this row was imported"
    explored = "to explore" if row["explored"] else "as the best"
    return f"{explored}, with probability {row['propensity']:.3f} (seed {row['seed']})"


def show_explanation(console: Console, explanation: Result) -> None:
    """Show what an explanation holds, a line for each thing."""
    lines = [f"kind of query: {explanation['segment'] or 'none is distinguished'}"]
    if explanation["second"] is None:
        lines.append(f"held best: {explanation['best']}, the only one that may answer")
    else:
        lead = amount(explanation["lead_usd"], "usd_per_query", signed=True)
        lines.append(
            f"held best: {explanation['best']}, {lead} of predicted utility per 1,000 such queries against "
            f"{explanation['second']}"
        )
    if explanation["words"]:
        words = ", ".join(
            f"{one['word']} {amount(one['accuracy'], 'share', signed=True)} against {one['against']}"
            for one in explanation["words"]
        )
        lines.append(f"words that weighed most in the accuracy expected of it: {words}")
    lines += [f"{_condition(one)}, {one['model']} would be held best" for one in explanation["changes"] or ()]
    if (
        explanation["second"] is not None
        and explanation["changes"] is not None
        and not explanation["changes"]
    ):
        lines.append(
            "no value of an answer or a second and no price, up to a thousandfold, would change that"
        )
    if explanation["p95_s"]:
        times = ", ".join(f"{model} {amount(one, 'seconds')}" for model, one in explanation["p95_s"].items())
        lines.append(f"95 of 100 answers within: {times}")
    if explanation["note"]:
        lines.append(f"note: {explanation['note']}")
    for line in lines:
        console.print(plain(line), soft_wrap=True)


def _condition(change: Result) -> str:
    now, then = change["now"], change["then"]
    if change["what"].startswith("cost of "):
        model = change["what"].removeprefix("cost of ")
        return f"if {model} cost {then / now:.3g} times as much ({amount(then, 'usd_per_query')} for 1,000 queries)"
    what = {"answer_value_usd": "a right answer", "second_value_usd": "a second"}[change["what"]]
    way = "more" if then > now else "less"
    return f"if {what} were worth {way} than {amount(then, 'usd')} (now {amount(now, 'usd')})"


def candidates_table(candidates: Sequence[Result]) -> Table:
    """Return what a decision saw of every model, the most useful first."""

    def estimate(name: str, unit: Unit) -> Callable[[Result], Cell]:
        return lambda one: (
            spread(one[name]["mean"], one[name]["se"], unit) if one[name] else Cell(text="unknown")
        )

    return listed(
        _ranked(candidates),
        ("model", lambda one: one["model"]),
        ("accuracy", estimate("accuracy", "share")),
        (Column(title="satisfaction", spare=3), estimate("satisfaction", "score")),
        (Column(title="response", spare=2), estimate("response_s", "seconds")),
        (Column(title="cost of 1,000", spare=1), estimate("cost_usd", "usd_per_query")),
        ("utility of 1,000", estimate("utility_usd", "usd_per_query")),
        (
            number("probability"),
            lambda one: amount(one["probability"], "share") if one["eligible"] else "out",
        ),
    )


def reasons(candidates: Sequence[Result]) -> list[str]:
    """Return why every model stands as it does, the most useful first."""
    return [f"{one['model']}: {one['reason']}" for one in _ranked(candidates)]


def _ranked(candidates: Sequence[Result]) -> list[Result]:
    return sorted(candidates, key=lambda one: -one["utility_usd"]["mean"])


def _show_candidates(console: Console, candidates: Sequence[Result]) -> None:
    show_table(console, candidates_table(candidates))
    for line in reasons(candidates):
        console.print(plain(line), markup=False, highlight=False)
