"""What a contest has measured: how its challenger stands, and every KPI before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Mask
from zetaroute.domain import Figure, Objective
from zetaroute.errors import ArtifactError
from zetaroute.evaluate.before_after import BeforeAfter, SideRows, before_after, chance_of_seeing
from zetaroute.evaluate.betting_interval import betting_interval
from zetaroute.evaluate.e_process import PROMOTES_AT, ROLLS_BACK_AT
from zetaroute.log.contest_events import running_contest
from zetaroute.log.rows import rows_in
from zetaroute.log.views import LOST
from zetaroute.projections.contest_standing import ContestStanding, standing_of
from zetaroute.registry import COLD, Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SIDES = ("champion", "challenger")
NUMBERS = (
    *("share", "paired", "audit_probability", "champion_p", "challenger_p", "champion_usd", "challenger_usd"),
    *("gain_usd", "loss_usd", "variance_usd", "worst_gain_usd", "worst_loss_usd"),
)
"""What of a line counts here."""
_SHARES = ("accuracy_rate", "satisfaction_score", "error_rate")
_AMOUNTS = ("cost_per_query_usd", "mean_response_s")
_SPENT = ("cost_usd", "waited_s")
"""What of a line tells these of a chain, of which its answer's own row tells a part."""
_KPIS = (*_SHARES, *_AMOUNTS)
_ANSWER = f"""
    SELECT id, coalesce(nullif(task, ''), segment, ''), CASE WHEN {LOST} THEN 0.0 ELSE accuracy END, satisfaction,
           (status = 'error')::DOUBLE, cost_usd, response_s
    FROM graded WHERE id IN
"""

Lines = Mapping[str, NDArray[Any]]
"""Lines of evidence column by column, each (n,): NUMBERS, `differ`, and the ids of the rows with the answers."""


def evidence_json(standing: ContestStanding) -> dict[str, Any]:
    """Return how strong the evidence is, as every JSON answer shows it."""
    return {
        "e_value": standing.e_value,
        "promotes_at": PROMOTES_AT,
        "accuracy": standing.accuracy,
        "harm": standing.harm,
        "rolls_back_at": ROLLS_BACK_AT,
        "rows": standing.units,
        "audited": standing.paired,
    }


def contest_json(connection: DuckDBPyConnection) -> dict[str, Any] | None:
    """Return how the contest that runs stands; None without one."""
    running = running_contest(connection)
    if running is None:
        return None
    event = running.event
    return {
        "challenger": event.challenger,
        "champion": event.champion,
        "anchor": event.anchor,
        "step": event.step,
        "since": event.time,
        "share": running.share,
        "evidence": evidence_json(standing_of(connection, event)),
    }


def contest_result(
    connection: DuckDBPyConnection, version: str, objective: Objective
) -> dict[str, Any] | None:
    """Return what the contest of a version has measured, named as the result of a retrain names it.

    None where it never challenged another one, or no query was scored.
    """
    epoch = _epoch(connection, version)
    lines = None if epoch is None else contest_lines(connection, epoch["epoch"])
    if epoch is None or lines is None or not len(lines["differ"]):
        return None
    table = measured(connection, lines).table(objective)
    gain = contest_gain(lines, epoch["answer_value_usd"] / 100.0)
    change = {**table.difference, "utility_usd": at_every_look(table.difference["utility_usd"], gain)}
    parts = {"before": table.before, "after": table.after, "difference": change}
    return {"parent": epoch["champion"]} | {
        name: {kpi: figure.json() for kpi, figure in figures.items()} for name, figures in parts.items()
    }


def stored_result(registry: Registry, version: str) -> dict[str, Any]:
    """Return what the retrain that learned a version has found; nothing where that cannot be read."""
    if version == COLD:
        return {}
    try:
        stored: dict[str, Any] = json.loads(registry.read(version, "kpi.json"))
    except (ArtifactError, ValueError):
        return {}
    return stored


def _epoch(connection: DuckDBPyConnection, version: str) -> dict[str, Any] | None:
    """Return the epoch in which a version challenged another one last."""
    row = connection.execute(
        "SELECT epoch, champion, answer_value_usd FROM contests "
        "WHERE challenger = ? AND step IN ('began', 'refitted') ORDER BY id DESC LIMIT 1",
        [version],
    ).fetchone()
    return None if row is None else dict(zip(("epoch", "champion", "answer_value_usd"), row, strict=True))


def at_every_look(figure: Figure, interval: Figure) -> Figure:
    """Return a figure with an interval that holds at every look, widened to hold the figure.

    What was just promoted looks better than it is: there no interval for one look holds.
    """
    if figure.value is None or interval.low is None or interval.high is None:
        return interval
    return replace(figure, low=min(interval.low, figure.value), high=max(interval.high, figure.value))


def contest_gain(lines: Lines, point: float) -> Figure:
    """Return the gain per query that the lines of a contest show, in USD, with an interval for every look."""
    variance = np.where(np.isnan(lines["variance_usd"]), np.inf, lines["variance_usd"])
    return betting_interval(
        lines["gain_usd"],
        lines["loss_usd"],
        lines["paired"] > 0,
        variance,
        lines["worst_gain_usd"],
        lines["worst_loss_usd"],
        point=point,
    )


def contest_lines(connection: DuckDBPyConnection, epoch: str) -> Lines:
    """Return the lines of an epoch."""
    spent = [f"{side}_{name}" for side in _SIDES for name in _SPENT]
    found = connection.execute(
        f"SELECT {', '.join((*NUMBERS, *spent))}, champion_model <> challenger_model AS differ, champion_outcome, "
        "challenger_outcome FROM evidence WHERE epoch = ? ORDER BY id",
        [epoch],
    ).fetchnumpy()
    lines: dict[str, NDArray[Any]] = {
        name: np.ma.filled(np.ma.asarray(found[name], dtype=np.float64), np.nan)
        for name in (*NUMBERS, *spent, "differ")
    }
    for side in _SIDES:
        ids = np.ma.asarray(found[f"{side}_outcome"])
        lines[f"{side}_outcome"] = np.ma.filled(ids.astype(object), None)
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Lines of evidence with the answers of both sides' models, as far as they were asked."""

    lines: Lines
    champion: Mapping[str, Array]
    """By name of the KPI, each (n,); NaN where it was not asked or is unknown."""
    challenger: Mapping[str, Array]
    kind: NDArray[np.str_]
    """(n,) task label, else learned kind; empty where neither is known."""

    @property
    def paired(self) -> Mask:
        """Where both models were asked (n,)."""
        return np.asarray(self.lines["paired"] > 0)

    def table(self, objective: Objective) -> BeforeAfter:
        """Return every KPI of the champion and of the challenger."""
        champion, challenger = (
            SideRows(
                seen=~np.isnan(known["error_rate"]),
                probability=_probability(self.lines, side),
                forecast=self.lines[f"{side}_usd"],
                shares={name: known[name] for name in _SHARES},
                amounts={name: known[name] for name in _AMOUNTS},
            )
            for side, known in (("champion", self.champion), ("challenger", self.challenger))
        )
        return before_after(champion, challenger, self.lines["differ"] > 0, objective)


def measured(connection: DuckDBPyConnection, lines: Lines) -> Measured:
    """Return lines with the answers that `connection` shows."""
    ids = [one for side in _SIDES for one in lines[f"{side}_outcome"].tolist()]
    answers = {id_: values for id_, *values in rows_in(connection, _ANSWER, ids)}
    nothing: list[Any] = ["", *[None] * len(_KPIS)]
    sides = [[answers.get(one, nothing) for one in lines[f"{side}_outcome"].tolist()] for side in _SIDES]
    champion, challenger = (
        {
            name: np.array([values[place] for values in side], dtype=np.float64)
            for place, name in enumerate(_KPIS, start=1)
        }
        for side in sides
    )
    for side, known in (("champion", champion), ("challenger", challenger)):
        for name, spent in zip(_AMOUNTS, _SPENT, strict=True):
            whole = lines.get(f"{side}_{spent}")
            known[name] = known[name] if whole is None else np.where(np.isnan(whole), known[name], whole)
    kind = np.array([one[0] or other[0] for one, other in zip(*sides, strict=True)], dtype=np.str_)
    return Measured(lines=lines, champion=champion, challenger=challenger, kind=kind)


def _probability(lines: Lines, side: str) -> Array:
    """Return what seen answers of a side's model are weighed by the inverse of, (n,)."""
    alike = 10.0 * lines["differ"] + np.round(lines["share"], 1)
    return chance_of_seeing(
        heads=lines["paired"] > 0, audits=lines["audit_probability"], p=lines[f"{side}_p"], alike=alike
    )
