"""What a report shows of a trial beyond the verdict: kinds of queries, the frontier, where each policy would win."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index, Mask
from zetaroute.config import Objective
from zetaroute.domain import Figure
from zetaroute.evaluate.ope import PairedDR, probabilities
from zetaroute.features import AnyMap
from zetaroute.learn.clusters import spread, top_terms
from zetaroute.learn.routing_gain import charged
from zetaroute.lifecycle.holdout import HoldoutComparison, always, shares, uniform

MOST_SEGMENTS = 24
REACH = 30.0
"""The break-even picture goes from this part of each value to this many times it."""
ANSWER_STEPS, SECOND_STEPS = 13, 9
KNOWN_COST = 0.95
"""Share of a policy's choices whose model has a known cost, below which its cost is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """A way of choosing models, and what it is estimated to bring per query."""

    name: str
    kind: str
    """`policy`, `single` (one model for everything) or `baseline`."""
    accuracy: Figure
    cost_usd: Figure
    """Unknown costs replaced as decisions replace them."""
    response_s: Figure
    utility_usd: Figure
    cost_known: bool

    def json(self) -> dict[str, Any]:
        """Return it as the result shows it."""
        nothing = Figure(value=None, low=None, high=None, n=self.cost_usd.n)
        return {
            "name": self.name,
            "kind": self.kind,
            "accuracy_rate": self.accuracy.json(),
            "cost_per_query_usd": (self.cost_usd if self.cost_known else nothing).json(),
            "mean_response_s": self.response_s.json(),
            "utility_usd": self.utility_usd.json(),
        }


def report_data(trial: HoldoutComparison, *, objective: Objective, feature_map: AnyMap) -> dict[str, Any]:
    """Return the keys `segments`, `frontier` and `break_even` of a retrain's result.

    `feature_map` is the candidate's.
    """
    ways = _ways(trial)
    return {
        "segments": _segments(trial, feature_map),
        "frontier": [way.json() for way in ways],
        "break_even": _break_even([way for way in ways if way.kind != "baseline"], objective),
    }


def _ways(trial: HoldoutComparison) -> list[Strategy]:
    rows, kpis = trial.rows, trial.kpis
    cost = kpis["cost_per_query_usd"]
    if np.isnan(rows.cost_usd).any():
        cost = PairedDR(trial.compared, charged(rows.cost_usd, rows.arm, trial.arms), bounded=False)
    priced = np.array(
        [
            arm.local or bool((~np.isnan(rows.cost_usd[rows.arm == k])).any())
            for k, arm in enumerate(trial.arms)
        ]
    )

    def way(name: str, kind: str, chosen: Index | Array) -> Strategy:
        used = (
            probabilities(chosen, len(trial.arms)).mean(axis=0) if len(chosen) else np.zeros(len(trial.arms))
        )
        return Strategy(
            name=name,
            kind=kind,
            accuracy=kpis["accuracy_rate"].value(chosen),
            cost_usd=cost.value(chosen),
            response_s=kpis["mean_response_s"].value(chosen),
            utility_usd=kpis["utility_usd"].value(chosen),
            cost_known=bool(used @ priced >= KNOWN_COST),
        )

    return [
        way("incumbent", "policy", trial.before),
        way("candidate", "policy", trial.after),
        *(way(arm.id, "single", always(trial.arms, rows, [arm.id])) for arm in trial.arms),
        way("uniform", "baseline", uniform(rows)),
    ]


def _segments(trial: HoldoutComparison, feature_map: AnyMap) -> list[dict[str, Any]]:
    """Return what changes per kind of query, the largest kind first."""
    rows = trial.rows
    if not rows.texts:
        return []
    labels = trial.kinds
    largest = [name for name, _ in Counter(sorted(labels.tolist())).most_common(MOST_SEGMENTS)]
    found = _terms(rows.texts, labels, largest, feature_map)
    return [
        {"name": name, "terms": terms, **_segment(trial, labels == name)}
        for name, terms in zip(largest, found, strict=True)
    ]


def _terms(
    texts: Sequence[str], labels: NDArray[np.str_], kinds: Sequence[str], feature_map: AnyMap
) -> list[list[str]]:
    place = {name: number for number, name in enumerate(kinds)}
    label_of = dict(zip(texts, labels.tolist(), strict=True))
    drawn = [text for text in spread(texts) if label_of[text] in place]
    kind = np.array([place[label_of[text]] for text in drawn], dtype=np.int64)
    return top_terms(feature_map, drawn, kind, len(kinds))


def _segment(trial: HoldoutComparison, here: Mask) -> dict[str, Any]:
    before, after = trial.before[here], trial.after[here]
    moves = Counter(zip(before.tolist(), after.tolist(), strict=True))
    moved = [(pair, count) for pair, count in moves.most_common() if pair[0] != pair[1]]
    (start, end), most = moved[0] if moved else ((0, 0), 0)
    difference = trial.kpis["utility_usd"].difference(within=here)
    return {
        "rows": int(here.sum()),
        "before": shares(before, trial.arms),
        "after": shares(after, trial.arms),
        "moved": float((before != after).mean()),
        "switch": {
            "from": trial.arms[start].id,
            "to": trial.arms[end].id,
            "share": most / int(here.sum()),
            **_expected(trial, here, start, end),
        }
        if most
        else None,
        "utility_usd": difference.figure().json(),
        "hits": difference.hits,
    }


def _expected(trial: HoldoutComparison, here: Mask, start: int, end: int) -> dict[str, Any]:
    """Return what the candidate expects of the two models where it moves queries from one to the other."""
    moving = here & (trial.before == start) & (trial.after == end)
    forecast = trial.forecast
    columns = {
        "accuracy": forecast.accuracy,
        "cost_usd": forecast.charged(trial.arms),
        "response_s": forecast.response_s,
    }
    return {
        name: {"before": _known(column[moving, start]), "after": _known(column[moving, end])}
        for name, column in columns.items()
    }


def _known(values: Array) -> float | None:
    mean = float(values.mean())
    return mean if np.isfinite(mean) else None


def _break_even(ways: Sequence[Strategy], objective: Objective) -> dict[str, Any] | None:
    """Return which way has the highest estimated utility for other values of an answer and of a second.

    Utility is linear in both values, so accuracy, cost and time say it all without another fit. A lead counts as
    clear when it is larger than the two ways' half intervals together (as independent ones, which is cautious:
    both stand on the same rows). Of ways that are the same, as a policy that always asks one model, the first
    stands for all.
    """
    known: list[Strategy] = []
    for way in ways:
        same = [one for one in known if (one.accuracy, one.cost_usd) == (way.accuracy, way.cost_usd)]
        if way.accuracy.value is not None and way.cost_usd.value is not None and not same:
            known.append(way)
    if len(known) < 2:
        return None
    answers = _around(objective.answer_value_usd or Objective().answer_value_usd, ANSWER_STEPS)
    seconds = _around(objective.second_value_usd or Objective().second_value_usd, SECOND_STEPS)
    accuracy, cost, time = (
        np.array([_with_half(getattr(way, name)) for way in known])
        for name in ("accuracy", "cost_usd", "response_s")
    )
    v, s = answers[None, :, None], seconds[:, None, None]
    utility = v * accuracy[:, 0] - cost[:, 0] - s * time[:, 0]
    half = np.sqrt((v * accuracy[:, 1]) ** 2 + cost[:, 1] ** 2 + (s * time[:, 1]) ** 2)
    first, second = np.argsort(-utility, axis=2, kind="stable")[:, :, :2].transpose(2, 0, 1)
    row, column = np.indices(first.shape)
    lead = utility[row, column, first] - utility[row, column, second]
    noise = np.hypot(half[row, column, first], half[row, column, second])
    return {
        "ways": [way.name for way in known],
        "answer_values_usd": answers.tolist(),
        "second_values_usd": seconds.tolist(),
        "best": first.tolist(),
        "clear": (lead > noise).tolist(),
        "answer_value_usd": objective.answer_value_usd,
        "second_value_usd": objective.second_value_usd,
    }


def _around(value: float, steps: int) -> Array:
    return np.asarray(np.geomspace(value / REACH, value * REACH, steps))


def _with_half(figure: Figure) -> tuple[float, float]:
    """Return a figure's value and half its interval; an unknown time counts nothing."""
    if figure.value is None:
        return 0.0, 0.0
    if figure.low is None or figure.high is None:
        return figure.value, 0.0
    return figure.value, (figure.high - figure.low) / 2.0
