"""Key figures, and before against after, as values; making them is `analysis.kpi`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zetaroute.domain import Figure

if TYPE_CHECKING:
    from zetaroute.analysis.judges import Judge
    from zetaroute.analysis.log_drift import LogDrift
    from zetaroute.evaluate.key_figures import OneMix

_HELD_OUT = (
    *("verdict", "rows", "difference", "evidence"),
    *("satisfaction", "share", "model_share", "segments"),
)
"""What a report shows again of the stored result of a retrain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiGroup:
    """The key figures of some of the queries."""

    rows: int
    kpis: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedToLearn:
    """What models were asked to learn from, beside what was served."""

    rows: int
    cost_usd: float
    """With what judging these answers cost; as far as it is known."""
    response_s: float
    """Seconds of all calls together; no user waited for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiReport:
    """The key figures of everything that was served since a moment, or by one version or in one run alone."""

    version: str
    """The one that was asked for, else the one that serves now."""
    rows: int
    since: str | None
    until: str | None
    kpis: Mapping[str, Figure]
    exploring_usd: Figure
    """What exploring cost per routed query in utility."""
    audits: AskedToLearn
    seeding: AskedToLearn
    """What `--all-models` asked."""
    earned: Figure
    """USD that challengers gained over the champions where they were given queries, less what audits cost."""
    kinds: Mapping[str, KpiGroup]
    """By who chose the model: `policy`, `pinned` (by a person or its conversation) or `imported`."""
    by: Mapping[str, KpiGroup]
    """By the value of what was asked for."""
    sources: Mapping[str, Mapping[str, Any]]
    """What accuracy and satisfaction stand on."""
    judges: Sequence[Judge]
    provenance: Mapping[str, int]
    share: Mapping[str, float]
    """How often each model answered."""
    over_time: Mapping[str, Any] | None
    """None where the course was not asked for."""
    drift: LogDrift

    def json(self) -> dict[str, Any]:
        """Return what `kpi --json` prints."""
        found = {
            **asdict(self),
            "judges": [judge.json() for judge in self.judges],
            "drift": self.drift.json(),
        }
        return {name: value for name, value in found.items() if name != "over_time" or value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedVersion:
    """What one of two versions served."""

    version: str
    rows: int
    kpis: Mapping[str, Figure]
    sources: Mapping[str, Mapping[str, Any]]
    provenance: Mapping[str, int]
    share: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two versions side by side: what they served, and what the retrain of the newer one expected."""

    before: ComparedVersion
    after: ComparedVersion
    one_mix: OneMix
    """What was served, re-weighted to one mix of kinds of queries."""
    satisfaction: Mapping[str, Any] | None
    retrain: Mapping[str, Any]
    """The stored result of the retrain that learned the newer version, with what its contest has measured."""
    forecasts: Sequence[Mapping[str, Any]]
    """What every promotion promised, and what came."""
    over_time: Mapping[str, Any]
    segments: Sequence[Mapping[str, Any]]
    examples: Mapping[str, Sequence[str]] | None
    """Some of the queries by kind; None where they were not asked for."""
    drift: LogDrift

    @property
    def verdict(self) -> str | None:
        """What the evidence said of the newer version; None where it never challenged the older one."""
        verdict: str | None = self.retrain.get("verdict")
        return verdict

    @property
    def confirmed(self) -> bool | None:
        """Whether what was served agrees that the newer version is better; None where it cannot tell."""
        utility = self.one_mix.difference["utility_usd"]
        if utility.low is None or utility.high is None:
            return None
        if utility.low > 0:
            return True
        return False if utility.high < 0 else None

    def json(self) -> dict[str, Any]:
        """Return what `kpi --compare --json` prints."""
        stored = self.retrain
        difference = {name: one.json() for name, one in self.one_mix.difference.items()}
        return {
            "before": asdict(self.before),
            "after": asdict(self.after),
            "difference": difference,
            "one_mix": asdict(self.one_mix),
            "satisfaction": self.satisfaction,
            "off_policy": stored.get("difference", {}),
            "policies": {"before": stored.get("before", {}), "after": stored.get("after", {})},
            "verdict": self.verdict,
            "reasons": stored.get("reasons", []),
            "forecasts": self.forecasts,
            "confirmed": self.confirmed,
            "over_time": self.over_time,
            "segments": self.segments,
            "held_out": {name: stored[name] for name in _HELD_OUT if name in stored},
            **({} if self.examples is None else {"examples": self.examples}),
            "drift": self.drift.json(),
        }
