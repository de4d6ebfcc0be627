"""What a retrain has done and found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zetaroute.domain import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainRecord:
    """What a retrain found, as its artifact keeps it and its report shows it."""

    parent: str
    """The version that served when it began to learn."""
    verdict: str
    """PROMOTE, REJECT or INSUFFICIENT: what the evidence says of the challengers so far."""
    promoted: bool
    reasons: Sequence[str]
    anew: str | None
    """Why a contest has ended with this retrain: its figures are no longer those of the challenger of now."""
    rows: Mapping[str, int]
    before: Mapping[str, Figure]
    """Key figures of the champion, by the queries that were scored."""
    after: Mapping[str, Figure]
    """The challengers'."""
    difference: Mapping[str, Figure]
    queries_missing: int | None
    """How many more scored queries would fill both columns; None where no number would."""
    left_out: Sequence[str]
    """Key figures that the utility of the columns does not count, since too few answers tell them."""
    evidence: Mapping[str, Any]
    """How strong it is, and what it takes."""
    audits_needed: int | None
    audit_usd_needed: float | None
    harm: Sequence[Mapping[str, Any]]
    """What the evidence says of every kind of query."""
    model_share: Mapping[str, Mapping[str, float]]
    """How often each model is used, before and after."""
    anchor: str
    """The single model that the new version asks unless another is expected to be clearly better."""
    segments: Sequence[Mapping[str, Any]]
    """What changes per kind of query."""
    reliability: Mapping[str, Any]
    """How far each source of judgements is right."""

    def json(self) -> dict[str, Any]:
        """Return what `kpi.json` of the artifact holds."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainResult:
    """What a retrain did."""

    version: str
    """The new version, whether it serves or not."""
    serves: str
    """The version that serves now."""
    share: float
    """Share of the queries that a challenger, or a promoted version that is tested, is given from now on."""
    record: RetrainRecord
    elapsed_s: float
    report: Path
    """The Markdown report."""

    @property
    def verdict(self) -> str:
        """PROMOTE, REJECT or INSUFFICIENT."""
        return self.record.verdict

    @property
    def promoted(self) -> bool:
        """Whether a version came to serve."""
        return self.record.promoted

    @property
    def reasons(self) -> Sequence[str]:
        """Why the verdict is what it is, and what else is to be said."""
        return self.record.reasons

    @property
    def difference(self) -> Mapping[str, Figure]:
        """The challengers minus the champion, by key figure."""
        return self.record.difference

    def json(self) -> dict[str, Any]:
        """Return what `retrain --json` prints."""
        return {
            "artifact": self.version,
            "serves": self.serves,
            "share": self.share,
            **self.record.json(),
            "elapsed_s": self.elapsed_s,
        }
