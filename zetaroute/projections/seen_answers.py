"""What was seen of the decisions of a contest: answers of models, and what chains made of several."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zetaroute.domain import ChainReplay, ContestEvent, Side
from zetaroute.log.views import WAITED, graded_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ASKED = """
    SELECT id FROM outcomes
    WHERE id IN (SELECT unnest(from_json($ids, '["VARCHAR"]')))
          OR (fallback_of IN (SELECT unnest(from_json($ids, '["VARCHAR"]'))) AND id > $first
              AND (role = 'audit' OR chain IS NOT NULL))
          -- Where every model was asked in turn, each has a decision of its own.
          OR (role = 'seed' AND id > $first AND (run, query) IN (
              SELECT (run, query) FROM outcomes
              WHERE id IN (SELECT unnest(from_json($ids, '["VARCHAR"]'))) AND role = 'seed'))
"""
_DECISION = """
    CASE role WHEN 'seed' THEN min(id) OVER (PARTITION BY role, run, query) ELSE coalesce(fallback_of, id) END
"""
_ANSWERS = f"""
    SELECT {_DECISION} AS decision, id, model, status, truth, judge, cost_usd, response_s,
           {WAITED} AS waited_s, role = 'audit' AS beside, coalesce(chain.returned, false) AS returned
    FROM ({graded_of(_ASKED)}) ORDER BY id
"""
_REPLAYS = """
    SELECT outcome_id, id, outcome_id, side, asked, returned, waited_s FROM chain_replays
    WHERE outcome_id IN (SELECT unnest(from_json($ids, '["VARCHAR"]')))
"""
_UNGRADED: Mapping[str, float | None] = {"truth": None, "judge": None}
CHAINS: Mapping[Side, str] = {side: f"the chain of the {side}" for side in ("champion", "challenger")}
"""What the sides' chains are called among the models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One answer, a call that failed, or all that a chain asked with the answer that it gave."""

    id: str
    status: str
    grades: Mapping[str, float | None]
    """By source: `truth`, `judge`. People's ratings are no evidence."""
    cost_usd: float
    took_s: float
    waited_s: float
    """What of that the user waited for."""
    beside: bool
    """Whether an audit asked it."""
    returned: bool
    """Whether it is what a chain gave."""


def seen_of(
    row: Mapping[str, Any],
    plans: Mapping[Side, str],
    answers: Sequence[tuple[str, Seen]],
    replays: Mapping[Side, ChainReplay],
) -> dict[str, Seen]:
    """Return what was seen of a decision, by model or chain: of what was not audited the drawn one alone."""
    side, given = row["contest"]["side"], [one for _, one in answers if not one.beside]
    ran = side in row["chained"] and row["model"] == row["contest"][f"{side}_model"]
    seen = dict(answers) if row["audited"] else {} if ran else dict(answers[:1])
    if ran and given:
        # Without an answer that was given, its user did not wait for one, or none came.
        nothing = replace(
            given[0], status="error" if given[0].status == "error" else "cancelled", grades=_UNGRADED
        )
        whole = next((one for one in given if one.returned), nothing)
        waited_s = sum(one.waited_s for one in given)
        seen[plans[side]] = replace(whole, cost_usd=sum(one.cost_usd for one in given), took_s=waited_s)
    for other, replay in replays.items():
        asked = {model: one for model, one in answers if model in replay.asked}
        if (other != side or not ran) and asked.keys() == set(replay.asked):
            failed = next(iter(asked.values()))
            whole = (
                asked[replay.returned]
                if replay.returned in asked
                else replace(failed, status="error", grades=_UNGRADED)
            )
            cost_usd = sum(one.cost_usd for one in asked.values())
            seen[plans[other]] = replace(whole, cost_usd=cost_usd, took_s=replay.waited_s)
    return seen


def grades_of(
    row: Mapping[str, Any], needed: Iterable[str], seen: Mapping[str, Seen]
) -> dict[str, float | None]:
    """Return the grades of answers, all by the same source; a call that failed is wrong.

    So is one that its user did not wait for, unless others were asked beside it: those were not cut alike.
    """
    wrong = {"error"} if row["audited"] else {"error", "cancelled"}
    found = []
    for source in ("truth", "judge") if row["has_reference"] else ("judge", "truth"):
        grades: dict[str, float | None] = {}
        for model in needed:
            one = seen.get(model)
            grade = None if one is None else one.grades[source]
            grades[model] = 0.0 if grade is None and one is not None and one.status in wrong else grade
        found.append(grades)
    return max(found, key=lambda grades: sum(grade is not None for grade in grades.values()))


def replays_of(connection: DuckDBPyConnection, ids: Sequence[str]) -> dict[str, dict[Side, ChainReplay]]:
    """Return what chains would have done with some decisions, by decision and side."""
    found: dict[str, dict[Side, ChainReplay]] = {}
    for decision, *values in connection.execute(_REPLAYS, {"ids": json.dumps(list(ids))}).fetchall():
        replay = ChainReplay(**dict(zip(ChainReplay.__slots__, values, strict=True)))
        found.setdefault(decision, {})[replay.side] = replay
    return found


def answers_to(
    connection: DuckDBPyConnection, event: ContestEvent, ids: Sequence[str]
) -> dict[str, list[tuple[str, Seen]]]:
    """Return the answers to some decisions with their models, by decision; audits come last."""
    found: dict[str, list[tuple[str, Seen]]] = {}
    free = set(event.free)
    wanted = {"ids": json.dumps(list(ids)), "first": min(ids, default="")}
    for (
        decision,
        id_,
        model,
        status,
        truth,
        judge,
        cost,
        seconds,
        waited_s,
        beside,
        returned,
    ) in connection.execute(_ANSWERS, wanted).fetchall():
        charged = cost if cost is not None else (0.0 if model in free else event.unknown_usd)
        answer = Seen(
            id=id_,
            status=status,
            grades={"truth": truth, "judge": judge},
            cost_usd=charged,
            took_s=seconds or 0.0,
            waited_s=waited_s or 0.0,
            beside=beside,
            returned=returned,
        )
        found.setdefault(decision, []).append((model, answer))
    return found
