"""From the log to lines of evidence: the next queries of a contest, each once, in the order of their decisions."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zetaroute.domain import BETS_FROM, GRADE_DEADLINE, ContestEvent, EvidenceLine, Side, unit_of
from zetaroute.log.rows import named_rows, rows_in
from zetaroute.projections.seen_answers import CHAINS, Seen, answers_to, grades_of, replays_of, seen_of

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection

    from zetaroute.arrays import Array, Index, Mask

    Columns = Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    """Lines of evidence, column by column."""

SLOWEST = 2.0
"""Times the slowest query of a contest that its decisions are held back: an earlier one may still be under way."""
MOST_AT_ONCE = 5_000
"""Queries that one merge scores; the next one goes on."""

_DEADLINE_MS = GRADE_DEADLINE.total_seconds() * 1000.0
_MADE_MS = "try_cast('0x' || left(replace(id, '-', ''), 12) AS BIGINT)"
"""When an id was made; NULL for one that does not tell."""
_DECISIONS = f"""
    SELECT id, strftime(time, '%Y-%m-%dT%H:%M:%S.%f') AS time, {_MADE_MS} AS made_ms, query, conversation,
           reference IS NOT NULL AS has_reference, audit_probability, audited, contest, model,
           coalesce(chained, []) AS chained
    FROM outcomes
    WHERE id >= $after AND contest.epoch = $epoch AND fallback_of IS NULL
          AND audit_probability IS NOT NULL AND forgotten IS NULL
          -- What can be bet holds for these models alone, and for the one that the champion always asks.
          AND contest.challenger_model IN (SELECT unnest(from_json($models, '["VARCHAR"]')))
          AND contest.champion_model IN (SELECT unnest(from_json($champions, '["VARCHAR"]')))
          -- Known before anything is drawn, as all that leaves a query out.
          AND NOT ($anchored AND list_contains(coalesce(chained, []), 'champion'))
          AND id NOT IN (SELECT id FROM evidence WHERE epoch = $epoch AND id >= $after)
    QUALIFY row_number() OVER (PARTITION BY coalesce('c:' || conversation, 'q:' || query) ORDER BY id) = 1
    ORDER BY id
"""
_SLOWEST_MS = f"""
    SELECT max(epoch_ms(time) - {_MADE_MS}) FROM outcomes
    WHERE id >= $after AND contest.epoch = $epoch AND fallback_of IS NULL
          AND time <= current_timestamp AT TIME ZONE 'UTC'
"""
_PLAIN = "lower(trim(query, E' \\n\\r\\t'))"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """One decision with what is known of its answers."""

    row: Mapping[str, Any]
    unit: str
    plans: Mapping[Side, str]
    """What each side wanted: a model or its chain."""
    seen: Mapping[str, Seen]
    needed: frozenset[str]
    """Models and chains whose grades say something of the contest."""
    grades: Mapping[str, float | None]
    """Of those."""

    @property
    def paired(self) -> bool:
        """Whether what both sides wanted is seen for sure, as was known before anything was asked."""
        draw = self.row["contest"]
        sure = not self.row["chained"] or min(draw["champion_p"], draw["challenger_p"]) == 1.0
        return bool(self.row["audited"]) and sure

    @property
    def complete(self) -> bool:
        """Whether nothing more is waited for."""
        return all(grade is not None for grade in self.grades.values()) or any(
            one.status == "cancelled" for plan, one in self.seen.items() if plan in self.needed
        )


def new_lines(
    connection: DuckDBPyConnection,
    event: ContestEvent,
    past: Columns,
    *,
    stopped: Callable[[Array, Array, float], bool] | None,
) -> list[EvidenceLine]:
    """Return the lines of what is complete, in order, up to the first query whose grade is waited for.

    `past` holds the lines of the epoch so far. `stopped` says of new gains, and of what may be lost on queries under
    way, whether the challenger has lost what it may.
    """
    decisions = _decisions(connection, event)
    if not decisions:
        return []
    fresh, now_ms = _fresh(connection, decisions), time.time() * 1000.0

    def came_within(past_ms: float, made_ms: int | None) -> bool:
        # A clock that was wrong once must not stop everything: what lies ahead of it has come.
        return now_ms - min(past_ms, _DEADLINE_MS) < (made_ms or 0) <= now_ms

    held_ms = SLOWEST * _slowest_ms(connection, event)
    due = [one for one in fresh if not came_within(held_ms, one["made_ms"])][:MOST_AT_ONCE]
    units = _units(connection, event, due)
    waiting = (
        place
        for place, one in enumerate(units)
        if not one.complete and came_within(_DEADLINE_MS, one.row["made_ms"])
    )
    ready = units[: next(waiting, len(units))]
    if not ready:
        return []
    known = {one.row["id"] for one in ready}
    in_flight = event.width_usd * sum(one["contest"]["share"] for one in fresh if one["id"] not in known)
    return _lines(
        connection,
        event,
        ready,
        past,
        stopped=None if stopped is None else lambda gains, shares: stopped(gains, shares, in_flight),
    )


def _after(connection: DuckDBPyConnection, event: ContestEvent) -> str:
    """Return an id before which no decision of the epoch still comes in."""
    (last,) = connection.execute(
        "SELECT max(id) FROM evidence WHERE epoch = ? AND id BETWEEN ? AND ?",
        [event.epoch, event.epoch, _id_of(int(time.time() * 1000.0) + 1)],
    ).fetchone() or (None,)
    begun = _id_of(_made_ms(event.epoch))
    return begun if last is None else max(begun, _id_of(_made_ms(last) - int(_DEADLINE_MS)))


def _made_ms(identity: str) -> int:
    return int(identity.replace("-", "")[:12], 16)


def _id_of(made_ms: int) -> str:
    """Return how the ids of a millisecond begin."""
    digits = f"{made_ms:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _decisions(connection: DuckDBPyConnection, event: ContestEvent) -> list[dict[str, Any]]:
    """Return the decisions without a line, in order, of each text or conversation the first."""
    models = [one.model for one in event.ranges]
    wanted = {
        "after": _after(connection, event),
        "epoch": event.epoch,
        "models": json.dumps(models),
        "champions": json.dumps([model for model in models if event.anchor in {None, model}]),
        "anchored": event.anchor is not None,
    }
    return named_rows(connection.execute(_DECISIONS, wanted))


def _slowest_ms(connection: DuckDBPyConnection, event: ContestEvent) -> float:
    wanted = {"after": _after(connection, event), "epoch": event.epoch}
    (slowest,) = connection.execute(_SLOWEST_MS, wanted).fetchone() or (None,)
    return max(float(slowest or 0.0), 0.0)


def _fresh(connection: DuckDBPyConnection, decisions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the decisions on queries that were never asked before, with their unit; what trained nothing yet."""
    units = [f"{unit_of(one['conversation'], one['query']):016x}" for one in decisions]
    of_texts = [f"{unit_of(None, one['query']):016x}" for one in decisions]
    known = {
        unit
        for table in ("evidence", "(SELECT unnest(units) AS unit FROM foreign_units)")
        for (unit,) in rows_in(connection, f"SELECT unit FROM {table} WHERE unit IN", [*units, *of_texts])
    }
    texts = _first(connection, _PLAIN, [_plain(one["query"]) for one in decisions])
    conversations = _first(connection, "conversation", [one["conversation"] for one in decisions])
    fresh = []
    for one, unit, of_text in zip(decisions, units, of_texts, strict=True):
        # A conversation that begins as another one did was trained on as well.
        first = min(
            texts.get(_plain(one["query"]), one["id"]), conversations.get(one["conversation"], one["id"])
        )
        if known.isdisjoint({unit, of_text}) and first >= one["id"]:
            fresh.append({**one, "unit": unit})
        known.add(unit)
    return fresh


def _plain(query: str) -> str:
    return query.strip(" \n\r\t").lower()


def _first(
    connection: DuckDBPyConnection, column: str, values: Iterable[str | None]
) -> dict[str | None, str]:
    """Return by value the id of the first row that has it."""
    return dict(
        rows_in(
            connection,
            f"SELECT {column}, min(id) FROM outcomes WHERE fallback_of IS NULL AND {column} IN",
            values,
            f"GROUP BY {column}",
        )
    )


def _units(
    connection: DuckDBPyConnection, event: ContestEvent, fresh: Sequence[Mapping[str, Any]]
) -> list[_Unit]:
    ids = [one["id"] for one in fresh]
    answers, replays = answers_to(connection, event, ids), replays_of(connection, ids)
    units = []
    for one in fresh:
        plans = {
            side: chain if side in one["chained"] else one["contest"][f"{side}_model"]
            for side, chain in CHAINS.items()
        }
        seen = seen_of(one, plans, answers.get(one["id"], []), replays.get(one["id"], {}))
        unit = _Unit(row=one, unit=one["unit"], plans=plans, seen=seen, needed=frozenset(), grades={})
        if plans["champion"] != plans["challenger"]:
            sure = {plan for plan in plans.values() if unit.paired or plan not in CHAINS.values()}
            needed = frozenset(plans.values()) & ((sure if one["audited"] else set()) | seen.keys())
            unit = replace(unit, needed=needed, grades=grades_of(one, needed, seen))
        units.append(unit)
    return units


def _lines(
    connection: DuckDBPyConnection,
    event: ContestEvent,
    ready: Sequence[_Unit],
    past: Columns,
    *,
    stopped: Callable[[Array, Array], bool] | None,
) -> list[EvidenceLine]:
    """Score decisions with what was seen of them."""
    import numpy as np

    from zetaroute.evaluate.scoring import Scored, scored

    (rows,) = connection.execute("SELECT count(*) FROM outcomes").fetchone() or (0,)
    names = [*(one.model for one in event.ranges), *CHAINS.values()]
    low, high = ([getattr(one, f"{end}_usd") for one in event.ranges] for end in ("low", "high"))
    made: Scored = scored(
        _decided(event, ready, names),
        low=np.array(low),
        high=np.array(high),
        anchor=names.index(event.anchor) if event.anchor else None,
        answer_value_usd=event.answer_value_usd,
        margin=event.accuracy_margin,
        bets=rows >= BETS_FROM * len(event.ranges),
        past=past,
        promoted=event.step == "promoted",
        stopped=stopped,
    )
    lines = []
    for row, one in enumerate(ready):
        draw = one.row["contest"]
        champion, challenger = (one.seen.get(one.plans[side]) for side in CHAINS)
        lines.append(
            EvidenceLine(
                id=one.row["id"],
                time=one.row["time"],
                epoch=event.epoch,
                challenger=draw["challenger"],
                unit=one.unit,
                own=draw["side"] == "challenger",
                share=draw["share"],
                paired=one.paired,
                champion_model=one.plans["champion"],
                challenger_model=one.plans["challenger"],
                champion_outcome=champion.id if champion else None,
                challenger_outcome=challenger.id if challenger else None,
                **_spent(one),
                champion_p=draw["champion_p"],
                challenger_p=draw["challenger_p"],
                audit_probability=one.row["audit_probability"],
                champion_usd=draw["champion_usd"],
                challenger_usd=draw["challenger_usd"],
                **made.line(row),
            )
        )
    return lines


def _spent(unit: _Unit) -> dict[str, Any]:
    """Return what the sides' chains took; a single model's answer has that in its own row."""
    found: dict[str, Any] = {}
    for side, chain in CHAINS.items():
        if unit.plans[side] == chain and (whole := unit.seen.get(chain)) is not None:
            found |= {f"{side}_cost_usd": whole.cost_usd, f"{side}_waited_s": whole.took_s}
    return found


def _decided(event: ContestEvent, ready: Sequence[_Unit], names: Sequence[str]) -> Any:
    """Return decisions with what was seen of them as arrays; the numbers of models are their places in `names`."""
    import numpy as np

    from zetaroute.evaluate.scoring import Decided
    from zetaroute.policy.contest import least_probabilities

    def column(name: str) -> Array:
        return floats([one.row["contest"][name] for one in ready])

    def arms(side: Side) -> Index:
        return np.array([names.index(one.plans[side]) for one in ready], dtype=np.int64)

    def asked(side: Side) -> Mask:
        return np.array([one.plans[side] in one.needed for one in ready])

    def right(side: Side) -> list[float | None]:
        return [one.grades.get(one.plans[side]) for one in ready]

    def worth(grade: float, of: Seen) -> float:
        return event.answer_value_usd * grade - of.cost_usd - event.second_value_usd * of.took_s

    def utility(side: Side) -> list[float | None]:
        return [
            None if grade is None else worth(grade, one.seen[one.plans[side]])
            for one, grade in zip(ready, right(side), strict=True)
        ]

    champion_least, challenger_least = least_probabilities(column("share"), column("kept"))
    return Decided(
        paired=np.array([one.paired for one in ready]),
        share=column("share"),
        champion=arms("champion"),
        challenger=arms("challenger"),
        champion_p=column("champion_p"),
        challenger_p=column("challenger_p"),
        champion_least=champion_least,
        challenger_least=challenger_least,
        champion_usd=column("champion_usd"),
        challenger_usd=column("challenger_usd"),
        champion_accuracy=column("champion_accuracy"),
        challenger_accuracy=column("challenger_accuracy"),
        champion_asked=asked("champion"),
        challenger_asked=asked("challenger"),
        champion_utility=floats(utility("champion")),
        challenger_utility=floats(utility("challenger")),
        champion_right=floats(right("champion")),
        challenger_right=floats(right("challenger")),
    )


def floats(values: Sequence[float | None]) -> Array:
    """Return numbers as an array, with NaN for None."""
    import numpy as np

    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
