"""What a retrain has done and found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zetaroute.domain import Figure
from zetaroute.evaluate.ope import Support


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainRecord:
    """What a retrain found, as its artifact keeps it and its report shows it."""

    parent: str
    """The version in use, which the candidate was compared with."""
    verdict: str
    """PROMOTE, REJECT or INSUFFICIENT."""
    promoted: bool
    reasons: Sequence[str]
    rows: Mapping[str, int]
    before: Mapping[str, Figure]
    """Key figures of the version in use on held-out rows."""
    after: Mapping[str, Figure]
    """The candidate's."""
    difference: Mapping[str, Figure]
    estimators: Mapping[str, float]
    """The difference in utility per query by other estimators."""
    support: Support
    satisfaction: Mapping[str, Any] | None
    harm: Sequence[Mapping[str, Any]]
    """The difference by kind of query."""
    baselines: Mapping[str, Figure]
    """Utility in USD per query of the fixed alternatives."""
    share: Mapping[str, Mapping[str, float]]
    """How often each model is used, before and after."""
    best_single: str
    routes: bool
    """Whether the candidate tells queries apart."""
    detectable_usd: float | None
    rows_needed: int | None
    reliability: Mapping[str, Any]
    """How far each source of judgements is right."""
    shown: Mapping[str, Any]
    """Kinds of queries, frontier and break-even, for the report."""

    def json(self) -> dict[str, Any]:
        """Return what `kpi.json` of the artifact holds."""
        return {
            "parent": self.parent,
            "verdict": self.verdict,
            "promoted": self.promoted,
            "reasons": list(self.reasons),
            "rows": dict(self.rows),
            "before": _json(self.before),
            "after": _json(self.after),
            "difference": _json(self.difference),
            "estimators": self.estimators,
            "support": asdict(self.support),
            "satisfaction": self.satisfaction,
            "harm": self.harm,
            "baselines": _json(self.baselines),
            "share": self.share,
            "best_single": self.best_single,
            "routes": self.routes,
            "detectable_usd": self.detectable_usd,
            "rows_needed": self.rows_needed,
            "reliability": self.reliability,
            **self.shown,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainResult:
    """What a retrain did."""

    version: str
    """The new version, whether it serves or not."""
    record: RetrainRecord
    canary: Mapping[str, Any] | None
    """How the canary stands that runs now."""
    elapsed_s: float
    report: Path
    """The Markdown report."""

    @property
    def verdict(self) -> str:
        """PROMOTE, REJECT or INSUFFICIENT."""
        return self.record.verdict

    @property
    def promoted(self) -> bool:
        """Whether the new version serves."""
        return self.record.promoted

    @property
    def reasons(self) -> Sequence[str]:
        """Why the verdict is what it is, and what else is to be said."""
        return self.record.reasons

    @property
    def difference(self) -> Mapping[str, Figure]:
        """The candidate minus the version in use, on held-out rows, by key figure."""
        return self.record.difference

    def json(self) -> dict[str, Any]:
        """Return what `retrain --json` prints."""
        return {
            "artifact": self.version,
            **self.record.json(),
            "canary": self.canary,
            "elapsed_s": self.elapsed_s,
        }


def _json(found: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: figure.json() for name, figure in found.items()}
