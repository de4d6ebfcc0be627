"""What people see in a terminal, drawn with rich on standard error or output.

Text from models and users is untrusted: it passes `plain` before it is shown, and never goes through markup.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from zetaroute.report.markdown import SERVED_NOTE, served_sentence, verdict_sentence
from zetaroute.report.words import (
    FORECAST_HEADS,
    KPIS,
    MAIN,
    Kpi,
    amount,
    change_word,
    forecast_rows,
    forecast_sentence,
    judge_words,
    provenance_notes,
    satisfaction_words,
    stands_on,
    with_interval,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


Result = Mapping[str, Any]
LONGEST_NOTE = 500
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
"""Direction marks and overrides; the joiners that emoji and many scripts need are kept."""
_STYLES = {"+": "green", "!": "bold red", "?": "dim"}


def plain(text: str) -> str:
    """Return `text` without what could steer a terminal: control characters, escapes, direction overrides."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one for one in text if one in "\n\t" or not _steers(one))


def _steers(one: str) -> bool:
    return one in _DIRECTIONS or unicodedata.category(one) in {"Cc", "Cs"}


def one_line(text: str, width: int = 60) -> str:
    """Return the start of a text on one line."""
    flat = " ".join(plain(text[: 4 * width]).split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def show_retrain(console: Console, result: Result) -> None:
    """Show what a retrain found."""
    console.print(verdict_sentence(result), style="bold", markup=False)
    for reason in result["reasons"]:
        console.print(f"  - {reason}", markup=False, highlight=False)
    rows = result["rows"]
    title = f"estimated on {rows['holdout']} held-out rows, exploring left out"
    console.print(_change_table(title, result["before"], result["after"], result["difference"]))
    _show_notes(
        console,
        [
            *satisfaction_words(result.get("satisfaction")),
            *provenance_notes(rows, rows.get("all", rows["train"] + rows["holdout"])),
        ],
    )


def show_compare(console: Console, result: Result) -> None:
    """Show before against after: the policies themselves as estimated, and what was served under each."""
    before, after = result["before"], result["after"]
    console.print(served_sentence(result), style="bold", markup=False)
    if result["off_policy"]:
        policies = result["policies"]
        title = "the policies themselves, estimated on held-out rows, exploring left out"
        console.print(_change_table(title, policies["before"], policies["after"], result["off_policy"]))
        _show_notes(console, satisfaction_words(result["held_out"].get("satisfaction")))
    title = (
        f"what was served, exploring included: {before['version']} ({before['rows']} queries) before, "
        f"{after['version']} ({after['rows']} queries) after"
    )
    if before["rows"] and after["rows"]:
        console.print(_change_table(title, before["kpis"], after["kpis"], result["difference"]))
        _show_notes(console, satisfaction_words(result["satisfaction"]))
    if result["canary"] is not None:
        told = with_interval(result["canary"], "usd", signed=True)
        console.print(f"the canary measured {told} utility per query, by lot", markup=False, highlight=False)
    if result["forecasts"]:
        show_rows(
            console,
            "what promotions promised, and what came",
            FORECAST_HEADS,
            forecast_rows(result["forecasts"]),
        )
        console.print(forecast_sentence(result["forecasts"]), markup=False, highlight=False)
    _show_notes(console, [SERVED_NOTE, *provenance_notes(after["provenance"], after["rows"])])


def show_kpis(console: Console, result: Result) -> None:
    """Show the KPIs of what was served."""
    if not result["rows"]:
        console.print("nothing was served yet: `zetaroute ask` or `zetaroute batch` bring the first figures")
        return
    heads = ["KPI", "value [95% interval]", "n", "stands on"]
    table = _table(f"{result['rows']} queries, policy now {result['version']}", heads)
    for kpi in KPIS:
        figure = result["kpis"].get(kpi.name)
        if figure and figure["n"]:
            told = stands_on(kpi.name, result["sources"])
            table.add_row(kpi.label, with_interval(figure, kpi.unit), str(figure["n"]), told)
    price = with_interval(result["exploring_usd"], "usd")
    table.add_row("Price of exploring (predicted)", price, str(result["exploring_usd"]["n"]))
    console.print(table)
    if result["by"]:
        main = [kpi for kpi in KPIS if kpi.name in MAIN]
        table = _table("", ["", "queries", *(kpi.label for kpi in main)])
        for label, part in result["by"].items():
            table.add_row(
                plain(label), str(part["rows"]), *(_short(part["kpis"][kpi.name], kpi) for kpi in main)
            )
        console.print(table)
    notes = [*judge_words(result["judges"]), *provenance_notes(result["provenance"], result["rows"])]
    _show_notes(console, [one_line(note, LONGEST_NOTE) for note in notes])


def show_bench(console: Console, result: Result) -> None:
    """Show what routing is worth on recorded outcomes."""
    title = (
        f"{result['dataset']}: {result['train_queries']} queries to learn from, {result['test_queries']} to mark by; "
        f"an answer is worth ${result['answer_value_usd']:g}, a second ${result['second_value_usd']:g}"
    )
    heads = ["", "score", "cost", "response", "utility", "gain over best single [95% interval]"]
    show_rows(
        console,
        title,
        heads,
        [
            [
                f"best single ({result['best_single']})" if name == "best_single" else name.replace("_", " "),
                amount(row["score"], "share"),
                amount(row["cost_usd"], "usd"),
                amount(row["response_s"], "seconds"),
                amount(row["utility_usd"], "usd"),
                with_interval(row["gain_over_best_single_usd"], "usd", signed=True),
            ]
            for name, row in result["results"].items()
        ],
    )
    if not result["routes"]:
        _show_notes(
            console, ["routing was not shown to pay on the training rows: the best single model is used"]
        )
    _show_notes(
        console, ["recorded outcomes: times, costs and scores were recorded elsewhere, not measured here"]
    )


def show_replay(console: Console, result: Result) -> None:
    """Show the rounds of a replay and where it ended."""
    show_rows(
        console,
        f"{result['dataset']}, seed {result['seed']}: the loop on recorded outcomes, only the drawn model's seen",
        [
            "rows",
            "served score",
            "verdict",
            "estimated change [95% interval]",
            "true change",
            "candidate's regret",
        ],
        [
            [
                str(one["rows"]),
                amount(one["score"], "share"),
                one["verdict"],
                with_interval(one["estimate"], "usd", signed=True),
                amount(one["truth_usd"], "usd", signed=True),
                amount(one["regret_usd"], "usd"),
            ]
            for one in result["rounds"]
        ],
    )
    finals = [[name.replace("_", " "), amount(value, "usd")] for name, value in result["final"].items()]
    show_rows(console, "utility per query on the test rows", ["", "utility"], finals)
    shares = {name: result[f"share_{name}"] for name in ("learned", "served")}
    words = ", ".join(
        f"{name} {'-' if share is None else amount(share, 'share')}" for name, share in shares.items()
    )
    _show_notes(console, [f"share of the gain that full information would bring: {words}"])


def show_rows(console: Console, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show plain rows under their headings."""
    console.print(rows_table(title, heads, rows))


def rows_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return the table of plain rows under their headings."""
    table = _table(title, heads)
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    return table


def show_difference(console: Console, found: Result) -> None:
    """Show how two versions differ: their facts side by side, and where queries would move."""
    heads = ["", *found["versions"]]
    show_rows(
        console,
        "",
        heads,
        [[name, *(str(value or "-") for value in values)] for name, values in found["facts"].items()],
    )
    moved = sum(move["queries"] for move in found["moved"])
    console.print(
        f"they would ask another model for {moved} of the {found['queries']} latest queries",
        markup=False,
        highlight=False,
    )
    if moved:
        rows = [[move["from"], move["to"], str(move["queries"])] for move in found["moved"]]
        show_rows(console, "", ["from", "to", "queries"], rows)


def _change_table(title: str, before: Result, after: Result, difference: Result) -> Table:
    table = _table(title, ["KPI", "before", "after", "difference [95% interval]", ""])
    for kpi in KPIS:
        figure, change = after.get(kpi.name), difference.get(kpi.name)
        if figure is None or figure["value"] is None:
            continue
        table.add_row(
            kpi.label,
            _short(before.get(kpi.name), kpi),
            _short(figure, kpi),
            with_interval(change, kpi.unit, signed=True),
            _styled(change_word(change, kpi)),
        )
    return table


def _table(title: str, heads: Sequence[str]) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title) if title else None, box=SIMPLE, title_justify="left", pad_edge=False)
    for number, head in enumerate(heads):
        # The first column names what the line is about: it is there to be copied, so it is never folded.
        table.add_column(Text(head), overflow="fold", no_wrap=number == 0)
    return table


def _styled(word: str) -> Any:
    from rich.text import Text

    return Text(word, style=_STYLES.get(word[:1], ""))


def _short(figure: Mapping[str, Any] | None, kpi: Kpi) -> str:
    return amount(figure["value"], kpi.unit) if figure else "-"


def _show_notes(console: Console, notes: Sequence[str]) -> None:
    for note in notes:
        console.print(f"note: {note}", style="dim", markup=False, highlight=False)


_CHECKUP_STYLES = {"ok": "green", "warn": "yellow", "wrong": "bold red"}


class Said(Protocol):
    """What is needed of a diagnosis."""

    @property
    def name(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def words(self) -> str: ...
    @property
    def mend(self) -> str | None: ...


def show_diagnoses(console: Console, found: Sequence[Said]) -> None:
    """Show what an examination found, in its order; nothing is folded, so that a line can be copied and grepped."""
    from rich.text import Text

    for one in found:
        line = Text(f"{one.level:6}", style=_CHECKUP_STYLES[one.level])
        line.append(f"{one.name:10}", style="default")
        line.append(" ".join(plain(one.words).split()), style="default")
        if one.mend is not None:
            line.append(" -> ", style="dim")
            line.append(plain(one.mend), style="default")
        console.print(line, soft_wrap=True)
