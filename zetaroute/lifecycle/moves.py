"""Which queries a challenger would ask another model than the champion, by the newest rows of the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index, Mask
from zetaroute.config import Objective
from zetaroute.domain import Arm
from zetaroute.features import AnyMap
from zetaroute.learn.clusters import segments, spread, top_terms
from zetaroute.learn.incremental.collect import ReadRows
from zetaroute.policy import Forecast, Policy
from zetaroute.policy.learned import LearnedPredictor, with_lengths

MOST_SEGMENTS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What both sides would ask for the newest rows, each row once."""

    texts: Sequence[str]
    arms: Sequence[Arm]
    before: Index
    """(n,) the champion's arm."""
    after: Index
    forecast: Forecast
    """What the challenger expects."""
    kinds: NDArray[np.str_]
    """(n,) task label, else the name of the cell that the query lies in."""

    @property
    def none(self) -> bool:
        """Whether both ask the same model for every query."""
        return bool((self.before == self.after).all())

    def model_share(self) -> dict[str, dict[str, float]]:
        """Return how often each model is asked, before and after."""
        return {"before": _shares(self.before, self.arms), "after": _shares(self.after, self.arms)}

    def segments(self, feature_map: AnyMap) -> list[dict[str, Any]]:
        """Return what changes per kind of query, the largest kind first."""
        largest = [name for name, _ in Counter(sorted(self.kinds.tolist())).most_common(MOST_SEGMENTS)]
        terms = _terms(self.texts, self.kinds, largest, feature_map)
        return [
            {"name": name, "terms": found, **self._segment(self.kinds == name)}
            for name, found in zip(largest, terms, strict=True)
        ]

    def _segment(self, here: Mask) -> dict[str, Any]:
        before, after = self.before[here], self.after[here]
        moved = Counter(
            pair for pair in zip(before.tolist(), after.tolist(), strict=True) if pair[0] != pair[1]
        )
        ((start, end), most), *_ = moved.most_common(1) or [((0, 0), 0)]
        rows = int(here.sum())
        return {
            "rows": rows,
            "before": _shares(before, self.arms),
            "after": _shares(after, self.arms),
            "moved": float((before != after).mean()),
            "switch": {
                "from": self.arms[start].id,
                "to": self.arms[end].id,
                "share": most / rows,
                **self._expected(here & (self.before == start) & (self.after == end), start, end),
            }
            if most
            else None,
        }

    def _expected(self, moving: Mask, start: int, end: int) -> dict[str, Any]:
        columns = {
            "accuracy": self.forecast.accuracy,
            "cost_usd": self.forecast.charged(self.arms),
            "response_s": self.forecast.response_s,
        }
        return {
            name: {"before": _known(column[moving, start]), "after": _known(column[moving, end])}
            for name, column in columns.items()
        }


def moves_of(
    newest: ReadRows,
    arms: Sequence[Arm],
    objective: Objective,
    *,
    champion: Policy,
    anchor: str | None,
    challenger: Policy,
    predictor: LearnedPredictor,
    names: Sequence[str],
) -> Moves:
    """Return what both sides would ask for each of the newest rows.

    `anchor` is the single model that the champion always asks, if it is one, `predictor` is the challenger's, and
    `names` are those of its cells.
    """
    rows, x = newest.rows, newest.x
    eligible = np.where(rows.eligible.any(axis=1, keepdims=True), rows.eligible, True)
    known = with_lengths(rows.texts, x)
    forecast = predictor.forecast(known, arms)
    after = challenger.exploit(forecast, arms=arms, objective=objective, eligible=eligible)
    own = champion.predictor
    same = isinstance(own, LearnedPredictor) and own.map.identity() == predictor.map.identity()
    theirs = own.forecast(known if same else own.vectors(rows.texts, rows.tasks), arms)
    before = champion.exploit(theirs, arms=arms, objective=objective, eligible=eligible)
    single = next((k for k, arm in enumerate(arms) if arm.id == anchor), None)
    if single is not None:
        before = np.where(eligible[:, single], single, before)
    cells = predictor.map.cells(x)
    return Moves(
        texts=rows.texts,
        arms=arms,
        before=before,
        after=after,
        forecast=forecast,
        kinds=np.array(segments(rows.tasks, cells, names), dtype=np.str_),
    )


def _shares(chosen: Index, arms: Sequence[Arm]) -> dict[str, float]:
    counts = np.bincount(chosen, minlength=len(arms)) / max(len(chosen), 1)
    return {arm.id: float(share) for arm, share in zip(arms, counts, strict=True)}


def _terms(
    texts: Sequence[str], labels: NDArray[np.str_], kinds: Sequence[str], feature_map: AnyMap
) -> list[list[str]]:
    place = {name: number for number, name in enumerate(kinds)}
    label_of = dict(zip(texts, labels.tolist(), strict=True))
    drawn = [text for text in spread(texts) if label_of[text] in place]
    kind = np.array([place[label_of[text]] for text in drawn], dtype=np.int64)
    return top_terms(feature_map, drawn, kind, len(kinds))


def _known(values: Array) -> float | None:
    mean = float(values.mean())
    return mean if np.isfinite(mean) else None
