"""The evidence of the contest that runs: scored query by query at every merge, and acted on where it shows harm.

Only numpy is needed: `retrain` alone promotes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from zetaroute.config import Home
from zetaroute.domain import ContestEvent, ContestStep, EvidenceLine, Promotion, new_id, unit_of, utc_now
from zetaroute.errors import ArtifactError
from zetaroute.log.contests import running_event
from zetaroute.log.journal import Entry
from zetaroute.log.log import rows_in
from zetaroute.log.views import LOST, graded_of
from zetaroute.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection

    from zetaroute.arrays import Array, Index, Mask
    from zetaroute.evaluate.evidence import Belief

DEADLINE = timedelta(hours=1)
"""How long a grade is waited for; then the worst is assumed."""
ROWS_PER_MODEL = 60
"""Rows of the log per model before which nothing is bet."""
MOST_AT_ONCE = 5_000
"""Queries that one merge scores; the next one goes on."""

_DECISIONS = f"""
    SELECT id, strftime(time, '%Y-%m-%dT%H:%M:%S.%f') AS time, query, conversation, audit_probability, audited,
           contest
    FROM outcomes
    WHERE id > $after AND contest.epoch = $epoch AND fallback_of IS NULL
          AND status <> 'cancelled' AND audit_probability IS NOT NULL AND forgotten IS NULL
    ORDER BY id LIMIT {MOST_AT_ONCE}
"""
_ASKED = """
    SELECT id FROM outcomes
    WHERE id IN (SELECT unnest($ids)) OR (fallback_of IN (SELECT unnest($ids)) AND role = 'audit')
"""
_ANSWERS = f"""
    SELECT coalesce(fallback_of, id) AS decision, id, model,
           CASE WHEN {LOST} THEN 0.0 ELSE accuracy END AS accuracy, cost_usd, response_s
    FROM ({graded_of(_ASKED)})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestStanding:
    """What the evidence of an epoch says after its last line."""

    units: int
    paired: int
    e_value: float
    """That the challengers of the epoch beat the champion."""
    accuracy: float
    """That their accuracy keeps its margin."""
    harm: float
    """That the challenger of now is worse."""
    belief: Belief
    own_mean_usd: float | None
    """Mean gain of the challenger of now; None before its first line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One graded answer."""

    id: str
    accuracy: float | None
    utility: float | None


def judge_contest(connection: DuckDBPyConnection, home: Home) -> Entry | None:
    """Score the queries that came in; return their lines and what follows from them, None where nothing does.

    Where a promoted version proves harmful, the champion of before serves again from now on.
    """
    event = running_event(connection)
    if event is None:
        return None
    registry = Registry(home.artifacts)
    serving = event.challenger if event.step == "promoted" else event.champion
    if registry.current_or_none() != serving:
        return Entry(
            contests=(step_of(event, "ended", reason=f"{registry.current_or_none()} was made current"),)
        )
    lines = _new_lines(connection, event)
    if not lines:
        return None
    standing, harmful = _standing(connection, event, lines), False
    from zetaroute.evaluate.evidence import ROLLS_BACK_AT

    harmful = standing.harm >= ROLLS_BACK_AT and event.step != "rejected"
    if harmful:
        reason = f"after {standing.units} scored queries the evidence of harm reached {standing.harm:.3g}"
        if event.step == "promoted":
            return _rolled_back(registry, event, standing, lines, reason)
        return Entry(evidence=tuple(lines), contests=(step_of(event, "rejected", standing, reason=reason),))
    return Entry(evidence=tuple(lines), contests=_limited(connection, event, standing, lines))


def step_of(
    event: ContestEvent,
    step: ContestStep,
    standing: ContestStanding | None = None,
    *,
    reason: str,
    author: str = "evidence",
) -> ContestEvent:
    """Return the event with which a contest goes on or ends."""
    return replace(
        event,
        id=new_id(),
        time=utc_now(),
        step=step,
        evidence=event.evidence if standing is None else standing.e_value,
        harm=event.harm if standing is None else standing.harm,
        reason=reason,
        author=author,
    )


def standing_of(connection: DuckDBPyConnection, event: ContestEvent) -> ContestStanding:
    """Return what the evidence of the event's epoch says by now."""
    return _standing(connection, event, [])


def _limited(
    connection: DuckDBPyConnection,
    event: ContestEvent,
    standing: ContestStanding,
    lines: Sequence[EvidenceLine],
) -> tuple[ContestEvent, ...]:
    """Return the step that stops a challenger at the limit on what it may lose, if it was reached."""
    if event.max_regret_usd is None or event.step == "paused":
        return ()
    from zetaroute.evaluate.evidence import loss_is_limited

    past = _columns(connection, event.epoch, lines)
    if loss_is_limited(past["share"], past["gain_usd"], event.max_regret_usd):
        return ()
    reason = f"what it may lose under max_regret_usd = {event.max_regret_usd:g} is used up; audits go on"
    return (step_of(event, "paused", standing, reason=reason),)


def _rolled_back(
    registry: Registry,
    event: ContestEvent,
    standing: ContestStanding,
    lines: Sequence[EvidenceLine],
    reason: str,
) -> Entry:
    try:
        if event.champion in registry.versions():
            registry.verify(event.champion)
    except ArtifactError as error:
        return Entry(evidence=tuple(lines), contests=(step_of(event, "ended", standing, reason=str(error)),))
    registry.make_current(event.champion)
    back = step_of(event, "rolled_back", standing, reason=reason)
    promotion = Promotion(
        id=new_id(),
        time=back.time,
        version=event.champion,
        previous=event.challenger,
        reason=reason,
        author="evidence",
    )
    return Entry(evidence=tuple(lines), contests=(back,), promotions=(promotion,))


def _new_lines(connection: DuckDBPyConnection, event: ContestEvent) -> list[EvidenceLine]:
    """Return the lines of what is complete, in order, up to the first query whose grade is waited for."""
    (after,) = connection.execute(
        "SELECT coalesce(max(id), $epoch) FROM evidence WHERE epoch = $epoch", {"epoch": event.epoch}
    ).fetchone() or (event.epoch,)
    wanted = {"after": after, "epoch": event.epoch}
    found = connection.execute(_DECISIONS, wanted)
    names = [column[0] for column in found.description or ()]
    decisions = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    if not decisions:
        return []
    fresh = _fresh(connection, decisions)
    answers = _answers(connection, event, [one["id"] for one in fresh])
    overdue = (datetime.now(UTC).replace(tzinfo=None) - DEADLINE).isoformat()
    ready = []
    for one in fresh:
        draw, seen = one["contest"], answers.get(one["id"], {})
        asked = {draw["champion_model"], draw["challenger_model"]} if one["audited"] else set()
        complete = all(model in seen and seen[model].accuracy is not None for model in asked or seen)
        if not complete and one["time"] > overdue:
            break
        ready.append((one, seen))
    return _lines(connection, event, ready) if ready else []


def _fresh(connection: DuckDBPyConnection, decisions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the decisions on queries that were never asked before, with their unit; what trained nothing yet."""
    units = [f"{unit_of(one['conversation'], one['query']):016x}" for one in decisions]
    known = {unit for (unit,) in rows_in(connection, "SELECT unit FROM evidence WHERE unit IN", units)}
    first = _first_asked(connection, decisions)
    fresh = []
    for one, unit in zip(decisions, units, strict=True):
        place = one["conversation"] or (one["query"] or "").lower()
        if unit not in known and first.get(place, one["id"]) >= one["id"]:
            fresh.append({**one, "unit": unit})
        known.add(unit)
    return fresh


def _first_asked(connection: DuckDBPyConnection, decisions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return by conversation, else by text in lower case, the id of the first row."""
    first: dict[str, str] = {}
    asked = {
        "conversation": [one["conversation"] for one in decisions if one["conversation"]],
        "lower(query)": [(one["query"] or "").lower() for one in decisions if not one["conversation"]],
    }
    for column, values in asked.items():
        first |= rows_in(
            connection,
            f"SELECT {column}, min(id) FROM outcomes WHERE fallback_of IS NULL AND {column} IN",
            values,
            f"GROUP BY {column}",
        )
    return first


def _answers(
    connection: DuckDBPyConnection, event: ContestEvent, ids: Sequence[str]
) -> dict[str, dict[str, _Seen]]:
    """Return the answers to some decisions, by decision and model."""
    found: dict[str, dict[str, _Seen]] = {}
    free = set(event.free)
    for decision, id_, model, accuracy, cost, seconds in connection.execute(
        _ANSWERS, {"ids": list(ids)}
    ).fetchall():
        charged = cost if cost is not None else (0.0 if model in free else event.unknown_usd)
        utility = None
        if accuracy is not None:
            utility = event.answer_value_usd * accuracy - charged - event.second_value_usd * (seconds or 0.0)
        found.setdefault(decision, {})[model] = _Seen(id=id_, accuracy=accuracy, utility=utility)
    return found


def _lines(
    connection: DuckDBPyConnection,
    event: ContestEvent,
    ready: Sequence[tuple[Mapping[str, Any], Mapping[str, _Seen]]],
) -> list[EvidenceLine]:
    """Score decisions with what was seen of them."""
    import numpy as np

    from zetaroute.evaluate.scoring import Decided, Scored, scored
    from zetaroute.policy.contest import least_probabilities

    (rows,) = connection.execute("SELECT count(*) FROM outcomes").fetchone() or (0,)
    names = [one.model for one in event.ranges]
    place = {model: index for index, model in enumerate(names)}
    draws = [one["contest"] for one, _ in ready]

    def column(name: str) -> Array:
        return np.array([draw[name] for draw in draws], dtype=np.float64)

    def answer(side: str, what: str) -> list[Any]:
        return [
            getattr(seen[draw[f"{side}_model"]], what) if draw[f"{side}_model"] in seen else None
            for (one, seen), draw in zip(ready, draws, strict=True)
        ]

    def asked(side: str) -> Mask:
        return np.array(
            [
                bool(one["audited"]) or draw[f"{side}_model"] in seen
                for (one, seen), draw in zip(ready, draws, strict=True)
            ]
        )

    def arms(side: str) -> Index:
        return np.array([place.get(draw[f"{side}_model"], -1) for draw in draws], dtype=np.int64)

    champion_least, challenger_least = least_probabilities(column("share"), column("kept"))
    decided = Decided(
        champion_least=champion_least,
        challenger_least=challenger_least,
        paired=np.array([bool(one["audited"]) for one, _ in ready]),
        share=column("share"),
        champion=arms("champion"),
        challenger=arms("challenger"),
        champion_p=column("champion_p"),
        challenger_p=column("challenger_p"),
        champion_usd=column("champion_usd"),
        challenger_usd=column("challenger_usd"),
        champion_accuracy=column("champion_accuracy"),
        challenger_accuracy=column("challenger_accuracy"),
        champion_asked=asked("champion"),
        challenger_asked=asked("challenger"),
        champion_utility=_floats(answer("champion", "utility")),
        challenger_utility=_floats(answer("challenger", "utility")),
        champion_right=_floats(answer("champion", "accuracy")),
        challenger_right=_floats(answer("challenger", "accuracy")),
    )
    made: Scored = scored(
        decided,
        low=np.array([one.low_usd for one in event.ranges]),
        high=np.array([one.high_usd for one in event.ranges]),
        anchor=place.get(event.anchor) if event.anchor else None,
        answer_value_usd=event.answer_value_usd,
        margin=event.accuracy_margin,
        bets=rows >= ROWS_PER_MODEL * len(names),
        past=_columns(connection, event.epoch, []),
        promoted=event.step == "promoted",
    )
    ids = {side: answer(side, "id") for side in ("champion", "challenger")}
    return [
        EvidenceLine(
            id=one["id"],
            time=one["time"],
            epoch=event.epoch,
            challenger=draw["challenger"],
            unit=one["unit"],
            own=draw["side"] == "challenger",
            share=draw["share"],
            paired=bool(one["audited"]),
            champion_model=draw["champion_model"],
            challenger_model=draw["challenger_model"],
            champion_outcome=ids["champion"][row],
            challenger_outcome=ids["challenger"][row],
            champion_p=draw["champion_p"],
            challenger_p=draw["challenger_p"],
            audit_probability=one["audit_probability"],
            champion_usd=draw["champion_usd"],
            challenger_usd=draw["challenger_usd"],
            **made.line(row),
        )
        for row, ((one, _), draw) in enumerate(zip(ready, draws, strict=True))
    ]


def _floats(values: Sequence[float | None]) -> Array:
    import numpy as np

    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _columns(
    connection: DuckDBPyConnection, epoch: str, more: Sequence[EvidenceLine]
) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Return the lines of an epoch with some more behind them, column by column; NULL is NaN."""
    import numpy as np

    from zetaroute.evaluate.scoring import COLUMNS

    found = connection.execute(
        f"SELECT {', '.join(COLUMNS)}, challenger FROM evidence WHERE epoch = ? ORDER BY id", [epoch]
    ).fetchnumpy()
    columns: dict[str, np.ndarray[Any, np.dtype[Any]]] = {}
    for name in COLUMNS:
        stored = np.ma.filled(np.ma.asarray(found[name], dtype=np.float64), math.nan)
        columns[name] = np.concatenate([stored, _floats([getattr(line, name) for line in more])])
    versions = [*np.asarray(found["challenger"], dtype=object), *(line.challenger for line in more)]
    columns["challenger"] = np.array(versions, dtype=object)
    return columns


def _standing(
    connection: DuckDBPyConnection, event: ContestEvent, more: Sequence[EvidenceLine]
) -> ContestStanding:
    from zetaroute.evaluate.scoring import found_in

    columns = _columns(connection, event.epoch, more)
    found = found_in(
        columns,
        mine=columns["challenger"] == event.challenger,
        answer_value_usd=event.answer_value_usd,
        margin=event.accuracy_margin,
    )
    # What speaks against the challengers of an epoch before a change of favourite is kept: min(1, E).
    return ContestStanding(**found | {"e_value": found["e_value"] * min(1.0, _before(connection, event))})


def _before(connection: DuckDBPyConnection, event: ContestEvent) -> float:
    """Return the evidence with which the epoch began."""
    row = connection.execute("SELECT evidence FROM contests WHERE id = ?", [event.epoch]).fetchone()
    return float(row[0]) if row and row[0] is not None else 1.0
