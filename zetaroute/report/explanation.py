"""How a decision is explained in words, below its table.

Apart from the tables because these are sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zetaroute.report.terminal import plain
from zetaroute.report.words import amount

if TYPE_CHECKING:
    from rich.console import Console

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
